"""A kernel for each column of a data frame: by hand, through the estimators, with every message whole."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import locmethods as lm
from locmethods.kernels import Categorical, Columns, Gaussian, Laplace, Ordered

GRADES = ["poor", "fair", "good"]
KERNELS = {"area": Gaussian(20.0), "town": Categorical(0.1), "grade": Ordered(0.3)}


def flats(seed=0, n=60):
    """Return a frame with a number, a label and an ordered category, and prices."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({
        "area": rng.uniform(20, 120, n), "town": rng.choice(["Ulm", "Jena", "Bonn"], n),
        "grade": pd.Categorical(rng.choice(GRADES, n), categories=GRADES, ordered=True)})
    return X, X["area"].to_numpy() + 10 * (X["town"] == "Ulm").to_numpy() + rng.normal(size=n)


def slow_weights(rows, X):
    """Return the kernel matrix of `KERNELS` by a loop over the rows of frames."""
    def weight(q, k):
        same = 0.9 if q.town == k.town else 0.1 / 2
        return (np.exp(-((q.area - k.area) ** 2) / 800) * same
                * 0.3 ** abs(GRADES.index(q.grade) - GRADES.index(k.grade)))
    return np.array([[weight(q, k) for k in X.itertuples()] for q in rows.itertuples()])


def test_estimators_take_frames_by_the_names_of_columns():
    X, y = flats()
    rows, _ = flats(1, 9)
    weight = slow_weights(rows, X)
    weight /= weight.sum(1, keepdims=True)
    other = rows[["grade", "area", "town"]].assign(colour="red")  # in another order, with one that nobody asks for
    model = lm.LocalMeanRegressor(KERNELS).fit(X, y)
    # Sums of 60 terms: a few hundred ε.
    assert_allclose(model.predict(rows), weight @ y, rtol=1e-13)
    assert_array_equal(model.predict(other), model.predict(rows))
    assert model.feature_names_in_.tolist() == ["area", "town", "grade"]
    assert model.n_features_in_ == 3
    assert model.keys_.dtype == np.float64
    label = np.where(y > np.median(y), "dear", "cheap")
    votes = lm.LocalClassifier(KERNELS).fit(X, label)
    assert_allclose(votes.predict_proba(other)[:, 1], weight @ (label == "dear"), rtol=0, atol=1e-14)
    assert set(votes.predict(other)) <= {"dear", "cheap"}
    line = lm.LocalPolynomialRegressor(1, KERNELS).fit(X, y)
    for i, row in enumerate(rows.itertuples()):
        root = np.sqrt(weight[i])
        design = np.column_stack([np.ones(len(X)), X["area"] - row.area]) * root[:, None]
        want = np.linalg.lstsq(design, y * root, rcond=None)[0]
        # Windows of conditions of a hundred or so.
        assert_allclose([line.predict(other)[i], *line.gradient(other)[i]], want, rtol=1e-10)
    assert_allclose(lm.LocalPolynomialRegressor(0, KERNELS).fit(X, y).predict(other), weight @ y, rtol=1e-13)


def test_the_ends_of_the_bandwidth_by_groupby():
    X, y = flats(2)
    cells = pd.Series(y).groupby(X["town"]).transform("mean")
    alone = {"area": None, "grade": None}
    model = lm.LocalMeanRegressor({**alone, "town": Categorical(0.0)}).fit(X, y)
    assert_allclose(model.predict(X), cells, rtol=1e-13)
    assert_array_equal(model.predict(X[["town"]]), model.predict(X))
    pooled = lm.LocalMeanRegressor({**alone, "town": Categorical(2 / 3)}).fit(X, y)
    assert_allclose(pooled.predict(X), np.full(len(y), y.mean()), rtol=1e-13)


