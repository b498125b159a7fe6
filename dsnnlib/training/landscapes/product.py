"""A product of two weights under the squared error: the smallest manifold of minima."""

import numpy as np

from dsnnlib._checks import positive


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
