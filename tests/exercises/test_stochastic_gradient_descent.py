"""The exercises of Stochastic gradient descent: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.linalg import orth
from scipy.optimize import brentq, fsolve
from scipy.stats import gamma

from dsnnlib.exercises.stochastic_gradient_descent import (
    check_batches,
    check_design,
    check_growth,
    check_kaczmarz,
    check_mean_square,
    check_tail,
    check_two_values,
)

# ---- right answers, two ways or more ----


def by_cases(k1, k2, sign=-1, cases=True):
    total, product = k1 + k2, k1 * k2
    discriminant = total**2 - 8 * product
    if cases and discriminant < 0:
        return total / product
    return (total + sign * discriminant**0.5) / (2 * product)


def by_polynomials(k1, k2):
    roots = [np.roots([k1 * k2, -k1 - k2, 1 - value]) for value in (1, -1)]
    return min(root.real for root in np.concatenate(roots) if root.imag == 0 and root.real > 1e-9)


def batches(batch, square):
    return 2 * batch / square


def batches_by_root_search(batch, square):
    return brentq(lambda eta: abs(1 - eta * square / batch) - 1, batch / square, 9 * batch / square)


def kaczmarz(gradients, probabilities):
    return probabilities @ np.log(abs(gradients @ gradients.T)) @ probabilities


def kaczmarz_by_angles(gradients, probabilities):
    angles, total = np.arctan2(*gradients.T), 0.0
    for i, p in enumerate(probabilities):
        for j in range(i):
            total += 2 * p * probabilities[j] * math.log(abs(math.cos(angles[i] - angles[j])))
    return total


def mean_square(batch):
    return 2 / (1 + 2 / batch)


def mean_square_by_moments(batch):
    law = gamma(batch / 2, scale=2 / batch)  # of the mean of the squares
    return 2 * law.moment(1) / law.moment(2)


def run(coordinates, eta, draws, z, *, renormalise=True):
    total = 0.0
    for i in draws:
        z = z - eta * (coordinates[i] @ z) * coordinates[i]
        if renormalise:
            total, z = total + np.log(np.linalg.norm(z)), z / np.linalg.norm(z)
    return total + np.log(np.linalg.norm(z))


def growth(gradients, eta, draws, start, **options):
    left, values, basis = np.linalg.svd(gradients, full_matrices=False)
    keep = values > 1e-12 * values[0]
    return run(left[:, keep] * values[keep], eta, draws, basis[keep] @ start, **options)


def growth_in_place(gradients, eta, draws, start):
    gradients *= eta**0.5
    size = np.linalg.norm(start)
    start /= size
    basis = orth(gradients.T, rcond=1e-12)
    return np.log(size) + run(gradients @ basis, 1, draws, start @ basis)


def growth_by_eigenvectors(gradients, eta, draws, start):
    values, vectors = np.linalg.eigh(gradients @ gradients.T)
    values, vectors = values[values > 1e-9], vectors[:, values > 1e-9]
    z = (gradients @ start) @ vectors / values**0.5
    return run(vectors * values**0.5, eta, draws, z)


def excess(p, curvatures, probabilities, eta):
    return np.log(probabilities @ abs(1 - eta * curvatures) ** p)


def tail(*problem):
    low = 1.0
    while excess(low, *problem) >= 0:
        low /= 2
    return brentq(excess, low, 50, args=problem)


def tail_from_above(*problem):
    return fsolve(excess, 20, args=problem)[0]  # Newton's method for a convex function


@pytest.mark.parametrize(
    ("check", "answer", "seeds"),
    [
        (check_two_values, by_cases, 20),
        (check_two_values, by_polynomials, 20),
        (check_batches, batches, 10),
        (check_batches, batches_by_root_search, 3),
        (check_kaczmarz, kaczmarz, 6),
        (check_kaczmarz, kaczmarz_by_angles, 2),
        (check_mean_square, mean_square, 1),  # nothing is drawn
        (check_mean_square, mean_square_by_moments, 1),
        (check_growth, growth, 6),
        (check_growth, growth_in_place, 2),
        (check_growth, growth_by_eigenvectors, 2),
        (check_tail, tail, 20),
        (check_tail, tail_from_above, 20),
    ],
)
def test_a_right_answer_is_accepted_for_any_draw(seeded, capsys, check, answer, seeds):
    for seed in range(seeds):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == seeds


# ---- wrong answers ----


def growth_by_gram(gradients, eta, draws, start):
    gram, total = gradients @ gradients.T, 0.0
    inner, inverse = gradients @ start, np.linalg.pinv(gram)
    for i in draws:
        inner = inner - eta * inner[i] * gram[:, i]
        size = abs(inner @ inverse @ inner) ** 0.5
        total, inner = total + np.log(size), inner / size
    return total


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_two_values, lambda k1, k2: 4 / (k1 + k2), "not zero"),  # gradient descent
        (check_two_values, lambda k1, k2: 2 / max(k1, k2), "not zero"),
        (check_two_values, lambda k1, k2: 2 * (k1 + k2) / (k1**2 + k2**2), "not zero"),
        (check_two_values, lambda k1, k2: 1 / k1 + 1 / k2, "smaller"),  # second root forgotten
        (check_two_values, lambda k1, k2: by_cases(k1, k2, sign=1), "smaller"),
        (check_two_values, lambda k1, k2: by_cases(k1, k2, cases=False), "real"),
        (check_two_values, lambda k1, k2: np.sqrt((k1 + k2) ** 2 - 8 * k1 * k2), "finite"),
        (check_two_values, lambda k1, k2: 1e-9, "just above"),  # a root search that ends at zero
        (check_two_values, lambda k1, k2: 0.0, "positive"),
        (check_batches, lambda b, g: 2 / g, "above .* shrink"),  # single samples
        (check_batches, lambda b, g: b / g, "above .* shrink"),  # the fastest rate
        (check_batches, lambda b, g: 2 * 6 / g, "below .* grow"),  # gradient descent
        (check_batches, lambda b, g: 2 * b**2 / g, "below .* grow"),
        (check_batches, lambda b, g: 2 * b / g**0.5, "shrink|grow"),
        (check_batches, lambda b, g: -2 * b / g, "positive"),
        (check_kaczmarz, lambda a, p: 2 * kaczmarz(a, p), "projections"),  # squared distance
        (check_kaczmarz, lambda a, p: kaczmarz(a, p) / 2, "projections"),  # each pair once
        (check_kaczmarz, lambda a, p: kaczmarz(a, p) / (1 - p @ p), "projections"),
        (check_kaczmarz, lambda a, p: kaczmarz(a, np.full(len(p), 1 / len(p))), "projections"),
        (check_kaczmarz, lambda a, p: np.log(p @ abs(a @ a.T) @ p), "projections"),
        (check_kaczmarz, lambda a, p: p @ np.log(a @ a.T) @ p, "finite"),  # no absolute value
        (check_kaczmarz, lambda a, p: p @ np.log(1 - np.eye(len(p))) @ p, "finite"),
        (check_mean_square, lambda b: 2, "batches of 1: .* multiplies"),  # gradient descent
        (check_mean_square, lambda b: 2 / 3, "batches of 2: .* multiplies"),  # single samples
        (check_mean_square, lambda b: 2 * b / 3, "batches of 2: .* multiplies"),  # E m^2 = 3 / B
        (check_mean_square, lambda b: 2 / (b + 2), "batches of 2: .* multiplies"),  # sums
        (check_mean_square, lambda b: 2 / (1 + 1 / b), "batches of 1: .* multiplies"),  # E a^4 = 2
        (check_mean_square, lambda b: 1e8, "multiplies"),
        (check_mean_square, lambda b: 1e-9, "multiplies"),
        (check_mean_square, lambda b: 0, "positive"),
        (check_growth, growth_by_gram, "9 gradients .* kept in the span"),  # leaks into the kernel
        (check_growth, run, "kept in the span|200,000"),  # leaks out of the span
        (check_growth, lambda *run: growth(*run, renormalise=False), "finite|you say"),
        (check_growth, lambda a, eta, n, x: growth(a, eta, n, x) / len(n), "you say"),
        (check_growth, lambda a, eta, n, x: growth(a, eta, n, x / np.linalg.norm(x)), "you say"),
        (check_growth, lambda a, eta, n, x: growth(a, eta, n[::-1], x), "you say"),
        (check_growth, lambda a, eta, n, x: growth(a, eta / len(a), n, x), "you say"),
        (check_growth, lambda a, eta, n, x: growth(a, eta, n[1:], x), "you say"),
        (check_tail, lambda k, p, eta: 0.0, "p = 0"),
        (check_tail, lambda k, p, eta: 2e-6, "p = 0"),
        (check_tail, lambda k, p, eta: brentq(excess, -0.1, 0.1, args=(k, p, eta)), "p = 0"),
        (check_tail, lambda k, p, eta: p @ np.log(abs(1 - eta * k)), "p = 0"),  # lambda
        (check_tail, lambda k, p, eta: 2.0, "not 1"),  # the mean square
        (check_tail, lambda k, p, eta: tail(k, p, eta) / 2, "not 1"),  # of the squared distance
        (check_tail, lambda k, p, eta: tail(k, p, eta) + 1, "not 1"),  # of the density
        (check_tail, lambda k, p, eta: 1e6, "not 1"),
    ],
)
def test_a_wrong_answer_is_refused_for_any_draw(seeded, check, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check, answer, hint=hint)


@pytest.mark.parametrize(
    "check",
    [check_two_values, check_batches, check_kaczmarz, check_mean_square, check_growth, check_tail],
)
def test_what_is_not_one_real_number_is_refused(check):
    for value in (None, [1.0], np.ones((3, 3)), 1j, np.complex128(1), math.nan, math.inf):
        assert_refused(check, lambda *_, value=value: value, hint="number is asked for")


# ---- two designs ----

LINE = [[1.0], [2**0.5]]


@pytest.mark.parametrize(
    ("gradients", "eta", "stable"),
    [
        (np.eye(3), 4.0, "GD"),
        ([[1], [3]], 0.3, "GD"),  # very different curvatures
        (np.eye(2, 50, dtype=int), np.float64(3), "GD"),
        (LINE, 1.4, "SGD"),
        ([[1], [2]], 1, "SGD"),  # one sample annihilates
    ],
)
def test_a_right_design_is_accepted_for_any_draw(seeded, capsys, gradients, eta, stable):
    for seed in range(2):
        seeded(seed)
        check_design(gradients, eta, stable=stable)
    assert capsys.readouterr().out.count("Right: ") == 2


@pytest.mark.parametrize(
    ("gradients", "eta", "stable", "hint"),
    [
        (np.eye(3), 1.5, "GD", "for SGD .* above"),  # stable for both
        (np.eye(3), 7.0, "GD", "for GD .* below"),  # for none
        (np.eye(3), 4.0, "SGD", "for SGD .* below"),  # the other design
        (LINE, 1.3, "SGD", "for GD .* above"),
        (LINE, 1.5, "SGD", "for SGD .* below"),  # on the edge
        ([[1.0], [100.0]], 1.0001, "SGD", "for SGD .* below"),  # there, with a large error
        ([[1.0], [2.0]], 1.4, "SGD", "for SGD .* below"),  # curvatures in place of gradients
        ([1.0, 2**0.5], 1.4, "SGD", "1 dimensions"),
        ([[1.0], [1.0, 2.0]], 1.4, "SGD", "array of real numbers"),
        (None, 1.4, "SGD", "array of real numbers"),
        ([[1.0], [math.nan]], 1.4, "SGD", "NaN"),
        (np.zeros((2, 2)), 1.4, "SGD", "zero"),
        (LINE, 0, "SGD", "positive"),
        (LINE, [1.4], "SGD", "number"),
        (LINE, 1.4, "sgd", '"GD" or "SGD"'),
    ],
)
def test_a_wrong_design_is_refused_for_any_draw(seeded, gradients, eta, stable, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(lambda *a: check_design(*a, stable=stable), gradients, eta, hint=hint)
