"""The fully connected conditional random field: each pixel hears all others, near and alike ones most.

A labelling l of the pixels costs E(l) = Σᵢ uᵢ(lᵢ) + Σ_{i<j} k(i, j) μ(lᵢ, lⱼ), where k is a sum of Gaussians of place
and of place and colour [krahenbuhl2011]_. Mean-field inference puts independent marginals qᵢ in place of exp(−E)/Z,
those of least free energy; its step is relaxation labelling whose support is a hollow Gaussian local sum.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax
from sklearn.base import BaseEstimator

from locmethods.arrays.checks import as_array, check_count, check_option, check_positive, check_tol, is_number
from locmethods.arrays.estimators import FLOATS
from locmethods.arrays.namespace import to_numpy
from locmethods.kernels import Gaussian
from locmethods.means import prepare
from locmethods.numerics.progress import tell, telling
from locmethods.numerics.settling import say_unsettled

__all__ = ["DenseCRF", "MeanField", "mean_field", "safe_damping", "unary_from_labels"]

NORMALIZATIONS = ("symmetric", "none")


class MeanField(NamedTuple):
    """Marginals that were relaxed towards a minimum of the free energy.

    Attributes
    ----------
    marginals : ndarray of shape (n, n_labels)
        Rows sum to one.
    free_energies : ndarray of shape (n_iter + 1,)
        F of the start and after each step, in nats; see `mean_field`.
    residuals : ndarray of shape (n_iter + 1,)
        How much a whole, undamped step would change a marginal at most, at the start and after each step.
    n_iter : int
        Steps taken.
    settled : bool
        Whether the last residual is within the tolerance; otherwise the number of steps was spent.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.relaxation import mean_field
    >>> found = mean_field(-np.log([[0.75, 0.25]]), lambda q: 0 * q)  # a pixel without a pair
    >>> found.marginals.round(3), found.n_iter, found.settled
    (array([[0.75, 0.25]]), 0, True)
    """

    marginals: np.ndarray
    free_energies: np.ndarray
    residuals: np.ndarray
    n_iter: int
    settled: bool


def unary_from_labels(labels: ArrayLike, confidence: float = 0.9, *, n_labels: int | None = None) -> np.ndarray:
    """Return the energies −log p of labels that are believed with some confidence, such as strokes of a brush.

    Parameters
    ----------
    labels : integer array of shape (rows, columns)
        0, 1, … and −1 for a pixel without a label. (Where 0 means that, as in scikit-image, subtract one.)
    confidence : float, default=0.9
        Probability of the label that is given, in (0, 1); the other labels share the rest. Without a label all are as
        likely.
    n_labels : int, optional
        How many there are; one more than the largest by default, and at least two.

    Returns
    -------
    ndarray of shape (rows, columns, n_labels)

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.relaxation import unary_from_labels
    >>> np.exp(-unary_from_labels([[1, -1]], 0.75)).round(3)
    array([[[0.25, 0.75],
            [0.5 , 0.5 ]]])
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise ValueError("labels must be integers of shape (rows, columns), got dtype "
                         f"{labels.dtype} and shape {labels.shape}")
    if not labels.size:
        raise ValueError(f"labels must hold a pixel, got shape {labels.shape}")
    if not (is_number(confidence) and 0 < confidence < 1):
        raise ValueError(f"confidence must be a number in (0, 1), got {confidence!r}")
    if n_labels is None:
        n_labels = max(2, int(labels.max()) + 1)
    check_count("n_labels", n_labels, least=2)
    if labels.min() < -1 or labels.max() >= n_labels:
        raise ValueError(f"labels must be −1 or from 0 to {n_labels - 1}, got values from {labels.min()} to "
                         f"{labels.max()}")
    of_label = np.full((n_labels + 1, n_labels), -math.log((1 - confidence) / (n_labels - 1)))
    np.fill_diagonal(of_label, -math.log(confidence))
    of_label[-1] = math.log(n_labels)  # which −1 finds
    return of_label[labels]


