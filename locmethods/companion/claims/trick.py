"""What the page on the localization trick checks: a claim is a function, its docstring the sentence.

The right sides know no kernel of the package: weights are written out with NumPy, fits come from scikit-learn, SciPy
or statsmodels, one target at a time.
"""

import numpy as np
import statsmodels.api as sm
import torch
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, QuantileRegressor, Ridge

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.losses import smallest
from locmethods.companion.expected.weights import averages, gaussian
from locmethods.kernels import Epanechnikov, Flat, Gaussian, Laplace, Polynomial

EXACT = 1e-9  # what small linear solves leave of fifteen digits


@claim("B1", kind=("limit", "order"), sources=("loader1999",))
def a_wide_window_gives_the_global_model(seed=0):
    r"""As $h \to \infty$, a model that a Gaussian localizes tends to the global one, with an error of order $h^{-2}$,
    if the loss is smooth, with an invertible second derivative at a unique global minimiser."""
    x, y = wave(seed)
    label = (np.random.default_rng(seed + 100).random(60) < expit(y)).astype(int)
    # At one target the term of order h⁻² may be small by chance; at four of them together it is not.
    targets, widths = np.array([[0.4], [1.1], [1.8], [2.5]]), np.array([30.0, 60.0, 120.0, 240.0])
    logistic = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-9)
    global_line = np.polyval(np.polyfit(x[:, 0], y, 1), targets[:, 0])
    global_share = logistic.fit(x, label).predict_proba(targets)[:, 1]

    def gaps(kernel):
        localized = {"mean": lambda near: lm.local_mean(targets, x, y, kernel=near) - y.mean(),
                     "line": lambda near: lm.local_polynomial(targets, x, y, kernel=near, degree=1).value - global_line,
                     "logistic": lambda near: lm.Localized(logistic, kernel=near).fit(x, label).predict_proba(
                         targets)[:, 1] - global_share}
        return [[np.abs(gap(kernel(h))).max() for h in widths] for gap in localized.values()]

    for name, errors, cusp in zip(("mean", "line", "logistic"), gaps(Gaussian), gaps(Laplace), strict=True):
        yield order(name, widths, errors, -2, within=0.05, because="the next term is of relative order h⁻²",
                    broken=cusp, how="Laplace's kernel, whose cusp at zero leaves order h⁻¹")


@claim("B2", kind="limit", sources=("cover1967",))
def a_narrow_window_gives_the_nearest_value(seed=0):
    r"""As $h \to 0$, the local mean under a Gaussian tends to the value of the nearest key, if there is only one; if
    there is one second nearest too, with distances $r_1 < r_2$, the error is to first order
    $\exp(-(r_2^2 - r_1^2)/2h^2)$ times the difference of their values."""
    keys = np.array([[0.0], [1.0], [3.0]]) + np.random.default_rng(seed).uniform(-0.05, 0.05, (3, 1))
    values, target, widths = np.array([0.0, 1.0, 5.0]), np.array([[0.3]]), np.array([0.10, 0.12, 0.16])
    error = np.array([lm.local_mean(target, keys, values, kernel=Gaussian(h))[0] for h in widths])
    near, second, _ = np.sort((keys[:, 0] - 0.3) ** 2)
    without_half = np.exp(-((keys[:, 0] - 0.3) ** 2) / widths[:, None] ** 2)
    yield same("logarithm of the error", np.log(error), -(second - near) / (2 * widths**2), within=5e-3,
               because="the next term is of the size of the error itself, at most 4e-3",
               broken=np.log(without_half @ values / without_half.sum(1)), how="exp(−r²/h²), the half forgotten")


