"""What the page on the width checks: what a bandwidth costs and buys, how to choose it, and where each way fails."""

import warnings

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from statsmodels.nonparametric.kernel_regression import KernelReg
from statsmodels.nonparametric.smoothers_lowess import lowess

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.checking.evidence import slope
from locmethods.companion.expected.weights import averages, gaussian
from locmethods.display import LeaveOneOutDisplay, LocalFitDisplay
from locmethods.kernels import (
    Balloon,
    Categorical,
    Cauchy,
    Columns,
    Epanechnikov,
    Flat,
    Gaussian,
    NearestNeighbors,
    Ordered,
    Tricube,
    per_feature,
)
from locmethods.lazy import floored


def sample(seed, n=60):
    """Return inputs on [0, 1], sorted, a noisy wave over them, and the generator."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, n))[:, None]
    return x, np.sin(6 * x[:, 0]) + 0.3 * rng.normal(size=n), rng


def line_rows(query, keys, weights):
    """Return the rows l(x*) of a local line in one feature: w̃ᵢ (1 + (x* − x̄)(xᵢ − x̄)/s²), x̄ and s² the window's."""
    share = averages(weights)
    centre = share @ keys
    steps = keys.T - centre
    return share * (1 + (query - centre) * steps / (share * steps**2).sum(1, keepdims=True))


# ---- what a width buys: less noise ---------------------------------------------------------------------------------


@claim("X1", kind="identity", sources=("kish1965", "loader1999"))
def weights_count_for_fewer(seed=0):
    r"""For fixed keys and values with independent noise of variances $\sigma_i^2$ the local mean has the variance
    $\sum_i\tilde w_i^2\sigma_i^2$, which for one variance is $\sigma^2/n_{\mathrm{eff}}$ with
    $n_{\mathrm{eff}} = 1/\sum_i\tilde w_i^2$; the standard error of any linear smoother is computed from its rows in
    the same way."""
    x, y, rng = sample(seed, 80)
    query, near = np.linspace(0.1, 0.9, 5)[:, None], Gaussian(0.08)
    weights = averages(gaussian(query, x, 0.08))
    yield same("effective sample size", lm.effective_sample_size(query, x, kernel=near), 1 / (weights**2).sum(1),
               relative=1e-12, because="sums of eighty terms, rounded",
               broken=gaussian(query, x, 0.08).sum(1), how="the plain sum of the weights K")

    noise = np.where(x[:, 0] < 0.5, 0.1, 0.4)  # a quiet half and a loud one
    alone = rng.normal(size=(80, 4000))
    # Each is made of the draws of five neighbours, with the same variance as before.
    shared = np.sqrt(5) * np.mean([np.roll(alone, step, axis=0) for step in range(5)], axis=0)
    found, neighbours = (
        lm.local_mean(query, x, np.sin(6 * x) + noise[:, None] * draws, kernel=near).var(axis=1, ddof=1)
        for draws in (alone, shared))
    yield same("repeated samples", found, weights**2 @ noise**2,
               relative=0.12, because="5.3 standard errors √(2/4000) of a variance over 4,000 samples",
               broken=neighbours, how="noise that neighbours share")

    own = gaussian(x, x, 0.08)
    for name, model, rows, matrix in (
            ("mean", lm.LocalMeanRegressor(near), weights, averages(own)),
            ("line", lm.LocalPolynomialRegressor(1, near), line_rows(query, x, gaussian(query, x, 0.08)),
             line_rows(x, x, own))):
        value, error = model.fit(x, y).predict(query, return_std=True)
        left = np.eye(80) - matrix
        variance = np.sum((left @ y) ** 2) / np.sum(left**2)
        yield same(f"fit, {name}", value, rows @ y, within=1e-10, because="two routes to sums of eighty terms",
                   broken=rows @ y[::-1], how="values in the opposite order of their keys")
        shown = LocalFitDisplay.from_estimator(model, n_points=5, ax=Figure().subplots())
        across = np.linspace(x[0], x[-1], 5)
        drawn = gaussian(across, x, 0.08)
        drawn = averages(drawn) if name == "mean" else line_rows(across, x, drawn)
        yield same(f"band that is drawn, {name}", shown.std, np.sqrt(variance * (drawn**2).sum(1)), relative=1e-9,
                   because="two routes to sums of 80² terms",
                   broken=np.sqrt(np.mean((left @ y) ** 2) * (drawn**2).sum(1)),
                   how="the plain mean of squared residuals, which the fit has made smaller")
        yield same(f"standard error, {name}", error, np.sqrt(variance * (rows**2).sum(1)),
                   relative=1e-9, because="two routes to sums of 80² terms",
                   broken=np.sqrt(np.mean((left @ y) ** 2) * (rows**2).sum(1)),
                   how="the plain mean of squared residuals, which the fit has made smaller")


@claim("B8", kind=("limit", "order"), sources=("stone1980", "wand1995"))
def variance_to_the_constant(seed=0):
    r"""At an interior point where the density $f$ of the inputs is positive and continuous, $n h\sum_i \tilde w_i^2$ of
    a local mean with a bounded kernel of compact support tends to $R(k)/f$ as $h \to 0$ and $nh \to \infty$, and for
    evenly spaced keys and noisy values of a function with two continuous derivatives, the second of which is not zero
    at the target, the risk at the best $h$ for each $n$ falls like $n^{-4/5}$."""
    n, target, widths = 40_000, np.array([[0.6]]), np.array([0.16, 0.08, 0.04, 0.02])
    keys = norm.ppf((np.arange(n) + 0.5) / n)[:, None]  # the population of a normal distribution
    rows = [lm.smoother_matrix(target, keys, kernel=Epanechnikov(h))[0] for h in widths]
    squares = np.array([row @ row for row in rows])
    fixed = [np.sum(lm.local_weights(target, keys, kernel=NearestNeighbors(400)) ** 2) for _ in widths]
    boxes = np.array([np.sum(lm.smoother_matrix(target, keys, kernel=Flat(h)) ** 2) for h in widths])
    yield order("variance", widths, squares, -1, within=0.02,
                because="the density bends by a share of h² in the window", broken=fixed,
                how="four hundred nearest neighbours, whatever the width")
    yield same("constant", n * widths[-1] * squares[-1], 0.6 / norm.pdf(0.6), relative=1e-3,
               because="f″h² is 2e-4 of f, and the window holds 500 keys",
               broken=n * widths[-1] * boxes[-1], how="the flat kernel, whose roughness is ½")

    sizes, tried = np.array([1000, 2000, 4000, 8000]), np.geomspace(0.02, 0.3, 60)
    risk = np.array([[wave_risk(size, h) for h in tried] for size in sizes])
    yield order("best risk", sizes, risk.min(1), -0.8, within=0.02,
                because="sixty widths are close enough for a flat minimum, and the bias has a term of order h⁴",
                broken=risk[:, -1], how="one width for every sample size")


