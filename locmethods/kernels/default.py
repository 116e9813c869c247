"""What is asked of a kernel before anything is computed."""

from __future__ import annotations

from locmethods.arrays.checks import check_localization, check_option
from locmethods.arrays.door import kind_of
from locmethods.arrays.empty import EMPTY
from locmethods.kernels.algebra import Hollow, Masked
from locmethods.kernels.base import Kernel
from locmethods.kernels.columns import Columns
from locmethods.kernels.names import every
from locmethods.kernels.radial import Gaussian


def kernel_or_default(kernel, empty):
    """Return `kernel`, or ``Gaussian(bandwidth=1.0)`` for None, once it and `empty` have been checked.

    A dict from the names of columns to kernels is shorthand for `Columns`.

    Raises
    ------
    TypeError
        If `kernel` is neither None nor a kernel, nor a dict of kernels.
    ValueError
        If the kernel can be negative or `empty` is unknown.
    """
    check_option("empty", empty, EMPTY)
    if kernel is None:
        return Gaussian(bandwidth=1.0)
    kernel = Columns(kernel) if isinstance(kernel, dict) else kernel
    if not isinstance(kernel, Kernel) or not hasattr(kernel, "bind"):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels or None, got {kind_of(kernel)}")
    check_localization(kernel)
    return kernel


def check_pairwise(kernel):
    """Raise unless a localization kernel's weights depend on the query and the key alone."""
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
    check_localization(kernel)
    part = beyond_pairs(kernel)
    if part is not None:
        raise ValueError(f"keys in blocks have neither a common index nor a rank, so {type(part).__name__} cannot "
                         "be used with Dask arrays: use a kernel of the query and the key alone")


def beyond_pairs(kernel):
    """Return a part of a kernel whose weights depend on the other keys or on places, too; None if there is none."""
    for part in every(kernel):
        if isinstance(part, Hollow | Masked) or part.form == "rank":
            return part
    return None
