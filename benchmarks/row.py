"""A task: it makes its data once, names who does it, and says when two answers are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One task.

    Attributes
    ----------
    title : str
        What is done, and at what size.
    data : callable
        ``data()`` is what every contender gets.
    contenders : dict of str to callable
        ``contender(data)`` does the task and returns its answer; "locmethods" is ours.
    same : callable
        ``same(ours, theirs)`` is True if the answers agree; asked before any time is believed.
    repeats : int
    limit : callable, optional
        ``limit()`` measures how many seconds the arithmetic alone would take.
    curve, n : str and int, optional
        The curve of time against size to which the row belongs, and the size.
    """

    title: str
    data: Callable
    contenders: dict
    same: Callable
    repeats: int = 3
    limit: Callable | None = None
    curve: str | None = None
    n: int | None = None
