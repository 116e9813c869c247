"""What the page on hierarchical local models checks."""

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.special import softmax
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors as Neighbours

import locmethods as lm
from locmethods.companion import claim, datasets, order, same
from locmethods.fuzzy import partition, takagi_sugeno
from locmethods.hierarchy import (
    HierarchicalAutoencoder,
    LazyAutoencoder,
    LocalExperts,
    LocalMeanStack,
    StackedLocalMeans,
    compose,
    gaussian_gate,
    induction_head,
    lazy_reconstruction,
    mixture_of_experts,
    previous_token,
    residual_layers,
    softmax_gate,
    stacked_mean,
)
from locmethods.kernels import Flat, Gaussian, NearestNeighbors


def squares(query, keys):
    """Return the squared distances of all pairs."""
    return ((query[:, None] - keys) ** 2).sum(-1)


def normalised(weights):
    """Return rows that sum to one."""
    return weights / weights.sum(1, keepdims=True)


def gaussian(query, keys, h):
    """Return exp(−d²/2h²) of all pairs."""
    return np.exp(-squares(query, keys) / (2 * h**2))


def hollow(weights):
    """Return weights without those of each case for itself."""
    return weights * (1 - np.eye(len(weights)))


@claim("L1", kind=("identity", "counter-example"))
def two_layers_are_one(seed=0):
    r"""Local means of local means, with kernels that are fixed, are one local mean with the weights
    $\tilde K_2 \tilde K_1$; over evenly spread keys two Gaussians of widths $h_1$ and $h_2$ are one of width
    $\sqrt{h_1^2 + h_2^2}$; but levels that compare the answers below are not even linear in the values."""
    rng = np.random.default_rng(seed)
    x, values, asked = rng.normal(size=(30, 2)), rng.normal(size=(30, 3)), rng.normal(size=(8, 2))
    layers = [(x, Gaussian(0.5)), (x, Gaussian(0.8))]
    product = normalised(gaussian(asked, x, 0.8)) @ normalised(gaussian(x, x, 0.5))
    multiplied = normalised(gaussian(asked, x, 0.5) * gaussian(asked, x, 0.8))
    yield same("the weights", compose(asked, layers), product, within=1e-14,
               because="weights are at most one, and rows of thirty are summed",
               broken=multiplied, how="kernels that are multiplied instead")
    yield same("the answers", stacked_mean(asked, layers, values), product @ values, within=1e-13,
               because="two products with rows of thirty", broken=multiplied @ values,
               how="kernels that are multiplied instead")

    even = np.linspace(-12, 12, 1201)[:, None]
    crowded = np.concatenate([even[even < 0][::4], even[even >= 0]])[:, None]
    found, uneven = (compose([[0.0]], [(keys, Gaussian(0.8)), (keys, Gaussian(0.6))]) for keys in (even, crowded))
    wide, beside = (normalised(gaussian(np.zeros((1, 1)), keys, np.hypot(0.8, 0.6))) for keys in (even, crowded))
    yield same("the width", found, wide, within=1e-13,
               because="sums of Gaussians over a grid thirty times finer than they are",
               broken=(uneven, beside), how="keys that stand four times denser at one side")

    y, z = np.sign(x[:, 0]) + 0.2 * rng.normal(size=30), rng.normal(size=30)
    linear, crossed = ([StackedLocalMeans(3, Gaussian(0.7), compare=compare, average="answers", widths="given")
                        .fit(x, targets).predict(asked) for targets in (y, z, y + z)]
                       for compare in ("inputs", "answers"))
    yield same("a stack of fixed kernels adds", linear[2], linear[0] + linear[1], within=1e-12,
               because="sums of the same weights", broken=(crossed[2], crossed[0] + crossed[1]),
               how="levels that compare answers")
    model = StackedLocalMeans(3, Gaussian(0.7), answer_kernel=Gaussian(0.4), widths="given").fit(x, y)
    there, losses = levels_by_hand(x, y, asked, 0.7, 0.4)
    blind = StackedLocalMeans(3, Gaussian(0.7), compare="inputs", widths="given").fit(x, y)
    yield same("levels that compare answers", model.staged_predict(asked), there, within=1e-11,
               because="sums of thirty, three times", broken=blind.staged_predict(asked),
               how="levels that do not look at answers")
    yield same("the last level", model.predict(asked), there[-1], within=1e-11, because="as before",
               broken=blind.predict(asked), how="levels that do not look at answers")
    yield same("without oneself", model.loss_curve_, losses, within=1e-11, because="as before",
               broken=blind.loss_curve_, how="levels that do not look at answers")


