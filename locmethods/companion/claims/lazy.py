"""What the page on lazy learning checks: neighbours, interpolation, risk, and answers that are averaged again."""

import warnings

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.optimize import minimize_scalar, nnls
from scipy.special import digamma, polygamma, softmax
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.weights import averages, distances, gaussian
from locmethods.display import LocalWeightsDisplay
from locmethods.kernels import Exponential, Flat, Gaussian, Laplace, NearestNeighbors, Shepard
from locmethods.lazy import correction_factor, lazy_iteration, residual_correction, twicing


@claim("D1", kind="identity", sources=("fix1951", "cover1967", "aha1991", "atkeson1997"))
def neighbours_are_a_rank_kernel(seed=0):
    r"""The mean and the vote of $k$ nearest neighbours are local statistics of a rank kernel, ties included, and
    locally weighted regression is a local line."""
    digits = datasets.digits()
    mixed = np.random.default_rng(seed).permutation(1797)
    known, asked = mixed[:1400], mixed[1400:]
    vote = lm.LocalClassifier(NearestNeighbors(4)).fit(digits.x[known], digits.y[known])
    theirs = KNeighborsClassifier(4).fit(digits.x[known], digits.y[known])
    winner = np.bincount(digits.y[known]).argmax()
    yield same("digits", vote.predict(digits.x[asked]), theirs.predict(digits.x[asked]),
               within=0, because="labels are equal or they are not",
               broken=np.full(len(asked), winner), how="a vote of all digits instead of the four nearest")

    # A lattice: nearly every distance occurs many times, and every third point stands twice.
    points, labels, between = lattice_with_ties(seed)
    mean = lm.LocalMeanRegressor(NearestNeighbors(4)).fit(points, labels)
    theirs = KNeighborsRegressor(4).fit(points, labels)
    apart = distances(between, points)
    all_tied = averages((apart <= np.sort(apart, axis=1)[:, 3:4]).astype(float)) @ labels
    yield same("ties", mean.predict(between), theirs.predict(between),
               within=1e-15, because="one rounding of a mean of four",
               broken=all_tied, how="all that are as near as the fourth, instead of four")

    place = between[[20]]  # between the rows and columns of the lattice
    shown = LocalWeightsDisplay.from_estimator(mean, place[0], ax=Figure().subplots())
    yield same("weights that are drawn", shown.weights, theirs.kneighbors_graph(place).toarray()[0] / 4,
               within=1e-15, because="one rounding of a quarter",
               broken=averages((apart[[20]] <= np.sort(apart[20])[3]).astype(float))[0],
               how="all that are as near as the fourth, instead of four")

    patients, progress = datasets.diabetes()
    mixed = np.random.default_rng(seed).permutation(442)
    known, asked = mixed[:400], mixed[400:420]
    line = lm.LocalPolynomialRegressor(1, Gaussian(3.0)).fit(patients[known], progress[known])
    weights = gaussian(patients[asked], patients[known], 3.0)
    refits = [LinearRegression().fit(patients[known], progress[known], row).predict(patients[[place]])[0]
              for row, place in zip(weights, asked, strict=True)]
    yield same("locally weighted regression", line.predict(patients[asked]), refits,
               relative=1e-8, because="two solvers of one least-squares problem with ten features",
               broken=averages(weights) @ progress[known], how="a local constant instead of a local line")


def lattice_with_ties(seed):
    """Return 108 points on a lattice, their labels, and places that lie between them."""
    rows, columns = np.meshgrid(range(9), range(9))
    cells = np.column_stack([rows.ravel(), columns.ravel()]).astype(float)
    rows, columns = np.meshgrid(np.arange(17) / 2, np.arange(17) / 2)
    labels = np.random.default_rng(seed).integers(0, 3, 108)
    return np.concatenate([cells, cells[:27]]), labels, np.column_stack([rows.ravel(), columns.ravel()])


