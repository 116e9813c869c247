"""A bound kernel that some pairs have no part in: its own diagonal, or what a mask forbids."""

from __future__ import annotations

import math

from locmethods.arrays.namespace import indices, namespace
from locmethods.kernels.bound import Bound, block


class Restricted(Bound):
    """A bound kernel with no weight where ``allowed(rows, cols)`` is False.

    Parameters
    ----------
    inner : Bound
    shape : tuple
        That of `inner`, or with more batches.
    allowed : callable
        Gives a boolean array that broadcasts to (*batch, b, c).
    change : callable
        ``change(term)`` is a `Term` of `inner` under the restriction.
    own : bool, default=False
        True if the restriction is that key i has no weight for query i, and nothing else.
    """

    def __init__(self, inner, shape, allowed, change, own=False):
        super().__init__(shape, inner.like, inner.grad)
        self._inner, self._allowed, self._change, self._own = inner, allowed, change, own
        self.signed, self.whole, self.length = inner.signed, inner.whole, inner.length
        self.anchored, self.centred = inner.anchored, inner.centred

    def __repr__(self):
        return f"{self._inner!r} on some pairs"

    def _limited(self, part, rows, cols, outside):
        return namespace(part).where(self._allowed(rows, cols), part, outside)

    def log(self, rows, cols, take=block):
        return self._limited(self._inner.log(rows, cols, take), rows, cols, -math.inf)

    def gap(self, rows, cols):
        return self._limited(self._inner.gap(rows, cols), rows, cols, math.inf)

    def sign(self, rows, cols):
        return self._inner.sign(rows, cols)

    def relative(self, rows, cols, reference, take=block):
        return self._limited(self._inner.relative(rows, cols, reference, take), rows, cols, -math.inf)

    def offset(self, rows, reference, take=block):
        return self._inner.offset(rows, reference, take)

    def parts(self):
        """What a pair has no part in, it has no part in anywhere."""
        parts = self._inner.parts()
        if len(parts) == 1:
            return (self,)
        return tuple(Restricted(part, self.shape, self._allowed, self._change, self._own) for part in parts)

    def term(self):
        term = self._inner.term()
        return None if term is None else self._change(term)

    def scaled(self):
        scaled = self._inner.scaled() if self._own else None
        return None if scaled is None else scaled._replace(hollow=True)


def without_own(bound, hollow):
    """Return the bound kernel, if `hollow` without weight for key i at query i."""
    if not hollow:
        return bound
    own = indices(max(bound.shape[-2:]), bound.like)
    return Restricted(bound, bound.shape, lambda rows, cols: own[rows][:, None] != own[cols],
                      lambda term: term._replace(hollow=True), own=True)
