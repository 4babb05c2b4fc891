"""Runs the code of a page, so that a picture shows the very numbers of its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent


def run(page: str) -> dict[str, Any]:
    """The names that the blocks of Python of a page leave behind."""
    text = (DOCS / page).read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names
