"""The pieces of a local sum, and how they merge."""

from __future__ import annotations

from typing import Any

import numpy as np


def lead_of(left, right):
    """Return log_scale of `left` minus that of `right`, zero where neither has weight."""
    import torch

    lead = left[2] - right[2]
    return torch.where(lead.isnan(), 0.0, lead)  # −inf − (−inf)


def joined(left, right, lead=None):
    """Return the sums over two disjoint sets of keys, each as (scaled, total, log_scale), in the same form.

    Parameters
    ----------
    left, right : tuple of Tensor
        Σ K v of shape (..., n_outputs) and Σ K of shape (...), both divided by exp(log_scale), and log_scale.
    lead : Tensor of shape (...), optional
        log_scale of `left` minus that of `right`, if it is known better than their difference shows.

    Returns
    -------
    scaled, total, log_scale : Tensor
        With the greater log_scale of the two.
    mine, theirs : Tensor
        The factors, at most one, by which the sums of `left` and `right` were multiplied.
    """
    import torch

    lead = lead_of(left, right) if lead is None else lead
    mine, theirs = lead.clamp(max=0).exp(), (-lead).clamp(max=0).exp()
    scaled = left[0] * mine.unsqueeze(-1) + right[0] * theirs.unsqueeze(-1)
    return scaled, left[1] * mine + right[1] * theirs, torch.where(lead >= 0, left[2], right[2]), mine, theirs


class LocalSum:
    """Σ K v and log Σ K of each query over one set of keys; ``a + b`` joins two disjoint sets.

    The numerator is kept divided by exp(log_scale), so pieces merge to the right answer where every plain
    weight underflows. Unpacks into ``numerator, log_normaliser``.

    Attributes
    ----------
    scaled, total, log_scale : Tensor
        Σ K v and Σ K divided by exp(log_scale), and log_scale, in the score type.
    """

    def __init__(self, scaled, total, log_scale, door):
        self.scaled, self.total, self.log_scale, self._door = scaled, total, log_scale, door

    @classmethod
    def of(cls, door, scaled, total, log_scale) -> LocalSum:
        """Return the piece that an engine computed for `door`."""
        return cls(scaled, total, log_scale, door)

    @property
    def numerator(self) -> Any:
        """Σᵢ K(q, kᵢ) vᵢ, of shape (..., n_queries[, n_outputs]); zero where it underflows."""
        return self._door.leave_outputs(self.scaled * self.log_scale.exp().unsqueeze(-1))

    @property
    def log_normaliser(self) -> Any:
        """log |Σᵢ K(q, kᵢ)|, of shape (..., n_queries); −inf where no key has weight."""
        return self._door.leave(self.total.abs().log() + self.log_scale)

    @property
    def sign(self) -> Any:
        """The sign of Σᵢ K(q, kᵢ): 1 for a localization kernel with a key in reach, 0 where nothing is."""
        return self._door.leave(self.total.sign())

    def mean(self) -> Any:
        """Return numerator / normaliser; NaN where no key has weight, or signed weights cancel exactly."""
        import torch

        nothing = (self.total == 0).unsqueeze(-1)
        quotient = self.scaled / torch.where(nothing, 1.0, self.total.unsqueeze(-1))
        return self._door.leave_outputs(torch.where(nothing, float("nan"), quotient))

    def __iter__(self):
        return iter((self.numerator, self.log_normaliser))

    def __add__(self, other) -> LocalSum:
        """Return the sum over the keys of both pieces.

        Raises
        ------
        TypeError
            If `other` is not a LocalSum.
        ValueError
            If the pieces belong to different numbers of queries or outputs.
        """
        if not isinstance(other, LocalSum):
            raise TypeError(f"a LocalSum merges with a LocalSum only, got {type(other).__name__}")
        if self.scaled.shape != other.scaled.shape:
            raise ValueError(f"pieces must have the same queries and outputs, got shapes {tuple(self.scaled.shape)} "
                             f"and {tuple(other.scaled.shape)}")
        mine, theirs = ((piece.scaled, piece.total, piece.log_scale) for piece in (self, other))
        return LocalSum(*joined(mine, theirs)[:3], self._door)

    def __repr__(self):
        return f"LocalSum(queries={tuple(np.shape(self.total))}, outputs={self.scaled.shape[-1]})"
