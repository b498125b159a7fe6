"""The exercises of Explainable and reliable networks: right answers pass, wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused

from dsnnlib.exercises.reliable_networks import (
    check_norms,
    check_radius,
    check_shares,
    check_step,
    check_sup,
    check_transient,
)


def right_radius(outputs, rows, lift, growth, *, order=2):
    i = np.argmax(outputs)
    others = np.delete(np.arange(len(outputs)), i)
    gaps = outputs[i] - outputs[others]
    sizes = np.linalg.norm(rows[i] - rows[others], axis=1)
    return np.min(gaps / sizes) / (np.linalg.norm(lift, order) * growth)


def right_sup(w, beta, x):
    score = w @ x + beta
    epsilon = abs(score) / abs(w).sum()
    return epsilon, -np.sign(score) * epsilon * np.sign(w)


def right_shares(M, w, x, reference):
    return (x - reference) * (M @ (x + reference) / 2 + w)


RIGHT = [
    (check_transient, lambda a, d: 2 * math.sqrt(a * d)),
    (check_radius, right_radius),
    (check_sup, right_sup),
    (check_step, lambda W, c: 2 / (np.linalg.norm(W, 2) ** 2 + c)),
    (check_shares, right_shares),
]


@pytest.mark.parametrize(
    ("check", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_right_answer_is_accepted_for_any_draw(seeded, capsys, check, answer):
    for seed in range(10):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, d: math.sqrt(a * d), "no solution grows"),
        (lambda a, d: 2 * a * d, "grow"),
        (lambda a, d: a + d, "grows even below"),
        (lambda a, d: 4 * math.sqrt(a * d), "grows even below"),
        (lambda a, d: -1.0, "positive"),
        (lambda a, d: math.nan, "finite"),
        (lambda a, d: None, "number"),
    ],
)
def test_a_wrong_coupling_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_transient, answer, hint=hint)


def rival_only(outputs, rows, lift, growth):
    i, j = np.argsort(outputs)[::-1][:2]
    size = np.linalg.norm(rows[i] - rows[j])
    return (outputs[i] - outputs[j]) / size / (np.linalg.norm(lift, 2) * growth)


def largest_row(outputs, rows, lift, growth):
    first, second = np.sort(outputs)[::-1][:2]
    size = 2 * np.linalg.norm(rows, axis=1).max()
    return (first - second) / size / (np.linalg.norm(lift, 2) * growth)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (rival_only, "within your radius"),
        (largest_row, "safe beyond"),
        (lambda o, r, A, g: right_radius(o, r, A, 1.0), "within|safe"),
        (lambda o, r, A, g: right_radius(o, r, np.eye(12), g), "within|safe"),
        (lambda o, r, A, g: right_radius(o, r, A, g) / 2, "safe beyond"),
        (lambda o, r, A, g: right_radius(o, r, A, g, order="fro"), "safe beyond"),
        (
            lambda o, r, A, g: right_radius(o, r, A, g, order=-2),  # smallest singular value
            "which norm",
        ),
        (lambda o, r, A, g: -1.0, "positive"),
        (lambda o, r, A, g: math.nan, "finite"),
        (lambda o, r, A, g: r[0], "one number"),
    ],
)
def test_a_wrong_radius_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_radius, answer, hint=hint)


def euclidean(w, beta, x):
    score = w @ x + beta
    return abs(score) / np.linalg.norm(w), -score * w / (w @ w)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (euclidean, "smaller epsilon"),
        (lambda w, b, x: (right_sup(w, b, x)[0], -right_sup(w, b, x)[1]), "on the boundary"),
        (lambda w, b, x: (2 * right_sup(w, b, x)[0], right_sup(w, b, x)[1]), "smaller epsilon"),
        (lambda w, b, x: (0.9 * right_sup(w, b, x)[0], right_sup(w, b, x)[1]), "more than eps"),
        (lambda w, b, x: right_sup(w, 0.0, x), "on the boundary"),
        (lambda w, b, x: (right_sup(w, b, x)[0], 1.0), "entries"),
        (lambda w, b, x: (-1.0, 0 * w), "positive"),
    ],
)
def test_a_wrong_attack_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_sup, answer, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda W, c: 2 / np.linalg.norm(W, 2) ** 2, "expands below"),
        (lambda W, c: 1 / (np.linalg.norm(W, 2) ** 2 + c), "beyond your step"),
        (lambda W, c: 2 / (np.linalg.norm(W, 2) + c), "below|beyond"),
        (lambda W, c: 2 / (np.linalg.norm(W) ** 2 + c), "beyond your step"),
        (lambda W, c: 0.0, "positive"),
        (lambda W, c: math.inf, "finite"),
    ],
)
def test_a_wrong_step_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_step, answer, hint=hint)


TURNING = np.array([[-1.0, 5.0, 0.0], [-5.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
LOADED = np.array([[-1.0, 0.0, 0.0], [9.0, -10.0, 0.0], [9.0, 0.0, -10.0]])


def test_a_right_pair_of_matrices_is_accepted(capsys):
    check_norms(TURNING, LOADED)
    check_norms(TURNING.T.tolist(), 0.1 * LOADED)
    assert capsys.readouterr().out.count("Right: ") == 2


@pytest.mark.parametrize(
    ("A", "B", "hint"),
    [
        (-np.eye(3), LOADED, "A has no expansion in the maximum"),
        (TURNING, -np.eye(3), "B has no expansion in the Euclidean"),
        (LOADED, TURNING, "A does not contract in the Euclidean"),
        (TURNING, LOADED.T, "B does not contract in the maximum"),
        (np.eye(2), LOADED, "3 by 3"),
        (TURNING, np.nan * LOADED, "finite"),
    ],
)
def test_a_wrong_pair_of_matrices_is_refused(A, B, hint):
    assert_refused(check_norms, A, B, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda M, w, x, r: (x - r) * (M @ x + w), "add up"),  # gradient times input
        (lambda M, w, x, r: (x - r) * (M @ x / 2 + w), "add up"),  # the reference forgotten
        (lambda M, w, x, r: (x - r) * (M @ (x - r) / 2 + w), "add up"),
        (
            lambda M, w, x, r: np.full(len(x), right_shares(M, w, x, r).mean()),
            "mean slope",
        ),
        (lambda M, w, x, r: right_shares(M, w, x, r)[::-1], "mean slope"),
        (lambda M, w, x, r: 1.0, "shares"),
    ],
)
def test_wrong_shares_are_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_shares, answer, hint=hint)
