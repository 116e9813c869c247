"""Filters of pictures, written out from their definitions: for small ones, with matrices of all pairs of pixels."""

import numpy as np


def places(shape):
    """Return row and column of each pixel, of shape (n, 2)."""
    return np.indices(shape).reshape(2, -1).T


def squared_distances(rows):
    """Return the squared distances of all pairs of rows, of shape (n, n)."""
    return ((rows[:, None] - rows) ** 2).sum(-1)


def patches(picture, weight):
    """Return each pixel's patch as a row, times the roots of the weights; the picture is mirrored about its border."""
    half = len(weight) // 2
    around = np.pad(picture, half, mode="reflect")
    rows = [around[i:i + picture.shape[0], j:j + picture.shape[1]].ravel() * np.sqrt(weight[i] * weight[j])
            for i in range(len(weight)) for j in range(len(weight))]
    return np.stack(rows, 1)


def nonlocal_matrix(picture, weight, search, h):
    """Return the kernel matrix of non-local means, exp(−d²/h²) in windows that end at the border."""
    near = np.abs(places(picture.shape)[:, None] - places(picture.shape)).max(-1) <= search
    return np.exp(-squared_distances(patches(picture, weight)) / h**2) * near


def gaussian_weights(side):
    """Return scikit-image's weights of a patch along one axis: a Gaussian of (side − 1)/4 pixels."""
    weight = np.exp(-8 * (np.arange(side) - side // 2) ** 2 / (side - 1) ** 2)
    return weight / weight.sum()


def bilateral_matrix(picture, sigma_color, sigma_spatial):
    """Return the kernel matrix of the bilateral filter with a window as wide as the picture."""
    colour = squared_distances(picture.reshape(-1, 1)) / sigma_color**2
    return np.exp(-0.5 * (colour + squared_distances(places(picture.shape)) / sigma_spatial**2))


def averaged(matrix, values):
    """Return the local means that a kernel matrix gives, in the shape of the values."""
    return (matrix @ values.ravel() / matrix.sum(1)).reshape(values.shape)


def balanced(matrix, steps=2000):
    """Return the doubly stochastic D K D, by dividing rows and columns in turn."""
    right = np.ones(len(matrix))
    for _ in range(steps):
        left = 1 / (matrix @ right)
        right = 1 / (matrix.T @ left)
    return left[:, None] * matrix * right


def flow(steepness):
    """Return (NF u − u)/(ρ² u″) of a neighbourhood filter with a Gaussian of grey levels, by quadrature.

    For u = u′δ + u″δ²/2 and small u″ the weights are g(δ)(1 − u′u″δ³/(2h²)) with g = exp(−u′²δ²/(2h²)), and the mean
    over |δ| < ρ of u is u″(½⟨δ²⟩ − u′²⟨δ⁴⟩/(2h²)), where ⟨ ⟩ is the mean with the weight g. With δ = ρ t it depends on
    the steepness s = u′ρ/h alone.
    """
    t, weight = np.polynomial.legendre.leggauss(80)
    s = np.asarray(steepness, dtype=float)[..., None]
    density = weight * np.exp(-0.5 * (s * t) ** 2)
    second, fourth = ((density * t**power).sum(-1) / density.sum(-1) for power in (2, 4))
    return 0.5 * second - 0.5 * s[..., 0] ** 2 * fourth
