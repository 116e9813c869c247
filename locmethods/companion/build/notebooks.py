"""A page as a notebook: executed, frozen (text outputs only), and handed to the site."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from locmethods.companion.build import records
from locmethods.companion.build.pages import KERNEL, BookError, code_cells, line_of, name_of, read
from locmethods.companion.build.records import write_whole

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# What nbval would skip or what differs from machine to machine; the frozen notebook keeps the text.
_PICTURES = ("image/", "text/html", "text/markdown", "application/javascript")


def environment(root, page):
    """Return the environment of a chapter's process and its kernel.

    Libraries have one thread: with more they add up in another order, and of neighbours equally far they find others,
    so that a figure would depend on the machine and on what ran beside it.
    """
    return os.environ | dict.fromkeys(_THREADS, "1") | {
        records.FOLDER: str(Path(root) / "_build" / "records"), records.CHAPTER: page.stem, "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1", "IPYTHONDIR": str(Path(root) / "_build" / "ipython"), "MPLBACKEND": "agg",
        "SCIPY_ARRAY_API": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "JUPYTER_PATH": os.pathsep.join([os.path.join(sys.prefix, "share", "jupyter"),
                                         os.environ.get("JUPYTER_PATH", "")]).rstrip(os.pathsep)}


def execute(page, parameters, out):
    """Execute a page with papermill, in this process's environment, into `out`; return the notebook.

    Raises
    ------
    BookError
        With the page, the cell, its line and the error, if a cell raises.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = read(page)
    cells = code_cells(notebook)
    unfinished = out.with_name(f".{out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = papermill.execute_notebook(
            notebook, str(unfinished), parameters=parameters or None, kernel_name="python3", language="python",
            cwd=str(page.parent), progress_bar=False, start_timeout=180, execution_timeout=1800,
            extra_arguments=["--IPKernelApp.log_level=40"])
    except PapermillExecutionError as error:
        # By its source: papermill counts the cell that it injected, too.
        numbers = [number for number, cell in enumerate(cells, start=1) if cell.source == error.source]
        place = (f"code cell {numbers[0]} (line {line_of(page, numbers[0])})" if numbers
                 else "the cell of the given parameters")
        raise BookError(f"{name_of(page)}, {place} raised {error.ename}: {error.evalue}") from None
    os.replace(unfinished, out)
    return done


def _merged(outputs):
    """Return the outputs with one stream a name: how a kernel cuts a stream into messages is timing."""
    kept, streams = [], {}
    for output in outputs:
        if output.output_type == "stream" and output.name in streams:
            streams[output.name].text += output.text
            continue
        if output.output_type == "stream":
            streams[output.name] = output
        kept.append(output)
    return kept


def freeze(notebook, path):
    """Write the notebook with its text outputs only, counts 1 … k, and nothing of the machine."""
    import nbformat

    notebook.metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata = {"tags": tags} if (tags := cell.metadata.get("tags")) else {}
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.outputs = [output for output in map(_text_only, _merged(cell.outputs)) if output is not None]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    write_whole(path, nbformat.writes(notebook) + "\n")


def _text_only(output):
    """Return an output without pictures and standard error, or None if nothing is left of it."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if "data" in output:
        output.metadata = {}
        output.data = {kind: data for kind, data in output.data.items() if not kind.startswith(_PICTURES)}
        output.pop("transient", None)
        return output if output.data else None
    return output


def _for_site(root, chapter, output):
    """Return an output as the site shows it: a figure with its number and caption, a claim as its card."""
    shown = output.metadata.get("locmethods", {}) if "metadata" in output else {}
    if "figure" in shown:
        return _markdown(figure_text(root, chapter, shown["figure"]))
    if "claim" in shown:
        return _markdown(f"```{{claim-card}} {shown['claim']}\n```\n")
    return output


def _markdown(text):
    import nbformat

    return nbformat.v4.new_output("display_data", data={"text/markdown": text})


def figure_text(root, chapter, name):
    """Return a figure as Markdown: number, caption, alternative text, the light drawing, its slider."""
    folder = Path(root) / "_build" / "records" / "figures" / chapter
    record = json.loads((folder / f"{name}.json").read_text())
    # One line, and no colon at its start, or the directive would take it for an option.
    alt = " ".join(record["alt"].split())
    kind = ":figclass: stacked\n" if record["stacked"] else ""
    text = (f"```{{figure}} /_build/records/figures/{chapter}/{name}.light.svg\n:name: fig-{name}\n:alt: {alt}\n"
            f":align: center\n{kind}\n{record['caption']}\n```\n")
    if "labels" in record:
        slider = {key: record[key] for key in ("name", "labels", "still", "moves")}
        script = json.dumps(slider).replace("</", "<\\/")
        text += f'\n```{{raw}} html\n<script type="application/json" class="frames">{script}</script>\n```\n'
    return text


def to_site(root, page, executed):
    """Put the outputs into the cache that the site is built from, under the key that it computes for the page."""
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    root, page = Path(root), Path(page)
    notebook = read_myst_markdown_notebook(page.read_text(), MdParserConfig(), add_source_map=True, path=page)
    ours = [cell for cell in notebook.cells if cell.cell_type == "code"]
    theirs = code_cells(executed)
    if [cell.source for cell in ours] != [cell.source for cell in theirs]:
        raise ValueError(f"{page.name} is read differently by jupytext and myst-nb: its cells are not the same")
    for cell, done in zip(ours, theirs, strict=True):
        cell.outputs = [_for_site(root, page.stem, output) for output in done.outputs]
        cell.execution_count = done.execution_count
    notebook.metadata["language_info"] = {"name": "python"}
    cache = get_cache(str(root / "_build" / ".jupyter_cache"))
    cache.cache_notebook_bundle(CacheBundleIn(notebook, str(page)), check_validity=False, overwrite=True)
