"""What the page on whitening checks: its moments, the metric that it is, what it leaves, and where it loses."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
from scipy.linalg import fractional_matrix_power
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

import locmethods as lm
from locmethods.adaptive import Metric
from locmethods.companion import at_least, claim, datasets, embeddings, same
from locmethods.companion.expected.retrieval import retrieval
from locmethods.kernels import Gaussian
from locmethods.whitening import Moments, Whitening, moments, whitening_map

ROUNDING = "rounding of sums of a few hundred products"
CONDITION = "rounding times the condition of the moments, below 1e5"


def cloud(seed, n=200, d=4):
    """Return correlated points whose mean is about as large as their spread, and a few more of the same kind."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    points = (rng.normal(size=(n + 9, d)) * np.geomspace(2, 0.1, d)) @ turn + rng.normal(size=d)
    return points[9:], points[:9]


def second_moment(points, beta):
    """Return the mean of (x − βμ)ᵀ(x − βμ), one point at a time."""
    mean = sum(points) / len(points)
    return sum(np.outer(x - beta * mean, x - beta * mean) for x in points) / len(points)


def cosines(vectors):
    """Return the cosines of all pairs."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


@claim("Q1", kind=("identity", "algorithm"), sources=("su2022", "chan1983"))
def moments_about_a_share_of_the_mean(seed=0):
    r"""The second moment about $\beta\mu$ is $\mathrm{Cov} + (1-\beta)^2 \mu^\top\mu$, and blocks that are merged one
    by one give that of the whole sample, to rounding, even where the mean is a hundred million times the spread."""
    points, _ = cloud(seed)
    betas = (0.0, 0.5, 1.0)
    known = moments(points)
    left = np.array([known.about(beta) for beta in betas])
    right = np.array([second_moment(points, beta) for beta in betas])
    raw, mean = points.T @ points / len(points), points.mean(0)
    wrong = np.array([raw - beta**2 * np.outer(mean, mean) for beta in betas])
    yield same("second moment", left, right, within=1e-12, because=ROUNDING,
               broken=wrong, how="β² in the place of β(2 − β) in E[xᵀx] − β(2 − β) μᵀμ")

    blocks = np.split(points, [1, 20, 150])
    stream, merged = Whitening(0.5), moments(blocks[0])
    for block in blocks:
        stream = stream.partial_fit(block)
    for block in blocks[1:]:
        merged = merged.merged(moments(block))
    inside = sum(len(block) * np.cov(block.T, bias=True) for block in blocks) / len(points)
    for name, found in (("stream", stream.moments_), ("merged blocks", merged)):
        yield same(name, found.covariance, right[2], within=1e-12, because=ROUNDING,
                   broken=inside, how="covariances averaged without what lies between the blocks' means")
    yield same("eigenvalues of the stream", stream.eigenvalues_, np.linalg.eigvalsh(right[1])[::-1], within=1e-12,
               because=ROUNDING, broken=np.linalg.eigvalsh(right[0])[::-1], how="the moment about the origin, β = 0")

    whole = np.random.default_rng(seed).integers(-9, 10, size=(40, 2))
    far = whole + 2**30
    exact = covariance_of_integers(far.tolist())
    found = moments(far[:1]).merged(moments(far[1:9])).merged(moments(far[9:]))
    one_pass = (far.T.astype(float) @ far) / 40 - np.outer(far.mean(0), far.mean(0))
    yield same("far from the origin", found.covariance, exact, within=1e-5,
               because="means of size 2³⁰ are rounded by 1e-7, and the spread is 5",
               broken=one_pass, how="E[xᵀx] − μᵀμ, in which all digits cancel")


def covariance_of_integers(rows):
    """Return the covariance of integers, in fractions, without any rounding before the end."""
    n, d = len(rows), len(rows[0])
    mean = [Fraction(sum(row[j] for row in rows), n) for j in range(d)]
    return np.array([[float(sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in rows) / n) for j in range(d)]
                     for i in range(d)])


@claim("Q2", kind="identity", sources=("mahalanobis1936",))
def whitening_is_a_metric(seed=0):
    r"""Where $\Sigma_\beta$ has full rank and all coordinates are kept, the squared distance of two whitened points is
    $(x-y)\,\Sigma_\beta^{-\gamma}(x-y)^\top$, so that at $\beta=\gamma=1$ a Gaussian kernel of whitened points is the
    adaptive kernel of Mahalanobis's distance; then no invertible linear map of the features changes a distance of
    images."""
    points, query = cloud(seed)
    gammas, left, right, wrong = (0.0, 0.5, 1.0), [], [], []
    for beta in (0.0, 0.5, 1.0):
        for gamma in gammas:
            model = Whitening(beta, gamma).fit(points)
            left.append(cdist(model.transform(query), model.transform(points)))
            for rows, power in ((right, -gamma), (wrong, -gamma / 2)):
                inverse = fractional_matrix_power(second_moment(points, beta), power)
                rows.append(cdist(query, points, "mahalanobis", VI=inverse))
    yield same("distances", left, right, within=1e-9, because=CONDITION,
               broken=wrong, how="γ/2 in the place of γ")

    values = np.sin(points[:, 0])
    apart = cdist(query, points, "mahalanobis", VI=np.linalg.inv(np.cov(points.T, bias=True)))
    weights = np.exp(-(apart**2) / 2)
    want = weights @ values / weights.sum(1)
    model, white = Whitening().fit(points), whitening_map(moments(points))
    plain = np.exp(-(cdist(query, points) ** 2) / 2)
    plain = plain @ values / plain.sum(1)
    yield same("local mean of images",
               lm.local_mean(model.transform(query), model.transform(points), values, kernel=Gaussian(1.0)), want,
               within=1e-9, because=CONDITION, broken=plain, how="Euclid's distance")
    yield same("adaptive kernel",
               lm.local_mean(query, points, values, kernel=Metric(Gaussian(1.0), white.matrix.T)), want,
               within=1e-9, because=CONDITION, broken=plain, how="Euclid's distance")
    yield same("weights", Metric(Gaussian(0.7), white.matrix.T)(query, points), np.exp(-(apart**2) / 2 / 0.7**2),
               within=1e-9, because=CONDITION, broken=np.exp(-(apart**2) / 2), how="another bandwidth")

    theirs = PCA(whiten=True).fit(points).transform(query) * np.sqrt(len(points) / (len(points) - 1))
    images = model.transform(query)
    off_centre = Whitening(0.0).fit(points).transform(query)
    yield same("scikit-learn's components", images @ images.T, theirs @ theirs.T, within=1e-9, because=CONDITION,
               broken=off_centre @ off_centre.T, how="β = 0, which does not centre")

    change = np.random.default_rng(seed).normal(size=(4, 4)) * [1.0, 3.0, 10.0, 30.0]
    half = [Whitening(gamma=0.5).fit(sample).transform(some) for sample, some in
            ((points @ change, query @ change), (points, query))]
    moved = Whitening().fit(points @ change).transform(query @ change)
    yield same("linear maps", cdist(moved, moved), cdist(query, query, "mahalanobis", VI=np.linalg.inv(
        np.cov(points.T, bias=True))), within=1e-6, because="rounding times the condition of the changed moments",
        broken=tuple(cdist(one, one) for one in half), how="γ = ½")


@claim("Q3", kind="identity", sources=("su2022",))
def what_whitening_leaves_alone(seed=0):
    r"""With $\beta=\gamma=0$ and all coordinates every cosine stays as it was; for any $\beta$ and $\gamma$ signs of
    eigenvectors and rotations among those of one eigenvalue change no inner product of images, if none of these is cut
    off; and where $\Sigma_\beta$ has full rank the images give the points back, or with $k$ coordinates those nearest
    to them in the plane through $\beta\mu$ along the first $k$ eigenvectors."""
    points, query = cloud(seed)
    plain = Whitening(0, 0).fit(points).transform(query)
    centred = Whitening(1, 0).fit(points).transform(query)
    yield same("cosines", cosines(plain), cosines(query), within=1e-12, because="a rotation, to rounding",
               broken=cosines(centred), how="β = 1, which moves the origin")

    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    values = np.array([3.0, 1.0, 1.0, 0.2])  # of Σ_β; the mean lies along the first axis, so that Σ has the same axes
    angle = rng.uniform(0.5, 1)
    among = np.eye(4)
    among[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    across = among[[1, 0, 2, 3]][:, [1, 0, 2, 3]]  # the same turn of the first and the third
    for beta, gamma in ((1.0, 0.6), (0.5, 1.0)):
        covariance = axes * (values - [(1 - beta) ** 2, 0, 0, 0]) @ axes.T
        images = Whitening(beta, gamma).fit_moments(Moments(100.0, axes[:, 0], covariance)).transform(query)
        moved, scale = query - beta * axes[:, 0], values ** (gamma / 2)
        scaled, mixed = moved @ (axes @ among * [1, -1, 1, -1]) / scale, moved @ (axes @ across) / scale
        yield same(f"signs and rotations, β = {beta:g}, γ = {gamma:g}", images @ images.T, scaled @ scaled.T,
                   within=1e-10, because=ROUNDING, broken=mixed @ mixed.T,
                   how="a rotation of two eigenvectors whose eigenvalues differ")

    back = Whitening(0.5, 0.6).fit(points)
    images = back.transform(query)
    yield same("and back", back.inverse_transform(images), query, within=1e-10, because=CONDITION,
               broken=images * back.scale_ @ back.components_, how="the mean not put back")
    values, vectors = np.linalg.eigh(second_moment(points, 0.5))
    offset, top = 0.5 * points.mean(0), vectors[:, -2:]
    few = Whitening(0.5, 0.6, 2).fit(points)
    bottom = vectors[:, :2]
    yield same("the nearest points", few.inverse_transform(few.transform(query)),
               offset + (query - offset) @ top @ top.T, within=1e-10, because=CONDITION,
               broken=offset + (query - offset) @ bottom @ bottom.T, how="the last eigenvectors in place of the first")


@claim("Q4", kind="counter-example", sources=("su2021c", "huang2021"))
def whitening_does_not_always_help(seed=0):
    r"""Whitening does not always help: among the handwritten digits, half of which the moments are taken of, full
    whitening finds fewer of the same class by cosines than no whitening, by a tenth of mean average precision or more,
    while the first 16 principal components, not scaled, find more."""
    digits = datasets.digits()
    order = np.random.default_rng(seed).permutation(len(digits.x))
    known, asked = digits.x[order[:898]], digits.x[order[898:]]
    label = digits.y[order[898:]]
    related = (label[:, None] == label) & ~np.eye(len(label), dtype=bool)
    units = np.exp(3 * np.random.default_rng(seed).normal(size=64))
    raw = retrieval(asked, related)
    full = retrieval(Whitening().fit(known).transform(asked), related)
    yield at_least("full whitening", raw - full, 0.1, because="a tenth, as said; halves differ by a hundredth",
                   broken=retrieval(asked * units, related) - retrieval(
                       Whitening().fit(known * units).transform(asked * units), related),
                   how="pixels in random units, which full whitening does not see")
    few = Whitening(1, 0, 16).fit(known)
    axes = np.linalg.eigh(second_moment(known, 1))[1]
    last = retrieval((asked - known.mean(0)) @ axes[:, 16:32], related)
    yield at_least("sixteen components", retrieval(few.transform(asked), related) - raw, 0.0, because="more is more",
                   broken=last - raw, how="components of middle size in place of the first")


@cache
def documentation():
    """Return the sentences' vectors, the number of each one's topic, and which topics name each other."""
    sentences = datasets.documentation_sentences()
    names, topic = np.unique(sentences.topic, return_inverse=True)
    return embeddings.encoded(sentences.text)[0], topic, datasets.see_also(names)


def drawn(seed, draws=5):
    """Yield the vectors of four fifths of each topic's sentences, and their topics, so many times."""
    vectors, topic, _ = documentation()
    for draw in range(draws):
        chance = np.random.default_rng([seed, draw]).random(len(topic))
        order = np.lexsort((chance, topic))
        first = np.searchsorted(topic[order], topic[order])  # where the topic of each begins
        size = np.bincount(topic)[topic[order]]
        taken = order[np.arange(len(order)) - first < np.ceil(0.8 * size)]
        yield vectors[taken], topic[taken]


