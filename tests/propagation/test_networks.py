"""Feed-forward architectures: numpy formulas, exact counts, ranks, exact recursions."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from dsnnlib.propagation.networks import (
    MLP,
    DenseResNet,
    Increment,
    ResNet,
    affine,
    width_profile,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def numpy_formula(network, x):
    """The output, written out with numpy."""
    values = {name: p.detach().numpy() for name, p in network.named_parameters()}
    if network.lift is not None:
        x = x @ values["lift.weight"].T + values["lift.bias"]
    for layer in range(len(network.layers)):
        W, b, Wt, bt = (values[f"layers.{layer}.{name}"] for name in ("W", "b", "Wt", "bt"))
        x = np.tanh(np.einsum("ij,...j->...i", W, x) + b)
        x = np.einsum("ij,...j->...i", Wt, x) + bt
    if network.readout is not None:
        x = x @ values["readout.weight"].T + values["readout.bias"]
    return x


# ---- the multilayer perceptron ----


@pytest.mark.parametrize("lift", [None, 4])
@pytest.mark.parametrize("readout", [None, 2])
def test_an_mlp_is_the_article_s_formula(lift, readout):
    rng = generator()
    network = MLP(
        (3, 5, 2, 4, 6, 7, 3),
        rng=rng,
        lift=lift and affine(lift, 3, rng=rng),
        readout=readout and affine(3, readout, rng=rng),
    )
    x = normal(2, 8, lift or 3)
    np.testing.assert_allclose(
        network(x).detach(), numpy_formula(network, x.numpy()), atol=1e-14, rtol=1e-14
    )  # rounding
    assert network(x).shape == (2, 8, readout or 3)


def test_widths_are_all_widths_in_order():
    network = MLP((3, 5, 2, 4, 6), lift=affine(7, 3), readout=affine(6, 1))
    assert network.widths == (7, 3, 5, 2, 4, 6, 1)
    assert network.architecture == "bottleneck"
    assert MLP((3, 5, 5, 2, 1)).architecture == "augmented"
    assert MLP((3, 3, 1)).architecture == "non-augmented"


def test_the_states_of_an_mlp_are_those_of_its_truncations():
    network, x = MLP((2, 3, 4, 2, 1), rng=generator(), readout=affine(1, 1)), normal(5, 2)
    h0, h1, h2 = network.states(x)
    assert torch.equal(h0, x)
    assert torch.equal(h1, network.layers[0](x))
    assert torch.equal(network(x), network.readout(h2))


def test_random_weights_have_the_variance_that_is_promised():
    W = Increment(50, 400, 20, rng=generator(), scale=2.0).W.detach()
    # relative standard error of a variance over 20,000 entries: sqrt(2/20000) = 1 %
    assert W.var().item() == pytest.approx(4 / 50, rel=0.04)


def test_with_zero_weights_an_mlp_is_constant_and_a_resnet_the_identity():
    network, x = MLP((3, 4, 3, 5, 3)), normal(6, 3)
    assert torch.equal(network(x), torch.zeros(6, 3))
    assert torch.equal(ResNet(network.layers)(x), x)


# ---- width profiles ----


def by_definition(widths):
    """The set of all names that apply, each by its definition, by brute force."""
    n, names = len(widths), set()
    if all(a >= b for a, b in pairwise(widths)):
        names.add("non-augmented")
    for top in range(n):
        rises = all(a <= b for a, b in pairwise(widths[: top + 1]))
        falls = all(a >= b for a, b in pairwise(widths[top:]))
        if rises and falls and widths[top] > widths[0]:
            names.add("augmented")
    for middle in range(1, n - 1):
        if max(widths[:middle]) > widths[middle] < max(widths[middle + 1 :]):
            names.add("bottleneck")
    return names


def test_exactly_one_profile_applies_and_it_is_the_one_returned():
    for n in range(1, 7):
        for widths in product(range(1, 5), repeat=n):
            assert by_definition(widths) == {width_profile(widths)}


@pytest.mark.parametrize(("n", "w"), [(1, 4), (3, 4), (5, 3), (6, 4), (9, 2)])
def test_profiles_are_as_many_as_the_binomials_say(n, w):
    found = [width_profile(widths) for widths in product(range(1, w + 1), repeat=n)]
    falling = math.comb(w + n - 1, n)
    unimodal = sum(math.comb(n + 2 * k - 3, 2 * k - 2) for k in range(1, w + 1))
    assert found.count("non-augmented") == falling
    assert found.count("augmented") == unimodal - falling
    assert found.count("bottleneck") == w**n - unimodal


# ---- residual networks ----


def test_a_resnet_is_its_recursion():
    rng = generator()
    increments = [Increment(3, 4, 3, rng=rng) for _ in range(5)]
    net, h = ResNet(increments, step=0.3), normal(7, 3)
    states = net.states(h)
    assert states.shape == (6, 7, 3)
    for f, state in zip(increments, states, strict=False):
        assert torch.equal(state, h)
        h = h + 0.3 * f(h)
    assert torch.equal(states[-1], h) and torch.equal(net(states[0]), h)


def test_a_dense_resnet_shows_all_earlier_states_newest_first():
    seen = []

    def increment(states):
        seen.append([state.item() for state in states])
        return torch.ones(1)

    DenseResNet([increment] * 3, step=2.0)(torch.tensor([5.0]))
    assert seen == [[5], [7, 5], [9, 7, 5]]


@pytest.mark.parametrize("phi", [0.1, math.pi / 16, 2.0])
def test_a_dense_resnet_of_width_one_follows_chebyshev(phi):
    def increment(states):  # h_l = 2 cos(phi) h_{l-1} - h_{l-2}
        if len(states) == 1:
            return (math.cos(phi) - 1) * states[0]
        return (2 * math.cos(phi) - 1) * states[0] - states[1]

    x = normal(4, 1)
    states = DenseResNet([increment] * 40).states(x)
    angles = phi * torch.arange(41, dtype=torch.float64)[:, None, None]
    # rounding in 40 steps, amplified by 1/sin(phi) <= 10 a step
    torch.testing.assert_close(states, torch.cos(angles) * x, atol=1e-12, rtol=0)


def test_euler_s_method_is_a_resnet_of_first_order():
    def error(steps):
        dt = 1 / steps
        net = ResNet([lambda h, t=i * dt: torch.cos(torch.tensor(t)) * h for i in range(steps)], dt)
        return (net(torch.ones(1, dtype=torch.float64)) - math.exp(math.sin(1))).item()

    assert error(400) / error(800) == pytest.approx(2, abs=0.01)  # next order, O(dt)


def test_modules_among_the_increments_are_trained_and_functions_are_not():
    net = ResNet([Increment(2, 3, 2, rng=generator()), torch.sin, lambda h: -h])
    assert len(list(net.parameters())) == 4
    net(normal(5, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_an_increment_joins_a_list_of_states():
    f, states = Increment(6, 4, 2, rng=generator()), list(normal(3, 5, 2))
    assert torch.equal(f(states), f(torch.cat(states, -1)))
    assert DenseResNet([Increment(2 * n, 4, 2) for n in (1, 2, 3)])(states[0]).shape == (5, 2)
