"""The run: what is stale, what is forgotten, what a failure says; on a small book in a folder with a space."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from locmethods.companion.build import notebooks, records, run

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
from locmethods.companion import claim, drawings, figure
claim("A1", "one is one", 1, 1, why="both are written down", control=n)
line = drawings.lines([0, 1], {"y": [0, 1]}, xlabel="x", ylabel="y")
figure("means-line", line, caption="A.", alt="B.", data={"y": [0, 1]})
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
    (root / "locmethods" / "means.py").write_text("h = 1\n")
    (root / "requirements.lock").write_text("numpy==2.0\n")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nparts:\n  - chapters:\n      - file: book/one\n"
                                   "      - file: book/two\n")
    write(root, "one")
    write(root, "two")
    (root / "book" / "intro.md").write_text("# intro\n")
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
    records.write_whole(run.stamp(root, page), f"{notebooks.fingerprint(root, page)}\noutputs\n")


def test_the_chapters_are_the_pages_with_code(root):
    assert [page.stem for page in notebooks.pages(root)] == ["intro", "one", "two"]
    assert [page.stem for page in notebooks.chapters(root)] == ["one", "two"]


def replaced(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("change", [
    lambda root: replaced(root / "book" / "one.md", "n = 2", "n = 3"),
    lambda root: replaced(root / "book" / "one.md", "[parameters]", "[parameters, hide-input]"),
    lambda root: (root / "locmethods" / "means.py").write_text("h = 2\n"),
    lambda root: records.write_whole(root / "locmethods" / "engines" / "near.py", ""),
    lambda root: (root / "locmethods" / "means.py").rename(root / "locmethods" / "sums.py"),
    lambda root: (root / "requirements.lock").write_text("numpy==2.1\n"),
    lambda root: run.stamp(root, root / "book" / "one.md").unlink(),
    lambda root: run.stamp(root, root / "book" / "one.md").write_text(""),
], ids=["code", "tags", "package", "new-module", "renamed-module", "lock", "no-stamp", "empty-stamp"])
def test_a_chapter_is_stale_when_what_it_depends_on_changed(root, change):
    page = root / "book" / "one.md"
    stamped(root, page)
    assert not run.is_stale(root, page)
    change(root)
    assert run.is_stale(root, page)


def test_a_chapter_is_not_stale_when_only_words_changed(root):
    page = root / "book" / "one.md"
    stamped(root, page)
    replaced(page, "Some prose.", "Other prose, and a second sentence.")
    replaced(root / "book" / "two.md", "n = 2", "n = 3")
    records.write_whole(root / "README.md", "new")
    records.write_whole(root / "locmethods" / "notes.txt", "new")
    os.utime(page)
    assert not run.is_stale(root, page)


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


def test_a_cell_that_raises_stops_the_run_with_its_place(root):
    write(root, "one", "import os\n1 / 0")
    for _ in range(2):  # every time, also on an unchanged second run
        status, out, errors = command(root, "book")
        assert status == 1
        assert "book/one.md, code cell 2 (line 17) raised ZeroDivisionError: division by zero" in errors
        assert errors.rstrip().endswith("chapters failed: one")
        assert re.search(r"one +FAILED after \d+ s", out)
        assert run.is_stale(root, root / "book" / "one.md")
        # The other chapter is not lost: it has run, the first time, and need not run again.
        assert not run.is_stale(root, root / "book" / "two.md")
    assert out.startswith("1 of 2 chapters to run: one\n")
    assert (root / "_build" / "executed" / "two.ipynb").exists()
    assert not (root / "_build" / "executed" / "one.ipynb").exists()


def test_a_failing_claim_stops_the_run(root):
    write(root, "means", WITH_RECORDS.replace("1, 1, why", "1, 2, why"))
    replaced(root / "_toc.yml", "book/one", "book/means")
    status, _, errors = command(root, "freeze", "means")
    assert status == 1
    assert ("book/means.md, code cell 2 (line 17) raised ClaimError: A1 fails: one is one: left == right is violated "
            "by 1 at (), the tolerance is 0") in errors
    assert not (root / "book" / "notebooks" / "means.ipynb").exists()


def test_a_run_leaves_records_a_stamp_and_what_the_site_shows(root):
    page = write(root, "means", WITH_RECORDS)
    replaced(root / "_toc.yml", "book/one", "book/means")
    old = root / "_build" / "records" / "claims" / "means" / "A2.json"
    records.write_whole(old, "{}")  # of an earlier state of the page
    status, out, errors = command(root, "book", "means")
    assert (status, errors) == (0, "")
    assert out.startswith("1 of 2 chapters to run: means\n[1/1] means ")
    assert not old.exists()
    place = root / "_build" / "records"
    assert json.loads((place / "claims" / "means" / "A1.json").read_text())["statement"] == "one is one"
    assert json.loads((place / "figures" / "means" / "means-line.json").read_text())["chapter"] == "means"
    record = json.loads((place / "runs" / "means.json").read_text())
    assert record["chapter"] == "means" and record["parameters"] == "n = 2" and record["seconds"] > 0
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert not run.is_stale(root, page) and run.is_stale(root, root / "book" / "two.md")
    assert (root / "_build" / ".jupyter_cache").is_dir()
    written = [path for path in place.rglob("*") if path.is_file()]
    assert max(written, key=lambda path: path.stat().st_mtime_ns) == run.stamp(root, page)
    assert command(root, "book", "means")[1] == "0 of 2 chapters to run\n"


def test_an_unfinished_run_is_not_believed(root, monkeypatch):
    """Killed between the chapter's last cell and its stamp, as far as a test can be."""
    page = root / "book" / "one.md"

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "execute", lambda page, parameters, out: notebooks.read(page))
    monkeypatch.setattr(notebooks, "to_site", killed)
    with pytest.raises(KeyboardInterrupt):
        run.run_one(root, "one", "book", {})
    assert run.is_stale(root, page)


