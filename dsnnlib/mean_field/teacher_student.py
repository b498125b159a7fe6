r"""ReLU students of a ReLU teacher, with Gaussian inputs: the risk and its flow without a sample.

Neurons w = (a, b) map x to :math:`a\max(b\cdot x, 0)`. For x ~ N(0, I) averages over x are
known (Cho and Saul 2009): with the angle phi between b and b'

.. math::

    k(b,b') = \E\max(b\cdot x,0)\max(b'\cdot x,0)
            = \frac{|b||b'|}{2\pi}\bigl(\sin\phi+(\pi-\phi)\cos\phi\bigr).
"""

import numpy as np

from dsnnlib._checks import array


def relu_kernel(u, v):
    """k(u_i, v_j), shape (..., N, M), of vectors u (..., N, d) and v (..., M, d), none zero."""
    inner, size_u, size_v, phi = _angles(u, v)
    return (size_u * size_v * np.sin(phi) + (np.pi - phi) * inner) / (2 * np.pi)


class TeacherStudent:
    """Students of one teacher: clouds of neurons (a, b), each network the mean of its neurons.

    Parameters
    ----------
    teacher : (M, d + 1) array
        Its neurons (a, b), one a row; no b may be zero.

    Raises
    ------
    ValueError
        If the teacher is not a finite matrix, or has a neuron with b = 0; in the methods, if
        the neurons of the students have another number of weights.

    Notes
    -----
    Page: mean field/exchangeable neurons.
    """

    def __init__(self, teacher):
        self.teacher = array("teacher", teacher, ndim=2)
        if self.teacher.shape[1] < 2 or not self.teacher[:, 1:].any(axis=1).all():
            raise ValueError("teacher holds a neuron with b = 0; every b must differ from zero")
        self._square = self._product(self.teacher, self.teacher)

    def risk(self, w):
        """E (f_w - f_teacher)^2 / 2, shape (...), of students w of shape (..., N, d + 1)."""
        w = self._students(w)
        cross = self._product(w, self.teacher)
        return (self._product(w, w) - 2 * cross + self._square) / 2

    @property
    def blank(self):
        """The risk of the network that is zero."""
        return self._square / 2

    def velocity(self, w):
        """-grad Psi of every neuron, of the shape of w; a neuron with b = 0 has none (NaN)."""
        w = self._students(w)
        return self._pull(w, self.teacher) - self._pull(w, w)

    def _students(self, w):
        width = self.teacher.shape[1]
        if np.ndim(w) < 2 or np.shape(w)[-1] != width:
            raise ValueError(f"w has the shape {np.shape(w)}; it must be (..., N, {width})")
        return w

    @staticmethod
    def _product(v, w):
        k = relu_kernel(v[..., 1:], w[..., 1:])
        total = np.einsum("...i,...ij,...j->...", v[..., 0], k, w[..., 0])
        return total / (k.shape[-1] * k.shape[-2])

    @staticmethod
    def _pull(w, source):
        """Gradient in w of the mean over the source of a a' k(b, b')."""
        a, b, b2 = w[..., :1], w[..., 1:], source[..., 1:]
        inner, size, size2, phi = _angles(b, b2)
        share = source[..., :, :1] / source.shape[-2]
        sine, rest = size2 * np.sin(phi) / (2 * np.pi), (np.pi - phi) / (2 * np.pi)
        by_a = (size * sine + rest * inner) @ share
        by_b = a * ((sine @ share) / size * b + rest @ (share * b2))
        return np.concatenate([by_a, by_b], axis=-1)


def _angles(u, v):
    inner = u @ np.swapaxes(v, -1, -2)
    size_u = np.linalg.norm(u, axis=-1, keepdims=True)
    size_v = np.swapaxes(np.linalg.norm(v, axis=-1, keepdims=True), -1, -2)
    return inner, size_u, size_v, np.arccos(np.clip(inner / (size_u * size_v), -1, 1))
