"""Run the chapters: `python -m locmethods.companion book`, `freeze`, `try`.

Each chapter runs in a process of its own, as many at once as there are cores, the threads shared out. A
chapter's stamp is written last, so whatever a killed run leaves behind is run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from locmethods.companion.build import notebooks, records

JUPYTER_BOOK = "1.0.4.post1"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def build(root):
    """Return the folder of everything that is generated."""
    return Path(root) / "_build"


def stamp(root, page):
    """Return the file that says which fingerprint a chapter's outputs have."""
    return build(root) / "records" / f"{page.stem}.stamp"


def is_stale(root, page):
    """Return True unless the chapter has been run, to its end, as it now stands."""
    mark = stamp(root, page)
    return not (mark.exists() and mark.read_text().split("\n")[0] == notebooks.fingerprint(root, page))


def forget(root, page):
    """Delete what an earlier run of the chapter left: no record outlives the code that made it."""
    stamp(root, page).unlink(missing_ok=True)
    for kind in ("claims", "figures"):
        shutil.rmtree(build(root) / "records" / kind / page.stem, ignore_errors=True)
    (build(root) / "records" / "runs" / f"{page.stem}.json").unlink(missing_ok=True)


def environment(root, page, threads):
    """Return the environment of a chapter's process and its kernel."""
    return os.environ | dict.fromkeys(_THREADS, str(threads)) | {
        records.FOLDER: str(build(root) / "records"), records.CHAPTER: page.stem, "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1", "IPYTHONDIR": str(build(root) / "ipython"), "MPLBACKEND": "agg",
        "SCIPY_ARRAY_API": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PATH": os.pathsep.join([os.path.join(sys.prefix, "share", "jupyter"),
                                         os.environ.get("JUPYTER_PATH", "")]).rstrip(os.pathsep)}


def execute(page, parameters, out):
    """Execute a page with papermill, in this process's environment, into `out`; return the notebook.

    Raises
    ------
    SystemExit
        With the page, the cell, its line and the error, if a cell raises.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = notebooks.read(page)
    cells = notebooks.code_cells(notebook)
    unfinished = out.with_name(f".{out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = papermill.execute_notebook(
            notebook, str(unfinished), parameters=parameters or None, kernel_name="python3", language="python",
            cwd=str(page.parent), progress_bar=False, start_timeout=180, execution_timeout=1800,
            extra_arguments=["--IPKernelApp.log_level=40"])
    except PapermillExecutionError as error:
        # By its source: papermill counts the cell that it injected, too.
        numbers = [number for number, cell in enumerate(cells, start=1) if cell.source == error.source]
        place = (f"code cell {numbers[0]} (line {notebooks.line_of(page, numbers[0])})" if numbers
                 else "the cell of the given parameters")
        raise SystemExit(f"{page.parent.name}/{page.name}, {place} raised {error.ename}: {error.evalue}") from None
    os.replace(unfinished, out)
    return done


def run_one(root, name, command, parameters):
    """Run one chapter in this process: for the book, to be frozen, or to try other parameters."""
    page = next((page for page in notebooks.chapters(root) if page.stem == name), None)
    if page is None:
        raise SystemExit(f"there is no chapter {name!r}; there are {[p.stem for p in notebooks.chapters(root)]}")
    if command == "try":
        out = build(root) / "trials" / f"{name}.ipynb"
        execute(page, parameters, out)
        return print(f"written to {out.relative_to(root)}")
    began = time.perf_counter()
    fingerprint = notebooks.fingerprint(root, page)  # before the run: an edit meanwhile makes it stale
    done = execute(page, {}, build(root) / "executed" / f"{name}.ipynb")
    if command == "freeze":
        return notebooks.freeze(done, page.parent / "notebooks" / f"{name}.ipynb")
    from locmethods.companion.build.figures import versions

    records.write_json(build(root) / "records" / "runs" / f"{name}.json", {
        "chapter": name, "parameters": _parameters_of(done), "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": ".".join(map(str, sys.version_info[:3]))} | versions()})
    notebooks.to_site(root, page, done)
    outputs = hashlib.sha256(json.dumps([cell.outputs for cell in notebooks.code_cells(done)]).encode()).hexdigest()
    records.write_whole(stamp(root, page), f"{fingerprint}\n{outputs}\n")


def _parameters_of(notebook):
    """Return the source of the cell that holds the chapter's parameters."""
    return next((cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])), "")


