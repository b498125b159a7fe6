"""Derivatives of a scalar map, and how often its gradient turns along a closed curve.

The winding number of a planar field along a closed curve is the number of its turns. Around an
isolated zero it is the zero's index, and along the boundary of a region it is the sum of
the indices inside (Poincare and Hopf). For d = 1 the field changes sign instead of turning:
the number is 1/2 [sign at the upper end - sign at the lower end], -1 around a maximum.
"""

import numpy as np
import torch

from dsnnlib._checks import array, shown

CHUNK = 20_000  # samples at once
ROUNDS = 40  # bisections of a curve


def grid(box, cells):
    """The vertices of a grid on the box: (cells + 1, ..., cells + 1, d), first coordinate first.

    >>> grid([[0, 1], [0, 2]], 2)[2, 1].tolist()
    [1.0, 1.0]
    """
    axes = [np.linspace(lo, hi, cells + 1) for lo, hi in checked_box(box)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def gradient(phi, x):
    """Grad phi at the points x of shape (..., d), as `derivatives` gives it, in chunks."""
    x = np.asarray(x, dtype=float)
    pieces = np.split(x.reshape(-1, x.shape[-1]), range(CHUNK, x[..., 0].size, CHUNK))
    slopes = [derivatives(phi, piece, hessian=False)[1] for piece in pieces]
    return np.concatenate(slopes).reshape(x.shape)


@torch.enable_grad()
def derivatives(phi, x, *, hessian=True):
    """Values, gradients and Hessians of a scalar map at n points, by torch.

    Parameters
    ----------
    phi : callable
        Maps (n, d) tensors of doubles to (n,) or (n, 1), sample by sample.
    x : (n, d) array
    hessian : bool
        Whether to compute Hessians. They are zero where torch sees none (piecewise linear phi).

    Returns
    -------
    (n,) array, (n, d) array, and with `hessian` (n, d, d) array

    Raises
    ------
    ValueError
        If phi is not scalar, or does not depend on x.
    ArithmeticError
        If a derivative is not finite.
    """
    x = torch.as_tensor(np.array(x, dtype=float)).requires_grad_()
    y = phi(x)
    if not isinstance(y, torch.Tensor) or y.shape not in ((len(x),), (len(x), 1)):
        what = f"shape {tuple(y.shape)}" if isinstance(y, torch.Tensor) else shown(y)
        raise ValueError(f"phi gave {what} for {len(x)} samples; it must give one number each")
    if not y.requires_grad:
        raise ValueError("phi does not depend on x by operations of torch; it must do so")
    d = x.shape[1]
    result = [y.reshape(-1), _differentiate(y, x, more=hessian)]
    if hessian:
        rows = [_differentiate(result[1][:, i], x, more=i + 1 < d) for i in range(d)]
        result.append(torch.stack(rows, 1))
    if not all(v.isfinite().all() for v in result):
        raise ArithmeticError("phi or a derivative of it is NaN or infinite; it must be finite")
    return tuple(v.detach().numpy() for v in result)


def winding_numbers(g):
    """Winding number of a planar field around each cell, from its values at the vertices.

    Parameters
    ----------
    g : (n1 + 1, n2 + 1, 2) array
        Field at the vertices of a grid, as `gradient` of `grid` gives it.

    Returns
    -------
    (n1, n2) array of int
        Exact if the field turns by less than half a turn along each edge.

    Raises
    ------
    ValueError
        If g has another shape or is not finite.
    """
    g = array("g", g)
    if g.ndim != 3 or g.shape[2] != 2 or min(g.shape) < 2:
        raise ValueError(f"g has shape {g.shape}; it must be (n1 + 1, n2 + 1, 2)")
    angle = np.arctan2(g[..., 1], g[..., 0])
    along, up = _wrap(np.diff(angle, axis=0)), _wrap(np.diff(angle, axis=1))
    turns = along[:, :-1] + up[1:] - along[:, 1:] - up[:-1]
    return np.rint(turns / (2 * np.pi)).astype(int)


def winding(phi, curve, *, pieces=48):
    """Winding number of grad phi along a closed curve.

    A piece along which the gradient turns by more than pi/4 is halved, again and again.

    Parameters
    ----------
    phi : callable
        As for `derivatives`, with d = 1 or 2.
    curve : callable
        Maps (k,) parameters in [0, 1] to (k, d) points, with curve(0) = curve(1); for d = 1 only
        curve(0), the upper end, and curve(1/2), the lower one, count. See `circle` and `frame`.
    pieces : int
        To begin with.

    Returns
    -------
    (int, None)
        The winding number.
    (None, (d,) array)
        If the gradient vanishes on the curve: about where.
    """
    s = np.linspace(0, 1, pieces + 1)
    g = gradient(phi, curve(s))
    if not g.any(1).all():
        return None, curve(s[~g.any(1)][:1])[0]
    if g.shape[1] == 1:
        high, low = np.sign(gradient(phi, curve(np.array([0, 0.5])))[:, 0])
        return int(high - low) // 2, None
    total, left, right = 0.0, (s[:-1], g[:-1]), (s[1:], g[1:])
    for _ in range(ROUNDS):
        turn = _wrap(np.subtract(*[np.arctan2(g[:, 1], g[:, 0]) for _, g in (right, left)]))
        rough = abs(turn) > np.pi / 4
        total += turn[~rough].sum()
        if not rough.any():
            return round(total / (2 * np.pi)), None
        left, right = ([v[rough] for v in end] for end in (left, right))
        s = (left[0] + right[0]) / 2
        g = gradient(phi, curve(s))
        if len(s) > 4 * pieces or not g.any(1).all():
            break
        left, right = (
            [np.concatenate(v) for v in zip(*ends, strict=True)]
            for ends in ((left, (s, g)), ((s, g), right))
        )
    return None, curve(s[[np.argmin(np.linalg.norm(g, axis=1))]])[0]


def circle(centre, radius):
    """The curve s -> centre + radius (cos 2 pi s, sin 2 pi s); for d = 1 its first coordinate."""
    centre = array("centre", centre, ndim=1)

    def curve(s):
        around = np.stack([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)], -1)
        return centre + radius * around[:, : len(centre)]

    return curve


def frame(box):
    """The boundary of a box, anticlockwise, as a curve; for d = 1 it jumps from end to end."""
    box = checked_box(box)
    lo, hi = box.T

    def curve(s):
        if len(box) == 1:
            return np.where(np.asarray(s)[:, None] < 0.5, hi, lo)
        x = np.interp(4 * s, [0, 1, 2, 3, 4], [lo[0], hi[0], hi[0], lo[0], lo[0]])
        y = np.interp(4 * s, [0, 1, 2, 3, 4], [lo[1], lo[1], hi[1], hi[1], lo[1]])
        return np.stack([x, y], -1)

    return curve


def checked_box(box):
    """`box` as a (d, 2) array, d = 1 or 2; refuse one without volume."""
    box = array("box", box, ndim=2)
    if box.shape not in ((1, 2), (2, 2)):
        raise ValueError(f"box has shape {box.shape}; it must be (1, 2) or (2, 2)")
    if not (box[:, 0] < box[:, 1]).all():
        raise ValueError(f"box is {box.tolist()}; each lower end must be below its upper end")
    return box


def _differentiate(y, x, more):
    if not y.requires_grad:
        return torch.zeros_like(x)
    (g,) = torch.autograd.grad(
        y.sum(), x, create_graph=more, retain_graph=True, materialize_grads=True
    )
    return g


def _wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi
