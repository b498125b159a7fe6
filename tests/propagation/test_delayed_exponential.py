"""The delayed exponential and its thresholds, against rational arithmetic and polynomial roots."""

import math
from fractions import Fraction

import numpy as np
import pytest

from dsnnlib.propagation.delayed_exponential import (
    characteristic_root,
    delayed_exponential,
    first_zero,
    kappa,
    special_rate,
    threshold,
)


def exact_exponential(t, k):
    """Rational arithmetic, at tau = 1."""
    t, k = Fraction(t), Fraction(k)
    return float(
        sum(
            (-k) ** j * max(t - (j - 1), Fraction(0)) ** j / math.factorial(j)
            for j in range(math.floor(t) + 2)
        )
    )


# ---- the delayed exponential ----


@pytest.mark.parametrize("k", [0.2, 1 / math.e, 1.0, 3.0])
def test_the_delayed_exponential_is_its_sum(k):
    t = np.array([-1, -0.5, 0, 0.25, 1, 1.5, 2, 7.75, 20, 60.5])
    exact = [exact_exponential(float(s), k) for s in t]
    # rounding in up to 60 intervals, relative to what an interval's Taylor sum adds up
    np.testing.assert_allclose(delayed_exponential(t, k, 1.0), exact, rtol=1e-12)


def test_only_the_product_of_rate_and_delay_matters():
    t = np.linspace(-1, 6, 50)
    np.testing.assert_allclose(
        delayed_exponential(2.5 * t, 0.6, 2.5), delayed_exponential(t, 1.5, 1.0), atol=1e-14
    )


@pytest.mark.parametrize("k", [0.37, 0.5, 0.9, 1.3, 4.0])
def test_the_first_zero_is_a_zero_and_the_first(k):
    zero = first_zero(k / 2, 2.0) / 2
    low, high = delayed_exponential(zero * np.array([1 - 1e-9, 1 + 1e-9]), k, 1.0)
    assert low > 0 > high
    assert (delayed_exponential(np.linspace(-1, zero * (1 - 1e-9), 1000), k, 1.0) > 0).all()


def test_without_enough_memory_there_is_no_zero():
    assert first_zero(0.9, 0.4) == math.inf
    assert first_zero(1 / math.e, 1.0) == math.inf


def test_for_short_horizons_the_zero_is_one_over_the_rate():
    assert first_zero(4.0, 0.5) == pytest.approx(0.25, rel=1e-14)  # rounding


# ---- the thresholds ----


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 10])
def test_kappa_is_the_smallest_root_of_its_polynomial(n):
    coefficients = [(-1) ** j * (n - j + 1) ** j / math.factorial(j) for j in range(n + 1)]
    roots = np.roots(coefficients[::-1])
    smallest = min(r.real for r in roots if abs(r.imag) < 1e-9 and r.real > 0)
    assert kappa(n) == pytest.approx(smallest, abs=1e-8)  # conditioning of np.roots


@pytest.mark.parametrize("n", [1, 2, 20, 100])
def test_kappa_is_exact_where_the_polynomial_cancels(n):
    k = kappa(n)
    low, high = (exact_exponential(n, k * (1 + s)) for s in (-1e-13, 1e-13))
    assert low > 0 > high


def test_the_first_thresholds_have_their_closed_forms():
    assert kappa(1) == 1
    assert kappa(2) == pytest.approx(2 - math.sqrt(2), abs=1e-15)  # rounding


def test_the_thresholds_fall_to_one_over_e_with_the_square_of_n():
    n = np.array([50, 100, 200])
    gap = np.array([kappa(int(i)) for i in n]) - 1 / math.e
    leading = math.pi**2 / (2 * math.e) / (n + 4 / 3) ** 2
    assert (np.abs(gap / leading - 1) < 10 / n**2).all()  # next order, O(n^-2) relative


@pytest.mark.parametrize("n", [1, 3, 30, 300])
def test_at_the_threshold_the_first_zero_is_the_horizon(n):
    # a change of kappa_n by rounding moves the zero by O(n^3) times that
    assert first_zero(kappa(n), 1.0) == pytest.approx(n, abs=1e-14 + 1e-16 * n**3)


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_at_multiples_of_the_delay_the_threshold_is_kappa(n):
    assert 0.3 * threshold(0.3 * n, 0.3) == pytest.approx(kappa(n), abs=1e-13)  # root search


@pytest.mark.parametrize("T", [0.2, 0.99, 1.01, 1.5, 2.7, 9.9])
def test_at_the_threshold_the_delayed_exponential_vanishes_at_the_horizon(T):
    k = threshold(T, 1.0)
    low, high = (exact_exponential(T, k * (1 + s)) for s in (-1e-12, 1e-12))
    assert low > 0 > high


def test_between_one_and_two_delays_the_threshold_solves_a_quadratic():
    # 1 - k t + k^2 (t - 1)^2 / 2 = 0 at t = 3/2: k^2 - 12 k + 8 = 0
    assert threshold(3.0, 2.0) == pytest.approx((6 - math.sqrt(28)) / 2, abs=1e-13)


# ---- characteristic roots ----


@pytest.mark.parametrize("branch", [0, -1, 1, 2])
@pytest.mark.parametrize("k", [0.1, 0.5, 2.0])
def test_characteristic_roots_solve_the_characteristic_equation(branch, k):
    z = characteristic_root(k / 3, 3.0, branch)
    assert z == pytest.approx(-k / 3 * np.exp(-3 * z), abs=1e-13)  # rounding


def test_stability_is_lost_at_half_pi():
    assert characteristic_root(math.pi / 2, 1.0) == pytest.approx(1j * math.pi / 2, abs=1e-14)
    assert characteristic_root(1.57, 1.0).real < 0 < characteristic_root(1.58, 1.0).real


def test_the_two_real_roots_meet_at_one_over_e():
    assert special_rate(1 / math.e, 1.0) == -1
    assert characteristic_root(1 / math.e, 1.0, -1) == -1


def test_the_special_rates_have_their_published_values():
    found = [special_rate(k / 2, 2.0) * 2 for k in (0.1, 0.2, 0.3)]
    assert found == pytest.approx([-0.1118326, -0.2591711, -0.4894022], abs=5e-8)  # digits given


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: delayed_exponential(-1.5, 1.0, 1.0), "t"),
        (lambda: delayed_exponential([0, math.nan], 1.0, 1.0), "t"),
        (lambda: delayed_exponential(1.0, 0.0, 1.0), "K"),
        (lambda: delayed_exponential(1.0, 1.0, -1.0), "tau"),
        (lambda: first_zero(-1.0, 1.0), "K"),
        (lambda: first_zero(1.0, 0.0), "tau"),
        (lambda: threshold(0.0, 1.0), "T"),
        (lambda: threshold(1.0, -1.0), "tau"),
        (lambda: kappa(0), "n"),
        (lambda: kappa(1.5), "n"),
        (lambda: characteristic_root(0.0, 1.0), "K"),
        (lambda: characteristic_root(1.0, 0.0), "tau"),
        (lambda: characteristic_root(1.0, 1.0, 0.5), "branch"),
        (lambda: special_rate(0.5, 1.0), "K tau"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
