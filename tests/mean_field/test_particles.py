"""Two-layer networks as particles: autograd, symmetry, quadrature, conservation."""

import numpy as np
import pytest
import torch

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.particles import RELU, TANH, Activation, TwoLayer, gaussian_cloud

TORCH = {TANH: torch.tanh, RELU: torch.relu}


def problem(activation=TANH, n=6, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return TwoLayer(rng.normal(size=(n, d)), rng.normal(size=n), activation), rng


def by_autograd(net, w, mass):
    """Output, risk and -gradient of the risk over the masses."""
    w = torch.tensor(w, requires_grad=True)
    x, y, p = (torch.tensor(a) for a in (net.inputs, net.targets, mass))
    neurons = w[:, :1] * TORCH[net.activation](w[:, 1:-1] @ x.T + w[:, -1:])
    output = p @ neurons
    risk = ((output - y) ** 2).mean() / 2
    risk.backward()
    return output.detach().numpy(), risk.item(), -w.grad.numpy() / mass[:, None]


@pytest.mark.parametrize("activation", [TANH, RELU], ids=["tanh", "relu"])
@pytest.mark.parametrize("equal", [True, False])
def test_output_risk_and_velocity_are_those_of_autograd(activation, equal):
    net, rng = problem(activation)
    w = rng.normal(size=(7, 4))
    mass = np.full(7, 1 / 7) if equal else rng.dirichlet(np.ones(7))
    output, risk, velocity = by_autograd(net, w, mass)
    given = None if equal else mass
    np.testing.assert_allclose(net.output(w, given), output, rtol=1e-12)
    assert net.risk(w, given) == pytest.approx(risk, rel=1e-12)
    np.testing.assert_allclose(net.velocity(w, given), velocity, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", [TANH, RELU], ids=["tanh", "relu"])
def test_the_slope_is_the_derivative_of_the_activation(activation):
    z = np.array([-2.0, -0.3, 0.2, 1.7])
    wanted = (activation.function(z + 1e-6) - activation.function(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(activation.slope(activation.function(z)), wanted, atol=1e-9)


def test_networks_side_by_side_are_as_if_alone():
    net, rng = problem()
    w = rng.normal(size=(3, 5, 7, 4))
    for method in (net.output, net.risk, net.velocity, net.neurons):
        np.testing.assert_allclose(method(w)[2, 1], method(w[2, 1]), rtol=1e-12, atol=1e-15)


def test_a_permutation_of_the_neurons_permutes_the_velocities_only():
    net, rng = problem()
    w, order = rng.normal(size=(9, 4)), rng.permutation(9)
    np.testing.assert_allclose(net.output(w[order]), net.output(w), rtol=1e-12)
    np.testing.assert_allclose(net.velocity(w[order]), net.velocity(w)[order], atol=1e-14)


def test_a_neuron_of_double_mass_is_two_neurons():
    net, rng = problem()
    w = rng.normal(size=(3, 4))
    mass = np.array([1, 1, 2]) / 4
    np.testing.assert_allclose(net.output(w, mass), net.output(w[[0, 1, 2, 2]]), rtol=1e-12)
    np.testing.assert_allclose(net.velocity(w, mass), net.velocity(w[[0, 1, 2, 2]])[:3], rtol=1e-10)


def test_the_velocity_is_the_average_of_forces_between_pairs():
    net, rng = problem()
    w = rng.normal(size=(5, 4))
    alone = [net.velocity(w, np.eye(5)[j]) for j in range(5)]
    np.testing.assert_allclose(net.velocity(w), np.mean(alone, axis=0), atol=1e-14)


def test_the_risk_falls_by_the_mean_squared_velocity():
    net, rng = problem()
    w, h = rng.normal(size=(8, 4)), 1e-5
    v = net.velocity(w)
    slope = (net.risk(w + h * v) - net.risk(w - h * v)) / (2 * h)
    assert slope == pytest.approx(-(v**2).sum(-1).mean(), rel=1e-8)


def test_relu_neurons_keep_the_difference_of_their_squares():
    net, rng = problem(RELU)
    w = rng.normal(size=(8, 4))
    v = net.velocity(w)
    rate = w[:, 0] * v[:, 0] - (w[:, 1:] * v[:, 1:]).sum(1)  # of (a^2 - |b|^2 - c^2) / 2
    np.testing.assert_allclose(rate, 0, atol=1e-14)


def test_inputs_on_the_line_may_be_given_flat():
    x, y = np.linspace(-1, 1, 4), np.ones(4)
    w = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(TwoLayer(x, y).velocity(w), TwoLayer(x[:, None], y).velocity(w))


def test_the_cloud_has_the_moments_of_the_gaussian_law():
    w, mass = gaussian_cloud(4, 2, scale=0.5)
    assert w.shape == (16, 2) and mass.shape == (16,)
    assert (mass > 0).all()
    for powers, value in (((0, 0), 1), ((1, 0), 0), ((2, 0), 1 / 4), ((2, 2), 1 / 16)):
        assert mass @ (w**powers).prod(1) == pytest.approx(value, abs=1e-14)
    assert mass @ w[:, 1] ** 6 == pytest.approx(15 / 64, rel=1e-12)


def test_a_trained_cloud_is_what_random_networks_agree_on():
    x = np.linspace(-1, 1, 4)
    net, times = TwoLayer(x, x), np.linspace(0, 2, 11)
    w, mass = gaussian_cloud(10, 3, 0.7)
    *_, w = trajectory(lambda t, w: net.velocity(w, mass), w, times)
    many = 0.7 * np.random.default_rng(0).normal(size=(400, 200, 3))
    *_, many = trajectory(lambda t, w: net.velocity(w), many, times)
    outputs = net.output(many)
    error = outputs.std(0) / 400**0.5
    assert (abs(outputs.mean(0) - net.output(w, mass)) < 4 * error + 5e-3).all()  # O(1/N)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]], [1.0, 2.0]), "targets has 2 entries"),
        (([1.0, np.nan], [1.0, 2.0]), "inputs holds NaN"),
        ((np.ones((2, 2, 2)), [1.0, 2.0]), "inputs has 3 dimensions"),
        (([1.0], [[1.0]]), "targets has 2 dimensions"),
        (([1.0], ["a"]), "targets is"),
        (([1.0], [1.0], np.tanh), "activation is .* must be an Activation"),
    ],
)
def test_data_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TwoLayer(*arguments)


def test_neurons_and_masses_of_another_shape_are_refused():
    net, rng = problem()
    w = rng.normal(size=(5, 4))
    for method in (net.output, net.risk, net.velocity):
        with pytest.raises(ValueError, match=r"w has the shape \(5, 3\); it must be"):
            method(w[:, :3])
        with pytest.raises(ValueError, match=r"w has the shape \(4,\)"):
            method(w[0])
        with pytest.raises(ValueError, match=r"mass has the shape \(4,\); it must have one"):
            method(w, np.ones(4) / 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 2), "nodes is 0"), ((3, 1.5), "dim is 1.5"), ((3, 2, -1), "scale is -1")],
)
def test_a_cloud_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_cloud(*arguments)


def test_an_activation_of_ones_own_works():
    net = TwoLayer([1.0, 2.0], [0.0, 0.0], Activation(lambda z: z, np.ones_like))
    np.testing.assert_allclose(net.output(np.array([[2.0, 3.0, 1.0]])), [8, 14])
