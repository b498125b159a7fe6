r"""All critical points of a scalar map on a box, and the classes that they decide.

A map Phi: R^d -> R, d = 1 or 2, has no critical point, or is Morse (every Hessian at a critical
point is invertible), or is not Morse. The search is exhaustive on a grid and checks itself by
the theorem of Poincare and Hopf: the indices add up to the winding number along the boundary.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from dsnnlib._checks import count, finite, shown
from dsnnlib.propagation.neural_ode import NeuralODE
from dsnnlib.propagation.newton import damped, plain
from dsnnlib.propagation.winding import (
    checked_box,
    circle,
    derivatives,
    frame,
    gradient,
    grid,
    winding,
)


@dataclass(frozen=True)
class CriticalPoints:
    """What `find` found, ordered by value.

    Attributes
    ----------
    x, value : (n, d) array, (n,) array
        Where, and the value of Phi there.
    eigenvalues : (n, d) array
        Of the Hessian, ascending.
    index : (n,) array of int
        Winding number of grad Phi around the point: the sign of det Hess, unless degenerate.
    degenerate : (n,) array of bool
        Whether the Hessian is singular, to 1e-5 of its size in the neighbouring cells.
    isolated : (n,) array of bool
        False: the point is one sample of a whole set of critical points; its index is then 0.
    boundary : int or None
        Winding number along the boundary of the box; None if a critical set crosses it.
    """

    x: np.ndarray
    value: np.ndarray
    eigenvalues: np.ndarray
    index: np.ndarray
    degenerate: np.ndarray
    isolated: np.ndarray
    boundary: int | None

    def __len__(self):
        return len(self.x)

    @property
    def morse_index(self):
        """(n,) number of negative eigenvalues; it says nothing at a degenerate point."""
        return (self.eigenvalues < 0).sum(1)

    @property
    def counts(self):
        """Non-degenerate points by Morse index: for d = 2 (minima, saddles, maxima)."""
        d = self.x.shape[1]
        return tuple(np.bincount(self.morse_index[~self.degenerate], minlength=d + 1).tolist())

    @property
    def consistent(self):
        """Whether all points are isolated and their indices add up to `boundary`."""
        return bool(self.isolated.all()) and self.index.sum() == self.boundary


def find(phi, box, *, cells=120, strict=True):
    r"""All critical points of a scalar map on a box.

    Every cell of a grid across whose corners the gradient changes by as much as its own size is
    searched by Newton steps from four places (two for d = 1), all cells at once; damped ones, and
    where they fail plain ones.
    A gradient nearly linear on the cells misses no zero. The check of the indices does not see
    missed points whose indices cancel, nor points of index 0; more `cells` may show them.

    Parameters
    ----------
    phi : callable
        Maps (n, d) tensors of doubles to (n,) or (n, 1), sample by sample, twice differentiable
        by torch. Where its gradient is below 1e-14 of its largest value it counts as zero:
        saturated networks look flat.
    box : (d, 2) array
        Lower and upper end of each coordinate, d = 1 or 2.
    cells : int
        Cells a side.
    strict : bool
        Whether to raise if the points found contradict the winding number along the boundary.

    Returns
    -------
    CriticalPoints
        Of a set of critical points that are not isolated (a line, a flat piece) it holds
        samples, marked as degenerate and as not isolated. An isolated point around which the
        gradient is zero to rounding over more than a cell, as that of x1^8 + x2^8, looks the same.

    Raises
    ------
    ValueError
        If the box has no volume, phi is not scalar, or an isolated point lies on the boundary.
    ArithmeticError
        If the gradient is not finite; with `strict`, if the indices do not add up.

    References
    ----------
    The classes: Kuehn and Kuntz (arXiv:2405.09351). Page: propagation/classification by critical
    points.
    """
    box, cells = checked_box(box), count("cells", cells, least=2)
    d, h = len(box), np.diff(box)[:, 0] / cells
    vertices = grid(box, cells)
    g = gradient(phi, vertices)
    unit = np.ldexp(1.0, np.frexp(abs(g).max())[1])  # a power of two: scaling is exact
    scaled = _over(phi, unit)
    corners = _corners(g / unit)
    sizes, bend = np.linalg.norm(corners, axis=-1), _bend(corners, h)
    suspect = np.nonzero(sizes.min(0) <= np.linalg.norm(np.ptp(corners, 0), axis=-1))
    quarters = np.array(list(product((0.25, 0.75), repeat=d)))
    starts = (vertices[suspect][:, None] + quarters * h).reshape(-1, d)
    floor = np.maximum(1e-12 * sizes.max(0)[suspect], 1e-14 * sizes.max())
    floor, tolerance = (
        np.repeat(v, 2**d) for v in (floor, 1e-5 * bend[suspect] + 1e-8 * bend.max())
    )
    _, g, hessian = derivatives(scaled, starts)
    x, converged = damped(scaled, starts, g, hessian, floor, 3 * h)
    lost = np.nonzero(~converged)[0]
    x[lost], converged[lost] = plain(scaled, *(v[lost] for v in (starts, g, hessian, floor)), 3 * h)
    inside = converged & ((box[:, 0] <= x) & (x <= box[:, 1])).all(1)
    x, tolerance = x[inside], tolerance[inside]
    value, slope, hessian = derivatives(scaled, x)
    eigenvalues = np.linalg.eigvalsh(hessian)
    degenerate = abs(eigenvalues).min(1, initial=np.inf) <= tolerance
    first = _merge(x / h, np.linalg.norm(slope, axis=1), degenerate)
    first = first[np.argsort(value[first], kind="stable")]
    x, eigenvalues, degenerate = x[first], eigenvalues[first], degenerate[first]
    index, isolated = _indices(scaled, x, eigenvalues, degenerate, h)
    boundary = _boundary(scaled, box, cells)
    found = CriticalPoints(
        x, unit * value[first], unit * eigenvalues, index, degenerate, isolated, boundary
    )
    if strict and boundary is not None and isolated.all() and not found.consistent:
        raise ArithmeticError(
            f"the indices found add up to {index.sum()}, the winding number along the boundary "
            f"is {boundary}; use more than cells={cells}"
        )
    return found


def classify(points):
    """'no critical points', 'Morse' or 'not Morse', on the box in which `points` were found.

    To rounding: where a network saturates and its gradient underflows, it is flat for `find`.

    Parameters
    ----------
    points : CriticalPoints
        From `find`.

    References
    ----------
    Kuehn and Kuntz (arXiv:2405.09351).
    """
    if not isinstance(points, CriticalPoints):
        raise ValueError(f"points is {shown(points)}; it must be what find returned")
    if not len(points):
        return "no critical points"
    return "not Morse" if points.degenerate.any() else "Morse"


def gradient_bound(model, lipschitz):
    r"""A lower bound of abs(grad Phi) for a non-augmented neural ODE with scalar output.

    .. math:: |\nabla\Phi(x)| \ge |\tilde a|\,s_{\min}(A)\,e^{-KT}

    It holds for the exact flow; a Runge-Kutta solution keeps it up to the error of the method.

    Parameters
    ----------
    model : NeuralODE
        With m <= d, q = 1, lift and readout of full rank.
    lipschitz : float
        K >= 0, a Lipschitz constant of the field in h.

    Raises
    ------
    ValueError
        If the model is anything else: an augmented one can have critical points.
    """
    if not isinstance(model, NeuralODE):
        raise ValueError(f"model is {shown(model)}; it must be a NeuralODE")
    outputs, kind = model.readout.out_features, model.architecture
    if outputs != 1 or kind != "non-augmented":
        raise ValueError(
            f"model is {kind} with {outputs} outputs; it must be non-augmented with one output"
        )
    lipschitz = finite("lipschitz", lipschitz)
    if lipschitz < 0:
        raise ValueError(f"lipschitz is {lipschitz}; it must not be negative")
    smallest = torch.linalg.svdvals(model.lift.weight.detach())[-1]
    readout = torch.linalg.vector_norm(model.readout.weight.detach())
    return float(readout * smallest) * np.exp(-lipschitz * model.horizon)


def _over(phi, unit):
    """Phi / unit."""
    return lambda x: phi(x) / unit


def _corners(g):
    """(2**d, cells, ..., d): the values at the corners of each cell."""
    d = g.shape[-1]
    sides = (slice(None, -1), slice(1, None))
    return np.stack([g[corner] for corner in product(sides, repeat=d)])


def _bend(corners, h):
    """(cells, ...): the largest change of the gradient along an edge, over its length."""
    d = corners.shape[-1]
    cube = corners.reshape((2,) * d + corners.shape[1:])
    slopes = [np.linalg.norm(np.diff(cube, axis=i), axis=-1) / h[i] for i in range(d)]
    return np.max([slope.max(tuple(range(d))) for slope in slopes], 0)


def _merge(x, size, degenerate):
    """Of points that coincide, the one with the smallest gradient; x is in cells.

    Degenerate points are vaguer.
    """
    if not len(x):
        return np.zeros(0, dtype=int)
    i, j = cKDTree(x).query_pairs(0.05, output_type="ndarray").T
    distance = np.linalg.norm(x[i] - x[j], axis=1)
    same = distance <= np.where(degenerate[i] & degenerate[j], 0.05, 1e-5)
    links = coo_array((np.ones(same.sum()), (i[same], j[same])), shape=(len(x),) * 2)
    _, group = connected_components(links, directed=False)
    order = np.lexsort((size, group))
    return order[np.unique(group[order], return_index=True)[1]]


def _indices(phi, x, eigenvalues, degenerate, h):
    """Sign of det Hess; at degenerate points, the winding number along a small circle."""
    index = np.where(degenerate, 0, np.prod(np.sign(eigenvalues), axis=1)).astype(int)
    isolated = np.ones(len(x), dtype=bool)
    vague = np.nonzero(degenerate)[0]
    if len(vague) > 1:  # samples of a set lie closer than the cells
        isolated[vague] = cKDTree(x[vague] / h).query(x[vague] / h, k=2)[0][:, 1] > 1
    for n in vague[isolated[vague]]:
        others = np.delete(x, n, axis=0)
        radius = min([h.min() / 2, *np.linalg.norm(others - x[n], axis=1) / 2])
        turns, zero = winding(phi, circle(x[n], radius))
        index[n], isolated[n] = (turns, True) if zero is None else (0, False)
    return index, isolated


def _boundary(phi, box, cells):
    """Winding number along the boundary; None if a set of critical points crosses it."""
    turns, zero = winding(phi, frame(box), pieces=4 * cells)
    if zero is None:
        return turns
    w = abs(np.linalg.eigvalsh(derivatives(phi, zero[None])[2][0]))
    if w.min() > 1e-5 * w.max():
        raise ValueError(
            f"box has a critical point on its boundary, at {zero.round(6).tolist()}; it must not"
        )
    return None
