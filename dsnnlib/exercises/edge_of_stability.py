"""Checks for the exercises of the page training/edge of stability."""

import numpy as np

from dsnnlib.exercises import demand, number, right
from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import Product


def check_largest_rate(largest_rate):
    """Check `largest_rate(hessian)`: the largest rate at which a minimum is linearly stable."""
    rng = np.random.default_rng()
    for size in (1, 2, 5):
        factor = rng.normal(size=(size, max(1, size - 1)))  # a zero eigenvalue, but for size 1
        hessian = factor @ factor.T
        eta = number(largest_rate(hessian))
        demand(np.isfinite(eta) and eta > 0, f"a rate must be positive and finite, not {eta}")
        inside, outside = (_radius(np.eye(size) - f * eta * hessian) for f in (0.999, 1.001))
        demand(
            inside <= 1 + 1e-9, "just below your rate the map I - eta H still expands: too large"
        )
        demand(
            outside > 1 + 1e-9, "just above your rate the map I - eta H still contracts: too small"
        )
    right("the spectral radius of I - eta H passes 1 exactly there")


def check_two_cycle(two_cycle):
    """Check `two_cycle(eta)` -> (p, q): the 2-cycle on the diagonal of the uv model."""
    for eta in (1.02, 1.1, 1.2):
        answer = np.atleast_1d(two_cycle(eta))
        demand(answer.shape == (2,), "return two numbers, p and q")
        p, q = map(number, answer)
        demand(
            p > 0 and q > 0, f"at eta = {eta} one of p, q is not positive: that is another cycle"
        )
        image = [float(w[0]) for w in descend(Product.gradient, (p, p), eta, 2)]
        demand(abs(p - q) > 1e-3, f"at eta = {eta} p and q coincide: that is a fixed point")
        demand(
            abs(image[1] - q) < 1e-9,
            f"at eta = {eta} the map takes (p, p) to {image[1]:.6g}, not to q = {q:.6g}",
        )
        back = abs(image[2] - p)
        demand(back < 1e-9, f"at eta = {eta} two steps miss p by {back:.1e}: iterate longer?")
    right("p goes to q and q to p, and they differ")


def check_multipliers(multipliers):
    """Check `multipliers(eta)` -> (along, across) of that 2-cycle, by finite differences."""
    for eta in (1.05, 1.15, 1.22):
        *_, (p, _) = descend(Product.gradient, (1.1, 1.1), eta, 20_000)
        measured = []
        for direction in (np.array([1.0, 1.0]), np.array([1.0, -1.0])):
            h = 1e-5 * direction
            ends = [list(descend(Product.gradient, tuple(p + s * h), eta, 2))[-1] for s in (1, -1)]
            measured.append(np.subtract(*ends) @ direction / (2e-5 * 2))
        answer = np.atleast_1d(multipliers(eta))
        demand(answer.shape == (2,), "return two numbers, along and across the diagonal")
        for name, given, found in zip(("along", "across"), answer, measured, strict=True):
            given = number(given)
            demand(
                abs(given - found) < 1e-6,
                f"{name} the diagonal, at eta = {eta}, a small "
                f"displacement is multiplied by something else in two steps than {given:.6g}",
            )
    right("small displacements are multiplied by them in two steps")


def check_gap(slope, c):
    """Check `c` for a loss with the derivative `slope`: the gap law must hold to O(eta^2)."""
    demand(abs(slope(1e-4) / 1e-4 - 1) < 1e-6, "slope(s) must behave like s at small s")
    demand(np.allclose(slope(-0.7), -slope(0.7)), "slope must be odd: the loss is even")
    demand(c > 0, "for a sub-quadratic loss c is positive")
    errors = []
    for eta in (0.1, 0.05):
        start = (1e-4, np.sqrt(2 / eta + 8))
        orbit = descend(lambda x, y: (slope(x * y) * y, slope(x * y) * x), start, eta, 300_000)
        for n, (x, y) in enumerate(orbit):  # noqa: B007
            if n % 1000 == 999 and abs(x) < 1e-6:
                break
        demand(abs(x) < 1e-6, f"gradient descent with eta = {eta} does not settle with this loss")
        errors.append(abs((2 / eta - y**2) * 2 * c / eta - 1))
    demand(
        errors[1] < max(0.5 * errors[0], 1e-3) and errors[1] < 0.05,
        "the measured gap does not approach eta/(2c) as eta -> 0; expand slope(s) again",
    )
    right("the distance to the law shrinks as eta does")


def check_momentum_threshold(threshold):
    """Check `threshold(beta)`: the largest stable eta lambda of averaged momentum."""
    rng = np.random.default_rng()
    for beta in (0.0, *rng.uniform(0.1, 0.95, size=3)):
        value = number(threshold(beta))
        for factor, stable in ((0.999, True), (1.001, False)):
            gain = factor * value * (1 - beta)
            step = np.array([[1 - gain, -factor * value * beta], [1 - beta, beta]])
            side = "below" if stable else "above"
            demand(
                (_radius(step) <= 1) == stable,
                f"for beta = {beta:.2f} the recursion just {side} your threshold says otherwise",
            )
    right("the recursion (theta, m) changes stability exactly there")


def check_critical_constant(constant):
    """Check the limit of abs(r_k) sqrt(k) at eta = 1 for starts off the diagonal."""
    rng = np.random.default_rng()
    imbalance = rng.uniform(0.15, 0.3)
    *_, (u, v) = descend(Product.gradient, (1.2 + imbalance, 1.2 - imbalance), 1.0, 40_000)
    measured = abs(u * v - 1) * 200
    demand(abs(constant - 0.5) > 0.01, "that is the constant on the diagonal; start next to it")
    demand(abs(constant - measured) < 0.01, "an orbit of 40,000 steps gives another constant")
    right("an orbit of 40,000 steps agrees to 1 %")


def check_halving(eta, before, after):
    """Check the sharpness of a network at its edge before, and long after, its rate is halved."""
    before, after = number(before), number(after)
    demand(0.95 < before * eta / 2 < 1.1, "before the change the network is not at its edge 2/eta")
    demand(after > 1.2 * before, "the sharpness has not grown: was the rate really halved?")
    demand(after < 1.1 * 4 / eta, "the sharpness is far above the new edge 4/eta")
    right("from the old edge towards the new one")


def _radius(matrix):
    return abs(np.linalg.eigvals(matrix)).max()
