"""Newton's method for the zeros of a gradient, from many starts at once.

Both take ``phi``, starts x (n, d), the gradients and Hessians there, the size (n,) below which a
gradient counts as zero, and the reach (d,) of a search: a start that leads further away is given
up. They return the end points (n, d) and which of them converged (n,).
"""

import numpy as np

from dsnnlib.propagation.winding import derivatives


def damped(phi, x, g, hessian, floor, reach, steps=40):
    """Zeros of grad phi by damped Newton steps from all starts at once, and which converged."""
    start, x, damping = x, x.copy(), np.full(len(x), 1e-5)
    g, hessian = g.copy(), hessian.copy()
    size = np.linalg.norm(g, axis=1)
    limit = size.copy()
    for k in range(steps):
        near = np.linalg.norm((x - start) / reach, axis=1) <= 1
        on = np.nonzero((size > floor) & near & (size <= limit * 0.5 ** (k - 5)))[0]
        if not len(on):
            break
        w, V = np.linalg.eigh(hessian[on])
        mu = (damping[on, None] + 1e-20) * (w**2).max(1, keepdims=True) + 1e-300
        step = -np.einsum("nij,nj->ni", V, w / (w**2 + mu) * np.einsum("nji,nj->ni", V, g[on]))
        length = np.linalg.norm(step / reach, axis=1, keepdims=True)
        trial = x[on] + step / np.maximum(1, length)
        _, new, curvature = derivatives(phi, trial)
        better = np.linalg.norm(new, axis=1) < size[on]
        won = on[better]
        x[won], g[won], hessian[won] = trial[better], new[better], curvature[better]
        size[won] = np.linalg.norm(g[won], axis=1)
        damping[on] = np.where(better, 0.05 * damping[on], np.maximum(10 * damping[on], 1e-4))
    near = np.linalg.norm((x - start) / reach, axis=1) <= 1
    return x, (size <= floor) & near


def plain(phi, x, g, hessian, floor, reach, steps=10):
    """Zeros of grad phi by plain Newton steps, which may climb: a curved valley needs that."""
    start, x, converged = x, x.copy(), np.zeros(len(x), dtype=bool)
    on = np.arange(len(x))
    for _ in range(steps):
        w, V = np.linalg.eigh(hessian)
        go = ~converged[on] & (abs(w).min(1) > 1e-7 * abs(w).max(1))
        on, g, w, V = on[go], g[go], w[go], V[go]
        trial = x[on] - np.einsum("nij,nj->ni", V, np.einsum("nji,nj->ni", V, g) / w)
        near = np.linalg.norm((trial - start[on]) / reach, axis=1) <= 1
        on = on[near]
        if not len(on):
            break
        x[on] = trial[near]
        _, g, hessian = derivatives(phi, x[on])
        converged[on] = np.linalg.norm(g, axis=1) <= floor[on]
    return x, converged
