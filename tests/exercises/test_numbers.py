"""What the checks take as a number, and what they refuse in words."""

import math

import numpy as np
import pytest
from conftest import assert_refused

from dsnnlib.exercises import number


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0)])
def test_one_real_number_is_taken_as_a_float(value):
    assert type(number(value)) is float
    assert number(value) == 2


@pytest.mark.parametrize(
    "value",
    [None, "two", 1 + 2j, np.complex128(2), [1.0, 2.0], [2.0], np.array([2.0]), [[1], [1, 2]]],
)
def test_anything_else_is_refused_in_one_line(value):
    assert_refused(number, value, hint="a number is asked for, not ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    assert_refused(number, value, hint="a finite number is asked for")
