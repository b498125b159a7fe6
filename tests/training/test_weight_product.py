"""The product of k weights, against autograd, the means, and orbits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import Product, WeightProduct
from dsnnlib.training.limits import limits

KS = pytest.mark.parametrize("k", [2, 3, 5])


def points(k, n=20):
    return np.random.default_rng(k).uniform(-2, 2, size=(k, n))


def loss(w):
    return (w.prod() - 1) ** 2 / 2


@KS
def test_loss_gradient_and_hessian_are_those_of_autograd(k):
    model, theta = WeightProduct(k), points(k)
    rows = torch.tensor(theta.T)
    values = torch.func.vmap(loss)(rows)
    gradients = torch.func.vmap(torch.func.grad(loss))(rows)
    hessians = torch.func.vmap(torch.func.hessian(loss))(rows)
    # rounding of numbers up to 2^8 for k = 5
    np.testing.assert_allclose(model.loss(*theta), values, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(np.transpose(model.gradient(*theta)), gradients, atol=1e-12)
    np.testing.assert_allclose(model.hessian(*theta), hessians, atol=1e-11)


def test_two_weights_are_the_product():
    u, v = points(2)
    np.testing.assert_array_equal(WeightProduct(2).gradient(u, v), Product.gradient(u, v))
    assert WeightProduct(2).flattest_threshold == Product.flattest_threshold


@KS
def test_on_the_minima_the_hessian_has_one_eigenvalue_and_it_is_the_sharpness(k):
    model, theta = WeightProduct(k), points(k)
    theta[-1] = 1 / theta[:-1].prod(axis=0)
    eigenvalues = np.linalg.eigvalsh(model.hessian(*theta))
    sharpness = model.sharpness_on_minima(*theta)
    np.testing.assert_allclose(eigenvalues[:, -1], sharpness, rtol=1e-12)
    assert (abs(eigenvalues[:, :-1]) < 1e-12 * sharpness[:, None]).all()  # rounding
    assert (sharpness >= model.flattest_sharpness).all()


@KS
def test_the_flattest_minimum_has_equal_weights(k):
    model = WeightProduct(k)
    assert model.sharpness_on_minima(*np.ones(k)) == model.flattest_sharpness == k
    assert model.flattest_threshold * model.flattest_sharpness == 2
    nearby = np.random.default_rng(0).normal(size=(k, 50)) * 0.1
    nearby = np.exp(nearby - nearby.mean(axis=0))  # product 1
    assert (model.sharpness_on_minima(*nearby) > k).all()


@KS
def test_the_normal_is_the_direction_of_the_gradient(k):
    model, theta = WeightProduct(k), points(k)
    normal, gradient = model.normal(*theta), np.transpose(model.gradient(*theta))
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(abs((normal * gradient).sum(1)), 1, rtol=1e-13)


@settings(derandomize=True, deadline=None)
@given(
    theta=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    eta=st.floats(1e-3, 1),
    pair=st.sampled_from([(0, 1), (0, 2), (2, 1)]),
)
def test_each_step_multiplies_an_imbalance_by_its_factor(theta, eta, pair):
    model, (i, j) = WeightProduct(3), pair
    _, after = descend(model.gradient, tuple(theta), eta, 1)
    measured = after[i] ** 2 - after[j] ** 2
    expected = (theta[i] ** 2 - theta[j] ** 2) * model.balance_factor(eta, i, j, *theta)
    size = max(abs(t) for t in (*theta, *after)) ** 2  # of the squares that are subtracted
    assert measured == pytest.approx(expected, abs=1e-14 * (1 + size * (1 + eta * 36) ** 2))


def test_no_start_finds_a_minimum_above_the_edge():
    model, rng = WeightProduct(3), np.random.default_rng(0)
    starts = tuple(rng.uniform(-2.5, 2.5, size=(3, 5000)))
    found = limits(model.gradient, starts, 0.3, 2000)
    sharpness = model.sharpness_on_minima(*(p[found.converged] for p in found.points))
    assert sharpness.max() <= 2 / 0.3
    assert sharpness.max() > 0.95 * 2 / 0.3  # it is the edge that limits
    assert sharpness.min() >= 3 - 1e-8


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: WeightProduct(1), "k"),
        (lambda: WeightProduct(2.0), "k"),
        (lambda: WeightProduct(3).loss(1.0, 2.0), "theta"),
        (lambda: WeightProduct(3).balance_factor(0.1, 0, 3, 1.0, 1.0, 1.0), "j"),
        (lambda: WeightProduct(3).balance_factor(0.1, 1, 1, 1.0, 1.0, 1.0), "differ"),
        (lambda: WeightProduct(3).balance_factor(math.nan, 0, 1, 1.0, 1.0, 1.0), "eta"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
