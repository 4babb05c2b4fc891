"""The list of all rules. An adapter attaches what stands here, and tests take their lists from here."""

from .blocks import BLOCKS, SETTLE, SYLVESTER
from .view import GATHER, LOOK, PLACE

RULES = (SYLVESTER, SETTLE, PLACE, GATHER, LOOK, BLOCKS)
