"""Gradient descent and momentum: closed forms on a quadratic, torch's optimisers, thresholds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib.training.gradient_descent import (
    HeavyBall,
    Nesterov,
    descend,
    multipliers,
    optimal_rate,
    spectral_radius,
)

BETAS = st.floats(0, 0.99)
METHODS = pytest.mark.parametrize("method", [HeavyBall, Nesterov])


def linear_orbit(method, eta_lam, start, steps):
    """theta_0, theta_1, ... on lam theta^2 / 2, from rest, by powers of the companion matrix."""
    state, companion = np.array([start, start]), method.companion(eta_lam)
    orbit = [start]
    for _ in range(steps):
        state = companion @ state
        orbit.append(state[0])
    return np.array(orbit)


# ---- the orbit ----


def test_on_a_quadratic_each_step_multiplies_by_one_minus_eta_lam():
    lam = np.array([1.0, 3.0, 19.0])
    orbit = np.array([theta for (theta,) in descend(lambda t: (lam * t,), (2.0,), 0.1, 30)][1:])
    powers = (1 - 0.1 * lam) ** np.arange(1, 31)[:, None]
    np.testing.assert_allclose(orbit, 2 * powers, rtol=1e-13)  # rounding in 30 steps


def test_the_orbit_is_that_of_torch_sgd():
    def gradient(x, y):
        return np.cos(x) * y, np.sin(x) + y

    x, y = (torch.tensor(s, dtype=torch.float64, requires_grad=True) for s in (0.4, 0.9))
    optimiser = torch.optim.SGD([x, y], lr=0.3)
    for ours in descend(gradient, (0.4, 0.9), 0.3, 25):
        np.testing.assert_allclose(ours, [x.item(), y.item()], rtol=1e-12)  # rounding
        optimiser.zero_grad()
        (torch.sin(x) * y + y**2 / 2).backward()
        optimiser.step()


def test_many_starts_and_rates_are_many_orbits():
    def gradient(x, y):
        return x * y**2, x**2 * y

    starts, rates = np.array([[0.1], [0.3]]), np.array([0.2, 0.5, 0.9])
    *_, (x, y) = descend(gradient, (starts, 1.1), rates, 7)
    assert x.shape == y.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        a, b = starts[i, 0], 1.1
        for _ in range(7):
            a, b = a - rates[j] * a * b**2, b - rates[j] * a**2 * b
        assert (x[i, j], y[i, j]) == pytest.approx((a, b), rel=1e-13)  # rounding in 7 steps


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_the_orbit_has_one_point_more_than_steps_and_starts_at_the_start(steps):
    orbit = list(descend(lambda t: (t,), (3.0,), 0.5, steps))
    assert orbit == [(3 / 2**n,) for n in range(steps + 1)]


def test_the_start_is_left_as_it_was():
    start = np.array([1.0, 2.0])
    list(descend(lambda t: (t,), (start,), 0.5, 3))
    np.testing.assert_array_equal(start, [1, 2])


def test_an_array_is_one_point_for_its_gradient():
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    start = np.array([1.0, -1.0])
    *_, end = descend(lambda theta: theta @ matrix, start, 0.2, 5)
    power = np.linalg.matrix_power(np.eye(2) - 0.2 * matrix, 5)
    np.testing.assert_allclose(end, power @ start, rtol=1e-13)  # rounding in 5 steps
    many = np.stack([start, 2 * start, -start])  # the last axis is that of the parameters
    *_, ends = descend(lambda theta: theta @ matrix, many, 0.2, 5)
    np.testing.assert_allclose(ends, np.stack([end, 2 * end, -end]), rtol=1e-15)


@pytest.mark.parametrize("gradient", [lambda t: t[:1], lambda t: 1.0, lambda t: t[:, None]])
def test_a_gradient_of_another_shape_is_refused_when_it_is_first_used(gradient):
    orbit = descend(gradient, np.ones(2), 0.1, 3)
    next(orbit)
    with pytest.raises(ValueError, match=r"^gradient has the shape") as refusal:
        next(orbit)
    assert "\n" not in str(refusal.value)


# ---- speed ----


def definite(seed, size=4):
    factor = np.random.default_rng(seed).normal(size=(size + 2, size))
    return factor.T @ factor


@pytest.mark.parametrize("seed", range(3))
def test_multipliers_are_the_eigenvalues_of_the_differentiated_map(seed):
    hessian = definite(seed)
    step = torch.func.jacrev(lambda theta: theta - 0.1 * torch.from_numpy(hessian) @ theta)
    expected = np.linalg.eigvals(step(torch.zeros(4, dtype=torch.float64)))
    np.testing.assert_allclose(
        multipliers(hessian, 0.1), np.sort(expected.real)[::-1], atol=1e-13
    )  # rounding


@pytest.mark.parametrize("seed", range(3))
def test_no_rate_contracts_more_than_the_optimal_one(seed):
    hessian = definite(seed)
    eta, rho = optimal_rate(hessian)
    assert spectral_radius(np.eye(4) - eta * hessian) == pytest.approx(rho, rel=1e-12)  # rounding
    others = np.random.default_rng(seed).uniform(0, 3 * eta, size=200)
    assert min(spectral_radius(np.eye(4) - e * hessian) for e in others) > rho


def test_the_optimal_rate_of_the_line_through_three_points_is_three_quarters():
    eta, rho = optimal_rate([[1, 1], [1, 5 / 3]])
    assert (eta, rho) == pytest.approx((3 / 4, math.sqrt(10) / 4), rel=1e-14)  # rounding


@pytest.mark.parametrize("kappa", [1.5, 30.0, 1e4])
def test_the_optimal_heavy_ball_takes_the_square_root_of_the_condition_number(kappa):
    eta, method = HeavyBall.optimal(np.diag([2.0, 2 * kappa]))
    speed = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    for lam in np.linspace(2, 2 * kappa, 20):
        # at the two ends a double root: the square root of rounding
        assert spectral_radius(method.companion(eta * lam)) == pytest.approx(speed, abs=1e-6)


def test_no_heavy_ball_is_faster_than_the_optimal_one():
    _, method = HeavyBall.optimal(np.diag([1.0, 20.0]))
    draw = np.random.default_rng(0).uniform([0, 0], [0.2, 1], size=(2000, 2))
    radii = [
        max(spectral_radius(HeavyBall(beta).companion(eta * lam)) for lam in (1.0, 20.0))
        for eta, beta in draw
    ]
    assert min(radii) >= math.sqrt(method.beta)


# ---- thresholds ----


@METHODS
@settings(derandomize=True, deadline=None)
@given(beta=BETAS, below=st.floats(1e-3, 1 - 1e-3), above=st.floats(1e-3, 1))
def test_a_method_is_stable_exactly_below_its_threshold(method, beta, below, above):
    momentum = method(beta)
    assert max(abs(np.linalg.eigvals(momentum.companion(below * momentum.threshold)))) < 1
    assert max(abs(np.linalg.eigvals(momentum.companion((1 + above) * momentum.threshold)))) > 1


@METHODS
@settings(derandomize=True, deadline=None)
@given(beta=BETAS)
def test_at_the_threshold_the_multiplier_is_minus_one(method, beta):
    momentum = method(beta)
    determinant = np.linalg.det(momentum.companion(momentum.threshold) + np.eye(2))
    assert determinant == pytest.approx(0, abs=1e-14)  # rounding of numbers up to 4


def test_the_thresholds_have_their_textbook_values():
    assert HeavyBall().threshold == 2
    assert HeavyBall(0.9).threshold == pytest.approx(3.8)
    assert Nesterov(0.0).threshold == 2
    assert Nesterov(0.9).threshold == pytest.approx(3.8 / 2.8)


@settings(derandomize=True, deadline=None)
@given(beta=BETAS, a=st.floats(0, 50))
def test_averaged_momentum_is_heavy_ball_with_a_smaller_rate(beta, a):
    # (theta, m) -> m' = beta m + (1 - beta) theta, theta' = theta - a m', on theta^2 / 2
    theta, m, orbit = 1.0, 0.0, [1.0]
    for _ in range(6):
        m = beta * m + (1 - beta) * theta
        theta = theta - a * m
        orbit.append(theta)
    heavy_ball = linear_orbit(HeavyBall(beta), (1 - beta) * a, 1.0, 6)
    # rounding in each step, relative to the largest size that the orbit can have reached
    np.testing.assert_allclose(heavy_ball, orbit, rtol=0, atol=1e-14 * (3 + a) ** 6)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_averaged_momentum_is_stable_up_to_the_heavy_ball_threshold_over_one_minus_beta(beta):
    edge = HeavyBall(beta).threshold / (1 - beta)
    for a, stable in ((0.999 * edge, True), (1.001 * edge, False)):
        step = np.array([[1 - a * (1 - beta), -a * beta], [1 - beta, beta]])  # on (theta, m)
        assert (max(abs(np.linalg.eigvals(step))) < 1) == stable
    if beta == 0.9:
        assert edge == pytest.approx(38)


@pytest.mark.parametrize("beta", [0.3, 0.9])
@pytest.mark.parametrize("eta", [0.05, 0.4])
def test_companions_are_the_steps_of_torch_optimisers(beta, eta):
    lam, steps = 2.5, 20

    def by_torch(**options):
        theta = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.SGD([theta], lr=eta, momentum=beta, **options)
        orbit = [theta.item()]
        for _ in range(steps):
            optimiser.zero_grad()
            (lam * theta**2 / 2).backward()
            optimiser.step()
            orbit.append(theta.item())
        return orbit

    # rounding in 20 steps
    theta = linear_orbit(HeavyBall(beta), eta * lam, 1.7, steps)
    np.testing.assert_allclose(by_torch(), theta, rtol=0, atol=1e-13)

    # torch keeps the point at which the gradient is taken, z = theta_n + beta (theta_n - theta_n-1)
    theta = linear_orbit(Nesterov(beta), eta * lam, 1.7, steps)
    ahead = theta + beta * np.diff(theta, prepend=theta[0])
    np.testing.assert_allclose(by_torch(nesterov=True), ahead, rtol=0, atol=1e-13)


def test_without_momentum_both_methods_are_gradient_descent():
    for method in (HeavyBall(), HeavyBall(0.0), Nesterov(0.0)):
        np.testing.assert_array_equal(method.companion(0.25), [[0.75, 0], [1, 0]])


# ---- the spectral radius ----


@pytest.mark.parametrize(
    ("matrix", "radius"),
    [
        ([[3.0]], 3),
        ([[-3.0, 100], [0, 2]], 3),
        ([[0, -4.0], [1, 0]], 2),  # eigenvalues +-2i
        (5 * np.array([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]]), 5),
        (np.ones((7, 7)), 7),
        (np.zeros((2, 2)), 0),
        (np.eye(3, dtype=int), 1),
    ],
)
def test_the_spectral_radius_is_the_largest_modulus(matrix, radius):
    assert spectral_radius(matrix) == pytest.approx(radius, rel=1e-14, abs=1e-14)  # rounding
    assert type(spectral_radius(matrix)) is float


# ---- at the door ----


def never(*point):
    pytest.fail("the gradient was asked for")


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: descend(never, (1.0,), 0, 3), "eta"),
        (lambda: descend(never, (1.0,), -0.1, 3), "eta"),
        (lambda: descend(never, (1.0,), math.nan, 3), "eta"),
        (lambda: descend(never, (1.0,), math.inf, 3), "eta"),
        (lambda: descend(never, (1.0,), [0.1, 0.0], 3), "eta"),
        (lambda: descend(never, (1.0,), [], 3), "eta"),
        (lambda: descend(never, (1.0,), "fast", 3), "eta"),
        (lambda: descend(never, (1.0,), np.array([0.1 + 1j]), 3), "eta"),
        (lambda: descend(never, (1.0, math.nan), 0.1, 3), "start"),
        (lambda: descend(never, (1.0, []), 0.1, 3), "start"),
        (lambda: descend(never, (1.0, "here"), 0.1, 3), "start"),
        (lambda: descend(never, (), 0.1, 3), "start"),
        (lambda: descend(never, 1.0, 0.1, 3), "start"),
        (lambda: descend(never, (1.0,), 0.1, -1), "steps"),
        (lambda: descend(never, (1.0,), 0.1, 3.0), "steps"),
        (lambda: descend(never, (1.0,), 0.1, None), "steps"),
        (lambda: descend(never, np.array([1.0, math.inf]), 0.1, 3), "start"),
        (lambda: descend(never, np.array([]), 0.1, 3), "start"),
        (lambda: multipliers(np.eye(2), 0), "eta"),
        (lambda: multipliers([[1.0, 2.0], [0.0, 1.0]], 0.1), "hessian"),
        (lambda: multipliers(np.ones((2, 3)), 0.1), "hessian"),
        (lambda: optimal_rate(np.diag([1.0, 0.0])), "hessian"),
        (lambda: optimal_rate(np.diag([1.0, -1.0])), "hessian"),
        (lambda: optimal_rate([[math.nan]]), "hessian"),
        (lambda: HeavyBall.optimal(np.diag([1.0, -1.0])), "hessian"),
        (lambda: HeavyBall(1.0), "beta"),
        (lambda: HeavyBall(-0.1), "beta"),
        (lambda: HeavyBall(math.nan), "beta"),
        (lambda: HeavyBall("0.9"), "beta"),
        (lambda: Nesterov(1), "beta"),
        (lambda: Nesterov([0.9]), "beta"),
        (lambda: Nesterov(math.inf), "beta"),
        (lambda: HeavyBall(0.9).companion(math.nan), "eta_lam"),
        (lambda: Nesterov(0.9).companion(math.inf), "eta_lam"),
        (lambda: HeavyBall(0.9).companion([0.1, 0.2]), "eta_lam"),
        (lambda: spectral_radius([1.0, 2.0]), "matrix"),
        (lambda: spectral_radius(np.ones((2, 3))), "matrix"),
        (lambda: spectral_radius([[math.nan]]), "matrix"),
        (lambda: spectral_radius([[]]), "matrix"),
        (lambda: spectral_radius([["a"]]), "matrix"),
        (lambda: spectral_radius(np.array([[1j]])), "matrix"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
