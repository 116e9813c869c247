"""The projection as scikit-learn's transformers are."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_option, check_share, is_number
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.numerics.threads import in_threads
from locmethods.projection.bounds import dimension
from locmethods.projection.hadamard import Mixing

__all__ = ["RandomProjection"]

METHODS = ("gaussian", "sparse", "sign", "hadamard")
PART = 1 << 20  # numbers of a part of the sample that a sparse matrix multiplies at a time


class RandomProjection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Multiply the sample by a random matrix: few dimensions that nearly keep all distances [johnson1984]_.

    x becomes A x, with A of shape (k, d) drawn so that ‖A x‖² is ‖x‖² on average. Nothing is learned: the matrix
    depends on the sample's shape alone, and points that come later are kept as well as those of `fit`, unless they were
    chosen by what it does.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        k. "auto" takes `dimension` of the sample's size and `eps`: exactly for "gaussian", by the constant of
        Dasgupta and Gupta for the others. For "sign" and for "sparse" of density 1/3 that is a theorem
        [achlioptas2003]_; for a sparser matrix and for "hadamard" it is what is found by experience for data that
        are not sparse themselves. It may exceed the number of features, where nothing is gained.
    method : {"gaussian", "sparse", "sign", "hadamard"}, default="gaussian"
        "gaussian": entries N(0, 1/k). "sign": ±1/√k, with equal probability. "sparse": ±1/√(k·density) with
        probability `density`, else zero [li2006]_. "hadamard": a sample of k rows of the Hadamard matrix times
        random signs, in p log₂ p steps a point, p the power of two from the number of features on [ailon2009]_
        [tropp2011]_; with k = p it keeps all distances.
    eps : float, default=0.1
        In (0, 1): the share by which "auto" lets squared distances be off, all pairs at once, with probability
        1 − 1/n for n samples.
    density : float or "auto", default="auto"
        Of a sparse matrix, in (0, 1]; 1/√d by default, with d features.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    components_ : ndarray or csr_array of shape (k, n_features)
        The matrix, except of "hadamard", which has none.
    n_components_ : int
    n_features_in_ : int

    Notes
    -----
    Under equal random states the matrices of "gaussian", of "sparse", and of "sign" (which is "sparse" of density
    one) are those of scikit-learn's ``GaussianRandomProjection`` and ``SparseRandomProjection``.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.projection import RandomProjection
    >>> X = np.eye(8)[:3]  # points at the distance √2 from each other
    >>> Z = RandomProjection(8, method="hadamard", random_state=0).fit_transform(X)
    >>> Z.shape, ((Z[0] - Z[1:]) ** 2).sum(1).round(6)  # as many dimensions as there were: a rotation
    ((3, 8), array([2., 2.]))
    """

    def __init__(self, n_components: int | str = "auto", *, method: str = "gaussian", eps: float = 0.1,
                 density: float | str = "auto", random_state: int | np.random.RandomState | None = None) -> None:
        self.n_components = n_components
        self.method = method
        self.eps = eps
        self.density = density
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: None = None) -> RandomProjection:
        """Draw the matrix for samples of this shape.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, a parameter is not as above, or "auto" asks for more dimensions than
            there are features.
        """
        check_option("method", self.method, METHODS)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        density = self._density(X.shape[1])
        k, d, rng = self._number_of_components(*X.shape), X.shape[1], check_random_state(self.random_state)
        self.n_components_ = self._n_features_out = k
        if self.method == "hadamard":
            self._mixing = Mixing(k, d, rng)
        else:
            draw = {"gaussian": _gaussian, "sparse": _sparse, "sign": _sparse}[self.method]
            self.components_ = draw(k, d, 1.0 if self.method == "sign" else density, rng).astype(X.dtype)
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the projected rows, dense, of shape (n_samples, k); float32 stays float32."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=FLOATS)
        if self.method == "hadamard":
            return self._mixing(X)
        matrix = self.components_.astype(X.dtype, copy=False)
        if not issparse(matrix):
            return X @ matrix.T
        found = np.empty((X.shape[0], matrix.shape[0]), dtype=X.dtype)

        def work(first, last):
            part = (matrix @ X[first:last].T).T
            found[first:last] = part.toarray() if issparse(part) else part

        in_threads(work, X.shape[0], max(1, PART // X.shape[1]))
        return found

    def _number_of_components(self, n, d):
        k = self.n_components
        if isinstance(k, str) and k == "auto":
            if n < 2:
                raise ValueError('n_components="auto" must have at least two samples to go by, got 1: name a number')
            k = dimension(n, self.eps, method="exact" if self.method == "gaussian" else "dasgupta")
            if k > d:
                raise ValueError(f"eps={self.eps} asks for {k} dimensions to keep all distances of {n} points, more "
                                 f"than the {d} features that they have: name a number for n_components, or allow "
                                 "a larger eps")
            return k
        if not isinstance(k, numbers.Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(f'n_components must be an integer of at least 1, or "auto", got {k!r}')
        return int(k)

    def _density(self, d):
        check_share("eps", self.eps)
        if isinstance(self.density, str) and self.density == "auto":
            return 1 / np.sqrt(d)
        if not (is_number(self.density) and 0 < self.density <= 1):
            raise ValueError(f'density must be a number in (0, 1], or "auto", got {self.density!r}')
        return float(self.density)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _gaussian(k, d, density, rng):
    """Return a matrix of N(0, 1/k), of shape (k, d)."""
    return rng.normal(0.0, 1 / np.sqrt(k), size=(k, d))


def _sparse(k, d, density, rng):
    """Return a matrix of ±1/√(k·density), each with probability density/2, else zero; dense if density is one.

    The numbers are drawn in scikit-learn's order, so that equal random states give equal matrices.
    """
    if density == 1:
        return (2 * rng.binomial(1, 0.5, size=(k, d)) - 1) / np.sqrt(k)
    columns = []
    for _ in range(k):
        count = rng.binomial(d, density)
        columns.append(sample_without_replacement(d, count, random_state=rng))
    ends = np.cumsum([0, *map(len, columns)])
    signs = 2 * rng.binomial(1, 0.5, size=ends[-1]) - 1
    return csr_array((signs / np.sqrt(k * density), np.concatenate(columns), ends), shape=(k, d))
