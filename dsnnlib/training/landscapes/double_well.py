"""The double well: the smallest loss whose gradient descent is chaotic."""

import numpy as np


class DoubleWell:
    r"""The loss L(theta) = (theta^2 - 1)^2 / 4 of one parameter: minima at -1 and 1, L'' = 2.

    Gradient descent is the cubic :math:`(1+\eta)\theta-\eta\theta^3`, which the loss `Product`
    has on its diagonal u = v; its 2-cycle is ``Product.two_cycle``. All methods work entry by
    entry.
    """

    flip_threshold = 1.0
    """The learning rate 2 / L'' at which the minima lose their stability."""

    leaving_threshold = 27**0.5 / 2 - 1
    """Up to this rate an orbit that starts between 0 and `reach` stays in its well for ever."""

    chebyshev_rate = 2.0
    r"""At this rate theta = sqrt(2) cos(phi) becomes -sqrt(2) cos(3 phi).

    Above it almost every start escapes to infinity.
    """

    @staticmethod
    def loss(theta):
        """(theta^2 - 1)^2 / 4."""
        return (theta**2 - 1) ** 2 / 4

    @staticmethod
    def gradient(theta):
        """theta^3 - theta."""
        return theta * (theta * theta - 1)

    @staticmethod
    def curvature(theta):
        """3 theta^2 - 1."""
        return 3 * theta * theta - 1

    @staticmethod
    def reach(eta):
        """The positive start that one step takes to the hilltop 0: sqrt(1 + 1 / eta)."""
        return np.sqrt(1 + 1 / eta)

    @staticmethod
    def escape(eta):
        """Starts of a larger modulus go to infinity: sqrt(1 + 2 / eta)."""
        return np.sqrt(1 + 2 / eta)

    @staticmethod
    def flow(theta, t):
        """The gradient flow from theta after the time t."""
        return theta * np.exp(t) / np.sqrt(1 + theta**2 * np.expm1(2 * t))
