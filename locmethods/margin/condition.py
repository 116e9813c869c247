"""When classification is retrieval: a condition on distances to prototypes, for any metric."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from locmethods.arrays.checks import as_array, as_number, check_option
from locmethods.arrays.namespace import is_tensor, like, to_float64, to_numpy
from locmethods.margin.logits import as_labels
from locmethods.numerics.units import exponent_of

METRICS = ("root", "angle", "euclidean")


class MarginCondition(NamedTuple):
    """What `margin_condition` found.

    Attributes
    ----------
    slack : ndarray or Tensor of shape (n_samples,)
        By how much the condition is met, negative where it is not, in units of the metric; infinite where no sample of
        another class exists.
    holds : boolean ndarray or Tensor of shape (n_samples,)
        Whether it is met by more than rounding: then every other sample of the own class is nearer than any sample of
        another class.
    radius : ndarray or Tensor of shape (n_classes,)
        The largest distance of a sample to the prototype of its class, NaN for a class without samples.

    Examples
    --------
    >>> from locmethods.margin import MarginCondition
    >>> MarginCondition([0.5, -0.1], [True, False], [0.2]).holds
    [True, False]
    """

    slack: NDArray
    holds: NDArray
    radius: NDArray


def margin_condition(embeddings: ArrayLike, labels: ArrayLike, prototypes: ArrayLike | None = None, *,
                     metric: str = "root") -> MarginCondition:
    r"""Ask of each sample whether its distances to prototypes alone make its ranking of all others perfect.

    A sample z₁ of class 1 shall find every z₃ of its class before any z₂ of class 2. By the triangle inequality, twice
    used, it is enough that [su2021b]_

    .. math:: d(z_1, c_1) + d(z_3, c_1) + d(z_2, c_2) < d(z_1, c_2),

    where classification needs :math:`d(z_1, c_1) < d(z_1, c_2)` only. What is more is the margin. The left side is
    largest for the farthest z₃ and z₂, so that radii of the classes decide for all of them together, in O(n k).

    Parameters
    ----------
    embeddings : array-like or Tensor of shape (n_samples, n_features)
    labels : array-like or Tensor of shape (n_samples,)
        With `prototypes` the row of each sample's own; otherwise anything that sorts.
    prototypes : array-like or Tensor of shape (n_classes, n_features), optional
        One for each class; by default the mean of its (for the first two metrics normalised) samples.
    metric : {"root", "angle", "euclidean"}, default="root"
        √(1 − cos), which is the distance of normalised vectors over √2; their angle in radians; the distance. 1 − cos
        itself is no metric, and a condition on it would promise what does not hold.

    Returns
    -------
    MarginCondition
        Tensors if the embeddings are one. Sufficient, not necessary: where it fails a ranking may still be perfect.

    Raises
    ------
    ValueError
        If shapes or labels do not fit, a label is NaN, or a direction is asked of a vector of length zero.
    TypeError
        If an array is not numeric, labels do not sort, or those of given prototypes are no integers.

    Examples
    --------
    >>> from locmethods.margin import margin_condition
    >>> found = margin_condition([[0.0], [1.0], [5.0], [6.0]], [0, 0, 1, 1], metric="euclidean")
    >>> found.slack.tolist(), found.radius.tolist()  # the means are 0.5 and 5.5: 5.5 − 0.5 − 0.5 − 0.5, …
    ([4.0, 3.0, 3.0, 4.0], [0.5, 0.5])
    """
    distances, own, labels = to_prototypes(embeddings, labels, prototypes, metric)
    n, k = distances.shape
    radius = np.full(k, -np.inf)  # of a class without samples, which nobody can be confused with
    np.maximum.at(radius, labels, own)
    rest = radius_without_each(own, labels, k)
    gap = distances - radius
    gap[np.arange(n), labels] = np.inf
    slack = gap.min(1) - own - rest
    # Each distance is the root of a sum of d squares, which errs by (d + 3)/4 ε of itself; four of them are added. What
    # was brought to length one errs by another ε or two of one.
    d, least = np.shape(embeddings)[1], 0.0 if metric == "euclidean" else 1.0
    rounding = (d + 16) * np.finfo(np.float64).eps * np.maximum(distances.max(1), least)
    radius[np.isinf(radius)] = np.nan
    dtype = result_type(embeddings, prototypes)
    return MarginCondition(*(like(part, embeddings) for part in
                             (slack.astype(dtype), slack > rounding, radius.astype(dtype))))


def mean_diameter(embeddings: ArrayLike, labels: ArrayLike, prototypes: ArrayLike | None = None, *,
                  metric: str = "root") -> float:
    """Return twice the mean distance of a sample to the prototype of its class: what a margin has to make up for.

    In the condition of `margin_condition` the terms d(z₃, c₁) + d(z₂, c₂) are what it asks beyond classification.
    Their mean over samples is this number, so that a margin of this size, in the same metric, makes the condition hold
    for typical samples [su2021b]_; for all of them it takes the largest radii instead of the mean.

    Parameters
    ----------
    embeddings, labels, prototypes, metric
        As in `margin_condition`.

    Raises
    ------
    ValueError, TypeError
        As `margin_condition`.

    Examples
    --------
    >>> from locmethods.margin import mean_diameter
    >>> mean_diameter([[0.0], [1.0], [5.0], [8.0]], [0, 0, 1, 1], metric="euclidean")
    2.0
    """
    _, own, _ = to_prototypes(embeddings, labels, prototypes, metric)
    return 2 * float(own.mean())


def cosine_margin(root_margin: float) -> float:
    r"""Return the margin of the cosine that is sure to give a margin of √(1 − cos).

    With :math:`d = \sqrt{1 - \cos}`, of the own class :math:`d_y` and another's :math:`d_j \le \sqrt 2`, a margin
    :math:`M` of the cosine says :math:`d_j^2 - d_y^2 \ge M`. The least :math:`d_j - d_y` that it allows is at
    :math:`d_j = \sqrt 2`, which gives :math:`m = \sqrt 2 - \sqrt{2 - M}`, or :math:`M = m\,(2\sqrt 2 - m)`.

    Parameters
    ----------
    root_margin : float
        m, from 0 to √2.

    Raises
    ------
    ValueError
        If it is not in that range.

    Examples
    --------
    >>> from locmethods.margin import cosine_margin
    >>> round(cosine_margin(0.25), 2), round(cosine_margin(2**0.5), 2)
    (0.64, 2.0)
    """
    margin = as_number("root_margin", root_margin)
    if not 0 <= margin <= math.sqrt(2):
        raise ValueError(f"root_margin must be from 0 to √2, got {root_margin!r}")
    return margin * (2 * math.sqrt(2) - margin)


def to_prototypes(embeddings, labels, prototypes, metric):
    """Return the distances to prototypes, those to the own, and the labels as rows of prototypes; all in float64."""
    check_option("metric", metric, METRICS)
    points, labels = as_sample(embeddings, labels)
    if prototypes is not None:
        centers = in_float64("prototypes", prototypes)
        if centers.ndim != 2 or centers.shape[1] != points.shape[1] or not len(centers):
            raise ValueError(f"prototypes must have shape (n_classes, {points.shape[1]}), got {centers.shape}")
        labels = as_labels(labels, np.broadcast_to(points[:, :1], (len(points), len(centers))))
    exponent = exponent_of(points, *([] if prototypes is None else [centers]))
    points = np.ldexp(points, -exponent) if metric == "euclidean" else directions("embeddings", points)
    if prototypes is None:
        classes, labels = classes_of(labels)
        centers = np.zeros((len(classes), points.shape[1]))
        np.add.at(centers, labels, points)
        centers /= np.bincount(labels)[:, None]
    elif metric == "euclidean":
        centers = np.ldexp(centers, -exponent)
    if metric != "euclidean":
        centers = directions("prototypes", centers)
    # cdist takes differences, which are exact where vectors nearly agree; a cosine is not.
    distances = cdist(points, centers)
    if metric == "euclidean":
        distances = np.ldexp(distances, exponent)
    elif metric == "root":
        distances /= math.sqrt(2)
    else:  # half the angle by both legs of its triangle: an arcsine would err by √ε at opposite directions
        distances = 2 * np.arctan2(distances, cdist(points, -centers))
    return distances, distances[np.arange(len(points)), labels], labels


def as_sample(embeddings, labels):
    """Return a finite array of shape (n_samples, n_features) in float64 and as many labels, by NumPy."""
    points = in_float64("embeddings", embeddings)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"embeddings must have shape (n_samples, n_features), none of them 0, got {points.shape}")
    labels = to_numpy(labels)
    if labels.shape != (len(points),):
        raise ValueError(f"labels must have shape ({len(points)},), one a sample, got {labels.shape}")
    return points, labels


def in_float64(name, array):
    """Return a finite array by NumPy in float64, where a sum of many numbers of half precision keeps its digits."""
    return to_float64(as_array(name, array))


def result_type(embeddings, prototypes=None):
    """Return NumPy's floating type of the answer: that of the embeddings and the prototypes, as NumPy joins them."""
    given = [as_array("array", part) for part in (embeddings, prototypes) if part is not None]
    # A tensor's answer is brought into its own type by `like`: NumPy has no bfloat16.
    return np.result_type(*(np.float64 if is_tensor(part) else part.dtype for part in given))


