"""The list of references: by author, each under the label with which the text cites it, with its links."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle
from sphinxcontrib.bibtex.style.referencing import BracketStyle, GroupReferenceStyle, PersonStyle
from sphinxcontrib.bibtex.style.referencing.basic_author_year import BasicAuthorYearTextualReferenceStyle
from sphinxcontrib.bibtex.style.referencing.basic_label import BasicLabelParentheticalReferenceStyle

ARXIV = re.compile(r"(?:https://arxiv\.org/abs/|arXiv:)(\S+)")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def names_of(entry):
    """Return whose an entry is: one name, two, or the first of many."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    last = [" ".join(str(part) for part in (*one.rich_prelast_names, *one.rich_last_names)) for one in people]
    if len(last) > 2:
        return f"{last[0]} et al."
    return " and ".join(last) or entry.fields["title"]


class Labels(BaseLabelStyle):
    """Author and year, with a letter where two works would have the same."""

    def format_labels(self, entries):
        """Return the labels of sorted entries."""
        plain = [f"{names_of(entry)}, {entry.fields['year']}" for entry in entries]
        times, so_far, found = Counter(plain), Counter(), []
        for label in plain:
            found.append(label + (ALPHABET[so_far[label]] if times[label] > 1 else ""))
            so_far[label] += 1
        return found


class Style(Plain):
    """pybtex's plain style, sorted by author, under our labels; what arXiv has is a link that says so once."""

    default_label_style: ClassVar = Labels

    def format_entry(self, label, entry, bib_data=None):
        """Return an entry; a note that gives the number in arXiv, and its address there, become one link."""
        found = {key: ARXIV.fullmatch(entry.fields.get(key, "")) for key in ("note", "url")}
        numbers = {match[1] for match in found.values() if match}
        if numbers:
            fields = {key: value for key, value in entry.fields.items() if not found.get(key)}
            linked = type(entry)(entry.type, fields=fields | {"eprint": numbers.pop()}, persons=entry.persons)
            linked.key, entry = entry.key, linked
        return super().format_entry(label, entry, bib_data)


@dataclass
class References(GroupReferenceStyle):
    """In brackets a work's label, as the list has it; in a sentence its authors and, in brackets, its year."""

    bracket: BracketStyle = field(default_factory=BracketStyle)
    person: PersonStyle = field(default_factory=PersonStyle)

    def __post_init__(self):
        self.styles.extend([
            BasicLabelParentheticalReferenceStyle(bracket=self.bracket, pre_text_sep=" ", post_text_sep=", "),
            BasicAuthorYearTextualReferenceStyle(bracket=self.bracket, person=self.person, text_reference_sep=" ",
                                                 pre_text_sep=" ", post_text_sep=", "),
        ])
        super().__post_init__()


def register():
    """Make both known to pybtex and to sphinxcontrib-bibtex, under the name that `_config.yml` gives."""
    from pybtex.plugin import register_plugin
    from sphinxcontrib.bibtex import plugin

    register_plugin("pybtex.style.formatting", "by_author", Style)
    plugin.register_plugin("sphinxcontrib.bibtex.style.referencing", "by_author", References)
