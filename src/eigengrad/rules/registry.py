"""The list of all rules. An adapter attaches what stands here, and tests take their lists from here."""

from .blocks import BLOCKS, SETTLE, SYLVESTER
from .frechet import EIGENBASIS, FRECHET, TRACE
from .pencil import PENCIL
from .slopes import SLOPES
from .spectral import SPECTRAL
from .view import FENCE, GATHER, GUARD, LOOK, PLACE, WEIGH

RULES = (
    SYLVESTER,
    SETTLE,
    PLACE,
    GATHER,
    LOOK,
    FENCE,
    GUARD,
    WEIGH,
    BLOCKS,
    PENCIL,
    EIGENBASIS,
    *FRECHET,
    TRACE,
    *SPECTRAL,
    SLOPES,
)
