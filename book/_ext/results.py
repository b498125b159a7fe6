"""The pages that the build writes about itself: results of all witnesses, times of all chapters."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import concordance
from docutils import nodes
from docutils.statemachine import StringList
from execution import figure_cell
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from dsnnlib.witness import Record

logger = logging.getLogger(__name__)


class _Generated(SphinxDirective):
    """A directive that writes Markdown from the executed notebooks."""

    def run(self):
        self.env.note_reread()  # its sources are all the chapters
        node = nodes.container()
        text = StringList("\n".join(self.markdown()).splitlines(), source=self.env.docname)
        self.state.nested_parse(text, 0, node)
        return node.children

    def link(self, docname, anchor="", text=None):
        """An HTML link to a chapter; the target is made by a cell's output, unseen by Sphinx."""
        uri = self.env.app.builder.get_relative_uri(self.env.docname, docname)
        text = text or self.env.executed[docname]["title"]
        return f'<a href="{uri}{anchor and "#"}{anchor}">{text}</a>'


class Results(_Generated):
    """{results}: one row for each witness, under the statement that it belongs to."""

    def markdown(self):
        items = concordance.load()
        found = concordance.records(self.env.executed)
        for problem in concordance.problems(items, found):
            logger.warning("concordance: %s", problem, type="results")
        yield ":::{list-table} Every checked statement, and what was measured in this build"
        yield from [":header-rows: 1", ":class: results", ":name: table-results", ""]
        yield from _row("Statement and witness", "Measured", "Answer", "Error of tolerance")
        for item in items:
            words = " ".join(item["statement"].split())
            statement = f"{words} *({item['kind']}; {item['source']})*<br>"
            for witness in item.get("witnesses", []):
                if witness not in found:
                    continue
                docname, record = found[witness]
                relation = {"equal": "", "at least": "≥ ", "at most": "≤ "}[record["relation"]]
                many = f" (worst of {record['entries']})" if record["entries"] > 1 else ""
                error = f"{_short(record['error'])} of {_short(record['tolerance'])}"
                anchor = "witness-" + witness.replace(".", "-")
                yield from _row(
                    statement + self.link(docname, anchor, f"<code>{witness}</code>"),
                    f"{record['measured']:.8g}{many}",
                    f"{relation}{record['expected']:.8g}",
                    f"{error}<br>{record['why']}" if record["why"] else error,
                )
                statement = ""
        yield ":::"


class Witness(SphinxDirective):
    """{witness} id: show the record of another page's witness."""

    required_arguments = 1

    def run(self):
        self.env.note_reread()
        found = concordance.records(self.env.executed)
        if self.arguments[0] not in found:
            raise self.error(f"no page has the witness {self.arguments[0]}")
        _, record = found[self.arguments[0]]
        return [nodes.raw("", Record(**record).html(), format="html")]


class Shown(SphinxDirective):
    """{shown} docname figure: a chapter's picture on another page, under a caption of its own."""

    required_arguments = 2
    has_content = True

    def run(self):
        self.env.note_reread()
        docname, name = self.arguments
        cell = docname in self.env.executed and figure_cell(self.env, docname, name)
        if not cell:
            raise self.error(f"{docname} has no figure {name}")
        picture = next(o["data"]["image/svg+xml"] for o in cell.outputs if "data" in o)
        folder = Path(self.env.app.outdir).parent / "jupyter_execute" / "shown"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.svg").write_text(picture, encoding="utf8")
        source = os.path.relpath(
            folder / f"{name}.svg", Path(self.env.doc2path(self.env.docname)).parent
        )
        figure = nodes.figure(
            "", nodes.image(uri=source, alt=cell.metadata["mystnb"]["image"]["alt"])
        )
        caption = nodes.caption()
        self.state.nested_parse(self.content, self.content_offset, caption)
        figure += nodes.caption("", "", *caption.children[0].children)
        return [figure]


class Status(_Generated):
    """{status}: what each chapter took, and on what."""

    def markdown(self):
        yield ":::{list-table} Execution of the chapters, each on one core"
        yield from [":header-rows: 1", ":name: table-status", ""]
        yield from _row("Chapter", "Seconds", "Budget", "Witnesses", "Executed (UTC)")
        for docname, notebook in self.env.executed.items():
            budget = notebook["metadata"].get("budget_seconds")
            yield from _row(
                self.link(docname),
                f"{notebook['seconds']:.1f}",
                f"{budget or '-'}",
                str(len(notebook["witnesses"])),
                f"{notebook['when']:%Y-%m-%d %H:%M}",
            )
        yield from [":::", ""]
        packages = ("dsnnlib", "numpy", "scipy", "torch", "scikit-learn", "matplotlib")
        versions = ", ".join(f"{name} {version(name)}" for name in packages)
        yield (
            f"Python {platform.python_version()} on {platform.machine()} with "
            f"{os.cpu_count()} cores; {versions}."
        )


def _short(number):
    return f"{number:.1e}" if number else "0"


def _row(*cells):
    for index, cell in enumerate(cells):
        yield f"{'* -' if index == 0 else '  -'} {cell}"


def setup(app):
    app.add_directive("results", Results)
    app.add_directive("status", Status)
    app.add_directive("witness", Witness)
    app.add_directive("shown", Shown)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
