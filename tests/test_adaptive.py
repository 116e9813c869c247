"""Adaptive kernels against loops and closed forms: widths, densities, metrics, mixtures, scalings, factors."""

import math
import re

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.spatial.distance import cdist
from scipy.special import betaln, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NeighborhoodComponentsAnalysis

import locmethods as lm
from locmethods.adaptive import (
    LearnedMetric,
    Metric,
    SamplePoint,
    SelfTuning,
    attention_factors,
    kernel_density,
    learn_kernel,
    leave_one_out_slope,
    mixture,
    sinkhorn,
)
from locmethods.adaptive.widths import log_mass
from locmethods.kernels import (
    Balloon,
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Shepard,
    Triangular,
    Tricube,
)

ROUNDED = {"rtol": 1e-12, "atol": 1e-14}  # sums and exponentials of some hundred numbers, each rounded


def cloud(seed, n=60, d=2):
    return np.random.default_rng(seed).normal(size=(n, d))


# ---- a width for each key -------------------------------------------------------------------------------------------


def widths_by_loop(keys, h, exponent, clip):
    density = [np.mean([np.exp(-np.sum((x - z) ** 2) / (2 * h**2)) for z in keys]) for x in keys]
    return np.minimum((density / np.exp(np.mean(np.log(density)))) ** -exponent, clip)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("exponent", "clip"), [(0.5, None), (0.5, 1.2), (1.0, None), (0.0, None)])
def test_sample_point_is_abramsons_formula(seed, exponent, clip):
    keys, query = cloud(seed), cloud(seed + 10, 7)
    kernel = SamplePoint(Gaussian(0.6), exponent=exponent, clip=clip)
    wide = widths_by_loop(keys, 0.6, exponent, np.inf if clip is None else clip)
    expected = np.exp(-(cdist(query, keys) ** 2) / (2 * (0.6 * wide) ** 2)) / wide**2
    np.testing.assert_allclose(kernel.widths(keys), wide, **ROUNDED)
    np.testing.assert_allclose(kernel(query, keys), expected, **ROUNDED)
    single = keys.astype(np.float32)  # widths are of double precision whatever the keys are
    np.testing.assert_array_equal(kernel.widths(single), kernel.widths(single.astype(np.float64)))
    values = np.sin(keys[:, 0])
    np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel),
                               expected @ values / expected.sum(1), rtol=1e-11)
    hollow = kernel(keys, keys) - np.diag(kernel(keys, keys).diagonal())
    np.testing.assert_allclose(kernel.hollow()(keys, keys), hollow, **ROUNDED)


def test_the_pilot_may_be_a_kernel_or_the_density_itself():
    keys = cloud(3)
    by_kernel = SamplePoint(Gaussian(0.3), pilot=Gaussian(0.6))
    np.testing.assert_allclose(by_kernel.widths(keys), widths_by_loop(keys, 0.6, 0.5, np.inf), **ROUNDED)
    known = SamplePoint(Gaussian(0.3), pilot=lambda points: np.exp(-np.sum(points**2, -1) / 2))
    square = np.sum(keys**2, 1)
    np.testing.assert_allclose(known.widths(keys), np.exp((square - square.mean()) / 4), **ROUNDED)
    for of, shape, least, greatest in ((lambda n: np.zeros(n), "(60,)", "0", "0"),
                                       (lambda n: np.r_[np.ones(n - 1), np.inf], "(60,)", "1", "inf"),
                                       (lambda n: np.ones((n, 1)), "(60, 1)", "1", "1")):
        message = (f"pilot must give a positive finite number for each of 60 keys, got shape {shape}, the least "
                   f"{least} and the greatest {greatest}")
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            SamplePoint(Gaussian(0.3), pilot=lambda points, of=of: of(len(points)))(keys, keys)
    for answer in ([1.0] * 60, None):
        message = f"pilot must return an array of the kind of the keys, ndarray, got {type(answer).__name__}"
        with pytest.raises(TypeError, match=f"^{message}$"):
            SamplePoint(Gaussian(0.3), pilot=lambda points, answer=answer: answer)(keys, keys)


def test_prepared_widths_follow_the_parameters_that_change():
    keys = cloud(4)
    kernel = SamplePoint(Gaussian(0.6))
    prepared = lm.prepare(keys, keys[:, 0], kernel=kernel)
    for h in (0.6, 0.3, 1.1):
        kernel.set_params(kernel__bandwidth=h)
        alone = lm.local_mean(keys, keys, keys[:, 0], kernel=SamplePoint(Gaussian(h)))
        np.testing.assert_array_equal(prepared.mean(), alone)
    for power in (1.0, 2.0):  # two functions of one name, in which nothing else differs
        kernel.set_params(pilot=lambda points, power=power: np.exp(-power * np.sum(points**2, -1)))
        alone = lm.local_mean(keys, keys, keys[:, 0], kernel=SamplePoint(Gaussian(1.1), pilot=kernel.pilot))
        np.testing.assert_array_equal(prepared.mean(), alone)


def test_a_prepared_metric_follows_the_matrix():
    keys = cloud(4, 9)
    kernel = Metric(Gaussian(1.0), [[1.0, 0.0]])
    prepared = lm.prepare(keys, keys[:, 0], kernel=kernel)
    for stretch in range(1, 100):  # of so many lists some stand where one stood that is gone
        kernel.set_params(matrix=[[float(stretch), 0.0]])
        alone = lm.local_mean(keys, keys, keys[:, 0], kernel=Metric(Gaussian(1.0), np.array([[stretch, 0.0]])))
        np.testing.assert_array_equal(prepared.mean(), alone)


