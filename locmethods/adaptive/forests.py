"""A forest as a kernel: near is what shares a leaf, and the forest's prediction is the local mean under it."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array
from locmethods.arrays.namespace import carries_grad, like, log_or_nothing, to_numpy
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, Cells, Itself, Kept, membership, once, outer_shape
from locmethods.kernels.restricted import without_own

__all__ = ["ForestKernel"]

FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor,
           RandomTreesEmbedding)
# A leaf's weight is a sum of the weights of its samples, which scikit-learn adds in another order.
ROUNDING = 1e-9


class ForestKernel(Kernel):
    """K(q, x) = (1/B) Σ_b [q and x share a leaf of tree b] c_b(x) / N_b(leaf), of a fitted forest [lin2006]_.

    Here c_b(x) says how often tree b drew the key x into its bootstrap sample, and N_b is the sum of c_b over the keys
    in the leaf. A tree predicts the mean of its leaf and a forest the mean of its trees, so that the local mean of the
    targets under this kernel is the forest's prediction; for a classifier it is the local mean of one-hot labels, which
    are its probabilities. Without N_b it would be another estimate, in which trees with large leaves count for more
    [scornet2016]_. Everything else that is local runs under it too: quantiles are those of a quantile regression forest
    [meinshausen2006]_, local lines are a local linear forest without its ridge [friedberg2021]_.

    The kernel is not symmetric, since a key counts by its bootstrap counts and a query does not. It knows its keys by
    their places: they are the sample on which the forest was fitted, in its order.

    Parameters
    ----------
    forest : RandomForestRegressor, RandomForestClassifier, ExtraTrees… or RandomTreesEmbedding
        Fitted, with one output or several. It is a part of the kernel: a copy of the kernel (scikit-learn's ``clone``)
        holds the same forest, which is not fitted again.
    sample_weight : array-like of shape (n_keys,), optional
        What a key counts beside c_b. Needed where trees without bootstrap were fitted with weights, of samples or of
        classes; a bootstrap has them in its draws.
    in_bag : bool, default=True
        False lets every key count once whichever the keys are, c_b = 1: so a sample apart from the one that chose the
        splits is averaged, as an honest forest does [wager2018]_. A tree without a key in the query's leaf then gives
        no weight.

    Raises
    ------
    TypeError
        If `forest` is no such forest. Boosted trees are none: each is fitted to what the trees before it have left,
        so that targets may enter with negative weights.
    ValueError
        When points are compared: if the keys are not the sample that the forest was fitted on, or points have another
        number of features.

    Notes
    -----
    Trees that answer with something else than the mean of a leaf have the kernel all the same, but not as their
    prediction: those fitted for the absolute error answer with medians, those with monotonic constraints cut their
    means off. ``class_weight="balanced_subsample"`` weighs each tree's classes anew, which no weight of keys can say.
    No gradients flow through leaves. A forest that was fitted with missing values has no such kernel, since points with
    missing values are no points here.

    Examples
    --------
    >>> from locmethods.adaptive import ForestKernel
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> x, y = [[0.0], [1.0], [8.0], [9.0]], [1.0, 3.0, 10.0, 12.0]
    >>> forest = RandomForestRegressor(5, bootstrap=False, max_leaf_nodes=2).fit(x, y)  # each tree cuts at 4.5
    >>> ForestKernel(forest)([[0.3]], x).round(6), forest.predict([[0.3]]).round(6)  # the mean of 1 and 3
    (array([[0.5, 0.5, 0. , 0. ]]), array([2.]))
    """

    form = "rank"

    def __init__(self, forest: Any, *, sample_weight: ArrayLike | None = None, in_bag: bool = True) -> None:
        self.forest, self.sample_weight, self.in_bag = forest, sample_weight, in_bag
        self._check()

    def _check(self):
        if not isinstance(self.forest, FORESTS):
            raise TypeError(f"forest must be one of scikit-learn's random forests or extra trees, got "
                            f"{type(self.forest).__name__}: a prediction that is a sum of trees, each fitted to what "
                            "the others left, is no local mean")
        check_is_fitted(self.forest)
        if not isinstance(self.in_bag, bool | np.bool_):
            raise TypeError(f"in_bag must be True or False, got {self.in_bag!r}")

    def __sklearn_clone__(self):
        """Return a kernel with the same forest: a copy of it would have forgotten its trees."""
        return type(self)(self.forest, sample_weight=self.sample_weight, in_bag=self.in_bag)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        if query.ndim > 2 or keys.ndim > 2:
            raise ValueError("a forest takes no batch dimensions: points must have shape (n, n_features), got shapes "
                             f"{tuple(query.shape)} and {tuple(keys.shape)}")
        name = "leaves", Itself(self.forest), Itself(self.sample_weight), self.in_bag
        places, weight = once(kept, self, keys, name, lambda: self._layout(keys))
        return without_own(ForestBound(self, query, keys, places, weight, kept), hollow)

    def _layout(self, keys):
        """Return the leaves of the keys and their weights there, both of shape (n_keys, n_trees)."""
        places = self.leaves(keys, "keys")
        n, trees = places.shape
        counts = np.ones((n, trees)) if not self.in_bag else self._counts(n)
        if self.sample_weight is not None:
            counts *= self._weights(n)[:, None]
        nodes = self._offsets()[-1]
        total = np.bincount(places.ravel(), counts.ravel(), minlength=nodes)
        if self.in_bag:
            self._check_sample(places, total)
        there = total[places]
        return places, np.divide(counts, trees * there, out=np.zeros_like(counts), where=there > 0)

    def _counts(self, n):
        """Return how often each tree drew each key, of shape (n_keys, n_trees)."""
        drawn = self.forest.estimators_samples_
        if max(int(index.max(initial=-1)) for index in drawn) >= n:
            raise ValueError(self._wrong_sample())
        return np.column_stack([np.bincount(index, minlength=n) for index in drawn]).astype(np.float64)

    def _weights(self, n):
        weight = to_numpy(as_array("sample_weight", self.sample_weight))
        if weight.shape != (n,) or (weight < 0).any():
            least = f" and the least {weight.min():.3g}" if weight.size else ""
            raise ValueError(f"sample_weight must hold {n} numbers of at least 0, one for each key, got shape "
                             f"{weight.shape}{least}")
        return weight

    def _check_sample(self, places, total):
        """Raise ValueError unless every leaf weighs what it weighed when the forest was fitted."""
        trees = [tree.tree_ for tree in self.forest.estimators_]
        fitted = np.concatenate([tree.weighted_n_node_samples for tree in trees])
        leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        if not np.allclose(total[leaf], fitted[leaf], rtol=ROUNDING, atol=0.0):
            raise ValueError(self._wrong_sample())

    def _wrong_sample(self):
        return ("keys must be the sample that the forest was fitted on, in its order, with the sample_weight that "
                "counted in its leaves: for other keys, such as a fold of that sample, choose in_bag=False")

    def _offsets(self):
        """Return where the nodes of each tree begin among all, and their number last."""
        return np.cumsum([0, *(tree.tree_.node_count for tree in self.forest.estimators_)])

    def leaves(self, points: ArrayLike, name: str = "points") -> np.ndarray:
        """Return the leaf of each point in each tree, numbered through all trees' nodes, of shape (n, n_trees).

        Parameters
        ----------
        points : array-like of shape (n, n_features)
        name : str
            What an error calls them.

        Raises
        ------
        ValueError, TypeError
            If the points are no finite rows with the forest's number of features, or are beyond float32, in which
            trees compare.
        """
        points = to_numpy(as_array(name, points))
        if points.ndim != 2:
            raise ValueError(f"{name} must have shape (n, n_features), got shape {points.shape}")
        if points.shape[-1] != self.forest.n_features_in_:
            raise ValueError(f"{name} must have the {self.forest.n_features_in_} features that the forest was fitted "
                             f"on, got {points.shape[-1]}")
        with np.errstate(over="ignore"):
            points = np.ascontiguousarray(points, dtype=np.float32)
        if not np.isfinite(points).all():
            raise ValueError(f"{name} must be numbers that float32 can hold, since trees compare in it")
        trees = self.forest.estimators_
        jobs = Parallel(n_jobs=self.forest.n_jobs, prefer="threads")
        found = jobs(delayed(tree.apply)(points, check_input=False) for tree in trees)
        return np.column_stack(found) + self._offsets()[:-1]


class ForestBound(Bound):
    """A forest's kernel, bound to points by the leaves that they fall in.

    Parameters
    ----------
    kernel : ForestKernel
    query, keys : array
    places, weight : ndarray of shape (n_keys, n_trees)
        The keys' leaves and their weights there.
    kept : Kept or None
    """

    def __init__(self, kernel, query, keys, places, weight, kept):
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys))
        self.whole = True
        self._query, self._keys, self._kernel = query, keys, kernel
        mine = places if query is keys else kernel.leaves(query, "query")
        self._cells = Cells(mine, places, weight, int(kernel._offsets()[-1]))
        # Without anything kept from call to call it is kept for the blocks of this one.
        self._kept = Kept() if kept is None else kept

    def __repr__(self):
        return repr(self._kernel)

    def _by_leaf(self):
        """Return the keys' weights as a sparse matrix of shape (n_leaves, n_keys)."""
        cells = self._cells
        return once(self._kept, cells.keys, cells.weight, "by leaf",
                    lambda: membership(cells.keys, cells.count, cells.weight).T.tocsr())

    def log(self, rows, cols, take=None):
        mine = self._cells.query[rows if isinstance(rows, slice) else to_numpy(rows)]
        cols = cols if isinstance(cols, slice) else to_numpy(cols)
        weight = (membership(mine, self._cells.count) @ self._by_leaf()).toarray()
        return log_or_nothing(like(weight[:, cols], self.like))

    def gap(self, rows, cols):
        return self._comparable_square(rows, cols)

    def cells(self):
        return self._cells
