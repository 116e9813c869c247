"""A sequence of drawings with a slider: each frame pre-rendered for both themes, no library, no network."""

from __future__ import annotations

from locmethods.companion.build import records
from locmethods.companion.build.figures import check, leave, render, show
from locmethods.companion.build.style import THEMES


def frames(name, draws, *, labels, caption, alt, data, still=0, size=(6.4, 3.8), panels=(1, 1), parameters=None,
           seed=None):
    """Show a sequence of drawings with a slider that works offline and from the keyboard.

    Parameters
    ----------
    name, caption, alt, data, size, panels, parameters, seed
        As in `figure`.
    draws : list of callables
        One ``draw(axes)`` for each frame.
    labels : list of str
        What the slider shows beside each frame.
    still : int, default=0
        The frame for print, for citing and for a notebook.

    Raises
    ------
    ValueError
        As in `figure`, or if there are fewer than two frames, or not one label for each.
    """
    check(name, caption, alt, data)
    draws, labels = list(draws), [str(label) for label in labels]
    if len(draws) < 2 or len(labels) != len(draws):
        raise ValueError(f"there must be at least two frames and one label for each, got {len(draws)} frames "
                         f"and {len(labels)} labels")
    if not 0 <= still < len(draws):
        raise ValueError(f"still must be one of the frames, 0 to {len(draws) - 1}, got {still!r}")
    place = records.folder("figures")
    if place is not None:
        for theme in THEMES:
            for i, draw in enumerate(draws):
                records.write_whole(place / f"{name}.{i}.{theme}.svg", render(draw, name, theme, size, panels, "svg"))
            records.write_whole(place / f"{name}.{theme}.svg", render(draws[still], name, theme, size, panels, "svg"))
        leave(place, name, caption, alt, data, parameters, seed, still=draws[still], size=size, panels=panels,
              extra={"labels": labels, "still": still})
    show(name, caption, alt, render(draws[still], name, "light", size, panels, "png", ground=True))
