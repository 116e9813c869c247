"""Bad input that once gave a raw error, nonsense or a hang: a ValueError or TypeError says what must hold.

Messages are matched by the least that helps a reader: the name of what is wrong.
"""

import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import locmethods as lm
from locmethods import kernels
from locmethods.kernels import (
    Cauchy,
    Exponential,
    Flat,
    Gaussian,
    Kernel,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Shepard,
)

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(30, 2)), rng.normal(size=30)
G = Gaussian(0.5)


def cases(calls):
    """Return the parameters of a test from calls by name."""
    return [pytest.param(call, id=name) for name, call in calls.items()]


def refused(call, says, *, kind=(ValueError, TypeError)):
    """Check that a call is refused with a message that has a word, or one of several, and was written for people."""
    with pytest.raises(kind, match=says) as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError)
    assert len(str(caught.value)) > 20


# ---- numbers -------------------------------------------------------------------------------------------------------

HUGE = 10**400


@pytest.mark.parametrize(("says", "call"), [
    pytest.param(says, call, id=name) for name, says, call in [
        ("keys", "keys|query", lambda: lm.local_mean([[HUGE, 1]], [[HUGE, 1]], kernel=G)),
        ("an array of objects", "keys", lambda: lm.local_mean(X, np.array([[HUGE, 1]], object), kernel=G)),
        ("values", "values", lambda: lm.local_mean([[1.0]], [[1.0]], [HUGE], kernel=G)),
        ("bandwidth", "bandwidth", lambda: Gaussian(HUGE)),
        ("radius", "radius", lambda: Flat(HUGE)),
        ("power", "power", lambda: Shepard(HUGE)),
        ("temperature", "temperature", lambda: Exponential(HUGE)),
        ("offset", "offset", lambda: Polynomial(2, HUGE)),
        ("factor", "factor", lambda: HUGE * G),
        ("degree of a kernel", "degree", lambda: lm.local_mean(X, X, kernel=Polynomial(HUGE))),
        ("n_neighbors", "n_neighbors", lambda: lm.local_mean(X, X, kernel=NearestNeighbors(HUGE))),
        ("tolerance", "tolerance", lambda: lm.local_mean(X, X, kernel=G, tolerance=HUGE)),
        ("q", "q must", lambda: lm.local_quantile(X, X, Y, HUGE, kernel=G)),
        ("rcond", "rcond", lambda: lm.local_polynomial(X, X, Y, kernel=G, rcond=HUGE)),
        ("MeanShift(bandwidth)", "bandwidth", lambda: lm.MeanShift(bandwidth=HUGE).fit(X)),
        ("MeanShift(tol)", "tol", lambda: lm.MeanShift(bandwidth=1.0, tol=HUGE).fit(X)),
        ("LazyMap(relaxation)", "relaxation", lambda: lm.LazyMap(relaxation=HUGE).fit(X, Y)),
        ("bandwidths", "bandwidths", lambda: lm.select_bandwidth(X, Y, kernel=G, bandwidths=[HUGE])),
        ("features", "features", lambda: lm.local_mean(X, X, kernel=G.on(lambda x: [[HUGE]] * len(x)))),
    ]])
def test_an_integer_beyond_float_is_refused(says, call):
    refused(call, says)


