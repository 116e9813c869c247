"""Kernels of levels: what is near when a column holds categories, or grades in an order.

A point's columns are codes, whole numbers that stand for levels. Both kernels are K = aᵈ ρᴰ for d columns, where D is a
whole number: in how many columns two points differ, or by how many grades. Labels (strings, pandas categories) become
codes at the door, by the kernel's ``levels``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from locmethods.arrays.checks import as_number, check_count
from locmethods.arrays.levels import are_numbers, is_missing
from locmethods.arrays.levels import named as in_words
from locmethods.arrays.namespace import carries_grad, detached, like, namespace, to_numpy
from locmethods.arrays.types import Scalar
from locmethods.kernels.base import Kernel, as_parameter, short
from locmethods.kernels.bound import Bound, block, once, outer_shape, there
from locmethods.kernels.restricted import without_own

__all__ = ["Categorical", "Ordered"]


class OfLevels(Kernel):
    """A kernel of columns whose numbers stand for levels.

    Abstract: a subclass has ``bandwidth`` and ``levels``, and defines ``_logs(λ)``, log a and log ρ for
    λ > 0, and ``_apart(one, other)``, how far apart two codes are.
    """

    form = "levels"

    if TYPE_CHECKING:  # what a subclass has
        levels: Any

    @property
    def known(self) -> tuple[Any, ...] | None:
        """The levels as a tuple; None if they have not been given."""
        return None if self.levels is None else tuple(np.asarray(self.levels, dtype=np.object_).tolist())

    @property
    def count(self) -> int | None:
        """How many levels there are; None if nobody has said."""
        known = self.known
        return None if known is None else len(known)

    def labelled(self, n_features: int, name: str) -> dict[int, list[Kernel]]:
        return {j: [self] for j in range(n_features)}

    def _check_levels(self):
        if self.levels is None:
            return
        if isinstance(self.levels, str) or np.asarray(self.levels, dtype=object).ndim != 1 or not len(self.levels):
            raise TypeError(f"levels must be a list of at least one level, got {short(self.levels)}")
        known = self.known
        if any(map(is_missing, known)):
            raise ValueError(f"levels must have no missing label, got {in_words(known)}")
        try:
            # As numbers they must differ too: those beyond 2⁵³ would be rounded to one another.
            distinct = set(map(float, known)) if are_numbers(known) else set(known)
        except TypeError:
            raise TypeError(f"levels must be labels that can be looked up, got {in_words(known)}") from None
        if len(distinct) < len(known):
            raise ValueError(f"levels must be distinct, got {in_words(known)}")

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        if self.known is None and self._needs_levels():
            raise ValueError(f"{type(self).__name__} must know how many levels there are: give levels=[…] or n_levels")
        places = once(kept, self, keys, ("codes", self.known, self.count), lambda: self._codes(keys))
        mine = places if query is keys else self._codes(query)
        return without_own(LevelsBound(self, mine, places), hollow)

    def _needs_levels(self):
        return False

    def _codes(self, points):
        """Return points as whole numbers in the score type, once each is seen to stand for a level."""
        numbers, known = to_numpy(points), self.known
        if known is not None and are_numbers(known):
            order = np.argsort(np.array(known, dtype=float), kind="stable")
            levels = np.array(known, dtype=float)[order]
            place = np.searchsorted(levels, numbers).clip(0, len(levels) - 1)
            bad, what = levels[place] != numbers, f"one of the levels {in_words(known)}"
            codes = order[place].astype(np.float64)
        elif self.count is not None:
            bad = (numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= self.count)
            what = f"a code of a level, a whole number from 0 to {self.count - 1}"
            what += "" if known is None else f" for {in_words(known)}"
            codes = None
        else:
            bad, what, codes = numbers != np.floor(numbers), "a whole number, as it has no levels", None
        if bad.any():
            raise ValueError(f"what {type(self).__name__} compares must be {what}, got {numbers[bad][0].item()!r}")
        return detached(points) if codes is None else like(codes, points)


class Categorical(OfLevels):
    """K = 1 − λ if two levels are equal, λ/(c − 1) otherwise, for c levels without an order [aitchison1976]_.

    At λ = 0 only equal levels count, and a local mean is the mean of its cell; at λ = (c − 1)/c all levels count alike,
    and it is the mean of all. Of several columns with the same levels it is the product over the columns.

    The number c is a parameter, and is never counted from the keys: it would change with every block of keys, with the
    key that leave-one-out leaves out and with each fold, and the kernel with it. An estimator that is fitted on a data
    frame fills in what was not given: pandas' categories, or else the labels of the sample, sorted.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=0.1
        λ, from 0 to (c − 1)/c; a share of the weight, without a unit. Its gradient is zero at λ = 0.
    levels : list of c labels or numbers, optional
        The labels are known by them: strings, pandas categories and so on become codes, and a label that is none of
        them is an error. A numeric column holds the levels themselves if they are numbers, and codes 0 … c − 1 if
        they are not.
    n_levels : int, optional
        c, in the stead of `levels`, for a column of codes 0 … c − 1; beside them, at least as many, if there are levels
        that have no name.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above; when points are compared, if neither `levels` nor `n_levels` is given, or a
        point stands for no level.

    Examples
    --------
    >>> import numpy as np
    >>> import locmethods as lm
    >>> from locmethods.kernels import Categorical
    >>> towns, price = np.array(["Ulm", "Ulm", "Jena"]), [1.0, 3.0, 8.0]
    >>> lm.local_mean(np.array(["Ulm"]), towns, price, kernel=Categorical(0.0, levels=["Jena", "Ulm"]))
    array([2.])
    """

    def __init__(
        self,
        bandwidth: Scalar = 0.1,
        levels: Sequence[Any] | None = None,
        n_levels: int | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.levels = levels
        self.n_levels = n_levels
        self._check()

    def _check(self):
        self._check_levels()
        if self.n_levels is not None:
            check_count("n_levels", self.n_levels, 1 if self.levels is None else len(self.known))
        number, c = as_number("bandwidth", self.bandwidth), self.count
        if c is None and not 0 <= number < 1:
            raise ValueError(f"bandwidth must be at least 0 and at most (c − 1)/c for c levels, got {self.bandwidth!r}")
        if c is not None and not 0 <= number <= (c - 1) / c:
            raise ValueError(f"bandwidth must be at least 0 and at most (c − 1)/c = {(c - 1) / c:.6g} for c = {c} "
                             f"levels, got {self.bandwidth!r}")

    @property
    def count(self) -> int | None:
        """How many levels there are; None if nobody has said."""
        return super().count if self.n_levels is None else int(self.n_levels)

    def _needs_levels(self):
        return self.count is None

    def _logs(self, share):
        """Return log a = log(1 − λ) and log ρ = log λ/((c − 1)(1 − λ)), term by term: λ/(c − 1) may underflow."""
        xp = namespace(share)
        top = xp.log1p(-share)
        return top, xp.log(share) - math.log(self.count - 1) - top

    @staticmethod
    def _apart(one, other):
        return one != other


class Ordered(OfLevels):
    """K = λ^|x − x*|, of the number of grades between two levels in an order [racine2004]_.

    At λ = 0 only equal levels count (0⁰ = 1), at λ = 1 all count alike. Of several columns it is the product over the
    columns.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=0.1
        λ, from 0 to 1: by what the weight is multiplied at each grade, without a unit. Its gradient is zero at λ = 0.
    levels : list of labels or numbers, optional
        In their order; neighbours in the list are one grade apart, numbers too. Labels become their places in it, and
        a label or number that is none of them is an error. By default a column holds whole numbers, which are the
        grades.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above; when points are compared, if a point stands for no level or is no whole number.

    Examples
    --------
    >>> from locmethods.kernels import Ordered
    >>> Ordered(0.5, levels=["low", "middle", "high"])(["low"], ["low", "middle", "high"])
    array([[1.  , 0.5 , 0.25]])
    """

    def __init__(self, bandwidth: Scalar = 0.1, levels: Sequence[Any] | None = None) -> None:
        self.bandwidth = bandwidth
        self.levels = levels
        self._check()

    def _check(self):
        self._check_levels()
        if not 0 <= as_number("bandwidth", self.bandwidth) <= 1:
            raise ValueError(f"bandwidth must be at least 0 and at most 1, got {self.bandwidth!r}")

    def _logs(self, share):
        """Return log a = 0 and log ρ = log λ."""
        return share * 0.0, namespace(share).log(share)

    @staticmethod
    def _apart(one, other):
        return abs(one - other)


class LevelsBound(Bound):
    """aᵈ ρᴰ, bound to codes; D is exact, for it is a sum of whole numbers."""

    def __init__(self, kernel, query, keys):
        share = as_parameter("bandwidth", kernel.bandwidth, query)
        self._nothing = as_number("bandwidth", share) == 0  # then ρ = 0, which has no logarithm
        self._kernel, self._query, self._keys = kernel, query, keys
        if self._nothing:
            self._top = self._ratio = 0.0
        else:
            self._top, self._ratio = kernel._logs(share)
        super().__init__(outer_shape(query, keys), query, carries_grad(self._top, self._ratio))
        self.anchored = not self._nothing

    def __repr__(self):
        return repr(self._kernel)

    def _distance(self, query, keys):
        """Return D of points that broadcast to shape (*batch, b, c, d), feature by feature."""
        total = None
        for j in range(query.shape[-1]):
            apart = self._kernel._apart(query[..., j], keys[..., j])
            apart = namespace(apart).astype(apart, self.like.dtype, copy=False)
            total = apart if total is None else total + apart
        return total

    def _between(self, rows, cols):
        return self._distance(block(self._query, rows)[..., :, None, :], block(self._keys, cols)[..., None, :, :])

    def log(self, rows, cols, take=block):
        apart = self._between(rows, cols)
        if self._nothing:
            return namespace(apart).where(apart == 0, apart, -math.inf)
        return apart * take(self._ratio) + take(self._top) * self._query.shape[-1]

    def gap(self, rows, cols):
        """Return D: as λ shrinks to zero, the keys of the least D alone have weight."""
        return self._between(rows, cols)

    def relative(self, rows, cols, reference, take=block):
        near = self._distance(block(self._query, rows), there(self._keys, reference))
        return (self._between(rows, cols) - near[..., None]) * take(self._ratio)

    def offset(self, rows, reference, take=block):
        near = self._distance(block(self._query, rows), there(self._keys, reference))
        return near * take(self._ratio) + take(self._top) * self._query.shape[-1]
