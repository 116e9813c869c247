"""The map of the family: methods placed by kernel, by what is averaged and by whether the answer is fed back.

The places are found from what the pages say; an edge is a claim that joins two methods, and goes where it crosses
least. All lengths are inches, counted from the upper left corner.
"""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from locmethods.companion.build.style import GROUND
from locmethods.companion.drawings.charts import ink

NAME = "intro-family"
# What the pages may say, in the order in which it is drawn, and how the map says it.
KERNELS = {"distance": "distances", "rank": "ranks", "inner product": "inner products", "given": "given, or solved for"}
AVERAGES = {"numbers": "numbers", "labels": "labels", "points": "points", "losses": "losses"}
ANSWERS = {"once": "answered once", "fed back": "fed back: the answer is the next question"}
COLOURS = dict(zip(AVERAGES, ("C0", "C3", "C2", "C4"), strict=True))
TAG = np.array([0.31, 0.18])  # of the name of a claim on its edge
CLEAR = 0.05  # between what must not touch
# An edge goes from box to box as a curve, its middle pushed aside by a share of its length, or straight along a lane
# between two columns, of which each holds several.
BENDS = (0, 0.1, -0.1, 0.2, -0.2, 0.35, -0.35)
ENDS = ((0, 0), (0.09, 0), (-0.09, 0), (0, 0.09), (0, -0.09), (0.09, 0.09), (-0.09, -0.09))  # above a box's middle
ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)  # where on an edge its claim's name may stand
SAMPLES = 121  # points of an edge
# What an edge costs, an inch: across a box, a head or a name, along another edge, and by itself.
ACROSS_BOX, ACROSS_HEAD, ACROSS_TAG, BESIDE, ITSELF = 40.0, 12.0, 20.0, 10.0, 1.0
HIT, OUTSIDE = 30.0, 1000.0  # a name that touches something, a place beyond the drawing
TRIED = 60  # so many ways of an edge are looked at closely


class Style(NamedTuple):
    """Sizes of a layout: of a method's box, from box to box across and down, of the margins at the left and right.

    Of a line of a method's name so many letters have room, in this size of type; lanes are counted from the middle
    between two columns.
    """

    box: tuple
    across: float
    down: float
    margins: tuple
    letters: int
    size: float
    lanes: tuple


WIDE = Style((1.24, 0.42), 1.62, 0.56, (0.72, 0.06), 16, 9.0, (0, 0.08, -0.08))
NARROW = Style((1.16, 0.54), 1.64, 0.66, (0.16, 0.16), 16, 8.0, (0, 0.08, -0.08, 0.16, -0.16))


class Edge(NamedTuple):
    """A claim that joins two methods: the points of its curve, of shape (n, 2), and the middle of its name."""

    claim: str
    curve: np.ndarray
    tag: np.ndarray


class Layout(NamedTuple):
    """Where everything stands: middles of the methods' boxes, (n, 2), edges, heads as (x, y, text, kind), and size."""

    boxes: np.ndarray
    edges: list
    heads: list
    size: tuple


def columns_of(methods):
    """Return the columns of the map's table: a row for each method, and one for each claim between two of them.

    Parameters
    ----------
    methods : list of `locmethods.companion.build.family.Method`
    """
    edges = [(one.name, claim, other) for one in methods for claim, other in one.claims.items()]
    return {"method": [one.name for one in methods], "page": [one.page for one in methods],
            "kernel": [one.kernel for one in methods], "averages": [one.averages for one in methods],
            "answer": [list(ANSWERS)[one.feedback] for one in methods],
            "from": [end for end, _, _ in edges], "claim": [claim for _, claim, _ in edges],
            "to": [other for _, _, other in edges]}


def layout(table, narrow):
    """Return where everything stands; on a phone kernels are rows, and what is averaged stands in the boxes."""
    columns = "method", "kernel", "averages", "answer", "from", "claim", "to"
    return _layout(tuple((name, tuple(map(str, table[name]))) for name in columns), narrow)


