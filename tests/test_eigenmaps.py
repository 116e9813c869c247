"""Learned eigenmaps, what needs no torch: the rule of collapse, extension, pairs, Rayleigh–Ritz, retrieval."""

import re
import warnings

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import average_precision_score

from locmethods.eigenmaps import (
    GraphPairs,
    KernelPairs,
    RayleighRitz,
    ViewPairs,
    collapse_rule,
    extension,
    least_alpha,
    mean_average_precision,
)
from locmethods.eigenmaps.pairs import as_pairs, chosen
from locmethods.kernels import Epanechnikov, Flat, Gaussian, Laplace, NearestNeighbors

PATH = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])


def says(message):
    return f"^{re.escape(message)}$"


def averaging(x, h=0.5):
    """Return a Gaussian's joint weights, their degrees, and the eigenpairs of averaging, by a dense solver."""
    joint = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / (2 * h**2))
    joint /= joint.sum()
    degrees = joint.sum(1)
    mu, u = np.linalg.eigh(joint / np.sqrt(np.outer(degrees, degrees)))
    return joint, degrees, mu[::-1], (u / np.sqrt(degrees)[:, None])[:, ::-1]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, 10.0])
@pytest.mark.one_in(4)
def test_each_output_maximises_what_those_before_it_leave(seed, alpha):
    """The maximum of Σ c²μ − α Σ_{i<j} (Σ_a c_a c_ia μ_a)², found by a minimiser from many starts."""
    rng = np.random.default_rng(seed)
    mu = np.sort(rng.random(6))[::-1]
    before = []
    for landed in collapse_rule(mu, alpha, 3):
        def value(c, before=tuple(before)):
            c = c / np.linalg.norm(c)
            return -(c**2 @ mu - alpha * sum((c[i] * mu[i]) ** 2 for i in before))
        best = min((minimize(value, rng.normal(size=6)) for _ in range(4)), key=lambda found: found.fun)
        # The minimiser stops at a slope of 1e-5, so that the value is off by its square.
        assert -value(np.eye(6)[landed]) == pytest.approx(-best.fun, abs=1e-6)
        before.append(landed)


@pytest.mark.parametrize("seed", range(8))
def test_outputs_are_in_order_just_above_the_least_penalty_and_not_just_below(seed):
    mu = np.sort(np.random.default_rng(seed).random(7))[::-1]
    for k in (2, 4, 6):
        least = least_alpha(mu, k)
        assert (collapse_rule(mu, least * 1.001, k) == np.arange(k)).all()
        assert (collapse_rule(mu, least * 0.999, k) != np.arange(k)).any()
        assert least <= 1 / mu[k - 2]  # what is enough whatever comes after
    assert least_alpha(mu, 1) == 0.0 and least_alpha([1.0, 0.5, -0.5], 3) == 4.0


def test_bad_eigenvalues_are_refused():
    with pytest.raises(ValueError, match=says("eigenvalues must be in descending order, got 0.1 before 0.5")):
        least_alpha([1.0, 0.1, 0.5], 2)
    with pytest.raises(ValueError, match=says("n_components must be at most the number of eigenvalues, 2, got 3")):
        least_alpha([1.0, 0.1], 3)
    with pytest.raises(ValueError, match=says(
            "the eigenvalues before the last of n_components must be positive, since no penalty keeps an output from "
            "one that is not, got 0")):
        least_alpha([1.0, 0.0, -0.1], 3)
    with pytest.raises(ValueError, match=r"keeps an output from one that is not, got 0$"):
        least_alpha([1.0, 0.0, 0.0], 3)
    with pytest.raises(ValueError, match=says("eigenvalues must be one row of numbers, got shape (1, 2)")):
        collapse_rule([[1.0, 0.5]], 1.0, 2)
    with pytest.raises(ValueError, match=says("alpha must be at least 0 and finite, got -1")):
        collapse_rule([1.0], -1, 2)
    with pytest.raises(ValueError, match=says("n_components must be an integer of at least 1, got 0")):
        collapse_rule([1.0], 1.0, 0)


