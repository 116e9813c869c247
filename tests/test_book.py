"""The book as it is stored: each page has its frozen notebook, its module, its tests, its claims, its sources."""

import ast
import functools
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from locmethods.companion import claims
from locmethods.companion.build import cells, lists, notebooks, pages, stale
from locmethods.companion.build.compare import difference, differences
from locmethods.companion.build.records import write_whole

ROOT = Path(__file__).resolve().parent.parent
PAGES, CHAPTERS = pages.pages(ROOT), pages.chapters(ROOT)
FREEZE = "run make freeze and commit book/notebooks"
CALLS = ("check", "figure", "frames")


@functools.cache
def cells_of(page):
    """Return the code cells of a page, to be read and not changed."""
    return pages.code_cells(pages.read(page))


each_chapter = pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def frozen(page):
    """Return the frozen notebook of a chapter."""
    path = page.parent / "notebooks" / f"{page.stem}.ipynb"
    assert path.exists(), f"{path.relative_to(ROOT)} is missing: {FREEZE}"
    return nbformat.read(path, as_version=4)


def calls(source):
    """Return [(function, name)] of the claims and figures that a cell makes."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            first = node.args[0] if node.args else None
            assert isinstance(first, ast.Constant) and isinstance(first.value, str), (
                f"{node.func.id} must be called with its name as a string, in {ast.unparse(node)}")
            found.append((node.func.id, first.value))
    return found


def text_of(cell):
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


# The frozen notebooks


@each_chapter
def test_the_frozen_notebook_has_the_pages_code(page):
    ours = [(cell.source, cell.metadata.get("tags", [])) for cell in cells_of(page)]
    theirs = [(cell.source, cell.metadata.get("tags", [])) for cell in pages.code_cells(frozen(page))]
    assert len(ours) == len(theirs), f"{page.name} has {len(ours)} code cells, {len(theirs)} are frozen: {FREEZE}"
    for number, (cell, kept) in enumerate(zip(ours, theirs, strict=True), start=1):
        assert cell == kept, f"{page.name}, code cell {number} is not what is frozen: {FREEZE}"


@each_chapter
def test_every_frozen_cell_is_compared(page):
    """A cell without an execution count is run by nbval, but its outputs are not compared."""
    counts = [cell.execution_count for cell in pages.code_cells(frozen(page))]
    assert counts == list(range(1, len(counts) + 1)), f"{page.name} is frozen with the counts {counts}: {FREEZE}"


@each_chapter
def test_what_a_cell_claims_or_shows_is_frozen_with_it(page):
    for number, cell in enumerate(pages.code_cells(frozen(page)), start=1):
        for function, name in calls(cell.source):
            words = f"{name} holds: " if function == "check" else f"Figure {name}: "
            assert words in text_of(cell), (
                f"{page.stem}.ipynb, code cell {number} calls {function}({name!r}), but {words!r} is not in its frozen "
                f"output: {FREEZE}")


@each_chapter
def test_nothing_of_a_machine_is_frozen(page):
    notebook = frozen(page)
    text = nbformat.writes(notebook)
    folders = {str(Path.home()), tempfile.gettempdir(), str(ROOT), sys.prefix, *("/".join(["", top]) for top in
               ("root", "home", "tmp", "usr"))} - {"/"}
    for word in [*(folder + os.sep for folder in folders), "site-packages", "image/png", "image/svg", "text/html"]:
        assert word not in text, f"{page.stem}.ipynb has {word!r} in it: {FREEZE}"
    for cell in pages.code_cells(notebook):
        assert set(cell.metadata) <= {"tags"}
        for output in cell.outputs:
            assert output.output_type in ("stream", "display_data", "execute_result"), f"{page.stem}: {output}"
            assert output.get("name", "stdout") == "stdout"
            assert set(output.get("data", {"text/plain": ""})) == {"text/plain"}, f"{page.stem}: {set(output.data)}"
            assert " at 0x" not in str(output), f"{page.stem} shows the address of an object: {output}"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_a_notebook_is_frozen_for_each_chapter_and_no_other():
    kept = {path.stem for path in (ROOT / "book" / "notebooks").glob("*")}
    assert kept == {page.stem for page in CHAPTERS}, FREEZE


# The pages


def test_the_pages_are_those_of_the_table_of_contents():
    assert {path.name for path in (ROOT / "book").glob("*.md")} == {page.name for page in PAGES}
    assert len({page.stem for page in PAGES}) == len(PAGES)
    assert not list((ROOT / "book").glob("*.ipynb")), "a page and a notebook of one stem break the site"


@pytest.mark.parametrize("page", [page for page in CHAPTERS if page.stem not in claims.WITHOUT],
                         ids=lambda page: page.stem)
def test_a_subject_has_one_stem_everywhere(page):
    """A page without claims is about the whole package, so it has no module and no test of its own.

    A further page of a subject has a module in the subject's folder.
    """
    place = ROOT / "locmethods" / page.stem
    inside = list((ROOT / "locmethods").glob(f"*/{page.stem}.py"))
    assert place.with_suffix(".py").exists() or (place / "__init__.py").exists() or len(inside) == 1
    assert (ROOT / "tests" / f"test_{page.stem}.py").exists()


@each_chapter
def test_prose_outweighs_the_code_that_is_seen(page):
    prose, code = cells.weights(page)
    assert prose >= 1.5 * code, f"{page.name} has {prose} characters of prose and {code} of visible code"


@each_chapter
def test_cells_are_formatted_and_have_no_blemish(page):
    sources = [cell.source for cell in cells_of(page)]
    assert sources == cells.formatted(sources), f"run python -m locmethods.companion tidy {page.stem}"
    assert cells.complaints(page) == ""


@each_chapter
def test_what_is_seen_of_the_code_is_what_a_reader_would_type(page):
    for number, cell in enumerate(cells_of(page), start=1):
        where = f"{page.name}, code cell {number} (line {pages.line_of(page, number)})"
        names = [name for name, _ in calls(cell.source)]
        if "check" in names:
            assert len(cell.source.splitlines()) == len(names), f"{where} checks a claim: nothing else stands there"
        if {"figure", "frames"} & set(names):
            assert not cells.is_visible(cell), f"{where} draws: tag it hide-input"
        assert not re.search(r"import \*", cell.source), f"{where} takes every name of a module"
        if cells.is_visible(cell):
            longest = max(map(len, cell.source.splitlines()))
            assert longest <= cells.WIDTH, f"{where} has a line of {longest} columns, at most {cells.WIDTH} are seen"


@each_chapter
def test_a_chapter_begins_with_its_parameters(page):
    first, *others = cells_of(page)
    assert "parameters" in first.metadata.get("tags", []), f"{page.name}: tag the first code cell parameters"
    assert not any("parameters" in cell.metadata.get("tags", []) for cell in others)


@each_chapter
def test_a_chapter_says_what_it_asks_and_what_surprises(page):
    one = lists.about(page)
    assert one.stem == page.stem and one.question.endswith("?") and not one.surprise.endswith(".")
    assert len(one.question) <= 100 and len(one.surprise) <= 120, "a line each"


def test_the_readme_has_the_chapters_as_they_are():
    assert (ROOT / "README.md").read_text() == lists.readme(ROOT), "run make readme and commit README.md"


def test_the_intro_keeps_no_list_of_its_own():
    words = (ROOT / "book" / "intro.md").read_text()
    assert "```{chapter-map}\n```" in words and not re.search(r"^\|", words, re.MULTILINE)


def statements():
    """Return [(page, kind, title, label)] of the numbered definitions and theorems."""
    pattern = re.compile(r"^```\{prf:(\w+)\} ?(.*)\n:label: (\S+)$", re.MULTILINE)
    return [(page.stem, *found) for page in PAGES for found in pattern.findall(page.read_text())]


def test_what_the_theory_rests_on_is_defined_on_its_page():
    defined = {(page, title) for page, kind, title, _ in statements() if kind == "definition"}
    assert {("kernels", "Localization kernel"), ("means", "Local mean"), ("trick", "Localization trick")} <= defined


def test_each_numbered_statement_has_a_title_and_a_label_of_its_own():
    found = statements()
    opened = [kind for page in PAGES for kind in re.findall(r"^```\{prf:(\w+)\}", page.read_text(), re.MULTILINE)]
    assert len(found) == len(opened), "a numbered statement must have a label in its second line"
    labels = [label for *_, label in found]
    assert len(set(labels)) == len(labels)
    for page, kind, title, label in found:
        assert title and label.startswith(f"{kind}-"), f"{page}: {label} must begin with {kind}-, and have a title"


# The claims


@each_chapter
def test_a_page_checks_each_of_its_claims_once(page):
    checked = [name for cell in cells_of(page) for function, name in calls(cell.source) if function == "check"]
    assert sorted(checked) == sorted(one.id for one in claims.of(page.stem))


def test_claims_belong_to_pages():
    assert set(claims.stems()) <= {page.stem for page in CHAPTERS}
    assert set(claims.WITHOUT) <= {page.stem for page in CHAPTERS} - set(claims.stems())


def test_figures_have_names_of_their_own():
    names = [name for page in CHAPTERS for cell in cells_of(page)
             for function, name in calls(cell.source) if function != "check"]
    assert len(names) == len(set(names)), f"twice: {sorted({name for name in names if names.count(name) > 1})}"


# The sources


def bibliography():
    return re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE)


def test_the_bibliography_has_each_key_once():
    keys = bibliography()
    assert len(keys) == len(set(keys)) > 0
    assert all(re.fullmatch(r"[a-z]+\d{4}[a-z]?", key) for key in keys), "a key is the first author and the year"


@each_page
def test_a_page_cites_what_the_bibliography_has(page):
    cited = {key.strip() for keys in re.findall(r"\{cite[:a-z]*\}`([^`]*)`", page.read_text())
             for key in keys.split(",")}
    assert cited <= set(bibliography()), f"not in book/references.bib: {sorted(cited - set(bibliography()))}"


def test_the_package_cites_what_the_bibliography_has():
    cited = {key: path.name for path in (ROOT / "locmethods").rglob("*.py")
             for key in re.findall(r"\[(\w+\d{4}\w?)\]_(?!\w)", path.read_text())}
    assert cited
    assert {key: file for key, file in cited.items() if key not in bibliography()} == {}


def test_claims_cite_what_the_bibliography_has():
    cited = {key: one.id for stem in claims.stems() for one in claims.of(stem) for key in one.sources}
    assert cited and {key: name for key, name in cited.items() if key not in bibliography()} == {}


# The comparison of a frozen output with a new one


@pytest.mark.parametrize("frozen, now", [
    ("A1 holds: within 1e-08", "A1 holds: within 1e-08"),
    ("[0.25, -1.5e-3]", "[0.2500001, -1.5000001e-3]"),
    ("mean −2.000000", "mean −2.000001"),
])
def test_numbers_may_move_within_the_tolerance(frozen, now):
    assert difference(frozen, now) == ""


@pytest.mark.parametrize("frozen, now, words", [
    ("A1 holds", "A2 holds", "the text differs"),
    ("A1 holds", "A1  holds", "the text differs"),
    ("1 2", "1 2 3", "the text differs"),
    ("nan", "0.5", "the text differs"),
    ("3 points", "4 points", "the integer 3 has become 4"),
    ("3 points", "3.0 points", "the integer 3 has become 3.0"),
    ("1000000 points", "1000001 points", "the integer 1000000 has become 1000001"),
    ("0.5", "0.500001", "the number 0.5 has become 0.500001, further than 1e-06 relative"),
    ("0.5", "-0.5", "the number 0.5 has become -0.5, further than 1e-06 relative"),
])
def test_everything_else_is_a_difference(frozen, now, words):
    assert difference(frozen, now) == words


PAGE = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
---
# A page

```{code-cell} ipython3
:tags: [parameters]
n = 2
```

```{code-cell} ipython3
print(n)
```
"""