@claim("D2", kind=("limit", "counter-example"))
def from_one_neighbour_to_all(seed=0):
    r"""For keys of equal norm the local mean of the kernel $e^{q\cdot k/\tau}$ tends to the value of the nearest key
    as $\tau \to 0$, tied ones shared, and to the mean of all as $\tau \to \infty$."""
    digits = datasets.digits()
    mixed = np.random.default_rng(seed).permutation(1797)
    known, asked = digits.x[mixed[:1700]], digits.x[mixed[1700:1705]]
    halves, seen = upper_half(known), upper_half(asked)
    middle = softmax(seen @ halves.T / 0.01, axis=1) @ known
    yield same("between", lm.local_mean(asked, known, known, kernel=Exponential(0.01).on(upper_half)), middle,
               within=1e-11, because="1,700 additions, and exponents of size 100, each rounded",
               broken=softmax(seen @ halves.T, axis=1) @ known, how="inner products that no temperature divides")

    # A key that is second by a margin in q·k has the share exp(−margin/τ), and there are 1,699 of them.
    square = np.sort(distances(seen, halves) ** 2, axis=1)
    margin = (square[:, 1] - square[:, 0]) / 2
    nearest = known[distances(seen, halves).argmin(1)]
    cold = np.array([1e-2, 1e-3, 1e-4, 1e-5, 1e-6])[:, None]
    gaps = [abs(lm.local_mean(asked, known, known, kernel=Exponential(*t).on(upper_half)) - nearest).max(1)
            for t in cold]
    raw = [abs(lm.local_mean(asked[:, :32], known[:, :32], known, kernel=Exponential(*t)) - nearest).max(1)
           for t in cold]
    yield at_most("cold", gaps, 1699 * np.exp(-margin / cold), within=1e-9,
                  because="the rounding of exponents of size 10⁶",
                  broken=raw, how="keys of unequal norm, of which a long one outbids the nearest")

    # In [0, 1] lie both the inner products and the values, so that weights differ by at most the factor exp(1/τ).
    hot = np.array([1e1, 1e2, 1e3, 1e4])
    gaps, wrong = ([abs(lm.local_mean(asked, known, known, kernel=Exponential(t).on(upper_half)) - known.mean(0)).max()
                    for t in ts] for ts in (hot, 1 / hot))
    yield at_most("hot", gaps, np.expm1(1 / hot), within=1e-12, because="rounding of 1,700 additions",
                  broken=wrong, how="a temperature that multiplies instead of dividing")

    cross, corner = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), np.sqrt(0.5) * np.ones((1, 2))
    values = np.array([1.0, 2.0, 10.0, 20.0])
    shared = lm.local_mean(corner, cross, values, kernel=Exponential(1e-6))
    alone = lm.local_mean(corner, cross, values, kernel=NearestNeighbors(1))
    yield same("tie", shared, [1.5], within=1e-15, because="one rounding of a mean of two",
               broken=alone, how="a rank kernel, which takes one of the two")


def upper_half(pictures):
    """Return the upper halves of pictures of 64 pixels, each scaled to length one: q·k = 1 − ‖q − k‖²/2."""
    upper = pictures[:, :32]
    return upper / np.sqrt((upper**2).sum(1))[:, None]


@claim("D3", kind=("limit", "inequality"), sources=("cover1967",))
def one_neighbour_costs_up_to_twice(seed=0):
    r"""With endless data, where $\eta$ jumps at single places at most, a nearest neighbour errs with probability
    $E[2\eta(1-\eta)]$, which lies between the smallest probability possible, $L^*$, and $2L^*(1-L^*)$ and reaches both;
    many neighbours, all near, come down to $L^*$."""
    rng = np.random.default_rng(seed)
    places, cases, coins = rng.random((4000, 1)), rng.random((4000, 1)), rng.random(4000)
    noise = (lambda x: 0.25 + 0 * x, lambda x: (1 + np.sin(2 * np.pi * x) / 2) / 2, lambda x: (x < 0.5) / 2)
    labels = [coins < eta(places[:, 0]) for eta in noise]
    one, many = ([error_rate(eta, lm.LocalClassifier(NearestNeighbors(k)).fit(places, y).predict(cases), cases)
                  for eta, y in zip(noise, labels, strict=True)] for k in (1, 201))
    anybody = [error_rate(eta, rng.choice(y, 4000), cases) for eta, y in zip(noise, labels, strict=True)]
    remembered = [np.mean(lm.LocalClassifier(NearestNeighbors(1)).fit(places, y).predict(places) != y) for y in labels]

    limit = [over_the_line(lambda x, eta=eta: 2 * eta(x) * (1 - eta(x))) for eta in noise]
    best = np.array([over_the_line(lambda x, eta=eta: np.minimum(eta(x), 1 - eta(x))) for eta in noise])
    why = "4,000 random labels: four standard errors of a share"
    yield same("one neighbour", one, limit, within=0.025, because=why,
               broken=anybody, how="a neighbour drawn at random instead of the nearest")
    yield at_most("never above", one, 2 * best * (1 - best), within=0.025, because=why,
                  broken=anybody, how="a neighbour drawn at random instead of the nearest")
    yield at_least("never below", one, best, within=0.025, because=why,
                   broken=remembered, how="a test on the very cases that it remembers")
    yield same("both ends", [limit[0], limit[2]], [2 * best[0] * (1 - best[0]), best[2]],
               within=1e-9, because="quadrature",
               broken=[limit[1], limit[1]], how="a noise level that varies without ever being certain")
    yield same("201 neighbours", many, best, within=0.025, because=why,
               broken=one, how="one neighbour, however many cases there are")