def levels_by_hand(x, y, asked, h, g):
    """Return what three levels answer at queries, and their errors without oneself, from the formulas."""
    own = found = None
    there, losses = [], []
    for _ in range(3):
        known, query = squares(x, x) / (2 * h**2), squares(asked, x) / (2 * h**2)
        if own is not None:
            spread = own.std()
            known = known + (own[:, None] - own) ** 2 / (2 * (g * spread) ** 2)
            query = query + (found[:, None] - own) ** 2 / (2 * (g * spread) ** 2)
        own, found = normalised(hollow(np.exp(-known))) @ y, normalised(np.exp(-query)) @ y
        there.append(found)
        losses.append(np.mean((own - y) ** 2))
    return there, losses


@claim("L2", kind="identity", sources=("jacobs1991", "jordan1994", "xu1995"))
def a_mixture_of_experts_is_a_local_mean(seed=0):
    r"""A softmax of linear functions is a Gaussian gate of equal covariances, with priors; so a mixture of experts
    under it is a local mean of the experts' answers, whose keys are the experts' centres."""
    rng = np.random.default_rng(seed)
    x, slopes, intercepts = rng.normal(size=(40, 2)), rng.normal(size=(5, 2)), rng.normal(size=5)
    gate = softmax(x @ slopes.T + intercepts, axis=1)
    centers, log_prior = gaussian_gate(slopes, intercepts, bandwidth=0.7)
    weights = gaussian(x, centers, 0.7)
    yield same("the gate", normalised(weights * np.exp(log_prior)), gate, within=1e-12,
               because="exponents of up to a hundred, each rounded", broken=normalised(weights),
               how="experts that count the same before anything is asked")
    back = softmax_gate(centers, log_prior, bandwidth=0.7)
    alone = softmax_gate(centers, bandwidth=0.7)
    yield same("and back", np.column_stack(back), np.column_stack([slopes, intercepts]), within=1e-12,
               because="a square and its root", broken=np.column_stack(alone),
               how="experts that count the same before anything is asked")
    experts = rng.normal(size=(5, 3))
    each = experts[:, 0] + x @ experts[:, 1:].T
    mixed = mixture_of_experts(x, centers, experts, kernel=Gaussian(0.7), log_prior=log_prior)
    best = each[np.arange(40), gate.argmax(1)]
    yield same("the mixture", mixed, (gate * each).sum(1), within=1e-12, because="sums of five products",
               broken=best, how="the likeliest expert alone")

    place = rng.uniform(-2, 2, size=(200, 1))
    y = abs(place[:, 0]) + 0.05 * rng.normal(size=200)
    model = LocalExperts(3, tol=1e-12, max_iter=20000, random_state=seed).fit(place, y)
    inputs = np.exp(model.log_prior_) * norm.pdf(place, model.centers_[:, 0], model.bandwidth_)
    each = model.coefficients_[:, 0] + place * model.coefficients_[:, 1]
    yield same("what it predicts", model.predict(place), (normalised(inputs) * each).sum(1), within=1e-11,
               because="sums of three products", broken=each[np.arange(200), inputs.argmax(1)],
               how="the likeliest expert alone")
    yield same("the weights it predicts with", model.gate(place), normalised(inputs), within=1e-12,
               because="three exponents, each rounded",
               broken=normalised(inputs / np.exp(model.log_prior_)),
               how="experts that count the same before anything is asked")
    share = softmax(np.log(inputs) + norm.logpdf(y[:, None], each, model.noise_), axis=1) + 1e-15
    again, hard = (refitted(place, y, part, model.noise_) for part in (share, np.eye(3)[share.argmax(1)]))
    found = np.column_stack([model.centers_[:, 0], np.exp(model.log_prior_), model.coefficients_])
    yield same("where learning ends", found, again, within=1e-3,
               because="a round that gains 10⁻¹² moves the experts by the root of it, times what a round shrinks",
               broken=hard, how="cases that belong to one expert each")
    points = digits_by_hand(seed)
    tree = HierarchicalAutoencoder(4, n_landmarks=30, random_state=seed).fit(points[:400])
    asked = points[400:500]
    expected, nearest = landmarks_by_hand(points[:400], asked, seed)
    yield same("constant experts that encode and decode", tree.reconstruct(asked), expected, within=1e-6,
               because="least squares whose condition is below 10⁹",
               broken=nearest, how="each code read at its nearest landmark")


