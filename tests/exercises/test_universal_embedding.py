"""The self-checks of universal embedding: right answers pass, plausible wrong ones get a hint."""

import math

import numpy as np
import pytest
import torch
from conftest import assert_refused
from torch import nn

from dsnnlib.exercises.universal_embedding import (
    check_fold,
    check_half,
    check_helix,
    check_least_layers,
    check_mirror,
    check_nearest,
    check_trained,
)
from dsnnlib.propagation.embedding import embed
from dsnnlib.propagation.monotone import best_increasing, fractional_iterate
from dsnnlib.propagation.neural_ode import NeuralODE, fit, neural_ode


def accepted(capsys):
    return capsys.readouterr().out.startswith("Right: ")


# ---- the helix ----


def helix(cos=np.cos, sin=np.sin, speed=1 / 4, move=0):
    return lambda t, h: np.stack(
        [move + 0 * h[:, 0], speed * cos(h[:, 0]), speed * sin(h[:, 0])], -1
    )


def test_the_right_helix_is_accepted(capsys):
    check_helix(helix(), 4)
    assert accepted(capsys)


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (helix(speed=1), "horizon"),
        (helix(sin=np.cos, cos=np.sin), "angle"),
        (helix(sin=lambda x: -np.sin(x)), "angle"),
        (helix(move=1), "moved"),
        (lambda t, h: helix()(t, h)[:, 1:], "shape|broadcast"),
        (lambda t, h: np.nan * h, "moved|numbers"),
    ],
)
def test_a_wrong_helix_is_refused(field, hint):
    try:
        assert_refused(check_helix, field, 4, hint=hint)
    except ValueError as error:  # numpy's own words for shapes that do not fit
        assert "broadcast" in str(error)


# ---- the nearest monotone sequence ----


def nearest(f):
    return min((best_increasing(f), -best_increasing(-f)), key=lambda g: np.abs(f - g).max())


def test_the_nearest_monotone_sequence_is_accepted(capsys):
    for _ in range(5):
        check_nearest(nearest)
    assert capsys.readouterr().out.count("Right: ") == 5


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (best_increasing, "directions"),
        (lambda f: -best_increasing(-f), "directions"),
        (lambda f: f, "not monotone"),
        (np.sort, "directions"),
        (lambda f: np.full(len(f), (f.max() + f.min()) / 2), "nearer"),
        (np.maximum.accumulate, "nearer"),
        (lambda f: nearest(f)[:-1], "as long as"),
    ],
)
def test_another_sequence_is_refused(answer, hint):
    assert_refused(check_nearest, answer, hint=hint)


# ---- the fold ----


def network(lift, field, readout):
    layers = []
    for matrix in (lift, readout):
        matrix = torch.tensor(matrix, dtype=torch.float64)
        layers.append(nn.Linear(*matrix.shape[::-1], bias=False, dtype=torch.float64))
        layers[-1].weight = nn.Parameter(matrix, requires_grad=False)
    return NeuralODE(layers[0], field, layers[1], steps=1)


def write(function):
    return lambda t, h: torch.stack([0 * h[..., 0], 0 * h[..., 0], function(h)], -1)


BESIDE, READ = [[1, 0], [0, 1], [0, 0]], [[1, 0, 0], [0, 0, 1]]


def test_a_fold_in_three_dimensions_is_accepted(capsys):
    check_fold(network(BESIDE, write(lambda h: h[..., 1] ** 2), READ))
    assert accepted(capsys)


@pytest.mark.parametrize(
    ("net", "hint"),
    [
        (embed(lambda w: torch.stack([w[:, 0], w[:, 1] ** 2], -1), 2, 2), "m is 4"),
        (network(BESIDE, write(lambda h: h[..., 1].abs()), READ), "square"),
        (network(BESIDE, write(lambda h: h[..., 1]), READ), "folded"),
        (network(BESIDE, write(lambda h: h[..., 1] ** 2), [[0, 0, 1], [1, 0, 0]]), "first output"),
        (network(BESIDE, write(lambda h: h[..., 1] ** 2), [[1, 0, 0], [1, 0, 0]]), "full rank"),
        (torch.square, "NeuralODE"),
    ],
)
def test_another_fold_is_refused(net, hint):
    assert_refused(check_fold, net, hint=hint)


# ---- layers ----


