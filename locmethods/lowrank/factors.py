"""What a low-rank approximation is made of, and what may be asked of it without its matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.estimators import FLOATS, check_array

__all__ = ["Diagnostics", "LowRank"]

BLOCK = 1 << 22  # entries of the approximation that are looked at together: 32 MiB


class Diagnostics(NamedTuple):
    """What to look at before a low-rank approximation is trusted.

    Attributes
    ----------
    condition : float
        Of what was inverted: the block where the chosen rows and columns meet ("skeleton"), or the columns and the
        rows, whichever is worse ("optimal"). Beyond 10⁸ or so digits are lost, and directions below `rcond` were left
        out.
    coherence : float
        (n/r) maxᵢ ‖Qᵢ‖², with Q an orthonormal basis of the approximation's columns, or of its rows if that is more:
        1 where all rows take an equal part in it, n/r where one has a direction to itself, which a choice by chance
        must meet.
    smallest_entry : float
        Where it is negative, the approximation is no localization kernel, and its means may leave the range of their
        values.
    smallest_row_sum : float
        Where it is not positive, there is no mean.

    Examples
    --------
    >>> from locmethods.lowrank import nystrom
    >>> nystrom([[1.0, 0.0], [0.0, 4.0]], 1, selection="norm", random_state=0).diagnostics()
    Diagnostics(condition=1.0, coherence=2.0, smallest_entry=0.0, smallest_row_sum=0.0)
    """

    condition: float
    coherence: float
    smallest_entry: float
    smallest_row_sum: float


@dataclass(frozen=True, eq=False, repr=False)
class LowRank:
    """M ≈ left · right, made of chosen rows and columns of M by `cur`, `interpolative` or `nystrom`.

    `approximation @ values` multiplies it by a vector or a matrix in r(n + m) steps a column.

    Attributes
    ----------
    left, right : ndarray of shapes (n, k) and (k, m)
        Factors that are safe to multiply, k ≤ r.
    columns : ndarray of shape (r,)
        The columns of M that were chosen, C = M[:, columns].
    rows : ndarray of shape (r,) or None
        The rows, R = M[rows]; None where rows are not used.
    core : ndarray of shape (r, r) or None
        U in M ≈ C U R; None where there are no rows.
    condition : float
        As in `Diagnostics`.

    Examples
    --------
    >>> from locmethods.lowrank import cur
    >>> found = cur([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], 1)
    >>> found.columns, found.rows
    (array([2]), array([1]))
    >>> found.matrix().round(9)
    array([[1., 2., 3.],
           [2., 4., 6.]])
    >>> found.row_sums().round(9)
    array([ 6., 12.])
    """

    left: NDArray
    right: NDArray
    columns: NDArray
    rows: NDArray | None
    core: NDArray | None
    condition: float

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix, (n, m)."""
        return self.left.shape[0], self.right.shape[1]

    def __matmul__(self, values: ArrayLike) -> NDArray:
        """Return M̂ v, of shape (n,) or (n, k), for values of shape (m,) or (m, k).

        Raises
        ------
        ValueError
            If there is not one value a column, or a value is not finite.
        """
        values = check_array(values, dtype=FLOATS, ensure_2d=False, input_name="values")
        if values.ndim > 2 or len(values) != self.shape[1]:
            raise ValueError(f"values must have shape ({self.shape[1]},) or ({self.shape[1]}, k), one a column, got "
                             f"shape {values.shape}")
        return self.left @ (self.right @ values)

    def row_sums(self) -> NDArray:
        """Return M̂ 1, of shape (n,): what a local mean divides by."""
        return self.left @ self.right.sum(1)

    def matrix(self) -> NDArray:
        """Return M̂ itself, of shape (n, m), for small problems."""
        return self.left @ self.right

    def diagnostics(self) -> Diagnostics:
        """Return what says whether it may be trusted; all entries are looked at, some rows at a time."""
        step = max(1, BLOCK // self.shape[1])
        smallest = min(float((self.left[first:first + step] @ self.right).min())
                       for first in range(0, self.shape[0], step))
        return Diagnostics(self.condition, max(_coherence(self.left), _coherence(self.right.T)), smallest,
                           float(self.row_sums().min()))

    def __repr__(self):
        return f"LowRank(shape={self.shape}, rank={self.left.shape[1]}, condition={self.condition:.3g})"


def _coherence(factor):
    """Return (n/k) maxᵢ ‖Qᵢ‖², with Q an orthonormal basis of the columns of (n, k)."""
    basis, sizes, _ = np.linalg.svd(factor, full_matrices=False)
    basis = basis[:, sizes > len(factor) * np.finfo(factor.dtype).eps * sizes.max(initial=0.0)]
    n, k = basis.shape
    return float(n / k * (basis**2).sum(1).max()) if k else 0.0
