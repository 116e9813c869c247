"""Gradients of the sums Σ K v and Σ K, in queries, keys, values and the kernel's parameters, in O(n·d) memory.

Forward, the engines sum without a graph. With log-weights sᵢⱼ and a scale Sᵢ that counts as a constant,
Nᵢ = Σⱼ exp(sᵢⱼ − Sᵢ) vⱼ and Tᵢ = Σⱼ exp(sᵢⱼ − Sᵢ), a loss with slopes gᵢ = ∂/∂Nᵢ and hᵢ = ∂/∂Tᵢ has

    ∂/∂vⱼ = Σᵢ exp(sᵢⱼ − Sᵢ) gᵢ   and   ∂/∂sᵢⱼ = exp(sᵢⱼ − Sᵢ) (gᵢ·vⱼ + hᵢ),

so backward each block of scores is computed again, on leaves of its own, and carries its slopes to them. Of products
of kernels of the distance compiled loops give the same numbers (`native.backward`), where pairs are many.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from locmethods.arrays.namespace import like, slices
from locmethods.engines import pruned
from locmethods.engines.blocked import FAR, FLOOR
from locmethods.engines.far import AnchoredBound, references
from locmethods.engines.native import backward
from locmethods.engines.task import Sums
from locmethods.kernels.bound import block

# Pairs per block: a handful of temporaries of 2 MiB each stay in a processor's cache, while what some hundred calls
# into torch cost is small beside what they do.
PAIRS = 1 << 18
MEMORY = 8 * 8 * PAIRS


def differentiable_sums(task, forward) -> Sums:
    """Return Σ K v and Σ K for every query, in the graph of autograd.

    Parameters
    ----------
    task : Task
    forward : callable
        ``forward(task)`` sums without a graph.

    Returns
    -------
    Sums
        ``log_scale`` carries a gradient only where scores are relative to a reference.
    """
    bound = task.bound
    if bound.centred:
        sums = _relative(task, torch.arange(bound.shape[-2], device=bound.like.device), None, forward)
    else:
        sums = _sums(task, forward)
    if not bound.anchored or bound.signed:
        return sums
    with torch.no_grad():
        far = (sums.log_total < FAR[8]) & (sums.log_scale > -math.inf)
        if not bool(far.any()):
            return sums
        index = torch.nonzero(far.reshape(-1, far.shape[-1]).any(0)).squeeze(-1)  # rows far in some batch
        reference = references(bound, index, PAIRS)
    again = _relative(task, index, reference, forward)
    if len(index) == far.shape[-1]:
        return again
    numerator = sums.numerator.index_copy(-2, index, again.numerator)
    return Sums(numerator, *(old.index_copy(-1, index, new) for old, new in zip(sums[1:], again[1:], strict=True)))


def _relative(task, index, reference, forward):
    """Return the sums of the queries `index`, with scores relative to a reference."""
    bound = AnchoredBound(task.bound, index, reference)
    sums = _sums(task._replace(bound=bound), forward)
    return sums._replace(log_scale=sums.log_scale + bound.offsets())


def _sums(task, forward):
    """Return the sums with a graph to every tensor with a gradient that the kernel's log-weights take."""
    bound = task.bound
    found = {id(tensor): tensor for tensor in taken(bound)}
    known = {id(tensor): tensor.detach() for tensor in found.values()}
    rest = bound.log(slice(0, 0), slice(0, 0), lambda tensor, index=None: block(known.get(id(tensor), tensor), index))
    if rest.requires_grad:
        raise ValueError(f"{bound!r} uses tensors that require gradients and are none of its parameters: name them in "
                         "its __init__ and keep them as attributes of the same names, so that they can learn")
    return Sums(*_BlockwiseSums.apply(forward, task, task.values, *found.values()))


def without_graph(answer, task):
    """Return what an engine answers to the task of the forward pass."""
    with torch.no_grad():
        return answer(task._replace(grad=False, values=task.values.detach()))


def taken(bound):
    """Return the tensors with a gradient that a kernel's log-weights take; some may stand there more than once."""
    found = []

    def note(tensor, index=None):
        if getattr(tensor, "requires_grad", False):
            found.append(tensor)
        return block(tensor, index)

    bound.log(slice(0, 0), slice(0, 0), note)  # an empty block asks for the same tensors as any other
    return found


class _BlockwiseSums(torch.autograd.Function):
    """Σ K v, Σ K and their scale, as functions of the values and of all tensors that the scores depend on."""

    @staticmethod
    def forward(ctx, forward, task, values, *tensors):
        """Return the three parts of `Sums`; the scale is a constant."""
        sums = without_graph(forward, task)
        # The tensors themselves too, since a caller's own checkpoint gives back others of the same content.
        ctx.task, ctx.tensors = task, (values, *tensors)
        ctx.save_for_backward(sums.log_scale, values, *tensors)
        ctx.mark_non_differentiable(sums.log_scale)
        return tuple(sums)

    @staticmethod
    def backward(ctx, numerator, total, _):
        """Return the gradients, given the slopes of the first two parts."""
        scale, values, *tensors = ctx.saved_tensors[0], *ctx.tensors  # type: ignore[misc]
        wanted = [values if ctx.needs_input_grad[2] else None, *tensors]
        scale = torch.where(scale == -math.inf, 0.0, scale).unsqueeze(-1)  # −inf − (−inf) is not a number
        if torch.is_grad_enabled():
            return None, None, *_in_graph(ctx.task.bound, values, wanted, scale, numerator, total)
        route, found = backward.route_of(ctx.task, tensors), None
        if route is not None:
            found = backward.gradients(route, values, wanted, scale, numerator, total)
        if found is None:
            found = _by_blocks(ctx.task, values, wanted, scale, numerator, total)
        return None, None, *found