def refitted(place, y, share, noise):
    """Return centers, priors and ridge regressions of three experts, from their shares in the cases."""
    rows = []
    for j in range(3):
        weight = share[:, j]
        ridge = Ridge(alpha=noise[j] ** 2 / y.var()).fit(place / place.std(), y, sample_weight=weight)
        rows.append([np.average(place[:, 0], weights=weight), weight.mean(), ridge.intercept_,
                     ridge.coef_[0] / place.std()])
    return np.array(rows)


def digits_by_hand(seed):
    """Return 600 digits in an order that depends on the seed."""
    digits = datasets.digits().x
    return digits[np.random.default_rng(seed).permutation(len(digits))[:600]]


def landmarks_by_hand(known, asked, seed):
    """Return what thirty landmarks down and thirty up make of points, and what the nearest ones alone do."""
    random = np.random.RandomState(seed)

    def landmarks(points):
        keys = KMeans(30, n_init=1, random_state=random).fit(points).cluster_centers_
        return keys, np.median(np.sort(np.sqrt(squares(keys, keys)), axis=1)[:, 1])

    keys, apart = landmarks(known)
    axes = PCA(4, svd_solver="full").fit(known)
    codes = axes.transform(keys)
    coded, query = (normalised(gaussian(part, keys, 0.5 * apart)) @ codes for part in (known, asked))
    places, apart = landmarks(coded)
    weights = normalised(gaussian(coded, places, apart))
    middle = known.mean(0)
    ridge = Ridge(alpha=1e-3 * len(known) / 30, fit_intercept=False, solver="svd").fit(weights, known - middle)
    values = middle + ridge.coef_.T
    return normalised(gaussian(query, places, apart)) @ values, values[squares(query, places).argmin(1)]


@claim("L3", kind=("limit", "counter-example"), sources=("degroot1974", "li2018"))
def deep_stacks_smooth_everything_away(seed=0):
    r"""For a symmetric kernel that connects the sample, and is not periodic on it, the stack $\tilde K^t$ tends to a
    matrix of rank one at the rate $|\lambda_2|$, the second largest size of an eigenvalue of $\tilde K$."""
    x = np.linspace(0, 4, 40)[:, None] + np.random.default_rng(seed).uniform(0, 0.05, (40, 1))
    weights = gaussian(x, x, 0.5)
    degrees = weights.sum(1)
    second = np.sort(abs(np.linalg.eigvalsh(weights / np.sqrt(np.outer(degrees, degrees)))))[-2]
    apart = np.concatenate([x[:20], x[20:] + 100])
    stacks, torn = ([compose(places, [(places, Gaussian(0.5))] * depth) for depth in (60, 80, 100)]
                    for places in (x, apart))
    left, kept = ([np.linalg.svd(stack, compute_uv=False)[1] for stack in found] for found in (stacks, torn))
    yield same("towards rank one", np.divide(left[1:], left[:-1]) ** (1 / 20), second, within=1e-3,
               because="the third mode's share after sixty layers",
               broken=np.divide(kept[1:], kept[:-1]) ** (1 / 20), how="two groups that the kernel does not join")
    start = np.sin(3 * x[:, 0])
    states, others = (residual_layers(places, start, kernel=Gaussian(0.5), depth=400, alpha=1.0)
                      for places in (x, apart))
    yield same("to what number", states[-1], np.full(40, degrees @ start / degrees.sum()), within=1e-6,
               because="the second mode has faded to λ₂⁴⁰⁰", broken=others[-1],
               how="two groups that the kernel does not join")


