"""The self-checks on critical points: right answers pass, plausible wrong ones get a hint."""

import math

import numpy as np
import pytest
import torch
from conftest import assert_refused
from scipy.optimize import brentq
from torch import nn

from dsnnlib.exercises import NotYet
from dsnnlib.exercises.critical_points import (
    check_balance,
    check_floor,
    check_fold,
    check_index,
    check_lines,
    check_rings,
)
from dsnnlib.propagation.critical_points import find
from dsnnlib.propagation.winding import frame

# ---- saddles for more legs ----


def test_the_right_indices_are_accepted(capsys):
    check_index(lambda n: (1 - n, 1))
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n: (n - 1, 1), "turns"),
        (lambda n: (-n, 1), "turns"),
        (lambda n: (1 - n, 2 * n - 1), "turns"),
        (lambda n: (1 - n, 0), "turns"),
        (lambda n: (-1, 1), "n = 1"),
        (lambda n: 1 - n, "two numbers"),
    ],
)
def test_wrong_indices_are_refused(answer, hint):
    assert_refused(check_index, answer, hint=hint)


# ---- the lines of a bottleneck ----


def lines(network):
    return find(network[1:], [[-3, 3]], cells=400).x[:, 0]


def lines_by_differences(network):
    s = torch.linspace(-3, 3, 20_001, dtype=torch.float64)

    def slope(s):
        s = torch.tensor([[s]], dtype=torch.float64, requires_grad=True)
        return float(torch.autograd.grad(network[1:](s).sum(), s)[0])

    sign = np.sign(np.diff(network[1:](s[:, None]).detach().numpy()[:, 0]))
    return [brentq(slope, s[n], s[n + 2]) for n in np.nonzero(np.diff(sign))[0]]


@pytest.mark.parametrize("answer", [lines, lines_by_differences])
def test_the_right_lines_are_accepted_for_any_draw(seeded, answer, capsys):
    for seed in range(5):
        seeded(seed)
        check_lines(answer)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda network: [], "sign"),
        (lambda network: lines(network)[:-1], "sign"),
        (lambda network: [*lines(network), lines(network)[0]], "sign"),
        (lambda network: np.tanh(lines(network)), "not zero"),
        (lambda network: lines(network) - network[0].bias.item(), "not"),
        (lambda network: [*lines(network), 5.0], r"\[-3, 3\]"),
        (lambda network: [math.nan], r"\[-3, 3\]"),
    ],
)
def test_wrong_lines_are_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_lines, answer, hint=hint)


def test_one_line_given_many_times_is_not_all_of_them(seeded):
    refused = 0
    for seed in range(5):
        seeded(seed)
        hints = []

        def repeated(network, hints=hints):
            hints.append(len(lines(network)))
            return [lines(network)[0]] * hints[-1]

        try:
            check_lines(repeated)
        except NotYet as hint:
            assert "twice" in str(hint)
            refused += 1
        else:
            assert hints == [1, 1, 1]  # nothing to repeat
    assert refused


# ---- a floor ----


def floor(W, b, v):
    slopes = np.cosh(3 * abs(W).sum(1) + abs(b)) ** -2.0
    return np.linalg.svd(W)[1][-1] * np.linalg.norm(slopes * v)


def weaker_floor(W, b, v):
    slopes = np.cosh(3 * abs(W).sum(1) + abs(b)) ** -2.0
    return np.linalg.svd(W)[1][-1] * slopes.min() * np.linalg.norm(v)


@pytest.mark.parametrize("answer", [floor, weaker_floor])
def test_a_right_floor_is_accepted_for_any_draw(seeded, answer, capsys):
    for seed in range(10):
        seeded(seed)
        check_floor(answer)
    assert capsys.readouterr().out.count("Right: ") == 10


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda W, b, v: np.linalg.svd(W)[1][-1] * np.linalg.norm(v), "below your floor"),
        (lambda W, b, v: np.linalg.norm(W.T @ v), "below your floor"),
        (lambda W, b, v: 0.0, "positive"),
        (lambda W, b, v: 1e-12, "small W"),
        (lambda W, b, v: floor(W, b, v) ** 2, "small W"),
        (lambda W, b, v: math.nan, "finite"),
        (lambda W, b, v: v, "number"),
    ],
)
def test_a_wrong_floor_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(10):
        seeded(seed)
        assert_refused(check_floor, answer, hint=hint)


