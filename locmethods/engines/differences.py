"""Squared distances in the graph of autograd, without a tensor of shape (b, c, d)."""

from __future__ import annotations

import torch

from locmethods.engines.bound import pairwise_square, square_difference


class SquaredDistance(torch.autograd.Function):
    """‖q − k‖², or ‖q − k‖² − ‖q − r‖², for all pairs; its gradients are sums of differences, feature by feature.

    Written as (Σ a) q − Σ a k they would lose what the offset of the data is larger than their distances.
    """

    @staticmethod
    def forward(ctx, query, keys, reference):
        """Return the squares, of shape (*batch, b, c); the reference, of shape (*batch, b, d), may be None."""
        ctx.save_for_backward(query, keys, reference)
        return pairwise_square(query, keys) if reference is None else square_difference(query, keys, reference)

    @staticmethod
    def backward(ctx, slope):
        """Return Σ 2a(q − k), or with a reference Σ 2a(r − k), and Σ 2a(k − q), each for its points."""
        query, keys, reference = ctx.saved_tensors
        origin = query if reference is None else reference
        rows, columns = [], []
        for feature in range(query.shape[-1]):
            here, there = origin[..., feature].unsqueeze(-1), keys[..., feature].unsqueeze(-2)
            pull = _times(here - there, slope)  # (*batch, b, c)
            rows.append(pull.sum(-1))
            if reference is not None:
                pull = _times(query[..., feature].unsqueeze(-1) - there, slope)
            columns.append(pull.sum(-2))
        rows, columns = 2 * torch.stack(rows, -1), -2 * torch.stack(columns, -1)
        return rows.sum_to_size(query.shape), columns.sum_to_size(keys.shape), None


def _times(gap, slope):
    """Return the product, in the memory of `gap` unless a second derivative will ask for it."""
    return gap * slope if torch.is_grad_enabled() else gap.mul_(slope)
