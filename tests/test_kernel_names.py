"""Parameters of combined kernels are called by the kernels that one reads; the names from before 0.2 still work."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import locmethods as lm
from locmethods.adaptive import Metric, learn_kernel
from locmethods.kernels import (
    Balloon,
    Categorical,
    Columns,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Kernel,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Triangular,
    per_feature,
)

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.sin(X[:, 0]) + 0.1 * np.random.default_rng(1).normal(size=40)
MASK = np.random.default_rng(2).random((40, 40)) < 0.8


class Left(Gaussian):
    """A reader's own kernel, called as what it must not be taken for."""


class _My__Own(Gaussian): 
    """A reader's own kernel, with underscores in its name."""


def typed(first=0.5, factor=2.0, second=1.5, third=3.0):
    """Return a sum of a product and a kernel, with all that has a name."""
    return factor * Gaussian(first) * Epanechnikov(second) + Gaussian(third)


# What is typed, and what its parameters are called, the kernels as wholes aside.
NAMES = {
    "a sum of a product": (typed(), [
        "gaussian_1__bandwidth", "gaussian_1__factor", "epanechnikov__radius", "gaussian_2__bandwidth"]),
    "however nested": (Flat() * (Laplace() * (Flat() * NearestNeighbors(3))), [
        "flat_1__radius", "laplace__bandwidth", "flat_2__radius", "nearestneighbors__n_neighbors"]),
    "a factor of all": (2.0 * Gaussian(), ["factor", "gaussian__bandwidth"]),
    "picked columns": (Gaussian().on([0]), ["features", "gaussian__bandwidth", "key_features"]),
    "hollow": ((3.0 * Gaussian()).hollow(), ["gaussian__bandwidth", "gaussian__factor"]),
    "masked": (Gaussian().where(MASK) * Flat(), ["flat__radius", "gaussian__bandwidth", "gaussian__mask"]),
    "a factor of a product": (3.0 * (Gaussian() * Flat()) + Laplace(), [
        "flat__radius", "gaussian__bandwidth", "laplace__bandwidth", "product__factor"]),
    "two masks of sums": ((Flat() + Laplace()).where(MASK) * (Flat() + Laplace()).where(MASK), [
        "flat_1__radius", "flat_2__radius", "laplace_1__bandwidth", "laplace_2__bandwidth", "sum_1__mask",
        "sum_2__mask"]),
    "a factor twice": ((2.0 * (3.0 * Gaussian())).hollow(), [
        "gaussian__bandwidth", "gaussian__factor", "scaled__factor"]),
    "per feature": (per_feature(Gaussian, [1.0, 2.0, 3.0]), [
        f"gaussian_{i}__{name}" for i in (1, 2, 3) for name in ("bandwidth", "features", "key_features")]),
    "kernels of a kernel": (2.0 * Balloon(Triangular(), 5) + Metric(Gaussian(), np.eye(3)), [
        "balloon__factor", "balloon__kernel", "balloon__kernel__radius", "balloon__n_neighbors", "metric__kernel",
        "metric__kernel__bandwidth", "metric__matrix"]),
    "columns of a frame": (Columns({"a": 2.0 * Gaussian(), "b": None}) * Flat(), [
        "columns__a", "columns__a__factor", "columns__a__gaussian", "columns__a__gaussian__bandwidth",
        "columns__a__kernel", "columns__b", "flat__radius"]),
    "a reader's own": (Left() * _My__Own() * Left(), [
        "left_1__bandwidth", "left_2__bandwidth", "my_own__bandwidth"]),
    "a name that is taken": (Left() + Flat(), ["flat__radius", "left_1__bandwidth"]),
}


@pytest.mark.parametrize("case", NAMES)
def test_parameters_go_by_the_kernels_that_one_reads(case):
    kernel, names = NAMES[case]
    found = kernel.get_params()
    own = [name for name in kernel.get_params(deep=False) if name not in ("left", "right", "kernel")]
    assert sorted({name for name in found if "__" in name}.union(own)) == sorted(names)


