"""Each check takes a right answer and refuses wrong ones, with a hint that names what fails."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from dsnnlib.exercises import NotYet
from dsnnlib.exercises import neural_odes as exercises
from dsnnlib.propagation.neural_ode import NeuralODE


def constant(a, T, h0):
    return a**2 * T**2 * math.exp(a * T) * h0 / 2


def test_the_constant_of_the_error_is_recognised(capsys):
    exercises.check_constant(constant)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda a, T, h0: 2 * constant(a, T, h0), "not close to"),
        (lambda a, T, h0: -constant(a, T, h0), "positive limit"),
        (lambda a, T, h0: a * T**2 * math.exp(a * T) * h0 / 2, r"positive limit|not close"),
        (lambda a, T, h0: a**2 * T**2 * h0 / 2, "not close to"),
        (lambda a, T, h0: None, "a number is asked for"),
    ],
)
def test_a_wrong_constant_is_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        exercises.check_constant(wrong)


def architecture(A, At):
    if any(np.linalg.matrix_rank(M) < min(M.shape) for M in (A, At)):
        return "degenerate"
    return "augmented" if A.shape[0] > A.shape[1] else "non-augmented"


def test_the_right_names_are_recognised():
    exercises.check_architecture(architecture)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda A, At: "augmented", r"does not have full rank|is not augmented"),
        (
            lambda A, At: (
                "degenerate" if np.linalg.matrix_rank(A) < A.shape[1] else architecture(A, At)
            ),
            r"is not degenerate|does not have full rank",
        ),
        (
            lambda A, At: architecture(A, At) if At.any() else architecture(A, np.ones_like(At)),
            "the readout does not have full rank",
        ),
        (
            lambda A, At: (
                "augmented" if A.shape[0] == A.shape[1] and At.any() else architecture(A, At)
            ),
            r"is not augmented|does not have full rank",
        ),
    ],
)
def test_wrong_names_are_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        for _ in range(5):
            exercises.check_architecture(wrong)


def heun(f, t, h, dt):
    first = f(t, h)
    return h + dt * (first + f(t + dt, h + dt * first)) / 2


def test_a_layer_of_order_two_is_recognised():
    exercises.check_layer(heun)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda f, t, h, dt: h + dt * f(t, h), "twice, not 1"),
        (lambda f, t, h, dt: h + dt * f(t + dt / 2, h + dt / 2 * f(t, h)), "midpoint"),
        (lambda f, t, h, dt: h + dt * (f(t, h) + f(t, h)) / 2, "not two"),
        (lambda f, t, h, dt: h + dt * (f(t, h) + f(t, h + dt * f(t, h))) / 2, "twice, not 3"),
        (lambda f, t, h, dt: (f(t, h), f(t, h))[0].sum(), "of the shape of h"),
    ],
)
def test_a_wrong_layer_is_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        exercises.check_layer(wrong)


def logistic(theta, h0, T):
    return 1 / (1 + (1 / h0 - 1) * math.exp(-theta * T))


def gradient(theta, h0, T):
    end = logistic(theta, h0, T)
    return T * end * (1 - end)


def test_the_gradient_by_hand_is_recognised():
    exercises.check_gradient(gradient)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda theta, h0, T: -gradient(theta, h0, T), "the sign is wrong"),
        (lambda theta, h0, T: T * h0 * (1 - h0), "changes at another rate"),
        (lambda theta, h0, T: gradient(theta, h0, T) / T, "changes at another rate"),
        (lambda theta, h0, T: [1, 2], "a number is asked for"),
    ],
)
def test_a_wrong_gradient_is_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        exercises.check_gradient(wrong)


def separator(*, level=0.25, weight=None, m=3, power=2, sign=-1.0):
    lift = nn.Linear(2, m, dtype=torch.float64)
    readout = nn.Linear(m, 1, dtype=torch.float64)
    lift.weight.data = torch.eye(m, 2, dtype=torch.float64) if weight is None else weight
    lift.bias.data.zero_()
    readout.weight.data = sign * torch.eye(m, dtype=torch.float64)[2:3]
    readout.bias.data.fill_(level)

    def field(t, h):
        growth = (h[..., :2] ** 2).sum(-1, keepdim=True) ** (power / 2)
        rest = torch.zeros_like(h)
        return torch.cat([rest[..., :2], growth, rest[..., 3:]], -1)

    return NeuralODE(lift, field, readout, steps=1)


def plane():
    lift, readout = nn.Linear(2, 2, dtype=torch.float64), nn.Linear(2, 1, dtype=torch.float64)
    return NeuralODE(lift, lambda t, h: h, readout)


def test_rings_without_training_are_recognised():
    exercises.check_separator(separator)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda: separator(level=0.5), "some points outside the disc are not negative"),
        (lambda: separator(level=-0.25, sign=1.0), "some points of the disc are not positive"),
        (lambda: separator(level=0.1), "some points of the disc are not positive"),
        (lambda: separator(m=4), "a smaller phase space is enough"),
        (lambda: separator(weight=torch.zeros(3, 2).double()), "does not have full rank"),
        (plane, "maximum principle"),
    ],
)
def test_a_wrong_separator_is_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        exercises.check_separator(wrong)


def polynomial(t, capacity):
    return sum(
        (-capacity) ** j * max(t - j + 1, 0) ** j / math.factorial(j) for j in range(int(t) + 2)
    )


def meeting_time(K, tau):
    times = np.linspace(0.05, 5, 1000)
    values = [polynomial(t, K * tau) for t in times]
    first = next(i for i, v in enumerate(values) if v <= 0)
    return tau * brentq(lambda t: polynomial(t, K * tau), times[first - 1], times[first])


def test_the_meeting_time_is_recognised():
    exercises.check_meeting_time(meeting_time)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda K, tau: 1 / K, "apart"),
        (lambda K, tau: 2 * meeting_time(K, tau), "have met before"),
        (lambda K, tau: meeting_time(K, tau) / tau, r"apart|have met before"),
        (lambda K, tau: 0.9 * meeting_time(K, tau), "apart"),
        (lambda K, tau: -1.0, "must be positive"),
    ],
)
def test_a_wrong_meeting_time_is_refused(wrong, hint):
    with pytest.raises(NotYet, match=hint):
        exercises.check_meeting_time(wrong)
