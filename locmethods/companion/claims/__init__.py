"""What the pages check: a module a page, a function a claim.

`of` returns the claims of a page, in the order in which its module defines them. Modules are loaded when they are
asked for: a page depends on its own claims and on no other page's.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

# "When to use what" is for practitioners: it presents the whole package, of which each part is checked on its own page.
WITHOUT = ("choosing",)


def __getattr__(name):
    if find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def stems():
    """Return the stems of the pages that have claims, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def of(stem):
    """Return the claims of a page; none of one that is in `WITHOUT`.

    Raises
    ------
    ValueError
        If no module has them, or an id stands twice in it.
    """
    from locmethods.companion.checking.claim import Claim

    if stem in WITHOUT:
        return []
    if stem not in stems():
        raise ValueError(f"claims are made by the pages {', '.join(stems())}; got {stem!r}")
    found = [value for value in vars(import_module(f"{__name__}.{stem}")).values() if isinstance(value, Claim)]
    ids = [one.id for one in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"claims/{stem}.py has {', '.join(twice)} more than once")
    return found
