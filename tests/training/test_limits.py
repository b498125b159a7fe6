"""Where orbits end: closed forms, and agreement with single orbits."""

import math

import numpy as np
import pytest

from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import Product
from dsnnlib.training.limits import limits


def quadratic(t):
    return (t,)


def test_on_a_quadratic_the_rate_decides_between_the_three_fates():
    found = limits(quadratic, (np.full(4, 1.0),), np.array([0.5, 1.9, 2.0, 2.1]), 2000)
    np.testing.assert_array_equal(found.converged, [True, True, False, False])
    np.testing.assert_array_equal(found.escaped, [False, False, False, True])
    assert abs(found.points[0][:2]).max() <= 1e-9  # the tolerance, as the gradient is t
    assert abs(found.points[0][2]) == 1  # the 2-cycle at the edge


def test_orbits_that_end_end_where_descend_takes_them():
    starts = np.random.default_rng(0).uniform(-2, 2, size=(2, 60))
    found = limits(Product.gradient, tuple(starts), 0.4, 3000, tolerance=1e-13)
    with np.errstate(all="ignore"):
        *_, (u, v) = descend(Product.gradient, tuple(starts), 0.4, 3000)
    ended = found.converged
    np.testing.assert_allclose(found.points[0][ended], u[ended], atol=1e-10)
    np.testing.assert_allclose(found.points[1][ended], v[ended], atol=1e-10)
    np.testing.assert_array_equal(~np.isfinite(u), found.escaped)


def test_starts_and_rates_are_broadcast():
    found = limits(Product.gradient, (np.ones((3, 1)), np.ones(4)), 0.1, 10)
    assert found.converged.shape == found.points[0].shape == (3, 4)
    assert found.converged.all()


def test_the_starts_are_left_as_they_were():
    start = np.array([1.0, 2.0])
    limits(quadratic, (start,), 0.5, 10)
    np.testing.assert_array_equal(start, [1, 2])


def test_no_steps_are_no_steps():
    found = limits(quadratic, (np.array([0.0, 1.0]),), 0.5, 0)
    np.testing.assert_array_equal(found.converged, [True, False])


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: limits(quadratic, (1.0,), 0, 3), "eta"),
        (lambda: limits(quadratic, (math.nan,), 0.1, 3), "start"),
        (lambda: limits(quadratic, 1.0, 0.1, 3), "start"),
        (lambda: limits(quadratic, (1.0,), 0.1, -1), "steps"),
        (lambda: limits(quadratic, (1.0,), 0.1, 3, tolerance=0), "tolerance"),
        (lambda: limits(quadratic, (1.0,), 0.1, 3, bound=-1), "bound"),
        (lambda: limits(quadratic, (1.0,), 0.1, 3, block=0), "block"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