@claim("B3", kind="identity", sources=("cleveland1979", "fan1996"))
def a_local_line_reproduces_lines(seed=0):
    r"""The effective weights of a local line are $l_i = \tilde w_i\,[1 - (m - x^*)(x_i - m)/s^2]$, with the mean $m$
    and the variance $s^2 > 0$ of the keys in the window; they sum to one and balance at the target, so that every
    affine function is reproduced exactly."""
    x, _ = wave(seed)
    at, near = np.linspace(0, 3, 31)[:, None], Gaussian(0.3)
    rows, mean_rows = (lm.smoother_matrix(at, x, kernel=near, degree=degree) for degree in (1, 0))
    w = averages(gaussian(at, x, 0.3))
    m = w @ x[:, 0]
    s2 = w @ x[:, 0] ** 2 - m**2
    written_out = w * (1 - (m - at[:, 0])[:, None] * (x[:, 0] - m[:, None]) / s2[:, None])
    affine = lm.local_polynomial(at, x, 2 + 3 * x[:, 0], kernel=near, degree=1)
    plain = "a local mean in place of the line"
    yield same("weights", rows, written_out, within=EXACT, because="solves of 2 × 2 systems",
               broken=mean_rows, how=plain)
    yield same("sum", rows.sum(1), 1.0, within=EXACT, because="solves of 2 × 2 systems",
               broken=near(at, x).sum(1), how="weights that were not divided by their sum")
    yield same("balance", rows @ x[:, 0], at[:, 0], within=EXACT, because="solves of 2 × 2 systems",
               broken=mean_rows @ x[:, 0], how=plain)
    yield same("affine", affine.value, 2 + 3 * at[:, 0], within=EXACT, because="solves of 2 × 2 systems",
               broken=lm.local_mean(at, x, 2 + 3 * x[:, 0], kernel=near), how=plain)
    yield same("slope", affine.gradient[:, 0], 3.0, within=EXACT, because="solves of 2 × 2 systems",
               broken=np.gradient(lm.local_mean(at, x, 2 + 3 * x[:, 0], kernel=near), at[:, 0]),
               how="the derivative of the local mean")


@claim("B4", kind="counter-example")
def a_local_line_is_no_local_mean(seed=0):
    r"""The effective weights of a local line can be negative; then it is not the local mean of any localization
    kernel, and leaves the hull of some values."""
    x, _ = wave(seed)
    at, near = np.linspace(0, 3, 31)[:, None], Gaussian(0.3)
    lines, means = (lm.smoother_matrix(at, x, kernel=near, degree=degree) for degree in (1, 0))
    yield at_most("least weight", lines.min(), -0.005, because="a plain inequality",
                  broken=means.min(), how="the local mean, whose weights are positive")
    worst = lines.min(1).argmin()
    against = (lines[worst] > 0).astype(float)  # one where the weight is positive, zero where it is negative
    yield at_least("overshoot", lm.local_polynomial(at[[worst]], x, against, kernel=near, degree=1).value, 1.01,
                   because="the values are 0 and 1", broken=lm.local_mean(at[[worst]], x, against, kernel=near),
                   how="the local mean, which stays between 0 and 1")


@claim("B5", kind="identity")
def a_line_is_a_mean_corrected_by_a_mean_shift(seed=0):
    r"""In any number of dimensions the local line is the local mean minus its slope times the mean-shift vector,
    $\hat y(x^*) - \hat\beta(x^*)^\top (m(x^*) - x^*)$, if the window determines the slope."""
    rng = np.random.default_rng(seed)
    for d in (1, 3):
        x, at = rng.uniform(0, 3, (80, d)), rng.uniform(0, 3, (9, d))
        y, near = np.sin(2 * x).sum(1) + 0.2 * rng.normal(size=80), Gaussian(0.3 * d)
        mean, shift = lm.local_mean(at, x, y, kernel=near), lm.local_mean(at, x, kernel=near) - at
        line = lm.local_polynomial(at, x, y, kernel=near, degree=1)
        correction = (line.gradient * shift).sum(1)
        fits = [LinearRegression().fit(x, y, sample_weight=w).predict(one[None])[0]
                for w, one in zip(gaussian(at, x, 0.3 * d), at, strict=True)]
        estimator = lm.LocalPolynomialRegressor(degree=1, kernel=near).fit(x, y).predict(at)
        yield same(f"{d}-D", [mean - correction, line.value, estimator], [fits] * 3, within=1e-8,
                   because="least squares by scikit-learn, by singular values",
                   broken=[mean + correction, line.value, estimator], how="the correction added instead of taken away")


