"""The doorman: who is let in, and how the others are refused."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib._checks import (
    array,
    count,
    definite,
    finite,
    fraction,
    generator,
    positive,
    positives,
    shaped,
    symmetric,
)

MATRIX = np.ones((3, 3))  # its repr has three lines


@pytest.mark.parametrize(
    ("check", "value", "result"),
    [
        (positive, 0.5, 0.5),
        (positive, 3, 3.0),
        (positive, 5e-324, 5e-324),
        (positive, np.float32(0.5), 0.5),
        (positive, np.int64(3), 3.0),
        (positive, Fraction(1, 4), 0.25),
        (finite, -2.5, -2.5),
        (finite, 0, 0.0),
        (fraction, 0, 0.0),
        (fraction, math.nextafter(1, 0), 1 - 2**-53),
    ],
)
def test_a_good_number_comes_back_as_a_float(check, value, result):
    assert check("x", value) == result
    assert type(check("x", value)) is float


@pytest.mark.parametrize("check", [positive, finite, fraction])
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, True, np.True_, "1", None, 1j, [0.5], MATRIX],
    ids=lambda value: "matrix" if value is MATRIX else repr(value),
)
def test_what_is_not_a_finite_real_number_is_refused_in_one_line(check, value):
    with pytest.raises(ValueError, match=r"^x is .*; it must be a") as refusal:
        check("x", value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("check", "value"),
    [(positive, 0), (positive, -0.0), (positive, -5e-324), (fraction, 1), (fraction, -5e-324)],
)
def test_a_number_out_of_range_is_refused(check, value):
    with pytest.raises(ValueError, match=r"^x is .*; it must be"):
        check("x", value)


@pytest.mark.parametrize(("value", "least"), [(1, 1), (np.int64(7), 1), (0, 0), (5, 5)])
def test_a_whole_number_comes_back_as_an_int(value, least):
    assert count("k", value, least=least) == value
    assert type(count("k", value, least=least)) is int


@pytest.mark.parametrize(
    ("value", "least"),
    [
        (0, 1),
        (-1, 0),
        (4, 5),
        (2.0, 1),
        (np.float64(2), 1),
        (True, 1),
        ("2", 1),
        (None, 1),
        (np.ones((3, 3), dtype=int), 1),
    ],
    ids=lambda value: str(value)[:4],
)
def test_what_is_no_count_is_refused_in_one_line(value, least):
    with pytest.raises(
        ValueError, match=rf"^k is .*; .* whole number, at least {least}"
    ) as refusal:
        count("k", value, least=least)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (0.5, np.array(0.5)),
        (range(3), np.array([0.0, 1.0, 2.0])),
        (((1, 2), (3, 4)), np.array([[1.0, 2.0], [3.0, 4.0]])),
        (np.float32([1, 2]), np.array([1.0, 2.0])),
        (torch.ones(3, 3), MATRIX),
    ],
    ids=["float", "range", "tuples", "float32", "tensor"],
)
def test_numbers_come_back_as_a_float_array_of_their_shape(value, result):
    returned = array("a", value)
    assert returned.dtype == np.float64
    np.testing.assert_array_equal(returned, result, strict=True)


@pytest.mark.parametrize(
    ("value", "ndim"),
    [
        ([], None),
        ([[]], None),
        ([1, math.nan], None),
        (math.inf, None),
        (None, None),
        ("wide", None),
        ("1.5", None),
        (["1", "2"], None),
        ([[1, 2], [3]], None),
        (1j, None),
        (np.array([1 + 1j, 2]), None),
        ({"a": 1}, None),
        (1.0, 1),
        ([1.0], 2),
        ([[1.0]], 1),
    ],
    ids=str,
)
def test_what_is_no_array_of_real_finite_numbers_is_refused_in_one_line(value, ndim):
    with pytest.raises(ValueError, match=r"^a .*; it must") as refusal:
        array("a", value, ndim=ndim)
    assert "\n" not in str(refusal.value)


@settings(derandomize=True, deadline=None)
@given(st.floats() | st.integers(-(2**53), 2**53))
def test_positive_lets_in_exactly_the_positive_finite_numbers(value):
    if 0 < value < math.inf:
        assert positive("x", value) == value
    else:
        with pytest.raises(ValueError, match=r"^x is"):
            positive("x", value)


def test_what_has_the_right_shape_comes_back_as_it_is():
    value = np.ones((2, 3))
    assert shaped("x", value, (2, 3)) is value
    with pytest.raises(ValueError, match=r"^x has the shape \(2, 3\); it must be \(3,\)$"):
        shaped("x", value, (3,))


@pytest.mark.parametrize("check", [symmetric, definite])
def test_a_good_matrix_comes_back_as_floats(check):
    result = check("x", [[2, 1], [1, 2]])
    assert result.dtype == float
    np.testing.assert_array_equal(result, [[2, 1], [1, 2]])


@pytest.mark.parametrize("check", [symmetric, definite])
@pytest.mark.parametrize("value", [[[1, 2], [0, 1]], np.ones((2, 3)), [1.0, 2.0], [[math.nan]]])
def test_what_is_not_a_symmetric_matrix_is_refused(check, value):
    with pytest.raises(ValueError, match=r"^x h.*; it must") as refusal:
        check("x", value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [[[0.0]], [[1.0, 2.0], [2.0, 1.0]], -np.eye(2)])
def test_what_is_not_positive_definite_is_refused(value):
    with pytest.raises(
        ValueError, match=r"^x has the eigenvalue .*; it must be positive definite$"
    ):
        definite("x", value)


def test_positives_lets_in_arrays_of_positive_numbers_alone():
    assert positives("eta", [[1, 2.5]]).tolist() == [[1.0, 2.5]]
    assert positives("eta", 3).shape == ()
    for value in ([1, 0], -1.0, [1, np.nan], [], "a"):
        with pytest.raises(ValueError, match=r"^eta ") as refusal:
            positives("eta", value)
        assert "\n" not in str(refusal.value) and "np.float64" not in str(refusal.value)


def test_a_generator_comes_back_as_it_is():
    rng = np.random.default_rng(0)
    assert generator("rng", rng) is rng


@pytest.mark.parametrize("value", [0, None, np.random, np.random.RandomState(0), MATRIX])
def test_what_is_no_generator_is_refused_in_one_line(value):
    with pytest.raises(ValueError, match=r"^rng is .*; it must be a numpy.random.Generator$") as no:
        generator("rng", value)
    assert "\n" not in str(no.value)