@pytest.mark.parametrize("case", NAMES)
def test_parameters_survive_a_round_trip(case):
    kernel, _ = NAMES[case]
    params = kernel.get_params()
    for again in (clone(kernel), pickle.loads(pickle.dumps(kernel)), kernel.set_params(**params)):
        found = again.get_params()
        assert list(found) == list(params)
        assert repr(found) == repr(params)
    # scikit-learn's own contract: what is not deep is what the constructor takes.
    assert kernel.get_params(deep=False).items() <= params.items() or any(
        isinstance(value, np.ndarray) for value in params.values())
    other = type(kernel)(**kernel.get_params(deep=False)) if not isinstance(kernel, Columns) else kernel
    assert repr(other) == repr(kernel)


def test_the_parts_themselves_stand_under_their_names():
    kernel = typed()
    found = kernel.get_params()
    assert [found[name] for name in ("gaussian_1", "epanechnikov", "gaussian_2")] == [
        kernel.left.left.kernel, kernel.left.right, kernel.right]
    assert (found["left"], found["right"]) == (kernel.left, kernel.right)


@pytest.mark.parametrize(("params", "same"), [
    ({"gaussian_1__bandwidth": 0.7}, typed(first=0.7)),
    ({"gaussian_1__factor": 9.0, "epanechnikov__radius": 2.5}, typed(factor=9.0, second=2.5)),
    ({"gaussian_2__bandwidth": 0.9}, typed(third=0.9)),
    ({"gaussian_1": Laplace(0.3)}, 2.0 * Laplace(0.3) * Epanechnikov(1.5) + Gaussian(3.0)),
    ({"gaussian_1": Laplace(), "gaussian_1__bandwidth": 0.3},
     2.0 * Laplace(0.3) * Epanechnikov(1.5) + Gaussian(3.0)),
    ({"epanechnikov": Flat() + Laplace(), "epanechnikov__flat__radius": 2.0},
     2.0 * Gaussian(0.5) * (Flat(2.0) + Laplace()) + Gaussian(3.0)),
    ({"right": Flat(), "flat__radius": 4.0}, 2.0 * Gaussian(0.5) * Epanechnikov(1.5) + Flat(4.0)),
], ids=str)
def test_what_is_set_by_name_is_what_one_would_have_typed(params, same):
    kernel = typed().set_params(**params)
    assert repr(kernel) == repr(same)
    assert_array_equal(kernel(X), same(X))


def test_what_is_refused_changes_nothing_however_deep():
    kernel = (typed() * Columns({"a": Gaussian(), "b": Gaussian(), "c": None})).hollow()
    before = repr(kernel.get_params())
    for params in ({"gaussian_1__bandwidth": 0.7, "gaussian_2__bandwidth": -1.0}, {"gaussian_1": 3},
                   {"kernel": Gaussian(), "gaussian__bandwidth": 0.0}, {"gaussian_1__factor": 0.0},
                   {"gaussian_1__bandwidth": 0.7, "width": 2.0}):
        with pytest.raises((TypeError, ValueError)):
            kernel.set_params(**params)
        assert repr(kernel.get_params()) == before


