"""What the site needs to stand in public: its address, previews of its links, buttons that lead to the repository.

One setting turns it on: ``Repository`` in ``[project.urls]`` of ``pyproject.toml``. Without it the site names no other
server and shows no button that leads nowhere. The pages' address follows from the repository's, unless
``Documentation`` says another, or a documentation host does, which hands its address over as a variable.
"""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from docutils import nodes
from sphinx.errors import ExtensionError

from locmethods.companion.build import lists, metadata, pages
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.records import write_whole

HOSTED = "READTHEDOCS_CANONICAL_URL"  # the name of the variable is the host's
BRANCH, NOTEBOOKS = "main", "notebooks"  # the workflow keeps the executed notebooks on a branch of their own
# Where a repository at one of these hosts has its pages.
PAGES = {"github.com": "https://{owner}.github.io/{name}/", "gitlab.com": "https://{owner}.gitlab.io/{name}/"}
BINDER, COLAB = "https://mybinder.org/v2/gh", "https://colab.research.google.com/github"


class Place(NamedTuple):
    """Where the book stands in public: the repository and the site, "" where there is none."""

    repository: str
    site: str


def place(root):
    """Return where the book stands in public.

    Raises
    ------
    BookError
        If an address is not one, or the repository's host has no pages that we know of and no site is named.
    """
    urls = metadata.project(root).get("urls", {})
    repository, site = urls.get("Repository", "").rstrip("/"), urls.get("Documentation", "")
    for name, url in (("Repository", repository), ("Documentation", site)):
        if url and not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+)*/?", url):
            raise BookError(f"{name} in [project.urls] of pyproject.toml must be an address, https://host/…, got "
                            f"{url!r}")
    if repository and repository.count("/") != 4:
        raise BookError("Repository in [project.urls] of pyproject.toml must be https://host/owner/name, got "
                        f"{repository!r}")
    if repository and not site:
        host, owner, name = repository.removeprefix("https://").split("/")
        if host not in PAGES:
            raise BookError(f"the pages of {host} have no address that we know: name it as Documentation in "
                            "[project.urls] of pyproject.toml")
        site = PAGES[host].format(owner=owner, name=name)
    site = os.environ.get(HOSTED) or site
    return Place(repository, f"{site.rstrip('/')}/" if site else "")


def settle(app, config):
    """Tell Sphinx and the theme where the book stands in public."""
    try:
        here = place(app.srcdir)
    except BookError as error:
        raise ExtensionError(str(error)) from None
    config.html_baseurl = here.site
    config.html_theme_options |= {
        "repository_url": here.repository, "repository_branch": BRANCH, "path_to_docs": "",
        "use_repository_button": bool(here.repository), "use_edit_page_button": bool(here.repository),
        "use_issues_button": bool(here.repository)}


def launch_links(repository, stem):
    """Return [(name, address)] of the servers that run a chapter's notebook, for who has only a browser.

    Binder builds the environment of the repository; Colab has Python only, so that it gets the notebook that brings
    the package along. Both know repositories of one host.
    """
    if urlsplit(repository).hostname != "github.com":
        return []
    own = urlsplit(repository).path.strip("/")
    path = quote(f"lab/tree/book/notebooks/{stem}.ipynb", safe="")
    return [("Binder", f"{BINDER}/{own}/{BRANCH}?urlpath={path}"),
            ("Colab", f"{COLAB}/{own}/blob/{NOTEBOOKS}/{stem}.ipynb")]


def add_launch_buttons(app, pagename, templatename, context, doctree):
    """Give the pages that have code the buttons that run them elsewhere."""
    stem, repository = Path(pagename).name, place(app.srcdir).repository
    page = Path(app.srcdir) / f"{pagename}.md"
    if not repository or doctree is None or not page.exists() or pages.CODE not in page.read_text():
        return
    buttons = [{"type": "link", "text": name, "tooltip": f"Run this page on {name}", "url": url, "icon": "fas fa-play",
                "label": f"launch-{name.lower()}"} for name, url in launch_links(repository, stem)]
    if buttons:
        context["header_buttons"].append({
            "type": "group", "tooltip": "Run this page elsewhere", "icon": "fas fa-rocket", "buttons": buttons,
            "label": "launch-buttons"})


def description(page, doctree):
    """Return what a page is about, in a line: its question and surprise, or its first paragraph."""
    said = lists.said(page) if page.exists() else {}
    if "question" in said:
        return " ".join(f"{said['question']} {said.get('surprise', '')}".split())
    texts = [node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section)]
    words = " ".join(texts[0].astext().split()) if texts else ""
    return words if len(words) <= 200 else f"{words[:200].rsplit(' ', 1)[0]} …"


