"""What a projection did to the distances of a sample."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.numerics.units import exponent_of

__all__ = ["Distortion", "distortion"]

ROWS = 32  # points whose distances to all later ones are held at a time


class Distortion(NamedTuple):
    """By which shares the squared distances of a sample have changed.

    Attributes
    ----------
    lowest, highest : float
        The extremes of ‖zᵢ − zⱼ‖²/‖xᵢ − xⱼ‖² − 1 over all pairs.
    rms : float
        Its root mean square.
    pairs : int
        How many there are; pairs of equal points, which no linear map parts, do not count.

    Examples
    --------
    >>> from locmethods.projection import distortion
    >>> distortion([[0.0, 0.0], [3.0, 4.0]], [[0.0], [4.0]]).lowest  # 16/25 − 1
    -0.36
    """

    lowest: float
    highest: float
    rms: float
    pairs: int

    @property
    def worst(self) -> float:
        """The larger of the two extremes' sizes: the ε that was kept."""
        return max(-self.lowest, self.highest)


def distortion(X: ArrayLike, Z: ArrayLike) -> Distortion:
    """Compare the squared distances of all pairs before and after a map.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points, at least two of them different.
    Z : array-like of shape (n_samples, n_components)
        What became of them.

    Returns
    -------
    Distortion

    Raises
    ------
    ValueError, TypeError
        If the arrays hold NaN, differ in length, or no two points differ.

    Examples
    --------
    >>> from locmethods.projection import distortion
    >>> distortion([[0.0], [1.0], [1.0]], [[0.0], [2.0], [2.0]])
    Distortion(lowest=3.0, highest=3.0, rms=3.0, pairs=2)
    """
    X = check_array(X, dtype=FLOATS, input_name="X")
    Z = check_array(Z, dtype=FLOATS, input_name="Z")
    if len(X) != len(Z):
        raise ValueError(f"X and Z must have one row a point each, got {len(X)} and {len(Z)} rows")
    before_exponent, after_exponent = exponent_of(X), exponent_of(Z)
    X, Z = np.ldexp(X.astype(np.float64), -before_exponent), np.ldexp(Z.astype(np.float64), -after_exponent)
    lowest, highest, total, pairs = math.inf, -math.inf, 0.0, 0
    for first in range(0, len(X), ROWS):
        before = cdist(X[first:first + ROWS], X[first:], "sqeuclidean")
        after = cdist(Z[first:first + ROWS], Z[first:], "sqeuclidean")
        later = np.triu(before > 0, k=1)
        if later.any():
            with np.errstate(over="ignore"):  # a share that no float holds is infinite
                change = np.ldexp(after[later] / before[later], 2 * (after_exponent - before_exponent)) - 1
                lowest, highest = min(lowest, change.min()), max(highest, change.max())
                total, pairs = total + change @ change, pairs + len(change)
    if pairs == 0:
        raise ValueError(f"X must hold two different points, got {len(X)} that are all equal")
    return Distortion(float(lowest), float(highest), math.sqrt(total / pairs), pairs)
