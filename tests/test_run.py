"""The run: what is stale, what is forgotten, what a failure says; on a small book in a folder with a space."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from locmethods.companion import __main__ as command_line
from locmethods.companion.build import book, notebooks, pages, records, run, stale

ROOT = Path(__file__).resolve().parent.parent
PAGE = """---
file_format: mystnb
kernelspec: {{name: python3, display_name: Python 3, language: python}}
---
# {stem}

Some prose.

```{{code-cell}} ipython3
:tags: [parameters]
n = 2
```

More prose.

```{{code-cell}} ipython3
{code}
```
"""
CODE = "print(n, 'cells')"
WITH_RECORDS = """import sys
from locmethods.companion import check, figure
check("A1")
figure("means-line", lambda axes, table: axes.plot(table["y"]), caption="A.", alt="B.", data={"y": [0, 1]})
print("unseen", file=sys.stderr)
print("a machine's folder", end=", "); print("seen")"""


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    for name in (records.FOLDER, records.CHAPTER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def root(tmp_path):
    """Return a book of the chapters one and two, with a package and a lock of its own."""
    root = tmp_path / "a book"
    (root / "locmethods").mkdir(parents=True)
    (root / "locmethods" / "means.py").write_text("def mean():\n    from locmethods.sums import one\nh = 1\n")
    (root / "locmethods" / "sums.py").write_text("one = 1\n")
    (root / "requirements.lock").write_text("numpy==2.0\n")
    (root / "pyproject.toml").write_text('[project]\ndescription = "A book"\n')
    (root / "_config.yml").write_text("title: Two chapters\n")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nparts:\n  - chapters:\n      - file: book/one\n"
                                   "      - file: book/two\n")
    write(root, "one")
    write(root, "two")
    (root / "book" / "intro.md").write_text("# intro\n")
    records.write_json(root / "benchmarks" / "results.json", {"machine": {"versions": {}}, "rows": {"a": {
        "title": "A", "contenders": {"locmethods": {"seconds": 1.0, "peak_bytes": 1, "ratio": 1.0}}}}})
    return root


def write(root, stem, code=CODE):
    records.write_whole(root / "book" / f"{stem}.md", PAGE.format(stem=stem, code=code))
    return root / "book" / f"{stem}.md"


def command(root, *arguments):
    """Run the command line in a process of its own; return (exit status, output, errors)."""
    done = subprocess.run([sys.executable, "-m", "locmethods.companion", *arguments, "--root", str(root)],
                          capture_output=True, text=True, cwd=root.parent, timeout=120)
    return done.returncode, done.stdout, done.stderr


def stamped(root, page):
    """Write the stamp that a finished run would have left."""
    records.write_whole(stale.stamp(root, page), f"{stale.fingerprint(root, page)}\noutputs\n")


def test_the_chapters_are_the_pages_with_code(root):
    assert [page.stem for page in pages.pages(root)] == ["intro", "one", "two"]
    assert [page.stem for page in pages.chapters(root)] == ["one", "two"]


def replaced(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


IMPORTING = "from locmethods import means\nprint(n, means.h)"


@pytest.mark.parametrize("change", [
    lambda root: replaced(root / "book" / "one.md", "n = 2", "n = 3"),
    lambda root: replaced(root / "book" / "one.md", "[parameters]", "[parameters, hide-input]"),
    lambda root: (root / "locmethods" / "means.py").write_text("h = 2\n"),
    lambda root: (root / "locmethods" / "means.py").unlink(),
    lambda root: (root / "locmethods" / "sums.py").write_text("one = 1.0\n"),
    lambda root: (root / "requirements.lock").write_text("numpy==2.1\n"),
    lambda root: stale.stamp(root, root / "book" / "one.md").unlink(),
    lambda root: stale.stamp(root, root / "book" / "one.md").write_text(""),
], ids=["code", "tags", "module", "no-module", "module-of-a-module", "lock", "no-stamp", "empty-stamp"])
def test_a_chapter_is_stale_when_what_it_depends_on_changed(root, change):
    page = write(root, "one", IMPORTING)
    stamped(root, page)
    assert not stale.is_stale(root, page)
    change(root)
    assert stale.is_stale(root, page)


def test_a_chapter_is_not_stale_when_something_else_changed(root):
    page = write(root, "one", IMPORTING)
    stamped(root, page)
    replaced(page, "Some prose.", "Other prose, and a second sentence.")
    replaced(root / "book" / "two.md", "n = 2", "n = 3")
    records.write_whole(root / "README.md", "new")
    records.write_whole(root / "locmethods" / "notes.txt", "new")
    records.write_whole(root / "locmethods" / "lazy.py", "from locmethods import means\n")  # nobody imports it
    os.utime(page)
    assert not stale.is_stale(root, page)


def test_forgetting_a_chapter_removes_its_records_and_no_others(root):
    kept = [root / "_build" / "records" / place for place in (
        "claims/two/A2.json", "figures/two/two-x.json", "runs/two.json", "two.stamp")]
    gone = [Path(str(path).replace("two", "one")) for path in kept]
    for path in kept + gone:
        records.write_whole(path, "{}")
    run.forget(root, root / "book" / "one.md")
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)
    run.forget(root, root / "book" / "one.md")


@pytest.mark.slow
def test_a_cell_that_raises_stops_the_run_with_its_place(root):
    write(root, "one", "import os\n1 / 0")
    for _ in range(2):  # every time, also on an unchanged second run
        status, out, errors = command(root, "run")
        assert status == 1
        assert "book/one.md, code cell 2 (line 17) raised ZeroDivisionError: division by zero" in errors
        assert errors.rstrip().endswith("chapters failed: one")
        assert re.search(r"one +FAILED after \d+ s", out)
        assert stale.is_stale(root, root / "book" / "one.md")
        # The other chapter is not lost: it has run, the first time, and need not run again.
        assert not stale.is_stale(root, root / "book" / "two.md")
    assert out.startswith("1 of 2 chapters to run: one\n")
    assert (root / "_build" / "executed" / "two.ipynb").exists()
    assert not (root / "_build" / "executed" / "one.ipynb").exists()


@pytest.mark.slow
def test_a_failing_claim_stops_the_run(root, monkeypatch):
    write(root, "means", WITH_RECORDS)
    replaced(root / "_toc.yml", "book/one", "book/means")
    monkeypatch.setenv("LOCMETHODS_CONTROLS", "A1")
    status, _, errors = command(root, "freeze", "means")
    assert status == 1
    assert "book/means.md, code cell 2 (line 17) raised ClaimError: A1, " in errors
    assert not (root / "book" / "notebooks" / "means.ipynb").exists()


@pytest.mark.slow
def test_a_run_leaves_records_a_stamp_and_what_the_site_shows(root):
    page = write(root, "means", WITH_RECORDS)
    replaced(root / "_toc.yml", "book/one", "book/means")
    old = root / "_build" / "records" / "claims" / "means" / "A2.json"
    records.write_whole(old, "{}")  # of an earlier state of the page
    status, out, errors = command(root, "run", "means")
    assert (status, errors) == (0, "")
    assert out.startswith("1 of 2 chapters to run: means\n[1/1] means ")
    assert not old.exists()
    place = root / "_build" / "records"
    assert json.loads((place / "claims" / "means" / "A1.json").read_text())["function"]
    assert json.loads((place / "figures" / "means" / "means-line.json").read_text())["chapter"] == "means"
    record = json.loads((place / "runs" / "means.json").read_text())
    assert record["chapter"] == "means" and record["parameters"] == "n = 2" and record["seconds"] > 0
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert not stale.is_stale(root, page) and stale.is_stale(root, root / "book" / "two.md")
    assert (root / "_build" / ".jupyter_cache").is_dir()
    written = [path for path in place.rglob("*") if path.is_file()]
    assert max(written, key=lambda path: path.stat().st_mtime_ns) == stale.stamp(root, page)
    assert command(root, "run", "means")[1] == "0 of 2 chapters to run\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="only here does a process get another parent when its own has ended")
def test_a_killed_run_ends_its_chapters_and_their_kernels(root):
    """Or they would write their records among those of the next run."""
    beats = root / "beats"
    write(root, "one", f"""import time
