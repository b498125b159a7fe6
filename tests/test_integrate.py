"""Runge-Kutta: orders, stability polynomials, and the same numbers from numpy and torch."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dsnnlib.integrate import EULER, MIDPOINT, RK4, Tableau, step, trajectory

KUTTA3 = Tableau(  # Kutta's method of third order, which the library does not have
    a=((), (1 / 2,), (-1, 2)), b=(1 / 6, 2 / 3, 1 / 6), c=(0, 1 / 2, 1), order=3
)
METHODS = pytest.mark.parametrize(
    "method", [EULER, MIDPOINT, KUTTA3, RK4], ids=["euler", "midpoint", "kutta3", "rk4"]
)


def riccati(t, y):
    """y' = -2 t y^2, neither linear nor autonomous; y = y0 / (1 + y0 t^2) from t = 0."""
    return -2 * t * y * y


def slopes(errors):
    """Observed orders when the step is halved from one entry to the next."""
    return np.diff(-np.log2(errors))


@METHODS
def test_the_global_error_has_the_order_of_the_method(method):
    errors = []
    for n in (64, 128, 256):
        *_, end = trajectory(riccati, 1.0, np.linspace(0, 1.5, n + 1), method=method)
        errors.append(abs(end - 1 / (1 + 1.5**2)))
    # the next term of the error is smaller by O(dt), dt < 0.03
    np.testing.assert_allclose(slopes(errors), method.order, atol=0.1)


@METHODS
def test_one_step_multiplies_by_the_taylor_polynomial_of_exp(method):
    z = 0.3 + 0.4j  # y' = z y, one step of size one
    taylor = sum(z**k / math.factorial(k) for k in range(method.order + 1))
    assert step(lambda t, y: z * y, 0.0, 1 + 0j, 1.0, method) == pytest.approx(taylor, rel=1e-15)
    # rel: a few roundings of numbers of modulus near one


@pytest.mark.parametrize(
    ("method", "degree"), [(EULER, 0), (MIDPOINT, 1), (RK4, 3)], ids=["euler", "midpoint", "rk4"]
)
def test_polynomials_are_integrated_exactly_up_to_the_order_of_the_quadrature(method, degree):
    def end(power):
        *_, y = trajectory(lambda t, y: (power + 1) * t**power, 0.0, [1, 3, 4], method=method)
        return y

    exact = [4 ** (power + 1) - 1 for power in range(degree + 2)]
    for power in range(degree + 1):
        assert end(power) == pytest.approx(exact[power], rel=1e-14)  # rounding
    assert abs(end(degree + 1) - exact[degree + 1]) > 0.1  # and no further


@pytest.mark.parametrize(
    ("method", "gain"),
    [
        (EULER, lambda z: 1 + z**2),
        (MIDPOINT, lambda z: 1 + z**4 / 4),
        (RK4, lambda z: 1 - z**6 / 72 + z**8 / 576),
    ],
    ids=["euler", "midpoint", "rk4"],
)
def test_the_energy_of_an_oscillator_drifts_at_the_known_rate(method, gain):
    dt, n = 0.25, 200
    *_, end = trajectory(
        lambda t, y: np.array([y[1], -y[0]]),
        np.array([1.0, 0.0]),
        dt * np.arange(n + 1),
        method=method,
    )
    # closed form: |R(i dt)|^2 in each step, R the stability polynomial; rounding in n steps
    assert end @ end == pytest.approx(gain(dt) ** n, rel=1e-12)


@pytest.mark.parametrize(
    ("method", "order"), [(EULER, 1), (MIDPOINT, 3), (RK4, 5)], ids=["euler", "midpoint", "rk4"]
)
def test_there_and_back_misses_the_start_by_one_order_more_if_the_order_is_even(method, order):
    # an error term of even power in dt is the same for both directions and cancels
    misses = []
    for n in (16, 32, 64):
        times = np.linspace(0, 1.5, n + 1)
        *_, end = trajectory(riccati, 1.0, times, method=method)
        *_, back = trajectory(riccati, end, times[::-1], method=method)
        misses.append(abs(back - 1))
    # the next term is smaller by O(dt), dt < 0.1
    np.testing.assert_allclose(slopes(misses), order, atol=0.25)


def test_numpy_and_torch_give_the_same_numbers():
    def field(t, y):
        return -2 * t * y * y + y.sum()

    start = np.random.default_rng(0).uniform(0, 1, size=(2, 3))
    times = np.linspace(0, 1, 11)
    by_numpy = list(trajectory(field, start, times))
    by_torch = list(trajectory(field, torch.from_numpy(start), times))
    assert all(isinstance(y, torch.Tensor) for y in by_torch)
    # the same operations in the same order; only sum may round differently
    np.testing.assert_allclose(np.array(by_numpy), torch.stack(by_torch).numpy(), rtol=1e-14)


def test_single_precision_stays_single_precision():
    for start in (np.ones(2, dtype=np.float32), torch.ones(2, dtype=torch.float32)):
        *_, end = trajectory(riccati, start, np.linspace(0, 1, 5))
        assert end.dtype == start.dtype


def test_autograd_through_the_steps_gives_the_derivative_by_the_start():
    y0 = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    *_, end = trajectory(riccati, y0, np.linspace(0, 1.5, 201))
    (derivative,) = torch.autograd.grad(end, y0)
    # d/dy0 of y0 / (1 + y0 t^2); the error is O(dt^4) = 3e-9
    assert derivative.item() == pytest.approx(1 / (1 + 0.8 * 1.5**2) ** 2, abs=1e-8)


def test_a_pendulum_agrees_with_scipy():
    def field(t, y):
        return np.array([y[1], -np.sin(y[0])])

    times = np.linspace(0, 10, 1001)
    ours = np.array(list(trajectory(field, np.array([2.0, 0.0]), times)))
    theirs = solve_ivp(field, (0, 10), [2.0, 0.0], t_eval=times, rtol=1e-11, atol=1e-11).y.T
    # dt^4 = 1e-8, times the time
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_the_grid_may_be_uneven_and_starts_at_the_start():
    times = [0.0, 0.01, 0.03, 0.035]
    states = list(trajectory(riccati, 1.0, times))
    assert states[0] == 1.0
    # local error of each step below dt^5 = 3.2e-9
    np.testing.assert_allclose(states, 1 / (1 + np.square(times)), atol=1e-8)


def test_a_grid_of_one_time_yields_the_start_alone():
    assert list(trajectory(riccati, 1.0, [3.0])) == [1.0]


def test_a_trajectory_is_not_computed_before_it_is_asked_for():
    def field(t, y):
        pytest.fail("evaluated too early")

    assert next(trajectory(field, 1.0, [0.0, 1.0])) == 1.0


@pytest.mark.parametrize(
    "times",
    [
        [],
        0.0,
        [[0.0, 1.0]],
        [0.0, np.nan],
        [0.0, np.inf],
        [0.0, 0.0, 1.0],
        [0.0, 1.0, 0.5],
        ["now", "then"],
        [0.0, 1j],
    ],
    ids=str,
)
def test_a_bad_grid_is_refused_in_one_line_before_the_first_step(times):
    with pytest.raises(ValueError, match=r"\btimes\b") as refusal:
        trajectory(riccati, 1.0, times)
    assert "\n" not in str(refusal.value)
