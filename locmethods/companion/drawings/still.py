"""What a figure is made of on a page that has no run of its own."""

from __future__ import annotations

from typing import NamedTuple


class Drawing(NamedTuple):
    """A figure that the site's build draws: ``data(source)`` gives its columns, ``draw(axes, table)`` draws them.

    `size` and `narrow`, as `figure` takes them, may be functions of the table: a list is as long as what it lists.
    """

    name: str
    draw: object
    data: object
    size: object
    panels: tuple
    narrow: object
    caption: str
    alt: str

    def sizes(self, table):
        """Return `size` and `narrow` of the drawing of a table."""
        return tuple(one(table) if callable(one) else one for one in (self.size, self.narrow))
