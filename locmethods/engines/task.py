"""What an engine is asked, what it says it would do, and what it answers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from locmethods.arrays.namespace import log_or_nothing, namespace


class Task(NamedTuple):
    """Σ K v and Σ K for every query.

    Attributes
    ----------
    bound : kernels.bound.Bound
    values : array of shape (*batch, n_keys, n_outputs)
        In the score type.
    itemsize : int
        Bytes of the answer's floating type: how exact it must be.
    tolerance : float
        Relative error of the sums that may be traded for speed.
    grad : bool
        True if the answer is to become part of a graph.
    kept : kernels.bound.Kept, optional
        What has been computed from these keys before.
    alone : bool
        True if the answer is the quotient of these sums, to which those of no other part of a kernel are added.
    """

    bound: Any
    values: Any
    itemsize: int = 8
    tolerance: float = 0.0
    grad: bool = False
    kept: Any = None
    alone: bool = False

    @property
    def pairs(self):
        """How many pairs of a query and a key there are, over all batches."""
        return math.prod(self.bound.shape)


class Plan(NamedTuple):
    """What an engine would do.

    Attributes
    ----------
    engine : module
    words : str
        How it would sum, in a sentence.
    work : object
        What `sums` of the engine needs to know.
    pairs : int
        Pairs of a query and a key that it would visit.
    blocks : int
        Pairs of a block of queries and a block of keys.
    memory : int
        Bytes beside inputs and answer, at its peak, roughly.
    """

    engine: Any
    words: str
    work: Any
    pairs: int
    blocks: int
    memory: int


class Sums(NamedTuple):
    """Σ K v and Σ K of each query, both divided by exp(log_scale)."""

    numerator: Any  # (*batch, n_queries, n_outputs)
    total: Any  # (*batch, n_queries)
    log_scale: Any  # (*batch, n_queries); −inf where no key has weight

    @property
    def log_total(self):
        """log |Σ K|, of shape (*batch, n_queries)."""
        return log_or_nothing(abs(self.total)) + self.log_scale


def lead_of(left, right):
    """Return log_scale of `left` minus that of `right`, zero where neither has weight."""
    xp = namespace(left[2])
    neither = (left[2] == -math.inf) & (right[2] == -math.inf)
    return xp.where(neither, 0.0, xp.where(neither, 0.0, left[2]) - xp.where(neither, 0.0, right[2]))


def joined(left, right, lead=None):
    """Return the sums over two disjoint sets of keys, or of two kernels, in the same form.

    Parameters
    ----------
    left, right : tuple of arrays
        As `Sums`.
    lead : array of shape (...), optional
        log_scale of `left` minus that of `right`, if it is known better than their difference shows.

    Returns
    -------
    sums : Sums
        With the greater log_scale of the two.
    mine, theirs : array
        The factors, at most one, by which the sums of `left` and `right` were multiplied.
    """
    lead = lead_of(left, right) if lead is None else lead
    xp = namespace(lead)
    mine, theirs = xp.exp(xp.clip(lead, None, 0.0)), xp.exp(xp.clip(-lead, None, 0.0))
    scaled = left[0] * mine[..., None] + right[0] * theirs[..., None]
    sums = Sums(scaled, left[1] * mine + right[1] * theirs, xp.where(lead >= 0, left[2], right[2]))
    return sums, mine, theirs