def mean_field(
    unary: ArrayLike,
    support: Callable[..., Any],
    *,
    compatibility: ArrayLike | None = None,
    damping: ArrayLike = 0.0,
    tol: float = 1e-2,
    max_iter: int = 20,
) -> MeanField:
    """Relax marginals towards a minimum of F(q) = Σᵢ qᵢ·(uᵢ + log qᵢ) + ½ Σᵢ qᵢ·mᵢ with m = (S q) μ.

    S is the symmetric, hollow matrix of the pairs' weights. F + log Z is the Kullback–Leibler divergence of Π qᵢ from
    exp(−E)/Z; setting its slope to zero gives qᵢ ∝ exp(−uᵢ − mᵢ), and a step puts that in place of every qᵢ at once:

        log qᵢ ← λᵢ log qᵢ + (1 − λᵢ)(−uᵢ − mᵢ), and rows are made to sum to one again.

    The start is q ∝ exp(−u). Undamped steps, λ = 0 [krahenbuhl2011]_, may swing between two states for ever, for all
    pixels move at the same time. Damping is a proximal step [baque2016]_, and with the λ of `safe_damping` it cannot
    raise F.

    Parameters
    ----------
    unary : array-like of shape (n, n_labels)
        Energies u, in nats; float32 stays float32.
    support : callable
        q ↦ S q, of shape (n, n_labels).
    compatibility : array-like of shape (n_labels, n_labels), optional
        μ, what a pair of labels costs; symmetric. Potts's by default, 1 for two that differ and 0 for two that agree.
    damping : float or array-like of shape (n,), default=0.0
        λ, in [0, 1).
    tol : float, default=1e-2
        It has settled when a whole step would change no marginal by more.
    max_iter : int, default=20
        Steps after which they are left where they are, with a ConvergenceWarning.

    Returns
    -------
    MeanField

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.relaxation import mean_field
    >>> unary = -np.log([[0.9, 0.1], [0.45, 0.55]])  # the second pixel prefers the other label, but a little only
    >>> mean_field(unary, lambda q: 3.0 * q[::-1]).marginals.argmax(axis=1)
    array([0, 0])
    """
    return _relaxed(unary, support, compatibility, damping, tol, max_iter, "residuals")


def _relaxed(unary, support, compatibility, damping, tol, max_iter, residuals_name):
    """Return what `mean_field` returns; a warning calls the residuals by the name that they have for the caller."""
    unary = _floats("unary", unary)
    if unary.ndim != 2 or not len(unary) or unary.shape[1] < 2:
        raise ValueError(f"unary must have shape (n, n_labels) with at least two labels, got shape {unary.shape}")
    compatibility = _check_compatibility(compatibility, unary.shape[1]).astype(unary.dtype)
    if not callable(support):
        raise TypeError(f"support must be a function of the marginals, got {type(support).__name__}")
    damping = to_numpy(as_array("damping", damping)).astype(unary.dtype)
    if damping.shape not in ((), (len(unary),)):
        raise ValueError(f"damping must be a number or of shape {(len(unary),)}, got shape {damping.shape}")
    if not ((damping >= 0) & (damping < 1)).all():
        raise ValueError(f"damping must be in [0, 1), got values from {damping.min():g} to {damping.max():g}")
    _check_stop(tol, max_iter)
    damping = np.broadcast_to(damping, len(unary))[:, None]
    log_q, free_energies, residuals = log_softmax(-unary, axis=1), [], []
    for n_iter in range(max_iter + 1):
        q = np.exp(log_q)
        heard = support(q.copy())  # which may be written on
        if np.shape(heard) != q.shape:
            raise ValueError(f"support must return the shape {q.shape}, got shape {np.shape(heard)}")
        heard = to_numpy(as_array("what support returns", heard)).astype(unary.dtype, copy=False)
        message = heard @ compatibility
        free_energies.append(np.sum(q * (unary + log_q + message / 2), dtype=np.float64))
        whole = log_softmax(-unary - message, axis=1)
        residuals.append(float(np.abs(np.exp(whole) - q).max()))
        tell(n_iter + 1, "the free energy is {:.6g}, a step changes {:.3g}", free_energies[-1], residuals[-1])
        if residuals[-1] <= tol or n_iter == max_iter:
            break
        log_q = log_softmax(damping * log_q + (1 - damping) * whole, axis=1)
    settled = residuals[-1] <= tol
    if not settled:
        say_unsettled(f"the marginals have not settled after {n_iter} steps: one more would change them by up to "
                      f"{residuals[-1]:.2g}; raise max_iter or tol, or, if {residuals_name} do not fall, damping")
    return MeanField(q, np.array(free_energies), np.array(residuals), n_iter, settled)