def test_arrays_stand_in_the_order_of_the_names():
    X, y = flats(3)
    codes = np.column_stack([X["area"], pd.Categorical(X["town"]).codes, X["grade"].cat.codes])
    kernel = Columns(area=Gaussian(20.0), town=Categorical(0.1, n_levels=3), grade=Ordered(0.3))
    by_hand = Gaussian(20.0).on([0]) * Categorical(0.1, n_levels=3).on([1]) * Ordered(0.3).on([2])
    assert_array_equal(kernel(codes), by_hand(codes))
    want = lm.local_mean(codes, codes, y, kernel=by_hand.hollow())
    assert_array_equal(lm.local_mean(codes, codes, y, kernel=kernel.hollow()), want)
    assert_array_equal(lm.LocalMeanRegressor(kernel).fit(codes, y).predict(codes),
                       lm.LocalMeanRegressor(KERNELS).fit(X, y).predict(X))
    named = Columns(grade=Ordered(0.3, levels=GRADES), town=Categorical(0.1, levels=["Bonn", "Jena", "Ulm"]),
                    area=Gaussian(20.0))
    # A product in another order: a rounding.
    assert_allclose(lm.local_mean(X, X, y, kernel=named.hollow()), want, rtol=1e-13)
    assert_allclose(lm.prepare(X, y, kernel=named).mean(X[["town", "grade", "area"]]),
                    lm.local_mean(codes, codes, y, kernel=by_hand), rtol=1e-13)
    chosen = lm.select_bandwidth(codes, y, kernel=kernel, bandwidths=[0.0, 0.5], parameter="town__bandwidth")
    alone = clone(kernel).set_params(town__bandwidth=0.0).hollow()
    assert_allclose(chosen.scores[0], np.mean((y - lm.local_mean(codes, codes, y, kernel=alone)) ** 2), rtol=1e-12)


def test_a_bandwidth_is_chosen_on_a_frame():
    X, y = flats(4)
    found = lm.select_bandwidth(X[["town", "grade", "area"]], y, kernel=KERNELS, bandwidths=[0.0, 0.2, 0.6],
                                parameter="town__bandwidth")
    for share, score in zip((0.0, 0.2, 0.6), found.scores, strict=True):  # by refitting without each row
        gaps = []
        for i in range(len(y)):
            others = np.arange(len(y)) != i
            towns = Categorical(share, levels=["Bonn", "Jena", "Ulm"])
            model = lm.LocalMeanRegressor({**KERNELS, "town": towns}).fit(X[others], y[others])
            gaps.append(y[i] - model.predict(X[i:i + 1])[0])
        assert_allclose(score, np.mean(np.square(gaps)), rtol=1e-12)
    assert found.kernel.get_params()["town__levels"] == ["Bonn", "Jena", "Ulm"]


def test_the_matrix_of_a_smoother_of_frames():
    X, y = flats(4)
    X["floor"] = np.arange(len(X)) % 3
    X = X.drop(columns="town")
    model = lm.LocalMeanRegressor({"floor": Ordered(0.5), "grade": Ordered(0.3), "area": Gaussian(20.0)})
    smoother = lm.linear_smoother(model, X, X[:9])
    assert_allclose(smoother.matrix @ y, model.fit(X, y).predict(X[:9]), rtol=1e-13)


def test_parameters_are_found_by_columns():
    X, y = flats(4)
    kernel = Columns(KERNELS)
    assert {"area", "area__bandwidth", "town__bandwidth", "town__levels", "grade__bandwidth"} <= set(
        kernel.get_params())
    search = GridSearchCV(lm.LocalMeanRegressor(kernel), {"kernel__town__bandwidth": [0.0, 0.3],
                                                          "kernel__area": [Gaussian(5.0), Laplace(5.0)]}, cv=3)
    search.fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    best = Columns({**KERNELS, "area": search.best_params_["kernel__area"],
                    "town": Categorical(search.best_params_["kernel__town__bandwidth"])})
    assert_array_equal(search.predict(X), lm.LocalMeanRegressor(best).fit(X, y).predict(X))
    again = clone(kernel)
    assert again.get_params()["town"] is not kernel.get_params()["town"]
    again.set_params(town__bandwidth=0.5, area=None)
    assert repr(again) == ("Columns({'area': None, 'town': Categorical(bandwidth=0.5, levels=None, n_levels=None), "
                           "'grade': Ordered(bandwidth=0.3, levels=None)})")
    assert again.columns == ("town", "grade")
    assert kernel.get_params()["town__bandwidth"] == 0.1
    odd = Columns({"a": Gaussian(1.0), "a__b": Gaussian(2.0), "self": Gaussian(3.0)})
    odd.set_params(a__b__bandwidth=5.0, self=Gaussian(4.0))
    assert [odd.get_params()[f"{name}__bandwidth"] for name in ("a", "a__b", "self")] == [1.0, 5.0, 4.0]
    assert clone(odd).columns == ("a", "a__b", "self")


