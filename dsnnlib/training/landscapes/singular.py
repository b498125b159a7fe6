"""Losses whose gradient descent map collapses an interval to a point."""

import numpy as np

from dsnnlib._checks import count


class SingularWell:
    r"""The loss t^4/2 - 3 t^2 + 8 on abs(t) <= 2 and t^2 outside, once differentiable.

    Minima at t = -3^(1/2) and 3^(1/2), with curvature 12; a local maximum at 0, with
    curvature -6. At the rate 1/2 gradient descent sends the whole outer branch to the
    maximum; at the rate 1/4 only the maximum itself is sent there. The least loss is 7/2, so
    this is no interpolation problem.
    """

    singular_rate = 0.5
    """The learning rate at which the outer branch, of slope 2t, is sent to 0."""

    minimum = 3**0.5
    """The positive minimum."""

    @staticmethod
    def loss(t):
        """The loss, entry by entry."""
        t = np.asarray(t, dtype=float)
        return np.where(abs(t) <= 2, t**4 / 2 - 3 * t**2 + 8, t**2)

    @staticmethod
    def gradient(t):
        """Its derivative, as a tuple of one: 2 t^3 - 6 t inside, 2 t outside."""
        t = np.asarray(t, dtype=float)
        return (np.where(abs(t) <= 2, 2 * t**3 - 6 * t, 2 * t),)

    @staticmethod
    def curvature(t):
        """Its second derivative, for abs(t) other than 2."""
        t = np.asarray(t, dtype=float)
        return np.where(abs(t) < 2, 6 * t**2 - 6, 2.0)

    @staticmethod
    def survivors(steps):
        r"""The intervals of starts in [-2, 2] that at the rate 1/2 stay in it for `steps` steps.

        All other starts in [-2, 2] are at 0 after at most one step more. The map is
        4t - t^3; it takes one interval around 0 onto [-2, 2] and two at the ends onto [0, 2]
        and [-2, 0], so there are 2^(steps+1) - 1 intervals.

        Returns
        -------
        (2**(steps + 1) - 1, 2) array
            Left and right ends, in order.
        """
        ends = np.array([[-2.0, 2.0]])
        for _ in range(count("steps", steps, least=0)):
            ends = np.clip(np.sort(_preimages(ends), axis=1), -2, 2)
            ends = ends[ends[:, 0] < ends[:, 1]]
        return ends[np.argsort(ends[:, 0])]


class SingularInterpolation:
    r"""An interpolation problem whose unstable minima are found all the same.

    Two weights t, z and one datum; the loss depends on t alone, L = F^2/2 with

    .. math:: L'(t) = 2t + 4t\,(1-t^2)^2 \ (|t|\le1), \qquad 2t \ (|t|>1) .

    L vanishes exactly on the line t = 0 and is twice continuously differentiable.
    F = sign(t) (2L)^(1/2) has the slope 6^(1/2) there, so M is a manifold with a Jacobian of
    full rank, of sharpness 6. At the rate 1/2 every minimum is unstable, and every start
    with abs(t) >= 1 is sent onto M in one step.
    """

    singular_rate = 0.5
    """The learning rate at which the outer branches are sent onto M."""

    sharpness_on_minima = 6.0
    """The non-zero Hessian eigenvalue on M: L''(0)."""

    inner_cycle = (1 - 0.5**0.5) ** 0.5
    """At the rate 1/2 almost all other starts go to the 2-cycle between this t and minus it."""

    @staticmethod
    def loss(t, z):
        """The loss; z has no effect, and that is the point."""
        inside = t**2 + (2 / 3) * (1 - (1 - np.minimum(t**2, 1)) ** 3)
        return inside + 0.0 * z

    @staticmethod
    def gradient(t, z):
        """The pair (dL/dt, 0)."""
        slope = 2 * t + 4 * t * np.maximum(1 - t**2, 0) ** 2
        return slope, 0.0 * z

    @staticmethod
    def output(t, z):
        """F = sign(t) (2 L)^(1/2), the network's error at its one datum."""
        return np.sign(t) * np.sqrt(2 * SingularInterpolation.loss(t, z))


def _preimages(values):
    """The three real t with 4t - t^3 = value, for values in [-2, 2], along the first axis."""
    # t = (4/3^(1/2)) cos(phi), 4 cos^3 - 3 cos = cos 3phi: cos(3 phi) = -(3 3^(1/2)/16) value
    third = np.arccos(-(3 * 3**0.5 / 16) * values) / 3
    return np.concatenate([4 / 3**0.5 * np.cos(third + 2 * np.pi * n / 3) for n in range(3)])
