r"""Linear neurons: the one two-layer network whose mean-field limit is a formula.

A neuron w = (a, b) maps x to a b x. With E x^2 = 1 and the target m* x the risk of a cloud of
neurons is (m - m*)^2 / 2, and training moves every neuron by a' = -(m - m*) b,
b' = -(m - m*) a. Two averages obey a closed system,

.. math:: m = \langle ab\rangle,\quad s = \langle a^2+b^2\rangle,\qquad
    \dot m = -(m-m_*)\,s,\quad \dot s = -4(m-m_*)\,m,

whatever the number of neurons is: a finite network differs from the limit by its start alone.
"""

from dataclasses import dataclass

import numpy as np

from dsnnlib._checks import array, finite


@dataclass(frozen=True)
class LinearNeurons:
    r"""The closed form of training with linear neurons.

    With p = s + 2m and the constant kappa^2 = s^2 - 4m^2 the system becomes one Riccati
    equation, :math:`2\dot p = -(p-p_+)(p-p_-)` with :math:`p_\pm = 2m_*\pm s_\infty` and
    :math:`s_\infty^2 = \kappa^2+4m_*^2`. Its solution is

    .. math:: \frac{p-p_+}{p-p_-} = e^{-s_\infty t}\,\frac{p_0-p_+}{p_0-p_-}.

    Parameters
    ----------
    target : float
        m*.

    Notes
    -----
    Page: mean field/exchangeable neurons.
    """

    target: float

    def __post_init__(self):
        finite("target", self.target)

    def velocity(self, w):
        """Velocity of neurons w of shape (..., N, 2): -(m - m*) (b, a)."""
        m = (w[..., 0] * w[..., 1]).mean(-1)
        return -(m - self.target)[..., None, None] * w[..., ::-1]

    def solution(self, m0, s0, t):
        """The averages (m, s) at the times t, from (m0, s0) at time 0; broadcast.

        Raises
        ------
        ValueError
            Unless s0 > 2 abs(m0) and t >= 0. (Of every cloud s >= 2 abs(m), and equality
            means that all its neurons have b = a, or all b = -a.)
        """
        p0, square, t = self._start(m0, s0, t)
        p = self._riccati(p0, square, t)[0]
        return (p - square / p) / 4, (p + square / p) / 2

    def sensitivities(self, m0, s0, t):
        """Derivatives of `solution` by the start, shape (2, 2, ...).

        Entry [i, j] is the derivative of (m, s)[i] at the time t by (m0, s0)[j].
        """
        p0, square, t = self._start(m0, s0, t)
        p, by_p0, by_square = self._riccati(p0, square, t)
        m0, s0 = np.asarray(m0, dtype=float), np.asarray(s0, dtype=float)
        rows = []
        for dp0, dsquare in ((2.0, -8 * m0), (1.0, 2 * s0)):  # p0 = s0 + 2 m0 and so on
            dp = by_p0 * dp0 + by_square * dsquare
            other = dsquare / p - square / p**2 * dp  # of s - 2m = kappa^2 / p
            rows.append(((dp - other) / 4, (dp + other) / 2))
        return np.array([[rows[j][i] for j in (0, 1)] for i in (0, 1)])

    def _start(self, m0, s0, t):
        m0, s0, t = array("m0", m0), array("s0", s0), array("t", t)
        if not (s0 > 2 * abs(m0)).all():
            raise ValueError(f"s0 is {s0.min():.6g} at least; it must exceed 2 abs(m0) everywhere")
        if not (t >= 0).all():
            raise ValueError(f"t is {t.min():.6g} at least; it must not be negative")
        return s0 + 2 * m0, s0**2 - 4 * m0**2, t

    def _riccati(self, p0, square, t):
        """The p at the time t, and its derivatives by p0 and by kappa^2."""
        end = np.sqrt(square + 4 * self.target**2)
        high, low = 2 * self.target + end, 2 * self.target - end
        decay = np.exp(-end * t)
        ratio = (p0 - high) / (p0 - low)
        x = ratio * decay
        p = (high - low * x) / (1 - x)
        by_x = 2 * end / (1 - x) ** 2
        by_p0 = by_x * decay * 2 * end / (p0 - low) ** 2
        # high, low and end change by 1, -1 and 1, times 1 / (2 end), when kappa^2 grows by 1
        ratio_by_end = -1 / (p0 - low) - (p0 - high) / (p0 - low) ** 2
        x_by_end = decay * (ratio_by_end - t * ratio)
        by_square = ((1 + x) / (1 - x) + by_x * x_by_end) / (2 * end)
        return p, by_p0, by_square
