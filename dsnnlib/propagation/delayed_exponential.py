r"""The delayed exponential, and the thresholds and rates that come from it.

.. math:: p'(t) = -K\,p(t-\tau), \qquad p = 1 \ \text{on}\ [-\tau, 0]

Of all solutions of K-Lipschitz delay equations with constant histories, differences shrink fastest
like p: at its first zero the past can be erased. Page: propagation/memory.
"""

import math
from collections import deque
from itertools import islice
from numbers import Integral
from operator import mul

import numpy as np
from scipy.optimize import brentq
from scipy.special import lambertw

from dsnnlib._checks import array, count, positive, shown


def delayed_exponential(t, K, tau):
    r"""The solution p of p' = -K p(t - tau) with p = 1 on [-tau, 0], exactly.

    .. math:: p(t) = \sum_{j\ge0} \frac{(-K)^j\,(t-(j-1)\tau)_+^j}{j!}
              = \sum_{i=0}^{n+1} \frac{(-Ks)^i}{i!}\,p((n-i)\tau), \qquad t = n\tau+s

    The second form, Taylor's around the last breaking point, does not cancel and is the one used.

    Parameters
    ----------
    t : array
        Times >= -tau, any shape.
    K, tau : float
        Rate and delay, > 0.

    Returns
    -------
    array
        Of the shape of t.

    Raises
    ------
    ValueError
        If a time lies before -tau, or an argument makes no sense.
    """
    t, K, tau = array("t", t), positive("K", K), positive("tau", tau)
    if t.min() < -tau:
        raise ValueError(f"t goes down to {t.min():.6g}; it must not lie before -tau = {-tau:.6g}")
    n = np.maximum(np.floor(t / tau).astype(int), -1)
    s, last = t - n * tau, max(int(n.max()), 0)
    scaled = np.array(list(islice(_knots(K * tau), last + 2)))
    knots = scaled * np.exp(-np.arange(-1.0, last + 1))  # p(-tau), p(0), p(tau), ...
    term, total = np.ones_like(s), knots[n + 1]
    for i in range(1, last + 2):
        term = term * (-K * s / i)
        total = total + np.where(i <= n + 1, term * knots[np.maximum(n + 1 - i, 0)], 0.0)
    return total


def first_zero(K, tau):
    """The first zero t_0 of the delayed exponential; infinity if K tau <= 1/e.

    Up to t_0 the delayed exponential decreases. t_0 grows like tau pi / sqrt(2 (e K tau - 1)) as
    K tau falls to 1/e, and so does the time that this takes.

    >>> first_zero(1.0, 1.0), first_zero(0.3, 1.0)
    (1.0, inf)
    """
    K, tau = positive("K", K), positive("tau", tau)
    k = K * tau
    if k * math.e <= 1:
        return math.inf
    scaled = []
    for value in _knots(k):
        if value <= 0:
            break
        scaled.append(value)

    def p(s):  # e^n p(n tau + s tau), by Taylor's formula
        weight, total = 1.0, 0.0
        for i, knot in enumerate(reversed(scaled[-60:]), start=1):
            total += weight * knot
            weight *= -k * math.e * s / i
        return total

    return tau * (len(scaled) - 2 + brentq(p, 0.0, 1.0, xtol=1e-14, rtol=1e-14))


def kappa(n):
    r"""The threshold of memory for the horizon n tau, to rounding.

    The smallest root k of :math:`p(n\tau)=\sum_{j=0}^n(-k)^j(n-j+1)^j/j!`; it decreases to 1/e
    like :math:`\frac1e(1+\frac{\pi^2}{2(n+4/3)^2})`. Found by bisection: below it p is positive at
    tau, 2 tau, ..., n tau, above it is not.

    >>> kappa(1), round(kappa(2), 12), round(kappa(20), 7)
    (1.0, 0.585786437627, 0.3718949)
    """
    n = count("n", n)
    low, high = 1 / math.e, 1.0
    while low < (middle := (low + high) / 2) < high:
        if all(value > 0 for value in islice(_knots(middle), n + 2)):
            low = middle
        else:
            high = middle
    return high


def threshold(T, tau):
    """The rate K_* at which the delayed exponential first vanishes at T; K_* tau = kappa(T / tau).

    >>> threshold(0.25, 1.0), round(threshold(1.5, 1.0), 12)
    (4.0, 0.708497377871)
    """
    T, tau = positive("T", T), positive("tau", tau)
    if tau >= T:
        return 1 / T
    n = T / tau
    low, high = kappa(math.ceil(n) + 1), kappa(math.floor(n))
    return brentq(lambda k: first_zero(k, 1.0) - n, low, high, xtol=1e-15, rtol=1e-14) / tau


def characteristic_root(K, tau, branch=0):
    """A root of z = -K exp(-z tau), complex, by the branch of Lambert's function.

    Branch 0 has the largest real part; it reaches the imaginary axis at K tau = pi / 2.
    """
    k, tau = positive("K", K) * positive("tau", tau), positive("tau", tau)
    if not isinstance(branch, Integral):
        raise ValueError(f"branch is {shown(branch)}; it must be a whole number")
    if branch in (0, -1) and abs(k * math.e - 1) < 1e-15:  # the branch point, where scipy gives NaN
        return complex(-1 / tau)
    return complex(lambertw(-k, branch)) / tau


def special_rate(K, tau):
    """The rate W_0(-K tau) / tau of the special solutions of y' = -K y(t - tau), K tau <= 1/e.

    >>> round(special_rate(0.1, 1.0), 7)
    -0.1118326
    """
    root = characteristic_root(K, tau)
    if root.imag:
        raise ValueError(f"K tau is {K * tau:.6g}; it must not exceed 1/e")
    return root.real


def _knots(k):
    """e^n p(n tau) for n = -1, 0, 1, ... at K tau = k: scaled, since p decays like e^-n."""
    weights = [math.e]
    while abs(weights[-1]) > 1e-20 * math.e:
        weights.append(weights[-1] * -k * math.e / len(weights))
    recent = deque([1.0, math.exp(-1)], maxlen=len(weights))
    yield from reversed(recent)
    while True:
        recent.appendleft(sum(map(mul, weights, recent)))
        yield recent[0]