def error_rate(eta, said, cases):
    """Return how often predictions err where class one has the probability η: exact but for the cases' places."""
    share = eta(cases[:, 0])
    return np.mean(np.where(said, 1 - share, share))


def over_the_line(function):
    """Return the integral of a function over [0, 1], which may jump in the middle."""
    return sum(quad(function, *ends, epsabs=1e-12)[0] for ends in ((0, 0.5), (0.5, 1)))


@claim("D4", kind=("limit", "order"), sources=("shepard1968", "devroye1998"))
def a_singular_kernel_interpolates(seed=0):
    r"""Over distinct keys the local mean of the kernel $d^{-p}$ passes through every datum and leaves it as $\delta^p$;
    with $p = 1$ its squared error at the middle of $n$ evenly spaced keys of one feature falls all the same, like
    $1/\log^2 n$; and far from all data it gives their mean, where a Gaussian gives the nearest key's value and
    $e^{-d/h}$ neither."""
    year, flow = datasets.nile().x[:, None], datasets.nile().y
    met = lm.local_mean(year, year, flow, kernel=Shepard(2))
    smooth = averages(gaussian(year, year, 3.0)) @ flow
    yield same("on the data", met, flow, because="the weight of the datum is infinite",
               broken=smooth, how="a kernel that is finite at its centre")
    between = year + np.random.default_rng(seed).uniform(0.1, 0.9, (100, 1))
    for power in (1, 2, 8):
        found = lm.local_mean(between, year, flow, kernel=Shepard(power))
        weights = averages(distances(between, year) ** -float(power))
        yield same(f"between the data, p = {power}", found, weights @ flow,
                   relative=1e-11, because="100 additions and powers, each rounded",
                   broken=averages(distances(between, year) ** (-2.0 * power)) @ flow,
                   how="squared distances in place of distances")
    for power in (1, 2, 3):
        delta = 0.1 ** np.arange(4 - power, 7 - power)
        left = [np.mean(abs(lm.local_mean(year + d, year, flow, kernel=Shepard(power)) - flow)) for d in delta]
        floor = [np.mean(abs(averages(1 / (distances(year + d, year) ** power + 0.05)) @ flow - flow)) for d in delta]
        yield order(f"leaving a datum, p = {power}", delta, left, power, within=0.02,
                    because="the next term is of relative order ten δ for p = 1, of δ or less for the others",
                    broken=floor, how="a singularity that is cut off, 1/(dᵖ + 0.05)")

    # m keys a side of a target at distances (j − ½)/m, values |x| with noise of variance one: bias and variance are
    # sums over 1/(j − ½), which the digamma function has in closed form. Both fall like powers of 1/log m.
    counts = np.array([100, 1000, 10000, 100000])
    errors, wrong = ([error_at_the_middle(m, Shepard(power)) for m in counts] for power in (1, 2))
    harmonic, squares = digamma(counts + 0.5) - digamma(0.5), polygamma(1, 0.5) - polygamma(1, counts + 0.5)
    want = squares / (2 * harmonic**2) + harmonic**-2
    yield same("the error on more and more data", errors, want, relative=1e-9,
               because="sums of 200,000 terms of one sign",
               broken=wrong, how="a power above the number of features, which keeps a third of the noise")
    yield at_most("it falls", errors[1:], errors[:-1], because="bounded sums over the square of a growing one",
                  broken=wrong[1:], how="a power above the number of features, which keeps a third of the noise")

    far = np.array([[1e8]])
    singular, tilted, nearest = (lm.local_mean(far, year, flow, kernel=kernel)
                                 for kernel in (Shepard(2), Laplace(3.0), Gaussian(3.0)))
    tilt = softmax((year[:, 0] - year[-1, 0]) / 3.0)
    yield same("far away, d⁻²", singular, [flow.mean()], within=0.01,
               because="a century is 10⁻⁶ of the distance, and the flow differs by a thousand",
               broken=nearest, how="a Gaussian, whose nearest key decides alone")
    yield same("far away, exp(−d/h)", tilted, [tilt @ flow], within=1e-4,
               because="exponents of size 3·10⁷, each rounded",
               broken=singular, how="a power, under which all keys count alike")
    yield same("far away, exp(−d²/2h²)", nearest, [flow[-1]], within=1e-9,
               because="the last but one has the share exp(−10⁷)",
               broken=tilted, how="a tail that falls at one rate, so that several keys count")


