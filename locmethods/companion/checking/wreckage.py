"""What was broken and who noticed, as it is kept: book/sabotage.json, a lock file like the frozen notebooks."""

from __future__ import annotations

import json
from pathlib import Path

from locmethods.companion.build.records import write_json


def file_of(root):
    """Return the file that holds the findings of all pages."""
    return Path(root) / "book" / "sabotage.json"


def kept(root):
    """Return {stem: [(name, how, noticed), …]}, empty if nothing was kept."""
    file = file_of(root)
    found = json.loads(file.read_text()) if file.exists() else {}
    return {stem: [tuple(row) for row in rows] for stem, rows in found.items()}


def keep(root, stem, findings):
    """Write down the findings of a page in place of its earlier ones."""
    write_json(file_of(root), kept(root) | {stem: [list(one) for one in findings]})
