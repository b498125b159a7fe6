"""Collapsing gradient descent maps, against autograd, counts and orbits."""

import numpy as np
import pytest
import torch

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import SingularInterpolation, SingularWell

T = np.linspace(-2.9, 2.9, 201)


def well(t):
    return torch.where(t.abs() <= 2, t**4 / 2 - 3 * t**2 + 8, t**2)


def interpolation(t):
    inside = t**2 + 2 / 3 * (1 - (1 - t**2) ** 3)
    return torch.where(t.abs() <= 1, inside, t**2 + 2 / 3)


# ---- the well ----


def test_the_wells_derivatives_are_those_of_autograd():
    t = torch.tensor(T)
    slope = torch.func.vmap(torch.func.grad(well))
    curvature = torch.func.vmap(torch.func.grad(torch.func.grad(well)))
    np.testing.assert_allclose(SingularWell.loss(T), well(t), atol=1e-13)
    np.testing.assert_allclose(SingularWell.gradient(T)[0], slope(t), atol=1e-13)
    np.testing.assert_allclose(SingularWell.curvature(T), curvature(t), atol=1e-12)


def test_the_well_is_once_differentiable_and_not_twice():
    inside, outside = np.nextafter(2, 0), np.nextafter(2, 3)
    assert SingularWell.loss(inside) == pytest.approx(SingularWell.loss(outside), abs=1e-14)
    (a,), (b,) = SingularWell.gradient(inside), SingularWell.gradient(outside)
    assert a == pytest.approx(b, abs=1e-14)
    assert SingularWell.curvature(inside) - SingularWell.curvature(outside) == pytest.approx(16)


def test_the_critical_points_are_two_minima_and_a_maximum():
    at = np.array([-SingularWell.minimum, 0, SingularWell.minimum])
    np.testing.assert_allclose(SingularWell.gradient(at)[0], 0, atol=1e-14)
    np.testing.assert_allclose(SingularWell.curvature(at), [12, -6, 12])
    np.testing.assert_allclose(SingularWell.loss(at), [3.5, 8, 3.5])


def test_at_the_singular_rate_the_outer_branch_goes_to_the_maximum():
    outer = np.array([-50, -2.001, 2.001, 3, 1e6])
    _, (image,) = descend(SingularWell.gradient, (outer,), SingularWell.singular_rate, 1)
    np.testing.assert_array_equal(image, 0)


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 8])
def test_survivors_are_exactly_the_starts_that_stay(steps):
    ends = SingularWell.survivors(steps)
    assert len(ends) == 2 ** (steps + 1) - 1
    assert (np.diff(ends.ravel()) > 0).all()
    starts = np.random.default_rng(0).uniform(-2, 2, 20_000)
    stayed = np.ones(starts.size, bool)
    for (t,) in descend(SingularWell.gradient, (starts,), 0.5, steps):
        stayed &= abs(t) <= 2
    inside = np.searchsorted(ends.ravel(), starts) % 2 == 1
    np.testing.assert_array_equal(inside, stayed)


def test_at_a_quarter_only_the_maximum_reaches_the_maximum():
    starts = np.random.default_rng(0).uniform(-3, 3, 5000)
    for (t,) in descend(SingularWell.gradient, (starts,), 0.25, 200):
        assert (t != 0).all()
    assert abs(t).max() < 2.2  # the largest image of the inner branch, 2 (5/3)^(3/2) / 2 = 2.15


# ---- the interpolation problem ----


def test_the_interpolation_losss_derivatives_are_those_of_autograd():
    t = torch.tensor(T)
    slope = torch.func.vmap(torch.func.grad(interpolation))
    np.testing.assert_allclose(SingularInterpolation.loss(T, 1.0), interpolation(t), atol=1e-13)
    np.testing.assert_allclose(SingularInterpolation.gradient(T, 1.0)[0], slope(t), atol=1e-12)
    curvature = torch.func.grad(torch.func.grad(interpolation))(torch.zeros((), dtype=t.dtype))
    assert curvature == SingularInterpolation.sharpness_on_minima


def test_the_output_vanishes_with_full_rank_exactly_on_the_line():
    t = np.array([-1e-4, 0, 1e-4])
    output = SingularInterpolation.output(t, 7.0)
    assert output[1] == 0
    slope = (output[2] - output[0]) / 2e-4
    # central difference, O(h^2); rounding of L relative to t^2, eps / h^2
    assert slope == pytest.approx(6**0.5, rel=1e-6)
    assert (SingularInterpolation.loss(T[abs(T) > 1e-9], 0.0) > 0).all()


def test_the_curvature_is_continuous_where_the_branches_meet():
    h = 1e-5
    slopes = [SingularInterpolation.gradient(1 + n * h, 0.0)[0] for n in (-2, -1, 1, 2)]
    left, right = (slopes[1] - slopes[0]) / h, (slopes[3] - slopes[2]) / h
    assert left == pytest.approx(right, abs=50 * h)  # midpoints 1.5 h away, slope 32


def test_unstable_minima_are_found_from_outside_and_from_nowhere_inside():
    model = SingularInterpolation
    outer, inner = np.array([-9.0, -1.0, 1.0, 1.5]), np.linspace(0.01, 0.99, 99)
    _, (t, z) = descend(model.gradient, (outer, 3.0), model.singular_rate, 1)
    np.testing.assert_array_equal(t, 0)
    assert z == 3
    *_, (t, _) = descend(model.gradient, (inner, 3.0), model.singular_rate, 2000)
    np.testing.assert_allclose(abs(t), model.inner_cycle, rtol=1e-12)
    assert model.sharpness_on_minima > 2 / model.singular_rate
