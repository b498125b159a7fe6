"""The normal form: the same map, known ranks, by factors whose ranks were chosen."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib.propagation.networks import MLP, Increment, affine
from dsnnlib.propagation.normal_form import normal_form
from dsnnlib.propagation.widths import width_profile


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def weights(network):
    """All weight matrices, no biases."""
    return [p.detach() for p in network.parameters() if p.ndim == 2]


def deficient(widths, ranks, seed=0, **options):
    """A random MLP whose weight matrices, W_1, Wt_1, W_2, ..., have the given ranks."""
    network, rng = MLP(widths, rng=generator(seed), **options), generator(seed + 1)
    matrices = [p for layer in network.layers for p in (layer.W, layer.Wt)]
    for matrix, r in zip(matrices, ranks, strict=True):
        q, n = matrix.shape
        with torch.no_grad():
            matrix.copy_(
                torch.randn(q, r, generator=rng, dtype=torch.float64)
                @ torch.randn(r, n, generator=rng, dtype=torch.float64)
                / (r * n) ** 0.5
            )
    return network


CASES = [  # widths, ranks, widths of the normal form
    ((3, 4, 5, 4, 2), (3, 4, 4, 2), (3, 4, 4, 4, 2)),
    ((3, 4, 5, 4, 2), (3, 2, 3, 2), (3, 4, 2, 4, 2)),
    ((3, 4, 5, 4, 2), (2, 4, 4, 2), (3, 2, 4, 4, 4, 2)),
    ((3, 4, 5, 4, 2), (3, 4, 4, 1), (3, 4, 4, 4, 1, 2)),
    ((3, 4, 5, 4, 2), (1, 2, 3, 1), (3, 1, 4, 2, 4, 1, 2)),
    ((2, 2, 9, 2, 1), (2, 2, 2, 1), (2, 2, 2, 2, 1)),
    ((4, 6, 3, 2, 5, 7, 2), (4, 3, 2, 2, 5, 2), (4, 6, 2, 2, 2, 7, 2)),
    ((5, 3, 5), (2, 2), (5, 2, 3, 2, 5)),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("widths", "ranks", "expected"), CASES)
def test_the_normal_form_is_the_same_map_with_full_rank_weights(widths, ranks, expected, seed):
    network, x = deficient(widths, ranks, seed), 2 * normal(50, widths[0])
    form = normal_form(network)
    torch.testing.assert_close(form(x), network(x), atol=1e-12, rtol=1e-12)  # rounding
    assert form.widths == expected
    for matrix in weights(form):
        s = torch.linalg.svdvals(matrix)
        assert s[-1] > 1e-8 * s[0]  # random factors: no gap of eight orders by chance


WIDTHS = st.integers(1, 4).flatmap(
    lambda depth: st.lists(st.integers(1, 6), min_size=2 * depth + 1, max_size=2 * depth + 1)
)


@settings(derandomize=True, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**31))
def test_generic_weights_leave_the_smallest_of_three_widths(widths, seed):
    n, m = widths[::2], widths[1::2]
    inner = [w for i in range(1, len(m)) for w in (min(m[i - 1], n[i], m[i]), m[i])]
    expected = (n[0], m[0], *inner, n[-1])
    assert normal_form(MLP(widths, rng=generator(seed))).widths == expected


@settings(derandomize=True, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**31), data=st.data())
def test_the_class_of_the_normal_form_follows_from_neurons_and_ranks(widths, seed, data):
    ranks = [data.draw(st.integers(1, min(a, b))) for a, b in pairwise(widths)]
    network = deficient(widths, ranks, seed % 1000)
    m = widths[1::2]
    products = [ranks[0], *map(min, ranks[1:-1:2], ranks[2:-1:2]), ranks[-1]]  # of random factors
    full = [min(pair) for pair in zip((widths[0], *m), (*m, widths[-1]), strict=True)]
    bottleneck = products != full or width_profile((widths[0], *m, widths[-1])) == "bottleneck"
    assert (normal_form(network).architecture == "bottleneck") == bottleneck


@pytest.mark.parametrize(
    ("lift", "readout", "expected"),
    [
        ((6, 3), None, (6, 3, 4, 4, 4, 2)),  # 4 x 6 of rank 3: through R^3
        ((2, 3), None, (2, 4, 4, 4, 2)),  # 4 x 2 of rank 2 is full: no lift needed
        (None, (2, 5), (3, 4, 4, 4, 2, 5)),  # 5 x 4 of rank 2
        (None, (2, 1), (3, 4, 4, 4, 1)),  # 1 x 4 of rank 1 is full
        ((2, 3), (2, 2), (2, 4, 4, 4, 2)),
    ],
)
def test_lift_and_readout_are_absorbed_where_one_matrix_is_enough(lift, readout, expected):
    rng = generator()
    network = MLP(
        (3, 4, 5, 4, 2),
        rng=rng,
        lift=lift and affine(*lift, rng=rng),
        readout=readout and affine(*readout, rng=rng),
    )
    form, x = normal_form(network), normal(20, network.widths[0])
    assert form.widths == expected
    torch.testing.assert_close(form(x), network(x), atol=1e-13, rtol=1e-13)  # rounding


@pytest.mark.parametrize("sigma", [torch.relu, torch.sin, lambda z: z])
def test_any_activation_is_kept(sigma):
    network, x = deficient((3, 4, 5, 4, 2), (2, 3, 2, 1), sigma=sigma), normal(20, 3)
    torch.testing.assert_close(normal_form(network)(x), network(x), atol=1e-13, rtol=1e-13)


def test_the_normal_form_of_a_normal_form_has_its_widths():
    for widths, ranks, expected in CASES:
        form = normal_form(deficient(widths, ranks))
        assert normal_form(form).widths == form.widths == expected


def test_full_rank_factors_may_have_a_product_that_lacks_rank():
    network = MLP((2, 2, 3, 2, 1), rng=generator())
    first, second = network.layers
    first.Wt.data = torch.eye(3, 2, dtype=torch.float64)
    second.W.data = torch.eye(3, dtype=torch.float64)[1:]  # kills the first of the two
    assert all(np.linalg.matrix_rank(M) == min(M.shape) for M in weights(network))
    assert network.architecture == "augmented"
    assert normal_form(network).widths == (2, 2, 1, 2, 1)


def test_the_original_is_left_as_it_was():
    network = deficient((3, 4, 5, 4, 2), (3, 2, 3, 2))
    before = [p.clone() for p in network.parameters()]
    form = normal_form(network)
    for p in form.parameters():
        p.data.zero_()
    assert all(map(torch.equal, before, network.parameters()))


def test_cutting_a_perturbed_network_costs_in_proportion_to_the_perturbation():
    x, costs = normal(50, 3), []
    for epsilon in (1e-7, 1e-6):
        network, noise = deficient((3, 5, 6, 5, 2), (3, 2, 5, 2)), generator(9)
        for p in network.parameters():
            p.data += epsilon * torch.randn(p.shape, generator=noise, dtype=torch.float64)
        assert normal_form(network).widths == (3, 5, 5, 5, 2)  # full rank again
        cut = normal_form(network, rtol=1e-4)
        assert cut.widths == (3, 5, 2, 5, 2)
        costs.append((cut(x) - network(x)).abs().max().item())
    assert math.log10(costs[1] / costs[0]) == pytest.approx(1, abs=1e-4)  # next order, O(epsilon)


def test_non_augmented_full_rank_tanh_networks_have_no_critical_point():
    x = (2 * normal(300, 3)).requires_grad_()
    network = MLP((3, 3, 2, 2, 1), rng=generator())
    bound = math.prod(np.linalg.svd(M)[1][-1] for M in weights(network)) * torch.ones(300)
    for layer, h in zip(network.layers, network.states(x), strict=False):
        bound = bound * (1 - torch.tanh(h @ layer.W.T + layer.b) ** 2).amin(-1)
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    assert (gradient.norm(dim=-1) >= bound * (1 - 1e-12)).all()  # rounding


def test_relu_networks_are_constant_where_the_first_neurons_are_off():
    network = MLP((3, 3, 2, 2, 1), rng=generator(), sigma=torch.relu)
    first = network.layers[0]
    centre = torch.linalg.solve(first.W, -1 - first.b).detach()
    radius = 0.99 / np.linalg.norm(first.W.detach(), 2)
    x = normal(300, 3)
    x = (centre + radius * x / x.norm(dim=-1, keepdim=True)).requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    assert (gradient == 0).all()


def constant(layer, name):
    network = MLP((3, 4, 5, 4, 2), rng=generator())
    getattr(network.layers[layer], name).data.zero_()
    return network


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: normal_form(Increment(2, 3, 2)), "mlp"),
        (lambda: normal_form(None), "mlp"),
        (lambda: normal_form(MLP((2, 3, 2))), "mlp is constant"),
        (lambda: normal_form(constant(0, "W")), "mlp is constant"),
        (lambda: normal_form(constant(0, "Wt")), "mlp is constant"),
        (lambda: normal_form(constant(1, "W")), "mlp is constant"),
        (lambda: normal_form(constant(1, "Wt")), "mlp is constant"),
        (lambda: normal_form(MLP((2, 3, 2), rng=generator()), rtol=1), "rtol"),
        (lambda: normal_form(MLP((2, 3, 2), rng=generator()), rtol=-1e-9), "rtol"),
        (lambda: normal_form(MLP((2, 3, 2), rng=generator()), rtol="1e-9"), "rtol"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_factors_whose_product_cancels_are_seen_to_be_constant():
    network = MLP((2, 2, 2, 2, 1), rng=generator())
    direction = normal(2)
    network.layers[0].Wt.data = torch.outer(direction, normal(2, seed=1))
    across = torch.stack([-direction[1], direction[0]])
    network.layers[1].W.data = torch.outer(normal(2, seed=2), across)  # product: rounding only
    with pytest.raises(ValueError, match="constant"):
        normal_form(network)
