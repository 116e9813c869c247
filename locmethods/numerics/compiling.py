"""Functions compiled by numba at their first call, and kept on disk for later processes."""

from __future__ import annotations

from numba import njit


def kept(function, **options):
    """Return a function compiled with numba's options, and kept where there is a folder to keep it in."""
    # Without the lock of Python, with NumPy's division, and without the form in which C would call it, which nobody
    # does: that takes a third of the time to compile.
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **options}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's own folder nor the user's can be written
        return njit(**options)(function)