def test_an_edit_during_the_run_makes_it_stale(root, monkeypatch):
    page = root / "book" / "one.md"

    def edited(page, parameters, out):
        replaced(page, "n = 2", "n = 3")
        return notebooks.read(page)

    monkeypatch.setattr(run, "execute", edited)
    monkeypatch.setattr(notebooks, "to_site", lambda *arguments: None)
    run.run_one(root, "one", "book", {})
    assert run.stamp(root, page).exists() and run.is_stale(root, page)


def test_freezing_keeps_text_and_counts_and_nothing_of_the_machine(root):
    write(root, "means", WITH_RECORDS)
    replaced(root / "_toc.yml", "book/one", "book/means")
    status, _, errors = command(root, "freeze", "means")
    assert (status, errors) == (0, "")
    place = root / "book" / "notebooks" / "means.ipynb"
    first = place.read_text()
    frozen = nbformat.reads(first, as_version=4)
    nbformat.validate(frozen)
    cells = notebooks.code_cells(frozen)
    assert [cell.source for cell in cells] == ["n = 2", WITH_RECORDS]
    assert [cell.execution_count for cell in cells] == [1, 2]
    assert [cell.metadata for cell in cells] == [{"tags": ["parameters"]}, {}]
    claimed, figure = sorted(cells[1].outputs, key=lambda output: output.output_type, reverse=True)
    assert claimed.text == "A1 holds: one is one (exactly, control fails)\na machine's folder, seen\n"
    assert figure.data == {"text/plain": "Figure means-line: A.\n[B.]"} and figure.metadata == {}
    assert not any("unseen" in str(output) for output in cells[1].outputs)
    assert str(root) not in first and "papermill" not in first and "image/png" not in first
    assert not (root / "_build" / "records").exists(), "the records are those of the book's run"
    assert command(root, "freeze", "means")[0] == 0
    assert place.read_text() == first


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
    given = run.environment(root, root / "book" / "one.md", 1)
    assert given["JUPYTER_PATH"] == os.path.join(sys.prefix, "share", "jupyter") + os.pathsep + "elsewhere"
    assert given["IPYTHONDIR"] == str(root / "_build" / "ipython")
    assert given["OMP_NUM_THREADS"] == "1" and given["SCIPY_ARRAY_API"] == "1" and given["PYTHONNOUSERSITE"] == "1"
    assert given[records.CHAPTER] == "one" and given[records.FOLDER] == str(root / "_build" / "records")


@pytest.mark.parametrize("arguments, words", [
    (["book", "three", "four"], "there is no chapter four, three; there are one, two"),
    (["try"], "try takes one chapter, and parameters as -p NAME VALUE"),
    (["try", "one", "two"], "try takes one chapter, and parameters as -p NAME VALUE"),
])
def test_a_wrong_command_says_what_there_is(root, capsys, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        run.main([*arguments, "--root", str(root)])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {words}\n")


def test_running_one_unknown_chapter_says_what_there_is(root):
    with pytest.raises(SystemExit, match=re.escape("there is no chapter 'three'; there are ['one', 'two']")):
        run.run_one(root, "three", "book", {})


def test_another_jupyter_book_is_refused(root, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.0.0")
    with pytest.raises(SystemExit, match="^" + re.escape(
            f"this book is built by jupyter-book {run.JUPYTER_BOOK}, but 2.0.0 is installed: run make clean, "
            "then make book") + "$"):
        run.main(["book", "--root", str(root)])
    assert not (root / "_build").exists()


def test_pages_are_read_with_stable_cell_ids(root):
    page = root / "book" / "one.md"
    first, second = notebooks.read(page), notebooks.read(page)
    assert first == second
    assert [cell["id"] for cell in first.cells] == [f"c{i:03d}" for i in range(len(first.cells))]
    assert notebooks.line_of(page, 1) == 11 and notebooks.line_of(page, 2) == 17
