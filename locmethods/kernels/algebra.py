"""How kernels combine: product, sum, scaling, pull-back, hollow, mask.

A combination has the slow contract of its parts. It offers an engine more (`Bound.parts`, `Bound.term`) only where it
says here why it may; what it does not say costs time, never a digit.
"""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Sequence

import numpy as np

from locmethods.arrays.checks import as_array, as_number, check_positive
from locmethods.arrays.namespace import as_scores, carries_grad, is_tensor, like, log_or_nothing, namespace, to_numpy
from locmethods.arrays.types import Scalar
from locmethods.kernels.base import MOST_ENTRIES, Kernel, as_parameter, cut, short
from locmethods.kernels.bound import Bound, Term, block, log_at, once
from locmethods.kernels.restricted import Restricted

__all__ = ["per_feature"]

LEAST = 1e-150  # of a ratio of lengths, so that its square is a number
MOST_PARTS = 16  # more parts are no faster than the slow contract of the whole


def _is_kernel(value, name):
    if not isinstance(value, Kernel) or not hasattr(value, "bind"):
        raise TypeError(f"{name} must be a kernel from locmethods.kernels, got {type(value).__name__}")


class _Pair(Kernel):
    """A kernel made of two."""

    sign = ""  # between them, as one types it
    within = ("left", "right")

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

    @property
    def columns(self):
        """The columns that either takes from a data frame."""
        return self.right.columns if self.left.columns is None else self.left.columns

    def labelled(self, n_features, name):
        found = dict(self.left.labelled(n_features, name))
        for column, parts in self.right.labelled(n_features, name).items():
            found[column] = found.get(column, []) + parts
        return found

    def __repr__(self):
        terms = [f"({one!r})" if isinstance(one, Sum) and one.sign != self.sign else repr(one) for one in self._terms()]
        if len(terms) > MOST_ENTRIES:
            terms[3:-1] = [f"… {len(terms) - 4} more …"]
        return cut(f" {self.sign} ".join(terms))

    def _terms(self):
        """Yield what is multiplied, or added, however it is nested."""
        for part in (self.left, self.right):
            if type(part) is type(self):
                yield from part._terms()
            else:
                yield part


class _Around(Kernel):
    """A kernel made from one, ``kernel``, with which it shares sign, reach, length and feature maps."""

    within = ("kernel",)

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
    def length(self):
        """The inner kernel's length."""
        return self.kernel.length

    @property
    def maps_features(self):
        """True if the inner kernel maps features."""
        return self.kernel.maps_features

    @property
    def columns(self):
        """The inner kernel's columns of a data frame."""
        return self.kernel.columns

    def labelled(self, n_features, name):
        return self.kernel.labelled(n_features, name)

    def _bracketed(self, kinds):
        """Return the inner kernel as one types it, in brackets if it is of these kinds."""
        return f"({self.kernel!r})" if isinstance(self.kernel, kinds) else repr(self.kernel)


class Product(_Pair):
    """K(q, k) = A(q, k) · B(q, k): near in both senses at once."""

    sign = "*"

    @property
    def reach(self):
        """The lesser reach."""
        return min(self.left.reach, self.right.reach)

    @property
    def length(self):
        """The lesser length, None if neither has one."""
        return min((part.length for part in (self.left, self.right) if part.length is not None), default=None)

    def bind(self, query, keys, *, hollow=False, kept=None):
        a, b = (part.bind(query, keys, hollow=hollow, kept=kept) for part in (self.left, self.right))
        return ProductBound(a, b, _shares(a, b))


class Sum(_Pair):
    """K(q, k) = A(q, k) + B(q, k): near in either sense."""

    sign = "+"

    @property
    def reach(self):
        """The greater reach."""
        return max(self.left.reach, self.right.reach)

    @property
    def length(self):
        """The greater length, None if either has none."""
        lengths = self.left.length, self.right.length
        return None if None in lengths else max(lengths)

    def bind(self, query, keys, *, hollow=False, kept=None):
        a, b = (part.bind(query, keys, hollow=hollow, kept=kept) for part in (self.left, self.right))
        return SumBound(a, b, _shares(a, b))


