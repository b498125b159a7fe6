r"""Exponents of products of 2 x 2 matrices without simulation: the transfer operator on directions.

A direction e(phi) = (cos phi, sin phi) is moved by a matrix D to D.phi. The operator

.. math:: (T_p f)(\varphi) = \mathbb E\bigl[|D e(\varphi)|^p\, f(D\cdot\varphi)\bigr]

on functions of period pi has the spectral radius exp(Lambda(p)) for p >= 0, and the stationary law
of the directions gives lambda = E log norm(D e(phi)) (Furstenberg).
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigs

from dsnnlib._checks import array, count, finite


class ProjectiveLine:
    """Directions in the plane under finitely many random matrices, on a grid of angles.

    Between the grid's angles functions are interpolated linearly. That keeps the operators
    positive. The error is of order two in the mesh where the eigenfunctions are smooth: compare two
    grids.

    Parameters
    ----------
    matrices : (K, 2, 2) array
        Invertible.
    weights : (K,) array
        Their probabilities.
    points : int
        Angles of the grid, at least 8.

    Raises
    ------
    ValueError
        If a matrix is singular or not 2 x 2, or the weights are no probabilities.
    """

    def __init__(self, matrices, weights, *, points=2000):
        matrices, weights = array("matrices", matrices, ndim=3), array("weights", weights, ndim=1)
        if matrices.shape[1:] != (2, 2) or not np.linalg.det(matrices).all():
            raise ValueError(
                f"matrices has shape {matrices.shape}; it must hold invertible 2 x 2 matrices"
            )
        if len(weights) != len(matrices) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-12:
            raise ValueError(f"weights is {weights}; it must hold {len(matrices)} probabilities")
        self.points = count("points", points, least=8)
        angles = np.arange(points) * np.pi / points
        moved = matrices @ np.array([np.cos(angles), np.sin(angles)])
        self._logarithms = np.log(np.hypot(moved[:, 0], moved[:, 1]))
        place = np.arctan2(moved[:, 1], moved[:, 0]) % np.pi * points / np.pi
        left = np.floor(place).astype(int)
        self._columns = np.stack([left % points, (left + 1) % points])
        self._weights = weights[:, None] * np.stack([1 - (place - left), place - left])

    @property
    def exponent(self):
        """lambda, the mean logarithm of the growth in the stationary law of the directions."""
        law = np.real(eigs(self._operator(0.0).T, k=1, v0=np.ones(self.points))[1][:, 0])
        mean = (self._weights.sum(axis=0) * self._logarithms).sum(axis=0)
        return float(mean @ law / law.sum())

    def moment_exponent(self, p):
        """Lambda(p) for p >= 0, and for small negative p where the matrices mix directions.

        For other negative p the operator sees vectors that are almost annihilated, which the norm
        in Lambda(p) does not: its spectral radius may then be larger.
        """
        operator = self._operator(finite("p", p))
        top = eigs(operator, k=1, v0=np.ones(self.points), return_eigenvectors=False)[0]
        return float(np.log(top.real))

    def _operator(self, p):
        entries = self._weights * np.exp(p * self._logarithms)
        rows = np.broadcast_to(np.arange(self.points), entries.shape)
        shape = (self.points, self.points)
        return coo_array((entries.ravel(), (rows.ravel(), self._columns.ravel())), shape).tocsr()
