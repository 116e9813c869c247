"""The lists that nobody keeps by hand: the chapters with their questions, and the public names of the package."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from locmethods.companion.build import pages
from locmethods.companion.build.pages import BookError
from locmethods.companion.build.records import write_whole

BEGIN, END = "<!-- the chapters: written by make readme -->\n", "<!-- end of the chapters -->\n"
# A class's own operators are shown where they have words of their own.
OPERATORS = ("__call__", "__add__", "__mul__")


class About(NamedTuple):
    """What a chapter says of itself: its heading, and its question and surprise in a line each."""

    stem: str
    title: str
    question: str
    surprise: str


def said(page):
    """Return what a page says of itself: what its front matter holds under ``chapter:``, nothing by default.

    Raises
    ------
    BookError
        If its front matter is no YAML.
    """
    head = re.match(r"---\n(.*?)\n---\n", Path(page).read_text(), re.DOTALL)
    matter = pages.load_yaml(head[1], f"the front matter of {pages.name_of(page)}") if head else {}
    found = matter.get("chapter") if isinstance(matter, dict) else None
    return found if isinstance(found, dict) else {}


def about(page):
    """Return what a chapter says of itself.

    Raises
    ------
    BookError
        If its front matter lacks the question or the surprise, or it has no heading.
    """
    text, name = Path(page).read_text(), pages.name_of(page)
    found = said(page)
    lines = [found.get(key) for key in ("question", "surprise")]
    if not all(isinstance(line, str) and line.strip() for line in lines):
        raise BookError(f"{name} must say in its front matter, under chapter:, its question and its surprise")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    if not title:
        raise BookError(f"{name} must have a heading, # and its title")
    return About(page.stem, title[1], *(" ".join(line.split()) for line in lines))


def chapters(root):
    """Return what the chapters say of themselves, in the order of the book."""
    return [about(page) for page in pages.chapters(root)]


def chapter_map(root):
    """Return the intro's map: the chapters' questions and surprises as a table in Markdown."""
    rows = [f"| {{doc}}`{one.stem}` | {one.question} | {one.surprise} |" for one in chapters(root)]
    return "\n".join(["| chapter | question | the surprise |", "|---|---|---|", *rows])


def ranges(names):
    """Return claims' ids as a reader writes them: A6, A7, A8 and A10 as "A6–A8, A10"."""
    runs = []
    for name in names:
        letter, number = name[0], int(name[1:])
        if runs and runs[-1][-1] == (letter, number - 1):
            runs[-1].append((letter, number))
        else:
            runs.append([(letter, number)])
    ends = [[f"{letter}{number}" for letter, number in (run[0], run[-1])] for run in runs]
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in ends)


def readme_table(root):
    """Return the README's table of chapters: title, question, and which claims it checks."""
    from locmethods.companion import claims

    rows = []
    for one in chapters(root):
        ids = sorted((claim.id for claim in claims.of(one.stem)), key=lambda name: (name[0], int(name[1:])))
        rows.append(f"| {one.title} | {one.question} | {ranges(ids)} |\n")
    return "| chapter | question | checks |\n|---|---|---|\n" + "".join(rows)


def readme(root):
    """Return the README as it must be: with the table of the chapters as they are.

    Raises
    ------
    BookError
        If README.md lacks the two lines between which the table stands.
    """
    text = (Path(root) / "README.md").read_text()
    if BEGIN not in text or END not in text:
        raise BookError(f"README.md must have the lines {BEGIN.strip()} and {END.strip()}, the table between them")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + readme_table(root) + END + rest.partition(END)[2]


def write_readme(root):
    """Write the README with its table as it must be."""
    write_whole(Path(root) / "README.md", readme(root))


def door_types(package):
    """Return the stub of a package whose names are loaded when they are used: where a type checker finds each of them.

    Parameters
    ----------
    package : module
    """
    home, found = package.__name__, []
    for name in package.__all__:
        one = getattr(package, name)
        if inspect.ismodule(one):
            found.append((home, True, name))
        elif callable(one):
            found.append((one.__module__, not inspect.isclass(one), name))
    lines = "".join(f"from {module} import {name} as {name}\n" for module, _, name in sorted(found))
    return (f"# Where the names of {home}/__init__.py live, for type checkers: written by make readme.\n\n{lines}\n"
            "__version__: str\n")


def write_door(root):
    """Write the stub of the package's door as it must be."""
    import locmethods

    write_whole(Path(root) / "locmethods" / "__init__.pyi", door_types(locmethods))


def rooms(package, stems):
    """Return {module: public objects} of a package whose names are loaded when they are used.

    They are the names of the package's ``__all__``, and what stands in the ``__all__`` of the modules that are among
    them or are home to one of them. Nothing stands twice.

    Parameters
    ----------
    package : module
    stems : sequence of str
        The modules that come first, in this order.
    """
    named = [getattr(package, name) for name in package.__all__]
    modules = [one for one in named if inspect.ismodule(one)]
    order = {f"{package.__name__}.{stem}": place for place, stem in enumerate(stems)}
    modules.sort(key=lambda module: order.get(module.__name__, len(order)))
    homes = [(import_module(one.__module__), one) for one in named if _is_ours(one, package)]
    listed = [(module, getattr(module, name)) for module in dict.fromkeys([*modules, *(home for home, _ in homes)])
              for name in getattr(module, "__all__", ())] + homes
    found, seen = {}, set()
    for module, one in listed:
        if _is_ours(one, package) and path_of(one) not in seen:
            seen.add(path_of(one))
            found.setdefault(module, []).append(one)
    return found


def _is_ours(one, package):
    """Return True for a function or class that the package defines."""
    return callable(one) and getattr(one, "__module__", "").startswith(f"{package.__name__}.")


def path_of(one):
    """Return where an object lives, dotted."""
    return f"{one.__module__}.{one.__qualname__}"


def members(one):
    """Return the names of what a class adds to its bases and has words for."""
    inherited = {name for base in one.__mro__[1:] for name in vars(base)}
    return [
        name for name, value in vars(one).items()
        if ((not name.startswith("_") and name not in inherited) or name in OPERATORS)
        and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod))
        and (inspect.getdoc(value) or "").strip() and not name.endswith("_request")]


def api(package, stems):
    """Return the API page's text, in MyST: a section for each module, each name documented where it lives."""
    text = []
    for module, objects in rooms(package, stems).items():
        text += [f"## `{module.__name__}`", "", "```{eval-rst}", f".. automodule:: {module.__name__}", ""]
        for one in objects:
            is_class = inspect.isclass(one)
            text.append(f".. {'autoclass' if is_class else 'autofunction'}:: {path_of(one)}")
            names = members(one) if is_class else []
            text += [f"   :members: {', '.join(names)}"] if names else []
            special = [name for name in names if name in OPERATORS]
            text += [f"   :special-members: {', '.join(special)}"] if special else []
            text.append("")
        text += ["```", ""]
    return "\n".join(text)
