"""Mixtures of experts: the local mean of what experts answer, the keys being the experts' places."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, as_number, check_count, check_not_negative, check_positive, check_tol
from locmethods.arrays.estimators import FLOATS, targets, validate_data
from locmethods.arrays.namespace import is_tensor, like, namespace, to_float64, to_numpy
from locmethods.kernels import Exponential, Gaussian, Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_mean, local_weights
from locmethods.numerics.progress import tell, telling
from locmethods.numerics.settling import say_unsettled

__all__ = ["Gate", "LocalExperts", "gaussian_gate", "mixture_of_experts", "softmax_gate"]

LEAST_NOISE = 1e-6  # of the targets' variance: an expert that meets its samples exactly would have likelihood ∞
LEAST_WIDTH = 1e-6  # of the features' variance, likewise
LEAST_PRIOR = 1e-300  # of an expert that nobody asks
LARGEST = 1e150  # a number whose square is one, a few times over


class Gate(NamedTuple):
    """A Gaussian gate: where the experts stand, and what each counts before anything is asked.

    Attributes
    ----------
    centers : ndarray of shape (n_experts, n_features)
    log_prior : ndarray of shape (n_experts,)
        Logarithms of the priors, up to a number.

    Examples
    --------
    >>> from locmethods.hierarchy import gaussian_gate, softmax_gate
    >>> gate = gaussian_gate([[1.0], [2.0]], [0.0, 0.0], bandwidth=2.0)
    >>> gate.centers.ravel(), gate.log_prior  # 2² · 1 and 2² · 2, and 4²/8 and 8²/8
    (array([4., 8.]), array([2., 8.]))
    >>> [found.ravel().tolist() for found in softmax_gate(*gate, bandwidth=2.0)]  # and back
    [[1.0, 2.0], [0.0, 0.0]]
    """

    centers: np.ndarray
    log_prior: np.ndarray


def gaussian_gate(slopes: ArrayLike, intercepts: ArrayLike, *, bandwidth: float = 1.0) -> Gate:
    """Return the Gaussian gate of one width that weighs as softmax(x·a_j + b_j) does: c_j = h²a_j.

    −‖x − c‖²/2h² = x·c/h² − ‖c‖²/2h² − ‖x‖²/2h², and the last term is the same for all experts; so the priors are
    log π_j = b_j + ‖c_j‖²/2h² [jordan1994]_ [xu1995]_. Any width does: it moves the centers.

    Parameters
    ----------
    slopes : array-like of shape (n_experts, n_features)
        a_j.
    intercepts : array-like of shape (n_experts,)
        b_j.
    bandwidth : float, default=1.0
        h.

    Returns
    -------
    Gate

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, something is not finite, or the width is not positive.

    Examples
    --------
    >>> from locmethods.hierarchy import gaussian_gate
    >>> gaussian_gate([[1.0], [2.0]], [0.0, 0.0])
    Gate(centers=array([[1.],
           [2.]]), log_prior=array([0.5, 2. ]))
    """
    slopes, intercepts, width = _of_experts("slopes", slopes, "intercepts", intercepts, bandwidth)
    centers = width**2 * slopes
    return Gate(centers, intercepts + ((width * slopes) ** 2).sum(1) / 2)  # centers of 1e200 have no squares


def softmax_gate(
    centers: ArrayLike,
    log_prior: ArrayLike | None = None,
    *,
    bandwidth: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes c_j/h² and intercepts log π_j − ‖c_j‖²/2h² of the softmax that weighs as a Gaussian gate does.

    Parameters
    ----------
    centers : array-like of shape (n_experts, n_features)
    log_prior : array-like of shape (n_experts,), optional
        Equal priors by default.
    bandwidth : float, default=1.0

    Returns
    -------
    slopes : ndarray of shape (n_experts, n_features)
    intercepts : ndarray of shape (n_experts,)

    Raises
    ------
    ValueError, TypeError
        As `gaussian_gate`.

    Examples
    --------
    >>> from locmethods.hierarchy import softmax_gate
    >>> softmax_gate([[1.0], [2.0]])
    (array([[1.],
           [2.]]), array([-0.5, -2. ]))
    """
    centers = as_array("centers", centers)
    log_prior = np.zeros(centers.shape[:1]) if log_prior is None else log_prior
    centers, log_prior, width = _of_experts("centers", centers, "log_prior", log_prior, bandwidth)
    return centers / width**2, log_prior - ((centers / width) ** 2).sum(1) / 2  # centers of 1e200 have no squares


