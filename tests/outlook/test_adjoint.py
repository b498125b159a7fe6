"""Costates and gradients against autograd, closed forms, complex steps and the order of methods."""

import weakref

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dsnnlib import integrate
from dsnnlib.outlook.adjoint import (
    backpropagate,
    costate_gradient,
    costates,
    functional,
    solver_layer,
    states,
    tangents,
)
from dsnnlib.propagation.neural_ode import NeuralODE, TanhField, variation

METHODS = [integrate.EULER, integrate.MIDPOINT, integrate.RK4]


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def energy(h):
    return (h**2).sum() / 2


def linear(theta, t, h):
    return theta["theta"] * h


@pytest.fixture
def network():
    """A batch, weights, and a layer that uses its own and a shared weight."""
    rng = np.random.default_rng(0)
    theta = {f"W{i}": double(rng.normal(size=(4, 4)) / 2) for i in range(6)}
    theta["shared"] = double(rng.normal(size=4))

    def layer(theta, i, h):
        return h + torch.tanh(h @ theta[f"W{i}"].T + (i + 1) * theta["shared"])

    return layer, theta, double(rng.normal(size=(3, 4)))


@pytest.fixture
def ode():
    weights, field = functional(TanhField(3, 8, rng=torch.Generator().manual_seed(0)))
    h = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return field, weights, h


def autograd(layer, theta, h, steps):
    theta = {name: w.clone().requires_grad_() for name, w in theta.items()}
    h = h.clone().requires_grad_()
    value = energy(states(layer, theta, h, steps=steps)[-1])
    start, *slopes = torch.autograd.grad(value, [h, *theta.values()])
    return float(value.detach()), start, dict(zip(theta, slopes, strict=True))


