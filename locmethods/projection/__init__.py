"""Random projections: few dimensions that keep all distances, and what a local mean loses by them.

A matrix that is drawn without a look at the data keeps each squared distance to a share of about √(2/k), however many
features there were; k is the number of its rows [johnson1984]_. `dimension` says how many rows keep all distances of n
points, by the constants that are in use and exactly, `RandomProjection` draws and applies the matrix, and
`kernel_error` says how far a Gaussian kernel can move by it.
"""

from locmethods.projection.bounds import dimension, failure_probability, kernel_error
from locmethods.projection.distortions import Distortion, distortion
from locmethods.projection.estimator import RandomProjection
from locmethods.projection.hadamard import hadamard_transform

__all__ = ["Distortion", "RandomProjection", "dimension", "distortion", "failure_probability", "hadamard_transform",
           "kernel_error"]
