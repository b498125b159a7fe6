"""The exercises of Kuramoto-type networks: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.optimize import brentq
from scipy.special import ive

from dsnnlib.exercises.kuramoto_networks import (
    check_blocks,
    check_critical,
    check_gauss_order,
    check_lag,
    check_noise_onset,
    check_twist_rate,
)

ROOT8 = math.sqrt(8 / math.pi)


def critical(share, width):
    return 2 / (share + (1 - share) / width)


def gauss_order(K, sigma):
    k = K / sigma
    if k <= ROOT8:
        return 0.0
    s = brentq(lambda s: k / ROOT8 * (ive(0, s) + ive(1, s)) - 1, 0, k**2 / 4)
    return 2 * math.sqrt(s) / k


def lagged(K, beta, delta):
    r = math.sqrt(1 - 2 * delta / (K * math.cos(beta)))
    return r, -K / 2 * math.sin(beta) * (1 + r**2)


def blocks(a, b, c, share):
    matrix = [[a * share, b * (1 - share)], [b * share, c * (1 - share)]]
    return np.linalg.eigvals(matrix).real.max()


def twist_rate(kappa):
    return max((1 - kappa) / 2, -kappa / 4)


def noise_onset(K, D):
    return math.sqrt((K - 2 * D) / D)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (check_critical, critical),
        (check_gauss_order, gauss_order),
        (check_lag, lagged),
        (check_blocks, blocks),
        (check_twist_rate, twist_rate),
        (check_noise_onset, noise_onset),
        (check_noise_onset, lambda K, D: math.sqrt(2 * (1 - 2 * D / K))),
    ],
)
def test_the_right_answer_is_accepted_for_any_draw(seeded, capsys, check, answer):
    for seed in range(10):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda share, width: 2.0, "already|even"),
        (lambda share, width: 2 * width, "already|even"),
        (lambda share, width: 2 * (share + (1 - share) * width), "already|even"),
        (lambda share, width: critical(share, width) / 2, "even"),
        (lambda share, width: 2 * critical(share, width), "already"),
        (lambda share, width: -1, "positive"),
        (lambda share, width: None, "number"),
    ],
    ids=["narrow", "wide", "mean width", "half", "twice", "negative", "nothing"],
)
def test_a_wrong_critical_coupling_is_refused(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_critical, answer, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K, s: gauss_order(K, 1), "threshold|reproduces"),
        (lambda K, s: math.sqrt(max(0, 1 - ROOT8 * s / K)), "reproduces"),
        (lambda K, s: math.sqrt(max(0, 1 - 2 * s / K)), "threshold|reproduces|between"),
        (lambda K, s: gauss_order(K, s) * 1.001, "reproduces|between"),
        (lambda K, s: gauss_order(K * s, 1), "threshold|reproduces"),
        (lambda K, s: 0.0, "between"),
        (lambda K, s: math.nan, "finite"),
    ],
    ids=["no width", "like Lorentz", "Lorentz", "off", "width inverted", "nothing", "nan"],
)
def test_a_wrong_gaussian_order_is_refused(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_gauss_order, answer, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K, b, d: (math.sqrt(max(0.01, 1 - 2 * d / K)), 0.0), "does not stay"),
        (lambda K, b, d: (lagged(K, b, d)[0], 0.0), "another speed"),
        (lambda K, b, d: (lagged(K, b, d)[0], -lagged(K, b, d)[1]), "another speed"),
        (lambda K, b, d: (lagged(K, b, d)[0], -K * math.sin(b)), "another speed"),
        (lambda K, b, d: lagged(K, b, d)[0], "two numbers"),
        (lambda K, b, d: (0.0, 0.0), "between"),
    ],
    ids=["no lag", "at rest", "sign", "full order", "one number", "incoherent"],
)
def test_a_wrong_lagged_solution_is_refused(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_lag, answer, hint=hint)


@pytest.mark.parametrize(
    "answer",
    [
        lambda a, b, c, s: (a + c) / 2 + math.sqrt((a - c) ** 2 / 4 + b**2),
        lambda a, b, c, s: s * (a + b) / 2 + (1 - s) * (b + c) / 2,
        lambda a, b, c, s: a * s**2 + 2 * b * s * (1 - s) + c * (1 - s) ** 2,
        lambda a, b, c, s: max(a * s, c * (1 - s)),
        lambda a, b, c, s: blocks(c, b, a, s) * 1.0001,
    ],
    ids=["no sizes", "half", "mean weight", "no cross", "exchanged"],
)
def test_a_wrong_block_eigenvalue_is_refused(seeded, answer):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_blocks, answer, hint="times it")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda k: (1 - k) / 2, "all modes"),
        (lambda k: -k / 4, "unstable"),
        (lambda k: -k / 2, "unstable"),
        (lambda k: 1 - k, "not the rate"),
        (lambda k: (k - 1) / 2, "stable"),
        (lambda k: 0.0, "stable"),
    ],
    ids=["first mode", "second mode", "high modes", "twice", "sign", "the turn"],
)
def test_a_wrong_twist_rate_is_refused(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_twist_rate, answer, hint=hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K, D: math.sqrt(1 - 2 * D / K), "slightly larger"),
        (lambda K, D: math.sqrt(4 * (K - 2 * D) / D), "slightly smaller"),
        (lambda K, D: (K - 2 * D) / D, "slightly larger"),
        (lambda K, D: math.sqrt(8 * (K / (2 * D) - 1)), "slightly smaller"),
        (lambda K, D: 0.0, "positive"),
        (lambda K, D: 1.0, "small"),
    ],
    ids=["like Lorentz", "twice", "linear", "all of x^3", "nothing", "full"],
)
def test_a_wrong_onset_is_refused(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_noise_onset, answer, hint=hint)
