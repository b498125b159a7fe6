"""Critical points: known polynomials, second methods, indices against the boundary, bad input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, root
from torch import nn

from dsnnlib.propagation.critical_points import classify, find, gradient_bound
from dsnnlib.propagation.neural_ode import NeuralODE, neural_ode
from dsnnlib.propagation.winding import frame, gradient, grid, winding, winding_numbers

BOX = [[-3, 3], [-3, 3]]
SMALL = [[-1, 1.1], [-1, 1.03]]  # no special point on a vertex
RANDOM = settings(derandomize=True, deadline=None, max_examples=30)


def seed(n):
    return torch.Generator().manual_seed(n)


def perceptron(k, n, scale=1.0):
    network = nn.Sequential(nn.Linear(2, k), nn.Tanh(), nn.Linear(k, 1)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=scale, generator=seed(n))
    return network


def fourier(n, waves=6):
    """A random Fourier sum with its gradient by hand, for numpy, and the sum for torch."""
    rng = np.random.default_rng(n)
    k, p, c = rng.normal(size=(waves, 2)), rng.uniform(0, 7, waves), rng.normal(size=waves)
    ks, ps, cs = map(torch.as_tensor, (k, p, c))
    return (
        lambda x: torch.cos(x @ ks.T + ps) @ cs,
        lambda x: -(np.sin(np.asarray(x) @ k.T + p) * c) @ k,
    )


def himmelblau(x):
    return (x[:, 0] ** 2 + x[:, 1] - 11) ** 2 + (x[:, 0] + x[:, 1] ** 2 - 7) ** 2


def monkey(x):
    return x[:, 0] ** 3 - 3 * x[:, 0] * x[:, 1] ** 2


# ---- points that are known ----


def test_himmelblau_has_four_minima_four_saddles_and_one_maximum():
    points = find(himmelblau, [[-5, 5], [-5, 5.1]])
    assert points.counts == (4, 4, 1)
    assert classify(points) == "Morse" and points.consistent
    exact = np.array([[3, 2]])  # the minimum with integer coordinates
    assert np.linalg.norm(points.x - exact, axis=1).min() < 1e-13  # rounding
    np.testing.assert_allclose(points.value[:4], 0, atol=1e-20)  # a square of rounding errors
    np.testing.assert_array_equal(points.value, np.sort(points.value))


@settings(derandomize=True, deadline=None, max_examples=20)
@given(
    angle=st.floats(0, math.pi),
    first=st.floats(0.05, 20),
    second=st.floats(0.05, 20),
    signs=st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 1])),
    centre=st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
)
def test_a_quadratic_form_has_one_point_with_its_own_eigenvalues(
    angle, first, second, signs, centre
):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    eigenvalues = np.array([first, second]) * signs
    form, at = torch.as_tensor(turn @ np.diag(eigenvalues) @ turn.T), torch.tensor(centre)

    points = find(lambda x: ((x - at) @ form * (x - at)).sum(1) / 2, [[-1, 1], [-1, 1]], cells=20)
    np.testing.assert_allclose(points.x, [centre], atol=1e-11)  # 1e-12 of a gradient up to 20
    np.testing.assert_allclose(points.eigenvalues, [np.sort(eigenvalues)], rtol=1e-12)
    assert points.morse_index == (np.array(signs) < 0).sum()
    assert points.index == np.prod(signs) == points.boundary


@pytest.mark.parametrize(
    ("columns", "rows", "counts"), [(2, 2, (2, 1, 2)), (4, 3, (6, 6, 6)), (3, 3, (4, 4, 5))]
)
def test_a_product_of_sines_has_its_extrema_in_the_cells_and_its_saddles_between(
    columns, rows, counts
):
    box = [[-1e-2, columns + 0.01], [-1e-2, rows + 0.01]]
    inner = [[0.01, columns - 0.01], [0.01, rows - 0.01]]
    points = find(lambda x: torch.sin(math.pi * x).prod(1), inner)
    extrema, saddles = columns * rows, (columns - 1) * (rows - 1)
    assert points.counts[1] == saddles and points.counts[0] + points.counts[2] == extrema
    assert points.counts == counts
    whole = find(lambda x: torch.sin(math.pi * x).prod(1), box)
    assert whole.counts[1] == (columns + 1) * (rows + 1)  # with those on the edge of the board


def test_on_an_interval_minima_and_maxima_alternate():
    points = find(lambda x: torch.sin(5 * x), [[-2, 2]])
    expected = (np.arange(-3, 3) + 0.5) * math.pi / 5
    np.testing.assert_allclose(np.sort(points.x[:, 0]), expected, atol=1e-12)  # rounding
    assert points.counts == (3, 3) and points.boundary == 0
    assert find(torch.exp, [[-1, 2]]).counts == (0, 0)


# ---- degenerate points ----


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("box", [[[-1, 1], [-1, 1]], SMALL])
def test_the_saddle_with_n_descents_is_degenerate_and_has_the_index_one_minus_n(n, box):
    def phi(x):
        return torch.complex(x[:, 0], x[:, 1]).pow(n).real

    points = find(phi, box)
    assert points.index.tolist() == [1 - n] and points.degenerate.all() and points.isolated.all()
    assert classify(points) == "not Morse" and points.counts == (0, 0, 0) and points.consistent


@pytest.mark.parametrize("power", [3, 4, 5])
def test_a_flat_minimum_keeps_its_index_and_an_inflection_has_index_zero(power):
    points = find(lambda x: x[:, 0] ** power + x[:, 1] ** 2, SMALL)
    assert points.index.tolist() == [1 - power % 2] and points.degenerate.all()
    points = find(lambda x: x**power, [[-1, 1.1]])
    assert points.index.tolist() == [1 - power % 2] and points.degenerate.all()


@pytest.mark.parametrize("epsilon", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
def test_a_pair_closer_than_the_cells_is_not_missed(epsilon):
    points = find(lambda x: x[:, 0] ** 3 - 3 * epsilon * x[:, 0] + x[:, 1] ** 2, SMALL)
    assert points.counts == (1, 1, 0) and points.boundary == 0
    # the polish stops at 1e-12 of the gradient in the cell, and the gradient is 6 sqrt(eps) dx
    expected = [[epsilon**0.5, 0], [-(epsilon**0.5), 0]]
    np.testing.assert_allclose(points.x, expected, atol=1e-14 / epsilon**0.5)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-4, 1e-8])
def test_beyond_the_fold_nothing_is_found(epsilon):
    points = find(lambda x: x[:, 0] ** 3 + epsilon * x[:, 0] + x[:, 1] ** 2, SMALL)
    assert len(points) == 0 and classify(points) == "no critical points"


@pytest.mark.parametrize(
    "phi",
    [
        lambda x: torch.sin(x[:, 0] + 2 * x[:, 1]),
        lambda x: (x[:, 0] + 2 * x[:, 1]) ** 3,
        lambda x: 0 * x[:, 0],
        lambda x: torch.relu(x).sum(1),
    ],
    ids=["lines", "inflection line", "constant", "rectifier"],
)
def test_a_set_of_critical_points_is_sampled_and_never_called_isolated(phi):
    points = find(phi, [[-2, 2], [-2, 2.1]])
    assert len(points) > 100 and points.degenerate.all() and not points.isolated.any()
    assert not points.index.any() and not points.consistent
    assert classify(points) == "not Morse"
    g = gradient(phi, points.x)
    assert abs(g).max() < 1e-9  # 1e-12 of the largest gradient in a cell


def test_the_samples_of_a_line_lie_on_it_and_reach_from_end_to_end():
    points = find(lambda x: (x[:, 0] - 0.3) ** 2, [[-2, 2], [-2, 2.1]])
    np.testing.assert_allclose(points.x[:, 0], 0.3, atol=1e-12)
    second = np.sort(points.x[:, 1])
    assert np.diff(second).max() < 2 * 4.1 / 120 and np.ptp(second) > 4  # gaps below two cells


def test_a_circle_of_points_around_a_maximum_leaves_the_maximum_isolated():
    points = find(lambda x: ((x**2).sum(1) - 1) ** 2, [[-2, 2], [-2, 2.1]])
    assert points.counts == (0, 0, 1) and points.isolated.sum() == 1 and points.boundary == 1
    radius = np.linalg.norm(points.x[~points.isolated], axis=1)
    np.testing.assert_allclose(radius, 1, atol=1e-9)  # the polish


def test_around_a_very_flat_minimum_the_gradient_is_zero_to_rounding():
    points = find(lambda x: (x**8).sum(1), SMALL)
    assert len(points) and points.degenerate.all() and classify(points) == "not Morse"
    assert abs(points.x).max() < 0.02  # 8 x^7 = 1e-12 at 0.014


def test_a_saturated_network_is_flat_to_rounding():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (8 * torch.eye(2), 0, 1, 0), strict=True):
            parameter[:] = torch.as_tensor(value)
    points = find(network, BOX)
    assert (abs(points.x) > 2).all()  # tanh'(16) = 5e-14 of the largest slope
    assert len(find(network, [[-1.9, 1.9], [-1.9, 1.9]])) == 0


# ---- far from the simplest case ----


@pytest.mark.parametrize("epsilon", [0.1, 1e-2, 1e-3, 1e-4])
def test_two_points_at_the_ends_of_a_curved_valley_are_found(epsilon):
    points = find(lambda x: ((x**2).sum(1) - 1) ** 2 + epsilon * x[:, 0], [[-2, 2], [-2, 2.1]])
    assert points.counts == (1, 1, 1) and points.consistent
    # on the first axis 4 s (s^2 - 1) + epsilon = 0: minimum, saddle, maximum by value
    expected = np.sort(np.roots([4, 0, -4, epsilon]).real)[[0, 2, 1]]
    np.testing.assert_allclose(points.x[:, 0], expected, atol=1e-12)  # rounding
    # the polish stops at 1e-12 of a gradient up to 1; across, the valley bends by 2 epsilon
    np.testing.assert_allclose(points.x[:, 1], 0, atol=1e-12 / epsilon)


@pytest.mark.parametrize("unit", [1e-200, 1e-8, 1e8, 1e200])
def test_the_unit_of_the_output_does_not_matter(unit):
    points = find(lambda x: unit * ((x - 0.1) ** 2).sum(1), SMALL)
    assert points.counts == (1, 0, 0) and points.consistent
    np.testing.assert_allclose(points.x, 0.1, atol=1e-12)  # the polish
    np.testing.assert_allclose(points.eigenvalues, 2 * unit, rtol=1e-14, atol=0)  # rounding


@pytest.mark.parametrize("height", [6.2, 6.2e-2, 6.2e-4])
def test_the_box_may_be_long_and_flat(height):
    box = [[-3.1, 3.1], [-0.45 * height, 0.55 * height]]
    points = find(lambda x: torch.sin(3 * x[:, 0]) + x[:, 1] ** 2, box)
    assert points.counts == (3, 3, 0) and points.consistent
    np.testing.assert_allclose(abs(np.sin(3 * points.x[:, 0])), 1, rtol=1e-15)  # at odd pi / 6


# ---- second methods ----


@pytest.mark.parametrize("n", range(8))
def test_newtons_method_from_many_starts_finds_the_same_points(n):
    phi, slope = fourier(n)
    points = find(phi, BOX)
    starts = np.random.default_rng(100 + n).uniform(-3, 3, size=(400, 2))
    solutions = [root(slope, start, tol=1e-13) for start in starts]
    ends = [s.x for s in solutions if np.linalg.norm(slope(s.x)) < 1e-9 and abs(s.x).max() < 3]
    ends = np.unique(np.round(ends, 6).reshape(-1, 2), axis=0)
    gaps = np.linalg.norm(points.x[:, None] - ends, axis=-1)
    assert gaps.shape == (len(points),) * 2 and (gaps.min(0, initial=9) < 2e-6).all()  # as rounded


@pytest.mark.parametrize("n", range(8))
def test_counting_turning_cells_gives_the_same_extrema_and_saddles(n):
    phi, slope = fourier(n, waves=10)
    points, turns = find(phi, BOX), winding_numbers(slope(grid(BOX, 240)))
    minima, saddles, maxima = points.counts
    assert (minima + maxima, saddles) == ((turns == 1).sum(), (turns == -1).sum())


@RANDOM
@given(n=st.integers(0, 10**6), k=st.integers(1, 24))
def test_the_indices_of_a_random_perceptron_add_up_to_the_turns_along_the_boundary(n, k):
    network = perceptron(k, n)
    points = find(network, BOX, strict=False)
    turns, _ = winding(network, frame(BOX), pieces=1000)
    if points.isolated.all() and turns is not None:  # not so for one neuron, or on the boundary
        assert points.index.sum() == points.boundary == turns
    if k == 1:
        assert len(points) == 0


def test_a_finer_grid_finds_nothing_more():
    for n in range(10):
        network = perceptron(32, n, scale=2)
        assert find(network, BOX).counts == find(network, BOX, cells=300).counts


def test_autograd_and_differences_agree_on_the_hessian():
    network = neural_ode(2, 3, 1, 8, rng=seed(6), scale=2, steps=8)
    points = find(network, BOX)
    assert len(points) == 5
    h, e = 1e-5, np.eye(2)
    columns = [
        (gradient(network, points.x + h * d) - gradient(network, points.x - h * d)) / (2 * h)
        for d in e
    ]
    eigenvalues = np.linalg.eigvalsh(np.stack(columns, -1))
    np.testing.assert_allclose(points.eigenvalues, eigenvalues, atol=1e-7)  # O(h^2) and rounding


def test_a_change_of_coordinates_moves_the_points_and_keeps_their_types():
    phi, _ = fourier(3)
    points = find(phi, BOX)
    moved = find(lambda x: 1e-6 * phi(2 * x.flip(1) - 1) + 5, [[-1, 2], [-1, 2]])
    np.testing.assert_allclose(2 * moved.x[:, ::-1] - 1, points.x, atol=1e-9)  # the polish
    np.testing.assert_array_equal(moved.morse_index, points.morse_index)


def test_a_coarse_grid_is_told_that_it_missed_something():
    def phi(x):
        return torch.sin(20 * x).prod(1)

    with pytest.raises(ArithmeticError, match=r"add up to .* use more than cells=7") as refusal:
        find(phi, SMALL, cells=7)
    assert "\n" not in str(refusal.value)
    coarse, fine = find(phi, SMALL, cells=7, strict=False), find(phi, SMALL)
    assert not coarse.consistent and fine.consistent and len(coarse) < len(fine)
    zeros = 20 / math.pi * np.array(SMALL)  # of the sine lie at the integers
    saddles = np.prod([np.floor(hi) - np.ceil(lo) + 1 for lo, hi in zeros])
    extrema = np.prod([np.floor(hi - 0.5) - np.ceil(lo - 0.5) + 1 for lo, hi in zeros])
    assert fine.counts[1] == saddles and len(fine) == saddles + extrema


# ---- the architectures ----


@pytest.mark.parametrize("m", [1, 2])
def test_a_neural_ode_without_a_spare_dimension_has_no_critical_point(m):
    for n in range(10):
        model = neural_ode(2, m, 1, 8, rng=seed(n), steps=10)
        assert classify(find(model, BOX, cells=40)) == "no critical points"
        slope = np.linalg.norm(gradient(model, grid(BOX, 40)), axis=-1)
        assert slope.min() > gradient_bound(model, model.field.lipschitz) > 0


@pytest.mark.parametrize("K", [0, 0.5, 1.5])
def test_a_linear_contraction_attains_the_bound(K):
    model = neural_ode(2, 2, 1, 1, rng=seed(0), horizon=2.0)
    left, _, _ = np.linalg.svd(model.lift.weight.detach().numpy())
    model.readout.weight.data[0] = torch.as_tensor(left[:, -1])
    model = NeuralODE(model.lift, lambda t, h: -K * h, model.readout, horizon=2.0, steps=200)
    slope = np.linalg.norm(gradient(model, np.array([[0.3, -1.0], [2.0, 1.0]])), axis=1)
    # RK4: T K^5 dt^4 / 120 = 1.3e-9 for K = 1.5
    np.testing.assert_allclose(slope, gradient_bound(model, K), rtol=2e-9)


def test_the_bound_is_the_formula():
    model = neural_ode(3, 2, 1, 4, rng=seed(1), horizon=0.7)
    A, v = model.lift.weight.detach().numpy(), model.readout.weight.detach().numpy()
    smallest = np.linalg.eigvalsh(A @ A.T)[0] ** 0.5
    expected = np.linalg.norm(v) * smallest * math.exp(-1.4)
    assert gradient_bound(model, 2) == pytest.approx(expected, rel=1e-12)  # rounding


def test_a_neural_ode_with_a_lift_of_rank_one_has_only_degenerate_points():
    model = neural_ode(2, 3, 1, 8, rng=seed(1), scale=2, steps=8)
    model.lift.weight.data = torch.outer(model.lift.weight[:, 0], model.lift.weight[0]).data
    points = find(model, BOX, cells=30)
    assert len(points) > 30 and points.degenerate.all() and not points.isolated.any()


def test_a_non_monotone_activation_gives_a_narrow_network_one_point_where_both_neurons_rest():
    rest = brentq(lambda s: 0.5 * math.erfc(-s / 2**0.5) + s * gauss(s), -2, 0, xtol=1e-14)
    for n in range(6):
        affine, readout = perceptron(2, n)[::2]
        W, b = (p.detach().numpy() for p in affine.parameters())
        v = readout.weight.detach().numpy()
        x = np.linalg.solve(W, rest - b)
        points = find(nn.Sequential(affine, nn.GELU(), readout), x[:, None] + [-1.05, 0.95])
        np.testing.assert_allclose(W @ (points.x - x).T, 0, atol=1e-10)  # the polish
        assert points.morse_index.tolist() == [(v < 0).sum()]


def gauss(s):
    return math.exp(-s * s / 2) / math.sqrt(2 * math.pi)


def test_a_map_without_critical_points_gives_an_empty_result():
    points = find(lambda x: x[:, 0] + 0.1 * torch.sin(x[:, 1]), BOX)
    assert classify(points) == "no critical points"
    assert len(points) == 0 and points.x.shape == (0, 2) and points.counts == (0, 0, 0)
    assert points.consistent and points.boundary == 0


# ---- at the door ----


def never(x):
    pytest.fail("phi was asked for")


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: find(never, [[0, 0], [0, 1]]), "box"),
        (lambda: find(never, [[1, 0], [0, 1]]), "box"),
        (lambda: find(never, [0, 1]), "box"),
        (lambda: find(never, [[0, 1]] * 3), "box"),
        (lambda: find(never, [[0, math.inf], [0, 1]]), "box"),
        (lambda: find(never, "here"), "box"),
        (lambda: find(never, BOX, cells=1), "cells"),
        (lambda: find(never, BOX, cells=20.0), "cells"),
        (lambda: find(lambda x: x, BOX), "phi"),
        (lambda: find(lambda x: x.sum(), BOX), "phi"),
        (lambda: find(lambda x: None, BOX), "phi"),
        (lambda: find(lambda x: torch.zeros(len(x)), BOX), "phi"),
        (lambda: find(lambda x: (x**2).sum(1), [[0, 1], [-1, 1.1]]), "box"),
        (lambda: find(lambda x: x**2, [[0, 1]]), "box"),
        (lambda: classify("Morse"), "points"),
        (lambda: gradient_bound("model", 1.0), "model"),
        (lambda: gradient_bound(neural_ode(2, 3, 1, 4, rng=seed(0)), 1.0), "model"),
        (lambda: gradient_bound(neural_ode(2, 2, 2, 4, rng=seed(0)), 1.0), "model"),
        (lambda: gradient_bound(neural_ode(2, 2, 1, 4, rng=seed(0)), -1), "lipschitz"),
        (lambda: gradient_bound(neural_ode(2, 2, 1, 4, rng=seed(0)), math.nan), "lipschitz"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "phi", [lambda x: x[:, 0].log(), lambda x: x.sum(1) / 0, lambda x: x[:, 0].abs().sqrt()]
)
def test_a_gradient_that_is_not_finite_is_refused_in_one_line(phi):
    with pytest.raises(ArithmeticError, match="finite") as refusal:
        find(phi, [[-1, 1], [-1, 1]])
    assert "\n" not in str(refusal.value)
