"""The Sphinx side: pages follow their runs, the figures page and other lists are made from the records."""

from __future__ import annotations

import html
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import locmethods
from locmethods.companion import datasets
from locmethods.companion.build import (
    bibliography,
    bibtex,
    book,
    cards,
    family,
    figures,
    handed,
    lists,
    notebooks,
    pages,
    playground,
    publication,
    related,
    search,
    takeaway,
)
from locmethods.companion.drawings import cost, intro
from locmethods.companion.drawings import family as drawn_family


def records(app, kind, chapter=None):
    """Return the records of `kind`, of one chapter or of all, in the order of the book.

    A chapter that has left `_toc.yml` may have left records behind; they are not the book's any more.
    """
    folder = Path(app.srcdir) / "_build" / "records" / kind
    stems = [page.stem for page in pages.pages(app.srcdir)] if chapter is None else [chapter]
    return [json.loads(path.read_text()) for stem in stems for path in sorted((folder / stem).glob("*.json"))]


def run_chapters(app):
    """Run what is stale before anything is read, so that a bare `jupyter-book build .` is right too."""
    if os.environ.get(book.DONE) == "1":
        return
    done = subprocess.run([sys.executable, "-m", "locmethods.companion", "run", "--root", app.srcdir])
    if done.returncode:
        raise ExtensionError("the chapters could not be run, see above")


def follow_runs(app, docname, source):
    """Make a page depend on its run: Sphinx sees a change of the page only, not of its outputs."""
    stamp = Path(app.srcdir) / "_build" / "records" / f"{Path(docname).name}.stamp"
    if stamp.exists():
        app.env.note_dependency(str(stamp))


def _details(summary, body):
    return f'<details class="page-box"><summary>{html.escape(summary)}</summary>\n{body}\n</details>\n'


TAKEN = {".svg": "SVG", ".pdf": "PDF", ".png": "PNG", ".dark.svg": "SVG for a dark ground",
         ".dark.png": "PNG for a dark ground", ".frames.zip": "all frames", ".csv": "data as CSV"}


def _downloads(record, base):
    """Return the links to what can be taken away of a figure, in the order of `TAKEN`."""
    name = record["name"]
    files = {*record["files"], f"{name}.dark.svg"}  # the dark drawing is the page's own
    return ", ".join(f'<a href="{base}figures/{name}{end}" download>{words}</a>' for end, words in TAKEN.items()
                     if f"{name}{end}" in files)


def page_boxes(app, pagename, templatename, context, doctree):
    """Append to a page how to cite its figures and it, and to a chapter how it was run."""
    if doctree is None or "body" not in context:
        return
    chapter, base = Path(pagename).name, "../" * pagename.count("/")
    found = records(app, "figures", chapter)
    if found:
        title = next(doctree.findall(nodes.title)).astext()
        cites = f"<p>The page:</p><pre>{html.escape(bibtex.of_page(chapter, title, app.srcdir))}</pre>"
        cites += "".join(f"<p><strong>{html.escape(figure['name'])}</strong>: {_downloads(figure, base)}</p>"
                         f"<pre>{html.escape(bibtex.of_figure(figure, app.srcdir))}</pre>" for figure in found)
        context["body"] += _details("Cite this page and its figures", cites)
    run = Path(app.srcdir) / "_build" / "records" / "runs" / f"{chapter}.json"
    if run.exists():
        record = json.loads(run.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        how = (f"<p>In {record['seconds']:.0f} seconds, with the parameters</p>"
               f"<pre>{html.escape(record['parameters'])}</pre><p>and {html.escape(versions)}.</p>"
               f"<p>With others: <code>.venv/bin/python -m locmethods.companion try {chapter} NAME=VALUE</code></p>")
        context["body"] += _details("How this page was run", how)


def fetch_late(app, pagename, templatename, context, doctree):
    """Let browsers fetch the pictures of the list of figures, which are hundreds, as each comes near the window.

    Each keeps its place open meanwhile, so that nothing moves: its width and height are those of its drawing.
    """
    if doctree is None or "body" not in context:
        return
    for image in doctree.findall(nodes.image):
        if "fetched-late" in image["classes"]:
            drawing = Path(app.srcdir) / image["candidates"]["*"]
            context["body"] = re.sub(rf'<img (?=[^>]*class="fetched-late"[^>]*/{re.escape(drawing.name)}")',
                                     f'<img loading="lazy" {_size(drawing)} ', context["body"])


def _size(drawing):
    """Return the width and the height of an SVG as the attributes of an image."""
    with drawing.open() as lines:
        head = "".join(itertools.islice(lines, 6))
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups()
    return f'width="{float(width):.0f}" height="{float(height):.0f}"'


def cite_by_key(app, what, name, obj, options, lines):
    """Turn a docstring's ``[key]_`` into a citation of the bibliography, and keep its bars from being substitutions."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", re.sub(r"\[([a-z]+[0-9]{4}[a-z]?)\]_", r":cite:p:`\1`", line))
        lines[number] = "".join(part if part.startswith("``") else part.replace("|", "\\|") for part in parts)


def clean_scripts(app, pagename, templatename, context, doctree):
    """Keep each script once, and leave out Thebe: it would come from another server."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        name = str(getattr(script, "filename", script) or "")
        body = (getattr(script, "attributes", None) or {}).get("body") or ""
        if "thebe" in name.lower() or "THEBE" in body or (name, body) in seen:
            continue
        seen.add((name, body))
        kept.append(script)
    context["script_files"] = kept


def copy_figures(app, exception):
    """Copy drawings, data and what is taken away beside the pages, where scripts and links find them by name."""
    target = Path(app.outdir) / "figures"
    if exception is None and app.builder.format == "html":
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for file in (Path(app.srcdir) / "_build" / "records" / "figures").glob("*/*"):
            if file.suffix in (".svg", ".pdf", ".png", ".zip", ".csv"):
                shutil.copy2(file, target / file.name)


class _FromRecords(SphinxDirective):
    has_content = False

    def follow(self, kind):
        """Rebuild this page when a record of `kind` changes, and return the records."""
        for stamp in sorted((Path(self.env.srcdir) / "_build" / "records").glob("*.stamp")):
            self.env.note_dependency(str(stamp))
        return records(self.env.app, kind)

    def parse(self, text, headings=False):
        box = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source="records"), self.content_offset, box,
                                match_titles=headings)
        return box.children


