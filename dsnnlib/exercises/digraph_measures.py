"""Checks for the exercises of the page mean field/digraph measures and the Vlasov equation."""

import numpy as np

from dsnnlib.exercises import demand, number, right
from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.attention import Attention
from dsnnlib.mean_field.distances import bounded_lipschitz, wasserstein_line
from dsnnlib.mean_field.graph_limits import DigraphMeasure, shift, vertices
from dsnnlib.mean_field.oscillators import Graph, Oscillators
from dsnnlib.mean_field.vlasov import FourierVlasov


def check_mask_distance(mask_distance):
    """Check `mask_distance(x, other)`: distance of the uniform laws on [0, x] and [0, other]."""
    rng = np.random.default_rng()
    atoms = vertices(2000)
    draws = rng.uniform(0.05, 1, size=(3, 2))
    for x, y in np.vstack([draws, draws[:, ::-1]]):
        value = number(mask_distance(x, y))
        measured = float(wasserstein_line(x * atoms, y * atoms))
        demand(value >= 0, f"a distance is not negative, and you give {value:.4g}")
        demand(
            abs(value - measured) < 1e-6,
            f"at x = {x:.3f}, y = {y:.3f} a transport of 2,000 atoms does not cost {value:.6g}",
        )
    right("transports of 2,000 atoms cost as much")


def check_mass_distance(mass_distance):
    """Check `mass_distance(p, q, d)`: bounded-Lipschitz distance of two weighted points."""
    rng = np.random.default_rng()
    draws = rng.uniform((0.1, 0.1, 0.1), (2, 2, 1.9), size=(4, 3))
    draws = np.vstack([draws, [1, 1, 3.5], [0.5, 1.5, 2.5], [0, 1, 0.3]])
    for p, q, d in draws:
        value = number(mass_distance(p, q, d))
        back = number(mass_distance(q, p, d))
        demand(abs(value - back) < 1e-9, "a distance is symmetric, and yours is not in p and q")
        measured = bounded_lipschitz([[d]], [p], [q])
        demand(
            abs(value - measured) < 1e-9,
            f"at p = {p:.3f}, q = {q:.3f}, d = {d:.3f} the cheapest way does not cost {value:.6g}",
        )
    right("a network simplex finds nothing cheaper, and nothing dearer")


def check_twist(speed, rate):
    """Check `speed(q, alpha)` and `rate(q, alpha, k)` of twisted states on the shift."""
    rng = np.random.default_rng()
    N, small, end = 120, 1e-6, 1.0
    x = vertices(N)
    for q, k in rng.integers(1, 6, size=(4, 2)):
        s = int(rng.integers(5, 55))
        field = Oscillators(0.0, Graph(shift(s / N).network(N)))
        state = 2 * np.pi * q * x
        velocity = field(0, state)
        demand(
            abs(number(speed(q, s / N)) - velocity.mean()) < 1e-9,
            f"with q = {q}, alpha = {s / N:.4f} the state does not turn at your speed",
        )
        wave = small * np.cos(2 * np.pi * k * x)
        times = np.linspace(0, end, 101)
        ends = [list(trajectory(field, state + sign * wave, times))[-1] for sign in (1, -1)]
        left = np.fft.fft((ends[0] - ends[1]) / 2)[k] * 2 / N
        measured = np.log(abs(left) / small) / end
        demand(
            abs(number(rate(q, s / N, k)) - measured) < 1e-4,
            f"with q = {q}, alpha = {s / N:.4f} a wave of number {k} does not change at your rate",
        )
    right("networks of 120 turn at this speed, and their waves change at this rate")


def check_growth(growth):
    """Check `growth(k, a, K, D)`: rate of a wave of order on two shifts, with noise."""
    rng = np.random.default_rng()
    m, small, end = 60, 1e-6, 1.0
    x = vertices(m)
    for k in rng.integers(1, 8, size=4):
        s = int(rng.integers(1, 25))
        a, K, D = s / m, float(rng.uniform(0.5, 4)), float(rng.uniform(0, 1))
        both = DigraphMeasure(lambda x, a=a: (np.stack([x + a, x - 2 * a], 1), np.full(2, 0.5)))
        field = FourierVlasov(Graph(both.network(m)), 0.0, (K,), D=D)
        start = np.zeros((5, m), dtype=complex)
        start[0], start[1] = 1, small * np.exp(2j * np.pi * k * x)
        *_, a1 = trajectory(field, start, np.linspace(0, end, 201))
        rate = np.log(abs(a1[1]).mean() / small) / end
        demand(
            abs(number(growth(k, a, K, D)) - rate) < 1e-5,
            f"at k = {k}, a = {a:.3f}, K = {K:.2f}, D = {D:.2f} a wave has another rate",
        )
    right("the Vlasov equation grows at this rate")


def check_approach(approach):
    """Check `approach(phi, beta, share)`: rate of the angle between two unequal clusters."""
    rng = np.random.default_rng()
    for phi, beta in rng.uniform((0.2, 0), (3, 5), size=(6, 2)):
        few = int(rng.integers(1, 9))
        angle = np.where(np.arange(10) < few, 0, phi)
        x = np.stack([np.cos(angle), np.sin(angle)], -1)
        v = Attention(beta)(0, x)
        measured = (v[-1] * [-np.sin(phi), np.cos(phi)]).sum() - v[0, 1]
        value = number(approach(phi, beta, few / 10))
        demand(value < 0, f"they attract each other, and your angle grows at {value:.4g}")
        demand(
            abs(value - measured) < 1e-9,
            f"at phi = {phi:.3f}, beta = {beta:.3f}, share = {few / 10} ten tokens move otherwise",
        )
    right("ten tokens in two clusters move at this rate")


def check_beta_for(beta_for):
    """Check `beta_for(t, phi)`: beta for which two clusters take the time t to angle 0.1."""
    rng = np.random.default_rng()
    for phi, t in rng.uniform((1, 8), (2.5, 80), size=(3, 2)):
        beta = number(beta_for(t, phi))
        demand(0 <= beta < 100, f"for t = {t:.1f}, phi = {phi:.3f} you give beta = {beta:.4g}")
        pair = np.array([[1, 0], [np.cos(phi), np.sin(phi)]])
        *_, x = Attention(beta).flow(pair, np.linspace(0, t, 4000))
        end = float(np.arccos(np.clip(x[0] @ x[1], -1, 1)))
        demand(
            abs(end - 0.1) < 1e-4,
            f"for t = {t:.1f}, phi = {phi:.3f} they are then at the angle {end:.4f}, not 0.1",
        )
    right("two tokens arrive on time")