def test_where_no_key_reaches_the_nearest_is_so_in_its_own_width():
    keys = np.array([[0.0], [0.1], [0.2], [3.0]])
    kernel = SamplePoint(Epanechnikov(0.3), pilot=Gaussian(0.5))
    far = np.abs(1.5 - keys[:, 0]) / widths_by_loop(keys, 0.5, 0.5, np.inf)
    assert far.min() > 0.3 and far.argmin() == 3 and np.abs(1.5 - keys[:, 0]).argmin() == 2
    assert lm.local_mean([[1.5]], keys, [0.0, 1.0, 2.0, 3.0], kernel=kernel) == 3


def test_a_single_key_and_keys_that_coincide():
    assert SamplePoint(Gaussian(0.5))([[0.0]], [[0.0]]) == [[1.0]]
    kernel = SamplePoint(Epanechnikov(1.0), pilot=Gaussian(1.0))
    np.testing.assert_allclose(kernel([[0.5]], np.zeros((3, 1))), np.full((1, 3), 0.75), **ROUNDED)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: SamplePoint(Exponential()), TypeError,
     "kernel must be a kernel of the distance with a bandwidth or a radius, got Exponential(temperature=1.0)"),
    (lambda: SamplePoint(Gaussian(), exponent=1.5), ValueError, "exponent must be at least 0 and at most 1, got 1.5"),
    (lambda: SamplePoint(Gaussian(), clip=0.5), ValueError, "clip must be None or a number of at least 1, got 0.5"),
    (lambda: SamplePoint(Gaussian(), clip=np.inf), ValueError, "clip must be None or a number of at least 1, got inf"),
    (lambda: SamplePoint(Gaussian(), pilot=3), TypeError,
     "pilot must be a kernel of the distance or a function, got int"),
    (lambda: SelfTuning(0), ValueError, "n_neighbors must be an integer of at least 1, got 0"),
    (lambda: SelfTuning(3)([[0.0]], np.zeros((3, 1))), ValueError,
     "n_neighbors must be less than the number of keys, 3, of which none is its own neighbour, got 3"),
    (lambda: kernel_density([[0.0]], [[0.0]], kernel=NearestNeighbors(1)), TypeError,
     "kernel must be a kernel of the distance, SamplePoint or Balloon, got NearestNeighbors(n_neighbors=1)"),
    (lambda: kernel_density(np.zeros((1, 2)), np.zeros((1, 2)), kernel=Cauchy(1.0)), ValueError,
     "Cauchy(bandwidth=1.0) has no finite integral in 2 dimensions, so that it is the kernel of no density"),
])
def test_messages_of_widths(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


# ---- a width for each pair ------------------------------------------------------------------------------------------


def scales_by_loop(points, keys, k):
    found = []
    for point in points:
        far = np.sort(np.sqrt(np.sum((keys - point) ** 2, 1)))
        found.append(far[k] if far[0] == 0 else far[k - 1])
    return np.array(found)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("d", [1, 2, 20])
def test_self_tuning_is_its_formula(seed, d):
    keys, query = cloud(seed, 50, d), cloud(seed + 10, 9, d)
    query[0] = keys[3]
    theirs, mine = scales_by_loop(keys, keys, 4), scales_by_loop(query, keys, 4)
    expected = np.exp(-(cdist(query, keys) ** 2) / np.outer(mine, theirs))
    np.testing.assert_allclose(SelfTuning(4)(query, keys), expected, **ROUNDED)
    whole = SelfTuning(4)(keys, keys)
    np.testing.assert_allclose(whole, whole.T, **ROUNDED)
    for size in (1e6, 1e-100, 1e100):  # of the latter two the squares of squares are no numbers
        np.testing.assert_allclose(SelfTuning(4)(size * keys, size * keys), whole, rtol=1e-9)  # exponents of size 100


def test_self_tuning_on_keys_that_coincide():
    keys = np.array([[0.0], [0.0], [0.0], [1.0]])
    np.testing.assert_array_equal(SelfTuning(2)([[0.0], [1.0]], keys), [[1, 1, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize("kernel", [SamplePoint(Gaussian(0.5)), SelfTuning(3)], ids=["sample point", "self-tuning"])
def test_slopes_go_through_the_widths(kernel):
    torch = pytest.importorskip("torch")
    keys = torch.tensor(cloud(5, 8), requires_grad=True)
    query = torch.tensor(cloud(6, 2), requires_grad=True)
    values = torch.tensor(np.random.default_rng(7).normal(size=8))
    assert torch.autograd.gradcheck(lambda q, x: lm.local_mean(q, x, values, kernel=kernel), (query, keys))
    np.testing.assert_array_equal(lm.local_mean(query, keys, values, kernel=kernel).detach().numpy(),
                                  lm.local_mean(query.detach(), keys.detach(), values, kernel=kernel).numpy())
    both = torch.stack([keys.detach(), 3 * keys.detach() ** 2])  # of which each has widths of its own
    batch = lm.local_mean(query.detach().expand(2, 2, 2), both, values.expand(2, 8), kernel=kernel)
    for points, found in zip(both, batch, strict=True):
        np.testing.assert_allclose(found, lm.local_mean(query.detach(), points, values, kernel=kernel), **ROUNDED)


@pytest.mark.parametrize("make", [
    lambda part: SamplePoint(Gaussian(0.5), pilot=Gaussian(part.square().sum().sqrt())),
    lambda part: Metric(Gaussian(0.5), part),
], ids=["pilot", "matrix"])
def test_slopes_go_to_what_fixed_keys_are_compared_by(make):
    torch = pytest.importorskip("torch")
    keys, query, values = (torch.tensor(cloud(seed, n)) for seed, n in ((5, 8), (6, 3), (7, 8)))
    part = torch.tensor([[0.4, 0.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda part: lm.local_mean(query, keys, values, kernel=make(part)), (part,))
    assert lm.explain(query, keys, values, kernel=make(part)).engine == "gradient"  # which forms no graph of all pairs
    expected = torch.autograd.grad(lm.local_mean(query, keys, values, kernel=make(part)).sum(), part)[0]
    prepared = lm.prepare(keys, values, kernel=make(part))
    for _ in range(2):
        # retain_graph for what the test itself made of the part; what is kept must not be a part of the first graph.
        found = torch.autograd.grad(prepared.mean(query).sum(), part, retain_graph=True)[0]
        np.testing.assert_allclose(found, expected, **ROUNDED)


# ---- densities ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [Gaussian(0.4), Epanechnikov(0.7), SamplePoint(Gaussian(0.4), clip=2.0)], ids=repr)
def test_a_density_integrates_to_one(kernel):
    keys = cloud(0, 20, 1)
    line = np.linspace(-12, 12, 8001)
    whole = trapezoid(kernel_density(line[:, None], keys, kernel=kernel), line)
    assert whole == pytest.approx(1, abs=1e-5)  # the square of the step, at 40 kinks


def test_densities_in_closed_form():
    keys = cloud(1, 30, 2)
    parzen = np.exp(-(cdist(keys, keys) ** 2) / (2 * 0.4**2)).mean(1) / (2 * np.pi * 0.4**2)
    np.testing.assert_allclose(kernel_density(keys, keys, kernel=Gaussian(0.4)), parzen, rtol=1e-8)  # quadrature
    query = cloud(2, 5, 2)
    fifth = np.sort(cdist(query, keys), axis=1)[:, 4]
    nearest = kernel_density(query, keys, kernel=Balloon(Flat(1.0), 5))
    np.testing.assert_allclose(nearest, 5 / (30 * np.pi * fifth**2), rtol=1e-8)
    for size in (1e-200, 1e200):  # the squares of distances are no numbers
        line, asked = size * keys[:, :1], size * query[:, :1]
        fifth = np.sort(np.abs(asked - line.T), axis=1)[:, 4]
        np.testing.assert_allclose(kernel_density(asked, line, kernel=Balloon(Flat(1.0), 5)), 5 / (30 * 2 * fifth),
                                   rtol=1e-8)
    assert kernel_density([[0.0]], [[0.0], [0.0], [1.0]], kernel=Balloon(Flat(1.0), 2))[0] == np.inf


@pytest.mark.parametrize("d", [1, 2, 7, 60, 400])
def test_masses_in_many_dimensions(d):
    # ∫ r^(d − 1) k(r) dr of each profile, times the area of the sphere: both overflow long before the density does.
    sphere = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    radial = {Gaussian: (d / 2 - 1) * math.log(2) + math.lgamma(d / 2), Laplace: math.lgamma(d), Flat: -math.log(d),
              Epanechnikov: math.log(2 / (d * (d + 2))), Triangular: -math.log(d * (d + 1)),
              Biweight: betaln(d / 2, 3) - math.log(2), Tricube: betaln(d / 3, 4) - math.log(3)}
    for kernel, expected in radial.items():
        # Sums of logarithms up to 2,000, each rounded, and what quad promises.
        assert log_mass(kernel(1.0), d) == pytest.approx(sphere + expected, abs=1e-11)
    if d == 1:  # its tail is the thinnest that any dimension has, and in more its mass is infinite
        assert log_mass(Cauchy(1.0), 1) == pytest.approx(math.log(math.pi), abs=1e-11)
    keys = np.zeros((3, d))
    assert kernel_density(keys[:1], keys, kernel=Gaussian(0.5)) == pytest.approx(
        math.exp(-d / 2 * math.log(2 * math.pi * 0.25)), rel=1e-11)


@pytest.mark.parametrize("kernel", [Gaussian(0.4), Balloon(Flat(1.0), 5), SamplePoint(Gaussian(0.4))], ids=repr)
def test_densities_keep_kind_and_type(kernel):
    torch = pytest.importorskip("torch")
    keys, query = cloud(1, 30, 2), cloud(2, 5, 2)
    double = kernel_density(query, keys, kernel=kernel)
    single = kernel_density(query.astype(np.float32), keys.astype(np.float32), kernel=kernel)
    tensor = kernel_density(torch.tensor(query), torch.tensor(keys), kernel=kernel)
    half = kernel_density(torch.tensor(query).float(), torch.tensor(keys).float(), kernel=kernel)
    assert (single.dtype, tensor.dtype, half.dtype) == (np.float32, torch.float64, torch.float32)
    np.testing.assert_allclose(tensor, double, rtol=1e-12)  # rounded in another order
    np.testing.assert_allclose(single, double, rtol=1e-5)  # points of single precision
    np.testing.assert_allclose(half, double, rtol=1e-5)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: kernel_density([["a"]], [[0.0]], kernel=Gaussian()), TypeError,
     "query must be real numbers, got dtype <U1"),
    (lambda: kernel_density([[0.0]], np.zeros((3, 0)), kernel=Gaussian()), ValueError,
     "keys must have at least one feature, got shape (3, 0)"),
    (lambda: SamplePoint(Gaussian()).widths([0.0, 1.0]), ValueError,
     "keys must have shape (..., n, n_features), got shape (2,); for one feature write keys[:, None], "
     "for one point keys[None]"),
    (lambda: SamplePoint(Gaussian()).widths([[0.0], [np.nan]]), ValueError,
     "keys must be finite, got 1 NaN or infinite value in an array of shape (2, 1)"),
])
def test_points_of_densities_and_widths_are_checked(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


# ---- metrics --------------------------------------------------------------------------------------------------------


def test_a_metric_is_a_map_before_the_kernel():
    keys, query, A = cloud(0, 40, 3), cloud(1, 6, 3), np.random.default_rng(2).normal(size=(2, 3))
    M = A.T @ A
    square = np.array([[(q - x) @ M @ (q - x) for x in keys] for q in query])
    np.testing.assert_allclose(Metric(Gaussian(0.7), A)(query, keys), np.exp(-square / (2 * 0.7**2)), **ROUNDED)
    among = np.exp(-cdist(keys @ A.T, keys @ A.T, "sqeuclidean") / (2 * 0.7**2)) * (1 - np.eye(40))
    np.testing.assert_allclose(Metric(Gaussian(0.7), A).hollow()(keys, keys), among, **ROUNDED)
    np.testing.assert_allclose(lm.local_mean(keys, keys, keys[:, 0], kernel=Metric(Gaussian(0.7), A).hollow()),
                               among @ keys[:, 0] / among.sum(1), rtol=1e-11)
    assert Metric(Polynomial(1), A).signed and not Metric(Gaussian(0.7), A).signed
    prepared = lm.prepare(keys, keys[:, 0], kernel=Metric(Gaussian(0.7), A))
    np.testing.assert_allclose(prepared.mean(query), lm.local_mean(query @ A.T, keys @ A.T, keys[:, 0],
                                                                   kernel=Gaussian(0.7)), **ROUNDED)
    assert clone(Metric(Gaussian(0.7), A)).kernel.bandwidth == 0.7


def test_a_metric_takes_points_of_another_kind_than_its_matrix():
    torch = pytest.importorskip("torch")
    keys, A = cloud(0, 9, 3), np.random.default_rng(2).normal(size=(2, 3))
    expected = Metric(Gaussian(0.7), A)(keys, keys)
    np.testing.assert_allclose(Metric(Gaussian(0.7), torch.tensor(A))(keys, keys), expected, **ROUNDED)
    tensors = torch.tensor(keys)
    np.testing.assert_allclose(Metric(Gaussian(0.7), A)(tensors, tensors).numpy(), expected, **ROUNDED)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Metric(3, [[1.0]]), TypeError, "kernel must be a kernel from locmethods.kernels, got int"),
    (lambda: Metric(Gaussian(), [1.0]), ValueError, "matrix must have shape (n_components, n_features), got (1,)"),
    (lambda: Metric(Gaussian(), np.zeros((0, 2))), ValueError,
     "matrix must have shape (n_components, n_features), got (0, 2)"),
    (lambda: Metric(Gaussian(), [[1.0]])(cloud(0), cloud(0)), ValueError,
     "keys must have 1 features, the columns of matrix, got 2"),
    (lambda: LearnedMetric(3).fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "n_components must be at most the number of features, 2, got 3"),
    (lambda: LearnedMetric(0).fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "n_components must be an integer of at least 1, got 0"),
    (lambda: LearnedMetric(max_iter=0).fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "max_iter must be an integer of at least 1, got 0"),
    (lambda: LearnedMetric(tol=-1.0).fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "tol must be a number of at least 0, got -1.0"),
    (lambda: LearnedMetric(loss="log").fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "loss must be one of 'squared', 'accuracy', got 'log'"),
    (lambda: LearnedMetric(init="pca").fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "init must be one of 'tuned', 'identity', got 'pca'"),
    (lambda: LearnedMetric(init=np.eye(3)).fit(cloud(0), cloud(0)[:, 0]), ValueError,
     "init must have shape (n_components, n_features) = (2, 2), got (3, 3)"),
])
def test_messages_of_metrics(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def slow_loss(A, X, Y, loss):
    mapped = X @ A.T
    score = -(cdist(mapped, mapped) ** 2) / 2
    np.fill_diagonal(score, -np.inf)
    mean = softmax(score, axis=1) @ Y
    return np.sum((Y - mean) ** 2) if loss == "squared" else np.sum(1 - np.sum(Y * mean, 1))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("loss", ["squared", "accuracy"])
def test_the_slope_of_the_leave_one_out_loss(loss, seed):
    rng = np.random.default_rng(seed)
    X, A = rng.normal(size=(40, 3)), rng.normal(size=(2, 3))
    Y = rng.normal(size=(40, 2)) if loss == "squared" else np.eye(3)[rng.integers(0, 3, 40)]
    value, slope = leave_one_out_slope(A, X, Y, loss=loss)
    assert value == pytest.approx(slow_loss(A, X, Y, loss), rel=1e-12)
    step, found = 1e-6, np.zeros_like(A)
    for index in np.ndindex(A.shape):
        up, down = A.copy(), A.copy()
        up[index] += step
        down[index] -= step
        found[index] = (slow_loss(up, X, Y, loss) - slow_loss(down, X, Y, loss)) / (2 * step)
    np.testing.assert_allclose(slope, found, atol=1e-7)  # rounding over the step


@pytest.mark.parametrize(("arguments", "message"), [
    ((np.eye(2), cloud(0), cloud(0), "log"), "loss must be one of 'squared', 'accuracy', got 'log'"),
    ((np.eye(2), cloud(0), cloud(0)[:, 0], "squared"), "values must have shape (60, n_outputs), got shape (60,)"),
    ((np.eye(2), cloud(0), cloud(0)[:9], "squared"), "values must have shape (60, n_outputs), got shape (9, 2)"),
    ((np.eye(3), cloud(0), cloud(0), "squared"),
     "matrix and points must have shapes (n_components, n_features) and (n_samples, n_features), with at least two "
     "samples, got shapes (3, 3) and (60, 2)"),
    ((np.eye(2), cloud(0)[:1], cloud(0)[:1], "squared"),
     "matrix and points must have shapes (n_components, n_features) and (n_samples, n_features), with at least two "
     "samples, got shapes (2, 2) and (1, 2)"),
    ((np.eye(2), cloud(0), np.full((60, 1), np.nan), "squared"),
     "values must be finite, got 60 NaN or infinite values in an array of shape (60, 1)"),
])
def test_messages_of_the_slope(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        leave_one_out_slope(*arguments[:3], loss=arguments[3])


def test_the_slope_takes_lists():
    X = cloud(0, 9)
    loss, slope = leave_one_out_slope(np.eye(2).tolist(), X.tolist(), X.tolist())
    expected = leave_one_out_slope(np.eye(2), X, X)
    assert loss == expected[0]
    np.testing.assert_array_equal(slope, expected[1])


def test_neighbourhood_components_are_those_of_scikit_learn():
    # Classes that overlap so much that the best map is finite; otherwise both searches go on to one nearest neighbour.
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 2))
    y = (rng.random(300) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
    theirs = NeighborhoodComponentsAnalysis(init="identity", max_iter=500, tol=1e-7, random_state=0).fit(X, y)
    # Theirs is the Gaussian of the distance without the half: A is theirs times √2.
    ours = LearnedMetric(loss="accuracy", init=np.sqrt(2) * np.eye(2), max_iter=500, tol=1e-6).fit(X, y)
    assert ours.loss_ <= slow_loss(np.sqrt(2) * theirs.components_, X, np.eye(2)[y], "accuracy") / 300 + 1e-9
    assert ours.loss_ == pytest.approx(slow_loss(ours.components_, X, np.eye(2)[y], "accuracy") / 300, rel=1e-12)
    M, N = ours.components_.T @ ours.components_, 2 * theirs.components_.T @ theirs.components_
    np.testing.assert_allclose(M, N, atol=1e-3 * np.abs(N).max())  # both searches end on ground that is level to 1e-6


def test_a_learned_metric_finds_the_feature_and_keeps_the_type():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4)).astype(np.float32)
    y = np.sin(2 * X[:, 2])
    found = LearnedMetric(2).fit(X, y)
    share = np.abs(found.components_).sum(0)
    assert share.argmax() == 2 and share[2] > 5 * np.delete(share, 2).max()
    assert found.transform(X).dtype == np.float32 and found.transform(X).shape == (150, 2)
    mapped = found.transform(X)
    np.testing.assert_allclose(lm.local_mean(X, X, y, kernel=found.kernel_),
                               lm.local_mean(mapped, mapped, y, kernel=Gaussian(1.0)), rtol=1e-4)  # of float32
    with pytest.warns(ConvergenceWarning, match=r"^the metric has not settled after 1 steps: the largest slope of the "
                                                r"loss is .*; raise max_iter or tol$"):
        LearnedMetric(max_iter=1).fit(X, y)