@pytest.mark.parametrize(("call", "message"), [
    (lambda: typed().set_params(gaussian__bandwidth=1.0),
     "Sum has no parameter 'gaussian'; it has ['left', 'right', 'gaussian_1', 'epanechnikov', 'gaussian_2']"),
    (lambda: typed().set_params(gaussian_1__radius=1.0), "Gaussian has no parameter 'radius'; it has ['bandwidth']"),
    (lambda: (3.0 * (Gaussian() * Flat()) + Laplace()).set_params(product=Flat()),
     "Sum has no parameter 'product'; it has ['left', 'right', 'product', 'gaussian', 'flat', 'laplace']"),
    (lambda: Gaussian().set_params(bandwidth__factor=1.0),
     "Gaussian has no parameter 'bandwidth'; it has ['bandwidth']"),
])
def test_an_unknown_name_is_told_those_that_there_are(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


def test_a_grid_search_reaches_a_part_by_its_name():
    model = lm.LocalMeanRegressor(Gaussian(1.0).on([0]) * Epanechnikov(9.0))
    grid = {"kernel__gaussian__bandwidth": [0.2, 5.0], "kernel__epanechnikov": [Epanechnikov(9.0), Flat(9.0)]}
    search = GridSearchCV(model, grid, cv=4).fit(X, Y)
    assert search.best_params_["kernel__gaussian__bandwidth"] == 0.2
    part = search.best_params_["kernel__epanechnikov"]
    by_hand = lm.LocalMeanRegressor(Gaussian(0.2).on([0]) * part).fit(X, Y)
    assert_array_equal(search.predict(X), by_hand.predict(X))


def test_a_frame_has_the_names_of_its_columns_first():
    frame = pd.DataFrame({"area": X[:, 0], "town": np.where(X[:, 1] > 0, "Ulm", "Jena")})
    kernel = Columns({"area": 2.0 * Gaussian(0.5), "town": Categorical(0.1)})
    found = lm.select_bandwidth(frame, Y, kernel=kernel, bandwidths={"area__gaussian__bandwidth": [0.3, 0.6],
                                                                    "town__bandwidth": [0.0, 0.5]})
    scores = [[lm.cross_validation(frame, Y, kernel=Columns({"area": Gaussian(h), "town": Categorical(share)}))
               for share in (0.0, 0.5)] for h in (0.3, 0.6)]
    assert_allclose(found.scores, scores, rtol=1e-12)  # a factor of all is none of a mean


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # two features have no influence
def test_widths_are_searched_under_their_names():
    kernel = Gaussian().on([0]) * (2.0 * Laplace()).on([1]) + Exponential().on([2])
    found = lm.select_bandwidth(X, Y, kernel=kernel, parameter=["laplace__bandwidth", "gaussian__bandwidth"])
    assert list(found.best) == ["laplace__bandwidth", "gaussian__bandwidth"]
    params = found.kernel.get_params()
    assert {name: params[name] for name in found.best} == found.best
    assert list(lm.rule_of_thumb(X, kernel=Gaussian().on([0]) * Flat().on([1]))) == [
        "gaussian__bandwidth", "flat__radius"]


def test_ranks_and_holes_are_seen_wherever_they_stand():
    import dask.array as da

    for part, name in ((Gaussian().hollow(), "Hollow"), (NearestNeighbors(3), "NearestNeighbors"),
                       (Gaussian().where(MASK), "Masked")):
        kernel = 2.0 * (part * Laplace()) + Flat()
        with pytest.raises(ValueError, match=f"so {name} cannot be used with Dask arrays"):
            lm.local_mean(da.from_array(X), da.from_array(X), da.from_array(Y), kernel=kernel)


# ---- names from before 0.2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "old", "new", "value"), [
    (typed(), "left__left__kernel__bandwidth", "gaussian_1__bandwidth", 0.7),
    (typed(), "left__left__factor", "gaussian_1__factor", 0.7),
    (typed(), "right__bandwidth", "gaussian_2__bandwidth", 0.7),
    (typed(), "left__right", "epanechnikov", Flat(3.0)),
    (2.0 * Gaussian(), "kernel__bandwidth", "gaussian__bandwidth", 0.7),
    ((3.0 * (Gaussian() * Flat())).hollow(), "kernel__factor", "product__factor", 0.7),
    (2.0 * Balloon(Triangular(), 5), "kernel__kernel__radius", "balloon__kernel__radius", 0.7),
    (Flat() * Columns({"a": 2.0 * Gaussian(), "b": None}), "right__a__kernel__bandwidth",
     "columns__a__gaussian__bandwidth", 0.7),
], ids=str)
def test_a_name_by_place_still_works_and_its_name_is_told(kernel, old, new, value):
    message = f"the parameter {old!r} of a combined kernel is now called {new!r}"
    with pytest.warns(FutureWarning, match=f"^{re.escape(message)}$") as told:
        by_place = clone(kernel).set_params(**{old: value})
    assert len(told) == 1 and told[0].filename == __file__
    assert repr(by_place) == repr(clone(kernel).set_params(**{new: value})) != repr(kernel)


def test_a_product_inside_is_set_on_the_kernel_that_holds_it():
    message = re.escape("the parameter 'left__left' of a combined kernel has no name any more: set 'left' of the "
                        "kernel's 'left'")
    with pytest.warns(FutureWarning, match=f"^{message}$"):
        kernel = typed().set_params(left__left=Flat() * Laplace())
    assert repr(kernel) == repr(Flat() * Laplace() * Epanechnikov(1.5) + Gaussian(3.0))


