"""Fuzzy inference: rules whose answers are averaged by how far a case meets their premises.

A rule "if x₁ is low and x₂ is high then y = f(x)" fires by the degree to which x belongs to its fuzzy sets
[zadeh1965]_. A Takagi–Sugeno system averages the rules' answers by their firing [takagi1985]_: that is a local mean
whose keys are the rules. Mamdani's system cuts the rules' output sets, joins them and takes a middle of what comes out
[mamdani1975]_; with sums and products in place of maxima and minima, and the centroid, it is a local mean too
[kosko1994]_.
"""

from locmethods.fuzzy.mamdani import MamdaniSystem
from locmethods.fuzzy.memberships import bell, gaussian, trapezoid, triangular
from locmethods.fuzzy.partitions import partition
from locmethods.fuzzy.premises import Premise, grid_rules
from locmethods.fuzzy.regressor import TakagiSugenoRegressor
from locmethods.fuzzy.sets import BellSet, FuzzySet, GaussianSet, TrapezoidSet, TriangularSet
from locmethods.fuzzy.sugeno import takagi_sugeno
from locmethods.fuzzy.wang_mendel import RuleTable, wang_mendel

__all__ = ["BellSet", "FuzzySet", "GaussianSet", "MamdaniSystem", "Premise", "RuleTable", "TakagiSugenoRegressor",
           "TrapezoidSet", "TriangularSet", "bell", "gaussian", "grid_rules", "partition", "takagi_sugeno",
           "trapezoid", "triangular", "wang_mendel"]
