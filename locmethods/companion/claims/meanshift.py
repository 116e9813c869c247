"""What the page on mean shift checks: a claim is a function, its docstring the sentence, its parts the evidence."""

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.spatial import ConvexHull
from sklearn import cluster
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.densities import count_modes
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Flat,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Radial,
    Triangular,
    Tricube,
)
from locmethods.meanshift import climb, trajectories

H = 0.45  # the page's bandwidth, in centimetres
R = 1.5  # a radius, in centimetres


@claim("E1", kind="identity", sources=("cheng1995", "comaniciu2002"))
def the_step_is_the_gradient_of_the_shadow(seed=0):
    r"""If $K = g(r^2/h^2)$ and the *shadow* has the profile $k$ with $k' = -g$, then
    $m(x) - x = \tfrac{h^2}{2}\, \nabla f_k(x) / f_g(x)$ wherever $f_k$ has a gradient.
    """
    x, here = datasets.petals().x, places(seed)
    for name, kernel, shadow, own, length in (
            ("flat window", Flat(R), lambda u: (1 - u).clamp(min=0), lambda u: (u <= 1).double(), R),
            ("parabola", Epanechnikov(R), lambda u: (1 - u).clamp(min=0)**2 / 2, lambda u: (1 - u).clamp(min=0), R),
            ("Gaussian", Gaussian(H), lambda u: 2 * torch.exp(-u / 2), lambda u: torch.exp(-u / 2), H)):
        total = profile_sum(own, here, x, length)[0]
        gradient = profile_sum(shadow, here, x, length)[1]
        # The Gaussian is its own shadow up to the factor 2; without it the step would be half as long.
        wrong = profile_sum(own, here, x, length)[1]
        yield same(name, lm.local_mean(here, x, kernel=kernel) - here, length**2 / 2 * gradient / total,
                   within=1e-11, because="two roundings of sums of 150 terms",
                   broken=length**2 / 2 * wrong / total, how="the kernel's own profile in place of its shadow's")


@claim("E2", kind="identity", sources=("fukunaga1975",))
def the_gaussian_step_is_the_gradient_of_a_logarithm(seed=0):
    r"""For the Gaussian, $m(x) - x = h^2\, \nabla \log \hat p(x)$, with the kernel density estimate $\hat p$."""
    x, here = datasets.petals().x, places(seed)
    # One leaf, so that scikit-learn sums all terms.
    known = {name: KernelDensity(bandwidth=H, kernel=name, leaf_size=len(x)).fit(x)
             for name in ("gaussian", "exponential")}
    slope = {name: differences(density.score_samples, here) for name, density in known.items()}
    yield same("step", lm.local_mean(here, x, kernel=Gaussian(H)) - here, H**2 * slope["gaussian"],
               within=1e-6, because="central differences: a step of 1e-4, squared, times a third derivative below 100",
               broken=(lm.local_mean(here, x, kernel=Laplace(H)) - here, H**2 * slope["exponential"]),
               how="Laplace's kernel, which is not its own shadow, and its density")


@claim("E3", kind=("inequality", "monotone"), sources=("comaniciu2002",))
def each_step_climbs(seed=0):
    r"""If the shadow's profile $k$ is convex and falling, each step gains
    $f_k(m) - f_k(x) \ge f_g(x)\, \lVert m - x\rVert^2 / h^2$, and a step of $\omega$ times its length at least
    $\omega(2 - \omega)$ times as much.
    """
    x, starts = datasets.petals().x, places(seed)
    for name, kernel, shadow, own, length in (
            ("whole path, Gaussian", Gaussian(H), lambda u: 2 * np.exp(-u / 2), lambda u: np.exp(-u / 2), H),
            ("whole path, flat", Flat(R), lambda u: np.maximum(1 - u, 0), lambda u: 1.0 * (u <= 1), R)):
        path = trajectories(starts, x, kernel=kernel, steps=30)
        yield at_least(name, *gains(path, x, shadow, own, length),
                       within=1e-9, because="rounding of sums of 150 terms",
                       broken=gains(path_of_a_hump(starts, x), x, falling, hump, 1.0),
                       how="the profile $(1 + u)e^{-u}$, which falls and is not convex")

    step = lm.local_mean(starts, x, kernel=Gaussian(H)) - starts
    shadow, height = lambda u: 2 * np.exp(-u / 2), height_of(starts, x, lambda u: np.exp(-u / 2), H)
    for relaxation in (0.5, 1.5, 2.0):
        gain = height_of(starts + relaxation * step, x, shadow, H) - height_of(starts, x, shadow, H)
        least = relaxation * (2 - relaxation) * height * np.square(step).sum(1) / H**2
        against = height_of(starts - relaxation * step, x, shadow, H) - height_of(starts, x, shadow, H)
        yield at_least(f"ω = {relaxation:g}", gain, least,
                       within=1e-10, because="rounding of sums of 150 terms",
                       broken=against, how="a step away from the mean")