def _spawn(root, page, command, threads):
    """Run a chapter in a process of its own; return (seconds, what it said if it failed)."""
    began, variables = time.perf_counter(), environment(root, page, threads)
    if command != "book":
        variables.pop(records.FOLDER)  # the records are those of the book's run
    done = subprocess.run([sys.executable, "-m", "locmethods.companion", "one", page.stem, "--as", command,
                           "--root", str(root)], env=variables, capture_output=True, text=True)
    return time.perf_counter() - began, (done.stderr or done.stdout) if done.returncode else ""


def run_all(root, pages, command, jobs):
    """Run chapters side by side and report each as it ends; return the stems of those that failed."""
    jobs = max(1, min(jobs, len(pages)))
    threads = max(1, (os.cpu_count() or 1) // jobs)
    failed = []
    if command == "book":
        for page in pages:
            forget(root, page)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_spawn, root, page, command, threads): page for page in pages}
        for number, done in enumerate(as_completed(waiting), start=1):
            page, (seconds, said) = waiting[done], done.result()
            print(f"[{number}/{len(pages)}] {page.stem:<16} {'FAILED' if said else 'done'} after {seconds:.0f} s",
                  flush=True)
            if said:
                failed.append(page.stem)
                print(said.strip()[-3000:], file=sys.stderr, flush=True)
    return failed


def check_jupyter_book():
    """Stop unless the pinned Jupyter Book is installed: version 2 reads other files and builds nothing of ours."""
    from importlib.metadata import version

    found = version("jupyter-book")
    if found != JUPYTER_BOOK:
        raise SystemExit(f"this book is built by jupyter-book {JUPYTER_BOOK}, but {found} is installed: "
                         "run make clean, then make book")


def main(arguments=None):
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m locmethods.companion", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["book", "freeze", "try", "one"],
                        help="book: run what is stale; freeze: record the outputs; try: run with other parameters")
    parser.add_argument("chapters", nargs="*", help="stems of pages; all by default")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--force", action="store_true", help="run also what is not stale")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--root", type=Path, default=Path.cwd())
    parser.add_argument("--as", dest="purpose", default="book", help=argparse.SUPPRESS)
    chosen = parser.parse_intermixed_args(arguments)
    check_jupyter_book()
    root = chosen.root.resolve()
    if chosen.command == "one":
        return run_one(root, chosen.chapters[0], chosen.purpose, {})
    every = notebooks.chapters(root)
    unknown = set(chosen.chapters) - {page.stem for page in every}
    if unknown:
        parser.error(f"there is no chapter {', '.join(sorted(unknown))}; there are {', '.join(p.stem for p in every)}")
    if chosen.command == "try":
        if len(chosen.chapters) != 1:
            parser.error("try takes one chapter, and parameters as -p NAME VALUE")
        page = next(page for page in every if page.stem == chosen.chapters[0])
        kept = environment(root, page, os.cpu_count() or 1)
        kept.pop(records.FOLDER), kept.pop(records.CHAPTER)  # a trial leaves no record for the book
        for name in (records.FOLDER, records.CHAPTER):
            os.environ.pop(name, None)
        os.environ.update(kept)
        return run_one(root, page.stem, "try", {name: _value(text) for name, text in chosen.parameter})
    todo = [page for page in every if not chosen.chapters or page.stem in chosen.chapters]
    if chosen.command == "book" and not chosen.force:
        todo = [page for page in todo if is_stale(root, page)]
    print(f"{len(todo)} of {len(every)} chapters to run{': ' if todo else ''}{', '.join(page.stem for page in todo)}",
          flush=True)
    failed = run_all(root, todo, chosen.command, chosen.jobs) if todo else []
    if failed:
        raise SystemExit(f"{len(failed)} of {len(todo)} chapters failed: {', '.join(failed)}")


def _value(text):
    """Return a parameter's value: JSON where it is JSON, text otherwise."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
