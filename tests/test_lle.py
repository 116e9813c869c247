"""Locally linear embedding: against scikit-learn's, textbook loops, and flat data whose coordinates are known."""

import pickle
import re
import warnings
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn import manifold
from sklearn.base import clone
from sklearn.datasets import load_digits, make_s_curve, make_swiss_roll
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

import locmethods as lm
from locmethods.companion.expected.ranks import trust
from locmethods.lle import (
    LocallyLinearEmbedding,
    alignment,
    alignment_matrix,
    barycenter_kneighbors_graph,
    barycenter_weights,
    locally_linear_embedding,
)

METHODS = ("standard", "modified", "hessian", "ltsa")


def grid():
    """Return the samples of scikit-learn's own test: 18 × 18 places on a parabola."""
    places = np.array(list(product(np.arange(18), repeat=2)))
    bent = np.c_[places, places[:, 0] ** 2 / 18]
    return bent + 1e-10 * np.random.RandomState(0).uniform(size=bent.shape)


SAMPLES = {"grid": (grid, 6), "roll": (lambda: make_swiss_roll(400, random_state=0)[0], 12),
           "curve": (lambda: make_s_curve(400, random_state=1)[0], 15),
           "digits": (lambda: load_digits().data[:400], 20)}


def near_of(X, k):
    return NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False)


def not_met(estimator):
    """Return the checks that ask `transform` for a sample's own coordinates, beside the reason."""
    if estimator.method == "standard" and not estimator.nonnegative:
        return {}
    reason = "a sample is rebuilt from itself and others, with a ridge, as by scikit-learn's"
    return dict.fromkeys(("check_transformer_general", "check_transformer_data_not_an_array"), reason)


@parametrize_with_checks([LocallyLinearEmbedding(), LocallyLinearEmbedding(eigen_solver="arpack", nonnegative=True),
                          LocallyLinearEmbedding(n_neighbors=6, method="modified"),
                          LocallyLinearEmbedding(n_neighbors=6, method="hessian", quadratic_only=True)],
                         expected_failed_checks=not_met)
@pytest.mark.one_in(4)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():  # some of the samples fall into more pieces than there are coordinates
        warnings.filterwarnings("ignore", "the .* eigenvectors span a subspace", ConvergenceWarning)
        warnings.filterwarnings("ignore", "the graph of neighbours falls into", UserWarning)
        check(estimator)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.one_in(4)
def test_subspaces_are_those_of_scikit_learn(name, method):
    make, k = SAMPLES[name]
    X = make()
    theirs = manifold.LocallyLinearEmbedding(n_neighbors=k, method=method, eigen_solver="dense").fit(X)
    # Theirs skips the first eigenvector, which is the constant but for rounding over the second eigenvalue, 1e-6 on the
    # grid; ours is orthogonal to the constants.
    expected = theirs.embedding_ - theirs.embedding_.mean(axis=0)
    for solver in ("dense", "arpack"):
        ours = LocallyLinearEmbedding(n_neighbors=k, method=method, eigen_solver=solver).fit(X)
        assert subspace_angles(ours.embedding_, expected).max() < 1e-6
        assert ours.reconstruction_error_ == pytest.approx(theirs.reconstruction_error_, rel=1e-6, abs=1e-13)
        np.testing.assert_allclose(ours.embedding_.T @ ours.embedding_, np.eye(2), atol=1e-12)
        assert ours.angle_ < 1e-6 and ours.n_iter_ < 20


def test_where_planes_differ_it_is_by_the_constants_in_scikit_learns():
    X = grid()
    theirs = manifold.LocallyLinearEmbedding(n_neighbors=6, method="ltsa", eigen_solver="dense").fit(X).embedding_
    # The iteration starts at random: by default it may stop at an angle of 1e-6, which is not yet rounding.
    ours = LocallyLinearEmbedding(n_neighbors=6, method="ltsa", tol=1e-8).fit(X).embedding_
    constants = np.full((len(X), 1), len(X) ** -0.5)
    assert np.linalg.norm(constants.T @ ours) < 1e-14  # ours has none: a few roundings
    share = np.linalg.norm(constants.T @ theirs)  # the sine of an angle so small that it is the angle
    # What is left is what rounding moves within the planes: less than a thousandth of the first difference.
    assert subspace_angles(ours, theirs).max() == pytest.approx(share, rel=1e-3, abs=1e-9)
    assert subspace_angles(ours, theirs - theirs.mean(axis=0)).max() < 1e-9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.one_in(4)
