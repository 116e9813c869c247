"""What the page on relaxation labeling checks: supports, what rises, falls and goes round, and labels that are held."""

import warnings
from itertools import product

import numpy as np
from scipy import sparse
from scipy.integrate import solve_ivp
from scipy.optimize import nnls
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors as Search
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected.weights import averages, gaussian
from locmethods.kernels import Gaussian, NearestNeighbors
from locmethods.lazy import lazy_iteration
from locmethods.relaxation import (
    DenseCRF,
    LinearNeighborhoodPropagation,
    linear_neighborhoods,
    relaxation_path,
    support,
    unary_from_labels,
)

ALONE = sparse.csr_array([[1.0]])  # one object, which is its own neighbour
DILEMMA = np.array([[3.0, 0.0], [5.0, 1.0]])  # cooperate, defect: what one of them earns beside the other
ROCK_PAPER_SCISSORS = np.array([[1, 1.9, 0.1], [0.1, 1, 1.9], [1.9, 0.1, 1]])


def some_labels(rng, n, labels):
    """Return random probabilities of shape (n, labels), none of them near zero."""
    p = rng.random((n, labels)) + 0.1
    return p / p.sum(1, keepdims=True)


def step_by_step(weights, c, p, steps, change):
    """Return all states of a rule that changes p by its support, computed object by object."""
    path = [p]
    for _ in range(steps):
        q = np.array([sum(w * c @ other for w, other in zip(row, path[-1], strict=True)) for row in weights])
        new = change(path[-1], q)
        path.append(new / new.sum(1, keepdims=True))
    return np.array(path)


@claim("F1", kind="identity", sources=("rosenfeld1976",))
def the_support_is_a_local_mean(seed=0):
    r"""If a label is supported by the same label of neighbours, with weights $K(x_i, x_j)$ divided by their sum, then
    its support is the local mean of the label probabilities, and $p \leftarrow p(1+q)/\sum p(1+q)$ stays on the
    simplex."""
    rng = np.random.default_rng(seed)
    places, p = rng.normal(size=(40, 2)), some_labels(rng, 40, 3)
    mean = averages(gaussian(places, places, 0.5))
    yield same("the support", support(places, p, kernel=Gaussian(0.5), normalize=True), mean @ p, within=1e-13,
               because="forty additions", broken=gaussian(places, places, 0.5) @ p, how="weights that nobody divides")
    yield same("the local mean", lm.local_mean(places, places, p, kernel=Gaussian(0.5)), mean @ p, within=1e-13,
               because="forty additions", broken=gaussian(places, places, 0.5) @ p, how="weights that nobody divides")
    path = relaxation_path(places, p, steps=30, kernel=Gaussian(0.5), rule="additive")
    slow = step_by_step(mean, np.eye(3), p, 30, lambda p, q: p * (1 + q))
    yield same("step by step", path, slow, within=1e-12, because="thirty steps of forty additions",
               broken=step_by_step(mean, np.eye(3), p, 30, lambda p, q: p * q),
               how="a product with the support alone")
    linear = np.array([p + mean @ p, p + mean @ p])
    yield same("sums", path.sum(2), 1.0, within=1e-14, because="rows are divided by their sums",
               broken=(linear.sum(2), np.ones((2, 40))), how="a support that is added and not divided by the sum")
    yield at_least("no less than nothing", path, 0.0, because="products of numbers that are not negative",
                   broken=path - mean @ p, how="a support that is subtracted")
    others = gaussian(places, places, 0.5) - np.eye(40)
    hollow = support(places, p, kernel=Gaussian(0.5).hollow(), compatibility=DILEMMA_OF_THREE)
    yield same("without oneself", hollow, others @ p @ DILEMMA_OF_THREE.T, within=1e-12, because="forty additions",
               broken=others @ p @ DILEMMA_OF_THREE, how="compatibilities read the other way round")


DILEMMA_OF_THREE = np.array([[3.0, 0.0, 1.0], [5.0, 1.0, 0.0], [2.0, 2.0, 2.0]])