@lru_cache(maxsize=8)
def _layout(columns, narrow):
    """Return the layout; the page asks for it as often as it draws something of it."""
    table = dict(columns)
    style, kernel = (NARROW if narrow else WIDE), table["kernel"]
    answer, averages = table["answer"], table["averages"]
    if narrow:
        columns = [(key, ANSWERS[key].split(":")[0]) for key in ANSWERS]
        across, rows = answer, [((key,), f"the kernel compares by {text}" if key != "given" else
                                 "the kernel is given, or solved for", "") for key, text in KERNELS.items()]
        down = [(one,) for one in kernel]
    else:
        columns = [(key, text) for key, text in KERNELS.items() if key in kernel]
        across, down = kernel, list(zip(answer, averages, strict=True))
        rows = [((fed, mean), text, label) for fed, text in ANSWERS.items() for mean, label in AVERAGES.items()]
    middles = {key: style.margins[0] + (number + 0.5) * style.across for number, (key, _) in enumerate(columns)}
    width = len(columns) * style.across + sum(style.margins)
    heads = [(middles[key], 0.2, text, "column") for key, text in columns]
    boxes, y, told = np.zeros((len(kernel), 2)), 0.42, None
    for row, title, label in rows:
        here = [number for number, one in enumerate(down) if one == row]
        if not here:
            continue
        if title != told:
            heads.append((0.05, y + 0.14, title, "band"))
            y, told = y + 0.34, title
        most = max(sum(across[number] == key for number in here) for key in middles)
        if label:
            heads.append((0.05, y + most * style.down / 2, label, "row"))
        for key, middle in middles.items():
            cell = [number for number in here if across[number] == key]
            first = y + (most - len(cell)) * style.down / 2 + style.down / 2
            for place, number in enumerate(cell):
                boxes[number] = middle, first + place * style.down
        y += most * style.down + 0.1
    return Layout(boxes, routed(table, boxes, heads, (width, y), style), heads, (width, y))


def routed(table, boxes, heads, size, style):
    """Return the edges, each led so that it and its claim's name touch as little as possible; short ones first."""
    place, half = {name: number for number, name in enumerate(table["method"])}, np.array(style.box) / 2
    ends = [(place[one], place[other], claim)
            for one, claim, other in zip(table["from"], table["claim"], table["to"], strict=True)]
    ends.sort(key=lambda edge: float(np.linalg.norm(boxes[edge[0]] - boxes[edge[1]])))
    words = _heads_as_boxes(heads)
    middles = np.arange(style.margins[0], size[0] + 0.1, style.across)
    lanes = sorted({float(np.clip(x + shift, 0.17, size[0] - 0.17)) for x in middles for shift in style.lanes})
    found = []
    for first, last, claim in ends:
        here, there = boxes[first], boxes[last]
        ways = np.stack([_bent(here, there, bend) for bend in BENDS]
                        + [_along(here, there, x, shifts) for x in lanes for shifts in ENDS])
        outside = ~(_inside(ways, boxes[[first, last]], half) > 0)
        step = np.linalg.norm(np.diff(ways, axis=1), axis=-1).sum(1) / SAMPLES
        others = np.delete(boxes, [first, last], axis=0)
        met = (ITSELF + ACROSS_BOX * _inside(ways, others, half + CLEAR) + ACROSS_HEAD * _inside(ways, *words)
               + ACROSS_TAG * _inside(ways, _tags(found), TAG / 2 + 0.02))
        cost = step * (met * outside).sum(1) + OUTSIDE * (
            ((ways < CLEAR) | (ways > np.array(size) - CLEAR)).any((1, 2)) | (outside.sum(1) < 3))
        # What costs time is asked of the best alone: whether another edge runs beside, and where a name has room.
        tried = [_with_tag(ways[one][outside[one]], cost[one], step[one], found, boxes, half, words, size)
                 for one in np.argsort(cost, kind="stable")[:TRIED]]
        _, curve, tag = min(tried, key=lambda one: one[0])
        found.append(Edge(claim, curve.round(4), tag.round(4)))
    return found


def _with_tag(curve, cost, step, found, boxes, half, words, size):
    """Return what an edge costs along a curve with the best place for its claim's name, the curve, and that place."""
    curves = np.concatenate([edge.curve[::4] for edge in found]) if found else np.zeros((0, 2))
    cost += step * BESIDE * int((_inside(curve, curves, 0.045) > 0).sum())
    tags = curve[(np.array(ALONG) * (len(curve) - 1)).astype(int)]
    hits = (_inside(tags, boxes, half + TAG / 2 + 0.02) + _inside(tags, _tags(found), TAG + 0.02)
            + (_inside(tags, curves, TAG / 2) > 0) + _inside(tags, words[0], words[1] + TAG / 2)
            + ((tags < TAG / 2) | (tags > np.array(size) - TAG / 2)).any(-1))
    whole = HIT * hits + 0.1 * np.arange(len(ALONG))
    best = int(np.argmin(whole))
    return cost + whole[best], curve, tags[best]


