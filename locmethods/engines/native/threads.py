"""Threads over parts of the queries, each short: whoever waits can be interrupted, and nothing outlives the call.

A pool lives as long as one sum, so that a process that is forked between two sums has nothing that did not come along.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

PART = 1 << 25  # pairs of a part, at most: some hundredths of a second


def number_of_threads():
    """Return how many threads a sum may use: torch's if torch is loaded, else OMP_NUM_THREADS, else all cores."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work, count, step):
    """Do ``work(first, last)`` for parts of ``range(count)`` of length `step`, several at once."""
    parts = [(first, min(first + step, count)) for first in range(0, count, step)]
    threads = min(number_of_threads(), len(parts))
    if threads <= 1:
        for part in parts:
            work(*part)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        for done in [pool.submit(work, *part) for part in parts]:
            done.result()
    finally:  # parts that have begun are waited for, since they write into this sum's arrays; the others are not begun
        pool.shutdown(wait=True, cancel_futures=True)
