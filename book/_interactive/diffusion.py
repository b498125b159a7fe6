"""Reverse diffusion to two points: paths, law, drift, and the pitchfork, through the time."""

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.outlook.diffusion import diffused, exact_score, reverse
from dsnnlib.outlook.mixtures import GaussianMixture
from dsnnlib.outlook.reverse_bifurcation import critical_time, drift, equilibrium

NOISES = (0.25, 1.0, 4.0)
TIMES = np.round(np.concatenate([np.arange(2, 0.5, -0.1), np.arange(0.5, 0.04, -0.05)]), 2)
LONG, PATHS = 2.0, 14
COIN = GaussianMixture([[-1.0], [1.0]], 0)


def figure():
    """Left the paths and the equilibria against the time, right the law and the drift."""
    left = Panel(
        "paths, and equilibria of the drift",
        Axis("time t, backwards", LONG, 0, (2, 1, 0)),
        Axis("state x", -2.6, 2.6, (-2, -1, 0, 1, 2)),
    )
    right = Panel(
        "law and drift at this time",
        Axis("state x", -2.6, 2.6, (-2, -1, 0, 1, 2)),
        Axis("density, drift / 4", -1.5, 1.5, (-1, 0, 1)),
        (
            line([-2.6, 2.6], [0, 0], "grey thin"),
            words(1.3, 1.25, "density", "blue"),
            words(1.3, 1.0, "drift", "orange"),
        ),
    )
    x = np.linspace(-2.6, 2.6, 80)
    fine = np.geomspace(LONG, 0.04, 241)
    frames = []
    for gamma in NOISES:
        rng = np.random.default_rng(3)
        start, _ = diffused(COIN, LONG).sample(PATHS, rng)
        film = np.array(list(reverse(exact_score(COIN), start, fine, gamma=gamma, rng=rng)))
        paths, onset = film[:, :, 0].T, critical_time(gamma)
        branch = np.linspace(0.04, onset, 40)
        rest = np.append(equilibrium(branch[:-1], gamma), 0)
        whole = (
            line(fine[::6], paths[:, ::6], "blue thin"),
            line(branch, np.outer([-1, 1], rest), "orange thick"),
            line([LONG, onset], [0, 0], "orange thick"),
            line([onset, 0.04], [0, 0], "orange dashed"),
            line([onset, onset], [-2.6, 2.6], "grey dashed"),
            words(onset + 0.36, -2.4, "pitchfork", "grey"),
        )
        for t in TIMES:
            at = np.array([np.interp(-t, -fine, path) for path in paths])
            zeros = np.unique(np.array([-1, 0, 1]) * equilibrium(t, gamma))
            frames.append(
                Frame(
                    (
                        (
                            *whole,
                            line([t, t], [-2.6, 2.6], "black thin"),
                            dots(np.full(PATHS, t), at, "blue"),
                        ),
                        (
                            line(x, diffused(COIN, t).density(x[:, None]), "blue"),
                            line(x, drift(t, x, gamma) / 4, "orange"),
                            dots(zeros, 0 * zeros, "orange big"),
                        ),
                    ),
                    says(t, gamma, onset, zeros),
                    {"t": t, "gamma": gamma, "onset": onset, "zeros": zeros},
                )
            )
    return Figure(
        (
            Slider("noise γ", tuple(f"{gamma:g}" for gamma in NOISES), 1),
            Slider("time t", tuple(f"{t:.2f}" for t in TIMES), int(np.argmax(TIMES <= 0.3))),
        ),
        (left, right),
        tuple(frames),
    )


def says(t, gamma, onset, zeros):
    """What is seen."""
    if len(zeros) == 1:
        return (
            f"Before the pitchfork at t = {number(onset)}: "
            "the drift has one equilibrium, 0, and draws all paths to it."
        )
    return (
        f"After the pitchfork at t = {number(onset)}: "
        f"0 repels, and the paths are drawn to ±{number(zeros[-1])}."
    )
