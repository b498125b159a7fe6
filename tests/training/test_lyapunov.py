"""Lyapunov exponents of linearised SGD: closed forms, exact sums, and dense products."""

import math

import numpy as np
import pytest

from dsnnlib.training.lyapunov import LinearisedSGD

SHORT = {"steps": 500, "replicas": 40, "burn_in": 50}


def rng(seed=0):
    return np.random.default_rng(seed)


def random_gradients(samples, size, seed=0):
    return rng(seed).standard_normal((samples, size)) / size**0.5


def dense_map(sgd, gradients, eta, batch):
    """I - (eta/B) sum a a^T on all of R^D."""
    chosen = gradients[batch]
    return np.eye(gradients.shape[1]) - eta / sgd.batch * chosen.T @ chosen


# ---- the normal space ----


@pytest.mark.parametrize(
    ("samples", "size", "rank"), [(4, 30, 4), (30, 4, 4), (5, 5, 5), (3, 1, 1)]
)
def test_the_coordinates_rebuild_the_gradients_in_a_space_of_their_rank(samples, size, rank):
    gradients = random_gradients(samples, size)
    sgd = LinearisedSGD(gradients)
    assert sgd.rank == rank
    rounding = {"rtol": 0, "atol": 1e-13}
    np.testing.assert_allclose(sgd.coordinates @ sgd.basis, gradients, **rounding)
    np.testing.assert_allclose(sgd.basis @ sgd.basis.T, np.eye(rank), **rounding)


def test_duplicates_add_nothing_to_the_normal_space():
    gradients = random_gradients(3, 8)
    assert LinearisedSGD(np.vstack([gradients, gradients, -2 * gradients[:1]])).rank == 3


def test_the_hessian_on_the_normal_space_has_the_non_zero_eigenvalues_of_the_full_one():
    gradients, weights = random_gradients(4, 9), np.array([0.1, 0.2, 0.3, 0.4])
    sgd = LinearisedSGD(gradients, probabilities=weights)
    full = np.linalg.eigvalsh((gradients.T * weights) @ gradients)
    np.testing.assert_allclose(sgd.eigenvalues, full[-4:], rtol=1e-12)  # rounding
    np.testing.assert_allclose(full[:-4], 0, atol=1e-14)
    assert sgd.descent_threshold == pytest.approx(2 / full[-1], rel=1e-12)
    eta = np.array([[0.3, 1.0], [2.0, 9.0]])
    by_hand = np.log(abs(1 - eta[..., None] * full[-4:]).max(axis=-1))
    np.testing.assert_allclose(sgd.descent_exponent(eta), by_hand, rtol=1e-10)


# ---- the batches ----


@pytest.mark.parametrize(("batch", "chance"), [(1, 1 / 6), (2, 1 / 3), (5, 5 / 6)])
def test_every_sample_is_in_a_batch_with_the_same_chance_and_once(batch, chance):
    drawn = LinearisedSGD(random_gradients(6, 7), batch=batch).draws(100, 300, rng())
    assert drawn.shape == (100, 300, batch)
    assert (np.diff(np.sort(drawn, axis=-1), axis=-1) > 0).all()
    found = np.bincount(drawn.ravel(), minlength=6) / 30_000
    assert abs(found - chance).max() < 4 * 0.5 / 30_000**0.5  # four standard errors at most


def test_pairs_without_replacement_are_equally_likely():
    drawn = LinearisedSGD(random_gradients(5, 6), batch=2).draws(100, 400, rng())
    cells = np.sort(drawn, axis=-1) @ [5, 1]
    _, times = np.unique(cells, return_counts=True)
    assert len(times) == 10
    assert abs(times / 40_000 - 0.1).max() < 4 * 0.3 / 200  # four standard errors


def test_independent_draws_have_the_given_probabilities_and_repeat():
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    sgd = LinearisedSGD(random_gradients(4, 4), batch=3, probabilities=weights)
    drawn = sgd.draws(100, 200, rng())
    found = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    assert abs(found - weights).max() < 4 * 0.5 / drawn.size**0.5
    assert (np.diff(np.sort(drawn, axis=-1), axis=-1) == 0).any()


@pytest.mark.parametrize(
    ("batch", "probabilities"), [(1, None), (3, None), (2, [0.1, 0.2, 0.3, 0.4])]
)
def test_the_listed_matrices_average_to_the_step_of_gradient_descent(batch, probabilities):
    sgd = LinearisedSGD(random_gradients(4, 6), batch=batch, probabilities=probabilities)
    matrices, weights = sgd.matrices(0.7)
    assert weights.sum() == pytest.approx(1, rel=1e-14)
    mean = np.einsum("k,kij->ij", weights, matrices)
    np.testing.assert_allclose(mean, np.eye(4) - 0.7 * sgd.hessian, rtol=0, atol=1e-14)


