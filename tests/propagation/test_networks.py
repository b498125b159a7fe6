"""Feed-forward architectures: numpy formulas, exact counts, ranks, exact recursions."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from dsnnlib.propagation.networks import MLP, DenseResNet, Increment, ResNet, affine
from dsnnlib.propagation.neural_ode import fit


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


# ---- what depth does ----


def derivatives(layer, points):
    return torch.func.vmap(torch.func.jacrev(layer))(points).detach()


@pytest.mark.parametrize("seed", range(5))
def test_a_square_layer_has_one_orientation_the_sign_of_its_weights(seed):
    layer = Increment(3, 3, 3, rng=generator(seed))
    determinants = torch.linalg.det(derivatives(layer, 2 * normal(200, 3)))
    expected = np.linalg.det(layer.W.detach()) * np.linalg.det(layer.Wt.detach())
    assert (determinants.sign() == np.sign(expected)).all()


@pytest.mark.parametrize("residual", [False, True])
def test_linear_layers_multiply_the_mean_square_of_a_difference_exactly(residual):
    rng, depth, pair = generator(), 3, normal(2, 8)
    growth = []
    for _ in range(1000):
        network = MLP((8,) + (8, 8) * depth, rng=rng, scale=0.8, sigma=lambda z: z)
        u, v = (ResNet(network.layers) if residual else network)(pair).detach()
        growth.append(((u - v) ** 2).sum() / ((pair[0] - pair[1]) ** 2).sum())
    growth = torch.stack(growth)
    assert growth.mean().item() == pytest.approx(
        (0.8**4 + residual) ** depth, abs=4 * growth.std().item() / 1000**0.5
    )


def test_thirty_layers_learn_with_the_identity_and_not_without():
    pixels, labels = load_digits(return_X_y=True)
    x = torch.tensor(pixels[:500] / 16, dtype=torch.float32)
    y = torch.tensor(labels[:500])

    def final_loss(residual):
        rng, scale = generator(), 3**-0.5  # the variance of torch's own initialisation
        lift, readout = (affine(*n, rng=rng, scale=scale) for n in ((64, 16), (16, 10)))
        layers = MLP((16,) + (16, 16) * 30, rng=rng, scale=scale).layers
        middle = ResNet(layers) if residual else nn.Sequential(*layers)
        network = nn.Sequential(lift, middle, readout).float()
        options = {"loss": nn.functional.cross_entropy, "steps": 60, "eta": 3e-3, "progress": ""}
        return fit(network, x, y, batch=100, rng=rng, **options)[-10:].mean()

    assert final_loss(residual=False) > 2.2  # guessing: log 10 = 2.30
    assert final_loss(residual=True) < 1.0


# ---- invertibility and memory ----


def pulling(n, depth, K, seed=0):
    """A ResNet with the increments -K Q^T tanh(Q h), Q orthogonal: Lipschitz constant K."""
    layers, rng = MLP((n,) + (n, n) * depth).layers, generator(seed)
    for f in layers:
        f.W.data = torch.linalg.qr(torch.randn(n, n, generator=rng, dtype=torch.float64)).Q
        f.Wt.data = -K * f.W.data.T
    return ResNet(layers)


def test_a_resnet_of_contractions_is_inverted_by_fixed_point_iterations():
    net, x = pulling(n=4, depth=5, K=0.7), normal(50, 4)
    with torch.no_grad():
        y = net(x)
        for f in reversed(net.increments):
            h = y
            for _ in range(110):  # 0.7^110 = 1e-17
                h = y - f(h)
            y = h
    torch.testing.assert_close(y, x, atol=1e-12, rtol=0)  # rounding times (1/0.3)^5 = 400


def test_a_resnet_of_contractions_preserves_orientation_down_to_the_bound():
    points = torch.cat([torch.zeros(1, 3, dtype=torch.float64), normal(200, 3)])
    determinants = torch.linalg.det(derivatives(pulling(n=3, depth=4, K=0.6), points))
    assert determinants.min().item() == pytest.approx(0.4**12, rel=1e-10)  # rounding
    assert determinants.argmin() == 0  # the bound is attained at the origin


@pytest.mark.parametrize("k", [1.5, 2.0, 5.0])
def test_beyond_lipschitz_constant_one_a_layer_folds_where_the_formula_says(k):
    root = math.sqrt(1 - 1 / k)
    edge = k * root - math.atanh(root)
    h = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    image = ResNet([lambda h: -k * torch.tanh(h)])(h[:, None])[:, 0]
    for level, count in ((0.99 * edge, 3), (1.01 * edge, 1), (-0.99 * edge, 3), (-1.01 * edge, 1)):
        assert ((image[:-1] - level) * (image[1:] - level) < 0).sum() == count


@pytest.mark.parametrize("K", [0.5, 0.9, 1.0, 2.0])
def test_memory_of_the_input_alone_attains_the_budget(K):
    x = normal(10, 2)
    out = DenseResNet([lambda states: -K / 25 * states[-1]] * 25)(x)
    torch.testing.assert_close(out, (1 - K) * x, atol=1e-14, rtol=0)  # rounding in 25 steps


@pytest.mark.parametrize("seed", range(10))
def test_below_budget_one_a_dense_resnet_separates_inputs_by_the_bound(seed):
    rng, depth, K = generator(seed), 12, 0.8
    increments = []
    for seen in range(1, depth + 1):
        c = torch.randn(seen, 1, dtype=torch.float64, generator=rng)
        c = c / c.abs().sum()
        increments.append(lambda h, c=c: K / depth * torch.tanh(3 * torch.cat(h, -1) @ c) / 3)
    x = torch.linspace(-2, 2, 500, dtype=torch.float64)[:, None]
    slopes = DenseResNet(increments)(x).diff(dim=0) / x.diff(dim=0)
    assert (slopes >= 1 - K).all() and (slopes <= math.exp(K)).all()


def test_a_dense_resnet_is_a_resnet_on_a_wider_state():
    n, depth, rng = 2, 4, generator()
    increments = [Increment(n * seen, 5, n, rng=rng) for seen in range(1, depth + 1)]

    def wide(layer, f):
        def increment(s):
            slots = list(s.split(n, dim=-1))
            change = [torch.zeros_like(slot) for slot in slots]
            change[layer] = slots[layer - 1] + f(slots[:layer][::-1])
            return torch.cat(change, -1)

        return increment

    x = normal(6, n)
    start = torch.cat([x, x.new_zeros(6, depth * n)], -1)
    end = ResNet([wide(layer, f) for layer, f in enumerate(increments, 1)])(start)
    states = DenseResNet(increments).states(x)
    assert torch.equal(end, torch.cat(list(states), -1))


# ---- at the door ----


def identity(h):
    return h


X = torch.zeros(4, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: MLP((2, 3)), "widths"),
        (lambda: MLP((2,)), "widths"),
        (lambda: MLP(()), "widths"),
        (lambda: MLP((2, 3, 2, 3)), "widths"),
        (lambda: MLP((2, 3.0, 2)), "widths"),
        (lambda: MLP((2, 0, 2)), "widths"),
        (lambda: MLP((2, -1, 2)), "widths"),
        (lambda: MLP((2, "3", 2)), "widths"),
        (lambda: MLP(3), "widths"),
        (lambda: MLP(None), "widths"),
        (lambda: MLP((2, 3, 2), rng=0), "rng"),
        (lambda: MLP((2, 3, 2), rng=np.random.default_rng(0)), "rng"),
        (lambda: MLP((2, 3, 2), scale=0), "scale"),
        (lambda: MLP((2, 3, 2), sigma="tanh"), "sigma"),
        (lambda: MLP((2, 3, 2), lift=3), "lift"),
        (lambda: MLP((2, 3, 2), lift=affine(2, 3)), "lift"),
        (lambda: MLP((2, 3, 2), readout=identity), "readout"),
        (lambda: MLP((2, 3, 2), readout=affine(3, 1)), "readout"),
        (lambda: MLP((3, 3, 2))(X), "x"),
        (lambda: MLP((3, 3, 2)).states(X), "x"),
        (lambda: MLP((2, 3, 2), lift=affine(3, 2))(X), "x"),
        (lambda: MLP((2, 3, 2))([[1.0, 2.0]]), "x"),
        (lambda: MLP((2, 3, 2))(torch.tensor(1.0)), "x"),
        (lambda: Increment(3, 1, 3)(X), "h"),
        (lambda: Increment(3, 1, 3)([X, X]), "h"),
        (lambda: Increment(0, 1, 3), "n"),
        (lambda: Increment(1, 2.5, 3), "m"),
        (lambda: Increment(1, 2, None), "q"),
        (lambda: affine(0, 1), "n"),
        (lambda: affine(1, 1, scale=math.nan), "scale"),
        (lambda: ResNet([]), "increments"),
        (lambda: ResNet(identity), "increments"),
        (lambda: ResNet([identity, 3]), "increments"),
        (lambda: ResNet([identity], step=math.nan), "step"),
        (lambda: ResNet([identity], step="1"), "step"),
        (lambda: ResNet([lambda h: h[..., :1]])(X), "increments"),
        (lambda: ResNet([identity, lambda h: 0.0])(X), "increments"),
        (lambda: ResNet([Increment(2, 3, 3)])(X), "increments"),
        (lambda: ResNet([identity])(1.0), "x"),
        (lambda: ResNet([identity])(torch.tensor(1.0)), "x"),
        (lambda: DenseResNet([]), "increments"),
        (lambda: DenseResNet([lambda states: states[0].sum()])(X), "increments"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
