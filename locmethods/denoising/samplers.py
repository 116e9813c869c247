"""From noise to data: the denoiser asked again and again while the noise level falls.

A denoiser is any function D(x, σ) that takes points of shape (n_samples, …) and a noise level, and returns the clean
points that it expects, of the same shape. Everything here is NumPy: tensors become arrays, and the denoiser is given
a copy of the points, with which it may do as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, as_number, check_count, check_not_negative, check_option, check_positive
from locmethods.arrays.namespace import is_tensor, to_numpy
from locmethods.kernels import Gaussian
from locmethods.means import prepare

METHODS = ("heun", "euler")
GREATEST = 1e300  # a level of noise; points are some levels large


class Flow(NamedTuple):
    """Where a sampler has led.

    Attributes
    ----------
    points : ndarray of the shape of the starts
        At the last of the noise levels; it ends there because the levels do.
    path : ndarray of shape (n_levels, n_samples, …) or None
        The points at each level, if asked for.
    evaluations : int
        How often the denoiser was asked.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.denoising import probability_flow
    >>> found = probability_flow(lambda x, sigma: np.ones_like(x), [[9.0]], [4.0, 2.0, 0.0], keep_path=True)
    >>> found.path.ravel(), found.evaluations  # two for the first step, by Heun, and one for the last
    (array([9., 5., 1.]), 3)
    """

    points: np.ndarray
    path: np.ndarray | None
    evaluations: int


def noise_schedule(n_steps: int, *, sigma_max: float, sigma_min: float, rho: float = 7.0) -> np.ndarray:
    """Return falling noise levels for `n_steps` steps, of shape (n_steps + 1,), the last of them zero [karras2022]_.

    Their ρ-th roots are evenly spaced, so that most steps are spent where there is little noise.

    Parameters
    ----------
    n_steps : int
        At least 1.
    sigma_max, sigma_min : float
        The first level and the last before zero, in the units of the data; of one step `sigma_max` is both.
    rho : float, default=7.0
        ρ; at 1 the levels are evenly spaced.

    Raises
    ------
    ValueError, TypeError
        If a number is not positive, ``sigma_min`` exceeds ``sigma_max``, or they are so near that the levels do not
        fall.

    Examples
    --------
    >>> from locmethods.denoising import noise_schedule
    >>> noise_schedule(3, sigma_max=4.0, sigma_min=2.0, rho=1.0)
    array([4., 3., 2., 0.])
    >>> noise_schedule(3, sigma_max=9.0, sigma_min=1.0, rho=2.0).round(6)  # the squares of 3, 2, 1
    array([9., 4., 1., 0.])
    """
    check_count("n_steps", n_steps, 1)
    for name, value in (("sigma_max", sigma_max), ("sigma_min", sigma_min), ("rho", rho)):
        check_positive(name, value)
    if sigma_min > sigma_max:
        raise ValueError(f"sigma_min must not exceed sigma_max, got {sigma_min!r} and {sigma_max!r}")
    first, last, power = (as_number(name, value) for name, value in
                          (("sigma_max", sigma_max), ("sigma_min", sigma_min), ("rho", rho)))
    levels = np.zeros(n_steps + 1)
    levels[-2], levels[0] = last, first
    # σ_max (1 + t ((σ_min/σ_max)^(1/ρ) − 1))^ρ at t between 0 and 1, for any ρ > 0.
    gap = np.expm1((math.log(last) - math.log(first)) / power)
    inside = np.linspace(0, 1, n_steps)[1:-1]
    levels[1:-2] = first * np.exp(power * np.log1p(inside * gap))
    if (np.diff(levels) >= 0).any():
        raise ValueError(f"{n_steps} levels from sigma_max={first:g} to sigma_min={last:g} must differ: take fewer "
                         "steps, levels farther apart, or another rho")
    return levels


def probability_flow(
    denoiser: Callable[..., Any],
    start: ArrayLike,
    sigmas: ArrayLike,
    *,
    method: str = "heun",
    keep_path: bool = False,
) -> Flow:
    """Follow dx/dσ = (x − D(x, σ))/σ through falling noise levels: the probability-flow equation [song2021]_.

    With the exact denoiser it carries the density of the noisy data at the first level to that at each other one.
    The step into σ = 0 is the denoiser's own answer.

    Parameters
    ----------
    denoiser : callable
        ``denoiser(x, sigma)``.
    start : array-like of shape (n_samples, …)
        Points with noise of the first level; if that is much larger than the data, the noise alone.
    sigmas : array-like of shape (n_levels,)
        Falling; the last may be zero. See `noise_schedule`.
    method : {"heun", "euler"}, default="heun"
        Heun's method asks the denoiser twice a step, and its error falls with the square of the steps' length; Euler's
        step is x + (1 − σ′/σ)(D(x, σ) − x), a part of the way to the denoised point.
    keep_path : bool, default=False

    Returns
    -------
    Flow

    Raises
    ------
    ValueError, TypeError
        If the starts or the levels are not as above, or the denoiser returns another shape or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.denoising import probability_flow
    >>> denoiser = lambda x, sigma: np.ones_like(x)  # the data are a single one
    >>> probability_flow(denoiser, [[9.0], [-3.0]], [4.0, 2.0]).points  # half the noise, half as far from one
    array([[ 5.],
           [-1.]])
    """
    check_option("method", method, METHODS)
    ask, x, sigmas = _entered(denoiser, start, sigmas)

    def steps(x):
        for here, there in pairwise(sigmas):
            x = _step(ask, x, here, there, method)
            yield x
    return _followed(ask, x, steps, keep_path)


def stochastic_flow(
    denoiser: Callable[..., Any],
    start: ArrayLike,
    sigmas: ArrayLike,
    *,
    churn: float = 0.2,
    method: str = "heun",
    seed: int | np.random.Generator | None = None,
    keep_path: bool = False,
) -> Flow:
    """Follow the same equation with noise added before each step: its errors are forgotten [karras2022]_.

    At each level the points get fresh noise that lifts it from σ to (1 + churn)σ, and the step starts from there.

    Parameters
    ----------
    denoiser, start, sigmas, method, keep_path
        As in `probability_flow`.
    churn : float, default=0.2
        Of at least 0, where it is the probability flow.
    seed : int, Generator or None, default=None
        Of the noise.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError, TypeError
        As in `probability_flow`, and if `churn` is negative, or lifts the noise beyond 1e300.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.denoising import stochastic_flow
    >>> denoiser = lambda x, sigma: np.ones_like(x)  # the data are a single one
    >>> stochastic_flow(denoiser, [[9.0], [-3.0]], [4.0, 2.0, 0.0], seed=0).points.round(6)
    array([[1.],
           [1.]])
    """
    check_option("method", method, METHODS)
    check_not_negative("churn", churn)
    ask, x, sigmas = _entered(denoiser, start, sigmas)
    rng, churn = np.random.default_rng(seed), as_number("churn", churn)
    spread = math.sqrt(churn) * math.sqrt(2 + churn)  # √((1 + c)² − 1), in units of σ
    if not (1 + spread) * sigmas[0] < GREATEST:
        raise ValueError(f"churn must keep the noise below {GREATEST}, got {churn!r} at the level {sigmas[0]:.6g}")

    def steps(x):
        for here, there in pairwise(sigmas):
            lifted = (1 + churn) * here
            noise = rng.normal(size=x.shape).astype(x.dtype, copy=False)
            x = _step(ask, x + spread * here * noise, lifted, there, method)
            yield x
    return _followed(ask, x, steps, keep_path)


def annealed_mean_shift(
    starts: ArrayLike,
    keys: ArrayLike,
    widths: ArrayLike,
    *,
    relaxation: float | None = None,
    keep_path: bool = False,
) -> Flow:
    """Take one step of Gaussian mean shift at each of several falling widths: x ← x + ω(m(x) − x).

    With ω = 1 − h′/h, h′ being the next width, it is `probability_flow` by Euler's steps with the exact denoiser, noise
    levels for widths; with ω = 1 it is mean shift whose width shrinks.

    Parameters
    ----------
    starts : array-like of shape (n_starts, n_features)
    keys : array-like of shape (n_keys, n_features)
        The data, which stay where they are.
    widths : array-like of shape (n_widths,)
        Falling, in the units of the keys; the last may be zero, where the step before it leads.
    relaxation : float, optional
        ω of every step, in (0, 2); 1 − h′/h by default, and then there is one step less than widths.
    keep_path : bool, default=False

    Returns
    -------
    Flow

    Raises
    ------
    ValueError, TypeError
        If the arrays are not as above, or the relaxation is not in (0, 2).

    Examples
    --------
    >>> from locmethods.denoising import annealed_mean_shift
    >>> found = annealed_mean_shift([[4.0], [5.0]], [[1.0], [9.0]], [8.0, 2.0, 0.5, 0.0])
    >>> found.points.round(3).ravel()  # the second started midway between the data
    array([1., 5.])
    """
    if relaxation is not None and not 0 < as_number("relaxation", relaxation) < 2:
        raise ValueError(f"relaxation must be in (0, 2), got {relaxation!r}")
    prepared = prepare(to_numpy(as_array("keys", keys)), kernel=Gaussian(1.0))
    ask, x, widths = _entered(lambda x, h: prepared.under(Gaussian(h)).mean(x), starts, widths)
    ahead = widths[1:] if relaxation is None else [*widths[1:], 0.0]

    def steps(x):
        for here, there in zip(widths, ahead, strict=False):
            if here == 0:
                break
            x = x + (1 - there / here if relaxation is None else relaxation) * (ask(x, here) - x)
            yield x
    return _followed(ask, x, steps, keep_path)


def _followed(ask, start, steps, keep_path):
    """Return the `Flow` of the points that ``steps(start)`` yields, one after another."""
    x, path = start, [start]
    for x in steps(start):
        if keep_path:
            path.append(x)
    return Flow(x, np.stack(path) if keep_path else None, ask.count)


def _step(ask, x, here, there, method):
    """Return the points one step on, from the level `here` to the level `there`."""
    slope = (x - ask(x, here)) / here
    ahead = x + (there - here) * slope
    if method == "euler" or there == 0:
        return ahead
    return x + (there - here) / 2 * (slope + (ahead - ask(ahead, there)) / there)


class _Asked:
    """A denoiser whose answers are counted, and looked at."""

    def __init__(self, denoiser):
        self.denoiser, self.count = denoiser, 0

    def __call__(self, x, sigma):
        self.count += 1
        answer = self.denoiser(x.copy(), sigma)
        answer = to_numpy(answer) if is_tensor(answer) else np.asarray(answer)
        if answer.dtype.kind not in "biuf":
            raise TypeError(f"the denoiser must return real numbers, got dtype {answer.dtype} at sigma={sigma:.6g}")
        if answer.shape != x.shape:
            raise ValueError(f"the denoiser must return an array of the shape of the points, {x.shape}, got "
                             f"{answer.shape} at sigma={sigma:.6g}")
        if not np.isfinite(answer).all():
            raise ValueError(f"the denoiser must return finite numbers, got {(~np.isfinite(answer)).sum()} NaN or "
                             f"infinite values at sigma={sigma:.6g}")
        return answer


def _entered(denoiser, start, sigmas):
    """Return the denoiser as it is asked, the starts and the levels, once all have been checked."""
    if isinstance(denoiser, type) or not callable(denoiser):
        kind = f"the class {denoiser.__name__}" if isinstance(denoiser, type) else type(denoiser).__name__
        raise TypeError(f"denoiser must be a function of (x, sigma), got {kind}")
    start, sigmas = to_numpy(as_array("start", start)), to_numpy(as_array("sigmas", sigmas))
    if start.ndim < 2 or 0 in start.shape:
        raise ValueError(f"start must have shape (n_samples, …), two dimensions or more and none zero, got shape "
                         f"{tuple(start.shape)}")
    if sigmas.ndim != 1 or len(sigmas) < 2 or (np.diff(sigmas) >= 0).any() or sigmas[-1] < 0:
        raise ValueError(f"sigmas must be two or more falling numbers, none negative, got {_short(sigmas)}")
    return _Asked(denoiser), start, sigmas.tolist()  # plain numbers leave single precision as it is


def _short(values):
    return np.array2string(np.asarray(values), threshold=6, edgeitems=2, precision=6)
