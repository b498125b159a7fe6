"""Self-checks for the book's exercises: right or wrong by invariants, without holding the answer.

Each check takes the reader's answer, says "Right" and why if it holds, and
raises `NotYet` with a hint that names what fails if it does not.
"""


class NotYet(AssertionError):
    """The answer fails a property that every right answer has; the message says which."""


def demand(holds, hint):
    """Raise `NotYet(hint)` unless `holds`."""
    if not holds:
        raise NotYet(hint)


def right(why):
    """Say that the answer is right, and why we believe it."""
    print(f"Right: {why}")
