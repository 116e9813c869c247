"""What the page on locally linear embedding checks: weights, their signs, the null space, and what the ridge does."""

import math

import numpy as np
from scipy.linalg import subspace_angles
from scipy.spatial.transform import Rotation
from sklearn import manifold
from sklearn.datasets import make_swiss_roll

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected.embeddings import (
    bottom,
    cost_of,
    local_line,
    nearest,
    projection,
    rebuilding,
    rebuilding_without_negatives,
    waves_on_a_circle,
)
from locmethods.companion.expected.weights import averages, gaussian
from locmethods.kernels import Gaussian
from locmethods.lle import LocallyLinearEmbedding, alignment_matrix, barycentric_weights


@claim("H1", kind=("identity", "counter-example"), sources=("roweis2000", "saul2003"))
def weights_know_no_coordinates(seed=0):
    r"""The weights that sum to one and rebuild a point best from its neighbours do not change when all of them are
    turned, moved and scaled together; without the sum a move changes them, and in general a shear does, but not those
    that rebuild the point exactly and are the shortest of all that do."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 3))
    near = nearest(points, 8)
    turned = 7.0 * points @ Rotation.random(random_state=seed).as_matrix() + [30.0, -40.0, 50.0]
    still = rebuilding(points, near)
    yield same("turned, moved and scaled", barycentric_weights(turned, turned, near), still,
               within=1e-8, because="a condition of 10³ times the rounding of numbers of size 50",
               broken=free_weights(turned, near), how="weights that need not sum to one")

    shear = np.eye(3) + 3.0 * np.eye(3, k=1)
    bent = points @ shear
    change = abs(barycentric_weights(bent, bent, near) - still).max()
    kept = abs(barycentric_weights(turned, turned, near) - still).max()
    yield at_least("a shear", change, 0.05, because="a shear by three changes which neighbours are far",
                   broken=kept, how="a rotation in place of the shear")

    exact = barycentric_weights(bent, bent, near, regularization=0.0)
    yield same("a shear of exact weights", exact, rebuilding(points, near, ridge=0),
               within=1e-9, because="the pseudo-inverse of four equations of moderate condition",
               broken=barycentric_weights(bent, bent, near), how="the customary ridge, which makes no weights exact")


def free_weights(points, near):
    """Return least-squares weights of the coordinates themselves, whatever they sum to."""
    return np.array([np.linalg.lstsq(points[index].T, x)[0] for x, index in zip(points, near, strict=True)])


@claim("H2", kind="counter-example", sources=("roweis2000", "wendel1962"))
def weights_are_signed(seed=0):
    r"""Reconstruction weights are no localization kernel: if $d+1$ neighbours are drawn independently and symmetrically
    around a point of $d$ dimensions, in general position, one of the exact weights is negative with probability
    $1-2^{-d}$.
    With $w\ge0$ demanded they are one, and a point's image stays among those of its neighbours."""
    rng = np.random.default_rng(seed)
    shares, demanded = [], []
    for d in (1, 2, 3, 4):
        cloud, near = rng.normal(size=(4000 * (d + 1), d)), np.arange(4000 * (d + 1)).reshape(4000, d + 1)
        middle = np.zeros((4000, d))
        shares.append((barycentric_weights(middle, cloud, near, regularization=0.0) < 0).any(1).mean())
        demanded.append((barycentric_weights(middle, cloud, near, nonnegative=True) < 0).any(1).mean())
    yield same("how often", shares, 1 - 0.5 ** np.arange(1, 5),
               within=0.032, because="4,000 draws: four standard errors of a share",
               broken=demanded, how="weights that must not be negative")

    cloud, near = rng.normal(size=(24000, 3)), np.arange(24000).reshape(4000, 6)
    often, never = ((barycentric_weights(np.zeros((4000, 3)), cloud, near, nonnegative=demand) < 0).any(1).mean()
                    for demand in (False, True))
    yield at_least("six neighbours in space", often, 1 - wendel(6, 3),
                   within=0.032, because="4,000 draws: four standard errors of a share",
                   broken=never, how="weights that must not be negative")

    digits = datasets.digits().x[rng.permutation(1797)[:120]]
    near = nearest(digits, 10)
    signed, inside = (barycentric_weights(digits, digits, near, nonnegative=demand) for demand in (False, True))
    yield same("signed, of digits", signed, rebuilding(digits, near),
               within=1e-9, because="a condition of 10³ times rounding",
               broken=inside, how="weights that must not be negative")
    yield same("not negative, of digits", inside, rebuilding_without_negatives(digits, near),
               within=1e-9, because="a condition of 10³ times rounding",
               broken=averages(np.maximum(signed, 0.0)), how="signed weights of which the negative ones are cut off")

    roll = make_swiss_roll(300, random_state=seed)[0]
    asked = 1.1 * make_swiss_roll(60, random_state=seed + 100)[0]
    outside = []
    for demand in (True, False):
        model = LocallyLinearEmbedding(n_neighbors=8, nonnegative=demand, eigen_solver="dense").fit(roll)
        square = ((asked[:, None] - roll) ** 2).sum(-1)
        images = model.embedding_[np.argsort(square, axis=1)[:, :8]]
        found = model.transform(asked)
        outside.append(np.maximum(found - images.max(1), images.min(1) - found).max())
    yield at_most("among the neighbours", outside[0], 0.0, within=1e-12, because="rounding of a sum of eight",
                  broken=outside[1], how="signed weights")


