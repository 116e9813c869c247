"""What must be run again: a chapter's outputs depend on its code, on what that imports, and on the lock."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

from locmethods.companion.build import pages
from locmethods.companion.build.compare import differences
from locmethods.companion.build.imports import Modules, parse

# What turns a page's code into what the site shows: its outputs depend on this as on what the page imports.
RUNNER = "from locmethods.companion.build import notebooks"
CLAIMS = "locmethods.companion.claims"


def code_of(page, cells):
    """Return the code of a page's cells, and of what they check, as one syntax tree.

    Raises
    ------
    BookError
        If a cell is not Python, with its line.
    """
    body = []
    for number, cell in enumerate(cells, start=1):
        body += parse(cell.source, f"{pages.name_of(page)}, code cell {number}",
                      lambda number=number: pages.line_of(page, number)).body
    # What check runs is loaded by the page's stem, which no import says; a page without claims has no such module.
    return ast.Module(body + ast.parse(f"import {CLAIMS}.{page.stem}").body, [])


def fingerprint(root, page, modules=None):
    """Return a hash of everything that a chapter's outputs depend on; its prose is not among it.

    Parameters
    ----------
    root, page : path
    modules : Modules, optional
        The package as it stands, to read it once for many chapters.
    """
    root, modules = Path(root), modules or Modules(root)
    cells = pages.code_cells(pages.read(page))
    tree = code_of(page, cells)
    tree.body += ast.parse(RUNNER).body
    code = json.dumps([(cell.source, cell.metadata.get("tags", [])) for cell in cells])
    digest = hashlib.sha256(code.encode())
    for lock in (root / "requirements.lock", root / "torch.lock"):
        digest.update(b"\0" + (lock.read_bytes() if lock.exists() else b""))
    for module in sorted(modules.reached(tree)):
        digest.update(f"\0{module}\0{modules.source(module)}".encode())
    return digest.hexdigest()


def stamp(root, page):
    """Return the file that says which fingerprint the outputs of a chapter's last run have."""
    return Path(root) / "_build" / "records" / f"{page.stem}.stamp"


def is_stale(root, page, modules=None):
    """Return True unless the chapter has been run, to its end, as it now stands."""
    mark, now = stamp(root, page), fingerprint(root, page, modules)
    return not (mark.exists() and mark.read_text().split("\n")[0] == now)


def frozen(page):
    """Return the file of a chapter's frozen notebook."""
    return page.parent / "notebooks" / f"{page.stem}.ipynb"


def checked(root, page):
    """Return the file that says as what a chapter was when its frozen notebook last agreed with a run."""
    return Path(root) / "_build" / "checked" / page.stem


def as_checked(root, page, modules=None):
    """Return a hash of what decides whether a frozen notebook agrees with a run: the chapter and the notebook."""
    kept = frozen(page).read_bytes() if frozen(page).exists() else b""
    return hashlib.sha256(fingerprint(root, page, modules).encode() + kept).hexdigest()


def due(root):
    """Return the chapters whose frozen notebooks have not agreed with a run since something of either changed.

    A run that the book has made counts, if it is of the chapter as it stands: its outputs are compared here.
    """
    modules, found = Modules(root), []
    for page in pages.chapters(root):
        mark, now = checked(root, page), as_checked(root, page, modules)
        if not (mark.exists() and mark.read_text() == now):
            if is_stale(root, page, modules) or not agrees(root, page):
                found.append(page)
    return found


def agrees(root, page):
    """Return True if the book's last run of a chapter gave what is frozen."""
    import nbformat

    run = Path(root) / "_build" / "executed" / f"{page.stem}.ipynb"
    if not (run.exists() and frozen(page).exists()):
        return False
    ours, theirs = (pages.code_cells(nbformat.read(file, as_version=4)) for file in (frozen(page), run))
    return [cell.source for cell in ours] == [cell.source for cell in theirs] and not any(
        differences(cell.outputs, other.outputs) for cell, other in zip(ours, theirs, strict=True))
