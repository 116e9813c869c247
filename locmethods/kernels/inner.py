"""Kernels of the inner product q·k: attention's exponential, polynomials, and the linear kernel."""

from __future__ import annotations

import math
from typing import Any

from locmethods.arrays.checks import as_number, check_count
from locmethods.arrays.namespace import carries_grad, detached, log_or_nothing, matrix_transpose, namespace
from locmethods.arrays.types import Scalar
from locmethods.kernels.base import Kernel, as_parameter, check_parameters_positive
from locmethods.kernels.bound import Bound, Factor, Term, block, outer_shape
from locmethods.kernels.restricted import without_own
from locmethods.numerics.units import far_exponent, in_unit, largest_of

__all__ = ["Exponential", "Linear", "Polynomial"]

MODERATE = 900  # products of this exponent, sums of them and what is less by 2⁻¹⁰⁰ are normal doubles


class _InnerBound(Bound):
    """What the kernels of q·k share; `parameter` is the one that may carry a gradient."""

    def __init__(self, kernel, query, keys, parameter):
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys, parameter))
        self.kernel, self.query, self.keys, self.parameter = kernel, query, keys, parameter

    def product(self, rows, cols, take=block):
        """Return q·k on the block."""
        return take(self.query, rows) @ matrix_transpose(take(self.keys, cols))

    def gap(self, rows, cols):
        return -self.product(rows, cols)


def in_units(query, keys, parameter, exponent):
    """Return points, each in a unit of theirs, a parameter in the unit of q·k that this makes, and its exponent.

    They are as they were, and the exponent is 0, if `exponent`, that of the numbers which shall be near one, says that
    they are not far from it.
    """
    if abs(exponent) <= MODERATE or query.dtype.itemsize < 8:
        return query, keys, parameter, 0
    own = math.frexp(largest_of(keys))[1]
    for power in halves(own):
        keys = in_unit(keys, power)
    for power in halves(exponent - own):
        query = in_unit(query, power)
    for power in halves(exponent):
        parameter = in_unit(parameter, power)
    return query, keys, parameter, exponent


def halves(exponent):
    """Return two exponents whose sum it is, so that both powers of two are doubles."""
    return exponent // 2, exponent - exponent // 2


class Exponential(Kernel):
    """K = exp(q·k/τ), the kernel of softmax attention [vaswani2017]_.

    Parameters
    ----------
    temperature : float or scalar Tensor, default=1.0
        τ, in the units of the inner product; must be positive.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernels import Exponential
    >>> Exponential(0.5)([[1.0]], [[0.0], [np.log(3.0)]]).round(6)
    array([[1., 9.]])
    """

    form = "inner product"

    def __init__(self, temperature: Scalar = 1.0) -> None:
        self.temperature = temperature
        self._check()

    def _check(self):
        check_parameters_positive(self, ["temperature"])

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        return without_own(ExponentialBound(self, query, keys), hollow)


class ExponentialBound(_InnerBound):
    """exp(q·k/τ), bound to points, which are taken in units of their own where τ is far from one.

    q·k = q·(k − c) + q·c, and the second term is the same for all keys: with large keys that differ little, the product
    of the differences keeps the digits that the product of the keys would round away.
    """

    centred = True

    def __init__(self, kernel, query, keys):
        temperature = as_parameter("temperature", kernel.temperature, query)
        # An inner product that overflows is far from a moderate temperature, and one that vanishes is nothing to it.
        query, keys, temperature = in_units(query, keys, temperature, math.frexp(float(detached(temperature)))[1])[:3]
        super().__init__(kernel, query, keys, temperature)
        self._centre = detached(self.keys)[..., :1, :]

    def log(self, rows, cols, take=block):
        return self.product(rows, cols, take) / take(self.parameter)

    def relative(self, rows, cols, reference, take=block):
        return take(self.query, rows) @ matrix_transpose(take(self.keys, cols) - self._centre) / take(self.parameter)

    def offset(self, rows, reference, take=block):
        return (take(self.query, rows) @ matrix_transpose(self._centre))[..., 0] / take(self.parameter)

    def term(self):
        temperature = as_number("temperature", self.parameter)
        return Term((Factor(Exponential, self.query, self.keys, temperature),))


class Polynomial(Kernel):
    """K = (q·k + c)ᵖ. For odd p it may be negative: then it is no localization kernel.

    Parameters
    ----------
    degree : int, default=2
        p, at least 1.
    offset : float, default=0.0
        c, in the units of the inner product.

    Examples
    --------
    >>> from locmethods.kernels import Polynomial
    >>> Polynomial(2, offset=1.0)([[1.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]]).round(6)
    array([[9., 4.]])
    """

    form = "inner product"

    def __init__(self, degree: int = 2, offset: float = 0.0) -> None:
        self.degree, self.offset = degree, offset
        self._check()

    def _check(self):
        check_count("degree", self.degree, 1)
        as_number("degree", self.degree)  # it multiplies a logarithm
        if not math.isfinite(as_number("offset", self.offset)):
            raise ValueError(f"offset must be finite, got {self.offset!r}")

    @property
    def signed(self) -> bool:
        """True for an odd degree."""
        return self.degree % 2 == 1

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        return without_own(PolynomialBound(self, query, keys), hollow)


class PolynomialBound(_InnerBound):
    """(q·k + c)ᵖ, bound to points, whose inner products are taken in a unit 2ᵉ: it is ((q·k + c)/2ᵉ)ᵖ 2ᵉᵖ."""

    def __init__(self, kernel, query, keys):
        offset = as_parameter("offset", kernel.offset, query)
        *taken, exponent = in_units(query, keys, offset, _exponent_of_sum(query, keys, float(detached(offset))))
        super().__init__(kernel, *taken)
        self.signed, self._log_factor = kernel.signed, exponent * math.log(2.0) * kernel.degree

    def log(self, rows, cols, take=block):
        size = abs(self.product(rows, cols, take) + take(self.parameter))
        return log_or_nothing(size) * self.kernel.degree + self._log_factor

    def sign(self, rows, cols):
        product = self.product(rows, cols) + detached(self.parameter)
        return namespace(product).sign(product)

    def term(self):
        if self.signed:
            return None
        offset = as_number("offset", self.parameter)
        return Term((Factor(Polynomial, self.query, self.keys, self.kernel.degree, offset),), self._log_factor)


def _exponent_of_sum(query, keys, offset):
    """Return an exponent of q·k + c, for all pairs, or 0 if points are such that q·k and c are doubles."""
    if not (far_exponent(query) or far_exponent(keys) or abs(math.frexp(offset)[1]) > MODERATE):
        return 0
    sizes = largest_of(query), largest_of(keys)
    product = [sum(math.frexp(size)[1] for size in sizes)] if all(sizes) else []
    return max([*product, *([math.frexp(offset)[1]] if offset else [])], default=0)


class Linear(Kernel):
    """K = q·k, the linear kernel. It may be negative, so it is no localization kernel; it serves `local_sum`.

    Examples
    --------
    >>> from locmethods.kernels import Linear
    >>> Linear()([[1.0, 2.0]], [[3.0, 4.0], [-1.0, 0.0]])
    array([[11., -1.]])
    """

    form = "inner product"
    signed = True

    def __init__(self) -> None:
        pass

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        return Polynomial(degree=1).bind(query, keys, hollow=hollow, kept=kept)
