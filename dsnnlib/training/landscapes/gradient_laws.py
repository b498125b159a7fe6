r"""Laws of sample gradients for which stochastic gradient descent can be solved.

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
from scipy.special import dawsn, xlogy

from dsnnlib._checks import array, finite, positive, shown

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2  # on [0, 1]


class _ScalarGradient:
    """A random number a with E a^2 = 1, symmetric: one direction normal to the minima.

    Subclasses have `fourth_moment`, `sample`, `exponent` and `_mean` (of a function of a^2).
    """

    descent_threshold = 2.0
    """Gradient descent on the expected loss is unstable from 2 / E a^2 on."""

    def descent_exponent(self, eta):
        """mu = log abs(1 - eta), for each rate."""
        with np.errstate(divide="ignore"):
            return np.log(abs(1 - _rates(eta)))

    def moment_exponent(self, p, eta):
        r"""Lambda(p) = log E abs(1 - eta a^2)^p, for each p > -1; by adaptive quadrature.

        The integral is split where eta a^2 = 1. In closed form,
        :math:`\Lambda(2) = \log(1 - 2\eta + \eta^2\,\mathbb E a^4)`.
        """
        p, eta = array("p", p), positive("eta", eta)
        if (p <= -1).any():
            raise ValueError(
                f"p is {shown(p.min())}; it must be above -1, where the mean is finite"
            )
        means = [self._mean(lambda t, p=each: abs(1 - eta * t) ** p, 1 / eta) for each in p.ravel()]
        return np.log(means).reshape(p.shape)

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
        r"""lambda = E log abs(1 - eta a^2), with Dawson's function F.

        .. math:: \lambda = \log\eta - \gamma - \log 2 + 4\int_0^{x} F(t)\,dt, \qquad
            x = \frac1{\sqrt{2\eta}} .

        The integral is :math:`\frac{x^2}2\,{}_2F_2(1, 1; \frac32, 2; -x^2)`. It is computed by Gauss-Legendre
        quadrature, on [0, 4] and, in the logarithm of t, beyond; error 1e-14 or less.
        """
        x = 1 / np.sqrt(2 * _rates(eta))
        near, far = np.minimum(x, 4.0), np.maximum(np.log(x / 4), 0)
        integral = near * (dawsn(near[..., None] * NODES) @ WEIGHTS)
        t = 4 * np.exp(far[..., None] * NODES)
        integral += far * ((t * dawsn(t)) @ WEIGHTS)
        return -2 * np.log(2 * x) - np.euler_gamma + 4 * integral

    @cached_property
    def best_rate(self):
        """The rate at which lambda is least: 1 / (2 x^2) where Dawson's function is largest."""
        return 1 / (2 * brentq(lambda x: 1 - 2 * x * dawsn(x), 0.5, 1.5, xtol=1e-15) ** 2)

    @staticmethod
    def _mean(function, split):
        def density(a):
            return function(a * a) * np.exp(-a * a / 2) * (2 / np.pi) ** 0.5

        at = min(split**0.5, 40.0)
        parts = [(0, min(at, 1)), (min(at, 1), at), (at, at + 1), (at + 1, at + 40)]
        return _integral(density, parts)


class UniformGradient(_ScalarGradient):
    """A gradient that is uniform on [-sqrt(3), sqrt(3)]."""

    fourth_moment = 9 / 5

    def sample(self, size, rng):
        """Independent gradients."""
        return rng.uniform(-(3**0.5), 3**0.5, size)

    def exponent(self, eta):
        r"""lambda = E log abs(1 - eta a^2), with b = sqrt(3 eta).

        .. math:: \lambda = \frac{(1+b)\log(1+b) - (1-b)\log|1-b| - 2b}b .
        """
        b = np.sqrt(3 * _rates(eta))
        return (xlogy(1 + b, 1 + b) - xlogy(1 - b, abs(1 - b)) - 2 * b) / b

    @staticmethod
    def _mean(function, split):
        end = 3**0.5
        at = min(split**0.5, end)
        return _integral(lambda a: function(a * a) / end, [(0, at), (at, end)])


