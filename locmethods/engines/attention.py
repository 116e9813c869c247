"""Exponentials of a bilinear form by torch's attention: scores, weights and sums in one pass, with batches and masks.

exp(q·k/τ) is attention as it stands. The Gaussian becomes it with one more coordinate: −‖q − k‖²/2h² is
(q/h)·(k/h) − ‖k/h‖²/2 and a term that all keys share, which no mean sees. torch's fast route asks for queries, keys
and values with equally many features; zeros that are appended change nothing. Attention gives means: this engine serves
who asks for a mean, and of tensors only.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from locmethods.arrays.namespace import is_tensor
from locmethods.engines.native import engine as native
from locmethods.engines.task import Plan
from locmethods.kernels import Exponential, Gaussian

NAME = "attention"
KINDS = (Exponential, Gaussian)
PAIRS = 1 << 16  # fewer are done before attention has begun
LEAST = 16  # coordinates; with fewer its float32 sums over 20,000 keys were off by 2e-5, with these by 1e-6
# Where the compiled loops serve too, attention is faster if it need not append zeros.
FEATURES = 16
LARGEST = 1e15  # numbers beyond might overflow in float32


class Work(NamedTuple):
    """What attention is given.

    Attributes
    ----------
    query, keys : Tensor
        Their product is the score, up to `scale` and to what all keys of a query share.
    scale : float
    dtype : torch.dtype
    mask : boolean Tensor or None
    """

    query: Any
    keys: Any
    scale: float
    dtype: Any
    mask: Any


def plan(task):
    """Return the `Plan`, or why attention does not serve."""
    if not is_tensor(task.values):
        return "attention is torch's, and the arrays are NumPy's"
    if task.grad:
        return "the answer is part of a graph"
    term = task.bound.term()
    if term is None or len(term.factors) != 1 or term.factors[0].kind not in KINDS or term.hollow:
        return "the kernel is not a single exponential of a bilinear form"
    if task.pairs < PAIRS:
        return f"{task.pairs:,} pairs are too few to repay it"
    factor = term.factors[0]
    features, outputs = factor.query.shape[-1], task.values.shape[-1]
    if not isinstance(native.plan(task), str) and not (
            factor.kind is Exponential and features == outputs >= FEATURES):
        return "compiled loops are faster"
    work = _work(task, term, factor)
    if isinstance(work, str):
        return work
    size = {4: 4, 8: 8}[work.dtype.itemsize]
    width = max(LEAST, work.query.shape[-1], outputs)
    memory = size * width * (task.bound.shape[-2] + 2 * task.bound.shape[-1]) * math.prod(task.bound.shape[:-2])
    return Plan(NAME, f"torch's attention in {str(work.dtype).removeprefix('torch.')}", work, task.pairs, 1, memory)


def _work(task, term, factor):
    """Return the `Work`, or why rounding might show."""
    import torch

    from locmethods.engines.native.products import ALLOWED

    query, keys = factor.query, factor.keys
    if factor.kind is Exponential:
        scale, keys = 1 / factor.length, keys - keys[..., :1, :]
    else:
        centre, scale = keys.mean(-2, keepdim=True), 1.0
        query, keys = (query - centre) / factor.length, (keys - centre) / factor.length
        keys = torch.cat([keys, -0.5 * keys.square().sum(-1, keepdim=True)], -1)
        query = torch.cat([query, torch.ones_like(query[..., :1])], -1)
    largest = scale * float(query.square().sum(-1).max().sqrt() * keys.square().sum(-1).max().sqrt())
    dtype = next((kind for kind in ((torch.float32, torch.float64) if task.itemsize < 8 else (torch.float64,))
                  if torch.finfo(kind).eps / 2 * largest <= ALLOWED[kind.itemsize]), None)
    if dtype is None or not max(largest, float(task.values.abs().max())) < LARGEST:
        return "rounding of its products might show"
    return Work(query, keys, scale, dtype, term.mask)


def mean(task, plan):
    """Return the local mean, and where nothing is in reach.

    Returns
    -------
    mean : Tensor of shape (*batch, n_queries, n_outputs)
    nothing : boolean Tensor of shape (*batch, n_queries)
    """
    import torch

    work, values, shape = plan.work, task.values, task.bound.shape
    width, batch = max(LEAST, work.query.shape[-1], values.shape[-1]), shape[:-2]

    def ready(part):
        part = torch.nn.functional.pad(part.to(work.dtype), (0, width - part.shape[-1]))
        return part.expand(*batch, *part.shape[-2:]).reshape(-1, 1, *part.shape[-2:])

    mask = work.mask
    nothing = torch.zeros(shape[:-1], dtype=torch.bool, device=values.device)
    if mask is not None:
        nothing = nothing | ~mask.any(-1)
        mask = mask.expand(*batch, *mask.shape[-2:]).reshape(-1, 1, *mask.shape[-2:])
    found = torch.nn.functional.scaled_dot_product_attention(ready(work.query), ready(work.keys), ready(values),
                                                             attn_mask=mask, scale=work.scale)
    return found[..., :values.shape[-1]].reshape(*shape[:-1], -1).to(values.dtype), nothing