def test_three_components_of_other_samples(method, seed):
    X = load_digits().data[300 * seed:300 * (seed + 1)]
    params = dict(n_neighbors=14, n_components=3, method=method, random_state=seed)
    theirs = manifold.LocallyLinearEmbedding(eigen_solver="dense", **params).fit(X)
    ours = LocallyLinearEmbedding(**params).fit(X)
    assert subspace_angles(ours.embedding_, theirs.embedding_).max() < 1e-6


def hessian_loop(X, near, d):
    """Return Donoho and Grimes' matrix by the orthogonalisation of Gram and Schmidt, one neighbourhood at a time."""
    M = np.zeros((len(X), len(X)))
    for index in near:
        points = X[index] - X[index].mean(axis=0)
        tangent = np.linalg.svd(points)[0][:, :d]
        columns = [np.ones(len(index)), *tangent.T]
        columns += [tangent[:, i] * tangent[:, j] for i, j in combinations_with_replacement(range(d), 2)]
        done = []
        for column in columns:
            for other in done + done:  # twice, for the sake of rounding
                column = column - other * (other @ column)
            done.append(column / np.linalg.norm(column))
        H = np.array(done[1 + d:])
        M[np.ix_(index, index)] += H.T @ H
    return M


def ltsa_loop(X, near, d):
    """Return the matrix of residuals of least squares on the first d principal coordinates."""
    M = np.zeros((len(X), len(X)))
    for index in near:
        points = X[index] - X[index].mean(axis=0)
        axes = np.linalg.eigh(points.T @ points)[1][:, ::-1][:, :d]
        design = np.c_[np.ones(len(index)), points @ axes]
        M[np.ix_(index, index)] += np.eye(len(index)) - design @ np.linalg.pinv(design)
    return M


def modified_loop(X, near, d):
    """Return Zhang and Wang's matrix, by reflections and one weight at a time."""
    k, frames = near.shape[1], [np.linalg.svd(X[index] - x) for x, index in zip(X, near, strict=True)]
    squares = [np.r_[length**2, np.zeros(k - len(length))] for _, length, _ in frames]
    eta = np.median([square[d:].sum() / square[:d].sum() for square in squares])
    M = np.zeros((len(X), len(X)))
    for i, index in enumerate(near):
        sizes = [s for s in range(1, k) if squares[i][k - s:].sum() / squares[i][:k - s].sum() < eta]
        if not sizes:  # as of half of all pairs in the plane: there is no direction to write weights along
            continue
        s = max(sizes)
        flat = frames[i][0][:, k - s:]
        w = barycenter_weights(X[[i]], X, index[None])[0]
        alpha = np.linalg.norm(flat.sum(axis=0)) / np.sqrt(s)
        turn = alpha * np.ones(s) - flat.sum(axis=0)
        length = np.linalg.norm(turn)
        turn = turn / length if length > 1e-12 else turn
        weights = flat @ (np.eye(s) - 2 * np.outer(turn, turn)) + (1 - alpha) * w[:, None]
        rows = np.zeros((s, len(X)))
        rows[:, i] = 1
        rows[:, index] -= weights.T
        M += rows.T @ rows
    return M


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("features", "k", "d"), [(3, 10, 2), (3, 8, 1), (20, 12, 2), (20, 12, 3)])
def test_alignment_matrices_are_those_of_the_loops(seed, features, k, d, monkeypatch):
    X = np.random.default_rng(seed).normal(size=(60, features))
    near = near_of(X, k)
    monkeypatch.setattr(alignment, "ENTRIES", 1000)  # several blocks
    for method, options, loop in (("ltsa", {}, ltsa_loop), ("hessian", {}, ltsa_loop),
                                  ("hessian", {"quadratic_only": True}, hessian_loop)):
        M = alignment_matrix(X, near, method=method, n_components=d, **options).toarray()
        # Gaussian clouds have no tangent plane, so that two singular values may differ by a percent: 1e2 roundings.
        np.testing.assert_allclose(M, loop(X, near, d), atol=1e-9)
        np.testing.assert_allclose(M.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("features", "k", "d"), [(3, 7, 2), (3, 5, 1), (6, 5, 2),
                                            (2, 2, 1)])
