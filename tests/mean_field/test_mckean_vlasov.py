"""Ornstein-Uhlenbeck particles: Lyapunov equation, scipy, limits, four standard errors."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

from dsnnlib.mean_field.mckean_vlasov import OrnsteinUhlenbeck

OU = OrnsteinUhlenbeck(a=0.8, b=1.5, D=0.4)
V0, N = 0.3, 4


def covariance_matrix(t, system, particles=N):
    """Of all particles at the time t, from C' = A C + C A^T + 2 D I."""
    drift = -(system.a + system.b) * np.eye(particles) + system.b / particles

    def field(t, c):
        c = c.reshape(particles, particles)
        return (drift @ c + c @ drift.T + 2 * system.D * np.eye(particles)).ravel()

    end = solve_ivp(field, (0, t), V0 * np.eye(particles).ravel(), rtol=1e-10, atol=1e-12)
    return end.y[:, -1].reshape(particles, particles)


@pytest.mark.parametrize("t", [0.1, 0.7, 3.0])
def test_variances_and_covariances_solve_the_lyapunov_equation(t):
    c = covariance_matrix(t, OU)
    assert OU.variance(t, V0, N) == pytest.approx(c[0, 0], rel=1e-8)
    assert OU.covariance(t, V0, N) == pytest.approx(c[0, 1], rel=1e-7)
    assert OU.mean_variance(t, V0, N) == pytest.approx(c.mean(), rel=1e-8)


@pytest.mark.parametrize("b", [1.5, 0.0, -0.5])
def test_the_stationary_covariance_is_that_of_the_dense_lyapunov_equation(b):
    system = OrnsteinUhlenbeck(a=0.8, b=b, D=0.4)
    drift = -(0.8 + b) * np.eye(N) + b / N
    c = solve_continuous_lyapunov(drift, -0.8 * np.eye(N))
    assert system.variance(1e3, V0, N) == pytest.approx(c[0, 0], rel=1e-10)
    assert system.covariance(1e3, V0, N) == pytest.approx(c[0, 1], rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("t", [0.2, 1.5])
def test_the_coupling_solves_the_equations_of_its_three_moments(t):
    a, c, b = OU.a, OU.a + OU.b, OU.b

    def field(t, z):  # E U^2, E U Delta, E Delta^2, with Delta' = -c Delta + b U
        return [
            -2 * a * z[0] + 2 * OU.D / N,
            -(a + c) * z[1] + b * z[0],
            -2 * c * z[2] + 2 * b * z[1],
        ]

    end = solve_ivp(field, (0, t), [V0 / N, 0, 0], rtol=1e-10, atol=1e-13).y[2, -1]
    assert OU.coupling(t, V0, N) == pytest.approx(end, rel=1e-7)


def test_the_limits_are_those_of_the_theorem():
    assert OU.limit_variance(1e3, V0) == pytest.approx(0.4 / 2.3, rel=1e-12)
    assert OU.mean_variance(1e3, V0, 7) == pytest.approx(0.4 / (0.8 * 7), rel=1e-12)
    assert OU.mean(2.0, 3.0) == pytest.approx(3 * np.exp(-1.6))
    assert OU.variance(0.5, V0, 10**9) == pytest.approx(OU.limit_variance(0.5, V0), rel=1e-8)
    assert OU.coupling(1e3, V0, 5) == pytest.approx(
        0.4 * 1.5**2 / (0.8 * 2.3 * (0.8 + 2.3)) / 5, rel=1e-10
    )


def test_without_attraction_particles_are_independent():
    free = OrnsteinUhlenbeck(a=0.8, b=0.0, D=0.4)
    assert free.covariance(0.7, V0, 5) == 0
    assert free.coupling(0.7, V0, 5) == pytest.approx(0, abs=1e-16)


def test_the_simulation_has_the_exact_law_for_long_steps():
    rng = np.random.default_rng(0)
    start = 1.0 + V0**0.5 * rng.normal(size=(20000, N))
    times = np.array([0, 0.4, 1.7])
    states = np.array(list(OU.simulate(start, times, rng)))
    for t, x in zip(times[1:], states[1:], strict=True):
        d = x - OU.mean(t, 1.0)
        assert abs(d.mean()) < 4 * d.mean(1).std() / 20000**0.5
        for products, value in (
            (d[:, 0] ** 2, OU.variance(t, V0, N)),
            (d[:, 0] * d[:, 1], OU.covariance(t, V0, N)),
            (d.mean(1) ** 2, OU.mean_variance(t, V0, N)),
        ):
            assert abs(products.mean() - value) < 4 * products.std() / 20000**0.5


def test_the_first_state_is_the_start():
    start = np.arange(6.0).reshape(2, 3)
    first = next(OU.simulate(start, [0, 1], np.random.default_rng(0)))
    np.testing.assert_array_equal(first, start)


def test_all_particles_leave_their_copies_by_the_same_amount():
    rng = np.random.default_rng(0)
    start = V0**0.5 * rng.normal(size=(3000, N))
    x, copy = OU.coupled(start, 0.0, 0.01, 80, rng)
    shift = x - copy
    assert np.ptp(shift, axis=1).max() < 1e-13
    square = shift[:, 0] ** 2
    wanted = OU.coupling(0.8, V0, N)
    assert abs(square.mean() - wanted) < 4 * square.std() / 3000**0.5 + 0.03 * wanted  # O(dt)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 1.0), "a is 0.0; it must be a positive"),
        ((1.0, -1.5, 1.0), r"a \+ b is -0.5"),
        ((1.0, np.inf, 1.0), "b is inf"),
        ((1.0, 1.0, -1.0), "D is -1.0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OrnsteinUhlenbeck(*arguments)


def test_runs_that_make_no_sense_are_refused():
    rng = np.random.default_rng(0)
    for start, times, generator, message in (
        ([1.0, np.nan], [0, 1], rng, "start holds NaN"),
        ([1.0, 2.0], [0, 1, 1], rng, "times is .* must increase"),
        ([1.0, 2.0], [[0, 1]], rng, "times has 2 dimensions"),
        ([1.0, 2.0], [0, 1], 7, "rng is 7; it must be a numpy.random.Generator"),
    ):
        with pytest.raises(ValueError, match=message):
            OU.simulate(start, times, generator)
    for m0, dt, steps, generator, message in (
        (np.nan, 0.1, 3, rng, "m0 is nan"),
        (0.0, 0.0, 3, rng, "dt is 0.0"),
        (0.0, 0.1, 2.5, rng, "steps is 2.5"),
        (0.0, 0.1, 3, None, "rng is None"),
    ):
        with pytest.raises(ValueError, match=message):
            OU.coupled([1.0, 2.0], m0, dt, steps, generator)
