"""Local polynomials: weighted least squares in monomials of x − x*, one small problem a target, many at once."""

from __future__ import annotations

import math
import numbers
from collections import namedtuple
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from locmethods.arrays.contract import operands
from locmethods.arrays.doors import check_count, to_tensor
from locmethods.engines.bound import carries_grad
from locmethods.means import blocks_of_weights, local_mean

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


def _check_degree(degree):
    check_count("degree", degree, 0)


def _check_rcond(rcond):
    if not (isinstance(rcond, numbers.Real) and not isinstance(rcond, bool) and 0 < rcond < 1):
        raise ValueError(f"rcond must be a number in (0, 1), got {rcond!r}")


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
    import torch

    _check_degree(degree)
    _check_rcond(rcond)
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    data = operands(query, keys, values, kernel=kernel, empty=empty)
    exponents, steps = _monomials(data.points.shape[1], int(degree))
    if not steps:
        return _constants(data, query, keys, values, kernel, empty, exponents)
    coefficients, rank = [], []
    for level, mean, cross, solve, found in _fits(data, empty, steps, rcond):
        slopes = solve @ cross  # (b, p, o)
        level = level.unsqueeze(-2) - mean.unsqueeze(-2) @ slopes
        coefficients.append(torch.cat([level, slopes], -2))
        rank.append(found)
    door, like = data.door, data.points
    answer = torch.cat(coefficients) if coefficients else like.new_zeros(0, len(exponents), door.values.shape[-1])
    rank = torch.cat(rank) if rank else torch.zeros(0, dtype=torch.int64)
    d = like.shape[1]
    gradient = answer[:, 1:d + 1] if degree else answer.new_zeros(len(answer), d, answer.shape[-1])
    parts = [door.leave_outputs(part) for part in (answer[:, 0], gradient, answer)]
    return LocalPolynomial(*parts, exponents.copy(), rank if door.tensor else rank.numpy())


def _constants(data, query, keys, values, kernel, empty, exponents):
    """Return the local polynomial of degree 0."""
    value = local_mean(query, keys, values, kernel=kernel, empty=empty)
    answer = to_tensor(value).reshape(len(data.targets), 1, data.door.values.shape[-1])
    rank = 1 - answer.isnan().any(-1).long().squeeze(-1)  # values are finite: what is not had no weights
    door, shape = data.door, (len(answer), data.points.shape[1], answer.shape[-1])
    gradient, coefficients = (door.leave_outputs(part) for part in (answer.new_zeros(shape), answer))
    return LocalPolynomial(value, gradient, coefficients, exponents.copy(), rank if door.tensor else rank.numpy())


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
    bound, values = data.door.bound, data.door.values
    if not steps or values.device.type != "cpu" or bound.grad or carries_grad(values):
        for at, weight in _blocks(data, empty, 1 + len(steps)):
            design, mean, solve, rank = _window(at, data.points, weight, steps, rcond)
            level = weight @ values
            yield level, mean, design * weight.unsqueeze(-2) @ (values - level.unsqueeze(-2)), solve, rank
        return
    columns = [np.ascontiguousarray(part.detach().numpy().T) for part in (data.points, values)]
    for rows, weight in blocks_of_weights(bound, empty):
        at = data.targets[rows]
        mean, products = _products(at.detach().numpy(), *columns, weight.numpy(), steps)
        p = len(steps)

        def design(index, at=at, weight=weight):
            return _design(at[index], data.points, weight[index], steps)[0]

        solve, rank = _invert(products[..., :p].contiguous(), mean[:, :p], weight, design, rcond)
        yield mean[:, p:], mean[:, :p], products[..., p:], solve, rank


