r"""Gradient descent as a map: orbits, speed, and the thresholds at which stability is lost."""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import (
    array,
    count,
    definite,
    finite,
    fraction,
    positive,
    shaped,
    shown,
    symmetric,
)


def descend(gradient, start, eta, steps):
    """Yield the orbit of gradient descent, `steps` + 1 points from `start` on.

    Parameters
    ----------
    gradient : callable
        ``gradient(*point)`` -> tuple like `point`; if `start` is an array, ``gradient(theta)`` ->
        array of the shape of theta.
    start : tuple of floats or arrays, or array
        Many starts, or rates, at once by broadcasting.
    eta : float or array
        Learning rate, > 0.
    steps : int
        How many, >= 0.

    Raises
    ------
    ValueError
        If a start is empty or not finite, a rate is not positive, or steps < 0; while the orbit
        runs, if the gradient of an array has another shape than the array.
    """
    vector = isinstance(start, np.ndarray)
    if not vector and (not isinstance(start, tuple) or not start):
        raise ValueError(f"start is {shown(start)}; it must be a tuple of numbers or an array")
    point = array("start", start) if vector else tuple(array("start", s) for s in start)
    eta, steps = array("eta", eta), count("steps", steps, least=0)
    if not (eta > 0).all():
        raise ValueError(f"eta is {eta.min()}; it must be positive")
    return (_vector_orbit if vector else _orbit)(gradient, point, eta, steps)


def _orbit(gradient, point, eta, steps):
    yield point
    for _ in range(steps):
        point = tuple(p - eta * g for p, g in zip(point, gradient(*point), strict=True))
        yield point


def _vector_orbit(gradient, theta, eta, steps):
    yield theta
    for _ in range(steps):
        theta = theta - eta * shaped("gradient", gradient(theta), theta.shape)
        yield theta


def multipliers(hessian, eta):
    """Eigenvalues 1 - eta lambda_i of the map's derivative at a critical point, descending.

    `hessian` is the symmetric (D, D) matrix there.
    """
    return 1 - positive("eta", eta) * np.linalg.eigvalsh(symmetric("hessian", hessian))


def optimal_rate(hessian):
    r"""The rate with the best local speed at a minimum, and that speed.

    Returns
    -------
    eta, rho : float
        :math:`2/(\lambda_{\min}+\lambda_{\max})` and :math:`(\kappa-1)/(\kappa+1)`: in the long run
        each step multiplies the distance to the minimum by rho.

    Raises
    ------
    ValueError
        If the Hessian is not a positive definite matrix.
    """
    least, most = np.linalg.eigvalsh(definite("hessian", hessian))[[0, -1]]
    return 2 / (least + most), (most - least) / (most + least)


@dataclass(frozen=True)
class HeavyBall:
    r"""theta_{n+1} = theta_n - eta grad L(theta_n) + beta (theta_n - theta_{n-1}) (Polyak).

    beta = 0 is plain gradient descent. Averaged momentum, m <- beta m + (1 - beta) grad L
    and theta <- theta - eta m, as in Adam, is this map with the rate (1 - beta) eta.
    """

    beta: float = 0.0

    def __post_init__(self):
        fraction("beta", self.beta)

    @classmethod
    def optimal(cls, hessian):
        r"""The best local speed that heavy ball has at a minimum.

        Returns
        -------
        eta : float
            :math:`4/(\sqrt{\lambda_{\min}}+\sqrt{\lambda_{\max}})^2`.
        method : HeavyBall
            Its speed is :math:`\sqrt\beta=(\sqrt\kappa-1)/(\sqrt\kappa+1)`.
        """
        least, most = np.sqrt(np.linalg.eigvalsh(definite("hessian", hessian))[[0, -1]])
        return 4 / (least + most) ** 2, cls(((most - least) / (most + least)) ** 2)

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
