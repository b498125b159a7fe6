r"""Lyapunov exponents of stochastic gradient descent at an interpolation solution.

How fast a product of the random maps of `dsnnlib.training.random_maps` grows, by simulation.
All learning rates share their batches (common random numbers), so that a curve over the rates is
smoother than its error bars, and a threshold can be found by its sign change.
"""

import numpy as np
from tqdm import tqdm

from dsnnlib import estimate
from dsnnlib._checks import array, count, positives
from dsnnlib.training.random_maps import RandomMaps

MOST = 2**22  # random numbers drawn at once


class LinearisedSGD(RandomMaps):
    r"""Stochastic gradient descent, linearised at an interpolation solution, and its exponents.

    Construction, attributes and errors are those of `RandomMaps`.

    Notes
    -----
    Vectors are renormalised in every step: it costs as much as the step itself, and nothing can
    overflow whatever the rate. A singular step (eta norm(a)^2 = 1, for a batch of one) may
    annihilate a vector. In floating point there remains rounding noise, which would live on as a
    spurious direction. So a step that shrinks a vector below 64 eps (1 + eta max norm(a_i)^2)
    counts as annihilation, and the exponent as minus infinity. Where a singular step leaves
    something, as in Kaczmarz's method, the exponent is finite.

    References
    ----------
    Chemnitz and Engel, arXiv:2407.20209. Page: training/stochastic gradient descent.
    """

    def log_growth(self, eta, draws, start):
        """Logarithm of the distance along given batches.

        Give the same `draws` to a run on the network itself to compare the two path by path.

        Parameters
        ----------
        eta : float or (E,) array
            Learning rates, > 0.
        draws : (steps, replicas, B) integer array
            Indices of samples, as `draws` returns them.
        start : (replicas, r) array
            Displacements from theta* in the basis; only their directions and norms matter.

        Returns
        -------
        (steps + 1, replicas) or (steps + 1, E, replicas) array
            Starts with the logarithms of the norms of `start`; minus infinity once
            a run is annihilated.
        """
        rates = positives("eta", eta)
        draws = self._batch_indices(draws)
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
            growth[n + 1] = self.advance(state, batch, rates.ravel())
        return growth.cumsum(axis=0).reshape(len(growth), *rates.shape, -1)

    def exponent(self, eta, *, rng, steps=2000, replicas=64, burn_in=200, progress=False):
        r"""Top Lyapunov exponent lambda(theta*), for many rates on the same batches.

        Growth of the norm of a random vector per step, after `burn_in` steps that align it with
        the directions in which products stretch. (An annihilation in these steps counts, too.)

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
        rates = positives("eta", eta)
        state = self._directions(rates.size, count("replicas", replicas, least=2), rng)
        total = np.zeros(state.shape[:2])
        for batch, counted in self._batches(steps, replicas, burn_in, rng, progress):
            growth = self.advance(state, batch, rates.ravel())
            if counted:
                total += growth
            else:
                total[np.isneginf(growth)] = -np.inf
        return estimate.mean((total.T / steps).reshape(replicas, *rates.shape))

    def spectrum(self, eta, *, rng, steps=2000, replicas=16, burn_in=200, k=None, progress=False):
        r"""The k largest Lyapunov exponents, by QR in every step, for many rates at once.

        All r of them sum up to E log abs(det D), an exact number (for a batch of one the mean
        of log abs(1 - eta norm(a_i)^2)). They appear in the order in which QR finds them:
        descending but for statistical errors.

        Parameters
        ----------
        eta, rng, steps, replicas, burn_in, progress
            As for `exponent`.
        k : int, optional
            How many, at most r; all by default.

        Returns
        -------
        dsnnlib.estimate.Estimate
            Values and standard errors of the shape of eta, plus (k,).

        Raises
        ------
        ValueError
            As `exponent`, and if k exceeds r.
        """
        rates = positives("eta", eta)
        k = self.rank if k is None else count("k", k)
        if k > self.rank:
            raise ValueError(f"k is {k}; it must be at most r = {self.rank}")
        replicas = count("replicas", replicas, least=2)
        frames = np.linalg.qr(rng.standard_normal((replicas, self.rank, k)))[0]
        frames = np.repeat(frames[None], rates.size, axis=0)
        total = np.zeros((rates.size, replicas, k))
        noise, each = self._noise(rates.ravel())[:, None, None], np.repeat(rates.ravel(), k)
        for batch, counted in self._batches(steps, replicas, burn_in, rng, progress):
            columns = frames.transpose(0, 3, 1, 2).reshape(-1, replicas, self.rank)
            moved = self._apply(columns, batch, each).reshape(-1, k, replicas, self.rank)
            frames, upper = np.linalg.qr(moved.transpose(0, 2, 3, 1))
            size = abs(upper.diagonal(axis1=2, axis2=3))
            with np.errstate(divide="ignore"):
                growth = np.log(np.where(size > noise, size, 0))
            if counted:
                total += growth
            else:
                total[np.isneginf(growth)] = -np.inf
        return estimate.mean((total / steps).swapaxes(0, 1).reshape(replicas, *rates.shape, k))

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
            turns = turns[np.isfinite(value[turns])]
            if not len(turns):
                raise ValueError(
                    f"upper is {upper}; the exponent must turn positive between lower and upper, "
                    f"but it goes from {value[0]:.3g} to {value[-1]:.3g}"
                )
            n = turns[0]
            ends = rates[n], rates[n + 1]
        slope = (value[n + 1] - value[n]) / (ends[1] - ends[0])
        return estimate.Estimate(ends[0] - value[n] / slope, found.standard_error[n] / abs(slope))

    def advance(self, state, batch, rates):
        """One step for unit vectors, in place, with renormalisation; return the log norms.

        Parameters
        ----------
        state : (E, replicas, r) array
            Unit vectors, overwritten by unit vectors (zero where annihilated).
        batch : (replicas, B) integer array
            One slice of `draws`.
        rates : (E,) array
            Learning rates.

        Returns
        -------
        (E, replicas) array
        """
        moved = self._apply(state, batch, rates)
        size = np.sqrt(np.einsum("erj,erj->er", moved, moved))
        size[size <= self._noise(rates)[:, None]] = 0
        np.divide(moved, size[..., None], out=state, where=size[..., None] > 0)
        state[size == 0] = 0
        with np.errstate(divide="ignore"):
            return np.log(size)

    def _directions(self, rates, replicas, rng):
        state = rng.standard_normal((replicas, self.rank))
        state /= np.linalg.norm(state, axis=1, keepdims=True)
        return np.repeat(state[None], rates, axis=0)

    def _batch_indices(self, draws):
        draws, samples = np.asarray(draws), len(self.coordinates)
        if draws.ndim != 3 or draws.shape[2] != self.batch or draws.dtype.kind not in "iu":
            wanted = f"integers, (steps, replicas, {self.batch})"
            raise ValueError(f"draws is {draws.dtype} of shape {draws.shape}; it must be {wanted}")
        if draws.size and not 0 <= draws.min() <= draws.max() < samples:
            raise ValueError(f"draws goes up to {draws.max()}; it must hold 0 to {samples - 1}")
        return draws

    def _batches(self, steps, replicas, burn_in, rng, progress):
        """Yield (batch, whether it counts): first `burn_in` steps that do not."""
        steps, burn_in = count("steps", steps), count("burn_in", burn_in, least=0)
        total, chunk = burn_in + steps, max(1, MOST // (replicas * len(self.coordinates)))
        bar = tqdm(total=total, desc="SGD steps", leave=False) if progress else None
        for first in range(0, total, chunk):
            drawn = self.draws(min(chunk, total - first), replicas, rng)
            for n, batch in enumerate(drawn, start=first):
                yield batch, n >= burn_in
            if bar is not None:
                bar.update(len(drawn))
        if bar is not None:
            bar.close()