def error_at_the_middle(m, kernel):
    """Return squared bias and variance at the middle of 2m keys, for the values |x| with noise of variance one."""
    side = (np.arange(m) + 0.5) / m
    keys, middle = np.concatenate([-side, side])[:, None], np.zeros((1, 1))
    bias = lm.local_mean(middle, keys, abs(keys[:, 0]), kernel=kernel)[0]
    return bias**2 + (lm.local_weights(middle, keys, kernel=kernel) ** 2).sum()


@claim("D7", kind=("limit", "counter-example"))
def the_error_in_the_sample_is_no_guide(seed=0):
    r"""If no two inputs coincide, the error in the sample tends to zero as $h \to 0$, whatever the data, while the
    error on each point without itself tends to that of its nearest neighbour."""
    patients, progress = datasets.diabetes()
    some = np.random.default_rng(seed).permutation(442)[:300]
    x, y = patients[some], progress[some]
    others = distances(x, x) + np.diag(np.full(300, np.inf))
    # Any two patients are 0.47 apart or more, nearly four of the last width: there the bound is below any hollow error.
    widths = np.array([2.0, 1.0, 0.5, 0.25, 0.125])
    inside, outside = (np.array([rms(y - lm.local_mean(x, x, y, kernel=kernel)) for kernel in kernels]) for kernels in (
        [Gaussian(h) for h in widths], [Gaussian(h).hollow() for h in widths]))

    # The weights of the others are at most exp(−d²/2h²), d being the distance of the nearest, so their share is at most
    # 299 times that; the values differ by no more than their range.
    near = others.min(1)
    bound = [rms(np.ptp(y) * np.minimum(1, 299 * np.exp(-(near**2) / (2 * h**2)))) for h in widths]
    yield at_most("in the sample", inside, bound, within=1e-9, because="sums of 300 terms of size 100, each rounded",
                  broken=outside, how="a hollow kernel, which leaves each patient out")
    slow = [rms(y - [one_left_out(x, y, i, h) for i in range(300)]) for h in widths]
    yield same("without oneself", outside, slow, relative=1e-10, because="two orders of 299 additions",
               broken=inside, how="a kernel that keeps each patient's own weight")
    tiny = rms(y - lm.local_mean(x, x, y, kernel=Gaussian(1e-3).hollow()))
    yield same("the end of it", tiny, rms(y - y[others.argmin(1)]), relative=1e-12,
               because="the next has the share exp(−10⁴) or less",
               broken=rms(y - lm.local_mean(x, x, y, kernel=Gaussian(1e-3))),
               how="a kernel that keeps each patient's own weight")


def rms(residual):
    """Return the root mean square."""
    return np.sqrt(np.mean(np.square(residual)))


def one_left_out(x, y, i, h):
    """Return the Gaussian mean at point i of the values of all others."""
    square = (np.delete(x, i, axis=0) - x[i]) ** 2
    return softmax(-square.sum(1) / (2 * h**2)) @ np.delete(y, i, axis=0)


