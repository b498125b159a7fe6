r"""Laws of sample gradients on a line, for which stochastic gradient descent can be solved.

At an interpolation solution a step multiplies the distance by I - eta a a^T, where a is the
gradient of the output for the sample drawn. Each class here is a law of a, with the exponents

.. math:: \lambda = \lim\tfrac1n\log\|D_n\cdots D_1\|, \qquad
    \Lambda(p) = \lim\tfrac1n\log\mathbb E\|D_n\cdots D_1\|^p, \qquad
    \mu = \log\max_i|1-\eta\lambda_i|

and the rates at which they change sign. Derived on the page training/stochastic gradient descent.
"""

from functools import cached_property

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import dawsn, xlog1py

from dsnnlib._checks import array, positive, positives

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2  # on [0, 1]


class _ScalarGradient:
    """A random number a with E a^2 = 1, symmetric: one direction normal to the minima.

    Subclasses have `fourth_moment`, `sample` and `exponent`; the law of abs(a) is on [0, `_end`]
    and has the logarithm `_log_density` of its density.
    """

    descent_threshold = 2.0
    """Gradient descent on the expected loss is unstable from 2 / E a^2 on."""

    def descent_exponent(self, eta):
        """The exponent mu = log abs(1 - eta), for each rate."""
        with np.errstate(divide="ignore"):
            return np.log(abs(1 - positives("eta", eta)))

    def moment_exponent(self, p, eta):
        r"""Lambda(p) = log E abs(1 - eta a^2)^p, for each p > -1; by adaptive quadrature.

        The integral is split where eta a^2 = 1. In closed form,
        :math:`\Lambda(2) = \log(1 - 2\eta + \eta^2\,\mathbb E a^4)`.
        """
        p, eta = array("p", p), positive("eta", eta)
        if (p <= -1).any():
            raise ValueError(f"p is {p.min()}; it must be above -1, where the mean is finite")
        means = [self._mean_power(each, eta**-0.5) for each in p.ravel()]
        return np.log(means).reshape(p.shape)[()]

    def _mean_power(self, p, zero):
        """E abs(1 - (a/zero)^2)^p. Near the zero, abs(a - zero)^p is the weight of the rule."""

        def whole(a):
            factor = (zero - a) * (zero + a) / zero**2
            return np.exp(self._log_density(a) + p * np.log(abs(factor)))

        def rest(a):
            return np.exp(self._log_density(a) + p * np.log((zero + a) / zero**2))

        end = self._end
        if zero >= end:
            return _integral(whole, 0, 1) + _integral(whole, 1, end)
        low, high = max(zero - 1, 0), min(zero + 1, end)
        return (
            _integral(whole, 0, min(low, 1))
            + _integral(whole, min(low, 1), low)
            + _integral(rest, low, zero, weight="alg", wvar=(0, p))
            + _integral(rest, zero, high, weight="alg", wvar=(p, 0))
            + _integral(whole, high, end)
        )

    def moment_threshold(self, p):
        """The rate at which Lambda(p) changes sign, for p > 0; p = 2 is the mean square."""
        p = positive("p", p)
        return brentq(
            lambda eta: self.moment_exponent(p, eta),
            1 / (1 + p) ** 2 / 10,
            self.almost_sure_threshold,
            xtol=1e-12,
        )

    @property
    def mean_square_threshold(self):
        """The rate 2 / E a^4 from which the mean square distance grows."""
        return 2 / self.fourth_moment

    @cached_property
    def almost_sure_threshold(self):
        """The rate at which the exponent lambda changes sign."""
        return brentq(self.exponent, 1.0, 4.0, xtol=1e-14, rtol=1e-14)


class GaussianGradient(_ScalarGradient):
    """A standard normal gradient: a ~ N(0, 1)."""

    fourth_moment = 3.0

    def sample(self, size, rng):
        """Independent gradients."""
        return rng.standard_normal(size)

    def exponent(self, eta):
        r"""The exponent lambda = E log abs(1 - eta a^2), with Dawson's function F.

        .. math:: \lambda = \log\eta - \gamma - \log 2 + 4\int_0^{x} F(t)\,dt, \qquad
            x = \frac1{\sqrt{2\eta}} .

        The integral is :math:`\frac{x^2}2\,{}_2F_2(1, 1; \frac32, 2; -x^2)`. It is computed by
        Gauss-Legendre quadrature for x up to 4. Beyond, where F(t) is close to 1/(2t), so is
        :math:`\lambda = -\int_x^\infty(4F(t)-\frac2t)\,dt`, with t = x/u. Error 2e-14 or less.
        """
        x = 1 / np.sqrt(2 * positives("eta", eta))
        near = np.minimum(x, 4.0)
        integral = near * (dawsn(near[..., None] * NODES) @ WEIGHTS)
        large_rate = -2 * np.log(2 * near) - np.euler_gamma + 4 * integral
        t = np.maximum(x, 4.0)[..., None] / NODES
        small_rate = ((2 - 4 * t * dawsn(t)) / NODES) @ WEIGHTS
        return np.where(x < 4, large_rate, small_rate)[()]

    @cached_property
    def best_rate(self):
        """The rate at which lambda is least: 1 / (2 x^2) where Dawson's function is largest."""
        return 1 / (2 * brentq(lambda x: 1 - 2 * x * dawsn(x), 0.5, 1.5, xtol=1e-15) ** 2)

    _end = 60.0  # beyond, the density is below the smallest double

    @staticmethod
    def _log_density(a):
        return np.log(2 / np.pi) / 2 - a * a / 2


class UniformGradient(_ScalarGradient):
    """A gradient that is uniform on [-sqrt(3), sqrt(3)]."""

    fourth_moment = 9 / 5

    def sample(self, size, rng):
        """Independent gradients."""
        return rng.uniform(-(3**0.5), 3**0.5, size)

    def exponent(self, eta):
        r"""The exponent lambda = E log abs(1 - eta a^2), with b = sqrt(3 eta).

        .. math:: \lambda = \frac{(1+b)\log(1+b) - (1-b)\log|1-b| - 2b}b .
        """
        b = np.sqrt(3 * positives("eta", eta))
        # log1p, as b may be small: log abs(1 - b) is that of 1 - b or of b - 1
        return (xlog1py(1 + b, b) - xlog1py(1 - b, np.maximum(-b, b - 2)) - 2 * b) / b

    _end = 3**0.5

    @staticmethod
    def _log_density(a):
        return -np.log(3) / 2


def _integral(function, low, high, **weight):
    return quad(function, low, high, epsabs=1e-13, epsrel=1e-12, limit=200, **weight)[0]