def _of_experts(rows, matrix, numbers, vector, bandwidth):
    check_positive("bandwidth", bandwidth)
    matrix, vector = to_float64(as_array(rows, matrix)), to_float64(as_array(numbers, vector))
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{rows} must have shape (n_experts, n_features), neither zero, got shape {matrix.shape}")
    if vector.shape != matrix.shape[:1]:
        raise ValueError(f"{numbers} must have shape ({len(matrix)},), a number for each expert, got shape "
                         f"{vector.shape}")
    width = as_number("bandwidth", bandwidth)
    # What a center's exponent is made of: its square in units of the width, and the width's own.
    largest = np.abs(matrix).max() * (width if rows == "slopes" else 1 / width)
    if not max(largest, width, 1 / width) < LARGEST:
        raise ValueError(f"{rows} and bandwidth must be of a size whose squares are numbers, got numbers up to "
                         f"{np.abs(matrix).max():.3g} and the bandwidth {width:.3g}")
    return matrix, vector, width


def mixture_of_experts(
    X: ArrayLike,
    centers: ArrayLike,
    coefficients: ArrayLike,
    *,
    kernel: Kernel,
    log_prior: ArrayLike | None = None,
    empty: str = "nearest",
) -> np.ndarray:
    """Return Σ_j g_j(x) f_j(x), the local mean of what experts answer; g_j = π_j K(x, c_j) / Σ π K [jacobs1991]_.

    Experts are linear, f_j(x) = θ_j0 + x·θ_j, so the local mean of their coefficients is taken, and evaluated at x.

    Parameters
    ----------
    X : array-like of shape (n_queries, n_features)
    centers : array-like of shape (n_experts, n_features)
        The keys.
    coefficients : array-like of shape (n_experts, 1 + n_features) or (n_experts, 1 + n_features, n_outputs)
        A constant and a slope for each feature.
    kernel : Kernel
        A localization kernel of query and center.
    log_prior : array-like of shape (n_experts,), optional
        log π_j, up to a number; equal by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a query with no center in reach gives; see `locmethods.local_mean`.

    Returns
    -------
    ndarray of shape (n_queries,) or (n_queries, n_outputs)

    Raises
    ------
    ValueError, TypeError
        If shapes disagree; otherwise as `locmethods.local_mean`.

    Examples
    --------
    >>> from locmethods.hierarchy import mixture_of_experts
    >>> from locmethods.kernels import Gaussian
    >>> experts = [[0.0, 1.0], [4.0, -1.0]]  # a line that rises and one that falls
    >>> mixture_of_experts([[0.0], [2.0], [4.0]], [[0.0], [4.0]], experts, kernel=Gaussian(1.0)).round(2)
    array([0., 2., 0.])
    """
    X, centers = as_array("X", X), as_array("centers", centers)
    coefficients = as_array("coefficients", coefficients)
    if X.ndim != 2 or centers.ndim != 2 or 0 in centers.shape or X.shape[1] != centers.shape[1]:
        raise ValueError("X and centers must have shapes (n_queries, n_features) and (n_experts, n_features), got "
                         f"shapes {tuple(X.shape)} and {tuple(centers.shape)}")
    wanted = (len(centers), 1 + X.shape[1])
    if coefficients.ndim not in (2, 3) or coefficients.shape[:2] != wanted:
        raise ValueError(f"coefficients must have shape {wanted} or {wanted} and outputs, got shape "
                         f"{coefficients.shape}")
    query, keys, kernel = _with_prior(X, centers, kernel, log_prior, empty)
    mixed = local_mean(query, keys, coefficients.reshape(len(centers), -1), kernel=kernel, empty=empty)
    mixed = mixed.reshape(len(X), *coefficients.shape[1:])
    return mixed[:, 0] + (mixed[:, 1:] * X.reshape(*X.shape, *[1] * (mixed.ndim - 2))).sum(1)


