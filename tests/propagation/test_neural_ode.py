"""The flow of a neural ODE, its derivative and its gradients, each against a second answer."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch import nn
from torchdiffeq import odeint_adjoint

from dsnnlib import integrate
from dsnnlib.propagation.networks import ResNet
from dsnnlib.propagation.neural_ode import (
    NeuralODE,
    TanhField,
    adaptive_flow,
    fit,
    neural_ode,
    variation,
)

MATRIX = torch.tensor([[0.3, -1.2, 0.1], [0.8, -0.4, 0.5], [0.0, 0.2, 0.6]], dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(*shape, seed=1):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def linear(n_in, n_out, weight=None):
    layer = nn.Linear(n_in, n_out, dtype=torch.float64)
    if weight is not None:
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(weight, dtype=torch.float64))
            layer.bias.zero_()
    return layer


def test_a_linear_field_gives_the_matrix_exponential():
    lift, readout = linear(2, 3), linear(3, 2)
    model = NeuralODE(lift, lambda t, h: h @ MATRIX.T, readout, horizon=1.5, steps=200)
    x = points(7, 2)
    expected = readout(lift(x) @ torch.tensor(expm(1.5 * MATRIX.numpy())).T)
    assert torch.allclose(model(x), expected, atol=1e-9, rtol=0)  # RK4: (1.5/200)^4 = 3e-9


@pytest.mark.parametrize("method", [integrate.EULER, integrate.MIDPOINT, integrate.RK4])
def test_the_flow_converges_with_the_order_of_its_method(method):
    model = neural_ode(2, 3, 1, 8, rng=generator(), method=method)
    x, (h,) = points(1, 2), model.lift(points(1, 2)).detach().numpy()
    exact = solve_ivp(
        lambda t, h: model.field(t, torch.tensor(h)).detach().numpy(),
        (0, 1),
        h,
        method="DOP853",
        rtol=1e-13,
        atol=1e-13,
    ).y[:, -1]
    errors = []
    for model.steps in (16, 32, 64):
        errors.append(np.abs(model.states(x)[-1, 0].detach().numpy() - exact).max())
    orders = np.diff(-np.log2(errors))
    assert abs(orders[-1] - method.order) < 0.2


def test_the_adaptive_solver_keeps_its_tolerance():
    model = neural_ode(2, 3, 2, 8, rng=generator(), steps=400)
    x = points(20, 2)
    fine = model(x)
    for model.tolerance in (1e-5, 1e-8):
        error = (model(x) - fine).abs().max()
        assert 0 < error < 100 * model.tolerance  # local control: a small multiple of it


@pytest.mark.parametrize("tolerance", [None, 1e-9])
def test_samples_do_not_see_each_other(tolerance):
    model = neural_ode(2, 3, 1, 8, rng=generator(), tolerance=tolerance)
    x = points(9, 2)
    alone = torch.cat([model(one[None]) for one in x])
    assert torch.allclose(model(x), alone, atol=1e-14 if tolerance is None else 1e-7, rtol=0)


def test_any_batch_shape_is_kept():
    model = neural_ode(2, 3, 4, 8, rng=generator(), steps=5)
    x = points(3, 5, 2)
    assert model(x).shape == (3, 5, 4)
    assert model.states(x).shape == (6, 3, 5, 3)
    assert torch.allclose(model(x)[1, 2], model(x[1, 2]), atol=1e-14)


def test_the_variational_equation_gives_the_derivative_of_the_flow():
    field = TanhField(3, 8, rng=generator())
    h = points(4, 3)
    end, J = variation(field, h, horizon=2.0, steps=40)
    model = NeuralODE(linear(3, 3, torch.eye(3)), field, linear(3, 3, torch.eye(3)), horizon=2.0)
    model.steps = 40
    assert torch.allclose(end, model(h), atol=1e-14)
    delta = 1e-5
    for column in range(3):
        shift = delta * torch.eye(3, dtype=torch.float64)[column]
        difference = (model(h + shift) - model(h - shift)) / (2 * delta)
        assert torch.allclose(J[..., column], difference, atol=1e-8)  # delta^2 and eps/delta


def test_liouville_the_determinant_is_the_integral_of_the_divergence():
    field, steps = TanhField(2, 8, rng=generator()), 200
    h = points(5, 2)
    _, J = variation(field, h, steps=steps)
    path = NeuralODE(linear(2, 2, torch.eye(2)), field, linear(2, 1), steps=steps).states(h)
    times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    divergence = torch.stack(
        [
            torch.stack(
                [
                    torch.autograd.functional.jacobian(lambda z: field(float(t), z), one).trace()  # noqa: B023
                    for one in state
                ]
            )
            for t, state in zip(times, path.detach(), strict=True)
        ]
    )
    expected = torch.exp(torch.trapezoid(divergence, times, dim=0))
    assert torch.allclose(torch.linalg.det(J), expected, rtol=1e-4)  # trapezoid: 1/200^2
    assert (torch.linalg.det(J) > 0).all()


def test_the_gradient_of_the_output_is_the_product_of_its_three_factors():
    model = neural_ode(2, 2, 1, 8, rng=generator())
    x = points(10, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    _, J = variation(model.field, model.lift(x))
    factors = model.readout.weight @ J @ model.lift.weight
    assert torch.allclose(gradient, factors[:, 0], atol=1e-13)
    assert gradient.norm(dim=1).min() > 0


def test_random_layers_multiply_their_second_moments():
    L = 10  # signs instead of normal weights: the mean over all 2^L networks is exact
    signs = torch.tensor(list(product([-1.0, 1.0], repeat=L)), dtype=torch.float64).T
    for b in (0.5, 1.0):
        net = ResNet([lambda h, xi=xi: xi * h for xi in signs], step=L**-b)
        end = net(torch.ones(2**L, dtype=torch.float64))
        assert end.mean().item() == pytest.approx(1, abs=1e-13)
        assert end.square().mean().item() == pytest.approx((1 + L ** (-2 * b)) ** L, rel=1e-13)


def test_the_error_of_a_residual_network_has_the_predicted_constant():
    h0, L = 0.2, 4000
    net = ResNet([lambda h: h * (1 - h)] * L, step=1 / L)
    exact = 1 / (1 + 4 * math.exp(-1))
    scaled = L * (exact - net(torch.tensor([h0], dtype=torch.float64)).item())
    slope, start = exact * (1 - exact), h0 * (1 - h0)
    assert scaled == pytest.approx(slope * math.log(slope / start) / 2, abs=1e-5)  # O(1/L)


def test_trajectories_keep_the_distance_that_gronwall_allows():
    field = TanhField(3, 8, rng=generator())
    a, b = points(50, 3, seed=2), points(50, 3, seed=3)
    model = NeuralODE(linear(3, 3, torch.eye(3)), field, linear(3, 3, torch.eye(3)), steps=50)
    ratio = (model(a) - model(b)).norm(dim=-1) / (a - b).norm(dim=-1)
    assert math.exp(-field.lipschitz) <= ratio.min() <= ratio.max() <= math.exp(field.lipschitz)


def test_gradients_through_the_solver_are_finite_differences():
    model = neural_ode(2, 3, 1, 4, rng=generator())
    x = points(6, 2)
    value = model(x).square().sum()
    value.backward()
    for parameter in model.parameters():
        gradient, flat = parameter.grad, parameter.detach().view(-1)
        index = flat.numel() // 2
        ends = []
        for delta in (1e-5, -1e-5):
            flat[index] += delta
            ends.append(model(x).square().sum().item())
            flat[index] -= delta
        difference = (ends[0] - ends[1]) / 2e-5
        assert difference == pytest.approx(gradient.view(-1)[index].item(), abs=1e-7)


def test_gradients_through_the_solver_tend_to_the_adjoint_equation():
    model = neural_ode(2, 3, 1, 4, rng=generator(), steps=80)
    x = points(6, 2)
    parameters = list(model.field.parameters())
    through = torch.autograd.grad(model(x).square().sum(), parameters)
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    end = odeint_adjoint(model.field, model.lift(x), times, rtol=1e-10, atol=1e-10)[-1]
    adjoint = torch.autograd.grad(model.readout(end).square().sum(), parameters)
    for one, other in zip(through, adjoint, strict=True):
        assert torch.allclose(one, other, atol=1e-6)  # O(dt^4) and the adjoint's tolerance


@pytest.mark.parametrize(
    "d, m, q, expected",
    [
        (2, 2, 1, "non-augmented"),
        (2, 1, 1, "non-augmented"),
        (2, 3, 1, "augmented"),
        (1, 2, 3, "non-augmented"),
        (2, 3, 2, "augmented"),
    ],
)
def test_the_architecture_follows_from_the_dimensions(d, m, q, expected):
    assert neural_ode(d, m, q, 3, rng=generator()).architecture == expected


def test_a_lift_without_full_rank_is_degenerate():
    lift = linear(2, 3, [[1, 2], [2, 4], [3, 6]])
    assert NeuralODE(lift, TanhField(3, 2, rng=generator()), linear(3, 1)).architecture == (
        "degenerate"
    )
    readout = linear(3, 1, [[0, 0, 0]])
    assert NeuralODE(linear(2, 3), TanhField(3, 2, rng=generator()), readout).architecture == (
        "degenerate"
    )


def test_the_lipschitz_constant_bounds_difference_quotients():
    field = TanhField(3, 5, rng=generator())
    a, b = points(1000, 3, seed=4), points(1000, 3, seed=5)
    quotient = (field(0.3, a) - field(0.3, b)).norm(dim=-1) / (a - b).norm(dim=-1)
    assert quotient.max() <= field.lipschitz


def test_one_neuron_attains_its_lipschitz_constant_where_it_is_steepest():
    field, delta = TanhField(1, 1, rng=generator()), 1e-4
    centre = -(field.b / field.W[:, 0]).detach()
    slope = (field(0.0, centre + delta) - field(0.0, centre - delta)) / (2 * delta)
    assert abs(slope.item()) == pytest.approx(field.lipschitz, rel=1e-6)  # delta^2


def test_training_lowers_the_loss_and_repeats_with_its_generator():
    x = points(64, 1)
    runs = []
    for _ in range(2):
        model = neural_ode(1, 2, 1, 8, rng=generator(), steps=5)
        runs.append(
            fit(
                model,
                x,
                x**2,
                loss=nn.MSELoss(),
                steps=60,
                eta=0.03,
                batch=32,
                rng=generator(3),
                progress="",
            )
        )
    assert (runs[0] == runs[1]).all()
    assert len(runs[0]) == 60
    assert runs[0][-10:].mean() < runs[0][:10].mean() / 4


def test_training_shows_its_progress(capsys):
    model = neural_ode(1, 1, 1, 2, rng=generator(), steps=2)
    options = {"loss": nn.MSELoss(), "steps": 3, "eta": 0.1}
    fit(model, points(4, 1), points(4, 1), **options, progress="learning")
    assert "learning: 100%" in capsys.readouterr().err
    fit(model, points(4, 1), points(4, 1), **options, progress="")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lift": None}, "lift is None; it must be a torch.nn.Linear"),
        ({"readout": linear(2, 1)}, "readout takes 2 numbers; it must take the 3 that lift gives"),
        ({"field": 3}, "field is 3; it must be a function of t and h"),
        ({"horizon": 0}, "horizon is 0; it must be a positive finite number"),
        ({"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ({"tolerance": -1}, "tolerance is -1; it must be a positive finite number"),
    ],
)
def test_bad_architectures_are_refused_in_one_line(change, message):
    whole = {"lift": linear(2, 3), "field": lambda t, h: h, "readout": linear(3, 1)}
    with pytest.raises(ValueError, match=f"^{message}$"):
        NeuralODE(**(whole | change))


@pytest.mark.parametrize("tolerance", [None, 1e-6])
@pytest.mark.parametrize("field", [lambda t, h: h * float("nan"), lambda t, h: 50 * h**2])
def test_a_field_that_leaves_the_numbers_is_refused(field, tolerance):
    model = NeuralODE(linear(1, 1, [[1]]), field, linear(1, 1), tolerance=tolerance)
    with pytest.raises(ArithmeticError, match=r"field gave NaN|the adaptive solver gave up"):
        model(torch.ones(3, 1, dtype=torch.float64))


def test_a_variation_that_leaves_the_numbers_is_refused():
    with pytest.raises(ArithmeticError, match="it must stay finite"):
        variation(lambda t, h: 50 * h**2, points(2, 2))
    with pytest.raises(ValueError, match="h is 3; it must be a tensor of states"):
        variation(lambda t, h: h, 3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"y": points(3, 1)}, "y has 3 samples; it must have as many as x, 4"),
        ({"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ({"eta": 0}, "eta is 0; it must be a positive finite number"),
        ({"batch": 2}, "rng is missing; with batch it must be a torch.Generator"),
    ],
)
def test_bad_training_is_refused_in_one_line(change, message):
    model = neural_ode(1, 1, 1, 2, rng=generator(), steps=2)
    whole = {"x": points(4, 1), "y": points(4, 1), "loss": nn.MSELoss(), "steps": 2, "eta": 0.1}
    whole |= change
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(model, whole.pop("x"), whole.pop("y"), **whole)


def test_training_stops_at_a_loss_that_is_not_finite():
    model = neural_ode(1, 1, 1, 2, rng=generator(), steps=2)
    with pytest.raises(ArithmeticError, match="the loss is nan at step 0; try a smaller eta"):
        fit(
            model,
            points(4, 1),
            points(4, 1),
            loss=lambda p, y: (p - y).sum() * float("nan"),
            steps=2,
            eta=0.1,
            progress="",
        )


def test_the_adaptive_flow_solves_the_logistic_equation():
    h = torch.tensor([[0.2]], dtype=torch.float64)
    exact = 1 / (1 + 4 * math.exp(-1))
    assert adaptive_flow(lambda t, h: h * (1 - h), h, 1.0, 1e-9).item() == pytest.approx(
        exact, abs=1e-8
    )
