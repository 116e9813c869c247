"""What masks say of pairs, as a factor of the kernel: exp(b) for an additive mask b, whatever the points are."""

from __future__ import annotations

import math

from locmethods.arrays.namespace import as_scores, carries_grad, namespace
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, block


class Bias(Kernel):
    """K = exp(bᵢⱼ) for query i and key j, whatever they are: what is added to a score multiplies the kernel.

    Parameters
    ----------
    bias : array or Tensor of shape (..., n_queries, n_keys)
        b, finite.
    """

    def __init__(self, bias):
        self.bias = bias

    def bind(self, query, keys, *, hollow=False, kept=None):
        return BiasBound(self.bias, query, keys)


class BiasBound(Bound):
    """exp(b), bound to points that it does not look at."""

    def __init__(self, bias, query, keys):
        self._bias = as_scores(bias)
        super().__init__((*bias.shape[:-2], query.shape[-2], keys.shape[-2]), query, carries_grad(self._bias))

    def log(self, rows, cols, take=block):
        return take(self._bias, rows)[..., cols]

    def gap(self, rows, cols):
        """Return zeros: a bias has no say in who is nearest where the kernel reaches nobody."""
        return namespace(self.like).zeros_like(block(self._bias, rows)[..., cols])


def as_weights(mask):
    """Return a mask as which pairs may attend and what is added to their scores, None for what says nothing.

    Parameters
    ----------
    mask : boolean Tensor (True means: may attend), or floating Tensor (added to scores, −inf forbids), or None

    Returns
    -------
    allowed : boolean Tensor or None
    bias : floating Tensor or None
        Finite.

    Raises
    ------
    ValueError
        If what is added is NaN or +inf somewhere.
    """
    if mask is None or not mask.is_floating_point():
        return mask, None
    bad = int((~(mask.detach() < math.inf)).sum())  # NaN is not less than anything
    if bad:
        raise ValueError(f"a floating mask must hold numbers or −inf, got {bad} NaN or +inf of shape "
                         f"{tuple(mask.shape)}")
    allowed = mask > -math.inf
    bias = mask.masked_fill(~allowed, 0.0)
    says_nothing = not bias.requires_grad and not bool(bias.any())
    return (None if bool(allowed.all()) else allowed), (None if says_nothing else bias)
