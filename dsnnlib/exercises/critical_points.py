"""Checks for the exercises of the page propagation/classification by critical points."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from dsnnlib.exercises import demand, right
from dsnnlib.propagation.critical_points import find
from dsnnlib.propagation.winding import circle, derivatives, gradient, grid, winding


def check_index(index):
    """Check `index(n)` -> indices of the origin for Re (x1 + i x2)^n and for norm(x)^(2n)."""
    for n in range(1, 7):
        answer = np.atleast_1d(index(n))
        demand(answer.shape == (2,), "return two numbers, first for Re (x1 + i x2)^n")
        for name, given, phi in (
            ("Re (x1 + i x2)^n", answer[0], lambda x, n=n: _power(x, n)),
            ("norm(x)^(2n)", answer[1], lambda x, n=n: (x**2).sum(1) ** n),
        ):
            turns, _ = winding(phi, circle([0, 0], 0.5))
            demand(
                given == turns,
                f"for n = {n} the gradient of {name} does not make {given} turns around the origin",
            )
    right("the gradient makes that many turns along a circle, for n up to 6")


def check_lines(critical_values):
    """Check `critical_values(network)`: w.x + b on the critical lines of perceptrons 2-1-3-1.

    One answer must lie in each interval in which the slope of psi changes sign.
    """
    rng, tested = np.random.default_rng(), 0
    while tested < 3:
        network = _perceptron(rng, 2, 1, 3, 1)
        s = np.linspace(-3, 3, 6001)
        slope = gradient(network[1:], s[:, None])[:, 0]
        changes = np.nonzero(slope[:-1] * slope[1:] < 0)[0]
        if not len(changes) or min(s[changes[0]] + 3, 3 - s[changes[-1]]) < 0.1:
            continue
        tested += 1
        answer = np.sort(np.atleast_1d(np.asarray(critical_values(network), dtype=float)).ravel())
        demand(
            np.isfinite(answer).all() and (abs(answer) <= 3).all(),
            "a value is not in [-3, 3]: give those of w.x + b",
        )
        w, b = (p.detach().numpy() for p in network[0].parameters())
        x = (answer - b)[:, None] * w / (w**2).sum() + np.array([-w[0, 1], w[0, 0]])
        steep = np.linalg.norm(gradient(network, x), axis=1)
        demand(
            (steep <= 1e-6 * abs(slope).max()).all(),
            "on one of your lines the gradient is not zero",
        )
        demand(
            len(answer) == len(changes),
            f"{len(answer)} lines given; the slope of psi changes sign {len(changes)} times",
        )
        between = np.searchsorted((s[changes[:-1]] + s[changes[1:]]) / 2, answer)
        demand(
            (between == np.arange(len(changes))).all(),
            "one of your lines is given twice and another is missing",
        )
    right("the gradient vanishes on these lines, and no change of sign is left")


def check_floor(floor):
    """Check `floor(W, b, v)`: a positive lower bound of the gradient of v.tanh(Wx+b) on a box."""
    rng = np.random.default_rng()
    x = grid([[-3, 3], [-3, 3]], 60).reshape(-1, 2)
    for scale in (1.0, 1.0, 1.0, 0.5, 1e-3):
        W, b, v = scale * rng.normal(size=(2, 2)), scale * rng.normal(size=2), rng.normal(size=2)
        value = _number(floor(W, b, v))
        lowest = np.linalg.norm(((1 - np.tanh(x @ W.T + b) ** 2) * v) @ W, axis=1).min()
        demand(value > 0, "a floor must be positive")
        demand(
            value <= lowest * (1 + 1e-9),
            f"somewhere in the box the gradient is {lowest:.3g}, below your floor {value:.3g}",
        )
    least = np.linalg.svd(W)[1][-1] * np.linalg.norm(v)
    demand(value > 0.9 * least, "for very small W the network is linear; use its exact floor there")
    right("no point of the box goes below it, and it is nearly attained by linear networks")


def check_balance(balance):
    """Check `balance(phi, box)`: extrema minus saddles, from phi near the boundary alone.

    Here phi maps NumPy arrays of shape (n, 2) to arrays of shape (n,).
    """
    rng, seen = np.random.default_rng(), []
    while len(seen) < 4:
        box = rng.uniform(1, 3, size=(2, 2)) * [-1, 1]
        waves, phases, sizes = rng.normal(size=(8, 2)) * 2, rng.uniform(0, 7, 8), rng.normal(size=8)

        def phi(x, waves=waves, phases=phases, sizes=sizes, box=box):
            x = np.asarray(x, dtype=float)
            depth = np.minimum(x - box[:, 0], box[:, 1] - x).min(-1)
            demand((depth <= 1e-3).all(), "you look at phi too far inside the box")
            return np.cos(x @ waves.T + phases) @ sizes

        def twin(x, waves=waves, phases=phases, sizes=sizes):
            waves, phases, sizes = map(torch.as_tensor, (waves, phases, sizes))
            return torch.cos(x @ waves.T + phases) @ sizes

        try:
            points = find(twin, box)
        except (ValueError, ArithmeticError):  # a point too close to the boundary
            continue
        given, counted = _number(balance(phi, box)), int(points.index.sum())
        demand(
            given == counted,
            f"in one box there are {points.counts} minima, saddles, maxima; you count {given:g}",
        )
        seen.append(counted)
    right(f"extrema minus saddles agree with a search inside: {seen}")


def check_rings(network):
    """Check a narrow perceptron: negative for norm(x) <= 1/4, positive from 2 to 3."""
    demand(isinstance(network, nn.Module), "the network must be a torch module")
    affine = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    demand(
        len(affine) == 2 and all(layer.out_features <= 2 for layer in affine),
        "widths 2-2-1 are asked for: two affine layers, neither wider than the input",
    )
    angle = np.linspace(0, 2 * np.pi, 721)
    ways = np.stack([np.cos(angle), np.sin(angle)], -1)
    for name, sign, radii in (
        ("disc", -1, np.linspace(0, 0.25, 26)),
        ("ring", 1, np.linspace(2, 3, 51)),
    ):
        x = torch.as_tensor((radii[:, None, None] * ways).reshape(-1, 2))
        with torch.no_grad():
            share = float((sign * network(x) > 0).double().mean())
        demand(share == 1, f"the sign is right on {100 * share:.1f} % of the {name} only")
    right("negative on all of the disc, positive on all of the ring")


def check_fold(q, below, above):
    """Check the weight at which the origin becomes degenerate, and the counts on both sides.

    Parameters
    ----------
    q : float
        To eight digits.
    below, above : triples of int
        Numbers of minima, saddles and maxima of Phi for a weight smaller by 2 % and larger by 2 %.
    """
    q, one, two = _number(q), torch.tensor(1.0), torch.tensor(2.0)

    def bump(s, width):
        return torch.tanh(s + width) - torch.tanh(s - width)

    def landscape(q):
        return lambda x: bump(x[:, 0], one) + bump(x[:, 1], one) - q * bump(x[:, 0], two)

    before, after = (
        np.linalg.eigvalsh(derivatives(landscape(p), np.zeros((1, 2)))[2][0, :1, :1])[0]
        for p in (q - 1e-7, q + 1e-7)
    )
    demand(before < 0, "just below your q the origin is no maximum any more: smaller")
    demand(after > 0, "just above your q the origin is still a maximum: larger")
    for side, share, given in (("below", 0.98, below), ("above", 1.02, above)):
        demand(np.shape(given) == (3,), f"{side} it: give three numbers, minima, saddles, maxima")
        points = find(landscape(share * q), [[-4, 4], [-1, 1.1]])
        demand(
            tuple(given) == points.counts,
            f"{side} it there are not {given[0]} minima, {given[1]} saddles, {given[2]} maxima",
        )
    right("within 1e-7 of it the origin stops being a maximum, and the points on both sides agree")


def _power(x, n):
    return torch.complex(x[:, 0], x[:, 1]).pow(n).real


def _perceptron(rng, *widths):
    layers = []
    for n_in, n_out in pairwise(widths):
        affine = nn.Linear(n_in, n_out, dtype=torch.float64)
        for parameter in affine.parameters():
            parameter.data = torch.as_tensor(rng.normal(size=tuple(parameter.shape)))
        layers += [affine, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def _number(value):
    demand(np.ndim(value) == 0 and value is not None, f"a number is asked for, not {value!r}")
    value = float(value)
    demand(np.isfinite(value), f"a finite number is asked for, not {value}")
    return value