@claim("B9", kind=("identity", "counter-example"), sources=("fukunaga1971", "kambhatla1997"))
def local_axes_want_the_root_of_the_weights(seed=0):
    r"""The line that minimises the localized reconstruction loss goes through the local mean along the top eigenvector
    of the local covariance, and leaves the sum of its other eigenvalues; rows scaled by $w$ instead of $\sqrt w$ give
    in general another line, which leaves more."""
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(200, 3)) * [2, 1, 0.5] + 0.3 * rng.normal(size=(200, 1)) ** 2
    frame = lm.local_pca(cloud[:1], cloud, kernel=Gaussian(1.5), n_components=1)
    w = averages(gaussian(cloud[:1], cloud, 1.5))[0]
    m, covariance = np.average(cloud, axis=0, weights=w), np.cov(cloud.T, aweights=w, ddof=0)
    spectrum = np.linalg.eigvalsh(covariance)
    rows = cloud - m
    slip = np.linalg.svd(w[:, None] * rows)[2][0]

    def left_over(axis):
        return w @ ((rows - np.outer(rows @ axis, axis)) ** 2).sum(1)

    others = rng.normal(size=(300, 3))
    others = [left_over(axis / np.linalg.norm(axis)) for axis in others]
    yield same("mean", frame.mean[0], m, within=1e-12, because="one weighted sum",
               broken=cloud.mean(0), how="the mean of the whole cloud")
    yield same("top eigenvalue", frame.variances[0, 0], spectrum[-1], within=1e-12,
               because="an eigenproblem of order 3", broken=w @ (rows @ slip) ** 2, how="rows scaled by w")
    yield same("what is left", left_over(frame.components[0, 0]), spectrum[:2].sum(), within=1e-12,
               because="an eigenproblem of order 3", broken=left_over(slip), how="rows scaled by w")
    yield at_least("300 other axes", min(others), left_over(frame.components[0, 0]), within=1e-12,
                   because="rounding of a sum", broken=(left_over(frame.components[0, 0]), left_over(slip)),
                   how="rows scaled by w, whose axis is beaten")


@claim("B10", kind=("identity", "counter-example"))
def stacking_changes_the_kernel(seed=0):
    r"""Averages are stacked as $\int \tilde K(x^*, z)\,\tilde K(z, x)\,\mathrm d\mu(z)$: Gaussians of width $h$ make
    one of width $\sqrt2\,h$ if $\mu$ is uniform, and not in general; and to normalise kernels before they are stacked
    or after it is not the same in general."""
    lattice = np.linspace(-6, 6, 1201)[:, None]
    sloped = np.sign(lattice) * 6 * (np.abs(lattice) / 6) ** 2  # keys that crowd together at zero
    target, near = np.random.default_rng(seed).uniform(-1, 1, (5, 1)), Gaussian(0.5)

    def twice(keys):
        values = np.cos(3 * keys[:, 0])
        once = lm.local_mean(keys, keys, values, kernel=near)
        return lm.local_mean(target, keys, once, kernel=near)

    def wider(keys):
        return averages(gaussian(target, keys, 0.5 * np.sqrt(2))) @ np.cos(3 * keys[:, 0])

    yield same("two averages are one", twice(lattice), wider(lattice), within=1e-9,
               because="sums over a lattice are integrals to rounding, and the ends are eight widths away",
               broken=(twice(sloped), wider(sloped)), how="keys that are not uniform but crowd together")
    few = np.sort(np.random.default_rng(seed).uniform(0, 3, 60))[:, None]
    blocks = Flat(0.4).on(np.floor)
    yield at_least("normalised before or after", before_and_after(near, few), 1e-3, because="a plain inequality",
                   broken=before_and_after(blocks, few), how="a kernel of blocks, where both are the same")


