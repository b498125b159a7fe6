"""Two samples that disagree: stochastic gradient descent as an iterated function system."""

import numpy as np

from dsnnlib._checks import array, count, positive


class TwoSamples:
    r"""The sample losses (theta - 1)^2/2 and (theta + 1)^2/2, drawn with probability 1/2 each.

    A step is :math:`\theta^+=(1-\eta)\theta+\eta\xi` with a fair sign xi. The mean loss has its
    minimum at 0. For 0 < eta < 2 the invariant law is that of
    :math:`\eta\sum_k(1-\eta)^k\xi_k`, a Bernoulli convolution.
    """

    def __init__(self, eta):
        self.eta = positive("eta", eta)
        if self.eta >= 2:
            raise ValueError(f"eta is {eta}; it must be below 2, else there is no invariant law")

    @property
    def variance(self):
        """Of the invariant law: eta / (2 - eta)."""
        return self.eta / (2 - self.eta)

    @property
    def reach(self):
        """The largest point of the support: 1 for eta <= 1, else eta / (2 - eta)."""
        return self.eta / (1 - abs(1 - self.eta))

    def sample(self, size, *, steps, rng):
        """Points of so many independent chains after so many steps from 0, a (size,) array."""
        theta = np.zeros(count("size", size))
        for _ in range(count("steps", steps)):
            theta += self.eta * (rng.choice((-1.0, 1.0), size=size) - theta)
        return theta

    def characteristic(self, t, factors=200):
        r"""E exp(i t theta) of the invariant law, the product of cos(t eta (1-eta)^k) over k."""
        scales = self.eta * (1 - self.eta) ** np.arange(count("factors", factors))
        return np.cos(np.multiply.outer(array("t", t), scales)).prod(-1)


def cantor_function(x, digits=40):
    """Distribution function of the middle-third Cantor law on [0, 1], entry by entry.

    Reads the ternary digits of x up to the first 1 and takes them, halved, as binary digits;
    cut after so many digits, with an error of 2^-digits.
    """
    x = np.clip(array("x", x), 0, 1)
    value, open_ = np.where(x == 1, 1.0, 0.0), x < 1
    for k in range(1, count("digits", digits) + 1):
        digit = np.floor(3 * x)
        x = 3 * x - digit
        value += open_ * np.minimum(digit, 1) * 0.5**k
        open_ &= digit != 1
    return value