@claim("E4", kind="counter-example")
def a_profile_that_is_not_convex_can_fall(seed=0):
    r"""With the profile $(1 + u)e^{-u}$, $u = r^2/h^2$, which falls but is not convex, one step can go down: beside a
    heap of five points it jumps to the single point on the other side.
    """
    heap, start = np.array([[0.0]] * 5 + [[2.0]]), np.array([[0.01]])
    landing = lm.local_mean(start, heap, kernel=Hump(1.0))
    single, crowd = 1.99**2 * np.exp(-(1.99**2)), 5 * 0.01**2 * np.exp(-(0.01**2))
    tame = lm.local_mean(start, heap, kernel=Gaussian(np.sqrt(0.5)))
    yield same("landing", landing[0, 0], 2 * single / (single + crowd),
               within=1e-14, because="a quotient of two rounded sums",
               broken=tame[0, 0], how="the Gaussian, whose profile is convex")
    yield at_most("height afterwards", height_of(landing, heap, falling, 1.0), height_of(start, heap, falling, 1.0) - 3,
                  because="the fall is more than half of the height: from 5.09 to 1.48",
                  broken=(height_of(tame, heap, lambda u: np.exp(-u), 1.0),
                          height_of(start, heap, lambda u: np.exp(-u), 1.0) - 3),
                  how="the Gaussian, whose profile is convex, and its density")


@claim("E5", kind="identity", sources=("comaniciu2002", "carreira2007"))
def the_derivative_is_a_covariance(seed=0):
    r"""For $K = g(u)$, $u = r^2/h^2$, with a differentiable $g$, the derivative $\partial m/\partial x$ is
    $\tfrac{2}{h^2} \sum_i -g'(u_i)\,(x_i - m)(x_i - x)^{\mathsf T}$ over $\sum_i g(u_i)$; for the Gaussian this is
    $C(x)/h^2$, with $C(x)$ the covariance of the data under the weights $K(x, \cdot)$.
    """
    x, here = datasets.petals().x, places(seed)[:8]
    weights = np.exp(-squares(here, x) / (2 * H**2))
    covariance = np.stack([np.cov(x.T, aweights=row, bias=True) for row in weights])
    yield same("Gaussian", jacobian(here, x, Gaussian(H)), covariance / H**2,
               within=1e-6, because="central differences: a step of 1e-4, squared, times a third derivative below 100",
               broken=(jacobian(here, x, Cauchy(H)), lm.local_moments(here, x, kernel=Cauchy(H)).covariance / H**2),
               how="Cauchy's kernel, and its own covariance over $h^2$")
    yield same("covariance", lm.local_moments(here, x, kernel=Gaussian(H)).covariance, covariance,
               within=1e-13, because="two routes of rounded sums",
               broken=np.stack([row * (x - place).T @ (x - place) / row.sum()
                                for row, place in zip(weights, here, strict=True)]),
               how="moments about the place in place of the mean")

    scaled = squares(here, x) / H**2
    general = derivative_of_the_mean(here, x, 1 / (1 + scaled), 1 / (1 + scaled)**2)
    yield same("Cauchy", jacobian(here, x, Cauchy(H)), general,
               within=1e-6, because="central differences: a step of 1e-4, squared, times a third derivative below 100",
               broken=lm.local_moments(here, x, kernel=Cauchy(H)).covariance / H**2,
               how="the Gaussian's formula, the covariance over $h^2$")


