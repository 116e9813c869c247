"""Break what a page presents, one thing at a time, and see which of its claims turns red.

What a page presents are the public functions, estimators and kernels that its cells use. A function's answer is shifted
by a tenth of its size, or its rows are reversed (a single number is halved, a text read backwards); of an estimator the
methods and fitted attributes that the page uses are, and so is what a class computes where it is made by a method of
its own; a kernel, and one that is an answer, is made wider by a tenth. A claim has noticed when one of its parts is out
of bounds; an error of another kind does not count. What nobody notices could be wrong without the book's saying so.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
from contextlib import ExitStack
from importlib import import_module
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from scipy.sparse import issparse

import locmethods
from locmethods.companion import claims
from locmethods.companion.build import pages
from locmethods.companion.checking.evidence import ClaimError
from locmethods.kernels import Kernel

# What answers in words, or is a part of a kernel that one writes oneself.
EXEMPT = {"explain": "it answers in words", "sentences": "it answers in words", "head_kinds": "it answers in words",
          "save": "it answers nothing, and what it wrote is read again",
          "Radial": "it is what a kernel of one's own is made of",
          "root": "it is what a kernel of one's own is made of"}
READERS = ("from_torch", "load", "minilm")  # makers that compute nothing: what they make is broken by its methods
WIDTHS = {"bandwidth": 1.1, "radius": 1.1, "temperature": 1.1, "power": 1.1, "n_neighbors": None, "degree": None}


class Break(NamedTuple):
    """One thing that is broken: the name by which the page calls it, how, and what to replace on which object."""

    name: str
    how: str
    places: tuple
    attribute: str
    broken: object


class Finding(NamedTuple):
    """What was broken, how, and the id of the claim that noticed, or "" if none did."""

    name: str
    how: str
    noticed: str


def sabotage(page):
    """Break what a page presents, one at a time; return the findings.

    Parameters
    ----------
    page : path
        A chapter.
    """
    known = claims.of(page.stem)
    return [Finding(one.name, one.how, noticed_by(one, known)) for one in breaks(page)]


def noticed_by(one, known):
    """Return the id of the first claim that turns red under a break, those first that name what is broken."""
    word = one.name.split(".")[0]
    ordered = sorted(known, key=lambda claim: word not in claim.source())
    for claim in ordered:
        with ExitStack() as stack:
            for place in one.places:
                stack.enter_context(patch.object(place, one.attribute, one.broken, create=True))
            if is_red(claim):
                return claim.id
    return ""


def is_red(claim):
    """Return True if a part of the claim is out of bounds; broken twins are not looked at."""
    try:
        for part in claim.function(seed=0):
            if part.distance()[0] > 0:
                return True
    except ClaimError:
        return True
    except Exception:  # the claim could not be computed: nothing was compared
        return False
    return False


def breaks(page):
    """Return every break of what the page's cells use."""
    tree = ast.parse("\n".join(cell.source for cell in pages.code_cells(pages.read(page))))
    used = attributes_of(tree, presented(tree))
    module = import_module(f"{claims.__name__}.{page.stem}")
    found = []
    for name, value in presented(tree).items():
        if name in EXEMPT:
            continue
        if inspect.isclass(value) and issubclass(value, Kernel):
            found.append(Break(name, "a tenth wider", (value,), "bind", widened(value)))
        elif inspect.isclass(value):
            found += of_estimator(name, value, used[name])
        else:
            for how, spoil in SPOILS.items():
                found.append(Break(name, how, homes(name, value, module), name, answering(value, spoil)))
    return found


