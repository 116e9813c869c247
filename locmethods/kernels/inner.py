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

__all__ = ["Exponential", "Linear", "Polynomial"]


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
    """exp(q·k/τ), bound to points.

    q·k = q·(k − c) + q·c, and the second term is the same for all keys: with large keys that differ little, the product
    of the differences keeps the digits that the product of the keys would round away.
    """

    centred = True

    def __init__(self, kernel, query, keys):
        super().__init__(kernel, query, keys, as_parameter("temperature", kernel.temperature, query))
        self._centre = detached(keys)[..., :1, :]

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
    """(q·k + c)ᵖ, bound to points."""

    def __init__(self, kernel, query, keys):
        super().__init__(kernel, query, keys, as_parameter("offset", kernel.offset, query))
        self.signed = kernel.signed

    def log(self, rows, cols, take=block):
        size = abs(self.product(rows, cols, take) + take(self.parameter))
        return log_or_nothing(size) * self.kernel.degree

    def sign(self, rows, cols):
        product = self.product(rows, cols) + detached(self.parameter)
        return namespace(product).sign(product)

    def term(self):
        if self.signed:
            return None
        offset = as_number("offset", self.parameter)
        return Term((Factor(Polynomial, self.query, self.keys, self.kernel.degree, offset),))


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
