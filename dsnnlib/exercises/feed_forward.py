"""Checks for the exercises of the page propagation/feed-forward architectures."""

import math
from itertools import pairwise

import numpy as np
import torch

from dsnnlib.exercises import demand, right
from dsnnlib.propagation.networks import DenseResNet, Increment, ResNet


def check_profile(profile):
    """Check `profile(widths)` -> "non-augmented", "augmented" or "bottleneck"."""
    rng = np.random.default_rng()
    cases = [
        (3, 2, 2, 1),
        (2, 2, 2),
        (2, 3, 1),
        (1, 2, 2),
        (3, 4, 3),
        (2, 1, 2),
        (4, 3, 4),
        (2, 4, 3, 4),
    ]
    cases += [tuple(map(int, rng.integers(1, 5, size=n))) for n in rng.integers(1, 8, size=300)]
    for widths in cases:
        answer = profile(widths)
        demand(
            answer in list(_PROPERTIES),
            f"{widths}: return one of {', '.join(_PROPERTIES)}, not {answer!r}",
        )
        demand(_PROPERTIES[answer](widths), f"{widths} does not fit the definition of {answer}")
    right("each of 300 random width sequences has the property that you say")


def check_possible_ranks(possible_ranks):
    """Check `possible_ranks(r, s, n)` for a product through R^n of matrices of ranks r and s."""
    for n in range(1, 7):
        for r in range(1, n + 1):
            for s in range(1, n + 1):
                left, identity = np.eye(n)[:r], np.eye(n)
                found = [
                    np.linalg.matrix_rank(left @ identity[:, c])
                    for c in (slice(n - s, n), slice(s))
                ]
                answer = np.atleast_1d(possible_ranks(r, s, n))
                demand(answer.shape == (2,), "return two numbers, the least and the largest rank")
                place = f"r = {r}, s = {s}, n = {n}"
                demand(answer[0] <= found[0], f"{place}: a product of smaller rank exists")
                demand(answer[0] >= found[0], f"{place}: your least rank cannot be that small")
                demand(answer[1] >= found[1], f"{place}: a product of larger rank exists")
                demand(answer[1] <= found[1], f"{place}: your largest rank cannot be that large")
    right("pairs of projections attain both for all n up to 6")


def check_smaller(smaller):
    """Check `smaller(W, b, Wt, bt)` -> (V, U, c): x -> U V x + c is x -> W (Wt x + bt) + b."""
    rng = np.random.default_rng()
    for p, n, m, r in ((4, 5, 3, 2), (3, 6, 4, 3), (5, 2, 4, 2), (4, 4, 4, 1), (2, 7, 2, 2)):
        W = rng.normal(size=(p, r)) @ rng.normal(size=(r, n))
        Wt, b, bt = rng.normal(size=(n, m)), rng.normal(size=p), rng.normal(size=n)
        answer = smaller(W, b, Wt, bt)
        demand(
            isinstance(answer, tuple | list) and len(answer) == 3, "return three arrays, V, U, c"
        )
        V, U, c = (np.asarray(part, dtype=float) for part in answer)
        fits = (
            V.ndim == U.ndim == 2 and V.shape[1] == m and U.shape == (p, len(V)) and c.shape == (p,)
        )
        demand(fits, f"shapes {V.shape}, {U.shape}, {c.shape} of V, U, c do not fit R^{m} -> R^{p}")
        demand(np.allclose(U @ V, W @ Wt), "U V is not the product W Wt")
        demand(np.allclose(c, W @ bt + b), "the constant part differs: what does W do to bt?")
        demand(len(V) <= min(p, m), f"the inner width {len(V)} exceeds that of an outer one")
        demand(np.linalg.matrix_rank(V) == len(V), "V lacks full rank: the inner width can shrink")
        demand(np.linalg.matrix_rank(U) == len(V), "U lacks full rank: the inner width can shrink")
    right("the same affine map, through as few numbers as possible")


