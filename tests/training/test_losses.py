"""The adapter from torch to numpy, against closed forms and finite differences."""

import math

import numpy as np
import pytest
import torch

from dsnnlib.training.losses import TorchLoss

COEFFICIENTS = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 3, 3, 3)))


def quartic(theta):
    return torch.einsum("ijkl,i,j,k,l->", COEFFICIENTS, theta, theta, theta, theta)


def symmetrised():
    """The symmetric tensor of a quarter-homogeneous form, times 24: its fourth derivative."""
    from itertools import permutations

    return sum(COEFFICIENTS.permute(p) for p in permutations(range(4))).numpy()


def test_all_derivatives_of_a_quartic_form_are_its_tensor():
    loss, tensor = TorchLoss(quartic), symmetrised()
    theta, v = np.array([0.3, -1.0, 0.7]), np.array([1.0, 0.5, -2.0])
    third, fourth = loss.along(theta, v)
    # rounding of sums of 81 terms
    close = {"rtol": 1e-12, "atol": 1e-12}
    value = np.einsum("ijkl,i,j,k,l->", tensor, *[theta] * 4) / 24
    assert loss(theta) == pytest.approx(value, rel=1e-12)
    gradient = np.einsum("ijkl,i,j,k->l", tensor, *[theta] * 3) / 6
    np.testing.assert_allclose(loss.gradient(theta), gradient, **close)
    hessian = np.einsum("ijkl,i,j->kl", tensor, *[theta] * 2) / 2
    np.testing.assert_allclose(loss.hessian(theta), hessian, **close)
    np.testing.assert_allclose(third, np.einsum("ijkl,i,j,k->l", tensor, theta, v, v), **close)
    assert fourth == pytest.approx(np.einsum("ijkl,i,j,k,l->", tensor, *[v] * 4), rel=1e-12)


def test_the_derivatives_of_a_network_are_those_of_finite_differences():
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)

    def function(theta):
        return ((theta[0] * torch.tanh(theta[1] * x + theta[2]) - x**2) ** 2).mean()

    loss, theta, v = TorchLoss(function), np.array([0.7, 1.3, -0.4]), np.array([0.6, 0.0, 0.8])
    h = 1e-3
    ahead, here, behind = (loss.gradient(theta + s * h * v) for s in (1, 0, -1))
    np.testing.assert_allclose(
        loss.hessian(theta) @ v, (ahead - behind) / (2 * h), atol=1e-5
    )  # O(h^2), and the next two
    third, fourth = loss.along(theta, v)
    np.testing.assert_allclose(third, (ahead - 2 * here + behind) / h**2, atol=1e-4)
    far, near = (loss.along(theta + s * h * v, v)[0] @ v for s in (1, -1))
    assert fourth == pytest.approx((far - near) / (2 * h), abs=1e-4)


def test_a_point_of_numpy_stays_as_it_is_and_results_are_numpy():
    loss, theta = TorchLoss(lambda t: (t**2).sum()), np.array([1.0, 2.0])
    gradient = loss.gradient(theta)
    gradient += 1
    np.testing.assert_array_equal(theta, [1, 2])
    assert isinstance(loss.hessian(theta), np.ndarray)
    assert type(loss(theta)) is float


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: TorchLoss(lambda t: t)(np.ones(2)), "function"),
        (lambda: TorchLoss(lambda t: 1.0)(np.ones(2)), "function"),
        (lambda: TorchLoss(lambda t: t.sum())(1.0), "theta"),
        (lambda: TorchLoss(lambda t: t.sum()).gradient([math.nan]), "theta"),
        (lambda: TorchLoss(lambda t: t.sum()).along([1.0], [[1.0]]), "v"),
        (lambda: TorchLoss(lambda t: t.sum()).along([1.0], [1.0, 2.0]), "v"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
