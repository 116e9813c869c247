"""What a localization kernel is, and how kernels combine: product, sum, scaling, pull-back, hollow, mask.

A kernel is bound to queries and keys by `bind`; the engines see only the result (`engines.bound.Bound`).
"""

from __future__ import annotations

import inspect
import math
import numbers
from dataclasses import replace
from functools import cache

from locmethods.arrays.doors import enter, mapped
from locmethods.engines.bound import Bound, block


class Kernel:
    """An un-normalised weight K(query, key) with named parameters.

    Abstract: a kernel defines ``_check`` (its parameters' conditions) and ``bind``. Attributes: ``form``, one
    of "radial", "inner product", "rank" and "composite"; ``signed``, True when K may be negative, so that K
    is not a localization kernel; ``reach``, the distance beyond which K is zero (inf if there is none);
    ``maps_features``, True when a feature map stands between the inputs and the kernel.
    """

    form = "composite"
    signed = False
    reach = math.inf
    maps_features = False
    __array_ufunc__ = None  # so that np.float64(2) * kernel asks the kernel

    def _check(self):
        """Raise ValueError or TypeError unless every parameter is admissible."""

    def bind(self, query, keys) -> Bound:
        """Tie the kernel to tensors of shapes (..., n_queries, d) and (..., n_keys, d)."""
        raise NotImplementedError(f"{type(self).__name__} does not define bind")

    def __call__(self, query, keys=None):
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
        bound, every = door.bound, slice(0, door.bound.shape[-1])
        weight = bound.log(slice(0, bound.shape[-2]), every).exp()
        if bound.sign is not None:
            weight = weight * bound.sign(slice(0, bound.shape[-2]), every)
        return door.leave(weight)

    def __mul__(self, other):
        if not isinstance(other, Kernel):
            return Scaled(self, other)
        return Product(self, other)

    def __rmul__(self, other):
        return Scaled(self, other)

    def __add__(self, other):
        if not isinstance(other, Kernel):
            raise TypeError(f"a kernel can be added to a kernel only, got {type(other).__name__}")
        return Sum(self, other)

    def on(self, features, key_features=None):
        """Return K(φ(query), ψ(key)): the pull-back along `features` φ and `key_features` ψ (φ by default)."""
        return PullBack(self, features, key_features)

    def hollow(self):
        """Return the kernel without its diagonal: key i has no weight for query i (leave-one-out)."""
        return Hollow(self)

    def where(self, mask):
        """Return the kernel restricted to the pairs where `mask` is True (True means: may attend)."""
        return Masked(self, mask)

    @classmethod
    @cache
    def _names(cls):
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep=True):
        """Return the parameters by name; those of inner kernels as ``name__parameter``."""
        found = {}
        for name in self._names():
            value = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                found.update({f"{name}__{key}": inner for key, inner in value.get_params().items()})
            found[name] = value
        return found

    def set_params(self, **params):
        """Set parameters by name, ``name__parameter`` reaching into inner kernels, and return the kernel.

        Raises
        ------
        ValueError
            If a name is unknown or a value is not admissible; then nothing is changed.
        """
        before = {name: getattr(self, name) for name in self._names()}
        for name, value in params.items():
            head, _, tail = name.partition("__")
            if head not in before:
                raise ValueError(f"{type(self).__name__} has no parameter {head!r}; it has {self._names()}")
            if tail:
                getattr(self, head).set_params(**{tail: value})
            else:
                setattr(self, head, value)
        try:
            self._check()
        except (TypeError, ValueError):
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    def __repr__(self):
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._names())
        return f"{type(self).__name__}({inner})"


def _is_kernel(value, name):
    if not isinstance(value, Kernel):
        raise TypeError(f"{name} must be a kernel from locmethods.kernels, got {type(value).__name__}")


def _reach_of(kernel):
    """Return the square of the length in which a factor measures nearness (1 where it has none)."""
    length = kernel.reach if kernel.reach < math.inf else as_number("bandwidth", getattr(kernel, "bandwidth", 1.0))
    return length**2