def test_the_modified_matrix_is_that_of_reflections(seed, features, k, d):
    X = np.random.default_rng(seed).normal(size=(60, features))  # an even number: the median is nobody's own
    near = near_of(X, k)
    ours = alignment_matrix(X, near, method="modified", n_components=d).toarray()
    np.testing.assert_allclose(ours, modified_loop(X, near, d), atol=1e-10)  # sums of 60 · k terms of size one


def test_the_standard_matrix_is_that_of_its_weights():
    X = np.random.default_rng(0).normal(size=(60, 3))
    near = near_of(X, 8)
    for nonnegative, reg in ((False, 1e-3), (True, 1e-3), (False, 0.1)):
        W = barycenter_kneighbors_graph(X, 8, reg, nonnegative=nonnegative).toarray()
        rest = np.eye(60) - W
        M = alignment_matrix(X, near, reg=reg, nonnegative=nonnegative).toarray()
        if not nonnegative:
            np.testing.assert_array_equal(barycenter_weights(X, X, near, reg), np.take_along_axis(W, near, axis=1))
        np.testing.assert_allclose(M, rest.T @ rest, atol=1e-12)
        assert (W >= 0).all() == nonnegative and not W.diagonal().any()
        elsewhere = np.ones(W.shape, dtype=bool)
        np.put_along_axis(elsewhere, near, False, axis=1)
        assert not W[elsewhere].any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", ["standard", "modified", "ltsa", "hessian"])
def test_a_turned_plane_is_recovered(method, seed):
    rng = np.random.default_rng(seed)
    plane = rng.uniform(size=(400, 2))
    X = plane @ np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    reg = 1e-9 if method == "standard" else 1e-3  # with a ridge the weights rebuild nothing exactly
    ours = LocallyLinearEmbedding(n_neighbors=10, method=method, reg=reg, quadratic_only=method == "hessian").fit(X)
    design = np.c_[np.ones(400), ours.embedding_]
    left = plane - design @ np.linalg.lstsq(design, plane)[0]
    # modified keeps scikit-learn's ridge of 1e-3, so that no weights are exact. A ridge of 1e-9 leaves costs of 1e-18,
    # far below the next of 1e-6.
    assert np.abs(left).max() < (1e-2 if method == "modified" else 1e-6)


def test_transform_is_that_of_scikit_learn():
    X = make_swiss_roll(300, random_state=0)[0]
    queries = make_swiss_roll(100, random_state=1)[0]
    for method in ("standard", "ltsa"):
        params = dict(n_neighbors=10, method=method, reg=1e-2)
        theirs = manifold.LocallyLinearEmbedding(eigen_solver="dense", **params).fit(X)
        ours = LocallyLinearEmbedding(**params).fit(X)
        turn = ours.embedding_.T @ theirs.embedding_  # the same subspace, perhaps in other coordinates
        np.testing.assert_allclose(ours.transform(queries) @ turn, theirs.transform(queries), atol=1e-6)


def test_transform_with_non_negative_weights_stays_among_its_neighbours():
    X = make_swiss_roll(500, random_state=0)[0]
    queries = make_swiss_roll(100, random_state=1)[0] * 1.1
    ours = LocallyLinearEmbedding(n_neighbors=10, nonnegative=True).fit(X)
    signed = LocallyLinearEmbedding(n_neighbors=10).fit(X)
    for model, inside in ((ours, True), (signed, False)):
        near = model.embedding_[model.nbrs_.kneighbors(queries, return_distance=False)]
        placed = model.transform(queries)
        # A local mean lies in the box of its values, to rounding.
        outside = np.maximum(placed - near.max(axis=1), near.min(axis=1) - placed).max()
        assert (outside < 1e-12) == inside


def test_twins_are_no_neighbours_of_their_own():
    X = np.repeat(np.random.default_rng(0).normal(size=(40, 3)), 2, axis=0)
    W = barycenter_kneighbors_graph(X, 5)
    assert not W.diagonal().any()
    np.testing.assert_allclose(W.sum(axis=1), 1, rtol=1e-12)
    for method in METHODS:
        model = LocallyLinearEmbedding(n_neighbors=8, method=method).fit(X)
        assert np.isfinite(model.embedding_).all()


