"""What an engine is given: a kernel tied to one set of queries and keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

# Up to this many features, squared distances are summed feature by feature (in cache); above, by torch.cdist.
FEW_FEATURES = 16
COMPACT = ("Epanechnikov", "Triangular", "Biweight", "Tricube", "Flat")


class Formula(NamedTuple):
    """A kernel by its class's name and its length: K = exp(log_factor) · kernel, zero on the diagonal if hollow."""

    kind: str
    length: float  # the degree of a polynomial, the power of an inverse distance
    log_factor: float = 0.0
    hollow: bool = False
    offset: float = 0.0  # of a polynomial
    ceiling: float = math.inf  # what stands for log K where K is infinite

    @property
    def number(self):
        """The kernel's number in `loops`."""
        from locmethods.engines.native.loops import KINDS

        return KINDS[self.kind]

    @property
    def compact(self):
        """True if K is zero beyond its length."""
        return self.kind in COMPACT


@dataclass(frozen=True)
class Bound:
    """A kernel bound to queries and keys: functions of a block of rows and a block of columns.

    Attributes
    ----------
    shape : tuple
        ``(*batch, n_queries, n_keys)``.
    like : Tensor
        Carries the device and the floating type in which scores are computed.
    log : callable
        ``log(rows, cols, take=block)`` is log |K| on the block, −inf outside the support, of shape (*batch, b, c).
        Whatever carries gradients is read by ``take(tensor, index)``, for which the backward pass has its own.
    gap : callable
        ``gap(rows, cols)`` orders keys by nearness: the squared distance, or minus the inner product.
        Infinite where a mask forbids the pair.
    relative : callable or None
        ``relative(rows, cols, reference, take=block)`` is log K(q, k) − offset(rows, reference), free of the
        cancellation that a difference of two large logarithms suffers. None where the kernel has no such form.
        The reference is one place for good: it carries no gradient, nor does it in `offset`.
    offset : callable or None
        ``offset(rows, reference, take=block)``, of shape (*batch, b): what `relative` has left out.
    sign : callable or None
        ``sign(rows, cols)`` is the sign of K; None when K is nowhere negative.
    whole : bool
        True if a row can only be computed with all its keys at hand (rank kernels).
    centred : bool
        True if `relative` needs no reference and is to be used always (inner products of uncentred keys).
    bounded : bool
        True if K never exceeds one, so that plain sums cannot overflow.
    grad : bool
        True if anything in the block carries a gradient.
    weight : callable or None
        ``weight(rows, cols)`` is K itself, where that takes fewer steps than exp(log K).
    points : tuple of Tensor, or None
        Queries and keys, in the space where `formula` or `falls` applies.
    formula : Formula or None
        K as the compiled loops know it.
    falls : Formula or None
        A kernel of the distance that says how K falls with it: K itself up to a factor, or a factor of K of compact
        support, so that K is zero where it is.
    allowed : boolean Tensor or None
        Of shape (*batch or fewer, n_queries, n_keys): K is zero where it is False, and as `formula` says elsewhere.
    neighbors : Tensor or None
        For a plain rank kernel the indices of each query's keys, of shape (*batch, n_queries, k): all weights are one.
    parts : tuple of Bound
        Where there are any, K is their sum.
    """

    shape: tuple
    like: Any
    log: Callable
    gap: Callable
    relative: Callable | None = None
    offset: Callable | None = None
    sign: Callable | None = None
    whole: bool = False
    centred: bool = False
    bounded: bool = False
    grad: bool = False
    weight: Callable | None = None
    points: tuple | None = None
    formula: Any = None
    falls: Any = None
    allowed: Any = None
    neighbors: Any = None
    parts: tuple = ()


def block(tensor, index=None):
    """Return the points `index` of a tensor of shape (..., n, d); without `index`, a parameter as it is."""
    return tensor if index is None else tensor[..., index, :]


def carries_grad(*tensors):
    """Return True if what is computed from these now becomes part of a graph."""
    import torch

    return torch.is_grad_enabled() and any(getattr(t, "requires_grad", False) for t in tensors)


class Scratch:
    """Memory that a bound kernel fills anew with each block: a fresh large temporary costs more than its arithmetic."""

    def __init__(self):
        self._flat = {}

    def take(self, name, shape, like):
        """Return a tensor of that shape, with whatever is in it, valid until `name` is taken again."""
        size = math.prod(shape)
        if name not in self._flat or self._flat[name].numel() < size:
            self._flat[name] = like.new_empty(size)
        return self._flat[name][:size].view(shape)


def pairwise_square(query, keys, scratch=None):
    """Return ‖q − k‖² for all pairs from differences, never from ‖q‖² + ‖k‖² − 2 q·k.

    The expanded form loses ε(‖q‖² + ‖k‖²), which is larger than a small bandwidth squared; differences lose
    only ε‖q − k‖².

    Parameters
    ----------
    query : Tensor of shape (..., b, d)
    keys : Tensor of shape (..., c, d)
    scratch : Scratch, optional
        Where to write.

    Returns
    -------
    Tensor of shape (..., b, c)
    """
    import torch

    if carries_grad(query, keys):
        from locmethods.engines.differences import SquaredDistance

        return SquaredDistance.apply(pairwise_square, query, keys, None)
    if query.shape[-1] > FEW_FEATURES:
        return torch.cdist(query, keys, compute_mode="donot_use_mm_for_euclid_dist").square_()
    scratch = Scratch() if scratch is None else scratch
    batch = () if query.ndim == keys.ndim == 2 else torch.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    shape = (*batch, query.shape[-2], keys.shape[-2])
    total, gap = (scratch.take(name, shape, query) for name in ("total", "gap"))
    keys = keys.mT.contiguous()  # neighbours in memory are what a processor subtracts in one go
    for feature in range(query.shape[-1]):
        out = gap if feature else total
        torch.sub(query[..., feature].unsqueeze(-1), keys[..., feature, :].unsqueeze(-2), out=out)
        total.addcmul_(gap, gap) if feature else total.square_()
    return total


def square_difference(query, keys, reference):
    """Return ‖q − k‖² − ‖q − r‖² as Σ (r − k)(2q − k − r), exact to rounding of the factors.

    Parameters
    ----------
    query : Tensor of shape (..., b, d)
    keys : Tensor of shape (..., c, d)
    reference : Tensor of shape (..., b, d)
        One reference key for each query; it carries no gradient.
    """
    if carries_grad(query, keys):
        from locmethods.engines.differences import SquaredDistance

        return SquaredDistance.apply(square_difference, query, keys, reference)
    near = query - reference  # (..., b, d)
    total = None
    for feature in range(query.shape[-1]):
        q = query[..., feature].unsqueeze(-1)
        k = keys[..., feature].unsqueeze(-2)
        step = reference[..., feature].unsqueeze(-1) - k  # (..., b, c)
        term = step * ((q - k) + near[..., feature].unsqueeze(-1))
        total = term if total is None else total + term
    return total


def expanded_square(query, keys, scratch):
    """Return ‖q − k‖² by one matrix product; the caller has centred the data and bounded the error."""
    import torch

    left = torch.cat([query, (query * query).sum(-1, keepdim=True), torch.ones_like(query[..., :1])], -1)
    right = torch.cat([-2 * keys, torch.ones_like(keys[..., :1]), (keys * keys).sum(-1, keepdim=True)], -1)
    out = scratch.take("total", (*query.shape[:-1], keys.shape[-2]), query)
    return torch.matmul(left, right.mT, out=out).clamp_(min=0.0)
