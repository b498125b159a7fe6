"""Checks for the exercises of the page training/gradient descent as a map."""

import numpy as np

from dsnnlib.exercises import demand, number, right
from dsnnlib.training.cycles import orbit_exponent
from dsnnlib.training.gradient_descent import descend, spectral_radius
from dsnnlib.training.landscapes import DoubleWell


def check_best_rate(best_rate):
    """Check `best_rate(hessian)`: the rate with the fastest convergence near a minimum."""
    rng = np.random.default_rng()
    for size in (1, 2, 6):
        factor = rng.normal(size=(size + 3, size))
        hessian = factor.T @ factor
        eta = number(best_rate(hessian))
        demand(eta > 0, f"a rate must be positive, not {eta}")
        radii = [spectral_radius(np.eye(size) - f * eta * hessian) for f in (0.999, 1, 1.001)]
        demand(radii[1] < 1, "with your rate the minimum is not even stable")
        demand(radii[1] <= radii[2], "a slightly larger rate is faster")
        demand(radii[1] <= radii[0], "a slightly smaller rate is faster")
    right("a little more is slower, and so is a little less")


def check_flip(gentle, hard):
    """Check two third derivatives a in theta^2/2 + a theta^3/6 + theta^4/24, by orbits at 2.01.

    With a = `gentle` the flip must be supercritical, with a = `hard` subcritical.
    """
    gentle, hard = number(gentle), number(hard)
    ends = {}
    for name, a in (("gentle", gentle), ("hard", hard)):
        orbit = descend(lambda t, a=a: (t + a * t**2 / 2 + t**3 / 6,), (1e-3,), 2.01, 4000)
        with np.errstate(over="ignore", invalid="ignore"):
            ends[name] = np.abs([t for (t,) in orbit])
    demand(
        np.max(np.nan_to_num(ends["gentle"], nan=np.inf)) < 1,
        "beyond the edge the orbit of the gentle loss does not stay near the minimum",
    )
    demand(
        not np.max(np.nan_to_num(ends["hard"], nan=np.inf)) < 1,
        "beyond the edge the orbit of the hard loss stays near the minimum",
    )
    right("beyond the edge one orbit stays near the minimum, the other leaves")


def check_morse_cycle(two_cycle):
    """Check `two_cycle(eta)` -> (p, q) for the Morse potential (1 - exp(-theta))^2 / 2."""
    for eta in (2.02, 2.1, 2.3):
        answer = np.atleast_1d(two_cycle(eta))
        demand(answer.shape == (2,), "return two numbers, p and q")
        p, q = map(number, answer)
        demand(abs(p - q) > 1e-3, f"at eta = {eta} p and q coincide: that is a fixed point")
        orbit = descend(lambda t: (np.exp(-t) - np.exp(-2 * t),), (p,), eta, 2)
        _, first, second = (float(t) for (t,) in orbit)
        demand(abs(first - q) < 1e-8, f"at eta = {eta} a step takes p to {first:.6g}, not to q")
        demand(abs(second - p) < 1e-8, f"at eta = {eta} two steps do not return to p")
    right("p goes to q and q to p, and they differ")


def check_power_law(law):
    """Check `law(eta, n)`: abs(theta_n) for large n on the loss theta^6, to leading order."""
    rng = np.random.default_rng()
    for eta in rng.uniform(0.02, 0.3, size=3):
        orbit = descend(lambda t: (6 * t**5,), (0.8,), eta, 40_000)
        for n, (theta,) in enumerate(orbit):
            if n in (10_000, 40_000):
                ratio = number(law(eta, n)) / abs(float(theta))
                demand(
                    abs(ratio - 1) < 0.02,
                    f"at eta = {eta:.2f}, n = {n} an orbit is elsewhere: you give {ratio:.3g} "
                    "times its distance",
                )
    right("orbits of 40,000 steps agree to 2 %")


def check_variance(variance):
    """Check `variance(eta, targets, batch)` of SGD on the sample losses (theta - y_i)^2 / 2."""
    rng = np.random.default_rng()
    for eta, batch in ((0.1, 1), (0.7, 3), (1.6, 2)):
        targets = rng.normal(size=7)
        theta = np.full(20_000, targets.mean())
        for _ in range(150):
            drawn = targets[rng.integers(7, size=(len(theta), batch))].mean(1)
            theta += eta * (drawn - theta)
        value, measured = number(variance(eta, targets, batch)), theta.var()
        demand(
            abs(value / measured - 1) < 0.08,
            f"20,000 chains at eta = {eta}, batch {batch}, have another variance: you give "
            f"{value / measured:.3g} times theirs",
        )
    right("the variance over 20,000 chains agrees within its error")


def check_exponent(exponent):
    """Check `exponent(eta)`: Lyapunov exponent on the stable 2-cycle of the double well."""
    starts = np.array([0.7, 0.9, 1.05])
    for eta in (1.03, 1.1, 1.2):
        measured = orbit_exponent(
            DoubleWell.gradient, DoubleWell.curvature, eta, starts, skip=4000, steps=1000
        )
        value = number(exponent(eta))
        demand(value < 0, f"at eta = {eta} the cycle attracts: what sign has its exponent?")
        demand(
            abs(value - float(measured.value)) < 1e-6,
            f"at eta = {eta} the mean of log abs(1 - eta L'') over an orbit is not {value:.6g}",
        )
    right("orbits of 1,000 steps on the cycle have this exponent")
