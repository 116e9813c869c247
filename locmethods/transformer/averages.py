"""What a head computes: the local mean of values under a kernel of projected queries and keys.

The exponential kernel and the Gaussian go through torch's fused attention: −‖q − k‖²/2h² is an inner product with one
coordinate more, and a term that all keys share. Every other kernel goes through `locmethods.local_mean`, which holds no
matrix of all pairs.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from locmethods.arrays.checks import nothing_in_reach
from locmethods.kernels import Exponential, Gaussian
from locmethods.means import local_mean
from locmethods.transformer.bias import Bias, as_weights
from locmethods.transformer.features import FeatureKernel, linear_attention
from locmethods.transformer.short import short_means

LONG = 1 << 17  # pairs of one head of one sequence, from which compiled loops repay a call for each


def head_means(query, keys, values, *, kernel, mask=None, causal=False, dropout=0.0, empty="nearest"):
    """Return the local mean of each head, without its weights.

    Parameters
    ----------
    query : Tensor of shape (..., n_queries, d)
    keys : Tensor of shape (..., n_keys, d)
    values : Tensor of shape (..., n_keys, d)
    kernel : Kernel
    mask : Tensor that broadcasts to (..., n_queries, n_keys), optional
        Boolean (True means: may attend), or floating: added to the logarithm of the kernel, −inf forbids.
    causal : bool
        Whether query i may attend to keys 0 … i only; then there is no mask.
    dropout : float
        Share of weights that are dropped, the others being raised; other kernels then hold all weights.
    empty : {"nearest", "nan", "mean", "raise"}
        What a query without a key in reach gets, as in `MultiHeadLocalMean`.

    Returns
    -------
    Tensor of shape (..., n_queries, d)
    """
    if type(kernel) is Exponential:
        query, scale = _exponent(query, kernel.temperature)
        means = functional.scaled_dot_product_attention(query, keys, values, mask, dropout, causal, scale=scale)
        return _with_empty(means, mask, values, empty)
    if type(kernel) is Gaussian:
        means = _gaussian(query, keys, values, kernel, mask, causal, dropout)
        return _with_empty(means, mask, values, empty)
    in_pairs = not causal or query.shape[-2] == keys.shape[-2]
    if type(kernel) is FeatureKernel and dropout == 0 and in_pairs and (mask is None or _of_keys_alone(mask)):
        return _linear(query, keys, values, kernel, mask, causal, empty)
    if dropout > 0:
        weights = head_weights(query, keys, kernel=kernel, mask=mask, causal=causal, empty=empty)
        return functional.dropout(weights, dropout) @ values
    return _local(query, keys, values, kernel, mask, causal, empty)


def head_weights(query, keys, *, kernel, mask=None, causal=False, empty="nearest"):
    """Return the weights of each head's local mean, of shape (..., n_queries, n_keys); parameters as `head_means`."""
    if type(kernel) not in (Exponential, Gaussian):
        each = torch.eye(keys.shape[-2], dtype=keys.dtype, device=keys.device)
        each = each.expand(*keys.shape[:-2], *each.shape)
        return _local(query, keys, each, kernel, mask, causal, empty)
    if type(kernel) is Exponential:
        query, scale = _exponent(query, kernel.temperature)
    else:
        (query, keys), scale = _bilinear(query, keys, kernel.bandwidth), 1.0
    scores = scale * query @ keys.mT
    if causal:
        mask = lower_triangle(scores.shape[-2:], scores.device)
    if mask is None:
        return scores.softmax(-1)
    nothing = _without_keys(mask)
    if mask.is_floating_point():
        scores = scores + mask.masked_fill(nothing, 0.0)
    else:
        scores = scores.masked_fill(~(mask | nothing), -math.inf)
    weights = scores.softmax(-1).masked_fill(nothing, 0.0)
    uniform = torch.eye(keys.shape[-2], dtype=keys.dtype, device=keys.device)
    return weights if empty == "nearest" else _with_empty(weights, mask, uniform, empty)


def no_means(query, values, empty):
    """Return what `empty` says of the queries where there are no keys at all, in the place of means."""
    nobody = torch.zeros(query.shape[-2], 0, dtype=torch.bool, device=query.device)
    return _with_empty(query.new_zeros(*query.shape[:-1], values.shape[-1]), nobody, values, empty)


def lower_triangle(shape, device):
    """Return a boolean matrix that is True where the column is no later than the row."""
    return torch.ones(shape, dtype=torch.bool, device=device).tril()


