"""The search that needs no server: how pages are cut into passages, and what is found in them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from locmethods.companion.build import search

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = (ROOT / "book" / "_assets" / "search.js").read_text()
NODE = shutil.which("node")

PAGE = """<html><body><nav><p id="no">outside</p></nav><article>
<section id="mean-shift"><h1>7. Mean shift<a class="headerlink" href="#mean-shift">#</a></h1>
<p>A point&#160;moves<br> uphill.</p><script>hidden()</script>
<section id="width"><h2>The width</h2><p>Too <em>wide</em>.</p>
<figure id="fig-a"><img alt="x"><figcaption><p><span class="caption-number">Fig. 1 </span>A
 \\(\\sigma\\)-hill.</p></figcaption></figure><p>After it.</p></section>
<div class="math">\\[x^2\\]</div><div class="highlight"><pre>code()</pre></div>
<div class="claim-card" id="claim-A1"><p><a class="claim-id">A1</a> <span>identity</span></p><p>It is so.</p></div>
<section class="ledger-chapter"><details id="ledger-A1"><summary>A1 It is so</summary></details></section>
<dl class="py"><dt class="sig" id="lm.mean">mean(<em>query</em>)</dt><dd><p>The average.</p></dd></dl>
<div class="citation" id="id7" role="doc-biblioentry"><span class="label">[Song, 2026]</span><p>C. Song.</p></div>
<p>The end.</p></section></article><p id="footer">outside</p></body></html>"""


def test_a_passage_begins_where_a_link_can_lead():
    assert [tuple(one.values()) for one in search.passages(PAGE)] == [
        ("mean-shift", "7. Mean shift", "A point moves uphill. The end."),
        ("width", "The width", "Too wide. After it."),
        ("fig-a", "Fig. 1", "A \\sigma-hill."),
        ("claim-A1", "A1", "identity It is so."),
        ("lm.mean", "lm.mean", "mean(query) The average."),
        ("id7", "[Song, 2026]", "C. Song."),
    ]


def test_the_script_is_one_assignment_of_all_pages(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "a.html").write_text(PAGE.replace("uphill", "</script>"))
    script = search.as_script(tmp_path, ["book/a"])
    assert script.startswith("window.passages = ") and script.endswith(";\n")
    [page] = json.loads(script.removeprefix("window.passages = ").removesuffix(";\n"))
    assert page["page"] == "book/a.html" and page["title"] == "7. Mean shift"
    assert page["passages"][1] == ["width", "The width", "Too wide. After it."]


BOOK = [
    {"page": "book/shift.html", "title": "Mean shift", "passages": [
        ["top", "Mean shift", "Where does a point go that keeps moving?"],
        ["blur", "Blurring", "All points move at once, each to its neighbours' mean. Perpiñán and σ say how wide."],
        ["far", "A long story", "word " * 300 + "the bandwidth is chosen here " + "word " * 300]]},
    {"page": "book/width.html", "title": "The width", "passages": [
        ["w", "The width", "The bandwidth says how far one looks."], ["b", "Bandwidth by rules", "A rule of thumb."]]},
]


def ask(query):
    """Return [(anchor, excerpt, marked words)] of what is found, under node."""
    program = f"""{SCRIPT}
    const passages = booksearch.prepared({json.dumps(BOOK)}), words = booksearch.wordsOf({json.dumps(query)});
    process.stdout.write(JSON.stringify(booksearch.search(passages, {json.dumps(query)}).map((one) => {{
      const {{ from, to, marks }} = booksearch.excerpt(one, words);
      return [one.at, one.text.slice(from, to), marks.map(([at, length]) => one.text.slice(at, at + length))];
    }})));"""
    return json.loads(subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True).stdout)


needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


@needs_node
@pytest.mark.parametrize("query, places", [
    ("bandwidth", ["b", "w", "far"]),  # in a title, in a short passage, in a long one
    ("BANDW", ["b", "w", "far"]),  # the beginning of a word, in any case
    ("width", ["w"]),  # not the end of one
    ("perpinan", ["blur"]), ("σ", ["blur"]),
    ("points mean", ["blur"]),  # all words
    ("mean", ["top", "blur"]), ("nowhere", []), ("  ", []),
])
def test_what_is_found_and_in_which_order(query, places):
    assert [at for at, _, _ in ask(query)] == places


@needs_node
def test_the_excerpt_is_around_the_words_and_marks_them():
    [found] = [one for one in ask("bandwidth") if one[0] == "far"]
    assert "the bandwidth is chosen here" in found[1] and len(found[1]) < 400 and found[2] == ["bandwidth"]
    assert not found[1].strip().startswith("ord"), "a word is not cut"
    [[_, _, marks]] = ask("points perpin")
    assert marks == ["points", "Perpiñ"[:6]], "accents do not move the marks"
