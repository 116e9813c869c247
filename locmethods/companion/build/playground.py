"""The live local mean, of points and of pictures: the data that it shows, and the scripts that a page with it loads.

``book/_assets/localmean.js`` computes what the package does, ``playground.js`` draws it. A page that has scripts shows
the live piece in the place of a figure's drawing; the data stand in the page, since a page that is opened as a file may
fetch nothing.
"""

from __future__ import annotations

import json

import numpy as np

from locmethods.companion import datasets
from locmethods.companion.datasets import Sample

# Five modules of d3, as its authors publish them, below book/_assets/d3: drags by mouse and touch alike, joins of data
# with marks, axes and round ticks are what is easily got wrong by hand. The whole of d3 is seven times as large, its
# scales bring calendars along, and libraries of charts draw on a canvas, where nothing can be focused or read aloud.
D3 = {
    "d3-dispatch.min.js": ("3.0.2", "5afe071dad74c14cd580f540c9ec85b0755eed78b7f9ed3e9f63b989fc41aa4b"),
    "d3-selection.min.js": ("3.0.1", "1dcd563b613b841dbe5a536df5289b0ac64c233a21bc1e954651cbe2a4809877"),
    "d3-drag.min.js": ("3.0.1", "da7f489ebae8418e53759d2df5e9327eb9bedcdb4aa93feb065beda31f085232"),
    "d3-array.min.js": ("3.2.5", "468f7b9ed38d6322083da4d5ae9fa57d47784f964f16dcff96e413d16cc8f9d9"),
    "d3-axis.min.js": ("3.0.1", "3e2b821c13b93ccdb8f14e52494682ab94794cd2e29e3fc3fc56fac03b3478cd"),
}
SCRIPTS = (*(f"d3/{file}" for file in D3), "localmean.js", "playground.js")
MARK = 'class="playground"'
COMPARED = ("pictures", "upper halves", "directions")
LATE = 900  # after book.js, which gives drawings the names by which the live piece finds its own


def presets():
    """Return the book's own data as the live piece takes them: axes, keys, values, and where it begins.

    Lengths are in the units of the keys. Each slider goes from end to end by equal factors; ``bump`` is the width of
    the kernel between values that a local mode has, ``temperature`` the τ of attention.
    """
    engel, nile, moons = datasets.engel(), datasets.nile(), datasets.moons(160)
    return [
        _preset("nile", "the Nile, 1871–1970", nile, [_axis("year", (1867, 1974), decimals=0)],
                _axis("flow", (400, 1420), "10⁸ m³", 0), target=[1899], length=6, lengths=(1, 100),
                bump=60, bumps=(10, 500), temperature=0.03, temperatures=(0.001, 10), unit="years"),
        _preset("engel", "Engel's households, 1857", engel, [_axis("income", (250, 5100), "francs", 0)],
                _axis("food", (150, 2150), "francs", 0), target=[1200], length=120, lengths=(10, 5000),
                bump=60, bumps=(10, 1000), temperature=0.01, temperatures=(0.0003, 10), unit="francs"),
        _preset("moons", "two moons", moons, [_axis("x₁", (-2.6, 3.5)), _axis("x₂", (-1.3, 1.7))],
                _axis("label", (0, 1)), target=[0.3, 0.55], length=0.3, lengths=(0.03, 3),
                bump=0.1, bumps=(0.01, 1), temperature=0.3, temperatures=(0.03, 30)),
    ]


def from_table(record, table, keys, values, lengths, unit=""):
    """Return the data of a figure as the live piece takes them: its points, and a width that goes from end to end.

    Parameters
    ----------
    record : dict
        The record of a sequence of frames: at ``still`` it begins.
    table : Table
        The figure's CSV.
    keys, values : pair of str
        A column of the table and what the page calls it, or "" if it is called the same.
    lengths : str
        The column of the frames' widths, in the units of the keys.
    unit : str, default=""
        Of the keys.
    """
    x, y, widths = table[keys[0]], table[values[0]], table[lengths]
    reach = float(np.ptp(x))
    axes = [_axis(name or label, _ends(column), decimals=max(0, 2 - int(np.floor(np.log10(np.ptp(column))))))
            for (label, name), column in ((keys, x), (values, y))]
    length, spread = float(widths[record["still"]]), float(f"{np.std(y):.2g}")
    # On the half circle that is π long a Gaussian of this width is attention with the square of its angle for τ.
    temperature = float(f"{(np.pi * length / reach) ** 2:.2g}")
    return _preset(record["name"], record["name"], Sample(x, y), axes[:1], axes[1], unit=unit,
                   target=[float(np.round(np.median(x), axes[0]["decimals"]))], length=length,
                   lengths=(float(widths.min()), float(widths.max())), bump=spread / 4, bumps=(spread / 50, 5 * spread),
                   temperature=temperature, temperatures=(temperature / 1000, temperature * 1000))


