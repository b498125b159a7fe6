r"""Worked models of part 3: a product of two weights, with every closed form.

Both losses see only the product of their weights, so their minima are not
isolated: they form curves, and gradient descent chooses a point on them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import lambertw

from dsnnlib._checks import array, positive, shown


class Product:
    r"""The loss L(u, v) = (uv - 1)^2 / 2: one weight after another, one datum (1, 1).

    Minima: the hyperbola uv = 1. There the Hessian has the eigenvalue 0 along
    the curve and the *sharpness* s = u^2 + v^2 >= 2 across it. All methods work
    on arrays of any shape, entry by entry.
    """

    flattest_threshold = 1.0
    """The learning rate at which the flattest minimum (1, 1) loses stability: 2 / s = 1."""

    doubling_threshold = 5**0.5 - 1
    """The learning rate at which the 2-cycle of `two_cycle` doubles its period."""

    @staticmethod
    def loss(u, v):
        """(uv - 1)^2 / 2."""
        return (u * v - 1) ** 2 / 2

    @staticmethod
    def gradient(u, v):
        """The pair (dL/du, dL/dv)."""
        residual = u * v - 1
        return residual * v, residual * u

    @staticmethod
    def sharpness(u, v):
        """Largest eigenvalue of the Hessian [[v^2, 2uv - 1], [2uv - 1, u^2]]."""
        return (u**2 + v**2) / 2 + np.hypot((u**2 - v**2) / 2, 2 * u * v - 1)

    @staticmethod
    def two_cycle(eta):
        r"""The 2-cycle (p, p) <-> (q, q) of gradient descent, p > q > 0.

        .. math:: p q = 1/\eta, \qquad p^2 + q^2 = (1 + \eta)/\eta .

        Exists for eta > 1; derived on the page training/edge of stability.

        Raises
        ------
        ValueError
            If eta <= 1.
        """
        eta = positive("eta", eta)
        if eta <= 1:
            raise ValueError(f"eta is {eta}; it must be above 1, where the 2-cycle is born")
        total, difference = np.sqrt((3 + eta) / eta), np.sqrt((eta - 1) / eta)
        return (total + difference) / 2, (total - difference) / 2

    @staticmethod
    def two_cycle_multipliers(eta):
        """Multipliers of the 2-cycle along and across the diagonal.

        They are 9 - 2 (1 + eta)^2 and 3 - 2 eta; the cycle attracts while both
        lie in (-1, 1), that is for 1 < eta < sqrt(5) - 1.
        """
        eta = positive("eta", eta)
        return 9 - 2 * (1 + eta) ** 2, 3 - 2 * eta


@dataclass(frozen=True)
class EvenProduct:
    r"""The loss L(x, y) = l(xy) with l even and l'(s) = s - c s^3 + O(s^5).

    Minima: the axes. At (0, y) the Hessian has the eigenvalue 0 along the axis
    and the sharpness y^2 across it. For c > 0 the loss grows slower than the
    parabola (*sub-quadratic*): a wide bounce meets less curvature than a small one.
    """

    slope: callable  # l', works on arrays
    c: float

    def gradient(self, x, y):
        """The pair (dL/dx, dL/dy) = l'(xy) (y, x)."""
        slope = self.slope(x * y)
        return slope * y, slope * x

    def final_sharpness(self, eta, y0_squared):
        r"""Sharpness of the minimum (0, y) that is found from (x_0, y_0) with a small x_0.

        Below the edge, :math:`y_0^2 \le 2/\eta`, the start is kept: :math:`y_0^2 + O(x_0^2)`. From
        :math:`y_0^2 = 2/\eta + \kappa\eta/(2c)` above it, with Lambert's function,

        .. math:: \frac2\eta - g\,\frac{\eta}{2c}, \qquad
            g = 1 + W_0\bigl(-(1+\kappa)e^{-(1+\kappa)}\bigr),

        up to a measured error of third order in eta; far above, g = 1. Derived on the page
        training/edge of stability.
        """
        eta, c = positive("eta", eta), positive("c", self.c)
        y0_squared = array("y0_squared", y0_squared)
        if (y0_squared < 0).any():
            raise ValueError(f"y0_squared is {shown(y0_squared)}; it must not be negative")
        edge, unit = 2 / eta, eta / (2 * c)
        kappa = np.maximum(y0_squared - edge, 0) / unit
        g = 1 + lambertw(-(1 + kappa) * np.exp(-(1 + kappa))).real
        return np.where(y0_squared > edge, edge - g * unit, y0_squared)


LOG_COSH = EvenProduct(slope=np.tanh, c=1 / 3)
"""l(s) = log cosh s."""

SQUARE_ROOT = EvenProduct(slope=lambda s: s / np.sqrt(1 + s**2), c=1 / 2)
"""l(s) = sqrt(1 + s^2)."""


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
