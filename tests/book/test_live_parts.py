"""Cells in the reader's browser: which pages can run, the wheel, the folder and the runner."""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import ROOT
from live_browser import OWN, PYODIDE, WHEEL, needs, pack, prefer_own

RUNS = {"book/1_introduction/two_systems", "book/4_mean_field/kuramoto_networks"}


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_live" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run():
    """run(code) -> (went through, outputs), in one namespace."""
    outputs = []
    runner = script("runner").Runner(lambda output: outputs.append(json.loads(output)))

    def run(code):
        outputs.clear()
        return runner.run(code), list(outputs)

    return run


def bars(site, chapters):
    """{docname: attributes of the page's bar}."""
    found = {}
    for name in chapters:
        text = (site / f"{name}.html").read_text(encoding="utf8")
        (bar,) = re.findall(r'<div class="live-bar"([^>]*)>', text)
        found[name] = dict(re.findall(r'data-(\w+)="([^"]*)"', bar))
    return found


# Which pages run


def test_the_pages_without_torch_and_transport_run_in_a_browser(site, executed):
    found = bars(site, executed)
    assert {name for name, bar in found.items() if bar.get("runs") == "browser"} == RUNS
    for name, bar in found.items():
        assert name in RUNS or set(bar["needs"].split()) & {"torch", "ot"}, name


def test_a_page_that_does_not_run_says_why_and_what_else_there_is(site):
    text = (site / "book/3_training/edge_of_stability.html").read_text(encoding="utf8")
    (bar,) = re.findall(r'<div class="live-bar".*?</div>', text, re.DOTALL)
    assert "PyTorch" in bar and "make live" in bar
    assert "data-runs" not in bar and "data-pyodide" not in bar


def test_a_page_is_offered_all_its_cells(site):
    for name in RUNS:
        text = (site / f"{name}.html").read_text(encoding="utf8")
        source = (ROOT / f"{name}.md").read_text(encoding="utf8")
        assert text.count("cell_input docutils") == source.count("```{code-cell}"), name


def test_needs_follow_the_library_and_its_lazy_imports_that_are_reached():
    assert needs(["import numpy as np, os"]) == {"numpy"}
    assert "torch" in needs(["from dsnnlib.outlook import attacks"])
    distances = "from dsnnlib.mean_field import distances"
    assert "ot" not in needs([distances, "distances.wasserstein_line(x, y)"])
    assert "ot" in needs([distances, "distances.bounded_lipschitz(d)"])
    assert "ot" in needs(
        ["from dsnnlib.mean_field.distances import bounded_lipschitz as bl", "bl(d)"]
    )
    assert "IPython" not in needs(["from dsnnlib import witness", "witness.check('a', measured=1)"])


