"""The localization trick for a differentiable loss: one small minimisation a target, many at once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from locmethods.arrays.checks import as_array, as_number, check_count, check_localization, check_option, check_share
from locmethods.arrays.door import check_kernel, operands
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.namespace import is_tensor, to_tensor
from locmethods.arrays.types import Array
from locmethods.engines.weights import blocks_of_weights
from locmethods.kernels import Kernel
from locmethods.numerics.minimize import Objective, lbfgs, newton

__all__ = ["LocalizedLoss", "localize"]

METHODS = {"newton": newton, "lbfgs": lbfgs}
BUDGET = 1 << 22  # numbers that the derivatives of one block of targets may take


def localize(
    loss: Callable[..., Any],
    *,
    kernel: Kernel,
    initial: ArrayLike | None = None,
    method: str = "newton",
    empty: str = "nearest",
    tolerance: float = 1e-8,
    max_iter: int = 100,
) -> LocalizedLoss:
    """Localize a differentiable loss: the function ``(query, keys, values=None) -> theta``.

    θ(x*) = argmin_θ Σᵢ w̃ᵢ(x*) l(xᵢ, θ), w̃ being the normalised weights of the kernel [song2026]_ [loader1999]_.
    Weights sum to one, so a penalty inside the loss keeps its strength wherever the target lies.

    Parameters
    ----------
    loss : callable
        ``loss(x, theta)``, or ``loss(x, y, theta)`` if values are given: a scalar tensor, for one key `x` of
        shape (n_features,), its value `y` of shape () or (n_outputs,), and `theta` of shape (n_parameters,).
        Written with torch operations that `torch.func` can differentiate twice (once for L-BFGS) and map;
        it receives float64 tensors, and must be finite at every key, those without weight included.
    kernel : Kernel
        A localization kernel.
    initial : array-like of shape (n_parameters,) or (n_queries, n_parameters), optional
        Where the search starts; zeros, as many as there are features, by default.
    method : {"newton", "lbfgs"}, default="newton"
        Damped Newton for few parameters, L-BFGS for many. Both want a smooth loss: for quantiles use
        `locmethods.local_quantile`, or `Localized` with a QuantileRegressor.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a target with no key in reach gives; see `locmethods.local_mean`.
    tolerance : float, default=1e-8
        Newton: the last step, relative to ``1 + |theta|``. L-BFGS: the gradient, relative to
        Σᵢ w̃ᵢ |∇l(xᵢ, θ₀)|.
    max_iter : int, default=100

    Returns
    -------
    LocalizedLoss

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what is asked above.
    ImportError
        When it is called, if torch is not installed.

    Examples
    --------
    >>> from locmethods import localize
    >>> from locmethods.kernels import Flat
    >>> local = localize(lambda x, theta: (x - theta).square().sum(), kernel=Flat(2.0))
    >>> local([[0.0]], [[0.0], [1.0], [5.0]]).round(6)  # the local mean
    array([[0.5]])
    """
    return LocalizedLoss(loss, kernel=kernel, initial=initial, method=method, empty=empty, tolerance=tolerance,
                         max_iter=max_iter)


class LocalizedLoss:
    """A loss under the localization trick; made by `localize`, called with data.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import localize
    >>> from locmethods.kernels import Flat
    >>> poisson = localize(lambda x, y, theta: theta[0].exp() - y * theta[0], kernel=Flat(2.0))
    >>> np.exp(poisson([[0.0]], [[-1.0], [1.0], [5.0]], [1.0, 3.0, 7.0])).round(6)  # its best rate is the local mean
    array([[2.]])
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        *,
        kernel: Kernel,
        initial: ArrayLike | None,
        method: str,
        empty: str,
        tolerance: float,
        max_iter: int,
    ) -> None:
        if not callable(loss):
            raise TypeError(f"loss must be a callable, got {type(loss).__name__}")
        check_kernel(kernel)
        check_localization(kernel)
        check_option("method", method, tuple(METHODS))
        check_option("empty", empty, EMPTY)
        check_share("tolerance", tolerance)
        check_count("max_iter", max_iter, 1)
        self.loss, self.kernel, self.initial, self.method = loss, kernel, initial, method
        self.empty, self.tolerance, self.max_iter = empty, as_number("tolerance", tolerance), max_iter

    def __repr__(self):
        return f"localize({getattr(self.loss, '__name__', self.loss)}, kernel={self.kernel!r}, method={self.method!r})"

    def __call__(self, query: ArrayLike, keys: ArrayLike, values: ArrayLike | None = None) -> Array:
        """Return the parameters at each target.

        Parameters
        ----------
        query : array-like or Tensor of shape (n_queries, n_features)
        keys : array-like or Tensor of shape (n_keys, n_features)
        values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs), optional

        Returns
        -------
        ndarray or Tensor of shape (n_queries, n_parameters)
            In the callers' kind and floating type; detached from any graph. NaN for targets with nothing in
            reach under ``empty="nan"``.

        Raises
        ------
        ValueError, TypeError
            If the data are not as `locmethods.local_mean` asks, or the loss is not a finite scalar tensor.

        Warns
        -----
        ConvergenceWarning
            If the search failed at some targets: how many of how many.
        """
        torch = _torch()
        data = operands(query, keys, values, kernel=self.kernel, empty=self.empty)
        columns = [to_tensor(data.keys).detach()]
        if values is not None:
            held = to_tensor(data.door.values).detach()
            columns.append(held[..., 0] if data.door.flat else held)
        start = self._start(data)
        self._try_loss(columns, start)
        objective = _objective(self.loss, columns)
        theta = start.clone()
        failed = 0
        size = max(1, BUDGET // (len(data.keys) * start.shape[-1] ** (2 if self.method == "newton" else 1)))
        with torch.no_grad():
            for rows, block in blocks_of_weights(data.door.bound, self.empty):
                block = to_tensor(block).detach()
                for first in range(0, len(block), size):
                    part = slice(rows.start + first, rows.start + min(first + size, len(block)))
                    theta[part], missed = self._solve(objective, start[part], block[first:first + size])
                    failed += missed
        if failed:
            warnings.warn(
                f"localize: {failed} of {len(theta)} targets did not converge within {self.max_iter} iterations of "
                f"{self.method}: raise max_iter, widen the kernel, or check that the loss is smooth and has a minimum",
                ConvergenceWarning, stacklevel=2)
        return data.door.leave(theta if data.door.tensor else theta.numpy())

    def _solve(self, objective, start, weight):
        """Return θ for one block of targets, and how many of them failed."""
        import torch

        present = ~weight.isnan().any(-1)
        theta = torch.full_like(start, math.nan)
        if not bool(present.any()):
            return theta, 0
        found, converged = METHODS[self.method](objective, start[present], weight[present], tolerance=self.tolerance,
                                                max_iter=self.max_iter)
        theta[present] = found
        return theta, int((~converged).sum())

    def _start(self, data):
        """Return the start of the search, of shape (n_queries, n_parameters)."""
        n_queries, like = len(data.query), to_tensor(data.keys).detach()
        if self.initial is None:
            return like.new_zeros(n_queries, like.shape[-1])
        initial = as_array("initial", self.initial)
        shape = tuple(initial.shape)
        if not (len(shape) == 1 or (len(shape) == 2 and shape[0] == n_queries)) or shape[-1] == 0:
            raise ValueError("initial must have shape (n_parameters,) or (n_queries, n_parameters) with n_queries = "
                             f"{n_queries}, got shape {shape}")
        initial = initial.detach() if is_tensor(initial) else to_tensor(np.array(initial))
        return initial.to(like).expand(n_queries, shape[-1]).clone()

    def _try_loss(self, columns, start):
        """Raise unless the loss gives a finite scalar tensor at the start, for each key."""
        import torch

        if not len(start):
            return
        one = self.loss(*(column[0] for column in columns), start[0])
        if not torch.is_tensor(one):
            raise TypeError(f"loss must return a torch tensor, got {type(one).__name__}")
        if one.shape != ():
            raise ValueError(f"loss must return a scalar for one key, got shape {tuple(one.shape)}")
        each = torch.vmap(self.loss, (*(0 for _ in columns), None))(*columns, start[0])
        bad = int((~each.isfinite()).sum())
        if bad:
            raise ValueError(f"loss must be finite at the start of the search, got {bad} NaN or infinite values at "
                             f"{len(each)} keys")


def _torch():
    """Return torch, which differentiates the loss."""
    try:
        import torch
    except ImportError:
        raise ImportError('localize differentiates the loss with torch: pip install "locmethods[torch]"') from None
    return torch


def _objective(loss, columns):
    """Return the localized loss and its derivatives, mapped over targets."""
    import torch
    from torch.func import grad, jacrev, vmap

    axes = (*(0 for _ in columns), None)

    def total(theta, weight):
        return weight @ vmap(loss, axes)(*columns, theta)

    def size(theta, weight):
        return weight @ vmap(loss, axes)(*columns, theta).abs()

    def scale(theta, weight):
        each = vmap(grad(loss, argnums=len(columns)), axes)(*columns, theta)  # (n, p)
        return weight @ torch.linalg.vector_norm(each, dim=-1)

    return Objective(value=vmap(total), gradient=vmap(grad(total)), hessian=vmap(jacrev(grad(total))),
                     scale=vmap(scale), size=vmap(size))
