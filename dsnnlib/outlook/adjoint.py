r"""Costates: the backward half of a network, by layers and in continuous depth.

.. math:: p_l = (\partial h_{l+1}/\partial h_l)^\top p_{l+1}, \qquad p' = -(D_hf)^\top p

Weights are a dict of tensors, theta. The layer number i is a function
``layer(theta, i, h)``, a field a function ``field(theta, t, h)``. Page: outlook/backpropagation.
"""

from typing import NamedTuple

import torch

from dsnnlib import integrate
from dsnnlib._checks import count, positive, shown
from dsnnlib.outlook import checkpoints


class Gradient(NamedTuple):
    """A loss and its derivatives: in the initial state (the costate p_0), and in the weights."""

    loss: float
    start: torch.Tensor
    weights: dict


def functional(module):
    """The weights of a module, a dict of tensors, and the module as a function of them.

    Returns
    -------
    theta : dict
        Detached copies of the weights, by their names.
    function : callable
        ``function(theta, *inputs)``.
    """
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module is {shown(module)}; it must be a torch.nn.Module")
    theta = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    return theta, lambda theta, *inputs: torch.func.functional_call(module, theta, inputs)


def solver_layer(field, *, horizon, steps, method=integrate.RK4):
    """One Runge-Kutta step of h' = field(theta, t, h) on [0, horizon], as ``layer(theta, i, h)``.

    Raises
    ------
    ValueError
        If `horizon` is not positive or `steps` not a whole number, at least 1.
    """
    dt = positive("horizon", horizon) / count("steps", steps)

    def layer(theta, i, h):
        return integrate.step(lambda t, h: field(theta, t, h), i * dt, h, dt, method)

    return layer


def states(layer, theta, h, *, steps):
    """The list h_0, ..., h_L of states behind `steps` layers."""
    path = [_state(h)]
    for i in range(count("steps", steps)):
        path.append(layer(theta, i, path[-1]))
    return path


def costates(layer, theta, path, p):
    r"""The list p_0, ..., p_L of costates along a path of states, :math:`p_L=p`.

    Parameters
    ----------
    layer : callable
        ``layer(theta, i, h)``.
    theta : dict
        Weights.
    path : list of tensors
        h_0, ..., h_L, as `states` gives them.
    p : tensor
        Of the shape of h_L.

    Raises
    ------
    ValueError
        If p has another shape or type than h_L.
    """
    _same_shape("p", p, path[-1])
    result = [p]
    for i in reversed(range(len(path) - 1)):
        _, pull = torch.func.vjp(lambda h, i=i: layer(theta, i, h), path[i])
        result.append(pull(result[-1])[0])
    return result[::-1]


def tangents(layer, theta, path, v):
    r"""The tangents v_0 = v, ..., v_L, :math:`v_{l+1}=(\partial h_{l+1}/\partial h_l)v_l`."""
    _same_shape("v", v, path[0])
    result = [v]
    for i in range(len(path) - 1):
        pushed = torch.func.jvp(lambda h, i=i: layer(theta, i, h), (path[i],), (result[-1],))
        result.append(pushed[1])
    return result


@torch.no_grad()  # weights that ask for gradients must not make a tape of the advances
def backpropagate(layer, theta, h, loss, *, steps, slots=None):
    r"""Loss and gradient of a network of `steps` layers, by the costate.

    .. math:: p_L=\nabla\,\mathrm{loss}(h_L),\qquad
        \frac{d\,\mathrm{loss}}{d\theta}=\sum_l(\partial_\theta h_{l+1})^\top p_{l+1}

    Parameters
    ----------
    layer : callable
        ``layer(theta, i, h)``, for i = 0, ..., steps - 1.
    theta : dict
        Weights, tensors by their names; all layers share the dict.
    h : tensor
        h_0.
    loss : callable
        From h_L to a tensor that holds one number.
    steps : int
        L >= 1.
    slots : int, optional
        How many states may be stored at a time. By default all are, with what is inside each
        layer; else `checkpoints.sweep` recomputes the others.

    Raises
    ------
    ValueError
        If `steps` or `slots` is not a whole number, at least 1, h is not a tensor of
        floating-point numbers, theta no dict of such, or `loss` gives not one number.
    """
    h, steps, theta = _state(h), count("steps", steps), _weights(theta)
    total = {name: torch.zeros_like(weight) for name, weight in theta.items()}

    def record(i, h):
        return torch.func.vjp(lambda theta, h: layer(theta, i, h), theta, h)

    def gather(pull, p):
        slopes, p = pull(p)
        for name in total:
            total[name] += slopes[name]
        return p

    if slots is None:
        pulls = []
        for i in range(steps):
            h, pull = record(i, h)
            pulls.append(pull)
        value, p = _seed(loss, h)
        while pulls:
            p = gather(pulls.pop(), p)
        return Gradient(value, p, total)

    def pull(i, h, carried):
        end, pull = record(i, h)
        value, p = carried or _seed(loss, end)
        return value, gather(pull, p)

    done = checkpoints.sweep(
        lambda i, h: layer(theta, i, h), pull, h, None, steps=steps, slots=slots
    )
    return Gradient(*done.result, total)