# ---- count from the boundary ----


def balance(phi, box):
    x = frame(box)(np.linspace(0, 1, 4001))
    g = [(phi(x + e) - phi(x - e)) / 2e-4 for e in 1e-4 * np.eye(2)]
    angle = np.unwrap(np.arctan2(g[1], g[0]))
    return round((angle[-1] - angle[0]) / (2 * math.pi))


def balance_from_inside(phi, box):
    x, y = (np.linspace(lo, hi, 200) for lo, hi in box)
    phi(np.stack(np.meshgrid(x, y), -1))
    return balance(phi, box)


@pytest.mark.filterwarnings("error")
def test_a_right_balance_is_accepted_for_any_draw(seeded, capsys):
    for seed in range(5):
        seeded(seed)
        check_balance(balance)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (balance_from_inside, "too far inside"),
        (lambda phi, box: balance(phi, box) + 1, "you count"),
        (lambda phi, box: -balance(phi, box) - 1, "you count"),
        (lambda phi, box: 7, "you count"),
        (lambda phi, box: None, "number"),
    ],
)
def test_a_wrong_balance_is_refused_for_any_draw(seeded, answer, hint):
    for seed in range(5):
        seeded(seed)
        assert_refused(check_balance, answer, hint=hint)


# ---- two neurons around a disc ----


def narrow(activation, weight=1.0, bias=-0.7517915, readout=1.0, shift=0.25):
    network = nn.Sequential(nn.Linear(2, 2), activation(), nn.Linear(2, 1)).double()
    values = [weight * torch.eye(2), bias, readout, shift]
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter[:] = torch.as_tensor(value)
    return network


@pytest.mark.parametrize("weight", [0.8, 1.0, 1.1])
def test_two_gelu_neurons_around_the_disc_are_accepted(weight, capsys):
    check_rings(narrow(nn.GELU, weight))
    assert capsys.readouterr().out.startswith("Right: ")


def too_wide():
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (narrow(nn.Tanh), "of the"),
        (narrow(nn.GELU, readout=-1.0), "of the disc"),
        (narrow(nn.GELU, shift=0.0), "of the ring"),
        (narrow(nn.GELU, shift=0.4), "of the disc"),
        (narrow(nn.GELU, bias=0.0), "of the"),
        (too_wide(), "2-2-1"),
        ("network", "torch"),
    ],
)
def test_networks_that_do_not_surround_the_disc_are_refused(answer, hint):
    assert_refused(check_rings, answer, hint=hint)


# ---- an exceptional weight ----


def curvature_at_0(width):
    return -4 * math.tanh(width) / math.cosh(width) ** 2


Q = curvature_at_0(1) / curvature_at_0(2)


@pytest.mark.parametrize("error", [0, 5e-8, -5e-8])
def test_the_exceptional_weight_is_accepted_to_eight_digits(error, capsys):
    check_fold(Q + error, (0, 2, 1), [0, 1, 0])
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Q + 1e-6, "smaller"),
        (Q - 1e-6, "larger"),
        (1 / Q, "larger"),
        (4.0, "larger"),
        (math.nan, "finite"),
        ((1, 2), "number"),
    ],
)
def test_a_wrong_weight_is_refused(answer, hint):
    assert_refused(check_fold, answer, (0, 2, 1), (0, 1, 0), hint=hint)


@pytest.mark.parametrize(
    ("below", "above", "hint"),
    [
        ((0, 0, 1), (0, 1, 2), "below"),  # a supercritical pitchfork
        ((0, 2, 1), (0, 1, 2), "above"),
        ((0, 1, 0), (0, 2, 1), "below"),
        ((1, 2, 0), (0, 1, 0), "below"),
        (3, 1, "three numbers"),
        (None, None, "three numbers"),
    ],
)
def test_wrong_counts_beside_the_weight_are_refused(below, above, hint):
    assert_refused(check_fold, Q, below, above, hint=hint)
