"""What the page on kernels checks: what makes a function local, and what sign, symmetry and definiteness buy."""

import numpy as np
from scipy.special import erf
from sklearn.gaussian_process.kernels import Matern
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, order, same
from locmethods.companion.expected.constants import kernel_constants
from locmethods.companion.expected.fourier import transform
from locmethods.companion.expected.weights import averages, distances
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Radial,
    Triangular,
    Tricube,
    root,
)


@claim("A20", kind="identity")
def kernels_are_their_formulas(seed=0):
    r"""Each kernel of the table is the function in its row, at every distance, its edge included; kernels of an inner
    product, products, sums and hollow kernels are what they say, and scikit-learn's RBF and Matérn kernels the same."""
    rng = np.random.default_rng(seed)
    near, far = rng.normal(size=(2, 40, 3))
    r = distances(near, far)
    edge = np.linspace(0, 2, 41)  # with a radius of 1.5 the edge itself is among them
    for kernel, formula, mistaken, how in TABLE:
        left = np.concatenate([kernel(near, far).ravel(), kernel(np.zeros((1, 1)), edge[:, None])[0]])
        every = np.concatenate([r.ravel(), edge])
        yield same(type(kernel).__name__, left, formula(every),
                   within=1e-14, because="a distance and a power of it, rounded; 1e-14 is 45 times the ε of one",
                   broken=mistaken(every), how=how)

    query, keys = rng.normal(size=(2, 30, 4))
    inner = query @ keys.T
    yield same("Exponential", Exponential(1.5)(query, keys), np.exp(inner / 1.5),
               relative=1e-13, because="the exponential magnifies the rounding of an inner product below 20",
               broken=np.exp(inner * 1.5), how="the temperature as a factor instead of a divisor")
    yield same("Linear", Linear()(query, keys), inner,
               within=1e-13, because="four products and their sum, rounded",
               broken=np.abs(inner), how="the sign taken away")

    one, two = gaussian(r, 0.8), np.maximum(0, 1 - r**2 / 4)
    x = near[:, :1]
    apart = distances(x, x)
    yield same("product", (Gaussian(0.8) * Epanechnikov(2.0))(near, far), one * two,
               within=1e-14, because="one product of two numbers below one",
               broken=one + two, how="the sum in place of the product")
    yield same("sum", (Gaussian(0.8) + 0.5 * Flat(2.0))(near, far), one + 0.5 * (r <= 2.0),
               within=1e-14, because="one sum of two numbers below one",
               broken=one + (r <= 2.0), how="the factor left out")
    yield same("hollow", Gaussian(0.3).hollow()(x), gaussian(apart, 0.3) * (1 - np.eye(len(x))),
               within=1e-14, because="the same numbers, and zeros",
               broken=gaussian(apart, 0.3), how="each point's own weight kept")
    yield same("Gaussian, scikit-learn's", Gaussian(0.7)(near, far), rbf_kernel(near, far, gamma=1 / 0.98),
               within=1e-13, because="it expands the square, which costs a digit",
               broken=rbf_kernel(near, far, gamma=1 / 0.49), how="γ = 1/h² in place of 1/2h²")
    yield same("Matérn, a reader's own", Matern32(0.7)(near, far), Matern(0.7, nu=1.5)(near, far),
               within=1e-14, because="two ways of writing one formula",
               broken=Matern(0.7, nu=0.5)(near, far), how="smoothness one half instead of three halves")


def gaussian(r, h):
    """Return exp(−r²/2h²)."""
    return np.exp(-(r**2) / (2 * h**2))


# A kernel, its formula written out from the distance r, a common mistake, and the words for it.
TABLE = (
    (Gaussian(0.7), lambda r: np.exp(-(r**2) / 0.98), lambda r: np.exp(-(r**2) / 0.49), "h² in place of 2h²"),
    (Laplace(0.7), lambda r: np.exp(-r / 0.7), lambda r: np.exp(-r), "the bandwidth left out"),
    (Cauchy(0.7), lambda r: 1 / (1 + r**2 / 0.49), lambda r: 1 / (1 + r / 0.7), "the distance in place of its square"),
    (Triangular(1.5), lambda r: np.maximum(0, 1 - r / 1.5), lambda r: np.maximum(0, 1 - (r / 1.5) ** 2),
     "the parabola in place of the triangle"),
    (Epanechnikov(1.5), lambda r: np.maximum(0, 1 - (r / 1.5) ** 2), lambda r: np.maximum(0, 1 - r / 1.5),
     "the triangle in place of the parabola"),
    (Biweight(1.5), lambda r: np.maximum(0, 1 - (r / 1.5) ** 2) ** 2, lambda r: np.maximum(0, 1 - (r / 1.5) ** 2),
     "the square left out"),
    (Tricube(1.5), lambda r: np.maximum(0, 1 - (r / 1.5) ** 3) ** 3, lambda r: np.maximum(0, 1 - (r / 1.5) ** 3),
     "the outer cube left out"),
    (Flat(1.5), lambda r: (r <= 1.5).astype(float), lambda r: (r < 1.5).astype(float), "the boundary left out"),
)


