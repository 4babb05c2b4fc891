"""The traps of the scorecard: what is asked, why it has an answer or none, and the lines that ask it.

A trap is a program. Its first lines are those of a framework (prologues.py); the others, here, are the same for all. It
ends with `truth`, in closed form, None where there is none, and `found`. What `--show` prints is what is run.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

from . import prologues


@dataclass(frozen=True)
class Trap:
    """One question."""

    name: str
    title: str
    why: str  # there is an answer, or none
    setup: str  # up to `truth`
    found: str  # an expression
    #: What a refusal is here: right, where there is no answer; accepted, where there is one that a rule for `eigh`
    #: cannot know, or need not, since a function of the matrix gives it; a miss, where there is one.
    refusal: Literal["right", "accepted", "a miss"] = "a miss"
    tolerance: float = 1e-6  # of the relative error, for "right"
    conventional: bool = False  # right along symmetric directions is a grade of its own


_C = "C = np.array([[0.0, 1.0, -2.0], [1.0, 0.0, 3.0], [-2.0, 3.0, 0.0]])"
_E = "E = np.array([[1.0, 2.0, 0.0], [2.0, -1.0, 1.0], [0.0, 1.0, 3.0]])"
_MIRROR = """\
u = np.array([1.0, 2.0, 3.0])
H = np.eye(3) - 2 * np.outer(u, u) / (u @ u)  # orthogonal"""
_SPACE = """\
def loss(a):
    V = eigh(a)[1][:, :2]
    return total(array(C) * (V @ transpose(V)))"""
_ONE = """\
def loss(a):
    v = eigh(a)[1][:, :1]
    return total(array(C) * (v @ transpose(v)))"""
_CLOSED = """\
w, V = np.linalg.eigh(np.asarray(A, dtype=float))
P, S = np.outer(V[:, 0], V[:, 0]), V[:, 1:] / (w[0] - w[1:]) @ V[:, 1:].T
truth = S @ C @ P + P @ C @ S"""
_BASIS = (
    "A basis of the space of an eigenvalue that is repeated is the solver's free choice, and so is its first vector: "
)

