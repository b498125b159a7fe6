"""Self-checks of the manifold of minima: right answers pass, wrong ones get a hint."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.optimize import brentq

from dsnnlib.exercises.manifold_of_minima import (
    check_collapse,
    check_conserved,
    check_count,
    check_least_sharpness,
    check_point,
    check_squares,
)

# ---- counting ----


def test_the_right_count_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_count(lambda D, N, q, c: (D - (N - c) * q, (N - c) * q))
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda D, N, q, c: (D - N * q, N * q), "rank"),  # copies counted
        (lambda D, N, q, c: (D - (N - c), N - c), "rank"),  # outputs forgotten
        (lambda D, N, q, c: (D - N * q + c, N * q - c), "rank"),  # one equation a copy
        (lambda D, N, q, c: ((N - c) * q, D - (N - c) * q), "rank"),  # exchanged
        (lambda D, N, q, c: (D, (N - c) * q), "kernel"),
        (lambda D, N, q, c: D - (N - c) * q, "two numbers"),
    ],
)
def test_a_wrong_count_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_count, answer, hint=hint)


# ---- a point for the rate one ----


@pytest.mark.parametrize(("u", "v"), [(2, 0), (0, -1), (3.0, 3.0), (1.5, 0.5)])
def test_a_point_with_a_determinant_is_accepted(u, v, capsys):
    check_point(u, v)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("u", "v", "hint"),
    [
        (0, 0, "vanishes"),
        # on u = v = sqrt(p): (1 - p)^2 - (2 p - 1)^2 = p (2 - 3 p)
        (math.sqrt(2 / 3), math.sqrt(2 / 3), "vanishes"),
        (math.nan, 0, "finite"),
        ([1, 2], 0, "number"),
    ],
)
def test_a_point_without_one_is_refused(u, v, hint):
    assert_refused(check_point, u, v, hint=hint)


# ---- the least sharpness ----


def test_the_right_least_sharpness_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_least_sharpness(lambda k, c: k * abs(c) ** (2 - 2 / k))
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda k, c: k, "flatter|so flat"),  # that of c = 1
        (lambda k, c: k * abs(c), "flatter|so flat"),  # right for k = 2 alone
        (lambda k, c: k * c**2, "flatter|so flat"),
        (lambda k, c: abs(c) ** (2 - 2 / k), "so flat"),
        (lambda k, c: k * abs(c) ** (-2 / k), "flatter|so flat"),
        (lambda k, c: math.inf, "finite"),
    ],
)
def test_a_wrong_least_sharpness_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_least_sharpness, answer, hint=hint)


# ---- a collapse ----


@pytest.mark.parametrize(
    "slope",
    [
        lambda t: t / 0.3 + 10 * t * np.maximum(1 - t**2, 0),
        lambda t: t / 0.3 - 20 * t * np.maximum(1 - abs(t), 0),  # a maximum
        lambda t: t / 0.3 + 8 * np.sin(np.pi * t) * (abs(t) < 1),
    ],
    ids=["polynomial", "maximum", "sine"],
)
def test_a_collapse_is_accepted(slope, capsys):
    check_collapse(slope)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("slope", "hint"),
    [
        (lambda t: t / 0.3, "not unstable"),
        (lambda t: 2 * t, "not sent"),
        (lambda t: t / 0.3 + 10 * t, "not sent"),
        (lambda t: t / 0.3 + np.maximum(1 - t**2, 0), "critical"),
        (lambda t: t / 0.3 if abs(t) >= 1 else 12 * t, "continuous"),
        (lambda t: np.array([t, t]), "number"),
    ],
    ids=["projection", "rate one half", "no branch", "shifted", "jump", "two"],
)
def test_no_collapse_is_refused(slope, hint):
    assert_refused(check_collapse, slope, hint=hint)


# ---- one ReLU neuron ----


@pytest.mark.parametrize(
    "conserved", [lambda w, a: w @ w - a**2, lambda w, a: 3 * (a**2 - w @ w) + 1]
)
def test_a_conserved_quantity_is_accepted_for_any_draw(seeded, conserved, capsys):
    for seed in range(10):
        seeded(seed)
        check_conserved(conserved)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("conserved", "hint"),
    [
        (lambda w, a: w @ w + a**2, "changes"),
        (lambda w, a: np.linalg.norm(w) - abs(a), "changes"),
        (lambda w, a: np.linalg.norm(w) * abs(a), "changes"),
        (lambda w, a: w[0] ** 2 - a**2, "changes"),
        (lambda w, a: 1.0, "says nothing"),
        (lambda w, a: w, "number"),
    ],
)
def test_what_is_not_conserved_is_refused_for_any_draw(seeded, conserved, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_conserved, conserved, hint=hint)


# ---- squares alone ----


def by_root_search(a, y, alpha):
    nu = brentq(lambda nu: a @ (alpha**2 * np.exp(nu * a)) - y, -100 / a.min(), 100 / a.max())
    return alpha**2 * np.exp(nu * a)


def by_sinh(a, y, alpha):
    nu = brentq(lambda nu: a @ (2 * alpha**2 * np.sinh(nu * a)) - y, 0, 50 / a.max())
    return 2 * alpha**2 * np.sinh(nu * a)


def test_the_right_limit_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        check_squares(by_root_search)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (by_sinh, "another solution"),
        (lambda a, y, alpha: a * y / (a @ a), "another solution"),  # least norm
        (lambda a, y, alpha: np.where(a == a.max(), y / a, 0), "another solution"),
        (lambda a, y, alpha: alpha**2 * np.exp(a), "solve"),
        (lambda a, y, alpha: y, "one weight"),
        (lambda a, y, alpha: -a, "negative"),
    ],
)
def test_a_wrong_limit_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(check_squares, answer, hint=hint)