@claim("E6", kind=("identity", "limit"), sources=("carreira2007",))
def gaussian_mean_shift_is_em(seed=0):
    r"""Gaussian mean shift is an EM algorithm, and near a mode the error shrinks at each step by
    $\lambda_{\max}(C)/h^2$, in the limit.
    """
    x, here = datasets.petals().x, places(seed)
    mixture = mixture_of(x, H)
    yield same("EM step", lm.local_mean(here, x, kernel=Gaussian(H)), mixture.predict_proba(here) @ x,
               within=1e-12, because="two routes of rounded sums",
               broken=x[mixture.predict(here)], how="each place given whole to its likeliest part")

    top = climb([[5.0, 1.8]], x, kernel=Gaussian(H), tol=1e-13, max_iter=2000).points
    away = np.random.default_rng(seed).normal(0, 0.3, (1, 2))
    error = np.linalg.norm(trajectories(top + away, x, kernel=Gaussian(H), steps=80)[:, 0] - top[0], axis=1)
    late = np.argmax(error < 1e-6)
    there = np.cov(x.T, aweights=np.exp(-squares(top, x)[0] / (2 * H**2)), bias=True)
    yield same("rate", error[late] / error[late - 1], np.linalg.eigvalsh(there)[-1] / H**2,
               relative=1e-3, because="terms of second order in an error of 1e-6, and the rest of the second direction",
               broken=np.trace(there) / H**2, how="the trace in place of the largest eigenvalue")


@claim("E7", kind="algorithm", sources=("comaniciu2002", "huang2018"))
def a_flat_window_stops(seed=0):
    r"""A flat window stands still, exactly, after finitely many steps: here after at most forty, from each of 150
    starts.
    """
    x = datasets.petals().x
    starts = x + np.random.default_rng(seed).normal(0, 0.3, x.shape)
    flat = trajectories(starts, x, kernel=Flat(1.0), steps=41)
    by_hand = starts
    for _ in range(40):
        inside = squares(by_hand, x) <= 1
        by_hand = np.where(inside.any(1)[:, None], inside @ x / np.maximum(inside.sum(1), 1)[:, None], by_hand)
    smooth = trajectories(starts, x, kernel=Gaussian(H), steps=41)
    yield same("places after forty steps", flat[40], by_hand,
               within=1e-12, because="the same windows, summed in another order",
               broken=smooth[40], how="a Gaussian in place of the window")
    yield same("step after forty steps", flat[41], flat[40],
               within=1e-13, because="the same window summed again, perhaps in another order",
               broken=(smooth[41], smooth[40]), how="a Gaussian, which only comes nearer")


@claim("E8", kind="counter-example", sources=("huang2018",))
def a_flat_window_may_stop_below_a_mode(seed=0):
    r"""Where a window stops need not be a mode: on $-0.3$, $0.3$ and $1$ a window of radius one that excludes its edge
    stays at zero, and the density rises to the right.
    """
    three, start = np.array([[-0.3], [0.3], [1.0]]), np.array([[0.0]])
    strict, closed = Flat(np.nextafter(1.0, 0)), Flat(1.0)
    ends = {name: climb(start, three, kernel=kernel).points for name, kernel in (("open", strict), ("closed", closed))}
    rise = {name: height_of(end + 0.01, three, parabola, 1.0) - height_of(end, three, parabola, 1.0)
            for name, end in ends.items()}
    yield same("standing still", lm.local_mean(start, three, kernel=strict), start,
               within=1e-16, because="(−0.3 + 0.3)/2 is zero",
               broken=lm.local_mean(start, three, kernel=closed), how="a window that includes its edge")
    yield at_least("rise to the right", rise["open"], 0.019,
                   because="1.8397 − 1.82, by hand",
                   broken=rise["closed"], how="a window that includes its edge, and so leaves zero for a mode")


@claim("E9", kind=("monotone", "counter-example"), sources=("silverman1981",))
def on_the_line_a_gaussian_only_merges_modes(seed=0):
    r"""On the line the number of modes never increases with a Gaussian's bandwidth; for kernels of compact support such
    as Epanechnikov's, the triangle, the biweight and the tricube it may.
    """
    # The first makes the number rise under each of the four compact kernels; of random ones too few may, by chance.
    samples = [np.array([[0.0], [0.6], [0.8], [1.0]]), *np.random.default_rng(seed).uniform(size=(6, 7, 1))]
    line, widths = np.linspace(-1, 2, 601)[:, None], np.geomspace(0.05, 0.6, 50)
    # A radius of 2.2 bandwidths: both kernels then have about the same second moment.
    kernels = {"Gaussian": (Gaussian, widths), "Epanechnikov": (Epanechnikov, 2.2 * widths),
               "triangle": (Triangular, 2.2 * widths), "biweight": (Biweight, 2.2 * widths),
               "tricube": (Tricube, 2.2 * widths)}
    rises = {name: sum(rises_of_the_number_of_modes(family, sample, line, sizes) for sample in samples)
             for name, (family, sizes) in kernels.items()}
    yield at_most("Gaussian", rises["Gaussian"], 0, because="counts are integers",
                  broken=rises["Epanechnikov"], how="Epanechnikov's kernel")
    yield at_least("compact", [rises[name] for name in kernels if name != "Gaussian"], 1,
                   because="counts are integers",
                   broken=[rises["Gaussian"]] * 4, how="a Gaussian, which is nowhere zero")

    lengths, ruler = datasets.petals().x[:, :1], np.linspace(0, 8, 400)[:, None]
    theirs = {name: np.exp(KernelDensity(bandwidth=0.3, kernel=name, leaf_size=150).fit(lengths).score_samples(ruler))
              for name in ("gaussian", "epanechnikov")}
    for name, other, kernel in (("gaussian", "epanechnikov", Gaussian(0.3)),
                                ("epanechnikov", "gaussian", Epanechnikov(0.3))):
        ours = kernel(ruler, lengths).sum(1)
        yield same(f"{name} density", ours / ours.sum(), theirs[name] / theirs[name].sum(),
                   within=1e-12, because="two routes of rounded sums",
                   broken=theirs[other] / theirs[other].sum(), how="the other of the two kernels")


