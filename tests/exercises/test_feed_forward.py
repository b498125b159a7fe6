"""The self-checks: right answers pass, plausible wrong ones get a hint."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import assert_refused

from dsnnlib.exercises.feed_forward import (
    check_constant,
    check_cosine,
    check_invert,
    check_possible_ranks,
    check_profile,
    check_smaller,
)
from dsnnlib.propagation.widths import width_profile


def assert_right(capsys, check, *answer, draws=1):
    for _ in range(draws):
        check(*answer)
    assert capsys.readouterr().out.count("Right: ") == draws


# ---- which profile ----


def by_steps(widths):
    ups = [b > a for a, b in pairwise(widths) if a != b]
    if not any(ups):
        return "non-augmented"
    return "augmented" if ups == sorted(ups, reverse=True) else "bottleneck"


def test_the_right_profile_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        assert_right(capsys, check_profile, by_steps)
        assert_right(capsys, check_profile, width_profile)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda d: "augmented" if max(d) > d[0] else by_steps(d), "augmented"),
        (lambda d: "non-augmented" if max(d) == d[0] else by_steps(d), "non-augmented"),
        (lambda d: "bottleneck" if min(d[1:-1] or d) < d[0] else by_steps(d), "bottleneck"),
        (lambda d: "bottleneck", "bottleneck"),
        (lambda d: by_steps(d).upper(), "return one of"),
        (lambda d: None, "return one of"),
    ],
    ids=["wide somewhere", "input widest", "narrow somewhere", "always", "case", "nothing"],
)
def test_a_wrong_profile_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_profile, answer, hint=hint)


# ---- the rank of a product ----


def test_the_right_ranks_are_accepted(capsys):
    assert_right(capsys, check_possible_ranks, lambda r, s, n: (max(0, r + s - n), min(r, s)))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, s, n: (min(r, s), min(r, s)), "smaller rank exists"),
        (lambda r, s, n: (1, min(r, s)), "smaller rank|least rank"),
        (lambda r, s, n: (0, min(r, s)), "least rank"),
        (lambda r, s, n: (max(0, r + s - n), n), "largest rank"),
        (lambda r, s, n: (max(0, r + s - n), max(r, s)), "largest rank"),
        (lambda r, s, n: (max(0, r + s - n), min(r, s, n - 1)), "larger rank exists"),
        (lambda r, s, n: min(r, s), "two numbers"),
    ],
)
def test_wrong_ranks_are_refused(answer, hint):
    assert_refused(check_possible_ranks, answer, hint=hint)


# ---- a normal form of one's own ----


def smaller(W, b, Wt, bt, rtol=1e-12):
    left, s, right = np.linalg.svd(W @ Wt, full_matrices=False)
    r = int(np.sum(s > rtol * np.linalg.norm(W) * np.linalg.norm(Wt)))
    return right[:r], left[:, :r] * s[:r], W @ bt + b


def by_rows(W, b, Wt, bt):
    """Another right answer: independent rows of the product, and how the others follow."""
    P, kept = W @ Wt, []
    for i in range(len(P)):
        if np.linalg.matrix_rank(P[[*kept, i]]) > len(kept):
            kept.append(i)
    return P[kept], P @ np.linalg.pinv(P[kept]), W @ bt + b


@pytest.mark.parametrize("answer", [smaller, by_rows])
def test_a_right_normal_form_is_accepted_for_any_draw(seeded, capsys, answer):
    for seed in range(5):
        seeded(seed)
        assert_right(capsys, check_smaller, answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda W, b, Wt, bt: (Wt, W, W @ bt + b), "full rank|inner width"),
        (lambda W, b, Wt, bt: (*smaller(W, b, Wt, bt)[:2], b), "constant part"),
        (lambda W, b, Wt, bt: (*smaller(W, b, Wt, bt)[:2], b + bt[0]), "constant part"),
        (lambda W, b, Wt, bt: smaller(W, b, Wt, bt, rtol=0.3), "not the product"),
        (lambda W, b, Wt, bt: (W @ Wt, np.eye(len(W)), W @ bt + b), "full rank|inner width"),
        (lambda W, b, Wt, bt: (*smaller(W, b, Wt, bt)[1::-1], W @ bt + b), "shapes"),
        (lambda W, b, Wt, bt: W @ Wt, "three arrays"),
    ],
    ids=["unchanged", "bias lost", "bias wrong", "cut too much", "no factor", "swapped", "one"],
)
def test_a_wrong_normal_form_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_smaller, answer, hint=hint)


# ---- full rank, and yet constant ----


@pytest.mark.parametrize(
    "answer",
    [
        ([[1], [1]], [0, 0], [[1, -1]]),
        ([[2], [-2]], [0.5, -0.5], [[3, 3]]),  # tanh is odd
        ([[1], [1]], [40, 40], [[1, -1]]),
        ([[0], [1]], [0.3, 0], [[1, 0]]),  # a neuron that sees nothing, one that is not heard
    ],
)
def test_a_constant_network_of_full_rank_is_accepted(answer, capsys):
    assert_right(capsys, check_constant, *answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (([[0], [0]], [1, 1], [[1, -1]]), "W lacks"),
        (([[1], [1]], [0, 0], [[0, 0]]), "Wt lacks"),
        (([[1e-9], [1e-9]], [0, 0], [[1, -1]]), "W lacks"),
        (([[1], [1]], [0, 0.1], [[1, -1]]), "varies"),
        (([[1], [-1]], [0, 0], [[1, -1]]), "varies"),
        (([[1], [2]], [0, 0], [[2, -1]]), "varies"),
        (([[1], [1]], [40, 50], [[1, -1]]), "varies"),  # constant near 0 only: tanh saturates
        (([[1e-3], [1]], [40, 40], [[1, -1]]), "varies"),
        (([[1]], [40], [[1]]), "shapes"),
        (([[1], [1], [1]], [0, 0, 0], [[1, -2, 1]]), "shapes"),
        (([1, 1], [0, 0], [1, -1]), "shapes"),
        ((1, 0, 1), "shapes"),
    ],
)
def test_a_network_that_varies_or_lacks_rank_is_refused(answer, hint):
    assert_refused(check_constant, *answer, hint=hint)


# ---- run it backwards ----


def invert(net, y, iterations=80, order=reversed, step=None):
    for f in order(list(net.increments)):
        h = y
        for _ in range(iterations):
            h = y - (net.step if step is None else step) * f(h)
        y = h
    return y


def test_a_right_inverse_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(3):
        seeded(seed)
        assert_right(capsys, check_invert, invert)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda net, y: y, "misses y"),
        (lambda net, y: net(y), "misses y"),
        (lambda net, y: invert(net, y, iterations=3), "misses y"),
        (lambda net, y: invert(net, y, step=1.0), "step 0.5 net"),
        (lambda net, y: invert(net, y, order=iter), "5 layers"),
        (lambda net, y: 2 * y - net(y), "misses y"),
        (lambda net, y: invert(net, y)[0], "shape"),
        (lambda net, y: None, "tensor"),
    ],
    ids=["nothing done", "forward", "3 iterations", "no step", "order", "Euler", "one", "none"],
)
def test_a_wrong_inverse_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(check_invert, answer, hint=hint)


# ---- an oscillation by small increments ----


def cosine(states, phi):
    return -(1 - math.cos(phi)) * (2 * sum(states) - states[-1])


def chebyshev(states, phi):
    if len(states) == 1:
        return (math.cos(phi) - 1) * states[0]
    return (2 * math.cos(phi) - 1) * states[0] - states[1]


def telescope(states, phi):
    layer = len(states)
    return (math.cos(layer * phi) - math.cos((layer - 1) * phi)) * states[-1]


def mixture(states, phi):
    return (cosine(states, phi) + telescope(states, phi)) / 2


def test_a_right_oscillation_is_accepted(capsys):
    assert_right(capsys, check_cosine, cosine)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (chebyshev, "the orbit is right, but f_2 has the Lipschitz constant 1.96"),
        (telescope, "the orbit is right, but in f_2 the weights"),
        (mixture, "the orbit is right, but in f_[23] the weights"),
        (lambda states, phi: -(1 - math.cos(phi)) * 2 * sum(states), "h_1 is not"),
        (lambda states, phi: -(phi**2 / 2) * (2 * sum(states) - states[-1]), "h_1 is not"),
        (lambda states, phi: (math.cos(phi) - 1) * states[0], "h_2 is not"),
        (lambda states, phi: -2 / 16 * states[-1], "h_1 is not"),
        (lambda states, phi: torch.zeros_like(states[0]), "h_1 is not"),
    ],
    ids=[
        "Chebyshev",
        "input only",
        "mixture",
        "twice the input",
        "leading order",
        "no memory",
        "linear",
        "identity",
    ],
)
def test_a_wrong_oscillation_is_refused(answer, hint):
    assert_refused(check_cosine, answer, hint=hint)
