"""Linear neurons: scipy's integrator, particle systems, differences, conservation, limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.linear_neurons import LinearNeurons

TIMES = np.array([0.0, 0.3, 1.0, 2.5])
starts = st.tuples(
    st.floats(-2, 2), st.floats(0.3, 4), st.floats(-2, 2)
)  # m0, s0 - 2 abs(m0), target


def by_scipy(target, m0, s0):
    def field(t, z):
        return [-(z[0] - target) * z[1], -4 * (z[0] - target) * z[0]]

    return solve_ivp(field, (0, 2.5), [m0, s0], t_eval=TIMES, rtol=1e-11, atol=1e-12).y


@given(starts)
@settings(max_examples=30, deadline=None)
def test_the_closed_form_solves_the_two_equations(start):
    m0, gap, target = start
    s0 = 2 * abs(m0) + gap
    solution = LinearNeurons(target).solution(m0, s0, TIMES)
    np.testing.assert_allclose(solution, by_scipy(target, m0, s0), rtol=1e-7, atol=1e-8)


def test_a_finite_network_follows_the_closed_form_from_its_own_start():
    linear, w = LinearNeurons(0.8), np.random.default_rng(0).normal(size=(4, 6, 2))
    m0, s0 = (w[..., 0] * w[..., 1]).mean(-1), (w**2).sum(-1).mean(-1)
    *_, w = trajectory(lambda t, w: linear.velocity(w), w, np.linspace(0, 1, 201))
    m, s = linear.solution(m0, s0, 1.0)
    np.testing.assert_allclose((w[..., 0] * w[..., 1]).mean(-1), m, rtol=1e-7)
    np.testing.assert_allclose((w**2).sum(-1).mean(-1), s, rtol=1e-7)


def test_the_velocity_is_the_gradient_flow_of_the_risk():
    linear, w = LinearNeurons(0.8), np.random.default_rng(0).normal(size=(5, 2))
    risk = lambda w: ((w[:, 0] * w[:, 1]).mean() - 0.8) ** 2 / 2  # noqa: E731
    for i in range(5):
        for j in range(2):
            step = np.zeros((5, 2))
            step[i, j] = 1e-6
            slope = (risk(w + step) - risk(w - step)) / 2e-6
            assert linear.velocity(w)[i, j] == pytest.approx(-5 * slope, abs=1e-8)


@given(starts)
@settings(max_examples=30, deadline=None)
def test_kappa_is_conserved_and_the_target_is_reached(start):
    m0, gap, target = start
    s0 = 2 * abs(m0) + gap
    m, s = LinearNeurons(target).solution(m0, s0, np.array([0.0, 0.7, 100.0]))
    np.testing.assert_allclose(s**2 - 4 * m**2, s0**2 - 4 * m0**2, rtol=1e-8, atol=1e-9)
    assert m[0] == pytest.approx(m0, abs=1e-12)
    assert m[-1] == pytest.approx(target, abs=1e-9)


@given(starts)
@settings(max_examples=30, deadline=None)
def test_the_sensitivities_are_the_difference_quotients(start):
    m0, gap, target = start
    s0, h, linear = 2 * abs(m0) + gap, 1e-5, LinearNeurons(target)
    found = linear.sensitivities(m0, s0, TIMES)
    for j, (dm, ds) in enumerate(((h, 0), (0, h))):
        plus = np.array(linear.solution(m0 + dm, s0 + ds, TIMES))
        minus = np.array(linear.solution(m0 - dm, s0 - ds, TIMES))
        np.testing.assert_allclose(found[:, j], (plus - minus) / (2 * h), rtol=1e-5, atol=1e-6)


def test_at_time_zero_the_sensitivities_are_the_identity():
    found = LinearNeurons(1.2).sensitivities(0.3, 2.0, 0.0)
    np.testing.assert_allclose(found, np.eye(2), atol=1e-14)


def test_a_change_of_sign_is_a_symmetry():
    m, s = LinearNeurons(1.2).solution(0.3, 2.0, TIMES)
    n, r = LinearNeurons(-1.2).solution(-0.3, 2.0, TIMES)
    np.testing.assert_allclose([m, s], [-n, r], rtol=1e-10)


def test_many_starts_are_solved_at_once():
    linear = LinearNeurons(1.0)
    m0, s0 = np.array([0.0, 0.5]), np.array([1.0, 3.0])
    m, _ = linear.solution(m0, s0, TIMES[:, None])
    assert m.shape == (4, 2)
    np.testing.assert_allclose(m[:, 1], linear.solution(0.5, 3.0, TIMES)[0])
    assert linear.sensitivities(m0, s0, TIMES[:, None]).shape == (2, 2, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 2.0, 0.5), r"s0 is 2 at least; it must exceed 2 abs\(m0\)"),
        ((0.0, 1.0, -0.5), "t is -0.5 at least; it must not be negative"),
        ((np.nan, 1.0, 0.5), "m0 holds NaN"),
        ((0.0, "a", 0.5), "s0 is"),
    ],
)
def test_starts_that_make_no_sense_are_refused(arguments, message):
    for method in (LinearNeurons(1.0).solution, LinearNeurons(1.0).sensitivities):
        with pytest.raises(ValueError, match=message):
            method(*arguments)


def test_a_target_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="target is nan"):
        LinearNeurons(float("nan"))
