"""Every entry compiles: the bibliography's and those that the book gives its readers."""

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pybtex.errors
import pytest
from pybtex.database import parse_string

from locmethods.companion.build import bibtex, metadata, pages
from locmethods.companion.build.pages import BookError

ROOT = Path(__file__).resolve().parent.parent
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text()
NEEDED = {"article": {"title", "journal", "year"}, "inproceedings": {"title", "booktitle", "year"},
          "book": {"title", "publisher", "year"}, "incollection": {"title", "booktitle", "publisher", "year"},
          "phdthesis": {"title", "school", "year"}, "techreport": {"title", "institution", "year"},
          "misc": {"title", "year"}}
# Read as they stand by biber: what is special elsewhere is a sign like others there.
VERBATIM = {"doi", "url"}
MONTHS = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
COMMANDS = {"emph", "textbackslash", "textasciicircum", "textasciitilde", "ldots", "texttt",
            "ss", "o", "O", "ae", "l", "L", "aa", "i", "c", "v", "u", "H", "k", "r"}
# Of LaTeX itself: amsmath is a package that an article may lack.
MATHEMATICS = set("""alpha beta gamma delta varepsilon epsilon theta lambda mu nu pi rho sigma tau phi varphi psi omega
    Gamma Delta Lambda Sigma Phi Omega pm times cdot le ge approx ne to infty sqrt cos in circ frac Vert vert sum mathrm
    mathbf tilde hat bar log exp max min top ell partial ll""".split())


def captions():
    """Return {figure: (chapter, caption)} of every figure, as the frozen notebooks show them."""
    found = {}
    for page in pages.chapters(ROOT):
        notebook = nbformat.read(page.parent / "notebooks" / f"{page.stem}.ipynb", as_version=4)
        for cell in pages.code_cells(notebook):
            for output in cell.outputs:
                text = output.get("data", {}).get("text/plain", "")
                if shown := re.match(r"Figure ([a-z0-9-]+): (.*)\n\[", text, re.DOTALL):
                    found[shown[1]] = page.stem, shown[2]
    return found


CAPTIONS = captions()


def given():
    """Return the entries that the book gives its readers, as one text."""
    records = [{"name": name, "chapter": stem, "caption": caption, "checksum": f"{number:064x}"}
               for number, (name, (stem, caption)) in enumerate(CAPTIONS.items())]
    figures = [bibtex.of_figure(record, ROOT) for record in records]
    titles = {page.stem: re.search("^# (.+)$", page.read_text(), re.MULTILINE)[1] for page in pages.pages(ROOT)}
    return "\n\n".join([*figures, *(bibtex.of_page(stem, title, ROOT) for stem, title in titles.items())])


@pytest.fixture
def strict():
    """Let pybtex raise where it would warn."""
    pybtex.errors.set_strict_mode(True)
    yield
    pybtex.errors.set_strict_mode(False)


def complaints(text):
    """Return what is wrong with the entries of a text, a sentence each."""
    found = []
    for key, one in parse_string(text, "bibtex").entries.items():
        missing = NEEDED.get(one.type, {"@"}) - set(one.fields)
        if missing:
            found.append(f"{key}: @{one.type} needs {', '.join(sorted(missing))}")
        if not one.persons and one.type != "misc":
            found.append(f"{key}: nobody wrote it")
        for people in one.persons.values():
            for person in people:
                name = str(person)
                if "et al" in name or not (person.last_names and (person.first_names or name.startswith("{")
                                                                  or name == "others")):
                    found.append(f"{key}: a name must be Last, First or in braces, got {name}")
        for field, value in one.fields.items():
            found += [f"{key}: {fault}" for fault in faults_of(field, value)]
    return found