@claim("D8", kind="counter-example")
def a_kernel_learned_by_copying(seed=0):
    r"""The least of $\lVert X - \tilde K X \rVert$ over all kernels is zero, at $\tilde K = I$, where nothing has been
    learned; a hollow kernel reconstructs each point from the others and comes no closer than their convex hull."""
    patients = datasets.diabetes().x
    x = patients[np.random.default_rng(seed).permutation(442)[:100]]
    widths = (0.05, 0.5, 1.0, 2.0)
    whole = np.array([np.linalg.norm(x - lm.local_mean(x, x, kernel=Gaussian(h)), axis=1) for h in widths])
    hollow = np.array([np.linalg.norm(x - lm.local_mean(x, x, kernel=Gaussian(h).hollow()), axis=1) for h in widths])
    yield same("copied", whole[0], np.zeros(100), within=1e-9,
               because="neighbours are more than half a unit away, ten widths of 0.05",
               broken=hollow[0], how="a hollow kernel, which may not copy")
    slow = [[np.linalg.norm(x[i] - one_left_out(x, x, i, h)) for i in range(100)] for h in widths]
    yield same("reconstructed", hollow, slow, within=1e-12, because="rounding of 99 additions",
               broken=whole, how="a kernel that keeps each point's own weight")
    hull = np.array([distance_from_hull(x[i], np.delete(x, i, axis=0)) for i in range(100)])
    yield at_least("no closer than the hull", hollow, np.tile(hull, (len(widths), 1)), within=1e-4,
                   because="the hull's condition that weights sum to one is kept to 10⁻⁶",
                   broken=whole, how="a kernel that keeps each point's own weight")


def distance_from_hull(point, others):
    """Return the distance of a point from the convex hull of others: least squares with non-negative weights."""
    firm = 1e4  # how much the sum of the weights counts beside the coordinates
    weights, _ = nnls(np.vstack([others.T, np.full(len(others), firm)]), np.append(point, firm))
    return np.linalg.norm(point - others.T @ weights)


