"""Docstrings as they are written here become reStructuredText: sections, names of parameters, `code`, and examples.

Nothing else in them is markup, so that |A|, x* and w_i are what they say.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = ("Parameters", "Returns", "Raises", "Source", "Examples")


def sections(docstring: str) -> dict[str, str]:
    """The text under each heading; what stands before the first is under ""."""
    found, name = {"": ""}, ""
    lines = inspect.cleandoc(docstring).splitlines()
    for line, rule in zip(lines, [*lines[1:], ""], strict=True):
        if rule and set(rule) == {"-"}:
            name = line
            found[name] = ""
        elif not (line and set(line) == {"-"}):
            found[name] += line + "\n"
    return {name: text.strip("\n") for name, text in found.items()}


#: What letters and digits say in a docstring, as the pages write it.
RAISED = {"^H": "ᴴ", "^T": "ᵀ", "^-1": "⁻¹"}


def prose(text: str) -> str:
    """Backticks are code; all else is taken literally."""
    for written, raised in RAISED.items():
        text = text.replace(written, raised)
    pieces = re.split(r"`([^`]+)`", text)
    plain = [re.sub(r"([\\*|_`])", r"\\\1", piece) for piece in pieces]
    return "".join(f"``{pieces[i]}``" if i % 2 else plain[i] for i in range(len(pieces)))


def parameters(text: str) -> list[str]:
    """A definition list: a line that begins at the margin is a name, or a name and what it is, behind a colon."""
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1].strip():
            name, _, kind = line.partition(" : ")
            lines += ["", f"**{prose(name)}**" + (f" : {prose(kind)}" if kind else "")]
        else:
            lines.append("    " + prose(line.strip()))
    for i in range(len(lines) - 1, 0, -1):  # a term needs a definition
        if lines[i] and lines[i][:1].strip() and not (i + 1 < len(lines) and lines[i + 1].startswith("    ")):
            lines.insert(i + 1, "    \\ ")
    return lines


def restructured(docstring: str) -> list[str]:
    out: list[str] = []
    for name, text in sections(docstring).items():
        if name:
            out += ["", f".. rubric:: {name}", ""]
        if name == "Parameters":
            out += parameters(text)
        elif name == "Examples":
            out += text.splitlines()
        else:
            out += prose(text).splitlines()
    return [*out, ""]


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