for beat in range(240):
    open({str(beats)!r}, "a").write(".")
    time.sleep(0.25)""")
    runner = subprocess.Popen([sys.executable, "-m", "locmethods.companion", "run", "one", "--root", str(root)],
                              cwd=root.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    within(60, beats.exists)
    runner.kill()
    runner.wait()

    def silent():
        before = beats.stat().st_size
        time.sleep(2)
        return beats.stat().st_size == before

    within(20, silent)  # of the minute that the chapter takes
    assert stale.is_stale(root, root / "book" / "one.md")


def within(seconds, happened):
    """Wait until something happened, which is to be within some seconds."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def test_an_unfinished_run_is_not_believed(root, monkeypatch):
    """Killed between the chapter's last cell and its stamp, as far as a test can be."""
    page = root / "book" / "one.md"

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks, "execute", lambda page, parameters, out: pages.read(page))
    monkeypatch.setattr(notebooks, "to_site", killed)
    with pytest.raises(KeyboardInterrupt):
        run.run_one(root, "one", "book")
    assert stale.is_stale(root, page)


def test_an_edit_during_the_run_makes_it_stale(root, monkeypatch):
    page = root / "book" / "one.md"

    def edited(page, parameters, out):
        replaced(page, "n = 2", "n = 3")
        return pages.read(page)

    monkeypatch.setattr(notebooks, "execute", edited)
    monkeypatch.setattr(notebooks, "to_site", lambda *arguments: None)
    run.run_one(root, "one", "book")
    assert stale.stamp(root, page).exists() and stale.is_stale(root, page)


