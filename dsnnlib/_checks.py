"""The doorman: one-line refusals of bad input, used by the public functions."""

import math
from numbers import Integral, Real

import numpy as np


def shown(value):
    """The value as an error message shows it: one line, and not too long."""
    value = value.item() if isinstance(value, np.generic) else value
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def positive(name, value):
    """Return `value` as a float; refuse what is not a positive finite number.

    >>> positive("eta", 0.5)
    0.5
    >>> positive("eta", 0)
    Traceback (most recent call last):
    ValueError: eta is 0; it must be a positive finite number
    """
    return _number(name, value, lambda x: x > 0, "a positive finite number")


def finite(name, value):
    """Return `value` as a float; refuse what is not a finite number."""
    return _number(name, value, lambda x: True, "a finite number")


def fraction(name, value):
    """Return `value` as a float; refuse what is not in [0, 1)."""
    return _number(name, value, lambda x: 0 <= x < 1, "a number in [0, 1)")


def count(name, value, *, least=1):
    """Return `value` as an int; refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} is {shown(value)}; it must be a whole number, at least {least}")
    return int(value)


def array(name, value, *, ndim=None):
    """Return `value` as a float array; refuse empty, non-numeric and non-finite ones."""
    try:
        result = np.asarray(value)
        real = result.dtype.kind in "biuf"
    except (TypeError, ValueError, RuntimeError):
        real = False
    if not real:
        raise ValueError(f"{name} is {shown(value)}; it must be an array of real numbers")
    result = result.astype(float)
    if ndim is not None and result.ndim != ndim:
        raise ValueError(f"{name} has {result.ndim} dimensions; it must have {ndim}")
    if result.size == 0:
        raise ValueError(f"{name} is empty; it must hold at least one number")
    if not np.isfinite(result).all():
        raise ValueError(f"{name} holds NaN or infinity; it must be finite")
    return result


def positives(name, value):
    """Return `value` as a float array; refuse what is not finite and positive, entry by entry."""
    result = array(name, value)
    if not (result > 0).all():
        raise ValueError(f"{name} is {shown(result.min())}; it must be positive")
    return result


def shaped(name, value, shape):
    """Return `value`, given or computed by the caller, as it is; refuse another shape."""
    if np.shape(value) != shape:
        raise ValueError(f"{name} has the shape {np.shape(value)}; it must be {shape}")
    return value


def symmetric(name, value):
    """Return `value` as a float array; refuse what is not a symmetric matrix, up to rounding."""
    result = array(name, value, ndim=2)
    if result.shape[0] != result.shape[1] or not np.allclose(result, result.T):
        raise ValueError(f"{name} has the shape {result.shape}; it must be a symmetric matrix")
    return result


def definite(name, value):
    """Return `value` as a float array; refuse what is not a positive definite matrix."""
    result = symmetric(name, value)
    least = np.linalg.eigvalsh(result)[0]
    if least <= 0:
        raise ValueError(f"{name} has the eigenvalue {least:.3g}; it must be positive definite")
    return result


def generator(name, value):
    """Return `value`; refuse what is not a generator of random numbers."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(f"{name} is {shown(value)}; it must be a numpy.random.Generator")
    return value


def _number(name, value, accepts, description):
    good = isinstance(value, Real) and not isinstance(value, bool)
    if not (good and math.isfinite(value) and accepts(value)):
        raise ValueError(f"{name} is {shown(value)}; it must be {description}")
    return float(value)
