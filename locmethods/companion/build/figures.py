"""A figure in one call: drawn for both themes, with the data and the record that let it be cited."""

from __future__ import annotations

import csv
import hashlib
import io
import re

import numpy as np

from locmethods.companion.build import records
from locmethods.companion.build.style import THEMES, settings

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NO_DATES = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
             "png": {"Software": None}}


def figure(name, draw, *, caption, alt, data, size=(6.4, 3.8), panels=(1, 1), parameters=None, seed=None):
    """Draw a figure for the page, and leave SVG, PDF, the plotted data as CSV and a record to cite it by.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens; in a chapter it begins with the chapter's stem.
    draw : callable
        ``draw(axes)`` draws on one Axes, or on an array of them for several `panels`; it is called once for
        each theme and must leave colours to the style.
    caption, alt : str
        The caption (Markdown, with mathematics) and what somebody who cannot see the figure must know.
    data : dict of str to array
        What is plotted; one CSV column each, one for each column of a matrix.
    size : (float, float), default=(6.4, 3.8)
        Inches.
    panels : (int, int), default=(1, 1)
        Rows and columns of axes.
    parameters : dict, optional
        What the figure was made with.
    seed : int, optional

    Raises
    ------
    ValueError
        If the name is not of that form, or the caption, alt text or data are missing.
    """
    check(name, caption, alt, data)
    pictures = {theme: render(draw, name, theme, size, panels, "svg") for theme in THEMES}
    place = records.folder("figures")
    if place is not None:
        for theme, picture in pictures.items():
            records.write_whole(place / f"{name}.{theme}.svg", picture)
        leave(place, name, caption, alt, data, parameters, seed, still=draw, size=size, panels=panels)
    show(name, caption, alt, render(draw, name, "light", size, panels, "png", ground=True))


def check(name, caption, alt, data):
    """Raise ValueError unless a figure can be made and cited from these."""
    stem = records.chapter()
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise ValueError(f"a figure's name must be lower-case words joined by hyphens, got {name!r}")
    if stem and not name.startswith(stem.replace("_", "-") + "-"):
        raise ValueError(f"a figure of the chapter {stem!r} must have a name that begins with {stem}-, got {name!r}")
    for key, text in (("caption", caption), ("alt", alt)):
        if not (isinstance(text, str) and text.strip()):
            raise ValueError(f"{key} must be a sentence, got {text!r}")
    if not (isinstance(data, dict) and data):
        raise ValueError(f"data must be a dict of the plotted arrays, got {data!r}")


def render(draw, name, theme, size, panels, kind, ground=False):
    """Return the bytes of the drawing in one theme; on a transparent ground unless `ground`."""
    import matplotlib
    from matplotlib.figure import Figure

    from locmethods.companion.build.style import theme_colours

    with matplotlib.rc_context(settings(theme, name)):
        canvas = Figure(figsize=size)
        draw(canvas.subplots(*panels))
        out = io.BytesIO()
        colour = theme_colours(theme)["ground"] if ground else "none"
        canvas.savefig(out, format=kind, metadata=_NO_DATES[kind], facecolor=colour)
    return out.getvalue()


def leave(place, name, caption, alt, data, parameters, seed, *, still, size, panels, extra=None):
    """Write the files to cite a figure by, and last its record."""
    table = as_csv(data)
    files = {f"{name}.svg": render(still, name, "light", size, panels, "svg", ground=True),
             f"{name}.pdf": render(still, name, "light", size, panels, "pdf", ground=True), f"{name}.csv": table}
    for file, content in files.items():
        records.write_whole(place / file, content)
    records.write_json(place / f"{name}.json", {
        "name": name, "chapter": records.chapter(), "caption": caption, "alt": alt, "seed": seed,
        "parameters": parameters or {}, "versions": versions(), "files": sorted(files),
        "checksum": hashlib.sha256(table.encode()).hexdigest(), **(extra or {})})


def versions():
    """Return the versions of what computes and draws."""
    from importlib.metadata import version

    return {package: version(package).split("+")[0]
            for package in ("matplotlib", "numpy", "scikit-learn", "scipy", "torch")}


def as_csv(data):
    """Return arrays as a CSV table: one column each, a matrix one for each of its columns, blanks at the end."""
    columns = {}
    for key, value in data.items():
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if value.ndim <= 1:
            columns[key] = np.atleast_1d(value)
        else:
            flat = value.reshape(len(value), -1)
            columns |= {f"{key}_{j}": flat[:, j] for j in range(flat.shape[1])}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in range(max(map(len, columns.values()))):
        # Ten digits: what a plot can show, and the same whichever way a sum was ordered.
        writer.writerow(["" if row >= len(c) else f"{c[row]:.10g}" if c.dtype.kind == "f" else c[row]
                         for c in columns.values()])
    return out.getvalue()


def show(name, caption, alt, picture):
    """Display the picture and its caption in the notebook."""
    from IPython.display import publish_display_data

    publish_display_data({"text/plain": f"Figure {name}: {caption}\n[{alt}]", "image/png": picture},
                         {"locmethods": {"figure": name}})
