"""Local means and the other local statistics: what stands at a target when near keys count for more."""

from locmethods.means.averages import (
    effective_sample_size,
    explain,
    local_mean,
    local_sum,
    local_weights,
    weight_blocks,
)
from locmethods.means.prepared import Prepared, PreparedBlocks, prepare
from locmethods.means.statistics import LocalMoments, local_mode, local_moments, local_quantile
from locmethods.means.sums import LocalSum

__all__ = ["LocalMoments", "LocalSum", "Prepared", "PreparedBlocks", "effective_sample_size", "explain", "local_mean",
           "local_mode", "local_moments", "local_quantile", "local_sum", "local_weights", "prepare", "weight_blocks"]