def test_levels_are_learned_and_the_kernel_is_left_alone():
    X, y = flats(5)
    X["town"] = pd.Categorical(X["town"], categories=["Ulm", "Rom", "Jena", "Bonn"])
    X["rooms"] = np.random.default_rng(0).choice([1, 2, 7], len(X))
    X["floor"] = X["rooms"] + 1
    kernel = Columns({**KERNELS, "town": 2.0 * Categorical(0.1), "rooms": Categorical(0.2), "floor": Ordered(0.9)})
    model = lm.LocalMeanRegressor(kernel).fit(X, y)
    found = model.kernel_.get_params()
    assert found["town__categorical__levels"] == ["Ulm", "Rom", "Jena", "Bonn"]  # one that the sample lacks, too
    assert found["grade__levels"] == GRADES
    assert found["rooms__levels"] == [1, 2, 7]
    assert found["floor__levels"] is None  # whole numbers are grades themselves
    assert kernel.get_params()["town__categorical__levels"] is None
    assert np.isfinite(model.predict(X.assign(town="Rom", floor=99))).all()
    with pytest.raises(ValueError, match=r"^column 'rooms' of X has labels that are no levels of its kernel, 3: the "
                                         r"levels are 1, 2, 7$"):
        model.predict(X.assign(rooms=3))
    given = lm.LocalMeanRegressor({**KERNELS, "rooms": None, "floor": None,
                                   "town": Categorical(0.1, levels=["Bonn", "Ulm", "Jena"])}).fit(X, y)
    assert given.kernel_.get_params()["town__levels"] == ["Bonn", "Ulm", "Jena"]
    again = model.fit(X.assign(town=pd.Categorical(["Oslo", "Ulm"] * 30)), y)
    assert again.kernel_.get_params()["town__categorical__levels"] == ["Oslo", "Ulm"]  # learned anew


def test_floating_types_of_frames_are_kept():
    X, y = flats(6)
    single = X.assign(area=X["area"].astype("f4"))
    assert lm.LocalMeanRegressor(KERNELS).fit(single, y.astype("f4")).predict(single).dtype == np.float32
    assert lm.LocalMeanRegressor(KERNELS).fit(X, y.astype("f4")).predict(X).dtype == np.float64
    only = {"town": Categorical(0.1), "area": None, "grade": None}
    assert lm.LocalClassifier(only).fit(X, y > 60).predict_proba(X).dtype == np.float64
    strings = X.assign(town=X["town"].astype("string"), area=X["area"].astype("Float64"))
    assert_array_equal(lm.LocalMeanRegressor(KERNELS).fit(strings, y).predict(strings),
                       lm.LocalMeanRegressor(KERNELS).fit(X, y).predict(X))


def test_fitted_models_travel_and_fit_again():
    X, y = flats(7)
    model = lm.LocalMeanRegressor(KERNELS).fit(X, y)
    want = model.predict(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), want)
    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame.assign(area=frame["area"] + 0.0)), model)
    assert np.isfinite(cross_val_score(pipeline, X, y, cv=3)).all()
    model.set_params(kernel={"area": Gaussian(20.0)}).fit(X[["area"]], y)
    assert model.feature_names_in_.tolist() == ["area"]
    found = model.predict(pd.DataFrame({"area": [60.0]}))
    model.set_params(kernel=Gaussian(20.0)).fit(X[["area"]].to_numpy(), y)
    assert not hasattr(model, "feature_names_in_")
    assert_allclose(model.predict([[60.0]]), found, rtol=1e-13)  # its sums may go in another order


