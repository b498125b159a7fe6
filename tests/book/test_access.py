"""Every page for every reader: axe, keyboard, screen reader, and what a page weighs."""

import gzip
import os
import re
from importlib.resources import files
from importlib.util import find_spec

import pytest
from fontTools.ttLib import TTFont
from test_browser import PAGES, address, browser, needs_browser, visit  # noqa: F401

pytestmark = needs_browser
if not find_spec("axe_playwright_python") and not os.environ.get("CI"):
    pytest.skip("no axe here: pip install -e '.[test]'", allow_module_level=True)
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf8")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
CHAPTER = "book/3_training/edge_of_stability"
RUN = """async () => {
    const found = await axe.run(
        {resultTypes: ['violations'], rules: {'label-content-name-mismatch': {enabled: true}}});
    return found.violations.flatMap(v => v.nodes.map(
        n => `${v.id}: ${n.html.slice(0, 200)} ${n.any.map(a => a.message).join('; ')}`)); }"""


@pytest.fixture(scope="module")
def opened(browser, address):  # noqa: F811
    """opened(name, formulas) -> the page; its four views share it. Typeset formulas are optional.

    They are most of a page's elements and none is ours: axe is ten times as fast without them.
    """
    held = {}

    def open_page(*which):
        if held.get("which") != which:
            if held:
                held["page"].context.close()
            name, formulas = which
            page = browser.new_context().new_page()
            if not formulas:
                page.route("**/mathjax/**", lambda route: route.abort())
            page.goto(address + name + ".html", wait_until="load")
            page.evaluate("window.MathJax?.startup?.promise")
            page.evaluate(AXE)
            held.update(which=which, page=page)
        return held["page"]

    yield open_page
    if held:
        held["page"].context.close()


def assert_axe_finds_nothing(page, scheme, size):
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
    page.wait_for_timeout(300)  # colours fade from one scheme to the other
    assert page.evaluate(RUN) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "py-modindex", "prf-prf"])
def test_axe_finds_nothing_on_a_page(opened, name, scheme, size):
    assert_axe_finds_nothing(opened(name, False), scheme, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_page_with_its_formulas_typeset(opened, scheme, size):
    assert_axe_finds_nothing(opened("book/1_introduction/two_systems", True), scheme, size)


def test_a_formula_is_there_for_a_screen_reader_too(visit):  # noqa: F811
    page, _ = visit(CHAPTER)
    formulas = page.locator("article mjx-container").count()
    assert formulas > 200
    assert page.locator("article mjx-container > mjx-assistive-mml > math").count() == formulas


def test_the_tab_key_stops_at_every_control_and_at_no_formula_and_is_seen(visit):  # noqa: F811
    page, _ = visit("book/1_introduction/two_systems")
    page.wait_for_timeout(300)
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate("""() => {
            const e = document.activeElement, s = getComputedStyle(e);
            const r = e.getBoundingClientRect();
            return [e.tagName.toLowerCase(), e.textContent.trim().slice(0, 40),
                    s.outlineStyle, parseFloat(s.outlineWidth), r.width * r.height]; }""")
        )
    assert {"a", "button", "summary"} <= {stop[0] for stop in stops}
    assert "mjx-container" not in {stop[0] for stop in stops}
    unseen = [s for s in stops if s[0] != "body" and (s[2] == "none" or s[3] < 2 or s[4] == 0)]
    assert not unseen


def test_a_wide_figure_scrolls_by_keyboard_on_a_phone_and_is_no_stop_on_a_desktop(visit):  # noqa: F811
    for view, wanted in (("phone dark", "0"), ("desktop light", None)):
        page, _ = visit("book/1_introduction/two_systems", view)
        page.wait_for_timeout(200)
        assert page.locator("#fig-intro-map").get_attribute("tabindex") == wanted


def test_a_chapter_says_in_which_part_it_stands(visit):  # noqa: F811
    page, _ = visit(CHAPTER)
    place = page.get_by_role("navigation", name="Place in the book")
    assert "Part 3. Training" in place.inner_text()


def test_pictures_wait_until_they_are_near_and_keep_their_place(site):
    for name in PAGES:
        text = (site / f"{name}.html").read_text(encoding="utf8")
        for tag in re.findall(r"<img [^>]*_images/[^>]*>", text):
            assert 'loading="lazy"' in tag, tag
            assert ".svg" not in tag or " width=" in tag, tag


def test_only_icons_that_pages_show_are_in_the_site(site):
    static = site / "_static"
    assert not (static / "scripts/fontawesome.js").exists()
    fonts = list(static.rglob("fontawesome/webfonts/*"))
    assert fonts and sum(font.stat().st_size for font in fonts) < 20_000
    assert not list(static.rglob("*.map"))


def test_every_icon_of_a_page_is_drawn(visit, site):  # noqa: F811
    page, _ = visit(CHAPTER)
    icons = page.evaluate("""() => [...document.querySelectorAll('[class*="fa-"]')].map(e =>
        [e.className, getComputedStyle(e, '::before').content])""")
    font = TTFont(site / "_static/vendor/fontawesome/webfonts/fa-solid-900.ttf")
    assert icons
    for name, content in icons:
        assert ord(content.strip('"')) in font.getBestCmap(), name


def test_a_page_with_all_its_pictures_weighs_less_than_500_kilobytes(site):
    # As a host sends it: text compressed. Fonts, scripts and styles are shared by all pages.
    for name in PAGES:
        page = site / f"{name}.html"
        images = set(re.findall(r"_images/([^\"]+)", page.read_text(encoding="utf8")))
        paths = [page, *(site / "_images" / image for image in images)]
        weight = sum(len(gzip.compress(path.read_bytes())) for path in paths)
        assert weight < 500_000, name


def test_what_all_pages_share_weighs_less_than_500_kilobytes_too(site):
    text = (site / f"{CHAPTER}.html").read_text(encoding="utf8")
    shared = set(re.findall(r'(?:src|href)="\.\./\.\./(_static/[^"?]+|searchindex\.js)', text))
    assert sum(len(gzip.compress((site / name).read_bytes())) for name in shared) < 500_000
