"""The file: a header that says how its codes were made, the codes in as few bits as they have, and a checksum.

All numbers are little-endian. At first the mark of eight bytes and the version; then the numbers of `HEADER`, the
length of each axis of a picture, the codes (each step's indices, then its coefficients, highest bits first, steps and
pictures one after another, zeros up to the last full byte), and sixteen bytes of the SHA-256 of all that stands before.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

import numpy as np

from locmethods.ddcm.schedules import index_bits, payload_bits

MARK = b"\x89DDCM\r\n\x1a"  # no text, and spoilt by who converts the ends of lines
VERSION = 1
FIRST = struct.Struct("<8sH")
HEADER = struct.Struct("<HQIIHHBQ16s")
AXIS = struct.Struct("<I")
CHECKSUM = 16


class Settings(NamedTuple):
    """What a codec is made with, as far as its codes depend on it."""

    shape: tuple
    n_steps: int
    n_codes: int
    n_atoms: int
    coefficient_bits: int
    rule: str
    shared: bool
    seed: int


def pack(codes, settings, fingerprint):
    """Return codes of shape (n, T − 1, 2M − 1) as the bytes of a file."""
    head = FIRST.pack(MARK, VERSION) + HEADER.pack(
        len(settings.shape), len(codes), settings.n_steps, settings.n_codes, settings.n_atoms,
        settings.coefficient_bits, settings.shared, settings.seed, fingerprint)
    axes = b"".join(AXIS.pack(side) for side in settings.shape)
    flat = codes.reshape(-1, codes.shape[-1])
    bits = [np.unpackbits(flat[:, [j]].astype(">u4").view(np.uint8), axis=1)[:, 32 - width:]
            for j, width in enumerate(widths(settings))]
    body = head + axes + np.packbits(np.concatenate(bits, axis=1)).tobytes()
    return body + checksum(body)


def widths(settings):
    """Return how many bits each number of a step takes."""
    further = settings.n_atoms - 1
    return [index_bits(settings.n_codes)] * settings.n_atoms + [settings.coefficient_bits] * further


def checksum(body):
    return hashlib.sha256(body).digest()[:CHECKSUM]


def unpack(data):
    """Return (settings, fingerprint, codes) of a file's bytes; the rule, which no file keeps, is "".

    Raises
    ------
    ValueError
        If they are none of ours, of another version, cut short, too long, or altered.
    """
    if data[:len(MARK)] != MARK[:len(data)]:
        raise ValueError(f"the data are no file of a codec: they begin with {data[:len(MARK)]!r}")
    need(data, FIRST.size)
    _, version = FIRST.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"the file must be of version {VERSION}, got version {version}, or the file is damaged")
    need(data, FIRST.size + HEADER.size)
    n_axes, n, n_steps, n_codes, n_atoms, coefficient_bits, shared, seed, fingerprint = HEADER.unpack_from(
        data, FIRST.size)
    if min(n_axes, n, n_codes, n_atoms, coefficient_bits) < 1 or n_steps < 2:
        raise ValueError("the file is damaged: its header speaks of nothing")
    body = FIRST.size + HEADER.size + n_axes * AXIS.size
    each = payload_bits(n_steps, n_codes, n_atoms, coefficient_bits)
    whole = body + -(-n * each // 8) + CHECKSUM
    need(data, whole)
    if len(data) > whole:
        raise ValueError(f"the file is damaged: its header says {whole} bytes, and it has {len(data)}")
    if checksum(data[:-CHECKSUM]) != data[-CHECKSUM:]:
        raise ValueError("the file is damaged: its content is not what its checksum says")
    shape = tuple(AXIS.unpack_from(data, FIRST.size + HEADER.size + j * AXIS.size)[0] for j in range(n_axes))
    settings = Settings(shape, n_steps, n_codes, n_atoms, coefficient_bits, "", bool(shared), seed)
    rows = n * (n_steps - 1)
    bits = np.unpackbits(np.frombuffer(data[body:-CHECKSUM], np.uint8))[:n * each].reshape(rows, sum(widths(settings)))
    codes, first = np.zeros((rows, 2 * n_atoms - 1), dtype=np.int64), 0
    for j, width in enumerate(widths(settings)):
        for bit in bits[:, first:first + width].T:
            codes[:, j] = 2 * codes[:, j] + bit
        first += width
    return settings, fingerprint, codes.reshape(n, n_steps - 1, -1)


def need(data, length):
    """Raise ValueError if a file ends before its header lets it."""
    if len(data) < length:
        raise ValueError(f"the file is cut short: it has {len(data)} bytes, and must have {length} at least")
