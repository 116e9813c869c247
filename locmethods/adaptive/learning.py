"""Kernels that learn: any of their parameters along the gradient of a leave-one-out loss, and mixtures of kernels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_X_y

from locmethods.adaptive.metrics import LOSSES
from locmethods.arrays.checks import (
    as_number,
    check_count,
    check_in_memory,
    check_localization,
    check_option,
    check_tol,
)
from locmethods.arrays.door import check_kernel
from locmethods.arrays.estimators import targets
from locmethods.arrays.namespace import to_numpy
from locmethods.arrays.types import Scalar
from locmethods.kernels.base import Kernel
from locmethods.kernels.names import current_name
from locmethods.means import local_mean
from locmethods.numerics.settling import say_unsettled

__all__ = ["Learned", "learn_kernel", "mixture"]

POSITIVE = ("bandwidth", "radius", "temperature", "power", "factor")  # parameters that are learned as logarithms
STEEPEST = 300.0  # the largest logarithm that is tried, and minus it the least: e³⁰⁰ can still be squared


class Learned(NamedTuple):
    """A kernel that has learned.

    Attributes
    ----------
    kernel : Kernel
        With numbers and arrays in the place of what was learned.
    loss : float
        The loss a sample under it, left-one-out if the kernel was hollow.
    losses : ndarray of shape (n_iter + 1,)
        At the start and after each step.
    n_iter : int
    settled : bool

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import learn_kernel
    >>> from locmethods.kernels import Gaussian
    >>> x = np.linspace(0, 1, 60)[:, None]
    >>> found = learn_kernel(x, np.sin(6 * x[:, 0]) + np.tile([-0.2, 0.2], 30), kernel=Gaussian(0.3))
    >>> found.settled, bool(found.loss < found.losses[0]), len(found.losses) == found.n_iter + 1
    (True, True, True)
    """

    kernel: Kernel
    loss: float
    losses: np.ndarray
    n_iter: int
    settled: bool


def mixture(kernels: Sequence[Kernel], weights: Sequence[Scalar] | None = None) -> Kernel:
    """Return the mixture Σ wₖ Kₖ of kernels: a key is near if it is near in one sense or another.

    Parameters
    ----------
    kernels : sequence of Kernel
    weights : sequence of positive floats or scalar Tensors, optional
        All one by default. Only their ratios matter to a local mean.

    Returns
    -------
    Kernel
        A sum of kernels; each part is summed by its own fastest way. `learn_kernel` learns the weights.

    Raises
    ------
    ValueError, TypeError
        If there are no kernels or their number is not that of the weights, or a part is not as above.

    Examples
    --------
    >>> from locmethods.adaptive import mixture
    >>> from locmethods.kernels import Gaussian
    >>> mixture([Gaussian(1.0), Gaussian(10.0)], [1.0, 0.5])([[0.0]], [[0.0], [5.0]]).round(3)
    array([[1.5  , 0.441]])
    """
    if isinstance(kernels, Kernel) or not isinstance(kernels, Iterable):
        raise TypeError(f"kernels must be a sequence of kernels, got {kernels!r}")
    if not (weights is None or isinstance(weights, Iterable)):
        raise TypeError(f"weights must be a sequence of numbers, one for each kernel, got {weights!r}")
    kernels = list(kernels)
    weights = [1.0] * len(kernels) if weights is None else list(weights)
    if not kernels or len(weights) != len(kernels):
        raise ValueError(f"there must be at least one kernel and a weight for each, got {len(kernels)} kernels and "
                         f"{len(weights)} weights")
    for kernel in kernels:
        check_kernel(kernel)
    return reduce(add, (weight * kernel for weight, kernel in zip(weights, kernels, strict=True)))


def learn_kernel(
    X: ArrayLike,
    y: ArrayLike,
    *,
    kernel: Kernel,
    parameters: list[str] | None = None,
    loss: str = "squared",
    hollow: bool = True,
    max_iter: int = 100,
    tol: float = 1e-5,
) -> Learned:
    """Choose parameters of a kernel by the gradient of its leave-one-out loss: widths, metrics and mixtures together.

    The loss (1/n) Σᵢ ℓ(yᵢ, m₋ᵢ) of the local mean of the others is differentiated through `locmethods.local_mean`,
    block by block, and descended by L-BFGS [byrd1995]_. Positive numbers are learned as their logarithms. It needs
    torch.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs); labels for the loss "accuracy"
    kernel : Kernel
        Copied; its parameters are the start.
    parameters : list of str, optional
        Names in ``kernel.get_params()`` of positive numbers and of matrices, on which the gradient depends. By default
        every bandwidth, radius, temperature, power and factor of a mixture that is a number, and every ``matrix`` of a
        `Metric`.
    loss : {"squared", "accuracy"}, default="squared"
        (y − m)², summed over outputs, or 1 − m_c of one-hot labels, m_c being the share of the own class c
        [goldberger2004]_.
    hollow : bool, default=True
        False leaves every sample in its own mean: then the best kernel is the one that remembers, K = I, and nothing
        is learned.
    max_iter : int, default=100
    tol : float, default=1e-5
        It has settled when no slope of the loss is larger, as a share of the loss at the start.

    Returns
    -------
    Learned

    Warns
    -----
    ConvergenceWarning
        If the search has not settled after `max_iter` steps, or stops before; or if it stays where it begins because
        the loss has no slope there, as it never has in the radius of `kernels.Flat`.

    Raises
    ------
    ValueError, TypeError
        If the data or a parameter are not as above, there is nothing to learn, or the loss or its slope are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import learn_kernel
    >>> from locmethods.kernels import Gaussian
    >>> x = np.linspace(0, 1, 60)[:, None]
    >>> y = np.sin(6 * x[:, 0]) + np.tile([-0.2, 0.2], 30)
    >>> round(learn_kernel(x, y, kernel=Gaussian(0.3)).kernel.bandwidth, 3)
    0.054
    """
    check_option("loss", loss, LOSSES)
    check_count("max_iter", max_iter, 1)
    check_tol(tol)
    if not isinstance(hollow, bool | np.bool_):
        raise TypeError(f"hollow must be True or False, got {hollow!r}")
    check_in_memory(X=X, y=y)
    check_kernel(kernel)
    check_localization(kernel)
    X, values = _sample(X, y, loss)
    names = _names(kernel, parameters)
    objective = _Objective(kernel, names, X, values, loss, hollow)
    start = objective.start
    first, steepness = objective(start)
    losses, scale = [first], first or 1.0

    def scaled(flat):
        value, slope = objective(flat)
        return value / scale, slope / scale

    found = minimize(scaled, start, jac=True, method="L-BFGS-B", bounds=objective.bounds,
                     callback=lambda intermediate_result: losses.append(intermediate_result.fun * scale),
                     options={"maxiter": max_iter, "gtol": tol, "ftol": 0.0})
    slope = float(np.abs(found.jac).max(initial=0.0))
    stuck = first > 0 and not steepness.any()
    settled = slope <= tol and not stuck
    if stuck:
        say_unsettled("the kernel has not settled: where the search begins the loss has no slope in "
                      f"{', '.join(names)}; begin elsewhere, or choose by select_bandwidth")
    elif not settled:
        say_unsettled(f"the kernel has not settled after {found.nit} steps: the largest slope of the loss is "
                      f"{slope:.2g} of the loss at the start; raise max_iter or tol")
    learned = objective.kernel_at(found.x)
    return Learned(learned, float(found.fun) * scale, np.array(losses), int(found.nit), settled)


def _sample(X, y, loss):
    """Return points and values as floating arrays, of shapes (n, d) and (n, n_outputs)."""
    labels = loss == "accuracy"
    X, y = check_X_y(X, y, dtype=np.float64, multi_output=not labels, y_numeric=not labels, ensure_min_samples=2)
    if not labels:
        return X, targets(y).reshape(len(y), -1).astype(np.float64)
    check_classification_targets(y)
    return X, np.eye(len(np.unique(y)))[np.unique(y, return_inverse=True)[1]]


def _names(kernel, parameters):
    """Return the names of what is learned."""
    known = kernel.get_params()
    if parameters is None:
        names = [name for name, value in known.items() if name.split("__")[-1] in (*POSITIVE, "matrix")
                 and not isinstance(value, Kernel)]
    else:
        if not isinstance(parameters, Iterable):
            raise TypeError(f"parameters must be a list of names, got {parameters!r}")
        names = [parameters] if isinstance(parameters, str) else list(parameters)
        names = [current_name(kernel, name) for name in names]
    for name in names:
        if name not in known:
            raise ValueError(f"parameters must be names among {sorted(known)}, got {name!r}")
        if names.count(name) > 1:
            raise ValueError(f"parameters must be different names, got {name!r} {names.count(name)} times")
    if not names:
        raise ValueError(f"there must be something to learn, and {kernel!r} has no number or matrix that is known to "
                         "be one: name it in parameters")
    return names


class _Objective:
    """The loss and its slope as functions of one array with all that is learned."""

    def __init__(self, kernel, names, X, values, loss, hollow):
        import torch

        self.kernel, self.names, self.loss, self.hollow = clone(kernel), names, loss, hollow
        self.X, self.values = (torch.from_numpy(np.ascontiguousarray(part)) for part in (X, values))
        self.shapes, parts, self.bounds = [], [], []
        known = kernel.get_params()
        for name in names:
            if name.split("__")[-1] == "matrix":
                part = to_numpy(known[name]) if hasattr(known[name], "detach") else np.asarray(known[name], float)
                self.bounds += [(None, None)] * part.size
            else:
                part = np.asarray(_logarithm(name, known[name]))
                self.bounds.append((-STEEPEST, STEEPEST))
            self.shapes.append(part.shape)
            parts.append(part.ravel())
        self.start = np.concatenate(parts).astype(np.float64)
        for name, value in zip(names, self._values(self._leaves(self.start)), strict=True):
            try:
                clone(kernel).set_params(**{name: value})
            except (TypeError, ValueError):
                raise ValueError(_immovable(kernel, name)) from None

    def _pieces(self, flat):
        """Return what is learned, one array a parameter."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]

    def _leaves(self, flat):
        """Return what is learned as tensors, one a parameter, numbers as their logarithms."""
        import torch

        return [torch.tensor(part, requires_grad=True) for part in self._pieces(flat)]

    @staticmethod
    def _values(leaves):
        """Return what the kernel has for them: matrices as they are, numbers out of their logarithms."""
        return [leaf if leaf.ndim else leaf.exp() for leaf in leaves]

    def kernel_at(self, flat):
        """Return the kernel with numbers and arrays."""
        found = [part if part.shape else math.exp(part) for part in self._pieces(flat.copy())]
        return clone(self.kernel).set_params(**dict(zip(self.names, found, strict=True)))

    def __call__(self, flat):
        import torch

        leaves = self._leaves(flat)
        kernel = clone(self.kernel).set_params(**dict(zip(self.names, self._values(leaves), strict=True)))
        mean = local_mean(self.X, self.X, self.values, kernel=kernel.hollow() if self.hollow else kernel)
        if self.loss == "squared":
            value = (self.values - mean).square().sum(-1).mean()
        else:
            value = 1 - (self.values * mean).sum(-1).mean()
        slopes = torch.autograd.grad(value, leaves, allow_unused=True) if value.requires_grad else [None] * len(leaves)
        for name, slope in zip(self.names, slopes, strict=True):
            if slope is None:
                raise ValueError(_immovable(self.kernel, name))
        value, slope = float(value.detach()), np.concatenate([part.numpy().ravel() for part in slopes])
        if not (math.isfinite(value) and np.isfinite(slope).all()):
            raise ValueError(f"the loss and its slope must be numbers, got {value:.3g} and slopes up to "
                             f"{np.abs(slope).max():.3g} of {self.kernel_at(flat)!r}: bring the values to a size near "
                             "one, or begin with a width near the distances of the points")
        return value, slope


def _logarithm(name, value):
    """Return the logarithm of a positive number that is to be learned."""
    number = as_number(name, value)
    if not math.exp(-STEEPEST) <= number <= math.exp(STEEPEST):
        raise ValueError(f"{name} must be a positive number, no farther from one than a factor of e^{STEEPEST:.0f}, to "
                         f"be learned as its logarithm, got {value!r}")
    return math.log(number)


def _immovable(kernel, name):
    return f"parameters must be numbers and matrices that a gradient can move, got {name!r} of {kernel!r}"
