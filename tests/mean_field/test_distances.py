"""Distances of measures: linear programs, scipy, POT, and the axioms of a metric."""

import math

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from dsnnlib.mean_field.distances import (
    arcs,
    bounded_lipschitz,
    wasserstein_circle,
    wasserstein_line,
)

SEEDS = pytest.mark.parametrize("seed", range(5))
LINE_OR_CIRCLE = pytest.mark.parametrize("distance", [wasserstein_line, wasserstein_circle])


def rng(seed=0):
    return np.random.default_rng(seed)


def masses(generator, *shape):
    p = generator.random(shape)
    return p / p.sum(-1, keepdims=True)


def measures(seed, n=7, m=5):
    """Atoms x, y in [-10, 10) and masses p, q of two probability measures."""
    g = rng(seed)
    return g.uniform(-10, 10, n), g.uniform(-10, 10, m), masses(g, n), masses(g, m)


def transport(cost, p, q):
    """The least cost of a plan with the marginals p and q, as a linear program."""
    n, m = cost.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    plan = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.append(p, q))
    return plan.fun


def supremum(apart, jumps):
    """The largest sum of f * jumps with |f| <= 1 and Lipschitz constant <= 1: the dual form."""
    n = len(jumps)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    slopes = np.zeros((i.size, n))
    slopes[np.arange(i.size), i], slopes[np.arange(i.size), j] = 1, -1
    best = linprog(-np.asarray(jumps), A_ub=slopes, b_ub=apart[i, j], bounds=(-1, 1))
    return -best.fun


def on_the_line(x, y):
    return abs(np.subtract.outer(x, y))


# ---- the line ----


@SEEDS
def test_on_the_line_it_is_that_of_scipy(seed):
    x, y, p, q = measures(seed)
    assert wasserstein_line(x, y, p, q) == pytest.approx(
        wasserstein_distance(x, y, p, q), rel=1e-12
    )
    assert wasserstein_line(x, y) == pytest.approx(wasserstein_distance(x, y), rel=1e-12)


@SEEDS
def test_on_the_line_it_is_the_cost_of_the_best_plan(seed):
    x, y, p, q = measures(seed)
    best = transport(on_the_line(x, y), p, q)
    assert wasserstein_line(x, y, p, q) == pytest.approx(best, rel=1e-9)  # the program's tolerance


def test_equally_many_equal_atoms_are_matched_in_their_order():
    x, y = rng().normal(size=(2, 1000))
    matched = abs(np.sort(x) - np.sort(y)).mean()
    assert wasserstein_line(x, y) == pytest.approx(matched, rel=1e-12)  # rounding


def test_a_shifted_measure_is_as_far_as_the_shift():
    x, p = rng().normal(size=50), masses(rng(1), 50)
    assert wasserstein_line(x, x + 3.25, p, p) == pytest.approx(3.25, rel=1e-13)  # rounding


# ---- the circle ----


@SEEDS
@pytest.mark.parametrize("period", [1.0, 2 * math.pi, 24.0])
def test_on_the_circle_it_is_the_cost_of_the_best_plan(seed, period):
    x, y, p, q = measures(seed)
    best = transport(arcs(x, y, period), p, q)
    found = wasserstein_circle(x, y, p, q, period=period)
    assert found == pytest.approx(best, rel=1e-9)  # the program's tolerance


@SEEDS
def test_on_the_circle_it_is_that_of_pot(seed):
    x, y, p, q = measures(seed)
    theirs = ot.wasserstein_circle(x % 1, y % 1, p, q, p=1)
    # their level c comes from a bisection
    assert wasserstein_circle(x, y, p, q, period=1) == pytest.approx(float(theirs[0]), abs=1e-6)


def test_antipodal_points_are_half_the_period_apart():
    assert wasserstein_circle([0.3], [0.3 + math.pi]) == pytest.approx(math.pi, rel=1e-14)
    assert wasserstein_circle([0.1], [0.6], period=1) == pytest.approx(0.5, rel=1e-14)


def test_mass_takes_the_short_way_around():
    assert wasserstein_circle([0.1], [2 * math.pi - 0.2]) == pytest.approx(0.3, rel=1e-13)


def test_the_uniform_law_is_a_quarter_of_the_period_from_a_point():
    # the mean arc from a point; n midpoints are exact for even n
    uniform = (np.arange(100) + 0.5) / 100
    assert wasserstein_circle(uniform, [0.0], period=1) == pytest.approx(0.25, rel=1e-12)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), turn=st.floats(-100, 100))
def test_turning_both_measures_changes_nothing(seed, turn):
    x, y, p, q = measures(seed)
    found = wasserstein_circle(x + turn, y + turn, p, q)
    assert found == pytest.approx(wasserstein_circle(x, y, p, q), abs=1e-12)  # rounding of x + turn


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_the_circle_is_never_farther_than_the_line_cut_open(seed):
    x, y, p, q = measures(seed)
    x, y = x % (2 * math.pi), y % (2 * math.pi)
    assert wasserstein_circle(x, y, p, q) <= wasserstein_line(x, y, p, q) + 1e-12


def test_arcs_are_the_angles_between_points():
    x, y = rng().uniform(-20, 20, (2, 30))
    angle = abs(np.angle(np.exp(1j * np.subtract.outer(x, y))))
    np.testing.assert_allclose(arcs(x, y), angle, rtol=0, atol=1e-13)  # rounding of the phases
    assert arcs([0.1], [0.9], 1).item() == pytest.approx(0.2, rel=1e-14)


# ---- both ----


