"""Increasing maps: interpolation, distances and iterates, each by an oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, isotonic_regression

from dsnnlib.propagation.monotone import (
    best_increasing,
    distance_to_increasing,
    fractional_iterate,
    interpolation,
)

SEQUENCES = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


# ---- interpolation ----


@pytest.mark.parametrize(
    "psi",
    [np.sinh, lambda x: x + 0.9 * np.sin(x), lambda x: x**3, lambda x: 0.1 * x - 5],
    ids=["sinh", "wave", "cube", "affine"],
)
def test_the_time_one_map_of_the_interpolation_is_the_map(psi):
    x = np.linspace(-2, 2, 21)
    end = solve_ivp(interpolation(psi), (0, 1), x, rtol=1e-9, atol=1e-9).y[:, -1]
    np.testing.assert_allclose(end, psi(x), rtol=0, atol=1e-7)  # the solver's tolerance


def test_along_the_interpolation_orbits_are_straight_lines():
    x = np.array([-1.5, 0.0, 0.2, 2.0])
    field = interpolation(np.sinh)
    for t in (0.0, 0.3, 1.0):
        # rounding of numbers up to 4, times the slope of the inverse, at most 1
        np.testing.assert_allclose(field(t, x + t * (np.sinh(x) - x)), np.sinh(x) - x, atol=1e-14)


def test_a_map_that_is_not_onto_has_no_interpolation():
    with pytest.raises(ArithmeticError, match="onto"):
        interpolation(np.tanh)(1.0, np.array([0.0, 2.0]))


# ---- increasing functions ----


@settings(derandomize=True, deadline=None)
@given(values=SEQUENCES)
def test_the_distance_is_half_the_deepest_fall(values):
    falls = [values[i] - values[j] for i in range(len(values)) for j in range(i, len(values))]
    assert distance_to_increasing(values) == max(falls) / 2


@settings(derandomize=True, deadline=None)
@given(values=SEQUENCES)
def test_the_best_increasing_sequence_increases_and_attains_the_distance(values):
    best = best_increasing(values)
    assert (np.diff(best) >= 0).all()
    error = np.abs(best - values).max()
    assert error == pytest.approx(distance_to_increasing(values), abs=1e-13)  # rounding below 200


def test_no_increasing_sequence_comes_nearer():
    rng = np.random.default_rng(0)
    for _ in range(50):
        f = rng.normal(size=30)
        rivals = [np.sort(rng.normal(size=30)), np.sort(f), isotonic_regression(f).x]
        for g in rivals:
            assert np.abs(f - g).max() >= distance_to_increasing(f)


def test_of_an_increasing_sequence_the_distance_is_zero_and_it_is_its_own_best():
    f = np.linspace(-1, 2, 10) ** 3
    assert distance_to_increasing(f) == 0
    np.testing.assert_array_equal(best_increasing(f), f)


@pytest.mark.parametrize(
    ("f", "constant"),
    [(np.square, 1 / 2), (lambda x: np.sin(3 * np.pi * x), 1), (np.negative, 1), (np.cos, 0.23)],
)
def test_the_constants_of_the_page_are_limits_of_fine_grids(f, constant):
    x = np.linspace(-1, 1, 10_001)
    if f is np.cos:  # on [-1, 1] it falls by 1 - cos 1
        constant = (1 - math.cos(1)) / 2
    assert distance_to_increasing(f(x)) == pytest.approx(constant, abs=1e-6)  # 10 pi^2 dx^2


def test_many_functions_are_treated_at_once():
    f = np.random.default_rng(0).normal(size=(3, 4, 7))
    assert distance_to_increasing(f).shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        assert distance_to_increasing(f)[i, j] == distance_to_increasing(f[i, j])
        np.testing.assert_array_equal(best_increasing(f)[i, j], best_increasing(f[i, j]))


# ---- fractional iterates ----


def test_koenigs_iterate_of_a_moebius_map_is_its_flow():
    x = np.linspace(0.1, 1, 30)

    def flow(t):  # of x' = -x - x^2
        return lambda x: np.exp(-t) * x / (1 + x * (1 - np.exp(-t)))

    for power in (0.5, 1 / 3, -0.5, 0.0):
        found = fractional_iterate(flow(1), flow(-1), x, multiplier=math.exp(-1), power=power)
        np.testing.assert_allclose(found, flow(power)(x), rtol=1e-13)  # rounding in 80 steps


@pytest.mark.parametrize("power", [0.5, 0.25])
def test_koenigs_iterates_compose(power):
    def psi(x):
        return x / 2 + x**2 / 8

    def inverse(y):
        return 8 * y / (2 + np.sqrt(4 + 8 * y))

    def part(x):
        return fractional_iterate(psi, inverse, x, multiplier=0.5, power=power)

    x = end = np.linspace(0.05, 1, 20)
    for _ in range(round(1 / power)):
        end = part(end)
    np.testing.assert_allclose(end, psi(x), rtol=1e-13)  # rounding in 80 steps


def test_the_half_iterates_of_an_euler_step_from_its_two_ends_differ():
    """Against plain floats: follow one orbit to either end, and come back by root search."""
    a, x, n = 0.9, 0.5, 40

    def psi(x):
        return x + a * x * (1 - x)

    up = fractional_iterate(
        lambda y: y * (1 - a + a * y),
        lambda y: 2 * y / (1 - a + np.sqrt((1 - a) ** 2 + 4 * a * y)),
        np.array([1 - x]),
        multiplier=1 - a,
        power=0.5,
    )
    down = x
    for _ in range(n):
        down = brentq(lambda z, y=down: psi(z) - y, 0, 1, xtol=1e-300, rtol=1e-15)
    down *= math.sqrt(1 + a)
    for _ in range(n):
        down = psi(down)
    from_0 = fractional_iterate(
        lambda x: 2 * x / (1 + a + np.sqrt((1 + a) ** 2 - 4 * a * x)),
        psi,
        np.array([x]),
        multiplier=1 / (1 + a),
        power=-0.5,
    )
    assert from_0[0] == pytest.approx(down, abs=1e-10)  # (1 + a)^-40
    assert abs(1 - up[0] - from_0[0]) > 1e-6


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: interpolation(2), "psi"),
        (lambda: distance_to_increasing([]), "values"),
        (lambda: distance_to_increasing([1, math.nan]), "values"),
        (lambda: distance_to_increasing(3.0), "values"),
        (lambda: best_increasing("up"), "values"),
        (lambda: fractional_iterate(np.sin, np.sin, [0.1], multiplier=1, power=0.5), "multiplier"),
        (lambda: fractional_iterate(np.sin, np.sin, [0.1], multiplier=0, power=0.5), "multiplier"),
        (lambda: fractional_iterate(np.sin, np.sin, [0.1], multiplier=0.5, power=None), "power"),
        (lambda: fractional_iterate(np.sin, np.sin, [], multiplier=0.5, power=0.5), "x"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_a_map_that_does_not_contract_has_no_koenigs_iterate():
    with pytest.raises(ArithmeticError, match="contract"):
        fractional_iterate(np.negative, np.negative, [0.1], multiplier=0.5, power=0.5)
