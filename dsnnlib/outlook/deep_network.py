r"""Deep tanh networks side by side: one network for each pair of initial variances.

.. math:: h_0 = x, \qquad h_l = \tanh(W_lh_{l-1} + b_l), \qquad \Phi(x) = A h_L .

All networks have the same input and are computed together, layer by layer, by batched products.
They start from the same random numbers, scaled: what differs is the scale alone.
"""

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from dsnnlib._checks import array, count, fraction, positives, shaped, shown


class DeepNetworks(nn.Module):
    r"""S networks of one depth and width.

    Parameters
    ----------
    weight : (S,) array
        Variances sigma_w^2 > 0: the entries of W_l have the variance sigma_w^2/N.
    bias : float or (S,) array
        Variances sigma_b^2 >= 0 of the biases.
    depth, width, classes : int
        L, N (also the dimension of the input) and the outputs.
    rng : torch.Generator
    orthogonal : bool
        Take W_l as sigma_w times a random orthogonal matrix, instead of normal entries.

    Raises
    ------
    ValueError
        If an argument makes no sense.

    Notes
    -----
    Page: outlook/vanishing and exploding gradients.
    """

    def __init__(self, weight, bias, *, depth, width, classes, rng, orthogonal=False):
        super().__init__()
        weight = positives("weight", np.atleast_1d(weight))
        shaped("weight", weight, (len(weight),))
        bias = array("bias", bias)
        bias = np.broadcast_to(bias, weight.shape) if bias.ndim == 0 else bias
        shaped("bias", bias, weight.shape)
        if (bias < 0).any():
            raise ValueError(f"bias is {shown(bias.min())}; it must not be negative")
        L, N, q = count("depth", depth), count("width", width), count("classes", classes)
        _generator(rng)
        deviation, shift = (
            torch.tensor(v**0.5, dtype=torch.float32).view(-1, 1, 1) for v in (weight, bias)
        )
        W = torch.randn(L, 1, N, N, generator=rng)
        W = torch.linalg.qr(W)[0] if orthogonal else W / N**0.5
        self.W = nn.Parameter(deviation * W)
        self.b = nn.Parameter(shift * torch.randn(L, 1, 1, N, generator=rng))
        readout = torch.randn(N, q, generator=rng) / N**0.5
        self.A = nn.Parameter(readout.repeat(len(weight), 1, 1))

    def states(self, x):
        """List of h_0, ..., h_L, each (S, B, N), for inputs (B, N)."""
        _, S, N, _ = self.W.shape
        if not isinstance(x, torch.Tensor) or x.dtype != self.W.dtype:
            raise ValueError(f"x is {shown(x)}; it must be a tensor of {self.W.dtype}")
        shaped("x", x, (len(x), N))
        states = [x.expand(S, -1, -1)]
        for W, b in zip(self.W.unbind(), self.b.unbind(), strict=True):
            states.append(torch.baddbmm(b, states[-1], W).tanh_())
        return states

    def forward(self, x):
        """The outputs, (S, B, classes)."""
        return self.states(x)[-1] @ self.A

    def losses(self, x, labels):
        """Mean cross entropy of each network, (S,)."""
        self._labelled(x, labels)
        scores = self(x).log_softmax(-1)
        return -scores[:, torch.arange(len(labels)), labels].mean(1)

    @torch.no_grad()
    def accuracy(self, x, labels):
        """Share of inputs with the right class, (S,) array."""
        self._labelled(x, labels)
        return (self(x).argmax(-1) == labels).float().mean(1).numpy()

    def gradient_growth(self, x, labels):
        r"""Root mean square gradient in each state, relative to the last: (L + 1, S) array.

        The norm of dLoss/dh_l over the batch, divided by that of dLoss/dh_L.
        """
        self._labelled(x, labels)
        states = self.states(x)
        scores = (states[-1] @ self.A).log_softmax(-1)
        loss = -scores[:, torch.arange(len(labels)), labels].mean(1).sum()
        gradients = torch.autograd.grad(loss, states[1:])
        # the gradient in h_0 of each network: one more product with the first layer's derivative
        first = ((1 - states[1] ** 2) * gradients[0]) @ self.W[0].transpose(1, 2)
        norms = torch.stack([g.detach().double().norm(dim=(1, 2)) for g in (first, *gradients)])
        return (norms / norms[-1]).numpy()

    @torch.no_grad()
    def tangent_exponents(self, x, rng):
        r"""Mean of :math:`\frac1L\log|Dh_L(x)v|/|v|` over inputs, v random: (S,) array.

        Vectors are normalised in every layer, so nothing overflows. Minus infinity if a layer is
        saturated to working precision and annihilates a vector.
        """
        _generator(rng)
        states = self.states(x)
        v = torch.randn(states[0].shape[1:], generator=rng).expand(states[0].shape)
        v, total = v / v.norm(dim=2, keepdim=True), torch.zeros(states[0].shape[:2])
        for W, h in zip(self.W, states[1:], strict=True):
            v = (1 - h**2) * (v @ W)
            size = v.norm(dim=2, keepdim=True)
            v, total = v / size.clamp_min(1e-30), total + size[..., 0].log()
        return (total / len(self.W)).mean(1).numpy()

    def _labelled(self, x, labels):
        """Refuse labels that are not one class for each input."""
        if not isinstance(labels, torch.Tensor) or labels.dtype != torch.int64:
            raise ValueError(f"labels is {shown(labels)}; it must be a tensor of torch.int64")
        if labels.shape != (len(x),):
            raise ValueError(
                f"labels has the shape {tuple(labels.shape)}; it must be {(len(x),)}, as x"
            )
        classes = self.A.shape[2]
        if len(labels) == 0 or labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels must hold one or more of 0, ..., {classes - 1}")


