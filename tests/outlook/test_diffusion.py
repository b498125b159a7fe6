"""Mixtures of Gaussians under the diffusion, and the films that run it backwards."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from dsnnlib import integrate
from dsnnlib.outlook.diffusion import diffused, exact_score, probability_flow, reverse
from dsnnlib.outlook.mixtures import GaussianMixture

RNG = np.random.default_rng
LINE = GaussianMixture([[-2.0], [0.3], [1.5]], [0.04, 0.25, 0.01], [3, 5, 2])
SPACE = GaussianMixture(RNG(1).normal(size=(4, 3)), [0.2, 0.5, 1.0, 0.1], [0.1, 0.4, 0.3, 0.2])


# ---- mixtures ----


def test_the_density_is_the_weighted_sum_of_those_of_scipy():
    x = RNG(0).normal(size=(20, 3))
    parts = [
        w * multivariate_normal(m, v * np.eye(3)).pdf(x)
        for w, m, v in zip(SPACE.weights, SPACE.means, SPACE.variances, strict=True)
    ]
    np.testing.assert_allclose(SPACE.density(x), np.sum(parts, 0), rtol=1e-12)
    np.testing.assert_allclose(SPACE.posterior(x).T, parts / np.sum(parts, 0), rtol=1e-10)


def test_the_score_is_the_gradient_of_the_log_density():
    x, h = RNG(0).normal(size=(10, 3)), 1e-5
    for i in range(3):
        e = h * np.eye(3)[i]
        slope = (np.log(SPACE.density(x + e)) - np.log(SPACE.density(x - e))) / (2 * h)
        np.testing.assert_allclose(SPACE.score(x)[:, i], slope, atol=1e-7)  # O(h^2)


def test_the_score_is_finite_where_the_density_underflows():
    x = np.array([[1e3]])
    assert LINE.density(x) == 0
    np.testing.assert_allclose(LINE.score(x), (0.3 - 1e3) / 0.25)  # the widest component wins


def test_the_distribution_function_integrates_the_density():
    for end in (-1.5, 0.2, 1.6):
        area, _ = quad(lambda x: LINE.density(np.array([[x]]))[0], -8, end, points=[-2, 0, 1.5])
        assert LINE.cdf(np.array([end]))[0] == pytest.approx(area, abs=1e-8)


def test_mean_and_covariance_agree_with_a_sample():
    x, k = SPACE.sample(40_000, RNG(0))
    error = np.sqrt(np.diag(SPACE.covariance) / len(x))
    assert (np.abs(x.mean(0) - SPACE.mean) < 4 * error).all()
    products = (x - SPACE.mean)[:, :, None] * (x - SPACE.mean)[:, None, :]
    error = products.std(0) / len(x) ** 0.5
    assert (np.abs(products.mean(0) - SPACE.covariance) < 4.5 * error).all()
    share = np.bincount(k) / len(x)
    assert (np.abs(share - SPACE.weights) < 4 * np.sqrt(SPACE.weights / len(x))).all()


def test_points_are_drawn_exactly_and_have_no_density():
    points = GaussianMixture([[1.0, 2.0], [3.0, 4.0]], 0)
    x, k = points.sample(20, RNG(0))
    np.testing.assert_array_equal(x, points.means[k])
    with pytest.raises(ValueError, match="a point has no density"):
        points.score(x)


def test_weights_are_divided_by_their_sum_and_equal_by_default():
    np.testing.assert_allclose(LINE.weights, [0.3, 0.5, 0.2])
    np.testing.assert_allclose(GaussianMixture([[0], [1]], 1).weights, [0.5, 0.5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], 1), "means has 1 dimensions; it must have 2"),
        (([[1.0], [np.nan]], 1), "means holds NaN"),
        (([[1.0]], -0.1), "variances holds -0.1; none may be negative"),
        (([[1.0], [2.0]], [1, 2, 3]), "must fit the 2 means"),
        (([[1.0], [2.0]], 1, [1, 0]), "weights is 0.0; it must be positive"),
        (([[1.0], [2.0]], 1, [1, 2, 3]), "must fit the 2 means"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as refusal:
        GaussianMixture(*arguments)
    assert "\n" not in str(refusal.value)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match=r"x has the shape \(4, 2\); it must be \(n, 3\)"):
        SPACE.score(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="x has 1 dimensions"):
        SPACE.density(np.zeros(3))
    with pytest.raises(ValueError, match="means has 3 columns; a cdf needs one"):
        SPACE.cdf(np.zeros(3))
    with pytest.raises(ValueError, match=r"rng is 0; it must be a numpy.random.Generator"):
        SPACE.sample(3, 0)


# ---- forwards ----


def test_noising_is_that_of_the_ornstein_uhlenbeck_process():
    law, a = diffused(LINE, 0.7), np.exp(-1.4)
    np.testing.assert_allclose(law.means, np.sqrt(a) * LINE.means)
    np.testing.assert_allclose(law.variances, a * LINE.variances + 1 - a)
    np.testing.assert_allclose(diffused(LINE, 0).variances, LINE.variances)


def test_the_diffusion_forgets():
    x = RNG(0).normal(size=(10, 3))
    np.testing.assert_allclose(
        diffused(SPACE, 20).density(x), norm.pdf(x).prod(1), rtol=1e-7
    )  # e^-20 times |x| |m|


def test_density_solves_the_fokker_planck_equation():
    x, h, t = np.linspace(-2.5, 2.5, 11)[:, None], 1e-3, 0.4

    def p(t, x):
        return diffused(LINE, t).density(x)

    change = (p(t + h, x) - p(t - h, x)) / (2 * h)
    drift = ((x + h)[:, 0] * p(t, x + h) - (x - h)[:, 0] * p(t, x - h)) / (2 * h)
    spread = (p(t, x + h) - 2 * p(t, x) + p(t, x - h)) / h**2
    np.testing.assert_allclose(change, drift + spread, atol=2e-5)  # O(h^2)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
def test_every_film_has_the_law_of_the_diffusion(gamma):
    rng, n, times = RNG(0), 4000, np.geomspace(3, 0.05, 201)
    start, _ = diffused(LINE, 3).sample(n, rng)
    *_, end = reverse(exact_score(LINE), start, times, gamma=gamma, rng=rng)
    F = diffused(LINE, 0.05).cdf(np.sort(end[:, 0]))
    gap = np.abs(F - (np.arange(n) + 0.5) / n).max()
    assert gap < np.sqrt(np.log(2e6) / (2 * n))  # Massart, 1e-6


def test_one_noisy_step_has_the_mean_and_variance_of_the_scheme():
    x, gamma, h = np.full((50_000, 1), 0.8), 2.0, 0.1
    _, end = reverse(lambda t, x: -t * x, x, [1.0, 1.0 - h], gamma=gamma, rng=RNG(0))
    mean, variance = 0.8 + h * (0.8 - 3 * 0.8), 2 * gamma * h
    assert abs(end.mean() - mean) < 4 * np.sqrt(variance / 50_000)
    assert abs(end.var() - variance) < 4 * variance * np.sqrt(2 / 50_000)


def test_without_noise_the_film_is_eulers_method_for_the_probability_flow():
    x, times = RNG(0).normal(size=(5, 1)), np.geomspace(2, 0.1, 30)
    score = exact_score(LINE)
    films = reverse(score, x, times, gamma=0, rng=RNG(0))
    flows = probability_flow(score, x, times, method=integrate.EULER)
    for a, b in zip(films, flows, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(
    ("method", "order"), [(integrate.EULER, 1), (integrate.MIDPOINT, 2), (integrate.RK4, 4)]
)
def test_the_probability_flow_of_a_gaussian_is_affine(method, order):
    m, s2, T = 2.0, 0.25, 3.0
    x, v = np.array([[-1.0], [0.5]]), s2 * np.exp(-2 * T) + 1 - np.exp(-2 * T)
    exact = m + np.sqrt(s2 / v) * (x - m * np.exp(-T))
    score, errors = exact_score(GaussianMixture([[m]], s2)), []
    for steps in (200, 400):
        *_, end = probability_flow(score, x, np.linspace(T, 0, steps + 1), method=method)
        errors.append(np.abs(end - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


def test_on_the_line_the_probability_flow_keeps_quantiles():
    x = np.linspace(-2, 2, 9)[:, None]
    *_, end = probability_flow(exact_score(LINE), x, np.geomspace(3, 0.05, 401))
    np.testing.assert_allclose(
        diffused(LINE, 0.05).cdf(end[:, 0]), diffused(LINE, 3).cdf(x[:, 0]), atol=1e-7
    )  # RK4


def test_bad_films_are_refused():
    x, score = np.zeros((3, 1)), exact_score(LINE)
    for times in ([0.1, 1.0], [1.0, 1.0], [1.0, -0.1]):
        with pytest.raises(ValueError, match="times must fall from one to the next and not be"):
            reverse(score, x, times, rng=RNG(0))
        with pytest.raises(ValueError, match="times must fall from one to the next and not be"):
            probability_flow(score, x, times)
    with pytest.raises(ValueError, match="gamma is -1; it must not be negative"):
        reverse(score, x, [1.0, 0.5], gamma=-1, rng=RNG(0))
    with pytest.raises(ValueError, match="rng is None"):
        reverse(score, x, [1.0, 0.5], rng=None)
    with pytest.raises(ValueError, match="t is -1; it must not be negative"):
        diffused(LINE, -1)
    message = r"score\(t, x\) has the shape \(3,\); it must be \(3, 1\)"
    with pytest.raises(ValueError, match=message):
        list(reverse(lambda t, x: x[:, 0], x, [1.0, 0.5], rng=RNG(0)))
    with pytest.raises(ValueError, match=message):
        list(probability_flow(lambda t, x: x[:, 0], x, [1.0, 0.5]))


def test_a_score_that_is_not_finite_is_refused():
    x, nan = np.zeros((3, 1)), lambda t, x: x * np.nan
    with pytest.raises(ArithmeticError, match=r"score\(t, x\) holds NaN or infinity at t = 1"):
        list(reverse(nan, x, [1.0, 0.5], rng=RNG(0)))
    with pytest.raises(ArithmeticError, match=r"score\(t, x\) holds NaN or infinity at t = 1"):
        list(probability_flow(nan, x, [1.0, 0.5]))


def test_the_score_of_many_points_agrees_with_a_direct_sum():
    points, x, t = RNG(2).normal(size=(50, 4)), RNG(3).normal(size=(7, 4)), 0.2
    a = np.exp(-2 * t)
    apart = np.sqrt(a) * points - x[:, None]
    logs = -(apart**2).sum(-1) / (2 * (1 - a))
    weights = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    direct = (weights[..., None] * apart).sum(1) / (1 - a)
    np.testing.assert_allclose(exact_score(GaussianMixture(points, 0))(t, x), direct, atol=1e-12)
