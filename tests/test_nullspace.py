"""The smallest eigenvectors of a matrix with constant null vector: against LAPACK, and where nothing is determined."""

import re

import numpy as np
import pytest
from scipy.linalg import block_diag, subspace_angles
from scipy.sparse import csr_array, diags_array
from sklearn.exceptions import ConvergenceWarning

from locmethods.numerics import nullspace
from locmethods.numerics.nullspace import bottom_eigenvectors


def path(n):
    """Return the Laplacian of a path of n points: λⱼ = 2 − 2 cos(πj/n), fⱼ = cos(πj(i + ½)/n)."""
    ends = np.r_[1.0, np.full(n - 2, 2.0), 1.0]
    return diags_array([-np.ones(n - 1), ends, -np.ones(n - 1)], offsets=[-1, 0, 1]).tocsr()


@pytest.mark.parametrize("solver", ["sparse", "dense", "auto"])
@pytest.mark.parametrize(("n", "k"), [(60, 1), (200, 3), (400, 5)])
def test_a_path_has_cosines(solver, n, k):
    found = bottom_eigenvectors(path(n), k, solver=solver, tol=1e-9)
    j = np.arange(1, k + 1)
    cosines = np.cos(np.pi * j * (np.arange(n)[:, None] + 0.5) / n)
    cosines /= np.linalg.norm(cosines, axis=0)
    np.testing.assert_allclose(found.values, 2 - 2 * np.cos(np.pi * j / n), rtol=1e-9)  # rounding of λ ~ 1e-4
    assert np.abs(found.vectors - cosines * np.sign(found.vectors[0] / cosines[0])).max() < 1e-7
    assert found.angle <= 1e-9 and (found.n_iter == 1) == (solver == "dense" or (solver == "auto" and n <= 300))
    largest = np.abs(found.vectors).argmax(axis=0)
    assert (found.vectors[largest, np.arange(k)] > 0).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.one_in(2)
def test_the_bound_on_the_angle_holds(seed):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(500, 500)) * (rng.uniform(size=(500, 500)) < 0.02)
    factor -= np.diag(factor.sum(axis=1))  # rows that sum to zero
    matrix = factor.T @ factor
    exact = np.linalg.eigh(matrix + np.linalg.norm(matrix) / 500)[1][:, :3]
    for tol in (1e-2, 1e-5, 1e-8):
        found = bottom_eigenvectors(csr_array(matrix), 3, solver="sparse", tol=tol, rng=rng)
        # The bound is of exact gaps, ours of those between the values found: twice is beyond what they can differ.
        assert subspace_angles(found.vectors, exact).max() <= 2 * found.angle + 1e-9 and found.angle <= tol
        np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(3), atol=1e-12)
        assert np.abs(found.vectors.sum(axis=0)).max() < 1e-10


@pytest.mark.parametrize("solver", ["sparse", "dense"])
def test_several_null_vectors_are_all_found(solver):
    pieces = csr_array(block_diag(*[path(100).toarray()] * 4))
    found = bottom_eigenvectors(pieces, 3, solver=solver)
    np.testing.assert_allclose(found.values, 0, atol=1e-13)
    # Constant on each piece.
    assert np.ptp(found.vectors.reshape(4, 100, 3), axis=1).max() < 1e-6


@pytest.mark.parametrize("solver", ["sparse", "dense"])
def test_a_subspace_that_is_not_determined_is_said(solver):
    pieces = csr_array(block_diag(*[path(100).toarray()] * 4))
    message = (r"^the 2 eigenvectors span a subspace that is known to an angle of \S+ only, not to tol=1e-06, after "
               r"n_iter=\d+: either max_iter is too small, or eigenvalue 2, \S+, and the next are too near to each "
               r"other for a subspace of this dimension to be determined, as when the graph of neighbours falls into "
               r"pieces$")
    with pytest.warns(ConvergenceWarning, match=message):
        found = bottom_eigenvectors(pieces, 2, solver=solver)
    assert 1e-3 < found.angle <= 1 and not found.settled
    assert found.n_iter < 20 and found.vectors.shape == (400, 2)  # it is noticed, not waited for


def test_an_iteration_that_is_cut_short_is_said():
    with pytest.warns(ConvergenceWarning, match=re.escape("after n_iter=1: either max_iter is too small,")):
        found = bottom_eigenvectors(path(500), 3, solver="sparse", max_iter=1)
    assert found.n_iter == 1 and found.angle > 1e-6 and not found.settled


def test_a_basis_that_is_full_starts_again(monkeypatch):
    monkeypatch.setattr(nullspace, "COLUMNS", 12)
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(500, 500)) * (rng.uniform(size=(500, 500)) < 0.02)
    factor -= np.diag(factor.sum(axis=1))
    matrix = factor.T @ factor
    found = bottom_eigenvectors(csr_array(matrix), 3, solver="sparse", tol=1e-9)
    assert found.n_iter > 4 and found.angle <= 1e-9
    exact = np.linalg.eigvalsh(matrix + np.linalg.norm(matrix) / 500)[:3]
    np.testing.assert_allclose(found.values, exact, rtol=1e-8)


def test_few_rows_and_no_entries():
    for n in (2, 3, 5):
        found = bottom_eigenvectors(path(n) if n > 2 else csr_array([[1.0, -1.0], [-1.0, 1.0]]), n - 1)
        np.testing.assert_allclose(found.values, 2 - 2 * np.cos(np.pi * np.arange(1, n) / n), rtol=1e-12)
    with pytest.warns(ConvergenceWarning):
        assert not bottom_eigenvectors(csr_array((400, 400)), 2, solver="sparse").values.any()