def _products(at, points, values, weight, steps):
    """Return the local means of monomials and values, and the local sums of their products, by compiled loops."""
    from locmethods.engines.native.compiled import in_threads
    from locmethods.engines.native.windows import add_products

    parents, features = np.array(steps, np.int64).T.copy()
    outputs = len(steps) + len(values)
    mean, products = np.empty((len(at), outputs), weight.dtype), np.empty((len(at), len(steps), outputs), weight.dtype)

    def add(first, last):
        add_products(at[first:last], points, weight[first:last], values, parents, features, mean[first:last],
                     products[first:last])

    in_threads(add, len(at), max(1, len(at) // 16))
    return to_tensor(mean), to_tensor(products)


def _blocks(data, empty, n_monomials):
    """Yield targets and their weights, few enough at once that the designs stay in cache."""
    size = max(1, BUDGET // (len(data.points) * n_monomials))
    for rows, block in blocks_of_weights(data.door.bound, empty):
        at = data.targets[rows]
        for first in range(0, len(block), size):
            yield at[first:first + size], block[first:first + size]


def _design(at, points, weight, steps):
    """Return the monomials of xᵢ − x* minus their local means, of shape (b, p, n), and those means, (b, p)."""
    import torch

    gap = points.T.unsqueeze(0) - at.unsqueeze(-1)  # (b, d, n)
    columns = []
    for parent, feature in steps:
        columns.append(gap[:, feature] if parent < 0 else columns[parent] * gap[:, feature])
    design = torch.stack(columns, 1)  # (b, p, n)
    mean = (design @ weight.unsqueeze(-1)).squeeze(-1)
    return design - mean.unsqueeze(-1), mean


def _window(at, points, weight, steps, rcond):
    """Prepare the least-squares problems of a block of targets.

    Returns
    -------
    design, mean
        As from `_design`.
    solve, rank
        As from `_invert`.
    """
    import torch

    if not steps:
        b, n = weight.shape
        ones = torch.ones(b, dtype=torch.int64, device=weight.device)
        return weight.new_zeros(b, 0, n), weight.new_zeros(b, 0), weight.new_zeros(b, 0, 0), ones
    design, mean = _design(at, points, weight, steps)
    gram = (design * weight.unsqueeze(-2)) @ design.mT
    return design, mean, *_invert(gram, mean, weight, lambda index: design[index], rcond)


def _invert(gram, mean, weight, design, rcond):
    """Solve the least-squares problems of a block of targets.

    Parameters
    ----------
    gram : Tensor of shape (b, p, p)
        design · diag(w) · designᵀ.
    mean, weight : Tensor of shape (b, p) and (b, n)
    design : callable
        ``design(index)`` is the design of those targets, of shape (len(index), p, n).
    rcond : float

    Returns
    -------
    solve : Tensor of shape (b, p, p)
        The pseudo-inverses of `gram`.
    rank : integer Tensor of shape (b,)
        With the constant.
    """
    import torch

    variance = gram.diagonal(dim1=-2, dim2=-1)
    # A monomial that is constant in the window but for rounding carries no slope.
    flat = ~(variance > rcond**2 * (variance + mean.square()))
    unit = torch.where(flat, 0.0, torch.where(flat, 1.0, variance).rsqrt())  # (b, p)
    scale = unit.unsqueeze(-1) * unit.unsqueeze(-2)
    correlation = torch.where(scale > 0, gram, 0.0) * scale
    with torch.no_grad():
        spectrum = torch.linalg.eigvalsh(correlation)
        easy = (spectrum[:, 0] * CONDITION > spectrum[:, -1]) & ~flat.any(-1)
    rank = torch.full_like(easy, unit.shape[-1] + 1, dtype=torch.int64)
    solve = torch.zeros_like(correlation)
    if bool(easy.any()):
        root = torch.linalg.cholesky(correlation[easy])
        solve = solve.index_put((easy.nonzero().squeeze(-1),), torch.cholesky_inverse(root))
    hard = (~easy).nonzero().squeeze(-1)
    for some in hard.split(max(1, BUDGET // weight.shape[-1] // unit.shape[-1])):
        inverse, rank[some] = _invert_by_design(design(some), weight[some], unit[some], rcond)
        solve = solve.index_put((some,), inverse)
    solve = solve * scale
    nothing = weight.isnan().any(-1)
    if bool(nothing.any()):
        solve = torch.where(nothing[:, None, None], math.nan, solve)
        rank = torch.where(nothing, 0, rank)
    return solve, rank


def _invert_by_design(design, weight, unit, rcond):
    """The same through the singular values of √w times the design, whose condition is not squared."""
    import torch

    positive = weight > 0  # √ has no slope at zero
    root = torch.where(positive, torch.where(positive, weight, 1.0).sqrt(), 0.0)
    half = torch.where(unit.unsqueeze(-1) > 0, design, 0.0) * unit.unsqueeze(-1) * root.unsqueeze(-2)
    _, size, vector = torch.linalg.svd(half.mT, full_matrices=False)  # (b, k), (b, k, p)
    kept = size > rcond * size[:, :1]
    inverse = torch.where(kept, torch.where(kept, size, 1.0).reciprocal(), 0.0)
    solve = (vector.mT * inverse.square().unsqueeze(-2)) @ vector
    return solve, kept.sum(-1) + 1


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
    _check_degree(degree)
    _check_rcond(rcond)
    data = operands(query, keys, None, kernel=kernel, empty=empty)
    return _rows_of_smoother(data, int(degree), empty, rcond)


def _rows_of_smoother(data, degree, empty, rcond):
    exponents, steps = _monomials(data.points.shape[1], degree)
    for at, weight in _blocks(data, empty, len(exponents)):
        design, mean, solve, _ = _window(at, data.points, weight, steps, rcond)
        tilt = (mean.unsqueeze(-2) @ solve @ design).squeeze(-2)  # (b, n)
        yield data.door.leave(weight * (1 - tilt))


def smoother_matrix(query, keys, *, kernel, degree=0, empty="nearest", rcond=1e-10):
    """Return the equivalent weights of the local polynomial, dense, of shape (n_queries, n_keys).

    Parameters, raises
    ------------------
    As `smoother_blocks`, which gives the same rows a block at a time.
    """
    rows = list(smoother_blocks(query, keys, kernel=kernel, degree=degree, empty=empty, rcond=rcond))
    if not rows:
        return keys[:0, :1] @ keys[:, :1].T
    if isinstance(rows[0], np.ndarray):
        return np.concatenate(rows)
    import torch

    return torch.cat(rows)


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
        rows = rows if isinstance(rows, np.ndarray) else rows.detach().cpu().numpy()
        diagonal.append(rows[np.arange(len(rows)), first + np.arange(len(rows))])
        first += len(rows)
    return np.concatenate(diagonal)
