"""The two ReLU neurons: autograd, the map in other coordinates, bands in closed form."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import ReluPair

EVEN, UNEVEN = ReluPair(), ReluPair(0.58)
START = (1.48, 1 / 1.48 + 0.1)  # of the published orbits
EACH = pytest.mark.parametrize("model", [EVEN, UNEVEN], ids=["even", "uneven"])
K1, K2 = 0.9**2, 2.5**2
DEAD = [(-0.7, 1.2), (0.7, -1.2), (-0.7, -1.2), (0.0, 1.0), (1.0, 0.0)]


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def sample_losses(theta):
    """(f(x) - x)^2 / 2 for both data, by the network itself."""
    x = double([0.9, 2.5])
    return (torch.relu(theta[1] * torch.relu(theta[0] * x)) - x) ** 2 / 2


def mean_loss(model):
    return lambda theta: sample_losses(theta) @ double(model.probabilities)


def minimum(s):
    """A point of the hyperbola with t1^2 + t2^2 = s, and the unit normal there."""
    t1 = (math.sqrt(s + 2) + math.sqrt(s - 2)) / 2
    t2 = 1 / t1
    return double([t1, t2]), double([t2, t1]) / s**0.5


# ---- the network ----


@EACH
@pytest.mark.parametrize("point", [(0.7, 1.2), (2.0, 1.5), (1e-3, 1e-3), *DEAD])
def test_loss_and_gradient_are_those_of_autograd(model, point):
    theta = double(point)
    value, gradient = mean_loss(model)(theta), torch.func.grad(mean_loss(model))(theta)
    assert model.loss(*point) == pytest.approx(value.item(), rel=1e-14)
    np.testing.assert_allclose(model.gradient(*point), gradient, rtol=1e-13, atol=0)
    together = model.gradient(*np.array([point, point]).T)
    np.testing.assert_array_equal(together, np.transpose([model.gradient(*point)] * 2))


@EACH
def test_a_step_of_sgd_follows_one_sample_with_its_probability(model):
    theta, eta, n = double([0.7, 1.2]), 0.1, 4000
    both = theta - eta * torch.func.jacrev(sample_losses)(theta)
    start = np.full(n, 0.7), np.full(n, 1.2)
    _, (t1, t2) = model.sgd(start, eta, 1, np.random.default_rng(0))
    distance = abs(np.stack([t1, t2], 1)[:, None] - both.numpy()).max(axis=-1)
    assert (distance.min(axis=1) < 1e-15).all()
    found = np.mean(distance.argmin(axis=1) == 0)
    assert abs(found - model.probability) < 4 * 0.5 / n**0.5


def test_dead_weights_do_not_move():
    start = np.array(DEAD).T
    *_, end = EVEN.sgd(start, 0.1, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(end, start)


def test_each_rate_and_each_start_is_a_run_with_draws_of_its_own():
    rates, n = np.array([[0.1], [0.2]]), 50
    short = list(EVEN.sgd((np.full(n, 1.2), 0.9), rates, 3, np.random.default_rng(0)))
    full = np.full((2, n), 1.2), np.full((2, n), 0.9)
    for a, b in zip(short, EVEN.sgd(full, rates, 3, np.random.default_rng(0)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(short) == 4
    larger = short[1][0] > np.mean(short[1][0], axis=1, keepdims=True)
    assert (larger[0] != larger[1]).any()


# ---- distant coordinates ----


def test_product_and_imbalance_move_as_the_weights_do():
    rng = np.random.default_rng(0)
    t1, t2 = rng.uniform(0.9, 1.3, size=(2, 40))
    weights = EVEN.sgd((t1, t2), 0.1, 40, np.random.default_rng(1))
    distant = EVEN.distant_sgd(t1 * t2 - 1, t1**2 - t2**2, 0.1, 40, np.random.default_rng(1))
    for (t1, t2), (r, d) in zip(weights, distant, strict=True):
        # rounding of numbers of order one, in steps that contract
        np.testing.assert_allclose(r, t1 * t2 - 1, rtol=0, atol=1e-13)
        np.testing.assert_allclose(d, t1**2 - t2**2, rtol=0, atol=1e-13)


def test_the_same_runs_die_in_both_coordinates():
    rng = np.random.default_rng(2)
    start, steps = rng.uniform(0.3, 1.8, size=(2, 300)), 12
    r, d = start[0] * start[1] - 1, start[0] ** 2 - start[1] ** 2
    weights = EVEN.sgd(start, 0.3, steps, np.random.default_rng(1))
    distant = EVEN.distant_sgd(r, d, 0.3, steps, np.random.default_rng(1))
    for (t1, t2), (r, d) in zip(weights, distant, strict=True):
        dead = (t1 <= 0) | (t2 <= 0)
        np.testing.assert_array_equal(np.isnan(r), dead)
        np.testing.assert_array_equal(np.isnan(d), dead)
        # rounding of 1e-15; twelve steps spread what lives by less than 1e4
        np.testing.assert_allclose(r[~dead], (t1 * t2 - 1)[~dead], rtol=0, atol=1e-11)
    assert 0.1 < dead.mean() < 0.9


def test_far_below_rounding_the_residual_falls_at_the_rate_of_the_exponent():
    eta, s, steps, runs = 0.15, 2.2, 500, 200
    start = np.full(runs, 1e-9), math.sqrt(s**2 - 4)
    *_, (r, d) = EVEN.distant_sgd(*start, eta, steps, np.random.default_rng(0))
    rates = np.log(abs(r) / 1e-9) / steps
    error = rates.std() / runs**0.5
    assert 1e-300 < abs(r).max() < 1e-30
    # s at the minimum that is reached differs from the start's by 1e-9
    assert abs(rates.mean() - EVEN.exponent(eta, s)) < 4 * error
    np.testing.assert_allclose(d, start[1], rtol=1e-15)


def test_where_no_run_is_left_nothing_moves():
    none, rng = np.empty(0), np.random.default_rng(0)
    for runs in (EVEN.sgd((none, none), 0.1, 2, rng), EVEN.distant_sgd(none, none, 0.1, 2, rng)):
        assert [np.shape(points) for points in runs] == [(2, 0)] * 3


# ---- the exponents ----


@EACH
@pytest.mark.parametrize("s", [2.0, 2.5, 7.0])
@pytest.mark.parametrize("eta", [0.05, 0.15, 0.4])
def test_the_exponents_are_those_of_the_multipliers_across_the_hyperbola(model, s, eta):
    theta, normal = minimum(s)
    hessians = torch.func.hessian(sample_losses)(theta)
    each = (1 - eta * hessians @ normal @ normal).numpy()
    exponent = model.probabilities @ np.log(abs(each))
    assert model.exponent(eta, s) == pytest.approx(exponent, rel=1e-10, abs=1e-13)
    mean = torch.func.hessian(mean_loss(model))(theta)
    descent = math.log(abs(1 - eta * normal @ mean @ normal))
    assert model.descent_exponent(eta, s) == pytest.approx(descent, rel=1e-10, abs=1e-13)
    assert torch.trace(mean).item() == pytest.approx(model.mean_curvature * s, rel=1e-13)
    # along the hyperbola nothing moves
    np.testing.assert_allclose(mean @ torch.stack([-normal[1], normal[0]]), 0, atol=1e-13)


@EACH
def test_a_small_step_off_the_hyperbola_is_multiplied_as_the_exponents_say(model):
    (t, normal), eta, h = minimum(3.0), 0.2, 1e-5
    (t1, t2), (n1, n2) = t.numpy(), normal.numpy()
    ends = []
    for sign in (-1, 1):
        g1, g2 = model.gradient(t1 + sign * h * n1, t2 + sign * h * n2)
        ends.append(sign * h - eta * (g1 * n1 + g2 * n2))
    factor = (ends[1] - ends[0]) / (2 * h)
    # h^2 times a third derivative of order ten
    assert math.log(abs(factor)) == pytest.approx(model.descent_exponent(eta, 3.0), abs=1e-8)
    d = math.sqrt(3.0**2 - 4)
    _, (r, _) = model.distant_sgd(np.full(9000, 1e-12), d, eta, 1, np.random.default_rng(0))
    logs = np.log(abs(r) / 1e-12)
    assert abs(logs.mean() - model.exponent(eta, 3.0)) < 4 * logs.std() / 9000**0.5


def test_a_projection_has_an_exponent_of_minus_infinity():
    np.testing.assert_array_equal(EVEN.exponent(1.0, [[0.0, 1 / K2]]), [[0, -math.inf]])
    assert EVEN.descent_exponent(1.0, 2 / (K1 + K2)) < -30  # the logarithm of rounding


# ---- the bands ----


def test_the_published_cases_have_the_known_curvature_and_bands():
    assert EVEN.mean_curvature == pytest.approx(3.53, rel=1e-15)
    digits = {"rel": 0, "abs": 5.1e-9}
    assert EVEN.bands(0.15) == [
        pytest.approx((2, 2.63589776), **digits),
        pytest.approx((6.66122158, 9.29711934), **digits),
    ]
    assert EVEN.descent_band(0.15) == pytest.approx((2, 3.77714825), **digits)
    assert UNEVEN.bands(0.3) == [pytest.approx((2.53724871, 4.99856362), **digits)]
    assert UNEVEN.descent_band(0.3) == pytest.approx((2, 2.15415105), **digits)
    assert EVEN.descent_band(0.3) is None


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.15, 0.25])
def test_with_equal_weights_the_bands_end_at_roots_of_a_quadratic(eta):
    # (1 - k1 x)(1 - k2 x) = -1 or 1, at x = eta s
    total, root = K1 + K2, math.sqrt((K1 + K2) ** 2 - 8 * K1 * K2)
    inner = [(total - root) / (2 * K1 * K2), (total + root) / (2 * K1 * K2), total / (K1 * K2)]
    ends = np.array([2 * eta, *inner]).reshape(2, 2) / eta
    expected = [(max(a, 2), b) for a, b in ends if b > 2]
    np.testing.assert_allclose(EVEN.bands(eta), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.58, 0.9, 1 - 1e-6])
@pytest.mark.parametrize("eta", [1e-3, 0.15, 0.3, 1.0, 10.0])
def test_the_exponent_is_negative_inside_the_bands_only(p, eta):
    model, s = ReluPair(p), np.linspace(2, max(3, 4 / eta), 5000)
    inside = np.zeros(len(s), dtype=bool)
    for start, end in model.bands(eta):
        inside |= (start <= s) & (s < end)
    np.testing.assert_array_equal(model.exponent(eta, s) < 0, inside)
    band = model.descent_band(eta)
    inside = s < band[1] if band else np.zeros(len(s), dtype=bool)
    np.testing.assert_array_equal(model.descent_exponent(eta, s) < 0, inside)


def test_a_rare_point_opens_an_exponentially_small_band_at_its_pole():
    eta, p = 0.1, 0.1
    (_, _), (start, end) = ReluPair(p).bands(eta)
    pole, half = 1 / (eta * K1), (K2 / K1 - 1) ** (-(1 - p) / p)
    assert half < 1e-7
    # relative errors: of order 10 half in the theory; xtol 1e-13 over the width of 1e-6
    assert (end - start) / 2 == pytest.approx(half * pole, rel=1e-6)
    assert len(ReluPair(0.01).bands(eta)) == 1  # its half width would be 1e-82


# ---- the published orbits ----


def test_at_the_smaller_rate_the_published_orbit_ends_at_a_minimum():
    *_, end = descend(EVEN.gradient, START, 0.25, 2000)
    assert end == pytest.approx((1.2101298, 0.8263576), rel=0, abs=5.1e-8)
    assert end[0] * end[1] == pytest.approx(1, rel=1e-14)


def test_at_the_larger_rate_the_published_orbit_ends_on_a_two_cycle_of_the_diagonal():
    *_, before, end = descend(EVEN.gradient, START, 0.325, 2000)
    for point in (before, end):
        assert point[0] == pytest.approx(point[1], rel=1e-12)
    low, high = sorted((before[0], end[0]))
    assert (low, high) == pytest.approx((0.7715208, 1.1297811), rel=0, abs=5.1e-8)
    rate = 3.53 * 0.325  # p q = 1/rate and p^2 + q^2 = (1 + rate)/rate
    assert low * high == pytest.approx(1 / rate, rel=1e-12)
    assert low**2 + high**2 == pytest.approx((1 + rate) / rate, rel=1e-12)


# ---- at the door ----


def sgd(start=(1.0, 1.0), eta=0.1, steps=1):
    return EVEN.sgd(start, eta, steps, np.random.default_rng(0))


def distant(residual=0.1, imbalance=0.0, eta=0.1, steps=1):
    return EVEN.distant_sgd(residual, imbalance, eta, steps, np.random.default_rng(0))


def exponent(eta=0.1, s=3.0):
    return EVEN.exponent(eta, s)


def descent_exponent(eta=0.1, s=3.0):
    return EVEN.descent_exponent(eta, s)


@pytest.mark.parametrize(
    ("calls", "argument", "values"),
    [
        ([ReluPair], "probability", [0, 1, -0.1, 2, math.nan, "a", [0.5]]),
        ([sgd, distant], "eta", [0, -0.1, [0.1, 0], math.nan, "fast"]),
        ([sgd, distant], "steps", [-1, 1.5]),
        ([sgd], "start", [(1.0, math.nan), (1.0, "a"), (1.0, 1.0, 1.0)]),
        ([distant], "residual", [-1, [0, -2], math.nan]),
        ([distant], "imbalance", [math.inf, "a"]),
        ([exponent, descent_exponent, EVEN.bands, EVEN.descent_band], "eta", [0, -0.1, [1], "a"]),
        ([exponent, descent_exponent], "s", [-1, [2, -1], math.nan, []]),
    ],
)
def test_bad_input_is_refused_in_one_line(calls, argument, values):
    for call, value in product(calls, values):
        with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
            call(**{argument: value})
        assert "\n" not in str(refusal.value)
