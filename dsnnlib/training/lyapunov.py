r"""Lyapunov exponents of stochastic gradient descent at an interpolation solution.

At theta* every sample gradient of the loss vanishes, whatever the batch. To first order one
step multiplies the distance by a random matrix made of the gradients a_i of the *outputs*:

.. math:: D_\xi = I - \frac\eta B \sum_{i\in\xi} a_i a_i^\top .

It leaves the orthogonal complement of the span of the gradients alone. So everything
happens in the span, of dimension r <= N, however many parameters D there are.
"""

from functools import cached_property

import numpy as np
from tqdm import tqdm

from dsnnlib import estimate
from dsnnlib._checks import array, count, shown
from dsnnlib.training.moments import SecondMoment

CHUNK = 256  # steps whose batches are drawn at once


class LinearisedSGD:
    r"""Stochastic gradient descent, linearised at an interpolation solution.

    Parameters
    ----------
    gradients : (N, D) array
        a_i = grad F(theta*, x_i), one row a sample. The loss of a sample is (F - y)^2 / 2.
    batch : int
        Batch size B, 1 <= B <= N. Batches are drawn uniformly among the subsets of B
        different samples; B = N is gradient descent.
    probabilities : (N,) array, optional
        Instead, draw the B samples of a batch independently with these probabilities.

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
    singular: rounding leaks into its kernel, on which every step acts as the identity.)

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
        multipliers = 1 - np.multiply.outer(_rates(eta), self.eigenvalues)
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
        if self._independent:
            single = 1 / size
        else:
            single = (samples - size) / (size * max(samples - 1, 1))
        return SecondMoment(self.coordinates, self.probabilities, single)

    @property
    def mean_square_threshold(self):
        """The rate at which the mean square distance begins to grow, exactly."""
        return self.second_moment.threshold

    def draws(self, steps, replicas, rng):
        """Batches of independent runs: an integer array (steps, replicas, B).

        Give the same array to `log_growth` and to a run on the network itself to compare
        the two path by path.
        """
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

    def log_growth(self, eta, draws, start):
        """Logarithm of the distance along given batches.

        Parameters
        ----------
        eta : float or (E,) array
            Learning rates, > 0.
        draws : (steps, replicas, B) integer array
        start : (replicas, r) array
            Displacements from theta* in the basis; only their directions and norms matter.

        Returns
        -------
        (steps + 1, replicas) or (steps + 1, E, replicas) array
            Starts with the logarithms of the norms of `start`; minus infinity once
            a run is annihilated.
        """
        rates = _rates(eta)
        start = array("start", start, ndim=2)
        if start.shape != (draws.shape[1], self.rank):
            raise ValueError(
                f"start has shape {start.shape}; it must be {(draws.shape[1], self.rank)}"
            )
        size = np.linalg.norm(start, axis=1)
        if not size.all():
            raise ValueError("start holds a zero vector; it must hold directions")
        state = np.repeat((start / size[:, None])[None], rates.size, axis=0)
        growth = np.empty((len(draws) + 1, *state.shape[:2]))
        growth[0] = np.log(size)
        for n, batch in enumerate(draws):
            growth[n + 1] = self._step(state, batch, rates.ravel())
        return growth.cumsum(axis=0).reshape(len(growth), *rates.shape, -1)

    def exponent(self, eta, *, rng, steps=2000, replicas=64, burn_in=200, progress=False):
        r"""Top Lyapunov exponent lambda(theta*), for many rates on the same batches.

        Growth of the norm of a random vector per step, after `burn_in` steps that align it.
        The vector is renormalised in every step. A step that leaves less than rounding
        noise of it annihilates it, and the exponent is minus infinity: this happens only if
        steps are singular (eta norm(a)^2 = 1 for a batch of one).

        Parameters
        ----------
        eta : float or array
            Learning rates, > 0.
        rng : numpy.random.Generator
        steps, replicas, burn_in : int
            The error falls like (steps * replicas)^(-1/2).
        progress : bool
            Show a progress bar.

        Returns
        -------
        dsnnlib.estimate.Estimate
            Per step, with the standard error over replicas, in the shape of eta. For gradient
            descent (batch N) it is exact and its error zero.

        Raises
        ------
        ValueError
            If a rate is not positive, there are fewer than two replicas, or counts make no sense.
        """
        if self.deterministic:
            mu = self.descent_exponent(eta)
            return estimate.Estimate(mu, np.zeros_like(mu))
        rates = _rates(eta)
        state = self._directions(rates.size, count("replicas", replicas, least=2), rng)
        total = np.zeros(state.shape[:2])
        for batch, counted in self._batches(steps, replicas, burn_in, rng, progress):
            growth = self._step(state, batch, rates.ravel())
            if counted:
                total += growth
            else:
                total[np.isneginf(growth)] = -np.inf
        return estimate.mean((total.T / steps).reshape(replicas, *rates.shape))

    def spectrum(self, eta, *, rng, steps=2000, replicas=16, burn_in=200, progress=False):
        """All r Lyapunov exponents at one rate, descending, by QR in every step.

        Arguments, errors and the meaning of minus infinity as for `exponent`.

        Returns
        -------
        dsnnlib.estimate.Estimate
            Values and standard errors of shape (r,).
        """
        rates = _rates(float(eta)).reshape(1)
        replicas = count("replicas", replicas, least=2)
        frames = np.linalg.qr(rng.standard_normal((replicas, self.rank, self.rank)))[0]
        total = np.zeros((replicas, self.rank))
        noise = self._noise(rates)[0]
        for batch, counted in self._batches(steps, replicas, burn_in, rng, progress):
            moved = self._apply(frames.transpose(2, 0, 1), batch, np.repeat(rates, self.rank))
            frames, upper = np.linalg.qr(moved.transpose(1, 2, 0))
            size = abs(upper.diagonal(axis1=1, axis2=2))
            with np.errstate(divide="ignore"):
                growth = np.log(np.where(size > noise, size, 0))
            if counted:
                total += growth
            else:
                total[np.isneginf(growth)] = -np.inf
        return estimate.mean(np.sort(total / steps, axis=1)[:, ::-1])

    def threshold(self, lower, upper, *, rng, steps=2000, replicas=64, burn_in=200):
        """The first rate between `lower` and `upper` at which the exponent turns positive.

        On one set of batches the estimate is a continuous function of the rate. Its sign change
        is enclosed on a grid of 17 rates, three times, and interpolated.

        Returns
        -------
        dsnnlib.estimate.Estimate
            The rate, with the standard error of the exponent there divided by its slope.

        Raises
        ------
        ValueError
            If the exponent does not turn from negative to positive between the two.
        """
        seed = int(rng.integers(2**63))
        ends = lower, upper
        for _ in range(3):
            rates = np.linspace(*ends, 17)
            found = self.exponent(
                rates,
                rng=np.random.default_rng(seed),
                steps=steps,
                replicas=replicas,
                burn_in=burn_in,
            )
            value = found.value
            turns = np.flatnonzero((value[:-1] <= 0) & (value[1:] > 0))
            if not len(turns):
                raise ValueError(
                    f"upper is {upper}; the exponent must turn positive between lower and upper, "
                    f"but it goes from {value[0]:.3g} to {value[-1]:.3g}"
                )
            n = turns[0]
            ends = rates[n], rates[n + 1]
        slope = (value[n + 1] - value[n]) / (ends[1] - ends[0])
        return estimate.Estimate(ends[0] - value[n] / slope, found.standard_error[n] / abs(slope))

    def _directions(self, rates, replicas, rng):
        state = rng.standard_normal((replicas, self.rank))
        state /= np.linalg.norm(state, axis=1, keepdims=True)
        return np.repeat(state[None], rates, axis=0)

    def _batches(self, steps, replicas, burn_in, rng, progress):
        """Yield (batch, whether it counts): first `burn_in` steps that do not."""
        steps, burn_in = count("steps", steps), count("burn_in", burn_in, least=0)
        total = burn_in + steps
        bar = tqdm(total=total, desc="SGD steps", leave=False) if progress else None
        for first in range(0, total, CHUNK):
            chunk = self.draws(min(CHUNK, total - first), replicas, rng)
            for n, batch in enumerate(chunk, start=first):
                yield batch, n >= burn_in
            if bar is not None:
                bar.update(len(chunk))
        if bar is not None:
            bar.close()

    def _step(self, state, batch, rates):
        """Move unit vectors (E, replicas, r) in place and renormalise; return log norms."""
        moved = self._apply(state, batch, rates)
        size = np.sqrt(np.einsum("erj,erj->er", moved, moved))
        size[size <= self._noise(rates)[:, None]] = 0
        np.divide(moved, size[..., None], out=state, where=size[..., None] > 0)
        state[size == 0] = 0
        with np.errstate(divide="ignore"):
            return np.log(size)

    def _apply(self, state, batch, rates):
        """The matrices of one batch a replica, applied to vectors (E, replicas, r)."""
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


def _rates(eta):
    rates = array("eta", eta)
    if not (rates > 0).all():
        raise ValueError(f"eta is {shown(rates.min())}; it must be positive")
    return rates


def _probabilities(probabilities, samples):
    if probabilities is None:
        return np.full(samples, 1 / samples)
    probabilities = array("probabilities", probabilities, ndim=1)
    if len(probabilities) != samples:
        raise ValueError(
            f"probabilities has {len(probabilities)} entries; it must have N = {samples}"
        )
    if (probabilities < 0).any():
        raise ValueError(
            f"probabilities holds {probabilities.min()}; it must hold no negative number"
        )
    if abs(probabilities.sum() - 1) > 1e-12:
        raise ValueError(f"probabilities sum to {probabilities.sum()}; they must sum to one")
    return probabilities