class Matern32(Radial):
    """K = (1 + √3 r/h) exp(−√3 r/h)."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        t = root(3 * u2)
        return xp.log1p(t) - t


class SquaredDistance(Radial):
    """K = r²/h²: non-negative and symmetric, and it calls near what is far."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        return xp.log(u2)


@claim("A21", kind=("limit", "order", "counter-example"), sources=("stone1977",))
def near_takes_all_the_weight(seed=0):
    r"""If $k \ge 0$ is bounded away from zero near zero and $\int_0^\infty k(u)\,u^{d-1}du$ is finite, then for keys of
    a density that is bounded, and bounded away from zero near the target, the share of the weight beyond any
    $\varepsilon > 0$ tends to zero with $h$; for keys that fill the unit ball evenly that of the squared distance does
    not depend on $h$, and that of Cauchy's kernel in three dimensions, where the integral is infinite, stays above
    $1 - \varepsilon$."""
    width = np.array([0.08, 0.04, 0.02, 0.01])
    near = {kernel: np.array([far_share(kernel(h), 1) for h in width]) for kernel in (Gaussian, Laplace, Cauchy)}
    arctan = 1 - np.arctan(0.1 / width) / np.arctan(1 / width)
    grid = "the midpoint rule with 100,000 keys, a hundred of them within the smallest bandwidth's tenth"
    yield same("Gaussian", near[Gaussian], 1 - erf(0.1 / width / np.sqrt(2)) / erf(1 / width / np.sqrt(2)),
               within=1e-6, because=grid, broken=arctan, how="Cauchy's tail in place of the Gaussian's")
    yield same("Laplace", near[Laplace], 1 - np.expm1(-0.1 / width) / np.expm1(-1 / width),
               within=1e-6, because=grid, broken=arctan, how="Cauchy's tail in place of Laplace's")
    solid = np.array([far_share(Cauchy(h), 3) for h in width[:3]])
    yield order("Cauchy on the line", width[1:], near[Cauchy][1:], 1, within=0.05,
                because="(2/π)(1/ε − 1)·h to within (h/ε)², which is 0.16 at the widest",
                broken=solid, how="three dimensions instead of one")
    yield same("Cauchy in space", solid, 1 - ball(0.1, width[:3]) / ball(1.0, width[:3]),
               within=1e-3, because="the innermost of 100,000 shells reaches to 0.02, the smallest bandwidth",
               broken=near[Cauchy][:3], how="the line in place of the space")
    yield at_least("Cauchy in space stays", solid, 1 - 0.1, within=1e-3,
                   because="the innermost of 100,000 shells reaches to 0.02, the smallest bandwidth",
                   broken=near[Cauchy][:3], how="the line in place of the space")
    away = np.array([far_share(SquaredDistance(h), 1) for h in width])
    yield same("squared distance", away, 1 - 0.1**3,
               within=1e-6, because="the midpoint rule with 100,000 keys", broken=near[Cauchy],
               how="a kernel whose weight falls with the distance")


def far_share(kernel, dimension, far=0.1, n=100_000):
    """Return the share of a kernel's weight beyond `far`, for keys that fill the unit ball around the target evenly.

    Only distances matter, so the keys stand on one ray, each for a shell of the same volume.
    """
    radius = ((np.arange(n) + 0.5) / n) ** (1 / dimension)
    keys = np.column_stack([radius, np.zeros((n, dimension - 1))])
    return lm.local_mean(np.zeros((1, dimension)), keys, (radius > far).astype(float), kernel=kernel)[0]


def ball(radius, h):
    """Return ∫ r²/(1 + r²/h²) dr from zero to `radius`, over h³."""
    return radius / h - np.arctan(radius / h)


