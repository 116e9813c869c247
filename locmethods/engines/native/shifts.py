"""Local means in windows of a picture, compiled: for each shift of the window, the distances of all patches at once.

The distance between the patches at p and at p + t is a weighted sum of (g(p) − g(p + t))² over the patch. For one
shift t these are a picture of squared differences and a filter of it, so that neighbouring patches share their sums,
and K(p, p + t) serves p and p + t alike: half of the shifts are enough.
"""

from __future__ import annotations

import math

import numpy as np

from locmethods.engines.native.loops import compiled, inlined, inner, larger, power_of_two, whole_vectors
from locmethods.engines.native.profiles import weigh

INTERPOLATED = -1  # the number of a kernel that only windows of pictures have: e^(−x/2), linear between powers of two
BELOW = 60801 / 2**20  # what is taken from the binary logarithm, so that the root mean square error is least


@inlined
def _squares(guide, plane, row, first, shift, out):
    """Write Σ (g(p) − g(p + t))² over channels for as many pixels p of one row as `out` has room for."""
    n = len(out)
    for channel in range(len(guide)):
        here = guide[channel, plane, row, first:first + n]
        there = guide[channel, plane + shift[0], row + shift[1], first + shift[2]:first + shift[2] + n]
        if channel == 0:
            for j in range(n):
                gap = here[j] - there[j]
                out[j] = gap * gap
        else:
            for j in range(n):
                gap = here[j] - there[j]
                out[j] += gap * gap


@inner
def _filtered(rows, kept, begin, profile, out):
    """Write Σ profile[k] · rows[(begin + k) mod `kept`] into `out`, two rows at a time."""
    whole_vectors()
    n, size = len(out), len(profile)
    if size % 2 == 1:
        row, a = rows[begin % kept, :n], profile[0]
        for j in range(n):
            out[j] = a * row[j]
    else:
        row, other, a, b = rows[begin % kept, :n], rows[(begin + 1) % kept, :n], profile[0], profile[1]
        for j in range(n):
            out[j] = a * row[j] + b * other[j]
    for k in range(2 - size % 2, size, 2):
        row, other = rows[(begin + k) % kept, :n], rows[(begin + k + 1) % kept, :n]
        a, b = profile[k], profile[k + 1]
        for j in range(n):
            out[j] += a * row[j] + b * other[j]


@inner
def _along(row, profile, out):
    """Write Σ profile[k] · row[j + k] into out[j], two at a time."""
    whole_vectors()
    n, size = len(out), len(profile)
    if size % 2 == 1:
        a = profile[0]
        for j in range(n):
            out[j] = a * row[j]
    else:
        left, right, a, b = row[:n], row[1:n + 1], profile[0], profile[1]
        for j in range(n):
            out[j] = a * left[j] + b * right[j]
    for k in range(2 - size % 2, size, 2):
        left, right, a, b = row[k:k + n], row[k + 1:k + 1 + n], profile[k], profile[k + 1]
        for j in range(n):
            out[j] += a * left[j] + b * right[j]


@inlined
def _counted(x, surplus, most):
    """Take `surplus` from squared distances, and leave none negative; those beyond `most` become infinite."""
    zero, beyond = x.dtype.type(0), x.dtype.type(math.inf)
    for j in range(len(x)):
        square = larger(x[j] - surplus, zero)
        x[j] = square if square <= most else beyond


@inner
def _interpolate(x):
    """Turn squared distances into 2^⌊z⌋ (1 + z − ⌊z⌋) with z = −x/(2 log 2) − BELOW, in place."""
    whole_vectors()
    one, zero = x.dtype.type(1), x.dtype.type(0)
    slope, below = x.dtype.type(-0.5 / math.log(2)), x.dtype.type(BELOW)
    for j in range(len(x)):
        counts = x[j] < math.inf
        z = (x[j] if counts else zero) * slope - below
        whole = x.dtype.type(math.floor(z))
        weight = power_of_two(whole, one) * (one + z - whole)
        x[j] = weight if counts else zero


@inner
def _add(weight, scale, values, plane, row, first, sums, own_plane, own_row, own_first):
    """Add scale · K · v for a row of pixels to their sums, and scale · K to the last of these."""
    whole_vectors()
    n = len(weight)
    for channel in range(len(values)):
        out = sums[channel, own_plane, own_row, own_first:own_first + n]
        value = values[channel, plane, row, first:first + n]
        for j in range(n):
            out[j] += scale * weight[j] * value[j]
    out = sums[len(values), own_plane, own_row, own_first:own_first + n]
    for j in range(n):
        out[j] += scale * weight[j]