@pytest.mark.parametrize("method", METHODS)
def test_features_without_content_and_few_samples(method):
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(80, 3)), np.ones(80)]
    with_constant = LocallyLinearEmbedding(n_neighbors=9, method=method).fit(X)
    without = LocallyLinearEmbedding(n_neighbors=9, method=method).fit(X[:, :3])
    assert subspace_angles(with_constant.embedding_, without.embedding_).max() < 1e-6
    few = LocallyLinearEmbedding(n_neighbors=7, method=method).fit(X[:8])
    assert few.embedding_.shape == (8, 2) and np.isfinite(few.embedding_).all()
    places = np.sort(rng.uniform(size=(50, 1)), axis=0)
    line = LocallyLinearEmbedding(n_neighbors=5, n_components=1, method=method).fit(places)
    assert (np.diff(line.embedding_[:, 0]) > 0).all() or (np.diff(line.embedding_[:, 0]) < 0).all()


def test_pieces_beyond_the_coordinates_are_said():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 3)) + 100 * piece for piece in range(4)])
    with pytest.warns(ConvergenceWarning, match="as when the graph of neighbours falls into pieces$"):
        LocallyLinearEmbedding().fit(X)
    message = ("the graph of neighbours falls into 4 pieces, and 3 coordinates tell these apart and nothing else: each "
               "piece is drawn as one point; raise n_neighbors, or embed the pieces one by one")
    for options in ({}, {"nonnegative": True}):  # weights of zero join nothing
        with pytest.warns(UserWarning, match=f"^{message}$"):
            model = LocallyLinearEmbedding(n_components=3, **options).fit(X)
        # Coordinates of size a fifteenth, known to an angle of a millionth.
        assert np.ptp(model.embedding_.reshape(4, 60, 3), axis=1).max() < 1e-6
        assert np.ptp(model.embedding_[::60], axis=0).min() > 1e-2
    bridge = np.concatenate([X[:120], np.linspace(X[:60].mean(0), X[60:120].mean(0), 200)])
    assert np.ptp(LocallyLinearEmbedding(n_components=1).fit(bridge).embedding_[:60]) > 1e-6  # one piece: no warning


@pytest.mark.parametrize("solver", ["dense", "arpack"])
def test_flat_pieces_are_not_said_to_be_points(solver):
    place = np.random.default_rng(0).uniform(size=80)
    X = np.c_[place, np.repeat([0.0, 100.0], 40)]  # two lines, on each of which a place costs nothing either
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = LocallyLinearEmbedding(n_neighbors=6, n_components=1, method="ltsa", eigen_solver=solver,
                                       random_state=0).fit(X)
    assert [one.category for one in said] == [ConvergenceWarning]
    assert np.ptp(model.embedding_.reshape(2, 40), axis=1).max() > 1e-3 * np.ptp(model.embedding_)


def test_tolerances_reach_what_they_are_of():
    X = make_swiss_roll(300, random_state=0)[0]
    near = near_of(X, 10)
    for options in ({"method": "modified", "modified_tol": 10.0},  # no neighbourhood has weights of its own
                    {"method": "hessian", "quadratic_only": True, "hessian_tol": 1e-16}):
        model = LocallyLinearEmbedding(n_neighbors=10, eigen_solver="dense", **options).fit(X)
        matrix = alignment_matrix(X, near, **options).toarray()
        cost = np.trace(model.embedding_.T @ matrix @ model.embedding_)
        # Of a matrix of size one, in float64.
        assert model.reconstruction_error_ == pytest.approx(cost, rel=1e-6, abs=1e-13)
        default = alignment_matrix(X, near, **{name: value for name, value in options.items() if "tol" not in name})
        assert abs(default.toarray() - matrix).max() > 1e-3
    rough, fine = (LocallyLinearEmbedding(n_neighbors=10, eigen_solver="arpack", tol=tol, random_state=0).fit(X)
                   for tol in (1e-2, 1e-9))
    assert fine.angle_ < 1e-9 < rough.angle_ < 1e-2 and rough.n_iter_ < fine.n_iter_


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_no_unit_is_too_large_or_too_small_for_squares(method, scale):
    X = make_swiss_roll(200, random_state=0)[0]
    here, there = (LocallyLinearEmbedding(n_neighbors=8, method=method, eigen_solver="dense").fit_transform(data)
                   for data in (X, scale * X))
    # Planes of which the next eigenvalue is a hundred-thousandth of the largest, whose rounding it divides.
    assert subspace_angles(here, there).max() < 1e-8


