"""Checks for the exercises of the page training/manifold of minima."""

import numpy as np

from dsnnlib import integrate
from dsnnlib.exercises import demand, number, right
from dsnnlib.training.landscapes import WeightProduct


def check_count(count):
    """Check `count(D, N, q, copies)` -> (dimension of M, positive Hessian eigenvalues)."""
    rng = np.random.default_rng()
    for _ in range(6):
        different, copies, q = rng.integers(1, 5), rng.integers(0, 4), rng.integers(1, 4)
        unknowns = int(different * q + rng.integers(1, 9))
        rows = rng.normal(size=(different, q, unknowns))
        rows = np.concatenate([rows, rows[rng.integers(different, size=copies)]])
        jacobian = rows.reshape(-1, unknowns)
        samples = int(different + copies)
        answer = np.atleast_1d(count(unknowns, samples, int(q), int(copies)))
        demand(answer.shape == (2,), "return two numbers: a dimension and a number of eigenvalues")
        dimension, positive = map(number, answer)
        found = np.linalg.matrix_rank(jacobian)
        case = f"D = {unknowns}, N = {samples}, q = {q}, {copies} copies"
        demand(positive == found, f"{case}: a random Jacobian of this kind has another rank")
        demand(dimension == unknowns - found, f"{case}: its kernel has another dimension")
    right("the rank and the kernel of random Jacobians of this kind agree")


def check_point(u, v):
    """Check a point at which the uv loss shows that the map with eta = 1 is non-singular."""
    hessian = WeightProduct(2).hessian(number(u), number(v))
    determinant = np.linalg.det(np.eye(2) - hessian)
    demand(abs(determinant) > 1e-6, "the determinant vanishes there: at eta = 1 it says nothing")
    right(f"the determinant is {determinant:.3g} there, so it is not identically zero")


def check_least_sharpness(least_sharpness):
    """Check `least_sharpness(k, c)`, for the product of k weights and the target c."""
    rng = np.random.default_rng()
    for k in (2, 3, 5):
        for c in (1.0, -rng.uniform(0.2, 0.8), rng.uniform(1.5, 3)):
            answer = number(least_sharpness(k, c))
            logs = 0.5 * rng.normal(size=(2000, k))
            logs *= rng.choice([1, 0.1, 0.001], size=(2000, 1))  # minima from uneven to nearly even
            logs += (np.log(abs(c)) - logs.sum(axis=1, keepdims=True)) / k
            sharpness = c**2 * np.exp(-2 * logs).sum(axis=1)
            case = f"k = {k}, c = {c:.3g}"
            demand(answer <= sharpness.min() * (1 + 1e-9), f"{case}: we found a flatter minimum")
            demand(answer > 0.999 * sharpness.min(), f"{case}: no minimum that we tried is so flat")
    right("no minimum that we tried is flatter, and some come close")


def check_collapse(slope, eta=0.3):
    """Check a loss's derivative whose map sends [1, 2] to an unstable critical point at 0."""
    t = np.linspace(1, 2, 101)
    image = t - eta * np.array([number(slope(s)) for s in t])
    demand(abs(number(slope(0.0))) < 1e-12, "0 is no critical point: slope(0) is not zero")
    demand(abs(image).max() < 1e-9, "some point of [1, 2] is not sent to 0 in one step")
    h = 1e-5
    curvatures = [number(slope(s * h)) / (s * h) for s in (1, -1)]
    multipliers = [abs(1 - eta * c) for c in curvatures]
    demand(min(multipliers) > 1.001, "0 is not unstable: its multiplier is within [-1, 1]")
    line = np.linspace(-3, 3, 60_001)
    steps = abs(np.diff([number(slope(s)) for s in line]))
    demand(steps.max() < 0.1, "slope jumps somewhere in [-3, 3]; it must be continuous")
    right("an interval is sent to an unstable critical point in one step")


def check_conserved(conserved):
    """Check a quantity of one ReLU neuron that gradient flow conserves, whatever the data."""
    rng = np.random.default_rng()
    drifts, values = [], []
    for _ in range(5):
        inputs, labels = rng.normal(size=(20, 3)), rng.normal(size=20)

        def field(t, z, inputs=inputs, labels=labels):
            w, a = z[:3], z[3]
            active = np.maximum(inputs @ w, 0)
            error = (a * active - labels) / 20
            return -np.append(a * (error * (active > 0)) @ inputs, error @ active)

        start = rng.normal(size=4)
        *_, end = integrate.trajectory(field, start, np.linspace(0, 1, 401))
        before, after = (number(conserved(z[:3], z[3])) for z in (start, end))
        drifts.append(abs(after - before) / (1 + abs(before)))
        values.append(before)
    demand(np.ptp(values) > 1e-3, "it is the same for all neurons, so it says nothing")
    # where a sample becomes active the field jumps: first order there
    demand(max(drifts) < 1e-3, f"along a flow it changes by {max(drifts):.1e} of its size")
    right("it is conserved along flows on random data, and differs between neurons")


def check_squares(limit):
    """Check `limit(a, y, alpha)`: where gradient flow on w = u^2 ends, by small steps."""
    rng = np.random.default_rng()
    for alpha in (0.05, 0.3, 0.8):
        a, y = rng.uniform(0.5, 2, size=4), rng.uniform(1, 3)
        w = np.atleast_1d(np.asarray(limit(a, y, alpha), dtype=float))
        demand(w.shape == (4,), "return one weight for each feature")
        demand(np.isfinite(w).all() and (w >= 0).all(), "a weight u^2 is finite and not negative")
        demand(abs(a @ w - y) < 1e-6 * y, f"at alpha = {alpha} your w does not solve a w = y")
        u = np.full(4, alpha)

        def field(t, u, a=a, y=y):
            return -2 * (a @ u**2 - y) * a * u

        *_, u = integrate.trajectory(field, u, np.linspace(0, 30, 3001))
        demand(
            abs(w - u**2).max() < 1e-5,
            f"at alpha = {alpha} the gradient flow ends at another solution",
        )
    right("the gradient flow, integrated, ends there")