class OrthogonalGradients:
    """N orthogonal gradients, so that each sample moves a direction of its own.

    Parameters
    ----------
    squares : (N,) array
        Squared norms of the gradients, > 0.
    probabilities : (N,) array, optional
        With which the samples are drawn; uniform unless given.

    Raises
    ------
    ValueError
        If a square or probability is not positive, or probabilities do not sum to one.
    """

    def __init__(self, squares, probabilities=None):
        self.squares = array("squares", squares, ndim=1)
        size = len(self.squares)
        if probabilities is None:
            probabilities = np.full(size, 1 / size)
        self.probabilities = array("probabilities", probabilities, ndim=1)
        for name, value in (("squares", self.squares), ("probabilities", self.probabilities)):
            if (value <= 0).any():
                raise ValueError(f"{name} holds {shown(value.min())}; it must be positive")
        if len(self.probabilities) != size or abs(self.probabilities.sum() - 1) > 1e-12:
            raise ValueError(f"probabilities must be {size} numbers that sum to one")

    @property
    def gradients(self):
        """The (N, N) matrix with one gradient a row."""
        return np.diag(np.sqrt(self.squares))

    def spectrum(self, eta):
        """The N Lyapunov exponents p_i log abs(1 - eta norm(a_i)^2), descending."""
        return np.sort(self.probabilities * _log_factor(_rate(eta), self.squares))[::-1]

    def exponent(self, eta):
        """lambda, the largest of them, for each rate."""
        factors = _log_factor(_rates(eta)[..., None], self.squares)
        return (self.probabilities * factors).max(axis=-1)

    def descent_exponent(self, eta):
        """mu of gradient descent on the expected loss, for each rate."""
        eigenvalues = self.probabilities * self.squares
        return _log_factor(_rates(eta)[..., None], eigenvalues).max(axis=-1)

    def moment_exponent(self, p, eta):
        """Lambda(p) = max_i log(1 - p_i + p_i abs(1 - eta norm(a_i)^2)^p), for p > 0."""
        p, rate = positive("p", p), _rate(eta)
        jumps = abs(1 - rate * self.squares) ** p
        return np.log(1 + self.probabilities * (jumps - 1)).max()

    @property
    def descent_threshold(self):
        """2 / max_i(p_i norm(a_i)^2)."""
        return 2 / (self.probabilities * self.squares).max()

    @property
    def almost_sure_threshold(self):
        """2 / max_i norm(a_i)^2: one sample that is unstable alone is enough."""
        return 2 / self.squares.max()

    @property
    def mean_square_threshold(self):
        """The same: here all moments grow from there on."""
        return 2 / self.squares.max()


class TwoGradients:
    """Two unit gradients at a cosine c, abs(c) < 1, drawn with equal chance."""

    def __init__(self, cosine):
        self.cosine = finite("cosine", cosine)
        if abs(self.cosine) >= 1:
            raise ValueError(f"cosine is {cosine}; it must lie between -1 and 1")

    mean_square_threshold = 2.0
    """The length of no vector grows before."""

    almost_sure_threshold = 2.0
    """The length of no vector shrinks after."""

    @property
    def gradients(self):
        """The (2, 2) matrix with one gradient a row."""
        return np.array([[1, 0], [self.cosine, (1 - self.cosine**2) ** 0.5]])

    def descent_exponent(self, eta):
        """mu of gradient descent: the Hessian has the eigenvalues (1 +- c)/2."""
        eigenvalues = np.array([1 - self.cosine, 1 + self.cosine]) / 2
        return _log_factor(_rates(eta)[..., None], eigenvalues).max(axis=-1)

    @property
    def descent_threshold(self):
        """4 / (1 + abs(c))."""
        return 4 / (1 + abs(self.cosine))

    @property
    def kaczmarz_exponent(self):
        """lambda at eta = 1, where each step is a projection: log(abs(c)) / 2."""
        with np.errstate(divide="ignore"):
            return float(np.log(abs(self.cosine))) / 2

    def spectrum_sum(self, eta):
        """lambda_1 + lambda_2 = log abs(1 - eta), for each rate."""
        return _log_factor(_rates(eta), 1.0)


def _log_factor(eta, squares):
    with np.errstate(divide="ignore"):
        return np.log(abs(1 - eta * squares))


def _integral(function, parts):
    return sum(quad(function, *ends, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for ends in parts)


def _rate(eta):
    return positive("eta", eta)


def _rates(eta):
    rates = array("eta", eta)
    if not (rates > 0).all():
        raise ValueError(f"eta is {shown(rates.min())}; it must be positive")
    return rates
