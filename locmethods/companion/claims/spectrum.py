"""What the page on the spectrum of averaging checks."""

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import ive
from sklearn.cluster import SpectralClustering as Theirs

import locmethods as lm
from locmethods.adaptive import sinkhorn
from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected.weights import averages, distances, gaussian
from locmethods.kernels import Exponential, Flat, Gaussian
from locmethods.spectrum import Spectrum


@claim("O1", kind="identity", sources=("coifman2006", "vonluxburg2007"))
def one_map_in_two_bases(seed=0):
    r"""If $K$ is symmetric, $P = D^{-1}K$ and $S = D^{-1/2} K D^{-1/2}$ are one linear map in two bases: they have the
    same eigenvalues, trace and determinant, and $\psi = D^{-1/2}u$ turns eigenvectors of $S$ into those of $P$; the
    norm of $S$ is one, and that of $P$ is larger if $K$ connects the keys and their degrees differ."""
    x = np.random.default_rng(seed).random((60, 2))
    weights = gaussian(x, x, 0.15)
    degrees, row = weights.sum(1), averages(weights)
    found = Spectrum.of(x, Gaussian(0.15), 60)
    raw = np.linalg.eigvalsh(weights / degrees.mean())[::-1]
    yield same("eigenvalues", found.eigenvalues, np.sort(np.linalg.eigvals(row).real)[::-1], within=1e-10,
               because="both solvers are exact to rounding, times the root of the ratio of degrees",
               broken=raw, how="one number for all rows in the place of each row's own sum")
    yield same("trace", found.eigenvalues.sum(), (1 / degrees).sum(), within=1e-12,
               because="a sum of sixty numbers of at most one",
               broken=raw.sum(), how="one number for all rows in the place of each row's own sum")
    few = x[:12]
    small = gaussian(few, few, 0.15)
    logs = np.log(Spectrum.of(few, Gaussian(0.15), 12).eigenvalues).sum()
    yield same("determinant", logs, np.linalg.slogdet(small)[1] - np.log(small.sum(1)).sum(), within=1e-4,
               because="the smallest of twelve eigenvalues is known to 10⁻¹⁶, and is above 10⁻¹¹",
               broken=np.linalg.slogdet(small)[1], how="no division by the degrees")
    root = np.sqrt(degrees)
    twin = weights / np.outer(root, root)
    vectors = np.linalg.eigh(twin)[1][:, ::-1][:, :4]
    theirs = turned(vectors / root[:, None] * np.sqrt(degrees.sum()), found.right[:, :4])
    yield same("eigenvectors", found.right[:, :4], theirs, within=1e-6,
               because="rounding over the gaps between the first five eigenvalues, which are above 10⁻⁹",
               broken=turned(vectors * np.sqrt(60), found.right[:, :4]), how="eigenvectors that are not brought back")
    yield same("the norm of S", np.linalg.norm(twin, 2), 1, within=1e-12, because="it is the largest eigenvalue",
               broken=np.linalg.norm(row, 2), how="P in its place, whose norm is above one")
    # P 1 = 1, so ‖Pᵀ1‖ ≤ ‖P‖ ‖1‖ bounds the norm from below, and columns sum to Σᵢ Kᵢⱼ/Dᵢ.
    columns = (weights / degrees[:, None]).sum(0)
    yield at_least("the norm of P", np.linalg.norm(row, 2), np.linalg.norm(columns) / np.sqrt(60), within=1e-12,
                   because="rounding of a singular value", broken=np.linalg.norm(twin, 2),
                   how="S in its place, whose norm is one")


def turned(vectors, like):
    """Return the columns with the signs that bring them nearest to others."""
    return vectors * np.sign((vectors * like).sum(0))


