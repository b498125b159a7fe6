r"""Feed-forward architectures: multilayer perceptrons, ResNets, DenseResNets.

.. math:: h_l = \tilde W_l\,\sigma(W_l h_{l-1}+b_l)+\tilde b_l, \qquad
          h_l = h_{l-1}+f_l(h_{l-1}), \qquad h_l = h_{l-1}+f_l(h_{l-1},\dots,h_0)
"""

import torch
from torch import nn

from dsnnlib._checks import count, finite, positive, shown
from dsnnlib.propagation.widths import whole_numbers, width_profile


class Increment(nn.Module):
    r"""The map h -> Wt sigma(W h + b) + bt: a layer of an `MLP`, an increment of a `ResNet`.

    Parameters
    ----------
    n, m, q : int
        Numbers that come in, neurons, numbers that go out.
    rng : torch.Generator, optional
        For random weights: normal, of variance scale^2/n in W and b and scale^2/m in Wt and bt.
        Without it all weights are zero.
    scale : float
        1/sqrt(3) gives the variance of torch's own initialisation.
    sigma : callable
        Applied to each neuron; tanh by default.

    References
    ----------
    arXiv:2405.09351. Page: propagation/feed-forward architectures.
    """

    def __init__(self, n, m, q, *, rng=None, scale=1.0, sigma=torch.tanh):
        super().__init__()
        n, m, q = count("n", n), count("m", m), count("q", q)
        scale = positive("scale", scale)
        if not callable(sigma):
            raise ValueError(f"sigma is {shown(sigma)}; it must be a function of a tensor")
        self.sigma = sigma
        self.W, self.b = _weights((m, n), (m,), rng, scale / n**0.5)
        self.Wt, self.bt = _weights((q, m), (q,), rng, scale / m**0.5)

    def forward(self, h):
        """The map for h of shape (..., n), or for a list of states, joined in its order."""
        if isinstance(h, list | tuple):
            h = torch.cat(tuple(h), -1)
        _refuse_other_width("h", h, self.W.shape[1])
        return self.sigma(h @ self.W.T + self.b) @ self.Wt.T + self.bt


class MLP(nn.Module):
    r"""A multilayer perceptron, layers h_l = Wt_l sigma(W_l h_{l-1} + b_l) + bt_l.

    Parameters
    ----------
    widths : sequence of int
        (n_0, m_1, n_1, m_2, n_2, ..., m_L, n_L): the input, then for each layer its neurons m_l
        and the width n_l of the affine stage after them. L >= 1.
    rng, scale, sigma
        As in `Increment`; without `rng` the weights are zero.
    lift, readout : torch.nn.Linear, optional
        Affine maps before the first and after the last layer, see `affine`.

    Attributes
    ----------
    layers : torch.nn.ModuleList of Increment

    Raises
    ------
    ValueError
        If the widths are not whole numbers, of which there must be 3, 5, 7, ..., or do not fit
        the lift or the readout.

    References
    ----------
    arXiv:2405.09351. Page: propagation/feed-forward architectures.
    """

    def __init__(self, widths, *, rng=None, scale=1.0, sigma=torch.tanh, lift=None, readout=None):
        super().__init__()
        widths = whole_numbers(widths)
        if len(widths) < 3 or len(widths) % 2 == 0:
            raise ValueError(
                f"widths has {len(widths)} entries; it must have 3, 5, 7, ...: n_0, m_1, n_1, ..."
            )
        for name, stage in (("lift", lift), ("readout", readout)):
            if not (stage is None or isinstance(stage, nn.Linear)):
                raise ValueError(f"{name} is {shown(stage)}; it must be a torch.nn.Linear or None")
        if lift is not None and lift.out_features != widths[0]:
            raise ValueError(f"lift gives {lift.out_features} numbers; it must give {widths[0]}")
        if readout is not None and readout.in_features != widths[-1]:
            raise ValueError(
                f"readout takes {readout.in_features} numbers; it must take {widths[-1]}"
            )
        self.layers = nn.ModuleList(
            Increment(n, m, q, rng=rng, scale=scale, sigma=sigma)
            for n, m, q in zip(widths[:-2:2], widths[1::2], widths[2::2], strict=True)
        )
        self.lift, self.readout = lift, readout

    def forward(self, x):
        """The output, (..., last width), for x of shape (..., first width)."""
        last = self.states(x)[-1]
        return last if self.readout is None else self.readout(last)

    def states(self, x):
        """The list h_0, ..., h_L of the states between lift and readout, each (..., n_l)."""
        _refuse_other_width("x", x, self.widths[0])
        states = [x if self.lift is None else self.lift(x)]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states

    @property
    def widths(self):
        """All widths, a tuple of int, those of lift and readout included."""
        inner = [width for layer in self.layers for width in (len(layer.b), len(layer.bt))]
        outer = [] if self.lift is None else [self.lift.in_features]
        last = [] if self.readout is None else [self.readout.out_features]
        return (*outer, self.layers[0].W.shape[1], *inner, *last)

    @property
    def architecture(self):
        """The `width_profile` of `widths`."""
        return width_profile(self.widths)


