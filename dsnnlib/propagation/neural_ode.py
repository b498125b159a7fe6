r"""Neural ODEs: an affine lift, a flow, an affine readout; and a loop that trains them.

.. math:: h(0) = Ax + a, \qquad h'(t) = f(t, h(t)), \qquad \Phi(x) = \tilde A h(T) + \tilde a
"""

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from dsnnlib import integrate
from dsnnlib._checks import count, positive, shown


class TanhField(nn.Module):
    r"""The field f(t, h) = Wt tanh(W h + c t + b) + bt, with k hidden neurons.

    Parameters
    ----------
    m, k : int
        Dimension of the phase space, number of neurons.
    scale : float
        Standard deviation of the entries of W and c, and of Wt times sqrt(k).
    rng : torch.Generator
        For the random weights.
    """

    def __init__(self, m, k, *, rng, scale=1.0):
        super().__init__()
        m, k, scale = count("m", m), count("k", k), positive("scale", scale)

        def normal(*shape, sd=scale):
            return nn.Parameter(sd * torch.randn(shape, generator=rng, dtype=torch.float64))

        self.W, self.c, self.b = normal(k, m), normal(k), normal(k)
        self.Wt, self.bt = normal(m, k, sd=scale / k**0.5), nn.Parameter(self.c.new_zeros(m))

    def forward(self, t, h):
        """f(t, h) for h of shape (..., m)."""
        return torch.tanh(h @ self.W.T + self.c * t + self.b) @ self.Wt.T + self.bt

    @property
    def lipschitz(self):
        """A Lipschitz constant of f in h, the product of the two spectral norms."""
        norms = [torch.linalg.matrix_norm(W, 2) for W in (self.W.detach(), self.Wt.detach())]
        return float(norms[0] * norms[1])


class NeuralODE(nn.Module):
    r"""The map Phi = readout o (time-T flow of the field) o lift, on batches.

    Parameters
    ----------
    lift, readout : torch.nn.Linear
        Affine maps R^d -> R^m and R^m -> R^q.
    field : callable
        ``field(t, h)``, for a float t and h of shape (..., m); a module, if it is to be trained.
    horizon : float
        T > 0.
    steps : int
        Runge-Kutta steps on [0, T]: the error is O((T/steps)^order).
    method : integrate.Tableau
        EULER makes it a ResNet; RK4 is the default.
    tolerance : float, optional
        If given, solve by torchdiffeq's adaptive dopri5 with this absolute and relative
        tolerance instead. All samples share its steps.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the shapes of lift and readout do not fit.

    References
    ----------
    Equations (9)-(10) of arXiv:2507.05164. Page: propagation/neural ODEs.
    """

    def __init__(
        self, lift, field, readout, *, horizon=1.0, steps=20, method=integrate.RK4, tolerance=None
    ):
        super().__init__()
        for name, layer in (("lift", lift), ("readout", readout)):
            if not isinstance(layer, nn.Linear):
                raise ValueError(f"{name} is {shown(layer)}; it must be a torch.nn.Linear")
        if lift.out_features != readout.in_features:
            raise ValueError(
                f"readout takes {readout.in_features} numbers; it must take the "
                f"{lift.out_features} that lift gives"
            )
        if not callable(field):
            raise ValueError(f"field is {shown(field)}; it must be a function of t and h")
        self.lift, self.field, self.readout = lift, field, readout
        self.horizon, self.steps = positive("horizon", horizon), count("steps", steps)
        self.method = method
        self.tolerance = None if tolerance is None else positive("tolerance", tolerance)

    def forward(self, x):
        """Phi(x): (..., d) -> (..., q). Raises ArithmeticError if the flow leaves the numbers."""
        h = self.lift(x)
        if self.tolerance is None:
            *_, h = self._states(h)
        else:
            h = adaptive_flow(self.field, h, self.horizon, self.tolerance)
        return self.readout(_finite(h))

    def states(self, x):
        """h(t) at the steps + 1 times of the grid: (steps + 1, ..., m)."""
        return torch.stack(list(self._states(self.lift(x))))

    @property
    def architecture(self):
        """'degenerate', 'augmented' or 'non-augmented', from the ranks of lift and readout.

        Non-augmented: m is not larger than d (for more than one output: nor than q).
        """
        d, m, q = self.lift.in_features, self.lift.out_features, self.readout.out_features
        for layer in (self.lift, self.readout):
            weight = layer.weight.detach()
            if int(torch.linalg.matrix_rank(weight)) < min(weight.shape):
                return "degenerate"
        return "augmented" if m > (d if q == 1 else max(d, q)) else "non-augmented"

    def _states(self, h):
        times = np.linspace(0, self.horizon, self.steps + 1)
        return integrate.trajectory(self.field, h, times, method=self.method)