@claim("L4", kind=("identity", "counter-example"), sources=("he2016", "gasteiger2019", "wang2010"))
def what_a_residual_path_changes(seed=0):
    r"""A layer $(1-\alpha)I + \alpha\tilde K$ has the eigenvalues $1 - \alpha + \alpha\lambda$ and still collapses; a
    path from the input, $v \leftarrow (1-\alpha)v_0 + \alpha\tilde K v$, does not: it tends to
    $(1-\alpha)(I - \alpha\tilde K)^{-1} v_0$. A step of the lazy autoencoder is a residual layer as well: nothing along
    the local plane, and the local mean across it."""
    rng = np.random.default_rng(seed)
    x, start = rng.normal(size=(30, 2)), rng.normal(size=30)
    weights = gaussian(x, x, 0.8)
    root = np.sqrt(weights.sum(1))
    eigenvalues, modes = np.linalg.eigh(weights / np.outer(root, root))
    parts = modes.T @ (root * start)
    powers = [modes @ ((0.7 + 0.3 * eigenvalues) ** depth * parts) / root for depth in range(21)]
    path = {alpha: residual_layers(x, start, kernel=Gaussian(0.8), depth=20, alpha=alpha) for alpha in (0.3, 1.0)}
    yield same("its eigenvalues", path[0.3], powers, within=1e-11, because="twenty products with rows of thirty",
               broken=path[1.0], how="layers without a residual path")
    limit = 0.3 * np.linalg.solve(np.eye(30) - 0.7 * normalised(weights), start)
    first, last = (residual_layers(x, start, kernel=Gaussian(0.8), depth=100, alpha=0.7, skip=skip)[-1]
                   for skip in ("input", "previous"))
    yield same("a path from the input", first, limit, within=1e-12, because="0.7¹⁰⁰ of the start is left to go",
               broken=last, how="a path from the layer below")

    keys, query = rng.normal(size=(60, 3)) * [3, 2, 0.3], rng.normal(size=(8, 3)) * [3, 2, 0.3]
    moved = lazy_reconstruction(query, keys, kernel=Gaussian(2.0), n_components=2).points
    shift = lazy_reconstruction(query, keys, kernel=Gaussian(2.0), n_components=0).points
    expected = across_planes(query, keys, normalised(gaussian(query, keys, 2.0)), 2)
    yield same("a lazy step", moved, expected, within=1e-9,
               because="axes are known to rounding over the variances' gap", broken=shift,
               how="all of the mean-shift step, that along the plane included")
    points = digits_by_hand(seed)
    known, asked = points[:500], points[500:540]
    twice = LazyAutoencoder(4, NearestNeighbors(12), steps=2).fit(known).transform(asked)
    none = LazyAutoencoder(0, NearestNeighbors(12), steps=2).fit(known).transform(asked)
    there = asked
    for _ in range(2):
        near = Neighbours(n_neighbors=12).fit(known).kneighbors(there, return_distance=False)
        planes = [PCA(4, svd_solver="full").fit(known[index]) for index in near]
        there = np.concatenate([plane.inverse_transform(plane.transform(point[None]))
                                for plane, point in zip(planes, there, strict=True)])
    yield same("of twelve neighbours, twice", twice, there, within=1e-9,
               because="axes are known to rounding over the variances' gap", broken=none,
               how="all of the mean-shift step, that along the plane included")

    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    stack = LocalMeanStack([3, 3, 1], n_keys=6, residual=True).double()
    answer, plain = stack.start_at(inputs, generator)(inputs).detach().numpy(), inputs.numpy()
    lower, upper = ([part.detach().numpy() for part in (layer.keys, layer.values, layer.log_bandwidth.exp())]
                    for layer in stack)
    mean = normalised(gaussian(plain, lower[0], lower[2])) @ lower[1]
    yield same("layers that learn", answer, normalised(gaussian(plain + mean, upper[0], upper[2])) @ upper[1],
               within=1e-12, because="two sums of six",
               broken=normalised(gaussian(mean, upper[0], upper[2])) @ upper[1],
               how="a second layer that the inputs do not reach")


def across_planes(query, keys, weights, n_components):
    """Return points that have gone to the local mean across the first axes of the local covariance."""
    found = []
    for point, weight in zip(query, weights, strict=True):
        mean = weight @ keys
        normal = np.linalg.svd(np.sqrt(weight)[:, None] * (keys - mean))[2][n_components:]
        found.append(point + normal.T @ normal @ (mean - point))
    return np.array(found)


