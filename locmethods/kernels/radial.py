"""Kernels of the distance r = ‖query − key‖: each is its formula, and has K = 1 at r = 0.

The constant that would make a density of them cancels in every local mean. ``bandwidth`` (h) and ``radius`` (R) are
lengths, in the units of the keys. Their compiled forms stand in `engines.native.profiles`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from locmethods.arrays.checks import as_number, check_positive
from locmethods.arrays.namespace import carries_grad, detached, is_tensor, namespace
from locmethods.arrays.types import Array, Scalar
from locmethods.kernels.base import Kernel, as_parameter
from locmethods.kernels.bound import (
    Bound,
    Factor,
    Term,
    block,
    outer_shape,
    pairwise_square,
    root,
    square_difference,
    there,
    with_squares,
)
from locmethods.kernels.restricted import without_own
from locmethods.numerics.units import in_unit, largest_of

__all__ = ["Biweight", "Cauchy", "Epanechnikov", "Flat", "Gaussian", "Laplace", "Radial", "Triangular", "Tricube"]

# Within these a length can be squared, and so can what is 1e60 times longer or shorter.
SHORT, LONG = 1e-90, 1e90
# A length of any other size becomes one of this exponent: the only one to which a power of two that is a double takes
# each of them.
HOME = -50
TINY = 430  # by how much less it may be where the points are that large


class Radial(Kernel):
    """A kernel of the distance, of which a subclass gives the formula.

    Abstract: a subclass defines ``log_profile(self, u2, xp)``, which returns log K for an array of u² = r²/h², and an
    ``__init__`` whose parameters are its own names and which calls this one. That alone makes it exact at every size,
    in every combination and every estimator, with gradients.

    Parameters
    ----------
    bandwidth : float or scalar Tensor
        h of a kernel that is nowhere zero, in the units of the keys; must be positive.
    radius : float or scalar Tensor
        R of a kernel of compact support, in its stead: K = 0 for r ≥ R, and ``log_profile`` is asked for u² < 1 only.

    Notes
    -----
    ``xp`` is the array namespace, NumPy's or torch's, so that one formula serves arrays and tensors; for a square root
    take `locmethods.kernels.root`. Optional attributes of a subclass: ``closed = True`` for a compact kernel that
    counts on its edge (then it is asked for u² ≤ 1), and ``log_ratio(self, more, least, xp)``, log K(r) − log K(ρ) from
    r²/h² − ρ²/h² and ρ²/h² without cancellation, with which queries far from every key keep all their digits.

    Examples
    --------
    >>> from locmethods.kernels import Radial, root
    >>> class Matern32(Radial):
    ...     def __init__(self, bandwidth=1.0):
    ...         super().__init__(bandwidth=bandwidth)
    ...
    ...     def log_profile(self, u2, xp):
    ...         r = root(3 * u2)
    ...         return xp.log1p(r) - r
    >>> Matern32(2.0)([[0.0]], [[0.0], [4.0]]).round(3)
    array([[1.  , 0.14]])
    """

    form = "radial"
    closed = False
    log_ratio: Callable[..., Any] | None = None

    def __init_subclass__(cls):
        """A new formula does not inherit what was proved for another."""
        super().__init_subclass__()
        if "log_profile" in vars(cls) and "log_ratio" not in vars(cls):
            cls.log_ratio = None

    def __init__(self, *, bandwidth: Scalar | None = None, radius: Scalar | None = None) -> None:
        self._check_formula()
        if (bandwidth is None) == (radius is None):
            raise TypeError(f"{type(self).__name__} must give Radial a bandwidth, or a radius for compact support, and "
                            "not both")
        self._length_name = "radius" if bandwidth is None else "bandwidth"
        setattr(self, self._length_name, radius if bandwidth is None else bandwidth)
        self._check()

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        """Return log K for an array of u² = r²/h², in the array namespace `xp`."""
        raise NotImplementedError

    def _check_formula(self):
        if type(self).log_profile is Radial.log_profile:
            raise TypeError(f"{type(self).__name__} is abstract, for it has no formula: a subclass of Radial defines "
                            "log_profile(self, u2, xp)")

    def _check(self):
        check_positive(self._length_name, getattr(self, self._length_name))

    @property
    def length(self) -> float:
        """The bandwidth or the radius, as a float."""
        return as_number(self._length_name, getattr(self, self._length_name))

    @property
    def reach(self) -> float:
        """The radius, or inf if there is none."""
        return self.length if self._length_name == "radius" else math.inf

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        return without_own(RadialBound(self, query, keys, kept), hollow)


class RadialBound(Bound):
    """A kernel of the distance, bound to points."""

    def __init__(self, kernel, query, keys, kept=None):
        name = kernel._length_name
        length = as_parameter(name, getattr(kernel, name), query)
        self.length = float(detached(length))
        exponent = _exponent_of_unit(name, self.length, query, keys)
        if exponent:
            query, keys, _ = with_squares(query, keys, kept, exponent)
            length, self.length = in_unit(length, exponent), in_unit(self.length, exponent)
        self._kernel, self._query, self._keys, self._length = kernel, query, keys, length
        # Other parameters that learn are read through `take`, as everything is that carries a gradient.
        self._learned = {other: value for other, value in kernel.get_params(deep=False).items()
                         if other != name and is_tensor(value) and value.requires_grad}
        super().__init__(outer_shape(query, keys), query,
                         carries_grad(query, keys, self._length, *self._learned.values()))
        # Without a form free of cancellation, two logarithms are subtracted in extended precision, which NumPy has.
        self.anchored = kernel.log_ratio is not None or not (is_tensor(query) or kernel.reach < math.inf)

    def __repr__(self):
        return repr(self._kernel)

    def _of(self, take):
        """Return the kernel with its learned parameters as `take` gives them."""
        if not self._learned:
            return self._kernel
        kernel = copy.copy(self._kernel)
        vars(kernel).update({name: take(value) for name, value in self._learned.items()})
        return kernel

    def log(self, rows, cols, take=block):
        return self._log(pairwise_square(take(self._query, rows), take(self._keys, cols)), take)

    def _log(self, square, take):
        kernel, xp, length = self._of(take), namespace(square), take(self._length)
        # A tensor's gradient, and a length that is nothing beside the points, want two quotients.
        u2 = square / length / length if is_tensor(length) or length < SHORT else square * (1 / length**2)
        if kernel.reach == math.inf:
            return _formula(kernel, u2, xp)
        # The square of the radius, as neighbour libraries compare: a quotient would round differently on the edge.
        inside = square <= length * length if kernel.closed else u2 < 1
        return xp.where(inside, _formula(kernel, xp.where(inside, u2, 0.0), xp), -math.inf)

    def gap(self, rows, cols):
        return self._comparable_square(rows, cols)

    def relative(self, rows, cols, reference, take=block):
        if self._kernel.log_ratio is None:
            return self._difference(rows, cols, reference)
        here, place, length = take(self._query, rows), there(self._keys, reference), take(self._length)
        more = square_difference(here, take(self._keys, cols), place) / length / length
        xp = namespace(more)
        least = xp.sum((here - place) ** 2, axis=-1, keepdims=True) / length / length
        return self._of(take).log_ratio(more, least, xp)

    def _difference(self, rows, cols, reference):
        """Return log K(q, k) − log K(q, r) in extended precision, or in double if the formula takes no other."""
        here, place = self._query[..., rows, :], there(self._keys, reference)
        for number in (np.longdouble, np.float64):
            q, k, r = (part.astype(number) for part in (here, self._keys[..., cols, :], place))
            least = np.square(q - r).sum(-1, keepdims=True)
            length = number(self._length)
            squares = [square / length / length for square in (pairwise_square(q, k), least)]
            try:
                far, near = (_formula(self._kernel, u2, namespace(u2)) for u2 in squares)
            except TypeError:  # a function that knows doubles alone
                continue
            return (far - near).astype(np.float64)
        raise TypeError(f"log_profile of {self._kernel!r} takes no array of doubles")

    def offset(self, rows, reference, take=block):
        gap = take(self._query, rows) - there(self._keys, reference)
        return self._log(namespace(gap).sum(gap * gap, axis=-1), take)

    def term(self):
        length = as_number("length", self._length)
        learned = self._length if is_tensor(self._length) else None
        return Term((Factor(type(self._kernel), self._query, self._keys, length, learned=learned),))


def _exponent_of_unit(name, length, query, keys):
    """Return e of the unit 2ᵉ in which the length, and what is near in it, can be squared; 0 mostly."""
    if SHORT < length < LONG or query.dtype.itemsize < 8:
        return 0
    exponent, largest = math.frexp(length)[1] - HOME, max(largest_of(query), largest_of(keys))
    least = math.frexp(largest)[1] - 1022  # in a smaller unit the points would be no doubles
    if least - exponent > TINY:
        raise ValueError(f"{name} must be at least 1e-440 times the largest coordinate of query and keys, got "
                         f"{length!r} and {largest!r}")
    return max(exponent, least)


def _formula(kernel, u2, xp):
    """Return the kernel's own log K, once it is seen to be one number a pair."""
    try:
        with np.errstate(divide="ignore"):  # log 0 on a compact kernel's edge is −inf, as it should be
            found = kernel.log_profile(u2, xp)
    except Exception as error:
        error.add_note(f"raised by log_profile of {kernel!r}, asked for an array of shape {tuple(u2.shape)}")
        raise
    if getattr(found, "shape", None) != u2.shape:
        raise ValueError(f"log_profile of {kernel!r} must return an array of the shape of u2, {tuple(u2.shape)}, got "
                         f"{tuple(found.shape) if hasattr(found, 'shape') else type(found).__name__}")
    return found


