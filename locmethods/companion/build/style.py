"""How figures look: one style, drawn for a light ground and coloured again for a dark one."""

from __future__ import annotations

import re

# Hues that stay apart for colour-blind readers; each reaches 3:1 on its own ground.
_LIGHT = {"ink": "#24292f", "faint": "#8a9099", "ground": "#ffffff",
          "cycle": ["#0067a5", "#c4500a", "#00785a", "#a0437c", "#6b57b8", "#7a6400"]}
_DARK = {"ink": "#e3e6ea", "faint": "#8b929c", "ground": "#14181e",
         "cycle": ["#5bb6f0", "#ff9d52", "#43d0a0", "#f09fcb", "#b8a8f5", "#e0cd52"]}
GROUND, DARK_GROUND = _LIGHT["ground"], _DARK["ground"]


def _pairs():
    """Return {colour of the light theme: what it is in the dark one}."""
    names = [name for name in _LIGHT if name != "cycle"]
    light, dark = ([theme[name] for name in names] + theme["cycle"] for theme in (_LIGHT, _DARK))
    return dict(zip(light, dark, strict=True))


PAIRS = _pairs()
_COLOUR = re.compile("|".join(PAIRS).encode())


def darkened(svg):
    """Return the bytes of an SVG of the light theme in the dark theme's colours; other colours stay what they are."""
    return _COLOUR.sub(lambda found: PAIRS[found.group().decode()].encode(), svg)


def settings(name, dark=False):
    """Return matplotlib's settings, starting from its defaults, so no user's file shows through.

    Parameters
    ----------
    name : str
        The figure's name: it seeds the identifiers in the SVG, which are random otherwise.
    dark : bool, default=False
        In the dark theme's colours: for pictures of pixels, since an SVG is `darkened`.
    """
    import matplotlib
    from cycler import cycler

    colours = _DARK if dark else _LIGHT
    lines = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
    # matplotlib's defaults hold the backend, which a drawing has no business to change.
    base = {key: value for key, value in matplotlib.rcParamsDefault.items() if "backend" not in key}
    return base | {
        "figure.dpi": 150, "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11, "legend.fontsize": 10,
        "xtick.labelsize": 10, "ytick.labelsize": 10, "figure.constrained_layout.use": True,
        "text.color": colours["ink"], "axes.labelcolor": colours["ink"], "axes.edgecolor": colours["faint"],
        "xtick.color": colours["ink"], "ytick.color": colours["ink"], "axes.titlecolor": colours["ink"],
        "axes.prop_cycle": cycler(color=colours["cycle"]) + cycler(linestyle=lines),
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": colours["faint"],
        "grid.alpha": 0.25, "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 2.0,
        "legend.frameon": False, "legend.handlelength": 2.6, "figure.facecolor": "none", "axes.facecolor": "none",
        "savefig.facecolor": "none", "savefig.edgecolor": "none", "svg.hashsalt": f"locmethods/{name}",
        "svg.fonttype": "path", "pdf.fonttype": 42, "image.cmap": "gray", "patch.edgecolor": colours["ink"],
    }
