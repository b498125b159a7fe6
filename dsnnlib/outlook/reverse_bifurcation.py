r"""When is it decided? The pitchfork of the reverse drift for data in two groups.

Data :math:`\pm m` with variance s^2, half and half. Along m the sampler of noise gamma
has the drift :math:`x+(1+\gamma)\,\partial_x\log p_t(x)`. With :math:`a=e^{-2t}` and
:math:`v=as^2+1-a` it is

.. math:: b(x)=\Bigl(1-\frac{1+\gamma}v\Bigr)x+\frac{1+\gamma}v\sqrt a\,m\tanh\frac{\sqrt a\,mx}v .

At each time it is frozen, as an autonomous equation, and its equilibria are counted. They are
those in the scale of x: the drift of c(t) x has its pitchfork at another time.
"""

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import ndtr

from dsnnlib._checks import array, count, finite, positive, positives


def drift(t, x, gamma, *, mean=1.0, variance=0.0):
    """The drift b(x) at the time t, in reverse time, for numbers or arrays t > 0 and x."""
    a, v, strength = _constants(t, gamma, mean, variance)
    x = array("x", x)
    return (1 - strength / v) * x + strength / v * np.sqrt(a) * mean * np.tanh(
        np.sqrt(a) * mean * x / v
    )


def slope(t, gamma, *, mean=1.0, variance=0.0):
    """Derivative of the drift at x = 0, where it vanishes; positive: the origin repels."""
    a, v, strength = _constants(t, gamma, mean, variance)
    return 1 - strength / v + strength * a * mean**2 / v**2


def critical_time(gamma, *, mean=1.0, variance=0.0):
    r"""The time at which the origin of the drift loses its stability.

    With q = 1 - s^2 and B = (gamma - 1) q + (1 + gamma) m^2 it is
    :math:`-\frac12\log a_c` for the positive root of :math:`q^2a^2+Ba-\gamma`,

    .. math:: a_c=\frac{2\gamma}{B+\sqrt{B^2+4q^2\gamma}} .

    For two points +-1 that is sqrt(gamma^2 + gamma) - gamma.

    Parameters
    ----------
    gamma : float
        Noise of the sampler, > 0. (Without noise the origin repels at all times.)
    mean : float
        Length of m, positive: half the distance of the groups.
    variance : float
        s^2 >= 0, of each group.

    Raises
    ------
    ValueError
        If an argument is out of range, or the origin attracts at all times t > 0.
    """
    gamma = positive("gamma", gamma)
    _constants(1.0, gamma, mean, variance)
    q = 1 - variance
    B = (gamma - 1) * q + (1 + gamma) * mean**2
    a = 2 * gamma / (B + np.sqrt(B**2 + 4 * q**2 * gamma))
    if a >= 1:
        raise ValueError(f"mean is {mean:g}; it is so small that the origin attracts at all times")
    return float(-np.log(a) / 2)


def equilibrium(t, gamma, *, mean=1.0, variance=0.0):
    r"""The largest equilibrium of the drift: 0 before the pitchfork, positive after.

    Newton's method from the right. For x > 0 the drift is concave, so that the iteration
    falls to the equilibrium and cannot miss it. Without noise the two terms of the drift cancel
    to a relative size a, so t is at most 10 there.
    """
    a, v, _ = _constants(t, gamma, mean, variance)
    if gamma == 0 and np.max(t) > 10:
        raise ValueError(f"t is {np.max(t):g}; without noise it must be at most 10")
    c = np.sqrt(a) * mean / v
    k = (gamma + a * (1 - variance)) / v  # b(x) = (k + 1) sqrt(a) m tanh(c x) - k x
    if (k <= 0).any():
        raise ValueError(f"variance is {variance:g}; at this time there is no equilibrium beyond 0")
    push = (k + 1) * np.sqrt(a) * mean
    splits = push * c > k
    x = push / k
    for _ in range(200):
        tanh = np.tanh(c * x)
        derivative = push * c * (1 - tanh**2) - k
        change = np.where(splits, (push * tanh - k * x) / np.where(splits, derivative, 1), 0)
        x = x - change
        if (np.abs(change) <= 1e-15 * x).all():
            break
    return np.where(splits, x, 0.0)[()]


def agreement(t):
    r"""P(sign x_t = sign x_0) for the forward process from +-1, and so for its time reversal.

    .. math:: \Phi\Bigl(\sqrt{a/(1-a)}\Bigr),\qquad a=e^{-2t}
    """
    t = positives("t", t)
    return ndtr(1 / np.sqrt(np.expm1(2 * t)))


def decided(times, gamma, *, end=0.02, steps=600, cells=1600):
    r"""P(sign x_t = sign at the end) for data +-1 and noise gamma, by Kolmogorov's equation.

    The probability h(t, x) to end above 0, given x_t = x, solves

    .. math:: \partial_th=b_t(x)\,\partial_xh+\gamma\,\partial_x^2h,\qquad h(t_{end},x)=1_{x>0},

    and is averaged over p_t. Implicit Euler on a geometric grid of times, central differences
    on [-6, 6]: the error is O(1/steps).

    Parameters
    ----------
    times : (n,) array
        Between `end` and 6, larger than `end`.
    gamma : float
        Noise of the sampler, > 0.
    end : float
        Time at which the film ends, > 0.
    steps, cells : int
        Of the grids in time and in space; an even number of cells.

    Returns
    -------
    (n,) array

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    times, gamma, end = positives("times", times), positive("gamma", gamma), positive("end", end)
    if not ((times > end) & (times <= 6)).all():
        raise ValueError(f"times must lie between end = {end:g} and 6")
    steps, cells = count("steps", steps), count("cells", cells, least=2)
    if cells % 2:
        raise ValueError(f"cells is {cells}; it must be even, so that 0 is a point of the grid")
    x, dx = np.linspace(-6, 6, cells + 1, retstep=True)
    grid = np.geomspace(end, 1.01 * times.max(), steps + 1)
    above, shares = np.heaviside(x, 0.5), [1.0]
    for t, dt in zip(grid[1:], np.diff(grid), strict=True):
        a = np.exp(-2 * t)
        advection, diffusion = drift(t, x, gamma) / (2 * dx), gamma / dx**2
        bands = np.zeros((3, cells + 1))
        bands[0, 2:] = -dt * (diffusion + advection[1:-1])
        bands[1] = 1 + 2 * dt * diffusion
        bands[1, [0, -1]] = 1  # at the borders the end is certain
        bands[2, :-2] = -dt * (diffusion - advection[1:-1])
        above = solve_banded((1, 1), bands, above)
        law = np.exp(-((np.abs(x) - np.sqrt(a)) ** 2) / (2 * (1 - a)))  # p_t, up to a factor
        law *= 1 + np.exp(-2 * np.abs(x) * np.sqrt(a) / (1 - a))
        right = np.where(x > 0, above, 1 - above)
        shares.append((law * right).sum() / law.sum())
    return np.interp(times, grid, shares)


def _constants(t, gamma, mean, variance):
    t, gamma = positives("t", t), finite("gamma", gamma)
    positive("mean", mean)
    for name, value in (("gamma", gamma), ("variance", finite("variance", variance))):
        if value < 0:
            raise ValueError(f"{name} is {value:g}; it must not be negative")
    a = np.exp(-2 * t)
    return a, a * variance - np.expm1(-2 * t), 1 + gamma
