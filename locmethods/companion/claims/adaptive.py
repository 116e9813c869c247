"""What the page on adaptive kernels checks: widths that follow the data, metrics that are learned, forests."""

import warnings
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import softmax
from scipy.stats import norm
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import NeighborhoodComponentsAnalysis

import locmethods as lm
from locmethods.adaptive import (
    ForestKernel,
    LearnedMetric,
    Metric,
    SamplePoint,
    SelfTuning,
    attention_factors,
    kernel_density,
    learn_kernel,
    mixture,
    sinkhorn,
)
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.forests import boosted_weights, forest_weights, same_leaves
from locmethods.companion.expected.weights import averages, distances, gaussian
from locmethods.kernels import Balloon, Exponential, Flat, Gaussian


@claim("K1", kind=("order", "counter-example"), sources=("abramson1982", "terrell1992", "hall1995"))
def widths_that_follow_the_density_gain_two_orders(seed=0):
    r"""With one width $h$ the bias of a kernel density estimate falls as $h^2$; with the width $h\,p(x_i)^{-1/2}$ for
    each key, bounded from above, it falls as $h^4$ where $p$ is smooth and above the bound's reach; without the bound
    the tails of a normal density spoil that order."""
    # The population: 20,000 quantiles of a standard normal, and its density as the pilot.
    keys, centre = norm.ppf((np.arange(20000) + 0.5) / 20000)[:, None], np.zeros((1, 1))
    widths = np.array([0.05, 0.07, 0.1])

    def bias(kernel):
        return kernel_density(centre, keys, kernel=kernel)[0] - norm.pdf(0)

    fixed = [bias(Gaussian(h)) for h in widths]
    clipped = [bias(SamplePoint(Gaussian(h), clip=2.0, pilot=normal_density)) for h in widths]
    free = [bias(SamplePoint(Gaussian(h), pilot=normal_density)) for h in widths]
    yield same("one width", fixed, norm.pdf(0, scale=np.sqrt(1 + widths**2)) - norm.pdf(0), within=2e-7,
               because="20,000 quantiles in place of the normal density",
               broken=clipped, how="a width for each key")
    yield order("the order of one width", widths, fixed, 2, within=0.02, because="the next term is 3h²/4 of this one",
                broken=clipped, how="a width for each key")
    yield order("the order of bounded widths", widths, clipped, 4, within=0.1,
                because="the next term is 4h² of this one",
                broken=free, how="no bound, so that far keys are felt everywhere")
    # λ(z) = exp((z² − 1)/4) relative to the geometric mean, and the bias (h⁴/24)·3·(1/p)⁗ g² at the centre.
    leading = widths**4 / 8 * 3 * np.sqrt(2 * np.pi) * np.exp(-1) / (2 * np.pi)
    yield same("its constant", clipped, leading, relative=0.06, because="the next term is 4h² of this one",
               broken=free, how="no bound")

    places = np.array([[-1.0], [0.0], [0.7]])
    estimate = kernel_density(places, keys, kernel=SamplePoint(Gaussian(0.3), clip=2.0, pilot=normal_density))
    yield same("the estimate", estimate, [expected_estimate(place, 0.3, 2.0) for place in places[:, 0]], within=1e-6,
               because="20,000 quantiles in place of the normal density",
               broken=[expected_estimate(place, 0.3, 2.0, volume=False) for place in places[:, 0]],
               how="every key as tall as any other, however wide")

    income = datasets.engel().x[np.random.default_rng(seed).permutation(235)[:150], None]
    found = kernel_density(income, income, kernel=SamplePoint(Gaussian(100.0)))
    apart = distances(income, income)
    pilot = np.exp(-(apart**2) / 2e4).sum(1)
    width = 100 * (pilot / np.exp(np.mean(np.log(pilot)))) ** -0.5
    yield same("incomes", found, norm.pdf(apart, scale=width).mean(1), relative=1e-7, because="quadrature of the mass",
               broken=norm.pdf(apart, scale=width[:, None]).mean(1), how="the target's width instead of the key's")


def normal_density(points):
    """Return the density of the standard normal, of points of shape (n, 1)."""
    return np.exp(-(points[..., 0] ** 2) / 2) / np.sqrt(2 * np.pi)


