"""The exercises of Generative models: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused

from dsnnlib.exercises.generative_models import (
    check_bandwidth,
    check_bumps,
    check_coin,
    check_flow,
    check_noise,
    check_variance,
)


def level(t):
    return math.exp(-2 * t)


RIGHT = {
    check_bumps: lambda m, s2: math.log(m * m + 1 - s2) / 2,
    check_noise: lambda t: level(t) ** 2 / (1 - 2 * level(t)),
    check_variance: lambda gamma, h: 1 / (1 - gamma * h / 2),
    check_flow: lambda x, m, s2, T: m + (x - m) / math.sqrt(1 + 2 * T / s2),
    check_coin: lambda t, x: (math.tanh(t * x / (1 - t) ** 2) - x) / (1 - t),
    check_bandwidth: lambda t: 1 / t - 1,
}


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_the_right_answer_is_accepted_for_any_draw(seeded, capsys, check):
    for seed in range(10):
        seeded(seed)
        check(RIGHT[check])
    assert capsys.readouterr().out.count("Right: ") == 10


WRONG = [
    (check_bumps, lambda m, s2: math.log(m * m + 1) / 2, "bump"),  # width forgotten
    (check_bumps, lambda m, s2: math.log(m * m + 1 - s2), "bump"),  # log a instead of t
    (check_bumps, lambda m, s2: math.log(2) / 2, "bump"),  # of the coin
    (check_bumps, lambda m, s2: -math.log(m * m + 1 - s2) / 2, "t > 0"),
    (check_bumps, lambda m, s2: None, "number"),
    (check_noise, lambda t: level(t) ** 2 / (1 - level(t)), "attracts|repels"),
    (check_noise, lambda t: math.exp(-t) ** 2 / abs(1 - 2 * math.exp(-t)), "attracts|repels"),
    (check_noise, lambda t: 1.0, "attracts|repels"),
    (check_noise, lambda t: -RIGHT[check_noise](t), "positive"),
    (check_noise, lambda t: math.nan, "finite"),
    (check_variance, lambda gamma, h: 1.0, "after 2,000"),
    (check_variance, lambda gamma, h: 2 / (2 - h), "after 2,000"),
    (check_variance, lambda gamma, h: 1 / (1 - gamma * h), "after 2,000"),
    (check_variance, lambda gamma, h: 1 + gamma * h / 2, "after 2,000"),
    (check_variance, lambda gamma, h: np.ones(2), "number"),
    (check_flow, lambda x, m, s2, T: m + (x - m) / math.sqrt(1 + T / s2), "does not end"),
    (check_flow, lambda x, m, s2, T: m + (x - m) / (1 + 2 * T / s2), "does not end"),
    (check_flow, lambda x, m, s2, T: m + (x - m) * math.sqrt(1 + 2 * T / s2), "does not end"),
    (check_flow, lambda x, m, s2, T: x / math.sqrt(1 + 2 * T / s2), "does not end"),
    (check_coin, lambda t, x: (math.tanh(t * x / (1 - t)) - x) / (1 - t), "paths near"),
    (check_coin, lambda t, x: (math.copysign(1, x) - x) / (1 - t), "paths near"),
    (check_coin, lambda t, x: math.tanh(t * x / (1 - t) ** 2) - x, "paths near"),
    (check_coin, lambda t, x: -x / (1 - t), "paths near"),
    (check_coin, lambda t, x: "?", "number"),
    (check_bandwidth, lambda t: 1 - t, "explain"),
    (check_bandwidth, lambda t: ((1 - t) / t) ** 2, "explain"),
    (check_bandwidth, lambda t: math.sqrt(1 - t * t) / t, "explain"),
    (check_bandwidth, lambda t: 1 - 1 / t, "positive"),
]


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG)
def test_a_wrong_answer_is_refused_for_any_draw(seeded, check, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check, answer, hint=hint)
