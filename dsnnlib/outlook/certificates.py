r"""Certified radii: balls of inputs in which a network provably does not change its answer.

The network is a `NeuralODE` that is run by Euler steps, :math:`h_{n+1}=h_n+\delta f(t_n,h_n)`,
with a field of tanh neurons. Its last state has a distance to the nearest decision hyperplane,
its *slack*. A bound on how far a perturbation can move that state makes it a radius. All bounds
hold for the layers as they are run, up to rounding.
"""

import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import count, finite, positive, shown
from dsnnlib.outlook.attacks import samples


class GradientField(nn.Module):
    r"""The field f(t, h) = -W^T tanh(W h + c t + b) - rate h, of k neurons.

    Minus the gradient of :math:`\sum_j\log\cosh(w_j\cdot h+c_jt+b_j)+\tfrac12\text{rate}|h|^2`,
    so the symmetric part of its Jacobian is at most -rate I.

    Parameters
    ----------
    m, k : int
        Dimension of the phase space, number of neurons.
    rate : float
        The guaranteed rate of contraction.
    scale : float
        Standard deviation of the entries of W, c and b, times sqrt(k) for W.
    rng : torch.Generator
        For the random weights.
    """

    def __init__(self, m, k, *, rng, rate=0.0, scale=1.0):
        super().__init__()
        m, k, scale = count("m", m), count("k", k), positive("scale", scale)
        self.rate = finite("rate", rate)

        def normal(*shape, sd=scale):
            return nn.Parameter(sd * torch.randn(shape, generator=rng, dtype=torch.float64))

        self.W, self.c, self.b = normal(k, m, sd=scale / k**0.5), normal(k), normal(k)

    @property
    def Wt(self):  # noqa: N802 - the name of the weights everywhere
        """The weights after the neurons, -W^T."""
        return -self.W.T

    @property
    def lipschitz(self):
        """A Lipschitz constant of f in h: the square of the norm of W, plus abs(rate)."""
        return float(torch.linalg.matrix_norm(self.W.detach(), 2) ** 2) + abs(self.rate)

    def forward(self, t, h):
        """f(t, h) for h of shape (..., m)."""
        return -torch.tanh(h @ self.W.T + self.c * t + self.b) @ self.W - self.rate * h


def slack(model, x):
    r"""Distance of h(T) to the nearest decision hyperplane, one number a sample.

    It is :math:`|\Phi|/|\tilde A|` for scalar output, else
    :math:`\min_{j\ne i}(\Phi_i-\Phi_j)/|\tilde A_i-\tilde A_j|` with the winner i.
    A tie has no slack.
    """
    with torch.no_grad():
        out, rows = model(samples(x)), model.readout.weight
        if len(rows) == 1:
            return torch.where(out == 0, 0, out.abs() / rows.norm())[..., 0]
        winner = out.argmax(-1, keepdim=True)
        gaps = out.gather(-1, winner) - out
        sizes = (rows[winner] - rows).norm(dim=-1)
        ratios = torch.where(gaps == 0, 0, gaps / sizes)  # not 0 / 0, if two rows are equal
        return ratios.scatter(-1, winner, torch.inf).min(-1).values


def certified_radius(model, x, growth):
    r"""Radius :math:`\text{slack}/(\|A\|\,\text{growth})`, if `growth` is a Lipschitz constant
    of the flow: e^{KT}, e^{mu T}, or a product over layers.

    Returns a tensor, one radius a sample. Raises ValueError if growth is not positive.
    """
    growth = positive("growth", growth)
    return slack(model, x) / (torch.linalg.matrix_norm(model.lift.weight.detach(), 2) * growth)


