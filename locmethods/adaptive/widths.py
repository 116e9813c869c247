"""Widths that follow the data: one for each key, one for each pair, and the densities that they estimate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad

from locmethods.arrays.checks import as_array, as_number, check_count, is_number
from locmethods.arrays.door import check_kernel, check_points
from locmethods.arrays.namespace import as_scores, is_tensor, like, matrix_transpose, namespace, to_numpy
from locmethods.arrays.types import Array
from locmethods.kernels import Balloon, Gaussian
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, Itself, block, once, pairwise_square, with_squares
from locmethods.kernels.radial import Radial, RadialBound
from locmethods.kernels.rank import nearest_indices
from locmethods.kernels.restricted import without_own
from locmethods.means import local_sum

__all__ = ["SamplePoint", "SelfTuning", "kernel_density"]


class SamplePoint(Kernel):
    """K(q, x) = λ(x)⁻ᵈ k(‖q − x‖ / λ(x)), with a width for each key: λ(x) = (p(x)/g)^(−α) [abramson1982]_.

    Here p is a pilot density of the keys and g its geometric mean over them, so that the geometric mean of λ is one,
    until it is clipped, and the kernel's own bandwidth h keeps its unit; d is the number of features. With α = ½ the
    bias of the density estimate falls as h⁴ in place of h², if p is smooth and the widths are clipped: far out, where p
    is tiny, a wide key is felt everywhere [terrell1992]_ [hall1995]_. The factor λ⁻ᵈ gives every key the same mass, so
    that Σ K is a density estimate but for a constant; `kernel_density` has it.

    Parameters
    ----------
    kernel : Radial
        k, with its bandwidth h or radius.
    exponent : float, default=0.5
        α, from 0 (one width for all) to 1.
    clip : float, optional
        λ is at most so much, at least 1; None for no limit.
    pilot : Radial or callable, optional
        The kernel of the pilot density, or p itself: a function of points of shape (..., n, d), of the caller's kind,
        that returns positive finite numbers of shape (..., n). By default the kernel k at its own bandwidth.

    Raises
    ------
    TypeError
        If `kernel` is not radial, `pilot` neither radial nor callable, or what it returns no array of the keys' kind.
    ValueError
        If `exponent` or `clip` is not as above, or the pilot is not positive and finite at every key.

    Notes
    -----
    With tensors the gradient goes through the widths too, where the pilot density is a kernel's.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import SamplePoint
    >>> from locmethods.kernels import Gaussian
    >>> keys = np.array([[0.0], [0.1], [0.2], [3.0]])
    >>> SamplePoint(Gaussian(0.5))(keys[:1], keys).round(2)
    array([[1.14, 1.12, 1.03, 0.  ]])
    """

    def __init__(
        self,
        kernel: Radial,
        *,
        exponent: float = 0.5,
        clip: float | None = None,
        pilot: Radial | Callable[..., Any] | None = None,
    ) -> None:
        self.kernel, self.exponent, self.clip, self.pilot = kernel, exponent, clip, pilot
        self._check()

    def _check(self):
        _check_radial(self.kernel)
        if not 0 <= as_number("exponent", self.exponent) <= 1:
            raise ValueError(f"exponent must be at least 0 and at most 1, got {self.exponent!r}")
        if self.clip is not None and not 1 <= as_number("clip", self.clip) < math.inf:
            raise ValueError(f"clip must be None or a number of at least 1, got {self.clip!r}")
        if not (self.pilot is None or isinstance(self.pilot, Radial) or callable(self.pilot)):
            raise TypeError(f"pilot must be a kernel of the distance or a function, got {type(self.pilot).__name__}")

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        log_width = once(kept, self, keys, ("widths", *self._named()), lambda: self._log_widths(keys))
        return without_own(SamplePointBound(self, query, keys, log_width[..., None]), hollow)

    def _named(self):
        """Return what the widths depend on beside the keys: numbers by their values, anything else as what it is."""
        params = self.get_params().items()
        return [as_number(name, value) if is_number(value) or getattr(value, "ndim", None) == 0 else Itself(value)
                for name, value in params]

    def widths(self, keys: ArrayLike) -> Array:
        """Return λ at each key, of shape (..., n_keys): by what the kernel's bandwidth is multiplied there.

        Parameters
        ----------
        keys : array-like or Tensor of shape (..., n_keys, n_features)

        Raises
        ------
        ValueError, TypeError
            If the keys are not as above or not finite, or the pilot is not.
        """
        keys = as_array("keys", keys)
        check_points("keys", keys)
        keys = keys if is_tensor(keys) else keys.astype(np.float64, copy=False)
        return namespace(keys).exp(self._log_widths(keys))

    def _log_widths(self, keys):
        """Return log λ of each key, of shape (*batch, n_keys)."""
        log_density, xp = self._log_pilot(keys), namespace(keys)
        log_width = -as_number("exponent", self.exponent) * (log_density - xp.mean(log_density, axis=-1, keepdims=True))
        return log_width if self.clip is None else xp.clip(log_width, None, math.log(self.clip))

    def _log_pilot(self, keys):
        """Return log p at each key, up to a constant."""
        if self.pilot is None or isinstance(self.pilot, Radial):
            xp = namespace(keys)
            return local_sum(keys, keys, xp.ones_like(keys[..., 0]), kernel=self.pilot or self.kernel).log_normaliser
        density = self.pilot(keys)
        if is_tensor(density) != is_tensor(keys) or not hasattr(density, "shape"):
            raise TypeError(f"pilot must return an array of the kind of the keys, {type(keys).__name__}, got "
                            f"{type(density).__name__}")
        if tuple(density.shape) != tuple(keys.shape[:-1]) or not bool(((density > 0) & (density < math.inf)).all()):
            raise ValueError(f"pilot must give a positive finite number for each of {keys.shape[-2]} keys, got shape "
                             f"{tuple(density.shape)}, the least {float(density.min()):.3g} and the greatest "
                             f"{float(density.max()):.3g}")
        return namespace(keys).log(density)


def _check_radial(kernel):
    if not isinstance(kernel, Radial):
        raise TypeError(f"kernel must be a kernel of the distance with a bandwidth or a radius, got {kernel!r}")


class UnitsBound(RadialBound):
    """A kernel of the distance in a unit of length for each pair: u² = ‖q − x‖² / (h² · unit), bound to points.

    Abstract: a subclass defines ``_unit(rows, cols, take)``, in squared length, zero where only keys at the query
    itself have weight.
    """

    def __init__(self, owner, kernel, query, keys):
        super().__init__(kernel, query, keys)
        self._owner, self.anchored, self.length = owner, False, 1.0

    def __repr__(self):
        return repr(self._owner)

    def _unit(self, rows, cols, take):
        raise NotImplementedError

    def log(self, rows, cols, take=block):
        return self._log(self._ratio(pairwise_square(take(self._query, rows), take(self._keys, cols)),
                                     self._unit(rows, cols, take)), take)

    @staticmethod
    def _ratio(square, unit):
        """Return the quotient, its limit where the unit is zero."""
        xp = namespace(square)
        zero = unit == 0
        ratio = square / xp.where(zero, 1.0, unit)
        return xp.where(zero, xp.where(square > 0, math.inf, 0.0), ratio)

    def gap(self, rows, cols):
        square = self._comparable_square(rows, cols)
        return self._ratio(square, self._unit(rows, cols, block))

    def term(self):
        return None


class SamplePointBound(UnitsBound):
    """`SamplePoint`, bound to points, with log λ of the keys, of shape (*batch, n_keys, 1)."""

    def __init__(self, owner, query, keys, log_width):
        self._log_width = log_width
        super().__init__(owner, owner.kernel, query, keys)
        self.grad = self.grad or getattr(log_width, "requires_grad", False)

    def _unit(self, rows, cols, take):
        log_width = matrix_transpose(take(self._log_width, cols))  # (*batch, 1, c)
        return namespace(log_width).exp(2 * log_width)

    def log(self, rows, cols, take=block):
        volume = matrix_transpose(take(self._log_width, cols)) * self._keys.shape[-1]
        return super().log(rows, cols, take) - volume


class SelfTuning(Kernel):
    """K(q, x) = exp(−‖q − x‖² / (σ(q) σ(x))), σ being the distance to the k-th nearest other key [zelnik2004]_.

    So near is what is near for both: in a dense cluster a short way is far, in a sparse one it is not, and no width is
    to be chosen. It is symmetric, does not change when all lengths are multiplied by a number, and need not be positive
    definite. A point that stands on a key counts as that key, which is no neighbour of itself. Where k others coincide
    with a point, σ = 0, and only they have weight.

    Parameters
    ----------
    n_neighbors : int, default=7
        k, at least 1 and less than the number of keys.

    Raises
    ------
    ValueError
        If `n_neighbors` is not as above.

    Examples
    --------
    >>> from locmethods.adaptive import SelfTuning
    >>> SelfTuning(1)([[0.0], [10.0]], [[0.0], [1.0], [10.0], [20.0]]).round(3)
    array([[1.   , 0.368, 0.   , 0.   ],
           [0.   , 0.   , 1.   , 0.329]])
    """

    form = "rank"

    def __init__(self, n_neighbors: int = 7) -> None:
        self.n_neighbors = n_neighbors
        self._check()

    def _check(self):
        check_count("n_neighbors", self.n_neighbors, 1)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        if self.n_neighbors >= keys.shape[-2]:
            raise ValueError(f"n_neighbors must be less than the number of keys, {keys.shape[-2]}, of which none is "
                             f"its own neighbour, got {self.n_neighbors}")
        query, keys, _ = with_squares(query, keys, kept)
        theirs = once(kept, self, keys, ("scales", self.n_neighbors), lambda: self._squares(keys, keys, kept))
        mine = theirs if query is keys else self._squares(query, keys, kept)
        return without_own(SelfTuningBound(self, query, keys, mine, theirs), hollow)

    def _squares(self, points, keys, kept):
        """Return σ² of points, of shape (*batch, n, 1), with its gradient."""
        index = nearest_indices(to_numpy(points), to_numpy(keys), self.n_neighbors + 1, False, owner=keys, kept=kept)
        # The first of these, at distance zero on a key, and the last two, of which one is the k-th other.
        places, xp = like(index[..., [0, -2, -1]], keys), namespace(keys)
        if keys.ndim == 2:
            near = keys[places]  # (n, 3, d)
        else:
            batch, d = index.shape[:-2], keys.shape[-1]
            keys = xp.broadcast_to(keys, (*batch, *keys.shape[-2:]))
            flat = places.reshape(*batch, -1, 1)
            near = xp.take_along_axis(keys, xp.broadcast_to(flat, (*flat.shape[:-1], d)), axis=-2)
            near = near.reshape(*places.shape, d)
        square = pairwise_square(points[..., None, :], near)[..., 0, :]
        return xp.where(square[..., :1] == 0, square[..., 2:], square[..., 1:2])


class SelfTuningBound(UnitsBound):
    """`SelfTuning`, bound to points, with σ² of both, of shape (*batch, n, 1)."""

    def __init__(self, owner, query, keys, mine, theirs):
        self._mine, self._theirs = mine, theirs
        super().__init__(owner, Gaussian(math.sqrt(0.5)), query, keys)

    def _unit(self, rows, cols, take):
        mine, theirs = take(self._mine, rows), matrix_transpose(take(self._theirs, cols))
        xp = namespace(mine)
        return xp.sqrt(mine) * xp.sqrt(theirs)


def kernel_density(query: ArrayLike, keys: ArrayLike, *, kernel: Kernel) -> Array:
    """Return the kernel density estimate of the keys at each query: p̂(q) = (1/n) Σᵢ K(q, xᵢ) / ∫ K(z, xᵢ) dz.

    Of a kernel with one width that is Parzen's estimate [parzen1962]_, of `SamplePoint` Abramson's [abramson1982]_. Of
    a `kernels.Balloon` the width is the target's, as in the estimate of the k nearest neighbours,
    (1/n) Σ K / ∫ k(z/d(q)) dz [loftsgaarden1965]_: right at each target on its own, but not a density, for its integral
    is not one [terrell1992]_.

    Parameters
    ----------
    query : array-like or Tensor of shape (..., n_queries, n_features)
    keys : array-like or Tensor of shape (..., n_keys, n_features)
    kernel : Radial, SamplePoint or Balloon

    Returns
    -------
    ndarray or Tensor of shape (..., n_queries)
        In one over the unit of the keys to the power of n_features; infinite where a balloon has no extent.

    Raises
    ------
    TypeError
        If `kernel` is none of these.
    ValueError
        If ∫ k is infinite, as for `Cauchy` in two dimensions; or as `locmethods.local_sum`.

    Examples
    --------
    >>> from locmethods.adaptive import kernel_density
    >>> from locmethods.kernels import Flat
    >>> kernel_density([[0.0]], [[-0.5], [0.5], [3.0], [4.0]], kernel=Flat(1.0)).round(6)  # 2 of 4, on a length of 2
    array([0.25])
    """
    check_kernel(kernel)
    inner = kernel if isinstance(kernel, Radial) else getattr(kernel, "kernel", None)
    if not (isinstance(kernel, Radial | SamplePoint | Balloon) and isinstance(inner, Radial)):
        raise TypeError(f"kernel must be a kernel of the distance, SamplePoint or Balloon, got {kernel!r}")
    query, keys = as_array("query", query), as_array("keys", keys)
    check_points("keys", keys)
    xp, d = namespace(keys), keys.shape[-1]
    total = local_sum(query, keys, xp.ones_like(keys[..., 0]), kernel=kernel).log_normaliser
    log_volume = math.log(keys.shape[-2]) + log_mass(inner, d) + d * math.log(inner.length)
    if isinstance(kernel, Balloon):
        bound: Any = kernel.bind(as_scores(query), as_scores(keys))
        with np.errstate(divide="ignore"):
            log_volume = log_volume + d * (xp.log(bound.scaled().unit[..., 0]) / 2 + bound.exponent * math.log(2.0))
    found = xp.exp(total - log_volume)  # of single precision a balloon's widths are of double
    answer: Any = found.to(total.dtype) if is_tensor(found) else found.astype(total.dtype, copy=False)
    return answer


def log_mass(kernel, m):
    """Return log ∫ k(‖u‖) du over m dimensions, k a kernel of the distance at width one, by quadrature of the radius.

    Raises
    ------
    ValueError
        If it is infinite.
    """
    compact = kernel.reach < math.inf
    log_sphere = math.log(2) + m / 2 * math.log(math.pi) - math.lgamma(m / 2)  # of the area of the unit sphere

    def log_k(r):
        with np.errstate(divide="ignore"):
            return kernel.log_profile(r * r, np)

    if not compact:  # an integrable one falls faster than r^−m
        near, far = log_k(np.array([1e6, 1e12]))
        if near > -math.inf and not far - near < -m * math.log(1e6) * (1 + 1e-9):
            raise ValueError(f"{kernel!r} has no finite integral in {m} dimension{'s' if m > 1 else ''}, so that it is "
                             "the kernel of no density")
    # In many dimensions r^(m − 1) overflows, so that its size at the peak is taken out; and the mass lies near the peak
    # alone, which quad would not find in the middle of its range.
    radii = np.geomspace(1e-6, 1 if compact else 1e6, 4001)[:-1]
    sizes = (m - 1) * np.log(radii) + log_k(radii)
    most, peak = float(sizes.max()), float(radii[sizes.argmax()])

    def part(low, high):
        def integrand(r):
            power = (m - 1) * math.log(r) if r > 0 else (-math.inf if m > 1 else 0.0)
            return math.exp(power + log_k(np.array([r])).item() - most)

        return quad(integrand, low, high, limit=200)[0]

    return log_sphere + most + math.log(part(0, peak) + part(peak, 1 if compact else math.inf))
