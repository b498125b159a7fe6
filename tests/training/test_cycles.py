"""Cycles, the flip, orbit diagrams, exponents: closed forms, orbits, differentiation."""

import math
from time import perf_counter

import numpy as np
import pytest
import torch

from dsnnlib.training.cycles import find_cycle, flip_coefficient, orbit_diagram, orbit_exponent
from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import BentValley, DoubleWell, Product
from dsnnlib.training.losses import TorchLoss

WELL = DoubleWell()


def polynomial(theta, lam, third, fourth):
    """lam theta^2/2 + third theta^3/6 + fourth theta^4/24, of one parameter."""
    return (lam * theta**2 / 2 + third * theta**3 / 6 + fourth * theta**4 / 24).sum()


def of_polynomial(lam, third, fourth):
    return (
        lambda t: lam * t + third * t**2 / 2 + fourth * t**3 / 6,
        lambda t: lam + third * t + fourth * t**2 / 2,
    )


# ---- cycles ----


@pytest.mark.parametrize("eta", [1.01, 1.1, 1.2, 1.3, 1.5])
def test_newton_finds_the_two_cycle_of_the_double_well_stable_or_not(eta):
    cycle = find_cycle(WELL.gradient, WELL.curvature, [1 + 0.5 * math.sqrt(eta - 1)], eta)
    expected = Product.two_cycle(eta)
    # rounding, over the distance of the multiplier to 1
    np.testing.assert_allclose(sorted(cycle.points[:, 0]), sorted(expected), atol=1e-13)
    along, _ = Product.two_cycle_multipliers(eta)
    np.testing.assert_allclose(cycle.multipliers, along, atol=1e-10)
    assert cycle.stable == (eta < math.sqrt(5) - 1)


def test_period_one_is_a_critical_point_with_the_multipliers_of_its_hessian():
    loss = TorchLoss(lambda t: torch.cosh(t[0] - 1) + (t[1] - t[0]) ** 2)
    cycle = find_cycle(loss.gradient, loss.hessian, [0.5, 0.2], 0.3, period=1)
    np.testing.assert_allclose(cycle.points, [[1, 1]], atol=1e-14)  # rounding
    eigenvalues = np.linalg.eigvalsh([[3.0, -2.0], [-2.0, 2.0]])
    np.testing.assert_allclose(sorted(cycle.multipliers), sorted(1 - 0.3 * eigenvalues), rtol=1e-13)


@pytest.mark.parametrize(("period", "eta"), [(3, 1.84), (4, 1.28), (5, 1.7)])
def test_each_point_of_a_cycle_is_the_image_of_the_one_before(period, eta):
    starts = np.linspace(-1.2, 1.2, 60)
    cycles = []
    for start in starts:
        try:
            cycles.append(find_cycle(WELL.gradient, WELL.curvature, [start], eta, period))
        except ArithmeticError:
            continue
    assert len(cycles) > 5
    for cycle in cycles:
        images = cycle.points - eta * WELL.gradient(cycle.points)
        # rounding, magnified by at most the multiplier of all steps
        size = 1e-14 * max(1, abs(cycle.multipliers[0]))
        np.testing.assert_allclose(images, np.roll(cycle.points, -1, axis=0), rtol=0, atol=size)


def test_the_derivative_along_a_cycle_is_that_of_automatic_differentiation():
    model, eta = BentValley(lam=1, mu=0.5, g=0.8, q=1.5), 2.1
    loss = TorchLoss(lambda t: model.loss(*t))
    cycle = find_cycle(loss.gradient, loss.hessian, [0.3, -0.1], eta)

    def twice(theta):
        for _ in range(2):
            theta = theta - eta * torch.func.grad(lambda t: model.loss(*t))(theta)
        return theta

    jacobian = torch.func.jacrev(twice)(torch.from_numpy(cycle.points[0])).detach().numpy()
    expected = np.linalg.eigvals(jacobian)
    np.testing.assert_allclose(sorted(cycle.multipliers), sorted(expected), rtol=1e-11)  # rounding