def table(titles, rows, kind):
    """Return a table with a head; `kind` is its class in the page's style."""
    head = nodes.row("", *(nodes.entry("", nodes.paragraph("", title)) for title in titles))
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in titles), nodes.thead("", head),
                         nodes.tbody("", *rows), cols=len(titles))
    return nodes.table("", group, classes=[kind])


class FigureList(_FromRecords):
    """``{figure-list}``: every figure, with its files and its citation."""

    def run(self):
        text, root = [], self.env.srcdir
        for record in self.follow("figures"):
            name, chapter = record["name"], record["chapter"]
            alt = " ".join(record["alt"].split())
            text += [f"**{name}**, in {{doc}}`{chapter}`", "",
                     f"```{{image}} /_build/records/figures/{chapter}/{name}.light.svg", f":alt: {alt}", ":width: 70%",
                     ":class: fetched-late", "```", "", record["caption"], "", "```{raw} html",
                     f"<p>{_downloads(record, '../')}</p>",
                     _details("Cite this figure", f"<pre>{html.escape(bibtex.of_figure(record, root))}</pre>"), "```",
                     ""]
        return self.parse("\n".join(text))


class _FromResults(_FromRecords):
    def results(self):
        """Rebuild this page when the measurements change, and return them."""
        path = Path(self.env.srcdir) / "benchmarks" / "results.json"
        for source in (path, Path(__file__), Path(cost.__file__)):
            self.env.note_dependency(str(source))
        try:
            return book.measurements(self.env.srcdir)
        except pages.BookError as error:
            raise self.error(str(error)) from None


class BenchmarkTable(_FromResults):
    """``{benchmark-table}``: the committed measurements, ours beside every peer's, and the machine."""

    def run(self):
        results = self.results()
        rows = []
        # Of a curve, which is drawn, the largest.
        largest = {row["curve"]: row for row in results["rows"].values() if "curve" in row}
        for row in results["rows"].values():
            if "curve" in row and row is not largest[row["curve"]]:
                continue
            for contender, found in row["contenders"].items():
                ours = contender == "locmethods"
                faster = "" if ours else f"{_two_digits(found['ratio'])} times"
                cells = (row["title"] if ours else "", contender, f"{found['seconds']:.2g} s",
                         f"{found['peak_bytes'] / 2**20:.0f} MiB", faster)
                rows.append(self._row(cells))
            if "limit_seconds" in row:
                ratio = row["limit_seconds"] / row["contenders"]["locmethods"]["seconds"]
                rows.append(self._row(("", cost.LIMIT, f"{row['limit_seconds']:.2g} s", "",
                                       f"{_two_digits(ratio)} times")))
        machine = results["machine"]
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        said = (f"Measured on {machine['processor']} with {machine['threads']} threads, Python {machine['python']}, "
                f"{versions}.")
        titles = ("task", "who", "time", "peak memory", "ours is faster by")
        return [table(titles, rows, "measurements"), nodes.paragraph("", said)]

    @staticmethod
    def _row(cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))


