"""The normal form: the same map, known ranks, by factors whose ranks were chosen."""

import pytest
import torch

from dsnnlib.propagation.networks import MLP
from dsnnlib.propagation.normal_form import normal_form


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