def test_newton_refuses_a_cycle_of_a_smaller_period():
    with pytest.raises(ArithmeticError, match="found period 1 instead of 2") as refusal:
        find_cycle(WELL.gradient, WELL.curvature, [1.0], 1.2)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("gradient", "hessian", "guess"),
    [
        (lambda t: np.exp(t), lambda t: np.exp(t), [0.0]),  # no critical point
        (lambda t: t**3 - t, lambda t: 3 * t**2 - 1, [1e200]),  # overflows
        (lambda t: 1 + t**2, lambda t: 2 * t, [0.0]),  # singular, and no critical point
    ],
)
def test_newton_that_does_not_converge_says_what_to_do(gradient, hessian, guess):
    with pytest.raises(ArithmeticError, match="start closer to it") as refusal:
        find_cycle(gradient, hessian, guess, 0.5, period=1)
    assert "\n" not in str(refusal.value)


# ---- the flip ----


@pytest.mark.parametrize("lam", [0.5, 2.0])
def test_in_one_dimension_the_coefficient_says_which_orbits_stay(lam):
    third, fourth = np.meshgrid([0.0, 0.4, 0.8, 1.5], [-2.0, -0.5, 0.3, 1.0, 5.0])
    coefficient = np.array(
        [flip_coefficient([[lam]], [t], f) for t, f in zip(third.flat, fourth.flat, strict=True)]
    ).reshape(third.shape)
    slope, _ = of_polynomial(lam, third, fourth)
    eta = 2.002 / lam
    with np.errstate(over="ignore", invalid="ignore"):
        orbit = descend(lambda t: (slope(t),), (np.full(third.shape, 1e-3),), eta, 8000)
        stays = np.all([abs(t) < 0.4 for (t,) in orbit], axis=0)
    np.testing.assert_array_equal(stays, coefficient > 0)


@pytest.mark.parametrize(("third", "fourth"), [(1.0, 0.5), (0.2, 2.0), (0.0, -1.0)])
def test_the_squared_amplitude_follows_the_coefficient_to_first_order(third, fourth):
    lam = 1.3
    gamma = flip_coefficient([[lam]], [third], fourth)
    errors = []
    for excess in (2e-3, 1e-3):
        excess *= np.sign(gamma)  # lam - 2 / eta
        predicted = 6 * excess / gamma
        cycle = find_cycle(*of_polynomial(lam, third, fourth), [predicted**0.5], 2 / (lam - excess))
        found = ((cycle.points[0] - cycle.points[1])[0] / 2) ** 2
        errors.append(abs(found / predicted - 1))
        assert cycle.stable == (gamma > 0)
    if third:
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)  # first order
    else:
        assert errors[0] < 1e-10  # an even quartic: the law is exact


def test_in_many_dimensions_the_coefficient_is_that_of_a_rotated_model():
    model = BentValley(lam=1.2, mu=0.4, g=0.9, q=2.0)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn = torch.from_numpy(turn)

    def rotated(theta):
        x, y, z = turn.T @ theta
        return model.loss(x, y) + 0.3 * z**2

    loss = TorchLoss(rotated)
    hessian = loss.hessian(np.zeros(3))
    v = np.linalg.eigh(hessian)[1][:, -1]
    gamma = flip_coefficient(hessian, *loss.along(np.zeros(3), v))
    assert gamma == pytest.approx(model.coefficient, rel=1e-12)  # rounding


# ---- orbit diagrams ----


def test_each_column_is_an_orbit_of_descend():
    etas, orbits = orbit_diagram(WELL.gradient, (0.5, 1.9), 0.3, columns=7, skip=20, keep=5)
    np.testing.assert_array_equal(etas, np.linspace(0.5, 1.9, 7))
    expected = [t for (t,) in descend(lambda t: (WELL.gradient(t),), (0.3,), etas, 25)][21:]
    np.testing.assert_array_equal(orbits, expected)


def test_a_zoom_shows_the_same_orbits():
    _, wide = orbit_diagram(WELL.gradient, (0.5, 1.5), 0.3, columns=11, skip=100, keep=10)
    _, narrow = orbit_diagram(WELL.gradient, (0.9, 1.1), 0.3, columns=3, skip=100, keep=10)
    np.testing.assert_allclose(narrow, wide[:, 4:7], rtol=1e-9)  # rates agree up to rounding


def test_orbits_that_escape_become_nan_and_leave_the_others_alone():
    _, orbits = orbit_diagram(WELL.gradient, (1.0, 3.0), 0.3, columns=3, skip=200, keep=4)
    assert np.isfinite(orbits[:, :2]).all()
    assert np.isnan(orbits[:, 2]).all()