@claim("F2", kind=("monotone", "limit"), sources=("baum1967", "pelillo1997", "hummel1983"))
def symmetric_support_only_rises(seed=0):
    r"""If $r_{ij}(\lambda, \mu) = r_{ji}(\mu, \lambda) \ge 0$, no step of $p \leftarrow pq/\sum pq$ lowers the average
    local consistency $A(p) = \sum_i \sum_\lambda p_i(\lambda)\, q_i(\lambda)$, and where it settles, from a start
    inside the simplex, no label of any object has more support than the object's mean."""
    rng = np.random.default_rng(seed)
    places, p = rng.normal(size=(40, 2)), some_labels(rng, 40, 3)
    half = rng.random((3, 3))
    c, weights = half + half.T, gaussian(places, places, 0.5) - np.eye(40)
    with warnings.catch_warnings(action="ignore"):  # it is stopped on the way
        model = lm.RelaxationLabeling(c, kernel=Gaussian(0.5).hollow(), tol=0, max_iter=60).fit(places, p)
    slow = step_by_step(weights, c, p, 60, lambda p, q: p * q)
    yield same("the rule", model.probabilities_, slow[-1], within=1e-9,
               because="sixty steps, each of which may enlarge rounding",
               broken=step_by_step(weights, c, p, 60, lambda p, q: p * (1 + q))[-1],
               how="the additive rule")
    value = [np.einsum("ia,ij,ab,jb", state, weights, c, state) for state in slow]
    crossed = [np.einsum("ia,ij,ab,jb", after, weights, c, before) for before, after in
               zip([*slow[:1], *slow[:-1]], [*slow[1:], *slow[-1:]], strict=True)]
    yield same("the consistency", model.consistency_, value, relative=1e-9, because="the same rounding",
               broken=crossed, how="the supports of one state and the labels of the next")
    falls = relaxation_path(places, p[:, :2] / p[:, :2].sum(1)[:, None], steps=60, kernel=Gaussian(0.5).hollow(),
                            compatibility=DILEMMA)
    fallen = np.einsum("tia,ij,ab,tjb->t", falls, weights, DILEMMA, falls)
    rise, fall = np.diff(model.consistency_) / model.consistency_[1:], np.diff(fallen) / fallen[1:]
    yield at_least("it never falls", rise, 0.0, within=1e-13, because="rounding of 14,400 additions",
                   broken=fall, how="the prisoner's dilemma, which is not symmetric")
    ended = lm.RelaxationLabeling(c, kernel=Gaussian(0.5).hollow(), tol=1e-10, max_iter=20_000).fit(places, p)
    q = weights @ ended.probabilities_ @ c
    most = (q.max(1) - (ended.probabilities_ * q).sum(1)) / q.max(1)
    early = weights @ slow[3] @ c
    yield at_most("where it ends", most, 0.0, within=1e-5,
                   because="it stopped at a step of 10⁻¹⁰, and a label likelier than 10⁻⁵ that had more support than "
                           "this share would have moved farther",
                  broken=(early.max(1) - (slow[3] * early).sum(1)) / early.max(1), how="a stop after three steps")
    yield same("the excess it reports", model.excess_, excess(weights, c, slow[-1]), within=1e-9,
               because="the same rounding", broken=excess(weights, c, p), how="the excess of the start")
    alike = lm.RelaxationLabeling(kernel=Gaussian(0.5).hollow(), tol=0, max_iter=5)
    with warnings.catch_warnings(action="ignore"):
        labels, again = alike.fit(places, p).labels_, alike.fit_predict(places, p)
    slow = step_by_step(weights, np.eye(3), p, 5, lambda p, q: p * q)[-1]
    yield same("the labels", [labels, again], np.tile(slow.argmax(1), (2, 1)),
               because="labels are equal or they are not",
               broken=(np.tile(p.argmax(1), (2, 1)), np.tile(slow.argmax(1), (2, 1))), how="the labels of the start")
    yield same("why it stopped", [one.stopped_ == "max_iter" for one in (model, alike, ended)], [1, 1, 0],
               because="two were stopped on the way", broken=[0, 0, 0], how="all called settled")


