"""A diagonal linear network: w = u^2 - v^2, fitted to fewer equations than weights."""

import numpy as np

from dsnnlib._checks import array, positive, shown


class DiagonalNetwork:
    r"""The loss :math:`L(u, v) = \frac1{2n}\sum_j r_j^2` with r = A(u^2 - v^2) - y, entry by entry.

    A linear regression in w = u^2 - v^2 with d > n weights: w is not determined by the n
    equations Aw = y, and the way in which w is parametrised decides which solution
    gradient descent finds.

    Parameters
    ----------
    features : (..., n, d) array
        A, of full row rank n; leading axes are independent problems.
    targets : (..., n) array
        y.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Woodworth et al., arXiv:2002.09277. Page: training/manifold of minima.
    """

    def __init__(self, features, targets):
        self.features, self.targets = array("features", features), array("targets", targets)
        if self.features.ndim < 2 or self.features.shape[:-1] != self.targets.shape:
            raise ValueError(
                f"features has shape {self.features.shape} and targets {self.targets.shape}; "
                "they must be (..., n, d) and (..., n)"
            )

    def residual(self, u, v):
        """The residual r = A(u^2 - v^2) - y, (..., n)."""
        return (self.features @ (u**2 - v**2)[..., None])[..., 0] - self.targets

    def loss(self, u, v):
        """The mean of r_j^2 / 2 over the n equations."""
        return (self.residual(u, v) ** 2).mean(-1) / 2

    def gradient(self, u, v):
        """The pair (2 g u, -2 g v) with g = A^T r / n."""
        residual = self.residual(u, v)
        g = (residual[..., None, :] @ self.features)[..., 0, :] / residual.shape[-1]
        return 2 * g * u, -2 * g * v

    def sample_gradient(self, u, v, index):
        """The same for the loss r_j^2 / 2 of one equation j = index, of the leading axes' shape."""
        index = np.asarray(index)[..., None]
        a = np.take_along_axis(self.features, index[..., None], axis=-2)[..., 0, :]
        y = np.take_along_axis(self.targets, index, axis=-1)
        g = ((a * (u**2 - v**2)).sum(-1, keepdims=True) - y) * a
        return 2 * g * u, -2 * g * v

    def sharpness_on_minima(self, u, v):
        """Largest Hessian eigenvalue where r = 0: that of (4/n) A diag(u^2 + v^2) A^T."""
        weighted = self.features * (u**2 + v**2)[..., None, :]
        gram = weighted @ np.swapaxes(self.features, -1, -2)
        return 4 / gram.shape[-1] * np.linalg.eigvalsh(gram)[..., -1]

    def flow_limit(self, alpha, *, tolerance=1e-12, max_steps=500):
        r"""The solution w that gradient flow reaches from u = v = alpha (entry by entry).

        .. math:: w = 2\alpha^2 \sinh(A^\top\nu), \qquad Aw = y,

        with nu found by Newton's method on a strictly convex function of n variables, whose
        gradient is Aw - y. With the products abs(u v) at the end of an orbit of (stochastic)
        gradient descent in place of alpha^2 it is that orbit's limit up to O(eta^2).

        Parameters
        ----------
        alpha : float or (d,) array
            Positive.

        Raises
        ------
        ValueError
            If alpha is not positive, or there are leading axes.
        ArithmeticError
            If Newton's method does not converge: A has not full row rank, or alpha is so
            small that sinh overflows.
        """
        alpha = array("alpha", alpha)
        if not (alpha > 0).all():
            raise ValueError(f"alpha is {shown(alpha)}; it must be positive")
        if self.features.ndim != 2:
            raise ValueError(f"features has {self.features.ndim} dimensions; it must have 2 here")
        features, targets, scale = self.features, self.targets, 2 * alpha**2
        scale = np.broadcast_to(scale, features.shape[1:])
        nu = np.zeros(len(targets))
        for _ in range(max_steps):
            exponents = nu @ features
            gap = features @ (scale * np.sinh(exponents)) - targets
            if abs(gap).max() <= tolerance * (1 + abs(targets).max()):
                return scale * np.sinh(exponents)
            hessian = (features * (scale * np.cosh(exponents))) @ features.T
            try:
                step = np.linalg.solve(hessian, gap)
            except np.linalg.LinAlgError:
                break
            nu = _lower(features, targets, scale, nu, step, step @ gap)
        raise ArithmeticError("Newton's method for nu did not converge; is A of full row rank?")

    def flattest(self):
        r"""For one equation a w = y: the flattest solution and its sharpness.

        The sharpness is at least :math:`4\sum_i a_i^2|w_i| \ge 4|y|\min|a_i|`, with equality
        where all weight is on the smallest feature. Derived on the page
        training/manifold of minima.

        Returns
        -------
        w : (d,) array
        sharpness : float
        """
        if self.features.ndim != 2 or len(self.features) != 1:
            raise ValueError(f"features has shape {self.features.shape}; it must be (1, d) here")
        (a,), (y,) = self.features, self.targets
        smallest = np.argmin(abs(a))
        positive("the smallest modulus in features", float(abs(a[smallest])))
        w = np.zeros_like(a)
        w[smallest] = y / a[smallest]
        return w, float(4 * abs(y * a[smallest]))


def _lower(features, targets, scale, nu, step, slope):
    """The longest of nu - step, nu - step/2, ... at which the convex function is lower enough."""

    def value(nu):
        return np.sum(scale * np.cosh(nu @ features)) - targets @ nu

    size = min(1.0, 5 / (abs(step @ features).max() + 1e-300))  # keeps cosh from overflowing
    before = value(nu)
    for _ in range(40):
        if value(nu - size * step) <= before - 1e-4 * size * slope + 1e-15 * abs(before):
            break
        size /= 2
    return nu - size * step
