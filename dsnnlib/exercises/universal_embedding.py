"""Checks for the exercises of the page propagation/universal embedding."""

import numpy as np
import torch

from dsnnlib import integrate
from dsnnlib.exercises import demand, right
from dsnnlib.propagation.neural_ode import NeuralODE


def check_helix(field, horizon):
    """Check `field(t, h)`, h of shape (n, 3): it embeds x -> (cos x, sin x), from 0 to horizon."""
    x = np.random.default_rng().uniform(-3, 3, size=20)
    start = np.stack([x, 0 * x, 0 * x], -1)
    end = _flow(field, start, horizon, steps=3)
    demand(np.allclose(end[:, 0], x), "the first coordinate, the copy of the input, has moved")
    radius = np.hypot(end[:, 1], end[:, 2])
    demand(
        np.allclose(radius, 1, atol=1e-9),
        f"the last two coordinates must end on the unit circle, not at the radius {radius[0]:.3g}: "
        "look at the horizon",
    )
    turn = np.exp(1j * x) / (end[:, 1] + 1j * end[:, 2])
    demand(np.allclose(turn, 1), "the end is on the circle, but not at the angle x")
    right("the line has become a helix, and x has stayed beside its image")


def check_nearest(nearest):
    """Check `nearest(f)`: a monotone sequence, rising or falling, as near to f as possible."""
    rng = np.random.default_rng()
    trend = np.linspace(0, 8, 30)
    for drift in (trend, -trend, 0 * trend):
        f = drift + rng.normal(size=30)
        g = np.asarray(nearest(f.copy()), dtype=float)
        demand(g.shape == f.shape, f"return a sequence as long as f, {f.shape}, not {g.shape}")
        steps = np.diff(g)
        demand(
            (steps >= -1e-12).all() or (steps <= 1e-12).all(),
            "your sequence both rises and falls: it is not monotone",
        )
        error = np.abs(f - g).max()
        i, j = np.triu_indices(30)
        fall, climb = (f[i] - f[j]).max(), (f[j] - f[i]).max()  # one of them is unavoidable
        demand(
            2 * error <= min(fall, climb) + 1e-9,
            f"a monotone sequence comes nearer than yours, {error:.3g}: think of both directions",
        )
    right("the deepest fall and the highest climb of f allow no better")


def check_fold(net):
    """Check a `NeuralODE` with m = 3 that equals (x, y) -> (x, y^2)."""
    _is_network(net, d=2, m=3, q=2)
    demand(
        net.architecture != "degenerate", "lift or readout has not full rank; give them rank two"
    )
    w = torch.as_tensor(np.random.default_rng().uniform(-2, 2, size=(50, 2)))
    mirrored = w * torch.tensor([1.0, -1.0], dtype=w.dtype)
    with torch.no_grad():
        out, other = net(w), net(mirrored)
    demand(torch.allclose(out, other, atol=1e-9), "(x, y) and (x, -y) must be folded together")
    demand(torch.allclose(out[:, 0], w[:, 0]), "the first output must be x")
    slope = out[:, 1] / w[:, 1]
    demand(torch.allclose(slope, w[:, 1], atol=1e-6), "the second output is not the square of y")
    right("one fold fits into three dimensions, since y can be kept beside it")


def check_least_layers(least_layers):
    """Check `least_layers(K, T)`: from how many Euler layers on a ResNet is injective."""
    rng = np.random.default_rng()
    pairs = [(2.0, 1.0), (0.3, 2.0), (4.0, 0.75), *rng.uniform(0.2, 5, size=(5, 2))]
    for K, T in pairs:
        L = least_layers(K, T)
        whole = np.ndim(L) == 0 and isinstance(L, int | np.integer | float) and L == int(L) >= 1
        demand(whole, f"a number of layers is a positive integer, not {L!r}")
        demand(
            1 - K * T / L > 0,
            f"K = {K:.3g}, T = {T:.3g}: with {L:.0f} layers the K-Lipschitz field -(L/T) h "
            "maps the line to a point",
        )
        demand(
            L == 1 or 1 - K * T / (L - 1) <= 0,
            f"K = {K:.3g}, T = {T:.3g}: {int(L) - 1} layers are injective already, for every field",
        )
    right("one layer fewer, and the field -(L/T) h glues")


