r"""Twisted states on a ring: phases that wind :math:`q` times around, and when they are stable.

Identical oscillators on a ring of length 1, coupled by the sine to all within distance
:math:`\rho` on both sides. The state :math:`u_q(x)=2\pi qx` stands still for every integer q.
"""

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import array, count, finite


def ring_spectrum(q, radius, modes):
    r"""Eigenvalues of the continuum limit at the q-twisted state.

    One for each mode :math:`e^{2\pi ikx}`:

    .. math:: \lambda_k=\int_{-\rho}^\rho\cos(2\pi qx)\,(\cos(2\pi kx)-1)\,dx

    Parameters
    ----------
    q : int
        Winding number.
    radius : float
        Coupling range rho in (0, 1/2].
    modes : (m,) array of ints
        k, the wave numbers of the perturbation.

    Returns
    -------
    (m,) array
        k and -k have the same eigenvalue; k = 0 has 0, a turn of all phases.

    References
    ----------
    Wiley, Strogatz and Girvan, Chaos 16 (2006) 015103.
    """
    k = array("modes", modes)
    radius = finite("radius", radius)
    if not 0 < radius <= 0.5:
        raise ValueError(f"radius is {radius}; it must be in (0, 1/2]")

    def integral(m):
        return 2 * radius * np.sinc(2 * m * radius)

    return (integral(q + k) + integral(q - k)) / 2 - integral(q)


def ring_threshold(q, *, modes=50):
    """Range rho at which the q-twisted state loses its stability as rho grows from 0.

    The first zero of the largest eigenvalue among the modes 1, ..., `modes`.
    """
    q, k = count("q", q), np.arange(1, count("modes", modes) + 1)

    def worst(radius):
        return ring_spectrum(q, radius, k).max()

    grid = np.linspace(0.02, 0.5, 500) / q
    first = next((i for i, radius in enumerate(grid) if worst(radius) > 0), None)
    return 0.5 if first is None else float(brentq(worst, grid[first - 1], grid[first], xtol=1e-14))


def network_spectrum(weights, q):
    r"""Eigenvalues at the q-twisted state of a ring of N oscillators.

    .. math:: \dot\phi_i=\frac1N\sum_{s=0}^{N-1}w_s\sin(\phi_{i+s}-\phi_i),\qquad i+s\bmod N

    Parameters
    ----------
    weights : (N,) array
        w_0, ..., w_{N-1}, with w_s = w_{N-s}.
    q : int

    Returns
    -------
    (N,) array
        For the modes k = 0, ..., N - 1.
    """
    weights = array("weights", weights, ndim=1)
    N = weights.size
    if not np.allclose(weights, np.roll(weights[::-1], 1)):
        raise ValueError("weights is not symmetric, w_s = w_(N-s); the state would rotate")
    bent = weights * np.cos(2 * np.pi * q * np.arange(N) / N) / N
    return np.fft.fft(bent).real - bent.sum()


def winding_number(phi):
    """How often the phases (..., N) of a ring wind around: (...,) ints."""
    steps = np.diff(phi, axis=-1, append=phi[..., :1])
    steps = (steps + np.pi) % (2 * np.pi) - np.pi
    return np.rint(steps.sum(-1) / (2 * np.pi)).astype(int)
