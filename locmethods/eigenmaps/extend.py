"""Eigenvectors of averaging at new points: one local mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.kernels import Kernel
from locmethods.means import local_mean


def extension(query: ArrayLike, keys: ArrayLike, functions: ArrayLike, eigenvalues: ArrayLike, *, kernel: Kernel,
              empty: str = "nearest") -> NDArray:
    """Extend eigenvectors of K̃ to new points: ψⱼ(x*) = m(ψⱼ)(x*)/μⱼ, the Nyström extension [bengio2004b]_.

    An eigenvector is its own local mean divided by its eigenvalue, K̃ψ = μψ, and the local mean can be asked anywhere.
    At a key it is the eigenvector again.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_features)
    keys : array-like of shape (n_keys, n_features)
        Where the eigenvectors are known.
    functions : array-like of shape (n_keys,) or (n_keys, n_components)
        Eigenvectors of the matrix K̃ of normalised weights at the keys, of any scale.
    eigenvalues : array-like of shape () or (n_components,)
        Not zero.
    kernel : Kernel
        That of K̃. If K̃ leaves each key's own weight out, give the hollow kernel for the keys themselves and the whole
        one for new points, none of which is a key.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a query with no key in reach averages; see `locmethods.local_mean`.

    Returns
    -------
    ndarray of shape (n_queries,) or (n_queries, n_components)

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if the eigenvalues are not one finite number, other than zero, a function, or so
        small that a function would be larger than its type can hold.

    Examples
    --------
    >>> from locmethods.eigenmaps import extension
    >>> from locmethods.kernels import Triangular
    >>> keys = [[0.0], [1.0]]  # weights 2/3 and 1/3: (1, −1) is an eigenvector, of the eigenvalue 1/3
    >>> extension([[0.0], [0.5], [1.0]], keys, [1.0, -1.0], 1 / 3, kernel=Triangular(2.0)).round(6)
    array([ 1.,  0., -1.])
    """
    functions = check_array(functions, dtype=FLOATS, ensure_2d=False, input_name="functions")
    check_consistent_length(keys, functions)
    eigenvalues = check_array(np.atleast_1d(eigenvalues), dtype=np.float64, ensure_2d=False,
                              input_name="eigenvalues")
    if eigenvalues.shape != (functions.shape[1:] or (1,)):
        raise ValueError(f"eigenvalues must be one number a function, got shape {eigenvalues.shape} for functions of "
                         f"shape {functions.shape}")
    if (eigenvalues == 0).any():
        raise ValueError("eigenvalues must not be zero: their functions average to nothing, and nothing says what "
                         "they are elsewhere")
    mean = local_mean(query, keys, functions, kernel=kernel, empty=empty)
    with np.errstate(over="ignore"):
        found = (mean / (eigenvalues if functions.ndim > 1 else eigenvalues[0])).astype(mean.dtype)
    if np.isinf(found).any():
        raise ValueError(f"eigenvalues must not be so small that functions leave {found.dtype}, got "
                         f"{eigenvalues[np.abs(eigenvalues).argmin()]:g}")
    return found
