"""The Vlasov equation: quadrature of its flux, particles, exact laws, and known densities."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import iv

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.distances import wasserstein_circle
from dsnnlib.mean_field.oscillators import AllToAll, Fibred, Graph, LowRank, Oscillators
from dsnnlib.mean_field.ott_antonsen import poisson_quantiles
from dsnnlib.mean_field.synchrony import noisy_order
from dsnnlib.mean_field.vlasov import (
    FourierVlasov,
    density,
    particle_moments,
    poisson_moments,
    quantiles,
)

NODES = 4
GRID = 2 * math.pi * np.arange(256) / 256  # exact for trigonometric polynomials of degree 255

OPERATORS = pytest.mark.parametrize(
    ("operator", "matrix"),
    [
        (AllToAll(), np.ones((NODES, NODES))),
        (
            Graph(np.random.default_rng(0).random((NODES, NODES))),
            np.random.default_rng(0).random((NODES, NODES)),
        ),
        (
            LowRank(np.arange(4.0)[:, None], np.ones((4, 1))),
            np.outer(np.arange(4.0), np.ones(4)),
        ),
    ],
    ids=["all to all", "graph", "low rank"],
)
COUPLINGS = pytest.mark.parametrize(
    ("sine", "cosine"),
    [((1.3,), ()), ((), (0.7,)), ((0.5, 0.0, -0.8), (0.2, 1.1)), ((0.0, 2.0), (0.3,)), ((), ())],
    ids=["sine", "cosine", "both", "second", "none"],
)


def rng(seed=0):
    return np.random.default_rng(seed)


def some_moments(M, seed=0):
    """Of positive densities in the fibres that are trigonometric polynomials of degree M."""
    g = rng(seed)
    a = (g.normal(size=(M + 1, NODES)) + 1j * g.normal(size=(M + 1, NODES))) * 0.2
    a *= 0.5 ** np.arange(M + 1)[:, None]
    a[0] = 1
    return a


def last(states):
    *_, end = states
    return end


def coupling(theta, sine, cosine):
    g = sum((s * np.sin(k * theta) for k, s in enumerate(sine, 1)), np.zeros_like(theta))
    return g + sum(c * np.cos(k * theta) for k, c in enumerate(cosine, 1))


# ---- the right-hand side ----


@OPERATORS
@COUPLINGS
def test_the_velocity_of_a_moment_is_the_quadrature_of_its_flux(operator, matrix, sine, cosine):
    # d/dt of the integral of e^{ik phi} rho is that of ik e^{ik phi} rho V, with V by a double
    # quadrature of g; less D k^2 a_k
    M, D, omega = 12, 0.3, rng(2).normal(size=NODES)
    a = some_moments(5)
    a = np.concatenate([a, np.zeros((M - 5, NODES))])  # nothing is cut off
    rho = density(a, GRID)
    cell = 2 * math.pi / GRID.size
    g = coupling(GRID[None, :] - GRID[:, None], sine, cosine)
    speed = omega[:, None] + (matrix / NODES) @ (rho @ g.T * cell)
    k = np.arange(M + 1)
    waves = np.exp(1j * np.outer(k, GRID))
    exact = 1j * k[:, None] * (waves @ (rho * speed).T * cell) - D * k[:, None] ** 2 * a
    found = FourierVlasov(operator, omega, sine, cosine, D=D)(0, a)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)  # rounding


@COUPLINGS
def test_few_moments_are_the_first_of_many_for_as_long_as_the_tail_is_zero(sine, cosine):
    # what is beyond M counts as zero, also when the coupling reaches farther than M
    a, M = some_moments(2), 2
    longer = np.concatenate([a, np.zeros((9, NODES))])
    field = FourierVlasov(AllToAll(), 0.4, sine, cosine, D=0.1)
    if max(len(sine), len(cosine)) <= M:
        np.testing.assert_allclose(field(0, a), field(0, longer)[:3], rtol=0, atol=1e-14)
    assert field(0, a).shape == a.shape


def test_moments_are_not_changed():
    a = some_moments(6)
    before = a.copy()
    FourierVlasov(AllToAll(), 0.4, (1.0, 2.0), (0.5,), D=0.1)(0, a)
    np.testing.assert_array_equal(a, before)


@OPERATORS
@COUPLINGS
def test_mass_is_conserved_exactly(operator, matrix, sine, cosine):
    a = some_moments(8)
    a[0] = [1, 2, 0.5, 0]  # whatever it is
    field = FourierVlasov(operator, 0.3, sine, cosine, D=0.2)
    np.testing.assert_array_equal(last(trajectory(field, a, np.linspace(0, 0.1, 5)))[0], a[0])


def test_incoherence_stands_still():
    a = np.zeros((9, NODES), dtype=complex)
    a[0] = 1
    field = FourierVlasov(AllToAll(), 0.7, (1.0, 0.3), (0.2,), D=0.1)
    np.testing.assert_array_equal(field(0, a), 0)


# ---- exact laws in time ----


def test_noise_alone_lets_each_moment_decay_by_its_square():
    a, D, t = some_moments(6), 0.4, 0.5
    end = last(trajectory(FourierVlasov(AllToAll(), sine=(), D=D), a, np.linspace(0, t, 401)))
    decay = np.exp(-D * np.arange(7) ** 2 * t)[:, None]
    np.testing.assert_allclose(end, a * decay, rtol=1e-7)  # O((D k^2 dt)^4)


def test_drift_alone_turns_the_density():
    a, omega, t = some_moments(6), np.array([1.0, -0.5, 0.0, 3.0]), 0.7
    field = FourierVlasov(AllToAll(), omega, sine=())
    end = last(trajectory(field, a, np.linspace(0, t, 401)))
    for node in range(NODES):
        turned = density(a, GRID - omega[node] * t)[node]
        np.testing.assert_allclose(density(end, GRID)[node], turned, rtol=0, atol=1e-6)


def test_with_noise_the_density_comes_to_rest_as_a_von_mises_law():
    K, D = 3.0, 1.0
    a = poisson_moments(np.array([0.1 * np.exp(0.5j)]), 16)
    end = last(trajectory(FourierVlasov(AllToAll(), sine=(K,), D=D), a, np.linspace(0, 28, 2801)))
    r = noisy_order(K, D)
    k = np.arange(8)
    exact = iv(k, K * r / D) / iv(0, K * r / D) * np.exp(0.5j * k)
    np.testing.assert_allclose(end[:8, 0], exact, rtol=0, atol=1e-8)  # the transient and the cut


def test_the_error_of_the_steps_is_of_order_four():
    field = FourierVlasov(Graph(rng().random((NODES, NODES))), 0.3, (1.0, 0.4), (0.2,), D=0.1)
    a = np.concatenate([some_moments(4), np.zeros((8, NODES))])
    runs = [last(trajectory(field, a, np.linspace(0, 1, n + 1))) for n in (20, 40, 80, 160)]
    gaps = [abs(x - y).max() for x, y in pairwise(runs)]
    np.testing.assert_allclose(np.log2(np.divide(gaps[:-1], gaps[1:])), 4, atol=0.3)


def test_the_error_of_the_cut_is_exponentially_small():
    def run(M):
        a = poisson_moments(np.full(1, 0.3 + 0j), M)
        field = FourierVlasov(AllToAll(), sine=(1.0, 0.5))
        return last(trajectory(field, a, np.linspace(0, 0.5, 301)))[1, 0]

    exact = run(80)
    errors = [abs(run(M) - exact) for M in (2, 4, 6, 8)]
    assert (np.divide(errors[1:], errors[:-1]) < 0.05).all()


# ---- the other method: particles ----


@OPERATORS
@pytest.mark.parametrize(("sine", "cosine"), [((1.0,), ()), ((0.6, 0.5), (0.4,))])
def test_moments_and_particles_agree(operator, matrix, sine, cosine):
    z, omega = np.array([0.3, -0.2, 0.4j, 0.1 + 0.2j]), np.array([0.5, -0.5, 1.0, 0.0])
    times = np.linspace(0, 0.8, 161)
    particles = Oscillators(omega[:, None], Fibred(operator), sine, cosine)
    phases = last(trajectory(particles, poisson_quantiles(z, 1000), times))
    field = FourierVlasov(operator, omega, sine, cosine)
    a = last(trajectory(field, poisson_moments(z, 64), times))
    # the cut of the series, O(dt^4), and quantiles that are exponentially close
    np.testing.assert_allclose(particle_moments(phases, 5), a[:6], rtol=0, atol=1e-6)
    gap = wasserstein_circle(quantiles(a, 1000), phases)
    # a quantile's share of the law lies within its own arc: both are within pi/n of the law
    assert gap.max() < 2 * math.pi / 1000


# ---- moments, densities, quantiles ----


def test_moments_of_particles_are_means_of_exponentials():
    phi = rng().uniform(-9, 9, (3, 20))
    found = particle_moments(phi, 4)
    assert found.shape == (5, 3)
    exact = [(np.cos(k * phi) + 1j * np.sin(k * phi)).mean(-1) for k in range(5)]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14)


def test_moments_of_a_poisson_kernel_are_powers():
    z = np.array([[0.3, 0.1j], [0.0, -0.5 + 0.2j]])
    found = poisson_moments(z, 4)
    assert found.shape == (5, 2, 2)
    for k in range(5):
        np.testing.assert_allclose(found[k], z**k, rtol=1e-14)


@pytest.mark.parametrize("z", [0.0, 0.5, 0.6j, -0.4 - 0.3j])
def test_the_density_of_powers_is_the_poisson_kernel(z):
    kernel = (1 - abs(z) ** 2) / abs(1 - np.conj(z) * np.exp(1j * GRID)) ** 2 / (2 * math.pi)
    found = density(poisson_moments(z, 60), GRID)
    np.testing.assert_allclose(found, kernel, rtol=0, atol=1e-12)  # 0.6^60


def test_the_density_has_its_moments():
    a = some_moments(6)
    rho = density(a, GRID)
    assert rho.shape == (NODES, GRID.size)
    waves = np.exp(1j * np.outer(np.arange(7), GRID))
    back = waves @ rho.T * (2 * math.pi / GRID.size)
    np.testing.assert_allclose(back, a, rtol=0, atol=1e-14)
    np.testing.assert_allclose(rho.sum(1) * 2 * math.pi / GRID.size, 1, rtol=1e-13)


def test_quantiles_cut_the_mass_into_equal_shares():
    a, n = some_moments(6), 8
    found = quantiles(a, n)
    for node in range(NODES):
        ends = np.append(-math.pi, found[node])
        shares = [
            quad(lambda phi, i=node: density(a[:, i], np.array([phi]))[0], lower, upper)[0]
            for lower, upper in pairwise(ends)
        ]
        np.testing.assert_allclose(shares, np.append(0.5 / n, np.full(n - 1, 1 / n)), atol=1e-6)


def test_the_error_of_quantiles_falls_with_the_square_of_the_grid():
    # a real mean has its kernel's own quantiles, counted from -pi
    exact = poisson_quantiles(0.4, 50)
    a = poisson_moments(np.array(0.4 + 0j), 60)
    errors = [abs(quantiles(a, 50, grid=grid) - exact).max() for grid in (100, 200, 400, 800)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    # single quantiles fall between grid points as they will; over three halvings
    assert orders.mean() == pytest.approx(2, abs=0.2)
    assert abs(quantiles(a, 50) - exact).max() < 1e-6


def test_quantiles_of_the_uniform_law_are_even():
    a = np.zeros(5, dtype=complex)
    a[0] = 1
    even = 2 * math.pi * ((np.arange(6) + 0.5) / 6 - 0.5)
    np.testing.assert_allclose(quantiles(a, 6), even, rtol=0, atol=1e-12)


def test_quantiles_have_the_moments_of_their_density():
    a = some_moments(6)
    found = quantiles(a, 4000)
    np.testing.assert_allclose(particle_moments(found, 6), a, rtol=0, atol=1e-5)  # grid^-2, n^-2


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FourierVlasov(AllToAll(), D=-0.1), "D is -0.1; noise must not be negative"),
        (lambda: FourierVlasov(AllToAll(), D=math.nan), "D is nan"),
        (lambda: FourierVlasov(AllToAll(), [math.inf]), "omega holds NaN or infinity"),
        (lambda: poisson_moments(0.5, 0), "M is 0; it must be a whole number, at least 1"),
        (lambda: particle_moments([0.1], 1.5), "M is 1.5"),
        (lambda: particle_moments([], 1), "phi is empty"),
        (lambda: density([1.0, 0.1], [[0.0]]), "phi has 2 dimensions"),
        (lambda: quantiles([1.0, 0.9], 4), "a is not the moments of a positive density"),
        (lambda: quantiles([1.0, 0.1], 0), "n is 0"),
        (lambda: quantiles([1.0, 0.1], 4, grid=4), "grid is 4; it must be a whole number"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
