r"""N Ornstein-Uhlenbeck particles that attract each other's mean, and their limit, exactly.

.. math:: dX_i = -\bigl(aX_i + b\,(X_i-\bar X)\bigr)dt + \sqrt{2D}\,dW_i,\qquad
    \bar X = \tfrac1N\sum_j X_j .

The mean and the deviations from it are independent Ornstein-Uhlenbeck processes with the
rates a and a + b. So everything can be written down for each N, not only in the limit.
"""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import array, count, finite, generator, positive, shown


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """The particles, started independently with the mean m0 and the variance v0.

    Parameters
    ----------
    a, b : float
        Pull to 0, > 0, and pull to the mean, with a + b > 0; [1/time].
    D : float
        Noise, > 0.

    References
    ----------
    Sznitman, Topics in propagation of chaos (1991). Page: mean field/exchangeable neurons.
    """

    a: float
    b: float
    D: float

    def __post_init__(self):
        positive("a", self.a)
        finite("b", self.b)
        positive("a + b", self.a + self.b)
        positive("D", self.D)

    def mean(self, t, m0):
        """E X_i(t) = m0 exp(-a t), for every N."""
        return m0 * np.exp(-self.a * np.asarray(t))

    def free_variance(self, t, v0, rate):
        """v_r(t): variance of one particle without the others, pulled with the rate r alone.

        It is v0 exp(-2 r t) + (1 - exp(-2 r t)) D / r.
        """
        t = np.asarray(t)
        return v0 * np.exp(-2 * rate * t) - self.D / rate * np.expm1(-2 * rate * t)

    def limit_variance(self, t, v0):
        """Variance of a particle of the limit, v_{a+b}(t): it tends to D / (a + b)."""
        return self.free_variance(t, v0, self.a + self.b)

    def mean_variance(self, t, v0, N):
        """Variance of the empirical mean of N particles, v_a(t) / N."""
        return self.free_variance(t, v0, self.a) / N

    def covariance(self, t, v0, N):
        """Covariance of two of N particles, (v_a(t) - v_{a+b}(t)) / N."""
        return (self.free_variance(t, v0, self.a) - self.limit_variance(t, v0)) / N

    def variance(self, t, v0, N):
        """Variance of one of N particles: the limit's, plus the covariance of two."""
        return self.limit_variance(t, v0) + self.covariance(t, v0, N)

    def coupling(self, t, v0, N):
        r"""Mean squared distance of a particle to its copy in the limit, same start, same noise.

        .. math:: \E|X_i-X_i^\infty|^2 = (v_a + v_{a+b} - 2v_{a+b/2})/N

        The copy feels m0 exp(-a t) in place of the empirical mean.
        """
        ends = self.free_variance(t, v0, self.a) + self.limit_variance(t, v0)
        return (ends - 2 * self.free_variance(t, v0, self.a + self.b / 2)) / N

    def simulate(self, start, times, rng):
        """Yield the particles at each of `times`: exact in law, whatever the gaps are.

        Parameters
        ----------
        start : (..., N) array
            Systems side by side, at the time times[0].
        times : (n,) array
            Increasing.
        rng : numpy.random.Generator

        Raises
        ------
        ValueError
            If times decrease, or rng is no generator.
        """
        x, times = array("start", np.atleast_1d(start)), array("times", times, ndim=1)
        if not (np.diff(times) > 0).all():
            raise ValueError(f"times is {shown(times.tolist())}; it must increase")
        generator("rng", rng)
        return self._states(x, times, rng)

    def _states(self, x, times, rng):
        yield x
        for gap in np.diff(times):
            kick = rng.normal(size=x.shape)
            mean, common = x.mean(-1, keepdims=True), kick.mean(-1, keepdims=True)
            parts = ((self.a, mean, common), (self.a + self.b, x - mean, kick - common))
            x = sum(
                np.exp(-rate * gap) * part + np.sqrt(self.free_variance(gap, 0, rate)) * noise
                for rate, part, noise in parts
            )
            yield x

    def coupled(self, start, m0, dt, steps, rng):
        """N particles and their copies in the limit, driven by the same noise (Euler-Maruyama).

        Parameters
        ----------
        start : (..., N) array
            Of both.
        m0 : float
            Mean of the law from which it was drawn.
        dt : float
            Step, > 0; the law of the result is exact up to O(dt).
        steps : int
        rng : numpy.random.Generator

        Returns
        -------
        particles, copies : (..., N) arrays
            At the time steps * dt.
        """
        x = array("start", np.atleast_1d(start))
        m0, dt, steps = finite("m0", m0), positive("dt", dt), count("steps", steps)
        generator("rng", rng)
        copy = x
        for n in range(steps):
            noise = np.sqrt(2 * self.D * dt) * rng.normal(size=x.shape)
            drift = -self.a * x - self.b * (x - x.mean(-1, keepdims=True))
            x = x + dt * drift + noise
            limit = -self.a * copy - self.b * (copy - self.mean(n * dt, m0))
            copy = copy + dt * limit + noise
        return x, copy
