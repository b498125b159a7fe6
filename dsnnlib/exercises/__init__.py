"""Self-checks for the book's exercises: right or wrong by invariants, without holding the answer.

Each check takes the reader's answer, says "Right" and why if it holds, and
raises `NotYet` with a hint that names what fails if it does not.
"""

import numpy as np


class NotYet(AssertionError):
    """The answer fails a property that every right answer has; the message says which."""


def demand(holds, hint):
    """Raise `NotYet(hint)` unless `holds`."""
    if not holds:
        raise NotYet(hint)


def right(why):
    """Say that the answer is right, and why we believe it."""
    print(f"Right: {why}")


def number(value):
    """Return the reader's `value` as a float; raise `NotYet` if it is not one finite number."""
    try:
        result = float(value) if np.ndim(value) == 0 and not np.iscomplexobj(value) else None
    except (TypeError, ValueError):
        result = None
    demand(result is not None, f"a number is asked for, not {value!r}")
    demand(np.isfinite(result), f"a finite number is asked for, not {result}")
    return result