def wendel(k, d):
    """Return the probability that k points scattered symmetrically around the origin have it in their hull."""
    return 1 - sum(math.comb(k - 1, i) for i in range(d)) / 2 ** (k - 1)


@claim("H3", kind="identity", sources=("roweis2000", "saul2003", "zhang2004", "donoho2003", "zhang2007"))
def a_flat_sheet_is_given_back(seed=0):
    r"""The coordinates of least cost are the bottom eigenvectors of $M=(I-W)^\top(I-W)$, which is positive
    semi-definite and maps constants to zero.
    If the data lie on a flat sheet of dimension $d$, the weights rebuild each point exactly from more than $d$
    neighbours, and their graph hangs together well enough, the null space of $M$ has dimension $d+1$ and the embedding
    is an affine copy of the coordinates on the sheet."""
    roll = make_swiss_roll(300, random_state=seed)[0]
    near = nearest(roll, 10)
    model = LocallyLinearEmbedding(n_neighbors=10, random_state=seed).fit(roll)
    value, span = bottom(cost_of(rebuilding(roll, near), near), 2)
    found = LocallyLinearEmbedding(n_neighbors=10, random_state=seed).fit_transform(roll)
    why = "eigenvectors known to a millionth"
    yield same("the embedding", found @ found.T, span, within=1e-6, because=why,
               broken=bottom(cost_of(rebuilding(roll, near, 1e-6), near), 2)[1], how="a ridge of a millionth")
    yield same("coordinates kept", model.embedding_ @ model.embedding_.T, span, within=1e-6, because=why,
               broken=projection(roll[:, :2]), how="the first two features of the roll")
    yield same("the cost", model.reconstruction_error_, value.sum(), relative=1e-5, because=why,
               broken=bottom(cost_of(rebuilding(roll, near), near), 3)[0].sum(), how="three coordinates instead of two")

    rng = np.random.default_rng(seed)
    sheet = rng.uniform(size=(300, 2))
    flat = sheet @ np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    near = nearest(flat, 10)
    values = np.linalg.eigvalsh(alignment_matrix(flat, near, reg=0).toarray())
    ridged = np.linalg.eigvalsh(alignment_matrix(flat, near, reg=1e-3).toarray())
    yield same("null space", values[:3], np.zeros(3), within=1e-12,
               because="rounding of a matrix with entries near one",
               broken=ridged[:3], how="the customary ridge, which makes no weights exact")
    torn = flat + 100.0 * (sheet[:, [0]] > 0.5)
    pieces = np.linalg.eigvalsh(alignment_matrix(torn, nearest(torn, 10), reg=0).toarray())
    yield at_least("and no more", values[3], 1e-8, because="the next wave on the sheet costs something",
                   broken=pieces[3], how="a sheet torn in two, whose pieces know nothing of each other")
    bowl = np.column_stack([flat, 0.5 * (sheet**2).sum(1)])
    for method, exact, twin, how in (
            ("standard", {"reg": 0.0}, (flat, {"reg": 1e-3}), "the customary ridge, which makes no weights exact"),
            ("ltsa", {}, (bowl, {}), "a sheet bent into a bowl"),
            ("hessian", {"quadratic_only": True}, (bowl, {"quadratic_only": True}), "a sheet bent into a bowl")):
        left, bent = (left_of(sheet, LocallyLinearEmbedding(n_neighbors=10, method=method, **options).fit(data))
                      for data, options in ((flat, exact), twin))
        yield same(f"an affine copy, {method}", left, 0.0, within=1e-5,
                   because="rounding over the cost of the next wave", broken=bent, how=how)

    roll, asked = (make_swiss_roll(size, random_state=seed + size)[0] for size in (400, 50))
    for method in ("standard", "modified", "hessian", "ltsa"):
        ours = LocallyLinearEmbedding(n_neighbors=12, method=method, random_state=seed).fit(roll)
        theirs = manifold.LocallyLinearEmbedding(n_neighbors=12, method=method, eigen_solver="dense").fit(roll)
        turn = ours.embedding_.T @ theirs.embedding_
        yield same(f"scikit-learn's, {method}", ours.transform(asked) @ turn, theirs.transform(asked),
                   within=1e-5, because="eigenvectors known to a millionth, and weights of size ten",
                   broken=theirs.embedding_[nearest_to(asked, roll)], how="the coordinates of the nearest sample")


