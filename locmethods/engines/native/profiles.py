"""The kernels that compiled loops know: one record a kernel, with its weight, its logarithm and its flags side by side.

A record is looked up by a kernel's very class (`of`), so that what has no record, a subclass with another formula
among it, never reaches a compiled loop. To add a kernel: its three functions, its record, and a line in `weigh`,
`slope` and `log_weight` each; a test compares every record with its kernel's own formula.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from locmethods.engines.native.loops import exponentials, inlined, inner, larger, whole_power, whole_vectors
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Polynomial,
    Shepard,
    Triangular,
    Tricube,
)

GREATEST_POWER = 16  # of an inverse distance or an inner product: formed by multiplication


class Profile(NamedTuple):
    """What compiled loops know of a kernel.

    Attributes
    ----------
    kind : type
        The kernel's class.
    number : int
        By which compiled code asks for it: the next one for a kernel of the distance.
    of : {"distance", "inverse distance", "power of q·k", "exponential of q·k"}
        What it is a function of.
    compact : bool
        True if K is zero beyond its length.
    steepness : float or None
        A bound on |d log K / d (r²/length²)|, where there is one: how much rounding in r² may show.
    cusp : bool
        True if K is steep at r = 0, as √ is.
    jump : bool
        True if K jumps at its edge: no rounding may put a key on the other side.
    """

    kind: type
    number: int
    of: str = "distance"
    compact: bool = False
    steepness: float | None = None
    cusp: bool = False
    jump: bool = False

    @property
    def inner(self):
        """True for a kernel of the inner product."""
        return self.of in ("power of q·k", "exponential of q·k")

    @property
    def singular(self):
        """True if K is infinite at the query itself."""
        return self.of == "inverse distance"


# Each takes squared distances x, in place, with length² and 1/length² in x's type. A square that rounding has made
# negative counts as zero; an infinite one has no weight, whatever the kernel. Its logarithm takes u = r/length; its
# slope, ∂K/∂r², is formed in float64 from r² and K, and is zero where K has none (at r = 0, where √ is steep).


@inlined
def _weigh_gaussian(x, square, inverse):
    exponentials(x, x.dtype.type(-0.5) * inverse)


@inlined
def _log_gaussian(u):
    return -0.5 * u * u


@inlined
def _slope_gaussian(x, w, slope, inverse):
    for j in range(len(x)):
        slope[j] = -0.5 * inverse * w[j]


GAUSSIAN = Profile(Gaussian, 0, steepness=0.5)


@inlined
def _weigh_laplace(x, square, inverse):
    for j in range(len(x)):
        x[j] = math.sqrt(larger(x[j] * inverse, x.dtype.type(0)))
    exponentials(x, x.dtype.type(-1))


@inlined
def _log_laplace(u):
    return -u


@inlined
def _slope_laplace(x, w, slope, inverse):
    for j in range(len(x)):
        u = math.sqrt(x[j] * inverse)
        slope[j] = -0.5 * inverse * w[j] / u if u > 0 else 0.0


LAPLACE = Profile(Laplace, 1, cusp=True)


@inlined
def _weigh_cauchy(x, square, inverse):
    one = x.dtype.type(1)
    for j in range(len(x)):
        x[j] = one / (x[j] * inverse + one)


@inlined
def _log_cauchy(u):
    return -math.log1p(u * u)


@inlined
def _slope_cauchy(x, w, slope, inverse):
    for j in range(len(x)):
        slope[j] = -inverse * w[j] * w[j]


CAUCHY = Profile(Cauchy, 2, steepness=1.0)


@inlined
def _weigh_epanechnikov(x, square, inverse):
    for j in range(len(x)):
        x[j] = larger(x.dtype.type(1) - x[j] * inverse, x.dtype.type(0))


@inlined
def _log_epanechnikov(u):
    return math.log1p(-u * u) if u < 1 else -math.inf


@inlined
def _slope_epanechnikov(x, w, slope, inverse):
    for j in range(len(x)):
        slope[j] = -inverse if w[j] > 0 else 0.0


EPANECHNIKOV = Profile(Epanechnikov, 3, compact=True)


@inlined
def _weigh_triangular(x, square, inverse):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for j in range(len(x)):
        x[j] = larger(one - math.sqrt(larger(x[j] * inverse, zero)), zero)


@inlined
def _log_triangular(u):
    return math.log1p(-u) if u < 1 else -math.inf


@inlined
def _slope_triangular(x, w, slope, inverse):
    for j in range(len(x)):
        u = math.sqrt(x[j] * inverse)
        slope[j] = -0.5 * inverse / u if w[j] > 0 and u > 0 else 0.0


TRIANGULAR = Profile(Triangular, 4, compact=True, cusp=True)


@inlined
def _weigh_biweight(x, square, inverse):
    for j in range(len(x)):
        u = larger(x.dtype.type(1) - x[j] * inverse, x.dtype.type(0))
        x[j] = u * u


@inlined
def _log_biweight(u):
    return 2 * math.log1p(-u * u) if u < 1 else -math.inf


@inlined
def _slope_biweight(x, w, slope, inverse):
    for j in range(len(x)):
        slope[j] = -2 * inverse * larger(1 - x[j] * inverse, 0.0)


BIWEIGHT = Profile(Biweight, 5, compact=True)


@inlined
def _weigh_tricube(x, square, inverse):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for j in range(len(x)):
        u = larger(x[j] * inverse, zero)
        u = larger(one - u * math.sqrt(u), zero)
        x[j] = u * u * u


@inlined
def _log_tricube(u):
    return 3 * math.log1p(-(u * u * u)) if u < 1 else -math.inf


@inlined
def _slope_tricube(x, w, slope, inverse):
    for j in range(len(x)):
        u = math.sqrt(x[j] * inverse)
        rest = larger(1 - u * u * u, 0.0)
        slope[j] = -4.5 * inverse * u * rest * rest


TRICUBE = Profile(Tricube, 6, compact=True)


@inlined
def _weigh_flat(x, square, inverse):
    for j in range(len(x)):  # the square of the radius, as neighbour libraries compare
        x[j] = x.dtype.type(1) if x[j] <= square else x.dtype.type(0)


@inlined
def _log_flat(u):
    return 0.0 if u <= 1 else -math.inf


FLAT = Profile(Flat, 7, compact=True, jump=True)

# Numbers from here on are no functions of the distance that boxes can bound.
SHEPARD = Profile(Shepard, 100, of="inverse distance")
EXPONENTIAL = Profile(Exponential, 101, of="exponential of q·k")
POLYNOMIAL = Profile(Polynomial, 102, of="power of q·k")

PROFILES = {profile.kind: profile for profile in (
    GAUSSIAN, LAPLACE, CAUCHY, EPANECHNIKOV, TRIANGULAR, BIWEIGHT, TRICUBE, FLAT, SHEPARD, EXPONENTIAL, POLYNOMIAL)}
IS_GAUSSIAN, IS_LAPLACE, IS_CAUCHY, IS_EPANECHNIKOV, IS_TRIANGULAR, IS_BIWEIGHT, IS_TRICUBE, IS_FLAT, IS_SHEPARD, \
    IS_EXPONENTIAL, IS_POLYNOMIAL = (profile.number for profile in PROFILES.values())


def of(factor):
    """Return the `Profile` of a factor, or None if compiled loops do not know the kernel, or not with its numbers."""
    profile = PROFILES.get(factor.kind)
    if profile is None:
        return None
    if profile.singular and factor.length not in range(1, GREATEST_POWER + 1):
        return None
    if profile.of == "power of q·k" and (factor.length % 2 or factor.length > GREATEST_POWER):
        return None
    return profile


@inner
def weigh(kind, x, square, inverse):
    """Turn squared distances into weights, in place.

    Parameters
    ----------
    kind : int
    x : ndarray of shape (n,)
    square, inverse : floats of x's type
        length² and 1/length².
    """
    whole_vectors()
    if kind == IS_GAUSSIAN:
        _weigh_gaussian(x, square, inverse)
    elif kind == IS_LAPLACE:
        _weigh_laplace(x, square, inverse)
    elif kind == IS_CAUCHY:
        _weigh_cauchy(x, square, inverse)
    elif kind == IS_EPANECHNIKOV:
        _weigh_epanechnikov(x, square, inverse)
    elif kind == IS_TRIANGULAR:
        _weigh_triangular(x, square, inverse)
    elif kind == IS_BIWEIGHT:
        _weigh_biweight(x, square, inverse)
    elif kind == IS_TRICUBE:
        _weigh_tricube(x, square, inverse)
    elif kind == IS_FLAT:
        _weigh_flat(x, square, inverse)
    else:
        raise ValueError("no compiled weight for this kernel of the distance")


@inner
def slope(kind, x, w, out, inverse):
    """Write ∂K/∂r² for squared distances and their weights.

    Parameters
    ----------
    kind : int
    x, w, out : float64 ndarray of shape (n,)
        r², K, and what is written.
    inverse : float
        1/length².
    """
    whole_vectors()
    if kind == IS_GAUSSIAN:
        _slope_gaussian(x, w, out, inverse)
    elif kind == IS_LAPLACE:
        _slope_laplace(x, w, out, inverse)
    elif kind == IS_CAUCHY:
        _slope_cauchy(x, w, out, inverse)
    elif kind == IS_EPANECHNIKOV:
        _slope_epanechnikov(x, w, out, inverse)
    elif kind == IS_TRIANGULAR:
        _slope_triangular(x, w, out, inverse)
    elif kind == IS_BIWEIGHT:
        _slope_biweight(x, w, out, inverse)
    elif kind == IS_TRICUBE:
        _slope_tricube(x, w, out, inverse)
    elif kind == IS_FLAT:
        out[:] = 0
    else:
        raise ValueError("no compiled slope for this kernel of the distance")


@inlined
def log_weight(kind, square, length):
    """Return log K at a squared distance."""
    u = math.sqrt(square) / length
    if kind == IS_GAUSSIAN:
        return _log_gaussian(u)
    if kind == IS_LAPLACE:
        return _log_laplace(u)
    if kind == IS_CAUCHY:
        return _log_cauchy(u)
    if kind == IS_EPANECHNIKOV:
        return _log_epanechnikov(u)
    if kind == IS_TRIANGULAR:
        return _log_triangular(u)
    if kind == IS_BIWEIGHT:
        return _log_biweight(u)
    if kind == IS_TRICUBE:
        return _log_tricube(u)
    if kind == IS_FLAT:
        return _log_flat(u)
    raise ValueError("no compiled logarithm for this kernel of the distance")


@inlined
def weigh_inversely(x, least, power):
    """Turn squared distances into (ρ/r)ᵖ, in place, where ρ² = `least` is no more than any of them.

    Where ρ = 0 it is 1 for r = 0; where even the least distance is infinite, nothing has weight.
    """
    one, zero = x.dtype.type(1), x.dtype.type(0)
    if least == 0 or least == math.inf:
        for j in range(len(x)):
            x[j] = one if x[j] == 0 else zero
        return
    half, odd, least = power // 2, power % 2 == 1, x.dtype.type(least)
    for j in range(len(x)):
        ratio = least / x[j]
        weight = whole_power(ratio, half, one)
        x[j] = weight * math.sqrt(ratio) if odd else weight
