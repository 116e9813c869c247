"""What the page on random projections checks: one length, all pairs, kernels, four matrices, and where it is no use."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.linalg import hadamard
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import pdist
from scipy.special import gammaln
from scipy.stats import chi2
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.random_projection import (
    GaussianRandomProjection,
    SparseRandomProjection,
    johnson_lindenstrauss_min_dim,
)

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.weights import averages, gaussian
from locmethods.kernels import Gaussian
from locmethods.projection import (
    RandomProjection,
    dimension,
    distortion,
    failure_probability,
    hadamard_transform,
    kernel_error,
)


@claim("S1", kind="inequality", sources=("su2021", "dasgupta2003"))
def one_length_has_a_tail_of_chi_square(seed=0):
    r"""A Gaussian matrix of $k$ independent rows, entries of variance $1/k$, makes of a unit vector one whose squared
    length is $\chi^2_k/k$; it is off by $\varepsilon \in (0, 1)$ or more with a probability of at most
    $2e^{-\varepsilon^2 k/8}$, whatever the vector is."""
    sizes, shares = np.array([2, 5, 20, 100, 400]), np.array([0.1, 0.3, 0.5, 0.9])
    k, eps = (part.ravel() for part in np.meshgrid(sizes, shares))
    found = np.array([failure_probability(int(a), b) for a, b in zip(k, eps, strict=True)])
    integrals = [1 - quad(chi_square_density, a * (1 - b), a * (1 + b), args=(a,), epsabs=1e-13)[0]
                 for a, b in zip(k, eps, strict=True)]
    yield same("the tails", found, integrals, within=1e-11, because="quadrature to 13 digits, and one minus it",
               broken=chi2.sf(k * (1 + eps), k), how="the upper of the two tails alone")
    alone = chi2.sf(1 + eps, 1) + chi2.cdf(1 - eps, 1)
    yield at_most("the bound", found, 2 * np.exp(-eps**2 * k / 8), within=1e-15, because="rounding of both sides",
                  broken=alone, how="rows that are all the same one, so that nothing averages out")

    # One matrix of 60,000 rows is 3,000 matrices of 20.
    draws, rows, share = 3000, 20, 0.5
    first, second = datasets.digits().x[np.random.default_rng(seed).choice(1797, 2, replace=False)]
    u = (first - second) / np.linalg.norm(first - second)
    image = RandomProjection(draws * rows, random_state=seed).fit_transform(u[None])[0]
    lengths = draws * (image.reshape(draws, rows) ** 2).sum(1)
    expected = chi2.sf(rows * (1 + share), rows) + chi2.cdf(rows * (1 - share), rows)
    error = np.sqrt(expected * (1 - expected) / draws)
    yield same("two digits, drawn 3,000 times", np.mean(abs(lengths - 1) > share), expected, within=5 * error,
               because="five standard errors of a share",
               broken=np.mean(abs(lengths / rows - 1) > share),
               how="entries whose standard deviation, not their variance, is 1/k")


def chi_square_density(x, k):
    """Return the density of χ² with k degrees of freedom, from its formula."""
    return np.exp((k / 2 - 1) * np.log(x) - x / 2 - k / 2 * np.log(2) - gammaln(k / 2)) if x > 0 else 0.0


CASES = [(n, eps) for n in (100, 1000, 1797, 10**4, 10**5, 10**6) for eps in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)]


@claim("S2", kind=("identity", "counter-example"), sources=("dasgupta2003", "achlioptas2003", "su2021"))
def the_exact_dimension_is_where_the_tails_sum_to_the_risk(seed=0):
    r"""By the union bound a Gaussian matrix keeps all pairs of $n$ points within $1 \pm \varepsilon$ with probability
    $1 - \delta$ from the first $k$ on at which $\binom n2$ tails of $\chi^2_k$ sum to $\delta$; five constants are in
    use in its place, and the one of four logarithms, which is scikit-learn's, is too small for $\delta = 1/n$ where
    $100 \le n \le 10^6$ and $\varepsilon \le \frac12$."""
    few = [(n, eps) for n, eps in CASES if eps >= 0.3]
    slow = [first_dimension(math.comb(n, 2), eps, 1 / n) for n, eps in few]
    yield same("exactly", [dimension(n, eps) for n, eps in few], slow, because="whole numbers",
               broken=[first_dimension(n, eps, 1 / n) for n, eps in few], how="a sum over points instead of pairs")
    each = [first_dimension(1, eps, 1 / n) for n, eps in few]
    yield same("each pair for itself", [dimension(n, eps, promise="pairs") for n, eps in few], each,
               because="whole numbers", broken=slow, how="all pairs at once")

    n, eps = np.array(CASES).T
    rho = eps**2 / 2 - eps**3 / 3
    written = {"su": 24 * np.log(n) / eps**2, "su, one": 16 * np.log(n) / eps**2, "dasgupta": 6 * np.log(n) / rho,
               "dasgupta, one": 4 * np.log(n) / rho,
               "chernoff": 6 * np.log(n) / (eps - np.log1p(eps))}
    asked = {name: [dimension(int(a), b, method=name.split(",")[0], failure=1.0 if "one" in name else None)
                    for a, b in CASES] for name in written}
    yield same("five constants", list(asked.values()), np.ceil(list(written.values())), because="whole numbers",
               broken=[[dimension(int(a), b, promise="pairs", method=name.split(",")[0]) for a, b in CASES]
                       for name in written], how="the promise for each pair in place of all")

    theirs = np.array([johnson_lindenstrauss_min_dim(int(a), eps=b) for a, b in CASES])
    yield same("scikit-learn's", theirs + 1, asked["dasgupta, one"], because="theirs is rounded down, ours up",
               broken=(theirs, asked["dasgupta, one"]), how="a number that is rounded down on both sides")
    pairs = n * (n - 1) / 2
    yield at_least("the risk at scikit-learn's number", union(pairs, theirs, eps), 1 / n, within=1e-15,
                   because="rounding", broken=union(pairs, np.array([dimension(int(a), b) for a, b in CASES]), eps),
                   how="the exact number in its place")
    yield same("the risk, as it is computed", [failure_probability(int(k), b, int(a)) for k, (a, b) in
                                               zip(theirs, CASES, strict=True)],
               np.minimum(1, union(pairs, theirs, eps)), relative=1e-9, because="tails that two libraries compute",
               broken=union(1, theirs, eps), how="the risk of a single pair")


def union(pairs, k, eps):
    """Return the sum of the tails of so many pairs, by SciPy's distribution."""
    return pairs * (chi2.sf(k * (1 + eps), k) + chi2.cdf(k * (1 - eps), k))