def wave_risk(n, h):
    """Return squared bias and variance of the local mean of a noisy wave at 0.3, for n equally spaced keys."""
    keys = ((np.arange(n) + 0.5) / n)[:, None]
    row = lm.smoother_matrix(np.array([[0.3]]), keys, kernel=Epanechnikov(h))[0]
    return (row @ np.sin(6 * keys[:, 0]) - np.sin(1.8)) ** 2 + 0.25 * row @ row


@claim("B12", kind=("monotone", "limit"), sources=("hastie1990",))
def degrees_of_freedom_fall(seed=0):
    r"""The degrees of freedom $\operatorname{tr} S$ of a Gaussian local mean of $n$ distinct keys fall, as $h$ grows,
    from $n$ to 1; those of a local line run from $n$ to the number of its coefficients, and on sixty random keys of
    the line they fall as well."""
    x, _, _ = sample(seed)
    widths = np.geomspace(0.01, 20, 20)
    found = {p: np.array([lm.degrees_of_freedom(x, kernel=Gaussian(h), degree=p) for h in widths]) for p in (0, 1)}
    matrices = {0: [averages(gaussian(x, x, h)) for h in widths],
                1: [line_rows(x, x, gaussian(x, x, h)) for h in widths]}
    for p, name in ((0, "mean"), (1, "line")):
        traces, norms = (np.array([measure(matrix) for matrix in matrices[p]])
                         for measure in (np.trace, lambda matrix: np.sum(matrix**2)))
        left = 60 - 2 * traces + norms  # tr (I − S)ᵀ(I − S)
        yield same(f"trace, {name}", found[p], traces, within=1e-6,
                   because="sixty diagonal entries; windows of the narrowest lines have a condition of 10⁸",
                   broken=norms, how="tr SSᵀ in place of tr S")
        yield at_most(f"falls, {name}", found[p][1:], found[p][:-1], within=1e-9,
                      because="rounding of traces of order 60", broken=(left[1:], left[:-1]),
                      how="the degrees of freedom of the residuals in their place")
        yield same(f"wide, {name}", found[p][-1], p + 1, within=0.01,
                   because="the kernel is one to a part in 800", broken=left[-1],
                   how="the degrees of freedom of the residuals in their place")
    apart = Gaussian(np.diff(x[:, 0]).min() / 10)
    narrow = lm.degrees_of_freedom(x, kernel=apart)
    twice = lm.degrees_of_freedom(np.concatenate([x, x[:20]]), kernel=apart)
    yield same("narrow", narrow, 60, within=1e-12, because="the nearest two keys are ten widths apart: exp(−50)",
               broken=(twice, 80), how="keys of which twenty stand twice")


# ---- what a width costs: bias --------------------------------------------------------------------------------------


@claim("B6", kind="order", sources=("fan1992", "ruppert1994"))
def interior_bias(seed=0):
    r"""Where $m$ has two continuous derivatives, the density $f$ is positive with a continuous derivative, and the
    kernel is symmetric with a second moment $\mu_2$ and falls fast enough, the bias in the interior is
    $\mu_2h^2(m''/2 + m'f'/f)$ for the local mean and $\mu_2h^2m''/2$ for the local line, up to $o(h^2)$."""
    n, at, widths = 20_000, 0.6, np.array([0.16, 0.08, 0.04, 0.02])
    keys = norm.ppf((np.arange(n) + 0.5) / n)[:, None]
    even = np.linspace(-4, 4, n)[:, None]
    mean, line, heavy = (population_bias(keys, at, kind, widths, p)
                         for kind, p in ((Gaussian, 0), (Gaussian, 1), (Cauchy, 0)))
    for name, bias in (("mean", mean), ("line", line)):
        yield order(f"order, {name}", widths, bias, 2, within=0.05, because="the next term is of order h⁴",
                    broken=heavy, how="Cauchy's kernel, which has no second moment")
    # m = sin at 0.6, and f′/f = −x for the normal density.
    drift, bend = -0.6 * np.cos(at), -np.sin(at) / 2
    last = widths[-1] ** 2
    yield same("constant, mean", mean[-1] / last, drift + bend, relative=2e-3, because="the next term is of order h²",
               broken=population_bias(even, at, Gaussian, widths, 0)[-1] / last, how="inputs of an even density")
    yield same("constant, line", line[-1] / last, bend, relative=2e-3, because="the next term is of order h²",
               broken=mean[-1] / last, how="the local mean, which feels the slope of the density")


def population_bias(keys, at, kind, widths, degree):
    """Return the bias of local fits of a sine at one point, with the keys as the population."""
    target, values = np.array([[at]]), np.sin(keys[:, 0])
    return np.array([lm.local_polynomial(target, keys, values, kernel=kind(h), degree=degree).value[0]
                     for h in widths]) - np.sin(at)