def train(networks, x, labels, eta, *, steps, batch, rng, momentum=0.0, progress="training"):
    r"""Stochastic gradient descent of all networks on common batches; the losses, (steps, S).

    .. math:: v \leftarrow \beta v + \nabla L, \qquad \theta \leftarrow \theta - \eta v

    Parameters
    ----------
    networks : DeepNetworks
        Changed in place.
    x, labels : (n, N) tensor, (n,) integer tensor
    eta : float or (S,) array
        Learning rate > 0 of each network.
    steps, batch : int
    rng : torch.Generator
        Draws the batches, with replacement.
    momentum : float
        beta in [0, 1).
    progress : str
        Name of the progress bar; "" for none.

    Raises
    ------
    ValueError
        If an argument makes no sense.
    """
    S = networks.W.shape[1]
    eta = positives("eta", eta)
    if eta.ndim:
        shaped("eta", eta, (S,))
    eta = torch.tensor(eta, dtype=torch.float32).expand(S).view(S, 1, 1)
    steps, batch = count("steps", steps), count("batch", batch)
    beta = fraction("momentum", momentum)
    networks._labelled(x, labels)
    _generator(rng)
    parameters = list(networks.parameters())
    velocities = [torch.zeros_like(p) for p in parameters]
    history = np.empty((steps, S))
    counter = range(steps)
    for step in tqdm(counter, desc=progress) if progress else counter:
        some = torch.randint(len(x), (batch,), generator=rng)
        losses = networks.losses(x[some], labels[some])
        gradients = torch.autograd.grad(losses.sum(), parameters)
        with torch.no_grad():
            for p, v, g in zip(parameters, velocities, gradients, strict=True):
                p.addcmul_(eta, v.mul_(beta).add_(g), value=-1)
        history[step] = losses.detach().numpy()
    return history


def _generator(rng):
    if not isinstance(rng, torch.Generator):
        raise ValueError(f"rng is {shown(rng)}; it must be a torch.Generator")
