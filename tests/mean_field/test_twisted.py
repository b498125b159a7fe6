"""Twisted states: integrals, dense Jacobians by differences, and known thresholds."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.distances import arcs
from dsnnlib.mean_field.graph_limits import vertices
from dsnnlib.mean_field.oscillators import Graph, Oscillators
from dsnnlib.mean_field.twisted import (
    network_spectrum,
    ring_spectrum,
    ring_threshold,
    winding_number,
)


def ring(N, reach):
    """Weights of a ring with one edge to each of the `reach` neighbours on both sides."""
    steps = np.arange(N)
    return (np.minimum(steps, N - steps) <= reach) * (steps > 0) * 1.0


def circulant(weights):
    """A_ij = w_(j - i)."""
    return np.array([np.roll(weights, i) for i in range(weights.size)])


def twisted(N, q):
    return 2 * math.pi * q * np.arange(N) / N


def symmetric_weights(N, seed=0):
    w = np.random.default_rng(seed).normal(size=N)
    return w + np.roll(w[::-1], 1)


# ---- the continuum ----


@pytest.mark.parametrize("q", [0, 1, 2, 5, -3])
@pytest.mark.parametrize("radius", [0.03, 0.21, 0.5])
def test_the_eigenvalues_are_their_integrals(q, radius):
    modes = [-4, -1, 0, 1, 2, 3, 7, 12]
    exact = [
        quad(
            lambda x, k=k: math.cos(2 * math.pi * q * x) * (math.cos(2 * math.pi * k * x) - 1),
            -radius,
            radius,
            epsabs=1e-13,
        )[0]
        for k in modes
    ]
    np.testing.assert_allclose(ring_spectrum(q, radius, modes), exact, rtol=0, atol=1e-12)


def test_a_mode_and_its_mirror_have_one_eigenvalue_and_a_turn_has_zero():
    k = np.arange(1, 20)
    np.testing.assert_allclose(
        ring_spectrum(2, 0.2, k), ring_spectrum(2, 0.2, -k), rtol=0, atol=1e-16
    )
    assert ring_spectrum(2, 0.2, [0]).item() == pytest.approx(0, abs=1e-16)


def test_all_to_all_only_the_twist_itself_is_unstable():
    # the integrals over a whole turn are those of orthogonal waves
    found = ring_spectrum(3, 0.5, np.arange(8))
    np.testing.assert_allclose(found, 0.5 * (np.arange(8) == 3), atol=1e-15)


def test_synchrony_is_stable_at_any_range():
    for radius in np.linspace(0.01, 0.5, 30):
        assert ring_spectrum(0, radius, np.arange(1, 40)).max() < 0


@pytest.mark.parametrize(("q", "exact", "digits"), [(1, 0.34046142, 5e-9), (2, 1 / 6, 1e-12)])
def test_known_twists_have_known_thresholds(q, exact, digits):
    # q = 2: at 1/6 the integral of cos(2 pi m x) is sin(m pi/3)/(pi m), so that mode 1 has
    # (0 + sin(pi/3))/2 - sin(2 pi/3)/2 = 0, over pi
    assert ring_threshold(q) == pytest.approx(exact, abs=digits)


@pytest.mark.parametrize("q", [1, 2, 3, 7])
def test_a_twist_is_stable_below_its_threshold_and_not_above(q):
    radius = ring_threshold(q)
    modes = np.arange(1, 200)
    for below in np.linspace(0.05, 0.999, 40):
        assert ring_spectrum(q, below * radius, modes).max() < 0
    assert ring_spectrum(q, 1.001 * radius, modes).max() > 0


def test_thresholds_of_tight_twists_are_those_of_an_unbounded_line():
    # q rho tends to mu, where the slow modes change their sign: the second derivative in k
    # of the integral of cos(2 pi (q + k) x) is zero, i.e. of sin(u)/u at u = 2 pi mu
    def curvature(u):
        return (2 - u**2) * math.sin(u) - 2 * u * math.cos(u)

    mu = brentq(curvature, 1.5, 3) / (2 * math.pi)
    assert 200 * ring_threshold(200) == pytest.approx(mu, rel=1e-4)  # O(q^-2)


# ---- networks ----


@pytest.mark.parametrize("N", [3, 8, 13])
@pytest.mark.parametrize("q", [0, 1, 2, -1])
def test_the_network_has_the_eigenvalues_of_its_jacobian(N, q):
    weights, phi = symmetric_weights(N), twisted(N, q)
    field = Oscillators(0.0, Graph(circulant(weights)))
    h = 1e-5
    jacobian = np.array(
        [(field(0, phi + h * e) - field(0, phi - h * e)) / (2 * h) for e in np.eye(N)]
    ).T
    exact = np.linalg.eigvals(jacobian)
    assert abs(exact.imag).max() < 1e-7
    # central differences: O(h^2) and rounding over h
    np.testing.assert_allclose(
        np.sort(network_spectrum(weights, q)), np.sort(exact.real), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("q", [0, 1, 3])
def test_each_mode_is_a_wave(q):
    N = 12
    weights, phi = symmetric_weights(N), twisted(N, q)
    pull = circulant(weights) * np.cos(phi[None, :] - phi[:, None]) / N
    jacobian = pull - np.diag(pull.sum(1))
    spectrum = network_spectrum(weights, q)
    for k in range(N):
        wave = np.exp(2j * math.pi * k * np.arange(N) / N)
        np.testing.assert_allclose(jacobian @ wave, spectrum[k] * wave, rtol=0, atol=1e-13)


@pytest.mark.parametrize("q", [1, 4])
def test_large_rings_have_the_spectrum_of_the_continuum(q):
    errors = []
    for N in (200, 400, 800):
        # the two ends of the range count by half: the trapezoidal rule
        weights = ring(N, N // 5)
        weights[[N // 5, -(N // 5)]] = 0.5
        found = network_spectrum(weights, q)[:6]
        errors.append(abs(found - ring_spectrum(q, 0.2, np.arange(6))).max())
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2, atol=0.05)


@pytest.mark.parametrize("N", [8, 13, 20, 30])
def test_with_nearest_neighbours_a_twist_is_stable_if_it_turns_by_less_than_a_quarter_a_step(N):
    for q in range(-(N // 2), N // 2 + 1):
        worst = network_spectrum(ring(N, 1), q)[1:].max()
        if abs(q) * 4 == N:  # all eigenvalues vanish
            assert worst == pytest.approx(0, abs=1e-15)
        else:
            assert (worst < 0) == (abs(q) < N / 4)
        # (4/N) cos(2 pi q/N) (cos(2 pi k/N) - 1)/2 by hand
        k = np.arange(N)
        exact = 2 / N * math.cos(2 * math.pi * q / N) * (np.cos(2 * math.pi * k / N) - 1)
        np.testing.assert_allclose(network_spectrum(ring(N, 1), q), exact, atol=1e-15)


@pytest.mark.parametrize(("reach", "stays"), [(16, True), (18, False)])
def test_a_perturbed_twist_returns_below_the_threshold_and_leaves_above(reach, stays):
    # N = 50, q = 1: 0.34 N = 17.02
    N = 50
    assert (network_spectrum(ring(N, reach), 1)[1:].max() < 0) == stays
    x = vertices(N)
    near = (arcs(x, x, 1) < (reach + 0.5) / N) & ~np.eye(N, dtype=bool)
    np.testing.assert_array_equal(near, circulant(ring(N, reach)))
    start = twisted(N, 1) + 1e-3 * np.random.default_rng(0).normal(size=N)
    *_, end = trajectory(Oscillators(0.0, Graph(near * 1.0)), start, np.arange(0, 2000, 2.0))
    assert (winding_number(end) == 1) == stays


def test_a_twist_stands_still():
    for q in range(-3, 4):
        field = Oscillators(0.0, Graph(circulant(symmetric_weights(15))))
        np.testing.assert_allclose(field(0, twisted(15, q)), 0, atol=1e-14)


# ---- winding ----


@pytest.mark.parametrize("q", range(-8, 9))
def test_a_twisted_state_winds_around_as_often_as_it_says(q):
    phi = twisted(20, q) + 0.2 * np.random.default_rng(0).uniform(-1, 1, 20)
    assert winding_number(phi) == q  # a step is below pi: 0.8 pi and 0.4
    assert winding_number(twisted(20, q)) == q
    assert winding_number(phi % (2 * math.pi)) == winding_number(phi)


def test_the_winding_number_is_that_of_many_rings_at_once():
    phi = np.stack([[twisted(30, q) for q in (0, 1)], [twisted(30, q) for q in (-4, 7)]])
    np.testing.assert_array_equal(winding_number(phi), [[0, 1], [-4, 7]])


def test_whole_turns_of_single_phases_are_not_counted():
    phi = twisted(12, 2)
    turns = 2 * math.pi * np.random.default_rng(0).integers(-5, 6, 12)
    assert winding_number(phi + turns) == 2
    assert winding_number(np.zeros(5)) == 0


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ring_spectrum(1, 0, [1]), r"radius is 0.0; it must be in \(0, 1/2\]"),
        (lambda: ring_spectrum(1, 0.51, [1]), "radius is 0.51"),
        (lambda: ring_spectrum(1, math.nan, [1]), "radius is nan"),
        (lambda: ring_spectrum(1, 0.2, []), "modes is empty"),
        (lambda: ring_threshold(0), "q is 0; it must be a whole number, at least 1"),
        (lambda: ring_threshold(1.5), "q is 1.5"),
        (lambda: ring_threshold(1, modes=0), "modes is 0"),
        (lambda: network_spectrum([[1.0]], 1), "weights has 2 dimensions"),
        (lambda: network_spectrum([0.0, 1.0, 2.0], 1), "weights is not symmetric"),
        (lambda: network_spectrum([math.nan], 1), "weights holds NaN"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
