"""A kernel tied to one set of queries and keys: what every engine may ask, and what it may ask only if it is offered.

`Bound` is the slow contract. It is enough for exact sums of any size, and every kernel and every combination has it.
What makes a sum faster is offered by `parts` and `term`; a combination that does not say so itself offers nothing.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.namespace import carries_grad, grad_is_on, matrix_transpose, namespace
from locmethods.arrays.types import Array
from locmethods.numerics.units import far_exponent, in_unit

__all__ = ["root"]

# Up to this many features, squared distances are summed feature by feature; above, by a library's pairwise distances.
FEW_FEATURES = 16


class Factor(NamedTuple):
    """One kernel in a product, by its class and its numbers; an engine looks up whether it has that very class.

    Attributes
    ----------
    kind : type
        The kernel's class, not a name: a subclass with another formula is another kind.
    query, keys : array of shapes (*batch, n_queries, d) and (*batch, n_keys, d)
        The points that this kernel compares, feature maps applied.
    length : float
        Bandwidth, radius, temperature, power or degree.
    offset : float
        Of a polynomial.
    learned : Tensor or None
        The length of a kernel of the distance as the graph has it, if it is a tensor.
    """

    kind: type
    query: Any
    keys: Any
    length: float
    offset: float = 0.0
    learned: Any = None


class Term(NamedTuple):
    """exp(log_factor) · Π factors: K as a product of kernels that an engine may know.

    Attributes
    ----------
    factors : tuple of Factor
    log_factor : float
    hollow : bool
        True if key i has no weight for query i.
    mask : boolean array or None
        K is zero where it is False.
    neighbors : integer array of shape (*batch, n_queries, k), or None
        The keys that have weight, each the same, for a kernel of ranks; then there are no factors.
    """

    factors: tuple = ()
    log_factor: float = 0.0
    hollow: bool = False
    mask: Any = None
    neighbors: Any = None


class Scaled(NamedTuple):
    """K(q, x) = k(‖q − x‖ / d(q)): one factor, whose length counts in a unit that each query has of its own.

    Attributes
    ----------
    factor : Factor
        k; its length is in units of d.
    unit : array of shape (*batch, n_queries, 1)
        d², zero where only keys at the query itself have weight.
    hollow : bool
        True if key i has no weight for query i.
    """

    factor: Factor
    unit: Any
    hollow: bool = False


class Cells(NamedTuple):
    """K(q, x) = Σ_b [q and x are in one cell of partition b] · w_b(x): the cells' sums serve every query in them.

    Or, where cells overlap, K(q, x) = Σ_c a_c(q) w_c(x), and points are sparse rows of their shares in the cells.

    Attributes
    ----------
    query, keys : integer ndarray of shapes (n_queries, n_partitions) and (n_keys, n_partitions)
        The number of the cell, of which no two partitions share one; or csr_arrays of shapes (n_queries, count) and
        (n_keys, count), which hold a and w, not negative.
    weight : ndarray of shape (n_keys, n_partitions), or None
        w_b(x), not negative; none of sparse rows, which have it in them.
    count : int
        How many cells there are.
    """

    query: Any
    keys: Any
    weight: Any
    count: int  # type: ignore[assignment]  # nobody asks this tuple how often it holds something


def membership(numbers, count, weight=None):
    """Return the sparse matrix of shape (n, count) that says in which cells points are, with their weights there.

    Rows that are sparse already are the matrix.
    """
    from scipy.sparse import csr_array, issparse

    if issparse(numbers):
        return numbers
    n, partitions = numbers.shape
    data = np.ones(n * partitions) if weight is None else weight.ravel()
    # The numbers of a row need no order, and none is repeated.
    return csr_array((data, numbers.ravel(), np.arange(0, n * partitions + 1, partitions)), shape=(n, count))


class Kept:
    """What has been computed from one set of keys, for all queries to come; several threads may ask at once.

    It lasts as long as the object that holds it, and does not travel with it: what is missing is computed again.

    Parameters
    ----------
    values : array, optional
        The values that stand with the keys, in the score type.
    """

    def __init__(self, values=None):
        self.values = values
        self._found, self._alive, self._lock = {}, [], threading.RLock()

    def once(self, owner, keys, name, make):
        """Return what ``make()`` gave when `owner`, with these keys, asked for `name` first.

        What is part of a graph is made anew, for a graph serves one backward pass; and what was made where no graphs
        are is none for a place where they are.
        """
        place = (id(owner), id(keys), name, grad_is_on(keys))
        with self._lock:
            if place in self._found:
                return self._found[place]
            made = make()
            if not carries_grad(made):
                self._found[place] = made
                self._alive += [owner, keys]  # as long as they live no other object has their identity
            return made


class Itself:
    """An object in the name of what is kept: equal to itself alone, and alive as long as the name is.

    Its ``id`` would not do, which another object may have once this one is gone, nor its repr, which others share.
    """

    def __init__(self, value):
        self._value = value

    def __eq__(self, other):
        return isinstance(other, Itself) and self._value is other._value

    def __hash__(self):
        return id(self._value)


def once(kept, owner, keys, name, make):
    """Return ``make()``, or what it gave before if something is kept."""
    return make() if kept is None else kept.once(owner, keys, name, make)


def block(array, index=None):
    """Return the points `index` of an array of shape (..., n, d); without `index`, a parameter as it is."""
    return array if index is None else array[..., index, :]


class Bound:
    """A kernel bound to queries and keys: functions of a block of rows and a block of columns.

    Abstract. A kernel defines `log` and `gap`; everything else is optional, and None or False until it is defined.
    Whatever carries gradients is read by ``take(array, index)``, for which the backward pass has its own.

    Attributes
    ----------
    shape : tuple
        ``(*batch, n_queries, n_keys)``.
    like : array
        Carries the kind, device and floating type in which scores are computed.
    grad : bool
        True if what is computed from it becomes part of a graph.
    signed : bool
        True if K may be negative; then `sign` is defined.
    whole : bool
        True if a row can only be computed with all its keys at hand (rank kernels).
    anchored : bool
        True if `relative` and `offset` take a reference, by which queries far from every key become exact.
    centred : bool
        True if they are to be used always, without a reference too (inner products of uncentred keys).
    length : float
        The length in which `gap` counts, by which gaps of several kernels are compared; one if there is none.
    """

    length = 1.0
    signed = whole = anchored = centred = False
    _compared: Any = None

    def __init__(self, shape, like, grad):
        self.shape, self.like, self.grad = shape, like, grad

    def __repr__(self):
        return type(self).__name__.removesuffix("Bound")

    def log(self, rows, cols, take=block):
        """Return log |K| on the block, −inf outside the support, of shape (*batch, b, c)."""
        raise NotImplementedError

    def gap(self, rows, cols):
        """Return what orders keys by nearness: the squared distance, or minus the inner product; inf if forbidden."""
        raise NotImplementedError

    def _comparable_square(self, rows, cols):
        """Return a positive multiple of ‖q − k‖², the same one for all blocks: one whose squares are doubles.

        For a bound kernel with points `_query` and `_keys`.
        """
        if self._compared is None:
            self._compared = with_squares(self._query, self._keys)[:2]
        query, keys = self._compared
        return pairwise_square(query[..., rows, :], keys[..., cols, :])

    def sign(self, rows, cols):
        """Return the sign of K on the block; asked only if `signed`."""
        raise NotImplementedError

    def relative(self, rows, cols, reference, take=block):
        """Return log K(q, k) − offset(rows, reference), free of the cancellation of two large logarithms.

        The reference is the index of a key for each query, a place for good: it carries no gradient. None for none, if
        the kernel is `centred`.
        """
        raise NotImplementedError

    def offset(self, rows, reference, take=block):
        """Return what `relative` has left out, of shape (*batch, b)."""
        raise NotImplementedError

    def parts(self):
        """Return bound kernels whose sum is K, each to be summed by its own fastest way; K itself by default."""
        return (self,)

    def term(self):
        """Return K as a `Term`, or None if it is not known to be a product of kernels."""
        return None

    def scaled(self):
        """Return K as a `Scaled`, or None if it has no unit for each query."""
        return None

    def cells(self):
        """Return K as a `Cells`, or None if it does not come from partitions."""
        return None


def log_at(bound, rows, reference, take=block):
    """Return log K of each query and its reference key, of shape (*batch, b)."""
    score = bound.log(rows, slice(0, bound.shape[-1]), take)
    return namespace(score).take_along_axis(score, reference[..., None], axis=-1)[..., 0]


def outer_shape(query, keys):
    """Return (*batch, n_queries, n_keys), batch dimensions broadcast."""
    batch = () if query.ndim == keys.ndim == 2 else np.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    return (*batch, query.shape[-2], keys.shape[-2])


def there(keys, reference):
    """Return the reference key of each query, of shape (*batch, b, d), as a place without gradient."""
    if keys.ndim == 2 and reference.ndim == 1:
        return keys[reference].detach() if hasattr(keys, "detach") else keys[reference]
    xp = namespace(keys)
    keys = keys.detach() if hasattr(keys, "detach") else keys
    keys = xp.broadcast_to(keys, (*reference.shape[:-1], *keys.shape[-2:]))
    if xp.__name__.endswith("torch"):
        import torch

        return torch.take_along_dim(keys, reference[..., None], dim=-2)
    return np.take_along_axis(keys, reference[..., None], axis=-2)


def root(squared: Any) -> Array:
    """Return √x for x ≥ 0, whose gradient at zero is zero instead of infinite: what a kernel of the distance needs.

    Parameters
    ----------
    squared : array or Tensor

    Examples
    --------
    >>> import torch
    >>> from locmethods.kernels import root
    >>> squared = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> root(squared).sum().backward()
    >>> root(squared).tolist(), squared.grad.tolist()
    ([0.0, 2.0], [0.0, 0.25])
    """
    xp = namespace(squared)
    if not getattr(squared, "requires_grad", False):
        return xp.sqrt(squared)
    positive = squared > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, squared, 1.0)), 0.0)


def pairwise_square(query, keys):
    """Return ‖q − k‖² for all pairs from differences, never from ‖q‖² + ‖k‖² − 2 q·k.

    The expanded form loses ε(‖q‖² + ‖k‖²), which is larger than a small bandwidth squared; differences lose
    only ε‖q − k‖².

    Parameters
    ----------
    query : array of shape (..., b, d)
    keys : array of shape (..., c, d)

    Returns
    -------
    array of shape (..., b, c)
    """
    if carries_grad(query, keys):
        from locmethods.kernels.differences import SquaredDistance

        return SquaredDistance.apply(pairwise_square, query, keys, None)
    if query.shape[-1] > FEW_FEATURES and query.dtype != np.longdouble:
        return _pairwise_square_of_many(query, keys)
    total, columns = None, matrix_transpose(keys)
    if isinstance(columns, np.ndarray):
        columns = np.ascontiguousarray(columns)  # side by side a processor subtracts them several at once
    with np.errstate(over="ignore"):  # what is too far for a double is infinitely far
        for feature in range(query.shape[-1]):
            gap = query[..., feature][..., :, None] - columns[..., feature, :][..., None, :]
            gap *= gap
            if total is None:
                total = gap
            else:
                total += gap
    return total


def with_squares(query, keys, kept=None, exponent=None):
    """Return points in a unit in which their squares are doubles, and the exponent e of that unit, 2ᵉ.

    Parameters
    ----------
    query, keys : array of shape (..., n, d)
    kept : Kept, optional
        Keeps the keys in their unit.
    exponent : int, optional
        e, where a kernel's length says it; zero leaves the points as they are, as they mostly are.
    """
    exponent = far_exponent(query, keys) if exponent is None else exponent
    if not exponent:
        return query, keys, 0
    scaled = once(kept, with_squares, keys, exponent, lambda: in_unit(keys, exponent))
    return scaled if query is keys else in_unit(query, exponent), scaled, exponent


def _pairwise_square_of_many(query, keys):
    """Return ‖q − k‖² in many features."""
    if hasattr(query, "detach"):
        import torch

        return torch.cdist(query, keys, compute_mode="donot_use_mm_for_euclid_dist").square_()
    if query.ndim == keys.ndim == 2:
        from scipy.spatial.distance import cdist

        return cdist(query, keys, "sqeuclidean")
    batch = np.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    query = np.broadcast_to(query, (*batch, *query.shape[-2:]))
    keys = np.broadcast_to(keys, (*batch, *keys.shape[-2:]))
    out = np.empty(outer_shape(query, keys))
    for index in np.ndindex(batch):
        out[index] = _pairwise_square_of_many(query[index], keys[index])
    return out


def square_difference(query, keys, reference):
    """Return ‖q − k‖² − ‖q − r‖² as Σ (r − k)(2q − k − r), exact to rounding of the factors.

    Parameters
    ----------
    query : array of shape (..., b, d)
    keys : array of shape (..., c, d)
    reference : array of shape (..., b, d)
        One reference key for each query; it carries no gradient.
    """
    if carries_grad(query, keys):
        from locmethods.kernels.differences import SquaredDistance

        return SquaredDistance.apply(square_difference, query, keys, reference)
    near, total = query - reference, None  # (..., b, d)
    for feature in range(query.shape[-1]):
        q = query[..., feature][..., :, None]
        k = keys[..., feature][..., None, :]
        step = reference[..., feature][..., :, None] - k  # (..., b, c)
        term = step * ((q - k) + near[..., feature][..., :, None])
        total = term if total is None else total + term
    return total
