"""What a live picture computes with and its drawing does not show, handed from a chapter's run to the site."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import ArrayLike

from locmethods.companion.build import records


def hand_over(name: str, **arrays: ArrayLike) -> None:
    """Leave arrays beside a figure's record, for the live piece that takes the place of its drawing.

    Parameters
    ----------
    name : str
        A figure that the chapter has left.
    **arrays
        Whole, to the last digit; `{live-pictures}` says which it asks for.

    Raises
    ------
    ValueError
        If the chapter has left no such figure.
    """
    place = records.folder("figures")
    if place is None:
        return
    if not (place / f"{name}.json").exists():
        raise ValueError(f"arrays are handed over for a figure that the chapter has left, got {name!r}")
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **{key: np.asarray(array) for key, array in arrays.items()})
    records.write_whole(place / f"{name}.npz", out.getvalue())


def handed_over(place, name):
    """Return {name: array} of what was handed over for a figure whose record lies in `place`, or {} of nothing."""
    file = place / f"{name}.npz"
    if not file.exists():
        return {}
    with np.load(file) as arrays:
        return dict(arrays)