@pytest.mark.slow
def test_freezing_keeps_text_and_counts_and_nothing_of_the_machine(root):
    write(root, "means", WITH_RECORDS)
    replaced(root / "_toc.yml", "book/one", "book/means")
    status, _, errors = command(root, "freeze", "means")
    assert (status, errors) == (0, "")
    place = root / "book" / "notebooks" / "means.ipynb"
    first = place.read_text()
    frozen = nbformat.reads(first, as_version=4)
    nbformat.validate(frozen)
    cells = pages.code_cells(frozen)
    assert [cell.source for cell in cells] == ["n = 2", WITH_RECORDS]
    assert [cell.execution_count for cell in cells] == [1, 2]
    assert [cell.metadata for cell in cells] == [{"tags": ["parameters"]}, {}]
    printed, *displayed = sorted(cells[1].outputs, key=lambda output: output.output_type, reverse=True)
    assert printed.text == "a machine's folder, seen\n"
    claimed, figure = displayed
    assert set(claimed.data) == {"text/plain"} and claimed.metadata == {}
    assert claimed.data["text/plain"].startswith("A1 holds: ")
    assert figure.data == {"text/plain": "Figure means-line: A.\n[B.]"} and figure.metadata == {}
    assert not any("unseen" in str(output) for output in cells[1].outputs)
    assert str(root) not in first and "papermill" not in first and "image/png" not in first
    assert not (root / "_build" / "records").exists(), "the records are those of the book's run"
    assert command(root, "freeze", "means")[0] == 0
    assert place.read_text() == first


@pytest.mark.slow
def test_trying_other_parameters_leaves_the_book_alone(root):
    write(root, "one", "print(n, 'cells')\n1 / (n - 5)")
    status, out, errors = command(root, "try", "one", "-p", "n", "7")
    assert (status, out, errors) == (0, "written to _build/trials/one.ipynb\n", "")
    tried = nbformat.read(root / "_build" / "trials" / "one.ipynb", as_version=4)
    assert tried.cells[-1].outputs[0].text == "7 cells\n"
    assert not (root / "_build" / "records").exists() and not (root / "book" / "notebooks").exists()
    status, _, errors = command(root, "try", "one", "-p", "n", "5")
    assert status == 1
    assert errors.endswith("book/one.md, code cell 2 (line 17) raised ZeroDivisionError: division by zero\n")


def test_a_chapters_kernel_is_the_environments_own(root, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "elsewhere")
    given = notebooks.environment(root, root / "book" / "one.md")
    assert given["JUPYTER_PATH"] == os.path.join(sys.prefix, "share", "jupyter") + os.pathsep + "elsewhere"
    assert given["IPYTHONDIR"] == str(root / "_build" / "ipython")
    assert given["OMP_NUM_THREADS"] == "1" and given["SCIPY_ARRAY_API"] == "1" and given["PYTHONNOUSERSITE"] == "1"
    assert given[records.CHAPTER] == "one" and given[records.FOLDER] == str(root / "_build" / "records")


