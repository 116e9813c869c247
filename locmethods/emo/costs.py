"""The cost of moving a prediction onto the truth, what it is made of, and the token that it prefers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count
from locmethods.arrays.namespace import is_tensor, matrix_transpose, namespace, slices, to_numpy, to_tensor
from locmethods.arrays.types import Array

OFF = 2e-3  # by which a row's sum may miss one: in half precision each of its numbers errs by 2⁻¹¹ of itself
BLOCK = 1 << 21  # cosines that are held at once, 16 MB


class BiasVariance(NamedTuple):
    """The two parts of a transport cost.

    Attributes
    ----------
    bias : ndarray or Tensor of shape (...)
        ½‖ē − êₜ‖²: how far the mean lies from the truth.
    variance : ndarray or Tensor of shape (...)
        ½ Σᵢ pᵢ ‖êᵢ − ē‖²: how far the prediction is spread about its mean.

    Examples
    --------
    >>> from locmethods.emo import BiasVariance
    >>> BiasVariance(bias=0.25, variance=0.5).variance
    0.5
    """

    bias: Array
    variance: Array


def transport_cost(probabilities: ArrayLike, targets: ArrayLike, embeddings: ArrayLike) -> Array:
    r"""Return what it costs to move a prediction onto the truth, at the cost :math:`c_{ij} = 1 - \cos` from i to j.

    All mass must end at the one token t that is true, so there is one plan, and the earth mover's distance is

    .. math:: \sum_i p_i c_{it} = 1 - \langle \bar e, \hat e_t\rangle, \qquad \bar e = \sum_i p_i \hat e_i,

    the loss of [ren2024]_. With a truth q that is spread over tokens it is :math:`\sum_{ij} p_i q_j c_{ij}`, the cost
    of the plan that sends each token's mass everywhere in proportion: an upper bound of the distance, which is zero
    for no prediction if q is spread over different directions, the truth itself included.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (..., n_tokens)
        p: not negative, with sums of one.
    targets : array-like or Tensor of shape (...) or (..., n_tokens)
        Integers, the number of the true token; or probabilities q.
    embeddings : array-like or Tensor of shape (n_tokens, n_features)
        Only their directions count. A row of zeros has none: it is at a cost of 1 from every other token.

    Returns
    -------
    ndarray or Tensor of shape (...)
        From 0 to 2, up to rounding. Time is O(n_tokens · n_features) a position, and no matrix of costs is held.

    Raises
    ------
    ValueError
        If a shape does not fit, a probability is negative, a sum is not one, or a token does not exist.
    TypeError
        If the targets are neither integers nor floating numbers.

    Examples
    --------
    >>> from locmethods.emo import transport_cost
    >>> transport_cost([0.5, 0.25, 0.25], 0, [[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]]).item()  # 0.25·1 + 0.25·2
    0.75
    """
    p, q, units = as_prediction(probabilities, targets, embeddings)
    xp = namespace(p)
    nowhere = (units == 0).all(-1)
    if q.shape != p.shape:
        own = one_of_each(p, q)
        cost = xp.sum(p, axis=-1) - xp.sum((p @ units) * units[q], axis=-1)
        return xp.where(nowhere[q], cost - own, cost)
    cost = xp.sum(p, axis=-1) - xp.sum((p @ units) * (q @ units), axis=-1)
    return cost - xp.sum(xp.where(nowhere, p * q, 0.0), axis=-1)


def bias_and_variance(probabilities: ArrayLike, targets: ArrayLike, embeddings: ArrayLike) -> BiasVariance:
    r"""Return the two parts of a transport cost, of which it is the sum.

    .. math:: \sum_i p_i c_{it} = \tfrac12 \lVert \bar e - \hat e_t\rVert^2
              + \tfrac12 \sum_i p_i \lVert \hat e_i - \bar e\rVert^2 .

    The first is a kernel score of [gneiting2007]_, whose expectation the truth itself makes least; the second rewards
    a prediction for being narrow, whatever the truth is.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (..., n_tokens)
    targets : array-like or Tensor of shape (...)
        Integers.
    embeddings : array-like or Tensor of shape (n_tokens, n_features)
        As in `transport_cost`, but no row of zeros, which has no direction.

    Returns
    -------
    BiasVariance

    Raises
    ------
    ValueError, TypeError
        As `transport_cost`, and if a row is zero or the truth is spread.

    Examples
    --------
    >>> from locmethods.emo import bias_and_variance
    >>> parts = bias_and_variance([0.5, 0.5], 0, [[1.0, 0.0], [-1.0, 0.0]])
    >>> parts.bias.item(), parts.variance.item()  # the mean is the origin
    (0.5, 0.5)
    """
    p, t, units = as_prediction_of_tokens(probabilities, targets, embeddings)
    xp = namespace(p)
    check_directions(units)
    mean = p @ units
    bias = 0.5 * xp.sum((mean - units[t]) ** 2, axis=-1)
    # Σ p ‖ê − ē‖² by its own formula, without a difference of near numbers: ‖ê − ē‖² = 1 − 2⟨ê, ē⟩ + ‖ē‖² would lose
    # its digits where all mass is near one place, and the array of all differences would be n_features times larger.
    flat_p, flat_mean = p.reshape(-1, p.shape[-1]), mean.reshape(-1, mean.shape[-1])
    each = [0.5 * xp.sum(row[:, None] * (units - one) ** 2) for row, one in zip(flat_p, flat_mean, strict=True)]
    variance = xp.stack(each).reshape(p.shape[:-1]) if each else bias
    return BiasVariance(bias, variance)


def medoid(probabilities: ArrayLike, embeddings: ArrayLike) -> Array:
    r"""Return the token from which all others are nearest on average, :math:`\arg\min_i \sum_j P_j c_{ij}`.

    It is the token whose direction is nearest the mean direction, :math:`\arg\max_i \langle \hat e_i, \bar e\rangle`,
    and what a prediction ends at that is trained by transport alone. Of equals it is the first.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (..., n_tokens)
        P: not negative, with sums of one.
    embeddings : array-like or Tensor of shape (n_tokens, n_features)
        Only their directions count.

    Returns
    -------
    integer ndarray or Tensor of shape (...)

    Raises
    ------
    ValueError
        If a shape does not fit, a probability is negative, or a sum is not one.

    Examples
    --------
    >>> from locmethods.emo import medoid
    >>> medoid([0.4, 0.2, 0.4], [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]).item()  # the rarest is between the others
    1
    """
    p, units = as_probabilities("probabilities", probabilities), as_embeddings(embeddings)
    check_vocabulary(p, units)
    p, units = together(p, units)
    return namespace(p).argmin(expected_costs(p, units), axis=-1)


def neighbor_mass(probabilities: ArrayLike, targets: ArrayLike, embeddings: ArrayLike, *,
                  n_neighbors: int = 5) -> np.ndarray:
    """Return the mass that a prediction puts on the nearest neighbours of the truth, which is not one of them.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (..., n_tokens)
    targets : array-like or Tensor of shape (...)
        Integers.
    embeddings : array-like or Tensor of shape (n_tokens, n_features)
        Nearness is the cosine; of tokens equally near, those with lower numbers come first.
    n_neighbors : int, default=5
        Less than the number of tokens.

    Returns
    -------
    ndarray of shape (...)
        From 0 to 1.

    Raises
    ------
    ValueError, TypeError
        As `transport_cost`, and if the truth is spread or there are not so many neighbours.

    Examples
    --------
    >>> from locmethods.emo import neighbor_mass
    >>> embeddings = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]
    >>> neighbor_mass([0.5, 0.25, 0.25], 0, embeddings, n_neighbors=1).item()
    0.25
    """
    check_count("n_neighbors", n_neighbors, 1)
    found = as_prediction_of_tokens(probabilities, targets, embeddings)
    # NumPy has no bfloat16.
    p, t, units = (to_numpy(one.float() if str(one.dtype) == "torch.bfloat16" else one) for one in found)
    if n_neighbors >= len(units):
        raise ValueError(f"n_neighbors must be less than the number of tokens, {len(units)}, got {n_neighbors}")
    asked, place = np.unique(t, return_inverse=True)
    near = np.empty((len(asked), n_neighbors), dtype=np.intp)
    for rows in slices(len(asked), max(1, BLOCK // len(units))):
        cosine = units[asked[rows]] @ units.T
        cosine[np.arange(len(cosine)), asked[rows]] = -np.inf
        near[rows] = np.argsort(-cosine, axis=1, kind="stable")[:, :n_neighbors]
    return np.take_along_axis(p, near[place.reshape(t.shape)], axis=-1).sum(-1)


def expected_costs(p, units):
    """Return Σⱼ Pⱼ cᵢⱼ for each token i, of shape (..., n_tokens)."""
    xp = namespace(p)
    costs = xp.sum(p, axis=-1)[..., None] - (p @ units) @ matrix_transpose(units)
    return xp.where((units == 0).all(-1), costs - p, costs)


def as_prediction(probabilities, targets, embeddings):
    """Return probabilities, targets (integers, or probabilities of the same shape) and directions of one kind."""
    p, units = as_probabilities("probabilities", probabilities), as_embeddings(embeddings)
    check_vocabulary(p, units)
    p, units = together(p, units)
    t = as_targets(targets, p)
    return p, (t if t.shape != p.shape else together(p, t)[1]), units


def as_prediction_of_tokens(probabilities, targets, embeddings):
    """Return the same where each position has one true token, or raise ValueError."""
    p, t, units = as_prediction(probabilities, targets, embeddings)
    if t.shape == p.shape:
        raise ValueError(f"targets must be integers of shape {tuple(p.shape[:-1])}, got probabilities")
    return p, t, units


def as_probabilities(name, value):
    """Return floating rows that are not negative and have a sum of one, or raise ValueError."""
    value = as_array(name, value)
    if value.ndim < 1 or not value.shape[-1]:
        raise ValueError(f"{name} must have shape (..., n_tokens), got {tuple(value.shape)}")
    low, sums = value.min() if value.size else 0.0, namespace(value).sum(value, axis=-1)
    if low < 0:
        raise ValueError(f"{name} must not be negative, got {float(low):g}")
    off = abs(sums - 1).reshape(-1)
    if len(off) and off.max() > OFF:
        raise ValueError(f"{name} must have rows whose sum is one, got {float(sums.reshape(-1)[int(off.argmax())]):g}")
    return value


def as_targets(targets, p):
    """Return targets of a prediction as integers in its kind, or as probabilities where they are floating."""
    shape, n_tokens = tuple(p.shape[:-1]), p.shape[-1]
    values = targets if is_tensor(targets) else np.asarray(targets)
    kind = to_numpy(values[..., :0] if values.ndim else values).dtype.kind
    if kind == "f":
        return as_probabilities_of("targets", targets, p)
    if kind not in "iu":
        raise TypeError(f"targets must be integers, or probabilities, got dtype {values.dtype}")
    if tuple(values.shape) != shape:
        raise ValueError(f"targets must have shape {shape}, one token a position, got {tuple(values.shape)}")
    lowest, highest = (int(values.min()), int(values.max())) if 0 not in shape else (0, 0)
    if lowest < 0 or highest >= n_tokens:
        raise ValueError(f"targets must be from 0 to {n_tokens - 1}, got values from {lowest} to {highest}")
    if not is_tensor(p):
        return to_numpy(values)
    import torch

    return to_tensor(values).to(p.device, torch.int64)


def as_probabilities_of(name, value, p):
    """Return probabilities of the shape of a prediction."""
    found = as_probabilities(name, value)
    if found.shape != p.shape:
        raise ValueError(f"{name} must be integers of shape {tuple(p.shape[:-1])} or probabilities of shape "
                         f"{tuple(p.shape)}, got probabilities of shape {tuple(found.shape)}")
    return found


def as_embeddings(embeddings):
    """Return embeddings at length one; a row of zeros stays."""
    embeddings = as_array("embeddings", embeddings)
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(f"embeddings must have shape (n_tokens, n_features), got {tuple(embeddings.shape)}")
    return directions(embeddings)


def directions(embeddings):
    """Return the rows of a matrix at length one, zeros where a row is zero; its gradient is finite there too."""
    xp = namespace(embeddings)
    largest = xp.max(abs(embeddings), axis=1, keepdims=True)  # first scaled, so that no square overflows or vanishes
    scaled = embeddings / xp.where(largest > 0, largest, 1.0)
    square = xp.sum(scaled * scaled, axis=1, keepdims=True)
    return scaled / xp.sqrt(xp.where(square > 0, square, 1.0))


def check_vocabulary(p, units):
    """Raise ValueError unless there is an embedding for each column."""
    if p.shape[-1] != len(units):
        raise ValueError(f"probabilities must have {len(units)} columns, one for each embedding, got {p.shape[-1]}")


def check_directions(units):
    """Raise ValueError if a row has no direction."""
    nowhere = to_numpy((units == 0).all(-1))
    if nowhere.any():
        raise ValueError(f"embeddings must have no row of zeros, which has no direction, got {int(nowhere.sum())}, "
                         f"the first of them row {int(nowhere.argmax())}")


def one_of_each(p, t):
    """Return p[..., t] of each position."""
    if is_tensor(p):
        return p.gather(-1, t[..., None])[..., 0]
    return np.take_along_axis(p, t[..., None], axis=-1)[..., 0]


def together(one, other):
    """Return two arrays of one kind, floating type and place: tensors if one is."""
    if not (is_tensor(one) or is_tensor(other)):
        dtype = np.promote_types(one.dtype, other.dtype)
        return one.astype(dtype, copy=False), other.astype(dtype, copy=False)
    import torch

    device = one.device if is_tensor(one) else other.device
    one, other = to_tensor(one).to(device), to_tensor(other).to(device)
    dtype = torch.promote_types(one.dtype, other.dtype)
    return one.to(dtype), other.to(dtype)
