"""The built site in Chromium: `make docs`, then `make test-browser`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_browser import CONTRAST, browser, luminance

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site" / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
SCREENS = os.environ.get("EIGENGRAD_SCREENSHOTS")  # a folder to keep them in

pytestmark = pytest.mark.skipif(not PAGES, reason="the site is not built: make docs")


@pytest.fixture(scope="module")
def chromium():
    driver = browser()
    yield driver
    driver.quit()


def visit(driver, page, width=1280, height=800, scheme="light", search=""):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get_log("browser")
    driver.get((SITE / page).as_uri() + search)
    if SCREENS:
        Path(SCREENS).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(f"{SCREENS}/{page.replace('/', '_')}-{width}-{scheme}.png")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_and_complains_of_nothing(chromium, page):
    for width, scheme in ((1280, "light"), (420, "dark")):
        visit(chromium, page, width, scheme=scheme)
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
        assert chromium.get_log("browser") == []
        asked = chromium.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == [], "it asks nobody for anything"


def test_the_answer_is_on_the_first_screen(chromium):
    """The heading, the reason, three matrices, and the table that says whose is which: all above 800 pixels."""
    visit(chromium, "index.html")
    bottom = "return arguments[0].getBoundingClientRect().bottom"
    for css in ("h1", "h1 ~ p", ".drawn svg", "table"):
        assert 0 < chromium.execute_script(bottom, chromium.find_element(By.CSS_SELECTOR, f"article {css}")) <= 800
    text = chromium.find_element(By.CSS_SELECTOR, "article table").text
    assert all(name in text for name in ("PyTorch", "TensorFlow", "JAX", "autograd", "both triangles"))


def test_the_keyboard_works_the_tabs(chromium):
    visit(chromium, "index.html")
    chromium.execute_script("localStorage.clear(); sessionStorage.clear()")
    visit(chromium, "index.html")
    for _ in range(60):
        chromium.switch_to.active_element.send_keys(Keys.TAB)
        active = chromium.switch_to.active_element
        if active.get_attribute("type") == "radio":
            break
    assert active.get_attribute("type") == "radio"
    ring = "return getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert chromium.execute_script(ring) == "solid"
    shown = ".sd-tab-set > input:checked + label"
    assert chromium.find_element(By.CSS_SELECTOR, shown).text == "PyTorch"
    active.send_keys(Keys.ARROW_RIGHT)
    assert chromium.find_element(By.CSS_SELECTOR, shown).text == "TensorFlow"
    visible = [e.text for e in chromium.find_elements(By.CSS_SELECTOR, ".sd-tab-content") if e.is_displayed()]
    assert len(visible) == 1
    assert "tf.GradientTape" in visible[0]


def test_an_address_opens_a_tab(chromium):
    visit(chromium, "index.html", search="?framework=jax")
    assert chromium.find_element(By.CSS_SELECTOR, ".sd-tab-set > input:checked + label").text == "JAX"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_take_the_colours_of_the_page(chromium, scheme):
    """The letters of a picture are as legible as those of the text around it."""
    visit(chromium, "crossing.html", scheme=scheme)
    ink = chromium.execute_script("return getComputedStyle(document.querySelector('.drawn')).color")
    paper = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    low, high = sorted(luminance([int(c) / 255 for c in re.findall(r"\d+", color)[:3]]) for color in (ink, paper))
    assert (high + 0.05) / (low + 0.05) >= 7
    assert chromium.find_elements(By.CSS_SELECTOR, '.drawn svg [style*="currentColor"]')
    assert all(e.get_attribute("aria-label") for e in chromium.find_elements(By.CLASS_NAME, "drawn"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(chromium, scheme):
    visit(chromium, "index.html", scheme=scheme)
    seen = chromium.execute_script(CONTRAST)
    assert len(seen) > 20
    for *pair, text in seen:
        low, high = sorted(luminance([int(c) / 255 for c in re.findall(r"\d+", color)[:3]]) for color in pair)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, pair)


def test_the_search_finds_a_function(chromium):
    visit(chromium, "search.html", search="?q=projector")
    WebDriverWait(chromium, 20).until(lambda d: d.find_elements(By.CSS_SELECTOR, "#search-results li"))
