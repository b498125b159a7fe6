"""Linear regression: autograd, scikit-learn, and the law of its noise."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from dsnnlib.training.landscapes import LeastSquares

LINE = LeastSquares([[1, 0], [1, 1], [1, 2]], [0, 0, 1])


def problem(seed=0, samples=12, size=3):
    rng = np.random.default_rng(seed)
    return LeastSquares(rng.normal(size=(samples, size)), rng.normal(size=samples))


def test_loss_gradient_and_hessian_are_those_of_autograd():
    model, theta = problem(), np.array([0.3, -1.0, 2.0])
    inputs, targets = torch.from_numpy(model.inputs), torch.from_numpy(model.targets)

    def loss(t):
        return ((inputs @ t - targets) ** 2).mean() / 2

    t = torch.from_numpy(theta)
    assert model.loss(theta) == pytest.approx(float(loss(t)), rel=1e-14)  # rounding
    np.testing.assert_allclose(model.gradient(theta), torch.func.grad(loss)(t), rtol=1e-13)
    np.testing.assert_allclose(model.hessian, torch.func.hessian(loss)(t), rtol=1e-13, atol=1e-15)


def test_the_minimum_is_that_of_scikit_learn():
    model = problem()
    theirs = LinearRegression(fit_intercept=False).fit(model.inputs, model.targets).coef_
    np.testing.assert_allclose(model.minimum, theirs, rtol=1e-12)  # rounding


def test_the_line_through_three_points_has_the_spectrum_four_plus_minus_root_ten_over_three():
    expected = (4 + np.array([-1, 1]) * math.sqrt(10)) / 3
    np.testing.assert_allclose(np.linalg.eigvalsh(LINE.hessian), expected, rtol=1e-14)  # rounding


def test_sample_gradients_have_the_gradient_as_their_mean():
    model, theta = problem(), np.array([0.3, -1.0, 2.0])
    each = model.sample_gradient(np.tile(theta, (12, 1)), np.arange(12))
    np.testing.assert_allclose(each.mean(0), model.gradient(theta), rtol=1e-13)  # rounding


def test_one_parameter_has_the_stationary_variance_of_its_geometric_series():
    # C = mean (1 - eta x^2)^2 C + eta^2 mean r^2 x^2, solved by hand
    model, eta = problem(size=1), 0.1
    x, r = model.inputs[:, 0], model.inputs[:, 0] * model.minimum[0] - model.targets
    expected = eta**2 * np.mean(r**2 * x**2) / (1 - np.mean((1 - eta * x**2) ** 2))
    assert model.stationary_covariance(eta)[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_stationary_covariance_is_where_its_recursion_converges(seed):
    model, eta = problem(seed), 0.05
    residuals = model.inputs @ model.minimum - model.targets
    covariance = np.zeros((3, 3))
    for _ in range(5000):
        following = np.zeros((3, 3))
        for x, r in zip(model.inputs, residuals, strict=True):
            step = np.eye(3) - eta * np.outer(x, x)
            following += step @ covariance @ step + eta**2 * r**2 * np.outer(x, x)
        covariance = following / 12
    # rounding; the transient has died out
    np.testing.assert_allclose(model.stationary_covariance(eta), covariance, rtol=1e-10)


def test_chains_have_the_stationary_covariance_within_their_error():
    cloud = LINE.sgd(0.3, chains=20000, steps=300, rng=np.random.default_rng(0)) - LINE.minimum
    products = cloud[:, :, None] * cloud[:, None, :]
    error = products.std(0) / len(cloud) ** 0.5
    assert (abs(products.mean(0) - LINE.stationary_covariance(0.3)) < 5 * error).all()


def test_data_that_can_be_fitted_leave_stochastic_descent_at_rest():
    model = LeastSquares([[1, 0], [1, 1], [1, 2]], [1, 3, 5])
    cloud = model.sgd(0.2, chains=10, steps=50, rng=np.random.default_rng(0))
    np.testing.assert_allclose(cloud, np.tile([1, 2], (10, 1)), atol=1e-12)  # rounding
    np.testing.assert_allclose(model.stationary_covariance(0.2), 0, atol=1e-25)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: LeastSquares([1.0, 2.0], [1.0, 2.0]), "inputs"),
        (lambda: LeastSquares([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], [1, 2, 3]), "inputs"),
        (lambda: LeastSquares(np.ones((2, 3)), [1.0, 2.0]), "inputs"),
        (lambda: LeastSquares([[math.nan]], [1.0]), "inputs"),
        (lambda: LeastSquares([[1.0], [2.0]], [1.0]), "targets"),
        (lambda: LeastSquares([[1.0], [2.0]], [[1.0], [2.0]]), "targets"),
        (lambda: LINE.stationary_covariance(0), "eta"),
        (lambda: LINE.stationary_covariance(0.8), "eta"),
        (lambda: LINE.sgd(-1, chains=2, steps=1, rng=None), "eta"),
        (lambda: LINE.sgd(0.1, chains=0, steps=1, rng=None), "chains"),
        (lambda: LINE.sgd(0.1, chains=2, steps=-1, rng=None), "steps"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