def _two_digits(number):
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def draw_unrun(app):
    """Leave the figures of the pages that have no run of their own, before any page is read."""
    try:
        results, methods = book.measurements(app.srcdir), family.methods(app.srcdir)
    except pages.BookError as error:
        raise ExtensionError(str(error)) from None
    for stem in (cost.STEM, intro.STEM):
        shutil.rmtree(_place(app, stem), ignore_errors=True)
    leave_drawings(app, cost.STEM, cost.FIGURES, results)
    leave_drawings(app, intro.STEM, intro.FIGURES, playground.presets())
    if methods:
        leave_drawings(app, intro.STEM, [family.drawing(methods)], methods)


def _place(app, stem):
    """Return the folder of a page's figures."""
    return Path(app.srcdir) / "_build" / "records" / "figures" / stem


def leave_drawings(app, stem, drawings, source):
    """Draw the figures of a page from what they are made of, and leave them with their records."""
    place = _place(app, stem)
    for one in drawings:
        table = figures.Table(figures.as_csv(one.data(source)))
        size, narrow = one.sizes(table)
        layouts = figures.layouts_of(size, one.panels, narrow)
        canvases = {variant: figures.drawn(one.draw, table, one.name, layout) for variant, layout in layouts.items()}
        figures.check_drawn(one.name, table)
        figures.leave_variants(place, one.name, figures.variants(one.name, canvases))
        dark = figures.drawn(one.draw, table, one.name, layouts[""], dark=True)
        figures.leave(place, stem, one.name, one.caption, one.alt, table, canvas=canvases[""], dark=dark,
                      extra={"stacked": figures.stacked(layouts)})


class BenchmarkFigure(_FromResults):
    """``{benchmark-figure} cost-scale``: a figure drawn from the committed measurements."""

    required_arguments = 1

    def run(self):
        self.results()
        return self.parse(notebooks.figure_text(self.env.srcdir, cost.STEM, self.arguments[0]))


class LiveMean(_FromRecords):
    """``{live-mean}``: the local mean that a reader moves, and the figure that stands in its place without scripts."""

    def run(self):
        for source in (playground, intro, datasets):
            self.env.note_dependency(source.__file__)
        found = self.parse(notebooks.figure_text(self.env.srcdir, intro.STEM, intro.LIVE))
        return [*found, nodes.raw("", playground.script(intro.LIVE, data=playground.presets()), format="html")]


class _InPlaceOfFrames(_FromRecords):
    """The live piece in the place of frames, which the page names, whose slider moves a width."""

    required_arguments = 1

    def frames(self):
        """Return the frames' name, their record, and the folder in which it lies."""
        name, stem = self.arguments[0], Path(self.env.docname).name
        place = _place(self.env.app, stem)
        file = place / f"{name}.json"
        record = json.loads(file.read_text()) if file.exists() else {}
        if "labels" not in record:
            raise self.error(f"{stem} has no frames {name}: run the chapter again with make book")
        return name, record, place


class LiveFrames(_InPlaceOfFrames):
    """``{live-frames} means-sunspots``: the live piece in the place of frames of points.

    Its options name columns of the figure's CSV: ``:keys:`` and ``:values:``, each as ``column as name``, and
    ``:lengths:``, the widths of the frames; ``:unit:`` is that of the keys. ``:answer:`` is what it begins with, the
    mean by default; with ``:limit:`` it shows that of equal weights, too.
    """

    option_spec: ClassVar = dict.fromkeys(("keys", "values", "lengths", "unit", "answer"),
                                          directives.unchanged_required) | {"limit": directives.flag}

    def run(self):
        name, record, place = self.frames()
        table = figures.Table((place / f"{name}.csv").read_text())
        try:
            keys, values = (self.options[key].partition(" as ")[::2] for key in ("keys", "values"))
            unit = self.options.get("unit", "")
            data = playground.from_table(record, table, keys, values, self.options["lengths"], unit)
        except (KeyError, IndexError) as error:
            raise self.error(f"live-frames must name columns of {name}.csv as in :keys: observed as year, and the "
                             f"lengths of its frames: {error}") from None
        text = playground.script(name, data=[data], answer=self.options.get("answer", "mean"),
                                 limit="limit" in self.options)
        return [nodes.raw("", text, format="html")]


