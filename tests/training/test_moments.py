"""Moment exponents: exact operators against listed batches, tensors, grids and populations."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnnlib.training.lyapunov import LinearisedSGD
from dsnnlib.training.moments import even_exponent, population_exponent
from dsnnlib.training.projective import ProjectiveLine


def rng(seed=0):
    return np.random.default_rng(seed)


def random_sgd(samples, size, seed=0, **options):
    return LinearisedSGD(rng(seed).standard_normal((samples, size)) / size**0.5, **options)


BATCHES = pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": 3},
        {"batch": 5},
        {"probabilities": [0.1, 0.3, 0.2, 0.35, 0.05]},
        {"batch": 3, "probabilities": [0.1, 0.3, 0.2, 0.35, 0.05]},
    ],
    ids=["one", "three", "all", "weighted", "three weighted"],
)


# ---- the second moment ----


@BATCHES
def test_the_second_moment_is_the_kronecker_square_of_the_listed_batches(options):
    sgd, eta = random_sgd(5, 4, **options), np.array([0.3, 1.0, 4.0])
    found = sgd.second_moment.exponent(eta)
    for value, rate in zip(found, eta, strict=True):
        matrices, weights = sgd.matrices(rate)
        square = sum(w * np.kron(d, d) for d, w in zip(matrices, weights, strict=True))
        assert value == pytest.approx(math.log(abs(np.linalg.eigvals(square)).max()), abs=1e-12)


@BATCHES
def test_above_and_below_its_threshold_the_mean_square_grows_and_falls(options):
    sgd = random_sgd(5, 9, **options)
    edge = sgd.mean_square_threshold
    assert sgd.second_moment.exponent(edge) == pytest.approx(0, abs=1e-12)  # rounding
    assert sgd.second_moment.exponent(0.999 * edge) < 0 < sgd.second_moment.exponent(1.001 * edge)


def test_large_normal_spaces_agree_with_small_ones():
    # orthogonal copies of one space: nothing couples them, so the largest wins
    small = random_sgd(6, 5)
    big = LinearisedSGD(np.kron(np.eye(3), rng(0).standard_normal((6, 5)) / 5**0.5))
    assert big.rank == 15
    assert big.mean_square_threshold == pytest.approx(
        1 / np.linalg.eigvalsh(_threshold_matrix(big.coordinates, big.probabilities))[-1],
        rel=1e-9,
    )
    assert small.rank == 5


def _threshold_matrix(c, p):
    """Q relative to H. + .H, as a dense matrix on all matrices, for batches of one."""
    hessian = (c.T * p) @ c
    lyapunov = np.kron(hessian, np.eye(len(hessian))) + np.kron(np.eye(len(hessian)), hessian)
    values, vectors = np.linalg.eigh(lyapunov)
    root = vectors / np.sqrt(values) @ vectors.T
    outer = np.einsum("ni,nj->nij", c, c).reshape(len(c), -1)
    return root @ (outer.T * p) @ outer @ root


def test_one_dimension_gives_the_condition_of_wu_ma_and_e():
    # (1 - eta a)^2 + eta^2 (n - B)/(B(n - 1)) s^2 = exp Lambda(2)
    gradients = np.array([[0.5], [1.0], [1.5], [0.2]])
    curvatures = gradients[:, 0] ** 2
    a, s2, eta = curvatures.mean(), curvatures.var(), np.array([0.4, 1.1, 3.0])
    for batch in (1, 2, 3, 4):
        sgd = LinearisedSGD(gradients, batch=batch)
        exact = (1 - eta * a) ** 2 + eta**2 * (4 - batch) / (batch * 3) * s2
        found = sgd.second_moment.exponent(eta)
        np.testing.assert_allclose(np.exp(found), exact, rtol=1e-12)


def test_the_mean_square_threshold_does_not_decrease_in_the_batch_and_ends_at_descent():
    for seed in range(5):
        edges = [random_sgd(7, 5, seed, batch=b).mean_square_threshold for b in range(1, 8)]
        assert (np.diff(edges) > -1e-12).all()
        assert edges[-1] == pytest.approx(random_sgd(7, 5, seed).descent_threshold, rel=1e-12)


def test_the_mean_square_follows_its_recursion():
    sgd = random_sgd(3, 4)
    matrices, weights = sgd.matrices(1.3)
    mean, start = np.eye(3) / 3, np.eye(3) / 3
    exact = [0.0]
    for _ in range(12):
        mean = np.einsum("k,kij,jl,klm->im", weights, matrices, mean, matrices)
        exact.append(math.log(np.trace(mean)))
    found = sgd.second_moment.growth(1.3, 12, start)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)  # rounding
    late = sgd.second_moment.growth(1.3, 2000, start)
    assert late[-1] - late[-2] == pytest.approx(sgd.second_moment.exponent(1.3), abs=1e-9)


# ---- even powers ----


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"batch": 2, "probabilities": [0.2] * 5}])
def test_the_second_power_of_tensors_is_the_second_moment(options):
    sgd = random_sgd(5, 9, **options)
    assert even_exponent(sgd, 0.8, 2) == pytest.approx(sgd.second_moment.exponent(0.8), abs=1e-10)


def test_on_a_line_every_power_is_a_mean():
    sgd = LinearisedSGD([[1.0], [0.5], [2.0]], probabilities=[0.5, 0.2, 0.3])
    multipliers = abs(1 - 0.7 * np.array([1, 0.25, 4]))
    for p in (2, 4, 6):
        exact = math.log(np.dot([0.5, 0.2, 0.3], multipliers**p))
        assert even_exponent(sgd, 0.7, p) == pytest.approx(exact, rel=1e-13)


def test_even_powers_are_those_of_the_full_tensor_matrix():
    sgd = random_sgd(4, 2)
    matrices, weights = sgd.matrices(1.2)
    fourth = sum(
        w * np.kron(np.kron(d, d), np.kron(d, d)) for d, w in zip(matrices, weights, strict=True)
    )
    exact = math.log(abs(np.linalg.eigvals(fourth)).max())
    assert even_exponent(sgd, 1.2, 4) == pytest.approx(exact, abs=1e-12)


def test_orthogonal_gradients_have_the_largest_single_moment():
    sgd = LinearisedSGD(np.diag([1.0, 2.0, 0.5]))
    exact = max(math.log((2 + (1 - 0.6 * a) ** 4) / 3) for a in (1, 4, 0.25))
    # a start without a component along the winner would miss it
    assert even_exponent(sgd, 0.6, 4) == pytest.approx(exact, abs=1e-12)


# ---- the projective line ----


@pytest.mark.parametrize("options", [{}, {"batch": 2}])
def test_in_the_plane_the_grid_finds_the_exact_even_moments_with_order_two(options):
    sgd = random_sgd(4, 2, **options)
    for p in (2, 4):
        exact = even_exponent(sgd, 1.0, p)
        errors = [
            abs(ProjectiveLine(*sgd.matrices(1.0), points=m).moment_exponent(p) - exact)
            for m in (250, 500, 1000)
        ]
        assert errors[-1] < 5e-5
        # linear interpolation: a factor of 4 a refinement; 2.5 allows for kinks near grid points
        assert (np.divide(errors[:-1], errors[1:]) > 2.5).all()


def test_in_the_plane_the_grid_and_the_simulation_find_the_same_exponent():
    sgd = random_sgd(4, 2)
    found = sgd.exponent([0.5, 1.0, 3.0], rng=rng(), steps=5000, replicas=50)
    exact = [ProjectiveLine(*sgd.matrices(eta)).exponent for eta in (0.5, 1.0, 3.0)]
    # four standard errors, and 1e-4 for the burn-in of 200 steps
    assert (abs(found.value - exact) < 4 * found.standard_error + 1e-4).all()


def test_the_exponent_is_the_slope_of_the_moment_exponent_at_zero():
    line = ProjectiveLine(*random_sgd(4, 2).matrices(2.2))
    h = 1e-3
    slope = (line.moment_exponent(h) - line.moment_exponent(-h)) / (2 * h)
    assert slope == pytest.approx(line.exponent, abs=1e-5)  # central difference: O(h^2)
    assert line.moment_exponent(0) == pytest.approx(0, abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), eta=st.floats(0.1, 3))
def test_the_moment_exponent_is_convex(seed, eta):
    line = ProjectiveLine(*random_sgd(4, 2, seed).matrices(eta), points=300)
    # Hoelder's inequality, which a positive interpolation keeps exactly
    values = np.array([line.moment_exponent(p) for p in (-1, -0.5, 0, 0.5, 1, 2, 3)])
    slopes = np.diff(values) / np.diff([-1, -0.5, 0, 0.5, 1, 2, 3])
    assert (np.diff(slopes) > -1e-9).all()


def test_rotations_and_multiples_have_the_exponent_of_the_multiple():
    c, s = math.cos(1), math.sin(1)
    line = ProjectiveLine(2 * np.array([[[c, -s], [s, c]]]), [1.0])
    assert line.exponent == pytest.approx(math.log(2), rel=1e-12)
    assert line.moment_exponent(3) == pytest.approx(3 * math.log(2), rel=1e-12)


# ---- populations ----


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("p", [2, 4])
def test_a_population_finds_the_exact_even_moments(batch, p):
    sgd = random_sgd(4, 3, batch=batch)
    found = population_exponent(sgd, 1.5, p, rng=rng(), steps=300)
    error = abs(found.value - even_exponent(sgd, 1.5, p))
    assert error < 4 * found.standard_error + 5e-4  # and the bias, O(1/1000) of p times a spread
    assert found.standard_error < 0.01


def test_a_population_finds_odd_moments_in_the_plane():
    sgd = random_sgd(4, 2)
    found = population_exponent(sgd, 2.0, 1, rng=rng(), steps=300)
    exact = ProjectiveLine(*sgd.matrices(2.0)).moment_exponent(1)
    assert abs(found.value - exact) < 4 * found.standard_error + 5e-4


def test_a_population_says_when_its_weights_concentrate():
    # one sample in forty stretches, the fortieth power sees nothing else
    sgd = LinearisedSGD(np.vstack([[[3.0]], np.full((39, 1), 0.1)]))
    with pytest.warns(UserWarning, match="weights rest on"):
        population_exponent(sgd, 1.0, 40, rng=rng(), population=50, steps=20, burn_in=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        population_exponent(sgd, 1.0, 1, rng=rng(), population=500, steps=20, burn_in=0)


def test_a_population_that_dies_out_has_no_moment():
    found = population_exponent(LinearisedSGD([[1.0], [1.0]]), 1.0, 2, rng=rng())
    assert np.isneginf(found.value)


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda sgd: sgd.second_moment.exponent(0.0), "eta"),
        (lambda sgd: sgd.second_moment.exponent([1.0, math.nan]), "eta"),
        (lambda sgd: sgd.second_moment.growth(1.0, -1, np.eye(2)), "steps"),
        (lambda sgd: sgd.second_moment.growth(1.0, 1, np.zeros((2, 2))), "start"),
        (lambda sgd: sgd.second_moment.growth(1.0, 1, np.eye(3)), "start"),
        (lambda sgd: even_exponent(sgd, 1.0, 3), "p"),
        (lambda sgd: even_exponent(sgd, 1.0, 0), "p"),
        (lambda sgd: even_exponent(sgd, 1.0, 2.0), "p"),
        (lambda sgd: even_exponent(sgd, 1.0, 40), "p"),
        (lambda sgd: even_exponent(sgd, -1.0, 2), "eta"),
        (lambda sgd: population_exponent(sgd, 1.0, 0, rng=rng()), "p"),
        (lambda sgd: population_exponent(sgd, -1.0, 1, rng=rng()), "eta"),
        (lambda sgd: population_exponent(sgd, 1.0, 1, rng=rng(), populations=1), "populations"),
        (lambda sgd: population_exponent(sgd, 1.0, 1, rng=rng(), population=1), "population"),
        (lambda sgd: population_exponent(sgd, 1.0, 1, rng=rng(), steps=0), "steps"),
        (lambda sgd: population_exponent(sgd, 1.0, 1, rng=rng(), burn_in=-1), "burn_in"),
        (lambda sgd: ProjectiveLine(*sgd.matrices(1.0)), "matrices"),  # singular
        (lambda sgd: ProjectiveLine(np.eye(3)[None], [1.0]), "matrices"),
        (lambda sgd: ProjectiveLine(np.eye(2)[None], [0.5]), "weights"),
        (lambda sgd: ProjectiveLine(np.eye(2)[None], [0.5, 0.5]), "weights"),
        (lambda sgd: ProjectiveLine(np.eye(2)[None], [1.0], points=3), "points"),
        (lambda sgd: ProjectiveLine(np.eye(2)[None], [1.0]).moment_exponent(math.nan), "p"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call(LinearisedSGD(np.eye(2)))
    assert "\n" not in str(refusal.value)
