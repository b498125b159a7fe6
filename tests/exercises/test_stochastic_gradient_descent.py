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


def assert_accepted(seeded, capsys, check, *answer, seeds, **options):
    for seed in range(seeds):
        seeded(seed)
        check(*answer, **options)
    assert capsys.readouterr().out.count("Right: ") == seeds


# ---- two curvatures ----


def by_cases(k1, k2, sign=-1, cases=True):
    total, product = k1 + k2, k1 * k2
    discriminant = total**2 - 8 * product
    if cases and discriminant < 0:
        return total / product
    return (total + sign * discriminant**0.5) / (2 * product)


def by_polynomials(k1, k2):
    roots = [np.roots([k1 * k2, -k1 - k2, 1 - value]) for value in (1, -1)]
    return min(root.real for root in np.concatenate(roots) if root.imag == 0 and root.real > 1e-9)


@pytest.mark.parametrize("answer", [by_cases, by_polynomials])
def test_a_right_first_threshold_is_accepted_for_any_draw(seeded, capsys, answer):
    assert_accepted(seeded, capsys, check_two_values, answer, seeds=20)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda k1, k2: 4 / (k1 + k2), "not zero"),  # gradient descent
        (lambda k1, k2: 2 / max(k1, k2), "not zero"),
        (lambda k1, k2: 2 * (k1 + k2) / (k1**2 + k2**2), "not zero"),  # the mean square
        (lambda k1, k2: 1 / k1, "not zero"),  # minus infinity
        (lambda k1, k2: 1 / k1 + 1 / k2, "smaller"),  # the second equation forgotten
        (lambda k1, k2: by_cases(k1, k2, sign=1), "smaller"),
        (lambda k1, k2: by_cases(k1, k2, cases=False), "real"),
        (lambda k1, k2: np.sqrt((k1 + k2) ** 2 - 8 * k1 * k2), "finite"),
        (lambda k1, k2: 1e-9, "just above"),  # a root search that ends at zero
        (lambda k1, k2: 0.0, "positive"),
        (lambda k1, k2: 1e300, "not zero"),
        (lambda k1, k2: [by_cases(k1, k2)], "number"),
        (lambda k1, k2: None, "number"),
    ],
)
def test_a_wrong_first_threshold_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_two_values, answer, hint=hint)


# ---- batches of orthogonal samples ----


def batches_by_root_search(batch, square):
    return brentq(lambda eta: abs(1 - eta * square / batch) - 1, batch / square, 9 * batch / square)


@pytest.mark.parametrize(
    "answer", [lambda batch, square: 2 * batch / square, batches_by_root_search]
)
def test_a_right_threshold_of_batches_is_accepted_for_any_draw(seeded, capsys, answer):
    assert_accepted(seeded, capsys, check_batches, answer, seeds=10)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda batch, square: 2 / square, "above .* shrink"),  # single samples
        (lambda batch, square: batch / square, "above .* shrink"),  # the fastest, not the edge
        (lambda batch, square: 1.99 * batch / square, "above .* shrink"),
        (lambda batch, square: 2.01 * batch / square, "below .* grow"),
        (lambda batch, square: 2 * batch**2 / square, "below .* grow"),
        (lambda batch, square: 2 * 6 / square, "below .* grow"),  # gradient descent
        (lambda batch, square: 2 * batch / square**0.5, "shrink|grow"),
        (lambda batch, square: 2 * batch, "shrink|grow"),
        (lambda batch, square: -2 * batch / square, "positive"),
        (lambda batch, square: math.nan, "finite"),
        (lambda batch, square: np.full((2, 2), 2 * batch / square), "number"),
        (lambda batch, square: None, "number"),
    ],
)
def test_a_wrong_threshold_of_batches_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_batches, answer, hint=hint)


# ---- Kaczmarz in the plane ----


def kaczmarz(gradients, probabilities):
    return probabilities @ np.log(abs(gradients @ gradients.T)) @ probabilities


def kaczmarz_by_angles(gradients, probabilities):
    angles, total = np.arctan2(*gradients.T), 0.0
    for i, p in enumerate(probabilities):
        for j in range(i):
            total += 2 * p * probabilities[j] * math.log(abs(math.cos(angles[i] - angles[j])))
    return total


