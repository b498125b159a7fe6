r"""Reversing a long chain with few stored states: binomial checkpoints.

A chain h_{l+1} = step l of h_l, for l = 0, ..., L-1, is to be reversed: the step L-1 first, with
the state h_{L-1} at hand, then L-2, and so on. What is counted:

* `slots` states can be kept at a time. The start h_0 takes one of them from the beginning to
  the end. The state that is on its way from one step to the next is not counted, nor is what
  the reversal of a single step keeps for itself.
* `advances` are the steps that are taken to get from a stored state to another state. The
  evaluation inside the reversal of a step is not one of them: every schedule has L of those.

With s slots and at most r advances over any step one reverses up to C(s + r, s) steps.

References
----------
Griewank and Walther, ACM Trans. Math. Software 26 (2000) 19-45. Page: outlook/backpropagation.
"""

from dataclasses import dataclass
from math import comb

from dsnnlib._checks import count, shown


@dataclass(frozen=True)
class Sweep:
    """A finished backward sweep.

    Attributes
    ----------
    result : object
        What the last pull returned.
    advances : int
        Steps taken to reach states that were not stored.
    held : int
        The largest number of states stored at a time.
    """

    result: object
    advances: int
    held: int


def longest(slots, repeats):
    """C(slots + repeats, slots): steps that s slots and r advances over each step reverse.

    >>> longest(3, 2)
    10
    """
    slots, repeats = count("slots", slots), count("repeats", repeats, least=0)
    return comb(slots + repeats, slots)


def fewest_repeats(steps, slots):
    """The least r with C(slots + r, slots) >= steps."""
    steps, slots = count("steps", steps), count("slots", slots)
    repeats = 0
    while comb(slots + repeats, slots) < steps:
        repeats += 1
    return repeats


def least_advances(steps, slots):
    """The least number of advances, r L - C(s + r, s + 1), with the least r that suffices.

    Parameters
    ----------
    steps : int
        L >= 1.
    slots : int
        s >= 1, with the one for the start.

    Raises
    ------
    ValueError
        If one of them is not a whole number, at least 1.

    Examples
    --------
    >>> [least_advances(10, s) for s in (1, 2, 3, 10)]
    [45, 20, 15, 9]
    """
    repeats = fewest_repeats(steps, slots)
    return repeats * steps - comb(slots + repeats, slots + 1)


def schedule(steps, slots):
    """Yield the actions of a cheapest reversal.

    They are ``("advance", l, m)``: from the state h_l, stored or just reached, to h_m;
    ``("store", l)``: keep the state just reached; ``("reverse", l)``: reverse the step l, from
    the state h_l, stored or just reached; ``("free", l)``: give up the stored h_l.

    Raises
    ------
    ValueError
        If `steps` or `slots` is not a whole number, at least 1.

    Examples
    --------
    >>> for action in schedule(3, 2):
    ...     print(*action)
    advance 0 1
    store 1
    advance 1 2
    reverse 2
    reverse 1
    free 1
    reverse 0
    free 0
    """
    return _schedule(count("steps", steps), count("slots", slots))


def _schedule(last, slots):
    stored = [0]
    while stored:
        first, own = stored[-1], slots - len(stored) + 1
        if last - first == 1:
            yield "reverse", first
            yield "free", stored.pop()
            last = first
        elif own == 1:  # no slot is free: walk to the end of the segment, every time
            yield "advance", first, last - 1
            yield "reverse", last - 1
            last -= 1
        else:
            middle = first + _split(last - first, own)
            yield "advance", first, middle
            yield "store", middle
            stored.append(middle)


def _split(steps, slots):
    """How far to advance: so far that both parts stay within their number of repeats."""
    r = fewest_repeats(steps, slots)
    return max(1, comb(slots + r - 2, slots), steps - comb(slots + r - 1, slots - 1))


def sweep(advance, pull, start, cotangent, *, steps, slots):
    """Reverse a chain by a cheapest schedule.

    Parameters
    ----------
    advance : callable
        ``advance(l, h_l)`` -> h_{l+1}.
    pull : callable
        ``pull(l, h_l, c)`` -> the cotangent before the step l, given the one after it.
    start : object
        h_0; states are only passed on, never changed.
    cotangent : object
        What the first pull, that of the step L-1, is given.
    steps, slots : int
        L >= 1 steps and s >= 1 stored states.

    Returns
    -------
    Sweep
        With the cotangent before the step 0, and what it cost.

    Raises
    ------
    ValueError
        If `steps` or `slots` is not a whole number, at least 1, or a function is not callable.
    """
    for name, function in (("advance", advance), ("pull", pull)):
        if not callable(function):
            raise ValueError(f"{name} is {shown(function)}; it must be a function")
    stored, advances, held = {0: start}, 0, 1
    at, state = 0, start
    for kind, i, *to in schedule(steps, slots):
        if kind in ("advance", "reverse") and i != at:
            at, state = i, stored[i]
        if kind == "advance":
            while at < to[0]:
                at, state, advances = at + 1, advance(at, state), advances + 1
        elif kind == "reverse":
            cotangent = pull(i, state, cotangent)
        elif kind == "store":
            stored[i] = state
            held = max(held, len(stored))
        else:
            del stored[i]
    return Sweep(cotangent, advances, held)
