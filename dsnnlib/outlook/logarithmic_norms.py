r"""Logarithmic norms: how fast two solutions of a differential equation can separate.

.. math:: \mu(A) = \lim_{\delta\to0+} \frac{\|I+\delta A\|-1}{\delta}, \qquad
    \|e^{tA}\| \le e^{\mu(A)t}

Unlike a norm it may be negative, and then solutions approach each other. For the Jacobian
Wt D W of a layer of neurons, with unknown slopes D, this module finds its largest value.
"""

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from dsnnlib._checks import array, definite, positive, shown

MOST_NEURONS = 12  # 2^12 vertices


def logarithmic_norm(A, p=2):
    r"""The logarithmic norm of A for the vector norm of order p.

    .. math:: \mu_2 = \lambda_{\max}\bigl(\tfrac12(A+A^\top)\bigr), \quad
        \mu_\infty = \max_i\Bigl(a_{ii}+\sum_{j\ne i}|a_{ij}|\Bigr), \quad
        \mu_1(A) = \mu_\infty(A^\top)

    Parameters
    ----------
    A : (..., n, n) array
        Square matrices.
    p : 1, 2 or numpy.inf

    Returns
    -------
    (...) array

    Raises
    ------
    ValueError
        If A is not square, or p is another number.

    References
    ----------
    Söderlind, BIT 46 (2006) 631-652. Page: outlook/explainable and reliable networks.
    """
    A = _square("A", A)
    if p == 2:
        return np.linalg.eigvalsh((A + A.swapaxes(-1, -2)) / 2)[..., -1]
    if p not in (1, np.inf):
        raise ValueError(f"p is {shown(p)}; it must be 1, 2 or numpy.inf")
    diagonal = np.diagonal(A, axis1=-2, axis2=-1)
    others = abs(A).sum(-1 if p == np.inf else -2) - abs(diagonal)
    return (diagonal + others).max(-1)


def weighted_logarithmic_norm(A, P):
    r"""The logarithmic norm of A for the norm sqrt(x^T P x), with P positive definite.

    It is :math:`\mu_2(RAR^{-1})` with :math:`R^\top R=P`.
    """
    A, P = _square("A", A), definite("P", P)
    if P.shape != A.shape:
        raise ValueError(f"P has the shape {P.shape}; it must be that of A, {A.shape}")
    R = np.linalg.cholesky(P).T
    return logarithmic_norm(R @ A @ np.linalg.inv(R))


def adapted_weight(A, gap):
    r"""A weight P in whose norm the logarithmic norm of A is less than alpha(A) + gap.

    Here alpha is the largest real part of an eigenvalue, which no logarithmic norm can undercut.
    P solves the Lyapunov equation :math:`B^\top P+PB=-I` with
    :math:`B=A-(\alpha+\text{gap})I`.

    Raises
    ------
    ValueError
        If A is not one square matrix, or gap is not positive or lost in rounding errors.
    """
    A, gap = _square("A", A), positive("gap", gap)
    if A.ndim != 2:
        raise ValueError(f"A has {A.ndim} dimensions; it must be one matrix")
    eye = np.eye(len(A))
    B = A - (np.linalg.eigvals(A).real.max() + gap) * eye
    if np.linalg.eigvals(B).real.max() >= 0:
        raise ValueError(f"gap is {gap:.3g}; it must exceed the rounding errors of A's eigenvalues")
    P = solve_continuous_lyapunov(B.T, -eye)
    return (P + P.T) / 2


def slope_supremum(Wt, W, low=0.0, high=1.0, *, measure=logarithmic_norm):
    r"""The largest ``measure(Wt D W)`` over all diagonal D with low <= D <= high.

    A convex function on a box is largest at a corner, so it is enough to try the 2^k corners.

    Parameters
    ----------
    Wt, W : (m, k) and (k, m) arrays
        Weights after and before the k neurons, k <= 12.
    low, high : numbers or (k,) arrays
        The bounds of the slopes.
    measure : callable
        A *convex* function of matrices (..., m, m) -> (...): a norm, a logarithmic norm,
        or ``lambda J: norm(I + dt * J)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, low > high, or k is too large for enumeration.
    """
    Wt, W, low, high = _layer(Wt, W, low, high)
    k = len(W)
    if k > MOST_NEURONS:
        raise ValueError(f"W has {k} rows; enumeration needs at most {MOST_NEURONS} neurons")
    corners = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
    slopes = low + corners * (high - low)
    return float(np.max(measure((Wt * slopes[:, None, :]) @ W)))


def slope_bound(Wt, W, low=0.0, high=1.0, p=2):
    r"""An upper bound of ``slope_supremum``, for any number of neurons.

    With the centre C and the radius R of the box, D = C + R E with entries of E in [-1, 1],

    .. math:: \mu_2(\tilde WDW) \le \mu_2(\tilde WCW) + \|\tilde WR^{1/2}\|\,\|R^{1/2}W\| .

    For p = inf each row takes the worst slope of each neuron; for p = 1, each column.

    Parameters
    ----------
    Wt, W, low, high
        As in `slope_supremum`.
    p : 1, 2 or numpy.inf
    """
    Wt, W, low, high = _layer(Wt, W, low, high)
    if p == 2:
        centre, root = (low + high) / 2, np.sqrt((high - low) / 2)
        outer = np.linalg.norm(Wt * root, 2) * np.linalg.norm(root[:, None] * W, 2)
        return float(logarithmic_norm((Wt * centre) @ W) + outer)
    if p not in (1, np.inf):
        raise ValueError(f"p is {shown(p)}; it must be 1, 2 or numpy.inf")
    if p == 1:
        Wt, W = W.T, Wt.T
    each = Wt * W.T  # (m, k): what neuron j puts on the diagonal of row i
    each = each + abs(Wt) * abs(W).sum(1) - abs(each)
    return float(np.maximum(each * low, each * high).sum(1).max())


def _square(name, value):
    value = array(name, value)
    if value.ndim < 2 or value.shape[-1] != value.shape[-2]:
        raise ValueError(f"{name} has the shape {value.shape}; it must be a square matrix")
    return value


def _layer(Wt, W, low, high):
    Wt, W = array("Wt", Wt, ndim=2), array("W", W, ndim=2)
    if Wt.shape != W.shape[::-1]:
        raise ValueError(
            f"Wt has the shape {Wt.shape}; it must be {W.shape[::-1]}, as W has {W.shape}"
        )
    bounds = []
    for name, value in (("low", low), ("high", high)):
        value = array(name, value)
        if value.shape not in ((), (len(W),)):
            raise ValueError(f"{name} has the shape {value.shape}; it must be one number a neuron")
        bounds.append(np.broadcast_to(value, (len(W),)))
    if (bounds[0] > bounds[1]).any():
        raise ValueError("low exceeds high; the slopes must lie between them")
    return Wt, W, *bounds
