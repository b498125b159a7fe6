"""What every page gets beyond the theme: roles, its place in the book, few icons, our scripts."""

import re
from html import escape
from importlib.resources import files
from pathlib import Path

from fontTools import subset
from sphinx.errors import ExtensionError

SCRIPTS = Path(__file__).resolve().parents[1] / "_reader"
THEME = Path(str(files("pydata_sphinx_theme"))) / "theme/pydata_sphinx_theme"
NAME = "pydata-sphinx-theme.css"
STYLE, FONTS = f"styles/{NAME}", "vendor/fontawesome/webfonts"
ICON = re.compile(r"((?:\.fa-[a-z0-9-]+:before,?)+)\{content:\"\\([0-9a-f]{1,4}) ?\"\}")
CHARACTER = re.compile(r"[\"']\\([0-9a-f]{2,4}) ?[\"']")
FACE = re.compile(r"(@font-face\{[^}]*src:)url\(([^}]*?)\.woff2\)[^}]*(?=\})")
ICON_SCRIPT = re.compile(r"<script [^>]*fontawesome\.js[^>]*></script>\s*")
# Named by scripts and style sheets.
ALWAYS = {"fa-xmark", "fa-angle-down", "fa-chevron-down", "fa-chevron-right"}


def configure(app, config):
    """Put the folder of our two scripts and our templates beside the theme's own."""
    config.html_static_path.append(str(SCRIPTS))
    config.templates_path.append(str(SCRIPTS.parent / "_templates"))


def mend_page(app, pagename, templatename, context, doctree):
    """Mend the body that Sphinx wrote, and tell where in the book it stands."""
    body = context.get("body")
    if not body:
        return
    # Entries of a list are list items; axe calls the role of a bibliography's entry deprecated.
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    # The name of a folded cell is the text that one sees, not a label that says something else.
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    body = re.sub(r'<th class="head">\s*</th>', '<td class="head"></td>', body)
    drawings = {name: Path(app.srcdir, uri) for uri, (_, name) in app.env.images.items()}
    body = re.sub(r"<img (?![^>]*loading=)[^>]*>", lambda tag: _lazy(tag[0], drawings), body)
    part = _parts(app).get(pagename)
    if part:
        home = context["pathto"](app.config.root_doc)
        place = (
            f'<nav class="place" aria-label="Place in the book"><a href="{home}">'
            f"{escape(app.config.html_title or app.config.project)}</a> "
            f'<span aria-hidden="true">/</span> {escape(part)}</nav>'
        )
        body = re.sub(r"<h1\b", lambda h1: place + "\n<h1", body, count=1)
    context["body"] = body


def _parts(app):
    """{docname: caption of its part}."""
    tree = app.env.external_site_map.root
    return {doc: part.caption for part in tree.subtrees for doc in part.items if part.caption}


def _lazy(tag, drawings):
    """The image's tag: loaded when near, its place kept free until then."""
    added = ' loading="lazy"'
    source = re.search(r'src="[^"]*_images/([^"]+\.svg)"', tag)
    if source and source[1] in drawings and "width=" not in tag:
        head = drawings[source[1]].read_text(encoding="utf8")[:2000]
        if box := re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head):
            added += f' width="{round(float(box[1]))}" height="{round(float(box[2]))}"'
    return "<img" + added + tag[4:]


def lighten(app, error):
    """Of the theme's 1,900 icons keep those that pages show: 1.5 MB of script become 10 KB."""
    if error or app.builder.name not in ("html", "dirhtml"):
        return
    used = set(ALWAYS)
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf8")
        used |= set(re.findall(r"\bfa-[a-z0-9-]+", text))
        if ICON_SCRIPT.search(text):
            page.write_text(ICON_SCRIPT.sub("", text), encoding="utf8")
    theme, static = THEME / "static", Path(app.outdir) / "_static"
    style = (theme / STYLE).read_text(encoding="utf8")

    def shown(names):
        return bool(used & set(re.findall(r"fa-[a-z0-9-]+", names)))

    if len(FACE.findall(style)) != 3 or not ICON.search(style):
        raise ExtensionError("the theme's icons are not where book/_ext/access.py looks for them")
    style = ICON.sub(lambda rule: rule[0] if shown(rule[1]) else "", style)
    others = (
        path.read_text(encoding="utf8") for path in static.rglob("*.css") if path.name != NAME
    )
    codes = {int(code, 16) for code in CHARACTER.findall(style + "".join(others))}
    style = FACE.sub(r"\1url(\2.ttf)", style)
    (static / STYLE).write_text(style, encoding="utf8")
    for font in (theme / FONTS).glob("*.ttf"):
        _keep_icons(font, static / FONTS / font.name, codes)
    for heavy in [*(static / FONTS).glob("*.woff2"), *static.rglob("*.map")]:
        heavy.unlink()
    (static / "scripts/fontawesome.js").unlink(missing_ok=True)


def _keep_icons(source, target, codes):
    """Write the font with these characters only."""
    options = subset.Options(layout_features=[], notdef_outline=True)
    font = subset.load_font(source, options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    cutter.subset(font)
    subset.save_font(font, target, options)


def setup(app):
    app.connect("config-inited", configure)
    app.connect("html-page-context", mend_page, priority=900)
    app.connect("build-finished", lighten)
    for script in sorted(SCRIPTS.glob("*.js")):
        app.add_js_file(script.name, loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
