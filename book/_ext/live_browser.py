"""Cells that run in the reader's browser: which pages can, and the files that they need.

Pyodide has numpy, scipy and matplotlib, and no torch. What a page needs is read from the
imports of its cells and of the library's code that they reach, so no page has to say it.
"""

import ast
import sys
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from execution import _notebook
from sphinx.util.osutil import relative_uri

import dsnnlib

LIBRARY = Path(dsnnlib.__file__).parent
FOLDER = "_static/live"
WHEEL = f"dsnnlib-{dsnnlib.__version__}-py3-none-any.whl"
OWN = "pyodide/"  # where a site keeps Pyodide of its own
PYODIDE = {  # the packages of Pyodide, by the name of the import
    "contourpy": "contourpy",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}
TITLES = {"ot": "POT", "torch": "PyTorch"}


def needs(cells):
    """Top names of the packages that the cells import, themselves or in the library's code.

    An import inside a function of the library counts if that function's name is met on the
    way from the cells: one name may stand for several functions, so this may find too much,
    never too little. An import that is tried, and may fail, does not count.
    """
    page = ast.parse("\n\n".join(cells))
    found, reached, modules, functions = set(), _names(page), {}, []
    waiting = list(_imports(page, inside=True))
    while waiting:
        name = waiting.pop()
        if not name.startswith("dsnnlib"):
            found.add(name.split(".")[0])
        elif name not in modules and (path := _source(name)):
            modules[name] = ast.parse(path.read_text(encoding="utf8"))
            waiting += _imports(modules[name])
            functions += _functions(modules[name])
    while met := [function for names, function in functions if names & reached]:
        functions = [(names, function) for names, function in functions if not names & reached]
        for function in met:
            reached |= _names(function)
            inner = _imports(function, inside=True)
            found |= {name.split(".")[0] for name in inner} - {"dsnnlib"}
    return found - set(sys.stdlib_module_names)


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _imports(tree, inside=False):
    """Dotted names of the imports, also those inside functions if asked; not those tried."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.Try) and (inside or not isinstance(node, _DEFINITIONS)):
            yield from _imports(node, inside)


def _functions(tree):
    """(what code says to reach it, definition) of every function, method and class."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _DEFINITIONS):
                names = {f".{child.name}"}
                yield names if isinstance(node, ast.ClassDef) else names | {child.name}, child


def _names(tree):
    """Names and .attributes that code mentions; of a class, without its named methods."""
    found, waiting = set(), [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
        elif isinstance(node, ast.alias) and node.asname:
            found.add(node.name)
        for child in ast.iter_child_nodes(node):
            method = isinstance(node, ast.ClassDef) and isinstance(child, _DEFINITIONS)
            if not method or child.name.startswith("__"):
                waiting.append(child)
    return found


def _source(name):
    """File of a module of the library; None if the name is of something in a module."""
    path = LIBRARY.joinpath(*name.split(".")[1:])
    found = [p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()]
    return found[0] if found else None


def prefer_own(app, config):
    """A site that has a Pyodide of its own uses it: `make site-offline` has put it there."""
    if (Path(app.outdir) / OWN / "pyodide.js").exists():
        config.pyodide_url = OWN


def read_needs(app, docname, source):
    """Note what a page with cells needs, before it is read."""
    notebook = _notebook(app.env, docname)
    cells = [c.source for c in notebook.cells if c.cell_type == "code"] if notebook else []
    if cells:
        app.env.metadata[docname]["live_needs"] = sorted(needs(cells))


def add_bar(app, pagename, templatename, context, doctree):
    """Below the title: the place of the button, or why there is none."""
    wanted = app.env.metadata.get(pagename, {}).get("live_needs")
    if wanted is None or app.builder.format != "html":
        return
    lacking = [name for name in wanted if name not in PYODIDE]
    if lacking:
        bar = _refusal(lacking)
    else:
        packages = " ".join(PYODIDE[name] for name in wanted)
        url = app.config.pyodide_url
        if ":" not in url:  # a folder of the site
            url = relative_uri(app.builder.get_target_uri(pagename), url)
        bar = (
            f'<div class="live-bar" data-runs="browser" data-packages="{escape(packages)}" '
            f'data-wheel="{WHEEL}" data-pyodide="{escape(url)}" hidden></div>'
        )
    head, end, rest = context["body"].partition("</h1>")
    context["body"] = head + end + bar + rest


def _refusal(lacking):
    names = " and ".join(TITLES.get(name, name) for name in lacking)
    return (
        f'<div class="live-bar" data-needs="{escape(" ".join(lacking))}"><p>No browser has '
        f"{escape(names)}, which this page's cells need. To change and run them, get the book's "
        "source: <code>make live</code> runs them on your own machine.</p></div>"
    )


def copy_library(app, error):
    """The library, packed as a wheel, in the site."""
    if error or app.builder.format != "html":
        return
    pack(Path(app.outdir) / FOLDER / WHEEL)


def pack(wheel):
    """Write the library as a wheel, the same bytes whenever its sources are the same."""
    about = f"dsnnlib-{dsnnlib.__version__}.dist-info"
    files = {
        f"dsnnlib/{path.relative_to(LIBRARY).as_posix()}": path.read_bytes()
        for path in sorted(LIBRARY.rglob("*.py"))
    }
    files[f"{about}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: dsnnlib\nVersion: {dsnnlib.__version__}\n".encode()
    )
    files[f"{about}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: book\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = ""
    for name, content in files.items():
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def setup(app):
    app.add_config_value("pyodide_url", OWN, rebuild="html", types=[str])
    app.connect("config-inited", prefer_own)
    app.connect("source-read", read_needs)
    app.connect("html-page-context", add_bar)
    app.connect("build-finished", copy_library)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
