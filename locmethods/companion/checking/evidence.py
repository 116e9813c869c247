"""The parts of a claim: two sides with a bound and its reason, and a broken twin that must be out of bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

RELATIONS = {"same": np.abs, "at most": lambda gap: np.maximum(gap, 0), "at least": lambda gap: np.maximum(-gap, 0)}
FEWEST_SIZES = 3  # a slope through two points is no evidence of an order


class ClaimError(AssertionError):
    """A claim that does not hold, or whose broken twin does."""


@dataclass(frozen=True)
class Part:
    """One comparison of a claim.

    Attributes
    ----------
    name : str
        What it compares, in a few words.
    relation : {"same", "at most", "at least"}
        What `left` must be to `right`, everywhere.
    left, right : ndarray
    within, relative : float
        The comparison may be missed by ``within + relative·|right|``.
    because : str
        The reason for the bound.
    broken : pair of ndarrays
        The two sides of the broken twin.
    how : str
        How it was broken: words that follow "with".
    order : bool
        The sides are slopes, measured over several sizes.
    """

    name: str
    relation: str
    left: np.ndarray
    right: np.ndarray
    within: float
    relative: float
    because: str
    broken: tuple
    how: str
    order: bool = False

    @property
    def bound(self):
        """The bound in words."""
        if not (self.within or self.relative):
            return "exactly"
        absolute = [f"{self.within:.3g}"] * (self.within > 0)
        return "within " + " + ".join(absolute + [f"{self.relative:.3g} relative"] * (self.relative > 0))

    def distance(self, sides=None):
        """Return (excess over the bound, distance, place) where the excess is greatest; of the part's own sides.

        Raises
        ------
        ClaimError
            If the sides can't be compared.
        """
        left, right = (self.left, self.right) if sides is None else sides
        if right.ndim and left.shape != right.shape:
            raise ClaimError(f"the two sides have shapes {left.shape} and {right.shape}")
        if left.size == 0:
            raise ClaimError("the two sides are empty")
        gap = RELATIONS[self.relation](left - right)
        excess = np.where(np.isnan(gap), np.inf, gap - self.within - self.relative * np.abs(right))
        at = np.unravel_index(np.argmax(excess), excess.shape)
        return float(excess[at]), float(gap[at]), tuple(map(int, at))


def same(
    name: str,
    left: Any,
    right: Any,
    *,
    within: float = 0.0,
    relative: float = 0.0,
    because: str,
    broken: Any,
    how: str,
) -> Part:
    """Return the part of a claim that says that two sides are equal, to within a bound.

    Parameters
    ----------
    name : str
        What is compared, in a few words.
    left, right : array-like or Tensor
        Two sides, computed by different routes; a number on the right is compared with every entry.
    within, relative : float, default=0.0
        They may differ by ``within + relative·|right|``.
    because : str
        The reason for the bound.
    broken : array-like, or pair of them
        What a broken implementation, or a violated condition, puts in the place of the left side; a tuple puts it in
        the place of both. It must be out of bounds.
    how : str
        How it was broken, in words that follow "with": "five neighbours instead of four".

    Raises
    ------
    ValueError
        If a bound is negative, words are missing, or the broken twin is not finite.
    """
    return _part(name, "same", left, right, within, relative, because, broken, how)


def at_most(
    name: str,
    left: Any,
    right: Any,
    *,
    within: float = 0.0,
    relative: float = 0.0,
    because: str,
    broken: Any,
    how: str,
) -> Part:
    """Return the part of a claim that says that the left side is nowhere larger; otherwise as `same`."""
    return _part(name, "at most", left, right, within, relative, because, broken, how)


def at_least(
    name: str,
    left: Any,
    right: Any,
    *,
    within: float = 0.0,
    relative: float = 0.0,
    because: str,
    broken: Any,
    how: str,
) -> Part:
    """Return the part of a claim that says that the left side is nowhere smaller; otherwise as `same`."""
    return _part(name, "at least", left, right, within, relative, because, broken, how)


def order(
    name: str,
    sizes: ArrayLike,
    errors: ArrayLike,
    power: float,
    *,
    within: float,
    because: str,
    broken: ArrayLike,
    how: str,
) -> Part:
    """Return the part of a claim that says that errors behave like a power of a size.

    Parameters
    ----------
    name : str
    sizes : array-like of shape (n_sizes,)
        Three or more widths or sample sizes.
    errors : array-like of shape (n_sizes,)
        What is measured at each; its sign is of no account.
    power : float
        The slope of log |error| against log size.
    within : float
        What the slope may be off by.
    because, how : str
        As in `same`.
    broken : array-like of shape (n_sizes,)
        The errors of the broken twin.
    """
    sizes = np.asarray(sizes, dtype=float)
    if sizes.ndim != 1 or len(np.unique(sizes)) < FEWEST_SIZES:
        raise ValueError(f"the order of {name!r} must be measured over at least {FEWEST_SIZES} sizes, got {sizes}")
    return _part(name, "same", slope(sizes, errors), power, within, 0.0, because, slope(sizes, broken), how, order=True)


def slope(sizes, errors):
    """Return the least-squares slope of log |error| against log size."""
    return np.polyfit(np.log(sizes), np.log(np.abs(as_numbers(errors))), 1)[0]


def _part(name, relation, left, right, within, relative, because, broken, how, order=False):
    for key, text in (("the name of a part", name), ("because", because), ("how", how)):
        if not (isinstance(text, str) and text.strip()):
            raise ValueError(f"{key} must be words, got {text!r}")
    if not (within >= 0 and relative >= 0):
        raise ValueError(f"bounds must not be negative, got within={within!r}, relative={relative!r}")
    left, right = as_numbers(left), as_numbers(right)
    broken = tuple(map(as_numbers, broken if isinstance(broken, tuple) else (broken, right)))
    if len(broken) != 2 or not all(np.isfinite(side).all() for side in broken):
        raise ValueError(f"the broken twin of {name!r} must be finite, a left side or a pair of sides")
    return Part(name, relation, left, right, float(within), float(relative), because, broken, how, order)


def as_numbers(value):
    """Return an array or a tensor as a float64 array; truth values are 0 and 1, labels are compared as numbers."""
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if value.dtype.kind not in "bifuc":
        raise ValueError(f"the sides of a claim must be numbers, got an array of dtype {value.dtype}")
    return value if value.dtype.kind == "c" else value.astype(float)
