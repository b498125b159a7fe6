r"""Beyond the edge: the flip of a minimum, cycles, orbit diagrams, Lyapunov exponents."""

from dataclasses import dataclass

import numpy as np

from dsnnlib import estimate
from dsnnlib._checks import array, count, definite, finite, positive, shaped, shown


def flip_coefficient(hessian, third, fourth):
    r"""How the minimum loses its stability at the rate 2 / lambda_max.

    .. math:: \Gamma = 3\, b^\top H^{-1} b - D^4L[v,v,v,v], \qquad b = D^3L[v,v,\cdot],

    with the unit eigenvector v of the largest eigenvalue, which must be simple. If Gamma > 0, the
    flip is supercritical: beyond the edge there is a small stable 2-cycle
    :math:`\theta^*\pm sv+O(s^2)` with :math:`s^2\approx 6(\lambda_{\max}-2/\eta)/\Gamma`.
    If Gamma < 0, it is subcritical: an unstable 2-cycle closes in on the minimum before the edge.
    In one dimension :math:`\Gamma = 3L'''^2/L''-L''''`.

    Parameters
    ----------
    hessian : (D, D) array
        H, positive definite.
    third : (D,) array
        The vector b.
    fourth : float
        The fourth derivative of L along v.

    References
    ----------
    Kuznetsov, Elements of Applied Bifurcation Theory, section 5.4, for a general map. Page:
    training/gradient descent as a map.
    """
    hessian = definite("hessian", hessian)
    third = shaped("third", array("third", third), (len(hessian),))
    return float(3 * third @ np.linalg.solve(hessian, third) - finite("fourth", fourth))


@dataclass(frozen=True)
class Cycle:
    """A cycle of gradient descent: `points` (p, D), each the image of the one before.

    `multipliers` (D,) are the eigenvalues of the derivative of p steps, by descending modulus.
    """

    points: np.ndarray
    multipliers: np.ndarray

    @property
    def stable(self):
        """Do all multipliers lie inside the unit circle?"""
        return bool(abs(self.multipliers[0]) < 1)


def find_cycle(gradient, hessian, guess, eta, period=2, *, steps=50, tol=1e-9):
    """A cycle of gradient descent near `guess`, stable or not, by Newton's method.

    Period 1 finds critical points of the loss. A cycle found at one rate is a good guess for the
    next one: so a branch is followed.

    Parameters
    ----------
    gradient, hessian : callable
        theta -> (D,) and (D, D) arrays (for D = 1 the latter may be (1,)).
    guess : (D,) array
        Near a point of the cycle.
    eta : float
        Learning rate, > 0.
    period : int
        p, the least period.
    steps, tol : int, float
        At most so many Newton steps, until one is shorter than tol (1 + norm of the point). The
        convergence is quadratic, so the error is then a matter of rounding.

    Raises
    ------
    ValueError
        If an argument makes no sense, or gradient or hessian have another shape.
    ArithmeticError
        If Newton's method does not converge, meets a point where the derivative has the eigenvalue
        1, or finds a cycle of a smaller period.
    """
    theta, eta = array("guess", guess, ndim=1), positive("eta", eta)
    period, steps, tol = count("period", period), count("steps", steps), positive("tol", tol)
    small = False
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            points, derivative = _follow(gradient, hessian, theta, eta, period)
            miss, scale = points[-1] - theta, tol * (1 + np.linalg.norm(theta))
            if not (np.isfinite(derivative).all() and np.isfinite(miss).all()):
                break
            newton = derivative - np.eye(theta.size)
            if np.linalg.norm(newton, -2) < 1e-14:  # degenerate, up to rounding
                break
            if small and np.linalg.norm(miss) <= scale:
                return _cycle(points[:-1], derivative)
            step = np.linalg.solve(newton, miss)
            theta, small = theta - step, np.linalg.norm(step) <= scale
    raise ArithmeticError(
        f"no cycle of period {period} found in {steps} Newton steps; "
        "start closer to it, for example at a nearby rate or on an orbit"
    )


