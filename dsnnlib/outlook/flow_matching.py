r"""Flow matching with a network: regress a velocity, then follow it from noise to data.

.. math:: \min_u\ \E\,\|u_t(x_t)-(x_1-x_0)\|^2,\qquad x_t=(1-t)x_0+tx_1,\quad t\sim U(0,1)

Sampling is a neural ODE, and training uses the loop of `dsnnlib.propagation.neural_ode`.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import count, shown
from dsnnlib.propagation.neural_ode import fit

FREQUENCIES = (1, 2, 4)  # of the sines and cosines, in which the network sees the time


class Velocity(nn.Module):
    """A network u(t, x) in R^d, if wanted with a class as a third input.

    Parameters
    ----------
    d, width : int
        Dimension of the data, neurons of each hidden layer.
    classes : int
        How many classes; 0 for none.
    hidden : int
        Number of hidden layers.
    rng : torch.Generator
        For the random weights.
    """

    def __init__(self, d, width, *, rng, classes=0, hidden=2):
        super().__init__()
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

    def forward(self, t, x, label=None):
        """u(t, x) for x (n, d), t a number or (n, 1), and labels (n,) if there are classes."""
        t = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(len(x), 1)
        waves = [f(torch.pi * k * t) for k in FREQUENCIES for f in (torch.sin, torch.cos)]
        inputs = [x, t, *waves]
        if self.classes:
            inputs.append(nn.functional.one_hot(label, self.classes).to(x.dtype))
        return self.layers(torch.cat(inputs, 1))


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
        If data have another dimension than the velocity, or labels are missing.
    """
    if data.ndim != 2 or data.shape[1] != velocity.d:
        raise ValueError(f"data has the shape {tuple(data.shape)}; it must be (N, {velocity.d})")
    if velocity.classes and (labels is None or labels.shape != data.shape[:1]):
        raise ValueError(f"labels is {shown(labels)}; it must hold the class of each sample")
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
    times = np.linspace(0, 1, count("steps", steps) + 1)
    states = integrate.trajectory(lambda t, x: velocity(t, x, labels), x, times, method=method)
    return torch.stack(list(states))
