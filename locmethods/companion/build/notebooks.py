"""A page as a notebook: read, frozen (text outputs only), and handed to the site."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from locmethods.companion.build.records import write_whole

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What nbval would skip or what differs from machine to machine; the frozen notebook keeps the text.
_PICTURES = ("image/", "text/html", "application/javascript")


def pages(root):
    """Return the pages of `_toc.yml`, as paths, in order."""
    import yaml

    toc = yaml.safe_load((Path(root) / "_toc.yml").read_text())
    stems = [toc["root"]]
    for part in toc.get("parts", [{"chapters": toc.get("chapters", [])}]):
        stems += [chapter["file"] for chapter in part["chapters"]]
    return [Path(root) / f"{stem}.md" for stem in stems]


def chapters(root):
    """Return the pages that have code, as paths, in order."""
    return [page for page in pages(root) if "```{code-cell}" in page.read_text()]


def read(page):
    """Return a page as a notebook with stable cell ids."""
    import jupytext

    notebook = jupytext.reads(Path(page).read_text(), fmt="md:myst")
    notebook.metadata = {"kernelspec": dict(KERNEL)}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
    return notebook


def code_cells(notebook):
    """Return the code cells, those that papermill injected left out."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"
            and "injected-parameters" not in cell.metadata.get("tags", [])]


def fingerprint(root, page):
    """Return a hash of everything a chapter's outputs depend on: its code, the package and the lock; not its prose."""
    root = Path(root)
    digest = hashlib.sha256()
    code = [(cell.source, cell.metadata.get("tags", [])) for cell in code_cells(read(page))]
    digest.update(json.dumps(code).encode())
    for file in [root / "requirements.lock", *sorted((root / "locmethods").rglob("*.py"))]:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def line_of(page, number):
    """Return the line of the page on which the code of its code cell `number`, counted from 1, begins."""
    text, at = Path(page).read_text(), -1
    for _ in range(number):
        at = text.index("```{code-cell}", at + 1)
    source = code_cells(read(page))[number - 1].source
    return text[:max(text.find(source, at), at)].count("\n") + 1


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


def _as_figure(root, chapter, output):
    """Return the output of `figure` as a Sphinx figure: number, caption, alternative text, the light drawing."""
    import nbformat

    name = output.metadata.get("locmethods", {}).get("figure") if "metadata" in output else None
    if name is None:
        return output
    folder = Path(root) / "_build" / "records" / "figures" / chapter
    record = json.loads((folder / f"{name}.json").read_text())
    # One line, and no colon at its start, or the directive would take it for an option.
    alt = " ".join(record["alt"].split())
    text = (f"```{{figure}} /_build/records/figures/{chapter}/{name}.light.svg\n:name: fig-{name}\n:alt: {alt}\n"
            f":align: center\n\n{record['caption']}\n```\n")
    if "labels" in record:
        script = json.dumps({"name": name, "labels": record["labels"], "still": record["still"]}).replace("</", "<\\/")
        text += f'\n```{{raw}} html\n<script type="application/json" class="frames">{script}</script>\n```\n'
    return nbformat.v4.new_output("display_data", data={"text/markdown": text})


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
        cell.outputs = [_as_figure(root, page.stem, output) for output in done.outputs]
        cell.execution_count = done.execution_count
    notebook.metadata["language_info"] = {"name": "python"}
    cache = get_cache(str(root / "_build" / ".jupyter_cache"))
    cache.cache_notebook_bundle(CacheBundleIn(notebook, str(page)), check_validity=False, overwrite=True)
