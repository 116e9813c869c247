"""The Hadamard transform, compiled at the first call and kept on disk for later processes.

H₁ = 1 and H₂ₙ = [[Hₙ, Hₙ], [Hₙ, −Hₙ]]: log₂ n rounds of sums and differences in place of n² products.
"""

from __future__ import annotations

import numpy as np

from locmethods.numerics.compiling import kept

BLOCK = 4096  # numbers of a block, which with its copy stays in a core's own cache
LANES = 16  # a round over neighbours nearer than this fills no vector


@kept
def _rounds(row, length, least):
    """Do the rounds over distances from length/2 down to `least`, two at once while there are two."""
    while length >= 4 * least:
        q = length // 4
        for first in range(0, len(row), length):
            a, b = row[first:first + q], row[first + q:first + 2 * q]
            c, d = row[first + 2 * q:first + 3 * q], row[first + 3 * q:first + 4 * q]
            for j in range(q):
                s, t, u, v = a[j] + b[j], a[j] - b[j], c[j] + d[j], c[j] - d[j]
                a[j], b[j], c[j], d[j] = s + u, t + v, s - u, t - v
        length = q
    if length == 2 * least:
        for first in range(0, len(row), length):
            a, b = row[first:first + least], row[first + least:first + length]
            for j in range(least):
                s, t = a[j], b[j]
                a[j], b[j] = s + t, s - t


@kept
def _transform_block(row, other):
    """Transform a row that stays in the cache; `other` is as long.

    Rounds over near neighbours are done on the transposed row, in which they are far.
    """
    n = len(row)
    if n <= LANES:
        _rounds(row, n, 1)
        return
    m = n // LANES
    _rounds(row, n, LANES)
    for j in range(m):
        for k in range(LANES):
            other[k * m + j] = row[j * LANES + k]
    _rounds(other, n, m)
    for j in range(m):
        for k in range(LANES):
            row[j * LANES + k] = other[k * m + j]


@kept
def transform_rows(rows):
    """Transform each row of a C-contiguous array in place; their length is a power of two."""
    n = rows.shape[1]
    block = min(n, BLOCK)
    other = np.empty(block, rows.dtype)
    for i in range(len(rows)):
        row = rows[i]
        _rounds(row, n, block)
        for first in range(0, n, block):
            _transform_block(row[first:first + block], other)