# ---- path by path ----


@pytest.mark.parametrize(("samples", "size"), [(4, 9), (9, 4)])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_growth_along_given_batches_is_that_of_dense_products(samples, size, batch):
    gradients = random_gradients(samples, size)
    sgd = LinearisedSGD(gradients, batch=batch)
    draws, start = sgd.draws(60, 3, rng(1)), rng(2).standard_normal((3, sgd.rank))
    growth = sgd.log_growth([0.5, 3.0], draws, start)
    assert growth.shape == (61, 2, 3)
    for e, eta in enumerate((0.5, 3.0)):
        for path in range(3):
            vector = start[path] @ sgd.basis
            assert growth[0, e, path] == pytest.approx(math.log(np.linalg.norm(vector)))
            for n in range(60):
                vector = dense_map(sgd, gradients, eta, draws[n, path]) @ vector
            # rounding in 60 steps, each amplified by a condition number of up to 30
            expected = math.log(np.linalg.norm(vector))
            assert growth[-1, e, path] == pytest.approx(expected, abs=1e-10)
    np.testing.assert_array_equal(sgd.log_growth(0.5, draws, start), growth[:, 0])


# ---- the exponent ----


@pytest.mark.parametrize("eta", [0.3, 1.9, 2.5])
def test_one_sample_gives_the_exponent_of_gradient_descent(eta):
    found = LinearisedSGD([[0.6, 0.8]]).exponent(eta, rng=rng(), **SHORT)
    assert found.value == pytest.approx(math.log(abs(1 - eta)), rel=1e-14)
    assert found.standard_error == 0


def test_the_full_batch_is_gradient_descent_and_exact():
    sgd, eta = LinearisedSGD(random_gradients(5, 9), batch=5), np.array([0.5, 2.0, 4.0])
    found = sgd.exponent(eta, rng=rng(), **SHORT)
    np.testing.assert_array_equal(found.value, sgd.descent_exponent(eta))
    np.testing.assert_array_equal(found.standard_error, 0)
    growth = sgd.log_growth(eta, sgd.draws(4000, 2, rng()), rng(1).standard_normal((2, 5)))
    # the second half of the path, once the slower directions are gone
    slope = (growth[-1] - growth[2000]) / 2000
    np.testing.assert_allclose(slope, np.stack([found.value] * 2, axis=1), atol=1e-6)


def test_a_full_batch_of_independent_draws_is_not_gradient_descent():
    sgd = LinearisedSGD(np.eye(2), batch=2, probabilities=[0.5, 0.5])
    # each sample is drawn 0, 1 or 2 times: multipliers 1, 1 - eta/2, 1 - eta
    exact = 0.5 * math.log(0.6) + 0.25 * math.log(0.2)
    found = sgd.exponent(0.8, rng=rng(), steps=2000, replicas=200)
    # the larger of two noisy equal exponents: bias of the order of the error of one path
    assert found.value == pytest.approx(exact, abs=0.02)


def test_orthogonal_gradients_give_the_largest_single_exponent():
    gradients = np.diag([1.0, 2.0, 0.5])
    found = LinearisedSGD(gradients).exponent([0.6, 1.2], rng=rng(), steps=5000, replicas=50)
    single = np.log(abs(1 - np.multiply.outer([0.6, 1.2], [1, 4, 0.25]))) / 3
    error = abs(found.value - single.max(axis=1))
    assert (error < 4 * found.standard_error + 1e-4).all()  # 1e-4: burn-in of 200 steps


@pytest.mark.parametrize("cosine", [0.5, -0.3])
def test_two_unit_gradients_at_rate_one_are_kaczmarz(cosine):
    gradients = [[1, 0], [cosine, math.sqrt(1 - cosine**2)]]
    found = LinearisedSGD(gradients).exponent(1.0, rng=rng(), **SHORT)
    assert abs(found.value - math.log(abs(cosine)) / 2) < 4 * found.standard_error


def test_reflections_keep_every_length():
    found = LinearisedSGD([[1, 0], [0.6, 0.8]]).exponent(2.0, rng=rng(), **SHORT)
    assert found.value == pytest.approx(0, abs=1e-15)  # mean of logs of norms 1 + O(eps)


def test_a_singular_step_on_a_line_annihilates():
    sgd = LinearisedSGD([[1.0, 1.0], [0.5, 0.5]])  # norm^2 = 2 and 1/2
    found = sgd.exponent([0.3, 0.5, 2.0], rng=rng(), **SHORT)
    assert np.isneginf(found.value[1:]).all()
    assert np.isfinite(found.value[0])
    # one decimal place further, nothing is annihilated
    assert np.isfinite(sgd.exponent(0.5 + 1e-9, rng=rng(), **SHORT).value)


