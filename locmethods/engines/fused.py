"""Exponentials of a bilinear form by torch's attention: scores, weights and sums in one pass, with batches and masks.

exp(q·k/τ) is attention as it stands. The Gaussian becomes it with one more coordinate: −‖q − k‖²/2h² is
(q/h)·(k/h) − ‖k/h‖²/2 and a term that all keys share, which no mean sees. torch's fast route asks for queries, keys
and values with equally many features; zeros that are appended change nothing.
"""

from __future__ import annotations

import math

from locmethods.engines.native import compiled

KINDS = ("Exponential", "Gaussian")
PAIRS = 1 << 16  # fewer are done before attention has begun
LEAST = 16  # coordinates; with fewer its float32 sums over 20,000 keys were off by 2e-5, with these by 1e-6
# Where the compiled loops serve too, attention is faster if it need not append zeros.
FEATURES = 16


def serves(bound, values):
    """Return True if attention computes this local mean, and is the fastest way to it."""
    if bound.formula is None or bound.formula.kind not in KINDS or bound.formula.hollow or bound.grad:
        return False
    if math.prod(bound.shape) < PAIRS or not values.shape[-1]:
        return False
    if not compiled.serves(bound, values):
        return True
    features = bound.points[0].shape[-1]
    return bound.formula.kind == "Exponential" and features == values.shape[-1] >= FEATURES


def mean(bound, values, itemsize):
    """Return the local mean, and where nothing is in reach; None if rounding might show.

    Parameters
    ----------
    bound : Bound
        One that `serves` accepts.
    values : Tensor of shape (*batch, n_keys, n_outputs)
    itemsize : int
        Bytes of the answer's floating type.

    Returns
    -------
    mean : Tensor of shape (*batch, n_queries, n_outputs)
    nothing : boolean Tensor of shape (*batch, n_queries)
    """
    import torch

    kernel, (query, keys) = bound.formula, bound.points
    if kernel.kind == "Exponential":
        centre, scale = keys[..., :1, :], 1 / kernel.length
        query, keys = query, keys - centre
    else:
        centre, scale = keys.mean(-2, keepdim=True), 1.0
        query, keys = (query - centre) / kernel.length, (keys - centre) / kernel.length
        keys = torch.cat([keys, -0.5 * keys.square().sum(-1, keepdim=True)], -1)
        query = torch.cat([query, torch.ones_like(query[..., :1])], -1)
    largest = scale * float(query.square().sum(-1).max().sqrt() * keys.square().sum(-1).max().sqrt())
    dtype = next((kind for kind in ((torch.float32, torch.float64) if itemsize < 8 else (torch.float64,))
                  if torch.finfo(kind).eps / 2 * largest <= compiled.ALLOWED[kind.itemsize]), None)
    if dtype is None or not max(largest, float(values.abs().max())) < 1e15:
        return None
    width, batch = max(LEAST, query.shape[-1], values.shape[-1]), bound.shape[:-2]

    def ready(part):
        part = torch.nn.functional.pad(part.to(dtype), (0, width - part.shape[-1]))
        return part.expand(*batch, *part.shape[-2:]).reshape(-1, 1, *part.shape[-2:])

    mask = bound.allowed
    nothing = torch.zeros(bound.shape[:-1], dtype=torch.bool, device=values.device)
    if mask is not None:
        nothing = nothing | ~mask.any(-1)
        mask = mask.expand(*batch, *mask.shape[-2:]).reshape(-1, 1, *mask.shape[-2:])
    found = torch.nn.functional.scaled_dot_product_attention(ready(query), ready(keys), ready(values), attn_mask=mask,
                                                             scale=scale)
    return found[..., :values.shape[-1]].reshape(*bound.shape[:-1], -1).to(values.dtype), nothing
