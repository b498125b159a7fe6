r"""A two-layer network as a cloud of particles, and its training as their motion.

A neuron with the weights w = (a, b, c) maps x to :math:`\sigma_*(x;w) = a\,\sigma(b\cdot x+c)`.
The network is the average over the law rho of its neurons,

.. math:: f_\rho(x) = \int \sigma_*(x;w)\,d\rho(w),

which for N neurons of equal mass is (1/N) times their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import array, count, positive, shown


@dataclass(frozen=True)
class Activation:
    """An activation sigma, and its slope as a function of its value: sigma' = slope(sigma)."""

    function: Callable
    slope: Callable


TANH = Activation(np.tanh, lambda value: 1 - value**2)
RELU = Activation(lambda z: np.maximum(z, 0.0), lambda value: (value > 0).astype(float))


class TwoLayer:
    r"""Two-layer networks that are trained on the same data, under mean-field scaling.

    .. math::

        R(\rho) = \tfrac12\,\E\,(f_\rho(x)-y)^2,\qquad
        \Psi(w;\rho) = \E\,(f_\rho(x)-y)\,\sigma_*(x;w),\qquad
        \dot w = -\nabla_w\Psi(w;\rho),

    with the mean E over the data. Of N neurons with equal masses the last equation is the
    gradient flow of R in the weights, with time counted N times faster.

    Parameters
    ----------
    inputs : (n, d) array
        Or (n,), for inputs on the line.
    targets : (n,) array
    activation : Activation
        TANH, RELU or one's own.

    Raises
    ------
    ValueError
        If inputs and targets do not fit each other, or hold what is not a finite number; in
        the methods, if weights or masses have another shape.

    References
    ----------
    Mei, Montanari, Nguyen (arXiv:1804.06561). Page: mean field/exchangeable neurons.
    """

    def __init__(self, inputs, targets, activation=TANH):
        inputs = array("inputs", inputs)
        self.inputs = inputs[:, None] if inputs.ndim == 1 else array("inputs", inputs, ndim=2)
        self.targets = array("targets", targets, ndim=1)
        if len(self.targets) != len(self.inputs):
            raise ValueError(
                f"targets has {len(self.targets)} entries; it must have one for each "
                f"of the {len(self.inputs)} inputs"
            )
        if not isinstance(activation, Activation):
            raise ValueError(f"activation is {shown(activation)}; it must be an Activation")
        self.activation = activation

    @property
    def dim(self):
        """Number of weights of a neuron, d + 2: a, then b, then c."""
        return self.inputs.shape[1] + 2

    def neurons(self, w):
        """Outputs sigma_*(x; w), shape (..., N, n), of neurons w of shape (..., N, d + 2)."""
        return w[..., :1] * self._activity(w)

    def output(self, w, mass=None):
        """The network f_rho at the inputs, shape (..., n).

        Parameters
        ----------
        w : (..., N, d + 2) array
            Networks side by side, each with N neurons (a, b, c).
        mass : (N,) array, optional
            Of the neurons; 1/N each if left out.
        """
        return self._average(self.neurons(w), self._mass(w, mass))

    def risk(self, w, mass=None):
        """The risk R(rho), shape (...)."""
        return ((self.output(w, mass) - self.targets) ** 2).mean(-1) / 2

    def velocity(self, w, mass=None):
        """The velocity -grad Psi(w; rho) of every neuron, of the shape of w; cost O(N n d)."""
        mass = self._mass(w, mass)
        activity = self._activity(w)
        a = w[..., :1]
        residual = self._average(a * activity, mass) - self.targets
        residual = residual[..., None, :] / len(self.targets)
        push = a * self.activation.slope(activity) * residual
        return -np.concatenate(
            [
                (activity * residual).sum(-1, keepdims=True),
                push @ self.inputs,
                push.sum(-1, keepdims=True),
            ],
            axis=-1,
        )

    def _activity(self, w):
        if np.ndim(w) < 2 or np.shape(w)[-1] != self.dim:
            raise ValueError(f"w has the shape {np.shape(w)}; it must be (..., N, {self.dim})")
        return self.activation.function(w[..., 1:-1] @ self.inputs.T + w[..., -1:])

    def _mass(self, w, mass):
        if mass is None:
            return None
        if np.shape(mass) != np.shape(w)[-2:-1]:
            raise ValueError(
                f"mass has the shape {np.shape(mass)}; it must have one entry for each neuron"
            )
        return np.asarray(mass)

    @staticmethod
    def _average(values, mass):
        return values.mean(-2) if mass is None else mass @ values


def gaussian_cloud(nodes, dim, scale=1.0):
    r"""Particles and masses that stand for the Gaussian law N(0, scale^2 I) in R^dim.

    They are the nodes and weights of the tensor Gauss-Hermite rule: exact for
    polynomials of degree 2 nodes - 1 in each variable, spectrally accurate for analytic
    functions. Moved by the limit's velocity they solve the limit equation that well.

    Parameters
    ----------
    nodes : int
        In each direction, so there are nodes**dim particles.
    dim : int
    scale : float
        Standard deviation.

    Returns
    -------
    w : (nodes**dim, dim) array
    mass : (nodes**dim,) array
        Positive, with sum 1.
    """
    nodes, dim = count("nodes", nodes), count("dim", dim)
    scale = positive("scale", scale)
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    grids = np.meshgrid(*[scale * points] * dim, indexing="ij")
    masses = np.meshgrid(*[weights / weights.sum()] * dim, indexing="ij")
    return np.stack([g.ravel() for g in grids], -1), np.prod([m.ravel() for m in masses], axis=0)