@pytest.mark.parametrize(("says", "call"), [
    pytest.param(says, call, id=name)
    for name, says, call in [
        ("bandwidth", "bandwidth", lambda v: Gaussian(v)),
        ("radius", "radius", lambda v: Flat(v)),
        ("temperature", "temperature", lambda v: Exponential(v)),
        ("power", "power", lambda v: Shepard(v)),
        ("offset", "offset", lambda v: Polynomial(2, v)),
        ("factor", "factor", lambda v: v * G),
        ("set_params", "bandwidth", lambda v: Gaussian().set_params(bandwidth=v)),
        ("degree", "degree", lambda v: lm.local_polynomial(X, X, Y, kernel=G, degree=v)),
        ("rcond", "rcond", lambda v: lm.local_polynomial(X, X, Y, kernel=G, rcond=v)),
        ("tolerance", "tolerance", lambda v: lm.local_mean(X, X, kernel=G, tolerance=v)),
        ("q", "q must", lambda v: lm.local_quantile(X, X, Y, v, kernel=G)),
        ("empty", "empty", lambda v: lm.local_mean(X, X, kernel=G, empty=v)),
        ("MeanShift(bandwidth)", "bandwidth", lambda v: lm.MeanShift(bandwidth=v).fit(X)),
        ("MeanShift(merge_radius)", "merge_radius", lambda v: lm.MeanShift(kernel=G, merge_radius=v).fit(X)),
        ("climb(tol)", "tol", lambda v: lm.meanshift.climb(X, X, kernel=G, tol=v)),
        ("climb(length)", "length", lambda v: lm.meanshift.climb(X, X, kernel=G, length=v)),
        ("climb(max_iter)", "max_iter", lambda v: lm.meanshift.climb(X, X, kernel=G, max_iter=v)),
        ("blur(tol)", "tol", lambda v: lm.meanshift.blur(X, kernel=G, tol=v)),
        ("trajectories(steps)", "steps", lambda v: lm.meanshift.trajectories(X, X, kernel=G, steps=v)),
        ("merge_modes(radius)", "radius", lambda v: lm.meanshift.merge_modes(X, np.abs(Y), v)),
        ("get_bin_seeds(bin_size)", "bin_size", lambda v: lm.meanshift.get_bin_seeds(X, v)),
        ("get_bin_seeds(min_bin_freq)", "min_bin_freq", lambda v: lm.meanshift.get_bin_seeds(X, 1.0, v)),
    ]])
def test_a_tensor_of_several_numbers_is_no_parameter(says, call):
    import torch

    refused(lambda: call(torch.tensor([1.0, 2.0])), says)


@pytest.mark.parametrize("value", [
    pytest.param(lambda torch: torch.tensor(1j), id="complex tensor"),
    pytest.param(lambda torch: np.array(1j), id="complex array"),
    pytest.param(lambda torch: np.array("a"), id="text"),
    pytest.param(lambda torch: torch.tensor(True), id="truth"),
    pytest.param(lambda torch: torch.empty((), device="meta"), id="meta"),
    pytest.param(lambda torch: True, id="True"),
    pytest.param(lambda torch: "1.0", id="string"),
    pytest.param(lambda torch: None, id="None"),
    pytest.param(lambda torch: np.nan, id="NaN"),
])
def test_a_bandwidth_that_is_no_number_is_refused(value):
    import torch

    refused(lambda: lm.local_mean(X, X, kernel=Gaussian(value(torch))), "bandwidth")


@pytest.mark.parametrize(("says", "call"), [
    ("tol", lambda: lm.meanshift.climb(X, X, kernel=G, tol=-1.0)),
    ("tol", lambda: lm.meanshift.climb(X, X, kernel=G, tol=np.nan)),
    ("length", lambda: lm.meanshift.climb(X, X, kernel=G, length=-1.0)),
    ("steps", lambda: lm.meanshift.trajectories(X, X, kernel=G, steps=-1)),
])
def test_the_parameters_of_an_ascent_are_checked(says, call):
    refused(call, says)


# ---- arrays --------------------------------------------------------------------------------------------------------


def strange_tensors():
    """Return tensors that hold no plain numbers, by name."""
    import torch

    T = torch.from_numpy(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "meta": torch.empty(30, 2, device="meta"), "sparse": T.to_sparse(), "sparse rows": T.to_sparse_csr(),
            "quantised": torch.quantize_per_tensor(T.float(), 0.1, 0, torch.qint8),
            "float8": T.to(torch.float8_e4m3fn), "float8 of the other kind": T.to(torch.float8_e5m2),
        }


