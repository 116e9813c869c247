"""What the page on local means checks: a claim is a function, its docstring the sentence, its parts the evidence.

Weights on the right-hand sides are formulas written out below, and minimisers are found by search
(`locmethods.companion.expected.losses`), so that the two sides share no code.
"""

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from sklearn.neighbors import KNeighborsRegressor
from statsmodels.nonparametric.kernel_regression import KernelReg

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected import losses
from locmethods.kernels import Epanechnikov, Gaussian, NearestNeighbors

BANDWIDTH, RADIUS, NEIGHBOURS = 120.0, 300.0, 60  # francs, francs, households
NEAR = Gaussian(BANDWIDTH)


@claim("A1", kind="identity", sources=("nadaraya1964", "watson1964"))
def the_mean_is_least_squares(seed=0):
    r"""The local mean alone minimises the localized squared loss $\sum_i w_i (y_i - \theta)^2$; the least value divided
    by $\sum_i w_i$ is the local variance, and sums over disjoint blocks of keys add up to the sums over all.

    The weights come from formulas, the minimiser from a QR factorisation of their roots, for a kernel that never ends,
    one of compact support and one of ranks. Two libraries that know the local mean under other names are asked too.
    """
    at, x, y = households(seed)
    keys = x[:, None]
    kernels = {"Gaussian": NEAR, "Epanechnikov": Epanechnikov(RADIUS), "nearest": NearestNeighbors(NEIGHBOURS)}
    formulas = {"Gaussian": bell(at, x), "Epanechnikov": parabola(at, x), "nearest": box(at, x, NEIGHBOURS)}
    gap = np.abs(at - x)
    slips = {"Gaussian": (np.exp(-((gap / BANDWIDTH) ** 2)), "exp(−u²), the factor ½ forgotten"),
             "Epanechnikov": (np.clip(1 - gap / RADIUS, 0, None), "1 − |u|, the square forgotten"),
             "nearest": (box(at, x, NEIGHBOURS - 1), "ranks counted from one, so that the last neighbour is lost")}
    rounding = "two hundred additions of numbers of order one, and a QR factorisation"
    for name, kernel in kernels.items():
        place, least = losses.least_squares(y, formulas[name])
        slip, how = slips[name]
        yield same(f"place, {name}", lm.local_mean(at, keys, y, kernel=kernel), place, within=1e-12, because=rounding,
                   broken=slip @ y / slip.sum(1), how=how)
        yield same(f"least value, {name}", lm.local_moments(at, keys, y, kernel=kernel).covariance, least, within=1e-12,
                   because=rounding, broken=lm.local_mean(at, keys, (y - y.mean()) ** 2, kernel=kernel),
                   how="the spread about the mean of all households")
        yield same(f"weights, {name}", lm.local_weights(at, keys, kernel=kernel), shares(formulas[name]), within=1e-14,
                   because="a quotient of numbers of at most one", broken=shares(slip), how=how)

    blocks = np.array_split(np.random.default_rng(seed).permutation(len(x)), 4)
    pieces = [lm.local_sum(at, keys[rows], y[rows], kernel=NEAR) for rows in blocks]
    whole = sum(pieces[1:], pieces[0])
    weights = bell(at, x)
    yield same("merged numerators", whole.numerator, weights @ y, relative=1e-12, because=rounding,
               broken=np.mean([piece.numerator for piece in pieces], 0), how="the blocks' sums averaged")
    yield same("merged blocks", whole.mean(), weights @ y / weights.sum(1), within=1e-12, because=rounding,
               broken=np.mean([piece.mean() for piece in pieces], 0),
               how="the blocks' means averaged, their normalisers forgotten")

    constant, line = (KernelReg(y, x, "c", reg_type=degree, bw=[BANDWIDTH], rng=seed).fit(at)[0]
                      for degree in ("lc", "ll"))
    yield same("statsmodels", lm.local_mean(at, keys, y, kernel=NEAR), constant, within=1e-12, because=rounding,
               broken=line, how="its local line in place of its local constant")
    alike, inverse = (KNeighborsRegressor(NEIGHBOURS, weights=how).fit(keys, y).predict(at)
                      for how in ("uniform", "distance"))
    yield same("scikit-learn", lm.local_mean(at, keys, y, kernel=NearestNeighbors(NEIGHBOURS)), alike, within=1e-14,
               because="a mean of sixty numbers of order one", broken=inverse,
               how="neighbours weighted by the inverse of their distance")


