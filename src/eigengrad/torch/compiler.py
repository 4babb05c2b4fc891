"""What torch.compile is told of functions, without importing it: that takes as long as all the rest of torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch


def constant(function: Callable[..., Any]) -> Callable[..., Any]:
    """torch.compiler.assume_constant_result: the result is asked for when a program is compiled."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def outside(function: Callable[..., Any]) -> Callable[..., Any]:
    """torch.compiler.disable: called between two programs, and not compiled."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return called
