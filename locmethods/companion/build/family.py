"""The family map: which methods there are, from what the pages say of themselves, and the map as a page shows it."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from locmethods.companion.build import figures, lists, pages
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.style import GROUND, PAIRS
from locmethods.companion.drawings import family
from locmethods.companion.drawings.still import Drawing

KEYS = ("name", "kernel", "averages", "feedback")
POINTS = 72  # of an SVG that matplotlib writes, to the inch


class Method(NamedTuple):
    """A method of the family, as its page's front matter has it.

    Attributes
    ----------
    name, page : str
        The page's stem.
    kernel, averages : str
        A key of `drawings.family.KERNELS` and of `drawings.family.AVERAGES`.
    feedback : bool
        True if the answer is the next question.
    claims : dict of str to str
        The page's claims that join it to other methods: {id: name of the other}.
    """

    name: str
    page: str
    kernel: str
    averages: str
    feedback: bool
    claims: dict


def methods(root):
    """Return the methods of the family, in the order of the book.

    Raises
    ------
    BookError
        If a page's ``family`` is not as CONTRIBUTING.md says, a name stands twice, or a claim leads to no method.
    """
    found = [_method(page, row) for page in pages.chapters(root) for row in _rows(page)]
    names = [one.name for one in found]
    for one in found:
        place = f"book/{one.page}.md"
        if names.count(one.name) > 1:
            raise BookError(f"{place} places {one.name!r} in the family, which stands there already")
        for claim, other in one.claims.items():
            if other not in names or other == one.name:
                raise BookError(f"{place} joins {one.name!r} by {claim} to {other!r}: there are {', '.join(names)}")
    return found


def _rows(page):
    rows = lists.said(page).get("family", [])
    if not isinstance(rows, list):
        raise BookError(f"{pages.name_of(page)} must list its methods under family:, got {rows!r}")
    return rows


def _method(page, row):
    """Return a row of a page's ``family`` as a Method, once it is seen to be one."""
    place = pages.name_of(page)
    if not (isinstance(row, dict) and set(KEYS) <= set(row) <= {*KEYS, "claims"}):
        raise BookError(f"{place}: a method of the family has {', '.join(KEYS)} and, if any, claims; got {row!r}")
    claims = row.get("claims", {})
    for key, known in (("kernel", family.KERNELS), ("averages", family.AVERAGES)):
        if row[key] not in known:
            raise BookError(f"{place}: {key} of {row['name']!r} must be one of {', '.join(known)}, got {row[key]!r}")
    if not isinstance(row["feedback"], bool):
        raise BookError(f"{place}: feedback of {row['name']!r} must be true or false, got {row['feedback']!r}")
    if not (isinstance(claims, dict) and all(isinstance(part, str) for pair in claims.items() for part in pair)):
        raise BookError(f"{place}: claims of {row['name']!r} must be {{id: name of the other method}}, got {claims!r}")
    return Method(row["name"], page.stem, row["kernel"], row["averages"], row["feedback"], claims)


def drawing(found):
    """Return the map as a figure: how it is drawn, of what, and how large."""
    table = figures.Table(figures.as_csv(family.columns_of(found)))
    wide, narrow = (family.layout(table, small).size for small in (False, True))
    numbers = len(found), len(table["claim"])
    return Drawing(
        family.NAME, family.family, family.columns_of, wide, (1, 1), (narrow, (1, 1)),
        f"The family: {numbers[0]} methods, placed by what their kernel compares, by what they average, and by whether "
        f"the answer is fed back (a thick rim). An edge is a claim that joins two of them.",
        f"A map of {numbers[0]} boxes and {numbers[1]} edges. Columns are kernels: of distances, of ranks, of inner "
        "products, given or solved for. Rows are what is averaged, first where an answer is given once, then "
        "where it is fed back. Most edges lead to the local mean; the list below the map says what it shows.")


def page_of(found, claim):
    """Return the page of a claim that joins two methods."""
    return next(one.page for one in found if claim in one.claims)


