"""Put the scripts of live cells into the site, and the first of them on pages that have cells."""

import shutil
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "_live"


def copy_scripts(app):
    """Copy everything but the server, which is not for the browser."""
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "live"
        shutil.copytree(
            SOURCE, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
        )


def add_script(app, pagename, templatename, context, doctree):
    """Load the small script that looks for kernels, on chapters only."""
    if pagename in app.env.executed:
        app.add_js_file("live/start.js", loading_method="defer")


def setup(app):
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
