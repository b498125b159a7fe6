r"""Trainable scalar neural delay equations whose Lipschitz constant is bounded by construction.

.. math:: y'(t) = F(t, y(t), y(t-\tau)), \qquad y = Ax + a \ \text{on}\ [-\tau,0],
          \qquad \Phi(x) = \tilde A\,y(T) + \tilde a
"""

import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib._checks import array, count, positive
from dsnnlib.propagation.delay import solve


class NeuralDelays(nn.Module):
    r"""Independent scalar neural delay equations (m = d = q = 1), side by side.

    The field has k hidden neurons and is K-Lipschitz in the past, whatever the weights:

    .. math:: F(t,y,z) = \sigma\sum_j v_j\tanh(a_jy+b_jz+c_jt+d_j), \qquad
              \sigma = \min\Bigl(1, \frac K{\sum_j|v_j|(|a_j|+|b_j|)}\Bigr)

    Parameters
    ----------
    K : (n,) array
        Lipschitz constants > 0, one for each network.
    k : int
        Hidden neurons of each.
    tau, horizon : float
        Delay and T.
    steps : int
        Runge-Kutta steps per delay.
    rng : torch.Generator
        For the random weights.

    Raises
    ------
    ValueError
        If an argument makes no sense, or the step does not divide the horizon.

    References
    ----------
    Zhu, Guo and Lin, arXiv:2102.10801 (neural delay equations). Page: propagation/memory.
    """

    def __init__(self, K, k, *, tau, horizon, steps, rng, method=integrate.RK4):
        super().__init__()
        K, k = array("K", K, ndim=1), count("k", k)
        positive("K", K.min())
        self.register_buffer("K", torch.tensor(K))
        self.options = {"tau": tau, "horizon": horizon, "steps": steps, "method": method}

        def normal(*shape, sd=1.0):
            return nn.Parameter(sd * torch.randn(shape, generator=rng, dtype=torch.float64))

        n = len(K)
        self.a, self.b, self.c, self.d = (normal(n, k, 1) for _ in range(4))
        self.v = normal(n, 1, k, sd=1 / k)
        self.lift, self.readout = (
            nn.Parameter(torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(n, 1))
            for _ in range(2)
        )
        with torch.no_grad():  # refuses a bad grid at the door
            self.solution(self.K.new_zeros(1))

    def field(self, t, y, z):
        """F(t, y, z) for y and z of shape (n, samples)."""
        drive = self.a * y.unsqueeze(1) + self.b * z.unsqueeze(1) + (self.c * t + self.d)
        return (self._weights() @ torch.tanh(drive)).squeeze(1)

    def solution(self, x):
        """The `delay.Solution` y for inputs (samples,); its states are (times, n, samples)."""
        start = self.lift[:, :1] * x + self.lift[:, 1:]
        return solve(self.field, start, **self.options)

    def forward(self, x):
        """Phi(x): (samples,) -> (n, samples)."""
        return self.readout[:, :1] * self.solution(x).end + self.readout[:, 1:]

    def _weights(self):
        total = (self.v.abs() @ (self.a.abs() + self.b.abs())).squeeze()
        return self.v * (self.K / torch.maximum(self.K, total)).view(-1, 1, 1)
