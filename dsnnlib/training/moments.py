r"""Moment exponents: how the mean p-th power of a product of random matrices grows.

.. math:: \Lambda(p) = \lim_n \tfrac1n \log \mathbb E \|D_n\cdots D_1\|^p .

Convex in p, with Lambda(0) = 0; for regular points the slope Lambda'(0) is lambda.
Exact for p = 2 at any size (`SecondMoment`) and for even p in few dimensions (`even_exponent`);
for other p a population of directions estimates it (`population_exponent`). A mean over
independent paths does not: the paths that carry a moment are exponentially rare.
"""

import warnings
from functools import cached_property

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from dsnnlib import estimate
from dsnnlib._checks import array, count, positive, positives, shown

LARGEST = 10**6  # entries of a tensor in `even_exponent`
DENSE = 64  # below so many dimensions, eigenvalues are those of a matrix


class SecondMoment:
    r"""Exact second moment of linearised SGD, by the operator

    .. math:: T_\eta(M) = \mathbb E[D M D] = M - \eta (HM + MH)
        + \eta^2 \Bigl(\alpha \sum_i p_i c_ic_i^\top M c_ic_i^\top + (1 - \alpha) HMH\Bigr)

    on symmetric matrices. It maps positive semidefinite ones to such and is self-adjoint, so its
    spectral radius, which is exp(Lambda(2)), is its largest eigenvalue.

    Parameters
    ----------
    coordinates : (N, r) array
        The sample gradients c_i in the normal space, which they span.
    probabilities : (N,) array
    single : float
        The weight alpha: (N - B)/(B (N - 1)) for batches without replacement, 1/B for
        independent draws.

    References
    ----------
    Mulayoff and Michaeli, COLT 2024, arXiv:2306.07850. Page: training/stochastic gradient descent.
    """

    def __init__(self, coordinates, probabilities, single):
        hessian = (coordinates.T * probabilities) @ coordinates
        self._values, vectors = np.linalg.eigh(hessian)  # work in the Hessian's eigenbasis
        self._coordinates, self._vectors = coordinates @ vectors, vectors
        self._probabilities, self._single = probabilities, single

    def exponent(self, eta):
        """Lambda(2), the growth of log E norm(x_n)^2 per step, for each rate."""
        eta = positives("eta", eta)
        sums = self._values[:, None] + self._values
        tops = [
            self._top(lambda m, e=e: m - e * sums * m + e**2 * self._square(m)) for e in eta.flat
        ]
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(tops, 0)).reshape(eta.shape)

    def growth(self, eta, steps, start):
        r"""Logarithms of the exact E norm(x_n)^2, n = 0, ..., steps, from E[x_0 x_0^T] = start.

        Parameters
        ----------
        eta : float
        steps : int
        start : (r, r) array
            Positive semidefinite, not zero, in the coordinates of the normal space.
        """
        eta, steps = positive("eta", eta), count("steps", steps, least=0)
        start, r = array("start", start, ndim=2), len(self._values)
        if start.shape != (r, r) or not np.trace(start) > 0:
            raise ValueError(f"start is {shown(start)}; it must be {(r, r)}, of positive trace")
        m, sums = self._vectors.T @ start @ self._vectors, self._values[:, None] + self._values
        growth = [np.log(np.trace(m))]
        for _ in range(steps):
            m = m / np.trace(m)
            m = m - eta * sums * m + eta**2 * self._square(m)
            growth.append(growth[-1] + np.log(np.trace(m)))
        return np.array(growth)

    @cached_property
    def threshold(self):
        r"""The rate at which Lambda(2) turns positive.

        All eigenvalues of T_eta are below 1 if and only if eta R < H. + .H as quadratic forms,
        where eta^2 R is the last term of T_eta. So the threshold is the inverse of the largest
        eigenvalue of one symmetric operator. It is a theorem of Mulayoff and Michaeli, who
        also prove that it does not decrease in B.
        """
        root = np.sqrt(self._values[:, None] + self._values)
        return float(1 / self._top(lambda m: self._square(m / root) / root))

    def _square(self, m):
        """R(m), in O(N r^2) operations."""
        c, p = self._coordinates, self._probabilities
        form = np.einsum("ij,ij->i", c @ m, c)
        pairs = self._values[:, None] * m * self._values
        return self._single * ((c.T * (p * form)) @ c) + (1 - self._single) * pairs

    def _top(self, apply):
        r = len(self._values)

        def even(flat):
            m = flat.reshape(r, r)
            return apply((m + m.T) / 2).ravel()

        return _top(even, np.eye(r).ravel())


