"""The kernel's vote, against a loop over classes and scikit-learn's neighbours."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.neighbors import KNeighborsClassifier

from locmethods.kernels import Epanechnikov, Flat, Gaussian, NearestNeighbors
from locmethods.models.classification import LocalClassifier


def test_probabilities_are_shares_of_the_weight():
    X, y = make_blobs(80, centers=4, cluster_std=3.0, random_state=0)
    labels = np.array(["d", "b", "a", "c"])[y]
    rows = X[:9] + 0.3
    model = LocalClassifier(Gaussian(1.5)).fit(X, labels)
    weight = np.exp(-((rows[:, None] - X) ** 2).sum(-1) / (2 * 1.5**2))
    shares = np.stack([weight[:, labels == c].sum(1) for c in "abcd"], axis=1) / weight.sum(1, keepdims=True)
    assert_array_equal(model.classes_, list("abcd"))
    assert_allclose(model.predict_proba(rows), shares, rtol=0, atol=1e-14)
    assert_array_equal(model.predict(rows), np.array(list("abcd"))[shares.argmax(1)])


def test_rank_kernel_is_k_nearest_neighbours():
    X, y = make_blobs(80, centers=3, cluster_std=3.0, random_state=1)
    rows = np.random.default_rng(1).normal(scale=5, size=(20, 2))
    want = KNeighborsClassifier(n_neighbors=5).fit(X, y)
    got = LocalClassifier(NearestNeighbors(5)).fit(X, y)
    assert_allclose(got.predict_proba(rows), want.predict_proba(rows), rtol=0, atol=1e-15)
    assert_array_equal(got.predict(rows), want.predict(rows))


@pytest.mark.parametrize("labels", [["no", "yes", "no"], [True, False, True], [5, -2, 5], ["b", "a", "b"]])
def test_labels_come_back_in_their_type(labels):
    model = LocalClassifier(Flat(0.5)).fit([[0.0], [1.0], [2.0]], labels)
    got = model.predict([[0.0], [1.0], [2.0]])
    assert_array_equal(got, labels)
    assert got.dtype == np.asarray(labels).dtype


def test_a_tie_goes_to_the_first_class():
    for labels in (["b", "a"], ["a", "b"]):
        assert LocalClassifier().fit([[-1.0], [1.0]], labels).predict([[0.0]]) == ["a"]


def test_one_class_is_enough():
    assert_array_equal(LocalClassifier().fit([[0.0], [1.0]], ["x", "x"]).predict_proba([[9.0]]), [[1.0]])


def test_empty_windows_follow_the_rule():
    X, y, row = [[0.0], [1.0], [2.0]], ["a", "b", "b"], [[50.0]]
    def model(empty):
        return LocalClassifier(Epanechnikov(1.0), empty=empty).fit(X, y)
    assert_array_equal(model("nearest").predict_proba(row), [[0, 1]])
    assert_allclose(model("mean").predict_proba(row), [[1 / 3, 2 / 3]], rtol=1e-15)
    assert np.isnan(model("nan").predict_proba(row)).all()
    message = ('row 0 has no key in reach of the kernel, and a label has no NaN: widen the kernel, or choose '
               'empty="nearest" or "mean"')
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model("nan").predict(row)
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        model("raise").predict(row)


def test_continuous_targets_are_refused():
    with pytest.raises(ValueError, match=r"Unknown label type: continuous"):
        LocalClassifier().fit([[0.0], [1.0]], [0.1, 0.7])
