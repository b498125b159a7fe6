"""A product of two weights under an even loss: the model that lives at the edge of stability."""

from dataclasses import dataclass

import numpy as np
from scipy.special import lambertw

from dsnnlib._checks import array, positive, shown


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
