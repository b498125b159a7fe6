"""Universal embedding: shears and stages, each by an oracle."""

import math

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from scipy.linalg import expm

from dsnnlib import integrate
from dsnnlib.propagation.embedding import Shear, embed, in_turn, three_shears
from dsnnlib.propagation.neural_ode import TanhField, neural_ode, variation

SEQUENCES = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def end_of(field, start, times, **options):
    *_, end = integrate.trajectory(field, start, times, **options)
    return end


# ---- the shear ----


@pytest.mark.parametrize(
    "options",
    [
        {"method": integrate.EULER, "steps": 1},
        {"method": integrate.MIDPOINT, "steps": 3, "horizon": 0.2},
        {"steps": 5, "horizon": 7.0},
        {"tolerance": 1e-3, "horizon": 2.0},
    ],
    ids=["Euler", "midpoint", "RK4", "adaptive"],
)
@pytest.mark.parametrize(("d", "q", "m"), [(1, 1, 2), (2, 3, 5), (3, 1, 9)])
def test_every_solver_is_exact_on_a_shear(d, q, m, options):
    W = normal(d, q)
    x = normal(10, d, seed=1)
    phi = embed(lambda u: torch.sin(u @ W) + u.abs().sum(-1, keepdim=True), d, q, m, **options)
    answer = np.sin(x.numpy() @ W.numpy()) + np.abs(x.numpy()).sum(1, keepdims=True)
    np.testing.assert_allclose(phi(x), answer, rtol=0, atol=1e-13)  # rounding of numbers up to 10


def test_the_embedding_is_augmented_and_of_full_rank():
    for d, q in ((1, 1), (2, 1), (1, 3), (3, 2)):
        psi = embed(lambda u, q=q: u[..., :1].expand(*u.shape[:-1], q), d, q)
        assert psi.architecture == "augmented"
        assert psi.lift.out_features == d + q


def test_batches_of_any_shape_go_through():
    x = normal(4, 3, 2)
    np.testing.assert_allclose(embed(torch.square, 2, 2)(x), x**2, rtol=1e-15)  # rounding


def test_a_shear_keeps_volumes_and_its_derivative_is_that_of_psi():
    h = normal(6, 2)
    shear = Shear(lambda u: torch.sin(3 * u), 1, 1, horizon=2.0)
    _, derivative = variation(shear, h, horizon=2.0, steps=1)
    expected = np.zeros((6, 2, 2)) + np.eye(2)
    expected[:, 1, 0] = 3 * np.cos(3 * h[:, 0].numpy())
    np.testing.assert_allclose(derivative, expected, atol=1e-14)  # rounding
    np.testing.assert_allclose(torch.linalg.det(derivative), 1, atol=1e-14)


def test_only_psi_can_be_trained():
    psi = torch.nn.Linear(1, 1, dtype=torch.float64)
    trainable = [p for p in embed(psi, 1, 1).parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in psi.parameters()}


@pytest.mark.parametrize(("d", "q", "m"), [(1, 1, 1), (2, 2, 3), (1, 3, 3), (3, 1, 1)])
def test_too_few_dimensions_are_refused_with_the_numbers(d, q, m):
    with pytest.raises(ValueError, match=rf"m is {m}; .* {d} \+ {q} = {d + q} \(Theorem 2\.6"):
        embed(torch.square, d, q, m)


@pytest.mark.parametrize(("d", "q", "m"), [(1, 1, 1), (2, 1, 2), (2, 2, 3), (3, 2, 3), (1, 3, 2)])
def test_fewer_dimensions_leave_no_point_with_the_derivative_zero(d, q, m):
    """Sylvester: rank(B M A) >= rank B + rank A - m for invertible M, as dense matrices show."""
    for seed in range(20):
        A, B = normal(m, d, seed=seed), normal(q, m, seed=seed + 100)
        M = torch.linalg.matrix_exp(normal(m, m, seed=seed + 200))
        if m < d + q and max(d, q) <= m:  # the worst M: it turns im A into ker B as far as it fits
            kernel = torch.linalg.svd(B)[2][torch.linalg.matrix_rank(B) :].T
            frame = torch.cat([kernel, torch.linalg.svd(B)[2][: m - kernel.shape[1]].T], 1)
            M = frame @ torch.linalg.inv(torch.linalg.qr(A, mode="complete")[0])
        rank = int(torch.linalg.matrix_rank(B @ M @ A, rtol=1e-9))
        assert rank >= min(d, m) + min(q, m) - m >= 1
        if m < d + q and max(d, q) <= m:
            assert rank == d + q - m  # so the bound is attained


def circles():
    """Points of the unit disc in the plane, on circles."""
    radius, angle = np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 2 * np.pi, 61))
    return torch.from_numpy(radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1))


@pytest.mark.parametrize(("m", "bound"), [(2, 1.0), (3, 0.5)])
def test_networks_in_three_dimensions_miss_the_complex_square_by_one_half(m, bound):
    z = circles()
    answer = torch.view_as_real(torch.view_as_complex(z) ** 2)
    for seed in range(10):
        net = neural_ode(2, m, 2, 8, rng=torch.Generator().manual_seed(seed), scale=2.0, steps=40)
        with torch.no_grad():
            state = net.states(z)[-1]
            state = torch.cat([state, torch.ones_like(state[..., :1])], -1).flatten(0, 1)
        # the readout that fits best is a readout
        error = state @ torch.linalg.lstsq(state, answer.flatten(0, 1)).solution
        error = torch.linalg.vector_norm(error - answer.flatten(0, 1), dim=1).max()
        assert error >= bound - 1e-2  # the grid's spacing squared


