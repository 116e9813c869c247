"""Every claim of the book, with its control switched on: each must turn red, one by one."""

from pathlib import Path

import pytest

from locmethods.companion import claims
from locmethods.companion.build import pages
from locmethods.companion.claims import ledger

PAGES = pages.chapters(Path(__file__).resolve().parent.parent)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
@pytest.mark.filterwarnings("default")  # a chapter's own warnings are the run's affair
def test_every_control_turns_its_claim_red(page, monkeypatch, capsys):
    """Run the page's code without its figures; check each claim as it stands, then with its control."""
    seen = []

    def both_ways(name, *sides, **options):
        claims.claim(name, *sides, **options)
        monkeypatch.setenv(claims.CONTROLS, name)
        with pytest.raises(claims.ClaimError, match=rf"^{name}\b"):
            claims.claim(name, *sides, **options)
        monkeypatch.delenv(claims.CONTROLS)
        seen.append(name)

    space = {}
    for cell in pages.code_cells(pages.read(page)):
        exec(compile(cell.source, page.name, "exec"), space)
        space |= {"claim": both_ways, "figure": lambda *a, **k: None, "frames": lambda *a, **k: None}
    assert sorted(seen) == sorted(name for name, entry in ledger.LEDGER.items() if entry.chapter == page.stem)
    assert capsys.readouterr().out.count(" holds: ") == len(seen)
