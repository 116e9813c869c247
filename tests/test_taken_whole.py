"""The whole book taken away: on paper, for a reading device, and as an archive that is known by its checksums."""

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup

from locmethods.companion.build import archive, browser, epub, pages, printed
from locmethods.companion.build.records import write_whole

ROOT = Path(__file__).resolve().parent.parent
HEAD = """<!DOCTYPE html><html><head><title>{title} — A book</title>
<script>window.MathJax = {{}};</script><script defer src="../_static/mathjax/tex-mml-chtml.js"></script></head><body>
<button onclick="window.print()"
  class="btn btn-download-pdf-button" title="Print to PDF"
>
.pdf</button><article class="bd-article"><section id="{stem}"><h1>{title}<a class="headerlink" href="#x">#</a></h1>"""
INTRO = HEAD.format(title="Intro", stem="intro") + """<p>See <a href="means.html#far">there</a>,
<a href="means.html">all</a>, <a href="../figures/a.csv">data</a>, <a href="https://a.example/b">elsewhere</a> &amp;
<span class="math">\\(x_i &lt; y\\)</span>.</p><script>1</script></section></article></body></html>"""
MEANS = HEAD.format(title="Means", stem="means") + """<h2 id="near">Near</h2><p><a href="#near">up</a></p>
<div class="math"><span class="eqno">(1)</span>\\[\\frac{a}{b}\\]</div>
<details><summary><p class="collapsed">Show</p><p class="expanded">Hide</p></summary>x</details>
<figure><img alt="A line" src="../_images/a.svg" onclick="x()"/></figure><div style="height: 1200px"></div>
<h2 id="far">Far</h2><p id="far">words <a href="intro.html#gone">back</a></p></section></article></body></html>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0L1 1"/></svg>'
needs_chromium = pytest.mark.skipif(not any(map(shutil.which, browser.NAMES)), reason="no Chromium here")


@pytest.fixture
def root(tmp_path):
    """Return a book of two pages, its site built."""
    write_whole(tmp_path / "pyproject.toml", '[project]\nname = "small"\nversion = "0.3.0"\n'
                'description = "Words & more"\nauthors = [{name = "A & B"}]\n')
    write_whole(tmp_path / "CHANGELOG.md", "## [0.3.0] - 2028-02-01\n")
    write_whole(tmp_path / "_config.yml", "title: A <small> book\n")
    write_whole(tmp_path / "_toc.yml", "root: book/intro\nparts: [{caption: Theory, chapters: [{file: book/means}]}]\n")
    site = tmp_path / "_build" / "html"
    write_whole(site / "index.html", "first")
    write_whole(site / "book" / "intro.html", INTRO)
    write_whole(site / "book" / "means.html", MEANS)
    write_whole(site / "_images" / "a.svg", SVG)
    shutil.copytree(ROOT / "book" / "_assets" / "mathjax", site / "_static" / "mathjax")
    return tmp_path


# On paper


@pytest.mark.slow
@needs_chromium
def test_the_book_is_printed_with_contents_numbers_bookmarks_and_links(root):
    from pypdf import PdfReader

    printed.make(root)
    folder = root / "_build" / "html" / "downloads"
    assert {path.name for path in folder.iterdir()} == {"small.pdf", "intro.pdf", "means.pdf"}
    content = (folder / "small.pdf").read_bytes()
    assert b"file://" not in content and str(root).encode() not in content
    book = PdfReader(io.BytesIO(content))
    texts = [page.extract_text() for page in book.pages]
    assert "A <small> book" in texts[0] and "Version 0.3.0, 2028-02-01" in texts[0]
    assert re.search(r"Theory\s+Means\W+2\b", texts[1]), "the contents name the page on which a chapter begins"
    assert len(texts) >= 5, "two of front matter, one, and a chapter of two"
    for number, text in enumerate(texts[2:], start=1):
        assert re.search(rf"(^|\s){number}(\s|$)", text), f"page {number} is not numbered"
    first, (theory, [means, sections]) = book.outline[0], book.outline[1:]
    assert [first.title, theory.title, means.title] == ["Intro", "Theory", "Means"]
    assert [item.title for item in sections] == ["Near", "Far"]
    links = [link.get_object() for page in (book.pages[1], book.pages[2]) for link in page["/Annots"]]
    targets = [book.get_page_number(link["/Dest"][0].get_object()) for link in links if "/Dest" in link]
    assert targets == [2, 3, len(texts) - 1, 3], "from the contents; to a place on a page's second sheet, and to a page"
    assert [link["/A"]["/URI"] for link in links if "/A" in link] == ["https://a.example/b"], "a file's link is gone"
    assert '<a href="../downloads/means.pdf" download' in (root / "_build/html/book/means.html").read_text()


@pytest.mark.slow
@needs_chromium
def test_solutions_stand_open_on_paper_and_code_stays_folded(root):
    from pypdf import PdfReader

    folded = '<details class="admonition{kind}"><summary>more</summary><p>{text}</p></details>'
    both = folded.format(kind="", text="the solution") + folded.format(kind=" hide", text="the code")
    write_whole(root / "_build" / "html" / "book" / "means.html", MEANS.replace("<figure>", f"{both}<figure>"))
    printed.make(root)
    sheets = PdfReader(root / "_build" / "html" / "downloads" / "means.pdf").pages
    text = " ".join(sheet.extract_text() for sheet in sheets)
    assert "the solution" in text
    assert "the code" not in text, "opened without its bar, code left an empty box"


def words_on_sheets(root, page, words):
    """Print a page without our rules for paper and with them: which of the words stand on each of its sheets."""
    from pypdf import PdfReader

    rules = f"<style>{(ROOT / 'book' / '_assets' / 'book.css').read_text()}</style>"
    found = []
    for style in ("", rules):
        write_whole(root / "_build" / "html" / "book" / "means.html", style + page)
        printed.make(root)
        sheets = PdfReader(root / "_build" / "html" / "downloads" / "means.pdf").pages
        found.append([[word in sheet.extract_text() for word in words] for sheet in sheets])
    return found


@pytest.mark.slow
@needs_chromium
def test_codes_frame_stands_on_the_sheet_of_its_code(root):
    """Eight lines where four have room: without our rule for paper the frame stays behind, empty."""
    lines = f'<div class="highlight" style="break-inside: avoid"><pre>{"code<br>" * 8}</pre></div>'
    code = f'<div class="cell_input"><span>frame</span>{lines}</div>'
    page = f'<main class="bd-content"><div style="height: 225mm"></div>{code}</main>'
    sheets = words_on_sheets(root, page, ("frame", "code"))
    assert sheets == [[[True, False], [False, True]], [[False, False], [True, True]]]


@pytest.mark.slow
@needs_chromium
def test_a_claim_on_paper_shows_all_its_comparisons_on_the_sheet_of_its_name(root):
    more = '<details class="claim-more"><summary>2 more</summary><p>folded</p></details>'
    card = f'<div class="cell_output"><div class="claim-card" style="height: 40mm">card {more}</div></div>'
    page = f'<main class="bd-content"><div style="height: 235mm"></div><div class="cell_input">name</div>{card}</main>'
    assert words_on_sheets(root, page, ("name", "card", "2 more", "folded")) == [
        [[True, False, False, False], [False, True, True, False]],
        [[False, False, False, False], [True, True, False, True]]]


def test_the_menu_leads_to_the_pages_pdf():
    text = printed.offer(INTRO, "../downloads/intro.pdf")
    assert "window.print" not in text
    link = BeautifulSoup(text, "html.parser").select_one("a.btn-download-pdf-button")
    assert link["href"] == "../downloads/intro.pdf" and link.get_text(strip=True) == ".pdf"


def test_the_first_page_leads_to_what_has_been_made(root):
    page, downloads = root / "_build" / "html" / "book" / "intro.html", root / "_build" / "html" / "downloads"
    printed.offer_book(root)
    assert page.read_text() == INTRO
    write_whole(downloads / "small.pdf", b"x")
    printed.offer_book(root)
    write_whole(downloads / "small.epub", b"x")
    printed.offer_book(root)
    assert re.findall(r'<p class="whole-book">.*?</p>', page.read_text()) == [
        '<p class="whole-book">The whole book to take away: <a href="../downloads/small.pdf" download>PDF</a>, '
        '<a href="../downloads/small.epub" download>EPUB</a>.</p>']


@pytest.mark.parametrize("make", [printed.make, epub.make, archive.make])
def test_without_a_site_there_is_nothing_to_take_away(root, make):
    shutil.rmtree(root / "_build" / "html")
    if make is printed.make and not any(map(shutil.which, browser.NAMES)):
        pytest.skip("no Chromium here")
    with pytest.raises(pages.BookError, match=r"run make book first$"):
        make(root)


def test_without_chromium_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(pages.BookError, match=r"^PDF and EPUB are made by Chromium: install it; none of chromium, "):
        with browser.browser():
            pass


# For a reading device


@pytest.mark.slow
@needs_chromium
def test_the_epub_has_pages_pictures_and_mathematics(root):
    epub.make(root)
    file = root / "_build" / "html" / "downloads" / "small.epub"
    with zipfile.ZipFile(file) as book:
        first = book.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        files = {name: book.read(name) for name in book.namelist()}
    assert files["mimetype"] == b"application/epub+zip" and files["EPUB/images/a.svg"] == SVG.encode()
    trees = {name: ElementTree.fromstring(text) for name, text in files.items()
             if name.endswith((".xhtml", ".opf", ".xml"))}
    maths = [node for name in ("intro", "means") for node in trees[f"EPUB/{name}.xhtml"].iter(
        "{http://www.w3.org/1998/Math/MathML}math")]
    assert [("display" in one.attrib, "".join(one.itertext())) for one in maths] == [(False, "xi<y"), (True, "ab")]
    assert [one.attrib["alttext"] for one in maths] == ["x_i < y", r"\frac{a}{b}"]
    texts = files["EPUB/intro.xhtml"] + files["EPUB/means.xhtml"]
    assert not re.search(rb"\\\(|\\\[|onclick|<script|headerlink|Hide", texts)
    package = trees["EPUB/book.opf"]
    said = {node.attrib["property"] for node in package.iter("{http://www.idpf.org/2007/opf}meta")}
    assert {"schema:accessMode", "schema:accessibilityFeature", "schema:accessibilityHazard"} <= said
    space = "{http://www.idpf.org/2007/opf}"
    listed = {item.get("href") for item in package.iter(f"{space}item")}
    assert {f"EPUB/{name}" for name in listed} == set(files) - {"mimetype", "META-INF/container.xml", "EPUB/book.opf"}
    ids = {item.get("id") for item in package.iter(f"{space}item")}
    spine = [item.get("idref") for item in package.iter(f"{space}itemref")]
    assert spine == ["title", "nav", "page-intro", "page-means"] and set(spine) <= ids
    links = re.findall(r'href="([^"]*)"', (files["EPUB/intro.xhtml"] + files["EPUB/nav.xhtml"]).decode())
    assert links == ["book.css", "means.xhtml#far", "means.xhtml", "https://a.example/b", "book.css", "intro.xhtml",
                     "means.xhtml"]
    before = file.read_bytes()
    epub.make(root)
    assert file.read_bytes() == before, "the same site gives the same bytes"


@pytest.mark.parametrize("text, wanted", [
    (r'<span class="math">\(x\)</span>', ("x", False)),
    (r'<div class="math"><span class="eqno">(1)</span>\[ \frac12 \]</div>', (r"\frac12", True)),
])
def test_mathematics_is_read_as_the_site_writes_it(text, wanted):
    assert epub.formula(BeautifulSoup(text, "html.parser").select_one(".math")) == wanted


def test_mathematics_in_another_form_is_named():
    with pytest.raises(pages.BookError, match=r"^this is not mathematics as the site writes it: \$x\$$"):
        epub.formula(BeautifulSoup('<span class="math">$x$</span>', "html.parser").span)


def test_a_picture_that_is_not_there_is_named(root):
    article = BeautifulSoup('<article><img src="../_images/gone.svg" alt="x"/></article>', "html.parser")
    with pytest.raises(pages.BookError, match=re.escape("means.html shows ../_images/gone.svg, which is not there")):
        epub.adapted(article, "means", {"means"}, {}, {}, root / "_build" / "html", "")


# The archive


def test_the_archive_is_known_by_its_checksums(root):
    write_whole(root / "_build" / "html" / "downloads" / "small.pdf", b"%PDF")
    archive.make(root)
    folder = root / "_build" / "archive"
    assert {path.name for path in folder.iterdir()} == {"small-0.3.0-site.zip", "small-0.3.0.pdf", "SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    with zipfile.ZipFile(folder / "small-0.3.0-site.zip") as site:
        site.extractall(root / "elsewhere")
    top = root / "elsewhere" / "small-0.3.0"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=top, check=True, capture_output=True)
    there = {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    here = {path.relative_to(root / "_build" / "html"): path.read_bytes()
            for path in (root / "_build" / "html").rglob("*") if path.is_file()}
    sums = there.pop(Path("SHA256SUMS"))
    assert there == here and sums.count(b"\n") == len(here)
    write_whole(top / "index.html", "changed")
    assert subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=top, capture_output=True).returncode == 1


def test_an_archive_has_the_same_bytes_whenever_it_is_made(root):
    archive.make(root)
    file = root / "_build" / "archive" / "small-0.3.0-site.zip"
    first = file.read_bytes()
    for path in (root / "_build" / "html").rglob("*.html"):
        path.touch()
    archive.make(root)
    assert file.read_bytes() == first
