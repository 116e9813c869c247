"""The references: labels as the text has them, in order, each work with the links that are known of it."""

import re
from pathlib import Path

import pytest
from pybtex.database import Entry, Person, parse_file

from locmethods.companion.build.bibliography import Labels, Style

BOOK = Path(__file__).resolve().parent.parent / "book"


@pytest.fixture(scope="module")
def works():
    return parse_file(BOOK / "references.bib")


@pytest.fixture(scope="module")
def listed(works):
    """Return {key: (label, HTML)} of the book's bibliography, in the order of the list."""
    found = Style().format_bibliography(works)
    return {entry.key: (entry.label, entry.text.render_as("html")) for entry in found}


def entry(*names, year="2001", role="author"):
    return Entry("book", fields={"year": year, "title": "A title"}, persons={role: [Person(name) for name in names]})


@pytest.mark.parametrize("one, label", [
    (entry("Fan, J."), "Fan, 2001"), (entry("Fan, J.", "Gijbels, I."), "Fan and Gijbels, 2001"),
    (entry("A, A.", "B, B.", "C, C."), "A et al., 2001"), (entry("van der Maaten, L."), "van der Maaten, 2001"),
    (entry(r"Carreira-Perpi{\~n}{\'a}n, M."), "Carreira-Perpiñán, 2001"), (entry("Ed, E.", role="editor"), "Ed, 2001"),
    (entry(), "A title, 2001"),
])
def test_a_label_is_author_and_year(one, label):
    assert Labels().format_labels([one]) == [label]


def test_two_works_of_one_author_and_year_have_letters():
    works = [entry("Fan, J."), entry("Fan, J.", year="2002"), entry("Fan, J.")]
    assert Labels().format_labels(works) == ["Fan, 2001a", "Fan, 2002", "Fan, 2001b"]


def test_no_two_works_of_the_book_have_the_same_label(listed):
    labels = [label for label, _ in listed.values()]
    assert len(set(labels)) == len(labels) > 200


def test_the_list_is_in_the_order_of_its_authors(listed, works):
    entries = works.entries
    first = [" ".join((*entries[key].persons["author"][0].prelast_names, *entries[key].persons["author"][0].last_names))
             for key in listed]
    assert [name.lower() for name in first] == sorted(name.lower() for name in first)


def test_what_is_known_of_where_a_work_can_be_read_is_a_link(listed, works):
    for key, one in works.entries.items():
        text, links = listed[key][1], re.findall(r'href="([^"]+)"', listed[key][1])
        if "doi" in one.fields:
            assert f"https://doi.org/{one.fields['doi']}" in links, key
        if "url" in one.fields:
            assert one.fields["url"] in [link.replace("&amp;", "&") for link in links], key
        if "arXiv:" in one.fields.get("note", ""):
            assert text.count("arXiv:") == 1 and any("arxiv.org/abs/" in link for link in links), key
    assert 'href="https://arxiv.org/abs/2605.20635">arXiv:2605.20635</a>' in listed["song2026"][1]