@pytest.mark.parametrize("burn_in", [0, 100])
def test_projections_onto_all_axes_annihilate_whenever_they_do(burn_in):
    found = LinearisedSGD(np.eye(3)).exponent(1.0, rng=rng(), steps=50, burn_in=burn_in)
    assert np.isneginf(found.value)


def test_more_samples_than_parameters_leave_no_neutral_direction():
    # the trap of Gram coordinates: with D = 1 they have a kernel, and read an exponent of 0
    gradients = rng(3).standard_normal((10, 1))
    sgd = LinearisedSGD(gradients)
    draws = sgd.draws(500, 30, rng(4))
    growth = sgd.log_growth(0.8, draws, np.ones((30, 1)))[-1]
    drawn = np.log(abs(1 - 0.8 * gradients[draws[..., 0], 0] ** 2)).sum(axis=0)
    np.testing.assert_allclose(growth, drawn, rtol=0, atol=1e-11)  # rounding in 500 steps


def test_copies_of_every_sample_change_nothing():
    gradients = random_gradients(3, 5)
    once = LinearisedSGD(gradients).exponent([0.5, 2.0], rng=rng(), **SHORT)
    thrice = LinearisedSGD(np.vstack([gradients] * 3)).exponent([0.5, 2.0], rng=rng(1), **SHORT)
    error = np.hypot(once.standard_error, thrice.standard_error)
    assert (abs(once.value - thrice.value) < 4 * error).all()


@pytest.mark.parametrize("batch", [1, 3])
def test_the_standard_error_covers_the_truth(batch):
    sgd = LinearisedSGD(random_gradients(6, 4), batch=batch)
    exact = sgd.exponent(2.0, rng=rng(9), steps=20_000, replicas=100)
    runs = [sgd.exponent(2.0, rng=rng(i), steps=300, replicas=30) for i in range(60)]
    inside = np.mean([abs(r.value - exact.value) < 2 * r.standard_error for r in runs])
    assert inside > 0.95 - 4 * (0.05 * 0.95 / 60) ** 0.5  # a binomial proportion


def test_the_shape_of_the_rates_is_the_shape_of_the_answer():
    sgd = LinearisedSGD(random_gradients(4, 6))
    together = sgd.exponent(np.array([[0.5, 1.0, 2.0]]), rng=rng(), **SHORT)
    assert together.value.shape == together.standard_error.shape == (1, 3)
    alone = sgd.exponent(1.0, rng=rng(), **SHORT)
    assert alone.value.shape == ()
    assert alone.value == together.value[0, 1]  # common random numbers


def test_at_large_rates_the_exponent_grows_like_the_logarithm_of_the_rate():
    # D / eta tends to -a a^T: from 1e6 to 1e9 the exponent gains 3 log 10, and nothing overflows
    sgd = LinearisedSGD(random_gradients(4, 6))
    found = sgd.exponent([1e6, 1e9], rng=rng(), **SHORT).value
    assert np.diff(found)[0] == pytest.approx(3 * math.log(10), abs=1e-4)  # O(1e-6), amplified


# ---- the spectrum ----


@pytest.mark.parametrize(("samples", "size", "batch"), [(5, 9, 1), (9, 3, 1), (6, 8, 2)])
def test_the_spectrum_sums_up_to_the_mean_logarithm_of_the_determinant(samples, size, batch):
    sgd = LinearisedSGD(random_gradients(samples, size), batch=batch)
    found = sgd.spectrum([0.7, 2.5], rng=rng(), steps=1000, replicas=30)
    assert found.value.shape == (2, sgd.rank)
    for total, errors, eta in zip(found.value, found.standard_error, (0.7, 2.5), strict=True):
        matrices, weights = sgd.matrices(eta)
        exact = weights @ np.linalg.slogdet(matrices)[1]
        assert abs(total.sum() - exact) < 4 * errors.sum()


def test_the_first_of_the_spectrum_is_the_exponent_and_a_few_are_the_first_of_all():
    sgd = LinearisedSGD(random_gradients(5, 7))
    top = sgd.exponent(1.5, rng=rng(), steps=1000, replicas=40)
    every = sgd.spectrum(1.5, rng=rng(1), steps=1000, replicas=40)
    few = sgd.spectrum(1.5, rng=rng(1), steps=1000, replicas=40, k=2)
    error = np.hypot(top.standard_error, every.standard_error[0])
    assert abs(top.value - every.value[0]) < 4 * error
    assert few.value.shape == (2,)
    assert (abs(few.value - every.value[:2]) < 5 * every.standard_error[:2]).all()
    assert (np.diff(every.value) < 3 * every.standard_error[1:]).all()


def test_kaczmarz_loses_one_dimension():
    found = LinearisedSGD([[1, 0], [0.5, 0.75**0.5]]).spectrum(1.0, rng=rng(), steps=500)
    assert abs(found.value[0] - math.log(0.5) / 2) < 4 * found.standard_error[0]
    assert np.isneginf(found.value[1])


