"""Relaxation labeling: objects whose label probabilities are changed, again and again, by the support of others."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from locmethods.arrays.checks import as_array, check_count, check_option, check_tol
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.arrays.namespace import to_numpy
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.numerics.progress import tell, telling
from locmethods.relaxation.neighborhoods import Graph, neighborhood

RULES = ("multiplicative", "additive")
ONE = 1e-9  # how far from one the sum of a row of probabilities may be


class RelaxationLabeling(BaseEstimator):
    """Change label probabilities by the support that they get from neighbours, until they move no more.

    Object i gives the label λ the probability pᵢ(λ), and its support is qᵢ(λ) = Σⱼ wᵢⱼ Σ_μ c(λ, μ) pⱼ(μ): labels μ of
    neighbours j count by how well λ goes with them. The additive rule is p ← p(1 + q)/Σ p(1 + q) [rosenfeld1976]_,
    the multiplicative one p ← pq/Σ pq, Baum and Eagon's growth transformation [baum1967]_. If wᵢⱼ c(λ, μ) is symmetric
    and not negative, the multiplicative rule never lowers the average local consistency Σ pq [pelillo1997]_.

    Parameters
    ----------
    compatibility : array-like of shape (n_labels, n_labels), optional
        c(λ, μ), row λ the label that is supported; the identity by default. It need not be symmetric.
    kernel : Kernel, optional
        wᵢⱼ = K(xᵢ, xⱼ), a localization kernel over the rows of X; ``kernel.hollow()`` leaves each object out of its own
        support. ``Gaussian(bandwidth=1.0)`` by default; None if X is a sparse matrix.
    rule : {"multiplicative", "additive"}, default="multiplicative"
    normalize : bool, optional
        Divide each support by Σⱼ |wᵢⱼ|, so that it is a local mean; where X holds all coefficients, by the sum of its
        own row. By default True for the additive rule, which needs q ≥ −1, and False for the other. What an object's
        supports have in common does not change the multiplicative rule, only `consistency_`, which may fall, and
        `excess_`; but an object all of whose weights are too small for a float has a mean still, and no sum.
    tol : float, default=1e-6
        It has settled when no probability moves by more.
    max_iter : int, default=1000
        Steps after which it is left where it is, with a ConvergenceWarning.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    probabilities_ : ndarray of shape (n_objects, n_labels)
    labels_ : integer ndarray of shape (n_objects,)
        The most probable label.
    consistency_ : ndarray of shape (``n_iter_`` + 1,)
        Σᵢ Σ_λ pᵢ(λ) qᵢ(λ) after 0, 1, … steps.
    excess_ : float
        max over objects of max_λ qᵢ(λ) − Σ_λ pᵢ(λ) qᵢ(λ). The labeling is consistent in the sense of the variational
        inequality exactly if it is zero [hummel1983]_.
    n_iter_ : int
    stopped_ : {"settled", "max_iter"}
        Why it stopped.

    Notes
    -----
    A label whose probability is zero stays out, and an object without any support stays as it is. With one object,
    ``X = csr_array([[1.0]])``, the multiplicative rule is the replicator dynamics of the game `compatibility`.

    Examples
    --------
    >>> from locmethods import RelaxationLabeling
    >>> from scipy.sparse import csr_array
    >>> game = RelaxationLabeling([[0.0, 2.0], [1.0, 0.0]]).fit(csr_array([[1.0]]), [[0.5, 0.5]])
    >>> game.probabilities_.round(3)  # 2 p₂ = p₁: neither strategy pays more
    array([[0.667, 0.333]])
    """

    def __init__(
        self,
        compatibility: ArrayLike | None = None,
        *,
        kernel: Kernel | None = None,
        rule: str = "multiplicative",
        normalize: bool | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        verbose: bool = False,
    ) -> None:
        self.compatibility = compatibility
        self.kernel = kernel
        self.rule = rule
        self.normalize = normalize
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def fit(self, X: ArrayLike, P: ArrayLike) -> Self:
        """Relax the probabilities.

        Parameters
        ----------
        X : array-like of shape (n_objects, n_features), or sparse matrix
            Points for the kernel. Or the weights wᵢⱼ themselves, sparse, of shape (n_objects, n_objects); or, of shape
            (n_objects · n_labels,) * 2, all coefficients r, that of label λ of object i and label μ of object j in row
            i · n_labels + λ and column j · n_labels + μ; then `compatibility` is None.
        P : array-like of shape (n_objects, n_labels)
            Where to start; rows are probabilities.

        Raises
        ------
        ValueError, TypeError
            If shapes disagree, something is not finite or not real, rows of P are no probabilities, supports can be
            negative where the rule can't bear it, or a parameter is not as above.
        """
        check_tol(self.tol)
        check_count("max_iter", self.max_iter, 1)
        p, supports, step, dtype = _prepared(X, P, self.kernel, self.compatibility, self.rule, self.normalize)
        q = supports(p)
        consistency, self.stopped_, self.n_iter_ = [float((p * q).sum())], "max_iter", 0
        while self.n_iter_ < self.max_iter and self.stopped_ == "max_iter":
            new = step(p, q)
            moved = float(np.abs(new - p).max())
            p, q = new, supports(new)
            consistency.append(float((p * q).sum()))
            self.n_iter_ += 1
            with telling(self):
                tell(self.n_iter_, "the largest change is {:.3g}", moved)
            self.stopped_ = "settled" if moved <= self.tol else "max_iter"
        self.probabilities_, self.labels_ = p.astype(dtype, copy=False), p.argmax(axis=1)
        self.consistency_ = np.array(consistency)
        self.excess_ = float((q.max(axis=1) - (p * q).sum(axis=1)).max())
        if self.stopped_ == "max_iter":
            warnings.warn(f"relaxation labeling has not settled after {self.n_iter_} steps, the last of which moved a "
                          f"probability by {moved:.1g}: raise max_iter or tol, or, if it goes round, let the "
                          "compatibilities be symmetric", ConvergenceWarning, stacklevel=2)
        return self

    def fit_predict(self, X: ArrayLike, P: ArrayLike) -> np.ndarray:
        """Return ``fit(X, P).labels_``."""
        return self.fit(X, P).labels_


def support(
    X: ArrayLike,
    P: ArrayLike,
    *,
    kernel: Kernel | None = None,
    compatibility: ArrayLike | None = None,
    normalize: bool | None = False,
) -> np.ndarray:
    """Return qᵢ(λ) = Σⱼ wᵢⱼ Σ_μ c(λ, μ) pⱼ(μ), of shape (n_objects, n_labels).

    Parameters
    ----------
    X, P, kernel, compatibility, normalize
        As in `RelaxationLabeling`.

    Raises
    ------
    ValueError, TypeError
        As in `RelaxationLabeling`.

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.relaxation import support
    >>> support([[0.0], [1.0], [2.0]], [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], kernel=Flat(1.0).hollow())
    array([[0.5, 0.5],
           [1. , 1. ],
           [0.5, 0.5]])
    """
    p, supports, *_ = _prepared(X, P, kernel, compatibility, None, normalize)
    return supports(p)


def relaxation_path(
    X: ArrayLike,
    P: ArrayLike,
    *,
    steps: int,
    kernel: Kernel | None = None,
    compatibility: ArrayLike | None = None,
    rule: str = "multiplicative",
    normalize: bool | None = None,
) -> np.ndarray:
    """Return the probabilities after 0, 1, …, `steps` steps, of shape (steps + 1, n_objects, n_labels).

    Parameters
    ----------
    X, P, kernel, compatibility, rule, normalize
        As in `RelaxationLabeling`.
    steps : int

    Raises
    ------
    ValueError, TypeError
        As in `RelaxationLabeling`.

    Examples
    --------
    >>> from locmethods.relaxation import relaxation_path
    >>> from scipy.sparse import csr_array
    >>> path = relaxation_path(csr_array([[1.0]]), [[0.75, 0.25]], steps=2)
    >>> path[:, 0].round(3)  # p² over its sum: 9 to 1, then 81 to 1
    array([[0.75 , 0.25 ],
           [0.9  , 0.1  ],
           [0.988, 0.012]])
    """
    check_count("steps", steps, 0)
    p, supports, step, _ = _prepared(X, P, kernel, compatibility, rule, normalize)
    path = [p]
    for _ in range(steps):
        path.append(step(path[-1], supports(path[-1])))
    return np.stack(path)


def _prepared(X, P, kernel, compatibility, rule, normalize):
    """Return the probabilities as float64, the functions p ↦ q and of the rule, and the type of answers, all checked.

    `rule` None asks for supports alone, of which nothing more is needed.
    """
    if rule is not None:
        check_option("rule", rule, RULES)
    if normalize is not None and not isinstance(normalize, bool | np.bool_):
        raise ValueError(f"normalize must be True, False or None, got {normalize!r}")
    p, dtype = _probabilities(P)
    n, labels = p.shape
    c = None if compatibility is None else _square(compatibility, labels)
    near = _neighbourhoods(X, kernel, n, labels, c)
    mean = rule == "additive" if normalize is None else normalize
    ask = near.means if mean else near.sums
    if isinstance(near, Graph) and near.weights.shape[0] == n * labels and labels > 1:
        def supports(p):
            return _finite(lambda: ask(p.reshape(-1, 1)).reshape(p.shape))
    else:
        def supports(p):
            return _finite(lambda: ask(p if c is None else _finite(lambda: p @ c.T)))
    if rule is not None:
        _check_signs(near, c, rule, mean)
    return p, supports, {"multiplicative": _multiply, "additive": _add}.get(rule), dtype


def _finite(supports):
    """Return what a function computes, unless some of it is beyond what a float holds."""
    with np.errstate(over="ignore", invalid="ignore"):
        q = supports()
    if not np.isfinite(q).all():
        raise ValueError("weights and compatibilities must be so small that supports, sums of their products, are "
                         f"finite, got {int((~np.isfinite(q)).sum())} infinite ones: divide them by a constant")
    return q


def _multiply(p, q):
    """Return pq/Σ pq, and p where no label has support."""
    return _on_the_simplex(p, p * q)


def _add(p, q):
    """Return p(1 + q)/Σ p(1 + q)."""
    return _on_the_simplex(p, p * (1 + q))


def _on_the_simplex(p, weight):
    total = weight.sum(axis=1, keepdims=True)
    return np.where(total > 0, weight / np.where(total > 0, total, 1.0), p)


def _probabilities(P):
    """Return P in float64, rows divided by their sums, and the floating type that answers have."""
    p = to_numpy(as_array("P", P))
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"P must have shape (n_objects, n_labels), neither zero, got shape {tuple(p.shape)}")
    given, p = p.dtype, p.astype(np.float64)
    total = p.sum(axis=1)
    # Each of n entries is rounded by a share of itself, and the rows of a type that is narrower sum to one less well.
    rounding = ONE if given == np.float64 else 4 * np.finfo(given).eps * p.shape[1]
    bad = (p.min(axis=1) < 0) | (np.abs(total - 1) > rounding)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"the rows of P must be probabilities, none negative and their sum one; row {row} has the "
                         f"least entry {p[row].min():.3g} and the sum {total[row]:.10g}")
    return p / total[:, None], np.float32 if given == np.float32 else np.float64


def _square(compatibility, labels):
    c = to_numpy(as_array("compatibility", compatibility))
    if c.shape != (labels, labels):
        raise ValueError(f"compatibility must have shape {(labels, labels)}, a row and a column for each label of P, "
                         f"got shape {tuple(c.shape)}")
    return np.asarray(c, dtype=np.float64)


def _neighbourhoods(X, kernel, n, labels, c):
    """Return who supports whom."""
    if not sparse.issparse(X):
        X = check_array(X, dtype=FLOATS)
        if len(X) != n:
            raise ValueError(f"X and P must have as many rows, got {len(X)} and {n}")
        return neighborhood(X.astype(np.float64, copy=False), kernel_or_default(kernel, "nearest"))
    if kernel is not None:
        raise ValueError("a sparse X holds the weights themselves, so kernel must be None")
    if X.shape not in ((n, n), (n * labels, n * labels)):
        raise ValueError(f"a sparse X must have shape {(n, n)}, a row for each object, or {(n * labels, n * labels)}, "
                         f"a row for each label of each object; got shape {X.shape}")
    if X.shape != (n, n) and c is not None:
        raise ValueError("X holds a coefficient for each pair of labels, so compatibility must be None")
    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold real numbers, got the dtype {X.dtype}")
    X = X.tocsr().astype(np.float64)  # a copy
    X.sum_duplicates()  # a weight may come in parts, of which one is negative
    if not np.isfinite(X.data).all():
        raise ValueError(f"X must be finite, got {int((~np.isfinite(X.data)).sum())} NaN or infinite weights")
    return Graph(X)


def _check_signs(near, c, rule, mean):
    """Raise ValueError unless p(1 + q), or pq, is sure not to be negative."""
    least = 0.0 if c is None else float(c.min())
    largest = 1.0 if c is None else float(np.abs(c).max())
    signed = isinstance(near, Graph) and near.weights.nnz > 0 and near.weights.data.min() < 0
    if rule == "multiplicative" and (least < 0 or signed):
        raise ValueError("the multiplicative rule needs weights and compatibilities of at least 0, got "
                         + (f"the compatibility {least:.3g}" if least < 0 else
                            f"the weight {near.weights.data.min():.3g}")
                         + ': add a constant, or use rule="additive"')
    if rule == "additive" and (least < 0 or signed):
        bound = largest * (1.0 if mean else float(near.totals.max()))
        if bound > 1 + ONE:
            raise ValueError("the additive rule needs supports of at least -1: with these weights and compatibilities "
                             f"they can be as low as {-bound:.3g}; divide by that, or use normalize=True with "
                             "compatibilities in [-1, 1]")
