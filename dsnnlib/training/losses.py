"""A loss written in torch, with the derivatives that the dynamics needs, for numpy arrays."""

import numpy as np
import torch

from dsnnlib._checks import array


class TorchLoss:
    """Wrap ``function(theta)``, from a (D,) tensor to a tensor that holds one number.

    All methods take (D,) arrays of numpy and compute in double precision.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, theta):
        """L(theta), a float."""
        return float(self._value(_tensor(theta)))

    def gradient(self, theta):
        """The (D,) array of first derivatives."""
        theta = _tensor(theta).requires_grad_()
        return torch.autograd.grad(self._value(theta), theta)[0].numpy()

    def hessian(self, theta):
        """The symmetric (D, D) array of second derivatives."""
        hessian = torch.func.jacrev(torch.func.grad(self._value))(_tensor(theta)).detach()
        return ((hessian + hessian.T) / 2).numpy()

    def along(self, theta, v):
        """Third derivatives D^3 L[v, v, .], a (D,) array, and the fourth one D^4 L[v, v, v, v]."""
        theta, v = _tensor(theta), _tensor(v, "v")
        if v.shape != theta.shape:
            raise ValueError(f"v has {len(v)} entries; it must have {len(theta)}")

        def second(theta, s):
            return torch.func.grad(torch.func.grad(lambda t: self._value(theta + t * v)))(s)

        zero = torch.zeros((), dtype=theta.dtype)
        third = torch.func.grad(second)(theta, zero)
        fourth = torch.func.grad(torch.func.grad(second, 1), 1)(theta, zero)
        return third.detach().numpy(), float(fourth)

    def _value(self, theta):
        value = self.function(theta)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            raise ValueError("function must return a tensor that holds one number")
        return value.reshape(())


def _tensor(value, name="theta"):
    return torch.from_numpy(np.array(array(name, value, ndim=1)))
