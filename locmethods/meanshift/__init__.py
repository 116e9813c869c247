"""Mean shift: the local mean of the data, iterated until it stands still, and the clusters that end in one mode.

The step is x ← m(x), the local mean of the data under a kernel K [fukunaga1975]_ [cheng1995]_ [comaniciu2002]_. It
climbs the density estimate whose kernel is the shadow of K: the Gaussian's shadow is the Gaussian, the flat
window's is Epanechnikov's parabola. Blurring mean shift moves the data themselves at each step.
"""

from locmethods.meanshift.ascent import Ascent, blur, climb, merge_modes, trajectories
from locmethods.meanshift.clusters import MeanShift, mean_shift
from locmethods.meanshift.seeds import estimate_bandwidth, get_bin_seeds

__all__ = ["Ascent", "MeanShift", "blur", "climb", "estimate_bandwidth", "get_bin_seeds", "mean_shift", "merge_modes",
           "trajectories"]