class LivePictures(_InPlaceOfFrames):
    """``{live-pictures} lazy-temperature``: the live piece in the place of frames of pictures.

    The chapter hands over the pictures and the widths of the frames. ``:kernel:``, ``:compares:``, ``:slider:``,
    ``:rows:`` (two names with a comma between them) and ``:call:`` are as `playground.from_handed` takes them, and may
    be followed by ``:again:``, a tolerance, and by ``:inverse:``.
    """

    option_spec: ClassVar = dict.fromkeys(("kernel", "compares", "slider", "rows", "call"),
                                          directives.unchanged_required) | {"again": float, "inverse": directives.flag}

    def run(self):
        name, record, place = self.frames()
        options = self.options | {"inverse": "inverse" in self.options}
        try:
            options["rows"] = options["rows"].split(", ")
            pictures = playground.from_handed(record, handed.handed_over(place, name), **options)
        except (KeyError, TypeError, ValueError) as error:
            raise self.error(f"live-pictures needs what the page hands over for {name}, and the options kernel, "
                             f"compares, slider, rows and call: {error}") from None
        return [nodes.raw("", playground.script(name, pictures=pictures), format="html")]


class FamilyMap(_FromRecords):
    """``{family-map}``: the methods, their kinds and the claims that join them, as a figure of links and as a list."""

    def run(self):
        for source in (*pages.chapters(self.env.srcdir), Path(self.env.srcdir) / "_toc.yml", family.__file__,
                       drawn_family.__file__):
            self.env.note_dependency(str(source))
        try:
            methods = family.methods(self.env.srcdir)
        except pages.BookError as error:
            raise self.error(str(error)) from None
        found = self.parse(notebooks.figure_text(self.env.srcdir, intro.STEM, drawn_family.NAME))
        if self.env.app.builder.format == "html":  # elsewhere, the drawing without its links
            live = nodes.raw("", self.linked(methods), format="html")
            for picture in [picture for node in found for picture in node.findall(nodes.image)]:
                picture.replace_self(live)
        return [*found, nodes.raw("", family.listed(methods), format="html")]

    def linked(self, methods):
        """Return the two drawings, for a desktop and a phone, and their colours."""
        svgs = {variant: (_place(self.env.app, intro.STEM) / f"{drawn_family.NAME}{variant}.light.svg").read_text()
                for variant in ("", ".narrow")}
        return family.colours() + "".join(family.inline(svg, methods, bool(variant)) for variant, svg in svgs.items())


class ChapterMap(_FromRecords):
    """``{chapter-map}``: the chapters with their questions and surprises, from the pages' front matter."""

    def run(self):
        for page in pages.chapters(self.env.srcdir):
            self.env.note_dependency(str(page))
        self.env.note_dependency(str(Path(self.env.srcdir) / "_toc.yml"))
        try:
            return self.parse(lists.chapter_map(self.env.srcdir))
        except pages.BookError as error:
            raise self.error(str(error)) from None


class Api(_FromRecords):
    """``{api}``: every public name of the package, documented where it lives."""

    def run(self):
        stems = [page.stem for page in pages.pages(self.env.srcdir)]
        for file in Path(locmethods.__file__).parent.rglob("*.py"):
            self.env.note_dependency(str(file))
        return self.parse(lists.api(locmethods, stems), headings=True)


def setup(app):
    """Register the extension with Sphinx."""
    bibliography.register()
    app.add_directive("api", Api)
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("family-map", FamilyMap)
    app.add_directive("live-frames", LiveFrames)
    app.add_directive("live-mean", LiveMean)
    app.add_directive("live-pictures", LivePictures)
    app.add_directive("claim-card", cards.ClaimCard)
    app.add_directive("claims-ledger", cards.ClaimsLedger)
    app.add_directive("sabotage-table", cards.SabotageTable)
    app.add_directive("figure-list", FigureList)
    app.add_directive("benchmark-table", BenchmarkTable)
    app.add_directive("benchmark-figure", BenchmarkFigure)
    app.connect("builder-inited", run_chapters, priority=100)
    app.connect("builder-inited", draw_unrun, priority=200)
    app.connect("autodoc-process-docstring", cite_by_key)
    app.connect("source-read", follow_runs)
    app.connect("html-page-context", clean_scripts, priority=900)
    app.connect("html-page-context", page_boxes, priority=100)
    app.connect("html-page-context", fetch_late, priority=100)
    app.connect("html-page-context", playground.add_scripts, priority=200)
    app.connect("build-finished", copy_figures)
    app.connect("build-finished", search.leave_passages, priority=900)
    publication.connect(app)
    takeaway.connect(app)
    related.connect(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
