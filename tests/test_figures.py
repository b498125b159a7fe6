"""The style: contrast by WCAG, colour blindness by Machado's matrices, what is drawn."""

from io import BytesIO
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib_inline.config import InlineBackend
from traitlets.config import Config

from dsnnlib import figures
from dsnnlib.figures import COLOURS

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
XYZ = np.array(  # sRGB primaries, white D65
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
VISIONS = {  # Machado, Oliveira and Fernandes (2009), severity 1; they act on linear RGB
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
# Lab differences that half of the viewers notice between marks of 1/3 degree, the smallest size
# for which they were measured: 5.08 + 0.75/s, 5.34 + 1.54/s, 5.35 + 2.87/s with s = 1/3
# (Stone, Szafir and Setlur, An engineering model for color difference as a function of size, 2014)
NOTICEABLE = np.array([7.3, 10.0, 14.0])


@pytest.fixture
def style():
    """The style, for one test."""
    with mpl.rc_context():
        figures.use()
        yield


@pytest.fixture
def axes():
    return Figure().subplots()


def srgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def on_dark_page(rgb):
    """CSS invert(1) hue-rotate(180deg), the latter by the SVG specification's matrix, clamped."""
    luma = np.tile([0.213, 0.715, 0.072], (3, 1))
    cosine, sine = -1, 0  # the specification's third matrix has the factor sine
    rotate = luma + cosine * (np.eye(3) - luma) + sine
    return np.clip(rotate @ (1 - rgb), 0, 1)


def linear(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2: (lighter + 0.05) / (darker + 0.05), of relative luminances."""
    darker, lighter = sorted([linear(one) @ LUMINANCE, linear(other) @ LUMINANCE])
    return (lighter + 0.05) / (darker + 0.05)


def lab(rgb):
    """CIE Lab of linear RGB, white D65."""
    t = XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(1)
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_measures_give_their_textbook_values():
    black, white, red = np.zeros(3), np.ones(3), np.array([1.0, 0, 0])
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(srgb("#767676"), white) == pytest.approx(4.54, abs=0.005)  # WCAG's example grey
    np.testing.assert_allclose(lab(red), [53.24, 80.09, 67.20], atol=0.01)  # tabulated
    np.testing.assert_allclose(on_dark_page(srgb("#808080")), 127 / 255)  # greys have no hue
    for matrix in VISIONS.values():
        np.testing.assert_allclose(matrix @ white, white, atol=1e-5)  # nor does white change


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_stands_out_on_the_light_page(name):
    assert contrast(srgb(COLOURS[name]), np.ones(3)) >= 3  # WCAG 1.4.11, graphical objects


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_stands_out_on_the_dark_page(name):
    assert contrast(on_dark_page(srgb(COLOURS[name])), srgb("#14181e")) >= 3  # WCAG 1.4.11


@pytest.mark.parametrize("share", np.linspace(0, 1, 21))
def test_every_shade_by_input_stands_out_on_both_pages(share):
    shade = np.array(figures.BY_INPUT(share)[:3])
    assert contrast(shade, np.ones(3)) >= 3
    assert contrast(on_dark_page(shade), srgb("#14181e")) >= 3


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("page", ["light", "dark"])
def test_the_colours_of_the_cycle_are_told_apart(style, page, vision):
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    shown = [srgb(c) if page == "light" else on_dark_page(srgb(c)) for c in cycle]
    seen = [lab(VISIONS[vision] @ linear(rgb)) for rgb in shown]
    names = {code: name for name, code in COLOURS.items()}
    alike = {
        (names[a], names[b]): difference
        for (a, one), (b, other) in combinations(zip(cycle, seen, strict=True), 2)
        if (difference := np.linalg.norm((one - other) / NOTICEABLE)) < 1
    }
    assert alike == {}


def test_the_colours_of_the_cycle_keep_their_hue_on_the_dark_page(style):
    # that is what hue-rotate is for: a caption that says "blue" stays true
    for colour in mpl.rcParams["axes.prop_cycle"].by_key()["color"]:
        light = lab(linear(srgb(colour)))[1:]
        dark = lab(linear(on_dark_page(srgb(colour))))[1:]
        cosine = np.dot(light, dark) / np.hypot(*light) / np.hypot(*dark)
        assert cosine > np.cos(np.radians(30))  # half of the 60 degrees between primary hues


def test_figures_have_no_background(style):
    picture = BytesIO()
    figure = Figure()
    figure.subplots().plot([0, 1])
    figure.savefig(picture, format="png")
    alpha = imread(BytesIO(picture.getvalue()))[..., 3]
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert alpha.mean() < 0.1  # lines and letters only
    assert alpha.max() == 1


def test_a_figure_has_the_width_of_the_text(style):
    assert Figure().get_figwidth() == figures.WIDTH


def test_the_same_figure_is_saved_as_the_same_bytes(style):
    pictures = []
    for _ in range(2):
        picture, figure = BytesIO(), Figure()
        axes = figure.subplots()
        axes.plot([0, 1])
        figures.threshold(axes, 0.5, r"$2/\eta$")
        figure.savefig(picture, format="svg", metadata={"Date": None})
        pictures.append(picture.getvalue())
    assert pictures[0] == pictures[1]


def test_in_a_notebook_figures_are_drawn_as_svg(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    try:
        with mpl.rc_context():
            figures.use()
            figure = Figure()
            figure.subplots()
            data, _ = shell.display_formatter.format(figure)
    finally:
        InlineBackend.clear_instance()
        InteractiveShell.clear_instance()
    assert data["image/svg+xml"].count("<svg") == 1
    assert "image/png" not in data


@pytest.mark.parametrize("colour", COLOURS)
def test_a_label_stands_at_its_point_in_its_colour(axes, colour):
    text = figures.label(axes, 2.0, 3.0, "here", colour)
    assert (text.get_text(), text.xy, text.xycoords) == ("here", (2.0, 3.0), "data")
    assert mpl.colors.to_hex(text.get_color()) == COLOURS[colour]


def test_a_label_hands_the_rest_to_annotate(axes):
    text = figures.label(axes, 2.0, 3.0, "here", xytext=(7, 8), va="top", fontsize=5)
    assert (text.xyann, text.get_va(), text.get_fontsize()) == ((7, 8), "top", 5)


def test_a_threshold_crosses_the_whole_axes_at_its_value(axes):
    axes.set(xlim=(-1, 3), ylim=(-2, 8))
    text = figures.threshold(axes, 6.0, "top", at=0.25)
    (line,) = axes.lines
    pixels = line.get_transform().transform(line.get_xydata())
    np.testing.assert_allclose(axes.transData.inverted().transform(pixels), [[-1, 6], [3, 6]])
    assert (text.get_text(), text.xy, text.xycoords) == (
        "top",
        (0.25, 6.0),
        ("axes fraction", "data"),
    )


def test_a_threshold_along_x_is_upright(axes):
    axes.set(xlim=(-1, 3), ylim=(-2, 8))
    text = figures.threshold(axes, 0.5, "side", along="x", colour="blue")
    (line,) = axes.lines
    pixels = line.get_transform().transform(line.get_xydata())
    np.testing.assert_allclose(
        axes.transData.inverted().transform(pixels), [[0.5, -2], [0.5, 8]], atol=1e-12
    )
    assert mpl.colors.to_hex(line.get_color()) == COLOURS["blue"]
    assert text.xycoords == ("data", "axes fraction")


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda axes: figures.threshold(axes, 1.0, "t", along="z"), "along"),
        (lambda axes: figures.threshold(axes, 1.0, "t", along=None), "along"),
        (lambda axes: figures.threshold(axes, float("nan"), "t"), "value"),
        (lambda axes: figures.threshold(axes, 1.0, "t", colour="pink"), "colour"),
        (lambda axes: figures.label(axes, 0, 0, "t", "pink"), "colour"),
    ],
    ids=["along z", "along nothing", "value nan", "threshold in pink", "label in pink"],
)
def test_a_bad_call_is_refused_in_one_line_and_draws_nothing(axes, call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call(axes)
    assert "\n" not in str(refusal.value)
    assert not axes.lines
    assert not axes.texts
