"""A local mean at its own sample, applied to its values again and again, with or without a safeguard."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from locmethods.arrays.checks import as_number, check_count, check_option, check_tol, is_number
from locmethods.arrays.estimators import check_array, mean_and_spread
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_weights, prepare
from locmethods.numerics.progress import tell
from locmethods.numerics.settling import say_unsettled

__all__ = ["Settled", "lazy_iteration", "settle"]

SAFEGUARDS = ("clamp", "scale", "orthonormal", "none")
ROUNDING = 8 * np.finfo(float).eps  # a step below this share of the values' size may be rounding
ROUGH = 1e-9  # so much of the values' size may hide in steps of rounding before a map is not called settled
DENSE = 1 << 22  # up to so many weights, 32 MiB, K̃ is formed once; beyond, each step sums in blocks


class Settled(NamedTuple):
    """Where an iterated lazy map stands.

    Attributes
    ----------
    values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    n_iter : int
        Steps taken.
    rate : float
        The length of the last step as a share of the one before: the map's rate of contraction, once the slowest
        mode is all that moves. NaN if there were not two steps.
    settled : bool
        Whether what is left to go was within the tolerance: by a bound if labels are clamped, else by `rate`. Steps
        that are small because the kernel's weights are, below the rounding of the values, settle nothing.
    spread : float
        The largest standard deviation of an output as a share of that at the start; 1 if there was none.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernels import Flat
    >>> from locmethods.lazy import settle
    >>> found = settle([[0.0], [1.0], [2.0]], [0.0, np.nan, 6.0], kernel=Flat(1.0))
    >>> found.values.round(3), found.settled
    (array([0., 3., 6.]), True)
    """

    values: np.ndarray
    n_iter: int
    rate: float
    settled: bool
    spread: float


def lazy_iteration(
    points: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    steps: int,
    safeguard: str = "none",
    relaxation: float = 1.0,
    empty: str = "nearest",
) -> np.ndarray:
    """Return the states Y₀, Y₁, … of the map Y ← (1 − r)Y + r K̃Y, a safeguard being applied at each step.

    Parameters
    ----------
    points : array-like of shape (n_samples, n_features)
    values : array-like of shape (n_samples,) or (n_samples, n_outputs)
        NaN marks what is not known: it starts at the mean of what is.
    kernel, safeguard, relaxation, empty
        As in `LazyMap`.
    steps : int

    Returns
    -------
    ndarray of shape (steps + 1, n_samples) or (steps + 1, n_samples, n_outputs)

    Raises
    ------
    ValueError, TypeError
        If the data or an option are not as above.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy
    >>> from locmethods.lazy import lazy_iteration
    >>> lazy_iteration([[0.0], [1.0]], [0.0, 9.0], kernel=Cauchy(1.0), steps=2).round(6)  # weights 2/3 and 1/3
    array([[0., 9.],
           [3., 6.],
           [4., 5.]])
    """
    check_count("steps", steps, least=0)
    points, values, kernel = _checked(points, values, kernel, safeguard, relaxation, empty)
    known, start = _filled(values)
    states = _states(start, _guard(start, known, safeguard), averager(points, kernel, empty), relaxation)
    return np.stack([state for state, _ in zip(states, range(steps + 1), strict=False)])


def settle(
    points: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    safeguard: str = "clamp",
    relaxation: float = 1.0,
    tol: float = 1e-6,
    max_iter: int = 1000,
    empty: str = "nearest",
) -> Settled:
    """Iterate a lazy map until it moves no more.

    Parameters
    ----------
    points, values
        As in `lazy_iteration`.
    kernel, safeguard, relaxation, tol, max_iter, empty
        As in `LazyMap`.

    Returns
    -------
    Settled

    Raises
    ------
    ValueError, TypeError
        If the data or an option are not as above.

    Warns
    -----
    ConvergenceWarning
        If it has not settled after `max_iter` steps.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernels import Flat
    >>> from locmethods.lazy import settle
    >>> settle([[0.0], [1.0], [2.0]], [0.0, np.nan, 6.0], kernel=Flat(1.0)).values.round(3)
    array([0., 3., 6.])
    """
    found = iterated(points, values, kernel=kernel, safeguard=safeguard, relaxation=relaxation, tol=tol,
                     max_iter=max_iter, empty=empty)
    if not found.settled:
        say_moving(found.n_iter)
    return found


def say_moving(steps):
    """Warn that a map has not settled after so many steps."""
    say_unsettled(f"the map has not settled after {steps} steps: raise max_iter or tol, or, if its steps do not "
                  "shrink, choose a smaller relaxation")


def iterated(points, values, *, kernel, safeguard, relaxation, tol, max_iter, empty, weight=None):
    """Return what `settle` returns, without a warning; `weight`, positive, is what each row counts for the others."""
    check_tol(tol)
    tol = as_number("tol", tol)
    check_count("max_iter", max_iter, least=1)
    points, values, kernel = _checked(points, values, kernel, safeguard, relaxation, empty)
    known, start = (part.reshape(len(values), -1) for part in _filled(values, weight))
    average, clamped = averager(points, kernel, empty, weight), safeguard == "clamp"
    # Beside clamped values goes a column for each pattern of labels, one at labels and zero elsewhere: what it becomes
    # is the chance that a walker has met a label, with all its digits however small it is.
    masks = np.unique(known, axis=1) if clamped else known[:, :0]
    joint, held = np.column_stack([start, masks]), np.column_stack([known, masks])
    states = _states(joint, _guard(joint, held, safeguard, weight), average, relaxation)
    state, outputs = next(states), start.shape[1]
    first, scale, before, walked = state[:, :outputs], float(np.ptp(start, axis=0).max()), 0.0, 0.0
    size = float(np.abs(first).max())
    nothing, moved = ROUNDING * size, scale == 0
    for n_iter, new in enumerate(states, start=1):
        step = float(np.abs(new - state)[:, :outputs].max())
        rate = step / before if before > 0 else np.nan
        if clamped:
            walked = walked + (1 - state[:, outputs:])
            ahead = _walk_ahead(state[:, outputs:], new[:, outputs:], walked)
            settled = (step <= nothing or step * ahead <= tol * scale) and (
                scale == 0 or nothing * ahead <= max(tol * scale, ROUGH * size))
        else:
            moved = moved or step > nothing or _moves(first, average, nothing)
            settled = moved and (step <= nothing or step * _tail(step, before, nothing) <= tol * scale)
        tell(n_iter, "the largest step is {:.3g}", step)
        state, before = new, step
        if settled or n_iter == max_iter:
            break
    end = state[:, :outputs]
    before, after = (mean_and_spread(part, weight)[1] for part in (first, end))
    left = [b / a for a, b in zip(before, after, strict=True) if a > 0]
    return Settled(end.reshape(values.shape), n_iter, rate, bool(settled), float(max(left, default=1.0)))


def _tail(step, before, nothing):
    """Return ρ + ρ² + …, how much of the last step is to go if all shrink by the factor ρ; infinite if they do not.

    The factor is the greatest that the two steps allow, each being known but for rounding.
    """
    rate = (step + nothing) / (before - nothing) if before > nothing else math.inf
    return rate / (1 - rate) if rate < 1 else math.inf


def _moves(values, average, nothing):
    """Say whether values whose first step is lost in rounding stand still by right.

    They do if the safeguard undoes a true step, or if no two that differ have weight for each other, however little:
    that is asked of zeros and ones, row by row of a binary code, beside which the least weight shows.
    """
    if np.abs(average(values) - values).max() > nothing:
        return True
    code = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1, 1)
    bits = (code >> np.arange(max(1, int(code.max()).bit_length())) & 1).astype(float)
    return not any(bool(average(one)[one == 0].any()) for one in (bits, 1 - bits))


def _walk_ahead(before, chance, walked):
    """Return a bound of the number of steps that a walker takes, from any row, until it meets a label.

    `chance` is that of having met one by now, row by row, `before` that of a step ago, and `walked` the mean number of
    steps taken, so that no row's expectation exceeds max walked / min chance. By the maximum principle at most the last
    step, times it, is to go. Rows that no label reaches stay as they are and do not count; as long as labels reach
    further rows the bound is infinite.
    """
    reached = chance > 0
    if (reached & (before == 0)).any():
        return math.inf
    with np.errstate(over="ignore"):
        return float(walked[reached].max() / chance[reached].min())


def _checked(points, values, kernel, safeguard, relaxation, empty):
    """Return points and values as float64, and the kernel, once all have been checked."""
    check_option("safeguard", safeguard, SAFEGUARDS)
    kernel = kernel_or_default(kernel, empty)
    if not (is_number(relaxation) and 0 < relaxation <= 1):
        raise ValueError(f"relaxation must be a number in (0, 1], got {relaxation!r}")
    points = check_array(points, dtype=np.float64, input_name="points")
    values = check_array(values, dtype=np.float64, ensure_2d=False, ensure_all_finite="allow-nan", input_name="values")
    check_consistent_length(points, values)
    known = ~np.isnan(values).reshape(len(values), -1)
    if not known.any(axis=0).all():
        raise ValueError(f"each output needs a value that is known, but output {known.any(axis=0).argmin()} is NaN in "
                         f"all {len(values)} rows")
    if safeguard == "orthonormal" and known.shape[1] >= len(values):
        raise ValueError(f"centred orthonormal outputs must be fewer than the samples, got {known.shape[1]} outputs "
                         f"and {len(values)} samples")
    return points, values, kernel


def _filled(values, weight=None):
    """Return where values are known, and the values with the others at the mean of the known."""
    known = ~np.isnan(values)
    if weight is None:
        return known, np.where(known, values, np.nanmean(values, axis=0))
    counts = known * weight.reshape(-1, *[1] * (values.ndim - 1))
    return known, np.where(known, values, (counts * np.where(known, values, 0)).sum(axis=0) / counts.sum(axis=0))


def _states(start, guard, average, relaxation):
    """Yield the states of the map, for ever."""
    state = guard(start)
    while True:
        yield state
        state = guard(state + relaxation * (average(state) - state))


def averager(points, kernel, empty, weight=None):
    """Return the function Y ↦ K̃Y; a row with nothing in reach keeps its value if `empty` is "nan".

    With weights, K̃ is that of the kernel times the weight of each key: Σ K w v / Σ K w, a quotient of local means.
    """
    if weight is not None:
        plain, share = averager(points, kernel, empty), weight[:, None] / weight.max()
        total = plain(share)

        def weighted(values):
            return plain(share * values) / total

        return weighted
    if len(points) ** 2 <= DENSE:
        weights = local_weights(points, points, kernel=kernel, empty=empty)
        lonely = np.isnan(weights[:, 0])
        weights[lonely] = np.eye(len(points))[lonely]
        return lambda values: weights @ values
    prepared = prepare(points, kernel=kernel)

    def average(values):
        mean = prepared.mean(values=values, empty=empty)
        return np.where(np.isnan(mean), values, mean)

    return average


def _guard(start, known, safeguard, weight=None):
    """Return the function that puts a state back where the safeguard wants it."""
    if safeguard == "none":
        return lambda state: state
    if safeguard == "clamp":
        return lambda state: np.where(known, start, state)
    centre, spread = mean_and_spread(start, weight)

    def scale(state):
        state = state - mean_and_spread(state, weight)[0]
        if safeguard == "orthonormal" and state.ndim == 2:
            root = 1.0 if weight is None else np.sqrt(weight)[:, None]  # columns are orthogonal in the rows' weights
            basis, triangle = np.linalg.qr(root * state)
            state = basis * np.where(np.diagonal(triangle) < 0, -1, 1) / root  # the sign that the column had
        size = mean_and_spread(state, weight)[1]
        return centre + state * (spread / np.where(size > 0, size, 1))

    return scale
