"""The fuzz harness finds what is broken, shrinks it and says so; and a short run of it finds nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

import locmethods as lm
from tests import fuzz, oracles
from tests.oracles import contains

PACKAGE = {name: getattr(lm, name) for name in (*fuzz.SINGLES, *fuzz.ESTIMATORS, "prepare")}


def quiet(line):
    """Say nothing."""


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_short_run_finds_nothing(seed):
    lines = []
    compared, failure = fuzz.run(120, seed, count=250, bad=False, say=lines.append)
    assert failure is None, "\n".join(lines)
    assert compared > 150


def test_bad_input_gets_typed_errors_with_a_message():
    found = [fuzz.abuse(0, number) for number in range(400)]
    assert not [one for one in found if one is not None]


def near_miss(query, keys, values, **options):
    """Answer as the local mean, but for queries with more than two keys."""
    answer = lm.local_mean(query, keys, values, **options)
    return answer * (1 + 1e-9) if len(keys) > 2 else answer


def off_by_one(query, keys, values, **options):
    """Answer with the values of other keys."""
    return lm.local_mean(query, keys, values[[*range(1, len(values)), 0]], **options)


@pytest.mark.parametrize(("broken", "keys"), [(near_miss, 3), (off_by_one, 2)])
def test_a_broken_mean_is_found_and_shrunk_to_a_call_that_runs(broken, keys):
    package = SimpleNamespace(**{**PACKAGE, "local_mean": broken})
    lines = []
    _, failure = fuzz.run(60, 0, package=package, bad=False, say=lines.append)
    assert failure is not None, "the harness does not notice a mean that is wrong in the ninth digit"
    case, what = failure
    assert what.kind == "wrong"
    assert len(case.keys) == keys and len(case.query) == 1 and not case.recipe.parts
    assert "--seed 0 --only" in lines[-1]
    # What is printed runs as it is, and its answer is that of the package that is not broken.
    text = fuzz.written(case)
    printed = []
    exec(text.replace("lm.local_mean", "broken"), {"broken": broken, "print": printed.append})
    right = fuzz.ask(case)[0]
    assert not np.allclose(np.asarray(printed[0]), right, rtol=1e-12, atol=0)
    exec(text, {"print": printed.append})
    np.testing.assert_array_equal(np.asarray(printed[1]), right)


def test_an_error_where_an_answer_is_due_is_found():
    def refuses(*arguments, **options):
        raise RuntimeError("a raw error")

    package = SimpleNamespace(**{**PACKAGE, "local_quantile": refuses})
    _, failure = fuzz.run(60, 3, package=package, bad=False, say=quiet)
    assert failure is not None and failure[1].kind == "RuntimeError" and len(failure[0].keys) == 1


def test_a_case_is_drawn_from_its_seed_and_number_alone():
    for number in range(20):
        one, other = fuzz.draw(7, number), fuzz.draw(7, number)
        assert fuzz.written(one) == fuzz.written(other)
        np.testing.assert_array_equal(one.keys, other.keys)


def test_every_kernel_and_combination_and_call_is_drawn():
    cases = [fuzz.draw(0, number) for number in range(600)]
    kinds = {kind for case in cases for kind in oracles.leaves(case.recipe)}
    own = set() if hasattr(lm.kernels, "Radial") else set(oracles.OWN)
    assert kinds >= set(oracles.KNOWN) - own
    for kind in ("scaled", "sum", "product", "hollow", "masked", "mapped"):
        assert any(contains(case.recipe, kind) for case in cases)
    assert {case.call for case in cases} >= {*fuzz.SINGLES, *fuzz.ESTIMATORS}
    assert {case.empty for case in cases} == {"nearest", "nan", "mean", "raise"}
    assert {case.dtype for case in cases} == {"f4", "f8"}
    assert {case.kind for case in cases} == {"numpy", "torch"}


def test_the_command_fails_when_a_case_does(monkeypatch, capsys):
    assert fuzz.main(["--seconds", "0", "--seed", "5"]) == 0
    assert "seed 5" in capsys.readouterr().out
    monkeypatch.setattr(fuzz, "run", lambda *arguments, **options: (1, ("case", "failure")))
    assert fuzz.main(["--seed", "5"]) == 1
