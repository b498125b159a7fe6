"""Solvable laws of gradients: quadrature, hypergeometric moments, words, dense products."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import beta, comb, gamma, hyp1f1, hyp2f1, hyperu

from dsnnlib.training.landscapes import (
    GaussianGradient,
    OrthogonalGradients,
    TwoGradients,
    UniformGradient,
)

GAUSSIAN, UNIFORM = GaussianGradient(), UniformGradient()
TWO, THREE = OrthogonalGradients([1, 4]), OrthogonalGradients([1, 4, 0.25], [0.5, 0.3, 0.2])
SCALAR = pytest.mark.parametrize("law", [GAUSSIAN, UNIFORM], ids=["gaussian", "uniform"])
ORTHOGONAL = pytest.mark.parametrize("law", [TWO, THREE], ids=["two", "three"])
COSINES = pytest.mark.parametrize("c", [0.5, 0.0, -0.9])


def moments(law, k):
    """E a^2k."""
    return 2.0**k * gamma(k + 0.5) / gamma(0.5) if law is GAUSSIAN else 3.0**k / (2 * k + 1)


def mean_log(law, eta):
    """E log abs(1 - eta a^2) by quadrature, broken at the singularity, and its error bound."""

    def integrand(a):
        gaussian = math.sqrt(2 / math.pi) * math.exp(-a * a / 2)
        density = gaussian if law is GAUSSIAN else 1 / math.sqrt(3)
        return density * math.log(abs(1 - eta * a * a))

    end = 12 if law is GAUSSIAN else math.sqrt(3)
    zero = min(1 / math.sqrt(eta), end)
    pieces = [(low, high) for low, high in ((0, zero), (zero, end)) if low < high]
    accuracy = {"epsabs": 1e-12, "epsrel": 1e-12, "limit": 200}
    return np.sum([quad(integrand, *piece, **accuracy) for piece in pieces], axis=0)


def mean_power(law, p, eta):
    """E abs(1 - eta a^2)^p in hypergeometric functions, for p > -1."""
    if law is GAUSSIAN:  # a^2/2 has a gamma law; below and above z = 1/(2 eta)
        z = 1 / (2 * eta)
        below = math.sqrt(math.pi) / gamma(p + 1.5) * hyp1f1(0.5, p + 1.5, -z)
        above = math.exp(-z) * hyperu(p + 1, p + 1.5, z)
        return math.sqrt(z / math.pi) * gamma(p + 1) * (below + above)
    v = 3 * eta - 1
    if v < 0:
        return hyp2f1(-p, 0.5, 1.5, 3 * eta)
    above = v ** (p + 1) / (p + 1) * hyp2f1(0.5, p + 1, p + 2, -v)
    return (beta(0.5, p + 1) + above) / (2 * math.sqrt(3 * eta))


def step(a, eta):
    """I - eta a a^T, dense."""
    return np.eye(len(a)) - eta * np.outer(a, a)


def last_digit(value, digits):
    """Half a unit of the last of the known digits."""
    return pytest.approx(value, rel=0, abs=0.51 * 10.0**-digits)


# ---- one direction: the exponent ----


@SCALAR
def test_the_exponent_is_the_mean_logarithm(law):
    rates = np.array([[0.02, 1 / 32, 0.032, 0.3, 0.5], [0.8, 1.0, 2.0, 2.5, 30.0]])
    expected, bound = np.vectorize(lambda eta: tuple(mean_log(law, eta)))(rates)
    assert bound.max() < 1e-11
    assert (abs(law.exponent(rates) - expected) < bound + 2e-14).all()


def test_the_gaussian_exponent_has_the_known_digits():
    found = GAUSSIAN.exponent([0.5, 1, 2])
    assert found == last_digit([-0.484626765823, -0.416991636869, -0.116246992054], 12)
    assert GAUSSIAN.exponent(2.5) == last_digit(0.0206245928, 10)


@SCALAR
@pytest.mark.parametrize("eta", [1e-300, 1e-12, 1e-6, 1e-4, 1e-2])
def test_at_small_rates_the_exponent_is_the_series_of_the_moments(law, eta):
    k = np.arange(1, 40)  # the Gaussian series diverges, but its terms fall to 1e-22 first
    series = -(eta**k * moments(law, k) / k).sum()
    assert law.exponent(eta) == pytest.approx(series, rel=0, abs=2e-14)
    assert law.exponent(eta) == pytest.approx(-eta, rel=2 * eta, abs=2e-14)


@pytest.mark.parametrize("eta", [1e2, 1e4, 1e12, 1e300])
def test_at_large_rates_the_gaussian_exponent_is_a_shifted_logarithm(eta):
    limit = math.log(eta) - np.euler_gamma - math.log(2)
    # 1/eta - 1/(6 eta^2) + ..., an alternating series; and rounding
    rest, rounding = GAUSSIAN.exponent(eta) - limit - 1 / eta, 2e-14 + 4e-16 * limit
    assert -1 / (6 * eta) / eta - rounding < rest < rounding


@SCALAR
def test_descent_on_the_mean_loss_multiplies_by_one_minus_the_rate(law):
    assert law.descent_threshold == 2
    expected = [math.log(0.7), -math.inf, 0, math.log(2)]
    np.testing.assert_allclose(law.descent_exponent([0.3, 1, 2, 3]), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("law", "zero", "tolerance"),
    [(GAUSSIAN, 2.42124952103684, 1e-13), (UNIFORM, 2.0904989015, 0.51e-10)],
)
def test_the_almost_sure_threshold_is_the_known_zero(law, zero, tolerance):
    # an error of 2e-14 in lambda over its slope of 0.2 or more; or the last digit
    assert law.almost_sure_threshold == pytest.approx(zero, rel=0, abs=tolerance)
    below, above = law.exponent(zero + np.array([-1e-9, 1e-9]))
    assert below < 0 < above


def test_the_gaussian_exponent_is_stationary_and_least_at_the_best_rate():
    best, h = GAUSSIAN.best_rate, 1e-4
    assert best == last_digit(0.585457706, 9)
    assert GAUSSIAN.exponent(best) == last_digit(-0.49071413, 8)
    left, right = GAUSSIAN.exponent(best + np.array([-h, h]))
    assert abs(right - left) / (2 * h) < 2 * h**2  # h^2/6 times a third derivative of 7
    assert (GAUSSIAN.exponent(np.linspace(0.01, 3, 300)) > GAUSSIAN.exponent(best)).all()


# ---- one direction: the moments ----


@SCALAR
@pytest.mark.parametrize("eta", [0.01, 0.3, 0.5, 1.0, 2.0, 20.0])
def test_even_moment_exponents_are_those_of_the_binomial_sum(law, eta):
    second = math.log(1 - 2 * eta + eta**2 * law.fourth_moment)
    assert law.moment_exponent(2, eta) == pytest.approx(second, abs=2e-12)  # quadrature
    for p in (4, 6):
        k = np.arange(p + 1)
        terms = comb(p, k) * (-eta) ** k * moments(law, k)
        cancelled = 1e-15 * abs(terms).sum() / terms.sum()
        expected = pytest.approx(math.log(terms.sum()), abs=2e-12 + cancelled)
        assert law.moment_exponent(p, eta) == expected


@SCALAR
@pytest.mark.parametrize("eta", [0.05, 0.3, 0.34, 0.7, 2.0, 5.0])
def test_all_moment_exponents_are_the_hypergeometric_ones(law, eta):
    p = np.array([[-0.99, -0.7, -0.5], [-0.1, 0.5, 3.0]])
    expected = np.log([[mean_power(law, each, eta) for each in row] for row in p])
    # the quadrature is asked for 1e-12
    np.testing.assert_allclose(law.moment_exponent(p, eta), expected, rtol=0, atol=2e-12)


@SCALAR
@pytest.mark.parametrize("eta", [0.2, 1.0, 2.2])
def test_the_moment_exponent_is_convex_and_leaves_zero_with_the_slope_lambda(law, eta):
    curve = law.moment_exponent(np.linspace(-0.95, 5, 60), eta)
    assert (np.diff(curve, 2) > 0).all()
    assert law.moment_exponent(0, eta) == pytest.approx(0, abs=2e-12)
    errors = []
    for h in (0.02, 0.01):
        below, above = law.moment_exponent([-h, h], eta)
        errors.append((above - below) / (2 * h) - law.exponent(eta))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)  # O(h^2)


@SCALAR
def test_moment_thresholds_fall_from_the_almost_sure_one(law):
    p = [1e-3, 0.1, 1.0, 2.0, 4.0, 100.0]
    thresholds = [law.moment_threshold(each) for each in p]
    assert (np.diff([law.almost_sure_threshold, *thresholds]) < 0).all()
    for each, eta in zip(p, thresholds, strict=True):
        assert law.moment_exponent(each, 0.999 * eta) < 0 < law.moment_exponent(each, 1.001 * eta)
    for threshold in (law.moment_threshold(2), law.mean_square_threshold):
        assert threshold == pytest.approx(2 / moments(law, 2), rel=1e-11)  # quadrature


def test_the_thresholds_of_the_mean_distance_have_the_known_values():
    assert GAUSSIAN.moment_threshold(1) == last_digit(1.05224663, 8)
    # (b^3 - 3b + 4)/(3b) = 1 with b = sqrt(3 eta) has the root b = 2
    assert UNIFORM.moment_threshold(1) == pytest.approx(4 / 3, rel=1e-11)


@SCALAR
def test_samples_have_the_moments_and_the_mean_logarithm_of_the_law(law):
    a = law.sample((500, 400), np.random.default_rng(0))
    logs = np.log(abs(1 - 0.7 * a**2))
    expected = 0, 1, law.fourth_moment, law.exponent(0.7)
    for values, mean in zip((a, a**2, a**4, logs), expected, strict=True):
        assert abs(values.mean() - mean) < 4 * values.std() / a.size**0.5
    assert law.fourth_moment == pytest.approx(moments(law, 2), rel=1e-14)


# ---- orthogonal gradients ----


def test_one_unstable_sample_is_enough_where_descent_is_stable():
    assert TWO.exponent(0.6) == last_digit(0.16823612, 8)
    assert TWO.descent_exponent(0.6) == last_digit(-0.35667494, 8)


@ORTHOGONAL
def test_the_spectrum_is_that_of_diagonal_products(law):
    logs = np.log(abs(np.array([np.diag(step(a, 0.6)) for a in law.gradients])))
    n = 1_000_000
    drawn = np.random.default_rng(0).multinomial(n, law.probabilities)
    by_hand = np.sort(drawn @ logs / n)[::-1]
    # a proportion of n draws has a standard error of 0.5/sqrt(n) at most
    assert abs(law.spectrum(0.6) - by_hand).max() < 4 * 0.5 / n**0.5 * abs(logs).max()
    assert law.exponent([0.6])[0] == law.spectrum(0.6)[0]


@pytest.mark.parametrize("p", [0.5, 2.0])
@pytest.mark.parametrize("eta", [0.4, 0.6])
def test_orthogonal_moment_exponents_are_those_of_all_words(p, eta):
    words = np.array(list(product(range(3), repeat=8)))
    steps = np.array([np.diag(step(a, eta)) for a in THREE.gradients])
    norms = abs(steps[words].prod(axis=1)).max(axis=1)
    found = math.log(THREE.probabilities[words].prod(axis=1) @ norms**p) / 8
    # the mean of the largest of three is between the largest mean and three times it
    assert -1e-13 < found - THREE.moment_exponent(p, eta) < math.log(3) / 8


@ORTHOGONAL
def test_orthogonal_exponents_change_sign_at_their_thresholds(law):
    signs = [
        (law.almost_sure_threshold, law.exponent),
        (law.descent_threshold, law.descent_exponent),
    ]
    for p in (0.1, 2, 8):
        signs.append((law.mean_square_threshold, lambda eta, p=p: law.moment_exponent(p, eta)))
    for threshold, exponent in signs:
        assert exponent(threshold * (1 - 1e-9)) < 0 < exponent(threshold * (1 + 1e-9))


def test_a_projection_annihilates_its_own_direction():
    assert np.isneginf(THREE.spectrum(0.25)[-1])
    law = OrthogonalGradients([4.0])
    values = law.exponent(0.25), law.descent_exponent(0.25), law.moment_exponent(1, 0.25)
    assert np.isneginf(values).all()


@pytest.mark.parametrize(
    ("law", "probabilities"),
    [(TWO, [0.5, 0.5]), (THREE, [0.5, 0.3, 0.2]), (TwoGradients(-0.9), [0.5, 0.5])],
)
def test_descent_has_the_eigenvalues_of_the_mean_hessian(law, probabilities):
    eta = np.array([[0.3, 2.0], [2.5, 5.0]])
    eigenvalues = np.linalg.eigvalsh((law.gradients.T * probabilities) @ law.gradients)
    assert law.descent_threshold == pytest.approx(2 / eigenvalues[-1], rel=1e-14)
    expected = np.log(abs(1 - eta[..., None] * eigenvalues).max(axis=-1))
    np.testing.assert_allclose(law.descent_exponent(eta), expected, rtol=0, atol=1e-13)


# ---- two unit gradients ----


@pytest.mark.parametrize("c", [0.5, -0.8])
def test_products_of_projections_shrink_at_the_rate_of_kaczmarz(c):
    n, found, matrix = 4000, 0.0, np.eye(2)
    projections = [step(a, 1.0) for a in TwoGradients(c).gradients]
    for i in np.random.default_rng(0).integers(2, size=n):
        matrix = projections[i] @ matrix
        norm = np.linalg.norm(matrix)
        found, matrix = found + math.log(norm) / n, matrix / norm
    error = 0.5 * abs(math.log(abs(c))) / n**0.5  # of the proportion of changes
    assert abs(found - TwoGradients(c).kaczmarz_exponent) < 4 * error


def test_the_rate_of_kaczmarz_has_the_known_value_and_a_right_angle_annihilates():
    assert TwoGradients(0.5).kaczmarz_exponent == last_digit(-0.34657359, 8)
    assert TwoGradients(0).kaczmarz_exponent == -math.inf


@COSINES
def test_reflections_keep_lengths(c):
    reflections, matrix = [step(a, 2.0) for a in TwoGradients(c).gradients], np.eye(2)
    for i in np.random.default_rng(0).integers(2, size=1000):
        matrix = reflections[i] @ matrix
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(2), rtol=0, atol=1e-12)  # rounding


@COSINES
def test_no_vector_grows_below_the_threshold_and_none_shrinks_above(c):
    law = TwoGradients(c)
    assert law.mean_square_threshold == law.almost_sure_threshold == 2
    for a in law.gradients:
        for eta in (0.1, 1.0, 1.999):
            assert np.linalg.svd(step(a, eta))[1].max() < 1 + 1e-14
        for eta in (2.001, 3.0, 50.0):
            assert np.linalg.svd(step(a, eta))[1].min() > 1 - 1e-14


@COSINES
def test_the_two_exponents_sum_up_to_the_mean_logarithm_of_the_determinant(c):
    law, eta = TwoGradients(c), np.array([0.3, 1.5, 2.0, 3.0])
    np.testing.assert_allclose(law.gradients @ law.gradients.T, [[1, c], [c, 1]], atol=1e-15)
    expected = [np.mean([np.linalg.slogdet(step(a, e))[1] for a in law.gradients]) for e in eta]
    np.testing.assert_allclose(law.spectrum_sum(eta), expected, rtol=0, atol=1e-14)
    assert np.isneginf(law.spectrum_sum(1.0))


# ---- at the door ----


RATE_METHODS = (
    *(GAUSSIAN.exponent, UNIFORM.exponent, UNIFORM.descent_exponent),
    *(TWO.exponent, TWO.descent_exponent),
    *(TwoGradients(0.5).descent_exponent, TwoGradients(0.5).spectrum_sum),
)
RATES = (0, -1.0, [0.1, -1], math.nan, math.inf, [], "fast")
WEIGHTS = ([1.0], [[0.5, 0.5]], [0.5, 0.6], [1.5, -0.5], [1, 0], [math.nan, 1])


@pytest.mark.parametrize(
    ("call", "arguments", "name"),
    [
        *((method, (eta,), "eta") for method, eta in product(RATE_METHODS, RATES)),
        *((GAUSSIAN.moment_exponent, (p, 1.0), "p") for p in (-1, [2, -3], math.nan, "a")),
        *((UNIFORM.moment_exponent, (2, eta), "eta") for eta in (0, [0.5, 1])),
        *((GAUSSIAN.moment_threshold, (p,), "p") for p in (0, -0.5, [1, 2])),
        *((OrthogonalGradients, (s,), "squares") for s in ([], [[1]], [1, 0], [-4], [math.nan])),
        *((OrthogonalGradients, ([1, 4], weights), "probabilities") for weights in WEIGHTS),
        (TWO.spectrum, ([0.1, 0.2],), "eta"),
        (TWO.moment_exponent, (0, 0.5), "p"),
        (TWO.moment_exponent, (2, -0.5), "eta"),
        *((TwoGradients, (c,), "cosine") for c in (1, -1, 2.0, math.nan, "a", [0.5])),
    ],
)
def test_bad_input_is_refused_in_one_line(call, arguments, name):
    with pytest.raises(ValueError, match=rf"\b{name}\b") as refusal:
        call(*arguments)
    assert "\n" not in str(refusal.value)