@claim("E10", kind="counter-example", sources=("carreira2003",))
def in_the_plane_a_mode_may_be_born(seed=0):
    r"""In the plane modes may be born: three Gaussians on an equilateral triangle in the unit circle have 3, then 4,
    then 1 modes as they widen, and the empty centre becomes one at $h = 1/\sqrt2$.
    """
    corners = triangle()
    starts = np.concatenate([[[0.0, 0.0]], corners, np.random.default_rng(seed).uniform(-1, 1, (40, 2))])
    widths = (0.6, 0.72, 0.8)
    yield same("how many", [len(attracting(starts, corners, width)) for width in widths], [3, 4, 1],
               because="counts are integers",
               broken=[len(attracting(corners, corners, width)) for width in widths],
               how="starts at the data alone, which miss the centre")

    def bend(width):
        return differences(lambda at: differences(lambda p: height_of(p, corners, bell, width), at)[:, 0],
                           np.zeros((1, 2)))[0, 0]

    spread = lm.local_moments([[0.0, 0.0]], corners, kernel=Gaussian(0.72)).covariance[0]
    yield same("critical width", np.sqrt(np.linalg.eigvalsh(spread)[-1]), brentq(bend, 0.5, 1.0),
               within=1e-5, because="second differences of step 1e-4",
               broken=np.sqrt(np.trace(spread)), how="the trace in place of the largest eigenvalue")


@claim("E11", kind="inequality")
def averages_stay_in_the_hull(seed=0):
    r"""If $K \ge 0$ and some datum is in reach, all iterates after the first step lie in the convex hull of the data,
    wherever they start.
    """
    x = datasets.petals().x
    starts = np.random.default_rng(seed).uniform((-2, -3), (10, 6), (40, 2))
    walls = ConvexHull(x).equations
    negative = (3 - squares(x, x) / H**2) * np.exp(-squares(x, x) / (2 * H**2))  # of fourth order
    for name, kernel in (("Gaussian", Gaussian(H)), ("flat", Flat(12.0))):
        path = trajectories(starts, x, kernel=kernel, steps=10)[1:].reshape(-1, 2)
        yield at_most(name, (path @ walls[:, :2].T + walls[:, 2]).max(1), 0,
                      within=1e-12, because="rounding of an average",
                      broken=(negative @ x / negative.sum(1)[:, None] @ walls[:, :2].T + walls[:, 2]).max(1),
                      how="a kernel of fourth order, which is negative somewhere")


