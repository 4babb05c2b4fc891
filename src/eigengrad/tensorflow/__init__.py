"""TensorFlow: a rule becomes an operation that tapes and accumulators record, and the public functions take tensors.

Forward mode is our rule, except for an accumulator around a tf.function, where TensorFlow transposes the gradient,
asked with made-up cotangents: there the tangents of a cluster's vectors are not NaN. With jit_compile=True the
eigensolver is that of jacobi.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf
from ml_dtypes import finfo  # NumPy's, and of bfloat16; TensorFlow needs it too
from tensorflow.python.eager import record  # what tf.custom_gradient itself is made of

from .. import halves, public
from ..errors import unconverged
from ..namespace import total
from ..public import BlocksResult, EighResult, bind
from ..reading import READINGS, affine
from ..rules import Rule
from ..rules.registry import RULES
from . import calculus, direct, graph, host, jacobi, ops, small

__all__ = [
    "BlocksResult",
    "EighResult",
    "block_diagonalize",
    "convert",
    "detect",
    "directional_derivative",
    "eigh",
    "eigsh",
    "eigvalsh",
    "expm",
    "funm",
    "invsqrtm",
    "logdet",
    "logm",
    "powm",
    "projector",
    "signm",
    "spectral",
    "sqrtm",
    "svec",
    "trace_funm",
    "unsvec",
    "unvech",
    "vech",
]


def _eigensolver(H: Any) -> tuple[Any, Any]:
    if host.compiled():
        return jacobi.eigh(H)
    if ops.serves(H):
        return ops.eigh(H, _own_eigensolver)  # type: ignore[no-any-return]
    try:
        return _own_eigensolver(H)
    except tf.errors.InvalidArgumentError as error:
        raise unconverged(error.message) from error


def _own_eigensolver(H: Any) -> tuple[Any, Any]:
    w, V = tf.linalg.eigh(H)
    return tf.math.real(w), V


def _tracked(a: Any) -> bool:
    """Whether a derivative may be asked for; a function that is traced does not know."""
    return not tf.executing_eagerly() or record.could_possibly_record()


def _asked(g: Any, x: Any) -> Any:
    """Outside of what is followed any further."""
    if _tracked(g):
        return None
    return tf.reduce_any(tf.reshape(g != 0.0, [-1, g.shape[-1]]), 0).numpy()


def _where(condition: Any, x: Any, y: Any) -> Any:
    """NumPy's `where`: a number takes the dtype of the array beside it."""
    dtype = next((v.dtype for v in (x, y) if tf.is_tensor(v)), tf.float32)
    return tf.where(condition, *(v if tf.is_tensor(v) else tf.constant(v, dtype) for v in (x, y)))


def _cast(x: Any, like: Any) -> Any:
    """A plain cast to complex casts its gradient back to real, with a warning; this one takes the real part."""
    if like.dtype.is_complex and not x.dtype.is_complex:
        return tf.complex(x, tf.zeros_like(x))
    return tf.cast(x, like.dtype)


def _tril(X: Any, k: int) -> Any:
    if k == 0:
        return tf.linalg.band_part(X, -1, 0)
    return tf.linalg.set_diag(tf.linalg.band_part(X, -1, 0), tf.zeros_like(tf.linalg.diag_part(X)))


def _isfinite(x: Any) -> Any:
    x = tf.stop_gradient(x)  # an accumulator in an accumulator stumbles over a tangent of what has none
    if x.dtype.is_complex:
        return tf.math.is_finite(tf.math.real(x)) & tf.math.is_finite(tf.math.imag(x))
    return tf.math.is_finite(x)


def _choose(bad: Any, look: bool, yes: Any, no: Any) -> Any:
    return yes() if not look or not tf.executing_eagerly() or bool(tf.reduce_any(bad)) else no()


def _branch(bad: Any, look: bool, yes: Any, no: Any) -> Any:
    """A branch of the program, where nothing is differentiated: accumulators around a function stumble over one."""
    n, size = bad.shape[-1] or 0, bad.shape.num_elements() or halves.LEAST
    large = not tf.executing_eagerly() and n >= halves.LEAST  # XLA is worth one then, too
    worth = large or (graph.serves() and size >= halves.LEAST)
    return tf.cond(tf.reduce_any(bad), yes, no) if worth else _choose(bad, look, yes, no)


def _total(function: Callable[[Any], Any], n: Any) -> Any:
    if tf.executing_eagerly():
        return total(function, n)
    first = function(0)
    step = lambda k, found: (k + 1, tf.ensure_shape(found + function(k), first.shape))  # noqa: E731
    return tf.while_loop(lambda k, found: k < n, step, (1, first))[1]


