"""The contract: every estimator is what scikit-learn expects, in pipelines, searches and on disk."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_blobs, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from locmethods.adaptive import LearnedMetric
from locmethods.eigenmaps import NeuralEigenmaps
from locmethods.fuzzy import TakagiSugenoRegressor
from locmethods.hopfield import DenseAssociativeMemory, HopfieldNetwork, ModernHopfield
from locmethods.kernels import Epanechnikov, Gaussian, Linear
from locmethods.lazy import LazyMap
from locmethods.models.classification import LocalClassifier
from locmethods.models.pca import LocalPCA
from locmethods.models.regression import LocalMeanRegressor, LocalPolynomialRegressor
from locmethods.projection import RandomProjection
from locmethods.relaxation import LabelPropagation
from locmethods.spectrum import DiffusionMap, SpectralClustering
from locmethods.trick import Localized
from locmethods.whitening import Whitening

ESTIMATORS = [
    LocalMeanRegressor(),
    LocalPolynomialRegressor(),
    LocalPolynomialRegressor(degree=2),
    LocalClassifier(),
    LocalPCA(),
    LazyMap(),
    LabelPropagation(),
    LabelPropagation(alpha=0.5),
    Localized(LogisticRegression()),
    Localized(DecisionTreeRegressor(random_state=0)),
]
SYSTEMS = [  # of rules, which have no kernel to choose
    TakagiSugenoRegressor(random_state=0),
    TakagiSugenoRegressor(n_rules=2, training="hybrid", tol=0.01, random_state=0),
    TakagiSugenoRegressor(consequents="local", shape="triangular", max_rules=6, random_state=0),
    TakagiSugenoRegressor("wang-mendel"),
]
# They take no kernel; synchronous ones may alternate for ever, which is a warning.
MEMORIES = [
    HopfieldNetwork(),
    HopfieldNetwork("pseudo-inverse", shuffle=True, random_state=0),
    DenseAssociativeMemory(),
    DenseAssociativeMemory("exponential"),
    DenseAssociativeMemory("epanechnikov"),
    ModernHopfield(),
]
# They learn their kernel; on the checks' random labels the best one is that of the nearest neighbour, which is never
# reached, so that all slopes count as settled.
LEARNERS = [LearnedMetric(max_iter=5, tol=np.inf), LearnedMetric(1, loss="accuracy", max_iter=5, tol=np.inf)]
# They look at the sample's shape alone.
PROJECTIONS = [RandomProjection(2, method=method) for method in ("gaussian", "sparse", "sign", "hadamard")]
MAPS = [Whitening(), Whitening(0.5, 0.0, 1)]  # linear ones, which have no kernel to choose
# What stands on the leading functions of an averaging matrix; two clusters, since some checks have few samples.
SPECTRAL = [DiffusionMap(n_components=1), SpectralClustering(2, random_state=0),
            SpectralClustering(2, assign_labels="cluster_qr")]
# Short trainings, which need not have settled.
NETWORKS = [NeuralEigenmaps(2, steps=3, hidden=(4,), batch_size=8, tol=np.inf, random_state=0),
            NeuralEigenmaps(2, loss="barlow", steps=3, hidden=(), batch_size=8, tol=np.inf, random_state=0)]
PREDICTORS = [estimator for estimator in ESTIMATORS if hasattr(estimator, "predict")]


def name(estimator):
    return re.sub(r"\s+", "", repr(estimator))


# A model that is fitted anew at each query by an iteration of scikit-learn's own: minutes for all the checks.
HEAVY = [estimator for estimator in ESTIMATORS if "LogisticRegression" in repr(estimator)]


@pytest.mark.slow
@parametrize_with_checks(HEAVY)
def test_scikit_learn_contract_of_what_is_slow(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [*(one for one in ESTIMATORS if one not in HEAVY), *SYSTEMS, *MEMORIES, *LEARNERS, *PROJECTIONS, *MAPS, *SPECTRAL,
     *NETWORKS])
@pytest.mark.one_in(4)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [LocalMeanRegressor(), LocalClassifier(), SYSTEMS[0], *MAPS], ids=name)
def test_no_check_is_skipped(estimator):
    # A skipped check is a warning, and warnings are errors here; this asks the records as well.
    records = check_estimator(estimator, on_skip=None, on_fail=None)
    assert {record["status"] for record in records} == {"passed"}


def sample(estimator, dtype=np.float64):
    """Return a small sample of the right kind."""
    if is_classifier(estimator):
        X, y = make_blobs(60, centers=3, random_state=0)
        return X.astype(dtype), np.array(["one", "two", "three"])[y]
    X, y = make_regression(60, n_features=2, noise=1.0, random_state=0)
    return X.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("estimator", PREDICTORS, ids=name)
@pytest.mark.one_in(4)
def test_bandwidth_is_searched_through_a_pipeline(estimator):
    X, y = sample(estimator)
    step = clone(estimator).set_params(kernel=Gaussian(1.0))
    pipeline = make_pipeline(StandardScaler(), step)
    grid = {f"{type(step).__name__.lower()}__kernel__bandwidth": [0.5, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2 or is_classifier(estimator)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    by_hand = clone(step).set_params(kernel__bandwidth=next(iter(search.best_params_.values())))
    scaler = StandardScaler().fit(X)
    np.testing.assert_array_equal(search.predict(X), by_hand.fit(scaler.transform(X), y).predict(scaler.transform(X)))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
def test_survives_pickle(estimator):
    X, y = sample(estimator)
    model = clone(estimator).set_params(kernel=Epanechnikov(2.0)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    method = "predict" if hasattr(model, "predict") else "transform"
    np.testing.assert_array_equal(getattr(again, method)(X), getattr(model, method)(X))


@pytest.mark.parametrize("estimator", SYSTEMS, ids=name)
def test_rules_survive_pickle_and_a_search(estimator):
    X, y = sample(estimator)
    model = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    search = GridSearchCV(clone(estimator), {"max_rules": [1, 2]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", [*ESTIMATORS, *SYSTEMS, *MAPS], ids=name)
@pytest.mark.one_in(3)
def test_floating_type_is_kept(estimator, dtype):
    X, y = sample(estimator, dtype)
    model = clone(estimator).fit(X, y)
    if is_classifier(model):
        assert model.predict_proba(X).dtype == dtype
    else:
        assert (model.predict(X) if hasattr(model, "predict") else model.transform(X)).dtype == dtype


@pytest.mark.parametrize("estimator", [e for e in PREDICTORS if not is_classifier(e)], ids=name)
def test_integers_become_float64(estimator):
    model = clone(estimator).fit(np.arange(8).reshape(4, 2), np.arange(4))
    assert model.predict([[1, 2]]).dtype == np.float64


@pytest.mark.parametrize("estimator", [e for e in PREDICTORS if not is_classifier(e)], ids=name)
def test_outputs_are_fitted_one_by_one(estimator):
    if isinstance(estimator, Localized):
        estimator = Localized(LinearRegression())  # a tree splits on all outputs together
    X, y = sample(estimator)
    both = clone(estimator).fit(X, np.column_stack([y, X[:, 0] ** 2])).predict(X[:5])
    assert both.shape == (5, 2)
    # The same arithmetic in another order: rounding of a sum of 60 terms.
    np.testing.assert_allclose(both[:, 0], clone(estimator).fit(X, y).predict(X[:5]), rtol=1e-10)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
@pytest.mark.one_in(3)
def test_kernel_defaults_to_a_gaussian_of_bandwidth_one(estimator):
    X, y = sample(estimator)
    method = "predict" if hasattr(estimator, "predict") else "transform"
    default = clone(estimator).fit(X, y)
    named = clone(estimator).set_params(kernel=Gaussian(bandwidth=1.0)).fit(X, y)
    np.testing.assert_array_equal(getattr(default, method)(X), getattr(named, method)(X))
    assert default.kernel is None


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
def test_parameters_are_checked_in_fit(estimator):
    X, y = sample(estimator)
    for params, error, message in [
        ({"kernel": "gaussian"}, TypeError, "kernel must be a kernel from locmethods.kernels or None, got str"),
        ({"empty": "zero"}, ValueError, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
        ({"kernel": Linear()}, ValueError,
         "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, "
         "or a kernel with non-negative weights for a local mean"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            clone(estimator).set_params(**params).fit(X, y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
def test_nan_is_noticed_in_each_argument(estimator):
    X, y = sample(estimator)
    broken = X.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        clone(estimator).fit(broken, y)
    model = clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        (model.predict if hasattr(model, "predict") else model.transform)(broken)
    # To a lazy map a target that is NaN is a row without a label.
    if hasattr(model, "predict") and not is_classifier(model) and not isinstance(model, LazyMap):
        with pytest.raises(ValueError, match=r"Input y contains NaN"):
            clone(estimator).fit(X, np.where(np.arange(len(y)) == 2, np.nan, y))
