"""The types that public signatures name, beside NumPy's own ``ArrayLike`` for what comes in.

Lists, NumPy arrays, data frames, Dask arrays and torch tensors are all ``ArrayLike``. What always leaves as a NumPy
array is ``np.ndarray``; what leaves in the caller's own kind is an `Array`. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    import torch

__all__ = ["Array", "Features", "Scalar"]

Scalar: TypeAlias = Union[float, "torch.Tensor"]  # a kernel's parameter: a tensor without dimensions can be learned
Features: TypeAlias = Callable[..., Any] | list[int] | slice  # of a pull-back: a map of points, or the columns it keeps


class Array(Any):
    """A NumPy array, a Dask array or a torch tensor, whichever the caller gave.

    For type checkers alone, nothing is ever made of it: it has the attributes below, they take any other for granted,
    and it goes wherever an ``np.ndarray`` or a ``torch.Tensor`` is wanted. Which of them it is the caller knows.
    """

    shape: tuple[int, ...]
    ndim: int
    dtype: Any
