"""Phase oscillators: numpy's functions, the double sum over all pairs, order, invariants."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.integrate import solve_ivp

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.oscillators import (
    AllToAll,
    Fibred,
    Graph,
    LowRank,
    Oscillators,
    PairNetwork,
    circle,
    half_angle,
    order_parameter,
)

N = 9
ULP = np.finfo(float).eps


def rng(seed=0):
    return np.random.default_rng(seed)


def sparse_weights(seed=0, n=N):
    g = rng(seed)
    return g.normal(size=(n, n)) * (g.random((n, n)) < 0.5)


def factors(seed=0, n=N):
    return rng(seed).normal(size=(2, n, 3))


# operator, and the matrix A with which it averages (1/N) sum_j A_ij z_j
OPERATORS = pytest.mark.parametrize(
    ("operator", "matrix"),
    [
        (AllToAll(), np.ones((N, N))),
        (Graph(sparse_weights()), sparse_weights()),
        (Graph(sparse.csr_array(sparse_weights())), sparse_weights()),
        (Graph(sparse.coo_matrix(sparse_weights())), sparse_weights()),
        (LowRank(*factors()), factors()[0] @ factors()[1].T),
    ],
    ids=["all to all", "dense graph", "sparse graph", "sparse matrix", "low rank"],
)
COUPLINGS = pytest.mark.parametrize(
    ("sine", "cosine"),
    [
        ((1.7,), ()),
        ((), (0.4,)),
        ((0.3, 0.0, -1.2), (0.5, 2.0)),
        ((0.2,), (0.0, 0.0, 0.0, 1.1)),
        ((), ()),
    ],
    ids=["sine", "cosine", "both", "fourth", "none"],
)


def coupling(theta, sine, cosine):
    g = sum((s * np.sin(k * theta) for k, s in enumerate(sine, 1)), np.zeros_like(theta))
    return g + sum(c * np.cos(k * theta) for k, c in enumerate(cosine, 1))


def double_sum(phi, h, matrix, sine, cosine):
    """The velocities by the sum over all pairs."""
    return h + (matrix * coupling(phi[None, :] - phi[:, None], sine, cosine)).mean(1)


# ---- cosine and sine ----


@pytest.mark.parametrize("size", [1e-300, 1e-8, 1.0, 1e3, 1e8, 1e15])
def test_cosine_and_sine_are_those_of_numpy(size):
    phi = rng().uniform(-size, size, 20001)
    cosine, sine = circle(phi)
    # the tangent's rounding, relative to a radius of one
    np.testing.assert_allclose(cosine, np.cos(phi), rtol=0, atol=4 * ULP)
    np.testing.assert_allclose(sine, np.sin(phi), rtol=0, atol=4 * ULP)


def test_small_sines_are_right_to_their_own_last_places():
    phi = np.concatenate([s * 10.0 ** -np.arange(0, 300, 7) for s in (1, -1)])
    np.testing.assert_allclose(circle(phi)[1], np.sin(phi), rtol=4 * ULP)


def test_at_quarter_turns_the_tangent_of_the_half_angle_does_no_harm():
    turns = np.arange(-40, 41) * math.pi / 2
    phi = np.concatenate([turns, np.nextafter(turns, 1e3), np.nextafter(turns, -1e3), [-0.0]])
    cosine, sine = circle(phi)
    np.testing.assert_allclose(cosine, np.cos(phi), rtol=0, atol=4 * ULP)
    np.testing.assert_allclose(sine, np.sin(phi), rtol=0, atol=4 * ULP)


def test_the_point_lies_on_the_unit_circle():
    cosine, sine = circle(rng().uniform(-50, 50, 10**5))
    np.testing.assert_allclose(cosine**2 + sine**2, 1, rtol=0, atol=8 * ULP)


@pytest.mark.parametrize("phi", [0.5, np.ones((3, 4)), np.arange(12.0).reshape(3, 4).T[:, ::2]])
def test_angles_keep_their_shape_and_are_not_changed(phi):
    before = np.copy(phi)
    cosine, sine = circle(phi)
    assert cosine.shape == sine.shape == np.shape(phi)
    np.testing.assert_allclose(cosine, np.cos(phi), rtol=0, atol=4 * ULP)
    np.testing.assert_array_equal(phi, before)


def test_the_half_angle_writes_into_the_given_arrays():
    phi = rng().normal(size=7)
    cosine, sine = np.empty(7), np.empty(7)
    half_angle(phi, cosine, sine)
    np.testing.assert_array_equal(cosine, circle(phi)[0])
    np.testing.assert_array_equal(sine, circle(phi)[1])


@pytest.mark.parametrize("harmonic", [1, 2, 5])
def test_the_order_parameter_is_the_mean_of_the_exponentials(harmonic):
    phi = rng().uniform(-9, 9, (2, 3, 50))
    exact = np.exp(1j * harmonic * phi).mean(-1)
    np.testing.assert_allclose(order_parameter(phi, harmonic), exact, rtol=0, atol=1e-14)


def test_evenly_spaced_phases_have_order_in_the_multiples_of_their_number_only():
    phi = 2 * math.pi * np.arange(6) / 6
    orders = [abs(order_parameter(phi, k)) for k in range(1, 13)]
    np.testing.assert_allclose(orders, [k % 6 == 0 for k in range(1, 13)], atol=1e-14)


# ---- velocities ----


@OPERATORS
def test_an_operator_averages_with_its_matrix(operator, matrix):
    z = rng(1).normal(size=(2, 4, N))
    found = np.broadcast_to(operator(z), z.shape)
    np.testing.assert_allclose(found, z @ matrix.T / N, rtol=0, atol=1e-13)  # rounding
    w = z[0] + 1j * z[1]
    np.testing.assert_allclose(
        np.broadcast_to(operator(w), w.shape), w @ matrix.T / N, rtol=0, atol=1e-13
    )


@OPERATORS
@COUPLINGS
def test_the_velocity_is_the_double_sum_over_pairs(operator, matrix, sine, cosine):
    h, phi = rng(2).normal(size=(2, N)) * [[1], [5]]
    found = Oscillators(h, operator, sine, cosine)(0, phi)
    exact = double_sum(phi, h, matrix, sine, cosine)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)  # rounding


@OPERATORS
@COUPLINGS
def test_fibres_are_a_network_of_all_their_oscillators(operator, matrix, sine, cosine):
    # N nodes with 4 oscillators each: all pairs, weighted by A of their nodes
    h, phi = rng(3).normal(size=(2, N, 4)) * [[[1]], [[5]]]
    found = Oscillators(h, Fibred(operator), sine, cosine)(0, phi)
    big = np.kron(matrix, np.ones((4, 4)))
    exact = double_sum(phi.ravel(), h.ravel(), big, sine, cosine).reshape(N, 4)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)  # rounding


def test_the_velocity_of_kuramotos_model_is_the_default():
    phi = rng().normal(size=N)
    found = Oscillators(0.0, AllToAll())(0, phi)
    exact = [np.mean([math.sin(b - a) for b in phi]) for a in phi]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14)


def test_one_strength_is_a_sequence_of_one():
    phi = rng().normal(size=N)
    one, many = (Oscillators(0.0, AllToAll(), s)(0, phi) for s in (2.5, (2.5,)))
    np.testing.assert_array_equal(one, many)


def test_own_dynamics_may_depend_on_time_and_phase():
    phi = rng().normal(size=N)
    field = Oscillators(lambda t, x: t * np.sin(3 * x), Graph(sparse_weights()), (1.0, 2.0))
    exact = double_sum(phi, 0.7 * np.sin(3 * phi), sparse_weights(), (1.0, 2.0), ())
    np.testing.assert_allclose(field(0.7, phi), exact, rtol=0, atol=1e-13)


def test_frequencies_and_phases_are_not_changed():
    h, phi = rng().normal(size=(2, N))
    before = h.copy(), phi.copy()
    for given_h in (h, lambda t, x: h):
        Oscillators(given_h, AllToAll(), (3.0,))(0, phi)
        np.testing.assert_array_equal([h, phi], before)


@pytest.mark.parametrize("shape", [(), (1,), (N,), (3, 1), (3, N)])
def test_frequencies_are_spread_to_the_phases(shape):
    h, phi = rng().normal(size=shape), rng(1).normal(size=(3, N))
    field = Oscillators(h, AllToAll(), (0.5,))
    free = np.broadcast_to(h, phi.shape)
    exact = [double_sum(p, f, np.ones((N, N)), (0.5,), ()) for p, f in zip(phi, free, strict=True)]
    np.testing.assert_allclose(field(0, phi), exact, rtol=0, atol=1e-14)


# ---- edge by edge ----


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.coo_matrix])
def test_edge_by_edge_is_the_double_sum_for_any_coupling(make):
    matrix, phi = sparse_weights(), rng(4).normal(size=N)

    def g(a, b):
        return np.tanh(a * b) + a**2 - np.cos(b)

    found = PairNetwork(lambda t, x: t - x, make(matrix), g)(0.3, phi)
    pairs = g(phi[:, None], phi[None, :])
    exact = 0.3 - phi + (matrix * pairs).mean(1)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)  # rounding


def test_edge_by_edge_and_by_averages_are_the_same_for_differences():
    matrix, (h, phi) = sparse_weights(), rng(5).normal(size=(2, N))
    pairs = PairNetwork(lambda t, x: h, matrix, lambda a, b: np.sin(b - a) + np.cos(2 * (b - a)))
    averages = Oscillators(h, Graph(matrix), (1.0,), (0.0, 1.0))
    np.testing.assert_allclose(pairs(0, phi), averages(0, phi), rtol=0, atol=1e-13)


def test_edges_that_are_listed_twice_add_up():
    twice = sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 2))
    found = PairNetwork(lambda t, x: 0 * x, twice, lambda a, b: b - a)(0, np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, [1.5, 0])


# ---- in time ----


def test_the_error_of_the_steps_is_of_order_four():
    h, phi = rng(6).normal(size=(2, N))
    field = Oscillators(h, Graph(sparse_weights()), (1.0, 0.5), (0.3,))
    exact = solve_ivp(field, (0, 2), phi, "DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    errors = []
    for steps in (20, 40, 80):
        *_, end = trajectory(field, phi, np.linspace(0, 2, steps + 1))
        errors.append(abs(end - exact).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders, 4, atol=0.3)  # the next term, O(dt)


def test_two_oscillators_close_their_gap_by_the_law_of_the_tangent():
    # psi = phi_2 - phi_1 obeys psi' = -K sin psi
    K, psi = 1.3, 2.0
    *_, end = trajectory(
        Oscillators(0.5, AllToAll(), (K,)), np.array([0.0, psi]), np.linspace(0, 3, 301)
    )
    exact = 2 * math.atan(math.tan(psi / 2) * math.exp(-3 * K))
    assert end[1] - end[0] == pytest.approx(exact, abs=1e-8)  # O(dt^4)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_the_mean_velocity_is_the_mean_frequency_if_the_pulls_cancel(seed):
    g = rng(seed)
    matrix = g.normal(size=(N, N))
    h, phi = g.normal(size=(2, N))
    field = Oscillators(h, Graph(matrix + matrix.T), g.normal(size=3))  # symmetric, g odd
    assert field(0, phi).mean() == pytest.approx(h.mean(), abs=1e-13)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), turn=st.floats(-10, 10))
def test_turning_all_phases_changes_no_velocity(seed, turn):
    g = rng(seed)
    h, phi = g.normal(size=(2, N))
    field = Oscillators(h, Graph(g.normal(size=(N, N))), g.normal(size=3), g.normal(size=2))
    np.testing.assert_allclose(field(0, phi + turn), field(0, phi), rtol=0, atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_an_odd_coupling_is_a_mirror(seed):
    g = rng(seed)
    h, phi = g.normal(size=(2, N))
    graph, sine = Graph(g.normal(size=(N, N))), g.normal(size=3)
    mirrored = Oscillators(-h, graph, sine)(0, -phi)
    np.testing.assert_allclose(mirrored, -Oscillators(h, graph, sine)(0, phi), rtol=0, atol=1e-13)


def test_identical_oscillators_climb_to_larger_order():
    # |z|^2 is a Lyapunov function: its rate is 2 K mean (Im z e^{-i phi})^2 >= 0
    states = trajectory(
        Oscillators(0.0, AllToAll()), rng().uniform(-3, 3, 50), np.arange(0, 9, 0.1)
    )
    orders = [abs(order_parameter(phi)) for phi in states]
    assert (np.diff(orders) > 0).all()
    assert orders[-1] > 0.99


# ---- at the door ----

HUGE = np.broadcast_to(0.0, (5001, 5001))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Oscillators([1.0, 2.0], AllToAll())(0, np.zeros(3)), r"h has the shape \(2,\)"),
        (lambda: Oscillators(np.ones((2, 3)), AllToAll())(0, np.zeros(3)), "h has the shape"),
        (lambda: Oscillators(lambda t, x: x[1:], AllToAll())(0, np.zeros(3)), "h has the shape"),
        (lambda: Oscillators([math.nan], AllToAll()), "h holds NaN"),
        (lambda: Oscillators("fast", AllToAll()), "h is 'fast'"),
        (lambda: Oscillators(0.0, AllToAll(), [[1.0]]), "sine and cosine must be sequences"),
        (lambda: Oscillators(0.0, AllToAll(), (), [[1.0]]), "sine and cosine must be sequences"),
        (lambda: Graph(np.ones((2, 3))), r"adjacency has the shape \(2, 3\); it must be square"),
        (lambda: Graph(sparse.csr_array((2, 3))), "adjacency has the shape"),
        (lambda: Graph([1.0, 2.0]), "adjacency has 1 dimensions"),
        (lambda: Graph([[math.nan]]), "adjacency holds NaN"),
        (lambda: Graph(sparse.csr_array([[math.nan]])), "adjacency holds NaN"),
        (lambda: Graph(HUGE), "adjacency is dense with N = 5001; above 5000 make it sparse"),
        (lambda: PairNetwork(None, HUGE, None), "adjacency is dense with N = 5001"),
        (lambda: PairNetwork(None, np.ones((3, 2)), None), "adjacency has the shape"),
        (lambda: LowRank(np.ones((4, 1)), np.ones((4, 2))), "right has the shape"),
        (lambda: LowRank(np.ones((4, 1)), np.ones((3, 1))), "right has the shape"),
        (lambda: LowRank(np.ones(4), np.ones((4, 1))), "left has 1 dimensions"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_large_networks_may_be_sparse():
    big = Graph(sparse.eye_array(6000))
    np.testing.assert_allclose(big(np.ones(6000)), 1 / 6000)
