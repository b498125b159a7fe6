r"""Moments of products of random matrices: how the mean p-th power of a distance grows.

The second moment has an exact operator on symmetric matrices,

.. math:: T_\eta(M) = \mathbb E[D M D] = M - \eta (HM + MH) + \eta^2 R(M),

with H the mean of a a^T. It maps positive semidefinite matrices to such and is self-adjoint, so
its spectral radius is its largest eigenvalue.
"""

from functools import cached_property

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh


class SecondMoment:
    r"""Exact second moment of linearised SGD.

    Parameters
    ----------
    coordinates : (N, r) array
        The sample gradients in the normal space.
    probabilities : (N,) array
    single : float
        The weight of :math:`\sum_i p_i c_ic_i^\top M c_ic_i^\top` in R; the rest, 1 - single, falls
        to H M H. It is (N-B)/(B(N-1)) for batches without replacement, 1/B for independent draws.
    """

    def __init__(self, coordinates, probabilities, single):
        hessian = (coordinates.T * probabilities) @ coordinates
        self._values, vectors = np.linalg.eigh(hessian)  # work in the Hessian's eigenbasis
        self._coordinates = coordinates @ vectors
        self._probabilities, self._single = probabilities, single

    def exponent(self, eta):
        """Lambda(2): growth per step of the logarithm of the mean square distance."""
        sums = self._values[:, None] + self._values
        return float(np.log(self._top(lambda m: m - eta * sums * m + eta**2 * self._square(m))))

    @cached_property
    def threshold(self):
        r"""The rate at which Lambda(2) changes its sign.

        T_eta has its eigenvalues below 1 if and only if eta R < H. + .H as quadratic forms, so
        the threshold is the inverse of the largest eigenvalue of a symmetric operator.

        References
        ----------
        Mulayoff and Michaeli, arXiv:2306.07850. Page: training/stochastic gradient descent.
        """
        root = np.sqrt(self._values[:, None] + self._values)
        return float(1 / self._top(lambda m: self._square(m / root) / root))

    def _square(self, m):
        """R(m)."""
        c, p = self._coordinates, self._probabilities
        form = np.einsum("ij,jk,ik->i", c, m, c, optimize=True)
        pairs = self._values[:, None] * m * self._values
        return self._single * ((c.T * (p * form)) @ c) + (1 - self._single) * pairs

    def _top(self, apply):
        """Largest eigenvalue of a self-adjoint operator on symmetric matrices."""
        r = len(self._values)
        if r <= 8:
            units = np.eye(r * r).reshape(-1, r, r)
            units = (units + units.transpose(0, 2, 1)) / 2
            dense = np.array([apply(u).ravel() for u in units])
            return np.linalg.eigvalsh((dense + dense.T) / 2)[-1]
        operator = LinearOperator((r * r, r * r), lambda m: apply(_even(m, r)).ravel(), dtype=float)
        start = np.eye(r).ravel()
        return eigsh(operator, k=1, which="LA", v0=start, return_eigenvectors=False)[0]


def _even(m, r):
    m = m.reshape(r, r)
    return (m + m.T) / 2
