"""The page of a report in Chromium: its toggle, its keys, its widths, what it asks for, and what is left of it without.

Run by `make test-browser`. Nothing is downloaded: the browser and its driver are those of the system.
"""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from reports import SPECTRUM, TABLE, hermitian, pair, report
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import eigengrad as eg
from eigengrad.auditing.html_maps import written
from eigengrad.auditing.reporting import Panel

LONG = "results/of-a-run-with-a-rather-long-name/gradient_of_the_largest_eigenvalue_in_double_precision.npy"
REPORTS = {
    "small": pair(3, **SPECTRUM),
    "eight": pair(8, tone="bad"),
    "complex": pair(4, complex_=True, tables=(TABLE,)),
    "large": pair(64, complex_=True, **SPECTRUM),
    "blocks": pair(200),
    "tables": report(tables=(TABLE, TABLE), tone="open"),
    "long": report(
        Panel(LONG, hermitian(2)), Panel(LONG.upper(), hermitian(12)), title=LONG, headline=LONG, facts=((LONG, LONG),)
    ),
    "packed": report(Panel("packed", np.arange(78.0)[None], gradient=False), Panel("NaN", np.full((9, 9), np.nan))),
}


def browser(scripts=True):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


@pytest.fixture(scope="module")
def chromium():
    driver = browser()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def without_scripts():
    driver = browser(scripts=False)
    yield driver
    driver.quit()


@pytest.fixture
def visit(tmp_path):
    def go(driver, name, width=1400, scheme="light", media=""):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        file = tmp_path / f"{name}.html"
        file.write_text(REPORTS[name].html(), encoding="utf-8")
        for log in ("browser", "performance"):
            driver.get_log(log)
        driver.get(file.as_uri())
        return file.as_uri()

    return go


def asked_for(driver):
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def shown(driver):
    """The numbers in each table of cells that can be seen, row by row."""
    tables = driver.find_elements(By.CSS_SELECTOR, "table.cells")
    rows = [[r for r in t.find_elements(By.CSS_SELECTOR, "tbody tr") if r.is_displayed()] for t in tables]
    return [[[td.text for td in r.find_elements(By.TAG_NAME, "td")] for r in table] for table in rows]


def texts(x):
    return np.vectorize(written)(x).tolist()


def choose(driver, name):
    driver.find_element(By.CSS_SELECTOR, f"#toggle input[value={name}]").click()


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_and_asks_for_nothing(chromium, visit, name, width, scheme):
    address = visit(chromium, name, width, scheme)
    assert chromium.execute_script("return innerWidth") == width
    for form in ("given", "symmetric") if chromium.find_elements(By.ID, "toggle") else ():
        choose(chromium, form)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
    cut = """return [...document.querySelectorAll("h1, h2, p, dt, dd, figcaption, .legend, fieldset, svg")].filter(
        (e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest(".scroll")
    ).map((e) => e.outerHTML)"""
    assert chromium.execute_script(cut) == []
    assert chromium.get_log("browser") == []
    assert {url for url in asked_for(chromium) if not url.startswith("data:")} == {address}


@pytest.mark.parametrize("name", ["small", "complex", "eight"])
def test_the_toggle_changes_the_numbers(chromium, visit, name):
    visit(chromium, name)
    one, two = (panel.matrix for panel in REPORTS[name].panels)
    for form in ("given", "lower", "upper", "symmetric", "given"):
        choose(chromium, form)
        matrices = [one, two, one - two]
        if form != "given":
            truth = eg.convert(one, "symmetric", form)
            matrices = [truth, truth, 0 * truth]
        parts = [p for x in matrices for p in ((x.real, x.imag) if np.iscomplexobj(one) else (x,))]
        assert shown(chromium) == [texts(p + 0.0) for p in parts]
        assert chromium.find_element(By.CSS_SELECTOR, "#toggle .note").text.startswith(
            "Each gradient as" if form == "given" else "As of a function that reads"
        )
    colors = [td.value_of_css_property("background-color") for td in chromium.find_elements(By.CSS_SELECTOR, "td.k32")]
    assert set(colors) <= {"rgba(255, 255, 255, 1)"}


def test_the_keyboard_reaches_the_toggle_and_works_it(chromium, visit):
    visit(chromium, "small")
    chromium.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    active = chromium.switch_to.active_element
    assert (active.get_attribute("name"), active.get_attribute("value")) == ("as", "given")
    outline = "return getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert chromium.execute_script(outline) == "solid"
    active.send_keys(Keys.ARROW_RIGHT)
    assert chromium.switch_to.active_element.get_attribute("value") == "lower"
    G = REPORTS["small"].panels[0].matrix
    assert shown(chromium)[0] == texts(eg.convert(G, "symmetric", "lower"))
    legend = chromium.find_element(By.CSS_SELECTOR, "#toggle legend")
    assert legend.text == "Show gradients as"


