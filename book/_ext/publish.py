"""What a published page says of itself: versions, where to report mistakes, card, sitemap, 404."""

import html
import io
import os
import re
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import numpy as np
from docutils import nodes
from matplotlib.figure import Figure
from notebooks import address

from dsnnlib.figures import BY_INPUT
from dsnnlib.introduction.two_weights import TwoWeights

ARTICLE = "2507.05164"  # on the arXiv
CARD, CARD_SIZE = "_static/card.png", (1200, 630)
DESCRIPTION = 200  # characters
PAGE_404 = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>No such page: TITLE</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 1rem; }
</style>
</head>
<body>
<main>
<h1>There is no such page</h1>
<p>It may have moved.
<span id="found" hidden>Begin at the <a id="home">front page</a>,
or <a id="search">search</a>.</span></p>
</main>
<script>
// A host shows this page under any address: look upwards for the folder in which the book lies.
(async () => {
  for (let root = new URL(".", location); ; root = new URL("..", root)) {
    const answer = await fetch(new URL("searchindex.js", root), { method: "HEAD" });
    if (answer.ok) {
      home.href = new URL("FRONT", root);
      search.href = new URL("search.html", root);
      found.hidden = false;
    }
    if (answer.ok || root.pathname === "/") return;
  }
})();
</script>
</body>
</html>
"""


def build_date():
    """The day of the build; SOURCE_DATE_EPOCH fixes it, as everywhere."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def report_link(url, pagename):
    """The form for a new issue, with the page in its title; GitLab names the field differently."""
    title = quote(f"Mistake on {pagename}", safe="")
    if "gitlab" in url:
        return f"{url}/-/issues/new?issue[title]={title}"
    return f"{url}/issues/new?title={title}"


def add_footer(app, pagename, templatename, context, doctree):
    parts = [
        context.get("theme_extra_footer") or "",
        f"dsnnlib {version('dsnnlib')}; the article is "
        f'<a href="https://arxiv.org/abs/{ARTICLE}">arXiv:{ARTICLE}</a>; built {build_date()}.',
    ]
    if address(app):
        link = html.escape(report_link(address(app)[0], pagename))
        parts.append(f'<a class="report" href="{link}">Report a mistake on this page</a>')
    context["theme_extra_footer"] = "<br>\n".join(part for part in parts if part)


def add_card(app, pagename, templatename, context, doctree):
    """Tags for whoever shows a link to the page; the picture needs an absolute address."""
    tags = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": re.sub("<[^>]*>", "", context.get("title") or app.config.html_title),
        "og:description": description(doctree),
    }
    if base := app.config.html_baseurl.rstrip("/"):
        tags["og:url"] = f"{base}/{pagename}.html"
        tags["og:image"] = f"{base}/{CARD}"
        tags["twitter:card"] = "summary_large_image"
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<meta property="{name}" content="{html.escape(html.unescape(text))}">'
        for name, text in tags.items()
        if text
    )


def description(doctree):
    """The beginning of the first paragraph without mathematics."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if not any(paragraph.findall(nodes.math)):
            text = " ".join(paragraph.astext().split())
            short = text[:DESCRIPTION].rsplit(" ", 1)[0] + " ..."
            return text if len(text) <= DESCRIPTION else short
    return ""


def draw_card(title):
    """A PNG: on the left inputs that flow through the introduction's network, then the title."""
    network = TwoWeights([0.0], [0.0])
    inputs = np.linspace(-1.5, 1.5, 13)
    figure = Figure(figsize=(CARD_SIZE[0] / 100, CARD_SIZE[1] / 100), dpi=100, facecolor="white")
    axes = figure.add_axes((0.04, 0.08, 0.52, 0.84))
    for x, path in zip(inputs, network.states([1.2, 1.5], inputs).T, strict=True):
        axes.plot(path, color=BY_INPUT((x + 1.5) / 3), lw=5)
    axes.axis("off")
    figure.text(
        0.6,
        0.5,
        title.replace(" ", "\n"),
        size=38,
        family="DejaVu Serif",
        color="#222222",
        va="center",
        linespacing=1.3,
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def write(app, error):
    """The files beside the pages."""
    if error or app.builder.name != "html":
        return
    out, title = Path(app.outdir), app.config.html_title
    (out / CARD).write_bytes(draw_card(title))
    page = PAGE_404.replace("TITLE", html.escape(title))
    page = page.replace("FRONT", f"{app.config.root_doc}.html")
    (out / "404.html").write_text(page, encoding="utf8")
    sitemap = out / "sitemap.xml"
    sitemap.unlink(missing_ok=True)
    if base := app.config.html_baseurl.rstrip("/"):
        places = "".join(
            f"<url><loc>{html.escape(base)}/{name}.html</loc></url>\n"
            for name in sorted(app.env.found_docs)
        )
        sitemap.write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{places}</urlset>\n',
            encoding="utf8",
        )


def setup(app):
    app.connect("html-page-context", add_footer, priority=600)
    app.connect("html-page-context", add_card, priority=600)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
