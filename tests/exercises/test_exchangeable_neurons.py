"""The exercises of Exchangeable neurons: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused

from dsnnlib.exercises.exchangeable_neurons import (
    check_correlation,
    check_critical,
    check_final_size,
    check_power,
    check_spread,
    check_velocity,
    check_width,
)
from dsnnlib.mean_field.double_well_gas import critical_noise
from dsnnlib.mean_field.linear_neurons import LinearNeurons


def spread(tau, N):
    return tau * math.sqrt((1 / 2 - 1 / (2 * math.pi)) / N)


def velocity(a, c, x, y, factor=1.0):
    gap = x - c[:, None]
    bump = np.exp(-(gap**2) / 2)
    residual = a @ bump / len(a) - y
    return -factor * (bump * residual).mean(1), -factor * a * (bump * gap * residual).mean(1)


def final_size(m0, s0, target):
    return math.sqrt(s0**2 - 4 * m0**2 + 4 * target**2)


def width(target, t, epsilon):
    by_m0, by_s0 = LinearNeurons(target).sensitivities(0.0, 2.0, t)[0]
    return (by_m0**2 + 4 * by_s0**2) / epsilon**2


def correlation(a, b, D, N):
    return b / (a * N + b)


RIGHT = {
    check_spread: spread,
    check_velocity: velocity,
    check_final_size: final_size,
    check_width: width,
    check_correlation: correlation,
    check_critical: critical_noise,
    check_power: lambda gamma: gamma - 1,
}


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_the_right_answer_is_accepted_for_any_draw(seeded, capsys, check):
    for seed in range(10):
        seeded(seed)
        check(RIGHT[check])
    assert capsys.readouterr().out.count("Right: ") == 10


def sum_instead_of_mean(a, c, x, y):
    bump = np.exp(-((x - c[:, None]) ** 2) / 2)
    residual = a @ bump - y
    return -(bump * residual).mean(1), -a * (bump * (x - c[:, None]) * residual).mean(1)


def half(values):
    return [v / 2 for v in values]


WRONG = {
    check_spread: [
        (lambda tau, N: tau * math.sqrt(1 / 2 / N), "times the spread"),  # mean forgotten
        (lambda tau, N: spread(1.0, N), "times the spread"),
        (lambda tau, N: spread(tau, 1), "times the spread"),
        (lambda tau, N: spread(tau, N) ** 2, "times the spread"),
        (lambda tau, N: tau / math.sqrt(N), "times the spread"),
        (lambda tau, N: math.nan, "finite"),
        (lambda tau, N: None, "number"),
    ],
    check_velocity: [
        (lambda a, c, x, y: velocity(a, c, x, y, 1 / len(a)), "velocity of"),  # plain gradient
        (lambda a, c, x, y: velocity(a, c, x, y, -1.0), "velocity of a"),
        (lambda a, c, x, y: half(velocity(a, c, x, y)), "velocity of a"),
        (sum_instead_of_mean, "velocity of"),
        (lambda a, c, x, y: (velocity(a, c, x, y)[0], -velocity(a, c, x, y)[1]), "velocity of c"),
        (lambda a, c, x, y: velocity(a, c, x, y)[0], "two arrays"),
    ],
    check_final_size: [
        (lambda m0, s0, target: s0, "does not end"),
        (lambda m0, s0, target: 2 * abs(target), "does not end"),
        (lambda m0, s0, target: math.sqrt(s0**2 + 4 * target**2), "does not end"),
        (lambda m0, s0, target: math.sqrt(s0**2 - 4 * m0**2), "does not end"),
        (lambda m0, s0, target: final_size(m0, s0, target) ** 2, "does not end"),
        (lambda m0, s0, target: math.inf, "finite"),
    ],
    check_width: [
        (lambda target, t, epsilon: 1 / epsilon**2, "spread"),  # as at the start
        (lambda target, t, epsilon: width(target, t, epsilon) * epsilon, "spread"),
        (lambda target, t, epsilon: width(target, t, epsilon / 2), "spread"),
        (lambda target, t, epsilon: width(1.0, t, epsilon), "spread"),
        (lambda target, t, epsilon: width(target, t, epsilon) ** 0.5, "spread"),
        (
            lambda target, t, epsilon: (
                LinearNeurons(target).sensitivities(0.0, 2.0, t)[0, 0] ** 2 / epsilon**2
            ),
            "spread",
        ),
        (
            lambda target, t, epsilon: (
                (LinearNeurons(target).sensitivities(0.0, 2.0, t)[0] ** 2).sum() / epsilon**2
            ),
            "spread",
        ),  # the variance of a^2 + b^2 forgotten
        (lambda target, t, epsilon: -1.0, "positive"),
        (lambda target, t, epsilon: None, "number"),
    ],
    check_correlation: [
        (lambda a, b, D, N: b / (a * N), "Lyapunov"),
        (lambda a, b, D, N: D * b / (a * (a + b) * N), "Lyapunov"),  # covariance
        (lambda a, b, D, N: b / ((a + b) * N), "Lyapunov"),
        (lambda a, b, D, N: 0.0, "Lyapunov"),
        (lambda a, b, D, N: b / (a * (N - 1) + b), "Lyapunov"),
        (lambda a, b, D, N: math.nan, "finite"),
    ],
    check_critical: [
        (lambda b: critical_noise(1.0), "less noise|more noise"),
        (lambda b: b * critical_noise(1.0), "less noise|more noise"),
        (lambda b: critical_noise(b) / 2, "more noise"),
        (lambda b: 1.02 * critical_noise(b), "less noise"),
        (lambda b: b, "less noise|far off"),
        (lambda b: math.nan, "finite"),
    ],
    check_power: [
        (lambda gamma: -gamma, "do not move"),
        (lambda gamma: 0.0, "do not move"),
        (lambda gamma: 1 - gamma, "do not move"),
        (lambda gamma: -1 / 2, "do not move"),
        (lambda gamma: 2 * (gamma - 1), "do not move"),
        (lambda gamma: None, "number"),
    ],
}


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [(check, answer, hint) for check, cases in WRONG.items() for answer, hint in cases],
)
def test_a_wrong_answer_is_refused_for_any_draw(seeded, check, answer, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(check, answer, hint=hint)
