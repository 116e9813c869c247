"""What the page on margins checks: the triangle inequality, the softmax as a local mean, its ceiling, and training."""

import numpy as np
import torch
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, softmax

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected.directions import logits_by_angle, precisions, root_distance, slack_of_all, unit
from locmethods.kernels import Exponential, Gaussian, Laplace
from locmethods.margin import (
    MarginSoftmax,
    average_precision,
    cosine_margin,
    least_scale,
    margin_condition,
    margin_logits,
    mean_diameter,
    probability_ceiling,
    train,
)


def sum_of_differences(x, y):
    return abs(x - y).sum(1)


def largest_difference(x, y):
    return abs(x - y).max(1)


def gap_and_slack(distance, power, first, third, second, one, two):
    """Return d(z₁, z₂) − d(z₁, z₃), and by how much the condition holds, for the distances' p-th powers."""
    near, far = distance(first, third) ** power, distance(first, second) ** power
    own = distance(first, one) ** power + distance(third, one) ** power + distance(second, two) ** power
    return far - near, distance(first, two) ** power - own


@claim("R1", kind="inequality", sources=("su2021b",))
def a_margin_makes_classification_retrieval(seed=0):
    r"""In every metric, $d(z_1,c_1) + d(z_3,c_1) + d(z_2,c_2) < d(z_1,c_2)$ implies $d(z_1,z_3) < d(z_1,z_2)$, by at
    least the same gap; a sample of which this holds for all $z_3$ of its class and all $z_2$ of others finds its class
    first."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(5, 100_000, 3))
    for name, distance, longest in (("by the root of 1 − cos", root_distance, 2),
                                    ("by sums of differences", sum_of_differences, 20),
                                    ("by the largest difference", largest_difference, 10)):
        gap, slack = gap_and_slack(distance, 1, *points)
        yield at_least(f"the gap {name}", gap, slack, within=longest * 5e-15,
                       because=f"six distances of {longest} at most, each rounded",
                       broken=gap_and_slack(distance, 2, *points), how="the distances' squares, which are no metric")

    # Classes of very different widths: of a narrow one the condition holds, of a wide one it doesn't.
    prototypes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    labels = np.repeat(np.arange(6), 12)
    points = prototypes[labels] + np.repeat([0.03, 0.06, 0.09, 0.12, 0.25, 0.3], 12)[:, None] * rng.normal(size=(72, 6))
    points *= rng.uniform(0.1, 10, size=(72, 1))
    found = margin_condition(points, labels, prototypes)
    cosine = unit(points) @ unit(prototypes).T
    classified = cosine.argmax(1) == labels
    theirs = precisions(points, labels)
    expected = slack_of_all(points, labels, prototypes)
    without = np.sqrt(1 - np.sort(cosine, axis=1)[:, -2]) - root_distance(points, prototypes[labels])
    yield same("slack", found.slack, expected, within=1e-13, because="the same distances, each rounded",
               broken=without, how="the gap that classifies, without the two terms of the margin")
    yield same("average precision", average_precision(points, labels), theirs, within=1e-13,
               because="means of eleven quotients", broken=softmax(cosine, axis=1)[np.arange(72), labels],
               how="probabilities of the own class, which rank no sample")
    strangers = margin_condition(points, labels, np.roll(prototypes, 1, axis=0)).holds
    yield at_least("how many are promised", found.holds.sum(), 1,
                   because="of the narrow classes it holds, or of nobody",
                   broken=strangers.sum(), how="the prototypes of other classes")
    yield same("promises", found.holds, expected > 0, because="the slack is positive, or it is not",
               broken=classified, how="samples that are merely classified rightly")
    yield at_least("who is promised", np.where(found.holds, theirs, 1.0), 1.0, within=0,
                   because="nobody of another class stands in front, or somebody does",
                   broken=np.where(classified, theirs, 1.0), how="samples that are merely classified rightly")

    own = root_distance(points, prototypes[labels])
    yield same("mean diameter", mean_diameter(points, labels, prototypes), 2 * own.mean(), within=1e-14,
               because="rounding of a mean of 72", broken=own.mean(), how="the mean radius instead of twice of it")
    # The cosine of the own class exceeds another's by M at least: what is the least by which their roots differ?
    asked = np.array([0.1, 0.4, 0.9])
    least = [least_gap(cosine_margin(margin)) for margin in asked]
    yield same("margin of the root", least, asked, within=1e-12, because="two roots of numbers near one, each rounded",
               broken=[least_gap(margin) for margin in asked], how="the same number for a margin of the cosine")


def least_gap(margin):
    """Return the least √(1 − c) − √(1 − c − M) over all cosines c of another class that leave room for a margin M."""
    other = np.linspace(-1, 1 - margin, 10_001)
    return (np.sqrt(1 - other) - np.sqrt(np.maximum(1 - other - margin, 0))).min()


@claim("R2", kind="identity", sources=("wang2017", "wang2018b", "wang2018c", "deng2019"))
def softmax_over_prototypes_is_a_local_mean(seed=0):
    r"""A softmax over the cosines with prototypes is the local mean of one-hot labels whose kernel is $e^{s\cos}$, or a
    Gaussian of bandwidth $1/\sqrt s$ between unit vectors; a margin $m$ of the cosine multiplies the weight of the own
    class by $e^{-sm}$ while it is trained."""
    rng = np.random.default_rng(seed)
    features, prototypes = rng.normal(size=(60, 5)) * np.exp(rng.normal(size=(60, 1))), rng.normal(size=(6, 5))
    labels, scale = rng.integers(0, 6, 60), 7.0
    expected = softmax(scale * unit(features) @ unit(prototypes).T, axis=1)
    why = "exponents of size seven, each rounded"
    unequal = softmax(scale * unit(features) @ prototypes.T, axis=1)
    for name, kernel in (("exponential kernel", Exponential(temperature=1 / scale)),
                         ("Gaussian kernel", Gaussian(bandwidth=1 / np.sqrt(scale)))):
        mean = lm.local_mean(unit(features), unit(prototypes), np.eye(6), kernel=kernel)
        yield same(name, mean, expected, within=1e-13, because=why, broken=unequal,
                   how="prototypes of unequal length")
    loss = with_prototypes(prototypes, margin=0.35, scale=scale)
    x = torch.tensor(features)
    yield same("probabilities", loss.predict_proba(x), expected, within=1e-13, because=why, broken=unequal,
               how="prototypes of unequal length")
    yield same("predictions", loss.predict(x), expected.argmax(1), because="whole numbers",
               broken=unequal.argmax(1), how="prototypes of unequal length")
    apart = root_distance(features[:, None], prototypes)
    metric = lm.local_mean(unit(features), unit(prototypes), np.eye(6), kernel=Laplace(np.sqrt(2) / scale))
    yield same("Laplace kernel", metric, softmax(-scale * apart, axis=1), within=1e-13, because=why,
               broken=expected, how="the cosine instead of the metric")

    # The loss by weights: the own one shrunk, then normalised.
    weight = np.exp(scale * unit(features) @ unit(prototypes).T)
    weight[np.arange(60), labels] *= np.exp(-scale * 0.35)
    share = weight[np.arange(60), labels] / weight.sum(1)
    plain = -np.log(expected[np.arange(60), labels]).mean()
    yield same("loss", loss(x, labels), -np.log(share).mean(), within=1e-13, because=why, broken=plain,
               how="no margin")
    for kind in ("cosine", "angle", "root"):
        by_angle = logits_by_angle(features, labels, prototypes, 0.5, scale, kind)
        told = margin_logits(unit(features) @ unit(prototypes).T, labels, margin=0.5, scale=scale, kind=kind)
        other = logits_by_angle(features, labels, prototypes, 0.5, scale, "root" if kind != "root" else "cosine")
        yield same(f"logits, {kind}", told, by_angle, within=1e-6,
                   because="an arccosine near ±1 errs by the root of a rounding",
                   broken=other, how="a margin of another kind")
        yield same(f"logits of the module, {kind}", with_prototypes(prototypes, margin=0.5, scale=scale, kind=kind)
                   .logits(x, labels), by_angle, within=1e-6,
                   because="an arccosine near ±1 errs by the root of a rounding",
                   broken=other, how="a margin of another kind")


def with_prototypes(prototypes, **options):
    """Return a margin softmax in double precision that has these prototypes."""
    loss = MarginSoftmax(prototypes.shape[1], len(prototypes), **options).double()
    loss.weight.data = torch.tensor(prototypes)
    return loss


@claim("R3", kind="counter-example", sources=("su2021b",))
def one_minus_the_cosine_is_no_metric(seed=0):
    r"""$1-\cos$ violates the triangle inequality, so that a margin of it can hold where retrieval fails;
    $\sqrt{1-\cos}$ does not violate it."""
    rng = np.random.default_rng(seed)
    one, between, two = rng.normal(size=(3, 100_000, 3))
    excess = root_distance(one, two) - root_distance(one, between) - root_distance(between, two)
    squares = root_distance(one, two) ** 2 - root_distance(one, between) ** 2 - root_distance(between, two) ** 2
    yield at_most("triangles", excess, 0.0, within=1e-14, because="three distances, each rounded",
                  broken=squares, how="1 − cos instead of its root")

    # Directions in a plane, by their angles in degrees: c₁ and c₂, of class 1 z₁ and z₃, of class 2 z₂.
    z1, z3, z2, c1, c2 = (np.array([[np.cos(a), np.sin(a)]]) for a in np.radians([0.0, -40.0, 30.0, -20.0, 50.0]))
    promised = (root_distance(z1, c1) ** 2 + root_distance(z3, c1) ** 2 + root_distance(z2, c2) ** 2
                < root_distance(z1, c2) ** 2)
    fails = root_distance(z1, z3) > root_distance(z1, z2)
    points, labels = np.concatenate([z1, z3, z2]), np.array([0, 0, 1])
    kept = margin_condition(points, labels, np.concatenate([c1, c2])).holds[:1]
    yield same("a false promise", promised & fails, [True], within=0, because="it is promised and fails, or not",
               broken=kept & fails, how="the metric, which promises nothing here")
    yield same("its numbers", [average_precision(points, labels)[0]], [0.5], within=0,
               because="a stranger stands before the only other of the class",
               broken=[1.0], how="retrieval as 1 − cos has promised it")


@claim("R4", kind="inequality", sources=("wang2017", "wang2018c"))
def a_scale_has_a_ceiling(seed=0):
    r"""For $k$ classes of equal weight on the unit sphere, the geometric mean of the probabilities of the own class is
    at most $e^s / (e^s + (k-1)\,e^{-s/(k-1)})$, which $k-1$ dimensions reach by a simplex; a margin $m$ multiplies the
    odds of that ceiling by $e^{-sm}$."""
    rng = np.random.default_rng(seed)
    k, scale = 5, 3.0
    simplex = unit(np.eye(k) - 1 / k)
    ceiling = probability_ceiling(k, scale)
    formula = np.exp(scale) / (np.exp(scale) + (k - 1) * np.exp(-scale / (k - 1)))
    at_simplex = softmax(scale * simplex @ simplex.T, axis=1)
    yield same("formula", [ceiling], [formula], within=1e-14, because="five exponentials",
               broken=[softmax(scale * np.eye(k), axis=1)[0, 0]], how="prototypes at right angles")
    yield same("simplex", np.diag(at_simplex), np.full(k, formula), within=1e-14, because="five exponentials",
               broken=np.diag(softmax(scale * np.eye(k), axis=1)), how="prototypes at right angles")

    means, single = [], []
    for spread in np.geomspace(0.01, 3, 300):
        prototypes = unit(simplex + spread * rng.normal(size=(k, k)))
        features = unit(prototypes + spread * rng.normal(size=(k, k)))
        own = np.diag(softmax(scale * features @ prototypes.T, axis=1))
        means.append(np.exp(np.log(own).mean()))
        single.append(np.exp(scale) / (np.exp(scale) + (k - 1) * np.exp(-scale)))
    yield at_most("never above", means, ceiling, within=1e-13, because="five exponentials",
                  broken=single, how="one class alone, from which all other prototypes have fled")
    yield same("by descent", [best_loss(k, k - 1, scale, rng)], [-np.log(ceiling)], within=1e-6,
               because="a search stopped at slopes of 10⁻⁸", broken=[best_loss(k, k - 2, scale, rng)],
               how="k − 2 dimensions, which have no room for a simplex")

    margins = np.array([0.1, 0.35, 0.8])
    odds = [probability_ceiling(k, scale, m) / (1 - probability_ceiling(k, scale, m)) for m in margins]
    yield same("margin", odds, formula / (1 - formula) * np.exp(-scale * margins), relative=1e-12,
               because="quotients of exponentials", broken=np.full(3, formula / (1 - formula)), how="no margin")
    asked = [0.5, 0.9, 0.99]
    searched = [brentq(lambda s, p=p: np.exp(s) / (np.exp(s) + (k - 1) * np.exp(-s / (k - 1))) - p, 0.01, 50,
                       xtol=1e-12) for p in asked]
    yield same("least scale", [least_scale(k, p) for p in asked], searched, within=1e-10,
               because="a root found to 10⁻¹²", broken=np.log(np.divide(asked, np.subtract(1, asked))),
               how="two classes instead of five")


def best_loss(k, dimensions, scale, rng):
    """Return the least mean loss of k classes, of which each is one direction with a prototype, by L-BFGS."""
    def loss(numbers):
        found = torch.tensor(numbers.reshape(2, k, dimensions), requires_grad=True)
        directions = found / found.norm(dim=-1, keepdim=True)
        value = torch.nn.functional.cross_entropy(scale * directions[0] @ directions[1].T, torch.arange(k))
        value.backward()
        return value.item(), found.grad.numpy().ravel()

    starts = rng.normal(size=(3, 2 * k * dimensions))  # of several, since a sphere may have saddles
    return min(minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 1e-15}).fun
               for start in starts)


@claim("R5", kind="inequality", sources=("musgrave2020",))
def a_margin_helps_the_trained_classes(seed=0):
    r"""A small network that is trained on seven of the ten digits ranks new samples of these better with a margin than
    without, at each of five seeds; three digits that it has never seen it ranks worse than raw pixels do, with a margin
    or without."""
    scores = {"pixels": [], "none": [], "margin": []}
    for inner in range(5 * seed, 5 * seed + 5):
        x, y, learned, fresh, unseen = seven_digits(inner)
        scores["pixels"].append([average_precision(x[part], y[part]).mean() for part in (fresh, unseen)])
        for name, margin in (("none", 0.0), ("margin", 0.35)):
            torch.manual_seed(inner)
            network = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 16))
            loss = MarginSoftmax(16, 7, margin=margin, scale=10.0)
            started = first_loss(network, loss, x[learned], y[learned], margin, inner)
            losses = train(network, loss, x[learned].astype(np.float32), y[learned], steps=150, seed=inner)
            with torch.no_grad():
                codes = network(torch.tensor(x, dtype=torch.float32)).numpy()
            scores[name].append([average_precision(codes[part], y[part]).mean() for part in (fresh, unseen)])
    pixels, none, margin = (np.array(scores[name]) for name in scores)
    yield same("first loss", losses[0], started, relative=1e-4, because="float32 with a scale of ten",
               broken=np.log(7), how="equal chances for the seven classes")
    yield at_least("trained classes", margin[:, 0], none[:, 0], within=0,
                   because="better is better, at each of the five seeds",
                   broken=pixels[:, 0], how="raw pixels in place of the network with a margin")
    for name, learned, in (("no margin", none), ("a margin", margin)):
        yield at_most(f"unseen classes, {name}", learned[:, 1], pixels[:, 1], within=0,
                      because="worse is worse, at each of the five seeds", broken=learned[:, 0],
                      how="the trained classes in place of the unseen ones")


def seven_digits(seed):
    """Return digits, their classes with 3, 8 and 9 last, and rows: two halves of the seven others, and the three."""
    x, digit = datasets.digits()
    y = np.argsort([0, 1, 2, 4, 5, 6, 7, 3, 8, 9])[digit]
    seven = np.random.default_rng(seed).permutation(np.flatnonzero(y < 7))
    half = len(seven) // 2
    return x, y, seven[:half], seven[half:], np.flatnonzero(y >= 7)


def first_loss(network, loss, x, y, margin, seed):
    """Return the loss of the first batch that training takes, by NumPy."""
    rows = torch.randint(len(x), (128,), generator=torch.Generator().manual_seed(seed)).numpy()
    first, second = (layer for layer in network if hasattr(layer, "weight"))
    hidden = np.maximum(x[rows] @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
    features = hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy()
    cosine = unit(features) @ unit(loss.weight.detach().numpy().astype(float)).T
    cosine[np.arange(128), y[rows]] -= margin
    return -log_softmax(10.0 * cosine, axis=1)[np.arange(128), y[rows]].mean()
