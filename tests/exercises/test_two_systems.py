"""The exercises of the introduction: right answers pass, plausible wrong ones do not."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from scipy.integrate import quad

from dsnnlib.exercises.two_systems import (
    check_amplitude,
    check_fold,
    check_messenger,
    check_sweep,
    check_wide,
)


def amplitude(u, v):
    return math.sqrt(3 * (u * v - 1) / (u * v)) / v


def sweep(u, v, x, y, dt, *, seed=1.0, leak=True, twice=True):
    h0 = x
    h1 = h0 + dt * (-h0 + u * np.tanh(v * h0))
    h2 = h1 + dt * (-h1 + u * np.tanh(v * h1))
    p, of_u, of_v = seed * (h2 - y), 0.0, 0.0
    for h in (h1, h0) if twice else (h1,):
        neuron = np.tanh(v * h)
        rise = u * (1 - neuron**2)
        of_u += dt * p * neuron
        of_v += dt * p * rise * h
        p *= 1 - (dt if leak else 0) + dt * rise * v
    return of_u, of_v


def neurons(x, s, delta, *, extra=1, power=2, factor=1.0):
    variance = quad(
        lambda z: np.tanh(s * x * z) ** 2 * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5, -12, 12
    )[0]
    return int(factor * variance / delta**power) + extra


@pytest.mark.parametrize(
    "check, answer",
    [
        (check_amplitude, amplitude),
        (check_amplitude, lambda u, v: math.sqrt(3 * (u * v - 1)) / v),
        (check_fold, 1),
        (check_sweep, sweep),
        (check_messenger, lambda c, L2, kappa: (1 + kappa) * c / L2),
        (check_wide, neurons),
    ],
)
def test_the_right_answer_is_accepted_for_any_draw(seeded, capsys, check, answer):
    for seed in range(10):
        seeded(seed)
        check(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    "check, answer, hint",
    [
        (check_amplitude, lambda u, v: math.sqrt(2 * (u * v - 1)) / v, "times the rest state"),
        (check_amplitude, lambda u, v: math.sqrt(3 * (u * v - 1)), "times the rest state"),
        (check_amplitude, lambda u, v: -amplitude(u, v), "positive"),
        (check_amplitude, lambda u, v: 3 * (u * v - 1) / v, "times the rest state"),
        (check_amplitude, lambda u, v: None, "number"),
        (check_fold, 2, "large"),
        (check_fold, 0.5, "small"),
        (check_fold, 1.05, "large"),
        (check_fold, -1, "positive"),
        (check_fold, "one", "number"),
        (check_sweep, lambda *a: sweep(*a, seed=-1), "derivative in u"),
        (check_sweep, lambda *a: sweep(*a, leak=False), "derivative in u"),
        (check_sweep, lambda *a: sweep(*a, twice=False), "derivative in u"),
        (check_sweep, lambda *a: sweep(*a)[::-1], "derivative in u"),
        (check_sweep, lambda *a: sweep(*a)[0], "two numbers"),
        (check_messenger, lambda c, L2, kappa: 2 * c / L2, "stable"),
        (check_messenger, lambda c, L2, kappa: (1 + kappa) / L2, "stable"),
        (check_messenger, lambda c, L2, kappa: 2 * kappa * c / L2, "stable"),
        (check_messenger, lambda c, L2, kappa: -c, "positive"),
        (check_wide, lambda *a: neurons(*a, extra=0), "too much"),
        (check_wide, lambda *a: neurons(*a, extra=2), "one less"),
        (check_wide, lambda *a: neurons(*a, power=1), "too much"),
        (check_wide, lambda *a: neurons(*a, factor=2), "one less"),
        (check_wide, lambda *a: 10.5, "whole"),
    ],
)
def test_a_wrong_answer_is_refused_for_any_draw(seeded, check, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check, answer, hint=hint)
