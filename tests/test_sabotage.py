"""Sabotage breaks what it says it breaks, puts it right again, and sees only a claim that turns red."""

import ast
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.sparse import csr_array

import locmethods as lm
from locmethods.companion import claim, claims, same
from locmethods.companion.checking import sabotage, wreckage
from locmethods.display import LocalWeightsDisplay
from locmethods.kernels import Epanechnikov, Exponential, Flat, Gaussian, Linear, NearestNeighbors, per_feature
from locmethods.transformer import CharacterModel

X = np.linspace(0, 1, 12)[:, None]
Y = np.sin(5 * X[:, 0])
PAGE = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
---
# A page

```{code-cell} ipython3
import locmethods as lm
from locmethods.kernels import Gaussian
from locmethods.companion import check
lm.local_mean(x, x, y, kernel=Gaussian(0.1))
lm.LocalMeanRegressor(Gaussian(0.1)).fit(x, y).predict(x)
lm.LazyMap(Gaussian(0.1)).fit(x, y).transduction_
print(lm.explain(x, x, kernel=Gaussian(0.1)).how)
```
"""


def weights(h):
    """Return the local weights of a Gaussian, written out."""
    K = np.exp(-((X - X.T) ** 2) / (2 * h**2))
    return K / K.sum(1, keepdims=True)


def compared(left, right):
    return same("sides", left, right, within=1e-9, because="a test", broken=left + 1, how="one more")


@claim("Z1", kind="identity")
def the_mean_is_the_formula(seed=0):
    """The local mean is its formula."""
    yield compared(lm.local_mean(X, X, Y, kernel=Gaussian(0.1)), weights(0.1) @ Y)


@claim("Z2", kind="identity")
def the_mean_is_itself(seed=0):
    """A check that notices nothing."""
    fit = lm.LocalMeanRegressor(Gaussian(0.1)).fit(X, Y)
    yield compared(fit.predict(X), fit.predict(X))


@claim("Z3", kind="identity")
def nothing_is_computed(seed=0):
    """A check that can't be computed says nothing."""
    raise ValueError("not computed")
    yield


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Return a page whose claims are those above, without the first where the test leaves it out."""
    path = tmp_path / "zeroth.md"
    path.write_text(PAGE)
    module = ModuleType("locmethods.companion.claims.zeroth")
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    monkeypatch.setattr(claims, "of", lambda stem: [nothing_is_computed, the_mean_is_itself, the_mean_is_the_formula])
    return path


def test_what_a_page_presents_is_broken_in_each_way(page):
    assert [(one.name, one.how) for one in sabotage.breaks(page)] == [
        ("Gaussian", "a tenth wider"), ("LazyMap.transduction_", "its answer shifted"),
        ("LazyMap.transduction_", "its rows reversed"), ("LocalMeanRegressor.predict", "its answer shifted"),
        ("LocalMeanRegressor.predict", "its rows reversed"), ("local_mean", "its answer shifted"),
        ("local_mean", "its rows reversed")]


def test_a_claim_notices_by_turning_red_and_everything_is_put_right_again(page):
    before = lm.local_mean(X, X, Y, kernel=Gaussian(0.1))
    found = {(one.name, one.how): one.noticed for one in sabotage.sabotage(page)}
    assert found[("Gaussian", "a tenth wider")] == "Z1"
    assert found[("local_mean", "its answer shifted")] == found[("local_mean", "its rows reversed")] == "Z1"
    assert found[("LocalMeanRegressor.predict", "its answer shifted")] == ""
    assert found[("LazyMap.transduction_", "its rows reversed")] == ""
    assert np.array_equal(lm.local_mean(X, X, Y, kernel=Gaussian(0.1)), before)
    assert "local_mean" not in vars(lm) or lm.local_mean.__name__ == "local_mean"


@pytest.mark.parametrize("kernel, wide", [
    (Gaussian(0.2), Gaussian(0.22)), (Epanechnikov(0.5), Epanechnikov(0.55)), (Flat(0.3), Flat(0.33)),
    (Exponential(0.5), Exponential(0.55)), (NearestNeighbors(3), NearestNeighbors(4)),
])
def test_a_kernel_is_made_a_tenth_wider(monkeypatch, kernel, wide):
    wanted = lm.local_mean(X, X, Y, kernel=wide)
    monkeypatch.setattr(type(kernel), "bind", sabotage.widened(type(kernel)))
    assert np.allclose(lm.local_mean(X, X, Y, kernel=kernel), wanted, rtol=1e-12), "the same sums"


def test_a_kernel_without_a_width_is_changed_too(monkeypatch):
    wanted = 1.1 * Linear()(X)
    monkeypatch.setattr(Linear, "bind", sabotage.widened(Linear))
    assert np.allclose(Linear()(X), wanted, rtol=1e-12), "one more product"


def test_answers_are_spoilt_wherever_they_stand():
    moved = sabotage.spoilt((np.array([1.0, -2.0]), [np.array([3, 4])], "words", None), sabotage.shifted)
    assert moved[0].tolist() == [1.2, -1.8] and moved[1][0].tolist() == [4, 5] and moved[2:] == ("words", None)
    turned = sabotage.spoilt(lm.local_moments(X, X, Y, kernel=Gaussian(0.3)), sabotage.reversed_rows)
    straight = lm.local_moments(X, X, Y, kernel=Gaussian(0.3))
    assert np.array_equal(turned[0], straight[0][::-1])
    assert sabotage.spoilt(torch.tensor([1.0, 2.0]), sabotage.shifted).tolist() == pytest.approx([1.2, 2.2])
    assert sabotage.spoilt(lambda: np.array([1.0]), sabotage.shifted)().tolist() == [1.1]
    assert [sabotage.answering(lambda: 4, spoil)() for spoil in sabotage.SPOILS.values()] == [5, 2]
    assert sabotage.answering(lambda: (True, 4), sabotage.shifted)() == (True, 4)
    assert sabotage.spoilt(csr_array([[0.0, 1.0]]), sabotage.shifted).toarray().tolist() == [[0.1, 1.1]]
    assert sabotage.spoilt(2.0, sabotage.shifted) == pytest.approx(2.2)
    assert sabotage.spoilt(2.0, sabotage.reversed_rows) == 1.0


def test_objects_of_the_package_are_spoilt_too():
    total = lm.local_sum(X, X, Y, kernel=Gaussian(0.3))
    assert np.array_equal(sabotage.spoilt(total, sabotage.reversed_rows).mean(), total.mean()[::-1])
    prepared = lm.prepare(X, Y, kernel=Gaussian(0.3))
    assert np.array_equal(sabotage.spoilt(prepared, sabotage.reversed_rows).mean(X), prepared.mean(X)[::-1])
    assert sabotage.spoilt(Gaussian(1.0), sabotage.shifted).bandwidth == pytest.approx(1.1)


def test_what_the_companion_gives_is_not_presented():
    tree = ast.parse("from locmethods.companion import check\nimport locmethods as lm\nlm.kernels.Gaussian\n"
                     "lm.companion\nfrom locmethods import lazy\nlazy.twicing")
    assert list(sabotage.presented(tree)) == ["Gaussian", "twicing"]


def test_findings_are_kept_a_page_at_a_time(tmp_path):
    wreckage.keep(tmp_path, "one", [sabotage.Finding("f", "shifted", "A1")])
    wreckage.keep(tmp_path, "two", [sabotage.Finding("g", "reversed", "")])
    wreckage.keep(tmp_path, "one", [sabotage.Finding("f", "reversed", "A2")])
    assert wreckage.kept(tmp_path) == {"one": [("f", "reversed", "A2")], "two": [("g", "reversed", "")]}
    assert wreckage.kept(tmp_path / "nowhere") == {}


def test_a_kernel_that_is_an_answer_becomes_wider():
    wide = Gaussian(0.33)([[0.0]], [[0.5]])
    for kernel in (Gaussian(0.3), per_feature(Gaussian, [0.3])):
        for spoil in (sabotage.shifted, sabotage.reversed_rows):
            # Two routes to one exponent of order one.
            assert np.allclose(sabotage.spoilt(kernel, spoil)([[0.0]], [[0.5]]), wide, rtol=0, atol=1e-15)


def test_a_module_of_torch_is_broken_where_it_is_called_and_not_in_what_it_has_from_torch():
    from locmethods.hopfield import HopfieldLayer

    found = sabotage.of_estimator("HopfieldLayer", HopfieldLayer, {"eval", "state_dict", "in_heads"})
    assert {one.attribute for one in found} == {"forward", "in_heads"}


def test_a_text_is_spoilt_like_an_array():
    assert [sabotage.spoilt("abc", spoil) for spoil in sabotage.SPOILS.values()] == ["bcd", "cba"]


def test_what_a_class_computes_where_it_is_made_is_broken_and_what_it_reads_is_not():
    ax = Figure().subplots()
    model = lm.LocalMeanRegressor(Gaussian(0.1)).fit(X, Y)
    found = sabotage.of_estimator("LocalWeightsDisplay", LocalWeightsDisplay, {"from_estimator", "weights", "load"})
    assert [(one.name, one.how) for one in found] == [
        ("LocalWeightsDisplay.from_estimator", how) for how in sabotage.SPOILS]
    straight = LocalWeightsDisplay.from_estimator(model, X[3], ax=ax).weights
    for one, wanted in zip(found, (straight + 0.1 * straight.max(), straight[::-1]), strict=True):
        with patch.object(LocalWeightsDisplay, one.attribute, one.broken):
            assert np.array_equal(LocalWeightsDisplay.from_estimator(model, X[3], ax=ax).weights, wanted)
    readers = sabotage.of_estimator("CharacterModel", CharacterModel, {"load"})
    assert "load" not in {one.attribute for one in readers}
