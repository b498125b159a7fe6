r"""Finite sets of sample gradients for which stochastic gradient descent can be solved.

Single samples, drawn one at a time; the exponents are named as in
`dsnnlib.training.landscapes.gradient_laws`. Derived on the page training/stochastic gradient
descent.
"""

import numpy as np

from dsnnlib._checks import array, finite, positive, positives


class OrthogonalGradients:
    """N orthogonal gradients, so that each sample moves a direction of its own.

    Parameters
    ----------
    squares : (N,) array
        Squared norms of the gradients, > 0.
    probabilities : (N,) array, optional
        With which the samples are drawn; uniform unless given.

    Raises
    ------
    ValueError
        If a square or probability is not positive, or probabilities do not sum to one.
    """

    def __init__(self, squares, probabilities=None):
        self.squares = array("squares", squares, ndim=1)
        size = len(self.squares)
        if probabilities is None:
            probabilities = np.full(size, 1 / size)
        self.probabilities = array("probabilities", probabilities, ndim=1)
        for name, value in (("squares", self.squares), ("probabilities", self.probabilities)):
            if (value <= 0).any():
                raise ValueError(f"{name} holds {value.min()}; it must be positive")
        if len(self.probabilities) != size or abs(self.probabilities.sum() - 1) > 1e-12:
            raise ValueError(f"probabilities must be {size} numbers that sum to one")

    @property
    def gradients(self):
        """The (N, N) matrix with one gradient a row."""
        return np.diag(np.sqrt(self.squares))

    def spectrum(self, eta):
        """The N Lyapunov exponents p_i log abs(1 - eta norm(a_i)^2), descending."""
        return np.sort(self.probabilities * _log_factor(positive("eta", eta), self.squares))[::-1]

    def exponent(self, eta):
        """lambda, the largest of them, for each rate."""
        factors = _log_factor(positives("eta", eta)[..., None], self.squares)
        return (self.probabilities * factors).max(axis=-1)

    def descent_exponent(self, eta):
        """The exponent mu of gradient descent on the expected loss, for each rate."""
        eigenvalues = self.probabilities * self.squares
        return _log_factor(positives("eta", eta)[..., None], eigenvalues).max(axis=-1)

    def moment_exponent(self, p, eta):
        """Lambda(p) = max_i log(1 - p_i + p_i abs(1 - eta norm(a_i)^2)^p), for p > 0."""
        p, rate = positive("p", p), positive("eta", eta)
        jumps = abs(1 - rate * self.squares) ** p
        with np.errstate(divide="ignore"):
            return np.log(1 + self.probabilities * (jumps - 1)).max()

    @property
    def descent_threshold(self):
        """2 / max_i(p_i norm(a_i)^2)."""
        return 2 / (self.probabilities * self.squares).max()

    @property
    def almost_sure_threshold(self):
        """2 / max_i norm(a_i)^2: one sample that is unstable alone is enough."""
        return 2 / self.squares.max()

    @property
    def mean_square_threshold(self):
        """The same: here all moments grow from there on."""
        return 2 / self.squares.max()


class TwoGradients:
    """Two unit gradients at a cosine c, abs(c) < 1, drawn with equal chance."""

    def __init__(self, cosine):
        self.cosine = finite("cosine", cosine)
        if abs(self.cosine) >= 1:
            raise ValueError(f"cosine is {cosine}; it must lie between -1 and 1")

    mean_square_threshold = 2.0
    """The length of no vector grows before."""

    almost_sure_threshold = 2.0
    """The length of no vector shrinks after."""

    @property
    def gradients(self):
        """The (2, 2) matrix with one gradient a row."""
        return np.array([[1, 0], [self.cosine, (1 - self.cosine**2) ** 0.5]])

    def descent_exponent(self, eta):
        """The exponent mu of gradient descent: the Hessian has the eigenvalues (1 +- c)/2."""
        eigenvalues = np.array([1 - self.cosine, 1 + self.cosine]) / 2
        return _log_factor(positives("eta", eta)[..., None], eigenvalues).max(axis=-1)

    @property
    def descent_threshold(self):
        """4 / (1 + abs(c))."""
        return 4 / (1 + abs(self.cosine))

    @property
    def kaczmarz_exponent(self):
        """The exponent lambda at eta = 1, where steps are projections: log(abs(c)) / 2."""
        with np.errstate(divide="ignore"):
            return float(np.log(abs(self.cosine))) / 2

    def spectrum_sum(self, eta):
        """lambda_1 + lambda_2 = log abs(1 - eta), for each rate."""
        return _log_factor(positives("eta", eta), 1.0)


def _log_factor(eta, squares):
    with np.errstate(divide="ignore"):
        return np.log(abs(1 - eta * squares))
