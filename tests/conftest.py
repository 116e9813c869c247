"""What stands before all tests: SciPy's array API, and which of many cases that are alike `make test` runs."""

import os
from collections import defaultdict
from zlib import crc32

import pytest

# Set before SciPy is first imported: without it scikit-learn skips its array API checks.
os.environ["SCIPY_ARRAY_API"] = "1"


@pytest.hookimpl(tryfirst=True)  # before pytest itself reads -m
def pytest_collection_modifyitems(items):
    """Mark as slow all but one in `k` cases of a test that carries `one_in(k)`.

    Which are left is decided by a checksum of the case's name: the same at each run and in each worker, and across all
    of a test's parameters, where every k-th might be of one kind.
    """
    cases = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("one_in")
        if mark is not None:
            cases[item.path, item.originalname, mark.args[0]].append(item)
    for (*_, share), alike in cases.items():
        alike.sort(key=lambda item: crc32(item.name.encode()))
        for item in alike[-(-len(alike) // share):]:
            item.add_marker(pytest.mark.slow)