def _shares(a, b):
    """Return by what the gaps of each part are multiplied, at most one, so that both count in lengths of their own."""
    ratio = min(max(a.length / b.length, LEAST), 1 / LEAST) ** 2
    return min(1.0, 1 / ratio), min(1.0, ratio)


class _PairBound(Bound):
    """What products and sums of bound kernels share; `shares` make their gaps comparable."""

    def __init__(self, a, b, shares):
        super().__init__(tuple(np.broadcast_shapes(a.shape, b.shape)), a.like, a.grad or b.grad)
        self._a, self._b, self._shares = a, b, shares
        self.length = a.length
        self.signed, self.whole = a.signed or b.signed, a.whole or b.whole

    def __repr__(self):
        return cut(f"the {super().__repr__().lower()} of {self._a!r} and {self._b!r}")

    def _relative_or_log(self, part, rows, cols, reference, take):
        """Return a part's scores relative to the reference, or as they are if it has no such form."""
        if part.centred or (part.anchored and reference is not None):
            return part.relative(rows, cols, reference, take)
        return part.log(rows, cols, take)

    def _offsets(self, rows, reference, take):
        """Return what each part's relative scores have left out, zero for a part that has none."""
        return [part.offset(rows, reference, take) if part.centred or (part.anchored and reference is not None) else 0.0
                for part in (self._a, self._b)]


class ProductBound(_PairBound):
    """A product of bound kernels: log-weights add."""

    def __init__(self, a, b, shares):
        super().__init__(a, b, shares)
        self.anchored, self.centred = a.anchored or b.anchored, a.centred or b.centred

    def log(self, rows, cols, take=block):
        return self._a.log(rows, cols, take) + self._b.log(rows, cols, take)

    def gap(self, rows, cols):
        return self._a.gap(rows, cols) * self._shares[0] + self._b.gap(rows, cols) * self._shares[1]

    def sign(self, rows, cols):
        signs = [part.sign(rows, cols) for part in (self._a, self._b) if part.signed]
        return math.prod(signs)

    def relative(self, rows, cols, reference, take=block):
        return sum(self._relative_or_log(part, rows, cols, reference, take) for part in (self._a, self._b))

    def offset(self, rows, reference, take=block):
        return sum(self._offsets(rows, reference, take))

    def parts(self):
        """(Σ a)(Σ b) = Σ a b."""
        left, right = self._a.parts(), self._b.parts()
        if self.signed or not 1 < len(left) * len(right) <= MOST_PARTS:
            return (self,)
        return tuple(ProductBound(a, b, self._shares) for a in left for b in right)

    def term(self):
        """Factors are joined, and a pair that either part leaves out the product leaves out."""
        left, right = self._a.term(), self._b.term()
        if left is None or right is None or left.neighbors is not None or right.neighbors is not None:
            return None
        return Term(left.factors + right.factors, left.log_factor + right.log_factor, left.hollow or right.hollow,
                    both_allow(left.mask, right.mask))


