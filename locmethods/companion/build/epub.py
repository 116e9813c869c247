"""The book as EPUB: the site's pages as XHTML, mathematics as MathML, drawings as they are, nothing that moves.

MathJax, which sets the site's formulas, writes them as MathML, all of the book in one go.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from locmethods.companion.build import metadata, pages, publication
from locmethods.companion.build.archive import zipped
from locmethods.companion.build.browser import browser
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.printed import offer_book
from locmethods.companion.build.records import write_whole

# What the site needs and a book on paper or a reader's device has no use for.
_LEFT_OUT = ("script, style, noscript, template, form, button, input, output, iframe, .headerlink, .prev-next-area, "
             "details.page-box, .playground, .frame-bar, .whole-book, .tocsection, .sd-d-none, summary .expanded")
_KEPT = {"id", "class", "href", "src", "alt", "title", "colspan", "rowspan", "scope", "style", "role", "aria-label"}
_KINDS = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
_XHTML = ('<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
          'xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">\n<head><title>{title}</title>'
          '<link rel="stylesheet" type="text/css" href="book.css"/></head>\n<body>{body}</body></html>\n')
_STYLE = """body { line-height: 1.45; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8em; background: #f3f4f6; padding: 0.5em; }
pre, code { font-family: monospace; color: #24292f; }
figure { margin: 1em 0; break-inside: avoid; }
figcaption { font-size: 0.9em; }
table { border-collapse: collapse; font-size: 0.85em; overflow-wrap: anywhere; }
td, th { border-bottom: 1px solid #8a9099; padding: 0.2em 0.4em; text-align: left; vertical-align: top; }
.claim-card, .admonition { border-left: 3px solid #1d7a55; padding: 0.1em 0 0.1em 0.8em; margin: 1em 0; }
.claim-bar, .claim-scale, .claim-legend { display: none; }
div.math { text-align: center; margin: 0.8em 0; }
.eqno { float: right; }
summary p { display: inline; }
nav ol { list-style: none; }
"""
# What a library tells readers who do not see the pictures, in schema.org's words.
_ACCESS = "".join(f'<meta property="schema:{name}">{value}</meta>' for name, value in (
    ("accessMode", "textual"), ("accessMode", "visual"), ("accessModeSufficient", "textual"),
    ("accessibilityFeature", "alternativeText"), ("accessibilityFeature", "MathML"),
    ("accessibilityFeature", "tableOfContents"), ("accessibilityHazard", "none")))
_CONTAINER = ('<?xml version="1.0" encoding="utf-8"?>\n<container version="1.0" '
              'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="EPUB/book.opf" '
              'media-type="application/oebps-package+xml"/></rootfiles></container>\n')


def formula(node):
    """Return (TeX, whether it is displayed) of an element with mathematics."""
    text = "".join(piece for piece in node.find_all(string=True, recursive=False)).strip()
    found = re.fullmatch(r"\\([(\[])(.*)\\[)\]]", text, re.DOTALL)
    if not found:
        raise BookError(f"this is not mathematics as the site writes it: {text[:80]}")
    return found[2].strip(), found[1] == "["


def as_mathml(formulas, page, chromium):
    """Return {(TeX, displayed): MathML}, as the MathJax of a page of the site writes it.

    Raises
    ------
    BookError
        If MathJax does not understand a formula.
    """
    wanted = sorted(formulas)
    chromium.open(page.resolve().as_uri())
    found = chromium.evaluate(f"{json.dumps(wanted)}.map(([tex, display]) => MathJax.tex2mml(tex, {{ display }}))")
    for (tex, _), mathml in zip(wanted, found, strict=True):
        if "<merror" in mathml:
            raise BookError(f"MathJax does not understand {tex}")
    return {one: re.sub(r"\s*\n\s*", "", mathml) for one, mathml in zip(wanted, found, strict=True)}


def article_of(file):
    """Return the text of a page of the site, without what only the site needs."""
    from bs4 import BeautifulSoup

    found = BeautifulSoup(file.read_text(), "html.parser").select_one("article")
    if found is None:
        raise BookError(f"{file.name} has no text: run make book again")
    for map_of_links in found.select("svg.family-wide"):  # the drawing without its links
        picture = BeautifulSoup('<img src="../figures/intro-family.light.svg" alt=""/>', "html.parser").img
        picture["alt"] = map_of_links.get("aria-label") or "The family map"
        map_of_links.replace_with(picture)
    for node in found.select(f"{_LEFT_OUT}, svg"):
        node.decompose()
    return found


def adapted(article, stem, stems, pictures, mathml, site, public):
    """Let a page stand in the EPUB: its mathematics, pictures, links and attributes.

    Parameters
    ----------
    article : element
        It is changed.
    stem : str
    stems : set of str
        The pages that the EPUB has.
    pictures : dict
        {name in the EPUB: file}, to which those of the page are added.
    mathml : dict
    site : Path
    public : str
        The site's public address, "" if it has none.
    """
    from bs4 import BeautifulSoup

    for node in article.select(".math"):
        tex = formula(node)
        written = BeautifulSoup(mathml[tex], "html.parser")
        written.math["alttext"] = tex[0]  # for who does not know MathML
        for piece in node.find_all(string=True, recursive=False):
            piece.extract()
        node.append(written)
    for image in article.select("img"):
        file = (site / "book" / unquote(image["src"])).resolve()
        if not file.exists():
            raise BookError(f"{stem}.html shows {image['src']}, which is not there")
        name = f"images/{file.name}"
        pictures[name] = file
        image["src"] = name
    for link in article.select("a[href]"):
        whole, place = urldefrag(link["href"])
        target = Path(whole).stem if re.fullmatch(r"[\w./-]+\.html", whole) else ""
        if urlsplit(whole).scheme or not whole:
            continue
        if target in stems:
            link["href"] = f"{target}.xhtml" + (f"#{place}" if place else "")
        elif public:
            link["href"] = f"{public}book/{link['href']}"
        else:
            del link["href"]
    seen = set()
    for node in article.find_all(True):
        if node.find_parent("math") or node.name == "math":
            continue
        node.attrs = {key: value for key, value in node.attrs.items() if key in _KEPT}
        if node.get("id") in seen:  # XML has each name once
            del node["id"]
        elif node.get("id"):
            seen.add(node["id"])
    return article


def make(root, names=None):
    """Write the EPUB of the site's pages, all by default, beside them.

    Raises
    ------
    BookError
        If there is no site, no Chromium, or a formula or a picture that cannot be had.
    """
    root = Path(root)
    site, public = root / "_build" / "html", publication.place(root).site
    names = list(names or pages.contents(root))
    for name in names:
        if not (site / f"{name}.html").exists():
            raise BookError(f"there is no {name}.html in _build/html: run make book first")
    articles = {Path(name).name: article_of(site / f"{name}.html") for name in names}
    formulas = {formula(node) for article in articles.values() for node in article.select(".math")}
    with browser() as chromium:
        mathml = as_mathml(formulas, site / f"{names[0]}.html", chromium)
    pictures, titles, texts = {}, {}, {}
    for stem, article in articles.items():
        adapted(article, stem, set(articles), pictures, mathml, site, public)
        titles[stem] = article.h1.get_text(" ", strip=True)
        texts[stem] = _XHTML.format(title=html.escape(titles[stem]), body=article.decode(formatter="minimal"))
    file = site / "downloads" / f"{metadata.project(root)['name']}.epub"
    write_whole(file, packed(root, texts, titles, pictures))
    offer_book(root)
    print(f"written to {file.relative_to(root)}: {len(texts)} pages, {len(formulas)} formulas, "
          f"{len(pictures)} pictures")


def packed(root, texts, titles, pictures):
    """Return the EPUB as bytes: pages in the order of the book, pictures, contents, and what is said of the book."""
    files = {f"EPUB/{stem}.xhtml": text for stem, text in texts.items()}
    files |= {f"EPUB/{name}": file.read_bytes() for name, file in pictures.items()}
    files |= {"META-INF/container.xml": _CONTAINER, "EPUB/book.css": _STYLE, "EPUB/title.xhtml": title_page(root),
              "EPUB/nav.xhtml": contents(root, titles), "EPUB/book.opf": package(root, texts, pictures)}
    return zipped(files, stored={"mimetype": "application/epub+zip"})


def title_page(root):
    """Return the first page."""
    (version, day), title = metadata.release(root), html.escape(metadata.title(root))
    authors = html.escape(", ".join(author["name"] for author in metadata.project(root)["authors"]))
    body = (f"<h1>{title}</h1><p>{html.escape(metadata.ABSTRACT)}</p><p>{authors}</p><p>Version {version}, {day}. "
            "Text and figures: CC BY 4.0. Code: BSD 3-Clause.</p>")
    return _XHTML.format(title=title, body=body)


def contents(root, titles):
    """Return the contents, by parts."""
    rows = []
    for caption, names in pages.parts(root):
        links = [f'<li><a href="{Path(name).name}.xhtml">{html.escape(titles[Path(name).name])}</a></li>'
                 for name in names if Path(name).name in titles]
        if links:
            rows += [f"<li><span>{html.escape(caption)}</span><ol>{''.join(links)}</ol></li>"] if caption else links
    body = f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(rows)}</ol></nav>'
    return _XHTML.format(title="Contents", body=body)


def package(root, texts, pictures):
    """Return what a reading system reads first: what the book is, its files, and their order."""
    found, (version, day) = metadata.project(root), metadata.release(root)
    known = uuid.uuid5(uuid.NAMESPACE_URL, f"https://arxiv.org/abs/{metadata.PAPER['arxiv']}/{found['name']}/{version}")
    items = ['<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
             '<item id="css" href="book.css" media-type="text/css"/>',
             '<item id="title" href="title.xhtml" media-type="application/xhtml+xml"/>']
    for stem, text in texts.items():
        kind = ' properties="mathml"' if "<math" in text else ""
        items.append(f'<item id="page-{stem}" href="{stem}.xhtml" media-type="application/xhtml+xml"{kind}/>')
    items += [f'<item id="image-{number}" href="{name}" media-type="{_KINDS[Path(name).suffix]}"/>'
              for number, name in enumerate(sorted(pictures))]
    spine = "".join(f'<itemref idref="{name}"/>' for name in ("title", "nav", *(f"page-{stem}" for stem in texts)))
    creators = "".join(f"<dc:creator>{html.escape(author['name'])}</dc:creator>" for author in found["authors"])
    return ('<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
            'unique-identifier="known" xml:lang="en"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f'<dc:identifier id="known">urn:uuid:{known}</dc:identifier><dc:title>{html.escape(metadata.title(root))}'
            f"</dc:title><dc:language>en</dc:language>{creators}<dc:rights>CC BY 4.0</dc:rights><dc:description>"
            f'{html.escape(found["description"])}</dc:description>'
            f'<meta property="dcterms:modified">{day}T00:00:00Z</meta>{_ACCESS}'
            f"</metadata><manifest>{''.join(items)}</manifest><spine>{spine}</spine></package>\n")
