"""Checks for the exercises of the page outlook/vanishing and exploding gradients."""

import numpy as np
from scipy.integrate import quad
from scipy.special import erf

from dsnnlib.exercises import demand, number, right


def check_depth(layers):
    """Check `layers(N)`: depth at which the typical norm has fallen tenfold, for sigma^2 = 1."""
    rng = np.random.default_rng()
    for N in (2, 6, 20):
        steps = np.log(rng.chisquare(N, size=400_000) / N) / 2
        value = number(layers(N))
        demand(value > 0, f"a depth is positive, not {value}")
        reached = value * steps.mean()
        error = 5 * value * steps.std() / len(steps) ** 0.5
        demand(
            abs(reached + np.log(10)) < error,
            f"at N = {N} the logarithm of the norm has then changed by {reached:.3f} on average; "
            "a tenfold fall is another number",
        )
    right("400,000 random layers shrink the logarithm at the rate you say")


def check_leaky(variance):
    """Check `variance(a)`: the sigma_w^2 that keeps the mean square for leaky units."""
    rng = np.random.default_rng()
    for a in (*rng.uniform(0.05, 0.9, size=3), -1.5):
        z = rng.normal(size=400_000)
        squares = number(variance(a)) * np.where(z > 0, z, a * z) ** 2
        error = 5 * squares.std() / len(z) ** 0.5
        demand(
            abs(squares.mean() - 1) < error,
            f"at a = {a:.2f} a layer multiplies the mean square by {squares.mean():.3f}",
        )
    right("the mean square of 400,000 random neurons is kept")


def check_erf(edge):
    """Check `edge(q)` -> (sigma_w^2, sigma_b^2) on the edge of chaos of phi = erf."""

    def mean(function, q):
        return 2 * quad(lambda z: function(q**0.5 * z) * _density(z), 0, 12)[0]

    for q in np.random.default_rng().uniform(0.05, 1.5, size=4):
        answer = np.atleast_1d(edge(q))
        demand(answer.shape == (2,), "return two numbers, the variances of weights and biases")
        weight, bias = map(number, answer)
        chi = weight * mean(lambda x: 4 / np.pi * np.exp(-2 * x * x), q)
        demand(abs(chi - 1) < 1e-7, f"at q = {q:.3f} gradients are multiplied by chi = {chi:.4f}")
        after = weight * mean(lambda x: erf(x) ** 2, q) + bias
        demand(abs(after - q) < 1e-7, f"q = {q:.3f} is not a fixed length: next is {after:.4f}")
    right("chi is 1 and the length stays, by integration")


def check_residual(step):
    """Check `step(L, variance, g)`: the alpha with E norm(h_L)^2 = g norm(h_0)^2."""
    rng = np.random.default_rng()
    for L in (2, 10, 40):
        variance, g = rng.uniform(0.5, 3), rng.uniform(1.3, 2.5)
        alpha, N = number(step(L, variance, g)), 10
        demand(alpha > 0, f"a step is positive, not {alpha}")
        h = np.tile(np.eye(N)[0], (20_000, 1))
        for _ in range(L):
            noise = rng.normal(scale=(variance / N) ** 0.5, size=h.shape)
            h = h + alpha * noise * np.linalg.norm(h, axis=1)[:, None]
        squares = (h**2).sum(1)
        demand(
            abs(squares.mean() - g) < 5 * squares.std() / len(h) ** 0.5,
            f"at L = {L} the mean square grows by {squares.mean():.3f}, not by {g:.3f}",
        )
    right("20,000 random networks grow by the factor that was asked for")


def check_recurrent(rescale):
    """Check `rescale(W)`: the positive multiple of W whose powers have the exponent zero."""
    rng = np.random.default_rng()
    for N in (1, 3, 6):
        W = rng.normal(size=(N, N)) + np.triu(rng.normal(size=(N, N)), 1) * 3
        answer = np.asarray(rescale(W.copy()), dtype=float)
        demand(answer.shape == W.shape, f"return a matrix of the shape {W.shape}")
        factor = np.vdot(W, answer) / np.vdot(W, W)
        demand(
            factor > 0 and np.allclose(answer, factor * W), "return a positive multiple of W itself"
        )
        sizes = [_log_power(answer, doublings) for doublings in (11, 12)]
        demand(
            abs(sizes[1] - sizes[0]) < 2e-3 * 2**11,
            f"from the power 2,048 to 4,096 the norm still changes by e^{sizes[1] - sizes[0]:.1f}",
        )
    right("high powers neither grow nor shrink")


def check_log_variance(log_variance):
    """Check `log_variance(N)`: variance of log norm(h_l)^2 per ReLU layer, to 5 %."""
    rng = np.random.default_rng()
    for N in (200, int(rng.integers(300, 900))):
        logs = np.log(rng.chisquare(rng.binomial(N, 0.5, size=400_000)))
        value = number(log_variance(N))
        demand(
            abs(value / logs.var() - 1) < 0.05,
            f"at N = {N} 400,000 random layers have another variance: you give "
            f"{value / logs.var():.3g} times theirs",
        )
    right("400,000 random layers have this variance, to 5 %")


def _density(z):
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def _log_power(matrix, doublings):
    """Logarithm of the norm of matrix^(2^doublings), by repeated squaring with rescaling."""
    total = 0.0
    for _ in range(doublings):
        size = np.linalg.norm(matrix)
        if size == 0:
            return -np.inf
        matrix = matrix / size
        total = 2 * (total + np.log(size))
        matrix = matrix @ matrix
    return total + np.log(max(np.linalg.norm(matrix), 1e-300))