class SumBound(_PairBound):
    """A sum of bound kernels."""

    def __init__(self, a, b, shares):
        super().__init__(a, b, shares)
        self.anchored = not self.signed and (a.anchored or b.anchored)
        self.centred = not self.signed and (a.centred or b.centred)

    def _both(self, rows, cols, take):
        signs = (part.sign(rows, cols) if part.signed else None for part in (self._a, self._b))
        return _log_of_sum(self._a.log(rows, cols, take), self._b.log(rows, cols, take), *signs)

    def log(self, rows, cols, take=block):
        return self._both(rows, cols, take)[0]

    def gap(self, rows, cols):
        gaps = self._a.gap(rows, cols) * self._shares[0], self._b.gap(rows, cols) * self._shares[1]
        return namespace(self.like).minimum(*gaps)

    def sign(self, rows, cols):
        return self._both(rows, cols, block)[1]

    def offset(self, rows, reference, take=block):
        """Return the greater of what the parts have left out; what has no such form counts with its own log K."""
        tops = self._offsets(rows, reference, take)
        xp = namespace(self.like)
        for i, part in enumerate((self._a, self._b)):
            if isinstance(tops[i], float):
                other = tops[1 - i]
                tops[i] = xp.zeros_like(other) if reference is None else log_at(part, rows, reference, take)
        return xp.maximum(*tops)

    def relative(self, rows, cols, reference, take=block):
        top = self.offset(rows, reference, take)
        logs = [self._relative_or_log(part, rows, cols, reference, take) + (own - top)[..., None]
                for part, own in zip((self._a, self._b), self._offsets(rows, reference, take), strict=True)]
        return _log_of_sum(*logs)[0]

    def parts(self):
        """The parts of both, since sums of kernels add; signed ones might cancel, and stay together."""
        parts = self._a.parts() + self._b.parts()
        return (self,) if self.signed or len(parts) > MOST_PARTS else parts


def _log_of_sum(x, y, sign_x=None, sign_y=None):
    """Return log |±exp x ± exp y| and its sign; −inf, with gradient zero rather than 0/0, where the sum is zero."""
    xp = namespace(x)
    top = xp.maximum(x, y)
    anchor = xp.where(top == -math.inf, 0.0, top)
    anchor = anchor.detach() if is_tensor(anchor) else anchor
    x, y = xp.exp(x - anchor), xp.exp(y - anchor)
    weight = (x if sign_x is None else x * sign_x) + (y if sign_y is None else y * sign_y)
    return log_or_nothing(abs(weight)) + anchor, xp.sign(weight)


def both_allow(mask, other):
    """Return the pairs that two masks allow, either of which may be missing."""
    if mask is None or other is None:
        return mask if other is None else other
    return mask & other


class Scaled(_Around):
    """K(q, k) = factor · A(q, k), with a positive factor."""

    def __init__(self, kernel, factor):
        self.kernel, self.factor = kernel, factor
        self._check()

    def _check(self):
        super()._check()
        check_positive("factor", self.factor)

    def __repr__(self):
        return cut(f"{short(self.factor)} * {self._bracketed(_Pair)}")

    def bind(self, query, keys, *, hollow=False, kept=None):
        return ScaledBound(self.kernel.bind(query, keys, hollow=hollow, kept=kept), self.factor)


