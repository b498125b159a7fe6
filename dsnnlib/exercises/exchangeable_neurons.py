"""Checks for the exercises of the page mean field/exchangeable neurons."""

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from dsnnlib.exercises import demand, number, right
from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.double_well_gas import DoubleWellGas
from dsnnlib.mean_field.particles import TwoLayer


def check_spread(spread):
    """Check `spread(tau, N)`: standard deviation of the average of N features max(a, 0)."""
    rng = np.random.default_rng()
    for tau, N in ((1.0, 1), (rng.uniform(0.2, 3), 7), (rng.uniform(0.2, 3), 50)):
        features = np.maximum(tau * rng.normal(size=(20_000, N)), 0)
        ratio = number(spread(tau, N)) / features.mean(1).std()
        demand(
            abs(ratio - 1) < 0.06,
            f"at tau = {tau:.2f}, N = {N} you give {ratio:.3g} times the spread of 20,000 averages",
        )
    right("20,000 averages spread like this, within their error")


def check_velocity(velocity):
    """Check `velocity(a, c, x, y)` -> (a', c') of a network of bumps, against the risk."""
    rng = np.random.default_rng()
    for N, n in ((1, 4), (6, 5)):
        w, x, y = rng.normal(size=(2, N)), rng.normal(size=n), rng.normal(size=n)

        def risk(w, x=x, y=y, N=N):
            output = (w[0][:, None] * np.exp(-((x - w[1][:, None]) ** 2) / 2)).sum(0) / N
            return ((output - y) ** 2).mean() / 2

        answer = velocity(w[0], w[1], x, y)
        demand(np.shape(answer) == (2, N), f"return two arrays, a' and c', of the {N} neurons each")
        for i, name in ((0, "a"), (1, "c")):
            for j in range(N):
                step = np.zeros((2, N))
                step[i, j] = 1e-5
                wanted = -N * (risk(w + step) - risk(w - step)) / 2e-5
                demand(
                    abs(number(answer[i][j]) - wanted) < 1e-7 + 1e-6 * abs(wanted),
                    f"with N = {N} the velocity of {name} is not -N times the slope of the risk",
                )
    right("the risk falls like this, N times faster, neuron by neuron")


def check_final_size(final_size):
    """Check `final_size(m0, s0, target)`: the end of s in training with linear neurons."""
    rng = np.random.default_rng()
    for _ in range(5):
        m0, target = rng.uniform(-2, 2, size=2)
        s0 = 2 * abs(m0) + rng.uniform(0.5, 3)
        *_, end = trajectory(_linear(target), np.array([m0, s0]), np.linspace(0, 30, 1501))
        value = number(final_size(m0, s0, target))
        demand(
            abs(value - end[1]) < 1e-4 * end[1],
            f"from m = {m0:.3g}, s = {s0:.3g} with the target {target:.3g} training does not end "
            f"at s = {value:.6g}",
        )
    right("the two equations, followed for 30 units of time, end there")


def check_width(width):
    """Check `width(target, t, epsilon)`: linear neurons with m_N(t) known up to epsilon."""
    rng = np.random.default_rng()
    cases = [(0.0, 0.5, 0.1), (0.2, 4, 0.05), (0.3, 0.5, 0.05), (0.6, 0.5, 0.02), (1.2, 0.5, 0.01)]
    for t, least, epsilon in cases:
        target = rng.uniform(least, 5)
        asked = number(width(target, t, epsilon))
        demand(asked > 0, f"at t = {t} a width of {asked:.3g} is not positive")
        # networks of 10,000 neurons instead, and the law of large numbers between the two:
        # sums of (a + b)^2 / 2 and (a - b)^2 / 2 are independent chi-squares
        plus, minus = rng.chisquare(10_000, size=(2, 4000)) / 10_000
        averages = np.array([(plus - minus) / 2, plus + minus])  # m and s at the start
        if t:
            *_, averages = trajectory(_linear(target), averages, np.linspace(0, t, 101))
        spread = averages[0].std() * (10_000 / asked) ** 0.5
        demand(
            abs(spread / epsilon - 1) < 0.06,
            f"at t = {t}, with the target {target:.3g}, networks of this width spread by "
            f"{spread / epsilon:.3g} times epsilon",
        )
    right("4,000 networks spread by epsilon, within their error")


def _linear(target):
    def field(t, z):
        m, s = z
        return -(m - target) * np.array([s, 4 * m])

    return field


def check_correlation(correlation):
    """Check `correlation(a, b, D, N)`: of two Ornstein-Uhlenbeck particles in equilibrium."""
    rng = np.random.default_rng()
    for N, b in ((2, 1.0), (5, rng.uniform(0.5, 4)), (12, -rng.uniform(0.1, 0.4))):
        a, D = rng.uniform(0.5, 2, size=2)
        drift = -(a + b) * np.eye(N) + b / N
        covariance = solve_continuous_lyapunov(drift, -2 * D * np.eye(N))
        value = number(correlation(a, b, D, N))
        demand(
            abs(value - covariance[0, 1] / covariance[0, 0]) < 1e-9,
            f"at a = {a:.3g}, b = {b:.3g}, N = {N} the Lyapunov equation of the whole system "
            f"has another correlation than {value:.6g}",
        )
    right("the Lyapunov equation of all N particles agrees")


def check_critical(critical):
    """Check `critical(b)`: below it a mean other than 0 sustains itself, above it none does."""
    rng = np.random.default_rng()
    for b in (0.25, rng.uniform(0.3, 1.8), 1.9):
        value = number(critical(b))
        demand(0.02 < value < 0.95, f"at b = {b:.3g} a critical noise of {value:.3g} is far off")
        below, above = (DoubleWellGas(b, f * value).magnetisation() for f in (0.995, 1.005))
        demand(below > 0, f"at b = {b:.3g}, with a little less noise, only the mean 0 is left")
        demand(above == 0, f"at b = {b:.3g}, with a little more noise, there are still three laws")
    right("a little below there are three laws, a little above there is one")


def check_power(power):
    """Check `power(gamma)`: of N in the movement of neurons, with N^-gamma before the sum."""
    rng = np.random.default_rng()
    x = np.linspace(-1, 1, 6)
    for gamma in (1.0, 0.5, rng.uniform(0.6, 0.9)):
        sizes, moved = np.array([1000, 4000]), []
        half = rng.normal(size=(500, 3))
        for N in sizes:  # the wider network holds each neuron several times
            start = np.concatenate([np.tile(half, (N // 1000, 1)) * [s, 1, 1] for s in (1, -1)])
            net = TwoLayer(x, np.sin(2 * x) * N ** (gamma - 1))
            *_, end = trajectory(lambda t, w, net=net: net.velocity(w), start, np.linspace(0, 1, 6))
            moved.append(np.sqrt(((end - start) ** 2).sum(1).mean()))
        measured = np.log(moved[1] / moved[0]) / np.log(sizes[1] / sizes[0])
        value = number(power(gamma))
        demand(
            abs(value - measured) < 0.06,
            f"at gamma = {gamma:.2f} networks of 1,000 and 4,000 neurons do not move by "
            f"N^{value:.3g}",
        )
    right("networks of 1,000 and of 4,000 neurons move like this")
