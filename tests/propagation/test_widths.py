"""Width profiles: the definitions by brute force, and their numbers by binomials."""

import math
from itertools import pairwise, product

import pytest

from dsnnlib.propagation.widths import width_profile


def by_definition(widths):
    """The set of all names that apply, each by its definition, by brute force."""
    n, names = len(widths), set()
    if all(a >= b for a, b in pairwise(widths)):
        names.add("non-augmented")
    for top in range(n):
        rises = all(a <= b for a, b in pairwise(widths[: top + 1]))
        falls = all(a >= b for a, b in pairwise(widths[top:]))
        if rises and falls and widths[top] > widths[0]:
            names.add("augmented")
    for middle in range(1, n - 1):
        if max(widths[:middle]) > widths[middle] < max(widths[middle + 1 :]):
            names.add("bottleneck")
    return names


def test_exactly_one_profile_applies_and_it_is_the_one_returned():
    for n in range(1, 7):
        for widths in product(range(1, 5), repeat=n):
            assert by_definition(widths) == {width_profile(widths)}


@pytest.mark.parametrize(("n", "w"), [(1, 4), (3, 4), (5, 3), (6, 4), (9, 2)])
def test_profiles_are_as_many_as_the_binomials_say(n, w):
    found = [width_profile(widths) for widths in product(range(1, w + 1), repeat=n)]
    falling = math.comb(w + n - 1, n)
    unimodal = sum(math.comb(n + 2 * k - 3, 2 * k - 2) for k in range(1, w + 1))
    assert found.count("non-augmented") == falling
    assert found.count("augmented") == unimodal - falling
    assert found.count("bottleneck") == w**n - unimodal


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: width_profile(()), "widths"),
        (lambda: width_profile((3, 2.5)), "widths"),
        (lambda: width_profile((3, True)), "widths"),
        (lambda: width_profile(3), "widths"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, argument):
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as refusal:
        call()
    assert "\n" not in str(refusal.value)
