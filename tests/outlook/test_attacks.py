"""Attacks and attributions against classifiers whose boundary is known."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from dsnnlib import integrate
from dsnnlib.outlook.attacks import answers, projected_gradient, smallest_attack
from dsnnlib.outlook.attribution import finite_time_exponents, integrated_gradients
from dsnnlib.propagation.neural_ode import neural_ode


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def ring(x):
    """Positive outside the unit circle."""
    return x.norm(dim=-1, keepdim=True) ** 2 - 1


def ellipse(x):
    return (x[..., :1] / 2) ** 2 + x[..., 1:] ** 2 - 1


ROWS = normal(5, 6, seed=9)


def linear(x):
    return x @ ROWS.T


def distance_of_linear(x):
    out = linear(x)
    winner = out.argmax(1)
    gaps = out.gather(1, winner[:, None]) - out
    sizes = (ROWS[winner][:, None] - ROWS).norm(dim=-1)
    return torch.where(sizes > 0, gaps / sizes, torch.inf).min(1).values


# ---- the smallest attack ----


def test_it_finds_the_exact_distance_of_a_linear_classifier():
    x = normal(50, 6)
    point, distance = smallest_attack(linear, x)
    assert torch.allclose(distance, distance_of_linear(x), rtol=1e-3)
    assert (distance >= distance_of_linear(x) * (1 - 1e-9)).all()
    assert (answers(linear, point) != answers(linear, x)).all()
    assert torch.allclose((point - x).norm(dim=1), distance)


def test_it_finds_the_exact_distance_to_a_circle_from_both_sides():
    x = 1.4 * normal(60, 2)
    _, distance = smallest_attack(ring, x)
    exact = (x.norm(dim=1) - 1).abs()
    assert torch.allclose(distance, exact, rtol=1e-3, atol=1e-3)
    assert (distance >= exact * (1 - 1e-9)).all()


def test_it_turns_towards_the_nearest_point_of_an_ellipse():
    turn = torch.linspace(0, 2 * torch.pi, 20001, dtype=torch.float64)
    edge = torch.stack([2 * turn.cos(), turn.sin()], 1)
    x = torch.tensor([[2.5, 1.5], [-1.0, 1.6], [0.3, -2.0], [1.5, 0.2]], dtype=torch.float64)
    exact = torch.cdist(x, edge).min(1).values
    _, distance = smallest_attack(ellipse, x)
    assert torch.allclose(distance, exact, rtol=1e-3)


def test_it_reports_infinity_where_there_is_nothing_to_find():
    _, distance = smallest_attack(lambda x: 1 + x[:, :1] ** 2, normal(3, 2), steps=3)
    assert (distance == torch.inf).all()


def test_it_does_not_look_beyond_its_reach():
    x = torch.tensor([[3.0, 0.0]], dtype=torch.float64)
    assert smallest_attack(ring, x, reach=1.5)[1].item() == torch.inf
    assert smallest_attack(ring, x, reach=2.5)[1].item() == pytest.approx(2, rel=1e-3)


# ---- projected gradients ----


def test_it_stays_in_the_ball_and_finds_the_boundary_if_there_is_one():
    x = normal(50, 6)
    exact = x[:, 0].abs()
    for factor, flips in ((0.99, False), (1.05, True)):
        for outputs in (lambda x: x[:, :1], lambda x: torch.stack([x[:, 0], -x[:, 0]], 1)):
            moved = projected_gradient(outputs, x, factor * exact, rng=rng())
            assert ((moved - x).norm(dim=1) <= factor * exact * (1 + 1e-12)).all()
            assert ((answers(outputs, moved) != answers(outputs, x)) == flips).all()


def test_it_never_succeeds_within_the_exact_distance_of_many_classes():
    x = normal(50, 6)
    moved = projected_gradient(linear, x, 0.999 * distance_of_linear(x), rng=rng())
    assert (answers(linear, moved) == answers(linear, x)).all()
    far = projected_gradient(linear, x, 3 * distance_of_linear(x), rng=rng())
    assert (answers(linear, far) != answers(linear, x)).double().mean() > 0.9


def test_one_radius_for_all_samples_is_allowed():
    x = 0.1 * normal(20, 2)
    moved = projected_gradient(ring, x, 2.0, rng=rng())
    assert (answers(ring, moved) == 1).all()
    assert (answers(ring, x) == 0).all()


def test_the_answer_is_a_sign_or_the_largest_output():
    assert answers(ring, torch.tensor([[0.0, 0.0], [2.0, 0.0]])).tolist() == [0, 1]
    assert (answers(linear, ROWS) == linear(ROWS).argmax(1)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: projected_gradient(ring, normal(2, 2), 0.0, rng=rng()), "radius is 0; it must"),
        (lambda: projected_gradient(ring, normal(2, 2), -1.0, rng=rng()), "radius is -1; it must"),
        (lambda: projected_gradient(ring, normal(2, 2), 1.0, steps=0, rng=rng()), "steps is 0"),
        (lambda: projected_gradient(ring, normal(2, 2), np.inf, rng=rng()), "radius is inf; it"),
        (lambda: projected_gradient(ring, normal(2, 2), normal(3), rng=rng()), "radius has the sh"),
        (lambda: projected_gradient(ring, normal(2), 1.0, rng=rng()), r"x is .* tensor \(N, d\)"),
        (lambda: projected_gradient(ring, normal(2, 2), 1.0, rng=None), "rng is None"),
        (lambda: smallest_attack(ring, normal(2)), r"x is .* tensor \(N, d\)"),
        (lambda: smallest_attack(ring, torch.ones((2, 2), dtype=int)), r"x is .* floating-point"),
        (lambda: smallest_attack(ring, normal(2, 2), steps=0), "steps is 0"),
        (lambda: smallest_attack(ring, normal(2, 2), bisections=0), "bisections is 0"),
        (lambda: smallest_attack(ring, normal(2, 2), reach=0), "reach is 0; it must be a positive"),
        (lambda: integrated_gradients(ring, normal(2, 2), normal(2), nodes=0), "nodes is 0"),
        (lambda: integrated_gradients(ring, normal(2, 2), normal(3)), "reference has the shape"),
        (lambda: integrated_gradients(ring, normal(2), normal(2)), r"x is .* tensor \(N, d\)"),
        (lambda: finite_time_exponents(network(), normal(2)), r"x is .* tensor \(N, d\)"),
        (
            lambda: finite_time_exponents(network(tolerance=1e-6), normal(3, 2)),
            "model has the tolerance 1e-06; it must have fixed steps",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_model_without_slope_is_left_alone():
    model = network()
    with torch.no_grad():
        model.readout.weight.zero_()
    assert (smallest_attack(model, normal(3, 2))[1] == torch.inf).all()


# ---- exponents ----


def network(**options):
    return neural_ode(2, 3, 1, 5, rng=rng(), **options)


class Linear(torch.nn.Module):
    B = normal(3, 3, seed=4)

    def forward(self, t, h):
        return h @ self.B.T


@pytest.mark.parametrize("horizon", [0.5, 2.0])
def test_exponents_of_a_linear_flow_are_those_of_its_matrix_exponential(horizon):
    model = network(horizon=horizon, steps=200)
    model.field = Linear()
    stretch = expm(horizon * Linear.B.numpy()) @ model.lift.weight.detach().numpy()
    expected = np.log(np.linalg.norm(stretch, 2)) / horizon
    assert np.allclose(finite_time_exponents(model, normal(4, 2)), expected, atol=1e-8)  # RK4


@pytest.mark.parametrize("method", [integrate.EULER, integrate.RK4])
def test_exponents_are_the_largest_stretch_of_small_circles(method):
    model, x = network(steps=6, method=method), normal(10, 2)
    turn = torch.linspace(0, torch.pi, 721, dtype=torch.float64)
    push = 1e-5 * torch.stack([turn.cos(), turn.sin()], 1)[:, None]
    with torch.no_grad():
        ends = [model.states(x + s * push)[-1] for s in (1, -1)]
    stretch = ((ends[0] - ends[1]).norm(dim=-1) / 2e-5).max(0).values
    # the nearest of the directions misses the best one by at most pi / 1440
    assert torch.allclose(finite_time_exponents(model, x), stretch.log(), atol=1e-5)


# ---- integrated gradients ----


def test_the_shares_of_a_network_add_up():
    model = neural_ode(4, 5, 1, 6, rng=rng(), steps=5, scale=0.5)
    x, reference = normal(10, 4, seed=1), normal(4, seed=2)

    def phi(z):
        return model(z)[..., 0]

    shares = integrated_gradients(phi, x, reference, nodes=40)
    assert torch.allclose(shares.sum(1), (phi(x) - phi(reference)).detach(), atol=1e-9)


def test_two_nodes_are_exact_for_cubics_and_not_for_higher_powers():
    x = normal(5, 3, seed=1)
    for power, exact in ((1, True), (3, True), (4, True), (6, False)):
        shares = integrated_gradients(lambda z, n=power: (z**n).sum(-1), x, 0 * x, nodes=2)
        assert torch.allclose(shares, x**power, atol=1e-12) == exact


def test_a_pixel_that_does_not_matter_or_does_not_move_gets_nothing():
    x, reference = normal(5, 3, seed=1), normal(5, 3, seed=2)
    reference[:, 1] = x[:, 1]
    shares = integrated_gradients(lambda z: torch.sin(z[:, 0] * z[:, 1]), x, reference)
    assert (shares[:, 1:] == 0).all()
    change = torch.sin(x[:, 0] * x[:, 1]) - torch.sin(reference[:, 0] * x[:, 1])
    assert torch.allclose(shares[:, 0], change, atol=1e-12)


def test_a_product_is_shared_in_equal_parts():
    x = torch.tensor([[2.0, 5.0]], dtype=torch.float64)
    shares = integrated_gradients(lambda z: z.prod(-1), x, 0 * x)
    assert np.allclose(shares, 5)