@claim("B7", kind=("order", "counter-example"), sources=("fan1992", "fan1996"))
def boundary_bias(seed=0):
    r"""At the end of a uniform design, with Epanechnikov's kernel of radius $h$, the local mean has the bias
    $\tfrac38h\,m'$ to first order, and the local line $-\tfrac{11}{95}h^2\,m''/2$: a line's bias is of order $h^2$ at
    the edge as well, and not zero."""
    keys = ((np.arange(20_000) + 0.5) / 20_000)[:, None]
    values = 5 + 2 * keys[:, 0] - 3 * keys[:, 0] ** 2  # m′(0) = 2, m″ = −6
    widths = np.array([0.2, 0.1, 0.05, 0.025])
    mean, line, middle = (np.array([
        lm.local_polynomial([[at]], keys, values, kernel=Epanechnikov(h), degree=p).value[0] for h in widths])
        - (5 + 2 * at - 3 * at**2) for at, p in ((0.0, 0), (0.0, 1), (0.5, 0)))
    fine = "20,000 keys stand for the integral, 500 of them in the narrowest window"
    # Over [0, h] with the weight 1 − t²/h² the means of t and t² are 3h/8 and h²/5, for this m exactly.
    yield same("mean", mean, 2 * 3 / 8 * widths - 3 * widths**2 / 5, relative=1e-3, because=fine,
               broken=middle, how="a target in the middle")
    yield same("line", line, 33 / 95 * widths**2, relative=1e-3, because=fine,
               broken=mean, how="the local mean in its place")
    yield order("order, mean", widths, mean, 1, within=0.1, because="the second term is a share 0.8·h of the first",
                broken=middle, how="a target in the middle")
    yield order("order, line", widths, line, 2, within=0.01, because="for a quadratic there is no further term",
                broken=mean, how="the local mean in its place")


# ---- the balance, and the curse of dimension -----------------------------------------------------------------------

NOISE = 0.5  # of the values, below
SIDES = {1: (300, 600, 1200, 2400), 2: (32, 45, 64, 90), 3: (12, 16, 22, 30)}  # of lattices of similar size


@claim("X2", kind="order", sources=("stone1980", "ruppert1994"))
def the_balance_in_several_dimensions(seed=0):
    r"""For a regression with two continuous derivatives, at an interior point of $d$ features where its Laplacian is
    not zero, with inputs of an even density and noise of one variance, squared bias is of order $h^4$ and variance of
    order $1/(nh^d)$, so that the best $h$ falls like $n^{-1/(4+d)}$, the risk like $n^{-4/(4+d)}$, and
    squared bias is $d/4$ of the variance there; measured for $d = 1, 2, 3$."""
    for d, sides in SIDES.items():
        widths = np.array([0.06, 0.08, 0.1, 0.12])
        bias, share = np.transpose([at_the_centre(lattice(sides[-1], d), Gaussian(h)) for h in widths])
        heavy = [at_the_centre(lattice(sides[-1], d), Cauchy(h))[0] for h in widths]
        ranks = [at_the_centre(lattice(sides[-1], d), NearestNeighbors(50))[1] for _ in widths]
        yield order(f"bias, d = {d}", widths, bias, 2, within=0.01,
                    because="the cube cuts 4e-4 of the second moment off",
                    broken=heavy, how="Cauchy's kernel, which has no second moment")
        yield order(f"variance, d = {d}", widths, share, -d, within=0.01, because="sums over a lattice for integrals",
                    broken=ranks, how="fifty nearest neighbours, whatever the width")
        n = np.array(sides) ** d
        best, risk = np.transpose([best_width(lattice(side, d), 2) for side in sides])
        wrong, worse = np.transpose([best_width(lattice(side, d), 1) for side in sides])
        yield order(f"best width, d = {d}", n, best, -1 / (4 + d), within=0.01,
                    because="the cube cuts 4e-4 of the second moment off",
                    broken=wrong, how="the bias itself added to the variance, instead of its square")
        yield order(f"risk, d = {d}", n, risk, -4 / (4 + d), within=0.01,
                    because="the cube cuts 4e-4 of the second moment off",
                    broken=worse, how="the bias itself added to the variance, instead of its square")
        found, mistaken = (at_the_centre(lattice(sides[-1], d), Gaussian(h)) for h in (best[-1], wrong[-1]))
        balance, off = (bias**2 / (NOISE**2 * share) for bias, share in (found, mistaken))
        yield same(f"bias² over variance, d = {d}", balance, d / 4, relative=0.03,
                   because="the width is found to 1e-3, and the quotient goes with its (4 + d)-th power",
                   broken=off, how="the bias itself added to the variance, instead of its square")
        # m = ‖x − centre‖²: the bias is d·h², the variance NOISE²/(n (2√π h)^d).
        exact = (NOISE**2 / (4 * d * n * (2 * np.sqrt(np.pi)) ** d)) ** (1 / (4 + d))
        yield same(f"its constant, d = {d}", best, exact, relative=0.01, because="sums over a lattice for integrals",
                   broken=wrong, how="the bias itself added to the variance, instead of its square")


def lattice(side, d):
    """Return the side^d midpoints of equal cells of the unit cube."""
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(*[line] * d), -1).reshape(-1, d)


def at_the_centre(keys, kernel):
    """Return bias and Σ w̃² of the local mean of m = ‖x − centre‖² at the centre."""
    centre = np.full((1, keys.shape[1]), 0.5)
    bias = lm.local_mean(centre, keys, ((keys - centre) ** 2).sum(1), kernel=kernel)[0]
    return bias, 1 / lm.effective_sample_size(centre, keys, kernel=kernel)[0]


def best_width(keys, power):
    """Return the width at which |bias|^power + NOISE²·Σ w̃² is least, and that least number."""
    def risk(log_width):
        bias, share = at_the_centre(keys, Gaussian(np.exp(log_width)))
        return bias**power + NOISE**2 * share

    found = minimize_scalar(risk, bounds=(np.log(0.02), np.log(0.3)), method="bounded", options={"xatol": 1e-3})
    return np.exp(found.x), found.fun


