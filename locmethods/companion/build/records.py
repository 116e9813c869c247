"""Where records go: small JSON files, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

FOLDER, CHAPTER = "LOCMETHODS_RECORDS", "LOCMETHODS_CHAPTER"


def write_whole(path, content):
    """Write text or bytes to a temporary file beside `path`, then rename: a killed run leaves no half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(temporary, 0o644)  # the temporary file is its owner's alone, the page is not
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path, record):
    """Write `record` as JSON with sorted keys, the same bytes for the same content."""
    write_whole(path, json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def chapter():
    """Return the stem of the chapter being run, or "" in a reader's own session."""
    return os.environ.get(CHAPTER, "")


def folder(kind):
    """Return the folder for records of `kind` of this chapter, or None when nothing is to be written."""
    root = os.environ.get(FOLDER)
    return Path(root) / kind / (chapter() or "unnamed") if root else None
