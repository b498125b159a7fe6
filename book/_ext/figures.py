"""Refuse figures without a real alt text and a caption; let the others follow the theme."""

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

SHORTEST_ALT = 20


def check_figures(app, doctree):
    """Warn (an error, in our builds) of an image without a real alt text or a caption."""
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "").strip()
        name = image.get("uri") or image["candidates"].get("*", "")
        if len(alt) < SHORTEST_ALT:
            logger.warning(
                "figure %s has no alt text: say in a sentence what is seen (cell metadata "
                "mystnb: image: alt)",
                name,
                location=image,
                type="figures",
                subtype="alt",
            )
        figure = image.parent
        while figure and not isinstance(figure, nodes.figure):
            figure = figure.parent
        captioned = figure and any(isinstance(child, nodes.caption) for child in figure)
        if not captioned:
            logger.warning(
                "figure %s has no caption (cell metadata mystnb: figure: caption)",
                name,
                location=image,
                type="figures",
                subtype="caption",
            )
        # dark-light: the theme leaves it alone; figure-theme: our style sheet adapts it.
        image["classes"] += ["dark-light"]
        if "/jupyter_execute/" in name:
            image["classes"] += ["figure-theme"]


def setup(app):
    app.connect("doctree-read", check_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
