"""Bernoulli convolutions as laws of stochastic descent: enumeration, self-similarity."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import kstest

from dsnnlib.training.landscapes import TwoSamples, cantor_function

GOLDEN = (3 - math.sqrt(5)) / 2
RATES = pytest.mark.parametrize("eta", [0.3, GOLDEN, 0.5, 2 / 3, 1.0, 1.4])


def truncated(eta, terms=14):
    """All values, equally likely, of the series cut after so many terms."""
    signs = np.array(list(product((-1, 1), repeat=terms)))
    return signs @ (eta * (1 - eta) ** np.arange(terms))


@RATES
def test_variance_and_characteristic_function_are_those_of_the_enumerated_series(eta):
    law, values = TwoSamples(eta), truncated(eta)
    rest = abs(1 - eta) ** 14  # what is cut is below this times the reach
    assert law.variance == pytest.approx(np.mean(values**2), abs=rest**2 * law.variance + 1e-14)
    t = np.array([0.5, 2.0, 5.0])
    expected = np.cos(np.multiply.outer(t, values)).mean(1)
    bound = t**2 * rest**2 * law.variance / 2 + 1e-13  # second order in the rest; rounding
    assert (abs(law.characteristic(t) - expected) <= bound).all()


@RATES
def test_the_support_ends_at_its_reach(eta):
    law, rest = TwoSamples(eta), abs(1 - eta) ** 14
    assert truncated(eta).max() == pytest.approx(law.reach * (1 - rest), rel=1e-12)  # rounding


@RATES
def test_the_law_reproduces_itself_in_one_step(eta):
    law, t = TwoSamples(eta), np.linspace(0, 8, 30)
    once = np.cos(eta * t) * law.characteristic((1 - eta) * t)
    np.testing.assert_allclose(law.characteristic(t), once, atol=1e-14)  # rounding


def test_at_one_half_the_law_is_uniform_and_at_two_thirds_cantors():
    rng = np.random.default_rng(0)
    for eta, distribution in (
        (1 / 2, lambda x: (x + 1) / 2),
        (2 / 3, lambda x: cantor_function((x + 1) / 2)),
    ):
        sample = TwoSamples(eta).sample(20000, steps=60, rng=rng)
        # four standard errors and more of the distance of distribution functions
        assert kstest(sample, distribution).statistic < 2.2 / math.sqrt(20000)


def test_each_chain_steps_towards_one_of_the_two_samples():
    eta = 0.3
    start = TwoSamples(eta).sample(50, steps=4, rng=np.random.default_rng(0))
    step = TwoSamples(eta).sample(50, steps=5, rng=np.random.default_rng(0))
    signs = (step - (1 - eta) * start) / eta
    np.testing.assert_allclose(abs(signs), 1, rtol=1e-13)  # rounding
    assert set(np.round(signs)) == {-1, 1}


# ---- the Cantor function ----


def test_the_cantor_function_is_self_similar_and_symmetric():
    x = np.random.default_rng(0).uniform(size=200)
    tight = {
        "rtol": 0,
        "atol": 1e-9,
    }  # the function is Hoelder: rounding to the power log 2 / log 3
    np.testing.assert_allclose(cantor_function(x / 3), cantor_function(x) / 2, **tight)
    np.testing.assert_allclose(cantor_function(1 - x), 1 - cantor_function(x), **tight)
    np.testing.assert_array_equal(cantor_function(1 / 3 + x / 3.001), 0.5)


@pytest.mark.parametrize(
    ("x", "value"), [(-1, 0), (0, 0), (0.5, 0.5), (1, 1), (2, 1), (0.25, 1 / 3), (0.75, 2 / 3)]
)
def test_the_cantor_function_has_its_known_values(x, value):
    assert cantor_function(x) == pytest.approx(value, abs=1e-9)  # as above


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: TwoSamples(0), "eta"),
        (lambda: TwoSamples(2), "eta"),
        (lambda: TwoSamples(math.nan), "eta"),
        (lambda: TwoSamples(0.5).sample(0, steps=1, rng=None), "size"),
        (lambda: TwoSamples(0.5).sample(1, steps=0, rng=None), "steps"),
        (lambda: TwoSamples(0.5).characteristic(math.inf), "t"),
        (lambda: TwoSamples(0.5).characteristic(1.0, factors=0), "factors"),
        (lambda: cantor_function(math.nan), "x"),
        (lambda: cantor_function(0.5, digits=0), "digits"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
