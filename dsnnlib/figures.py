"""One style for all figures: colour-blind safe, right on a light and on a dark page.

Figures have no background of their own. On a dark page the book's style sheet
inverts their lightness and keeps their hue, so colours must be far from white:
`COLOURS` are the Okabe-Ito hues, darkened until each has a contrast of 3 or
more against the light page and, inverted, against the dark one.
"""

import matplotlib as mpl

from dsnnlib._checks import finite

COLOURS = {
    "black": "#1a1a1a",
    "blue": "#0072b2",
    "orange": "#c25e00",
    "green": "#00805c",
    "purple": "#b0508a",
    "grey": "#767676",
}
BY_INPUT = mpl.colors.LinearSegmentedColormap.from_list(  # for many curves, by a number in [0, 1]
    "by input", [COLOURS["blue"], COLOURS["grey"], COLOURS["orange"]]
)
WIDTH = 6.8  # inches: the text width of the book at 100 % zoom

_STYLE = {
    "figure.figsize": (WIDTH, 3.6),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "savefig.dpi": 160,
    "axes.facecolor": "none",
    "axes.prop_cycle": mpl.cycler(
        color=[c for n, c in COLOURS.items() if n not in ("black", "grey")]
    ),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "font.size": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "mathtext.fontset": "cm",
    "svg.fonttype": "path",
    "svg.hashsalt": "dsnnlib",
}


def use():
    """Apply the style; in a notebook, also draw figures as SVG."""
    mpl.rcParams.update(_STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        set_matplotlib_formats("svg", facecolor="none", bbox_inches=None, metadata={"Date": None})


def label(axes, x, y, text, colour="black", **kwargs):
    """Write `text` beside the point (x, y) of `axes`, in place of a legend entry.

    `colour` is a name of `COLOURS`; the rest goes to ``Axes.annotate``.
    """
    options = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"} | kwargs
    return axes.annotate(text, (x, y), color=_colour(colour), annotation_clip=False, **options)


def threshold(axes, value, text, *, along="y", at=0.99, colour="grey"):
    """Draw a theoretical value as a thin dashed line that carries its formula.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    value : float
        Where the line stands, in data units.
    text : str
        Its formula.
    along : "x" or "y"
        The axis on which `value` is measured.
    at : float
        Where along the line the text ends, as a fraction of the axes.
    colour : str
        A name of `COLOURS`.
    """
    value = finite("value", value)
    style = {"color": _colour(colour), "lw": 1, "ls": (0, (4, 2)), "zorder": 1.5}
    if along == "y":
        axes.axhline(value, **style)
        place, offset, align = (at, value), (0, 3), {"ha": "right", "va": "bottom"}
    elif along == "x":
        axes.axvline(value, **style)
        place, offset, align = (value, at), (4, 0), {"ha": "left", "va": "top"}
    else:
        raise ValueError(f"along is {along!r}; it must be 'x' or 'y'")
    coordinates = ("axes fraction", "data") if along == "y" else ("data", "axes fraction")
    return axes.annotate(
        text,
        place,
        xycoords=coordinates,
        xytext=offset,
        textcoords="offset points",
        color=_colour(colour),
        **align,
    )


def _colour(name):
    if name not in COLOURS:
        raise ValueError(f"colour is {name!r}; it must be one of {', '.join(COLOURS)}")
    return COLOURS[name]