@claim("E12", kind=("identity", "order"), sources=("carreira2006", "cheng1995"))
def blurring_collapses_a_cluster_at_a_cubic_rate(seed=0):
    r"""On a Gaussian cluster of standard deviation $s$, blurring with a Gaussian kernel takes $s$ to $s^3/(s^2 + h^2)$,
    a cubic rate; without blurring the distance to the mode is multiplied by $s_0^2/(s_0^2 + h^2)$.
    """
    grid = np.linspace(-9, 9, 721)
    mass = np.exp(-(grid**2) / 2)
    moving, resting = [grid], [grid]
    for _ in range(4):
        moving.append(weighted_mean(moving[-1], moving[-1], mass))
        resting.append(weighted_mean(resting[-1], grid, mass))
    spread = {name: np.sqrt([mass @ p**2 / mass.sum() for p in path])
              for name, path in (("moving", moving), ("resting", resting))}
    by_formula = [1.0]
    for _ in range(4):
        by_formula.append(by_formula[-1]**3 / (by_formula[-1]**2 + 1))
    yield same("blurring", spread["moving"], by_formula,
               relative=1e-8, because="the trapezoid rule on a Gaussian",
               broken=spread["resting"], how="data that stay at rest")
    yield same("no blurring", spread["resting"], 0.5**np.arange(5),
               relative=1e-8, because="the trapezoid rule on a Gaussian",
               broken=spread["moving"], how="data that move")
    yield order("cubic", spread["moving"][1:4], spread["moving"][2:5], 3,
                within=0.15, because="the first of the steps begins at s = h/2, where s² is not small beside h²",
                broken=spread["moving"][1:4] / 2, how="data that stay at rest, and so halve the spread each time")

    sample = np.random.default_rng(seed).normal(size=(40, 2))
    by_hand = sample
    for _ in range(5):
        weights = np.exp(-squares(by_hand, by_hand) / 2)
        by_hand = weights @ by_hand / weights.sum(1)[:, None]
    yield same("a sample", trajectories(sample, None, kernel=Gaussian(1.0), steps=5)[-1], by_hand,
               within=1e-13, because="rounding of averages of forty",
               broken=trajectories(sample, sample, kernel=Gaussian(1.0), steps=5)[-1], how="data that stay at rest")


@claim("E13", kind="counter-example", sources=("cheng1995", "carreira2015"))
def groups_that_look_final_are_not(seed=0):
    r"""Under a kernel that is nowhere zero blurring ends in one point, under a Gaussian after a long phase in which
    groups that are far apart look final; with the data at rest two modes stay.
    """
    pair = two_clusters(seed)
    path = trajectories(pair, None, kernel=Gaussian(1.0), steps=1000)[:, :, 0]
    resting = trajectories(pair, pair, kernel=Gaussian(1.0), steps=100)[:, :, 0]
    heavy = trajectories(pair, None, kernel=Cauchy(1.0), steps=100)[:, :, 0]
    yield same("groups at step 100", groups(path[100]), 2, because="counts are integers",
               broken=groups(heavy[100]), how="Cauchy's kernel, whose tails leave no such phase")
    yield same("groups in the end", groups(path[-1]), 1, because="counts are integers",
               broken=groups(resting[-1]), how="data that stay at rest")
    yield same("modes without blurring", len(lm.MeanShift(kernel=Gaussian(1.0)).fit(pair).cluster_centers_), 2,
               because="counts are integers", broken=groups(path[-1]), how="data that move")

    # Two heaps at ±a see each other with the weight e^(−2a²/h²), so that a becomes a tanh(a²/h²).
    heaps, half = np.array([[-2.2], [2.2]]), [2.2]
    for _ in range(800):
        half.append(half[-1] * np.tanh(half[-1]**2))
    yield same("two heaps", trajectories(heaps, None, kernel=Gaussian(1.0), steps=800)[:, 1, 0], half,
               within=1e-9, because="the rounding of 800 steps, magnified where the heaps fall together",
               broken=trajectories(heaps, heaps, kernel=Gaussian(1.0), steps=800)[:, 1, 0],
               how="data that stay at rest")


@claim("E14", kind="identity")
def blurring_keeps_the_weighted_centre(seed=0):
    r"""If $K$ is symmetric, a blurring step keeps the mean of the data weighted by the row sums before it,
    $D_i = \sum_j K(x_i, x_j)$.
    """
    x = datasets.petals().x + np.random.default_rng(seed).uniform(-0.05, 0.05, (150, 2))
    degree = np.exp(-squares(x, x) / (2 * H**2)).sum(1)
    ranked = lm.local_mean(x, x, kernel=NearestNeighbors(20))  # all its row sums are twenty
    yield same("centre", degree @ lm.local_mean(x, x, kernel=Gaussian(H)) / degree.sum(), degree @ x / degree.sum(),
               within=1e-12, because="sums of 150² terms",
               broken=(ranked.mean(0), x.mean(0)), how="the twenty nearest, a kernel that is not symmetric")


