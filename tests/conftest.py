"""What tests share: the built site, its executed notebooks, and how an exercise's check refuses."""

import json
from collections import Counter
from pathlib import Path

import concordance
import numpy as np
import pytest

from dsnnlib.exercises import NotYet

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


@pytest.fixture
def seeded(monkeypatch):
    """A function that fixes the generator from which the checks draw."""
    fresh = np.random.default_rng

    def seed(number):
        generator = fresh(number)
        monkeypatch.setattr(
            np.random, "default_rng", lambda *seed: fresh(*seed) if seed else generator
        )

    return seed


def assert_refused(check, *answer, hint):
    """The check refuses the answer, with a hint of one line."""
    with pytest.raises(NotYet, match=hint) as refusal:
        check(*answer)
    assert "\n" not in str(refusal.value)


def pytest_terminal_summary(terminalreporter):
    """Print how far the concordance is."""
    count = Counter(item["status"] for item in concordance.load())
    terminalreporter.write_line(
        "concordance: " + ", ".join(f"{count[status]} {status}" for status in concordance.STATUS)
    )
