"""The concordance, the executed book, the library and the tests say the same."""

import ast
import importlib
import re
from functools import lru_cache

import concordance
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT

CHAPTERS = {
    "Two dynamical systems: on and of the network",
    "Feed-forward architectures",
    "Neural ODEs and neural delay equations",
    "Universal embedding",
    "Classification by critical points",
    "Memory",
    "Gradient descent as a map",
    "The manifold of minima",
    "Edge of stability and implicit bias",
    "Stochastic gradient descent",
    "Exchangeable neurons",
    "Kuramoto-type networks and graph limits",
    "Digraph measures and the Vlasov equation",
    "Backpropagation as a dynamical system",
    "Vanishing and exploding gradients",
    "Generative models",
    "Explainable and reliable networks",
}
EXPERIMENTS = {2: 10, 3: 12, 4: 9, 5: 7}
ITEMS = concordance.load()
CHECKED = [item for item in ITEMS if item["status"] == "checked"]


def test_concordance_and_executed_book_agree(executed):
    assert not list(concordance.problems(ITEMS, concordance.records(executed)))


@pytest.mark.parametrize("item", CHECKED, ids=lambda item: item["id"])
def test_a_checked_statement_has_its_function_test_and_place(item, site):
    for name in item["functions"]:
        module, attribute = name.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(module), attribute)), name
    for name in item["tests"]:
        file, function = name.split("::")
        assert function in functions_in(ROOT / file), name
    page = BeautifulSoup((site / f"{item['page']}.html").read_text(encoding="utf8"), "html.parser")
    assert page.find(id=item["anchor"]), f"{item['page']} has no anchor {item['anchor']}"
    for witness in item["witnesses"]:
        assert page.find(id="witness-" + witness.replace(".", "-")), witness


def test_every_experiment_with_a_known_answer_is_carried_by_a_statement():
    carried = {name for item in ITEMS for name in item.get("experiments", [])}
    assert carried == {
        f"E{part}.{n}" for part, last in EXPERIMENTS.items() for n in range(1, last + 1)
    }


def test_a_statement_is_planned_exactly_as_long_as_its_chapter_is_not_in_the_book(site):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    written = {
        re.search(r"^# (.+)$", (ROOT / f"{file}.md").read_text(encoding="utf8"), re.M)[1]
        for file in files
    }
    for item in ITEMS:
        assert item["chapter"] in CHAPTERS, item["id"]
        assert (item["status"] == "planned") == (item["chapter"] not in written) or (
            item["status"] == "out of scope"
        ), item["id"]
    assert {item["chapter"] for item in ITEMS} == CHAPTERS


WHOLE = {
    "id": "a.b",
    "kind": "theorem",
    "statement": "s",
    "source": "s",
    "chapter": "c",
    "status": "checked",
    "page": "p",
    "anchor": "a",
    "functions": ["f"],
    "tests": ["t"],
    "witnesses": ["w"],
}
RECORD = {"tolerance": 0.1, "why": "rounding"}


@pytest.mark.parametrize(
    "items, found, complaint",
    [
        ([WHOLE], {"w": ("p", RECORD)}, None),
        ([WHOLE | {"page": ""}], {"w": ("p", RECORD)}, "page is missing"),
        ([WHOLE | {"functions": []}], {"w": ("p", RECORD)}, "functions is missing"),
        ([WHOLE | {"tests": []}], {"w": ("p", RECORD)}, "tests is missing"),
        ([WHOLE | {"witnesses": []}], {}, "witnesses is missing"),
        ([WHOLE], {}, "no page has the witness w"),
        ([WHOLE], {"w": ("q", RECORD)}, "stands on q, not p"),
        ([WHOLE], {"w": ("p", RECORD), "x": ("p", RECORD)}, "does not know the witness x"),
        ([WHOLE], {"w": ("p", RECORD | {"why": ""})}, "does not say where it comes from"),
        ([WHOLE, WHOLE | {"id": "c.d"}], {"w": ("p", RECORD)}, "claimed by a.b and c.d"),
        ([WHOLE, WHOLE], {"w": ("p", RECORD)}, "used twice"),
        ([WHOLE | {"kind": "lemma"}], {"w": ("p", RECORD)}, "kind is 'lemma'"),
        ([WHOLE | {"status": "done"}], {"w": ("p", RECORD)}, "status is 'done'"),
        ([{**WHOLE, "status": "planned"}], {"w": ("p", RECORD)}, "page does not belong"),
    ],
)
def test_each_kind_of_disagreement_is_named(items, found, complaint):
    said = list(concordance.problems(items, found))
    assert (not said) if complaint is None else any(complaint in line for line in said), said


@lru_cache
def functions_in(path):
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf8")).body
        if isinstance(node, ast.FunctionDef)
    }
