"""Keys that are prepared once and asked many times: sorted, cut into blocks and copied as the engine wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_in_memory, check_localization, check_option, check_tolerance
from locmethods.arrays.door import check_kernel, check_one_batch, enter_keys, enter_query
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.lazy import Blocks
from locmethods.arrays.levels import check_same_order, coded, is_frame
from locmethods.arrays.namespace import is_lazy
from locmethods.arrays.types import Array
from locmethods.engines import chunks
from locmethods.engines.choose import Explanation, explained, weighted_sums
from locmethods.kernels import Kernel
from locmethods.kernels.bound import Kept
from locmethods.kernels.default import check_pairwise
from locmethods.means.averages import local_mean, mean_of, task_of
from locmethods.means.statistics import LocalMoments, check_quantile, local_moments, moments_of, quantile_of
from locmethods.means.sums import LocalSum

if TYPE_CHECKING:
    from dask.array import Array as DaskArray


@overload
def prepare(  # type: ignore[overload-overlap]  # a Dask array is array-like too
    keys: DaskArray, values: ArrayLike | None = None, *, kernel: Kernel
) -> PreparedBlocks: ...
@overload
def prepare(keys: ArrayLike, values: ArrayLike | None = None, *, kernel: Kernel) -> Prepared: ...
def prepare(keys: ArrayLike, values: ArrayLike | None = None, *, kernel: Kernel) -> Prepared | PreparedBlocks:
    """Sort and cut keys once, for many calls.

    Parameters
    ----------
    keys : array-like, Tensor or Dask array of shape (..., n_keys, n_features)
    values : array-like, Tensor or Dask array of shape (..., n_keys) or (..., n_keys, n_outputs), optional
        The keys themselves by default.
    kernel : Kernel

    Returns
    -------
    Prepared
        Of Dask arrays, which stay where they are, a `PreparedBlocks`.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, of keys and values.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.kernels import Gaussian
    >>> prepared = lm.prepare([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], kernel=Gaussian(0.5))
    >>> prepared.mean([[1.0]]), prepared.quantile([[1.0]], 0.5)
    (array([3.]), array([3.]))
    """
    if is_lazy(keys) or is_lazy(values):
        return PreparedBlocks(keys, values, kernel=kernel)
    return Prepared(keys, values, kernel=kernel)


class PreparedBlocks:
    """Dask arrays of keys and values that answer query after query; made by `locmethods.prepare`.

    Each answer passes over the blocks of keys where they lie.

    Attributes
    ----------
    kernel : Kernel

    Examples
    --------
    >>> import dask.array as da
    >>> import locmethods as lm
    >>> from locmethods.kernels import Flat
    >>> keys = da.from_array([[0.0], [1.0], [5.0]], chunks=(2, 1))
    >>> prepared = lm.prepare(keys, da.from_array([1.0, 3.0, 7.0], chunks=2), kernel=Flat(2.0))
    >>> prepared.mean([[0.5], [6.0]])
    array([2., 7.])
    """

    def __init__(self, keys: ArrayLike, values: ArrayLike | None = None, *, kernel: Kernel) -> None:
        check_pairwise(kernel)
        self.kernel, self.blocks = kernel, Blocks(keys, values)

    def mean(self, query: ArrayLike, *, empty: str = "nearest", tolerance: float = 0.0) -> Array:
        """Return the local mean at each query, a Dask array for a Dask query; see `locmethods.local_mean`."""
        return local_mean(query, self.blocks.keys, self.blocks.values, kernel=self.kernel, empty=empty,
                          tolerance=tolerance)

    def sum(self, query: ArrayLike) -> Any:
        """Return the sums of queries in memory: ``scaled``, ``total`` and ``log_scale``, as of a `LocalSum`."""
        return chunks.sums(query, self.blocks, self.kernel)

    def moments(self, query: ArrayLike, *, empty: str = "nearest") -> LocalMoments:
        """Return the local mean and covariance at each query; see `locmethods.local_moments`."""
        return local_moments(query, self.blocks.keys, self.blocks.values, kernel=self.kernel, empty=empty)


class Prepared:
    """Keys and values that answer query after query; made by `locmethods.prepare`.

    Its answers are those of `locmethods.local_mean`, `local_sum`, `local_moments` and `local_quantile`. What is
    computed from the keys alone is computed at the first call that needs it, and kept; several threads may ask at once,
    and a pickled copy computes it again. The arrays are not copied where they are float64: do not write into them.

    Attributes
    ----------
    kernel : Kernel
        Its parameters may be set between calls; its feature maps may not.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.kernels import Flat
    >>> prepared = lm.prepare([[0.0], [1.0], [5.0]], [1.0, 3.0, 7.0], kernel=Flat(2.0))
    >>> prepared.mean([[0.5], [6.0]])
    array([2., 7.])
    >>> prepared.under(Flat(10.0)).quantile([[0.5]], 0.5)
    array([3.])
    """

    def __init__(self, keys: ArrayLike, values: ArrayLike | None = None, *, kernel: Kernel) -> None:
        check_kernel(kernel)
        check_in_memory(keys=keys, values=values)
        self.kernel = kernel
        self._held = enter_keys(coded(kernel, "keys", keys), keys if values is None else values)
        # The columns of a frame, without its rows.
        self._named = keys[:0] if is_frame(keys) else None  # type: ignore[index]
        self._keep()

    def _keep(self):
        values = self._held.values
        self._columns = values[..., None] if self._held.flat else values  # one view, by which it is known again
        self._kept = Kept(self._columns)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in ("_kept", "_columns")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._keep()

    def __repr__(self):
        return f"prepare(keys of shape {tuple(self._held.keys.shape)}, kernel={self.kernel!r})"

    def under(self, kernel: Kernel) -> Prepared:
        """Return the same keys and values under another kernel; what is kept of the keys is shared, not computed again.

        Setting the kernel's own parameters does as much, but for every thread that asks at the time.

        Parameters
        ----------
        kernel : Kernel

        Raises
        ------
        TypeError
            If it is none.
        """
        check_kernel(kernel)
        other = Prepared.__new__(Prepared)
        vars(other).update(vars(self) | {"kernel": kernel})
        return other

    def _enter(self, query, values=None):
        held = self._held
        if values is not None:
            more = enter_keys(held.keys, values)
            held = held._replace(values=more.values, flat=more.flat)
        if self.kernel.columns is None:
            check_same_order(query, self._named)
        door = enter_query(self.kernel, held.keys if query is None else query, held, self._kept)
        if values is None:
            door.values = self._columns  # the same view as before, by which what is kept of it is found
        return door

    def _checked(self, query, empty, one_batch=False, values=None):
        check_option("empty", empty, EMPTY)
        check_localization(self.kernel)
        door = self._enter(query, values)
        if one_batch:
            check_one_batch("keys", self._held.keys, "this statistic")
        return door

    def mean(
        self,
        query: ArrayLike | None = None,
        *,
        values: ArrayLike | None = None,
        empty: str = "nearest",
        tolerance: float = 0.0,
    ) -> Array:
        """Return the local mean at each query; see `locmethods.local_mean`.

        Parameters
        ----------
        query : array-like or Tensor of shape (..., n_queries, n_features), optional
            The keys by default.
        values : array-like or Tensor of shape (..., n_keys) or (..., n_keys, n_outputs), optional
            Other values for the same keys.
        empty, tolerance
            As in `locmethods.local_mean`.
        """
        check_tolerance(tolerance)
        return mean_of(self._checked(query, empty, values=values), empty, tolerance, self._kept)

    def sum(self, query: ArrayLike | None = None, *, values: ArrayLike | None = None) -> LocalSum:
        """Return the `LocalSum` of each query; see `locmethods.local_sum`."""
        door = self._enter(query, values)
        return LocalSum(weighted_sums(task_of(door, kept=self._kept)), door)

    def moments(self, query: ArrayLike | None = None, *, empty: str = "nearest") -> LocalMoments:
        """Return the local mean and covariance at each query; see `locmethods.local_moments`."""
        return moments_of(self._checked(query, empty, one_batch=True), empty)

    def quantile(
        self,
        query: ArrayLike | None = None,
        q: float | Sequence[float] = 0.5,
        *,
        empty: str = "nearest",
    ) -> Array:
        """Return the local quantile, or several, at each query; see `locmethods.local_quantile`."""
        check_quantile(q)
        return quantile_of(self._checked(query, empty, one_batch=True), q, empty)

    def explain(self, query: ArrayLike | None = None, *, tolerance: float = 0.0) -> Explanation:
        """Say how `mean` would be computed; see `locmethods.explain`."""
        return explained(task_of(self._checked(query, "nearest"), tolerance, self._kept))
