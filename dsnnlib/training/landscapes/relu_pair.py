"""Two data, two ReLU neurons in a row: a manifold of minima that all samples share."""

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import array, count, finite, positive


class ReluPair:
    r"""The network f(x) = ReLU(t2 ReLU(t1 x)) with the data (0.9, 0.9) and (2.5, 2.5).

    For positive weights the loss of a sample is
    :math:`\frac12(f(x)-x)^2 = \frac12x^2(t_1t_2-1)^2`, and each point of the hyperbola t1 t2 = 1
    fits both data: there all sample gradients vanish. Where a weight is not positive the network is
    dead: it returns 0 and does not move.

    Parameters
    ----------
    probability : float
        With which SGD draws the point 0.9.

    References
    ----------
    The benchmark of Craciun and Ghoshdastidar, arXiv:2510.24466, Appendix C. That the loss of a
    sample has the factor 1/2, and the mean loss with equal weights is 1.765 (t1 t2 - 1)^2, is our
    normalisation: with it their orbits come out. Page: training/stochastic gradient descent.
    """

    inputs = np.array([0.9, 2.5])

    def __init__(self, probability=0.5):
        self.probability = finite("probability", probability)
        if not 0 < self.probability < 1:
            raise ValueError(f"probability is {probability}; it must lie between 0 and 1")
        self.probabilities = np.array([self.probability, 1 - self.probability])
        self.curvatures = self.inputs**2

    @property
    def mean_curvature(self):
        """Weighted mean of the x^2; 3.53 for equal weights."""
        return float(self.probabilities @ self.curvatures)

    def loss(self, t1, t2):
        """Mean of (f(x) - x)^2 / 2 over the two data, with their probabilities."""
        alive = (np.asarray(t1) > 0) & (np.asarray(t2) > 0)
        return self.mean_curvature * np.where(alive, np.multiply(t1, t2) - 1, 1) ** 2 / 2

    def gradient(self, t1, t2):
        """The pair of derivatives of the mean loss: what gradient descent follows."""
        return self._gradient(t1, t2, self.mean_curvature)

    def sgd(self, start, eta, steps, rng):
        """Yield the weights (t1, t2), and then after each step of SGD.

        Parameters
        ----------
        start : pair of arrays
            Each entry, after broadcasting with the rates, is a run with draws of its own.
        eta : float or array
            Learning rate, > 0.
        steps : int
            How many, >= 0.
        rng : numpy.random.Generator

        Raises
        ------
        ValueError
            If a start is not finite, a rate is not positive, or steps < 0.
        """
        if len(start) != 2:
            raise ValueError(f"start has {len(start)} entries; it must be a pair")
        t1, t2 = (_runs("start", t) for t in start)
        t1, t2, eta = np.broadcast_arrays(t1, t2, _rates(eta))
        return self._orbit(t1, t2, eta, count("steps", steps, least=0), rng)

    def _orbit(self, t1, t2, eta, steps, rng):
        yield t1, t2
        for _ in range(steps):
            first = rng.random(t1.shape) < self.probability
            g1, g2 = self._gradient(t1, t2, np.where(first, *self.curvatures))
            t1, t2 = t1 - eta * g1, t2 - eta * g2
            yield t1, t2

    def distant_sgd(self, residual, imbalance, eta, steps, rng):
        r"""SGD in the coordinates r = t1 t2 - 1 and d = t1^2 - t2^2, which resolve a small r.

        In the weights themselves rounding ends every run at r = 1e-16, here at 1e-308. With the
        curvature k of the sample drawn and :math:`s = t_1^2 + t_2^2 = \sqrt{d^2 + 4(1+r)^2}` a step
        is

        .. math:: r^+ = r\,(1 - \eta k s + \eta^2k^2r(1+r)), \qquad d^+ = d\,(1 - \eta^2k^2r^2) .

        Arguments as for `sgd`, but that the start is given by two arrays, r > -1 and d. Yields
        (r, d); where the network dies, both are not a number from then on.
        """
        r, d = _runs("residual", residual), _runs("imbalance", imbalance)
        if (r <= -1).any():
            raise ValueError(f"residual is {r.min()}; it must be above -1")
        r, d, eta = np.broadcast_arrays(r, d, _rates(eta))
        return self._distant_orbit(r, d, eta, count("steps", steps, least=0), rng)

    def _distant_orbit(self, r, d, eta, steps, rng):
        yield r, d
        for _ in range(steps):
            first = rng.random(r.shape) < self.probability
            k = eta * np.where(first, *self.curvatures)
            s = np.sqrt(d**2 + 4 * (1 + r) ** 2)
            larger = np.sqrt((s + abs(d)) / 2)
            smaller = (1 + r) / larger
            dead = smaller <= k * r * larger  # the smaller weight is the first to die
            r, d = r * (1 - k * s + k**2 * r * (1 + r)), d * (1 - (k * r) ** 2)
            r, d = np.where(dead, np.nan, r), np.where(dead, np.nan, d)
            yield r, d

    def descent_exponent(self, eta, s):
        """The exponent mu = log abs(1 - k eta s), k = mean_curvature, where s = t1^2 + t2^2."""
        with np.errstate(divide="ignore"):
            return np.log(abs(1 - self.mean_curvature * positive("eta", eta) * self._size(s)))

    def exponent(self, eta, s):
        """The exponent lambda = p log abs(1 - 0.81 eta s) + (1 - p) log abs(1 - 6.25 eta s)."""
        factors = 1 - positive("eta", eta) * self._size(s)[..., None] * self.curvatures
        with np.errstate(divide="ignore"):
            return np.log(abs(factors)) @ self.probabilities

    def descent_band(self, eta):
        """The minima stable for gradient descent: 2 <= s < 2 / (mean_curvature eta), or None."""
        end = 2 / (self.mean_curvature * positive("eta", eta))
        return (2.0, end) if end > 2 else None

    def bands(self, eta):
        r"""The intervals of s >= 2 in which lambda < 0, as a list of pairs.

        With k1 < k2 the curvatures, lambda is negative up to 1/(eta k2), concave between there and
        1/(eta k1), where it is minus infinity at both ends, and increases beyond. So at most
        three zeros bound at most two intervals. The top of the concave arc is at
        (p k1 + (1-p) k2) / (eta k1 k2). For small p the second interval shrinks to its pole
        1/(eta k1) exponentially fast; it is left out where its width is below 1e-12 s.
        """
        eta = positive("eta", eta)
        k1, k2 = self.curvatures
        low, high = 1 / (eta * k2), 1 / (eta * k1)
        top = self.mean_curvature / (eta * k1 * k2)
        far = high
        while self.exponent(eta, far) <= 0:
            far *= 2
        ends = [0.0]
        if self.exponent(eta, top) > 0:
            ends += [self._zero(eta, low, top), self._zero(eta, high, top)]
        ends.append(self._zero(eta, high, far))
        pairs = zip(ends[::2], ends[1::2], strict=True)
        return [(max(start, 2.0), end) for start, end in pairs if end > max(start, 2.0)]

    def _zero(self, eta, pole, positive_end):
        """The zero of lambda between a pole, where it is minus infinity, and a positive end."""
        start = pole * (1 + 1e-12 * np.sign(positive_end - pole))
        if self.exponent(eta, start) >= 0:
            return float(pole)
        return brentq(lambda s: self.exponent(eta, s), start, positive_end, xtol=1e-13)

    @staticmethod
    def _gradient(t1, t2, curvature):
        alive = (np.asarray(t1) > 0) & (np.asarray(t2) > 0)
        slope = np.where(alive, curvature * (np.multiply(t1, t2) - 1), 0.0)
        return slope * t2, slope * t1

    @staticmethod
    def _size(s):
        s = array("s", s)
        if (s < 0).any():
            raise ValueError(f"s is {s.min()}; it must not be negative")
        return s


def _runs(name, value):
    """An array of finite numbers; it may be empty, as when no run is left."""
    return array(name, value) if np.size(value) else np.empty(np.shape(value))


def _rates(eta):
    rates = array("eta", eta)
    if not (rates > 0).all():
        raise ValueError(f"eta is {rates.min()}; it must be positive")
    return rates