@pytest.mark.parametrize("answer", [kaczmarz, kaczmarz_by_angles])
def test_a_right_exponent_is_accepted_for_any_draw(seeded, capsys, answer):
    assert_accepted(seeded, capsys, check_kaczmarz, answer, seeds=5)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, p: 2 * kaczmarz(a, p), "projections"),  # of the squared distance
        (lambda a, p: kaczmarz(a, p) / 2, "projections"),  # each pair once
        (lambda a, p: kaczmarz(a, p) / (1 - p @ p), "projections"),  # repetitions left out
        (lambda a, p: kaczmarz(a, np.full(len(p), 1 / len(p))), "projections"),
        (lambda a, p: np.log(p @ abs(a @ a.T) @ p), "projections"),  # of the mean cosine
        (lambda a, p: np.log(p @ (a @ a.T) ** 2 @ p) / 2, "projections"),  # of the mean square
        (lambda a, p: -kaczmarz(a, p), "projections"),
        (lambda a, p: 0.0, "projections"),
        (lambda a, p: p @ np.log(a @ a.T) @ p, "finite"),  # no absolute value
        (lambda a, p: p @ np.log(np.maximum(1 - (a @ a.T) ** 2, 0)) @ p, "finite"),  # the sine
        (lambda a, p: np.log(abs(a @ a.T)), "number"),
        (lambda a, p: None, "number"),
    ],
)
def test_a_wrong_exponent_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_kaczmarz, answer, hint=hint)


# ---- batches on the Gaussian line ----


def by_moments(batch):
    law = gamma(batch / 2, scale=2 / batch)  # of the mean of the squares
    return 2 * law.moment(1) / law.moment(2)


@pytest.mark.parametrize("answer", [lambda batch: 2 / (1 + 2 / batch), by_moments])
def test_a_right_threshold_of_the_mean_square_is_accepted(answer, capsys):
    check_mean_square(answer)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda batch: 2, "multiplies"),  # gradient descent
        (lambda batch: 2 / 3, "batches of 2: .* multiplies"),  # single samples
        (lambda batch: 2 * batch / 3, "batches of 2: .* multiplies"),  # E m^2 = 3 / B
        (lambda batch: 2 / (batch + 2), "batches of 2: .* multiplies"),  # sums, not means
        (lambda batch: 2 / (1 + 1 / batch), "multiplies"),  # E a^4 = 2
        (lambda batch: 2 / (1 + 3 / batch), "multiplies"),
        (lambda batch: 1 / (1 + 2 / batch), "multiplies"),
        (lambda batch: 2.42, "multiplies"),  # of typical runs, for single samples
        (lambda batch: 1e8, "multiplies"),
        (lambda batch: 1e-9, "multiplies"),
        (lambda batch: 0, "positive"),
        (lambda batch: np.float64(2) / 0, "finite"),
        (lambda batch: np.ones((3, 3)), "number"),
        (lambda batch: None, "number"),
    ],
)
def test_a_wrong_threshold_of_the_mean_square_is_refused(answer, hint):
    assert_refused(check_mean_square, answer, hint=hint)


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
    assert_accepted(seeded, capsys, check_design, gradients, eta, stable=stable, seeds=3)