@claim("B11", kind="counter-example")
def a_penalty_feels_the_scale_of_the_weights(seed=0):
    r"""A factor $c(x^*)$ of the kernel cancels in a localized loss, but not beside a penalty: the ridge estimate
    changes, unless $\lambda$ is multiplied by $c$ as well; `localize` divides the weights by their sum, and `Localized`
    by the largest, so that in both the factor cancels."""
    x, y = wave(seed)
    rng = np.random.default_rng(seed + 100)
    at, c, penalty = rng.uniform(0, 3, (9, 1)), rng.uniform(2, 5, 9), 0.5
    w = gaussian(at, x, 0.3)

    def ridge(weights, penalties):
        fits = [Ridge(alpha=p).fit(x, y, sample_weight=one) for one, p in zip(weights, penalties, strict=True)]
        return np.array([fit.predict(one[None])[0] for fit, one in zip(fits, at, strict=True)])

    plain, scaled = ridge(w, np.full(9, penalty)), ridge(w * c[:, None], penalty * c)
    yield at_least("penalty kept", np.abs(ridge(w * c[:, None], np.full(9, penalty)) - plain).max(), 1e-4,
                   because="far above the rounding of the solves",
                   broken=np.abs(scaled - plain).max(), how="the penalty scaled too")
    yield same("penalty scaled", scaled, plain, within=EXACT, because="solves of order 1",
               broken=ridge(w * c[:, None], np.full(9, penalty)), how="the penalty kept as it was")

    def penalised(key, value, theta):
        return (value - theta[0]) ** 2 + penalty * theta[0] ** 2

    for factor in (1.0, 7.0):
        theta = lm.localize(penalised, kernel=factor * Gaussian(0.3), initial=[0.0])(at, x, y)[:, 0]
        local = lm.Localized(Ridge(alpha=penalty), kernel=factor * Gaussian(0.3)).fit(x, y).predict(at)
        yield same(f"localize, {factor:g} K", theta, averages(w) @ y / (1 + penalty), within=1e-7,
                   because="Newton's last step is below 1e-8", broken=w @ y / (w.sum(1) + penalty),
                   how="weights that do not sum to one")
        yield same(f"Localized, {factor:g} K", local, ridge(w / w.max(1, keepdims=True), np.full(9, penalty)),
                   within=EXACT, because="solves of order 1", broken=ridge(averages(w), np.full(9, penalty)),
                   how="weights that sum to one, not weights whose largest is one")


@claim("B13", kind="order")
def a_window_on_a_circle(seed=0):
    r"""Around a point of the unit circle, for a uniform population and Epanechnikov's window of radius $h \to 0$, the
    tangent's eigenvalue is $h^2/5$, the normal's $h^4/87.5$, and the local mean leaves the curve by $h^2/10$, each but
    for terms of relative order $h^2$."""
    turn = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    arc, radii = np.linspace(-0.25, 0.25, 100001), np.array([0.05, 0.1, 0.2])
    target = np.array([[np.cos(turn), np.sin(turn)]])

    def curve(angles, rim=0.0):
        distance = 1 + rim * np.cos(1e4 * angles)
        return distance[:, None] * np.stack([np.cos(turn + angles), np.sin(turn + angles)], -1)

    def corner(angles):
        tangent = np.stack([-np.sin(turn), np.cos(turn)], -1)
        return target + angles[:, None] * tangent - np.abs(angles)[:, None] * target

    def measured(points, kernel=Epanechnikov):
        frames = [lm.local_pca(target, points, kernel=kernel(h)) for h in radii]
        inward = [np.linalg.norm(frame.mean[0] - target[0]) for frame in frames]
        return np.array([[*frame.variances[0], gap] for frame, gap in zip(frames, inward, strict=True)]).T

    round_, flat, band, bent = (measured(curve(arc)), measured(curve(arc), Flat), measured(curve(arc, rim=0.02)),
                                measured(corner(arc)))
    scale = np.stack([radii**2, radii**4, radii**2])
    yield same("constants", (round_ / scale)[:, 0], [1 / 5, 1 / 87.5, 1 / 10], relative=5e-3,
               because="h² = 0.0025 is the relative size of the next terms", broken=(flat / scale)[:, 0],
               how="a flat window instead of Epanechnikov's")
    yield order("tangent", radii, round_[0], 2, within=0.05, because="the next term is of relative order h², 0.04",
                broken=np.sqrt(round_[0]), how="singular values in place of eigenvalues")
    yield order("normal", radii, round_[1], 4, within=0.05, because="the next term is of relative order h², 0.04",
                broken=band[1], how="a band in place of a curve")
    yield order("distance of the mean", radii, round_[2], 2, within=0.05,
                because="the next term is of relative order h², 0.04", broken=bent[2],
                how="a corner in place of a smooth curve")


