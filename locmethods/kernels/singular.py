"""Inverse distances: the kernel that is infinite at the query itself."""

from __future__ import annotations

import math
from typing import Any

from locmethods.arrays.checks import as_number
from locmethods.arrays.namespace import carries_grad, namespace
from locmethods.arrays.types import Scalar
from locmethods.kernels.base import Kernel, as_parameter, check_parameters_positive
from locmethods.kernels.bound import Bound, Factor, Term, block, outer_shape, pairwise_square, with_squares
from locmethods.kernels.restricted import without_own

__all__ = ["Shepard"]


class Shepard(Kernel):
    """K = r⁻ᵖ, the singular kernel of inverse distance weighting, with which a local mean interpolates [shepard1968]_.

    No unit of length enters. A key at the query itself has infinite weight: the local mean is then the mean over
    the keys that coincide with the query, the limit from nearby.

    Parameters
    ----------
    power : float or scalar Tensor, default=2.0
        p; must be positive. With p the number of features the interpolant is consistent, noise or not
        [devroye1998]_.

    Raises
    ------
    ValueError, TypeError
        If `power` is not a positive number.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.kernels import Shepard
    >>> Shepard(2.0)([[0.0]], [[1.0], [-2.0]])
    array([[1.  , 0.25]])
    >>> lm.local_mean([[0.0], [1.0]], [[1.0], [-2.0]], [0.0, 10.0], kernel=Shepard(2.0)).round(6)
    array([2., 0.])
    """

    form = "radial"

    def __init__(self, power: Scalar = 2.0) -> None:
        self.power = power
        self._check()

    def _check(self):
        check_parameters_positive(self, ["power"])

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        return without_own(ShepardBound(self, query, keys, kept), hollow)


def stand_in(power):
    """Return the finite number that stands for log K = ∞, so that sums, products and masks go on working.

    The least squared distance a double holds, 5e-324, has the log-weight 372p: this is greater by more than a float
    shows.
    """
    return 1000.0 * (1.0 + power)


class ShepardBound(Bound):
    """r⁻ᵖ, bound to points, which are taken in a unit 2ᵉ: r⁻ᵖ = (r/2ᵉ)⁻ᵖ 2⁻ᵉᵖ."""

    def __init__(self, kernel, query, keys, kept=None):
        self._query, self._keys, self._exponent = with_squares(query, keys, kept)
        self._power = as_parameter("power", kernel.power, query)
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys, self._power))

    def log(self, rows, cols, take=block):
        square, power = pairwise_square(take(self._query, rows), take(self._keys, cols)), take(self._power)
        xp, apart = namespace(square), square > 0
        score = xp.log(xp.where(apart, square, 1.0)) * (-0.5 * power)
        return xp.where(apart, score + self._log_factor(power) if self._exponent else score, stand_in(power))

    def _log_factor(self, power):
        """Return what the unit of the points takes from log K."""
        return -self._exponent * math.log(2.0) * power

    def gap(self, rows, cols):
        return self._comparable_square(rows, cols)

    def term(self):
        power = as_number("power", self._power)
        return Term((Factor(Shepard, self._query, self._keys, power),), self._log_factor(power))
