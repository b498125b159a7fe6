"""The self-checks: right answers pass, plausible wrong ones get a hint."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.optimize import brentq

from dsnnlib.exercises import NotYet, demand, right
from dsnnlib.exercises.edge_of_stability import (
    check_critical_constant,
    check_gap,
    check_halving,
    check_largest_rate,
    check_momentum_threshold,
    check_multipliers,
    check_two_cycle,
)

# ---- the largest rate ----


def test_the_right_largest_rate_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_largest_rate(lambda hessian: 2 / np.linalg.eigvalsh(hessian)[-1])
        check_largest_rate(lambda hessian: 2 / np.linalg.norm(hessian, 2))
    assert capsys.readouterr().out.count("Right: ") == 20


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda h: 1 / np.linalg.eigvalsh(h)[-1], "too small"),
        (lambda h: 2 / np.trace(h), "too small"),
        (lambda h: 2 / np.linalg.norm(h), "too small"),
        (lambda h: 2 / h.max(), "too large"),
        (lambda h: 2 / np.linalg.eigvalsh(h).mean(), "too large"),
        (lambda h: -2 / np.linalg.eigvalsh(h)[-1], "positive"),
        (lambda h: math.inf, "finite"),
        (lambda h: math.nan, "finite"),
        (lambda h: None, "number"),
        (lambda h: 2 / np.linalg.eigvalsh(h), "number|too"),
    ],
)
def test_a_wrong_largest_rate_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_largest_rate, answer, hint=hint)


# ---- the 2-cycle ----


def cycle_by_its_formula(eta):
    total, difference = math.sqrt((3 + eta) / eta), math.sqrt((eta - 1) / eta)
    return (total + difference) / 2, (total - difference) / 2


def cycle_by_root_search(eta):
    def f(u):
        return (1 + eta) * u - eta * u**3

    p = brentq(lambda u: (f(f(u)) - u) / (u - 1), 1 + 1e-9, 1.2)
    return p, f(p)


def cycle_by_an_orbit(eta):
    u = v = 1.1
    for _ in range(3001):
        u, v = (1 + eta) * u - eta * u**3, u
    return u, v


@pytest.mark.parametrize(
    "answer",
    [
        cycle_by_its_formula,
        cycle_by_root_search,
        cycle_by_an_orbit,
        lambda eta: cycle_by_its_formula(eta)[::-1],
    ],
)
def test_a_right_two_cycle_is_accepted_however_it_was_found(answer, capsys):
    check_two_cycle(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda eta: (1.0, 1.0), "fixed point"),
        (lambda eta: (cycle_by_its_formula(eta)[0],) * 2, "fixed point"),
        (lambda eta: (math.nan, math.nan), "finite number"),
        (lambda eta: (1 + math.sqrt(eta - 1) / 2, 1 - math.sqrt(eta - 1) / 2), "map takes"),
        (lambda eta: (cycle_by_its_formula(eta)[0], 1 / cycle_by_its_formula(eta)[0]), "map takes"),
        (lambda eta: (1.1, (1 + eta) * 1.1 - eta * 1.1**3), "two steps"),
        # the map is odd: it has a 2-cycle (p, -p) with p^2 = 1 + 2/eta, not around the minimum
        (lambda eta: (math.sqrt(1 + 2 / eta), -math.sqrt(1 + 2 / eta)), "another cycle"),
        (lambda eta: 1.0, "two numbers"),
        (lambda eta: None, "two numbers"),
    ],
    ids=[
        "minimum",
        "one point twice",
        "nan",
        "leading order",
        "pq = 1",
        "a step of an orbit",
        "odd cycle",
        "one number",
        "nothing",
    ],
)
def test_a_wrong_two_cycle_is_refused(answer, hint):
    assert_refused(check_two_cycle, answer, hint=hint)


# ---- its multipliers ----


def multipliers(eta):
    return 9 - 2 * (1 + eta) ** 2, 3 - 2 * eta


def test_the_right_multipliers_are_accepted(capsys):
    check_multipliers(multipliers)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda eta: multipliers(eta)[::-1], "along"),
        (lambda eta: (1 - 2 * eta, 3 - 2 * eta), "along"),  # of one step, at the minimum
        (lambda eta: (-multipliers(eta)[0], multipliers(eta)[1]), "along"),
        (lambda eta: (multipliers(eta)[0], 2 * eta - 3), "across"),
        (lambda eta: (multipliers(eta)[0], multipliers(eta)[1] ** 2), "across"),
        (lambda eta: (multipliers(eta)[0], 1.0), "across"),
        (lambda eta: (math.nan, math.nan), "finite number"),
    ],
)
def test_wrong_multipliers_are_refused(answer, hint):
    assert_refused(check_multipliers, answer, hint=hint)


# ---- the gap ----


@pytest.mark.parametrize(
    ("slope", "c"),
    [
        (lambda s: s / (1 + s**2), 1),
        (lambda s: s / np.sqrt(1 + s**2), 1 / 2),
        (np.tanh, 1 / 3),
        (np.arctan, 1 / 3),
        (lambda s: s / (1 + s**2 / 2), 1 / 2),
        (lambda s: np.tanh(np.sqrt(1.5) * s) / np.sqrt(1.5), 1 / 2),
        (np.sin, 1 / 6),
        (lambda s: s / (1 + s**2 / 10), 1 / 10),
        (lambda s: s / (1 + 2 * s**2), 2),
        (lambda s: s / (1 + 5 * s**2), 5),
    ],
    ids=[
        "log",
        "root",
        "log cosh",
        "arctan",
        "wide log",
        "wide log cosh",
        "cosine",
        "weak",
        "strong",
        "very strong",
    ],
)
def test_a_right_gap_is_accepted(slope, c, capsys):
    check_gap(slope, c)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("slope", "c", "hint"),
    [
        (lambda s: s / (1 + s**2), 1 / 2, "gap"),
        (lambda s: s / (1 + s**2), 1 / 3, "gap"),
        (lambda s: s / (1 + s**2), 1.05, "gap"),
        (np.tanh, 1 / 2, "gap"),
        (np.tanh, 2 / 3, "gap"),
        (lambda s: s / (1 + s**2), -1, "positive"),
        (lambda s: s / (1 + s**2), 0, "positive"),
        (lambda s: s / (1 + s**2), math.nan, "positive"),
        (lambda s: 2 * np.tanh(s), 1 / 3, "small s"),
        (lambda s: s - s**2, 1, "small s|odd"),
        (lambda s: s / (1 + s + s**2), 1, "small s|odd"),
        (lambda s: s, 1, "gap|settle"),
    ],
)
def test_a_wrong_gap_is_refused(slope, c, hint):
    with np.errstate(all="ignore"):
        assert_refused(check_gap, slope, c, hint=hint)


# ---- averaged momentum ----


def test_the_right_momentum_threshold_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_momentum_threshold(lambda beta: 2 * (1 + beta) / (1 - beta))
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda beta: 2.0, "above"),  # plain descent: too small
        (lambda beta: 2 + 2 * beta, "above"),  # heavy ball
        (lambda beta: (2 + 2 * beta) / (1 + 2 * beta), "above"),  # Nesterov
        (lambda beta: 2 / (1 - beta), "above"),
        (lambda beta: (2 + 2 * beta) / (1 - beta) ** 2, "below"),  # too large
        (lambda beta: 38.0, "below"),  # right at beta = 0.9 alone
        (lambda beta: math.nan, "."),
    ],
    ids=["descent", "heavy ball", "nesterov", "no 1 + beta", "square", "at 0.9", "nan"],
)
def test_a_wrong_momentum_threshold_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_momentum_threshold, answer, hint=hint)


# ---- the critical constant ----


def test_the_right_critical_constant_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_critical_constant(1 / math.sqrt(2))
    check_critical_constant(0.7055)  # read off an orbit, to two digits
    assert capsys.readouterr().out.count("Right: ") == 11


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.5, "on the diagonal"),
        (0.25, "another constant"),  # of u - 1 on the diagonal
        (math.sqrt(2), "another constant"),
        (1.0, "another constant"),
        (-1 / math.sqrt(2), "another constant"),
        (math.nan, "."),
    ],
)
def test_a_wrong_critical_constant_is_refused(seeded, answer, hint):
    seeded(0)
    assert_refused(check_critical_constant, answer, hint=hint)


# ---- halving the rate ----


@pytest.mark.parametrize(
    ("eta", "before", "after"),
    [(0.6, 3.4, 6.7), (0.6, np.float64(3.3), 5.0), (0.1, 20, 40), (0.1, np.array(21.0), 30.0)],
)
def test_a_sharpness_that_leaves_the_old_edge_for_the_new_one_is_accepted(
    eta, before, after, capsys
):
    check_halving(eta, before, after)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("eta", "before", "after", "hint"),
    [
        (0.6, 2.0, 3.4, "not at its edge"),  # trained too short
        (0.3, 3.4, 6.7, "not at its edge"),  # the rate after the change
        (0.6, 6.7, 3.4, "not at its edge"),  # exchanged
        (0.6, 3.4, 3.4, "not grown"),
        (0.6, 3.4, 1.7, "not grown"),
        (0.6, 3.4, 13.4, "far above"),
        (0.6, 3.4, math.nan, "finite number"),
        (0.6, [3.4, 3.4], 6.7, "number"),
        (0.6, None, None, "number"),
    ],
)
def test_another_sharpness_is_refused(eta, before, after, hint):
    assert_refused(check_halving, eta, before, after, hint=hint)


# ---- what they are made of ----


def test_a_demand_that_holds_is_silent_and_one_that_fails_gives_its_hint(capsys):
    demand(True, "never said")
    assert capsys.readouterr().out == ""
    with pytest.raises(NotYet, match=r"^look again$"):
        demand(False, "look again")
    assert issubclass(NotYet, AssertionError)


def test_right_says_why(capsys):
    right("it adds up")
    assert capsys.readouterr().out == "Right: it adds up\n"