def check_constant(W, b, Wt):
    """Check that x -> Wt tanh(W x + b) is constant on R although W and Wt have full rank."""
    W, b, Wt = (np.asarray(part, dtype=float) for part in (W, b, Wt))
    shapes = W.shape, b.shape, Wt.shape
    demand(
        shapes == ((2, 1), (2,), (1, 2)),
        f"W, b, Wt have shapes {shapes}; need (2, 1), (2,), (1, 2)",
    )
    demand(abs(W).max() > 0.1, "W lacks full rank: it must not vanish (nor be tiny)")
    demand(abs(Wt).max() > 0.1, "Wt lacks full rank: it must not vanish (nor be tiny)")
    live = W[:, 0] != 0
    received = np.random.default_rng().uniform(-3, 3, size=(200, 1))  # where tanh is not flat
    x = ((received - b[live]) / W[live, 0]).ravel()
    output = Wt @ np.tanh(W * x + b[:, None])
    spread = np.ptp(output) / abs(Wt).max()
    demand(spread < 1e-9, f"the output still varies, by {spread:.1e} of the largest entry of Wt")
    right("full rank, and the output does not depend on x")


def check_invert(invert):
    """Check `invert(net, y)`, for a ResNet whose increments are contractions: net(x) must be y."""
    for depth, step in ((1, 1.0), (1, 0.5), (5, 1.0), (8, 1.5)):
        rng = torch.Generator().manual_seed(int(np.random.default_rng().integers(2**31)))
        increments = [Increment(3, 6, 3, rng=rng) for _ in range(depth)]
        with torch.no_grad():
            for f in increments:
                norms = torch.linalg.matrix_norm(f.W, 2) * torch.linalg.matrix_norm(f.Wt, 2)
                f.Wt *= 0.6 / (step * norms)
            net = ResNet(increments, step)
            y = torch.randn(20, 3, generator=rng, dtype=torch.float64)
            x = invert(net, y)
            same = isinstance(x, torch.Tensor) and x.shape == y.shape
            demand(same, "return a tensor of the shape of y")
            error = (net(x) - y).abs().max().item()
        where = f"{depth} layer{'s' * (depth > 1)} and step {step}"
        demand(error < 1e-9, f"with {where} net(x) misses y by {error:.1e}")
    right("the network maps your answer to y")


def check_cosine(increment, phi=math.pi / 16, layers=16):
    """Check `increment(states, phi)`: the same rule in each layer, the orbit cos(l phi) h_0."""
    x = torch.tensor([[1.0], [-0.7]], dtype=torch.float64)
    net = DenseResNet([lambda states: increment(states, phi)] * layers)
    for layer, h in enumerate(net.states(x)):
        error = (h - math.cos(layer * phi) * x).abs().max().item()
        demand(error < 1e-9, f"h_{layer} is not cos({layer} phi) h_0, it is off by {error:.1e}")
    weights = []
    for seen in range(1, layers + 1):
        units = torch.eye(seen, dtype=torch.float64)  # one earlier state is 1, the others are 0
        w = increment(list(units[:, :, None]), phi).flatten()
        size = w.abs().sum().item()
        demand(
            size < 1,
            f"the orbit is right, but f_{seen} has the Lipschitz constant {size:.2f}, not below 1",
        )
        weights.append(w)
    a, b = weights[0][-1], weights[1][0]
    for layer, w in enumerate(weights, 1):
        same = abs(w[-1] - a) < 1e-9 and bool((abs(w[:-1] - b) < 1e-9).all())
        demand(
            same,
            f"the orbit is right, but in f_{layer} the weights are not a for h_0 and b for the "
            "others, with the a and b of the first two layers",
        )
    right("one rule with small increments, and the orbit turns to -h_0")


_PROPERTIES = {
    "non-augmented": lambda widths: all(a >= b for a, b in pairwise(widths)),
    "augmented": lambda widths: any(
        widths[top] > widths[0]
        and list(widths[: top + 1]) == sorted(widths[: top + 1])
        and list(widths[top:]) == sorted(widths[top:], reverse=True)
        for top in range(len(widths))
    ),
    "bottleneck": lambda widths: any(
        max(widths[:j]) > widths[j] < max(widths[j + 1 :]) for j in range(1, len(widths) - 1)
    ),
}
