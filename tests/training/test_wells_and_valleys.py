"""The double well and the bent valley, against autograd, orbits and a solver."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import BentValley, DoubleWell, Product

POINTS = np.random.default_rng(0).uniform(-2, 2, size=20)


def after(theta, eta, steps):
    *_, (theta,) = descend(lambda t: (DoubleWell.gradient(t),), (theta,), eta, steps)
    return theta


# ---- the double well ----


def test_slope_and_curvature_are_those_of_autograd():
    t = torch.tensor(POINTS, requires_grad=True)
    (slope,) = torch.autograd.grad(DoubleWell.loss(t).sum(), t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), t)
    np.testing.assert_allclose(DoubleWell.gradient(POINTS), slope.detach(), rtol=1e-13)  # rounding
    np.testing.assert_allclose(DoubleWell.curvature(POINTS), curvature, rtol=1e-13)


@pytest.mark.parametrize("eta", [0.3, 1.1, 2.0])
def test_the_map_is_that_of_the_product_on_its_diagonal(eta):
    _, (u, v) = descend(Product.gradient, (POINTS, POINTS), eta, 1)
    np.testing.assert_allclose(u, after(POINTS, eta, 1), atol=1e-14)  # rounding
    np.testing.assert_array_equal(u, v)


@pytest.mark.parametrize("eta", [0.4, 1.3, 1.9])
def test_reach_goes_to_the_hilltop_and_escape_to_its_mirror(eta):
    assert after(DoubleWell.reach(eta), eta, 1) == pytest.approx(0, abs=1e-14)  # rounding
    edge = DoubleWell.escape(eta)
    assert after(edge, eta, 1) == pytest.approx(-edge, rel=1e-14)
    with np.errstate(over="ignore", invalid="ignore"):
        assert abs(after(0.999 * edge, eta, 2000)) < edge
        assert not math.isfinite(after(1.001 * edge, eta, 2000))


def test_orbits_leave_their_well_only_above_the_leaving_threshold():
    for excess, leaves in ((-0.005, False), (0.005, True)):
        eta = DoubleWell.leaving_threshold + excess
        start = np.linspace(0.001, 0.999, 300) * DoubleWell.reach(eta)
        assert (np.min(after(start, eta, 3000)) < 0) == leaves


def test_at_the_chebyshev_rate_a_step_triples_the_angle():
    phi = np.linspace(0, math.pi, 40)
    image = after(math.sqrt(2) * np.cos(phi), DoubleWell.chebyshev_rate, 1)
    np.testing.assert_allclose(image, -math.sqrt(2) * np.cos(3 * phi), atol=1e-14)  # rounding


def test_the_flow_is_that_of_a_solver():
    for start in (-1.5, 0.1, 0.9):
        solution = solve_ivp(
            lambda t, y: -DoubleWell.gradient(y), (0, 3), [start], rtol=1e-11, atol=1e-12
        )
        assert DoubleWell.flow(start, 3.0) == pytest.approx(solution.y[0, -1], abs=1e-9)  # rtol


# ---- the bent valley ----

VALLEY = BentValley(lam=1.4, mu=0.6, g=-0.7, q=1.1)


def test_gradient_and_hessian_of_the_valley_are_those_of_autograd():
    for point in POINTS.reshape(10, 2):
        t = torch.from_numpy(point)
        gradient = torch.func.grad(lambda w: VALLEY.loss(*w))(t)
        hessian = torch.func.hessian(lambda w: VALLEY.loss(*w))(t)
        np.testing.assert_allclose(VALLEY.gradient(*point), gradient, atol=1e-14)  # rounding
        np.testing.assert_allclose(VALLEY.hessian(*point), hessian, atol=1e-14)


@pytest.mark.parametrize(
    ("model", "eta"),
    [
        (VALLEY, 2.05 / 1.4),
        (BentValley(lam=1, mu=0.5, g=0, q=6), 1.6),
        (BentValley(lam=1, mu=0.5, g=0, q=-2), 2.2),
        (BentValley(lam=1, mu=0.5, g=0.5, q=4), 1.9),
    ],
)
def test_the_two_cycle_is_one_and_lies_on_the_side_of_the_coefficient(model, eta):
    first, second = model.two_cycle(eta)
    _, image, back = descend(model.gradient, tuple(first), eta, 2)
    np.testing.assert_allclose(image, second, atol=1e-14)  # rounding
    np.testing.assert_allclose(back, first, atol=1e-14)
    mirrored = 2 / (2 * model.lam - 2 / eta)  # on the other side of 2 / lam
    with pytest.raises(ValueError, match=r"^eta is"):
        model.two_cycle(mirrored)


def test_without_a_bend_the_two_cycle_bounds_the_basin():
    model = BentValley(lam=1, mu=0.5, g=0, q=6)
    for eta in (1.0, 1.5, 1.9):
        s = model.two_cycle(eta)[0, 0]
        assert s == pytest.approx(math.sqrt(2 / eta - 1), rel=1e-14)  # rounding
        with np.errstate(over="ignore", invalid="ignore"):
            *_, (inside, _) = descend(model.gradient, (0.999 * s, 0.0), eta, 5000)
            *_, (outside, _) = descend(model.gradient, (1.001 * s, 0.0), eta, 5000)
        assert abs(inside) < 1e-6
        assert not math.isfinite(outside)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: BentValley(lam=1, mu=1, g=0, q=0), "mu"),
        (lambda: BentValley(lam=1, mu=0, g=0, q=0), "mu"),
        (lambda: BentValley(lam=-1, mu=0.5, g=0, q=0), "lam"),
        (lambda: BentValley(lam=1, mu=0.5, g=math.nan, q=0), "g"),
        (lambda: BentValley(lam=1, mu=0.5, g=0, q="1"), "q"),
        (lambda: VALLEY.two_cycle(0), "eta"),
        (lambda: BentValley(lam=1, mu=0.5, g=0, q=0).two_cycle(2.1), "eta"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
