"""How a long fit says where it stands: a line to standard output at the steps 1, 2, 4, 8, …

An iteration calls `tell` at each step, whoever has asked for it; a line is printed where an estimator with ``verbose``
has, within `telling`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_who: ContextVar[str] = ContextVar("who tells", default="")


@contextmanager
def telling(estimator: Any) -> Iterator[None]:
    """Let what iterates within tell its steps if the estimator's ``verbose`` is true, or that of one around it.

    Parameters
    ----------
    estimator : estimator
        With a parameter ``verbose``.
    """
    token = _who.set(_who.get() or (type(estimator).__name__ if estimator.verbose else ""))
    try:
        yield
    finally:
        _who.reset(token)


def tell(step: int, words: str, *numbers: float) -> None:
    """Print a line if somebody listens and the step is a power of two.

    Parameters
    ----------
    step : int
        Counted from one.
    words : str
        With a place for each of the numbers, as ``str.format`` takes them.
    numbers : float
    """
    who = _who.get()
    if who and step > 0 and step & (step - 1) == 0:
        print(f"[{who}] step {step}: {words.format(*numbers)}", flush=True)