@claim("A22", kind=("inequality", "counter-example"))
def near_is_what_continuity_needs(seed=0):
    r"""For weights that are not negative and sum to one, the local mean $m$ of values $m_0(x_i)$ has $|m(x^*) -
    m_0(x^*)| \le \sup_{\|x - x^*\| \le \varepsilon} |m_0(x) - m_0(x^*)| + 2\sup|m_0|\,s_h(\varepsilon)$, where $s_h$ is
    the share of the weight beyond $\varepsilon$; with Cauchy's kernel in three dimensions the share stays, and the mean
    of $\|x - x^*\|^2$ over the unit ball tends to 1/3 instead of 0."""
    rng = np.random.default_rng(seed)
    keys, target = rng.uniform(-1, 1, (500, 2)), np.zeros((1, 2))
    r = np.linalg.norm(keys, axis=1)
    values = np.sin(5 * r) + 0.5
    error, within, share = [], [], []
    for kernel in (Gaussian(0.1), Gaussian(0.3), Laplace(0.1), Cauchy(0.1), Epanechnikov(0.4)):
        for reach in (0.1, 0.2, 0.4):
            error.append(abs(lm.local_mean(target, keys, values, kernel=kernel)[0] - 0.5))
            within.append(np.sin(min(5 * reach, np.pi / 2)))  # sup |sin 5r| over r ≤ ε
            share.append(2 * 1.5 * lm.local_weights(target, keys, kernel=kernel)[0][r > reach].sum())
    yield at_most("the two terms", error, np.add(within, share), within=1e-14, because="rounding of 500 additions",
                  broken=(np.array(error), np.array(within)), how="the far keys' share left out")

    radius = ((np.arange(100_000) + 0.5) / 100_000) ** (1 / 3)
    space = np.column_stack([radius, np.zeros((100_000, 2))])
    ends = [lm.local_mean(np.zeros((1, 3)), space, radius**2, kernel=kernel)[0] for kernel in (Cauchy(0.002),
                                                                                               Gaussian(0.05))]
    yield same("Cauchy in space", ends[0], 1 / 3, within=5e-3, because="the next term, (π/6)·h, and the first shells",
               broken=ends[1], how="a Gaussian in place of Cauchy's kernel")


@claim("A6", kind="identity")
def a_factor_of_the_target_cancels(seed=0):
    r"""The local mean of $c(x^*)K(x^*, x)$ is that of $K(x^*, x)$ for every $c > 0$, since a mean sees the rows of
    $\tilde K = D^{-1}K$ alone."""
    x, y, rng = sample(seed)
    query = x[::2] + 0.1
    weights = gaussian(distances(query, x), 0.3)
    rows, columns = 1 + rng.random((len(query), 1)), 1 + rng.random((1, len(x)))
    yield same("mean", lm.local_mean(query, x, y, kernel=Gaussian(0.3)), averages(rows * weights) @ y,
               within=1e-13, because="sums of sixty terms of order one, rounded",
               broken=averages(columns * weights) @ y, how="a factor of the key instead of the target")
    yield same("weights", lm.local_weights(query, x, kernel=Gaussian(0.3)), averages(rows * weights),
               within=1e-13, because="sums of sixty terms of order one, rounded",
               broken=averages(columns * weights), how="a factor of the key instead of the target")