@claim("D9", kind=("limit", "counter-example"), sources=("degroot1974", "zhu2003"))
def averages_of_averages_collapse(seed=0):
    r"""If a symmetric $K$ is connected *and aperiodic*, $\tilde K^t f$ tends to one number, the mean of $f$ weighted by
    the degrees $D_i = \sum_j K_{ij}$, at the rate $|\lambda_2|$; with values held at labels it tends to the harmonic
    extension of the labels instead."""
    rng = np.random.default_rng(seed)
    year, flow = datasets.nile().x[:, None], datasets.nile().y
    weights = gaussian(year, year, 3.0)
    degrees = weights.sum(1)
    consensus = degrees @ flow / degrees.sum()
    states = lazy_iteration(year, flow, kernel=Gaussian(3.0), steps=6000)
    yield same("where it ends", states[-1], np.full(100, consensus), within=1e-3,
               because="the slowest mode has faded to λ₂⁶⁰⁰⁰ of a few hundred",
               broken=np.full(100, flow.mean()), how="the plain mean, in which the ends count in full")
    second = np.linalg.eigvalsh(weights / np.sqrt(np.outer(degrees, degrees)))[-2]
    slower = lazy_iteration(year, flow, kernel=Gaussian(3.0), relaxation=0.5, steps=3000)
    distance, hesitant = (abs(path[[2000, 2500, 3000]] - consensus).max(1) for path in (states, slower))
    yield same("how fast", (distance[1:] / distance[:-1]) ** (1 / 500), second, within=1e-6,
               because="the third mode has faded by (λ₃/λ₂)²⁰⁰⁰",
               broken=(hesitant[1:] / hesitant[:-1]) ** (1 / 500), how="a map that goes only half of the way")

    x = np.linspace(0, 4, 40)[:, None] + rng.uniform(0, 0.05, (40, 1))
    flat = averages((distances(x, x) <= 1.5).astype(float))
    spread = np.ptp(lazy_iteration(x, x[:, 0], kernel=Flat(1.5), steps=80)[[40, 60, 80]], axis=1)
    swap = np.ptp(lazy_iteration(x[:2], [0.0, 1.0], kernel=Flat(9.0).hollow(), steps=80)[[40, 60, 80]], axis=1)
    yield same("a flat window", (spread[1:] / spread[:-1]) ** (1 / 20), np.sort(abs(np.linalg.eigvals(flat)))[-2],
               within=1e-3, because="the third eigenvalue's share after forty steps",
               broken=(swap[1:] / swap[:-1]) ** (1 / 20), how="a periodic map: two points that swap for ever")

    apart = np.concatenate([x[:20], x[20:] + 10])
    two = lazy_iteration(apart, x[:, 0], kernel=Flat(1.5), steps=1000)[-1]
    near = (distances(apart, apart) <= 1.5).sum(1)
    means = [np.average(x[half, 0], weights=near[half]) for half in (slice(20), slice(20, 40))]
    joined = lazy_iteration(x, x[:, 0], kernel=Flat(1.5), steps=1000)[-1]
    yield same("two groups apart", two, np.repeat(means, 20), within=1e-9,
               because="both groups have faded to rounding",
               broken=joined, how="groups so close that the kernel joins them")

    known = rng.random(100) < 0.5
    labels = np.where(known, flow, np.nan)
    held = lm.LazyMap(Gaussian(3.0), tol=1e-9).fit(year, labels)
    step, free = averages(weights), ~known
    among, from_labels = step[np.ix_(free, free)], step[np.ix_(free, known)] @ flow[known]
    harmonic = flow.copy()
    harmonic[free] = np.linalg.solve(np.eye(free.sum()) - among, from_labels)
    let_go = lazy_iteration(year, labels, kernel=Gaussian(3.0), steps=held.n_iter_)[-1]
    yield same("held at labels", held.transduction_, harmonic, within=1e-5,
               because="10⁻⁹ of the flow's range is left to go",
               broken=let_go, how="labels that nobody holds")
    after = year + 0.5
    yield same("between the settled years", held.predict(after), averages(gaussian(after, year, 3.0)) @ harmonic,
               within=1e-5, because="the same 10⁻⁹",
               broken=averages(gaussian(after, year, 3.0)) @ let_go, how="labels that nobody holds")

    cloud = np.concatenate([rng.normal(0, 0.3, (30, 2)), rng.normal(1.2, 0.3, (30, 2))])
    start = rng.normal(size=60)
    step = averages(gaussian(cloud, cloud, 0.4))
    powers = [np.linalg.matrix_power(step, t) @ start for t in range(6)]
    yield same("step by step", lazy_iteration(cloud, start, kernel=Gaussian(0.4), steps=5), powers, within=1e-13,
               because="five products with rows of sixty",
               broken=lazy_iteration(cloud, start, kernel=Gaussian(0.4), relaxation=0.5, steps=5),
               how="a map that goes only half of the way")
    scaled = lm.LazyMap(Gaussian(0.4), safeguard="scale", max_iter=20000, tol=1e-10).fit(cloud, start).transduction_
    mode = slowest_mode(gaussian(cloud, cloud, 0.4))
    with warnings.catch_warnings(action="ignore"):  # that it collapses is what the twin is for
        gone = lm.LazyMap(Gaussian(0.4), safeguard="none", max_iter=20000).fit(cloud, start).transduction_
    yield same("held at a scale", abs(np.corrcoef(scaled, mode)[0, 1]), 1, within=1e-8,
               because="the way left to go is 10⁻¹⁰ of the range, and what is left of the mode's angle is its square",
               broken=abs(np.corrcoef(gone, start)[0, 1]), how="a scale that nobody holds")
    yield same("the scale itself", [scaled.mean(), scaled.std()], [start.mean(), start.std()], within=1e-12,
               because="mean and spread are set at the last step",
               broken=[gone.mean(), gone.std()], how="a scale that nobody holds")


def slowest_mode(weights):
    """Return the eigenvector of D⁻¹K for its second eigenvalue, through the symmetric matrix D^(−½)KD^(−½)."""
    root = np.sqrt(weights.sum(1))
    return np.linalg.eigh(weights / np.outer(root, root))[1][:, -2] / root


