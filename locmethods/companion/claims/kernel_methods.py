"""What the page on kernel methods checks: one matrix for many smoothers, densities, ridge and Gaussian processes."""

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import brentq
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, PairwiseKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KernelDensity, KNeighborsRegressor

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.multipliers import fourier_multipliers, ring
from locmethods.companion.expected.weights import averages, distances, gaussian
from locmethods.kernel_methods import kernel_properties, match_degrees_of_freedom
from locmethods.kernels import (
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Polynomial,
    Triangular,
)


def some_years(seed, n=60):
    """Return n of the hundred years of the Nile, in decades from 1920, of shape (n, 1), and their flows."""
    year, flow = datasets.nile()
    chosen = np.sort(np.random.default_rng(seed).choice(100, n, replace=False))
    return (year[chosen, None] - 1920) / 10, flow[chosen]


def ridge_matrix(kernel, penalty):
    """Return K (K + λI)⁻¹."""
    return np.linalg.solve(kernel + penalty * np.eye(len(kernel)), kernel).T


def gaussian_ridge(h, penalty):
    """Return scikit-learn's kernel ridge with the Gaussian kernel of bandwidth h."""
    return KernelRidge(kernel="rbf", gamma=1 / (2 * h**2), alpha=penalty)


@claim("C7", kind=("identity", "counter-example"), sources=("hastie1990", "craven1979"))
def one_matrix_says_everything(seed=0):
    r"""With fixed settings local means, local lines, kernel ridge, Gaussian processes and smoothing splines are
    $\hat y = Sy$; $\operatorname{tr} S$ is their degrees of freedom, and for a fixed penalty or kernel
    $(y_i - \hat y_i)/(1 - S_{ii})$ is the residual of a refit without $i$, which for nearest neighbours it is not."""
    t, flow = some_years(seed, 30)
    h, penalty = 0.5, 0.1
    K = gaussian(t, t, h)
    models = {"kernel ridge": gaussian_ridge(h, penalty), "local mean": lm.LocalMeanRegressor(Gaussian(h)),
              "local line": lm.LocalPolynomialRegressor(1, Gaussian(h)),
              "Gaussian process": GaussianProcessRegressor(RBF(h), alpha=penalty, optimizer=None)}
    written = {"kernel ridge": ridge_matrix(K, penalty), "local mean": averages(K), "local line": local_lines(t, K)}
    written["Gaussian process"] = written["kernel ridge"]
    found = {name: lm.linear_smoother(model, t) for name, model in models.items()}
    for name, smoother in found.items():
        wrong, how = (K, "rows that are not divided by their sum") if name == "local mean" else (
            averages(K), "the local mean's matrix in its place")
        yield same(f"matrix, {name}", smoother.matrix, written[name], within=1e-11,
                   because="two solvers of systems of condition below a thousand", broken=wrong, how=how)

        other = written["local mean"] if name != "local mean" else written["local line"]
        yield same(f"answers, {name}", models[name].fit(t, flow).predict(t), written[name] @ flow, within=1e-8,
                   because="flows of order 1000, in solves of condition below a thousand", broken=other @ flow,
                   how="another smoother of the same Gaussian in its place")

    eigenvalues = np.linalg.eigvalsh(K)
    worth = eigenvalues / (eigenvalues + penalty)
    yield same("degrees of freedom", found["kernel ridge"].degrees_of_freedom, worth.sum(), within=1e-9,
               because="thirty eigenvalues, rounded, each divided by at least the penalty",
               broken=(worth**2).sum(), how="tr SSᵀ in place of tr S")

    for name, smoother in found.items():
        refit = flow - cross_val_predict(models[name], t, flow, cv=LeaveOneOut())
        yield same(f"left out, {name}", smoother.leave_one_out(flow), refit, within=1e-8,
                   because="flows of order 1000, in solves of condition below a thousand",
                   broken=flow - smoother.matrix @ flow, how="residuals that are not divided by 1 − S_ii")
    misses = {}
    for name, model in (("nearest", KNeighborsRegressor(7)), ("local mean", models["local mean"])):
        refit = flow - cross_val_predict(model, t, flow, cv=LeaveOneOut())
        misses[name] = np.abs(lm.linear_smoother(model, t).leave_one_out(flow) - refit).max()
    yield at_least("nearest neighbours miss it", misses["nearest"], 1.0,
                   because="rounding of flows of order 1000 reaches 1e-9, and no farther", broken=misses["local mean"],
                   how="a kernel of the pair alone, which keeps its weights when a year is left out")

    spline = lm.linear_smoother(lambda y: make_smoothing_spline(t[:, 0], y, lam=1.0)(t[:, 0]), t)
    # Without its first or last sample SciPy's spline goes on as a cubic, not as the line that the penalty asks for.
    inside = np.arange(1, len(t) - 1)
    refit = [flow[i] - make_smoothing_spline(np.delete(t[:, 0], i), np.delete(flow, i), lam=1.0)(t[i, 0])
             for i in inside]
    yield same("left out, spline inside", spline.leave_one_out(flow)[inside], refit, within=1e-8,
               because="flows of order 1000, rounded in two banded solves",
               broken=(flow - spline.matrix @ flow)[inside], how="residuals that are not divided by 1 − S_ii")
    lines = np.column_stack([np.ones(len(t)), t])
    yield same("a spline keeps lines", spline.matrix @ lines, lines, within=1e-9,
               because="a line has no curvature to be penalised; a banded solve, rounded",
               broken=found["local mean"].matrix @ lines, how="a local mean, which bends a line at its ends")
    means = [smoother.is_local_mean() for smoother in found.values()]
    sums = [np.allclose(matrix.sum(1), 1, atol=1e-10) for matrix in written.values()]
    signs = [matrix.min() >= -1e-10 for matrix in written.values()]
    yield same("which are local means", means, np.logical_and(sums, signs), within=0,
               because="yes or no", broken=sums, how="rows whose sums alone are looked at: a local line's")

    income = np.log2(np.sort(datasets.engel().x))[:, None]
    chosen = income[np.sort(np.random.default_rng(seed).choice(len(income), 120, replace=False))]
    bandwidth = match_degrees_of_freedom(lambda h: lm.LocalMeanRegressor(Gaussian(h)), chosen, 6.0, low=0.05, high=2.0)
    squares = brentq(lambda h: (averages(gaussian(chosen, chosen, h)) ** 2).sum() - 6.0, 0.05, 2.0)
    traces = [np.trace(averages(gaussian(chosen, chosen, h))) for h in (bandwidth, squares)]
    yield same("matched", traces[0], 6.0, within=1e-6, because="a root that is found to ten digits",
               broken=traces[1], how="tr SSᵀ matched in place of tr S")


