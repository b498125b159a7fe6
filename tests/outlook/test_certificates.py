"""Certificates against networks whose answer is known, and against sampled perturbations."""

import numpy as np
import pytest
import torch
from torch import nn

from dsnnlib import integrate
from dsnnlib.outlook.attacks import answers
from dsnnlib.outlook.certificates import (
    GradientField,
    certified_radius,
    layer_factor,
    slack,
    tube,
    tube_radius,
)
from dsnnlib.propagation.neural_ode import TanhField, neural_ode, variation

EYE, ONE = torch.eye(3, dtype=torch.float64), torch.ones(2, dtype=torch.float64)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


FIELD = TanhField(2, 2, rng=rng())


def network(kind="free", d=2, m=3, q=1, k=5, *, steps=8, method=integrate.EULER, seed=0):
    model = neural_ode(d, m, q, k, rng=rng(seed), scale=0.8, steps=steps, method=method)
    if kind == "gradient":
        model.field = GradientField(m, k, rng=rng(seed), rate=0.3)
    return model


def inputs(n=20, d=2, seed=1):
    return torch.randn(n, d, generator=rng(seed), dtype=torch.float64)


def jacobian(field, h, t=0.3):
    return torch.func.jacrev(lambda h: field(t, h))(h)


# ---- the gradient field ----


def test_the_gradient_field_is_minus_the_gradient_of_its_potential():
    field = GradientField(3, 5, rng=rng(), rate=0.7)
    h, t = inputs(1, 3)[0], 0.4

    def potential(h):
        return torch.log(torch.cosh(field.W @ h + field.c * t + field.b)).sum() + 0.35 * h @ h

    assert torch.allclose(field(t, h), -torch.func.grad(potential)(h), atol=1e-12)


def test_the_symmetric_part_of_its_jacobian_is_at_most_minus_the_rate():
    field = GradientField(3, 5, rng=rng(), rate=0.7, scale=2.0)
    for h in inputs(20, 3):
        J = jacobian(field, h).detach()
        assert torch.allclose(J, J.T, atol=1e-12)
        assert torch.linalg.eigvalsh(J)[-1] <= -0.7 + 1e-12


def test_its_lipschitz_constant_bounds_the_jacobian_and_is_reached_at_zero():
    field = GradientField(3, 5, rng=rng(), rate=0.7)
    norms = [torch.linalg.matrix_norm(jacobian(field, h), 2) for h in inputs(20, 3)]
    assert max(norms) <= field.lipschitz
    with torch.no_grad():
        field.b.zero_()
        field.c.zero_()
    at_zero = torch.linalg.matrix_norm(jacobian(field, torch.zeros(3, dtype=torch.float64)), 2)
    assert at_zero.item() == pytest.approx(field.lipschitz, abs=1e-12)


# ---- slack and radius ----


class Half(nn.Module):
    """The field h / 2."""

    def forward(self, t, h):
        return h / 2


