"""Membership functions: the degrees, in [0, 1], to which numbers belong to fuzzy sets of four shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_number
from locmethods.fuzzy.sets import (
    BellSet,
    GaussianSet,
    TrapezoidSet,
    TriangularSet,
    check_bell,
    check_gaussian,
    check_trapezoid,
    check_triangular,
    numbers,
)


def gaussian(x: ArrayLike, center: ArrayLike, width: ArrayLike) -> np.ndarray:
    """Return exp(−(x − c)²/2w²), the Gaussian membership.

    Parameters
    ----------
    x : array-like of any shape
    center, width : float or array-like
        c and w > 0, in the units of `x`; arrays broadcast with `x`.

    Returns
    -------
    ndarray of degrees in [0, 1]

    Raises
    ------
    ValueError, TypeError
        If an argument is not finite, or the width is not positive.

    Examples
    --------
    >>> from locmethods.fuzzy import gaussian
    >>> gaussian([20.0, 25.0, 30.0], 20.0, 5.0).round(3)  # 1, 1/√e, 1/e²
    array([1.   , 0.607, 0.135])
    """
    x, center, width = _checked(x, center=center, width=width)
    check_gaussian(center, width)
    return GaussianSet.formula(x, center, width)


def bell(x: ArrayLike, center: ArrayLike, width: ArrayLike, slope: ArrayLike = 2.0) -> np.ndarray:
    """Return 1/(1 + |(x − c)/w|²ᵇ), the generalised bell of [jang1993]_.

    Parameters
    ----------
    x : array-like of any shape
    center, width : float or array-like
        c and w > 0, in the units of `x`: the degree is one half at c ± w.
    slope : float or array-like, default=2.0
        b > 0; the larger, the steeper are the flanks.

    Returns
    -------
    ndarray of degrees in [0, 1]

    Raises
    ------
    ValueError, TypeError
        If an argument is not finite, or width or slope are not positive.

    Examples
    --------
    >>> from locmethods.fuzzy import bell
    >>> bell([20.0, 25.0, 35.0], 20.0, 5.0, 1.0)  # 1/(1 + u²)
    array([1. , 0.5, 0.1])
    """
    x, center, width, slope = _checked(x, center=center, width=width, slope=slope)
    check_bell(center, width, slope)
    return BellSet.formula(x, center, width, slope)


def triangular(x: ArrayLike, left: ArrayLike, peak: ArrayLike, right: ArrayLike) -> np.ndarray:
    """Return the triangle that rises from `left` to one at `peak` and falls to zero at `right`.

    Parameters
    ----------
    x : array-like of any shape
    left, peak, right : float or array-like
        In this order and not all equal. Where two are equal the flank is vertical; where a foot is infinite there is
        none, and the degree stays one on that side: a shoulder.

    Returns
    -------
    ndarray of degrees in [0, 1]

    Raises
    ------
    ValueError, TypeError
        If `x` or `peak` are not finite, or the order is another.

    Examples
    --------
    >>> import math
    >>> from locmethods.fuzzy import triangular
    >>> triangular([10.0, 15.0, 20.0, 24.0], 10.0, 20.0, 25.0)
    array([0. , 0.5, 1. , 0.2])
    >>> triangular([15.0, 90.0], 10.0, 20.0, math.inf)  # a shoulder
    array([0.5, 1. ])
    """
    x, left, peak, right = _checked(x, left=left, peak=peak, right=right)
    check_triangular(left, peak, right)
    return TriangularSet.formula(x, left, peak, right)


def trapezoid(x: ArrayLike, left: ArrayLike, top_left: ArrayLike, top_right: ArrayLike, right: ArrayLike) -> np.ndarray:
    """Return the trapezoid that is one from `top_left` to `top_right` and zero outside of `left` and `right`.

    Parameters
    ----------
    x : array-like of any shape
    left, top_left, top_right, right : float or array-like
        In this order, ``left < right``; infinite feet are shoulders, as of `triangular`.

    Returns
    -------
    ndarray of degrees in [0, 1]

    Raises
    ------
    ValueError, TypeError
        If `x` or the top are not finite, or the order is another.

    Examples
    --------
    >>> from locmethods.fuzzy import trapezoid
    >>> trapezoid([10.0, 12.5, 18.0, 25.0], 10.0, 15.0, 20.0, 30.0)
    array([0. , 0.5, 1. , 0.5])
    """
    x, left, top_left, top_right, right = _checked(x, left=left, top_left=top_left, top_right=top_right, right=right)
    check_trapezoid(left, top_left, top_right, right)
    return TrapezoidSet.formula(x, left, top_left, top_right, right)


def _checked(x, **parameters):
    """Return x as floats, and parameters as numbers or arrays; feet may be infinite.

    Raises
    ------
    ValueError, TypeError
        If one is no number or array of numbers, or they do not broadcast.
    """
    found = [numbers("x", x)]
    for name, value in parameters.items():
        if not isinstance(value, list | tuple | np.ndarray):
            value = as_number(name, value)
        elif name in ("left", "right") and np.asarray(value).dtype.kind == "f":
            value = np.asarray(value)
            numbers(name, np.where(np.isinf(value), 0.0, value))
        else:
            value = numbers(name, value)
        found.append(value)
    shapes = [np.shape(value) for value in found]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"x and the set's parameters must broadcast, got shapes {', '.join(map(str, shapes))}"
                         ) from None
    return found
