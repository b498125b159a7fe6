r"""Self-attention as a dynamical system: tokens on a sphere that turn towards one another.

.. math:: \dot x_i=P^\perp_{x_i}\Bigl(\tfrac1{Z_i}\sum_je^{\beta\langle Qx_i,Kx_j\rangle}
    \,Vx_j\Bigr),\qquad P^\perp_x=I-xx^\top

with :math:`Z_i=\sum_je^{\beta\langle Qx_i,Kx_j\rangle}` (SA), or :math:`Z_i=n` (USA, which
is not normalised).
"""

import numpy as np
from scipy import sparse

from dsnnlib._checks import array, count, finite, positive, shaped
from dsnnlib.integrate import step


class Attention:
    """The field of n tokens in d dimensions.

    Parameters
    ----------
    beta : float
        Inverse temperature, >= 0.
    normalised : bool
        SA if True, USA if False.
    query, key, value : (d, d) arrays, optional
        Q, K and V; the identity if not given.
    mask : (n, n) array of bools, optional
        Token i sees j where mask[i, j]; each token must see one. The causal mask is
        ``np.tri(n, dtype=bool)``. USA then has Z_i = the number that i sees.

    References
    ----------
    Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv:2312.10794, equation (2.3).
    Page: mean_field/digraph measures.
    """

    def __init__(self, beta, *, normalised=True, query=None, key=None, value=None, mask=None):
        self.beta, self.normalised = finite("beta", beta), bool(normalised)
        if self.beta < 0:
            raise ValueError(f"beta is {beta}; an inverse temperature must not be negative")
        matrices = {"query": query, "key": key, "value": value}
        for name, matrix in matrices.items():
            matrices[name] = None if matrix is None else array(name, matrix, ndim=2)
        self.query, self.key, self.value = matrices.values()
        self.mask = None if mask is None else np.asarray(mask, dtype=bool)
        if self.mask is not None and not self.mask.any(-1).all():
            raise ValueError("mask has an empty row; each token must see at least one")

    def weights(self, x):
        """The attention matrix (..., n, n) of the tokens x (..., n, d)."""
        n, d = x.shape[-2:]
        for name in ("query", "key", "value"):
            if getattr(self, name) is not None:
                shaped(name, getattr(self, name), (d, d))
        if self.mask is not None:
            shaped("mask", self.mask, (n, n))
        asked = x if self.query is None else x @ self.query.T
        offered = x if self.key is None else x @ self.key.T
        scores = self.beta * asked @ np.swapaxes(offered, -1, -2)
        seen = np.ones(scores.shape[-2:]) if self.mask is None else self.mask
        if not self.normalised:
            return np.exp(scores) * seen / seen.sum(-1, keepdims=True)
        scores = np.where(seen, scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True)

    def __call__(self, t, x):
        """The velocities (..., n, d), tangent to the sphere."""
        pull = self.weights(x) @ (x if self.value is None else x @ self.value.T)
        return pull - (pull * x).sum(-1, keepdims=True) * x

    def energy(self, x):
        r"""USA's energy :math:`\frac1{2\beta n^2}\sum_{ij}e^{\beta\langle x_i,x_j\rangle}`.

        It grows at the rate of the mean squared speed, for Q = K = V = I and no mask. For
        beta = 0 the limit, less the constant 1/(2 beta).
        """
        if self.beta == 0:
            return (x.mean(-2) ** 2).sum(-1) / 2
        return np.exp(self.beta * x @ np.swapaxes(x, -1, -2)).mean((-1, -2)) / (2 * self.beta)

    def flow(self, x, times):
        """Yield the tokens at each of `times`: RK4 steps, put back on the sphere."""
        x = sphere("x", x)
        times = array("times", times, ndim=1)
        yield x
        for t, dt in zip(times[:-1], np.diff(times), strict=True):
            x = step(self, t, x, dt)
            x = x / np.linalg.norm(x, axis=-1, keepdims=True)
            yield x


def common_cosine(n, beta, *, normalised=True):
    r"""Field of the common inner product :math:`\gamma` of n tokens from an orthonormal start.

    .. math:: \dot\gamma=\tfrac2Z\,e^{\beta\gamma}(1-\gamma)((n-1)\gamma+1)

    with :math:`Z=e^\beta+(n-1)e^{\beta\gamma}` for SA and :math:`Z=n` for USA.

    Returns
    -------
    callable
        ``field(t, gamma)``, with Q = K = V = I.
    """
    n, beta = count("n", n, least=2), finite("beta", beta)

    def field(t, gamma):
        each = np.exp(beta * gamma)
        total = np.exp(beta) + (n - 1) * each if normalised else n
        return 2 * each * (1 - gamma) * ((n - 1) * gamma + 1) / total

    return field


def clusters(x, closeness=1e-3):
    """Number of clusters of the tokens x (n, d), and the label (n,) of each token.

    Two tokens are linked if their inner product is above 1 - `closeness`.
    """
    x = sphere("x", x)
    near = x @ x.T > 1 - positive("closeness", closeness)
    return sparse.csgraph.connected_components(sparse.csr_array(near), directed=False)


def sphere(name, x):
    """Return tokens (..., n, d) of length one; refuse others."""
    x = array(name, x)
    if x.ndim < 2:
        raise ValueError(f"{name} has the shape {x.shape}; tokens have (n, d)")
    length = np.linalg.norm(x, axis=-1)
    if abs(length - 1).max() > 1e-9:
        raise ValueError(f"{name} has the length {length.min():.4g}; each token must have length 1")
    return x
