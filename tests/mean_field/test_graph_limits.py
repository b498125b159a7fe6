"""Graphs and their limits: counts of edges, dense spectra, exact measures and Fourier products."""

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chi2

from dsnnlib.mean_field.distances import arcs, bounded_lipschitz
from dsnnlib.mean_field.graph_limits import (
    DigraphMeasure,
    cantor,
    from_kernel,
    from_network,
    graphon_matrix,
    largest_eigenvalue,
    shift,
    vertices,
    w_random,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def one(x, y):
    return np.ones(np.broadcast_shapes(np.shape(x), np.shape(y)))


def sloping(x, y):
    """A symmetric kernel between 0 and 1."""
    return 0.1 + 0.8 * x * y


class Chosen:
    """A generator that draws the given candidates, and keeps them all."""

    def __init__(self, drawn):
        self.drawn = np.asarray(drawn)

    def binomial(self, pairs, probability):
        self.pairs = pairs
        return self.drawn.size

    def choice(self, pairs, size, **options):
        return self.drawn

    def random(self, size):
        return np.zeros(size)


# ---- vertices and kernels ----


def test_vertices_are_the_midpoints_of_equal_cells():
    np.testing.assert_allclose(vertices(4), [1 / 8, 3 / 8, 5 / 8, 7 / 8], rtol=1e-15)


def test_a_kernel_is_taken_at_all_pairs_row_by_row():
    found = graphon_matrix(lambda x, y: x + 10 * y, 3)
    x = [1 / 6, 1 / 2, 5 / 6]
    np.testing.assert_allclose(found, [[a + 10 * b for b in x] for a in x], rtol=1e-14)
    np.testing.assert_array_equal(graphon_matrix(lambda x, y: 0.5, 3), np.full((3, 3), 0.5))


# ---- random graphs ----


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("N", [2, 3, 4, 11, 60])
def test_certain_edges_make_the_complete_graph(N, directed):
    graph = w_random(one, N, rng(), directed=directed)
    np.testing.assert_array_equal(graph.toarray(), 1 - np.eye(N))


@pytest.mark.parametrize("N", [3, 10, 40])
def test_each_candidate_is_one_pair(N):
    pairs = []
    for k in range(N * (N - 1) // 2):
        row, column = w_random(one, N, Chosen([k])).nonzero()
        assert sorted(zip(row, column, strict=True)) == sorted(zip(column, row, strict=True))
        pairs.append((row.max(), column.min()))
    assert pairs == [(i, j) for i in range(N) for j in range(i)]


@pytest.mark.parametrize("N", [3, 10, 40])
def test_each_directed_candidate_is_one_ordered_pair(N):
    edges = []
    for k in range(N * (N - 1)):
        row, column = w_random(one, N, Chosen([k]), directed=True).nonzero()
        edges.append((row.item(), column.item()))
    assert edges == [(i, j) for i in range(N) for j in range(N) if i != j]


@pytest.mark.parametrize("N", [10**5, 3 * 10**9])
def test_pairs_of_large_graphs_are_not_confused_by_rounding(N):
    # at the ends of rows the square root is just below or above a whole number; the kernel
    # sees the pairs, and a matrix of this size need not be made
    g = rng()
    rows = np.concatenate([[1, 2, N - 2, N - 1], g.integers(2, N, 2000)])
    first = rows * (rows - 1) // 2
    seen = []

    def kernel(x, y):
        seen.extend(np.rint(v * N - 0.5).astype(np.int64) for v in (x, y))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        w_random(kernel, N, Chosen(np.concatenate([first, first + rows - 1])))
    np.testing.assert_array_equal(seen[0], np.concatenate([rows, rows]))
    np.testing.assert_array_equal(seen[1], np.concatenate([0 * rows, rows - 1]))


@pytest.mark.parametrize("directed", [False, True])
def test_all_pairs_are_equally_likely(directed):
    N, runs, p = 6, 3000, 0.3
    g, counts = rng(), np.zeros((N, N))
    for _ in range(runs):
        counts += w_random(one, N, g, density=p, directed=directed).toarray()
    pairs = counts[~np.eye(N, dtype=bool)] if directed else counts[np.tril_indices(N, -1)]
    # pairs are independent, so the sum of squared standard scores is chi^2
    score = ((pairs - runs * p) ** 2 / (runs * p * (1 - p))).sum()
    low, high = chi2.ppf([3e-5, 1 - 3e-5], pairs.size)  # four standard errors of a normal law
    assert low < score < high


@pytest.mark.parametrize(
    "options", [{}, {"directed": True}, {"bound": 2.0, "density": 0.5}, {"density": 0.2}]
)
def test_each_edge_has_the_probability_of_the_kernel(options):
    N, runs = 12, 2000
    density = options.get("density", 1.0)
    g, mean = rng(), np.zeros((N, N))
    for _ in range(runs):
        mean += w_random(sloping, N, g, **options).toarray() / runs
    exact = density * graphon_matrix(sloping, N)
    np.fill_diagonal(exact, 0)
    error = np.sqrt(exact * (1 - exact) / runs)
    assert (abs(mean - exact) <= 5 * error).all()  # five, for up to 132 edges at once


def test_an_asymmetric_kernel_makes_a_directed_graph_from_column_to_row():
    graph = w_random(lambda x, y: (x > y) * 1.0, 30, rng(), directed=True)
    np.testing.assert_array_equal(graph.toarray(), np.tri(30, k=-1))


def test_a_sparse_graph_of_many_vertices_has_the_expected_edges():
    N, degree = 10**5, 20
    graph = w_random(one, N, rng(), density=degree / (N - 1))
    pairs, p = N * (N - 1) / 2, degree / (N - 1)
    assert abs(graph.nnz / 2 - pairs * p) < 4 * math.sqrt(pairs * p * (1 - p))
    assert abs(graph - graph.T).max() == 0
    assert not graph.diagonal().any()
    assert graph.data.max() == 1


def test_the_graph_divided_by_its_density_acts_as_the_kernel_does():
    # degrees of node i are binomial around density * sum_j W(x_i, x_j)
    N, density = 2000, 0.05
    graph = w_random(sloping, N, rng(), density=density)
    x = vertices(N)
    mean = 0.1 + 0.8 * x / 2
    error = np.sqrt(mean / density / N)
    assert abs(graph.sum(1) / density / N - mean).max() < 5 * error.max()  # five, for all nodes


@pytest.mark.parametrize("directed", [False, True])
def test_a_graph_may_be_so_sparse_that_no_edge_is_drawn(directed):
    graph = w_random(sloping, 3, rng(), density=1e-12, directed=directed)
    assert graph.shape == (3, 3)
    assert graph.nnz == 0


def test_a_kernel_that_vanishes_makes_no_edge():
    graph = w_random(lambda x, y: 0 * x, 50, rng())
    assert graph.nnz == 0
    assert graph.shape == (50, 50)


# ---- largest eigenvalue ----


@pytest.mark.parametrize("N", [1, 2, 3, 20])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_the_largest_eigenvalue_is_that_of_the_dense_matrix(N, make):
    matrix = rng().normal(size=(N, N))
    matrix += matrix.T
    exact = np.linalg.eigvalsh(matrix)[-1] / N
    assert largest_eigenvalue(make(matrix)) == pytest.approx(exact, rel=1e-12)


def test_it_is_the_largest_and_not_that_of_largest_modulus():
    assert largest_eigenvalue(np.diag([-9.0, 1, 2, 0])) == pytest.approx(2 / 4, rel=1e-12)


def test_it_is_found_where_constant_vectors_are_annihilated():
    pair = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert largest_eigenvalue(pair) == pytest.approx(1, rel=1e-12)
    assert largest_eigenvalue(np.kron(np.diag([1.0, 2, 3]), pair)) == pytest.approx(1, rel=1e-12)
    assert largest_eigenvalue(np.zeros((4, 4))) == 0


def test_a_constant_kernel_has_its_value():
    assert largest_eigenvalue(graphon_matrix(lambda x, y: 0.3, 200)) == pytest.approx(0.3)


def test_a_kernel_of_rank_one_has_the_integral_of_its_square():
    # w(x) = (1 - a) x^-a, cut into midpoints: (1/N) sum w^2 exactly
    w = 0.7 * vertices(300) ** -0.3
    found = largest_eigenvalue(np.outer(w, w))
    assert found == pytest.approx((w**2).mean(), rel=1e-12)


def test_a_small_world_has_two_r_plus_p_less_four_r_p():
    # 1 - p within distance r on the ring, p beyond: constant functions win for p < 1/2
    r, p, N = 0.2, 0.1, 500
    x = vertices(N)
    near = arcs(x, x, 1) < r - 1e-9
    matrix = np.where(near, 1 - p, p)
    exact = 2 * r + p - 4 * r * p
    # a row has 2 r N - 1 near neighbours: the discretisation, (1 - 2p)/N
    assert largest_eigenvalue(matrix) == pytest.approx(exact - (1 - 2 * p) / N, rel=1e-12)


def test_a_random_graph_has_nearly_the_eigenvalue_of_its_kernel():
    # ||A - E A|| is about 2 sqrt(N p (1 - p)) (Furedi and Komlos 1981)
    N, p = 800, 0.3
    found = largest_eigenvalue(w_random(one, N, rng(), density=p))
    assert abs(found - p) < 2 * math.sqrt(p * (1 - p) / N)


# ---- digraph measures ----


@pytest.mark.parametrize(
    ("measure", "mass"),
    [(shift(0.37), 1), (cantor(4), 1), (from_kernel(lambda x, y: 2.0, 90), 2)],
    ids=["shift", "cantor", "kernel"],
)
@pytest.mark.parametrize("N", [1, 7, 81])
def test_the_rows_of_the_network_hold_the_mass_of_the_fibres(measure, mass, N):
    np.testing.assert_allclose(measure.network(N).sum(1), N * mass, rtol=1e-13)


@pytest.mark.parametrize("N", [1, 2, 3, 10, 49, 100])
def test_a_shift_by_whole_cells_is_a_permutation(N):
    for cells in range(-N, 2 * N):
        matrix = shift(cells / N).network(N).toarray() / N
        np.testing.assert_array_equal(matrix, np.roll(np.eye(N), cells, axis=1))


@pytest.mark.parametrize("level", range(1, 7))
def test_cantors_network_is_a_circulant_of_two_to_the_level_neighbours(level):
    N = 3**level
    matrix = cantor(level).network(N).toarray()
    assert set((matrix > 0).sum(1)) == {2**level}
    assert set(matrix[matrix > 0]) == {N / 2**level}
    for i in range(N):
        np.testing.assert_array_equal(matrix[i], np.roll(matrix[0], i))
    # x + C leaves the midpoints of cells by C, whose ternary digits are 0 and 2 only:
    # node 0 sees cells j + 1 (the edge of a cell belongs to the next)
    ternary = [j for j in range(N) if "1" not in np.base_repr(j, 3)]
    np.testing.assert_array_equal(np.flatnonzero(matrix[0]), sorted((j + 1) % N for j in ternary))


@pytest.mark.parametrize("level", [1, 2, 5, 9])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 7, -4])
def test_cantors_measure_has_the_fourier_coefficients_of_its_product(level, k):
    # C = 1/2 + sum_j e_j 3^-j with independent signs e_j, whatever the level
    points, masses = cantor(level).at(np.array([0.3]))
    found = (masses * np.exp(2j * np.pi * k * points)).sum()
    product = math.prod(math.cos(2 * math.pi * k / 3**j) for j in range(1, level + 1))
    exact = np.exp(2j * np.pi * k * 0.3) * (-1) ** k * product
    assert found == pytest.approx(exact, abs=1e-12)  # rounding


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_one_more_level_of_cantors_set_moves_all_mass_by_a_third_of_an_interval(level):
    # each atom goes to the midpoints of its two thirds, 3^-(level + 1) to both sides
    found = cantor(level).distance(cantor(level + 1), vertices(3))
    assert found == pytest.approx(3.0 ** -(level + 1), rel=1e-9)


