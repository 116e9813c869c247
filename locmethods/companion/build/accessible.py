"""What the theme leaves undone for who listens or has no mouse, mended in each page as it is written.

axe-core, which `.ci/site` runs over every page, found each of these.
"""

from __future__ import annotations

import re

from sphinx.jinja2glue import BuiltinTemplateLoader

# Names and places of the theme's own pieces, each with what it becomes.
PIECES = (
    # A name must hold the words that are seen: the button's own are Search Ctrl + K.
    (re.compile(r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"'), r"\1"),
    # Icons get their titles as text, which the name of the button would have to hold.
    (re.compile(r'(<i class="theme-switch [^>]*?)\s+title="[^"]*"'), r"\1"),
    # Logo, search and contents stand in no landmark.
    (re.compile(r'<div id="pst-primary-sidebar" class'),
     '<div id="pst-primary-sidebar" role="navigation" aria-label="The book" class'),
    # What is seen says more than this.
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    # Each exercise, solution and statement of a page has a part of this one name.
    (re.compile(r'(<section(?: class="[^"]*")?) id="(?:exercise|solution|proof)-content">'), r"\1>"),
    # Docstrings are read one by one, and the citations of each are counted from one; nothing leads to them.
    (re.compile(r'<span class="bibtex-citation" id="[^"]*">'), '<span class="bibtex-citation">'),
    # The works are items of the list in which they stand.
    (re.compile(r'(<div class="citation"[^>]*) role="doc-biblioentry"'), r'\1 role="listitem"'),
    # The corner above a data frame's index heads nothing.
    (re.compile(r"<th></th>"), "<td></td>"),
    # Room for advertisements of a host.
    (re.compile(r'<div id="ethical-ad-placement".*?</div>', re.DOTALL), ""),
    # Sphinx's own search is replaced by search.js, and no other page asks its index of a megabyte.
    (re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js"></script>'), ""),
)
SIGNATURE = re.compile(r"(<dt class=\"sig[^>]*>)(.*?)(</dt>)", re.DOTALL)
LINES = (("<dl>", '<span class="sig-lines">'), ("</dl>", "</span>"), ("<dd>", '<span class="sig-line">'),
         ("</dd>", "</span>"))


def mend(page):
    """Return a page's HTML with what is wrong in it mended.

    Parameters
    ----------
    page : str
        As the theme's templates give it.
    """
    for wrong, right in PIECES:
        page = wrong.sub(right, page)
    return SIGNATURE.sub(lambda found: found[1] + in_lines(found[2]) + found[3], page)


def in_lines(signature):
    """Return a signature whose lines are no list of terms: Sphinx writes them as descriptions of nothing."""
    for wrong, right in LINES:
        signature = signature.replace(wrong, right)
    return signature


class Templates(BuiltinTemplateLoader):
    """Sphinx's templates, each page mended once it is filled."""

    def render(self, template, context):
        """Return a page."""
        return mend(super().render(template, context))
