"""Where records go: small JSON files, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from locmethods.numerics import files

FOLDER, CHAPTER = "LOCMETHODS_RECORDS", "LOCMETHODS_CHAPTER"


def write_whole(path, content):
    """Write text or bytes whole or not at all, into a folder that is made if need be."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, [content if isinstance(content, bytes) else content.encode()], durable=False)


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
