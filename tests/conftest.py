"""What the tests of the book share: the built site and its executed notebooks."""

import json
from collections import Counter
from pathlib import Path

import concordance
import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"


@pytest.fixture(scope="session")
def site():
    """The folder of the built HTML pages."""
    folder = BUILD / "html"
    assert (folder / "book" / "index.html").exists(), "no built site: run `make book` first"
    return folder


@pytest.fixture(scope="session")
def executed(site):
    """{docname: {"witnesses": [...], "metadata": {...}, "glued": {...}}} of the built chapters."""
    chapters = json.loads((BUILD / "executed.json").read_text(encoding="utf8"))
    for docname, chapter in chapters.items():
        glue = BUILD / "jupyter_execute" / f"{docname}.glue.json"
        chapter["glued"] = json.loads(glue.read_text(encoding="utf8")) if glue.exists() else {}
    return chapters


def pytest_terminal_summary(terminalreporter):
    """Print how far the concordance is."""
    count = Counter(item["status"] for item in concordance.load())
    terminalreporter.write_line(
        "concordance: " + ", ".join(f"{count[status]} {status}" for status in concordance.STATUS)
    )
