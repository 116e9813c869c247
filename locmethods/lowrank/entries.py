"""A matrix of which a part is asked at a time: given whole, or a kernel's, computed where it is asked."""

from __future__ import annotations

import numpy as np

from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.kernels.base import Kernel
from locmethods.kernels.default import beyond_pairs
from locmethods.means import local_sum
from locmethods.numerics.threads import in_threads
from locmethods.numerics.units import exponent_of

WHOLE = 1 << 22  # entries of a kernel's matrix that is computed whole where all are looked at anyway: 32 MiB
BLOCK = 1 << 16  # entries that are computed at a time: half a megabyte, which stays in the cache
PROBES = 8  # points on which is tried whether entries depend on their two points alone


def entries_of(X, kernel, keys=None):
    """Return the matrix that the arguments of a public function mean, checked.

    Parameters
    ----------
    X : array-like
        The matrix itself if `kernel` is None, the queries otherwise.
    kernel : Kernel or None
    keys : array-like or None
        The queries themselves by default.

    Raises
    ------
    ValueError, TypeError
        If the arrays are not finite matrices, keys come without a kernel or with other features, or the kernel's
        entries depend on more than their two points.
    """
    if kernel is None:
        if keys is not None:
            raise ValueError("keys need a kernel: without one X is the matrix itself")
        return Given(check_array(X, dtype=FLOATS, input_name="X"))
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels or None, got {type(kernel).__name__}")
    query = check_array(X, dtype=FLOATS, input_name="X")
    own = keys is None
    keys = query if own else check_array(keys, dtype=FLOATS, input_name="keys")
    if keys.shape[1] != query.shape[1]:
        raise ValueError(f"X and keys must have the same number of features, got {query.shape[1]} and {keys.shape[1]}")
    check_of_pairs(kernel, query, keys)
    return Computed(kernel, query, keys, own)


def check_of_pairs(kernel, query, keys):
    """Raise ValueError unless the kernel's entries depend on their query and their key alone, as far as is tried."""
    known = beyond_pairs(kernel) is not None
    some = np.linspace(0, len(keys) - 1, min(PROBES, len(keys))).astype(int)
    # Two ways to the same entries: sums of squares may be rounded otherwise in a block of another shape.
    if known or not np.allclose(kernel(query[:1], keys)[:, some], kernel(query[:1], keys[some]), rtol=1e-6):
        raise ValueError("a low rank is found from parts of the matrix, so each entry must depend on its query and its "
                         f"key alone; those of {kernel!r} depend on the other keys or on places: give the matrix "
                         "itself, kernel(X), without a kernel")


def in_units(array):
    """Return an array over a power of two that is its size, if squares could overflow or vanish; else itself."""
    exponent = exponent_of(array)
    return array if abs(exponent) <= np.finfo(array.dtype).maxexp // 5 else np.ldexp(array, -exponent)


class Given:
    """A matrix in memory."""

    def __init__(self, matrix):
        self.matrix = matrix
        self.shape, self.dtype = matrix.shape, matrix.dtype

    @property
    def symmetric(self):
        """Whether it is its own transpose, to rounding."""
        n, m = self.shape
        if n != m:
            return False
        # Half of the type's digits: what is symmetric by formula may be rounded otherwise on either side.
        return bool(np.abs(self.matrix - self.matrix.T).max() <= np.sqrt(np.finfo(self.dtype).eps)
                    * np.abs(self.matrix).max())

    def transposed(self):
        """Return the matrix turned over."""
        return Given(self.matrix.T)

    def whole(self):
        """Return the matrix if all its entries may be looked at together, else None."""
        return self.matrix

    def columns(self, index):
        """Return the columns of these indices, (n, r)."""
        return self.matrix[:, index]

    def rows(self, index):
        """Return the rows of these indices, (r, m)."""
        return self.matrix[index]

    def part(self, rows, columns):
        """Return the entries where these rows and columns meet."""
        return self.matrix[np.ix_(rows, columns)]

    def diagonal(self):
        """Return the entries Mᵢᵢ."""
        return np.diagonal(self.matrix).copy()

    def squares(self):
        """Return the squared lengths of the columns, (m,)."""
        return np.einsum("ij,ij->j", self.matrix, self.matrix)

    def times(self, values, index=slice(None)):
        """Return M V, (n, k), or with an index M[:, index] V."""
        return self.matrix[:, index] @ values

    def under(self, values):
        """Return Vᵀ M, (k, m)."""
        return values.T @ self.matrix

    def points(self):
        """Return a point for each column, by which columns are told near or far: the column itself."""
        return self.matrix.T


