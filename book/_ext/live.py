"""Put the scripts of live cells into the site, and the first of them on pages that have cells."""

import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "_live"


def copy_scripts(app):
    """Copy everything that is for the browser."""
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "live"
        ours = shutil.ignore_patterns("server.py", "pyodide_folder.py", "__pycache__")
        shutil.copytree(SOURCE, target, dirs_exist_ok=True, ignore=ours)


def add_script(app, pagename, templatename, context, doctree):
    """Load the small script that looks for kernels and the style, on chapters only."""
    if pagename in app.env.executed:
        app.add_css_file("live/live.css")
        app.add_js_file("live/start.js", loading_method="defer")


def setup(app):
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
