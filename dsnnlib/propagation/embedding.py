r"""Universal embedding: fields whose flow equals a given map, and how far a flow must miss one.

The shear (u, v) -> (u, v + Psi(u)) is a flow and carries any map Psi, if there is room for u and
for v. Without that room something is lost, and `distance_to_increasing` says how much.
"""

import math

import numpy as np
import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import array, count, finite, fraction, positive, shown
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


def interpolation(psi):
    """The field on the line whose flow from 0 to t is X_t(x) = x + t (psi(x) - x), 0 <= t <= 1.

    Its time-1 map is psi, so every increasing diffeomorphism of the line is one. The inverse of
    X_t is found by bisection.

    Parameters
    ----------
    psi : callable
        Arrays to arrays, increasing and onto.

    Returns
    -------
    callable
        ``field(t, y)``; raises ArithmeticError where X_t does not reach y.
    """
    if not callable(psi):
        raise ValueError(f"psi is {shown(psi)}; it must be an increasing function of arrays")

    def below(t, x, y):
        return (1 - t) * x + t * psi(x) < y

    def field(t, y):
        y, width = np.asarray(y, dtype=float), 1.0
        while not (below(t, y - width, y).all() and not below(t, y + width, y).any()):
            width *= 2
            if width > 1e9:
                raise ArithmeticError("psi does not reach y; it must be increasing and onto")
        low, high = y - width, y + width
        for _ in range(90):  # 2^-90 of the bracket
            middle = (low + high) / 2
            left = below(t, middle, y)
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        x = (low + high) / 2
        return psi(x) - x

    return field


def distance_to_increasing(values):
    r"""Sup distance of a function to the increasing ones, :math:`\max_{i<j}(f_i-f_j)_+/2`.

    Parameters
    ----------
    values : (..., n) array
        f_1, ..., f_n, at increasing arguments.

    Returns
    -------
    (...) array
        In O(n), by a running maximum.
    """
    values = _sequences(values)
    return (np.maximum.accumulate(values, -1) - values).max(-1) / 2


def best_increasing(values):
    """The increasing sequence at the distance `distance_to_increasing`: (..., n) -> (..., n).

    The mean of the running maximum from the left and of the running minimum from the right.
    """
    values = _sequences(values)
    above = np.maximum.accumulate(values, -1)
    below = np.minimum.accumulate(values[..., ::-1], -1)[..., ::-1]
    return (above + below) / 2


def fractional_iterate(psi, inverse, x, *, multiplier, power):
    r"""Koenigs' iterate :math:`\Psi^p=\lim_n\Psi^{-n}(s^p\,\Psi^n(x))` near the fixed point 0.

    For p = 1/2 it is the only increasing half iterate that is differentiable at 0. The relative
    error is O(Psi^n(x)), and n is chosen such that this is below rounding.

    Parameters
    ----------
    psi, inverse : callables
        Arrays to arrays, inverse to each other; psi(0) = 0.
    x : array
        Points that psi attracts to 0.
    multiplier : float
        s = psi'(0), between 0 and 1.
    power : float
        p; 1/2 gives the half iterate, -1/2 its inverse.

    Raises
    ------
    ValueError
        If s is not between 0 and 1.
    ArithmeticError
        If psi does not contract to 0.
    """
    s, power, x = fraction("multiplier", multiplier), finite("power", power), array("x", x)
    positive("multiplier", multiplier)
    n, small = 0, np.finfo(float).eps * np.abs(x).max()
    while np.abs(x).max() > small:
        x, n = psi(x), n + 1
        if n == 10_000:
            raise ArithmeticError("psi does not contract x to 0 in 10,000 steps; it must")
    x = s**power * x
    for _ in range(n):
        x = inverse(x)
    return x


def _sequences(values):
    values = array("values", values)
    if values.ndim == 0:
        raise ValueError("values has 0 dimensions; it must have at least one")
    return values