def test_eigenvalues_of_any_type_are_numbers_of_double_precision():
    single = np.array([0.5, 0.4, 0.1], np.float32)
    assert least_alpha(single, 3) == least_alpha(single.astype(float), 3)
    assert least_alpha(np.array([3, 2, 1], np.uint8), 3) == 0.25  # (2 − 1)/4 is more than (3 − 1)/9


def test_eigenvalues_of_any_size_have_their_rule():
    assert least_alpha([1e-200, 1e-201], 2) == pytest.approx(9e199, rel=1e-12)
    assert least_alpha([1e200, 1e100], 2) == pytest.approx(1e-200, rel=1e-12)
    with warnings.catch_warnings(action="error"):
        assert collapse_rule([1e200, 1e100, 1.0], 1.0, 3).tolist() == [0, 1, 2]
        assert collapse_rule([1e200, -1e200, -1.0], 1.0, 3).tolist() == [0, 2, 2]
    with pytest.raises(ValueError, match=says("eigenvalues must not be so small that their penalty is larger than any "
                                              "float, got 4.94066e-324")):
        least_alpha([1.0, 5e-324, 0.0], 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_extension_is_the_row_of_a_larger_matrix(dtype):
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(60, 2)), rng.normal(size=(9, 2))
    _, _, mu, psi = averaging(x)
    found = extension(new.astype(dtype), x.astype(dtype), psi[:, :5].astype(dtype), mu[:5], kernel=Gaussian(0.5))
    weights = np.exp(-((new[:, None] - x) ** 2).sum(-1) / 0.5)
    expected = weights / weights.sum(1, keepdims=True) @ psi[:, :5] / mu[:5]
    assert found.dtype == dtype
    # Rounding, divided by the least eigenvalue of the five, a hundredth.
    np.testing.assert_allclose(found, expected, atol=1e-10 if dtype == np.float64 else 1e-3)
    # At the keys it is the eigenvector again, and one function alone is the column.
    np.testing.assert_allclose(extension(x, x, psi[:, 2], mu[2], kernel=Gaussian(0.5)), psi[:, 2], atol=1e-9)


def test_extension_refuses_what_has_no_meaning():
    x = [[0.0], [1.0]]
    with pytest.raises(ValueError, match=says("eigenvalues must not be zero: their functions average to nothing, and "
                                              "nothing says what they are elsewhere")):
        extension(x, x, [1.0, -1.0], 0.0, kernel=Flat(1.0))
    with pytest.raises(ValueError, match=r"^eigenvalues must not be zero"):
        extension(x, x, np.eye(2), [0.5, 0.0], kernel=Flat(1.0))
    with pytest.raises(ValueError, match=says("eigenvalues must be one number a function, got shape (1,) for functions "
                                              "of shape (2, 2)")):
        extension(x, x, np.eye(2), 1.0, kernel=Flat(1.0))
    for dtype, eigenvalue in ((np.float64, 1e-320), (np.float32, 1e-60)):
        with pytest.raises(ValueError, match=says(f"eigenvalues must not be so small that functions leave "
                                                  f"{np.dtype(dtype)}, got {eigenvalue:g}")):
            extension(*(np.array(one, dtype=dtype) for one in (x, x, [1.0, 2.0])), eigenvalue, kernel=Gaussian())


@pytest.mark.parametrize("kernel", [Gaussian(0.4), Epanechnikov(1.0), Gaussian(0.4).hollow(), 2 * Laplace(0.5)])
def test_pairs_of_a_kernel_come_as_often_as_it_says(kernel):
    x = np.sort(np.random.default_rng(1).normal(size=(7, 1)), axis=0)
    joint = kernel(x)
    joint = joint / joint.sum()
    pairs, n = KernelPairs(x, kernel), 40_000
    first, second = pairs.draw(n, np.random.default_rng(0))
    counts = np.zeros((7, 7))
    np.add.at(counts, tuple(np.searchsorted(x[:, 0], side[:, 0]) for side in (first, second)), 1 / n)
    # Five standard errors of a share; what cannot come does not.
    assert (np.abs(counts - joint) <= 5 * np.sqrt(joint / n)).all()
    np.testing.assert_allclose(pairs.shares, joint.sum(1), rtol=1e-12)
    z = np.column_stack([x, x**2])
    moments = pairs.moments(lambda points: np.column_stack([points, points**2]))
    np.testing.assert_allclose(moments.cross, z.T @ joint @ z, rtol=1e-10)
    np.testing.assert_allclose(moments.square, z.T @ (joint.sum(1)[:, None] * z), rtol=1e-10)
    np.testing.assert_allclose(moments.mean, joint.sum(1) @ z, rtol=1e-10, atol=1e-14)


