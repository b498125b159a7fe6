"""The reduced map of self-stabilisation near the edge."""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import positive


@dataclass(frozen=True)
class SelfStabilisation:
    r"""Reduced map of gradient descent near the edge, at a sharpness 2/eta + w.

    .. math:: x^+ = -(1 + \eta w) x, \qquad w^+ = w + \eta (\alpha - \beta x^2 / 2) .

    x is the displacement along the top eigenvector, alpha > 0 the rate of
    progressive sharpening, beta > 0 the squared norm of the sharpness's gradient.

    References
    ----------
    Damian, Nichani, Lee, arXiv:2209.15594. Page: training/edge of stability.
    """

    eta: float
    alpha: float
    beta: float

    def __post_init__(self):
        for name in ("eta", "alpha", "beta"):
            positive(name, getattr(self, name))

    def __call__(self, x, w):
        """One step of the map."""
        return -(1 + self.eta * w) * x, w + self.eta * (self.alpha - self.beta * x**2 / 2)

    @property
    def amplitude(self):
        """Modulus of x on the 2-cycle (x, 0) <-> (-x, 0): sqrt(2 alpha / beta)."""
        return (2 * self.alpha / self.beta) ** 0.5

    @property
    def multiplier(self):
        """Multiplier 1 + i eta sqrt(2 alpha) of the map at the amplitude, for x up to sign."""
        return 1 + 1j * self.eta * (2 * self.alpha) ** 0.5

    def energy(self, x, w):
        """w^2/2 + beta x^2/4 - alpha log abs(x), conserved by the flow that the map discretises."""
        return w**2 / 2 + self.beta * x**2 / 4 - self.alpha * np.log(abs(x))
