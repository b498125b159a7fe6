"""The exercises of Vanishing and exploding gradients: right answers pass, wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.special import digamma

from dsnnlib.exercises.signal_propagation import (
    check_depth,
    check_erf,
    check_leaky,
    check_log_variance,
    check_recurrent,
    check_residual,
)


def exponent(N, variance=1.0):
    return (math.log(2 * variance / N) + digamma(N / 2)) / 2


def arcsine(q):
    return 2 / math.pi * math.asin(2 * q / (1 + 2 * q))


def erf_edge(q):
    weight = math.pi / 4 * math.sqrt(1 + 4 * q)
    return weight, q - weight * arcsine(q)


def by_radius(W):
    return W / abs(np.linalg.eigvals(W)).max()


RIGHT = {
    "depth": (check_depth, lambda N: -math.log(10) / exponent(N)),
    "leaky": (check_leaky, lambda a: 2 / (1 + a * a)),
    "erf": (check_erf, erf_edge),
    "residual": (check_residual, lambda L, v, g: math.sqrt((g ** (1 / L) - 1) / v)),
    "recurrent": (check_recurrent, by_radius),
    "recurrent, turned": (check_recurrent, lambda W: by_radius(W.T).T),
    "variance": (check_log_variance, lambda N: 5 / N),
    "variance, next order": (check_log_variance, lambda N: 5 / N + 5.8 / N**2),
}


@pytest.mark.parametrize(("check", "answer"), RIGHT.values(), ids=RIGHT)
def test_a_right_answer_is_accepted_for_any_draw(seeded, check, answer, capsys):
    for seed in range(10):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


WRONG = {
    "depth: leading order": (check_depth, lambda N: 2 * N * math.log(10), "tenfold"),
    "depth: of the square": (check_depth, lambda N: -math.log(10) / exponent(N) / 2, "tenfold"),
    "depth: factor e": (check_depth, lambda N: -1 / exponent(N), "tenfold"),
    "depth: sign": (check_depth, lambda N: math.log(10) / exponent(N), "positive"),
    "depth: never": (check_depth, lambda N: math.inf, "finite"),
    "depth: nothing": (check_depth, lambda N: None, "number"),
    "leaky: He": (check_leaky, lambda a: 2.0, "multiplies"),
    "leaky: no square": (check_leaky, lambda a: 2 / (1 + a), "multiplies"),
    "leaky: no half": (check_leaky, lambda a: 1 / (1 + a * a), "multiplies"),
    "leaky: nan": (check_leaky, lambda a: math.nan, "finite"),
    "erf: only chi": (check_erf, lambda q: (erf_edge(q)[0], 0.0), "fixed length"),
    "erf: tanh's slope": (check_erf, lambda q: (1.0, q - arcsine(q)), "chi"),
    "erf: 2q for 4q": (
        check_erf,
        lambda q: (math.pi / 4 * math.sqrt(1 + 2 * q), 0.1),
        "chi",
    ),
    "erf: exchanged": (check_erf, lambda q: erf_edge(q)[::-1], "chi"),
    "erf: one number": (check_erf, lambda q: erf_edge(q)[0], "two numbers"),
    "residual: to first order": (
        check_residual,
        lambda L, v, g: math.sqrt(math.log(g) / L / v),
        "mean square grows",
    ),
    "residual: norms": (
        check_residual,
        lambda L, v, g: math.sqrt((g ** (2 / L) - 1) / v),
        "mean square grows",
    ),
    "residual: no variance": (
        check_residual,
        lambda L, v, g: math.sqrt(g ** (1 / L) - 1),
        "mean square grows",
    ),
    "residual: 1/L": (check_residual, lambda L, v, g: 1 / L, "mean square grows"),
    "residual: sign": (check_residual, lambda L, v, g: -0.1, "positive"),
    "recurrent: norm": (check_recurrent, lambda W: W / np.linalg.norm(W, 2), "still changes"),
    "recurrent: Frobenius": (check_recurrent, lambda W: W / np.linalg.norm(W), "still changes"),
    "recurrent: nothing done": (check_recurrent, lambda W: W, "still changes"),
    "recurrent: width": (check_recurrent, lambda W: W / len(W) ** 0.5, "still changes"),
    "recurrent: identity": (check_recurrent, lambda W: np.eye(len(W)), "multiple|changes"),
    "recurrent: zero": (check_recurrent, lambda W: 0 * W, "multiple"),
    "recurrent: shape": (check_recurrent, lambda W: W[0], "shape"),
    "variance: linear": (check_log_variance, lambda N: 2 / N, "times theirs"),
    "variance: of the norm": (check_log_variance, lambda N: 5 / (4 * N), "times theirs"),
    "variance: no death": (check_log_variance, lambda N: 4 / N, "times theirs"),
    "variance: sign": (check_log_variance, lambda N: -5 / N, "times theirs"),
}


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_refused(seeded, check, answer, hint):
    for seed in range(3):
        seeded(seed)
        assert_refused(check, answer, hint=hint)
