"""The site: checked before it is begun, built aside by Jupyter Book, and put into its place when it is complete."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from locmethods.companion.build import family, pages, publication
from locmethods.companion.build.pages import BookError

JUPYTER_BOOK = "1.0.4.post1"
DONE = "LOCMETHODS_CHAPTERS_DONE"


def check_jupyter_book():
    """Stop unless the pinned Jupyter Book is installed: version 2 reads other files and builds nothing of ours."""
    from importlib.metadata import version

    found = version("jupyter-book")
    if found != JUPYTER_BOOK:
        raise BookError(f"this book is built by jupyter-book {JUPYTER_BOOK}, but {found} is installed: "
                        "run make clean, then make book")


def measurements(root):
    """Return the committed measurements of the page on cost.

    Raises
    ------
    BookError
        If ``benchmarks/results.json`` is missing, is not JSON, or lacks what the page shows.
    """
    name, remedy = "benchmarks/results.json", "take the committed file again, or delete it and measure with make bench"
    file = Path(root) / name
    if not file.exists():
        raise BookError(f"there is no {name}, which the page on cost shows: {remedy}")
    try:
        results = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise BookError(f"{name}, line {error.lineno}, is not JSON: {error.msg}; {remedy}") from None
    try:
        results["machine"]["versions"].items()
        for row in results["rows"].values():
            row["title"], row["contenders"]["locmethods"]
            for record in row["contenders"].values():
                float(record["seconds"] + record["peak_bytes"] + record["ratio"])
    except (AttributeError, KeyError, TypeError):
        raise BookError(f"{name} must hold a machine, and rows with title, contenders, seconds, peak_bytes and ratio: "
                        f"{remedy}") from None
    return results


def check_sources(root):
    """Stop with a sentence if a file that the site is made of is missing or can't be read."""
    check_jupyter_book()
    pages.pages(root)
    measurements(root)
    family.methods(root)
    publication.place(root)


def check_complete(root, site):
    """Stop unless the site has exactly the pages of `_toc.yml`: a build that skipped one must not pass."""
    wanted = {str(page.relative_to(root).with_suffix(".html")) for page in pages.pages(root)}
    built = {str(page.relative_to(site)) for page in (site / "book").glob("*.html")}
    if wanted != built:
        raise BookError(f"the site has not the pages of _toc.yml: missing {sorted(wanted - built)}, "
                        f"not in it {sorted(built - wanted)}; run make clean, then make book")
    return len(built)


def build_site(root):
    """Build the site from the chapters' runs, and put it into ``_build/html`` when it is whole.

    Raises
    ------
    BookError
        If Jupyter Book fails or leaves a page out; ``_build/html`` is then as it was.
    """
    work = Path(root) / "_build" / "site"
    whole = work / "whole"
    if not whole.exists():  # pages that a failed or killed build left are not to be believed
        shutil.rmtree(work, ignore_errors=True)
    whole.unlink(missing_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    print("building the site", flush=True)
    done = subprocess.run([sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", ".",
                           "--path-output", str(work), "-W", "--keep-going", "-q"], cwd=root,
                          env=os.environ | {DONE: "1"}, stdout=subprocess.PIPE, text=True)
    if done.returncode:  # its own words name the folder where it works
        print(done.stdout, file=sys.stderr)
        raise BookError("the site was not built, see above; what stands in _build/html is as it was")
    number = check_complete(root, work / "_build" / "html")
    publication.leave_files(root, work / "_build" / "html")
    whole.touch()
    publish(work / "_build" / "html", Path(root) / "_build" / "html")
    print(f"{number} pages, as many as _toc.yml has\n"
          "The book is ready: open _build/html/index.html in a browser.", flush=True)


def publish(built, place):
    """Put a copy of a folder into its place, by renaming: nobody sees half of it."""
    new, old = place.with_name(f".{place.name}-new"), place.with_name(f".{place.name}-old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(built, new)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)
