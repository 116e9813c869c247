"""The kernels by name. Each is its formula; `algebra` combines them, the engines sum them.

Radial kernels are functions of the distance r = ‖query − key‖ (Euclidean), with K = 1 at r = 0: the constant
that would make a density of them cancels in every local mean; Shepard's, infinite there, is the exception.
``bandwidth`` and ``radius`` are lengths, in the units of the keys.
"""

from __future__ import annotations

import math
from functools import cache, partial

from locmethods.arrays.doors import check_count
from locmethods.engines.bound import (
    Bound,
    Formula,
    Scratch,
    block,
    carries_grad,
    expanded_square,
    pairwise_square,
    square_difference,
)
from locmethods.kernels.algebra import Kernel, as_number, as_parameter, check_positive

__all__ = ["Biweight", "Cauchy", "Epanechnikov", "Exponential", "Flat", "Gaussian", "Kernel", "Laplace", "Linear",
           "NearestNeighbors", "Polynomial", "Shepard", "Triangular", "Tricube"]


def _outer_shape(query, keys):
    """Return (*batch, n_queries, n_keys), batch dimensions broadcast."""
    import torch

    batch = () if query.ndim == keys.ndim == 2 else torch.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    return (*batch, query.shape[-2], keys.shape[-2])


def _there(keys, reference):
    """Return the reference key of each query, of shape (*batch, b, d), as a place without gradient."""
    import torch

    keys = keys.detach().expand(*reference.shape[:-1], *keys.shape[-2:])
    return torch.take_along_dim(keys, reference.unsqueeze(-1), dim=-2)


def _length(squared):
    """Return √(r²), whose gradient at r = 0 is zero instead of infinite."""
    import torch

    safe = torch.where(squared > 0, squared, 1.0)
    return torch.where(squared > 0, safe.sqrt(), 0.0)


class _Positive(Kernel):
    """A kernel whose every parameter must be a positive number."""

    def _check(self):
        for name in self._names():
            check_positive(name, getattr(self, name))


class _Radial(_Positive):
    """A kernel of the distance; ``_log_profile(r²/length²)`` is its formula."""

    form = "radial"

    def __init__(self, length, name):
        setattr(self, name, length)
        self._check()

    def bind(self, query, keys):
        self._check()
        length = as_parameter(getattr(self, self._names()[0]), query)
        route = cache(lambda: self._square_route(query, keys, length))  # a large sum may never ask

        def square(q, k):
            return route()(q, k)

        def log(rows, cols, take=block):
            q, k, h = take(query, rows), take(keys, cols), take(length)
            free = not carries_grad(q, k, h)  # no graph keeps the squares: their memory may be used again
            return self._log_of_square((square if free else pairwise_square)(q, k), h, in_place=free)

        def weight(rows, cols):
            return self._weight_of_square(square(query[..., rows, :], keys[..., cols, :]), length)

        # A subclass may have another formula.
        known = type(self).__module__ == __name__
        formula = Formula(type(self).__name__, as_number("length", length)) if known else None
        bound = dict(shape=_outer_shape(query, keys), like=query, grad=carries_grad(query, keys, length), log=log,
                     gap=lambda rows, cols: pairwise_square(query[..., rows, :], keys[..., cols, :]), bounded=True,
                     weight=self._weight_of_square and weight, points=(query, keys), formula=formula, falls=formula)
        if self._relative is None:
            return Bound(**bound)

        def relative(rows, cols, reference, take=block):
            here, there, h = take(query, rows), _there(keys, reference), take(length)
            more = square_difference(here, take(keys, cols), there) / h / h
            return self._relative(more, (here - there).square().sum(-1, keepdim=True) / h / h)

        def offset(rows, reference, take=block):
            here, h = take(query, rows), take(length)
            return self._log_profile((here - _there(keys, reference)).square().sum(-1) / h / h)

        return Bound(**bound, relative=relative, offset=offset)

    def _log_of_square(self, square, length, in_place):
        # Twice by the length: its square may underflow where the quotient does not.
        return self._log_profile(square.div_(length).div_(length) if in_place else square / length / length)

    _weight_of_square = None  # K from r² in place, where that takes fewer steps than exp(log K)
    _relative = None  # f(r²−ρ², ρ²) = log K(r) − log K(ρ), where that difference can be had without cancellation
    _steepness = None  # a bound on |d log K / d (r²/length²)|, where there is one

    def _square_route(self, query, keys, length):
        """Return the function for r², outside a graph: a matrix product if its rounding cannot show, else differences.

        The product errs by at most about 4ε(‖q‖ + ‖k‖)² after centring; it serves where that moves no
        log-weight by more than 2e-14 (float64 answers ask for 1e-12).
        """
        scratch = Scratch()
        by_differences = partial(pairwise_square, scratch=scratch)
        if self._steepness is None or query.shape[-1] <= 4 or min(query.numel(), keys.numel()) == 0:
            return by_differences
        if query.shape[:-2] != keys.shape[:-2]:
            return by_differences
        query, keys, length = query.detach(), keys.detach(), as_number("length", length)
        centre = keys.mean(-2, keepdim=True)
        q, k = query - centre, keys - centre
        widest = float(q.square().sum(-1).amax().sqrt() + k.square().sum(-1).amax().sqrt())
        epsilon = 2.3e-16 if query.dtype.itemsize == 8 else 1.2e-7
        if not 4 * epsilon * self._steepness * (widest / length) ** 2 < 2e-14:
            return by_differences
        return lambda a, b: expanded_square(a - centre, b - centre, scratch)


