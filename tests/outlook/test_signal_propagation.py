"""Mean-field maps of wide networks: integrals, fixed points, slopes and the edge of chaos."""

import math

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq
from scipy.special import erf

from dsnnlib.outlook.signal_propagation import (
    TANH,
    Activation,
    WideNetwork,
    critical_weight,
    edge_of_chaos,
    gauss,
    relu_correlation,
)

ERF = Activation(
    erf,
    lambda x: 2 / math.sqrt(math.pi) * np.exp(-(x**2)),
    lambda x: -4 / math.sqrt(math.pi) * x * np.exp(-(x**2)),
)
LINEAR = Activation(lambda x: x, np.ones_like, np.zeros_like)
RELU = Activation(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, np.zeros_like)


def normal(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def test_gauss_integrates_polynomials_exactly():
    assert [gauss(lambda z, k=k: z**k) for k in (0, 1, 2, 4, 6)] == pytest.approx(
        [1, 0, 1, 3, 15], abs=1e-11
    )


def test_the_derivatives_of_tanh_are_its_derivatives():
    x, step = np.linspace(-3, 3, 13), 1e-5
    for function, derivative in ((TANH.value, TANH.slope), (TANH.slope, TANH.second)):
        difference = (function(x + step) - function(x - step)) / (2 * step)
        assert derivative(x) == pytest.approx(difference, abs=1e-9)  # order step^2


@pytest.mark.parametrize("q", [0.1, 1.0, 4.0])
def test_lengths_agree_with_adaptive_integration(q):
    expected = 2 * quad(lambda z: math.tanh(q**0.5 * z) ** 2 * normal(z), 0, 12)[0]
    found = WideNetwork(1.7, 0.2).length(q)
    assert found == pytest.approx(1.7 * expected + 0.2, abs=1e-10)


@pytest.mark.parametrize(("q", "rel"), [(5.0, 1e-9), (50.0, 1e-9), (200.0, 1e-5)])
def test_long_states_are_integrated_although_the_slope_is_a_narrow_peak(q, rel):
    far = 20 / q**0.5  # the slope is below 1e-16 beyond
    peak = 2 * quad(lambda z: math.cosh(q**0.5 * z) ** -4 * normal(z), 0, far, epsabs=1e-13)[0]
    network = WideNetwork(1.0, 0)
    assert float(network.chi(q)) == pytest.approx(peak, rel=rel)
    square = 2 * quad(lambda z: math.tanh(q**0.5 * z) ** 2 * normal(z), 0, far, epsabs=1e-13)[0]
    rest = math.erfc(far / 2**0.5)
    assert float(network.length(q)) == pytest.approx(square + rest, abs=rel)


def test_just_above_the_edge_no_correlation_is_found_and_it_says_so():
    weight, q = critical_weight(0.05)
    with pytest.raises(ArithmeticError, match="below 1 - 1e-6"):
        WideNetwork(weight * (1 + 1e-8), 0.05).fixed_correlation(q)


@pytest.mark.parametrize("q", [0.1, 0.7, 3.0])
def test_erf_has_closed_forms(q):
    network = WideNetwork(1.3, 0.1, ERF)
    assert network.length(q) == pytest.approx(
        1.3 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + 0.1, abs=1e-9
    )
    assert network.chi(q) == pytest.approx(1.3 * 4 / math.pi / math.sqrt(1 + 4 * q), abs=1e-9)
    c = np.array([-0.5, 0.0, 0.3, 0.9, 1.0])
    mixed = 2 / math.pi * np.arcsin(2 * q * c / (1 + 2 * q))
    assert network.correlation(c, q) == pytest.approx((1.3 * mixed + 0.1) / q, abs=1e-9)
    # q E phi''^2 from E x^2 exp(-2 x^2) = q (1 + 4 q)^(-3/2)
    bend = 1.3 * q * 16 / math.pi * q * (1 + 4 * q) ** -1.5
    assert network.correlation_bend(q) == pytest.approx(bend, rel=1e-8)


def test_the_correlation_map_agrees_with_a_double_integral():
    q, c, network = 0.8, 0.4, WideNetwork(2.0, 0.1)

    def integrand(y, x):
        other = c * x + math.sqrt(1 - c * c) * y
        return math.tanh(q**0.5 * x) * math.tanh(q**0.5 * other) * normal(x) * normal(y)

    mixed = dblquad(integrand, -8, 8, -8, 8, epsabs=1e-8)[0]
    assert float(network.correlation(c, q)) == pytest.approx((2 * mixed + 0.1) / q, abs=1e-7)


def test_a_linear_network_keeps_correlations_without_bias():
    network = WideNetwork(1.0, 0, LINEAR)
    c = np.linspace(-1, 1, 5)
    assert network.correlation(c, 2.0) == pytest.approx(c, abs=1e-12)
    assert network.length([0.0, 2.0]) == pytest.approx([0, 2], abs=1e-12)


def test_slopes_are_the_derivatives_of_the_maps():
    network, q, step = WideNetwork(1.9, 0.07), 0.9, 1e-5
    lengths = network.length([q + step, q - step])
    assert network.length_slope(q) == pytest.approx(
        (lengths[0] - lengths[1]) / (2 * step), abs=1e-8
    )
    for c in (-0.3, 0.2, 0.9):
        values = network.correlation([c + step, c - step], q)
        found = float(network.correlation_slope(c, q))
        assert found == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-8)
    bend = (network.correlation_slope(1, q) - network.correlation_slope(1 - 1e-4, q)) / 1e-4
    assert network.correlation_bend(q) == pytest.approx(float(bend), rel=1e-3)  # order 1e-4