def scores(sentences, topic, settings):
    """Return how well topics, the means of their sentences, find each other under each (β, γ); None whitens nothing."""
    related = documentation()[2]
    means = np.array([sentences[topic == one].mean(axis=0) for one in range(len(related))])
    known = moments(sentences)
    return [retrieval(means if one is None else Whitening(*one).fit_moments(known).transform(means), related)
            for one in settings]


@claim("Q5", kind="inequality", sources=("su2022", "reimers2019"))
def a_trained_encoder_is_hurt(seed=0):
    r"""Where MiniLM's vectors of Python's documentation find each topic's *see also*, a topic being the mean of four
    fifths of its sentences and scores being averaged over five drawings of these, $\gamma=0$ is better than $\gamma=1$,
    at $\beta=0$ and at $\beta=1$, whitening in full is worse than none, and $\gamma=\tfrac12$ at $\beta=0$ is better
    than $\gamma=1$."""
    settings = ((1, 1), (0, 0), (0, 1), (1, 0), (0, 0.5), None)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(384, 384)))[0]
    shrink = turn * np.where(np.arange(384) < 6, 1, 1e-3)
    found, shrunk = [], []
    for sentences, topic in drawn(seed):
        found.append(scores(sentences, topic, settings))
        shrunk.append(scores(sentences @ shrink, topic, settings[:4]))
    full, plain, white, centred, half, none = np.mean(found, axis=0)
    full_shrunk, plain_shrunk, white_shrunk, centred_shrunk = np.mean(shrunk, axis=0)
    how = "vectors of which a linear map shrinks all but six directions, as full whitening undoes"
    because = "better is better; means of five drawings differ by a hundredth"
    yield at_least("β = 0", plain - white, 0.0, because=because, broken=plain_shrunk - white_shrunk, how=how)
    yield at_least("β = 1", centred - full, 0.0, because=because, broken=centred_shrunk - full_shrunk, how=how)
    yield at_least("in full", none - full, 0.0, because=because, broken=plain_shrunk - full_shrunk, how=how)
    yield at_least("half of the way", half - white, 0.0, because=because, broken=full - white,
                   how="β = 1 and γ = 1 in place of β = 0 and γ = ½")
