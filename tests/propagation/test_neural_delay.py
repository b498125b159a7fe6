"""Scalar neural delay equations: their Lipschitz constant holds by construction."""

import math

import numpy as np
import pytest
import torch

from dsnnlib.propagation.delay import solve
from dsnnlib.propagation.delayed_exponential import delayed_exponential, kappa
from dsnnlib.propagation.neural_delay import NeuralDelays


def networks(K, seed=0, **options):
    options = {"tau": 1.0, "horizon": 2.0, "steps": 4} | options
    return NeuralDelays(K, 5, rng=torch.Generator().manual_seed(seed), **options)


def scrambled(K, seed, sd=5.0, **options):
    """Networks with large random weights, as training may find them."""
    model = networks(K, seed, **options)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(sd * torch.randn(weight.shape, generator=rng))
    return model


@pytest.mark.parametrize("seed", range(5))
def test_the_field_is_lipschitz_with_its_constant_whatever_the_weights(seed):
    K = np.array([0.01, 0.5, 1.0, 40.0])
    model = scrambled(K, seed)
    rng = torch.Generator().manual_seed(seed + 100)
    y, z = torch.randn((2, 4, 300), generator=rng, dtype=torch.float64).requires_grad_()
    for t in (0.0, 0.7, 2.0):
        slopes = torch.autograd.grad(model.field(t, y, z).sum(), (y, z))
        steepest = sum(abs(slope) for slope in slopes).amax(1)
        assert (steepest <= torch.as_tensor(K) * (1 + 1e-12)).all()  # rounding


def test_a_field_below_its_bound_is_not_scaled():
    model, large = networks([1e6]), networks([2e6])
    y, z = torch.randn((2, 1, 7), dtype=torch.float64)
    torch.testing.assert_close(model.field(0.3, y, z), large.field(0.3, y, z), rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(5))
def test_below_the_threshold_the_output_is_monotone_whatever_the_weights(seed):
    K = np.linspace(0.1, 0.99, 8) * kappa(2)
    model = scrambled(K, seed, sd=2.0, steps=40)
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)
    with torch.no_grad():
        solution = model.solution(x)
        ratio = solution.end.diff() / solution.states[0].diff()
    bound = [delayed_exponential(2.0, k, 1.0) for k in K]
    assert (ratio.amin(1) >= torch.as_tensor(np.array(bound)) - 1e-4).all()  # RK4: O(dt^4)


def test_the_bound_is_attained_by_networks_close_to_the_extremal_field():
    # tanh is almost linear here: F(t, y, z) = -K z up to a relative (1e-3)^2 / 3
    K = np.linspace(0.1, 0.99, 8) * kappa(2)
    model = networks(K, steps=40)
    with torch.no_grad():
        for weight in (model.a, model.c, model.d):
            weight.zero_()
        model.b.fill_(1e-3)
        model.v.fill_(-1e3)
        solution = model.solution(torch.linspace(-1, 1, 101, dtype=torch.float64))
        ratio = solution.end.diff() / solution.states[0].diff()
    bound = [[delayed_exponential(2.0, k, 1.0)] for k in K]
    np.testing.assert_allclose(ratio, np.broadcast_to(bound, ratio.shape), rtol=0, atol=1e-6)


def test_the_output_is_that_of_the_numpy_solver():
    model = scrambled([0.4, 1.5], 3, sd=1.0)
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    a, b, c, d, v = (w.detach().numpy() for w in (model.a, model.b, model.c, model.d, model.v))
    lift, readout = model.lift.detach().numpy(), model.readout.detach().numpy()
    for i, K in enumerate([0.4, 1.5]):
        bound = np.sum(abs(v[i, 0]) * (abs(a[i, :, 0]) + abs(b[i, :, 0])))
        scale = min(1, K / bound)

        def field(t, y, z, i=i, scale=scale):
            return scale * v[i, 0] @ np.tanh(a[i] * y + b[i] * z + c[i] * t + d[i])

        start = lift[i, 0] * x.numpy() + lift[i, 1]
        y = solve(field, start, 1.0, horizon=2.0, steps=4).end
        out = model(x)[i].detach().numpy()
        np.testing.assert_allclose(out, readout[i, 0] * y + readout[i, 1], atol=1e-12)  # rounding


def test_networks_side_by_side_do_not_see_each_other():
    model = networks([0.5, 1.0, 2.0])
    model(torch.linspace(-1, 1, 5, dtype=torch.float64))[1].sum().backward()
    for weight in (model.a, model.b, model.v, model.readout):
        assert (weight.grad[[0, 2]] == 0).all()
        assert (weight.grad[1] != 0).any()


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"K": []}, "K"),
        ({"K": [0.5, 0.0]}, "K"),
        ({"K": [math.nan]}, "K"),
        ({"K": 0.5}, "K"),
        ({"k": 0}, "k"),
        ({"tau": 0.0}, "tau"),
        ({"steps": 0}, "steps"),
        ({"horizon": 1.1}, "horizon"),
    ],
)
def test_bad_input_is_refused_in_one_line(options, argument):
    good = {"K": [0.5], "k": 3, "tau": 1.0, "horizon": 2.0, "steps": 4}
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        NeuralDelays(**(good | options), rng=torch.Generator())
    assert "\n" not in str(refusal.value)