def fitted(kernels=KERNELS, frame=None):
    X, y = flats(8)
    return lm.LocalMeanRegressor(kernels).fit(X if frame is None else frame(X), y)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda X: fitted({"area": Gaussian(20.0)}), ValueError,
     "the columns 'town', 'grade' of X have no kernel: name each, with None for one that has no part"),
    (lambda X: fitted({**KERNELS, "rooms": Gaussian()}), ValueError,
     "X must have the columns 'area', 'town', 'grade', 'rooms', got 'area', 'town', 'grade': there is no 'rooms'"),
    (lambda X: fitted().predict(X[["town", "grade"]]), ValueError,
     "X must have the columns 'area', 'town', 'grade', got 'town', 'grade': there is no 'area'"),
    (lambda X: fitted().predict(X[["area", "town", "grade", "area"]]), ValueError,
     "X has more than one column 'area'"),
    (lambda X: fitted().predict(X.assign(town="Rom")), ValueError,
     "column 'town' of X has labels that are no levels of its kernel, 'Rom': the levels are 'Bonn', 'Jena', 'Ulm'"),
    (lambda X: fitted().predict(X.assign(town=[None, np.nan] * 30)), ValueError,
     "column 'town' of X must have no missing labels, got 60 in 60 rows"),
    (lambda X: fitted(frame=lambda X: X.assign(grade=pd.Categorical([None] * 60, GRADES, ordered=True))), ValueError,
     "column 'grade' of X must have no missing labels, got 60 in 60 rows"),
    (lambda X: fitted().predict(np.ones((2, 3))), TypeError,
     "X must be a data frame with the columns 'area', 'town', 'grade', as in fit, got ndarray"),
    (lambda X: fitted(frame=lambda X: X.assign(grade=X["grade"].astype(str))), ValueError,
     "column 'grade' of X has labels without an order: give Ordered levels=[…], or make the column an ordered "
     "categorical in pandas"),
    (lambda X: fitted(frame=lambda X: X.assign(town=["Ulm", 1] * 30)), TypeError,
     "column 'town' of X must hold labels that can be sorted, or be categorical in pandas"),
    (lambda X: fitted({**KERNELS, "town": Categorical(0.7)}), ValueError,
     "column 'town' of X: bandwidth must be at least 0 and at most (c − 1)/c = 0.666667 for c = 3 levels, got 0.7"),
    (lambda X: fitted({**KERNELS, "town": Gaussian(1.0)}), TypeError,
     "column 'town' of X must be numbers: no kernel of levels compares it"),
    (lambda X: fitted({"area": "wide"}), TypeError,
     "the kernel of column 'area' must be a kernel from locmethods.kernels or None, got str"),
    (lambda X: Columns({0: Gaussian()}), TypeError, "the names of columns must be strings, got 0"),
    (lambda X: Columns(Gaussian()), TypeError,
     "kernels must be a dict from a column's name to its kernel, got Gaussian"),
    (lambda X: Columns(area=None), ValueError, "at least one column must have a kernel"),
    (lambda X: Columns(KERNELS).set_params(rooms__bandwidth=1.0), ValueError,
     "Columns has no parameter 'rooms__bandwidth'; it has the columns ['area', 'town', 'grade']"),
    (lambda X: Columns(area=None, town=Ordered()).set_params(area__bandwidth=1.0), ValueError,
     "column 'area' has no kernel, so it has no parameter 'area__bandwidth'"),
    (lambda X: Columns(KERNELS)([[1.0, 2.0]]), ValueError,
     "query must have the columns 'area', 'town', 'grade', got shape (1, 2)"),
    (lambda X: lm.LocalPolynomialRegressor(1, {"town": Categorical(0.1), "area": None, "grade": Ordered(0.1)}).fit(
        X, np.zeros(len(X))), ValueError,
     "a polynomial of degree 1 needs a column of numbers, and kernels of levels compare all of 2: take degree=0"),
    (lambda X: lm.Localized(LinearRegression(), kernel=KERNELS).fit(X, np.zeros(len(X))), TypeError,
     "Localized takes no data frame with a kernel by columns: give it an array of numbers, in the order of the "
     "kernel's columns"),
])
def test_what_is_wrong_is_said(call, error, message):
    X, _ = flats(9)
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(X)


