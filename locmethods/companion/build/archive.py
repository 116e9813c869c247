"""Archives whose bytes depend on what is in them alone, and the checksums by which it is known again."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

from locmethods.companion.build import metadata
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.records import write_whole

SUMS = "SHA256SUMS"
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP file can name


def add(archive, name, content, stored=False):
    """Add a file to an archive that is being written, without the time and the rights that it has here."""
    entry = zipfile.ZipInfo(name, _BEGINNING)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def zipped(files, stored=None):
    """Return {file: bytes} as a ZIP archive, the same bytes whenever it is made; `stored` comes first, as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (stored or {}).items():
            add(archive, name, content, stored=True)
        for name, content in sorted(files.items()):
            add(archive, name, content)
    return out.getvalue()


def digest(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(paths, top):
    """Return what ``sha256sum --check`` reads: a line for each file, by its name below `top`."""
    return "".join(f"{digest(path)}  {path.relative_to(top).as_posix()}\n" for path in paths)


def make(root):
    """Write the site as an archive with the checksums of its files, and beside it the checksums of all that is there.

    Raises
    ------
    BookError
        If there is no site.
    """
    site, folder = Path(root) / "_build" / "html", Path(root) / "_build" / "archive"
    if not (site / "index.html").exists():
        raise BookError("there is no book in _build/html: run make book first")
    name, version = metadata.project(root)["name"], metadata.release(root)[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = sorted(path for path in site.rglob("*") if path.is_file())
    unfinished, target = folder / ".site.zip", folder / f"{name}-{version}-site.zip"
    with zipfile.ZipFile(unfinished, "w") as archive:
        for path in files:
            add(archive, f"{name}-{version}/{path.relative_to(site).as_posix()}", path.read_bytes())
        add(archive, f"{name}-{version}/{SUMS}", sums(files, site))
    os.replace(unfinished, target)
    for made in sorted((site / "downloads").glob(f"{name}.*")):  # the whole book as PDF and as EPUB
        shutil.copyfile(made, folder / f"{name}-{version}{made.suffix}")
    write_whole(folder / SUMS, sums(sorted(folder.iterdir()), folder))
    print(f"written to {folder.relative_to(root)}: {len(files)} files of the site; {SUMS} has the checksums")