@claim("A2", kind=("identity", "counter-example"), sources=("banerjee2005",))
def bregman_losses_share_one_minimiser(seed=0):
    r"""For every strictly convex, differentiable $\varphi$ the localized loss $\sum_i \tilde w_i B(y_i, \theta)$ of its
    Bregman divergence $B$ exceeds its least value by $B(m, \theta)$, so that the local mean $m$ alone is its minimiser;
    with its arguments swapped, or a line in the constant's place, the minimiser depends on the divergence.

    Five divergences are minimised by a search that knows their values only.
    """
    at, x, y = households(seed)
    keys, weights = x[:, None], bell(at, x)
    mean = lm.local_mean(at, keys, y, kernel=NEAR)
    median = losses.best_of(lambda v, theta: np.abs(v - theta), y, weights)
    search = "a search by values finds a minimum to about √ε = 1.5e-8; ten times that is allowed"
    swapped = {name: losses.minimiser(lambda v, theta, name=name: losses.divergence(name, theta, v), y, weights)
               for name in losses.BREGMAN}
    for name in losses.BREGMAN:
        found = losses.minimiser(lambda v, theta, name=name: losses.divergence(name, v, theta), y, weights)
        symmetric = name == "squared"  # it has no wrong order: another loss must serve
        yield same(f"in order, {name}", mean, found, within=2e-7, because=search,
                   broken=(mean, median) if symmetric else (mean, swapped[name]),
                   how="|y − θ|, which is no Bregman divergence" if symmetric else "the arguments swapped")

    other = mean * np.random.default_rng(seed).uniform(1.2, 1.5, len(mean))  # a θ that is not the mean
    pairs = shares(weights)
    for name in losses.BREGMAN:
        excess = pairs_mean(pairs, losses.divergence(name, y, other[:, None])
                            - losses.divergence(name, y, mean[:, None]))
        absolute = pairs_mean(pairs, np.abs(y - other[:, None]) - np.abs(y - mean[:, None]))
        yield same(f"excess, {name}", losses.divergence(name, mean, other), excess, within=1e-12,
                   because="two hundred additions of numbers of order one", broken=(np.abs(mean - other), absolute),
                   how="|y − θ|, which is no Bregman divergence")

    quasi_arithmetic = {"Kullback–Leibler": np.exp(lm.local_mean(at, keys, np.log(y), kernel=NEAR)),  # geometric
                        "Itakura–Saito": 1 / lm.local_mean(at, keys, 1 / y, kernel=NEAR),  # harmonic
                        "exponential": np.log(lm.local_mean(at, keys, np.exp(y), kernel=NEAR)),
                        "cubic": np.sqrt(lm.local_mean(at, keys, y**2, kernel=NEAR))}
    for name, answer in quasi_arithmetic.items():
        yield same(f"swapped, {name}", answer, swapped[name], within=2e-7, because=search, broken=mean,
                   how="the arguments in order")

    # Beyond a constant: a line in the income, in thousand francs so that both parameters are of order one.
    wide, income = Gaussian(0.3), x / 1000
    places = at[:, 0] / 1000
    squared = lm.LocalPolynomialRegressor(degree=1, kernel=wide).fit(income[:, None], y).predict(places[:, None])
    theta = lm.localize(itakura_saito_of_a_line, kernel=wide, initial=[y.mean(), 0.0])(
        places[:, None], income[:, None], y)
    ratio = theta[:, 0] + theta[:, 1] * places
    nearby = bell(places[:, None], income, 0.3)
    yield same("line, squared", squared, least_squares_line(places, income, y, nearby), within=1e-11,
               because="a QR factorisation of two columns of condition below a hundred",
               broken=nearby @ y / nearby.sum(1), how="a constant in place of the line")
    yield same("line, Itakura–Saito", ratio, searched_line(places, income, y, nearby), within=1e-6,
               because="a simplex search by values ends at about √ε in each of two parameters",
               broken=squared, how="the squared loss in its place")
    yield at_least("lines differ", np.abs(ratio - squared).max(), 1e-4,
                   because="a hundred times what the search for either line may miss",
                   broken=np.ptp([losses.minimiser(lambda v, t, name=name: losses.divergence(name, v, t), y, nearby)
                                  for name in ("squared", "Itakura–Saito")], axis=0).max(),
                   how="a constant in place of the line")