@claim("X4", kind=("limit", "counter-example"), sources=("stone1980", "hastie2009"))
def the_curse_of_dimension(seed=0):
    r"""For a risk $r$ a local mean needs a number of keys that grows like $r^{-(4+d)/4}$ as $r \to 0$, under the
    conditions of X2; and a cube that holds a hundredth of a uniform sample has sides of $0.01^{1/d}$ of the range,
    which for $d = 10$ is more than six tenths."""
    for d, sides in SIDES.items():
        keys = [lattice(side, d) for side in sides]
        needed, mistaken = (slope([best_width(one, power)[1] for one in keys], [len(one) for one in keys])
                            for power in (2, 1))
        yield same(f"keys for a risk, d = {d}", needed, -(4 + d) / 4, within=0.03,
                   because="the cube cuts 4e-4 of the second moment off, and the exponent magnifies it",
                   broken=mistaken, how="the bias itself added to the variance, instead of its square")

    points = np.random.default_rng(seed).uniform(size=(50_000, 10))
    held, thin = [], []
    for d in (1, 2, 5, 10):
        for found, side in ((held, 0.01 ** (1 / d)), (thin, 0.01)):
            window = per_feature(Flat, [side / 2] * d)
            found.append(lm.effective_sample_size(np.full((1, d), 0.5), points[:, :d], kernel=window)[0] / len(points))
    yield same("a hundredth", held, 0.01, within=2.5e-3, because="5.6 standard errors of a share of 50,000 points",
               broken=thin, how="the side that holds a hundredth of a line")


# ---- scores, rules and searches ------------------------------------------------------------------------------------


@claim("D5", kind="identity", sources=("craven1979", "hastie1990"))
def leave_one_out_is_free(seed=0):
    r"""For local means and local lines whose kernel depends on the pair alone, and for kernel ridge, with
    $\hat y = Sy$ and $S_{ii} < 1$, the residual of a fit without the $i$-th datum is $(y_i - \hat y_i)/(1 - S_{ii})$;
    for a local mean or line that fit is the one of the hollow kernel."""
    chosen = np.random.default_rng(seed).permutation(442)[:60]
    patients, progress = (part[chosen] for part in datasets.diabetes())
    v, gram = progress - progress.mean(), gaussian(patients, patients, 3.0)
    wide = Gaussian(3.0)
    smoothers = {"mean": lm.smoother_matrix(patients, patients, kernel=wide),
                 "line": lm.smoother_matrix(patients, patients, kernel=wide, degree=1),
                 "ridge": np.linalg.solve(gram + 0.5 * np.eye(60), gram)}
    refits = {"mean": [], "line": [], "ridge": []}
    for i in range(60):
        keys, values, target = np.delete(patients, i, 0), np.delete(v, i), patients[i:i + 1]
        weight = gaussian(target, keys, 3.0)[0]
        refits["mean"].append(v[i] - np.average(values, weights=weight))
        refits["line"].append(v[i] - LinearRegression().fit(keys, values, weight).predict(target)[0])
        refits["ridge"].append(v[i] - KernelRidge(alpha=0.5, kernel="rbf", gamma=1 / 18).fit(keys, values)
                               .predict(target)[0])
    for name, S in smoothers.items():
        yield same(name, (v - S @ v) / (1 - np.diag(S)), refits[name], within=1e-6,
                   because="residuals of order 100 over the smallest 1 − S_ii, and solves with ten features",
                   broken=v - S @ v, how="each patient's own value in its fit")
    for p, name in ((0, "mean"), (1, "line")):
        hollow = lm.local_polynomial(patients, patients, v, kernel=wide.hollow(), degree=p).value
        full = lm.local_polynomial(patients, patients, v, kernel=wide, degree=p).value
        yield same(f"hollow, {name}", v - hollow, refits[name], within=1e-6, because="solves with ten features",
                   broken=v - full, how="each patient's own value in its fit")


@claim("X3", kind="identity", sources=("craven1979", "hastie1990", "hurvich1998"))
def three_scores_of_one_matrix(seed=0):
    r"""Leave-one-out, generalised cross-validation and the corrected AIC of a local mean or line are
    $\tfrac1n\sum(y_i-\hat y_{-i})^2$, $\tfrac1n\sum(y_i-\hat y_i)^2/(1-\operatorname{tr}S/n)^2$ and
    $\log\hat\sigma^2 + 1 + 2(\operatorname{tr}S+1)/(n-\operatorname{tr}S-2)$, and the width that is chosen has the
    least score."""
    x, y, _ = sample(seed)
    widths = np.geomspace(0.003, 0.5, 40)
    for degree, name in ((0, "mean"), (1, "line")):
        score = {criterion: lm.cross_validation(x, y, kernel=Gaussian(0.1), degree=degree, criterion=criterion)
                 for criterion in ("loo", "gcv", "aicc")}
        residual, traces, norms = parts_of_a_fit(x, y, 0.1, degree)
        squares = np.mean(residual**2)
        yield same(f"leave-one-out, {name}", score["loo"], without_each(x, y, 0.1, degree), relative=1e-9,
                   because="sixty fits of one or two coefficients", broken=squares, how="each value in its own fit")
        yield same(f"GCV, {name}", score["gcv"], squares / (1 - traces / 60) ** 2, relative=1e-9,
                   because="two routes to one matrix", broken=squares / (1 - norms / 60) ** 2, how="tr SSᵀ for tr S")
        yield same(f"AICc, {name}", score["aicc"], np.log(squares) + 1 + 2 * (traces + 1) / (60 - traces - 2),
                   relative=1e-9, because="two routes to one matrix",
                   broken=np.log(squares) + 1 + 2 * (traces + 1) / 60, how="Akaike's uncorrected penalty")

    found = lm.select_bandwidth(x, y, kernel=Gaussian(), bandwidths=widths)
    slow = [without_each(x, y, h, 0) for h in widths]
    memory = [np.mean(parts_of_a_fit(x, y, h, 0)[0] ** 2) for h in widths]
    yield same("scores of candidates", found.scores, slow, relative=1e-9, because="sixty weighted means a width",
               broken=memory, how="each value in its own fit")
    yield same("choice", found.best, widths[np.argmin(slow)], within=0, because="one of the candidates",
               broken=widths[np.argmin(memory)], how="each value in its own fit")
    shown = LeaveOneOutDisplay.from_estimator(lm.LocalMeanRegressor(Gaussian()).fit(x, y), bandwidths=widths,
                                              ax=Figure().subplots())
    yield same("curve that is drawn", shown.scores, slow, relative=1e-9, because="sixty weighted means a width",
               broken=memory, how="each value in its own fit")
    valley = minimize_scalar(lambda log: without_each(x, y, np.exp(log), 0), method="bounded",
                             bounds=np.log(widths[np.argmin(slow) + np.array([-1, 1])]),
                             options={"xatol": 1e-5})
    searched = lm.select_bandwidth(x, y, kernel=Gaussian())
    yield same("search", searched.best, np.exp(valley.x), relative=1e-3,
               because="the search ends at 1e-4 of the logarithm, where the score is flat",
               broken=widths[np.argmin(memory)], how="each value in its own fit")


