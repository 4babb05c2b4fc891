"""A report as one HTML page that asks for nothing else, and in a frame for notebooks.

The verdict first, then what to do, what was measured, the matrices (html_maps), the spectrum (html_spectrum) and the
tables. Every text of the report is escaped; beside that, the page's policy runs its own script and no other.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .html_maps import palette_css, section
from .html_spectrum import spectrum

if TYPE_CHECKING:
    from .reporting import Report, Table

#: A symbol and a word, so that nothing hangs on colour.
BADGES = {"good": ("✓", "OK"), "bad": ("✕", "Problem"), "open": ("?", "Open")}


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(report: Report) -> str:
    """The whole document."""
    from .. import __version__

    style, script = _asset("page.css") + palette_css(), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    symbol, word = BADGES[report.tone]
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(report.headline)} – {escape(report.title)}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        f'<header class="tone-{escape(report.tone)}">\n<p class="subject">{escape(report.title)}</p>',
        f'<p class="badge"><span aria-hidden="true">{symbol}</span> {word}</p>',
        f"<h1>{escape(report.headline)}</h1>\n</header>\n<main>",
        '<div class="opening">',
        f'<div class="prose">{_paragraphs(report.summary)}{_remedy(report)}</div>',
        _facts(report),
        "</div>",
        section(report),
        spectrum(report),
        *(_table(k, table) for k, table in enumerate(report.tables)),
        f"</main>\n<footer><p>eigengrad {escape(__version__)}, {escape(report.kind)}</p></footer>",
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def frame(report: Report) -> str:
    """The page in a frame that may run its script and touch nothing around it."""
    return (
        f'<iframe srcdoc="{escape(page(report))}" sandbox="allow-scripts" title="{escape(report.title)}" '
        'style="width: 100%; height: 44rem; border: 0; resize: vertical; color-scheme: light dark"></iframe>'
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(line)}</p>" for line in text.split("\n") if line.strip())


def _text(text: str) -> str:
    """Escaped; no line ends inside of 1e-16 or --option."""
    return re.sub(r"\d[\d.]*e-\d+|--[a-z]+", r'<span class="whole">\g<0></span>', escape(text))


def _remedy(report: Report) -> str:
    if not report.remedy:
        return ""
    done = _paragraphs(report.remedy)
    return f'\n<section class="remedy" aria-labelledby="do"><h2 id="do">What to do</h2>{done}</section>'


def _facts(report: Report) -> str:
    if not report.facts:
        return ""
    rows = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>\n" for label, value in report.facts)
    return (
        '<section class="facts" aria-labelledby="measured"><h2 id="measured">What was measured</h2>'
        f"\n<dl>\n{rows}</dl></section>"
    )


def _table(k: int, table: Table) -> str:
    """The first row is the head, the first cell of each other row names it."""
    title = escape(table.title)
    head, *body = table.rows or ((),)
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    rows = "".join(
        "<tr>"
        + "".join(f'<th scope="row">{_text(c)}</th>' if j == 0 else f"<td>{_text(c)}</td>" for j, c in enumerate(row))
        + "</tr>\n"
        for row in body
    )
    return (
        f'<section aria-labelledby="table-{k}">\n<h2 id="table-{k}">{title}</h2>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table class="words">'
        f'<caption class="unseen">{title}</caption>\n'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n</section>"
    )