@claim("A3", kind="identity", sources=("koenker1978", "tibshirani1987", "chen2016"))
def each_loss_has_its_statistic(seed=0):
    r"""The localized pinball loss is minimised by the local quantile, the 0–1 loss by the vote, cross-entropy by the
    local frequencies, a negative kernel $-K_v(y, \theta)$ by the mode of the local density, and the Gaussian negative
    log-likelihood by the local mean and variance together.

    Every observed value is tried for a quantile, every label for the vote; the rest is searched for.
    """
    at, x, y = households(seed)
    keys, weights = x[:, None], bell(at, x)
    median = lm.local_quantile(at, keys, y, 0.5, kernel=NEAR)
    exact = "every observed value is tried, so the answers are the same numbers or they are not"
    mean, variance = lm.local_moments(at, keys, y, kernel=NEAR)
    yield same("median", median, losses.best_of(lambda v, theta: np.abs(v - theta), y, weights), because=exact,
               broken=mean, how="the squared loss in place of the absolute")
    for q in (0.1, 0.9):
        found = losses.best_of(lambda v, theta, q=q: losses.pinball(v, theta, q), y, weights)
        mirror = losses.best_of(lambda v, theta, q=q: losses.pinball(v, theta, 1 - q), y, weights)
        yield same(f"{q} quantile", lm.local_quantile(at, keys, y, q, kernel=NEAR), found, because=exact,
                   broken=mirror, how="the two slopes of the pinball exchanged")

    codes = np.digitize(1000 * y / x, [0.55, 0.7])  # the share of the income that goes to food: low, middle, high
    hot = np.eye(3)[codes]
    yield same("vote", lm.local_mode(at, keys, codes, kernel=NEAR), losses.best_label(codes, weights),
               because="labels are equal or they are not",
               broken=np.full(len(at), np.bincount(codes).argmax()), how="every household's vote counted alike")
    logits = losses.smallest(lambda theta: losses.cross_entropy(codes, theta), np.zeros(3), weights)
    yield same("frequencies", lm.local_mean(at, keys, hot, kernel=NEAR), losses.softmax(logits), within=1e-6,
               because="a quasi-Newton search on difference quotients ends at about 1e-6",
               broken=np.tile(hot.mean(0), (len(at), 1)), how="every household's vote counted alike")

    peak = lm.local_mode(at, keys, y, kernel=NEAR, value_kernel=Gaussian(0.06))
    yield same("mode", peak, densest(y, weights, 0.06), within=1e-6,
               because="a search by values finds a maximum to about √ε = 1.5e-8 of the values' range",
               broken=median, how="the median in the mode's place")
    start = np.array([y.mean(), np.log(y.var())])
    together = losses.smallest(lambda theta: losses.gaussian_nll(y, theta[0], np.exp(theta[1])), start, weights)
    yield same("mean of the pair", mean, together[:, 0], within=1e-6,
               because="a quasi-Newton search on difference quotients ends at about 1e-6",
               broken=median, how="the median in the mean's place")
    yield same("variance of the pair", variance, np.exp(together[:, 1]), within=1e-6,
               because="a quasi-Newton search on difference quotients ends at about 1e-6",
               broken=np.sqrt(variance), how="the standard deviation in the variance's place")


