"""The build itself, on a book of one page: what it refuses, and what it executes again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGE = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {name: python3, display_name: Python 3, language: python}
---
# A page

"""
IMPORT = """```{code-cell} ipython3
import sys
import uuid
sys.path.insert(0, "..")
from dsnnlib.one import value
print("value", value(), "run", uuid.uuid4().hex)
```
"""
FIGURE = """```{code-cell} ipython3
---
mystnb: {METADATA}
---
from matplotlib import pyplot as plt
plt.plot([0, 1]);
```
"""
ALT = "image: {alt: 'A straight line that rises from zero to one.'}"
CAPTION = "figure: {caption: 'A line.', name: fig-line}"


class Book:
    """A copy of the real configuration around one page."""

    def __init__(self, root):
        self.root = root
        for folder in ROOT.glob("book/_*"):
            target = root / folder.relative_to(ROOT)
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("_config.yml", "book/references.bib"):
            shutil.copy(ROOT / name, root / name)
        self.write("_toc.yml", "format: jb-book\nroot: book/index\n")
        self.write("book/concordance.yml", "[]")
        self.write("requirements.txt", "")
        self.write("dsnnlib/__init__.py", "")
        self.write("dsnnlib/one.py", "def value():\n    return 1\n")

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf8")

    def build(self, page=None):
        """(exit code, everything printed)."""
        if page is not None:
            self.write("book/index.md", PAGE + page)
        command = [
            Path(sys.executable).with_name("jupyter-book"),
            "build",
            ".",
            "-W",
            "-n",
            "--keep-going",
            "-q",
        ]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=os.environ | {"NO_COLOR": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout

    def printed(self):
        html = (self.root / "_build/html/book/index.html").read_text(encoding="utf8")
        return re.search(r"value (\S+) run (\w+)", html).groups()


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def test_a_page_is_executed_again_exactly_when_the_library_or_the_requirements_changed(book):
    code, said = book.build(IMPORT)
    assert code == 0, said
    value, run = book.printed()
    assert value == "1"

    assert book.build()[0] == 0
    assert book.printed() == (value, run), "an unchanged page was executed again"

    book.write("dsnnlib/one.py", "def value():\n    return 2\n")
    assert book.build()[0] == 0
    value, second = book.printed()
    assert value == "2" and second != run

    book.write("requirements.txt", "numpy==0")
    assert book.build()[0] == 0
    assert book.printed()[1] != second


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_chapters_execute_side_by_side(book):
    # each page waits for the other one: one after another, neither would end
    wait = """```{code-cell} ipython3
import pathlib, time
pathlib.Path("ME").touch()
while not pathlib.Path("OTHER").exists():
    time.sleep(0.1)
```
"""
    book.write(
        "_config.yml", (ROOT / "_config.yml").read_text().replace("timeout: 300", "timeout: 60")
    )
    book.write("_toc.yml", "format: jb-book\nroot: book/index\nchapters:\n- file: book/second\n")
    book.write("book/second.md", PAGE + wait.replace("ME", "b.tmp").replace("OTHER", "a.tmp"))
    code, said = book.build(wait.replace("ME", "a.tmp").replace("OTHER", "b.tmp"))
    assert code == 0, said


def test_a_failing_cell_fails_the_build_and_is_named(book):
    code, said = book.build(
        IMPORT + "\n```{code-cell} ipython3\nraise RuntimeError('broken')\n```\n"
    )
    assert code != 0
    assert re.search(r"book/index\.md: code cell 2 \(line \d+\): RuntimeError: broken", said), said
    assert "Traceback" not in said.splitlines()[-1]


@pytest.mark.parametrize(
    "metadata, complaint",
    [
        (f"{{{CAPTION}}}", "has no alt text"),
        (f"{{image: {{alt: short}}, {CAPTION}}}", "has no alt text"),
        (f"{{{ALT}}}", "has no caption"),
        (f"{{{ALT}, {CAPTION}}}", None),
    ],
    ids=["no alt", "short alt", "no caption", "whole"],
)
def test_a_figure_needs_an_alt_text_and_a_caption(book, metadata, complaint):
    code, said = book.build(FIGURE.replace("{METADATA}", metadata))
    if complaint is None:
        assert code == 0, said
    else:
        assert code != 0 and complaint in said, said


@pytest.mark.parametrize(
    "page, complaint",
    [
        ("See {ref}`nowhere`.", "undefined label"),
        ("See {cite}`nobody`.", "nobody"),
        ("The value is {glue:text}`nothing`.\n" + IMPORT, "nothing"),
        ("```{code-cell} ipython3\nimport warnings\nwarnings.warn('odd')\n```", "stderr"),
        (
            "```{code-cell} ipython3\nfrom dsnnlib import witness\n"
            "witness.check('a.b', measured=1, expected=1)\n```\n\n```{results}\n```",
            "does not know the witness a.b",
        ),
    ],
    ids=["reference", "citation", "glue", "stderr", "witness"],
)
def test_a_warning_fails_the_build(book, page, complaint):
    code, said = book.build(page)
    assert code != 0 and complaint in said, said
