"""Rules of thumb: the width that would be best if the data were what the rule takes them for."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from sklearn.utils.validation import check_array, check_X_y

from locmethods.arrays.checks import check_in_memory
from locmethods.arrays.levels import check_numbers
from locmethods.kernels.algebra import Product, PullBack
from locmethods.kernels.base import Kernel
from locmethods.kernels.columns import Columns
from locmethods.kernels.default import kernel_or_default
from locmethods.kernels.names import names_by_place
from locmethods.kernels.radial import Radial

WIDTHS = ("bandwidth", "radius", "temperature", "power", "n_neighbors")
NORMAL_RANGE = 1.349  # the interquartile range of a standard normal
PILOT = 4  # the degree of the polynomial whose curvature stands for the unknown one


class Leaf(NamedTuple):
    """A kernel inside a kernel that has a width of its own.

    Attributes
    ----------
    name : str
        Of the width among the parameters of the whole kernel.
    kernel : Kernel
    points : ndarray of shape (n_samples, m)
        What it compares: the sample, or its image by a feature map.
    """

    name: str
    kernel: Kernel
    points: np.ndarray


def products(kernel, points):
    """Return the kernel as a sum of products: lists of the `Leaf`\\ s that are multiplied, in the order of parameters.

    Parameters
    ----------
    kernel : Kernel
    points : ndarray of shape (n_samples, n_features)
    """
    names = names_by_place(kernel)
    return [[leaf._replace(name=names[leaf.name]) for leaf in product] for product in _products(kernel, points, "")]


def _products(kernel, points, prefix):
    """Return what `products` does, with the widths by their place; `prefix` leads to the kernel."""
    own = kernel.get_params(deep=False)
    widths = [name for name in WIDTHS if name in own]
    if widths:
        return [[Leaf(prefix + name, kernel, points) for name in widths]]
    parts = [_products(*part) for part in parts_of(kernel, points, prefix)]
    if isinstance(kernel, Columns | Product):
        return [list(itertools.chain(*one)) for one in itertools.product(*parts)]
    return list(itertools.chain(*parts))


def parts_of(kernel, points, prefix):
    """Yield the kernels that a kernel is made of, each with what it compares and what leads to its place."""
    own = kernel.get_params(deep=False)
    if isinstance(kernel, Columns):
        for j, name in enumerate(kernel.columns):
            yield own[name], points[:, [j]], f"{prefix}{name}__"
        return
    if isinstance(kernel, PullBack):
        points = kernel.image(points)
    for name, value in own.items():
        if isinstance(value, Kernel):
            yield value, points, f"{prefix}{name}__"


def moments(kernel, m):
    """Return the roughness and the standard deviation of a radial kernel of width one, as a density in m dimensions.

    R = ∫ K² / (∫ K)² and σ² = ∫ r² K / (m ∫ K), by quadrature along the radius; σ is that of one coordinate.

    Raises
    ------
    ValueError
        If they do not exist.
    """
    compact = kernel.reach < math.inf
    sphere = 2 * math.pi ** (m / 2) / math.gamma(m / 2)  # the area of the unit sphere

    def integral(power, times):
        def integrand(r):
            # A formula of compact support is asked inside of it only; its edge has measure zero.
            return r**power * math.exp(times * kernel.log_profile(np.array([r * r]), np).item())

        with np.errstate(divide="ignore"):
            return quad(integrand, 0, 1 if compact else math.inf, limit=200)[0]

    if not compact:  # a density of finite variance falls faster than r^-(m + 2)
        far = [kernel.log_profile(np.array([r * r]), np).item() for r in (1e6, 1e12)]
        if far[1] - far[0] > -(m + 2) * math.log(1e6):
            raise ValueError(f"{kernel!r} has no variance in {m} dimension{'s' if m > 1 else ''}, so that there is no "
                             "rule of thumb for it: choose its width by cross-validation")
    mass = integral(m - 1, 1)
    return integral(m - 1, 2) / mass**2 / sphere, math.sqrt(integral(m + 1, 1) / mass / m)


def spreads(points):
    """Return the scale of each column: the lesser of its standard deviation and its interquartile range / 1.349.

    The second is not fooled by a few far points or by two clusters; it is left out where half of the column is one
    number.
    """
    deviation = points.std(axis=0, ddof=1)
    middle = np.subtract(*np.percentile(points, [75, 25], axis=0)) / NORMAL_RANGE
    return np.where(middle > 0, np.minimum(deviation, middle), deviation)


def rule_of_thumb(X: ArrayLike, y: ArrayLike | None = None, *, kernel: Kernel) -> float | dict[str, float]:
    """Return the width that would be best if the data were normal, or the regression a polynomial.

    Without `y`: the normal reference rule of density estimation, which makes the kernel's own standard deviation

        s · (4/(D + 2) · R(K)/R(φ) / n)^(1/(D + 4)),

    with the scale s of the data (the lesser of the standard deviation and the interquartile range / 1.349), the
    roughness R = ∫ K² of the kernel at standard deviation one and of the Gaussian φ, and the number of features D
    [silverman1986]_ [scott1992]_ [wand1995]_. So two kernels get widths under which they smooth alike
    [marron1988]_; of a Gaussian in one dimension it is 1.06 s n^(−1/5).

    With `y`: the rule of local linear regression, (D · R(K) σ² V / (n · mean (Δm)²))^(1/(D + 4)) in units of s, with a
    polynomial of degree four in each feature (without products of features) as pilot for the regression m: σ² from its
    residuals, Δm its Laplacian, V the volume of the box of the data [fan1996]_.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
    kernel : Kernel
        Radial, or made of radial kernels: in a product of kernels of one feature each
        (`locmethods.kernels.per_feature`) every feature gets a width in its own units. A kernel of several features has
        one width for all, from the root mean square of their scales.

    Returns
    -------
    float or dict
        The width, bandwidth or radius; {parameter: width} if the kernel has several, as ``kernel.set_params(**…)``
        takes them.

    Raises
    ------
    ValueError
        If the kernel has no radial part or one without a variance (Cauchy's), the data have no spread, there are
        fewer than 2 samples (with `y`: 4D + 2), or the pilot has no curvature, when the best width is infinite.
    TypeError
        If something is no array of numbers or no kernel.

    Notes
    -----
    It fails, silently, where its assumption does: for several clusters or a narrow one beside a wide, whose scale
    is that of all together (too wide); for a regression that oscillates where the pilot cannot follow (too wide), or
    that is flat where the data are dense; for features without influence, which get a width though the best is
    infinite; and without `y` it does not know the noise. It is a start for `locmethods.select_bandwidth`, and no
    replacement.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import rule_of_thumb
    >>> from locmethods.kernels import Epanechnikov, Gaussian
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> round(rule_of_thumb(x, kernel=Gaussian()), 3), round(rule_of_thumb(x, kernel=Epanechnikov()), 3)
    (0.247, 0.547)
    """
    kernel = kernel_or_default(kernel, "nearest")
    check_in_memory(X=X, y=y)
    check_numbers("X", X)
    check_numbers("y", y)
    if y is None:
        X = check_array(X, dtype=np.float64, ensure_min_samples=2, input_name="X")
    else:
        X, y = check_X_y(X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
    found: dict[str, float] = {}
    for product in products(kernel, X):
        radial = [leaf for leaf in product
                  if isinstance(leaf.kernel, Radial) and leaf.name.endswith(("bandwidth", "radius"))]
        if radial:
            found = _widths(radial, y) | found
    if not found:
        raise ValueError(f"the rule of thumb is one for radial kernels, and {kernel!r} has none")
    return next(iter(found.values())) if len(found) == 1 else found


def _widths(product, y):
    """Return {name: width} of the radial kernels that are multiplied."""
    for leaf in product:
        if not spreads(leaf.points).any():
            raise ValueError(f"the data must have a spread, got {len(leaf.points)} times one point for {leaf.name}")
    scales = [math.sqrt(np.mean(spreads(leaf.points) ** 2)) for leaf in product]
    shapes = [moments(leaf.kernel, leaf.points.shape[1]) for leaf in product]
    roughness = math.prod(R * sigma ** leaf.points.shape[1] for (R, sigma), leaf in zip(shapes, product, strict=True))
    points = np.hstack([leaf.points / scale for leaf, scale in zip(product, scales, strict=True)])
    n, D = points.shape
    if y is None:
        unit = (4 / (D + 2) * roughness * (2 * math.sqrt(math.pi)) ** D / n) ** (1 / (D + 4))
    else:
        noise, curvature = _pilot(points, y)
        unit = (D * roughness * noise * math.prod(np.ptp(points, axis=0)) / n / curvature) ** (1 / (D + 4))
    return {leaf.name: float(unit * scale / sigma)
            for leaf, scale, (_, sigma) in zip(product, scales, shapes, strict=True)}


def _pilot(points, y):
    """Return the noise's variance and the mean squared Laplacian of a polynomial fit, summed over outputs."""
    n, D = points.shape
    if n < PILOT * D + 2:
        raise ValueError(f"with y the rule of thumb needs {PILOT * D + 2} samples for {D} "
                         f"feature{'s' if D > 1 else ''}, got {n}")
    centred = points - points.mean(axis=0)
    powers = np.arange(1, PILOT + 1)
    design = np.hstack([np.ones((n, 1)), (centred[..., None] ** powers).reshape(n, -1)])
    y = y.reshape(n, -1)
    found, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    noise = np.sum((y - design @ found) ** 2) / (n - rank)
    second = (powers * (powers - 1) * centred[..., None] ** np.maximum(powers - 2, 0)).reshape(n, -1)
    curvature = np.mean(np.sum((second @ found[1:]) ** 2, axis=1))
    # What rounding leaves of the curvature of a line is a share ε of the values, in units of the data's own spread.
    if curvature <= (1e4 * np.finfo(float).eps * np.abs(y).max()) ** 2:
        raise ValueError("y must have a curvature, got the values of a line, for which the best width is infinite")
    return noise, curvature
