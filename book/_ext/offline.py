"""Serve everything from the site itself: MathJax from a pip package, no other host."""

import hashlib
import shutil
from importlib.resources import files
from pathlib import Path

from sphinx.errors import ExtensionError

ENTRY = "tex-mml-chtml.js"
# of ENTRY in MathJax 3.2.2
SHA256 = "8aacaa13814e2dd77de7b5f10a7c0cda3a0bcd0af3a2129f8aa7a794f607fd55"


def mathjax_source():
    """Folder of the MathJax that django-static-mathjax brings; refuse any other version of it."""
    folder = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
    found = hashlib.sha256((folder / ENTRY).read_bytes()).hexdigest()
    if found != SHA256:
        raise ExtensionError(f"MathJax's {ENTRY} has the checksum {found}, expected {SHA256}")
    return folder


def configure(app, config):
    """Let pages load MathJax from the site."""
    mathjax_source()
    config.mathjax_path = f"mathjax/{ENTRY}"


def copy_mathjax(app, error):
    """Copy the entry point, the fonts and the TeX extensions: about 2 MB."""
    if error or app.builder.format != "html":
        return
    source, target = mathjax_source(), Path(app.outdir) / "_static" / "mathjax"
    if (target / ENTRY).exists():
        return
    (target / "output/chtml/fonts").mkdir(parents=True, exist_ok=True)
    shutil.copy(source / ENTRY, target / ENTRY)
    for folder in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)


def drop_outside_scripts(app, pagename, templatename, context, doctree):
    """Remove scripts that would ask another host; sphinx-thebe's name one."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', '')}".lower()
    ]


def setup(app):
    app.connect("config-inited", configure, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("html-page-context", drop_outside_scripts, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