def neural_ode(d, m, q, k, *, rng, scale=1.0, **options):
    """Random `NeuralODE` with a `TanhField` of k neurons, in double precision.

    Lift and readout have normal entries, of variance 1/d and 1/m, so they have full rank
    almost surely. The `options` are those of `NeuralODE`.
    """
    d, m, q = count("d", d), count("m", m), count("q", q)
    layers = []
    for n_in, n_out in ((d, m), (m, q)):
        layer = nn.Linear(n_in, n_out, dtype=torch.float64)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=rng) / n_in**0.5)
        layers.append(layer)
    return NeuralODE(layers[0], TanhField(m, k, rng=rng, scale=scale), layers[1], **options)


def adaptive_flow(field, h, horizon, tolerance):
    """The time-T map of h' = field(t, h) by torchdiffeq's dopri5, to a tolerance.

    Gradients are those of the solver's steps. Raises ArithmeticError if the solver gives up
    (a field that is not finite, or a solution that escapes to infinity).
    """
    from torchdiffeq import odeint

    times = torch.tensor([0.0, horizon], dtype=h.dtype, device=h.device)
    try:
        return odeint(field, h, times, rtol=tolerance, atol=tolerance)[-1]
    except AssertionError as error:
        raise ArithmeticError(f"the adaptive solver gave up: {error}") from None


def variation(field, h, *, horizon=1.0, steps=20, method=integrate.RK4):
    r"""The time-T map and its derivative, by the variational equation J' = Df(t, h) J, J(0) = I.

    Parameters
    ----------
    field : callable
        ``field(t, h)``, differentiable by torch.
    h : (..., m) tensor
        Initial states.
    horizon, steps, method
        As in `NeuralODE`; the error is that of the method.

    Returns
    -------
    (..., m) tensor, (..., m, m) tensor
        h(T) and Dh(T), the derivative with respect to h(0).

    Raises
    ------
    ValueError
        If h is not a tensor of floating-point numbers with at least one dimension.
    ArithmeticError
        If the flow or its derivative is not finite.
    """
    if not (isinstance(h, torch.Tensor) and h.is_floating_point() and h.ndim):
        raise ValueError(f"h is {shown(h)}; it must be a tensor of states (..., m)")
    horizon, steps = positive("horizon", horizon), count("steps", steps)

    def extended(t, state):  # columns: h, then those of J
        h, columns = state[..., 0], state[..., 1:].movedim(-1, 0)

        def push(v):
            return torch.func.jvp(lambda h: field(t, h), (h,), (v,))[1]

        return torch.cat(
            [field(t, h).unsqueeze(-1), torch.func.vmap(push, out_dims=-1)(columns)], -1
        )

    identity = torch.eye(h.shape[-1], dtype=h.dtype, device=h.device).expand(*h.shape, -1)
    start = torch.cat([h.unsqueeze(-1), identity], -1)
    *_, end = integrate.trajectory(
        extended, start, np.linspace(0, horizon, steps + 1), method=method
    )
    end = _finite(end)
    return end[..., 0], end[..., 1:]


def fit(model, x, y, *, loss, steps, eta, batch=None, rng=None, progress="training"):
    """Train a model by Adam, and return the loss of each step.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    x, y : (N, ...) tensors
        Inputs and targets.
    loss : callable
        ``loss(model(x), y)`` -> one number.
    steps : int
        How many.
    eta : float
        Learning rate; it falls to zero along a half cosine.
    batch : int, optional
        Samples a step, drawn with `rng`; by default all.
    rng : torch.Generator, optional
        Needed with `batch`.
    progress : str
        Name of the progress bar; "" for none.

    Raises
    ------
    ValueError
        If x and y differ in length, or batch comes without rng.
    ArithmeticError
        If the loss is not finite; the model keeps the weights of the step before.
    """
    steps, eta, n = count("steps", steps), positive("eta", eta), len(x)
    if len(y) != n:
        raise ValueError(f"y has {len(y)} samples; it must have as many as x, {n}")
    if batch is not None and not isinstance(rng, torch.Generator):
        raise ValueError("rng is missing; with batch it must be a torch.Generator")
    batch = None if batch is None else count("batch", batch)
    adam = torch.optim.Adam(model.parameters(), lr=eta)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    losses = []
    counter = tqdm(range(steps), desc=progress) if progress else range(steps)
    for step in counter:
        some = slice(None) if batch is None else torch.randint(n, (batch,), generator=rng)
        value = loss(model(x[some]), y[some])
        if not value.isfinite():
            raise ArithmeticError(f"the loss is {value.item()} at step {step}; try a smaller eta")
        adam.zero_grad()
        value.backward()
        adam.step()
        schedule.step()
        losses.append(value.item())
    return np.array(losses)


def _finite(h):
    if not h.isfinite().all():
        raise ArithmeticError(
            "field gave NaN or infinity, or the flow escaped; it must stay finite"
        )
    return h
