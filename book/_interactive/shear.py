"""The parabola by a flow: on the line it cannot be, in the plane a shear writes it."""

import numpy as np

from _interactive.drawing import Axis, Figure, Frame, Panel, Slider, dots, line, number
from dsnnlib.propagation.monotone import best_increasing

INPUTS = np.linspace(-1, 1, 17)
DEPTHS = np.linspace(0, 1, 21)
TILT = 0.02  # makes the best increasing map strictly so


def figure():
    """Left the states in the plane, right what is read out of them."""
    plane = Panel(
        "states",
        Axis("h₁", -1.15, 1.15, (-1, 0, 1)),
        Axis("h₂", -0.25, 1.15, (0, 1)),
    )
    output = Panel(
        "output",
        Axis("input x", -1.1, 1.1, (-1, 0, 1)),
        Axis("output", -1.1, 1.15, (-1, 0, 1)),
        (line(np.linspace(-1, 1, 61), np.linspace(-1, 1, 61) ** 2, "black thin"),),
    )
    grid = np.linspace(-1, 1, 201)
    closest = best_increasing(grid**2) + TILT * grid
    frames = []
    for m in (1, 2):
        for t in DEPTHS:
            if m == 1:
                read = (1 - t) * grid + t * closest
                states = np.interp(INPUTS, grid, read), np.zeros(INPUTS.size)
                sheet = read, np.zeros(grid.size)
            else:
                read = t * grid**2
                states, sheet = (INPUTS, t * INPUTS**2), (grid, read)
            y = np.interp(INPUTS, grid, read)
            parts = [(INPUTS < 0, "blue"), (INPUTS == 0, "black"), (INPUTS > 0, "orange")]
            frames.append(
                Frame(
                    (
                        (
                            line(sheet[0][::5], sheet[1][::5], "grey thin"),
                            *(dots(states[0][s], states[1][s], f"{c} big") for s, c in parts),
                        ),
                        (
                            line(grid[::5], read[::5], "green"),
                            *(dots(INPUTS[s], y[s], c) for s, c in parts),
                        ),
                    ),
                    says(m, t, np.abs(read - grid**2).max()),
                    {"m": m, "t": t, "read": read, "grid": grid},
                )
            )
    return Figure(
        (
            Slider("dimension m", ("1", "2"), 1),
            Slider("depth t/T", tuple(f"{t:.2f}" for t in DEPTHS), 14),
        ),
        (plane, output),
        tuple(frames),
    )


def says(m, t, error):
    """What is seen."""
    if m == 1:
        return (
            "On a line no state can pass another: the order of the inputs survives. "
            f"The output misses x² by {number(error)}, and no flow on the line comes below 0.50."
        )
    if t == 1:
        return "In the plane h₁ keeps the input, and h₂ has become x²: the output is the parabola."
    return (
        f"In the plane h₁ keeps the input, so no two states meet, while the shear writes into h₂: "
        f"the output is {number(t)} x², and misses x² by {number(error)}."
    )