def meta(name, content):
    """Return an element of a page's head; names with a colon are Open Graph's."""
    key = "property" if ":" in name and not name.startswith("twitter:") else "name"
    return f'<meta {key}="{name}" content="{html.escape(content, quote=True)}" />'


def preview(title, about, site, path, picture):
    """Return the head's elements that a link to a page is shown by.

    Parameters
    ----------
    title, about : str
    site, path : str
        The site's address, "" if it has none, and the page's below it. Pictures need an address.
    picture : dict
        The record of a figure, {} if there is none.
    """
    found = [meta("description", about), meta("og:title", title), meta("og:description", about),
             meta("og:type", "article"), meta("twitter:card", "summary_large_image")]
    if site:
        found.append(meta("og:url", site + path))
    if site and picture:
        found += [meta("og:image", f"{site}figures/{picture['name']}.png"), meta("og:image:alt", picture["alt"])]
    return "\n".join(found)


def first_picture(root, stem):
    """Return the record of the first figure that a page shows, in the order of its text, else of the first page."""
    folder = Path(root) / "_build" / "records" / "figures"
    for name in (stem, pages.pages(root)[0].stem):
        records = [json.loads(path.read_text()) for path in sorted((folder / name).glob("*.json"))]
        page = Path(root) / "book" / f"{name}.md"
        text = page.read_text() if page.exists() else ""
        shown = [record for record in records if f"{record['name']}.png" in record["files"]]
        if shown:  # a name that the text does not have comes last
            return min(shown, key=lambda record: text.find(f'"{record["name"]}"') % (len(text) + 1))
    return {}


def describe(app, pagename, templatename, context, doctree):
    """Say in a page's head what it is about."""
    if doctree is None:
        return
    site = place(app.srcdir).site
    about = description(Path(app.srcdir) / f"{pagename}.md", doctree)
    title = re.sub(r"<[^>]*>", "", context.get("title", ""))
    context["metatags"] += preview(html.unescape(title), about, site, f"{pagename}.html",
                                   first_picture(app.srcdir, Path(pagename).name))


def sitemap(site, names):
    """Return the list of the site's pages that search machines read."""
    lines = [f"  <url><loc>{html.escape(site + name)}</loc></url>" for name in names]
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            + "\n".join(lines) + "\n</urlset>\n")


_PLAIN = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
{head}
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.2rem; }}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
"""


def not_found(root, site):
    """Return the page that a host shows at an address where nothing is.

    It is shown at any depth, so its links are below the site's own address, and it asks for no other file.
    """
    first = pages.contents(root)[0]
    base = f'<base href="{html.escape(urlsplit(site).path)}" />\n' if site else ""
    body = ("<p>The book has no page at this address; it may have moved.</p>\n"
            f'<p><a href="{first}.html">Begin with the first page</a>, or '
            '<a href="search.html">search the book</a>.</p>')
    return _PLAIN.format(head=base + '<meta name="robots" content="noindex" />', title="Not found",
                         heading="Nothing is near this address", body=body)


def front(root, site):
    """Return the page at the site's own address: it leads to the first page, and is what most links are shown by."""
    first, title, about = pages.contents(root)[0], metadata.title(root), metadata.project(root)["description"]
    head = "\n".join([f'<meta http-equiv="refresh" content="0; url={first}.html" />',
                      *([f'<link rel="canonical" href="{html.escape(site)}{first}.html" />'] if site else []),
                      preview(title, about, site, "", first_picture(root, Path(first).name))])
    return _PLAIN.format(head=head, title=html.escape(title), heading=html.escape(title),
                         body=f'<p><a href="{first}.html">The first page</a></p>')


def leave_files(root, folder):
    """Leave beside the pages what hosts and search machines ask for, and the page at the site's own address."""
    site, folder = place(root).site, Path(folder)
    write_whole(folder / ".nojekyll", "")  # a pages host would leave out what begins with an underscore
    write_whole(folder / "404.html", not_found(root, site))
    write_whole(folder / "index.html", front(root, site))
    if site:
        names = [f"{name}.html" for name in pages.contents(root)]
        write_whole(folder / "sitemap.xml", sitemap(site, names))


def connect(app):
    """Register with Sphinx; what is left beside the pages is left when the site is whole, by `book.build_site`."""
    app.connect("config-inited", settle, priority=900)
    # after the theme's own buttons, which begin at 501
    app.connect("html-page-context", add_launch_buttons, priority=600)
    app.connect("html-page-context", describe, priority=600)
