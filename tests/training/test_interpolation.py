"""Reaching and measuring the manifold of minima, against autograd, closed forms and counts."""

import copy
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from dsnnlib.training.interpolation import (
    gd_exponent,
    interpolate,
    loss_hessian,
    normal_basis,
    normal_eigenvalues,
    rank,
    sample_gradients,
)


def perceptron(*widths, seed=0, bias=True):
    """A float64 tanh network with random weights."""
    layers = []
    for i, (m, n) in enumerate(pairwise(widths)):
        layers += [nn.Tanh()] if i else []
        layers.append(nn.Linear(m, n, bias=bias))
    model = nn.Sequential(*layers).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return model


def samples(n, d, q, seed=1):
    generator = torch.Generator().manual_seed(seed)
    options = {"generator": generator, "dtype": torch.float64}
    return torch.randn(n, d, **options), torch.randn(n, q, **options)


class Weights(nn.Module):
    """F(theta, x) = x theta_1 ... theta_k."""

    def __init__(self, *theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, x):
        return x * self.theta.prod()


# ---- sample gradients ----


@pytest.mark.parametrize("q", [1, 3])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_sample_gradients_are_those_of_one_backward_pass_each(q, chunk_size):
    model, (x, _) = perceptron(2, 4, q), samples(5, 2, q)
    rows = []
    for i in range(5):
        for j in range(q):
            model.zero_grad()
            model(x)[i, j].backward()
            rows.append(parameters_to_vector([p.grad for p in model.parameters()]))
    measured = sample_gradients(model, x, chunk_size=chunk_size)
    assert measured.shape == (5 * q, sum(p.numel() for p in model.parameters()))
    torch.testing.assert_close(measured, torch.stack(rows), rtol=1e-13, atol=1e-13)  # rounding


def test_sample_gradients_follow_a_small_move_of_the_parameters():
    model, (x, _) = perceptron(3, 4, 2), samples(4, 3, 2)
    theta = parameters_to_vector(model.parameters()).detach()
    direction = torch.linspace(-1, 1, len(theta), dtype=torch.float64)
    outputs = []
    for sign in (1, -1):
        moved = copy.deepcopy(model)
        vector_to_parameters(theta + sign * 1e-6 * direction, moved.parameters())
        outputs.append(moved(x).detach().reshape(-1))
    difference = (outputs[0] - outputs[1]) / 2e-6
    # central difference: O(h^2) = 1e-12 and rounding over h = 1e-10
    torch.testing.assert_close(
        sample_gradients(model, x) @ direction, difference, rtol=0, atol=1e-8
    )


def test_sample_gradients_leave_no_trace():
    model, (x, _) = perceptron(2, 3, 1), samples(3, 2, 1)
    before = parameters_to_vector(model.parameters()).detach().clone()
    gradients = sample_gradients(model, x)
    assert not gradients.requires_grad
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(before, parameters_to_vector(model.parameters()))


def test_outputs_without_an_axis_of_their_own_are_one_row_a_sample():
    model, (x, _) = perceptron(2, 3, 1), samples(4, 2, 1)

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            return self.inner(x)[:, 0]

    assert torch.equal(sample_gradients(Flat(), x), sample_gradients(model, x))


# ---- reaching M ----


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("q", [1, 2])
def test_a_large_enough_network_is_moved_onto_its_minima(seed, q):
    model, (x, y) = perceptron(2, 10, q, seed=seed), samples(8, 2, q, seed=seed)
    error = interpolate(model, x, y)
    residual = (model(x) - y).detach()
    assert error == pytest.approx(float(residual.square().mean()), rel=1e-12)
    assert error <= 1e-24  # what was asked for


def test_a_linear_model_is_moved_to_the_closest_minimum():
    model, (x, y) = perceptron(7, 1, bias=False), samples(3, 7, 1)
    start = model[0].weight.detach().clone()
    interpolate(model, x, y)
    # minimum-norm correction, by the pseudo-inverse; the damping leaves the span unchanged
    closest = start + (torch.linalg.pinv(x) @ (y - x @ start.T)).T
    torch.testing.assert_close(model[0].weight.detach(), closest, rtol=0, atol=1e-11)


def test_at_a_minimum_nothing_moves():
    model, (x, _) = perceptron(2, 5, 1), samples(4, 2, 1)
    before = parameters_to_vector(model.parameters()).detach().clone()
    assert interpolate(model, x, model(x).detach()) == 0
    assert torch.equal(before, parameters_to_vector(model.parameters()))


def test_a_repeated_sample_is_no_obstacle():
    model, (x, y) = perceptron(2, 8, 1), samples(4, 2, 1)
    x, y = torch.cat([x, x[:1]]), torch.cat([y, y[:1]])
    assert interpolate(model, x, y) <= 1e-24
    assert rank(sample_gradients(model, x)) == 4


