r"""Particles in a double well that attract each other's mean (Desai and Zwanzig).

.. math:: dX_i = \bigl(X_i-X_i^3-b\,(X_i-\bar X)\bigr)dt+\sqrt{2D}\,dW_i

The limit of infinitely many has one stationary law or three; N of them have one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import array, count, generator, positive, shown

_X, _WEIGHTS = np.polynomial.legendre.leggauss(400)
_REACH = 6.0  # the densities below are under 1e-100 of their maximum beyond, for D <= 1


@dataclass(frozen=True)
class DoubleWellGas:
    r"""The gas with attraction b and noise D.

    A stationary law of the limit has the density
    :math:`\pi_m\propto\exp(-(x^4/4-x^2/2+b(x-m)^2/2)/D)` with its own mean m.

    Parameters
    ----------
    b : float
        Attraction, > 0.
    D : float
        Noise, between 0.01 and 1 (so that a fixed quadrature serves all).

    References
    ----------
    Dawson, Journal of Statistical Physics 31 (1983) 29-85. Page: mean field/exchangeable neurons.
    """

    b: float
    D: float

    def __post_init__(self):
        positive("b", self.b)
        if not 0.01 <= positive("D", self.D) <= 1:
            raise ValueError(f"D is {shown(self.D)}; it must be between 0.01 and 1")

    def moments(self, m):
        """Mean and variance of pi_m, for each m; by Gauss-Legendre quadrature."""
        x, p = self._density(m)
        mean = (p * x).sum(-1)
        return mean, (p * (x - mean[..., None]) ** 2).sum(-1)

    def magnetisation(self):
        """The largest m with mean(pi_m) = m: positive below the critical noise, else 0."""
        if self.b * self.moments(0.0)[1] <= self.D:
            return 0.0
        low = 1e-3
        while self.moments(low)[0] < low:
            low /= 2
        return brentq(lambda m: self.moments(m)[0] - m, low, _REACH / 2, xtol=1e-14)

    def free_energy(self, m):
        r"""Phi(m): N particles in equilibrium have X-bar + xi sqrt(D / (b N)) ~ exp(-N Phi(m)).

        .. math:: \Phi(m) = -\log\int e^{-(x^4/4-x^2/2+b(x-m)^2/2)/D}\,dx

        with a standard normal xi that is independent of the particles. This is exact for each
        N (Hubbard and Stratonovich): :math:`e^{bN\bar X^2/2D}` is a mixture of
        :math:`e^{bNm\bar X/D}` over a Gaussian m.
        """
        exponent, top = self._exponent(m)
        return -np.log((_WEIGHTS * _REACH * np.exp(exponent)).sum(-1)) - top[..., 0]

    def mean_square(self, N):
        """E X-bar^2 of N particles in equilibrium, exact up to quadrature."""
        N = count("N", N)
        m = np.linspace(-1, 1, 8001) * (2.5 + 8 * (self.D / (self.b * N)) ** 0.5)
        phi = self.free_energy(m)
        density = np.exp(-N * (phi - phi.min()))
        return float((density * m**2).sum() / density.sum() - self.D / (self.b * N))

    def drift(self, x):
        """X - X^3 - b (X - X-bar), for particles along the last axis."""
        return x * (1 - x * x) - self.b * (x - x.mean(-1, keepdims=True))

    def simulate(self, start, dt, steps, rng):
        r"""Yield the particles after each step; the start, of shape (..., N), comes first.

        The step is Euler-Maruyama's, but each noise is the mean of this step's and the next
        one's normal numbers. For a force that is a gradient, as here, stationary averages are then
        exact up to O(dt^2) (Leimkuhler and Matthews 2013).

        Raises
        ------
        ValueError
            If dt is not positive, or steps not a whole number, or rng no generator.
        """
        x = array("start", np.atleast_1d(start))
        dt, steps = positive("dt", dt), count("steps", steps)
        return self._states(x, dt, steps, generator("rng", rng))

    def _states(self, x, dt, steps, rng):
        size = np.sqrt(2 * self.D * dt) / 2
        old = rng.normal(size=x.shape)
        yield x
        for _ in range(steps):
            new = rng.normal(size=x.shape)
            x = x + dt * self.drift(x) + size * (old + new)
            old = new
            yield x

    def _exponent(self, m):
        x, m = _REACH * _X, np.asarray(m, dtype=float)[..., None]
        exponent = -(x**4 / 4 - x**2 / 2 + self.b * (x - m) ** 2 / 2) / self.D
        top = exponent.max(-1, keepdims=True)
        return exponent - top, top

    def _density(self, m):
        exponent, _ = self._exponent(m)
        p = _WEIGHTS * np.exp(exponent)
        return _REACH * _X, p / p.sum(-1, keepdims=True)


def critical_noise(b):
    """D_c(b): the root of b Var(pi_0) = D, below which the limit has three stationary laws.

    Raises
    ------
    ValueError
        If b is not positive, or so large that D_c exceeds 1.
    """
    b = positive("b", b)

    def excess(D):
        return b * DoubleWellGas(b, D).moments(0.0)[1] - D

    if excess(1.0) >= 0:
        raise ValueError(f"b is {shown(b)}; it must be smaller, for a critical noise of at most 1")
    return brentq(excess, 0.02, 1.0, xtol=1e-14)