def layer_factor(field, dt, low, high):
    r"""A bound of :math:`\|(1-\delta\,\text{rate})I+\delta\tilde WDW\|` over low <= D <= high.

    Exact for a `GradientField`, whose layers are symmetric and monotone in D. Otherwise the norm
    at the centre of the box, plus :math:`\delta\|\tilde WR^{1/2}\|\|R^{1/2}W\|` for its radius R.

    Parameters
    ----------
    field : TanhField or GradientField
    dt : float
        Step of the layer, > 0.
    low, high : (..., k) tensors
        Bounds of the slopes; one box a sample.

    Returns
    -------
    (...) tensor

    Raises
    ------
    ValueError
        If dt is not positive, or low and high are no bounds of k slopes.
    """
    dt, W, Wt = positive("dt", dt), field.W.detach(), field.Wt.detach()
    for name, value in (("low", low), ("high", high)):
        if not isinstance(value, torch.Tensor) or value.shape[-1:] != (len(W),):
            raise ValueError(f"{name} is {shown(value)}; it must be a tensor (..., {len(W)})")
    if not (low <= high).all():
        raise ValueError("low exceeds high; the slopes must lie between them")
    base = (1 - dt * getattr(field, "rate", 0.0)) * torch.eye(W.shape[1], dtype=W.dtype)
    if isinstance(field, GradientField):
        most = torch.linalg.eigvalsh(base + dt * (Wt * low.unsqueeze(-2)) @ W)[..., -1]
        least = torch.linalg.eigvalsh(base + dt * (Wt * high.unsqueeze(-2)) @ W)[..., 0]
        return torch.maximum(most, -least)
    centre, root = (low + high) / 2, ((high - low) / 2).sqrt()
    middle = _norm(base + dt * (Wt * centre.unsqueeze(-2)) @ W)
    return middle + dt * _norm(Wt * root.unsqueeze(-2)) * _norm(root.unsqueeze(-1) * W)


def tube(model, x, r0):
    r"""Radii r_0, ..., r_N of a tube around the states of x that no perturbation leaves.

    In the ball of radius r_n around h_n the neuron j sees :math:`u_j\pm|w_j|r_n`, so its slope
    is in a known interval; r_{n+1} is r_n times the `layer_factor` of these slopes.

    Parameters
    ----------
    model : NeuralODE
        With method EULER and a field of tanh neurons.
    x : (N, d) tensor
    r0 : float or (N,) tensor
        Radii at the first state, >= 0.

    Returns
    -------
    (steps + 1, N) tensor
    """
    _euler(model)
    r0 = torch.as_tensor(r0, dtype=samples(x).dtype)
    if r0.shape not in ((), (1,), (len(x),)):
        raise ValueError(f"r0 has the shape {tuple(r0.shape)}; it must be one number a sample")
    r0 = r0.expand(len(x))
    if not ((r0 >= 0) & r0.isfinite()).all():
        raise ValueError(f"r0 is {r0.min().item():g}; it must be finite and not negative")
    return _radii(model, _preactivations(model, x), r0)


def tube_radius(model, x, *, bisections=30):
    """A certified radius around each input, as large as bisection finds one that the `tube` proves.

    Every radius that it returns is proved; no more than 2^20 times slack / norm of A is tried.
    """
    _euler(model)
    count("bisections", bisections)
    room, u = slack(model, x), _preactivations(model, x)
    low, high = torch.zeros_like(room), room.clone()
    for _ in range(20):  # a contracting flow may support more than the slack itself
        grow = _radii(model, u, high)[-1] <= room
        if not grow.any():
            break
        low, high = torch.where(grow, high, low), torch.where(grow, 2 * high, high)
    for _ in range(bisections):
        middle = (low + high) / 2
        holds = _radii(model, u, middle)[-1] <= room
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
    return low / torch.linalg.matrix_norm(model.lift.weight.detach(), 2)


def _euler(model):
    if model.method is not integrate.EULER or model.tolerance is not None:
        raise ValueError("model is not run by Euler steps; a tube is for method=integrate.EULER")
    if not all(hasattr(model.field, name) for name in ("W", "Wt", "c", "b")):
        raise ValueError(f"field is {shown(model.field)}; it must be a TanhField or GradientField")


def _preactivations(model, x):
    """W h_n + c t_n + b for the layers n = 0, ..., N - 1: (N, samples, k)."""
    field = model.field
    with torch.no_grad():
        times = torch.linspace(0, model.horizon, model.steps + 1, dtype=field.W.dtype)[:-1]
        return model.states(x)[:-1] @ field.W.T + field.c * times[:, None, None] + field.b


def _radii(model, u, r):
    field, dt = model.field, model.horizon / model.steps
    sizes, radii = field.W.detach().norm(dim=1), [r]
    for layer in u:
        reach = sizes * radii[-1].unsqueeze(-1)
        nearest = (layer.abs() - reach).clamp(min=0)
        low, high = _slope(layer.abs() + reach), _slope(nearest)
        radii.append(radii[-1] * layer_factor(field, dt, low, high))
    return torch.stack(radii)


def _slope(u):
    return torch.cosh(u.clamp(max=300)) ** -2


def _norm(matrix):
    return torch.linalg.matrix_norm(matrix, 2)
