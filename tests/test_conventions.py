"""convert, detect and the packed forms, in every framework."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import eigengrad
from eigengrad.conventions import CONVENTIONS
from eigengrad.errors import OptionError, ShapeError

RNG = np.random.default_rng(0)


def hermitian(n, complex_):
    X = RNG.standard_normal((n, n)) + (1j * RNG.standard_normal((n, n)) if complex_ else 0.0)
    return (X + X.conj().T) / 2


KINDS = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])


@KINDS
@pytest.mark.parametrize(("from_", "to"), list(itertools.permutations(CONVENTIONS, 2)))
def test_there_and_back(framework, complex_, from_, to):
    g = framework.eg.convert(framework.array(hermitian(4, complex_)), "symmetric", from_)
    there = framework.eg.convert(g, from_, to)
    assert np.allclose(framework.numpy(framework.eg.convert(there, to, from_)), framework.numpy(g), rtol=1e-14)


@KINDS
def test_forms(complex_):
    G = hermitian(3, complex_)
    lower = eigengrad.convert(G, "symmetric", "lower")
    assert np.allclose(lower, np.tril(G) + np.tril(G, -1))
    assert np.allclose(eigengrad.convert(G, "symmetric", "upper"), np.triu(G) + np.triu(G, 1))
    assert np.allclose(eigengrad.convert(G, "symmetric", "vech"), lower[[0, 1, 2, 1, 2, 2], [0, 0, 0, 1, 1, 2]])
    assert np.allclose(eigengrad.convert(G, "symmetric", "conjugate+lower"), lower.conj())


@KINDS
def test_a_form_that_does_not_fit_is_refused(complex_):
    G = hermitian(3, complex_)
    with pytest.raises(OptionError, match="no lower gradient"):
        eigengrad.convert(G, "lower", "symmetric")
    with pytest.raises(OptionError, match="no symmetric gradient"):
        eigengrad.convert(np.tril(G), "symmetric", "lower")
    with pytest.raises(OptionError, match="no convention"):
        eigengrad.convert(G, "Lower", "symmetric")
    with pytest.raises(ShapeError, match="pack no matrix"):
        eigengrad.convert(np.ones(4), "vech", "symmetric")
    with pytest.raises(ShapeError, match="square"):
        eigengrad.convert(np.ones((2, 3)), "symmetric", "lower")
    with pytest.raises(ShapeError, match="scalar"):
        eigengrad.unvech(np.float64(1.0))


@pytest.mark.parametrize("name", CONVENTIONS)
def test_detect_beside_the_truth(framework, name):
    G = hermitian(4, True)
    g = framework.eg.convert(framework.array(G), "symmetric", name)
    found = framework.eg.detect(g, framework.array(G))
    assert found.convention == name
    assert found.residual < 1e-14
    noisy = framework.numpy(g) * (1 + 1e-10)
    assert framework.eg.detect(framework.array(noisy), framework.array(G)).convention == name


def test_detect_by_form():
    G = hermitian(3, False)
    for name in ("symmetric", "lower", "upper"):
        assert eigengrad.detect(eigengrad.convert(G, "symmetric", name)).convention == name
    diagonal = eigengrad.detect(np.diag([1.0, 2.0]))
    assert (diagonal.convention, diagonal.also) == ("symmetric", ("lower", "upper"))
    assert eigengrad.detect(RNG.standard_normal((3, 3))).convention is None


def test_detect_takes_no_bug_for_a_convention():
    """G + G^T - diag G, off-diagonals doubled on both sides, is the gradient of nothing; nor is half a gradient."""
    G = hermitian(3, False)
    assert eigengrad.detect(G + G.T - np.diag(np.diag(G)), G).convention is None
    assert eigengrad.detect(0.5 * G, G).convention is None
    assert eigengrad.detect(np.tril(G), G).convention is None
    assert eigengrad.detect(np.tril(G), G).residual > 0.1
    with pytest.raises(ShapeError, match="belongs to"):
        eigengrad.detect(G, hermitian(4, False))
    with pytest.raises(ShapeError, match="one gradient"):
        eigengrad.detect(np.ones((2, 2, 2)))


@KINDS
def test_packed_batches(framework, complex_):
    G = np.stack([hermitian(4, complex_) for _ in range(3)])
    for pack, unpack in ((framework.eg.vech, framework.eg.unvech), (framework.eg.svec, framework.eg.unsvec)):
        x = pack(framework.array(G))
        assert framework.numpy(x).shape == (3, 10)
        assert np.allclose(framework.numpy(unpack(x)), G, rtol=1e-14)


def test_each_gradient_of_a_batch_must_fit():
    """Beside its own size: a large one that fits hides nothing, and neither does a NaN."""
    good, bad = 1e10 * np.tril(np.ones((3, 3))), np.arange(1.0, 10.0).reshape(3, 3)
    spoilt = bad.copy()
    spoilt[1, 0] = np.nan
    for g in (np.stack([good, bad]), np.stack([good, spoilt]), spoilt):
        with pytest.raises(OptionError, match="no lower gradient"):
            eigengrad.convert(g, "lower", "symmetric")
    assert np.isnan(eigengrad.convert(np.tril(spoilt), "lower", "symmetric")[0, 1])
    assert np.array_equal(eigengrad.convert(np.stack([good, 0 * good]), "lower", "symmetric")[1], np.zeros((3, 3)))


def test_a_result_is_an_array_of_its_own():
    """Also of a large gradient that is what it is converted to."""
    g = np.ones((70, 70))
    eigengrad.convert(g, "symmetric", "symmetric")[0, 0] = 5.0
    assert g[0, 0] == 1.0