@claim("E15", kind="algorithm", sources=("hegselmann2002", "blondel2009"))
def bounded_confidence_is_flat_blurring(seed=0):
    r"""People who average the opinions within their confidence do flat blurring; on the line it stands still after
    finitely many steps, in camps that are out of each other's reach.
    """
    opinions = np.random.default_rng(seed).uniform(0, 10, (60, 1))
    camps = trajectories(opinions, None, kernel=Flat(1.0), steps=61)[:, :, 0]
    at_once = one_by_one = opinions[:, 0]
    for _ in range(60):
        at_once = np.array([at_once[abs(at_once - mine) <= 1].mean() for mine in at_once])
        one_by_one = one_by_one.copy()
        for i in range(60):
            one_by_one[i] = one_by_one[abs(one_by_one - one_by_one[i]) <= 1].mean()
    hesitant = [opinions[:, 0]]
    for _ in range(61):
        means = np.array([hesitant[-1][abs(hesitant[-1] - mine) <= 1].mean() for mine in hesitant[-1]])
        hesitant.append(hesitant[-1] + (means - hesitant[-1]) / 10)
    alone = trajectories(opinions, opinions, kernel=Flat(1.0), steps=61)[:, :, 0]
    yield same("opinions", camps[60], at_once,
               within=1e-12, because="the same windows, summed in another order",
               broken=one_by_one, how="opinions revised one after the other instead of at once")
    yield same("standing still", camps[61], camps[60],
               within=1e-13, because="the same windows summed again",
               broken=(hesitant[61], hesitant[60]),
               how="people who go a tenth of the way, and so come only nearer")
    yield at_least("reach", gap_between_groups(camps[60]), 1, because="whoever sees another one still moves",
                   broken=gap_between_groups(alone[60]), how="opinions that average the first ones, which stay")


@claim("E16", kind="algorithm", sources=("comaniciu2002", "pedregosa2011"))
def labels_are_nearest_modes_or_basins(seed=0):
    r"""With the flat kernel `MeanShift` gives scikit-learn's centres and labels; a label is the nearest mode or, where
    basins are asked for, the mode that the point climbs to.
    """
    x = datasets.petals().x + np.random.default_rng(seed).uniform(-0.05, 0.05, (150, 2))
    ours = lm.MeanShift(bandwidth=1.0, bin_seeding=True).fit(x)
    theirs = cluster.MeanShift(bandwidth=1.0, bin_seeding=True).fit(x)
    middles = [x[theirs.labels_ == label].mean(0) for label in range(len(theirs.cluster_centers_))]
    asked = np.random.default_rng(seed).uniform((0.5, -0.5), (7.5, 3.0), (60, 2))
    yield same("centres", ours.cluster_centers_, theirs.cluster_centers_,
               within=1e-12, because="the same windows, summed in another order",
               broken=middles, how="the means of the clusters in place of their modes")
    for name, points, labels in (("labels", x, ours.labels_), ("new points", asked, ours.predict(asked))):
        yield same(name, labels, theirs.predict(points), because="labels are equal or they are not",
                   broken=theirs.predict(points[::-1]), how="the points in reversed order")

    crescents = datasets.moons(100, seed=seed, noise=0.08).x
    grid = np.stack(np.meshgrid(np.linspace(-1.4, 2.4, 12), np.linspace(-0.9, 1.4, 9)), -1).reshape(-1, 2)
    ends, tops = (climbing_by_hand(points, crescents, 0.3) for points in (grid, crescents))
    for rule in ("basin", "nearest"):
        model = lm.MeanShift(kernel=Gaussian(0.3), assign=rule, merge_radius=0.02, tol=1e-6,
                             max_iter=3000).fit(crescents)
        reached = model.cluster_centers_[model.predict(grid)]
        if rule == "basin":
            yield same("basins", reached, ends, within=1e-3, because="the last steps of a climb, of 1e-6 and shrinking",
                       broken=nearest(grid, tops), how="the nearest mode in the basin's place")
        else:
            yield same("cells", reached, nearest(grid, tops), within=1e-3,
                       because="the last steps of a climb, of 1e-6 and shrinking",
                       broken=ends, how="the basin in the nearest mode's place")


