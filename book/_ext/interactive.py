"""{interactive} name: a figure with sliders and without a kernel.

The module book/_interactive/NAME.py computes it when its page is written. The page gets the
still picture as SVG and, hidden until the script runs, the sliders; the numbers of all other
frames lie beside the page, in NAME.js: JSON in a call, since a page that is opened from a
disk may load a script but not fetch a file. Only pages with such a figure load the script.
"""

import importlib
import shutil
import sys
from html import escape
from pathlib import Path

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from figures import SHORTEST_ALT
from sphinx.util.docutils import SphinxDirective

BOOK = Path(__file__).resolve().parents[1]
FOLDER = BOOK / "_interactive"
SCRIPT, STYLE = "interactive.js", "interactive.css"


class interactive(nodes.General, nodes.Element):  # noqa: N801, as docutils names its nodes
    """The place of a figure's panels and sliders."""


class Interactive(SphinxDirective):
    """The directive: options name and alt, and the caption as its body."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged_required, "alt": directives.unchanged_required}  # noqa: RUF012

    def run(self):
        alt = " ".join(self.options.get("alt", "").split())
        if len(alt) < SHORTEST_ALT:
            raise self.error(f"{self.arguments[0]} has no alt text: say in a sentence what is seen")
        if not self.content:
            raise self.error(f"{self.arguments[0]} has no caption: write it into the body")
        path = module(self.arguments[0])
        if not path.exists():
            raise self.error(f"there is no interactive figure {self.arguments[0]}: {path.name}")
        self.env.note_dependency(str(path))
        for name in ("drawing.py", SCRIPT, STYLE):
            self.env.note_dependency(str(FOLDER / name))
        figure = nodes.figure("", interactive(figure=self.arguments[0], alt=alt))
        figure["classes"].append("has-sliders")
        caption = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, caption)
        figure += nodes.caption("", "", *caption.children[0].children)
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure]


def module(name):
    """The file that computes the figure."""
    return FOLDER / f"{name.replace('-', '_')}.py"


def compute(name):
    """The figure of this name, as `drawing.Figure`."""
    if str(BOOK) not in sys.path:
        sys.path.insert(0, str(BOOK))
    return importlib.import_module(f"_interactive.{module(name).stem}").figure()


def live(builder):
    """Whether the builder writes web pages, in which scripts run."""
    return builder.name in ("html", "dirhtml")


def visit(self, node):
    """Write the still picture; in a web page also the sliders, and the numbers beside the page."""
    name, figure = node["figure"], compute(node["figure"])
    source = ""
    if live(self.builder):
        page = Path(self.builder.get_outfilename(self.builder.current_docname))
        data = page.with_name(f"{name}.js")
        data.parent.mkdir(parents=True, exist_ok=True)  # before the first page is written
        data.write_text(f'interactiveFigure("{name}", {figure.data()});\n', encoding="utf8")
        source = f' data-name="{name}" data-source="{data.name}"'
    self.body.append(
        f'<div class="interactive" role="group" aria-label="Figure with sliders"{source}>'
        f'<div class="panels" role="img" aria-label="{escape(node["alt"])}">'
        + "".join(figure.svgs())
        + "</div>"
        + (controls(name, figure) if source else "")
        + f'<p class="says" id="{name}-says">{escape(figure.frames[figure.start].says)}</p></div>'
    )
    raise nodes.SkipNode


def controls(name, figure):
    """The sliders and the button; without scripts they stay hidden."""
    rows = "".join(
        f'<div class="slider"><label for="{name}-{i}">{escape(slider.label)}</label>'
        f'<input type="range" id="{name}-{i}" min="0" max="{len(slider.settings) - 1}" step="1" '
        f'value="{slider.start}" autocomplete="off" aria-describedby="{name}-says" '
        f'aria-valuetext="{slider.settings[slider.start]}"/>'
        f'<output for="{name}-{i}" aria-live="off">{slider.settings[slider.start]}</output></div>'
        for i, slider in enumerate(figure.sliders)
    )
    play = f"Play: {figure.sliders[-1].label}"
    return (
        f'<div class="controls" hidden="hidden">{rows}'
        f'<button type="button" class="play" data-stop="Stop">{escape(play)}</button></div>'
    )


def skip(self, node):
    raise nodes.SkipNode


def place_files(app):
    """Put the script and the style, with the colours of dsnnlib, into the site."""
    if app.builder.format != "html" or not FOLDER.exists():
        return
    target = Path(app.outdir) / "_static"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(FOLDER / SCRIPT, target / SCRIPT)
    style = colours() + (FOLDER / STYLE).read_text(encoding="utf8")
    (target / STYLE).write_text(style, encoding="utf8")
    if not live(app.builder):
        app.add_css_file(STYLE)  # all pages are one, or none has a script


def colours():
    """The colours as CSS variables, on a dark page as book.css turns those of the other figures."""
    from dsnnlib.figures import COLOURS

    luma = np.tile([0.213, 0.715, 0.072], (3, 1))
    turn = 2 * luma - np.eye(3)  # hue-rotate(180deg)

    def dark(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        turned = np.clip(turn @ (255 - rgb), 0, 255).round().astype(int)
        return "#" + "".join(f"{part:02x}" for part in turned)

    light = "".join(f"--figure-{name}:{colour};" for name, colour in COLOURS.items())
    night = "".join(f"--figure-{name}:{dark(colour)};" for name, colour in COLOURS.items())
    return (
        f".interactive{{{light}}}\n"
        f'@media screen{{html[data-theme="dark"] .interactive{{{night}}}}}\n'
    )


def load_where_needed(app, pagename, templatename, context, doctree):
    if not live(app.builder) or doctree is None:
        return
    if next(doctree.findall(interactive), None) is not None:
        app.add_css_file(STYLE)
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app):
    app.add_node(interactive, html=(visit, None), latex=(skip, None), text=(skip, None))
    app.add_directive("interactive", Interactive)
    app.connect("builder-inited", place_files)
    app.connect("html-page-context", load_where_needed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
