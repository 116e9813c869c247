"""The leading eigenpairs of an averaging operator, by its symmetric twin, of many keys without its matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from locmethods.arrays.checks import as_number, check_count, check_localization, check_tol
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.kernels.algebra import of_new_queries
from locmethods.kernels.base import Kernel
from locmethods.means import local_mean, prepare, weight_blocks
from locmethods.numerics.krylov import NotSymmetricError, check_symmetric, leading_eigenvectors
from locmethods.numerics.settling import say_unsettled
from locmethods.numerics.threads import in_threads

WHOLE = 2048  # samples whose matrix is decomposed whole: 32 MiB, and as fast as some ten products
KEPT = 256 << 20  # bytes of a matrix that is kept for its products, at most: that of 5,792 samples
ROWS = 256  # of the matrix that a thread multiplies at once
SPREAD = 300.0  # of log degrees: their square roots must be numbers, and so must the reciprocals of these
TIE = 1 - 1e-6  # entries as large as the largest, up to rounding


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """Leading eigenvalues of an averaging matrix P, and its right and left functions; made by `Spectrum.of`.

    P f is the local mean of f at each key, so that P = D⁻¹K with D the degrees Σⱼ Kᵢⱼ. For a symmetric kernel P is
    the matrix S = D^(−½) K D^(−½) in another basis: with S U = U Λ, the right functions ψ = π^(−½) U and the left ones
    φ = π^(½) U satisfy P ψ = ψ Λ, φᵀ P = Λ φᵀ and φᵀ ψ = I, where π = D / ΣD is the stationary law of P
    [coifman2006]_.

    Attributes
    ----------
    eigenvalues : ndarray of shape (n_components,)
        λ, decreasing, in [−1, 1]; the first is 1.
    right : ndarray of shape (n_samples, n_components)
        ψ, the columns with Σ π ψ² = 1; the first is 1 everywhere. Of the entries that are largest in size, the first is
        positive.
    stationary : ndarray of shape (n_samples,)
        π, which sums to one.
    residuals : ndarray of shape (n_components,)
        ‖S u − λ u‖: an eigenvalue lies as near to each that was found.
    n_iter : int
        How many blocks of vectors were averaged; 1 of a matrix that was decomposed whole.
    kernel : Kernel
    alpha : float
    keys : ndarray of shape (n_samples, n_features)

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.spectrum import Spectrum
    >>> path = Spectrum.of([[0.0], [1.0], [2.0]], Flat(1.0), 3)  # rows ½ ½ 0, ⅓ ⅓ ⅓ and 0 ½ ½
    >>> path.eigenvalues.round(3)
    array([ 1.   ,  0.5  , -0.167])
    >>> path.stationary.round(3)
    array([0.286, 0.429, 0.286])
    >>> (path.left.T @ path.right).round(9) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    eigenvalues: NDArray
    right: NDArray
    stationary: NDArray
    residuals: NDArray
    n_iter: int
    kernel: Kernel
    alpha: float
    keys: NDArray
    scales: NDArray  # the weight of each key in the averages, D₀^(−α) with D₀ the degrees of K

    @classmethod
    def of(cls, keys: ArrayLike, kernel: Kernel, n_components: int = 10, *, alpha: float = 0.0, tol: float = 1e-8,
           max_iter: int = 500, random_state: int | None = 0) -> Spectrum:
        """Find the leading eigenpairs of the averaging matrix of some keys.

        Parameters
        ----------
        keys : array-like of shape (n_samples, n_features)
        kernel : Kernel
            A localization kernel with K(x, y) = K(y, x).
        n_components : int, default=10
            How many pairs, the constant's included; those of the largest eigenvalues.
        alpha : float, default=0.0
            Averages with Kᵢⱼ / (dᵢ dⱼ)^α in place of K, where d are the degrees of K. At 0 the functions feel the
            density of the keys, at 1 they do not, in the limit of many keys and a small width [coifman2006]_.
        tol : float, default=1e-8
            The iteration has settled when no residual ‖S u − λ u‖ is larger.
        max_iter : int, default=500
            The most blocks that are averaged.
        random_state : int or None, default=0
            Where the iteration starts, which changes the answer by no more than `tol` lets it.

        Returns
        -------
        Spectrum

        Raises
        ------
        ValueError
            If the kernel is not symmetric on these keys, so that P has no symmetric twin, or can be negative; if a key
            has no key in reach, its own included; if the degrees are more than e³⁰⁰ apart; if there are fewer keys than
            pairs, or a parameter is not as above.
        TypeError
            If `kernel` is no kernel.

        Warns
        -----
        ConvergenceWarning
            If a residual is larger than `tol` after `max_iter` blocks.

        Notes
        -----
        Up to 2,048 keys the matrix is decomposed whole. Beyond, blocks of vectors are averaged. Up to 5,792 keys the
        matrix, of 256 MiB at most, is kept for that if no pair is far enough to be left out. Of more keys nothing of
        size n × n exists: a block is averaged by one `locmethods.local_sum`, whose weights serve all its columns, and
        the memory is that of some 240 vectors, or of four blocks. Only if more than an eighth of all pairs are asked
        for, which are then as large as the matrix, it is decomposed whole there too. A kernel so narrow that many
        eigenvalues crowd near 1 takes many blocks.

        An eigenvalue that k pairs share is found k times, as that of a kernel which leaves the keys in k pieces; then
        the functions are determined only up to a rotation among the k, save the first, which is constant.
        """
        if not isinstance(kernel, Kernel):
            raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
        check_localization(kernel)
        check_count("n_components", n_components, 1)
        check_count("max_iter", max_iter, 1)
        check_tol(tol)
        if random_state is not None:
            check_count("random_state", random_state, 0)
        if not 0 <= as_number("alpha", alpha) < math.inf:
            raise ValueError(f"alpha must be finite and not negative, got {alpha!r}")
        keys = check_array(keys, dtype=FLOATS, input_name="keys")
        if n_components > len(keys):
            raise ValueError(f"n_components must be at most the number of keys, {len(keys)}, got {n_components}")
        averages = _Averages(keys.astype(np.float64, copy=False), kernel, float(alpha))
        root = np.sqrt(averages.stationary)
        try:
            values, vectors, residuals, n_iter = _eigenpairs(averages, root, n_components - 1, tol, max_iter,
                                                             np.random.default_rng(random_state))
        except NotSymmetricError as error:
            raise ValueError(f"{kernel!r} is not symmetric on these keys (uᵀSv and vᵀSu differ by {error.skew:.2g} for "
                             "unit vectors u and v), so that D⁻¹K has no symmetric twin and its eigenvalues may be "
                             "complex: use a kernel with K(x, y) = K(y, x), or NumPy's eig of local_weights for a "
                             "small sample") from None
        if not residuals.max(initial=0.0) <= tol:
            say_unsettled(f"the residuals of {np.sum(residuals > tol)} of {n_components} eigenpairs are larger than "
                          f"tol={tol:g} after n_iter={n_iter} blocks, {residuals.max():.2g} at most: more blocks, a "
                          "larger tol or a wider kernel lets them settle")
        right = np.column_stack([np.ones(len(keys)), _with_sign(vectors / root[:, None])])
        return cls(np.append(1.0, values).astype(keys.dtype), right.astype(keys.dtype),
                   averages.stationary.astype(keys.dtype), np.append(0.0, residuals), n_iter, kernel, float(alpha),
                   keys, averages.scales)

    @property
    def left(self) -> NDArray:
        """φ = π ψ, of shape (n_samples, n_components), with φᵀψ = I; the first column is the stationary law."""
        return self.stationary[:, None] * self.right

    def diffusion_map(self, time: float = 1) -> NDArray:
        """Return the coordinates λᵗψ of the keys, of shape (n_samples, n_components), the constant's included.

        Their Euclidean distances are the `diffusion_distances`.

        Parameters
        ----------
        time : float, default=1
            t, how often is averaged; a whole number if there are negative eigenvalues.

        Raises
        ------
        ValueError
            If `time` is negative or infinite, or not whole and there are negative eigenvalues.
        """
        return self.right * self._powers(time)

    def diffusion_distances(self, time: float = 1, rows: ArrayLike | None = None,
                            columns: ArrayLike | None = None) -> NDArray:
        """Return how differently t averages look from two keys, √Σₖ (Pᵗᵢₖ − Pᵗⱼₖ)²/πₖ [coifman2006]_.

        Parameters
        ----------
        time : float, default=1
            t, as in `diffusion_map`.
        rows, columns : array-like of int, optional
            The keys i and j, each a row of numbers; all of them by default.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)

        Raises
        ------
        ValueError
            As `diffusion_map` does, and if `rows` or `columns` is not one row of whole numbers.
        IndexError
            If there is no such key.

        Notes
        -----
        From n_components < n pairs the squared distance comes out too small, by at most |λ|²ᵗ(1/πᵢ + 1/πⱼ) with λ the
        eigenvalue of largest size among those left out.
        """
        from scipy.spatial.distance import cdist

        places = self.diffusion_map(time).astype(np.float64)
        rows, columns = (self._chosen(name, chosen) for name, chosen in (("rows", rows), ("columns", columns)))
        return cdist(places[rows], places[columns]).astype(self.right.dtype)

    def averaged(self, values: ArrayLike, time: float = 1) -> NDArray:
        """Return Pᵗf ≈ Σⱼ λⱼᵗ ψⱼ φⱼᵀf, of the shape of `values`: t local means at once, seen through the leading pairs.

        Parameters
        ----------
        values : array-like of shape (n_samples,) or (n_samples, n_outputs)
            f, the values at the keys.
        time : float, default=1
            t, as in `diffusion_map`; at 0 it is the projection on the leading functions.

        Raises
        ------
        ValueError
            As `diffusion_map` does, and if the values hold NaN or are not one a key.
        """
        values = check_array(values, dtype=FLOATS, ensure_2d=False, input_name="values")
        if len(values) != len(self.right):
            raise ValueError(f"values must be one a key, {len(self.right)}, got {len(values)}")
        shares = self.left.T @ values
        return (self.right * self._powers(time)) @ shares

    def extend(self, query: ArrayLike, *, time: float = 0, empty: str = "nearest") -> NDArray:
        """Return λᵗψ at new points, by one local mean: ψ(x) = λ⁻¹ Σᵢ K(x, xᵢ) ψᵢ / Σᵢ K(x, xᵢ).

        At the keys themselves it gives λᵗψ again, since Pψ = λψ, unless the kernel is hollow, in whole or in part: new
        points are averaged under the kernel that was hollowed, since none of them is a key.

        Parameters
        ----------
        query : array-like of shape (n_queries, n_features)
        time : float, default=0
            t, as in `diffusion_map`. From 1 on nothing is divided by an eigenvalue.
        empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
            What a query with no key in reach gives; see `locmethods.local_mean`.

        Returns
        -------
        ndarray of shape (n_queries, n_components)

        Raises
        ------
        ValueError
            If `time` is below 1 and an eigenvalue is not larger than its residual and than 1e-12 in size: what
            averaging takes to zero cannot be extended; or if the kernel has a mask, which knows the keys only.
            Otherwise as `locmethods.local_mean` and `diffusion_map`.
        """
        powers = self._powers(time)
        if time < 1:
            gone = np.abs(self.eigenvalues) <= np.maximum(self.residuals, 1e-12)
            if gone.any():
                raise ValueError(f"{gone.sum()} of {len(gone)} eigenvalues are zero to rounding, so that their "
                                 f"functions have no values at new points: ask for {np.argmax(gone)} components, or "
                                 "for a time of at least 1")
            factor = powers / self.eigenvalues
        else:
            factor = self._powers(time - 1)
        kernel = of_new_queries(self.kernel)
        if self.alpha == 0:
            return local_mean(query, self.keys, self.right, kernel=kernel, empty=empty) * factor
        weighed = np.column_stack([self.right * self.scales[:, None], self.scales])
        mean = local_mean(query, self.keys, weighed, kernel=kernel, empty=empty)
        return (mean[:, :-1] / mean[:, -1:] * factor).astype(self.right.dtype)

    def _chosen(self, name: str, chosen: ArrayLike | None) -> NDArray:
        n = len(self.right)
        if chosen is None:
            return np.arange(n)
        found = np.asarray(chosen)
        if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
            raise ValueError(f"{name} must be one row of whole numbers, got {found.dtype} of shape {found.shape}")
        missing = found[(found < -n) | (found >= n)]
        if missing.size:
            raise IndexError(f"{name} must be keys, of which there are {n}, got {missing[0]}")
        return found.astype(np.intp)

    def _powers(self, time: float) -> NDArray:
        if not 0 <= as_number("time", time) < math.inf:
            raise ValueError(f"time must be finite and not negative, got {time!r}")
        if time != int(time) and self.eigenvalues[-1] < 0:
            raise ValueError(f"time must be a whole number, since {np.sum(self.eigenvalues < 0)} of "
                             f"{len(self.eigenvalues)} eigenvalues are negative, got {time!r}")
        return self.eigenvalues ** (int(time) if time == int(time) else time)

    def __repr__(self):
        return (f"Spectrum({len(self.eigenvalues)} pairs of {len(self.right)} keys, kernel={self.kernel!r}, "
                f"alpha={self.alpha:g})")


