"""Universal embedding: fields whose flow equals a given map.

The shear (u, v) -> (u, v + Psi(u)) is a flow and carries any map Psi, if there is room for u and
for v. What is lost without that room is measured, on the line, by `monotone`.
"""

import math

import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import count, positive, shown
from dsnnlib.propagation.neural_ode import NeuralODE


class Shear(nn.Module):
    """The field (0, Psi(u)/T, 0) on h = (u, v, r), with u in R^d and v in R^q.

    u does not move, so v grows at a constant rate: from v = 0 to Psi(u) at time T.

    Parameters
    ----------
    psi : callable
        (..., d) -> (..., q); a module, if it is to be trained.
    d, q : int
        Dimensions of u and v.
    horizon : float
        T > 0.
    """

    def __init__(self, psi, d, q, *, horizon=1.0):
        super().__init__()
        if not callable(psi):
            raise ValueError(f"psi is {shown(psi)}; it must be a function of tensors (..., d)")
        self.psi, self.d, self.q = psi, count("d", d), count("q", q)
        self.horizon = positive("horizon", horizon)

    def forward(self, t, h):
        """f(t, h) for h of shape (..., m), m >= d + q."""
        u, rest = h[..., : self.d], torch.zeros_like(h[..., self.d + self.q :])
        return torch.cat([torch.zeros_like(u), self.psi(u) / self.horizon, rest], -1)


def embed(psi, d, q, m=None, *, horizon=1.0, steps=1, method=integrate.RK4, tolerance=None):
    """A `NeuralODE` that equals `psi` up to rounding: lift x -> (x, 0, 0), `Shear`, read out v.

    Along each orbit the field is constant, and every Runge-Kutta method is exact on a constant
    field. So one step is enough, Euler's too.

    Parameters
    ----------
    psi : callable
        The map R^d -> R^q to be embedded, on tensors (..., d) -> (..., q).
    d, q : int
        Dimensions of input and output.
    m : int, optional
        Dimension of the phase space, at least d + q; by default d + q.
    horizon, steps, method, tolerance
        As in `NeuralODE`.

    Raises
    ------
    ValueError
        If m < d + q, or psi does not give q numbers.

    References
    ----------
    Theorem 2.6 of arXiv:2507.05164; the field is this book's.
    Page: propagation/universal embedding.

    Examples
    --------
    >>> square = embed(torch.square, d=1, q=1)
    >>> square(torch.tensor([[-3.0]], dtype=torch.float64)).item()
    9.0
    """
    d, q, horizon = count("d", d), count("q", q), positive("horizon", horizon)
    m = d + q if m is None else count("m", m)
    if m < d + q:
        raise ValueError(
            f"m is {m}; it must be at least d + q = {d} + {q} = {d + q} (Theorem 2.6 of "
            "arXiv:2507.05164)"
        )
    if not callable(psi):
        raise ValueError(f"psi is {shown(psi)}; it must be a function of tensors (..., {d})")
    found = tuple(psi(torch.zeros(2, d, dtype=torch.float64)).shape)
    if found != (2, q):
        raise ValueError(f"psi maps shape {(2, d)} to {found}; it must give {(2, q)}")
    lift = nn.Linear(d, m, bias=False, dtype=torch.float64)
    readout = nn.Linear(m, q, bias=False, dtype=torch.float64)
    with torch.no_grad():
        lift.weight.copy_(torch.eye(m, d))
        readout.weight.copy_(torch.eye(m)[d : d + q])
    lift.requires_grad_(False), readout.requires_grad_(False)
    field = Shear(psi, d, q, horizon=horizon)
    return NeuralODE(
        lift, field, readout, horizon=horizon, steps=steps, method=method, tolerance=tolerance
    )


def in_turn(*fields, horizon=1.0):
    """One field on [0, horizon] that follows autonomous `fields` one after another.

    Its time-`horizon` map is the composition of their time-1 maps. The speed within a stage is
    the parabola 6 s (1 - s), so the field is continuous in time: a field that is constant along
    its orbits is integrated exactly by RK4, if the number of steps is a multiple of the number
    of stages.

    Parameters
    ----------
    fields : callables
        ``field(h)``, of the type and shape of h.
    horizon : float
        T > 0.

    Returns
    -------
    callable
        ``field(t, h)``.
    """
    horizon = positive("horizon", horizon)
    if not fields:
        raise ValueError("fields is empty; it must hold at least one function of h")
    for one in fields:
        if not callable(one):
            raise ValueError(f"fields holds {shown(one)}; each must be a function of h")

    def field(t, h):
        progress = len(fields) * float(t) / horizon
        stage = min(max(math.floor(progress), 0), len(fields) - 1)
        s = progress - stage
        return len(fields) / horizon * 6 * s * (1 - s) * fields[stage](h)

    return field


def three_shears(phi, inverse):
    """A field on R^(2p) whose time-1 map takes (x, 0) to (phi(x), 0), phi a homeomorphism of R^p.

    (x, 0) -> (x, phi(x)) -> (x + phi(x) - x, phi(x)) -> (phi(x), 0): no lift and no readout needed.

    Parameters
    ----------
    phi, inverse : callables
        (..., p) -> (..., p) on tensors, inverse to each other.

    Returns
    -------
    callable
        ``field(t, h)`` for t in [0, 1] and h of shape (..., 2p).
    """
    for name, one in (("phi", phi), ("inverse", inverse)):
        if not callable(one):
            raise ValueError(f"{name} is {shown(one)}; it must be a function of tensors (..., p)")

    def write(h):
        u, _ = h.chunk(2, -1)
        return torch.cat([torch.zeros_like(u), phi(u)], -1)

    def carry(h):
        _, v = h.chunk(2, -1)
        return torch.cat([v - inverse(v), torch.zeros_like(v)], -1)

    def erase(h):
        u, _ = h.chunk(2, -1)
        return torch.cat([torch.zeros_like(u), -u], -1)

    return in_turn(write, carry, erase)