def local_lines(points, weights):
    """Return the matrix of a local line at its own samples, one weighted least-squares problem at a time."""
    rows = []
    for place, weight in zip(points, weights, strict=True):
        design = np.column_stack([np.ones(len(points)), points - place])
        root = np.sqrt(weight)
        rows.append(np.linalg.lstsq(root[:, None] * design, np.diag(root), rcond=None)[0][0])
    return np.array(rows)


@claim("C1", kind="identity", sources=("nadaraya1964", "watson1964"))
def a_density_implies_the_local_mean(seed=0):
    r"""The plug-in $E[y \mid x]$ of a kernel density estimate is the local mean if its bumps are products of one in
    $x$ and one in $y$ and the bump in $y$ has mean zero, whatever its shape and width; the plug-in variance is the
    local variance plus that of the bump in $y$."""
    t, flow = some_years(seed)
    h, g = 0.8, 90.0
    asked, grid = np.array([[-4.5], [-2.0], [0.3], [4.9]]), np.linspace(-400, 2400, 1401)
    mean = lm.local_mean(asked, t, flow, kernel=Gaussian(h))
    # A tilt makes bumps that are no products: the density of (x, y − tilt·x), moved back.
    straight, tilted = (joint_density(t, flow, asked, grid, h, g, tilt) for tilt in (0.0, 60.0))
    exact = "the trapezoid rule is exact to rounding for Gaussians; flows are of order 1000"
    yield same("scikit-learn's density", expectation(straight, grid), mean, within=1e-8, because=exact,
               broken=expectation(tilted, grid), how="tilted bumps, which are no products")

    steps = (grid - flow[:, None]) / g
    weights = gaussian(asked, t, h)
    skewed = 2 * np.exp(-((steps + 1) ** 2) / 2) + np.exp(-((steps - 2) ** 2) / 2)
    one_sided = np.exp(-((steps - 1) ** 2) / 2)
    yield same("a skewed bump", expectation(weights @ skewed, grid), mean, within=1e-8, because=exact,
               broken=expectation(weights @ one_sided, grid), how="a bump whose mean is not zero")

    spread = expectation(straight, grid**2) - expectation(straight, grid) ** 2
    local = lm.local_mean(asked, t, flow**2, kernel=Gaussian(h)) - mean**2
    yield same("variance", spread, local + g**2, within=1e-4,
               because="squares of order 10⁶, in a trapezoid rule that is exact to rounding",
               broken=local, how="the local variance alone")