@pytest.mark.parametrize("a", [0.0, 0.1, 0.95, 3.3])
@pytest.mark.parametrize("b", [0.0, 0.6, -0.2])
def test_shifts_are_as_far_apart_as_their_amounts_on_the_circle(a, b):
    apart = abs(math.remainder(a - b, 1))
    found = shift(a).distance(shift(b), vertices(4))
    assert found == pytest.approx(apart, abs=1e-12)


def test_the_distance_is_the_largest_over_the_vertices():
    wide = DigraphMeasure(lambda x: (x[:, None] * 0.25, np.ones(1)))
    still = DigraphMeasure(lambda x: (0 * x[:, None], np.ones(1)))
    assert wide.distance(still, np.array([0.1, 0.8, 0.4])) == pytest.approx(0.2, rel=1e-12)


def test_the_distance_counts_different_masses():
    half = DigraphMeasure(lambda x: (x[:, None], np.full(1, 0.5)))
    assert half.distance(shift(0), vertices(3)) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("measure", [shift(0.1234), cantor(3), shift(-0.77)])
@pytest.mark.parametrize("N", [5, 16, 60])
def test_the_network_of_a_measure_is_within_a_cell_of_it(measure, N):
    # over a vertex, mass moves inside its cell: at most 1/(2N)
    found = from_network(measure.network(N)).distance(measure, vertices(N))
    assert found <= 0.5 / N + 1e-9  # rounding of the network simplex