def test_levels_choose_the_column_in_which_they_fall_and_none_without_weight():
    weights = np.array([[0.0, 1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 0.0, 6.0]])
    rows, levels = np.repeat([0, 1], 5), np.tile([0.0, 0.2, 0.25, 0.5, np.nextafter(1, 0)], 2)
    expected = []
    for row, level in zip(rows, levels, strict=True):
        running = 0.0
        for column, share in enumerate(weights[row] / weights[row].sum()):
            running += share
            if level < running:
                expected.append(column)
                break
    assert chosen(weights, rows, levels).tolist() == expected == [1, 1, 1, 3, 3, 0, 0, 4, 4, 4]


def test_a_point_that_nothing_reaches_is_never_drawn():
    pairs = KernelPairs([[0.0], [1.0], [50.0]], Flat(2.0).hollow())
    assert pairs.shares.tolist() == [0.5, 0.5, 0.0]
    assert (np.concatenate(pairs.draw(200, np.random.default_rng(0))) < 2).all()


def test_one_point_and_duplicates_make_pairs():
    first, second = KernelPairs([[3.0]], Gaussian()).draw(5, np.random.default_rng(0))
    assert (first == 3).all() and (second == 3).all()
    assert KernelPairs(np.zeros((4, 2)), Gaussian()).shares.tolist() == [0.25] * 4