def sample(seed, n=60):
    """Return the page's points, sorted on [0, 4], a noisy sine over them, and the generator."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 4, n))[:, None]
    return x, np.sin(2 * x[:, 0]) + 0.3 * rng.normal(size=n), rng


@claim("A7", kind=("inequality", "identity"))
def maximum_principle(seed=0):
    r"""If $K \ge 0$ and every row has some weight, the rows of $\tilde K$ sum to one, $\tilde Kf$ stays between the
    least and the greatest of $f$, and $\max|\tilde Kf - \tilde Kg| \le \max|f - g|$."""
    x, _, rng = sample(seed)
    f, g = rng.normal(size=(2, len(x), 50))
    rounding = "rounding of sixty additions"
    for kernel in (Gaussian(0.3), Flat(0.3), NearestNeighbors(4)):
        weights, name = lm.local_weights(x, x, kernel=kernel), type(kernel).__name__
        smooth, gap = (lm.local_mean(x, x, values, kernel=kernel) for values in (f, f - g))
        sharp = 2 * np.eye(len(x)) - weights  # its rows sum to one, and some weights are negative
        yield same(f"rows, {name}", weights.sum(1), 1.0, within=1e-13, because=rounding,
                   broken=kernel(x).sum(1), how="rows that are not divided by their sum")
        yield at_most(f"top, {name}", smooth, np.broadcast_to(f.max(0), smooth.shape), within=1e-13, because=rounding,
                      broken=sharp @ f, how="negative weights: twice the value minus its mean")
        yield at_least(f"bottom, {name}", smooth, np.broadcast_to(f.min(0), smooth.shape), within=1e-13,
                       because=rounding, broken=sharp @ f, how="negative weights: twice the value minus its mean")
        yield at_most(f"contraction, {name}", np.abs(gap).max(0), np.abs(f - g).max(0), within=1e-13, because=rounding,
                      broken=np.abs(sharp @ (f - g)).max(0), how="negative weights: twice the value minus its mean")


@claim("A8", kind="counter-example")
def a_negative_total_has_no_minimum(seed=0):
    r"""With weights $-\tfrac12, -1, \tfrac12$ the localized squared loss of the values 0, 1, 3 falls without bound, and
    the quotient $\sum w_iv_i/\sum w_i = -\tfrac12$ lies outside their range."""
    keys, values, target = np.array([[1.0], [2.0], [-1.0]]), np.array([0.0, 1.0, 3.0]), np.array([[-0.5]])
    signed, positive = Linear()(target, keys)[0], Gaussian(1.0)(target, keys)[0]
    theta = np.array([1e3, 1e4, 1e5])
    loss, safe = (((values[:, None] - theta) ** 2 * weights[:, None]).sum(0) for weights in (signed, positive))
    # By hand: the total is −1, Σwv = 1/2 and Σwv² = 7/2, so J = −θ² − θ + 7/2.
    yield same("loss", loss, -(theta**2) - theta + 3.5, relative=1e-14, because="three terms, rounded",
               broken=safe, how="the Gaussian's weights, which are positive")
    quotient = lm.local_sum(target, keys, values, kernel=Linear())
    yield same("quotient", quotient.mean()[0], -0.5, within=1e-15, because="one quotient of two sums of three terms",
               broken=lm.local_mean(target, keys, values, kernel=Gaussian(1.0))[0],
               how="the Gaussian's weights, which are positive")
    yield same("sum", [quotient.numerator[0], quotient.log_normaliser[0], quotient.sign[0]], [0.5, 0.0, -1.0],
               within=1e-15, because="sums of three terms", broken=[positive @ values, np.log(positive.sum()), 1.0],
               how="the Gaussian's weights, which are positive")


@claim("A9", kind=("identity", "inequality", "counter-example"), sources=("chung1997", "coifman2006"))
def symmetry_makes_a_reversible_walk(seed=0):
    r"""For $K \ge 0$ symmetric with positive row sums $D$, $\tilde K$ has the spectrum of the symmetric matrix
    $D^{-1/2}KD^{-1/2}$, real and in $[-1, 1]$, a stationary law proportional to the row sums, and detailed balance; if
    $K$ is positive definite the spectrum is in $[0, 1]$."""
    x, _, _ = sample(seed)
    weights, boxed = (lm.local_weights(x, x, kernel=kernel) for kernel in (Gaussian(0.3), Flat(0.3)))
    r = distances(x, x)
    k, box = gaussian(r, 0.3), (r <= 0.3).astype(float)
    degree = k.sum(1) / k.sum()
    ring = 0.2 * np.eye(60) + 0.8 * np.roll(np.eye(60), 1, axis=1)  # steps one way round
    for name, walk, matrix in (("Gaussian", weights, k), ("flat", boxed, box)):
        found, scale = np.linalg.eigvals(walk), np.sqrt(matrix.sum(1))
        exact = np.linalg.eigvalsh(matrix / scale[:, None] / scale)
        yield same(f"spectrum, {name}", np.sort(found.real), exact, within=1e-10,
                   because="eigenvalues of a matrix that is similar to a symmetric one; row sums lie between 1 and 60",
                   broken=np.linalg.eigvalsh(matrix), how="rows that are not divided by their sum")
        yield same(f"imaginary parts, {name}", found.imag, 0.0, within=1e-10, because="rounding of order 1e-15",
                   broken=np.linalg.eigvals(ring).imag, how="a ring that steps one way, which is not symmetric")
        yield at_most(f"range, {name}", np.abs(found), 1.0, within=1e-10, because="rounding of order 1e-15",
                      broken=np.abs(np.linalg.eigvals(2 * np.eye(60) - walk)),
                      how="negative weights: twice the value minus its mean")
    yield same("stationary law", degree @ weights, degree, within=1e-14, because="sums of sixty terms below one",
               broken=(np.full(60, 1 / 60) @ weights, np.full(60, 1 / 60)), how="the uniform law")
    flow, turning = degree[:, None] * weights, ring / 60
    yield same("detailed balance", flow, flow.T, within=1e-15, because="products of numbers below one sixtieth",
               broken=(turning, turning.T), how="a ring that steps one way, which is not symmetric")
    yield at_least("no negative eigenvalue", np.linalg.eigvals(weights).real, 0.0, within=1e-10,
                   because="rounding of order 1e-15", broken=np.linalg.eigvals(boxed).real,
                   how="the flat kernel, which is not positive definite")


@claim("A12", kind=("identity", "counter-example"))
def nearest_is_not_mutual(seed=0):
    r"""The kernel $[\operatorname{rank} \le k]$ of nearest neighbours is not symmetric in general: among sixty random
    points of the plane some count another among their nearest that does not count them."""
    points = np.random.default_rng(seed).normal(size=(60, 2))
    found = NearestNeighbors(4)(points)
    rank = distances(points, points).argsort(1).argsort(1)
    yield same("ranks", found, (rank < 4).astype(float), within=0, because="entries are zero or one",
               broken=(rank < 5).astype(float), how="five neighbours instead of four")
    graph = kneighbors_graph(points, 4, include_self=True).toarray()
    yield same("scikit-learn's graph", found, graph, within=0, because="entries are zero or one",
               broken=kneighbors_graph(points, 4, include_self=False).toarray(), how="a point left out of its own four")
    mutual = found * found.T
    yield same("greatest difference", np.abs(found - found.T).max(), 1.0, within=0, because="entries are zero or one",
               broken=np.abs(mutual - mutual.T).max(), how="only the pairs kept that are mutual")


@claim("A10", kind="counter-example")
def the_flat_kernel_is_indefinite(seed=0):
    r"""The flat kernel of radius 1 on $\{0, 0.8, 1.6\}$ has the eigenvalues $1 - \sqrt2$, $1$ and $1 + \sqrt2$: it is
    not positive definite, and with $a = (1, -\sqrt2, 1)$ the form $a^\top Ka$ is $4(1 - \sqrt2) < 0$."""
    three, two = np.array([[0.0], [0.8], [1.6]]), np.sqrt(2)
    form = np.array([1, -two, 1])
    flat, triangle = Flat(1.0)(three), Triangular(1.0)(three)
    yield same("eigenvalues", np.linalg.eigvalsh(flat), [1 - two, 1, 1 + two], within=1e-14,
               because="a symmetric 3 × 3 matrix", broken=np.linalg.eigvalsh(triangle),
               how="the triangle in place of the flat kernel")
    yield same("form", form @ flat @ form, 4 * (1 - two), within=1e-14, because="nine terms of order one",
               broken=form @ triangle @ form, how="the triangle in place of the flat kernel")


@claim("A23", kind=("identity", "inequality", "counter-example"), sources=("bochner1933",))
def bochner(seed=0):
    r"""On the line the Fourier transforms of the Gaussian, of Laplace's kernel and of the triangle are nowhere
    negative, and those of Epanechnikov's parabola and of the flat kernel dip below zero; on a grid fourteen radii long,
    with fifty points to a radius, the least eigenvalue of each of these two, times the spacing, is the least value of
    the transform to six parts in a hundred, and the form of a wave of that frequency, over its square, to ten."""
    frequency = np.linspace(0, 30, 301)
    kernels = {"Gaussian": Gaussian(0.5), "Laplace": Laplace(0.5), "triangular": Triangular(1.0),
               "Epanechnikov": Epanechnikov(1.0), "flat": Flat(1.0)}
    found = {name: measured_transform(kernel, frequency) for name, kernel in kernels.items()}
    for name, values in found.items():
        width = 0.5 if name in ("Gaussian", "Laplace") else 1.0
        yield same(name, values, transform(name, frequency, width), within=1e-10,
                   because="Gauss–Legendre quadrature, and the series near zero",
                   broken=transform(name, 2 * np.pi * frequency, width), how="cycles in place of radians")
    for name in ("Gaussian", "Laplace", "triangular"):
        yield at_least(f"sign, {name}", found[name], 0.0, within=1e-12, because="rounding of the quadrature",
                       broken=found["flat"], how="the flat kernel, whose transform dips below zero")

    for name in ("Epanechnikov", "flat"):
        yield at_most(f"sign, {name}", found[name].min(), -0.1, because="rounding reaches 1e-12, and no farther",
                      broken=found["triangular"].min(), how="the triangle in its place")

    spacing, n = 0.02, 700
    grid = spacing * np.arange(n)[:, None]
    positive = np.linalg.eigvalsh(Triangular(1.0)(grid))[0] * spacing
    for name in ("Epanechnikov", "flat"):
        matrix, dip = kernels[name](grid), transform(name, frequency, 1.0)
        wave = np.cos(frequency[dip.argmin()] * grid[:, 0])
        yield same(f"least eigenvalue, {name}", np.linalg.eigvalsh(matrix)[0] * spacing, dip.min(), relative=0.06,
                   because="the flat kernel's window holds 101 points in place of 100; aliases and ends give the rest",
                   broken=positive, how="the triangle in its place")
        yield same(f"a wave, {name}", wave @ matrix @ wave / (wave @ wave) * spacing, dip.min(), relative=0.1,
                   because="a window's share of the line, one in fourteen, is cut at its ends",
                   broken=wave @ Triangular(1.0)(grid) @ wave / (wave @ wave) * spacing,
                   how="the triangle in its place")


def measured_transform(kernel, frequency, edge=20.0):
    """Return ∫ k(u) cos(ωu) du, by Gauss–Legendre quadrature of the kernel on [0, edge], or on its support."""
    node, mass = np.polynomial.legendre.leggauss(20)
    panels = np.linspace(0, min(edge, kernel.reach), 81)
    half = np.diff(panels)[:, None] / 2
    u, du = (panels[:-1, None] + half * (node + 1)).ravel(), (half * mass).ravel()
    return 2 * np.cos(np.outer(frequency, u)) @ (du * kernel(np.zeros((1, 1)), u[:, None])[0])


@claim("A11", kind="counter-example")
def smooth_windows_are_indefinite_too(seed=0):
    r"""On the line the matrices of Epanechnikov's, the biweight and the tricube kernel have negative eigenvalues and
    that of the triangle has none; in the plane the triangle of the Euclidean distance has one, and the product of the
    triangles of the two coordinates has none."""
    line = np.linspace(-3, 3, 61)[:, None]
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1.5, 1.5, 15)]), -1).reshape(-1, 2)
    r, away = distances(line, line), np.abs(grid[:, None] - grid)
    hat = np.linalg.eigvalsh(np.maximum(0, 1 - r))
    written = {Epanechnikov: np.maximum(0, 1 - r**2), Biweight: np.maximum(0, 1 - r**2) ** 2,
               Tricube: np.maximum(0, 1 - r**3) ** 3}
    rounding = "eigenvalues of a symmetric matrix of norm 20, rounded"
    for kernel, matrix in written.items():
        found = np.linalg.eigvalsh(kernel(1.0)(line))
        yield same(f"spectrum, {kernel.__name__}", found, np.linalg.eigvalsh(matrix), within=1e-12, because=rounding,
                   broken=hat, how="the triangle in its place")
        yield at_most(f"least, {kernel.__name__}", found[0], -0.1, because="rounding reaches 1e-12, and no farther",
                      broken=hat[0], how="the triangle in its place")
    yield at_least("the triangle on the line", np.linalg.eigvalsh(Triangular(1.0)(line)), 0.0, within=1e-12,
                   because=rounding, broken=np.linalg.eigvalsh(written[Epanechnikov]), how="the parabola in its place")
    both = np.linalg.eigvalsh(np.maximum(0, 1 - away).prod(-1))
    yield at_most("the triangle in the plane", np.linalg.eigvalsh(Triangular(1.0)(grid))[0], -0.1,
                  because="rounding reaches 1e-12, and no farther", broken=both[0],
                  how="the product of the coordinates' triangles in its place")
    product = Triangular(1.0).on(first) * Triangular(1.0).on(second)
    yield at_least("the product", np.linalg.eigvalsh(product(grid)), 0.0, within=1e-12, because=rounding,
                   broken=np.linalg.eigvalsh(Triangular(1.0)(grid)), how="the triangle of the Euclidean distance")


def first(points):
    """Return the first coordinate, as a column."""
    return points[..., :1]


def second(points):
    """Return the second coordinate, as a column."""
    return points[..., 1:]


@claim("A13", kind="identity", sources=("jebara2004",))
def a_common_cause(seed=0):
    r"""If two points are near when a hidden cause $z$ could have made both, with Gaussian errors of standard deviation
    $\sigma$, then $\int e^{-(z-x)^2/2\sigma^2}e^{-(z-y)^2/2\sigma^2}dz = \sigma\sqrt\pi\,e^{-(x-y)^2/4\sigma^2}$, which
    is a multiple of the Gaussian kernel of bandwidth $\sqrt2\,\sigma$."""
    x, y = np.random.default_rng(seed).normal(size=(2, 12, 1))
    cause, s = np.linspace(-12, 12, 4001)[:, None], 0.7
    step = cause[1, 0] - cause[0, 0]
    shared = Gaussian(s)(x, cause) @ Gaussian(s)(cause, y) * step
    scale = s * np.sqrt(np.pi)
    yield same("integral", shared, scale * gaussian(distances(x, y), np.sqrt(2) * s), within=1e-13,
               because="the trapezoid rule is exact to rounding for Gaussians that end within the line",
               broken=scale * gaussian(distances(x, y), s), how="the bandwidth of one error instead of two")


@claim("A14", kind=("inequality", "counter-example"), sources=("schur1911",))
def products_stay_definite(seed=0):
    r"""The entrywise product of positive definite kernels is positive definite, and so is
    $e^{\varphi(x)\cdot\varphi(y)}$, a power series of them with positive coefficients; with two different maps
    $e^{\varphi(x)\cdot\psi(y)}$ is not symmetric in general."""
    x, _, rng = sample(seed)
    phi, psi = rng.normal(size=(2, 60, 3))
    content = Exponential()(phi)
    rounding = "eigenvalues of symmetric matrices, rounded; relative to the largest"
    yield at_least("product", least_share(content * Triangular(1.0)(x)), 0.0, within=1e-12, because=rounding,
                   broken=least_share(np.ones((60, 60)) * Flat(0.4)(x)), how="a factor that is not definite: the flat")
    yield at_least("exponential", least_share(content), 0.0, within=1e-12, because=rounding,
                   broken=least_share(1 / content), how="a series with signs: exp(−φ·φ)")
    crossed, written = Exponential()(phi, psi), np.exp(phi @ psi.T)
    yield same("two maps", crossed, written, relative=1e-13,
               because="the exponential magnifies the rounding of an inner product below 20",
               broken=written.T, how="the maps exchanged")
    yield at_least("asymmetry", np.abs(crossed - crossed.T).max() / crossed.max(), 0.01,
                   because="rounding reaches 1e-15, and no farther",
                   broken=np.abs(content - content.T).max() / content.max(), how="one map for both")


def least_share(matrix):
    """Return the least eigenvalue of a symmetric matrix, divided by the largest."""
    values = np.linalg.eigvalsh(matrix)
    return values[0] / values[-1]


@claim("A24", kind=("identity", "limit"), sources=("shepard1968",))
def tails_decide_what_stands_alone(seed=0):
    r"""Where one key is nearer than all others and none is within the radius of a compact kernel, the package answers
    with the nearest key's value, to which the Gaussian's mean tends as $h \to 0$; Cauchy's tends, where no key is at
    the target, to Shepard's mean, with weights $1/r^2$."""
    rng = np.random.default_rng(seed)
    keys, values = rng.uniform(0, 1, (30, 2)), rng.normal(size=30)
    query = keys[:8] + 0.01 * rng.normal(size=(8, 2)) + 3.0  # far from every key
    r = distances(query, keys)
    nearest, inverse = values[r.argmin(1)], averages(1 / r**2) @ values
    yield same("empty window", lm.local_mean(query, keys, values, kernel=Epanechnikov(0.5)), nearest,
               within=0, because="one value, passed on", broken=np.full(8, values.mean()),
               how="the mean of all in place of the nearest")
    yield same("Gaussian", lm.local_mean(query, keys, values, kernel=Gaussian(1e-3)), nearest,
               within=1e-12, because="the second key's weight is below exp(−100) unless two are equally far to 4e-5",
               broken=inverse, how="Shepard's weights in place of the Gaussian's")
    yield same("Cauchy", lm.local_mean(query, keys, values, kernel=Cauchy(1e-4)), inverse,
               within=1e-8, because="h²/r², and distances are above two", broken=nearest,
               how="the nearest key alone")


