"""The kernels by name, what a kernel of one's own is made of, and how kernels combine.

Each kernel is its formula; ``a * b``, ``a + b``, ``c * a``, ``a.on(features)``, ``a.hollow()`` and ``a.where(mask)``
combine them, and the engines sum them. What is public here is what its modules name in their ``__all__``.
"""

from locmethods.kernels import algebra, balloon, base, bound, columns, inner, levels, radial, rank, singular
from locmethods.kernels.algebra import *  # noqa: F403
from locmethods.kernels.balloon import *  # noqa: F403
from locmethods.kernels.base import *  # noqa: F403
from locmethods.kernels.bound import *  # noqa: F403
from locmethods.kernels.columns import *  # noqa: F403
from locmethods.kernels.inner import *  # noqa: F403
from locmethods.kernels.levels import *  # noqa: F403
from locmethods.kernels.radial import *  # noqa: F403
from locmethods.kernels.rank import *  # noqa: F403
from locmethods.kernels.singular import *  # noqa: F403

_MODULES = algebra, balloon, base, bound, columns, inner, levels, radial, rank, singular
__all__ = sorted(name for module in _MODULES for name in module.__all__)
