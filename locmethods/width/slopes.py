"""The slope of the leave-one-out error in the logarithms of Gaussian widths: a local mean of a few more values.

With weights wₖ, their sum W and the leave-one-out mean m = Σ wₖ yₖ / W at xᵢ, and with ∂wₖ/∂log h = wₖ ‖xᵢ − xₖ‖²/h²,

    ∂m/∂log h = Σ wₖ ‖xᵢ − xₖ‖² (yₖ − m) / (W h²),

and the squared distance, multiplied out, leaves local means of x, ‖x‖², x y and ‖x‖² y.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from locmethods.kernels.algebra import Product, PullBack, Scaled
from locmethods.kernels.columns import Columns
from locmethods.kernels.names import names_by_place
from locmethods.kernels.radial import Gaussian
from locmethods.means import local_mean
from locmethods.width.rules import parts_of


def gaussians(kernel, points):
    """Return {name of a bandwidth: what its Gaussian compares} of the Gaussians that are factors of a kernel.

    Parameters
    ----------
    kernel : Kernel
    points : ndarray of shape (n_samples, n_features)
    """
    names = names_by_place(kernel)
    return {names[place]: compared for place, compared in _gaussians(kernel, points, "").items()}


def _gaussians(kernel, points, prefix):
    """Return what `gaussians` does, with the bandwidths by their place; `prefix` leads to the kernel."""
    if type(kernel) is Gaussian:
        return {f"{prefix}bandwidth": points}
    if not isinstance(kernel, Columns | PullBack | Product | Scaled):
        return {}
    if isinstance(kernel, PullBack) and kernel.key_features is not None:
        return {}
    found = {}
    for part in parts_of(kernel, points, prefix):
        found |= _gaussians(*part)
    return found


class ErrorAndSlope:
    """The leave-one-out error of a local mean, and its slope in the logarithms of some Gaussian bandwidths.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    compared : dict of str to ndarray
        From `gaussians`, the bandwidths that are searched alone.
    empty : str
    """

    def __init__(self, X, y, compared, empty):
        self.X, self.y, self.empty = X, y.reshape(len(y), -1), empty
        # About their middle, so that nothing is lost when squares are multiplied out.
        self.points = {name: points - points.mean(axis=0) for name, points in compared.items()}
        columns = [self.y]
        for points in self.points.values():
            square = np.sum(points**2, axis=1, keepdims=True)
            parts = [points, square]
            columns += parts + [self._times_y(part) for part in parts]
        self.columns = np.hstack(columns)

    def _times_y(self, part):
        """Return the products of columns with each output, of shape (n_samples, columns · n_outputs)."""
        return (part[:, :, None] * self.y[:, None, :]).reshape(len(part), -1)

    def __call__(self, kernel):
        """Return the error and its slopes, of shape (n_bandwidths,), under a kernel."""
        outputs = self.y.shape[1]
        means = local_mean(self.X, self.X, self.columns, kernel=kernel.hollow(), empty=self.empty)
        fit, at, slopes = means[:, :outputs], outputs, []
        residual = self.y - fit
        widths = kernel.get_params()
        for name, points in self.points.items():
            place, square, by_place, by_square = self._cut(means, at, points.shape[1])
            own = np.sum(points**2, axis=1, keepdims=True)
            # Σ w ‖xᵢ − xₖ‖² y / W and Σ w ‖xᵢ − xₖ‖² / W
            moved = own * fit - 2 * np.einsum("nd,ndo->no", points, by_place) + by_square
            spread = own - 2 * np.sum(points * place, axis=1, keepdims=True) + square
            change = (moved - fit * spread) / widths[name] ** 2
            slopes.append(-2 * np.mean(residual * change))
            at += (points.shape[1] + 1) * (1 + outputs)
        return float(np.mean(residual**2)), np.array(slopes)

    def _cut(self, means, at, d):
        """Return the local means of x, ‖x‖², x y and ‖x‖² y, the third of shape (n_samples, d, n_outputs)."""
        outputs = self.y.shape[1]
        ends = np.cumsum([at, d, 1, d * outputs, outputs])
        place, square, by_place, by_square = (means[:, a:b] for a, b in pairwise(ends))
        return place, square, by_place.reshape(len(means), d, outputs), by_square
