"""Pages as notebooks, and the code of a page, so that a picture shows the very numbers of its page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
BLOCK = re.compile(r"^```python(?: tags=(?P<tags>\[[^]\n]*\]))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(text: str) -> Any:
    """Each block of Python at the margin is a cell, what stands between them is text."""
    from nbformat import v4

    cells, end = [], 0
    for block in BLOCK.finditer(text):
        cells.append(v4.new_markdown_cell(text[end : block.start()]))
        cells.append(v4.new_code_cell(block["code"].rstrip(), metadata={"tags": json.loads(block["tags"] or "[]")}))
        end = block.end()
    cells.append(v4.new_markdown_cell(text[end:]))
    return v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})


def blocks(page: Path) -> list[str]:
    return [block["code"] for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def run(page: str) -> dict[str, Any]:
    """The names that the blocks of Python of a page leave behind."""
    names: dict[str, Any] = {}
    for block in blocks(DOCS / page):
        exec(compile(block, page, "exec"), names)
    return names