def excess(weights, c, p):
    """Return how much more support than its mean the best supported label of any object has."""
    q = weights @ p @ c.T
    return max(max(row) - row @ own for row, own in zip(q, p, strict=True))


@claim("F3", kind="counter-example", sources=("hummel1983",))
def without_symmetry_it_may_fall_or_go_round(seed=0):
    r"""If compatibilities are not symmetric, $A$ may fall at every step, as in the prisoner's dilemma, or stay constant
    while $p$ goes round for ever, as in rock–paper–scissors with the payoffs $(1, 1.9, 0.1)$, where
    $p(1)\, p(2)\, p(3)$ shrinks at each step from anywhere inside but the middle."""
    rng = np.random.default_rng(seed)
    trust = rng.uniform(0.9, 0.99)
    games = {"dilemma": DILEMMA, "agreeing": np.diag([3.0, 1.0])}
    paths = {name: relaxation_path(ALONE, [[trust, 1 - trust]], steps=150, compatibility=c)[:, 0]
             for name, c in games.items()}
    value = {name: np.einsum("ta,ab,tb->t", paths[name], c, paths[name]) for name, c in games.items()}
    fall, rise = value["dilemma"], value["agreeing"]
    yield at_most("the dilemma falls", fall[1:], fall[:-1], within=1e-12, because="rounding at its end",
                  broken=(rise[1:], rise[:-1]), how="a game in which both gain by agreeing, which is symmetric")
    yield same("where it ends", fall[-1], DILEMMA[1, 1], within=1e-12, because="rounding: nobody cooperates any more",
               broken=rise[-1], how="a game of agreeing")

    start = 1 / 3 + 0.01 * (rng.normal(size=(1, 3)) @ (np.eye(3) - 1 / 3))  # near the middle
    spiral = relaxation_path(ALONE, start, steps=150, compatibility=ROCK_PAPER_SCISSORS)[:, 0]
    value = np.einsum("ta,ab,tb->t", spiral, ROCK_PAPER_SCISSORS, spiral)
    yield same("rock–paper–scissors stays", value, 1.0, within=1e-12, because="rounding of nine products",
               broken=rise, how="a game of agreeing")
    less = spiral[:, [1, 2, 0]] - spiral[:, [2, 0, 1]]  # whom a label beats, less who beats it
    gain = np.prod(1 + 0.9 * less, axis=1)[:-1]
    flow = solve_ivp(lambda t, p: p * (ROCK_PAPER_SCISSORS @ p - p @ ROCK_PAPER_SCISSORS @ p), (0, 150), start[0],
                     rtol=1e-9, atol=1e-12, t_eval=np.arange(151.0)).y.T
    yield same("how fast it leaves", spiral[1:].prod(1) / spiral[:-1].prod(1), gain, relative=1e-9,
               because="products of three rounded numbers",
               broken=flow[1:].prod(1) / flow[:-1].prod(1), how="steps of no length, the replicator equation")
    yield at_most("outwards", spiral[1:].prod(1), spiral[:-1].prod(1),
                  because="the geometric mean of three numbers is below the arithmetic one, which is one",
                  broken=(spiral[:-1].prod(1), spiral[1:].prod(1)), how="time that runs backwards")
    symmetric = relaxation_path(ALONE, start, steps=150, compatibility=1.0 - np.eye(3))[:, 0]
    yield at_least("it goes round", turns(spiral), 2, because="near the middle it turns by half a radian a step",
                   broken=turns(symmetric), how="compatibilities that reward the rarest label, which are symmetric")
    fell, rose = fallers(rng, lambda r: r), fallers(rng, lambda r: r + r.T)
    yield at_least("random ones", fell, 0.5,
                   because="of two hundred draws nearly two thirds fall somewhere, four standard errors above a half",
                   broken=rose, how="coefficients made symmetric")


