"""A figure in one call: drawn for two widths and coloured for both themes, with the data and the record to cite it by.

What costs time is to draw and to lay out, so it is done once for each width: every format is saved from that drawing,
and the dark theme is the light one's SVG in other colours.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.companion.build import records
from locmethods.companion.build.style import DARK_GROUND, GROUND, darkened, settings

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What a plot can show, and what is the same whichever way a sum was ordered.
DIGITS, NOTHING = 7, 1e-13
NARROW = 3.6  # inches: a page 390 pixels wide
SHARP = 200  # dots per inch of a picture for slides: 1280 pixels for a column of 6.4 inches
_NO_DATES = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
             "png": {"Software": None}}


class Layout(NamedTuple):
    """The size of a drawing in inches, and how many rows and columns of axes it has."""

    size: tuple
    panels: tuple


class Table:
    """What a figure's CSV holds, read back from it: a column, or a matrix of columns, by name.

    It knows which names were asked for, so that nothing stands in the CSV that no drawing shows.
    """

    def __init__(self, text):
        self.text = text
        head, *rows = csv.reader(io.StringIO(text))
        self.asked, self._columns = set(), {}
        for name, column in zip(head, zip(*rows, strict=True), strict=True):
            self._columns[name] = _column(column)

    def __getitem__(self, name):
        self.asked.add(name)
        if name in self._columns:
            return self._columns[name]
        found = [self._columns[key] for key in self._columns if re.fullmatch(rf"{re.escape(name)}_\d+", key)]
        if not found:
            raise KeyError(f"the figure's data have no column {name!r}; there are {', '.join(self._columns)}")
        return np.stack(found, 1)

    def __contains__(self, name):
        return name in self._columns or f"{name}_0" in self._columns

    def unseen(self):
        """Return the columns that nobody has asked for."""
        return [name for name in self._columns
                if name not in self.asked and re.sub(r"_\d+$", "", name) not in self.asked]


def _column(cells):
    """Return a column of a CSV as an array: numbers if all are, the blanks at its end left out."""
    cells = list(cells)
    while cells and cells[-1] == "":
        cells.pop()
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return np.array(cells)


def figure(
    name: str,
    draw: Callable[..., Any],
    *,
    caption: str,
    alt: str,
    data: Mapping[str, ArrayLike],
    size: tuple[float, float] = (6.4, 3.8),
    panels: tuple[int, int] = (1, 1),
    narrow: tuple[tuple[float, float], tuple[int, int]] | None = None,
    parameters: dict[str, Any] | None = None,
    seed: int | None = None,
) -> None:
    """Draw a figure for the page, and leave SVG, PDF, PNG, the plotted data as CSV and a record to cite it by.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens; in a chapter it begins with the chapter's stem.
    draw : callable
        ``draw(axes, table)`` draws what `table` holds on one Axes, or on a flat array of them for several `panels`;
        it is called once for each width and each ground, and must leave colours to the style. `table` is read back
        from the CSV: ``table["x"]`` is a column, or a matrix with a row for each of the array's.
    caption, alt : str
        The caption (Markdown, with mathematics) and what somebody who cannot see the figure must know.
    data : dict of str to array
        All that is plotted; one CSV column each, one for each column of a matrix.
    size : (float, float), default=(6.4, 3.8)
        Inches.
    panels : (int, int), default=(1, 1)
        Rows and columns of axes.
    narrow : pair of (float, float) and (int, int), optional
        Size and panels of the variant for a phone, 3.6 inches wide; by default panels side by side are stacked.
    parameters : dict, optional
        What the figure was made with.
    seed : int, optional

    Raises
    ------
    ValueError
        If the name is not of that form, the caption, alt text or data are missing, or a column is not drawn.
    """
    check(name, caption, alt, data)
    table, layouts = Table(as_csv(data)), layouts_of(size, panels, narrow)
    wide = drawn(draw, table, name, layouts[""])
    check_drawn(name, table)
    place = records.folder("figures")
    if place is not None:
        narrow = drawn(draw, table, name, layouts[".narrow"])
        leave_variants(place, name, variants(name, {"": wide, ".narrow": narrow}))
        leave(place, records.chapter(), name, caption, alt, table, canvas=wide,
              dark=drawn(draw, table, name, layouts[""], dark=True),
              extra={"parameters": parameters or {}, "seed": seed, "stacked": stacked(layouts)})
    show(name, caption, alt, saved(wide, name, "png", ground=True))


def variants(name, canvases):
    """Return {end of the file's name: SVG} for each theme, given {variant: drawing} of each width."""
    found = {}
    for variant, canvas in canvases.items():
        light = saved(canvas, name, "svg")
        found[f"{variant}.light.svg"], found[f"{variant}.dark.svg"] = light, darkened(light)
    return found


def leave_variants(place, name, pictures):
    """Write the pictures of `variants` beside each other."""
    for end, picture in pictures.items():
        records.write_whole(place / f"{name}{end}", picture)


def layouts_of(size, panels, narrow):
    """Return {"": the layout for a desktop, ".narrow": that for a phone}."""
    wide = Layout(tuple(size), tuple(panels))
    if narrow is not None:
        return {"": wide, ".narrow": Layout(*map(tuple, narrow))}
    rows, columns = panels
    if columns == 1 or rows > 1:
        small = Layout((NARROW, size[1] * max(0.75, NARROW / size[0])), wide.panels)
    else:
        small = Layout((NARROW, columns * min(size[1], 3.0)), (columns, 1))
    return {"": wide, ".narrow": small}


def stacked(layouts):
    """Return True if what stands side by side on a desktop stands one above the other on a phone."""
    wide, narrow = layouts[""].panels, layouts[".narrow"].panels
    return wide[0] == 1 < wide[1] and narrow[1] == 1


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


def check_drawn(name, table):
    """Raise ValueError if a column of the table is not drawn."""
    if unseen := table.unseen():
        raise ValueError(f"the data of {name} hold what the drawing does not show: {', '.join(unseen)}")


def drawn(draw, table, name, layout, dark=False):
    """Return the drawing, laid out, in the light theme's colours, or in the `dark` one's."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(settings(name, dark)):
        canvas = Figure(figsize=layout.size)
        axes = canvas.subplots(*layout.panels)
        draw(axes if layout.panels == (1, 1) else np.ravel(axes), table)
        canvas.draw_without_rendering()
        canvas.set_layout_engine("none")  # it has done its work: to save again costs no layout
        _leave_markers_whole(canvas)
    return canvas


def has_markers(line):
    """Return True if a line has a marker at each of its points."""
    return line.get_marker() not in ("None", "none", None, " ", "")


def _leave_markers_whole(canvas):
    """Let markers stand whole at an axis's end: the axes cut only what has points beyond them."""
    from matplotlib.collections import PathCollection

    for axes in canvas.axes:
        if axes.name != "rectilinear":
            continue
        low, high = np.sort([axes.get_xlim(), axes.get_ylim()], axis=1).T
        for dots in axes.collections:
            placed = isinstance(dots, PathCollection) and dots.get_offset_transform() == axes.transData
            if placed and _within(dots.get_offsets(), low, high):
                dots.set_clip_on(False)
        for line in axes.lines:
            if has_markers(line) and line.get_transform() == axes.transData and _within(line.get_xydata(), low, high):
                line.set_clip_on(False)


def _within(points, low, high):
    points = np.ma.filled(points, np.nan)
    return bool(np.all(np.isnan(points) | ((points >= low) & (points <= high))))


def saved(canvas, name, kind, ground=False, dpi="figure", dark=False):
    """Return the bytes of a drawing; on a transparent ground unless `ground`.

    Colours by their number in the cycle are looked up only now: `dark` must be what the drawing was drawn with.
    """
    import matplotlib

    out = io.BytesIO()
    colour = (DARK_GROUND if dark else GROUND) if ground else "none"
    with matplotlib.rc_context(settings(name, dark)):
        canvas.savefig(out, format=kind, metadata=_NO_DATES[kind], facecolor=colour, dpi=dpi)
    return out.getvalue()


def leave(place, chapter, name, caption, alt, table, *, canvas, dark, more=None, extra=None):
    """Write the files to take a figure away by, `more` among them, and last its record."""
    files = {f"{name}.svg": saved(canvas, name, "svg", ground=True),
             f"{name}.pdf": saved(canvas, name, "pdf", ground=True),
             f"{name}.png": saved(canvas, name, "png", ground=True, dpi=SHARP),
             f"{name}.dark.png": saved(dark, name, "png", ground=True, dpi=SHARP, dark=True),
             f"{name}.csv": table.text, **(more or {})}
    for file, content in files.items():
        records.write_whole(place / file, content)
    records.write_json(place / f"{name}.json", {
        "name": name, "chapter": chapter, "caption": caption, "alt": alt, "seed": None, "parameters": {},
        "stacked": False,
        "versions": versions(), "files": sorted(files), "checksum": hashlib.sha256(table.text.encode()).hexdigest(),
        **(extra or {})})


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
        cells = as_written(np.atleast_1d(value))
        if value.ndim <= 1:
            columns[key] = cells.tolist()
        else:
            flat = cells.reshape(len(value), -1)
            columns |= {f"{key}_{j}": flat[:, j].tolist() for j in range(flat.shape[1])}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    longest = max(map(len, columns.values()))
    writer.writerows(zip(*(column + [""] * (longest - len(column)) for column in columns.values()), strict=True))
    return out.getvalue()


def as_written(array):
    """Return the cells of an array: floats to seven digits, and what is rounding beside its largest entry as zero."""
    if array.dtype.kind != "f":
        return array.astype(object)
    largest = np.max(np.abs(array), where=np.isfinite(array), initial=0.0)
    cleaned = np.where(np.abs(array) <= NOTHING * largest, 0.0, array)
    written = [f"{value:.{DIGITS}g}" for value in cleaned.ravel().tolist()]
    return np.array(written, dtype=object).reshape(array.shape)


def show(name, caption, alt, picture):
    """Display the picture and its caption in the notebook."""
    from IPython.display import publish_display_data

    publish_display_data({"text/plain": f"Figure {name}: {caption}\n[{alt}]", "image/png": picture},
                         {"locmethods": {"figure": name}})