def joint_density(t, flow, asked, grid, h, g, tilt):
    """Return scikit-learn's density of (x, y) at each asked place, a row each, for Gaussian bumps along a tilt."""
    known = np.column_stack([t[:, 0] / h, (flow - tilt * t[:, 0]) / g])
    density = KernelDensity(bandwidth=1.0).fit(known)
    rows = [np.column_stack([np.full(len(grid), x / h), (grid - tilt * x) / g]) for x in asked[:, 0]]
    return np.exp([density.score_samples(row) for row in rows])


def expectation(density, values):
    """Return ∫ values · density / ∫ density of each row, on an even grid."""
    return density @ values / density.sum(1)


@claim("C5", kind=("identity", "counter-example"), sources=("wand1995",))
def bayes_rule_is_a_vote(seed=0):
    r"""The Bayes rule of kernel density estimates that share one bandwidth is the local mode, and its posterior
    probabilities are local means of the classes' indicators; on the digits a bandwidth $h_c$ in proportion to each
    class's spread makes it neither, and it is the factor $h_c^{-d}$ that spoils it."""
    pixels, digit = datasets.digits()
    mixed = np.random.default_rng(seed).permutation(len(digit))
    X, label, new, truth = pixels[mixed[:1200]], digit[mixed[:1200]], pixels[mixed[1200:1500]], digit[mixed[1200:1500]]
    spread = np.array([np.sqrt(X[label == c].var(0).sum()) for c in range(10)])
    common, own = np.full(10, 0.5), 0.5 * spread / spread.mean()
    together, apart = (log_shares(X, label, new, widths) for widths in (common, own))
    yield same("labels", lm.local_mode(new, X, label, kernel=Gaussian(0.5)), together.argmax(1), within=0,
               because="labels are equal or they are not", broken=apart.argmax(1), how="a bandwidth for each class")
    vote = lm.LocalClassifier(Gaussian(0.5)).fit(X, label)
    yield same("posterior", vote.predict_proba(new), posterior(together), within=1e-9,
               because="log-densities of order 100, rounded", broken=posterior(apart), how="a bandwidth for each class")
    yield same("predictions", vote.predict(new), together.argmax(1), within=0,
               because="labels are equal or they are not", broken=apart.argmax(1), how="a bandwidth for each class")

    hits = {name: (scores.argmax(1) == truth).mean() for name, scores in
            (("common", together), ("own", apart), ("without the factor", apart + 64 * np.log(own)))}
    yield at_most("what it costs", hits["own"], hits["common"] - 0.2,
                  because="the standard error of a share of 300 is below 0.03",
                  broken=hits["without the factor"], how="the factor left out")


def log_shares(X, label, new, widths):
    """Return the logarithm of share times density of each class, by scikit-learn."""
    scores = [np.log((label == c).mean()) + KernelDensity(bandwidth=widths[c]).fit(X[label == c]).score_samples(new)
              for c in range(10)]
    return np.stack(scores, axis=1)


def posterior(scores):
    """Return probabilities from their logarithms, each row up to a constant."""
    return averages(np.exp(scores - scores.max(1, keepdims=True)))


