"""Checks for the exercises of the page outlook/generative models."""

import numpy as np

from dsnnlib import integrate
from dsnnlib.exercises import demand, number, right
from dsnnlib.outlook.diffusion import diffused, exact_score
from dsnnlib.outlook.interpolant import marginal
from dsnnlib.outlook.mixtures import GaussianMixture


def check_bumps(bumps):
    """Check `bumps(m, s2)`: the time at which the noisy law goes from two bumps to one."""
    rng = np.random.default_rng()
    for m in rng.uniform(0.5, 4, size=4):
        s2 = rng.uniform(0.1, 0.7) * m**2
        t = number(bumps(m, s2))
        demand(t > 0, f"for m = {m:.2f}, s2 = {s2:.2f} there are two bumps at t = 0: t > 0")
        data = GaussianMixture([[m], [-m]], s2)
        h = 1e-3
        for factor, number_of in ((0.98, 2), (1.02, 1)):
            law = diffused(data, factor * t)
            left, middle, other = law.density(np.array([[-h], [0.0], [h]]))
            found = 2 if left + other > 2 * middle else 1
            demand(
                found == number_of,
                f"for m = {m:.2f}, s2 = {s2:.2f} the law has {found} bump(s) at {factor} t",
            )
    right("there are two bumps just before your time and one just after")


def check_noise(noise):
    """Check `noise(t)`: the gamma for which the coin has its pitchfork at the time t."""
    rng = np.random.default_rng()
    score = exact_score(GaussianMixture([[-1], [1]], 0))
    for t in rng.uniform(0.4, 1.5, size=5):
        gamma = number(noise(t))
        demand(gamma > 0, f"at t = {t:.2f} the noise must be positive, not {gamma:.3g}")
        h = 1e-5
        slope = 1 + (1 + gamma) * score(t, np.array([[h]]))[0, 0] / h
        verb = "repels" if slope > 0 else "attracts"
        demand(
            abs(slope) < 1e-6 * (1 + gamma) / -np.expm1(-2 * t),
            f"with your noise the origin {verb} at t = {t:.2f}; it should do neither",
        )
    right("with your noise the slope of the drift at the origin vanishes at t")


def check_variance(variance):
    """Check `variance(gamma, h)`: the limit under Euler-Maruyama for standard normal data."""
    rng = np.random.default_rng()
    for gamma, product in zip(rng.uniform(0.3, 4, 5), rng.uniform(0.1, 1.8, 5), strict=True):
        h = product / gamma
        value, v = number(variance(gamma, h)), 1.0
        for _ in range(2000):  # x <- x + h (x - (1 + gamma) x) + noise
            v = (1 + h - h * (1 + gamma)) ** 2 * v + 2 * gamma * h
        demand(
            abs(value - v) < 1e-6,
            f"after 2,000 steps with gamma = {gamma:.2f}, h = {h:.2f} the variance is not "
            f"{value:.4g}",
        )
    right("2,000 steps lead to your variance")


def check_flow(flow):
    """Check `flow(x, m, s2, T)`: probability flow of dx = sqrt(2) dW, from T to 0."""
    rng = np.random.default_rng()
    for _ in range(4):
        m, s2, T = rng.normal(), rng.uniform(0.3, 2), rng.uniform(0.5, 3)
        data, x = GaussianMixture([[m]], s2), rng.normal(m, 2, size=(1, 1))

        def field(t, x, data=data):
            return -data.noised(1, np.sqrt(2 * max(t, 0))).score(x)

        *_, end = integrate.trajectory(field, x, np.linspace(T, 0, 401))
        value = number(flow(x.item(), m, s2, T))
        demand(
            abs(value - end.item()) < 1e-6,
            f"from x = {x.item():.3f} at T = {T:.2f}, with m = {m:.2f} and s2 = {s2:.2f}, the "
            f"flow does not end at {value:.4g}",
        )
    right("Runge-Kutta with the score of N(m, s2 + 2t) ends at the same points")


def check_coin(coin_velocity):
    """Check `coin_velocity(t, x)`: its error must be orthogonal to every function of x_t."""
    rng = np.random.default_rng()
    z, mass = np.polynomial.hermite_e.hermegauss(150)
    mass = np.tile(mass / mass.sum() / 2, 2)
    x0, x1 = np.tile(z, 2), np.repeat([1.0, -1.0], len(z))
    for t in (0.0, *rng.uniform(0.1, 0.7, size=3)):
        xt = (1 - t) * x0 + t * x1
        error = np.array([number(coin_velocity(t, x)) for x in xt]) - (x1 - x0)
        for place in rng.uniform(-1.5, 1.5, size=4):
            window = np.exp(-((xt - place) ** 2) / 0.3)
            bias = (mass * window * error).sum() / (mass * window).sum()
            demand(
                abs(bias) < 1e-4,
                f"for paths near x = {place:.2f} at t = {t:.2f} the mean of x_1 - x_0 differs "
                f"from your velocity by {bias:.3g}",
            )
    right("it is the mean of x_1 - x_0 over the paths that pass near x, wherever we looked")


def check_bandwidth(bandwidth):
    """Check `bandwidth(t)`: standard deviation of the noise around a training point in x_t / t."""
    rng = np.random.default_rng()
    for t in rng.uniform(0.2, 0.95, size=5):
        data = GaussianMixture(rng.normal(size=(5, 2)), 0)
        wider = marginal(data, t).covariance / t**2 - data.covariance
        value = number(bandwidth(t))
        demand(value > 0, f"a standard deviation must be positive, not {value:.3g}")
        demand(
            np.allclose(value**2 * np.eye(2), wider, rtol=1e-8),
            f"at t = {t:.2f} the noise does not explain by how much x_t / t varies more than "
            "the data",
        )
    right("data and noise together have the covariance of x_t / t")