def _both(left, right):
    """Return a function of a block that multiplies two signs, either of which may be missing."""
    if left is None or right is None:
        return right if left is None else left
    return lambda rows, cols: left(rows, cols) * right(rows, cols)


class _Pair(Kernel):
    """A kernel made of two."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self._check()

    def _check(self):
        _is_kernel(self.left, "left")
        _is_kernel(self.right, "right")

    @property
    def signed(self):
        """True if either may be negative."""
        return self.left.signed or self.right.signed

    @property
    def maps_features(self):
        """True if either maps features."""
        return self.left.maps_features or self.right.maps_features


class _Around(Kernel):
    """A kernel made from one, ``kernel``, with which it shares sign, reach and feature maps."""

    def _check(self):
        _is_kernel(self.kernel, "kernel")

    @property
    def signed(self):
        """True if the inner kernel may be negative."""
        return self.kernel.signed

    @property
    def reach(self):
        """The inner kernel's reach."""
        return self.kernel.reach

    @property
    def maps_features(self):
        """True if the inner kernel maps features."""
        return self.kernel.maps_features


class Product(_Pair):
    """K(q, k) = A(q, k) · B(q, k): near in both senses at once."""

    @property
    def reach(self):
        """The lesser reach."""
        return min(self.left.reach, self.right.reach)

    def bind(self, query, keys):
        import torch

        a, b = self.left.bind(query, keys), self.right.bind(query, keys)
        wide, narrow = _reach_of(self.left), _reach_of(self.right)

        def relative(rows, cols, reference, take=block):
            return sum(_relative_or_log(part, rows, cols, reference, take) for part in (a, b))

        def offset(rows, reference, take=block):
            return sum(part.offset(rows, reference, take) for part in (a, b) if part.relative is not None)

        some = a.relative is not None or b.relative is not None
        return replace(
            a, shape=torch.broadcast_shapes(a.shape, b.shape),
            log=lambda rows, cols, take=block: a.log(rows, cols, take) + b.log(rows, cols, take),
            gap=lambda rows, cols: a.gap(rows, cols) / wide + b.gap(rows, cols) / narrow,
            relative=relative if some else None, offset=offset if some else None, centred=False,
            sign=_both(a.sign, b.sign), whole=a.whole or b.whole, bounded=a.bounded and b.bounded,
            grad=a.grad or b.grad, weight=None, neighbors=None, parts=(),
            **_where_zero(a if a.falls and a.falls.compact else b))


def _relative_or_log(part, rows, cols, reference, take):
    """Return a part's scores relative to the reference, or as they are if it has no such form."""
    if part.relative is None:
        return part.log(rows, cols, take)
    return part.relative(rows, cols, reference, take)


def _where_zero(part):
    """Return what a kernel of compact support says about where a product with it is zero."""
    zero = part.falls is not None and part.falls.compact
    return dict(points=part.points if zero else None, formula=None, falls=part.falls if zero else None, allowed=None)


def _log_of_sum(x, y, sign_x=None, sign_y=None):
    """Return log |±exp x ± exp y| and its sign; −inf, with gradient zero rather than 0/0, where the sum is zero."""
    import torch

    top = torch.maximum(x, y)
    anchor = torch.where(top == -math.inf, 0.0, top).detach()
    x, y = (x - anchor).exp(), (y - anchor).exp()
    weight = (x if sign_x is None else x * sign_x) + (y if sign_y is None else y * sign_y)
    size = weight.abs()
    return torch.where(size > 0, torch.where(size > 0, size, 1.0).log() + anchor, -math.inf), weight.sign()


