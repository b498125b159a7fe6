"""Worked models of part 3, one a file: a loss with every closed form that is known of it.

Tests and pages use the same objects, so a closed form is written once.
"""

from dsnnlib.training.landscapes.bent_valley import BentValley
from dsnnlib.training.landscapes.diagonal_network import DiagonalNetwork
from dsnnlib.training.landscapes.double_well import DoubleWell
from dsnnlib.training.landscapes.even_product import LOG_COSH, SQUARE_ROOT, EvenProduct
from dsnnlib.training.landscapes.gradient_laws import GaussianGradient, UniformGradient
from dsnnlib.training.landscapes.gradient_sets import OrthogonalGradients, TwoGradients
from dsnnlib.training.landscapes.least_squares import LeastSquares
from dsnnlib.training.landscapes.product import Product
from dsnnlib.training.landscapes.relu_pair import ReluPair
from dsnnlib.training.landscapes.self_stabilisation import SelfStabilisation
from dsnnlib.training.landscapes.singular import SingularInterpolation, SingularWell
from dsnnlib.training.landscapes.two_samples import TwoSamples, cantor_function
from dsnnlib.training.landscapes.weight_product import WeightProduct

__all__ = [
    "LOG_COSH",
    "SQUARE_ROOT",
    "BentValley",
    "DiagonalNetwork",
    "DoubleWell",
    "EvenProduct",
    "GaussianGradient",
    "LeastSquares",
    "OrthogonalGradients",
    "Product",
    "ReluPair",
    "SelfStabilisation",
    "SingularInterpolation",
    "SingularWell",
    "TwoGradients",
    "TwoSamples",
    "UniformGradient",
    "WeightProduct",
    "cantor_function",
]