def _follow(gradient, hessian, theta, eta, period):
    """The points of `period` steps, the start included, and the derivative of all steps."""
    points, derivative, shape = [theta], np.eye(theta.size), (theta.size,) * 2
    for _ in range(period):
        curvature = shaped("hessian", np.atleast_2d(hessian(theta)), shape)
        derivative = derivative - eta * curvature @ derivative
        theta = theta - eta * shaped("gradient", gradient(theta), theta.shape)
        points.append(theta)
    return np.array(points), derivative


def _cycle(points, derivative):
    period, size = len(points), 1 + np.linalg.norm(points[0])
    for divisor in range(1, period):
        if period % divisor == 0 and np.linalg.norm(points[divisor] - points[0]) < 1e-8 * size:
            raise ArithmeticError(
                f"found period {divisor} instead of {period}; start further away from that"
            )
    values = np.linalg.eigvals(derivative)
    return Cycle(points, values[np.argsort(-abs(values))])


def orbit_diagram(slope, rates, start, *, columns=1000, skip=1000, keep=1000):
    """Where gradient descent on a loss of one parameter ends, for many rates at once.

    Parameters
    ----------
    slope : callable
        L', entry by entry.
    rates : (float, float)
        Smallest and largest learning rate, 0 < smallest < largest: to zoom, narrow it.
    start : float
        The start, the same for all rates.
    columns, skip, keep : int
        How many rates; steps that are thrown away; steps that are kept.

    Returns
    -------
    etas : (columns,) array
    orbits : (keep, columns) array
        One orbit a column; NaN once it has overflowed.

    Raises
    ------
    ValueError
        If the interval of rates is empty or reversed, or another argument makes no sense.
    """
    rates = array("rates", rates, ndim=1)
    if rates.shape != (2,) or not 0 < rates[0] < rates[1]:
        raise ValueError(
            f"rates is {shown(rates.tolist())}; it must be (low, high), 0 < low < high"
        )
    etas = np.linspace(*rates, count("columns", columns, least=2))
    theta = np.full(columns, finite("start", start))
    skip, orbits = count("skip", skip, least=0), np.empty((count("keep", keep), columns))
    with np.errstate(over="ignore", invalid="ignore"):
        for n in range(-skip, keep):
            theta -= etas * shaped("slope", slope(theta), theta.shape)
            if n >= 0:
                orbits[n] = theta
    orbits[~np.isfinite(orbits)] = np.nan
    return etas, orbits


def orbit_exponent(slope, curvature, eta, starts, *, skip=1000, steps=1000):
    r"""Lyapunov exponent of the orbits of a loss of one parameter.

    .. math:: \lim_n \tfrac1n \sum_{k<n} \log|1-\eta L''(\theta_k)|

    Parameters
    ----------
    slope, curvature : callable
        L' and L'', entry by entry.
    eta : float or (K,) array
        Learning rate, > 0.
    starts : (R,) array
        R >= 2 starts, the replicas.
    skip, steps : int
        Steps before the average, and steps averaged over.

    Returns
    -------
    Estimate
        Mean and standard error over the starts, of the shape of `eta`, in 1/step. Right only
        where almost all starts share one exponent. Infinite if an orbit overflows.
    """
    theta, eta = array("starts", starts, ndim=1), array("eta", eta)
    if not (eta > 0).all():
        raise ValueError(f"eta is {eta.min()}; it must be positive")
    if theta.size < 2:
        raise ValueError("starts holds one number; an error needs at least two")
    theta = theta.reshape(-1, *[1] * eta.ndim) + np.zeros_like(eta)
    total = np.zeros_like(theta)
    skip, steps = count("skip", skip, least=0), count("steps", steps)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for n in range(-skip, steps):
            if n >= 0:
                total += np.log(abs(1 - eta * curvature(theta)))
            theta -= eta * slope(theta)
    return estimate.mean(np.where(np.isnan(total), np.inf, total) / steps)
