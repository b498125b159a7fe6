"""Kuramoto's model through the coupling and the size of the crowd."""

from functools import partial

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.mean_field.all_to_all import advance
from dsnnlib.mean_field.synchrony import critical_coupling, locked_order

COUPLINGS = np.round(np.arange(0, 4.01, 0.2), 1)
CROWDS = (10, 100, 1000)
DT, SETTLE, WATCH = 0.1, 200, 200
SHOWN = 100
TURN = 2 * np.pi


def figure():
    """Left the phases on the circle, right the mean order against the coupling."""
    onset = critical_coupling(bell(0))
    beyond = [*(onset + np.geomspace(1e-3, 0.1, 6)), *(K for K in COUPLINGS if K - onset > 0)]
    limit = {K: locked_order(K, bell) for K in sorted(beyond)}
    around = np.linspace(0, TURN, 73)
    circle = Panel(
        "phases, and their mean z",
        Axis("", -1.7, 1.7),
        Axis("", -1.1, 1.1),
        (line(np.cos(around), np.sin(around), "grey thin"),),
        bare=True,
    )
    order = Panel(
        "order r = |z|, mean in time",
        Axis("coupling K", 0, 4, (0, 1, 2, 3, 4)),
        Axis("order r", 0, 1.02, (0, 0.5, 1)),
        (
            line([0, onset, *limit], [0, 0, *limit.values()], "black thin"),
            line([onset, onset], [0, 1], "grey dashed"),
            words(onset + 0.05, 0.04, "threshold", "grey"),
            words(2.9, 0.68, "N = ∞", "black"),
        ),
    )
    frames = []
    for N in CROWDS:
        rng = np.random.default_rng(N)
        start, omega = rng.uniform(0, TURN, N), rng.normal(size=N)
        omega -= omega.mean()
        seen = list(map(partial(watch, start, omega), COUPLINGS))
        means = np.array([abs(z).mean() for _, z in seen])
        for K, (phi, z), mean in zip(COUPLINGS, seen, means, strict=True):
            phi = phi - np.angle(z[-1])  # turned: the mean points to the right
            some = phi[:: max(1, N // SHOWN)]
            low, high = np.quantile(abs(z), (0.05, 0.95))
            frames.append(
                Frame(
                    (
                        (
                            dots(np.cos(some), np.sin(some), "blue"),
                            line([0, abs(z[-1])], [0, 0], "orange thick"),
                            dots([abs(z[-1])], [0], "orange big"),
                        ),
                        (
                            dots(COUPLINGS, means, "blue"),
                            line([K, K], [low, high], "orange thick"),
                            dots([K], [mean], "orange big"),
                        ),
                    ),
                    says(N, mean, onset, limit.get(K, 0.0)),
                    {"K": K, "N": N, "order": mean, "limit": limit.get(K, 0.0)},
                )
            )
    return Figure(
        (
            Slider("oscillators N", tuple(f"{N:,}" for N in CROWDS), 1),
            Slider("coupling K", tuple(f"{K:.1f}" for K in COUPLINGS), 10),
        ),
        (circle, order),
        tuple(frames),
    )


def bell(omega):
    """Density of the frequencies."""
    return np.exp(-(omega**2) / 2) / np.sqrt(TURN)


def watch(start, omega, K):
    """The phases at the end, and the order parameter in the second half of the time."""
    phi, z = advance(start, omega, K, DT, SETTLE + WATCH)
    return phi, z[SETTLE:]


def says(N, mean, onset, limit):
    """What is seen."""
    side = "above" if limit else "below"
    what = (
        f"Oscillators fall into step: the order is {number(mean)}, "
        f"with infinitely many it is {number(limit)}."
        if limit
        else f"With infinitely many oscillators the order is 0; among {N:,} it is {number(mean)}, "
        "by chance."
    )
    return f"K is {side} the threshold {number(onset)}. {what}"