@claim("O2", kind=("identity", "inequality"), sources=("chung1997", "bengio2004b"))
def a_symmetric_kernel_has_real_frequencies(seed=0):
    r"""For a symmetric $K$ the eigenvalues of $P = D^{-1}K$ are real and lie in $[-1, 1]$, with $1$ as often as the
    kernel leaves the keys in pieces; $\psi_1 = 1$, $\varphi_1 = \pi$, the left and right functions are biorthogonal,
    $P^t = \Psi \Lambda^t \Phi^\top$, and $\psi(x^*) = \lambda^{-1} m(x^*)$ with $m$ the local mean of $\psi$ and
    $\lambda \ne 0$; for a Mercer kernel no eigenvalue is negative."""
    rng = np.random.default_rng(seed)
    x, new, values = rng.random((80, 2)), rng.random((30, 2)), rng.normal(size=80)
    weights = gaussian(x, x, 0.2)
    row, law = averages(weights), weights.sum(1) / weights.sum()
    found = Spectrum.of(x, Gaussian(0.2), 80)
    yield same("biorthogonal", found.left.T @ found.right, np.eye(80), within=1e-12,
               because="eighty orthonormal columns, scaled back and forth",
               broken=found.right.T @ found.right / 80, how="right functions on both sides")
    yield same("the first pair", [found.right[:, 0], found.left[:, 0]], [np.ones(80), law], within=1e-14,
               because="a sum of eighty weights", broken=[law * 80, np.full(80, 1 / 80)],
               how="left and right exchanged")
    third = np.linalg.matrix_power(row, 3)
    yield same("powers", (found.right * found.eigenvalues**3) @ found.left.T, third, within=1e-12,
               because="three products with rows that sum to one",
               broken=(found.left * found.eigenvalues**3) @ found.right.T, how="left and right exchanged")
    yield same("three averages at once", found.averaged(values, 3), third @ values, within=1e-11,
               because="the same, times values of a few units",
               broken=third.T @ values, how="an average over the left functions")
    few = Spectrum.of(x, Gaussian(0.2), 6)
    fresh = averages(gaussian(new, x, 0.2))
    yield same("new points", few.extend(new), fresh @ few.right / few.eigenvalues, within=1e-10,
               because="one local mean each, divided by an eigenvalue above a hundredth",
               broken=fresh @ few.right, how="a local mean that is not divided by the eigenvalue")
    solved = np.linalg.eig(row)
    order = np.argsort(-solved.eigenvalues.real)[:6]
    functions = solved.eigenvectors[:, order].real
    functions = turned(functions / np.sqrt(law @ functions**2), few.right)
    yield same("new points by another solver", few.extend(new), fresh @ functions / solved.eigenvalues[order].real,
               within=1e-5, because="rounding over the gaps between eigenvalues, which are above 10⁻⁹",
               broken=fresh @ functions, how="a local mean that is not divided by the eigenvalue")

    halves = x + 3.0 * (np.arange(80) % 2)[:, None]  # two groups that do not see each other
    box = (distances(halves, halves) <= 0.25).astype(float)
    flat = Spectrum.of(halves, Flat(0.25), 80).eigenvalues
    yield same("a flat window", flat, np.sort(np.linalg.eigvals(averages(box)).real)[::-1], within=1e-6,
               because="eigenvalues of P that coincide are known to the root of rounding",
               broken=np.linalg.eigvalsh(box)[::-1], how="sums in the place of means")
    yield at_most("no larger than one", abs(flat), 1, within=1e-12, because="rounding",
                  broken=abs(np.linalg.eigvalsh(box)), how="sums in the place of means")
    yield same("pieces", np.sum(flat > 1 - 1e-9), connected_components(box)[0], within=0,
               because="a count",
               broken=np.sum(found.eigenvalues > 1 - 1e-9), how="a Gaussian, which joins all pieces")
    yield at_least("Mercer", found.eigenvalues, 0, within=1e-12, because="rounding",
                   broken=flat, how="a flat window, which is no Mercer kernel")


@claim("O3", kind="identity", sources=("coifman2006", "shi2000"))
def distances_between_what_is_seen(seed=0):
    r"""For a symmetric $K$ the distance between two rows of $P^t$, entries weighted by $1/\pi_k$, is Euclidean in the
    coordinates $\lambda_l^t \psi_l$: $\sum_k (P^t_{ik} - P^t_{jk})^2/\pi_k = \sum_l \lambda_l^{2t} (\psi_l(i) -
    \psi_l(j))^2$; and $k$-means on the first $\psi$ of a kernel without its diagonal, from one random state, finds
    scikit-learn's spectral clusters where no eigenvalue repeats."""
    rng = np.random.default_rng(seed)
    x, new = rng.random((70, 2)), rng.random((20, 2))
    weights = gaussian(x, x, 0.2)
    law, found = weights.sum(1) / weights.sum(), Spectrum.of(x, Gaussian(0.2), 70)
    for time in (1, 4):
        rows = np.linalg.matrix_power(averages(weights), time)
        yield same(f"after {time}", found.diffusion_distances(time) ** 2, distances(rows / np.sqrt(law),
                                                                                rows / np.sqrt(law)) ** 2,
                   within=1e-9, because="rounding, times 1/π of a few hundred",
                   broken=distances(rows, rows) ** 2, how="entries that all weigh the same")
    places = found.diffusion_map(4)
    yield same("the map", distances(places, places), distances(rows / np.sqrt(law), rows / np.sqrt(law)), within=1e-6,
               because="the root of rounding, where two keys nearly coincide",
               broken=distances(found.right, found.right), how="functions that are not scaled by their eigenvalues")
    model = lm.DiffusionMap(Gaussian(0.2), n_components=4, time=4)
    yield same("as an estimator", distances(model.fit_transform(x), model.embedding_), distances(places[:, 1:5],
                                                                                             places[:, 1:5]),
               within=1e-12, because="the constant adds nothing to a distance",
               broken=distances(found.right[:, 1:5], found.right[:, 1:5]), how="functions that are not scaled")
    fresh = averages(gaussian(new, x, 0.2))
    formula = fresh @ np.linalg.matrix_power(averages(weights), 3) @ found.right[:, 1:5]
    yield same("new points", model.transform(new), formula, within=1e-10,
               because="four averages of functions of a few units",
               broken=fresh @ found.right[:, 1:5], how="one average in the place of four")

    moons = datasets.moons(200, seed=seed, noise=0.05).x
    kernel, new = Gaussian(0.2).hollow(), datasets.moons(100, seed=seed + 1, noise=0.05).x
    ours = lm.SpectralClustering(4, kernel, random_state=seed)
    labels = ours.fit_predict(moons)
    theirs = Theirs(4, gamma=12.5, random_state=seed).fit_predict(moons)
    dealt = theirs[rng.permutation(200)]
    yield same("clusters", labels, theirs, within=0, because="labels are equal or they are not",
               broken=dealt, how="labels that have been dealt out anew")
    near = gaussian(new, moons, 0.2)
    extended = averages(near) @ ours.spectrum_.right / ours.spectrum_.eigenvalues
    centres = np.array([ours.spectrum_.right[theirs == label].mean(0) for label in range(4)])
    asked = distances(extended, centres).argmin(1)
    yield same("clusters of new points", ours.predict(new), asked, within=0,
               because="labels are equal or they are not",
               broken=ours.predict(new[::-1]), how="points that have changed places")