class Gaussian(Radial):
    """K = exp(−r²/2h²), the Gaussian kernel of bandwidth h.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.

    Raises
    ------
    ValueError, TypeError
        If `bandwidth` is not a positive number.

    Examples
    --------
    >>> from locmethods.kernels import Gaussian
    >>> Gaussian(2.0)([[0.0]], [[0.0], [2.0], [4.0]]).round(3)  # 1, 1/√e, 1/e²
    array([[1.   , 0.607, 0.135]])
    """

    def __init__(self, bandwidth: Scalar = 1.0) -> None:
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return u2 * -0.5

    def log_ratio(self, more: Any, least: Any, xp: ModuleType) -> Array:
        return more * -0.5


class Laplace(Radial):
    """K = exp(−r/h), the Laplace (exponential) kernel.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernels import Laplace
    >>> Laplace(3.0)([[0.0]], [[0.0], [3 * np.log(2.0)]]).round(6)
    array([[1. , 0.5]])
    """

    def __init__(self, bandwidth: Scalar = 1.0) -> None:
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return -root(u2)

    def log_ratio(self, more: Any, least: Any, xp: ModuleType) -> Array:
        # r − ρ = (r² − ρ²)/(r + ρ); both vanish together only when query, key and reference coincide.
        both = root(xp.clip(more + least, 0.0, None)) + root(least)
        return -xp.where(both > 0, more / xp.where(both > 0, both, 1.0), 0.0)


