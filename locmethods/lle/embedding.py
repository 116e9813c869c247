"""Locally linear embedding as a transformer, and as a function."""

from __future__ import annotations

import math
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_number, check_count, check_option
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.lle.alignment import alignment_matrix, check_method
from locmethods.lle.graphs import check_enough, check_samples
from locmethods.numerics.barycentres import barycentric_weights
from locmethods.numerics.nullspace import bottom_eigenvectors

SOLVERS = {"auto": "auto", "arpack": "sparse", "dense": "dense"}
SEARCHES = ("auto", "brute", "kd_tree", "ball_tree")
SCALES = 1e-150, 1e150  # squares of what lies between are numbers of full precision


def locally_linear_embedding(
    X: ArrayLike,
    *,
    n_neighbors: int,
    n_components: int,
    **params: Any,
) -> tuple[np.ndarray, float]:
    """Return the coordinates of the samples and their cost; see `LocallyLinearEmbedding`, whose parameters it takes.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    n_neighbors, n_components : int
    **params
        As in `LocallyLinearEmbedding`.

    Returns
    -------
    embedding : ndarray of shape (n_samples, n_components)
    squared_error : float

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.lle import locally_linear_embedding
    >>> line = np.outer([0.0, 1.0, 2.0, 3.0, 4.0], [3.0, 4.0])
    >>> embedding, cost = locally_linear_embedding(line, n_neighbors=2, n_components=1, reg=1e-9)
    >>> (abs(embedding) * np.sqrt(10)).round(3).ravel()  # one step from point to point, away from the middle
    array([2., 1., 0., 1., 2.])
    """
    model = LocallyLinearEmbedding(n_neighbors=n_neighbors, n_components=n_components, **params).fit(X)
    return model.embedding_, model.reconstruction_error_


class LocallyLinearEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Coordinates that are locally the same combinations of each other as the data are.

    Parameters and answers are those of `sklearn.manifold.LocallyLinearEmbedding`, `quadratic_only` and `nonnegative`
    excepted.

    Parameters
    ----------
    n_neighbors : int, default=5
        k, how many nearest samples make a neighbourhood.
    n_components : int, default=2
        d, how many coordinates; at most the number of features.
    reg : float, default=1e-3
        The ridge of the reconstruction weights, as a share of the trace of their Gram matrix: of method="standard", and
        of `transform`. With more neighbours than features the answer depends on it.
    eigen_solver : {"auto", "arpack", "dense"}, default="auto"
        "arpack" is scikit-learn's name for the sparse way; here it is a sparse factorisation and a block Lanczos
        iteration. "dense" decomposes the whole matrix; "auto" does so for few samples.
    tol : float, default=1e-6
        The sparse way stops when the subspace is known to this angle, in radians.
    max_iter : int, default=100
        The most blocks that the sparse way solves for; five or six are usual.
    method : {"standard", "hessian", "modified", "ltsa"}, default="standard"
        "standard" rebuilds each sample by one set of weights [roweis2000]_, "modified" by several [zhang2007]_, "ltsa"
        asks for coordinates that are linear on each tangent plane [zhang2004]_. "hessian" asks that they have no
        second derivatives there [donoho2003]_; but see `quadratic_only`. It needs more than d (d + 3)/2 neighbours.
    hessian_tol : float, default=1e-4
        Columns of a Hessian whose sum exceeds this are divided by it; with `quadratic_only`.
    modified_tol : float, default=1e-12
        Below this length of the projected ones a neighbourhood counts as having no weights of its own.
    neighbors_algorithm : {"auto", "brute", "kd_tree", "ball_tree"}, default="auto"
        As in `sklearn.neighbors.NearestNeighbors`.
    random_state : int, RandomState instance or None, default=None
        Where the sparse way starts, which changes the answer by less than `tol`.
    n_jobs : int, optional
        For the search of neighbours.
    quadratic_only : bool, default=False
        With "hessian", penalise second derivatives alone, as Donoho and Grimes do. Otherwise everything that is not
        linear is penalised, as by scikit-learn, and the answer is that of "ltsa".
    nonnegative : bool, default=False
        With "standard", rebuild samples by weights that are not negative, in `transform` too: each is then near a local
        mean of its neighbours.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components)
        Orthonormal columns, orthogonal to the constants; float32 if the data are.
    reconstruction_error_ : float
        The cost Σ fᵀ M f over the coordinates, M the `alignment_matrix`.
    nbrs_ : sklearn.neighbors.NearestNeighbors
        Fitted to the samples.
    n_iter_ : int
        How many blocks were solved for; 1 of the dense way.
    angle_ : float
        A bound on the angle between the subspace found and the true one, residual over gap [davis1970]_.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        If the samples came with names that are all strings.

    Warns
    -----
    ConvergenceWarning
        From `fit`, if the coordinates are not determined to `tol`: by the number of iterations, or by the data, as
        when the graph of neighbours falls into more pieces than `n_components` + 1.
    UserWarning
        From `fit`, if there are just `n_components` + 1 pieces, each of which becomes a single point.

    Notes
    -----
    What tells one piece of the graph from the others costs nothing. So each piece beyond the first takes up a
    coordinate, on which every piece is one point.

    With "ltsa" and "hessian" a neighbourhood does not contain the sample that it belongs to, as in scikit-learn. A
    sample that is nobody's neighbour then stands in no term and may lie anywhere; there are such in many dimensions.

    The constants are the null space of the cost, and the coordinates are orthogonal to them. scikit-learn computes the
    constants with the coordinates and drops the first eigenvector; where the next eigenvalue is tiny, rounding mixes
    the two. On a grid of 18 × 18 places its "ltsa" is askew by an angle of 2.7e-6, which is the share of the constants
    in it: once it has been centred, the planes agree to 1e-9.

    Examples
    --------
    >>> import locmethods as lm
    >>> from sklearn.datasets import make_swiss_roll
    >>> X = make_swiss_roll(500, random_state=0)[0]
    >>> lm.LocallyLinearEmbedding(n_neighbors=10, method="ltsa").fit_transform(X).shape
    (500, 2)
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        n_components: int = 2,
        reg: float = 1e-3,
        eigen_solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        method: str = "standard",
        hessian_tol: float = 1e-4,
        modified_tol: float = 1e-12,
        neighbors_algorithm: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        quadratic_only: bool = False,
        nonnegative: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.reg = reg
        self.eigen_solver = eigen_solver
        self.tol = tol
        self.max_iter = max_iter
        self.method = method
        self.hessian_tol = hessian_tol
        self.modified_tol = modified_tol
        self.neighbors_algorithm = neighbors_algorithm
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.quadratic_only = quadratic_only
        self.nonnegative = nonnegative

    def _check(self, n_samples, n_features):
        check_count("n_neighbors", self.n_neighbors, 1)
        check_count("max_iter", self.max_iter, 1)
        for name in ("reg", "tol", "hessian_tol", "modified_tol"):
            if not 0 <= as_number(name, getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be finite and not negative, got {getattr(self, name)!r}")
        check_option("eigen_solver", self.eigen_solver, tuple(SOLVERS))
        check_option("neighbors_algorithm", self.neighbors_algorithm, SEARCHES)
        check_method(self.method, self.n_neighbors, self.n_components, self.quadratic_only, self.nonnegative)
        if self.nonnegative and self.reg == 0:
            raise ValueError("nonnegative=True needs a positive reg, which makes the weights unique, got "
                             f"reg={self.reg!r}")
        if self.n_components > n_features:
            raise ValueError(f"n_components must be at most the number of features, {n_features}, got "
                             f"{self.n_components}")
        check_enough(self.n_neighbors, n_samples)
        if self.n_components >= n_samples:
            raise ValueError(f"n_components must be less than the number of samples, {n_samples}, got "
                             f"{self.n_components}")

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the coordinates of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are too few, all samples coincide, squared distances over- or underflow, or a
            parameter is not as above.
        """
        from scipy.sparse.csgraph import connected_components
        from sklearn.neighbors import NearestNeighbors

        check_samples(X)
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        self._check(*X.shape)
        rng = check_random_state(self.random_state)
        _check_scale(X)
        if (X == X[0]).all():
            where = "Error in determining null-space with ARPACK: " if self.eigen_solver == "arpack" else ""
            raise ValueError(f"{where}all {len(X)} samples coincide, so that no coordinates are determined")
        self.nbrs_ = NearestNeighbors(n_neighbors=self.n_neighbors, algorithm=self.neighbors_algorithm,
                                      n_jobs=self.n_jobs).fit(X)
        near = self.nbrs_.kneighbors(return_distance=False)
        matrix = alignment_matrix(X, near, method=self.method, n_components=self.n_components, reg=self.reg,
                                  hessian_tol=self.hessian_tol, modified_tol=self.modified_tol,
                                  quadratic_only=self.quadratic_only, nonnegative=self.nonnegative)
        try:
            found = bottom_eigenvectors(matrix, self.n_components, solver=SOLVERS[self.eigen_solver], tol=self.tol,
                                        max_iter=self.max_iter, rng=rng)
        except RuntimeError as error:
            raise ValueError(f"Error in determining null-space with ARPACK: {error}; try eigen_solver=\"dense\"") \
                from error
        pieces, piece_of = connected_components(matrix != 0, directed=False)
        # Of more pieces, and of flat ones, the coordinates are not determined, of which there was a warning.
        if pieces == self.n_components + 1 and _drawn_as_points(found.vectors, piece_of):
            warnings.warn(f"the graph of neighbours falls into {pieces} pieces, and {self.n_components} coordinates "
                          "tell these apart and nothing else: each piece is drawn as one point; raise n_neighbors, or "
                          "embed the pieces one by one", UserWarning, stacklevel=2)
        self.embedding_ = found.vectors.astype(X.dtype, copy=False)
        self.reconstruction_error_ = float(found.values.sum())
        self.n_iter_, self.angle_ = found.n_iter, float(found.angle)
        self._samples, self._n_features_out = X, self.n_components
        return self

    def fit_transform(self, X: ArrayLike, y: object = None) -> np.ndarray:
        """Find the coordinates of the samples and return them, of shape (n_samples, n_components)."""
        return self.fit(X).embedding_

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return coordinates of new points: the combinations of their nearest samples that rebuild the points.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Returns
        -------
        ndarray of shape (n_queries, n_components)

        Notes
        -----
        A sample is its own nearest neighbour, so that with a ridge its coordinates come out close to those in
        `embedding_`, but not equal.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        near = self.nbrs_.kneighbors(X, return_distance=False)
        weights = barycentric_weights(X, self._samples, near, regularization=self.reg, nonnegative=self.nonnegative)
        return np.einsum("qk,qkd->qd", weights, self.embedding_[near])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _drawn_as_points(coordinates, piece_of):
    """Return whether each piece lies in one place, to a thousandth of the drawing."""
    widths = [np.ptp(coordinates[piece_of == piece], axis=0).max() for piece in np.unique(piece_of)]
    return max(widths) < 1e-3 * np.ptp(coordinates, axis=0).max()


def _check_scale(X):
    """Raise ValueError if the search of neighbours could not tell distances, which it squares."""
    least, most = SCALES
    largest = float(np.abs(X).max())
    if largest > most or 0 < float(np.ptp(X, axis=0).max()) < least:
        raise ValueError("X must be scaled so that squared distances neither over- nor underflow, got entries of up "
                         f"to {largest:.3g}")
