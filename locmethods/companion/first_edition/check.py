"""A claim: two sides computed by different routes, a tolerance with its reason, a control that must fail."""

from __future__ import annotations

import os

import numpy as np

from locmethods.companion.build import records
from locmethods.companion.first_edition import ledger

CONTROLS = "LOCMETHODS_CONTROLS"
RELATIONS = {"==": np.abs, "<=": lambda gap: np.maximum(gap, 0), ">=": lambda gap: np.maximum(-gap, 0)}


class ClaimError(AssertionError):
    """A claim that does not hold, or whose control does."""


def claim(name, statement, left, right, *, atol=0.0, rtol=0.0, why, control, relation="=="):
    """Check a statement of the theory, print that it holds, and leave a record.

    The claim holds if ``left`` is in `relation` to ``right`` to within ``atol + rtol·|right|``, everywhere.
    With the environment variable LOCMETHODS_CONTROLS set to 1, or to a comma-separated list of ids, the
    control takes the place of the left side, so that the claim must turn red.

    Parameters
    ----------
    name : str
        The claim's id in the ledger, such as "B5".
    statement : str
        What is claimed, in a line.
    left, right : array-like, Tensor, or dict of them
        The two sides. A dict holds the named parts of a claim that says several things; every part must hold.
    atol, rtol : float or dict of float
        Tolerances; a dict gives each part its own.
    why : str
        The reason for the tolerance.
    control : array-like, tuple, callable, or dict of them
        A deliberately broken left side; a tuple (left, right) breaks both; a callable returns either. It must
        fail the same comparison.
    relation : {"==", "<=", ">="}, default="=="

    Raises
    ------
    ClaimError
        If the claim fails, or its control does not.
    ValueError
        If the id is unknown or checked twice in a chapter, a tolerance is negative, `why` is empty, the parts
        of the sides differ, or the control is not finite.
    """
    home = ledger.entry(name).chapter
    if relation not in RELATIONS:
        raise ValueError(f"relation must be one of {', '.join(map(repr, RELATIONS))}, got {relation!r}")
    for key, text in (("why", why), ("statement", statement)):
        if not (isinstance(text, str) and text.strip()):
            raise ValueError(f"{key} must be a sentence, got {text!r}")
    if records.chapter() and records.chapter() != home:
        raise ValueError(f"the ledger has {name} in the chapter {home!r}, but {records.chapter()!r} checks it")
    parts = _parts(left, right, control, atol, rtol)
    if _switched_on(name):
        parts = {key: (*_broken(name, bad, r), bad, a, t) for key, (_, r, bad, a, t) in parts.items()}
    outcome = {key: _check(name, key, statement, relation, *part) for key, part in parts.items()}
    bounds = sorted({bound for bound, _, _ in outcome.values()})
    text = ", ".join(bounds)
    line = (f"{name} holds: {statement} ({text}, control{'s' if len(parts) > 1 else ''} "
            f"fail{'' if len(parts) > 1 else 's'})")
    print(line)
    place = records.folder("claims")
    if place is not None:
        if (place / f"{name}.json").exists():
            raise ValueError(f"{name} is checked twice in the chapter {home!r}; give its parts as dicts instead")
        row, words = ledger.entry(name), {"==": "same", "<=": "at most", ">=": "at least"}
        records.write_json(place / f"{name}.json", {
            "id": name, "sentence": f"{statement}.", "chapter": home, "function": "", "source": "",
            "kinds": [ledger.KINDS[kind] for kind in row.kinds], "sources": list(row.references),
            "parts": [{"name": key or "both sides", "relation": words[relation], "bound": bound, "because": why,
                       "how": "a broken variant", "order": False, "distance": gap, "broken": bad,
                       "within": parts[key][3], "relative": parts[key][4]}
                      for key, (bound, gap, bad) in outcome.items()]})


def _switched_on(name):
    value = os.environ.get(CONTROLS, "")
    return value == "1" or name in value.split(",")


def _parts(left, right, control, atol, rtol):
    """Return {part: (left, right, control, atol, rtol)}; one part named "" when the sides are no dicts."""
    if not isinstance(left, dict):
        left, right, control = {"": left}, {"": right}, {"": control}
    for side, other in (("right", right), ("control", control)):
        if not isinstance(other, dict) or set(other) != set(left):
            raise ValueError(f"{side} must be a dict with the parts {sorted(left)}, got "
                             f"{sorted(other) if isinstance(other, dict) else type(other).__name__}")
    found = {}
    for key in left:
        tolerances = [t[key] if isinstance(t, dict) else t for t in (atol, rtol)]
        if not all(t >= 0 for t in tolerances):
            raise ValueError(f"tolerances must not be negative, got atol={tolerances[0]!r}, rtol={tolerances[1]!r}")
        found[key] = (left[key], right[key], control[key], *map(float, tolerances))
    return found


def _numbers(value):
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    return value.astype(float) if value.dtype == bool else value


def _broken(name, control, right):
    """Return the control's two sides."""
    control = control() if callable(control) else control
    left, right = control if isinstance(control, tuple) else (control, right)
    if not np.all(np.isfinite(_numbers(left))) or not np.all(np.isfinite(_numbers(right))):
        raise ValueError(f"the control of {name} must be a finite broken variant, got NaN or infinity")
    return left, right


def _distance(left, right, relation, atol, rtol):
    """Return the greatest excess over the tolerance, the greatest distance, and where it is."""
    left, right = _numbers(left), _numbers(right)
    if right.ndim and left.shape != right.shape:
        raise ClaimError(f"the two sides have shapes {left.shape} and {right.shape}")
    if left.size == 0:
        raise ClaimError("the two sides are empty")
    gap = RELATIONS[relation](left - right)
    excess = np.where(np.isnan(gap), np.inf, gap - atol - rtol * np.abs(right))
    at = np.unravel_index(np.argmax(excess), excess.shape)
    return float(excess[at]), float(gap[at]), tuple(map(int, at))


def _check(name, key, statement, relation, left, right, control, atol, rtol):
    """Return the tolerance in words, the distance and the control's distance, or raise ClaimError."""
    part = f", part {key!r}" if key else ""
    try:
        excess, gap, at = _distance(left, right, relation, atol, rtol)
    except ClaimError as error:
        raise ClaimError(f"{name}{part}: {statement}: {error}") from None
    bound = " + ".join([f"{atol:.3g}"] * (atol > 0 or rtol == 0) + [f"{rtol:.3g} relative"] * (rtol > 0))
    if excess > 0:
        raise ClaimError(f"{name}{part} fails: {statement}: left {relation} right is violated by {gap:.6g} at {at}, "
                         f"the tolerance is {bound}")
    bad_excess, bad_gap, _ = _distance(*_broken(name, control, right), relation, atol, rtol)
    if not bad_excess > 0:
        raise ClaimError(f"the control of {name}{part} passes (distance {bad_gap:.6g}, tolerance {bound}): "
                         "a check that cannot fail")
    return (f"within {bound}" if atol or rtol else "exactly"), gap, bad_gap
