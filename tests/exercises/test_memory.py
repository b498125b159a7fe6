"""The self-checks of the chapter on memory: right answers pass, plausible wrong ones get a hint."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.special import lambertw

from dsnnlib.exercises.memory import (
    check_exponential,
    check_history,
    check_layers,
    check_rate,
    check_threshold,
    check_waves,
)
from dsnnlib.propagation.delayed_exponential import delayed_exponential, kappa, threshold

# ---- two intervals by hand ----


def by_hand(t, k):
    if t <= 0:
        return 1.0
    return 1 - k * t if t <= 1 else 1 - k * t + k**2 * (t - 1) ** 2 / 2


@pytest.mark.parametrize("p", [by_hand, lambda t, k: delayed_exponential(t, k, 1.0)])
def test_the_right_exponential_is_accepted_for_any_draw(seeded, p, capsys):
    for seed in range(5):
        seeded(seed)
        check_exponential(p)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    ("p", "hint"),
    [
        (lambda t, k: math.exp(-k * t), "history"),
        (lambda t, k: math.exp(-k * max(t, 0)), "slope"),
        (lambda t, k: 1 - k * max(t, 0), "slope"),  # forgets the second interval
        (lambda t, k: 1 - k * max(t, 0) + k**2 * max(t - 1, 0) ** 2, "slope"),
        (lambda t, k: 1 - k * t + k**2 * (t - 1) ** 2 / 2, "history"),
        (lambda t, k: by_hand(t, k) - (0.1 if t > 1 else 0), "slope|jumps"),
        (lambda t, k: math.nan, "finite"),
        (lambda t, k: None, "number"),
    ],
)
def test_a_wrong_exponential_is_refused(seeded, p, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_exponential, p, hint=hint)


# ---- thresholds ----


def test_the_right_threshold_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        check_threshold(lambda T: threshold(T, 1.0))
        check_threshold(lambda T: round(threshold(T, 1.0), 6))
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda T: 1 / T, "too small"),  # right up to one delay
        (lambda T: kappa(math.ceil(T)), "too"),  # right at whole horizons
        (lambda T: 1 / math.e, "too small"),
        (lambda T: 2.0, "too large"),
        (lambda T: 2 + math.sqrt(2) if T == 2 else threshold(T, 1.0), "too large"),  # other root
        (lambda T: -1.0, "positive"),
        (lambda T: math.inf, "finite"),
        (lambda T: None, "number"),
    ],
)
def test_a_wrong_threshold_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_threshold, answer, hint=hint)


# ---- three waves ----


def waves(k, eps, clock=True):
    def field(t, y, z):
        write = np.sin(math.pi * t) ** 2 if t < 1 or not clock else 0.0
        return -k * z + eps * write * np.sin(3 * math.pi * z)

    return field


K2 = 2 - math.sqrt(2)
EPS = (0.65 - K2) / (3 * math.pi)
C = 1 / 2 - K2 / 4


@pytest.mark.parametrize("eps", [EPS, EPS / 3])
def test_a_right_equation_for_the_waves_is_accepted(eps, capsys):
    check_waves(waves(K2, eps), 1 / (eps * C))
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("field", "readout", "hint"),
    [
        (waves(K2, EPS * 2), 1 / (2 * EPS * C), "Lipschitz"),
        (waves(K2, 0.65 - K2), 1 / ((0.65 - K2) * C), "Lipschitz"),  # forgets Lip(sin 3 pi x)
        (waves(1.0, EPS), 1 / (EPS * C), "Lipschitz"),
        (waves(0.55, EPS), 1 / (EPS * C), "misses"),  # wipes too little
        (waves(K2, EPS), 1 / EPS, "misses"),
        (waves(K2, EPS), 2 / EPS, "misses"),
        (waves(K2, EPS, clock=False), 1 / (EPS * C), "misses"),  # writes twice
        (waves(K2, EPS), math.nan, "finite"),
        (lambda t, y, z: 0.0, 1.0, "shape"),
    ],
)
def test_a_wrong_equation_for_the_waves_is_refused(field, readout, hint):
    assert_refused(check_waves, field, readout, hint=hint)


# ---- another past ----


def test_the_right_threshold_of_another_past_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        check_history(lambda a: 2 / (2 + a))
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    "answer",
    [
        lambda a: 1.0,
        lambda a: 1 / (1 + a),
        lambda a: 1 / (1 - a / 2) if a != 2 else 1.0,
        lambda a: 1 - a / 2,
        lambda a: 1 / math.e,
    ],
)
def test_a_wrong_threshold_of_another_past_is_refused(seeded, answer):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_history, answer, hint="of the input is left|positive")


# ---- damping ----


def lambert(b, K, tau, branch=0):
    return lambertw(-K * tau * np.exp(b * tau), branch).real / tau - b


def test_the_right_rate_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(10):
        seeded(seed)
        check_rate(lambert)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda b, K, tau: lambert(b, K, tau, -1), "decay at the rate"),
        (lambda b, K, tau: lambertw(-K * tau).real / tau - b, "does not solve"),
        (lambda b, K, tau: lambert(b, K, tau) + b, "does not solve"),
        (lambda b, K, tau: -b - K, "does not solve"),
        (lambda b, K, tau: -K * np.exp(b * tau) - b, "does not solve"),
        (lambda b, K, tau: complex(lambert(b, K, tau)), "real"),
        (lambda b, K, tau: math.nan, "finite"),
    ],
)
def test_a_wrong_rate_is_refused(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_rate, answer, hint=hint)


# ---- layers ----


def test_the_right_limit_of_layers_is_accepted(capsys):
    check_layers(lambda L: (L / (L + 1)) ** (L + 1))
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda L: 1 / math.e, "above|below"),
        (lambda L: (L / (L + 1)) ** L, "vanish"),
        (lambda L: L**L / (L + 1) ** (L + 1), "stay positive"),  # of k / L
        (lambda L: (1 - 1 / (2 * L)) / math.e, "stay positive|vanish"),  # leading order
        (lambda L: 1.0, "vanish"),
        (lambda L: -1.0, "positive"),
        (lambda L: math.inf, "finite"),
    ],
)
def test_a_wrong_limit_of_layers_is_refused(answer, hint):
    assert_refused(check_layers, answer, hint=hint)