@claim("L5", kind="order", sources=("nelles2001",))
def many_small_experts_learn_smooth_functions(seed=0):
    r"""Experts at $M$ places at equal distances on a line, each the tangent of a smooth function at its place, mixed by
    Gaussians whose width follows the distance, miss the function by $O(M^{-2})$; where the weights are triangles,
    constants in the tangents' place do."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    numbers = np.array([20, 40, 80, 160])
    x = np.linspace(0, 1, 4001)
    truth = np.sin(6 * x + phase)
    errors = {name: [] for name in ("tangents", "one width", "triangles", "cells")}
    for number in numbers:
        centers = np.linspace(0, 1, number)
        level, slope = np.sin(6 * centers + phase), 6 * np.cos(6 * centers + phase)
        experts = np.column_stack([level - slope * centers, slope])
        for name, width in (("tangents", 0.5 / (number - 1)), ("one width", 0.05)):
            mixed = mixture_of_experts(x[:, None], centers[:, None], experts, kernel=Gaussian(width))
            errors[name].append(abs(mixed - truth).max())
        mixed = takagi_sugeno(x[:, None], [partition(0.0, 1.0, number)], np.arange(number)[:, None], level)
        errors["triangles"].append(abs(mixed - truth).max())
        errors["cells"].append(abs(level[np.rint(x * (number - 1)).astype(int)] - truth).max())
    yield order("tangents under Gaussians", numbers, errors["tangents"], -2, within=0.1,
                because="the next term is of relative order 1/M", broken=errors["one width"],
                how="a width that does not follow the distance")
    yield order("constants under triangles", numbers, errors["triangles"], -2, within=0.1,
                because="the next term is of relative order 1/M", broken=errors["cells"],
                how="weights of zero and one: cells in the triangles' place")


# Four texts of which the last token is 0, and what should follow it: what followed it before.
TEXTS = np.array([[0, 1, 3, 2], [3, 2, 0, 1], [0, 2, 3, 1], [3, 1, 0, 2]])
FOLLOWS = np.array([1, 1, 2, 2])


@claim("L6", kind=("identity", "counter-example"), sources=("olsson2022",))
def two_layers_copy_and_one_cannot(seed=0):
    r"""Two local means, whose kernels ask for the position before and for the same token, say what followed a token
    before; no single layer whose kernel and values know tokens and positions can, not even for four texts of four
    tokens."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 5, 60)
    found, states = induction_head(tokens, n_tokens=5), np.eye(5)[tokens]
    shares, itself = [], []
    for i, token in enumerate(tokens):
        followers = [tokens[j] for j in range(1, i + 1) if tokens[j - 1] == token]
        if followers:
            shares.append(np.bincount(followers, minlength=5) / len(followers))
            itself.append(states[i])
    yield same("what followed", found[~np.isnan(found).any(1)], shares, within=1e-14,
               because="a mean of counts, rounded", broken=itself,
               how="the second layer alone, which finds the token itself")
    yield same("the first layer", previous_token(states), np.vstack([np.zeros(5), states[:-1]]), within=1e-14,
               because="one weight is one, the others nothing", broken=np.vstack([states[1:], np.zeros(5)]),
               how="a layer that looks ahead")

    place = np.arange(60)[:, None] / 10
    near, wider = (normalised((abs(place[:9] - place.T) <= radius).astype(float)) for radius in (0.28, 0.38))
    yield same("whom a flat kernel weighs", lm.local_weights(place[:9], place, kernel=Flat(0.28)), near, within=1e-15,
               because="one division", broken=wider, how="a window that is wider by a key at each side")
    yield same("and their mean", lm.local_mean(place[:9], place, states, kernel=Flat(0.28)), near @ states,
               within=1e-14, because="means of up to five numbers", broken=wider @ states,
               how="a window that is wider by a key at each side")

    # By how much the answer 1 outbids 2, times the layer's total weight: a sum over tokens and their positions.
    for_one = rng.normal(size=(4, 4))
    bids = np.array([sum(for_one[token, place] for place, token in enumerate(text)) for text in TEXTS])
    heads = np.array([induction_head([*text, 0], n_tokens=4)[-1] for text in TEXTS])
    won = heads[:, 1] - heads[:, 2]
    yield same("bids of one layer balance", bids[0] + bids[1], bids[2] + bids[3], within=1e-12,
               because="the same eight numbers in another order", broken=(won[0] + won[1], won[2] + won[3]),
               how="two layers, of which the first has written what stood before")
    yield same("the greatest margin", greatest_margin(one_layer_features()), 0.0, within=1e-9,
               because="a linear programme, solved to rounding",
               broken=greatest_margin(np.where(FOLLOWS == 1, 1.0, -1.0)[:, None] * abs(won[:, None])),
               how="two layers, of which the first has written what stood before")


def one_layer_features():
    """Return what a single layer can tell of each text: which token stands at which position."""
    return np.array([np.ravel(np.eye(4)[text]) for text in TEXTS])


def greatest_margin(features):
    """Return by how much a linear score of the features, weights in [−1, 1], can be right about every text at once."""
    sign = np.where(FOLLOWS == 1, 1.0, -1.0)
    n = features.shape[1]
    bounds = [(-1, 1)] * n + [(None, None)]
    found = linprog(np.r_[np.zeros(n), -1.0], A_ub=np.column_stack([-sign[:, None] * features, np.ones(len(sign))]),
                    b_ub=np.zeros(len(sign)), bounds=bounds)
    return -found.fun