def _with_prior(query, centers, kernel, log_prior, empty="nearest"):
    """Return queries, keys and a kernel under which key j counts π_j times."""
    kernel = kernel_or_default(kernel, empty)
    if log_prior is None:
        return query, centers, kernel
    log_prior = as_array("log_prior", log_prior)
    if tuple(log_prior.shape) != (len(centers),):
        raise ValueError(f"log_prior must have shape ({len(centers)},), a number for each expert, got shape "
                         f"{tuple(log_prior.shape)}")
    # One more feature: 1 of the query, log π of the center; the exponential of their product is π.
    own = list(range(centers.shape[1]))
    xp, beside = namespace(centers), log_prior - log_prior.max()
    beside = like(beside, centers) if is_tensor(centers) else to_numpy(beside).astype(centers.dtype)
    query = xp.concatenate([query, xp.ones_like(query[:, :1])], axis=1)
    return query, xp.concatenate([centers, beside[:, None]], axis=1), kernel.on(own) * Exponential().on([len(own)])


class LocalExperts(RegressorMixin, BaseEstimator):
    """Linear experts that answer near their centers, by expectation and maximisation [jordan1994]_ [xu1995]_.

    The sample is taken for one of the mixture Σ_j π_j N(x; c_j, h²I) N(y; f_j(x), s_j²). Given the experts, the share
    of each in a datum is known; given the shares, each expert is a ridge regression with weights, and its center a
    weighted mean. Neither half lowers the likelihood, the ridge counted in. The prediction E(y | x) is a local mean of
    the experts' answers whose kernel is π_j exp(−‖x − c_j‖²/2h²); it is also the one under a softmax gate, see
    `softmax_gate`.

    Parameters
    ----------
    n_experts : int, default=4
        No more are used than there are different samples.
    bandwidth : float, optional
        h, the same for all experts, in the units of the features; learned by default. Features should have like scales.
    alpha : float, default=1.0
        Of the ridge: slopes per standard deviation of a feature have the prior N(0, var(y)/alpha).
    n_init : int, default=1
        Starts; the one with the greatest likelihood is kept.
    max_iter : int, default=500
        Rounds, after which it is left where it is, with a ConvergenceWarning.
    tol : float, default=1e-6
        A round that raises the mean log-likelihood by less is the last.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        See `locmethods.local_mean`; a Gaussian gate reaches everywhere.
    random_state : int, RandomState or None, default=None
        Of k-means, which places the centers at first.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    centers_ : ndarray of shape (n_experts, n_features)
    log_prior_ : ndarray of shape (n_experts,)
    bandwidth_ : float
    coefficients_ : ndarray of shape (n_experts, 1 + n_features[, n_outputs])
        A constant and slopes, in the features' units.
    noise_ : ndarray of shape (n_experts[, n_outputs])
        Standard deviations s_j.
    likelihood_curve_ : ndarray of shape ``(n_iter_,)``
        Mean logarithm of the posterior density after each round, up to a number; it never falls.
    n_iter_ : int
    stopped_ : {"tol", "max_iter"}
        Why it stopped.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import LocalExperts
    >>> x = np.linspace(-1, 1, 101)[:, None]
    >>> model = LocalExperts(2, alpha=0.0, random_state=0).fit(x, abs(x[:, 0]))
    >>> np.sort(model.coefficients_[:, 1]).round(3)
    array([-1.,  1.])
    """

    def __init__(
        self,
        n_experts: int = 4,
        *,
        bandwidth: float | None = None,
        alpha: float = 1.0,
        n_init: int = 1,
        max_iter: int = 500,
        tol: float = 1e-6,
        empty: str = "nearest",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_experts = n_experts
        self.bandwidth = bandwidth
        self.alpha = alpha
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.empty = empty
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find centers, priors, width and experts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, or a parameter is not as above.
        """
        for name, least in (("n_experts", 1), ("n_init", 1), ("max_iter", 1)):
            check_count(name, getattr(self, name), least)
        if self.bandwidth is not None:
            check_positive("bandwidth", self.bandwidth)
        check_not_negative("alpha", self.alpha)
        check_tol(self.tol)
        kernel_or_default(None, self.empty)
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True)
        y = targets(y)
        random = check_random_state(self.random_state)
        problem = _Problem(X.astype(np.float64), y.reshape(len(y), -1).astype(np.float64), self.bandwidth, self.alpha)
        with telling(self):
            runs = [problem.run(problem.start(self.n_experts, random), self.max_iter, self.tol)
                    for _ in range(self.n_init)]
        state, curve, settled = max(runs, key=lambda run: run[1][-1])
        if not settled:
            say_unsettled(f"the experts have not settled after {len(curve)} rounds: raise max_iter or tol")
        flat, dtype = y.ndim == 1, X.dtype
        self.centers_, self.log_prior_ = state.centers.astype(dtype), state.log_prior.astype(dtype)
        self.bandwidth_ = state.width
        coefficients = problem.in_units(state.coefficients)
        self.coefficients_ = (coefficients[..., 0] if flat else coefficients).astype(dtype)
        noise = np.sqrt(state.variances)
        self.noise_ = (noise[:, 0] if flat else noise).astype(dtype)
        self.likelihood_curve_, self.n_iter_ = np.array(curve), len(curve)
        self.stopped_ = "tol" if settled else "max_iter"
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the local mean of the experts' answers at each row of `X`, of shape (n_queries[, n_outputs])."""
        X = self._rows(X)
        found = mixture_of_experts(X, self.centers_, self.coefficients_, kernel=Gaussian(self.bandwidth_),
                                   log_prior=self.log_prior_, empty=self.empty)
        return found.astype(X.dtype, copy=False)

    def gate(self, X: ArrayLike) -> np.ndarray:
        """Return the experts' weights at each row of `X`, of shape (n_queries, n_experts); rows sum to one."""
        X = self._rows(X)
        query, keys, kernel = _with_prior(X, self.centers_, Gaussian(self.bandwidth_), self.log_prior_)
        return local_weights(query, keys, kernel=kernel)

    def _rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _State(NamedTuple):
    """A mixture: centers (m, d), log_prior (m,), width, coefficients (m, 1 + d, o) of standardised features, variances
    (m, o)."""

    centers: np.ndarray
    log_prior: np.ndarray
    width: float
    coefficients: np.ndarray
    variances: np.ndarray


class _Problem:
    """The likelihood of one sample and its two half-steps.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n, o)
    width : float or None
        Given, or learned.
    alpha : float
    """

    def __init__(self, X, y, width, alpha):
        self.X, self.y, self.given, self.alpha = X, y, width, alpha
        self.middle, self.spread = X.mean(0), np.where(X.std(0) > 0, X.std(0), 1.0)
        self.design = np.hstack([np.ones((len(X), 1)), (X - self.middle) / self.spread])
        self.variance = np.where(y.var(0) > 0, y.var(0), 1.0)
        self.wide = float(X.var(0).mean()) or 1.0

    def start(self, n_experts, random):
        """Return a mixture at the centers of k-means, each expert fitted to its own cluster."""
        n_clusters = min(n_experts, len(np.unique(self.X, axis=0)))
        means = KMeans(n_clusters, n_init=1, random_state=random).fit(self.X)
        share = np.eye(n_clusters)[means.labels_]
        state = _State(means.cluster_centers_, np.zeros(n_clusters), 1.0,
                       np.zeros((n_clusters, self.design.shape[1], self.y.shape[1])),
                       np.tile(self.variance, (n_clusters, 1)))
        return self.maximised(share, state)

    def run(self, state, max_iter, tol):
        """Return the last mixture, the curve of the mean log-posterior, and whether it has settled."""
        curve, best = [], -math.inf
        for _ in range(max_iter):
            share, value = self.expected(state)
            curve.append(value)
            tell(len(curve), "the mean log-posterior is {:.6g}", value)
            if value - best < tol:
                return state, curve, True
            state, best = self.maximised(share, state), value
        return state, curve, False

    def expected(self, state):
        """Return each expert's share in each datum, (n, m), and the mean log-posterior."""
        n, d = self.X.shape
        square = np.stack([((self.X - center) ** 2).sum(1) for center in state.centers], 1)
        misses = (self.y[:, None] - self.answers(state)) ** 2  # (n, m, o)
        log = (state.log_prior - d * math.log(state.width) - square / (2 * state.width**2)
               - 0.5 * (misses / state.variances + np.log(state.variances)).sum(2))
        whole = logsumexp(log, axis=1)
        prior = 0.5 * self.alpha * (state.coefficients[:, 1:] ** 2 / self.variance).sum()
        return np.exp(log - whole[:, None]), float(whole.mean() - prior / n)

    def answers(self, state):
        """Return what each expert says of each datum, (n, m, o)."""
        return np.einsum("np,mpo->nmo", self.design, state.coefficients)

    def maximised(self, share, state):
        """Return the mixture that the shares make: each part the greatest, given the parts before it."""
        d, total = self.X.shape[1], share.sum(0)
        asked = np.maximum(total, LEAST_PRIOR)
        centers = np.where(total[:, None] > 0, share.T @ self.X / asked[:, None], state.centers)
        if self.given is None:
            square = sum(share[:, j] @ ((self.X - center) ** 2).sum(1) for j, center in enumerate(centers))
            width = math.sqrt(max(square / (len(self.X) * d), LEAST_WIDTH * self.wide))
        else:
            width = float(self.given)
        coefficients = self.fitted(share, state.variances)
        misses = (self.y[:, None] - np.einsum("np,mpo->nmo", self.design, coefficients)) ** 2
        variances = np.einsum("nm,nmo->mo", share, misses) / asked[:, None]
        variances = np.where(total[:, None] > 0, np.maximum(variances, LEAST_NOISE * self.variance), state.variances)
        log_prior = np.log(np.maximum(total / total.sum(), LEAST_PRIOR))
        return _State(centers, log_prior, width, coefficients, variances)

    def fitted(self, share, variances):
        """Return the weighted ridge regression of each expert and output, (m, 1 + d, o)."""
        gram = np.einsum("nm,np,nq->mpq", share, self.design, self.design, optimize=True)
        right = np.einsum("nm,np,no->mpo", share, self.design, self.y, optimize=True)
        slopes = np.diag(np.r_[0.0, np.ones(self.X.shape[1])])
        # (DᵀRD + α s²/var(y) P) θ = DᵀRy, one system for each expert and output; singular ones get the least solution.
        penalty = (self.alpha * variances / self.variance)[..., None, None] * slopes  # (m, o, p, p)
        inverse = np.linalg.pinv(gram[:, None] + penalty, rcond=1e-12, hermitian=True)
        return np.einsum("mopq,mqo->mpo", inverse, right)

    def in_units(self, coefficients):
        """Return constants and slopes of the features as they came."""
        slopes = coefficients[:, 1:] / self.spread[:, None]
        constant = coefficients[:, :1] - np.einsum("d,mdo->mo", self.middle, slopes)[:, None]
        return np.concatenate([constant, slopes], axis=1)
