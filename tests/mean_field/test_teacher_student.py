"""ReLU students with Gaussian inputs: sampling, differences, symmetry, a conserved quantity."""

import numpy as np
import pytest

from dsnnlib.mean_field.particles import RELU, TwoLayer
from dsnnlib.mean_field.teacher_student import TeacherStudent, relu_kernel

RNG = np.random.default_rng(0)
TEACHER = RNG.normal(size=(3, 4))
SCHOOL = TeacherStudent(TEACHER)


def test_the_kernel_is_the_mean_over_random_inputs():
    rng = np.random.default_rng(1)
    u, v, x = rng.normal(size=(4, 3)), rng.normal(size=(2, 3)), rng.normal(size=(100_000, 3))
    product = np.maximum(x @ u.T, 0)[:, :, None] * np.maximum(x @ v.T, 0)[:, None, :]
    error = product.std(0) / 100_000**0.5
    assert (abs(product.mean(0) - relu_kernel(u, v)) < 4 * error).all()


@pytest.mark.parametrize(("turn", "value"), [(0, 1 / 2), (np.pi / 2, 1 / (2 * np.pi)), (np.pi, 0)])
def test_the_kernel_of_equal_orthogonal_and_opposite_directions(turn, value):
    u, v = np.array([[2.0, 0.0]]), 3 * np.array([[np.cos(turn), np.sin(turn)]])
    assert relu_kernel(u, v)[0, 0] == pytest.approx(6 * value, abs=1e-12)


def test_the_risk_is_that_of_a_large_sample():
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(5, 4)), rng.normal(size=(100_000, 3))

    def network(w):
        return np.maximum(x @ w[:, 1:].T, 0) @ w[:, 0] / len(w)

    square = (network(w) - network(TEACHER)) ** 2 / 2
    assert abs(SCHOOL.risk(w) - square.mean()) < 4 * square.std() / 100_000**0.5
    blank = network(TEACHER) ** 2 / 2
    assert abs(SCHOOL.blank - blank.mean()) < 4 * blank.std() / 100_000**0.5


def test_the_velocity_is_n_times_the_slope_of_the_risk():
    w = np.random.default_rng(1).normal(size=(4, 4))
    velocity = SCHOOL.velocity(w)
    for i in range(4):
        for j in range(4):
            step = np.zeros((4, 4))
            step[i, j] = 1e-5
            slope = (SCHOOL.risk(w + step) - SCHOOL.risk(w - step)) / 2e-5
            assert velocity[i, j] == pytest.approx(-4 * slope, abs=1e-8)


def test_the_velocity_is_that_of_a_sampled_network():
    rng = np.random.default_rng(2)
    w, x = rng.normal(size=(5, 4)), rng.normal(size=(200_000, 3))
    targets = np.maximum(x @ TEACHER[:, 1:].T, 0) @ TEACHER[:, 0] / 3
    net = TwoLayer(x, targets, RELU)
    with_bias = np.insert(w, 4, 0.0, axis=1)
    sampled = net.velocity(with_bias)[:, :4]
    np.testing.assert_allclose(SCHOOL.velocity(w), sampled, atol=0.05)


def test_the_teacher_has_no_risk_and_stands_still():
    assert SCHOOL.risk(TEACHER) == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(SCHOOL.velocity(TEACHER), 0, atol=1e-7)  # arccos near 1
    twice = np.concatenate([TEACHER, TEACHER])
    assert SCHOOL.risk(twice) == pytest.approx(0, abs=1e-14)


def test_the_difference_of_squares_is_conserved():
    w = np.random.default_rng(1).normal(size=(6, 4))
    v = SCHOOL.velocity(w)
    np.testing.assert_allclose(w[:, 0] * v[:, 0], (w[:, 1:] * v[:, 1:]).sum(1), atol=1e-12)


def test_students_side_by_side_are_as_if_alone():
    w = np.random.default_rng(1).normal(size=(2, 3, 5, 4))
    np.testing.assert_allclose(SCHOOL.risk(w)[1, 2], SCHOOL.risk(w[1, 2]), rtol=1e-12)
    np.testing.assert_allclose(SCHOOL.velocity(w)[1, 2], SCHOOL.velocity(w[1, 2]), rtol=1e-10)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ([1.0, 2.0], "teacher has 1 dimensions"),
        ([[1.0, np.nan]], "teacher holds NaN"),
        ([[1.0, 0.0, 0.0]], "a neuron with b = 0"),
        ([[1.0]], "a neuron with b = 0"),
    ],
)
def test_a_teacher_that_makes_no_sense_is_refused(teacher, message):
    with pytest.raises(ValueError, match=message):
        TeacherStudent(teacher)


def test_students_of_another_dimension_are_refused():
    for w in (np.ones((5, 3)), np.ones(4)):
        with pytest.raises(ValueError, match=r"w has the shape .* must be \(..., N, 4\)"):
            SCHOOL.risk(w)
        with pytest.raises(ValueError, match="w has the shape"):
            SCHOOL.velocity(w)