def check_mirror(field):
    """Check `field(t, h)`, h of shape (n, 3): time 1 swaps the coordinates of the plane h_3 = 0."""
    plane = np.random.default_rng().normal(size=(20, 3)) * [1, 1, 0]
    end = _flow(field, plane, 1.0, steps=400)
    demand(np.allclose(end[:, 2], 0, atol=1e-6), "the plane does not come back to the height zero")
    lengths = np.linalg.norm(end, axis=1) / np.linalg.norm(plane, axis=1)
    demand(np.allclose(lengths, 1, atol=1e-6), "lengths have changed; a mirror image keeps them")
    diagonal = plane.sum(1), end.sum(1)
    demand(np.allclose(*diagonal, atol=1e-6), "the mirror, the diagonal x1 = x2, has moved")
    demand(
        np.allclose(end[:, 0] - end[:, 1], plane[:, 1] - plane[:, 0], atol=1e-6),
        "points beside the mirror are not on its other side",
    )
    right("the mirror stays where it is, and its two sides are exchanged")


def check_half(half):
    """Check `half(x)` on arrays: a smooth half iterate of x -> sin(x)/2 on [0, 1]."""
    x = np.linspace(0.02, 1, 50)
    once = np.asarray(half(x), dtype=float)
    demand(once.shape == x.shape, f"half must map an array to one of its shape, {x.shape}")
    twice = np.asarray(half(once), dtype=float)
    miss = np.abs(twice - np.sin(x) / 2).max()
    demand(miss < 1e-8, f"half of half misses sin(x)/2 by {miss:.1e}")
    demand((np.diff(once) > 0).all(), "a half iterate of an increasing map must increase")
    small = np.geomspace(1e-5, 1e-3, 40)
    slopes = np.asarray(half(small), dtype=float) / small
    demand(
        np.ptp(slopes) < 1e-4,
        "half(x)/x has no limit at the fixed point: your half iterate is not differentiable there",
    )
    demand(abs(slopes[0] ** 2 - 0.5) < 1e-4, "the slope at zero is not a root of that of sin(x)/2")
    right("applied twice it is sin(x)/2, and it is differentiable at zero: there is only one")


def check_trained(net):
    """Check a trained `NeuralODE`, d = q = 1, m = 2: it follows sin 5x on [-1, 1] to 0.05."""
    _is_network(net, d=1, m=2, q=1)
    x = torch.linspace(-1, 1, 1001, dtype=torch.float64)[:, None]
    trainable = sum(p.numel() for p in net.field.parameters())
    demand(trainable > 0, "the field has no weights; replace Psi by a torch module")
    with torch.no_grad():
        y = net(x)
        error = (y - torch.sin(5 * x)).abs().max().item()
        state = net.lift(x)
        *_, end = net._states(state)
    demand(error < 0.05, f"the error is {error:.3g}; train on until it is below 0.05")
    demand(error > 0, "no error at all? A trained network approximates; it does not equal")
    moved = torch.linalg.matrix_rank((end - state).T @ (end - state), rtol=1e-9)
    demand(int(moved) == 1, "your flow is not a shear: it must move the second coordinate only")
    right(f"a shear with weights, at most {error:.3f} from its target")


def _is_network(net, **dimensions):
    demand(isinstance(net, NeuralODE), f"a NeuralODE is asked for, not a {type(net).__name__}")
    layers = {"d": net.lift.in_features, "m": net.lift.out_features, "q": net.readout.out_features}
    for name, wanted in dimensions.items():
        demand(layers[name] == wanted, f"{name} is {layers[name]}; here it must be {wanted}")


def _flow(field, start, horizon, steps):
    *_, end = integrate.trajectory(field, start, np.linspace(0, horizon, steps + 1))
    end = np.asarray(end, dtype=float)
    demand(end.shape == start.shape, f"field must keep the shape of h, {start.shape}")
    demand(np.isfinite(end).all(), "the flow leaves the numbers")
    return end
