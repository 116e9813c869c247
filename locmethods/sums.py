"""The pieces of a local sum, and how they merge."""

from __future__ import annotations

from typing import Any

import numpy as np


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
        import torch

        if not isinstance(other, LocalSum):
            raise TypeError(f"a LocalSum merges with a LocalSum only, got {type(other).__name__}")
        if self.scaled.shape != other.scaled.shape:
            raise ValueError(f"pieces must have the same queries and outputs, got shapes {tuple(self.scaled.shape)} "
                             f"and {tuple(other.scaled.shape)}")
        scale = torch.maximum(self.log_scale, other.log_scale)
        anchor = torch.where(scale.isneginf(), 0.0, scale)
        mine, theirs = (self.log_scale - anchor).exp(), (other.log_scale - anchor).exp()
        return LocalSum(self.scaled * mine.unsqueeze(-1) + other.scaled * theirs.unsqueeze(-1),
                        self.total * mine + other.total * theirs, scale, self._door)

    def __repr__(self):
        return f"LocalSum(queries={tuple(np.shape(self.total))}, outputs={self.scaled.shape[-1]})"
