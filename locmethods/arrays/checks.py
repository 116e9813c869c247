"""What must hold of a parameter or an array, and the sentence that says so."""

from __future__ import annotations

import math
import numbers

import numpy as np

from locmethods.arrays.namespace import is_lazy, is_tensor

TENSOR_TYPES = ("float64", "float32", "float16", "bfloat16", "bool", "uint8", "uint16", "uint32", "uint64", "int8",
                "int16", "int32", "int64")


def check_in_memory(**arrays):
    """Raise TypeError if one of the named arrays is lazy: it would be pulled into memory silently."""
    for name, value in arrays.items():
        if is_lazy(value):
            raise TypeError(f"{name} must be in memory, got a Dask {type(value).__name__}: local_mean, local_moments, "
                            "LocalMeanRegressor, climb and MeanShift with seeds sum over Dask arrays of keys; for "
                            "anything else call its compute(), if it fits")


def check_option(name, value, options):
    """Raise ValueError unless `value` is one of `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def check_count(name, value, least):
    """Raise ValueError unless `value` is an integer of at least `least`; True and False are none."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def is_number(value):
    """Return True for one real number, NumPy's own and its arrays of shape () included; True and False are none."""
    if type(value) is float:  # as nearly all are: to ask an abstract class takes ten times as long
        return True
    if isinstance(value, np.ndarray):
        return value.shape == () and value.dtype.kind in "fiu"
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def check_share(name, value):
    """Raise ValueError unless `value` is a number in (0, 1)."""
    if not (is_number(value) and 0 < value < 1):
        raise ValueError(f"{name} must be a number in (0, 1), got {value!r}")


def check_tolerance(tolerance):
    """Raise ValueError unless `tolerance` is a number in [0, 1)."""
    if not (is_number(tolerance) and 0 <= tolerance < 1):
        raise ValueError(f"tolerance must be a number in [0, 1), got {tolerance!r}")


def as_number(name, value, kind="number"):
    """Return a scalar parameter (a number, or a tensor with one element) as a float, or raise TypeError."""
    if type(value) is float:
        return value
    if is_number(value):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a number that a float can hold, got an integer of "
                             f"{len(str(value))} digits") from None
    if is_tensor(value) and value.numel() == 1 and is_plain(value) and str(value.dtype) != "torch.bool":
        return float(value.detach())
    if is_tensor(value):
        shape = tuple(value.shape)
        raise TypeError(f"{name} must be a {kind}, got a tensor of shape {shape} on the device {value.device}")
    raise TypeError(f"{name} must be a {kind}, got {value!r}")


def check_positive(name, value):
    """Raise unless `value` is one positive finite number (a float, or a tensor with one element)."""
    if not 0 < as_number(name, value, "positive number") < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def check_not_negative(name, value):
    """Raise unless `value` is one finite number of at least 0."""
    if not 0 <= as_number(name, value) < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")


def check_tol(tol):
    """Raise ValueError unless `tol`, by which something has settled, is a number of at least 0; it may be infinite."""
    if not (is_number(tol) and tol >= 0):
        raise ValueError(f"tol must be a number of at least 0, got {tol!r}")


def as_array(name, value):
    """Return `value` as a floating array or tensor with finite entries; integers become float64.

    Raises
    ------
    TypeError
        If it is complex, sparse, lazy, without data or not numeric.
    ValueError
        If it holds NaN or infinity: the message names the array and counts them.
    """
    check_in_memory(**{name: value})
    if is_tensor(value):
        value = _floating_tensor(name, value)
        bad = int((~value.detach().isfinite()).sum())
    else:
        value = _floating_array(name, value)
        bad = value.size - int(np.count_nonzero(np.isfinite(value)))
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite value{'s' if bad > 1 else ''} "
                         f"in an array of shape {tuple(value.shape)}")
    return value


def is_plain(tensor):
    """Return True for a dense tensor of real numbers that has data."""
    dense = str(tensor.layout) == "torch.strided" and not tensor.is_quantized and not tensor.is_nested
    return dense and tensor.device.type != "meta" and str(tensor.dtype).removeprefix("torch.") in TENSOR_TYPES


def check_plain(name, tensor):
    """Raise TypeError unless a tensor is dense, real and has data."""
    if tensor.is_complex():
        raise TypeError(f"{name} must be real, got {tensor.dtype}")
    if not is_plain(tensor):
        raise TypeError(f"{name} must be a dense tensor of real numbers with data, got {tensor.dtype} with layout "
                        f"{tensor.layout} on the device {tensor.device}")


def _floating_tensor(name, value):
    check_plain(name, value)
    return value if value.is_floating_point() else value.double()


def _floating_array(name, value):
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} must be a dense array, got the sparse {type(value).__name__}")
    if value is None:
        raise TypeError(f"{name} must be an array or a tensor, got None")
    try:
        value = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array, got rows of different lengths") from None
    if value.dtype.kind == "O":
        try:
            value = value.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name} must be numbers that a float can hold, got an integer beyond them") from None
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be numeric, got an array of objects") from None
    if value.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, got dtype {value.dtype}")
    if value.dtype not in (np.float64, np.float32, np.float16):
        value = value.astype(np.float64)
    return value


def nothing_in_reach(index):
    """Return the error for a query, named by its index, without a key in reach."""
    return ValueError(f"query {index} has no key in reach of the kernel: widen the kernel, or choose "
                      'empty="nearest", "mean" or "nan"')


def check_localization(kernel):
    """Raise ValueError if the kernel's weights can be negative."""
    if kernel.signed:
        raise ValueError(f"{kernel!r} can give negative weights, so it is not a localization kernel: use local_sum "
                         "for a signed sum, or a kernel with non-negative weights for a local mean")
