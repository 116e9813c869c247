"""What a kernel does as a matrix: spectra, stationary laws, energies and generators."""

from __future__ import annotations

import numpy as np

from locmethods.means import local_weights


def kernel_eigenvalues(kernel, points):
    """Return the eigenvalues of a symmetric kernel's matrix, ascending; a negative one means: not Mercer.

    Parameters
    ----------
    kernel : Kernel
        Symmetric.
    points : ndarray of shape (n, n_features)

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If the matrix is not symmetric.
    """
    matrix = kernel(points)
    if not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0):
        raise ValueError("the kernel's matrix must be symmetric, and it is not")
    return np.linalg.eigvalsh(matrix)


def transition_eigenvalues(kernel, points):
    """Return the eigenvalues of K̃ = D⁻¹K, complex, by decreasing modulus.

    Parameters
    ----------
    kernel : Kernel
        A localization kernel, symmetric or not.
    points : ndarray of shape (n, n_features)
    """
    values = np.linalg.eigvals(local_weights(points, points, kernel=kernel)).astype(complex)
    return values[np.argsort(-np.abs(values), kind="stable")]


def stationary_law(transition):
    """Return the probability row π with πK̃ = π, from the left eigenvector for the eigenvalue one.

    Parameters
    ----------
    transition : ndarray of shape (n, n)
        Rows sum to one; irreducible.
    """
    values, vectors = np.linalg.eig(transition.T)
    law = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    return law / law.sum()


def dirichlet_energy(weights, function):
    """Return fᵀ(D − K)f = ½ Σᵢⱼ Kᵢⱼ (fᵢ − fⱼ)² [chung1997]_.

    Parameters
    ----------
    weights : ndarray of shape (n, n)
        A symmetric kernel matrix.
    function : ndarray of shape (n,) or (n, k)
        One function a column.

    Returns
    -------
    float or ndarray of shape (k,)
    """
    return (function * (weights.sum(1) * function.T - (weights @ function).T).T).sum(0)


def generator(function, density, at, bandwidth, *, power=0.0):
    """Return (K̃ₕ f − f)/h² at points of the line, for a whole population, by quadrature.

    K̃ₕ averages with the Gaussian of bandwidth h over the density p divided by (p ∗ K)^power, as diffusion maps
    do [coifman2006]_ [hein2007]_. As h → 0 it tends to ½f″ + (1 − power) f′p′/p.

    Parameters
    ----------
    function, density : callable
        f and p, of arrays.
    at : float
    bandwidth : float
        h, in the units of the line.
    power : float, default=0.0
        0 keeps the density's pull, 1 removes it.
    """
    # Nodes 24 to a bandwidth out to nine bandwidths: the trapezoid rule is exact here to rounding.
    step = np.linspace(-9, 9, 433)

    def smoothed(place):
        bell = np.exp(-(step**2) / 2)
        return density(place[..., None] + bandwidth * step) @ bell / bell.sum()

    place = at + bandwidth * step
    weight = np.exp(-(step**2) / 2) * density(place) / smoothed(place) ** power
    return (weight @ function(place) / weight.sum() - function(at)) / bandwidth**2
