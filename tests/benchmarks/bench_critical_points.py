"""Time the search for critical points beside a plain peer: scipy's root from a grid of starts.

Run by hand: python tests/benchmarks/bench_critical_points.py. Not collected by pytest.
"""

import time

import numpy as np
import torch
from scipy.optimize import root
from torch import nn

from dsnnlib.propagation.critical_points import find
from dsnnlib.propagation.neural_ode import neural_ode
from dsnnlib.propagation.winding import derivatives, grid

BOX = [[-3, 3], [-3, 3]]


def perceptron(k, seed):
    network = nn.Sequential(nn.Linear(2, k), nn.Tanh(), nn.Linear(k, 1)).double()
    rng = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter, generator=rng)
    return network


def peer(phi, starts):
    """The different zeros of grad phi in the box that Powell's method finds, with its Hessian."""

    def slope(x):
        _, g, hessian = derivatives(phi, x[None])
        return g[0], hessian[0]

    ends = [root(slope, x, jac=True, tol=1e-12) for x in starts]
    zeros = [e.x for e in ends if e.success and abs(e.x).max() < 3 and abs(e.fun).max() < 1e-9]
    return np.unique(np.round(np.reshape(zeros, (-1, 2)), 5), axis=0)


def main(rounds=3, side=12):
    """Print medians of interleaved runs, and how many points each finds."""
    starts = grid(BOX, side - 1).reshape(-1, 2)
    cases = {
        "perceptron 2-8-1": perceptron(8, 0),
        "perceptron 2-32-1": perceptron(32, 0),
        "neural ODE m=3": neural_ode(
            2, 3, 1, 8, rng=torch.Generator().manual_seed(6), scale=2, steps=8
        ),
    }
    print(f"find: 120^2 cells; scipy: root from {side}^2 starts; medians of {rounds} runs\n")
    print(f"{'map':20} {'find':>9} {'points':>7} {'scipy':>10} {'points':>7} {'ratio':>7}")
    for name, phi in cases.items():
        searches = {
            "find": lambda phi=phi: find(phi, BOX),
            "scipy": lambda phi=phi: peer(phi, starts),
        }
        seconds, found = {key: [] for key in searches}, {}
        for _ in range(rounds):
            for key, search in searches.items():
                start = time.perf_counter()
                found[key] = len(search())
                seconds[key].append(time.perf_counter() - start)
        ours, theirs = (np.median(seconds[key]) for key in ("find", "scipy"))
        print(
            f"{name:20} {ours:8.3f}s {found['find']:7} {theirs:9.3f}s {found['scipy']:7} "
            f"{theirs / ours:6.1f}x"
        )


if __name__ == "__main__":
    main()