def test_the_least_number_of_layers_is_accepted(capsys):
    check_least_layers(lambda K, T: math.floor(K * T) + 1)
    assert accepted(capsys)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda K, T: math.ceil(K * T), "line to a point"),  # fails where K T is whole
        (lambda K, T: 1, "line to a point"),
        (lambda K, T: math.floor(2 * K * T) + 1, "already"),
        (lambda K, T: 100, "already"),
        (lambda K, T: K * T, "integer|line to a point"),
        (lambda K, T: None, "integer"),
        (lambda K, T: 0, "integer"),
    ],
)
def test_another_number_of_layers_is_refused(answer, hint):
    assert_refused(check_least_layers, answer, hint=hint)


# ---- the mirror ----


def about(axis, angle=math.pi):
    axis = angle * np.array(axis) / np.linalg.norm(axis)
    return lambda t, h: np.cross(axis, h)


@pytest.mark.parametrize("angle", [math.pi, -math.pi, 3 * math.pi])
def test_a_rotation_about_the_diagonal_is_accepted(angle, capsys):
    check_mirror(about([1, 1, 0], angle))
    assert accepted(capsys)


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (about([1, 0, 0]), "mirror"),  # reflects, but in the wrong line
        (about([1, -1, 0]), "mirror"),
        (about([1, 1, 0], math.pi / 2), "height"),
        (about([1, 1, 0], 2 * math.pi), "other side"),
        (about([0, 0, 1]), "mirror"),
        (lambda t, h: -5 * h, "lengths"),
        (lambda t, h: 0 * h, "other side"),
    ],
)
def test_another_motion_is_refused(field, hint):
    assert_refused(check_mirror, field, hint=hint)


# ---- half a sine ----


def half(x, bend=0.0):
    """Koenigs' half iterate; with a bend, one that is not differentiable at zero."""
    x, n = np.asarray(x, dtype=float), 60
    for _ in range(n):
        x = np.sin(x) / 2
    step = np.log(x) / np.log(0.5)  # psi adds one to it; so does the bent half iterate, twice
    target = guess = step + bend * np.sin(2 * np.pi * step) + 0.5
    for _ in range(60):  # undo the bend
        guess = target - bend * np.sin(2 * np.pi * guess)
    x = 0.5**guess
    for _ in range(n):
        x = np.arcsin(2 * x)
    return x


def test_koenigs_half_iterate_is_accepted_however_it_was_found(capsys):
    check_half(half)
    check_half(
        lambda x: fractional_iterate(
            lambda x: np.sin(x) / 2, lambda y: np.arcsin(2 * y), x, multiplier=0.5, power=0.5
        )
    )
    assert capsys.readouterr().out.count("Right: ") == 2


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: x / 2**0.5, "misses"),
        (lambda x: np.sin(x) / 2**0.5, "misses"),
        (lambda x: np.sin(x) / 2, "misses"),
        (lambda x: half(x, bend=0.05), "no limit"),
        (lambda x: np.nan * x, "misses"),
        (lambda x: 0.5, "shape"),
    ],
)
def test_another_half_is_refused(answer, hint):
    assert_refused(check_half, answer, hint=hint)


# ---- a shear with weights ----


def trained(steps):
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    net = embed(mlp, 1, 1)
    with torch.no_grad():
        mlp[0].weight.mul_(4), mlp[0].bias.mul_(4)
        features = torch.cat([mlp[:2](x), torch.ones_like(x)], 1)
        fitted = torch.linalg.lstsq(features, torch.sin(5 * x)).solution
        mlp[2].weight.copy_(fitted[:-1].T), mlp[2].bias.copy_(fitted[-1])
    if steps:
        fit(net, x, 0 * x, loss=nn.functional.mse_loss, steps=steps, eta=0.1, progress="")
    return net


def test_a_trained_shear_is_accepted(capsys):
    check_trained(trained(0))
    assert accepted(capsys)


@pytest.mark.parametrize(
    ("net", "hint"),
    [
        (trained(20), "train on"),
        (embed(lambda u: torch.sin(5 * u), 1, 1), "no weights"),
        (embed(nn.Linear(1, 1, dtype=torch.float64), 1, 1, m=3), "m is 3"),
        (neural_ode(1, 2, 1, 8, rng=torch.Generator().manual_seed(0)), "train on"),
        (nn.Linear(1, 1), "NeuralODE"),
    ],
)
def test_another_network_is_refused(net, hint):
    assert_refused(check_trained, net, hint=hint)