def even_exponent(maps, eta, p):
    r"""Lambda(p) exactly, for an even p and few dimensions and batches.

    Let :math:`T = \mathbb E[D\otimes\cdots\otimes D]`, with p factors. Since
    :math:`\mathbb E (y\cdot D_n\cdots D_1x)^p = \langle y^{\otimes p}, T^n x^{\otimes p}\rangle`
    and the powers of vectors span the symmetric tensors, exp(Lambda(p)) is the spectral radius of
    T on these. By Hoelder's inequality, E prod_k (y_k . D_n...D_1 x_k) <= E norm(D_n...D_1)^p for
    unit vectors, other tensors cannot grow faster. T is self-adjoint and, p being even, keeps a
    cone, so its spectral radius is its largest eigenvalue. The factors are applied one after the
    other; T itself, of r^(2p) entries, is never formed.

    Parameters
    ----------
    maps : dsnnlib.training.random_maps.RandomMaps
    eta : float
    p : int
        Even, with r^p up to a million.

    Raises
    ------
    ValueError
        If p is not a positive even number or too large for r, or there are too many batches.
    """
    p, r = count("p", p, least=2), maps.rank
    if p % 2:
        raise ValueError(f"p is {p}; it must be even")
    if r**p > LARGEST:
        raise ValueError(f"p is {p}, so tensors have {r}^{p} entries; at most {LARGEST} go")
    matrices, weights = maps.matrices(eta)

    def apply(flat):
        tensor = np.einsum("kab,b...->k...a", matrices, flat.reshape((r,) * p))
        for _ in range(p - 1):  # contract the first axis, put the new one last
            tensor = np.einsum("kab,kb...->k...a", matrices, tensor)
        return np.tensordot(weights, tensor, 1).ravel()

    with np.errstate(divide="ignore"):
        return float(np.log(max(_top(apply, _gaussian_moments(r, p)), 0)))


def population_exponent(
    sgd, eta, p, *, rng, population=1000, populations=10, steps=500, burn_in=200
):
    r"""Lambda(p) for any p > 0, by populations of directions that multiply and die.

    In each step every member is moved by a map of its own and weighted by the p-th power of
    its growth; then the population is drawn anew by these weights (systematic resampling). The mean
    logarithm of the mean weight is Lambda(p), with a bias O(1/population).

    Parameters
    ----------
    sgd : dsnnlib.training.lyapunov.LinearisedSGD
    eta, p : float
    rng : numpy.random.Generator
    population, populations : int
        Members of a population, and independent populations, at least 2.
    steps, burn_in : int

    Returns
    -------
    dsnnlib.estimate.Estimate
        With the standard error over populations. Warns if in the average step the weights rest on
        fewer than ten members: then neither the value nor its error can be trusted.

    References
    ----------
    Grassberger, "Go with the winners" (2002). Page: training/stochastic gradient descent.
    """
    eta, p = np.array([positive("eta", eta)]), positive("p", p)
    shape = count("populations", populations, least=2), count("population", population, least=10)
    steps, burn_in = count("steps", steps), count("burn_in", burn_in, least=0)
    state = rng.standard_normal((1, shape[0] * shape[1], sgd.rank))
    state /= np.linalg.norm(state, axis=-1, keepdims=True)
    total, members, concentration = np.zeros(shape[0]), np.arange(shape[1]), 0.0
    for n in range(burn_in + steps):
        (batch,) = sgd.draws(1, state.shape[1], rng)
        growth = p * sgd.advance(state, batch, eta).reshape(shape)
        largest = growth.max(axis=1, keepdims=True)
        if np.isneginf(largest).any():
            return estimate.mean(np.full(shape[0], -np.inf))
        weights = np.exp(growth - largest)
        if n >= burn_in:
            total += largest[:, 0] + np.log(weights.mean(axis=1))
        weights /= weights.sum(axis=1, keepdims=True)
        concentration += (weights**2).sum(axis=1).mean() / (burn_in + steps)
        ladder = (members + rng.random((shape[0], 1))) / shape[1]
        edges = np.cumsum(weights, axis=1)
        chosen = [np.searchsorted(e[:-1], x) for e, x in zip(edges, ladder, strict=True)]
        chosen = np.array(chosen) + shape[1] * np.arange(shape[0])[:, None]
        state = state[:, chosen.ravel()]
    if concentration > 0.1:
        warnings.warn(
            f"the weights rest on {1 / concentration:.1f} of {population} members; "
            "take more or a smaller p",
            stacklevel=2,
        )
    return estimate.mean(total / steps)


def _top(apply, start):
    """Largest eigenvalue of a self-adjoint operator on vectors like `start`, by Lanczos from it."""
    if start.size <= DENSE:
        dense = np.array([apply(unit) for unit in np.eye(start.size)])
        return np.linalg.eigvalsh((dense + dense.T) / 2)[-1]
    operator = LinearOperator((start.size,) * 2, apply, dtype=float)
    return eigsh(operator, k=1, which="LA", v0=start, return_eigenvectors=False)[0]


def _gaussian_moments(r, p):
    """E of the p-th tensor power of a standard Gaussian vector: no direction is left out."""
    index = np.indices((r,) * p).reshape(p, -1)
    times = (index[None] == np.arange(r)[:, None, None]).sum(axis=1)
    double_factorial = np.array([np.prod(np.arange(m - 1, 0, -2.0)) for m in range(p + 1)])
    double_factorial[1::2] = 0
    return double_factorial[times].prod(axis=0)