@claim("C6", kind="identity", sources=("rasmussen2006", "saunders1998"))
def one_penalises_the_other_believes(seed=0):
    r"""The posterior mean of a Gaussian process with covariance $K$ and noise variance $\sigma^2$ is kernel ridge with
    the penalty $\lambda = \sigma^2$, and its log marginal likelihood is the sum of the log densities with which it
    predicts each target from those before it."""
    t, flow = some_years(seed)
    asked, h, sigma = np.linspace(-6, 6, 49)[:, None], 0.5, 0.4
    process = GaussianProcessRegressor(RBF(h), alpha=sigma**2, optimizer=None).fit(t, flow)
    yield same("mean", process.predict(asked), gaussian_ridge(h, sigma**2).fit(t, flow).predict(asked), within=1e-8,
               because="two solves of condition below 100, flows of order 1000",
               broken=gaussian_ridge(h, sigma).fit(t, flow).predict(asked), how="the noise's standard deviation as λ")

    units = (flow - flow.mean()) / flow.std()
    process.fit(t, units)
    before, others = (sum(predicted(t, units, i, known(i), h, sigma**2) for i in range(60))
                      for known in (np.arange, lambda i: np.delete(np.arange(60), i)))
    yield same("marginal likelihood", process.log_marginal_likelihood_value_, before, within=1e-9,
               because="sixty solves of condition below 400, against one", broken=others,
               how="each target predicted from all the others")


