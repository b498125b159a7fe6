r"""Attribution: which entries of the input made the answer.

The gradient says what a small change of the input does (`adjoint.costates`). Integrated along
a path from a reference input it shares the whole change of the output among the entries.
"""

import numpy as np
import torch

from dsnnlib._checks import count


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

    References
    ----------
    Sundararajan, Taly, Yan (arXiv:1703.01365).
    """
    points, weights = np.polynomial.legendre.leggauss(count("nodes", nodes))
    total = torch.zeros_like(x)
    for s, weight in zip((1 + points) / 2, weights / 2, strict=True):
        z = (reference + s * (x - reference)).detach().requires_grad_()
        (slope,) = torch.autograd.grad(phi(z).sum(), z)
        total += weight * slope
    return (x - reference) * total
