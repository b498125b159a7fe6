r"""Attacks: small changes of an input that change the answer, found by gradients.

An attack that succeeds is an upper bound of the distance to the decision boundary. One that
fails proves nothing.
"""

import torch

from dsnnlib._checks import count, positive, shown


def samples(x):
    """Return x; refuse what is not a floating-point tensor (N, d)."""
    if not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim == 2):
        raise ValueError(f"x is {shown(x)}; it must be a floating-point tensor (N, d)")
    return x


def answers(model, x):
    """The class of each sample: the sign for scalar output, else the largest output."""
    with torch.no_grad():
        out = model(x)
    return (out[..., 0] > 0).long() if out.shape[-1] == 1 else out.argmax(-1)


def projected_gradient(model, x, radius, *, steps=40, rng):
    r"""Climb :math:`\max_{j\ne i}\Phi_j-\Phi_i` in the ball of the given radius around x.

    Normalised gradient steps of length radius / 4, each followed by the projection onto the
    ball, from a random start on its sphere.

    Parameters
    ----------
    model : callable
        Tensors (N, d) -> (N, q), differentiable.
    x : (N, d) tensor
    radius : float or (N,) tensor
        > 0, in the Euclidean norm.
    steps : int
    rng : torch.Generator

    Returns
    -------
    (N, d) tensor
        The perturbed inputs, in the ball.

    Raises
    ------
    ValueError
        If x is no batch of samples, a radius is not positive, or rng is no generator.
    """
    radius = torch.as_tensor(radius, dtype=samples(x).dtype)
    if radius.shape not in ((), (1,), (len(x),)):
        raise ValueError(f"radius has the shape {tuple(radius.shape)}; it must be one a sample")
    radius = radius.expand(len(x))
    if not ((radius > 0) & radius.isfinite()).all():
        raise ValueError(f"radius is {radius.min().item():.3g}; it must be positive and finite")
    if not isinstance(rng, torch.Generator):
        raise ValueError(f"rng is {shown(rng)}; it must be a torch.Generator")
    start, size = answers(model, x), radius.unsqueeze(-1)
    push = size * _unit(torch.randn(x.shape, generator=rng, dtype=x.dtype))
    for _ in range(count("steps", steps)):
        slope = _unit(_slope(model, x + push, start)[1])
        push = push + size / 4 * slope
        push = push * (size / push.norm(dim=-1, keepdim=True)).clamp(max=1)
    return x + push


def smallest_attack(model, x, *, steps=15, bisections=16, reach=1e3):
    r"""The nearest point with another answer that a descent finds, and its distance.

    First Newton steps towards the linearised boundaries of the three nearest classes (DeepFool).
    Then, in turn: bisect on the segment from x for the boundary; turn the segment towards the
    normal of the boundary there. The nearest point that changes the answer is kept.

    Parameters
    ----------
    model : callable
        Tensors (N, d) -> (N, q), differentiable.
    x : (N, d) tensor
    steps : int
        Of the first stage, and of the second.
    bisections : int
        On each segment.
    reach : float
        Points farther than this are not tried.

    Returns
    -------
    (N, d) tensor, (N,) tensor
        The points, and their distances to x (infinity where nothing was found).

    References
    ----------
    Moosavi-Dezfooli, Fawzi, Frossard (arXiv:1511.04599) for the first stage.
    """
    count("steps", steps), count("bisections", bisections)
    reach, start = positive("reach", reach), answers(model, samples(x))
    best, distance = x.clone(), torch.full((len(x),), torch.inf, dtype=x.dtype)
    for rival in _rivals(model, x, start):
        point = x.clone()
        for _ in range(steps):
            gap, slope = _slope(model, point, start, rival)
            ahead = 1.02 * (-gap / slope.square().sum(-1)).clamp(min=0)
            ahead = torch.where(ahead.isfinite(), ahead, 0)  # no slope: stay
            point = point + ahead.unsqueeze(-1) * slope
            best, distance = _keep(model, x, point, start, best, distance, reach)
    found = distance.isfinite()
    for _ in range(steps):
        edge = _bisect(model, x, best, start, bisections)
        best, distance = _keep(model, x, edge, start, best, distance, reach)
        offset, slope = best - x, _unit(_slope(model, best, start)[1])
        foot = (offset * slope).sum(-1, keepdim=True) * slope  # of the tangent hyperplane
        size = torch.where(found, distance, 0).unsqueeze(-1)
        for part in (1, 0.3, 0.1, 0.03):  # of the way to it, at the same distance from x
            point = x + size * _unit(offset + part * (foot - offset))
            edge = _bisect(model, x, point, start, bisections)
            best, distance = _keep(model, x, edge, start, best, distance, reach)
    return best, distance


def _slope(model, x, start, rival=None):
    """Phi_rival - Phi_start and its gradient; by default, the rival is the largest other output."""
    x = x.detach().requires_grad_()
    out = model(x)
    if out.shape[-1] == 1:
        gap = out[..., 0] * (1 - 2 * start)
    else:
        index = start.unsqueeze(-1)
        gaps = (out - out.gather(-1, index)).scatter(-1, index, -torch.inf)
        gap = gaps.max(-1).values if rival is None else gaps.gather(-1, rival)[..., 0]
    (slope,) = torch.autograd.grad(gap.sum(), x)
    return gap.detach(), slope


def _rivals(model, x, start):
    """The three rivals nearest by the linearised distance, each of shape (N, 1)."""
    q = model(x[:1]).shape[-1]
    if q == 1:
        return [None]
    far = torch.full((len(x), q), torch.inf, dtype=x.dtype)
    for j in range(q):
        other = start != j
        if other.any():
            rival = torch.full((int(other.sum()), 1), j)
            gap, slope = _slope(model, x[other], start[other], rival)
            far[other, j] = -gap / slope.norm(dim=-1)
    order = far.argsort(-1)[:, : min(3, q - 1)]
    return order.T.unsqueeze(-1)


def _keep(model, x, point, start, best, distance, reach):
    far = (point - x).norm(dim=-1)
    good = (answers(model, point) != start) & (far < distance) & (far < reach)
    return torch.where(good.unsqueeze(-1), point, best), torch.where(good, far, distance)


def _bisect(model, x, other, start, bisections):
    """A point of the segment just beyond the boundary, where `other` is beyond it."""
    low, high = torch.zeros(len(x), 1, dtype=x.dtype), torch.ones(len(x), 1, dtype=x.dtype)
    for _ in range(bisections):
        middle = (low + high) / 2
        same = (answers(model, x + middle * (other - x)) == start).unsqueeze(-1)
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    return x + high * (other - x)


def _unit(v):
    return v / v.norm(dim=-1, keepdim=True).clamp(min=1e-300)
