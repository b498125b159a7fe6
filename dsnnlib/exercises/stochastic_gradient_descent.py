"""Checks for the exercises of the page training/stochastic gradient descent."""

import numpy as np
from scipy.integrate import quad
from scipy.stats import chi

from dsnnlib._checks import shown
from dsnnlib.exercises import NotYet, demand, number, right
from dsnnlib.training.lyapunov import LinearisedSGD


def check_two_values(first_threshold):
    """Check `first_threshold(k1, k2)`: the least rate at which two curvatures give lambda = 0."""
    rng = np.random.default_rng()
    pairs = [(1.0, 1.0), (1.0, 2.0), (0.81, 6.25), tuple(rng.uniform(1, 3, 2)), (7.0, 0.5)]
    for k1, k2 in pairs:

        def exponent(eta, k1=k1, k2=k2):
            with np.errstate(divide="ignore", over="ignore"):
                return np.log(abs((1 - eta * k1) * (1 - eta * k2))) / 2

        eta, case = _answer(first_threshold, k1, k2), f"k = {k1:.3g} and {k2:.3g}"
        demand(eta > 0, f"{case}: a rate must be positive, not {eta}")
        demand(abs(exponent(eta)) < 1e-8, f"{case}: at your rate the mean logarithm is not zero")
        below = exponent(np.linspace(0, eta, 20_001)[1:-1])
        demand(below.max() <= 0, f"{case}: it is positive already at a smaller rate")
        # at zero, too, the mean logarithm vanishes
        demand(exponent(1.0001 * eta) > 0, f"{case}: just above your rate it is not positive")
    right("the mean logarithm is zero there, and negative at all smaller rates")


def check_batches(threshold):
    """Check `threshold(batch, square)` for orthogonal gradients of the same squared length."""
    rng = np.random.default_rng()
    for samples, batch in ((4, 1), (6, 2), (6, 5), (5, 5)):
        square = rng.uniform(0.5, 4)
        eta = _answer(threshold, batch, square)
        case = f"{samples} samples, batches of {batch}, squared length {square:.3g}"
        demand(eta > 0, f"{case}: a rate must be positive, not {eta}")
        maps = LinearisedSGD(np.sqrt(square) * np.eye(samples), batch=batch)
        # no step shrinks one direction and stretches another: the signs are not left to chance
        below, above = maps.exponent(eta * np.array([0.999, 1.001]), rng=rng, steps=800).value
        demand(below < 0, f"{case}: just below your rate products of the maps grow")
        demand(above > 0, f"{case}: just above your rate products of the maps shrink")
    right("products of the maps shrink just below it and grow just above")


def check_kaczmarz(exponent):
    """Check `exponent(gradients, probabilities)`: lambda of Kaczmarz's method in the plane."""
    rng = np.random.default_rng()
    for samples in (2, 3, 5):
        angles = rng.uniform(0, np.pi) + np.arange(samples) + rng.uniform(0, 0.5, samples)
        gradients = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        probabilities = rng.permutation(np.arange(1, samples + 1)) / (samples * (samples + 1) / 2)
        value = _answer(exponent, gradients.copy(), probabilities.copy())
        maps = LinearisedSGD(gradients, probabilities=probabilities)
        measured = maps.exponent(1.0, rng=rng, steps=2000, replicas=200)
        demand(
            abs(value - measured.value) < 6 * measured.standard_error,
            f"{samples} gradients: products of 400,000 projections give {measured.value:.4f}, "
            f"you give {value:.4f}",
        )
    right("products of 400,000 projections agree within their error")


def check_mean_square(threshold):
    """Check `threshold(batch)`: Gaussian line, batches of independent draws, mean square."""
    for batch in (1, 2, 5, 40):
        eta = _answer(threshold, batch)
        demand(eta > 0, f"a rate must be positive, not {eta}")
        # x is the root of the sum of the squares: its law is smooth, and tiny beyond the upper end
        mean = quad(
            lambda x, b=batch, e=eta: (1 - e * x**2 / b) ** 2 * chi.pdf(x, b),
            0,
            batch**0.5 + 12,
            limit=200,
        )[0]
        demand(
            abs(mean - 1) < 1e-6 * eta,
            f"batches of {batch}: at your rate a step multiplies the mean square by {mean:.6g}",
        )
    right("at your rates a step keeps the mean square, says an integral over the batch's law")