def from_handed(record, handed, *, kernel, compares, slider, rows, call, again=None, inverse=False):
    """Return the data of frames of pictures as the live piece takes them.

    Parameters
    ----------
    record : dict
        The record of a sequence of frames: at ``still`` it begins.
    handed : dict of str to array
        What the chapter has handed over: pictures ``known`` and ``asked`` of shape (n_pictures, n_pixels), ``widths``
        of the frames, and, if the asked ones come with noise of the size of the width, that noise of size one,
        ``grain``.
    kernel : str
        Its name.
    compares : {"pictures", "upper halves", "directions"}
        What of a picture is compared: all of it, or its upper half or all of it as a vector of length one.
    slider : str
        What the page calls the width.
    rows : list of str
        What it calls the pictures that are asked, and what answers them.
    call : str
        The call that gives the answers, ``{}`` in the place of the width.
    again : float, optional
        Answers, as vectors of length one, are fed back until no number of them moves by more.
    inverse : bool, default=False
        The kernel's length is one over the width.

    Raises
    ------
    ValueError
        If a grey is no whole sixteenth of white, or `compares` is none of the above.
    """
    if compares not in COMPARED:
        raise ValueError(f"compares must be one of {', '.join(COMPARED)}, got {compares!r}")
    widths, grain = handed["widths"], handed.get("grain")
    return {"known": _greys(handed["known"]), "asked": _greys(handed["asked"]), "pixels": handed["known"].shape[1],
            "grain": None if grain is None else grain.tolist(), "kernel": kernel, "compares": compares,
            "again": again, "inverse": inverse, "slider": slider, "rows": rows, "call": call,
            "ends": [float(widths.min()), float(widths.max())], "start": float(widths[record["still"]])}


def _greys(pictures):
    """Return pictures as text, a character of base 17 for each pixel: a page of them is a tenth of what numbers are."""
    greys = 16 * np.asarray(pictures)
    if not np.isin(greys, range(17)).all():
        raise ValueError("the pictures' greys must be whole sixteenths from 0 to 1, got others")
    return "".join(np.array(list("0123456789abcdefg"))[greys.astype(int).ravel()])


def _ends(column):
    """Return the ends of an axis that leaves a little room around a column."""
    low, high = float(column.min()), float(column.max())
    room = 0.04 * (high - low)
    return low - room, high + room


def _axis(name, domain, unit="", decimals=2):
    """Return what a page knows of a quantity: its name, the ends of its axis, its unit, the decimals it is read to."""
    return {"name": name, "domain": list(domain), "unit": unit, "decimals": decimals}


def _preset(name, title, sample, features, value, *, lengths, bumps, temperatures, unit="", **start):
    keys = np.reshape(sample.x, (len(sample.x), -1))
    return {"name": name, "title": title, "features": features, "value": value, "keys": keys.tolist(),
            "values": sample.y.tolist(), "lengths": lengths, "lengthUnit": unit, "bumps": bumps,
            "temperatures": temperatures, "start": start}


def script(figure, **spec):
    """Return the element from which the live piece is made that takes the place of a figure's drawing.

    Parameters
    ----------
    figure : str
        The figure's name.
    **spec
        ``data``, a list as `presets` gives it, among which the reader chooses; with which ``answer`` and ``kernel`` it
        begins, and whether it shows the ``limit`` of equal weights. Or ``pictures``, as `from_handed` gives them.
    """
    spec = json.dumps({"figure": figure, **spec}, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="application/json" {MARK}>{spec}</script>'


def add_scripts(app, pagename, templatename, context, doctree):
    """Load the live piece's scripts on the pages that have one, and on no other."""
    if MARK in context.get("body", ""):
        for file in SCRIPTS:
            app.add_js_file(file, priority=LATE)