def presented(tree):
    """Return {name: object} of what code uses of the package, the companion aside."""
    found, aliases = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names
                        if alias.name.split(".")[0] == "locmethods"}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "locmethods":
            if node.module.startswith("locmethods.companion"):
                continue
            for alias in node.names:
                value = getattr(import_module(node.module), alias.name)
                if inspect.ismodule(value):
                    aliases[alias.asname or alias.name] = value.__name__
                else:
                    found[alias.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner.split(".")[0] in aliases:
                full = ".".join([aliases[owner.split(".")[0]], *owner.split(".")[1:]])
                if full in sys.modules and not full.startswith("locmethods.companion"):
                    found[node.attr] = getattr(sys.modules[full], node.attr)
    return {name: value for name, value in sorted(found.items()) if callable(value)}


def attributes_of(tree, known):
    """Return {name: the attributes that code uses of what it makes}; whose maker can't be told counts for all.

    Parameters
    ----------
    known : dict of str to object
        The functions and classes that may be makers.
    """
    made = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            made.setdefault(node.targets[0].id, set()).add(maker(node.value, known))
    used = {name: set() for name in known}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            root = maker(node.value, known)
            for name in made.get(root, {root}) & set(known) or known:
                used[name].add(node.attr)
    return used


def maker(node, known):
    """Return the name at the root of a chain of calls and attributes: a known one, if such a name stands in it."""
    while True:
        if isinstance(node, ast.Attribute) and node.attr in known:
            return node.attr
        if isinstance(node, ast.Name):
            return node.id
        node = getattr(node, "func", None) or getattr(node, "value", None)
        if not isinstance(node, ast.AST):
            return ""


def homes(name, value, module):
    """Return the modules in which a page or a claim finds a function: the package's door, its room, the claims."""
    rooms = [room for key, room in sys.modules.items() if key.startswith("locmethods.") and "companion" not in key
             and key.count(".") == 1 and vars(room).get(name) is value]
    return (locmethods, *rooms, *([module] if vars(module).get(name) is value else []))


def shifted(array):
    """Return numbers moved by a tenth of the largest, labels by one."""
    if array.dtype.kind in "iub":
        return array + array.dtype.type(1) if array.dtype.kind != "b" else ~array
    largest = np.max(np.abs(array), where=np.isfinite(array), initial=0.0)
    return array + array.dtype.type(0.1 * (largest or 1.0))


def reversed_rows(array):
    """Return an array with its rows in the opposite order; half of a single number."""
    return array[::-1].copy() if array.ndim else array / 2


def spoilt_text(text, spoil):
    """Return a text whose characters are each the next one, or that reads backwards."""
    return text[::-1] if spoil is reversed_rows else "".join(chr(ord(one) + 1) for one in text)


SPOILS = {"its answer shifted": shifted, "its rows reversed": reversed_rows}


def spoilt(answer, spoil):
    """Return an answer with its arrays spoilt: those of a tuple too; a function answers spoilt from now on.

    A kernel becomes a tenth wider, however arrays are spoilt.
    """
    if isinstance(answer, Kernel):
        return spoilt_object(answer, shifted) if numbers_of(answer) else answer.on(lambda points: points / 1.1)
    if isinstance(answer, np.ndarray) and answer.dtype.kind in "biuf":
        return spoil(answer)
    if issparse(answer):
        return type(answer)(spoil(answer.toarray()))
    if isinstance(answer, str):
        return spoilt_text(answer, spoil)
    if isinstance(answer, float | np.floating):
        return type(answer)(spoil(np.asarray(float(answer))))
    if hasattr(answer, "detach"):
        return answer.flip(0) if spoil is reversed_rows and answer.ndim else answer + 0.1 * answer.detach().abs().max()
    if isinstance(answer, tuple | list):  # a word among numbers is a name: it stays
        parts = [part if isinstance(part, str) else spoilt(part, spoil) for part in answer]
        return type(answer)(*parts) if hasattr(answer, "_fields") else type(answer)(parts)
    if hasattr(answer, "state_dict"):  # a module of torch: callable, but its methods are what a page asks
        return spoilt_object(answer, spoil)
    if inspect.isroutine(answer) or (callable(answer) and not isinstance(answer, Kernel | type)):
        return answering(answer, spoil)
    if type(answer).__module__.startswith(("locmethods.", "sklearn.")) and hasattr(answer, "__dict__"):
        return spoilt_object(answer, spoil)
    return answer


def spoilt_object(answer, spoil):
    """Return an object, ours or a fitted one of scikit-learn's, with its public numbers spoilt.

    One that has none answers spoilt.
    """
    changed = copy.copy(answer)
    methods = {name: value for name in dir(answer)
               if not name.startswith("_") and inspect.ismethod(value := getattr(answer, name))}
    for name, value in (numbers_of(answer) or methods).items():
        vars(changed)[name] = spoilt(value, spoil)
    return changed


def numbers_of(answer):
    """Return the public numbers and arrays of an object by name."""
    return {name: value for name, value in vars(answer).items()
            if not name.startswith("_") and (hasattr(value, "dtype") or isinstance(value, float))}


def answering(function, spoil):
    """Return a function that answers as the given one does, spoilt.

    A count is spoilt where it is the whole answer; one that is part of an answer may be a place, of which a claim would
    not get as far as to compare anything.
    """
    def broken(*args, **options):
        answer = function(*args, **options)
        if isinstance(answer, int) and not isinstance(answer, bool):
            return int(spoil(np.asarray(answer)))
        return spoilt(answer, spoil)

    return broken


def of_estimator(name, value, used):
    """Return the breaks of an estimator: of the methods, the makers and the fitted attributes that the page uses.

    A module of torch is used by calling it, which asks its ``forward``; what it has from torch is not ours.
    """
    found = []
    for attribute in sorted(used | {"forward"}):
        method = inspect.getattr_static(value, attribute, None)
        if attribute in EXEMPT or getattr(method, "__module__", "").startswith("torch."):
            continue
        if inspect.isfunction(method) and attribute not in ("fit", "set_params", "get_params"):
            for how, spoil in SPOILS.items():
                found.append(Break(f"{name}.{attribute}", how, (value,), attribute, answering(method, spoil)))
        elif isinstance(method, classmethod) and attribute not in READERS:
            for how, spoil in SPOILS.items():
                broken = classmethod(answering(method.__func__, spoil))
                found.append(Break(f"{name}.{attribute}", how, (value,), attribute, broken))
        elif attribute.endswith("_") and attribute in (value.__doc__ or ""):
            for how, spoil in SPOILS.items():
                found.append(Break(f"{name}.{attribute}", how, (value,), "fit", fitting(value.fit, attribute, spoil)))
    return found


def fitting(fit, attribute, spoil):
    """Return a fit that leaves one attribute spoilt."""
    def broken(self, *args, **options):
        fitted = fit(self, *args, **options)
        if hasattr(fitted, attribute):
            setattr(fitted, attribute, spoilt(getattr(fitted, attribute), spoil))
        return fitted

    return broken


def widened(kernel):
    """Return the ``bind`` of a kernel class whose width is a tenth more; a count grows by one."""
    bind = kernel.bind

    def broken(self, query, keys, **options):
        wide = copy.copy(self)
        width = next((name for name in WIDTHS if name in self.get_params(deep=False)), None)
        if width is None:
            return bind(wide, 1.1 * query, keys, **options)
        factor = WIDTHS[width]
        value = getattr(self, width)
        setattr(wide, width, value + 1 if factor is None else factor * value)
        return bind(wide, query, keys, **options)

    return broken