@claim("D10", kind=("limit", "counter-example"))
def what_is_no_mean_fares_otherwise(seed=0):
    r"""Kernel ridge fitted again to its own answers tends to zero, by $\kappa_1/(\kappa_1 + \alpha)$ a step, $\kappa_1$
    being the largest eigenvalue of the kernel's matrix and $\alpha$ the penalty; a least-squares line has arrived
    after one step."""
    year = datasets.nile().x[:, None]
    values = datasets.nile().y + 100 * np.random.default_rng(seed).normal(size=100)
    largest = np.linalg.eigvalsh(Gaussian(30.0)(year))[-1]
    penalties = np.array([10.0, 30.0, 100.0])
    sizes = np.array([[np.linalg.norm(fit) for fit in refitted(KernelRidge(alpha=alpha, kernel="rbf", gamma=1 / 1800),
                                                              year, values, 101)[99:]] for alpha in penalties])
    mean = lazy_iteration(year, values, kernel=Gaussian(30.0), steps=101)[100:]
    stays = np.linalg.norm(mean[1]) / np.linalg.norm(mean[0])
    yield same("kernel ridge", sizes[:, 1] / sizes[:, 0], largest / (largest + penalties), within=1e-5,
               because="the second mode has faded by 0.87¹⁰⁰ or more",
               broken=np.full(3, stays), how="a local mean, whose rows sum to one")
    once, twice = refitted(LinearRegression(), year, values, 2)
    ridge = refitted(KernelRidge(alpha=3.0, kernel="rbf", gamma=1 / 1800), year, values, 2)
    yield same("a line", twice, once, relative=1e-10, because="two least-squares fits, each rounded",
               broken=(ridge[1], ridge[0]),
               how="kernel ridge in the line's place")


def refitted(model, x, values, steps):
    """Return the answers of a model that is fitted to its own answers again and again."""
    states = []
    for _ in range(steps):
        values = model.fit(x, values).predict(x)
        states.append(values)
    return states


@claim("D11", kind=("order", "identity"), sources=("tukey1977", "park2009"))
def twicing_squares_what_is_lost(seed=0):
    r"""Over evenly spaced keys and inside the data the Gaussian local mean loses a share of order $h^2$ of a wave and
    twicing one of order $h^4$, and twicing is the weighted mean of the kernel $2K - K*K$."""
    angle = 2 * np.pi * np.arange(400) / 400
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) / (2 * np.pi)  # of circumference one
    wave = np.sin(angle + np.random.default_rng(seed).uniform(0, 2 * np.pi))
    widths = np.array([0.005, 0.01, 0.02])
    once, twice = (np.array([abs(fit(ring, ring, wave, kernel=Gaussian(h)) - wave).max() for h in widths])
                   for fit in (lm.local_mean, twicing))
    yield order("the mean", widths, once, 2, within=0.02, because="the next term is (2πh)²/4 of the first",
                broken=twice, how="residuals that have been added back")
    yield order("twicing", widths, twice, 4, within=0.04, because="the next term is (2πh)²/2 of the first",
                broken=once, how="residuals that nobody adds back")
    peak = abs(wave).max()
    yield same("the constants", [once[0] / widths[0] ** 2, twice[0] / widths[0] ** 4],
               [2 * np.pi**2 * peak, 4 * np.pi**4 * peak], relative=0.002,
               because="the next terms are of relative order (2πh)²/2",
               broken=[once[0] / widths[0] ** 2, once[0] / widths[0] ** 4], how="residuals that nobody adds back")

    x, h = np.linspace(0, 1, 401), 0.02
    inside = abs(x - 0.5) < 0.2
    impulse = (x == 0.5).astype(float) * 400
    answer = twicing(x[inside, None], x[:, None], impulse, kernel=Gaussian(h))
    plain = bell(x[inside] - 0.5, h)
    yield same("2K − K∗K", answer, 2 * plain - bell(x[inside] - 0.5, np.sqrt(2) * h), within=1e-9,
               because="sums of a Gaussian over a grid eight times finer than its width",
               broken=plain, how="one smoothing only")


def bell(x, h):
    """Return the density of the normal distribution; that of a sum of two such has the width √2·h."""
    return np.exp(-(x**2) / (2 * h**2)) / np.sqrt(2 * np.pi) / h


