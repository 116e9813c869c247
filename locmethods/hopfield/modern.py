"""The modern network: real states that move to a softmax local mean of the patterns [ramsauer2021]_.

ξ ← Σ_i softmax(β x_i·ξ)_i x_i is the local mean under the kernel exp(q·k/τ) with τ = 1/β, which is attention with the
patterns as keys and values. It descends E(ξ) = −(1/β) log Σ_i exp(β x_i·ξ) + ½‖ξ‖².
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, as_number, check_count, check_not_negative, check_positive
from locmethods.arrays.door import check_points
from locmethods.arrays.estimators import FLOATS, check_array, targets, validate_data
from locmethods.arrays.namespace import slices, to_numpy
from locmethods.arrays.types import Array, Scalar
from locmethods.hopfield.iteration import iterate
from locmethods.kernels import Exponential
from locmethods.means import local_mean, local_sum, prepare

BLOCK = 1 << 22  # inner products that are held at once
LEAST_BETA = 1e-307  # one over it is a number still


def attention_kernel(beta):
    """Return exp(β q·k), once β has been checked."""
    check_positive("beta", beta)
    if as_number("beta", beta) < LEAST_BETA:
        raise ValueError(f"beta must be at least {LEAST_BETA:.3g}, so that 1/beta is a number, got {beta!r}")
    return Exponential(temperature=1 / beta)


def retrieve(
    states: ArrayLike,
    patterns: ArrayLike,
    values: ArrayLike | None = None,
    *,
    beta: Scalar = 1.0,
    steps: int = 1,
) -> Array:
    """Move states to the softmax local mean of the patterns, ξ ← X softmax(βXᵀξ), several times [ramsauer2021]_.

    Parameters
    ----------
    states : array-like or Tensor of shape (..., n_states, n_features)
    patterns : array-like or Tensor of shape (..., n_patterns, n_features)
    values : array-like or Tensor of shape (..., n_patterns) or (..., n_patterns, n_outputs), optional
        What the last step averages in the patterns' place.
    beta : float or scalar Tensor, default=1.0
        β, one over the temperature, in units of one over the inner product.
    steps : int, default=1
        One is attention.

    Returns
    -------
    ndarray or Tensor of shape (..., n_states, n_features), or of the values' outputs
        Tensors carry gradients, as those of `locmethods.local_mean` do.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if β is not positive or `steps` is no count.

    Examples
    --------
    >>> from locmethods.hopfield import retrieve
    >>> retrieve([[0.9, -0.2]], [[1.0, 0.0], [0.0, 1.0]], beta=20.0).round(3)
    array([[1., 0.]])
    """
    kernel = attention_kernel(beta)
    check_count("steps", steps, 1)
    for _ in range(steps - 1):
        states = local_mean(states, patterns, kernel=kernel)
    return local_mean(states, patterns, values, kernel=kernel)


def retrieval_energy(states: ArrayLike, patterns: ArrayLike, *, beta: float = 1.0) -> np.ndarray:
    """Return E(ξ) = −(1/β) log Σ exp(β x_i·ξ) + ½‖ξ‖² + (1/β) log n + ½ max‖x_i‖², at least zero [ramsauer2021]_.

    A step of `retrieve` lowers it by at least half of the step's squared length.

    Parameters
    ----------
    states : array-like of shape (n_states, n_features)
        A tensor gives an array, too, and no gradient.
    patterns : array-like of shape (n_patterns, n_features)
    beta : float, default=1.0

    Returns
    -------
    ndarray of shape (n_states,)

    Raises
    ------
    ValueError, TypeError
        As `retrieve`, and if there are batches.

    Examples
    --------
    >>> from locmethods.hopfield import retrieval_energy
    >>> retrieval_energy([[3.0, 4.0], [0.0, 0.0]], [[3.0, 4.0]]).round(6)  # ½‖ξ − x‖² of one pattern
    array([ 0. , 12.5])
    """
    kernel = attention_kernel(beta)
    states, patterns = _rows("states", states), _rows("patterns", patterns)
    sums = local_sum(states, patterns, patterns, kernel=kernel)
    return _energy(states, sums, float(beta), len(patterns), _largest(patterns))


def _largest(patterns):
    """Return half of the largest squared norm."""
    return 0.5 * float(np.einsum("...i,...i->...", patterns, patterns, dtype=np.float64).max())


def _energy(states, sums, beta, n_patterns, half_square):
    log_sum = np.log(sums.total) + sums.log_scale
    square = (states.astype(np.float64, copy=False) ** 2).sum(-1)
    energy = (math.log(n_patterns) - log_sum) / beta + 0.5 * square + half_square
    return energy.astype(states.dtype, copy=False)


def separation(patterns: ArrayLike) -> np.ndarray:
    """Return Δ_i = x_i·x_i − max_{j≠i} x_i·x_j for each pattern, of shape (n_patterns,) [ramsauer2021]_.

    What is large beside 1/β is a memory of its own: from a state at the distance r of x_i one step ends no farther from
    it than `separation_bound`. A Δ below zero belongs to a pattern that another one outbids even at itself.

    Parameters
    ----------
    patterns : array-like of shape (n_patterns, n_features)
        At least two. All pairs are visited, block by block.

    Raises
    ------
    ValueError, TypeError
        If there are fewer, or an entry is not finite.

    Examples
    --------
    >>> from locmethods.hopfield import separation
    >>> separation([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    array([-2., -2., 12.])
    """
    patterns = _patterns(patterns)
    found = np.empty(len(patterns), patterns.dtype)
    for part in slices(len(patterns), max(1, BLOCK // len(patterns))):
        product = patterns[part] @ patterns.T
        own = np.arange(part.start, part.stop)
        itself = product[own - part.start, own]
        product[own - part.start, own] = -math.inf
        found[part] = itself - product.max(1)
    return found


def _rows(name, value):
    """Return points of shape (n, n_features) as an array."""
    value = to_numpy(as_array(name, value))
    if value.ndim != 2:
        raise ValueError(f"{name} must have shape (n_{name}, n_features), got shape {value.shape}")
    return value


def _patterns(patterns):
    patterns = to_numpy(as_array("patterns", patterns))
    check_points("patterns", patterns)
    if patterns.ndim != 2 or len(patterns) < 2:
        raise ValueError(f"patterns must have shape (n_patterns, n_features) with at least two of them, got shape "
                         f"{tuple(patterns.shape)}")
    return patterns


def separation_bound(patterns: ArrayLike, distance: ArrayLike, *, beta: float = 1.0) -> np.ndarray:
    """Return 2M(n − 1) exp(−β(Δ_i − 2Mr)), how far from x_i one step can end that began at the distance r of it.

    M is the largest norm of a pattern, Δ_i as in `separation`; the form is that of [ramsauer2021]_. A bound above 2M
    says nothing.

    Parameters
    ----------
    patterns : array-like of shape (n_patterns, n_features)
        At least two.
    distance : float or array-like of shape (n_patterns,)
        r, of each pattern or of all, at least 0.
    beta : float, default=1.0

    Returns
    -------
    ndarray of shape (n_patterns,)

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hopfield import separation_bound
    >>> separation_bound([[1.0, 0.0], [0.0, 1.0]], 0.0, beta=np.log(8.0)).round(6)  # M = Δ = 1, so 2/8
    array([0.25, 0.25])
    """
    check_positive("beta", beta)
    patterns, distance = _patterns(patterns), to_numpy(as_array("distance", distance))
    if distance.shape not in ((), (len(patterns),)) or (distance < 0).any():
        raise ValueError(f"distance must be a number of at least 0, or {len(patterns)} of them, one a pattern, got "
                         f"{distance!r}")
    largest = math.sqrt(2 * _largest(patterns))
    exponent = -float(beta) * (separation(patterns) - 2 * largest * distance)
    with np.errstate(over="ignore"):  # a bound that is infinite says nothing, as one of twice the norm does
        return 2 * largest * (len(patterns) - 1) * np.exp(exponent)


class ModernHopfield(BaseEstimator):
    """A memory of real patterns whose states move to the softmax local mean of the patterns [ramsauer2021]_.

    Parameters
    ----------
    beta : float, default=1.0
        β, one over the temperature: large, a state ends at a single pattern; small, at the mean of many.
    tol : float, default=1e-6
        A state has settled when no entry of it moves by more than `tol` times the largest norm of a pattern.
    max_steps : int, default=1000
        Steps after which a state is left where it is, with a ConvergenceWarning. Near a saddle steps are short.

    Attributes
    ----------
    patterns_ : ndarray of shape (n_patterns, n_features)
    values_ : ndarray of shape (n_patterns,) or (n_patterns, n_outputs), or None
    n_features_in_ : int

    Notes
    -----
    The patterns are prepared once, and then answer for many states: a million of them too. How many steps were taken,
    and what the energy did, is in the record of `trace`.

    Examples
    --------
    >>> from locmethods.hopfield import ModernHopfield
    >>> memory = ModernHopfield(beta=20.0).fit([[1.0, 0.0], [0.0, 1.0]])
    >>> memory.recall([[0.9, 0.3]]).round(3)
    array([[1., 0.]])
    """

    def __init__(self, beta: float = 1.0, *, tol: float = 1e-6, max_steps: int = 1000) -> None:
        self.beta = beta
        self.tol = tol
        self.max_steps = max_steps

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Store patterns.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
        y : array-like of shape (n_patterns,) or (n_patterns, n_outputs), optional
            Numbers that `predict` recalls in the patterns' place.

        Raises
        ------
        ValueError, TypeError
            If an array holds NaN, the lengths disagree, or a parameter is not as above.
        """
        X = validate_data(self, X, dtype=FLOATS)
        kernel = attention_kernel(self.beta)
        as_number("beta", self.beta)
        check_not_negative("tol", self.tol)
        check_count("max_steps", self.max_steps, 1)
        self.patterns_, self.values_ = X, None
        if y is not None:
            y = check_array(y, dtype=None, ensure_2d=False, input_name="y")
            check_consistent_length(X, y)
            self.values_ = targets(y)
        self._prepared, self._half_square = prepare(X, kernel=kernel), _largest(X)
        return self

    def recall(self, X: ArrayLike) -> np.ndarray:
        """Return the states where rows of `X` settle, of shape (n_states, n_features).

        Parameters
        ----------
        X : array-like of shape (n_states, n_features)
        """
        return self._iterate(self._states(X)).states

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the local mean of the values at the states where rows of `X` settle; `recall` if there are none."""
        states = self._iterate(self._states(X)).states
        return states if self.values_ is None else self._prepared.mean(states, values=self.values_)

    def trace(self, X: ArrayLike) -> np.ndarray:
        """Return the `Recall` of rows of `X`: where they settle, after how many steps, at which energies."""
        return self._iterate(self._states(X), energy=self._energy)

    def energy(self, X: ArrayLike) -> np.ndarray:
        """Return the energy of each row of `X`, of shape (n_states,); see `retrieval_energy`."""
        return self._energy(self._states(X))

    def _iterate(self, states, **options):
        tol = self.tol * math.sqrt(2 * self._half_square)
        return iterate(states, self._prepared.mean, max_steps=self.max_steps, tol=tol, stacklevel=5, **options)

    def _energy(self, states):
        sums = self._prepared.sum(states)
        return _energy(states, sums, float(self.beta), len(self.patterns_), self._half_square)

    def _states(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS)
