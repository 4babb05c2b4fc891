"""How each framework says what a trap needs: arrays, gradients, and its own functions of a matrix; as source text.

A program is made of those lines alone that its trap uses, so that a reader sees all of it. Arrays are NumPy's outside
of losses. Gradients are folded to one convention where frameworks document another: JAX and autograd return the
conjugate.
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

from .. import eigh as _eigh


class Nothing(NamedTuple):
    """In the place of a function that a framework, or eigengrad, does not have."""

    why: str


Line = str | Nothing

_TORCH = {
    "grad": """\
def grad(f, a):
    x = torch.tensor(a, requires_grad=True)
    return torch.autograd.grad(f(x), x)[0].resolve_conj().numpy()""",
    "hessian_along": """\
def hessian_along(f, a, E):
    x = torch.tensor(a, requires_grad=True)
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad((g * torch.tensor(E)).sum(), x)[0].numpy()""",
    "value": """\
def value(f, a):
    return f(torch.tensor(a)).numpy()""",
    "array": "array = torch.as_tensor",
    "total": "total = torch.sum",
    "real": "real = torch.real",
    "transpose": "transpose = torch.t",
}

_TENSORFLOW = {
    "grad": """\
def grad(f, a):
    x = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x).numpy()""",
    "hessian_along": """\
def hessian_along(f, a, E):
    x = tf.constant(a)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        along = tf.reduce_sum(inner.gradient(y, x) * E)
    return outer.gradient(along, x).numpy()""",
    "value": """\
def value(f, a):
    return f(tf.constant(a)).numpy()""",
    "array": "array = tf.constant",
    "total": "total = tf.reduce_sum",
    "real": "real = tf.math.real",
    "transpose": "transpose = tf.transpose",
}

_JAX = {
    "grad": """\
def grad(f, a):
    with jax.enable_x64(True):  # double precision, for this call
        return np.conj(jax.grad(f)(jnp.asarray(a)))  # JAX returns the conjugate""",
    "hessian_along": """\
def hessian_along(f, a, E):
    with jax.enable_x64(True):  # double precision, for this call
        return np.asarray(jax.grad(lambda x: jnp.sum(jax.grad(f)(x) * E))(jnp.asarray(a)))""",
    "value": """\
def value(f, a):
    with jax.enable_x64(True):  # double precision, for this call
        return np.asarray(f(jnp.asarray(a)))""",
    "array": "array = jnp.asarray",
    "total": "total = jnp.sum",
    "real": "real = jnp.real",
    "transpose": "transpose = jnp.transpose",
}

_AUTOGRAD = {
    "grad": """\
def grad(f, a):
    return np.conj(autograd.grad(f)(a))  # autograd returns the conjugate""",
    "hessian_along": """\
def hessian_along(f, a, E):
    return autograd.grad(lambda x: anp.sum(autograd.grad(f)(x) * E))(a)""",
    "value": """\
def value(f, a):
    return np.asarray(f(a))""",
    "array": "array = anp.array",
    "total": "total = anp.sum",
    "real": "real = anp.real",
    "transpose": "transpose = anp.transpose",
}

#: In NumPy, for all.
_SHARED = {
    "hermitian": """\
def hermitian(G):  # a gradient in one triangle, made symmetric: the same derivative along symmetric directions
    return (G + np.swapaxes(G.conj(), -1, -2)) / 2""",
}

IMPORTS = {
    "torch": "import torch",
    "tensorflow": "import tensorflow as tf",
    "jax": "import jax\nimport jax.numpy as jnp",
    "autograd": "import autograd\nimport autograd.numpy as anp\nimport autograd.scipy.linalg as asl",
}
HELPERS: dict[str, dict[str, str]] = {
    name: {**lines, **_SHARED}
    for name, lines in (("torch", _TORCH), ("tensorflow", _TENSORFLOW), ("jax", _JAX), ("autograd", _AUTOGRAD))
}

_NO_SUM = "There is no function for the sum of a function over the eigenvalues."
_NO_ROOT = "There is no square root of a matrix."
_NO_GENERAL = "There is no A v = λ B v."

