"""Non-local models: averages over pixels that look alike, wherever they are.

A pixel's key is the patch about it. Near are then not the pixels beside it, but those in whose surroundings the same
is seen, and their mean takes noise away without taking detail [buades2005]_. With a patch of one pixel and a second
kernel of the place it is the bilateral filter [tomasi1998]_.
"""

from locmethods.nonlocal_means.balance import Balanced, balanced_nonlocal_means
from locmethods.nonlocal_means.filters import bilateral, nonlocal_means
from locmethods.nonlocal_means.noise import estimate_noise
from locmethods.nonlocal_means.texture import synthesize

__all__ = ["Balanced", "balanced_nonlocal_means", "bilateral", "estimate_noise", "nonlocal_means", "synthesize"]