def parts_of_a_fit(x, y, h, degree):
    """Return the residuals of a local mean or line, tr S and tr SSᵀ."""
    weights = gaussian(x, x, h)
    S = line_rows(x, x, weights) if degree else averages(weights)
    return y - S @ y, np.trace(S), np.sum(S**2)


def without_each(x, y, h, degree):
    """Return the mean squared error of n fits, each to all but one datum."""
    errors = []
    for i in range(len(y)):
        keys, values, weight = np.delete(x, i, 0), np.delete(y, i), np.delete(gaussian(x[i:i + 1], x, h)[0], i)
        if degree:
            errors.append(y[i] - line_rows(x[i:i + 1], keys, weight[None])[0] @ values)
        else:
            errors.append(y[i] - np.average(values, weights=weight))
    return np.mean(np.square(errors))


@claim("X9", kind=("identity", "counter-example"), sources=("silverman1986", "scott1992", "wand1995", "fan1996"))
def rules_of_thumb(seed=0):
    r"""The normal rule on the line is $\sigma_x\,(8\sqrt\pi\,R(k)/3n)^{1/5}$ for a kernel $k$ of integral and standard
    deviation one, with the lesser of standard deviation and interquartile range over 1.349 for $\sigma_x$; the rule of
    local lines is $(R(k)\,\hat\sigma^2V/(n\,\overline{(\hat m'')^2}))^{1/5}$ with a polynomial of degree four for
    $\hat m$, over an interval of length $V$; for a noisy wave of more than six periods, which no such polynomial
    follows, it is so wide that its leave-one-out error is more than twice the least."""
    x, y, rng = sample(seed, 120)
    spread = min(x.std(ddof=1), np.subtract(*np.percentile(x, [75, 25])) / (2 * norm.ppf(0.75)))
    gauss, parabola = (lm.rule_of_thumb(x, kernel=kernel) for kernel in (Gaussian(), Epanechnikov()))
    # Of standard deviation one: the Gaussian has the roughness 1/2√π, the parabola of radius √5 that of 3/5√5.
    yield same("normal rule", [gauss, parabola],
               [spread * (4 / 3 / 120) ** 0.2,
                np.sqrt(5) * spread * (8 * np.sqrt(np.pi) * 3 / (5 * np.sqrt(5)) / 3 / 120) ** 0.2],
               relative=1e-3, because="1.349 for the quartiles of the normal distribution",
               broken=[gauss, gauss], how="one width for both kernels")
    pilot = np.polynomial.Polynomial.fit(x[:, 0], y, 4)
    noise = np.sum((y - pilot(x[:, 0])) ** 2) / (120 - 5)
    bends = np.mean(pilot.deriv(2)(x[:, 0]) ** 2)
    exact = (noise * np.ptp(x) / (2 * np.sqrt(np.pi)) / 120 / bends) ** 0.2
    yield same("rule of lines", lm.rule_of_thumb(x, y, kernel=Gaussian()), exact, relative=1e-6,
               because="a polynomial of degree four by two solvers", broken=gauss,
               how="the normal rule, which knows no y")

    fast, slow = (np.sin(speed * x[:, 0]) + 0.3 * rng.normal(size=120) for speed in (40, 3))
    excess = [best_error(x, values, lm.rule_of_thumb(x, values, kernel=Gaussian())) for values in (fast, slow)]
    yield at_least("a fast wave", excess[0], 2.0, because="it is more than twice, or it is not",
                   broken=excess[1], how="a slow wave, which the polynomial follows")


def best_error(x, y, h):
    """Return the leave-one-out error of a local line at a width, over the least of all widths."""
    widths = np.geomspace(0.008, 1, 25)
    return without_each(x, y, h, 1) / min(without_each(x, y, width, 1) for width in widths)


