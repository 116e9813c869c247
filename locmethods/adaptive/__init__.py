"""Adaptive kernels: what is near follows from the data, by a width for each key, a learned metric, or a forest.

Widths: `SamplePoint`, `SelfTuning`, and `locmethods.kernels.Balloon`; densities by `kernel_density`. Learned: `Metric`
and `LearnedMetric`, `mixture` and `learn_kernel`. Partitions: `ForestKernel`. Matrices: `sinkhorn` and
`attention_factors`.
"""

from locmethods.adaptive.forests import ForestKernel
from locmethods.adaptive.learning import Learned, learn_kernel, mixture
from locmethods.adaptive.metrics import LearnedMetric, Metric, leave_one_out_slope
from locmethods.adaptive.scaling import AttentionFactors, Sinkhorn, attention_factors, sinkhorn
from locmethods.adaptive.widths import SamplePoint, SelfTuning, kernel_density

__all__ = ["AttentionFactors", "ForestKernel", "Learned", "LearnedMetric", "Metric", "SamplePoint", "SelfTuning",
           "Sinkhorn", "attention_factors", "kernel_density", "learn_kernel", "leave_one_out_slope", "mixture",
           "sinkhorn"]
