"""Deep tanh networks side by side: their states, their gradients and their training."""

import math

import numpy as np
import pytest
import torch

from dsnnlib.outlook.deep_network import DeepNetworks, train


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def networks(weight=(0.8, 1.7), bias=0.05, *, depth=4, width=5, seed=0, **options):
    return DeepNetworks(weight, bias, depth=depth, width=width, classes=3, rng=rng(seed), **options)


def data(n=7, width=5):
    return torch.randn(n, width, generator=rng(1)), torch.arange(n) % 3


def test_the_networks_are_what_they_are_one_by_one():
    model, (x, _) = networks(), data()
    for s in range(2):
        h = x
        for W, b in zip(model.W[:, s], model.b[:, s], strict=True):
            h = torch.tanh(h @ W + b)
        torch.testing.assert_close(model(x)[s], h @ model.A[s])


def test_all_networks_share_their_random_numbers_up_to_scale():
    model = networks((1.0, 4.0), (0.25, 1.0))
    torch.testing.assert_close(model.W[:, 1], 2 * model.W[:, 0])
    torch.testing.assert_close(model.b[:, 1], 2 * model.b[:, 0])


def test_weights_have_the_variance_over_the_width():
    W = networks((1.8,), depth=30, width=20).W.detach()
    assert W.var().item() == pytest.approx(1.8 / 20, rel=4 * (2 / W.numel()) ** 0.5)
    b = networks((1.8,), 0.3, depth=100, width=20).b.detach()
    assert b.var().item() == pytest.approx(0.3, rel=4 * (2 / b.numel()) ** 0.5)


def test_orthogonal_weights_are_multiples_of_orthogonal_matrices():
    W = networks((2.0,), orthogonal=True).W[:, 0]
    torch.testing.assert_close(W @ W.transpose(1, 2), 2 * torch.eye(5).expand(4, 5, 5))


def test_losses_are_torch_cross_entropies():
    model, (x, labels) = networks(), data()
    expected = [torch.nn.functional.cross_entropy(out, labels) for out in model(x)]
    torch.testing.assert_close(model.losses(x, labels), torch.stack(expected))


def test_accuracy_counts_right_answers():
    model, (x, _) = networks(), data()
    right = model(x)[0].argmax(-1)
    assert model.accuracy(x, right)[0] == 1
    assert model.accuracy(x, (right + 1) % 3)[0] == 0


def test_gradient_growth_agrees_with_finite_differences():
    model, (x, labels) = networks(depth=3).double(), data()
    x = x.double()
    states = model.states(x)

    def loss(h, start, s):
        for W, b in zip(model.W[start:, s], model.b[start:, s], strict=True):
            h = torch.tanh(h @ W + b)
        return torch.nn.functional.cross_entropy(h @ model.A[s], labels).item()

    def norm(layer, s, step=1e-5):
        h = states[layer][s].detach()
        slopes = []
        for place in np.ndindex(*h.shape):
            shift = torch.zeros_like(h)
            shift[place] = step
            slopes.append(loss(h + shift, layer, s) - loss(h - shift, layer, s))
        return np.linalg.norm(slopes)

    growth = model.gradient_growth(x, labels)
    assert growth.shape == (4, 2)
    for s in range(2):
        expected = [norm(layer, s) / norm(3, s) for layer in range(4)]
        assert growth[:, s] == pytest.approx(expected, rel=1e-6)  # order step^2


def test_the_tangent_exponent_of_nearly_linear_orthogonal_layers_is_half_the_log_variance():
    model = networks((0.5, 1.0), 0.0, depth=6, orthogonal=True)
    found = model.tangent_exponents(1e-4 * data()[0], rng(3))
    assert found == pytest.approx([math.log(0.5) / 2, 0], abs=1e-6)  # tanh' = 1 - O(1e-8), float32


def test_tangent_exponents_are_those_of_a_jacobian():
    model, x = networks((1.5,), depth=3), data(1)[0]
    v = torch.randn(1, 5, generator=rng(3))
    push = torch.func.jvp(lambda y: model.states(y)[-1][0], (x,), (v,))[1]
    expected = (push.norm() / v.norm()).log().item() / 3
    assert model.tangent_exponents(x, rng(3))[0] == pytest.approx(expected, abs=1e-6)