def test_between_the_vertices_the_network_of_a_measure_lags_by_half_a_cell_more():
    x = (np.arange(100) + 0.5) / 100
    found = from_network(shift(0.1234).network(20)).distance(shift(0.1234), x)
    assert found <= 1 / 20 + 1e-9


def test_a_network_is_its_measure_and_back():
    matrix = rng().random((8, 8)) * (rng(1).random((8, 8)) < 0.5)
    found = from_network(matrix).network(8)
    np.testing.assert_allclose(found.toarray(), matrix, rtol=0, atol=1e-14)


def test_cells_of_a_network_share_its_fibres():
    matrix = rng().random((3, 3))
    _, masses = from_network(matrix).at(np.array([0.0, 0.32, 0.34, 0.99, 1.0, -0.01]))
    np.testing.assert_allclose(masses * 3, matrix[[0, 0, 1, 2, 0, 2]], rtol=1e-14)


def test_the_network_of_a_kernel_is_its_matrix():
    # as many atoms as cells: one atom in the middle of each
    found = from_kernel(sloping, 40).network(40).toarray()
    np.testing.assert_allclose(found, graphon_matrix(sloping, 40), rtol=1e-13)
    fine = from_kernel(sloping, 400).network(40).toarray()  # cell means of a linear function
    np.testing.assert_allclose(fine, graphon_matrix(sloping, 40), rtol=1e-12)


