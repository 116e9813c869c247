"""Squared distances in the graph of autograd, without a tensor of shape (b, c, d)."""

from __future__ import annotations

import torch


class SquaredDistance(torch.autograd.Function):
    """‖q − k‖², or ‖q − k‖² − ‖q − r‖², for all pairs; its gradients are sums of differences, feature by feature.

    Written as (Σ a) q − Σ a k they would lose what the offset of the data is larger than their distances.
    """

    @staticmethod
    def forward(ctx, squares, query, keys, reference):
        """Return the squares, of shape (*batch, b, c), by the function given; the reference may be None."""
        ctx.save_for_backward(query, keys, reference)
        return squares(query, keys) if reference is None else squares(query, keys, reference)

    @staticmethod
    def backward(ctx, slope):
        """Return Σ 2a(q − k), or with a reference Σ 2a(r − k), and Σ 2a(k − q), each for its points."""
        query, keys, reference = ctx.saved_tensors
        origin = query if reference is None else reference
        rows, columns, memory = [], [], None if torch.is_grad_enabled() else torch.empty_like(slope)
        # By columns: neighbours in memory are what a processor subtracts in one go.
        for here, there, own in zip(*(side.mT.contiguous().unbind(-2) for side in (origin, keys, query)), strict=True):
            pull = _pull(here, there, slope, memory)  # (*batch, b, c)
            rows.append(pull.sum(-1))
            pull = pull if reference is None else _pull(own, there, slope, memory)
            columns.append(pull.sum(-2))
        rows, columns = 2 * torch.stack(rows, -1), -2 * torch.stack(columns, -1)
        return None, rows.sum_to_size(query.shape), columns.sum_to_size(keys.shape), None


def _pull(here, there, slope, memory):
    """Return (here − there) · slope for one feature, in `memory` unless a second derivative will ask for more."""
    here, there = here.unsqueeze(-1), there.unsqueeze(-2)
    return (here - there) * slope if memory is None else torch.sub(here, there, out=memory).mul_(slope)