@claim("A16", kind=("identity", "inequality"), sources=("epanechnikov1969", "wand1995"))
def the_best_window(seed=0):
    r"""Among non-negative kernels of second order on the line Epanechnikov's has the least $\sqrt{\mu_2}\,R(k)$,
    $3/(5\sqrt5)$, where $\mu_2 = \int u^2k$ and $R(k) = \int k^2$ for $\int k = 1$; the others of the figure reach the
    shares of it that their closed forms say."""
    best = 3 / (5 * np.sqrt(5))
    kernels = (Epanechnikov(2.0), Biweight(2.0), Tricube(2.0), Triangular(2.0), Gaussian(0.7), Flat(2.0), Laplace(0.7))
    # μ₂ and R by hand, each for a width of one.
    exact = np.array([(1 / 5, 3 / 5), (1 / 7, 5 / 7), (35 / 243, 175 / 247), (1 / 6, 2 / 3),
                      (1, 1 / (2 * np.sqrt(np.pi))), (1 / 3, 1 / 2), (2, 1 / 4)])
    cost = np.array([kernel_constants(kernel).cost for kernel in kernels])
    plain = exact[:, 0] * exact[:, 1]
    yield same("closed forms", cost, np.sqrt(exact[:, 0]) * exact[:, 1], within=1e-10,
               because="Gauss–Legendre quadrature, exact to rounding for what is smooth inside its support",
               broken=plain, how="μ₂ in place of its root")
    yield same("Epanechnikov", cost[0], best, within=1e-12, because="quadrature that is exact for polynomials",
               broken=plain[0], how="μ₂ in place of its root")
    u = np.linspace(-12, 12, 4001)
    fourth = 0.5 * (3 - u**2) * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    step = u[1] - u[0]
    signed = np.sqrt(abs((u**2 * fourth).sum() * step)) * (fourth**2).sum() * step
    yield at_least("least", cost, best, within=1e-12, because="quadrature that is exact for polynomials",
                   broken=signed, how="a signed kernel of fourth order, whose μ₂ is zero")


