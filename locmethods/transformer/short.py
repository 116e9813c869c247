"""Short sequences, of which a head may hold every weight: a few hundred tokens, in float32 or less.

`locmethods.local_mean` holds no matrix of all pairs, and for that computes each weight three times where gradients are
asked for. A matrix of a few hundred tokens is small, so here it is held, and autograd does the rest. Distances and
inner products are computed in float64; from there on float32 is exact enough.
"""

from __future__ import annotations

import math

import torch

from locmethods.kernels import Radial
from locmethods.transformer.features import FeatureKernel

PAIRS = 1 << 16  # of one head's tokens: 256 by 256
ALL_PAIRS = 1 << 22  # of all heads and sequences: 32 MiB for the matrix of distances
# ‖q‖² + ‖k‖² − 2 q·k is off by a few 2⁻⁵³ of the squares. While these are less than 2²⁶ squared lengths of the kernel,
# u² is off by less than 2⁻²⁴, a rounding of float32.
LARGEST = 1 << 13  # the largest norm, in lengths of the kernel


def short_means(query, keys, values, kernel, allowed, bias):
    """Return each head's local mean, or None where the matrix of weights should not be held.

    Parameters
    ----------
    query, keys, values : Tensor of shape (..., n, d)
    kernel : Kernel
    allowed : boolean Tensor that broadcasts to (..., n_queries, n_keys), or None
    bias : Tensor of that kind, or None
        Added to log K, finite.

    Returns
    -------
    Tensor of shape (..., n_queries, d), or None
        A query with no key in reach gets the mean over its nearest keys, one that may attend to nothing zeros.
    """
    pairs = query.shape[-2] * keys.shape[-2]
    every_pair = pairs * math.prod(query.shape[:-2])
    if query.dtype == torch.float64 or pairs > PAIRS or not 0 < every_pair <= ALL_PAIRS:
        return None
    if isinstance(kernel, Radial) and not kernel.closed:
        found = _radial(query.double(), keys.double(), kernel)
        if found is None:
            return None
        log, distance = found
    elif kernel.form == "inner product" or isinstance(kernel, FeatureKernel):
        every = slice(0, query.shape[-2]), slice(0, keys.shape[-2])
        bound = kernel.bind(query.double(), keys.double())
        log, distance = bound.log(*every).float(), None
    else:
        return None
    if bias is not None:
        log = log + bias
    if allowed is not None:
        log = log.masked_fill(~allowed, -math.inf)
    nothing = log.detach().amax(-1, keepdim=True) == -math.inf
    if not bool(nothing.any()):
        return log.softmax(-1).to(values.dtype) @ values
    distance = bound.gap(*every) if distance is None else distance
    log = _nearest_instead(log, nothing, distance, allowed)
    return log.softmax(-1).nan_to_num(0.0).to(values.dtype) @ values


def _radial(query, keys, kernel):
    """Return log K and ‖q − k‖² for all pairs, or None if norms are so large that their squares would not do."""
    centre = keys.detach().mean(-2, keepdim=True)
    query, keys = query - centre, keys - centre
    ours, theirs = query.square().sum(-1, keepdim=True), keys.square().sum(-1, keepdim=True)
    largest = float(torch.maximum(ours.detach().max(), theirs.detach().max()))
    if not largest < (LARGEST * kernel.length) ** 2:
        return None
    square = (ours + theirs.mT - 2 * query @ keys.mT).clamp(min=0.0)
    parameters = kernel.get_params(deep=False)
    compact = "radius" in parameters
    u2 = (square / parameters["radius" if compact else "bandwidth"] ** 2).float()
    if not compact:
        return kernel.log_profile(u2, torch), square
    inside = u2 < 1
    log = kernel.log_profile(torch.where(inside, u2, 0.0), torch)
    return torch.where(inside, log, -math.inf), square


def _nearest_instead(log, nothing, distance, allowed):
    """Return log K, where nothing is in reach that of the nearest keys alone; nothing if nothing is allowed."""
    distance = distance.detach()
    if allowed is not None:
        distance = distance.masked_fill(~allowed, math.inf)
    least = distance.amin(-1, keepdim=True)
    nearest = (distance <= least) & (distance < math.inf)
    return torch.where(nothing, torch.where(nearest, 0.0, -math.inf).to(log.dtype), log)