def left_of(sheet, model):
    """Return the largest part of the sheet's coordinates that is no affine function of the embedding."""
    design = np.column_stack([np.ones(len(sheet)), model.embedding_])
    return abs(sheet - design @ np.linalg.lstsq(design, sheet)[0]).max()


def nearest_to(asked, known):
    """Return the index of the known point nearest to each that is asked."""
    return ((asked[:, None] - known) ** 2).sum(-1).argmin(1)


@claim("H4", kind=("identity", "limit", "order"), sources=("levin1998",))
def local_lines_are_the_limit(seed=0):
    r"""Of all weights that sum to one and rebuild $x^*$ exactly, local linear regression with the kernel $K$ has those
    with the least $\sum_j w_j^2/K_j$.
    So reconstruction weights with the ridge $\lambda/K_j$ tend to them like $\lambda$ as $\lambda\to0$, and like
    $1/\lambda$ to those of the local mean as $\lambda\to\infty$."""
    rng = np.random.default_rng(seed)
    keys, asked = rng.uniform(size=(40, 2)), rng.uniform(0.3, 0.7, size=(10, 2))
    everybody = np.tile(np.arange(40), (10, 1))
    closeness = gaussian(asked, keys, 0.2)
    constrained = np.array([least_under_constraints(x, keys, near) for x, near in zip(asked, closeness, strict=True)])
    line = lm.smoother_matrix(asked, keys, kernel=Gaussian(0.2), degree=1)
    mean = lm.smoother_matrix(asked, keys, kernel=Gaussian(0.2), degree=0)
    why = "linear systems of three equations, each rounded"
    yield same("local lines", line, constrained, within=1e-10, because=why,
               broken=mean, how="a local constant instead of a local line")
    yield same("local means", mean, averages(closeness), within=1e-12, because="40 additions, each rounded",
               broken=line, how="a local line instead of a local constant")

    lines = np.array([local_line(x, keys, near) for x, near in zip(asked, closeness, strict=True)])
    exact = barycentric_weights(asked, keys, everybody, regularization=0.0, closeness=closeness)
    equal = barycentric_weights(asked, keys, everybody, regularization=0.0)
    yield same("without a ridge", exact, lines, within=1e-9, because="singular values of 40 differences, each rounded",
               broken=equal, how="a ridge that is the same for near and far")
    for name, ridges, goal, power in (("a small ridge", [1e-5, 1e-4, 1e-3], lines, 1),
                                      ("a large ridge", [1e2, 1e3, 1e4], averages(closeness), -1)):
        errors, wrong = ([abs(barycentric_weights(asked, keys, everybody, regularization=r, closeness=given) - goal)
                          .max() for r in ridges] for given in (closeness, None))
        yield order(name, ridges, errors, power, within=0.05, because="the next term is a hundredth of it",
                    broken=wrong, how="a ridge that is the same for near and far")


