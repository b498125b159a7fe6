"""The reduction to one number a node: closed forms, many oscillators, and the whole density."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.oscillators import (
    AllToAll,
    Fibred,
    Graph,
    LowRank,
    Oscillators,
    order_parameter,
)
from dsnnlib.mean_field.ott_antonsen import OttAntonsen, order_in_time, poisson_quantiles
from dsnnlib.mean_field.vlasov import FourierVlasov, poisson_moments

NODES = 5


def rng(seed=0):
    return np.random.default_rng(seed)


def means(seed=0, n=NODES, most=0.8):
    g = rng(seed)
    return g.uniform(0, most, n) * np.exp(2j * math.pi * g.random(n))


def last(states):
    *_, end = states
    return end


TIMES = np.linspace(0, 2, 201)
OPERATORS = pytest.mark.parametrize(
    "operator",
    [
        AllToAll(),
        Graph(rng().random((NODES, NODES)) * 2),
        LowRank(*rng(1).normal(size=(2, NODES, 2))),
    ],
    ids=["all to all", "graph", "low rank"],
)

# ---- the order in time ----


@pytest.mark.parametrize(("K", "delta"), [(3.0, 1.0), (1.0, 1.0), (0.5, 0.0), (2.0001, 1.0)])
def test_the_order_solves_its_equation(K, delta):
    t = np.linspace(0, 8, 20)
    exact = solve_ivp(
        lambda t, r: -delta * r + K / 2 * r * (1 - r**2),
        (0, 8),
        [0.3],
        "DOP853",
        t,
        rtol=1e-12,
        atol=1e-14,
    )
    np.testing.assert_allclose(order_in_time(0.3, K, t, delta=delta), exact.y[0], rtol=1e-9)


@pytest.mark.parametrize("r0", [1e-6, 0.2, 0.95])
def test_the_order_ends_where_it_comes_to_rest(r0):
    assert order_in_time(r0, 3.0, 100.0, delta=1.0) == pytest.approx(math.sqrt(1 / 3), rel=1e-12)
    assert order_in_time(r0, 1.0, 100.0, delta=1.0) == pytest.approx(0, abs=1e-20)
    assert order_in_time(r0, 1.0, 100.0) == pytest.approx(1, rel=1e-12)


def test_the_order_begins_where_it_is_and_grows_at_its_rate():
    assert order_in_time(0.4, 2.5, 0.0, delta=0.7) == pytest.approx(0.4, rel=1e-15)
    assert order_in_time(0.0, 2.5, 3.0) == 0
    # a small one by e^{(K/2 - delta) t}
    grown = order_in_time(1e-7, 2.5, 4.0, delta=0.7) / 1e-7
    assert grown == pytest.approx(math.exp(0.55 * 4), rel=1e-11)


def test_identical_oscillators_follow_the_hyperbolic_law():
    # r/sqrt(1 - r^2) grows by e^{K t/2}
    r = order_in_time(0.1, 2.0, np.array([0.5, 1.0, 2.0]))
    np.testing.assert_allclose(
        r / np.sqrt(1 - r**2), 0.1 / math.sqrt(0.99) * np.exp([0.5, 1, 2]), rtol=1e-12
    )


def test_the_field_all_to_all_has_that_order():
    times = np.linspace(0, 3, 301)
    field = OttAntonsen(AllToAll(), 3.0, omega=0.7, delta=1.0)
    end = last(trajectory(field, np.array([0.2 + 0j]), times))
    exact = order_in_time(0.2, 3.0, 3.0, delta=1.0) * np.exp(0.7j * 3)
    assert end[0] == pytest.approx(exact, abs=1e-9)  # O(dt^4)


# ---- the field ----


@OPERATORS
def test_a_node_is_a_crowd_of_oscillators_with_the_same_frequency(operator):
    z, omega = means(), rng(2).normal(size=NODES)
    crowd = Oscillators(omega[:, None], Fibred(operator), (1.5,))
    phases = last(trajectory(crowd, poisson_quantiles(z, 400), TIMES))
    reduced = last(trajectory(OttAntonsen(operator, 1.5, omega=omega), z, TIMES))
    # O(dt^4), and |z|^399 from the quantiles
    np.testing.assert_allclose(order_parameter(phases), reduced, rtol=0, atol=1e-7)


@OPERATORS
def test_the_whole_density_keeps_the_form_of_a_poisson_kernel(operator):
    # its moments are the powers of z
    z, omega = means(most=0.5), rng(2).normal(size=NODES)
    vlasov = FourierVlasov(operator, omega, (1.0,))
    moments = last(trajectory(vlasov, poisson_moments(z, 60), TIMES[:101]))
    reduced = last(trajectory(OttAntonsen(operator, 1.0, omega=omega), z, TIMES[:101]))
    # the tail |z|^60 of the series, and O(dt^4)
    np.testing.assert_allclose(moments[:6], poisson_moments(reduced, 5), rtol=0, atol=1e-6)


def test_lorentzian_frequencies_are_a_mixture_of_their_nodes():
    # the mean of e^{i omega t} over the law is e^{-delta t}: the quantiles of a crowd that
    # does not feel itself
    n, delta, t = 20001, 0.8, 1.5
    frequency = delta * np.tan(math.pi * ((np.arange(n) + 0.5) / n - 0.5))
    end = order_parameter(0.4 + frequency * t)
    field = OttAntonsen(AllToAll(), 0.0, delta=delta)
    reduced = last(trajectory(field, np.array([np.exp(0.4j)]), np.linspace(0, t, 301)))
    assert abs(end - reduced[0]) < 1e-3  # quantiles of a heavy tail: O(1/n) and its noise


def test_lorentzian_frequencies_make_the_order_of_a_coupled_crowd():
    # from the stationary order on, a crowd with the quantiles of the law stays there
    n, K, delta = 4001, 4.0, 1.0
    frequency = delta * np.tan(math.pi * ((np.arange(n) + 0.5) / n - 0.5))
    phases = np.linspace(-1, 1, n) * 0.1
    crowd = Oscillators(frequency, AllToAll(), (K,))
    orders = [abs(order_parameter(p)) for p in trajectory(crowd, phases, np.arange(0, 8, 0.02))]
    assert np.mean(orders[-50:]) == pytest.approx(math.sqrt(1 - 2 / K), abs=0.01)  # O(n^-1/2)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), turn=st.floats(-4, 4))
def test_turning_all_nodes_turns_their_velocities(seed, turn):
    z, omega = means(seed), rng(seed).normal(size=NODES)
    field = OttAntonsen(Graph(rng(seed).random((NODES, NODES))), 1.3, omega=omega, delta=0.2)
    factor = np.exp(1j * turn)
    np.testing.assert_allclose(field(0, factor * z), factor * field(0, z), rtol=0, atol=1e-13)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_identical_oscillators_on_the_circle_stay_on_it(seed):
    z = np.exp(2j * math.pi * rng(seed).random(NODES))
    graph = Graph(rng(seed).normal(size=(NODES, NODES)))
    outward = (np.conj(z) * OttAntonsen(graph, 2.0, omega=0.3)(0, z)).real
    np.testing.assert_allclose(outward, 0, atol=1e-13)


# ---- quantiles ----


@pytest.mark.parametrize("z", [0, 0.3, -0.7, 0.5j, 0.9 * np.exp(2j)])
def test_quantiles_cut_the_density_into_equal_shares(z):
    n = 8
    phases = poisson_quantiles(z, n)

    def kernel(phi):
        return (1 - abs(z) ** 2) / abs(1 - np.conj(z) * np.exp(1j * phi)) ** 2 / (2 * math.pi)

    shares = [
        quad(kernel, a, b, points=[np.angle(z)] if a < np.angle(z) < b else None)[0]
        for a, b in pairwise(phases)
    ]
    np.testing.assert_allclose(shares, 1 / n, atol=1e-9)
    opposite = quad(kernel, np.angle(z) - math.pi, phases[0])[0]
    assert opposite == pytest.approx(0.5 / n, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 25])
def test_the_mean_of_quantiles_is_exponentially_close(n):
    # they are the turned roots of unity u under the Moebius map (u + r)/(1 + r u), whose
    # series in u leaves r + (1 - r^2) r^(n-1) / (1 + r^n)
    z = means()
    r = abs(z)
    exact = z / r * (r + (1 - r**2) * r ** (n - 1) / (1 + r**n))
    found = np.exp(1j * poisson_quantiles(z, n)).mean(-1)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-14)  # rounding


@pytest.mark.parametrize("k", [1, 2, 3])
def test_quantiles_have_the_moments_of_the_kernel_in_the_limit(k):
    z = means()
    found = np.exp(1j * k * poisson_quantiles(z, 200)).mean(-1)
    np.testing.assert_allclose(found, z**k, rtol=0, atol=1e-13)  # 0.8^199 and rounding


def test_quantiles_turn_with_their_mean():
    phases = poisson_quantiles(0.6, 9)
    turned = poisson_quantiles(0.6 * np.exp(1.2j), 9)
    np.testing.assert_allclose(turned, phases + 1.2, rtol=0, atol=1e-14)
    np.testing.assert_allclose(phases, -phases[::-1], rtol=0, atol=1e-14)


def test_the_mean_zero_has_even_phases():
    even = 2 * math.pi * ((np.arange(6) + 0.5) / 6 - 0.5)
    np.testing.assert_allclose(poisson_quantiles(0, 6), even, rtol=1e-14)


def test_many_means_at_once_are_a_loop():
    z = means(n=6).reshape(2, 3)
    found = poisson_quantiles(z, 7)
    assert found.shape == (2, 3, 7)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(found[i, j], poisson_quantiles(z[i, j], 7), rtol=1e-13)


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OttAntonsen(AllToAll(), math.nan), "K is nan"),
        (lambda: OttAntonsen(AllToAll(), 1.0, omega=[math.inf]), "omega holds NaN or infinity"),
        (lambda: OttAntonsen(AllToAll(), 1.0, delta=-0.5), "delta is -0.5; a half-width must not"),
        (lambda: OttAntonsen(AllToAll(), 1.0, delta="wide"), "delta is 'wide'"),
        (lambda: order_in_time(1.0, 1.0, 0.0), r"r0 is 1.0; it must be a number in \[0, 1\)"),
        (lambda: order_in_time(0.5, 0.0, 0.0), "K is 0.0"),
        (lambda: order_in_time(0.5, 1.0, 0.0, delta=math.nan), "delta is nan"),
        (lambda: order_in_time(0.5, 2.0, 0.0, delta=1.0), "K is 2.0, which is 2 delta"),
        (lambda: order_in_time(0.5, 1.0, [math.nan]), "t holds NaN"),
        (lambda: poisson_quantiles(1.0, 4), "z has the modulus 1; it must be below 1"),
        (lambda: poisson_quantiles([0.1, 2j], 4), "z has the modulus 2"),
        (lambda: poisson_quantiles(math.nan, 4), "z has the modulus nan"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
