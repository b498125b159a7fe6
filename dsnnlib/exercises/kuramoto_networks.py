"""Checks for the exercises of the page mean_field/Kuramoto-type networks and graph limits."""

import numpy as np
from scipy.integrate import quad

from dsnnlib.exercises import demand, number, right
from dsnnlib.mean_field.graph_limits import graphon_matrix, largest_eigenvalue
from dsnnlib.mean_field.oscillators import AllToAll
from dsnnlib.mean_field.ott_antonsen import OttAntonsen
from dsnnlib.mean_field.twisted import network_spectrum
from dsnnlib.mean_field.vlasov import FourierVlasov


def check_critical(critical):
    """Check `critical(share, width)`: K_c for share * Lorentz(1) + (1 - share) * Lorentz(width).

    By what an infinitesimal order gains: it must be neither more nor less than itself.
    """
    rng = np.random.default_rng()
    for share, width in zip(rng.uniform(0.2, 0.8, 3), rng.uniform(2, 6, 3), strict=True):
        K = number(critical(share, width))
        demand(K > 0, f"a coupling must be positive, not {K:.6g}")

        def density(w, share=share, width=width):
            return (share / (1 + w**2) + (1 - share) * width / (width**2 + w**2)) / np.pi

        gain = [_gain(factor * K, 1e-4, density) for factor in (0.999, 1.001)]
        demand(gain[0] < 1, "already below your coupling order reproduces itself")
        demand(gain[1] > 1, "even above your coupling order does not reproduce itself")
    right("a small order feeds itself above your coupling, and not below it")


def check_gauss_order(order):
    """Check `order(K, sigma)`: r for Gaussian frequencies, by the self-consistency integral."""
    rng = np.random.default_rng()
    for sigma in rng.uniform(0.5, 3, 3):
        threshold = sigma * np.sqrt(8 / np.pi)
        low = number(order(0.9 * threshold, sigma))
        demand(abs(low) < 1e-9, "below the threshold there is no order")
        for K in threshold * rng.uniform([1.05, 1.5], [1.4, 4]):
            r = number(order(K, sigma))
            demand(0 < r < 1, f"above the threshold the order is between 0 and 1, not {r:.6g}")

            def density(w, sigma=sigma):
                return np.exp(-((w / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))

            gain = _gain(K, r, density)
            demand(
                abs(gain - 1) < 1e-6,
                f"at K = {K:.3g}, sigma = {sigma:.3g} your order reproduces itself {gain:.4g} "
                "times, not once",
            )
    right("your order reproduces itself, for any width of the frequencies")


def check_lag(lagged):
    """Check `lagged(K, beta, delta)` -> (r, Omega): a rotating solution z = r exp(i Omega t)."""
    rng = np.random.default_rng()
    for beta, delta in zip(rng.uniform(0.2, 1.2, 3), rng.uniform(0.3, 2, 3), strict=True):
        K = rng.uniform(1.2, 3) * 2 * delta / np.cos(beta)
        answer = np.atleast_1d(lagged(K, beta, delta))
        demand(answer.shape == (2,), "return two numbers, r and Omega")
        r, Omega = map(number, answer)
        demand(0 < r < 1, f"beyond the threshold the order is between 0 and 1, not {r:.6g}")
        lag = np.exp(-1j * beta)
        field = OttAntonsen(lambda z, lag=lag: lag * z, K, delta=delta)
        speed = complex(field(0, np.array([r + 0j]))[0]) / r
        demand(abs(speed.real) < 1e-9, "with your r the order does not stay: it grows or decays")
        demand(abs(speed.imag - Omega) < 1e-9, "r stays, but z turns at another speed")
    right("z turns at your speed, and r stays")


def check_blocks(blocks):
    """Check `blocks(a, b, c, share)`: lambda_max of a graphon with two blocks."""
    rng = np.random.default_rng()
    N = 60
    for _ in range(3):
        a, b, c = rng.uniform(0.05, 1, 3)
        first = int(rng.integers(10, 50))
        value = number(blocks(a, b, c, first / N))

        def kernel(x, y, a=a, b=b, c=c, first=first):
            left, right_ = x < first / N, y < first / N
            return np.where(left & right_, a, np.where(left | right_, b, c))

        measured = largest_eigenvalue(graphon_matrix(kernel, N))
        demand(
            abs(value / measured - 1) < 1e-9,
            f"a graph with {N} vertices in these two blocks has another eigenvalue: you give "
            f"{value / measured:.4g} times it",
        )
    right("matrices with 60 vertices have this eigenvalue")


def check_twist_rate(rate):
    """Check `rate(kappa)`: largest eigenvalue at q = 1 for the kernel 1 + kappa cos(2 pi s)."""
    rng = np.random.default_rng()
    s = np.arange(64) / 64
    for kappa in (*rng.uniform(0.1, 0.9, 2), *rng.uniform(1.1, 1.9, 2), *rng.uniform(2.2, 4, 2)):
        value = number(rate(kappa))
        spectrum = network_spectrum(1 + kappa * np.cos(2 * np.pi * s), 1)
        worst = spectrum[1:].max()  # without the turn of all phases
        demand(
            np.sign(value) == np.sign(worst),
            f"at kappa = {kappa:.3g} the twist is {'un' if worst > 0 else ''}stable",
        )
        demand(
            abs(value - worst) < 1e-9,
            f"at kappa = {kappa:.3g} the sign is right, but not the rate: did you ask all modes?",
        )
    right("rings of 64 oscillators have this rate")


def check_noise_onset(onset):
    """Check `onset(K, D)`: leading order of r just above K = 2 D, by the moment equations."""
    rng = np.random.default_rng()
    for D in rng.uniform(0.2, 2, 3):
        K = 2 * D * 1.001
        r = number(onset(K, D))
        demand(0 < r < 0.2, f"just above K_c the order is small and positive, not {r:.6g}")
        held = [_held(K, D, f * r) for f in (0.98, 1.02)]
        demand(held[0] > 0, "an order slightly smaller than yours decays; it should grow")
        demand(held[1] < 0, "an order slightly larger than yours grows; it should decay")
    right("a slightly smaller order grows, and a slightly larger one decays")


def _gain(K, r, density):
    """How often an order r reproduces itself through the locked oscillators."""
    return K * quad(lambda t: np.cos(t) ** 2 * density(K * r * np.sin(t)), -np.pi / 2, np.pi / 2)[0]


def _held(K, D, r):
    """Rate of change of a small order r, when its higher moments have followed."""
    second = r**2 / 2
    for _ in range(50):  # a_2 and a_3 at rest for the given a_1 = r
        third = K * r * second / (2 * D * 3)
        second = K * r * (r - third) / (4 * D)
    field = FourierVlasov(AllToAll(), 0.0, (K,), D=D)
    moments = np.array([1, r, second, third], dtype=complex)[:, None]
    return float(field(0, moments)[1, 0].real)
