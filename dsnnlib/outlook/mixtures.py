"""Mixtures of round Gaussians, and of points: data whose noisy laws are known exactly."""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, ndtr

from dsnnlib._checks import array, count, finite, generator, positives, shown


class GaussianMixture:
    r"""The law :math:`\sum_kw_k\,N(m_k,s_k^2I)` on R^d.

    With variance 0 a component is a point, and the mixture may be a finite data set. Such a
    law can be sampled and noised, but has no density.

    Parameters
    ----------
    means : (K, d) array
        m_k.
    variances : float or (K,) array
        s_k^2, >= 0.
    weights : (K,) array, optional
        w_k, > 0; they are divided by their sum. Equal if not given.

    Raises
    ------
    ValueError
        If a shape does not fit, a variance is negative or a weight is not positive.

    Examples
    --------
    >>> coin = GaussianMixture([[-1], [1]], 0)
    >>> coin.noised(0.6, 0.8).score([[0.6]]).round(2).tolist()
    [[-0.46]]
    """

    def __init__(self, means, variances, weights=None):
        self.means = array("means", means, ndim=2)
        variances = array("variances", variances)
        if (variances < 0).any():
            raise ValueError(f"variances holds {variances.min():.3g}; none may be negative")
        weights = np.ones(len(self.means)) if weights is None else positives("weights", weights)
        if variances.shape not in ((), weights.shape) or weights.shape != self.means.shape[:1]:
            raise ValueError(
                f"variances and weights have the shapes {variances.shape} and {weights.shape}; "
                f"they must fit the {len(self.means)} means"
            )
        self.variances = np.broadcast_to(variances, weights.shape)
        self.weights = weights / weights.sum()

    @property
    def mean(self):
        """Mean of the law, (d,)."""
        return self.weights @ self.means

    @property
    def covariance(self):
        """Covariance of the law, (d, d)."""
        centred = self.means - self.mean
        round_part = self.weights @ self.variances * np.eye(self.means.shape[1])
        return round_part + centred.T * self.weights @ centred

    def noised(self, alpha, beta):
        """The law of alpha x + beta z, for x of this law and an independent standard normal z."""
        alpha, beta = finite("alpha", alpha), finite("beta", beta)
        return GaussianMixture(
            alpha * self.means, alpha**2 * self.variances + beta**2, self.weights
        )

    def sample(self, n, rng):
        """Draw n points, (n, d), and the index of the component of each, (n,)."""
        n, rng = count("n", n), generator("rng", rng)
        k = rng.choice(len(self.weights), size=n, p=self.weights)
        noise = rng.normal(size=(n, self.means.shape[1]))
        return self.means[k] + np.sqrt(self.variances[k])[:, None] * noise, k

    def density(self, x):
        """Density at the points x (n, d), as (n,)."""
        return np.exp(logsumexp(self._logs(x), axis=1))

    def posterior(self, x):
        r"""Probability (n, K) of each component, given that the point x (n, d) was drawn."""
        logs = self._logs(x)
        return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))

    def score(self, x):
        r"""Gradient (n, d) of the log density at the points x (n, d).

        .. math:: \nabla\log p(x)=\sum_kP(k\mid x)\,\frac{m_k-x}{s_k^2}
        """
        pull = self.posterior(x) / self.variances
        return pull @ self.means - pull.sum(1, keepdims=True) * array("x", x, ndim=2)

    def cdf(self, x):
        """Distribution function at the points x (n,), for d = 1."""
        if self.means.shape[1] != 1:
            raise ValueError(f"means has {self.means.shape[1]} columns; a cdf needs one")
        z = np.subtract.outer(array("x", x, ndim=1), self.means[:, 0])
        return ndtr(z / np.sqrt(self._spreads())) @ self.weights

    def _logs(self, x):
        """log(w_k N(x; m_k, s_k^2)), (n, K)."""
        x, v, d = array("x", x, ndim=2), self._spreads(), self.means.shape[1]
        if x.shape[1] != d:
            raise ValueError(f"x has the shape {x.shape}; it must be (n, {d})")
        squares = cdist(x, self.means, "sqeuclidean")
        return np.log(self.weights) - squares / (2 * v) - d / 2 * np.log(2 * np.pi * v)

    def _spreads(self):
        if not (self.variances > 0).all():
            raise ValueError(
                f"variances holds {shown(self.variances.min())}: a point has no density"
            )
        return self.variances
