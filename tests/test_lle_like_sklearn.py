"""scikit-learn's own tests of locally linear embedding, with our estimator and functions in place of theirs."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.manifold.tests import test_locally_linear as theirs

import locmethods as lm

# One of their samples falls into as many pieces as two coordinates tell apart, of which theirs says nothing.
pytestmark = pytest.mark.filterwarnings("ignore:the graph of neighbours falls into 3 pieces:UserWarning")

TESTS = {name: test for name, test in vars(theirs).items() if name.startswith("test_")}
globals().update(TESTS)


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def global_dtype(request):
    """Both types, of which scikit-learn tries float32 only when an environment variable asks for it."""
    return request.param


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    monkeypatch.setattr(theirs, "manifold", SimpleNamespace(
        LocallyLinearEmbedding=lm.LocallyLinearEmbedding, locally_linear_embedding=lm.lle.locally_linear_embedding))
    monkeypatch.setattr(theirs, "barycenter_kneighbors_graph", lm.lle.barycenter_kneighbors_graph)


def test_all_of_theirs_are_run():
    assert len(TESTS) >= 7 and all(test is globals()[name] for name, test in TESTS.items())