STRANGE = ("meta", "sparse", "sparse rows", "quantised", "float8", "float8 of the other kind")


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(("says", "call"), [
    pytest.param(says, call, id=name) for name, says, call in [
        ("query", "query", lambda T, v: lm.local_mean(v, T, kernel=G)),
        ("keys", "keys", lambda T, v: lm.local_mean(T, v, kernel=G)),
        ("values", "values", lambda T, v: lm.local_mean(T, T, v, kernel=G)),
        ("local_sum", "values", lambda T, v: lm.local_sum(T, T, v, kernel=G)),
        ("local_polynomial", "keys", lambda T, v: lm.local_polynomial(T, v, T, kernel=G)),
        ("local_mode", "values", lambda T, v: lm.local_mode(T, T, v, kernel=G, value_kernel=G)),
        ("labels", "values|labels", lambda T, v: lm.local_mode(T, T, v, kernel=G)),
        ("climb", "starts|keys", lambda T, v: lm.meanshift.climb(v, v, kernel=G)),
        ("matrix", "query|keys", lambda T, v: G(v)),
        ("features", "features", lambda T, v: lm.local_mean(T, T, kernel=G.on(lambda x: v))),
    ]])
def test_a_tensor_that_holds_no_plain_numbers_is_refused(strange, says, call):
    import torch

    refused(lambda: call(torch.from_numpy(X), strange_tensors()[strange]), says)


@pytest.mark.parametrize("call", cases({
    "local_mean": lambda v: lm.local_mean(X, X, v, kernel=G),
    "local_sum": lambda v: lm.local_sum(X, X, v, kernel=G),
    "local_moments": lambda v: lm.local_moments(X, X, v, kernel=G),
    "local_quantile": lambda v: lm.local_quantile(X, X, v, kernel=G),
    "local_mode": lambda v: lm.local_mode(X, X, v, kernel=G),
    "local_mode between values": lambda v: lm.local_mode(X, X, v, kernel=G, value_kernel=G),
    "local_polynomial": lambda v: lm.local_polynomial(X, X, v, kernel=G),
    "large": lambda v: lm.local_mean(X.repeat(100, 0), X.repeat(100, 0), v.repeat(100, 0), kernel=G),
}))
def test_values_without_columns_are_refused(call):
    refused(lambda: call(np.empty((30, 0))), "values|labels")


TWO = X[None].repeat(2, 0)


@pytest.mark.parametrize("call", cases({
    "local_moments": lambda q, k, v: lm.local_moments(q, k, v, kernel=G),
    "local_quantile": lambda q, k, v: lm.local_quantile(q, k, v, kernel=G),
    "local_mode": lambda q, k, v: lm.local_mode(q, k, v, kernel=G),
    "local_mode between values": lambda q, k, v: lm.local_mode(q, k, v, kernel=G, value_kernel=G),
    "local_polynomial": lambda q, k, v: lm.local_polynomial(q, k, v, kernel=G),
}))
@pytest.mark.parametrize(("query", "keys", "values"), [(TWO, X, Y), (X, TWO, Y), (TWO, TWO, Y)],
                         ids=["of queries", "of keys", "of both"])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_batches_are_refused_where_none_are_taken(call, query, keys, values, kind):
    if kind == "torch":
        import torch

        query, keys, values = map(torch.from_numpy, (query, keys, values))
    refused(lambda: call(query, keys, values), "batch|must have shape")


# ---- kernels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", cases({
    "a number": lambda: 3, "a string": lambda: "a", "a class": lambda: Gaussian, "an object": object,
    "a function": lambda: (lambda a: a), "an inner product": Exponential, "ranks": lambda: NearestNeighbors(2),
    "signed": lambda: Polynomial(3),
}))
def test_a_value_kernel_that_cannot_be_one_is_refused(call):
    kernel = call()
    says = "not a localization kernel" if isinstance(kernel, Polynomial) else "value_kernel"
    refused(lambda: lm.local_mode(X, X, Y, kernel=G, value_kernel=kernel), says)