def test_the_slack_of_scalar_output_is_the_distance_to_the_plane():
    model, x = network(), inputs()
    v, h = model.readout.weight[0].detach(), model.states(x)[-1].detach()
    foot = h - (model(x) / (v @ v)).detach() * v
    assert torch.allclose(model.readout(foot), torch.zeros(20, 1, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(slack(model, x), (h - foot).norm(dim=1), atol=1e-12)


def test_the_slack_of_classes_is_the_distance_to_the_nearest_plane():
    model, x = network(q=4), inputs()
    h, rows, room = model.states(x)[-1].detach(), model.readout.weight.detach(), slack(model, x)
    for i, state in enumerate(h):
        out = model.readout(state).detach()
        winner = out.argmax()
        push = torch.stack([rows[j] - rows[winner] for j in range(4) if j != winner])
        push = push / push.norm(dim=1, keepdim=True)
        inside = model.readout(state + 0.999 * room[i] * push).argmax(1)
        outside = model.readout(state + 1.001 * room[i] * push).argmax(1)
        assert (inside == winner).all()
        assert (outside != winner).any()


@pytest.mark.parametrize("q", [1, 3])
def test_a_tie_is_certified_for_no_radius(q):
    model = network(q=q)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
    assert (slack(model, inputs()) == 0).all()
    assert (tube_radius(model, inputs()) == 0).all()


def test_two_equal_classes_do_not_disturb_a_third():
    model, x = network(q=3), inputs()
    with torch.no_grad():
        model.readout.weight[1] = model.readout.weight[0]
        model.readout.bias[1], model.readout.bias[2] = model.readout.bias[0], 50.0
    gaps = (model(x)[:, 2] - model(x)[:, 0]).detach()
    size = (model.readout.weight[2] - model.readout.weight[0]).norm().item()
    assert torch.allclose(slack(model, x), gaps / size)


def test_the_certified_radius_is_exact_for_a_flow_that_dilates():
    model = neural_ode(3, 3, 1, 2, rng=rng(), steps=1, method=integrate.EULER)
    model.field = Half()  # one Euler step: times 1.5
    with torch.no_grad():
        model.lift.weight.copy_(2 * EYE)
    x = inputs(10, 3)
    radius, v = certified_radius(model, x, 1.5), model.readout.weight[0].detach()
    toward = -torch.sign(model(x)).detach() * v / v.norm()
    for factor, same in ((0.999, True), (1.001, False)):
        moved = answers(model, x + factor * radius[:, None] * toward)
        assert ((moved == answers(model, x)) == same).all()


# ---- the factor of a layer ----


@pytest.mark.parametrize(
    "field", [TanhField(3, 5, rng=rng()), GradientField(3, 5, rng=rng(), rate=0.4)]
)
def test_no_slopes_in_the_box_exceed_the_factor(field):
    low = 0.5 * torch.rand(5, generator=rng(2), dtype=torch.float64)
    high = low + 0.5 * torch.rand(5, generator=rng(3), dtype=torch.float64)
    bound = layer_factor(field, 0.2, low, high)
    d = low + (high - low) * torch.rand(3000, 5, generator=rng(4), dtype=torch.float64).round()
    rate = getattr(field, "rate", 0)
    J = (field.Wt * d[:, None]) @ field.W - rate * EYE
    norms = torch.linalg.matrix_norm(EYE + 0.2 * J, 2).detach()
    assert norms.max() <= bound * (1 + 1e-12)
    if isinstance(field, GradientField):  # all 32 corners are among the draws
        assert norms.max().item() == pytest.approx(bound.item(), rel=1e-12)


def test_a_gradient_layer_with_a_long_step_expands_by_its_other_end():
    field = GradientField(3, 5, rng=rng(), scale=2.0)
    one = torch.ones(5, dtype=torch.float64)
    top = torch.linalg.matrix_norm(field.W, 2).item() ** 2
    assert layer_factor(field, 2 / top, 0 * one, one).item() == pytest.approx(1)
    assert layer_factor(field, 3 / top, 0 * one, one).item() == pytest.approx(2)


def test_the_factor_at_known_slopes_is_the_norm_of_the_jacobian():
    field = TanhField(3, 5, rng=rng())
    h = inputs(1, 3)[0]
    d = 1 - torch.tanh(field.W @ h + 0.3 * field.c + field.b).detach() ** 2
    J = EYE + 0.1 * jacobian(field, h)
    assert layer_factor(field, 0.1, d, d).item() == pytest.approx(
        torch.linalg.matrix_norm(J, 2).item(), abs=1e-12
    )


# ---- the tube ----


@pytest.mark.parametrize("kind", ["free", "gradient"])
@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
def test_no_perturbation_leaves_the_tube(kind, size):
    model, x = network(kind), inputs(5)
    radii = tube(model, x, size)
    push = torch.randn(300, 5, 3, generator=rng(5), dtype=torch.float64)
    push = size * push / push.norm(dim=-1, keepdim=True)
    with torch.no_grad():
        h, other = model.lift(x), model.lift(x) + push
        for n in range(model.steps):
            assert ((other - h).norm(dim=-1) <= radii[n] * (1 + 1e-12)).all()
            h = h + model.field(n / 8, h) / 8
            other = other + model.field(n / 8, other) / 8
        assert ((other - h).norm(dim=-1) <= radii[-1] * (1 + 1e-12)).all()


def test_a_thin_tube_grows_by_the_norms_of_the_layers():
    model, x = network(), inputs(3)
    growth = tube(model, x, torch.full((3,), 1e-9, dtype=torch.float64))[-1] / 1e-9
    states = model.states(x).detach()
    for i in range(3):
        product = 1.0
        for n in range(8):
            J = EYE + jacobian(model.field, states[n, i], n / 8) / 8
            product *= torch.linalg.matrix_norm(J, 2).item()
        assert growth[i].item() == pytest.approx(product, rel=1e-6)  # boxes of size 1e-9


@pytest.mark.parametrize("sign", [1, -1])
def test_a_tube_of_one_neuron_by_hand(sign):
    # f = sign tanh(h), h_0 = 2, r_0 = 1.5: slopes between those at 3.5 and at 0.5; one step of 1/2
    model = neural_ode(1, 1, 1, 1, rng=rng(), steps=2, method=integrate.EULER)
    if sign == -1:
        model.field = GradientField(1, 1, rng=rng())
    with torch.no_grad():
        for layer in (model.lift.weight, model.field.W):
            layer.fill_(1.0)
        if sign == 1:
            model.field.Wt.fill_(1.0)
        for layer in (model.lift.bias, model.field.c, model.field.b):
            layer.zero_()
    x = torch.tensor([[2.0]], dtype=torch.float64)
    radii = tube(model, x, torch.tensor([1.5], dtype=torch.float64))
    slope = np.cosh(0.5 if sign == 1 else 3.5) ** -2
    assert radii[1].item() == pytest.approx(1.5 * (1 + sign * slope / 2), abs=1e-12)


@pytest.mark.parametrize("kind", ["free", "gradient"])
def test_the_tube_radius_uses_its_room_and_no_more(kind):
    model, x = network(kind, q=3), inputs()
    norm = torch.linalg.matrix_norm(model.lift.weight.detach(), 2)
    r0 = tube_radius(model, x) * norm
    ends, room = (tube(model, x, f * r0)[-1] for f in (1, 1.001)), slack(model, x)
    below, above = ends
    assert (below <= room).all()
    assert (above > room).all()


def test_a_strong_contraction_is_given_more_than_its_slack():
    model = network("gradient", steps=40)
    model.field.rate = 8.0
    norm = torch.linalg.matrix_norm(model.lift.weight.detach(), 2)
    assert (tube_radius(model, inputs()) * norm > 1000 * slack(model, inputs())).all()


@pytest.mark.parametrize("kind", ["free", "gradient"])
@pytest.mark.parametrize("q", [1, 3])
def test_no_answer_changes_within_the_tube_radius(kind, q):
    model, x = network(kind, q=q), inputs(30)
    push = torch.randn(500, 30, 2, generator=rng(6), dtype=torch.float64)
    push = push / push.norm(dim=-1, keepdim=True)
    radius = tube_radius(model, x)[:, None]
    assert (answers(model, x + 0.9999 * radius * push) == answers(model, x)).all()
    assert (answers(model, x + 30 * radius * push) != answers(model, x)).any()


def test_gronwall_bounds_the_flow_and_its_solver():
    for method in (integrate.EULER, integrate.RK4):
        model = network(method=method)
        J = variation(model.field, inputs(10, 3), steps=8, method=method)[1]
        assert torch.linalg.matrix_norm(J, 2).max() <= np.exp(model.field.lipschitz)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: certified_radius(network(), inputs(), 0), "growth is 0; it must be a positive"),
        (lambda: certified_radius(network(), inputs(), np.inf), "growth is inf"),
        (lambda: layer_factor(FIELD, 0, 0 * ONE, ONE), "dt is 0; it must be a positive"),
        (lambda: layer_factor(FIELD, 0.1, 0, ONE), "low is 0; it must be a tensor"),
        (lambda: layer_factor(FIELD, 0.1, ONE, ONE[:1]), r"high is .* a tensor \(..., 2\)"),
        (lambda: layer_factor(FIELD, 0.1, ONE, 0 * ONE), "low exceeds high"),
        (lambda: slack(network(), inputs()[0]), r"x is .* tensor \(N, d\)"),
        (lambda: tube_radius(network(), inputs().numpy()), r"x is .* tensor \(N, d\)"),
        (lambda: tube(network(), inputs(), torch.ones(3)), r"r0 has the shape \(3,\)"),
        (lambda: tube(network(), inputs(), np.inf), "r0 is inf; it must be finite"),
        (lambda: tube_radius(network(method=integrate.RK4), inputs()), "not run by Euler steps"),
        (lambda: tube(network(method=integrate.RK4), inputs(), 1), "not run by Euler steps"),
        (lambda: tube_radius(network(), inputs(), bisections=0), "bisections is 0"),
        (lambda: tube(network(), inputs(2), torch.tensor([1.0, -1.0])), "r0 is -1; it must"),
        (lambda: GradientField(0, 2, rng=rng()), "m is 0"),
        (lambda: GradientField(2, 0, rng=rng()), "k is 0"),
        (lambda: GradientField(2, 2, rng=rng(), rate=np.nan), "rate is nan"),
        (lambda: GradientField(2, 2, rng=rng(), scale=0), "scale is 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_field_that_is_no_layer_of_neurons_is_refused():
    model = network()
    model.field = nn.Linear(3, 3)
    with pytest.raises(ValueError, match="it must be a TanhField or GradientField"):
        tube_radius(model, inputs())


def test_a_horizon_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="horizon is 0; it must be a positive"):
        neural_ode(2, 2, 1, 3, rng=rng(), horizon=0, method=integrate.EULER)