def predicted(t, y, one, known, h, noise):
    """Return the log density of a target, predicted from the known ones by kernel ridge and its variance."""
    row, K = gaussian(t[[one]], t[known], h)[0], gaussian(t[known], t[known], h)
    share = np.linalg.solve(K + noise * np.eye(len(known)), row)
    mean, variance = share @ y[known], 1 + noise - share @ row
    return -((y[one] - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2


@claim("C2", kind=("limit", "order", "counter-example"), sources=("saunders1998",))
def a_large_penalty_leaves_a_sum(seed=0):
    r"""For $\lambda \to \infty$, $\lambda$ times kernel ridge tends to the local *sum* $\sum_i K(x, x_i)\,y_i$, and
    ridge divided by the ridge of ones to the local mean, both with an error of order $1/\lambda$ and both even for the
    flat kernel; on the years of the Nile and at a small penalty the Gaussian's rows miss one and have weights below
    zero."""
    t, flow = some_years(seed)
    h, penalties = 0.5, np.array([1e3, 1e4, 1e5, 1e6])
    ones = np.ones(len(t))
    near = (distances(t, t) <= 1.0).astype(float)
    for name, kernel, matrix in (("Gaussian", Gaussian(h), gaussian(t, t, h)), ("flat", Flat(1.0), near)):
        total = lm.local_sum(t, t, flow, kernel=kernel).numerator
        mean = lm.LocalMeanRegressor(kernel).fit(t, flow).predict(t)
        fits = [KernelRidge(kernel="precomputed", alpha=a).fit(matrix, flow).predict(matrix) for a in penalties]
        of_ones = [KernelRidge(kernel="precomputed", alpha=a).fit(matrix, ones).predict(matrix) for a in penalties]
        sums = [np.abs(a * fit - total).max() for a, fit in zip(penalties, fits, strict=True)]
        plain = [np.abs(fit - total).max() for fit in fits]
        next_term = "the next term is of order 1/λ², and the norm of K is below 30"
        yield order(f"sum, {name}", penalties, sums, -1, within=0.02, because=next_term, broken=plain,
                    how="a ridge that is not multiplied by λ")
        means = [np.abs(fit / one - mean).max() for fit, one in zip(fits, of_ones, strict=True)]
        alone = [np.abs(fit - mean).max() for fit in fits]
        yield order(f"mean, {name}", penalties, means, -1, within=0.02, because=next_term, broken=alone,
                    how="a ridge that is not divided by the ridge of ones")

    model = lm.linear_smoother(gaussian_ridge(h, 0.1), t).matrix
    weights = lm.linear_smoother(lm.LocalMeanRegressor(Gaussian(h)), t).matrix
    yield at_least("rows miss one", np.abs(model.sum(1) - 1).max(), 0.01,
                   because="rounding reaches 1e-14, and no farther", broken=np.abs(weights.sum(1) - 1).max(),
                   how="the local mean's matrix")
    yield at_most("weights below zero", model.min(), -0.01, because="rounding reaches −1e-14, and no farther",
                  broken=weights.min(), how="the local mean's matrix")


@claim("C9", kind=("inequality", "counter-example"), sources=("rasmussen2006", "berman1994"))
def laplace_does_not_ring(seed=0):
    r"""On a line kernel ridge with Laplace's kernel $e^{-|x-y|/h}$ has no negative weight, whatever the penalty
    $\lambda > 0$ and wherever the points are; the Gaussian's can have one."""
    t = np.sort(np.random.default_rng(seed).uniform(-2, 2, 30))[:, None]
    penalties = (0.01, 0.1, 1.0, 10.0)
    found = [lm.linear_smoother(KernelRidge(kernel="laplacian", gamma=2.0, alpha=a), t).matrix for a in penalties]
    kernel = Laplace(0.5)(t)
    for penalty, matrix in zip(penalties, found, strict=True):
        yield same(f"matrix, λ = {penalty:g}", matrix, ridge_matrix(np.exp(-2 * distances(t, t)), penalty),
                   within=1e-11, because="two solves of condition below 3,000",
                   broken=ridge_matrix(gaussian(t, t, 0.5), penalty),
                   how="the Gaussian of the same bandwidth")
    rings = [ridge_matrix(gaussian(t, t, 0.5), a).min() for a in penalties]
    yield at_least("weights", [matrix.min() for matrix in found], 0.0, within=1e-12,
                   because="rounding of a solve of condition below 3,000", broken=rings,
                   how="the Gaussian of the same bandwidth")
    # By the Markov property only neighbours on the line are joined in K⁻¹.
    gap = 2 * np.diff(t[:, 0])
    inverse, joined = np.linalg.inv(kernel), -1 / (2 * np.sinh(gap))
    yield same("joined to the next", np.diag(inverse, 1), joined, relative=1e-9,
               because="an inverse of condition below 10⁵", broken=np.diag(kernel, 1), how="K in place of its inverse")
    far = np.abs(np.subtract.outer(np.arange(30), np.arange(30))) > 1
    yield same("joined to no other", inverse[far] / inverse.max(), 0.0, within=1e-9,
               because="an inverse of condition below 10⁵, relative to its largest entry", broken=kernel[far],
               how="K in place of its inverse")


@claim("C3", kind="identity", sources=("silverman1984", "sollich2005"))
def smoothers_are_filters_on_a_ring(seed=0):
    r"""On a ring of evenly spaced points the local mean multiplies a wave by $\hat K/\hat K(0)$ and kernel ridge by
    $\hat K/(\hat K + \lambda)$, where $\hat K$ is the kernel's eigenvalue at its frequency; where the
    points are dense beside $h$, twice as many act on ridge like half the penalty, and on the local mean not at all."""
    h, penalty, n = 0.5, 0.3, 60
    uneven = moved(ring(n, 20.0), seed)
    known = fourier_multipliers(lambda a, b: gaussian(a, b, h), n, circumference=20.0, penalty=penalty)
    solve = "a solve of condition below 30"
    yield same("local mean", spectrum(ring(n, 20.0), mean_answer(h)), known.mean, within=1e-12, because=solve,
               broken=spectrum(uneven, mean_answer(h)), how="points that are unevenly spaced")
    yield same("kernel ridge", spectrum(ring(n, 20.0), ridge_answer(h, penalty)), known.ridge, within=1e-12,
               because=solve, broken=spectrum(uneven, ridge_answer(h, penalty)), how="points that are unevenly spaced")

    # Waves that both rings can carry: the first half of the frequencies, where K̂ is free of aliases.
    half, low = known.kernel / (known.kernel + penalty / 2), slice(0, 16)
    yield same("twice the points, ridge", spectrum(ring(2 * n, 20.0), ridge_answer(h, penalty))[low], half[low],
               within=1e-8, because="aliases: at the frequency 45/20, where they begin, K̂ is exp(−25) of the largest",
               broken=spectrum(ring(2 * n, 20.0), ridge_answer(h, 2 * penalty))[low],
               how="a penalty that grows with the number of points")
    yield same("twice the points, local mean", spectrum(ring(2 * n, 20.0), mean_answer(h))[low], known.mean[low],
               within=1e-8, because="aliases: at the frequency 45/20, where they begin, K̂ is exp(−25) of the largest",
               broken=half[low], how="the ridge of half the penalty")


def moved(points, seed):
    """Return points on a circle, each turned by a random angle."""
    turn = np.random.default_rng(seed).uniform(0, 0.1, len(points))
    x, y = points.T
    return np.column_stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)])


def spectrum(points, answer):
    """Return by what each frequency is multiplied: the transform of the answer to an impulse at the first point."""
    return np.fft.rfft(answer(points, np.eye(len(points))[0])).real


def mean_answer(h):
    """Return the local mean at its own points."""
    return lambda points, y: lm.local_mean(points, points, y, kernel=Gaussian(h))


