"""The exercises of Gradient descent as a map: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.optimize import brentq

from dsnnlib.exercises.gradient_descent import (
    check_best_rate,
    check_exponent,
    check_flip,
    check_morse_cycle,
    check_power_law,
    check_variance,
)

EIGENVALUES = np.linalg.eigvalsh

# ---- the best rate ----


def test_the_right_rate_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_best_rate(lambda h: 2 / (EIGENVALUES(h)[0] + EIGENVALUES(h)[-1]))
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda h: 2 / EIGENVALUES(h)[-1], "stable|smaller"),
        (lambda h: 1 / EIGENVALUES(h)[-1], "larger"),
        (lambda h: 2 / np.trace(h), "stable|larger|smaller"),
        (lambda h: 4 / np.sqrt(EIGENVALUES(h))[[0, -1]].sum() ** 2, "smaller|larger|stable"),
        (lambda h: 1 / EIGENVALUES(h)[0], "stable|smaller"),
        (lambda h: -0.1, "positive"),
        (lambda h: math.nan, "finite"),
        (lambda h: None, "number"),
    ],
    ids=["the edge", "one over", "trace", "heavy ball", "slowest", "negative", "nan", "nothing"],
)
def test_a_wrong_rate_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_best_rate, answer, hint=hint)


# ---- gentle and hard ----


@pytest.mark.parametrize(("gentle", "hard"), [(1.0, 0.3), (-1.0, 0.0), (0.7, -0.5), (2.0, 0.5)])
def test_a_right_pair_is_accepted(gentle, hard, capsys):
    check_flip(gentle, hard)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("gentle", "hard", "hint"),
    [
        (0.3, 1.0, "gentle"),  # exchanged
        (0.0, 0.3, "gentle"),
        (0.5, 0.3, "gentle"),  # 3 a^2 > 1 forgotten: a^2 > 1/4
        (1.0, 0.7, "hard"),
        (1.0, -1.0, "hard"),  # the sign of a does not matter
        (math.nan, 0.3, "finite"),
        (1.0, None, "number"),
    ],
)
def test_a_wrong_pair_is_refused(gentle, hard, hint):
    assert_refused(check_flip, gentle, hard, hint=hint)


# ---- the Morse potential ----


def step(theta, eta):
    return theta - eta * (math.exp(-theta) - math.exp(-2 * theta))


def by_root_search(eta):
    s = math.sqrt(6 * (1 - 2 / eta) / 20)
    p = brentq(lambda t: (step(step(t, eta), eta) - t) / t, 0.2 * s, 3 * s, xtol=1e-15)
    return p, step(p, eta)


def by_an_orbit(eta):
    theta = 0.1
    for _ in range(5000):
        theta = step(theta, eta)
    return step(theta, eta), theta


@pytest.mark.parametrize(
    "answer", [by_root_search, by_an_orbit, lambda eta: by_root_search(eta)[::-1]]
)
def test_a_right_morse_cycle_is_accepted_however_it_was_found(answer, capsys):
    check_morse_cycle(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda eta: (0.0, 0.0), "fixed point"),
        (lambda eta: (by_root_search(eta)[0],) * 2, "fixed point"),
        (lambda eta: (math.sqrt(0.3 * (1 - 2 / eta)), -math.sqrt(0.3 * (1 - 2 / eta))), "a step"),
        (lambda eta: (0.3, step(0.3, eta)), "two steps"),
        (lambda eta: by_root_search(2.1), "a step"),
        (lambda eta: 0.1, "two numbers"),
        (lambda eta: (math.nan, 0.1), "finite"),
    ],
)
def test_a_wrong_morse_cycle_is_refused(answer, hint):
    assert_refused(check_morse_cycle, answer, hint=hint)


# ---- the power law ----


def test_the_right_power_law_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(3):
        seeded(seed)
        check_power_law(lambda eta, n: (24 * eta * n) ** -0.25)
    assert capsys.readouterr().out.count("Right: ") == 3


@pytest.mark.parametrize(
    "law",
    [
        lambda eta, n: (8 * eta * n) ** -0.5,  # of theta^4
        lambda eta, n: (6 * eta * n) ** -0.25,
        lambda eta, n: (24 * n) ** -0.25,
        lambda eta, n: (12 * eta * n) ** -0.25,
        lambda eta, n: -((24 * eta * n) ** -0.25),
    ],
    ids=["quartic", "no 4", "no rate", "half", "sign"],
)
def test_a_wrong_power_law_is_refused(seeded, law):
    seeded(0)
    assert_refused(check_power_law, law, hint="times its distance")


def test_a_power_law_that_is_no_number_is_refused(seeded):
    seeded(0)
    assert_refused(check_power_law, lambda eta, n: None, hint="number")


# ---- mini-batches ----


def test_the_right_variance_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        check_variance(lambda eta, y, batch: eta / (2 - eta) * np.var(y) / batch)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    "answer",
    [
        lambda eta, y, batch: eta / (2 - eta) * np.var(y),
        lambda eta, y, batch: eta / 2 * np.var(y) / batch,
        lambda eta, y, batch: eta / (2 - eta) * np.var(y, ddof=1) / batch,
        lambda eta, y, batch: eta / (2 - eta) * np.mean(y**2) / batch,
        lambda eta, y, batch: eta / (2 - eta) * np.var(y) / batch * (7 - batch) / 6,
    ],
    ids=["no batch", "small rate", "sample variance", "second moment", "without replacement"],
)
def test_a_wrong_variance_is_refused(seeded, answer):
    seeded(0)
    assert_refused(check_variance, answer, hint="times theirs")


# ---- the exponent ----


def test_the_right_exponent_is_accepted(capsys):
    check_exponent(lambda eta: math.log(abs(9 - 2 * (1 + eta) ** 2)) / 2)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda eta: math.log(abs(9 - 2 * (1 + eta) ** 2)), "not"),  # of two steps
        (lambda eta: math.log(abs(1 - 2 * eta)), "sign"),  # at the minimum
        (lambda eta: abs(9 - 2 * (1 + eta) ** 2), "sign"),
        (lambda eta: -0.1, "not"),
        (lambda eta: -math.inf, "finite"),
    ],
)
def test_a_wrong_exponent_is_refused(answer, hint):
    assert_refused(check_exponent, answer, hint=hint)