def abstract():
    """Return the instances of abstract classes of kernels that can be made."""
    return [Kernel, *([kernels.Radial] if hasattr(kernels, "Radial") else [])]


@pytest.mark.parametrize("call", cases({
    "local_mean": lambda K: lm.local_mean(X, X, kernel=K),
    "local_sum": lambda K: lm.local_sum(X, X, Y, kernel=K),
    "scaled": lambda K: lm.local_mean(X, X, kernel=2.0 * K),
    "summed": lambda K: lm.local_mean(X, X, kernel=K + G),
    "multiplied": lambda K: lm.local_mean(X, X, kernel=G * K),
    "hollow": lambda K: lm.local_mean(X, X, kernel=K.hollow()),
    "mapped": lambda K: lm.local_mean(X, X, kernel=K.on([0])),
    "LocalMeanRegressor": lambda K: lm.LocalMeanRegressor(K).fit(X, Y).predict(X),
    "climb": lambda K: lm.meanshift.climb(X, X, kernel=K, length=1.0),
    "localize": lambda K: lm.localize(lambda x, t: (x - t).square().sum(), kernel=K)(X, X),
    "value_kernel": lambda K: lm.local_mode(X, X, Y, kernel=G, value_kernel=K),
}))
@pytest.mark.parametrize("base", abstract(), ids=lambda base: base.__name__)
def test_an_abstract_kernel_is_refused(base, call):
    """Where it is made or where it is used: it says that it is abstract, or that it is no kernel."""
    refused(lambda: call(base()), "abstract|must be a kernel|define|formula|log_profile")


class Mine(Exception):
    """A user's own error."""


def raises(error):
    """Return a feature map that raises."""
    def features(points):
        raise error
    return features


@pytest.mark.parametrize("call", [
    pytest.param(lambda K: lm.local_mean(X, X, Y, kernel=K), id="local_mean"),
    pytest.param(lambda K: lm.local_mean(X, X, Y, kernel=2.0 * K + Cauchy()), id="inside a sum"),
    pytest.param(lambda K: lm.local_mean(X, X, Y, kernel=K.hollow()), id="inside a hollow one"),
    pytest.param(lambda K: lm.LocalMeanRegressor(K).fit(X, Y).predict(X), id="LocalMeanRegressor"),
    pytest.param(lambda K: lm.MeanShift(kernel=K, merge_radius=1.0).fit(X), id="MeanShift"),
    pytest.param(lambda K: lm.local_mode(X, X, Y, kernel=G, value_kernel=K), id="value_kernel"),
    pytest.param(lambda K: lm.local_polynomial(X, X, Y, kernel=K), id="local_polynomial"),
])
@pytest.mark.parametrize("error", [Mine("mine"), KeyError("mine"), IndexError("mine"), TypeError("mine")],
                         ids=lambda error: type(error).__name__)
def test_a_feature_maps_own_error_comes_through_and_names_the_kernel(error, call):
    with pytest.raises(type(error), match="mine") as caught:
        call(Gaussian(0.625).on(raises(error)))
    assert caught.value is error
    assert any("Gaussian(bandwidth=0.625)" in note for note in getattr(caught.value, "__notes__", ()))


@pytest.mark.parametrize(("says", "features"), [
    pytest.param(says, features, id=name) for name, says, features in [
        ("None", "features", lambda x: None),
        ("a string", "features", lambda x: "abc"),
        ("a number", "features", lambda x: 3.0),
        ("NaN", "features", lambda x: x * np.nan),
        ("complex numbers", "features", lambda x: x * 1j),
        ("a row", "features", lambda x: x.ravel()),
        ("objects", "features", lambda x: [[object()]] * len(x)),
        ("a dictionary", "features", lambda x: {}),
        ("a generator", "features", lambda x: (row for row in x)),
        ("ragged rows", "features", lambda x: [[1], [2, 3], *[[1]] * (len(x) - 2)]),
        ("a batch", "features", lambda x: x[None]),
        ("fewer rows", "features", lambda x: x[:-1]),
        ("no columns", "features", lambda x: x[:, :0]),
        ("text", "features", lambda x: np.full(x.shape, "a")),
        ("a column too far", "features", [5]),
        ("columns by name", "features", ["a"]),
        ("half a column", "features", [0.5]),
        ("an empty list", "features", []),
        ("an empty slice", "features", slice(5, 9)),
    ]])
