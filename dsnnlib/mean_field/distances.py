"""Distances between measures, in which limits of large networks are stated.

All of them are exact. On the line and on the circle transport needs sorting only;
elsewhere a network simplex solves it.
"""

import numpy as np

from dsnnlib._checks import array, positive


def wasserstein_line(x, y, p=None, q=None):
    r"""Wasserstein-1 distance of discrete probability measures on the line.

    .. math:: W_1(\mu,\nu)=\int|F_\mu(t)-F_\nu(t)|\,dt

    Costs a sort, O((n + m) log(n + m)).

    Parameters
    ----------
    x, y : (..., n), (..., m) arrays
        Atoms; leading axes are many pairs of measures at once.
    p, q : (..., n), (..., m) arrays, optional
        Their masses, >= 0, which sum up to one; equal if not given.

    Returns
    -------
    (...,) array or float

    Raises
    ------
    ValueError
        If atoms and masses do not fit or a mass is negative.
    """
    points, jumps = _merged(x, y, p, q)
    order = np.argsort(points, -1)
    points = np.take_along_axis(points, order, -1)
    above = np.cumsum(np.take_along_axis(jumps, order, -1), -1)[..., :-1]
    return (np.abs(above) * np.diff(points)).sum(-1)


def wasserstein_circle(x, y, p=None, q=None, *, period=2 * np.pi):
    r"""Wasserstein-1 distance of discrete probability measures on a circle, by arc length.

    .. math:: W_1(\mu,\nu)=\min_c\int_0^{\text{period}}|F_\mu(t)-F_\nu(t)-c|\,dt

    The best c is a weighted median of the difference of the distribution functions
    (Rabin, Delon, Gousseau 2011). Costs two sorts.

    Parameters
    ----------
    x, y : (..., n), (..., m) arrays
        Atoms, taken modulo `period`; leading axes are many pairs of measures at once.
    p, q : (..., n), (..., m) arrays, optional
        Their masses, >= 0, which sum up to one; equal if not given.
    period : float
        Length of the circle, > 0.

    Returns
    -------
    (...,) array or float

    Raises
    ------
    ValueError
        If atoms and masses do not fit or a mass is negative.
    """
    period = positive("period", period)
    points, jumps = _merged(x, y, p, q)
    points = points % period
    order = np.argsort(points, -1)
    points = np.take_along_axis(points, order, -1)
    above = np.cumsum(np.take_along_axis(jumps, order, -1), -1)
    gaps = np.diff(points, axis=-1, append=points[..., :1] + period)
    return (np.abs(above - _median(above, gaps)) * gaps).sum(-1)


def bounded_lipschitz(distances, p=None, q=None):
    r"""Bounded-Lipschitz distance of two discrete measures, of any masses.

    .. math:: d_{BL}(\mu,\nu)=\sup\Bigl\{\int f\,d(\mu-\nu):\ |f|\le1,\ \mathrm{Lip}(f)\le1\Bigr\}

    By duality it is a transport: a unit of mass that travels costs its distance, and a
    unit that is created or destroyed costs 1. So a journey of more than 2 does not pay,
    and between measures of one mass the cost is min(d, 2).

    Parameters
    ----------
    distances : (n, m) array
        Distances between the atoms of the first and those of the second measure.
    p, q : (n,), (m,) arrays, optional
        Masses, >= 0; 1/n and 1/m if not given.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a distance or mass is negative or the shapes do not fit.
    """
    from ot import emd2  # here, since it looks for torch when it is imported

    distances = array("distances", distances, ndim=2)
    if (distances < 0).any():
        raise ValueError(f"distances holds {distances.min():.3g}; it must not be negative")
    n, m = distances.shape
    p, q = _masses("p", p, (n,)), _masses("q", q, (m,))
    cost = np.ones((n + 1, m + 1))  # the last row and column: nowhere, at distance 1
    cost[:n, :m] = np.minimum(distances, 2)
    cost[n, m] = 0
    total = p.sum() + q.sum()
    if total == 0:
        return 0.0
    sources, sinks = np.append(p, q.sum()), np.append(q, p.sum())
    return float(emd2(sources / total, sinks / total, cost, numItermax=10**7) * total)


def arcs(x, y, period=2 * np.pi):
    """Arc lengths (n, m) between the points x (n,) and y (m,) of a circle."""
    apart = np.abs(np.subtract.outer(array("x", x, ndim=1), array("y", y, ndim=1))) % period
    return np.minimum(apart, period - apart)


def _merged(x, y, p, q):
    """All atoms (..., n + m) of both measures, and the jumps of F_mu - F_nu at them."""
    x, y = array("x", x), array("y", y)
    if x.ndim == 0 or y.ndim == 0 or x.shape[:-1] != y.shape[:-1]:
        raise ValueError(
            f"x and y have the shapes {x.shape} and {y.shape}; give (..., n), (..., m)"
        )
    p, q = _masses("p", p, x.shape), _masses("q", q, y.shape)
    if not np.allclose(p.sum(-1), q.sum(-1)):
        raise ValueError("p and q have different sums; both must be probabilities")
    return np.concatenate([x, y], -1), np.concatenate([p, -q], -1)


def _masses(name, value, shape):
    if value is None:
        return np.broadcast_to(1 / shape[-1], shape)
    value = array(name, value)
    if (value < 0).any():
        raise ValueError(f"{name} holds {value.min():.3g}; a mass must not be negative")
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(f"{name} has the shape {value.shape}; it must be {shape}") from None


def _median(values, weights):
    """Weighted median along the last axis, which is kept."""
    order = np.argsort(values, -1)
    summed = np.cumsum(np.take_along_axis(weights, order, -1), -1)
    at = (summed < summed[..., -1:] / 2).sum(-1, keepdims=True)
    return np.take_along_axis(values, np.take_along_axis(order, at, -1), -1)
