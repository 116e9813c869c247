"""The transport cost as a loss of torch, alone or mixed with cross-entropy, with its gradient by hand.

One pass over the logits gives both losses, one back over them both gradients. Neither holds an array of the logits'
size beside the gradient itself: positions are taken in blocks, and a softmax is computed again when it is needed.
"""

from __future__ import annotations

import numbers

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from locmethods.arrays.checks import as_array, as_number, check_option
from locmethods.arrays.namespace import to_tensor
from locmethods.emo.costs import OFF, directions

MODES = ("pure", "mixed", "adaptive", "adaptive-2")
GEOMETRIES = ("frozen", "live", "trained")
REDUCTIONS = ("mean", "sum", "none")
BLOCK = {"cpu": 1 << 22}  # logits that are worked on at once: 16 MB in float32, and of a product enough rows
ELSEWHERE = 1 << 26


class EMOLoss(nn.Module):
    r"""The cost of moving a prediction onto the truth, between tokens whose nearness their embeddings say.

    With p the softmax of a position's logits, t its true token and :math:`c_{ij} = 1 - \langle\hat e_i,\hat e_j\rangle`
    the cost between two tokens, the transport cost and the cross-entropy are

    .. math:: T = \sum_i p_i c_{it} = 1 - \langle \bar e, \hat e_t\rangle, \qquad C = -\log p_t,

    and the loss of a position is, with [·] what is taken for a constant by the gradient,

    - ``"pure"``: T,
    - ``"mixed"``: (1 − λ) C + λ T,
    - ``"adaptive"``: ½ (C + [C/T] T), whose value is C: the loss of [ren2024]_,
    - ``"adaptive-2"``: T + [T/C] C, whose value is 2T, a second mix of its authors' code.

    The last two have gradients along that of log C + log T, C/2 and T times as long. Of these losses cross-entropy
    alone, "mixed" with λ = 0, leads to the truth in general; `mixed_optimum` says where "pure" and "mixed" are least.

    Parameters
    ----------
    embeddings : array-like or Tensor of shape (n_tokens, n_features), or nn.Module
        Of a module, such as the ``nn.Linear`` of a model's head or its ``nn.Embedding``, the ``weight`` is taken. Only
        directions count. A row of zeros has none: it is at a cost of 1 from every other token.
    mode : {"pure", "mixed", "adaptive", "adaptive-2"}, default="adaptive"
    weight : float, default=0.5
        λ of the mode "mixed", from 0 to 1.
    geometry : {"frozen", "live", "trained"}, default="frozen"
        Whether costs are those of the embeddings as they are now, kept in a buffer; those of the embeddings at each
        call, without a gradient; or with one. Embeddings that are trained by transport alone fall together.
    ignore_index : int, default=-100
        Positions with this target do not count.
    reduction : {"mean", "sum", "none"}, default="mean"

    Attributes
    ----------
    units : Tensor of shape (n_tokens, n_features), or None
        The frozen directions, a buffer.

    Raises
    ------
    ValueError, TypeError
        If the embeddings are no finite matrix, a word is unknown, or the weight is out of range.

    Examples
    --------
    >>> import torch
    >>> from locmethods.emo import EMOLoss
    >>> embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    >>> logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    >>> round(EMOLoss(embeddings, mode="pure")(logits, torch.tensor([0])).item(), 6)  # 0.25·1 + 0.25·2
    0.75
    >>> round(EMOLoss(embeddings)(logits, torch.tensor([0])).item(), 4)  # log 2
    0.6931
    """

    units: Tensor | None

    def __init__(self, embeddings: ArrayLike | nn.Module, *, mode: str = "adaptive", weight: float = 0.5,
                 geometry: str = "frozen", ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        check_option("mode", mode, MODES)
        check_option("geometry", geometry, GEOMETRIES)
        check_option("reduction", reduction, REDUCTIONS)
        if not 0 <= as_number("weight", weight) <= 1:
            raise ValueError(f"weight must be a number from 0 to 1, got {weight!r}")
        if isinstance(ignore_index, bool) or not isinstance(ignore_index, numbers.Integral):
            raise TypeError(f"ignore_index must be an integer, got {ignore_index!r}")
        if not -1 << 63 <= ignore_index < 1 << 63:
            raise ValueError(f"ignore_index must be an integer of 64 bits, got {ignore_index}")
        self.mode: str = mode
        self.weight: float = float(weight)
        self.geometry: str = geometry
        self.ignore_index: int = int(ignore_index)
        self.reduction: str = reduction
        matrix = as_matrix(embeddings)
        units = directions(matrix.detach().to(at_least_float32(matrix)))
        self.register_buffer("units", units if geometry == "frozen" else None)
        # In a tuple, so that a parameter of the model is not one of the loss, too.
        self.source: tuple = () if geometry == "frozen" else (embeddings,)
        self.n_tokens: int = len(units)

    def now(self) -> Tensor:
        """Return the directions of the tokens at this call, of shape (n_tokens, n_features)."""
        if self.units is not None:
            return self.units
        matrix = as_matrix(self.source[0])
        matrix = matrix if self.geometry == "trained" else matrix.detach()
        return directions(matrix.to(at_least_float32(matrix)))

    def forward(self, logits: Tensor, targets: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Tensor:
        """Return the loss of predictions: a number, or one for each position with ``reduction="none"``.

        Parameters
        ----------
        logits : Tensor of shape (..., n_tokens)
            −inf forbids a token, which then must not be the truth, but in mode "pure". Half precision is widened to
            float32 block by block.
        targets : Tensor of shape (...) or (..., n_tokens)
            Integers, of which those equal to ``ignore_index`` do not count; or probabilities q. The transport cost of
            these is that of the plan which sends each token's mass everywhere in proportion to q, an upper bound of
            the distance.
        sample_weight : Tensor of shape (...), optional
            Not negative; the mean is weighted. A position of weight zero does not count.

        Returns
        -------
        Tensor of shape () or (...)
            float32, or float64 where the logits or the embeddings are.

        Raises
        ------
        ValueError
            If a shape does not fit, a token does not exist, a logit is NaN or +inf, a cross-entropy that counts is
            infinite, probabilities are negative or have another sum than one, or there is nothing to take the mean of.
        TypeError
            If the logits are no floating tensor, or the targets neither integers nor floating.
        """
        cross_entropy, transport, wrong, rows = self._both(logits, targets)
        losses = self._combine(cross_entropy, transport, wrong)
        shape = logits.shape[:-1]
        weight = as_weight(sample_weight, shape, rows, losses, self.reduction)
        if weight is not None:
            losses = losses * weight
        if self.reduction == "none":
            return losses.new_zeros(shape.numel()).index_put((rows,), losses).reshape(shape)
        if self.reduction == "sum":
            return losses.sum()
        total = float(len(losses)) if weight is None else float(weight.sum())
        if total == 0:
            raise ValueError("targets must have a position that counts, of which a mean can be taken, got none")
        return losses.sum() / total

    def parts(self, logits: Tensor, targets: ArrayLike) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy and the mean transport cost of predictions.

        Raises
        ------
        ValueError, TypeError
            As `forward`.
        """
        cross_entropy, transport, _, rows = self._both(logits, targets)
        if not len(rows):
            raise ValueError("targets must have a position that counts, of which a mean can be taken, got none")
        return cross_entropy.mean(), transport.mean()

    def _both(self, logits, targets):
        """Return cross-entropy, transport cost and the mass off the truth of the positions that count, and these."""
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            raise TypeError(f"logits must be a floating tensor, got {getattr(logits, 'dtype', type(logits).__name__)}")
        if logits.ndim < 1 or logits.shape[-1] != self.n_tokens:
            raise ValueError(f"logits must have shape (..., {self.n_tokens}), got {tuple(logits.shape)}")
        targets = as_targets(targets).to(logits.device)
        soft = targets.is_floating_point()
        check_targets(targets, logits, soft, self.ignore_index)
        flat = logits.reshape(-1, self.n_tokens)
        if soft:
            rows, chosen = torch.arange(len(flat), device=flat.device), targets.reshape(flat.shape)
        else:
            rows = (targets.reshape(-1) != self.ignore_index).nonzero()[:, 0]
            chosen = targets.reshape(-1)[rows]
        units = self.now().to(logits.device)
        units = units.to(torch.promote_types(at_least_float32(logits), units.dtype))
        cross_entropy, transport, wrong, log_sums = Losses.apply(flat, chosen, units, rows)
        if not bool(log_sums.isfinite().all()):
            bad = int((~log_sums.isfinite()).sum())
            raise ValueError(f"logits must have no NaN and no +inf, and a finite number at each position, got {bad} "
                             "positions that have not")
        return cross_entropy, transport, wrong, rows

    def _combine(self, cross_entropy, transport, wrong):
        """Return the loss of positions by the mode."""
        if self.mode == "pure":
            return transport
        if bool(cross_entropy.isinf().any()):
            raise ValueError(f"targets must not be tokens that a logit of -inf forbids, got "
                             f"{int(cross_entropy.isinf().sum())}, whose cross-entropy is infinite")
        if self.mode == "mixed":
            return (1 - self.weight) * cross_entropy + self.weight * transport
        if self.mode == "adaptive":
            # Where all that is wrong lies nearer to the truth than rounding can tell, the cosines say nothing of T.
            least = torch.finfo(transport.dtype).eps ** 0.5 * wrong
            return 0.5 * (cross_entropy + ratio(cross_entropy, transport.maximum(least)) * transport)
        return transport + ratio(transport, cross_entropy) * cross_entropy

    def extra_repr(self) -> str:
        """Return what a printed network shows of it."""
        weight = f", weight={self.weight:g}" if self.mode == "mixed" else ""
        return f"{self.n_tokens}, mode={self.mode!r}{weight}, geometry={self.geometry!r}"


class Losses(torch.autograd.Function):
    r"""Cross-entropy C and transport cost T of positions, with

    .. math:: \frac{\partial C}{\partial z_k} = p_k - [k = t], \qquad
              \frac{\partial T}{\partial z_k} = p_k (c_{kt} - T) .
    """

    @staticmethod
    def forward(ctx, logits, targets, units, rows):
        found = [block_losses(logits, targets, units, part) for part in blocks(rows, logits)]
        cross_entropy, transport, wrong, log_sums = (torch.cat(column) for column in zip(*found, strict=True))
        ctx.save_for_backward(logits, targets, units, rows, transport, wrong, log_sums)
        ctx.mark_non_differentiable(wrong, log_sums)
        return cross_entropy, transport, wrong, log_sums

    @staticmethod
    @once_differentiable
    def backward(ctx, of_cross_entropy, of_transport, *_):
        logits, targets, units, rows, transport, wrong, log_sums = ctx.saved_tensors
        by_logits, by_units = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
        everybody = len(rows) == len(logits)
        fresh = torch.empty_like if everybody else torch.zeros_like  # of all rows each is written
        of_logits = fresh(logits) if by_logits else None
        of_units = torch.zeros_like(units) if by_units else None
        soft, in_place = targets.is_floating_point(), by_logits and everybody and logits.dtype == units.dtype
        with torch.autocast(logits.device.type, enabled=False):
            for places, at in blocks(rows, logits):
                if in_place:  # where it becomes the gradient
                    p = torch.sub(logits[at], log_sums[places, None], out=of_logits[at]).exp_()
                else:
                    p = (logits[at].to(units.dtype) - log_sums[places, None]).exp_()
                t, g, h = targets[places], of_cross_entropy[places, None], of_transport[places, None]
                truth = t.to(units.dtype) @ units if soft else units[t]
                if by_units:
                    add_units_gradient(of_units, p, t, h, truth, units, soft)
                if by_logits:
                    slope = block_gradient(p, t, g, h, truth, units, soft, transport[places, None], wrong[places])
                    if not in_place:
                        of_logits[at] = slope.to(logits.dtype)
        return of_logits, None, of_units, None


def blocks(rows, logits):
    """Return pairs: places among the rows that count, and these rows, as slices where all rows count."""
    size = max(1, BLOCK.get(logits.device.type, ELSEWHERE) // logits.shape[1])
    everybody = len(rows) == len(logits)
    places = [slice(first, first + size) for first in range(0, max(1, len(rows)), size)]
    return [(part, part if everybody else rows[part]) for part in places]


def block_losses(logits, targets, units, where):
    """Return C, T, the mass off the truth and the logarithm of Σ exp z of the positions of a block."""
    places, at = where
    with torch.autocast(logits.device.type, enabled=False):
        z, t = logits[at].to(units.dtype), targets[places]
        highest = z.amax(1, keepdim=True)
        weight = (z - highest).exp_()
        if t.is_floating_point():
            t = t.to(units.dtype)
            total = weight.sum(1)
            log_sums = highest[:, 0] + total.log()
            p = weight / total[:, None]
            cross_entropy = -((z - log_sums[:, None]).masked_fill_(t == 0, 0.0) * t).sum(1)
            transport = 1 - ((p @ units) * (t @ units)).sum(1)
            if len(nowhere := without_direction(units)):
                transport = transport - (p[:, nowhere] * t[:, nowhere]).sum(1)
            return cross_entropy, transport.clamp_(min=0), torch.ones_like(total), log_sums
        # The truth is left out of all sums, so that what is wrong keeps its digits where it is little.
        own = weight.gather(1, t[:, None])[:, 0]
        weight.scatter_(1, t[:, None], 0.0)
        others = weight.sum(1)
        total = own + others
        log_sums = highest[:, 0] + total.log()
        transport = (others - ((weight @ units) * units[t]).sum(1)) / total
        surprise = log_sums - z.gather(1, t[:, None])[:, 0]
        cross_entropy = torch.where(own > others, torch.log1p(others / own), surprise)
        return cross_entropy, transport.clamp_(min=0), others / total, log_sums


def block_gradient(p, t, g, h, truth, units, soft, transport, wrong):
    """Return g · ∂C/∂z + h · ∂T/∂z of the positions of a block, of shape (n, n_tokens); p is overwritten."""
    # c = 1 − cosine, less T, and C's part: p (g + h (c − T)).
    slope = torch.addmm(g + h * (1 - transport), -h * truth, units.T)
    if soft:
        if len(nowhere := without_direction(units)):
            slope[:, nowhere] -= h * t[:, nowhere]
        return p.mul_(slope).sub_(g * t)
    own = p.gather(1, t[:, None])
    p.mul_(slope)
    # At the truth c = 0, and p − 1 is minus what is wrong, without a difference.
    return p.scatter_(1, t[:, None], -g * wrong[:, None] - h * own * transport)


def add_units_gradient(found, p, t, h, truth, units, soft):
    """Add h · ∂T/∂ê of a block; at the truth itself c = 0 whatever its direction is."""
    if soft:
        t = t.to(units.dtype)
        found -= p.T @ (h * truth) + t.T @ (h * (p @ units))
        return
    others = p.scatter(1, t[:, None], 0.0)
    found -= others.T @ (h * truth)
    found.index_add_(0, t, -h * (others @ units))


def without_direction(units):
    """Return the numbers of the rows that are zero."""
    return (units == 0).all(1).nonzero()[:, 0]


def ratio(above, below):
    """Return above / below as a constant, 0 where below is 0: both losses are then 0, and so are their gradients."""
    above, below = above.detach(), below.detach()
    return torch.where(below > 0, above / below, 0.0)


def as_matrix(embeddings):
    """Return a matrix of embeddings, or a module's weight, as a floating tensor; it must be finite."""
    if isinstance(embeddings, nn.Module):
        weight = getattr(embeddings, "weight", None)
        if not isinstance(weight, Tensor):
            raise TypeError(f"embeddings must be a matrix or a module that has one as its weight, got "
                            f"{type(embeddings).__name__}")
        embeddings = weight
    matrix = as_array("embeddings", embeddings)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"embeddings must have shape (n_tokens, n_features), got {tuple(matrix.shape)}")
    return to_tensor(matrix)


def as_targets(targets):
    """Return targets as a tensor: probabilities as they are, and integers as int64, in which any number is itself."""
    if not isinstance(targets, Tensor):
        targets = np.asarray(targets)
        if targets.dtype.kind not in "iuf":
            raise TypeError(f"targets must be integers, or probabilities, got dtype {targets.dtype}")
        targets = to_tensor(targets)
    if targets.dtype == torch.bool or targets.is_complex():
        raise TypeError(f"targets must be integers, or probabilities, got dtype {targets.dtype}")
    return targets if targets.is_floating_point() else targets.long()


def at_least_float32(tensor):
    """Return the floating type in which a tensor is worked on."""
    return torch.promote_types(tensor.dtype, torch.float32)


def check_targets(targets, logits, soft, ignore_index):
    """Raise unless targets are tokens, one a position, or probabilities."""
    shape, n_tokens = tuple(logits.shape[:-1]), logits.shape[-1]
    if soft:
        if targets.shape != logits.shape:
            raise ValueError(f"targets must be integers of shape {shape} or probabilities of shape "
                             f"{tuple(logits.shape)}, got probabilities of shape {tuple(targets.shape)}")
        if not targets.numel():
            return
        lowest, off = targets.min(), (targets.float().sum(-1) - 1).abs().max()
        if not bool(lowest >= 0):  # NaN is not
            raise ValueError(f"targets must not be negative, got {float(lowest):g}")
        if not bool(off <= OFF):
            raise ValueError(f"targets must have rows whose sum is one, got one that is off by {float(off):g}")
        return
    if tuple(targets.shape) != shape:
        raise ValueError(f"targets must have shape {shape}, one token a position, got {tuple(targets.shape)}")
    wrong = (targets != ignore_index) & ((targets < 0) | (targets >= n_tokens))
    if bool(wrong.any()):
        raise ValueError(f"targets must be from 0 to {n_tokens - 1}, or {ignore_index}, which is ignored, got "
                         f"{int(targets[wrong][0])}")


def as_weight(sample_weight, shape, rows, losses, reduction):
    """Return the weights, finite and not negative, of the positions that count, None if there are none."""
    if sample_weight is None:
        return None
    weight = to_tensor(as_array("sample_weight", sample_weight))
    if weight.shape != shape:
        raise ValueError(f"sample_weight must have shape {tuple(shape)}, one number a position, got "
                         f"{tuple(weight.shape)}")
    if bool((weight < 0).any()):
        raise ValueError(f"sample_weight must not be negative, got {float(weight.min()):g}")
    weight = weight.flatten()[rows.to(weight.device)]
    if reduction == "mean" and len(weight):
        weight = weight / weight.max().clamp(min=torch.finfo(weight.dtype).tiny)  # their size does not count
    weight = weight.to(losses.device, losses.dtype)
    if not bool(weight.isfinite().all()):
        raise ValueError(f"sample_weight must be finite in {losses.dtype}, that of the losses, got larger numbers")
    return weight
