"""What a head is like, from its weights: near one place of the sentence, near uniform, near one-hot.

A head's weights are those of a local mean, a row for each query. Two numbers say how sharp they are, their entropy and
the largest of them; a third says whether they follow the words at all, or the places only [voita2019]_.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_share
from locmethods.arrays.namespace import is_tensor, to_float64
from locmethods.numerics.units import exponent_of

MARKS = 1  # tokens at either end of a sentence that say where it begins and ends


class HeadProfile(NamedTuple):
    """What heads are like, averaged over the queries of one sentence or of several.

    Attributes
    ----------
    entropy : ndarray of shape (...)
        Of the weights, as a share of that of equal weights: 0 if one key has all, 1 if all have the same.
    largest : ndarray of shape (...)
        The largest weight of a query.
    offset : integer ndarray of shape (...)
        The relative place, key minus query, that has most weight; 0 is the query's own.
    at_offset : ndarray of shape (...)
        That weight.
    first : ndarray of shape (...)
        The weight of the first token, the mark of the beginning.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import head_profile
    >>> found = head_profile(np.full((4, 4), 0.25), furthest=1)
    >>> round(float(found.entropy), 6), float(found.largest), float(found.at_offset), float(found.first)
    (1.0, 0.25, 0.25, 0.25)
    """

    entropy: np.ndarray
    largest: np.ndarray
    offset: np.ndarray
    at_offset: np.ndarray
    first: np.ndarray


def head_entropy(weights: ArrayLike) -> np.ndarray:
    """Return −Σⱼ wⱼ ln wⱼ / ln n of heads' weights, averaged over their queries.

    Parameters
    ----------
    weights : array-like of shape (..., n, n)
        Rows sum to one; n is at least 2.

    Returns
    -------
    ndarray of shape (...)
        In [0, 1]: 0 if one key has all weight, 1 if all keys have the same.

    Raises
    ------
    ValueError
        If `weights` is not of that form.

    Examples
    --------
    >>> from locmethods.transformer import head_entropy
    >>> head_entropy([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]).round(6) + 0.0
    array([0., 1.])
    """
    weights = as_weights(weights)
    logs = np.log(np.where(weights > 0, weights, 1.0))
    return -(weights * logs).sum(-1).mean(-1) / np.log(weights.shape[-1])


def head_profile(weights: ArrayLike, *, furthest: int = 5) -> HeadProfile:
    """Return what heads are like: how sharp, and whether they follow places.

    Parameters
    ----------
    weights : array-like of shape (..., n, n), or list of such
        The heads' weights on one sentence, or on several of different lengths, which count the same. Rows sum to one.
    furthest : int, default=5
        Relative places are looked at from −furthest to furthest, between the first and the last token, which mark the
        sentence's ends; n is at least ``furthest + 3``.

    Returns
    -------
    HeadProfile

    Raises
    ------
    ValueError
        If `weights` or `furthest` is not of that form, or sentences are not of the same heads.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import head_profile
    >>> previous = np.eye(5)[[0, 0, 1, 2, 3]]  # each token looks at the one before it
    >>> found = head_profile(previous, furthest=2)
    >>> int(found.offset), float(found.at_offset), round(float(found.first), 3)  # two of five look at the first
    (-1, 1.0, 0.4)
    """
    check_count("furthest", furthest, 0)
    several = [as_weights(one) for one in (weights if isinstance(weights, list | tuple) else [weights])]
    if len({one.shape[:-2] for one in several}) != 1:
        raise ValueError("weights of several sentences must be of the same heads, got shapes "
                         f"{[one.shape for one in several]}")
    shortest = min(one.shape[-1] for one in several)
    if shortest < furthest + 1 + 2 * MARKS:
        raise ValueError(f"weights must be of at least {furthest + 1 + 2 * MARKS} tokens for furthest={furthest}, got "
                         f"{shortest}")
    places = np.arange(-furthest, furthest + 1)
    inner = [one[..., MARKS:-MARKS, MARKS:-MARKS] for one in several]
    shares = np.mean([[np.diagonal(one, place, -2, -1).mean(-1) for place in places] for one in inner], axis=0)
    best = shares.argmax(0)
    return HeadProfile(
        entropy=np.mean([head_entropy(one) for one in several], axis=0),
        largest=np.mean([one.max(-1).mean(-1) for one in several], axis=0),
        offset=places[best],
        at_offset=shares.max(0),
        first=np.mean([one[..., 0].mean(-1) for one in several], axis=0))


def head_kinds(
    profile: HeadProfile,
    *,
    positional: float = 0.5,
    one_hot: float = 0.6,
    uniform: float = 0.85,
) -> np.ndarray:
    """Return what each head nearly is: "positional", "one-hot", "uniform" or "mixed".

    Parameters
    ----------
    profile : HeadProfile
    positional : float, default=0.5
        A head is positional if at least this share of its weight is at one relative place,
    one_hot : float, default=0.6
        else one-hot if a query's largest weight is on average at least this,
    uniform : float, default=0.85
        else uniform if its entropy is at least this share of the greatest, else mixed.

    Returns
    -------
    ndarray of str of the profile's shape

    Raises
    ------
    ValueError
        If a share is not in (0, 1).
    TypeError
        If `profile` is none.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import head_kinds, head_profile
    >>> previous, everywhere = np.eye(5)[[0, 0, 1, 2, 3]], np.full((5, 5), 0.2)
    >>> head_kinds(head_profile(np.stack([previous, everywhere]), furthest=2)).tolist()
    ['positional', 'uniform']
    """
    if not isinstance(profile, HeadProfile):
        raise TypeError(f"profile must be a HeadProfile, as head_profile returns it, got {type(profile).__name__}")
    for name, value in (("positional", positional), ("one_hot", one_hot), ("uniform", uniform)):
        check_share(name, value)
    cases = [profile.at_offset >= positional, profile.largest >= one_hot, profile.entropy >= uniform]
    return np.select(cases, ["positional", "one-hot", "uniform"], "mixed")


def token_spread(states: ArrayLike) -> np.ndarray:
    """Return ‖X − 1x̄ᵀ‖₂ / ‖X‖₂ of tokens' vectors X with mean x̄: 0 if all tokens are one [dong2021]_.

    Parameters
    ----------
    states : array-like of shape (..., n, n_features)

    Returns
    -------
    ndarray of shape (...)
        Spectral norms' quotient, in [0, 1]; NaN if all states are zero.

    Raises
    ------
    ValueError
        If `states` has fewer than two dimensions, no token, or NaN or infinity.

    Examples
    --------
    >>> from locmethods.transformer import token_spread
    >>> token_spread([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]]).round(6)  # two that are one, two opposite
    array([0., 1.])
    """
    states = to_float64(as_array("states", states))
    if states.ndim < 2 or states.shape[-2] == 0:
        raise ValueError(f"states must have shape (..., n, n_features), got shape {states.shape}")
    states = np.ldexp(states, -exponent_of(states, axis=(-2, -1), keepdims=True))  # a quotient knows no unit
    apart = np.linalg.norm(states - states.mean(-2, keepdims=True), 2, axis=(-2, -1))
    size = np.linalg.norm(states, 2, axis=(-2, -1))
    return np.divide(apart, size, out=np.full_like(apart, np.nan), where=size > 0)


def as_weights(weights):
    """Return weights as an array of float64, or raise ValueError unless they are rows of a square that sum to one."""
    weights = as_array("weights", weights)
    # Rows of float32 miss one by 1e-6; those of half precision by its rounding, if all weights were rounded one way.
    missed = max(1e-4, rounding_of(weights))
    weights = to_float64(weights)
    if weights.ndim < 2 or weights.shape[-1] != weights.shape[-2] or weights.shape[-1] < 2:
        raise ValueError(f"weights must have shape (..., n, n) with n of at least 2, got shape {weights.shape}")
    if (weights < 0).any() or (np.abs(weights.sum(-1) - 1) > missed).any():
        raise ValueError("weights must not be negative, and rows must sum to one")
    return weights if missed == 1e-4 else weights / weights.sum(-1, keepdims=True)


def rounding_of(array):
    """Return the distance of one and the next number in the type of a floating array or tensor."""
    if is_tensor(array):
        import torch

        return torch.finfo(array.dtype).eps
    return float(np.finfo(array.dtype).eps)
