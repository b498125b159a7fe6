r"""Attribution: which entries of the input made the answer.

The gradient says what a small change of the input does (`adjoint.costates`). Integrated along
a path from a reference input it shares the whole change of the output among the entries. How
much the most sensitive change of an input is stretched by the flow is a finite-time exponent.
"""

import numpy as np
import torch

from dsnnlib._checks import count
from dsnnlib.outlook.attacks import samples
from dsnnlib.propagation.neural_ode import variation


def finite_time_exponents(model, x):
    r"""Finite-time Lyapunov exponents of x -> h(T), by the variational equation.

    .. math:: \lambda(x) = \frac1T\log s_{\max}\bigl(Dh(T)\,A\bigr)

    with the lift A. The derivative is that of the solver's steps.

    Parameters
    ----------
    model : NeuralODE
        With a fixed number of steps.
    x : (N, d) tensor

    Returns
    -------
    (N,) tensor

    Raises
    ------
    ValueError
        If x is no batch of samples, or the solver of the model is adaptive.

    References
    ----------
    Storm et al. (arXiv:2306.12548).
    """
    if model.tolerance is not None:
        raise ValueError(f"model has the tolerance {model.tolerance:g}; it must have fixed steps")
    options = {"horizon": model.horizon, "steps": model.steps, "method": model.method}
    with torch.no_grad():
        J = variation(model.field, model.lift(samples(x)), **options)[1]
        return torch.linalg.svdvals(J @ model.lift.weight)[:, 0].log() / model.horizon


def integrated_gradients(phi, x, reference, *, nodes=16):
    r"""Share phi(x) - phi(reference) among the entries of the input.

    .. math:: a_i = (x_i-x^0_i)\int_0^1\partial_i\Phi\bigl(x^0+s(x-x^0)\bigr)\,ds

    by Gauss-Legendre quadrature; the sum of the a_i is the difference, up to its error.

    Parameters
    ----------
    phi : callable
        Tensors (N, d) -> (N,), differentiable.
    x : (N, d) tensor
    reference : (d,) or (N, d) tensor
    nodes : int
        Points of the quadrature.

    Returns
    -------
    (N, d) tensor

    Raises
    ------
    ValueError
        If x is no batch of samples, or reference does not fit.

    References
    ----------
    Sundararajan, Taly, Yan (arXiv:1703.01365).
    """
    points, weights = np.polynomial.legendre.leggauss(count("nodes", nodes))
    total = torch.zeros_like(samples(x))
    if reference.shape not in (x.shape, x.shape[1:]):
        raise ValueError(
            f"reference has the shape {tuple(reference.shape)}; it must be (d,) or that of x"
        )
    for s, weight in zip((1 + points) / 2, weights / 2, strict=True):
        z = (reference + s * (x - reference)).detach().requires_grad_()
        (slope,) = torch.autograd.grad(phi(z).sum(), z)
        total += weight * slope
    return (x - reference) * total
