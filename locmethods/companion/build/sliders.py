"""A sequence of drawings with a slider: each frame saved for both themes and widths, no library, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from locmethods.companion.build import records
from locmethods.companion.build.archive import zipped
from locmethods.companion.build.figures import (
    SHARP,
    Table,
    as_csv,
    check,
    check_drawn,
    drawn,
    layouts_of,
    leave,
    leave_variants,
    saved,
    show,
    stacked,
    variants,
)


def frames(
    name: str,
    draw: Callable[..., Any],
    *,
    moves: str,
    labels: Sequence[str],
    caption: str,
    alt: str,
    data: Mapping[str, ArrayLike],
    still: int = 0,
    size: tuple[float, float] = (6.4, 3.8),
    panels: tuple[int, int] = (1, 1),
    narrow: tuple[tuple[float, float], tuple[int, int]] | None = None,
    parameters: dict[str, Any] | None = None,
    seed: int | None = None,
) -> None:
    """Show a sequence of drawings with a slider that works offline and from the keyboard.

    Parameters
    ----------
    name, caption, alt, data, size, panels, narrow, parameters, seed
        As in `figure`.
    draw : callable
        ``draw(axes, table, number)`` draws the frame of that number, counted from zero.
    moves : str
        What the slider moves, in a word or two: its name for who does not see it.
    labels : list of str
        What the slider shows beside each frame.
    still : int, default=0
        The frame for print, for citing and for a notebook.

    Raises
    ------
    ValueError
        As in `figure`, or if there are fewer than two frames.
    """
    check(name, caption, alt, data)
    labels = [str(label) for label in labels]
    if len(labels) < 2:
        raise ValueError(f"there must be at least two frames and a label for each, got the labels {labels}")
    if not 0 <= still < len(labels):
        raise ValueError(f"still must be one of the frames, 0 to {len(labels) - 1}, got {still!r}")
    if not (isinstance(moves, str) and moves.strip()):
        raise ValueError(f"moves must name what the slider moves, got {moves!r}")
    table, layouts = Table(as_csv(data)), layouts_of(size, panels, narrow)
    draws = [partial(draw, number=number) for number in range(len(labels))]
    place = records.folder("figures")
    # Each frame is drawn before anything is written: what no frame shows is refused.
    wide = [drawn(one, table, name, layouts[""]) for one in draws]
    check_drawn(name, table)
    if place is not None:
        dark = [drawn(one, table, name, layouts[""], dark=True) for one in draws]
        taken: dict[str, bytes] = {}
        for number, one in enumerate(draws):
            canvases = {"": wide[number], ".narrow": drawn(one, table, name, layouts[".narrow"])}
            pictures = variants(f"{name}.{number}", canvases)
            leave_variants(place, f"{name}.{number}", pictures)
            if number == still:
                leave_variants(place, name, pictures)
            taken |= to_take(f"{name}.{number}", pictures, wide[number], dark[number])
        leave(place, records.chapter(), name, caption, alt, table, canvas=wide[still], dark=dark[still],
              more={f"{name}.frames.zip": zipped(taken)},
              extra={"labels": labels, "still": still, "moves": moves, "parameters": parameters or {}, "seed": seed,
                     "stacked": stacked(layouts)})
    show(name, caption, alt, saved(wide[still], name, "png", ground=True))


def to_take(name, pictures, light, dark):
    """Return {file: bytes} of a frame for both grounds, as SVG and as pixels."""
    return {f"{name}.light.svg": pictures[".light.svg"], f"{name}.dark.svg": pictures[".dark.svg"],
            f"{name}.light.png": saved(light, name, "png", ground=True, dpi=SHARP),
            f"{name}.dark.png": saved(dark, name, "png", ground=True, dpi=SHARP, dark=True)}
