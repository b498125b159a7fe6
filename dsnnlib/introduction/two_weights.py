r"""A network with two weights: small enough that both of its dynamical systems fit on paper.

.. math:: h_l = h_{l-1} + \Delta t\,\big(-h_{l-1} + u\tanh(v h_{l-1})\big),\qquad h_0 = x,\qquad
          \Phi_\theta(x) = h_L,\qquad \theta=(u,v)
"""

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import array, count, finite, positive, shaped, shown


class TwoWeights:
    r"""The residual network of one leaky neuron, and its loss on data.

    L Euler steps of h' = -h + u tanh(v h), on [0, T]. The loss is the mean of
    (Phi(x_i) - y_i)^2 / 2. All methods take many weights at once.

    Parameters
    ----------
    inputs, targets : (N,) array
        x_i and y_i.
    horizon : float
        T > 0.
    layers : int
        L >= 1; the step is dt = T/L.

    Raises
    ------
    ValueError
        If inputs and targets differ in length, or an argument makes no sense.

    References
    ----------
    Page: introduction/two dynamical systems.
    """

    def __init__(self, inputs, targets, *, horizon=4.0, layers=40):
        self.x = array("inputs", inputs, ndim=1)
        self.y = shaped("targets", array("targets", targets, ndim=1), self.x.shape)
        self.horizon, self.layers = positive("horizon", horizon), count("layers", layers)
        self.dt = self.horizon / self.layers

    @classmethod
    def taught(cls, inputs, theta, **options):
        """The network whose targets are the outputs of the weights theta = (u, v)."""
        inputs = array("inputs", inputs, ndim=1)
        teacher = cls(inputs, inputs, **options)
        return cls(inputs, teacher.states(theta)[-1], **options)

    def states(self, theta, x=None):
        """The fast system: h_0, ..., h_L for each of the weights and inputs.

        Parameters
        ----------
        theta : (..., 2) array
            Weights (u, v).
        x : (n,) array, optional
            Inputs; those of the data by default.

        Returns
        -------
        (L + 1, ..., n) array
        """
        u, v = _weights(theta)
        h = (self.x if x is None else array("x", x, ndim=1)) + np.zeros_like(u)
        states = [h]
        for _ in range(self.layers):
            h = h + self.dt * (-h + u * np.tanh(v * h))
            states.append(h)
        return np.array(states)

    def loss(self, theta):
        """The loss L(theta), (...) for theta of shape (..., 2)."""
        return ((self.states(theta)[-1] - self.y) ** 2).mean(axis=-1) / 2

    def gradient(self, theta):
        """The gradient of the loss, (..., 2), by one sweep back through the layers."""
        u, v = _weights(theta)
        states = self.states(theta)
        p = (states[-1] - self.y) / len(self.x)
        of_u, of_v = np.zeros_like(p), np.zeros_like(p)
        for h in states[-2::-1]:
            neuron = np.tanh(v * h)
            slope = u * (1 - neuron**2)
            of_u += self.dt * p * neuron
            of_v += self.dt * p * slope * h
            p = p * (1 - self.dt + self.dt * slope * v)
        return np.stack([of_u.sum(axis=-1), of_v.sum(axis=-1)], axis=-1)

    def hessian(self, theta, *, h=1e-5):
        """The (2, 2) Hessian of the loss at one theta, by central differences, error O(h^2)."""
        theta = shaped("theta", array("theta", theta), (2,))
        shifts = positive("h", h) * np.eye(2)
        matrix = (self.gradient(theta + shifts) - self.gradient(theta - shifts)) / (2 * h)
        return (matrix + matrix.T) / 2


def equilibrium(u, v):
    """The non-negative stable rest state of h' = -h + u tanh(v h), for u, v > 0.

    It is 0 as long as u v <= 1; beyond that it is the positive root of h = u tanh(v h).

    Raises
    ------
    ValueError
        If u or v is not a positive number.
    """
    u, v = positive("u", u), positive("v", v)
    gain = finite("u v", u * v)
    if gain <= 1:
        return 0.0
    onset = np.sqrt(3 * (gain - 1) / gain)  # tanh z > z - z^3/3, so the root z = v h is above
    return brentq(lambda z: z - gain * np.tanh(z), onset, 1.01 * gain, xtol=1e-15) / v


def slope(u, v, *, horizon, layers):
    """The slope of Phi at x = 0: the product (1 + dt (u v - 1))^L of the layers' slopes."""
    u, v, horizon = finite("u", u), finite("v", v), positive("horizon", horizon)
    layers = count("layers", layers)
    return (1 + horizon / layers * (u * v - 1)) ** layers


def _weights(theta):
    theta = array("theta", theta)
    if theta.shape[-1:] != (2,):
        raise ValueError(f"theta is {shown(theta.tolist())}; its last axis must be (u, v)")
    return theta[..., :1], theta[..., 1:]