@pytest.mark.parametrize(
    ("gradients", "eta", "stable", "hint"),
    [
        (np.eye(3), 1.5, "GD", "for SGD .* above"),  # stable for both
        (np.eye(3), 7.0, "GD", "for GD .* below"),  # for none
        (np.eye(3), 4.0, "SGD", "for SGD .* below"),  # the other design
        (LINE, 1.3, "SGD", "for GD .* above"),
        (LINE, 1.5, "SGD", "for SGD .* below"),  # on the edge
        ([[1.0], [2.0]], 1.4, "SGD", "for SGD .* below"),  # curvatures in place of gradients
        ([[1.0], [100.0]], 0.018, "GD", "for GD .* below"),
        ([[2.0]], 0.4, "GD", "for SGD .* above"),  # one sample: the same
        ([1.0, 2**0.5], 1.4, "SGD", "1 dimensions"),
        ([[1.0], [1.0, 2.0]], 1.4, "SGD", "array of real numbers"),
        ([[1.0], [1j]], 1.4, "SGD", "array of real numbers"),
        (None, 1.4, "SGD", "array of real numbers"),
        ([[1.0], [math.nan]], 1.4, "SGD", "NaN"),
        (np.zeros((2, 2)), 1.4, "SGD", "zero"),
        (LINE, 0, "SGD", "positive"),
        (LINE, None, "SGD", "number"),
        (LINE, [1.4], "SGD", "number"),
        (LINE, 1.4, "sgd", '"GD" or "SGD"'),
    ],
)
def test_a_wrong_design_is_refused_for_any_draw(seeded, gradients, eta, stable, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(lambda *a: check_design(*a, stable=stable), gradients, eta, hint=hint)


# ---- the growth of a run ----


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


def growth_by_gram(gradients, eta, draws, start):
    gram, total = gradients @ gradients.T, 0.0
    inner, inverse = gradients @ start, np.linalg.pinv(gram)
    for i in draws:
        inner = inner - eta * inner[i] * gram[:, i]
        size = abs(inner @ inverse @ inner) ** 0.5
        total, inner = total + np.log(size), inner / size
    return total


@pytest.mark.parametrize("answer", [growth, growth_in_place, growth_by_eigenvectors])
def test_a_right_growth_is_accepted_for_any_draw(seeded, capsys, answer):
    assert_accepted(seeded, capsys, check_growth, answer, seeds=5)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (growth_by_gram, "9 gradients .* kept in the span"),  # leaks into the kernel
        (run, "kept in the span|200,000"),  # leaks out of the span
        (lambda a, eta, n, x: growth(a, eta, n, x, renormalise=False), "finite|you say"),
        (lambda a, eta, n, x: growth(a, eta, n, x) / len(n), "you say"),  # the exponent
        (lambda a, eta, n, x: growth(a, eta, n, x / np.linalg.norm(x)), "you say"),
        (lambda a, eta, n, x: growth(a, eta, n[::-1], x), "you say"),  # the wrong order
        (lambda a, eta, n, x: growth(a, eta / len(a), n, x), "you say"),
        (lambda a, eta, n, x: growth(a, eta, n[:-1], x), "you say"),
        (lambda a, eta, n, x: -growth(a, eta, n, x), "you say"),
        (lambda a, eta, n, x: 0.0, "you say"),
        (lambda a, eta, n, x: np.zeros(len(n)), "number"),
        (lambda a, eta, n, x: None, "number"),
    ],
)
def test_a_wrong_growth_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(4):
        seeded(seed)
        assert_refused(check_growth, answer, hint=hint)


# ---- the tail of a noisy fit ----


def excess(p, curvatures, probabilities, eta):
    return np.log(probabilities @ abs(1 - eta * curvatures) ** p)


def tail_index(*problem):
    low = 1.0
    while excess(low, *problem) >= 0:
        low /= 2
    return brentq(excess, low, 50, args=problem)


def tail_from_above(*problem):
    return fsolve(excess, 20, args=problem)[0]  # Newton's method for a convex function


@pytest.mark.parametrize("answer", [tail_index, tail_from_above])
def test_a_right_tail_index_is_accepted_for_any_draw(seeded, capsys, answer):
    assert_accepted(seeded, capsys, check_tail, answer, seeds=20)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c, p, eta: 0.0, "p = 0"),
        (lambda c, p, eta: 2e-6, "p = 0"),
        (lambda c, p, eta: fsolve(excess, 0.01, args=(c, p, eta))[0], "p = 0"),
        (lambda c, p, eta: -tail_index(c, p, eta), "p = 0"),
        (lambda c, p, eta: 2.0, "not 1"),  # the mean square
        (lambda c, p, eta: tail_index(c, p, eta) / 2, "not 1"),  # of the squared distance
        (lambda c, p, eta: 2 * tail_index(c, p, eta), "not 1"),
        (lambda c, p, eta: tail_index(c, p, eta) + 1, "not 1"),  # of the density
        (lambda c, p, eta: tail_index(c**2, p, eta), "not 1"),  # curvatures taken as gradients
        (lambda c, p, eta: p @ np.log(abs(1 - eta * c)), "p = 0"),  # lambda
        (lambda c, p, eta: 1e6, "not 1"),
        (lambda c, p, eta: (1 - eta * c[1:]) @ p[1:] / 0, "finite"),
        (lambda c, p, eta: np.array([2.0, 3.0]), "number"),
        (lambda c, p, eta: None, "number"),
    ],
)
def test_a_wrong_tail_index_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_tail, answer, hint=hint)
