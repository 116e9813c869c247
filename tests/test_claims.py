"""A claim holds, fails, or is refused because nothing could make it fail."""

import json
import re

import numpy as np
import pytest
import torch

from locmethods.companion import ClaimError, claim
from locmethods.companion.claims import ledger

WHY = "both are written down"


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """Start as a reader does: no chapter, no records, no control switched on."""
    for name in ("LOCMETHODS_RECORDS", "LOCMETHODS_CHAPTER", "LOCMETHODS_CONTROLS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def chapter(monkeypatch, tmp_path):
    """Run as the chapter of A1 does, and return the folder of its records."""
    monkeypatch.setenv("LOCMETHODS_RECORDS", str(tmp_path))
    monkeypatch.setenv("LOCMETHODS_CHAPTER", "means")
    return tmp_path / "claims" / "means"


def one_is_one(name="A1", left=1.0, right=1.0, control=2.0, why=WHY, **options):
    claim(name, "one is one", left, right, why=why, control=control, **options)


def message(text):
    return "^" + re.escape(text) + "$"


@pytest.mark.parametrize("options, bound", [
    ({}, "exactly"),
    ({"atol": 1e-8}, "within 1e-08"),
    ({"rtol": 0.1}, "within 0.1 relative"),
    ({"atol": 1e-8, "rtol": 0.1}, "within 1e-08 + 0.1 relative"),
])
def test_a_claim_that_holds_prints_one_line(capsys, options, bound):
    one_is_one(**options)
    assert capsys.readouterr().out == f"A1 holds: one is one ({bound}, control fails)\n"


def test_the_printed_line_has_no_measured_number(capsys):
    one_is_one(left=1 + 1e-9, atol=1e-8)
    first = capsys.readouterr().out
    one_is_one(left=1 - 3e-9, atol=1e-8)
    assert capsys.readouterr().out == first


def test_a_claim_that_fails_says_where_and_by_how_much():
    left = np.array([[0.0, 0.0], [0.0, 0.25]])
    with pytest.raises(ClaimError, match=message(
            "A1 fails: one is one: left == right is violated by 0.25 at (1, 1), the tolerance is 0.1")):
        one_is_one(left=left, right=np.zeros((2, 2)), control=left + 1, atol=0.1)


def test_the_tolerance_may_be_reached_but_not_passed():
    one_is_one(left=1.5, atol=0.5)
    with pytest.raises(ClaimError):
        one_is_one(left=np.nextafter(1.5, 2), atol=0.5)


def test_the_relative_tolerance_is_of_the_right_side():
    one_is_one(left=[1.0, 110.0], right=[1.0, 100.0], rtol=0.1, control=[2.0, 100.0])
    with pytest.raises(ClaimError):
        one_is_one(left=[100.0], right=[111.0], rtol=0.09, control=[0.0])


@pytest.mark.parametrize("relation, left, right, control", [
    ("<=", [0.0, 1.0], [1.0, 1.0], [0.0, 1.5]),
    (">=", [2.0, 1.0], [1.0, 1.0], [2.0, 0.5]),
])
def test_an_inequality_holds_one_way_only(relation, left, right, control):
    one_is_one(left=left, right=right, control=control, relation=relation)
    with pytest.raises(ClaimError, match=re.escape(f"left {relation} right is violated by 0.5 at (1,)")):
        one_is_one(left=control, right=right, control=control, relation=relation)


def test_a_control_that_passes_is_refused():
    with pytest.raises(ClaimError, match=message(
            "the control of A1 passes (distance 0.5, tolerance 1): a check that cannot fail")):
        one_is_one(control=1.5, atol=1.0)


def test_a_failing_claim_is_reported_before_its_control():
    with pytest.raises(ClaimError, match=r"^A1 fails"):
        one_is_one(left=2.0, control=1.0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_nan_fails(side):
    with pytest.raises(ClaimError, match=re.escape("violated by nan at (1,), the tolerance is 1e+09")):
        one_is_one(**{"left": [1.0, 1.0], "right": [1.0, 1.0], side: [1.0, np.nan]}, atol=1e9, control=[1e12, 0.0])


def test_nan_fails_an_inequality_too():
    with pytest.raises(ClaimError, match="violated by nan"):
        one_is_one(left=np.nan, relation="<=")


@pytest.mark.parametrize("bad", [np.nan, np.inf, (1.0, np.nan)])
def test_a_control_must_be_finite(bad):
    with pytest.raises(ValueError, match=message(
            "the control of A1 must be a finite broken variant, got NaN or infinity")):
        one_is_one(control=bad)


@pytest.mark.parametrize("form", [2.0, lambda: 2.0, (2.0, 1.0), lambda: (1.0, 0.0)])
def test_a_control_may_be_a_value_a_pair_or_a_function(capsys, form):
    one_is_one(control=form)
    assert capsys.readouterr().out.endswith("(exactly, control fails)\n")


def test_shapes_must_agree():
    with pytest.raises(ClaimError, match=message("A1: one is one: the two sides have shapes (3,) and (2,)")):
        one_is_one(left=np.ones(3), right=np.ones(2), control=np.zeros(3))
    with pytest.raises(ClaimError, match=message("A1: one is one: the two sides have shapes (3,) and (3, 1)")):
        one_is_one(left=np.ones(3), right=np.ones((3, 1)), control=np.zeros(3))
    with pytest.raises(ClaimError, match=message("A1: one is one: the two sides are empty")):
        one_is_one(left=[], right=[], control=[1.0])


def test_a_scalar_on_the_right_is_compared_with_every_entry():
    one_is_one(left=np.ones((2, 3)), right=1.0, control=np.zeros((2, 3)))
    with pytest.raises(ClaimError, match=re.escape("by 1 at (1, 2)")):
        one_is_one(left=[[1, 1, 1], [1, 1, 2]], right=1.0, control=0.0)


def test_tensors_and_truth_values_are_numbers(capsys):
    one_is_one(left=torch.ones(2, requires_grad=True), right=np.ones(2), control=torch.zeros(2))
    one_is_one(left=np.array([True, True]), right=True, control=np.array([True, False]))
    assert capsys.readouterr().out.count("A1 holds") == 2


def test_every_part_must_hold(capsys):
    sides = {"left": {"small": 1.0, "large": 100.0}, "right": {"small": 1.0, "large": 101.0},
             "control": {"small": 2.0, "large": 0.0}}
    one_is_one(**sides, atol={"small": 0.0, "large": 1.0})
    assert capsys.readouterr().out == "A1 holds: one is one (exactly, within 1, controls fail)\n"
    with pytest.raises(ClaimError, match=message(
            "A1, part 'large' fails: one is one: left == right is violated by 1 at (), the tolerance is 0.5")):
        one_is_one(**sides, atol={"small": 0.0, "large": 0.5})
    with pytest.raises(ClaimError, match=message(
            "the control of A1, part 'small' passes (distance 1, tolerance 1): a check that cannot fail")):
        one_is_one(**sides, atol=1.0)


@pytest.mark.parametrize("side", ["right", "control"])
def test_parts_must_be_the_same_on_both_sides(side):
    sides = {"left": {"a": 1.0, "b": 1.0}, "right": {"a": 1.0, "b": 1.0}, "control": {"a": 2.0, "b": 2.0}}
    with pytest.raises(ValueError, match=message(f"{side} must be a dict with the parts ['a', 'b'], got ['a']")):
        one_is_one(**(sides | {side: {"a": 1.0}}))
    with pytest.raises(ValueError, match=message(f"{side} must be a dict with the parts ['a', 'b'], got float")):
        one_is_one(**(sides | {side: 1.0}))


@pytest.mark.parametrize("options, words", [
    ({"name": "Z9"}, f"a claim's id must be one of the ledger's, {', '.join(ledger.LEDGER)}; got 'Z9'"),
    ({"relation": "~"}, "relation must be one of '==', '<=', '>=', got '~'"),
    ({"why": " "}, "why must be a sentence, got ' '"),
    ({"why": None}, "why must be a sentence, got None"),
    ({"atol": -1.0}, "tolerances must not be negative, got atol=-1.0, rtol=0.0"),
    ({"rtol": float("nan")}, "tolerances must not be negative, got atol=0.0, rtol=nan"),
])
def test_bad_calls_say_what_must_hold_and_what_came(options, words):
    with pytest.raises(ValueError, match=message(words)):
        one_is_one(**options)


def test_a_claim_needs_a_statement():
    with pytest.raises(ValueError, match=message("statement must be a sentence, got ''")):
        claim("A1", "", 1, 1, why=WHY, control=2)


@pytest.mark.parametrize("value", ["1", "A1", "B5,A1"])
def test_a_control_switched_on_turns_the_claim_red(monkeypatch, value):
    monkeypatch.setenv("LOCMETHODS_CONTROLS", value)
    for control in (2.0, lambda: 2.0, (3.0, 2.0)):
        with pytest.raises(ClaimError, match=message(
                "A1 fails: one is one: left == right is violated by 1 at (), the tolerance is 0")):
            one_is_one(control=control)


@pytest.mark.parametrize("value", ["", "0", "A10", "B5,A10"])
def test_the_controls_of_other_claims_leave_this_one_green(monkeypatch, capsys, value):
    monkeypatch.setenv("LOCMETHODS_CONTROLS", value)
    one_is_one()
    assert capsys.readouterr().out.startswith("A1 holds")


def test_a_red_claim_leaves_no_record(monkeypatch, chapter):
    monkeypatch.setenv("LOCMETHODS_CONTROLS", "1")
    with pytest.raises(ClaimError):
        one_is_one()
    assert not (chapter / "A1.json").exists()


def test_the_record_holds_what_the_ledger_shows(chapter):
    one_is_one(left=1.25, atol=0.5, control=3.0)
    text = (chapter / "A1.json").read_text()
    assert json.loads(text) == {
        "id": "A1", "statement": "one is one", "chapter": "means", "relation": "==", "tolerance": "within 0.5",
        "why": WHY, "distance": {"": 0.25}, "control_distance": {"": 2.0}}
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert [path.name for path in chapter.iterdir()] == ["A1.json"]


def test_a_reader_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_is_one()
    assert not list(tmp_path.iterdir())


def test_a_claim_is_checked_once_in_a_chapter(chapter):
    one_is_one()
    with pytest.raises(ValueError, match=message(
            "A1 is checked twice in the chapter 'means'; give its parts as dicts instead")):
        one_is_one()


def test_a_claim_is_checked_in_its_own_chapter(chapter):
    with pytest.raises(ValueError, match=message(
            "the ledger has B5 in the chapter 'trick', but 'means' checks it")):
        one_is_one("B5")


def test_the_ledger_has_every_claim_of_the_theory():
    assert {f"A{i}" for i in range(1, 20)} | {f"B{i}" for i in range(1, 16)} <= set(ledger.LEDGER)
    for name, entry in ledger.LEDGER.items():
        assert entry.kinds and set(entry.kinds) <= set(ledger.KINDS), f"{name} is of an unknown kind: {entry.kinds}"
