"""Products of random layers: spectra in closed form, by QR, and the moments of their norms."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from dsnnlib.outlook.random_layers import (
    GaussianLayers,
    ReluLayers,
    critical_variance,
    orthogonal,
    spectrum,
)

# ---- Gaussian layers ----


def test_the_spectrum_has_the_published_values():
    expected = [-0.1844876, -0.4913404, -1.1844876]
    assert GaussianLayers(3).exponents() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("N", [1, 2, 5, 20])
def test_exponents_are_mean_logarithms_of_chi_variables(N):
    by_quadrature = [stats.chi(N - i).expect(np.log) for i in range(N)]
    expected = np.array(by_quadrature) + math.log(1.7 / N) / 2
    assert GaussianLayers(N, 1.7).exponents() == pytest.approx(expected, abs=1e-8)


def test_variances_are_those_of_the_logarithms_of_chi_variables():
    layers = GaussianLayers(4)
    for freedom, variance in zip((4, 3, 2, 1), layers.log_variances(), strict=True):
        law = stats.chi(freedom)
        expected = law.expect(lambda x: np.log(x) ** 2) - law.expect(np.log) ** 2
        assert variance == pytest.approx(expected, abs=1e-7)


def test_the_sum_of_the_exponents_is_the_mean_log_determinant():
    layers = GaussianLayers(5, 0.8)
    logs = np.linalg.slogdet(layers(np.random.default_rng(0), 20_000))[1]
    error = 4 * logs.std() / len(logs) ** 0.5
    assert layers.exponents().sum() == pytest.approx(logs.mean(), abs=error)


@pytest.mark.parametrize("N", [2, 7])
def test_qr_measures_the_spectrum_within_its_standard_error(N):
    layers = GaussianLayers(N, 1.3)
    found = spectrum(layers, N, 40, 200, np.random.default_rng(0))
    exact = np.sqrt(layers.log_variances() / (40 * 200))
    assert np.all(np.abs(found.value - layers.exponents()) < 4.5 * exact)
    assert found.standard_error == pytest.approx(exact, rel=4 / (2 * 200) ** 0.5)


def test_the_critical_variances_have_the_published_values():
    found = [critical_variance(N) for N in (1, 3, 10, 100)]
    assert found == pytest.approx([3.5621448, 1.4462516, 1.1088465, 1.0100838], abs=1e-7)


@pytest.mark.parametrize("N", [1, 4, 50])
def test_the_top_exponent_vanishes_at_the_critical_variance(N):
    assert GaussianLayers(N, critical_variance(N)).exponents()[0] == pytest.approx(0, abs=1e-13)


def test_the_second_moment_exponent_is_the_logarithm_of_the_variance():
    for N in (1, 6, 300):
        assert GaussianLayers(N, 1.4).moment_exponent(2) == pytest.approx(math.log(1.4), abs=1e-11)


def test_the_fourth_moment_of_linear_layers_has_the_factor_one_plus_two_over_n():
    assert GaussianLayers(64).moment_exponent(4) == pytest.approx(math.log(1 + 2 / 64), abs=1e-11)


@pytest.mark.parametrize("p", [-1.5, -0.3, 1.0, 3.0])
def test_moments_agree_with_quadrature(p):
    expected = quad(lambda x: (1.2 * x**2 / 4) ** (p / 2) * stats.chi(4).pdf(x), 0, 30)[0]
    assert math.exp(GaussianLayers(4, 1.2).moment_exponent(p)) == pytest.approx(expected, abs=1e-7)


def test_the_slope_of_the_moment_exponents_at_zero_is_the_top_exponent():
    layers = GaussianLayers(3, 1.1)
    up, down = layers.moment_exponent([1e-4, -1e-4])
    assert (up - down) / 2e-4 == pytest.approx(layers.exponents()[0], abs=1e-7)  # O(step^2)


def test_entries_have_the_variance_over_the_width():
    drawn = GaussianLayers(8, 2.0)(np.random.default_rng(0), 2000)
    assert drawn.shape == (2000, 8, 8)
    assert drawn.var() == pytest.approx(0.25, rel=4 * (2 / drawn.size) ** 0.5)


# ---- ReLU layers ----


def test_the_fourth_moment_of_he_layers_has_the_factor_one_plus_five_over_n():
    for N in (4, 64):
        assert ReluLayers(N).moment_exponent(4) == pytest.approx(math.log(1 + 5 / N), abs=1e-11)
        assert ReluLayers(N).moment_exponent(2) == pytest.approx(0, abs=1e-11)


def test_high_moments_of_relu_layers_do_not_overflow():
    relu = ReluLayers(4)  # from p = 400 on K = 4 carries the moment
    expected = GaussianLayers(4, 2.0).moment_exponent(900.0) - 4 * math.log(2)
    assert relu.moment_exponent(900) == pytest.approx(expected, rel=1e-3)


def test_one_relu_neuron_survives_every_second_layer():
    one = ReluLayers(1, 3.0)
    assert one.death == 0.5
    assert one.exponent == pytest.approx(GaussianLayers(1, 3.0).exponents()[0], abs=1e-13)
    assert one.log_variance == pytest.approx(GaussianLayers(1).log_variances()[0], abs=1e-13)


def test_real_relu_layers_have_the_exponent_and_the_deaths():
    rng, N, R = np.random.default_rng(0), 3, 40_000
    h = np.maximum(GaussianLayers(N, 2.0)(rng, R) @ np.array([1.0, -2.0, 0.5]), 0)
    size = np.linalg.norm(h, axis=1) / 5.25**0.5
    alive, relu = size > 0, ReluLayers(N)
    assert (~alive).mean() == pytest.approx(relu.death, abs=4 * (1 / 8 * 7 / 8 / R) ** 0.5)
    logs = np.log(size[alive])
    assert relu.exponent == pytest.approx(logs.mean(), abs=4 * logs.std() / len(logs) ** 0.5)
    squares = (logs - logs.mean()) ** 2
    assert relu.log_variance == pytest.approx(logs.var(), abs=4 * squares.std() / len(logs) ** 0.5)


def test_wide_relu_layers_have_the_variance_five_over_four_n():
    relu = ReluLayers(4000)
    assert relu.log_variance * 4 * 4000 / 5 == pytest.approx(1, abs=5e-3)  # next order O(1/N)
    assert relu.exponent * -4 * 4000 / 5 == pytest.approx(1, abs=5e-3)


# ---- other layers ----


def test_orthogonal_layers_have_one_exponent():
    found = spectrum(lambda rng, n: 0.7 * orthogonal(rng, n, 6), 6, 30, 3, np.random.default_rng(0))
    assert found.value == pytest.approx(math.log(0.7), abs=1e-13)


def test_orthogonal_matrices_are_uniform():
    drawn = orthogonal(np.random.default_rng(0), 20_000, 3)
    assert drawn @ drawn.transpose(0, 2, 1) == pytest.approx(
        np.broadcast_to(np.eye(3), drawn.shape), abs=1e-13
    )
    traces = np.trace(drawn, axis1=1, axis2=2)  # Haar: mean 0, mean square 1
    assert traces.mean() == pytest.approx(0, abs=4 / 20_000**0.5)
    assert (traces**2).mean() == pytest.approx(1, abs=4 * (traces**2).std() / 20_000**0.5)


def test_diagonal_layers_have_the_means_of_their_logarithms():
    values = np.exp(np.array([0.5, -0.2, -1.0]))
    found = spectrum(
        lambda rng, n: np.broadcast_to(np.diag(values), (n, 3, 3)),
        3,
        7,
        2,
        np.random.default_rng(0),
    )
    assert found.value == pytest.approx([0.5, -0.2, -1.0], abs=1e-13)


def test_one_matrix_in_every_layer_has_the_moduli_of_its_eigenvalues():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, 3))
    W = basis @ np.diag([0.2, 1.5, 0.6]) @ np.linalg.inv(basis)
    short, long = (
        spectrum(lambda rng, n: np.broadcast_to(W, (n, 3, 3)), 3, depth, 2, rng).value
        for depth in (60, 80)
    )
    expected = np.log([1.5, 0.6, 0.2])  # the start is forgotten like (0.6 / 1.5)^60
    assert (80 * long - 60 * short) / 20 == pytest.approx(expected, abs=1e-10)


# ---- bad input ----

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GaussianLayers(0), "N is 0"),
        (lambda: GaussianLayers(2.5), "N is 2.5"),
        (lambda: GaussianLayers(3, 0.0), "variance is 0"),
        (lambda: GaussianLayers(3, -1.0), "variance is -1"),
        (lambda: GaussianLayers(3).moment_exponent(-3), "p is -3; it must be above -N"),
        (lambda: GaussianLayers(3).moment_exponent(math.nan), "p holds NaN"),
        (lambda: GaussianLayers(3)(0, 2), "rng is 0"),
        (lambda: GaussianLayers(3)(RNG, 0), "replicas is 0"),
        (lambda: ReluLayers(0), "N is 0"),
        (lambda: ReluLayers(3, -2.0), "variance is -2"),
        (lambda: ReluLayers(3).moment_exponent(0), "p is 0"),
        (lambda: critical_variance(0), "N is 0"),
        (lambda: spectrum(GaussianLayers(2), 2, 0, 5, RNG), "depth is 0"),
        (lambda: spectrum(GaussianLayers(2), 0, 3, 5, RNG), "N is 0"),
        (lambda: spectrum(GaussianLayers(2), 2, 3, 1, RNG), "replicas is 1"),
        (lambda: spectrum(GaussianLayers(2), 2, 3, 5, 0), "rng is 0"),
        (lambda: spectrum(GaussianLayers(3), 2, 3, 5, RNG), "layers has the shape"),
        (lambda: spectrum(lambda r, n: np.full((n, 2, 2), np.inf), 2, 3, 5, RNG), "layers holds"),
        (lambda: orthogonal(RNG, 0, 3), "replicas is 0"),
        (lambda: orthogonal(None, 2, 3), "rng is None"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