@pytest.mark.parametrize("arguments, words", [
    (["try"], "try takes one chapter, and its parameters as NAME=VALUE or -p NAME VALUE"),
    (["try", "n=1"], "try takes one chapter, and its parameters as NAME=VALUE or -p NAME VALUE"),
    (["try", "one", "two"], "try takes one chapter, and its parameters as NAME=VALUE or -p NAME VALUE"),
    (["try", "one", "n=1", "-p", "n", "2"], "each parameter is given once, got n n"),
])
def test_a_wrong_command_says_what_there_is(root, capsys, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        command_line.main([*arguments, "--root", str(root)])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {words}\n")


@pytest.mark.parametrize("words", [["n=7"], ["-p", "n", "7"], ["n=7", "-p", "label", "a=b"], ["label=a=b", "n=7"]])
def test_a_trial_takes_its_assignments_one_by_one(root, monkeypatch, words):
    write(root, "one", CODE)
    page = root / "book" / "one.md"
    page.write_text(page.read_text().replace("n = 2\n", "n, label = 2, 'x'\nkernel: str = 'flat'\n"))
    given = []
    monkeypatch.setattr(run.notebooks, "execute", lambda page, parameters, out: given.append(parameters))
    command_line.main(["try", "one", *words, "--root", str(root)])
    assert given == [{"n": 7} | ({"label": "a=b"} if len(words) > 1 and "label" in " ".join(words) else {})]
    assert run.parameters_of(page) == ["n", "label", "kernel"]


def test_an_unknown_parameter_is_answered_with_what_there_is(root):
    with pytest.raises(SystemExit, match=r"^book/one.md has no parameter m, h; it has n$"):
        command_line.main(["try", "one", "m=3", "h=2", "--root", str(root)])


@pytest.mark.parametrize("words", [["run", "one", "three"], ["freeze", "three"], ["try", "three"], ["one", "three"]])
def test_an_unknown_chapter_is_answered_with_what_there_is(root, words):
    with pytest.raises(SystemExit, match=r"^there is no chapter three; there are one, two$"):
        command_line.main([*words, "--root", str(root)])


REMEDY = "take the committed file again, or delete it and measure with make bench"


@pytest.mark.parametrize("change, words", [
    (lambda root: (root / "_toc.yml").unlink(), "there is no _toc.yml in a book: it says which pages the book has"),
    (lambda root: (root / "_toc.yml").write_text("root: [book/intro\n"),
     "_toc.yml, line 2, is not YAML: expected ',' or ']', but got '<stream end>'"),
    (lambda root: (root / "_toc.yml").write_text("- book/intro\n"),
     "_toc.yml must have a root, and parts with chapters, each written - file: book/stem"),
    (lambda root: replaced(root / "_toc.yml", "file: book/one", "page: book/one"),
     "_toc.yml must have a root, and parts with chapters, each written - file: book/stem"),
    (lambda root: replaced(root / "_toc.yml", "book/one", "book/two"), "_toc.yml names book/two twice"),
    (lambda root: (root / "book" / "two.md").unlink(), "_toc.yml names book/two, but there is no book/two.md"),
    (lambda root: (root / "benchmarks" / "results.json").unlink(),
     f"there is no benchmarks/results.json, which the page on cost shows: {REMEDY}"),
    (lambda root: (root / "benchmarks" / "results.json").write_text('{"rows": {}\n'),
     f"benchmarks/results.json, line 2, is not JSON: Expecting ',' delimiter; {REMEDY}"),
    (lambda root: replaced(root / "benchmarks" / "results.json", "seconds", "hours"),
     "benchmarks/results.json must hold a machine, and rows with title, contenders, seconds, peak_bytes and ratio: "
     f"{REMEDY}"),
    (lambda root: write(root, "one", "x = 1\nprint(x"),
     "book/one.md, code cell 2, line 18, is not Python: '(' was never closed"),
    (lambda root: [write(root, "one", "import locmethods.sums"), (root / "locmethods" / "sums.py").write_text("x =\n")],
     "locmethods/sums.py, line 1, is not Python: invalid syntax"),
], ids=["no-toc", "no-yaml", "list", "no-file", "twice", "no-page", "no-results", "no-json", "no-seconds", "cell",
        "module"])
def test_a_broken_file_stops_the_book_with_a_sentence(root, change, words):
    found = root / "_build" / "html" / "index.html"
    records.write_whole(found, "an earlier site")
    change(root)
    with pytest.raises(SystemExit, match=f"^{re.escape(words)}$"):
        command_line.main(["book", "--root", str(root)])
    assert found.read_text() == "an earlier site"
    assert not (root / "_build" / "executed").exists()


@pytest.fixture
def jupyter_book(root, monkeypatch):
    """Take Jupyter Book's place: write the pages in `built` where it would, and end as `status` says."""
    class Stand:
        built, status = ("intro", "one", "two"), 0

        def run(self, arguments, *, cwd, env, **options):
            assert arguments[3:] == ["build", ".", "--path-output", str(root / "_build" / "site"), "-W", "--keep-going",
                                     "-q"]
            assert (cwd, env[book.DONE]) == (root, "1")
            for name in self.built:
                records.write_whole(root / "_build" / "site" / "_build" / "html" / "book" / f"{name}.html", "new")
            return subprocess.CompletedProcess(arguments, self.status, stdout="said")

    stand = Stand()
    monkeypatch.setattr(book.subprocess, "run", stand.run)
    return stand


def test_a_whole_site_takes_the_place_of_the_old_one(root, jupyter_book, capsys):
    place = root / "_build" / "html"
    records.write_whole(place / "book" / "gone.html", "old")
    book.build_site(root)
    assert {path.name: path.read_text() for path in (place / "book").glob("*")} == dict.fromkeys(
        ("intro.html", "one.html", "two.html"), "new")
    assert capsys.readouterr().out.startswith("building the site\n3 pages, as many as _toc.yml has\n")
    assert sorted(path.name for path in (root / "_build").iterdir()) == ["html", "site"]


@pytest.mark.parametrize("built, status, words", [
    (("intro", "one", "two"), 1, "the site was not built, see above; what stands in _build/html is as it was"),
    (("intro", "one"), 0, "the site has not the pages of _toc.yml: missing ['book/two.html'], not in it []; "
                          "run make clean, then make book"),
    (("intro", "one", "two", "three"), 0, "the site has not the pages of _toc.yml: missing [], not in it "
                                          "['book/three.html']; run make clean, then make book"),
])
def test_a_site_that_failed_leaves_the_old_one_and_is_begun_anew(root, jupyter_book, built, status, words):
    old = root / "_build" / "html" / "book" / "one.html"
    records.write_whole(old, "old")
    jupyter_book.built, jupyter_book.status = built, status
    with pytest.raises(pages.BookError, match=f"^{re.escape(words)}$"):
        book.build_site(root)
    assert {path.name: path.read_text() for path in (root / "_build" / "html").rglob("*.html")} == {"one.html": "old"}
    left = root / "_build" / "site" / "_build" / "html" / "book" / "half.html"
    records.write_whole(left, "half")
    jupyter_book.built, jupyter_book.status = ("intro", "one", "two"), 0
    book.build_site(root)
    assert not left.exists() and old.read_text() == "new"


# Which frozen notebooks wait for a check


def due(root):
    return [page.stem for page in stale.due(root)]


def test_a_frozen_notebook_is_due_until_it_agreed_with_a_run(root):
    for stem in ("one", "two"):
        page = root / "book" / f"{stem}.md"
        notebooks.freeze(pages.read(page), stale.frozen(page))
        assert stem in due(root)
        records.write_whole(stale.checked(root, page), stale.as_checked(root, page))
    assert due(root) == []
    (root / "locmethods" / "means.py").write_text("h = 7\n")
    assert due(root) == []  # neither chapter imports it
    replaced(root / "book" / "one.md", "n = 2", "n = 3")
    assert due(root) == ["one"]
    replaced(root / "book" / "one.md", "n = 3", "n = 2")
    replaced(root / "book" / "notebooks" / "two.ipynb", '"n = 2"', '"n = 4"')
    assert due(root) == ["two"]


def test_the_books_own_run_is_a_check(root):
    page = root / "book" / "one.md"
    run_of_it = pages.read(page)
    pages.code_cells(run_of_it)[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="0.5\n")]
    notebooks.freeze(run_of_it, stale.frozen(page))
    executed = root / "_build" / "executed" / "one.ipynb"
    records.write_whole(executed, stale.frozen(page).read_text().replace("0.5", "0.5000001"))
    assert "one" in due(root)  # nobody knows of what this was the run
    stamped(root, page)
    assert "one" not in due(root)
    records.write_whole(executed, stale.frozen(page).read_text().replace("0.5", "0.6"))
    assert "one" in due(root)


