r"""Curvature of a loss without its Hessian: products, top eigenvalues, tracking.

A Hessian of D parameters has D^2 entries; its product with a vector costs about
as much as one or two gradients. Everything here is built from such products.
"""

from dataclasses import dataclass

import numpy as np
import torch

from dsnnlib._checks import count, positive


class HessianProduct:
    r"""The map v -> Hess L(theta) v, by differentiating a retained gradient.

    The gradient's graph is recorded once, so each product costs one backward
    pass through it. The products are valid for the values that the parameters
    had at construction; build a new one after they have moved.

    Parameters
    ----------
    loss : tensor
        L(theta), one number, with the graph that leads to `parameters`.
    parameters : iterable of tensors
        The point theta, D numbers in all, each with ``requires_grad``.

    Attributes
    ----------
    gradient : (D,) tensor
        grad L(theta), flat and detached.
    products : int
        How many products were made.

    Raises
    ------
    ValueError
        If there are no parameters, the loss is not a scalar, does not depend
        on them, or it or its gradient is not finite.
    """

    def __init__(self, loss, parameters):
        self._parameters = [] if isinstance(parameters, torch.Tensor) else list(parameters)
        if not self._parameters or not all(
            isinstance(p, torch.Tensor) and p.requires_grad for p in self._parameters
        ):
            raise ValueError("parameters must be a list of tensors with requires_grad, not empty")
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise ValueError("loss must be a tensor that holds one number")
        if not loss.requires_grad:
            raise ValueError("loss does not depend on parameters; it must be computed from them")
        gradients = torch.autograd.grad(
            loss, self._parameters, create_graph=True, allow_unused=True
        )
        if all(g is None for g in gradients):
            raise ValueError("loss does not depend on parameters; it must be computed from them")
        pairs = zip(gradients, self._parameters, strict=True)
        gradients = [torch.zeros_like(p) if g is None else g for g, p in pairs]
        self._gradient = _flat(gradients)
        self._versions = [p._version for p in self._parameters]
        self.gradient = self._gradient.detach()
        self.products = 0
        if not (loss.isfinite() and self.gradient.isfinite().all()):
            raise ValueError("loss or its gradient is not finite here; it must be")

    def __call__(self, vector):
        """Hess L(theta) @ vector, for a (D,) tensor of the parameters' dtype and device."""
        _vector("vector", vector, self.gradient.shape, self.gradient.dtype)
        self.products += 1
        if not self._gradient.requires_grad:  # a loss linear in its parameters
            return torch.zeros_like(vector)
        if [p._version for p in self._parameters] != self._versions:
            raise RuntimeError("parameters have moved since construction; make a new product")
        return _flat(
            torch.autograd.grad(
                self._gradient, self._parameters, vector, retain_graph=True, materialize_grads=True
            )
        )


@dataclass(frozen=True)
class Eigenpairs:
    """Largest eigenvalues of a symmetric operator, in descending order.

    Each eigenvalue of `values` has an exact one within its residual
    norm(A v - value v) (v of norm one), whatever the operator.
    """

    values: np.ndarray  # (k,)
    vectors: torch.Tensor  # (k, D), orthonormal rows
    residuals: np.ndarray  # (k,)
    products: int


