"""A local mean at its own sample, applied to its values again and again, with or without a safeguard."""

from __future__ import annotations

import numbers
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_consistent_length

from locmethods.arrays.checks import check_count, check_option
from locmethods.arrays.estimators import check_array
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_weights, prepare

__all__ = ["Settled", "lazy_iteration", "settle"]

SAFEGUARDS = ("clamp", "scale", "orthonormal", "none")
UNREACHED = 1e-12  # a chance for each step below which a label counts as out of reach
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
        Whether what is left to go was within the tolerance: by a bound if labels are clamped, else by `rate`.
    spread : float
        The largest standard deviation of an output as a share of that at the start; 1 if there was none.
    """

    values: np.ndarray
    n_iter: int
    rate: float
    settled: bool
    spread: float


def lazy_iteration(points, values, *, kernel, steps, safeguard="none", relaxation=1.0, empty="nearest"):
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
    """
    check_count("steps", steps, least=0)
    points, values, kernel = _checked(points, values, kernel, safeguard, relaxation, empty)
    known, start = _filled(values)
    states = _states(start, _guard(start, known, safeguard), averager(points, kernel, empty), relaxation)
    return np.stack([state for state, _ in zip(states, range(steps + 1), strict=False)])


def settle(points, values, *, kernel, safeguard="clamp", relaxation=1.0, tol=1e-6, max_iter=1000, empty="nearest"):
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
    """
    if not (isinstance(tol, numbers.Real) and not isinstance(tol, bool) and tol >= 0):
        raise ValueError(f"tol must be a number of at least 0, got {tol!r}")
    check_count("max_iter", max_iter, least=1)
    points, values, kernel = _checked(points, values, kernel, safeguard, relaxation, empty)
    known, start = (part.reshape(len(values), -1) for part in _filled(values))
    # Beside clamped values goes a column of doubt for each pattern of labels: one where there is none, zero at labels.
    masks = np.unique(known, axis=1) if safeguard == "clamp" else known[:, :0]
    joint, held = np.column_stack([start, ~masks]), np.column_stack([known, masks])
    states = _states(joint, _guard(joint, held, safeguard), averager(points, kernel, empty), relaxation)
    state, outputs = next(states), start.shape[1]
    first, scale, before, walked = state[:, :outputs], float(np.ptp(start, axis=0).max()), 0.0, 0.0
    nothing = 8 * np.finfo(float).eps * float(np.abs(first).max())
    for n_iter, new in enumerate(states, start=1):
        step = float(np.abs(new - state)[:, :outputs].max())
        rate = step / before if before > 0 else np.nan
        walked = walked + state[:, outputs:]
        doubts = state[:, outputs:], new[:, outputs:]
        ahead = _walk_ahead(*doubts, walked, n_iter) if safeguard == "clamp" else _tail(rate)
        state, before = new, step
        settled = step <= nothing or step * ahead <= tol * scale
        if settled or n_iter == max_iter:
            break
    end = state[:, :outputs]
    left = [b / a for a, b in zip(first.std(axis=0), end.std(axis=0), strict=True) if a > 0]
    return Settled(end.reshape(values.shape), n_iter, rate, settled, float(max(left, default=1.0)))


def _tail(rate):
    """Return ρ + ρ² + …, how much of the last step is to go if all shrink by the factor ρ; infinite if they do not."""
    return rate / (1 - rate) if rate < 1 else np.inf


def _walk_ahead(before, doubt, walked, n_iter):
    """Return a bound of the number of steps that a walker takes, from any row, until it meets a label.

    `doubt` is the chance, row by row, of not having met one in `n_iter` steps, `before` in one step less, and
    `walked` the mean number of steps taken by then, so that no row's expectation exceeds max walked / (1 − max doubt).
    By the maximum principle at most the last step, times it, is to go. Rows that no label reaches stay as they are and
    do not count; as long as labels reach further rows the bound is infinite.
    """
    reached = doubt < 1 - UNREACHED * n_iter
    if (reached & (before >= 1 - UNREACHED * (n_iter - 1))).any():
        return np.inf
    return float(walked[reached].max() / (1 - doubt[reached].max()))


def _checked(points, values, kernel, safeguard, relaxation, empty):
    """Return points and values as float64, and the kernel, once all have been checked."""
    check_option("safeguard", safeguard, SAFEGUARDS)
    kernel = kernel_or_default(kernel, empty)
    if not (isinstance(relaxation, numbers.Real) and not isinstance(relaxation, bool) and 0 < relaxation <= 1):
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


def _filled(values):
    """Return where values are known, and the values with the others at the mean of the known."""
    known = ~np.isnan(values)
    return known, np.where(known, values, np.nanmean(values, axis=0))


def _states(start, guard, average, relaxation):
    """Yield the states of the map, for ever."""
    state = guard(start)
    while True:
        yield state
        state = guard(state + relaxation * (average(state) - state))


def averager(points, kernel, empty):
    """Return the function Y ↦ K̃Y; a row with nothing in reach keeps its value if `empty` is "nan"."""
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


def _guard(start, known, safeguard):
    """Return the function that puts a state back where the safeguard wants it."""
    if safeguard == "none":
        return lambda state: state
    if safeguard == "clamp":
        return lambda state: np.where(known, start, state)
    centre, spread = start.mean(axis=0), start.std(axis=0)

    def scale(state):
        state = state - state.mean(axis=0)
        if safeguard == "orthonormal" and state.ndim == 2:
            basis, triangle = np.linalg.qr(state)
            state = basis * np.where(np.diagonal(triangle) < 0, -1, 1)  # the sign that the column had
        size = state.std(axis=0)
        return centre + state * (spread / np.where(size > 0, size, 1))

    return scale