def _exponent(query, temperature):
    """Return queries and the scale of their products with keys; a temperature that learns goes into the queries."""
    if isinstance(temperature, torch.Tensor):
        return query / temperature.to(query.dtype), 1.0
    return query, 1 / float(temperature)


def _bilinear(query, keys, bandwidth):
    """Return queries and keys whose inner products are −‖q − k‖²/2h², up to what all keys of a query share."""
    centre = keys.detach().mean(-2, keepdim=True)  # of large numbers that differ little, more digits are left
    query, keys = (query - centre) / bandwidth, (keys - centre) / bandwidth
    keys = torch.cat([keys, -0.5 * keys.square().sum(-1, keepdim=True)], -1)
    return torch.cat([query, torch.ones_like(query[..., :1])], -1), keys


def _gaussian(query, keys, values, kernel, mask, causal, dropout):
    """Return attention under a Gaussian kernel; half precision would lose the squared norms, and is widened."""
    dtype = values.dtype
    wide = torch.promote_types(dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, keys = _bilinear(query.to(wide), keys.to(wide), kernel.bandwidth)
        values = functional.pad(values.to(wide), (0, 1))  # as many columns as the keys: the fused route asks for it
        mask = mask.to(wide) if mask is not None and mask.is_floating_point() else mask
        means = functional.scaled_dot_product_attention(query, keys, values, mask, dropout, causal, scale=1.0)
    return means[..., :-1].to(dtype)


def _of_keys_alone(mask):
    """Return whether a mask is boolean, and says the same for all queries."""
    return not mask.is_floating_point() and mask.ndim > 1 and mask.shape[-2] == 1


@torch.compiler.disable
def _linear(query, keys, values, kernel, mask, causal, empty):
    """Return linear attention; a key that is left out has no features, and a query that meets none asks them all."""
    def features(points):
        found = kernel.features(points)
        return found if mask is None or points is not keys else found * mask.mT

    means = linear_attention(query, keys, values, features=features, causal=causal)
    out_of_reach = means.detach().isnan().any(-1, keepdim=True)
    if bool((out_of_reach if mask is None else out_of_reach & ~_without_keys(mask)).any()):
        return _local(query, keys, values, kernel, mask, causal, empty)
    if mask is None:
        return means
    return _with_empty(means.masked_fill(_without_keys(mask), 0.0), mask, values, empty)


@torch.compiler.disable
def _local(query, keys, values, kernel, mask, causal, empty):
    """Return `local_mean` under a kernel and a mask."""
    if causal:
        mask = lower_triangle((query.shape[-2], keys.shape[-2]), query.device)
    allowed, bias = as_weights(mask)
    if empty == "nearest":
        means = short_means(query, keys, values, kernel, allowed, bias)
        if means is not None:
            return means
    kernel = kernel if bias is None else kernel * Bias(bias)
    if mask is None and query.shape[-2] * keys.shape[-2] >= LONG:
        return _one_by_one(query, keys, values, kernel, empty)
    if allowed is None:
        return local_mean(query, keys, values, kernel=kernel, empty=empty)
    # Who may attend to nothing is asked without the mask, and gets what `empty` says afterwards.
    means = local_mean(query, keys, values, kernel=kernel.where(allowed | _without_keys(allowed)), empty=empty)
    means = means.masked_fill(_without_keys(allowed), 0.0)
    return _with_empty(means, allowed, values, empty)


def _one_by_one(query, keys, values, kernel, empty):
    """Return the local means of each head of each sequence by itself: compiled loops take no batches."""
    heads = zip(*(part.flatten(0, -3) for part in (query, keys, values)), strict=True)
    means = [local_mean(*head, kernel=kernel, empty=empty) for head in heads]
    return torch.stack(means).reshape(*query.shape[:-1], values.shape[-1])


def _without_keys(mask):
    """Return which queries a mask leaves no key, of shape (..., n_queries, 1)."""
    allowed = mask > -math.inf if mask.is_floating_point() else mask
    return ~allowed.any(-1, keepdim=True)


def _with_empty(means, mask, values, empty):
    """Return the means with what `empty` says for queries that a mask leaves no key; zeros are there already."""
    if mask is None or empty == "nearest":
        return means
    nothing = _without_keys(mask)
    if empty == "nan":
        return means.masked_fill(nothing, math.nan)
    if empty == "mean":
        return torch.where(nothing, values.mean(-2, keepdim=True), means)
    if bool(nothing.any()):
        raise nothing_in_reach(int(nothing.reshape(-1, nothing.shape[-2]).any(0).nonzero()[0]))
    return means