class _Averages:
    """The symmetric twin S of an averaging matrix, by its products.

    With d the degrees of K and s = d^(−α), the matrix that is averaged with is diag(s) K diag(s); its degrees are
    D = s · K s, and S = diag(g) K diag(g) with g = s / √D. K V is d times the local mean of V, which neither overflows
    nor vanishes however small all weights are; d counts up to a factor, which S does not feel.
    """

    def __init__(self, keys: NDArray, kernel: Kernel, alpha: float):
        self._keys = keys
        self._prepared = prepare(keys, np.ones(len(keys)), kernel=kernel)
        logs = self._prepared.sum().log_normaliser
        alone = np.flatnonzero(np.isneginf(logs))
        if len(alone):
            raise ValueError(f"key {alone[0]} has no key in reach of the kernel, nor have {len(alone) - 1} others: "
                             "widen the kernel, or use one that is not hollow")
        if np.ptp(logs) * max(1.0, 2 * alpha) > SPREAD:
            most = SPREAD / max(1.0, 2 * alpha)
            raise ValueError(f"the degrees Σⱼ K(xᵢ, xⱼ) must be at most e^{most:.0f} apart, got e^{np.ptp(logs):.0f}: "
                             "widen the kernel, or raise its temperature" + (", or lower alpha" if alpha > 0 else ""))
        self._degrees = np.exp(logs - logs.max())
        self.scales = self._degrees**-alpha
        degrees = self._degrees if alpha == 0 else self.scales * self._times(self.scales)
        self._factor = self.scales / np.sqrt(degrees)
        self.stationary = degrees / degrees.sum()

    def _times(self, values: NDArray) -> NDArray:
        mean = self._prepared.sum(values=values).mean()
        return (mean.T * self._degrees).T

    def product(self, block: NDArray) -> NDArray:
        """Return S B by a local sum."""
        return self._factor[:, None] * self._times(self._factor[:, None] * block)

    def products(self) -> Callable[[NDArray], NDArray]:
        """Return a function that multiplies blocks by S: by S itself where that is small and no pair is left out."""
        n = len(self._keys)
        if 8 * n**2 > KEPT or self._prepared.explain().pairs < n**2:
            return self.product
        matrix = self.matrix()

        def product(block):
            image = np.empty_like(block)

            def multiply(first, last):
                np.matmul(matrix[first:last], block, out=image[first:last])

            in_threads(multiply, n, ROWS, products=True)
            return image
        return product

    def matrix(self) -> NDArray:
        """Return S itself."""
        n, left = len(self._keys), self._factor * self._degrees
        matrix = np.empty((n, n))
        for rows, weights in weight_blocks(self._keys, self._keys, kernel=self._prepared.kernel):
            np.multiply(left[rows, None], weights, out=matrix[rows])
            matrix[rows] *= self._factor
        return matrix