@claim("A4", kind=("identity", "counter-example"), sources=("osband1985", "gneiting2011", "fissler2016"))
def a_variance_is_of_pairs(seed=0):
    r"""The local variance is $\tfrac12 \sum_{ij} \tilde w_i \tilde w_j (y_i - y_j)^2$, a mean over pairs with the
    product of two weights; no loss of one datum and $\theta$ is minimised by it alone, for two targets of one local
    variance can have a third between them, whose local distribution is their even mixture, with another variance.

    Were the variance the only minimiser of a loss that is weighted once for each datum, then what minimises the loss
    at both targets would minimise it, alone, for their mixture.
    """
    at, x, y = households(seed)
    weights, square = shares(bell(at, x)), (y[:, None] - y) ** 2
    yield same("pairs", lm.local_moments(at, x[:, None], y, kernel=NEAR).covariance,
               0.5 * np.einsum("qi,qj,ij->q", weights, weights, square), within=1e-12,
               because="40,000 additions of numbers that sum to order one",
               broken=0.5 * weights @ square.mean(1), how="pairs that are weighted at one end only")

    spread = np.random.default_rng(seed).normal(size=20)
    keys, values = np.repeat([[0.0], [1.0]], 20, axis=0), np.concatenate([spread, spread + 3])
    left, middle, right = lm.local_moments([[0.0], [0.5], [1.0]], keys, values, kernel=Gaussian(0.05)).covariance
    plain = np.mean((spread - np.mean(spread)) ** 2)
    rounding = "forty additions of numbers of order ten; the far group weighs exp(−200)"
    yield same("targets of one variance", [left, right], plain, within=1e-12, because=rounding,
               broken=plain * 20 / 19, how="the divisor n − 1 of a sample's variance")
    yield same("their mixture", middle, plain + (3 / 2) ** 2, within=1e-12, because=rounding,
               broken=(left + right) / 2, how="what every minimiser of a loss of one datum would give")


@claim("A5", kind="counter-example", sources=("huber1964", "donoho1983"))
def the_median_breaks_at_half_the_weight(seed=0):
    r"""A value that moves away takes the local mean along, by its weight times its way and without bound; the local
    median stays within the other values while outliers hold less than half of the *local weight*, and is an outlier
    once those on one side hold more.

    The outliers stand at the keys nearest to the target, so that a few of them hold much of its weight.
    """
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, 200))
    y = np.exp(np.sin(2 * np.pi * x) + 0.3 * rng.normal(size=200))
    near, keys = Gaussian(0.05), x[:, None]
    here = rng.uniform(0.3, 0.7, (1, 1))
    weight = shares(bell(here, x, 0.05))[0]
    closest = np.argsort(np.abs(x - here[0, 0]))

    sizes = 10.0 ** np.arange(1, 7)
    spoiled = [with_outliers(y, closest[:1], size) for size in sizes]
    means, medians, upper = (np.array([statistic(values) for values in spoiled]) for statistic in (
        lambda values: lm.local_mean(here, keys, values, kernel=near)[0],
        lambda values: lm.local_quantile(here, keys, values, 0.5, kernel=near)[0],
        lambda values: lm.local_quantile(here, keys, values, 0.9, kernel=near)[0]))
    shift = means - lm.local_mean(here, keys, y, kernel=near)[0]
    bad = closest[0]
    yield same("pull on the mean", shift, weight[bad] * (sizes - y[bad]), within=1e-13, relative=1e-12,
               because="two hundred additions, whose largest term is the outlier's",
               broken=medians - medians[0], how="the median in the mean's place")
    tried = [losses.best_of(lambda v, theta: np.abs(v - theta), values, weight[None])[0] for values in spoiled]
    yield same("median under one outlier", medians, tried,
               because="every value is tried, so the answers are the same numbers or they are not",
               broken=upper, how="the 0.9 quantile in the median's place")

    share = np.cumsum(weight[closest])  # what the 1, 2, 3, … nearest keys hold
    fewer = np.flatnonzero(share < 0.97)
    answers = {q: np.array([lm.local_quantile(here, keys, with_outliers(y, closest[:count + 1], 1e6), q, kernel=near)[0]
                            for count in fewer]) for q in (0.5, 0.9)}
    yield same("broken median", answers[0.5] == 1e6, share[fewer] > 0.5,
               because="the median is an outlier or it is not",
               broken=answers[0.9] == 1e6, how="the 0.9 quantile in the median's place, which breaks at a tenth")
    held = share[fewer] < 0.5
    yield at_most("median within the others", answers[0.5][held], y.max(), because="it is one of the values",
                  broken=answers[0.5][~held], how="outliers that hold more than half of the weight")


