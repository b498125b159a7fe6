"""The published notebooks: complete, and readable where nobody knows MyST."""

import re

import jupytext
import nbformat
import pytest
from conftest import ROOT

NUMBERED = r"(?:Definition|Lemma|Proposition|Remark|Theorem) \d+\.\d+"
MYST = re.compile(
    r"^:::|^```\{|\{[a-z]+(:[a-z]+)?\}`|^:[a-z-]+:|\]\([^)]*\.md\b|\\[RE](?![A-Za-z])", re.MULTILINE
)


@pytest.fixture(scope="module")
def notebooks(site, executed):
    """{docname: notebook}; each one is valid."""
    found = {
        name: nbformat.read(site / "notebooks" / f"{name}.ipynb", as_version=4) for name in executed
    }
    for notebook in found.values():
        nbformat.validate(notebook)
    return found


def text(notebook):
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_a_notebook_has_the_code_of_its_chapter(notebooks):
    for name, notebook in notebooks.items():
        source = jupytext.read(ROOT / f"{name}.md")
        code = [c.source for c in source.cells if c.cell_type == "code"]
        assert [c.source for c in notebook.cells if c.cell_type == "code"] == code, name


def test_no_notebook_shows_myst(notebooks):
    for name, notebook in notebooks.items():
        found = MYST.search(text(notebook))
        assert not found, f"{name}: {text(notebook)[found.start() - 40 : found.end() + 40]!r}"


def test_numbers_are_those_of_the_pages(notebooks, site):
    for name, notebook in notebooks.items():
        page = (site / f"{name}.html").read_text(encoding="utf8")
        titles = " ".join(re.findall(r'<span class="caption-number">([^<]*)', page))
        shown = re.findall(rf"^\*\*({NUMBERED})\.\*\*", text(notebook), re.MULTILINE)
        assert shown == re.findall(NUMBERED, titles), name


def test_solutions_and_captions_are_kept(notebooks):
    for name, notebook in notebooks.items():
        source = (ROOT / f"{name}.md").read_text(encoding="utf8")
        written = text(notebook)
        assert written.count("**Solution of Exercise ") == source.count("{solution-start}"), name
        captions = source.count("\n    caption:") + source.count("{interactive}")
        assert len(re.findall(r"^\*\*Fig\. \d", written, re.MULTILINE)) == captions, name


def test_links_between_notebooks_lead_somewhere(notebooks, site):
    for name, notebook in notebooks.items():
        folder = (site / "notebooks" / f"{name}.ipynb").parent
        for target in re.findall(r"\]\(([\w./]+\.(?:ipynb|html))(?:#[\w-]+)?\)", text(notebook)):
            assert (folder / target).exists(), f"{name}: {target}"
