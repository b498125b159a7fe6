"""Time and error of the delay solver on the Mackey-Glass equation, beside its peers.

    python tests/benchmarks/bench_delay.py [rounds]

y' = beta z / (1 + z^10) - y / 10 with z = y(t - 17), from the constant history 1.2 to t = 170;
beta = 0.2, and 1,000 systems with beta between 0.1 and 0.2. The reference is scipy's DOP853 at a
tolerance of 1e-13, delay interval after delay interval. Runs are interleaved, times are medians.
Peers that are not installed are left out: see requirements.txt in this folder.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import contextlib
import io
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from scipy.integrate import solve_ivp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from dsnnlib.propagation.delay import solve

TAU, HORIZON, START = 17.0, 170.0, 1.2
BETAS = np.linspace(0.1, 0.2, 1000)


def field_of(beta):
    return lambda t, y, z: beta * z / (1 + z**10) - 0.1 * y


def ours(beta, steps):
    """One system in plain floats, or a batch in numpy."""
    start = START if np.ndim(beta) == 0 else np.full(np.shape(beta), START)
    return solve(field_of(beta), start, TAU, horizon=HORIZON, steps=steps).end


def by_scipy(beta, tolerance):
    """Method of steps with an adaptive solver, its dense output as the history."""
    field, past = field_of(beta), lambda t: np.full(np.shape(beta) or 1, START)
    y = past(0)
    for n in range(round(HORIZON / TAU)):
        span = n * TAU, (n + 1) * TAU
        piece = solve_ivp(
            lambda t, y, past=past: field(t, y, past(t - TAU)),
            span,
            y,
            method="DOP853",
            rtol=tolerance,
            atol=tolerance,
            dense_output=True,
        )
        past, y = piece.sol, piece.y[:, -1]
    return y if np.ndim(beta) else y[0]


def by_ddeint(beta, points):
    from ddeint import ddeint

    field = field_of(beta)
    times = np.linspace(0, HORIZON, points)
    states = ddeint(lambda Y, t: field(t, Y(t), Y(t - TAU)), lambda t: START, times)
    return float(np.ravel(states[-1])[0])


def jitcdde():
    """A function of beta and a tolerance, compiled once; and the seconds that it took."""
    import symengine
    from jitcdde import jitcdde, t, y

    beta = symengine.Symbol("beta")
    z = y(0, t - TAU)
    right = [beta * z / (1 + z**10) - 0.1 * y(0)]
    begun = time.perf_counter()
    compiled = jitcdde(right, delays=[0, TAU], max_delay=TAU, control_pars=[beta], verbose=False)
    # setuptools would read the pyproject.toml of the working folder
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        compiled.compile_C(simplify=False)
    seconds = time.perf_counter() - begun

    def run(beta, tolerance):
        compiled.purge_past()
        compiled.constant_past([START])
        compiled.set_integration_parameters(rtol=tolerance, atol=tolerance)
        compiled.set_parameters(beta)
        compiled.step_on_discontinuities()
        return compiled.integrate(HORIZON)[0]

    return run, seconds


def compare(title, runs, reference, rounds):
    """Print median seconds and the largest error of each run; the runs are interleaved."""
    seconds, errors = {name: [] for name in runs}, {}
    for _ in range(rounds):
        for name, (run, repetitions) in runs.items():
            begun = time.perf_counter()
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                result = run()
            seconds[name].append((time.perf_counter() - begun) * repetitions)
            expected = reference[: np.size(result)] if np.ndim(reference) else reference
            errors[name] = np.max(np.abs(result - expected))
    print(f"\n{title}\n{'':34}{'ms':>10}{'error':>10}")
    for name in runs:
        print(f"{name:34}{1e3 * median(seconds[name]):10.2f}{errors[name]:10.1e}")


def main(rounds=5):
    """Both comparisons."""
    one = by_scipy(0.2, 1e-13)
    print(f"y(170) = {one:.12f}")
    runs = {
        **{f"ours, {n} steps a delay": (lambda n=n: ours(0.2, n), 1) for n in (17, 85, 340)},
        **{
            f"scipy DOP853, {tol:g}": (lambda tol=tol: by_scipy(0.2, tol), 1)
            for tol in (1e-6, 1e-10)
        },
    }
    many = {
        **{
            f"ours, one batch, {n} steps a delay": (lambda n=n: ours(BETAS, n), 1) for n in (17, 85)
        },
        "scipy DOP853, one batch, 1e-8": (lambda: by_scipy(BETAS, 1e-8), 1),
    }
    if find_spec("ddeint"):
        runs["ddeint, 1701 points"] = lambda: by_ddeint(0.2, 1701), 1
        many["ddeint, 1701 points (2 x 500)"] = (
            lambda: np.array([by_ddeint(beta, 1701) for beta in BETAS[:2]]),
            500,
        )
    if find_spec("jitcdde"):
        run, seconds = jitcdde()
        print(f"JiTCDDE compiled in {seconds:.1f} s")
        for tol in (1e-5, 1e-9):
            runs[f"JiTCDDE, {tol:g}"] = lambda tol=tol: run(0.2, tol), 1
        many["JiTCDDE, one by one, 1e-5 (100 x 10)"] = (
            lambda: np.array([run(beta, 1e-5) for beta in BETAS[:100]]),
            10,
        )
    compare("Mackey-Glass, one system", runs, one, rounds)
    compare("Mackey-Glass, 1,000 systems", many, by_scipy(BETAS, 1e-13), max(1, rounds // 2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