@claim("B14", kind="identity", sources=("wang2010",))
def a_lazy_autoencoder_steps_along_the_normal(seed=0):
    r"""Reconstruction in $k$ local axes moves a point by $(I - U^\top U)(m - x)$, the part of its mean-shift step that
    is normal to them: with no axis the whole step, with all of them nothing."""
    digits = datasets.digits()
    noisy = digits.x[:8] + 0.25 * np.random.default_rng(seed).normal(size=(8, 64))
    w = averages(gaussian(noisy, digits.x[8:], 0.8))
    toward = w @ digits.x[8:] - noisy
    axes = np.stack([np.linalg.eigh(np.cov(digits.x[8:].T, aweights=one, ddof=0))[1][:, ::-1].T for one in w])
    reason = "eigenvectors of order 64 whose fourth and fifth eigenvalues lie close"
    for k, name in ((0, "no axis"), (4, "four axes"), (64, "all axes")):
        lazy = lm.LocalPCA(k, kernel=Gaussian(0.8)).fit(digits.x[8:])
        step = lazy.project(noisy) - noisy
        along = np.einsum("qkd,qke,qe->qd", axes[:, :k], axes[:, :k], toward)
        if k == 4:
            there_and_back = lazy.reconstruct(lazy.transform(noisy), noisy) - noisy
            yield same("encoded and decoded", there_and_back, toward - along, within=1e-6, because=reason,
                       broken=toward, how="the whole mean-shift step")
        yield same(name, step, toward - along, within=1e-6, because=reason,
                   broken=toward if k else np.zeros_like(toward),
                   how="the whole mean-shift step" if k else "no step at all")


@claim("B15", kind=("monotone", "counter-example"), sources=("einbeck2006", "chen2016"))
def localized_values_climb_to_a_mode(seed=0):
    r"""With a Gaussian on the values as well, the iterated local mean of a number never lowers the joint density and
    ends where that is level, in general at a conditional mode; at *which* one depends on the start, and between two
    branches the mean is near neither."""
    u, v = branches(seed)
    width, fine = (0.2, 0.25), np.linspace(-2, 2, 8001)
    both = Gaussian(width[0]).on([0]) * Gaussian(width[1]).on([1])
    joint = np.stack([u, v], -1)
    start = np.array([[0.5, 1.9], [0.5, -1.9]])
    path = [start]
    for _ in range(60):
        path.append(np.stack([start[:, 0], lm.local_mean(path[-1], joint, v, kernel=both)], -1))
    nearby = gaussian(np.array([[0.5]]), u[:, None], width[0])[0]

    def density(values):
        return nearby @ gaussian(v[:, None], np.reshape(values, (-1, 1)), width[1])

    heights = density(np.array(path)[:, :, 1]).reshape(-1, 2)
    mean = nearby @ v / nearby.sum()  # where one step leads if only the inputs are weighed
    forgotten = density(np.array([[1.1, -0.9], [mean, mean]])).reshape(-1, 2)
    upper, lower = fine > mean, fine <= mean
    modes = np.array([fine[side][density(fine[side]).argmax()] for side in (upper, lower)])
    without = "no kernel on the values"
    yield at_least("ascent", np.diff(heights, axis=0), 0.0, within=1e-9, because="rounding of sums of 400 terms",
                   broken=np.diff(forgotten, axis=0), how=without)
    yield same("two ends", path[-1][:, 1], modes, within=1e-3, because="a grid of step 5e-4",
               broken=np.full(2, mean), how=without)
    here, across, along = start[:1, :1], Gaussian(width[0]), Gaussian(width[1])
    highest = lm.local_mode(here, u[:, None], v, kernel=across, value_kernel=along)
    yield same("highest", highest, fine[density(fine).argmax()], within=1e-3, because="a grid of step 5e-4",
               broken=lm.local_mean(here, u[:, None], v, kernel=across), how="the conditional mean")
    one_branch = np.where(v > 0, v, v + 2)
    single = nearby @ one_branch / nearby.sum()
    heights_of_one = nearby @ gaussian(one_branch[:, None], np.array([[single], [modes[0]]]), width[1])
    yield at_most("density at the mean", density(mean)[0], density(modes).min() / 2, because="a plain inequality",
                  broken=(heights_of_one[0], heights_of_one[1] / 2), how="one branch, where mean and mode agree")


