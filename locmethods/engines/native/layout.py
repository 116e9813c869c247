"""A product of kernels laid out for compiled code: the coordinates of all factors side by side, and their numbers."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from locmethods.arrays.namespace import is_tensor, to_numpy
from locmethods.engines.native import profiles
from locmethods.kernels.bound import once

# A factor as compiled code takes it: its number in `profiles`, its length, its offset and its size, (q·k + offset)/size
# being at most one for a power of the inner product, and which coordinates of the points belong to it.
FACTOR = np.dtype([("kind", np.int64), ("length", np.float64), ("offset", np.float64), ("size", np.float64),
                   ("first", np.int64), ("last", np.int64)], align=True)
LINE = 64  # bytes that a cache moves at once
SLICE = 4096  # rows that are looked at once: large temporary arrays would cost more than what is done with them


def refusal_of(task, term):
    """Return why compiled loops do not know a task's kernel, or its arrays; the known profiles if they do."""
    if term is None:
        return "the kernel is not a product of kernels that have a compiled form"
    if term.neighbors is not None:
        return "a kernel of ranks has no compiled form"
    known = [profiles.of(factor) for factor in term.factors]
    for factor, profile in zip(term.factors, known, strict=True):
        if profile is None:
            return f"{factor.kind.__name__} has no compiled form, or none with these numbers"
    if len(known) > 1 and any(profile.singular for profile in known):
        return "inverse distances have a compiled form on their own only"
    if term.mask is not None:
        return "a mask is looked up by the kernel's own formula"
    if is_tensor(task.values) and task.values.device.type != "cpu":
        return f"tensors on the device {task.values.device} stay there"
    if task.values.ndim != 2 or len(task.bound.shape) != 2:
        return "there are batch dimensions"
    return known


class Spread(NamedTuple):
    """What is known of the numbers in an array.

    Attributes
    ----------
    largest : float
        The greatest absolute value.
    single : bool
        True if float32 holds each of them exactly.
    """

    largest: float
    single: bool


def spread_of(points, single):
    """Return the `Spread` of an array of shape (n, d); whether float32 holds it is looked at only if `single`."""
    largest = max(abs(float(points.max())), abs(float(points.min()))) if points.size else 0.0
    if single:
        with np.errstate(over="ignore"):
            parts = (points[i:i + SLICE] for i in range(0, len(points), SLICE))
            single = all(bool((part.astype(np.float32) == part).all()) for part in parts)
    return Spread(largest, single)


