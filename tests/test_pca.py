"""Local PCA against a singular value decomposition by hand, the circle's closed form and its own loss."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from locmethods.kernels import Epanechnikov, Flat, Gaussian, NearestNeighbors
from locmethods.models.pca import LocalPCA, local_pca


def sample(seed=0, n=50, d=4, queries=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(queries, d)), rng.normal(size=(n, d)) * np.arange(1, d + 1), rng


def loss(weight, keys, mean, axes):
    gap = keys - mean
    return weight @ ((gap - gap @ axes.T @ axes) ** 2).sum(1)


@pytest.mark.parametrize("d", [3, 4, 60])  # 60 features: more than keys
def test_frames_are_singular_vectors_of_rows_scaled_by_the_root(d):
    query, keys, _ = sample(d=d)
    h = 2.0 if d < 10 else 100.0
    got = local_pca(query, keys, kernel=Gaussian(h), n_components=3)
    weight = np.exp(-((query[:, None] - keys) ** 2).sum(-1) / (2 * h**2))
    weight /= weight.sum(1, keepdims=True)
    for w, mean, axes, variances in zip(weight, *got, strict=True):
        assert_allclose(mean, w @ keys, rtol=0, atol=1e-11)
        _, length, right = np.linalg.svd(np.sqrt(w)[:, None] * (keys - mean), full_matrices=False)
        assert_allclose(variances, length[:3] ** 2, rtol=1e-10)
        assert_allclose(np.abs((axes * right[:3]).sum(1)), 1, rtol=0, atol=1e-10)  # the same up to sign
        assert np.all(axes[range(3), np.abs(axes).argmax(1)] > 0)
        assert_allclose(axes @ axes.T, np.eye(3), rtol=0, atol=1e-13)


def test_roots_of_weights_minimise_the_localized_loss_and_weights_do_not():  # claim B9
    query, keys, _ = sample(1)
    frame = local_pca(query, keys, kernel=Gaussian(1.5), n_components=1)
    for q, mean, axes in zip(query, frame.mean, frame.components, strict=True):
        w = np.exp(-((q - keys) ** 2).sum(1) / (2 * 1.5**2))
        w /= w.sum()
        wrong = np.linalg.svd(w[:, None] * (keys - mean), full_matrices=False)[2][:1]
        assert loss(w, keys, mean, axes) < loss(w, keys, mean, wrong) * (1 - 1e-6)


def test_wide_window_is_global_pca():
    _, keys, _ = sample(2)
    got, want = LocalPCA(2, Flat(1e6)).fit(keys), PCA(2).fit(keys)
    variances = want.explained_variance_ * 49 / 50  # 1/n, not 1/(n−1)
    assert_allclose(got.frames(keys[:1]).variances[0], variances, rtol=1e-12)
    assert_allclose(np.abs(got.transform(keys)), np.abs(want.transform(keys)), rtol=0, atol=1e-10)
    assert_allclose(got.project(keys), want.inverse_transform(want.transform(keys)), rtol=0, atol=1e-10)


def test_eigenvalues_on_the_circle():  # claim B13
    angle = 2 * np.pi * np.arange(200_000) / 200_000
    h = 0.1
    frame = local_pca([[1.0, 0.0]], np.column_stack([np.cos(angle), np.sin(angle)]), kernel=Epanechnikov(h))
    # Next order in h, and a sum over 6,000 keys instead of an integral.
    assert_allclose(frame.variances[0] / [0.2 * h**2, h**4 / 87.5], 1, rtol=0, atol=5e-3)
    assert_allclose(frame.components[0], [[0, 1], [1, 0]], rtol=0, atol=1e-6)


def test_projection_is_the_normal_part_of_a_mean_shift_step():  # claim B14
    query, keys, _ = sample(3)
    for k in range(5):
        model = LocalPCA(k, Gaussian(2.0)).fit(keys)
        frame = model.frames(query)
        outside = np.eye(4) - np.einsum("qki,qkj->qij", frame.components, frame.components)
        want = query + np.einsum("qij,qj->qi", outside, frame.mean - query)
        assert_allclose(model.project(query), want, rtol=0, atol=1e-13)
        assert_allclose(model.reconstruct(model.transform(query), query) if k else frame.mean, want, rtol=0, atol=1e-13)


def test_empty_windows_follow_the_rule():
    keys = np.array([[0.0, 0.0], [1.0, 0.0]])
    far = [[9.0, 0.0]]
    near = local_pca(far, keys, kernel=Epanechnikov(1.0))
    assert_array_equal(near.mean, [[1.0, 0.0]])
    assert_array_equal(near.variances, [[0.0, 0.0]])
    for part in local_pca(far, keys, kernel=Epanechnikov(1.0), empty="nan"):
        assert np.isnan(part).all()
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        local_pca(far, keys, kernel=Epanechnikov(1.0), empty="raise")


def test_kinds_and_types():
    query, keys, _ = sample(4)
    want = local_pca(query, keys, kernel=Gaussian(2.0), n_components=2)
    got = local_pca(torch.tensor(query), torch.tensor(keys), kernel=Gaussian(2.0), n_components=2)
    for a, b in zip(got, want, strict=True):
        assert isinstance(a, torch.Tensor)
        assert_allclose(a.numpy(), b, rtol=0, atol=1e-12)
    single = local_pca(query.astype(np.float32), keys.astype(np.float32), kernel=Gaussian(2.0))
    assert {part.dtype for part in single} == {np.dtype(np.float32)}
    assert [part.shape for part in local_pca(query[:0], keys, kernel=Gaussian(1.0))] == [(0, 4), (0, 4, 4), (0, 4)]


def test_feature_names():
    _, keys, _ = sample()
    assert_array_equal(LocalPCA(2).fit(keys).get_feature_names_out(), ["localpca0", "localpca1"])


def test_rejects():
    query, keys, _ = sample()
    for k in (-1, 5, 1.0, True):
        message = f"n_components must be an integer from 0 to min(n_keys, n_features) = 4, got {k!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            local_pca(query, keys, kernel=Gaussian(1.0), n_components=k)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            LocalPCA(k).fit(keys)
    model = LocalPCA(2).fit(keys)
    message = "coordinates must have shape (n_queries, n_components) = (5, 2), got (5, 3)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.reconstruct(np.zeros((5, 3)), query)
    with pytest.raises(ValueError, match=r"Input coordinates contains NaN"):
        model.reconstruct(np.full((5, 2), np.nan), query)
    broken = keys.copy()
    broken[0, 0] = np.inf
    message = "keys must be finite, got 1 NaN or infinite value in an array of shape (50, 4)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        local_pca(query, broken, kernel=Gaussian(1.0))


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_keys_without_weight_are_left_out_and_change_nothing(kind):
    rng = np.random.default_rng(3)
    keys, query = rng.normal(size=(90, 5)), rng.normal(size=(12, 5))
    kernel = NearestNeighbors(7)
    got = local_pca(kind(query), kind(keys), kernel=kernel, n_components=4)
    for i, x in enumerate(query):
        near = keys[np.argsort(((keys - x) ** 2).sum(1))[:7]]
        apart = near - near.mean(0)
        variance, axes = np.linalg.eigh(apart.T @ apart / 7)
        assert_allclose(np.asarray(got.variances[i]), variance[::-1][:4], atol=1e-13)  # of variances of one
        inside = axes[:, :0:-1]
        found = np.asarray(got.components[i])
        assert_allclose(found.T @ found, inside @ inside.T, atol=1e-9)  # 1e-13 over the gap
    # Axes beyond the rank of a window of two.
    more = local_pca(kind(query), kind(keys), kernel=NearestNeighbors(2), n_components=4)
    assert_allclose(np.asarray(more.variances[:, 1:]), 0, atol=1e-13)
    assert more.components.shape == (12, 4, 5)
    square = np.asarray(more.components) @ np.swapaxes(np.asarray(more.components), 1, 2)
    assert_allclose(square, np.broadcast_to(np.eye(4), square.shape), atol=1e-12)
