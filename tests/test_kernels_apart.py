"""Kernels taken away from where they were made: into a sentence of an error, into a pickle, over many features."""

import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import locmethods as lm
from locmethods.fuzzy import Premise, partition
from locmethods.kernels import (
    Balloon,
    Categorical,
    Columns,
    Epanechnikov,
    Flat,
    Gaussian,
    Kernel,
    Laplace,
    NearestNeighbors,
    Ordered,
    Shepard,
    Triangular,
    per_feature,
)

X = np.random.default_rng(0).normal(size=(30, 4))
MASK = np.random.default_rng(1).random((30, 30)) < 0.7


def doubled(points):
    """Return a map of features that a pickle finds by its name."""
    return 2 * points


# What maps or picks columns by numbers, by a slice, by names, or by a function of a module.
TRAVELLERS = {
    "a list": Gaussian(0.5).on([0, 2]),
    "a slice": Laplace(0.5).on(slice(1, None, 2)),
    "two lists": Gaussian(0.5).on([0, 2], [1, 3]),
    "a function": Gaussian(0.5).on(doubled),
    "per_feature": per_feature(Epanechnikov, [2.0, 3.0, 4.0, 5.0]),
    "Columns": Columns({"a": Gaussian(0.5), "b": None, "c": Laplace(0.3), "d": Flat(4.0), "e": Gaussian(2.0)}),
    "a mask": Gaussian(0.5).where(MASK),
    "hollow": (2.0 * Gaussian(0.5) + Shepard(2.0)).hollow(),
    "Balloon": Balloon(Triangular(1.5), 5).on([1]),
    "ranks": NearestNeighbors(4).on([3, 0]),
    "all of it": (Gaussian(0.5).on([0]) * Flat(2.0).on(slice(0, 3)) + 1e-3 * Laplace().on([3])).where(MASK).hollow(),
}


@pytest.mark.parametrize("name", TRAVELLERS)
def test_a_kernel_of_chosen_columns_survives_a_pickle(name):
    kernel = TRAVELLERS[name]
    again = pickle.loads(pickle.dumps(kernel))
    assert_array_equal(again(X), kernel(X))
    assert repr(again) == repr(kernel)


def test_what_is_chosen_by_a_list_is_what_a_function_would_pick():
    picked = Gaussian(0.5)(X[:, [0, 2]])
    assert_array_equal(Gaussian(0.5).on([0, 2])(X), picked)
    assert_array_equal(Gaussian(0.5).on(lambda points: points[..., [0, 2]])(X), picked)


def test_a_model_whose_kernel_looks_at_some_columns_survives_a_pickle():
    model = lm.LocalMeanRegressor(Gaussian(0.5).on([0, 2])).fit(X, X[:, 1])
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


PIXELS = 784  # of a digit, twenty-eight by twenty-eight: deeper than Python lets a function call itself


@pytest.mark.parametrize("make", [
    lambda widths: per_feature(Gaussian, widths),
    lambda widths: Columns({f"pixel {j}": Gaussian(width) for j, width in enumerate(widths)}),
], ids=["per_feature", "Columns"])
def test_a_width_for_each_pixel(make):
    rng = np.random.default_rng(0)
    widths, points = rng.uniform(20, 60, PIXELS), rng.normal(size=(5, PIXELS))
    kernel = make(widths)
    # A logarithm of 784 terms of about one each: their rounding is 784 ε at worst, 2e-13.
    assert_allclose(kernel(points), Gaussian(1.0)(points / widths), rtol=2e-13)
    means = [lm.local_mean(one, one, points[:, 0], kernel=each.hollow())
             for one, each in [(points, kernel), (points / widths, Gaussian(1.0))]]
    assert_allclose(*means, atol=1e-13)  # of values of about one
    found = pickle.loads(pickle.dumps(kernel)).get_params()
    assert sorted(found[name] for name in found if name.endswith("__bandwidth")) == sorted(widths)
    assert len(repr(kernel)) <= 240