def test_a_learned_metric_does_not_see_where_the_points_are():
    X = cloud(0)
    here, there = (LearnedMetric(init="identity", tol=1e-4).fit(points, np.sin(X[:, 0])) for points in (X, X + 1e6))
    # So far out a point keeps ten digits, of which the steps of the search lose some.
    np.testing.assert_allclose(there.components_, here.components_, atol=1e-6 * np.abs(here.components_).max())


def test_the_identity_as_a_start_is_its_rows():
    X = cloud(0, 60, 3)
    named, given = (LearnedMetric(2, init=init, tol=1e-3).fit(X, np.sin(X[:, 0]))
                    for init in ("identity", np.eye(2, 3)))
    np.testing.assert_array_equal(named.components_, given.components_)


@pytest.mark.parametrize("X", [np.zeros((5, 2)), np.array([[0.0, 1], [1, 1]])], ids=["one place", "two samples"])
def test_a_learned_metric_of_hardly_any_data(X):
    found = LearnedMetric().fit(X, np.arange(len(X), dtype=float))
    assert np.isfinite(found.components_).all()
    assert found.n_iter_ >= 1  # a start that is settled counts as one


# ---- kernels that learn ---------------------------------------------------------------------------------------------


def test_a_mixture_is_a_sum():
    x = cloud(0)
    kernel = mixture([Gaussian(0.3), Gaussian(1.0)], [0.5, 2.0])
    np.testing.assert_allclose(kernel(x, x), 0.5 * Gaussian(0.3)(x, x) + 2.0 * Gaussian(1.0)(x, x), **ROUNDED)
    message = "there must be at least one kernel and a weight for each, got 1 kernels and 2 weights"
    with pytest.raises(ValueError, match=f"^{message}$"):
        mixture([Gaussian()], [1.0, 2.0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_width_metric_and_mixture_learn_together():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=80)
    start = mixture([Metric(Gaussian(1.0), np.eye(3)), Gaussian(3.0)])
    found = learn_kernel(X, y, kernel=start, max_iter=25)
    names = [name for name, value in found.kernel.get_params().items() if isinstance(value, float | np.ndarray)]
    assert {name.split("__")[-1] for name in names} == {"bandwidth", "matrix", "factor"}
    assert found.loss < 0.2 * found.losses[0] and found.losses[-1] == pytest.approx(found.loss)
    np.testing.assert_allclose(found.loss, np.mean((y - lm.local_mean(X, X, y, kernel=found.kernel.hollow())) ** 2),
                               rtol=1e-10)
    assert len(found.losses) == found.n_iter + 1
    assert start.get_params()["gaussian__bandwidth"] == 3.0


def test_one_width_that_learns_is_the_one_that_a_search_finds():
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(150, 1))
    y = np.sin(6 * X[:, 0]) + 0.3 * rng.normal(size=150)
    learned = learn_kernel(X, y, kernel=Gaussian(0.2))
    assert learned.settled
    assert learned.kernel.bandwidth == pytest.approx(lm.select_bandwidth(X, y, kernel=Gaussian()).best, rel=1e-2)
    # The squared error is summed over outputs, and averaged over samples alone.
    both = np.column_stack([y, np.cos(6 * X[:, 0])])
    pair = learn_kernel(X, both, kernel=Gaussian(0.2))
    miss = both - lm.local_mean(X, X, both, kernel=pair.kernel.hollow())
    assert pair.loss == pytest.approx(np.sum(miss**2) / 150, rel=1e-10)
    labels = (y > 0).astype(int)
    classes = learn_kernel(X, labels, kernel=Gaussian(0.2), loss="accuracy")
    share = lm.local_mean(X, X, np.eye(2)[labels], kernel=classes.kernel.hollow())
    assert classes.loss == pytest.approx(1 - np.mean(share[np.arange(150), labels]), rel=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_without_leaving_out_the_width_vanishes():
    pytest.importorskip("torch")
    X, y = cloud(2, 40, 1), np.random.default_rng(3).normal(size=40)
    found = learn_kernel(X, y, kernel=Gaussian(0.5), hollow=False, max_iter=100)
    assert found.loss < 1e-3 < learn_kernel(X, y, kernel=Gaussian(0.5)).loss
    np.testing.assert_allclose(lm.local_weights(X, X, kernel=found.kernel), np.eye(40), atol=0.2)


@pytest.mark.parametrize(("kernel", "name"), [
    (Gaussian(1.0), "bandwidth"), (Epanechnikov(2.0), "radius"), (Exponential(1.0), "temperature"),
    (Shepard(1.0), "power"), (mixture([Gaussian(0.3), Gaussian(2.0)]), "gaussian_1__factor"),
], ids=lambda part: part if isinstance(part, str) else repr(part))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_positive_numbers_are_learned_by_default(kernel, name):
    pytest.importorskip("torch")
    X = cloud(0)
    found = learn_kernel(X, np.sin(2 * X[:, 0]), kernel=kernel, max_iter=1)
    assert found.kernel.get_params()[name] != kernel.get_params()[name] and found.loss < found.losses[0]


def test_learning_knows_no_unit_of_the_values():
    pytest.importorskip("torch")
    X = cloud(0)
    y = np.sin(2 * X[:, 0])
    plain = learn_kernel(X, y, kernel=Gaussian(0.5))
    # Nothing but the slope ends the search: a loss that hardly falls any more does not.
    assert learn_kernel(X, y, kernel=mixture([Gaussian(0.5), Gaussian(2.0)]), tol=1e-7, max_iter=500).settled
    for size in (2.0**-20, 2.0**20):  # by powers of two nothing is rounded
        scaled = learn_kernel(X, size * y, kernel=Gaussian(0.5))
        assert scaled.settled and scaled.kernel.bandwidth == plain.kernel.bandwidth
        np.testing.assert_array_equal(scaled.losses, size**2 * plain.losses)


def test_learning_says_that_it_has_not_settled():
    pytest.importorskip("torch")
    X = cloud(0)
    with pytest.warns(ConvergenceWarning, match=r"^the kernel has not settled after 1 steps: the largest slope of the "
                                                r"loss is .* of the loss at the start; raise max_iter or tol$"):
        found = learn_kernel(X, np.sin(2 * X[:, 0]), kernel=Gaussian(1.0), max_iter=1)
    assert not found.settled and found.n_iter == 1


def test_names_of_before_are_learned_with_a_warning():
    pytest.importorskip("torch")
    X = cloud(0)
    kernel = 2.0 * Gaussian(0.5) * Flat(3.0)
    with pytest.warns(FutureWarning, match=r"^the parameter 'left__kernel__bandwidth' of a combined kernel is now "
                                           r"called 'gaussian__bandwidth'$"):
        found = learn_kernel(X, np.sin(2 * X[:, 0]), kernel=kernel, parameters=["left__kernel__bandwidth"])
    again = learn_kernel(X, np.sin(2 * X[:, 0]), kernel=kernel, parameters=["gaussian__bandwidth"])
    assert found.kernel.get_params()["gaussian__bandwidth"] == again.kernel.get_params()["gaussian__bandwidth"] != 0.5


@pytest.mark.parametrize(("make", "message"), [
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), max_iter=0),
     "max_iter must be an integer of at least 1, got 0"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), tol=-1.0),
     "tol must be a number of at least 0, got -1.0"),
    (lambda: learn_kernel(cloud(0)[:1], [1.0], kernel=Gaussian()),
     "Found array with 1 sample(s) (shape=(1, 2)) while a minimum of 2 is required."),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), loss="accuracy"),
     "Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects discrete classes on a "
     "regression target with continuous values."),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), parameters=["width"]),
     "parameters must be names among ['bandwidth'], got 'width'"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=NearestNeighbors(3)),
     "there must be something to learn, and NearestNeighbors(n_neighbors=3) has no number or matrix that is known to "
     "be one: name it in parameters"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), parameters=["bandwidth", "bandwidth"]),
     "parameters must be different names, got 'bandwidth' 2 times"),
    # One name among others that move must not stay where it is in silence.
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=SamplePoint(Gaussian()),
                          parameters=["kernel__bandwidth", "exponent"]),
     "parameters must be numbers and matrices that a gradient can move, got 'exponent' of SamplePoint(kernel="
     "Gaussian(bandwidth=1.0), exponent=0.5, clip=None, pilot=None)"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=NearestNeighbors(3), parameters="n_neighbors"),
     "parameters must be numbers and matrices that a gradient can move, got 'n_neighbors' of "
     "NearestNeighbors(n_neighbors=3)"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=SamplePoint(Gaussian(), exponent=0.0),
                          parameters="exponent"),
     "exponent must be a positive number, no farther from one than a factor of e^300, to be learned as its logarithm, "
     "got 0.0"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(1e-300)),
     "bandwidth must be a positive number, no farther from one than a factor of e^300, to be learned as its logarithm, "
     "got 1e-300"),
    (lambda: learn_kernel(cloud(0), 1e200 * cloud(0)[:, 0], kernel=Gaussian()),
     "the loss and its slope must be numbers, got inf and slopes up to nan of Gaussian(bandwidth=1.0): bring the "
     "values to a size near one, or begin with a width near the distances of the points"),
])
def test_messages_of_learning(make, message):
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), hollow="no"),
     "hollow must be True or False, got 'no'"),
    (lambda: learn_kernel(cloud(0), cloud(0)[:, 0], kernel=Gaussian(), parameters=3),
     "parameters must be a list of names, got 3"),
    (lambda: mixture(Gaussian()), "kernels must be a sequence of kernels, got Gaussian(bandwidth=1.0)"),
    (lambda: mixture([Gaussian(), Gaussian(2.0)], 3.0),
     "weights must be a sequence of numbers, one for each kernel, got 3.0"),
])
def test_what_is_no_list_or_no_switch_is_refused(make, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        make()


def test_a_loss_without_a_slope_is_not_called_settled():
    pytest.importorskip("torch")
    X = cloud(0)
    with pytest.warns(ConvergenceWarning, match=r"^the kernel has not settled: where the search begins the loss has no "
                                                r"slope in radius; begin elsewhere, or choose by select_bandwidth$"):
        found = learn_kernel(X, X[:, 0], kernel=Flat(0.5))
    assert not found.settled and found.kernel.radius == pytest.approx(0.5, rel=1e-15)
    assert learn_kernel(X, np.ones(60), kernel=Gaussian(0.5)).settled  # here there is no loss either


# ---- matrices made fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kernel", [Gaussian(0.5), Flat(1.0), SelfTuning(5)], ids=repr)
def test_sinkhorn_scales_to_a_doubly_stochastic_matrix(kernel, seed):
    X = cloud(seed)
    found = sinkhorn(X, kernel=kernel)
    single = X.astype(np.float32)  # sums are of double precision whatever the points are
    np.testing.assert_array_equal(sinkhorn(single, kernel=kernel).scale,
                                  sinkhorn(single.astype(np.float64), kernel=kernel).scale)
    K = kernel(X, X)
    W = found.scale[:, None] * K * found.scale
    np.testing.assert_allclose(W.sum(0), 1, atol=1e-8)
    np.testing.assert_allclose(W.sum(1), 1, atol=1e-8)
    values = np.column_stack([X[:, 0], np.ones(60)])
    np.testing.assert_allclose(found.mean(values), W @ values, atol=1e-8)
    np.testing.assert_array_equal(found.mean(np.ones(60)), found.mean(values)[:, 1])
    # Sinkhorn's own way, rows and columns in turn.
    rows = columns = np.ones(60)
    for _ in range(5000):
        rows = 1 / (K @ columns)
        columns = 1 / (K.T @ rows)
    np.testing.assert_allclose(W, rows[:, None] * K * columns, atol=1e-7)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: sinkhorn(cloud(0), kernel=NearestNeighbors(5)),
     "NearestNeighbors(n_neighbors=5) is not symmetric on X, so that no D makes D K D symmetric"),
    (lambda: sinkhorn(cloud(0), kernel=SamplePoint(Gaussian(0.5), exponent=1e-5)),  # widths that are nearly one
     "SamplePoint(kernel=Gaussian(bandwidth=0.5), exponent=1e-05, clip=None, pilot=None) is not symmetric on X, so "
     "that no D makes D K D symmetric"),
    (lambda: sinkhorn(cloud(0), kernel=Polynomial(1)),
     "Polynomial(degree=1, offset=0.0) can give negative weights, so it is not a localization kernel: use local_sum "
     "for a signed sum, or a kernel with non-negative weights for a local mean"),
    (lambda: sinkhorn(cloud(0)[None], kernel=Gaussian()),
     "a scaling takes no batch dimensions: X must have shape (n, n_features), got shape (1, 60, 2)"),
    (lambda: sinkhorn(cloud(0), kernel=Gaussian(), tol=-1.0), "tol must be a number of at least 0, got -1.0"),
    (lambda: sinkhorn(cloud(0), kernel=Gaussian(), max_iter=0), "max_iter must be an integer of at least 1, got 0"),
    (lambda: sinkhorn(np.array([[0.0], [0.5], [9.0]]), kernel=Flat(1.0).hollow()),
     "Flat(radius=1.0).hollow() gives a sample no weight at all, so that its row cannot sum to one"),
    (lambda: sinkhorn(cloud(0), kernel=Gaussian()).mean(np.ones(3)),
     "values must have shape (n,) or (n, n_outputs) with n = 60, got shape (3,)"),
    (lambda: sinkhorn(cloud(0), kernel=Gaussian()).mean(np.ones((60, 1, 1))),
     "values must have shape (n,) or (n, n_outputs) with n = 60, got shape (60, 1, 1)"),
    (lambda: attention_factors(np.ones((2, 3)), rank=0), "rank must be an integer of at least 1, got 0"),
    (lambda: attention_factors(np.eye(2)), "weights must be positive, since exp(q·k) is, got 2 that are not"),
    (lambda: attention_factors(np.ones(3)), "weights must have shape (n, m), got (3,)"),
    (lambda: attention_factors(np.ones((2, 3)), rank=3), "rank must be at most 2, the lesser side of weights, got 3"),
])
def test_messages_of_matrices(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_sinkhorn_warns_when_it_has_not_settled():
    with pytest.warns(ConvergenceWarning, match=r"^the matrix is not balanced after 1 scalings: a row's sum is off by "
                                                r".*; raise max_iter or tol$"):
        found = sinkhorn(cloud(0), kernel=Gaussian(0.3), max_iter=1)
    assert found.n_iter == 1
    W = found.scale[:, None] * Gaussian(0.3)(cloud(0), cloud(0)) * found.scale
    assert found.imbalance == pytest.approx(np.abs(W.sum(1) - 1).max(), rel=1e-12)
    # What is left of the sums is divided out, so that a constant stays.
    np.testing.assert_allclose(found.mean(cloud(1)), W @ cloud(1) / W.sum(1)[:, None], **ROUNDED)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_positive_matrix_is_attentions(seed):
    rng = np.random.default_rng(seed)
    K, values = np.exp(rng.normal(size=(12, 9))), rng.normal(size=9)
    found = attention_factors(K)
    assert found.query.shape == (12, 9) and found.error < 1e-12
    np.testing.assert_allclose(Exponential(1.0)(found.query, found.keys), K, rtol=1e-12)
    np.testing.assert_allclose(lm.local_mean(found.query, found.keys, values, kernel=Exponential(1.0)),
                               K @ values / K.sum(1), rtol=1e-11)
    x = rng.normal(size=(30, 2))
    assert attention_factors(Gaussian(0.8)(x, x)).query.shape[1] == 4  # ‖x‖², ‖z‖² and two products
    log = np.log(K)
    left, size, right = np.linalg.svd(log)
    best = left[:, :3] * size[:3] @ right[:3]
    three = attention_factors(K, rank=3)
    np.testing.assert_allclose(three.query @ three.keys.T, best, atol=1e-12)
    assert three.error == pytest.approx(np.abs(log - best).max())
    single = Gaussian(0.8)(x.astype(np.float32), x.astype(np.float32))
    assert attention_factors(single).query.shape[1] == 4  # what single precision has rounded is no direction
    many = rng.normal(size=(300, 2))  # nor what the decomposition of a larger matrix has
    assert attention_factors(Gaussian(0.8)(many, many)).query.shape[1] == 4
    ones = attention_factors(np.ones((2, 3)))  # whose logarithms have no rank at all
    assert ones.query.shape == (2, 1) and ones.error == 0


def test_matrices_take_tensors():
    torch = pytest.importorskip("torch")
    X = cloud(0)
    ours, theirs = sinkhorn(X, kernel=Gaussian()), sinkhorn(torch.tensor(X), kernel=Gaussian())
    np.testing.assert_array_equal(theirs.scale, ours.scale)
    np.testing.assert_array_equal(theirs.mean(torch.tensor(X)), ours.mean(X))
    K = np.exp(X[:9])
    found = attention_factors(torch.tensor(K, requires_grad=True))
    np.testing.assert_array_equal(found.query, attention_factors(K).query)
