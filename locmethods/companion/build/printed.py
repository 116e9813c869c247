"""The book on paper: each page of the site as Chromium prints it, joined with a title page, contents and bookmarks.

Mathematics is set as on the site; what moves stands still, as the pages' own style for print has it. Links between
pages become links inside the document, and what leads to a file of the site leads to its public address, or nowhere.
"""

from __future__ import annotations

import html
import io
import json
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from locmethods.companion.build import metadata, pages, publication
from locmethods.companion.build.browser import browser
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.records import write_whole

# The number of a page continues that of the page before; a page's own contents and boxes are the site's.
_STYLE = """
@page { size: A4; margin: 20mm 19mm 22mm; @bottom-center { content: %(number)s; font: 9pt sans-serif; color: #555; } }
html { counter-reset: page %(before)d; font-size: 13px; }
#jb-print-toc, details.page-box, .prev-next-area, .ledger-filter { display: none !important; }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
table { break-inside: auto !important; font-size: 0.9em; }
tr, figure, .claim-card { break-inside: avoid; }
"""
# Chromium keeps the places that the page itself links to: those that other pages link to are linked to here, unseen.
_PREPARE = """([style, ids]) => {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  document.head.append(sheet);
  const links = document.createElement("div");
  links.style = "height: 0; overflow: hidden; font-size: 1px; color: transparent";
  for (const id of ids.filter((each) => document.getElementById(each))) {
    const link = document.createElement("a");
    link.href = `#${id}`;
    link.textContent = ".";
    links.append(link);
  }
  (document.querySelector("article") ?? document.body).append(links);
  const folded = document.querySelectorAll("details.admonition:not(.hide), details.toggle-details");
  folded.forEach((each) => { each.open = true; });
}"""
_FRONT = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4; margin: 25mm; }}
body {{ font: 11pt/1.5 Georgia, serif; }}
header {{ break-after: page; padding-top: 60mm; text-align: center; }}
h1 {{ font-size: 28pt; font-weight: 500; line-height: 1.2; }}
h2 {{ font-size: 16pt; font-weight: 500; }}
h3 {{ font-size: 11pt; margin: 1.2em 0 0.2em; }}
p.row {{ display: flex; gap: 0.5em; margin: 0.1em 0; }}
p.row span:nth-child(2) {{ flex: 1; border-bottom: 1px dotted #888; margin-bottom: 0.35em; }}
a {{ color: inherit; text-decoration: none; }}
</style></head><body><header><h1>{title}</h1>
<p>{abstract}</p><p>{authors}</p><p>Version {version}, {day}<br>{address}</p>
<p>Text and figures: CC BY 4.0. Code: BSD 3-Clause.</p></header><h2>Contents</h2>{rows}</body></html>
"""


class Printed(NamedTuple):
    """A page of the site on paper."""

    name: str  # below the site's folder, without its end
    title: str
    reader: object
    before: int  # how many pages of paper stand before it


def linked(site):
    """Return {page: the places in it that other pages link to}."""
    found = {}
    for file in sorted((site / "book").glob("*.html")):
        for stem, place in re.findall(r'href="(?:\./)?([\w]+)\.html#([^"]+)"', file.read_text()):
            if stem != file.stem:
                found.setdefault(stem, set()).add(unquote(html.unescape(place)))
    return found


def print_pages(root, names, chromium):
    """Return the pages as they print, numbered through.

    Raises
    ------
    BookError
        If the site lacks a page.
    """
    from pypdf import PdfReader

    site, found, before = Path(root) / "_build" / "html", [], 0
    places = linked(site)
    for name in names:
        file = site / f"{name}.html"
        if not file.exists():
            raise BookError(f"there is no {name}.html in _build/html: run make book first")
        chromium.open(file.resolve().as_uri())
        style = _STYLE % {"number": "counter(page)", "before": before}
        ids = sorted(places.get(file.stem, ()))
        chromium.evaluate(f"({_PREPARE})({json.dumps([style, ids])})")
        title = " ".join(chromium.evaluate("document.title.split(' — ')[0]").split())
        found.append(Printed(name, title, PdfReader(io.BytesIO(chromium.pdf())), before))
        before += len(found[-1].reader.pages)
        print(f"[{len(found)}/{len(names)}] {file.stem:<16} {len(found[-1].reader.pages)} pages", flush=True)
    return found


def front(root, printed, chromium, folder):
    """Return the sheets of title page and contents, as they print."""
    from pypdf import PdfReader

    (version, day), title = metadata.release(root), metadata.title(root)
    by_name = {one.name: one for one in printed}
    rows = []
    for caption, names in pages.parts(root):
        rows += [f"<h3>{html.escape(caption)}</h3>"] if caption else []
        for one in (by_name[name] for name in names if name in by_name):
            address = (Path(root) / "_build" / "html" / f"{one.name}.html").resolve().as_uri()
            rows.append(f'<p class="row"><a href="{address}">{html.escape(one.title)}</a><span></span>'
                        f"<span>{one.before + 1}</span></p>")
    authors = ", ".join(author["name"] for author in metadata.project(root)["authors"])
    text = _FRONT.format(title=html.escape(title), abstract=html.escape(metadata.ABSTRACT), rows="\n".join(rows),
                         authors=html.escape(authors), version=version, day=day,
                         address=html.escape(publication.place(root).site))
    write_whole(folder / "front.html", text)
    chromium.open((folder / "front.html").resolve().as_uri())
    return PdfReader(io.BytesIO(chromium.pdf())).pages


def places_of(reader):
    """Return {name: (page, left, top)} of the places in a document that links lead to."""
    found = {}
    for name, place in reader.named_destinations.items():
        number = reader.get_destination_page_number(place)
        if number is not None and number >= 0:
            found[unquote(name.removeprefix("/"))] = number, place.left, place.top
    return found


def join(root, first, printed):
    """Return the whole book as bytes: front matter, pages, bookmarks, and links that lead inside it."""
    from pypdf import PdfWriter

    writer, site = PdfWriter(), publication.place(root).site
    top = (Path(root) / "_build" / "html").resolve().as_uri() + "/"
    starts, places = {}, {}
    for page in first:
        writer.add_page(page)
    for one in printed:
        starts[one.name], places[one.name] = len(writer.pages), places_of(one.reader)
        for page in one.reader.pages:
            writer.add_page(page)
    owners = [None] * len(first)
    for one in printed:
        owners += [one.name] * len(one.reader.pages)

    for page, owner in zip(writer.pages, owners, strict=True):
        links = page["/Annots"] if "/Annots" in page else []
        _keep(page, [link for link in links if _lead(writer, link.get_object(), owner, starts, places, top, site)])
    by_name = {one.name: one for one in printed}
    for caption, names in pages.parts(root):
        there = [by_name[name] for name in names if name in by_name]
        parent = _bookmark(writer, caption, starts[there[0].name]) if caption and there else None
        for one in there:
            item = _bookmark(writer, one.title, starts[one.name], parent)
            for section, number in sections(one.reader):
                _bookmark(writer, section, starts[one.name] + number, item)
    writer.add_metadata({"/Title": metadata.title(root), "/Subject": metadata.project(root)["description"],
                         "/Author": ", ".join(author["name"] for author in metadata.project(root)["authors"])})
    writer.page_mode = "/UseOutlines"
    writer.compress_identical_objects(remove_unreferenced=True)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _bookmark(writer, title, number, parent=None):
    return writer.add_outline_item(title=title, page_number=number, parent=parent)


def sections(reader):
    """Return [(title, page)] of a page's sections: the bookmarks below its heading."""
    found = []

    def walk(items, depth):
        for item in items:
            if isinstance(item, list):
                walk(item, depth + 1)
            elif depth == 1:
                found.append((item.title, reader.get_destination_page_number(item)))

    walk(reader.outline, 0)
    return found


def _lead(writer, link, owner, starts, places, top, site):
    """Let a link lead inside the book or to a public address; return False if it leads to this machine alone."""
    from pypdf.generic import NameObject, TextStringObject

    action = link.get("/A", {})
    address = str(action.get("/URI", ""))
    name, place = "", str(link.get("/Dest", "") or action.get("/D", "")).removeprefix("/")
    if address.startswith(top):
        whole, place = urldefrag(address.removeprefix(top))
        name = whole.removesuffix(".html")
        if name not in starts:
            if not site:
                return False
            action[NameObject("/URI")] = TextStringObject(site + address.removeprefix(top))
            return True
    elif urlsplit(address).scheme in ("http", "https", "mailto"):
        return True
    elif address or not place or owner is None:
        return False
    name = name or owner
    number, left, height = places[name].get(unquote(place), (0, None, None))
    link.pop("/A", None)
    link[NameObject("/Dest")] = _place(writer.pages[starts[name] + number], left, height)
    return True


def _place(page, left, top):
    """Return where a link leads: a page, and a place on it if it is known."""
    from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject

    if top is None:
        return ArrayObject([page.indirect_reference, NameObject("/Fit")])
    return ArrayObject([page.indirect_reference, NameObject("/XYZ"), FloatObject(left or 0), FloatObject(top),
                        NullObject()])


def _keep(page, links):
    from pypdf.generic import ArrayObject, NameObject

    page[NameObject("/Annots")] = ArrayObject(links)


def alone(root, one):
    """Return a page of the site as a document of its own, bytes."""
    return join(root, [], [one])


def offer(text, address):
    """Return a page's HTML whose menu leads to its PDF, where the theme's opens the browser's own way to print."""
    button = re.compile(r'<button onclick="window\.print\(\)"(.*?)</button>', re.DOTALL)
    return button.sub(lambda found: f'<a href="{address}" download{found[1]}</a>', text)


def offer_book(root):
    """Let the first page of the site lead to the whole book, in the forms that have been made."""
    site = Path(root) / "_build" / "html"
    made = {end.upper(): f"{metadata.project(root)['name']}.{end}" for end in ("pdf", "epub")}
    links = [f'<a href="../downloads/{file}" download>{kind}</a>' for kind, file in made.items()
             if (site / "downloads" / file).exists()]
    page = site / f"{pages.contents(root)[0]}.html"
    text = re.sub(r'<p class="whole-book">.*?</p>', "", page.read_text())
    words = f'<p class="whole-book">The whole book to take away: {", ".join(links)}.</p>'
    write_whole(page, text.replace("</article>", f"{words}</article>", 1) if links else text)


def make(root, names=None):
    """Print the site, all pages by default; leave the book, and each page beside it, and let the menus lead there.

    Raises
    ------
    BookError
        If there is no site, no Chromium, or no pypdf.
    """
    root = Path(root)
    names, site = list(names or pages.contents(root)), root / "_build" / "html"
    folder = root / "_build" / "print"
    with browser() as chromium:
        printed = print_pages(root, names, chromium)
        first = front(root, printed, chromium, folder)
    target = site / "downloads"
    for one in printed:
        stem = Path(one.name).name
        write_whole(target / f"{stem}.pdf", alone(root, one))
        page = site / f"{one.name}.html"
        write_whole(page, offer(page.read_text(), f"../downloads/{stem}.pdf"))
    book = target / f"{metadata.project(root)['name']}.pdf"
    write_whole(book, join(root, first, printed))
    offer_book(root)
    number = len(first) + sum(len(one.reader.pages) for one in printed)
    print(f"written to {book.relative_to(root)}: {number} pages")
