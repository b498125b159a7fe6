"""The one way a page states a checked result.

A witness compares a measured value with an answer that does not come from the
same computation. It says so in one plain line, raises if they disagree, and
leaves a machine-readable record in the cell's output, from which the book's
*Results* page is made.
"""

from dataclasses import asdict, dataclass
from html import escape

import numpy as np

from dsnnlib._checks import shown

RECORD = "dsnnlib-witness"  # the key of a record in its output's metadata
RELATIONS = {"equal": "expected", "at least": "at least", "at most": "at most"}


class WitnessError(AssertionError):
    """A measured value contradicts its statement."""


@dataclass(frozen=True)
class Record:
    """A passed check. Of arrays, the entry that comes closest to failing."""

    id: str
    measured: float
    relation: str
    expected: float
    error: float
    tolerance: float
    why: str
    entries: int

    def __str__(self):
        many = f" (worst of {self.entries})" if self.entries > 1 else ""
        return (
            f"{self.id}: measured {self.measured:.10g}, {RELATIONS[self.relation]} "
            f"{self.expected:.10g}, error {self.error:.2g}, tolerance {self.tolerance:.2g}{many}"
        )

    def html(self):
        """The line as HTML, with the anchor that the *Results* page links to."""
        anchor = "witness-" + self.id.replace(".", "-")
        why = f" <span class='witness-why'>({escape(self.why)})</span>" if self.why else ""
        name, rest = str(self).split(": ", 1)
        return (
            f'<div class="witness" id="{escape(anchor)}"><span class="witness-mark">Witness</span> '
            f"<code>{escape(name)}</code> {escape(rest)}{why}</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/html": self.html()}, {RECORD: asdict(self)}


def check(id, **comparison):
    """State a checked result on a page: `compare`, then show the record in one line.

    Examples
    --------
    >>> check("demo.sum", measured=0.1 + 0.2, expected=0.3, atol=1e-15, why="rounding")
    demo.sum: measured 0.3, expected 0.3, error 5.6e-17, tolerance 1e-15
    """
    record = compare(id, **comparison)
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(record)
    else:
        (display if get_ipython() else print)(record)


def compare(
    id, *, measured, expected=None, at_least=None, at_most=None, atol=0.0, rtol=0.0, why=""
):
    """Compare what was measured with its independent answer; raise if they disagree.

    Parameters
    ----------
    id : str
        The statement's name, as in the book's concordance, for example "uv.two-cycle".
    measured : number or array
        What the experiment found.
    expected, at_least, at_most : number or array
        Exactly one of them: the independent answer, or a proved bound.
        Broadcast against `measured`.
    atol, rtol : float or array
        Tolerance atol + rtol * abs(expected), not negative. The default asks for equality.
    why : str
        Where the tolerance comes from (order of a method, standard errors, rounding).

    Returns
    -------
    Record
        With the error (how far `measured` is from `expected`, or beyond the bound).

    Raises
    ------
    WitnessError
        If the error exceeds the tolerance, or anything measured is not a number.
    ValueError
        If the call itself makes no sense.

    Examples
    --------
    >>> compare("demo.sum", measured=0.4, expected=0.3, atol=0.01)
    Traceback (most recent call last):
    dsnnlib.witness.WitnessError: demo.sum: measured 0.4, expected 0.3, error 0.1, tolerance 0.01
    """
    answers = {"equal": expected, "at least": at_least, "at most": at_most}
    given = {relation: value for relation, value in answers.items() if value is not None}
    if not isinstance(id, str) or not id:
        raise ValueError(f"id is {id!r}; it must be the statement's name")
    if len(given) != 1:
        raise ValueError("give exactly one of expected, at_least and at_most")
    atol, rtol = _floats("atol", atol), _floats("rtol", rtol)
    for name, value in (("atol", atol), ("rtol", rtol)):
        if not (np.isfinite(value) & (value >= 0)).all():
            raise ValueError(f"{name} is {shown(value)}; it must be finite and not negative")
    ((relation, answer),) = given.items()
    answer = _floats(RELATIONS[relation].replace(" ", "_"), answer)
    record = _compare(id, relation, _floats("measured", measured), answer, atol, rtol, why)
    if not record.error <= record.tolerance:
        raise WitnessError(str(record))
    return record


def glue(**values):
    """Give computed values a name that the page's prose can use; nothing outside a build.

    Numbers of numpy become Python's own, so that the page can format them.
    """
    try:
        from myst_nb import glue as myst_glue
    except ImportError:
        return
    for name, value in values.items():
        myst_glue(name, value.item() if hasattr(value, "item") else value, display=False)


def _compare(id, relation, measured, answer, atol, rtol, why):
    try:
        measured, answer, tolerance = np.broadcast_arrays(
            measured, answer, atol + rtol * abs(answer)
        )
    except ValueError:
        raise ValueError(
            f"measured has shape {measured.shape}; it, expected, atol and rtol must fit each other"
        ) from None
    if not (np.isfinite(measured) & np.isfinite(answer) & np.isfinite(tolerance)).all():
        raise WitnessError(f"{id}: NaN or infinity among what was measured or expected")
    gap = (measured - answer).ravel()
    violation = {"equal": abs(gap), "at least": -gap, "at most": gap}[relation]
    tolerance = tolerance.ravel()
    worst = int(np.argmax(violation - tolerance))
    return Record(
        id,
        float(measured.flat[worst]),
        relation,
        float(answer.flat[worst]),
        max(float(violation[worst]), 0.0),
        float(tolerance[worst]),
        why,
        gap.size,
    )


def _floats(name, value):
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    result = np.asarray(value)
    if result.size == 0 or result.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {shown(value)}; it must be a number or a non-empty array")
    return result.astype(float)
