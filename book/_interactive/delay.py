"""The delayed exponential through the memory capacity: when can the past be wiped?"""

import math

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.propagation.delayed_exponential import (
    delayed_exponential,
    first_zero,
    kappa,
    special_rate,
)

NEAR = (0.1, 0.2, 0.25, 0.3, 0.325, 0.35, 0.36, 0.375, 0.385, 0.4, 0.425, 0.45, 0.475, 0.5)
CAPACITIES = np.append(NEAR, np.round(np.arange(0.55, 1.225, 0.05), 2))
LONG, ONSET = 6, 1 / math.e
INPUTS = np.array([-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1])


def figure():
    """Left the paths of eight inputs under y' = -K y(t - tau), right the first zero."""
    left = Panel(
        "states y(t) of eight inputs",
        Axis("time t/τ", -1, LONG, (-1, 0, 2, 4, 6)),
        Axis("state y", -1.1, 1.1, (-1, 0, 1)),
        (line([-1, LONG], [0, 0], "grey thin"),),
    )
    k = np.append(np.geomspace(1e-3, 0.9, 70) + ONSET, 1.27)
    zeros = [first_zero(each, 1.0) for each in k]
    n = np.arange(1, LONG + 1)
    right = Panel(
        "first zero of the delayed exponential",
        Axis("memory capacity Kτ", 0, 1.25, (0, 0.5, 1)),
        Axis("time t/τ", 0, LONG, (0, 1, 2, 3, 4, 5, 6)),
        (
            line([ONSET, ONSET], [0, LONG], "grey dashed"),
            words(0.22, 0.25, "1/e", "grey"),
            line(k, zeros, "black thin"),
            dots([kappa(int(i)) for i in n], n, "black"),
            words(1.03, 1.25, "κ₁", "black"),
            words(0.62, 2.2, "κ₂", "black"),
        ),
    )
    t = np.linspace(-1, LONG, 64)
    negative, positive = INPUTS[INPUTS < 0], INPUTS[INPUTS > 0]
    frames = []
    for capacity in CAPACITIES:
        p, zero = delayed_exponential(t, capacity, 1.0), first_zero(capacity, 1.0)
        states = [
            line(t, np.outer(negative, p), "blue"),
            line(t, np.outer(positive, p), "orange"),
        ]
        if capacity < ONSET:
            rate = special_rate(capacity, 1.0)
            size = np.exp(rate) / (1 + rate)  # the part of p along the special solutions
            special = size * np.exp(rate * t)
            states.append(line(t, np.outer([-1, 1], special), "green dashed"))
        place = [dots([capacity], [zero], "green big")] if zero <= LONG else []
        frames.append(
            Frame(
                (
                    (*states, *([dots([zero], [0], "green big")] if zero <= LONG else [])),
                    (line([capacity, capacity], [0, LONG], "grey thin"), *place),
                ),
                says(capacity, zero),
                {"capacity": capacity, "zero": zero, "p": p, "t": t},
            )
        )
    names = tuple(f"{capacity:.3f}" for capacity in CAPACITIES)
    return Figure(
        (Slider("memory capacity Kτ", names, names.index("0.600")),), (left, right), tuple(frames)
    )


def says(capacity, zero):
    """What is seen at this capacity."""
    if zero == math.inf:
        rate = number(special_rate(capacity, 1.0))
        return (
            "At most 1/e ≈ 0.368: the states never meet, and the order of the inputs survives. "
            f"They approach special solutions (dashed), which decay with the rate {rate}/τ."
        )
    return (
        f"More than 1/e: all states meet at zero after {number(zero)} delays. "
        "With this horizon or a longer one the past can be wiped, and a fold be written."
    )
