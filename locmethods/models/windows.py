"""Local polynomials in windows that normal equations cannot solve: few keys, keys on a line, weights that fade away.

Each window is solved for itself, in coordinates of its own, and falls to the highest degree that it carries.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from scipy.linalg import lapack

from locmethods.arrays.namespace import detached, is_tensor, like, namespace, to_numpy

# A window carries a degree if the sizes of its equivalent weights, Σ |lᵢ|, sum to no more than this, monomial by
# monomial: an error in the values comes into the fit so many times as large, and ten of sixteen digits are left.
LARGEST = 1e6
ROUNDING = 4 * np.finfo(float).eps  # a gap between two coordinates below this share of their size is none


@lru_cache(maxsize=64)
def monomials(n_features, degree):
    """Return the monomials of degree 0 … `degree` by degree: exponents, and of all but the constant the steps.

    The step of a monomial is its parent, counted without the constant and −1 for it, and the feature that it adds.
    """
    combos = [c for k in range(degree + 1) for c in combinations_with_replacement(range(n_features), k)]
    place = {combo: index for index, combo in enumerate(combos)}
    steps = tuple((place[combo[:-1]] - 1, combo[-1]) for combo in combos[1:])
    exponents = np.array([[combo.count(j) for j in range(n_features)] for combo in combos])
    return exponents, steps


@lru_cache(maxsize=16)
def _shifts(n_features, degree):
    """Return how x^β is made of powers of x − x*: Π C(βⱼ, αⱼ) and the exponents β − α of x*, for each α and β.

    Of shapes (p, p) and (p, p, d), without the constant; the number is zero where β − α has a negative exponent.
    """
    exponents = monomials(n_features, degree)[0][1:]
    left = exponents[None] - exponents[:, None]
    number = np.array([[math.prod(map(math.comb, beta, alpha)) for beta in exponents.tolist()]
                       for alpha in exponents.tolist()], dtype=float)
    return number, np.maximum(left, 0)


def window_rows(at, points, weight, degree, rcond, own=None):
    """Return the equivalent weights of every coefficient of the fit around one target, and its rank.

    Coordinates are measured from the heaviest key, so that the others' monomials keep their digits however light
    they are, and in the window's own spread, so that no power over- or underflows.

    Parameters
    ----------
    at : array of shape (d,)
    points : array of shape (n, d)
    weight : array of shape (n,)
        Normalised, not all zero.
    degree : int
    rcond : float
        Pivots of √w times the standardised monomials below this share of the largest count as zero.
    own : ndarray of shape (n,), optional
        The part of the weights that is a key's own, whatever the target. The heaviest key is the one that is heaviest
        without it, so that a key of weight two is what two keys are where the window is singular, too.

    Returns
    -------
    rows : array of shape (1 + p, n)
        The coefficient of (x − x*)^α is the row of α times the values; monomials in the order of `monomials`.
    rank : int
        With the constant.
    """
    xp, d = namespace(weight), points.shape[1]
    exponents, steps = monomials(d, degree)
    here = xp.nonzero(weight > 0)[0]
    x, w = points[here], weight[here]
    heavy = int(xp.argmax(w)) if own is None else _first_of_heaviest(w / own[here])
    gap = x - x[heavy]
    gap = xp.where(abs(gap) <= ROUNDING * xp.maximum(abs(x), abs(x[heavy])), 0.0, gap)
    unit = _units(to_numpy(gap), to_numpy(w), degree)
    size = like(unit, gap)
    place = (at - x[heavy]) / size
    rows = xp.zeros((len(exponents), len(weight)), dtype=weight.dtype, device=weight.device)
    found, top = None, degree
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not carried
        columns, corner = _powers(gap / size, steps), _powers(place, steps)
        while found is None and top > 0:
            m = math.comb(d + top, d) - 1
            found = _carried(columns[:, :m], corner[:m], w, heavy, rcond)
            top -= found is None
        if found is None:
            rows[0, here] = w
            return rows, 1
        level, slopes, rank = found
        number, left = (like(part[:m, :m], gap) for part in _shifts(d, degree))
        shift = number * xp.prod(place ** left, axis=-1)
        shift = shift / like(np.prod(unit ** exponents[1:m + 1], axis=1), gap)[:, None]
        rows[0, here] = level
        rows[1:m + 1, here] = shift @ slopes  # beyond every number, it may be, between keys that almost coincide
    return rows, rank


def _first_of_heaviest(weight):
    """Return the first of the weights that are the largest but for the rounding of a quotient."""
    return int(np.argmax(weight >= weight.max() * (1 - ROUNDING)))


def _units(gap, weight, degree):
    """Return powers of two by which √w |gap|ᵈᵉᵍʳᵉᵉ is at most one, and close to one for some key, in each feature."""
    share = (weight / weight.max()) ** (0.5 / degree)
    size = np.max(np.abs(gap) * share[:, None], axis=0)
    return np.exp2(np.ceil(np.log2(np.where(size > 0, size, 1.0))))


def _powers(points, steps):
    """Return the monomials of points of shape (…, d), without the constant, of shape (…, p)."""
    columns = []
    for parent, feature in steps:
        column = points[..., feature]
        columns.append(column if parent < 0 else columns[parent] * column)
    return namespace(points).stack(columns, axis=-1)


def _carried(columns, place, weight, heavy, rcond):
    """Return value weights, slope weights and rank of a fit in these monomials, or None if it is not carried.

    The level is eliminated by one of Householder's reflections, onto the row of the heaviest key, where all monomials
    are zero: to subtract means instead would lose what light keys say beside several heavy ones.
    """
    xp = namespace(weight)
    mean, root = weight @ columns, xp.sqrt(weight)
    share = 1 / (1 + root[heavy])
    others = xp.astype(xp.arange(len(weight), device=weight.device) != heavy, weight.dtype)
    reduced = (columns - mean * share) * (root * others)[:, None]
    size = xp.linalg.vector_norm(reduced, axis=0)
    if not bool(xp.all(xp.isfinite(size))):
        return None
    flat = size == 0  # a monomial that is the same at all keys carries no slope
    unit = xp.where(flat, 0.0, 1 / xp.where(flat, 1.0, size))
    inverse, rank = pseudo_inverse(reduced * unit, rcond)
    slopes = inverse * unit[:, None]  # (m, n), of reduced values √w (v − v̄/(1 + √w₁)), counted from the heaviest key's
    slopes = (slopes * root - (slopes @ root)[:, None] * share * weight) * others
    slopes = slopes - xp.sum(slopes, axis=1)[:, None] * (1 - others)
    lever = place - mean
    terms = 1 + float(xp.sum(abs(detached(lever)) @ abs(detached(slopes))))
    return (weight + lever @ slopes, slopes, 1 + rank) if terms <= LARGEST else None


def pseudo_inverse(matrix, rcond):
    """Return the pseudo-inverse of a matrix of shape (n, m) with columns of length one or zero, and its rank.

    By Householder's reflections of rows in order of their size, columns by pivots: so each row is perturbed by a
    share of itself only, and keys may differ by many powers of ten in weight.
    """
    array = to_numpy(matrix)
    order = np.argsort(-np.abs(array).max(axis=1), kind="stable")
    packed, pivots, tau, _, _ = lapack.dgeqp3(np.asfortranarray(array[order]))
    pivots, m = pivots - 1, array.shape[1]
    rank = int((np.abs(np.diagonal(packed)) > rcond).sum())
    left, _, _ = lapack.dorgqr(np.asfortranarray(packed[:, :min(packed.shape)]), tau)
    left, upper = left[:, :rank], np.triu(packed)[:rank]
    inverse = np.zeros((m, len(array)))
    if rank == m:
        inverse[np.ix_(pivots, order)] = np.linalg.solve(upper, left.T)
    elif rank:
        across, lower = np.linalg.qr(upper.T)
        inverse[np.ix_(pivots, order)] = across @ np.linalg.solve(lower.T, left.T)
    return (_with_graph(matrix, inverse) if is_tensor(matrix) else inverse), rank


def _with_graph(matrix, inverse):
    """Return the pseudo-inverse of a tensor as part of its graph: the derivative at constant rank.

    dP = −P dA P + P Pᵀ dAᵀ (1 − A P) + (1 − P A) dAᵀ Pᵀ P.
    """
    import torch

    class PseudoInverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, A):
            P = like(inverse, A)
            ctx.save_for_backward(A, P)
            return P

        @staticmethod
        def backward(ctx, G):
            A, P = ctx.saved_tensors
            outer = G.mT - A @ (P @ G.mT)
            return -P.mT @ G @ P.mT + outer @ P @ P.mT + P.mT @ (P @ (G.mT - (G.mT @ P) @ A))

    return PseudoInverse.apply(matrix)