@claim("A18", kind=("limit", "order"), sources=("coifman2006", "hein2007"))
def the_scaled_difference_is_a_laplacian(seed=0):
    r"""For the Gaussian kernel and keys of a smooth density $p > 0$ on the line, $(\tilde Kf - f)/h^2$ tends to
    $\tfrac12f'' + f'p'/p$, and with each key divided by the smoothed density to $\tfrac12f''$, both with an error of
    order $h^2$."""
    width = np.array([0.08, 0.04, 0.02, 0.01])
    second, drift = -np.sin(0.8) / 2, -0.8 * np.cos(0.8)
    kept, removed, uniform = np.array([generators(h) for h in width]).T
    yield order("with the drift", width, kept - second - drift, 2, within=0.02,
                because="the next order is h⁴, and h² is at most 0.0064", broken=uniform - second - drift,
                how="keys of even density")
    yield order("without it", width, removed - second, 2, within=0.02,
                because="the next order is h⁴, and h² is at most 0.0064", broken=kept - second,
                how="keys that are not divided by the density")


def generators(h, at=0.8):
    """Return (K̃f − f)/h² for f = sin at a point: over a Gaussian density, over it divided by itself smoothed, and over
    an even one. Keys stand h/24 apart out to nine bandwidths, where the trapezoid rule is exact to rounding."""
    near = at + h * np.linspace(-9, 9, 433)[:, None]
    wide = at + h * np.linspace(-18, 18, 865)[:, None]
    density = np.exp(-(near[:, 0] ** 2) / 2)
    smoothed = lm.local_mean(near, wide, np.exp(-(wide[:, 0] ** 2) / 2), kernel=Gaussian(h))
    found = []
    for mass in (density, density / smoothed, np.ones_like(density)):
        sums = lm.local_mean([[at]], near, np.column_stack([mass * np.sin(near[:, 0]), mass]), kernel=Gaussian(h))[0]
        found.append((sums[0] / sums[1] - np.sin(at)) / h**2)
    return found


