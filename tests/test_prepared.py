"""Keys prepared once: the answers of the plain calls, nothing computed twice, pickled, and asked by many at once."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.adaptive import Metric, SamplePoint, SelfTuning
from locmethods.engines import pruned
from locmethods.kernels import (
    Balloon,
    Epanechnikov,
    Exponential,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Shepard,
)
from tests.user_kernels import Matern32

KERNELS = [Gaussian(0.1), Gaussian(3.0), Epanechnikov(0.4), Shepard(3), Exponential(2.0), NearestNeighbors(4),
           Matern32(0.2), Gaussian(0.2) * Laplace(1.0), 0.5 * Gaussian(0.2) + Epanechnikov(0.3),
           Gaussian(0.3).on([0]) * Gaussian(0.2).on(np.tanh)]


def sample(dtype="f8", n=5000, d=2):
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, d)).astype(dtype), rng.normal(size=(n, d)).astype(dtype), rng.normal(
        size=n).astype(dtype)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize(("dtype", "promised"), [("f4", 1e-5), ("f8", 1e-12)])
def test_the_answers_are_those_of_the_plain_calls(kernel, dtype, promised):
    query, keys, values = sample(dtype)
    prepared = lm.prepare(keys, values, kernel=kernel)
    for asked in (query, query[:1], query):  # again, when something is kept
        found = prepared.mean(asked)
        assert found.dtype == dtype and found.shape == (len(asked),)
        np.testing.assert_allclose(found, lm.local_mean(asked, keys, values, kernel=kernel), rtol=0,
                                   atol=promised * abs(values).max())
    sums, plain = prepared.sum(query), lm.local_sum(query, keys, values, kernel=kernel)
    np.testing.assert_allclose(sums.log_normaliser, plain.log_normaliser, rtol=promised, atol=promised)
    quantile = lm.local_quantile(query, keys, values, 0.3, kernel=kernel)
    np.testing.assert_array_equal(prepared.quantile(query, 0.3), quantile)
    for one, other in zip(prepared.moments(query), lm.local_moments(query, keys, values, kernel=kernel), strict=True):
        np.testing.assert_array_equal(one, other)  # the same blocks of weights


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_same_keys_answer_under_another_kernel(kernel):
    query, keys, values = sample()
    prepared = lm.prepare(keys, values, kernel=Gaussian(0.5))
    prepared.mean(query)
    other = prepared.under(kernel)
    for asked in (query, query[:1]):
        # Two routes of sums over 5,000 values.
        np.testing.assert_allclose(other.mean(asked), lm.local_mean(asked, keys, values, kernel=kernel), rtol=0,
                                   atol=1e-12 * abs(values).max())
    assert other.kernel is kernel and prepared.kernel.bandwidth == 0.5
    with pytest.raises(TypeError, match=r"^kernel must be a kernel from locmethods\.kernels, got float$"):
        prepared.under(2.0)


@pytest.mark.parametrize("kernel", [Gaussian(0.1), Epanechnikov(0.4), Gaussian(0.2).hollow()], ids=repr)
def test_the_keys_themselves_may_ask_and_values_may_change(kernel):
    _, keys, values = sample()
    prepared = lm.prepare(keys, kernel=kernel)
    for factor in (1.0, 2.0):
        np.testing.assert_allclose(prepared.mean(values=factor * values),
                                   lm.local_mean(keys, keys, factor * values, kernel=kernel), rtol=1e-12)
    np.testing.assert_allclose(prepared.mean(), lm.local_mean(keys, keys, kernel=kernel), rtol=1e-12)


def test_keys_are_cut_and_mapped_once_however_often_they_are_asked(monkeypatch):
    query, keys, values = sample()
    cuts, maps, cut = [], [], pruned.cut

    def counted(points, *more, **options):
        cuts.append(len(points))
        return cut(points, *more, **options)

    monkeypatch.setattr(pruned, "cut", counted)
    kernel = Epanechnikov(0.4).on(lambda points: maps.append(len(points)) or 2 * points)
    prepared = lm.prepare(keys, values, kernel=kernel)
    for asked in range(5):
        prepared.mean(query + asked)
    assert cuts.count(len(keys)) == 1 and cuts.count(len(query)) == 5
    assert maps.count(len(keys)) == 1 and maps.count(len(query)) == 5


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_what_is_kept_does_not_grow_with_the_calls(kernel):
    query, keys, values = sample("f4")
    prepared = lm.prepare(keys, values, kernel=kernel)

    def ask():
        for one in (query, query + 1):
            prepared.mean(one)
            prepared.mean(one, values=values.copy())
            prepared.sum(one)
        return len(prepared._kept._found)

    assert ask() == ask()


def test_a_pickled_copy_answers_the_same_and_travels_light():
    query, keys, values = sample()
    prepared = lm.prepare(keys, values, kernel=Gaussian(0.1))
    want = prepared.mean(query)
    packed = pickle.dumps(prepared)
    assert len(packed) < 1.1 * (keys.nbytes + values.nbytes)  # no block, no lock
    np.testing.assert_array_equal(pickle.loads(packed).mean(query), want)


def test_many_threads_ask_one_object():
    query, keys, values = sample()
    prepared = lm.prepare(keys, values, kernel=Gaussian(0.1))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: prepared.mean(query), range(32)))
    np.testing.assert_array_equal(found[1:], found[:-1])


def test_a_parameter_may_be_set_between_calls():
    query, keys, values = sample()
    prepared = lm.prepare(keys, values, kernel=Gaussian(0.1))
    prepared.mean(query)
    prepared.kernel.set_params(bandwidth=0.7)
    np.testing.assert_allclose(prepared.mean(query), lm.local_mean(query, keys, values, kernel=Gaussian(0.7)),
                               rtol=0, atol=1e-12)


def test_tensors_come_back_as_tensors_and_learn():
    query, keys, values = map(torch.from_numpy, sample())
    width = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    found = lm.prepare(keys, values, kernel=Gaussian(width)).mean(query)
    want = lm.local_mean(query, keys, values, kernel=Gaussian(width))
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(*(torch.autograd.grad(one.sum(), width)[0] for one in (found, want)))


@pytest.mark.parametrize("make", [
    lambda h: Gaussian(h), lambda h: Gaussian(h).on([0]), lambda h: Gaussian(h).on(torch.sin),
    lambda h: SamplePoint(Gaussian(h)), lambda h: SelfTuning(3), lambda h: Balloon(Gaussian(1.0), 3),
    lambda h: Metric(Gaussian(h), [[1.0, 2.0]]),
], ids=["plain", "columns", "function", "sample point", "self-tuning", "balloon", "metric"])
@pytest.mark.parametrize("size", [1.0, 1e-170], ids=["near", "far"])  # the squares of the latter are no numbers
def test_keys_that_learn_do_so_at_each_call(make, size):
    query, keys, values = (size * torch.from_numpy(part) for part in sample(n=40))
    kernel, query = make(0.5 * size), query[:5]
    keys.requires_grad_()
    prepared = lm.prepare(keys, values, kernel=kernel)
    with torch.no_grad():
        prepared.mean(query)  # what is kept here has no slope, and must not serve where one is asked for
    wanted = torch.autograd.grad(lm.local_mean(query, keys, values, kernel=kernel).sum(), keys)[0]
    for _ in range(2):  # a graph serves one backward pass
        torch.testing.assert_close(torch.autograd.grad(prepared.mean(query).sum(), keys)[0], wanted)


def test_a_query_without_a_key_follows_the_rule():
    _, keys, values = sample()
    prepared, far = lm.prepare(keys, values, kernel=Epanechnikov(0.1)), np.array([[50.0, 50.0]])
    assert np.isnan(prepared.mean(far, empty="nan"))
    np.testing.assert_allclose(prepared.mean(far, empty="mean"), values.mean())
    with pytest.raises(ValueError, match="query 0 has no key in reach"):
        prepared.mean(far, empty="raise")


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda p: lm.prepare([[0.0]], [1.0, 2.0], kernel=Gaussian()), ValueError, "same length, got 1 keys and 2 values"),
    (lambda p: lm.prepare([[0.0]], kernel="gaussian"), TypeError, "kernel must be a kernel from locmethods.kernels"),
    (lambda p: lm.prepare(np.zeros((0, 1)), kernel=Gaussian()), ValueError, "keys must not be empty"),
    (lambda p: p.mean([[0.0, 1.0, 2.0]]), ValueError, "same number of features, got 3 and 2"),
    (lambda p: p.mean([[np.nan, 1.0]]), ValueError, "query must be finite"),
    (lambda p: p.mean(torch.zeros(1, 2)), TypeError, "all NumPy arrays or all torch tensors"),
    (lambda p: p.mean([[0.0, 1.0]], empty="zero"), ValueError, "empty must be one of"),
    (lambda p: p.mean([[0.0, 1.0]], tolerance=2), ValueError, "tolerance must be a number"),
    (lambda p: p.mean([[0.0, 1.0]], values=[1.0]), ValueError, "same length"),
    (lambda p: p.quantile([[0.0, 1.0]], 1.5), ValueError, "q must be a number strictly between 0 and 1"),
    (lambda p: lm.prepare([[0.0, 1.0]], kernel=Polynomial(3)).mean([[0.0, 1.0]]), ValueError, "negative weights"),
])
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(lm.prepare(*sample(n=9)[1:], kernel=Gaussian()))