def test_features_that_are_none_are_refused(says, features):
    refused(lambda: lm.local_mean(X, X, kernel=G.on(features)), says)
    refused(lambda: lm.local_mean(X, X, kernel=Laplace().on(features)), says)


# ---- much too much -------------------------------------------------------------------------------------------------

LIMITED = """
    import resource
    import numpy as np
    import locmethods as lm
    from locmethods.kernels import Gaussian

    X = np.random.default_rng(0).normal(size=(30, 2))
    lm.local_polynomial(X, X, X[:, 0], kernel=Gaussian())  # what is imported is imported now
    here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (here + (1 << 30),) * 2)
    try:
        {call}
        print("no error")
    except (ValueError, TypeError) as error:
        print(type(error).__name__, error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited as on Linux")
@pytest.mark.parametrize("call", [
    "lm.local_polynomial(X, X, X[:, 0], kernel=Gaussian(), degree=1000)",
    "lm.LocalPolynomialRegressor(degree=1000).fit(X, X[:, 0]).predict(X)",
])
def test_a_degree_beyond_all_memory_is_refused_before_any_work(call, tmp_path):
    script = tmp_path / "limited.py"
    script.write_text(textwrap.dedent(LIMITED.format(call=call)))
    try:
        found = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=25)
    except subprocess.TimeoutExpired:
        pytest.fail("no answer within 25 seconds")
    assert "degree" in found.stdout and found.stdout.startswith(("ValueError", "TypeError"))


def test_a_thousand_jobs_do_not_become_a_thousand_processes(monkeypatch):
    """They are refused, or run by as many processes as there are processors."""
    from sklearn.linear_model import LinearRegression

    from locmethods.trick import estimator

    asked = []

    class Recorder(estimator.Parallel):
        def __init__(self, n_jobs=None, **options):
            asked.append(n_jobs or 1)
            super().__init__(n_jobs=1, **options)

    monkeypatch.setattr(estimator, "Parallel", Recorder)
    try:
        lm.Localized(LinearRegression(), kernel=G, n_jobs=1000).fit(X, Y).predict(X[:4])
    except ValueError as error:
        assert "n_jobs" in str(error)
    assert max(asked, default=1) <= os.cpu_count()


@pytest.mark.parametrize(("says", "call"), [
    pytest.param(says, call, id=name)
    for name, says, call in [
        ("NaN", "X|finite|NaN", lambda: lm.meanshift.get_bin_seeds(np.array([[np.nan, 1], [1, 2.0]]), 0.5)),
        ("infinity", "X|finite|inf", lambda: lm.meanshift.get_bin_seeds(np.array([[np.inf, 1], [1, 2.0]]), 0.5)),
        ("a size of NaN", "bin_size", lambda: lm.meanshift.get_bin_seeds(X, np.nan)),
        ("a negative size", "bin_size", lambda: lm.meanshift.get_bin_seeds(X, -1.0)),
        ("one dimension", "X|shape|2D", lambda: lm.meanshift.get_bin_seeds(X[:, 0], 1.0)),
        ("no points", "X|samples|empty", lambda: lm.meanshift.get_bin_seeds(X[:0], 1.0)),
    ]])
@pytest.mark.filterwarnings("ignore:no two points share a cell")
def test_the_seeds_of_a_grid_are_asked_of_points_and_a_spacing(says, call):
    refused(call, f"^(?!zero-size).*({says})")