@claim("O4", kind=("counter-example", "identity"), sources=("kelly1979",))
def queries_of_their_own_make_averaging_turn(seed=0):
    r"""A positive kernel that is not symmetric may have complex eigenvalues, and then no change of basis makes it
    symmetric: for $n$ points $x$ evenly on a circle and $K = e^{R_\delta x_i \cdot x_j/\tau}$, with queries turned by
    the angle $\delta$, they are $e^{ik\delta} I_k(1/\tau)/I_0(1/\tau)$ for $|k| < n/2$, up to a remainder that
    vanishes faster than any power of $1/n$."""
    rng = np.random.default_rng(seed)
    delta, tau, n = rng.uniform(0.4, 1.2), 0.5, 48
    ring = circle(np.arange(n) / n + rng.random())
    turn = rotation(delta)
    kernel = Exponential(tau).on(lambda points: points @ turn.T, lambda points: points)
    own = lm.local_weights(ring, ring, kernel=kernel)
    shared = lm.local_weights(ring, ring, kernel=Exponential(tau))
    waves = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(7)) / n)
    bessel = ive(np.arange(7), 1 / tau) / ive(0, 1 / tau)
    turning = np.exp(1j * delta * np.arange(7)) * bessel
    yield same("eigenvalues", own @ waves, turning * waves, within=1e-12,
               because="sums over 48 points leave out waves beyond the 40th, of which the kernel has 10⁻⁴⁰",
               broken=shared @ waves, how="queries that are not turned")
    yield same("as LAPACK finds them", np.sort(abs(np.linalg.eigvals(own).imag))[::-1][:2],
               np.repeat(abs(turning.imag).max(), 2), within=1e-10, because="rounding of a normal matrix",
               broken=np.sort(abs(np.linalg.eigvals(shared).imag))[::-1][:2], how="queries that are not turned")
    # Kolmogorov's criterion: a chain is reversible just if every circle is as likely one way round as the other.
    three = [0, n // 3, 2 * n // 3]
    forth, back = (np.log(own[three, np.roll(three, way)]).sum() for way in (-1, 1))
    yield same("one way round and the other", abs(forth - back), 3 * np.sqrt(3) * np.sin(delta) / tau, within=1e-12,
               because="six logarithms", broken=abs(np.log(shared[three, np.roll(three, -1)]).sum()
                                                    - np.log(shared[three, np.roll(three, 1)]).sum()),
               how="queries that are not turned")


def circle(turns):
    """Return points on the unit circle, by the share of a whole turn at which they lie."""
    return np.column_stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])