@claim("A15", kind=("identity", "order"), sources=("kish1965",))
def drawing_costs_the_root_of_the_draws(seed=0):
    r"""The mean of the values of $M$ keys drawn with probabilities $\tilde w_i$ has the local variance over $M$ as its
    variance; where the curve is flat and the noise is even, it misses the local mean, in root mean square, by
    $\sqrt{(n_{\text{eff}} - 1)/M}$ times the local mean's own error, $n_{\text{eff}} = 1/\sum_i \tilde w_i^2$, whatever
    the noise.
    """
    rng = np.random.default_rng(seed)
    _, x, y = households(seed)
    here, keys = np.array([[1000.0]]), x[:, None]
    weight, formula = lm.local_weights(here, keys, kernel=NEAR)[0], shares(bell(here, x))[0]
    centre, variance = (statistic[0] for statistic in lm.local_moments(here, keys, y, kernel=NEAR))
    every_pair = formula[:, None] * ((y[:, None] + y) / 2 - formula @ y) ** 2 * formula
    yield same("all pairs", variance / 2, every_pair.sum(), within=1e-14,
               because="the mean of M = 2 draws, every pair enumerated: 40,000 additions that sum to below one",
               broken=(variance / 2, np.triu(every_pair).sum()), how="each pair counted in one order only")

    draws, repeats = np.array([10, 30, 100, 300]), 2000
    scatter = 1 / np.sqrt(2 * repeats)  # of a deviation measured on so many repeats, relative
    measured = np.array([np.sqrt(np.mean((y[rng.choice(len(x), (repeats, count), p=weight)].mean(1) - centre) ** 2))
                         for count in draws])
    single = np.array([np.sqrt(np.mean((y[rng.choice(len(x), repeats, p=weight)] - centre) ** 2)) for _ in draws])
    yield same("deviation", measured * np.sqrt(draws / variance), 1.0, within=5 * scatter,
               because="a deviation measured on 2,000 repeats scatters by 1/√4000; five times that is allowed",
               broken=single * np.sqrt(draws / variance), how="one draw used M times")
    logs = np.log(draws) - np.log(draws).mean()
    yield order("rate", draws, measured, -0.5, within=5 * scatter / np.sqrt(logs @ logs),
                because="the slope through points of that scatter, five times its own deviation",
                broken=single, how="one draw used M times")

    count, columns, noises = 300, 4000, (0.01, 1.0, 100.0)
    ratios = []
    for noise in noises:
        values = 5 + noise * rng.normal(size=(len(x), columns))
        mean = lm.local_mean(here, keys, values, kernel=NEAR)[0]
        picks = rng.choice(len(x), (columns, count), p=weight)
        drawn = values[picks, np.arange(columns)[:, None]].mean(1)
        ratios.append(np.sqrt(np.mean((drawn - mean) ** 2) / np.mean((mean - 5) ** 2)))
    effective = 1 / (formula**2).sum()
    yield same("beside its own error", ratios, np.sqrt((effective - 1) / count), relative=5 / np.sqrt(columns),
               because="a ratio of two deviations on 4,000 repeats scatters by 1/√4000; five times that is allowed",
               broken=(ratios, np.full(len(noises), np.sqrt((len(x) - 1) / count))),
               how="all keys counted in place of the effective number")


