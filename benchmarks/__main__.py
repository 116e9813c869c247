"""``python -m benchmarks [row ...]``: measure rows, compare ratios with the committed ones, write results.json.

Each measurement is a process of its own, with the threads fixed before anything is imported: data are made, a first
call warms up on a sliver of them where that is possible, the second is timed. Contenders take turns, so that a slow
minute of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.memory import peak
from benchmarks.rows import ROWS, SUBJECTS
from locmethods.companion.build.book import measurements
from locmethods.companion.build.pages import BookError

RESULTS = Path(__file__).with_name("results.json")
THREADS = 2
SLIVER = 2100  # points: enough that most engines are loaded
SHORT = 5.0  # seconds: a shorter call is timed twice, for one that first loads compiled code measures the loading
LIMIT = "limit"
GUARD = 0.6  # a ratio to a peer below this share of the committed one is a regression: timings wander by a third


def sliver(part):
    """Return the first of an array's rows; a number is left as it is."""
    return part[:SLIVER] if isinstance(part, np.ndarray) else part


def timed(contender, data):
    """Return how many seconds a call takes, and its answer."""
    start = time.perf_counter()
    answer = contender(data)
    return time.perf_counter() - start, answer


def measure(row, contender, out):
    """Do a row's task once in this process; leave the answer in `out` and print seconds and peak memory."""
    import torch

    torch.set_num_threads(THREADS)
    task = ROWS[row]
    data = task.data()
    if contender == LIMIT:
        print(json.dumps({"seconds": task.limit()}))
        return
    small = tuple(map(sliver, data)) if isinstance(data, tuple) else sliver(data)
    task.contenders[contender](small)  # warm-up: imports, thread pools, compiled loops
    seconds, answer = timed(task.contenders[contender], data)
    if seconds < SHORT:
        seconds = min(seconds, timed(task.contenders[contender], data)[0])
    np.save(out, answer)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak()}))


def _child(row, contender, folder):
    """Measure in a fresh process; return its record and its answer."""
    threads = {f"{name}_NUM_THREADS": str(THREADS) for name in ("OMP", "MKL", "OPENBLAS")}
    out = Path(folder) / "answer.npy"
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--measure", row, contender, str(out)], check=True,
                          capture_output=True, text=True, env=os.environ | threads)
    return json.loads(done.stdout.splitlines()[-1]), None if contender == LIMIT else np.load(out)


def run(name):
    """Measure one row; raise RuntimeError if a peer's answer is another."""
    row, runs, answers = ROWS[name], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(row.repeats):
            for contender in row.contenders:
                record, answers[contender] = _child(name, contender, folder)
                runs.setdefault(contender, []).append(record)
                print(f"{name}: {contender}, run {turn + 1}: {record['seconds']:.3g} s", flush=True)
                if not row.same(answers["locmethods"], answers[contender]):
                    raise RuntimeError(f"{name}: the answer of {contender} differs from ours, so its time says nothing")
    found = {}
    for contender, records in runs.items():
        pairs = [theirs["seconds"] / ours["seconds"]
                 for theirs, ours in zip(records, runs["locmethods"], strict=True)]
        found[contender] = {"seconds": statistics.median(record["seconds"] for record in records),
                            "peak_bytes": max(record["peak_bytes"] for record in records),
                            "ratio": statistics.median(pairs)}
    more = {} if row.curve is None else {"curve": row.curve, "n": row.n}
    if row.limit is not None:
        with tempfile.TemporaryDirectory() as folder:
            more["limit_seconds"] = statistics.median(_child(name, LIMIT, folder)[0]["seconds"] for _ in range(3))
    return {"title": row.title, "subject": name in SUBJECTS, "repeats": row.repeats, "contenders": found, **more}


def machine():
    """Return what was measured on."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    packages = ("numba", "numpy", "pykeops", "scikit-fuzzy", "scikit-image", "scikit-learn", "scipy", "statsmodels",
                "torch")
    return {"processor": model, "cores": os.cpu_count(), "threads": THREADS, "python": platform.python_version(),
            "versions": {package: version(package).split("+")[0] for package in packages}}


def write(rows):
    """Write the results of all rows that were ever measured, in the rows' order."""
    text = json.dumps({"machine": machine(), "rows": {name: rows[name] for name in ROWS if name in rows}}, indent=1)
    part = RESULTS.with_suffix(".part")
    part.write_text(text + "\n")
    part.replace(RESULTS)


def main():
    """Measure the rows that are named, all by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(*arguments.measure)
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"unknown rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    try:
        before = measurements(RESULTS.parent.parent) if RESULTS.exists() else {"rows": {}}
    except BookError as error:
        sys.exit(str(error))
    rows, slower = dict(before["rows"]), []
    for name in arguments.rows or ROWS:
        rows[name] = run(name)
        for contender, record in rows[name]["contenders"].items():
            old = before["rows"].get(name, {}).get("contenders", {}).get(contender)
            if old and record["ratio"] < GUARD * old["ratio"]:
                slower.append(f"{name}: {record['ratio']:.3g} times {contender}, the committed ratio is "
                              f"{old['ratio']:.3g}")
        write(rows)  # after each, so that no row is lost with a later one
    if slower:
        sys.exit("slower than before, against the same peers:\n" + "\n".join(slower))


if __name__ == "__main__":
    main()
