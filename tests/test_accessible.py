"""What is mended in the theme's pages, and that the site's own browser run looks for the rest."""

import hashlib
import re
from pathlib import Path

import pytest

from locmethods.companion.build import fonts
from locmethods.companion.build.accessible import in_lines, mend

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "book" / "_assets"


@pytest.mark.parametrize("page, mended", [
    ('<button class="btn search-button-field x" title="Search" aria-label="Search" data-y="">Search Ctrl</button>',
     '<button class="btn search-button-field x" title="Search" data-y="">Search Ctrl</button>'),
    ('<i class="theme-switch fa-sun  fa-lg" data-mode="light" title="Light"></i>',
     '<i class="theme-switch fa-sun  fa-lg" data-mode="light"></i>'),
    ('<div id="pst-primary-sidebar" class="x">',
     '<div id="pst-primary-sidebar" role="navigation" aria-label="The book" class="x">'),
    ('<summary aria-label="Toggle hidden content">\n<p>Show</p>', "<summary>\n<p>Show</p>"),
    ('<section id="exercise-content">', "<section>"), ('<section id="content">', '<section id="content">'),
    ('<div class="citation" id="id9" role="doc-biblioentry">', '<div class="citation" id="id9" role="listitem">'),
    ("<tr><th></th><th>a</th></tr>", "<tr><td></td><th>a</th></tr>"),
    ('<span class="bibtex-citation" id="id1">', '<span class="bibtex-citation">'),
    ('a<div id="ethical-ad-placement"\n class="flat">\n</div>b', "ab"),
    ('a\n<script src="../searchindex.js"></script>\n<script src="../_static/searchtools.js"></script>b', "ab"),
    ('<script src="../_static/search.js"></script><dl><dd>a list</dd></dl>',
     '<script src="../_static/search.js"></script><dl><dd>a list</dd></dl>'),
    ('<dt class="sig x" id="f"><span>f</span>(<dl>\n<dd>a,</dd>\n</dl>)</dt><dd>words</dd>',
     '<dt class="sig x" id="f"><span>f</span>(<span class="sig-lines">\n<span class="sig-line">a,</span>\n</span>)</dt>'
     '<dd>words</dd>'),
])
def test_each_piece_is_mended_and_nothing_else(page, mended):
    assert mend(page) == mended and mend(mended) == mended


def test_a_signature_keeps_its_text():
    signature = "<em>f</em>(<dl>\n<dd>a,</dd>\n<dd>b</dd>\n</dl>\n)"
    text = re.compile("<.*?>")
    assert text.sub("", in_lines(signature)) == text.sub("", signature)


def test_the_theme_still_has_the_pieces_that_are_mended():
    """A theme that writes them otherwise would be mended nowhere; axe would say so much later."""
    import myst_nb
    import pydata_sphinx_theme

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
    written = "".join(path.read_text() for path in theme.rglob("*.html"))
    for piece in ('<button class="btn search-button-field', '<i class="theme-switch ', '<div id="pst-primary-sidebar"',
                  "searchindex.js", "ethical-ad-placement"):
        assert piece in written, piece
    assert '"Toggle hidden content"' in (Path(myst_nb.__file__).parent / "sphinx_.py").read_text()


# The fonts


@pytest.mark.parametrize("file", fonts.FONTS)
def test_a_font_is_what_its_authors_published(file):
    assert hashlib.sha256((ASSETS / "fonts" / file).read_bytes()).hexdigest() == fonts.FONTS[file]


def test_the_style_loads_each_font_and_no_other():
    loaded = re.findall(r'url\("fonts/([^"]+)"\)', (ASSETS / "book.css").read_text())
    assert sorted(loaded) == sorted(fonts.FONTS)
    assert {path.name for path in (ASSETS / "fonts").iterdir()} == {*fonts.FONTS, "LICENSE"}
    assert "SIL OPEN FONT LICENSE" in (ASSETS / "fonts" / "LICENSE").read_text()
    assert "book/_assets/fonts" in (ROOT / "LICENSE-TEXT.md").read_text()
