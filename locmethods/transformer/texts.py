"""Texts as what a model takes: characters numbered by their place in a string of all that may come."""

from __future__ import annotations

import numpy as np


def check_text(name, text, least=2):
    """Raise unless `text` is a string of at least so many characters."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {type(text).__name__}")
    if len(text) < least:
        raise ValueError(f"{name} must have at least {least} character{'s' * (least > 1)}, got {len(text)}")


def known_characters(characters, text):
    """Return the characters that may come, each once: those given, in their order, or those of the text, sorted."""
    if characters is None:
        return "".join(sorted(set(text)))
    check_text("characters", characters, least=1)
    if len(set(characters)) < len(characters):
        twice = sorted({one for one in characters if characters.count(one) > 1})
        raise ValueError(f"characters must name each character once, got {''.join(twice)!r} more than once")
    return characters


def as_codes(name, text, characters):
    """Return the places of a text's characters among those that may come, of shape (n,).

    Raises
    ------
    ValueError
        If there are others.
    """
    place = {one: code for code, one in enumerate(characters)}
    unknown = sorted(set(text) - set(place))
    if unknown:
        raise ValueError(f"{name} must have no other characters than those of the fitted text, got "
                         f"{''.join(unknown)!r}")
    return np.fromiter(map(place.get, text), dtype=np.int64, count=len(text))
