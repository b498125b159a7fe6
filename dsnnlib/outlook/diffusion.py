r"""Diffusion models: data forget themselves in noise, and the score runs the film backwards.

Forward, :math:`dx=-x\,dt+\sqrt2\,dW`: the Ornstein-Uhlenbeck process, with
:math:`x_t=e^{-t}x_0+\sqrt{1-e^{-2t}}\,z`. Time t is that of the
forward process throughout; samplers run from large t to small.
"""

from itertools import pairwise

import numpy as np

from dsnnlib import integrate
from dsnnlib._checks import array, finite, generator, shaped


def diffused(data, t):
    """The law p_t at the time t >= 0, of the forward process from a `GaussianMixture`."""
    t = finite("t", t)
    if t < 0:
        raise ValueError(f"t is {t:g}; it must not be negative")
    return data.noised(np.exp(-t), np.sqrt(-np.expm1(-2 * t)))


def exact_score(data):
    """The function score(t, x), gradient of log p_t, of a `GaussianMixture`."""
    return lambda t, x: diffused(data, t).score(x)


def reverse(score, x, times, *, gamma=1.0, rng):
    r"""Run the diffusion backwards by Euler-Maruyama, and yield the state at each time.

    .. math:: dx=[x+(1+\gamma)\,\nabla\log p_t(x)]\,d\tau+\sqrt{2\gamma}\,dW,\qquad \tau=T-t

    For the exact score and x of the law p_T, the exact solution has the law p_t at each time t,
    whatever gamma >= 0. Euler-Maruyama errs by O(dt) in law. Here gamma = 1 is the time
    reversal of the forward process, and gamma = 0 the probability flow.

    Parameters
    ----------
    score : callable
        ``score(t, x)`` -> array of the shape of x.
    x : (n, d) array
        States at times[0] = T.
    times : (k,) array
        Falling, >= 0; one step from each to the next.
    gamma : float
        Strength of the noise, >= 0.
    rng : numpy.random.Generator
        For the noise.

    Raises
    ------
    ValueError
        If times do not fall or are negative, gamma is negative, or the score has another shape.
    ArithmeticError
        If the score is not finite.

    References
    ----------
    Anderson (1982); Song et al., arXiv:2011.13456. Page: outlook/generative models.
    """
    x, times, gamma = array("x", x), falling("times", times), finite("gamma", gamma)
    if gamma < 0:
        raise ValueError(f"gamma is {gamma:g}; it must not be negative")
    return _reverse(score, x, times.tolist(), gamma, generator("rng", rng))


def _reverse(score, x, times, gamma, rng):
    yield x
    for t, following in pairwise(times):
        dt = t - following
        x = x + dt * (x + (1 + gamma) * _finite(score, t, x))
        if gamma > 0:
            x = x + np.sqrt(2 * gamma * dt) * rng.normal(size=x.shape)
        yield x


def probability_flow(score, x, times, *, method=integrate.RK4):
    r"""Run the probability-flow equation backwards, and yield the state at each time.

    .. math:: \frac{dx}{dt}=-x-\nabla\log p_t(x)

    Parameters
    ----------
    score : callable
        ``score(t, x)`` -> array of the shape of x.
    x : (n, d) array
        States at times[0].
    times : (k,) array
        Falling, >= 0; the error is O(dt**method.order).
    method : integrate.Tableau

    Raises
    ------
    ValueError
        If times do not fall or are negative, or the score has another shape.
    ArithmeticError
        If the score is not finite.
    """
    x, times = array("x", x), falling("times", times)

    return integrate.trajectory(lambda t, x: -x - _finite(score, t, x), x, times, method=method)


def _finite(score, t, x):
    s = shaped("score(t, x)", score(t, x), x.shape)
    if not np.isfinite(s).all():
        raise ArithmeticError(f"score(t, x) holds NaN or infinity at t = {t:g}")
    return s


def falling(name, times):
    """Return `times` as an array; refuse what does not fall strictly, or below zero."""
    times = array(name, times, ndim=1)
    if not ((np.diff(times) < 0).all() and times[-1] >= 0):
        raise ValueError(f"{name} must fall from one to the next and not be negative")
    return times
