"""What a figure with sliders consists of, its still picture as SVG, and its numbers as JSON.

A figure has panels, and one frame for every setting of its sliders. A layer is a line or
dots, in the units of its panel. The still picture is drawn here, at the start of the sliders;
interactive.js draws the other frames in the same way.
"""

import json
import math
from dataclasses import dataclass, field
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 270
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 26, 44
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
STEPS = 1000  # data are rounded to this part of an axis: a third of a pixel


@dataclass(frozen=True)
class Layer:
    """A line (broken at NaN), dots, or words at one point; `look` is one or more CSS classes."""

    kind: str
    look: str
    x: np.ndarray
    y: np.ndarray
    words: str = ""


def line(x, y, look="blue"):
    """A line through the points; of several rows, a line each."""
    return Layer("line", look, *_rows(x, y))


def dots(x, y, look="blue"):
    """A dot at each point."""
    return Layer("dots", look, *_rows(x, y))


def words(x, y, text, look="black"):
    """A short text that begins at the point."""
    return Layer("words", look, *_rows(x, y), text)


def _rows(x, y):
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    if y.ndim == 2:  # a gap after each row
        gap = np.full((len(y), 1), np.nan)
        x, y = np.hstack([x, gap]), np.hstack([y, gap])
    return x.ravel(), y.ravel()


@dataclass(frozen=True)
class Axis:
    """A linear axis; a tick is a number, or a pair (number, text)."""

    label: str
    low: float
    high: float
    ticks: tuple = ()

    def share(self, value):
        """How far along the axis the value lies, in [0, 1] between its ends."""
        return (value - self.low) / (self.high - self.low)

    def rounded(self, values):
        """The values in as few digits as the eye needs; None for what is not a number."""
        low, high = sorted((self.low, self.high))
        length = high - low
        places = math.ceil(-math.log10(length / STEPS))
        values = np.clip(values, low - length, high + length)
        return [None if math.isnan(v) else _short(round(v, places)) for v in values.tolist()]


@dataclass(frozen=True)
class Panel:
    """A coordinate system, with the layers that never change."""

    title: str
    x: Axis
    y: Axis
    still: tuple = ()
    bare: bool = False  # without axes


@dataclass(frozen=True)
class Slider:
    """A row of settings, named by short texts."""

    label: str
    settings: tuple
    start: int


@dataclass(frozen=True)
class Frame:
    """What one setting shows: layers for each panel, and words that say what is seen."""

    panels: tuple
    says: str
    facts: dict = field(default_factory=dict)  # for the tests


@dataclass(frozen=True)
class Figure:
    """The whole; frames in the order of the settings, those of the last slider fastest."""

    sliders: tuple
    panels: tuple
    frames: tuple

    @property
    def start(self):
        """Index of the frame at the start of all sliders."""
        index = 0
        for slider in self.sliders:
            index = index * len(slider.settings) + slider.start
        return index

    def data(self):
        """The JSON that interactive.js reads; what several frames share stands there once."""
        numbers, layers = Pool(), Pool()
        frames = [
            [
                [
                    layers.add(
                        [
                            layer.kind,
                            layer.look,
                            numbers.add(panel.x.rounded(layer.x)),
                            numbers.add(panel.y.rounded(layer.y)),
                            layer.words,
                        ]
                    )
                    for layer in shown
                ]
                for panel, shown in zip(self.panels, frame.panels, strict=True)
            ]
            for frame in self.frames
        ]
        return json.dumps(
            {
                "settings": [slider.settings for slider in self.sliders],
                "panels": [[p.x.low, p.x.high, p.y.low, p.y.high] for p in self.panels],
                "inner": [INNER_WIDTH, INNER_HEIGHT],
                "numbers": numbers.items,
                "layers": layers.items,
                "frames": frames,
                "says": [frame.says for frame in self.frames],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def svgs(self):
        """The still picture: one SVG for each panel."""
        shown = self.frames[self.start].panels
        return [_panel(panel, layers) for panel, layers in zip(self.panels, shown, strict=True)]


class Pool:
    """A list without repetitions."""

    def __init__(self):
        self.items, self.places = [], {}

    def add(self, item):
        """Index of the item in the list."""
        key = json.dumps(item)
        if key not in self.places:
            self.places[key] = len(self.items)
            self.items.append(item)
        return self.places[key]


def _short(value):
    return int(value) if value == int(value) else value


def _pixel(value):
    """One decimal, rounded as JavaScript does."""
    return f"{math.floor(value * 10 + 0.5) / 10 + 0.0:g}"


def draw(panel, layer):
    """The SVG element of a layer, as in interactive.js."""
    xs, ys = panel.x.rounded(layer.x), panel.y.rounded(layer.y)
    points = [
        None
        if x is None or y is None
        else (
            _pixel(panel.x.share(x) * INNER_WIDTH),
            _pixel((1 - panel.y.share(y)) * INNER_HEIGHT),
        )
        for x, y in zip(xs, ys, strict=True)
    ]
    if layer.kind == "words":
        (x, y), *_ = points
        return f'<text class="{layer.look}" x="{x}" y="{y}">{escape(layer.words)}</text>'
    d, down = "", False
    for point in points:
        if point is None:
            down = False
            continue
        d += ("L" if down else "M") + " ".join(point)
        if layer.kind == "dots":
            d += "h0"
        else:
            down = True
    return f'<path class="{layer.kind} {layer.look}" d="{d}"></path>'


def _panel(panel, layers):
    still = "".join(draw(panel, layer) for layer in panel.still)
    moving = "".join(draw(panel, layer) for layer in layers)
    axes = "" if panel.bare else _axes(panel)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">'
        f'<text class="black title" x="{LEFT}" y="{TOP - 10}">{escape(panel.title)}</text>{axes}'
        f'<svg x="{LEFT}" y="{TOP}" width="{INNER_WIDTH}" height="{INNER_HEIGHT}">'
        f'<g>{still}</g><g class="moving">{moving}</g></svg></svg>'
    )


def _axes(panel):
    bottom, middle = TOP + INNER_HEIGHT, TOP + INNER_HEIGHT / 2
    parts = [f'<path class="line axis black" d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}"></path>']
    for value, name in map(_tick, panel.x.ticks):
        x = _pixel(LEFT + panel.x.share(value) * INNER_WIDTH)
        parts.append(f'<path class="line axis black" d="M{x} {bottom}v4"></path>')
        parts.append(f'<text class="black middle" x="{x}" y="{bottom + 17}">{name}</text>')
    for value, name in map(_tick, panel.y.ticks):
        y = TOP + (1 - panel.y.share(value)) * INNER_HEIGHT
        parts.append(f'<path class="line axis black" d="M{LEFT} {_pixel(y)}h-4"></path>')
        parts.append(f'<text class="black end" x="{LEFT - 7}" y="{_pixel(y + 4)}">{name}</text>')
    centre = LEFT + INNER_WIDTH / 2
    parts.append(
        f'<text class="black middle" x="{centre:g}" y="{HEIGHT - 8}">{escape(panel.x.label)}</text>'
    )
    parts.append(
        f'<text class="black middle" transform="translate(12 {middle:g}) rotate(-90)">'
        f"{escape(panel.y.label)}</text>"
    )
    return "".join(parts)


def _tick(tick):
    value, name = tick if isinstance(tick, tuple) else (tick, f"{tick:g}")
    return value, escape(name.replace("-", "\N{MINUS SIGN}"))


def number(value, places=2):
    """A number as text, with a true minus sign."""
    return f"{value:.{places}f}".replace("-", "\N{MINUS SIGN}")
