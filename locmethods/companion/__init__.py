"""What makes the book a companion: claims that can fail, figures that can be cited, data, and the run."""

from importlib import import_module

_HOME = {
    "check": "checking.check", "claim": "checking.claim", "ClaimError": "checking.evidence",
    "same": "checking.evidence", "at_most": "checking.evidence", "at_least": "checking.evidence",
    "order": "checking.evidence", "trained": "checkpoints", "figure": "build.figures", "frames": "build.sliders",
    "hand_over": "build.handed",
}
_ROOMS = ("datasets", "drawings", "pictures")
__all__ = [*_HOME, *_ROOMS]


def __getattr__(name):
    if name in _ROOMS:
        return import_module(f"locmethods.companion.{name}")
    if name in _HOME:
        return getattr(import_module(f"locmethods.companion.{_HOME[name]}"), name)
    raise AttributeError(f"module 'locmethods.companion' has no attribute {name!r}")