@torch.no_grad()
def costate_gradient(
    field, theta, h, loss, *, horizon, steps, method=integrate.RK4, reconstruct=False
):
    r"""Loss and gradient of a neural ODE, by the costate equation solved backwards.

    .. math:: p'=-(D_hf)^\top p,\quad p(T)=\nabla\,\mathrm{loss}(h(T)),\qquad
        \frac{d\,\mathrm{loss}}{d\theta}=\int_0^T(\partial_\theta f)^\top p\,dt

    State, costate and integral take the same Runge-Kutta steps: the result approximates the
    gradient of the exact flow with the order of the method. It is not the gradient of the
    computed loss; that is `backpropagate` of `solver_layer`.

    Parameters
    ----------
    field : callable
        ``field(theta, t, h)``.
    theta, h, loss
        As in `backpropagate`.
    horizon, steps, method
        As in `solver_layer`.
    reconstruct : bool
        If true, no state but the last is stored: h runs backwards with p. If false, every
        backward step starts from the stored state.

    Raises
    ------
    ValueError
        If an argument makes no sense, as in `backpropagate` and `solver_layer`.
    """
    layer = solver_layer(field, horizon=horizon, steps=steps, method=method)
    path, theta = [_state(h)], _weights(theta)
    for i in range(steps):
        path.append(layer(theta, i, path[-1]))
        if reconstruct:
            del path[0]
    h = path.pop()
    value, p = _seed(loss, h)
    parts = [h, p, *theta.values()]
    sizes = [part.numel() for part in parts]

    def unpack(z):
        pieces = z.split(sizes)
        return [z.view_as(part) for z, part in zip(pieces, parts, strict=True)]

    def backward(t, z):
        h, p, *_ = unpack(z)
        velocity, pull = torch.func.vjp(lambda theta, h: field(theta, t, h), theta, h)
        slopes, push = pull(p)
        return _pack([velocity, -push, *(-slope for slope in slopes.values())])

    z = _pack([h, p, *(torch.zeros_like(weight) for weight in theta.values())])
    dt = horizon / steps
    for i in reversed(range(steps)):
        z = integrate.step(backward, (i + 1) * dt, z, -dt, method)
        if path:
            z[: sizes[0]] = path.pop().reshape(-1)
    _, p, *total = unpack(z)
    return Gradient(value, p, dict(zip(theta, total, strict=True)))


def _pack(parts):
    return torch.cat([part.reshape(-1) for part in parts])


def _seed(loss, h):
    """The loss of the last state, a float, and its gradient there."""
    slope, value = torch.func.grad_and_value(lambda h: _one(loss(h)))(h)
    return float(value.detach()), slope.detach()


def _one(value):
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise ValueError("loss must return a tensor that holds one number")
    return value.reshape(())


def _state(h):
    if not (isinstance(h, torch.Tensor) and h.is_floating_point()):
        raise ValueError(f"h is {shown(h)}; it must be a tensor of floating-point numbers")
    return h


def _weights(theta):
    if not isinstance(theta, dict):
        raise ValueError(f"theta is {shown(theta)}; it must be a dict of tensors")
    for name, weight in theta.items():
        if not (isinstance(weight, torch.Tensor) and weight.is_floating_point()):
            raise ValueError(
                f"theta[{name!r}] is {shown(weight)}; it must be a tensor of floating-point numbers"
            )
    return theta


def _same_shape(name, value, h):
    if not isinstance(value, torch.Tensor) or value.shape != h.shape:
        shape = tuple(getattr(value, "shape", ()))
        raise ValueError(
            f"{name} has the shape {shape}; it must be that of the state, {tuple(h.shape)}"
        )
    if value.dtype != h.dtype:
        raise ValueError(f"{name} holds {value.dtype}; it must be that of the state, {h.dtype}")
