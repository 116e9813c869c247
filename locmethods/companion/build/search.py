"""Search without a server: the book's text in a script, cut where a link can lead.

A page that was opened as a file may fetch nothing, so Sphinx's search shows no excerpts there. The passages stand in
``_static/passages.js`` instead, which the search page alone loads; ``book/_assets/search.js`` looks through them.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from locmethods.companion.build import pages
from locmethods.companion.build.records import write_whole

FILE = "passages.js"
# What a reader does not read as text: pictures, scripts, blocks of code and formulas, and the signs that lead to a
# heading; the ledger repeats what the cards on the pages say.
SILENT = {"script", "style", "svg", "nav", "button", "form"}
SILENT_CLASSES = {"headerlink", "toctree-wrapper", "highlight", "ledger-chapter", "page-box"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5"}
BLOCKS = {*HEADINGS, "p", "li", "td", "th", "dd", "dt", "div", "pre", "tr", "summary", "figcaption", "section"}
# A passage's title is its heading, the number of a claim, a figure or a statement, or the label of a work.
TITLES = {"claim-id", "caption-number", "label", "admonition-title"}
CARDS = {"claim-card", "citation", "proof", "exercise"}


class Passages(HTMLParser):
    """A page's passages: each begins where an element of the article has a name that a link can use.

    Sections, claims' cards, figures, definitions and theorems, entries of the bibliography, and the names of the API,
    whose description follows them, are such elements.
    """

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []  # [{"at": anchor, "title": …, "text": …}]
        self._open = []  # for each open tag: its name, the passage before it, and which of the three counts it raised
        self._passage = self._term = None
        self._article = self._silent = self._title = 0

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        given = dict(attributes)
        classes = set((given.get("class") or "").split())
        name, below = given.get("id"), self._open[-1][0] if self._open else ""
        before = self._passage
        if self._article and name and (tag in ("section", "figure", "dt") or classes & CARDS):
            self._passage = {"at": name, "title": name if tag == "dt" else "", "text": ""}
            self.found.append(self._passage)
            self._term = self._passage if tag == "dt" else self._term
        elif tag == "dd" and below == "dl" and self._term is not None:
            self._passage = self._term
        silent = tag in SILENT or bool(classes & SILENT_CLASSES) or (tag == "div" and "math" in classes)
        raised = (tag == "article", silent, tag in HEADINGS or bool(classes & TITLES))
        self._count(raised, 1)
        self._open.append((tag, before, raised))
        self._say(" " if tag in BLOCKS else "")

    def handle_endtag(self, tag):
        if tag in VOID or not any(name == tag for name, *_ in self._open):
            return
        self._say(" " if tag in BLOCKS else "")
        name = None
        while name != tag:
            name, self._passage, raised = self._open.pop()
            self._count(raised, -1)

    def handle_data(self, data):
        self._say(data.replace("\\(", "").replace("\\)", ""))  # a short formula is read as it was written

    def _count(self, raised, step):
        """Enter or leave an element: the article, what is silent, a title."""
        article, silent, title = raised
        self._article += step * article
        self._silent += step * silent
        self._title += step * title

    def _say(self, text):
        """Add text to the title of the open passage, which comes before its text, or to its text."""
        if text and self._passage is not None and not self._silent:
            titled = self._title and not self._passage["text"].strip()
            self._passage["title" if titled else "text"] += text


def passages(html):
    """Return the passages of a page, in order: the anchor, the title and the text of each, blanks taken together.

    Parameters
    ----------
    html : str
        A page of the site.
    """
    reader = Passages()
    reader.feed(html)
    tidy = [{key: " ".join(value.split()) for key, value in one.items()} for one in reader.found]
    return [one for one in tidy if one["title"] or one["text"]]


def as_script(site, names):
    """Return the script that holds the passages of the site's pages.

    Parameters
    ----------
    site : path
    names : list of str
        The pages, without their ends, in the order of the book.
    """
    book = []
    for name in names:
        found = passages((Path(site) / f"{name}.html").read_text())
        title = found[0]["title"] if found else name
        book.append({"page": f"{name}.html", "title": title, "passages": [list(one.values()) for one in found]})
    return f"window.passages = {json.dumps(book, ensure_ascii=False, separators=(',', ':'))};\n"


def leave_passages(app, exception):
    """Write the book's text beside the other scripts when the site is built."""
    if exception is None and app.builder.format == "html":
        names = pages.contents(app.srcdir)
        write_whole(Path(app.outdir) / "_static" / FILE, as_script(app.outdir, names))
