"""A function of the user, named as module:function, for the command line. To name it is to run its module."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..errors import EigengradError, InputError


def function(name: str) -> Any:
    """The function; the current folder is looked in first, and no other is added."""
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        raise InputError(f"{name!r} is no function; name one as module:function.")
    if module.endswith(".py") or "/" in module:
        raise InputError(f"{module} is a file; name its module, in the folder that it lies in: without .py.")
    sys.path.insert(0, os.getcwd())
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{module} cannot be imported: {error}. Call this in the folder that it lies in.") from None
    except (Exception, SystemExit, GeneratorExit) as error:  # whatever the module does
        raise InputError(f"{module} cannot be imported: {_said(error)}. Look at it with python -c.") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise InputError(f"{module} has no {path}; there are {', '.join(_functions(found)) or 'no functions'}.")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{name} is a {type(found).__name__}; name a function.")
    return found


@contextmanager
def named(name: str) -> Iterator[None]:
    """Errors of the function itself, in one sentence."""
    try:
        yield
    except EigengradError:
        raise
    except (Exception, SystemExit, GeneratorExit) as error:
        raise InputError(f"{name} fails at this matrix: {_said(error)}. It must return one real number.") from error


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")


def _functions(module: Any) -> list[str]:
    return [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")][:12]
