r"""The generalised Vlasov equation on a digraph measure, by Fourier modes in each fibre.

Over each vertex :math:`x` lies a density :math:`\rho(t,x,\phi)` on the circle. With the coupling
:math:`g(\theta)=\sum_{\ell\ne0}g_\ell e^{i\ell\theta}` and noise D,

.. math:: \partial_t\rho+\partial_\phi(\rho V)=D\,\partial_\phi^2\rho,\qquad
    V(t,x,\phi)=\omega(x)+\sum_\ell g_\ell e^{-i\ell\phi}H_\ell(t,x),\qquad
    H_\ell(t,x)=\int_X a_\ell(t,y)\,d\eta^x(y),

where :math:`a_k=\int e^{ik\phi}\rho\,d\phi` are the moments of a fibre. The other method, by
characteristics, needs no code of its own: it is the network `Oscillators` with `Fibred`
averages, whose particles carry the mass of the fibres along and keep it positive.
"""

import numpy as np

from dsnnlib._checks import array, count, finite


class FourierVlasov:
    r"""The field of the moments :math:`a_0,\dots,a_M` in all fibres, for `integrate.trajectory`.

    .. math:: \dot a_k=ik\Bigl(\omega a_k+\sum_{\ell\ne0}g_\ell H_\ell\,a_{k-\ell}\Bigr)-Dk^2a_k

    Moments beyond M are taken as zero, so the error is that of the tail of the Fourier
    series: exponentially small as long as the density is analytic and M suffices. Mass
    is conserved exactly (the moment 0 does not move); positivity is not guaranteed.
    An explicit step needs D M^2 dt < 2.7, and dt times M times the speed below 2.8.

    Parameters
    ----------
    operator : callable
        On the vertices, as for `Oscillators`: AllToAll(), Graph(A), LowRank(left, right).
    omega : float or (m,) array
        Frequency at each vertex.
    sine, cosine : sequences of floats
        g = sum_l sine_l sin(l theta) + cosine_l cos(l theta).
    D : float
        Noise, >= 0; the particles feel sqrt(2 D) dW.

    References
    ----------
    Kuehn and Xu, arXiv:2107.08419, and with noise arXiv:2403.20325.
    Page: mean_field/digraph measures.
    """

    def __init__(self, operator, omega=0.0, sine=(1.0,), cosine=(), *, D=0.0):
        self.operator, self.omega = operator, array("omega", omega)
        self.D = finite("D", D)
        if self.D < 0:
            raise ValueError(f"D is {D}; noise must not be negative")
        size = max(len(sine), len(cosine))
        sine, cosine = (np.pad(np.asarray(c, float), (0, size - len(c))) for c in (sine, cosine))
        self.g = (cosine - 1j * sine) / 2  # g_1, g_2, ...; g_{-l} is the conjugate

    def __call__(self, t, a):
        """The velocity of the moments (M + 1, m)."""
        M = len(a) - 1
        k = np.arange(M + 1).reshape(-1, *[1] * (a.ndim - 1))
        flow = self.omega * a
        for harmonic, g in enumerate(self.g, 1):
            if not g or harmonic > M:
                continue
            pull = g * self.operator(a[harmonic])
            flow[harmonic:] += pull * a[: M + 1 - harmonic]  # a_{k-l}, k >= l
            flow[:harmonic] += pull * np.conj(a[harmonic:0:-1])  # a_{k-l} with k < l
            flow[: M + 1 - harmonic] += np.conj(pull) * a[harmonic:]  # a_{k+l}
        return 1j * k * flow - self.D * k**2 * a


def poisson_moments(z, M):
    """Moments z^0, ..., z^M of the Poisson kernel of mean z: (M + 1, ...) complex."""
    z = np.asarray(z, dtype=complex)
    return z[None] ** np.arange(count("M", M) + 1).reshape(-1, *[1] * z.ndim)


def particle_moments(phi, M):
    """Moments 0, ..., M of equal particles, along the last axis: (M + 1, ...) complex."""
    phi = array("phi", phi)
    return np.stack([np.exp(1j * k * phi).mean(-1) for k in range(count("M", M) + 1)])


def density(a, phi):
    r"""The density :math:`\frac1{2\pi}\bigl(1+2\,\mathrm{Re}\sum_{k\ge1}a_ke^{-ik\phi}\bigr)`.

    Parameters
    ----------
    a : (M + 1, ...) complex array
        Moments.
    phi : (n,) array

    Returns
    -------
    (..., n) array
    """
    phi = array("phi", phi, ndim=1)
    k = np.arange(len(a))
    waves = np.exp(-1j * np.outer(k, phi)) * np.where(k > 0, 2, 1)[:, None]
    return np.tensordot(np.moveaxis(a, 0, -1), waves, 1).real / (2 * np.pi)


def quantiles(a, n, *, grid=4096):
    r"""The n quantiles, at (j + 1/2)/n, of the density with the moments a: phases (..., n).

    The distribution function is the integrated Fourier series, inverted by interpolation
    between `grid` points: the error is O(grid^-2).

    Raises
    ------
    ValueError
        If the density is so far from positive that its distribution function falls.
    """
    ends = np.linspace(-np.pi, np.pi, count("grid", grid, least=8) + 1)
    k = np.arange(1, len(a))
    waves = (np.exp(-1j * np.outer(k, ends)) - np.exp(1j * k * np.pi)[:, None]) / (-1j * k)[:, None]
    a = np.moveaxis(np.asarray(a), 0, -1)
    cumulative = (a[..., :1].real * (ends + np.pi) + 2 * (a[..., 1:] @ waves).real) / (2 * np.pi)
    if np.diff(cumulative, axis=-1).min() < -1e-9:
        raise ValueError("a is not the moments of a positive density; take more of them")
    at = (np.arange(count("n", n)) + 0.5) / n
    rows = np.maximum.accumulate(cumulative, -1).reshape(-1, ends.size)
    found = np.array([np.interp(at, row, ends) for row in rows])
    return found.reshape(*cumulative.shape[:-1], n)
