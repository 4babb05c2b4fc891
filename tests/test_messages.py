"""Every message of an error is read here, file by file of the source; and says what to do."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
import scipy.sparse as sp
from harness import harness
from messages import PACKAGE, by_file
from reports import report
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from test_cli import bad_files

import eigengrad as eg
from eigengrad import cli, functions
from eigengrad.auditing import matrices, scorecard
from eigengrad.errors import EigengradError
from eigengrad.solvers import Krylov, Options
from eigengrad.solvers.search import Further, Search

A, D, I2 = np.array([[2.0, 1.0], [1.0, 3.0]]), np.diag([1.0, 2.0, 4.0]), np.eye(2)
SQUARE = (lambda x: x * x, lambda x: 2 * x)
UNEVEN = sp.diags_array(np.where(np.arange(70) == 1, 1e-20, 1.0))


def pull(function, a, cotangent, *args, **options):
    return eg.numpy.vjp(function, a, *args, **options)[1](cotangent)


def vectors(a, gV, **options):
    return pull(eg.eigh, a, (None, np.asarray(gV, complex if np.iscomplexobj(a) else float)), **options)


def broken_solver(name):
    """A framework whose solver says that it found nothing."""
    framework = harness(name)

    def trigger():
        with pytest.MonkeyPatch.context() as patch:
            if name == "numpy":
                patch.setattr(np.linalg, "eigh", raises(np.linalg.LinAlgError("no convergence")))
            elif name == "torch":
                patch.setattr(framework.torch.linalg, "eigh", raises(framework.torch.linalg.LinAlgError("no")))
            else:
                error = framework.tf.errors.InvalidArgumentError(None, None, "no convergence")
                patch.setattr(framework.tf.linalg, "eigh", raises(error))
            # A small one would need no solver, and step by step TensorFlow's is NumPy's.
            ask = framework.tf.function(framework.eg.expm) if name == "tensorflow" else framework.eg.eigh
            ask(framework.array(np.diag(np.arange(70.0))))

    return trigger


def raises(error):
    def function(*_, **__):
        raise error

    return function


def torch_gradient_in_closure():
    torch = harness("torch").torch
    c = torch.ones(2, requires_grad=True)
    return harness("torch").eg.funm(torch.eye(2), lambda x: x * c.sum())


def third(function):
    """The third derivative of a sum, in torch."""
    h = harness("torch")
    x = h.array(D).clone().requires_grad_()
    y = function(h, x)
    for _ in range(4):
        (y,) = h.torch.autograd.grad(y.sum(), x, create_graph=True)


def different_devices():
    h = harness("torch")
    return h.eg.directional_derivative(h.torch.eye(2), h.torch.eye(2, device="meta"))


def two_frameworks():
    h = harness("torch")
    return eg.funm(h.torch.eye(2), functions.Power(2), args=(harness("tensorflow").tf.ones(()),))


def two_modules():
    """A loss whose module has imported two frameworks."""
    both = {"t": harness("torch").torch, "j": harness("jax").jax}
    return FunctionType((lambda a: a).__code__, both)


def of(name, argument):
    return lambda: harness(name).eg.eigh(argument(harness(name)))


def chain(n=70):
    """The second difference: -1, 2, -1."""
    return sp.diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csr")


def few(k=2, of=None, **options):
    """The k pairs of the chain, or of another matrix."""
    return lambda: eg.eigsh(chain() if of is None else of, k, **options)


def operator(product, n=70):
    return LinearOperator((n, n), matvec=product, rmatvec=product, dtype=float)


def scaled(name, f=lambda x, p: p * x, **options):
    """The pairs of diag(1, …, 9), as of a function."""
    h = harness(name)
    return h.eg.eigsh(f, 2, **{"params": (h.array(np.arange(1.0, 10.0)),), "n": 9, **options})


def gradient_of(loss, A, k, **options):
    """What comes back to a sparse matrix, of a loss of the eigenvectors with a constant cotangent."""
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, k, **options)
    return pullback((None, np.broadcast_to(loss, V.shape)))


def closure():
    torch = harness("torch").torch
    q = torch.ones(9, dtype=torch.float64, requires_grad=True)
    return scaled("torch", lambda x, p: p * q * x)


def torch_vmap():
    h = harness("torch")
    return h.torch.func.vmap(lambda p: scaled("torch", params=(p,))[0])(h.torch.ones(2, 9))


def twice_by_a_sparse_tensor():
    torch = harness("torch").torch
    a = torch.diag(torch.tensor([1.0, 2.0, 3.0])).to_sparse().requires_grad_()
    torch.autograd.grad(eg.eigsh(a, 3 - 1)[0].sum(), a, create_graph=True)


def of_unknown_shape(function, shape):
    tf = harness("tensorflow").tf
    return tf.function(function, autograph=False, input_signature=[tf.TensorSpec(shape, tf.float64)])(
        tf.ones([3] * len(shape or "ab"), tf.float64)
    )


def traced_by_torch():
    torch = harness("torch").torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that torch.jit is deprecated
        torch.jit.trace(lambda d: eg.eigsh(torch.diag(d).to_sparse(), 1).eigenvalues, torch.ones(3), check_trace=False)


def complex_csr():
    torch = harness("torch").torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says once that its CSR tensors are in beta
        A = torch.eye(3, dtype=torch.complex128).to_sparse_csr()
    return eg.eigsh(A.requires_grad_(), 1)


def in_jax(transform, f, *x):
    """A transformation of JAX around eigsh."""
    jax = harness("jax").jax
    return getattr(jax, transform)(f)(*(jax.numpy.asarray(v) for v in x))


def jax_pattern():
    from jax.experimental import sparse

    return in_jax("jit", lambda d: eg.eigsh(sparse.BCOO.fromdense(d, nse=9), 1).eigenvalues, np.eye(3))


def traced_start():
    from jax.experimental import sparse

    A = sparse.BCOO.fromdense(harness("jax").jax.numpy.eye(3))
    return in_jax("jit", lambda v: eg.eigsh(A, 1, v0=v).eigenvalues, np.ones(3))


def in_tensorflow(f, x, **options):
    """In a traced function; not through AutoGraph, which wraps errors."""
    tf = harness("tensorflow").tf
    return tf.function(f, autograph=False, **options)(tf.constant(x))


def tensorflow_pattern():
    tf = harness("tensorflow").tf
    return in_tensorflow(lambda d: eg.eigsh(tf.sparse.from_dense(d), 1).eigenvalues, np.eye(3))


def tensorflow_compiled():
    tf = harness("tensorflow").tf
    identity = [[i, i] for i in range(3)]
    return in_tensorflow(
        lambda v: eg.eigsh(tf.SparseTensor(identity, v, (3, 3)), 1).eigenvalues, np.ones(3), jit_compile=True
    )


def outside():
    tf = harness("tensorflow").tf
    return eg.eigsh(tf.SparseTensor([[0, 9]], [1.0], (5, 5)), 2)


def sparse_box():
    autograd = harness("autograd").autograd
    return autograd.grad(lambda p: eg.eigsh(p * np.eye(3), 1)[0][0])(2.0)


def never_complete():
    """A search that always finds a pair before the cut."""
    found = Further(np.zeros(1), np.eye(70)[:, :1], np.zeros(1), np.array([True]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Search, "behind", lambda *_: found)
        eg.eigsh(chain(), 2)


def overflowing():
    """An iteration whose small matrix is not finite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.linalg, "eigh", raises(np.linalg.LinAlgError("no convergence")))
        eg.eigsh(chain(), 2)


