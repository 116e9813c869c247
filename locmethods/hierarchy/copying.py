"""Two hand-written layers that copy: an induction head made of two local means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count
from locmethods.arrays.namespace import to_numpy
from locmethods.kernels import Flat
from locmethods.means import local_mean

__all__ = ["induction_head", "previous_token"]

NOTHING = 1e-299  # more than what engines may write for a weight of nothing, e⁻⁶⁹⁰, beside one of one
SAME = 0.5  # a radius below every distance between different whole numbers, or between different one-hot rows


def previous_token(states: ArrayLike) -> np.ndarray:
    """Return at each position what stands one before it, of the shape of `states`; zeros at the first position.

    A local mean whose kernel compares positions: the query is i − 1, the keys are 0, 1, …, and only the key at the
    query has weight.

    Parameters
    ----------
    states : array-like of shape (n_positions, n_outputs)

    Raises
    ------
    ValueError, TypeError
        If `states` are no finite numbers of that shape.

    Examples
    --------
    >>> from locmethods.hierarchy import previous_token
    >>> previous_token([[5.0], [6.0], [7.0]])
    array([[0.],
           [5.],
           [6.]])
    """
    states = to_numpy(as_array("states", states))
    if states.ndim not in (1, 2) or not len(states):
        raise ValueError(f"states must have shape (n_positions, n_outputs), not empty, got shape {states.shape}")
    positions = np.arange(len(states), dtype=np.float64)[:, None]
    found = np.nan_to_num(local_mean(positions - 1, positions, states, kernel=Flat(SAME), empty="nan"))
    return np.where(np.abs(found) > NOTHING * np.abs(states).sum(0), found, 0.0)


def induction_head(tokens: ArrayLike, *, n_tokens: int | None = None) -> np.ndarray:
    """Return what followed earlier occurrences of each position's token: shares, by two local means [olsson2022]_.

    The first layer writes beside each position the token before it (`previous_token`). The second asks with the
    position's own token for positions, not beyond itself, beside which that token is written, and averages the tokens
    that stand there. After … A B … A it says B.

    Parameters
    ----------
    tokens : integer array-like of shape (n_positions,)
        At least one; from 0 to n_tokens − 1.
    n_tokens : int, optional
        One more than the largest token by default.

    Returns
    -------
    ndarray of shape (n_positions, n_tokens)
        Rows sum to one; NaN where the token has not occurred before. A mask of all pairs of positions is formed.

    Raises
    ------
    ValueError, TypeError
        If `tokens` are not such numbers.

    Examples
    --------
    >>> from locmethods.hierarchy import induction_head
    >>> induction_head([2, 0, 1, 2])[-1].round(3)  # what followed the 2 before
    array([1., 0., 0.])
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or not len(tokens):
        raise ValueError(f"tokens must have shape (n_positions,), not empty, got shape {tokens.shape}")
    if tokens.dtype.kind not in "iu":
        raise TypeError(f"tokens must be integers, got dtype {tokens.dtype}")
    if n_tokens is None:
        n_tokens = int(tokens.max()) + 1
    check_count("n_tokens", n_tokens, 1)
    if tokens.min() < 0 or tokens.max() >= n_tokens:
        raise ValueError(f"tokens must be from 0 to n_tokens - 1 = {n_tokens - 1}, got {tokens.min()} to "
                         f"{tokens.max()}")
    states = np.eye(n_tokens)[tokens]
    up_to_itself = np.tri(len(tokens), dtype=bool)
    found = local_mean(states, previous_token(states), states, kernel=Flat(SAME).where(up_to_itself), empty="nan")
    return np.where(found < NOTHING * len(tokens), 0.0, found)
