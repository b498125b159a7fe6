"""Cells in the reader's browser: a page from end to end, with all other hosts blocked."""

import pytest
from live_browser import OWN
from test_browser import address, browser, pytestmark, visit  # noqa: F401

PAGE = "book/1_introduction/two_systems"


def test_no_page_asks_for_pyodide_before_its_button_is_pressed(visit):  # noqa: F811
    page, complaints = visit(PAGE)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_role("button", name="Run this page in your browser").wait_for()
    assert not complaints and not [url for url in asked if "pyodide" in url or ".whl" in url]


def test_a_start_that_fails_is_said_and_can_be_tried_again(visit):  # noqa: F811
    page, _ = visit(PAGE)
    page.route("**/pyodide.js", lambda route: route.abort())
    button = page.get_by_role("button", name="Run this page in your browser")
    button.click()
    page.locator(".lite-status", has_text="It did not start").wait_for()
    assert button.is_enabled()


@pytest.fixture(scope="module")
def started(browser, address, site):  # noqa: F811
    """A page whose cells are live, with all other hosts blocked, and what it complained of."""
    if not (site / OWN / "pyodide.js").exists():
        pytest.skip("the site has no Pyodide of its own: make site-offline")
    context = browser.new_context()
    complaints = []

    def guard(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            complaints.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}{PAGE}.html")
    page.get_by_role("button", name="Run this page in your browser").click()
    page.get_by_role("button", name="Run all").wait_for(timeout=180_000)
    yield page, complaints
    context.close()


@pytest.fixture
def edited(started):
    """edited(number, code) -> the output of that cell, after it ran this code."""
    page, _ = started
    cells = page.locator("div.cell:has(.lite-cell)")

    def edited(number, code):
        cell = cells.nth(number - 1)
        if not cell.get_by_role("textbox").count():
            cell.get_by_role("button", name=f"Edit cell {number}", exact=True).click()
        cell.get_by_role("textbox").fill(code)
        cell.get_by_role("textbox").press("Shift+Enter")
        cell.locator('.lite-mark[data-state="done"], .lite-mark[data-state="failed"]').wait_for()
        page.wait_for_function(
            "n => /done|failed/.test(document.querySelectorAll('.lite-mark')[n].dataset.state)",
            arg=number - 1,
            timeout=60_000,
        )
        return cell

    return edited


def test_an_edited_cell_runs_and_its_output_takes_the_place_of_the_built_one(edited):
    cell = edited(3, "import dsnnlib\nprint(6 * 7)\ndsnnlib.__version__")
    assert cell.locator(".lite-text").all_text_contents() == ["42\n", "'0.1.0'"]
    assert cell.locator(".cell_output > *").count() == 1, "the built output stays"


def test_edits_can_be_undone(edited):
    cell = edited(6, "1 + 1")
    cell.get_by_role("button", name="Undo edits of cell 6").click()
    assert cell.get_by_role("textbox").count() == 0 and cell.locator(".cell_input pre").is_visible()


def test_a_witness_is_shown_as_in_the_book(edited):
    code = "from dsnnlib import witness\nwitness.check('a.b', measured=2, expected=2)"
    cell = edited(4, code)
    assert "a.b measured 2, expected 2" in cell.locator(".witness").inner_text()


def test_an_error_is_shown_and_the_page_goes_on(edited):
    cell = edited(5, "a = 1\na / 0")
    text = cell.locator(".lite-error").text_content()
    assert "line 2" in text and "----> 2 a / 0" in text and "ZeroDivisionError" in text
    assert cell.locator(".lite-mark").text_content().startswith("failed, In[")
    assert edited(5, "a").locator(".lite-text").text_content() == "1"


def test_a_figure_takes_its_place_above_the_caption(started, edited):
    page, complaints = started
    figure = page.locator("#fig-intro-two")
    before = figure.locator("img").get_attribute("src")
    edited(
        2,
        "from dsnnlib import figures\nfrom matplotlib import pyplot as plt\nfigures.use()\n"
        "plt.figure(figsize=(4, 2))\nplt.plot([1, 3, 2])",
    )
    source = figure.locator("img").get_attribute("src")
    assert source != before and source.startswith("data:image/svg+xml")
    assert figure.locator("figcaption").is_visible()
    assert figure.locator("img").evaluate("i => i.complete && i.naturalWidth > 100")
    assert not complaints


def test_restart_forgets_and_stops_what_runs(started, edited):
    page, complaints = started
    edited(3, "kept = 1")
    cell = page.locator("div.cell:has(.lite-cell)").nth(2)
    cell.get_by_role("textbox").fill("while True: pass")
    cell.get_by_role("textbox").press("Shift+Enter")
    cell.locator('.lite-mark[data-state="running"]').wait_for()
    page.get_by_role("button", name="Restart").click()
    page.locator(".lite-status", has_text="Ready.").wait_for(timeout=180_000)
    text = edited(3, "kept").locator(".lite-error").text_content()
    assert "NameError" in text and not complaints
