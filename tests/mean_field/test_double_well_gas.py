"""The double-well gas: Gamma functions, quadrature by scipy, exact equilibrium, symmetry."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import gamma, pbdv

from dsnnlib.mean_field.double_well_gas import DoubleWellGas, critical_noise

GAS = DoubleWellGas(b=1.0, D=0.3)


@pytest.mark.parametrize("m", [0.0, 0.4, -1.1])
def test_moments_are_those_of_adaptive_quadrature(m):
    def density(x):
        return np.exp(-(x**4 / 4 - x**2 / 2 + (x - m) ** 2 / 2) / 0.3)

    total, first, second = (
        quad(lambda x, k=k: x**k * density(x), -6, 6, points=[-1, 0, 1], epsabs=1e-13)[0]
        for k in range(3)
    )
    mean, variance = GAS.moments(m)
    assert mean == pytest.approx(first / total, abs=1e-10)
    assert variance == pytest.approx(second / total - (first / total) ** 2, abs=1e-10)


@pytest.mark.parametrize("b", [0.2, 0.7, 1.0, 1.7])
def test_the_critical_noise_is_that_of_parabolic_cylinder_functions(b):
    D = critical_noise(b)
    z = (b - 1) / (2 * D) ** 0.5
    variance = (2 * D) ** 0.5 / 2 * pbdv(-3 / 2, z)[0] / pbdv(-1 / 2, z)[0]
    assert b * variance == pytest.approx(D, rel=1e-10)


def test_at_attraction_one_the_critical_noise_is_a_ratio_of_gamma_functions():
    assert critical_noise(1.0) == pytest.approx(4 * (gamma(3 / 4) / gamma(1 / 4)) ** 2, rel=1e-12)


@pytest.mark.parametrize("b", [0.3, 1.0, 1.8])
def test_a_magnetisation_appears_below_the_critical_noise_only(b):
    D = critical_noise(b)
    assert DoubleWellGas(b, 1.001 * D).magnetisation() == 0
    below = DoubleWellGas(b, 0.999 * D)
    m = below.magnetisation()
    assert 0 < m < 0.2
    assert below.moments(m)[0] == pytest.approx(m, abs=1e-12)


def test_without_much_noise_the_magnetisation_is_that_of_the_wells():
    assert DoubleWellGas(1.0, 0.02).magnetisation() == pytest.approx(1, abs=0.02)


def test_the_free_energy_is_stationary_at_the_stationary_laws():
    plus, h = GAS.magnetisation(), 1e-4
    for m in (-plus, 0.0, plus):
        slope = (GAS.free_energy(m + h) - GAS.free_energy(m - h)) / (2 * h)
        assert slope == pytest.approx(0, abs=1e-7)
    assert GAS.free_energy(0.0) > GAS.free_energy(plus)
    assert GAS.free_energy(-plus) == pytest.approx(GAS.free_energy(plus), abs=1e-12)


def test_the_mean_square_of_two_particles_is_a_double_integral():
    def density(y, x):
        wells = x**4 / 4 - x**2 / 2 + y**4 / 4 - y**2 / 2
        return np.exp(-(wells + (x - y) ** 2 / 4) / 0.3)

    total = dblquad(density, -4, 4, -4, 4, epsabs=1e-8)[0]
    square = dblquad(lambda y, x: ((x + y) / 2) ** 2 * density(y, x), -4, 4, -4, 4, epsabs=1e-8)
    assert GAS.mean_square(2) == pytest.approx(square[0] / total, rel=1e-6)


def test_one_particle_has_its_own_variance():
    """It does not feel the attraction: for N = 1 the mean is the particle."""
    total, second = (
        quad(lambda x, k=k: x**k * np.exp(-(x**4 / 4 - x**2 / 2) / 0.3), -6, 6)[0] for k in (0, 2)
    )
    assert GAS.mean_square(1) == pytest.approx(second / total, rel=1e-8)


def test_a_simulation_in_equilibrium_has_the_exact_mean_square():
    states = GAS.simulate(np.ones((300, 5)), 0.1, 1500, np.random.default_rng(0))
    means = np.array([x.mean(-1) for x in states])[500:]
    square = (means**2).mean(0)
    assert abs(square.mean() - GAS.mean_square(5)) < 4 * square.std() / 300**0.5 + 0.003  # dt^2


def test_the_drift_is_the_gradient_of_the_energy():
    x, h = np.array([0.3, -1.2, 0.8]), 1e-6

    def energy(x):
        return (x**4 / 4 - x**2 / 2 + (x - x.mean()) ** 2 / 2).sum()

    for i, step in enumerate(h * np.eye(3)):
        slope = (energy(x + step) - energy(x - step)) / (2 * h)
        assert GAS.drift(x)[i] == pytest.approx(-slope, abs=1e-8)


def test_parameters_that_make_no_sense_are_refused():
    for b, D, message in (
        (0.0, 0.3, "b is 0.0"),
        (1.0, 0.0, "D is 0.0"),
        (1.0, 1.5, "between 0.01 and 1"),
        (1.0, 0.001, "between"),
    ):
        with pytest.raises(ValueError, match=message):
            DoubleWellGas(b, D)
    with pytest.raises(ValueError, match="b is -1; it must be a positive"):
        critical_noise(-1)
    with pytest.raises(ValueError, match=r"b is 9\.0; it must be smaller"):
        critical_noise(9.0)
    with pytest.raises(ValueError, match="N is 0"):
        GAS.mean_square(0)


def test_runs_that_make_no_sense_are_refused():
    rng = np.random.default_rng(0)
    for start, dt, steps, generator, message in (
        ([np.inf], 0.1, 3, rng, "start holds NaN or infinity"),
        ([1.0], -0.1, 3, rng, "dt is -0.1"),
        ([1.0], 0.1, 0, rng, "steps is 0"),
        ([1.0], 0.1, 3, 5, "rng is 5"),
    ):
        with pytest.raises(ValueError, match=message):
            GAS.simulate(start, dt, steps, generator)
