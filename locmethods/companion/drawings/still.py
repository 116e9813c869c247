"""What a figure is made of on a page that has no run of its own."""

from __future__ import annotations

from typing import NamedTuple


class Drawing(NamedTuple):
    """A figure that the site's build draws: ``data(source)`` gives its columns, ``draw(axes, table)`` draws them."""

    name: str
    draw: object
    data: object
    size: tuple
    panels: tuple
    narrow: tuple
    caption: str
    alt: str
