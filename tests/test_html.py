"""The page of a report, without a browser: what is in it and escaped, how large it is, and that it asks for nothing."""

from __future__ import annotations

import base64
import re
import zlib
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from reports import SPECTRUM, TABLE, hermitian, pair, report

import eigengrad as eg
from eigengrad.auditing.html import frame, page
from eigengrad.auditing.html_maps import figures, written
from eigengrad.auditing.raster import CELLS, LETTERS, STEPS, blocks, colors, level
from eigengrad.auditing.reporting import Panel, Table
from eigengrad.errors import InputError

VOID = {"meta", "link", "input", "br", "hr", "img"}
EVIL = "<script>alert(1)</script>\"'&<b>"


class Page(HTMLParser):
    """The elements, and an error where one is not closed by its own end."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def numbers(text, caption, name):
    """The cells of a small matrix as a convention has them."""
    table = text[text.index(f'<caption class="unseen">{escape(caption)}</caption>') :]
    body = re.search(rf'<tbody data-as="{name}"[^>]*>(.*?)</tbody>', table, re.DOTALL).group(1)
    return [re.findall(r"<td class=\w+>([^<]*)", row) for row in body.split("</tr>")[:-1]]


def decoded(letters, scale):
    codes = [LETTERS.index(a) * 64 + LETTERS.index(b) for a, b in zip(letters[::2], letters[1::2], strict=True)]
    return np.array([np.nan if c == 0 else (c - 1 - STEPS) / STEPS * scale for c in codes])


ALL = {
    "small": pair(3, **SPECTRUM),
    "complex": pair(4, complex_=True),
    "large": pair(40, tables=(TABLE, TABLE)),
    "blocks": pair(70, complex_=True),
    "tables alone": report(tables=(TABLE,), tone="open"),
    "nothing": report(facts=(), remedy="", tone="bad"),
    "not square": report(Panel("packed", np.ones((1, 78)), gradient=False), Panel("empty", np.ones((0, 0)))),
    "one eigenvalue": report(Panel("one", np.ones((1, 1))), eigenvalues=np.ones(1)),
    "all equal": report(eigenvalues=np.zeros(5), clusters=((0, 5),)),
}


@pytest.mark.parametrize("name", ALL)
def test_it_is_one_document_that_asks_for_nothing(name):
    text = page(ALL[name])
    found = Page(text)
    assert "http" not in text.replace("http-equiv", "")
    assert "src=" not in text
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    assert not re.search(r"\son\w+=", text)
    links = [v for _, attrs in found.tags for k, v in attrs.items() if k in ("href", "xlink:href")]
    assert links
    assert all(v.startswith("data:") for v in links)
    assert found.of("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) <= {2}
    names = [tag for tag, _ in found.tags]
    assert [names.count(tag) for tag in ("header", "main", "footer", "script", "style")] == [1] * 5
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a} <= set(ids)
    for attrs in found.of("svg"):
        assert attrs["role"] == "img"
        assert attrs["aria-label"]
    assert names.count("table") == names.count("caption")
    assert all(attrs["scope"] in ("col", "row") for attrs in found.of("th"))


def test_the_policy_names_the_script_and_the_style():
    text = page(ALL["small"])
    (policy,) = (m["content"] for m in Page(text).of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2


@pytest.mark.parametrize("n", [3, 12])
def test_all_that_a_report_says_is_escaped(n):
    G = hermitian(n)
    text = page(
        report(
            Panel(EVIL, G),
            Panel(f"{EVIL}.npy", G),
            title=EVIL,
            headline=EVIL,
            summary=f"{EVIL}\n{EVIL}",
            remedy=EVIL,
            facts=((EVIL, EVIL),),
            tables=(Table(EVIL, ((EVIL, EVIL), (EVIL, EVIL))),),
            kind=EVIL,
        )
    )
    found = Page(text)
    assert "<script>alert" not in text
    assert "<b>" not in text
    assert len(found.of("script")) == 1
    assert not found.of("b")
    assert sum(EVIL in t for t in found.texts) >= 14
    assert any(attrs.get("aria-label", "").startswith(EVIL) for _, attrs in found.tags)


@pytest.mark.parametrize(
    ("n", "complex_", "most"), [(8, True, 100), (64, False, 120), (64, True, 200), (65, True, 200), (200, True, 200)]
)
def test_a_page_is_small(n, complex_, most):
    report_ = pair(n, complex_, **SPECTRUM)
    rng = np.random.default_rng(1)  # evenly spread numbers are the hardest to pack
    report_.panels[0].matrix[:] = rng.uniform(-1, 1, (n, n)) + (1j * rng.uniform(-1, 1, (n, n)) if complex_ else 0)
    assert len(page(report_).encode()) <= 1000 * most


@pytest.mark.parametrize("complex_", [False, True])
def test_the_numbers_of_every_convention(complex_):
    found = pair(5, complex_)
    text = page(found)
    G = found.panels[0].matrix
    for part, name in (("real", ", real part" if complex_ else ""), ("imag", ", imaginary part"))[: 1 + complex_]:
        for form in ("lower", "upper", "symmetric"):
            truth = np.vectorize(written)(getattr(eg.convert(G, "symmetric", form), part)).tolist()
            for panel in found.panels:
                assert numbers(text, panel.title + name, form) == truth
            difference = numbers(text, "Difference: torch.npy − tensorflow.npy" + name, form)
            assert {v for row in difference for v in row} == {"0"}
        for panel in found.panels:
            given = np.vectorize(written)(getattr(panel.matrix, part)).tolist()
            assert numbers(text, panel.title + name, "given") == given
    assert all("hidden" in a for a in Page(text).of("tbody") if a["data-as"] != "given")
    assert not any("hidden" in a for a in Page(text).of("tbody") if a["data-as"] == "given")


@pytest.mark.parametrize("n", [12, 64, 200])
def test_the_numbers_behind_an_image(n):
    found = pair(n, complex_=True)
    images = [a for a in Page(page(found)).of("svg") if a.get("class") == "image"]
    assert len(images) == 6
    lower = eg.convert(found.panels[0].matrix, "symmetric", "lower")
    side = -(-n // CELLS)
    for k, image in enumerate(images[:4]):
        part = "imag" if k % 2 else "real"
        scale = float(image["data-scale"])
        assert image["data-shape"] == f"{n} {n}"
        assert int(image["data-block"]) == side
        assert int(image["data-sign"]) == (-1 if k % 2 else 1)
        given = blocks(getattr(found.panels[k // 2].matrix, part), side)
        assert np.allclose(decoded(image["data-given"], scale), given.ravel(), rtol=0, atol=0.51 * scale / STEPS)
        truth = blocks(getattr(lower, part), side)
        packed = truth[np.tril_indices(len(truth))]
        assert np.allclose(decoded(image["data-lower"], scale), packed, rtol=0, atol=0.51 * scale / STEPS)
        assert not np.any(np.triu(truth, 1))


def test_an_image_has_the_colours_of_its_entries():
    G = hermitian(10)
    G[2, 7] = np.nan
    text = page(report(Panel("torch.npy", G)))
    content = base64.b64decode(re.search(r"base64,([^\"]+)", text).group(1))
    assert content.startswith(b"\x89PNG")
    start = content.index(b"IDAT")
    size = int.from_bytes(content[start - 4 : start], "big")
    rows = zlib.decompress(content[start + 4 : start + 4 + size])
    pixels = np.frombuffer(rows, np.uint8).reshape(10, 11)[:, 1:]
    scale = figures(report(Panel("torch.npy", G)))[0].scale
    assert np.array_equal(pixels, level(G, scale) + 1)
    assert pixels[2, 7] == 0
    palette = content[content.index(b"PLTE") + 4 :]
    assert tuple(palette[3 * 33 : 3 * 34]) == colors()[32] == (255, 255, 255)
    assert "Hatched: 1 without a number." in text


def test_blocks_are_means():
    X = np.arange(35.0).reshape(5, 7)
    found = blocks(X, 3)
    assert found.shape == (2, 3)
    assert found[0, 0] == np.mean(X[:3, :3])
    assert found[1, 2] == np.mean(X[3:, 6:])
    assert blocks(np.full((4, 4), 1e308), 4) == pytest.approx(1e308)
    X[4, 6] = np.nan
    assert np.isnan(blocks(X, 3)).tolist() == [[False] * 3, [False, False, True]]


def test_what_is_averaged_is_said():
    G = np.zeros((200, 200))
    G[171, 30] = -7.5
    text = page(report(Panel("torch.npy", G)))
    assert "Each cell is the mean of a block of 4 × 4 entries." in text
    assert "Largest magnitude: 7.500 in row 171, column 30." in text


def test_numbers_that_are_none():
    G = hermitian(3)
    G[0, 1], G[1, 1], G[2, 2] = np.nan, np.inf, -np.inf
    text = page(report(Panel("torch.npy", G), Panel("ours", np.full((3, 3), np.nan))))
    assert text.count("<td class=nan>NaN") > 9
    assert "<td class=nan>∞" in text
    assert "<td class=nan>−∞" in text


def test_one_scale_for_all_and_another_for_the_difference():
    one, two, apart = figures(report(Panel("a", np.eye(3)), Panel("b", np.eye(3) + 0.25)))
    assert one.scale == two.scale == 1.25
    assert (apart.scale, apart.own) == (0.5, True)  # of the lower convention, where entries are doubled
    text = page(pair(3))
    assert text.count('class="legend"') == 2
    assert "One scale for all" in text
    assert "Its own scale" in text


def test_no_difference_and_no_toggle_where_they_make_no_sense():
    rectangle = np.ones((2, 3))
    assert len(figures(report(Panel("a", np.eye(2)), Panel("b", np.eye(3))))) == 2
    assert len(figures(report(Panel("a", np.eye(2)), Panel("b", np.eye(2), gradient=False)))) == 2
    assert len(figures(report(*[Panel("a", np.eye(2))] * 3))) == 3
    assert 'id="toggle"' not in page(report(Panel("a", rectangle), Panel("b", np.eye(2), gradient=False)))
    assert '<fieldset id="toggle" hidden>' in page(report(Panel("a", rectangle), Panel("b", np.eye(2))))


@pytest.mark.parametrize("factor", [1e-300, 1e-150, 1e150, 1e300])
def test_the_unit_changes_no_colour(factor):
    def classes(G):
        return re.findall(r"<td class=(k\d+)>", page(report(Panel("a", G), Panel("b", G.T))))

    G = np.random.default_rng(0).standard_normal((4, 4))
    assert classes(factor * G) == classes(G)


def test_the_spectrum():
    text = page(report(**SPECTRUM))
    assert "The smallest gap is 0, between eigenvalues 1 and 2. Equal ones: 1 to 3; 5 to 6." in text
    assert text.count("<circle") == 4
    assert text.count('<rect class="equal"') == 3
    assert ">3 equal</text>" in text
    assert "eigenvalues 5 and 6: gap 1e−9, equal" in text
    assert "<circle" not in page(report(eigenvalues=np.array([1.0])))
    assert 'id="spectrum"' not in page(report(eigenvalues=np.array([1.0, np.nan])))


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (0.3124, "0.312"), (-0.5, "−0.500"), (12.3456, "12.35"), (2.4e-16, "2e−16"),
        (-3e-4, "−3e−4"), (1.5e7, "2e7"), (9999.4, "9999"), (np.inf, "∞"), (np.nan, "NaN"),
    ],
)  # fmt: skip
def test_numbers_in_cells(x, text):
    assert written(x) == text


def test_a_frame_holds_the_page():
    found = report(Panel(EVIL, np.eye(2)), title=EVIL)
    (attrs,) = Page(frame(found)).of("iframe")
    assert attrs["srcdoc"] == page(found)
    assert attrs["sandbox"] == "allow-scripts"
    assert attrs["title"] == EVIL
    assert frame(found) == found._repr_html_()


def test_the_picture():
    pytest.importorskip("matplotlib")
    G = hermitian(3, complex_=True)
    bad = hermitian(3)
    bad[0, 1] = np.nan
    found = report(Panel("$\\bad{", G), Panel("ours", bad), Panel("packed", np.ones((1, 6)), gradient=False))
    assert found.png().startswith(b"\x89PNG")
    assert report(Panel("tiny", 1e-150 * bad)).png().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no matrix to draw"):
        report().png()
