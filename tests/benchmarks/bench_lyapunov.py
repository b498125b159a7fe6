"""Time of a million steps of linearised SGD, beside its peers, and what each finds.

    python tests/benchmarks/bench_lyapunov.py [rounds]

N = 10 random sample gradients in D dimensions, batches of one: the top Lyapunov exponent from
1,000,000 steps in all. Ours: 1,000 runs of 1,000 steps after 100 that do not count, with the
singular value decomposition. numpy: one run in D coordinates, renormalised in each step. lyapax:
one run, the batches drawn in advance; its first run compiles. Standard errors: ours over runs, the
peers' over a hundred pieces of their run. At the smaller rate the exponent is negative, and what
works in all D coordinates reads zero: rounding leaks into the neutral directions. Runs are
interleaved, times are medians. lyapax is left out if it is not installed: see requirements.txt in
this folder.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from dsnnlib import estimate
from dsnnlib.training.lyapunov import LinearisedSGD

STEPS = 10**6


def ours(gradients, eta, draws):
    """The exponent and its standard error; draws batches of its own."""
    found = LinearisedSGD(gradients).exponent(
        eta, rng=np.random.default_rng(1), steps=STEPS // 1000, replicas=1000, burn_in=100
    )
    return float(found.value), float(found.standard_error)


def by_numpy(gradients, eta, draws):
    """One vector in the coordinates of the weights, batch after batch."""
    x, logarithms = gradients.sum(axis=0), np.empty(STEPS)
    for n, i in enumerate(draws):
        a = gradients[i]
        x = x - eta * (a @ x) * a
        size = np.sqrt(x @ x)
        logarithms[n], x = np.log(size), x / size
    return _mean_and_error(logarithms)


def by_lyapax(gradients, eta, draws):
    """Benettin's method along the fixed point; the last coordinate counts the steps."""
    import jax
    import jax.numpy as jnp
    from lyapax import lyapunov_spectrum

    jax.config.update("jax_enable_x64", True)
    a, index = jnp.array(gradients), jnp.array(draws)

    def step(state):
        x, n = state[:-1], jax.lax.stop_gradient(state[-1])
        c = a[index[n.astype(int)]]
        return jnp.append(x - eta * (c @ x) * c, n + 1)

    start = jnp.zeros(gradients.shape[1] + 1)
    result = lyapunov_spectrum(step, start, 1.0, STEPS, 1)
    running = np.asarray(result.history)[:, 0]  # means up to each step
    total = running * np.arange(1, len(running) + 1)
    return _mean_and_error(np.diff(total, prepend=0))


def _mean_and_error(logarithms):
    pieces = estimate.mean(logarithms[len(logarithms) % 100 :].reshape(100, -1).mean(axis=1))
    return float(pieces.value), float(pieces.standard_error)


def main(rounds=3):
    """Print medians of interleaved runs, ratios to ours, and the exponents."""
    methods = {"ours": ours, "numpy": by_numpy}
    if find_spec("lyapax"):
        methods["lyapax"] = by_lyapax
    else:
        print("lyapax is not installed: left out")
    print("      D  eta method      first   median   ratio   exponent    error")
    for size, eta in ((50, 1.2), (50, 2.5), (1000, 2.5), (100_000, 2.5)):
        rng = np.random.default_rng(0)
        gradients = rng.normal(size=(10, size)) / size**0.5
        draws = rng.integers(10, size=STEPS)
        here = methods if size <= 1000 else {"ours": ours}
        seconds, found = {name: [] for name in here}, {}
        for _ in range(rounds + 1):  # the first warms up and compiles
            for name, method in here.items():
                start = time.perf_counter()
                found[name] = method(gradients, eta, draws)
                seconds[name].append(time.perf_counter() - start)
        base = median(seconds["ours"][1:])
        for name in here:
            first, typical = seconds[name][0], median(seconds[name][1:])
            print(
                f"{size:7} {eta:4} {name:8} {first:7.3f}s {typical:7.3f}s {typical / base:7.1f} "
                f"{found[name][0]:10.5f} {found[name][1]:8.5f}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