def test_the_fibres_of_a_kernel_converge_to_it():
    x = vertices(5)
    coarse, fine = from_kernel(sloping, 20), from_kernel(sloping, 300)
    # mass moves by at most half a coarse cell, and is at most 0.9 of one
    assert coarse.distance(fine, x) <= 0.9 * 0.5 / 20 + 1e-9


def test_atoms_are_taken_modulo_one():
    points, _ = DigraphMeasure(lambda x: (x[:, None] + [[-2.0, 5.25]], np.ones(2))).at(
        np.array([0.5])
    )
    np.testing.assert_allclose(points, [[0.5, 0.75]], rtol=1e-14)


def test_the_uniform_distance_is_that_of_the_worst_pair_of_fibres():
    a, b, x = cantor(2), shift(0.3), vertices(3)
    pa, ma = a.at(x)
    pb, mb = b.at(x)
    each = [bounded_lipschitz(arcs(pa[i], pb[i], 1), ma[i], mb[i]) for i in range(3)]
    assert a.distance(b, x) == pytest.approx(max(each), rel=1e-13)


# ---- at the door ----


def fibre(*answer):
    return DigraphMeasure(lambda x: answer).at(np.array([0.1, 0.2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vertices(0), "N is 0"),
        (lambda: graphon_matrix(one, 5001), "N is 5001; a dense matrix is made for at most 5000"),
        (lambda: graphon_matrix(lambda x, y: np.ones(3), 4), r"kernel returns the shape \(3,\)"),
        (lambda: graphon_matrix(lambda x, y: x - 1, 4), "kernel reaches -0.875; it must not be"),
        (lambda: graphon_matrix(lambda x, y: np.nan, 4), "kernel holds NaN"),
        (lambda: w_random(one, 1, rng()), "N is 1; it must be a whole number, at least 2"),
        (lambda: w_random(one, 5, rng(), density=0), "density is 0"),
        (lambda: w_random(one, 5, rng(), bound=-1), "bound is -1"),
        (lambda: w_random(one, 5, rng(), density=0.6, bound=2.0), r"density \* bound is 1.2"),
        (lambda: w_random(lambda x, y: 0 * x - 1, 5, rng()), "kernel reaches -1"),
        (lambda: w_random(lambda x, y: 0 * x + 1.5, 5, rng()), "kernel reaches 1.5; bound"),
        (lambda: w_random(lambda x, y: np.ones(2), 5, rng()), "kernel returns the shape"),
        (lambda: largest_eigenvalue(np.ones((2, 3))), "matrix has the shape"),
        (lambda: largest_eigenvalue([[0.0, 1.0], [0.0, 0.0]]), "matrix is not symmetric"),
        (lambda: largest_eigenvalue(sparse.csr_array([[0.0, 1], [0, 0]])), "matrix is not symm"),
        (lambda: fibre(np.ones(2), np.ones(1)), "fibre has 1 dimensions; it must have 2"),
        (lambda: fibre(np.ones((3, 2)), np.ones(2)), r"fibre has the shape \(3,\)"),
        (lambda: fibre(np.ones((2, 1)), -np.ones(1)), "fibre has the mass -1"),
        (lambda: shift(0.1).at([[0.1]]), "x has 2 dimensions"),
        (lambda: shift(math.inf), "alpha is inf"),
        (lambda: cantor(0), "level is 0"),
        (lambda: from_kernel(one, 0), "nodes is 0"),
        (lambda: from_kernel(lambda x, y: y - 1, 4).at([0.5]), "kernel reaches -0.875"),
        (lambda: from_kernel(lambda x, y: np.ones(7), 4).at([0.5]), "kernel returns the shape"),
        (lambda: from_network(np.ones((2, 3))), "adjacency has the shape"),
        (lambda: from_network(sparse.eye_array(5001)), "adjacency has 5001 nodes"),
        (lambda: from_network(-np.eye(2)), "adjacency holds -1; it must not"),
        (lambda: shift(0).network(0), "N is 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
