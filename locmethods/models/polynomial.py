"""Local polynomials: weighted least squares in monomials of x − x*, one small problem a target, many at once."""

from __future__ import annotations

import math
from collections import namedtuple
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from locmethods.arrays.checks import check_count, check_share
from locmethods.arrays.door import operands
from locmethods.arrays.namespace import detached, is_tensor, matrix_transpose, namespace, to_numpy, to_tensor
from locmethods.engines.weights import blocks_of_weights
from locmethods.means import local_mean

__all__ = ["LocalPolynomial", "degrees_of_freedom", "local_polynomial", "smoother_blocks", "smoother_matrix"]

BUDGET = 1 << 18  # numbers in the designs of one block of targets: 2 MiB, about a core's cache
# Normal equations lose the square of the condition: above this condition of the correlation matrix (error
# about 1e4 · ε = 2e-12) a window is solved from its design by singular values instead.
CONDITION = 1e4

LocalPolynomial = namedtuple("LocalPolynomial", ["value", "gradient", "coefficients", "exponents", "rank"])


@lru_cache(maxsize=64)
def _monomials(n_features, degree):
    """Return the monomials of degree 1 … `degree`: exponents, and for each its parent and the feature it adds."""
    combos = [c for k in range(degree + 1) for c in combinations_with_replacement(range(n_features), k)]
    place = {combo: index for index, combo in enumerate(combos)}
    steps = tuple((place[combo[:-1]] - 1, combo[-1]) for combo in combos[1:])
    exponents = np.array([[combo.count(j) for j in range(n_features)] for combo in combos])
    return exponents, steps


def check_degree(degree):
    check_count("degree", degree, 0)


def local_polynomial(query, keys, values, *, kernel, degree=1, empty="nearest", rcond=1e-10):
    """Fit a polynomial around each query by weighted least squares: its value and derivatives there.

    θ(x*) = argmin Σᵢ K(x*, xᵢ) (yᵢ − Σ_α θ_α (xᵢ − x*)^α)² over |α| ≤ degree [cleveland1979]_ [fan1996]_
    [ruppert1994]_; degree 0 is the local mean. A window with too few distinct keys has many minimisers; the one
    taken has the least Euclidean norm in the monomials other than the constant, each centred and scaled to unit
    variance in the window. So a window with a single key gives that key's value and slope zero, adding a
    constant to the values adds it to the fit, and no unit of a feature or a value matters.

    Parameters
    ----------
    query : array-like or Tensor of shape (n_queries, n_features)
    keys : array-like or Tensor of shape (n_keys, n_features)
    values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs)
    kernel : Kernel
        A localization kernel.
    degree : int, default=1
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        Which weights a query with no key in reach has; see `locmethods.local_mean`.
    rcond : float, default=1e-10
        Singular values of the window's design (√w times the standardised monomials) below this share of the
        largest count as zero, and so does the spread of a monomial below this share of its size.

    Returns
    -------
    LocalPolynomial
        ``value`` of shape (n_queries[, n_outputs]); ``gradient`` of shape (n_queries, n_features[, n_outputs]),
        zero for degree 0; ``coefficients`` of shape (n_queries, n_monomials[, n_outputs]), so that the partial
        derivative of multi-index α at the query is α! times its coefficient; ``exponents``, an integer ndarray of
        shape (n_monomials, n_features); ``rank`` of shape (n_queries,), the constant counted, below
        n_monomials where the window is singular.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if `degree` or `rcond` is not as above.
    """
    check_degree(degree)
    check_share("rcond", rcond)
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    data = operands(query, keys, values, kernel=kernel, empty=empty)
    exponents, steps = _monomials(data.keys.shape[1], int(degree))
    if not steps:
        return _constants(data, query, keys, values, kernel, empty, exponents)
    xp, coefficients, rank = namespace(data.keys), [], []
    for level, mean, cross, solve, found in _fits(data, empty, steps, rcond):
        slopes = solve @ cross  # (b, p, o)
        level = level[..., None, :] - mean[..., None, :] @ slopes
        coefficients.append(xp.concat([level, slopes], axis=-2))
        rank.append(found)
    door, like, d = data.door, data.keys, data.keys.shape[1]
    shape = 0, len(exponents), door.values.shape[-1]
    answer = xp.concat(coefficients) if coefficients else xp.zeros(shape, dtype=like.dtype, device=like.device)
    rank = xp.concat(rank) if rank else xp.zeros(0, dtype=xp.int64, device=like.device)
    parts = [door.leave_outputs(part) for part in (answer[:, 0], answer[:, 1:d + 1], answer)]
    return LocalPolynomial(*parts, exponents.copy(), rank)


