r"""Stochastic gradient descent at an interpolation solution: a product of random matrices.

At theta* every sample gradient of the loss vanishes, whatever the batch. To first order one
step multiplies the distance by a random matrix made of the gradients a_i of the *outputs*:

.. math:: D_\xi = I - \frac\eta B \sum_{i\in\xi} a_i a_i^\top .

It leaves the orthogonal complement of the span of the gradients alone. So everything
happens in the span, of dimension r <= N, however many parameters D there are.
"""

from functools import cached_property
from itertools import combinations
from math import comb

import numpy as np

from dsnnlib._checks import array, count, positive, positives
from dsnnlib.training.moments import SecondMoment

MOST = 10_000  # batches that `matrices` lists


class RandomMaps:
    r"""The random linear maps of stochastic gradient descent, in the normal space.

    `dsnnlib.training.lyapunov.LinearisedSGD` adds the exponents of their products.

    Parameters
    ----------
    gradients : (N, D) array
        a_i = grad F(theta*, x_i), one row a sample. The loss of a sample is (F - y)^2 / 2.
    batch : int
        Batch size B, 1 <= B <= N. Batches are drawn uniformly among the subsets of B
        different samples; B = N is gradient descent.
    probabilities : (N,) array, optional
        Instead, draw the B samples of a batch independently with these (positive) probabilities.

    Attributes
    ----------
    coordinates : (N, r) array
        The gradients in an orthonormal basis of their span, the normal space.
    basis : (r, D) array
        That basis: gradients = coordinates @ basis.
    hessian : (r, r) array
        Hessian of the expected loss on the normal space, the mean of a a^T.

    Raises
    ------
    ValueError
        If the gradients are not a finite matrix or all zero, or batch or probabilities do
        not fit them.

    Notes
    -----
    The span comes from a singular value decomposition, where values below rounding are cut
    off. (A recursion in coordinates of the Gram matrix itself is wrong where that is
    singular: rounding leaks into its kernel, and no step changes the component there.)

    References
    ----------
    Chemnitz and Engel, arXiv:2407.20209. Page: training/stochastic gradient descent.
    """

    def __init__(self, gradients, *, batch=1, probabilities=None):
        gradients = array("gradients", gradients, ndim=2)
        if not gradients.any():
            raise ValueError("gradients are all zero; at least one must differ from zero")
        samples = len(gradients)
        self.batch = count("batch", batch)
        if self.batch > samples:
            raise ValueError(f"batch is {batch}; it must be at most N = {samples}")
        self._independent = probabilities is not None
        self.probabilities = _probabilities(probabilities, samples)
        left, values, basis = np.linalg.svd(gradients, full_matrices=False)
        keep = values > max(gradients.shape) * np.finfo(float).eps * values[0]
        self.coordinates = left[:, keep] * values[keep]
        self.basis = basis[keep]
        self.hessian = (self.coordinates.T * self.probabilities) @ self.coordinates

    @property
    def rank(self):
        """Dimension r of the normal space."""
        return self.coordinates.shape[1]

    @property
    def deterministic(self):
        """Whether each batch holds every sample once: gradient descent."""
        return not self._independent and self.batch == len(self.coordinates)

    @cached_property
    def eigenvalues(self):
        """The r non-zero eigenvalues of the Hessian of the expected loss, ascending."""
        return np.linalg.eigvalsh(self.hessian)

    def descent_exponent(self, eta):
        r"""mu(theta*) = log max_i abs(1 - eta lambda_i) of gradient descent, for each rate."""
        multipliers = 1 - np.multiply.outer(positives("eta", eta), self.eigenvalues)
        with np.errstate(divide="ignore"):
            return np.log(abs(multipliers).max(axis=-1))

    @property
    def descent_threshold(self):
        """The rate 2 / lambda_max at which gradient descent on the expected loss turns unstable."""
        return 2 / self.eigenvalues[-1]

    @cached_property
    def second_moment(self):
        """`SecondMoment`: the exact growth of the mean square distance."""
        samples, size = self.coordinates.shape[0], self.batch
        without = (samples - size) / (size * max(samples - 1, 1))
        single = 1 / size if self._independent else without
        return SecondMoment(self.coordinates, self.probabilities, single)

    @property
    def mean_square_threshold(self):
        """The rate at which the mean square distance begins to grow, exactly."""
        return self.second_moment.threshold

    def matrices(self, eta):
        """Every batch's map, for few samples: the matrices (K, r, r) and their probabilities (K,).

        Raises
        ------
        ValueError
            If eta is not positive, or there are more than 10,000 batches.
        """
        eta, (samples, size) = positive("eta", eta), (len(self.coordinates), self.batch)
        number = samples**size if self._independent else comb(samples, size)
        if number > MOST:
            raise ValueError(f"batch is {size}, so there are {number} batches; at most {MOST} go")
        if self._independent:
            batches = np.indices((samples,) * size).reshape(size, -1).T
            weights = self.probabilities[batches].prod(axis=1)
        else:
            batches = np.array(list(combinations(range(samples), size)))
            weights = np.full(number, 1 / number)
        chosen = self.coordinates[batches]
        sums = np.einsum("kbi,kbj->kij", chosen, chosen)
        return np.eye(self.rank) - eta / size * sums, weights

    def draws(self, steps, replicas, rng):
        """Batches of independent runs: an integer array (steps, replicas, B)."""
        steps, replicas = count("steps", steps), count("replicas", replicas)
        samples, size = len(self.coordinates), self.batch
        shape = (steps, replicas, size)
        if self._independent:
            return rng.choice(samples, size=shape, p=self.probabilities)
        if size == 1:
            return rng.integers(samples, size=shape)
        if size == samples:
            return np.tile(np.arange(samples), (steps, replicas, 1))
        keys = rng.random((steps, replicas, samples), dtype=np.float32)
        return keys.argpartition(size - 1, axis=-1)[..., :size]

    def _apply(self, state, batch, rates):
        """The matrices of one batch a replica, applied to vectors (E, replicas, r).

        O(r) operations a vector for a batch of one, else O(N r).
        """
        rates = rates[:, None, None] / self.batch
        if self.batch == 1:
            picked = self.coordinates[batch[:, 0]]
            inner = np.einsum("erj,rj->er", state, picked)[..., None]
            return state - rates * inner * picked
        samples = len(self.coordinates)
        cells = batch + samples * np.arange(len(batch))[:, None]
        times = np.bincount(cells.ravel(), minlength=len(batch) * samples)
        inner = (state @ self.coordinates.T) * times.reshape(len(batch), samples)
        return state - rates * (inner @ self.coordinates)

    def _noise(self, rates):
        """Norms that rounding alone leaves of a unit vector in one step, for each rate."""
        largest = np.einsum("ij,ij->i", self.coordinates, self.coordinates).max()
        return 64 * np.finfo(float).eps * (1 + rates * largest)


def _probabilities(probabilities, samples):
    if probabilities is None:
        return np.full(samples, 1 / samples)
    probabilities = array("probabilities", probabilities, ndim=1)
    if len(probabilities) != samples:
        raise ValueError(
            f"probabilities has {len(probabilities)} entries; it must have N = {samples}"
        )
    if (probabilities <= 0).any():
        raise ValueError(f"probabilities holds {probabilities.min()}; all must be positive")
    if abs(probabilities.sum() - 1) > 1e-12:
        raise ValueError(f"probabilities sum to {probabilities.sum()}; they must sum to one")
    return probabilities
