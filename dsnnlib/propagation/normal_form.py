"""The normal form of a multilayer perceptron: the same map, all weights of full rank."""

from itertools import pairwise

import torch

from dsnnlib._checks import fraction, shown
from dsnnlib.propagation.networks import MLP, affine


def normal_form(mlp, *, rtol=1e-12):
    r"""The same map as `mlp`, by an `MLP` all of whose weights have full rank.

    Between two layers of neurons stand the matrices W_{l+1} and Wt_l, and only their product
    P_l = W_{l+1} Wt_l acts. Of rank r_l, it factors through R^{r_l}: P_l = U V by the singular
    value decomposition. So n_l becomes r_l, W_{l+1} = U, Wt_l = V. At the two ends, a product
    (of W_1 with the lift, of the readout with Wt_L) of less than full rank becomes two
    factors, one of them a lift or readout; one of full rank needs neither. The neurons stay.

    Parameters
    ----------
    mlp : MLP
    rtol : float
        Singular values of a product count as zero up to `rtol` times the product of its
        factors' norms. The map is kept up to an error of that order.

    Returns
    -------
    MLP
        No wider than `mlp`, with r_l <= min(m_l, n_l, m_{l+1}).

    Raises
    ------
    ValueError
        If a product has rank 0. Then the map is constant, and a zero matrix has no factors
        to keep.

    References
    ----------
    That there is a smaller network of full rank: arXiv:2405.09351. This construction: this book.
    """
    if not isinstance(mlp, MLP):
        raise ValueError(f"mlp is {shown(mlp)}; it must be an MLP")
    rtol, layers = fraction("rtol", rtol), list(mlp.layers)
    joints = [
        [*_linear(mlp.lift), (layers[0].W, layers[0].b)],
        *([(f.Wt, f.bt), (g.W, g.b)] for f, g in pairwise(layers)),
        [(layers[-1].Wt, layers[-1].bt), *_linear(mlp.readout)],
    ]
    with torch.no_grad():
        first, *middle, last = (_compose(joint) for joint in joints)
        ends = [_split(*end, rtol, need_two=False) for end in (first, last)]
        parts = [part for joint in middle for part in _split(*joint, rtol)]
        (*lift, inlet), (outlet, *readout) = ends
        parts = [inlet, *parts, outlet]
        form = MLP(
            [inlet[0].shape[1], *(len(bias) for _, bias in parts)],
            sigma=layers[0].sigma,
            lift=_stage(*lift),
            readout=_stage(*readout),
        )
        for layer, inner, outer in zip(form.layers, parts[::2], parts[1::2], strict=True):
            _fill((layer.W, layer.b, layer.Wt, layer.bt), (*inner, *outer))
    return form


def _compose(joint):
    """Matrix and bias of affine maps applied in turn, and the product of their norms."""
    (product, bias), *rest = joint
    scale = torch.linalg.matrix_norm(product, 2)
    for weight, shift in rest:
        product, bias = weight @ product, weight @ bias + shift
        scale = scale * torch.linalg.matrix_norm(weight, 2)
    return product, bias, scale


def _split(product, bias, scale, rtol, need_two=True):
    """The affine map as two of full rank applied in turn; as one, if that is enough."""
    U, s, Vh = torch.linalg.svd(product, full_matrices=False)
    r = int((s > rtol * scale).sum())
    if r == 0:
        raise ValueError(
            "mlp is constant, a product of its weights has rank 0; no product may have rank 0"
        )
    if r == len(s) and not need_two:
        return [(product, bias)]
    root = s[:r].sqrt()
    return [(root[:, None] * Vh[:r], bias.new_zeros(r)), (U[:, :r] * root, bias)]


def _linear(stage):
    return [] if stage is None else [(stage.weight, stage.bias)]


def _stage(*parts):
    if not parts:
        return None
    stage = affine(*parts[0][0].shape[::-1])
    _fill((stage.weight, stage.bias), parts[0])
    return stage


def _fill(parameters, values):
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