@claim("X10", kind="counter-example", sources=("opsomer2001",))
def scores_believe_in_independence(seed=0):
    r"""If every row stands twice, the three scores of a local mean fall all the way to the narrowest width; for a
    wave at 150 keys whose noise has the correlation 0.8 from each to the next, leave-one-out chooses less than half of
    the best width."""
    x, rng = ((np.arange(480) + 0.5) / 480)[:, None], np.random.default_rng(seed)
    y = np.sin(6 * x[:, 0]) + 0.5 * rng.normal(size=480)
    widths = np.array([1e-4, 0.03, 0.1, 0.3])
    twice, once = ({criterion: np.array([lm.cross_validation(rows, values, kernel=Gaussian(h), criterion=criterion)
                                         for h in widths]) for criterion in ("loo", "gcv", "aicc")}
                   for rows, values in ((np.repeat(x, 2, axis=0), np.repeat(y, 2)), (x, y)))
    for criterion, scores in twice.items():
        alone = np.nan_to_num(once[criterion], posinf=1e9)
        yield at_most(criterion, scores[:-1], scores[1:], because="one number is below another",
                      broken=(alone[:-1], alone[1:]), how="rows that stand once")

    keys = np.linspace(0, 1, 150)[:, None]
    wave, noise = np.sin(6 * keys), rng.normal(size=(150, 40))
    chained = np.zeros_like(noise)
    for row in range(150):  # each noise is 0.8 of the last, and news that keep its variance
        chained[row] = 0.8 * chained[row - 1] + 0.6 * noise[row] if row else noise[row]
    chosen, best = np.transpose([chosen_and_best(keys, wave, 0.4 * errors) for errors in (chained, noise)])
    yield at_most("a chain", chosen[0], best[0] / 2, because="it is less than half, or it is not",
                  broken=(chosen[1], best[1] / 2), how="independent noise of the same variance")


def chosen_and_best(x, wave, noise):
    """Return the width that leave-one-out chooses for forty samples together, and that of the least true error."""
    widths = np.geomspace(0.004, 0.3, 30)
    error = [np.mean((averages(gaussian(x, x, h)) @ (wave + noise) - wave) ** 2) for h in widths]
    chosen = lm.select_bandwidth(x, wave + noise, kernel=Gaussian(), bandwidths=widths).best
    return chosen, widths[np.argmin(error)]


# ---- bands ---------------------------------------------------------------------------------------------------------


@claim("X5", kind=("inequality", "counter-example"), sources=("wasserman2006", "loader1999"))
def bands_cover_the_mean_of_the_smoother(seed=0):
    r"""A band of 1.96 standard errors $s$ covers the expectation of a linear smoother in about 95 of 100 samples of
    independent normal noise of one variance, and the truth with probability
    $\Phi(1.96 - b/s) - \Phi(-1.96 - b/s)$ for a bias $b$, or a little more where bias swells the residuals from which
    the noise is estimated: at a crest above evenly spaced keys, 92 of 100 at the width that is best there, where
    $|b| = s/2$, less than half at twice that width, and about 95 again at half of it."""
    x, rng = ((np.arange(200) + 0.5) / 200)[:, None], np.random.default_rng(seed)
    truth, query = (lambda t: np.sin(2 * np.pi * t[:, 0])), np.array([[0.23], [0.25], [0.27]])
    values = truth(x)[:, None] + 0.3 * rng.normal(size=(200, 2000))
    why = "five standard errors of a share of 2,000 samples"
    # The bias of a crest is m″h²/2 = −(2πh)²/2, the variance σ²/(2√π nh).
    best = (0.3**2 / (2 * np.sqrt(np.pi) * 200 * (2 * np.pi) ** 4)) ** 0.2
    covers = {}
    for times in (2.0, 1.0, 0.5):
        h = times * best
        fit, error = lm.LocalMeanRegressor(Gaussian(h)).fit(x, values).predict(query, return_std=True)
        weights = averages(gaussian(query, x, h))
        centre, exact = weights @ truth(x), 0.3 * np.sqrt((weights**2).sum(1))
        naive = np.mean(np.abs(fit - centre[:, None]) <= 1.96 * 0.3 / np.sqrt(200), axis=1)
        yield same(f"its mean, {times} × best", np.mean(np.abs(fit - centre[:, None]) <= 1.96 * error, axis=1), 0.95,
                   within=0.03, because=f"{why}, and a noise that bias makes some percent larger",
                   broken=naive, how="the error σ/√n of a mean of all")
        covers[times] = np.mean(np.abs(fit - truth(query)[:, None]) <= 1.96 * error, axis=1)
        shift = (centre - truth(query)) / exact
        left = np.eye(200) - averages(gaussian(x, x, h))
        swollen = 1.96 * np.sqrt(1 + np.sum((left @ truth(x)) ** 2) / (0.3**2 * np.sum(left**2)))
        yield same(f"the truth, {times} × best", covers[times], norm.cdf(swollen - shift) - norm.cdf(-swollen - shift),
                   within=0.056, because=why, broken=naive, how="the error σ/√n of a mean of all")
    even = ((np.arange(20_000) + 0.5) / 20_000)[:, None]
    crest = np.array([[0.25]])
    bias = 1 - lm.local_mean(crest, even, truth(even), kernel=Gaussian(best))[0]
    noise = 0.3 * np.sqrt(100 / lm.effective_sample_size(crest, even, kernel=Gaussian(best))[0])
    wide = 1 - lm.local_mean(crest, even, truth(even), kernel=Gaussian(2 * best))[0]
    yield same("half of it", bias / noise, 0.5, within=0.02, because="the next term is a share (2πh)²/4 of the bias",
               broken=wide / noise, how="twice the best width")
    yield same("at the best width", norm.cdf(1.96 - 0.5) - norm.cdf(-1.96 - 0.5), 0.92, within=5e-3,
               because="a number of two digits", broken=norm.cdf(1.96) - norm.cdf(-1.96), how="the bias left out")
    yield at_most("missed", covers[2.0], 0.5, because="it is less than half, or it is not",
                  broken=covers[0.5], how="a quarter of the width")
    yield at_least("repaired", covers[0.5], 0.92, because="0.948, less five standard errors of a share of 2,000",
                   broken=covers[2.0], how="four times the width")


# ---- one width for each target, and columns that are no numbers ----------------------------------------------------