def expected_estimate(place, h, clip, volume=True):
    """Return ∫ p(z) φ((x − z)/h(z))/h(z) dz of the standard normal, by quadrature; h(z) = h min(exp((z² − 1)/4), c)."""
    def integrand(z):
        width = h * min(np.exp((z**2 - 1) / 4), clip)
        bump = np.exp(-((place - z) ** 2) / (2 * width**2)) / np.sqrt(2 * np.pi)
        return norm.pdf(z) * bump / (width if volume else h)

    return quad(integrand, -9, 9, points=[-np.sqrt(1 + 4 * np.log(clip)), place, np.sqrt(1 + 4 * np.log(clip))],
                limit=200)[0]


@claim("K2", kind=("identity", "counter-example"), sources=("zelnik2004",))
def a_self_tuning_kernel_has_no_unit(seed=0):
    r"""The kernel $\exp(-d^2/\sigma_i\sigma_j)$, with $\sigma_i$ the distance from $x_i$ to its $k$-th nearest other
    key, does not change when all lengths are multiplied by a number, and is symmetric, but it need not be positive
    definite."""
    rng = np.random.default_rng(seed)
    x = np.vstack([rng.normal(0, 0.1, (30, 2)), rng.normal(3, 1, (30, 2))])
    found, apart = SelfTuning(7)(x), distances(x, x)
    scale = np.sort(apart, axis=1)[:, 7]
    wide = np.exp(-(apart**2) / np.outer(scale, scale))
    itself = np.sort(apart, axis=1)[:, 6]
    one_sided = np.exp(-(apart**2) / scale[:, None] ** 2)
    yield same("the formula", found, wide, within=1e-12, because="exponents of size 100, each rounded",
               broken=np.exp(-(apart**2) / np.outer(itself, itself)), how="each point counted among its neighbours")
    yield same("in other units", SelfTuning(7)(1000 * x), wide, within=1e-12,
               because="exponents of size 100, each rounded",
               broken=gaussian(1000 * x, 1000 * x, scale.mean()), how="one width for all, in the old unit")
    yield same("symmetry", found, found.T, within=1e-13, because="a product of two roots, each rounded",
               broken=(one_sided, one_sided.T), how="the target's own scale twice")
    least = np.linalg.eigvalsh(found)[0]
    yield at_most("indefinite", least, -1e-3, because="rounding of eigenvalues is 10⁻¹⁴",
                  broken=np.linalg.eigvalsh(gaussian(x, x, scale.mean()))[0], how="a Gaussian of one width")


@claim("K3", kind="counter-example", sources=("loftsgaarden1965", "terrell1992"))
def a_balloon_is_no_density(seed=0):
    r"""With a width for each target the kernel is not symmetric, and the density estimate $k/(2n\,d_k(x^*))$ of $k$
    nearest neighbours on a line does not integrate: each tenfold of the range adds nearly the same, $(k/n)\log 10$."""
    x = np.sort(np.random.default_rng(seed).normal(size=40))[:, None]
    kernel, k = Balloon(Flat(1.0), 9), 9
    weights = kernel(x, x)
    farthest = np.sort(distances(x, x), axis=1)[:, k - 1]
    yield same("the kernel", weights, distances(x, x) <= farthest[:, None], because="it is one or zero",
               broken=distances(x, x) <= np.sort(distances(x, x), axis=1)[:, [k]], how="one neighbour more")
    yield at_least("not symmetric", abs(weights - weights.T).max(), 1, because="it is one or zero",
                   broken=abs(gaussian(x, x, 1.0) - gaussian(x, x, 1.0).T).max(), how="one width for all")
    places = np.linspace(-4, 4, 81)[:, None]
    reach = np.sort(distances(places, x), axis=1)[:, k - 1]
    yield same("the estimate", kernel_density(places, x, kernel=kernel), k / (2 * 40 * reach), relative=1e-8,
               because="quadrature of the mass", broken=k / (2 * 40 * reach**2), how="an area in place of a length")

    flat = (distances(places, x) <= 0.5).sum(1) / (2 * 0.5 * 40)
    yield same("one width", kernel_density(places, x, kernel=Flat(0.5)), flat, relative=1e-8,
               because="quadrature of the mass", broken=k / (2 * 40 * reach), how="a width for each target")

    # Right of all keys the width grows as fast as the place, with the k-th key from the right as its origin.
    ends = np.array([1e2, 1e3, 1e4, 1e5])
    grown = [mass_between(*pair, x, kernel) for pair in pairwise(ends)]
    closed = [sum(np.log((b - end) / (a - end)) for end in (x[-k, 0], -x[k - 1, 0])) * k / 80
              for a, b in pairwise(ends)]
    bounded = [mass_between(*pair, x, SamplePoint(Gaussian(0.5), clip=3.0)) for pair in pairwise(ends)]
    yield same("each tenfold of the range", grown, closed, relative=1e-6, because="quadrature on 2,000 places",
               broken=bounded, how="a width for each key, whose estimate is a density")


