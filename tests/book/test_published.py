"""The packed site: under a sub-path, without any other host, and what it says of itself."""

import functools
import http.server
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from PIL import Image
from test_browser import browser, pytestmark  # noqa: F401
from test_build import IMPORT, Book

SUB_PATH = "/somewhere/below/"


class StaticHost(http.server.SimpleHTTPRequestHandler):
    """A static host as they are: the book under a sub-path, 404.html for what is not there."""

    def translate_path(self, path):
        inside = path.removeprefix(SUB_PATH)
        return super().translate_path(inside if inside != path else "/nothing-here")

    def send_error(self, code, message=None, explain=None):
        page = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def packed(site, tmp_path_factory):
    """The unpacked zip of `make site`."""
    target = tmp_path_factory.mktemp("packed")
    command = [sys.executable, ROOT / "tools" / "pack.py", target]
    subprocess.run(command, check=True, capture_output=True)
    (archive,) = target.glob("*.zip")
    with zipfile.ZipFile(archive) as files:
        files.extractall(target / "unpacked")
    (folder,) = (target / "unpacked").iterdir()
    return folder


@pytest.fixture(scope="module")
def address(packed):
    handler = functools.partial(StaticHost, directory=packed)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{SUB_PATH}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(browser, address):  # noqa: F811
    """A browser page that keeps `complaints`; requests that leave the sub-path are refused."""
    page = browser.new_page()
    page.complaints = []

    def guard(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            page.complaints.append(f"request outside: {route.request.url}")
            route.abort()

    page.route("**/*", guard)
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("response", lambda r: r.status >= 400 and page.complaints.append(r.url))
    yield page
    page.close()


def test_every_page_of_the_zip_works_under_a_sub_path_without_other_hosts(page, address, packed):
    page.complaints.clear()
    names = [file.relative_to(packed).as_posix() for file in sorted(packed.rglob("*.html"))]
    names = [n for n in names if not n.startswith("_static/") and n != "404.html"]
    assert len(names) > 20
    for name in names:
        page.goto(address + name, wait_until="load")
        page.wait_for_url(re.compile(r"/book/|/(genindex|search|prf-prf|py-modindex)\.html"))
        page.wait_for_function(
            "!document.querySelector('script[src*=mathjax]') || window.MathJax?.startup?.promise"
        )
        page.evaluate("window.MathJax?.startup?.promise")
        text = page.evaluate("""() => {
            const copy = document.querySelector('main').cloneNode(true);
            const kept = 'pre, code, script, style, mjx-container';
            copy.querySelectorAll(kept).forEach(e => e.remove());
            return copy.textContent; }""")
        assert not re.search(r"\\\(|\\\[|\$\$|\\(frac|sqrt|eta|lambda|begin)\b", text), name
        assert not page.complaints, name


def test_a_word_typed_into_the_search_finds_its_page(page, address):
    page.complaints.clear()
    page.goto(address + "search.html")
    page.locator("main input[type=search]").fill("monkey saddle")
    page.locator("main input[type=search]").press("Enter")
    first = page.locator("#search-results li a").first
    first.wait_for()
    target = first.get_attribute("href")
    assert "book/2_propagation/critical_points.html" in target and not page.complaints


@pytest.mark.parametrize("name", ["missing.html", "book/3_training/no/such/page.html"])
def test_a_missing_page_leads_to_the_front_page_from_any_depth(page, address, name):
    assert page.goto(address + name).status == 404
    home = page.get_by_role("link", name="front page")
    home.wait_for()
    home.click()
    page.wait_for_url(address + "book/index.html")
    assert page.locator("h1").first.inner_text().startswith("Neural networks")


def test_pages_name_the_versions_and_the_day_of_the_build(site):
    html = (site / "book/3_training/edge_of_stability.html").read_bytes()
    page = BeautifulSoup(html, "html.parser")
    footer = page.select_one(".extra_footer").get_text(" ")
    assert re.search(r"dsnnlib \d+\.\d+\.\d+.*arXiv:2507\.05164.*built \d{4}-\d\d-\d\d", footer)


def test_the_card_is_a_picture_that_sites_show_whole(site):
    with Image.open(site / "_static/card.png") as card:
        assert card.size == (1200, 630) and len(card.getcolors(2**20)) > 20


def test_without_a_repository_no_page_links_to_one(site):
    pages = [path.read_text(encoding="utf8") for path in site.glob("book/**/*.html")]
    words = ("mybinder.org/v2", "colab.research", "issues/new", "og:image")
    assert not any(word in page for page in pages for word in words)
    assert not (site / "sitemap.xml").exists() and not (site / "binder").exists()


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """A book of one page whose repository and address are set."""
    book = Book(tmp_path_factory.mktemp("configured"))
    config = (ROOT / "_config.yml").read_text(encoding="utf8")
    config = re.sub(r'url: ""', "url: https://github.com/someone/somebook", config, count=1)
    config = re.sub(r'baseurl: ""', "baseurl: https://book.example/here/", config)
    book.write("_config.yml", config)
    code, said = book.build(IMPORT)
    assert code == 0, said
    site = book.root / "_build/html"
    return site, BeautifulSoup((site / "book/index.html").read_bytes(), "html.parser")


def test_launch_buttons_open_a_notebook_that_is_published(configured):
    site, page = configured
    links = [a["href"] for a in page.find_all("a", href=True)]
    (binder,) = [link for link in links if "mybinder.org/v2/gh/someone/somebook/gh-pages" in link]
    (colab,) = [link for link in links if "colab.research.google.com/github" in link]
    assert (site / binder.split("urlpath=lab/tree/")[1]).exists()
    assert (site / colab.split("/someone/somebook/blob/gh-pages/")[1]).exists()
    requirements = (site / "binder/requirements.txt").read_text()
    assert requirements == "dsnnlib @ git+https://github.com/someone/somebook@main\n"


def test_a_mistake_can_be_reported_with_the_pages_name(configured):
    link = configured[1].select_one("a.report")["href"]
    assert link.startswith("https://github.com/someone/somebook/issues/new?title=")
    assert link.endswith("book%2Findex")


def test_the_sitemap_names_every_page_and_the_card_is_absolute(configured):
    site, page = configured
    assert "<loc>https://book.example/here/book/index.html</loc>" in (
        site / "sitemap.xml"
    ).read_text(encoding="utf8")
    image = page.find("meta", property="og:image")["content"]
    assert image == "https://book.example/here/_static/card.png"
