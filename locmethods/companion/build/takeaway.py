"""A chapter as a notebook that runs elsewhere: executed, with its pictures, with nothing of the book's own machinery.

It needs the package with its extra ``book``, and no file of the repository.
"""

from __future__ import annotations

import re
from pathlib import Path

from locmethods.companion.build import metadata, pages, publication
from locmethods.companion.build.pages import KERNEL

_CITED = re.compile(r"(?<!`)\{cite(?::[a-z]+)?\}`([^`]*)`")
_ROLE = re.compile(r"(?<!`)\{[a-z:]+\}`(?:([^`<]*?)\s*<([^`>]*)>|([^`]*))`")
_LABEL = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
KEPT = ("text/plain", "image/png")  # what shows anywhere; the site's own markup does not


def works(root):
    """Return {key: "Song, 2026"} of the bibliography."""
    from pybtex.database import parse_file

    from locmethods.companion.build.bibliography import names_of

    entries = parse_file(str(Path(root) / "book" / "references.bib")).entries
    return {key: f"{names_of(entry)}, {entry.fields['year']}" for key, entry in entries.items()}


def readable(text, cited, titles):
    """Return a page's text without what only the site understands: citations and links become words."""
    def role(found):
        words, target = (found[1], found[2]) if found[2] else ("", found[3])
        named = titles.get(target, target.removeprefix("fig-"))
        return words.replace("%s", named) or named

    text = _CITED.sub(lambda found: "(" + "; ".join(cited.get(key.strip(), key.strip())
                                                    for key in found[1].split(",")) + ")", text)
    return _LABEL.sub("", _ROLE.sub(role, text))


def notebook(root, page, executed, cited, titles):
    """Return a chapter's executed notebook as a reader takes it away.

    Parameters
    ----------
    root, page : Path
    executed : notebook
        As papermill left it; it is not changed.
    cited, titles : dict
        The works of the bibliography by their keys, and the pages' titles by their stems, as a reader calls them.
    """
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(_head(root, page), id="head")]
    if repository := publication.place(root).repository:
        cells.append(nbformat.v4.new_code_cell(_bring(repository), id="bring"))
    for cell in executed.cells:
        tags = {"tags": list(cell.metadata["tags"])} if cell.metadata.get("tags") else {}
        if cell.cell_type == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(readable(cell.source, cited, titles), id=cell.id, metadata=tags))
            continue
        outputs = [shown for shown in map(_portable, cell.outputs) if shown is not None]
        cells.append(nbformat.v4.new_code_cell(cell.source, id=cell.id, metadata=tags, outputs=outputs,
                                               execution_count=cell.execution_count))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNEL),
                                                           "language_info": {"name": "python"}})


def _head(root, page):
    site = publication.place(root).site
    address = f", {site}book/{page.stem}.html" if site else ""
    return (f"*A chapter of “{metadata.title(root)}”{address}, as it was run for version {metadata.release(root)[0]}. "
            "To run it again, install the package with its extra, `pip install '.[book]'` in a clone of the "
            "repository. Text and figures: CC BY 4.0; code: BSD 3-Clause.*")


def _bring(repository):
    """Return the cell that brings the package along where it is missing, as on a server that has Python only."""
    return ("import importlib.util\n\nif importlib.util.find_spec(\"locmethods\") is None:\n"
            f'    %pip install --quiet "locmethods[book] @ git+{repository}"')


def _portable(output):
    """Return an output with what shows anywhere, or None if nothing of it does."""
    import nbformat

    if output.output_type == "stream":
        return nbformat.v4.new_output("stream", name=output.name, text=output.text) if output.name == "stdout" else None
    if "data" not in output:
        return None
    data = {kind: content for kind, content in output.data.items() if kind in KEPT}
    extra = {"execution_count": output.execution_count} if output.output_type == "execute_result" else {}
    return nbformat.v4.new_output(output.output_type, data=data, **extra) if data else None


def place(docname):
    """Return where a chapter's notebook stands, below the site's folder of sources."""
    return f"{docname}.ipynb"


def offer(app, pagename, templatename, context, doctree):
    """Give a chapter's menu its executed notebook: the theme makes the button of what it finds here."""
    if doctree is not None and executed(app.srcdir, pagename).exists():
        context["ipynb_source"] = place(pagename)


def executed(root, docname):
    """Return the file of a chapter's run."""
    return Path(root) / "_build" / "executed" / f"{Path(docname).name}.ipynb"


def leave(app, exception):
    """Write the notebooks that the menus offer, when the site is whole."""
    import nbformat

    if exception is not None or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    cited = works(root)
    titles = {page.stem: re.search("^# (.+)$", page.read_text(), re.MULTILINE)[1] for page in pages.pages(root)}
    for page in pages.chapters(root):
        docname = str(page.relative_to(root).with_suffix(""))
        if (run := executed(root, docname)).exists():
            made = notebook(root, page, nbformat.read(run, as_version=4), cited, titles)
            file = Path(app.outdir) / "_sources" / place(docname)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(nbformat.writes(made) + "\n")


def connect(app):
    """Register with Sphinx, before the theme makes the page's buttons."""
    app.connect("html-page-context", offer, priority=200)
    app.connect("build-finished", leave)
