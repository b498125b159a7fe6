r"""A network that computes and learns at the same time: one neuron, one weight, two clocks.

.. math:: h' = -h+\tanh(wh+x),\qquad p' = -c(h,w)\,p + h - y,\qquad w' = -\varepsilon\,p\,s(h,w)\,h

with :math:`s=\tanh'(wh+x)` and :math:`c=1-ws`. The state h settles, the costate p carries the error
back, and the weight moves. Once h and p have settled, w' is minus epsilon times the gradient of
the loss (h*(w) - y)^2 / 2.
"""

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import finite, positive


class AdaptiveNeuron:
    r"""Recurrent backpropagation for one sample (x, y), in continuous time.

    Parameters
    ----------
    x : float
        Input, a constant drive, not 0.
    y : float
        Target, of the sign of x, abs(y) < 1. Then the neuron has one rest state of that sign,
        for every weight, and it attracts.

    Attributes
    ----------
    weight : float
        The w at which the neuron rests at y: w y + x = artanh y.
    c : float
        Rate at which state and costate settle there, c = 1 - w (1 - y^2).
    g : float
        How the weight drives the state there, g = (1 - y^2) y.

    Raises
    ------
    ValueError
        If y is not in (-1, 1), or x and y do not have the same sign.

    References
    ----------
    F. J. Pineda, Phys. Rev. Lett. 59 (1987) 2229. Page: introduction/two dynamical systems.
    """

    def __init__(self, x, y):
        self.x, self.y = finite("x", x), finite("y", y)
        if not abs(self.y) < 1:
            raise ValueError(f"y is {self.y}; it must lie in (-1, 1)")
        if not self.x * self.y > 0:
            raise ValueError(f"x is {self.x}; it must have the sign of y = {self.y}")
        self.weight = (np.arctanh(self.y) - self.x) / self.y
        slope = 1 - self.y**2
        self.c, self.g = 1 - self.weight * slope, slope * self.y

    @property
    def curvature(self):
        """L'' at the solution, (g / c)^2."""
        return (self.g / self.c) ** 2

    @property
    def overshoot(self):
        """The epsilon beyond which the weight spirals in: 4 c^3 / (27 g^2)."""
        return 4 * self.c**3 / (27 * self.g**2)

    @property
    def hopf(self):
        """The epsilon beyond which the solution is unstable: 2 c^3 / g^2 = 2 c / L''."""
        return 2 * self.c**3 / self.g**2

    def rates(self, epsilon):
        """The three eigenvalues at the solution, by real part: (l + c)^2 l + epsilon g^2 = 0."""
        c, epsilon = self.c, positive("epsilon", epsilon)
        roots = np.roots([1, 2 * c, c**2, epsilon * self.g**2])
        return roots[np.lexsort((roots.imag, roots.real))]

    def field(self, epsilon):
        """The coupled system, as ``field(t, state)`` for state = (h, p, w), shape (3, ...)."""
        epsilon = np.asarray(epsilon, dtype=float)

        def field(t, state):
            h, p, w = state
            neuron = np.tanh(w * h + self.x)
            s = 1 - neuron**2
            return np.stack([-h + neuron, -(1 - w * s) * p + h - self.y, -epsilon * p * s * h])

        return field

    def rest(self, w):
        """h*(w), the rest state of h' = -h + tanh(w h + x) that has the sign of the target."""
        w, ends = finite("w", w), sorted((0.0, np.sign(self.y)))
        return brentq(lambda h: h - np.tanh(w * h + self.x), *ends, xtol=1e-15)

    def slope(self, w):
        """L'(w) = (h* - y) s h* / c, the gradient that the slow system follows."""
        h = self.rest(w)
        s = 1 - h**2
        return (h - self.y) * s * h / (1 - w * s)