@claim("B16", kind="identity", sources=("song2026", "atkeson1997"))
def localized_is_a_refit_with_weights(seed=0):
    r"""`Localized` answers as a fresh copy of its estimator does that is fitted at each target with
    `sample_weight` $= K(x^*, x_i)/\max_j K(x^*, x_j)$."""
    rng = np.random.default_rng(seed)
    moons, engel = datasets.moons(160, seed=seed), datasets.engel()
    income, food = engel.x[:, None] / 1000, engel.y / 1000
    dense = rng.uniform(0.5, 1.1, (12, 1))  # where a short window holds many households
    inside = np.abs(dense - income.T) <= 0.3
    chosen = rng.choice(235, 12, replace=False)
    near_moons, near_income = moons.x[rng.choice(160, 12, replace=False)] + 0.1, income[chosen] + 0.1
    tasks = {"logistic": (LogisticRegression(), moons.x, moons.y, Gaussian(0.5), near_moons, 1.0),
             "line": (LinearRegression(), income, food, Gaussian(0.2), near_income, 1.0),
             "line, cut window": (LinearRegression(), income, food, Gaussian(0.5) * Flat(0.3), dense, inside)}
    widths, tolerances = {"logistic": 0.5, "line": 0.2, "line, cut window": 0.5}, {"logistic": 1e-5}
    for name, (model, x, y, kernel, at, cut) in tasks.items():
        local, tolerance = lm.Localized(model, kernel=kernel).fit(x, y), tolerances.get(name, 1e-8)
        w = gaussian(at, x, widths[name]) * cut
        fits = [clone(model).fit(x, y, sample_weight=one / one.max()) for one in w]
        answer = "predict_proba" if name == "logistic" else "predict"
        theirs = np.array([getattr(fit, answer)(one[None])[0] for fit, one in zip(fits, at, strict=True)])
        reason = "the same fit on weights that differ by a rounding, amplified by its solver"
        everywhere = clone(model).fit(x, y)
        yield same(name, getattr(local, answer)(at), theirs, within=tolerance, because=reason,
                   broken=getattr(everywhere, answer)(at), how="weights left out")
        yield same(f"{name}, coefficients", [np.ravel(fit.coef_) for fit in local.local_estimators(at)],
                   [np.ravel(fit.coef_) for fit in fits], within=10 * tolerance, because=reason,
                   broken=np.tile(np.ravel(everywhere.coef_), (12, 1)), how="weights left out")
        if name == "line":
            total = ((food[chosen] - food[chosen].mean()) ** 2).sum()
            r2 = [1 - ((food[chosen] - one) ** 2).sum() / total for one in (theirs, everywhere.predict(at))]
            yield same("R²", local.score(at, food[chosen]), r2[0], within=1e-6, because=reason,
                       broken=r2[1], how="weights left out")
        if name == "logistic":
            yield same("labels", local.predict(at), theirs.argmax(1), because="labels are equal or they are not",
                       broken=theirs.argmin(1), how="the smaller share chosen")


@claim("B17", kind="identity", sources=("song2026", "loader1999"))
def localize_minimises_any_smooth_loss(seed=0):
    r"""`localize` returns $\arg\min_\theta \sum_i K(x^*, x_i)\,l(x_i, y_i, \theta)$ for a smooth loss with one minimum:
    here a line under the pseudo-Huber loss $\sqrt{1 + e^2}$, which outliers can't pull far."""
    x, y = wave(seed)
    rng = np.random.default_rng(seed + 100)
    y = 3 * y + 15 * (rng.random(len(y)) < 0.1)  # a tenth of the values lie far off
    at = rng.uniform(0.3, 2.7, (6, 1))

    def robust(key, value, theta):
        return torch.sqrt(1 + (value - theta[0] - theta[1] * key[0]) ** 2)

    def written_out(theta):
        return np.sqrt(1 + (y - theta[0] - theta[1] * x[:, 0]) ** 2)

    def squared(theta):
        return (y - theta[0] - theta[1] * x[:, 0]) ** 2

    weights = gaussian(at, x, 0.6)
    theirs = smallest(written_out, np.zeros(2), weights)
    for method in ("newton", "lbfgs"):
        ours = lm.localize(robust, kernel=Gaussian(0.6), initial=[0.0, 0.0], method=method)(at, x, y)
        yield same(method, ours, theirs, within=1e-4, because="BFGS stops on difference quotients",
                   broken=smallest(squared, np.zeros(2), weights), how="the squared loss")


