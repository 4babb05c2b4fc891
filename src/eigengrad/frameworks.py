"""Which framework an array belongs to, found by its type, so that none is imported that the user did not import."""

from __future__ import annotations

from importlib import import_module, metadata, util
from typing import Any, NamedTuple

from .errors import FrameworkError


class Framework(NamedTuple):
    """A framework: its adapter in this package, its name in messages, and the distributions that bring it."""

    adapter: str
    title: str
    distributions: tuple[str, ...]


#: By the top-level package that the type of an array comes from. The first is for arrays that carry no derivative.
FRAMEWORKS: dict[str, Framework] = {
    "numpy": Framework("numpy", "NumPy", ("numpy",)),
    "torch": Framework("torch", "PyTorch", ("torch",)),
    "tensorflow": Framework("tensorflow", "TensorFlow", ("tensorflow", "tensorflow-cpu")),
    "jax": Framework("jax", "JAX", ("jax",)),
    "autograd": Framework("autograd", "autograd", ("autograd",)),
}


def framework_of(kind: type) -> str | None:
    """The framework that a type, or one of its bases, comes from."""
    for base in kind.__mro__:
        name = base.__module__.partition(".")[0]
        if name in FRAMEWORKS:
            return name
        if name in ("scipy", "petsc4py"):  # sparse matrices and operators
            return "numpy"
    return "numpy" if kind in (list, tuple, int, float, complex, bool) else None


_loaded: dict[str, Any] = {}


def adapter(name: str) -> Any:
    """The module of this package for a framework; imports the framework."""
    if name not in _loaded:
        if name == "torch":  # by a statement, which torch.compile follows, as it follows no call that imports
            from . import torch as found
        else:
            found = import_module(f"{__package__}.{FRAMEWORKS[name].adapter}")
        _loaded[name] = found
    return _loaded[name]


def adapter_for(*arrays: Any) -> Any:
    """The adapter for the first argument; or, of a NumPy array beside arrays of a framework, for them."""
    array = arrays[0]
    name = framework_of(type(array))
    if len(arrays) > 1:
        others = {framework_of(type(x)) for x in arrays if hasattr(x, "dtype")} - {"numpy", None}
        if len(others) > 1:
            titles = " and ".join(sorted(FRAMEWORKS[name].title for name in others if name))
            raise FrameworkError(f"These arrays are of {titles}; no derivative passes between them. Convert one first.")
        if others and name == "numpy":
            return adapter(str(others.pop()))
    if name is None:
        raise FrameworkError(
            f"A {type(array).__module__}.{type(array).__qualname__} is no array of a framework that eigengrad knows: "
            f"{', '.join(f.title for f in FRAMEWORKS.values())}. Convert it to one of theirs."
        )
    if isinstance(array, list | tuple):
        inner = {framework_of(type(x)) for x in array} - {"numpy", None}
        if inner:
            raise FrameworkError(f"This is a list of arrays of {inner.pop()}; stack them into one array first.")
    return adapter(name)


def version(name: str) -> str | None:
    """The installed version of a framework, without importing it; None where it is not installed."""
    if util.find_spec(name) is None:
        return None
    for distribution in FRAMEWORKS[name].distributions:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "unknown version"
