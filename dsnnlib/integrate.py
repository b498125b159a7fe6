"""Fixed-step Runge-Kutta integration, for numpy arrays and torch tensors alike."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dsnnlib._checks import array


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge-Kutta method.

    Stage i is evaluated at ``t + c[i] dt`` and ``y + dt sum_j a[i][j] k_j``; the
    step is ``dt sum_i b[i] k_i``; the global error is O(dt**order).
    """

    a: tuple
    b: tuple
    c: tuple
    order: int


EULER = Tableau(a=((),), b=(1,), c=(0,), order=1)
MIDPOINT = Tableau(a=((), (1 / 2,)), b=(0, 1), c=(0, 1 / 2), order=2)
RK4 = Tableau(
    a=((), (1 / 2,), (0, 1 / 2), (0, 0, 1)),
    b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    c=(0, 1 / 2, 1 / 2, 1),
    order=4,
)


def step(field, t, y, dt, method=RK4):
    """One Runge-Kutta step of y' = field(t, y) from (t, y).

    Parameters
    ----------
    field : callable
        ``field(t, y)``, of the type and shape of `y`.
    t, dt : float
        Time and step (negative steps go backwards).
    y : array or tensor
        State, any shape.
    method : Tableau
        EULER, MIDPOINT, RK4 or one's own.

    Returns
    -------
    array or tensor
        The state at t + dt.
    """
    stages = []
    for row, c in zip(method.a, method.c, strict=True):
        stages.append(field(t + c * dt, combine(y, dt, row, stages)))
    return combine(y, dt, method.b, stages)


def trajectory(field, y0, times, *, method=RK4):
    """Yield the solution of y' = field(t, y), y(times[0]) = y0, at each of `times`.

    One step is taken from each time to the next, so the grid is the step size:
    the error is O(max(diff(times))**method.order). A generator, so that a long
    run need not be stored.

    Parameters
    ----------
    field : callable
        ``field(t, y)``, of the type and shape of `y`.
    y0 : array or tensor
        Initial state, any shape.
    times : (n,) array
        Strictly monotone grid, n >= 1.
    method : Tableau
        EULER, MIDPOINT, RK4 or one's own.

    Raises
    ------
    ValueError
        If `times` is empty, not 1-D, not finite or not strictly monotone.

    Examples
    --------
    >>> *_, end = trajectory(lambda t, y: y, 1.0, np.linspace(0, 1, 101))
    >>> f"{end:.8f}"
    '2.71828183'
    """
    times = array("times", times, ndim=1)
    gaps = np.diff(times)
    if not ((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError("times goes back and forth or stands still; it must be monotone")
    return _states(field, y0, times.tolist(), method)


def _states(field, y, times, method):
    yield y
    for t, following in pairwise(times):
        y = step(field, t, y, following - t, method)
        yield y


def combine(y, dt, weights, stages):
    """The state y + dt * (sum of the stages by their weights), as a Runge-Kutta step needs it."""
    for weight, stage in zip(weights, stages, strict=True):
        if weight:
            y = y + (dt * weight) * stage
    return y
