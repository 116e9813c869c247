"""What a prediction ends at that is trained by cross-entropy, by transport, or by a mix; and equal entropies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from locmethods.arrays.checks import as_array, as_number
from locmethods.arrays.namespace import to_float64
from locmethods.emo.costs import as_embeddings, as_probabilities, check_vocabulary, expected_costs
from locmethods.numerics.settling import say_unsettled
from locmethods.numerics.units import exponent_of

STEPS = 200  # of Newton's method, whose convergence is quadratic: some ten are enough


def mixed_optimum(probabilities: ArrayLike, embeddings: ArrayLike, *, weight: float) -> NDArray:
    r"""Return the prediction with the least expected (1 − λ) · cross-entropy + λ · transport cost.

    With the truth P and the expected costs :math:`r_i = \sum_j P_j c_{ij}`, both terms are convex in the prediction p,
    and where p is positive

    .. math:: p_i = \frac{(1 - \lambda) P_i}{\nu + \lambda r_i},

    with the one ν for which the sum is one. λ = 0 gives the truth, λ = 1 the medoid alone; between them each token's
    share is tilted towards the tokens near the mean. A token that never comes can have a share, if it is the medoid
    and λ is large enough.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (..., n_tokens)
        P: not negative, with sums of one.
    embeddings : array-like or Tensor of shape (n_tokens, n_features)
        Only their directions count.
    weight : float
        λ, from 0 to 1.

    Returns
    -------
    ndarray of shape (..., n_tokens)
        float64.

    Raises
    ------
    ValueError
        If a shape does not fit, a probability is negative, a sum is not one, or the weight is out of range.

    Warns
    -----
    ConvergenceWarning
        If ν has not settled.

    Examples
    --------
    >>> from locmethods.emo import mixed_optimum
    >>> at_right_angles = [[1.0, 0.0], [0.0, 1.0]]
    >>> mixed_optimum([0.6, 0.4], at_right_angles, weight=0.0).tolist()
    [0.6, 0.4]
    >>> mixed_optimum([0.6, 0.4], at_right_angles, weight=1.0).tolist()
    [1.0, 0.0]
    """
    if not 0 <= as_number("weight", weight) <= 1:
        raise ValueError(f"weight must be a number from 0 to 1, got {weight!r}")
    truth = to_float64(as_probabilities("probabilities", probabilities))
    units = to_float64(as_embeddings(embeddings))
    check_vocabulary(truth, units)
    truth = truth / truth.sum(-1, keepdims=True)
    rows = truth.reshape(-1, len(units))
    weight = float(weight)
    if weight == 0:
        return truth
    costs = expected_costs(rows, units)
    return np.reshape([tilted(row, (1 - weight) * row, weight * cost) for row, cost in zip(rows, costs, strict=True)],
                      truth.shape)


def tilted(truth, share, cost):
    """Return shareᵢ / (ν + costᵢ) with a sum of one, and what is missing to one at the token of least cost."""
    excess, best = cost - cost.min(), int(cost.argmin())
    found, comes = np.zeros_like(truth), share > 0
    share, excess = share[comes], excess[comes]
    # u = ν + least cost is not negative. Where even u = 0 gives a sum below one, the rest goes to the least cost.
    with np.errstate(divide="ignore", over="ignore"):
        largest = share / excess  # infinite where a token that comes has the least cost, or next to it
    if largest.sum() <= 1:
        found[comes] = largest
        found[best] = 1 - largest.sum()
        return found
    # The sum falls and is convex in u. Where one term alone is one it is at least one: from there the steps of Newton's
    # method rise to the root and never pass it.
    u = max(0.0, np.max(share - excess))
    for _ in range(STEPS):
        parts = share / (u + excess)
        step = (parts.sum() - 1) / (parts / (u + excess)).sum()
        if step <= 4 * np.finfo(float).eps * u:
            break
        u += step
    else:
        say_unsettled(f"the normaliser of a mixed optimum was still moving after {STEPS} steps")
    found[comes] = share / (u + excess)
    return found / found.sum()


def temperature_for_entropy(logits: ArrayLike, entropy: float) -> float:
    r"""Return the temperature τ at which softmax(logits / τ) has a given entropy on average.

    Two models whose samples are compared should be equally sure, since sharpening alone changes every score of
    samples. The entropy rises with the temperature, from that of the largest logits' ties to log(n_tokens).

    Parameters
    ----------
    logits : array-like or Tensor of shape (..., n_tokens)
    entropy : float
        In nats, the mean over positions.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the logits or the entropy are not finite or there is no position, or if no temperature from 10⁻⁶ to 10⁶
        times the spread of the logits has that entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.emo import temperature_for_entropy
    >>> logits = np.log([0.8, 0.2])
    >>> sharper = np.array([0.64, 0.04]) / 0.68  # their squares, normalised
    >>> round(temperature_for_entropy(logits, -(sharper * np.log(sharper)).sum()), 6)
    0.5
    """
    logits = to_float64(as_array("logits", logits))
    if logits.ndim < 1 or not logits.size:
        raise ValueError(f"logits must have shape (..., n_tokens) and a position at least, got {logits.shape}")
    entropy = as_number("entropy", entropy)
    if not np.isfinite(entropy):
        raise ValueError(f"entropy must be finite, got {entropy:g}")
    # First scaled, by a power of two that changes no digit, so that no difference overflows.
    exponent = exponent_of(logits)
    rows = np.ldexp(logits.reshape(-1, logits.shape[-1]), -exponent)
    rows = rows - rows.max(1, keepdims=True)
    spread = -rows.min() or 1.0

    def excess(log_temperature):
        return mean_entropy(rows / np.exp(log_temperature)) - entropy

    low, high = np.log(spread) + np.log(1e-6), np.log(spread) + np.log(1e6)
    high = min(high, np.log(np.finfo(float).max) - exponent * np.log(2) - 1e-9)  # what a float can hold, scaled back
    least, most = excess(low), excess(high)
    if not least < 0 < most:
        raise ValueError(f"entropy must be between {least + entropy:g} and {most + entropy:g} nats, which these logits "
                         f"have at extreme temperatures, got {entropy:g}")
    return float(np.ldexp(np.exp(brentq(excess, low, high, xtol=1e-12)), exponent))


def mean_entropy(logits):
    """Return the mean entropy of the softmax of rows, in nats."""
    logs = logits - logsumexp(logits, axis=1, keepdims=True)
    return float(-(np.exp(logs) * logs).sum(1).mean())