def faults_of(field, value):
    """Return what is wrong with a field's value."""
    found = []
    if re.search(r"[^\x20-\x7eÀ-ſ]", value.replace("\n", " ")):
        found.append(f"{field} has a sign that pdflatex does not read: {value}")
    depth = 0
    for sign in re.sub(r"\\[{}]", "", value):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            break
    if depth:
        found.append(f"{field} has braces that do not match: {value}")
    if field in VERBATIM:
        form = r"10\.\d{4,9}/[^\s{}\\]+" if field == "doi" else r"https?://[^\s{}\\]+"
        return found if re.fullmatch(form, value) else [*found, f"{field} is not well-formed: {value}"]
    plain = re.sub(r"\$[^$]+\$", "", value.replace(r"\$", ""))
    if "$" in plain:
        found.append(f"{field} has a dollar alone: {value}")
    if bare := re.search(r"(?<!\\)[\^_&%#]", plain):
        found.append(f"{field} has a bare {bare[0]} outside mathematics: {value}")
    unknown = set(re.findall(r"\\([A-Za-z]+)", plain)) - COMMANDS
    if unknown:
        found.append(f"{field} has commands that not every article has, {sorted(unknown)}: {value}")
    inside = set(re.findall(r"\\([A-Za-z]+)", " ".join(re.findall(r"\$[^$]+\$", value)))) - MATHEMATICS
    if inside:
        found.append(f"{field} has mathematics that not every article has, {sorted(inside)}: {value}")
    if field == "title" and (lost := capitals_lost(value)):
        found.append(f"brace {', '.join(lost)} in the title, or a style makes them small: {value}")
    if field == "year" and not re.fullmatch(r"\d{4}", value):
        found.append(f"a year has four digits, got {value}")
    if field == "month" and value.lower() not in MONTHS:
        found.append(f"a month is one of {sorted(MONTHS)}, got {value}")
    place = r"(\d+:|[A-Za-z])?\d+"  # a journal without paper counts by article: e453, 43:1--43:20
    if field == "pages" and not re.fullmatch(f"{place}(--{place})?", value):
        found.append(f"pages are 12--34, got {value}")
    return found


def capitals_lost(title):
    """Return the words whose capitals stand in no braces; the first letter of a title stays what it is."""
    text = re.sub(r"\$[^$]+\$", "", title)
    while re.search(r"\{[^{}]*\}", text):
        text = re.sub(r"\{[^{}]*\}", "", text)
    return re.findall(r"\S*[A-Z]\S*", text[1:])


def test_the_bibliography_is_clean(strict):
    assert complaints(BIBLIOGRAPHY) == []


def test_what_readers_are_given_to_cite_is_clean(strict):
    text = given()
    assert complaints(text) == []
    entries = parse_string(text, "bibtex").entries
    assert len(entries) == len(CAPTIONS) + len(pages.pages(ROOT)) > 150
    for one in entries.values():
        assert one.fields["title"][0] == "{" and metadata.project(ROOT)["version"] in one.fields["note"]
        assert one.fields["url"].startswith("https://")


@pytest.mark.parametrize("old, new, words", [
    ("title = {On {B}regman}", "title = {On Bregman's {G}ain}", "brace Bregman's in the title"),
    ("title = {On {B}regman}", "title = {On $M^{-1/2}$}", ""),
    ("title = {On {B}regman}", "title = {On M^-1/2}", "a bare ^ outside mathematics"),
    ("title = {On {B}regman}", "title = {{On Bregman}}", ""),
    ("title = {On {B}regman}", r"title = {On $n_{\text{e}}$}", "mathematics that not every article has, ['text']"),
    ("title = {On {B}regman}", "title = {The price in $}", "a dollar alone"),
    ("title = {On {B}regman}", "title = {The kernel \u03c3}", "a sign that pdflatex does not read"),
    ("title = {On {B}regman}", r"title = {A \citet{b} title}", "commands that not every article has, ['citet']"),
    ("1--2", "1-2", "pages are 12--34, got 1-2"),
    ("10.1000/a_b", "https://doi.org/10.1000/a", "doi is not well-formed"),
    ("year = {1999}", "year = {in press}", "a year has four digits"),
    ("journal = {Letters \\& Numbers}, ", "", "@article needs journal"),
    ("Letters \\& Numbers", "Letters & Numbers", "a bare & outside mathematics"),
    ("A, B. and C, D.", "A, B. et al.", "a name must be Last, First"),
    ("A, B. and C, D.", "{The authors}", ""),
    ("@article{a", "@online{a", "@online needs @"),
])
def test_a_blemish_is_seen(strict, old, new, words):
    text = ("@article{a, author = {A, B. and C, D.}, title = {On {B}regman}, journal = {Letters \\& Numbers}, "
            "year = {1999}, pages = {1--2}, doi = {10.1000/a_b}}")
    assert complaints(text) == []
    assert old in text
    found = " ".join(complaints(text.replace(old, new)))
    assert (words in found) if words else not found


