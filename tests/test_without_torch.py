"""The package alone needs its own dependencies alone: no torch, no matplotlib, no pandas.

Everything but `localize` works where nothing else can be imported, each estimator too, and `localize` says what it
lacks.
"""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]


def needed():
    """Return the packages that `pip install .` brings, and what they need in turn."""
    found, ahead = set(), list(map(Requirement, PROJECT["dependencies"]))
    while ahead:
        one = ahead.pop()
        name = canonicalize_name(one.name)
        if name in found or not (one.marker is None or one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            ahead += map(Requirement, requires(name) or [])
        except PackageNotFoundError:
            pass  # of another system
    return found


def others():
    """Return the modules that are installed here and would not be there; a private one is nobody's."""
    here, there = packages_distributions(), needed() | {"locmethods"}
    return sorted(name for name, packages in here.items()
                  if not name.startswith("_") and not there & set(map(canonicalize_name, packages)))


SCRIPT = """
import sys

OTHERS = {others}


class Alone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OTHERS:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Alone())  # not None in sys.modules: SciPy takes what stands there for a module
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
lm.select_bandwidth(X, y, kernel=Gaussian(), bounds={{"bandwidth": (0.01, 100.0)}})
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
photograph = rng.random((12, 12))
fits = {{
    lm.LocalMeanRegressor: lambda one: one.fit(X, y), lm.LocalPolynomialRegressor: lambda one: one.fit(X, y),
    lm.LocalClassifier: lambda one: one.fit(X, label), lm.LocalPCA: lambda one: one.fit(X),
    lm.Localized: lambda one: one.fit(X, y), lm.LazyMap: lambda one: one.fit(X, y),
    lm.MeanShift: lambda one: one.fit(X), lm.TakagiSugenoRegressor: lambda one: one.fit(X, y),
    lm.LocallyLinearEmbedding: lambda one: one.fit(X), lm.StackedLocalMeans: lambda one: one.fit(X, y),
    lm.RelaxationLabeling: lambda one: one.fit(X, np.full((60, 2), 0.5)),
    lm.LabelPropagation: lambda one: one.fit(X, label), lm.LocalExperts: lambda one: one.fit(X, y),
    lm.relaxation.LinearNeighborhoodPropagation: lambda one: one.fit(X, label),
    lm.relaxation.DenseCRF: lambda one: one.fit(255 * photograph, rng.random((12, 12, 2))),
    lm.LazyAutoencoder: lambda one: one.fit(X), lm.HierarchicalAutoencoder: lambda one: one.fit(X),
    lm.hopfield.HopfieldNetwork: lambda one: one.fit(X), lm.hopfield.DenseAssociativeMemory: lambda one: one.fit(X),
    lm.hopfield.ModernHopfield: lambda one: one.fit(X), lm.denoising.EmpiricalDenoiser: lambda one: one.fit(X),
    lm.denoising.PatchDenoiser: lambda one: one.fit(photograph[None]),
    lm.adaptive.LearnedMetric: lambda one: one.set_params(max_iter=2, tol=np.inf).fit(X, y),
    lm.DiffusionMap: lambda one: one.fit(X), lm.SpectralClustering: lambda one: one.fit(X),
    lm.Whitening: lambda one: one.fit(X), lm.eigenmaps.RayleighRitz: lambda one: one.fit(X, X + 0.1),
    lm.projection.RandomProjection: lambda one: one.set_params(n_components=1).fit(X),
    lm.BM25: lambda one: one.fit(["a text", "and another"]),
    lm.lowrank.AnchorScorer: lambda one: one.set_params(n_anchors=3).fit(X, X),
}}
of_torch = {{"transformer", "LocalMeanLayer", "LocalMeanStack", "HopfieldLayer", "MarginSoftmax", "train",
            "NeuralEigenmaps", "BarlowTwinsLoss", "EigenmapLoss", "NeuralEFLoss", "SpINLoss",
            "SpectralContrastiveLoss", "EMOLoss"}}
rooms = [getattr(lm, name) for name in lm.__all__ if name not in of_torch]
every = {{one for room in [lm, *rooms] for name in getattr(room, "__all__", ()) if name not in of_torch
         for one in [getattr(room, name)] if isinstance(one, type) and hasattr(one, "fit")}}
assert set(fits) == every, every ^ set(fits)
needed = {{lm.Localized: LinearRegression(), lm.lowrank.AnchorScorer: Gaussian(0.5)}}
for kind, fit in fits.items():
    fit(kind(needed[kind]) if kind in needed else kind())
lm.emo.mixed_optimum([0.5, 0.3, 0.2], X[:3], weight=0.5)
lm.emo.bias_and_variance([0.5, 0.3, 0.2], 0, X[:3])
nonlocal_means = lm.nonlocal_means.nonlocal_means(photograph)
lm.local_mean(X, X, y, kernel=lm.adaptive.SelfTuning(3))
try:
    lm.localize(lambda x, t: ((x - t) ** 2).sum(), kernel=Gaussian())(X, X)
except ImportError as error:
    print(error)
assert not OTHERS & {{name.partition(".")[0] for name in sys.modules}}
"""


def test_what_pip_install_brings_is_enough():
    assert {"torch", "matplotlib", "pandas", "dask", "statsmodels", "skimage", "IPython"} <= set(others())
    script = SCRIPT.format(others=set(others()))
    found = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert found.stdout == 'localize differentiates the loss with torch: pip install "locmethods[torch]"\n'