def first_dimension(pairs, eps, risk):
    """Return the smallest k at which the tails sum to no more than the risk, one after another."""
    k = np.arange(1, 2500)
    return k[np.argmax(union(pairs, k, eps) <= risk)]


@claim("S3", kind="inequality")
def a_gaussian_kernel_moves_less_than_the_distances(seed=0):
    r"""If squared distances are off by a share of at most $\varepsilon < 1$, a Gaussian kernel moves by at most
    $\varepsilon(1-\varepsilon)^{(1-\varepsilon)/\varepsilon}$, whatever the bandwidth, and the bound is reached; with
    $\eta$ the most that it moves, a local mean of $n$ values moves by at most
    $2\eta\, n \max_i |v_i| / \sum_i K(x^*, x_i)$."""
    shares = np.array([0.01, 0.1, 0.3, 0.5, 0.9])
    # As a function of log t, t = r²/2h²; its maximum lies between t = 1 and t = −log(1 − ε)/ε = 2.6.
    most = [-minimize_scalar(lambda s, eps=eps: np.exp(-np.exp(s)) - np.exp(-(1 - eps) * np.exp(s)),
                             bounds=(-1, 2), method="bounded", options={"xatol": 1e-9}).fun for eps in shares]
    most_of_distances = [-minimize_scalar(lambda s, eps=eps: np.exp(-np.exp(s)) - np.exp(-(1 - eps)**2 * np.exp(s)),
                                          bounds=(-1, 3), method="bounded").fun for eps in shares]
    yield same("the bound is reached", kernel_error(shares), most, within=1e-12,
               because="a maximum that is found to a billionth has a height that is right to its square",
               broken=most_of_distances, how="distances, not their squares, that are off by ε")

    x, _ = patches(seed, each=12)
    change = RandomProjection(128, random_state=seed).fit_transform(x)
    kept = distortion(x, change)
    before, after = pdist(x, "sqeuclidean"), pdist(change, "sqeuclidean")
    shift = after[before > 0] / before[before > 0] - 1  # two patches may be the same
    yield same("what is measured", kept, [shift.min(), shift.max(), np.sqrt(np.mean(shift**2)), len(shift)],
               within=1e-12, because="squares of differences, each rounded",
               broken=[abs(shift).min(), abs(shift).max(), abs(shift).mean(), len(shift)],
               how="sizes of the changes in place of the changes")
    usual = np.sqrt(np.median(before))
    widths = usual * np.array([0.1, 0.25, 0.5, 1.0, 2.0])
    moved = [abs(Gaussian(h)(x) - gaussian(change, change, h)).max() for h in widths]
    squared = [abs(np.exp(-before / (2 * h**2)) - np.exp(-before * (1 - kept.worst)**2 / (2 * h**2))).max()
               for h in widths]
    yield at_most("patches of photographs", moved, kernel_error(kept.worst), within=1e-12,
                  because="rounding of exponents", broken=squared, how="distances that are off by the same share")
    yield same("the kernel itself", Gaussian(usual)(x), gaussian(x, x, usual), within=1e-10,
               because="products of 4,096 numbers in place of differences",
               broken=gaussian(x, x, np.sqrt(2) * usual), how="exp(−r²/4h²)")

    # Values of both signs; a wide kernel has many keys in reach, where the bound says most.
    values = np.random.default_rng(seed).choice([-1000.0, 1000.0], len(x))
    kernel = Gaussian(usual)
    weights = gaussian(x, x, usual)
    exact, projected = averages(weights) @ values, lm.local_mean(change, change, values, kernel=kernel)
    yield same("local means", lm.local_mean(x, x, values, kernel=kernel), exact, within=1e-8,
               because="72 values of size 1,000, and weights of eleven digits",
               broken=weights @ values / len(x), how="a division by the number of keys")
    yield same("projected local means", projected, averages(gaussian(change, change, usual)) @ values, within=1e-8,
               because="72 values of size 1,000, and weights of eleven digits", broken=exact,
               how="the distances before the projection")
    bound = 2 * kernel_error(kept.worst) * len(x) / weights.sum(1)
    yield at_most("what a mean moves", abs(projected - exact), 1000 * bound, within=1e-8, because="rounding",
                  broken=(abs(projected - exact), bound), how="a bound that forgets how large the values are")


