"""The site in a browser with the network unplugged: no outside request, error or raw TeX."""

import functools
import http.server
import os
import re
import shutil
import threading

import pytest
import yaml
from conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
PAGES = [
    TOC["root"],
    *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]),
    "genindex",
    "search",
]
VIEWS = {"desktop light": ((1280, 900), "light"), "phone dark": ((390, 844), "dark")}

needs_browser = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"), reason="no chromium here: apt install chromium"
)
pytestmark = needs_browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "CI must have a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """visit(page, view) -> (playwright page, list of complaints); other hosts are blocked."""
    contexts = []

    def open_page(name, view="desktop light"):
        (width, height), scheme = VIEWS[view]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page, complaints = context.new_page(), []

        def guard(route):
            if route.request.url.startswith((address, "data:", "blob:")):
                route.continue_()
            else:
                complaints.append(f"outside request: {route.request.url}")
                route.abort()

        page.route("**/*", guard)
        page.on("console", lambda m: m.type == "error" and complaints.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on("response", lambda r: r.status >= 400 and complaints.append(f"{r.status}: {r.url}"))
        page.goto(address + name + ".html", wait_until="load")
        page.wait_for_function(
            "!document.querySelector('script[src*=mathjax]') || window.MathJax?.startup?.promise"
        )
        page.evaluate("window.MathJax?.startup?.promise")
        return page, complaints

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_with_the_network_unplugged(visit, name, view):
    page, complaints = visit(name, view)
    page.wait_for_timeout(300)
    assert not complaints
    text = page.evaluate("""() => {
        const copy = document.querySelector('main').cloneNode(true);
        copy.querySelectorAll('pre, code, script, style, mjx-container').forEach(e => e.remove());
        return copy.textContent; }""")
    assert not re.search(r"\\\(|\\\[|\$\$|\\(frac|sqrt|eta|lambda|begin)\b", text), "raw TeX"
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0, f"the page scrolls sideways by {wider} pixels"


def test_mathematics_is_typeset(visit):
    page, _ = visit("book/3_training/edge_of_stability")
    assert page.locator("mjx-container").count() > 200


def test_figures_follow_the_theme(visit):
    for view, filtered in (("desktop light", False), ("phone dark", True)):
        page, _ = visit("book/3_training/edge_of_stability", view)
        filters = page.eval_on_selector_all(
            "img.figure-theme", "all => all.map(i => getComputedStyle(i).filter)"
        )
        backgrounds = page.eval_on_selector_all(
            "img.figure-theme", "all => all.map(i => getComputedStyle(i).backgroundColor)"
        )
        assert filters and all(("invert" in f) == filtered for f in filters)
        assert set(backgrounds) == {"rgba(0, 0, 0, 0)"}, "a box behind a figure"


def test_a_witness_can_be_reached_from_the_results_page(visit):
    page, complaints = visit("book/back/results")
    page.get_by_role("link", name="uv.two-cycle").click()
    page.wait_for_url("**/edge_of_stability.html#witness-*")
    anchor = page.url.split("#")[1]
    assert page.locator(f"#{anchor}").count() == 1 and not complaints