def ridge_answer(h, penalty):
    """Return kernel ridge at its own points."""
    return lambda points, y: gaussian_ridge(h, penalty).fit(points, y).predict(points)


@claim("C4", kind="counter-example", sources=("rasmussen2006",))
def a_flat_kernel_is_no_covariance(seed=0):
    r"""Under a flat kernel the "posterior variance" of a Gaussian process can be $-1$ and its mean outside of the data,
    while the local mean is the mean; with noise $\sigma^2$ and $n$ observations at each of two places it is
    $1 - 2/(1 + \sigma^2/n)$, which more data make negative again."""
    rng = np.random.default_rng(seed)
    gap, y = rng.uniform(1.1, 1.9), rng.uniform(1, 3, 2)
    two, half = np.array([[0.0], [gap]]), np.array([[gap / 2]])
    exact = "sums of two terms"
    believe = {kind: GaussianProcessRegressor(PairwiseKernel(metric=metric), alpha=0.0, optimizer=None).fit(two, y)
               for kind, metric in (("flat", flat_metric), ("triangle", triangle_metric))}
    answer = {kind: process.predict(half, return_cov=True) for kind, process in believe.items()}
    yield same("variance", answer["flat"][1], -1.0, within=1e-12, because=exact, broken=answer["triangle"][1],
               how="the triangle, which is positive definite on the line")
    mean = lm.local_mean(half, two, y, kernel=Flat(1.0))
    yield at_least("the process's mean", answer["flat"][0] - y.max(), 0.5, because="the sum of two values above one",
                   broken=mean - y.max(), how="the local mean of the same kernel")
    yield same("local mean", mean, (y[0] + y[1]) / 2, within=1e-12, because=exact, broken=answer["flat"][0],
               how="the Gaussian process of the same kernel")
    # In the plane five points see the centre and not each other.
    star = ring(5, 2 * np.pi * 0.99)
    centre = np.zeros((1, 2))
    yield same("five in the plane", noisy_variance(flat_metric, star, centre, 0.0, 1), -4.0, within=1e-12,
               because="sums of five terms", broken=noisy_variance(laplace_metric, star, centre, 0.0, 1),
               how="Laplace's kernel, which is positive definite in every dimension")

    sizes = [(0.5, 1), (4.0, 3), (4.0, 5), (20.0, 30)]
    found, wrong = ([noisy_variance(metric, two, half, noise, n) for noise, n in sizes]
                    for metric in (flat_metric, triangle_metric))
    formula = [1 - 2 / (1 + noise / n) for noise, n in sizes]
    yield same("noise", found, formula, within=1e-12, because="solves of condition below 100",
               broken=wrong, how="the triangle, which is positive definite on the line")


def flat_metric(a, b, gamma=None):
    """Return one if two points are at most one apart, else zero."""
    return float(((a - b) ** 2).sum() <= 1)


def triangle_metric(a, b, gamma=None):
    """Return one minus the distance, or zero beyond one."""
    return max(0.0, 1 - np.sqrt(((a - b) ** 2).sum()))


def laplace_metric(a, b, gamma=None):
    """Return exp(−distance)."""
    return np.exp(-np.sqrt(((a - b) ** 2).sum()))


def noisy_variance(metric, places, asked, noise, n):
    """Return the variance at one place after n observations with noise at each of several others."""
    process = GaussianProcessRegressor(PairwiseKernel(metric=metric), alpha=noise, optimizer=None)
    process.fit(np.repeat(places, n, axis=0), np.zeros(n * len(places)))
    return process.predict(asked, return_cov=True)[1].item()


