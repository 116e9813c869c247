"""Threads over parts of a piece of work, each short: whoever waits can be interrupted, and nothing outlives the call.

A pool lives as long as one call, so that a process that is forked between two calls has nothing that did not come
along.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from threadpoolctl import threadpool_limits

PART = 1 << 25  # pairs that take some hundredths of a second: parts are few times as long at most


def number_of_threads():
    """Return how many threads a call may use: torch's if torch is loaded, else OMP_NUM_THREADS, else all cores."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work, count, step, *, products=False):
    """Do ``work(first, last)`` for parts of ``range(count)`` of length `step`, several at once.

    With `products`, parts multiply matrices by BLAS, which meanwhile keeps to one thread in each of them: threads of
    its own beside these would wait for each other.
    """
    parts = [(first, min(first + step, count)) for first in range(0, count, step)]
    threads = min(number_of_threads(), len(parts))
    if threads <= 1:
        for part in parts:
            work(*part)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        with threadpool_limits(1, user_api="blas") if products else nullcontext():
            for done in [pool.submit(work, *part) for part in parts]:
                done.result()
    finally:  # parts that have begun are waited for, since they write into this call's arrays; the others are not begun
        pool.shutdown(wait=True, cancel_futures=True)
