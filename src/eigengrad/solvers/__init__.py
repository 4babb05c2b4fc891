"""Solvers for a few eigenpairs on the host: NumPy arrays in, NumPy arrays out, no derivative.

Each finds k of n pairs of one matrix and solves, with what it found them by, the equations of their derivatives on the
complement of the k vectors. The rules say what is solved; a solver neither knows a loss nor judges one.
"""

from .dense import Tridiagonal
from .found import Found
from .krylov import Krylov
from .options import Options, Problem, checked
from .pattern import Pattern, order
from .product import Product

__all__ = ["Found", "Krylov", "Options", "Pattern", "Problem", "Product", "Tridiagonal", "checked", "order"]
