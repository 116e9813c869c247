"""How a claim looks on the site: its card on the page, and the wall of all of them in the ledger.

A card is made from the record that `check` left. It reads without scripts: what is opened is a ``details`` element.
"""

from __future__ import annotations

import html
import json
import math
from collections import Counter
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from locmethods.companion.build import pages, related
from locmethods.companion.checking import wreckage

# The bar is logarithmic: from the rounding of one operation to ten thousand; what is nothing stands at its left end.
LOWEST, HIGHEST = -17.0, 4.0
TICKS = (-15, -10, -5, 0)
RELATION = {"same": "equal", "at most": "nowhere larger", "at least": "nowhere smaller"}
# So many comparisons are seen at once; the others of a claim are a click away.
SEEN = 3
LEDGER = "claims"


def records_of(root, stem):
    """Return the records of a page's claims, by id."""
    folder = Path(root) / "_build" / "records" / "claims" / stem
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda record: (record["id"][0], int(record["id"][1:])))


def place(distance):
    """Return where a distance stands on the bar, in per cent."""
    if distance <= 0:
        return 0.0
    share = (math.log10(distance) - LOWEST) / (HIGHEST - LOWEST)
    return 100 * min(max(share, 0.01), 1.0)


def magnitude(distance):
    """Return a distance in words: its first digit and its power of ten."""
    if distance == 0:
        return "0"
    if 1e-3 <= distance < 1e4:
        return f"{distance:.2g}"
    digit, power = f"{distance:.0e}".split("e")
    superscripts = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    ten = f"10{str(int(power)).translate(superscripts)}"
    return ten if digit == "1" else f"{digit} · {ten}"


def bar(part):
    """Return the bar of a part: what is allowed as a band, the two sides' distance and the broken twin's as marks.

    A relative bound has no one place: the band ends between the two marks, as what was allowed does.
    """
    truth, broken = part["distance"], part["broken"]
    allowed = part["within"] if not part["relative"] else math.sqrt(max(truth, 1e-17) * max(broken, 1e-17))
    said = f"The two sides are {magnitude(truth)} apart, the broken ones {magnitude(broken)}."
    ticks = "".join(f'<i style="left:{place(10.0**power):.1f}%"></i>' for power in TICKS)
    return (f'<div class="claim-bar" role="img" aria-label="{html.escape(said)}">{ticks}'
            f'<b class="allowed" style="width:{place(allowed):.1f}%"></b>'
            f'<b class="truth" style="left:{place(truth):.1f}%"></b>'
            f'<b class="broken" style="left:{place(broken):.1f}%"></b></div>')


def in_words(part):
    """Return what a part says, in Markdown: relation, bound, reason, and how the twin was broken."""
    bounds = [magnitude(part["within"])] * (part["within"] > 0)
    bounds += [f"{magnitude(part['relative'])} of its size"] * (part["relative"] > 0)
    relation = "a measured slope" if part["order"] else RELATION[part["relation"]]
    said = f"{relation} to within {' and '.join(bounds)}" if bounds else f"exactly {relation}"
    return f"**{part['name']}**: {said} ({part['because']}); it fails with {part['how']}."


def scale():
    """Return the numbers below the bars of a card, and what their marks mean."""
    names = {-15: "10⁻¹⁵", -10: "10⁻¹⁰", -5: "10⁻⁵", 0: "1"}
    ticks = "".join(f'<span style="left:{place(10.0**power):.1f}%">{names[power]}</span>' for power in TICKS)
    return (f'<div class="claim-foot" aria-hidden="true"><p class="claim-legend"><b class="truth"></b> the two sides '
            '<b class="allowed"></b> allowed <b class="broken"></b> the broken twin</p>'
            f'<div class="claim-scale"><span style="left:0">0</span>{ticks}</div></div>')


class _Cards(SphinxDirective):
    """What the two directives share: text in Markdown, and HTML as it stands."""

    def markdown(self, text):
        """Return the children of a paragraph of Markdown."""
        box = nodes.container()
        self.state.nested_parse(StringList([text], source="claims"), self.content_offset, box)
        return box.children[0].children if box.children else []

    def raw(self, text):
        return nodes.raw("", text, format="html")

    def line(self, text, kind):
        """Return a paragraph of Markdown."""
        found = nodes.paragraph("", "", classes=[kind])
        found += self.markdown(text)
        return found

    def body(self, record, language="python"):
        """Return the nodes below a claim's sentence: its parts with their bars, its sources, its code."""
        seen, others = record["parts"][:SEEN], record["parts"][SEEN:]
        found = [node for part in seen for node in self.part(part)]
        if others:
            said = f"{len(others)} more comparison{'s' if len(others) > 1 else ''}"
            found.append(self.raw(f'<details class="claim-more"><summary>{said}</summary>'))
            found += [node for part in others for node in self.part(part)]
            found.append(self.raw("</details>"))
        found.append(self.raw(scale()))
        if record["sources"]:
            found.append(self.line(f"{{cite:p}}`{','.join(record['sources'])}`", "claim-sources"))
        if record["source"]:
            code = nodes.literal_block(record["source"], record["source"], language=language)
            found += [self.raw('<details class="claim-code"><summary>How this was checked</summary>'), code,
                      self.raw("</details>")]
        return found

    def part(self, part):
        """Return the nodes of a comparison: words, and a bar beside them."""
        return [self.raw('<div class="claim-part">'), self.line(in_words(part), "claim-words"), self.raw(bar(part)),
                self.raw("</div>")]

    def follow(self):
        """Rebuild the page when a run is newer."""
        for stamp in sorted((Path(self.env.srcdir) / "_build" / "records").glob("*.stamp")):
            self.env.note_dependency(str(stamp))


