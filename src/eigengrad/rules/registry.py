"""The list of all rules. An adapter attaches what stands here, and tests take their lists from here."""

from .blocks import BLOCKS, SETTLE, SYLVESTER
from .frechet import EIGENBASIS, FRECHET, TRACE
from .slopes import SLOPES
from .spectral import SPECTRAL
from .view import GATHER, LOOK, PLACE

RULES = (SYLVESTER, SETTLE, PLACE, GATHER, LOOK, BLOCKS, EIGENBASIS, *FRECHET, TRACE, *SPECTRAL, SLOPES)
