r"""The manifold of minima of a network: reach it, and measure it there.

A network with D parameters interpolates N samples with q outputs each on the set
M = {theta : F(theta, x_i) = y_i for all i}. With D > N q that is in general a manifold of
dimension D - N q. Its normal space at theta is spanned by the *sample gradients*, the
N q rows of the Jacobian J of the outputs.
"""

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from dsnnlib._checks import array, count, positive, shown


def sample_gradients(model, inputs, *, chunk_size=None):
    r"""Gradients a_i = grad_theta F(theta, x_i), one row a sample (and output): the Jacobian J.

    Parameters
    ----------
    model : torch.nn.Module
        Maps a batch (N, ...) to outputs (N,) or (N, q), each sample for itself (no batch
        normalisation in training mode).
    inputs : (N, ...) tensor
        Of the parameters' dtype; use float64 where a rank is to be read off.
    chunk_size : int, optional
        So many samples at a time, to save memory.

    Returns
    -------
    (N q, D) tensor
        Row i q + j is the gradient of output j at sample i, with the parameters in the
        order of `torch.nn.utils.parameters_to_vector`.

    Raises
    ------
    ValueError
        If the model has no parameters, or inputs are not a batch of their dtype.
    """
    parameters = _parameters(model)
    _batch("inputs", inputs, parameters)
    if chunk_size is not None:
        chunk_size = count("chunk_size", chunk_size)
    names = [name for name, _ in model.named_parameters()]

    def outputs(values, x):
        replaced = dict(zip(names, values, strict=True))
        return torch.func.functional_call(model, replaced, (x.unsqueeze(0),)).reshape(-1)

    each = torch.func.vmap(torch.func.jacrev(outputs), in_dims=(None, 0), chunk_size=chunk_size)
    jacobians = each(tuple(p.detach() for p in parameters), inputs)
    rows = jacobians[0].shape[0] * jacobians[0].shape[1]
    return torch.cat([j.reshape(rows, -1) for j in jacobians], dim=1).detach()


def loss_hessian(model, inputs, targets):
    r"""Dense Hessian of the mean loss, by differentiating twice: D up to a few hundred.

    The loss is :math:`L(\theta) = \frac1N\sum_i \tfrac12 \|F(\theta, x_i) - y_i\|^2`. On M it
    is J^T J / N, which needs one derivative less.

    Returns
    -------
    (D, D) tensor
        In the order of `torch.nn.utils.parameters_to_vector`.
    """
    parameters = _parameters(model)
    _batch("inputs", inputs, parameters)
    targets = _targets(model, inputs, targets)
    names, shapes = zip(*((n, p.shape) for n, p in model.named_parameters()), strict=True)
    sizes = [shape.numel() for shape in shapes]

    def loss(theta):
        pieces = zip(theta.split(sizes), shapes, strict=True)
        replaced = dict(zip(names, (t.reshape(s) for t, s in pieces), strict=True))
        residual = torch.func.functional_call(model, replaced, (inputs,)) - targets
        return (residual**2).sum() / (2 * len(inputs))

    return torch.func.hessian(loss)(parameters_to_vector(parameters).detach()).detach()


def interpolate(model, inputs, targets, *, tolerance=1e-24, max_steps=500):
    r"""Move the model onto M, in place, by damped Gauss-Newton steps of minimal norm.

    A step solves :math:`(JJ^\top + \delta I)\,z = F - y` and takes
    :math:`\theta \leftarrow \theta - J^\top z` (Levenberg and Marquardt): each stays in the
    span of the sample gradients, so close to M the model moves normally to it. The damping
    delta falls by 10 after a step that lowers the error and grows by 10 after one that does
    not, which is undone. Close to M the convergence is superlinear.

    Parameters
    ----------
    model : torch.nn.Module
        With float64 parameters, as for `sample_gradients`.
    inputs : (N, ...) tensor
    targets : tensor
        Of the outputs' shape.
    tolerance : float
        Stop at a mean squared error (over samples and outputs) of at most this.
    max_steps : int
        Give up after so many tries.

    Returns
    -------
    float
        The mean squared error reached.

    Raises
    ------
    ValueError
        If the parameters are not float64, or inputs or targets do not fit the model.
    ArithmeticError
        If the error does not reach the tolerance: two samples contradict each other, or the
        network is too small, or the start is a bad one. The model is left at the best point.
    """
    parameters = _parameters(model)
    _batch("inputs", inputs, parameters)
    if any(p.dtype != torch.float64 for p in parameters):
        raise ValueError("model has parameters that are not float64; call model.double() first")
    targets = _targets(model, inputs, targets)
    tolerance, max_steps = positive("tolerance", tolerance), count("max_steps", max_steps)
    with torch.no_grad():
        theta = parameters_to_vector(parameters).clone()
        residual = (model(inputs) - targets).reshape(-1)
        error, damping, jacobian = float(residual.square().mean()), 1e-2, None
        for _ in range(max_steps):
            if error <= tolerance:
                break
            if jacobian is None:
                with torch.enable_grad():
                    jacobian = sample_gradients(model, inputs)
                gram = jacobian @ jacobian.T
            scale = float(gram.diagonal().mean()) + torch.finfo(gram.dtype).tiny
            shift = scale * max(damping, 1e-15) * torch.eye(len(gram), dtype=gram.dtype)
            trial = theta - jacobian.T @ torch.linalg.solve(gram + shift, residual)
            vector_to_parameters(trial, parameters)
            new = (model(inputs) - targets).reshape(-1)
            new_error = float(new.square().mean())
            if new_error < error:
                theta, residual, error, jacobian = trial, new, new_error, None
                damping = max(damping / 10, 1e-15)
            else:
                damping = damping * 10
                if damping > 1e12:
                    break
        vector_to_parameters(theta, parameters)
    if not error <= tolerance:
        raise ArithmeticError(
            f"mean squared error {error:.1e} where {tolerance:.1e} was asked for; do two samples "
            "contradict each other, or are there fewer parameters than equations?"
        )
    return error


