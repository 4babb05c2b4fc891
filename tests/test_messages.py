"""Every message of an error is read here, file by file of the source; and says what to do."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from harness import harness
from messages import PACKAGE, by_file
from reports import report
from test_cli import bad_files

import eigengrad as eg
from eigengrad import cli, functions
from eigengrad.auditing import matrices, scorecard
from eigengrad.errors import EigengradError

A, D, I2 = np.array([[2.0, 1.0], [1.0, 3.0]]), np.diag([1.0, 2.0, 4.0]), np.eye(2)
SQUARE = (lambda x: x * x, lambda x: 2 * x)


def pull(function, a, cotangent, *args, **options):
    return eg.numpy.vjp(function, a, *args, **options)[1](cotangent)


def vectors(a, gV, **options):
    return pull(eg.eigh, a, (None, np.asarray(gV, complex if np.iscomplexobj(a) else float)), **options)


def broken_solver(name):
    """A framework whose solver says that it found nothing."""
    framework = harness(name)

    def ask():
        with pytest.MonkeyPatch.context() as patch:
            if name == "numpy":
                patch.setattr(np.linalg, "eigh", raises(np.linalg.LinAlgError("no convergence")))
            elif name == "torch":
                patch.setattr(framework.torch.linalg, "eigh", raises(framework.torch.linalg.LinAlgError("no")))
            else:
                error = framework.tf.errors.InvalidArgumentError(None, None, "no convergence")
                patch.setattr(framework.tf.linalg, "eigh", raises(error))
            framework.eg.eigh(framework.array(A))

    return ask


def raises(error):
    def function(*_):
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


#: What makes each message appear, by the file it stands in. Those of the command line are run in a folder of bad files.
TRIGGERS = {
    "conventions.py": [
        lambda: eg.convert(A, "lower", "left"),
        lambda: eg.convert(np.ones(3), "lower", "symmetric"),
        lambda: eg.convert(np.float64(1.0), "vech", "symmetric"),
        lambda: eg.convert(A, "lower", "symmetric"),
        lambda: eg.detect(np.ones((2, 2, 2))),
        lambda: eg.detect(A, D),
    ],
    "errors.py": [broken_solver, torch_gradient_in_closure, lambda: eg.eigh(A, b=-I2)],
    "frameworks.py": [
        lambda: eg.eigh("text"),
        two_frameworks,
        lambda: eg.eigh([harness("torch").torch.ones(2)]),
    ],
    "functions/base.py": [lambda: functions.Power(np.ones(2))],
    "functions/exponential.py": [
        lambda: functions.Fermi().differences(eg.numpy._xp, [np.ones(1)] * 5, np.ones(1), [np.zeros(1), np.ones(1)])
    ],
    "functions/own.py": [lambda: pull(eg.funm, A, A, (lambda x: x * x,))],
    "jax.py": [
        lambda: harness("jax").eg.eigh(A),
        of("jax", lambda h: h.jax.numpy.ones((2, 2), dtype=bool)),
    ],
    "namespace.py": [
        lambda: eg.numpy.vjp(eg.funm, A, lambda x: x * x)[1](A),
        lambda: eg.numpy.vjp(eg.spectral, A, lambda w: np.sum(w, -1))[1](1.0),
        lambda: eg.eigh(np.ones((2, 2), bool)),
        lambda: eg.eigh([[1.0, 2.0], [3.0]]),
        lambda: eg.eigh(np.ma.masked_array(I2, I2 > 0)),
        lambda: eg.numpy.eigh("text"),
    ],
    "numpy.py": [
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
    "public/eigen.py": [
        lambda: eg.directional_derivative(A, D),
        lambda: eg.block_diagonalize(A, (2,)),
    ],
    "public/functions.py": [lambda: eg.powm(A, "2")],
    "public/sums.py": [
        lambda: eg.spectral(A, 3),
        lambda: eg.spectral(np.ones((0, 0)), (lambda w: np.sum(w, -1),)),
        lambda: eg.projector(A, 0, 3),
        lambda: eg.projector(A, 0, 1.5),
    ],
    "reading.py": [lambda: eg.unvech(np.ones(4)), lambda: eg.eigh(A, "lower")],
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
    ],
    "rules/slopes.py": [
        lambda: third(lambda h, x: h.eg.directional_derivative(x, h.array(D))),
    ],
    "rules/spectral.py": [lambda: third(lambda h, x: h.eg.spectral(x, lambda w: (w**4).sum(-1)))],
    "tensorflow/__init__.py": [
        lambda: harness("tensorflow").eg.eigh(A),
        of("tensorflow", lambda h: h.tf.ones((2, 2), h.tf.bool)),
    ],
    "torch.py": [
        lambda: harness("torch").eg.eigh(A),
        of("torch", lambda h: h.torch.ones(2, 2, dtype=h.torch.bool)),
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
        ["several.npz", "--key", "c"],
        ["words.csv", "--key", "c"],
        "memory",
    ],
    "cli.py": [
        ("explain", "-", "-"),
        ("explain", "fine.npy", "fine.npy", "--json", "fine.npy"),
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
    r"\b(add|call|cast|choose|compute|convert|cut|differentiate|divide|fill|give|hand|keep|let|look|make|move|name|remove|"
    r"stack|take|use)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("file", by_file())
def test_a_message_says_what_to_do(file):
    for template in by_file()[file]:
        assert DO.search(template.replace("\\", "")) or "{do}" in (PACKAGE / file).read_text(), template
