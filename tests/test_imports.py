"""The floors of the house: who imports whom."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import pytest

import dsnnlib

ROOT = Path(__file__).resolve().parents[1]
MODULES = ["dsnnlib", *(m.name for m in walk_packages(dsnnlib.__path__, "dsnnlib."))]
TORCH = {  # the modules that need derivatives
    "dsnnlib.exercises.critical_points",
    "dsnnlib.exercises.feed_forward",
    "dsnnlib.exercises.universal_embedding",
    "dsnnlib.outlook.adjoint",
    "dsnnlib.outlook.attacks",
    "dsnnlib.outlook.attribution",
    "dsnnlib.outlook.certificates",
    "dsnnlib.outlook.deep_network",
    "dsnnlib.outlook.flow_matching",
    "dsnnlib.propagation.critical_points",
    "dsnnlib.propagation.embedding",
    "dsnnlib.propagation.networks",
    "dsnnlib.propagation.neural_delay",
    "dsnnlib.propagation.neural_ode",
    "dsnnlib.propagation.newton",
    "dsnnlib.propagation.normal_form",
    "dsnnlib.propagation.winding",
    "dsnnlib.training.copies",
    "dsnnlib.training.curvature",
    "dsnnlib.training.interpolation",
    "dsnnlib.training.losses",
}
GROUND = {"dsnnlib.integrate", "dsnnlib.witness", "dsnnlib.figures", "dsnnlib.estimate"}


def imported(module):
    """Absolute names of what a module's source imports, at any depth of its code."""
    names = set()
    for node in ast.walk(ast.parse(Path(find_spec(module).origin).read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_modules_named_here_exist():
    assert set(MODULES) >= TORCH | GROUND


def test_only_the_modules_that_need_derivatives_import_torch():
    light = [m for m in MODULES if m not in TORCH]
    lines = [
        "import sys",
        *(f"import {m}; assert 'torch' not in sys.modules, '{m}'" for m in light),
        *(f"import {m}; assert 'torch' in sys.modules, '{m}'" for m in sorted(TORCH)),
    ]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", sorted(GROUND | {"dsnnlib._checks"}))
def test_the_ground_floor_imports_nothing_of_the_project_but_the_doorman(module):
    ours = {name for name in imported(module) if name.split(".")[0] == "dsnnlib"}
    assert {name for name in ours if not name.startswith("dsnnlib._checks")} == set()


@pytest.mark.parametrize("module", MODULES)
def test_the_library_never_knows_of_the_book(module):
    extensions = {path.stem for path in (ROOT / "book" / "_ext").glob("*.py")}
    assert extensions, "the book's extensions have moved"
    tops = {name.split(".")[0] for name in imported(module)}
    assert tops & (extensions | {"book", "tests"}) == set()
