"""A valley whose floor bends: a flip of either kind, with its 2-cycle in closed form."""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import finite, positive


@dataclass(frozen=True)
class BentValley:
    r"""The loss :math:`\tfrac\lambda2x^2+\tfrac\mu2y^2+\tfrac g2x^2y+\tfrac q{24}x^4`.

    A minimum at 0 with the Hessian diag(lam, mu), lam > mu > 0. With g = 0 the two parameters
    do not see each other; with g the valley floor in the direction x is y = -g x^2 / (2 mu).
    """

    lam: float
    mu: float
    g: float
    q: float

    def __post_init__(self):
        if positive("mu", self.mu) >= positive("lam", self.lam):
            raise ValueError(f"mu is {self.mu}; it must be below lam, which is {self.lam}")
        finite("g", self.g), finite("q", self.q)

    def loss(self, x, y):
        """L at (x, y), entry by entry."""
        return self.lam * x**2 / 2 + self.mu * y**2 / 2 + self.g * x**2 * y / 2 + self.q * x**4 / 24

    def gradient(self, x, y):
        """The pair (dL/dx, dL/dy), entry by entry."""
        return x * (self.lam + self.g * y + self.q * x**2 / 6), self.mu * y + self.g * x**2 / 2

    def hessian(self, x, y):
        """The (2, 2) matrix of second derivatives at one point."""
        mixed = self.g * x
        return np.array([[self.lam + self.g * y + self.q * x**2 / 2, mixed], [mixed, self.mu]])

    @property
    def coefficient(self):
        """The flip coefficient Gamma = 3 g^2 / mu - q at the minimum."""
        return 3 * self.g**2 / self.mu - self.q

    def two_cycle(self, eta):
        r"""The points (s, y) and (-s, y) of the 2-cycle that is symmetric under x -> -x, s > 0.

        .. math:: s^2 = 6\,(\lambda-2/\eta)/\Gamma, \qquad y=-g s^2/(2\mu) .

        Raises
        ------
        ValueError
            If there is none: it exists on the side of 2 / lam on which s^2 > 0.
        """
        eta = positive("eta", eta)
        squared = 6 * np.divide(self.lam - 2 / eta, self.coefficient) if self.coefficient else 0
        if not squared > 0:
            raise ValueError(f"eta is {eta}; it must be where (lam - 2 / eta) / coefficient > 0")
        y = -self.g * squared / (2 * self.mu)
        return np.array([[squared**0.5, y], [-(squared**0.5), y]])
