"""Do two samples come from one law? A distance between clouds of points in any dimension."""

import numpy as np
from scipy.spatial.distance import cdist

from dsnnlib._checks import array, count, generator


def energy_distance(x, y):
    r"""Energy distance of the laws of two samples, without bias.

    .. math:: 2\,\E|X-Y|-\E|X-X'|-\E|Y-Y'|

    It is zero if and only if the laws are equal. The means over pairs leave out the pair of a
    point with itself, so the expectation is exact for every sample size, and an estimate of
    a small distance may be negative. Costs n m distances.

    Parameters
    ----------
    x, y : (n, d), (m, d) arrays
        At least two points each.

    Raises
    ------
    ValueError
        If a shape does not fit.

    References
    ----------
    Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249-1272.
    """
    x, y = _cloud("x", x), _cloud("y", y)
    return 2 * _between(x, y).mean() - _within(cdist(x, x)) - _within(cdist(y, y))


def split_distances(pool, n, m, *, splits, rng):
    """Energy distances (splits,) of n and m different points, drawn at random from one pool.

    This is how far apart two samples of *one* law are, and so the yardstick of
    `energy_distance`.

    Parameters
    ----------
    pool : (k, d) array
        At least n + m points.
    n, m, splits : int
        Sizes of the two parts, >= 2, and how often to split.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If the pool is too small.
    """
    pool, n, m = _cloud("pool", pool), count("n", n, least=2), count("m", m, least=2)
    if n + m > len(pool):
        raise ValueError(f"pool has {len(pool)} points; it must have at least {n + m}")
    distances, rng = cdist(pool, pool), generator("rng", rng)
    result = np.empty(count("splits", splits))
    for i in range(len(result)):
        order = rng.permutation(len(pool))
        a, b = order[:n], order[n : n + m]
        between = distances[np.ix_(a, b)].mean()
        within = [_within(distances[np.ix_(part, part)]) for part in (a, b)]
        result[i] = 2 * between - sum(within)
    return result


def nearest(x, data):
    """Distance (n,) of each point x (n, d) to the nearest of the data (m, d)."""
    return _between(array("x", x, ndim=2), array("data", data, ndim=2)).min(1)


def _between(x, y):
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"the two samples have {x.shape[1]} and {y.shape[1]} columns; give as many"
        )
    return cdist(x, y)


def _within(distances):
    n = len(distances)
    return distances.sum() / (n * (n - 1))


def _cloud(name, value):
    value = array(name, value, ndim=2)
    if len(value) < 2:
        raise ValueError(f"{name} has one point; a distance needs at least two")
    return value
