"""How an iteration says that it was stopped before it had settled, at a line of the reader's own."""

from __future__ import annotations

import os
import sys
import warnings

PACKAGE = os.path.dirname(os.path.dirname(__file__))


def say_unsettled(message):
    """Warn with scikit-learn's ConvergenceWarning, at the line outside the package that asked for the iteration.

    However many functions and estimators lie in between, a reader is shown a line of his own.
    """
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(message, ConvergenceWarning, stacklevel=level_outside())


def level_outside():
    """Return the ``stacklevel`` with which the function that asks warns at the nearest line outside the package."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
