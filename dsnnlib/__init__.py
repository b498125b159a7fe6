"""The laboratory of the book: every statement has an experiment here that could have failed.

The subpackages mirror the parts of the book. Importing this package, or any
module that does not need derivatives, does not import torch.
"""

__version__ = "0.1.0"
