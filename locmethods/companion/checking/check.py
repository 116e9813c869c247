"""Check a claim on a page: print one line, leave a record from which the card and the ledger are made."""

from __future__ import annotations

import os
from dataclasses import replace

from locmethods.companion import claims
from locmethods.companion.build import records
from locmethods.companion.checking.evidence import ClaimError

CONTROLS = "LOCMETHODS_CONTROLS"


def check(name: str, *, seed: int = 0) -> None:
    """Check a claim, show that it holds, and leave a record.

    A claim holds if every part of it does and none of its broken twins does. With the environment variable
    LOCMETHODS_CONTROLS set to 1, or to a comma-separated list of ids, the broken twins take the place of the left
    sides, so that the claim must turn red.

    Parameters
    ----------
    name : str
        The claim's id, such as "D1".
    seed : int, default=0
        What the evidence is computed with.

    Raises
    ------
    ClaimError
        If the claim fails, or a broken twin does not.
    ValueError
        If the page has no such claim, or has checked it already.
    """
    one = find(name)
    parts = one.parts(seed)
    if os.environ.get(CONTROLS, "") == "1" or name in os.environ.get(CONTROLS, "").split(","):
        parts = [replace(part, left=part.broken[0], right=part.broken[1]) for part in parts]
    outcomes = [judge(one, part) for part in parts]
    line = f"{name} holds: {one.sentence.rstrip('.')} ({in_words(parts)})"
    place = records.folder("claims")
    if place is not None:
        if (place / f"{name}.json").exists():
            raise ValueError(f"{name} is checked twice on the page {one.stem!r}")
        records.write_json(place / f"{name}.json", record(one, parts, outcomes))
    show(one, parts, line)


def find(name):
    """Return the claim of this id: of the page that is being run, or in a reader's own session of any page.

    Raises
    ------
    ValueError
        If there is none.
    """
    stems = [records.chapter()] if records.chapter() else claims.stems()
    known = [one for stem in stems for one in claims.of(stem)]
    found = next((one for one in known if one.id == name), None)
    if found is None:
        where = f"the page {stems[0]}" if records.chapter() else "the book"
        raise ValueError(f"{where} has the claims {', '.join(one.id for one in known)}; got {name!r}")
    return found


def judge(one, part):
    """Return (distance, the broken twin's distance) of a part.

    Raises
    ------
    ClaimError
        If the part fails, or its broken twin does not.
    """
    where = f"{one.id}, {part.name}"
    try:
        excess, gap, at = part.distance()
    except ClaimError as error:
        raise ClaimError(f"{where}: {error}") from None
    if excess > 0:
        raise ClaimError(f"{where} fails: {one.sentence} The sides should be {part.relation}; they miss it by "
                         f"{gap:.6g} at {at}, and {part.bound} is allowed")
    bad_excess, bad_gap, _ = part.distance(part.broken)
    if not bad_excess > 0:
        raise ClaimError(f"the broken twin of {where} passes with {part.how}: its distance is {bad_gap:.6g}, and "
                         f"{part.bound} is allowed. A check that cannot fail is none")
    return gap, bad_gap


def in_words(parts):
    """Return the bounds and the ways of breaking, each once."""
    bounds = ", ".join(dict.fromkeys(part.bound for part in parts))
    ways = " or ".join(dict.fromkeys(f"with {part.how}" for part in parts))
    return f"{bounds}; {ways} it fails"


def record(one, parts, outcomes):
    """Return what the card and the ledger are made of."""
    return {
        "id": one.id, "chapter": one.stem, "sentence": one.sentence, "kinds": list(one.kinds),
        "sources": list(one.sources), "function": one.function.__name__, "source": one.source(),
        "parts": [{"name": part.name, "relation": part.relation, "bound": part.bound, "because": part.because,
                   "how": part.how, "order": part.order, "within": part.within, "relative": part.relative,
                   "distance": gap, "broken": bad} for part, (gap, bad) in zip(parts, outcomes, strict=True)]}


def show(one, parts, line):
    """Display the line, and in a notebook the sentence with its bounds and its broken twins."""
    from IPython.display import publish_display_data

    rows = [f"- {part.name}: {part.bound}, since {part.because}; it fails with {part.how}" for part in parts]
    publish_display_data({"text/plain": line, "text/markdown": "\n".join([f"**{one.id}** {one.sentence}", "", *rows])},
                         {"locmethods": {"claim": one.id}})