def test_the_pages_that_run_need_only_what_the_folder_holds():
    wanted = script("pyodide_folder").WANTED
    for name in RUNS:
        source = (ROOT / f"{name}.md").read_text(encoding="utf8")
        blocks = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```", source, re.DOTALL | re.MULTILINE)
        blocks = [re.sub(r"\A---.*?^---\n", "", b, flags=re.DOTALL | re.MULTILINE) for b in blocks]
        code = ["\n".join(x for x in b.splitlines() if not x.startswith(":")) for b in blocks]
        assert {PYODIDE[package] for package in needs(code)} <= set(wanted)


# The wheel and the folder of Pyodide


def test_the_wheel_installs_and_is_the_same_twice(tmp_path):
    first, second = tmp_path / WHEEL, tmp_path / "again.whl"
    pack(first)
    pack(second)
    assert first.read_bytes() == second.read_bytes()
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", target, first], check=True)
    check = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import dsnnlib.training.landscapes as l; print(l.__file__)"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", check, target, *(p for p in sys.path if "-packages" in p)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(target) in result.stdout


def test_a_file_that_is_not_the_official_one_is_refused(tmp_path):
    folder = script("pyodide_folder")
    path = tmp_path / "numpy.whl"
    with pytest.raises(SystemExit, match=r"numpy\.whl is not the official file"):
        folder.keep(path, b"another", "0" * 64)
    assert not path.exists()
    folder.keep(path, b"right", hashlib.sha256(b"right").hexdigest())
    assert folder.is_kept(path, hashlib.sha256(b"right").hexdigest())


def test_the_setting_and_the_folder_are_of_one_version():
    folder = script("pyodide_folder")
    assert f"/v{folder.VERSION}/" in folder.public()


def test_a_site_with_a_pyodide_of_its_own_uses_it(tmp_path):
    app, config = SimpleNamespace(outdir=tmp_path), SimpleNamespace(pyodide_url="https://a/")
    prefer_own(app, config)
    assert config.pyodide_url == "https://a/"
    (tmp_path / OWN).mkdir()
    (tmp_path / OWN / "pyodide.js").touch()
    prefer_own(app, config)
    assert config.pyodide_url == OWN


def test_the_packages_come_with_what_they_depend_on():
    entry = {"file_name": "a.whl", "sha256": "1", "depends": ["b"]}
    other = {"file_name": "b.whl", "sha256": "2", "depends": ["a"]}
    lock = {"packages": {"a": entry, "b": other, "c": {}}}
    assert script("pyodide_folder").packages(lock, ["a"]) == {"a.whl": "1", "b.whl": "2"}


# The runner, without a browser


def test_cells_share_one_namespace_and_show_their_last_expression(run):
    assert run("x = 20\nprint('once')") == (
        True,
        [
            {"output_type": "stream", "name": "stdout", "text": "once"},
            {"output_type": "stream", "name": "stdout", "text": "\n"},
        ],
    )
    went, (output,) = run("x + 1")
    assert went and output["output_type"] == "execute_result"
    assert output["data"] == {"text/plain": "21"}
    assert run("x + 1;") == (True, []) and run("None") == (True, [])


def test_an_error_names_its_cell_and_line_as_jupyter_does(run):
    run("def f(x):\n    return 1 / x")
    went, (output,) = run("y = 1\nf(0)")
    assert not went
    assert (output["ename"], output["evalue"]) == ("ZeroDivisionError", "division by zero")
    text = "\n".join(output["traceback"])
    assert "Traceback (most recent call last)" in text
    assert "Cell In[2], line 2\n      1 y = 1\n----> 2 f(0)" in text
    assert "Cell In[1], line 2" in text and text.endswith("ZeroDivisionError: division by zero")
    assert "runner.py" not in text
    went, (output,) = run("1 +")
    assert not went and output["ename"] == "SyntaxError" and "runner.py" not in str(output)


def test_a_figure_is_shown_as_svg_and_closed(run):
    went, outputs = run("from matplotlib import pyplot as plt\nplt.plot([1, 2]);")
    assert went
    (picture,) = [o["data"]["image/svg+xml"] for o in outputs]
    assert "<svg" in picture
    assert run("plt.get_fignums()")[1][0]["data"]["text/plain"] == "[]"


def test_a_result_is_as_rich_as_it_can_be(run):
    run("class Rich:\n    def _repr_html_(self):\n        return '<b>rich</b>'")
    assert run("Rich()")[1][0]["data"]["text/html"] == "<b>rich</b>"
    assert run("display(Rich())")[1][0]["output_type"] == "display_data"


def test_the_stand_in_for_ipython_shows_the_witness_line_and_draws(tmp_path):
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
import runner
out = []
r = runner.Runner(lambda o: out.append(json.loads(o)))
runner.stand_in(r.display)
r.run("from dsnnlib import figures, witness; figures.use()")
r.run("witness.check('a.b', measured=1, expected=1)")
assert 'class="witness"' in out[-1]["data"]["text/html"], out
assert r.run("from matplotlib import pyplot as plt; plt.plot([1])"), out
assert "image/svg+xml" in out[-1]["data"]
"""
    result = subprocess.run(
        [sys.executable, "-c", code, ROOT / "book" / "_live"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"MPLBACKEND": "agg", "PATH": ""},
    )
    assert result.returncode == 0, result.stderr