def turns(path):
    """Return how often a path on the simplex of three labels goes round its middle."""
    angle = np.arctan2(np.sqrt(3) * (path[:, 1] - path[:, 2]), 2 * path[:, 0] - path[:, 1] - path[:, 2])
    return abs(np.unwrap(angle)[-1] - angle[0]) / (2 * np.pi)


def fallers(rng, change):
    """Return the share of random coefficients for which A falls at some of a hundred steps."""
    fell = []
    for _ in range(200):
        r = change(rng.random((12, 12)))
        path = relaxation_path(sparse.csr_array(r), some_labels(rng, 4, 3), steps=100).reshape(101, 12)
        fell.append(bool((np.diff(np.einsum("ti,ij,tj->t", path, r, path)) < -1e-9).any()))
    return np.mean(fell)


@claim("F4", kind=("identity", "counter-example"), sources=("hummel1983",))
def the_support_is_half_the_gradient(seed=0):
    r"""$\nabla A = 2q$ for every $p$ exactly if $r$ is symmetric; in general $\nabla A = q + q^{\mathsf T}$, where
    $q^{\mathsf T}$ is the support that coefficients read the other way round would give."""
    rng = np.random.default_rng(seed)
    places, p = rng.normal(size=(20, 2)), some_labels(rng, 20, 3)
    half = rng.random((3, 3))
    kernel, weights = Gaussian(0.6), gaussian(places, places, 0.6)
    even, odd = half + half.T, half + np.triu(np.ones((3, 3)), 1)
    ours = {name: support(places, p, kernel=kernel, compatibility=c) for name, c in
            (("even", even), ("odd", odd), ("turned", odd.T))}
    slopes = {name: slope_of_consistency(weights, c, p) for name, c in (("even", even), ("odd", odd))}
    why = "A is quadratic, so that central differences are exact but for rounding"
    yield same("symmetric", 2 * ours["even"], slopes["even"], within=1e-8, because=why,
               broken=(2 * ours["odd"], slopes["odd"]), how="compatibilities that are not symmetric")
    yield same("in general", ours["odd"] + ours["turned"], slopes["odd"], within=1e-8, because=why,
               broken=2 * ours["odd"], how="coefficients that are read one way only")


def slope_of_consistency(weights, c, p, by=1e-2):
    """Return ∇A by central differences."""
    slope = np.zeros_like(p)
    for place in np.ndindex(*p.shape):
        ahead, behind = p.copy(), p.copy()
        ahead[place] += by
        behind[place] -= by
        slope[place] = (np.einsum("ia,ij,ab,jb", ahead, weights, c, ahead)
                        - np.einsum("ia,ij,ab,jb", behind, weights, c, behind)) / (2 * by)
    return slope


