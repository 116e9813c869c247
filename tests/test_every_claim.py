"""Every claim of the book holds, and each of its broken twins fails, at other seeds than its page's too."""

from pathlib import Path

import pytest

from locmethods.companion import claims
from locmethods.companion.build import pages
from locmethods.companion.checking import sabotage, wreckage
from locmethods.companion.checking.check import judge

ROOT = Path(__file__).resolve().parent.parent
PAGES = [page for page in pages.chapters(ROOT) if page.stem not in claims.WITHOUT]
EVERY = [one for page in PAGES for one in claims.of(page.stem)]
# None was chosen; the page's own, 0, is checked by the page.
SEEDS = (1, 2, 3, 5, 8, 2026)

each_claim = pytest.mark.parametrize("one", EVERY, ids=[one.id for one in EVERY])
each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


@pytest.mark.slow
@each_claim
@pytest.mark.parametrize("seed", SEEDS)
def test_a_claim_holds_at_other_seeds(one, seed):
    parts = one.parts(seed)
    assert parts and all(len(judge(one, part)) == 2 for part in parts)


def test_ids_are_the_books_own():
    ids = [one.id for one in EVERY]
    assert len(set(ids)) == len(ids), sorted({name for name in ids if ids.count(name) > 1})


@each_page
def test_what_was_broken_is_what_the_page_presents(page):
    """The committed table belongs to the page as it stands, and has no hole."""
    kept = wreckage.kept(ROOT).get(page.stem, [])
    assert [row[:2] for row in kept] == [(one.name, one.how) for one in sabotage.breaks(page)], "run make sabotage"
    assert [row for row in kept if not row[2]] == [], "nobody notices"


@pytest.mark.slow
@each_page
def test_whatever_a_page_presents_is_noticed_when_it_breaks(page):
    found = sabotage.sabotage(page)
    assert found and [one for one in found if not one.noticed] == []
