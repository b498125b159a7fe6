"""Critical couplings and order: closed forms, Bessel functions, integration in time."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import ive
from scipy.stats import norm

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.oscillators import AllToAll, Graph, LowRank
from dsnnlib.mean_field.ott_antonsen import OttAntonsen
from dsnnlib.mean_field.synchrony import (
    critical_coupling,
    incoherent_growth,
    locked_order,
    noisy_order,
    rank_one_order,
)
from dsnnlib.mean_field.vlasov import FourierVlasov, poisson_moments

GAUSS = math.sqrt(8 / math.pi)  # critical for a standard normal law


def lorentz(omega, delta=1.0):
    return delta / math.pi / (delta**2 + omega**2)


def uniform(omega):
    return 0.5 * (abs(omega) <= 1)


# ---- the threshold ----


@pytest.mark.parametrize(
    ("peak", "exact"),
    [(1 / math.pi, 2), (norm.pdf(0), 1.5957691216), (0.5, 4 / math.pi)],
    ids=["lorentz", "gauss", "uniform"],
)
def test_known_frequencies_have_known_thresholds(peak, exact):
    assert critical_coupling(peak) == pytest.approx(exact, rel=1e-10)  # the digits given
    assert critical_coupling(peak, 0.25) == pytest.approx(4 * exact, rel=1e-10)


@pytest.mark.parametrize(("density", "breaks"), [(lorentz, ()), (norm.pdf, ()), (uniform, (1.0,))])
def test_order_begins_at_the_threshold(density, breaks):
    K = critical_coupling(density(0.0))
    assert locked_order(K * (1 - 1e-6), density, breaks) == 0
    assert locked_order(0.2 * K, density, breaks) == 0
    assert locked_order(K * (1 + 1e-6), density, breaks) > 1e-4


# ---- without noise ----


@pytest.mark.parametrize("K", [2.00001, 2.001, 2.1, 3.0, 8.0, 100.0])
def test_lorentzian_frequencies_have_the_root_of_one_less_two_over_k(K):
    exact = math.sqrt(1 - 2 / K)
    # the root of an integral to 1e-13, whose slope is about r
    assert locked_order(K, lorentz) == pytest.approx(exact, abs=1e-12 / exact + 1e-13)


def test_only_the_ratio_of_coupling_and_width_matters():
    found = locked_order(9.0, lambda omega: lorentz(omega, 3.0))
    assert found == pytest.approx(math.sqrt(1 - 2 / 3), rel=1e-11)


@pytest.mark.parametrize("K", [1.6, 1.7, 2.5, 6.0])
def test_normal_frequencies_have_the_order_of_bessel_functions(K):
    # 1 = sqrt(pi/8) K e^-x (I_0(x) + I_1(x)), x = K^2 r^2 / 4
    def excess(r):
        x = K**2 * r**2 / 4
        return math.sqrt(math.pi / 8) * K * (ive(0, x) + ive(1, x)) - 1

    exact = brentq(excess, 1e-6, 1, xtol=1e-15)
    assert locked_order(K, norm.pdf) == pytest.approx(exact, rel=1e-9)


def test_normal_frequencies_begin_with_the_square_root_of_their_curvature():
    # r ~ sqrt(16/(pi K_c^3 (-g''(0)))) sqrt(1 - K_c/K) (Strogatz 2000, Physica D 143)
    K = GAUSS * (1 + 1e-5)
    slope = math.sqrt(16 / (math.pi * GAUSS**3 * norm.pdf(0)))
    exact = slope * math.sqrt(1 - GAUSS / K)
    assert locked_order(K, norm.pdf) == pytest.approx(exact, rel=1e-4)  # O(K - K_c)


@pytest.mark.parametrize("K", [1.28, 1.5, 3.0])
def test_uniform_frequencies_are_all_locked(K):
    # 1 = K/2 (t + sin t cos t) with sin t = 1/(K r)
    t = brentq(lambda t: K / 2 * (t + math.sin(t) * math.cos(t)) - 1, 0, math.pi / 2, xtol=1e-15)
    assert locked_order(K, uniform, (1.0,)) == pytest.approx(1 / (K * math.sin(t)), rel=1e-9)


def test_uniform_frequencies_jump_to_a_quarter_of_pi():
    K = 4 / math.pi
    assert locked_order(K * (1 - 1e-9), uniform, (1.0,)) == 0
    found = locked_order(K * (1 + 1e-9), uniform, (1.0,))
    assert found == pytest.approx(math.pi / 4, abs=1e-5)  # (K - K_c)^(2/3) (Pazo 2005)


@pytest.mark.parametrize("K", [1e2, 1e4, 1e8])
def test_strong_coupling_brings_all_together(K):
    found = locked_order(K, lambda omega: math.exp(-(omega**2) / 2) / math.sqrt(2 * math.pi))
    assert found == pytest.approx(1 - 0.5 / K**2, abs=2 / K**4 + 1e-12)  # the next term
    assert locked_order(K, lorentz) == pytest.approx(math.sqrt(1 - 2 / K), abs=1e-11)


def test_two_bumps_far_from_the_centre_lock_when_the_coupling_reaches_them():
    # uniform on 1 <= |omega| <= 2, g(0) = 0: F(2) - F(1) = 1 with the integral of the ends
    def density(omega):
        return 0.5 * (1 <= abs(omega) <= 2)

    def locked(K, r):
        t1, t2 = (math.asin(min(1, b / (K * r))) for b in (1, 2))
        return K / 2 * (t2 - t1 + (math.sin(2 * t2) - math.sin(2 * t1)) / 2) - 1

    K = 4.0
    exact = brentq(lambda r: locked(K, r), 0.7, 1, xtol=1e-15)
    assert locked_order(K, density, (1.0, 2.0)) == pytest.approx(exact, rel=1e-9)
    assert locked_order(1.5, density, (1.0, 2.0)) == 0


# ---- with noise ----


@pytest.mark.parametrize(("K", "D"), [(2.01, 1.0), (1.0, 0.4), (3.0, 1.0), (5.0, 0.01)])
def test_the_order_with_noise_is_that_of_its_own_von_mises_law(K, D):
    r = noisy_order(K, D)
    # relative to the top, or the exponentials overflow; the law is narrow for small D
    weight = [
        quad(
            lambda phi, k=k: math.cos(phi) ** k * math.exp(K * r / D * (math.cos(phi) - 1)),
            0,
            math.pi,
            points=[0.1, 0.5],
            epsabs=1e-13,
        )[0]
        for k in (0, 1)
    ]
    assert r > 0
    assert weight[1] / weight[0] == pytest.approx(r, abs=1e-11)


def test_the_order_with_noise_begins_with_a_square_root():
    # r = x/2 - x^3/16 + O(x^5) with x = K r / D: r^2 = (16/k^3) (k/2 - 1), k = K/D
    eps = 1e-6
    exact = math.sqrt(16 / (2 * (1 + eps)) ** 3 * eps)
    assert noisy_order(2 * (1 + eps), 1.0) == pytest.approx(exact, rel=1e-5)  # O(eps)


def test_noise_above_half_the_coupling_leaves_no_order():
    assert noisy_order(1.0, 0.5) == 0
    assert noisy_order(1.0, 2.0) == 0
    assert noisy_order(1.0 + 1e-12, 0.5) > 0


def test_weak_noise_takes_away_a_half_of_its_ratio():
    # I_1(x)/I_0(x) = 1 - 1/(2x) - 1/(8 x^2) + O(x^-3)
    D = 1e-4
    assert noisy_order(1.0, D) == pytest.approx(1 - D / 2, abs=D**2)


# ---- a graphon of rank one ----


@pytest.mark.parametrize("K", [2.0001, 2.5, 10.0])
@pytest.mark.parametrize("delta", [1.0, 0.2])
def test_equal_weights_give_the_all_to_all_order(K, delta):
    found = rank_one_order(K * delta, np.ones(4), np.full(4, 0.25), delta=delta)
    np.testing.assert_allclose(found, math.sqrt(1 - 2 / K), rtol=1e-8)  # of a root in R


@pytest.mark.parametrize("K", [1.5, 3.0])
@pytest.mark.parametrize("delta", [1.0, 0.6])
def test_the_rank_one_order_is_where_the_reduction_comes_to_rest(K, delta):
    g = np.random.default_rng(0)
    w = g.uniform(0.5, 2.5, 12)
    field = OttAntonsen(LowRank(w[:, None], w[:, None]), K, delta=delta)

    def real(t, y):
        return field(t, y + 0j).real

    end = solve_ivp(real, (0, 300), np.full(12, 0.5), rtol=1e-11, atol=1e-13).y[:, -1]
    found = rank_one_order(K, w, np.full(12, 1 / 12), delta=delta)
    assert found.min() > 0.1
    np.testing.assert_allclose(found, end, rtol=0, atol=1e-9)  # of the solver


def test_a_rank_one_graphon_needs_the_square_of_its_weight():
    w, points = np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.25, 0.25])
    threshold = 2 / (points @ w**2)
    np.testing.assert_array_equal(rank_one_order(threshold, w, points), 0)
    np.testing.assert_array_equal(rank_one_order(0.5 * threshold, w, points), 0)
    above = rank_one_order(threshold * 1.0001, w, points)
    assert above[0] == 0  # it feels nobody
    assert above[2] > above[1] > 1e-3
    np.testing.assert_array_equal(rank_one_order(5.0, 0 * w, points), 0)


# ---- growth of a small order ----


@pytest.mark.parametrize(("K", "delta"), [(3.0, 1.0), (1.0, 1.0), (2.0, 0.0)])
@pytest.mark.parametrize("probability", [1.0, 0.5])
def test_a_small_order_grows_at_its_rate_with_lorentzian_frequencies(K, delta, probability):
    field = OttAntonsen(Graph(np.full((6, 6), probability)), K, delta=delta)
    small = np.full(6, 1e-6 + 0j)
    rate = (field(0, small) / small).real
    exact = incoherent_growth(K, probability, delta=delta)
    np.testing.assert_allclose(rate, exact, atol=1e-11)  # O(z^2)


@pytest.mark.parametrize(("K", "D"), [(3.0, 1.0), (1.0, 1.0), (2.0, 0.0)])
def test_a_small_order_grows_at_its_rate_with_noise(K, D):
    a = poisson_moments(np.array([1e-6 * np.exp(0.3j)]), 8)
    rate = FourierVlasov(AllToAll(), sine=(K,), D=D)(0, a)[1] / a[1]
    assert rate.item() == pytest.approx(incoherent_growth(K, D=D), abs=1e-11)


def test_the_rate_changes_its_sign_at_the_thresholds():
    assert incoherent_growth(critical_coupling(lorentz(0), 0.3), 0.3, delta=1.0) == pytest.approx(
        0, abs=1e-15
    )
    assert incoherent_growth(2.0, D=1.0) == 0
    np.testing.assert_allclose(
        incoherent_growth(2.0, [0.0, 1.0, -1.0], D=0.25), [-0.25, 0.75, -1.25]
    )


def test_above_the_threshold_the_reduction_leaves_incoherence():
    *_, end = trajectory(
        OttAntonsen(AllToAll(), 3.0, delta=1.0), np.full(1, 1e-8 + 0j), np.linspace(0, 20, 401)
    )
    # 1e-8 e^(t/2) as long as it is small
    assert abs(end[0]) == pytest.approx(1e-8 * math.exp(10), rel=1e-6)


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: critical_coupling(0), "peak is 0; it must be a positive finite number"),
        (lambda: critical_coupling(1.0, -1), "lam is -1"),
        (lambda: locked_order(0, lorentz), "K is 0"),
        (lambda: locked_order(math.nan, lorentz), "K is nan"),
        (lambda: noisy_order(-1, 1.0), "K is -1"),
        (lambda: noisy_order(1.0, 0), "D is 0"),
        (lambda: rank_one_order(0, [1.0], [1.0]), "K is 0"),
        (lambda: rank_one_order(1.0, [[1.0]], [1.0]), "weight has 2 dimensions"),
        (lambda: rank_one_order(1.0, [1.0], []), "points is empty"),
        (lambda: rank_one_order(1.0, [1.0], [1.0], delta=0), "delta is 0"),
        (lambda: incoherent_growth(math.inf), "K is inf"),
        (lambda: incoherent_growth(1.0, delta=math.nan), "delta is nan"),
        (lambda: incoherent_growth(1.0, D="much"), "D is 'much'"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
