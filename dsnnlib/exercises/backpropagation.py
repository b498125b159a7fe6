"""Checks for the exercises of the page outlook/backpropagation as a dynamical system."""

import numpy as np

from dsnnlib import integrate
from dsnnlib.exercises import demand, number, right
from dsnnlib.outlook.checkpoints import schedule


def check_midpoint(gradient):
    """Check `gradient(theta, T, h0, n)` of h(T)^2 / 2 through n midpoint steps of h' = theta h."""
    rng = np.random.default_rng()
    for n in (1, 3, 10):
        theta, T, h0 = rng.uniform(0.3, 1.5, size=3)
        h = h0 + 0j
        for _ in range(n):
            h = integrate.step(
                lambda t, h, rate=theta + 1e-30j: rate * h, 0, h, T / n, integrate.MIDPOINT
            )
        measured = (h**2 / 2).imag / 1e-30
        value = number(gradient(theta, T, h0, n))
        demand(
            abs(value / measured - 1) < 1e-10,
            f"a complex step through {n} midpoint steps has another slope: you give "
            f"{value / measured:.6g} times it",
        )
    right("a complex step through the solver has this slope")


def check_horizon(slope):
    """Check `slope(h0, T)`: derivative in T of (h(T) - 1/2)^2 / 2 for the logistic equation."""
    rng = np.random.default_rng()
    for low, high in ((0.02, 0.1), (0.4, 0.6), (0.7, 0.9)):
        h0, T = rng.uniform(low, high), rng.uniform(0.5, 2)
        losses = []
        for end in (T - 1e-3, T + 1e-3):
            *_, h = integrate.trajectory(lambda t, h: h * (1 - h), h0, np.linspace(0, end, 101))
            losses.append((h - 0.5) ** 2 / 2)
        measured, value = (losses[1] - losses[0]) / 2e-3, number(slope(h0, T))
        demand(
            abs(value - measured) < 1e-6,
            f"at h0 = {h0:.3f}, T = {T:.3f} a slightly longer run has the slope {measured:.5f}, "
            f"not {value:.5f}",
        )
    right("slightly longer and shorter runs have this slope")


def check_shared(gradient):
    """Check `gradient(W, h0, L)` of abs(h_L)^2 / 2 for h_{l+1} = tanh(W h_l), shared weights."""
    rng = np.random.default_rng()
    for size, layers in ((2, 1), (3, 2), (5, 6)):
        W, V = rng.normal(size=(2, size, size)) / size**0.5
        h0 = rng.normal(size=size)
        answer = np.asarray(gradient(W.copy(), h0.copy(), layers))
        demand(answer.shape == W.shape, f"the gradient has the shape {W.shape} of W")
        h = h0
        for _ in range(layers):
            h = np.tanh((W + 1e-30j * V) @ h)
        measured, value = np.sum(h**2 / 2).imag / 1e-30, number(np.sum(answer * V))
        demand(
            abs(value - measured) < 1e-10,
            f"with {layers} layers the slope in a random direction is {measured:.6g}, yours "
            f"is {value:.6g}",
        )
    right("the slope in random directions agrees with a complex step")


def check_implicit(pull):
    """Check `pull(J, p, dt)` for an implicit Euler layer, by the pairing with a tangent."""
    rng = np.random.default_rng()
    for size, dt in ((1, 0.5), (3, 0.3), (6, 0.2)):
        W = rng.normal(size=(size, size)) / size**0.5
        h, v, p = rng.normal(size=(3, size))

        def layer(h, W=W, dt=dt):
            end = h
            for _ in range(30):  # Newton's method
                residual = end - h - dt * np.tanh(W @ end)
                end = end - np.linalg.solve(_implicit(W, end, dt), residual)
            return end

        end = layer(h)
        carried = (layer(h + 1e-5 * v) - layer(h - 1e-5 * v)) / 2e-5
        answer = np.atleast_1d(pull(_jacobian(W, end), p.copy(), dt))
        demand(answer.shape == (size,), f"a costate of {size} numbers is asked for")
        before, after = number(answer @ v), p @ carried
        demand(
            abs(before - after) < 1e-7 * (1 + abs(after)),
            f"the pairing with a tangent is {after:.6g} behind the layer, and {before:.6g} "
            "before it with your costate",
        )
    right("the pairing with random tangents is the same before and behind the layer")


def check_slots(slots):
    """Check `slots(steps, repeats)`: run the schedule with so many slots, and with one less."""
    rng = np.random.default_rng()
    for _ in range(12):
        repeats = int(rng.integers(1, 5))
        steps = int(rng.integers(2 * repeats + 3, 90))
        s = number(slots(steps, repeats))
        demand(s == int(s) and s >= 1, f"a whole number of slots is asked for, not {s:g}")
        passed = _passes(steps, int(s))
        demand(
            passed <= repeats,
            f"{steps} layers, {s:g} slots: some layer is advanced over {passed} times, more "
            f"than {repeats}",
        )
        demand(
            s == 1 or _passes(steps, int(s) - 1) > repeats,
            f"{steps} layers, {repeats} repeats: one slot less than {s:g} does it as well",
        )
    right("the schedule keeps to the repeats, and with one slot less it does not")


def check_reversible(undo):
    """Check `undo(F, G, u, v, p, q)` -> values before the layer, by running it forwards."""
    rng = np.random.default_rng()
    for size in (1, 4):
        F, G = rng.normal(size=(2, size, size))
        u, v, du, dv, p, q = rng.normal(size=(6, size))
        moved = u + 1e-30j * du, v + 1e-30j * dv
        ahead_u = moved[0] + np.sin(F @ moved[1])
        ahead_v = moved[1] + np.sin(G @ ahead_u)
        answer = undo(F, G, ahead_u.real, ahead_v.real, p.copy(), q.copy())
        demand(
            np.shape(answer) == (4, size),
            f"four vectors of {size} numbers are asked for: u, v, p, q",
        )
        demand(
            np.allclose(answer[:2], (u, v), atol=1e-9),
            "run forwards, your u and v do not lead to the given outputs",
        )
        after = (p @ ahead_u.imag + q @ ahead_v.imag) / 1e-30
        before = number(answer[2] @ du + answer[3] @ dv)
        demand(
            abs(before - after) < 1e-9 * (1 + abs(after)),
            f"the pairing with a tangent is {after:.6g} behind the layer, and {before:.6g} "
            "before it with your costates",
        )
    right("the layer leads back to the outputs, and the pairing with tangents is kept")


def _jacobian(W, h):
    return (1 - np.tanh(W @ h) ** 2)[:, None] * W


def _implicit(W, h, dt):
    return np.eye(len(h)) - dt * _jacobian(W, h)


def _passes(steps, slots):
    counter = np.zeros(steps, int)
    for kind, i, *to in schedule(steps, slots):
        if kind == "advance":
            counter[i : to[0]] += 1
    return counter.max()
