"""Checks for the exercises of the page introduction/two dynamical systems."""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from dsnnlib.exercises import demand, number, right


def check_amplitude(amplitude):
    """Check `amplitude(u, v)`: the leading term of the rest state h = u tanh(v h) near u v = 1."""
    rng = np.random.default_rng()
    for v in rng.uniform(0.5, 2, size=3):
        errors = []
        for excess in (1e-2, 1e-4):
            u = (1 + excess) / v
            root = brentq(lambda h, u=u, v=v: h - u * np.tanh(v * h), excess**0.5 / v, 2 * u)
            ratio = number(amplitude(u, v)) / root
            demand(ratio > 0, "the positive rest state is asked for")
            errors.append(abs(ratio - 1))
            demand(
                errors[-1] < 2 * excess,
                f"at v = {v:.3g}, uv - 1 = {excess} you give {ratio:.4g} times the rest state",
            )
    right("the ratio to the rest state tends to 1 as uv tends to 1")


def check_fold(step):
    """Check the largest step up to which every layer is increasing."""
    step, rng = number(step), np.random.default_rng()
    demand(step > 0, "a step is positive")
    for u, v in rng.uniform(0.2, 3, size=(4, 2)):
        h = np.linspace(-60, 60, 24001) / v
        for dt, increases in ((step * (1 - 1e-3), True), (step * (1 + 1e-3), False)):
            found = bool((np.diff(h + dt * (-h + u * np.tanh(v * h))) > 0).all())
            demand(
                found == increases,
                f"at u = {u:.3g}, v = {v:.3g} a layer of step {dt:.4g} is "
                + ("increasing: too small" if found else "not increasing: too large"),
            )
    right("just below it all layers increase, just above it none does, whatever the weights")


def check_sweep(gradient):
    """Check `gradient(u, v, x, y, dt)` of two layers against central differences."""
    rng = np.random.default_rng()

    def loss(u, v, x, y, dt):
        h = x
        for _ in range(2):
            h = h + dt * (-h + u * np.tanh(v * h))
        return (h - y) ** 2 / 2

    for u, v, x, y in rng.uniform(0.3, 2, size=(4, 4)):
        dt, e = rng.uniform(0.1, 0.9), 1e-6
        found = gradient(u, v, x, y, dt)
        demand(_two(found), "two numbers are asked for: the derivatives in u and in v")
        wanted = (
            (loss(u + e, v, x, y, dt) - loss(u - e, v, x, y, dt)) / (2 * e),
            (loss(u, v + e, x, y, dt) - loss(u, v - e, x, y, dt)) / (2 * e),
        )
        for name, value, want in zip("uv", found, wanted, strict=True):
            demand(
                abs(number(value) - want) < 1e-6 * (1 + abs(want)),
                f"the derivative in {name} is {number(value):.6g}, differences give {want:.6g}",
            )
    right("both derivatives agree with central differences on random weights")


def check_messenger(limit):
    """Check `limit(c, L2, kappa)`: the epsilon at which the coupled system turns unstable."""
    rng = np.random.default_rng()
    for c, curvature, kappa in rng.uniform(0.3, 3, size=(5, 3)):
        epsilon = number(limit(c, curvature, kappa))
        demand(epsilon > 0, "epsilon is positive")
        for factor, stable in ((1 - 1e-3, True), (1 + 1e-3, False)):
            g = c * curvature**0.5
            system = [[-c, 0, g], [kappa, -kappa * c, 0], [0, -factor * epsilon * g, 0]]
            growth = np.linalg.eigvals(system).real.max()
            demand(
                (growth < 0) == stable,
                f"at c = {c:.3g}, L'' = {curvature:.3g}, kappa = {kappa:.3g} the solution is "
                f"{'unstable' if stable else 'stable'} at {factor} times your limit",
            )
    right("the largest real part changes its sign there, for random c, L'' and kappa")


def check_wide(neurons):
    """Check `neurons(x, s, delta)`: the least N with a standard deviation below delta."""
    rng = np.random.default_rng()
    for x, s in rng.uniform(0.3, 2.5, size=(3, 2)):
        delta = rng.uniform(0.02, 0.2)
        found = number(neurons(x, s, delta))
        demand(found == int(found) > 0, "a whole number is asked for")
        second = quad(lambda z, x=x, s=s: _neuron(x * s * z) * np.exp(-z * z / 2), -12, 12)[0]
        deviation = np.sqrt(second / (2 * np.pi) ** 0.5)
        demand(deviation / found**0.5 < delta, f"with {found:.0f} neurons it is still too much")
        demand(
            found == 1 or deviation / (found - 1) ** 0.5 >= delta,
            f"{found:.0f} neurons are enough, but so is one less",
        )
    right("one neuron less would not be enough")


def _two(value):
    try:
        return np.shape(value) == (2,)
    except ValueError:  # ragged
        return False


def _neuron(z):
    return np.tanh(z) ** 2
