r"""Where gradient descent ends, from many starts at once."""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import count, positive
from dsnnlib.training.gradient_descent import descend


@dataclass(frozen=True)
class Limits:
    """Where many orbits are after some steps, and what became of them."""

    points: tuple  # arrays, one a coordinate, of the starts' shape
    converged: np.ndarray  # bool
    escaped: np.ndarray  # bool


def limits(gradient, starts, eta, steps, *, tolerance=1e-9, bound=1e6, block=100):
    """The points that gradient descent reaches from many starts.

    An orbit has *converged* once all entries of its gradient are at most `tolerance`, and has
    *escaped* once a coordinate exceeds `bound` (or is no number); neither is followed
    further. The two are looked for every `block` steps.

    Parameters
    ----------
    gradient : callable
        ``gradient(*point)`` -> tuple like `point`, entry by entry.
    starts : tuple of arrays
        One a coordinate, broadcast against each other.
    eta : float or array
        Learning rate, broadcast against the starts.
    steps : int
        At most so many.

    Returns
    -------
    Limits
        Orbits that neither converged nor escaped are False in both.

    Raises
    ------
    ValueError
        As `descend`, or if tolerance, bound or block is not positive.
    """
    tolerance, bound = positive("tolerance", tolerance), positive("bound", bound)
    steps, block = count("steps", steps, least=0), count("block", block)
    next(descend(gradient, starts, eta, 0))  # refuses what it would refuse
    *point, eta = (np.array(a, dtype=float) for a in np.broadcast_arrays(*starts, eta))
    shape = eta.shape
    point, eta = [p.reshape(-1) for p in point], eta.reshape(-1)
    converged, escaped = np.zeros(eta.size, bool), np.zeros(eta.size, bool)
    alive = np.arange(eta.size)
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            now = tuple(p[alive] for p in point)
            size = np.max([abs(g) for g in gradient(*now)], axis=0)
            far = ~(np.max([abs(p) for p in now], axis=0) <= bound)
            converged[alive], escaped[alive] = (size <= tolerance) & ~far, far
            alive = alive[~(converged | escaped)[alive]]
            if steps == 0 or alive.size == 0:
                break
            now, todo = tuple(p[alive] for p in point), min(block, steps)
            for _ in range(todo):
                slope = gradient(*now)
                now = tuple(p - eta[alive] * g for p, g in zip(now, slope, strict=True))
            steps -= todo
            for p, new in zip(point, now, strict=True):
                p[alive] = new
    return Limits(
        tuple(p.reshape(shape) for p in point), converged.reshape(shape), escaped.reshape(shape)
    )
