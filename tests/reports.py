"""Reports as explain and scorecard make them, of matrices drawn at random, for the tests of pages and pictures."""

from __future__ import annotations

import numpy as np

import eigengrad as eg
from eigengrad.auditing.reporting import Panel, Report, Table


def hermitian(n, complex_=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    return (X + X.conj().T) / 2


def report(*panels, **fields):
    return Report(
        **{
            "kind": "explain",
            "title": "Why the first and the second differ",
            "headline": "Two conventions: lower",
            "tone": "good",
            "summary": "They agree on symmetric matrices. After conversion 3e-16 is left.",
            "remedy": "Convert one with eigengrad.convert.",
            "facts": (("cause", "convention, lower"), ("difference, relative", "0.66")),
            "panels": panels,
            **fields,
        }
    )


def pair(n, complex_=False, seed=0, **fields):
    """A Hermitian gradient, and the same in the lower convention."""
    G = hermitian(n, complex_, seed)
    return report(Panel("torch.npy", G), Panel("tensorflow.npy", eg.convert(G, "symmetric", "lower")), **fields)


TABLE = Table(
    "Each framework's own functions",
    (
        ("trap", "PyTorch 2.13.0", "eigengrad in it", "TensorFlow 2.21.0", "eigengrad in it"),
        ("convention", "silently wrong: off by 0.78", "right", "right", "right"),
        ("one-sided derivatives of equal eigenvalues", "no function for it", "right", "no function for it", "right"),
    ),
)
SPECTRUM = {"eigenvalues": np.array([-4.4, -1.2, -1.2, -1.2, 0.3, 0.8, 0.8 + 1e-9, 3.1]), "clusters": ((1, 4), (5, 7))}
