"""Local polynomials: weighted least squares in monomials of x − x*, one small problem a target, many at once."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_share
from locmethods.arrays.door import operands
from locmethods.arrays.namespace import detached, is_tensor, like, matrix_transpose, namespace, to_numpy, to_tensor
from locmethods.arrays.types import Array
from locmethods.engines.weights import blocks_of_weights
from locmethods.kernels import Kernel
from locmethods.means import local_mean
from locmethods.models.windows import monomials, window_rows
from locmethods.numerics.threads import in_threads

__all__ = ["LocalPolynomial", "degrees_of_freedom", "local_polynomial", "smoother_blocks", "smoother_matrix"]

BUDGET = 1 << 18  # numbers in the designs of one block of targets: 2 MiB, about a core's cache
PRODUCTS = 1 << 22  # numbers in the products of one block of targets, 32 MiB
MONOMIALS = 4096  # at most so many: their products take 128 MiB a target
# Normal equations lose the square of the condition: above this condition of the correlation matrix (error
# about 1e4 · ε = 2e-12) a window is solved for itself, from its design.
CONDITION = 1e4
TINY = 1e-280  # a variance between this and its inverse is a normal number, and so is a product of two roots

LocalPolynomial = namedtuple("LocalPolynomial", ["value", "gradient", "coefficients", "exponents", "rank"])


def check_degree(degree, n_features=None):
    """Raise ValueError unless `degree` is a count and, of so many features, its monomials are not too many."""
    check_count("degree", degree, 0)
    if n_features is None:
        return
    if degree >= MONOMIALS or math.comb(n_features + int(degree), int(degree)) > MONOMIALS:
        number = _binomial(n_features + int(degree), min(int(degree), n_features))
        raise ValueError(f"degree must leave no more than {MONOMIALS} monomials, got {degree!r}, which makes {number} "
                         f"of {n_features} feature{'s' if n_features > 1 else ''}")


def _binomial(n, k):
    """Return the binomial coefficient in words: its digits if there are few, else its power of ten."""
    size = sum(math.log10(n - i) - math.log10(i + 1) for i in range(k))
    return str(math.comb(n, k)) if size < 15 else f"about 1e{size:.0f}"


def local_polynomial(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 1,
    empty: str = "nearest",
    rcond: float = 1e-10,
    sample_weight: ArrayLike | None = None,
) -> LocalPolynomial:
    """Fit a polynomial around each query by weighted least squares: its value and derivatives there.

    θ(x*) = argmin Σᵢ K(x*, xᵢ) (yᵢ − Σ_α θ_α (xᵢ − x*)^α)² over |α| ≤ degree [cleveland1979]_ [fan1996]_
    [ruppert1994]_; degree 0 is the local mean. A window with too few distinct keys has many minimisers; the one
    taken has the least Euclidean norm in the monomials other than the constant, each measured from the heaviest key,
    centred and scaled to unit variance in the window. A window carries a degree if the weights lᵢ with which the
    values enter that fit are not huge, Σ |lᵢ| ≤ 1e6, monomial by monomial; where it does not, as for a target far
    outside a tiny cluster, the fit is that of the highest lower degree that it carries. So a window with a single key
    gives that key's value and slope zero, keys on a line have the slope along it, adding a constant to the values
    adds it to the fit, and no unit of a feature or a value matters.

    Columns that a kernel of levels compares (`Categorical`, `Ordered`) count for the weights alone: the polynomial is
    one in the other columns, the features.

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
        Pivots of the window's design (√w times the standardised monomials) below this share of the largest count
        as zero.
    sample_weight : array-like of shape (n_keys,), optional
        What each key counts beside the kernel, positive: the weights are K(x*, xᵢ) times it, so that a key of weight
        two counts as two keys. Not with tensors.

    Returns
    -------
    LocalPolynomial
        ``value`` of shape (n_queries[, n_outputs]); ``gradient`` of shape (n_queries, n_features[, n_outputs]),
        zero for degree 0; ``coefficients`` of shape (n_queries, n_monomials[, n_outputs]), so that the partial
        derivative of multi-index α at the query is α! times its coefficient; ``exponents``, an integer ndarray of
        shape (n_monomials, n_features); ``rank`` of shape (n_queries,), the constant counted: how many combinations
        of monomials are fitted, below n_monomials where the window is singular or its degree was lowered, 0 without
        a key.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if `degree` or `rcond` is not as above or makes more than 4096 monomials, or
        a polynomial has no column of numbers.

    Examples
    --------
    >>> from locmethods import local_polynomial
    >>> from locmethods.kernels import Flat
    >>> fit = local_polynomial([[0.5]], [[0.0], [1.0], [9.0]], [1.0, 3.0, 7.0], kernel=Flat(2.0))
    >>> fit.value.round(6), fit.gradient.round(6)
    (array([2.]), array([[2.]]))
    """
    check_degree(degree)
    check_share("rcond", rcond)
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    data = _in_numbers(operands(query, keys, values, kernel=kernel, empty=empty), kernel, degree)
    own = _own_weights(sample_weight, data)
    exponents, steps = monomials(data.keys.shape[1], int(degree))
    if not steps:
        return _constants(data, query, keys, values, kernel, empty, exponents, own)
    xp, door, d = namespace(data.keys), data.door, data.keys.shape[1]
    unit = _rescale(data)
    found = list(_fits(data, empty, int(degree), rcond, own))
    if found:
        answer, rank = (xp.concat(part) for part in zip(*found, strict=True))
    else:
        shape, place = (0, len(exponents), door.values.shape[-1]), data.keys.device
        answer = xp.zeros(shape, dtype=data.keys.dtype, device=place)
        rank = xp.zeros(0, dtype=xp.int64, device=place)
    answer = _in_units(answer, -exponents @ unit)
    value, gradient, coefficients = map(door.leave_outputs, (answer[:, 0], answer[:, 1:d + 1], answer))
    return LocalPolynomial(value, gradient, coefficients, exponents.copy(), rank)


def columns_of_numbers(kernel, n_features, degree):
    """Return the columns in which a polynomial is one, once its degree is seen to do: those that hold no levels.

    What stands in the others are codes, which carry no slope; the kernel compares them all the same.

    Raises
    ------
    ValueError
        If `degree` is not 0 and there are none, or as `check_degree`.
    """
    levels = kernel.labelled(n_features, "keys")
    numbers = [j for j in range(n_features) if j not in levels]
    if degree > 0 and not numbers:
        raise ValueError(f"a polynomial of degree {degree} needs a column of numbers, and kernels of levels compare "
                         f"all of {n_features}: take degree=0")
    check_degree(degree, len(numbers))
    return numbers


def _in_numbers(data, kernel, degree):
    """Leave the columns that kernels of levels compare out of the polynomial."""
    numbers = columns_of_numbers(kernel, data.keys.shape[1], degree)
    if len(numbers) < data.keys.shape[1]:
        data.query, data.keys = data.query[:, numbers], data.keys[:, numbers]
    return data


def _rescale(data):
    """Bring the points' features to spreads of about one, so that no power of them over- or underflows.

    By powers of two, whose exponents are returned: no digit changes.
    """
    keys = to_numpy(data.keys)
    with np.errstate(over="ignore"):
        spread = np.ptp(keys, axis=0)
        unit = np.frexp(np.where(np.isfinite(spread) & (spread > 0), spread, 1.0))[1]
        data.query, data.keys = (_in_units(part, -unit) for part in (data.query, data.keys))
    return unit


def _in_units(array, unit):
    """Return an array times two to the power of `unit`, which goes along the last axis, or the last but one of three.

    In steps, none of which overflows before the product does.
    """
    while True:
        part = np.clip(unit, -1000, 1000)
        factor = like(np.exp2(part.astype(float)), array)
        with np.errstate(over="ignore"):  # what is beyond every number is infinite
            array = array * (factor[:, None] if array.ndim == 3 else factor)
        unit = unit - part
        if not unit.any():
            return array


def _own_weights(sample_weight, data):
    """Return what each key counts beside the kernel as doubles of shape (n_keys,), at most one; None if all alike."""
    if sample_weight is None:
        return None
    weight, n = as_array("sample_weight", sample_weight), len(data.keys)
    if is_tensor(weight) or data.door.tensor:
        raise TypeError("sample_weight is taken with arrays only: call the tensors' numpy()")
    if weight.shape != (n,) or not (weight > 0).all():
        raise ValueError(f"sample_weight must be {n} positive numbers, one a key, got an array of shape {weight.shape}"
                         f"{' with others' if weight.shape == (n,) else ''}")
    return weight / weight.max()


def _weights(data, empty, own):
    """Yield blocks of targets and their normalised weights, the keys' own included."""
    for rows, weight in blocks_of_weights(data.door.bound, empty):
        if own is not None:
            weight = weight * own
            weight /= weight.sum(axis=-1, keepdims=True)
        yield rows, weight


