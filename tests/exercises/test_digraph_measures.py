"""The exercises of Digraph measures: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.integrate import quad
from scipy.optimize import brentq

from dsnnlib.exercises.digraph_measures import (
    check_approach,
    check_beta_for,
    check_growth,
    check_mask_distance,
    check_mass_distance,
    check_twist,
)

COS, SIN, PI = np.cos, np.sin, np.pi


def life(beta, phi, lower=0.1):
    return quad(lambda p: (1 + np.exp(beta * (1 - COS(p)))) / (2 * SIN(p)), lower, phi)[0]


def speed(q, alpha):
    return SIN(2 * PI * q * alpha)


def rate(q, alpha, k):
    return COS(2 * PI * q * alpha) * (COS(2 * PI * k * alpha) - 1)


def approach(phi, beta, share):
    cold = np.exp(beta * (1 - COS(phi)))
    return -SIN(phi) * (
        (1 - share) / (share * cold + 1 - share) + share / ((1 - share) * cold + share)
    )


RIGHT = [
    (check_mask_distance, (lambda x, y: abs(x - y) / 2,)),
    (check_mass_distance, (lambda p, q, d: min(p, q) * min(d, 2) + abs(p - q),)),
    (check_twist, (speed, rate)),
    (
        check_growth,
        (lambda k, a, K, D: K / 4 * (COS(2 * PI * k * a) + COS(4 * PI * k * a)) - D,),
    ),
    (check_approach, (approach,)),
    (
        check_beta_for,
        (lambda t, phi: brentq(lambda beta: life(beta, phi) - t, 0, 40, xtol=1e-12),),
    ),
]


@pytest.mark.parametrize(("check", "answers"), RIGHT, ids=[c.__name__ for c, _ in RIGHT])
def test_a_right_answer_is_accepted_for_any_draw(seeded, capsys, check, answers):
    for seed in range(10):
        seeded(seed)
        check(*answers)
    assert capsys.readouterr().out.count("Right: ") == 10


WRONG = [
    (check_mask_distance, (lambda x, y: abs(x - y),), "cost"),
    (check_mask_distance, (lambda x, y: 1 - min(x, y) / max(x, y),), "cost"),
    (check_mask_distance, (lambda x, y: (x - y) / 2,), "negative|cost"),
    (check_mask_distance, (lambda x, y: None,), "number"),
    (check_mass_distance, (lambda p, q, d: min(p, q) * d + abs(p - q),), "cheapest"),
    (check_mass_distance, (lambda p, q, d: abs(p - q),), "cheapest"),
    (check_mass_distance, (lambda p, q, d: q * min(d, 2) + p - q,), "symmetric|cheapest"),
    (
        check_mass_distance,
        (lambda p, q, d: min(p + q, min(p, q) * min(d, 1) + abs(p - q)),),
        "chea",
    ),
    (check_twist, (lambda q, alpha: SIN(2 * PI * q * alpha) * q, rate), "speed"),
    (check_twist, (lambda q, alpha: 0.0, rate), "speed"),
    (check_twist, (speed, lambda q, alpha, k: COS(2 * PI * k * alpha) - 1), "rate"),
    (check_twist, (speed, lambda q, a, k: COS(2 * PI * q * a) * COS(2 * PI * k * a)), "rate"),
    (
        check_growth,
        (lambda k, a, K, D: K / 2 * (COS(2 * PI * k * a) + COS(4 * PI * k * a)) - D,),
        "rate",
    ),
    (check_growth, (lambda k, a, K, D: K / 2 * COS(2 * PI * k * a) - D,), "rate"),
    (
        check_growth,
        (lambda k, a, K, D: K / 4 * (COS(2 * PI * k * a) + COS(4 * PI * k * a)),),
        "rate",
    ),
    (
        check_growth,
        (
            lambda k, a, K, D: (
                K / 2 * abs(np.exp(2j * PI * k * a) + np.exp(-4j * PI * k * a)) / 2 - D
            ),
        ),
        "rate",
    ),
    (check_approach, (lambda phi, beta, share: approach(phi, beta, 0.5),), "otherwise"),
    (check_approach, (lambda phi, beta, share: -approach(phi, beta, share),), "attract"),
    (check_approach, (lambda phi, beta, share: approach(phi, beta, share) / 2,), "otherwise"),
    (check_approach, (lambda phi, beta, share: -SIN(phi),), "otherwise"),
    (check_approach, (lambda phi, beta, share: math.nan,), "finite"),
    (check_beta_for, (lambda t, phi: math.log(t) / (1 - COS(phi)),), "angle"),
    (check_beta_for, (lambda t, phi: -1.0,), "beta"),
    (
        check_beta_for,
        (lambda t, phi: brentq(lambda beta: life(beta, phi, 0.01) - t, 0, 40),),
        "angle",
    ),
]


@pytest.mark.parametrize(
    ("check", "answers", "hint"),
    WRONG,
    ids=[f"{c.__name__}-{i}" for i, (c, *_) in enumerate(WRONG)],
)
def test_a_wrong_answer_is_refused_for_any_draw(seeded, check, answers, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check, *answers, hint=hint)
