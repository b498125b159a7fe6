r"""Flow matching with exact velocities: straight lines from noise to data, and their mean.

The path is :math:`x_t=(1-t)x_0+tx_1` with x_0 standard normal and x_1 data, so here t runs
from noise (0) to data (1).
"""

import numpy as np

from dsnnlib._checks import array, fraction


def marginal(data, t):
    """The law of (1 - t) x_0 + t x_1 at 0 <= t < 1, for x_1 of a `GaussianMixture`."""
    t = fraction("t", t)
    return data.noised(t, 1 - t)


def velocity(data, t, x):
    r"""The velocity that flow matching regresses, exactly, at the points x (n, d).

    .. math:: u_t(x)=\E[x_1-x_0\mid x_t=x]=\sum_kP(k\mid x)\Bigl[m_k+
        \frac{ts_k^2-(1-t)}{(1-t)^2+t^2s_k^2}\,(x-tm_k)\Bigr]

    Parameters
    ----------
    data : GaussianMixture
        Law of x_1; its variances may be 0, then it is a finite data set.
    t : float
        Time in [0, 1); t = 1 too, if all variances are positive.
    x : (n, d) array

    Raises
    ------
    ValueError
        If t is out of range.

    References
    ----------
    Lipman, Chen, Ben-Hamu, Nickel, Le (arXiv:2210.02747). Page: outlook/generative models.
    """
    law = data if t == 1 else marginal(data, t)
    x, posterior = array("x", x, ndim=2), law.posterior(x)
    rate = (t * data.variances - (1 - t)) / law.variances
    rated = posterior * rate
    return posterior @ data.means + rated.sum(1, keepdims=True) * x - t * (rated @ data.means)


def diffusion_time(t):
    r"""The time of the forward diffusion with as much noise per signal as the path at t in (0, 1).

    .. math:: e^{-s}=t/\sqrt{t^2+(1-t)^2}
    """
    t = array("t", t)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("t must lie between 0 and 1")
    return np.log1p(((1 - t) / t) ** 2) / 2