def test_a_failed_change_changes_nothing():
    kernel = Columns(KERNELS)
    with pytest.raises(TypeError, match="the kernel of column 'area'"):
        kernel.set_params(area="wide")
    assert isinstance(kernel.get_params()["area"], Gaussian)
    assert kernel.columns == ("area", "town", "grade")


DAYS = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=9)})
CALLS = {"estimator": lambda X, y: lm.LocalMeanRegressor(Gaussian(3.0)).fit(X, y),
         "search": lambda X, y: lm.select_bandwidth(X, y, kernel=Gaussian(), bandwidths=[0.5, 1.0, 3.0]),
         "rule": lambda X, y: lm.rule_of_thumb(X, y, kernel=Gaussian(3.0))}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each_call
@pytest.mark.parametrize("whole", [True, False], ids=["frame", "array"])
def test_dates_are_refused_where_they_would_count_in_microseconds(call, whole):
    where, X = ("column 'day' of X", DAYS) if whole else ("X", DAYS.to_numpy())
    message = f"{where} must be numbers, got {DAYS['day'].dtype}: say how many days or years it is"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        call(X, np.arange(9.0))
    with pytest.raises(TypeError, match=f"^{re.escape(message.replace(where, 'y'))}$"):
        call(np.arange(9.0)[:, None], DAYS["day"])


@each_call
def test_a_column_of_words_is_named_where_no_kernel_takes_columns(call):
    X, y = flats()
    message = ("column 'town' of X must be numbers, got 'Bonn': labels are compared by a kernel by columns, "
               "Columns({'town': Categorical(0.1), …})")
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        call(X[["area", "town"]].sort_values("town"), y)


@each_call
def test_objects_that_are_numbers_serve_and_what_is_missing_is_said_by_scikit_learn(call):
    X = pd.DataFrame({"area": pd.Series(np.arange(9.0), dtype=object)})
    y = np.random.default_rng(0).normal(size=9)
    call(X, y), call(X.astype({"area": "category"}), y)
    with pytest.raises(ValueError, match="NaN"):
        call(X.where(X > 0), y)


@pytest.mark.parametrize("call", [
    lambda query, X, y: lm.local_mean(query, X, y, kernel=Gaussian(3.0)),
    lambda query, X, y: lm.local_polynomial(query, X, y, kernel=Gaussian(3.0), degree=1),
    lambda query, X, y: lm.prepare(X, y, kernel=Gaussian(3.0)).mean(query),
    lambda query, X, y: Gaussian(3.0)(query, X)], ids=["mean", "line", "prepared", "kernel"])
def test_frames_whose_columns_stand_in_another_order_are_refused(call):
    X, y = flats()
    X = X[["area"]].assign(floor=np.arange(60) % 5)
    call(X[:2], X, y), call(X[:2].rename(columns={"area": "m²"}), X, y)
    message = "query must have its columns in the order of the keys, 'area', 'floor', got 'floor', 'area'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(X[["floor", "area"]][:2], X, y)


def test_a_kernel_that_was_not_called_is_named():
    message = "kernel must be a kernel from locmethods.kernels, got the class Gaussian: call it, Gaussian(…)"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        lm.local_mean([[0.0]], [[0.0], [1.0]], [1.0, 2.0], kernel=Gaussian)
    with pytest.raises(TypeError, match=f"^{re.escape(message.replace('kernels,', 'kernels or None,'))}$"):
        lm.LocalMeanRegressor(Gaussian).fit([[0.0], [1.0]], [1.0, 2.0])


def test_a_dict_is_for_estimators_and_the_message_says_what_functions_take():
    X, y = flats()
    message = "kernel must be a kernel from locmethods.kernels, got dict; by columns it is Columns({…}) of the dict"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        lm.local_mean(X[:2], X, y, kernel=KERNELS)
