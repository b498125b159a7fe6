r"""When and how far oscillators synchronise: critical couplings and self-consistent order.

Kuramoto's model :math:`\dot\phi_i=\omega_i+\frac KN\sum_jA_{ij}\sin(\phi_j-\phi_i)` in the limit of
many oscillators.
"""

from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ive

from dsnnlib._checks import array, finite, positive


def critical_coupling(peak, lam=1.0):
    r"""Coupling :math:`K_c=2/(\pi g(0)\lambda_{\max})` at which incoherence loses its stability.

    Parameters
    ----------
    peak : float
        g(0), the density of the frequencies at their centre, > 0.
    lam : float
        Largest eigenvalue of the graphon, > 0; 1 for all-to-all coupling.

    References
    ----------
    Chiba and Medvedev, arXiv:1612.06493. Page: mean_field/kuramoto networks.
    """
    return 2 / (np.pi * positive("peak", peak) * positive("lam", lam))


def locked_order(K, density, breaks=()):
    r"""Order r of the partially synchronised state, all to all.

    The largest root of

    .. math:: 1=K\int_{-\pi/2}^{\pi/2}\cos^2\theta\;g(Kr\sin\theta)\,d\theta ,\qquad 0<r\le1,

    or 0 if there is none.

    Parameters
    ----------
    K : float
        Coupling, > 0.
    density : callable
        Even density g of the frequencies, ``density(omega)``.
    breaks : sequence of floats
        Positive frequencies at which g jumps or bends.
    """
    K, peak = positive("K", K), density(0.0)
    if peak > 0:  # for large K the peak is narrow in theta: decades from its width on
        breaks = [*breaks, *0.5 / peak * 10.0 ** np.arange(np.log10(2 * peak * K))]

    def gain(r):
        at = [np.arcsin(b / (K * r)) for b in breaks if b < K * r]
        return 2 * K * _integral(lambda t: np.cos(t) ** 2 * density(K * r * np.sin(t)), at) - 1

    grid = np.append(np.linspace(1.005, 0.005, 201), 1e-4)  # gain(r) <= 1/r - 1
    for high, low in pairwise(grid):
        if gain(high) <= 0 < gain(low):
            return min(1.0, float(brentq(gain, low, high, xtol=1e-14)))
    return 0.0


def noisy_order(K, D):
    r"""Order of identical oscillators with noise: the root of :math:`r=I_1(Kr/D)/I_0(Kr/D)`.

    It is 0 for :math:`K\le2D`.

    Parameters
    ----------
    K, D : floats
        Coupling and noise (of strength sqrt(2 D) dW), > 0.
    """
    ratio = positive("K", K) / positive("D", D)
    if ratio <= 2:
        return 0.0
    low = 1e-9 * np.sqrt(1 - 2 / ratio)
    return float(brentq(lambda r: ive(1, ratio * r) / ive(0, ratio * r) - r, low, 1, xtol=1e-15))


def rank_one_order(K, weight, points, *, delta=1.0):
    r"""Local order :math:`r(x)` on the graphon :math:`W(x,y)=w(x)w(y)` with Lorentzian frequencies.

    Each vertex is driven by :math:`h=w(x)R`, :math:`R=\int w\,r`, and answers with the
    stationary :math:`r=(\sqrt{\Delta^2+K^2h^2}-\Delta)/(Kh)`; R solves one equation.

    Parameters
    ----------
    K : float
        Coupling, > 0.
    weight : (m,) array
        w at quadrature nodes, >= 0.
    points : (m,) array
        Weights of the quadrature in x, which sum up to 1.
    delta : float
        Half-width of the frequencies, > 0.

    Returns
    -------
    (m,) array
        r at the nodes; zero if K is at most 2 delta / int w^2.
    """
    weight, points = array("weight", weight, ndim=1), array("points", points, ndim=1)
    K, delta = positive("K", K), positive("delta", delta)
    square = float(points @ weight**2)
    if K * square <= 2 * delta:
        return np.zeros_like(weight)

    def local(R):
        pull = K * weight * R
        return pull / (delta + np.sqrt(delta**2 + pull**2))

    low = 1e-9 * np.sqrt(1 - 2 * delta / (K * square))
    R = brentq(lambda R: points @ (weight * local(R)) / R - 1, low, points @ weight)
    return local(R)


def incoherent_growth(K, lam=1.0, *, delta=0.0, D=0.0):
    r"""Rate :math:`\tfrac12K\lambda-\Delta-D` at which a small order of the first harmonic grows.

    For Lorentzian frequencies of half-width delta, noise D, and the eigenvalue lam of
    the graph's action. With both it is K lam / 2 - delta - D.
    """
    return finite("K", K) * np.asarray(lam) / 2 - finite("delta", delta) - finite("D", D)


def _integral(function, breaks):
    """Over [0, pi/2], with break points."""
    return quad(function, 0, np.pi / 2, points=breaks or None, epsabs=1e-13, epsrel=1e-12)[0]
