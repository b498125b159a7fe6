"""Many copies at once against one optimiser a copy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from dsnnlib.training import copies

INPUTS = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(6, 2)
TARGETS = INPUTS.sum(1, keepdim=True).sin()


def networks(number):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [
            nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()
            for _ in range(number)
        ]


def test_each_copy_moves_as_under_an_optimiser_of_its_own():
    nets, etas = networks(3), [0.1, 0.2, 0.4]
    draws = np.random.default_rng(0).integers(6, size=(20, 3, 2))
    *_, end = copies.sgd(
        nets[0], copies.stack(nets), INPUTS, TARGETS, torch.tensor(etas, dtype=torch.float64), draws
    )
    for r, (net, eta) in enumerate(zip(nets, etas, strict=True)):
        optimiser = torch.optim.SGD(net.parameters(), lr=eta)
        for batch in draws[:, r]:
            optimiser.zero_grad()
            (nn.functional.mse_loss(net(INPUTS[batch]), TARGETS[batch]) / 2).backward()
            optimiser.step()
        alone = parameters_to_vector(net.parameters()).detach()
        assert torch.allclose(copies.flatten(end)[r], alone, rtol=0, atol=1e-14)


def test_unflatten_undoes_flatten():
    stacked = copies.stack(networks(4))
    again = copies.unflatten(copies.flatten(stacked), stacked)
    assert all(torch.equal(stacked[k], again[k]) for k in stacked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 0.0}, "eta is 0.0"),
        ({"targets": TARGETS[:5]}, "targets has 5 samples"),
        ({"draws": [np.zeros((2, 1), int)]}, r"draws has steps of shape \(2, 1\)"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, message):
    nets = networks(3)
    arguments = {"inputs": INPUTS, "targets": TARGETS, "eta": 0.1, "draws": []} | change
    with pytest.raises(ValueError, match=message):
        list(copies.sgd(nets[0], copies.stack(nets), **arguments))


def test_networks_of_two_architectures_are_refused():
    with pytest.raises(ValueError, match="models"):
        copies.stack([nn.Linear(1, 1), nn.Linear(2, 1)])


def test_vectors_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="vectors"):
        copies.unflatten(torch.zeros(2, 3), copies.stack(networks(2)))
