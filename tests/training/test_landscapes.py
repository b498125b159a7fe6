"""The worked models, against autograd, the laws derived on the page, and orbits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from dsnnlib.integrate import trajectory
from dsnnlib.training.gradient_descent import descend
from dsnnlib.training.landscapes import (
    LOG_COSH,
    SQUARE_ROOT,
    EvenProduct,
    Product,
    SelfStabilisation,
)

DOUBLING = math.sqrt(5) - 1
POINTS = np.random.default_rng(0).uniform(-2, 2, size=(2, 20))
EVEN = pytest.mark.parametrize(
    ("landscape", "loss"),
    [
        (LOG_COSH, lambda s: torch.log(torch.cosh(s))),
        (SQUARE_ROOT, lambda s: torch.sqrt(1 + s**2)),
    ],
    ids=["log-cosh", "square root"],
)


def uv_loss(w):
    """(uv - 1)^2 / 2 for autograd."""
    return (w[0] * w[1] - 1) ** 2 / 2


uv_hessian = torch.func.jacrev(torch.func.grad(uv_loss))


def uv_step(w, eta):
    return w - eta * torch.func.grad(uv_loss)(w)


# ---- the product of two weights ----


def test_loss_and_gradient_are_those_of_autograd():
    w = torch.tensor(POINTS, requires_grad=True)
    values = uv_loss(w)
    (gradient,) = torch.autograd.grad(values.sum(), w)
    # rounding of numbers of modulus up to 12
    np.testing.assert_allclose(Product.loss(*POINTS), values.detach(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(Product.gradient(*POINTS), gradient, rtol=0, atol=1e-14)


def test_sharpness_is_the_top_eigenvalue_of_the_hessian():
    hessians = torch.func.vmap(uv_hessian)(torch.tensor(POINTS.T))
    np.testing.assert_allclose(
        Product.sharpness(*POINTS), torch.linalg.eigvalsh(hessians)[:, -1], rtol=1e-14
    )  # rounding
    u = np.array([-3, 0.5, 1, 7])
    np.testing.assert_allclose(Product.sharpness(u, 1 / u), u**2 + u**-2.0, rtol=1e-14)  # minima


@settings(derandomize=True, deadline=None)
@given(u=st.floats(-3, 3), v=st.floats(-3, 3), eta=st.floats(1e-3, 2))
def test_each_step_multiplies_the_imbalance_by_one_minus_eta2_r2(u, v, eta):
    _, (u1, v1) = descend(Product.gradient, (u, v), eta, 1)
    residual = u * v - 1
    expected = (1 - eta**2 * residual**2) * (u**2 - v**2)
    # some ten roundings of numbers up to the square of what is added in a step
    size = ((abs(u) + abs(v)) * (1 + eta * (abs(u * v) + 1))) ** 2
    assert abs(u1**2 - v1**2 - expected) <= 10 * np.finfo(float).eps * size


def test_gradient_flow_keeps_the_imbalance():
    flow = trajectory(
        lambda t, w: -np.array(Product.gradient(*w)), np.array([2.0, 0.3]), np.linspace(0, 9, 901)
    )
    *_, (u, v) = flow
    assert u * v == pytest.approx(1, abs=1e-8)  # arrived: the rate s > 3.9, exp(-35)
    assert u**2 - v**2 == pytest.approx(2**2 - 0.3**2, abs=1e-6)  # RK4: dt^4 = 1e-8, times 9


def test_no_start_finds_a_minimum_above_the_edge():
    rng = np.random.default_rng(0)
    etas = np.repeat(np.linspace(0.1, 0.98, 23), 200)
    u0, v0 = rng.uniform(-3, 3, size=(2, len(etas)))
    with np.errstate(over="ignore", invalid="ignore"):  # some starts escape to infinity
        *_, (u, v) = descend(Product.gradient, (u0, v0), etas, 3000)
        found = abs(u * v - 1) < 1e-9
    stable = (u**2 + v**2)[found] * etas[found] / 2
    assert stable.max() <= 1
    assert stable.max() > 0.95  # the bound is reached: it is the edge that limits
    # the gradient flow, which keeps u^2 - v^2 and so ends at s^2 = (u^2 - v^2)^2 + 4,
    # would have gone beyond it from many of these starts
    flow = np.sqrt((u0**2 - v0**2) ** 2 + 4)[found] * etas[found] / 2
    assert np.mean(flow > 1) > 0.1


def test_the_flattest_threshold_is_two_over_the_least_sharpness():
    hessian = uv_hessian(torch.ones(2, dtype=torch.float64))
    assert 2 / torch.linalg.eigvalsh(hessian)[-1] == pytest.approx(Product.flattest_threshold)


def test_an_orbit_rests_below_the_flattest_threshold_and_bounces_above():
    etas = np.array([0.98, 1.02])
    *_, (u, _), (w, _) = descend(Product.gradient, (1.3, 1.1), etas, 4000)
    assert abs(u - w)[0] < 1e-12  # multiplier |1 - 2 eta| = 0.96, 4,000 times
    # closed form of the cycle: (p - q)^2 = (eta - 1)/eta; rounding
    assert abs(u - w)[1] == pytest.approx(math.sqrt(0.02 / 1.02), abs=1e-12)


@pytest.mark.parametrize("eta", [1.0001, 1.1, 1.2, 1.5, 2.5])
def test_two_cycle_is_a_two_cycle_of_the_map(eta):
    p, q = Product.two_cycle(eta)
    there = uv_step(torch.tensor([p, p], dtype=torch.float64), eta)
    back = uv_step(there, eta)
    np.testing.assert_allclose(there, [q, q], rtol=1e-14)  # rounding
    np.testing.assert_allclose(back, [p, p], rtol=1e-13)  # the same, times a slope up to 10
    assert p > q > 0


def test_the_two_cycle_is_where_orbits_end():
    for eta in (1.05, 1.15, 1.22):
        *_, (a, _), (b, _) = descend(Product.gradient, (1.3, 1.0), eta, 3000)
        # rounding; the multipliers are below 0.9 in modulus, 1,500 times
        np.testing.assert_allclose(sorted([b, a]), Product.two_cycle(eta)[::-1], rtol=1e-12)


@pytest.mark.parametrize("eta", [1.01, 1.1, 1.2, DOUBLING, 1.4])
def test_two_cycle_multipliers_are_those_of_the_differentiated_map(eta):
    # p and q as the roots of z^2 - (p + q) z + pq, from the proposition on the page
    p = np.roots([1, -math.sqrt((1 + eta) / eta + 2 / eta), 1 / eta]).max()
    jacobian = torch.func.jacrev(lambda w: uv_step(uv_step(w, eta), eta))
    derivative = jacobian(torch.full((2,), p, dtype=torch.float64)).numpy()
    along, across = Product.two_cycle_multipliers(eta)
    # rounding, enlarged near eta = 1 by the nearly double root
    np.testing.assert_allclose(derivative @ [1, 1], [along, along], atol=1e-12)
    np.testing.assert_allclose(derivative @ [1, -1], [across, -across], atol=1e-12)


def test_orbits_have_period_two_below_and_four_above_the_doubling():
    assert Product.doubling_threshold == pytest.approx(DOUBLING, abs=1e-15)
    etas = DOUBLING + np.array([-0.01, 0.01])
    *orbit, _ = (u for u, _ in descend(Product.gradient, (1.1, 1.1), etas, 4005))
    a, b, c, _, e = np.array(orbit[-5:])
    assert (abs(a - b) > 0.1).all()
    # multiplier -1 + 4 (1 + eta) 0.01 = -0.91 below, 2,000 times: converged up to rounding
    assert abs(a - c)[0] < 1e-12
    assert abs(a - c)[1] > 0.01
    assert abs(a - e)[1] < 1e-12


def test_critical_constants_differ_on_and_off_the_diagonal():
    steps = 100_000
    start = (np.array([1.2, 1.3]), np.array([1.2, 1.1]))
    *_, (u, v) = descend(Product.gradient, start, 1.0, steps)
    scaled = abs(u * v - 1) * math.sqrt(steps)
    # r_k alternates between r and -r (1 + r): relative O(r) = k^-1/2
    assert scaled[0] == pytest.approx(1 / 2, abs=2 / math.sqrt(steps))
    assert scaled[1] == pytest.approx(1 / math.sqrt(2), abs=2 / math.sqrt(steps))
    assert (u - v)[0] == 0
    assert (u**2 - v**2)[1] ** 2 * steps == pytest.approx(2, abs=2 / math.sqrt(steps))


# ---- losses of the product that are even ----


@EVEN
def test_even_gradients_are_those_of_autograd(landscape, loss):
    w = torch.tensor(POINTS, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(w[0] * w[1]).sum(), w)
    np.testing.assert_allclose(
        landscape.gradient(*POINTS), gradient, rtol=0, atol=1e-14
    )  # rounding


@EVEN
def test_c_is_the_cubic_coefficient_of_the_slope(landscape, loss):
    derivative = loss
    for _ in range(4):
        derivative = torch.func.grad(derivative)
    fourth = derivative(torch.tensor(0.0, dtype=torch.float64))
    assert landscape.c == pytest.approx(-fourth.item() / 6, rel=1e-14)  # rounding


@EVEN
def test_the_gap_below_the_edge_has_an_error_of_third_order(landscape, loss):
    etas = np.array([0.2, 0.1, 0.05])
    # far above the edge: k = 2 c 4 / eta > 13, so the start counts less than 2e-5 of the gap
    *_, (_, y) = descend(landscape.gradient, (1e-3, np.sqrt(2 / etas + 4)), etas, 20_000)
    predicted = [landscape.final_sharpness(eta, 2 / eta + 4) for eta in etas]
    slopes = np.diff(-np.log2(abs(y**2 - predicted)))
    # the next term is smaller by O(eta^2) = 0.04 to 0.01, with an unknown factor of order one
    np.testing.assert_allclose(slopes, 3, atol=0.2)


def test_below_the_edge_the_start_is_remembered():
    eta, x0, y0_squared = 0.1, 1e-3, np.array([2.0, 8.0, 14.0, 18.0])
    for landscape in (LOG_COSH, SQUARE_ROOT):
        *_, (x, y) = descend(landscape.gradient, (x0, np.sqrt(y0_squared)), eta, 2000)
        assert abs(x).max() < 1e-12  # at rest: |1 - eta y^2| <= 0.8, 2,000 times
        np.testing.assert_array_equal(landscape.final_sharpness(eta, y0_squared), y0_squared)
        lost = (y0_squared - y**2) / x0**2
        # next order: x0^2 y0^2 = 2e-5 times factors 1/(2 - eta y0^2) up to 5
        np.testing.assert_allclose(lost, 2 / (2 - eta * y0_squared), rtol=1e-3)


@EVEN
def test_a_far_start_is_forgotten(landscape, loss):
    eta, k = 0.05, np.array([0.5, 1, 2, 4, 8, 16, 24])
    unit = eta / (2 * landscape.c)
    *_, (_, y) = descend(landscape.gradient, (1e-6, np.sqrt(2 / eta + k * unit)), eta, 30_000)
    gap = (2 / eta - y**2) / unit
    law = (2 / eta - landscape.final_sharpness(eta, 2 / eta + k * unit)) / unit
    np.testing.assert_allclose(gap, law, atol=eta**2)  # next order O(eta^2)
    # what is left of the start is exponentially small: 16 and 24 differ by less than 17 e^-16,
    # with a rounding error of y^2 = 40 in units of eta
    assert abs(gap[-1] - gap[-2]) < 17 * math.exp(-16)


def test_the_quadratic_loss_lands_at_the_mirror_image():
    eta, w0 = 0.1, np.array([0.25, 0.5, 1.0])
    *_, (x, y) = descend(
        lambda x, y: (x * y**2, x**2 * y), (1e-5, np.sqrt(2 / eta + w0)), eta, 20_000
    )
    assert abs(x).max() < 1e-12
    error = 2 / eta - y**2 - w0
    assert (abs(error) < eta * w0**2).all()  # next order, relative O(eta w0)
    # which is of second order in w0; the next term is smaller by O(eta w0) = 0.1
    np.testing.assert_allclose(np.diff(np.log2(error)), 2, atol=0.1)


def test_the_final_sharpness_is_the_start_below_and_the_gap_law_above_the_edge():
    found = LOG_COSH.final_sharpness(0.1, [3.0, 20.0, 20.5, 40.0])
    k = 10 / 3  # 20.5 in units of eta / (2 c) = 0.15 above the edge; the law by root search
    g = brentq(lambda g: (1 - g) * math.exp(g) - (1 + k) * math.exp(-k), 1e-9, 1, xtol=1e-15)
    np.testing.assert_allclose(found, [3, 20, 20 - 0.15 * g, 19.85], rtol=1e-14)  # rounding


# ---- the reduced map of self-stabilisation ----

MODEL = SelfStabilisation(eta=0.05, alpha=0.7, beta=1.6)


def folded(z):
    """One step of the map for (|x|, y)."""
    x, y = MODEL(z[0], z[1])
    return torch.stack([-x, y])


def test_one_step_of_the_reduced_map_by_hand():
    assert SelfStabilisation(eta=0.5, alpha=1, beta=2)(3, 2) == (-6, -2)


def test_self_stabilisation_balances_at_its_amplitude():
    amplitude = MODEL.amplitude
    assert amplitude == pytest.approx(math.sqrt(2 * 0.7 / 1.6))
    x, y = amplitude, 0.0
    for n in range(1, 5):
        x, y = MODEL(x, y)
        # rounding, which the spiral enlarges by 1 + eta^2 alpha in each step
        assert (x, y) == pytest.approx(((-1) ** n * amplitude, 0), abs=1e-15)

    orbit = [(1.5 * amplitude, 0.0)]
    for _ in range(2000):
        orbit.append(MODEL(*orbit[-1]))
    x, y = np.array(orbit).T
    # the sum of y' - y: exact but for the boundary term, which is less than the tolerance
    mean = np.mean(x[:-1] ** 2)
    boundary = 2 / MODEL.beta * (y[0] - y[-1]) / (MODEL.eta * 2000)
    assert mean == pytest.approx(2 * 0.7 / 1.6 + boundary, rel=1e-12)  # rounding of 2,000 terms
    assert abs(boundary) < 0.1 * mean


def test_self_stabilisation_spirals_with_its_multiplier():
    balance = torch.tensor([MODEL.amplitude, 0.0], dtype=torch.float64)
    eigenvalues = torch.linalg.eigvals(torch.func.jacrev(folded)(balance)).numpy()
    np.testing.assert_allclose(
        sorted(eigenvalues, key=np.imag),
        [MODEL.multiplier.conjugate(), MODEL.multiplier],
        rtol=1e-14,  # rounding
    )
    # one growing turn: modulus sqrt(1 + 2 alpha eta^2), observed on an orbit
    z = balance + torch.tensor([1e-6, 0.0])
    for _ in range(200):
        z = folded(z)
    offset = (z - balance).numpy() * [1, 1 / math.sqrt(1.6)]
    growth = np.linalg.norm(offset) / 1e-6
    # displacements stay below 2e-6, the relative size of what is neglected
    assert growth == pytest.approx((1 + 2 * 0.7 * 0.05**2) ** 100, rel=1e-5)


def test_self_stabilisation_flow_conserves_its_energy():
    # the map is one Euler step of its flow; along that step's direction E does not change
    z = torch.tensor(np.random.default_rng(0).uniform(0.2, 3, size=(10, 2)))
    z[5:, 1] *= -1
    slope = torch.func.vmap(torch.func.grad(lambda z: energy_for_autograd(*z)))(z)
    increment = torch.stack([folded(point) for point in z]) - z
    np.testing.assert_allclose((slope * increment).sum(1), 0, atol=1e-14)  # rounding

    def flow(t, z):
        return np.array([z[1] * z[0], MODEL.alpha - MODEL.beta * z[0] ** 2 / 2])

    orbit = solve_ivp(flow, (0, 30), [2.0, 0.5], rtol=1e-11, atol=1e-12).y
    energies = MODEL.energy(*orbit)
    np.testing.assert_allclose(energies, MODEL.energy(2.0, 0.5), atol=1e-8)  # scipy's tolerance
    assert np.ptp(orbit[1]) > 1  # it does move


def energy_for_autograd(x, y):
    """E as on the page."""
    return y**2 / 2 + MODEL.beta * x**2 / 4 - MODEL.alpha * torch.log(x)


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: Product.two_cycle(1), "eta"),
        (lambda: Product.two_cycle(0.5), "eta"),
        (lambda: Product.two_cycle(-1), "eta"),
        (lambda: Product.two_cycle(math.nan), "eta"),
        (lambda: Product.two_cycle(math.inf), "eta"),
        (lambda: Product.two_cycle([1.1, 1.2]), "eta"),
        (lambda: Product.two_cycle("1.1"), "eta"),
        (lambda: Product.two_cycle_multipliers(0), "eta"),
        (lambda: Product.two_cycle_multipliers(math.nan), "eta"),
        (lambda: LOG_COSH.final_sharpness(0, 1.0), "eta"),
        (lambda: LOG_COSH.final_sharpness(-0.1, 1.0), "eta"),
        (lambda: LOG_COSH.final_sharpness(math.nan, 1.0), "eta"),
        (lambda: LOG_COSH.final_sharpness(0.1, math.nan), "y0_squared"),
        (lambda: LOG_COSH.final_sharpness(0.1, -1.0), "y0_squared"),
        (lambda: LOG_COSH.final_sharpness(0.1, []), "y0_squared"),
        (lambda: LOG_COSH.final_sharpness(0.1, "steep"), "y0_squared"),
        (lambda: EvenProduct(slope=lambda s: s, c=0).final_sharpness(0.1, 30.0), "c"),
        (lambda: EvenProduct(slope=np.sinh, c=-1 / 6).final_sharpness(0.1, 30.0), "c"),
        (lambda: SelfStabilisation(eta=0, alpha=1, beta=1), "eta"),
        (lambda: SelfStabilisation(eta=1, alpha=-1, beta=1), "alpha"),
        (lambda: SelfStabilisation(eta=1, alpha=1, beta=math.nan), "beta"),
        (lambda: SelfStabilisation(eta=1, alpha=1, beta="1"), "beta"),
        (lambda: SelfStabilisation(eta=[1], alpha=1, beta=1), "eta"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
