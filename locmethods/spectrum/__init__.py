"""The spectrum of averaging: what a local mean keeps of a function, what it takes away, and how fast.

A local mean at the sample itself is a matrix, P = D⁻¹K. For a symmetric kernel it is a symmetric matrix in another
basis, so that its eigenvalues are real and its eigenfunctions form a basis: diffusion maps [coifman2006]_ and spectral
clustering [shi2000]_ [vonluxburg2007]_ are read off from the leading ones.
"""

from locmethods.spectrum.decomposition import Spectrum
from locmethods.spectrum.estimators import DiffusionMap, SpectralClustering, indicator_rotation

__all__ = ["DiffusionMap", "SpectralClustering", "Spectrum", "indicator_rotation"]