@pytest.fixture(scope="module")
def conftest():
    spec = importlib.util.spec_from_file_location("root_conftest", ROOT / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def shown(text, **others):
    return nbformat.v4.new_output("display_data", data={"text/plain": text, **others})


@pytest.mark.parametrize("frozen, now", [
    ([stream("a\nb\n")], [stream("a\n"), stream("b\n")]),
    ([stream("a"), shown("Figure x")], [shown("Figure x", **{"image/png": "AAAA", "text/html": "<p>"}), stream("a")]),
    ([], [stream("a warning", "stderr")]),
])
def test_only_what_is_read_is_compared(frozen, now):
    assert differences(frozen, now) == []


@pytest.mark.parametrize("frozen, now", [
    ([stream("a")], []),
    ([], [stream("a")]),
    ([shown("Figure x: caption")], [shown("Figure x: another caption")]),
    ([shown("Figure x")], []),
    ([shown("a"), shown("b")], [shown("b"), shown("a")]),
    ([shown("a")], [shown("a"), shown("a")]),
])
def test_a_changed_or_missing_output_is_told_with_the_remedy(conftest, frozen, now):
    class Cell:
        comparison_traceback = ()

    cell = Cell()
    assert not conftest.compare_outputs(cell, now, frozen)
    assert len(cell.comparison_traceback) > 1
    assert cell.comparison_traceback[-1] == "If the change is meant, run make freeze and commit book/notebooks."
    assert conftest.compare_outputs(cell, now, now) and cell.comparison_traceback == []


class Report:
    """What pytest says of a cell."""

    def __init__(self, stem, number, outcome="passed"):
        self.nodeid, self.when = f"book/notebooks/{stem}.ipynb::Cell {number}", "call"
        self.passed, self.failed = outcome == "passed", outcome == "failed"


def test_a_notebook_is_remembered_when_every_cell_of_it_agreed(conftest, tmp_path):
    for stem in ("whole", "half", "red"):
        write_whole(tmp_path / "book" / f"{stem}.md", PAGE)
        page = tmp_path / "book" / f"{stem}.md"
        notebooks.freeze(pages.read(page), stale.frozen(page))
    write_whole(tmp_path / "book" / "intro.md", "# intro\n")
    write_whole(tmp_path / "requirements.lock", "")
    write_whole(tmp_path / "_toc.yml",
                "root: book/intro\nchapters: [{file: book/whole}, {file: book/half}, {file: book/red}]")
    remember = conftest.Remember(tmp_path)
    remember.pytest_sessionstart()
    for report in (Report("whole", 0), Report("half", 0), Report("red", 0), Report("whole", 1),
                   Report("red", 1, "failed"), Report("half", 1, "skipped")):
        remember.pytest_runtest_logreport(report)
    remember.pytest_sessionfinish()
    assert [path.name for path in (tmp_path / "_build" / "checked").iterdir()] == ["whole"]
    assert [page.stem for page in stale.due(tmp_path)] == ["half", "red"]


def test_pytest_runs_a_notebook_in_the_chapters_environment_with_the_books_comparison(tmp_path):
    """The hooks as make test calls them, in a process of their own: one cell agrees, the other does not."""
    sources = ["import os\nprint(os.environ['OMP_NUM_THREADS'], os.environ['PYTHONHASHSEED'])", "print('now')"]
    kept = ["1 0\n", "then\n"]
    cells = [nbformat.v4.new_code_cell(source, execution_count=count, outputs=[stream(text)])
             for count, (source, text) in enumerate(zip(sources, kept, strict=True), start=1)]
    write_whole(tmp_path / "two.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    options = ["-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--nbval", "--nbval-current-env"]
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", *options, str(tmp_path / "two.ipynb")],
                         cwd=ROOT, capture_output=True, text=True, timeout=120,
                         env=os.environ | {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "5"})
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "If the change is meant, run make freeze" in ran.stdout
