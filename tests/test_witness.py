"""The witness: what passes, what fails, what is recorded, what is refused."""

import json
import sys

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from dsnnlib import witness
from dsnnlib.witness import RECORD, WitnessError, check, compare, glue

LESS = 0.25 - 2**-54  # the largest number below 1/4


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """An IPython shell without history, gone after the test."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("comparison", "error"),
    [
        ({"measured": 1.25, "expected": 1, "atol": 0.25}, 0.25),
        ({"measured": 0.75, "expected": 1, "atol": 0.25}, 0.25),
        ({"measured": 2.5, "expected": 2, "rtol": 0.25}, 0.5),
        ({"measured": -2.5, "expected": -2, "rtol": 0.25}, 0.5),
        ({"measured": 2.75, "expected": 2, "rtol": 0.25, "atol": 0.25}, 0.75),
        ({"measured": 1, "at_least": 1}, 0),
        ({"measured": 7, "at_least": 1}, 0),
        ({"measured": 0.75, "at_least": 1, "atol": 0.25}, 0.25),
        ({"measured": 1, "at_most": 1}, 0),
        ({"measured": -7, "at_most": 1}, 0),
        ({"measured": 1.25, "at_most": 1, "atol": 0.25}, 0.25),
        ({"measured": 3, "expected": 3}, 0),
        ({"measured": True, "expected": 1}, 0),
    ],
)
def test_an_error_up_to_the_tolerance_passes_and_is_recorded(comparison, error):
    assert compare("demo", **comparison).error == error  # all numbers are binary fractions


@pytest.mark.parametrize(
    "comparison",
    [
        {"measured": 1.25, "expected": 1, "atol": LESS},
        {"measured": 0.75, "expected": 1, "atol": LESS},
        {"measured": 2.5, "expected": 2, "rtol": LESS},
        {"measured": -2.5, "expected": -2, "rtol": LESS},
        {"measured": np.nextafter(1, 0), "at_least": 1},
        {"measured": 0.75, "at_least": 1, "atol": LESS},
        {"measured": np.nextafter(1, 2), "at_most": 1},
        {"measured": 1.25, "at_most": 1, "atol": LESS},
        {"measured": 0.1 + 0.2, "expected": 0.3},
        {"measured": [1, 1, 1, 2], "expected": 1},
        {"measured": np.inf, "expected": 1},
        {"measured": np.inf, "at_most": 1},
        {"measured": -np.inf, "at_least": 1},
    ],
)
def test_an_error_beyond_the_tolerance_fails_in_one_line(comparison):
    with pytest.raises(WitnessError, match=r"^demo: ") as failure:
        compare("demo", **comparison)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("relation", ["expected", "at_least", "at_most"])
@pytest.mark.parametrize("measured", [np.nan, [0, np.nan], torch.tensor([np.nan])], ids=repr)
def test_nan_fails_whatever_the_tolerance(relation, measured):
    with pytest.raises(WitnessError, match=r"(?i)nan"):
        compare("demo", measured=measured, atol=1e300, **{relation: 0})


@pytest.mark.parametrize("relation", ["expected", "at_least", "at_most"])
@pytest.mark.parametrize("answer", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("measured", [5, np.nan])
def test_an_answer_that_is_not_finite_never_passes(relation, answer, measured):
    with np.errstate(all="ignore"), pytest.raises((WitnessError, ValueError)):
        compare("demo", measured=measured, rtol=0.1, **{relation: answer})


def test_of_an_array_the_entry_closest_to_failing_is_recorded():
    record = compare("demo", measured=[1.5, 2, 3.125], expected=[1, 2, 3], atol=[1, 0.5, 0.1875])
    # slack 0.5, 0.5 and 0.0625: the third, although the first has the larger error
    assert (record.measured, record.expected, record.error) == (3.125, 3, 0.125)
    assert (record.tolerance, record.entries) == (0.1875, 3)
    assert str(record).endswith("(worst of 3)")


def test_of_an_array_the_entry_that_fails_is_reported():
    with pytest.raises(WitnessError, match=r"measured 9, expected 3, error 6.*worst of 4"):
        compare("demo", measured=[[1, 2], [9, 4]], expected=[[1, 2], [3, 4]], atol=0.5)
    with pytest.raises(WitnessError, match=r"measured -1, at least 0, error 1"):
        compare("demo", measured=[5, -1, 7], at_least=0)
    with pytest.raises(WitnessError, match=r"(?i)nan"):
        compare("demo", measured=[1e9, np.nan, 0], expected=0, atol=1)


def test_answers_and_tolerances_are_broadcast():
    record = compare("demo", measured=np.ones((2, 3)), expected=[1, 1, 1], atol=[[0], [1]])
    assert record.entries == 6
    assert compare("demo", measured=2, at_least=[0, 1]).expected == 1


def test_tensors_are_compared_by_their_values():
    measured = torch.tensor([1.0, 2.0], requires_grad=True)
    record = compare("demo", measured=measured * 2, expected=torch.tensor([2, 4]))
    assert record.entries == 2


def test_a_record_survives_json():
    record = compare("demo", measured=np.float32(0.5), expected=np.int64(0), atol=np.float64(1))
    _, metadata = record._repr_mimebundle_()
    assert json.loads(json.dumps(metadata)) == {
        RECORD: {
            "id": "demo",
            "measured": 0.5,
            "relation": "equal",
            "expected": 0.0,
            "error": 0.5,
            "tolerance": 1.0,
            "why": "",
            "entries": 1,
        }
    }


def test_a_record_is_shown_with_its_anchor_and_escaped():
    html = compare("demo.a-b", measured=1, expected=1, why="x < y & 'z'").html()
    assert 'id="witness-demo-a-b"' in html
    assert "x &lt; y &amp; &#x27;z&#x27;" in html
    assert "<code>demo.a-b</code> measured 1, expected 1, error 0, tolerance 0" in html


def test_outside_a_notebook_a_check_prints_one_line(capsys):
    check("demo", measured=0.5, at_least=0.25)
    assert capsys.readouterr().out == "demo: measured 0.5, at least 0.25, error 0, tolerance 0\n"


def test_without_ipython_a_check_prints_the_same_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    check("demo", measured=0.5, at_most=1)
    assert capsys.readouterr().out == "demo: measured 0.5, at most 1, error 0, tolerance 0\n"


def test_in_a_notebook_a_check_leaves_its_record_in_the_output(shell):
    shell.user_ns["witness"] = witness
    with capture_output() as captured:
        shell.run_cell("witness.check('demo', measured=0.5, expected=0, atol=1, why='a')")
    (output,) = captured.outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert output.metadata[RECORD]["id"] == "demo"
    assert output.metadata[RECORD]["why"] == "a"
    assert captured.stdout == ""


def test_in_a_notebook_a_failed_check_fails_the_cell_and_leaves_no_record(shell):
    shell.user_ns["witness"] = witness
    with capture_output() as captured:
        result = shell.run_cell("witness.check('demo', measured=0.5, expected=0)")
    assert isinstance(result.error_in_exec, WitnessError)
    assert captured.outputs == []


def test_in_a_notebook_glued_numbers_are_pythons_own(shell):
    pytest.importorskip("myst_nb")
    shell.user_ns.update(witness=witness, np=np)
    with capture_output() as captured:
        shell.run_cell("witness.glue(a=np.float64(0.5), b=np.int64(3), c='word')")
    glued = {
        output.metadata["scrapbook"]["name"]: list(output.data.values())
        for output in captured.outputs
    }
    assert glued == {"a": ["0.5"], "b": ["3"], "c": ["'word'"]}


def test_glue_is_harmless_outside_a_build(capsys, monkeypatch):
    assert glue(answer=np.float64(42)) is None
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(sys.modules, "myst_nb", None)
    assert glue(answer=np.float64(42)) is None


@pytest.mark.parametrize(
    ("comparison", "argument"),
    [
        ({"measured": 1}, "expected"),
        ({"measured": 1, "expected": 1, "at_least": 1}, "expected"),
        ({"measured": 1, "at_most": 1, "at_least": 1}, "at_most"),
        ({"measured": None, "expected": 1}, "measured"),
        ({"measured": [], "expected": 1}, "measured"),
        ({"measured": 1j, "expected": 1}, "measured"),
        ({"measured": np.full((3, 3), 1j), "expected": 1}, "measured"),
        ({"measured": "1", "expected": 1}, "measured"),
        ({"measured": [1, 2], "expected": [1, 2, 3]}, "measured"),
        ({"measured": 1, "expected": "1"}, "expected"),
        ({"measured": 1, "expected": []}, "expected"),
        ({"measured": 1, "at_least": "1"}, "at_least"),
        ({"measured": 1, "at_most": 1j}, "at_most"),
        ({"measured": 1, "expected": 1, "atol": -1e-9}, "atol"),
        ({"measured": 1, "expected": 1, "atol": np.nan}, "atol"),
        ({"measured": 1, "expected": 1, "atol": np.full((3, 3), np.inf)}, "atol"),
        ({"measured": 1, "expected": 1, "atol": "loose"}, "atol"),
        ({"measured": [1, 2], "expected": [1, 2], "atol": [1, 2, 3]}, "atol"),
        ({"measured": 1, "expected": 1, "rtol": -1e-9}, "rtol"),
        ({"measured": 1, "expected": 1, "rtol": np.inf}, "rtol"),
    ],
    ids=lambda value: str(value).replace("\n", ""),
)
def test_a_call_that_makes_no_sense_is_refused_in_one_line(comparison, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        compare("demo", **comparison)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("id", ["", None, 3])
def test_a_statement_must_have_a_name(id):
    for function in (compare, check):
        with pytest.raises(ValueError, match=r"\bid\b"):
            function(id, measured=1, expected=1)
