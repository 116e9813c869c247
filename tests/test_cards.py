"""What a card says and where its marks stand."""

import re

import pytest

from locmethods.companion.build import cards

PART = {"name": "ties", "relation": "same", "bound": "within 1e-15", "because": "one rounding", "order": False,
        "how": "five neighbours instead of four", "within": 1e-15, "relative": 0.0, "distance": 0.0, "broken": 0.25}


@pytest.mark.parametrize("distance, words", [
    (0, "0"), (1e-15, "10⁻¹⁵"), (2.4e-9, "2 · 10⁻⁹"), (0.025, "0.025"), (3, "3"), (4321, "4.3e+03"),
    (12345, "10⁴"),
])
def test_a_distance_is_said_with_the_digits_that_count(distance, words):
    assert cards.magnitude(distance) == words


def test_the_bar_is_logarithmic_and_nothing_stands_at_its_left_end():
    assert cards.place(0) == 0
    assert cards.place(1e-30) == 1, "what is tiny is not nothing"
    assert cards.place(1e4) == cards.place(1e9) == 100
    assert cards.place(1e-5) - cards.place(1e-10) == pytest.approx(cards.place(1) - cards.place(1e-5))


@pytest.mark.parametrize("change, words", [
    ({}, "**ties**: equal to within 10⁻¹⁵ (one rounding); it fails with five neighbours instead of four."),
    ({"within": 0.0}, "**ties**: exactly equal (one rounding); it fails with five neighbours instead of four."),
    ({"relation": "at most", "relative": 0.1}, "**ties**: nowhere larger to within 10⁻¹⁵ and 0.1 of its size (one "
                                               "rounding); it fails with five neighbours instead of four."),
    ({"order": True}, "**ties**: a measured slope to within 10⁻¹⁵ (one rounding); it fails with five neighbours "
                      "instead of four."),
])
def test_a_part_in_words(change, words):
    assert cards.in_words(PART | change) == words


def test_the_bar_shows_the_two_sides_the_bound_and_the_broken_twin():
    drawn = cards.bar(PART)
    assert 'role="img" aria-label="The two sides are 0 apart, the broken ones 0.25."' in drawn
    truth, broken = (float(re.search(rf'class="{kind}" style="left:([\d.]+)%"', drawn)[1])
                     for kind in ("truth", "broken"))
    allowed = float(re.search(r'class="allowed" style="width:([\d.]+)%"', drawn)[1])
    assert truth < allowed < broken


def test_a_relative_bound_ends_between_the_two_marks():
    drawn = cards.bar(PART | {"within": 0.0, "relative": 1e-3, "distance": 1e-6, "broken": 1e-2})
    allowed = float(re.search(r'class="allowed" style="width:([\d.]+)%"', drawn)[1])
    assert cards.place(1e-6) < allowed < cards.place(1e-2)
