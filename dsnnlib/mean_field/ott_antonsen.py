r"""Ott and Antonsen's reduction: one complex number a node instead of a density.

If the phases at each node follow a Poisson kernel (of mean :math:`z`, density
:math:`\frac1{2\pi}\frac{1-|z|^2}{|1-\bar z e^{i\phi}|^2}`) at the start, and the coupling has one
harmonic, they always do.
"""

import numpy as np

from dsnnlib._checks import array, finite, fraction, positive


class OttAntonsen:
    r"""The field of the local order parameters on a network, for `integrate.trajectory`.

    .. math:: \dot z_x=(i\omega_x-\Delta)\,z_x+\tfrac K2\bigl(H_x-\bar H_x\,z_x^2\bigr),\qquad
        H_x=\int z_y\,d\eta^x(y)

    Exact in the limit of many oscillators at each node, with frequencies at node x that
    are Lorentzian with centre :math:`\omega_x` and half-width :math:`\Delta` (zero for identical
    ones).

    Parameters
    ----------
    operator : callable
        On the nodes, as for `Oscillators`.
    K : float
        Coupling.
    omega : float or (m,) array
        Centres of the frequencies.
    delta : float
        Half-width, >= 0.

    References
    ----------
    Ott and Antonsen, Chaos 18 (2008) 037113. Page: mean_field/kuramoto networks.
    """

    def __init__(self, operator, K, *, omega=0.0, delta=0.0):
        self.operator, self.K = operator, finite("K", K)
        self.omega = array("omega", omega)
        self.delta = finite("delta", delta)
        if self.delta < 0:
            raise ValueError(f"delta is {delta}; a half-width must not be negative")

    def __call__(self, t, z):
        """The velocity of the local order parameters (..., m), complex."""
        felt = self.operator(z)
        return (1j * self.omega - self.delta) * z + self.K / 2 * (felt - np.conj(felt) * z**2)


def order_in_time(r0, K, t, *, delta=0.0):
    r"""All-to-all order r(t): the solution of :math:`\dot r=-\Delta r+\frac K2r(1-r^2)`.

    Parameters
    ----------
    r0 : float
        Order at the start, in [0, 1).
    K, delta : floats
        Coupling, > 0, and half-width of the Lorentzian frequencies, >= 0; K != 2 delta.
    t : float or array
    """
    r0, K, delta, t = fraction("r0", r0), positive("K", K), finite("delta", delta), array("t", t)
    rate = K / 2 - delta
    if rate == 0:
        raise ValueError(f"K is {K}, which is 2 delta; at the critical point use its own law")
    decay = np.exp(-2 * rate * t)
    return r0 / np.sqrt(decay + r0**2 * K / 2 / rate * (1 - decay))


def poisson_quantiles(z, n):
    """The n quantiles, at (j + 1/2)/n, of the Poisson kernel of mean z: phases (..., n).

    Parameters
    ----------
    z : complex or (...,) complex array
        In the open unit disc.
    n : int

    Raises
    ------
    ValueError
        If some mean is not in the open unit disc.
    """
    z = np.asarray(z, dtype=complex)[..., None]
    r = np.abs(z)
    if not (r < 1).all():
        raise ValueError(f"z has the modulus {r.max():.4g}; it must be below 1")
    middle = (np.arange(n) + 0.5) / n - 0.5
    return np.angle(z) + 2 * np.arctan((1 - r) / (1 + r) * np.tan(np.pi * middle))
