"""How Σ K v is computed. One module chooses (`choose`), and README.md follows one query through all of them."""

from importlib import import_module

_HOME = {"forced": "choose"}
__all__ = [*_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"locmethods.engines.{_HOME[name]}"), name)
    raise AttributeError(f"module 'locmethods.engines' has no attribute {name!r}")