def top_eigenvalues(product, start, k=1, *, rtol=1e-4, max_products=100):
    r"""The k algebraically largest eigenvalues of a symmetric operator, by Lanczos.

    Builds an orthonormal basis of span{s, As, A^2 s, ...} and stops when the k
    largest Ritz values have residuals below rtol times the largest modulus. Every
    new vector is orthogonalised twice against all the previous ones: without
    that the recursion loses orthogonality as soon as a Ritz value converges,
    and reports copies of it.

    Parameters
    ----------
    product : callable
        ``product(v)`` -> A v for (D,) tensors, for example a `HessianProduct`.
    start : (D,) tensor
        Where to start: a random vector, or for a tracked operator the last
        eigenvector (`Tracker` does it). A direction orthogonal to `start` is
        never seen, nor are the copies of a multiple eigenvalue.
    k : int
        How many, 1 <= k <= D.
    rtol : float
        Residual allowed, relative to the operator's norm (the largest Ritz value's modulus).
    max_products : int
        Give up after so many products.

    Returns
    -------
    Eigenpairs
        Fewer than k only if `start` lies in an invariant subspace of lower dimension.

    Raises
    ------
    ValueError
        If k, rtol or start make no sense.
    ArithmeticError
        If the operator returns NaN or infinity, or the residuals are still too
        large after `max_products`.

    References
    ----------
    Lanczos (1950). Page: training/edge of stability.
    """
    k, rtol = count("k", k), positive("rtol", rtol)
    max_products = count("max_products", max_products, least=k)
    _vector("start", start)
    if not (start.isfinite().all() and start.any()):
        raise ValueError("start is zero or not finite; it must be a direction")
    if k > start.numel():
        raise ValueError(f"k is {k}; it must be at most D = {start.numel()}")
    basis = start.new_empty(min(max_products, start.numel()) + 1, start.numel())
    basis[0] = start / torch.linalg.vector_norm(start)
    diagonal, off_diagonal = [], []
    for n in range(1, len(basis)):
        image = product(basis[n - 1])
        diagonal.append(float(basis[n - 1] @ image))
        for _ in range(2):
            image = image - basis[:n].T @ (basis[:n] @ image)
        beta = float(torch.linalg.vector_norm(image))
        if not np.isfinite(beta):
            raise ArithmeticError("product returned NaN or infinity")
        values, residuals, coefficients, scale = _ritz(diagonal, off_diagonal, beta, k)
        exhausted = beta <= 10 * torch.finfo(start.dtype).eps * scale or n == start.numel()
        if exhausted or (n >= k and (residuals <= rtol * scale).all()):
            vectors = start.new_tensor(coefficients) @ basis[:n]
            return Eigenpairs(values, vectors, residuals, n)
        off_diagonal.append(beta)
        basis[n] = image / beta
    raise ArithmeticError(
        f"residual {residuals.max() / scale:.1e} after {max_products} products; "
        "allow more products or a larger rtol"
    )


class Tracker:
    """Follow the top eigenvalues of a slowly moving Hessian, a few products a time.

    A small residual says that an eigenvalue is near, not that it is the top one:
    from the exact eigenvector alone Lanczos stops at once and misses an eigenvalue
    that has overtaken it. So each search starts from the last eigenvectors plus a
    fresh random direction, and the runner-up is tracked too. Where three or more
    eigenvalues change places at once it may still be a few per cent low for a moment,
    as a search from scratch may be at the same `rtol`.

    Parameters
    ----------
    k : int
        How many eigenvalues.
    rng : torch.Generator
        For the random directions.
    rtol : float
        Relative residual, as in `top_eigenvalues`.
    fresh : float
        Norm of the random part, relative to the warm start.

    Raises
    ------
    ValueError
        If an argument makes no sense, or k exceeds the number of parameters.
    ArithmeticError
        As `top_eigenvalues`, after 100 products.
    """

    def __init__(self, k=1, *, rng, rtol=1e-2, fresh=0.5):
        self.k, self.rtol = count("k", k), positive("rtol", rtol)
        self.fresh = positive("fresh", fresh)
        if not isinstance(rng, torch.Generator):
            raise ValueError(f"rng is a {type(rng).__name__}; it must be a torch.Generator")
        self._rng, self._start = rng, None

    def __call__(self, product):
        """Eigenpairs of a `HessianProduct`."""
        like = product.gradient
        if self.k > like.numel():
            raise ValueError(f"k is {self.k}; it must be at most D = {like.numel()}")
        random = torch.randn(like.shape, generator=self._rng, dtype=like.dtype, device=like.device)
        random = random / torch.linalg.vector_norm(random)
        start = random if self._start is None else self._start + self.fresh * random
        keep = min(self.k + 1, like.numel())
        found = top_eigenvalues(product, start, keep, rtol=self.rtol)
        self._start = found.vectors.sum(0) / len(found.vectors) ** 0.5
        top = slice(self.k)
        return Eigenpairs(
            found.values[top], found.vectors[top], found.residuals[top], found.products
        )


def _ritz(diagonal, off_diagonal, beta, k):
    """Largest k eigenpairs of the tridiagonal matrix, residuals beta |last entry|, its norm."""
    matrix = np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
    values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(values)[::-1][:k]
    return values[order], beta * abs(vectors[-1, order]), vectors.T[order], abs(values).max()


def _vector(name, value, shape=None, dtype=None):
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        raise ValueError(f"{name} must be a tensor of floating-point numbers")
    if value.ndim != 1 or value.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(value.shape)}; it must be (D,), not empty")
    if shape is not None and (value.shape != shape or value.dtype != dtype):
        raise ValueError(
            f"{name} is {value.dtype} {tuple(value.shape)}; it must be {dtype} {tuple(shape)}"
        )


def _flat(tensors):
    return torch.cat([t.reshape(-1) for t in tensors])