def links(found, narrow):
    """Return the map's links as (address, name, corner, size), in inches: methods, then claims, as they are drawn."""
    table = figures.Table(figures.as_csv(family.columns_of(found)))
    laid, style = family.layout(table, narrow), family.NARROW if narrow else family.WIDE
    made = [(f"{one.page}.html", f"{one.name}: {in_words(one)}", middle, style.box)
            for one, middle in zip(found, laid.boxes, strict=True)]
    for edge in laid.edges:
        one = next(one for one in found if edge.claim in one.claims)
        made.append((f"{one.page}.html#claim-{edge.claim}",
                     f"claim {edge.claim}, {one.name} and {one.claims[edge.claim]}", edge.tag, family.TAG))
    return [(address, name, (middle[0] - size[0] / 2, middle[1] - size[1] / 2), size)
            for address, name, middle, size in made]


def in_words(one):
    """Return where a method stands, in a phrase."""
    kernel = family.KERNELS[one.kernel]
    kernel = f"a kernel that is {kernel}" if one.kernel == "given" else f"a kernel of {kernel}"
    return f"averages {family.AVERAGES[one.averages]} with {kernel}, {list(family.ANSWERS)[one.feedback]}"


def inline(svg, found, narrow):
    """Return a drawing of the map for the inside of a page: in the theme's colours, with links and a name.

    Parameters
    ----------
    svg : str
        As matplotlib writes it, in the light theme's colours.
    found : list of Method
    narrow : bool
    """
    variant = "narrow" if narrow else "wide"
    _, size, body = re.search(r'(<svg )[^>]*?viewBox="0 0 ([\d. ]+)"[^>]*>(.*)</svg>', svg, re.DOTALL).groups()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for light in PAIRS:
        body = body.replace(light, f"var(--ink-{light[1:]})")
    # Two drawings stand on one page, and each has names of its own.
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>family-{variant}-", body)
    places = "".join(
        f'<a href="{html.escape(address)}" aria-label="{html.escape(name)}"><title>{html.escape(name)}</title>'
        f'<rect x="{corner[0] * POINTS:.1f}" y="{corner[1] * POINTS:.1f}" width="{box[0] * POINTS:.1f}" '
        f'height="{box[1] * POINTS:.1f}" rx="4"/></a>' for address, name, corner, box in links(found, narrow))
    title = f"family-{variant}-title"
    return (f'<svg class="family-map family-{variant}" role="group" aria-labelledby="{title}" viewBox="0 0 {size}" '
            f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><title id="{title}">'
            f'The family of local means: a map whose boxes and edges are links</title><g aria-hidden="true">{body}</g>'
            f'<g class="family-links">{places}</g></svg>')


def colours():
    """Return the style sheet of the map's colours, in either theme and in print."""
    def block(where, choose):
        return where + "{" + "".join(f"--ink-{pair[0][1:]}:{pair[choose]};" for pair in PAIRS.items()) + "}"

    ground = f"html .family-map{{--ink-{GROUND[1:]}:var(--pst-color-background)}}"  # the page's own, in either theme
    return (f'<style>{block("html", 0)}{block("html[data-theme=dark]", 1)}{ground}'
            f'@media print{{{block("html[data-theme]", 0)}}}</style>')


def listed(found):
    """Return the map as a list, for who would rather read it."""
    def link(address, text):
        return f'<a href="{html.escape(address)}">{html.escape(text)}</a>'

    rows = []
    for one in found:
        joined = ", ".join(f"{link(f'{one.page}.html#claim-{claim}', claim)} to {html.escape(other)}"
                           for claim, other in one.claims.items())
        rows.append(f"<li>{link(f'{one.page}.html', one.name)}: {html.escape(in_words(one))}"
                    f"{f'; joined by {joined}' if joined else ''}.</li>")
    return f'<details class="page-box"><summary>The map as a list</summary><ul>{"".join(rows)}</ul></details>'