@claim("B18", kind="identity", sources=("tibshirani1987", "loader1999"))
def a_local_logistic_regression(seed=0):
    r"""The trick on the log-likelihood of a logistic regression is local likelihood: its residuals balance in the
    window, $\sum_i K\,(y_i - p_i)\,(1, x_i - x^*) = 0$; a fit of a constant gives the local mean of the labels, and no
    fit leaves $[0, 1]$, as a local line may do."""
    tumours = datasets.breast_cancer()
    x, y = tumours.x[:, [9]], tumours.y.astype(float)  # fractal dimension
    at = np.random.default_rng(seed).uniform(-1.5, 2.0, (6, 1))
    w, near = gaussian(at, x, 0.5), Gaussian(0.5)
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    share = lm.Localized(model, kernel=near).fit(x, tumours.y).predict_proba(at)[:, 1]
    theta = lm.localize(bernoulli, kernel=near, initial=[0.0, 0.0])(at, x, y)
    glm = [sm.GLM(y, sm.add_constant(x - one), family=sm.families.Binomial(), freq_weights=weight).fit()
           for weight, one in zip(w, at, strict=True)]
    theirs = expit([fit.params[0] for fit in glm])
    everywhere = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit().predict(sm.add_constant(at))
    for name, ours in (("Localized", share), ("localize", expit(theta[:, 0] + theta[:, 1] * at[:, 0]))):
        yield same(name, ours, theirs, within=1e-6, because="statsmodels stops at a relative change of 1e-8",
                   broken=everywhere, how="one fit for all targets")
    step = x[:, 0] - at
    residual = y - expit(theta[:, :1] + theta[:, 1:] * x[:, 0])
    unweighted = y - sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit().fittedvalues
    yield same("balance", [(w * residual).sum(1), (w * residual * step).sum(1)], 0.0, within=1e-5,
               because="Newton's last step is below 1e-8, times 569 terms",
               broken=[(w * unweighted).sum(1), (w * unweighted * step).sum(1)], how="one fit for all targets")
    constant = lm.localize(lambda key, value, theta: torch.nn.functional.softplus(theta[0]) - value * theta[0],
                           kernel=near, initial=[0.0])(at, x, y)
    yield same("constant", expit(constant[:, 0]), averages(w) @ y, within=1e-8,
               because="Newton's last step is below 1e-8", broken=theirs, how="a slope fitted too")
    radius, far = tumours.x[:, [0]], np.linspace(-2, 4, 25)[:, None]
    theta = lm.localize(bernoulli, kernel=Gaussian(0.8), initial=[0.0, 0.0])(far, radius, y)
    straight = lm.local_polynomial(far, radius, y, kernel=Gaussian(0.8), degree=1).value
    yield at_most("inside [0, 1]", np.abs(expit(theta[:, 0] + theta[:, 1] * far[:, 0]) - 0.5), 0.5,
                  because="the logistic function has values between 0 and 1", broken=np.abs(straight - 0.5),
                  how="a local line through the labels")


@claim("B19", kind="identity", sources=("tibshirani1987", "loader1999"))
def a_local_poisson_regression(seed=0):
    r"""The trick on the loss $\mu - y \log \mu$ of counts, with $\log \mu = \theta_0 + \theta_1 x$, is a local Poisson
    regression; a fit of a constant gives the local mean of the counts."""
    visits = datasets.visits()
    x, y = visits.x[:, None], visits.y
    at = np.random.default_rng(seed).uniform(2, 30, (4, 1))
    w, near = gaussian(at, x, 5.0), Gaussian(5.0)
    glm = [sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson(), freq_weights=weight).fit() for weight in w]
    theirs = np.array([fit.params for fit in glm])
    everywhere = np.tile(sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson()).fit().params, (4, 1))
    ours = lm.localize(poisson, kernel=near, initial=[0.0, 0.0])(at, x, y)
    yield same("localize", ours, theirs, within=1e-6, because="statsmodels stops at a relative change of 1e-8",
               broken=everywhere, how="one fit for all targets")
    model = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-6)
    rate = lm.Localized(model, kernel=near).fit(x, y).predict(at)
    yield same("Localized", rate, np.exp(theirs[:, 0] + theirs[:, 1] * at[:, 0]), within=1e-5,
               because="two solvers stop at a relative change of 1e-8",
               broken=np.exp(everywhere[:, 0] + everywhere[:, 1] * at[:, 0]), how="one fit for all targets")
    constant = lm.localize(lambda key, value, theta: torch.exp(theta[0]) - value * theta[0], kernel=near,
                           initial=[0.0])(at, x, y)
    yield same("constant", np.exp(constant[:, 0]), averages(w) @ y, within=1e-7,
               because="Newton's last step is below 1e-8", broken=rate, how="a slope fitted too")


