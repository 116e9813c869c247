"""A claim holds, fails, or is refused because nothing could make it fail."""

import json
import re

import numpy as np
import pytest
import torch

from locmethods.companion import at_least, at_most, check, claim, claims, order, same
from locmethods.companion.checking import check as checking
from locmethods.companion.checking.evidence import ClaimError

WORDS = {"because": "both are written down", "how": "two in the place of one"}


def message(text):
    return "^" + re.escape(text) + "$"


def one_is_one(left=1.0, right=1.0, broken=2.0, relation=same, **options):
    return relation("sides", left, right, broken=broken, **WORDS | options)


def claimed(*parts, kind="identity", sources=()):
    """Return a claim that yields these parts."""
    @claim("A1", kind=kind, sources=sources)
    def ones(seed=0):
        """One is one."""
        yield from parts

    return ones


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """Start as a reader does: no chapter, no records, no control switched on."""
    for name in ("LOCMETHODS_RECORDS", "LOCMETHODS_CHAPTER", "LOCMETHODS_CONTROLS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def book(monkeypatch):
    """Let the book have these claims alone: a dict of stem to claims, to be filled."""
    found = {"means": [], "trick": []}
    monkeypatch.setattr(claims, "stems", lambda: list(found))
    monkeypatch.setattr(claims, "of", found.__getitem__)
    return found


@pytest.fixture
def chapter(monkeypatch, tmp_path):
    """Run as the chapter means, and return the folder of its claims' records."""
    monkeypatch.setenv("LOCMETHODS_RECORDS", str(tmp_path))
    monkeypatch.setenv("LOCMETHODS_CHAPTER", "means")
    return tmp_path / "claims" / "means"


# The evidence


@pytest.mark.parametrize("options, bound", [
    ({}, "exactly"), ({"within": 1e-8}, "within 1e-08"), ({"relative": 0.1}, "within 0.1 relative"),
    ({"within": 1e-8, "relative": 0.1}, "within 1e-08 + 0.1 relative"),
])
def test_a_bound_is_said_in_words(options, bound):
    assert one_is_one(**options).bound == bound


def test_the_bound_may_be_reached_but_not_passed():
    assert one_is_one(left=1.5, within=0.5).distance() == (0.0, 0.5, ())
    assert one_is_one(left=np.nextafter(1.5, 2), within=0.5).distance()[0] > 0


def test_the_relative_bound_is_of_the_right_side():
    part = one_is_one(left=[1.0, 111.0], right=[1.0, 100.0], relative=0.1, broken=[2.0, 100.0])
    assert part.distance() == (pytest.approx(1.0), 11.0, (1,))


@pytest.mark.parametrize("relation, left, right, broken", [
    (at_most, [0.0, 1.0], [1.0, 1.0], [0.0, 1.5]), (at_least, [2.0, 1.0], [1.0, 1.0], [2.0, 0.5]),
])
def test_an_inequality_holds_one_way_only(relation, left, right, broken):
    part = one_is_one(left, right, broken, relation)
    assert part.distance()[0] <= 0
    assert part.distance(part.broken)[1:] == (0.5, (1,))


@pytest.mark.parametrize("relation", [same, at_most, at_least])
def test_nan_is_out_of_any_bounds(relation):
    assert one_is_one([1.0, np.nan], [1.0, 1.0], [1e12, 0.0], relation, within=1e9).distance()[::2] == (np.inf, (1,))


@pytest.mark.parametrize("broken", [np.nan, np.inf, (1.0, np.nan), (1.0, 2.0, 3.0)])
def test_a_broken_twin_is_finite(broken):
    with pytest.raises(ValueError, match=message(
            "the broken twin of 'sides' must be finite, a left side or a pair of sides")):
        one_is_one(broken=broken)


def test_shapes_must_agree():
    for left, right in ((np.ones(3), np.ones(2)), (np.ones(3), np.ones((3, 1)))):
        with pytest.raises(ClaimError, match=message(f"the two sides have shapes {left.shape} and {right.shape}")):
            one_is_one(left, right).distance()
    with pytest.raises(ClaimError, match=message("the two sides are empty")):
        one_is_one([], []).distance()


def test_tensors_and_truth_values_are_numbers_and_words_are_not():
    assert one_is_one(torch.ones(2, requires_grad=True), [True, True]).distance()[0] == 0
    with pytest.raises(ValueError, match=message("the sides of a claim must be numbers, got an array of dtype <U1")):
        one_is_one(np.array(["a"]))


@pytest.mark.parametrize("options, words", [
    ({"because": " "}, "because must be words, got ' '"), ({"how": None}, "how must be words, got None"),
    ({"within": -1.0}, "bounds must not be negative, got within=-1.0, relative=0.0"),
    ({"relative": float("nan")}, "bounds must not be negative, got within=0.0, relative=nan"),
])
def test_a_part_says_what_it_lacks(options, words):
    with pytest.raises(ValueError, match=message(words)):
        one_is_one(**options)


def test_an_order_is_a_slope_over_three_sizes_or_more():
    sizes = np.array([1.0, 2.0, 4.0])
    part = order("rate", sizes, -3 * sizes**2, 2, within=1e-12, broken=sizes, **WORDS)
    assert part.order and part.distance()[0] <= 0 and part.distance(part.broken)[1] == pytest.approx(1.0)
    for few in ([1.0, 2.0], [1.0, 2.0, 2.0]):
        with pytest.raises(ValueError, match="the order of 'rate' must be measured over at least 3 sizes, got"):
            order("rate", few, few, 1, within=0.1, broken=few, **WORDS)


# The claim


def test_a_claim_is_made_of_its_function():
    @claim("Z9", kind=("identity", "counter-example"), sources=("cover1967",))
    def something(seed=0):
        r"""A sentence with $\tilde K$,
        over two lines.

        And what is not part of it.
        """
        yield one_is_one(left=helped(seed))

    assert (something.id, something.kinds, something.sources) == ("Z9", ("identity", "counter-example"), ("cover1967",))
    assert something.sentence == r"A sentence with $\tilde K$, over two lines." and something.stem == "test_checking"
    assert [part.left for part in something.parts(seed=5)] == [5.0]
    assert something.source().count("def ") == 3, "helped and one_is_one come along"


def helped(number):
    """Return a number."""
    return float(number)


@pytest.mark.parametrize("options, words", [
    ({"name": "1A"}, "a claim's id must be a letter and a number, got '1A'"),
    ({"kind": "guess"}, "the kind of A1 must be of identity, inequality, limit, order, monotone, capacity, algorithm, "
                        "counter-example; got 'guess'"),
    ({"sources": ("Cover 1967",)}, "the sources of A1 must be a tuple of keys such as 'cover1967', got "
                                   "('Cover 1967',)"),
    ({"sources": "cover1967"}, "the sources of A1 must be a tuple of keys such as 'cover1967', got 'cover1967'"),
])
def test_a_claim_says_what_is_wrong_with_it(options, words):
    given = {"name": "A1", "kind": "identity"} | options
    with pytest.raises(ValueError, match=message(words)):
        claim(given.pop("name"), **given)(lambda seed=0: None)


@pytest.mark.parametrize("sentence, words", [
    ("", "A1 must have its sentence as the docstring of nothing"),
    ("No stop", "the sentence of A1 must end with a full stop, got 'No stop'"),
])
def test_a_claim_has_a_sentence(sentence, words):
    def nothing(seed=0):
        yield one_is_one()

    nothing.__doc__ = sentence
    with pytest.raises(ValueError, match=message(words)):
        claim("A1", kind="identity")(nothing)


def test_a_claim_yields_evidence():
    with pytest.raises(ValueError, match="A1 must yield parts, made by same, at_most, at_least or order; it gave"):
        claimed().parts()
    with pytest.raises(ValueError, match=message("the parts of A1 must have names of their own, got ['sides', "
                                                 "'sides']")):
        claimed(one_is_one(), one_is_one()).parts()
    with pytest.raises(ValueError, match=message("A1 is called an order: one of its parts must measure a slope, with "
                                                 "order")):
        claimed(one_is_one(), kind="order").parts()


# The check


@pytest.fixture
def said(monkeypatch):
    """Return what is displayed: (data, metadata) of each display."""
    import IPython.display

    found = []
    monkeypatch.setattr(IPython.display, "publish_display_data", lambda *both: found.append(both))
    return found


def test_a_claim_that_holds_says_so_in_one_line(book, said):
    book["means"] = [claimed(one_is_one(left=1 + 1e-9, within=1e-8))]
    check("A1")
    [(data, metadata)] = said
    assert data["text/plain"] == "A1 holds: One is one (within 1e-08; with two in the place of one it fails)"
    assert metadata == {"locmethods": {"claim": "A1"}}
    assert data["text/markdown"].splitlines()[0] == "**A1** One is one."
    book["means"] = [claimed(one_is_one(left=1 - 3e-9, within=1e-8))]
    check("A1")
    assert said[1] == said[0], "no measured number is printed"


def test_a_claim_that_fails_says_where_and_by_how_much(book):
    left = np.array([[0.0, 0.0], [0.0, 0.25]])
    book["means"] = [claimed(one_is_one(left, np.zeros((2, 2)), left + 1, within=0.1))]
    with pytest.raises(ClaimError, match=message(
            "A1, sides fails: One is one. The sides should be same; they miss it by 0.25 at (1, 1), and within 0.1 is "
            "allowed")):
        check("A1")


def test_a_broken_twin_that_passes_is_refused(book):
    book["means"] = [claimed(one_is_one(broken=1.5, within=1.0))]
    with pytest.raises(ClaimError, match=message(
            "the broken twin of A1, sides passes with two in the place of one: its distance is 0.5, and within 1 is "
            "allowed. A check that cannot fail is none")):
        check("A1")


@pytest.mark.parametrize("value", ["1", "A1", "B5,A1"])
def test_a_control_switched_on_turns_the_claim_red(monkeypatch, book, value):
    book["means"] = [claimed(one_is_one())]
    monkeypatch.setenv("LOCMETHODS_CONTROLS", value)
    with pytest.raises(ClaimError, match=r"^A1, sides fails"):
        check("A1")


@pytest.mark.parametrize("value", ["", "0", "A10", "B5,A10"])
def test_the_controls_of_other_claims_leave_this_one_green(monkeypatch, book, said, value):
    book["means"] = [claimed(one_is_one())]
    monkeypatch.setenv("LOCMETHODS_CONTROLS", value)
    check("A1")
    assert len(said) == 1


def test_the_record_holds_what_the_card_shows(book, said, chapter):
    book["means"] = [claimed(one_is_one(left=1.25, within=0.5, broken=3.0), sources=("cover1967",))]
    check("A1")
    text = (chapter / "A1.json").read_text()
    record = json.loads(text)
    assert record.pop("source").startswith('@claim("A1"')
    assert record == {
        "id": "A1", "chapter": "test_checking", "sentence": "One is one.", "kinds": ["identity"],
        "sources": ["cover1967"], "function": "ones", "parts": [{
            "name": "sides", "relation": "same", "bound": "within 0.5", "because": WORDS["because"],
            "how": WORDS["how"], "order": False, "within": 0.5, "relative": 0.0, "distance": 0.25, "broken": 2.0}]}
    assert [path.name for path in chapter.iterdir()] == ["A1.json"]
    with pytest.raises(ValueError, match=message("A1 is checked twice on the page 'test_checking'")):
        check("A1")


def test_a_red_claim_leaves_no_record(monkeypatch, book, chapter):
    book["means"] = [claimed(one_is_one())]
    monkeypatch.setenv("LOCMETHODS_CONTROLS", "1")
    with pytest.raises(ClaimError):
        check("A1")
    assert not chapter.exists()


def test_a_page_checks_its_own_claims(book, said, chapter):
    book["trick"] = [claimed(one_is_one())]
    book["means"] = [claim("A2", kind="identity")(book["trick"][0].function)]
    with pytest.raises(ValueError, match=message("the page means has the claims A2; got 'A1'")):
        check("A1")


def test_a_reader_checks_any_claim(book, said):
    book["trick"] = [claimed(one_is_one())]
    check("A1")
    with pytest.raises(ValueError, match=message("the book has the claims A1; got 'A7'")):
        check("A7")


def test_the_words_of_a_claim_are_said_once():
    parts = [one_is_one(), one_is_one(within=1.0, how="three")]
    assert checking.in_words(parts) == "exactly, within 1; with two in the place of one or with three it fails"
