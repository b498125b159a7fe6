"""Networks of phase oscillators, with costs that grow as the number of edges and no faster.

The coupling is a trigonometric polynomial of the phase difference. Then an oscillator
feels the others through a few weighted averages only, and an *operator* computes these:
the mean for all-to-all coupling, a sparse matrix for a graph, factors for a kernel of
low rank. The fields are made for `dsnnlib.integrate.trajectory`.
"""

import numpy as np
from scipy import sparse

from dsnnlib._checks import array

CHUNK = 1 << 14  # entries that stay in the processor's cache
DENSE = 5000  # nodes above which no N x N matrix is made


def circle(phi):
    """Cosine and sine of an array of angles, from the tangent of half the angle.

    One tangent and one division instead of two slower functions. Right to a few units
    in the last place.
    """
    phi = np.asarray(phi, dtype=float, order="C")
    cosine, sine = np.empty_like(phi), np.empty_like(phi)
    flat, c, s = phi.ravel(), cosine.ravel(), sine.ravel()
    for i in range(0, flat.size, CHUNK):
        half_angle(flat[i : i + CHUNK], c[i : i + CHUNK], s[i : i + CHUNK])
    return cosine, sine


def half_angle(phi, cosine, sine):
    """Write the cosine and sine of `phi` into the two arrays of its shape."""
    np.multiply(phi, 0.5, out=sine)
    np.tan(sine, out=sine)
    np.multiply(sine, sine, out=cosine)
    cosine += 1
    np.divide(2, cosine, out=cosine)
    sine *= cosine
    cosine -= 1


def order_parameter(phi, harmonic=1):
    r"""Kuramoto's order parameter :math:`\frac1N\sum_je^{i\ell\phi_j}` along the last axis."""
    cosine, sine = circle(harmonic * np.asarray(phi, dtype=float))
    return cosine.mean(-1) + 1j * sine.mean(-1)


class AllToAll:
    """Every oscillator feels the mean of all."""

    def __call__(self, z):
        """Average (..., N) -> (..., 1)."""
        return z.mean(-1, keepdims=True)


class Graph:
    """Weighted digraph: oscillator i feels the average (1/N) sum_j A_ij z_j.

    Parameters
    ----------
    adjacency : (N, N) sparse matrix or array
        A_ij is the weight with which j acts on i. Dense arrays up to N = 5,000.
    """

    def __init__(self, adjacency):
        self.adjacency = sparse.csr_array(square("adjacency", adjacency))
        self.N = self.adjacency.shape[0]

    def __call__(self, z):
        """Average (..., N) -> (..., N), in O(edges)."""
        flat = np.reshape(z, (-1, self.N))
        return ((self.adjacency @ flat.T).T / self.N).reshape(np.shape(z))


class LowRank:
    """Kernel of low rank, A = left right^T: O(r N) instead of O(N^2).

    Parameters
    ----------
    left, right : (N, r) arrays
    """

    def __init__(self, left, right):
        self.left, self.right = array("left", left, ndim=2), array("right", right, ndim=2)
        if self.left.shape != self.right.shape:
            raise ValueError(
                f"right has the shape {self.right.shape}; it must be {self.left.shape}"
            )

    def __call__(self, z):
        """Average (..., N) -> (..., N)."""
        return (z @ self.right) @ self.left.T / len(self.left)


class Fibred:
    """Many oscillators at each node: the operator acts on the mean over each node's own.

    Parameters
    ----------
    operator : callable
        On the nodes: Graph, LowRank or AllToAll.
    """

    def __init__(self, operator):
        self.operator = operator

    def __call__(self, z):
        """Average (..., m, n) -> (..., m, 1): node i of m, and its n oscillators."""
        return self.operator(z.mean(-1))[..., None]


class Oscillators:
    r"""The field of a Kuramoto-type network.

    .. math:: \dot\phi_i=h_i(t,\phi_i)+\frac1N\sum_jA_{ij}\,g(\phi_j-\phi_i),\qquad
        g(\theta)=\sum_{\ell\ge1}s_\ell\sin\ell\theta+c_\ell\cos\ell\theta

    Parameters
    ----------
    h : array or callable
        Natural frequencies, of the shape of the phases; or ``h(t, phi)``.
    operator : callable
        AllToAll(), Graph(A), LowRank(left, right), or Fibred of one of them.
    sine, cosine : sequences of floats
        s_1, s_2, ... and c_1, c_2, ...; (K,) and () make Kuramoto's model.

    Raises
    ------
    ValueError
        If the coefficients are not numbers, or h and the phases do not fit.
    """

    def __init__(self, h, operator, sine=(1.0,), cosine=()):
        self.h = h if callable(h) else array("h", h)
        self.operator = operator
        sine, cosine = (np.atleast_1d(np.asarray(c, dtype=float)) for c in (sine, cosine))
        if sine.ndim != 1 or cosine.ndim != 1:
            raise ValueError("sine and cosine must be sequences of numbers")
        size = max(sine.size, cosine.size)
        self.sine = np.pad(sine, (0, size - sine.size))
        self.cosine = np.pad(cosine, (0, size - cosine.size))

    def __call__(self, t, phi):
        """The velocities, of the shape of `phi`."""
        h = np.asarray(self.h(t, phi) if callable(self.h) else self.h, dtype=float)
        try:
            velocity = np.broadcast_to(h, phi.shape).copy()
        except ValueError:
            raise ValueError(f"h has the shape {h.shape}; the phases have {phi.shape}") from None
        for harmonic, (s, c) in enumerate(zip(self.sine, self.cosine, strict=True), 1):
            if not (s or c):
                continue
            cosine, sine = circle(harmonic * phi)
            felt_cosine, felt_sine = self.operator(np.stack([cosine, sine]))
            velocity += (s * felt_sine + c * felt_cosine) * cosine
            velocity += (c * felt_sine - s * felt_cosine) * sine
        return velocity


class PairNetwork:
    r"""The field of a network with any coupling :math:`g(\phi_i,\phi_j)`, edge by edge.

    .. math:: \dot\phi_i=h_i(t,\phi_i)+\frac1N\sum_jA_{ij}\,g(\phi_i,\phi_j)

    Parameters
    ----------
    h : callable
        ``h(t, phi)``, of the shape of `phi`.
    adjacency : (N, N) sparse matrix or array
    g : callable
        ``g(phi_i, phi_j)`` on arrays with one entry for each edge.
    """

    def __init__(self, h, adjacency, g):
        edges = sparse.coo_array(square("adjacency", adjacency))
        self.h, self.g, self.N = h, g, edges.shape[0]
        (self.to, self.source), self.weight = edges.coords, edges.data

    def __call__(self, t, phi):
        """The velocities (N,), in O(edges)."""
        pull = self.weight * self.g(phi[self.to], phi[self.source])
        return self.h(t, phi) + np.bincount(self.to, pull, self.N) / self.N


def square(name, matrix):
    """Return a square matrix, sparse or of moderate size; refuse others in one line."""
    if sparse.issparse(matrix):
        matrix = sparse.csr_array(matrix)
        if not np.isfinite(matrix.data).all():
            raise ValueError(f"{name} holds NaN or infinity; it must be finite")
    else:
        matrix = array(name, matrix, ndim=2)
        if len(matrix) > DENSE:
            raise ValueError(
                f"{name} is dense with N = {len(matrix)}; above {DENSE} make it sparse"
            )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} has the shape {matrix.shape}; it must be square")
    return matrix