def safe_damping(own: ArrayLike, received: ArrayLike | None = None, *, compatibility: ArrayLike) -> np.ndarray:
    """Return the damping λᵢ of each pixel with which no step of `mean_field` raises the free energy.

    A damped step minimises the linearised F plus Σ cᵢ KL(qᵢ' ‖ qᵢ) with λ = c/(1 + c). The linear part then falls by
    at least Σ cᵢ KL(qᵢ' ‖ qᵢ) + (1 + cᵢ) KL(qᵢ ‖ qᵢ') ≥ Σ (1 + 2cᵢ) |Δᵢ|², by Pinsker's inequality and ΣΔᵢ = 0. The
    quadratic part rises by ½ Σ_{i≠j} kᵢⱼ Δᵢ·μΔⱼ ≤ ½ Σ Lᵢ |Δᵢ|² with

        Lᵢ = ρ₋ kᵢᵢ + ρ₊ Σ_{j≠i} kᵢⱼ,

    where −ρ₋ ≤ 0 ≤ ρ₊ bound the eigenvalues of μ on vectors that sum to zero, and k, its diagonal put back, is positive
    semidefinite. So cᵢ = max(0, Lᵢ/4 − ½) will do. For Potts ρ₋ = 1 and ρ₊ = 0: only a pixel whose weight for itself
    would exceed 2 is damped at all.

    Parameters
    ----------
    own : array-like of shape (n,)
        kᵢᵢ, the weight that each pixel would have for itself.
    received : array-like of shape (n,), optional
        Σ_{j≠i} kᵢⱼ; needed only if ρ₊ > 0.
    compatibility : array-like of shape (n_labels, n_labels)

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError, TypeError
        If the compatibility is not a symmetric matrix, `own` or `received` are no weights of at least 0 of n pixels, or
        `received` is needed and missing.

    Examples
    --------
    >>> from locmethods.relaxation import safe_damping
    >>> safe_damping([1.0, 4.0], compatibility=[[0.0, 1.0], [1.0, 0.0]]).round(3)  # c = 4/4 − 1/2, and λ = c/(1 + c)
    array([0.   , 0.333])
    """
    n_labels = as_array("compatibility", compatibility).shape[:1]
    compatibility = _check_compatibility(compatibility, *(n_labels or (1,)))
    own = _check_received("own", own, None)
    lowest, highest = _extremes(compatibility)
    if highest > 0 and received is None:
        raise ValueError("this compatibility rewards labels that differ, so received must be given, got None")
    curvature = -lowest * own
    if highest > 0:
        curvature = curvature + highest * _check_received("received", received, len(own))
    more = np.maximum(0, curvature / 4 - 0.5)
    return more / (1 + more)


def _check_received(name, value, n):
    """Return weights of shape (n,), or of any number of pixels for None, in float64."""
    value = to_numpy(as_array(name, value)).astype(np.float64, copy=False)
    if value.ndim != 1 or n not in (None, len(value)):
        raise ValueError(f"{name} must have shape ({'n' if n is None else n},), got shape {value.shape}")
    if (value < 0).any():
        raise ValueError(f"{name} must be at least 0, got {value.min():.3g}")
    return value


def _extremes(compatibility):
    """Return the least and the greatest eigenvalue of μ on vectors that sum to zero; rounding counts as zero."""
    centred = compatibility - compatibility.mean(0)
    centred = centred - centred.mean(1)[:, None]
    values = np.linalg.eigvalsh((centred + centred.T) / 2)
    nothing = 8 * len(values) * np.finfo(float).eps * np.abs(compatibility).max()
    return (float(end) if abs(end) > nothing else 0.0 for end in (values[0], values[-1]))


class _Pairs:
    """w k(i, j) over all pairs of different pixels, as a local sum; normalised symmetrically if asked."""

    def __init__(self, keys, weight, normalization):
        self._prepared, self._weight = prepare(keys, kernel=Gaussian(1.0).hollow()), weight
        self._share = np.ones((len(keys), 1), keys.dtype)
        if normalization == "symmetric":
            self._share = (1 + self._prepared.sum(values=self._share).numerator) ** -0.5

    def sum(self, values):
        """Return Σ_{j≠i} w k(i, j) vⱼ / √(dᵢ dⱼ), of the shape of `values`; all d are one if not normalised."""
        return self._weight * self._share * self._prepared.sum(values=self._share * values).numerator

    def own(self):
        """Return w / dᵢ, the weight that a pixel would have for itself, of shape (n,)."""
        return self._weight * self._share[:, 0] ** 2