@pytest.mark.parametrize("form", ["given", "lower", "upper", "symmetric"])
def test_a_cell_of_an_image_is_read(chromium, visit, form):
    """With the keys and with the pointer, in all conventions, real and imaginary part."""
    visit(chromium, "large")
    choose(chromium, form)
    g = REPORTS["large"].panels[1].matrix
    x = g if form == "given" else eg.convert(g, "lower", form)
    for k, part in ((2, x.real), (3, x.imag)):
        image = chromium.find_elements(By.CSS_SELECTOR, "svg.image")[k]
        said = chromium.find_elements(By.CSS_SELECTOR, ".map output")[k]
        scale = float(image.get_attribute("data-scale"))
        for keys, (i, j) in (("ddd", (2, 0)), ("rrr", (2, 3)), ("d" * 9, (11, 3)), ("l" * 9, (11, 0)), ("u", (10, 0))):
            arrows = {"d": Keys.ARROW_DOWN, "u": Keys.ARROW_UP, "r": Keys.ARROW_RIGHT, "l": Keys.ARROW_LEFT}
            image.send_keys(*(arrows[key] for key in keys))
            where, _, value = said.text.partition(": ")
            assert where == f"Row {i}, column {j}"
            assert float(value.replace("−", "-")) == pytest.approx(part[i, j], abs=1.5e-3 * scale)
        webdriver.ActionChains(chromium).move_to_element_with_offset(image, 2, -2).perform()
        assert said.text.startswith("Row 31, column 32: ")


def test_blocks_are_read_as_means(chromium, visit):
    visit(chromium, "blocks")
    image = chromium.find_element(By.CSS_SELECTOR, "svg.image")
    image.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    said = chromium.find_element(By.CSS_SELECTOR, ".map output").text
    mean = np.mean(REPORTS["blocks"].panels[0].matrix[4:8, :4])
    value = float(re.fullmatch(r"Rows 4–7, columns 0–3: mean (\S+)", said)[1].replace("−", "-"))
    assert value == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("name", ["small", "large"])
def test_without_scripts(without_scripts, visit, name):
    visit(without_scripts, name)
    assert without_scripts.find_element(By.TAG_NAME, "h1").text == "Two conventions: lower"
    assert without_scripts.find_element(By.CLASS_NAME, "badge").text == "✓ OK"
    assert not without_scripts.find_element(By.ID, "toggle").is_displayed()
    assert not any(e.is_displayed() for e in without_scripts.find_elements(By.TAG_NAME, "output"))
    if name == "small":
        one, two = (panel.matrix for panel in REPORTS[name].panels)
        assert shown(without_scripts) == [texts(one), texts(two), texts(one - two)]
    else:
        images = without_scripts.find_elements(By.CSS_SELECTOR, "svg.image image")
        assert [e.get_attribute("data-as") for e in images if e.is_displayed()] == ["given"] * 6


def luminance(color):
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


CONTRAST = """
const seen = [];
const solid = (e) => {
  for (; e; e = e.parentElement) {
    const color = getComputedStyle(e).backgroundColor;
    if (color !== "rgba(0, 0, 0, 0)") return color;
  }
};
for (const e of document.querySelectorAll("h1,h2,p,dt,dd,th,td,figcaption,legend,label span,.numbers span,.badge")) {
  if (e.getClientRects().length && e.textContent.trim() && !e.matches(".nan")) {
    const own = getComputedStyle(e);
    seen.push([own.color, solid(e), e.textContent]);
  }
}
for (const e of document.querySelectorAll("svg text")) seen.push([getComputedStyle(e).fill, solid(e), e.textContent]);
return seen;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["small", "eight", "complex", "tables"])
def test_text_can_be_read(chromium, visit, scheme, name):
    """A contrast of 4.5 to 1 everywhere."""
    visit(chromium, name, scheme=scheme)
    dark = luminance([int(c) / 255 for c in re.findall(r"\d+", chromium.execute_script(
        "return getComputedStyle(document.body).backgroundColor"))[:3]]) < 0.05  # fmt: skip
    assert dark == (scheme == "dark")
    seen = chromium.execute_script(CONTRAST)
    assert len(seen) > 20
    for *pair_, text in seen:
        low, high = sorted(luminance([int(c) / 255 for c in re.findall(r"\d+", color)[:3]]) for color in pair_)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, pair_)


def test_on_paper(chromium, visit):
    visit(chromium, "small", 800, "dark", media="print")
    background = chromium.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert background == "rgba(255, 255, 255, 1)"
    assert not chromium.find_element(By.CLASS_NAME, "choices").is_displayed()
    assert shown(chromium)[0] == texts(REPORTS["small"].panels[0].matrix)


def test_in_a_notebook(chromium, tmp_path):
    """The frame runs the page's script, and can touch nothing around it."""
    file = tmp_path / "notebook.html"
    file.write_text(f"<!DOCTYPE html><title>n</title><body>{REPORTS['small']._repr_html_()}</body>", encoding="utf-8")
    chromium.get_log("browser")
    chromium.get(file.as_uri())
    chromium.switch_to.frame(0)
    choose(chromium, "lower")
    truth = eg.convert(REPORTS["small"].panels[0].matrix, "symmetric", "lower")
    assert shown(chromium)[0] == texts(truth)
    assert chromium.execute_script("return window.origin") == "null"
    chromium.switch_to.default_content()
    assert [e for e in chromium.get_log("browser") if "favicon" not in e["message"]] == []
