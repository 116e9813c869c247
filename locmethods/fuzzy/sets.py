"""Fuzzy sets: to what degree a number is low, about three, or warm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, as_number
from locmethods.arrays.namespace import is_tensor

HALF = math.sqrt(2 * math.log(2))  # a Gaussian falls to one half at so many of its widths


def numbers(name, value):
    """Return `value` as a floating array with finite entries.

    Raises
    ------
    ValueError, TypeError
        As `as_array`; and for a tensor, which fuzzy sets do not take.
    """
    if is_tensor(value):
        raise TypeError("fuzzy sets take arrays, got a tensor: call its numpy()")
    return as_array(name, value)


def check_gaussian(center, width):
    if not (np.all(np.isfinite(center)) and np.all(np.isfinite(width)) and np.all(np.asarray(width) > 0)):
        raise ValueError(f"center must be finite and width positive and finite, got center={center} and width={width}")


def check_bell(center, width, slope):
    check_gaussian(center, width)
    if not (np.all(np.isfinite(slope)) and np.all(np.asarray(slope) > 0)):
        raise ValueError(f"slope must be positive and finite, got {slope}")


def check_triangular(left, peak, right):
    ordered = np.all((left <= np.asarray(peak)) & (np.asarray(peak) <= right) & (np.asarray(left) < right))
    if not (np.all(np.isfinite(peak)) and ordered):
        raise ValueError("left, peak and right must be in this order, the peak finite and left < right, got "
                         f"left={left}, peak={peak}, right={right}")


def check_trapezoid(left, top_left, top_right, right):
    low, high = np.asarray(top_left), np.asarray(top_right)
    ordered = np.all((left <= low) & (low <= high) & (high <= right) & (np.asarray(left) < right))
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and ordered):
        raise ValueError("left, top_left, top_right and right must be in this order, the top finite and left < right, "
                         f"got left={left}, top_left={top_left}, top_right={top_right}, right={right}")


def _rise(x, foot, top):
    """Return the flank that rises from zero at `foot` to one at `top`; there is none if the foot is −inf."""
    with np.errstate(divide="ignore", invalid="ignore"):  # of flanks without width and without foot
        slope = np.clip((x - foot) / (top - foot), 0, 1)
    flank = np.where(np.equal(foot, top), np.greater_equal(x, top), slope)
    return np.where(np.equal(foot, -math.inf), 1, flank)


class FuzzySet:
    """A fuzzy set on a line.

    Abstract: a set is a frozen dataclass of numbers, and defines the static ``formula(x, *parameters)`` and
    ``log_formula(x, *parameters)``, which broadcast; ``core`` and ``support``, the ends of the intervals on which its
    degree is one and is positive, which may be infinite; ``half_width``, from the core to where the degree is one
    half; and ``cut``.

    Examples
    --------
    >>> from locmethods.fuzzy import TriangularSet
    >>> warm = TriangularSet(10.0, 20.0, 25.0)
    >>> warm.degree([10.0, 15.0, 20.0]), warm.core, warm.support
    (array([0. , 0.5, 1. ]), (20.0, 20.0), (10.0, 25.0))
    """

    if TYPE_CHECKING:  # what a subclass has
        core: tuple[float, float]
        half_width: float
        formula: Callable[..., np.ndarray]
        log_formula: Callable[..., np.ndarray]

    def __post_init__(self):
        for field in fields(self):  # type: ignore[arg-type]  # each set is a dataclass
            object.__setattr__(self, field.name, as_number(field.name, getattr(self, field.name)))
        self._check()

    def _check(self):
        """Raise ValueError unless every number is admissible."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """The set's numbers, as a tuple."""
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def degree(self, x: ArrayLike) -> np.ndarray:
        """Return the degrees, in [0, 1], to which numbers belong to the set, in the shape of `x`."""
        return type(self).formula(numbers("x", x), *self.parameters)

    def log_degree(self, x: ArrayLike) -> np.ndarray:
        """Return the logarithms of the degrees, −inf outside the set; they do not underflow."""
        return type(self).log_formula(numbers("x", x), *self.parameters)

    def gap(self, x: ArrayLike) -> np.ndarray:
        """Return how far numbers are from the set's core, in half-widths: what orders sets where none is in reach."""
        x, (low, high) = numbers("x", x), self.core
        return (np.maximum(low - x, 0) + np.maximum(x - high, 0)) / self.half_width

    def cut(self, level: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the interval on which the degree is at least `level`, in (0, 1]; they may be infinite.

        Parameters
        ----------
        level : array-like of any shape

        Raises
        ------
        ValueError, TypeError
            If a level is not in (0, 1].
        """
        raise NotImplementedError


class Peaked(FuzzySet):
    """A set that falls from its `center` and ends nowhere. Abstract."""

    if TYPE_CHECKING:
        center: float

    @property
    def core(self) -> tuple[float, float]:
        """The center, twice."""
        return self.center, self.center

    @property
    def support(self) -> tuple[float, float]:
        """The whole line."""
        return -math.inf, math.inf


@dataclass(frozen=True)
class GaussianSet(Peaked):
    """About `center`: exp(−(x − c)²/2w²). See `gaussian`.

    Examples
    --------
    >>> from locmethods.fuzzy import GaussianSet
    >>> GaussianSet(20.0, 5.0).degree([20.0, 25.0, 30.0]).round(3)  # 1, 1/√e, 1/e²
    array([1.   , 0.607, 0.135])
    """

    center: float
    width: float

    def _check(self):
        check_gaussian(self.center, self.width)

    @staticmethod
    def log_formula(x: np.ndarray, center: float, width: float) -> np.ndarray:
        """Return −(x − c)²/2w²."""
        with np.errstate(over="ignore"):  # −inf is what it should be: beyond 10¹⁵⁴ widths
            return -0.5 * ((x - center) / width) ** 2

    @staticmethod
    def formula(x: np.ndarray, center: float, width: float) -> np.ndarray:
        """Return exp(−(x − c)²/2w²)."""
        return np.exp(GaussianSet.log_formula(x, center, width))

    @property
    def half_width(self) -> float:
        """From the center to where the degree is one half."""
        return self.width * HALF

    def cut(self, level: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        reach = self.width * np.sqrt(-2 * np.log(_levels(level)))
        return self.center - reach, self.center + reach


@dataclass(frozen=True)
class BellSet(Peaked):
    """About `center`: 1/(1 + |(x − c)/w|²ᵇ). See `bell`.

    Examples
    --------
    >>> from locmethods.fuzzy import BellSet
    >>> BellSet(20.0, 5.0, 1.0).degree([20.0, 25.0, 35.0])  # 1/(1 + u²)
    array([1. , 0.5, 0.1])
    """

    center: float
    width: float
    slope: float = 2.0

    def _check(self):
        check_bell(self.center, self.width, self.slope)

    @staticmethod
    def log_formula(x: np.ndarray, center: float, width: float, slope: float) -> np.ndarray:
        """Return −log(1 + u²ᵇ), from log u where u²ᵇ is no float any more."""
        with np.errstate(divide="ignore"):  # log 0 at the center
            return -np.logaddexp(0, 2 * slope * np.log(abs((x - center) / width)))

    @staticmethod
    def formula(x: np.ndarray, center: float, width: float, slope: float) -> np.ndarray:
        """Return 1/(1 + u²ᵇ)."""
        with np.errstate(over="ignore"):  # 1/inf is what it should be
            return 1 / (1 + abs((x - center) / width) ** (2 * slope))

    @property
    def half_width(self) -> float:
        """From the center to where the degree is one half."""
        return self.width

    def cut(self, level: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(over="ignore"):  # of a set that is nearly level: it ends nowhere
            reach = self.width * (1 / _levels(level) - 1) ** (0.5 / self.slope)
        return self.center - reach, self.center + reach


class Flanked(FuzzySet):
    """A set with straight flanks from `left` and from `right` up to its top. Abstract: it has a `top`, (low, high)."""

    if TYPE_CHECKING:
        left: float
        right: float
        top: tuple[float, float]

    @property
    def core(self) -> tuple[float, float]:
        """Where the degree is one: the top, or a whole side if there is a shoulder."""
        low, high = self.top
        return (-math.inf if self.left == -math.inf else low), (math.inf if self.right == math.inf else high)

    @property
    def support(self) -> tuple[float, float]:
        """Between the feet."""
        return self.left, self.right

    @property
    def half_width(self) -> float:
        """From the core to where the degree is one half, the mean of both sides."""
        low, high = self.top
        flanks = [width for width in (low - self.left, self.right - high) if 0 < width < math.inf]
        return sum(flanks) / len(flanks) / 2 if flanks else 1.0

    def cut(self, level: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        level, (low, high) = _levels(level), self.top
        return _at(level, self.left, low), _at(level, self.right, high)


@dataclass(frozen=True)
class TriangularSet(Flanked):
    """About `peak`, from `left` to `right`. See `triangular`.

    Examples
    --------
    >>> from locmethods.fuzzy import TriangularSet
    >>> TriangularSet(10.0, 20.0, 25.0).degree([10.0, 15.0, 20.0, 24.0])
    array([0. , 0.5, 1. , 0.2])
    """

    left: float
    peak: float
    right: float

    def _check(self):
        check_triangular(self.left, self.peak, self.right)

    @property
    def top(self) -> tuple[float, float]:
        """The peak, twice."""
        return self.peak, self.peak

    @staticmethod
    def formula(x: np.ndarray, left: float, peak: float, right: float) -> np.ndarray:
        """Return the lower of the two flanks."""
        return TrapezoidSet.formula(x, left, peak, peak, right)

    @staticmethod
    def log_formula(x: np.ndarray, left: float, peak: float, right: float) -> np.ndarray:
        """Return the logarithm of the degree."""
        return TrapezoidSet.log_formula(x, left, peak, peak, right)


@dataclass(frozen=True)
class TrapezoidSet(Flanked):
    """Between `top_left` and `top_right`, and less and less so down to `left` and `right`. See `trapezoid`.

    Examples
    --------
    >>> from locmethods.fuzzy import TrapezoidSet
    >>> TrapezoidSet(10.0, 15.0, 20.0, 30.0).degree([10.0, 12.5, 18.0, 25.0])
    array([0. , 0.5, 1. , 0.5])
    """

    left: float
    top_left: float
    top_right: float
    right: float

    def _check(self):
        check_trapezoid(self.left, self.top_left, self.top_right, self.right)

    @property
    def top(self) -> tuple[float, float]:
        """Where the flanks end."""
        return self.top_left, self.top_right

    @staticmethod
    def formula(x: np.ndarray, left: float, top_left: float, top_right: float, right: float) -> np.ndarray:
        """Return the lower of the two flanks."""
        return np.minimum(_rise(x, left, top_left), _rise(-x, -right, -top_right))

    @staticmethod
    def log_formula(x: np.ndarray, left: float, top_left: float, top_right: float, right: float) -> np.ndarray:
        """Return the logarithm of the degree."""
        with np.errstate(divide="ignore"):
            return np.log(TrapezoidSet.formula(x, left, top_left, top_right, right))


def _levels(level):
    """Return levels of cuts as an array.

    Raises
    ------
    ValueError
        If one is not in (0, 1].
    """
    level = numbers("level", level)
    if not ((level > 0) & (level <= 1)).all():
        raise ValueError(f"level must be in (0, 1], got values from {level.min():g} to {level.max():g}")
    return level


def _at(level, foot, top):
    """Return where a flank reaches a level: nowhere but at its foot if that is infinite."""
    return np.full(np.shape(level), foot) if math.isinf(foot) else foot + level * (top - foot)
