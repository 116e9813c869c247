"""Kernels of levels: against slow loops, means of cells, and statsmodels; labels, their errors, tensors and blocks."""

import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from statsmodels.nonparametric.kernel_regression import KernelReg

import locmethods as lm
from locmethods.kernels import Categorical, Exponential, Gaussian, Ordered

TOWNS = ["Bonn", "Jena", "Ulm"]


def sample(seed=0, n=80):
    """Return area, codes of a town and of a grade, side by side, and prices."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(20, 120, n), rng.integers(0, 3, n), rng.integers(0, 5, n)])
    return X, X[:, 0] + 10 * (X[:, 1] == 1) + 3 * X[:, 2] + rng.normal(size=n)


def mixed(area=20.0, town=0.2, grade=0.4):
    return Gaussian(area).on([0]) * Categorical(town, n_levels=3).on([1]) * Ordered(grade).on([2])


def slow_weight(q, k, area=20.0, town=0.2, grade=0.4):
    same = 1 - town if q[1] == k[1] else town / 2
    return np.exp(-((q[0] - k[0]) ** 2) / (2 * area**2)) * same * grade ** abs(q[2] - k[2])


def test_a_mixed_product_is_its_formula_in_a_slow_loop():
    X, y = sample()
    weight = np.array([[slow_weight(q, k) for k in X] for q in X[:9]])
    assert_allclose(mixed()(X[:9], X), weight, rtol=1e-14)  # a few functions of a float each
    # Sums of 80 terms: a few hundred ε.
    assert_allclose(lm.local_mean(X[:9], X, y, kernel=mixed()), weight @ y / weight.sum(1), rtol=1e-13)
    alone = weight[:, :9] - np.diag(np.diag(weight[:, :9]))
    assert_allclose(lm.local_mean(X[:9], X[:9], y[:9], kernel=mixed().hollow()), alone @ y[:9] / alone.sum(1),
                    rtol=1e-13)


def test_several_columns_are_a_product_over_them():
    points = np.array([[0, 1], [0, 2], [2, 1]], float)
    loop = [[np.prod([0.7 if a == b else 0.3 / 3 for a, b in zip(q, k, strict=True)]) for k in points] for q in points]
    assert_allclose(Categorical(0.3, n_levels=4)(points), loop, rtol=1e-15)
    loop = [[0.3 ** np.abs(q - k).sum() for k in points] for q in points]
    assert_allclose(Ordered(0.3)(points), loop, rtol=1e-15)


def test_the_ends_of_the_bandwidth_are_the_mean_of_the_cell_and_of_all():
    X, y = sample(1)
    X = X[:, 1:]
    frame = pd.DataFrame({"town": X[:, 0], "grade": X[:, 1], "y": y})
    cells = frame.groupby(["town", "grade"])["y"].transform("mean")
    cell = Categorical(0.0, n_levels=3).on([0]) * Ordered(0.0).on([1])
    assert_allclose(lm.local_mean(X, X, y, kernel=cell), cells, rtol=1e-13)
    pooled = Categorical(2 / 3, n_levels=3).on([0]) * Ordered(1.0).on([1])
    assert_allclose(lm.local_mean(X, X, y, kernel=pooled), np.full(len(y), y.mean()), rtol=1e-13)
    lower = frame.groupby("town")["y"].transform(lambda part: np.quantile(part, 0.5, method="inverted_cdf"))
    middle = lm.local_quantile(X[:, :1], X[:, :1], y, kernel=Categorical(0.0, n_levels=3))
    assert_array_equal(middle, lower)


def test_a_cell_without_keys_has_the_nearest_levels():
    keys, y = np.array([[0.0], [1.0], [4.0]]), np.array([1.0, 2.0, 6.0])
    assert lm.local_mean([[3.0]], keys, y, kernel=Ordered(0.0)) == [6.0]
    assert lm.local_mean([[3.0]], keys, y, kernel=Categorical(0.0, n_levels=5)) == [3.0]  # all differ alike
    with pytest.raises(ValueError, match="query 0 has no key in reach"):
        lm.local_mean([[3.0]], keys, y, kernel=Ordered(0.0), empty="raise")


def test_agrees_with_statsmodels():
    X, y = sample(2)
    rows = X[:15] + np.array([3.0, 0.0, 0.0])
    area, town, grade = 15.0, 0.2, 0.4
    ours = lm.LocalMeanRegressor(mixed(area, town, grade)).fit(X, y).predict(rows)
    # Its other kernel of a category is 1 and λ, which is ours over 1 − λ, so that no mean sees it; the default one of
    # Wang and van Ryzin is another.
    for kind, share in (("aitchisonaitken", town), ("aitchison_aitken_reg", town / (3 - 1) / (1 - town))):
        model = KernelReg(y, X, var_type="cuo", reg_type="lc", bw=[area, share, grade], ukertype=kind,
                          okertype="wangryzin_reg", rng=0)
        assert_allclose(ours, model.fit(rows)[0], rtol=1e-12)  # sums of 80 terms


def test_far_queries_have_the_logarithm_of_their_formula():
    apart, d = 30, 40
    query, keys = np.zeros((1, d)), np.repeat([[1.0], [2.0]], d, axis=1)
    keys[:, apart:] = 0.0  # both keys differ from the query in 30 of 40 features
    found = lm.local_sum(query, keys, np.ones(2), kernel=Categorical(0.1, n_levels=4)).log_normaliser
    want = np.log(2) + apart * np.log(0.1 / 3) + (d - apart) * np.log(0.9)
    assert_allclose(found, [want], rtol=1e-14)  # a handful of roundings
    found = lm.local_sum([[0.0]], [[2.0], [2.0]], np.ones(2), kernel=Ordered(1e-40)).log_normaliser
    assert_allclose(found, [np.log(2) + 2 * np.log(1e-40)], rtol=1e-14)


@pytest.mark.parametrize("d", [1, 2])
def test_far_queries_keep_their_digits(d):
    keys = np.column_stack([np.linspace(0, 1, 40), np.arange(40) % 3])
    y = np.cos(np.arange(40.0))
    far = np.array([[1e5, 1.0]])  # some 1e10 in log K
    kernel = Gaussian(1.0).on([0]) * Categorical(0.3, n_levels=3).on([1])
    # log K − log K of the last key, exactly: −(q − k)²/2 + (q − 1)²/2 = (k − 1)(q − (k + 1)/2).
    log = (keys[:, 0] - 1) * (far[0, 0] - (keys[:, 0] + 1) / 2) + np.where(keys[:, 1] == 1, np.log(0.7), np.log(0.15))
    weight = np.exp(log - log.max())
    assert_allclose(lm.local_mean(far, keys, y, kernel=kernel), [weight @ y / weight.sum()], rtol=1e-10)
    grades = np.full((1, d), 10_000.0)
    near = 0.25 ** np.arange(40)[::-1]
    keys = np.column_stack([np.arange(40.0)] * d)
    found = lm.local_mean(grades, keys, y, kernel=Ordered(0.25 ** (1 / d)))
    assert_allclose(found, [near @ y / near.sum()], rtol=1e-12)


def test_large_sums_are_those_of_each_cell():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=3000), rng.integers(0, 3, 3000)])
    y = rng.normal(size=3000)
    kernel = Gaussian(0.3).on([0]) * Categorical(0.2, n_levels=3).on([1])
    found, rows = lm.local_mean(X[:1500], X, y, kernel=kernel), X[:1500]
    numerator = denominator = 0.0
    for level in range(3):  # by the compiled loops, which know the Gaussian alone
        keys = X[:, 1] == level
        share = np.where(rows[:, 1] == level, 0.8, 0.1)
        sums = lm.local_sum(rows[:, :1], X[keys, :1], y[keys], kernel=Gaussian(0.3))
        numerator, denominator = numerator + share * sums.numerator, denominator + share * np.exp(sums.log_normaliser)
    assert_allclose(found, numerator / denominator, rtol=0, atol=1e-12 * np.abs(y).max())
    assert lm.explain(rows, X, y, kernel=kernel).engine == "blocked"


def test_prepared_keys_and_pieces_answer_the_same():
    X, y = sample(4)
    want = lm.local_mean(X[:20], X, y, kernel=mixed())
    ready = lm.prepare(X, y, kernel=mixed())
    assert_array_equal(ready.mean(X[:20]), want)
    assert_array_equal(pickle.loads(pickle.dumps(ready)).mean(X[:20]), want)
    pieces = (lm.local_sum(X[:20], X[part], y[part], kernel=mixed()) for part in (slice(0, 3), slice(3, None)))
    assert_allclose((next(pieces) + next(pieces)).mean(), want, rtol=1e-13)
    with ThreadPoolExecutor(8) as pool:
        fresh = lm.prepare(X, y, kernel=mixed())
        for found in pool.map(lambda _: fresh.mean(X[:20]), range(16)):
            assert_array_equal(found, want)


def test_a_prepared_kernel_may_learn_other_levels():
    kernel = Ordered(0.5, levels=[1, 2, 9])
    ready = lm.prepare([[1.0], [2.0], [9.0]], [1.0, 2.0, 3.0], kernel=kernel)
    assert_allclose(ready.mean([[9.0]]), (3 + 2 * 0.5 + 0.25) / 1.75, rtol=1e-15)
    kernel.set_params(levels=[9, 1, 2])
    assert_allclose(ready.mean([[9.0]]), (3 + 1 * 0.5 + 2 * 0.25) / 1.75, rtol=1e-15)


def test_dask_arrays_of_codes_are_summed_block_by_block():
    da = pytest.importorskip("dask.array")
    X, y = sample(5)
    found = lm.local_mean(X[:20], da.from_array(X, chunks=(9, 3)), da.from_array(y, chunks=9), kernel=mixed(),
                          empty="mean")
    assert_allclose(np.asarray(found), lm.local_mean(X[:20], X, y, kernel=mixed()), rtol=1e-13)


def test_labels_are_codes_by_the_levels():
    town, y = np.array(["Ulm", "Bonn", "Ulm", "Jena"]), np.arange(4.0)
    kernel = Categorical(0.2, levels=TOWNS)
    want = lm.local_mean([[2.0], [0.0]], [[2.0], [0.0], [2.0], [1.0]], y, kernel=kernel)
    for keys in (town, town[:, None], town.tolist(), town.astype(object), pd.Series(town), pd.Categorical(town),
                 pd.Series(town, dtype="category"), pd.DataFrame({"town": town})):
        assert_array_equal(lm.local_mean(np.array(["Ulm", "Bonn"]), keys, y, kernel=kernel), want)
        assert_array_equal(lm.prepare(keys, y, kernel=kernel).mean(["Ulm", "Bonn"]), want)
        assert_array_equal(lm.local_weights(["Ulm"], keys, kernel=kernel) @ y, want[:1])
    assert lm.local_weights(np.array([], dtype=str), town, kernel=kernel).shape == (0, 4)
    assert lm.local_mode(["Ulm"], town, np.array(["a", "b", "a", "b"]), kernel=kernel).tolist() == ["a"]
    table = np.array([[50.0, "Ulm"], [60.0, "Bonn"], [70.0, "Ulm"], [80.0, "Jena"]], dtype=object)
    both = Gaussian(20.0).on([0]) * kernel.on([-1])
    codes = np.array([[50.0, 2], [60, 0], [70, 2], [80, 1]])
    assert_array_equal(lm.local_mean(table, table, y, kernel=both.hollow()),
                       lm.local_mean(codes, codes, y, kernel=both.hollow()))
    batches, their_codes, ys = (np.stack([part, part[::-1]]) for part in (table, codes, y))
    assert_array_equal(lm.local_mean(batches, batches, ys, kernel=both),
                       lm.local_mean(their_codes, their_codes, ys, kernel=both))
    apart = kernel.on([0], slice(1, 2))
    assert_array_equal(apart(np.array([["Ulm", "?"]])[:, :1], table), kernel(["Ulm"], town))


def test_the_order_is_that_of_the_levels():
    kernel = Ordered(0.5, levels=["low", "middle", "high"])
    assert_array_equal(kernel(["high"], ["low", "middle", "high"]), [[0.25, 0.5, 1.0]])
    assert_array_equal(Ordered(0.5, levels=[1, 10, 100])([[100]], [[1], [10], [100]]), [[0.25, 0.5, 1.0]])
    assert_array_equal(Ordered(0.5)([[3]], [[1], [2], [3]]), [[0.25, 0.5, 1.0]])
    assert_array_equal(Ordered(0.5, levels=[True, False])([[True]], [[False], [True]]), [[0.5, 1.0]])


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Categorical(0.7, n_levels=3), ValueError,
     "bandwidth must be at least 0 and at most (c − 1)/c = 0.666667 for c = 3 levels, got 0.7"),
    (lambda: Categorical(1.0), ValueError, "bandwidth must be at least 0 and at most (c − 1)/c for c levels, got 1.0"),
    (lambda: Categorical(-0.1, levels=TOWNS), ValueError,
     "bandwidth must be at least 0 and at most (c − 1)/c = 0.666667 for c = 3 levels, got -0.1"),
    (lambda: Categorical("a"), TypeError, "bandwidth must be a number, got 'a'"),
    (lambda: Categorical(levels=TOWNS, n_levels=2), ValueError, "n_levels must be an integer of at least 3, got 2"),
    (lambda: Categorical(levels="ab"), TypeError, "levels must be a list of at least one level, got 'ab'"),
    (lambda: Categorical(levels=3), TypeError, "levels must be a list of at least one level, got 3"),
    (lambda: Ordered(levels=[["a"], ["b", "c"]]), TypeError,
     "levels must be labels that can be looked up, got ['a'], ['b', 'c']"),
    (lambda: Categorical(levels=["a", "b", "a"]), ValueError, "levels must be distinct, got 'a', 'b', 'a'"),
    (lambda: Categorical(levels=["a", None]), ValueError, "levels must have no missing label, got 'a', None"),
    (lambda: Categorical(levels=[2**53, 2**53 + 1]), ValueError,
     "levels must be distinct, got 9007199254740992, 9007199254740993"),
    (lambda: Ordered(1.1), ValueError, "bandwidth must be at least 0 and at most 1, got 1.1"),
    (lambda: Ordered(float("nan")), ValueError, "bandwidth must be at least 0 and at most 1, got nan"),
    (lambda: Categorical()([[0.0]]), ValueError,
     "Categorical must know how many levels there are: give levels=[…] or n_levels"),
    (lambda: Categorical(n_levels=3)([[3.0]]), ValueError,
     "what Categorical compares must be a code of a level, a whole number from 0 to 2, got 3.0"),
    (lambda: Categorical(levels=TOWNS)([[0.5]]), ValueError, "what Categorical compares must be a code of a level, a "
     "whole number from 0 to 2 for 'Bonn', 'Jena', 'Ulm', got 0.5"),
    (lambda: Ordered(levels=[1, 3])([[2.0]]), ValueError,
     "what Ordered compares must be one of the levels 1, 3, got 2.0"),
    (lambda: Ordered()([[0.5]]), ValueError, "what Ordered compares must be a whole number, as it has no levels, "
     "got 0.5"),
    (lambda: Categorical(levels=TOWNS)(["Ulm"], ["Ulm", "Rom", "Oslo", "Rom"]), ValueError, "column 0 of keys has "
     "labels that are no levels of its kernel, 'Rom', 'Oslo': the levels are 'Bonn', 'Jena', 'Ulm'"),
    (lambda: Categorical(levels=TOWNS)(pd.Series(["Ulm", None])), ValueError,
     "column 0 of query must have no missing labels, got 1 in 2 rows"),
    (lambda: Ordered()(["low"]), TypeError,
     "column 0 of query has labels, and its kernel has no levels to count them by: give the kernel levels=[…]"),
    (lambda: (Gaussian().on([0]) * Ordered(levels=["a"]).on([1]))(np.array([["x", "a"]])), TypeError,
     "column 0 of query must be numbers: no kernel of levels compares it"),
    (lambda: (Ordered(levels=["a", "b"]) * Ordered(levels=["b", "a"]))(["a"]), ValueError,
     "column 0 of query is compared by kernels of different levels: 'a', 'b', and 'b', 'a'"),
    (lambda: Gaussian()(["a"]), TypeError, "query must be real numbers, got dtype <U1"),
    (lambda: lm.local_mode([[0.0]], [[0.0]], [0.0], kernel=Gaussian(), value_kernel=Ordered()), ValueError,
     "value_kernel must be a kernel of the distance between values, got Ordered(bandwidth=0.1, levels=None): without "
     "one their density has no peak to climb to"),
])
def test_what_is_wrong_is_said(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_parameters_are_those_of_scikit_learn():
    kernel = mixed()
    again = clone(kernel)
    assert again is not kernel
    X, y = sample(6)
    assert_array_equal(again(X), kernel(X))
    assert_array_equal(pickle.loads(pickle.dumps(kernel))(X), kernel(X))
    name = "categorical__bandwidth"
    grid = GridSearchCV(lm.LocalMeanRegressor(kernel), {f"kernel__{name}": [0.0, 0.1, 0.6]}, cv=4).fit(X, y)
    assert len(set(grid.cv_results_["mean_test_score"])) == 3
    chosen = lm.select_bandwidth(X[:, 2:], y, kernel=Ordered(), bandwidths=[0.0, 0.3, 1.0])
    # Leave-one-out, by refitting without each row.
    scores = [np.mean([(y[i] - lm.local_mean(X[i:i + 1, 2:], np.delete(X[:, 2:], i, 0), np.delete(y, i),
                                             kernel=Ordered(share))[0]) ** 2 for i in range(len(y))])
              for share in (0.0, 0.3, 1.0)]
    assert_allclose(chosen.scores, scores, rtol=1e-12)
    before = kernel.get_params()[name]
    with pytest.raises(ValueError, match="bandwidth must be at least 0"):
        kernel.set_params(**{name: 0.9})
    assert kernel.get_params()[name] == before


def test_tensors_and_their_gradients():
    X, y = sample(7)
    share, grade, area = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.2, 0.4, 20.0))
    points, values = torch.from_numpy(X), torch.from_numpy(y)
    found = lm.local_mean(points[:9], points, values, kernel=mixed(area, share, grade))
    assert_allclose(found.detach().numpy(), lm.local_mean(X[:9], X, y, kernel=mixed()), rtol=1e-13)

    def mean(share, grade, area):
        return lm.local_mean(points[:9], points, values, kernel=mixed(area, share, grade))

    assert torch.autograd.gradcheck(mean, (share, grade, area))
    learned = points.clone().requires_grad_()
    lm.local_mean(learned, points, values, kernel=mixed()).sum().backward()
    assert (learned.grad[:, 0] != 0).any()
    assert (learned.grad[:, 1:] == 0).all()  # codes do not move
    none = torch.zeros((), dtype=torch.float64, requires_grad=True)
    same = lm.local_mean(points, points, values, kernel=mixed(20.0, none, 0.4))
    assert_allclose(same.detach().numpy(), lm.local_mean(X, X, y, kernel=mixed(town=0.0)), rtol=1e-13)
    half = lm.local_mean(points[:9].float(), points.float(), values.float(), kernel=mixed())
    assert half.dtype == torch.float32
    assert_allclose(half.numpy(), found.detach().numpy(), rtol=1e-5)  # what is promised of float32


def test_batches_of_codes():
    X, y = sample(8, 30)
    stack = np.stack([X[:10], X[10:20], X[20:]])
    found = lm.local_mean(stack, stack, y.reshape(3, 10), kernel=mixed())
    for i in range(3):
        assert_allclose(found[i], lm.local_mean(stack[i], stack[i], y.reshape(3, 10)[i], kernel=mixed()), rtol=1e-14)


def test_sums_with_other_kernels_take_no_loop_of_theirs():
    X, y = sample(9)
    kernel = 0.5 * mixed() + Exponential(1e4)
    weight = 0.5 * mixed()(X) + np.exp(X @ X.T / 1e4)
    assert_allclose(lm.local_mean(X, X, y, kernel=kernel), weight @ y / weight.sum(1), rtol=1e-12)
    allowed = np.random.default_rng(0).random((80, 80)) < 0.5
    weight = np.where(allowed, mixed()(X), 0)
    assert_allclose(lm.local_mean(X, X, y, kernel=mixed().where(allowed)), weight @ y / weight.sum(1), rtol=1e-12)


def test_a_polynomial_is_one_in_the_numbers():
    X, y = sample(10)
    rows = X[:7]
    weight = mixed()(rows, X)
    fit = lm.local_polynomial(rows, X, y, kernel=mixed(), degree=1)
    for i, row in enumerate(rows):  # weighted least squares, by NumPy
        design = np.column_stack([np.ones(len(X)), X[:, 0] - row[0]]) * np.sqrt(weight[i])[:, None]
        want = np.linalg.lstsq(design, y * np.sqrt(weight[i]), rcond=None)[0]
        assert_allclose([fit.value[i], *fit.gradient[i]], want, rtol=1e-10)  # conditions of a hundred or so
    assert fit.exponents.tolist() == [[0], [1]]
    assert_allclose(lm.smoother_matrix(rows, X, kernel=mixed(), degree=1) @ y, fit.value, rtol=1e-12)
    with pytest.raises(ValueError, match=r"^a polynomial of degree 1 needs a column of numbers, and kernels of levels "
                                         r"compare all of 1: take degree=0$"):
        lm.local_polynomial(rows[:, 1:2], X[:, 1:2], y, kernel=Categorical(n_levels=3))
    flat = lm.local_polynomial(rows[:, 1:2], X[:, 1:2], y, kernel=Categorical(n_levels=3), degree=0)
    assert_array_equal(flat.value, lm.local_mean(rows[:, 1:2], X[:, 1:2], y, kernel=Categorical(n_levels=3)))
    assert flat.gradient.shape == (7, 0)


def test_many_labels_are_looked_up():
    rng = np.random.default_rng(0)
    names = [f"street {i}" for i in range(1000)]
    found = lm.local_mean(["street 7"], rng.choice(names, 5000), np.ones(5000), kernel=Categorical(0.5, levels=names))
    assert_allclose(found, 1.0, rtol=1e-13)