def test_tensors_are_taken_as_arrays():
    torch = pytest.importorskip("torch")
    X = make_swiss_roll(60, random_state=0)[0]
    near = near_of(X, 6)
    found = alignment_matrix(torch.from_numpy(X).requires_grad_(), torch.from_numpy(near))
    np.testing.assert_array_equal(found.toarray(), alignment_matrix(X, near).toarray())


def test_floating_types():
    X = make_swiss_roll(400, random_state=0)[0]
    small = LocallyLinearEmbedding(n_neighbors=10).fit(X.astype(np.float32))
    assert small.embedding_.dtype == small.transform(X[:3].astype(np.float32)).dtype == np.float32
    same = LocallyLinearEmbedding(n_neighbors=10).fit(X.astype(np.float32).astype(np.float64))
    # Computed in float64 and rounded once; neighbours at equal distances may be added up in another order.
    np.testing.assert_allclose(small.embedding_, same.embedding_, atol=2e-7)
    assert LocallyLinearEmbedding().fit(np.arange(60).reshape(20, 3) ** 2 % 17).embedding_.dtype == np.float64


def test_the_start_changes_less_than_the_tolerance_and_names_are_kept():
    X = make_swiss_roll(600, random_state=0)[0]
    one, two = (LocallyLinearEmbedding(n_neighbors=10, eigen_solver="arpack", random_state=s).fit(X) for s in (0, 1))
    assert subspace_angles(one.embedding_, two.embedding_).max() < 1e-6
    again = LocallyLinearEmbedding(n_neighbors=10, eigen_solver="arpack", random_state=0).fit(X)
    np.testing.assert_array_equal(one.embedding_, again.embedding_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).transform(X[:9]), one.transform(X[:9]))
    np.testing.assert_array_equal(clone(one).fit_transform(X), one.embedding_)
    Y, cost = locally_linear_embedding(X, n_neighbors=10, n_components=2, eigen_solver="arpack", random_state=0)
    np.testing.assert_array_equal(Y, one.embedding_)
    assert cost == one.reconstruction_error_ and lm.LocallyLinearEmbedding is LocallyLinearEmbedding


X = np.random.default_rng(0).normal(size=(30, 3))