def _constants(data, query, keys, values, kernel, empty, exponents, own):
    """Return the local polynomial of degree 0."""
    if own is None:
        value = local_mean(query, keys, values, kernel=kernel, empty=empty)
    else:  # Σ K w v / Σ K w
        columns = np.hstack([own[:, None] * data.door.values, own[:, None]])
        mean = local_mean(query, keys, columns, kernel=kernel, empty=empty)
        value = data.door.leave_outputs(mean[:, :-1] / mean[:, -1:])
    door, xp = data.door, namespace(value)
    answer = value.reshape(len(data.query), 1, door.values.shape[-1])
    # Values are finite: what is not had no weights.
    rank = 1 - xp.astype(xp.any(xp.isnan(answer), axis=-1)[:, 0], xp.int64)
    gradient = xp.zeros((len(answer), data.keys.shape[1], answer.shape[-1]), dtype=answer.dtype, device=answer.device)
    gradient, coefficients = (part[..., 0] if door.flat else part for part in (gradient, answer))
    return LocalPolynomial(value, gradient, coefficients, exponents.copy(), rank)


def _fits(data, empty, degree, rcond, own):
    """Yield the coefficients of a block of targets, of shape (b, 1 + p, n_outputs), and their ranks."""
    door, (_, steps) = data.door, monomials(data.keys.shape[1], degree)
    if door.grad or (is_tensor(door.values) and door.values.device.type != "cpu"):
        for at, weight in _blocks(data, empty, 1 + len(steps)):  # of tensors, whose keys have no weights of their own
            design, mean = _design(at, data.keys, weight, steps)
            level, half = weight @ door.values, design * weight[..., None, :]
            cross = half @ (door.values - level[..., None, :])
            yield _solved(at, data.keys, weight, door.values, (level, mean, half @ matrix_transpose(design), cross),
                          degree, rcond, own)
        return
    query, keys, values = map(to_numpy, (data.query, data.keys, door.values))
    columns, p = [np.ascontiguousarray(part.T) for part in (keys, values)], len(steps)
    size = max(1, PRODUCTS // (p * (p + values.shape[1])))
    for rows, block in _weights(data, empty, own):
        for first in range(0, len(block), size):
            at, weight = query[rows][first:first + size], to_numpy(block[first:first + size])
            mean, products = _products(at, *columns, weight, steps)
            sums = mean[:, p:], mean[:, :p], products[..., :p], products[..., p:]
            found = _solved(at, keys, weight, values, sums, degree, rcond, own)
            yield tuple(map(to_tensor, found)) if door.tensor else found


def _solved(at, keys, weight, values, sums, degree, rcond, own):
    """Return coefficients and ranks of a block of targets.

    Parameters
    ----------
    sums : tuple of arrays of shapes (b, o), (b, p), (b, p, p) and (b, p, o)
        Local means of the values and of the monomials of x − x*; Σ w (m − mean)(m − mean)ᵀ and
        Σ w (m − mean)(v − level).
    """
    level, mean, gram, cross = sums
    xp = namespace(weight)
    solve, mean, rank, hard = _invert(gram, mean, weight)
    with np.errstate(over="ignore", invalid="ignore"):
        slopes = solve @ xp.where(rank[:, None, None] > 1, cross, 0.0)  # (b, p, o)
    level = level[..., None, :] - mean[..., None, :] @ slopes
    coefficients = xp.concat([level, slopes], axis=-2)
    for index in hard:
        rows, found = window_rows(at[index], keys, weight[index], degree, rcond, own)
        coefficients[index], rank[index] = rows @ values, found
    return coefficients, rank


def _products(at, points, values, weight, steps):
    """Return the local means of monomials and values, and the local sums of their products, by compiled loops."""
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
        with np.errstate(over="ignore", invalid="ignore"):  # a window whose powers overflow is solved for itself
            columns.append(gap[:, feature] if parent < 0 else columns[parent] * gap[:, feature])
    design = namespace(gap).stack(columns, axis=1)  # (b, p, n)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = (design @ weight[..., None])[..., 0]
        return design - mean[..., None], mean


def _invert(gram, mean, weight):
    """Solve the least-squares problems of a block of targets, those that normal equations can solve.

    Parameters
    ----------
    gram : array of shape (b, p, p)
        design · diag(w) · designᵀ.
    mean, weight : array of shape (b, p) and (b, n)

    Returns
    -------
    solve : array of shape (b, p, p)
        The inverses of `gram`; zero for a window with one key or none, and for those that are left, NaN without a key.
    mean : array of shape (b, p)
        Zero where `solve` is.
    rank : integer array of shape (b,)
        With the constant.
    hard : list of int
        The windows that are left.
    """
    xp, p = namespace(gram), mean.shape[-1]
    one = xp.eye(p, dtype=gram.dtype, device=gram.device)
    # A row without a key is NaN from end to end.
    nothing, lonely = xp.isnan(weight[..., 0]), xp.count_nonzero(weight, axis=-1) == 1
    variance = xp.linalg.diagonal(gram)
    normal = xp.all((variance > TINY) & (variance < 1 / TINY), axis=-1) & xp.all(xp.isfinite(gram), axis=(-2, -1))
    plain = normal & ~(nothing | lonely)
    gram, mean = xp.where(plain[:, None, None], gram, one), xp.where(plain[:, None], mean, 0.0)
    unit = 1 / xp.sqrt(xp.linalg.diagonal(gram))
    scale = unit[..., :, None] * unit[..., None, :]
    correlation = gram * scale
    spectrum = xp.linalg.eigvalsh(detached(correlation))
    plain = plain & (spectrum[:, 0] * CONDITION > spectrum[:, -1])
    solve = xp.linalg.inv(xp.where(plain[:, None, None], correlation, one)) * scale
    # Far from its keys, in units of their spread, a window's monomials lose digits as they are centred; this is also
    # the square of the sum of the sizes of the values' weights, at most.
    lever = (mean[..., None, :] @ solve @ mean[..., :, None])[:, 0, 0]
    plain = plain & (detached(lever) < CONDITION)
    solve = xp.where(plain[:, None, None], solve, 0.0)
    mean = xp.where(plain[:, None], mean, 0.0)
    rank = xp.where(plain, p + 1, xp.where(nothing, 0, 1))
    hard = to_numpy(xp.nonzero(~(plain | nothing | lonely))[0]).tolist()
    return xp.where(nothing[:, None, None], math.nan, solve), mean, rank, hard


def smoother_blocks(
    query: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 0,
    empty: str = "nearest",
    rcond: float = 1e-10,
) -> Iterator[Array]:
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
    data, degree = _checked(query, keys, kernel, degree, empty, rcond)
    return _rows_of_smoother(data, degree, empty, rcond)


def _checked(query, keys, kernel, degree, empty, rcond):
    check_degree(degree)
    check_share("rcond", rcond)
    data = _in_numbers(operands(query, keys, None, kernel=kernel, empty=empty), kernel, degree)
    return data, int(degree)


def _rows_of_smoother(data, degree, empty, rcond):
    exponents, steps = monomials(data.keys.shape[1], degree)
    _rescale(data)
    for at, weight in _blocks(data, empty, len(exponents)):
        rows = weight
        if steps:
            design, mean = _design(at, data.keys, weight, steps)
            with np.errstate(over="ignore", invalid="ignore"):  # such windows are hard
                gram = (design * weight[..., None, :]) @ matrix_transpose(design)
            solve, mean, rank, hard = _invert(gram, mean, weight)
            tilt = (mean[..., None, :] @ solve @ namespace(design).where(rank[:, None, None] > 1, design, 0.0))
            rows = weight * (1 - tilt[..., 0, :])
            for index in hard:
                rows[index] = window_rows(at[index], data.keys, weight[index], degree, rcond)[0][0]
        yield data.door.leave(rows)


def smoother_matrix(
    query: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 0,
    empty: str = "nearest",
    rcond: float = 1e-10,
) -> Array:
    """Return the equivalent weights of the local polynomial, dense, of shape (n_queries, n_keys).

    Parameters and errors are those of `smoother_blocks`, which gives the same rows a block at a time.

    Examples
    --------
    >>> from locmethods import smoother_matrix
    >>> from locmethods.kernels import Flat
    >>> smoother_matrix([[0.5], [2.0]], [[0.0], [1.0]], kernel=Flat(3.0), degree=1).round(6)  # a line through both
    array([[ 0.5,  0.5],
           [-1. ,  2. ]])
    """
    data, degree = _checked(query, keys, kernel, degree, empty, rcond)
    rows = list(_rows_of_smoother(data, degree, empty, rcond))
    xp = namespace(data.keys)
    if not rows:
        return data.door.leave(xp.zeros((0, len(data.keys)), dtype=data.keys.dtype, device=data.keys.device))
    return xp.concat(rows)


def degrees_of_freedom(
    keys: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 0,
    empty: str = "nearest",
    rcond: float = 1e-10,
) -> float:
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

    Examples
    --------
    >>> from locmethods import degrees_of_freedom
    >>> from locmethods.kernels import Flat
    >>> round(degrees_of_freedom([[0.0], [1.0], [5.0]], kernel=Flat(2.0)), 6)  # 1/2 + 1/2 + 1
    2.0
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
