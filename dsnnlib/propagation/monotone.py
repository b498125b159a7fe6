r"""Increasing maps of the line: what flows of the line are, and what they must miss.

Every time-T map of a flow of the line is increasing, and every increasing diffeomorphism is one
(`interpolation`). Other functions are missed by `distance_to_increasing`. One field for all times
asks for roots of the map (`fractional_iterate`).
"""

import numpy as np

from dsnnlib._checks import array, finite, fraction, positive, shown


def interpolation(psi):
    """The field on the line whose flow from 0 to t is X_t(x) = x + t (psi(x) - x), 0 <= t <= 1.

    Its time-1 map is psi, so every increasing diffeomorphism of the line is one. The inverse of
    X_t is found by bisection.

    Parameters
    ----------
    psi : callable
        Arrays to arrays, increasing and onto.

    Returns
    -------
    callable
        ``field(t, y)``; raises ArithmeticError where X_t does not reach y.
    """
    if not callable(psi):
        raise ValueError(f"psi is {shown(psi)}; it must be an increasing function of arrays")

    def below(t, x, y):
        return (1 - t) * x + t * psi(x) < y

    def field(t, y):
        y, width = np.asarray(y, dtype=float), 1.0
        while not (below(t, y - width, y).all() and not below(t, y + width, y).any()):
            width *= 2
            if width > 1e9:
                raise ArithmeticError("psi does not reach y; it must be increasing and onto")
        low, high = y - width, y + width
        for _ in range(90):  # 2^-90 of the bracket
            middle = (low + high) / 2
            left = below(t, middle, y)
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        x = (low + high) / 2
        return psi(x) - x

    return field


def distance_to_increasing(values):
    r"""Sup distance of a function to the increasing ones, :math:`\max_{i<j}(f_i-f_j)_+/2`.

    Parameters
    ----------
    values : (..., n) array
        f_1, ..., f_n, at increasing arguments.

    Returns
    -------
    (...) array
        In O(n), by a running maximum.
    """
    values = _sequences(values)
    return (np.maximum.accumulate(values, -1) - values).max(-1) / 2


def best_increasing(values):
    """The increasing sequence at the distance `distance_to_increasing`: (..., n) -> (..., n).

    The mean of the running maximum from the left and of the running minimum from the right.
    """
    values = _sequences(values)
    above = np.maximum.accumulate(values, -1)
    below = np.minimum.accumulate(values[..., ::-1], -1)[..., ::-1]
    return (above + below) / 2


def fractional_iterate(psi, inverse, x, *, multiplier, power):
    r"""Koenigs' iterate :math:`\Psi^p=\lim_n\Psi^{-n}(s^p\,\Psi^n(x))` near the fixed point 0.

    For p = 1/2 it is the only increasing half iterate that is differentiable at 0. The relative
    error is O(Psi^n(x)), and n is chosen such that this is below rounding.

    Parameters
    ----------
    psi, inverse : callables
        Arrays to arrays, inverse to each other; psi(0) = 0.
    x : array
        Points that psi attracts to 0.
    multiplier : float
        s = psi'(0), between 0 and 1.
    power : float
        p; 1/2 gives the half iterate, -1/2 its inverse.

    Raises
    ------
    ValueError
        If s is not between 0 and 1.
    ArithmeticError
        If psi does not contract to 0.
    """
    s, power, x = fraction("multiplier", multiplier), finite("power", power), array("x", x)
    positive("multiplier", multiplier)
    n, small = 0, np.finfo(float).eps * np.abs(x).max()
    while np.abs(x).max() > small:
        x, n = psi(x), n + 1
        if n == 10_000:
            raise ArithmeticError("psi does not contract x to 0 in 10,000 steps; it must")
    x = s**power * x
    for _ in range(n):
        x = inverse(x)
    return x


def _sequences(values):
    values = array("values", values)
    if values.ndim == 0:
        raise ValueError("values has 0 dimensions; it must have at least one")
    return values