TRAPS = (
    Trap(
        "sum",
        "Σ wᵢ³ at equal eigenvalues",
        "Σ wᵢ³ = tr A³ is smooth, and its gradient is 3 A², also where all eigenvalues are equal.",
        "A = np.eye(3)\ntruth = 3 * A @ A",
        "hermitian(grad(lambda a: total(eigvalsh(a) ** 3), A))",
    ),
    Trap(
        "convention",
        "one eigenvalue of an array that is not symmetric, entry by entry",
        "A function of n² entries has n² derivatives, and which ones depends on the entries that it reads: both "
        "triangles, (A + Aᵀ)/2, or one. With v of the matrix that the value shows to be read, the gradient is v "
        "vᵀ, or its triangle with off-diagonals doubled. v vᵀ where one triangle is read is right along symmetric"
        " directions alone.",
        """\
A = np.array([[2.0, 1.0, 0.0], [3.0, 5.0, 1.0], [1.0, 2.0, 9.0]])
w = value(lambda a: eigvalsh(a)[0], A)
both, lower, upper = (A + A.T) / 2, np.tril(A) + np.tril(A, -1).T, np.triu(A) + np.triu(A, 1).T
read = min((both, lower, upper), key=lambda X: abs(np.linalg.eigvalsh(X)[0] - w))
v = np.linalg.eigh(read)[1][:, 0]
G = np.outer(v, v)
truth = G if read is both else np.tril(G) + np.tril(G, -1) if read is lower else np.triu(G) + np.triu(G, 1)""",
        "grad(lambda a: eigvalsh(a)[0], A)",
        conventional=True,
    ),
    Trap(
        "complex",
        "one eigenvalue of a complex Hermitian matrix",
        "The eigenvalue is simple, and its gradient is v vᴴ (or the conjugate, where a framework documents that: "
        "it is turned back).",
        """\
A = np.array([[2.0, 1j, 0.0], [-1j, 5.0, 1 + 1j], [0.0, 1 - 1j, 9.0]])
v = np.linalg.eigh(A)[1][:, 0]
truth = np.outer(v, v.conj())""",
        "hermitian(grad(lambda a: real(eigh(a)[0][0]), A))",
    ),
    Trap(
        "space",
        "the space of an eigenvalue that is repeated",
        "V Vᵀ of the two vectors with eigenvalue 1 is the projector P on their space, which is smooth: only the "
        "gap to 3 enters. With Q = 1 - P the gradient of ⟨C, P⟩ is (P C Q + Q C P)/(1 - 3).",
        f"""\
{_C}
P, Q = np.diag([1.0, 1.0, 0.0]), np.diag([0.0, 0.0, 1.0])
A = 1 * P + 3 * Q


{_SPACE}


truth = (P @ C @ Q + Q @ C @ P) / (1 - 3)""",
        "hermitian(grad(loss, A))",
    ),
    Trap(
        "space-rotated",
        "the space of an eigenvalue that rounding has split",
        "The matrix of `space` in another orthonormal basis H. Rounding takes its two equal eigenvalues apart by "
        "some 1e-16; the projector and its gradient do not feel that.",
        f"""\
{_C}
{_MIRROR}
P, Q = H @ np.diag([1.0, 1.0, 0.0]) @ H, H @ np.diag([0.0, 0.0, 1.0]) @ H
A = hermitian(1 * P + 3 * Q)


{_SPACE}


truth = (P @ C @ Q + Q @ C @ P) / (1 - 3)""",
        "hermitian(grad(loss, A))",
    ),
    Trap(
        "one-vector",
        "one vector of an eigenvalue that is repeated",
        f"{_BASIS}there is no derivative, and any number is wrong.",
        f"{_C}\nA = np.diag([1.0, 1.0, 3.0])\n\n\n{_ONE}\n\n\ntruth = None",
        "hermitian(grad(loss, A))",
        refusal="right",
    ),
    Trap(
        "one-vector-rotated",
        "one vector of an eigenvalue that rounding has split",
        f"{_BASIS}where rounding has split the eigenvalue the choice is that of the last bits, and any number is "
        "wrong.",
        f"{_C}\n{_MIRROR}\nA = hermitian(H @ np.diag([1.0, 1.0, 3.0]) @ H)\n\n\n{_ONE}\n\n\ntruth = None",
        "hermitian(grad(loss, A))",
        refusal="right",
    ),
    Trap(
        "phase",
        "Re V[0, 0] of a complex matrix",
        "A complex eigenvector is free up to a phase, which the solver chooses. Re V[0, 0] depends on it: there "
        "is no derivative, and any number is wrong.",
        "A = np.array([[2.0, 1j, 0.0], [-1j, 5.0, 1 + 1j], [0.0, 1 - 1j, 9.0]])\ntruth = None",
        "hermitian(grad(lambda a: real(eigh(a)[1][0, 0]), A))",
        refusal="right",
    ),
    Trap(
        "root-through-eigh",
        "V √w Vᵀ at 4·1",
        "⟨C, √A⟩ is smooth, and its gradient at 4·1 is C/4. Through `eigh` no rule can know it "
        "(docs/impossible.md): a refusal is accepted, a number is right or wrong.",
        f"""\
{_C}
A = 4 * np.eye(3)


def loss(a):
    w, V = eigh(a)
    return total(array(C) * ((V * w**0.5) @ transpose(V)))


truth = C / 4""",
        "hermitian(grad(loss, A))",
        refusal="accepted",
    ),
    Trap(
        "root",
        "√A at 4·1, by a function for it",
        "The square root of a matrix as a function of its own: at 4·1 the gradient of ⟨C, √A⟩ is C/4.",
        f"{_C}\nA = 4 * np.eye(3)\ntruth = C / 4",
        "hermitian(grad(lambda a: total(array(C) * sqrtm(a)), A))",
    ),
    Trap(
        "exponential",
        "the exponential at equal eigenvalues",
        "By Daleckii and Krein the gradient of ⟨C, exp A⟩ at A = diag(1, 1, 2) is F ∘ C, F_ij = (e^i - e^j)/(i - "
        "j), and e where the two are equal.",
        f"""\
{_C}
A = np.diag([1.0, 1.0, 2.0])
e, x, y = np.e, np.e**2 - np.e, np.e**2
truth = np.array([[e, e, x], [e, e, x], [x, x, y]]) * C""",
        "hermitian(grad(lambda a: total(array(C) * expm(a)), A))",
    ),
    Trap(
        "logarithm",
        "the logarithm at equal eigenvalues",
        "At 2·1 the gradient of ⟨C, log A⟩ is log'(2) C = C/2.",
        f"{_C}\nA = 2 * np.eye(3)\ntruth = C / 2",
        "hermitian(grad(lambda a: total(array(C) * logm(a)), A))",
    ),
    Trap(
        "hessian",
        "the second derivative of Σ wᵢ³ at 1, from the eigenvalues",
        "Σ wᵢ³ = tr A³ has the gradient 3 A², whose derivative along E is 3 (A E + E A): 6 E at the identity. A "
        "refusal is accepted: the next trap asks for the same as a function of the matrix.",
        f"{_E}\nA = np.eye(3)\ntruth = 6 * E",
        "hermitian(hessian_along(lambda a: total(eigvalsh(a) ** 3), A, E))",
        refusal="accepted",
    ),
    Trap(
        "hessian-of-sum",
        "the second derivative of tr A³ at 1, by a function for it",
        "tr A³ as a function of its own: along E the gradient changes by 6 E at the identity.",
        f"{_E}\nA = np.eye(3)\ntruth = 6 * E",
        "hermitian(hessian_along(sum_of_cubes, A, E))",
    ),
    Trap(
        "hessian-of-root",
        "the second derivative of √A at 4·1",
        "At c·1 the second derivative of f(A) is f''(c) (E F + F E)/2, so that the gradient of ⟨C, √A⟩ changes "
        "along E by -(C E + E C)/64.",
        f"{_C}\n{_E}\nA = 4 * np.eye(3)\ntruth = -(C @ E + E @ C) / 64",
        "hermitian(hessian_along(lambda a: total(array(C) * sqrtm(a)), A, E))",
    ),
    Trap(
        "hessian-of-exponential",
        "the second derivative of exp A at 1",
        "At c·1 the second derivative of f(A) is f''(c) (E F + F E)/2, so that the gradient of ⟨C, exp A⟩ changes"
        " along E by e (C E + E C)/2.",
        f"{_C}\n{_E}\nA = np.eye(3)\ntruth = np.e * (C @ E + E @ C) / 2",
        "hermitian(hessian_along(lambda a: total(array(C) * expm(a)), A, E))",
    ),
    Trap(
        "hessian-of-vector",
        "the second derivative of a simple eigenvector where others coincide",
        "The last eigenvector is alone with its eigenvalue 4, and all its derivatives exist. With P = v vᵀ and S "
        "the pseudo-inverse of w - A, the gradient of ⟨C, P⟩ is S C P + P C S (Kato), where along E P changes by "
        "S E P + P E S and S as written.",
        """\
C = np.array([[0.0, 1.0, -2.0, 1.0], [1.0, 0.0, 3.0, 2.0], [-2.0, 3.0, 0.0, -1.0], [1.0, 2.0, -1.0, 0.0]])
E = np.array([[1.0, 2.0, 0.0, 1.0], [2.0, -1.0, 1.0, 3.0], [0.0, 1.0, 3.0, -2.0], [1.0, 3.0, -2.0, 2.0]])
A, P, S = np.diag([1.0, 1.0, 2.0, 4.0]), np.diag([0.0, 0.0, 0.0, 1.0]), np.diag([1 / 3, 1 / 3, 1 / 2, 0.0])


def loss(a):
    v = eigh(a)[1][:, 3:]
    return total(array(C) * (v @ transpose(v)))


dP, dw = S @ E @ P + P @ E @ S, E[3, 3]
dS = S @ E @ S - dw * S @ S - S @ S @ E @ P - P @ E @ S @ S
truth = dS @ C @ P + S @ C @ dP + dP @ C @ S + P @ C @ dS""",
        "hermitian(hessian_along(loss, A, E))",
    ),
    Trap(
        "small",
        "a vector of a matrix of size 1e-10, well separated",
        "The eigenvalues are far apart for their size. In another unit the gradient of ⟨C, v vᵀ⟩ is another "
        "multiple of the same S C P + P C S, P = v vᵀ and S the pseudo-inverse of w - A.",
        f"{_C}\nA = 1e-10 * np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]])\n\n\n{_ONE}\n\n\n{_CLOSED}",
        "hermitian(grad(loss, A))",
    ),
    Trap(
        "large-float32",
        "a vector of a matrix of size 2e7 in single precision, well separated",
        "The eigenvalues are far apart for their size and for float32. The gradient is S C P + P C S as before.",
        f"{_C.replace(']])', ']], dtype=np.float32)')}\n"
        "A = 2e7 * np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]], dtype=np.float32)\n\n\n"
        f"{_ONE}\n\n\n{_CLOSED}",
        "hermitian(grad(loss, A))",
        tolerance=1e-4,
    ),
    Trap(
        "one-sided",
        "how equal eigenvalues move along a direction",
        "The eigenvalues of 1 + t E with E = [[0, 1], [1, 0]] are 1 - t and 1 + t: they have no derivative, but "
        "one-sided ones, -1 and 1. Asked is the function for it, or, where there is none, forward mode, which may"
        " refuse: no linear map has these values (and eigengrad's forward mode of `eigvalsh` has not).",
        "A, E = np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])\ntruth = np.array([-1.0, 1.0])",
        "slopes(A, E)",
        refusal="accepted",
    ),
    Trap(
        "nan",
        "one matrix of a batch holds a NaN",
        "A matrix with a NaN has no eigenvalues: an error is right, or NaN for it, and the gradient of the other "
        "one. Numbers for it are wrong, and so is to lose the other one without an error.",
        """\
A = np.diag(np.arange(1.0, 31.0)) + 0.1
v = np.linalg.eigh(A)[1][:, 0]
truth = np.stack([np.full_like(A, np.nan), np.outer(v, v)])
A = np.stack([A, A])
A[0, 0, 0] = np.nan""",
        "hermitian(grad(lambda a: total(eigvalsh(a)[:, 0]), A))",
        refusal="right",
    ),
    Trap(
        "six-of-forty",
        "the six lowest eigenvectors of forty",
        "With P the projector on the six and a gap above them, the gradient of ⟨C, P⟩ is Σ vᵢ vᵢᵀ C vⱼ vⱼᵀ/(wᵢ - "
        "wⱼ) + transposed, i of the six and j of the others. (By a full `eigh`, cut down, every framework has it.)",
        """\
A = np.diag(np.arange(1.0, 41.0)) + 0.5
C = np.cos(np.add.outer(np.arange(40.0), np.arange(40.0)))


def loss(a):
    V = lowest_six(a)[1]
    return total(array(C) * (V @ transpose(V)))


w, V = np.linalg.eigh(A)
X = (V[:, :6].T @ C @ V[:, 6:]) / (w[:6, None] - w[6:])
truth = 2 * hermitian(V[:, :6] @ X @ V[:, 6:].T)""",
        "hermitian(grad(loss, A))",
    ),
    Trap(
        "generalised",
        "an eigenvalue of A v = λ B v, by B",
        "With vᵀ B v = 1 a simple eigenvalue changes by vᵀ (dA - λ dB) v: its gradient by B is -λ v vᵀ. (By hand,"
        " through a Cholesky factor of B, every framework has it.)",
        """\
A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]])
B = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 3.0]])
L = np.linalg.inv(np.linalg.cholesky(B))
w, U = np.linalg.eigh(L @ A @ L.T)
v = L.T @ U[:, 0]
truth = -w[0] * np.outer(v, v)""",
        "hermitian(grad(lambda b: general(array(A), b)[0][0], B))",
    ),
)

BY_NAME = {trap.name: trap for trap in TRAPS}


def program(trap: Trap, framework: str, mine: bool = False) -> tuple[str, str | None]:
    """The text, and why it cannot be run, where a function is missing."""
    body = f'{trap.setup}\nprint("truth:", truth, sep="\\n")\nfound = {trap.found}\nprint("found:", found, sep="\\n")\n'
    head, missing = prologues.assemble(framework, mine, body)
    comment = "\n".join(f"# {line}" for line in textwrap.wrap(f"{trap.name}: {trap.title}. {trap.why}", 110))
    return f"{comment}\n{head}{body}", missing[0] if missing else None
