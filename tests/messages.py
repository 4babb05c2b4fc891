"""The messages of all errors, read from the source: where an error is made, and what its text looks like."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import eigengrad
from eigengrad import errors

PACKAGE = Path(eigengrad.__file__).parent
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}

#: Their texts are programs.
PROGRAMS = ("traps.py", "prologues.py")


def templates(path: Path) -> list[str]:
    """Regular expressions: of the first argument of each error, and of the constants that are formatted into one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {_pattern(call.args[0]) for call in ast.walk(tree) if _is_error(call) and call.args}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value) if name.isupper() or name == "message":
                found |= {text for text in (_pattern(value),) if text and text.count("\\ ") > 4 and "\\." in text}
            case ast.BoolOp(values=[ast.Name("message"), value]):  # the default of an error
                found.add(_pattern(value))
    return sorted(text for text in found if text and re.sub(r"\.\*|\W", "", text))


def _is_error(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS


def _pattern(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(str(text)):
            return ".*".join(map(re.escape, re.split(r"\{[^}]*\}", text)))
        case ast.JoinedStr(values):
            return "".join(re.escape(v.value) if isinstance(v, ast.Constant) else ".*" for v in values)
    return None


@cache
def by_file(distributed: bool = False) -> dict[str, list[str]]:
    """Those that need MPI have a test of their own, in tests/distributed."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in PROGRAMS]
    files = [path for path in files if ("distributed" in path.with_suffix("").parts) == distributed]
    return {str(path.relative_to(PACKAGE)): found for path in files if (found := templates(path))}


if __name__ == "__main__":
    for file, found in by_file().items():
        print(file, *(re.sub(r"\\(.)", r"\1", text) for text in found), sep="\n    ")
