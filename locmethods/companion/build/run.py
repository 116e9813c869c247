"""Run chapters, for the book, to be frozen, or to try other parameters.

Each chapter runs in a process of its own, as many at once as there are cores, the threads shared out. A
chapter's stamp is written last, so whatever a killed run leaves behind is run again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from locmethods.companion.build import notebooks, pages, records, stale
from locmethods.companion.build.imports import Modules

# Kept apart: what stands in executed belongs to the chapter's stamp.
FOLDERS = {"book": "executed", "freeze": "frozen"}


def build(root):
    """Return the folder of everything that is generated."""
    return Path(root) / "_build"


def forget(root, page):
    """Delete what an earlier run of the chapter left: no record outlives the code that made it."""
    stale.stamp(root, page).unlink(missing_ok=True)
    for kind in ("claims", "figures"):
        shutil.rmtree(build(root) / "records" / kind / page.stem, ignore_errors=True)
    (build(root) / "records" / "runs" / f"{page.stem}.json").unlink(missing_ok=True)


def find(root, name):
    """Return the chapter with the stem `name`."""
    every = pages.chapters(root)
    found = next((page for page in every if page.stem == name), None)
    if found is None:
        raise pages.BookError(f"there is no chapter {name}; there are {', '.join(page.stem for page in every)}")
    return found


def chosen(root, names=()):
    """Return the chapters with these stems, all without any."""
    return [find(root, name) for name in names] if names else pages.chapters(root)


def parameters_of(page):
    """Return the names that a chapter's first cell assigns: its parameters."""
    cell = next((cell for cell in pages.code_cells(pages.read(page)) if "parameters" in cell.metadata.get("tags", [])),
                None)
    statements = ast.parse(cell.source).body if cell is not None else []
    targets = [target for one in statements if isinstance(one, ast.Assign) for target in one.targets]
    targets += [one.target for one in statements if isinstance(one, ast.AnnAssign)]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def try_one(root, name, parameters):
    """Run one chapter with other parameters, into a notebook that the book does not know of.

    Raises
    ------
    BookError
        If the chapter has no such parameter.
    """
    page = find(root, name)
    known = parameters_of(page)
    if unknown := [parameter for parameter in parameters if parameter not in known]:
        raise pages.BookError(f"{pages.name_of(page)} has no parameter {', '.join(unknown)}; it has "
                              f"{', '.join(known) or 'none'}")
    kept = notebooks.environment(root, page)
    for variable in (records.FOLDER, records.CHAPTER):  # a trial leaves no record for the book
        kept.pop(variable)
        os.environ.pop(variable, None)
    os.environ.update(kept)
    out = build(root) / "trials" / f"{name}.ipynb"
    notebooks.execute(page, parameters, out)
    print(f"written to {out.relative_to(root)}")


def end_with_parent():
    """End this process within a second of its parent's end: a chapter whose runner was killed writes no records.

    The chapter's kernel watches this process in the same way (ipykernel sees to that), so it ends as well.
    """
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="end with the runner", daemon=True).start()


def run_one(root, name, command):
    """Run one chapter in this process, for the book or to be frozen."""
    page = find(root, name)
    began = time.perf_counter()
    fingerprint = stale.fingerprint(root, page)  # before the run: an edit meanwhile makes it stale
    done = notebooks.execute(page, {}, build(root) / FOLDERS[command] / f"{name}.ipynb")
    if command == "freeze":
        return notebooks.freeze(done, page.parent / "notebooks" / f"{name}.ipynb")
    from locmethods.companion.build.figures import versions

    records.write_json(build(root) / "records" / "runs" / f"{name}.json", {
        "chapter": name, "parameters": _parameters_of(done), "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": ".".join(map(str, sys.version_info[:3]))} | versions()})
    notebooks.to_site(root, page, done)
    outputs = hashlib.sha256(json.dumps([cell.outputs for cell in pages.code_cells(done)]).encode()).hexdigest()
    records.write_whole(stale.stamp(root, page), f"{fingerprint}\n{outputs}\n")


def _parameters_of(notebook):
    """Return the source of the cell that holds the chapter's parameters."""
    return next((cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])), "")


def _spawn(root, page, command):
    """Run a chapter in a process of its own; return (seconds, what it said if it failed)."""
    began, variables = time.perf_counter(), notebooks.environment(root, page)
    if command != "book":
        variables.pop(records.FOLDER)  # the records are those of the book's run
    done = subprocess.run([sys.executable, "-m", "locmethods.companion", "one", page.stem, "--as", command,
                           "--root", str(root)], env=variables, capture_output=True, text=True)
    return time.perf_counter() - began, (done.stderr or done.stdout) if done.returncode else ""


def run_all(root, todo, command, jobs):
    """Run chapters side by side and report each as it ends.

    Raises
    ------
    BookError
        If chapters failed; the others have run.
    """
    jobs = max(1, min(jobs, len(todo)))
    failed = []
    if command == "book":
        for page in todo:
            forget(root, page)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_spawn, root, page, command): page for page in todo}
        for number, done in enumerate(as_completed(waiting), start=1):
            page, (seconds, said) = waiting[done], done.result()
            print(f"[{number}/{len(todo)}] {page.stem:<16} {'FAILED' if said else 'done'} after {seconds:.0f} s",
                  flush=True)
            if said:
                failed.append(page.stem)
                print(said.strip()[-3000:], file=sys.stderr, flush=True)
    if failed:
        raise pages.BookError(f"{len(failed)} of {len(todo)} chapters failed: {', '.join(failed)}")


def run_chapters(root, names=(), *, command="book", jobs=1, force=False):
    """Run the chapters that are named, all by default: for the book only those that are stale, unless `force`."""
    every, todo = pages.chapters(root), chosen(root, names)
    if command == "book" and not force:
        modules = Modules(root)
        todo = [page for page in todo if stale.is_stale(root, page, modules)]
    print(f"{len(todo)} of {len(every)} chapters to run{': ' if todo else ''}{', '.join(page.stem for page in todo)}",
          flush=True)
    if todo:
        run_all(root, todo, command, jobs)
