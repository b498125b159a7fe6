"""Linear regression: an overdetermined problem in which everything is known, its noise included."""

import numpy as np

from dsnnlib._checks import array, count, positive


class LeastSquares:
    r"""The loss :math:`L(\theta)=\frac1{2N}\|X\theta-y\|^2`, the mean of the sample losses.

    Parameters
    ----------
    inputs : (N, D) array
        X, of rank D.
    targets : (N,) array
        y.

    Attributes
    ----------
    hessian : (D, D) array
        X^T X / N, the same at every theta.
    minimum : (D,) array
        The unique minimum theta*.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the columns of X are not independent.
    """

    def __init__(self, inputs, targets):
        self.inputs, self.targets = (
            array("inputs", inputs, ndim=2),
            array("targets", targets, ndim=1),
        )
        if len(self.targets) != len(self.inputs):
            raise ValueError(f"targets has {len(targets)} entries; it must have {len(inputs)}")
        if np.linalg.matrix_rank(self.inputs) < self.inputs.shape[1]:
            raise ValueError(
                f"inputs has the shape {self.inputs.shape}; its columns must be independent"
            )
        self.hessian = self.inputs.T @ self.inputs / len(self.inputs)
        self.minimum = np.linalg.lstsq(self.inputs, self.targets)[0]

    def loss(self, theta):
        """L at each theta of a (..., D) array."""
        return ((theta @ self.inputs.T - self.targets) ** 2).mean(-1) / 2

    def gradient(self, theta):
        """Of the shape (..., D) of theta."""
        return (theta @ self.inputs.T - self.targets) @ self.inputs / len(self.inputs)

    def sample_gradient(self, theta, index):
        """Of the sample losses L_index; `index` has the shape theta.shape[:-1]."""
        x = self.inputs[index]
        return ((theta * x).sum(-1) - self.targets[index])[..., None] * x

    def sgd(self, eta, *, chains, steps, rng):
        """Points (chains, D) after so many steps of stochastic gradient descent from the minimum.

        Each step and each chain draws one sample, all alike and independently.
        """
        eta, steps = positive("eta", eta), count("steps", steps, least=0)
        theta = np.tile(self.minimum, (count("chains", chains), 1))
        for _ in range(steps):
            index = rng.integers(len(self.inputs), size=chains)
            theta -= eta * self.sample_gradient(theta, index)
        return theta

    def stationary_covariance(self, eta):
        r"""Covariance C of the invariant law of stochastic gradient descent, one sample a step.

        .. math:: C = \frac1N\sum_i(I-\eta x_ix_i^\top)\,C\,(I-\eta x_ix_i^\top)
            + \frac{\eta^2}N\sum_i r_i^2x_ix_i^\top

        with the residuals r_i at the minimum; the mean is the minimum.

        Raises
        ------
        ValueError
            If eta is so large that the second moments grow without bound.
        """
        eta, D = positive("eta", eta), self.inputs.shape[1]
        outer = self.inputs[:, :, None] * self.inputs[:, None, :]
        steps = np.eye(D) - eta * outer
        transfer = np.einsum("nij,nkl->ikjl", steps, steps).reshape(D * D, D * D) / len(outer)
        if abs(np.linalg.eigvals(transfer)).max() >= 1:
            raise ValueError(f"eta is {eta}; it must be smaller: second moments grow without bound")
        residuals = self.inputs @ self.minimum - self.targets
        noise = eta**2 * (residuals**2 @ outer.reshape(len(outer), -1)) / len(outer)
        return np.linalg.solve(np.eye(D * D) - transfer, noise).reshape(D, D)