@claim("X8", kind="identity", sources=("cleveland1979", "terrell1992"))
def one_width_for_each_target(seed=0):
    r"""With the distance to the $q$-th nearest key as its radius, the tricube kernel's local line is lowess without its
    robust steps, at every target whose neighbours are distinct; each window holds $q$ keys, where one radius for all
    holds few in some places and many in others."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.exponential(size=(150, 1)), axis=0)
    y = np.sqrt(x[:, 0]) + 0.2 * rng.normal(size=150)
    kernel = Balloon(Tricube(1.0), 30)
    apart = np.abs(x - x.T)
    reach = np.sort(apart, axis=1)[:, 29:30]
    weights = np.maximum(0, 1 - (apart / reach) ** 3) ** 3
    one = np.maximum(0, 1 - (apart / 0.5) ** 3) ** 3
    yield same("weights", lm.local_weights(x, x, kernel=kernel), averages(weights), within=1e-12,
               because="a cube of a cube, rounded", broken=averages(one), how="one radius for all targets")
    line = lm.LocalPolynomialRegressor(1, kernel).fit(x, y).predict(x)
    fixed = lm.LocalPolynomialRegressor(1, Tricube(0.5)).fit(x, y).predict(x)
    theirs = lowess(y, x[:, 0], frac=30 / 150, it=0, delta=0.0, return_sorted=False)
    yield same("one radius", lm.local_weights(x, x, kernel=Tricube(0.5)), averages(one), within=1e-12,
               because="a cube of a cube, rounded", broken=averages(weights), how="a radius for each target")
    yield same("lowess", line, theirs, within=1e-6,
               because="its edge is at 0.999 of the radius, where the weight is below 1e-7",
               broken=fixed, how="one radius for all targets")
    held, unequal = lm.effective_sample_size(x, x, kernel=Balloon(Flat(1.0), 30)), (apart <= 0.5).sum(1)
    yield same("keys in a window", held, 30, within=1e-9, because="a mean of thirty",
               broken=unequal, how="one radius for all targets")


@claim("X6", kind=("identity", "limit"), sources=("aitchison1976", "racine2004"))
def levels_run_from_cells_to_the_pool(seed=0):
    r"""Under Aitchison and Aitken's kernel of $c$ levels the local mean is the mean of the cell at $\lambda = 0$ and
    the mean of all at $\lambda = (c-1)/c$, under Li and Racine's $\lambda^{|x - x^*|}$ at 0 and at 1; products of them
    with kernels of numbers localize a frame of mixed columns."""
    frame, y = mixed_frame(seed)
    numbers = frame[["length", "height"]]
    two = lm.LocalMeanRegressor({"length": Gaussian(0.4), "height": Gaussian(1.0)}).fit(numbers, y).predict(numbers)
    plain = numbers.to_numpy()
    weights = gaussian(plain[:, :1], plain[:, :1], 0.4) * gaussian(plain[:, 1:], plain[:, 1:], 1.0)
    swapped = gaussian(plain[:, :1], plain[:, :1], 1.0) * gaussian(plain[:, 1:], plain[:, 1:], 0.4)
    yield same("columns of numbers", two, averages(weights) @ y, within=1e-12, because="sums of ninety terms",
               broken=averages(swapped) @ y, how="each column's width given to the other")
    written = Columns(length=Gaussian(0.4), height=Gaussian(1.0))(plain, plain)
    yield same("a kernel by columns", written, weights, within=1e-12, because="one product of two numbers below one",
               broken=swapped, how="each column's width given to the other")

    differs = (frame["town"].to_numpy()[:, None] != frame["town"].to_numpy()).astype(float)
    grades = frame["grade"].cat.codes.to_numpy()
    steps = np.abs(grades[:, None] - grades)
    near = np.where(differs, 0.3 / 2, 0.7)
    for name, kernel, exact, how, wrong in (
            ("names", {"town": Categorical(0.3)}, near, "λ instead of λ/(c − 1) for each other level",
             np.where(differs, 0.3, 0.7)),
            ("grades", {"grade": Ordered(0.4)}, 0.4**steps, "names in place of grades", np.where(steps, 0.4, 1.0)),
            ("mixed", {"town": Categorical(0.3), "grade": Ordered(0.4), "length": Gaussian(0.4)},
             near * 0.4**steps * gaussian(plain[:, :1], plain[:, :1], 0.4), "the names left out",
             0.4**steps * gaussian(plain[:, :1], plain[:, :1], 0.4))):
        others = {column: None for column in frame.columns if column not in kernel}
        fit = lm.LocalMeanRegressor(kernel | others).fit(frame, y).predict(frame)
        yield same(name, fit, averages(exact) @ y, within=1e-12, because="sums of ninety terms",
                   broken=averages(wrong) @ y, how=how)

    cells = {column: y.groupby(frame[column], observed=True).transform("mean") for column in ("town", "grade")}
    for column, kind, most in (("town", Categorical, 2 / 3), ("grade", Ordered, 1.0)):
        others = {name: None for name in frame.columns if name != column}
        ends = [lm.LocalMeanRegressor({column: kind(share)} | others).fit(frame, y).predict(frame)
                for share in (0.0, most)]
        yield same(f"{column} alone", ends[0], cells[column], within=1e-12, because="a mean of thirty",
                   broken=ends[1], how="all levels counted alike")
        yield same(f"{column} pooled", ends[1], y.mean(), within=1e-12, because="a mean of ninety",
                   broken=cells[column], how="the means of the cells")


def mixed_frame(seed, n=90):
    """Return a frame of two numbers, a name and a grade, and values that depend on all of them."""
    rng = np.random.default_rng(seed)
    town, grade = rng.permutation(np.arange(n) % 3), rng.permutation(np.arange(n) % 4)
    frame = pd.DataFrame({"length": rng.normal(size=n), "height": rng.normal(size=n),
                          "town": np.array(["Bonn", "Jena", "Ulm"])[town],
                          "grade": pd.Categorical.from_codes(grade, ["bad", "fair", "good", "best"], ordered=True)})
    return frame, frame["length"] + frame["height"] ** 2 + town + grade / 2 + 0.3 * rng.normal(size=n)


@claim("X7", kind="identity", sources=("racine2004", "hurvich1998"))
def the_same_as_statsmodels(seed=0):
    r"""Statsmodels' `KernelReg` is the same estimator: for numbers, names and grades its fit, its leave-one-out score
    and its AICc are those of the local mean, and the width that it chooses is the same to its optimiser's
    tolerance, in the valley of the score in which that ends."""
    x, y, _ = sample(seed)
    theirs = KernelReg(y, x, "c", reg_type="lc", bw=[0.1], rng=0)
    # Its simplex knows no bounds, and for a Gaussian a width and its negative are the same.
    chosen = np.abs(KernelReg(y, x, "c", reg_type="lc", bw="cv_ls", rng=0).bw)
    frame, price = mixed_frame(seed)
    coded = np.column_stack([frame["length"], frame["town"].astype("category").cat.codes, frame["grade"].cat.codes])
    # Up to a factor of the target the kernel of names is 1 and λ′ = λ/((c − 1)(1 − λ)); theirs has λ′.
    mixed = KernelReg(price.to_numpy(), coded, "cuo", reg_type="lc", bw=[0.4, 0.15 / 0.7, 0.4], rng=0,
                      ukertype="aitchison_aitken_reg", okertype="wangryzin_reg")
    ours = Gaussian(0.1)
    yield same("fit", lm.LocalMeanRegressor(ours).fit(x, y).predict(x), theirs.fit(x)[0], within=1e-12,
               because="sums of sixty terms", broken=theirs.fit(x + 0.05)[0], how="targets half a width away")
    yield same("leave-one-out", lm.cross_validation(x, y, kernel=ours),
               theirs.cv_loo(np.array([0.1]), theirs.est["lc"])[0], relative=1e-10, because="sums of sixty terms",
               broken=np.mean((y - theirs.fit(x)[0]) ** 2), how="each value in its own fit")
    yield same("AICc", lm.cross_validation(x, y, kernel=ours, criterion="aicc"), corrected_aic(theirs, 0.1),
               relative=1e-10, because="sums of sixty terms",
               broken=corrected_aic(theirs, 0.2), how="twice the width")
    # Theirs descends into one valley of the score, ours looks for the deepest: it is asked in theirs.
    valley = {"bandwidth": (chosen[0] / 2, chosen[0] * 2)}
    yield same("width", lm.select_bandwidth(x, y, kernel=ours, bounds=valley).best, chosen[0], within=2e-4,
               because="its simplex stops at 1e-4 of the range of x, and ours at 1e-4 of the width",
               broken=x.std() * 1.06 * 60**-0.2,
               how="the rule from which its search starts")
    yield at_most("least score", lm.select_bandwidth(x, y, kernel=ours).scores.min(),
                  lm.cross_validation(x, y, kernel=Gaussian(chosen[0])), relative=1e-5,
                  because="two searches end within 1e-3 of the bottom of a valley",
                  broken=lm.cross_validation(x, y, kernel=Gaussian(x.std() * 1.06 * 60**-0.2)),
                  how="the rule from which its search starts")
    kernel = Columns({"length": Gaussian(0.4), "town": Categorical(0.3), "grade": Ordered(0.4), "height": None})
    fit = lm.LocalMeanRegressor(kernel).fit(frame, price).predict(frame)
    narrow = Columns({"length": Gaussian(0.4), "town": Categorical(0.0), "grade": Ordered(0.4), "height": None})
    yield same("mixed fit", fit, mixed.fit(coded)[0], within=1e-12, because="sums of ninety terms",
               broken=lm.LocalMeanRegressor(narrow).fit(frame, price).predict(frame), how="names that are never pooled")
    yield same("mixed score", lm.cross_validation(frame, price, kernel=kernel),
               mixed.cv_loo(np.array([0.4, 0.15 / 0.7, 0.4]), mixed.est["lc"])[0], relative=1e-10,
               because="sums of ninety terms", broken=np.mean((price - mixed.fit(coded)[0]) ** 2),
               how="each value in its own fit")


def corrected_aic(model, h):
    """Return statsmodels' AICc, without its warning that random numbers, which play no part, will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return model.aic_hurvich(np.array([h]))[0]


