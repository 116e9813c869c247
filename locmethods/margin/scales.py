"""How large a scale must be, and how scale and margin grow while a network is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locmethods.arrays.checks import as_number, check_count, check_not_negative, check_positive, check_share


def probability_ceiling(n_classes: int, scale: float, margin: float = 0.0) -> float:
    r"""Return the largest probability that a softmax over directions can give to the own class, for all classes alike.

    For k classes of equal weight, whatever the directions, the geometric mean of the probabilities of the own class is
    at most :math:`1 / (1 + (k - 1) e^{s (m - k/(k-1))})`: their mean loss is least where each class sits on its own
    prototype and the prototypes form a simplex, cos = −1/(k − 1) [wang2017]_ [wang2018c]_. That needs at least k − 1
    dimensions.

    Parameters
    ----------
    n_classes : int
        k, at least 2.
    scale : float
        s.
    margin : float, default=0.0
        m, of the cosine, as the loss has it in training.

    Raises
    ------
    ValueError
        If the count, the scale or the margin is not of that form.

    Examples
    --------
    >>> from locmethods.margin import probability_ceiling
    >>> round(probability_ceiling(10, 1.0), 2)  # without a scale even a perfect classifier is unsure
    0.25
    """
    check_count("n_classes", n_classes, 2)
    check_positive("scale", scale)
    check_not_negative("margin", margin)
    odds = math.log(n_classes - 1) + scale * (margin - n_classes / (n_classes - 1))  # of the others, their logarithm
    return 1 / (1 + math.exp(odds)) if odds < 0 else math.exp(-odds) / (1 + math.exp(-odds))


def least_scale(n_classes: int, probability: float, margin: float = 0.0) -> float:
    """Return the scale at which `probability_ceiling` is a given probability [wang2018c]_.

    Parameters
    ----------
    n_classes : int
        At least 2.
    probability : float
        Larger than 1 / n_classes, which needs no scale at all, and less than 1.
    margin : float, default=0.0
        Of the cosine, less than k/(k − 1): a larger one no scale makes up for.

    Raises
    ------
    ValueError
        If one of them is not of that form.

    Examples
    --------
    >>> from locmethods.margin import least_scale
    >>> round(least_scale(1000, 0.9), 1), round(least_scale(1000, 0.9, margin=0.35), 1)
    (9.1, 14.0)
    """
    check_count("n_classes", n_classes, 2)
    check_share("probability", probability)
    check_not_negative("margin", margin)
    room = n_classes / (n_classes - 1) - margin
    if room <= 0:
        raise ValueError(f"margin must be less than n_classes / (n_classes − 1) = {n_classes / (n_classes - 1):g}, "
                         f"got {margin!r}")
    odds = math.log(probability) - math.log1p(-probability) + math.log(n_classes - 1)
    if odds <= 0:
        raise ValueError(f"probability must be larger than 1 / n_classes = {1 / n_classes:g}, got {probability!r}")
    return odds / room


@dataclass(frozen=True)
class Ramp:
    """A schedule: a number that stays, then changes evenly, then stays again.

    Parameters
    ----------
    first, last : float
        Where it begins and where it ends.
    steps : int
        How many steps the change takes, at least 1.
    delay : int, default=0
        How many steps it waits before.

    Raises
    ------
    ValueError, TypeError
        If a number is not finite, or a count is none.

    Examples
    --------
    >>> from locmethods.margin import Ramp
    >>> ramp = Ramp(0.0, 0.5, steps=10, delay=5)
    >>> [ramp(step) for step in (0, 5, 10, 15, 100)]
    [0.0, 0.0, 0.25, 0.5, 0.5]
    """

    first: float
    last: float
    steps: int
    delay: int = 0

    def __post_init__(self):
        for name in ("first", "last"):
            if not math.isfinite(as_number(name, getattr(self, name))):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)!r}")
        check_count("steps", self.steps, 1)
        check_count("delay", self.delay, 0)

    def __call__(self, step: int) -> float:
        """Return the number at a step."""
        share = min(1.0, max(0, step - self.delay) / self.steps)
        return (1 - share) * self.first + share * self.last
