"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: str | os.PathLike, pieces: Iterable[bytes | memoryview], *, durable: bool = True) -> None:
    """Write bytes to a file beside `path`, which then takes that name: who is killed leaves what was there before.

    Parameters
    ----------
    path : path-like
    pieces : iterable of bytes-like
        Written one after another; each may depend on those before.
    durable : bool, default=True
        Whether to return only when content and name have reached the disk, so that a machine that fails leaves the old
        file or the new one.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # the temporary file is its owner's alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable and hasattr(os, "O_DIRECTORY"):  # the new name must reach the disk too
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