def mass_between(a, b, keys, kernel):
    """Return the integral of a density estimate over [a, b] and [−b, −a], by Simpson's rule in log |x|."""
    from scipy.integrate import simpson

    t = np.linspace(np.log(a), np.log(b), 2001)
    return sum(simpson(kernel_density(sign * np.exp(t)[:, None], keys, kernel=kernel) * np.exp(t), x=t)
               for sign in (1, -1))


@claim("K4", kind="identity", sources=("goldberger2004", "weinberger2007"))
def a_metric_is_a_map(seed=0):
    r"""A Gaussian of the Mahalanobis distance with the matrix $A^\mathsf{T}A$ is a Gaussian of the mapped points $Ax$;
    the leave-one-out loss of the local mean has the slope $-A\sum_{ij}B_{ij}(x_i-x_j)(x_i-x_j)^\mathsf{T}$ in $A$,
    which for the share of the own class is that of neighbourhood components analysis."""
    rng = np.random.default_rng(seed)
    x, y, matrix = rng.normal(size=(120, 3)), rng.normal(size=120), rng.normal(size=(2, 3))
    labels = (rng.random(120) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(int)
    differences = x[:, None] - x
    square = np.einsum("ijk,kl,ijl->ij", differences, matrix.T @ matrix, differences)
    yield same("the kernel", Metric(Gaussian(0.8), matrix)(x), np.exp(-square / (2 * 0.8**2)), within=1e-13,
               because="exponents of size 100, each rounded",
               broken=gaussian(x, x, 0.8), how="no map")

    hot = np.eye(2)[labels]
    for name, values, loss in (("squared error", y[:, None], "squared"), ("own class", hot, "accuracy")):
        slope = lm.adaptive.leave_one_out_slope(matrix, x, values, loss=loss)[1]
        yield same(f"the slope, {name}", slope, slope_by_differences(matrix, x, values, loss), within=1e-6,
                   because="a difference of losses of size 100 over 10⁻⁵",
                   broken=slope_by_differences(matrix, x, values, loss, hollow=False), how="each point in its own mean")
    share = alone(square)
    own = labels[:, None] == labels
    right = np.sum(share * own, axis=1)
    pull = np.einsum("ij,ijk,ijl->kl", share * (right[:, None] - own), differences, differences)
    yield same("neighbourhood components", -lm.adaptive.leave_one_out_slope(matrix, x, hot, loss="accuracy")[1],
               matrix @ pull, within=1e-9, because="sums of 14,000 terms of size one",
               broken=matrix @ np.einsum("ij,ijk,ijl->kl", -share * own, differences, differences),
               how="the attraction alone, without the repulsion")

    some = rng.normal(size=(300, 2))
    which = (rng.random(300) < 1 / (1 + np.exp(-2 * some[:, 0]))).astype(int)
    start = np.eye(2) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = NeighborhoodComponentsAnalysis(init=start, max_iter=200, tol=1e-7).fit(some, which).components_
        ours = LearnedMetric(loss="accuracy", init=np.sqrt(2) * start, max_iter=60, tol=1e-6).fit(some, which)
    begin = np.sqrt(2) * start
    level, steep = (lm.adaptive.leave_one_out_slope(part, some, np.eye(2)[which], loss="accuracy")[1]
                    for part in (np.sqrt(2) * theirs, begin))
    yield same("the loss", ours.loss_, own_class_loss(ours.components_, some, which), within=1e-12,
               because="sums of 300 terms",
               broken=own_class_loss(begin, some, which), how="the map where the search began")
    yield same("the slope where scikit-learn ends", level, np.zeros((2, 2)), within=0.1,
               because="its search stops when a step gains nothing any more; the loss is of size 100",
               broken=steep, how="the map where the search began")
    probes = some[:20] / np.linalg.norm(ours.components_)  # so near that no weight vanishes, however large the map is
    mapped = probes @ ours.components_.T
    yield same("its kernel", ours.kernel_(probes), gaussian(mapped, mapped, 1.0), within=1e-12,
               because="exponents of size ten, each rounded", broken=gaussian(probes, probes, 1.0), how="no map")
    yield same("the transformed points", ours.transform(some), some @ ours.components_.T, within=1e-10,
               because="two products", broken=some, how="no map")


def alone(square):
    """Return softmax weights of −d²/2 without the diagonal."""
    score = -square / 2
    np.fill_diagonal(score, -np.inf)
    return softmax(score, axis=1)


def loss_by_matrix(matrix, x, values, loss, hollow=True):
    """Return the leave-one-out loss from the matrix of all weights."""
    square = distances(x @ matrix.T, x @ matrix.T) ** 2
    share = alone(square) if hollow else softmax(-square / 2, axis=1)
    mean = share @ values
    return np.sum((values - mean) ** 2) if loss == "squared" else np.sum(1 - np.sum(values * mean, axis=1))


def slope_by_differences(matrix, x, values, loss, hollow=True, step=1e-5):
    """Return the slope of the loss in the matrix by central differences."""
    slope = np.zeros_like(matrix)
    for index in np.ndindex(matrix.shape):
        shift = np.zeros_like(matrix)
        shift[index] = step
        up, down = (loss_by_matrix(matrix + sign * shift, x, values, loss, hollow) for sign in (1, -1))
        slope[index] = (up - down) / (2 * step)
    return slope


def own_class_loss(matrix, x, labels):
    """Return one minus the mean share of the own class."""
    return loss_by_matrix(matrix, x, np.eye(labels.max() + 1)[labels], "accuracy") / len(x)


@claim("K5", kind="identity", sources=("eckart1936",))
def a_positive_kernel_is_attention(seed=0):
    r"""Any matrix $K > 0$ is an attention kernel, $K_{ij} = e^{q_i\cdot k_j}$, with a head as large as the rank of
    $\log K$, at most its lesser side; for a Gaussian of $d$ features that is at most $d + 2$."""
    rng = np.random.default_rng(seed)
    x, values = rng.normal(size=(30, 2)), rng.normal(size=30)
    cauchy, normal = 1 / (1 + distances(x, x) ** 2), gaussian(x, x, 1.0)
    sizes = (("Cauchy", cauchy, 30, 4, "the head of a Gaussian, d + 2"),
             ("Gaussian", normal, 4, np.linalg.matrix_rank(normal), "the rank of K in place of that of log K"))
    for name, weights, rank, other, how in sizes:
        found = attention_factors(weights)
        less = attention_factors(weights, rank=2)
        yield same(f"the size of the head, {name}", found.query.shape[1], rank, because="it is a count",
                   broken=other, how=how)
        yield same(f"the kernel, {name}", Exponential(1.0)(found.query, found.keys), weights, relative=1e-11,
                   because="exponents of size ten, from a factorisation with rounding 10⁻¹³",
                   broken=np.exp(less.query @ less.keys.T), how="a head of size two")
        mean = lm.local_mean(found.query, found.keys, values, kernel=Exponential(1.0))
        yield same(f"the local mean, {name}", mean, averages(weights) @ values, within=1e-10,
                   because="weights with that error", broken=averages(np.exp(less.query @ less.keys.T)) @ values,
                   how="a head of size two")


@claim("K6", kind="counter-example")
def learning_without_leaving_out_learns_nothing(seed=0):
    r"""If no two inputs coincide, the best kernel for the error in the sample is the one that remembers,
    $\tilde K = I$, whatever the data; the hollow kernel, that leaves each point out of its own mean, has no such
    optimum."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(size=(40, 2)), rng.normal(size=40)
    start = mixture([Metric(Gaussian(0.3), np.eye(2)), Gaussian(1.0)])
    yield same("the mixture", start(x), gaussian(x, x, 0.3) + gaussian(x, x, 1.0), within=1e-13,
               because="two exponentials, each rounded", broken=gaussian(x, x, 0.3) * gaussian(x, x, 1.0),
               how="a product instead of a sum")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = learn_kernel(x, y, kernel=Gaussian(0.3), max_iter=8)
    yield same("one width", one.loss, error_of(gaussian(x, x, one.kernel.bandwidth), y, True), within=1e-9,
               because="sums of 40 terms", broken=error_of(gaussian(x, x, 0.3), y, True),
               how="the width from which it began")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        remembered = learn_kernel(x, y, kernel=start, hollow=False, max_iter=40)
        learned = learn_kernel(x, y, kernel=start, max_iter=12)
    inside, outside = (mixture_error(found.kernel, x, y, hollow) for found, hollow in ((remembered, False),
                                                                                      (learned, True)))
    begin = mixture_error(start, x, y, True)
    yield same("the error in the sample", remembered.loss, inside, within=1e-9, because="sums of 40 terms",
               broken=mixture_error(start, x, y, False), how="the kernel before it learned")
    yield same("the error without oneself", learned.loss, outside, within=1e-9, because="sums of 40 terms",
               broken=begin, how="the kernel before it learned")
    yield at_most("it remembers", remembered.loss, 0.02 * y.var(),
                  because="a fiftieth of the variance; the search is stopped after 40 steps",
                  broken=outside, how="a hollow kernel")
    weights = lm.local_weights(x, x, kernel=remembered.kernel)
    yield at_least("each its own mean", weights.diagonal(), 0.5, because="half of the weight is the majority",
                   broken=averages(gaussian(x, x, 0.3)).diagonal(), how="the width from which it began")


def mixture_error(kernel, x, y, hollow):
    """Return the squared error of w₁ exp(−‖Aδ‖²/2h₁²) + w₂ exp(−‖δ‖²/2h₂²), written out with NumPy."""
    known = kernel.get_params()
    mapped = x @ known["metric__matrix"].T
    weights = (known["metric__factor"] * gaussian(mapped, mapped, known["metric__kernel__bandwidth"])
               + known["gaussian__factor"] * gaussian(x, x, known["gaussian__bandwidth"]))
    return error_of(weights, y, hollow)


def error_of(weights, y, hollow):
    """Return the squared error of means by a matrix of weights, without oneself if `hollow`."""
    if hollow:
        weights = weights - np.diag(weights.diagonal())
    return np.mean((y - averages(weights) @ y) ** 2)


@claim("K7", kind=("identity", "counter-example"), sources=("sinkhorn1967", "milanfar2013b", "cohen1966"))
def a_balanced_kernel_keeps_the_mean(seed=0):
    r"""For a symmetric positive definite $K > 0$ Sinkhorn's $W = DKD$ is symmetric with all sums one, has its
    eigenvalues in $[0, 1]$ and keeps the mean of the values; $\tilde K$ is neither symmetric nor keeps the mean of all
    values, unless the rows of $K$ have one sum."""
    # Crowded at zero and thin at three, where nobody is alone yet: the scaling of one far from all is ill-conditioned.
    x = 3 * np.random.default_rng(seed).uniform(size=(60, 1)) ** 2
    values, kernel = np.sin(3 * x[:, 0]), gaussian(x, x, 0.5)
    found = sinkhorn(x, kernel=Gaussian(0.5))
    rows = columns = np.ones(60)
    for _ in range(3000):
        rows = 1 / (kernel @ columns)
        columns = 1 / (kernel @ rows)
    balanced = rows[:, None] * kernel * columns
    ours = found.scale[:, None] * kernel * found.scale
    stochastic = averages(kernel)
    yield same("the matrix", ours, balanced, within=1e-6,
               because="sums that are one to 10⁻⁹, and ways that differ by 10³ times as much",
               broken=stochastic, how="division by row sums alone")
    yield same("the smooth", found.mean(values), balanced @ values, within=1e-6,
               because="sums that are one to 10⁻⁹, and ways that differ by 10³ times as much",
               broken=stochastic @ values, how="division by row sums alone")
    yield same("its columns", ours.sum(0), 1, within=1e-8, because="it stops at 10⁻⁹",
               broken=stochastic.sum(0), how="division by row sums alone")
    spectrum = np.linalg.eigvalsh((ours + ours.T) / 2)
    flat = sinkhorn(x, kernel=Flat(0.5)).scale
    indefinite = np.linalg.eigvalsh(flat[:, None] * (distances(x, x) <= 0.5) * flat)
    yield same("its spectrum", spectrum, np.clip(spectrum, 0, 1), within=1e-8, because="it stops at 10⁻⁹",
               broken=(indefinite, np.clip(indefinite, 0, 1)),
               how="a flat kernel, which is indefinite")
    yield same("the mean", found.mean(values).mean(), values.mean(), within=1e-8, because="it stops at 10⁻⁹",
               broken=(stochastic @ values).mean(), how="division by row sums alone")


@claim("K8", kind=("identity", "counter-example"),
       sources=("lin2006", "meinshausen2006", "friedberg2021", "friedman2001"))
def a_forest_is_a_kernel(seed=0):
    r"""The prediction of a forest whose trees answer with the means of their leaves is the local mean under its leaf
    kernel, bootstrap counts included; a quantile regression forest and a local linear forest without its ridge are the
    local quantile and line under the same kernel. Trees boosted for the squared error have no such kernel: they are
    linear in the targets once their leaves are fixed, but with weights that may be negative."""
    patients, progress = datasets.diabetes()
    mixed = np.random.default_rng(seed).permutation(442)
    x, y, asked = patients[mixed[:300]], progress[mixed[:300]], patients[mixed[300:]]
    forests = {"random forest": RandomForestRegressor(50, min_samples_leaf=5, random_state=seed),
               "extra trees": ExtraTreesRegressor(50, min_samples_leaf=3, random_state=seed)}
    for name, forest in forests.items():
        kernel = ForestKernel(forest.fit(x, y))
        others = same_leaves(forest, asked, x)
        yield same(name, lm.local_mean(asked, x, y, kernel=kernel), forest.predict(asked), relative=1e-12,
                   because="sums of 300 terms", broken=averages(others) @ y,
                   how="the share of trees in which two points meet, whatever the leaf holds")
    forest = forests["random forest"]
    kernel, weights = ForestKernel(forest), forest_weights(forest, asked, x)
    model = lm.LocalMeanRegressor(kernel).fit(x, y)
    once = forest_weights(forest, asked, x, counted=False)
    yield same("bootstrap counts", kernel(asked, x), weights, within=1e-15, because="sums of 50 shares",
               broken=once, how="every patient counted once, drawn or not")
    yield same("as an estimator", model.predict(asked), weights @ y, relative=1e-12, because="sums of 300 terms",
               broken=once @ y, how="every patient counted once, drawn or not")

    digits = datasets.digits()
    some = np.random.default_rng(seed).permutation(1797)[:700]
    known, new = digits.x[some[:500]], digits.x[some[500:]]
    classifier = RandomForestClassifier(30, random_state=seed).fit(known, digits.y[some[:500]])
    vote = lm.LocalClassifier(ForestKernel(classifier)).fit(known, digits.y[some[:500]])
    theirs = classifier.predict_proba(new)
    clear = np.diff(np.sort(theirs, axis=1)[:, -2:], axis=1)[:, 0] > 1e-9  # ties fall as rounding has it
    yield same("labels", vote.predict(new)[clear], classifier.predict(new)[clear],
               because="labels are equal or they are not",
               broken=np.full(clear.sum(), np.bincount(digits.y).argmax()), how="the commonest digit for all")
    yield same("classes", vote.predict_proba(new), theirs, within=1e-12, because="sums of 500 terms",
               broken=averages(same_leaves(classifier, new, known)) @ np.eye(10)[digits.y[some[:500]]],
               how="the share of trees in which two points meet")

    rank = np.argsort(y)
    reached = weights[:, rank].cumsum(1) >= 0.9 - 1e-12
    yield same("quantiles", lm.local_quantile(asked, x, y, 0.9, kernel=kernel), y[rank][reached.argmax(1)],
               because="a quantile is one of the values",
               broken=np.quantile(y, 0.9) * np.ones(len(asked)), how="the quantile of all patients")
    few = RandomForestRegressor(50, min_samples_leaf=15, random_state=seed).fit(x[:, 2:4], y)
    line = lm.LocalPolynomialRegressor(1, ForestKernel(few)).fit(x[:, 2:4], y)
    shares = forest_weights(few, asked[:20, 2:4], x[:, 2:4])
    refits = [LinearRegression().fit(x[:, 2:4], y, row).predict(point[None])[0]
              for row, point in zip(shares, asked[:20, 2:4], strict=True)]
    yield same("lines", line.predict(asked[:20, 2:4]), refits, relative=1e-8,
               because="two solvers of one least-squares problem",
               broken=shares @ y, how="a local constant instead of a line")

    boosted = GradientBoostingRegressor(n_estimators=60, random_state=seed).fit(x, y)
    signed = boosted_weights(boosted, asked, x)
    yield same("boosted trees are linear", signed @ y, boosted.predict(asked), relative=1e-10,
               because="60 products of matrices", broken=averages(np.maximum(signed, 0)) @ y,
               how="negative weights set to zero")
    yield at_most("their weights are negative", signed.min(1), -1e-4,
                  because="rounding is 10⁻¹⁶, and a mean weight is 1/300",
                  broken=weights.min(1), how="the weights of a random forest")


@claim("K9", kind="identity", sources=("ribeiro2016",))
def an_explanation_is_the_trick_around_one_target(seed=0):
    r"""LIME, a ridge regression of a model's answers to perturbed inputs, weighted by their nearness to one target, is
    the localization trick applied to ridge regression with the perturbed inputs as keys."""
    tumours = datasets.breast_cancer()
    forest = RandomForestClassifier(30, min_samples_leaf=5, random_state=seed).fit(tumours.x, tumours.y)
    target = tumours.x[[np.random.default_rng(seed).integers(569)]]
    inputs = target + np.random.default_rng(seed).normal(size=(400, 30))
    answers = forest.predict_proba(inputs)[:, 1]
    local = lm.Localized(Ridge(alpha=1.0), kernel=Gaussian(4.0)).fit(inputs, answers)
    weights = gaussian(target, inputs, 4.0)[0]
    weights = weights / weights.max()
    _, slopes = weighted_ridge(inputs, answers, weights, 1.0, target[0])
    plain = weighted_ridge(inputs, answers, np.ones(400), 1.0, target[0])
    others = np.vstack([target, inputs[:2]])
    near = gaussian(others, inputs, 4.0)
    fits, flat = ([weighted_ridge(inputs, answers, row / row.max(), 1.0, at)[0]
                   for row, at in zip(rows, others, strict=True)] for rows in (near, np.ones_like(near)))
    yield same("the prediction", local.predict(others), fits, within=1e-9, because="two solvers of 31 equations",
               broken=flat, how="equal weights")
    yield same("the explanation", local.local_estimators(target)[0].coef_, slopes, within=1e-9,
               because="two solvers of 31 equations", broken=plain[1], how="equal weights")
    gradient = lm.local_polynomial(target, inputs, answers, kernel=Gaussian(4.0), degree=1).gradient[0]
    yield same("without a penalty", gradient, weighted_ridge(inputs, answers, weights, 0.0, target[0])[1], within=1e-8,
               because="two solvers of 31 equations", broken=slopes, how="a penalty")


def weighted_ridge(x, y, weights, penalty, at):
    """Return value and slopes of Σ wᵢ (yᵢ − a − b·(xᵢ − x*))² + α‖b‖² at its minimum, by the normal equations."""
    design = np.column_stack([np.ones(len(x)), x - at])
    matrix = design.T @ (weights[:, None] * design) + penalty * np.diag([0.0] + [1.0] * x.shape[1])
    found = np.linalg.solve(matrix, design.T @ (weights * y))
    return found[0], found[1:]