def check_design(gradients, eta, *, stable):
    """Check a design that is stable for `stable`, "GD" or "SGD" (single samples), alone."""
    demand(stable in ("GD", "SGD"), f'stable must be "GD" or "SGD", not {stable!r}')
    try:
        maps = LinearisedSGD(gradients)
    except ValueError as refusal:
        raise NotYet(str(refusal)) from None
    eta = _answer(lambda: eta)
    demand(eta > 0, f"a rate must be positive, not {eta}")
    rng = np.random.default_rng()
    mu, found = float(maps.descent_exponent(eta)), maps.exponent(eta, rng=rng, steps=4000)
    growing, shrinking = (mu, found.value) if stable == "SGD" else (found.value, mu)
    other = "SGD" if stable == "GD" else "GD"
    least = max(0.01, 4 * float(found.standard_error))
    demand(
        shrinking < -least,
        f"for {stable} the exponent is {shrinking:.4f}; it must be below {-least:.2g}",
    )
    demand(
        growing > least, f"for {other} the exponent is {growing:.4f}; it must be above {least:.2g}"
    )
    right(f"mu = {mu:.4f} and lambda = {float(found.value):.4f}")


def check_growth(growth):
    """Check `growth(gradients, eta, draws, start)`: log norm of the linearised distance.

    `draws` holds one index a step, `start` is a vector in R^D.
    """
    rng = np.random.default_rng()
    for samples, size, eta in ((3, 8, 0.8), (9, 3, 0.6), (6, 40, 4.0)):
        gradients = rng.normal(size=(samples, size)) / size**0.5
        if samples > size:  # no step expands, and every direction shrinks: what leaks takes over
            gradients = size**0.5 * np.linalg.qr(gradients)[0]
        if samples == 6:
            gradients[3:] = gradients[:3]
        draws, start = rng.integers(samples, size=2000), rng.normal(size=samples) @ gradients
        answer = _answer(growth, gradients.copy(), eta, draws.copy(), start.copy())
        span = np.linalg.pinv(gradients) @ gradients
        maps = span - eta * gradients[:, :, None] * gradients[:, None]  # one for each sample
        expected, x = 0.0, start
        for i in draws:
            x = maps[i] @ x
            expected += np.log(np.linalg.norm(x))
            x = x / np.linalg.norm(x)
        case = f"{samples} gradients in {size} dimensions, eta = {eta}"
        demand(
            abs(answer - expected) < 1e-5 * (1 + abs(expected)),
            f"{case}: dense products, kept in the span, grow by {expected:.6g}, "
            f"you say {answer:.6g}",
        )
    large = rng.normal(size=(4, 200_000)) / 200_000**0.5
    start, draws = large.sum(axis=0), rng.integers(4, size=2000)
    answer = _answer(growth, large.copy(), 1.0, draws.copy(), start.copy())
    maps = LinearisedSGD(large)
    expected = maps.log_growth(1.0, draws[:, None, None], (maps.basis @ start)[None])[-1, 0]
    demand(
        abs(answer - expected) < 1e-5 * (1 + abs(expected)),
        f"4 gradients in 200,000 dimensions: the growth is {expected:.6g}, you say {answer:.6g}",
    )
    right("dense products agree, and 200,000 dimensions are no obstacle")


def check_tail(tail_index):
    """Check `tail_index(curvatures, probabilities, eta)`: the p > 0 with Lambda(p) = 0."""
    rng = np.random.default_rng()
    for _ in range(4):
        curvatures = np.array([0.3, 1.0, 1.0 + rng.uniform(3, 5)])
        probabilities = np.array([0.4, 0.4, 0.2])
        eta = rng.uniform(0.65, 0.8)
        factors = abs(1 - eta * curvatures)
        p = _answer(tail_index, curvatures.copy(), probabilities.copy(), eta)
        demand(p > 1e-3, f"p = 0 always solves the equation; find the positive one, not {p:.3g}")
        with np.errstate(over="ignore"):
            moment = probabilities @ factors**p
        demand(
            abs(moment - 1) < 1e-6,
            f"at your p = {p:.4g} the mean of the factors' p-th powers is {moment:.4g}, not 1",
        )
    right("with your power, the mean of the factors' powers is one")


def _answer(function, *arguments):
    """The real number that the reader's function returns; a warning on its way does not matter."""
    with np.errstate(all="ignore"):
        value = function(*arguments)
    demand(
        np.ndim(value) == 0 and not np.iscomplexobj(value),
        f"a real number is asked for, not {shown(value)}",
    )
    return number(value)
