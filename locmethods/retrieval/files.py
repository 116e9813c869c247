"""An index in a file: written whole or not at all, and read only if every byte is as it was written.

The file is a line that says what it is, the length of a header, the header (JSON: parameters, kinds and shapes of the
arrays), the arrays one after the other, and the SHA-256 of all that stands before it. Numbers are little-endian.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from locmethods.numerics.files import write_whole
from locmethods.retrieval.postings import Collection

MAGIC = b"locmethods BM25 index, version 1\n"
SIZE, DIGEST = 8, 32  # bytes of the header's length, and of the checksum
KINDS = {"words": "|u1", "lengths": "<i8", "starts": "<i8", "documents": "<i4", "counts": "<i4"}


def write(path, head, words, collection):
    """Write an index beside `path`, see to it that it is on the disk, and give it that name.

    Parameters
    ----------
    path : str or path
    head : dict
        What JSON can hold.
    words : list of str
    collection : Collection
    """
    text = json.dumps(words, ensure_ascii=False).encode("utf-8", "surrogatepass")
    counts = collection.counts
    given = {"words": np.frombuffer(text, np.uint8), "lengths": collection.lengths, "starts": counts.indptr,
             "documents": counts.indices, "counts": counts.data}
    arrays = {name: np.ascontiguousarray(array, KINDS[name]) for name, array in given.items()}
    sizes = {name: len(array) for name, array in arrays.items()}
    header = json.dumps({"head": head, "sizes": sizes}, sort_keys=True).encode()
    pieces = [MAGIC, len(header).to_bytes(SIZE, "little"), header, *map(memoryview, arrays.values())]
    write_whole(path, with_checksum(pieces))


def with_checksum(pieces):
    """Yield pieces of bytes, and after the last the SHA-256 of all."""
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    yield digest.digest()


def read(path):
    """Return the parameters, the words and the collection of an index.

    Raises
    ------
    ValueError
        If the file is no index, or not byte for byte what was written.
    """
    name = os.fspath(path)
    content = Path(path).read_bytes()
    if not content.startswith(MAGIC):
        raise ValueError(f"{name} must be an index that BM25.save has written, version 1, got a file that begins with "
                         f"{content[:len(MAGIC)]!r}")
    body = memoryview(content)[:-DIGEST]
    if len(content) < len(MAGIC) + SIZE + DIGEST or sha256(body).digest() != content[-DIGEST:]:
        raise ValueError(f"{name} must be an index as it was written, got one that is cut off or altered: its "
                         "checksum does not agree")
    start = len(MAGIC) + SIZE
    end = start + int.from_bytes(body[len(MAGIC):start], "little")
    header = json.loads(bytes(body[start:end]))
    arrays = {}
    for key, kind in KINDS.items():
        start, end = end, end + header["sizes"][key] * np.dtype(kind).itemsize
        native = np.dtype(kind).newbyteorder("=")
        arrays[key] = np.frombuffer(body[start:end], kind).astype(native)
    words = json.loads(arrays["words"].tobytes().decode("utf-8", "surrogatepass"))
    shape = len(words), len(arrays["lengths"])
    counts = csr_array((arrays["counts"], arrays["documents"], arrays["starts"]), shape=shape)
    return header["head"], words, Collection(counts, arrays["lengths"])
