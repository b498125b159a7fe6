"""The method of steps against closed forms, at its order."""

import math

import numpy as np
import pytest
import torch

from dsnnlib.integrate import EULER, MIDPOINT, RK4
from dsnnlib.propagation.delay import solve
from dsnnlib.propagation.delayed_exponential import delayed_exponential, special_rate


def linear(K):
    return lambda t, y, z: -K * z


def errors(problem, exact, steps):
    """Largest errors on the grid, for each number of steps."""
    found = []
    for n in steps:
        solution = problem(n)
        found.append(np.abs(solution.states - exact(solution.times)).max())
    return np.array(found)


def orders(found):
    return np.log2(found[:-1] / found[1:])


# ---- the method of steps ----


@pytest.mark.parametrize("horizon", [0.5, 1.0, 1.5, 2.0, 3.25, 4.0])
def test_polynomials_up_to_degree_four_are_solved_exactly(horizon):
    solution = solve(linear(1.4), 1.0, 1.0, horizon=horizon, steps=4)
    exact = delayed_exponential(solution.times, 1.4, 1.0)
    np.testing.assert_allclose(solution.states, exact, rtol=0, atol=1e-14)  # rounding


@pytest.mark.parametrize("horizon", [5.0, 5.5, 7.0])
def test_order_four_across_the_breaking_points(horizon):
    found = errors(
        lambda n: solve(linear(1.4), 1.0, 1.0, horizon=horizon, steps=n),
        lambda t: delayed_exponential(t, 1.4, 1.0),
        (8, 16, 32),
    )
    np.testing.assert_allclose(orders(found), 4, atol=0.1)  # next order, O(dt)


@pytest.mark.parametrize("tau", [0.7, 1.0])
def test_order_four_across_the_breaking_points_of_a_nonlinear_equation(tau):
    # y' = y (1 - y(t - tau)) has the closed form y = x exp((1 - x) t) on [0, tau]; for the second
    # interval log y is integrated by Gauss's quadrature, exactly for this purpose
    def exact(x):
        nodes, weights = np.polynomial.legendre.leggauss(20)
        s = tau * (nodes + 1) / 2
        first = x * np.exp((1 - x) * tau)
        return first * np.exp(tau / 2 * weights @ (1 - x * np.exp((1 - x) * s)))

    found = [
        abs(solve(lambda t, y, z: y * (1 - z), 0.4, tau, horizon=2 * tau, steps=n).end - exact(0.4))
        for n in (8, 16, 32)
    ]
    np.testing.assert_allclose(orders(np.array(found)), 4, atol=0.15)  # next order, O(dt)


@pytest.mark.parametrize(("method", "order"), [(EULER, 1), (MIDPOINT, 2), (RK4, 4)])
def test_the_order_is_that_of_the_method(method, order):
    # y' = y(t-1) (cos t + 2) with history e^t: on [0, 1], y = 1 + int_0^t e^(s-1) (cos s + 2) ds
    def exact(t):
        return 1 + (np.exp(t) * (np.cos(t) + np.sin(t) + 4) - 5) / (2 * math.e)

    found = errors(
        lambda n: solve(
            lambda t, y, z: z * (math.cos(t) + 2),
            math.exp,
            1.0,
            horizon=1.0,
            steps=n,
            method=method,
        ),
        exact,
        (16, 32, 64),
    )
    np.testing.assert_allclose(orders(found), order, atol=0.12)  # next order, O(dt)


def test_a_smooth_history_is_continued_smoothly():
    # e^(zt) solves y' = -K y(t-1) for all t if z = -K e^-z
    z = special_rate(0.3, 1.0)
    found = errors(
        lambda n: solve(linear(0.3), lambda t: math.exp(z * t), 1.0, horizon=5.0, steps=n),
        lambda t: np.exp(z * t),
        (8, 16, 32),
    )
    np.testing.assert_allclose(orders(found), 4, atol=0.1)  # next order, O(dt)


