"""What every estimator does with the sample that comes in, by scikit-learn's own functions."""

from __future__ import annotations

import numpy as np
from sklearn.utils import validation

from locmethods.arrays.checks import check_in_memory

FLOATS = (np.float64, np.float32)  # what estimators keep; everything else becomes float64


def validate_data(estimator, X, y="no_validation", **options):
    """Call scikit-learn's function of that name, once it is clear that nothing lazy would be pulled into memory."""
    check_in_memory(X=X, y=y)
    return validation.validate_data(estimator, X, y, **options)


def check_array(array, *, input_name="X", **options):
    """Call scikit-learn's function of that name, as `validate_data` does."""
    check_in_memory(**{input_name: array})
    return validation.check_array(array, input_name=input_name, **options)


def targets(y):
    """Return numeric targets as float64, or float32 if that is what came."""
    return y if y.dtype in FLOATS else y.astype(np.float64)
