"""NumPy callers need no torch: everything but `localize` works where it can not be imported, and `localize` says so."""

import subprocess
import sys

SCRIPT = """
import sys


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NoTorch())  # not None in sys.modules: SciPy takes what stands there for a module
import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

import locmethods as lm
from locmethods.kernels import Categorical, Epanechnikov, Exponential, Gaussian, NearestNeighbors, Ordered

rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
label = np.where(y > 0, "a", "b")
for kernel in (Gaussian(0.5), Epanechnikov(0.4).hollow(), Exponential(0.5), NearestNeighbors(5), Gaussian(0.02),
               Gaussian(0.5).on(np.tanh) + 0.1 * Gaussian(1.0)):
    for empty in ("nearest", "mean"):
        lm.local_polynomial(X, X, y, kernel=kernel, degree=2, empty=empty)
        lm.LocalPolynomialRegressor(2, kernel, empty=empty).fit(X, y).gradient(X)
        lm.smoother_matrix(X, X, kernel=kernel, degree=1, empty=empty)
        lm.degrees_of_freedom(X, kernel=kernel, degree=1, empty=empty)
        lm.LocalPCA(1, kernel, empty=empty).fit(X).transform(X)
        lm.LocalClassifier(kernel, empty=empty).fit(X, label).predict(X)
        lm.LocalMeanRegressor(kernel, empty=empty).fit(X, y).predict(X)
    lm.LazyMap(kernel + 0.1 * Gaussian(1.0), max_iter=10_000).fit(X, np.where(y > 1, y, np.nan)).predict(X)
    lm.lazy.twicing(X, X, y, kernel=kernel)
for kernel in (Gaussian(0.5), NearestNeighbors(5)):
    lm.Localized(LinearRegression(), kernel=kernel).fit(X, y).predict(X[:5])
    lm.Localized(LogisticRegression(), kernel=kernel).fit(X, label).predict_proba(X[:5])
for criterion in ("loo", "gcv", "aicc"):
    for degree in (0, 1):
        lm.select_bandwidth(X, y, kernel=Gaussian(), bandwidths=[0.3, 0.6], degree=degree, criterion=criterion)
lm.select_bandwidth(X, y, kernel=Gaussian(), bounds={"bandwidth": (0.01, 100.0)})
lm.rule_of_thumb(X, y, kernel=Gaussian())
lm.effective_sample_size(X, X, kernel=Gaussian())
for noise in ("constant", "local"):
    lm.LocalMeanRegressor(Gaussian(0.5)).fit(X, y).predict(X, return_std=True, noise=noise)
lm.MeanShift().fit(X)
lm.MeanShift(kernel=Gaussian(0.5), assign="basin").fit(X).predict(X)
lm.MeanShift(kernel=Gaussian(0.5), blurring=True).fit(X)
lm.MeanShift(bandwidth=0.5, bin_seeding=True).fit(X)
for memory in (lm.hopfield.HopfieldNetwork(), lm.hopfield.DenseAssociativeMemory("epanechnikov"),
               lm.hopfield.ModernHopfield()):
    memory.fit(X).trace(X)
large = rng.normal(size=(3000, 2))  # enough for the compiled sums
lm.LocalMeanRegressor(Gaussian(0.1)).fit(large, large[:, 0]).predict(large)
town, grade = rng.choice(["a", "b"], 60), rng.integers(0, 3, (60, 1))
lm.local_mean(town, town, y, kernel=Categorical(0.2, levels=["a", "b"]).hollow(), empty="mean")
graded = np.hstack([X, grade])
lm.local_polynomial(graded, graded, y, kernel=Gaussian(0.5).on([0, 1]) * Ordered().on([2]))
try:
    lm.localize(lambda x, t: ((x - t) ** 2).sum(), kernel=Gaussian())(X, X)
except ImportError as error:
    print(error)
assert "torch" not in sys.modules
"""


def test_numpy_callers_import_no_torch():
    found = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert found.stdout == 'localize differentiates the loss with torch: pip install "locmethods[torch]"\n'