def _by_blocks(task, values, wanted, scale, numerator, total):
    """Return the gradients in the tensors `wanted`, of which the first are the values; None for None."""
    bound, term = task.bound, task.bound.term()
    if term is not None and term.neighbors is not None and term.mask is None and len(wanted) == 1:
        return [_neighbor_gradient(term.neighbors, values, numerator)]
    gradients = [None if tensor is None else torch.zeros_like(tensor) for tensor in wanted]
    leaves = _Leaves(wanted[1:], gradients[1:])
    ends = torch.cat([numerator, total.unsqueeze(-1)], -1)  # (*batch, n_queries, n_outputs + 1)
    columns = torch.cat([values, torch.ones_like(values[..., :1])], -1).mT.contiguous()
    for rows, cols in _blocks(task):
        with torch.enable_grad():
            score = bound.log(rows, cols, leaves.take)
        # Below exp(FLOOR) numbers are denormal: slow, and nothing beside the weights that count.
        weight = torch.nn.functional.threshold_(score.detach() - block(scale, rows), FLOOR, -math.inf).exp_()
        if bound.signed:
            weight *= bound.sign(rows, cols)
        if gradients[0] is not None:
            here = gradients[0][..., cols, :]
            gradients[0][..., cols, :] = here + (weight.mT @ block(numerator, rows)).sum_to_size(here.shape)
        leaves.gather(score, weight.mul_(block(ends, rows) @ columns[..., cols]))
    return gradients


def _neighbor_gradient(neighbors, values, numerator):
    """Return the gradient in the values of a kernel that is one for each query's neighbours, zero for the others."""
    gradient = numerator.new_zeros((*numerator.shape[:-2], *values.shape[-2:]))
    for rows in slices(neighbors.shape[-2], max(1, PAIRS // neighbors.shape[-1])):
        index = neighbors[..., rows, :].flatten(-2).unsqueeze(-1)
        slope = block(numerator, rows).repeat_interleave(neighbors.shape[-1], -2)
        gradient.scatter_add_(-2, index.expand_as(slope), slope)
    return gradient.sum_to_size(values.shape)


class _Leaves:
    """Blocks of the tensors of a kernel as leaves of one block's graph; what they receive is added up here."""

    def __init__(self, tensors, gradients):
        self._gradients = {id(tensor): gradient for tensor, gradient in zip(tensors, gradients, strict=True)}
        self._taken = []

    def take(self, tensor, index=None):
        """Return the block as a leaf, or as it is if it needs no gradient."""
        part = block(tensor, index)
        if id(tensor) not in self._gradients:
            return part
        part = part.detach().requires_grad_()
        self._taken.append((self._gradients[id(tensor)], index, part))
        return part

    def gather(self, score, slope):
        """Carry the slopes of the scores to the leaves, and forget these."""
        taken, self._taken = self._taken, []
        if not taken:
            return
        found = torch.autograd.grad(score, [part for *_, part in taken], slope, allow_unused=True)
        for (gradient, index, _), more in zip(taken, found, strict=True):
            if more is None:
                continue
            if index is None:
                gradient += more
            else:
                gradient[..., index, :] += more


def _blocks(task):
    """Yield blocks of queries and keys: all of them, save those that the forward sum has left out."""
    bound = task.bound
    *batch, n_queries, n_keys = bound.shape
    skipping = None
    if n_queries * n_keys > pruned.PAIRS and not isinstance(bound, AnchoredBound):
        skipping = pruned.skipping(task._replace(grad=False), np.arange(n_queries))
    if skipping is not None:
        for rows, index in skipping:
            rows, index = (like(part, bound.like) for part in (rows, index))
            yield from ((rows, cols) for cols in index.split(max(64, PAIRS // len(rows))) if len(cols))
        return
    pairs = max(1, PAIRS // max(1, math.prod(batch)))
    width = n_keys if bound.whole else min(n_keys, max(2 * math.isqrt(pairs), pairs // max(1, n_queries)))
    for rows in slices(n_queries, max(1, pairs // width)):
        yield from ((rows, cols) for cols in slices(n_keys, width))


def _in_graph(bound, values, wanted, scale, numerator, total):
    """Return the same gradients as functions that can be differentiated again; all scores are held for that."""
    # Views, since a hook on a tensor itself is for its whole gradient.
    again = {id(tensor): tensor.view_as(tensor) for tensor in wanted[1:]}
    inputs = list(again.values())
    if wanted[0] is not None:
        values = values.view_as(values)
        inputs.insert(0, values)

    def take(tensor, index=None):
        return block(again.get(id(tensor), tensor), index)

    rows, cols = slice(0, bound.shape[-2]), slice(0, bound.shape[-1])
    weight = (bound.log(rows, cols, take) - scale).exp()
    if bound.signed:
        weight = weight * bound.sign(rows, cols)
    ends = [(part, slope) for part, slope in ((weight @ values, numerator), (weight.sum(-1), total))
            if part.requires_grad]
    parts, slopes = zip(*ends, strict=True)
    found = torch.autograd.grad(parts, inputs, slopes, create_graph=True, allow_unused=True)
    return [*([None] if wanted[0] is None else []), *found]
