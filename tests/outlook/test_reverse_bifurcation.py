"""The pitchfork of the reverse drift: formula against mixture, limits, symmetry."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from dsnnlib.outlook.diffusion import diffused, exact_score, reverse
from dsnnlib.outlook.mixtures import GaussianMixture
from dsnnlib.outlook.reverse_bifurcation import (
    agreement,
    critical_time,
    decided,
    drift,
    equilibrium,
    slope,
)

CASES = [(1.0, 1.0, 0.0), (0.3, 2.0, 0.5), (4.0, 1.5, 1.7), (2.0, 3.0, 1.0)]  # gamma, m, s^2


@pytest.mark.parametrize(("gamma", "m", "s2"), CASES)
def test_the_drift_is_that_of_the_mixture(gamma, m, s2):
    data, x = GaussianMixture([[m], [-m]], s2), np.linspace(-3, 3, 13)
    for t in (0.1, 0.6, 2.0):
        expected = x + (1 + gamma) * exact_score(data)(t, x[:, None])[:, 0]
        np.testing.assert_allclose(drift(t, x, gamma, mean=m, variance=s2), expected, atol=1e-12)


@pytest.mark.parametrize(("gamma", "m", "s2"), CASES)
def test_the_slope_is_the_derivative_of_the_drift(gamma, m, s2):
    t, h = np.array([0.1, 0.5, 1.5]), 1e-6
    numeric = drift(t, h, gamma, mean=m, variance=s2) / h  # odd: O(h^2)
    np.testing.assert_allclose(slope(t, gamma, mean=m, variance=s2), numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("gamma", "m", "s2"), CASES)
def test_the_slope_changes_its_sign_at_the_critical_time(gamma, m, s2):
    t = critical_time(gamma, mean=m, variance=s2)
    root = brentq(lambda t: slope(t, gamma, mean=m, variance=s2), 0.7 * t, 1.3 * t, xtol=1e-14)
    assert root == pytest.approx(t, abs=1e-11)
    assert slope(0.9 * t, gamma, mean=m, variance=s2) > 0


def test_the_reverse_sde_of_a_coin_has_its_pitchfork_at_half_log_one_plus_root_two():
    assert critical_time(1.0) == pytest.approx(np.log(1 + np.sqrt(2)) / 2, abs=1e-15)
    assert critical_time(1.0) == pytest.approx(0.4406867935, abs=1e-10)


def test_limits_of_much_and_of_little_noise():
    assert critical_time(1e9) == pytest.approx(np.log(2) / 2, abs=1e-9)
    assert critical_time(1e-10) == pytest.approx(-np.log(1e-5) / 2, abs=1e-5)  # a_c ~ sqrt(gamma)


def test_with_much_noise_the_drift_breaks_when_the_law_gets_two_bumps():
    m, s2, h = 2.0, 0.7, 1e-3
    t = critical_time(1e9, mean=m, variance=s2)
    for factor, two in ((0.99, True), (1.01, False)):
        law = diffused(GaussianMixture([[m], [-m]], s2), factor * t)
        left, middle, right = law.density(np.array([[-h], [0.0], [h]]))
        assert (left + right > 2 * middle) == two


@pytest.mark.parametrize("gamma", [0.0, 0.25, 1.0, 4.0])
def test_where_the_forward_process_does_not_shrink_all_films_break_with_the_law(gamma):
    # y = e^t x has the frozen slope b'(0) - 1
    m, s2 = 2.0, 0.7
    t = brentq(lambda t: slope(t, gamma, mean=m, variance=s2) - 1, 0.1, 3, xtol=1e-14)
    assert t == pytest.approx(np.log(m**2 + 1 - s2) / 2, abs=1e-12)  # p_t gets two bumps


def test_the_critical_time_grows_like_the_logarithm_of_the_distance():
    for gamma in (0.5, 1.0, 3.0):
        t = critical_time(gamma, mean=1e4, variance=0.5)
        assert t - np.log(1e4) == pytest.approx(np.log((1 + gamma) / gamma) / 2, abs=1e-7)


def test_equilibria_of_the_coin_have_their_known_digits():
    # by mpmath with 20 digits
    found = equilibrium(np.array([0.2, 0.1]), 1.0)
    np.testing.assert_allclose(found, [0.96414414678585531536, 0.99492411413714995988], atol=1e-14)


@pytest.mark.parametrize(("gamma", "m", "s2"), CASES[:3])
def test_equilibria_agree_with_a_root_search(gamma, m, s2):
    t_c = critical_time(gamma, mean=m, variance=s2)
    for t in np.array([0.3, 0.8, 0.99]) * t_c:
        root = brentq(lambda x, t=t: drift(t, x, gamma, mean=m, variance=s2), 1e-3, 20, xtol=1e-14)
        assert equilibrium(t, gamma, mean=m, variance=s2) == pytest.approx(root, abs=1e-11)
        assert drift(t, 1.01 * root, gamma, mean=m, variance=s2) < 0  # it attracts


def test_before_the_pitchfork_only_zero_is_left_and_then_a_root_law_holds():
    t_c = critical_time(1.0)
    assert equilibrium(1.001 * t_c, 1.0) == 0
    near, nearer = equilibrium(t_c - np.array([4e-6, 1e-6]), 1.0)
    assert near / nearer == pytest.approx(2, abs=1e-4)


def test_without_noise_there_are_always_three_equilibria():
    x = equilibrium(np.array([0.1, 1.0, 5.0]), 0.0)
    assert (x > 0.9).all()
    assert x[-1] == pytest.approx(np.sqrt(3), abs=1e-3)  # a -> 0
    assert equilibrium(9.0, 0.0) == pytest.approx(np.sqrt(3), abs=1e-6)


def test_agreement_is_that_of_the_forward_process():
    rng, t, n = np.random.default_rng(0), 0.4, 100_000
    sign = rng.choice([-1, 1], size=n)
    x = np.exp(-t) * sign + np.sqrt(1 - np.exp(-2 * t)) * rng.normal(size=n)
    p = agreement(t)
    assert abs((np.sign(x) == sign).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    a = np.exp(-2 * t)
    assert p == pytest.approx(norm.cdf(np.sqrt(a / (1 - a))), abs=1e-14)


def test_kolmogorovs_equation_finds_the_agreement_of_the_reversal_to_first_order():
    times, errors = np.array([0.1, 0.5, 2.0]), []
    for steps in (300, 600):
        errors.append(np.abs(decided(times, 1.0, steps=steps) - agreement(times)))
    assert errors[1].max() < 5e-4
    assert errors[0][-1] / errors[1][-1] == pytest.approx(2, abs=0.1)  # implicit Euler


@pytest.mark.parametrize("gamma", [0.25, 4.0])
def test_kolmogorovs_equation_agrees_with_simulated_films(gamma):
    rng, n, data = np.random.default_rng(0), 4000, GaussianMixture([[-1.0], [1.0]], 0)
    times = np.geomspace(1.0, 0.02, 201)
    start, _ = diffused(data, 1.0).sample(n, rng)
    films = reverse(exact_score(data), start, times, gamma=gamma, rng=rng)
    signs = np.array([x[:, 0] > 0 for x in films])
    share = (signs == signs[-1]).mean(1)[[0, 60, 120]]
    p = decided(times[[0, 60, 120]], gamma)
    assert (np.abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)).all()


def test_less_noise_decides_earlier():
    shares = [decided([0.3, 1.0], gamma)[1] for gamma in (0.01, 0.1, 1.0, 10.0)]
    assert (np.diff(shares) < 0).all()
    assert shares[0] > 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: critical_time(0), "gamma is 0; it must be a positive finite number"),
        (lambda: critical_time(1.0, mean=-1), "mean is -1; it must be a positive finite number"),
        (lambda: critical_time(1.0, variance=-1), "variance is -1; it must not be negative"),
        (lambda: critical_time(1.0, mean=0.1, variance=1.0), "attracts at all times"),
        (lambda: slope(0.0, 1.0), "t is 0.0; it must be positive"),
        (lambda: drift(-1.0, 0.0, 1.0), "t is -1.0; it must be positive"),
        (lambda: equilibrium(0.1, -0.5), "gamma is -0.5; it must not be negative"),
        (lambda: equilibrium(0.1, 0.5, variance=9.0), "no equilibrium beyond 0"),
        (lambda: equilibrium([1.0, 30.0], 0.0), "t is 30; without noise it must be at most 10"),
        (lambda: decided([0.5], 1.0, cells=3), "cells is 3; it must be even"),
        (lambda: agreement(0), "t is 0.0; it must be positive"),
        (lambda: decided([0.01], 1.0), "times must lie between end = 0.02 and 6"),
        (lambda: decided([0.5], 0.0), "gamma is 0.0; it must be a positive finite number"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