def test_contradicting_samples_cannot_be_interpolated():
    model, (x, y) = perceptron(2, 8, 1), samples(4, 2, 1)
    x, y = torch.cat([x, x[:1]]), torch.cat([y, y[:1] + 1])
    with pytest.raises(ArithmeticError, match="contradict"):
        interpolate(model, x, y, max_steps=100)
    # the best fit is off by 1/2 at each of the two: 2 (1/2)^2 / 5
    assert (model(x) - y).detach().square().mean().item() == pytest.approx(0.1, abs=1e-3)


# ---- what M looks like there ----


@pytest.mark.parametrize(("n", "q"), [(3, 1), (6, 1), (4, 2)])
def test_on_the_minima_the_hessian_is_the_gram_matrix_of_the_gradients(n, q):
    model, (x, y) = perceptron(2, 6, q), samples(n, 2, q)
    interpolate(model, x, y)
    gradients = sample_gradients(model, x)
    hessian = loss_hessian(model, x, y)
    # the residuals, below 1e-12, times second derivatives
    torch.testing.assert_close(hessian, gradients.T @ gradients / n, rtol=0, atol=1e-10)
    eigenvalues = torch.linalg.eigvalsh(hessian).numpy()[::-1]
    assert rank(gradients) == n * q
    assert np.sum(eigenvalues < 1e-9) == gradients.shape[1] - n * q
    np.testing.assert_allclose(normal_eigenvalues(gradients, n), eigenvalues[: n * q], atol=1e-10)


def test_off_the_minima_the_hessian_has_a_second_part():
    model, (x, y) = perceptron(2, 6, 1), samples(4, 2, 1)
    gradients = sample_gradients(model, x)
    gap = loss_hessian(model, x, y) - gradients.T @ gradients / 4
    assert gap.abs().max() > 1e-2


def test_the_normal_basis_is_orthonormal_and_spans_the_rows():
    model, (x, _) = perceptron(2, 6, 2), samples(4, 2, 2)
    gradients = sample_gradients(model, torch.cat([x, x]))
    basis = normal_basis(gradients)
    assert basis.shape == (8, gradients.shape[1])
    np.testing.assert_allclose(basis @ basis.T, np.eye(8), atol=1e-13)  # rounding
    outside = gradients.numpy() - gradients.numpy() @ basis.T @ basis
    np.testing.assert_allclose(outside, 0, atol=1e-12)


def test_the_product_of_weights_has_its_closed_form():
    model, one = Weights(2.0, 0.5, 1.0), torch.ones(1, 1, dtype=torch.float64)
    gradients = sample_gradients(model, one)
    np.testing.assert_allclose(gradients, [[0.5, 2.0, 1.0]], rtol=1e-15)  # 1 / theta
    assert normal_eigenvalues(gradients, 1) == pytest.approx([0.25 + 4 + 1])


# ---- the exponent ----


def test_the_exponent_is_zero_exactly_at_the_edge():
    lam = np.array([3.0, 0.4, 1.0])
    assert gd_exponent(lam, 2 / 3) == pytest.approx(0, abs=1e-15)
    assert gd_exponent(lam, 0.999 * 2 / 3) < 0 < gd_exponent(lam, 1.001 * 2 / 3)


def test_the_exponent_is_the_slowest_of_the_normal_directions():
    assert gd_exponent([1.0, 3.0], 0.5) == pytest.approx(math.log(0.5))
    assert gd_exponent(torch.tensor([1.0, 3.0]), 0.1) == pytest.approx(math.log(0.9))
    assert gd_exponent([2.0], 0.5) == gd_exponent([], 0.5) == -math.inf


# ---- at the door ----

MODEL, (X, Y) = perceptron(2, 3, 1), samples(4, 2, 1)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: sample_gradients(None, X), "model"),
        (lambda: sample_gradients(nn.Tanh(), X), "model"),
        (lambda: sample_gradients(MODEL, X.numpy()), "inputs"),
        (lambda: sample_gradients(MODEL, X.float()), "inputs"),
        (lambda: sample_gradients(MODEL, X[:0]), "inputs"),
        (lambda: sample_gradients(MODEL, X / 0), "inputs"),
        (lambda: sample_gradients(MODEL, X, chunk_size=0), "chunk_size"),
        (lambda: interpolate(MODEL, X, Y[:, 0]), "targets"),
        (lambda: interpolate(MODEL, X, Y / 0), "targets"),
        (lambda: interpolate(MODEL, X, 1.0), "targets"),
        (lambda: interpolate(MODEL, X, Y, tolerance=0), "tolerance"),
        (lambda: interpolate(MODEL, X, Y, max_steps=0), "max_steps"),
        (lambda: interpolate(copy.deepcopy(MODEL).float(), X.float(), Y.float()), "float64"),
        (lambda: loss_hessian(MODEL, X, Y[:2]), "targets"),
        (lambda: rank([1.0, 2.0]), "gradients"),
        (lambda: rank(np.eye(2), rtol=0), "rtol"),
        (lambda: normal_basis([[math.nan]]), "gradients"),
        (lambda: normal_eigenvalues(np.eye(2), 0), "samples"),
        (lambda: gd_exponent([1.0, 0.0], 0.1), "eigenvalues"),
        (lambda: gd_exponent([1.0], 0), "eta"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
