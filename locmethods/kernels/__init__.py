"""The kernels by name, and how they combine."""

from locmethods.kernels.named import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Kernel,
    Laplace,
    Linear,
    NearestNeighbors,
    Polynomial,
    Shepard,
    Triangular,
    Tricube,
)

__all__ = ["Biweight", "Cauchy", "Epanechnikov", "Exponential", "Flat", "Gaussian", "Kernel", "Laplace", "Linear",
           "NearestNeighbors", "Polynomial", "Shepard", "Triangular", "Tricube"]
