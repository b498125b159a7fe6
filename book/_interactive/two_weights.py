"""The network with two weights: how inputs flow, while training moves the weights."""

import numpy as np
from contourpy import contour_generator

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.introduction.two_weights import TwoWeights, equilibrium, slope
from dsnnlib.training.gradient_descent import descend

LAST = 2000
INPUTS = np.linspace(-1.5, 1.5, 13)


def figure():
    """Left the states through the layers, right the plane of the two weights."""
    network = TwoWeights.taught(np.linspace(-1.5, 1.5, 12), np.array([1.2, 1.5]))
    path = np.array(list(descend(network.gradient, np.array([0.4, 0.6]), 0.05, LAST)))
    crossing = int(np.argmax(path.prod(axis=1) > 1))
    grid = np.geomspace(1, LAST, 36).astype(int)
    steps = np.unique([0, crossing - 1, crossing, *grid])
    left = Panel(
        "the inputs flow",
        Axis("depth t", 0, 4, (0, 1, 2, 3, 4)),
        Axis("state h", -1.55, 1.55, (-1, 0, 1)),
    )
    u, v = np.linspace(0.2, 2, 60), np.linspace(0.3, 2.4, 60)
    height = np.log10(network.loss(np.stack(np.meshgrid(u, v), -1)))
    contours = contour_generator(u, v, height)
    rings = [c for level in np.linspace(-4, 0, 9) for c in contours.lines(level)]
    right = Panel(
        "the weights flow",
        Axis("weight u", 0.2, 2, (0.5, 1, 1.5, 2)),
        Axis("weight v", 0.3, 2.4, (0.5, 1, 1.5, 2)),
        (
            *(line(*ring[:: max(1, len(ring) // 60)].T, "grey thin") for ring in rings),
            line(u, 1 / u, "green dashed"),
            words(0.25, 1.5, "uv = 1", "green"),
            line(*path[np.unique(np.geomspace(1, LAST, 90).astype(int)) - 1].T, "orange thin"),
        ),
    )
    depth = np.linspace(0, 4, network.layers + 1)[::2]
    frames = []
    for k in steps:
        theta = path[k]
        states = network.states(theta, INPUTS)[::2].T
        parted = slope(*theta, horizon=network.horizon, layers=network.layers)
        frames.append(
            Frame(
                (
                    (
                        line(depth, states[INPUTS < 0], "blue"),
                        line(depth, states[INPUTS == 0], "grey"),
                        line(depth, states[INPUTS > 0], "orange"),
                    ),
                    (dots(*theta[:, None], "black big"),),
                ),
                says(*theta, parted),
                {"step": int(k), "theta": theta, "slope": parted, "states": states},
            )
        )
    names = tuple(str(k) for k in steps)
    start = int(np.searchsorted(steps, crossing))
    return Figure((Slider("step of training k", names, start),), (left, right), tuple(frames))


def says(u, v, parted):
    """What is seen at these weights."""
    gain = f"uv = {number(u * v)}"
    if u * v <= 1:
        return (
            f"{gain}, not above 1: every input shrinks towards 0. "
            f"Two inputs near 0 leave {number(parted)} times as far apart as they came."
        )
    return (
        f"{gain}, above 1: inputs are sent to ±{number(equilibrium(u, v))}, by their sign. "
        f"Two inputs near 0 leave {number(parted)} times as far apart as they came."
    )
