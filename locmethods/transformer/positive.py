"""The feature map with which the linear kernel is positive, and attention a recurrence with a state of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from locmethods.arrays.namespace import is_tensor


def positive_features(points: Any) -> Any:
    """Return φ(x) = elu(x) + 1, which is x + 1 for x > 0 and exp(x) otherwise, entry by entry [katharopoulos2020]_.

    Parameters
    ----------
    points : array-like or Tensor

    Returns
    -------
    ndarray or Tensor of the same shape
        Positive.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import positive_features
    >>> positive_features(np.array([-np.log(2.0), 0.0, 2.0])).round(6)
    array([0.5, 1. , 3. ])
    """
    if is_tensor(points):
        from torch.nn import functional

        return functional.elu(points if points.is_floating_point() else points.double()) + 1
    points = np.asarray(points)
    return np.where(points > 0, points + 1, np.exp(np.minimum(points, points.dtype.type(0))))