def households(seed):
    """Return 9 incomes to ask at, (9, 1), and incomes (francs) and food (thousand francs) of 200 of the households.

    No two have one income, so that ranks are without ties; one income that is asked for is high, where most households
    spend a low share on food.
    """
    rng, (income, food) = np.random.default_rng(seed), datasets.engel()
    distinct = np.unique(income, return_index=True)[1]
    chosen = rng.permutation(distinct)[:200]
    at = np.sort(np.append(rng.uniform(450, 2000, 8), rng.uniform(1780, 1880)))
    return at[:, None], income[chosen], food[chosen] / 1000


def bell(at, x, h=BANDWIDTH):
    """Return exp(−½(x* − x)²/h²), of shape (n_at, n); `at` of shape (n_at, 1)."""
    return np.exp(-0.5 * ((at - x) / h) ** 2)


def parabola(at, x):
    """Return 1 − u² within the radius and zero beyond, of shape (n_at, n)."""
    return np.clip(1 - ((at - x) / RADIUS) ** 2, 0, None)


def box(at, x, k):
    """Return one for the k nearest of each row and zero for the rest, of shape (n_at, n)."""
    ranks = np.argsort(np.argsort(np.abs(at - x), axis=1, kind="stable"), axis=1)
    return (ranks < k).astype(float)


def shares(weights):
    """Return weights divided by their row sums."""
    return weights / weights.sum(1, keepdims=True)


def pairs_mean(weights, values):
    """Return Σᵢ w(q, i) v(q, i), of shape (n_queries,)."""
    return (weights * values).sum(1)


def itakura_saito_of_a_line(x, y, theta):
    """Return B(y, θ₀ + θ₁x) of the Itakura–Saito divergence, of tensors."""
    ratio = y / (theta[0] + theta[1] * x[0])
    return ratio - ratio.log() - 1


def least_squares_line(at, x, y, weights):
    """Return the local line at its target, of shape (n_at,), by a least-squares solve for each row of weights."""
    design = np.column_stack([np.ones_like(x), x])
    fits = [np.linalg.lstsq(root[:, None] * design, root * y, rcond=None)[0] for root in np.sqrt(weights)]
    return np.array([fit @ [1, place] for fit, place in zip(fits, at, strict=True)])


def searched_line(at, x, y, weights):
    """Return the Itakura–Saito line at its target, of shape (n_at,), by a simplex search for each row of weights."""
    def loss(theta, weight, place):
        line = theta[0] + theta[1] * (x - place)
        return weight @ losses.divergence("Itakura–Saito", y, line) / weight.sum() if line.min() > 0 else np.inf

    return np.array([minimize(loss, [y.mean(), 0.0], args=(weight, place), method="Nelder-Mead",
                              options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 1000}).x[0]
                     for weight, place in zip(weights, at, strict=True)])


def densest(values, weights, h):
    """Return where Σᵢ wᵢ exp(−½(v − vᵢ)²/h²) is largest, for each row of weights: on a grid, then nearby."""
    grid = np.linspace(values.min(), values.max(), 2001)
    step = grid[1] - grid[0]
    tops = grid[(weights @ bell(values[:, None], grid, h)).argmax(1)]
    return np.array([minimize_scalar(lambda v, w=weight: -w @ bell(values, v, h), bounds=(top - step, top + step),
                                     method="bounded", options={"xatol": 1e-12}).x
                     for weight, top in zip(weights, tops, strict=True)])


def with_outliers(values, places, size):
    """Return a copy of the values with those at some places moved to `size`."""
    moved = values.copy()
    moved[places] = size
    return moved