@claim("B20", kind=("identity", "counter-example"), sources=("doob1942",))
def what_may_be_localized_twice(seed=0):
    r"""Averaging twice is averaging once, $\tilde K^2 = \tilde K$, for a kernel that is one on the blocks of a
    partition and zero elsewhere, and for $K = a(x^*)\,a(x)$ with a positive $a$; for a Gaussian it is not."""
    x = np.sort(np.random.default_rng(seed).uniform(0, 3, 60))[:, None]
    block, weight = np.floor(x) == np.floor(x).T, np.exp(2 * x[:, 0])
    blocks, tilted = Flat(0.4).on(np.floor), Polynomial(2, offset=0.0).on(np.exp)
    shifted = Polynomial(2, offset=9.0).on(np.exp)
    one, other, gauss, mixed = (lm.local_weights(x, x, kernel=kernel)
                                for kernel in (blocks, tilted, Gaussian(0.3), shifted))
    yield same("blocks", [one, one @ one], averages(block) * np.ones((2, 1, 1)), within=1e-12,
               because="sums of 60 terms", broken=(gauss @ gauss, gauss), how="a Gaussian instead of blocks")
    yield same("a(x*) a(x)", [other, other @ other], np.tile(weight / weight.sum(), (2, 60, 1)), within=1e-12,
               because="sums of 60 terms", broken=(mixed @ mixed, mixed), how="(9 + a(x*) a(x))², which is no product")
    yield at_least("Gaussian", np.abs(gauss @ gauss - gauss).max(), 0.01, because="a plain inequality",
                   broken=np.abs(one @ one - one).max(), how="blocks instead of a Gaussian")


@claim("B21", kind="inequality", sources=("koenker1978",))
def a_local_quantile_line_cuts_its_window(seed=0):
    r"""A localized line of the $q$-quantile cuts its window: the households below it have no more than the share $q$
    of the weight, those below it or on it no less."""
    engel = datasets.engel()
    x, y = engel.x[:, None] / 1000, engel.y / 1000
    at = np.random.default_rng(seed).uniform(0.5, 1.6, (4, 1))
    distance = np.abs(at - x.T)
    w = averages(np.exp(-(distance**2) / (2 * 0.25**2)) * (distance <= 1.0))
    cut, on_it = Gaussian(0.25) * Flat(1.0), 1e-7  # the linear program's own tolerance
    for q in (0.1, 0.5, 0.9):
        model = QuantileRegressor(quantile=q, alpha=0)
        lines = np.array([fit.predict(x) for fit in lm.Localized(model, kernel=cut).fit(x, y).local_estimators(at)])
        yield at_most(f"below, {q:.0%}", (w * (y < lines - on_it)).sum(1), q, within=1e-9, because="rounding of sums",
                      broken=(w * (y < lines + 0.05)).sum(1), how="lines shifted up by 50 francs")
        yield at_least(f"below or on, {q:.0%}", (w * (y <= lines + on_it)).sum(1), q, within=1e-9,
                       because="rounding of sums", broken=(w * (y <= lines - 0.05)).sum(1),
                       how="lines shifted down by 50 francs")


def wave(seed):
    """Return 60 places in [0, 3], of shape (60, 1), and a noisy sine there."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 3, 60))[:, None]
    return x, np.sin(2 * x[:, 0]) + 0.2 * rng.normal(size=60)


def branches(seed):
    """Return 400 inputs in [0, 1] and values on two branches, near 1 and −1, the upper one twice as often."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(0, 1, 400)
    return u, np.where(rng.random(400) < 0.65, 1.0, -1.0) + 0.2 * u + 0.15 * rng.normal(size=400)


def before_and_after(kernel, x):
    """Return how far K̃K̃ is from the normalised KK."""
    once, matrix = lm.local_weights(x, x, kernel=kernel), kernel(x, x)
    return np.abs(once @ once - averages(matrix @ matrix)).max()


def bernoulli(key, value, theta):
    """Return −log likelihood of a label, 0 or 1, in a logistic regression on one feature."""
    log_odds = theta[0] + theta[1] * key[0]
    return torch.nn.functional.softplus(log_odds) - value * log_odds


def poisson(key, value, theta):
    """Return −log likelihood of a count in a Poisson regression on one feature, but for a constant."""
    log_rate = theta[0] + theta[1] * key[0]
    return torch.exp(log_rate) - value * log_rate
