"""Publish each chapter also as an .ipynb that is readable where nobody knows MyST.

Directives become plain Markdown, references their numbers, glued values the values of this
build. The notebooks lie in the site under notebooks/; the buttons that open them on Binder and
Colab appear only when repository.url is set.
"""

import json
import os
import re
import textwrap
from pathlib import Path
from urllib.parse import quote

import jupytext
import nbformat
import yaml
from pybtex.richtext import Text
from sphinx.directives.code import LiteralIncludeReader
from sphinx.errors import ExtensionError

FOLDER = "notebooks"
OPEN = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\}\s*(.*)$")
OPTION = re.compile(r"^:([\w-]+):\s*(.*)$")
ROLE = re.compile(r"\{([a-z]+(?::[a-z]+)?)\}`([^`]+)`")
LABELLED = re.compile(r"(\$\$(?:(?!\$\$).)*?)\$\$ ?\(([\w-]+)\)", re.DOTALL)
LINK = re.compile(r"\]\(((?:[\w./]*/)?\w+)\.md(#[\w-]+)?\)")
INSTALL = """# In the cloud: fetch the library of this book, where it is not installed.
import importlib.util

if importlib.util.find_spec("dsnnlib") is None:
    %pip install -q "git+{url}@{branch}"
"""


class Reader:
    """Turns the chapters of one built environment into notebooks."""

    def __init__(self, app):
        self.app, self.env = app, app.env
        self.macros = app.config.mathjax3_config.get("tex", {}).get("macros", {})
        self.numbers = {
            label: (kind, ".".join(map(str, number)))
            for kinds in self.env.toc_fignumbers.values()
            for kind, labels in kinds.items()
            for label, number in labels.items()
        }

    def notebook(self, docname):
        """The chapter as a notebook without outputs."""
        source = Path(self.env.doc2path(docname))
        glued = Path(self.app.outdir).parent / "jupyter_execute" / f"{docname}.glue.json"
        self.docname, self.source = docname, source
        self.glued = json.loads(glued.read_text(encoding="utf8")) if glued.exists() else {}
        original = jupytext.reads(source.read_text(encoding="utf8"), fmt="md:myst")
        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": original.metadata["kernelspec"]}
        )
        if address(self.app):
            url, branch = address(self.app)
            code = INSTALL.format(url=url, branch=branch)
            notebook.cells.append(nbformat.v4.new_code_cell(code))
        for cell in original.cells:
            if cell.cell_type == "code":
                figure = cell.metadata.pop("mystnb", {}).get("figure")
                notebook.cells.append(
                    nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata)
                )
                if figure:
                    caption = f"**{self.numbered(figure['name'])}.** {figure['caption'].strip()}"
                    notebook.cells.append(nbformat.v4.new_markdown_cell(self.inline(caption)))
            elif text := self.inline("\n".join(self.blocks(cell.source.splitlines()))).strip():
                notebook.cells.append(nbformat.v4.new_markdown_cell(text))
        for index, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{index}"  # the same book gives the same files
        return notebook

    def blocks(self, lines):
        """The lines without directives."""
        lines = iter(lines)
        for line in lines:
            found = OPEN.match(line)
            if not found:
                yield line
                if line.startswith("```"):  # code: as it is
                    for code in lines:
                        yield code
                        if code.strip() == "```":
                            break
                continue
            fence, name, argument = found.groups()
            body = []
            for inner in lines:
                if inner.strip() == fence:
                    break
                body.append(inner)
            options = {}
            while body and (option := OPTION.match(body[0])):
                options[option[1]] = option[2]
                body.pop(0)
            yield ""
            yield from self.directive(name, argument, options, body)
            yield ""

    def directive(self, name, argument, options, body):
        if name == "prf:proof":
            yield from ["*Proof.*", "", *self.blocks(body), "", "∎"]
        elif name.startswith("prf:"):
            title = f" {argument.strip()}" if argument else ""
            yield from [f"**{self.numbered(options['label'])}.**{title}", "", *self.blocks(body)]
        elif name == "exercise-start":
            yield f"**{self.numbered(options['label'])}.** {argument}".strip()
            yield from ["", *self.blocks(body)]
        elif name == "solution-start":
            yield from [f"**Solution of {self.numbered(argument)}.**", "", *self.blocks(body)]
        elif name in ("exercise-end", "solution-end"):
            pass
        elif name in ("hint", "admonition"):
            title = argument or name.title()
            if "dropdown" in options.get("class", ""):
                yield f"<details><summary>{self.inline(title)}</summary>"
                yield from ["", *self.blocks(body), "", "</details>"]
            else:
                yield from [f"**{title}.**", "", *self.blocks(body)]
        elif name == "list-table":
            number = self.numbered(options["name"]) + ". " if "name" in options else ""
            yield from [f"**{number}{argument}**", "", *table(body)]
        elif name == "literalinclude":
            file = (self.source.parent / argument).resolve()
            settings = {k: int(v) if k == "dedent" else v.strip('"') for k, v in options.items()}
            text, _ = LiteralIncludeReader(str(file), settings, self.app.config).read()
            place = file.relative_to(self.app.srcdir).as_posix()
            yield from [f"From `{place}`:", "", "```python", *text.rstrip().splitlines(), "```"]
        elif name == "interactive":
            _, settings, caption = "\n".join(body).split("---\n", 2)
            number = self.numbered(yaml.safe_load(settings)["name"])
            yield f"**{number}**, a figure with sliders on the page of the book. {caption.strip()}"
        else:
            raise ExtensionError(f"{self.source}: no Markdown is known for the directive {name}")

    def inline(self, text):
        """The text with its roles, equation numbers, macros and links resolved."""
        text = LABELLED.sub(
            lambda m: rf"{m[1]} \tag{{{self.numbers['equation-' + m[2]][1]}}}$$", text
        )
        text = ROLE.sub(lambda m: self.role(m[1], m[2]), text)
        for name, meaning in self.macros.items():
            text = re.sub(rf"\\{name}(?![A-Za-z])", lambda _, to=meaning: to, text)
        text = LINK.sub(self.link, text)
        return re.sub(r"\n{3,}", "\n\n", text)

    def role(self, name, content):
        if name == "glue:text":
            key, _, form = content.partition(":")
            value = self.glued[key]["data"]["text/plain"]
            return format(float(value), form) if form else value.strip("'\"")
        if name == "eq":
            return f"({self.numbers['equation-' + content][1]})"
        if name in ("numref", "prf:ref"):
            return self.numbered(content)
        if name in ("cite:t", "cite:p"):
            cited = [self.cited(key.strip(), name) for key in content.split(",")]
            return "; ".join(cited) if name == "cite:t" else f"({'; '.join(cited)})"
        raise ExtensionError(f"{self.source}: no Markdown is known for the role {name}")

    def numbered(self, label):
        kind, number = self.numbers[label]
        text = self.app.config.numfig_format[kind] % number
        return text[0].upper() + text[1:]

    def cited(self, key, role):
        entry = self.env.domaindata["cite"]["bibdata"].data.entries[key]
        names = [
            str(Text.from_latex(" ".join(p.prelast_names + p.last_names)))
            for p in entry.persons.get("author") or entry.persons["editor"]
        ]
        who = names[0] if len(names) == 1 else " and ".join(names)
        who = f"{names[0]} et al." if len(names) > 2 else who
        year = entry.fields.get("year", "")
        return f"{who} ({year})" if role == "cite:t" else f"{who}, {year}"

    def link(self, found):
        """A chapter's notebook, or the page of the site."""
        target = os.path.normpath(f"{Path(self.docname).parent}/{found[1]}")
        if target in self.env.executed:
            return f"]({found[1]}.ipynb{found[2] or ''})"
        up = "../" * (self.docname.count("/") + 1)
        return f"]({up}{target}.html{found[2] or ''})"