@pytest.mark.parametrize("text, wanted", [
    ("Eigenvalues of $M^{-1/2}$ and $a_i$", "Eigenvalues of $M^{-1/2}$ and $a_i$"),
    (r"$n_{\text{eff}}$, $\lVert x\rVert$", r"$n_{\mathrm{eff}}$, $\Vert x\Vert$"),
    ("M^-1/2 of 50% & more #1", r"M\textasciicircum{}-1/2 of 50\% \& more \#1"),
    ("against βa²", r"against $\beta$a$^2$"), ("β², ±a", r"$\beta^2$, $\pm$a"),
    ("after “The ” – so", "after ``The '' -- so"),
    ("the kernel's *own* `log_profile`, **bold**", r"the kernel's own log\_profile, bold"),
    ("see {doc}`means` and {ref}`the claim <claim-A1>`", "see means and the claim"),
    ("a [link](https://a.b)", "a link"), ("Schölkopf", "Schölkopf"), ("Λ and λ", r"$\Lambda$ and $\lambda$"),
])
def test_a_caption_becomes_latex(text, wanted):
    assert bibtex.latex(text) == wanted


def test_a_sign_without_a_command_is_named():
    with pytest.raises(BookError, match=re.escape("LaTeX has no command that we know for '☃'")):
        bibtex.latex("a ☃")


@pytest.mark.parametrize("caption, wanted", [
    ("One. Two.", "One"), ("At $h = 0.5 . $ and 0.25 cm. Two", "At $h = 0.5 . $ and 0.25 cm"), ("No stop", "No stop"),
    ("Two\nlines. More", "Two lines"),
])
def test_a_title_is_the_captions_first_sentence(caption, wanted):
    assert bibtex.first_sentence(caption) == wanted


def test_an_entry_names_figure_book_version_data_and_address(tmp_path, strict):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0.3.0"\nauthors = [{name = "A & B"}]\n'
                                             '[project.urls]\nRepository = "https://github.com/owner/book"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [0.3.0] - 2028-02-01\n")
    (tmp_path / "_config.yml").write_text("title: Localization methods, computed\n")
    record = {"name": "means-a", "chapter": "means", "caption": "Of $x^2$ & Y. More.",
              "checksum": "0123456789abcdef" * 4}
    [(key, one)] = parse_string(bibtex.of_figure(record, tmp_path), "bibtex").entries.items()
    assert key == "locmethods-means-a" and dict(one.fields) == {
        "title": r"{Of $x^2$ \& Y}", "year": "2028",
        "url": "https://owner.github.io/book/book/means.html#fig-means-a",
        "howpublished": r"Figure means-a of \emph{Localization methods, computed}, the executable companion to "
                        "arXiv:2605.20635",
        "note": "Version 0.3.0; data SHA-256 0123456789abcdef"}


ARTICLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[backend=biber,style=authoryear,maxbibnames=99]{biblatex}
\addbibresource{all.bib}
\begin{document}
\nocite{*}
\printbibliography
\end{document}
"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("biber")), reason="no pdflatex, no biber here")
def test_all_entries_compile_in_one_article(tmp_path):
    """In draft mode pdflatex does all but embed fonts and write the pages."""
    text = BIBLIOGRAPHY + "\n" + given()
    (tmp_path / "all.bib").write_text(text)
    (tmp_path / "a.tex").write_text(ARTICLE)

    def run(*words):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    latex = ("pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "a.tex")
    run(*latex)
    said = run("biber", "a")
    assert not re.findall("^(?:WARN|ERROR).*", said, re.MULTILINE)
    run(*latex)
    assert run(*latex).count("LaTeX Error") == 0
    assert (tmp_path / "a.bbl").read_text().count(r"\entry{") == len(re.findall("^@", text, re.MULTILINE))