@claim("E17", kind="counter-example", sources=("beyer1999",))
def in_high_dimension_no_width_serves(seed=0):
    r"""In high dimension there may be no width that finds two round clusters of standard deviation $\sigma$, and none
    of nine does in a hundred dimensions: each of $n$ data is a mode of its own below about $\sigma\sqrt{d/\ln n}$,
    which grows with the dimension $d$, and above half the distance of the centres nothing keeps the clusters apart.
    """
    kind = np.repeat([0, 1], 50)
    noise = np.random.default_rng(seed).normal(size=(100, 100))
    noise[:, 0] += 6.0 * (kind - 0.5)
    widths = np.geomspace(0.5, 8, 9)
    leading = PCA(2, random_state=0).fit_transform(noise)
    best = {name: best_score(kind, [lm.MeanShift(kernel=Gaussian(width)).fit(points).labels_ for width in widths])
            for name, points in (("two", noise[:, :2]), ("all", noise), ("leading", leading))}
    yield at_least("best of nine widths, two features", best["two"], 0.9,
                   because="the clusters overlap by Φ(−3), a point in a thousand",
                   broken=best["all"], how="98 features of noise beside them")
    yield at_most("best of nine widths, 100 features", best["all"], 0.1, because="0 is what guessing scores",
                  broken=best["leading"], how="the two leading principal components in their place")
    critical = Gaussian(0.7 * np.sqrt(100 / np.log(100)))
    yield same("modes", len(lm.MeanShift(kernel=critical).fit(noise).cluster_centers_), 100,
               because="counts are integers",
               broken=len(lm.MeanShift(kernel=critical).fit(leading).cluster_centers_),
               how="the two leading principal components in their place")


@claim("E18", kind="counter-example", sources=("ester1996",))
def crescents_are_cut(seed=0):
    r"""Clusters that are not round may be cut in pieces: on two crescents none of six bandwidths of a Gaussian gives
    the two, and DBSCAN, which joins what is near, does.
    """
    crescents, round_ones = datasets.moons(100, seed=seed, noise=0.05), two_round_clusters(seed)
    scores = {name: best_score(sample.y, [climbed(sample.x, width) for width in np.geomspace(0.2, 0.6, 6)])
              for name, sample in (("crescents", crescents), ("round", round_ones))}
    joined = best_score(crescents.y, [cluster.DBSCAN(eps=reach).fit_predict(crescents.x)
                                      for reach in np.geomspace(0.15, 0.4, 6)])
    yield at_most("mean shift, best of six widths", scores["crescents"], 0.97,
                  because="1 is perfect, and one point of a hundred in the other crescent leaves 0.96",
                  broken=scores["round"], how="two round clusters in place of crescents")
    yield at_least("DBSCAN, best of six", joined, 0.97,
                   because="1 is perfect, and one point of a hundred in the other crescent leaves 0.96",
                   broken=scores["crescents"], how="mean shift in its place")


class Hump(Radial):
    """K = u e^(−u) with u = r²/h²: the derivative of −(1 + u)e^(−u), zero where it stands."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        return xp.log(u2) - u2


def falling(u):
    """Return (1 + u)e^(−u), a profile that falls and is not convex."""
    return (1 + u) * np.exp(-u)


def hump(u):
    """Return u e^(−u), minus its derivative."""
    return u * np.exp(-u)


def parabola(u):
    """Return Epanechnikov's profile."""
    return np.maximum(1 - u, 0)


def bell(u):
    """Return the Gaussian's profile."""
    return np.exp(-u / 2)


def places(seed):
    """Return 38 places among the petals."""
    x = datasets.petals().x[::4]
    return x + np.random.default_rng(seed).normal(0, 0.3, x.shape)


def squares(points, data):
    """Return the squared distances, of shape (n_points, n)."""
    return np.square(points[:, None] - data).sum(-1)


def height_of(points, data, profile, length):
    """Return the sums of a profile of r²/h² over the data."""
    return profile(squares(points, data) / length**2).sum(1)


def profile_sum(profile, points, data, length):
    """Return the sums of a profile of r²/h² over the data, a column, and their gradients, by automatic rules."""
    at = torch.tensor(points, requires_grad=True)
    total = profile(((at[:, None] - torch.tensor(data)) ** 2).sum(-1) / length**2).sum(1)
    if not total.requires_grad:  # a staircase
        return total.numpy()[:, None], np.zeros_like(points)
    return total.detach().numpy()[:, None], torch.autograd.grad(total.sum(), at)[0].numpy()


def differences(function, points, step=1e-4):
    """Return central differences of a function of points, those for a coordinate in the last place."""
    pushes = step * np.eye(points.shape[1])
    return np.stack([(function(points + push) - function(points - push)) / (2 * step) for push in pushes], -1)


def jacobian(points, data, kernel):
    """Return the derivative of the local mean of the data by the place."""
    return differences(lambda at: lm.local_mean(at, data, kernel=kernel), points)


def derivative_of_the_mean(points, data, weights, falls):
    """Return 2/h² Σ −g′ (xᵢ − m)(xᵢ − x)ᵀ/Σ g of bandwidth H, from g and −g′ at each datum."""
    mean = weights @ data / weights.sum(1)[:, None]
    products = np.einsum("qn,qni,qnj->qij", falls, data - mean[:, None], data - points[:, None])
    return 2 / H**2 * products / weights.sum(1)[:, None, None]