def table(lines):
    """The rows of a list-table in Markdown's own form."""
    rows = []
    for line in textwrap.dedent("\n".join(lines)).strip().splitlines():
        if line.startswith("* -"):
            rows.append([line[3:].strip()])
        elif line.startswith("  -"):
            rows[-1].append(line[3:].strip())
        else:
            rows[-1][-1] += " " + line.strip()
    rows = [[cell.strip().replace("|", r"\vert ") for cell in row] for row in rows]
    for index, row in enumerate(rows):
        yield f"| {' | '.join(row)} |"
        if index == 0:
            yield "|" + " --- |" * len(row)


def address(app):
    """(url, branch) of the repository, or None."""
    options = app.config.html_theme_options
    url = (options.get("repository_url") or "").rstrip("/")
    return (url, options.get("repository_branch") or "main") if url else None


def write(app, error):
    """All notebooks of this build, into the site."""
    if error or app.builder.name != "html":
        return
    reader, root = Reader(app), Path(app.outdir) / FOLDER
    for docname in app.env.executed:
        path = root / f"{docname}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(reader.notebook(docname), path)
    if address(app):  # Binder starts from the published tree
        url, branch = address(app)
        folder = Path(app.outdir) / "binder"
        folder.mkdir(exist_ok=True)
        (folder / "requirements.txt").write_text(f"dsnnlib @ git+{url}@{branch}\n")


def add_buttons(app, pagename, templatename, context, doctree):
    """Binder and Colab, where there is a repository to open from."""
    if pagename not in getattr(app.env, "executed", {}) or not address(app):
        return
    url, _ = address(app)
    published = app.config.published_branch
    host, _, name = url.removeprefix("https://").partition("/")
    file = f"{FOLDER}/{pagename}.ipynb"
    where = {"github.com": f"gh/{name}", "gitlab.com": f"gl/{quote(name, safe='')}"}.get(
        host, f"git/{quote(url, safe='')}"
    )
    links = {"Binder": f"https://mybinder.org/v2/{where}/{published}?urlpath=lab/tree/{file}"}
    if host == "github.com":
        links["Colab"] = f"https://colab.research.google.com/github/{name}/blob/{published}/{file}"
    icons = {"Binder": "logo_binder.svg", "Colab": "logo_colab.png"}
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Run this chapter in the cloud",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": [
                {
                    "type": "link",
                    "text": text,
                    "tooltip": f"Open on {text}",
                    "icon": f"_static/images/{icons[text]}",
                    "url": link,
                }
                for text, link in links.items()
            ],
        }
    )


def setup(app):
    app.add_config_value("published_branch", "gh-pages", rebuild="html", types=[str])
    app.connect("html-page-context", add_buttons, priority=600)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