@compiled
def add_shifts(guide, values, sums, begin, end, shifts, factors, profiles, margin, kind, surplus, most):
    """Add Σ K v and Σ K over a window of shifts, for the pixels of one tile.

    Parameters
    ----------
    guide : ndarray of shape (g, planes + 2 (m₀ + a₀), rows + 2 (m₁ + a₁), columns + 2 (m₂ + a₂))
        The picture whose patches are compared, with a border as wide as the margin and half a patch.
    values : ndarray of shape (c, planes + 2 m₀, rows + 2 m₁, columns + 2 m₂)
    sums : ndarray of shape (c + 1, planes, rows, columns)
        Σ K v of each channel and, last, Σ K; those of the tile are added to.
    begin, end : integer ndarray of shape (3,)
        The tile's first pixel and its end.
    shifts : integer ndarray of shape (s, 3)
        Half of the window: of each pair t and −t one, and not t = 0.
    factors : ndarray of shape (s,)
        What K is multiplied by for each shift.
    profiles : tuple of three ndarrays of shape (2 a + 1,)
        The patch's weights along planes, rows and columns.
    margin : integer ndarray of shape (3,)
        m: pixels so far beyond the border are keys as well.
    kind : int
        The number of the kernel's record in `profiles`, for a length of one; or INTERPOLATED.
    surplus, most : floats of the guide's type
        What is taken from squared distances; the greatest that counts.
    """
    whole_vectors()
    across, down, along = profiles
    size = values.shape[1] - 2 * margin[0], values.shape[2] - 2 * margin[1], values.shape[3] - 2 * margin[2]
    one = guide.dtype.type(1)
    width = end[2] - begin[2] + np.abs(shifts[:, 2]).max()
    height = end[1] - begin[1] + np.abs(shifts[:, 1]).max()
    ring = np.empty((len(down), width + len(along)), guide.dtype)
    column = np.empty(width + len(along), guide.dtype)
    planes = np.empty((height if len(across) > 1 else 1, len(across), width), guide.dtype)
    weight = np.empty(width, guide.dtype)
    lo, hi = np.empty(3, np.int64), np.empty(3, np.int64)
    for s in range(len(shifts)):
        shift = shifts[s]
        for axis in range(3):  # where p is to be visited: p or p + t in the tile, and both within the margin
            t = shift[axis]
            lo[axis] = max(-margin[axis], -margin[axis] - t, min(begin[axis], begin[axis] - t))
            hi[axis] = min(size[axis] + margin[axis], size[axis] + margin[axis] - t, max(end[axis], end[axis] - t))
        n = hi[2] - lo[2]
        if n <= 0 or hi[1] <= lo[1] or hi[0] <= lo[0]:
            continue
        x, long = weight[:n], n + len(along) - 1
        for plane in range(lo[0], hi[0] + len(across) - 1):
            for row in range(lo[1], hi[1] + len(down) - 1):
                # In the padded guide, the patch of pixel (plane, row) begins at (plane + margin, row + margin).
                _squares(guide, plane + margin[0], row + margin[1], lo[2] + margin[2], shift,
                         ring[row % len(down), :long])
                here = row - len(down) + 1
                if here < lo[1]:
                    continue
                _filtered(ring, len(down), here, down, column[:long])
                slot = here - lo[1] if len(across) > 1 else 0
                _along(column, along, planes[slot, plane % len(across), :n])
                deep = plane - len(across) + 1
                if deep < lo[0]:
                    continue
                _filtered(planes[slot], len(across), deep, across, x)
                _counted(x, surplus, most)
                if kind == INTERPOLATED:
                    _interpolate(x)
                else:
                    weigh(kind, x, one, one)
                _share(x, factors[s], values, sums, begin, end, margin, deep, here, lo[2], shift)


@inlined
def _share(weight, factor, values, sums, begin, end, margin, plane, row, first, shift):
    """Add a row of K(p, p + t) to the sums of p, with the values at p + t, and the other way round."""
    n = len(weight)
    if begin[0] <= plane < end[0] and begin[1] <= row < end[1]:
        skip, stop = max(begin[2] - first, 0), min(end[2] - first, n)
        if skip < stop:
            _add(weight[skip:stop], factor, values, plane + shift[0] + margin[0], row + shift[1] + margin[1],
                 first + skip + shift[2] + margin[2], sums, plane, row, first + skip)
    there = plane + shift[0], row + shift[1], first + shift[2]
    if begin[0] <= there[0] < end[0] and begin[1] <= there[1] < end[1]:
        skip, stop = max(begin[2] - there[2], 0), min(end[2] - there[2], n)
        if skip < stop:
            _add(weight[skip:stop], factor, values, plane + margin[0], row + margin[1], first + skip + margin[2],
                 sums, there[0], there[1], there[2] + skip)