class ScaledBound(Bound):
    """A bound kernel times a positive factor, whose logarithm is added."""

    def __init__(self, inner, factor):
        factor = as_parameter("factor", factor, inner.like)
        self._inner, self._factor = inner, factor
        self._shift = factor.log() if is_tensor(factor) else math.log(factor)
        super().__init__(inner.shape, inner.like, inner.grad or carries_grad(self._shift))
        self.signed, self.whole, self.length = inner.signed, inner.whole, inner.length
        self.anchored, self.centred = inner.anchored, inner.centred

    def __repr__(self):
        return f"a multiple of {self._inner!r}"

    def log(self, rows, cols, take=block):
        return self._inner.log(rows, cols, take) + take(self._shift)

    def gap(self, rows, cols):
        return self._inner.gap(rows, cols)

    def sign(self, rows, cols):
        return self._inner.sign(rows, cols)

    def relative(self, rows, cols, reference, take=block):
        return self._inner.relative(rows, cols, reference, take)

    def offset(self, rows, reference, take=block):
        return self._inner.offset(rows, reference, take) + take(self._shift)

    def parts(self):
        """A factor of the sum is a factor of each part."""
        parts = self._inner.parts()
        return (self,) if len(parts) == 1 else tuple(ScaledBound(part, self._factor) for part in parts)

    def term(self):
        term = self._inner.term()
        return None if term is None else term._replace(log_factor=term.log_factor + as_number("factor", self._shift))


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
    length = None
    maps_features = True
    columns = None  # it maps points, and they come from a frame as they are

    def __init__(self, kernel, features, key_features=None):
        self.kernel, self.features, self.key_features = kernel, features, key_features
        self._check()

    def _check(self):
        super()._check()
        for name in ("features", "key_features"):
            value = getattr(self, name)
            if not (callable(value) or isinstance(value, slice | list) or (name == "key_features" and value is None)):
                raise TypeError(f"{name} must be a callable, a list of columns or a slice, got {type(value).__name__}")
            wrong = [one for one in value if not isinstance(one, numbers.Integral)] if isinstance(value, list) else []
            if wrong:
                raise TypeError(f"{name} must be a list of whole numbers, the columns, got {wrong[0]!r} in it")

    def __repr__(self):
        features = [self.features] if self.key_features is None else [self.features, self.key_features]
        return cut(f"{self._bracketed((_Pair, Scaled))}.on({', '.join(map(short, features))})")

    def labelled(self, n_features, name):
        """Columns that are picked are known by what the inner kernel makes of them; a function's are not."""
        features = self.features if name == "query" or self.key_features is None else self.key_features
        if callable(features):
            return {}
        picked = range(n_features)[features] if isinstance(features, slice) else features
        if any(not -n_features <= one < n_features for one in picked):
            return {}  # `bind` says so
        found = {}
        for place, parts in self.kernel.labelled(len(picked), name).items():
            column = picked[place] % n_features
            found[column] = found.get(column, []) + parts
        return found

    def bind(self, query, keys, *, hollow=False, kept=None):
        """Bind the inner kernel to the images; whatever it offers holds of them."""
        query = self._mapped(self.features, query, "features")
        images = once(kept, self, keys, "features", lambda: self.image(keys))
        if query.shape[-1] != images.shape[-1]:
            raise ValueError(f"features maps queries to {query.shape[-1]} columns but key_features maps keys "
                             f"to {images.shape[-1]}")
        return self.kernel.bind(query, images, hollow=hollow, kept=kept)

    def image(self, keys):
        """Return ψ(keys), in the score type."""
        if self.key_features is None:
            return self._mapped(self.features, keys, "features")
        return self._mapped(self.key_features, keys, "key_features")

    def _mapped(self, features, points, name):
        """Return φ(points) in the score type; φ is called with the caller's kind of array."""
        if isinstance(features, list) and any(not -points.shape[-1] <= one < points.shape[-1] for one in features):
            raise ValueError(f"{name} must be columns of points that have {points.shape[-1]}, got {features}")
        try:
            image = features(points) if callable(features) else points[..., features]
        except Exception as error:
            error.add_note(f"raised by {name} of {self!r}, asked for points of shape {tuple(points.shape)}")
            raise
        image = as_array(f"{name}(points)", image)
        if is_tensor(image) != is_tensor(points):
            raise TypeError(f"{name} must return the kind that it is given, a {type(points).__name__}, got a "
                            f"{type(image).__name__}")
        if image.ndim != points.ndim or image.shape[-2] != points.shape[-2] or image.shape[-1] == 0:
            raise ValueError(f"{name} must map shape (..., n, d) to (..., n, d′) with n = {points.shape[-2]}, "
                             f"got shape {tuple(image.shape)}")
        return as_scores(image).to(points.device) if is_tensor(image) else as_scores(image)