@claim("C8", kind=("identity", "counter-example"), sources=("schoenberg1938",))
def two_properties_of_kernels(seed=0):
    r"""Positive definite and non-negative are two properties, and neither implies the other: a kernel can have both,
    either, or none, and the triangle of the distance is positive definite on the line and not in the plane."""
    rng = np.random.default_rng(seed)
    scattered, line = rng.uniform(-2, 2, (40, 1)), np.linspace(-2, 2, 81)[:, None]
    table = kernels_and_formulas()
    written = [formula(scattered, scattered) for _, formula, _, _ in table]
    hollow = [matrix * (1 - np.eye(40)) for matrix in written]
    yield same("formulas", [kernel(scattered, scattered) for kernel, _, _, _ in table], written, within=1e-11,
               because="entries up to 125, in powers and exponentials that are rounded",
               broken=hollow, how="kernels that give a point no weight of its own")
    found = [kernel_properties(kernel, scattered) for kernel, _, _, _ in table]
    numbers = [(one.least_eigenvalue, one.least_entry, one.asymmetry) for one in found]
    yield same("numbers", numbers, [measured(matrix) for matrix in written], within=1e-12,
               because="shares of the largest eigenvalue and of the largest entry, rounded",
               broken=[measured(matrix) for matrix in hollow], how="kernels that give a point no weight of its own")
    found = [kernel_properties(kernel, line) for kernel, _, _, _ in table]
    expected = np.array([(definite, positive) for _, _, definite, positive in table])
    yield same("properties", [(one.mercer, one.localizes) for one in found], expected, within=0, because="yes or no",
               broken=expected[:, [1, 1]], how="the signs of the entries taken for those of the eigenvalues")

    square = np.stack(np.meshgrid(*2 * [np.linspace(-1.5, 1.5, 11)]), -1).reshape(-1, 2)
    square += rng.uniform(-0.01, 0.01, square.shape)
    cone, product = (measured(matrix)[0] for matrix in (np.maximum(0, 1 - distances(square, square)),
                     np.maximum(0, 1 - np.abs(square[:, None] - square)).prod(-1)))
    found = kernel_properties(Triangular(1.0), square).least_eigenvalue
    yield same("the triangle in the plane", found, cone, within=1e-12,
               because="shares of the largest eigenvalue, rounded", broken=product,
               how="the product of the two coordinates' triangles")
    yield at_most("its sign", found, -0.001, because="rounding reaches 1e-13, and no farther", broken=product,
                  how="the product of the two coordinates' triangles")


def measured(matrix):
    """Return least eigenvalue, least entry and max |K − Kᵀ|, each as a share of the largest in absolute value."""
    eigenvalues = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    size = np.abs(matrix).max()
    return eigenvalues[0] / np.abs(eigenvalues).max(), matrix.min() / size, np.abs(matrix - matrix.T).max() / size


def kernels_and_formulas():
    """Return kernels with their formulas, and whether they are positive definite on the line and non-negative."""
    def ranks(a, b):
        return (distances(a, b).argsort(1).argsort(1) < 5).astype(float)

    return [
        (Gaussian(0.5), lambda a, b: np.exp(-2 * distances(a, b) ** 2), True, True),
        (Laplace(0.5), lambda a, b: np.exp(-2 * distances(a, b)), True, True),
        (Cauchy(0.5), lambda a, b: 1 / (1 + 4 * distances(a, b) ** 2), True, True),
        (Exponential(1.0), lambda a, b: np.exp(a @ b.T), True, True),
        (Triangular(1.0), lambda a, b: np.maximum(0, 1 - distances(a, b)), True, True),
        (Epanechnikov(1.0), lambda a, b: np.maximum(0, 1 - distances(a, b) ** 2), False, True),
        (Flat(0.5), lambda a, b: (distances(a, b) <= 0.5).astype(float), False, True),
        (NearestNeighbors(5), ranks, False, True),
        (Linear(), lambda a, b: a @ b.T, True, False),
        (cosine, lambda a, b: np.cos(3 * a) @ np.cos(3 * b).T + np.sin(3 * a) @ np.sin(3 * b).T, True, False),
        (mexican_hat, lambda a, b: (1 - 9 * distances(a, b) ** 2) * np.exp(-4.5 * distances(a, b) ** 2), True, False),
        (sigmoid, lambda a, b: np.tanh(a * b[:, 0] - 1), False, False),
        (Polynomial(3, offset=-1.0), lambda a, b: (a * b[:, 0] - 1) ** 3, False, False),
    ]


def cosine(a, b):
    """Return the cosine of three times the difference of points on a line."""
    return np.cos(3 * (a - b.T))


def mexican_hat(a, b):
    """Return the Gaussian of bandwidth 1/3 on a line, differentiated twice, with its sign changed."""
    square = 9 * (a - b.T) ** 2
    return (1 - square) * np.exp(-square / 2)


def sigmoid(a, b):
    """Return the hyperbolic tangent of the inner product minus one."""
    return np.tanh(a @ b.T - 1)
