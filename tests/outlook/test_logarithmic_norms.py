"""Logarithmic norms against their definition, matrix exponentials and sampled slopes."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import minimize

from dsnnlib.outlook.logarithmic_norms import (
    adapted_weight,
    logarithmic_norm,
    slope_bound,
    slope_supremum,
    weighted_logarithmic_norm,
)

NORMS = (1, 2, np.inf)


def matrices(n=5, count=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, n, n))


@pytest.mark.parametrize("p", NORMS)
def test_it_is_the_limit_of_its_definition(p):
    delta = 1e-7
    for A in matrices():
        quotient = (np.linalg.norm(np.eye(5) + delta * A, p) - 1) / delta
        # first order in delta, and rounding / delta
        assert logarithmic_norm(A, p) == pytest.approx(quotient, abs=1e-5)


@pytest.mark.parametrize("p", NORMS)
def test_it_bounds_the_exponential_and_is_its_slope_at_zero(p):
    for A in matrices():
        mu = logarithmic_norm(A, p)
        for t in (0.1, 1, 3):
            assert np.linalg.norm(expm(t * A), p) <= np.exp(mu * t) * (1 + 1e-12)
        slope = (np.linalg.norm(expm(1e-7 * A), p) - 1) / 1e-7
        assert slope == pytest.approx(mu, abs=1e-5)


@pytest.mark.parametrize("p", NORMS)
def test_it_is_convex_shifts_with_the_identity_and_exceeds_the_abscissa(p):
    A, B, *_ = matrices()
    assert logarithmic_norm((A + B) / 2, p) <= (logarithmic_norm(A, p) + logarithmic_norm(B, p)) / 2
    assert logarithmic_norm(A - 3 * np.eye(5), p) == pytest.approx(logarithmic_norm(A, p) - 3)
    assert logarithmic_norm(A, p) >= np.linalg.eigvals(A).real.max()


def test_a_stack_of_matrices_gives_a_stack_of_numbers():
    A = matrices()
    for p in NORMS:
        assert np.allclose(logarithmic_norm(A, p), [logarithmic_norm(B, p) for B in A])


def test_for_a_normal_matrix_it_is_the_abscissa():
    A = np.array([[-1.0, 7.0], [-7.0, -1.0]])
    assert logarithmic_norm(A) == pytest.approx(-1)
    assert logarithmic_norm(A, np.inf) == 6


def test_the_columns_decide_for_the_sum_norm():
    A = np.array([[-5.0, 1.0], [2.0, -1.0]])
    assert (logarithmic_norm(A, 1), logarithmic_norm(A, np.inf)) == (0, 1)


def test_in_the_adapted_norm_growth_is_nearly_the_abscissa():
    for A in matrices():
        alpha = np.linalg.eigvals(A).real.max()
        P = adapted_weight(A, 0.1)
        mu = weighted_logarithmic_norm(A, P)
        assert alpha <= mu + 1e-9
        assert mu < alpha + 0.1
        for t in (0.5, 2):
            e = expm(t * A)
            growth = np.sqrt(np.linalg.eigvals(np.linalg.solve(P, e.T @ P @ e)).real.max())
            assert growth <= np.exp(mu * t) * (1 + 1e-9)


def test_the_weighted_norm_with_the_identity_is_the_euclidean_one():
    A = matrices()[0]
    assert weighted_logarithmic_norm(A, 4 * np.eye(5)) == pytest.approx(logarithmic_norm(A))


def layer(m=3, k=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, k)), rng.normal(size=(k, m))


@pytest.mark.parametrize("p", NORMS)
def test_no_slopes_exceed_the_supremum_and_the_bound_is_above(p):
    Wt, W = layer()
    low, high = np.linspace(0, 0.3, 6), np.linspace(0.4, 1, 6)
    worst = slope_supremum(Wt, W, low, high, measure=lambda J: logarithmic_norm(J, p))
    drawn = np.random.default_rng(1).uniform(low, high, size=(2000, 6))
    assert logarithmic_norm((Wt * drawn[:, None]) @ W, p).max() <= worst
    assert worst <= slope_bound(Wt, W, low, high, p) + 1e-12


def test_an_optimiser_finds_the_supremum():
    Wt, W = layer(k=4)

    def less(d):
        return -logarithmic_norm((Wt * d) @ W)

    starts = np.random.default_rng(0).uniform(size=(30, 4))
    found = min(minimize(less, d, bounds=[(0, 1)] * 4).fun for d in starts)
    assert -found == pytest.approx(slope_supremum(Wt, W), abs=1e-6)


def test_fixed_slopes_leave_nothing_to_bound():
    Wt, W = layer()
    d = np.linspace(0.1, 0.9, 6)
    for p in NORMS:
        exact = logarithmic_norm((Wt * d) @ W, p)
        assert slope_supremum(Wt, W, d, d, measure=lambda J, p=p: logarithmic_norm(J, p)) == (
            pytest.approx(exact)
        )
    assert slope_bound(Wt, W, d, d) == pytest.approx(logarithmic_norm((Wt * d) @ W))


def test_the_bound_never_exceeds_the_lipschitz_constant():
    for seed in range(20):
        Wt, W = layer(seed=seed)
        assert slope_bound(Wt, W) <= np.linalg.norm(Wt, 2) * np.linalg.norm(W, 2) + 1e-12


def test_one_neuron_by_hand():
    # J = d (w~ w^T), mu_2 = d (w~.w + |w~||w|) / 2; the bound is 2.5 / 2 + 5 / 2
    Wt, W = np.array([[1.0], [2.0]]), np.array([[2.0, -1.0]])
    assert slope_supremum(Wt, W) == pytest.approx(2.5)
    assert slope_bound(Wt, W) == pytest.approx(3.75)
    # rows: d (2 + 1), d (-2 + 4); columns: d (2 + 4), d (-2 + 1)
    assert slope_bound(Wt, W, p=np.inf) == 3
    assert slope_bound(Wt, W, p=1) == 6


def test_a_gradient_layer_never_expands():
    _, W = layer()
    assert slope_supremum(-W.T, W) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: logarithmic_norm(np.ones((2, 3))), "A has the shape .* square matrix"),
        (lambda: logarithmic_norm([1.0, 2.0]), "A has the shape .* square matrix"),
        (lambda: logarithmic_norm([[np.nan]]), "A holds NaN"),
        (lambda: logarithmic_norm(np.eye(2), 3), "p is 3; it must be 1, 2 or"),
        (lambda: slope_bound(np.eye(2), np.eye(2), p=3), "p is 3; it must be 1, 2 or"),
        (lambda: adapted_weight(np.eye(2), 0), "gap is 0; it must be a positive"),
        (lambda: adapted_weight(np.diag([-1.0, -2.0]), 1e-17), "gap is 1e-17; it must exceed"),
        (lambda: adapted_weight(np.ones((2, 2, 2)), 0.1), "A has 3 dimensions"),
        (lambda: adapted_weight(np.ones((2, 3)), 0.1), "A has the shape"),
        (lambda: weighted_logarithmic_norm(np.eye(2), -np.eye(2)), "P has the eigenvalue"),
        (lambda: weighted_logarithmic_norm(np.eye(2), np.eye(3)), "P has the shape"),
        (
            lambda: slope_supremum(np.ones((2, 13)), np.ones((13, 2))),
            "W has 13 rows; .* at most 12",
        ),
        (lambda: slope_supremum(np.ones((2, 3)), np.ones((2, 3))), "Wt has the shape"),
        (lambda: slope_supremum(np.eye(2), np.eye(2), 0.5, 0.4), "low exceeds high"),
        (lambda: slope_supremum(np.eye(2), np.eye(2), [0, 0, 0]), "low has the shape"),
        (lambda: slope_bound(np.eye(2), np.eye(2), 0, [1, 1, 1]), "high has the shape"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
