r"""Products of random layers: their Lyapunov spectrum and moments, in closed form and measured.

A linear network of depth L multiplies its input by W_L ... W_1. Each W_l is an N x N matrix, drawn
anew. With entries of the law N(0, sigma^2/N) everything is known at every width N (Newman 1986),
and for ReLU layers almost everything.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln, logsumexp, polygamma

from dsnnlib import estimate
from dsnnlib._checks import array, count, generator, positive, shaped


@dataclass(frozen=True)
class GaussianLayers:
    r"""N x N layers with independent entries of the law N(0, sigma^2/N).

    Parameters
    ----------
    N : int
        Width.
    variance : float
        sigma^2 > 0. The mean square of a state is multiplied by it in each layer.

    Raises
    ------
    ValueError
        If N is not a whole number of at least 1, or the variance is not positive.

    References
    ----------
    Newman, Comm. Math. Phys. 103 (1986). Page: outlook/vanishing and exploding gradients.
    """

    N: int
    variance: float = 1.0

    def __post_init__(self):
        count("N", self.N)
        positive("variance", self.variance)

    def exponents(self):
        r"""Lyapunov exponents :math:`\lambda_i=\frac12[\log\frac{2\sigma^2}N+\psi(\frac{N-i+1}2)]`.

        Shape (N,), decreasing, per layer; psi is the digamma function.
        """
        freedom = np.arange(self.N, 0, -1)
        return (np.log(2 * self.variance / self.N) + digamma(freedom / 2)) / 2

    def log_variances(self):
        """Variance of the increment of each exponent in one layer, trigamma((N-i+1)/2)/4."""
        return polygamma(1, np.arange(self.N, 0, -1) / 2) / 4

    def moment_exponent(self, p):
        r"""Lambda(p) = log E norm(W e)^p for p > -N, where e is any unit vector.

        .. math:: \Lambda(p) = \tfrac p2\log\tfrac{2\sigma^2}N
                  + \log\Gamma(\tfrac{N+p}2) - \log\Gamma(\tfrac N2)

        Raises
        ------
        ValueError
            If a p is not above -N: the mean is infinite there.
        """
        p = array("p", p)
        if (p <= -self.N).any():
            raise ValueError(f"p is {p.min():.6g}; it must be above -N = {-self.N}")
        scale = p / 2 * np.log(2 * self.variance / self.N)
        return scale + gammaln((self.N + p) / 2) - gammaln(self.N / 2)

    def __call__(self, rng, replicas):
        """Draw layers, shape (replicas, N, N)."""
        shape = (count("replicas", replicas), self.N, self.N)
        return generator("rng", rng).normal(scale=(self.variance / self.N) ** 0.5, size=shape)


def critical_variance(N):
    r"""The sigma^2 at which the top exponent of Gaussian layers is 0, (N/2) exp(-psi(N/2))."""
    N = count("N", N)
    return N / 2 * np.exp(-digamma(N / 2))


@dataclass(frozen=True)
class ReluLayers:
    r"""The layers h -> max(W h, 0) with independent entries N(0, sigma^2/N), on one state.

    Given h, the entries of W h are normal, and K ~ Bin(N, 1/2) of them survive:

    .. math:: |h_{l+1}|^2/|h_l|^2 = \tfrac{\sigma^2}N\chi^2_K .

    Parameters
    ----------
    N : int
        Width.
    variance : float
        sigma^2 > 0; He's initialisation is 2.

    Raises
    ------
    ValueError
        If N is not a whole number of at least 1, or the variance is not positive.
    """

    N: int
    variance: float = 2.0

    def __post_init__(self):
        count("N", self.N)
        positive("variance", self.variance)

    @property
    def death(self):
        """Probability that a layer maps a given state to zero, 2^-N."""
        return 0.5**self.N

    @property
    def exponent(self):
        """Mean of log(norm(h_{l+1}) / norm(h_l)), given that the state survives."""
        probabilities, means, _ = self._terms()
        return float(probabilities @ means)

    @property
    def log_variance(self):
        """Variance of log(norm(h_{l+1}) / norm(h_l)), given that the state survives."""
        probabilities, means, variances = self._terms()
        return float(probabilities @ (variances + means**2) - self.exponent**2)

    def moment_exponent(self, p):
        """Lambda(p) = log E (norm(h_{l+1}) / norm(h_l))^p for p > 0."""
        p = positive("p", p)
        k = np.arange(1, self.N + 1) / 2
        powers = gammaln(k + p / 2) - gammaln(k) + p / 2 * np.log(2 * self.variance / self.N)
        return float(logsumexp(self._log_survivors() + powers))

    def _log_survivors(self):
        """Logarithm of P(K = k) for k = 1, ..., N."""
        k = np.arange(1, self.N + 1)
        ways = gammaln(self.N + 1) - gammaln(k + 1) - gammaln(self.N - k + 1)
        return ways - self.N * np.log(2)

    def _terms(self):
        k = np.arange(1, self.N + 1) / 2
        means = (np.log(2 * self.variance / self.N) + digamma(k)) / 2
        return np.exp(self._log_survivors()) / (1 - self.death), means, polygamma(1, k) / 4


def spectrum(layers, N, depth, replicas, rng):
    r"""All Lyapunov exponents of products of independent random layers, by QR in every layer.

    .. math:: W_lQ_{l-1} = Q_lR_l, \qquad \lambda_i \approx \frac1L\sum_{l=1}^L\log|(R_l)_{ii}|

    For rotation-invariant layers the mean of this is exact at every depth. In general the first
    layers bias it by O(1/L). Q_0 is the identity: where the law of the layers keeps a coordinate
    space (triangular matrices), the exponents may come in another order.

    Parameters
    ----------
    layers : callable
        ``layers(rng, replicas)`` -> (replicas, N, N) array of invertible matrices, drawn anew.
    N, depth, replicas : int
        Width, number L of layers, and number of independent products, at least 2.
    rng : numpy.random.Generator

    Returns
    -------
    Estimate
        The (N,) exponents per layer, with standard errors over replicas.

    Raises
    ------
    ValueError
        If a number is out of range, or `layers` returns another shape or something not finite.
    """
    N, depth, replicas = count("N", N), count("depth", depth), count("replicas", replicas, least=2)
    rng = generator("rng", rng)
    frames, total = np.broadcast_to(np.eye(N), (replicas, N, N)), np.zeros((replicas, N))
    for _ in range(depth):
        drawn = array("layers", shaped("layers", layers(rng, replicas), (replicas, N, N)))
        frames, triangle = np.linalg.qr(drawn @ frames)
        with np.errstate(divide="ignore"):
            total += np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2)))
    return estimate.mean(total / depth)


def orthogonal(rng, replicas, N):
    """Random orthogonal matrices of the uniform (Haar) law, shape (replicas, N, N)."""
    N, replicas = count("N", N), count("replicas", replicas)
    frames, triangle = np.linalg.qr(generator("rng", rng).normal(size=(replicas, N, N)))
    signs = np.sign(np.diagonal(triangle, axis1=1, axis2=2))
    return frames * signs[:, None, :]