@LINE_OR_CIRCLE
@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_it_is_a_metric(distance, seed):
    g = rng(seed)
    x, y, z = g.uniform(-10, 10, (3, 6))
    p, q, r = masses(g, 3, 6)
    there, back = distance(x, y, p, q), distance(y, x, q, p)
    assert there > 0
    assert there == pytest.approx(back, rel=1e-12)
    assert there <= distance(x, z, p, r) + distance(z, y, r, q) + 1e-12
    shuffled = g.permutation(6)
    assert distance(x, x[shuffled], p, p[shuffled]) == pytest.approx(0, abs=1e-13)


@LINE_OR_CIRCLE
def test_a_batch_is_a_loop_over_its_pairs(distance):
    g = rng()
    x, y, p, q = (g.normal(size=(2, 3, n)) for n in (6, 4, 6, 4))
    p, q = (abs(w) / abs(w).sum(-1, keepdims=True) for w in (p, q))
    found = distance(x, y, p, q)
    assert found.shape == (2, 3)
    one_by_one = [[distance(x[i, j], y[i, j], p[i, j], q[i, j]) for j in range(3)] for i in (0, 1)]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-13)


@LINE_OR_CIRCLE
def test_an_atom_may_be_split(distance):
    x, y = rng().normal(size=(2, 8))
    found = distance(np.repeat(x, 3), y)
    assert found == pytest.approx(distance(x, y), rel=1e-12)


# ---- bounded Lipschitz ----


@SEEDS
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_it_is_the_supremum_over_bounded_lipschitz_functions(seed, scale):
    g = rng(seed)
    points = scale * g.normal(size=(9, 2))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    p, q = g.random(5), 2 * g.random(4)  # of different masses
    dual = supremum(apart, np.append(p, -q))
    assert bounded_lipschitz(apart[:5, 5:], p, q) == pytest.approx(dual, abs=1e-8)


@SEEDS
def test_in_a_set_of_diameter_two_it_is_the_transport_distance(seed):
    x, y, p, q = measures(seed)
    x, y = x / 10, y / 10  # in [-1, 1]
    found = bounded_lipschitz(on_the_line(x, y), p, q)
    assert found == pytest.approx(wasserstein_line(x, y, p, q), rel=1e-10)


def test_mass_that_is_far_away_is_destroyed_and_created():
    assert bounded_lipschitz([[100.0]]) == pytest.approx(2, rel=1e-14)
    assert bounded_lipschitz([[1.9]]) == pytest.approx(1.9, rel=1e-14)
    assert bounded_lipschitz([[2.1]], [3.0], [3.0]) == pytest.approx(6, rel=1e-14)


def test_at_one_place_it_is_the_difference_of_the_masses():
    assert bounded_lipschitz([[0.0]], [0.7], [2.0]) == pytest.approx(1.3, rel=1e-13)


def test_from_nothing_it_is_the_mass():
    assert bounded_lipschitz(np.ones((2, 1)), [0.25, 0.5], [0.0]) == pytest.approx(0.75, rel=1e-13)
    assert bounded_lipschitz(np.ones((1, 1)), [0.0], [0.0]) == 0


def test_it_is_symmetric_and_scales_with_the_mass():
    g = rng()
    apart, p, q = 3 * g.random((4, 6)), g.random(4), g.random(6)
    found = bounded_lipschitz(apart, p, q)
    assert bounded_lipschitz(apart.T, q, p) == pytest.approx(found, rel=1e-12)
    assert bounded_lipschitz(apart, 5 * p, 5 * q) == pytest.approx(5 * found, rel=1e-12)


def test_without_masses_all_atoms_have_the_same():
    apart = rng().random((4, 6))
    equal = bounded_lipschitz(apart, np.full(4, 1 / 4), np.full(6, 1 / 6))
    assert bounded_lipschitz(apart) == pytest.approx(equal, rel=1e-14)


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wasserstein_line(1.0, [1.0]), r"x and y have the shapes \(\) and \(1,\)"),
        (lambda: wasserstein_line([[1.0]], [1.0]), "x and y have the shapes"),
        (lambda: wasserstein_line([], [1.0]), "x is empty"),
        (lambda: wasserstein_line([1.0], [math.nan]), "y holds NaN"),
        (lambda: wasserstein_line([1.0, 2.0], [1.0], [1.5, -0.5]), "p holds -0.5; a mass"),
        (lambda: wasserstein_line([1.0, 2.0], [1.0], [0.2, 0.3, 0.5]), "p has the shape"),
        (lambda: wasserstein_line([1.0], [1.0, 2.0], [1.0], [0.5, 0.4]), "different sums"),
        (lambda: wasserstein_circle([1.0], [2.0], [1.0], [0.5]), "different sums"),
        (lambda: wasserstein_circle([1.0], [2.0], period=0), "period is 0; it must be a positive"),
        (lambda: wasserstein_circle([math.inf], [2.0]), "x holds NaN or infinity"),
        (lambda: bounded_lipschitz([1.0]), "distances has 1 dimensions; it must have 2"),
        (lambda: bounded_lipschitz([[-1.0]]), "distances holds -1; it must not be negative"),
        (lambda: bounded_lipschitz([[1.0]], [1.0, 2.0]), "p has the shape"),
        (lambda: bounded_lipschitz([[1.0]], [1.0], [-1.0]), "q holds -1; a mass"),
        (lambda: arcs([[1.0]], [1.0]), "x has 2 dimensions"),
        (lambda: arcs([1.0], "here"), "y is 'here'"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