class Sum(_Pair):
    """K(q, k) = A(q, k) + B(q, k): near in either sense."""

    @property
    def reach(self):
        """The greater reach."""
        return max(self.left.reach, self.right.reach)

    def bind(self, query, keys):
        import torch

        a, b = self.left.bind(query, keys), self.right.bind(query, keys)
        wide, narrow = _reach_of(self.left), _reach_of(self.right)

        def both(rows, cols, take=block):
            signs = (part.sign and part.sign(rows, cols) for part in (a, b))
            return _log_of_sum(a.log(rows, cols, take), b.log(rows, cols, take), *signs)

        def offsets(rows, reference, take):
            return [0.0 if part.offset is None else part.offset(rows, reference, take) for part in (a, b)]

        def offset(rows, reference, take=block):
            return torch.maximum(*(torch.as_tensor(o, dtype=query.dtype) for o in offsets(rows, reference, take)))

        def relative(rows, cols, reference, take=block):
            top = offset(rows, reference, take)
            logs = [_relative_or_log(part, rows, cols, reference, take) + (own - top).unsqueeze(-1)
                    for part, own in zip((a, b), offsets(rows, reference, take), strict=True)]
            return _log_of_sum(*logs)[0]

        signed = a.sign is not None or b.sign is not None
        some = not signed and (a.relative is not None or b.relative is not None)
        return replace(
            a, shape=torch.broadcast_shapes(a.shape, b.shape), relative=relative if some else None,
            log=lambda rows, cols, take=block: both(rows, cols, take)[0],
            offset=offset if some else None, centred=False, whole=a.whole or b.whole, bounded=False,
            grad=a.grad or b.grad, sign=(lambda rows, cols: both(rows, cols)[1]) if signed else None,
            weight=None, points=None, formula=None, falls=None, allowed=None, neighbors=None,
            parts=() if signed else (a, b),
            gap=lambda rows, cols: torch.minimum(a.gap(rows, cols) / wide, b.gap(rows, cols) / narrow))


def _to_each_part(bound, change):
    """Return ``change(bound)``, whose parts are changed in the same way."""
    return replace(change(bound), parts=tuple(_to_each_part(part, change) for part in bound.parts))


class Scaled(_Around):
    """K(q, k) = factor · A(q, k), with a positive factor."""

    def __init__(self, kernel, factor):
        self.kernel, self.factor = kernel, factor
        self._check()

    def _check(self):
        super()._check()
        check_positive("factor", self.factor)

    def bind(self, query, keys):
        inner = self.kernel.bind(query, keys)
        factor = as_parameter(self.factor, inner.like)
        shift = factor.log() if hasattr(factor, "log") else math.log(factor)

        def scaled(bound):
            def offset(rows, reference, take=block):
                return bound.offset(rows, reference, take) + take(shift)

            return replace(bound, log=lambda rows, cols, take=block: bound.log(rows, cols, take) + take(shift),
                           offset=bound.offset and offset,
                           bounded=bound.bounded and bool(shift <= 0), weight=None, neighbors=None,
                           formula=bound.formula and bound.formula._replace(
                               log_factor=bound.formula.log_factor + as_number("factor", shift)),
                           grad=bound.grad or getattr(factor, "requires_grad", False))

        return _to_each_part(inner, scaled)


class PullBack(_Around):
    """K(q, k) = A(φ(q), ψ(k)).

    Parameters
    ----------
    kernel : Kernel
    features : callable, or column indices
        φ maps an array of shape (..., n, d), of the caller's own kind, to shape (..., n, d′). A list of
        integers or a slice picks columns.
    key_features : the same, optional
        ψ; φ by default.
    """

    reach = math.inf  # the inner reach is a distance between features, not between keys
    maps_features = True

    def __init__(self, kernel, features, key_features=None):
        self.kernel, self.features, self.key_features = kernel, features, key_features
        self._check()

    def _check(self):
        super()._check()
        for name in ("features", "key_features"):
            value = getattr(self, name)
            if not (callable(value) or isinstance(value, slice | list) or (name == "key_features" and value is None)):
                raise TypeError(f"{name} must be a callable, a list of columns or a slice, got {type(value).__name__}")

    def bind(self, query, keys):
        psi = self.features if self.key_features is None else self.key_features
        query, keys = mapped(self.features, query, "features"), mapped(psi, keys, "key_features")
        if query.shape[-1] != keys.shape[-1]:
            raise ValueError(f"features maps queries to {query.shape[-1]} columns but key_features maps keys "
                             f"to {keys.shape[-1]}")
        return self.kernel.bind(query, keys)


