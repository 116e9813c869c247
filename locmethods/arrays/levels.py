"""Labels that come in: what a kernel of levels compares as codes, in arrays, in series and in data frames.

A column of labels becomes the places of its labels among the kernel's levels. Levels that are numbers need no codes:
the numbers themselves are compared. pandas is asked by its own methods, and never imported.
"""

from __future__ import annotations

import numbers

import numpy as np

from locmethods.arrays.namespace import is_lazy, is_tensor

SHOWN = 8  # levels that a message names


def is_frame(value):
    """Return True for a data frame of pandas, without importing pandas."""
    return any(base.__name__ == "DataFrame" and base.__module__.split(".")[0] == "pandas"
               for base in type(value).__mro__)


def named(levels):
    """Return levels in words, the first few of many."""
    more = f", … ({len(levels)} in all)" if len(levels) > SHOWN else ""
    return ", ".join(map(repr, levels[:SHOWN])) + more


def are_numbers(levels):
    """Return True if every level is a real number, truths included."""
    return all(isinstance(level, numbers.Real | np.bool_) for level in levels)


def is_missing(label):
    """Return True for None, NaN and what pandas has in their stead."""
    return label is None or type(label).__name__ in ("NAType", "NaTType") or (
        isinstance(label, numbers.Real) and label != label)


def check_no_missing(where, labels):
    """Raise ValueError if a label is missing; `where` names the column."""
    missing = sum(map(is_missing, labels))
    if missing:
        raise ValueError(f"{where} must have no missing labels, got {missing} in {len(labels)} rows")


def codes(where, column, levels):
    """Return a column as a float64 array that a kernel of these levels compares.

    Parameters
    ----------
    where : str
        Names the column in an error.
    column : array-like of shape (n,)
    levels : tuple or None
        The kernel's; None if it has none, and takes numbers alone.

    Returns
    -------
    ndarray of shape (n,)
        The places among the levels; the numbers themselves if the levels are numbers, or there are none.

    Raises
    ------
    ValueError
        If a label is missing, or is none of the levels.
    TypeError
        If there are labels and no levels.
    """
    labels = np.asarray(column, dtype=object).tolist()
    if levels is None:
        check_no_missing(where, labels)
        try:
            return np.array(labels, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{where} has labels, and its kernel has no levels to count them by: give the kernel "
                            "levels=[…]") from None
    places = dict(zip(levels, levels if are_numbers(levels) else range(len(levels)), strict=True))
    try:
        found = [places.get(label) for label in labels]
    except TypeError:
        raise TypeError(f"{where} must hold labels, got an entry that cannot be looked up") from None
    if None in found:
        check_no_missing(where, labels)  # what is missing is no level, so it is looked for only here
        unknown = list(dict.fromkeys(label for label, place in zip(labels, found, strict=True) if place is None))
        raise ValueError(f"{where} has labels that are no levels of its kernel, {named(unknown)}: the levels are "
                         f"{named(levels)}")
    return np.array(found, dtype=np.float64)


def _levels_at(where, parts):
    """Return the levels of the kernels that compare one column, which must be the same; None if they have none."""
    found = list(dict.fromkeys(part.known for part in parts if part.known is not None))
    if len(found) > 1:
        raise ValueError(f"{where} is compared by kernels of different levels: {named(found[0])}, and "
                         f"{named(found[1])}")
    return found[0] if found else None


def coded(kernel, name, points):
    """Return points with their labels as codes, by the levels of the kernel; what is numeric already, as it is.

    Parameters
    ----------
    kernel : Kernel
    name : {"query", "keys"}
    points : array-like of shape (n_points, n_features)
        Labels may also come as one column of shape (n_points,). A frame gives the columns that a kernel by columns
        names.

    Raises
    ------
    ValueError, TypeError
        If a label is missing or unknown, or a frame lacks a column.
    """
    if is_tensor(points) or is_lazy(points) or (isinstance(points, np.ndarray) and points.dtype.kind in "fiub"):
        return points
    names = None
    if is_frame(points) and kernel.columns is not None:
        names, points = kernel.columns, picked(name, points, kernel.columns)
    try:
        table = np.asarray(points)
    except (TypeError, ValueError):  # said better where arrays are checked
        return points
    if table.dtype.kind not in "OUST" or table.ndim == 0:
        return points
    columns = table[:, None] if table.ndim == 1 else table
    labelled = kernel.labelled(columns.shape[-1], name)
    if not labelled:
        return points
    answer = np.empty(columns.shape)
    for j in range(columns.shape[-1]):
        where, column = f"column {j if names is None else names[j]!r} of {name}", columns[..., j]
        if j in labelled:
            answer[..., j] = codes(where, column.ravel(), _levels_at(where, labelled[j])).reshape(column.shape)
            continue
        answer[..., j] = _numbers(where, column)
    return answer


