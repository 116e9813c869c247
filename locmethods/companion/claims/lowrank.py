"""What the page on low rank checks: exact recovery, the cone that is left, bad pairs, bounds, chance, and attention."""

import numpy as np
from scipy.linalg import qr
from scipy.special import factorial, softmax
from sklearn.datasets import make_swiss_roll

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected.skeletons import (
    attention_by_landmarks,
    by_core,
    damped_inverse,
    gaussian,
    interpolation_points,
    kahan,
)
from locmethods.kernels import Exponential, Gaussian
from locmethods.lowrank import (
    AnchorScorer,
    cur,
    interpolative,
    iterated_inverse,
    leverage_scores,
    nystrom,
    nystrom_attention,
    sampled_product,
    select_columns,
)

SELECTIONS = ("uniform", "norm", "leverage", "deim", "pivoted_qr", "kmeans", "rpcholesky")


def roll(n, seed):
    """Return points of a Swiss roll, standardised."""
    points = make_swiss_roll(n, random_state=seed)[0]
    return (points - points.mean(0)) / points.std(0)


@claim("T1", kind=("identity", "inequality"), sources=("goreinov1997", "mahoney2009", "yadav2022"))
def a_block_of_the_rank_says_all(seed=0):
    r"""If the block $W$ where the chosen rows and columns meet has the rank of $M$, then $M = CW^\dagger R$, however
    they were chosen; the optimal core $C^\dagger MR^\dagger$ never errs more than the skeleton $W^\dagger$ in the
    Frobenius norm, mixtures of the columns alone never more than that, and nothing of the rank less than the singular
    values that are left over."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30))
    found = [cur(matrix, 5, selection=name, core="skeleton", random_state=seed).matrix() for name in SELECTIONS]
    fewer = [cur(matrix, 4, selection=name, core="skeleton", random_state=seed).matrix() for name in SELECTIONS]
    # Random blocks of five have a condition of hundreds; one in 10⁵ has one of 10⁷.
    yield same("seven selections", found, np.tile(matrix, (7, 1, 1)), within=1e-6,
               because="a condition below 10⁷ of W, and sixteen digits", broken=fewer,
               how="one row and one column fewer than the rank")
    mixed = interpolative(matrix, 5, random_state=seed).matrix()
    yield same("mixtures of five columns", mixed, matrix, within=1e-9, because="well-conditioned columns",
               broken=interpolative(matrix, 4).matrix(), how="four columns")

    smooth = rng.normal(size=(40, 30)) @ np.diag(0.8 ** np.arange(30))
    errors = {"skeleton": [], "optimal": [], "mixtures": []}
    for name in SELECTIONS:
        one = cur(smooth, 8, selection=name, random_state=seed)
        mixtures = interpolative(smooth, 8, selection=name, random_state=seed)
        errors["skeleton"].append(np.linalg.norm(smooth - by_core(smooth, one.rows, one.columns, "skeleton")))
        errors["optimal"].append(np.linalg.norm(smooth - one.matrix()))
        errors["mixtures"].append(np.linalg.norm(smooth - mixtures.matrix()))
    yield at_most("the optimal core", errors["optimal"], errors["skeleton"], within=1e-12, because="rounding",
                  broken=(errors["skeleton"], errors["optimal"]), how="W† in the place of C†MR†")
    yield at_most("columns alone", errors["mixtures"], errors["optimal"], within=1e-12, because="rounding",
                  broken=(errors["optimal"], errors["mixtures"]), how="rows that were chosen as well")
    left = np.sqrt((np.linalg.svd(smooth, compute_uv=False)[8:] ** 2).sum())
    more = interpolative(smooth, 12, random_state=seed).matrix()
    yield at_least("singular values", errors["mixtures"], left, within=1e-12, because="rounding",
                   broken=np.linalg.norm(smooth - more) * np.ones(7), how="four columns more than the rank")

    items, known, asked = rng.normal(size=(200, 6)), rng.normal(size=(12, 6)), rng.normal(size=(4, 6))
    scorer = AnchorScorer(lambda q, x: q @ x.T, 6).fit(items, known)
    scores = asked @ items.T
    few = AnchorScorer(lambda q, x: q @ x.T, 5).fit(items, known)
    yield same("scores with six anchors", scorer.estimate(asked), scores, within=1e-9,
               because="a well-conditioned block", broken=few.estimate(asked), how="five anchors for rank six")
    best = -np.sort(-scores, axis=1)[:, :5]
    yield same("the five best", scorer.search(asked, 5, rerank=11).scores, best, within=1e-12,
               because="the same products", broken=few.search(asked, 5, rerank=5).scores,
               how="the scores of the anchors alone")


@claim("T2", kind=("counter-example", "identity"), sources=("williams2001", "drineas2005"))
def nystrom_leaves_the_cone(seed=0):
    r"""For a positive semi-definite $K$ Nyström's $\hat K = CW^{-1}C^\top$ is exact in the chosen rows and leaves a
    positive semi-definite residual, neither of which the optimal core promises; but of a Gaussian kernel on 300 points
    of a Swiss roll, at half a standard deviation and rank 30, more than a tenth of the entries of $\hat K$ are
    negative, and local means with it leave the range of their values."""
    x = roll(300, seed)
    exact = gaussian(x, x, 0.5)
    model = nystrom(x, 30, kernel=Gaussian(0.5), random_state=seed)
    found, chosen = model.matrix(), model.columns % 300  # a place that is spoilt stays a place
    written = by_core(exact, chosen, chosen, "skeleton")
    yield same("the formula", found, written, within=1e-9, because="a block of a condition below 10⁵",
               broken=by_core(gaussian(x, x, 0.55), chosen, chosen, "skeleton"), how="a bandwidth a tenth wider")
    optimal = by_core(exact, chosen, chosen, "optimal")
    yield same("chosen rows", found[chosen], exact[chosen], within=1e-9, because="as above",
               broken=optimal[chosen], how="the optimal core")
    yield at_least("the residual's eigenvalues", np.linalg.eigvalsh(exact - found), 0, within=1e-9,
                   because="a few ε of the largest eigenvalue, magnified by the condition",
                   broken=np.linalg.eigvalsh(exact - optimal), how="the optimal core")
    yield at_least("the share of negative entries", (found < 0).mean(), 0.1, because="two in ten or more were seen",
                   broken=(exact < 0).mean(), how="the kernel itself")
    values = (x[:, 0] > 0).astype(float)
    mean, true = (found @ values) / found.sum(1), lm.local_mean(x, x, values, kernel=Gaussian(0.5))
    yield same("the local mean", true, exact @ values / exact.sum(1), within=1e-12, because="sums of 300 numbers",
               broken=mean, how="Nyström's matrix")
    yield at_least("out of the range by", max(mean.max() - 1, -mean.min()), 1e-4,
                   because="values are 0 and 1, and so is the range of their means",
                   broken=max(true.max() - 1, -true.min()), how="the kernel itself")


@claim("T3", kind="counter-example")
def rows_and_columns_drawn_apart_blow_up(seed=0):
    r"""On a Gaussian kernel of 400 points of a Swiss roll, at half a standard deviation, 60 rows and 60 columns that
    are drawn apart leave the skeleton an error more than fifty times that of 60 that are drawn once, in the median of
    nine draws; the optimal core of the same rows and columns errs less than twice as much."""
    x = roll(400, seed)
    exact = gaussian(x, x, 0.5)
    once, apart, by_hand, optimal = [], [], [], []
    for draw in range(9):
        one = cur(exact, 60, selection="uniform", rows="own", core="skeleton", random_state=9 * seed + draw)
        apart.append(np.linalg.norm(exact - one.matrix()))
        by_hand.append(np.linalg.norm(exact - by_core(exact, one.columns, one.columns, "skeleton")))
        once.append(np.linalg.norm(exact - cur(exact, 60, selection="uniform", core="skeleton",
                                               random_state=9 * seed + draw).matrix()))
        optimal.append(np.linalg.norm(exact - cur(exact, 60, selection="uniform", rows="own",
                                                  random_state=9 * seed + draw).matrix()))
    yield same("drawn once", once, by_hand, relative=1e-6, because="the same columns, and a condition below 10⁸",
               broken=apart, how="rows of their own")
    yield at_least("drawn apart, the skeleton", np.median(apart), 50 * np.median(by_hand),
                   because="factors from 800 to 6,000 were seen", broken=np.median(optimal), how="the optimal core")
    yield at_most("drawn apart, the optimal core", np.median(optimal), 2 * np.median(by_hand),
                  because="√2 by two projections' squares, each at most a skeleton's; the rest as draws differ",
                  broken=np.median(apart), how="the skeleton")


@claim("T4", kind="inequality", sources=("sorensen2016",))
def interpolation_points_have_a_bound(seed=0):
    r"""With rows and columns at the interpolation points of the leading $r$ singular vectors $V$ and $U$ the optimal
    core errs by at most $(\eta_V + \eta_U)\, \sigma_{r+1}$ in the spectral norm, where $\eta_V = \lVert V_S^{-1}\rVert$
    is that of the chosen rows of $V$."""
    rng = np.random.default_rng(seed)
    x = roll(200, seed)
    matrices = {"a kernel": gaussian(x, x, 0.5), "its averages": gaussian(x, x, 0.5),
                "a product": rng.normal(size=(80, 60)) @ np.diag(0.8 ** np.arange(60)) @ rng.normal(size=(60, 60))}
    matrices["its averages"] = matrices["a kernel"] / matrices["a kernel"].sum(1, keepdims=True)
    for name, matrix in matrices.items():
        u, s, vt = np.linalg.svd(matrix)
        points = interpolation_points(vt[:20].T), interpolation_points(u[:, :20])
        found = cur(matrix, 20, selection="deim", rows="own")
        expected = by_core(matrix, points[1], points[0], "optimal")
        yield same(f"{name}: the approximation", found.matrix(), expected, within=1e-9, because="two least squares",
                   broken=by_core(matrix, points[1], points[0], "skeleton"), how="the skeleton")
        eta = sum(np.linalg.norm(np.linalg.inv(part), 2)
                  for part in (vt[:20].T[points[0]], u[points[1], :20]))
        error = np.linalg.norm(matrix - found.matrix(), 2)
        yield at_most(f"{name}: the bound", error, eta * s[20], within=1e-12, because="rounding",
                      broken=(error, s[20]), how="the singular value alone, which no rank of 20 reaches by columns")


@claim("T5", kind="identity", sources=("drineas2006", "mahoney2009"))
def sampled_by_what_counts(seed=0):
    r"""Leverage scores of rank $r$ sum to $r$, and those of the full rank are the diagonal of the hat matrix; terms
    of a product drawn with $p_i \propto \lVert x_i\rVert \lVert y_i\rVert$ and weighted by $1/(c\, p_i)$ give it on
    average, with the mean squared error
    $\big((\sum_i \lVert x_i\rVert \lVert y_i\rVert)^2 - \lVert XY\rVert^2\big)/c$, which no other probabilities make
    smaller."""
    rng = np.random.default_rng(seed)
    design = datasets.diabetes().x[:, :8] if seed == 0 else rng.normal(size=(100, 8)) * np.arange(1, 9)
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    scores = leverage_scores(design.T, 8)
    yield same("the hat matrix", scores, np.diagonal(hat), within=1e-9, because="a well-conditioned inverse",
               broken=8 * (design**2).sum(1) / (design**2).sum(), how="squared lengths in the place of leverages")
    few = leverage_scores(design.T, 3)
    yield same("their sum", few.sum(), 3, within=1e-12, because="a hundred additions or more",
               broken=scores.sum(), how="leverages of the full rank")

    x, y = rng.normal(size=(4, 12)) * np.arange(1, 13), rng.normal(size=(12, 3))
    sizes = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=1)
    exact, count, draws = x @ y, 5, 1500
    found = np.array([sampled_product(x, y, count, random_state=draws * seed + t) for t in range(draws)])
    plain = np.array([(x[:, kept] * 12 / count) @ y[kept] for kept in
                      (rng.choice(12, count, p=sizes / sizes.sum()) for _ in range(draws))])
    error = found.std(0) / np.sqrt(draws)
    yield at_most("on average", abs(found.mean(0) - exact) / error, 5, because="five standard errors",
                  broken=abs(plain.mean(0) - exact) / error, how="terms that all count the same")
    squares = ((found - exact) ** 2).sum((1, 2))
    written = (sizes.sum() ** 2 - np.linalg.norm(exact) ** 2) / count
    uniform = (12 * (sizes**2).sum() - np.linalg.norm(exact) ** 2) / count
    yield same("its mean squared error", squares.mean(), written,
               within=5 * squares.std() / np.sqrt(draws), because="five standard errors", broken=uniform,
               how="the error of equal probabilities")
    # From those that are best to those that forget them.
    others = sizes ** np.linspace(0, 2, 41)[:, None] * rng.gamma(20, size=(41, 12))
    others /= others.sum(1, keepdims=True)
    seconds = (sizes**2 / others).sum(1)
    yield at_least("other probabilities", (seconds - np.linalg.norm(exact) ** 2) / count, written, within=1e-9,
                   because="rounding of numbers in the thousands",
                   broken=(seconds / 2 - np.linalg.norm(exact) ** 2) / count,
                   how="weights that sum to two in place of probabilities")


@claim("T6", kind=("identity", "counter-example"), sources=("xiong2021",))
def landmarks_of_attention_are_no_average(seed=0):
    r"""Rows of the Nyströmformer's $FA^{-1}B$ sum to one, and with as many landmarks as tokens it is the attention
    itself; but for 128 random queries and keys in 16 dimensions and 16 landmarks more than a tenth of its entries are
    negative, and its error is larger than the attention in the median of nine draws. Six steps of the iteration damp
    what $A^{-1}$ magnifies, so that the error is smaller than the attention; but rows no longer sum to one, and with
    as many landmarks as tokens it is not exact."""
    rng = np.random.default_rng(seed)
    draws = [tuple(rng.normal(size=(2, 128, 16))) for _ in range(9)]
    query, keys = draws[0]
    same_matrix = nystrom_attention(query, keys, np.eye(128), 8)
    written = attention_by_landmarks(query, keys, 8, np.linalg.inv)
    yield same("three matrices", same_matrix, written, relative=1e-6, within=1e-9,
               because="a matrix of eight landmarks, of a condition below 10⁶",
               broken=attention_by_landmarks(query, keys, 16, np.linalg.inv), how="sixteen landmarks")
    damped = nystrom_attention(query, keys, np.eye(128), 16, inverse="iterated")
    by_values = attention_by_landmarks(query, keys, 16, damped_inverse)
    yield same("six steps", damped, by_values, within=1e-9, because="six products, and their singular values",
               broken=attention_by_landmarks(query, keys, 16, lambda a: damped_inverse(a, 5)), how="five steps")
    yield same("sums of rows", same_matrix.sum(1), 1, within=1e-6, because="as above",
               broken=damped.sum(1), how="six steps of the iteration")
    attention = softmax(query @ keys.T / 4, axis=1)
    yield same("the local mean", lm.local_mean(query, keys, keys, kernel=Exponential(4.0)), attention @ keys,
               within=1e-12, because="sums of 128 numbers", broken=attention_by_landmarks(
                   query, keys, 16, damped_inverse) @ keys, how="landmarks")
    whole = nystrom_attention(query, keys, np.eye(128), 128)
    yield same("as many landmarks as tokens", whole, attention, within=1e-7, because="a condition below 10⁸",
               broken=nystrom_attention(query, keys, np.eye(128), 128, inverse="iterated"), how="six steps")

    errors, negative = {"exact": [], "iterated": []}, []
    for one, other in draws:
        truth = softmax(one @ other.T / 4, axis=1)
        for inverse, into in errors.items():
            found = nystrom_attention(one, other, np.eye(128), 16, inverse=inverse)
            into.append(np.linalg.norm(found - truth) / np.linalg.norm(truth))
            if inverse == "exact":
                negative.append((found < 0).mean())
    yield at_least("the share of negative entries", negative, 0.1, because="two in ten or more were seen",
                   broken=(attention < 0).mean() * np.ones(9), how="the attention itself")
    yield at_least("the error with the inverse", np.median(errors["exact"]), 1, because="the attention's own size",
                   broken=np.median(errors["iterated"]), how="six steps")
    yield at_most("the error with six steps", errors["iterated"], 1, because="the attention's own size",
                  broken=errors["exact"], how="the inverse")

    small = np.append(1.0, np.geomspace(0.5, 1e-3, 9))
    found = iterated_inverse(np.diag(small)).inverse
    yield same("what is left of 1/s", found, damped_inverse(np.diag(small)), relative=1e-9, within=1e-12,
               because="six products", broken=np.diag(1 / small), how="the inverse itself")


@claim("T7", kind="counter-example", sources=("kahan1966",))
def kahans_matrix_misleads_pivots(seed=0):
    r"""Of Kahan's matrix of order 60 at the angle 1.2 a QR with pivoting leaves a last entry more than $10^6$ times the
    smallest singular value, so that 59 of its columns do as badly; columns drawn with probabilities in proportion to
    the same residuals leave less than a hundredth of it in the median of nine draws."""
    matrix = kahan(60, 1.2)
    sizes = np.linalg.svd(matrix, compute_uv=False)
    triangle, places = qr(matrix, mode="r", pivoting=True)
    yield same("the pivots", select_columns(matrix, 59), places[:59], because="whole numbers",
               broken=select_columns(matrix, 59, "norm", random_state=seed), how="columns drawn by their lengths")
    last = abs(triangle[-1, -1])
    rotated = matrix @ np.linalg.qr(np.random.default_rng(seed).normal(size=(60, 60)))[0]
    # The inverse has the entry cos θ (1 + cos θ)⁵⁸/sin⁵⁹θ, and sin⁵⁹θ is the last entry.
    yield at_least("the last entry", last / sizes[-1], 1e6,
                   because="cos 1.2 (1 + cos 1.2)⁵⁸ is 2·10⁷, and an entry of the inverse is at most 1/σ",
                   broken=abs(qr(rotated, mode="r", pivoting=True)[0][-1, -1]) / sizes[-1],
                   how="the same singular values in columns turned by chance")
    found = interpolative(matrix, 59)
    yield same("what 59 columns leave", np.linalg.norm(matrix - found.matrix(), 2), last, relative=1e-6,
               because="one column, whose part outside the others is that entry", broken=sizes[-1],
               how="the smallest singular value")
    drawn = [np.linalg.norm(matrix - interpolative(matrix, 59, selection="rpcholesky",
                                                   random_state=9 * seed + t).matrix(), 2) for t in range(9)]
    yield at_most("columns that are drawn", np.median(drawn), last / 100, because="most draws leave an early column",
                  broken=last, how="the largest residual each time")


@claim("T8", kind="inequality")
def a_polynomial_in_the_exponentials_place_errs_within_a_bound(seed=0):
    r"""With $g$ positive and $|e^t - P(t)| \le Q(t) < P(t)$ at all arguments $t = x^\top y$, a mean $\hat m$ under the
    weights $g\,P$ differs from that under $g\,e^t$ by at most $\sum g\,Q\,|v - \hat m| / \sum g\,(P - Q)$; and of a
    Gaussian as wide as two standard deviations on 2,500 points of a Swiss roll, a local mean at a tolerance of a
    thousandth of the largest value keeps it."""
    x = roll(300, seed)
    values, h = (x[:, 0] > 0).astype(float), 2.0
    exact = gaussian(x, x, h)
    true = exact @ values / exact.sum(1)
    own = np.exp(-(x**2).sum(1) / (2 * h**2))
    inner = x @ x.T / h**2

    def by_taylor(degree):
        """Return the means under Taylor's polynomial, their bounds by its remainder, and the least g (P − Q)."""
        powers = np.arange(degree + 1)
        weight = own * (inner[..., None] ** powers / factorial(powers)).sum(-1)
        rest = own * abs(inner) ** (degree + 1) / factorial(degree + 1) * np.exp(np.maximum(inner, 0))
        mean = weight @ values / weight.sum(1)
        return mean, (rest * abs(values - mean[:, None])).sum(1) / (weight - rest).sum(1), (weight - rest).min()

    mean, bound, least = by_taylor(8)
    few = by_taylor(2)[0]
    yield at_least("the condition", least, 0.0, because="P and Q are taken at all arguments that occur",
                   broken=by_taylor(1)[2], how="degree one, whose remainder exceeds it")
    yield at_most("the bound", abs(mean - true), bound, within=1e-14, because="the rounding of 300 numbers",
                  broken=(abs(few - true), bound),
                  how="the mean of degree two under the bound of degree eight")
    many = roll(2500, seed)  # fewer pairs of points are not worth a polynomial
    height = (many[:, 0] > 0).astype(float)
    weights = gaussian(many, many, h)
    with lm.engines.forced("lowrank"):
        found = lm.local_mean(many, many, height, kernel=Gaussian(h), tolerance=1e-3)
    yield at_most("at a tolerance", abs(found - weights @ height / weights.sum(1)), 1e-3,
                  because="the largest value is one", broken=abs(few - true),
                  how="Taylor's polynomial of degree two, and no bound")