#: Warnings that a framework gives once.

#: What makes each message appear, by the file it stands in. Those of the command line are run in a folder of bad files.
TRIGGERS = {
    "conventions.py": [
        lambda: eg.convert(A, "lower", "left"),
        lambda: eg.convert(np.ones(3), "lower", "symmetric"),
        lambda: eg.convert(np.float64(1.0), "vech", "symmetric"),
        lambda: eg.convert(A, "lower", "symmetric"),
        lambda: eg.detect(np.ones((2, 2, 2))),
        lambda: eg.detect(A, D),
        lambda: eg.detect(A, truth=1.0),
    ],
    "autograd.py": [sparse_box],
    "errors.py": [
        broken_solver,
        torch_gradient_in_closure,
        lambda: eg.eigh(A, b=-I2),
        overflowing,
        *(few(M=M, sigma=sigma) for sigma in (None, 0.3) for M in (-chain(), chain() - sp.eye_array(70), 0 * chain())),
        few(of=chain(9), M=chain(9) - sp.eye_array(9)),
    ],
    "frameworks.py": [
        lambda: eg.eigh("text"),
        two_frameworks,
        lambda: eg.eigh([harness("torch").torch.ones(2)]),
    ],
    "functions/base.py": [
        lambda: functions.Power(np.ones(2)),
        lambda: functions.Scaled(2, np.exp),
        lambda: eg.funm(A, functions.Derivative(functions.Fermi()), args=(0.0, 1.0)),
    ],
    "functions/powers.py": [lambda: functions.Polynomial(2.0)],
    "functions/steps.py": [
        lambda: eg.projector(A, 0, 1.5),
        lambda: functions.Band(-1, 2),
    ],
    "functions/exponential.py": [
        lambda: functions.Fermi().differences(eg.numpy._xp, [np.ones(1)] * 5, np.ones(1), [np.zeros(1), np.ones(1)])
    ],
    "functions/own.py": [lambda: pull(eg.funm, A, A, (lambda x: x * x,))],
    "jax/host.py": [
        lambda: in_jax("vmap", lambda p: scaled("jax", params=(p,)).eigenvalues, np.ones((2, 9))),
        lambda: in_jax("jit", lambda p: scaled("jax", params=(p,)).eigenvalues, np.ones(9)),
        lambda: harness("jax").eg.eigh(A),
        of("jax", lambda h: h.jax.numpy.ones((2, 2), dtype=bool)),
        lambda: eg.eigsh(harness("jax").jax.numpy.eye(3), 1),
        jax_pattern,
    ],
    "calculus.py": [
        lambda: eg.numpy.vjp(eg.funm, A, lambda x: x * x)[1](A),
        lambda: eg.numpy.vjp(eg.spectral, A, lambda w: np.sum(w, -1))[1](1.0),
        lambda: scaled("numpy"),
        lambda: eg.spectral(A, lambda w: harness("torch").torch.ones(3)),
    ],
    "namespace.py": [
        lambda: eg.eigh(np.ones((2, 2), bool)),
        lambda: eg.eigh([[1.0, 2.0], [3.0]]),
        lambda: eg.eigh(np.ma.masked_array(I2, I2 > 0)),
        lambda: eg.numpy.eigh("text"),
    ],
    "numpy/__init__.py": [
        lambda: eg.numpy.hvp(eg.eigsh, aslinearoperator(chain()), chain(), (None, None), 2),
    ],
    "operands.py": [
        lambda: eg.eigsh(np.eye(3), 1),
        lambda: eg.numpy.jvp(eg.eigsh, chain(), aslinearoperator(chain()), 2),
        lambda: eg.numpy.jvp(eg.eigsh, chain(), 1j * chain(), 2),
        lambda: eg.numpy.jvp(eg.eigsh, chain(), chain(71), 2),
    ],
    "numpy/tape.py": [
        lambda: eg.numpy.vjp(eg.eigsh, chain(), 2)[1](([[1.0], [1.0, 2.0]], None)),
        lambda: eg.numpy.vjp(np.linalg.eigh, A),
        lambda: pull(eg.eigvalsh, A, np.ones(2) * 1j),
        lambda: pull(eg.eigvalsh, A, np.ones(3)),
        lambda: pull(eg.eigh, A, (None, None, None)),
        lambda: eg.numpy.jvp(eg.eigh, A, A, db=A),
    ],
    "public/arguments.py": [
        lambda: eg.funm(A, functions.Fermi(), args=(0.0, 0.0)),
        lambda: eg.funm(A, functions.Fermi(), args=(np.ones(3), 1.0)),
        lambda: eg.funm(A, functions.Fermi(), args=(1j, 1.0)),
        lambda: eg.funm(A, lambda x: x * 1j),
        lambda: eg.funm(A, functions.Power),
        lambda: eg.projector(A, 0, 3),
        lambda: eg.funm(A, lambda x: np.ones(())),
        lambda: eg.funm(A, functions.Fermi()),
        lambda: eg.funm(A, functions.Fermi(), args=1.0),
        lambda: eg.funm(A, 3),
        lambda: eg.funm(A, functions.Fermi(), args=("a", 1.0)),
    ],
    "public/binding.py": [
        lambda: eg.eigh(A, degenerate="never"),
        lambda: eg.eigh(np.ones(2)),
        lambda: eg.eigh(np.diag([1.0, np.inf])),
        lambda: eg.eigh(np.ones((2, 3))),
        lambda: eg.eigh(A, b=I2.astype(np.float32)),
        lambda: eg.eigh(A, b=np.stack([I2, I2])),
        different_devices,
    ],
    "public/actions.py": [
        few(of=lambda x: x, n=9),
        few(of=lambda x: x, n=9, params=1.0),
        lambda: scaled("torch", M=chain(9)),
        lambda: scaled("torch", n=9.0),
        lambda: scaled("torch", dtype="text"),
        lambda: scaled("torch", dtype="float16"),
        lambda: scaled("torch", lambda x, p: (p * x)[1:]),
        lambda: scaled("torch", lambda x, p: (p * x).float()),
        closure,
    ],
    "public/blocks.py": [lambda: eg.block_diagonalize(A, (2,))],
    "public/eigen.py": [
        lambda: eg.directional_derivative(A, D),
        lambda: eg.directional_derivative(A, 1j * A),
        lambda: eg.eigh(A, subset_by_index=(0, 2)),
        lambda: eg.eigh(A, subset_by_index=(0.0, 1.0)),
    ],
    "public/few.py": [
        few(M=chain().astype(np.float32)),
        few(M=chain(71)),
        few(M=aslinearoperator(chain())),
        few(n=70),
        traced_start,
    ],
    "public/functions.py": [lambda: eg.powm(A, "2")],
    "public/sums.py": [
        lambda: eg.spectral(A, 3),
        lambda: eg.spectral(np.ones((0, 0)), (lambda w: np.sum(w, -1),)),
    ],
    "reading.py": [
        lambda: eg.unvech(np.ones(4)),
        lambda: eg.eigh(A, "lower"),
        lambda: of_unknown_shape(eg.vech, [None, None]),
        lambda: of_unknown_shape(eg.unvech, [None]),
    ],
    "rules/domain.py": [
        lambda: eg.funm(np.diag([1.0, 0.0]), (lambda x: 1 / x,)),
        lambda: eg.logm(-I2),
        lambda: eg.projector(I2, 0, 1),
        lambda: eg.eigh(np.full((2, 2), 1.5e308)),
        lambda: pull(eg.sqrtm, np.diag([0.0, 0.0, 1.0]), np.ones((3, 3))),
    ],
    "rules/frechet.py": [lambda: third(lambda h, x: h.eg.expm(x).sum())],
    "rules/refusal.py": [
        lambda: pull(eg.eigvalsh, I2, np.array([1.0, 0.0]), degenerate="raise"),
        lambda: eg.numpy.hvp(eg.eigh, I2, A, (np.ones(2), None), dcotangent=(np.array([1.0, 2.0]), None)),
        lambda: vectors(I2, [[1.0, 0.0], [0.0, 0.0]]),
        lambda: vectors(A + 0j, [[1.0, 0.0], [0.0, 0.0]]),
        lambda: eg.numpy.hvp(eg.eigh, I2, A, (None, A), degenerate="split"),
        lambda: gradient_of(np.ones((3, 1)), sp.eye_array(3), 1),
        lambda: eg.numpy.hvp(eg.eigvalsh, I2, A, np.array([1.0, 2.0])),
    ],
    "rules/slopes.py": [
        lambda: third(lambda h, x: h.eg.directional_derivative(x, h.array(D))),
    ],
    "rules/spectral.py": [lambda: third(lambda h, x: h.eg.spectral(x, lambda w: (w**4).sum(-1)))],
    "solvers/engine.py": [few(maxiter=1)],
    "solvers/factor.py": [
        few(of=UNEVEN, M=UNEVEN, sigma=0.5),
        few(M=sp.csr_array(sp.block_diag([np.array([[1.0, 1 - 1e-13], [1 - 1e-13, 1.0]])] * 35))),
    ],
    "solvers/full.py": [
        lambda: Krylov(sp.eye_array(9), None, Options(1)).complement(np.ones(1), np.eye(9)[:, :1], np.eye(9)[:, 1:2]),
        few(of=chain(9), M=sp.diags_array(np.where(np.arange(9) == 1, 1e-14, 1.0))),
    ],
    "solvers/krylov.py": [few(sigma=1e9), never_complete],
    "solvers/options.py": [
        few(0),
        few(which="XX"),
        few(sigma=np.nan),
        few(ncv=1),
        few(tol=-1.0),
        few(rng="a seed"),
        few(v0=np.ones(3)),
        few(v0=np.zeros(70)),
        few(v0=np.full(70, 1j)),
        few(OPinv=chain()),
        few(Minv=chain()),
        few(sigma=0.1, preconditioner=chain()),
        few(sigma=0.1, OPinv="inverse"),
        few(sigma=0.1, OPinv=np.eye(3)),
        few(of=aslinearoperator(chain()), sigma=0.1),
        few(of=aslinearoperator(chain()), M=aslinearoperator(chain())),
    ],
    "solvers/pattern.py": [few(of=sp.csr_array(np.ones((2, 3)))), outside],
    "solvers/pencil.py": [few(of=chain() * np.nan), few(sigma=0.1, OPinv=np.eye(70))],
    "solvers/product.py": [
        few(of=operator(lambda x: x[1:])),
        few(of=operator(lambda x: 1j * x)),
        few(of=operator(lambda x: np.nan * x)),
        few(of=operator(lambda x: np.roll(x, 1))),
        few(sigma=0.1, OPinv=lambda x: x[1:]),
    ],
    "solvers/projected.py": [
        lambda: gradient_of(np.arange(70.0)[:, None], chain(), 2, preconditioner=-np.eye(70)),
    ],
    "tensorflow/host.py": [
        lambda: harness("tensorflow").eg.eigh(A),
        lambda: of_unknown_shape(eg.eigh, None),
        of("tensorflow", lambda h: h.tf.ones((2, 2), h.tf.bool)),
        lambda: eg.eigsh(harness("tensorflow").tf.eye(3), 1),
        tensorflow_pattern,
        tensorflow_compiled,
    ],
    "torch/__init__.py": [torch_vmap],
    "torch/host.py": [
        lambda: harness("torch").eg.eigh(A),
        lambda: eg.expm(harness("torch").torch.eye(3).to_sparse()),
        of("torch", lambda h: h.torch.ones(2, 2, dtype=h.torch.bool)),
        lambda: eg.eigsh(harness("torch").torch.eye(3), 1),
        traced_by_torch,
        complex_csr,
        twice_by_a_sparse_tensor,
    ],
    "auditing/compare.py": [["--index", "9"]],
    "auditing/picture.py": [["--plot", "x.png"], lambda: report().png()],
    "auditing/audit.py": [
        lambda: eg.audit(lambda a: 1e12 + np.trace(a), I2, gradient=I2),
        lambda: eg.audit(lambda a: np.linalg.eigvalsh(a)[0], np.diag([1.0, 1.0 + 1e-12, 3.0]), gradient=np.eye(3)),
    ],
    "auditing/causes.py": [
        lambda: eg.explain(I2, I2, np.full((2, 2), 1.7e308)),
        lambda: eg.explain(np.ones(3), np.ones(6)),
        lambda: eg.explain(I2, D),
        lambda: eg.explain(I2, np.ones((2, 1))),
    ],
    "auditing/explain.py": [
        lambda: eg.explain([[1.0, 2.0], [3.0]], I2),
        lambda: eg.explain(np.array([["a"]]), I2),
        lambda: eg.explain(np.ones((2, 2, 2)), I2),
        lambda: eg.explain(I2, I2, np.ones((2, 3))),
        lambda: eg.explain(I2, I2, np.diag([1.0, np.nan])),
    ],
    "auditing/loading.py": [
        ("audit", "absent_module:f", "fine.npy"),
        ("audit", "broken_module:f", "fine.npy"),
        ("audit", "a_module:fails", "fine.npy"),
        ("audit", "a_module:none", "fine.npy"),
        ("audit", "a_module.py:f", "fine.npy"),
        ("audit", "a_module", "fine.npy"),
        ("audit", "a_module:number", "fine.npy"),
    ],
    "auditing/referee.py": [
        lambda: eg.audit(np.trace, I2),
        lambda: eg.audit(np.trace, I2, gradient=np.eye(3)),
        lambda: eg.audit(two_modules(), I2),
        lambda: eg.audit(np.diag, I2, gradient=I2),
        lambda: eg.audit(np.trace, I2, framework="julia"),
    ],
    "auditing/scorecard.py": [
        lambda: scorecard.show("sum", "julia"),
        lambda: scorecard.show("absent"),
    ],
    "auditing/matrices.py": [
        ("explain", "cube.npy", "cube.npy"),
        ("explain", "large.npy", "large.npy"),
        *([name] for name in ("absent.npy", "unknown.dat", "nan.npy", "rectangle.npy", "large.npy", "vector.npy")),
        *([name] for name in ("empty.npy", "text.npy", "words.csv", "large.mtx", "several.npz", "none.npz")),
        ["nothing.txt"],
        ["huge.txt"],
        ["vast.npz"],
        "closed",
        ["several.npz", "--key", "c"],
        ["words.csv", "--key", "c"],
        "memory",
    ],
    "cli.py": [
        ("explain", "-", "-"),
        ("explain", "fine.npy", "fine.npy", "--json", "fine.npy"),
        ("audit", "a_module:fails", "fine.npy", "--json", "a_module.py"),
        ("explain", "fine.npy", "fine.npy", "--json", "-"),
        ("explain", "fine.npy", "fine.npy", "--key", "a"),
        "full disk",
        "no permission",
        ["--json", "absent/x"],
        ["--json", "."],
        ["--frameworks", "none"],
        ["--json", "x.png", "--plot", "x.png"],
        ["--json", ""],
        ["--key", "a"],
        ["--plot", "x.jpg"],
    ],
}