@pytest.mark.parametrize(("params", "error", "message"), [
    ({"n_neighbors": 0}, ValueError, "n_neighbors must be an integer of at least 1, got 0"),
    ({"n_neighbors": 30}, ValueError, "n_neighbors must be less than the number of samples, 30, got 30"),
    ({"n_neighbors": 2.5}, ValueError, "n_neighbors must be an integer of at least 1, got 2.5"),
    ({"n_components": 0}, ValueError, "n_components must be an integer of at least 1, got 0"),
    ({"n_components": 4}, ValueError, "n_components must be at most the number of features, 3, got 4"),
    ({"method": "isomap"}, ValueError,
     "method must be one of 'standard', 'hessian', 'modified', 'ltsa', got 'isomap'"),
    ({"method": "hessian"}, ValueError,
     "method='hessian' with n_components=2 needs at least 6 neighbours, got n_neighbors=5"),
    ({"method": "ltsa", "n_neighbors": 2}, ValueError,
     "method='ltsa' with n_components=2 needs at least 3 neighbours, got n_neighbors=2"),
    ({"eigen_solver": "lobpcg"}, ValueError, "eigen_solver must be one of 'auto', 'arpack', 'dense', got 'lobpcg'"),
    ({"neighbors_algorithm": "faiss"}, ValueError,
     "neighbors_algorithm must be one of 'auto', 'brute', 'kd_tree', 'ball_tree', got 'faiss'"),
    ({"reg": -1e-3}, ValueError, "reg must be finite and not negative, got -0.001"),
    ({"method": "modified", "n_neighbors": 1}, ValueError,
     "method='modified' with n_components=2 needs at least 2 neighbours, got n_neighbors=1"),
    ({"hessian_tol": -1.0}, ValueError, "hessian_tol must be finite and not negative, got -1.0"),
    ({"tol": np.nan}, ValueError, "tol must be finite and not negative, got nan"),
    ({"modified_tol": "small"}, TypeError, "modified_tol must be a number, got 'small'"),
    ({"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1, got 0"),
    ({"nonnegative": 1}, ValueError, "nonnegative must be True or False, got 1"),
    ({"nonnegative": True, "method": "ltsa"}, ValueError,
     "nonnegative belongs to method='standard', got method='ltsa'"),
    ({"nonnegative": True, "reg": 0}, ValueError,
     "nonnegative=True needs a positive reg, which makes the weights unique, got reg=0"),
    ({"quadratic_only": True}, ValueError, "quadratic_only belongs to method='hessian', got method='standard'"),
    ({"quadratic_only": None}, ValueError, "quadratic_only must be True or False, got None"),
])
def test_parameters_are_checked(params, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        LocallyLinearEmbedding(**params).fit(X)


def test_samples_are_checked():
    with pytest.raises(ValueError, match=r"^all 9 samples coincide, so that no coordinates are determined$"):
        LocallyLinearEmbedding().fit(np.ones((9, 3)))
    with pytest.raises(ValueError, match=r"^n_components must be less than the number of samples, 3, got 3$"):
        LocallyLinearEmbedding(n_neighbors=2, n_components=3).fit(X[:3])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LocallyLinearEmbedding().fit(np.where(X == X[3, 1], np.nan, X))
    message = "X must be finite, got 1 NaN or infinite value in an array of shape (30, 3)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        alignment_matrix(np.where(X == X[3, 1], np.inf, X), near_of(X, 5))
    message = "X must be an array of samples, got NearestNeighbors: give the samples that it was fitted to"
    for call in (LocallyLinearEmbedding().fit, lambda search: barycenter_kneighbors_graph(search, 3)):
        with pytest.raises(TypeError, match=f"^{message}$"):
            call(NearestNeighbors().fit(X))
    for scale, size in ((1e160, "2.5e+160"), (1e-160, "2.5e-160")):  # their squares would be infinite, or zero
        message = f"X must be scaled so that squared distances neither over- nor underflow, got entries of up to {size}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            LocallyLinearEmbedding().fit(X * (2.5 * scale / np.abs(X).max()))
    message = "X must be scaled so that squared distances neither over- nor underflow, got entries of up to 1"
    with pytest.raises(ValueError, match=f"^{message}$"):
        LocallyLinearEmbedding().fit(np.column_stack([np.ones(30), 1e-160 * X]))  # what differs is too small
    message = "a sample must not be among its own neighbours, as 30 of 30 are"
    with pytest.raises(ValueError, match=f"^{message}$"):
        alignment_matrix(X, np.column_stack([near_of(X, 5), np.arange(30)]))
    message = "n_components must be at most the number of features, 3, got 4"
    for method in ("ltsa", "modified", "hessian"):
        with pytest.raises(ValueError, match=f"^{message}$"):
            alignment_matrix(X, near_of(X, 20), method=method, n_components=4)
    message = "neighbours must be indices from 0 to 29, the last of the rows of X, got 0 to 30"
    with pytest.raises(ValueError, match=f"^{message}$"):
        alignment_matrix(X, np.where(near_of(X, 5) == 29, 30, near_of(X, 5)))
    with pytest.raises(ValueError, match=r"^n_neighbors must be less than the number of samples, 30, got 31$"):
        barycenter_kneighbors_graph(X, 31)


@pytest.mark.parametrize("seed", range(3))
def test_the_trust_of_points_averages_to_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(80, 5))
    drawn = data[:, :2] + 0.3 * rng.normal(size=(80, 2))
    theirs = manifold.trustworthiness(data, drawn, n_neighbors=7)
    assert trust(data, drawn, 7).mean() == pytest.approx(theirs, rel=1e-12)  # sums of 560 whole numbers


def test_a_factorisation_that_breaks_down_is_said(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("Factor is exactly singular")
    monkeypatch.setattr("scipy.sparse.linalg.splu", broken)
    message = ('Error in determining null-space with ARPACK: Factor is exactly singular; try eigen_solver="dense"')
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LocallyLinearEmbedding(eigen_solver="arpack").fit(X)
