r"""Flow matching with a network: regress a velocity, then follow it from noise to data.

.. math:: \min_u\ \E\,\|u_t(x_t)-(x_1-x_0)\|^2,\qquad x_t=(1-t)x_0+tx_1,\quad t\sim U(0,1)

Sampling is a neural ODE, and training uses the loop of `dsnnlib.propagation.neural_ode`.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import count, shaped, shown
from dsnnlib.propagation.neural_ode import fit

FREQUENCIES = (1, 2, 4)  # of the sines and cosines, in which the network sees the time


class Velocity(nn.Module):
    r"""A network u(t, x) in R^d, if wanted with a class as a third input.

    It may be the correction to a velocity that is known, `around`: the sum of both is returned.

    Parameters
    ----------
    d, width : int
        Dimension of the data, neurons of each hidden layer.
    classes : int
        How many classes; 0 for none.
    hidden : int
        Number of hidden layers.
    around : callable, optional
        ``around(t, x)``, such as a `GaussianVelocity`.
    rng : torch.Generator
        For the random weights.

    Raises
    ------
    ValueError
        If an argument is out of range or has another shape.
    """

    def __init__(self, d, width, *, rng, classes=0, hidden=2, around=None):
        super().__init__()
        if not isinstance(rng, torch.Generator):
            raise ValueError(f"rng is {shown(rng)}; it must be a torch.Generator")
        d, width, hidden = count("d", d), count("width", width), count("hidden", hidden)
        self.d, self.classes = d, count("classes", classes, least=0)
        sizes = [d + 1 + 2 * len(FREQUENCIES) + self.classes, *[width] * hidden, d]
        layers = []
        for n_in, n_out in pairwise(sizes):
            layer = nn.Linear(n_in, n_out)
            with torch.no_grad():
                layer.weight.copy_(torch.randn(n_out, n_in, generator=rng) / n_in**0.5)
                layer.bias.zero_()
            layers += [layer, nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.around = around

    def forward(self, t, x, label=None):
        """u(t, x) for x (n, d), t a number or (n, 1), and labels (n,) if there are classes."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(len(x), 1)
        waves = [f(torch.pi * k * t) for k in FREQUENCIES for f in (torch.sin, torch.cos)]
        inputs = [x, t, *waves]
        if self.classes:
            _classes(label, len(x), self.classes)
            inputs.append(nn.functional.one_hot(label, self.classes).to(x.dtype))
        correction = self.layers(torch.cat(inputs, 1))
        return correction if self.around is None else self.around(t, x) + correction


class GaussianVelocity:
    r"""The exact velocity for the Gaussian N(m, C).

    .. math:: u_t(x)=m+\bigl(tC-(1-t)I\bigr)\bigl(t^2C+(1-t)^2I\bigr)^{-1}(x-tm)

    Eigenvalues of C below 1e-4 of the largest are raised to it, so that u is finite at t = 1.

    Parameters
    ----------
    mean : (d,) tensor
        m.
    covariance : (d, d) tensor
        C, symmetric and positive semidefinite, not zero.

    Raises
    ------
    ValueError
        If the covariance has another shape or no positive eigenvalue.
    """

    def __init__(self, mean, covariance):
        d = len(mean)
        self.mean = mean
        spectrum, self.axes = torch.linalg.eigh(shaped("covariance", covariance, (d, d)))
        if not spectrum[-1] > 0:
            raise ValueError("covariance has no positive eigenvalue; it must not be zero")
        self.spectrum = spectrum.clamp(min=1e-4 * spectrum[-1].item())

    def __call__(self, t, x, label=None):
        """u(t, x) for x (n, d), and t a number or (n, 1); a label makes no difference."""
        rate = (t * self.spectrum - (1 - t)) / (t**2 * self.spectrum + (1 - t) ** 2)
        return self.mean + (((x - t * self.mean) @ self.axes) * rate) @ self.axes.T


class Regression(nn.Module):
    """The residual u(t, x_t) - (x_1 - x_0), each time with fresh noise x_0 and fresh times t."""

    def __init__(self, velocity, data, labels, rng):
        super().__init__()
        self.velocity, self.data, self.labels, self.rng = velocity, data, labels, rng

    def forward(self, index):
        """Residuals (n, d) for the data with the indices (n,)."""
        x1 = self.data[index]
        x0 = torch.randn(x1.shape, generator=self.rng, dtype=x1.dtype)
        t = torch.rand(len(x1), 1, generator=self.rng, dtype=x1.dtype)
        label = None if self.labels is None else self.labels[index]
        return self.velocity(t, (1 - t) * x0 + t * x1, label) - (x1 - x0)


def train(velocity, data, labels=None, *, steps, batch, eta, rng, progress="flow matching"):
    """Fit the velocity to the data by Adam, in place, and return the loss of each step.

    Parameters
    ----------
    velocity : Velocity
    data : (N, d) tensor
        Samples of x_1.
    labels : (N,) tensor of int, optional
        Needed if the velocity has classes.
    steps, batch, eta, progress
        As in `dsnnlib.propagation.neural_ode.fit`.
    rng : torch.Generator
        Draws the batches, the noise and the times.

    Raises
    ------
    ValueError
        If data have another dimension than the velocity, or labels are missing or not wanted.
    """
    _points("data", data, velocity)
    if velocity.classes:
        _classes(labels, len(data), velocity.classes)
    if labels is not None and not velocity.classes:
        raise ValueError("labels are given, but the velocity has no classes")
    if not isinstance(rng, torch.Generator):
        raise ValueError(f"rng is {shown(rng)}; it must be a torch.Generator")
    indices = torch.arange(len(data))
    return fit(
        Regression(velocity, data, labels, rng),
        indices,
        indices,  # as targets, which the loss does not need
        loss=lambda residual, _: residual.square().sum(1).mean(),
        steps=steps,
        eta=eta,
        batch=batch,
        rng=rng,
        progress=progress,
    )


@torch.no_grad()
def generate(velocity, x, labels=None, *, steps, method=integrate.MIDPOINT):
    """Carry noise x (n, d) along the velocity: states (steps + 1, n, d), the last are the samples.

    The error of the integration is O(steps**-method.order).
    """
    _points("x", x, velocity)
    times = np.linspace(0, 1, count("steps", steps) + 1)
    states = integrate.trajectory(lambda t, x: velocity(t, x, labels), x, times, method=method)
    return torch.stack(list(states))


def _points(name, x, velocity):
    dtype = next(velocity.parameters()).dtype
    if not (isinstance(x, torch.Tensor) and x.ndim == 2 and x.shape[1] == velocity.d):
        shape = tuple(x.shape) if hasattr(x, "shape") else shown(x)
        raise ValueError(
            f"{name} is {type(x).__name__} {shape}; it must be a tensor (n, {velocity.d})"
        )
    if x.dtype != dtype:
        raise ValueError(f"{name} holds {x.dtype}; it must hold {dtype} as the network does")


def _classes(labels, n, classes):
    good = isinstance(labels, torch.Tensor) and labels.shape == (n,) and labels.dtype == torch.int64
    if not (good and (labels >= 0).all() and (labels < classes).all()):
        raise ValueError(
            f"labels is {shown(labels)}; it must hold the class of each point, 0 to {classes - 1}"
        )
