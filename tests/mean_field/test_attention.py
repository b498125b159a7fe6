"""Attention: loops over tokens, one exact variable, symmetries, and oscillators in the plane."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from dsnnlib.integrate import trajectory
from dsnnlib.mean_field.attention import Attention, clusters, common_cosine, sphere
from dsnnlib.mean_field.oscillators import AllToAll, Oscillators


def rng(seed=0):
    return np.random.default_rng(seed)


def tokens(*shape, seed=0):
    x = rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def matrices(d, seed=1):
    """Query, key and value."""
    return dict(zip(("query", "key", "value"), rng(seed).normal(size=(3, d, d)), strict=True))


def last(states):
    *_, end = states
    return end


def by_loops(x, beta, normalised, query, key, value, mask):
    """The velocity from the definition, token by token."""
    n, d = x.shape
    velocity = np.zeros((n, d))
    for i in range(n):
        seen = [j for j in range(n) if mask[i, j]]
        weight = {j: math.exp(beta * float((query @ x[i]) @ (key @ x[j]))) for j in seen}
        total = sum(weight.values()) if normalised else len(seen)
        pull = sum(weight[j] * (value @ x[j]) for j in seen) / total
        velocity[i] = (np.eye(d) - np.outer(x[i], x[i])) @ pull
    return velocity


NORMALISED = pytest.mark.parametrize("normalised", [True, False], ids=["SA", "USA"])

# n, beta, time, normalised; the digits that are given
COSINES = pytest.mark.parametrize(
    ("n", "beta", "t", "normalised", "exact"),
    [
        (4, 1, 1.5, True, 0.7228821622),
        (8, 2, 3.0, True, 0.9316263888),
        (16, 4, 5.0, True, 0.8708602017),
        (4, 1, 0.5, False, 0.36079310991),
        (8, 2, 0.5, False, 0.22819355715),
    ],
)

# ---- the field ----


@NORMALISED
@pytest.mark.parametrize("beta", [0.0, 1.0, 3.5])
@pytest.mark.parametrize("mask", ["none", "causal", "random"])
def test_the_velocity_is_that_of_its_definition(normalised, beta, mask):
    n, d = 6, 3
    x, parts = tokens(n, d), matrices(d)
    masks = {
        "none": None,
        "causal": np.tri(n, dtype=bool),
        "random": (rng(3).random((n, n)) < 0.4) | np.eye(n, dtype=bool),
    }
    seen = masks[mask]
    found = Attention(beta, normalised=normalised, mask=seen, **parts)(0, x)
    all_seen = np.ones((n, n), dtype=bool) if seen is None else seen
    exact = by_loops(x, beta, normalised, **parts, mask=all_seen)
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-13)  # rounding


@NORMALISED
@pytest.mark.parametrize("missing", ["query", "key", "value"])
def test_a_matrix_that_is_not_given_is_the_identity(normalised, missing):
    x, parts = tokens(5, 4), matrices(4)
    found = Attention(1.3, normalised=normalised, **{**parts, missing: None})(0, x)
    exact = Attention(1.3, normalised=normalised, **{**parts, missing: np.eye(4)})(0, x)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)


@NORMALISED
@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), beta=st.floats(0, 5))
def test_velocities_are_tangent(normalised, seed, beta):
    x = tokens(7, 4, seed=seed)
    velocity = Attention(beta, normalised=normalised, **matrices(4, seed))(0, x)
    inner = (velocity * x).sum(-1)
    np.testing.assert_allclose(inner / (1 + abs(velocity).max()), 0, atol=1e-13)


@NORMALISED
@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), beta=st.floats(0, 5))
def test_permuting_the_tokens_permutes_their_velocities(normalised, seed, beta):
    x, field = tokens(7, 4, seed=seed), Attention(beta, normalised=normalised, **matrices(4))
    order = rng(seed).permutation(7)
    found, exact = field(0, x[order]), field(0, x)[order]
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-12)


@NORMALISED
@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), beta=st.floats(0, 5))
def test_turning_the_tokens_turns_their_velocities(normalised, seed, beta):
    x, field = tokens(7, 4, seed=seed), Attention(beta, normalised=normalised)
    turn, _ = np.linalg.qr(rng(seed).normal(size=(4, 4)))
    np.testing.assert_allclose(field(0, x @ turn.T), field(0, x) @ turn.T, rtol=1e-11, atol=1e-12)


@NORMALISED
def test_many_sets_of_tokens_at_once_are_a_loop(normalised):
    x = tokens(2, 3, 5, 4)
    field = Attention(1.2, normalised=normalised, mask=np.tri(5, dtype=bool), **matrices(4))
    found = field(0, x)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(found[i, j], field(0, x[i, j]), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        Attention(2.0).energy(x),
        [[Attention(2.0).energy(x[i, j]) for j in range(3)] for i in range(2)],
        rtol=1e-13,
    )


def test_normalised_weights_are_probabilities_even_when_cold():
    weights = Attention(1e4).weights(tokens(6, 3))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-13)
    np.testing.assert_allclose(weights, np.eye(6), atol=1e-12)  # each sees itself


def test_tokens_are_not_changed():
    x = tokens(5, 3)
    before = x.copy()
    Attention(1.0, mask=np.tri(5, dtype=bool))(0, x)
    last(Attention(1.0).flow(x, [0, 0.1, 0.2]))
    np.testing.assert_array_equal(x, before)


# ---- the causal mask ----


@NORMALISED
def test_with_the_causal_mask_the_first_token_stands_still(normalised):
    field = Attention(1.5, normalised=normalised, mask=np.tri(6, dtype=bool))
    x = tokens(6, 3)
    np.testing.assert_allclose(field(0, x)[0], 0, atol=1e-15)
    np.testing.assert_allclose(last(field.flow(x, np.linspace(0, 5, 51)))[0], x[0], atol=1e-13)


@NORMALISED
def test_with_the_causal_mask_later_tokens_are_not_seen(normalised):
    x, parts = tokens(6, 3), matrices(3)
    whole = Attention(1.5, normalised=normalised, mask=np.tri(6, dtype=bool), **parts)(0, x)
    for n in range(1, 6):
        mask = np.tri(n, dtype=bool)
        found = Attention(1.5, normalised=normalised, mask=mask, **parts)(0, x[:n])
        np.testing.assert_allclose(found, whole[:n], rtol=1e-12, atol=1e-13)


# ---- exact dynamics ----


@COSINES
def test_from_an_orthonormal_start_there_is_one_common_inner_product(n, beta, t, normalised, exact):
    field = Attention(beta, normalised=normalised)
    x = last(field.flow(np.eye(n), np.linspace(0, t, 501)))
    inner = (x @ x.T)[~np.eye(n, dtype=bool)]
    assert np.ptp(inner) < 1e-12
    assert inner.mean() == pytest.approx(exact, abs=1e-9)  # the digits given, O(dt^4)


@COSINES
def test_the_common_inner_product_solves_its_equation(n, beta, t, normalised, exact):
    field = common_cosine(n, beta, normalised=normalised)
    end = solve_ivp(field, (0, t), [0.0], "DOP853", rtol=1e-12, atol=1e-13).y[0, -1]
    assert end == pytest.approx(exact, abs=1e-10)  # the digits given


@NORMALISED
def test_the_common_inner_product_has_the_rate_of_the_tokens(normalised):
    # for any common gamma: d<x_1, x_2>/dt = <v_1, x_2> + <x_1, v_2>
    n, beta = 5, 1.7
    for gamma in (-0.2, 0.0, 0.3, 0.9):
        gram = (1 - gamma) * np.eye(n) + gamma
        x = np.linalg.cholesky(gram)
        v = Attention(beta, normalised=normalised)(0, x)
        exact = v[0] @ x[1] + x[0] @ v[1]
        found = common_cosine(n, beta, normalised=normalised)(0, gamma)
        assert found == pytest.approx(exact, rel=1e-12)


def test_the_flow_has_order_four():
    x, field = tokens(5, 3), Attention(2.0)

    def flat(t, y):
        return field(t, y.reshape(5, 3)).ravel()

    exact = solve_ivp(flat, (0, 2), x.ravel(), "DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    errors = [
        abs(last(field.flow(x, np.linspace(0, 2, n + 1))) - exact.reshape(5, 3)).max()
        for n in (10, 20, 40)
    ]
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 4, atol=0.4)


def test_the_flow_stays_on_the_sphere_and_begins_at_the_start():
    x = tokens(5, 3)
    states = list(Attention(3.0, value=-np.eye(3)).flow(x, np.arange(0, 20, 0.5)))
    assert len(states) == 40
    np.testing.assert_array_equal(states[0], x)
    np.testing.assert_allclose(np.linalg.norm(states, axis=-1), 1, rtol=1e-14)


@NORMALISED
def test_two_hot_tokens_close_their_angle_by_the_law_of_the_tangent(normalised):
    # beta = 0: phi' = -sin phi, so tan(phi/2) falls like e^-t
    x = np.array([[1.0, 0.0], [math.cos(2.5), math.sin(2.5)]])
    end = last(Attention(0.0, normalised=normalised).flow(x, np.linspace(0, 3, 301)))
    exact = 2 * math.atan(math.tan(1.25) * math.exp(-3))
    assert exact == pytest.approx(0.2974623348, abs=1e-10)
    assert math.acos(end[0] @ end[1]) == pytest.approx(exact, abs=1e-8)  # O(dt^4)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("beta", [0.5, 3.0])
def test_two_tokens_turn_by_their_weight_on_each_other(normalised, beta):
    phi = 2.1
    x = np.array([[1.0, 0.0], [math.cos(phi), math.sin(phi)]])
    v = Attention(beta, normalised=normalised)(0, x)
    each = math.exp(beta * math.cos(phi))
    weight = each / (math.exp(beta) + each) if normalised else each / 2
    exact = weight * math.sin(phi)
    np.testing.assert_allclose(v[0], [0, exact], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(v[1], exact * np.array([math.sin(phi), -math.cos(phi)]), rtol=1e-12)


@NORMALISED
def test_hot_tokens_in_the_plane_are_kuramotos_oscillators(normalised):
    phi = rng().uniform(-3, 3, 9)
    x = np.stack([np.cos(phi), np.sin(phi)], -1)
    times = np.linspace(0, 2, 201)
    ends = last(Attention(0.0, normalised=normalised).flow(x, times))
    phases = last(trajectory(Oscillators(0.0, AllToAll()), phi, times))
    exact = np.stack([np.cos(phases), np.sin(phases)], -1)
    np.testing.assert_allclose(ends, exact, rtol=0, atol=1e-9)  # O(dt^4)


@pytest.mark.parametrize("beta", [0.0, 0.7, 3.0])
def test_the_energy_of_usa_grows_at_the_mean_squared_speed(beta):
    field, x, h = Attention(beta, normalised=False), tokens(6, 3), 1e-4
    ahead, behind = last(field.flow(x, [0, h])), last(field.flow(x, [0, -h]))
    rate = (field.energy(ahead) - field.energy(behind)) / (2 * h)
    assert rate == pytest.approx((field(0, x) ** 2).sum(-1).mean(), rel=1e-6)  # O(h^2)


def test_the_energy_is_its_double_sum_and_has_its_limit():
    x = tokens(4, 3)
    total = sum(math.exp(2.0 * float(a @ b)) for a in x for b in x)
    assert Attention(2.0).energy(x) == pytest.approx(total / (4 * 16), rel=1e-13)
    nearly = Attention(1e-7).energy(x) - 0.5e7
    # the difference of numbers of size 5e6, and O(beta)
    assert Attention(0.0).energy(x) == pytest.approx(nearly, abs=1e-7)
    together = np.tile(x[0], (4, 1))
    assert Attention(2.0).energy(together) == pytest.approx(math.exp(2) / 4, rel=1e-13)


def test_tokens_of_a_hemisphere_become_one_cluster():
    x = tokens(10, 3)
    x[:, 0] = abs(x[:, 0])
    count, _ = clusters(last(Attention(1.0).flow(x, np.arange(0, 100, 0.2))), 1e-6)
    assert count == 1


# ---- clusters ----


def test_clusters_are_counted_and_labelled():
    x = np.repeat(np.eye(3), [2, 1, 4], axis=0)
    order = rng().permutation(7)
    count, label = clusters(x[order])
    assert count == 3
    which = np.repeat([0, 1, 2], [2, 1, 4])[order]
    assert len(set(zip(which, label, strict=True))) == 3  # one label to each cluster


def test_clusters_are_chains_of_close_tokens():
    angle = np.array([0.0, 0.04, 0.08, 0.5])  # 1 - cos 0.04 = 0.0008
    x = np.stack([np.cos(angle), np.sin(angle)], -1)
    count, label = clusters(x)
    assert count == 2
    assert label[0] == label[1] == label[2] != label[3]
    assert clusters(x, 1e-4)[0] == 4
    assert clusters(x, 0.2)[0] == 1


# ---- at the door ----

WIDE = np.array([[3.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Attention(-1), "beta is -1; an inverse temperature must not be negative"),
        (lambda: Attention(math.inf), "beta is inf"),
        (lambda: Attention(1.0, query=[1.0]), "query has 1 dimensions; it must have 2"),
        (lambda: Attention(1.0, key=[[math.nan]]), "key holds NaN"),
        (lambda: Attention(1.0, value="V"), "value is 'V'"),
        (lambda: Attention(1.0, mask=np.eye(3) > 1), "mask has an empty row"),
        (lambda: Attention(1.0, mask=np.ones((3, 3)))(0, np.eye(2)), "mask has the shape"),
        (lambda: Attention(1.0, key=np.eye(3))(0, np.eye(2)), "key has the shape"),
        (lambda: next(Attention(1.0).flow(WIDE, [0, 1])), "x has the length 5; each token must"),
        (lambda: next(Attention(1.0).flow([1.0, 0.0], [0, 1])), r"x has the shape \(2,\)"),
        (lambda: next(Attention(1.0).flow([[1.0, 0.0]], 1.0)), "times has 0 dimensions"),
        (lambda: common_cosine(1, 1.0), "n is 1; it must be a whole number, at least 2"),
        (lambda: common_cosine(2, math.nan), "beta is nan"),
        (lambda: clusters(WIDE), "x has the length 5"),
        (lambda: clusters([[1.0, 0.0]], 0), "closeness is 0"),
        (lambda: sphere("tokens", [[0.0, 0.5]]), "tokens has the length 0.5"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
