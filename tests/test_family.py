"""The family map: what the pages say of their methods, where it is drawn, and how it is read without eyes."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from locmethods.companion import claims
from locmethods.companion.build import book, family, figures, pages
from locmethods.companion.build.records import write_whole
from locmethods.companion.build.style import PAIRS
from locmethods.companion.drawings import family as drawn

ROOT = Path(__file__).resolve().parent.parent
FOUND = family.methods(ROOT)
SVG = '<svg width="9pt" viewBox="0 0 99 9" version="1.1"><g id="a"><path style="fill: #0067a5" d="M0 0"/></g></svg>'
PAGE = """---
chapter:
  family:
    - {name: Mean, kernel: distance, averages: numbers, feedback: false}
    - {name: Shift, kernel: distance, averages: points, feedback: true, claims: {A1: Mean}}
---
# One

```{code-cell} ipython3
```
"""


def table_of(found):
    return figures.Table(figures.as_csv(drawn.columns_of(found)))


def several(seed, n=12):
    """Return a family of random kinds, each joined to two that come before it."""
    rng, found = np.random.default_rng(seed), []
    for number in range(n):
        others = rng.choice(number, min(2, number), replace=False)
        found.append(family.Method(f"Method {number}", "page", str(rng.choice(list(drawn.KERNELS))),
                                   str(rng.choice(list(drawn.AVERAGES))), bool(rng.integers(2)),
                                   {f"A{number * 10 + i}": f"Method {other}" for i, other in enumerate(others)}))
    return found


# What the pages say


def test_the_family_has_the_methods_of_the_thesis():
    names = {one.name for one in FOUND}
    assert {"Local mean", "Mean shift", "Attention", "Denoiser", "Locally linear embedding"} <= names
    assert len(names) == len(FOUND) >= 15


@pytest.mark.parametrize("page", sorted({one.page for one in FOUND}))
def test_an_edge_is_a_claim_of_its_page(page):
    ids = {claim.id for claim in claims.of(page)}
    edges = [claim for one in FOUND if one.page == page for claim in one.claims]
    assert set(edges) <= ids and len(edges) == len(set(edges))


@pytest.fixture
def root(tmp_path):
    write_whole(tmp_path / "_toc.yml", "root: book/intro\nchapters: [{file: book/means}]\n")
    write_whole(tmp_path / "book" / "intro.md", "# intro\n")
    write_whole(tmp_path / "book" / "means.md", PAGE)
    return tmp_path


def test_a_page_places_its_methods(root):
    assert family.methods(root) == [family.Method("Mean", "means", "distance", "numbers", False, {}),
                                    family.Method("Shift", "means", "distance", "points", True, {"A1": "Mean"})]


@pytest.mark.parametrize("old, new, words", [
    ("kernel: distance, averages: numbers", "kernel: near, averages: numbers",
     "book/means.md: kernel of 'Mean' must be one of distance, rank, inner product, given, got 'near'"),
    ("averages: points", "averages: money",
     "book/means.md: averages of 'Shift' must be one of numbers, labels, points, losses, got 'money'"),
    ("feedback: true", "feedback: often", "book/means.md: feedback of 'Shift' must be true or false, got 'often'"),
    ("{A1: Mean}", "[A1]", "book/means.md: claims of 'Shift' must be {id: name of the other method}, got ['A1']"),
    ("{A1: Mean}", "{A1: Median}", "book/means.md joins 'Shift' by A1 to 'Median': there are Mean, Shift"),
    ("{A1: Mean}", "{A1: Shift}", "book/means.md joins 'Shift' by A1 to 'Shift': there are Mean, Shift"),
    ("name: Shift", "name: Mean", "book/means.md places 'Mean' in the family, which stands there already"),
    (", feedback: false", "", "book/means.md: a method of the family has name, kernel, averages, feedback and, if any, "
     "claims; got {'name': 'Mean', 'kernel': 'distance', 'averages': 'numbers'}"),
    ("family:\n    - {name: Mean,", "family:\n      {name: Mean,", "book/means.md"),
])
def test_a_family_that_cannot_be_drawn_is_named(root, old, new, words):
    page = root / "book" / "means.md"
    page.write_text(page.read_text().replace(old, new, 1))
    with pytest.raises(pages.BookError, match=re.escape(words)):
        family.methods(root)


def test_a_family_that_cannot_be_drawn_stops_the_book_before_it_runs(root, monkeypatch):
    monkeypatch.setattr(book, "measurements", lambda root: {})
    write_whole(root / "pyproject.toml", "[project]\n")
    book.check_sources(root)
    page = root / "book" / "means.md"
    page.write_text(page.read_text().replace("feedback: true", "feedback: often"))
    with pytest.raises(pages.BookError, match="feedback of 'Shift'"):
        book.check_sources(root)


# Where it stands


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("found", [pytest.param(FOUND, id="ours"),
                                   pytest.param(several(0), id="random", marks=pytest.mark.slow),
                                   pytest.param(several(1), id="another", marks=pytest.mark.slow)])
@pytest.mark.one_in(2)
def test_nothing_is_drawn_over_a_name(found, narrow):
    table = table_of(found)
    laid, style = drawn.layout(table, narrow), drawn.NARROW if narrow else drawn.WIDE
    rows, columns = np.triu_indices(len(found), 1)
    gap = np.abs(laid.boxes[rows] - laid.boxes[columns])
    assert (gap >= np.array(style.box) - 1e-9).any(1).all(), "two methods overlap"
    tags = np.array([edge.tag for edge in laid.edges])
    corners = np.concatenate([laid.boxes - np.array(style.box) / 2, laid.boxes + np.array(style.box) / 2,
                              tags - drawn.TAG / 2, tags + drawn.TAG / 2])
    assert (corners >= 0).all() and (corners <= np.array(laid.size)).all(), "something is cut off"
    rows, columns = np.triu_indices(len(tags), 1)
    assert (np.abs(tags[rows] - tags[columns]) >= drawn.TAG).any(1).all(), "the names of two claims overlap"
    away = np.abs(tags[:, None] - laid.boxes[None]) >= (np.array(style.box) + drawn.TAG) / 2
    assert away.any(-1).all(), "a claim's name stands on a method"


@pytest.mark.parametrize("narrow", [False, True])
def test_a_method_stands_where_its_kinds_say(narrow):
    table = table_of(FOUND)
    x, y = drawn.layout(table, narrow).boxes.T
    across, down = ("answer", "kernel") if narrow else ("kernel", "answer")
    assert len({(kind, place) for kind, place in zip(table[across], x, strict=True)}) == len(set(table[across]))
    order = list(drawn.KERNELS if narrow else drawn.ANSWERS)
    ends = [(y[table[down] == kind].min(), y[table[down] == kind].max()) for kind in order if kind in table[down]]
    assert all(first[1] < second[0] for first, second in pairwise(ends))


def test_the_figure_holds_all_that_the_pages_say_and_is_drawn_at_both_widths():
    one = family.drawing(FOUND)
    table = table_of(FOUND)
    assert list(table["claim"]) == [claim for method in FOUND for claim in method.claims]
    layouts = figures.layouts_of(one.size, one.panels, one.narrow)
    assert layouts[".narrow"].size[0] == pytest.approx(figures.NARROW, abs=0.01)
    for layout in layouts.values():
        canvas = figures.drawn(one.draw, table, one.name, layout)
        words = {text.get_text().replace("\n", " ") for text in canvas.axes[0].texts}
        assert all(any(words_ == method.name or words_.startswith(f"{method.name} ") for words_ in words)
                   for method in FOUND)
    figures.check_drawn(one.name, table)


def test_methods_that_no_claim_joins_are_drawn_too():
    found = [family.Method("Mean", "means", "distance", "numbers", False, {})]
    assert drawn.layout(table_of(found), False).edges == [] and len(family.links(found, True)) == 1


# How it is read


def test_every_box_and_edge_is_a_link_with_a_name():
    text = family.inline(SVG, FOUND, False) + family.inline(SVG, FOUND, True)
    assert text.count("<a href=") == 2 * (len(FOUND) + sum(len(one.claims) for one in FOUND))
    assert re.findall(r'<a href="([^"]*)" aria-label="claim B5, ([^"]*)"', text) == [
        ("trick.html#claim-B5", "Local line and Mean shift")] * 2
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids)) == 4
    assert not any(light in text for light in PAIRS) and "var(--ink-0067a5)" in text


def test_links_lie_over_what_they_name():
    found = family.links(FOUND, False)
    laid = drawn.layout(table_of(FOUND), False)
    for (_, name, corner, size), middle in zip(found, laid.boxes, strict=False):
        np.testing.assert_allclose(np.array(corner) + np.array(size) / 2, middle, atol=1e-12)
        assert not name.startswith("claim")
    assert len(found) == len(laid.boxes) + len(laid.edges)


def test_the_list_says_what_the_map_shows():
    text = family.listed(FOUND)
    assert text.count("<li>") == len(FOUND)
    assert ('<a href="hopfield.html">Modern Hopfield network</a>: averages points with a kernel of inner products, fed '
            'back; joined by <a href="hopfield.html#claim-G7">G7</a> to Attention') in text


def test_colours_are_those_of_the_figures_in_both_themes():
    text = family.colours()
    for light, dark in PAIRS.items():
        assert f"--ink-{light[1:]}:{light};" in text and f"--ink-{light[1:]}:{dark};" in text
