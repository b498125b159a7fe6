"""All to all in one pass: the general network, order four, and exact laws."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.all_to_all import advance
from dsnnlib.mean_field.oscillators import CHUNK, AllToAll, Oscillators, order_parameter


def start(N, seed=0):
    """Phases and frequencies."""
    g = np.random.default_rng(seed)
    return g.uniform(-4, 4, N), g.normal(size=N)


@pytest.mark.parametrize("N", [1, 2, 50, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 17])
@pytest.mark.parametrize("K", [0.0, 2.3, -1.0])
def test_it_takes_the_steps_of_the_general_network(N, K):
    phi, omega = start(N)
    states = list(trajectory(Oscillators(omega, AllToAll(), (K,)), phi, np.linspace(0, 0.5, 6)))
    found, order = advance(phi, omega, K, 0.1, 5)
    np.testing.assert_allclose(found, states[-1], rtol=0, atol=1e-12)  # rounding
    np.testing.assert_allclose(order, [order_parameter(s) for s in states], rtol=0, atol=1e-12)


def test_the_order_is_that_before_each_step_and_after_the_last():
    phi, omega = start(100)
    end, order = advance(phi, omega, 1.0, 0.05, 7)
    assert order.shape == (8,)
    assert order[0] == pytest.approx(np.exp(1j * phi).mean(), abs=1e-14)
    assert order[-1] == pytest.approx(np.exp(1j * end).mean(), abs=1e-14)


def test_steps_in_two_runs_are_the_steps_in_one():
    phi, omega = start(CHUNK + 3)
    middle, early = advance(phi, omega, 2.0, 0.1, 3)
    end, late = advance(middle, omega, 2.0, 0.1, 4)
    once, order = advance(phi, omega, 2.0, 0.1, 7)
    np.testing.assert_allclose(end, once, rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.append(early, late[1:]), order, rtol=0, atol=1e-14)


def test_the_error_is_of_order_four():
    phi, omega = start(20)

    def field(t, y):  # the double sum, by another solver
        return omega + 1.5 * np.sin(y[None, :] - y[:, None]).mean(1)

    exact = solve_ivp(field, (0, 2), phi, "DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    errors = [abs(advance(phi, omega, 1.5, 2 / n, n)[0] - exact).max() for n in (10, 20, 40, 80)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, 4, atol=0.5)  # the next term, O(dt)


def test_two_oscillators_close_their_gap_by_the_law_of_the_tangent():
    end, order = advance([0.0, 2.0], [0.3, 0.3], 1.0, 0.01, 300)
    gap = 2 * math.atan(math.tan(1.0) * math.exp(-3.0))
    assert end[1] - end[0] == pytest.approx(gap, abs=1e-9)  # O(dt^4)
    assert abs(order[-1]) == pytest.approx(math.cos(gap / 2), abs=1e-9)


def test_without_coupling_phases_turn_evenly():
    phi, omega = start(40)
    end, _ = advance(phi, omega, 0.0, 0.25, 8)
    np.testing.assert_allclose(end, phi + 2 * omega, rtol=0, atol=1e-13)


def test_the_mean_phase_turns_with_the_mean_frequency():
    phi, omega = start(CHUNK + 5)
    end, _ = advance(phi, omega, 3.0, 0.1, 10)
    # each stage keeps it, up to the rounding of the sums
    assert end.mean() == pytest.approx(phi.mean() + omega.mean(), abs=1e-12)


def test_phases_and_frequencies_are_not_changed():
    phi, omega = start(CHUNK + 5)
    before = phi.copy(), omega.copy()
    advance(phi, omega, 1.0, 0.1, 2)
    np.testing.assert_array_equal([phi, omega], before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: advance([0.0, 1.0], [1.0], 1.0, 0.1, 1), "omega has 1 entries; it must have 2"),
        (lambda: advance([[0.0]], [1.0], 1.0, 0.1, 1), "phi has 2 dimensions"),
        (lambda: advance([0.0], [math.inf], 1.0, 0.1, 1), "omega holds NaN or infinity"),
        (lambda: advance([], [], 1.0, 0.1, 1), "phi is empty"),
        (lambda: advance([0.0], [1.0], math.nan, 0.1, 1), "coupling is nan"),
        (lambda: advance([0.0], [1.0], 1.0, 0.0, 1), "dt is 0.0; it must be a positive"),
        (lambda: advance([0.0], [1.0], 1.0, -0.1, 1), "dt is -0.1"),
        (lambda: advance([0.0], [1.0], 1.0, 0.1, 0), "steps is 0; it must be a whole number"),
        (lambda: advance([0.0], [1.0], 1.0, 0.1, 2.0), "steps is 2.0"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