def _numbers(where, column):
    """Return a column of objects as float64, or raise TypeError if they are no numbers."""
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{where} must be numbers: no kernel of levels compares it") from None


def check_numbers(name, points):
    """Raise TypeError if points have dates, which would count in a unit that nobody has chosen, or a frame has words.

    Parameters
    ----------
    name : str
        Of the points, for errors.
    points : array-like
        Dates are looked for in arrays, series and frames; words in the columns of a frame.
    """
    columns = points.items() if is_frame(points) else [(None, points)]
    for column, values in columns:
        where = name if column is None else f"column {column!r} of {name}"
        dtype = getattr(values, "dtype", None)
        kind = getattr(dtype, "kind", None)
        if kind in ("m", "M"):
            raise TypeError(f"{where} must be numbers, got {dtype}: say how many days or years it is")
        if column is not None and kind not in ("f", "i", "u", "b", "c"):
            hint = f": labels are compared by a kernel by columns, Columns({{{column!r}: Categorical(0.1), …}})"
            _check_no_words(where, values, "" if name == "y" else hint)


def _check_no_words(where, values, hint):
    """Raise TypeError if a column of a frame has an entry that is no number and not missing."""
    for value in np.asarray(values, dtype=object).tolist():
        if is_missing(value):
            continue
        try:
            float(value)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"{where} must be numbers, got {value!r}{hint}") from None


def check_same_order(query, keys):
    """Raise ValueError if two frames have the same columns in different orders, of which no kernel knows the names."""
    if is_frame(query) and is_frame(keys):
        asked, known = list(query.columns), list(keys.columns)
        if asked != known and len(asked) == len(known) and set(asked) == set(known):
            raise ValueError(f"query must have its columns in the order of the keys, {named(known)}, got "
                             f"{named(asked)}")


def picked(name, frame, columns):
    """Return the columns of a frame in this order; each must be there once."""
    have = list(frame.columns)
    missing = [column for column in columns if column not in have]
    if missing:
        raise ValueError(f"{name} must have the columns {named(columns)}, got {named(have)}: there is no "
                         f"{named(missing)}")
    twice = [column for column in columns if have.count(column) > 1]
    if twice:
        raise ValueError(f"{name} has more than one column {named(twice)}")
    return frame[list(columns)]


def coded_frame(kernel, name, frame):
    """Return a frame of numbers, with the columns that a kernel by columns names, in its order.

    Labels become codes, in the floating type that the numbers beside them have in common; numbers stay what they are.

    Parameters
    ----------
    kernel : Kernel
        With ``columns``.
    name : str
        Of the frame, for errors.
    frame : DataFrame

    Raises
    ------
    ValueError, TypeError
        As `coded`.
    """
    frame = picked(name, frame, kernel.columns)
    labelled = kernel.labelled(len(kernel.columns), "keys")
    plain = [column for j, column in enumerate(kernel.columns) if j not in labelled]
    single = bool(plain) and all(frame[column].dtype == np.float32 for column in plain)
    found = {}
    for column in plain:
        if frame[column].dtype.kind not in "fiub":
            found[column] = _numbers(f"column {column!r} of {name}", np.asarray(frame[column], dtype=object))
    for j, parts in labelled.items():
        where = f"column {kernel.columns[j]!r} of {name}"
        column = codes(where, frame[kernel.columns[j]], _levels_at(where, parts))
        found[kernel.columns[j]] = column.astype(np.float32) if single else column
    return frame.assign(**found)
