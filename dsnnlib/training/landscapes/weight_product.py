"""A product of k weights under the squared error: a manifold of minima of dimension k - 1."""

import math

import numpy as np

from dsnnlib._checks import array, count


class WeightProduct:
    r"""The loss :math:`L(\theta) = \tfrac12(\theta_1\cdots\theta_k - 1)^2`: k layers of one weight.

    Minima: the hypersurface P = 1, where P is the product. There the gradient of P is
    (1/theta_1, ..., 1/theta_k), so the Hessian has one non-zero eigenvalue, the
    *sharpness* s = sum of theta_i^-2 >= k, with equality where all weights are 1 or -1.
    Points are given as k numbers or arrays; all methods work entry by entry.

    Parameters
    ----------
    k : int
        Number of weights, at least 2; k = 2 is `Product`.
    """

    def __init__(self, k):
        self.k = count("k", k, least=2)

    @property
    def flattest_sharpness(self):
        """The least sharpness of a minimum, k, by the inequality of the means."""
        return self.k

    @property
    def flattest_threshold(self):
        """The learning rate 2/k at which the flattest minima lose stability."""
        return 2 / self.k

    def residual(self, *theta):
        """P - 1."""
        return math.prod(self._point(theta)) - 1

    def loss(self, *theta):
        """(P - 1)^2 / 2."""
        return self.residual(*theta) ** 2 / 2

    def gradient(self, *theta):
        """The k partial derivatives of the loss, as a tuple."""
        residual = self.residual(*theta)
        return tuple(residual * self._without(theta, i) for i in range(self.k))

    def hessian(self, *theta):
        """Hessian of the loss, (..., k, k)."""
        theta = np.broadcast_arrays(*self._point(theta))
        residual = self.residual(*theta)
        first = np.stack([self._without(theta, i) for i in range(self.k)], -1)
        result = first[..., :, None] * first[..., None, :]
        for i in range(self.k):
            for j in range(self.k):
                if i != j:
                    result[..., i, j] += residual * self._without(theta, i, j)
        return result

    def sharpness_on_minima(self, *theta):
        """The non-zero eigenvalue of the Hessian where P = 1: the sum of theta_i^-2."""
        return sum(np.asarray(t, dtype=float) ** -2 for t in self._point(theta))

    def normal(self, *theta):
        """Unit normal (..., k) of the level set of P through a point without zero weights."""
        inverse = np.stack(
            np.broadcast_arrays(*(1 / np.asarray(t) for t in self._point(theta))), -1
        )
        return inverse / np.linalg.norm(inverse, axis=-1, keepdims=True)

    def balance_factor(self, eta, i, j, *theta):
        r"""What one step with rate eta multiplies :math:`\theta_i^2-\theta_j^2` by.

        It is :math:`1 - \eta^2 r^2 Q^2`, with r = P - 1 and Q the product of the other k - 2
        weights. Derived on the page training/manifold of minima.
        """
        for name, index in (("i", i), ("j", j)):
            if count(name, index, least=0) >= self.k:
                raise ValueError(f"{name} is {index}; it must be below k = {self.k}")
        if i == j:
            raise ValueError(f"i and j are both {i}; they must differ")
        eta = array("eta", eta)
        return 1 - (eta * self.residual(*theta) * self._without(theta, i, j)) ** 2

    def _point(self, theta):
        if len(theta) != self.k:
            raise ValueError(f"theta has {len(theta)} weights; it must have k = {self.k}")
        return theta

    def _without(self, theta, *left_out):
        return math.prod((t for n, t in enumerate(theta) if n not in left_out), start=1.0)
