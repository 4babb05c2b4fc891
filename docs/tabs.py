"""Tabs: what stands between `<!-- tabs -->` and `<!-- end of tabs -->`, cut at lines that are bold and nothing else.

So a page needs no directive, which would hide its blocks from the reader of notebooks, and reads well without a site.
Tabs of one name open together, on every page, and `?framework=jax` behind an address opens them.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx_design.shared import create_component

BEGIN, END = "<!-- tabs -->", "<!-- end of tabs -->"


def says(node: nodes.Node, text: str) -> bool:
    return isinstance(node, nodes.raw) and node.astext().strip() == text


def title(node: nodes.Node) -> str | None:
    """Of a paragraph that is bold and nothing else."""
    if not isinstance(node, nodes.paragraph):
        return None
    parts = [child for child in node if child.astext()]
    return node.astext() if len(parts) == 1 and isinstance(parts[0], nodes.strong) else None


def tab_set(content: list[nodes.Node]) -> nodes.Element:
    tabs = create_component("tab-set", classes=["sd-tab-set"])
    for node in content:
        name = title(node)
        if name is not None:
            label = nodes.rubric(name, name, classes=["sd-tab-label"], sync_group="framework", sync_id=name.lower())
            body = create_component("tab-content", classes=["sd-tab-content"])
            tabs += create_component("tab-item", classes=["sd-tab-item"], children=[label, body])
        else:
            tabs[-1][1].append(node)
    return tabs


class Tabs(SphinxTransform):
    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        for begin in list(self.document.findall(lambda node: says(node, BEGIN))):
            parent = begin.parent
            start = parent.index(begin)
            stop = next(i for i in range(start, len(parent)) if says(parent[i], END))
            parent[start : stop + 1] = [tab_set(parent[start + 1 : stop])]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(Tabs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
