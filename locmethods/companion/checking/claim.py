"""A claim is a function: its docstring is the sentence, what it yields is the evidence."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from textwrap import dedent
from typing import Any

from locmethods.companion.checking.evidence import Part

KINDS = ("identity", "inequality", "limit", "order", "monotone", "capacity", "algorithm", "counter-example")
EXPECTED = "locmethods.companion.expected"
ID = re.compile(r"[A-Z]\d+")
KEY = re.compile(r"[a-z]+\d{4}[a-z]?")


@dataclass(frozen=True)
class Claim:
    """A statement of the theory, and the function that computes its evidence.

    Attributes
    ----------
    id : str
    kinds : tuple of str
        Of `KINDS`.
    sources : tuple of str
        Keys of the bibliography; empty for a short derivation of the book's own.
    function : callable
        ``function(seed=…)`` yields the parts.
    """

    id: str
    kinds: tuple
    sources: tuple
    function: object

    @property
    def stem(self):
        """The stem of the page that checks it."""
        return self.function.__module__.rpartition(".")[2]

    @property
    def sentence(self):
        """What is claimed, in Markdown: the first paragraph of the function's docstring."""
        return " ".join(inspect.getdoc(self.function).split("\n\n")[0].split())

    def parts(self, seed=0):
        """Return the evidence, computed with a seed.

        Raises
        ------
        ValueError
            If there is none, or two parts have one name.
        """
        found = list(self.function(seed=seed))
        names = [part.name for part in found]
        if not found or not all(isinstance(part, Part) for part in found):
            raise ValueError(f"{self.id} must yield parts, made by same, at_most, at_least or order; it gave {found!r}")
        if len(set(names)) < len(names):
            raise ValueError(f"the parts of {self.id} must have names of their own, got {names}")
        if "order" in self.kinds and not any(part.order for part in found):
            raise ValueError(f"{self.id} is called an order: one of its parts must measure a slope, with order")
        return found

    def source(self):
        """Return the function's source, and that of what it uses of its module and of `expected`."""
        shown = (self.function.__module__, EXPECTED)
        todo, found = [self.function], []
        while todo:
            one = todo.pop(0)
            if one in found:
                continue
            found.append(one)
            tree = ast.parse(dedent(inspect.getsource(one)))
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            todo += [value for name, value in vars(sys.modules[one.__module__]).items()
                     if name in names and inspect.isfunction(value) and value.__module__.startswith(shown)]
        return "\n\n".join(dedent(inspect.getsource(one)) for one in found)


def claim(
    name: str,
    *,
    kind: str | tuple[str, ...],
    sources: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Claim]:
    """Make a claim of a function that yields parts.

    Parameters
    ----------
    name : str
        Its id, such as "D1".
    kind : str or tuple of str
        Of `KINDS`.
    sources : tuple of str
        Keys of the bibliography; empty for a short derivation of the book's own.

    Raises
    ------
    ValueError
        If the id, a kind or a source is not of that form, or the function has no sentence.
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    if not ID.fullmatch(str(name)):
        raise ValueError(f"a claim's id must be a letter and a number, got {name!r}")
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"the kind of {name} must be of {', '.join(KINDS)}; got {kind!r}")
    if isinstance(sources, str) or not all(KEY.fullmatch(key) for key in sources):
        raise ValueError(f"the sources of {name} must be a tuple of keys such as 'cover1967', got {sources!r}")
    return partial(_claimed, name, kinds, tuple(sources))


def _claimed(name, kinds, sources, function):
    sentence = inspect.getdoc(function) or ""
    if not sentence.strip():
        raise ValueError(f"{name} must have its sentence as the docstring of {function.__name__}")
    if not sentence.split("\n\n")[0].rstrip().endswith("."):
        raise ValueError(f"the sentence of {name} must end with a full stop, got {sentence!r}")
    return Claim(name, kinds, sources, function)
