"""Run the book: `python -m locmethods.companion book`, `run`, `freeze`, `try`, `due`, `readme`, `tidy`,
`sabotage`, `pdf`, `epub`, `archive`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from locmethods.companion.build import archive, book, cells, epub, lists, metadata, pages, printed, run, stale
from locmethods.companion.build.pages import BookError

COMMANDS = ("book", "run", "freeze", "try", "due", "readme", "tidy", "sabotage", "pdf", "epub", "archive")
HELP = ("book: run what is stale and build the site; run: only run what is stale; freeze: record the outputs; "
        "try: run one chapter with other parameters; due: name the frozen notebooks that wait for a check; "
         "readme: write the README's table of chapters, the stub of the package's door, and what archives read; "
         "tidy: format the chapters' cells; "
         "sabotage: break what the chapters present, and write down which claim notices; "
         "pdf, epub: the book for paper and for reading devices, from the site; archive: the site with checksums")


def arguments_of(words):
    """Return the command line, read."""
    parser = argparse.ArgumentParser(prog="python -m locmethods.companion", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=[*COMMANDS, "one"], help=HELP)
    parser.add_argument("chapters", nargs="*", help="stems of pages, all by default; of try, NAME=VALUE, too")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
                        help="of try: the same as NAME=VALUE")
    parser.add_argument("--force", action="store_true", help="run also what is not stale")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--at-most", type=int, default=None, metavar="N", help="of due: name N, tell how many are left")
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument("--as", dest="purpose", default="book", help=argparse.SUPPRESS)
    chosen = parser.parse_intermixed_args(words)
    if chosen.command == "try":
        chosen.parameter += [word.split("=", 1) for word in chosen.chapters if "=" in word]
        chosen.chapters = [word for word in chosen.chapters if "=" not in word]
        names = [name for name, _ in chosen.parameter]
        if len(chosen.chapters) != 1:
            parser.error("try takes one chapter, and its parameters as NAME=VALUE or -p NAME VALUE")
        if len(set(names)) < len(names):
            parser.error(f"each parameter is given once, got {' '.join(names)}")
    return chosen


def main(words=None):
    """Do what the command line says."""
    chosen = arguments_of(words)
    root = chosen.root.resolve()
    try:
        book.check_jupyter_book()
        if chosen.command == "one":
            run.end_with_parent()
            run.run_one(root, chosen.chapters[0], chosen.purpose)
        elif chosen.command == "try":
            run.try_one(root, chosen.chapters[0], {name: _value(text) for name, text in chosen.parameter})
        elif chosen.command == "due":
            name_due(root, chosen.at_most)
        elif chosen.command == "readme":
            lists.write_readme(root)
            lists.write_door(root)
            metadata.write(root)
        elif chosen.command == "tidy":
            tidy(root, chosen.chapters)
        elif chosen.command == "sabotage":
            sabotage(root, chosen.chapters)
        elif chosen.command == "pdf":
            printed.make(root)
        elif chosen.command == "epub":
            epub.make(root)
        elif chosen.command == "archive":
            archive.make(root)
        elif chosen.command == "book":
            book.check_sources(root)
            run.run_chapters(root, jobs=chosen.jobs, force=chosen.force)
            book.build_site(root)
        else:
            purpose = "freeze" if chosen.command == "freeze" else "book"
            run.run_chapters(root, chosen.chapters, command=purpose, jobs=chosen.jobs, force=chosen.force)
    except BookError as error:
        raise SystemExit(str(error)) from None


def name_due(root, at_most):
    """Print the frozen notebooks that wait for a check, `at_most` of them, and tell of the others."""
    waiting = stale.due(root)
    for page in waiting[:at_most]:
        print(stale.frozen(page).relative_to(root))
    if later := waiting[len(waiting[:at_most]):]:
        print(f"{len(later)} more chapters have changed since their frozen notebooks last agreed with a run: "
              f"{', '.join(page.stem for page in later)}. make book or make test-all runs them.", file=sys.stderr)


def tidy(root, names):
    """Format the cells of the chapters that are named, all by default, and print what the linter says of them."""
    for page in run.chosen(root, names):
        cells.tidy(page)
        if said := cells.complaints(page):
            print(f"{pages.name_of(page)}:\n{said}")


def sabotage(root, names):
    """Break what the chapters that are named present, all by default, and write down who noticed."""
    from locmethods.companion import claims
    from locmethods.companion.checking import sabotage, wreckage

    for page in run.chosen(root, names):
        if page.stem in claims.WITHOUT:
            continue
        findings = sabotage.sabotage(page)
        wreckage.keep(root, page.stem, findings)
        unseen = [f"{one.name}, {one.how}" for one in findings if not one.noticed]
        print(f"{page.stem}: {len(findings)} things broken, {len(unseen)} unnoticed{': ' if unseen else ''}"
              f"{'; '.join(unseen)}", flush=True)


def _value(text):
    """Return a parameter's value: JSON where it is JSON, text otherwise."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


if __name__ == "__main__":
    main()
