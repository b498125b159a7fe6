r"""Graphs and their limits: graphons, and digraph measures for what graphons cannot hold.

The vertices of a network of N nodes lie at :math:`x_i=(i+\tfrac12)/N`. A network acts through
:math:`\frac1N\sum_jA_{ij}\,g(\phi_i,\phi_j)`, so node i sees the measure
:math:`\eta_N^{x_i}=\frac1N\sum_jA_{ij}\,\delta_{x_j}`: graph and measure are two ways to
write the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dsnnlib._checks import array, count, finite, positive, shaped
from dsnnlib.mean_field.distances import arcs, bounded_lipschitz
from dsnnlib.mean_field.oscillators import DENSE, square


def vertices(N):
    """The places (N,) of N vertices in [0, 1]: the midpoints (i + 1/2)/N."""
    return (np.arange(count("N", N)) + 0.5) / N


def graphon_matrix(kernel, N):
    """The kernel W(x, y) at all pairs of vertices: an (N, N) array, N at most 5,000.

    Raises
    ------
    ValueError
        If N is larger, or the kernel returns another shape, or anything negative.
    """
    if count("N", N) > DENSE:
        raise ValueError(f"N is {N}; a dense matrix is made for at most {DENSE} vertices")
    x = vertices(N)
    return _nonnegative(kernel(x[:, None], x[None, :]), (N, N))


def w_random(kernel, N, rng, *, density=1.0, bound=1.0, directed=False):
    r"""Random graph with an edge between i and j with probability density * W(x_i, x_j).

    Costs O(candidates), density * bound * N^2 / 2 of them: sparse graphs are cheap at any N.

    Parameters
    ----------
    kernel : callable
        W(x, y) on arrays, >= 0; symmetric unless `directed`.
    N : int
        Number of vertices.
    rng : numpy.random.Generator
    density : float
        Factor to all probabilities, > 0. To keep the action of the graph on the scale
        of W, divide the matrix by it.
    bound : float
        An upper bound of W; density * bound is at most 1.
    directed : bool
        Draw the two directions of a pair on their own.

    Returns
    -------
    (N, N) scipy.sparse.csr_array of zeros and ones
        A_ij = 1 if j acts on i; no loops.

    Raises
    ------
    ValueError
        If W is negative or above `bound`, or density * bound is not in (0, 1].
    """
    N = count("N", N, least=2)
    most = positive("density", density) * positive("bound", bound)
    if most > 1:
        raise ValueError(f"density * bound is {most:.4g}; a probability is at most 1")
    pairs = N * (N - 1) if directed else N * (N - 1) // 2
    drawn = rng.choice(pairs, rng.binomial(pairs, most), replace=False, shuffle=False)
    if drawn.size == 0:
        return sparse.csr_array((N, N))
    if directed:
        row, column = np.divmod(drawn, N - 1)
        column += column >= row
    else:
        row = ((1 + np.sqrt(8.0 * drawn + 1)) / 2).astype(np.int64)
        row -= row * (row - 1) // 2 > drawn  # the square root may round
        row += row * (row + 1) // 2 <= drawn
        column = drawn - row * (row - 1) // 2
    weight = _nonnegative(kernel((row + 0.5) / N, (column + 0.5) / N), row.shape) / bound
    if weight.size and weight.max() > 1 + 1e-12:
        raise ValueError(f"kernel reaches {weight.max() * bound:.4g}; bound must not be below")
    kept = rng.random(row.size) < weight
    row, column = row[kept], column[kept]
    if not directed:
        row, column = np.append(row, column), np.append(column, row)
    return sparse.csr_array((np.ones(row.size), (row, column)), shape=(N, N))


def largest_eigenvalue(matrix):
    """Largest eigenvalue of a symmetric matrix, divided by N: that of the graph's action.

    Raises
    ------
    ValueError
        If the matrix is not square or not symmetric.
    """
    matrix = square("matrix", matrix)
    N, most = matrix.shape[0], abs(matrix).max()
    if abs(matrix - matrix.T).max() > 1e-12 * most:
        raise ValueError("matrix is not symmetric; its largest eigenvalue may not be real")
    if N == 1 or most == 0:
        return float(matrix.sum())
    start = np.random.default_rng(0).standard_normal(N)  # ones may lie in the kernel
    value = sparse.linalg.eigsh(matrix, 1, which="LA", v0=start, return_eigenvectors=False)
    return float(value[0]) / N


@dataclass(frozen=True)
class DigraphMeasure:
    r"""A digraph measure :math:`x\mapsto\eta^x` on the circle :math:`X=\R/\mathbb Z`, in atoms.

    What is not discrete, such as W(x, y) dy, is held by a fine discretisation.

    Parameters
    ----------
    fibre : callable
        ``fibre(x)`` for x (m,) returns the atoms of :math:`\eta^x` (m, k), taken modulo 1, and
        their masses, >= 0, which broadcast to (m, k).

    References
    ----------
    Kuehn and Xu, arXiv:2107.08419. Page: mean_field/digraph measures.
    """

    fibre: Callable

    def at(self, x):
        """Atoms (m, k) in [0, 1) and masses (m, k) over the vertices x (m,).

        Raises
        ------
        ValueError
            If the fibre returns another shape, or a negative mass.
        """
        x = array("x", x, ndim=1)
        points, masses = self.fibre(x)
        points = array("fibre", points, ndim=2)
        shaped("fibre", points[:, 0], x.shape)
        masses = array("fibre", masses)
        if (masses < 0).any():
            raise ValueError(f"fibre has the mass {masses.min():.3g}; a measure is not negative")
        return points % 1, np.broadcast_to(masses, points.shape)

    def network(self, N):
        r"""The network of N nodes with :math:`A_{ij}=N\,\eta^{x_i}(\text{cell } j)`.

        Returns
        -------
        (N, N) scipy.sparse.csr_array
            With at most k entries a row.
        """
        points, masses = self.at(vertices(N))
        column = (points * N + 1e-9).astype(np.int64) % N  # on the edge of a cell: the next one
        row = np.broadcast_to(np.arange(N)[:, None], points.shape)
        entries = (N * masses.ravel(), (row.ravel(), column.ravel()))
        return sparse.csr_array(sparse.coo_array(entries, shape=(N, N)))

    def distance(self, other, x):
        r"""Uniform distance :math:`\max_x d_{BL}(\eta^x,\xi^x)` over the given vertices x (m,)."""
        mine, theirs = self.at(x), other.at(x)
        return max(
            bounded_lipschitz(arcs(a, b, 1), p, q)
            for a, p, b, q in zip(*mine, *theirs, strict=True)
        )


def shift(alpha):
    r"""The sparse digraph measure :math:`\eta^x=\delta_{x+\alpha}`: each vertex sees one other."""
    alpha = finite("alpha", alpha)
    return DigraphMeasure(lambda x: (x[:, None] + alpha, np.ones(1)))


def cantor(level):
    r"""Each vertex sees a Cantor set: :math:`\eta^x` is the law of x + C.

    C is uniform on Cantor's set; here on the midpoints of its 2^level intervals, within
    3^-level / 2 of the limit. With N = 3^level nodes the degree is N^0.63, between sparse
    and dense.
    """
    ends = np.zeros(1)
    for j in range(1, count("level", level) + 1):
        ends = np.concatenate([ends, ends + 2 / 3**j])
    atoms = np.sort(ends) + 0.5 / 3**level
    return DigraphMeasure(lambda x: (x[:, None] + atoms, np.full(1, 1 / atoms.size)))


def from_kernel(kernel, nodes):
    r"""The dense digraph measure :math:`\eta^x=W(x,y)\,dy`, in `nodes` atoms (midpoint rule).

    Raises
    ------
    ValueError
        When the measure is used: if the kernel returns another shape, or anything negative.
    """
    y = vertices(count("nodes", nodes))

    def fibre(x):
        masses = _nonnegative(kernel(x[:, None], y[None, :]), (x.size, y.size)) / y.size
        return np.broadcast_to(y, masses.shape), masses

    return DigraphMeasure(fibre)


def from_network(adjacency):
    r"""The measure of a network: :math:`\eta_N^x=\frac1N\sum_jA_{ij}\delta_{x_j}` for x in cell i.

    Raises
    ------
    ValueError
        If the matrix is not square, has a negative weight, or more than 5,000 nodes.
    """
    adjacency = sparse.csr_array(square("adjacency", adjacency))
    N = adjacency.shape[0]
    if N > DENSE:
        raise ValueError(f"adjacency has {N} nodes; fibres are compared up to {DENSE}")
    if adjacency.nnz and adjacency.data.min() < 0:
        raise ValueError(f"adjacency holds {adjacency.data.min():.4g}; it must not be negative")
    y = vertices(N)

    def fibre(x):
        rows = np.minimum((x % 1 * N).astype(np.int64), N - 1)
        return np.broadcast_to(y, (x.size, N)), adjacency[rows].toarray() / N

    return DigraphMeasure(fibre)


def _nonnegative(values, shape):
    values = array("kernel", values)
    try:
        values = np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(f"kernel returns the shape {values.shape}; it must be {shape}") from None
    if values.size and values.min() < 0:
        raise ValueError(f"kernel reaches {values.min():.4g}; it must not be negative")
    return values