def _heads_as_boxes(heads):
    """Return middles and half sizes of the heads' words, by the width of a letter on average."""
    middles, halves = [], []
    for x, y, text, kind in heads:
        half = np.array([0.045 * len(text), 0.1])
        middles.append((x if kind == "column" else x + half[0], y))
        halves.append(half)
    return np.array(middles), np.array(halves)


def _bent(one, other, bend):
    """Return the curve of second degree between two places, its middle pushed aside by a share `bend`."""
    way, t = other - one, np.linspace(0, 1, SAMPLES)[:, None]
    control = (one + other) / 2 + 2 * bend * np.array([-way[1], way[0]])
    return (1 - t) ** 2 * one + 2 * t * (1 - t) * control + t**2 * other


def _along(one, other, x, shifts):
    """Return the way between two places that goes across to a lane, along it and across again, its corners rounded."""
    (a, b), (c, d) = one - (0, shifts[0]), other - (0, shifts[1])
    corners = np.array([(a, b), (x, b), (x, d), (c, d)])
    reached = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    even = np.linspace(0, reached[-1], SAMPLES)
    way = np.stack([np.interp(even, reached, part) for part in corners.T], 1)
    reach = max(1, int(0.12 / reached[-1] * SAMPLES))  # corners of an eighth of an inch
    padded = np.pad(way, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(part, np.ones(2 * reach + 1) / (2 * reach + 1), "valid") for part in padded.T], 1)


def _inside(points, middles, half):
    """Return in how many boxes each point of shape (…, 2) lies, which are given by middles and half sizes."""
    return (np.abs(points[..., None, :] - middles) < half).all(-1).sum(-1)


def _tags(edges):
    return np.array([edge.tag for edge in edges]).reshape(-1, 2)


def family(axes, table):
    """Draw the map."""
    from matplotlib.patches import FancyBboxPatch, Rectangle

    narrow = axes.figure.get_figwidth() < 5
    style, found = (NARROW if narrow else WIDE), layout(table, narrow)
    axes.set_position([0, 0, 1, 1])
    axes.set(xlim=(0, found.size[0]), ylim=(found.size[1], 0))
    axes.set_axis_off()
    table["page"]  # where a method's link leads
    for x, y, text, kind in found.heads:
        size, weight = {"column": (10, "bold"), "band": (9.5, "bold"), "row": (9, "normal")}[kind]
        axes.text(x, y, text, ha="center" if kind == "column" else "left", va="center", fontsize=size, weight=weight,
                  color=ink(axes), zorder=3, bbox={"facecolor": GROUND, "edgecolor": "none", "pad": 0.5})
        if kind == "band":
            axes.plot([0, found.size[0]], [y - 0.14] * 2, color="C5", linewidth=0.6, alpha=0.6, linestyle="-")
    for edge in found.edges:
        axes.plot(*edge.curve.T, color="C1", linewidth=1.1, alpha=0.75, linestyle="-", zorder=2)
    for x, y in found.boxes:
        axes.add_patch(Rectangle((x - style.box[0] / 2, y - style.box[1] / 2), *style.box, facecolor=GROUND,
                                 edgecolor="none", zorder=3))
    for number, (x, y) in enumerate(found.boxes):
        colour = COLOURS[table["averages"][number]]
        box = FancyBboxPatch((x - style.box[0] / 2 + 0.06, y - style.box[1] / 2 + 0.06), style.box[0] - 0.12,
                             style.box[1] - 0.12, boxstyle="round,pad=0.06", facecolor=colour, alpha=0.16, zorder=4,
                             edgecolor="none")
        axes.add_patch(box)
        rim = FancyBboxPatch((x - style.box[0] / 2 + 0.06, y - style.box[1] / 2 + 0.06), style.box[0] - 0.12,
                             style.box[1] - 0.12, boxstyle="round,pad=0.06", facecolor="none", edgecolor=colour,
                             linewidth=2.2 if table["answer"][number] == "fed back" else 1.0, zorder=5)
        axes.add_patch(rim)
        lines = textwrap.wrap(table["method"][number], style.letters)
        words = "\n".join([*lines, AVERAGES[table["averages"][number]]] if narrow else lines)
        axes.text(x, y, words, ha="center", va="center", fontsize=style.size, color=ink(axes), zorder=6,
                  linespacing=1.1)
    for edge in found.edges:
        axes.add_patch(FancyBboxPatch(edge.tag - TAG / 2 + 0.04, *(TAG - 0.08), boxstyle="round,pad=0.04",
                                      facecolor=GROUND, edgecolor="C1", linewidth=0.8, zorder=7))
        axes.text(*edge.tag, edge.claim, ha="center", va="center_baseline", fontsize=7.3, color="C1", zorder=8)
