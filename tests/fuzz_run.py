"""A case asked of a framework, through eigengrad or through the framework's own eigh, and the answer judged."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from fuzz_cases import FUNCTIONS, Case
from fuzz_oracle import Truth, Verdict, top
from harness import harness

from eigengrad.errors import DerivativeError

ORDER = (Verdict.WRONG, Verdict.REFUSED_WRONGLY, Verdict.REFUSED, Verdict.RIGHT)  # the worst first


class Answer(NamedTuple):
    verdict: Verdict
    ratio: float  # of the error to what is allowed
    said: str  # an error's text
    digits: bool = True  # whether two digits or more were asked for, of a right number


def gradient(case: Case, framework: str, own: bool) -> np.ndarray:
    """As NumPy and PyTorch have it: ∂L/∂Re + i ∂L/∂Im. Through its own eigh, the Hermitian part of it."""
    h = harness(framework)
    if own:
        x = h.array(case.a)
        g = h.numpy(h.reverse(lambda x: _own(case, h, framework, x), x))
    elif framework == "numpy":
        return _by_hand(case, h.eg)
    else:
        x = h.array(case.handed())
        g = h.numpy(h.reverse(lambda x: case.value(h.m, h.eg, x), x))
    g = np.conj(g) if framework in ("jax", "autograd") else g
    return (g + np.conj(np.swapaxes(g, -1, -2))) / 2 if own else g


def _own(case, h, framework, x):
    m, linalg = h.m, _linalg(h, framework)
    real = m.real if framework == "tensorflow" else lambda w: w
    if case.sees == "values" and hasattr(linalg, "eigvalsh") and framework != "autograd":
        return case.of_pairs(m, real(linalg.eigvalsh(x)), None)
    w, V = linalg.eigh(x)
    return case.of_pairs(m, real(w), V)


def _by_hand(case, eg):
    x, call = case.handed(), getattr(eg, case.call)
    C = case.scale * case.C
    if case.call in ("funm", "trace_funm"):
        unit = 1.0 / case.unit
        out, pullback = eg.vjp(call, x * x.real.dtype.type(unit), FUNCTIONS[case.f][2], case.UPLO)
        weight = np.array(case.scale, out.dtype) if case.sees == "values" else C
        return pullback(np.broadcast_to(weight, out.shape)) * unit
    if case.call == "projector":
        out, pullback = eg.vjp(call, x, *case.range, case.UPLO)
        return pullback(np.broadcast_to(C, out.shape))
    out, pullback = eg.vjp(call, x, case.UPLO, degenerate=case.degenerate)
    if case.call == "eigvalsh":
        return pullback(case.cotangents(out, None)[0])
    return pullback(case.cotangents(*out))


def judge(case: Case, framework: str, own: bool = False, truths: list[Truth] | None = None) -> Answer:
    """The worst over the matrices of a batch; an error refuses all, and is right where one of them may be refused."""
    truths = truths or [Truth(case, a) for a in case.a.reshape(-1, case.n, case.n)]
    said, g = "", None
    refusals: tuple[type[Exception], ...] = (Exception,) if own else (DerivativeError,)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            g = gradient(case, framework, own).reshape(-1, case.n, case.n)
        except refusals as error:
            said = f"{type(error).__name__}: {error}"
    signs = [1] * len(truths)
    if g is not None and case.sees == "component" and not case.complex_:
        signs = [1 if t.component(v) >= 0 else -1 for t, v in zip(truths, _vectors(case, framework, own), strict=True)]
    answers = [t.judge(None if g is None else g[k], not own, signs[k]) for k, t in enumerate(truths)]
    if g is None:
        verdict = Verdict.REFUSED if any(v is Verdict.REFUSED for v, _ in answers) else Verdict.REFUSED_WRONGLY
    else:
        verdict = min((v for v, _ in answers), key=ORDER.index)
    digits = verdict is not Verdict.RIGHT or any(t.may() or t.digits_asked or top(t.G) == 0 for t in truths)
    return Answer(verdict, max(r for _, r in answers), said, digits)


def _vectors(case: Case, framework: str, own: bool) -> np.ndarray:
    """The vectors that a loss sees, as the same function returns them."""
    h = harness(framework)
    if framework == "numpy":
        V = h.eg.vjp(h.eg.eigh, case.handed(), case.UPLO, degenerate=case.degenerate)[0][1]
    elif own:
        V = h.numpy(_linalg(h, framework).eigh(h.array(case.a))[1])
    else:
        V = h.numpy(h.eg.eigh(h.array(case.handed()), case.UPLO, degenerate=case.degenerate)[1])
    return V[..., :, case.c.index(1.0)].reshape(-1, case.n)


def _linalg(h, framework):
    of = {"torch": lambda: h.torch, "tensorflow": lambda: h.tf, "jax": lambda: h.jax.numpy, "autograd": lambda: h.anp}
    return of[framework]().linalg


def shrink(case: Case, framework: str) -> Case:
    """The simplest case found that is judged as badly."""
    worst = judge(case, framework).verdict
    changed = True
    while changed:
        changed = False
        for smaller in _simpler(case):
            try:
                same = judge(smaller, framework).verdict is worst
            except Exception:  # a step that makes no case
                continue
            if same:
                case, changed = smaller, True
                break
    return case


def _simpler(case: Case):
    if case.a.ndim > 2:
        for a in case.a.reshape(-1, case.n, case.n):
            yield case.but(a=a)
        return
    n = case.n
    for k in range(n if n > 1 else 0):  # without a row and its column
        keep = [i for i in range(n) if i != k]
        c = tuple(case.c[i] for i in keep)
        if case.sees == "values" or case.sees == "vectors" or 1.0 in c:
            yield case.but(a=case.a[np.ix_(keep, keep)], C=case.C[np.ix_(keep, keep)], c=c)
    if case.scale != 1.0:
        yield case.but(scale=1.0)
    if case.UPLO is not None:
        yield case.but(UPLO=None)
    if case.complex_:
        yield case.but(a=case.a.real.copy(), C=case.C.real.copy())
        if np.any(case.C.imag):
            yield case.but(C=case.C.real.astype(case.a.dtype))
    if case.unit != 1.0:
        unit = case.a.real.dtype.type(case.unit)
        yield case.but(a=case.a / unit, unit=1.0)
    for digits in (0, 1, 3):
        for name in ("C", "a"):
            x = getattr(case, name)
            y = x.round(digits)
            if not np.array_equal(x, y):
                yield case.but(**{name: y})
        c = tuple(round(v, digits) for v in case.c)
        if c != case.c:
            yield case.but(c=c)


def reproduce(case: Case, framework: str) -> str:
    """Code that shows it, to be run in tests/."""
    return "\n".join(
        (
            "import numpy as np",
            "from fuzz_cases import Case",
            "from fuzz_run import gradient, judge",
            f"case = {case.code()}",
            f"print(judge(case, {framework!r}))",
            f"print(gradient(case, {framework!r}, own=False))",
        )
    )
