"""Width profiles: what the widths of a network decide before a weight is chosen."""

from itertools import pairwise

from dsnnlib._checks import count, shown


def width_profile(widths):
    """'non-augmented', 'augmented' or 'bottleneck': exactly one of them.

    Non-augmented: the widths never increase. Augmented: they do not decrease up to some layer wider
    than the input, and do not increase after it. Bottleneck: some layer is narrower than one
    before it and one after it.

    Parameters
    ----------
    widths : sequence of int
        At least one, each a whole number >= 1.

    References
    ----------
    arXiv:2405.09351. Page: propagation/feed-forward architectures.

    Examples
    --------
    >>> width_profile((3, 2, 2, 1)), width_profile((2, 3, 3, 1)), width_profile((2, 1, 2, 1))
    ('non-augmented', 'augmented', 'bottleneck')
    """
    widths = whole_numbers(widths)
    steps = [b - a for a, b in pairwise(widths) if a != b]
    if all(step < 0 for step in steps):
        return "non-augmented"
    # once it has turned down it must not turn up again
    turns_up = any(before < 0 < after for before, after in pairwise(steps))
    return "bottleneck" if turns_up else "augmented"


def whole_numbers(widths):
    """The widths as a tuple of int; refuse what is not a sequence of whole numbers >= 1."""
    try:
        widths = tuple(widths)
    except TypeError:
        raise ValueError(
            f"widths is {shown(widths)}; it must be a sequence of whole numbers"
        ) from None
    if not widths:
        raise ValueError("widths is empty; it must hold at least one whole number")
    return tuple(count("an entry of widths", width) for width in widths)