@claim("D12", kind=("limit", "counter-example"), sources=("cornillon2008", "dimarzio2008"))
def corrections_converge_or_explode(seed=0):
    r"""Residuals that are smoothed and added back again and again never grow, in the norm weighted by the degrees, if
    the kernel is positive definite; on a row of years they grow, by $1 - \lambda_{\min}(\tilde K) > 1$ a step in the
    end, for the flat window of seven and for seven neighbours."""
    year = datasets.nile().x[:, None]
    values = np.random.default_rng(seed).normal(size=100)
    smooth, box = gaussian(year, year, 3.0), (distances(year, year) <= 3).astype(float)
    ranks = np.zeros((100, 100))
    np.put_along_axis(ranks, distances(year, year).argsort(1, kind="stable")[:, :7], 1.0, axis=1)
    soft, hard, near = Gaussian(3.0), Flat(3.0), NearestNeighbors(7)

    left, grown, third = (residual_correction(year, year, values, kernel=kernel, steps=steps).residuals
                          for kernel, steps in ((soft, 40), (hard, 400), (near, 400)))
    yield same("what the Gaussian leaves", left, what_is_left(smooth, values, 40), relative=1e-9,
               because="forty products with rows of a hundred",
               broken=grown[:41], how="a flat window in its place")
    asked = slice(10, 60)
    fit, poor = (residual_correction(year[asked], year, values, kernel=kernel, steps=3).value
                 for kernel in (soft, hard))
    share = np.eye(100) - averages(smooth)
    corrected = values - np.linalg.matrix_power(share, 4) @ values
    yield same("what it answers", fit, corrected[asked], within=1e-12, because="four products with rows of a hundred",
               broken=poor, how="a flat window in its place")
    # In the norm that weighs by degree every factor lies in [0, 1).
    weighed = [np.sqrt(smooth.sum(1) @ (values - fit) ** 2) for fit in
               (residual_correction(year, year, values, kernel=soft, steps=s).value for s in (0, 1, 5, 20, 80))]
    raised = [np.sqrt(box.sum(1) @ (values - fit) ** 2) for fit in
              (residual_correction(year, year, values, kernel=hard, steps=s).value for s in (0, 1, 5, 20, 80))]
    yield at_most("it shrinks", weighed[1:], weighed[:-1], because="every factor 1 − λ lies between zero and one",
                  broken=(raised[1:], raised[:-1]), how="a flat window, of which some λ are negative")
    growth = [(size[400] / size[300]) ** (1 / 100) for size in (grown, third)]
    factors = [abs(1 - np.linalg.eigvals(averages(weights))).max() for weights in (box, ranks)]
    yield same("by what the others grow", growth, factors, relative=0.01,
               because="the modes beside the worst still share in it after 300 steps",
               broken=np.repeat((left[40] / left[30]) ** (1 / 10), 2), how="a Gaussian in their place")
    yield same("the factor", [correction_factor(year, kernel=kernel) for kernel in (hard, near)], factors,
               within=1e-9, because="eigenvalues of a matrix of a hundred rows",
               broken=[correction_factor(year, kernel=soft)] * 2, how="a Gaussian in their place")

    # On an endless row of years the window of seven multiplies a wave of angular frequency ω by its mean over seven
    # years, which is negative between the zeros 2π/7 and 4π/7, and beyond 6π/7: for three sevenths of the waves.
    worst = minimize_scalar(lambda w: np.sin(3.5 * w) / (7 * np.sin(w / 2)), bounds=(2 * np.pi / 7, 4 * np.pi / 7),
                            method="bounded")
    found, period, share = worst_mode(year, hard)
    smallest, short, none = worst_mode(year, soft)
    yield same("the worst wave", [found, period], [worst.fun, 2 * np.pi / worst.x], within=0.05,
               because="the row of years has ends, at which windows are shorter",
               broken=[smallest, short], how="a Gaussian, of which no λ is negative")
    yield same("how many are negative", share, 3 / 7, within=0.01, because="one wave in a hundred",
               broken=none, how="a Gaussian, of which no λ is negative")


def what_is_left(weights, values, steps):
    """Return the root mean squares of (I − S)ʲ⁺¹ v, from the eigenvectors of S."""
    root = np.sqrt(weights.sum(1))
    shares, modes = np.linalg.eigh(weights / np.outer(root, root))
    parts = modes.T @ (root * values)
    return [rms(modes @ ((1 - shares) ** (step + 1) * parts) / root) for step in range(steps + 1)]


def worst_mode(year, kernel):
    """Return the smallest eigenvalue of K̃, its eigenvector's period in years, and the share of negative ones."""
    values, modes = np.linalg.eig(lm.local_weights(year, year, kernel=kernel))
    order = np.argsort(values.real)
    power = abs(np.fft.rfft(modes[:, order[0]].real, 4000))
    return values.real[order[0]], 4000 / power.argmax(), np.mean(values.real < -1e-9)