def test_a_distributed_delay_by_quadrature():
    # y' = -(K/tau) int_0^tau y(t-s) ds, history 1: y = 1 - sqrt(K tau) sin(sqrt(K/tau) t), t <= tau
    K, tau = 1.5, 0.8
    found = []
    for n in (8, 16, 32):
        weights = np.array([2, 4] * (n // 2) + [1]) / (3 * n)  # Simpson's rule; 1 at s = 0 and tau
        weights[0] = 1 / (3 * n)
        weights = weights[:, None]
        solution = solve(
            lambda t, y, z, w=weights: -K * (w[0] * y + (w[1:] * z).sum(0)),
            np.ones(2),
            tuple(tau * np.arange(1, n + 1) / n),
            horizon=tau,
            steps=n,
        )
        t = solution.times[:, None]
        exact = 1 - math.sqrt(K * tau) * np.sin(math.sqrt(K / tau) * t)
        found.append(np.abs(solution.states - exact).max())
    np.testing.assert_allclose(orders(np.array(found)), 4, atol=0.1)  # next order, O(dt)


def test_two_delays_arrive_in_their_order():
    solution = solve(lambda t, y, z: z[0] - 2 * z[1], lambda t: t, (0.5, 1.0), horizon=0.5, steps=2)
    # on [0, 1/2]: y' = (t - 1/2) - 2 (t - 1), so y = 3t/2 - t^2/2
    assert solution.end == pytest.approx(0.625, abs=1e-15)  # rounding
    assert solution(-1.0) == -1.0  # the past reaches back by the longest delay


def test_a_batch_is_solved_like_its_members():
    rng = np.random.default_rng(0)
    K, x = rng.uniform(0.1, 2, size=(5, 1)), rng.normal(size=7)

    def field(t, y, z):
        return K * np.tanh(y - 3 * z) + t

    batch = solve(field, np.broadcast_to(x, (5, 7)), 0.5, horizon=1.25, steps=4)
    assert batch.states.shape == batch.derivatives.shape == (11, 5, 7)
    for i, j in np.ndindex(5, 7):
        one = solve(
            lambda t, y, z, k=K[i, 0]: k * np.tanh(y - 3 * z) + t,
            float(x[j]),
            0.5,
            horizon=1.25,
            steps=4,
        )
        np.testing.assert_allclose(
            batch.states[:, i, j], one.states, rtol=0, atol=1e-13
        )  # rounding


def test_torch_and_numpy_agree_and_torch_differentiates():
    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    by_torch = solve(lambda t, y, z: torch.sin(z) - 0.3 * y, x, 1.0, horizon=2.5, steps=8)

    def flow(x):
        return solve(lambda t, y, z: np.sin(z) - 0.3 * y, x, 1.0, horizon=2.5, steps=8).end

    start = x.detach().numpy()
    np.testing.assert_allclose(by_torch.end.detach(), flow(start), rtol=0, atol=1e-14)  # rounding
    by_torch.end.sum().backward()
    h = 1e-5
    difference = (flow(start + h) - flow(start - h)) / (2 * h)
    np.testing.assert_allclose(x.grad, difference, rtol=0, atol=1e-9)  # O(h^2), rounding / h


def test_between_the_steps_the_solution_is_interpolated_to_order_four():
    t = np.linspace(0, 4, 37)
    found = []
    for n in (8, 16, 32):
        solution = solve(linear(1.4), np.ones(3), 1.0, horizon=4.0, steps=n)
        assert solution(t).shape == (37, 3)
        found.append(np.abs(solution(t)[:, 0] - delayed_exponential(t, 1.4, 1.0)).max())
    np.testing.assert_allclose(orders(np.array(found)), 4, atol=0.3)  # next order; moving maxima


def test_the_solution_knows_its_grid_and_its_past():
    solution = solve(linear(1.0), lambda t: 1 + t, 1.0, horizon=1.5, steps=2)
    np.testing.assert_array_equal(solution.times, [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(solution(solution.times), solution.states)
    np.testing.assert_array_equal(solution([-1, -0.25]), [0, 0.75])
    assert solution(1.5) == solution.end
    assert solution.derivatives[0] == 0  # -y(-1)


def test_the_history_is_asked_for_the_past_only():
    asked = []

    def history(t):
        asked.append(t)
        return 1.0

    solve(linear(1.0), history, 1.0, horizon=3.0, steps=4)
    assert min(asked) == -1
    assert max(asked) == 0


# ---- at the door ----


def never(t, y, z):
    pytest.fail("the field was asked for")


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: solve(never, 1.0, 0.0, horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, -1.0, horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, math.inf, horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, (), horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, (1.0, 0.0), horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, (1.0, 0.3), horizon=1.0, steps=2), "tau"),
        (lambda: solve(never, 1.0, 1.0, horizon=0.0, steps=2), "horizon"),
        (lambda: solve(never, 1.0, 1.0, horizon=-1.0, steps=2), "horizon"),
        (lambda: solve(never, 1.0, 1.0, horizon=0.7, steps=2), "horizon"),
        (lambda: solve(never, 1.0, 1.0, horizon=1.0, steps=0), "steps"),
        (lambda: solve(never, 1.0, 1.0, horizon=1.0, steps=2.5), "steps"),
        (lambda: solve(never, "one", 1.0, horizon=1.0, steps=2), "history"),
        (lambda: solve(never, [1.0, math.nan], 1.0, horizon=1.0, steps=2), "history"),
        (lambda: solve(never, torch.tensor(math.nan), 1.0, horizon=1.0, steps=2), "history"),
        (lambda: solve(never, lambda t: math.inf, 1.0, horizon=1.0, steps=2), "history"),
        (lambda: solve(3, 1.0, 1.0, horizon=1.0, steps=2), "field"),
        (lambda: solve(lambda t, y, z: np.ones(2), 1.0, 1.0, horizon=1.0, steps=2), "field"),
        (lambda: solve(linear(1.0), 1.0, 1.0, horizon=1.0, steps=2)(1.1), "t"),
        (lambda: solve(linear(1.0), 1.0, 1.0, horizon=1.0, steps=2)([0.5, -5.0]), "t"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("start", "time"), [(1.0, "0.5"), (np.ones(2), "0.5"), (torch.ones(2), "0.5")]
)
def test_a_field_that_leaves_the_numbers_is_reported_with_its_time(start, time):
    def field(t, y, z):
        return z * (math.inf if t >= 0.5 else 1.0)

    with pytest.raises(ArithmeticError, match=rf"^field .* at t = {time};"):
        solve(field, start, 1.0, horizon=2.0, steps=4)