@claim("A19", kind="monotone", sources=("chung1997",))
def averaging_never_roughens(seed=0):
    r"""For $K \ge 0$ symmetric with positive row sums, averaging never raises the Dirichlet energy
    $\tfrac12\sum_{ij}K_{ij}(f_i - f_j)^2$, even if $K$ is the indefinite flat kernel."""
    x, _, rng = sample(seed)
    box = (distances(x, x) <= 0.3).astype(float)
    functions = np.column_stack([np.linalg.eig(averages(box))[1].real, rng.normal(size=(60, 20))])
    step = lm.local_mean(x, x, functions, kernel=Flat(0.3))
    before, after, twice = (energy(box, one) for one in (functions, step, 2 * step - functions))
    yield at_most("energy", after, before, within=1e-12, because="sums of 3,600 terms of order one, rounded",
                  broken=twice, how="twice the step")


def energy(weights, functions):
    """Return ½ Σ K_ij (f_i − f_j)² of each column."""
    return 0.5 * np.einsum("ij,ijk->k", weights, (functions[:, None] - functions) ** 2)


@claim("A17", kind="identity", sources=("amid2019",))
def triplets_are_pairs(seed=0):
    r"""For a kernel $K_{ij} > 0$, with $K_{ijk} = K_{ij}/(K_{ij} + K_{ik})$ and any distances $\delta_{ij}$,
    $\sum_{ijk}K_{ijk}(\delta_{ij}^2 - \delta_{ik}^2) = \sum_{ij}\delta_{ij}^2\big(2\sum_kK_{ijk} - N\big)$."""
    x, _, _ = sample(seed)
    s, written, square = Gaussian(0.8)(x), gaussian(distances(x, x), 0.8), distances(x, x) ** 2
    triples = sum((s[i][:, None] / (s[i][:, None] + s[i]) * (square[i][:, None] - square[i])).sum() for i in range(60))
    compare = written[:, :, None] / (written[:, :, None] + written[:, None])
    yield same("objective", triples, (square * (2 * compare.sum(2) - 60)).sum(), relative=1e-10,
               because="216,000 terms that partly cancel", broken=(square * compare.sum(2)).sum(),
               how="2ΣK − N replaced by ΣK")
