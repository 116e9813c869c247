"""A kernel for each column of a data frame: their product, with parameters that are found by the columns' names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from locmethods.arrays.levels import check_no_missing, is_frame, picked
from locmethods.kernels.algebra import product_of
from locmethods.kernels.base import Kernel, cut
from locmethods.kernels.bound import Bound
from locmethods.kernels.levels import Categorical, OfLevels

__all__ = ["Columns"]


class Columns(Kernel):
    """K = Π Kⱼ(column j): a product of kernels, one for each column that is named.

    Estimators take a data frame with it, and find the columns by name, in any order. Arrays have one column for each
    name with a kernel, in the order of the names. A dict in the stead of an estimator's ``kernel`` is shorthand for it.

    Parameters
    ----------
    kernels : dict of str to Kernel, optional
        By the column's name. A column with None has no part in the product, and is left out of arrays; a column of a
        frame that is not named is an error.
    **named : Kernel
        The same, for names that are words of Python.

    Attributes
    ----------
    columns : tuple of str
        The names that have a kernel.

    Raises
    ------
    ValueError, TypeError
        If no column has a kernel, or something is no kernel.

    Notes
    -----
    The parameters are the columns: ``get_params`` gives ``town`` and ``town__bandwidth``, and `GridSearchCV` reaches
    ``kernel__town__bandwidth``. Which levels a `Categorical` or `Ordered` kernel has is learned by an estimator's
    `fit`, unless they are given: from pandas' categories, used or not, in their order; for `Categorical` also from the
    sorted labels of the sample. With a search over folds give them, or make the columns categorical in pandas: a rare
    label may be missing from a fold.

    Examples
    --------
    >>> from locmethods.kernels import Categorical, Columns, Gaussian
    >>> kernel = Columns({"area": Gaussian(20.0), "town": Categorical(0.1, n_levels=3)})
    >>> kernel.set_params(town__bandwidth=0.0)([[70.0, 0.0]], [[70.0, 0.0], [70.0, 2.0]])
    array([[1., 0.]])
    """

    maps_features = True

    def __init__(self, kernels: Mapping[str, Kernel] | None = None, /, **named: Kernel) -> None:
        if kernels is not None and not isinstance(kernels, dict):
            raise TypeError(f"kernels must be a dict from a column's name to its kernel, got {type(kernels).__name__}")
        self._kernels = {**(kernels or {}), **named}
        self._check()

    def _check(self):
        for name, kernel in self._kernels.items():
            if not isinstance(name, str):
                raise TypeError(f"the names of columns must be strings, got {name!r}")
            if kernel is not None and not (isinstance(kernel, Kernel) and hasattr(kernel, "bind")):
                raise TypeError(f"the kernel of column {name!r} must be a kernel from locmethods.kernels or None, got "
                                f"{type(kernel).__name__}")
        if not self.columns:
            raise ValueError("at least one column must have a kernel")
        # Made once: what is kept of keys is found again by the kernel that asked for it.
        self._product = product_of([kernel.on([j]) for j, kernel in enumerate(self._of_columns())])

    def _of_columns(self):
        return [self._kernels[name] for name in self.columns]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that have a kernel."""
        return tuple(name for name, kernel in self._kernels.items() if kernel is not None)

    @property
    def signed(self) -> bool:
        """True if a column's kernel may be negative."""
        return self._product.signed

    def labelled(self, n_features: int, name: str) -> dict[int, list[Kernel]]:
        return self._product.labelled(n_features, name)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        for name, points in (("query", query), ("keys", keys)):
            if points.shape[-1] != len(self.columns):
                raise ValueError(f"{name} must have the columns {', '.join(map(repr, self.columns))}, got shape "
                                 f"{tuple(points.shape)}")
        return self._product.bind(query, keys, hollow=hollow, kept=kept)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the kernels by column, and their parameters as ``column__parameter``."""
        found = dict(self._kernels)
        for column, kernel in self._kernels.items():
            if deep and kernel is not None:
                found.update({f"{column}__{name}": value for name, value in kernel.get_params().items()})
        return found

    def set_params(self, /, **params: Any) -> Self:
        """Set kernels by column, and their parameters as ``column__parameter``; return the kernel.

        Raises
        ------
        ValueError, TypeError
            If a name is unknown or a value is not admissible.
        """
        before = self._kernels
        kernels = dict(before)
        for name, value in params.items():
            if name in before:
                kernels[name] = value
                continue
            # The longest that fits: a column's name may have two underscores in it.
            inner = max((column for column in before if name.startswith(f"{column}__")), key=len, default=None)
            if inner is None:
                raise ValueError(f"Columns has no parameter {name!r}; it has the columns {list(before)}")
            if kernels[inner] is None:
                raise ValueError(f"column {inner!r} has no kernel, so it has no parameter {name!r}")
            kernels[inner].set_params(**{name[len(inner) + 2:]: value})
        self._kernels = kernels
        try:
            self._check()
        except (TypeError, ValueError):
            self._kernels = before
            self._check()
            raise
        return self

    def __repr__(self):
        return cut(f"Columns({self._kernels!r})")

    def learned(self, frame: Any, name: str = "X") -> Columns:
        """Return the kernel with the levels that it lacks filled in from a data frame; this one is not changed.

        Parameters
        ----------
        frame : DataFrame
        name : str, default="X"
            Of the frame, for errors.

        Raises
        ------
        ValueError, TypeError
            If a column is missing or not named, a label is missing, labels cannot be sorted, or a bandwidth is out of
            range for that many levels.
        """
        unnamed = [column for column in frame.columns if column not in self._kernels]
        if unnamed:
            raise ValueError(f"the columns {', '.join(map(repr, unnamed))} of {name} have no kernel: name each, with "
                             "None for one that has no part")
        picked(name, frame, self.columns)
        kernels = dict(self._kernels)
        for column in self.columns:
            where = f"column {column!r} of {name}"
            try:
                kernels[column] = _with_levels(kernels[column], where, frame[column])
            except ValueError as error:
                message = str(error)
                raise ValueError(message if message.startswith(where) else f"{where}: {message}") from None
        return Columns(kernels)


def _with_levels(kernel, where, column):
    """Return a kernel of one column with the levels that it lacks; itself if it lacks none."""
    if isinstance(kernel, OfLevels):
        levels = _levels_of(kernel, where, column) if kernel.levels is None else None
        if levels is None:
            return kernel
        return type(kernel)(**{**kernel.get_params(deep=False), "levels": levels})
    inner = {name: part for name, part in kernel.get_params(deep=False).items() if isinstance(part, Kernel)}
    found = {name: _with_levels(part, where, column) for name, part in inner.items()}
    if all(found[name] is inner[name] for name in inner):
        return kernel
    other = copy.copy(kernel)
    vars(other).update(found)
    return other


def _levels_of(kernel, where, column):
    """Return the levels of a column of a sample, None for numbers that are grades themselves."""
    categories = getattr(column, "cat", None)
    categorical = isinstance(kernel, Categorical)
    if categories is not None and (categorical or categories.ordered):
        return categories.categories.tolist()
    if categorical and kernel.n_levels is not None and column.dtype.kind in "iufb":
        return None  # they are codes
    labels = np.asarray(column, dtype=object).tolist()
    check_no_missing(where, labels)
    if categorical:
        try:
            return sorted(set(labels))
        except TypeError:
            raise TypeError(f"{where} must hold labels that can be sorted, or be categorical in pandas") from None
    if column.dtype.kind in "iufb":
        return None
    raise ValueError(f"{where} has labels without an order: give Ordered levels=[…], or make the column an ordered "
                     "categorical in pandas")


def kernel_on(kernel, X):
    """Return the kernel with which an estimator compares the rows of X: on a data frame, one that knows its levels.

    Parameters
    ----------
    kernel : Kernel
    X : array-like of shape (n_samples, n_features)

    Raises
    ------
    ValueError, TypeError
        As `Columns.learned`.
    """
    return kernel.learned(X) if isinstance(kernel, Columns) and is_frame(X) else kernel
