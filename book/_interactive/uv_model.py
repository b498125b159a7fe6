"""Gradient descent on the uv loss: which minima can hold it, through the learning rate."""

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number, words
from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes.product import Product

START, STEPS = (1.6, 0.9), 120
RATES = np.round(np.arange(0.1, 1.45, 0.05), 2)
END, SIDE, FLOOR = 2.6, 1.9, -10  # of the axes: u, v, and the logarithm of the loss
FAR = 50


def figure():
    """Left the plane of the weights, right the loss."""
    u = np.linspace(1 / SIDE, END, 80)
    angle = np.linspace(0, np.pi / 2, 60)
    plane = Panel(
        "orbit",
        Axis("weight u", 0, END, (0, 1, 2)),
        Axis("weight v", 0, SIDE, (0, 1)),
        (line(u, 1 / u, "grey thin"), words(0.68, 1.72, "uv = 1", "grey")),
    )
    loss = Panel(
        "loss",
        Axis("step n", 0, STEPS, (0, 40, 80, 120)),
        Axis("loss L", FLOOR, 1, ((-10, "10⁻¹⁰"), (-5, "10⁻⁵"), (0, "1"))),
    )
    frames = []
    for eta in RATES:
        orbit = followed(eta)
        radius, height = np.sqrt(2 / eta), Product.loss(*orbit.T)
        held = np.where(u**2 + u**-2 < 2 / eta, 1 / u, np.nan)
        frames.append(
            Frame(
                (
                    (
                        line(u, held, "green thick"),
                        line(radius * np.cos(angle), radius * np.sin(angle), "green dashed"),
                        line(*orbit.T, "blue thin"),
                        dots(*orbit.T, "blue"),
                        dots(*orbit[:1].T, "black big"),
                    ),
                    (line(np.arange(STEPS + 1), np.log10(height + 1e-12), "blue"),),
                ),
                says(eta, orbit),
                {"eta": eta, "radius": radius, "end": orbit[-1], "orbit": orbit},
            )
        )
    names = tuple(f"{eta:.2f}" for eta in RATES)
    slider = Slider("learning rate η", names, names.index("0.50"))
    return Figure((slider,), (plane, loss), tuple(frames))


def followed(eta):
    """The orbit; NaN from where it has run away."""
    orbit = np.full((STEPS + 1, 2), np.nan)
    for n, point in enumerate(descend(Product.gradient, START, eta, STEPS)):
        if max(map(abs, point)) > FAR:
            break
        orbit[n] = point
    return orbit


def says(eta, orbit):
    """What is seen at this rate."""
    u, v = orbit[-1]
    if np.isnan(u):
        end = "The orbit runs away."
    elif Product.loss(u, v) < 1e-3:
        end = f"The orbit ends at a minimum with u² + v² = {number(u * u + v * v)}."
    else:
        between = np.allclose(orbit[-1], orbit[-3], atol=1e-3)
        end = (
            "The orbit jumps between two points for ever."
            if between
            else "The orbit jumps among more than two points."
        )
    if eta < 1:
        return f"Minima with u² + v² < 2/η = {number(2 / eta)}, inside the circle, attract. {end}"
    if eta == 1:
        return (
            "2/η = 2: the circle touches the flattest minimum, (1, 1), "
            "and the orbit jumps across it, ever less."
        )
    return f"2/η = {number(2 / eta)} is below 2, so no minimum attracts. {end}"