def test_searches_and_estimators_take_names_by_place():
    kernel = Gaussian(1.0) * Polynomial(2, offset=1.0)
    message = "^the parameter 'left__bandwidth' of a combined kernel is now called 'gaussian__bandwidth'$"
    for call in (
        lambda: lm.select_bandwidth(X, Y, kernel=kernel, bandwidths={"left__bandwidth": [0.5, 1.0]}).best,
        lambda: {"gaussian__bandwidth": lm.select_bandwidth(X, Y, kernel=kernel, bandwidths=[0.5, 1.0],
                                                            parameter="left__bandwidth").best},
    ):
        with pytest.warns(FutureWarning, match=message) as told:
            found = call()
        assert told[0].filename == __file__
        assert list(found) == ["gaussian__bandwidth"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the edge of these bounds is what is asked for
        with pytest.warns(FutureWarning, match=message) as told:
            found = lm.select_bandwidth(X, Y, kernel=kernel, parameter="gaussian__bandwidth",
                                        bounds={"left__bandwidth": (0.5, 0.6)})
    assert told[0].filename == __file__
    assert 0.5 <= found.kernel.left.bandwidth <= 0.6
    with pytest.warns(FutureWarning, match=message):
        model = lm.LocalMeanRegressor(kernel).set_params(kernel__left__bandwidth=0.3)
    assert model.kernel.left.bandwidth == 0.3


def test_learning_takes_names_by_place():
    pytest.importorskip("torch")
    start = Gaussian(1.0) * Epanechnikov(30.0)
    with pytest.warns(FutureWarning, match="'left__bandwidth' of a combined kernel is now called") as told:
        old = learn_kernel(X, Y, kernel=start, parameters=["left__bandwidth"], max_iter=3, tol=1e9)
    assert told[0].filename == __file__
    new = learn_kernel(X, Y, kernel=start, parameters=["gaussian__bandwidth"], max_iter=3, tol=1e9)
    assert repr(old.kernel) == repr(new.kernel)


def test_a_state_with_names_by_place_is_loaded():
    torch = pytest.importorskip("torch")
    from locmethods.transformer import MultiHeadLocalMean

    def made(width):
        width, turn = torch.nn.Parameter(torch.tensor(width)), torch.nn.Linear(3, 3)
        kernel = Gaussian(width).on(turn) * Laplace(2.0)
        return torch.nn.Sequential(MultiHeadLocalMean(6, 2, kernel=[kernel, Laplace(1.0)]))

    old, new = made(1.5), made(0.5)
    names = {"0.kernel_parameters.0_gaussian__bandwidth": "0.kernel_parameters.0_left__kernel__bandwidth",
             "0.kernel_maps.0_gaussian__features.weight": "0.kernel_maps.0_left__features.weight",
             "0.kernel_maps.0_gaussian__features.bias": "0.kernel_maps.0_left__features.bias"}
    state = old.state_dict()
    assert names.keys() <= state.keys()
    with pytest.warns(FutureWarning, match="of a combined kernel is now called '0_gaussian__") as told:
        new.load_state_dict({names.get(name, name): value for name, value in state.items()})
    assert {str(one.message) for one in told} == {
        "the parameter '0_left__kernel__bandwidth' of a combined kernel is now called '0_gaussian__bandwidth'",
        "the parameter '0_left__features' of a combined kernel is now called '0_gaussian__features'"}
    for name, value in new.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)  # copied


# ---- a kernel in a sentence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "Gaussian(bandwidth=0.5)",
    "2.0 * Gaussian(bandwidth=0.5) * Epanechnikov(radius=1.0) + Gaussian(bandwidth=2.0)",
    "(Flat(radius=1.0) + Laplace(bandwidth=1.0)) * Flat(radius=2.0)",
    "2.0 * (Flat(radius=1.0) + Laplace(bandwidth=1.0))",
    "(2.0 * Flat(radius=1.0)).hollow() + Flat(radius=3.0).on([0, 1]).hollow()",
    "(Flat(radius=1.0) * Laplace(bandwidth=1.0)).on([0], [1])",
])
def test_a_kernel_is_told_as_one_types_it(text):
    kernel = eval(text)  # what a reader would paste
    assert repr(kernel) == text
    assert isinstance(kernel, Kernel)


def test_brackets_that_change_nothing_are_left_out():
    kernel = Flat(1.0) * (Flat(2.0) * (Flat(3.0) * Flat(4.0)))
    assert repr(kernel) == " * ".join(f"Flat(radius={width}.0)" for width in (1, 2, 3, 4))