class ClaimCard(_Cards):
    """``{claim-card} D1``: the claim as the page's run has checked it."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        stem = Path(self.env.docname).name
        found = {record["id"]: record for record in records_of(self.env.srcdir, stem)}
        if name not in found:
            raise self.error(f"no record of the claim {name} of {stem}: run the chapter again with make book")
        record = found[name]
        head = (f'<p class="claim-head"><a class="claim-id" href="{LEDGER}.html#ledger-{name}" '
                f'title="{name} in the ledger">{name}</a> <span class="claim-kind">{", ".join(record["kinds"])}</span> '
                '<span class="claim-verdict">holds</span></p>')
        card = nodes.container(classes=["claim-card"], ids=[f"claim-{name}"])
        card += [self.raw(head), self.line(record["sentence"], "claim-sentence"), *self.body(record)]
        return [card]


class ClaimsLedger(_Cards):
    """``{claims-ledger}``: every claim that was checked, by chapter, each open to its card."""

    def run(self):
        self.follow()
        chapters = [(page, records_of(self.env.srcdir, page.stem)) for page in pages.chapters(self.env.srcdir)]
        kinds = Counter(kind for _, found in chapters for record in found for kind in record["kinds"])
        count = sum(len(found) for _, found in chapters)
        every = {record["id"]: record for _, found in chapters for record in found}
        near = related.of_claims(list(every.values()))
        made = [self.raw(self.filters(count, kinds))]
        for page, found in chapters:
            if found:
                made += [self.raw(f'<section class="ledger-chapter" data-chapter="{page.stem}">'),
                         self.line(f"{{doc}}`{page.stem}`: {len(found)}", "ledger-heading")]
                for record in found:
                    made += self.item(record, [every[name] for name in near[record["id"]]])
                made.append(self.raw("</section>"))
        return made

    @staticmethod
    def filters(count, kinds):
        """Return the form that narrows the wall; it does nothing without scripts, and is hidden then."""
        boxes = "".join(f'<label><input type="checkbox" value="{kind}"> {kind} <span>{number}</span></label>'
                        for kind, number in kinds.most_common())
        return (f'<form class="ledger-filter" hidden><label class="ledger-search">Search in {count} claims '
                f'<input type="search" autocomplete="off"></label><fieldset><legend>Kind</legend>{boxes}</fieldset>'
                f'<output aria-live="polite">{count} of {count} claims</output></form>')

    def item(self, record, near):
        """Return a row of the wall; its code has no colours, which would be nine tenths of a page of all claims.

        Parameters
        ----------
        record : dict
        near : list of dict
            The records of the claims that are nearest to it.
        """
        name = record["id"]
        summary = nodes.inline("", "", classes=["claim-sentence"])
        summary += self.markdown(record["sentence"])
        back = (f'<p class="claim-back"><a href="{record["chapter"]}.html#claim-{name}">{name} on its page</a></p>')
        beside = self.near(near)
        return [self.raw(f'<details class="ledger-item" id="ledger-{name}" data-kinds="{"|".join(record["kinds"])}">'
                         f'<summary><span class="claim-id">{name}</span> '
                         f'<span class="claim-kind">{", ".join(record["kinds"])}</span> '),
                summary, self.raw('</summary><div class="claim-card">'), *self.body(record, language="none"),
                *beside, self.raw(f"{back}</div></details>")]

    def near(self, near):
        """Return the nearest claims of a row, each a link to its own row and its sentence."""
        if not near:
            return []
        made = [self.raw('<div class="claim-near"><p>Nearest claims</p><ul>')]
        for record in near:
            link = f'<li><a href="#ledger-{record["id"]}">{record["id"]}</a> '
            sentence = nodes.inline("", "", classes=["claim-sentence"])
            sentence += self.markdown(record["sentence"])
            made += [self.raw(link), sentence, self.raw("</li>")]
        return [*made, self.raw("</ul></div>")]


class SabotageTable(_Cards):
    """``{sabotage-table}``: what was broken on each page, and which claim noticed."""

    def run(self):
        self.env.note_dependency(str(wreckage.file_of(self.env.srcdir)))
        made = []
        for stem, rows in wreckage.kept(self.env.srcdir).items():
            summary = f"<summary>{stem}: {len(rows)} things broken, each noticed</summary>"
            body = [nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in self.cells(*row)))
                    for row in rows]
            head = nodes.row("", *(nodes.entry("", nodes.paragraph("", title)) for title in ("what", "how", "noticed")))
            group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in range(3)), nodes.thead("", head),
                                 nodes.tbody("", *body), cols=3)
            made += [self.raw(f'<details class="page-box">{summary}'), nodes.table("", group, classes=["sabotage"]),
                     self.raw("</details>")]
        return made

    @staticmethod
    def cells(name, how, noticed):
        """Return the cells of a row: nothing that a page presents may go unnoticed."""
        if not noticed:
            raise ExtensionError(f"no claim notices that {name} is broken ({how}): run make sabotage and mend a claim")
        return name, how, noticed