class DenseCRF(BaseEstimator):
    """Label a picture by mean-field inference in the fully connected conditional random field of its pixels.

    Every pair of pixels i ≠ j with labels l and l' costs k(i, j) μ(l, l') with

        k = w₁ exp(−|pᵢ − pⱼ|²/2a²) + w₂ exp(−|pᵢ − pⱼ|²/2b² − |cᵢ − cⱼ|²/2s²),

    p being places and c colours [krahenbuhl2011]_. Sums over all pairs are exact: each step is one prepared hollow
    local sum for each Gaussian, where the original filters on a lattice.

    Parameters
    ----------
    position : float, default=3.0
        a, in pixels.
    appearance : pair of floats, default=(60.0, 10.0)
        b, in pixels, and s, in the units of the picture: 10 of 256 grey levels, 0.04 for colours in [0, 1].
    weights : pair of floats, default=(3.0, 10.0)
        w₁ and w₂, at least 0; a Gaussian of weight 0 costs no time.
    compatibility : array-like of shape (n_labels, n_labels), optional
        μ, symmetric; Potts's by default, 1 for two labels that differ and 0 for two that agree.
    normalization : {"symmetric", "none"}, default="symmetric"
        Whether each Gaussian is divided by √(dᵢ dⱼ), where dᵢ = Σⱼ k(i, j) with j = i among them, as programs for this
        field do by default, or is taken as it stands in the formula above. In the first case a pixel hears about its
        weight in all, however large the region like it; in the second the sum may be thousands, and marginals are 0
        or 1.
    damping : float or "auto", default="auto"
        λ of `mean_field`, in [0, 1); 0.0 is the original step. "auto" damps each pixel as little as provably keeps the
        free energy from rising (`safe_damping`), most pixels not at all.
    tol : float, default=1e-2
        The marginals have settled when a whole step would change none by more.
    max_iter : int, default=20
        Steps after which they are left where they are, with a ConvergenceWarning.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    marginals_ : ndarray of shape (rows, columns, n_labels)
    labels_ : integer ndarray of shape (rows, columns)
        The most likely label of each pixel.
    free_energies_ : ndarray of shape (``n_iter_`` + 1,)
        Of the start, which is the unary's own marginals, and after each step, in nats.
    residuals_ : ndarray of shape (``n_iter_`` + 1,)
        How much a whole step would change a marginal at most.
    damping_ : ndarray of shape (rows, columns)
        λ of each pixel.
    n_iter_ : int
    converged_ : bool
        Whether it stopped because the marginals had settled; if not, because of `max_iter`.

    Notes
    -----
    Time grows with the pairs of pixels that matter, at worst with the square of the pixels. The sums are formed in the
    floating type of the unary: in float32 they take half the time or less, and err by about 1e-5 of themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.relaxation import DenseCRF, unary_from_labels
    >>> picture = np.repeat([[0, 255]], 4, axis=0).repeat(4, axis=1)  # the left half black, the right half white
    >>> strokes = np.full((4, 8), -1)
    >>> strokes[0, 0], strokes[0, 7] = 0, 1
    >>> DenseCRF(weights=(0.0, 10.0)).fit_predict(picture, unary_from_labels(strokes))[2]
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """

    def __init__(
        self,
        *,
        position: float = 3.0,
        appearance: tuple[float, float] = (60.0, 10.0),
        weights: tuple[float, float] = (3.0, 10.0),
        compatibility: ArrayLike | None = None,
        normalization: str = "symmetric",
        damping: float | str = "auto",
        tol: float = 1e-2,
        max_iter: int = 20,
        verbose: bool = False,
    ) -> None:
        self.position = position
        self.appearance = appearance
        self.weights = weights
        self.compatibility = compatibility
        self.normalization = normalization
        self.damping = damping
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def fit(self, picture: ArrayLike, unary: ArrayLike) -> Self:
        """Infer the marginals of a picture's labels.

        Parameters
        ----------
        picture : array-like of shape (rows, columns) or (rows, columns, n_channels)
        unary : array-like of shape (rows, columns, n_labels) or (rows · columns, n_labels)
            What each label costs each pixel by itself, −log p; see `unary_from_labels`.

        Raises
        ------
        ValueError, TypeError
            If an array or a parameter is not as above.
        """
        picture, unary = self._check(picture, unary)
        rows, columns, n_labels = unary.shape
        unary = unary.reshape(-1, n_labels)
        pairs = self._pairs(picture, unary.dtype)

        def support(q):
            return sum((part.sum(q) for part in pairs), start=np.zeros_like(q))

        compatibility = _check_compatibility(self.compatibility, n_labels)
        damping = self.damping
        if damping == "auto":
            own = sum((part.own() for part in pairs), start=np.zeros(len(unary)))
            received = None
            if max(_extremes(compatibility)) > 0:
                received = support(np.ones((len(unary), 1), unary.dtype))[:, 0]
            damping = safe_damping(own, received, compatibility=compatibility)
        with telling(self):
            found = _relaxed(unary, support, compatibility, damping, self.tol, self.max_iter, "residuals_")
        self.marginals_ = found.marginals.reshape(rows, columns, n_labels)
        self.labels_ = self.marginals_.argmax(-1)
        self.free_energies_, self.residuals_ = found.free_energies, found.residuals
        self.damping_ = np.broadcast_to(damping, len(unary)).reshape(rows, columns)
        self.n_iter_, self.converged_ = found.n_iter, found.settled
        return self

    def fit_predict(self, picture: ArrayLike, unary: ArrayLike) -> np.ndarray:
        """Return the most likely label of each pixel, of shape (rows, columns); parameters as in `fit`."""
        return self.fit(picture, unary).labels_

    def _check(self, picture, unary):
        """Return the picture as (rows, columns, n_channels) and the unary as (rows, columns, n_labels)."""
        check_positive("position", self.position)
        for name in ("appearance", "weights"):
            pair = getattr(self, name)
            if not (isinstance(pair, tuple | list | np.ndarray) and np.shape(pair) == (2,)):
                raise ValueError(f"{name} must be a pair of numbers, got {pair!r}")
        for name, value in zip(("appearance[0]", "appearance[1]"), self.appearance, strict=True):
            check_positive(name, value)
        if not all(is_number(weight) and 0 <= weight < math.inf for weight in self.weights):
            raise ValueError(f"weights must be two finite numbers of at least 0, got {self.weights!r}")
        check_option("normalization", self.normalization, NORMALIZATIONS)
        automatic = isinstance(self.damping, str) and self.damping == "auto"
        if not automatic and not (is_number(self.damping) and 0 <= self.damping < 1):
            raise ValueError(f'damping must be "auto" or a number in [0, 1), got {self.damping!r}')
        _check_stop(self.tol, self.max_iter)
        picture, unary = to_numpy(as_array("picture", picture)), _floats("unary", unary)
        if picture.ndim not in (2, 3) or not picture.size:
            raise ValueError("picture must have shape (rows, columns) or (rows, columns, n_channels) and a pixel, got "
                             f"shape {picture.shape}")
        size = picture.shape[:2]
        if unary.ndim not in (2, 3) or unary.shape[:-1] not in (size, (math.prod(size),)) or unary.shape[-1] < 2:
            raise ValueError(f"unary must have shape ({size[0]}, {size[1]}, n_labels) or ({math.prod(size)}, n_labels) "
                             f"with at least two labels, got shape {unary.shape}")
        _check_compatibility(self.compatibility, unary.shape[-1])
        return picture.reshape(*size, -1), unary.reshape(*size, unary.shape[-1])

    def _pairs(self, picture, dtype):
        """Return the Gaussians that have weight, each as `_Pairs`."""
        places = np.stack(np.meshgrid(*map(np.arange, picture.shape[:2]), indexing="ij"), -1).reshape(-1, 2)
        colours = picture.reshape(len(places), -1)
        near, alike = map(float, self.appearance)
        spread = float(np.ptp(colours, axis=0).max())
        if self.weights[1] > 0 and 0 < spread < alike:
            warnings.warn(f"the picture's colours span {spread:.3g}, less than their width {alike:.3g}, appearance[1], "
                          "so they hardly count: give the width in the picture's units", UserWarning, stacklevel=3)
        keys = places / float(self.position), np.column_stack([places / near, colours / alike])
        return [_Pairs(points.astype(dtype), float(weight), self.normalization)
                for points, weight in zip(keys, self.weights, strict=True) if weight > 0]


def _floats(name, value):
    """Return an array of finite numbers as float32, if that is what came, or else as float64."""
    value = to_numpy(as_array(name, value))
    return value if value.dtype in FLOATS else value.astype(np.float64)


def _check_stop(tol, max_iter):
    check_tol(tol)
    check_count("max_iter", max_iter, least=1)


def _check_compatibility(compatibility, n_labels):
    """Return μ in float64, Potts's for None."""
    if compatibility is None:
        return 1 - np.eye(n_labels)
    compatibility = to_numpy(as_array("compatibility", compatibility)).astype(np.float64)
    if compatibility.shape != (n_labels, n_labels) or (compatibility != compatibility.T).any():
        raise ValueError(f"compatibility must be a symmetric matrix of shape {(n_labels, n_labels)}, got shape "
                         f"{compatibility.shape}" + ", not symmetric" * (compatibility.shape == (n_labels, n_labels)))
    return compatibility
