"""How well samples find their own class, whether or not a classifier knows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from locmethods.arrays.checks import check_option
from locmethods.arrays.namespace import like, slices
from locmethods.margin.condition import as_sample, classes_of, directions, result_type
from locmethods.numerics.units import exponent_of

BLOCK = 1 << 20  # distances that are held at once, 8 MB


def average_precision(embeddings: ArrayLike, labels: ArrayLike, *, metric: str = "root") -> NDArray:
    r"""Return for each sample the average precision with which it finds the others of its class.

    The others are ranked by their distance. With R of them of the own class, at the ranks :math:`t_1 < \dots < t_R`,
    the average precision is :math:`\frac1R \sum_r r / t_r`, which is 1 if and only if they are all in front. Samples
    that are equally far, to within rounding, share the last of their ranks, as in scikit-learn's
    ``label_ranking_average_precision_score``. The mean over samples is the mean average precision; what takes part are
    samples, and no prototype.

    Parameters
    ----------
    embeddings : array-like or Tensor of shape (n_samples, n_features)
    labels : array-like or Tensor of shape (n_samples,)
        Anything that sorts.
    metric : {"root", "euclidean"}, default="root"
        √(1 − cos), which ranks as the cosine does; or the distance.

    Returns
    -------
    ndarray or Tensor of shape (n_samples,)
        NaN for a sample that is alone in its class. Memory is O(n) beside a block of the distances.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is NaN, or a direction is asked of a vector of length zero.
    TypeError
        If the embeddings are not numeric, or the labels do not sort.

    Examples
    --------
    >>> from locmethods.margin import average_precision
    >>> average_precision([[0.0], [1.0], [1.5], [4.0]], ["a", "a", "b", "b"], metric="euclidean").tolist()
    [1.0, 0.5, 0.3333333333333333, 1.0]
    """
    check_option("metric", metric, ("root", "euclidean"))
    points, labels = as_sample(embeddings, labels)
    _, labels = classes_of(labels)
    if metric == "root":
        points, least = directions("embeddings", points), 1.0
    else:  # what is given is exact
        points, least = np.ldexp(points, -exponent_of(points)), 0.0
    # Two distances, roots of sums of d squares, err by (d + 3)/2 ε of themselves; a direction errs by ε or two of one.
    share = (points.shape[1] + 16) * np.finfo(np.float64).eps
    found = np.full(len(points), np.nan)
    for rows in slices(len(points), max(1, BLOCK // len(points))):
        # Of differences: from a product of vectors a far point would take the digits of all that are near each other.
        distances = cdist(points[rows], points)
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf  # nobody finds himself
        for place, row in enumerate(distances, rows.start):
            mine = np.sort(row[labels == labels[place]])[:-1]
            found[place] = precision_of(np.sort(row), mine, mine + share * np.maximum(mine, least))
    return like(found.astype(result_type(embeddings)), embeddings)


def precision_of(distances, mine, reach):
    """Return the average precision of one query; NaN if it has nothing to find.

    Parameters
    ----------
    distances, mine : ndarray of shape (n_samples,) and (n_relevant,)
        To all others and to those of the query's class, both sorted.
    reach : ndarray of shape (n_relevant,)
        Up to where a distance is equal to `mine`.
    """
    if not len(mine):
        return np.nan
    hits = np.searchsorted(mine, reach, side="right")
    ranks = np.searchsorted(distances, reach, side="right")
    return (hits / ranks).mean()