#: What each framework has itself, by the name that traps use.
OWN: dict[str, dict[str, Line]] = {
    "torch": {
        "eigh": "eigh = torch.linalg.eigh",
        "eigvalsh": "eigvalsh = torch.linalg.eigvalsh",
        "expm": "expm = torch.matrix_exp",
        "sqrtm": Nothing(_NO_ROOT),
        "logm": Nothing("There is no logarithm of a matrix."),
        "sum_of_cubes": Nothing(_NO_SUM),
        "lowest_six": """\
def lowest_six(a):
    with torch.random.fork_rng(devices=[]):  # its start is random: the same one each time, and the generator kept
        torch.manual_seed(0)
        return torch.lobpcg(a, k=6, largest=False, tol=1e-13, niter=500)""",
        "general": Nothing(_NO_GENERAL),
        "slopes": """\
def slopes(A, E):
    return torch.func.jvp(torch.linalg.eigvalsh, (torch.tensor(A),), (torch.tensor(E),))[1].numpy()""",
    },
    "tensorflow": {
        "eigh": "eigh = tf.linalg.eigh",
        "eigvalsh": "eigvalsh = tf.linalg.eigvalsh",
        "expm": "expm = tf.linalg.expm",
        "sqrtm": "sqrtm = tf.linalg.sqrtm",
        "logm": """\
def logm(a):
    return tf.math.real(tf.linalg.logm(tf.cast(a, tf.complex128)))  # it takes complex matrices alone""",
        "sum_of_cubes": Nothing(_NO_SUM),
        "lowest_six": Nothing("There are no few of many eigenpairs."),
        "general": Nothing(_NO_GENERAL),
        "slopes": """\
def slopes(A, E):
    x = tf.constant(A)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(E)) as accumulator:
        w = tf.linalg.eigvalsh(x)
    return accumulator.jvp(w).numpy()""",
    },
    "jax": {
        "eigh": "eigh = jnp.linalg.eigh",
        "eigvalsh": "eigvalsh = jnp.linalg.eigvalsh",
        "expm": "expm = jax.scipy.linalg.expm",
        "sqrtm": """\
def sqrtm(a):
    return jnp.real(jax.scipy.linalg.sqrtm(a))""",
        "logm": """\
def logm(a):
    return jnp.real(jax.scipy.linalg.funm(a, jnp.log))""",
        "sum_of_cubes": Nothing(_NO_SUM),
        "lowest_six": """\
def lowest_six(a):
    V, w = jax.lax.linalg.eigh(a, subset_by_index=(0, 6))
    return w, V""",
        "general": "general = jax.scipy.linalg.eigh",
        "slopes": """\
def slopes(A, E):
    with jax.enable_x64(True):  # double precision, for this call
        return np.asarray(jax.jvp(jnp.linalg.eigvalsh, (jnp.asarray(A),), (jnp.asarray(E),))[1])""",
    },
    "autograd": {
        "eigh": "eigh = anp.linalg.eigh",
        "eigvalsh": """\
def eigvalsh(a):
    return anp.linalg.eigh(a)[0]""",
        "expm": "expm = asl.expm",
        "sqrtm": "sqrtm = asl.sqrtm",
        "logm": "logm = asl.logm",
        "sum_of_cubes": Nothing(_NO_SUM),
        "lowest_six": """\
def lowest_six(a):
    return asl.eigh(a, subset_by_index=(0, 5))""",
        "general": "general = asl.eigh",
        "slopes": """\
def slopes(A, E):
    return autograd.make_jvp(lambda a: anp.linalg.eigh(a)[0])(A)(E)[1]""",
    },
}


def ours(framework: str, function: str) -> Line:
    """eigengrad's function in the place of a framework's own; looked up when asked for, so that a new one counts."""
    module = f"eigengrad.{framework}"
    takes = inspect.signature(_eigh).parameters
    if function == "sum_of_cubes":
        return f"""\
def sum_of_cubes(a):
    return {module}.trace_funm(a, eigengrad.functions.Polynomial((0, 0, 0, 1)))"""
    if function == "lowest_six":
        if "subset_by_index" not in takes:
            return Nothing("There are no few of many eigenpairs.")
        return f"""\
def lowest_six(a):
    return {module}.eigh(a, subset_by_index=(0, 5))"""
    if function == "general":
        if "b" not in takes:
            return Nothing(_NO_GENERAL)
        return f"""\
def general(a, b):
    return {module}.eigh(a, b=b)"""
    if function == "slopes":
        return f"""\
def slopes(A, E):
    return value(lambda a: {module}.directional_derivative(a, array(E)), A)"""
    return f"{function} = {module}.{function}"


def function(framework: str, name: str, mine: bool) -> Line:
    """The lines that define one function, of the framework or of eigengrad in it."""
    return ours(framework, name) if mine else OWN[framework][name]


def assemble(framework: str, mine: bool, body: str) -> tuple[str, list[str]]:
    """The imports and definitions that a text uses, in an order that runs; and what of it does not exist."""
    functions = {name: function(framework, name, mine) for name in OWN[framework] if _uses(body, name)}
    missing = [line.why for line in functions.values() if isinstance(line, Nothing)]
    lines = [line for line in functions.values() if isinstance(line, str)]
    text = "\n".join([*lines, body])
    lines = [line for name, line in HELPERS[framework].items() if _uses(text, name)] + lines
    text = "\n".join([*lines, body])
    imports = [line for line in IMPORTS[framework].split("\n") if _uses(text, line.split()[-1].split(".")[0])]
    if mine:
        imports.append(f"import eigengrad.{framework}")
    short = [line for line in lines if "\n" not in line]
    long = [f"\n\n{line}\n" for line in lines if "\n" in line]
    head = "\n".join(["import numpy as np", *imports, *([""] if short else []), *short, ""])
    return head + "".join(long) + ("\n\n" if long else "\n"), missing


def _uses(text: str, name: str) -> bool:
    return re.search(rf"(?<![.\w]){name}\b", text) is not None
