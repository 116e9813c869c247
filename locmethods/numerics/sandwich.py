"""Two polynomials between which the exponential lies on an interval about zero.

Let H be the polynomial that agrees with exp, in value and slope, at some nodes τ₁ … τₘ. With ω(t) = Π (t − τⱼ),

    exp t = H(t) + ω(t)² φ(t),

where φ(t) is the divided difference of exp at all nodes, each twice, and t. All derivatives of exp being positive, φ is
positive and increases, so that on [−T, T]

    H + φ(−T) ω²  ≤  exp  ≤  H + φ(T) ω².

Both are polynomials of degree 2m, and they are close where ω² is small: about the nodes, which may stand where most
arguments are. A greatest error on [−T, T], by contrast, is governed by the few that are large.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Digits in which divided differences are formed, beside those that the nodes' distances cost: each order of the
# differences divides by such a distance, and each division may lose its digits.
DIGITS, EACH = 40, 4


class Sandwich(NamedTuple):
    """exp lies within ``half`` of ``middle`` on [−T, T], both polynomials, and half ≥ 0 everywhere.

    Attributes
    ----------
    middle, half : ndarray of shape (degree + 1,)
        Coefficients of t⁰, t¹, …, each rounded once.
    """

    middle: np.ndarray
    half: np.ndarray


@lru_cache(maxsize=512)
def around(reach: float, spread: float, degree: int) -> Sandwich:
    """Return the `Sandwich` on [−reach, reach] whose nodes are those of Gauss for a normal law.

    Parameters
    ----------
    reach : float
        T, positive.
    spread : float
        The law's standard deviation, positive; nodes stay within the interval, for which it may be lowered.
    degree : int
        Even, at least 2.
    """
    nodes, _ = np.polynomial.hermite_e.hermegauss(degree // 2)
    scale = min(spread, 0.95 * reach / max(1.0, nodes[-1]))
    # Nodes that nearly coincide would cost more digits than they could repay.
    scale = max(scale, 1e-3 * reach)
    with localcontext() as context:
        context.prec = DIGITS + EACH * degree
        doubled = [Decimal(float(node * scale)) for node in nodes for _ in range(2)]
        slopes = _divided(doubled)
        hermite, square = [Decimal(0)], [Decimal(1)]
        for node, slope in zip(doubled, slopes, strict=True):
            hermite = _plus(hermite, [slope * c for c in square])
            square = _plus([Decimal(0), *square], [-node * c for c in square])
        low, high = (_left(Decimal(t), hermite, square) for t in (-reach, reach))
        middle = _plus(hermite, [(low + high) / 2 * c for c in square])
        half = [(high - low) / 2 * c for c in square]
        return Sandwich(*(np.array([float(c) for c in part]) for part in (middle, half)))


def _divided(doubled):
    """Return the divided differences of exp at the first 1, 2, … of some nodes, equal ones side by side."""
    column, found = [node.exp() for node in doubled], []
    first = column
    for order in range(len(doubled)):
        found.append(column[0])
        column = [first[i] if doubled[i] == doubled[i + order + 1]
                  else (column[i + 1] - column[i]) / (doubled[i + order + 1] - doubled[i])
                  for i in range(len(column) - 1)]
    return found


def _left(t, hermite, square):
    """Return φ(t) = (exp t − H(t))/ω(t)²."""
    return (t.exp() - _at(t, hermite)) / _at(t, square)


def _at(t, polynomial):
    total = Decimal(0)
    for c in reversed(polynomial):
        total = total * t + c
    return total


def _plus(left, right):
    """Return the sum of two polynomials."""
    size = max(len(left), len(right))
    left, right = (part + [Decimal(0)] * (size - len(part)) for part in (left, right))
    return [a + b for a, b in zip(left, right, strict=True)]