class Cauchy(Radial):
    """K = 1/(1 + r²/h²), the Cauchy kernel, with tails that never underflow.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy
    >>> Cauchy(2.0)([[0.0]], [[0.0], [2.0], [6.0]])
    array([[1. , 0.5, 0.1]])
    """

    def __init__(self, bandwidth: Scalar = 1.0) -> None:
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return -xp.log1p(u2)


class Epanechnikov(Radial):
    """K = 1 − r²/R² inside the radius R, zero outside [epanechnikov1969]_.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Epanechnikov
    >>> Epanechnikov(2.0)([[0.0]], [[1.0], [3.0]])
    array([[0.75, 0.  ]])
    """

    def __init__(self, radius: Scalar = 1.0) -> None:
        super().__init__(radius=radius)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return xp.log1p(-u2)


class Triangular(Radial):
    """K = 1 − r/R inside the radius R, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Triangular
    >>> Triangular(2.0)([[0.0]], [[1.0], [3.0]])
    array([[0.5, 0. ]])
    """

    def __init__(self, radius: Scalar = 1.0) -> None:
        super().__init__(radius=radius)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return xp.log1p(-root(u2))


class Biweight(Radial):
    """K = (1 − r²/R²)² inside the radius R, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Biweight
    >>> Biweight(2.0)([[0.0]], [[1.0], [3.0]])
    array([[0.5625, 0.    ]])
    """

    def __init__(self, radius: Scalar = 1.0) -> None:
        super().__init__(radius=radius)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return 2 * xp.log1p(-u2)


class Tricube(Radial):
    """K = (1 − r³/R³)³ inside the radius R, zero outside [cleveland1979]_.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Tricube
    >>> Tricube(2.0)([[0.0]], [[1.0], [3.0]]).round(3)  # (7/8)³
    array([[0.67, 0.  ]])
    """

    def __init__(self, radius: Scalar = 1.0) -> None:
        super().__init__(radius=radius)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return 3 * xp.log1p(-u2 * root(u2))


class Flat(Radial):
    """K = 1 within the radius R, the boundary included, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> Flat(1.0)([[0.0]], [[0.5], [1.0], [1.5]])
    array([[1., 1., 0.]])
    """

    closed = True

    def __init__(self, radius: Scalar = 1.0) -> None:
        super().__init__(radius=radius)

    def log_profile(self, u2: Any, xp: ModuleType) -> Array:
        return u2 * 0.0