def test_flows_miss_a_reflection_by_one():
    z = circles()
    for seed in range(10):
        field = TanhField(2, 8, rng=torch.Generator().manual_seed(seed), scale=2.0)
        with torch.no_grad():
            end = end_of(field, z, np.linspace(0, 1, 41))
        error = torch.linalg.vector_norm(end - z * torch.tensor([1.0, -1.0]), dim=-1).max()
        assert error >= 1 - 1e-2  # the grid's spacing squared


# ---- one field after another ----


def test_fields_in_turn_compose_their_time_one_maps():
    A, B, C = (normal(3, 3, seed=s).numpy() for s in range(3))
    fields = [lambda h, X=X: h @ X.T for X in (A, B, C)]
    start = np.eye(3)
    end = end_of(in_turn(*fields, horizon=2.0), start, np.linspace(0, 2, 601))
    expected = expm(C) @ expm(B) @ expm(A)
    np.testing.assert_allclose(end.T, expected, rtol=0, atol=1e-6)  # RK4, dt = 1/200 a stage


def test_fields_in_turn_are_integrated_to_fourth_order():
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    field = in_turn(lambda h: 2 * h @ rotation.T, lambda h: -h)
    errors = [
        np.abs(
            end_of(field, np.eye(2), np.linspace(0, 1, n + 1)).T - expm(2 * rotation - np.eye(2))
        )
        for n in (40, 80)
    ]
    order = math.log2(errors[0].max() / errors[1].max())
    assert order == pytest.approx(4, abs=0.3)  # the next order


def test_a_field_in_turn_is_continuous_in_time_and_ends_at_rest():
    field = in_turn(lambda h: 1 + 0 * h, lambda h: -1 + 0 * h)
    times = np.linspace(0, 1, 2001)
    speeds = np.array([field(t, 0.0) for t in times])
    assert speeds[0] == speeds[-1] == 0
    assert np.abs(np.diff(speeds)).max() < 0.02  # slope at most 24, times 1/2000, and margin
    assert np.trapezoid(np.abs(speeds), times) == pytest.approx(2, abs=1e-5)  # dt^2


# ---- three shears ----


@pytest.mark.parametrize(
    ("phi", "inverse", "atol"),
    [
        (torch.neg, torch.neg, 1e-14),
        (torch.sinh, torch.asinh, 1e-13),
        (lambda x: x.flip(-1), lambda x: x.flip(-1), 1e-14),
        (
            lambda x: -2 * x.sign() * x.abs() ** 3,
            lambda y: -y.sign() * (y.abs() / 2) ** (1 / 3),
            1e-5,
        ),
    ],
    ids=["minus", "sinh", "swap", "cube"],
)
def test_three_shears_leave_the_image_of_a_homeomorphism_and_nothing_else(phi, inverse, atol):
    x = normal(30, 2)
    end = end_of(three_shears(phi, inverse), torch.cat([x, 0 * x], -1), np.arange(4) / 3)
    expected = torch.cat([phi(x), 0 * x], -1)
    # rounding; near zero the cube root of rounding, 6e-6
    np.testing.assert_allclose(end, expected, rtol=0, atol=atol)


def test_three_shears_keep_volumes_even_if_phi_reverses_orientation():
    field = three_shears(lambda x: -x - x**3, lambda y: -(y + y.tanh()))  # not even inverse
    _, derivative = variation(field, normal(5, 4), steps=60)
    np.testing.assert_allclose(torch.linalg.det(derivative), 1, rtol=1e-6)  # RK4 in 60 steps


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: embed(torch.square, 0, 1), "d"),
        (lambda: embed(torch.square, 1, 1.0), "q"),
        (lambda: embed(torch.square, 1, 1, 2.5), "m"),
        (lambda: embed(torch.square, 2, 2, 3), "m"),
        (lambda: embed(torch.square, 1, 1, horizon=0), "horizon"),
        (lambda: embed(torch.square, 1, 1, steps=0), "steps"),
        (lambda: embed(torch.square, 1, 1, tolerance=-1), "tolerance"),
        (lambda: embed("square", 1, 1), "psi"),
        (lambda: embed(torch.square, 1, 2), "psi"),
        (lambda: embed(lambda u: u.sum(-1), 2, 1), "psi"),
        (lambda: Shear(None, 1, 1), "psi"),
        (lambda: Shear(torch.square, 1, -1), "q"),
        (lambda: Shear(torch.square, 1, 1, horizon=math.nan), "horizon"),
        (lambda: three_shears(torch.neg, 3), "inverse"),
        (lambda: three_shears(None, torch.neg), "phi"),
        (lambda: in_turn(), "fields"),
        (lambda: in_turn(np.sin, 3), "fields"),
        (lambda: in_turn(np.sin, horizon=-1), "horizon"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
