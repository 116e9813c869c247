"""How well samples find their own class, whether or not a classifier knows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.checks import check_option
from locmethods.arrays.namespace import like, slices
from locmethods.margin.condition import as_sample, directions

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
        If shapes do not fit, or a direction is asked of a vector of length zero.
    TypeError
        If the embeddings are not numeric.

    Examples
    --------
    >>> from locmethods.margin import average_precision
    >>> average_precision([[0.0], [1.0], [1.5], [4.0]], ["a", "a", "b", "b"], metric="euclidean").tolist()
    [1.0, 0.5, 0.3333333333333333, 1.0]
    """
    check_option("metric", metric, ("root", "euclidean"))
    points, labels = as_sample(embeddings, labels)
    dtype = points.dtype
    points = points.astype(np.float64)
    points = directions("embeddings", points) if metric == "root" else points - points.mean(0)
    _, labels = np.unique(labels, return_inverse=True)
    half = (points**2).sum(1) / 2
    # What rounding leaves of a sum of n_features products, of which none is larger than the largest square.
    rounding = 4 * points.shape[1] * np.finfo(np.float64).eps * max(half.max(), np.finfo(np.float64).tiny)
    found = np.full(len(points), np.nan)
    for rows in slices(len(points), max(1, BLOCK // len(points))):
        squares = half[rows, None] + half - points[rows] @ points.T  # half of them
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf  # nobody finds himself
        for place, row in enumerate(squares, rows.start):
            found[place] = precision_of(row, labels == labels[place], rounding)
    return like(found.astype(dtype), embeddings)


def precision_of(squares, relevant, rounding):
    """Return the average precision of one query, to which its own distance is infinite; NaN if it has nothing to find.

    Parameters
    ----------
    squares : ndarray of shape (n_samples,)
    relevant : boolean ndarray of shape (n_samples,)
        The query's class, itself included.
    rounding : float
        Squares that differ by no more are equal.
    """
    mine = np.sort(squares[relevant])[:-1]
    if not len(mine):
        return np.nan
    hits = np.searchsorted(mine, mine + rounding, side="right")
    ranks = np.searchsorted(np.sort(squares), mine + rounding, side="right")
    return (hits / ranks).mean()