class _Space(SimpleNamespace):
    """Equal to itself alone, so that functions can be kept that were made for it."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment]


_xp = _Space(
    abs=tf.abs,
    conj=tf.math.conj,
    real=tf.math.real,
    where=_where,
    swapaxes=lambda X, i, j: tf.linalg.matrix_transpose(X),
    sum=tf.reduce_sum,
    max=tf.reduce_max,
    cumsum=tf.cumsum,
    concatenate=tf.concat,
    sqrt=tf.sqrt,
    sin=tf.sin,
    cos=tf.cos,
    floor=tf.floor,
    exp=tf.exp,
    log=tf.math.log,
    log1p=tf.math.log1p,
    expm1=tf.math.expm1,
    size=lambda x: x.shape[-1] if x.shape[-1] is not None else tf.shape(x)[-1],
    total=_total,
    slope=calculus.slope,
    gradient=calculus.gradient,
    ones_like=tf.ones_like,
    tril=_tril,
    reshape=lambda x, shape: tf.reshape(x, [tf.shape(x)[i] if s is None else s for i, s in enumerate(shape)]),
    isfinite=_isfinite,
    finite=lambda x: bool(tf.reduce_all(_isfinite(x))) if tf.executing_eagerly() else None,
    choose=_choose,
    exact=lambda X: False,
    half=lambda X, Y: None,
    sizes=lambda X, Y: tf.matmul(tf.abs(X), tf.abs(Y), transpose_a=True),
    row=lambda u, X: tf.reduce_sum(u[..., :, None] * X, -2),  # a product of none of a batch fails in vectorized_map
    blank=lambda n, like: None,
    weighted=lambda V, g: None,
    congruence=lambda V, X, adjoint: None,
    again=tf.identity,
    take=lambda x, i: tf.gather(x, i, axis=-1),
    constant=lambda c, like: tf.cast(np.asarray(c), like.dtype),
    cast=_cast,
    iscomplex=lambda x: x.dtype.is_complex,
    diagonal=tf.linalg.diag_part,
    embed=tf.linalg.diag,
    stop=tf.stop_gradient,
    eps=lambda x: float(finfo(x.dtype.as_numpy_dtype).eps),
    any=lambda x: bool(tf.reduce_any(x)) if tf.executing_eagerly() else None,
    numpy=lambda x: x.numpy(),
    array=host.array,
    eigensolver=_eigensolver,
    eigenvalues=lambda H: tf.math.real(tf.linalg.eigvalsh(H)),
    tracked=_tracked,
    examine=calculus.examine,
    device=lambda x: None,  # TensorFlow carries tensors over
    narrow=lambda x, like: tf.cast(x, like.dtype if x.dtype.is_complex else like.dtype.real_dtype),
    parameter=lambda v, like: tf.cast(v if tf.is_tensor(v) else np.asarray(v), like.dtype.real_dtype),
    asked=_asked,
    host=host.host,
    rule=lru_cache(maxsize=256)(lambda rule: _attach(rule)),
    columns=host.columns,
    along=host.along,
    pull=host.pull,
    matrix=host.matrix,
    lift=tf.convert_to_tensor,
    hosted=lambda a: not host.compiled(),
)
_xp.read = lambda a, convention: READINGS[convention].read(_xp, host.computed(a))
_xp.affine = lambda H, shift, scale: affine(_xp, H, shift, scale)
_xp.part = lambda X, asked: X[..., asked]
_xp.small = partial(direct.eigh, _xp)
_xp.small_eigh = partial(small.eigh, _xp)


def _attach(rule: Rule) -> Callable[..., Any]:
    def primal(x: Any, how: Any) -> tuple[Any, ...]:
        return tuple(rule.primal(_branching, tuple(map(tf.stop_gradient, x)), how))

    def pull(x: Any, out: Any, gout: Any, how: Any) -> tuple[Any, ...]:
        gout = tuple(map(tf.convert_to_tensor, gout))  # tf.gather sends back IndexedSlices
        gx = rule.vjp(_xp, tuple(x), tuple(out), gout, how)
        return tuple(None if g is None else tf.cast(g, v.dtype) for g, v in zip(gx, x, strict=True))

    def recorded(out: Any, x: Any, how: Any) -> tuple[Any, ...]:
        """The outputs, made known to tapes and accumulators.

        An accumulator asks for tangents before any tape around it has heard of the outputs. So the tangents are those
        of copies, which are made known first; and to those tapes the outputs are these copies then, so that what one
        decomposition sends back is judged as a whole.
        """
        copies = _copies(out)
        known: list[Any] = []

        def backward(*gout: Any) -> list[Any]:
            if known:
                return [*[None] * len(x), *gout]
            return [*pull(x, out, gout, how), *[None] * len(copies)]

        def forward(*d: Any) -> list[Any]:
            these = recorded(_copies(out) if known else copies, x, how)
            if record.should_record_backprop(these):  # a tape around the accumulator
                known.append(these)
            return list(rule.jvp(_xp, x, these, d[: len(x)], how))

        record.record_operation(rule.name, out, [*x, *copies], backward, forward)
        return tuple(out)

    def eager(x: Any, how: Any) -> tuple[Any, ...]:
        with record.stop_recording():
            out = primal(x, how)
        return recorded(out, x, how)

    def traced(x: Any, how: Any) -> tuple[Any, ...]:
        # An identity whose gradient is ours, and looks at nothing but its own inputs and outputs. What a closure holds
        # is out of scope when a tape outside the function differentiates twice.
        with record.stop_recording():
            out = primal(x, how)
            k = len(out)
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": registered(how)}):
                out = tf.identity_n([*out, *x])[:k]
        return recorded(out, x, how)

    def run(x: Any, how: Any) -> tuple[Any, ...]:
        return (eager if tf.executing_eagerly() else traced)(x, how)

    @lru_cache(maxsize=1024)
    def registered(how: Any) -> str:
        """The name of a gradient for the outputs of an identity of (outputs, inputs)."""
        name = f"eigengrad_{rule.name}_{next(_COUNT)}"

        @tf.RegisterGradient(name)  # type: ignore[untyped-decorator]
        def _(op: Any, *g: Any) -> Any:
            k = len(op.inputs) - rule.inputs
            return [*[None] * k, *pull(op.inputs[k:], op.outputs[:k], g[:k], how)]

        return name

    return lambda *args: run(tuple(args[:-1]), args[-1])


def _primal(rule: Rule, *args: Any) -> tuple[Any, ...]:
    return tuple(rule.primal(_branching, args[:-1], args[-1]))


def _copies(tensors: Any) -> list[Any]:
    with record.stop_recording():
        return [tf.identity(t) for t in tensors]


_COUNT = count()
ops.registered()  # a program that was saved with them can then be loaded

# What no derivative is taken of: with branches, and of rules no more than their numbers.
_branching = _Space(**vars(_xp) | {"choose": _branch, "half": graph.half})
_branching.small_eigh = partial(small.eigh, _branching)
_xp.small_pull = partial(small.pull, _xp, _tracked, graph.attach(_xp, _branching))
for _rule in RULES:
    setattr(_xp, _rule.name, _attach(_rule))
    setattr(_branching, _rule.name, partial(_primal, _rule))


# -- for auditing: any function of tensors, seen from NumPy -----------------------------------------------------------


def own_eigvalsh(a: Any) -> Any:
    """The eigenvalues as this framework computes and differentiates them; it returns complex ones for complex input."""
    return tf.math.real(tf.linalg.eigh(a)[0])


OWN_EIGVALSH = "tf.linalg.eigh"
#: Whether gradients of real losses by complex arrays come conjugated.
CONJUGATED = False


def evaluate(function: Callable[[Any], Any], a: Any) -> Any:
    """The values of a function, NumPy in and out."""
    return function(tf.constant(a)).numpy()


def pull(function: Callable[[Any], Any], a: Any, cotangent: Any) -> Any:
    """What this framework sends back through a function, NumPy in and out."""
    x = tf.constant(a)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, output_gradients=tf.constant(cotangent)).numpy()


def _bound(body: Any) -> Any:
    """Not to be rewritten by AutoGraph, which reads loops and branches of Python as those of a program."""
    return tf.autograph.experimental.do_not_convert(bind(body, _xp, __name__))


eigh = _bound(public.eigh)
eigvalsh = _bound(public.eigvalsh)
eigsh = _bound(public.eigsh)
block_diagonalize = _bound(public.block_diagonalize)
funm = _bound(public.funm)
sqrtm = _bound(public.sqrtm)
invsqrtm = _bound(public.invsqrtm)
logm = _bound(public.logm)
expm = _bound(public.expm)
signm = _bound(public.signm)
powm = _bound(public.powm)
projector = _bound(public.projector)
trace_funm = _bound(public.trace_funm)
logdet = _bound(public.logdet)
spectral = _bound(public.spectral)
directional_derivative = _bound(public.directional_derivative)
convert = _bound(public.convert)
detect = _bound(public.detect)
vech = _bound(public.vech)
unvech = _bound(public.unvech)
svec = _bound(public.svec)
unsvec = _bound(public.unsvec)
