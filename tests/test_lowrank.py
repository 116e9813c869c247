"""Low rank against singular values, slow loops, SciPy's QR and scikit-learn's Nystroem."""

import math

import numpy as np
import pytest
from scipy.linalg import qr
from sklearn.kernel_approximation import Nystroem

from locmethods import lowrank
from locmethods.kernels import Cauchy, Epanechnikov, Gaussian, Linear, NearestNeighbors, Radial
from locmethods.lowrank import (
    cur,
    deim,
    interpolative,
    leverage_scores,
    nystrom,
    pivoted_cholesky,
    sampled_product,
    select_columns,
)

SELECTIONS = ["uniform", "norm", "leverage", "deim", "pivoted_qr", "kmeans", "rpcholesky"]
CORES = ["skeleton", "optimal"]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def low(seed, n, m, rank):
    return normal(seed, n, rank) @ normal(seed + 1, rank, m)


class Counting(Radial):
    """A Gaussian that counts the entries that are computed."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)
        self.entries = 0

    def log_profile(self, u2, xp):
        self.entries += u2.size
        return -u2 / 2


# What is exact

@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_matrix_of_the_rank_is_recovered(selection, core, seed):
    matrix = low(seed, 40, 30, 6)
    found = cur(matrix, 6, selection=selection, core=core, random_state=seed)
    # Six random columns of a random matrix have a condition of hundreds, 10⁴ at worst, of sixteen digits.
    np.testing.assert_allclose(found.matrix(), matrix, atol=1e-8)
    np.testing.assert_allclose(matrix[:, found.columns] @ found.core @ matrix[found.rows], matrix, atol=1e-8)
    by_columns = interpolative(matrix, 6, selection=selection, random_state=seed)
    np.testing.assert_allclose(by_columns.matrix(), matrix, atol=1e-8)
    np.testing.assert_array_equal(by_columns.right[:, by_columns.columns], np.eye(6))
    gram = matrix @ matrix.T
    found = nystrom(gram, 6, selection=selection, core=core, random_state=seed)
    np.testing.assert_allclose(found.matrix(), gram, atol=1e-7)
    np.testing.assert_array_equal(found.left, found.right.T)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_cores_are_their_formulas(selection):
    matrix = normal(0, 30, 20) @ np.diag(0.7 ** np.arange(20))
    for core in CORES:
        found = cur(matrix, 5, selection=selection, core=core, random_state=0)
        columns, rows = matrix[:, found.columns], matrix[found.rows]
        formula = {"skeleton": np.linalg.pinv(rows[:, found.columns]),
                   "optimal": np.linalg.pinv(columns) @ matrix @ np.linalg.pinv(rows)}[core]
        # Products of inverses of a condition below 10³ or so each.
        np.testing.assert_allclose(found.core, formula, atol=1e-9 * abs(formula).max())
        np.testing.assert_allclose(found.matrix(), columns @ formula @ rows, atol=1e-9)
    by_columns = interpolative(matrix, 5, selection=selection, random_state=0)
    columns = matrix[:, by_columns.columns]
    np.testing.assert_allclose(by_columns.right, np.linalg.pinv(columns) @ matrix, atol=1e-10)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_nystrom_is_its_formula_and_leaves_a_semidefinite_residual(selection, core):
    X = normal(1, 120, 3)
    K = np.exp(-((X[:, None] - X) ** 2).sum(-1) / 2)
    found = nystrom(X, 15, kernel=Gaussian(1.0), selection=selection, core=core, random_state=0)
    C, W = K[:, found.columns], K[np.ix_(found.columns, found.columns)]
    inverse = {"skeleton": np.linalg.inv(W), "optimal": np.linalg.pinv(C) @ K @ np.linalg.pinv(C).T}[core]
    # Blocks of a condition below 10⁵.
    np.testing.assert_allclose(found.matrix(), C @ inverse @ C.T, atol=1e-9)
    np.testing.assert_allclose(found.core, inverse, atol=1e-9 * abs(inverse).max())
    if core == "skeleton":
        assert np.linalg.eigvalsh(K - found.matrix())[0] > -1e-9
        np.testing.assert_allclose(found.matrix()[found.columns], K[found.columns], atol=1e-9)
    again = nystrom(K, 15, selection=selection, core=core, random_state=0)
    if selection != "kmeans":  # which takes the columns for points if there are no others
        np.testing.assert_allclose(again.matrix(), found.matrix(), atol=1e-9)


def test_nystrom_at_the_same_columns_is_that_of_scikit_learn():
    X = normal(2, 200, 4)
    found = nystrom(X, 20, kernel=Gaussian(2.0), selection="uniform", random_state=3)
    theirs = Nystroem(gamma=1 / 8, n_components=20, random_state=3).fit(X)
    # Equal random states draw other columns there: theirs are given to ours.
    K = Gaussian(2.0)(X)
    C, W = K[:, theirs.component_indices_], K[np.ix_(theirs.component_indices_, theirs.component_indices_)]
    features = theirs.transform(X)
    np.testing.assert_allclose(features @ features.T, C @ np.linalg.inv(W) @ C.T, atol=1e-9)
    at = Nystroem(gamma=1 / 8, n_components=20)
    at.components_ = X[found.columns]
    at.component_indices_ = found.columns
    u, s, v = np.linalg.svd(K[np.ix_(found.columns, found.columns)])
    at.normalization_ = (u / np.sqrt(s)) @ v
    np.testing.assert_allclose(found.matrix(), at.transform(X) @ at.transform(X).T, atol=1e-9)


# How near it comes

@pytest.mark.parametrize("seed", range(3))
def test_no_core_comes_nearer_than_the_optimal_one_and_no_rank_nearer_than_the_singular_values(seed):
    matrix = normal(seed, 40, 30) @ np.diag(0.8 ** np.arange(30))
    best = np.sqrt((np.linalg.svd(matrix, compute_uv=False)[8:] ** 2).sum())
    for selection in SELECTIONS:
        skeleton, optimal = (np.linalg.norm(matrix - cur(matrix, 8, selection=selection, core=core,
                                                         random_state=seed).matrix()) for core in CORES)
        by_columns = np.linalg.norm(matrix - interpolative(matrix, 8, selection=selection, random_state=seed).matrix())
        assert best <= by_columns + 1e-12 <= optimal + 2e-12 <= skeleton + 3e-12


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_of_deim_holds(seed):
    matrix = normal(seed, 60, 50) @ np.diag(0.85 ** np.arange(50)) @ np.linalg.qr(normal(9, 50, 50))[0]
    u, s, vt = np.linalg.svd(matrix)
    found = cur(matrix, 10, selection="deim")
    np.testing.assert_array_equal(found.columns, slow_deim(vt[:10].T))
    np.testing.assert_array_equal(found.rows, slow_deim(u[:, :10]))
    eta = sum(np.linalg.norm(np.linalg.inv(part), 2) for part in (vt[:10].T[found.columns], u[found.rows, :10]))
    assert np.linalg.norm(matrix - found.matrix(), 2) <= eta * s[10]


# Selections

def slow_deim(vectors):
    places = [int(np.argmax(abs(vectors[:, 0])))]
    for k in range(1, vectors.shape[1]):
        mix = np.linalg.solve(vectors[places, :k], vectors[places, k])
        places.append(int(np.argmax(abs(vectors[:, k] - vectors[:, :k] @ mix))))
    return np.array(places)


@pytest.mark.parametrize("seed", range(5))
def test_deim_is_its_loop(seed):
    vectors = np.linalg.qr(normal(seed, 50, 12))[0]
    np.testing.assert_array_equal(deim(vectors), slow_deim(vectors))


@pytest.mark.parametrize("rank", [3, 40])  # one after another, and by LAPACK
@pytest.mark.parametrize("seed", range(3))
def test_pivots_are_those_of_scipy(seed, rank):
    matrix = normal(seed, 300, 200) @ np.diag(np.linspace(1, 3, 200))
    np.testing.assert_array_equal(select_columns(matrix, rank), qr(matrix, mode="r", pivoting=True)[1][:rank])


def test_pivots_are_those_of_scipy_where_columns_fall_by_ten_digits():
    X = np.linspace(0, 1, 400)[:, None]
    K = Gaussian(0.2)(X)
    ours, theirs = select_columns(K, 12), qr(K, mode="r", pivoting=True)[1][:12]
    # Points on a line have ties, by symmetry; what is left must be the same.
    left = [np.linalg.norm(K - K[:, places] @ np.linalg.lstsq(K[:, places], K, rcond=1e-14)[0])
            for places in (ours, theirs)]
    assert left[0] == pytest.approx(left[1], rel=0.05)


def test_pivots_stay_good_down_to_rounding():
    hilbert = 1 / (np.arange(200)[:, None] + np.arange(200) + 1.0)
    left = []
    for places in (select_columns(hilbert, 20), qr(hilbert, mode="r", pivoting=True)[1][:20]):
        basis = np.linalg.qr(hilbert[:, places])[0]
        left.append(np.linalg.norm(hilbert - basis @ (basis.T @ hilbert)))
    # The twentieth singular value is near rounding; a basis made right only once loses two or three digits to LAPACK's.
    assert left[0] <= 20 * left[1]


def test_leverages_lie_in_the_unit_interval_and_sum_to_the_rank():
    matrix = normal(0, 30, 50)
    scores = leverage_scores(matrix, 7)
    np.testing.assert_allclose(scores, (np.linalg.svd(matrix)[2][:7] ** 2).sum(0), atol=1e-12)
    assert scores.sum() == pytest.approx(7)
    assert 0 <= scores.min() <= scores.max() <= 1


def frequencies(selection, matrix, draws=1000, **rest):
    counts = np.zeros(matrix.shape[1])
    for seed in range(draws):
        counts[select_columns(matrix, 1, selection, random_state=seed, **rest)] += 1
    return counts / draws


@pytest.mark.parametrize("selection", ["uniform", "norm", "leverage", "rpcholesky"])
@pytest.mark.one_in(4)
def test_a_single_column_is_drawn_with_its_probability(selection):
    matrix = normal(0, 6, 5) * np.arange(1, 6)
    squares = (matrix**2).sum(0)
    expected = {"uniform": np.ones(5), "norm": squares, "rpcholesky": squares,
                "leverage": np.linalg.svd(matrix)[2][0] ** 2}[selection]
    expected = expected / expected.sum()
    # Five standard errors of a share of a thousand draws.
    assert (abs(frequencies(selection, matrix) - expected) <= 5 * np.sqrt(expected * (1 - expected) / 1000)).all()


def test_pairs_of_pivots_are_drawn_as_one_after_another():
    K = low(4, 4, 4, 4)
    K = K @ K.T
    first = np.diagonal(K) / np.trace(K)
    expected = np.zeros((4, 4))
    for i in range(4):
        left = np.diagonal(K) - K[i] ** 2 / K[i, i]
        left[i] = 0
        expected[i] = first[i] * left / left.sum()
    counts = np.zeros((4, 4))
    for seed in range(1500):
        counts[tuple(pivoted_cholesky(K, 2, random_state=seed).pivots)] += 1 / 1500
    # Five standard errors; what is never drawn is exactly so.
    assert (abs(counts - expected) <= 5 * np.sqrt(expected / 1500)).all()


def test_a_proposed_pivot_is_accepted_with_the_share_that_is_left():
    K = np.kron(np.eye(2), [[1.0, 0.7], [0.7, 1.0]])
    # After a first pivot its partner keeps 1 − 0.7² of its one, the two others keep theirs.
    expected, draws = 0.51 / 2.51, 600
    partners = np.mean([abs(np.diff(pivoted_cholesky(K, 2, random_state=seed).pivots // 2))[0] == 0
                        for seed in range(draws)])
    assert abs(partners - expected) <= 5 * math.sqrt(expected * (1 - expected) / draws)  # five standard errors


def test_clusters_have_a_column_each():
    X = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 20, axis=0) + 0.1 * normal(0, 60, 2)
    places = select_columns(X, 3, "kmeans", kernel=Gaussian(1.0), random_state=0)
    assert sorted(places // 20) == [0, 1, 2]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_columns_are_different_and_states_repeat(selection):
    X = normal(0, 80, 2)
    first = select_columns(X, 20, selection, kernel=Cauchy(1.0), random_state=5)
    np.testing.assert_array_equal(first, select_columns(X, 20, selection, kernel=Cauchy(1.0), random_state=5))
    assert len(set(first)) == 20


# Partial Cholesky

@pytest.mark.parametrize("pivots", ["random", "greedy"])
def test_the_factor_is_the_cholesky_factor_at_its_pivots(pivots):
    X = normal(0, 150, 3)
    K = Gaussian(1.0)(X)
    found = pivoted_cholesky(X, 100, kernel=Gaussian(1.0), pivots=pivots, random_state=0)
    order = found.pivots
    np.testing.assert_allclose(found.factor[order], np.linalg.cholesky(K[np.ix_(order, order)]), atol=1e-9)
    traces = [np.trace(K) - (found.factor[:, :k] ** 2).sum() for k in range(101)]
    np.testing.assert_allclose(found.traces, traces, atol=1e-10)
    if pivots == "greedy":
        for k in range(99):
            left = np.diagonal(K) - (found.factor[:, :k] ** 2).sum(1)
            assert left[order[k]] == pytest.approx(left.max(), abs=1e-12)


def test_only_few_entries_are_computed():
    X = normal(0, 3000, 2)
    for selection, more in (("rpcholesky", 1), ("uniform", 0), ("kmeans", 0)):
        kernel = Counting(1.0)
        nystrom(X, 30, kernel=kernel, selection=selection, random_state=0)
        # Columns, a diagonal, a row that is tried, and squares of blocks of 64 proposals at most.
        assert kernel.entries <= 3000 * (30 + more + 1) + 20 * 64**2


def test_a_large_kernel_matrix_is_never_whole(monkeypatch):
    monkeypatch.setattr("locmethods.lowrank.entries.WHOLE", 1 << 14)
    X = normal(0, 400, 3)
    K = Gaussian(1.0)(X)
    best = np.sqrt((np.linalg.eigvalsh(K)[:-25] ** 2).sum())
    for selection in ("norm", "leverage", "deim", "pivoted_qr", "rpcholesky"):
        found = cur(X, 25, kernel=Gaussian(1.0), selection=selection, random_state=0)
        assert best <= np.linalg.norm(K - found.matrix()) <= 4 * best
    np.testing.assert_allclose(leverage_scores(X, 10, kernel=Gaussian(1.0), random_state=0),
                               (np.linalg.eigh(K)[1][:, -10:] ** 2).sum(1), atol=1e-3)  # two passes of a sketch
    part = K[:300]
    best = np.sqrt((np.linalg.svd(part, compute_uv=False)[20:] ** 2).sum())
    for selection in SELECTIONS:
        found = cur(X[:300], 20, keys=X, kernel=Gaussian(1.0), selection=selection, random_state=0)
        assert found.shape == (300, 400)
        assert best <= np.linalg.norm(part - found.matrix()) <= 4 * best


# Products

def test_a_sampled_product_is_right_on_average_and_has_its_variance():
    X, Y = normal(0, 3, 8) * np.arange(1, 9), normal(1, 8, 2)
    sizes = np.linalg.norm(X, axis=0) * np.linalg.norm(Y, axis=1)
    draws = np.array([sampled_product(X, Y, 4, random_state=seed) for seed in range(1000)])
    error = draws.std(0) / math.sqrt(1000)
    assert (abs(draws.mean(0) - X @ Y) <= 5 * error).all()
    squares = ((draws - X @ Y) ** 2).sum((1, 2))
    expected = (sizes.sum() ** 2 - np.linalg.norm(X @ Y) ** 2) / 4
    assert abs(squares.mean() - expected) <= 5 * squares.std() / math.sqrt(1000)
    np.testing.assert_array_equal(sampled_product(0 * X, Y, 4), np.zeros((3, 2)))


# What may be asked of the result

def test_products_sums_and_diagnostics_are_those_of_the_matrix():
    X = normal(0, 90, 2)
    found = nystrom(X, 12, kernel=Gaussian(0.5), random_state=0)
    whole, values = found.matrix(), normal(1, 90, 4)
    np.testing.assert_allclose(found @ values, whole @ values, atol=1e-12)
    np.testing.assert_allclose(found @ values[:, 0], whole @ values[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.row_sums(), whole.sum(1), atol=1e-12)
    told = found.diagnostics()
    K = Gaussian(0.5)(X)
    basis = np.linalg.qr(K[:, found.columns])[0]
    assert told.condition == pytest.approx(np.linalg.cond(K[np.ix_(found.columns, found.columns)]))
    assert told.coherence == pytest.approx(90 / 12 * (basis**2).sum(1).max())
    assert told.smallest_entry == pytest.approx(whole.min(), abs=1e-12) and told.smallest_entry < 0
    assert told.smallest_row_sum == pytest.approx(whole.sum(1).min(), abs=1e-12)
    assert repr(found).startswith("LowRank(shape=(90, 90), rank=12, condition=")


def test_the_condition_and_the_coherence_are_the_worse_of_columns_and_rows():
    matrix = normal(0, 40, 30) * np.geomspace(1, 1e-3, 30)
    matrix[:, 7] = 0
    matrix[5, 7] = 9.0  # a column that one row has to itself, and a row that has more than its share
    for one in (matrix, matrix.T):
        found = cur(one, 6, random_state=0)
        conditions = [np.linalg.cond(part) for part in (one[:, found.columns], one[found.rows].T)]
        assert found.condition == pytest.approx(max(conditions), rel=1e-9)
        bases = [np.linalg.qr(part)[0] for part in (found.left, found.right.T)]
        coherences = [len(basis) / 6 * (basis**2).sum(1).max() for basis in bases]
        assert abs(coherences[0] - coherences[1]) > 0.1
        assert found.diagnostics().coherence == pytest.approx(max(coherences), rel=1e-9)
    few = low(2, 30, 20, 4)
    u, _, vt = np.linalg.svd(few)  # nine columns of rank four span four directions
    expected = max(30 / 4 * (u[:, :4]**2).sum(1).max(), 20 / 4 * (vt[:4]**2).sum(0).max())
    found = interpolative(few, 9, selection="uniform", random_state=0)
    assert found.diagnostics().coherence == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("selection", ["pivoted_qr", "rpcholesky"])
@pytest.mark.parametrize("n", [20, 400])  # all pivots by LAPACK, and one after another
def test_no_more_columns_are_chosen_than_are_independent(selection, n):
    assert len(select_columns(low(0, 30, n, 5), 9, selection, random_state=0)) == 5


def test_a_matrix_that_is_nearly_symmetric_is_not():
    matrix = np.eye(4) + 1e-5 * np.triu(np.ones((4, 4)), 1)
    with pytest.raises(ValueError, match=r"^a positive semi-definite matrix must be symmetric, and this one is not"):
        nystrom(matrix, 2)


def test_rows_are_the_same_where_the_matrix_is_symmetric():
    K = Gaussian(0.5)(normal(0, 50, 2))
    found = cur(K, 8, selection="uniform", random_state=0)
    np.testing.assert_array_equal(found.rows, found.columns)
    own = cur(K, 8, selection="uniform", rows="own", random_state=0)
    assert set(own.rows) != set(own.columns)
    P = K / K.sum(1, keepdims=True)
    assert set(cur(P, 8, selection="uniform", random_state=0).rows) != set(own.columns)
    same = cur(P, 8, selection="uniform", rows="same", random_state=0)
    np.testing.assert_array_equal(same.rows, same.columns)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_single_precision_stays_single(selection):
    X = normal(0, 60, 2).astype(np.float32)
    kernel = Gaussian(0.3)
    K = kernel(X)
    exact = K.astype(np.float64)
    for call, rest in ((cur, {}), (cur, {"core": "skeleton"}), (interpolative, {}), (nystrom, {})):
        found = call(X, 8, kernel=kernel, selection=selection, random_state=0, **rest)
        assert found.left.dtype == found.right.dtype == found.matrix().dtype == np.float32
        columns = exact[:, found.columns]
        expected = columns @ np.linalg.pinv(columns) @ exact
        if call is nystrom or rest:
            expected = columns @ np.linalg.inv(columns[found.columns]) @ columns.T
        elif call is cur:
            expected = expected @ np.linalg.pinv(columns).T @ columns.T
        # A condition below 10⁴, which magnifies the rounding of the entries, 6·10⁻⁸.
        assert found.condition < 1e4
        np.testing.assert_allclose(found.matrix(), expected, atol=2e-3)
    assert sampled_product(X.T, X, 5, random_state=0).dtype == np.float32


# Degenerate matrices

@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_duplicates_constants_and_single_samples(selection, core):
    X = np.repeat(normal(0, 5, 2), 6, axis=0)  # of rank five
    K = Gaussian(1.0)(X)
    for found in (nystrom(X, 9, kernel=Gaussian(1.0), selection=selection, core=core, random_state=0),
                  cur(X, 9, kernel=Gaussian(1.0), selection=selection, core=core, random_state=0)):
        if selection not in ("uniform", "norm", "leverage"):  # which may miss one of the five
            np.testing.assert_allclose(found.matrix(), K, atol=1e-7)
        assert np.isfinite(found.matrix()).all()
        # What duplicates leave of W is rounding, and is not inverted; the others have a condition of thousands at most.
        assert abs(found.core).max() < 1e7
    one = nystrom([[2.0]], 1, kernel=Gaussian(1.0), selection=selection, core=core, random_state=0)
    assert one.matrix() == pytest.approx(1.0)
    ones = nystrom(np.ones((7, 2)), 3, kernel=Gaussian(1.0), selection=selection, core=core, random_state=0)
    np.testing.assert_allclose(ones.matrix(), 1.0, atol=1e-12)


def test_a_column_alone_is_found():
    matrix = np.zeros((6, 5))
    matrix[2, 3] = 4.0
    for selection in ("norm", "leverage", "deim", "pivoted_qr", "rpcholesky"):
        found = cur(matrix, 3, selection=selection, random_state=0)
        np.testing.assert_allclose(found.matrix(), matrix, atol=1e-12)


@pytest.mark.parametrize("scale, dtype", [(1e-200, float), (1e-150, float), (1e150, float), (1e200, float),
                                          (1e-25, np.float32), (1e25, np.float32)])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_size_of_the_numbers_decides_nothing(selection, scale, dtype):
    matrix = normal(0, 30, 20).astype(dtype)
    large = matrix * dtype(scale)
    for call, rest in ((cur, {}), (cur, {"core": "skeleton"}), (interpolative, {})):
        found, scaled = (call(one, 6, selection=selection, random_state=0, **rest) for one in (matrix, large))
        np.testing.assert_array_equal(found.columns, scaled.columns)
        # The product with the scale is rounded, and a condition of hundreds magnifies it.
        np.testing.assert_allclose(scaled.matrix() / dtype(scale), found.matrix(), atol=1e5 * np.finfo(dtype).eps)
    gram = matrix @ matrix.T
    ours, scaled = (nystrom(one, 6, selection=selection, random_state=0) for one in (gram, gram * dtype(scale)))
    np.testing.assert_allclose(scaled.matrix() / dtype(scale), ours.matrix(), atol=1e6 * np.finfo(dtype).eps)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_sampled_product_has_no_scale(scale):
    X, Y = normal(0, 3, 8), normal(1, 8, 2)
    expected = sampled_product(X, Y, 4, random_state=0)
    for left, right in ((X * scale, Y), (X, Y * scale)):
        np.testing.assert_allclose(sampled_product(left, right, 4, random_state=0) / scale, expected, rtol=1e-12)


# Errors

MESSAGES = {
    "rank of zero": (lambda: cur(np.eye(3), 0), "rank must be an integer of at least 1, got 0"),
    "rank too large": (lambda: nystrom(np.eye(3), 4),
                       "rank must be at most 3, the smaller side of the matrix, got 4"),
    "selection": (lambda: cur(np.eye(3), 1, selection="best"),
                  "selection must be one of 'uniform', 'norm', 'leverage', 'deim', 'pivoted_qr', 'kmeans', "
                  "'rpcholesky', got 'best'"),
    "core": (lambda: nystrom(np.eye(3), 1, core="W"), "core must be one of 'skeleton', 'optimal', got 'W'"),
    "rows": (lambda: cur(np.eye(3), 1, rows="all"), "rows must be one of 'auto', 'same', 'own', got 'all'"),
    "rcond": (lambda: interpolative(np.eye(3), 1, rcond=1.0), "rcond must be a number in [0, 1) or None, got 1.0"),
    "same rows": (lambda: cur(np.ones((2, 3)), 1, rows="same"),
                  'rows="same" needs a square matrix, got shape (2, 3)'),
    "keys alone": (lambda: cur(np.eye(3), 1, keys=np.eye(3)),
                   "keys need a kernel: without one X is the matrix itself"),
    "features": (lambda: cur(np.eye(3), 1, kernel=Gaussian(1.0), keys=np.ones((4, 2))),
                 "X and keys must have the same number of features, got 3 and 2"),
    "not square": (lambda: nystrom(np.ones((2, 3)), 1),
                   "a positive semi-definite matrix must be square, got shape (2, 3): give points with a kernel, or "
                   "use cur"),
    "not symmetric": (lambda: nystrom([[1.0, 2.0], [0.0, 1.0]], 1),
                      "a positive semi-definite matrix must be symmetric, and this one is not: use cur"),
    "negative": (lambda: nystrom([[1.0, 2.0], [2.0, 1.0]], 2),
                 "the matrix must be positive semi-definite, but a residual of it has -3 on its diagonal: use cur, or "
                 "a kernel such as Gaussian or Laplace"),
    "negative part": (lambda: nystrom(-np.eye(2), 2, selection="uniform"),
                      "the matrix must be positive semi-definite, but a part of it has the eigenvalue -1: use cur, or "
                      "a kernel such as Gaussian or Laplace"),
    "zero diagonal": (lambda: nystrom(np.zeros((2, 2)), 1),
                      "the matrix must have a positive number on its diagonal, got none: it is zero, or not positive "
                      "semi-definite"),
    "zero at the chosen": (lambda: nystrom(np.zeros((2, 2)), 1, selection="uniform", core="optimal"),
                           "the matrix is zero at the chosen columns, so that they do not stand for the others"),
    "zero": (lambda: cur(np.zeros((2, 2)), 1, selection="norm"),
             "the matrix is zero everywhere, so that no column stands for the others"),
    "zero by pivots": (lambda: select_columns(np.zeros((2, 2)), 1),
                       "the matrix is zero everywhere, so that no column stands for the others"),
    "zeros where they meet": (lambda: cur([[0.0, 1.0], [1.0, 5.0]], 1, selection="kmeans", core="skeleton",
                                          random_state=zero_corner()),
                              "the chosen rows and columns meet in zeros alone: choose them otherwise, or take the "
                              "optimal core"),
    "ranks": (lambda: cur(np.eye(9), 2, kernel=NearestNeighbors(3)),
              "a low rank is found from parts of the matrix, so each entry must depend on its query and its key "
              "alone; those of NearestNeighbors(n_neighbors=3) depend on the other keys or on places: give the "
              "matrix itself, kernel(X), without a kernel"),
    "deim": (lambda: deim(np.ones((2, 3))),
             "vectors must have at least as many rows as columns, got shape (2, 3)"),
    "values": (lambda: nystrom(np.eye(3), 1) @ np.ones(2),
               "values must have shape (3,) or (3, k), one a column, got shape (2,)"),
    "product": (lambda: sampled_product(np.ones((2, 3)), np.ones((2, 3)), 1),
                "X must have as many columns as Y has rows, got shapes (2, 3) and (2, 3)"),
    "size": (lambda: sampled_product(np.ones((2, 2)), np.ones((2, 2)), 0),
             "size must be an integer of at least 1, got 0"),
    "pivots": (lambda: pivoted_cholesky(np.eye(2), 1, pivots="best"),
               "pivots must be one of 'random', 'greedy', got 'best'"),
}


def zero_corner():
    """Return a random state with which clusters choose the column whose diagonal entry is zero."""
    for seed in range(50):
        if select_columns([[0.0, 1.0], [1.0, 5.0]], 1, "kmeans", random_state=seed)[0] == 0:
            return seed
    raise LookupError("no seed chooses the first column")


@pytest.mark.parametrize("name", MESSAGES)
def test_bad_input_is_named(name):
    call, message = MESSAGES[name]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def test_what_is_no_kernel_is_a_type_error():
    with pytest.raises(TypeError) as error:
        cur(np.eye(3), 1, kernel="rbf")
    assert str(error.value) == "kernel must be a kernel from locmethods.kernels or None, got str"


def test_a_kernel_that_is_not_semidefinite_is_noticed():
    X = np.linspace(0, 3, 60)[:, None]
    assert np.linalg.eigvalsh(Epanechnikov(1.0)(X))[0] < -0.1
    for selection in ("rpcholesky", "pivoted_qr"):
        with pytest.raises(ValueError, match=r"^the matrix must be positive semi-definite, but a (residual|part) of"):
            nystrom(X, 40, kernel=Epanechnikov(1.0), selection=selection, random_state=0)
    cur(X, 40, kernel=Epanechnikov(1.0))


def test_a_signed_kernel_is_taken():
    X = normal(0, 30, 3)
    np.testing.assert_allclose(nystrom(X, 3, kernel=Linear(), random_state=0).matrix(), X @ X.T, atol=1e-10)


def test_the_room_is_what_it_says():
    assert set(lowrank.__all__) <= set(dir(lowrank))
