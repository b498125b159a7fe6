r"""Stochastic gradient descent of many copies of one network at once.

An exponent is a mean over many runs. Here R copies, each with its own weights, rate and
batches, make their steps together: one call of torch's `vmap` instead of R small ones.
"""

import torch

from dsnnlib._checks import shown


def stack(models):
    """Parameters of R networks of one architecture, name -> (R, ...) tensor.

    Raises
    ------
    ValueError
        If there are none, or their parameters differ in name or shape.
    """
    each = [dict(model.named_parameters()) for model in models]
    shapes = [{name: tuple(p.shape) for name, p in one.items()} for one in each]
    if not each or not each[0] or any(s != shapes[0] for s in shapes):
        raise ValueError("models must be one or more networks with the same parameters")
    return {name: torch.stack([one[name].detach() for one in each]) for name in each[0]}


def flatten(parameters):
    """The (R, D) tensor of stacked parameters, ordered as `parameters_to_vector` does."""
    return torch.cat([p.reshape(len(p), -1) for p in parameters.values()], dim=1)


def unflatten(vectors, like):
    """Stacked parameters from an (R, D) tensor, with the names and shapes of `like`.

    Raises
    ------
    ValueError
        If `vectors` is not (R, D).
    """
    sizes = [p[0].numel() for p in like.values()]
    if vectors.ndim != 2 or vectors.shape[1] != sum(sizes):
        raise ValueError(f"vectors has shape {tuple(vectors.shape)}; it must be (R, {sum(sizes)})")
    pieces = zip(like.items(), vectors.split(sizes, dim=1), strict=True)
    return {name: v.reshape(-1, *p.shape[1:]) for (name, p), v in pieces}


def sgd(model, parameters, inputs, targets, eta, draws):
    r"""Yield the parameters of the R copies after each step of SGD.

    The loss of a batch is :math:`\frac1B\sum_i\frac12\|F(\theta, x_i)-y_i\|^2`.

    Parameters
    ----------
    model : torch.nn.Module
        The architecture; its own weights do not matter.
    parameters : dict of (R, ...) tensors
        Where to start, from `stack` or `unflatten`.
    inputs, targets : (N, ...) tensors
        Samples; the targets have the shape of the outputs.
    eta : float or (R,) tensor
        Learning rate, > 0, of each copy.
    draws : iterable of (R, B) integer arrays
        Indices of the samples of each copy's batch, one array a step.

    Raises
    ------
    ValueError
        If a rate is not positive, or the numbers of samples or copies do not fit.
    """
    if len(inputs) != len(targets):
        raise ValueError(f"targets has {len(targets)} samples; it must have {len(inputs)}")
    copies = len(next(iter(parameters.values())))
    eta = torch.as_tensor(eta, dtype=inputs.dtype).expand(copies)
    if not (eta > 0).all():
        raise ValueError(f"eta is {shown(eta.min().item())}; it must be positive")
    return _steps(model, dict(parameters), inputs, targets, eta, draws)


def _steps(model, parameters, inputs, targets, eta, draws):
    def loss(values, x, y):
        residual = torch.func.functional_call(model, values, (x,)) - y
        return residual.square().sum() / (2 * len(x))

    gradient = torch.func.vmap(torch.func.grad(loss))
    rates = {k: eta.view(-1, *[1] * (p.ndim - 1)) for k, p in parameters.items()}
    for batch in draws:
        batch = torch.as_tensor(batch)
        if batch.ndim != 2 or len(batch) != len(eta):
            raise ValueError(
                f"draws has steps of shape {tuple(batch.shape)}; it must be ({len(eta)}, B)"
            )
        slopes = gradient(parameters, inputs[batch], targets[batch])
        parameters = {k: p.addcmul(rates[k], slopes[k], value=-1) for k, p in parameters.items()}
        yield parameters