def test_a_million_points_take_less_than_a_second():
    began = perf_counter()
    _, orbits = orbit_diagram(WELL.gradient, (0.9, 2.0), 0.3, columns=1000, keep=1000)
    assert orbits.shape == (1000, 1000)
    assert perf_counter() - began < 1  # a hundredth of it is typical


# ---- exponents ----


def test_the_exponent_at_a_stable_minimum_is_the_logarithm_of_its_multiplier():
    etas = np.array([0.2, 0.7, 0.9])
    found = orbit_exponent(WELL.gradient, WELL.curvature, etas, [0.3, 0.8, 1.2], skip=500)
    np.testing.assert_allclose(found.value, np.log(abs(1 - 2 * etas)), rtol=1e-12)  # rounding
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-12)


def test_the_exponent_at_the_chebyshev_rate_is_log_three():
    starts = np.random.default_rng(0).uniform(-1.4, 1.4, size=500)
    found = orbit_exponent(WELL.gradient, WELL.curvature, 2.0, starts)
    assert abs(found.value - math.log(3)) < 5 * found.standard_error < 5e-3


def test_an_escaping_orbit_has_an_infinite_exponent():
    found = orbit_exponent(WELL.gradient, WELL.curvature, 2.5, [0.3, 0.4], steps=3000)
    assert found.value == math.inf


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: find_cycle(WELL.gradient, WELL.curvature, 1.0, 1.2), "guess"),
        (lambda: find_cycle(WELL.gradient, WELL.curvature, [math.nan], 1.2), "guess"),
        (lambda: find_cycle(WELL.gradient, WELL.curvature, [1.0], 0), "eta"),
        (lambda: find_cycle(WELL.gradient, WELL.curvature, [1.0], 1.2, 0), "period"),
        (lambda: find_cycle(WELL.gradient, WELL.curvature, [1.0], 1.2, steps=0), "steps"),
        (lambda: find_cycle(WELL.gradient, WELL.curvature, [1.0], 1.2, tol=0), "tol"),
        (lambda: find_cycle(lambda t: t[0], WELL.curvature, [1.0], 1.2), "gradient"),
        (lambda: find_cycle(lambda t: t, lambda t: np.ones(2), [1.0, 2.0], 1.2), "hessian"),
        (lambda: flip_coefficient(np.diag([1.0, 0.0]), [1.0, 1.0], 1.0), "hessian"),
        (lambda: flip_coefficient(np.eye(2), 1.0, 1.0), "third"),
        (lambda: flip_coefficient(np.eye(2), [1.0], 1.0), "third"),
        (lambda: flip_coefficient(np.eye(1), [1.0], math.nan), "fourth"),
        (lambda: orbit_diagram(WELL.gradient, (1.2, 1.0), 0.3), "rates"),
        (lambda: orbit_diagram(WELL.gradient, (1.0, 1.0), 0.3), "rates"),
        (lambda: orbit_diagram(WELL.gradient, (0, 1.0), 0.3), "rates"),
        (lambda: orbit_diagram(WELL.gradient, (0.1, math.inf), 0.3), "rates"),
        (lambda: orbit_diagram(WELL.gradient, (0.1, 1.0), math.nan), "start"),
        (lambda: orbit_diagram(WELL.gradient, (0.1, 1.0), 0.3, columns=1), "columns"),
        (lambda: orbit_diagram(WELL.gradient, (0.1, 1.0), 0.3, keep=0), "keep"),
        (lambda: orbit_diagram(WELL.gradient, (0.1, 1.0), 0.3, skip=-1), "skip"),
        (lambda: orbit_diagram(lambda t: t[:2], (0.1, 1.0), 0.3), "slope"),
        (lambda: orbit_exponent(WELL.gradient, WELL.curvature, 0.0, [0.1, 0.2]), "eta"),
        (lambda: orbit_exponent(WELL.gradient, WELL.curvature, 1.0, 0.1), "starts"),
        (lambda: orbit_exponent(WELL.gradient, WELL.curvature, 1.0, [0.1]), "starts"),
        (lambda: orbit_exponent(WELL.gradient, WELL.curvature, 1.0, [0.1, 0.2], steps=0), "steps"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