class _Smooth(_Radial):
    """A radial kernel that is nowhere zero."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth, "bandwidth")


class _Compact(_Radial):
    """A radial kernel that is zero beyond its radius."""

    def __init__(self, radius=1.0):
        super().__init__(radius, "radius")

    @property
    def reach(self):
        return as_number("radius", self.radius)

    def _log_profile(self, u2):
        import torch

        inside = u2 < 1
        return torch.where(inside, self._log_inside(torch.where(inside, u2, 0.0)), -math.inf)

    def _weight_of_square(self, square, length):
        return self._weight_inside(square.div_(length).div_(length)).clamp_(min=0)


class Gaussian(_Smooth):
    """K = exp(−r²/2h²), the Gaussian kernel of bandwidth h.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.

    Raises
    ------
    ValueError, TypeError
        If `bandwidth` is not a positive number.
    """

    _steepness = 0.5

    def _log_of_square(self, square, length, in_place):
        if 1e-150 < length < 1e150:  # one pass instead of three
            return square.mul_(-0.5 / length**2) if in_place else square * (-0.5 / length**2)
        return super()._log_of_square(square, length, in_place)

    def _log_profile(self, u2):
        return u2 * -0.5

    def _relative(self, more, least):
        return more * -0.5


class Laplace(_Smooth):
    """K = exp(−r/h), the Laplace (exponential) kernel.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.
    """

    def _log_profile(self, u2):
        return -_length(u2)

    def _relative(self, more, least):
        import torch

        # r − ρ = (r² − ρ²)/(r + ρ); both vanish together only when query, key and reference coincide.
        both = _length((more + least).clamp(min=0)) + _length(least)
        return -torch.where(both > 0, more / torch.where(both > 0, both, 1.0), 0.0)


class Cauchy(_Smooth):
    """K = 1/(1 + r²/h²), the Cauchy kernel, with tails that never underflow.

    Parameters
    ----------
    bandwidth : float or scalar Tensor, default=1.0
        h, in the units of the keys; must be positive.
    """

    _steepness = 1.0

    def _log_profile(self, u2):
        return -u2.log1p()


class Epanechnikov(_Compact):
    """K = 1 − r²/R² inside the radius R, zero outside [epanechnikov1969]_.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.
    """

    def _log_inside(self, u2):
        return (-u2).log1p()

    def _weight_inside(self, u2):
        return u2.neg_().add_(1)


class Triangular(_Compact):
    """K = 1 − r/R inside the radius R, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.
    """

    def _log_inside(self, u2):
        return (-_length(u2)).log1p()

    def _weight_inside(self, u2):
        return u2.sqrt_().neg_().add_(1)


class Biweight(_Compact):
    """K = (1 − r²/R²)² inside the radius R, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.
    """

    def _log_inside(self, u2):
        return 2 * (-u2).log1p()

    def _weight_inside(self, u2):
        return u2.neg_().add_(1).clamp_(min=0).square_()


class Tricube(_Compact):
    """K = (1 − r³/R³)³ inside the radius R, zero outside [cleveland1979]_.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.
    """

    def _log_inside(self, u2):
        return 3 * (-u2 * _length(u2)).log1p()

    def _weight_inside(self, u2):
        return u2.mul_(u2.sqrt()).neg_().add_(1).clamp_(min=0).pow_(3)


class Flat(_Compact):
    """K = 1 within the radius R, the boundary included, zero outside.

    Parameters
    ----------
    radius : float or scalar Tensor, default=1.0
        R, in the units of the keys; must be positive.
    """

    # The square of the radius, as neighbour libraries compare: a quotient would round differently on the boundary.
    def _log_of_square(self, square, length, in_place):
        import torch

        return torch.where(square <= length * length, square * 0, -math.inf)

    def _weight_of_square(self, square, length):
        return square.le_(length * length)

    def _log_profile(self, u2):
        return self._log_of_square(u2, 1.0, in_place=False)


class Shepard(_Positive):
    """K = r⁻ᵖ, the singular kernel of inverse distance weighting, with which a local mean interpolates [shepard1968]_.

    No unit of length enters. A key at the query itself has infinite weight: the local mean is then the mean over
    the keys that coincide with the query, the limit from nearby.

    Parameters
    ----------
    power : float or scalar Tensor, default=2.0
        p; must be positive. With p the number of features the interpolant is consistent, noise or not
        [devroye1998]_.

    Raises
    ------
    ValueError, TypeError
        If `power` is not a positive number.
    """

    form = "radial"
    _MULTIPLIED = range(1, 17)  # powers that compiled loops form by multiplication

    def __init__(self, power=2.0):
        self.power = power
        self._check()

    def bind(self, query, keys):
        import torch

        self._check()
        power = as_parameter(self.power, query)

        def infinite(power):
            # A finite stand-in for infinity, so that sums, products and masks go on working. The least squared
            # distance a double holds, 5e-324, has the log-weight 372p: this one is greater by more than a float shows.
            return 1000.0 * (1.0 + power)

        def log_of_square(square, power):
            apart = square > 0
            return torch.where(apart, torch.where(apart, square, 1.0).log() * (-0.5 * power), infinite(power))

        def gap(rows, cols, take=block):
            return pairwise_square(take(query, rows), take(keys, cols))

        number = as_number("power", power)
        known = number in self._MULTIPLIED
        formula = Formula("Shepard", number, ceiling=infinite(number)) if known else None
        return Bound(shape=_outer_shape(query, keys), like=query, gap=gap, grad=carries_grad(query, keys, power),
                     points=(query, keys), formula=formula,
                     log=lambda rows, cols, take=block: log_of_square(gap(rows, cols, take), take(power)))


def _inner_product(query, keys, log_of, parameter):
    """Bind a kernel of s = q·k, given the function from s and its parameter to log |K|."""

    def product(rows, cols, take=block):
        return take(query, rows) @ take(keys, cols).transpose(-1, -2)

    return dict(shape=_outer_shape(query, keys), like=query, gap=lambda rows, cols: -product(rows, cols),
                log=lambda rows, cols, take=block: log_of(product(rows, cols, take), take(parameter)),
                grad=carries_grad(query, keys, parameter))


class Exponential(_Positive):
    """K = exp(q·k/τ), the kernel of softmax attention [vaswani2017]_.

    Parameters
    ----------
    temperature : float or scalar Tensor, default=1.0
        τ, in the units of the inner product; must be positive.
    """

    form = "inner product"

    def __init__(self, temperature=1.0):
        self.temperature = temperature
        self._check()

    def bind(self, query, keys):
        self._check()
        temperature = as_parameter(self.temperature, query)
        # q·k = q·(k − c) + q·c, and the second term is the same for all keys: with large keys that differ
        # little, the product of the differences keeps the digits that the product of the keys would round away.
        centre = keys.detach()[..., :1, :]

        def relative(rows, cols, reference, take=block):
            return take(query, rows) @ (take(keys, cols) - centre).transpose(-1, -2) / take(temperature)

        def offset(rows, reference, take=block):
            return (take(query, rows) @ centre.transpose(-1, -2)).squeeze(-1) / take(temperature)

        return Bound(**_inner_product(query, keys, lambda s, temperature: s / temperature, temperature),
                     relative=relative, offset=offset, centred=True, points=(query, keys),
                     formula=Formula("Exponential", as_number("temperature", self.temperature)))


class Polynomial(Kernel):
    """K = (q·k + c)ᵖ. For odd p it may be negative: then it is no localization kernel.

    Parameters
    ----------
    degree : int, default=2
        p, at least 1.
    offset : float, default=0.0
        c, in the units of the inner product.
    """

    form = "inner product"

    def __init__(self, degree=2, offset=0.0):
        self.degree, self.offset = degree, offset
        self._check()

    def _check(self):
        check_count("degree", self.degree, 1)
        if not math.isfinite(as_number("offset", self.offset)):
            raise ValueError(f"offset must be finite, got {self.offset!r}")

    @property
    def signed(self):
        """True for an odd degree."""
        return self.degree % 2 == 1

    def bind(self, query, keys):
        import torch

        self._check()
        offset = as_parameter(self.offset, query)

        degree = self.degree

        def log(s, offset):
            size = (s + offset).abs()
            # log 0 = −inf, with gradient zero rather than 0/0.
            return torch.where(size > 0, torch.where(size > 0, size, 1.0).log() * degree, -math.inf)

        def sign(rows, cols):
            return (query[..., rows, :] @ keys[..., cols, :].transpose(-1, -2) + offset).sign()

        formula = Formula("Polynomial", self.degree, offset=as_number("offset", self.offset))
        return Bound(**_inner_product(query, keys, log, offset), sign=sign if self.signed else None,
                     points=(query, keys), formula=None if self.signed else formula)


class Linear(Kernel):
    """K = q·k, the linear kernel. It may be negative, so it is no localization kernel; it serves `local_sum`."""

    form = "inner product"
    signed = True

    def __init__(self):
        pass

    def bind(self, query, keys):
        return Polynomial(degree=1).bind(query, keys)


class NearestNeighbors(Kernel):
    """K = 1 for the k nearest keys of a query, zero for the others: a rank kernel, not symmetric [cover1967]_.

    Ties at the k-th distance are broken as `sklearn.neighbors.NearestNeighbors` breaks them.

    Parameters
    ----------
    n_neighbors : int, default=5
        k, at least 1 and at most the number of keys.
    """

    form = "rank"

    def __init__(self, n_neighbors=5):
        self.n_neighbors = n_neighbors
        self._check()

    def _check(self):
        check_count("n_neighbors", self.n_neighbors, 1)

    def bind(self, query, keys, hollow=False):
        import torch

        from locmethods.engines.rank import nearest_indices

        self._check()
        available = keys.shape[-2] - hollow
        if self.n_neighbors > available:
            raise ValueError(f"n_neighbors must be at most the number of keys, {available}, got {self.n_neighbors}")
        near = nearest_indices(query, keys, self.n_neighbors, hollow)  # (*batch, n_queries, k)

        def log(rows, cols, take=block):
            index = near[..., rows, :]
            score = query.new_full((*index.shape[:-1], keys.shape[-2]), -math.inf)
            return score.scatter_(-1, index, 0.0)[..., cols]

        own = torch.arange(keys.shape[-2], device=keys.device)

        def gap(rows, cols):
            square = pairwise_square(query[..., rows, :], keys[..., cols, :])
            return torch.where(own[rows, None] == own[cols], math.inf, square) if hollow else square

        return Bound(shape=_outer_shape(query, keys), like=query, log=log, gap=gap, whole=True, bounded=True,
                     grad=carries_grad(query, keys), neighbors=near)