def test_saturated_layers_annihilate():
    model = networks((1e8,), 0.0)
    assert model.tangent_exponents(data()[0], rng(3))[0] == -np.inf


def test_a_step_is_gradient_descent_with_momentum():
    model, (x, labels) = networks(), data()
    eta, parameters = torch.tensor([0.1, 0.3]), list(model.parameters())
    values = [p.detach().clone() for p in parameters]
    velocities = [torch.zeros_like(p) for p in values]
    copy = networks()
    batches = rng(2)
    for _ in range(3):
        some = torch.randint(7, (4,), generator=batches)
        with torch.no_grad():
            for p, value in zip(copy.parameters(), values, strict=True):
                p.copy_(value)
        gradients = torch.autograd.grad(
            copy.losses(x[some], labels[some]).sum(), list(copy.parameters())
        )
        velocities = [0.5 * v + g for v, g in zip(velocities, gradients, strict=True)]
        values = [p - eta.view(2, 1, 1) * v for p, v in zip(values, velocities, strict=True)]
    train(model, x, labels, eta.numpy(), steps=3, batch=4, momentum=0.5, rng=rng(2), progress="")
    for p, value in zip(parameters, values, strict=True):
        torch.testing.assert_close(p.detach(), value)


def test_networks_do_not_disturb_each_other():
    x, labels = data()
    pair, single = networks((0.8, 1.7)), networks((1.7,))
    options = {"steps": 5, "batch": 4, "progress": ""}
    both = train(pair, x, labels, [9.0, 0.2], rng=rng(2), **options)
    alone = train(single, x, labels, 0.2, rng=rng(2), **options)
    assert both[:, 1] == pytest.approx(alone[:, 0], rel=1e-5)  # float32


def test_a_shallow_network_learns():
    x, labels = data()
    model = networks((1.5,), depth=2)
    losses = train(model, x, labels, 0.2, steps=300, batch=7, rng=rng(2), progress="")
    assert losses.shape == (300, 1)
    assert model.losses(x, labels).item() < 0.2 * losses[0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: networks((0.0,)), "weight is 0"),
        (lambda: networks((1.0, -1.0)), "weight is -1"),
        (lambda: networks(bias=-0.1), "bias is -0.1"),
        (lambda: networks(depth=0), "depth is 0"),
        (lambda: networks(width=0), "width is 0"),
        (
            lambda: DeepNetworks([1.0], 0, depth=1, width=2, classes=0, rng=rng()),
            "classes is 0",
        ),
        (
            lambda: DeepNetworks([1.0], 0, depth=1, width=2, classes=2, rng=None),
            "rng is None",
        ),
        (lambda: networks()(torch.zeros(3, 4)), "x has the shape"),
        (lambda: fit(eta=0.0), "eta is 0"),
        (lambda: fit(steps=0), "steps is 0"),
        (lambda: fit(batch=0), "batch is 0"),
        (lambda: fit(momentum=1.0), "momentum is 1"),
        (lambda: fit(rng=3), "rng is 3"),
        (lambda: networks()(np.zeros((3, 5))), "x is array"),
        (lambda: networks()(torch.zeros(3, 5).double()), "it must be a tensor of torch.float32"),
        (lambda: networks(bias=[0.1, 0.2, 0.3]), "bias has the shape"),
        (lambda: networks([[1.0, 2.0]]), "weight has the shape"),
        (lambda: networks().tangent_exponents(data()[0], 3), "rng is 3"),
        (lambda: fit(labels=torch.zeros(2).long()), "labels has the shape"),
        (lambda: fit(labels=[0] * 7), "labels is .0, 0"),
        (lambda: fit(labels=torch.zeros(7)), "it must be a tensor of torch.int64"),
        (lambda: fit(labels=torch.arange(7) % 4), "labels must hold one or more of 0, ..., 2"),
        (lambda: networks().accuracy(data()[0], torch.zeros(1).long()), "labels has the shape"),
        (lambda: fit(eta=[0.1, 0.1, 0.1]), "eta has the shape"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def fit(*, labels=None, eta=0.1, **options):
    x, right = data()
    options = {"steps": 1, "batch": 2, "rng": rng(), "progress": ""} | options
    return train(networks(), x, right if labels is None else labels, eta, **options)
