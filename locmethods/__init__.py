"""Local means, the localization trick and local models. Importing this imports neither torch nor matplotlib."""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "local_mean": "means",
    "local_sum": "means",
    "local_moments": "means",
    "local_quantile": "means",
    "local_mode": "means",
    "local_weights": "means",
}
_ROOMS = ("kernels", "means")
__all__ = ["__version__", *_HOME, *_ROOMS]


def __getattr__(name):
    if name in _ROOMS:
        return import_module(f"locmethods.{name}")
    if name in _HOME:
        return getattr(import_module(f"locmethods.{_HOME[name]}"), name)
    raise AttributeError(f"module 'locmethods' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
