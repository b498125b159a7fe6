"""A neuron that computes and learns at once: its rest state, its two clocks, its thresholds."""

import numpy as np
import pytest

from dsnnlib import integrate
from dsnnlib.introduction.adaptive_neuron import AdaptiveNeuron

NEURONS = [(0.2, 0.6), (0.3, 0.8), (1.0, 0.6), (-0.2, -0.5), (0.1, 0.5)]


@pytest.fixture(params=NEURONS, ids=str)
def neuron(request):
    return AdaptiveNeuron(*request.param)


def test_the_target_is_a_rest_state_of_the_coupled_system(neuron):
    state = np.array([neuron.y, 0.0, neuron.weight])
    assert abs(neuron.field(0.7)(0, state)).max() < 1e-15
    assert neuron.rest(neuron.weight) == pytest.approx(neuron.y, abs=1e-12)


def test_for_every_weight_there_is_one_rest_state_of_the_sign_of_the_target_and_it_attracts(neuron):
    grid = np.linspace(0, np.sign(neuron.y), 20001)
    for w in (-3.0, -0.5, 0.5, 2.0, 10.0):
        residual = grid - np.tanh(w * grid + neuron.x)
        assert (np.diff(np.sign(residual)) != 0).sum() == 1
        h = neuron.rest(w)
        assert h * neuron.y > 0
        assert 1 - w * (1 - h**2) > 0


def test_the_eigenvalues_are_those_of_the_jacobian_by_differences(neuron):
    epsilon, state, h = 0.7, np.array([neuron.y, 0.0, neuron.weight]), 1e-6
    columns = [
        (neuron.field(epsilon)(0, state + h * e) - neuron.field(epsilon)(0, state - h * e))
        / (2 * h)
        for e in np.eye(3)
    ]
    found = np.linalg.eigvals(np.array(columns).T)
    found = found[np.lexsort((found.imag, found.real.round(7)))]
    assert abs(found - neuron.rates(epsilon)).max() < 1e-6


def test_at_the_hopf_point_the_frequency_is_c(neuron):
    pair = neuron.rates(neuron.hopf)[1:]
    assert pair.real == pytest.approx([0, 0], abs=1e-12)
    assert sorted(abs(pair.imag)) == pytest.approx([neuron.c, neuron.c], rel=1e-12)


def test_stability_and_ringing_change_at_the_two_thresholds(neuron):
    assert (
        neuron.rates(0.999 * neuron.hopf)[-1].real < 0 < neuron.rates(1.001 * neuron.hopf)[-1].real
    )
    assert abs(neuron.rates(0.999 * neuron.overshoot).imag).max() == 0
    assert abs(neuron.rates(1.001 * neuron.overshoot).imag).max() > 0


def test_the_slope_is_the_derivative_of_the_loss(neuron):
    def loss(w):
        return (neuron.rest(w) - neuron.y) ** 2 / 2

    for w in (neuron.weight - 0.3, neuron.weight, neuron.weight - 0.1):
        difference = (loss(w + 1e-5) - loss(w - 1e-5)) / 2e-5
        assert neuron.slope(w) == pytest.approx(difference, abs=1e-9)
    curvature = (neuron.slope(neuron.weight + 1e-5) - neuron.slope(neuron.weight - 1e-5)) / 2e-5
    assert curvature == pytest.approx(neuron.curvature, rel=1e-6)


def test_many_epsilons_at_once_are_one_after_the_other():
    neuron, start = AdaptiveNeuron(0.2, 0.6), np.array([0.5, 0.1, 0.3])
    epsilons, times = np.array([0.1, 0.5]), np.linspace(0, 5, 101)
    *_, both = integrate.trajectory(
        neuron.field(epsilons), np.repeat(start[:, None], 2, axis=1), times
    )
    for k, epsilon in enumerate(epsilons):
        *_, one = integrate.trajectory(neuron.field(epsilon), start, times)
        assert both[:, k] == pytest.approx(one, rel=1e-13)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: AdaptiveNeuron(0.2, 0), "sign of y"),
        (lambda: AdaptiveNeuron(0, 0.5), "x is 0"),
        (lambda: AdaptiveNeuron(0.2, 1.0), "y is 1"),
        (lambda: AdaptiveNeuron(np.nan, 0.5), "x is nan"),
        (lambda: AdaptiveNeuron(-5.0, 0.9), "x is -5"),
        (lambda: AdaptiveNeuron(0.2, 0.6).rates(0), "epsilon is 0"),
        (lambda: AdaptiveNeuron(0.2, 0.6).rest(np.inf), "w is inf"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
