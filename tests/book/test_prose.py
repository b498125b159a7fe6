"""Prose: numbers come out of cells, and each chapter has what a chapter must have."""

import re

import pytest
import yaml
from conftest import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
CHAPTERS = [
    chapter["file"] for part in TOC["parts"] if part.get("numbered") for chapter in part["chapters"]
]
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
LEAST = {"witnesses": 8, "figures": 6, "exercises": 5}


def source(docname):
    return (ROOT / f"{docname}.md").read_text(encoding="utf8")


def prose(docname):
    """The text without front matter, code and comments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", source(docname), flags=re.S)
    return re.sub(r"^```\{code-cell\}.*?^```$", "", text, flags=re.S | re.M)


@pytest.mark.parametrize("docname", CHAPTERS)
def test_no_number_is_typed_that_a_cell_has_glued(docname, executed):
    text = prose(docname)
    values = {
        name: output["data"]["text/plain"].strip("'")
        for name, output in executed[docname]["glued"].items()
    }
    typed = re.sub(r"\{glue:text\}`[^`]*`", "", text)
    for name, form in re.findall(r"\{glue:text\}`(\w+)(:[^`]+)?`", text):
        shown = format(float(values[name]), form[1:]) if form else values[name]
        if len(re.sub(r"\D", "", shown)) >= 3:
            assert not re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d])", typed), (
                f"{docname} types {shown}, which is glued as {name}"
            )


@pytest.mark.parametrize("docname", CHAPTERS)
def test_every_glued_value_is_used(docname, executed):
    used = set(re.findall(r"\{glue:text\}`(\w+)", source(docname)))
    assert set(executed[docname]["glued"]) == used


@pytest.mark.parametrize("docname", CHAPTERS)
def test_a_chapter_is_whole(docname, executed):
    text = source(docname)
    found = {
        "witnesses": len(executed[docname]["witnesses"]),
        "figures": len(re.findall(r"^    name: fig-", text, re.M)),
        "exercises": text.count("{exercise-start}"),
    }
    assert all(found[kind] >= LEAST[kind] for kind in LEAST), found
    assert text.count("{solution-start}") == found["exercises"] <= text.count("{hint}")
    assert text.count("{exercise-start}") == text.count("{exercise-end}")
    assert executed[docname]["metadata"]["budget_seconds"] <= 60
    for heading in (
        "**The question.**",
        "**The idea.**",
        "**Take the hypothesis away.**",
        "## What it means for practice",
        "## Exercises",
    ):
        assert heading in text, heading


@pytest.mark.parametrize("docname", PAGES)
def test_nothing_is_left_to_do(docname):
    assert not re.search(r"\b(to do|todo|fixme|tbd|coming soon|lorem)\b", source(docname), re.I)


@pytest.mark.parametrize("docname", CHAPTERS)
def test_a_chapter_links_back_and_forward_and_to_its_functions(docname):
    text, folder = prose(docname), (ROOT / docname).parent
    linked = {
        (folder / target).resolve().relative_to(ROOT).as_posix()
        for target in re.findall(r"\]\(([\w./]+)\.md(?:#[\w-]+)?\)", text)
    }
    places = [CHAPTERS.index(name) for name in linked if name in CHAPTERS]
    here = CHAPTERS.index(docname)
    assert here == 0 or min(places) < here, "no link back"
    assert here == len(CHAPTERS) - 1 or max(places) > here, "no link forward"
    closing = text.partition("**Where it goes on.**")[2].partition("\n## ")[0]
    assert "(../back/library.md)" in closing and "`dsnnlib." in closing