def said(trigger, folder, monkeypatch, capsys):
    """The message that a trigger brings out."""
    if isinstance(trigger, tuple):
        assert cli.main(trigger) in (2, 3)
        return capsys.readouterr().err.splitlines()[-1].removeprefix("eigengrad: ")
    if callable(trigger):
        with pytest.raises(EigengradError) as info:
            trigger()
        return str(info.value)
    if trigger == "memory":
        monkeypatch.setattr(matrices, "_parse", raises(MemoryError()))
        trigger = ["rectangle.npy"]
    if trigger == "closed":
        monkeypatch.setattr(sys, "stdin", None)
        trigger = ["-"]
    if trigger == "full disk":
        monkeypatch.setattr(cli.Path, "chmod", raises(OSError(28, "No space left on device")))
        trigger = ["--json", "x.json"]
    if trigger == "no permission":
        monkeypatch.setattr(cli.os, "access", lambda *_: False)
        trigger = ["--json", "x.json"]
    if trigger == ["--plot", "x.png"]:
        monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    if trigger == ["huge.txt"]:
        Path("huge.txt").write_bytes(b"1" * (matrices.LARGEST_FILE + 1))
    if trigger == ["vast.npz"]:
        np.savez_compressed("vast.npz", a=np.zeros(matrices.LARGEST_FILE // 8 + 1))
    only = [] if "--frameworks" in trigger else ["--frameworks", "numpy"]
    assert cli.main(["compare", *trigger, *only]) == 2
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    return capsys.readouterr().err.removeprefix("eigengrad: ").removesuffix("\n")


@pytest.mark.parametrize("file", by_file())
def test_every_message_is_read(file, tmp_path, monkeypatch, capsys):
    bad_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    np.save("cube.npy", np.ones((2, 2, 2)))
    np.save("fine.npy", np.eye(2))
    Path("broken_module.py").write_text("1 / 0\n")
    Path("a_module.py").write_text("number = 3\ndef fails(a):\n    return 1 / 0\n")
    triggers = [t for t in TRIGGERS[file] if t is not broken_solver]
    if len(triggers) < len(TRIGGERS[file]):
        triggers += [broken_solver(name) for name in ("numpy", "torch", "tensorflow")]
    heard = [said(t, tmp_path, monkeypatch, capsys) for t in triggers]
    for template in by_file()[file]:
        assert any(re.search(template, text, re.DOTALL) for text in heard), f"nothing says {template!r}: {heard}"
    for text in heard:
        assert any(re.search(template, text, re.DOTALL) for template in by_file()[file]), f"unknown: {text}"


def test_the_list_of_files_is_whole():
    assert set(TRIGGERS) == set(by_file())


DO = re.compile(
    r"can be|must|needs|takes|there are|has 0 to|tells|names|pip install|if it|"
    r"\b(add|call|cast|choose|compute|convert|cut|differentiate|divide|fill|give|hand|keep|leave|let|look|make|move|name|remove|"
    r"stack|take|use)\b",
    re.IGNORECASE,
)


EVERYWHERE = by_file() | by_file(distributed=True)


@pytest.mark.parametrize("file", EVERYWHERE)
def test_a_message_says_what_to_do(file):
    for template in EVERYWHERE[file]:
        assert DO.search(template.replace("\\", "")) or "{do}" in (PACKAGE / file).read_text(), template
