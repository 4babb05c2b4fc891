"""Pages as notebooks, and the code of a page, so that a picture shows the very numbers of its page.

A block with the tag "drawn" draws, for the site, the image before it, which is for a code host alone.
"""

from __future__ import annotations

import io
import json
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parent
BLOCK = re.compile(r"^```python(?: tags=(?P<tags>\[[^]\n]*\]))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGE = re.compile(r"^!\[[^]]*\]\([^)]*\)\s*\Z", re.MULTILINE)
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class Cell(NamedTuple):
    kind: str  # "text" or "code"
    source: str
    tags: tuple[str, ...] = ()


def cells(text: str) -> list[Cell]:
    """Each block of Python at the margin is a cell, what stands between them is text."""
    found, end = [], 0
    for block in BLOCK.finditer(text):
        tags, before = tuple(json.loads(block["tags"] or "[]")), text[end : block.start()]
        found.append(Cell("text", IMAGE.sub("", before) if "drawn" in tags else before))
        found.append(Cell("code", block["code"].rstrip(), tags))
        end = block.end()
    return [*found, Cell("text", text[end:])]


def notebook(text: str) -> Any:
    """What MyST-NB takes."""
    from nbformat import v4

    made = [
        v4.new_code_cell(cell.source, metadata={"tags": list(cell.tags)})
        if cell.kind == "code"
        else v4.new_markdown_cell(cell.source)
        for cell in cells(text)
    ]
    return v4.new_notebook(cells=made, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})


def blocks(page: Path) -> list[str]:
    return [block["code"] for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def run(page: str) -> dict[str, Any]:
    """The names that the blocks of Python of a page leave behind, those aside that draw it."""
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        for cell in cells((DOCS / page).read_text(encoding="utf-8")):
            if cell.kind == "code" and "drawn" not in cell.tags:
                exec(compile(cell.source, page, "exec"), names)
    return names