class ResNet(nn.Module):
    r"""The recursion h_l = h_{l-1} + step f_l(h_{l-1}), l = 1, ..., L.

    Parameters
    ----------
    increments : sequence of callables
        f_1, ..., f_L, each from (..., n) to (..., n). Modules among them are trained with it.
    step : float
        1 for a ResNet; T/L makes it Euler's method for the field f_l at the time (l - 1) T/L.

    Raises
    ------
    ValueError
        If there is no increment, one is not callable, step is not finite, or, in a pass, an
        increment does not keep the shape of the state.

    References
    ----------
    Kuehn and Kuntz (arXiv:2505.07244). Page: propagation/feed-forward architectures.

    Examples
    --------
    >>> net = ResNet([lambda h: h] * 10, step=0.1)
    >>> print(f"{net(torch.ones(1)).item():.4f}")
    2.5937
    """

    def __init__(self, increments, step=1.0):
        super().__init__()
        try:
            increments = list(increments)
        except TypeError:
            raise ValueError(
                f"increments is {shown(increments)}; it must be a list of functions"
            ) from None
        if not increments:
            raise ValueError("increments is empty; it must hold at least one function")
        for f in increments:
            if not callable(f):
                raise ValueError(f"increments holds {shown(f)}; it must hold functions")
        self.increments = nn.ModuleList(
            f if isinstance(f, nn.Module) else _Function(f) for f in increments
        )
        self.step = finite("step", step)

    def forward(self, x):
        """h_L, of the shape (..., n) of x = h_0."""
        return self._run(x)[-1]

    def states(self, x):
        """h_0, ..., h_L as one tensor: (L + 1, ..., n)."""
        return torch.stack(self._run(x))

    def _run(self, x):
        if not (isinstance(x, torch.Tensor) and x.ndim):
            raise ValueError(f"x is {shown(x)}; it must be a tensor of states (..., n)")
        states = [x]
        for layer, f in enumerate(self.increments, 1):
            change = f(self._seen(states))
            if getattr(change, "shape", None) != x.shape:
                raise ValueError(
                    f"increments: number {layer} gives {_shape(change)}; it must keep the "
                    f"state's shape {tuple(x.shape)}"
                )
            states.append(states[-1] + self.step * change)
        return states

    def _seen(self, states):
        return states[-1]


class DenseResNet(ResNet):
    r"""The recursion h_l = h_{l-1} + step f_l(h_{l-1}, ..., h_0): shortcuts across all layers.

    As `ResNet`, but an increment gets the list of all earlier states, the newest first.

    Examples
    --------
    >>> net = DenseResNet([lambda states: states[-1]] * 10, step=0.1)  # remembers the input
    >>> print(f"{net(torch.ones(1)).item():.4f}")
    2.0000
    """

    def _seen(self, states):
        return states[::-1]


class _Function(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, h):
        return self.f(h)


def affine(n, q, *, rng=None, scale=1.0):
    """A lift or readout R^n -> R^q: torch's Linear in double precision.

    Normal entries of variance scale^2/n, zero without `rng`.
    """
    n, q, scale = count("n", n), count("q", q), positive("scale", scale)
    stage = nn.Linear(n, q, dtype=torch.float64, device="meta")
    stage.weight, stage.bias = _weights((q, n), (q,), rng, scale / n**0.5)
    return stage


def _weights(shape, bias, rng, sd):
    if not (rng is None or isinstance(rng, torch.Generator)):
        raise ValueError(f"rng is {shown(rng)}; it must be a torch.Generator or None")
    draw = torch.zeros if rng is None else torch.randn
    options = {} if rng is None else {"generator": rng}
    return [nn.Parameter(sd * draw(s, dtype=torch.float64, **options)) for s in (shape, bias)]


def _refuse_other_width(name, h, n):
    if not isinstance(h, torch.Tensor) or h.ndim == 0 or h.shape[-1] != n:
        raise ValueError(f"{name} is {_shape(h)}; it must be a tensor of shape (..., {n})")


def _shape(h):
    return f"of shape {tuple(h.shape)}" if isinstance(h, torch.Tensor) else shown(h)
