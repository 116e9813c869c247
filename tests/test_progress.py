"""A long fit says where it stands where it is asked to, at the steps 1, 2, 4, 8, …, and is what it is without."""

import re

import numpy as np
import pytest
from sklearn.base import clone

import locmethods as lm
from locmethods.adaptive import LearnedMetric
from locmethods.kernels import Gaussian
from locmethods.numerics.progress import tell, telling
from locmethods.relaxation import DenseCRF, LinearNeighborhoodPropagation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 2))
Y = np.where(np.arange(40) < 30, X[:, 0], np.nan)
CLASSES = np.where(np.arange(40) < 6, np.arange(40) % 2, -1)
UNARY = RNG.random((8, 8, 2))
# What is fitted, to what, and the attribute that must come out the same.
FITS = {
    "lazy map": (lm.LazyMap(Gaussian(0.5)), (X, Y), "transduction_"),
    "mean shift": (lm.MeanShift(kernel=Gaussian(0.5)), (X,), "cluster_centers_"),
    "blurring": (lm.MeanShift(kernel=Gaussian(0.5), blurring=True), (X,), "cluster_centers_"),
    "held labels": (lm.LabelPropagation(Gaussian(0.2), tol=1e-12), (X, CLASSES), "label_distributions_"),
    "soft labels": (lm.LabelPropagation(Gaussian(0.2), alpha=0.9), (X, CLASSES), "label_distributions_"),
    "linear neighbourhoods": (LinearNeighborhoodPropagation(5), (X, CLASSES), "label_distributions_"),
    "relaxation": (lm.RelaxationLabeling(kernel=Gaussian(0.5), tol=1e-2), (X, RNG.dirichlet([1, 1], 40)),
                   "probabilities_"),
    "field": (DenseCRF(appearance=(3.0, 0.5), tol=1e-3), (RNG.random((8, 8)), UNARY), "marginals_"),
    "experts": (lm.LocalExperts(2, random_state=0, tol=1e-2), (X, X[:, 0]), "centers_"),
    "metric": (LearnedMetric(tol=1e-2), (X, X[:, 0]), "components_"),
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_tells_its_steps_and_is_the_same(name, capsys):
    model, data, attribute = FITS[name]
    silent = clone(model).fit(*data)
    assert capsys.readouterr().out == ""
    told = clone(model).set_params(verbose=True).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(rf"\[{type(model).__name__}\] step (\d+): .*\d.*", line) for line in lines]
    assert all(found), lines
    steps = [int(one[1]) for one in found]
    assert steps[0] == 1 and all(step & (step - 1) == 0 for step in steps)
    assert len(lines) <= 60, "of hundreds of steps a dozen are told, of each run"
    np.testing.assert_array_equal(getattr(told, attribute), getattr(silent, attribute))


def test_what_is_told_are_powers_of_two_and_only_within(capsys):
    model = lm.LazyMap(verbose=True)
    tell(1, "nobody listens to {}", 1)
    with telling(model):
        for step in range(1, 20):
            tell(step, "{:.1f}", step / 2)
        with telling(lm.MeanShift()):
            tell(32, "within the other's")
    with telling(lm.LazyMap()):
        tell(1, "it is not verbose")
    assert capsys.readouterr().out.splitlines() == [
        *(f"[LazyMap] step {step}: {step / 2:.1f}" for step in (1, 2, 4, 8, 16)),
        "[LazyMap] step 32: within the other's"]


def test_an_error_ends_the_telling(capsys):
    with pytest.raises(ValueError, match="inside"), telling(lm.LazyMap(verbose=True)):
        raise ValueError("inside")
    tell(1, "nobody listens")
    assert capsys.readouterr().out == ""
