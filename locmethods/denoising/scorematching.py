"""How good a denoiser or a score is: three losses that differ by constants, and the risk that they stand for.

A *score* s(x) estimates ∇ log p(x). The loss that one would like to know compares it with the true score, the one that
one can compute compares it with the noise that was added; they have the same minimiser [vincent2011]_. A third needs
neither [hyvarinen2005]_.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, as_number, check_positive
from locmethods.arrays.namespace import to_numpy
from locmethods.numerics.units import exponent_of


def explicit_score_matching(score: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return ½ E‖s(x) − t(x)‖², how far a score is from the true one.

    Parameters
    ----------
    score, target : array-like of shape (n_samples, n_features)
        Both at the same points.
    weights : array-like of shape (n_samples,), optional
        What each point counts, as the nodes of a quadrature do; one each by default.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, something is not finite or the weights are negative or all zero.

    Examples
    --------
    >>> from locmethods.denoising import explicit_score_matching
    >>> explicit_score_matching([[1.0, 2.0], [3.0, 3.0]], [[0.0, 0.0], [3.0, 2.0]])  # half the mean of 5 and 1
    1.5
    """
    score, target = _alike(score=score, target=target)
    return _mean(0.5 * np.square(score - target).sum(1), weights)


def denoising_score_matching(
    score: ArrayLike,
    clean: ArrayLike,
    noisy: ArrayLike,
    sigma: float,
    *,
    weights: ArrayLike | None = None,
) -> float:
    """Return ½ E‖s(x) + (x − z)/σ²‖², how far a score at noisy points x is from the noise that was added to z.

    Over Gaussian noise of level σ it is `explicit_score_matching` with the score of the noisy data, plus a number that
    does not depend on s.

    Parameters
    ----------
    score, clean, noisy : array-like of shape (n_samples, n_features)
        s(x), z and x.
    sigma : float
    weights : array-like of shape (n_samples,), optional
        As in `explicit_score_matching`.

    Raises
    ------
    ValueError, TypeError
        As in `explicit_score_matching`, and if `sigma` is not positive and finite.

    Examples
    --------
    >>> from locmethods.denoising import denoising_score_matching
    >>> clean, noisy = [[0.0], [0.0]], [[2.0], [-2.0]]
    >>> denoising_score_matching([[0.0], [0.0]], clean, noisy, sigma=1.0)
    2.0
    >>> denoising_score_matching([[-2.0], [2.0]], clean, noisy, sigma=1.0)  # the score of noise of level 1 is −x
    0.0
    """
    check_positive("sigma", sigma)
    score, clean, noisy = _alike(score=score, clean=clean, noisy=noisy)
    sigma = as_number("sigma", sigma)
    return _mean(0.5 * np.square(score + (noisy - clean) / sigma / sigma).sum(1), weights)


def implicit_score_matching(score: ArrayLike, divergence: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return E[½‖s(x)‖² + ∇·s(x)], which needs no true score: `explicit_score_matching` up to a number.

    Parameters
    ----------
    score : array-like of shape (n_samples, n_features)
    divergence : array-like of shape (n_samples,)
        The trace of ∂s/∂x at the same points.
    weights : array-like of shape (n_samples,), optional
        As in `explicit_score_matching`.

    Raises
    ------
    ValueError, TypeError
        As in `explicit_score_matching`.

    Examples
    --------
    >>> from locmethods.denoising import implicit_score_matching
    >>> implicit_score_matching([[-2.0], [2.0]], [-1.0, -1.0])  # of s(x) = −x at ±2: ½ 4 − 1
    1.0
    """
    score, = _alike(score=score)
    divergence = to_numpy(as_array("divergence", divergence))
    if divergence.shape != score.shape[:1]:
        raise ValueError(f"divergence must have shape ({len(score)},), one number a point, got shape "
                         f"{tuple(divergence.shape)}")
    return _mean(0.5 * np.square(score).sum(1) + divergence, weights)


def denoising_risk(denoised: ArrayLike, clean: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Return E‖D(x) − z‖², the squared error of denoised points, summed over the features.

    Of two denoisers the one with the smaller risk is nearer to the exact one, by exactly the difference: the risk is
    that of the exact denoiser plus E‖D − D*‖².

    Parameters
    ----------
    denoised, clean : array-like of shape (n_samples, n_features)
    weights : array-like of shape (n_samples,), optional
        As in `explicit_score_matching`.

    Raises
    ------
    ValueError, TypeError
        As in `explicit_score_matching`.

    Examples
    --------
    >>> from locmethods.denoising import denoising_risk
    >>> denoising_risk([[1.0, 2.0], [3.0, 3.0]], [[0.0, 0.0], [3.0, 2.0]])  # the mean of 5 and 1
    3.0
    """
    denoised, clean = _alike(denoised=denoised, clean=clean)
    return _mean(np.square(denoised - clean).sum(1), weights)


def _alike(**arrays):
    """Return arrays of one shape (n_samples, n_features)."""
    found = {name: to_numpy(as_array(name, value)) for name, value in arrays.items()}
    first, *others = found
    shape = tuple(found[first].shape)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{first} must have shape (n_samples, n_features), neither zero, got shape {shape}")
    for name in others:
        if tuple(found[name].shape) != shape:
            raise ValueError(f"{name} must have the shape of {first}, {shape}, got shape {tuple(found[name].shape)}")
    return list(found.values())


def _mean(values, weights):
    if weights is None:
        return float(values.mean())
    weights = to_numpy(as_array("weights", weights))
    if weights.shape != values.shape or (weights < 0).any() or not weights.any():
        raise ValueError(f"weights must be {len(values)} numbers of at least 0, not all zero, got an array of shape "
                         f"{tuple(weights.shape)}{' with negative numbers' if (weights < 0).any() else ''}")
    weights = np.ldexp(weights, -exponent_of(weights))  # their unit cancels; in this one no sum overflows
    return float(weights @ values / weights.sum())