# ---- far from all data ---------------------------------------------------------------------------------------------


@claim("D6", kind="limit")
def a_floor_gives_the_mean_of_all(seed=0):
    r"""With a floor $\varepsilon > 0$ under a kernel that tends to zero, the local mean tends to the mean of all values
    far from all keys, and the floor moves it near them by at most a share $n\varepsilon/\sum_i K$ of the values'
    range."""
    year, flow = datasets.nile().x[:, None], datasets.nile().y
    far, near = np.array([[2500.0], [-700.0]]), year[::7] + 0.3
    answer = lm.local_mean(far, year, flow, kernel=floored(Gaussian(3.0), 1e-9))
    bare = lm.local_mean(far, year, flow, kernel=Gaussian(3.0))
    yield same("far", answer, flow.mean(), within=1e-9, because="a hundred additions of a thousand, rounded",
               broken=bare, how="a Gaussian without a floor, for which the nearest key decides alone")
    weights = gaussian(near, year, 3.0)
    lifted = lm.local_mean(near, year, flow, kernel=floored(Gaussian(3.0), 0.01))
    yield same("near", lifted, averages(weights + 0.01) @ flow, relative=1e-12, because="sums of a hundred terms",
               broken=averages(weights) @ flow + 0.01, how="the floor added to the answer")
    heavy = lm.local_mean(near, year, flow, kernel=floored(Gaussian(3.0), 1.0))
    moved, much = (np.abs(values - averages(weights) @ flow) for values in (lifted, heavy))
    yield at_most("moved", moved, 100 * 0.01 / weights.sum(1) * np.ptp(flow), within=1e-9, because="rounding",
                  broken=much, how="a floor a hundred times as high")