def least_under_constraints(x, keys, closeness):
    """Return the minimum of Σ w²/K subject to Σ w = 1 and Σ w y = x from the conditions of Lagrange."""
    equations = np.column_stack([np.ones(len(keys)), keys]).T
    return closeness * (equations.T @ np.linalg.solve(equations * closeness @ equations.T, np.r_[1.0, x]))


@claim("H5", kind="counter-example", sources=("wu2018", "belkin2003"))
def the_ridge_decides(seed=0):
    r"""With more neighbours than dimensions the Gram matrix is singular, and the ridge decides what is embedded.
    On even places of a circle $I-W$ costs a wave of frequency two about four times what it costs one of frequency one,
    as the Laplacian does, only if the ridge is large enough; as the ridge vanishes the ratio grows beyond all bounds,
    because the circle's own coordinates cost nothing."""
    n, m = 200, 6
    turn = 2 * np.pi * (np.arange(n) + seed / 8) / n
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    near = (np.arange(n)[:, None] + np.r_[-m:0, 1:m + 1]) % n
    ridges = 10.0 ** np.arange(-7, 2)
    costs = np.array([costs_of_waves(turn, near, barycentric_weights(circle, circle, near, regularization=r))
                      for r in ridges])
    yield same("two waves", costs, [waves_on_a_circle(n, m, r) for r in ridges], within=1e-9,
               because="a condition of 10⁷ at most, times rounding; 12 neighbours in a closed form",
               broken=[costs_of_waves(turn, near, np.full(near.shape, 1 / (2 * m)))] * len(ridges),
               how="a plain mean of the twelve neighbours")
    large, small = costs[-1], costs[0]
    yield same("the Laplacian's ratio", large[1] / large[0], 4.0, within=0.05,
               because="neighbours are a fifth of a radian away at most, and squares of that are left out",
               broken=small[1] / small[0], how="a ridge of a ten-millionth")
    yield at_least("not the Laplacian's", small[1] / small[0], 100.0,
                   because="the closed form has 278 at a ridge of a ten-millionth",
                   broken=large[1] / large[0], how="a ridge of ten")
    exact, customary = (costs_of_waves(turn, near, barycentric_weights(circle, circle, near, regularization=r))
                        for r in (0.0, 1e-3))
    yield same("its own coordinates", exact[0], 0.0, within=1e-14, because="rounding of a sum of twelve",
               broken=customary[0], how="the customary ridge")

    roll = make_swiss_roll(300, random_state=seed)[0]
    angles = []
    for method in ("standard", "ltsa"):
        one, two = (LocallyLinearEmbedding(n_neighbors=12, method=method, reg=r).fit_transform(roll)
                    for r in (1e-2, 1e-4))
        angles.append(subspace_angles(one, two).max())
    yield at_least("the swiss roll", angles[0], 0.1, because="a tenth of a radian is seen in a picture",
                   broken=angles[1], how="tangent spaces, which know no ridge")


def costs_of_waves(turn, near, weights):
    """Return what I − W multiplies cos θ and cos 2θ by on a circle: ⟨f, (I − W) f⟩/⟨f, f⟩."""
    waves = np.cos(np.outer(turn, [1, 2]))
    rest = waves - np.einsum("ik,ikf->if", weights, waves[near])
    return (waves * rest).sum(0) / (waves**2).sum(0)
