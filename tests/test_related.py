"""What belongs together on the site: found by the package's own search, the same at every build."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import locmethods as lm
from locmethods.companion.build import cards, pages, related

ROOT = Path(__file__).resolve().parent.parent
TEXTS = {"wine": "# Wine\nRed wine and white wine of the south.", "bread": "# Bread\nBread with wine, and more bread.",
         "rain": "# Rain\nRain falls upon the south.", "oven": "# Oven\nAn oven bakes bread."}


@pytest.fixture
def book(tmp_path):
    """Return the folder of a small book."""
    (tmp_path / "book").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "book" / f"{name}.md").write_text(text)
    (tmp_path / "_toc.yml").write_text("root: book/wine\nchapters:\n" + "".join(
        f"  - file: book/{name}\n" for name in list(TEXTS)[1:]))
    related.found.cache_clear()
    return tmp_path


def test_a_small_book(book):
    near = related.of_pages(book)
    assert list(near) == [f"book/{name}" for name in TEXTS]
    # They share: wine with bread, rain with wine (the south), oven with bread.
    assert near["book/wine"][0] in ("book/bread", "book/rain") and set(near["book/wine"]) >= {"book/bread", "book/rain"}
    assert near["book/oven"][0] == "book/bread" and near["book/rain"][0] == "book/wine"
    assert all(name not in others for name, others in near.items())
    related.found.cache_clear()
    assert related.of_pages(book) == near


def test_it_is_the_package_that_finds_them(book, monkeypatch):
    asked = []

    def spy(index, *args, **options):
        asked.append(index.n_documents_)
        return answer(index, *args, **options)

    answer = lm.retrieval.related
    monkeypatch.setattr(lm.retrieval, "related", spy)
    related.of_pages(book)
    related.of_claims([{"id": f"A{number}", "sentence": text, "parts": [{"name": "it"}]}
                       for number, text in enumerate([*TEXTS.values(), "One more of wine."])])
    assert asked == [4, 5]


def test_prose_has_no_formulas_roles_and_directives():
    text = ("A mean $\\sum_i w_i$ of {doc}`lazy` words {cite}`song2026`.\n$$\nx^2\n$$\n(label)=\n```{exercise}\n"
            ":label: ex-mean\nWhich *mean*?\n```\n~~~python\nfound\n~~~")
    assert related.prose(text).split() == ["A", "mean", "of", "words", ".", "Which", "*mean*?", "found"]


def test_every_page_of_the_book_has_three():
    names = pages.contents(ROOT)
    near = related.of_pages(ROOT)
    assert list(near) == names
    for name, others in near.items():
        assert len(set(others)) == len(others) == 3 and name not in others and set(others) <= set(names)


def test_the_list_at_the_end_of_a_page(book):
    titles = {f"book/{name}": SimpleNamespace(astext=lambda name=name: f"{name} & more") for name in TEXTS}
    builder = SimpleNamespace(get_relative_uri=lambda page, other: f"{other.removeprefix('book/')}.html")
    app = SimpleNamespace(srcdir=book, env=SimpleNamespace(titles=titles, all_docs=titles), builder=builder)
    related.outdated(app, app.env, set(), set(), set())
    context = {"body": "<p>Text</p>"}
    related.append(app, "book/oven", "page.html", context, object())
    assert context["body"].startswith('<p>Text</p><nav class="related-pages" aria-label="Related pages"><p>Related '
                                      'pages</p><ul><li><a href="bread.html">bread &amp; more</a></li>')
    for page, doctree in (("search", object()), ("book/oven", None)):  # what is no page of the book
        context = {"body": ""}
        related.append(app, page, "page.html", context, doctree)
        assert context["body"] == ""


def test_a_change_elsewhere_makes_a_page_anew(book):
    env = SimpleNamespace(all_docs=dict.fromkeys(f"book/{name}" for name in TEXTS))
    app = SimpleNamespace(srcdir=book)
    assert set(related.outdated(app, env, set(), set(), set())) == set(env.all_docs)
    assert related.outdated(app, env, set(), set(), set()) == []
    (book / "book" / "rain.md").write_text("# Rain\nRain upon an oven.")
    assert "book/oven" in related.outdated(app, env, set(), set(), set())


def test_a_row_of_the_ledger_names_the_nearest_claims():
    sentences = "A mean of values.", "The mean of medians.", "Medians are robust.", "Nothing of this kind."
    records = [{"id": f"A{number}", "sentence": sentence, "parts": [{"name": "means"}]}
               for number, sentence in enumerate(sentences)]
    near = related.of_claims(records)
    assert near["A1"][0] in ("A0", "A2") and "A1" not in near["A1"] and related.of_claims([]) == {}
    drawn = cards.ClaimsLedger.near(SimpleNamespace(
        raw=str, markdown=lambda text: []), [record for record in records if record["id"] in near["A2"][:1]])
    assert drawn[0].startswith('<div class="claim-near">') and f'<a href="#ledger-{near["A2"][0]}">' in drawn[1]
