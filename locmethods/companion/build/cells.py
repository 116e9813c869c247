"""What a page's cells must be: formatted as Ruff does it, and outweighed by prose."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from locmethods.companion.build import pages
from locmethods.companion.build.records import write_whole

WIDTH = 88  # columns: what fits beside a page's margins
HIDDEN = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
CELL = re.compile(r"(```\{code-cell\}[^\n]*\n(?:(?:---\n.*?\n---|:[^\n]*)\n)*\n?)(.*?)(\n```)(?=\n|\Z)", re.DOTALL)
# Of a page: a name may stay for the next cell (F401 does not), imports stand where the reader needs them (E402), a
# last line shows its value (B018).
IGNORED = "E402,B018,E741,RUF001,RUF002,RUF003,E501"


def formatted(sources):
    """Return the code of cells as Ruff formats them, all in one run.

    Raises
    ------
    BookError
        If a cell is not Python, with its number and what Ruff says.
    """
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
             for source in sources]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
    done = subprocess.run([sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(WIDTH),
                           "--stdin-filename", "page.ipynb", "-"],
                          input=json.dumps(notebook), capture_output=True, text=True)
    if done.returncode:
        raise pages.BookError(f"a page's cells can't be formatted: {done.stderr.strip()}")
    return ["".join(cell["source"]).strip("\n") for cell in json.loads(done.stdout)["cells"]]


def tidy(page):
    """Format the cells of a page; return True if the file changed."""
    text = page.read_text()
    cells = iter(formatted([found[2] for found in CELL.finditer(text)]))
    new = CELL.sub(lambda found: found[1] + next(cells) + found[3], text)
    if new != text:
        write_whole(page, new)
    return new != text


def complaints(page):
    """Return what Ruff's linter says of a page's code, as one program."""
    program = "\n\n".join(cell.source for cell in pages.code_cells(pages.read(page)))
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,B,UP,NPY,RUF",
                           "--ignore", IGNORED, "--output-format", "concise", "--quiet", "-"],
                          input=program, capture_output=True, text=True)
    return done.stdout.strip()


def is_visible(cell):
    """Return True if a reader sees a code cell's source without a click."""
    return not HIDDEN & set(cell.metadata.get("tags", []))


def weights(page):
    """Return how many characters of prose and of visible code a page has."""
    cells = pages.read(page).cells
    prose = sum(len(cell.source) for cell in cells if cell.cell_type == "markdown")
    code = sum(len(cell.source) for cell in cells if cell.cell_type == "code" and is_visible(cell))
    return prose, code
