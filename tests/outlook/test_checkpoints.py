"""Binomial checkpoints against a dynamic program, and by running them."""

from functools import cache
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsnnlib.outlook.checkpoints import (
    fewest_repeats,
    least_advances,
    longest,
    schedule,
    sweep,
)


@cache
def cheapest(steps, slots):
    """The least number of advances, by trying every place of the first checkpoint."""
    if steps == 1 or slots == 1:
        return steps * (steps - 1) // 2
    return min(j + cheapest(steps - j, slots - 1) + cheapest(j, slots) for j in range(1, steps))


@cache
def reach(slots, repeats):
    """The longest chain, by the recursion over the first checkpoint."""
    if repeats == 0 or slots == 0:
        return 1
    return reach(slots, repeats - 1) + (reach(slots - 1, repeats) if slots > 1 else 1)


def run(steps, slots):
    """Run a chain of integers, count everything, and check the state of each reversal."""
    counts, order = np.zeros(steps, int), []

    def advance(i, h):
        assert h == i
        counts[i] += 1
        return h + 1

    def pull(i, h, c):
        assert h == i
        order.append(i)
        return c + 1

    return sweep(advance, pull, 0, 0, steps=steps, slots=slots), counts, order


def test_the_closed_form_is_the_minimum_of_the_dynamic_program():
    for steps in range(1, 61):
        for slots in range(1, 9):
            assert least_advances(steps, slots) == cheapest(steps, slots)


def test_a_sweep_reverses_every_layer_once_in_order_at_the_least_cost():
    for steps in range(1, 41):
        for slots in range(1, 9):
            done, counts, order = run(steps, slots)
            assert order == list(range(steps))[::-1]
            assert done.result == steps
            assert done.advances == counts.sum() == cheapest(steps, slots)
            assert counts.max() == fewest_repeats(steps, slots)
            assert done.held <= slots


def test_the_longest_chain_obeys_pascals_rule():
    for slots in range(1, 8):
        for repeats in range(8):
            assert longest(slots, repeats) == reach(slots, repeats)


def test_at_the_longest_chain_every_repeat_is_used_and_one_layer_more_needs_one_more():
    for slots in range(1, 6):
        for repeats in range(1, 5):
            steps = longest(slots, repeats)
            assert run(steps, slots)[1].max() == repeats
            assert run(steps + 1, slots)[1].max() == repeats + 1


def test_with_as_many_slots_as_layers_each_layer_but_the_last_is_advanced_over_once():
    done, counts, _ = run(30, 30)
    assert counts.tolist() == [1] * 29 + [0]
    assert run(30, 29)[0].advances == done.advances
    assert run(30, 500)[0] == done


def test_with_one_slot_the_input_is_the_start_of_everything():
    done, counts, _ = run(12, 1)
    assert done.held == 1
    assert counts.tolist() == list(range(11, -1, -1))


def test_a_thousand_layers_need_no_deep_recursion():
    for slots in (1, 7, 32, 1000):
        assert run(1000, slots)[0].advances == least_advances(1000, slots)


@given(st.integers(2, 400), st.integers(1, 20))
def test_one_more_slot_never_costs_more_and_one_more_layer_never_less(steps, slots):
    assert least_advances(steps, slots + 1) <= least_advances(steps, slots)
    assert least_advances(steps, slots) > least_advances(steps - 1, slots)
    r = fewest_repeats(steps, slots)
    assert comb(slots + r - 1, slots) < steps <= comb(slots + r, slots)


def test_a_schedule_stores_only_what_it_has_just_reached_and_frees_all():
    stored, at = {0}, 0
    for kind, i, *to in schedule(50, 4):
        if kind == "store":
            assert i == at
            assert i not in stored
            stored.add(i)
            assert len(stored) <= 4
        elif kind == "free":
            stored.remove(i)
        else:
            assert i in stored | {at}
            at = to[0] if to else i
    assert not stored


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, None])
@pytest.mark.parametrize("function", [least_advances, fewest_repeats, schedule])
def test_numbers_that_are_no_counts_are_refused(function, bad):
    with pytest.raises(ValueError, match=r"steps is .*; it must be a whole number, at least 1"):
        function(bad, 3)
    with pytest.raises(ValueError, match=r"slots is .*; it must be a whole number, at least 1"):
        function(3, bad)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="repeats is -1; it must be a whole number, at least 0"):
        longest(3, -1)
    with pytest.raises(ValueError, match="slots is 0; it must be"):
        longest(0, 1)
    with pytest.raises(ValueError, match="advance is None; it must be a function"):
        sweep(None, print, 0, 0, steps=2, slots=1)
    with pytest.raises(ValueError, match="pull is 3; it must be a function"):
        sweep(print, 3, 0, 0, steps=2, slots=1)
    with pytest.raises(ValueError, match="steps is 0; it must be"):
        sweep(print, print, 0, 0, steps=0, slots=1)
