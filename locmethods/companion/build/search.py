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
# What a reader does not read as text: pictures, scripts, and the signs that lead to a heading.
SILENT = {"script", "style", "svg", "nav", "button", "form"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5"}
TITLES = {*HEADINGS, "summary", "dt"}
BLOCKS = {*HEADINGS, "p", "li", "td", "th", "dd", "dt", "div", "pre", "tr", "summary", "figcaption", "section"}


class Passages(HTMLParser):
    """A page's passages: each begins where an element of the article has a name that a link can use.

    Sections, rows of the ledger, claims' cards, figures, entries of the bibliography, and the names of the API, whose
    description follows them, are such elements.
    """

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []  # [{"at": anchor, "title": …, "text": …}]
        self._open = []  # (tag, passage that stood open before it)
        self._passage = self._term = None
        self._silent = self._titled = self._article = 0

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        given = dict(attributes)
        classes = (given.get("class") or "").split()
        starts_article = tag == "article"
        silent = tag in SILENT or bool({"headerlink", "toctree-wrapper"} & set(classes))
        self._open.append((tag, self._passage, silent, starts_article))
        self._article += starts_article
        self._silent += silent
        name = given.get("id")
        if self._article and name and (tag in ("section", "figure") or tag == "dt" or tag == "details"
                                       or {"claim-card", "citation"} & set(classes)):
            self._passage = {"at": name, "title": "", "text": ""}
            self.found.append(self._passage)
            if tag == "dt":
                self._term = self._passage
        elif tag == "dd" and self._term is not None and self._open[-2:][0][0] == "dl":
            self._passage = self._term
        self._say(" " if tag in BLOCKS else "")
        self._titled += self._names(tag)

    def handle_endtag(self, tag):
        if tag in VOID or not any(one[0] == tag for one in self._open):
            return
        self._titled -= self._names(tag)
        self._say(" " if tag in BLOCKS else "")
        while True:
            name, before, silent, starts_article = self._open.pop()
            self._passage = before
            self._silent -= silent
            self._article -= starts_article
            if name == tag:
                return

    def handle_data(self, data):
        self._say(data)

    def _names(self, tag):
        """Return True while what is read is the title of the passage that is open."""
        return bool(tag in TITLES and self._passage is not None)

    def _say(self, text):
        if text and self._passage is not None and not self._silent:
            self._passage["title" if self._titled and not self._passage["text"].strip() else "text"] += text


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