def patches(seed, each):
    """Return patches of six photographs, 64 pixels square, as rows, and the photograph of each."""
    names = "camera", "astronaut", "chelsea", "coffee", "rocket", "moon"
    found = [extract_patches_2d(datasets.shipped(name, side=256), (64, 64), max_patches=each, random_state=seed)
             for name in names]
    return np.concatenate(found).reshape(-1, 4096), np.repeat(np.arange(6), each)


@claim("S4", kind=("order", "identity", "algorithm"), sources=("achlioptas2003", "li2006", "tropp2011"))
def the_distortion_falls_with_the_root_of_the_dimension(seed=0):
    r"""The share by which a squared length is off has mean zero, and the variance $2/k$ under a Gaussian matrix,
    $(2 - 2\kappa)/k$ under signs, $(2 + (1/\rho - 3)\kappa)/k$ under a sparse matrix of density $\rho$, and
    $\frac{p-k}{p-1}(2-2\kappa)/k$ under $k \le p$ rows of the Hadamard transform, where $\kappa = \sum_j u_j^4$ of
    the unit vector; all pairs are kept at least as often as the union bound says."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(32, 64))
    for name, ours, theirs in (("Gaussian", "gaussian", GaussianRandomProjection(24, random_state=seed)),
                               ("sparse", "sparse", SparseRandomProjection(24, random_state=seed)),
                               ("signs", "sign", SparseRandomProjection(24, density=1.0, random_state=seed))):
        expected = theirs.fit_transform(x)
        yield same(f"scikit-learn's, {name}", RandomProjection(24, method=ours, random_state=seed).fit_transform(x),
                   expected, within=1e-13, because="sums of 64 products in another order",
                   broken=expected / np.sqrt(24), how="entries of standard deviation, not variance, 1/k")
    yield same("the fast transform", hadamard_transform(x), x @ hadamard(64), within=1e-12,
               because="six additions, or 64", broken=x @ np.kron(np.eye(2), hadamard(32)),
               how="the last of its rounds left out")

    few = np.zeros(64)
    few[:4] = [0.8, 0.4, 0.4, 0.2]  # a vector of few entries, with which the four differ most
    # Of 64 rows so many that to draw them with or without replacement makes a difference of a factor of four.
    kappa, k, draws = (few**4).sum(), 48, 800
    off = np.array([lengths_of(name, few, k, draws, seed) - 1 for name in ("gaussian", "sign", "sparse", "hadamard")])
    unscaled = (off[2] + 1) / 8 - 1
    yield at_most("no bias", abs(off.mean(1)) / off.std(1) * np.sqrt(draws), 5, because="five standard errors",
                  broken=abs(unscaled.mean()) / unscaled.std() * np.sqrt(draws) * np.ones(4),
                  how="entries that are not divided by the root of the density")
    written = np.array([2, 2 - 2 * kappa, 2 + (8 - 3) * kappa, (64 - k) / 63 * (2 - 2 * kappa)]) / k
    error = np.std(off**2, axis=1) / np.sqrt(draws)
    yield at_most("four variances", abs((off**2).mean(1) - written) / error, 5, because="five standard errors",
                  broken=abs((off**2).mean(1) - 2 / k) / error, how="one variance for all four matrices")

    digits, dimensions = datasets.digits().x[rng.permutation(1797)[:100]], np.array([16, 64, 256, 1024])
    rms = np.array([[distortion(digits, RandomProjection(int(k), random_state=100 * seed + t).fit_transform(digits)).rms
                     for k in dimensions] for t in range(8)])
    slopes = np.polyfit(np.log(dimensions), np.log(rms).T, 1)[0]
    row = [distortion(digits, RandomProjection(1, random_state=seed).fit_transform(digits)).rms] * 4
    yield order("digits", dimensions, np.sqrt((rms**2).mean(0)), -0.5, within=5 * slopes.std() / np.sqrt(8),
                because="five standard errors of the slope, over eight matrices of each size",
                broken=row, how="one row that is repeated")

    cloud, eps, trials = rng.normal(size=(40, 200)), 0.5, 200
    enough, alone = (dimension(40, eps, promise, failure=0.5) for promise in ("all", "pairs"))
    kept = {size: np.mean([distortion(cloud, RandomProjection(size, random_state=1000 * seed + t).fit_transform(
        cloud)).worst <= eps for t in range(trials)]) for size in (enough, alone)}
    yield at_least("how often all pairs are kept", kept[enough], 0.5, within=4 * 0.5 / np.sqrt(trials),
                   because="four standard errors of a share of two hundred",
                   broken=kept[alone], how="the dimension that keeps each pair for itself")


def lengths_of(method, u, k, draws, seed):
    """Return the squared lengths of the images of a unit vector under as many matrices of k rows."""
    if method == "hadamard":  # whose rows are drawn together
        return np.array([(RandomProjection(k, method=method, random_state=seed * draws + t).fit_transform(u[None])
                          ** 2).sum() for t in range(draws)])
    image = RandomProjection(draws * k, method=method, random_state=seed).fit_transform(u[None])[0]
    return draws * (image.reshape(draws, k) ** 2).sum(1)


@claim("S5", kind="counter-example", sources=("su2021",))
def in_few_dimensions_it_is_no_use(seed=0):
    r"""To keep all pairs of 1,797 digits of 64 pixels the exact bound asks for more than 64 dimensions at
    $\varepsilon \le 0.9$, and 16 or 32 principal components keep their squared distances better than as many random
    dimensions do; 64 of them keep those of sentences, as weighted words, worse on average; and a point that is chosen
    after the matrix may lose its whole distance."""
    digits = datasets.digits().x
    shares = (0.1, 0.3, 0.5, 0.7, 0.9)
    yield at_least("dimensions that are asked for", [dimension(1797, eps) for eps in shares], 65,
                   because="whole numbers", broken=[dimension(1797, eps, promise="pairs", failure=0.5)
                                                    for eps in shares], how="half of the pairs instead of all")

    rng = np.random.default_rng(seed)
    some = digits[rng.permutation(1797)[:400]]
    noise = rng.normal(size=some.shape)
    sizes = (16, 32)
    learned, drawn = both(some, sizes, seed)
    yield at_most("digits, root mean square", learned[:, 0], drawn[:, 0], because="no rounding decides it",
                  broken=both(noise, sizes, seed)[0][:, 0], how="noise of equal spread in all features")
    photographs = both(patches(seed, each=40)[0], (128,), seed)
    yield at_most("digits, the worst pair", learned[:, 1], drawn[:, 1], because="no rounding decides it",
                  broken=(photographs[0][:, 1], photographs[1][:, 1]),
                  how="patches of photographs, of which many are near to each other")

    text = datasets.documentation_sentences().text
    words = TfidfVectorizer().fit_transform(text).toarray()[rng.permutation(len(text))[:300]]
    of_words, of_any = both(words, (64,), seed)
    yield at_least("sentences, root mean square", of_words[:, 0], of_any[:, 0], because="no rounding decides it",
                   broken=(learned[:, 0], drawn[:, 0]), how="digits in place of sentences")

    model = RandomProjection(16, random_state=seed).fit(digits)
    matrix = GaussianRandomProjection(16, random_state=seed).fit(digits).components_
    unseen = np.linalg.svd(matrix)[2][-1]
    later = np.stack([np.zeros(64), unseen])
    before = np.stack([np.zeros(64), rng.normal(size=64)])
    yield same("chosen after the matrix", distortion(later, model.transform(later)).lowest, -1, within=1e-12,
               because="a singular vector of the value zero, to rounding",
               broken=distortion(before, model.transform(before)).lowest, how="a point that knows nothing of it")


def both(points, sizes, seed):
    """Return root mean square and worst distortion of principal components and of a Gaussian matrix of these sizes."""
    found = []
    for make in (lambda k: PCA(k, svd_solver="full"), lambda k: RandomProjection(k, random_state=seed)):
        kept = [distortion(points, make(k).fit_transform(points)) for k in sizes]
        found.append(np.array([(one.rms, one.worst) for one in kept]))
    return found
