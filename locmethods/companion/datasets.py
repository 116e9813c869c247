"""Real data that ship inside installed packages, as plain arrays. Nothing is fetched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Sample(NamedTuple):
    """Inputs and targets."""

    x: np.ndarray
    y: np.ndarray


class Glyphs(NamedTuple):
    """Pictures of letters, in each of several typefaces."""

    x: np.ndarray
    letter: list
    typeface: list


class Sentences(NamedTuple):
    """Sentences, and the topic to which each belongs."""

    text: list
    topic: list


class Pages(NamedTuple):
    """Pages of text, and what each is called."""

    name: list
    text: list


class Words(NamedTuple):
    """The commonest words of a text, and its sentences as their numbers, −1 for any other word."""

    names: list
    sentences: list


class Graph(NamedTuple):
    """Names of nodes, and symmetric weights of the edges between them."""

    names: list
    weights: np.ndarray


def engel() -> Sample:
    """Return income and food expenditure of 235 Belgian households of 1857, in francs a year (statsmodels)."""
    from statsmodels.datasets import engel

    table = engel.load_pandas().data
    return Sample(table["income"].to_numpy(float), table["foodexp"].to_numpy(float))


def sunspots() -> Sample:
    """Return the years 1700–2008 and the yearly mean number of sunspots (statsmodels)."""
    from statsmodels.datasets import sunspots

    table = sunspots.load_pandas().data
    return Sample(table["YEAR"].to_numpy(float), table["SUNACTIVITY"].to_numpy(float))


def nile() -> Sample:
    """Return the years 1871–1970 and the yearly flow of the Nile at Aswan, in 10⁸ m³ (statsmodels)."""
    from statsmodels.datasets import nile

    table = nile.load_pandas().data
    return Sample(table["year"].to_numpy(float), table["volume"].to_numpy(float))


def visits() -> Sample:
    """Return an index of chronic diseases, and how often a doctor was visited within a year (statsmodels).

    Of the RAND Health Insurance Experiment; every fifth of 20,190 years of a person, so that neighbouring rows, which
    are mostly years of one person, are not taken together.
    """
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data[::5]
    return Sample(table["disea"].to_numpy(float), table["mdvis"].to_numpy(float))


def digits() -> Sample:
    """Return 1,797 handwritten digits, 8 × 8 pixels scaled to [0, 1], and their labels (scikit-learn)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Sample(x / 16, y)


def breast_cancer(*, standardise: bool = True) -> Sample:
    """Return 30 measurements of 569 tumours, and 1 for benign, 0 for malignant (scikit-learn).

    Parameters
    ----------
    standardise : bool, default=True
        Mean zero and variance one; otherwise each measurement is in its own unit.
    """
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Sample((x - x.mean(0)) / x.std(0) if standardise else x, y)


def photograph(size: int = 128) -> np.ndarray:
    """Return the grey photograph of a flower, `size` pixels square, values in [0, 1] (scikit-learn).

    Parameters
    ----------
    size : int, default=128
        Side of the picture in pixels, at most 400: means over equal boxes of a square crop.
    """
    from sklearn.datasets import load_sample_image

    if not 1 <= size <= 400:
        raise ValueError(f"size must be between 1 and 400 pixels, got {size!r}")
    grey = load_sample_image("flower.jpg")[:400, 130:530] @ np.array([0.299, 0.587, 0.114]) / 255
    box = 400 // size
    edge = box * size
    return grey[:edge, :edge].reshape(size, box, size, box).mean((1, 3))


def moons(n: int = 200, *, seed: int = 0, noise: float = 0.25) -> Sample:
    """Return two interleaved half circles of `n` points with labels 0 and 1 (scikit-learn, generated)."""
    from sklearn.datasets import make_moons

    return Sample(*make_moons(n, noise=noise, random_state=seed))


