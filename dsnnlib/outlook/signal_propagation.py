r"""Wide random networks: how lengths, angles and gradients change from layer to layer.

For h_{l+1} = W phi(h_l) + b with independent weights N(0, sigma_w^2/N) and biases N(0, sigma_b^2)
the mean square q_l = norm(h_l)^2/N and the correlation c_l of two states follow, as N -> infinity,

.. math::

    q' &= \sigma_w^2\,\mathbb E\,\phi(\sqrt q z)^2 + \sigma_b^2, \\
    c' &= \bigl(\sigma_w^2\,\mathbb E\,\phi(\sqrt q z_1)\phi(\sqrt q z_2)+\sigma_b^2\bigr)/q,

with standard normal z and z_1, z_2 of correlation c.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from dsnnlib._checks import array, count, finite, positive, positives, shown

NODES = 200


@dataclass(frozen=True)
class Activation:
    """A function, its first and its second derivative, each for arrays."""

    value: callable
    slope: callable
    second: callable


def _tanh_slope(x):
    return 1 - np.tanh(x) ** 2


TANH = Activation(np.tanh, _tanh_slope, lambda x: -2 * np.tanh(x) * _tanh_slope(x))


def gauss(function, nodes=NODES):
    """E function(z) for standard normal z; `function` maps (nodes,) to (..., nodes).

    The trapezoidal rule in u, where z = sinh(u). Its nodes are dense near 0, where tanh(sqrt(q) z)
    is steep: for `chi` the relative error is below 1e-9 up to q = 50, and below 1e-5 at q = 200.
    An even number of nodes leaves out 0, where an activation may have a kink.
    """
    z, weights = _rule(count("nodes", nodes))
    return function(z) @ weights


@dataclass(frozen=True)
class WideNetwork:
    """The mean-field maps of one pair of variances.

    Parameters
    ----------
    weight, bias : float
        sigma_w^2 > 0 and sigma_b^2 >= 0.
    phi : Activation

    Raises
    ------
    ValueError
        If a variance is out of range.

    References
    ----------
    Poole et al., arXiv:1606.05340; Schoenholz et al., arXiv:1611.01232.
    Page: outlook/vanishing and exploding gradients.
    """

    weight: float
    bias: float
    phi: Activation = TANH

    def __post_init__(self):
        positive("weight", self.weight)
        if finite("bias", self.bias) < 0:
            raise ValueError(f"bias is {shown(self.bias)}; it must not be negative")

    def length(self, q):
        """The next mean square, for q >= 0 of any shape."""
        root = np.sqrt(_lengths(q))[..., None]
        return self.weight * gauss(lambda z: self.phi.value(root * z) ** 2) + self.bias

    def fixed_length(self, *, start=1.0, steps=10_000, tolerance=1e-13):
        """The limit q* of the lengths from `start`, by iteration.

        Which fixed point is found, if there are several, depends on the start.

        Raises
        ------
        ArithmeticError
            If the lengths have not settled after `steps` layers.
        """
        q = positive("start", start)
        for _ in range(count("steps", steps)):
            q, before = float(self.length(q)), q
            if abs(q - before) <= tolerance * max(q, tolerance):
                return q
        raise ArithmeticError(f"the lengths have not settled after {steps} layers; q is {q:.6g}")

    def chi(self, q):
        r"""Factor of a squared gradient per layer, :math:`\sigma_w^2\mathbb E\,\phi'(\sqrt q z)^2`.

        It is also the slope of the correlation map at c = 1.
        """
        root = np.sqrt(_lengths(q))[..., None]
        return self.weight * gauss(lambda z: self.phi.slope(root * z) ** 2)

    def length_slope(self, q):
        r"""Slope of the length map, :math:`\chi_1+\sigma_w^2\mathbb E\,\phi\phi''(\sqrt q z)`."""
        root = np.sqrt(_lengths(q))[..., None]
        mixed = gauss(lambda z: self.phi.value(root * z) * self.phi.second(root * z))
        return self.chi(q) + self.weight * mixed

    def correlation(self, c, q):
        """The next correlation of two states of mean square q > 0, for c in [-1, 1]."""
        mixed = self._pair(self.phi.value, c, positive("q", q))
        return (self.weight * mixed + self.bias) / q

    def correlation_slope(self, c, q):
        r"""Slope of the correlation map, :math:`\sigma_w^2\mathbb E\,\phi'(u_1)\phi'(u_2)`."""
        return self.weight * self._pair(self.phi.slope, c, positive("q", q))

    def correlation_bend(self, q):
        r"""Its second derivative at c = 1, :math:`\sigma_w^2q\,\mathbb E\,\phi''(\sqrt q z)^2`."""
        q = positive("q", q)
        return self.weight * q * float(gauss(lambda z: self.phi.second(q**0.5 * z) ** 2))

    def fixed_correlation(self, q):
        """The c* in [0, 1] that attracts: 1 if chi <= 1, else the fixed point below 1.

        Raises
        ------
        ArithmeticError
            If chi > 1 and no fixed point is found below 1 - 1e-6: chi is too close to 1, or q is
            not a fixed length.
        """
        if self.chi(q) <= 1:
            return 1.0
        gap = [float(self.correlation(c, q)) - c for c in (0.0, 1 - 1e-6)]
        if abs(gap[0]) < 1e-12:
            return 0.0
        if gap[0] * gap[1] > 0:
            raise ArithmeticError(f"no fixed correlation below 1 - 1e-6 at q = {shown(q)}")
        return brentq(lambda c: float(self.correlation(c, q)) - c, 0, 1 - 1e-6, xtol=1e-13)

    def depth_scales(self):
        """(xi_q, xi_c): layers in which the distance to q*, to c*, falls by the factor e."""
        q = self.fixed_length()
        slope = self.correlation_slope(self.fixed_correlation(q), q)
        return tuple(float(-1 / np.log(abs(s))) for s in (self.length_slope(q), slope))

    def _pair(self, function, c, q):
        """E function(u_1) function(u_2), where u_i have mean square q and correlation c."""
        c = array("c", c)
        if (abs(c) > 1).any():
            raise ValueError(f"c is {shown(c[abs(c) > 1].flat[0])}; it must be in [-1, 1]")
        (z, weights), root, c = _rule(NODES), np.sqrt(q), c[..., None, None]
        second = function(root * (c * z[:, None] + np.sqrt(1 - c**2) * z)) @ weights
        return (function(root * z) * second) @ weights


def edge_of_chaos(q, phi=TANH):
    r"""The variances at which chi = 1 and q is a fixed length: the edge, with q as its parameter.

    .. math:: \sigma_w^2 = 1/\mathbb E\,\phi'(\sqrt q z)^2, \qquad
              \sigma_b^2 = q - \sigma_w^2\,\mathbb E\,\phi(\sqrt q z)^2

    Parameters
    ----------
    q : float or array
        Mean square > 0.
    phi : Activation

    Returns
    -------
    weight, bias : arrays
    """
    root = np.sqrt(positives("q", q))[..., None]
    weight = 1 / gauss(lambda z: phi.slope(root * z) ** 2)
    return weight, q - weight * gauss(lambda z: phi.value(root * z) ** 2)


def critical_weight(bias, phi=TANH, *, largest=20.0):
    """The sigma_w^2 at the edge for sigma_b^2 = `bias` > 0, and q* there.

    Raises
    ------
    ValueError
        If the bias is not positive, or too large or too small for a q* in [1e-9, `largest`].
    """
    bias, largest = positive("bias", bias), positive("largest", largest)
    ends = edge_of_chaos([1e-9, largest], phi)[1]
    if not ends[0] <= bias <= ends[1]:
        raise ValueError(
            f"bias is {shown(bias)}; it must be at most {ends[1]:.6g} for q <= {largest}"
        )
    q = brentq(lambda q: float(edge_of_chaos(q, phi)[1]) - bias, 1e-9, largest, xtol=1e-14)
    return float(edge_of_chaos(q, phi)[0]), q


def relu_correlation(c):
    r"""The correlation map of wide ReLU layers without bias, at every sigma_w^2.

    .. math:: c' = \frac1\pi\bigl(\sqrt{1-c^2} + (\pi-\arccos c)\,c\bigr)
    """
    c = np.clip(array("c", c), -1, 1)
    return (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / np.pi


@lru_cache
def _rule(nodes):
    u = np.linspace(-1, 1, nodes) * np.arcsinh(12.0)
    weights = np.exp(-(np.sinh(u) ** 2) / 2) * np.cosh(u)
    return np.sinh(u), weights / weights.sum()


def _lengths(q):
    q = array("q", q)
    if (q < 0).any():
        raise ValueError(f"q is {shown(q.min())}; it must not be negative")
    return q