class Hollow(_Around):
    """K with its diagonal removed: key i has no weight for query i, whatever the queries are."""

    def __init__(self, kernel):
        self.kernel = kernel
        self._check()

    def __repr__(self):
        return cut(f"{self._bracketed((_Pair, Scaled))}.hollow()")

    def bind(self, query, keys, *, hollow=False, kept=None):
        """Let each part leave its own diagonal out: what ranks keys leaves it out before it ranks."""
        if query.shape[-2] != keys.shape[-2]:
            raise ValueError("a hollow kernel pairs query i with key i, so there must be as many queries as keys, "
                             f"got {query.shape[-2]} queries and {keys.shape[-2]} keys")
        return self.kernel.bind(query, keys, hollow=True, kept=kept)


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

    def __repr__(self):
        return cut(f"{self._bracketed((_Pair, Scaled))}.where({short(self.mask)})")

    def bind(self, query, keys, *, hollow=False, kept=None):
        inner = self.kernel.bind(query, keys, hollow=hollow, kept=kept)
        shape = inner.shape[-2:]
        mask = like(to_numpy(self.mask), inner.like)
        try:
            mask = namespace(inner.like).broadcast_to(mask, (*mask.shape[:-2], *shape) if mask.ndim > 2 else shape)
            batch = np.broadcast_shapes(inner.shape[:-2], mask.shape[:-2])
        except (RuntimeError, ValueError):
            raise ValueError(f"mask must broadcast to (n_queries, n_keys) = {tuple(shape)}, "
                             f"got shape {tuple(self.mask.shape)}") from None
        return Restricted(inner, (*batch, *shape), lambda rows, cols: mask[..., rows, :][..., cols],
                          lambda term: term._replace(mask=both_allow(mask, term.mask)))


def of_new_queries(kernel):
    """Return the kernel as queries feel it that are none of the keys: what is hollow anywhere in it is whole.

    Raises
    ------
    ValueError
        If a mask stands in it: its rows belong to the queries that it was made for.
    """
    if isinstance(kernel, Masked):
        raise ValueError(f"{kernel!r} has a mask, which says what each key sees and nothing of new points: none can be "
                         "placed")
    if isinstance(kernel, Hollow):
        return of_new_queries(kernel.kernel)
    parts = {name: part for name, part in kernel.get_params(deep=False).items() if isinstance(part, Kernel)}
    whole = {name: of_new_queries(part) for name, part in parts.items()}
    if all(whole[name] is part for name, part in parts.items()):
        return kernel
    return copy.copy(kernel).set_params(**whole)


def per_feature(kind: type[Kernel], widths: Sequence[Scalar]) -> Kernel:
    """Return the product of kernels of one feature each, with a width per feature: Π K(|qⱼ − kⱼ| / hⱼ).

    For the Gaussian it is the Gaussian of the features divided by their widths; for other kernels a box, or what has
    its corners, stands where a ball would.

    Parameters
    ----------
    kind : type
        A kernel's class that is called with a width, such as `Gaussian` or `Epanechnikov`.
    widths : sequence of float or scalar Tensor
        One for each feature, in its units.

    Returns
    -------
    Kernel
        Its parameters are "gaussian_1__bandwidth", "gaussian_2__bandwidth" and so on, in the order of the features; of
        one feature "gaussian__bandwidth".

    Raises
    ------
    ValueError, TypeError
        If `kind` is no kernel's class, there are no widths, or one is not positive.

    Examples
    --------
    >>> from locmethods.kernels import Gaussian, per_feature
    >>> per_feature(Gaussian, [1.0, 0.5])([[0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).round(3)
    array([[0.607, 0.135]])
    """
    if not (isinstance(kind, type) and issubclass(kind, Kernel)):
        raise TypeError(f"kind must be the class of a kernel, got {kind!r}")
    widths = list(widths)
    if not widths:
        raise ValueError("widths must have one number for each feature, got none")
    return product_of([PullBack(kind(width), [j])  # type: ignore[call-arg]  # of kernels of one width
                       for j, width in enumerate(widths)])


def product_of(kernels):
    """Return the product of kernels, halves of halves: thousands of them are only a dozen deep."""
    if len(kernels) == 1:
        return kernels[0]
    half = (len(kernels) + 1) // 2
    return Product(product_of(kernels[:half]), product_of(kernels[half:]))