def assert_same(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.allclose(one[name], other[name], **tolerance), name


# ---- layers ----


@pytest.mark.parametrize("slots", [None, 1, 2, 3, 6, 50])
def test_the_gradient_is_that_of_autograd_however_many_states_are_stored(network, slots):
    layer, theta, h = network
    value, start, slopes = autograd(layer, theta, h, 6)
    found = backpropagate(layer, theta, h, energy, steps=6, slots=slots)
    assert found.loss == pytest.approx(value, rel=1e-14)
    assert torch.allclose(found.start, start, atol=1e-13)
    assert_same(found.weights, slopes, atol=1e-13)


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_checkpoints_change_no_bit(ode, slots, dtype):
    field, weights, h = ode
    weights, h = {name: w.to(dtype) for name, w in weights.items()}, h.to(dtype)
    layer = solver_layer(field, horizon=1.0, steps=15)
    stored = backpropagate(layer, weights, h, energy, steps=15)
    again = backpropagate(layer, weights, h, energy, steps=15, slots=slots)
    assert again.loss == stored.loss
    assert torch.equal(again.start, stored.start)
    for name in weights:
        assert torch.equal(again.weights[name], stored.weights[name])


def test_checkpoints_run_each_layer_as_often_as_promised(network):
    layer, theta, h = network
    calls = []

    def counted(theta, i, h):
        calls.append(i)
        return layer(theta, i, h)

    backpropagate(counted, theta, h, energy, steps=6, slots=2)
    assert sorted(calls) == sorted([0] * 3 + [1] * 3 + [2] * 2 + [3] * 3 + [4] * 2 + [5])


@pytest.mark.parametrize("asks", [False, True])
def test_with_checkpoints_few_states_are_alive_even_if_weights_ask_for_gradients(asks):
    theta = {"W": torch.eye(4, dtype=torch.float64).requires_grad_(asks)}
    refs, most = [], [0]

    def layer(theta, i, h):
        end = torch.tanh(h @ theta["W"])
        refs.append(weakref.ref(end))
        most[0] = max(most[0], sum(ref() is not None for ref in refs))
        return end

    h = torch.ones(3, 4, dtype=torch.float64)
    found = backpropagate(layer, theta, h, energy, steps=60, slots=3)
    assert most[0] <= 3 + 2  # the state on its way, and the one after it
    assert not found.weights["W"].requires_grad


def test_a_sum_of_slopes_agrees_with_a_complex_step():
    rng = np.random.default_rng(0)
    W, V = rng.normal(size=(2, 5, 5)) / 2
    h0 = rng.normal(size=5)
    found = backpropagate(
        lambda theta, i, h: torch.tanh(theta["W"] @ h),
        {"W": double(W)},
        double(h0),
        energy,
        steps=9,
    )
    h = h0
    for _ in range(9):
        h = np.tanh((W + 1e-30j * V) @ h)
    assert np.sum(found.weights["W"].numpy() * V) == pytest.approx(
        np.sum(h**2 / 2).imag / 1e-30, rel=1e-12
    )


def test_the_gradient_of_a_weight_that_no_layer_uses_is_zero(network):
    layer, theta, h = network
    found = backpropagate(layer, theta | {"idle": torch.ones(2)}, h, energy, steps=6)
    assert found.weights["idle"].tolist() == [0, 0]


def test_weights_and_states_are_left_as_they_were(network):
    layer, theta, h = network
    before = {name: w.clone() for name, w in theta.items()}, h.clone()
    backpropagate(layer, theta, h, energy, steps=6, slots=2)
    assert_same(theta, before[0], atol=0, rtol=0)
    assert torch.equal(h, before[1])


# ---- the pairing ----


def test_the_pairing_of_costates_and_tangents_is_constant(network):
    layer, theta, h = network
    path = states(layer, theta, h, steps=6)
    rng = np.random.default_rng(1)
    p, v = double(rng.normal(size=(2, 3, 4)))
    pairs = zip(costates(layer, theta, path, p), tangents(layer, theta, path, v), strict=True)
    pairing = np.array([float((p * v).sum()) for p, v in pairs])
    assert len(pairing) == 7
    assert np.ptp(pairing) < 1e-12 * abs(pairing[0])


def test_costates_at_the_start_are_the_transposed_derivative(ode):
    field, weights, h = ode
    layer = solver_layer(field, horizon=1.5, steps=30)
    _, J = variation(lambda t, h: field(weights, t, h), h, horizon=1.5, steps=30)
    path = states(layer, weights, h, steps=30)
    p = torch.ones(5, 3, dtype=torch.float64)
    start = costates(layer, weights, path, p)[0]
    assert torch.allclose(start, torch.einsum("bij,bi->bj", J, p), atol=1e-12)


def test_states_are_those_of_a_neural_ode(ode):
    _, weights, h = ode
    module = TanhField(3, 8, rng=torch.Generator().manual_seed(0))
    same = torch.nn.Linear(3, 3, dtype=torch.float64)
    with torch.no_grad():
        same.weight.copy_(torch.eye(3))
        same.bias.zero_()
    model = NeuralODE(same, module, same, horizon=0.7, steps=9)
    layer = solver_layer(functional(module)[1], horizon=0.7, steps=9)
    with torch.no_grad():
        path = torch.stack(states(layer, weights, h, steps=9))
        assert torch.allclose(path, model.states(h), atol=1e-14)


def test_costates_through_runge_kutta_steps_are_those_of_the_partner_method():
    """Sanz-Serna's coefficients b_j - b_j a_ji / b_i, for a field that depends on time."""
    b, a = np.array(integrate.RK4.b), np.zeros((4, 4))
    for i, row in enumerate(integrate.RK4.a):
        a[i, :i] = row
    partner, c = b - b * a.T / b[:, None], np.array(integrate.RK4.c)

    def field(theta, t, h):
        return torch.stack([-torch.sin(h[1]) * (1 + t), h[0] * h[1]])

    steps, dt, h = 3, 0.4, double([0.3, 0.8])
    layer = solver_layer(field, horizon=steps * dt, steps=steps)
    path = states(layer, {}, h, steps=steps)
    costs = costates(layer, {}, path, double([1.0, -2.0]))
    for n in range(steps):
        h, k, D = path[n].numpy(), [], []
        for i in range(4):
            x, y = integrate.combine(h, dt, a[i, :i], k)
            time = 1 + (n + c[i]) * dt
            k.append(np.array([-np.sin(y) * time, x * y]))
            D.append(np.array([[0, -np.cos(y) * time], [y, x]]).T)
        blocks = np.block([[dt * partner[i, j] * D[j] for j in range(4)] for i in range(4)])
        P = np.linalg.solve(np.eye(8) + blocks, np.tile(costs[n].numpy(), 4)).reshape(4, 2)
        following = costs[n].numpy() - dt * sum(b[i] * D[i] @ P[i] for i in range(4))
        assert np.allclose(following, costs[n + 1].numpy(), atol=1e-13)


def test_a_gradient_costs_two_more_runs_and_each_advance_one(network):
    _, theta, h = network

    def dense(theta, i, h):
        return torch.tanh(h @ theta[f"W{i}"].T)

    def flops(work):
        with FlopCounterMode(display=False) as counter:
            work()
        return counter.get_total_flops()

    once = flops(lambda: states(dense, theta, h, steps=6))
    for slots, advances in ((None, 0), (6, 5), (2, 8)):
        cost = flops(lambda s=slots: backpropagate(dense, theta, h, energy, steps=6, slots=s))
        assert cost / once == pytest.approx(3 + advances / 6, rel=1e-14)


def test_the_energy_of_an_autonomous_field_is_constant_to_order_four(ode):
    field, weights, h = ode
    still = weights | {"c": torch.zeros_like(weights["c"])}
    spreads = []
    for steps in (20, 40):
        layer = solver_layer(field, horizon=2.0, steps=steps)
        path = states(layer, still, h, steps=steps)
        pairs = zip(path, costates(layer, still, path, path[-1]), strict=True)
        energies = torch.stack([(p * field(still, 0.0, h)).sum(-1) for h, p in pairs])
        spreads.append(float((energies - energies[-1]).abs().max()))
    assert spreads[1] < 1e-5
    assert np.log2(spreads[0] / spreads[1]) > 3.5


# ---- the costate equation ----


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_both_euler_gradients_of_a_linear_field_have_their_closed_form(steps):
    theta, h0, T = {"theta": double(0.3)}, double([1.5]), 2.0
    grid = {"horizon": T, "steps": steps, "method": integrate.EULER}
    dt = T / steps
    last = 1.5 * (1 + 0.3 * dt) ** steps
    through = backpropagate(solver_layer(linear, **grid), theta, h0, energy, steps=steps)
    solved = costate_gradient(linear, theta, h0, energy, **grid)
    assert float(through.weights["theta"]) == pytest.approx(T * last**2 / (1 + 0.3 * dt), rel=1e-13)
    assert float(solved.weights["theta"]) == pytest.approx(T * last**2, rel=1e-13)
    assert through.loss == solved.loss == pytest.approx(last**2 / 2, rel=1e-13)


@pytest.mark.parametrize("method", METHODS, ids=["euler", "midpoint", "rk4"])
@pytest.mark.parametrize("reconstruct", [False, True])
def test_the_costate_equation_converges_with_the_order_of_the_method(ode, method, reconstruct):
    field, weights, h = ode
    fine = solver_layer(field, horizon=1.0, steps=160)
    _, start, slopes = autograd(fine, weights, h, 160)
    errors = []
    for steps in (20, 40):
        found = costate_gradient(
            field,
            weights,
            h,
            energy,
            horizon=1.0,
            steps=steps,
            method=method,
            reconstruct=reconstruct,
        )
        gaps = [(found.weights[name] - slopes[name]).norm() for name in slopes]
        errors.append(float(torch.stack([*gaps, (found.start - start).norm()]).norm()))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(method.order, abs=0.3)  # next order


def test_two_steps_of_reconstruction_are_written_out():
    theta, h0, dt, rate = {"theta": double(0.3)}, double([1.5]), 0.5, 0.3
    found = costate_gradient(
        linear, theta, h0, energy, horizon=1.0, steps=2, method=integrate.EULER, reconstruct=True
    )
    h2 = 1.5 * (1 + rate * dt) ** 2
    h1, p1 = h2 * (1 - rate * dt), h2 * (1 + rate * dt)
    assert float(found.weights["theta"]) == pytest.approx(dt * (h2 * h2 + p1 * h1), rel=1e-14)
    assert float(found.start) == pytest.approx(h2 * (1 + rate * dt) ** 2, rel=1e-14)


def test_reconstruction_loses_what_the_flow_has_forgotten_and_stored_states_do_not():
    def memory(theta, t, h):
        return torch.stack([theta["theta"] * h[1], -10 * (h[1] - 1)])

    theta, h = {"theta": double(1.0)}, double([0.0, 1.7])
    exact = 4 + 0.07 * (1 - np.exp(-40))
    misses = []
    for reconstruct in (False, True):
        found = costate_gradient(
            memory, theta, h, lambda h: h[0], horizon=4.0, steps=160, reconstruct=reconstruct
        )
        misses.append(abs(float(found.weights["theta"]) - exact))
    assert misses[0] < 1e-5
    assert misses[1] > 1


def test_the_field_is_asked_at_the_right_times():
    def clock(theta, t, h):  # dl/dtheta = integral of t^3, exact for RK4
        return theta["theta"] * t**3 * torch.ones_like(h)

    found = costate_gradient(
        clock, {"theta": double(1.0)}, double([0.0]), torch.sum, horizon=2.0, steps=3
    )
    assert float(found.weights["theta"]) == pytest.approx(4, rel=1e-14)
    layer = solver_layer(clock, horizon=2.0, steps=3)
    found = backpropagate(layer, {"theta": double(1.0)}, double([0.0]), torch.sum, steps=3)
    assert float(found.weights["theta"]) == pytest.approx(4, rel=1e-14)


# ---- refusals ----


def test_bad_input_is_refused_in_one_line(network):
    layer, theta, h = network
    path = states(layer, theta, h, steps=6)
    cases = [
        ("steps is 0; it must be a whole", lambda: states(layer, theta, h, steps=0)),
        ("steps is 0; it must be a whole", lambda: backpropagate(layer, theta, h, energy, steps=0)),
        (
            "slots is 0; it must be a whole",
            lambda: backpropagate(layer, theta, h, energy, steps=6, slots=0),
        ),
        (
            "loss must return a tensor that holds one number",
            lambda: backpropagate(layer, theta, h, lambda h: h, steps=6),
        ),
        (
            "loss must return a tensor that holds one number",
            lambda: backpropagate(layer, theta, h, lambda h: 1.0, steps=6, slots=2),
        ),
        ("h is 3; it must be a tensor", lambda: backpropagate(layer, theta, 3, energy, steps=6)),
        (
            "h is tensor.*; it must be a tensor of floating-point",
            lambda: states(layer, theta, torch.arange(3), steps=6),
        ),
        (
            r"p has the shape \(4,\); it must be .* \(3, 4\)",
            lambda: costates(layer, theta, path, h[0]),
        ),
        (r"p has the shape \(\)", lambda: costates(layer, theta, path, 1.0)),
        (
            "p holds torch.float32; it must be that of the state",
            lambda: costates(layer, theta, path, h.float()),
        ),
        ("theta is 3; it must be a dict", lambda: backpropagate(layer, 3, h, energy, steps=6)),
        (
            r"theta\['a'\] is 1.0; it must be a tensor of floating",
            lambda: backpropagate(layer, {"a": 1.0}, h, energy, steps=6),
        ),
        (
            r"theta\['a'\] is 1.0; it must be a tensor of floating",
            lambda: costate_gradient(linear, {"a": 1.0}, h, energy, horizon=1, steps=6),
        ),
        (r"v has the shape \(4,\)", lambda: tangents(layer, theta, path, h[0])),
        ("horizon is 0; it must be a positive", lambda: solver_layer(linear, horizon=0, steps=2)),
        ("steps is 2.5; it must be", lambda: solver_layer(linear, horizon=1, steps=2.5)),
        ("module is 1; it must be a torch.nn.Module", lambda: functional(1)),
    ]
    for message, call in cases:
        with pytest.raises(ValueError, match=message) as refusal:
            call()
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": -1.0}, "horizon is -1.0; it must be a positive"),
        ({"steps": 0}, "steps is 0; it must be a whole number"),
        ({"h": [1.0]}, r"h is \[1.0\]; it must be a tensor"),
        ({"loss": lambda h: h.repeat(2)}, "loss must return"),
    ],
)
def test_bad_input_of_the_costate_equation_is_refused(change, message):
    good = {"h": double([1.0]), "loss": energy, "horizon": 1.0, "steps": 2}
    with pytest.raises(ValueError, match=message):
        costate_gradient(linear, {"theta": double(0.3)}, **(good | change))
