r"""Delay differential equations by the method of steps.

.. math:: y'(t) = F(t, y(t), y(t-\tau)), \qquad y(t) = \text{history}(t) \ \text{for}\ t\le0

For numpy arrays, torch tensors and plain numbers alike. Page: propagation/memory.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

import numpy as np

from dsnnlib import integrate
from dsnnlib._checks import array, count, positive, shown


@dataclass(frozen=True)
class Solution:
    """A solution on its grid; called with times in [-tau, horizon], it interpolates.

    Attributes
    ----------
    times : (n + 1,) array
        The grid 0, dt, ..., horizon.
    states, derivatives : (n + 1, ...) array or tensor
        y and y' there; y'(0) is the derivative from the right.
    history : callable
        y on [-tau, 0].
    tau : float
        The delay, of several the longest.
    """

    times: np.ndarray
    states: Any
    derivatives: Any
    history: Callable = attribute(repr=False)
    tau: float

    @property
    def end(self):
        """The state at the horizon."""
        return self.states[-1]

    def __call__(self, t):
        """The state at a time or an array of times, (...) or (n, ...): cubic Hermite."""
        t = array("t", t)
        if t.min() < -self.tau * (1 + 1e-12):
            raise ValueError(f"t is {t.min():.6g}; it must not lie before -tau = {-self.tau:.6g}")
        if t.max() > self.times[-1] * (1 + 1e-12):
            raise ValueError(f"t reaches {t.max():.6g}; it must not exceed {self.times[-1]:.6g}")
        dt, last = self.times[1], len(self.times) - 2
        values = []
        for time in np.atleast_1d(t).ravel().tolist():
            if time < 0:
                values.append(self.history(time))
                continue
            i = min(int(time / dt), last)
            ends = self.states[i], self.states[i + 1], self.derivatives[i], self.derivatives[i + 1]
            values.append(_hermite(time / dt - i, dt, *ends))
        return _stack(values) if t.ndim else values[0]


def solve(field, history, tau, *, horizon, steps, method=integrate.RK4):
    r"""Solve y'(t) = F(t, y(t), y(t - tau)) on [0, horizon] in fixed steps dt = tau / steps.

    The grid contains the breaking points tau, 2 tau, ..., at which the solution is less smooth, so
    that RK4 keeps its order: between grid points the delayed state is the cubic Hermite
    interpolant, :math:`\frac12(y_i+y_{i+1})+\frac{dt}8(f_i-f_{i+1})` at a midpoint.

    Parameters
    ----------
    field : callable
        ``field(t, y, z)`` with z = y(t - tau), of the shape of y; for several delays z is
        stacked, (len(tau), ...). Continuous in t, and smooth within each step.
    history : number, array, tensor or callable
        y on [-tau, 0]: a constant, of any shape, or ``history(t)``, called for t <= 0 only.
    tau : float or tuple of floats
        The delay > 0; several, for example the nodes of a quadrature, all multiples of dt.
    horizon : float
        T > 0, a multiple of dt.
    steps : int
        Steps per delay (per longest delay).
    method : integrate.Tableau
        RK4 has order 4 and EULER order 1 (then the solver is a DenseResNet).

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        If tau, horizon or steps make no sense, or dt does not divide each delay and the horizon.
    ArithmeticError
        If the field or the solution is not finite; it says when.

    References
    ----------
    Bellen and Zennaro, Numerical Methods for Delay Differential Equations, 2003.

    Examples
    --------
    >>> solution = solve(lambda t, y, z: -z, 1.0, 1.0, horizon=2.0, steps=4)
    >>> float(solution.end)  # 1 - t + (t - 1)^2 / 2 at t = 2
    -0.5
    """
    if not callable(field):
        raise ValueError(f"field is {shown(field)}; it must be a function of t, y and y(t - tau)")
    several = isinstance(tau, tuple | list)
    dt, n, lags = _grid(tau if several else [tau], horizon, steps)
    y, past = _start(history)
    states, derivatives = [y], []

    def delayed(i, c):  # y at t_i + c dt - tau
        values = []
        for j in (i - lag for lag in lags):
            if j + c < 0:
                values.append(past((j + c) * dt))
            elif c in (0, 1):
                values.append(states[j + int(c)])
            else:
                values.append(_hermite(c, dt, *states[j : j + 2], *derivatives[j : j + 2]))
        return _stack(values) if several else values[0]

    for i in range(n + 1):
        memory, stages = {}, []
        for row, c in zip(method.a, method.c, strict=True):
            if c not in memory:
                memory[c] = delayed(i, c)
            stages.append(field((i + c) * dt, integrate.combine(y, dt, row, stages), memory[c]))
            if len(stages) == 1:  # y' at t_i, which a delay of one step needs in this step already
                derivatives.append(stages[0])
                if i in (0, n):
                    _check_field(stages[0], y, i * dt)
            if i == n:
                break
        else:
            y = integrate.combine(y, dt, method.b, stages)
            _check_finite(y, (i + 1) * dt)
            states.append(y)
    return Solution(
        dt * np.arange(n + 1), _stack(states), _stack(derivatives), past, dt * max(lags)
    )


def _grid(delays, horizon, steps):
    """The step, the number of steps, and each delay in steps."""
    if not len(delays):
        raise ValueError("tau is empty; it must hold at least one delay")
    delays = [positive("tau", delay) for delay in delays]
    dt = max(delays) / count("steps", steps)
    lags = [_multiple("tau", delay, dt) for delay in delays]
    return dt, _multiple("horizon", positive("horizon", horizon), dt), lags


def _start(history):
    """The state at 0, and the history as a function."""
    y = history(0.0) if callable(history) else history
    if hasattr(y, "detach"):
        if not y.isfinite().all():
            raise ValueError("history holds NaN or infinity; it must be finite")
    else:
        y = float(y) if isinstance(y, float | int) else array("history", y)
        array("history", y)
    return y, history if callable(history) else lambda t: y


def _hermite(s, dt, y0, y1, f0, f1):
    if s == 0.5:
        return 0.5 * (y0 + y1) + (dt / 8) * (f0 - f1)
    r = 1 - s
    slopes = (dt * s * r) * (r * f0 - s * f1)
    return (r * r * (1 + 2 * s)) * y0 + (s * s * (1 + 2 * r)) * y1 + slopes


def _stack(values):
    space = sys.modules["torch"] if hasattr(values[0], "detach") else np
    return space.stack(values)


def _multiple(name, value, dt):
    multiple = round(value / dt)
    if multiple < 1 or abs(value / dt - multiple) > 1e-9 * multiple:
        raise ValueError(f"{name} is {value:.6g}; it must be a multiple of the step {dt:.6g}")
    return multiple


def _check_field(f, y, t):
    if np.shape(f) != np.shape(y):
        raise ValueError(
            f"field gives the shape {tuple(np.shape(f))}; it must be that of the state, "
            f"{tuple(np.shape(y))}"
        )
    _check_finite(f, t)


def _check_finite(y, t):
    if isinstance(y, float):
        finite = math.isfinite(y)
    else:
        finite = (y.isfinite() if hasattr(y, "detach") else np.isfinite(y)).all()
    if not finite:
        raise ArithmeticError(f"field gave NaN or infinity at t = {t:.6g}; it must stay finite")