def _constants(data, query, keys, values, kernel, empty, exponents):
    """Return the local polynomial of degree 0."""
    value = local_mean(query, keys, values, kernel=kernel, empty=empty)
    door, xp = data.door, namespace(value)
    answer = value.reshape(len(data.query), 1, door.values.shape[-1])
    # Values are finite: what is not had no weights.
    rank = 1 - xp.astype(xp.any(xp.isnan(answer), axis=-1)[:, 0], xp.int64)
    gradient = xp.zeros((len(answer), data.keys.shape[1], answer.shape[-1]), dtype=answer.dtype, device=answer.device)
    gradient, coefficients = (part[..., 0] if door.flat else part for part in (gradient, answer))
    return LocalPolynomial(value, gradient, coefficients, exponents.copy(), rank)


def _fits(data, empty, steps, rcond):
    """Yield what the least-squares problems of a block of targets are made of.

    Yields
    ------
    level, mean : Tensor of shape (b, o) and (b, p)
        Local means of the values, and of the monomials of x − x*.
    cross : Tensor of shape (b, p, o)
        Σ w (m − mean)(v − level).
    solve, rank
        As `_invert` returns them.
    """
    door = data.door
    if not steps or door.grad or (is_tensor(door.values) and door.values.device.type != "cpu"):
        for at, weight in _blocks(data, empty, 1 + len(steps)):
            design, mean, solve, rank = _window(at, data.keys, weight, steps, rcond)
            level = weight @ door.values
            cross = design * weight[..., None, :] @ (door.values - level[..., None, :])
            yield level, mean, cross, solve, rank
        return
    columns = [np.ascontiguousarray(to_numpy(part).T) for part in (data.keys, door.values)]
    for rows, weight in blocks_of_weights(door.bound, empty):
        at, p = data.query[rows], len(steps)
        mean, products = (_as(weight, part) for part in _products(to_numpy(at), *columns, to_numpy(weight), steps))

        def design(index, at=at, weight=weight):
            return _design(at[index], data.keys, weight[index], steps)[0]

        solve, rank = _invert(products[..., :p], mean[:, :p], weight, design, rcond)
        yield mean[:, p:], mean[:, :p], products[..., p:], solve, rank


def _as(reference, array):
    return to_tensor(array) if is_tensor(reference) else array