class Computed:
    """The matrix K(query, keys), of which nothing is kept."""

    def __init__(self, kernel, query, keys, own):
        self.kernel, self.query, self.keys, self.own = kernel, query, keys, own
        self.shape, self.dtype = (len(query), len(keys)), np.result_type(query, keys)

    @property
    def symmetric(self):
        """Whether it is its own transpose, by what some of its points say."""
        if not self.own:
            return False
        some = self.query[:PROBES]
        return Given(self.kernel(some, some)).symmetric

    def transposed(self):
        """Return the matrix turned over."""
        return Turned(self)

    def whole(self):
        """Return the matrix if it is small, else None."""
        n, m = self.shape
        return _by_blocks(self.kernel, self.query, self.keys) if n * m <= WHOLE else None

    def columns(self, index):
        """Return the columns of these indices, (n, r)."""
        return _by_blocks(self.kernel, self.query, self.keys[index])

    def rows(self, index):
        """Return the rows of these indices, (r, m)."""
        return self.kernel(self.query[index], self.keys)

    def part(self, rows, columns):
        """Return the entries where these rows and columns meet."""
        return self.kernel(self.query[rows], self.keys[columns])

    def diagonal(self):
        """Return the entries Mᵢᵢ, each computed alone."""
        return self.kernel(self.query[:, None], self.keys[:, None])[:, 0, 0]

    def squares(self):
        """Return the squared lengths of the columns, (m,)."""
        return sum(np.einsum("ij,ij->j", rows, rows) for _, rows in self.blocks())

    def times(self, values, index=slice(None)):
        """Return M V, (n, k), or with an index M[:, index] V."""
        return local_sum(self.query, self.keys[index], values, kernel=self.kernel).numerator

    def under(self, values):
        """Return Vᵀ M, (k, m)."""
        return sum(values[part].T @ rows for part, rows in self.blocks())

    def points(self):
        """Return a point for each column: the key."""
        return self.keys

    def blocks(self):
        """Yield (slice, rows) until all rows have been computed."""
        step = max(1, 16 * BLOCK // len(self.keys))
        for first in range(0, len(self.query), step):
            part = slice(first, min(first + step, len(self.query)))
            yield part, self.kernel(self.query[part], self.keys)


class Turned:
    """A computed matrix, turned over."""

    def __init__(self, of):
        self.of = of
        self.shape, self.dtype = of.shape[::-1], of.dtype

    def whole(self):
        """Return the matrix if it is small, else None."""
        found = self.of.whole()
        return None if found is None else found.T

    def columns(self, index):
        """Return the columns of these indices."""
        return self.of.rows(index).T

    def squares(self):
        """Return the squared lengths of the columns."""
        return np.concatenate([np.einsum("ij,ij->i", rows, rows) for _, rows in self.of.blocks()])

    def times(self, values):
        """Return Mᵀ V."""
        return self.of.under(values).T

    def under(self, values):
        """Return Vᵀ Mᵀ."""
        return self.of.times(values).T

    def points(self):
        """Return a point for each column: the query."""
        return self.of.query


def _by_blocks(kernel, query, keys):
    """Return K(query, keys), some rows at a time, which stay in the cache, and several blocks at once."""
    found = np.empty((len(query), len(keys)), dtype=np.result_type(query, keys))

    def work(first, last):
        found[first:last] = kernel(query[first:last], keys)

    in_threads(work, len(query), max(1, BLOCK // max(1, len(keys))))
    return found
