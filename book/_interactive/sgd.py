"""Stochastic gradient descent at an interpolation solution: three exponents and their runs."""

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.training.landscapes.gradient_laws import GaussianGradient

RATES = np.round(np.arange(0.1, 2.85, 0.1), 1)
STEPS, RUNS = 200, 10
LAW = GaussianGradient()


def mean_square(eta):
    """Half of Lambda(2), the growth of the root mean square."""
    return np.log(1 - 2 * eta + 3 * eta**2) / 2


def figure():
    """Left the exponents against the rate, right the distance in runs on the same samples."""
    eta = np.linspace(0.02, 2.8, 90)
    curves = (
        (LAW.descent_exponent, "orange", "gradient descent μ", (1.5, -0.98)),
        (LAW.exponent, "blue", "almost every run λ", (0.45, -0.14)),
        (mean_square, "green", "root mean square ½Λ(2)", (0.06, 0.88)),
    )
    still = [line([0, 2.85], [0, 0], "grey thin")]
    for curve, colour, name, place in curves:
        still += [line(eta, curve(eta), colour), words(*place, name, colour)]
    left = Panel(
        "growth per step",
        Axis("learning rate η", 0, 2.85, (0, 1, 2)),
        Axis("exponent", -1.25, 1.1, (-1, 0, 1)),
        tuple(still),
    )
    right = Panel(
        "distance from the minimum",
        Axis("step n", 0, STEPS, (0, 100, 200)),
        Axis("distance", -40, 40, ((-40, "10⁻⁴⁰"), (0, "1"), (40, "10⁴⁰"))),
        (line([0, STEPS], [0, 0], "grey thin"),),
    )
    squares = LAW.sample((RUNS, STEPS), np.random.default_rng(0)) ** 2
    n, shown = np.arange(0, STEPS + 1, 5), slice(None, None, 5)
    frames = []
    for rate in RATES:
        growth = np.cumsum(np.log10(abs(1 - rate * squares)), axis=1)
        runs = np.insert(growth, 0, 0, axis=1)[:, shown]
        with np.errstate(invalid="ignore"):
            descent = np.nan_to_num(n * LAW.descent_exponent(rate) / np.log(10), neginf=-1e3)
        now = [float(curve(rate)) for curve, *_ in curves]
        frames.append(
            Frame(
                (
                    (
                        line([rate, rate], [-1.25, 1.1], "grey dashed"),
                        *(
                            dots([rate], [value], f"{colour} big")
                            for value, (_, colour, *_) in zip(now, curves, strict=True)
                        ),
                    ),
                    (line(n, runs, "blue thin"), line(n, descent, "orange thick")),
                ),
                says(*now),
                {"eta": rate, "exponents": now, "back": (runs[:, -1] < 0).mean()},
            )
        )
    names = tuple(f"{rate:.1f}" for rate in RATES)
    return Figure(
        (Slider("learning rate η", names, names.index("2.1")),), (left, right), tuple(frames)
    )


def says(mu, lam, square):
    """What is seen, by the signs of the three exponents."""
    returns = "returns" if mu < 0 else "leaves" if mu > 0 else "stays where it is"
    runs = "almost every run of SGD returns" if lam < 0 else "the runs of SGD leave"
    rare = " The mean square grows all the same: rare runs carry it." if lam < 0 < square else ""
    value = "−∞" if mu == -np.inf else number(mu)
    return f"Gradient descent {returns} (μ = {value}); {runs} (λ = {number(lam)}).{rare}"