def _forbid(inner, allowed):
    """Return `inner` with no weight where ``allowed(rows, cols)`` is False."""
    import torch

    def limited(function, outside):
        def apply(rows, cols, *more):
            return torch.where(allowed(rows, cols), function(rows, cols, *more), outside)
        return apply

    return replace(inner, log=limited(inner.log, -math.inf), gap=limited(inner.gap, math.inf),
                   relative=inner.relative and limited(inner.relative, -math.inf),
                   weight=inner.weight and limited(inner.weight, 0.0), neighbors=None, formula=None, falls=None,
                   allowed=None)


class Hollow(_Around):
    """K with its diagonal removed: the queries must be the keys, in the same order."""

    def __init__(self, kernel):
        self.kernel = kernel
        self._check()

    def bind(self, query, keys):
        import torch

        if query.shape[-2] != keys.shape[-2]:
            raise ValueError("a hollow kernel pairs query i with key i, so there must be as many queries as keys, "
                             f"got {query.shape[-2]} queries and {keys.shape[-2]} keys")
        # "k nearest" must mean the k nearest others, so a rank kernel leaves its own index out before it ranks.
        if self.kernel.form == "rank":
            return self.kernel.bind(query, keys, hollow=True)
        index = torch.arange(keys.shape[-2], device=keys.device)
        inner = self.kernel.bind(query, keys)

        def hollow(bound):
            formula = None if bound.allowed is not None else bound.formula
            formula, falls = (part and part._replace(hollow=True) for part in (formula, bound.falls))
            return replace(_forbid(bound, lambda rows, cols: index[rows, None] != index[cols]), formula=formula,
                           falls=falls)

        return _to_each_part(inner, hollow)


class Masked(_Around):
    """K restricted to the pairs that a boolean mask allows (True means: may attend).

    Parameters
    ----------
    kernel : Kernel
    mask : boolean array or Tensor, broadcastable to (..., n_queries, n_keys)
    """

    def __init__(self, kernel, mask):
        self.kernel, self.mask = kernel, mask
        self._check()

    def _check(self):
        super()._check()
        if str(getattr(self.mask, "dtype", type(self.mask).__name__)) not in ("bool", "torch.bool"):
            raise TypeError("mask must be a boolean array (True means: may attend), got "
                            f"{getattr(self.mask, 'dtype', type(self.mask).__name__)}")

    def bind(self, query, keys):
        import torch

        inner = self.kernel.bind(query, keys)
        mask = torch.as_tensor(self.mask, device=keys.device)
        shape = inner.shape[-2:]
        try:
            mask = mask.expand(*mask.shape[:-2], *shape) if mask.ndim > 2 else mask.expand(*shape)
        except RuntimeError:
            raise ValueError(f"mask must broadcast to (n_queries, n_keys) = {tuple(shape)}, "
                             f"got shape {tuple(mask.shape)}") from None
        # To look a mask up by index would cost more than the pairs that blocks would spare.
        batch = torch.broadcast_shapes(inner.shape[:-2], mask.shape[:-2])

        def masked(bound):
            return replace(_forbid(bound, lambda rows, cols: mask[..., rows, :][..., cols]), shape=(*batch, *shape),
                           formula=bound.formula, allowed=mask if bound.allowed is None else mask & bound.allowed)

        return _to_each_part(inner, masked)


def as_number(name, value, kind="number"):
    """Return a scalar parameter (a number, or a tensor with one element) as a float, or raise TypeError."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    if hasattr(value, "detach") and value.numel() == 1:
        return float(value.detach())
    if getattr(value, "shape", None) == () and not hasattr(value, "detach"):
        return float(value)
    raise TypeError(f"{name} must be a {kind}, got {value!r}")


def check_positive(name, value):
    """Raise unless `value` is one positive finite number (a float, or a tensor with one element)."""
    if not 0 < as_number(name, value, "positive number") < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def as_parameter(value, like):
    """Return a parameter as a float, or as a scalar tensor in the score type when it is a tensor."""
    if hasattr(value, "numel"):
        return value.reshape(()).to(dtype=like.dtype, device=like.device)
    return float(value)