def _products(at, points, values, weight, steps):
    """Return the local means of monomials and values, and the local sums of their products, by compiled loops."""
    from locmethods.engines.native.threads import in_threads
    from locmethods.engines.native.windows import add_products

    parents, features = np.array(steps, np.int64).T.copy()
    outputs = len(steps) + len(values)
    mean, products = np.empty((len(at), outputs)), np.empty((len(at), len(steps), outputs))

    def add(first, last):
        add_products(at[first:last], points, weight[first:last], values, parents, features, mean[first:last],
                     products[first:last])

    in_threads(add, len(at), max(1, len(at) // 16))
    return mean, products


def _blocks(data, empty, n_monomials):
    """Yield targets and their weights, few enough at once that the designs stay in cache."""
    size = max(1, BUDGET // (len(data.keys) * n_monomials))
    for rows, block in blocks_of_weights(data.door.bound, empty):
        at = data.query[rows]
        for first in range(0, len(block), size):
            yield at[first:first + size], block[first:first + size]


def _design(at, points, weight, steps):
    """Return the monomials of xᵢ − x* minus their local means, of shape (b, p, n), and those means, (b, p)."""
    gap = matrix_transpose(points)[None] - at[..., None]  # (b, d, n)
    columns = []
    for parent, feature in steps:
        columns.append(gap[:, feature] if parent < 0 else columns[parent] * gap[:, feature])
    design = namespace(gap).stack(columns, axis=1)  # (b, p, n)
    mean = (design @ weight[..., None])[..., 0]
    return design - mean[..., None], mean


def _window(at, points, weight, steps, rcond):
    """Prepare the least-squares problems of a block of targets.

    Returns
    -------
    design, mean
        As from `_design`.
    solve, rank
        As from `_invert`.
    """
    if not steps:
        xp, (b, n) = namespace(weight), weight.shape
        empty = [xp.zeros(shape, dtype=weight.dtype, device=weight.device) for shape in ((b, 0, n), (b, 0), (b, 0, 0))]
        return *empty, xp.ones(b, dtype=xp.int64, device=weight.device)
    design, mean = _design(at, points, weight, steps)
    gram = (design * weight[..., None, :]) @ matrix_transpose(design)
    return design, mean, *_invert(gram, mean, weight, lambda index: design[index], rcond)


def _invert(gram, mean, weight, design, rcond):
    """Solve the least-squares problems of a block of targets.

    Parameters
    ----------
    gram : array of shape (b, p, p)
        design · diag(w) · designᵀ.
    mean, weight : array of shape (b, p) and (b, n)
    design : callable
        ``design(index)`` is the design of those targets, of shape (len(index), p, n).
    rcond : float

    Returns
    -------
    solve : array of shape (b, p, p)
        The pseudo-inverses of `gram`.
    rank : integer array of shape (b,)
        With the constant.
    """
    xp = namespace(gram)
    nothing = xp.any(xp.isnan(weight), axis=-1)
    gram = xp.where(nothing[:, None, None], 0.0, gram)
    variance = xp.linalg.diagonal(gram)
    # A monomial that is constant in the window but for rounding carries no slope.
    flat = ~(variance > rcond**2 * (variance + mean * mean))
    unit = xp.where(flat, 0.0, 1 / xp.sqrt(xp.where(flat, 1.0, variance)))  # (b, p)
    scale = unit[..., :, None] * unit[..., None, :]
    correlation = xp.where(scale > 0, gram, 0.0) * scale
    spectrum = xp.linalg.eigvalsh(detached(correlation))
    easy = (spectrum[:, 0] * CONDITION > spectrum[:, -1]) & ~xp.any(flat, axis=-1)
    rank = xp.full(len(unit), unit.shape[-1] + 1, dtype=xp.int64, device=unit.device)
    solve = xp.zeros_like(correlation)
    if bool(easy.any()):
        solve[easy] = xp.linalg.inv(correlation[easy])
    hard = xp.nonzero(~easy)[0]
    size = max(1, BUDGET // weight.shape[-1] // unit.shape[-1])
    for first in range(0, len(hard), size):
        some = hard[first:first + size]
        solve[some], rank[some] = _invert_by_design(design(some), weight[some], unit[some], rcond)
    solve = xp.where(nothing[:, None, None], math.nan, solve * scale)
    return solve, xp.where(nothing, 0, rank)


def _invert_by_design(design, weight, unit, rcond):
    """The same through the singular values of √w times the design, whose condition is not squared."""
    xp = namespace(design)
    positive = weight > 0  # √ has no slope at zero, and NaN, where there are no weights, counts as none
    root = xp.where(positive, xp.sqrt(xp.where(positive, weight, 1.0)), 0.0)
    half = xp.where((unit[..., None] > 0) & positive[..., None, :], design, 0.0) * unit[..., None] * root[..., None, :]
    _, size, vector = xp.linalg.svd(matrix_transpose(half), full_matrices=False)  # (b, k), (b, k, p)
    kept = size > rcond * size[:, :1]
    inverse = xp.where(kept, 1 / xp.where(kept, size, 1.0), 0.0)
    solve = (matrix_transpose(vector) * (inverse * inverse)[..., None, :]) @ vector
    return solve, xp.sum(xp.astype(kept, xp.int64), axis=-1) + 1


def smoother_blocks(query, keys, *, kernel, degree=0, empty="nearest", rcond=1e-10):
    """Yield the equivalent weights of the local polynomial, a block of queries at a time.

    l(x*) is the row for which the fitted value is Σᵢ lᵢ(x*) yᵢ, whatever the values are [hastie1990]_. Rows sum
    to one; for degree 1 also Σᵢ lᵢ xᵢ = x* unless the window is singular, and entries may be negative.

    Parameters
    ----------
    query, keys, kernel, degree, empty, rcond
        As in `local_polynomial`.

    Yields
    ------
    ndarray or Tensor of shape (n_rows, n_keys)
        In order of the queries.

    Raises
    ------
    ValueError, TypeError
        As `local_polynomial`, before the first block.
    """
    check_degree(degree)
    check_share("rcond", rcond)
    data = operands(query, keys, None, kernel=kernel, empty=empty)
    return _rows_of_smoother(data, int(degree), empty, rcond)


def _rows_of_smoother(data, degree, empty, rcond):
    exponents, steps = _monomials(data.keys.shape[1], degree)
    for at, weight in _blocks(data, empty, len(exponents)):
        design, mean, solve, _ = _window(at, data.keys, weight, steps, rcond)
        tilt = (mean[..., None, :] @ solve @ design)[..., 0, :]  # (b, n)
        yield data.door.leave(weight * (1 - tilt))


def smoother_matrix(query, keys, *, kernel, degree=0, empty="nearest", rcond=1e-10):
    """Return the equivalent weights of the local polynomial, dense, of shape (n_queries, n_keys).

    Parameters, raises
    ------------------
    As `smoother_blocks`, which gives the same rows a block at a time.
    """
    rows = list(smoother_blocks(query, keys, kernel=kernel, degree=degree, empty=empty, rcond=rcond))
    if not rows:
        keys = keys if is_tensor(keys) else np.asarray(keys)
        return keys[:0, :1] @ matrix_transpose(keys[:, :1])
    return namespace(rows[0]).concat(rows)


def degrees_of_freedom(keys, *, kernel, degree=0, empty="nearest", rcond=1e-10):
    """Return tr S, the effective degrees of freedom of the local polynomial on its own keys [hastie1990]_.

    For a smooth kernel they run from the number of distinct keys (bandwidth → 0) to the number of monomials
    (bandwidth → ∞).

    Parameters
    ----------
    keys : array-like or Tensor of shape (n_keys, n_features)
    kernel, degree, empty, rcond
        As in `local_polynomial`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As `local_polynomial`.
    """
    return float(sum(own_weights(keys, kernel=kernel, degree=degree, empty=empty, rcond=rcond)))


def own_weights(keys, *, kernel, degree=0, empty="nearest", rcond=1e-10):
    """Return the diagonal S_ii of the smoother on its own keys, an ndarray of shape (n_keys,)."""
    diagonal, first = [], 0
    for rows in smoother_blocks(keys, keys, kernel=kernel, degree=degree, empty=empty, rcond=rcond):
        rows = to_numpy(rows)
        diagonal.append(rows[np.arange(len(rows)), first + np.arange(len(rows))])
        first += len(rows)
    return np.concatenate(diagonal)