def petals() -> Sample:
    """Return length and width of the petals of 150 irises, in centimetres, and their species (scikit-learn)."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return Sample(x[:, 2:], y)


def temple(box: int = 6) -> np.ndarray:
    """Return a colour photograph of a temple, values in [0, 1]: means over boxes of `box` pixels (scikit-learn).

    Parameters
    ----------
    box : int, default=6
        Side of a box in pixels, at most 400; the picture has 400 // box rows and 600 // box columns.
    """
    from sklearn.datasets import load_sample_image

    if not 1 <= box <= 400:
        raise ValueError(f"box must be between 1 and 400 pixels, got {box!r}")
    rows, columns = 400 // box, 600 // box
    picture = load_sample_image("china.jpg")[:rows * box, :columns * box] / 255
    return picture.reshape(rows, box, columns, box, 3).mean((1, 3))


def photographs(size: int = 64) -> np.ndarray:
    """Return six grey photographs of scikit-image's, of shape (6, size, size), values in [0, 1].

    A cameraman, an astronaut, a cat, a cup of coffee, a rocket and the moon's surface: those that ship inside the
    package.

    Parameters
    ----------
    size : int, default=64
        Side of a picture in pixels, at most 300: means over equal boxes of a square crop from its middle.
    """
    if not 1 <= size <= 300:
        raise ValueError(f"size must be between 1 and 300 pixels, got {size!r}")
    names = "camera", "astronaut", "chelsea", "coffee", "rocket", "moon"
    return np.stack([shipped(name, size, None) for name in names])


# Rows and columns of the corners of brush strokes on the temple's 400 × 600 pixels.
STROKES: dict[str, list[tuple[tuple[int, int], ...]]] = {
    "sky": [((20, 20), (30, 170)), ((60, 330), (120, 580)), ((180, 330), (230, 480)), ((295, 5), (295, 60))],
    "temple": [((50, 195), (70, 200)), ((110, 150), (115, 250)), ((170, 130), (190, 280)), ((270, 90), (285, 300))],
    "trees": [((350, 40), (330, 100), (380, 160)), ((330, 380), (370, 500)), ((200, 588), (300, 588)),
              ((190, 20), (240, 40))],
}


def temple_strokes(box: int = 6) -> np.ndarray:
    """Return strokes of a brush on `temple`: 0 on sky and lake, 1 on the temple, 2 on trees, −1 elsewhere.

    Drawn by hand for this book; lines a pixel or two wide.

    Parameters
    ----------
    box : int, default=6
        As in `temple`.

    Returns
    -------
    integer ndarray of shape (400 // box, 600 // box)
    """
    labels = np.full(temple(box).shape[:2], -1)
    for label, lines in enumerate(STROKES.values()):
        for corners in lines:
            for begin, end in pairwise(corners):
                steps = np.linspace(0, 1, 1200 // box)[:, None]
                path = np.array(begin) + steps * (np.array(end) - begin)
                rows, columns = (path // box).astype(int).T
                below = np.minimum(rows + 1, len(labels) - 1)
                labels[rows, columns] = labels[below, columns] = label
    return labels


def coins() -> np.ndarray:
    """Return a grey photograph of coins, 75 × 120 pixels with values in [0, 1] (scikit-image, a part at half size)."""
    from skimage.data import coins

    part = coins()[150:300, 60:300] / 255
    return part.reshape(75, 2, 120, 2).mean((1, 3))


def diabetes() -> Sample:
    """Return 10 measurements of 442 patients, standardised, and their disease's progress in a year (scikit-learn)."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return Sample((x - x.mean(0)) / x.std(0), y)


def crops() -> Sample:
    """Return 200 grey crops of photographs, 25 × 25 pixels in [0, 1], and 1 for a face, 0 for none (scikit-image)."""
    from skimage.data import lfw_subset

    return Sample(lfw_subset().reshape(200, 625), (np.arange(200) < 100).astype(int))


# What scikit-image ships of photographs, in its own order of names; drawings, masks and what is generated left out.
PHOTOGRAPHS = ("astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel",
               "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text")


def shipped(name: str, side: int = 64, box: int | None = 1, *, grey: bool = True) -> np.ndarray:
    """Return the middle of a photograph that ships with scikit-image, values in [0, 1].

    Parameters
    ----------
    name : str
        One of `PHOTOGRAPHS`.
    side : int, default=64
        Rows and columns of what is returned.
    box : int or None, default=1
        Each of its pixels is the mean over boxes of so many pixels a side; None for as many as fit.
    grey : bool, default=True
        Colours are weighted to luminance; otherwise the channels stay, as the last axis, where there are any.
    """
    from skimage import data

    if name not in PHOTOGRAPHS:
        raise ValueError(f"name must be one of {', '.join(PHOTOGRAPHS)}, got {name!r}")
    picture = getattr(data, name)() / 255
    if grey and picture.ndim == 3:
        picture = picture @ np.array([0.299, 0.587, 0.114])
    box = max(1, min(picture.shape[:2]) // side) if box is None else box
    edge = box * side
    if not 1 <= edge <= min(picture.shape[:2]):
        raise ValueError(f"side times box must be between 1 and {min(picture.shape[:2])} pixels, got {edge}")
    row, column = ((length - edge) // 2 for length in picture.shape[:2])
    middle = picture[row:row + edge, column:column + edge]
    return middle.reshape(side, box, side, box, -1).mean((1, 3)).squeeze()


# Grammars, tables, headings, signatures, and what a minor version of Python adds to its own documentation.
NO_SENTENCE = re.compile(r"::=|>>>|\*\*\*|===|---|version 3|^\w+\(|[=<>{}|\\]{2}")
STRAIGHT = str.maketrans("‘’“”\u00a0", "''\"\" ")


def documentation_sentences(each: int | None = None) -> Sentences:
    """Return sentences of Python's documentation, each of 8 to 40 words, with the topic in which it stands.

    From ``pydoc_data``, which is what ``help("assert")`` reads. A sentence that stands in several topics is left out,
    so that each belongs to one. Their order is that of their SHA-256: where another version of Python words one
    sentence otherwise, the others keep their order.

    Parameters
    ----------
    each : int, optional
        Take so many of each topic that has them, the first in that order; otherwise take all, about 1,200.

    Returns
    -------
    Sentences
    """
    from pydoc_data.topics import topics

    found: dict[str, set[str]] = {}
    for topic, page in topics.items():
        for block in re.split(r"\n\s*\n", page.translate(STRAIGHT)):
            prose = " ".join(block.split()).removeprefix("* ")
            for sentence in re.split(r"(?<=\.) (?=[A-Z])", prose):
                if is_prose(sentence):
                    found.setdefault(sentence, set()).add(topic)
    once = {sentence: where.pop() for sentence, where in found.items() if len(where) == 1}
    text = sorted(once, key=lambda sentence: sha256(sentence.encode()).digest())
    if each is not None:
        by_topic = {topic: [one for one in text if once[one] == topic] for topic in sorted(set(once.values()))}
        text = [one for some in by_topic.values() if len(some) >= each for one in some[:each]]
    return Sentences(text, [once[sentence] for sentence in text])


def documentation_pages() -> Pages:
    """Return the pages of Python's documentation that have sentences of their own, about fifty-five.

    From ``pydoc_data``, which is what ``help("assert")`` reads; those of `documentation_sentences`, in the order of
    their names, so that numbers of topics are the same there and here. They differ a little between versions of Python.
    """
    from pydoc_data.topics import topics

    names = sorted(set(documentation_sentences().topic))
    return Pages(names, [topics[name] for name in names])


def documentation_words(n_words: int = 200) -> Words:
    """Return the sentences of Python's documentation as numbers of its commonest words.

    Parameters
    ----------
    n_words : int, default=200
        How many words are known, the commonest; of equally common ones the first of the alphabet.

    Returns
    -------
    Words
        Its sentences are integer arrays, in the order of `documentation_sentences`. What is common and in which order
        sentences come hardly differs between versions of Python.
    """
    texts = [re.findall("[a-z]+", sentence.lower()) for sentence in documentation_sentences().text]
    count = Counter(word for text in texts for word in text)
    names = sorted(count, key=lambda word: (-count[word], word))[:n_words]
    places = {name: place for place, name in enumerate(names)}
    return Words(names, [np.array([places.get(word, -1) for word in text]) for text in texts])


def see_also(topics: Sequence[str]) -> NDArray:
    """Return which topics of Python's documentation name each other where ``help`` lists related topics.

    Parameters
    ----------
    topics : sequence of str
        Names as in ``pydoc_data``.

    Returns
    -------
    boolean ndarray of shape (n_topics, n_topics)
        Symmetric: two are related if one of them names the other. A heading that stands for another is followed.
    """
    from pydoc import Helper

    headings = {**Helper.keywords, **Helper.topics}
    places = {topic: place for place, topic in enumerate(topics)}
    found = np.zeros((len(places),) * 2, dtype=bool)
    for heading in headings:
        topic, named = followed(headings, heading)
        others = [followed(headings, word)[0] for word in named.split()]
        for other in others:
            if topic in places and other in places and other != topic:
                found[places[topic], places[other]] = found[places[other], places[topic]] = True
    return found


def followed(headings: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return (topic, the headings that it names) of a heading of ``help``, ("", "") of what is none."""
    while isinstance(entry := headings.get(name, ("", "")), str):
        name = entry.split()[0] if entry else ""
    return entry


def is_prose(sentence: str) -> bool:
    """Return True for a whole sentence of 8 to 40 words."""
    return (sentence[:1].isupper() and sentence.endswith(".") and 8 <= len(sentence.split()) <= 40
            and not NO_SENTENCE.search(sentence))


# What a typewriter writes: a line's end and the printable part of ASCII.
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


def documentation() -> str:
    """Return the topics of Python's own documentation as one text of 96 characters, each paragraph once (Python).

    What ``help("topic")`` prints, which differs a little between versions of Python. Topics repeat each other, and what
    has stood before is left out, so that the end of the text can be kept for a test of what was learned from its
    beginning. Quotation marks and dashes are those of a typewriter, other characters beyond ASCII question marks.
    """
    from pydoc_data.topics import topics

    paragraphs = dict.fromkeys(one for name in sorted(topics) for one in topics[name].split("\n\n"))
    text = "\n\n".join(paragraphs).translate(str.maketrans("‘’“”–—\xa0", "''\"\"-- "))
    return "".join(one if one in CHARACTERS else "?" for one in text.replace("…", "..."))


def echoes(n: int = 60_000, *, length: int = 12, seed: int = 0) -> str:
    """Return `n` random letters in words of `length`, each of which is said three times (generated)."""
    alphabet, words = list("abcdefghijklmnopqrstuvwxyz"), -(-n // (3 * length))
    letters = np.random.default_rng(seed).choice(alphabet, size=(words, length))
    return "".join(3 * "".join(word) for word in letters)[:n]


# Faces that ship with matplotlib and have letters of three alphabets.
TYPEFACES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
)
GLYPH_SIDE, BASELINE = 16, 12  # pixels of a picture, and the row that the letters stand on


@cache
def glyphs() -> Glyphs:
    """Return every letter and digit that sixteen typefaces share, drawn at 12 pixels an em (matplotlib's fonts).

    About 500 characters: Latin with accents, Greek, Cyrillic. Of characters that look the same in the first face, as
    Latin A and Greek Alpha do, the first is taken.

    Returns
    -------
    Glyphs
        x of shape (n_letters, 16, 256), values in [0, 1], not to be written to.
    """
    from pathlib import Path
    from unicodedata import category

    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    fonts = [FT2Font(str(Path(get_data_path(), "fonts", "ttf", f"{name}.ttf"))) for name in TYPEFACES]
    for font in fonts:
        font.set_size(12, 72)
    shared = set.intersection(*(set(font.get_charmap()) for font in fonts))
    found, seen = {}, set()
    for letter in (chr(code) for code in sorted(shared)):
        if category(letter) in ("Lu", "Ll", "Nd"):
            first = glyph(fonts[0], letter)
            if first.tobytes() not in seen:
                seen.add(first.tobytes())
                found[letter] = [first] + [glyph(font, letter) for font in fonts[1:]]
    x = np.array(list(found.values())).reshape(len(found), len(fonts), -1)
    x.setflags(write=False)
    return Glyphs(x, list(found), list(TYPEFACES))


def glyph(font: Any, letter: str) -> NDArray:
    """Return a letter as a grey picture, centred, on its baseline; what does not fit is cut off."""
    from matplotlib.ft2font import LoadFlags

    font.set_text(letter, 0.0, flags=LoadFlags.NO_HINTING)
    font.draw_glyphs_to_bitmap()
    ink = np.asarray(font.get_image()) / 255
    room = 2 * GLYPH_SIDE
    canvas = np.zeros((3 * room, 3 * room))
    bottom = room + BASELINE + round(font.get_descent() / 64)
    left = room + (GLYPH_SIDE - ink.shape[1]) // 2
    canvas[bottom - ink.shape[0]:bottom, left:left + ink.shape[1]] = ink
    return canvas[room:room + GLYPH_SIDE, room:room + GLYPH_SIDE]


def topic_graph() -> Graph:
    """Return the topics of Python's own help and 1 where one of two names the other as related (Python).

    From ``pydoc``, which is what ``help("LISTS")`` ends with; the largest group of topics that hang together. The list
    differs a little between versions of Python.
    """
    from pydoc import Helper

    from scipy.sparse.csgraph import connected_components

    related = {name: found[1].split() for name, found in Helper.topics.items() if isinstance(found, tuple)}
    names = sorted(related)
    weights = np.array([[float(other in related[name] or name in related[other]) for other in names] for name in names])
    np.fill_diagonal(weights, 0.0)
    group = connected_components(weights)[1]
    kept = np.flatnonzero(group == np.bincount(group).argmax())
    return Graph([names[i] for i in kept], weights[np.ix_(kept, kept)])


def les_miserables() -> Graph:
    """Return the 77 characters of Les Misérables and in how many chapters two of them meet (networkx)."""
    import networkx

    graph = networkx.les_miserables_graph()
    return Graph(list(graph), networkx.to_numpy_array(graph))
