"""Serve a site below another address than a host's root, as pages hosts do, and follow every link and asset of it.

``python .ci/crawl.py _build/html`` names each that leads nowhere or out of the site's own folder, and ends with 1.
"""

import sys
import threading
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from re import findall
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

BELOW = "/owner/locmethods/"


class Below(SimpleHTTPRequestHandler):
    """A host that has the site below an address, and its 404 page elsewhere."""

    def translate_path(self, path):
        """Return the file at an address; none is outside the site's folder."""
        path = urlsplit(path).path
        return super().translate_path(f"/{path.removeprefix(BELOW)}" if path.startswith(BELOW) else "/no such file")

    def send_error(self, code, message=None, explain=None):
        """Answer with the site's own page, as pages hosts do."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.exists():
            return super().send_error(code, message, explain)
        text = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        """Say nothing of each request."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.base = [], set(), None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Keep the addresses of an element, and its name."""
        found = dict(attributes)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "base":
            self.base = found.get("href")
        if tag == "meta" and (found.get("http-equiv") or "").lower() == "refresh":
            self.links.append(found["content"].partition("=")[2].strip())
        elif tag == "link" and found.get("rel") == "canonical":
            pass  # it names the public address, which is elsewhere
        elif tag != "base":
            self.links += [found[key] for key in ("href", "xlink:href", "src", "poster", "action") if found.get(key)]

    handle_startendtag = handle_starttag


@contextmanager
def served(folder):
    """Serve a folder below an address of this machine, and give that address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Below, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{BELOW}"
    finally:
        server.shutdown()
        server.server_close()


def fetched(address):
    """Return (status, kind, text) of an address; what is neither a page nor a style has no text."""
    try:
        with urlopen(address) as answer:
            kind, body = answer.headers.get_content_type(), answer.read()
            return 200, kind, body.decode() if kind in ("text/html", "text/css") else ""
    except HTTPError as error:
        return error.code, "", error.read().decode(errors="replace")


def crawl(folder):
    """Return (number of addresses asked for, sentences on what is broken)."""
    faults, seen, places = [], {}, []
    with served(folder) as top:
        waiting = [(top, "the site's own address")]
        while waiting:
            address, source = waiting.pop()
            if address in seen:
                continue
            status, kind, text = seen[address] = fetched(address)
            if status != 200:
                faults.append(f"{source} leads to {urlsplit(address).path}, where nothing is")
            elif kind == "text/html":
                page = Page(text)
                seen[address] = status, kind, page.ids
                base = urljoin(address, page.base or "")
                targets = [urljoin(base, link.strip()) for link in page.links]
            else:
                targets = [urljoin(address, link) for link in findall(r"url\([\"']?([^\"')]+)[\"']?\)", text)]
            for target in targets if status == 200 else []:
                whole, anchor = urldefrag(target)
                if urlsplit(whole).netloc != urlsplit(top).netloc:
                    continue  # another server, or no address at all: data, mail, a script
                name = urlsplit(address).path.removeprefix(BELOW) or "index.html"
                if not whole.startswith(top):
                    faults.append(f"{name} leads to {urlsplit(whole).path}, outside the site's folder")
                    continue
                waiting.append((whole.partition("?")[0], name))
                places.append((whole.partition("?")[0], unquote(anchor), name))
        for address, anchor, name in places:
            status, kind, ids = seen[address]
            if anchor and kind == "text/html" and status == 200 and anchor not in ids:
                faults.append(f"{name} leads to {urlsplit(address).path}#{anchor}, which that page does not have")
        faults += lost(top)
    return len(seen), sorted(set(faults))


def lost(top):
    """Return what is wrong where nothing is: two folders down, the site's own page must answer and lead back."""
    address = urljoin(top, "book/no/such.html")
    status, _, text = fetched(address)
    page = Page(text)
    if status != 404 or not page.links:
        return [f"at an address where nothing is the host answers {status}, without a page that leads back"]
    if page.base is None:
        return []  # the site has no public address yet: hosts answer at its root, where the links hold
    broken = [link for link in page.links if not urlsplit(urljoin(page.base, link)).path.startswith(page.base)]
    return [f"404.html leads to {link}, outside the site's folder" for link in broken]


if __name__ == "__main__":
    number, faults = crawl(sys.argv[1])
    print("\n".join([*faults, f"crawl: {number} addresses below {BELOW}, {len(faults)} broken"]))
    sys.exit(bool(faults))
