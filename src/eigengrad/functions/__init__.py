"""Functions of one real variable with their divided differences, to be taken of a matrix: `funm(a, XLogX())`."""

from .base import Derivative, Function, Scaled
from .exponential import Exp, Fermi, Log, XLogX
from .own import Elementwise, Own
from .powers import InvSqrt, Polynomial, Power, Sqrt
from .steps import Band, Sign

__all__ = [
    "Band",
    "Derivative",
    "Elementwise",
    "Exp",
    "Fermi",
    "Function",
    "InvSqrt",
    "Log",
    "Own",
    "Polynomial",
    "Power",
    "Scaled",
    "Sign",
    "Sqrt",
    "XLogX",
]
