"""The network with two weights: its flow of inputs and its flow of weights."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from dsnnlib.introduction.two_weights import TwoWeights, equilibrium, slope

INPUTS = np.linspace(-1.5, 1.5, 7)


@pytest.fixture
def network():
    return TwoWeights.taught(INPUTS, [1.2, 1.5])


def test_the_states_converge_to_the_flow_at_first_order():
    u, v = 1.3, 1.1
    exact = solve_ivp(
        lambda t, h: -h + u * np.tanh(v * h), (0, 4), INPUTS, rtol=1e-11, atol=1e-12
    ).y[:, -1]
    errors = [
        abs(TwoWeights(INPUTS, INPUTS, layers=layers).states([u, v])[-1] - exact).max()
        for layers in (100, 200, 400)
    ]
    assert np.diff(np.log2(errors)) == pytest.approx([-1, -1], abs=0.05)  # the correction is O(dt)


def test_a_taught_network_has_no_loss_and_no_gradient_at_its_teacher(network):
    assert network.loss([1.2, 1.5]) == 0
    assert (network.gradient([1.2, 1.5]) == 0).all()
    assert network.loss([-1.2, -1.5]) == 0  # u tanh(v h) does not change with both signs


def test_the_gradient_is_that_of_autograd(network):
    theta = np.random.default_rng(0).uniform(-2, 2, size=(5, 2))
    for row in theta:
        t = torch.tensor(row, requires_grad=True)
        h = torch.tensor(network.x)
        for _ in range(network.layers):
            h = h + network.dt * (-h + t[0] * torch.tanh(t[1] * h))
        ((h - torch.tensor(network.y)) ** 2).mean().div(2).backward()
        assert network.gradient(row) == pytest.approx(t.grad.numpy(), rel=1e-11, abs=1e-14)


def test_many_weights_at_once_are_one_after_the_other(network):
    theta = np.random.default_rng(0).uniform(0, 2, size=(3, 4, 2))
    assert network.states(theta).shape == (41, 3, 4, 7)
    assert network.loss(theta)[1, 2] == pytest.approx(network.loss(theta[1, 2]), rel=1e-14)
    assert network.gradient(theta)[1, 2] == pytest.approx(network.gradient(theta[1, 2]), rel=1e-13)


def test_the_hessian_is_symmetric_and_positive_at_the_teacher(network):
    hessian = network.hessian([1.2, 1.5])
    assert hessian[0, 1] == hessian[1, 0]
    assert np.linalg.eigvalsh(hessian)[0] > 0
    direction = np.array([0.6, -0.8])
    second = network.loss([1.2, 1.5] + 1e-3 * direction) + network.loss(
        [1.2, 1.5] - 1e-3 * direction
    )
    assert second / 1e-6 == pytest.approx(direction @ hessian @ direction, rel=1e-3)


@pytest.mark.parametrize(
    "u, v", [(2, 1), (1, 1.001), (0.3, 30), (1e3, 2), (0.5, 2.5), (1e-20, 2e20)]
)
def test_the_rest_state_is_a_positive_root(u, v):
    h = equilibrium(u, v)
    assert 0 < h <= u
    assert u * np.tanh(v * h) == pytest.approx(h, rel=1e-10)


def test_there_is_no_other_rest_state_up_to_the_pitchfork():
    assert equilibrium(0.5, 2) == equilibrium(0.9, 1) == 0.0


def test_the_slope_at_zero_is_that_of_the_states(network):
    for u, v in ((0.5, 0.5), (1.2, 1.5)):
        near = network.states([u, v], [1e-7])[-1, 0] / 1e-7
        assert near == pytest.approx(slope(u, v, horizon=4, layers=40), rel=1e-9)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: TwoWeights([1, 2], [1]), "targets has the shape"),
        (lambda: TwoWeights([1], [1], horizon=0), "horizon is 0"),
        (lambda: TwoWeights([1], [1], layers=0), "layers is 0"),
        (lambda: TwoWeights([np.nan], [1]), "inputs holds NaN"),
        (lambda: TwoWeights([1], [1]).states([1, 2, 3]), "its last axis must be"),
        (lambda: TwoWeights([1], [1]).states(3.0), "its last axis must be"),
        (lambda: TwoWeights([1], [1]).states([1, 2], [[1.0]]), "x has 2 dimensions"),
        (lambda: TwoWeights([1], [1]).hessian([[1, 2]]), "theta has the shape"),
        (lambda: TwoWeights([1], [1]).hessian([1, 2], h=0), "h is 0"),
        (lambda: equilibrium(-1, 2), "u is -1"),
        (lambda: equilibrium(1, 0), "v is 0"),
        (lambda: equilibrium(1e200, 1e200), "u v is inf"),
        (lambda: slope(1, 1, horizon=-1, layers=3), "horizon is -1"),
        (lambda: slope(1, 1, horizon=1, layers=0), "layers is 0"),
        (lambda: slope(np.inf, 1, horizon=1, layers=1), "u is inf"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
