"""Truth in 60 digits: spectra that are repeated exactly, the closed form of a gradient, and differences of it.

Arrays are NumPy object arrays of mpmath numbers, so that losses are written once for both. Nothing here comes from
eigengrad. The closed form is itself held against differences of the loss (test_truth.py).
"""

from __future__ import annotations

import mpmath as mp
import numpy as np

DIGITS = 60


def exact(x):
    """An array of doubles as mpmath numbers, every bit kept."""
    x = np.asarray(x)
    make = (lambda v: mp.mpc(float(v.real), float(v.imag))) if np.iscomplexobj(x) else (lambda v: mp.mpf(float(v)))
    return np.array([make(v) for v in x.ravel()], dtype=object).reshape(x.shape)


def double(x):
    """Rounded to float64 or complex128."""
    x = np.asarray(x, dtype=object)
    if any(isinstance(v, mp.mpc) for v in x.ravel()):
        return np.array([complex(v) for v in x.ravel()]).reshape(x.shape)
    return np.array([float(v) for v in x.ravel()]).reshape(x.shape)


def adjoint(X):
    return np.conj(np.swapaxes(X, -1, -2))


def hermitian(X):
    return (X + adjoint(X)) / 2


def eigh(H):
    """Ascending eigenvalues and vectors of an exact Hermitian matrix."""
    with mp.workdps(DIGITS):
        n = H.shape[0]
        w, V = mp.eighe(mp.matrix(H.tolist())) if n > 1 else ([mp.re(H[0, 0])], mp.matrix([[1]]))
        order = sorted(range(n), key=lambda i: mp.re(w[i]))
        vectors = np.array([[V[r, c] for c in order] for r in range(n)], dtype=object).reshape(n, n)
        return np.array([mp.re(w[i]) for i in order], dtype=object), vectors


def with_spectrum(w, rng, complex_=False):
    """An exact Hermitian matrix with exactly these eigenvalues, and a generic basis."""
    n = len(w)
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    with mp.workdps(DIGITS):
        _, Q = eigh(hermitian(exact(X)))
        return hermitian((Q * exact(np.asarray(w, dtype=float))) @ adjoint(Q))


def gradient(loss, H):
    """The Hermitian gradient at a matrix with simple eigenvalues: Magnus (1985), Giles (2008), by hand."""
    with mp.workdps(DIGITS):
        w, V = eigh(H)
        gw, gV = loss.cotangents(w, V)
        n = len(w)
        N = adjoint(V) @ gV
        K = np.array([[mp.mpc(0)] * n for _ in range(n)], dtype=object).reshape(n, n)
        for i in range(n):
            K[i, i] = gw[i]
            for j in range(n):
                if i != j and N[i, j] != np.conj(N[j, i]):
                    K[i, j] = (N[i, j] - np.conj(N[j, i])) / (2 * (w[j] - w[i]))
        return hermitian(V @ K @ adjoint(V))


def value(loss, H):
    with mp.workdps(DIGITS):
        return loss.value(Exact, *eigh(H))


# -- pencils A v = w B v: arrays (2, n, n), A and B ------------------------------------------------------------------


def pencil_eigh(P):
    """Ascending eigenvalues, and vectors with V^H B V = 1: reduced by a Cholesky factor of B."""
    with mp.workdps(DIGITS):
        n = P.shape[-1]
        L = mp.cholesky(mp.matrix(P[1].tolist())) ** -1
        inverse = np.array([[L[i, j] for j in range(n)] for i in range(n)], dtype=object)
        w, U = eigh(hermitian(inverse @ P[0] @ adjoint(inverse)))
        return w, adjoint(inverse) @ U


def pencil_with_spectrum(w, condition, rng, complex_=False):
    """An exact pencil with exactly these eigenvalues, and a B of that condition."""
    n = len(w)
    b = np.logspace(0, -np.log10(condition) / 2, n)
    with mp.workdps(DIGITS):
        roots, C = with_spectrum(b, rng, complex_), with_spectrum(w, rng, complex_)
        return np.stack([hermitian(roots @ C @ roots), hermitian(roots @ roots)])


def pencil_gradient(loss, P):
    """The Hermitian gradients at simple eigenvalues, from dv_k = Σ_i v_i v_i^H (dA - w_k dB) v_k / (w_k - w_i) - …"""
    with mp.workdps(DIGITS):
        w, V = pencil_eigh(P)
        gw, gV = loss.cotangents(w, V)
        N, n = adjoint(V) @ gV, len(w)
        K, J = (np.array([[mp.mpc(0)] * n for _ in range(n)], dtype=object).reshape(n, n) for _ in range(2))
        for i in range(n):
            K[i, i], J[i, i] = gw[i] + 0 * N[i, i], -gw[i] * w[i] - N[i, i].real / 2
            for k in range(n):
                if i != k:
                    K[i, k] = N[i, k] / (w[k] - w[i])
                    J[i, k] = -K[i, k] * w[k]
        return np.stack([hermitian(V @ X @ adjoint(V)) for X in (K, J)])


def inner(X, Y):
    """Re tr(X^H Y)."""
    with mp.workdps(DIGITS):
        return mp.re(sum((np.conj(X) * Y).ravel()))


def around(function, H, E, step=1e-20):
    """Of a function that is smooth on both sides, its value at H, 40 digits of it, and its derivative along E.

    H itself may be the one place where its formula divides by zero. Differences of two step sizes agree to 12 digits.
    """
    with mp.workdps(DIGITS):
        both, h = [], mp.mpf(step)
        for s in (h, 2 * h):
            up, down = function(H + s * E), function(H - s * E)
            both.append(((up + down) / 2, (up - down) / (2 * s)))
        (value, slope), (_, again) = both
        apart = max(abs(v) for v in np.ravel(slope - again))
        size = max(abs(v) for v in np.ravel(slope))
        assert apart <= mp.mpf("1e-12") * size, (apart, size)
        return value, slope


def along(function, H, E, step=1e-20):
    """The derivative of a function of matrices along E."""
    return around(function, H, E, step)[1]


class Exact:
    """The operations that losses use, on exact arrays."""

    sum = staticmethod(lambda x: sum(x.ravel()))
    real = staticmethod(lambda x: np.vectorize(mp.re, otypes=[object])(x))
    conj = staticmethod(np.conj)
    array = staticmethod(exact)
    cast = staticmethod(lambda x: x)
    sqrt = staticmethod(lambda x: np.vectorize(mp.sqrt, otypes=[object])(x))
    log = staticmethod(lambda x: np.vectorize(mp.log, otypes=[object])(x))
    exp = staticmethod(lambda x: np.vectorize(mp.exp, otypes=[object])(x))
