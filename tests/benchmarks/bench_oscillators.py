"""Time, accuracy and memory of many oscillators and of transport on the circle, beside peers.

    python tests/benchmarks/bench_oscillators.py [rounds]

All to all: 100 RK4 steps of Kuramoto's model with N = 1,000,000. Ours: `advance`. numpy and torch:
the order parameter, then the velocities, with their own cosine and sine. Graph: 100 RK4 steps with
N = 100,000 and mean degree 20. Ours: `Oscillators(Graph(A))`. scipy: two products A @ cos, A @ sin.
torch: one product with an (N, 2) array. Transport: W1 of two measures of a million equal atoms in
a tenth of the circle, one of which is turned by 0.1, so that the distance is 0.1. Ours:
`wasserstein_circle`. POT: the function of that name.

All in double precision on one thread; runs are interleaved, the first (of few steps) warms up,
times are medians. Error, for oscillators: the largest difference of a phase from numpy's run at
half the step, from a start of the same law but fewer oscillators; beside it that from numpy's run
at the same step, which is rounding. Memory: what a run of two steps adds to the peak of the
process, in a process of its own. torch is left out if it is not installed.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import ctypes
import multiprocessing
import resource
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import ot

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.all_to_all import advance
from dsnnlib.mean_field.distances import wasserstein_circle
from dsnnlib.mean_field.graph_limits import w_random
from dsnnlib.mean_field.oscillators import Graph, Oscillators

K, DT, STEPS = 3.0, 0.02, 100
DEGREE = 20


def run(field, phi, dt, steps):
    """The last state of RK4."""
    for state in trajectory(field, phi, np.arange(steps + 1) * dt):  # noqa: B007
        pass
    return state


# ---- all to all ----


def everyone_ours(phi, omega, dt, steps):
    """One pass over memory a stage."""
    return advance(phi, omega, K, dt, steps)[0]


def everyone_numpy(phi, omega, dt, steps):
    """Whole arrays, function by function."""

    def field(t, phi):
        cosine, sine = np.cos(phi), np.sin(phi)
        return omega + K * (sine.mean() * cosine - cosine.mean() * sine)

    return run(field, phi, dt, steps)


def everyone_torch(phi, omega, dt, steps):
    """Whole tensors, function by function."""
    import torch

    torch.set_num_threads(1)
    omega = torch.from_numpy(omega)

    def field(t, phi):
        cosine, sine = torch.cos(phi), torch.sin(phi)
        return omega + K * (sine.mean() * cosine - cosine.mean() * sine)

    with torch.no_grad():
        return run(field, torch.from_numpy(phi), dt, steps).numpy()


def everyone(N):
    """Phases and frequencies."""
    rng = np.random.default_rng(0)
    return rng.uniform(0, 2 * np.pi, N), rng.normal(size=N)


# ---- a sparse graph ----


def graph_ours(phi, omega, graph, dt, steps):
    """The library's field."""
    operator = Graph(graph)
    return run(Oscillators(omega, operator, (K * phi.size / DEGREE,)), phi, dt, steps)


def graph_scipy(phi, omega, graph, dt, steps):
    """Two products of a matrix with a vector."""

    def field(t, phi):
        cosine, sine = np.cos(phi), np.sin(phi)
        return omega + K / DEGREE * ((graph @ sine) * cosine - (graph @ cosine) * sine)

    return run(field, phi, dt, steps)


def graph_torch(phi, omega, graph, dt, steps):
    """One product of a matrix with two vectors."""
    import torch

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sparse CSR tensors are in beta
        parts = (torch.from_numpy(a) for a in (graph.indptr, graph.indices, graph.data))
        matrix = torch.sparse_csr_tensor(*parts, size=graph.shape)
    omega = torch.from_numpy(omega)

    def field(t, phi):
        point = torch.stack([torch.cos(phi), torch.sin(phi)], 1)
        felt = matrix @ point
        return omega + K / DEGREE * (felt[:, 1] * point[:, 0] - felt[:, 0] * point[:, 1])

    with torch.no_grad():
        return run(field, torch.from_numpy(phi), dt, steps).numpy()


def random_graph(N):
    """Phases, frequencies, and a random graph."""
    rng = np.random.default_rng(0)
    graph = w_random(lambda x, y: 1.0, N, rng, density=DEGREE / (N - 1))
    return rng.uniform(0, 2 * np.pi, N), rng.normal(size=N), graph


# ---- measuring ----


def peak(method, *arguments):
    """Megabytes that a call adds to the peak of a process of its own (with glibc)."""
    ctypes.CDLL(None).malloc_trim(0)  # or the child finds our freed memory and needs no more
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        method(*arguments)
        theirs.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

    process = context.Process(target=child)
    process.start()
    kilobytes = ours.recv()
    process.join()
    return kilobytes / 1024


def timed(method, *arguments):
    """Seconds, and the answer."""
    start = time.perf_counter()
    answer = method(*arguments)
    return time.perf_counter() - start, answer


def oscillators(title, methods, start, N, small, rounds):
    """Print a table of times, errors and memory of the methods."""
    data, few = start(N), start(small)
    plain = next(m for name, m in methods.items() if name in ("numpy", "scipy"))
    half, same = plain(*few, DT / 2, 2 * STEPS), plain(*few, DT, STEPS)
    for method in methods.values():
        method(*data, DT, 2)
    seconds = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            seconds[name].append(timed(method, *data, DT, STEPS)[0])
    print(f"{title}, N = {N}; errors with N = {small}")
    print("  method    median   ratio  of the step  of rounding   memory")
    base = median(seconds["ours"])
    for name, method in methods.items():
        found, typical = method(*few, DT, STEPS), median(seconds[name])
        print(
            f"  {name:6} {typical:8.3f}s {typical / base:7.2f} {abs(found - half).max():12.1e}"
            f" {abs(found - same).max():12.1e} {peak(method, *data, DT, 2):6.0f} MB"
        )


def transport(n, rounds):
    """Print a table of times and errors of W1 on the circle."""
    x = 0.2 + 0.1 * np.random.default_rng(0).random(n)
    y = np.random.default_rng(1).permutation(x) + 0.1
    methods = {
        "ours": lambda: float(wasserstein_circle(x, y, period=1)),
        "POT": lambda: float(np.squeeze(ot.wasserstein_circle(x, y, p=1))),
    }
    seconds, found = {name: [] for name in methods}, {}
    for _ in range(rounds + 1):
        for name, method in methods.items():
            spent, found[name] = timed(method)
            seconds[name].append(spent)
    print(f"W1 on the circle, {n} atoms each")
    print("  method    median   ratio        error   memory")
    base = median(seconds["ours"][1:])
    for name, method in methods.items():
        typical = median(seconds[name][1:])
        print(
            f"  {name:6} {typical:8.3f}s {typical / base:7.2f} {abs(found[name] - 0.1):12.1e}"
            f" {peak(method):6.0f} MB"
        )


def main(rounds=3):
    """Print the three tables."""
    everyone_by = {"ours": everyone_ours, "numpy": everyone_numpy}
    graph_by = {"ours": graph_ours, "scipy": graph_scipy}
    if find_spec("torch"):
        everyone_by["torch"], graph_by["torch"] = everyone_torch, graph_torch
    else:
        print("torch is not installed: left out")
    oscillators("all to all", everyone_by, everyone, 10**6, 10**4, rounds)
    oscillators("graph of mean degree 20", graph_by, random_graph, 10**5, 10**4, rounds)
    transport(10**6, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