def classes_of(labels):
    """Return the classes of labels, sorted, and the number of each sample's.

    Raises
    ------
    ValueError
        If a label is NaN.
    TypeError
        If they do not sort.
    """
    missing = int(np.count_nonzero(labels != labels))
    if missing:
        raise ValueError(f"labels must not be NaN, got {missing} of {len(labels)}")
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError:
        raise TypeError(f"labels must be of one kind that sorts, got an array of dtype {labels.dtype}") from None


def directions(name, points):
    """Return vectors at length one.

    Raises
    ------
    ValueError
        If one has length zero.
    """
    largest = np.abs(points).max(1, keepdims=True)
    if not largest.all():
        raise ValueError(f"{name} must have directions, got {int((largest == 0).sum())} of length zero")
    scaled = points / largest  # so that no square overflows or vanishes
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def radius_without_each(own, labels, k):
    """Return for each sample the largest distance of the others of its class, 0 if there are none."""
    order = np.lexsort((own, labels))
    last = np.cumsum(np.bincount(labels, minlength=k)) - 1  # of each class in that order, if it has samples
    counts = np.bincount(labels, minlength=k)
    first, second = np.zeros(k), np.zeros(k)
    first[counts > 0] = own[order[last[counts > 0]]]
    second[counts > 1] = own[order[last[counts > 1] - 1]]
    rest = first[labels]
    farthest = order[last[counts > 0]]
    rest[farthest] = second[labels[farthest]]
    return rest
