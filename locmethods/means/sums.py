"""The sum behind a local mean, in pieces that merge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from locmethods.arrays.door import Door
from locmethods.arrays.namespace import log_or_nothing, namespace
from locmethods.arrays.types import Array
from locmethods.engines.task import Sums, joined


class LocalSum:
    """Σ K v and log Σ K of each query over one set of keys; ``a + b`` joins two disjoint sets.

    The numerator is kept divided by exp(log_scale), so pieces merge to the right answer where every plain
    weight underflows. Unpacks into ``numerator, log_normaliser``.

    Attributes
    ----------
    scaled, total, log_scale : array or Tensor
        Σ K v and Σ K divided by exp(log_scale), and log_scale, in the score type.

    Examples
    --------
    >>> from locmethods import local_sum
    >>> from locmethods.kernels import Flat
    >>> left = local_sum([[0.0]], [[-1.0]], [1.0], kernel=Flat(2.0))
    >>> right = local_sum([[0.0]], [[1.0], [5.0]], [3.0, 7.0], kernel=Flat(2.0))
    >>> (left + right).mean()
    array([2.])
    """

    def __init__(self, sums: Any, door: Door) -> None:
        self.scaled, self.total, self.log_scale = sums
        self._door = door

    @property
    def numerator(self) -> Array:
        """Σᵢ K(q, kᵢ) vᵢ, of shape (..., n_queries[, n_outputs]); zero where it underflows."""
        xp = namespace(self.total)
        with np.errstate(over="ignore", invalid="ignore"):
            root = xp.exp(self.log_scale / 2)[..., None]  # twice: the product may be a number where its factor is none
            numerator = self.scaled * root * root
        return self._door.leave_outputs(xp.where(self.scaled == 0, 0.0, numerator))  # also where weights are infinite

    @property
    def log_normaliser(self) -> Array:
        """log |Σᵢ K(q, kᵢ)|, of shape (..., n_queries); −inf where no key has weight."""
        return self._door.leave(log_or_nothing(abs(self.total)) + self.log_scale)

    @property
    def sign(self) -> Array:
        """The sign of Σᵢ K(q, kᵢ): 1 for a localization kernel with a key in reach, 0 where nothing is."""
        return self._door.leave(namespace(self.total).sign(self.total))

    def mean(self) -> Array:
        """Return numerator / normaliser; NaN where no key has weight, or signed weights cancel exactly."""
        nothing, xp = (self.total == 0)[..., None], namespace(self.total)
        quotient = self.scaled / xp.where(nothing, 1.0, self.total[..., None])
        return self._door.leave_outputs(xp.where(nothing, math.nan, quotient))

    def __iter__(self):
        return iter((self.numerator, self.log_normaliser))

    def __add__(self, other: LocalSum) -> LocalSum:
        """Return the sum over the keys of both pieces.

        Raises
        ------
        TypeError
            If `other` is not a LocalSum.
        ValueError
            If the pieces belong to different numbers of queries or outputs.
        """
        if not isinstance(other, LocalSum):
            raise TypeError(f"a LocalSum merges with a LocalSum only, got {type(other).__name__}")
        if self.scaled.shape != other.scaled.shape:
            raise ValueError(f"pieces must have the same queries and outputs, got shapes {tuple(self.scaled.shape)} "
                             f"and {tuple(other.scaled.shape)}")
        mine, theirs = (Sums(piece.scaled, piece.total, piece.log_scale) for piece in (self, other))
        return LocalSum(joined(mine, theirs)[0], self._door)

    def __repr__(self):
        return f"LocalSum(queries={tuple(np.shape(self.total))}, outputs={self.scaled.shape[-1]})"