def some_digits(seed, n=300, labelled=30):
    """Return digits, and labels of which so many are known, some of each class."""
    digits = datasets.digits()
    order = np.random.default_rng(seed).permutation(1797)[:n]
    x, y = digits.x[order], digits.y[order]
    first = np.concatenate([np.flatnonzero(y == digit)[:labelled // 10] for digit in range(10)])
    labels = np.full(n, -1)
    labels[first] = y[first]
    return x, labels, np.eye(10)[np.maximum(labels, 0)] * (labels >= 0)[:, None]


def rate_of_trust(mean, hot, alpha):
    """Return the rate at which f ← α P f + (1 − α) y tends to its limit."""
    limit = (1 - alpha) * np.linalg.solve(np.eye(len(mean)) - alpha * mean, hot)
    answer, left = hot, []
    for step in range(101):
        if step in (50, 100):
            left.append(np.abs(answer - limit).max())
        answer = alpha * mean @ answer + (1 - alpha) * hot
    return (left[1] / left[0]) ** (1 / 50)


def extended(mean, hot):
    """Return the harmonic extension of labels, by a linear system."""
    known = hot.any(axis=1)
    free, values = ~known, hot.copy()
    among = np.eye(free.sum()) - mean[np.ix_(free, free)]
    values[free] = np.linalg.solve(among, mean[np.ix_(free, known)] @ hot[known])
    return values


@claim("F5", kind=("limit", "identity"), sources=("zhu2003",))
def held_labels_extend_harmonically(seed=0):
    r"""If every sample is reached by a label, averages with the labels put back at each step tend to
    $f_u = (I - P_{uu})^{-1} P_{ul}\, y_l$, at the rate $\rho(P_{uu})$: each value that is not held is the local mean of
    the others, and lies between the least and the greatest label."""
    x, labels, hot = some_digits(seed)
    weights = gaussian(x, x, 0.8)
    mean, known = averages(weights), labels >= 0
    want = extended(mean, hot)
    model = lm.LabelPropagation(Gaussian(0.8)).fit(x, labels)
    soft = lm.LabelPropagation(Gaussian(0.8), alpha=0.5).fit(x, labels)
    yield same("the limit", model.label_distributions_, want, within=2e-8,
               because="the estimator's error is certain to be below 10⁻⁸, and the system has two digits to lose",
               broken=soft.label_distributions_, how="labels that are anchored softly")
    yield same("the walk", lm.local_weights(x, x, kernel=Gaussian(0.8)), mean, within=1e-13,
               because="three hundred additions", broken=weights, how="weights that nobody divides")
    asked = x + 0.03
    between = averages(gaussian(asked, x, 0.8))
    yield same("new digits", model.predict_proba(asked), between @ want, within=2e-8, because="the same",
               broken=between @ hot, how="the labels alone, without what they said to others")
    votes = (between @ want).argmax(1)
    yield same("their labels", model.predict(asked), votes, because="labels are equal or they are not",
               broken=(between @ hot).argmax(1), how="the labels alone, without what they said to others")
    yield same("the sample's labels", model.transduction_, want.argmax(1), because="labels are equal or they are not",
               broken=want.argmin(1), how="the least likely class")
    others = averages(weights - np.eye(300))
    yield same("each is a mean", model.label_distributions_[~known], (others @ model.label_distributions_)[~known],
               within=2e-8, because="the tolerance",
               broken=(soft.label_distributions_[~known], (others @ soft.label_distributions_)[~known]),
               how="labels that are anchored softly")
    start = np.where(known[:, None], hot, np.nan)[:, :1]
    path = lazy_iteration(x, start, kernel=Gaussian(0.8), safeguard="clamp", steps=250)[..., 0]
    left = np.abs(path[[150, 200, 250]] - want[:, 0]).max(1)
    radius = np.abs(np.linalg.eigvals(mean[np.ix_(~known, ~known)])).max()
    yield at_most("no more than the labels", path, 1.0, within=1e-12, because="rounding of means of numbers up to one",
                  broken=weights @ hot.sum(1), how="sums of weights in the place of means")
    yield at_least("no less than nothing", path, 0.0, within=1e-12, because="rounding of means of numbers from zero on",
                   broken=signed(x, 8) @ np.nan_to_num(start[:, 0]), how="weights that may be negative")
    yield same("the rate", (left[1:] / left[:-1]) ** (1 / 50), radius, within=1e-2,
               because="after 150 averages a mode that is faster by δ, and as strong at first, shifts the rate by "
                       "δ e^(-150 δ), which is 0.0025 at most",
               broken=rate_of_trust(mean, hot, 0.8), how="labels that count a fifth at each step and are not held")

    few = lm.LabelPropagation(NearestNeighbors(9)).fit(x, labels)
    theirs = LabelPropagation("knn", n_neighbors=9, tol=1e-12, max_iter=100_000).fit(x, labels)
    yield same("nine neighbours", few.label_distributions_, theirs.label_distributions_, within=2e-8,
               because="both within 10⁻⁸ of one limit",
               broken=LabelSpreading("knn", n_neighbors=9, tol=1e-12, max_iter=100_000).fit(x, labels)
               .label_distributions_, how="labels that are anchored softly")
    yield same("new digits by nine", few.predict_proba(asked), theirs.predict_proba(asked), within=2e-8,
               because="means of nine of them", broken=model.predict_proba(asked), how="a Gaussian in their place")


@claim("F6", kind=("limit", "identity"), sources=("zhou2004",))
def anchored_labels_tend_to_a_resolvent(seed=0):
    r"""For $0 < \alpha < 1$ and $S = D^{-1/2} W D^{-1/2}$, $W$ a kernel's symmetric weights and $D > 0$ their row sums,
    the map $f \leftarrow \alpha S f + (1 - \alpha)\, y$ tends to $(1 - \alpha)(I - \alpha S)^{-1} y$ from every
    start."""
    x, labels, hot = some_digits(seed)
    weights = gaussian(x, x, 0.8) - np.eye(300)
    root = np.sqrt(weights.sum(1))
    spread = weights / np.outer(root, root)
    for alpha in (0.2, 0.9):
        want = (1 - alpha) * np.linalg.solve(np.eye(300) - alpha * spread, hot)
        model = lm.LabelPropagation(Gaussian(0.8), alpha=alpha).fit(x, labels)
        walk = (1 - alpha) * np.linalg.solve(np.eye(300) - alpha * averages(weights), hot)
        yield same(f"α = {alpha}", model.label_distributions_, averages(want), within=2e-8,
                   because="the estimator's error is certain to be below 10⁻⁸ of each row",
                   broken=averages(walk), how="D⁻¹W in the place of S")
    theirs = LabelSpreading(gamma=1 / (2 * 0.8**2), alpha=0.9, tol=1e-12, max_iter=100_000).fit(x, labels)
    yield same("scikit-learn", model.label_distributions_, theirs.label_distributions_, within=2e-8,
               because="both within 10⁻⁸ of one limit",
               broken=averages(walk), how="D⁻¹W in the place of S")
    rng = np.random.default_rng(seed)
    ends = []
    for step in (spread, averages(gaussian(x, x, 0.8))):
        f = rng.normal(size=hot.shape)
        for _ in range(400):
            f = 0.9 * step @ f + 0.1 * hot
        ends.append(f)
    yield same("from anywhere", ends[0], want, within=1e-12, because="0.9⁴⁰⁰ of the start, and rounding",
               broken=ends[1], how="the local mean in the place of S")


@claim("F7", kind="counter-example")
def a_product_is_no_iterated_mean(seed=0):
    r"""If nothing is held, a label is supported by the same label alone, and the weights are symmetric, positive and
    include each object's own, averages of labels end in one opinion for all, while the multiplicative rule is not
    linear in $p$ and ends, from almost every start, at corners of the simplex."""
    rng = np.random.default_rng(seed)
    places, p, other = rng.uniform(0, 4, (60, 2)), some_labels(rng, 60, 3), some_labels(rng, 60, 3)
    weights = gaussian(places, places, 0.7)
    averaged = lazy_iteration(places, p, kernel=Gaussian(0.7), steps=4000)[-1]
    degrees = weights.sum(1)
    relaxed = lm.RelaxationLabeling(kernel=Gaussian(0.7), tol=1e-12, max_iter=20_000).fit(places, p)
    yield same("averages", averaged, np.tile(degrees @ p / degrees.sum(), (60, 1)), within=1e-6,
               because="4,000 steps leave e⁻⁴⁰ of a mode that loses a hundredth at each",
               broken=relaxed.probabilities_, how="products in the place of averages")
    yield same("products", relaxed.probabilities_.max(1), 1.0, within=1e-6,
               because="it stopped at a step of 10⁻¹², and what is left shrinks by a share at each",
               broken=averaged.max(1), how="averages in the place of products")
    mean = averages(weights)
    step = [relaxation_path(places, start, steps=1, kernel=Gaussian(0.7))[1] for start in (p, other, (p + other) / 2)]
    linear = [mean @ start for start in (p, other, (p + other) / 2)]
    bend, straight = (abs((left + right) / 2 - middle).max() for left, right, middle in (step, linear))
    yield at_least("not linear", bend, 1e-3, because="a share in a thousand is far above rounding",
                   broken=straight, how="a local mean, for which the mean of answers answers the mean")


@claim("F8", kind="algorithm", sources=("wang2008", "roweis2000"))
def linear_neighbourhoods_propagate(seed=0):
    r"""With held labels, linear neighbourhood propagation is the weights of locally linear embedding, with the
    condition that none is negative, followed by averages with the labels put back at each step."""
    x, labels, hot = some_digits(seed, n=200)
    weights = rebuilt(x, x, 8, own=False)
    free = linear_neighborhoods(x, n_neighbors=8).toarray()
    yield same("the weights", free, weights, within=1e-8, because="two solvers, and a condition of 10³ times rounding",
               broken=signed(x, 8), how="weights that may be negative")
    with warnings.catch_warnings(action="ignore"):  # of digits that no label reaches
        model = LinearNeighborhoodPropagation(8).fit(x, labels)
        peer = lm.LabelPropagation(NearestNeighbors(9)).fit(x, labels)
    want = extended_where_reached(weights, hot)
    yield same("held labels", model.label_distributions_, want, within=1e-6,
               because="weights off by 10⁻⁸ on ways of a few dozen steps",
               broken=peer.label_distributions_, how="equal weights for the same neighbours")
    yield same("the sample's labels", model.transduction_, want.argmax(1), because="labels are equal or they are not",
               broken=want.argmin(1), how="the least likely class")
    asked = datasets.digits().x[np.random.default_rng(seed).permutation(1797)[300:330]]
    reach = rebuilt(asked, x, 8, own=True) @ want
    known = reach.sum(1) > 1e-3
    yield same("new digits", model.predict_proba(asked)[known], averages(reach[known]), within=1e-4,
               because="a row that is hardly reached is divided by a thousandth",
               broken=averages(peer.predict_proba(asked)[known]), how="equal weights for the nearest")
    sure = np.sort(averages(reach[known]))
    sure = sure[:, -1] - sure[:, -2] > 1e-3  # no tie that rounding could decide
    yield same("their labels", model.predict(asked)[known][sure], reach[known][sure].argmax(1),
               because="labels are equal or they are not", broken=reach[known][sure].argmin(1),
               how="the least likely class")


def rebuilt(targets, keys, k, *, own):
    """Return non-negative weights that rebuild targets from their nearest keys, one target after another.

    The best point of a simplex has the direction of least squares with a further row of ones, by homogeneity.
    """
    search = Search(n_neighbors=k).fit(keys)
    near = search.kneighbors(targets if own else None, return_distance=False)
    weights = np.zeros((len(targets), len(keys)))
    for i, target in enumerate(targets):
        rows = keys[near[i]] - target
        ridge = np.sqrt(1e-3 * (rows**2).sum())
        system = np.vstack([rows.T, ridge * np.eye(k), np.ones((1, k))])
        found, _ = nnls(system, np.append(np.zeros(keys.shape[1] + k), 1.0))
        weights[i, near[i]] = found / found.sum()
    return weights


def signed(x, k):
    """Return the weights of locally linear embedding, which may be negative."""
    weights = kneighbors_graph(x, k).toarray()
    for i, row in enumerate(weights):
        near = np.flatnonzero(row)
        gram = (x[near] - x[i]) @ (x[near] - x[i]).T
        found = np.linalg.solve(gram + 1e-3 * np.trace(gram) * np.eye(k), np.ones(k))
        weights[i, near] = found / found.sum()
    return weights


def extended_where_reached(mean, hot):
    """Return the harmonic extension, zero where no way along positive weights leads to a label."""
    found = hot.any(axis=1)
    for _ in range(len(mean)):
        found = found | ((mean > 0) @ found)
    values = np.zeros_like(hot)
    values[found] = extended(averages(mean[np.ix_(found, found)]), hot[found])
    return values


@claim("F9", kind="identity", sources=("krahenbuhl2011",))
def the_dense_field_is_relaxation(seed=0):
    r"""Mean-field inference in a fully connected random field with Potts costs is
    $p_i \leftarrow e^{-u_i} e^{q_i} / \sum e^{-u_i} e^{q_i}$, where the support $q$ is a hollow Gaussian local sum,
    over place and colour, of the label probabilities; its free energy lies above $-\log Z$, of all labellings."""
    rng = np.random.default_rng(seed)
    picture, strokes = rng.random((3, 4, 3)), np.full((3, 4), -1)
    strokes[0], strokes[1, 2], strokes[2, 1:] = 0, 1, 1
    unary = unary_from_labels(strokes, 0.8)
    shares = np.where(strokes[..., None] < 0, 0.5, np.where(strokes[..., None] == np.arange(2), 0.8, 0.2))
    yield same("strokes", np.exp(-unary), shares, within=1e-15, because="a logarithm and its exponential",
               broken=np.where(strokes[..., None] < 0, 0.0, shares), how="no belief where there is no stroke")
    field = {"position": 1.5, "appearance": (3.0, 0.4), "weights": (0.4, 0.5), "normalization": "none", "damping": 0.0}
    with warnings.catch_warnings(action="ignore"):  # it is stopped on the way
        one, many = (DenseCRF(**field, tol=0, max_iter=steps).fit(picture, unary) for steps in (1, 60))
    places = np.array(list(product(range(3), range(4))), float)
    colours = picture.reshape(12, 3)
    pairs = 0.4 * gaussian(places, places, 1.5) + 0.5 * gaussian(places, places, 3.0) * gaussian(colours, colours, 0.4)
    hollow, energies = pairs - np.diag(np.diag(pairs)), -np.log(shares.reshape(12, 2))
    path = [softmax(-energies, axis=1)]
    for _ in range(60):
        path.append(softmax(-energies + hollow @ path[-1], axis=1))
    yield same("one step", one.marginals_.reshape(12, 2), path[1], within=1e-12, because="twelve additions",
               broken=softmax(-energies + pairs @ path[0], axis=1), how="pixels that hear themselves")
    yield same("sixty steps", many.marginals_.reshape(12, 2), path[60], within=1e-9,
               because="sixty steps, each of which may enlarge rounding",
               broken=path[1], how="a stop after one step")
    yield same("the labels", [one.labels_.ravel(), many.labels_.ravel()], [path[1].argmax(1), path[60].argmax(1)],
               because="labels are equal or they are not", broken=[path[1].argmin(1), path[60].argmin(1)],
               how="the least likely label")
    calm = DenseCRF(**field, tol=1e-3, max_iter=500).fit(picture, unary)
    settled = calm.marginals_.reshape(12, 2)
    moved = [abs(softmax(-energies + hollow @ state, axis=1) - state).max() for state in (path[1], settled)]
    yield same("whether it has settled", [one.converged_, calm.converged_],
               [moved[0] <= 0, moved[1] <= 1e-3], because="it is true or it is not",
               broken=[1, 1], how="every end called settled")
    states = np.array(list(product(range(2), repeat=12)))
    cost = energies[np.arange(12), states].sum(1)
    differ = states[:, :, None] != states[:, None, :]
    cost = cost + (np.triu(pairs, 1) * differ).sum((1, 2))
    log_z = np.log(np.exp(-(cost - cost.min())).sum()) - cost.min()
    yield at_least("above the free energy of all labellings", many.free_energies_, -log_z, within=1e-12,
                   because="the difference is a Kullback–Leibler divergence, and sums are rounded",
                   broken=[(state * (energies + np.log(state))).sum() for state in path],
                   how="a free energy in which pairs cost nothing")