def test_pairs_of_a_graph_are_its_edges():
    graph = csr_array(3 * PATH)
    pairs = GraphPairs(np.eye(3), graph)
    first, second = pairs.draw(20_000, np.random.default_rng(0))
    counts = first.T @ second / 20_000
    assert (np.abs(counts - PATH / 4) <= 5 * np.sqrt(PATH / 4 / 20_000)).all()  # five standard errors
    moments = pairs.moments(lambda points: points @ [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    np.testing.assert_allclose(moments.mean, [2.0, 0.5])
    np.testing.assert_allclose(moments.square, [[4.5, 1.0], [1.0, 0.5]])
    np.testing.assert_allclose(moments.cross, [[4.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e308])
def test_a_graph_has_the_same_pairs_in_any_unit(size):
    weights = np.random.default_rng(0).random((6, 6))
    weights = (weights + weights.T) / 2
    one, other = GraphPairs(np.eye(6), weights), GraphPairs(np.eye(6), size * weights)
    rough = 1e-2 if size < 1e-308 else 1e-12  # numbers of 1e-320 have three digits
    np.testing.assert_allclose(other.shares, one.shares, rtol=rough)
    np.testing.assert_allclose(other.moments(lambda x: x).cross, weights / weights.sum(), rtol=rough)
    assert len(other.draw(3, np.random.default_rng(0))[0]) == 3


PAIRS = [KernelPairs(np.eye(3), Gaussian()), GraphPairs(np.eye(3), PATH), ViewPairs(np.eye(3), lambda x, rng: x)]


@pytest.mark.parametrize("pairs", PAIRS, ids=lambda pairs: type(pairs).__name__)
def test_draws_and_functions_are_checked(pairs):
    with pytest.raises(TypeError, match=says("rng must be a NumPy Generator, as np.random.default_rng gives it, got "
                                             "int")):
        pairs.draw(3, 0)
    with pytest.raises(TypeError, match=says("function must be a function of points, got 'x'")):
        pairs.moments("x")
    with pytest.raises(ValueError, match=r"^the functions must have a row for each of \d+ points, got shape \(1, 3\)$"):
        pairs.moments(lambda x: x[:1])
    with pytest.raises(ValueError, match=r"^Expected 2D array, got 1D array instead"):
        pairs.moments(lambda x: x[:, 0])


def test_views_are_of_one_row_and_disturbed_twice():
    points = np.array([[0.0], [100.0]])
    pairs = ViewPairs(points, lambda x, rng: x + rng.uniform(-1, 1, size=x.shape))
    first, second = pairs.draw(500, np.random.default_rng(0))
    assert (np.abs(first - second) <= 2).all() and (first != second).all()
    moments = pairs.moments(lambda x: x - 50)
    # Rows at −50 and 50 with views of variance a third: E z² = 2500 + 1/3 and E zz′ = 2500; 2¹³ pairs.
    assert moments.square[0, 0] - moments.cross[0, 0] == pytest.approx(1 / 3, abs=5 * np.sqrt(4 / 9 / 2**13))
    assert moments.cross[0, 0] == pytest.approx(2500, rel=0.02)
    seen = []
    pairs.moments(lambda x: seen.append(len(x)) or x)
    assert seen == [2**13, 2**13]
    single = ViewPairs(points.astype(np.float32), lambda x, rng: x + rng.normal(size=x.shape))
    assert all(side.dtype == np.float32 for side in single.draw(3, np.random.default_rng(0)))
    assert isinstance(as_pairs(pairs.view, points), ViewPairs)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: GraphPairs(np.eye(2), PATH), "graph must have a row and a column for each of 2 points, got shape (3, 3)"),
    (lambda: GraphPairs(np.eye(3), np.zeros((3, 3))),
     "graph must have a positive weight and no negative one, got none at all"),
    (lambda: GraphPairs(np.eye(3), -PATH), "graph must have a positive weight and no negative one, got -1"),
    (lambda: GraphPairs(np.eye(3), np.triu(PATH)),
     "graph must be symmetric, since pairs have no order: add its transpose to it"),
    (lambda: KernelPairs([[0.0], [9.0]], Flat(1.0).hollow()),
     "Flat(radius=1.0).hollow() must be positive at some pair of points: it is zero at all of them"),
    (lambda: KernelPairs([[0.0], [1.0], [1.5]], NearestNeighbors(2)),
     "NearestNeighbors(n_neighbors=2) is not symmetric on these points, and pairs have no order"),
    (lambda: ViewPairs([[0.0]], lambda x, rng: x[:, [0, 0]]).draw(1, np.random.default_rng(0)),
     "views must have the shape of what is seen, (1, 1), got (1, 2)"),
    (lambda: KernelPairs([[0.0]], Gaussian()).draw(0, np.random.default_rng(0)),
     "n must be an integer of at least 1, got 0"),
])
def test_what_makes_no_pairs_is_refused(make, message):
    with pytest.raises(ValueError, match=says(message)):
        make()


def test_a_view_must_be_callable():
    with pytest.raises(TypeError, match=says("view must be a function of points and a generator, got 3")):
        ViewPairs([[0.0]], 3)


@pytest.mark.parametrize("seed", range(4))
def test_rayleigh_ritz_finds_the_eigenfunctions_in_a_span(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 1))
    joint, degrees, mu, psi = averaging(x)
    mixed = psi[:, :4] @ rng.normal(size=(4, 4))  # any basis of the first four
    first, second = np.nonzero(np.ones((30, 30)))
    ritz = RayleighRitz().fit(mixed[first], mixed[second], sample_weight=joint.ravel())
    np.testing.assert_allclose(ritz.eigenvalues_, mu[:4], atol=1e-9)
    found = ritz.transform(mixed)
    # The products of unit functions with the dense solver's: a signed identity.
    np.testing.assert_allclose(np.abs(found.T @ (degrees[:, None] * psi[:, :4])), np.eye(4), atol=1e-6)
    by_moments = RayleighRitz().fit_moments(mixed.T @ joint @ mixed, mixed.T @ (degrees[:, None] * mixed))
    np.testing.assert_allclose(by_moments.transform(mixed), found, atol=1e-6)


