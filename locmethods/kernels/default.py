"""What an estimator takes for its kernel."""

from __future__ import annotations

from locmethods.arrays.checks import check_localization, check_option
from locmethods.arrays.empty import EMPTY
from locmethods.kernels.base import Kernel
from locmethods.kernels.radial import Gaussian


def kernel_or_default(kernel, empty):
    """Return `kernel`, or ``Gaussian(bandwidth=1.0)`` for None, once it and `empty` have been checked.

    Raises
    ------
    TypeError
        If `kernel` is neither None nor a kernel.
    ValueError
        If the kernel can be negative or `empty` is unknown.
    """
    check_option("empty", empty, EMPTY)
    if kernel is None:
        return Gaussian(bandwidth=1.0)
    if not isinstance(kernel, Kernel) or not hasattr(kernel, "bind"):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels or None, got {type(kernel).__name__}")
    check_localization(kernel)
    return kernel
