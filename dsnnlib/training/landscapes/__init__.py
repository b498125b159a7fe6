"""Worked models of part 3, one a file: a loss with every closed form that is known of it.

Tests and pages use the same objects, so a closed form is written once.
"""

from dsnnlib.training.landscapes.bent_valley import BentValley
from dsnnlib.training.landscapes.double_well import DoubleWell
from dsnnlib.training.landscapes.even_product import LOG_COSH, SQUARE_ROOT, EvenProduct
from dsnnlib.training.landscapes.least_squares import LeastSquares
from dsnnlib.training.landscapes.product import Product
from dsnnlib.training.landscapes.self_stabilisation import SelfStabilisation
from dsnnlib.training.landscapes.two_samples import TwoSamples, cantor_function

__all__ = [
    "LOG_COSH",
    "SQUARE_ROOT",
    "BentValley",
    "DoubleWell",
    "EvenProduct",
    "LeastSquares",
    "Product",
    "SelfStabilisation",
    "TwoSamples",
    "cantor_function",
]