def test_rayleigh_ritz_within_a_span_that_holds_no_eigenfunction_is_scipys():
    rng = np.random.default_rng(3)
    first = rng.normal(size=(200, 5))
    second = first @ rng.normal(size=(5, 5)) + rng.normal(size=(200, 5))
    cross, square = first.T @ second, first.T @ first + second.T @ second
    ritz = RayleighRitz(3).fit(first, second)
    np.testing.assert_allclose(ritz.eigenvalues_, eigh(cross + cross.T, square)[0][:1:-1], rtol=1e-9)
    assert ritz.transform(first).shape == (200, 3) and clone(ritz).n_components == 3
    # A weight of two is a pair that stands twice; one of none is none.
    weight = np.r_[np.full(50, 2.0), np.ones(100), np.zeros(50)]
    twice = RayleighRitz(3).fit(np.r_[first[:50], first[:150]], np.r_[second[:50], second[:150]])
    np.testing.assert_allclose(RayleighRitz(3).fit(first, second, weight).eigenvalues_, twice.eigenvalues_, rtol=1e-9)


def test_rayleigh_ritz_leaves_out_what_stands_twice_and_minds_no_units():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 100, 2))
    second = first + 0.3 * second
    doubled = [side[:, [0, 1, 0]] * [1.0, 1e6, 3.0] for side in (first, second)]
    ritz = RayleighRitz().fit(*doubled)
    assert ritz.n_components_ == 2
    np.testing.assert_allclose(ritz.eigenvalues_, RayleighRitz().fit(first, second).eigenvalues_, rtol=1e-7)
    assert RayleighRitz().fit(*(side.astype(np.float32) for side in doubled)).transform(
        doubled[0].astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_rayleigh_ritz_does_not_feel_the_size_of_outputs(size):
    rng = np.random.default_rng(6)
    first = rng.normal(size=(60, 3))
    second = first + 0.5 * rng.normal(size=(60, 3))
    one = RayleighRitz().fit(first, second)
    other = RayleighRitz().fit(size * first, second * size, sample_weight=np.full(60, 1e308))
    np.testing.assert_allclose(other.eigenvalues_, one.eigenvalues_, rtol=1e-9)
    np.testing.assert_allclose(abs(other.transform(size * first)), abs(one.transform(first)), rtol=1e-6, atol=1e-9)
    small = (1e-30 * first).astype(np.float32), (1e-30 * second).astype(np.float32)
    np.testing.assert_allclose(abs(RayleighRitz().fit(*small).transform(small[0])), abs(one.transform(first)),
                               atol=1e-5)  # float32


def test_moments_forget_the_names_of_earlier_outputs():
    pandas = pytest.importorskip("pandas", reason="data frames have names")
    first = pandas.DataFrame(np.random.default_rng(0).normal(size=(9, 3)), columns=list("abc"))
    ritz = RayleighRitz().fit(first, first).fit_moments(np.eye(2), np.eye(2))
    with warnings.catch_warnings(action="error"):
        assert ritz.transform(np.eye(2)).shape == (2, 2)


def test_rayleigh_ritz_refuses_what_are_no_pairs():
    z = np.ones((4, 2))
    with pytest.raises(ValueError, match=says("y must have the shape of X, (4, 2): the outputs at the other sides, got "
                                              "(4, 1)")):
        RayleighRitz().fit(z, z[:, :1])
    with pytest.raises(ValueError, match=says("the outputs must not be zero everywhere: they span nothing")):
        RayleighRitz().fit(0 * z, 0 * z)
    with pytest.raises(ValueError, match=says("cross and square must be square matrices of one size, got (2, 2) and "
                                              "(3, 3)")):
        RayleighRitz().fit_moments(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match=says("cross and square must be square matrices of one size, got (2, 3) and "
                                              "(2, 3)")):
        RayleighRitz().fit_moments(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=says("square must have no negative eigenvalue, since it is E[zzᵀ]; got -1 "
                                              "beside 3, outputs scaled to mean square one")):
        RayleighRitz().fit_moments(np.eye(2), [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match=says("sample_weight must have no negative number and not be zero everywhere, "
                                              "got values from -1 to -1")):
        RayleighRitz().fit(z, z, -np.ones(4))
    for ask in (lambda ritz: ritz.fit(z, z), lambda ritz: ritz.fit_moments(np.eye(2), np.eye(2))):
        with pytest.raises(ValueError, match=says("n_components must be an integer of at least 1, got 0")):
            ask(RayleighRitz(0))
        with pytest.raises(ValueError, match=says("tol must be a number in (0, 1), got 1")):
            ask(RayleighRitz(tol=1))


def test_mean_average_precision_is_scikit_learns():
    rng = np.random.default_rng(0)
    codes, asked = rng.normal(size=(80, 3)), rng.normal(size=(15, 3))
    labels, theirs = rng.integers(0, 4, 80), rng.integers(0, 4, 15)
    cosine = (asked @ codes.T) / np.linalg.norm(codes, axis=1)
    expected = np.mean([average_precision_score(labels == label, row)
                        for label, row in zip(theirs, cosine, strict=True)])
    assert mean_average_precision(codes, labels, asked, theirs) == pytest.approx(expected, rel=1e-12)
    assert mean_average_precision(7 * codes, labels, 0.1 * asked, theirs) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("size", "dtype"), [(1e200, float), (1e-200, float), (1e25, np.float32), (1e-25, np.float32)])
def test_precision_does_not_feel_the_size_of_codes(size, dtype):
    rng = np.random.default_rng(1)
    codes, labels = rng.normal(size=(50, 3)).astype(dtype), rng.integers(0, 3, 50)
    expected = mean_average_precision(codes, labels, codes, labels)
    with warnings.catch_warnings(action="error"):
        # Rounded anew: neighbours at nearly one angle may change places.
        assert mean_average_precision(dtype(size) * codes, labels, codes / dtype(size), labels) == pytest.approx(
            expected, abs=1e-3)
        each = dtype(size) ** rng.uniform(-1, 1, size=(50, 1)).astype(dtype)  # of any lengths side by side
        assert mean_average_precision(each * codes, labels, codes, labels) == pytest.approx(expected, abs=1e-3)


def test_codes_of_zeros_and_ties_keep_their_order():
    assert mean_average_precision([[0.0], [0.0]], ["b", "a"], [[1.0]], ["a"]) == 0.5
    rng = np.random.default_rng(0)
    kinds, labels = rng.integers(0, 3, 999), rng.integers(0, 4, 999)  # three directions, so that nearly all codes tie
    ranked = sorted(range(999), key=lambda place: kinds[place])  # Python's sort keeps the order of what is equal
    hits = np.array([labels[place] == 2 for place in ranked])
    expected = (np.cumsum(hits) / np.arange(1, 1000))[hits].mean()
    codes = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])[kinds]
    assert mean_average_precision(codes, labels, [[1.0, 0.0]], [2]) == pytest.approx(expected, rel=1e-12)


def test_retrieval_refuses_what_can_not_be_found():
    with pytest.raises(ValueError, match=says("each query's label must be that of a code, and 3 is none")):
        mean_average_precision([[1.0]], [0], [[1.0]], np.array([3]))
    with pytest.raises(ValueError, match=says("codes and query_codes must have as many components, got 1 and 2")):
        mean_average_precision([[1.0]], [0], [[1.0, 2.0]], [0])
    with pytest.raises(ValueError, match=says("labels must be one a code, got shapes (1, 1) and (1,)")):
        mean_average_precision([[1.0]], [[0]], [[1.0]], [0])
    for labels, query_labels in (([0, 0], [0]), ([0], [0, 0])):
        with pytest.raises(ValueError, match=r"^Found input variables with inconsistent numbers of samples"):
            mean_average_precision([[1.0]], labels, [[1.0]], query_labels)
    with pytest.raises(TypeError, match=says("labels and query_labels must both be text or both not, got <U1 and "
                                             "int64")):
        mean_average_precision([[1.0]], ["1"], [[1.0]], [1])