def rank(gradients, *, rtol=1e-10):
    """How many singular values of the (N q, D) matrix exceed rtol times the largest."""
    values = np.linalg.svd(_matrix("gradients", gradients), compute_uv=False)
    return int(np.sum(values > positive("rtol", rtol) * values[0]))


def normal_basis(gradients, *, rtol=1e-10):
    """Orthonormal (r, D) basis of the normal space, the span of the rows; r is their rank.

    Raises
    ------
    ValueError
        If gradients are not a finite matrix.
    """
    _, values, rows = np.linalg.svd(_matrix("gradients", gradients), full_matrices=False)
    return rows[values > positive("rtol", rtol) * values[0]]


def normal_eigenvalues(gradients, samples, *, rtol=1e-10):
    r"""The non-zero eigenvalues of the Hessian J^T J / N on M, descending.

    They are the squared singular values of J, divided by N.

    Parameters
    ----------
    gradients : (N q, D) array or tensor
        `sample_gradients` at a point of M.
    samples : int
        N.
    rtol : float
        A singular value below rtol times the largest counts as zero.
    """
    values = np.linalg.svd(_matrix("gradients", gradients), compute_uv=False)
    values = values[values > positive("rtol", rtol) * values[0]]
    return values**2 / count("samples", samples)


def gd_exponent(eigenvalues, eta):
    r"""Exponent mu of gradient descent normal to M, from the non-zero Hessian eigenvalues.

    .. math:: \mu(\theta^*) = \log\max_{\lambda_i\ne0}|1-\eta\lambda_i|

    Minus infinity if there are none, or if every multiplier vanishes.

    Parameters
    ----------
    eigenvalues : array or tensor
        The non-zero ones alone, for example from `normal_eigenvalues`; may be empty.
    eta : float
        Learning rate, > 0.

    Raises
    ------
    ValueError
        If eta is not positive, or an eigenvalue is zero (it would be a tangent direction).

    Examples
    --------
    >>> gd_exponent([1.0, 4.0], 0.5)  # multipliers 1/2 and -1
    0.0
    """
    eta = positive("eta", eta)
    if np.size(eigenvalues) == 0:
        return -np.inf
    eigenvalues = array("eigenvalues", eigenvalues)
    if not eigenvalues.all():
        raise ValueError("eigenvalues holds a zero; only those normal to M count")
    largest = float(abs(1 - eta * eigenvalues).max())
    return float(np.log(largest)) if largest else -np.inf


def _parameters(model):
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"model is {shown(model)}; it must be a torch.nn.Module")
    parameters = list(model.parameters())
    if not parameters:
        raise ValueError("model has no parameters; it must have some")
    return parameters


def _batch(name, value, parameters):
    if not isinstance(value, torch.Tensor) or value.ndim == 0 or len(value) == 0:
        raise ValueError(f"{name} is {shown(value)}; it must be a tensor (N, ...), not empty")
    if value.dtype != parameters[0].dtype:
        raise ValueError(
            f"{name} is {value.dtype}; it must be of the parameters' {parameters[0].dtype}"
        )
    if not value.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; it must be finite")


def _targets(model, inputs, targets):
    with torch.no_grad():
        shape = model(inputs).shape
    if not isinstance(targets, torch.Tensor) or targets.shape != shape:
        found = tuple(targets.shape) if isinstance(targets, torch.Tensor) else shown(targets)
        raise ValueError(f"targets is {found}; it must have the outputs' shape {tuple(shape)}")
    if not targets.isfinite().all():
        raise ValueError("targets holds NaN or infinity; it must be finite")
    return targets


def _matrix(name, value):
    value = value.detach().numpy() if isinstance(value, torch.Tensor) else value
    return array(name, value, ndim=2)
