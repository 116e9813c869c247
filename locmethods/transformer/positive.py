"""The linear kernel made positive by a feature map: attention that a recurrence with a state of one size computes."""

from __future__ import annotations

from locmethods.arrays.namespace import carries_grad, is_tensor, log_or_nothing, matrix_transpose, namespace
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, block, outer_shape


def positive_features(points):
    """Return φ(x) = elu(x) + 1, which is x + 1 for x > 0 and exp(x) otherwise, entry by entry [katharopoulos2020]_.

    Parameters
    ----------
    points : ndarray or Tensor

    Returns
    -------
    ndarray or Tensor of the same shape
        Positive.
    """
    if is_tensor(points):
        from torch.nn import functional

        return functional.elu(points) + 1
    xp = namespace(points)
    return xp.where(points > 0, points + 1, xp.exp(xp.minimum(points, points.dtype.type(0))))


class PositiveLinear(Kernel):
    """K = φ(q)·φ(k) with φ(x) = elu(x) + 1, the kernel of linear attention [katharopoulos2020]_.

    A causal local mean under it is a recurrence, Σ_{s ≤ t} φ(k_s) v_sᵀ and Σ_{s ≤ t} φ(k_s): its state does not grow
    with the sequence.
    """

    form = "inner product"

    def __init__(self):
        pass

    def bind(self, query, keys, *, hollow=False, kept=None):
        from locmethods.kernels.restricted import without_own

        return without_own(PositiveLinearBound(query, keys), hollow)


class PositiveLinearBound(Bound):
    """φ(q)·φ(k), bound to points."""

    def __init__(self, query, keys):
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys))
        self._query, self._keys = query, keys

    def _product(self, rows, cols, take):
        query, keys = take(self._query, rows), take(self._keys, cols)
        return positive_features(query) @ matrix_transpose(positive_features(keys))

    def log(self, rows, cols, take=block):
        return log_or_nothing(self._product(rows, cols, take))

    def gap(self, rows, cols):
        return -self._product(rows, cols, block)
