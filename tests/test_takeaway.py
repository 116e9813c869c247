"""A chapter taken away as a notebook: it runs in an empty folder, and reads as text."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from locmethods.companion.build import notebooks, pages, takeaway
from locmethods.companion.build.records import write_whole

ROOT = Path(__file__).resolve().parent.parent
CITED = {"song2026": "Song, 2026", "fan1996": "Fan and Gijbels, 1996"}
TITLES = {"means": "Local means"}


@pytest.mark.parametrize("text, wanted", [
    ("a mean {cite}`song2026,fan1996`, so", "a mean (Song, 2026; Fan and Gijbels, 1996), so"),
    ("as {cite:t}`fan1996` say", "as (Fan and Gijbels, 1996) say"),
    ("see {doc}`means` and {doc}`there <means>`", "see Local means and there"),
    ("in {numref}`fig-means-line` and {numref}`Figure %s <fig-x>`", "in means-line and Figure x"),
    ("(here)=\n## A title", "## A title"),
    ("`{code}` and $x_{i}`$", "`{code}` and $x_{i}`$"),
])
def test_what_only_the_site_understands_becomes_words(text, wanted):
    assert takeaway.readable(text, CITED, TITLES) == wanted


def test_the_bibliography_is_named_as_a_reader_names_it():
    found = takeaway.works(ROOT)
    assert found["song2026"] == "Song, 2026" and found["fan1996"] == "Fan and Gijbels, 1996"
    assert "Carreira-Perpiñán" in " ".join(found.values()), "accents are letters"
    assert not any(set("{}\\") & set(words) for words in found.values())


def ran(page):
    """Return a page as papermill would leave it: with the site's outputs, times and counts."""
    notebook = pages.read(page)
    for count, cell in enumerate(pages.code_cells(notebook), start=1):
        cell.execution_count = count
        cell.metadata["papermill"] = {"start_time": "now"}
        data = {"text/plain": "Figure x", "image/png": "AAAA", "text/html": "<p>"}
        cell.outputs = [nbformat.v4.new_output("display_data", data=data, metadata={"locmethods": {"figure": "x"}}),
                        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
                        nbformat.v4.new_output("stream", name="stdout", text="said"),
                        nbformat.v4.new_output("display_data", data={"application/javascript": "x"})]
    return notebook


def test_it_keeps_code_pictures_and_text_and_nothing_of_the_machinery():
    page = ROOT / "book" / "fuzzy.md"
    made = takeaway.notebook(ROOT, page, ran(page), takeaway.works(ROOT), TITLES)
    nbformat.validate(made)
    head, *cells = made.cells
    assert head.cell_type == "markdown" and "version 0.1.0" in head.source and "[book]" in head.source
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.source for cell in code] == [cell.source for cell in pages.code_cells(pages.read(page))]
    for count, cell in enumerate(code, start=1):
        assert cell.execution_count == count and set(cell.metadata) <= {"tags"}
        shown, said = cell.outputs
        assert set(shown.data) == {"text/plain", "image/png"} and shown.metadata == {} and said.text == "said"
    assert not re.search(r"\{(cite|doc|numref)[:a-z]*\}`", nbformat.writes(made))


def test_where_there_is_a_repository_it_brings_the_package_along(tmp_path):
    for file in ("_config.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / file, tmp_path)
    text = re.sub(r"(?m)^\[project\.urls\]$", '[project.urls]\nRepository = "https://github.com/owner/book"',
                  (ROOT / "pyproject.toml").read_text())
    write_whole(tmp_path / "pyproject.toml", text)
    page = ROOT / "book" / "fuzzy.md"
    made = takeaway.notebook(tmp_path, page, pages.read(page), CITED, TITLES)
    bring = '    %pip install --quiet "locmethods[book] @ git+https://github.com/owner/book"'
    assert made.cells[1].source.endswith(bring)
    assert "https://owner.github.io/book/book/fuzzy.html" in made.cells[0].source


def test_the_menu_offers_it_where_there_is_one(tmp_path):
    app, context = SimpleNamespace(srcdir=tmp_path), {}
    takeaway.offer(app, "book/means", "page.html", context, object())
    assert context == {}
    write_whole(tmp_path / "_build" / "executed" / "means.ipynb", "{}")
    takeaway.offer(app, "book/means", "page.html", context, object())
    assert context == {"ipynb_source": "book/means.ipynb"}


@pytest.mark.slow
def test_it_runs_in_an_empty_folder_with_the_package_alone(tmp_path):
    """What a reader does: the notebook in a folder of its own, the package installed, nothing more of the repository.

    The other packages are those of this environment, so that a dependency missing in pyproject.toml is not seen here.
    """
    page = ROOT / "book" / "fuzzy.md"
    made = takeaway.notebook(ROOT, page, pages.read(page), takeaway.works(ROOT), TITLES)
    write_whole(tmp_path / "home" / "fuzzy.ipynb", nbformat.writes(made))
    shutil.copytree(ROOT / "locmethods", tmp_path / "installed" / "locmethods",
                    ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in notebooks.environment(ROOT, page).items()
                   if not name.startswith("LOCMETHODS")}
    environment |= {"PYTHONPATH": str(tmp_path / "installed"), "IPYTHONDIR": str(tmp_path / "ipython")}
    script = ("import sys, nbformat, nbclient; nb = nbformat.read(sys.argv[1], as_version=4); "
              "nbclient.NotebookClient(nb, timeout=900, kernel_name='python3').execute(); "
              "nbformat.write(nb, sys.argv[1])")
    done = subprocess.run([sys.executable, "-c", script, "fuzzy.ipynb"], cwd=tmp_path / "home", env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    ran = nbformat.read(tmp_path / "home" / "fuzzy.ipynb", as_version=4)
    shown = [output for cell in ran.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 3
    assert "holds: " in str(shown) and os.listdir(tmp_path / "home") == ["fuzzy.ipynb"]


def test_a_page_opens_in_jupyter_lab_as_a_notebook_and_is_saved_whole(tmp_path):
    """As Jupyter Lab does it, by Jupytext's manager of contents, with the repository's own settings."""
    pytest.importorskip("jupyter_server")
    from jupyter_server.services.contents.largefilemanager import LargeFileManager
    from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

    page = tmp_path / "book" / "fuzzy.md"
    write_whole(page, (ROOT / "book" / "fuzzy.md").read_text())
    shutil.copy(ROOT / "jupytext.toml", tmp_path)
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)(root_dir=str(tmp_path))
    model = manager.get("book/fuzzy.md")
    assert model["type"] == "notebook"
    before, said = pages.read(page), page.read_text().split("---")[1]
    manager.save(model, "book/fuzzy.md")
    after = pages.read(page)
    assert [(cell.cell_type, cell.source, cell.metadata) for cell in after.cells] == [
        (cell.cell_type, cell.source, cell.metadata) for cell in before.cells]
    load = pages.load_yaml
    assert load(page.read_text().split("---")[1], "saved") == load(said, "first")