def test_products_of_three_keep_the_names_of_a_product_by_hand():
    by_hand = Gaussian(1.0).on([0]) * Gaussian(2.0).on([1]) * Gaussian(3.0).on([2])
    assert repr(per_feature(Gaussian, [1.0, 2.0, 3.0])) == repr(by_hand)


LONG = [f"level {number}" for number in range(1000)]


class Taught(Kernel):
    """A kernel of a reader's own, with a parameter that shows nothing short by itself."""

    def __init__(self, taught=None):
        self.taught = taught


@pytest.mark.parametrize(("kernel", "text"), [
    (Gaussian(0.5), "Gaussian(bandwidth=0.5)"),
    (Gaussian(np.float64(0.5)), "Gaussian(bandwidth=0.5)"),
    (Gaussian(0.5).where(np.ones((700, 900), bool)),
     "Gaussian(bandwidth=0.5).where(array of shape (700, 900))"),
    (Gaussian(0.5).on([0, 2]), "Gaussian(bandwidth=0.5).on([0, 2])"),
    (Gaussian(0.5).on(list(range(784))),
     "Gaussian(bandwidth=0.5).on([0, 1, 2, … 780 more …, 783])"),
    (Gaussian(0.5).on(doubled, np.sin), "Gaussian(bandwidth=0.5).on(doubled, sin)"),
    (Gaussian(0.5).on(np.eye(300).__matmul__),
     "Gaussian(bandwidth=0.5).on(__matmul__)"),
    (Balloon(Triangular(), 3), "Balloon(kernel=Triangular(radius=1.0), n_neighbors=3)"),
    (Premise([partition(0.0, 1.0, 50)] * 9), "Premise(sets of 9 features, conjunction='product')"),
    (Ordered(0.5, levels=LONG),
     "Ordered(bandwidth=0.5, levels=['level 0', 'level 1', 'level 2', … 996 more …, 'level 999'])"),
    (Columns({"town": Categorical(0.1, levels=LONG)}),
     "Columns({'town': Categorical(bandwidth=0.1, levels=['level 0', 'level 1', 'level 2', … 996 more …, 'level 999'], "
     "n_levels=None)})"),
    (Taught([np.zeros(3), np.ones((2, 2))]), "Taught(taught=[array of shape (3,), array of shape (2, 2)])"),
    (Taught(()), "Taught(taught=())"),
    (Taught((1,)), "Taught(taught=(1,))"),
], ids=lambda value: None if isinstance(value, str) else type(value).__name__)
def test_a_kernel_is_told_in_a_sentence(kernel, text):
    assert repr(kernel) == text


def test_what_is_too_long_for_a_sentence_is_told_by_its_ends():
    kernel = Taught("words " * 1000)
    assert repr(kernel).startswith("Taught(taught='words words") and repr(kernel).endswith("words ')")
    assert len(repr(kernel)) == 240
    many = sum((Gaussian(float(width)) for width in range(2, 40)), start=Gaussian(1.0))
    three = " + ".join(f"Gaussian(bandwidth={width}.0)" for width in (1, 2, 3))
    assert repr(many) == f"{three} + … 35 more … + Gaussian(bandwidth=39.0)"


def test_tensors_are_told_by_their_shapes():
    import torch

    layer = torch.nn.Linear(4, 300)
    with torch.no_grad():
        kernel = Gaussian(0.5).on(layer).where(torch.ones(200, 300, dtype=torch.bool))
    assert repr(kernel) == "Gaussian(bandwidth=0.5).on(Linear).where(array of shape (200, 300))"


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Balloon(np.zeros((500, 500))), TypeError,
     "kernel must be a kernel of the distance with a bandwidth or a radius, got array of shape (500, 500)"),
    (lambda: Ordered(0.5, levels=np.zeros((500, 2))), TypeError,
     "levels must be a list of at least one level, got array of shape (500, 2)"),
], ids=["Balloon", "levels"])
def test_an_error_does_not_print_the_array_that_is_no_kernel(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