def rotation(angle):
    """Return the matrix that turns the plane by an angle."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@claim("O5", kind=("identity", "counter-example"))
def who_sees_only_the_past(seed=0):
    r"""The averages of causal attention form a triangular matrix, whose eigenvalues are its diagonal, the weight of
    each token for itself; $n$ equal tokens have the eigenvalues $1/i$, and there are three tokens for which the matrix
    is defective: an entry of its $t$-th power is $t/2^{t+1}$."""
    tokens = np.random.default_rng(seed).normal(size=(8, 3))
    scores = np.exp(tokens @ tokens.T / 3)
    past = np.tri(8, dtype=bool)
    own = np.diag(scores) / (scores * past).sum(1)
    causal = lm.local_weights(tokens, tokens, kernel=Exponential(3.0).where(past))
    open_to_all = lm.local_weights(tokens, tokens, kernel=Exponential(3.0))
    found, free = (np.sort(np.linalg.eigvals(matrix).real) for matrix in (causal, open_to_all))
    yield same("the diagonal", found, np.sort(own), within=1e-12, because="eight quotients of sums",
               broken=free, how="tokens that see the future too")
    equal = lm.local_weights(np.ones((8, 1)), np.ones((8, 1)), kernel=Exponential(3.0).where(past))
    mixed = lm.local_weights(np.ones((8, 1)), np.ones((8, 1)), kernel=Exponential(3.0))
    yield same("equal tokens", np.sort(np.linalg.eigvals(equal).real), 1 / np.arange(8, 0, -1.0), within=1e-9,
               because="rounding, times the condition of a triangle of binomials",
               broken=np.sort(np.linalg.eigvals(mixed).real), how="tokens that see the future too")

    chained = three_tokens()
    sees = np.tri(3, dtype=bool)
    apart = sees.copy()
    apart[2, 1] = False
    block, whole = (lm.local_weights(chained, chained, kernel=Exponential(1.0).where(mask)) for mask in (sees, apart))
    times = np.arange(1, 21)
    yield same("t/2^(t+1)", [np.linalg.matrix_power(block, t)[2, 1] for t in times], times / 2.0 ** (times + 1),
               within=1e-14, because="twenty products of numbers of at most one",
               broken=[np.linalg.matrix_power(whole, t)[2, 1] for t in times],
               how="a third token that does not see the second")
    yield same("one eigenvector for two eigenvalues", np.linalg.matrix_rank(block - np.eye(3) / 2, tol=1e-9), 2,
               within=0, because="a rank", broken=np.linalg.matrix_rank(np.diag(np.diag(block)) - np.eye(3) / 2,
                                                                     tol=1e-9),
               how="tokens that see themselves only")


def three_tokens():
    """Return tokens of which the second weighs the first as itself, the third both together as itself."""
    size = (1 + np.sqrt(1 + 4 * np.log(2))) / 2  # the root of p² = p + log 2
    return np.array([[1.0, 2.0], [1.0, 0.0], [size, 0.0]])


@claim("O6", kind="counter-example", sources=("sinkhorn1967",))
def scaling_both_sides_is_another_map(seed=0):
    r"""Scaling a symmetric kernel's rows and columns to sums of one is no change of basis: of $p$ keys in one place and
    $q$ in another, with the weight $a$ between the places, $P$ has the second eigenvalue
    $p/(p + qa) + q/(pa + q) - 1$ and the scaled matrix $1 - (p + q)c$ with $pq(1 - a^2)c^2 + a^2(p + q)c = a^2$, which
    agree only for $p = q$ if $0 < a < 1$."""
    rng = np.random.default_rng(seed)
    p, q, apart = 10, int(rng.integers(2, 6)), rng.uniform(0.8, 1.6)
    keys = np.repeat([0.0, apart], [p, q])[:, None]
    a = np.exp(-(apart**2) / 2)
    scaled = sinkhorn(keys, kernel=Gaussian(1.0), tol=1e-13).mean(np.eye(p + q))
    second = np.linalg.eigvalsh((scaled + scaled.T) / 2)[-2]
    one_sided = Spectrum.of(keys, Gaussian(1.0), 2).eigenvalues[1]
    # c = 2a² / (a²s + √(a⁴s² + 4pq(1 − a²)a²)) with s = p + q, the positive root.
    s = p + q
    c = 2 * a**2 / (a**2 * s + np.sqrt(a**4 * s**2 + 4 * p * q * (1 - a**2) * a**2))
    yield same("rows alone", one_sided, p / (p + q * a) + q / (p * a + q) - 1, within=1e-12, because="rounding",
               broken=second, how="rows and columns scaled")
    yield same("rows and columns", second, 1 - s * c, within=1e-10, because="sums of one are kept to 10⁻¹³",
               broken=one_sided, how="rows alone scaled")
    even = np.repeat([0.0, apart], [5, 5])[:, None]
    scaled = sinkhorn(even, kernel=Gaussian(1.0), tol=1e-13).mean(np.eye(10))
    yield same("places with as many keys", np.linalg.eigvalsh((scaled + scaled.T) / 2)[-2],
               Spectrum.of(even, Gaussian(1.0), 2).eigenvalues[1], within=1e-10,
               because="sums of one are kept to 10⁻¹³", broken=(second, one_sided), how="unequal numbers of keys")