def test_the_notebooks_that_are_due_are_named_and_the_others_counted(root, capsys):
    command_line.main(["due", "--at-most", "1", "--root", str(root)])
    said = capsys.readouterr()
    assert said.out == "book/notebooks/one.ipynb\n"
    assert said.err == ("1 more chapters have changed since their frozen notebooks last agreed with a run: two. "
                        "make book or make test-all runs them.\n")
    command_line.main(["due", "--root", str(root)])
    assert capsys.readouterr() == ("book/notebooks/one.ipynb\nbook/notebooks/two.ipynb\n", "")


def test_another_jupyter_book_is_refused(root, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.0.0")
    with pytest.raises(SystemExit, match="^" + re.escape(
            f"this book is built by jupyter-book {book.JUPYTER_BOOK}, but 2.0.0 is installed: run make clean, "
            "then make book") + "$"):
        command_line.main(["book", "--root", str(root)])
    assert not (root / "_build").exists()


def test_pages_are_read_with_stable_cell_ids(root):
    page = root / "book" / "one.md"
    first, second = pages.read(page), pages.read(page)
    assert first == second
    assert [cell["id"] for cell in first.cells] == [f"c{i:03d}" for i in range(len(first.cells))]
    assert pages.line_of(page, 1) == 11 and pages.line_of(page, 2) == 17
