"""What belongs together: three related pages at each page's end, and the nearest claims of each row of the ledger.

Both are found by the package's own search, `locmethods.retrieval.related`, from prose alone: ten keywords of a page, or
of a claim, ask for the others.
"""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path

import locmethods as lm
from locmethods.companion.build import pages

# What is no prose: formulas, roles with what they name, fences and what they say of themselves.
NO_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]*?\$|\{[a-z:-]+\}`[^`]*`|^[`~]{3}.*?$|^:[\w-]+:.*?$|\([\w-]+\)=$",
                      re.DOTALL | re.MULTILINE)
HOW_MANY = 3


def prose(text):
    """Return the words of a text in Markdown, without formulas, roles and directives."""
    return NO_PROSE.sub(" ", text)


def prose_of(page):
    """Return the prose of a page of the book, without its front matter and its cells of code."""
    cells = pages.read(page).cells
    return "\n".join(prose(cell.source) for cell in cells if cell.cell_type == "markdown")


@cache
def found(texts):
    """Return for each of several texts the numbers of those that are related to it, the nearest first.

    A text so short that its keywords find too few asks with all of its words as well, and takes what stands beside it
    in the end.
    """
    index = lm.retrieval.BM25().fit(texts)
    few = lm.retrieval.related(index, HOW_MANY).documents
    many = index.search(texts, HOW_MANY, without=range(len(texts))).documents
    near = []
    for own, found_few, found_many in zip(range(len(texts)), few.tolist(), many.tolist(), strict=True):
        beside = sorted(range(len(texts)), key=lambda number, own=own: (abs(number - own), number))
        every = dict.fromkeys(number for number in (*found_few, *found_many, *beside) if number not in (-1, own))
        near.append(list(every)[:HOW_MANY])
    return near


def of_pages(root):
    """Return {page: [related pages]} of the book, all without their ends, as `_toc.yml` names them."""
    names = pages.contents(root)
    near = found(tuple(prose_of(Path(root) / f"{name}.md") for name in names))
    return {name: [names[number] for number in row] for name, row in zip(names, near, strict=True)}


def of_claims(records):
    """Return {id: [ids of the nearest claims]}, by the sentences and the names of what is compared.

    Parameters
    ----------
    records : list of dict
        Of claims, as `check` leaves them.
    """
    if not records:
        return {}
    texts = [" ".join([record["sentence"], *(part["name"] for part in record["parts"])]) for record in records]
    near = found(tuple(map(prose, texts)))
    names = [record["id"] for record in records]
    return {name: [names[number] for number in row] for name, row in zip(names, near, strict=True)}


def listed(links):
    """Return the list at a page's end, of (address, title) of each page."""
    items = "".join(f'<li><a href="{html.escape(address)}">{html.escape(title)}</a></li>' for address, title in links)
    return f'<nav class="related-pages" aria-label="Related pages"><p>Related pages</p><ul>{items}</ul></nav>\n'


def append(app, pagename, templatename, context, doctree):
    """Append the list to a page of the book; `outdated` has found them, once for all pages."""
    if doctree is None or "body" not in context:
        return
    near = app.env.related_pages.get(pagename, [])
    links = [(app.builder.get_relative_uri(pagename, other), app.env.titles[other].astext()) for other in near]
    if links:
        context["body"] += listed(links)


def outdated(app, env, added, changed, removed):
    """Return the pages that have other related pages than at the last build, since a page elsewhere has changed."""
    before, now = getattr(env, "related_pages", {}), of_pages(app.srcdir)
    env.related_pages = now
    return [name for name, near in now.items() if name in env.all_docs and before.get(name) != near]


def connect(app):
    """Register with Sphinx; the list comes before the boxes that fold."""
    app.connect("env-get-outdated", outdated)
    app.connect("html-page-context", append, priority=90)
