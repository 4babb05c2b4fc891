"""A real matrix as a tiny PNG of one pixel an entry, and as text of two letters an entry: what a page can carry."""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .picture import COLORS

#: Of colour, on each side of zero.
LEVELS = 32
#: A side has at most so many cells; beyond, entries are averaged in blocks.
CELLS = 64
#: On each side of zero, of a number in two letters of base 64: what a heat-map can be read to.
STEPS = 2047
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@cache
def colors() -> tuple[tuple[int, int, int], ...]:
    """Red, green and blue of each level, from the lowest."""
    stops = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in COLORS], dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, 2 * LEVELS + 1)
    mixed = np.stack([np.interp(at, np.arange(len(stops)), channel) for channel in stops.T], axis=-1)
    return tuple((int(r), int(g), int(b)) for r, g, b in np.rint(mixed))


def level(x: NDArray[np.float64], scale: float) -> NDArray[np.int64]:
    """0 to 2 LEVELS, LEVELS at zero; -1 where it is not finite."""
    return _steps(x, scale, LEVELS)


def coded(x: NDArray[np.float64], scale: float) -> str:
    """Two letters an entry, row by row; AA where it is not finite."""
    numbers = (_steps(x, scale, STEPS) + 1).ravel()
    return "".join(LETTERS[k >> 6] + LETTERS[k & 63] for k in numbers.tolist())


def _steps(x: NDArray[np.float64], scale: float, steps: int) -> NDArray[np.int64]:
    finite = np.isfinite(x)
    size = np.where(finite, x, 0.0) / (scale or 1.0)
    return np.where(finite, np.rint(np.clip(size, -1.0, 1.0) * steps).astype(np.int64) + steps, -1)


def blocks(x: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The mean of each square block; a NaN or infinity in it shows."""
    if size == 1:
        return x
    rows, columns = (np.arange(0, n, size) for n in x.shape)
    with np.errstate(all="ignore"):
        count = np.add.reduceat(np.add.reduceat(np.ones_like(x), rows, 0), columns, 1)
        parts = x / np.repeat(np.repeat(count, size, 0), size, 1)[: x.shape[0], : x.shape[1]]  # first, for no overflow
        return np.asarray(np.add.reduceat(np.add.reduceat(parts, rows, 0), columns, 1))


def png(levels: NDArray[np.int64]) -> str:
    """In base 64. What is not finite is transparent, so that a hatched ground shows."""
    height, width = levels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in (levels + 1).astype(np.uint8))
    palette = bytes((0, 0, 0)) + bytes(c for color in colors() for c in color)
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", b"\0"),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )
    return base64.b64encode(content).decode()


def _chunk(name: bytes, content: Any) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