def test_chi_is_the_slope_of_the_correlation_map_at_one():
    network = WideNetwork(2.3, 0.1)
    assert float(network.correlation_slope(1, 1.1)) == pytest.approx(float(network.chi(1.1)))


@pytest.mark.parametrize(("weight", "bias"), [(0.7, 0.01), (1.8, 0.05), (5.0, 0.3)])
def test_every_start_ends_at_the_one_fixed_length(weight, bias):
    network = WideNetwork(weight, bias)
    found = [network.fixed_length(start=start) for start in (1e-3, 1.0, 50.0)]
    by_search = brentq(lambda q: float(network.length(q)) - q, 1e-6, 100, xtol=1e-13)
    assert found == pytest.approx([by_search] * 3, abs=1e-11)


def test_a_length_that_does_not_settle_is_reported():
    with pytest.raises(ArithmeticError, match="not settled after 50"):
        WideNetwork(1.5, 0.1, LINEAR).fixed_length(steps=50)


def test_ordered_networks_end_at_one_and_chaotic_ones_below():
    ordered, chaotic = WideNetwork(1.2, 0.05), WideNetwork(3.0, 0.05)
    assert ordered.fixed_correlation(ordered.fixed_length()) == 1
    q = chaotic.fixed_length()
    c = 0.99
    for _ in range(300):
        c = float(chaotic.correlation(c, q))
    assert chaotic.fixed_correlation(q) == pytest.approx(c, abs=1e-9)


def test_odd_networks_without_bias_forget_in_chaos():
    network = WideNetwork(2.0, 0)
    assert network.fixed_correlation(network.fixed_length()) == 0


def test_depth_scales_are_the_rates_of_the_iteration():
    network = WideNetwork(2.5, 0.1)
    q, qs, cs = network.fixed_length(), [2.0], [0.6]
    c_star = network.fixed_correlation(q)
    for _ in range(45):
        qs.append(float(network.length(qs[-1])))
        cs.append(float(network.correlation(cs[-1], q)))
    measured = -1 / np.log([(qs[14] - q) / (qs[13] - q), (cs[45] - c_star) / (cs[44] - c_star)])
    assert network.depth_scales() == pytest.approx(measured, rel=5e-3)  # next order in the distance


@pytest.mark.parametrize(
    ("bias", "weight"), [(0.01, 1.4242053), (0.05, 1.7609546), (0.1, 1.9860726)]
)
def test_the_edge_has_the_published_values(bias, weight):
    found, q = critical_weight(bias)
    assert found == pytest.approx(weight, abs=1e-6)
    network = WideNetwork(found, bias)
    assert network.fixed_length() == pytest.approx(q, abs=1e-9)
    assert float(network.chi(q)) == pytest.approx(1, abs=1e-12)


def test_the_edge_of_erf_is_known():
    q = np.array([0.1, 0.5, 2.0])
    weight, bias = edge_of_chaos(q, ERF)
    expected = math.pi / 4 * np.sqrt(1 + 4 * q)
    assert weight == pytest.approx(expected, rel=1e-8)
    assert bias == pytest.approx(q - expected * 2 / math.pi * np.arcsin(2 * q / (1 + 2 * q)))


def test_the_edge_begins_at_one_for_small_lengths():
    weight, bias = edge_of_chaos(1e-6)
    assert weight == pytest.approx(1, abs=1e-5)
    assert bias == pytest.approx(0, abs=1e-8)


def test_the_relu_map_agrees_with_an_integral_and_its_ends():
    assert relu_correlation([-1.0, 0.0, 1.0]) == pytest.approx([0, 1 / math.pi, 1], abs=1e-12)
    theta = math.acos(0.3)
    angle = quad(  # 2 E max(z1, 0) max(z2, 0), in polar coordinates
        lambda t: math.cos(t) * math.cos(t - theta), theta - math.pi / 2, math.pi / 2
    )[0]
    assert float(relu_correlation(0.3)) == pytest.approx(2 * angle / math.pi, abs=1e-10)


def test_he_variance_is_the_edge_of_relu():
    network = WideNetwork(2.0, 0, RELU)
    assert network.length(1.7) == pytest.approx(1.7, abs=1e-12)
    assert float(network.chi(1.7)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WideNetwork(0, 0.1), "weight is 0"),
        (lambda: WideNetwork(-1.0, 0.1), "weight is -1"),
        (lambda: WideNetwork(1.0, -0.1), "bias is -0.1"),
        (lambda: WideNetwork(1.0, np.array([0.1, 0.2])), "bias is array"),
        (lambda: critical_weight(30.0), "bias is 30.0; it must be at most"),
        (lambda: WideNetwork(1.0, 0.1).length(-1), "q is -1"),
        (lambda: WideNetwork(1.0, 0.1).chi(math.nan), "q holds NaN"),
        (lambda: WideNetwork(1.0, 0.1).correlation(1.1, 1.0), "c is 1.1"),
        (lambda: WideNetwork(1.0, 0.1).correlation(0.5, 0.0), "q is 0"),
        (lambda: WideNetwork(1.0, 0.1).correlation_slope([0.2, -3], 1.0), "c is -3"),
        (lambda: WideNetwork(1.0, 0.1).correlation_bend(0), "q is 0"),
        (lambda: WideNetwork(1.0, 0.1).fixed_length(start=0), "start is 0"),
        (lambda: WideNetwork(1.0, 0.1).fixed_length(steps=0), "steps is 0"),
        (lambda: gauss(np.abs, 0), "nodes is 0"),
        (lambda: edge_of_chaos(0.0), "q is 0"),
        (lambda: critical_weight(0.0), "bias is 0"),
        (lambda: relu_correlation("a"), "c is 'a'"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
