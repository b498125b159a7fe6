"""Checks for the exercises of the page propagation/memory."""

import numpy as np

from dsnnlib.exercises import demand, right
from dsnnlib.propagation.delay import solve
from dsnnlib.propagation.delayed_exponential import delayed_exponential


def check_exponential(p):
    """Check `p(t, k)`, the delayed exponential with tau = 1 on [-1, 2]."""
    rng = np.random.default_rng()
    for k in (*rng.uniform(0.1, 1, size=2), 2.5):
        for t in (-1.0, -0.3, 0.0):
            demand(abs(_number(p(t, k)) - 1) < 1e-12, f"the history is 1, but p({t}, k) is not")
        for t in (*rng.uniform(0.01, 0.99, size=3), *rng.uniform(1.01, 1.99, size=3)):
            slope = (_number(p(t + 1e-4, k)) - _number(p(t - 1e-4, k))) / 2e-4
            demand(
                abs(slope + k * _number(p(t - 1, k))) < 1e-6,
                f"at t = {t:.2f}, k = {k:.2f} the slope {slope:.4g} is not -k p(t - 1)",
            )
        for t in (0, 1):
            jump = abs(_number(p(t + 1e-9, k)) - _number(p(t - 1e-9, k)))
            demand(jump < 1e-6, f"p jumps at t = {t}; the solution is continuous")
        _number(p(2, k))
    right("p is 1 in the past, continuous, and has the slope -k p(t - 1)")


def check_threshold(threshold):
    """Check `threshold(T)`: the rate K at which wiping first succeeds at T, for tau = 1."""
    rng = np.random.default_rng()
    for T in (0.5, 1.0, 2.0, *rng.uniform(1, 6, size=3)):
        K = _number(threshold(T))
        demand(K > 0, f"a rate must be positive, not {K}")
        times = np.linspace(0, T, 400)
        below, above = (delayed_exponential(times, f * K, 1.0) for f in (1 - 1e-4, 1 + 1e-4))
        demand(
            (below > 0).all(),
            f"T = {T:.3g}: just below your rate the input is wiped before T: too large",
        )
        demand((above <= 0).any(), f"T = {T:.3g}: just above it the input is not wiped: too small")
    right("the delayed exponential is positive just below it and has a zero just above")


def check_waves(field, readout):
    """Check a scalar equation with tau = 1, T = 2 and K <= 0.65 that represents sin(3 pi x)."""
    readout, h = _number(readout), 1e-6
    y, z = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 601))
    for t in np.linspace(0, 2, 41):
        middle = field(t, y, z)
        demand(np.shape(middle) == y.shape, "field must give an array of the shape of y and z")
        slopes = abs(field(t, y + h, z) - middle) + abs(field(t, y, z + h) - middle)
        K = np.max(slopes) / h
        demand(K < 0.65 + 1e-4, f"at t = {t:.2f} the Lipschitz constant is at least {K:.4f}")
    x = np.linspace(-1, 1, 201)
    miss = abs(readout * solve(field, x, 1.0, horizon=2.0, steps=60).end - np.sin(3 * np.pi * x))
    demand(miss.max() < 1e-3, f"the output misses sin(3 pi x) by {miss.max():.2g}")
    right(f"the capacity is kept, and the largest error is {miss.max():.0e}")


def check_history(threshold):
    """Check `threshold(a)`: the capacity that wipes the history x (1 - a s / tau) at T = tau."""
    rng = np.random.default_rng()
    for a in (0.0, -0.5, *rng.uniform(0.5, 8, size=3)):
        k, tau = _number(threshold(a)), rng.uniform(0.5, 2)
        demand(k > 0, f"a capacity must be positive, not {k}")

        def left(k, a=a, tau=tau):
            return solve(
                lambda t, y, z: -k / tau * z,
                lambda s: 1 - a * s / tau,
                tau,
                horizon=tau,
                steps=20,
            ).end

        demand(
            abs(left(k)) < 1e-6,
            f"a = {a:.3g}: with your capacity {left(k):.4g} of the input is left at T = tau",
        )
    right("nothing of the input is left at T = tau")


def check_rate(rate):
    """Check `rate(b, K, tau)` of the special solutions of y' = -b y - K y(t - tau)."""
    rng = np.random.default_rng()
    for b in (0.0, *rng.uniform(0.1, 1, size=3)):
        tau = rng.uniform(0.5, 2)
        K = rng.uniform(0.3, 0.8) * np.exp(-1 - b * tau) / tau
        z = _number(rate(b, K, tau))
        demand(
            abs(z + b + K * np.exp(-z * tau)) < 1e-8,
            f"exp(z t) with z = {z:.6g} does not solve the equation for b = {b:.2f}, "
            f"K = {K:.3f}, tau = {tau:.2f}",
        )

        def damped(t, y, z, b=b, K=K):
            return -b * y - K * z

        late = solve(damped, 1.0, tau, horizon=16 * tau, steps=20)
        measured = np.log(late.end / late.states[-21]) / tau
        demand(
            abs(measured - z) < 0.02 * abs(z),
            f"it solves the equation, but solutions decay at the rate {measured:.4g}, not {z:.4g}",
        )
    right("it solves the characteristic equation, and solutions decay like this")


def check_layers(limit):
    """Check `limit(L)`: the largest k at which L Euler layers per delay stay positive."""
    for L in (1, 2, 5, 20):
        k = _number(limit(L))
        demand(k > 0, f"a capacity must be positive, not {k}")
        for factor, positive in ((0.99, True), (1.01, False)):
            y = [1.0] * (L + 1)
            for _ in range(60 * L):
                y.append(y[-1] - factor * k / L * y[-L - 1])
            side, fate = ("below", "vanish") if positive else ("above", "stay positive")
            demand(
                (min(y) > 0) == positive,
                f"L = {L}: just {side} your limit, at k = {factor * k:.4f}, the layers {fate}",
            )
    right("the layers stay positive just below it and change sign just above")


def _number(value):
    demand(np.ndim(value) == 0 and value is not None, f"a number is asked for, not {value!r}")
    demand(not isinstance(value, complex), f"a real number is asked for, not {value}")
    value = float(value)
    demand(np.isfinite(value), f"a finite number is asked for, not {value}")
    return value
