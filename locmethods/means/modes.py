"""Where a weighted sum of kernels between values is largest."""

from __future__ import annotations

import math

from locmethods.arrays.namespace import detached, log_or_nothing, matrix_transpose, namespace
from locmethods.kernels import Gaussian

# The ascent stops when a step is below this share of the values' spread.
STEP = 1e-10
STEPS = 1000
SHARE = 1e-4  # of the kernel's length: how far apart a density is compared to find its slope
# How many places are climbed from, each the best of those where the kernel about the others is below this share:
# distinct peaks, and where supports end also the narrow pieces between their ends.
PEAKS, PIECES = (8, 0.5), (24, 0.99)


def dense_mode(weight, value, kernel):
    """Return the maximiser of Σᵢ wᵢ K(v, vᵢ) for each row of weights.

    The best values are climbed from, and the highest place that is reached is the answer. With a Gaussian a step is
    a local mean, which never goes down [cheng1995]_. Other kernels are climbed along their slope, with steps that
    are taken only upwards; the place is then known to about √ε of the values' spread. On a line, kernels of compact
    support are climbed from the ends of their supports too, since a peak may lie where no value is.
    The search is thorough, not certified: with very many peaks of nearly one height it may return the second best.

    Parameters
    ----------
    weight : array of shape (b, n)
        Rows sum to one; rows with NaN give NaN.
    value : array of shape (n, o)
    kernel : Kernel
        Radial, between values.

    Returns
    -------
    place : array of shape (b, o)
    moving : boolean array of shape (b,)
        Whether the climb that reached it was still moving when its steps had been spent.
    """
    xp, start_at = namespace(value), _candidates(value, kernel)  # (c, o)
    every = slice(0, len(start_at))
    among = xp.exp(detached(kernel.bind(start_at, value).log(every, slice(0, len(value)))))  # (c, n)
    close = xp.exp(detached(kernel.bind(start_at, start_at).log(every, every)))
    close = close / xp.linalg.diagonal(close)[..., None]
    missing = xp.any(xp.isnan(weight), axis=-1, keepdims=True)
    weight = xp.where(missing, 1 / len(value), weight)
    height = detached(weight) @ matrix_transpose(among)  # (b, c)
    climb = _by_local_means if type(kernel) is Gaussian else _by_slope
    best, level = xp.zeros_like(start_at[:1]) + 0 * weight[:, :1], xp.full_like(height[:, 0], -math.inf)
    still = xp.zeros_like(level, dtype=xp.bool)
    for starts, share in (PEAKS, PIECES) if len(start_at) > len(value) else (PEAKS,):
        left = height
        for _ in range(min(starts, len(start_at)) if len(weight) else 0):
            start, top = xp.argmax(left, axis=-1), xp.max(left, axis=-1)
            if bool(xp.all(log_or_nothing(top) < level - math.log(2))):
                break  # no peak worth climbing is left
            place, moving = climb(weight, value, kernel, start_at[start])
            reached = detached(_log_density(weight, value, kernel, place))
            higher = reached > level
            best, level = xp.where(higher[..., None], place, best), xp.maximum(level, reached)
            still = xp.where(higher, moving, still)
            left = xp.where(close[start] > share, 0.0, left)
    return xp.where(missing, math.nan, best), still & ~missing[:, 0]


def _candidates(value, kernel):
    """Return the places to start from: the values, and on a line the ends of the supports about them."""
    if math.isinf(kernel.reach) or value.shape[-1] > 1:
        return value
    edge = kernel.reach * (1 - 1e-12)
    return namespace(value).concat([value, value - edge, value + edge], axis=0)


def _log_density(weight, value, kernel, place):
    """Return log Σᵢ wᵢ K(v, vᵢ) at the places v, of shape (b,)."""
    score = log_or_nothing(weight) + kernel.bind(place, value).log(slice(0, len(place)), slice(0, len(value)))
    xp = namespace(score)
    top = xp.max(score, axis=-1)
    anchor = detached(xp.where(top > -math.inf, top, 0.0))
    return log_or_nothing(xp.sum(xp.exp(score - anchor[..., None]), axis=-1)) + anchor


def _spread(value):
    xp, value = namespace(value), detached(value)
    return float(xp.max(xp.max(value, axis=0) - xp.min(value, axis=0))) or 1.0


def _by_local_means(weight, value, kernel, place):
    """Climb by v ← Σ w K vᵢ / Σ w K; return the places and which of them were moving still."""
    xp, log_weight, small = namespace(value), log_or_nothing(weight), STEP * _spread(value)
    for _ in range(STEPS):
        score = log_weight + kernel.bind(place, value).log(slice(0, len(place)), slice(0, len(value)))
        share = xp.exp(score - detached(xp.max(score, axis=-1, keepdims=True)))
        ahead = share @ value / xp.sum(share, axis=-1, keepdims=True)
        moving = xp.any(abs(detached(ahead - place)) > small, axis=-1)
        place = ahead
        if not bool(xp.any(moving)):
            break
    return place, moving


def _by_slope(weight, value, kernel, place):
    """Climb along the slope; each row doubles its step after a success and quarters it after a failure.

    Return the places and which of them were moving still.
    """
    xp, weight, value, place = namespace(value), detached(weight), detached(value), detached(place)
    spread, step = _spread(value), None
    apart = SHARE * (spread if kernel.length is None else min(kernel.length, spread))
    for _ in range(STEPS):
        level = _log_density(weight, value, kernel, place)
        slope = _slope(weight, value, kernel, place, level, apart)
        length = xp.sqrt(xp.sum(slope * slope, axis=-1, keepdims=True))
        if step is None:
            step = xp.where(length > 0, 0.1 * spread / xp.where(length > 0, length, 1.0), 0.0)
        ahead = place + step * slope
        up = (_log_density(weight, value, kernel, ahead) > level)[..., None]
        moving = (step * length)[:, 0] > STEP * spread
        place, step = xp.where(up, ahead, place), xp.where(up, 2 * step, step / 4)
        if not bool(xp.any(moving)):
            break
    return place, moving


def _slope(weight, value, kernel, place, level, apart):
    """Return the slope of the log-density at each place, from differences; one-sided where a side has no density."""
    xp, columns = namespace(place), []
    for feature in range(place.shape[-1]):
        shift = xp.zeros_like(place)
        shift[:, feature] = apart
        ahead, behind = (_log_density(weight, value, kernel, place + side * shift) for side in (1, -1))
        sides = [xp.where(side > -math.inf, side, level) for side in (ahead, behind)]
        both = (ahead > -math.inf) & (behind > -math.inf)
        columns.append((sides[0] - sides[1]) / xp.where(both, 2 * apart, apart))
    return xp.stack(columns, axis=-1)
