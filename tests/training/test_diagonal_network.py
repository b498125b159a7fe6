"""The diagonal linear network: autograd, root search, linear programs, gradient flow."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, linprog

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import DiagonalNetwork

A, Y = np.array([1, 2, 0.5]), 3.0
ONE = DiagonalNetwork([A], [Y])


def several(n=4, d=9, seed=0):
    rng = np.random.default_rng(seed)
    return DiagonalNetwork(rng.normal(size=(n, d)), rng.normal(size=n))


def torch_loss(model):
    features, targets = torch.tensor(model.features), torch.tensor(model.targets)
    d = features.shape[1]

    def loss(theta):
        u, v = theta[:d], theta[d:]
        return ((features @ (u**2 - v**2) - targets) ** 2).mean() / 2

    return loss


def test_loss_and_gradients_are_those_of_autograd():
    model, rng = several(), np.random.default_rng(1)
    u, v = rng.normal(size=(2, 9))
    theta = torch.tensor(np.concatenate([u, v]))
    assert model.loss(u, v) == pytest.approx(torch_loss(model)(theta).item(), rel=1e-13)
    gradient = torch.func.grad(torch_loss(model))(theta)
    np.testing.assert_allclose(np.concatenate(model.gradient(u, v)), gradient, rtol=1e-12)


def test_sample_gradients_average_to_the_gradient():
    model, rng = several(), np.random.default_rng(1)
    u, v = rng.normal(size=(2, 9))
    each = [np.concatenate(model.sample_gradient(u, v, j)) for j in range(4)]
    np.testing.assert_allclose(np.mean(each, 0), np.concatenate(model.gradient(u, v)), rtol=1e-12)


def test_independent_problems_side_by_side_are_solved_as_if_alone():
    models, rng = [several(seed=s) for s in range(3)], np.random.default_rng(1)
    u, v = rng.normal(size=(2, 3, 9))
    together = DiagonalNetwork(
        np.stack([m.features for m in models]), np.stack([m.targets for m in models])
    )
    index = np.array([0, 3, 1])
    for i, alone in enumerate(models):
        for a, b in (
            (together.gradient(u, v), alone.gradient(u[i], v[i])),
            (together.sample_gradient(u, v, index), alone.sample_gradient(u[i], v[i], index[i])),
        ):
            np.testing.assert_allclose([a[0][i], a[1][i]], b, rtol=1e-12)
        sharpness = together.sharpness_on_minima(u, v)[i]
        assert sharpness == pytest.approx(alone.sharpness_on_minima(u[i], v[i]), rel=1e-12)


def test_on_the_minima_the_sharpness_is_the_top_eigenvalue_of_the_hessian():
    model = several()
    w = model.flow_limit(0.3)
    nu = np.arcsinh(w / (2 * 0.09))
    u, v = 0.3 * np.exp(nu / 2), 0.3 * np.exp(-nu / 2)
    hessian = torch.func.hessian(torch_loss(model))(torch.tensor(np.concatenate([u, v])))
    eigenvalues = torch.linalg.eigvalsh(hessian).numpy()
    assert model.sharpness_on_minima(u, v) == pytest.approx(eigenvalues[-1], rel=1e-9)
    assert np.sum(eigenvalues > 1e-8) == 4  # D - n = 14 neutral directions


@pytest.mark.parametrize("alpha", [0.1, 0.5, 2.0])
def test_one_equation_is_solved_by_a_root_search(alpha):
    nu = brentq(lambda nu: A @ (2 * alpha**2 * np.sinh(nu * A)) - Y, 0, 10, xtol=1e-14)
    np.testing.assert_allclose(ONE.flow_limit(alpha), 2 * alpha**2 * np.sinh(nu * A), rtol=1e-10)


def test_the_published_digits_are_reproduced():
    np.testing.assert_allclose(ONE.flow_limit(0.1), [0.1189, 1.4326, 0.0317], atol=5e-5)
    np.testing.assert_allclose(ONE.flow_limit(100), [0.5714, 1.1429, 0.2857], atol=5e-5)


def test_gradient_flow_ends_at_the_flow_limit():
    model, alpha = several(n=2, d=5), 0.4

    def field(t, theta):
        return -np.concatenate(model.gradient(theta[:5], theta[5:]))

    end = solve_ivp(field, (0, 200), np.full(10, alpha), rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(end[:5] ** 2 - end[5:] ** 2, model.flow_limit(alpha), atol=1e-8)


def test_a_large_start_selects_the_solution_of_least_norm():
    model = several()
    least = np.linalg.pinv(model.features) @ model.targets
    np.testing.assert_allclose(model.flow_limit(100.0), least, atol=1e-6)  # O(1/alpha^4)


def test_a_small_start_selects_the_solution_of_least_l1_norm():
    model = several()
    both = np.hstack([model.features, -model.features])
    program = linprog(np.ones(18), A_eq=both, b_eq=model.targets, bounds=(0, None))
    sizes = [abs(model.flow_limit(alpha)).sum() for alpha in (1e-1, 1e-2, 1e-4, 1e-8)]
    excess = np.array(sizes) / program.fun - 1
    assert (excess > -1e-9).all()
    assert (np.diff(excess) < 0).all()
    assert excess[-1] < 1e-3


@settings(derandomize=True, deadline=None)
@given(eta=st.floats(1e-3, 0.5), seed=st.integers(0, 20), stochastic=st.booleans())
def test_a_step_multiplies_each_product_by_its_factor(eta, seed, stochastic):
    model, rng = several(), np.random.default_rng(seed)
    u, v = rng.normal(size=(2, 9))
    if stochastic:
        gradient = model.sample_gradient(u, v, 2)
        g = model.residual(u, v)[2] * model.features[2]
    else:
        gradient = model.gradient(u, v)
        g = model.features.T @ model.residual(u, v) / 4
    after = (u - eta * gradient[0]) * (v - eta * gradient[1])
    np.testing.assert_allclose(after, u * v * (1 - 4 * eta**2 * g**2), rtol=1e-12, atol=1e-12)


def test_small_steps_end_at_the_flow_limit_of_what_is_left_of_the_products():
    gaps = []
    for eta in (0.02, 0.01):
        *_, (u, v) = descend(ONE.gradient, (np.full(3, 0.5), np.full(3, 0.5)), eta, 4000)
        left = ONE.flow_limit(np.sqrt(abs(u * v)))
        gaps.append(abs(u**2 - v**2 - left).max())
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.2)  # O(eta^2)


def test_the_flattest_solution_has_all_weight_on_the_smallest_feature():
    w, sharpness = ONE.flattest()
    np.testing.assert_array_equal(w, [0, 0, 6])
    program = linprog(  # the least 4 sum a_i^2 |w_i| with a w = y
        4 * np.tile(A, 2) ** 2, A_eq=[[*A, *-A]], b_eq=[Y], bounds=(0, None)
    )
    assert sharpness == pytest.approx(program.fun)
    u = np.sqrt(w)
    assert ONE.sharpness_on_minima(u, np.zeros(3)) == pytest.approx(sharpness)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: DiagonalNetwork(A, Y), "features"),
        (lambda: DiagonalNetwork([A], Y), "features"),
        (lambda: DiagonalNetwork([A], [math.nan]), "targets"),
        (lambda: ONE.flow_limit(0), "alpha"),
        (lambda: ONE.flow_limit([0.1, 0.1, -1]), "alpha"),
        (lambda: DiagonalNetwork([[A]], [[Y]]).flow_limit(0.1), "features"),
        (lambda: several().flattest(), "features"),
        (lambda: DiagonalNetwork([[1.0, 0.0]], [1.0]).flattest(), "features"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_contradicting_equations_have_no_flow_limit():
    with pytest.raises(ArithmeticError, match="rank"):
        DiagonalNetwork([A, A], [1.0, 2.0]).flow_limit(0.5)
