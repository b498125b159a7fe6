"""Winding numbers: powers of z, curves around several zeros, derivatives by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib.propagation.winding import (
    circle,
    derivatives,
    frame,
    gradient,
    grid,
    winding,
    winding_numbers,
)


def power(n):
    """Re z^n / n for n >= 1: its gradient is the conjugate of z^(n-1)."""
    return lambda x: torch.complex(x[:, 0], x[:, 1]).pow(n).real / n


@pytest.mark.parametrize("n", range(1, 9))
def test_a_power_turns_one_minus_n_times_around_its_zero_and_not_elsewhere(n):
    assert winding(power(n), circle([0, 0], 0.7)) == (1 - n, None)
    assert winding(power(n), circle([0, 0], 1e-6), pieces=24) == (1 - n, None)
    assert winding(power(n), circle([2, 1], 0.7)) == (0, None)


@settings(derandomize=True, deadline=None)
@given(zeros=st.lists(st.complex_numbers(max_magnitude=2), min_size=1, max_size=6))
def test_the_turns_along_a_box_count_the_zeros_inside(zeros):
    zeros = np.array(zeros)
    box = np.array([[-1.0, 1.2], [-0.9, 1.1]])
    inside = (abs(zeros.real - 0.1) < 1.1) & (abs(zeros.imag - 0.1) < 1.0)
    margin = np.minimum(abs(abs(zeros.real - 0.1) - 1.1), abs(abs(zeros.imag - 0.1) - 1.0))
    if margin.min() < 0.02:
        return  # a zero on the boundary is another test
    coefficients = np.polyint(np.poly(zeros))

    def phi(x):  # the real part of a polynomial with the derivative prod (z - zero)
        z, value = torch.complex(x[:, 0], x[:, 1]), 0
        for c in coefficients:
            value = value * z + complex(c)
        return value.real

    assert winding(phi, frame(box), pieces=2000) == (-inside.sum(), None)


@pytest.mark.parametrize("at", [(0.3, -1.0), (1.0, 0.25), (0.0, -1.0), (-1.0, -1.0)])
def test_a_zero_on_the_curve_is_reported_with_its_place(at):
    centre = torch.tensor(at)
    turns, zero = winding(lambda x: ((x - centre) ** 2).sum(1), frame([[-1, 1], [-1, 1]]))
    assert turns is None
    np.testing.assert_allclose(zero, at, atol=1e-9)  # 40 bisections of a piece


def test_on_an_interval_half_the_sign_at_the_upper_end_less_that_at_the_lower_counts():
    ends = frame([[-1, 2]])
    assert winding(lambda x: x**2, ends) == (1, None)
    assert winding(lambda x: -(x**2), ends) == (-1, None)
    assert winding(lambda x: x**3 / 3 + x, ends) == (0, None)
    turns, zero = winding(lambda x: (x + 1) ** 2, ends)
    assert turns is None and zero == [-1]


def test_frame_walks_once_around_the_box_anticlockwise():
    x = frame([[-1, 3], [0, 1]])(np.linspace(0, 1, 4001))
    area = np.sum(x[:-1, 0] * np.diff(x[:, 1]) - x[:-1, 1] * np.diff(x[:, 0])) / 2
    assert area == pytest.approx(4, rel=1e-12)  # the shoelace formula is exact for polygons
    np.testing.assert_array_equal(x[0], x[-1])


def test_cells_turn_where_the_zeros_are():
    box = [[-2, 2], [-2, 2.05]]
    turns = winding_numbers(gradient(lambda x: torch.sin(3 * x).prod(1), grid(box, 40)))
    x = -2 + (np.argwhere(turns) + 0.5) * [4 / 40, 4.05 / 40]
    s, t = np.meshgrid(*[math.pi / 6 * np.arange(-3, 4)] * 2, indexing="ij")
    zeros = np.stack([s, t], -1)[(np.indices(s.shape).sum(0) % 2) == 0]
    gaps = np.linalg.norm(x[:, None] - zeros, axis=-1)
    assert len(x) == len(zeros) and gaps.min(1).max() < 4.05 / 40
    even = np.indices(s.shape)[0][(np.indices(s.shape).sum(0) % 2) == 0] % 2 == 1
    assert turns.sum() == (~even).sum() - even.sum()


def test_the_turns_of_cells_add_up_to_those_of_their_boundary():
    g = np.random.default_rng(0).normal(size=(9, 7, 2))  # a field as rough as can be
    edge = np.concatenate([g[:-1, 0], g[-1, :-1], g[:0:-1, -1], g[0, :0:-1], g[:1, 0]])
    turn = np.diff(np.arctan2(edge[:, 1], edge[:, 0]))
    total = ((turn + math.pi) % (2 * math.pi) - math.pi).sum() / (2 * math.pi)
    assert winding_numbers(g).sum() == pytest.approx(total, abs=1e-12)  # rounding


def test_derivatives_are_those_of_calculus():
    x = np.random.default_rng(0).normal(size=(50, 2))
    value, slope, hessian = derivatives(lambda x: torch.sin(x[:, 0]) * x[:, 1] ** 2, x)
    s, c, y = np.sin(x[:, 0]), np.cos(x[:, 0]), x[:, 1]
    exact = {"rtol": 1e-13, "atol": 1e-15}  # rounding
    np.testing.assert_allclose(value, s * y**2, **exact)
    np.testing.assert_allclose(slope, np.stack([c * y**2, 2 * s * y], 1), **exact)
    expected = np.array([[-s * y**2, 2 * c * y], [2 * c * y, 2 * s]]).transpose(2, 0, 1)
    np.testing.assert_allclose(hessian, expected, **exact)


def test_many_samples_in_pieces_are_the_same_as_at_once():
    x = np.random.default_rng(0).normal(size=(3, 20_000, 2))
    g = gradient(lambda x: (x**2).sum(1) / 2, x)
    np.testing.assert_array_equal(g, x)


def test_a_piecewise_linear_map_has_no_curvature():
    x = np.random.default_rng(0).normal(size=(20, 2))
    _, slope, hessian = derivatives(lambda x: torch.relu(x).sum(1), x)
    np.testing.assert_array_equal(slope, x > 0)
    assert not hessian.any()


def test_the_grid_has_the_first_coordinate_first():
    x = grid([[0, 1], [0, 2]], 4)
    assert x.shape == (5, 5, 2)
    np.testing.assert_array_equal(x[3, 1], [0.75, 0.5])
    assert grid([[0, 1]], 3).shape == (4, 1)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: winding_numbers(np.zeros((3, 3))), "g"),
        (lambda: winding_numbers(np.zeros((3, 3, 3))), "g"),
        (lambda: winding_numbers(np.zeros((1, 3, 2))), "g"),
        (lambda: winding_numbers(np.full((3, 3, 2), math.nan)), "g"),
        (lambda: frame([[0, 0], [0, 1]]), "box"),
        (lambda: grid([[2, 1]], 3), "box"),
        (lambda: circle("here", 1.0), "centre"),
        (lambda: derivatives(lambda x: x, np.zeros((3, 2))), "phi"),
        (lambda: derivatives(lambda x: torch.ones(3), np.zeros((3, 2))), "phi"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
