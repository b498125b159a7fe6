"""Checks for the exercises of the page propagation/neural ODEs."""

from itertools import product

import numpy as np

from dsnnlib import integrate
from dsnnlib.exercises import demand, number, right


def check_constant(constant):
    """Check `constant(a, T, h0)`: the limit of L (h(T) - h_L) for h' = a h."""
    rng = np.random.default_rng()
    for a, T, h0 in zip(*rng.uniform(0.3, 1.5, size=(3, 4)), strict=True):
        for rate in (a, -a):
            scaled = [n * h0 * (np.exp(rate * T) - (1 + rate * T / n) ** n) for n in (2000, 4000)]
            given, limit = number(constant(rate, T, h0)), 2 * scaled[1] - scaled[0]
            demand(
                given * limit > 0,
                f"at a = {rate:.2f} the exact solution lies above the network: positive limit",
            )
            demand(
                abs(given / limit - 1) < 1e-4,
                f"at a = {rate:.2f}, T = {T:.2f}, h0 = {h0:.2f} networks of 2,000 and 4,000 layers "
                f"have a scaled error that is not close to {given:.6g}",
            )
    right("deep networks have that error")


def check_architecture(architecture):
    """Check `architecture(A, At)` on random matrices of known shape and rank."""
    rng = np.random.default_rng()
    for d, m, flaw in product(range(1, 5), range(1, 5), range(3)):
        A, At = rng.normal(size=(m, d)), rng.normal(size=(1, m))
        if flaw == 1:
            A = np.outer(rng.normal(size=m), rng.normal(size=d)) * (min(m, d) > 1)
        if flaw == 2:
            At = 0 * At
        said = architecture(A, At)
        if flaw:
            who = "lift" if flaw == 1 else "readout"
            demand(said == "degenerate", f"the {who} does not have full rank, but you say {said}")
        else:
            demand(said != "degenerate", f"m = {m}, d = {d} with full rank is not degenerate")
            demand(
                (said == "augmented") == (m > d) and said in ("augmented", "non-augmented"),
                f"m = {m}, d = {d} with full rank is not {said}",
            )
    right("forty-eight random architectures have the names that you give them")


def check_layer(layer):
    """Check `layer(f, t, h, dt)`: two calls of f, order two, not the midpoint method."""
    calls = []

    def field(t, h):
        calls.append(t)
        return np.cos(3 * t) * h + np.sin(h)

    h = np.array([0.3, -1.1])
    once = np.asarray(layer(field, 0.2, h, 0.1))
    demand(len(calls) == 2, f"the layer must call the field twice, not {len(calls)} times")
    demand(once.shape == h.shape, "the layer must return a state of the shape of h")
    middle = integrate.step(field, 0.2, h, 0.1, integrate.MIDPOINT)
    demand(abs(once - middle).max() > 1e-9, "that is the midpoint method; find another one")
    *_, exact = integrate.trajectory(field, h, np.linspace(0, 1, 2001))
    errors = []
    for n in (40, 80):
        state = h
        for step in range(n):
            state = layer(field, step / n, state, 1 / n)
        errors.append(abs(state - exact).max())
    order = np.log2(errors[0] / errors[1])
    demand(order > 1.8, f"from 40 to 80 layers the error falls with the order {order:.2f}, not two")
    right(f"from 40 to 80 layers the error falls with the order {order:.2f}")


def check_gradient(gradient):
    """Check `gradient(theta, h0, T)` = dh(T)/dtheta for the logistic field, by differences."""
    rng = np.random.default_rng()
    for theta, h0, T in zip(
        rng.uniform(-2, 2, 4), rng.uniform(0.1, 0.9, 4), rng.uniform(0.5, 2, 4), strict=True
    ):
        ends = [1 / (1 + (1 / h0 - 1) * np.exp(-(theta + s) * T)) for s in (1e-5, -1e-5)]
        given, slope = number(gradient(theta, h0, T)), (ends[0] - ends[1]) / 2e-5
        demand(
            abs(given + slope) > 1e-6, "the sign is wrong: p runs backwards, the integral forwards"
        )
        demand(
            abs(given - slope) < 1e-6,
            f"at theta = {theta:.2f}, h0 = {h0:.2f}, T = {T:.2f} h(T) changes at another rate "
            f"than {given:.6g}",
        )
    right("moving theta a little moves h(T) by that much")


def check_separator(separator):
    """Check `separator()`: a neural ODE of full rank that is positive for norm(x) < 1/2 only."""
    import torch

    model = separator()
    demand(model.lift.in_features == 2, f"d is {model.lift.in_features}; it must be 2")
    kind, m = model.architecture, model.lift.out_features
    demand(kind != "degenerate", "the lift or the readout does not have full rank")
    demand(kind == "augmented", "in two dimensions the maximum principle forbids it")
    demand(m == 3, f"m is {m}; a smaller phase space is enough")
    rng = np.random.default_rng()
    radius = np.concatenate([rng.uniform(0, 0.49, 500), rng.uniform(0.51, 5, 500)])
    angle = rng.uniform(0, 2 * np.pi, 1000)
    x = torch.tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1))
    with torch.no_grad():
        value = model(x.to(model.lift.weight.dtype)).numpy()[:, 0]
    demand((value[:500] > 0).all(), "some points of the disc are not positive")
    demand((value[500:] < 0).all(), "some points outside the disc are not negative")
    right("a thousand random points are where they belong, and the architecture allows it")


def check_meeting_time(meeting_time):
    """Check `meeting_time(K, tau)`: all paths of y' = -K y(t - tau) pass zero there, first."""
    rng = np.random.default_rng()
    for capacity in (*rng.uniform(0.5, 1, 3), *rng.uniform(1, 3, 2)):
        tau = rng.uniform(0.5, 2)
        given = number(meeting_time(capacity / tau, tau))
        demand(given > 0, f"a time after the start must be positive, not {given:.6g}")
        demand(
            given < 20 * tau, f"at K tau = {capacity:.3f} the paths have met before t = {given:.6g}"
        )
        before, at = _delayed(capacity, given / tau)
        demand(
            before > 0,
            f"at K tau = {capacity:.3f} the paths have met before t = {given:.6g} already",
        )
        demand(
            abs(at) < 1e-3 * capacity,
            f"at K tau = {capacity:.3f} the paths from +-1 are {2 * abs(at):.2g} apart at "
            f"t = {given:.6g}",
        )
    right("up to there the paths keep their order, and there they meet")


def _delayed(capacity, horizon, n=2000):
    """The path from 1, by Euler's method with Richardson extrapolation: (lowest before, end)."""
    ends = []
    for steps in (n, 2 * n):
        dt = 1 / steps
        path = [1.0]
        while len(path) * dt < horizon + dt:
            path.append(path[-1] - dt * capacity * path[max(len(path) - 1 - steps, 0)])
        ends.append(np.interp(horizon, dt * np.arange(len(path)), path))
    return min(path[: int(0.999 * horizon * 2 * n)]), 2 * ends[1] - ends[0]
