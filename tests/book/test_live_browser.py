"""Cells in the reader's browser: a page from end to end, with all other hosts blocked."""

import os

import pytest
from conftest import ROOT
from test_browser import address, browser, pytestmark, visit  # noqa: F401

PAGE = "book/1_introduction/two_systems"
BUTTON = "Run this page in your browser"
PYODIDE = ROOT / "_build" / "pyodide"  # its files, checked by hash: see .ci/run


def test_no_page_asks_for_pyodide_before_its_button_is_pressed(visit):  # noqa: F811
    page, complaints = visit(PAGE)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_role("button", name=BUTTON).wait_for()
    assert not complaints and not [url for url in asked if "pyodide" in url or ".whl" in url]


def test_a_start_that_fails_is_said_and_can_be_tried_again(visit):  # noqa: F811
    page, _ = visit(PAGE)
    page.route("**/pyodide.js", lambda route: route.abort())
    button = page.get_by_role("button", name=BUTTON)
    for _ in range(2):
        button.click()
        page.locator(".live-status", has_text="Python did not start").wait_for()
        assert button.is_enabled()


@pytest.fixture(scope="module")
def started(browser, address):  # noqa: F811
    """A page whose cells are live, and its complaints; Pyodide's public files come from PYODIDE."""
    if not (PYODIDE / "pyodide.js").exists() and not os.environ.get("CI"):
        pytest.skip("no files of Pyodide in _build/pyodide: .ci/run says how to get them")
    context = browser.new_context()
    complaints = []

    def guard(route):
        url = route.request.url
        file = PYODIDE / url.rpartition("/")[2]
        if url.startswith((address, "data:", "blob:")):
            route.continue_()
        elif "/pyodide/" in url and file.exists():
            route.fulfill(path=file, headers={"Access-Control-Allow-Origin": "*"})
        else:
            complaints.append(url)
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}{PAGE}.html")
    page.get_by_role("button", name=BUTTON).click()
    page.get_by_role("button", name="Run all").wait_for(timeout=180_000)
    yield page, complaints
    context.close()


@pytest.fixture
def edited(started):
    """edited(number, code) -> the output of that cell, after it ran this code."""
    page, _ = started

    def edited(number, code):
        cell = write(page, number, code)
        cell.locator(".live-count", has_text="[*]").wait_for(state="detached", timeout=60_000)
        return cell.locator(".live-output")

    return edited


def write(page, number, code):
    """Replace a cell's code and press shift and enter; return the cell."""
    cell = page.locator(".live-cell").nth(number - 1)
    cell.get_by_role("button", name=f"Edit, cell {number}", exact=True).click()
    cell.get_by_role("textbox").fill(code)
    cell.get_by_role("textbox").press("Shift+Enter")
    return cell


def test_an_edited_cell_runs_and_its_output_takes_the_place_of_the_built_one(started, edited):
    output = edited(3, "import dsnnlib\nprint(6 * 7)\ndsnnlib.__version__")
    assert output.locator("pre").all_text_contents() == ["42\n", "'0.1.0'"]
    shown = started[0].locator(".live-cell").nth(2).locator(".cell_output")
    assert shown.evaluate_all("all => all.filter(e => e.innerText.trim()).length") == 1


def test_a_witness_is_shown_as_in_the_book(edited):
    code = "from dsnnlib import witness\nwitness.check('a.b', measured=2, expected=2)"
    assert "a.b measured 2, expected 2" in edited(4, code).locator(".witness").inner_text()


def test_an_error_is_shown_and_the_page_goes_on(edited):
    text = edited(5, "a = 1\na / 0").locator(".live-error").text_content()
    assert "line 2" in text and "----> 2 a / 0" in text and "ZeroDivisionError" in text
    assert edited(5, "a").locator("pre").text_content() == "1"


def test_a_figure_stands_above_its_caption(started, edited):
    page, complaints = started
    image = edited(
        2,
        "from dsnnlib import figures\nfrom matplotlib import pyplot as plt\nfigures.use()\n"
        "plt.figure(figsize=(4, 2))\nplt.plot([1, 3, 2]);",
    ).locator("img")
    assert image.get_attribute("src").startswith("data:image/svg+xml")
    assert image.evaluate("i => i.complete && i.naturalWidth > 100")
    caption = page.locator("#fig-intro-two figcaption")
    assert image.bounding_box()["y"] < caption.bounding_box()["y"]
    assert not complaints


def test_what_runs_can_be_stopped_and_a_restart_forgets(started, edited):
    page, complaints = started
    edited(3, "kept = 1")
    write(page, 3, "while True: pass").locator(".live-count", has_text="[*]").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".live-status", has_text="Python has stopped").wait_for()
    page.get_by_role("button", name="Restart").click()
    page.locator('.live-bar[data-state="idle"]').wait_for(timeout=180_000)
    text = edited(3, "kept").locator(".live-error").text_content()
    assert "NameError" in text and not complaints
