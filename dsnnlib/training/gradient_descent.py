r"""Gradient descent as a map, and the thresholds at which its fixed points lose stability."""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import array, count, finite, fraction, shown


def descend(gradient, start, eta, steps):
    """Yield the orbit of gradient descent, `steps` + 1 points from `start` on.

    Parameters
    ----------
    gradient : callable
        ``gradient(*point)`` -> tuple like `point`.
    start : tuple of floats or arrays
        Many starts, or rates, at once by broadcasting.
    eta : float or array
        Learning rate, > 0.
    steps : int
        How many, >= 0.

    Raises
    ------
    ValueError
        If a start is empty or not finite, a rate is not positive, or steps < 0.
    """
    if not isinstance(start, tuple) or not start:
        raise ValueError(f"start is {shown(start)}; it must be a tuple of numbers or arrays")
    point = tuple(array("start", s) for s in start)
    eta, steps = array("eta", eta), count("steps", steps, least=0)
    if not (eta > 0).all():
        raise ValueError(f"eta is {eta.min()}; it must be positive")
    return _orbit(gradient, point, eta, steps)


def _orbit(gradient, point, eta, steps):
    yield point
    for _ in range(steps):
        point = tuple(p - eta * g for p, g in zip(point, gradient(*point), strict=True))
        yield point


@dataclass(frozen=True)
class HeavyBall:
    r"""theta_{n+1} = theta_n - eta grad L(theta_n) + beta (theta_n - theta_{n-1}) (Polyak).

    beta = 0 is plain gradient descent. Averaged momentum, m <- beta m + (1 - beta) grad L
    and theta <- theta - eta m, as in Adam, is this map with the rate (1 - beta) eta.
    """

    beta: float = 0.0

    def __post_init__(self):
        fraction("beta", self.beta)

    @property
    def threshold(self):
        """Stable along a Hessian eigenvalue lam > 0 if and only if eta lam < 2 + 2 beta."""
        return 2 + 2 * self.beta

    def companion(self, eta_lam):
        """The map (theta_n, theta_{n-1}) -> (theta_{n+1}, theta_n) on the loss lam theta^2/2."""
        eta_lam = finite("eta_lam", eta_lam)
        return np.array([[1 + self.beta - eta_lam, -self.beta], [1, 0]])


@dataclass(frozen=True)
class Nesterov:
    """theta_{n+1} = z - eta grad L(z) at z = theta_n + beta (theta_n - theta_{n-1})."""

    beta: float

    def __post_init__(self):
        fraction("beta", self.beta)

    @property
    def threshold(self):
        """Stable if and only if eta lam < (2 + 2 beta) / (1 + 2 beta), for lam > 0."""
        return (2 + 2 * self.beta) / (1 + 2 * self.beta)

    def companion(self, eta_lam):
        """The map (theta_n, theta_{n-1}) -> (theta_{n+1}, theta_n) on the loss lam theta^2/2."""
        shrink = 1 - finite("eta_lam", eta_lam)
        return np.array([[shrink * (1 + self.beta), -shrink * self.beta], [1, 0]])


def spectral_radius(matrix):
    """Largest modulus of an eigenvalue of a square matrix."""
    matrix = array("matrix", matrix, ndim=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {matrix.shape}; it must be square")
    return float(abs(np.linalg.eigvals(matrix)).max())
