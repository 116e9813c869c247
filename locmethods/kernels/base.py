"""What every kernel is: named parameters, a formula that can be bound to points, and an algebra."""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_number, check_positive
from locmethods.arrays.door import enter
from locmethods.arrays.namespace import is_tensor, namespace
from locmethods.arrays.types import Array, Features, Scalar
from locmethods.kernels.names import every, inner_params, set_inner

if TYPE_CHECKING:
    from locmethods.kernels.bound import Bound

__all__ = ["Kernel"]

LONGEST = 240  # characters of a kernel in an error's sentence: two lines
MOST_ENTRIES = 6  # of a list that is shown whole


class Kernel:
    """An un-normalised weight K(query, key) with named parameters.

    Abstract: a kernel defines ``bind(query, keys, *, hollow=False, kept=None)``, which ties it to arrays of shapes
    (..., n_queries, d) and (..., n_keys, d) and returns a `kernels.bound.Bound`, and ``_check``, its parameters'
    conditions. Attributes: ``form``, one of "radial", "inner product", "rank", "levels" and
    "composite"; ``signed``, True when K
    may be negative, so that K is not a localization kernel; ``reach``, the distance beyond which K is zero (inf if
    there is none); ``length``, the length in which K measures nearness (None if it has none); ``maps_features``, True
    when a feature map stands between the inputs and the kernel; ``columns``, the names of the columns that it takes
    from a data frame (None if it goes by their places); ``within``, the names of the parameters that hold kernels which
    the algebra has combined.

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> kernel = 2 * Flat(1.0) + Flat(3.0)
    >>> kernel([[0.0]], [[0.5], [2.0], [4.0]])
    array([[3., 1., 0.]])
    >>> kernel.hollow()([[0.0], [2.0]])
    array([[0., 1.],
           [1., 0.]])
    """

    form = "composite"
    signed = False
    reach = math.inf
    length: float | None = None
    maps_features = False
    columns: tuple[str, ...] | None = None
    within: tuple[str, ...] = ()
    __array_ufunc__ = None  # so that np.float64(2) * kernel asks the kernel

    def _check(self):
        """Raise ValueError or TypeError unless every parameter is admissible."""

    if TYPE_CHECKING:  # a class that does not define it is no kernel yet, and `check_kernel` says so

        def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound: ...

    def labelled(self, n_features: int, name: str) -> dict[int, list[Kernel]]:
        """Return by column the kernels of levels that compare it, for points of so many features.

        Parameters
        ----------
        n_features : int
        name : {"query", "keys"}
            Which points are meant: a pull-back may treat them differently.

        Returns
        -------
        dict of list of kernels
            Columns that hold numbers for every kernel are not in it.
        """
        return {}

    def __call__(self, query: ArrayLike, keys: ArrayLike | None = None) -> Array:
        """Return the kernel matrix, un-normalised, of shape (..., n_queries, n_keys).

        Parameters
        ----------
        query : array-like or Tensor of shape (..., n_queries, n_features)
        keys : array-like or Tensor of shape (..., n_keys, n_features), optional
            The queries themselves by default.

        Raises
        ------
        ValueError, TypeError
            As `locmethods.local_mean` does.
        """
        door = enter(self, query, query if keys is None else keys, None)
        bound = door.bound
        every = slice(0, bound.shape[-2]), slice(0, bound.shape[-1])
        with np.errstate(over="ignore"):
            weight = namespace(bound.like).exp(bound.log(*every))
        return door.leave(weight * bound.sign(*every) if bound.signed else weight)

    def __mul__(self, other: Kernel | Scalar) -> Kernel:
        from locmethods.kernels.algebra import Product, Scaled

        return Product(self, other) if isinstance(other, Kernel) else Scaled(self, other)

    def __rmul__(self, other: Scalar) -> Kernel:
        from locmethods.kernels.algebra import Scaled

        return Scaled(self, other)

    def __add__(self, other: Kernel) -> Kernel:
        from locmethods.kernels.algebra import Sum

        if not isinstance(other, Kernel):
            raise TypeError(f"a kernel can be added to a kernel only, got {type(other).__name__}")
        return Sum(self, other)

    def on(self, features: Features, key_features: Features | None = None) -> Kernel:
        """Return K(φ(query), ψ(key)): the pull-back along `features` φ and `key_features` ψ (φ by default)."""
        from locmethods.kernels.algebra import PullBack

        return PullBack(self, features, key_features)

    def hollow(self) -> Kernel:
        """Return the kernel without its diagonal: key i has no weight for query i (leave-one-out)."""
        from locmethods.kernels.algebra import Hollow

        return Hollow(self)

    def where(self, mask: ArrayLike) -> Kernel:
        """Return the kernel restricted to the pairs where `mask` is True (True means: may attend)."""
        from locmethods.kernels.algebra import Masked

        return Masked(self, mask)

    @classmethod
    @cache
    def _names(cls):
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; those of inner kernels as ``name__parameter``.

        The kernels inside a product or a sum, or under a factor, a feature map or a mask, go by their classes in lower
        case, from left to right as one reads them, numbered where two are alike; how they are nested plays no part.

        Parameters
        ----------
        deep : bool, default=True
            False leaves out what is inside other kernels.

        Examples
        --------
        >>> from locmethods.kernels import Flat, Gaussian
        >>> kernel = 2.0 * Gaussian(0.5) * Flat(1.0) + Gaussian(3.0)
        >>> [name for name in kernel.get_params() if "__" in name]
        ['gaussian_1__bandwidth', 'gaussian_1__factor', 'flat__radius', 'gaussian_2__bandwidth']
        """
        own = {name: getattr(self, name) for name in self._names()}
        return inner_params(self) | own if deep else own

    def set_params(self, **params: Any) -> Self:
        """Set parameters by the names of `get_params`, and return the kernel.

        .. deprecated:: 0.2
            The names by place of combined kernels, such as ``left__kernel__bandwidth``: they go on working, with a
            warning that says what to write instead.

        Warns
        -----
        FutureWarning
            If a name is one by place.

        Raises
        ------
        ValueError, TypeError
            If a name is unknown or a value is not admissible; then nothing is changed.
        """
        before = [(kernel, dict(vars(kernel))) for kernel in every(self)]
        own, inner = self._names(), {}
        try:
            for name, value in params.items():
                if name in own:
                    setattr(self, name, value)
                else:
                    inner[name] = value
            self._check()
            set_inner(self, inner)
            self._check()
        except Exception:
            for kernel, attributes in before:
                vars(kernel).clear()
                vars(kernel).update(attributes)
            raise
        return self

    def __repr__(self):
        inner = ", ".join(f"{name}={short(getattr(self, name))}" for name in self._names())
        return cut(f"{type(self).__name__}({inner})")


def short(value):
    """Return a repr that fits into a sentence: arrays by their shape, long lists by their ends, functions by name.

    Numbers are those that a person would write.
    """
    if getattr(value, "ndim", 0) > 0:
        return f"array of shape {tuple(value.shape)}"
    if type(value) in (list, tuple):
        shown = [short(one) for one in (value if len(value) <= MOST_ENTRIES else (*value[:3], value[-1]))]
        if len(value) > MOST_ENTRIES:
            shown.insert(3, f"… {len(value) - 4} more …")
        inside = ", ".join(shown)
        return f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
    if callable(value) and not isinstance(value, Kernel):
        return getattr(value, "__name__", type(value).__name__)  # a repr may hold an address, or a network's weights
    return cut(repr(value.item() if isinstance(value, np.generic) else value))


def cut(text):
    """Return a text, without its middle if it is too long for a sentence."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST - 53]} … {text[-50:]}"


def check_parameters_positive(kernel, names):
    """Raise unless the kernel's parameters of these names are positive finite numbers."""
    for name in names:
        check_positive(name, getattr(kernel, name))


def as_parameter(name, value, reference):
    """Return a parameter as a float, or as a scalar tensor in the score type where the points are tensors too."""
    if is_tensor(value) and is_tensor(reference):
        return value.reshape(()).to(dtype=reference.dtype, device=reference.device)
    return as_number(name, value)
