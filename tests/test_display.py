"""Displays show what the functions compute, on whose axes one likes, and say what they cannot show."""

import re
import subprocess
import sys

import dask.array as da
import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import locmethods as lm
from locmethods.display import LeaveOneOutDisplay, LocalFitDisplay, LocalWeightsDisplay
from locmethods.kernels import Epanechnikov, Gaussian, per_feature

matplotlib.use("Agg")
RNG = np.random.default_rng(0)
X = RNG.uniform(0, 3, (50, 1))
Y = np.sin(2 * X[:, 0]) + 0.1 * RNG.normal(size=50)
PLANE = RNG.normal(size=(50, 2))
WEIGHT = RNG.integers(1, 4, 50)
MODELS = [lm.LocalMeanRegressor(Gaussian(0.3)), lm.LocalPolynomialRegressor(1, Gaussian(0.3))]


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    figure, found = plt.subplots()
    yield found
    plt.close(figure)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_fit_is_drawn_with_its_band_and_sample(model, ax):
    shown = LocalFitDisplay.from_estimator(model.fit(X, Y), n_points=40, n_std=3.0, ax=ax)
    at = np.linspace(X.min(), X.max(), 40)
    mean, std = model.predict(at[:, None], return_std=True)
    assert_array_equal(shown.line_.get_xydata(), np.column_stack([at, mean]))
    assert_array_equal(shown.points_.get_offsets(), np.column_stack([X[:, 0], Y]))
    edge = shown.band_.get_paths()[0].vertices
    assert_allclose([edge[:, 1].min(), edge[:, 1].max()], [(mean - 3 * std).min(), (mean + 3 * std).max()], rtol=1e-12)
    assert shown.ax_ is ax and shown.figure_ is ax.figure


def test_no_band_is_drawn_where_none_is_known_or_wanted(ax):
    weighted = lm.LocalMeanRegressor(Gaussian(0.3)).fit(X, Y, sample_weight=WEIGHT)
    for model, n_std in ((weighted, 2.0), (MODELS[0].fit(X, Y), 0.0)):
        shown = LocalFitDisplay.from_estimator(model, n_points=5, n_std=n_std, ax=ax)
        assert shown.band_ is None and shown.std is None
        assert_array_equal(shown.fit, model.predict(shown.points[:, None]))


def test_weights_are_drawn_as_stems_or_as_areas(ax):
    model = lm.LocalMeanRegressor(Gaussian(0.3)).fit(X, Y, sample_weight=WEIGHT)
    shown = LocalWeightsDisplay.from_estimator(model, [1.0], ax=ax)
    direct = WEIGHT * np.exp(-0.5 * ((X[:, 0] - 1.0) / 0.3) ** 2)
    assert_allclose(shown.weights, direct / direct.sum(), rtol=1e-12)
    assert_allclose([stem[1] for stem in shown.weights_.get_segments()],
                    np.column_stack([X[:, 0], shown.weights]))
    plane = LocalWeightsDisplay.from_estimator(lm.LocalClassifier(Epanechnikov(1.0)).fit(PLANE, Y > 0), [0, 0], ax=ax)
    areas = plane.weights_.get_sizes()
    assert_allclose(areas / areas.max(), plane.weights / plane.weights.max(), rtol=1e-12)
    assert (plane.weights > 0).sum() == (np.linalg.norm(PLANE, axis=1) < 1).sum()
    lazy = LocalWeightsDisplay.from_estimator(lm.LazyMap().fit(PLANE, Y), [0, 0], ax=ax)
    assert_allclose(lazy.weights.sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_curve_is_the_mean_of_what_was_left_out(model, ax):
    widths = [0.5, 0.1, 0.2]
    shown = LeaveOneOutDisplay.from_estimator(model.fit(X, Y), bandwidths=widths, ax=ax)
    errors = []
    for width in sorted(widths):
        one = type(model)(kernel=Gaussian(width))
        rest = [np.delete(np.arange(50), i) for i in range(50)]
        left_out = [one.fit(X[keep], Y[keep]).predict(X[[i]])[0] for i, keep in enumerate(rest)]
        errors.append(np.mean((Y - left_out) ** 2))
    # Fits of the other 49, each from its own sums.
    assert_allclose(shown.line_.get_xydata(), np.column_stack([sorted(widths), errors]), rtol=1e-8)
    assert shown.best_.get_xdata()[0] == sorted(widths)[np.argmin(errors)]


def test_a_display_is_drawn_again_on_a_figure_of_its_own():
    import matplotlib.pyplot as plt

    shown = LocalFitDisplay.from_estimator(MODELS[0].fit(X, Y), n_points=3)
    first = shown.figure_
    assert shown.plot() is shown and shown.figure_ is not first
    plt.close("all")


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: LocalFitDisplay.from_estimator(lm.LocalClassifier().fit(X, Y > 0)), TypeError,
     "LocalFitDisplay takes a LocalMeanRegressor or a LocalPolynomialRegressor, got LocalClassifier"),
    (lambda: LocalFitDisplay.from_estimator(lm.LocalMeanRegressor().fit(PLANE, Y)), ValueError,
     "LocalFitDisplay draws one output over one feature, got keys of shape (50, 2) and values of shape (50,)"),
    (lambda: LocalFitDisplay.from_estimator(lm.LocalMeanRegressor().fit(da.from_array(X), da.from_array(Y))), TypeError,
     "LocalFitDisplay takes a sample in memory, got keys_ that are Array"),
    (lambda: LocalWeightsDisplay.from_estimator(lm.MeanShift(bandwidth=1.0).fit(PLANE), [0, 0]), TypeError,
     "LocalWeightsDisplay takes a model that keeps its sample as keys_, an array, got MeanShift"),
    (lambda: LocalWeightsDisplay.from_estimator(MODELS[0].fit(X, Y), [0, 0]), ValueError,
     "LocalWeightsDisplay draws keys of one feature or two and a target of the same, got keys of shape (50, 1) and a "
     "target of shape (2,)"),
    (lambda: LeaveOneOutDisplay.from_estimator(lm.LocalMeanRegressor().fit(X, Y, sample_weight=WEIGHT)), ValueError,
     "leave-one-out is known for samples of equal weight only: fit without sample_weight"),
    (lambda: LeaveOneOutDisplay(lm.select_bandwidth(PLANE, Y, kernel=per_feature(Gaussian, [1.0, 1.0]), bandwidths={
        "gaussian_1__bandwidth": [1.0], "gaussian_2__bandwidth": [1.0]})), ValueError,
     "LeaveOneOutDisplay draws one width, got 2 in the selection"),
], ids=["classifier", "two features", "Dask", "no keys", "target", "weights", "two widths"])
def test_what_cannot_be_shown_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_without_matplotlib_a_display_says_what_it_lacks():
    script = """
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Lacking())
import locmethods as lm
model = lm.LocalMeanRegressor().fit([[0.0], [1.0]], [0.0, 1.0])
try:
    lm.display.LocalFitDisplay.from_estimator(model)
except ImportError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert found.stdout == 'LocalFitDisplay draws with matplotlib: pip install "locmethods[book]"\n', found.stderr