# ---- the threshold ----


def test_on_a_line_the_threshold_is_the_zero_of_the_mean_logarithm():
    sgd = LinearisedSGD([[1.0], [2.0]])
    # (1 - eta)(1 - 4 eta) = 1 at eta = 5/4
    found = sgd.threshold(0.9, 2.0, rng=rng(), steps=2000)
    assert abs(found.value - 1.25) < 4 * found.standard_error
    assert found.standard_error < 0.01


def test_the_threshold_of_orthogonal_gradients_is_that_of_the_longest():
    found = LinearisedSGD(np.diag([1.0, 2.0])).threshold(0.3, 1.0, rng=rng())
    # beyond 2/4 the long one expands; at it both are still contracting or neutral
    assert found.value == pytest.approx(0.5, abs=4 * found.standard_error + 1e-3)


def test_a_full_batch_has_the_threshold_of_descent():
    sgd = LinearisedSGD(random_gradients(4, 6), batch=4)
    found = sgd.threshold(0.5 * sgd.descent_threshold, 2 * sgd.descent_threshold, rng=rng())
    # the grid's interpolation error: mesh 1.5 x threshold / 16^3, squared
    assert found.value == pytest.approx(sgd.descent_threshold, rel=1e-6)
    assert found.standard_error == 0


# ---- at the door ----


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: LinearisedSGD(np.zeros((2, 3))), "gradients"),
        (lambda: LinearisedSGD([1.0, 2.0]), "gradients"),
        (lambda: LinearisedSGD([[1.0, math.nan]]), "gradients"),
        (lambda: LinearisedSGD([["a"]]), "gradients"),
        (lambda: LinearisedSGD(np.eye(3), batch=0), "batch"),
        (lambda: LinearisedSGD(np.eye(3), batch=4), "batch"),
        (lambda: LinearisedSGD(np.eye(3), batch=1.0), "batch"),
        (lambda: LinearisedSGD(np.eye(3), probabilities=[0.5, 0.5]), "probabilities"),
        (lambda: LinearisedSGD(np.eye(3), probabilities=[0.5, 0.6, 0.1]), "probabilities"),
        (lambda: LinearisedSGD(np.eye(3), probabilities=[1.5, -0.6, 0.1]), "probabilities"),
        (lambda: LinearisedSGD(np.eye(3), probabilities=[0.5, 0.5, 0]), "probabilities"),
        (lambda: LinearisedSGD(np.eye(3), probabilities=[1, 0, math.nan]), "probabilities"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(0, rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).exponent([0.1, -1], rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(math.inf, rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).exponent("fast", rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(1.0, rng=rng(), steps=0), "steps"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(1.0, rng=rng(), steps=1.5), "steps"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(1.0, rng=rng(), replicas=1), "replicas"),
        (lambda: LinearisedSGD(np.eye(2)).exponent(1.0, rng=rng(), burn_in=-1), "burn_in"),
        (lambda: LinearisedSGD(np.eye(2)).spectrum(-1.0, rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).spectrum(1.0, rng=rng(), k=3), "k"),
        (lambda: LinearisedSGD(np.eye(2)).spectrum(1.0, rng=rng(), k=0), "k"),
        (lambda: LinearisedSGD(np.eye(2)).spectrum(1.0, rng=rng(), replicas=1), "replicas"),
        (lambda: LinearisedSGD(np.eye(2)).threshold(0.1, 0.2, rng=rng()), "upper"),
        (lambda: LinearisedSGD(np.eye(2)).threshold(0.0, 0.2, rng=rng()), "eta"),
        (lambda: LinearisedSGD(np.eye(2)).matrices([1.0, 2.0]), "eta"),
        (lambda: LinearisedSGD(np.eye(40), batch=20).matrices(1.0), "batch"),
        (lambda: LinearisedSGD(np.eye(2)).draws(0, 1, rng()), "steps"),
        (lambda: LinearisedSGD(np.eye(2)).draws(1, 0, rng()), "replicas"),
        (lambda: LinearisedSGD(np.eye(2)).log_growth(1.0, [[[0.0]]], [[1, 1]]), "draws"),
        (lambda: LinearisedSGD(np.eye(2)).log_growth(1.0, [[[2]]], [[1, 1]]), "draws"),
        (lambda: LinearisedSGD(np.eye(2)).log_growth(1.0, [[0, 1]], [[1, 1]]), "draws"),
        (lambda: LinearisedSGD(np.eye(2)).log_growth(1.0, [[[0]]], [[1]]), "start"),
        (lambda: LinearisedSGD(np.eye(2)).log_growth(1.0, [[[0]]], [[0, 0]]), "start"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
