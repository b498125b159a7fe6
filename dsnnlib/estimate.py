"""An estimate and its error: what a Monte-Carlo computation returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean over independent replicas.

    Attributes
    ----------
    value : array
        The estimate.
    standard_error : array
        Of the same shape, in the same unit.
    """

    value: np.ndarray
    standard_error: np.ndarray


def mean(replicas):
    """`Estimate` of the expectation from independent replicas along the first axis.

    A replica of -infinity makes the value -infinity, with standard error 0: the random
    variable does not have a finite mean.

    Raises
    ------
    ValueError
        If there are fewer than two replicas.
    """
    replicas = np.asarray(replicas, dtype=float)
    if replicas.ndim == 0 or len(replicas) < 2:
        raise ValueError("replicas holds fewer than two values; an error needs at least two")
    value = replicas.mean(axis=0)
    spread = np.where(np.isfinite(replicas), replicas, 0).std(axis=0, ddof=1)
    error = np.where(np.isfinite(value), spread / len(replicas) ** 0.5, 0.0)
    return Estimate(value, error)
