"""Entries that a LaTeX article takes as they are: titles keep their capitals and mathematics, signs become commands."""

from __future__ import annotations

import re
import unicodedata

from locmethods.companion.build import metadata, publication
from locmethods.companion.build.pages import BookError

# Signs outside mathematics as LaTeX sets them; Greek letters and raised or lowered digits are found by their names.
_SIGNS = {"–": "--", "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'", "…": r"\ldots{}", "\u00a0": "~",
          "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$",
          "≠": r"$\ne$", "→": r"$\to$", "∞": r"$\infty$", "√": r"$\sqrt{\ }$", "∈": r"$\in$", "°": r"$^\circ$",
          "½": r"$\frac12$", "‖": r"$\Vert$", "Σ": r"$\sum$",
          "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}",
          "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
_DIGITS = {name: str(digit) for digit, name in enumerate(
    "ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE".split())}
# What the amsmath package adds, in the words that every article has.
_PLAIN = {"text": "mathrm", "operatorname": "mathrm", "lVert": "Vert", "rVert": "Vert", "lvert": "vert",
          "rvert": "vert", "tfrac": "frac", "dfrac": "frac"}
_AMSMATH = re.compile(rf"\\({'|'.join(_PLAIN)})(?![A-Za-z])")
_MATHEMATICS = re.compile(r"(\$[^$]+\$)")
_MARKUP = [(re.compile(r"\{[a-z:]+\}`(?:([^`<]*?)\s*<[^`>]*>|([^`]*))`"), lambda role: role[1] or role[2]),
           (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
           (re.compile(r"`+([^`]*)`+"), r"\1"), (re.compile(r"(\*\*|\*)(?=\S)(.+?)(?<=\S)\1"), r"\2")]


def latex(text):
    """Return Markdown text as LaTeX: the mathematics as it stands, the text without marks and with signs as commands.

    Raises
    ------
    BookError
        If the text has a sign for which LaTeX has no command that we know.
    """
    parts = _MATHEMATICS.split(" ".join(text.split()))
    return "".join(_AMSMATH.sub(lambda found: f"\\{_PLAIN[found[1]]}", part) if number % 2 else _text(part)
                   for number, part in enumerate(parts))


def _text(text):
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    return re.sub(r"(?<!\\)\$\$", "", "".join(map(_sign, text)))  # two signs in a row are one formula


def _sign(sign):
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii():
        return sign
    name = unicodedata.name(sign, "")
    if greek := re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", name):
        word = greek[2].lower().replace("lamda", "lambda")  # Unicode's own spelling
        return f"$\\{word if greek[1] == 'SMALL' else word.capitalize()}$"
    if digit := re.fullmatch(r"(SUPERSCRIPT|SUBSCRIPT) ([A-Z]+)", name):
        if digit[2] in _DIGITS:
            return f"${'^' if digit[1] == 'SUPERSCRIPT' else '_'}{_DIGITS[digit[2]]}$"
    if name.startswith("LATIN "):  # pdflatex reads letters with accents, biber too
        return sign
    raise BookError(f"LaTeX has no command that we know for {sign!r}: write it as mathematics, in dollars")


def first_sentence(text):
    """Return the first sentence of a caption, without its full stop; a full stop in mathematics ends none."""
    text = " ".join(text.split())
    inside = 0
    for place, sign in enumerate(text):
        inside += sign == "$"
        if sign == "." and inside % 2 == 0 and text[place + 1:place + 2] in ("", " "):
            return text[:place]
    return text


def entry(key, title, place, page, root, note=""):
    """Return an entry: titles in two pairs of braces keep their capitals in every style.

    Parameters
    ----------
    key, title : str
        The title in Markdown.
    place : str
        What it is of the book: ``Figure means-draws``.
    page : str
        Where it stands: the page's address below the site's.
    root : Path
        The book's folder, which says the version, the year and the address. Without an address of its own the book is
        found by the paper's.
    note : str, default=""
        What more identifies it.
    """
    (version, day), site = metadata.release(root), publication.place(root).site
    paper = f"https://arxiv.org/abs/{metadata.PAPER['arxiv']}"
    book = latex(metadata.title(root))
    words = f"Version {version}" + (f"; {note}" if note else "")
    author = latex(metadata.project(root)["authors"][0]["name"])
    within = f"{place} of \\emph{{{book}}}, the executable companion to arXiv:{metadata.PAPER['arxiv']}"
    fields = {"author": f"{{{author}}}", "title": f"{{{latex(title)}}}", "year": day[:4], "howpublished": within,
              "url": site + page if site else paper, "note": words}
    width = max(map(len, fields))
    lines = ",\n".join(f"  {name:<{width}} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"


def of_figure(record, root):
    """Return the entry of a figure, given its record: its data are known by the beginning of their SHA-256."""
    name = record["name"]
    return entry(f"locmethods-{name}", first_sentence(record["caption"]), f"Figure {name}",
                 f"book/{record['chapter']}.html#fig-{name}", root, f"data SHA-256 {record['checksum'][:16]}")


def of_page(stem, title, root):
    """Return the entry of a page."""
    return entry(f"locmethods-{stem.replace('_', '-')}", title, "Chapter", f"book/{stem}.html", root)
