import numpy as np
import pytest

from dsnnlib import estimate


def test_the_standard_error_covers_the_truth_as_often_as_promised():
    samples = np.random.default_rng(0).standard_normal((50, 4000)) + 3.0
    found = estimate.mean(samples)
    inside = np.mean(abs(found.value - 3.0) < found.standard_error)
    # Student's t with 49 degrees of freedom: 0.6778; binomial error 0.0074, four of them
    assert inside == pytest.approx(0.6778, abs=0.03)


def test_a_replica_of_minus_infinity_is_not_hidden():
    found = estimate.mean([[-np.inf, 1.0], [0.0, 3.0]])
    assert found.value.tolist() == [-np.inf, 2.0]
    assert found.standard_error.tolist() == [0.0, 1.0]


def test_a_single_replica_is_refused():
    with pytest.raises(ValueError, match="replicas"):
        estimate.mean([1.0])
