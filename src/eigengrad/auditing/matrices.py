"""Matrices from files: .npy, .npz, .csv, .txt, .mtx, and standard input. Nothing is ever unpickled."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

#: The largest order that the command line takes: differences cost many decompositions.
LARGEST = 256
#: And the largest file, in bytes: a matrix of that order, complex, as text, and some room.
LARGEST_FILE = 16 * 1024 * 1024


def load(name: str, key: str | None = None) -> NDArray[Any]:
    """The square matrix in a file, as float64 or complex128; `-` is standard input."""
    return check(_read(name, key), _label(name))


def load_gradient(name: str, key: str | None = None) -> NDArray[Any]:
    """A gradient in a file: a matrix, or a packed one, in its own precision; NaN may be in it."""
    x, label = np.asarray(_read(name, key)), _label(name)
    _check_numbers(x, label)
    if x.ndim == 2 and 1 in x.shape and x.size > 1 and Path(name).suffix.lower() in (".csv", ".txt", ""):
        x = x.reshape(-1)  # text knows no vectors
    if x.ndim not in (1, 2) or x.size == 0:
        raise InputError(f"{label} holds an array of shape {x.shape}; it must be a matrix, or a packed one.")
    if max(x.shape) > (LARGEST if x.ndim == 2 else LARGEST * (LARGEST + 1) // 2):
        raise InputError(f"{label} holds an array of shape {x.shape}; its order must be at most {LARGEST}.")
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _read(name: str, key: str | None) -> Any:
    data, suffix = _bytes(name)
    if suffix != ".npz" and key is not None:
        raise InputError(f"--key names an array in an .npz file; {_label(name)} is none, and takes no key.")
    try:
        return _parse(data, suffix, key)
    except InputError as error:
        raise InputError(f"{_label(name)} {error}") from None
    except MemoryError:
        raise InputError(
            f"{_label(name)} says that it holds more than there is memory for; look whether it is damaged."
        ) from None
    except Exception as error:  # whatever those who read damaged files make of one
        reason = " ".join(str(error).split())[:160].rstrip(".")
        if "pickle" in reason:
            reason = "it is damaged, or holds objects of Python"
        raise InputError(f"{_label(name)} holds no matrix that can be read as {suffix}: {reason}.") from error


def _check_numbers(x: NDArray[Any], label: str) -> None:
    if x.dtype.kind not in "iufc":
        raise InputError(f"{label} holds entries of type {x.dtype}, not numbers; they must be real or complex.")


def check(x: Any, label: str) -> NDArray[Any]:
    """A square, finite matrix of numbers, in double precision."""
    x = np.asarray(x)
    _check_numbers(x, label)
    if x.ndim != 2:
        raise InputError(f"{label} holds an array of shape {x.shape}, not a matrix; it must have two dimensions.")
    if x.shape[0] != x.shape[1]:
        raise InputError(f"{label} holds a matrix of {x.shape[0]} rows and {x.shape[1]} columns; it must be square.")
    if x.shape[0] == 0:
        raise InputError(f"{label} holds an empty matrix; it must have an eigenvalue.")
    if x.shape[0] > LARGEST:
        raise InputError(f"{label} holds a matrix of order {x.shape[0]}; it must be at most {LARGEST}.")
    x = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    if not np.all(np.isfinite(x)):
        i, j = np.argwhere(~np.isfinite(x))[0]
        raise InputError(
            f"{label} holds {x[i, j]} in row {i}, column {j} (counted from 0); no eigenvalue is defined. Remove it."
        )
    return x


def _label(name: str) -> str:
    return "Standard input" if name == "-" else name


def _bytes(name: str) -> tuple[bytes, str]:
    if name == "-":
        if sys.stdin is None:
            raise InputError("Standard input is closed. Name a file.")
        data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        suffix = _sniff(data)
    else:
        path = Path(name)
        suffix = path.suffix.lower()
        if suffix not in _READERS:
            raise InputError(f"{name} has the ending {suffix or '(none)'}; it can be {', '.join(_READERS)}, or - .")
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error.strerror or error}. Name a file that can.") from None
    if len(data) > LARGEST_FILE:
        raise InputError(f"{_label(name)} is too large; it must be at most {LARGEST_FILE // 1024**2} MiB.")
    if not data.strip():
        raise InputError(f"{_label(name)} is empty; it must hold a matrix.")
    return data, suffix


def _sniff(data: bytes) -> str:
    """The kind of what comes without a name."""
    if data.startswith(b"\x93NUMPY"):
        return ".npy"
    if data.startswith(b"PK"):
        return ".npz"
    if data.startswith(b"%%MatrixMarket"):
        return ".mtx"
    return ".csv" if b"," in data else ".txt"


def _parse(data: bytes, suffix: str, key: str | None) -> Any:
    return _npz(data, key) if suffix == ".npz" else _READERS[suffix](data)


def _npy(data: bytes) -> Any:
    return np.load(io.BytesIO(data), allow_pickle=False)


def _npz(data: bytes, key: str | None = None) -> Any:
    import zipfile

    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    names = list(getattr(archive, "files", []))
    if not names:
        raise InputError("holds no arrays; it must hold a matrix.")
    if key is None and len(names) > 1:
        raise InputError(f"holds several arrays ({', '.join(names)}); choose one with --key.")
    if key is not None and key not in names:
        raise InputError(f"holds no array {key!r}; choose one of {', '.join(names)}.")
    # Unpacked, an archive can be far larger than its file.
    chosen = names[0] if key is None else key
    size = archive.zip.getinfo(chosen + ".npy").file_size
    if size > LARGEST_FILE:
        raise InputError(f"unpacks to {size} bytes; there must be at most {LARGEST_FILE}.")
    return archive[chosen]


def _text(data: bytes, separator: str | None) -> Any:
    lines = [line.split("#")[0].strip() for line in data.decode("utf-8-sig").splitlines()]
    rows = [[_number(x) for x in line.split(separator)] for line in lines if line]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its rows have different lengths")
    return np.array(rows)


def _number(text: str) -> complex | float:
    if "_" in text:  # Python's way to write 1000000, and a slip in a table
        raise ValueError(f"{text.strip()!r} is not a number")
    try:
        return float(text)
    except ValueError:
        try:
            return complex(text.strip().replace("i", "j"))
        except ValueError:
            raise ValueError(f"{text.strip()!r} is not a number") from None


def _mtx(data: bytes) -> Any:
    import scipy.io
    import scipy.sparse

    rows, columns, *_ = scipy.io.mminfo(io.BytesIO(data))
    if rows > LARGEST or columns > LARGEST:  # before a sparse one is made dense
        raise InputError(f"holds a matrix of {rows} rows and {columns} columns; there must be at most {LARGEST}.")
    x = scipy.io.mmread(io.BytesIO(data))
    return x.toarray() if scipy.sparse.issparse(x) else x


_READERS: dict[str, Any] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": lambda data: _text(data, ","),
    ".txt": lambda data: _text(data, None),
    ".mtx": _mtx,
}
