"""The book's sources: which pages it has, and what a page says of itself."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CODE = "```{code-cell}"


class BookError(Exception):
    """What is wrong with a file of the book, in a sentence."""


def load_yaml(text, place):
    """Return what a YAML text holds; `place` is what the sentence calls it if it can't be read."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}," if mark else ""
        raise BookError(f"{place}{where} is not YAML: {getattr(error, 'problem', None) or error}") from None


def parts(root):
    """Return [(caption, files without their ends)] of `_toc.yml`; the first page stands alone, under no caption.

    Raises
    ------
    BookError
        If `_toc.yml` is missing, is no YAML, or has not the form that Jupyter Book reads.
    """
    file = Path(root) / "_toc.yml"
    if not file.exists():
        raise BookError(f"there is no _toc.yml in {Path(root).name}: it says which pages the book has")
    toc = load_yaml(file.read_text(), "_toc.yml")
    try:
        every = toc.get("parts", [{"chapters": toc.get("chapters", [])}])
        return [("", [str(toc["root"])]), *((part.get("caption", ""), [str(one["file"]) for one in part["chapters"]])
                                            for part in every)]
    except (AttributeError, KeyError, TypeError):
        raise BookError("_toc.yml must have a root, and parts with chapters, each written - file: book/stem") from None


def contents(root):
    """Return the files that `_toc.yml` names, without their ends, in order.

    Raises
    ------
    BookError
        As `parts`.
    """
    return [name for _, names in parts(root) for name in names]


def pages(root):
    """Return the pages of `_toc.yml`, as paths, in order.

    Raises
    ------
    BookError
        If a page is missing or named twice, or as `contents`.
    """
    names = contents(root)
    for name in names:
        if not (Path(root) / f"{name}.md").exists():
            raise BookError(f"_toc.yml names {name}, but there is no {name}.md")
        if names.count(name) > 1:
            raise BookError(f"_toc.yml names {name} twice")
    return [Path(root) / f"{name}.md" for name in names]


def chapters(root):
    """Return the pages that have code, as paths, in order."""
    return [page for page in pages(root) if CODE in page.read_text()]


def name_of(page):
    """Return what a sentence calls a page: its folder and file."""
    return f"{page.parent.name}/{page.name}"


def read(page):
    """Return a page as a notebook with stable cell ids."""
    return copy.deepcopy(_parsed(Path(page).read_text()))


@functools.lru_cache(maxsize=64)
def _parsed(text):
    import jupytext

    notebook = jupytext.reads(text, fmt="md:myst")
    notebook.metadata = {"kernelspec": dict(KERNEL)}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
    return notebook


def code_cells(notebook):
    """Return the code cells, those that papermill injected left out."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"
            and "injected-parameters" not in cell.metadata.get("tags", [])]


def line_of(page, number):
    """Return the line of the page on which the code of its code cell `number`, counted from 1, begins."""
    text, at = Path(page).read_text(), -1
    for _ in range(number):
        at = text.index(CODE, at + 1)
    source = code_cells(read(page))[number - 1].source
    return text[:max(text.find(source, at), at)].count("\n") + 1
