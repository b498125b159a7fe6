"""Worked models of part 3, one a file: a loss with every closed form that is known of it.

Tests and pages use the same objects, so a closed form is written once.
"""

from dsnnlib.training.landscapes.even_product import LOG_COSH, SQUARE_ROOT, EvenProduct
from dsnnlib.training.landscapes.gradient_laws import (
    GaussianGradient,
    OrthogonalGradients,
    TwoGradients,
    UniformGradient,
)
from dsnnlib.training.landscapes.product import Product
from dsnnlib.training.landscapes.relu_pair import ReluPair
from dsnnlib.training.landscapes.self_stabilisation import SelfStabilisation

__all__ = [
    "LOG_COSH",
    "SQUARE_ROOT",
    "EvenProduct",
    "GaussianGradient",
    "OrthogonalGradients",
    "Product",
    "ReluPair",
    "SelfStabilisation",
    "TwoGradients",
    "UniformGradient",
]