class Layout:
    """The factors of a term on plain arrays.

    Attributes
    ----------
    profiles : tuple of profiles.Profile
    query, keys : float64 ndarray of shape (n_queries, d) and (n_keys, d)
        The coordinates of all factors; factors that compare the same points share them.
    spans : list of (int, int)
        Which coordinates belong to each factor.
    log_factor : float
    hollow : bool
    kept : Kept or None
    """

    def __init__(self, term, kept):
        self.term, self.kept = term, kept
        self.profiles = tuple(map(profiles.of, term.factors))
        self.log_factor, self.hollow = term.log_factor, term.hollow
        places, distinct, self.spans, end = {}, [], [], 0
        for factor, profile in zip(term.factors, self.profiles, strict=True):
            centred = len(self.profiles) > 1 and profile.of == "exponential of q·k"
            place = id(factor.query), id(factor.keys), centred
            if place not in places:
                distinct.append((factor, centred))
                places[place] = (end, end := end + factor.query.shape[-1])
            self.spans.append(places[place])
        self.query = _side_by_side([to_numpy(factor.query) for factor, _ in distinct])
        self.owner = term.factors[0].keys
        self._name = tuple((id(factor.keys), centred) for factor, centred in distinct)
        self.keys = self.once("keys", lambda: _side_by_side([_keys_of(*one) for one in distinct]))

    def once(self, name, make):
        """Return ``make()``, or what it gave before for these keys."""
        return once(self.kept, Layout, self.owner, (name, self._name), make)

    @property
    def shared(self):
        """The logarithm of what exponentials of q·k, in a product, have for all keys alike: q·c/τ, a number a query."""
        found = np.zeros(len(self.query))
        for factor, profile, (a, b) in zip(self.term.factors, self.profiles, self.spans, strict=True):
            if profile.of == "exponential of q·k":
                found += self.query[:, a:b] @ to_numpy(factor.keys)[0] / factor.length
        return found

    @property
    def single(self):
        """The only factor's `Profile`, or None if there are several."""
        return self.profiles[0] if len(self.profiles) == 1 else None

    @property
    def length(self):
        """The length of the only factor."""
        return self.term.factors[0].length

    @property
    def compact(self):
        """True if K is zero beyond some distance, and exact up to it."""
        return all(profile.compact for profile in self.profiles)

    @property
    def falls(self):
        """True if K is bounded by the distance of two boxes."""
        return any(not (profile.inner or profile.singular) for profile in self.profiles)

    @property
    def decides(self):
        """True if distances alone say what may be left out: no factor grows with the inner product."""
        return not any(profile.inner for profile in self.profiles)

    @cached_property
    def sizes(self):
        """For each factor a bound on |q·k + c|, by which a power of it is divided; one for the others."""
        sizes = []
        for factor, profile, (a, b) in zip(self.term.factors, self.profiles, self.spans, strict=True):
            if profile.of != "power of q·k":
                sizes.append(1.0)
                continue
            longest = self.once(("longest", a, b), lambda a=a, b=b: widest(self.keys[:, a:b], 0.0))
            size = (widest(self.query[:, a:b], 0.0) * longest + abs(factor.offset)) * (1 + 1e-6)
            sizes.append(size or 1.0)
        return sizes

    @property
    def log_scale(self):
        """What the logarithm of a sum of compiled weights lacks, beside what each query has of its own."""
        powers = sum(factor.length * math.log(size) for factor, size in zip(self.term.factors, self.sizes, strict=True)
                     if size != 1.0)
        return self.log_factor + powers

    @cached_property
    def factors(self):
        """The factors as compiled code takes them, records of shape (n_factors,)."""
        return np.array([(profile.number, float(factor.length), float(factor.offset), size, first, last)
                         for factor, profile, size, (first, last) in
                         zip(self.term.factors, self.profiles, self.sizes, self.spans, strict=True)], FACTOR)

    @cached_property
    def scale(self):
        """One over the length in which each coordinate matters, for cutting; ones where there is one factor."""
        scale = np.zeros(self.query.shape[1])
        for factor, profile, (a, b) in zip(self.term.factors, self.profiles, self.spans, strict=True):
            if not profile.inner:
                scale[a:b] = np.maximum(scale[a:b], 1 / factor.length)
        return np.where(scale > 0, scale, 1.0) if len(self.profiles) > 1 else np.ones(len(scale))

    @cached_property
    def columns(self):
        """The keys as an array of shape (d, n_keys)."""
        return np.ascontiguousarray(self.keys.T)

    @property
    def place(self):
        """What tells this cutting of the keys from another."""
        return self._name, self.scale.tobytes()

    def of(self, index):
        """Return the layout for some of the queries alone."""
        part = object.__new__(Layout)
        vars(part).update(vars(self))
        part.query = self.query[index]
        return part


def _keys_of(factor, centred):
    """Return a factor's keys, minus the first if `centred`: as q·k = q·(k − c) + q·c, large keys keep their digits."""
    keys = to_numpy(factor.keys)
    return keys - keys[0] if centred else keys


def _side_by_side(parts):
    """Return float64 arrays as one, without a copy if there is only one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def widest(points, centre):
    """Return the greatest distance of a point from the centre."""
    squares = (np.square(points[i:i + SLICE] - centre).sum(1).max() for i in range(0, len(points), SLICE))
    return math.sqrt(max(squares, default=0.0))


def aligned(shape, dtype):
    """Return memory for an array that begins where a line of the cache does: vectors across two take twice as long."""
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + LINE, np.uint8)
    skipped = -memory.ctypes.data % LINE
    return memory[skipped:memory.size - LINE + skipped].view(dtype).reshape(shape)


def in_panels(points, wide, width):
    """Return points of shape (m, d) in tiles of panels, (n_tiles, wide/width, d, width), filled up with zeros."""
    m, d = points.shape
    tiles, whole = -(-m // wide), m // wide
    out = aligned((tiles, wide // width, d, width), points.dtype)
    beside = out.swapaxes(2, 3)  # a view in which a point's features are next to each other again
    beside[:whole] = points[:whole * wide].reshape(whole, wide // width, width, d)
    if whole < tiles:
        last = np.zeros((wide, d), points.dtype)
        last[:m - whole * wide] = points[whole * wide:]
        beside[whole] = last.reshape(wide // width, width, d)
    return out


def in_stacks(values, tiles, wide, width, dtype):
    """Return values of shape (n_keys, n_outputs) as (tiles, n_stacks, wide, width), filled up with zeros.

    A stack has as many outputs side by side as a panel has columns, `width`; a tile has `wide` keys.
    """
    n, outputs = values.shape
    stacks, whole = -(-outputs // width), n // wide
    out = aligned((tiles, stacks, wide, width), dtype)
    for stack in range(stacks):
        some, held = values[:, stack * width:(stack + 1) * width], out[:, stack]
        columns = some.shape[1]
        held[:, :, columns:] = 0
        held[:whole, :, :columns] = some[:whole * wide].reshape(whole, wide, columns)
        if whole < tiles:
            held[whole, :n - whole * wide, :columns] = some[whole * wide:]
            held[whole, n - whole * wide:] = 0
    return out
