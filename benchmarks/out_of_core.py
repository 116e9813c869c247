"""``python -m benchmarks.out_of_core``: the local mean of 1,000 queries over 20 million keys in files on disk.

One process with Dask's threads writes the files, passes over them in blocks, and compares some of the answers with
a direct sum over the same files. Reported are seconds and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.memory import peak

QUERIES, CHECKED, BANDWIDTH = 1000, 10, 0.05


def write(folder, blocks, rows):
    """Write `blocks` files of `rows` uniform keys in the unit cube, and of their values, a wave with noise."""
    for block in range(blocks):
        rng = np.random.default_rng(block)
        keys = rng.random((rows, 3), dtype=np.float32)
        noise = rng.standard_normal(rows, dtype=np.float32)
        np.save(folder / f"keys-{block}.npy", keys)
        np.save(folder / f"values-{block}.npy", np.sin(6 * keys.sum(1)) + noise)


def lazily(folder, name, blocks, shape):
    """Return the files of one name as a Dask array, each mapped into memory only while it is summed."""
    import dask
    import dask.array as da

    parts = [dask.delayed(np.load)(folder / f"{name}-{block}.npy", mmap_mode="r") for block in range(blocks)]
    return da.concatenate([da.from_delayed(part, shape, np.float32) for part in parts])


def directly(query, folder, blocks):
    """Return the local mean by plain sums in float64, a file at a time."""
    numerator = total = 0.0
    for block in range(blocks):
        keys, values = (np.load(folder / f"{name}-{block}.npy").astype(float) for name in ("keys", "values"))
        square = np.stack([((keys - one) ** 2).sum(1) for one in query])
        weight = np.exp(square / (-2 * BANDWIDTH**2))
        numerator, total = numerator + weight @ values, total + weight.sum(1)
    return numerator / total


def measure(blocks, rows, workers):
    """Return what one run took."""
    import dask

    import locmethods
    from locmethods.kernels import Gaussian

    query = np.random.default_rng(1 << 20).random((QUERIES, 3))
    locmethods.local_mean(query[:2], query[:2], kernel=Gaussian())  # imports
    before = peak()
    with tempfile.TemporaryDirectory() as name, dask.config.set(scheduler="threads", num_workers=workers):
        folder = Path(name)
        write(folder, blocks, rows)
        written = sum(path.stat().st_size for path in folder.iterdir())
        keys, values = lazily(folder, "keys", blocks, (rows, 3)), lazily(folder, "values", blocks, (rows,))
        start = time.perf_counter()
        mean = locmethods.local_mean(query, keys, values, kernel=Gaussian(BANDWIDTH))
        seconds, after = time.perf_counter() - start, peak()
        error = np.abs(mean[:CHECKED] - directly(query[:CHECKED], folder, blocks)).max()
    if not error < 1e-12:
        raise RuntimeError(f"the answer is off by {error:.1e}, so its time says nothing")
    return {"keys": blocks * rows, "queries": QUERIES, "file_bytes": written, "seconds": round(seconds, 1),
            "peak_bytes": after, "peak_bytes_before": before, "error": float(error)}


def main():
    """Measure as the command line says, and print the record."""
    parser = argparse.ArgumentParser(prog="benchmarks.out_of_core", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=40, help="number of files")
    parser.add_argument("--rows", type=int, default=500_000, help="keys in each file")
    parser.add_argument("--workers", type=int, default=1, help="threads of Dask; torch has its own in each")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.blocks, arguments.rows, arguments.workers)))


if __name__ == "__main__":
    main()
