"""The built site, as files: links, weight, and nothing from elsewhere."""

import gzip
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

FIGURE_LIMIT = 200_000  # bytes, as style.md asks
PAGE_LIMIT = 500_000  # bytes of a page and its figures, compressed as a web server sends them


@pytest.fixture(scope="module")
def pages(site):
    """{path: parsed page} of all pages of the book."""
    return {
        path: BeautifulSoup(path.read_bytes(), "html.parser")
        for path in sorted(site.glob("book/**/*.html"))
    }


def test_every_internal_link_resolves(pages, site):
    broken = []
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                broken.append(f"{path.name}: {link['href']}")
            elif (
                parts.fragment
                and target in pages
                and not pages[target].find(id=unquote(parts.fragment))
            ):
                broken.append(f"{path.name}: no anchor {link['href']}")
    assert not broken


def test_no_page_loads_anything_from_another_host(pages):
    outside = [
        f"{path.name}: {element[attribute]}"
        for path, page in pages.items()
        for tag, attribute in (
            ("script", "src"),
            ("link", "href"),
            ("img", "src"),
            ("iframe", "src"),
        )
        for element in page.find_all(tag, **{attribute: True})
        if urlsplit(element[attribute]).netloc and "canonical" not in element.get("rel", [])
    ]
    assert not outside


def test_mathjax_is_served_by_the_site(pages, site):
    scripts = [s["src"] for p in pages.values() for s in p.find_all("script", src=True)]
    mathjax = [s for s in scripts if "mathjax" in s]
    assert mathjax and (site / "_static/mathjax/tex-mml-chtml.js").exists()
    assert list(site.glob("_static/mathjax/output/chtml/fonts/woff-v2/*.woff"))


def test_figures_and_pages_are_light(pages):
    for path, page in pages.items():
        images = {
            (path.parent / unquote(i["src"])).resolve()
            for i in page.find_all("img", src=True)
            if not i["src"].startswith("data:")
        }
        for image in images:
            assert image.stat().st_size <= FIGURE_LIMIT, f"{image.name} on {path.name}"
        weight = sum(transferred(file) for file in [path, *images])
        assert weight <= PAGE_LIMIT, f"{path.name} weighs {weight / 1000:.0f} kB"


def test_every_figure_has_an_alt_text(pages):
    for path, page in pages.items():
        for image in page.select("article img"):
            assert len(image.get("alt", "")) >= 20, f"{path.name}: {image['src']}"


def transferred(file: Path):
    return len(gzip.compress(file.read_bytes(), 6))