def _eigenpairs(averages: _Averages, root: NDArray, k: int, tol: float, max_iter: int, rng: np.random.Generator):
    """Return the k eigenvalues of S that are largest beside that of √π, their vectors, residuals and n_iter."""
    if len(root) <= WHOLE or 8 * (k + 1) > len(root):
        return _decomposed(averages.matrix(), root, k)
    # Threads of BLAS wait for more by spinning, on the cores that the next product needs.
    with threadpool_limits(1, user_api="blas"):
        return leading_eigenvectors(averages.products(), root, k, tol=tol, max_iter=max_iter, rng=rng)


def _decomposed(matrix: NDArray, root: NDArray, k: int):
    """Decompose S whole, with the known eigenvalue 1 moved to −2, below all others."""
    from scipy.linalg import eigh

    check_symmetric(matrix)
    n = len(matrix)
    if k == 0:
        return np.empty(0), np.empty((n, 0)), np.empty(0), 1
    moved = matrix - 3 * np.outer(root, root)
    values, vectors = eigh(moved, subset_by_index=(n - k, n - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    return values, vectors, np.linalg.norm(matrix @ vectors - vectors * values, axis=0), 1


def _with_sign(columns: NDArray) -> NDArray:
    """Return columns times ±1, so that the first of the entries that are largest in size is positive."""
    size = np.abs(columns)
    first = np.argmax(size >= TIE * size.max(axis=0, initial=0.0), axis=0)
    return columns * np.where(columns[first, np.arange(columns.shape[1])] < 0, -1.0, 1.0)
