"""Kuramoto's model with a million oscillators: all to all, in one pass over memory a stage."""

import numpy as np

from dsnnlib._checks import array, count, finite, positive
from dsnnlib.mean_field.oscillators import CHUNK, half_angle


def advance(phi, omega, coupling, dt, steps):
    r"""RK4 steps of Kuramoto's model :math:`\dot\phi_i=\omega_i+K\,\mathrm{Im}(z e^{-i\phi_i})`.

    The order parameter :math:`z=\frac1N\sum_je^{i\phi_j}` is all that an oscillator feels. The
    phases are worked through in pieces that fit into the cache: what a stage needs of a
    piece is computed while the piece is there.

    Parameters
    ----------
    phi, omega : (N,) arrays
        Phases and natural frequencies.
    coupling : float
        K.
    dt : float
        Step, > 0. The error is O(dt**4).
    steps : int
        Number of steps, >= 1.

    Returns
    -------
    phi : (N,) array
        Phases after the last step.
    order : (steps + 1,) complex array
        z before each step and after the last.

    Raises
    ------
    ValueError
        If `omega` has another length than `phi`, or a number is out of range.
    """
    phi, omega = array("phi", phi, ndim=1), array("omega", omega, ndim=1)
    if omega.shape != phi.shape:
        raise ValueError(f"omega has {omega.size} entries; it must have {phi.size}, one a phase")
    K, dt, steps = finite("coupling", coupling), positive("dt", dt), count("steps", steps)
    pieces = [slice(i, i + CHUNK) for i in range(0, phi.size, CHUNK)]
    phi, slope = phi.copy(), np.empty_like(phi)
    cosine, sine = np.empty_like(phi), np.empty_like(phi)
    speed, stage = np.empty(CHUNK), np.empty(CHUNK)
    order = np.empty(steps + 1, dtype=complex)
    z = 0
    for piece in pieces:
        half_angle(phi[piece], cosine[piece], sine[piece])
        z += cosine[piece].sum() + 1j * sine[piece].sum()
    for n in range(steps):
        order[n] = z / phi.size
        for share, ahead in ((1, 1 / 2), (2, 1 / 2), (2, 1), (1, None)):
            pull, z = K * z / phi.size, 0
            for piece in pieces:
                c, s, k = cosine[piece], sine[piece], slope[piece]
                v, y = speed[: c.size], stage[: c.size]
                np.multiply(c, pull.imag, out=v)
                np.multiply(s, pull.real, out=y)
                v -= y
                v += omega[piece]
                if share == 1 and ahead:
                    k[:] = v
                elif ahead:
                    np.multiply(v, share, out=y)
                    k += y
                if ahead:
                    v *= ahead * dt
                    v += phi[piece]
                    half_angle(v, c, s)
                else:
                    v += k
                    v *= dt / 6
                    phi[piece] += v
                    half_angle(phi[piece], c, s)
                z += c.sum() + 1j * s.sum()
    order[steps] = z / phi.size
    return phi, order