def gains(path, data, shadow, own, length):
    """Return what each step of paths gains in height, and what it must gain at least."""
    height = np.array([height_of(points, data, shadow, length) for points in path])
    weight = np.array([height_of(points, data, own, length) for points in path[:-1]])
    return np.diff(height, axis=0), weight * np.square(np.diff(path, axis=0)).sum(-1) / length**2


def path_of_a_hump(starts, data, steps=30):
    """Return the places of iterated means under the weights u e^(−u)."""
    path = [starts]
    for _ in range(steps):
        weights = hump(squares(path[-1], data))
        path.append(weights @ data / weights.sum(1)[:, None])
    return np.stack(path)


def mixture_of(data, width):
    """Return scikit-learn's mixture of equal round Gaussians, one at each datum."""
    mixture = GaussianMixture(len(data), covariance_type="spherical")
    mixture.weights_, mixture.means_ = np.full(len(data), 1 / len(data)), data
    mixture.covariances_ = np.full(len(data), width**2)
    mixture.precisions_cholesky_ = 1 / np.sqrt(mixture.covariances_)
    return mixture


def rises_of_the_number_of_modes(family, data, line, sizes):
    """Return how often the number of modes on a line goes up as a kernel widens."""
    # A difference that the rounding of a sum can make is no mode: hence twelve digits.
    heights = (family(size)(line, data).sum(1) for size in sizes)
    counts = [len(count_modes(np.round(height / height.max(), 12))) for height in heights]
    return int((np.diff(counts) > 0).sum())


def triangle():
    """Return three points on the unit circle."""
    angles = np.pi * np.array([1 / 2, 7 / 6, 11 / 6])
    return np.column_stack([np.cos(angles), np.sin(angles)])


def attracting(starts, data, width):
    """Return the ends of mean shift at which the greatest eigenvalue of C/h² is below one."""
    model = lm.MeanShift(kernel=Gaussian(width), seeds=starts, tol=1e-7, max_iter=20000, merge_radius=0.02).fit(data)
    spread = lm.local_moments(model.cluster_centers_, data, kernel=Gaussian(width)).covariance
    return model.cluster_centers_[np.linalg.eigvalsh(spread)[:, -1] < width**2]


def weighted_mean(at, keys, mass):
    """Return the local mean of keys that have masses, on the line, under a Gaussian of bandwidth one."""
    values = np.column_stack([mass * keys, mass])
    above, below = lm.local_mean(at[:, None], keys[:, None], values, kernel=Gaussian(1.0)).T
    return above / below


def two_clusters(seed):
    """Return two copies of ten points on the line, around −2.2 and 2.2."""
    ten = np.random.default_rng(seed).normal(0, 0.5, 10)
    return np.concatenate([ten - ten.mean() - 2.2, ten - ten.mean() + 2.2])[:, None]


def groups(places, apart=0.1):
    """Return how many groups there are on the line with gaps between them."""
    return 1 + int((np.diff(np.sort(places)) > apart).sum())


def gap_between_groups(places):
    """Return the least distance between neighbours on the line that is no rounding."""
    gaps = np.diff(np.sort(places))
    return gaps[gaps > 1e-12].min()


def climbing_by_hand(points, data, width, steps=5000):
    """Return where a Gaussian mean shift ends, when no step is longer than 1e-8."""
    for _ in range(steps):
        weights = np.exp(-squares(points, data) / (2 * width**2))
        points, before = weights @ data / weights.sum(1)[:, None], points
        if np.abs(points - before).max() < 1e-8:
            break
    return points


def nearest(points, others):
    """Return for each point the nearest of others."""
    return others[squares(points, others).argmin(1)]


def best_score(kind, labellings):
    """Return the best adjusted Rand index of several labellings."""
    return max(adjusted_rand_score(kind, labels) for labels in labellings)


def climbed(points, width):
    """Return the labels of basins."""
    return lm.MeanShift(kernel=Gaussian(width), assign="basin", max_iter=1000).fit(points).labels_


def two_round_clusters(seed):
    """Return 100 points in two round clusters, as far apart as the crescents' middles, and their labels."""
    kind = np.repeat([0, 1], 50)
    points = np.random.default_rng(seed).normal(0, 0.1, (100, 2))
    return datasets.Sample(points + np.array([[0.0, 0.5], [1.0, 0.0]])[kind], kind)
