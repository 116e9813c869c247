"""The kernels by name, what a kernel of one's own is made of, and how kernels combine.

Each kernel is its formula; ``a * b``, ``a + b``, ``c * a``, ``a.on(features)``, ``a.hollow()`` and ``a.where(mask)``
combine them, and the engines sum them.
"""

from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import root
from locmethods.kernels.inner import Exponential, Linear, Polynomial
from locmethods.kernels.radial import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Flat,
    Gaussian,
    Laplace,
    Radial,
    Triangular,
    Tricube,
)
from locmethods.kernels.rank import NearestNeighbors
from locmethods.kernels.singular import Shepard

__all__ = ["Biweight", "Cauchy", "Epanechnikov", "Exponential", "Flat", "Gaussian", "Kernel", "Laplace", "Linear",
           "NearestNeighbors", "Polynomial", "Radial", "Shepard", "Triangular", "Tricube", "root"]
