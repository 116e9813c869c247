"""The classical network: bits that take the sign of a weighted sum of the others [hopfield1982]_.

With Hebb's weights W = XᵀX/n, n being the number of bits, the field of a state s is Σ_μ (x_μ·s/n) x_μ, the local sum
of the patterns under the linear kernel. That kernel is signed, so it is a sum and no mean.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, as_number, check_count, check_option
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.arrays.namespace import slices, to_numpy
from locmethods.hopfield.iteration import Recall, follow, iterate, warn_of_moving
from locmethods.hopfield.packed import Packed, pack, unpack
from locmethods.numerics.threads import in_threads

STORAGE = ("hebb", "pseudo-inverse")
UPDATE = ("asynchronous", "synchronous")
BITS, STATES = 32, 4096  # of a block: 32 fields of 4,096 states in float32 stay in a core's second cache
FEW = 256  # states whose fields of a thousand bits stay in a core's second cache
MANY = 1 << 27  # pairs of a state's bit and a pattern's that repay loading compiled code
EXACT = 1 << 23  # halves of whole numbers below are exact in float32, and so are their sums
SAFETY = 8  # fields below so many roundings of their sum are zero


def as_states(name, value):
    """Return an array-like of shape (n, n_bits) whose entries are −1 and +1 as an array of float32 or float64.

    Raises
    ------
    ValueError, TypeError
        If it is none: the message counts the other entries.
    """
    value = to_numpy(as_array(name, value))
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(f"{name} must have shape (n, n_bits), neither zero, got shape {tuple(value.shape)}")
    others = int((np.abs(value) != 1).sum())
    if others:
        raise ValueError(f"{name} must be -1 or 1 everywhere, got {others} other "
                         f"entr{'ies' if others > 1 else 'y'} in an array of shape {value.shape}")
    return value if value.dtype in FLOATS else value.astype(np.float32)  # float16 counts to 2,048 only


def binarized(X, threshold, dtype=None):
    """Return +1 where X is above a threshold and −1 elsewhere; X, checked, if the threshold is None.

    In the floating type of X by default.
    """
    return _plus_and_minus(above(X, threshold), X.dtype if dtype is None else np.dtype(dtype))


def above(X, threshold):
    """Return where X is above a threshold; where X, checked, is +1 if the threshold is None."""
    return as_states("X", X) > 0 if threshold is None else X > threshold


def _plus_and_minus(true, dtype):
    """Return +1 where a truth value of an array of their own is True, and −1 elsewhere.

    Computed in their place, byte by byte: several times as fast as a choice between two numbers.
    """
    true = true.view(np.int8)
    true += true
    true -= 1
    return true.astype(dtype)


def check_network(estimator, **options):
    """Raise unless the parameters that binary memories share are admissible; `options` are (value, allowed) by name."""
    for name, (value, allowed) in options.items():
        check_option(name, value, allowed)
    check_option("update", estimator.update, UPDATE)
    check_count("max_steps", estimator.max_steps, 1)
    if not isinstance(estimator.shuffle, bool | np.bool_):
        raise ValueError(f"shuffle must be True or False, got {estimator.shuffle!r}")
    check_random_state(estimator.random_state)
    if estimator.binarize is not None:
        as_number("binarize", estimator.binarize)


def hebbian_weights(patterns: ArrayLike, *, self_coupling: bool = False) -> np.ndarray:
    """Return Hebb's weights XᵀX/n_bits, of shape (n_bits, n_bits) [hopfield1982]_.

    Parameters
    ----------
    patterns : array-like of shape (n_patterns, n_bits)
        Of −1 and +1.
    self_coupling : bool, default=False
        Whether the diagonal is kept. It holds each bit where it is, with the strength n_patterns/n_bits.

    Raises
    ------
    ValueError, TypeError
        If an entry is neither −1 nor +1, or there is none, or `self_coupling` is no truth value.

    Examples
    --------
    >>> from locmethods.hopfield import hebbian_weights
    >>> hebbian_weights([[1, -1]])
    array([[ 0. , -0.5],
           [-0.5,  0. ]])
    >>> hebbian_weights([[1, -1]], self_coupling=True)
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    patterns = as_states("patterns", patterns)
    _check_self_coupling(self_coupling)
    weights = patterns.T @ patterns
    weights /= patterns.dtype.type(patterns.shape[1])
    return _without_diagonal(weights, self_coupling)


def projection_weights(patterns: ArrayLike, *, self_coupling: bool = False) -> np.ndarray:
    """Return the weights X⁺X that project onto the patterns' span, of shape (n_bits, n_bits) [personnaz1985]_.

    Every pattern is a fixed point, however correlated they are, as long as they do not span everything.

    Parameters and errors are those of `hebbian_weights`. With patterns that depend on each other linearly the span is
    what counts.

    Examples
    --------
    >>> from locmethods.hopfield import projection_weights
    >>> projection_weights([[1, 1, 1, 1], [1, 1, 1, -1]], self_coupling=True).round(3) + 0.0
    array([[0.333, 0.333, 0.333, 0.   ],
           [0.333, 0.333, 0.333, 0.   ],
           [0.333, 0.333, 0.333, 0.   ],
           [0.   , 0.   , 0.   , 1.   ]])
    """
    patterns = as_states("patterns", patterns)
    _check_self_coupling(self_coupling)
    basis = _basis(patterns)
    return _without_diagonal(basis.T @ basis, self_coupling)


def _basis(patterns):
    """Return an orthonormal basis of the patterns' span, of shape (rank, n_bits)."""
    _, size, directions = np.linalg.svd(patterns, full_matrices=False)
    return directions[size > max(patterns.shape) * np.finfo(size.dtype).eps * size[0]]


def _check_self_coupling(value):
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"self_coupling must be True or False, got {value!r}")


def _without_diagonal(weights, self_coupling):
    if not self_coupling:
        np.fill_diagonal(weights, 0)
    return weights


def network_energy(states: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Return −½ sᵀWs for each state, of shape (n_states,) [hopfield1982]_.

    Parameters
    ----------
    states : array-like of shape (n_states, n_bits)
        Of −1 and +1.
    weights : array-like of shape (n_bits, n_bits)

    Raises
    ------
    ValueError, TypeError
        As `run_network`.

    Examples
    --------
    >>> from locmethods.hopfield import hebbian_weights, network_energy
    >>> weights = hebbian_weights([[1, 1, 1, 1, 1]])
    >>> network_energy([[1, 1, 1, 1, 1], [1, 1, 1, 1, -1]], weights).round(6)  # −½ 20/5 and −½ 4/5
    array([-2. , -0.4])
    """
    states, weights = _checked(states, weights)
    return _energy(states, weights)


def _energy(states, weights):
    return np.concatenate([-0.5 * ((states[part] @ weights.T) * states[part]).sum(1)
                           for part in slices(len(states), STATES)])


def run_network(
    states: ArrayLike,
    weights: ArrayLike,
    *,
    update: str = "asynchronous",
    shuffle: bool = False,
    random_state: int | np.random.RandomState | None = None,
    max_steps: int = 100,
) -> Recall:
    """Let each bit take the sign of its field Σ_j w_ij s_j until no bit changes; a field of zero changes nothing.

    Asynchronously, bit after bit, no flip raises the energy −½ sᵀWs if the weights are symmetric and their diagonal
    is not negative [hopfield1982]_. Synchronously, all bits at once, a state settles or alternates between two if the
    weights are symmetric [bruck1988]_. With other weights neither need settle.

    Parameters
    ----------
    states : array-like of shape (n_states, n_bits)
        Of −1 and +1. Each goes its own way; they are updated together only for speed.
    weights : array-like of shape (n_bits, n_bits)
    update : {"asynchronous", "synchronous"}, default="asynchronous"
    shuffle : bool, default=False
        Whether each asynchronous sweep takes the bits in a new random order instead of their own.
    random_state : int, RandomState instance or None, default=None
        Of the orders.
    max_steps : int, default=100
        Sweeps, or synchronous updates, after which a state is left where it is, with a ConvergenceWarning.

    Returns
    -------
    Recall
        States in the common floating type of states and weights.

    Raises
    ------
    ValueError, TypeError
        If an entry of the states is neither −1 nor +1, the weights are no finite square matrix of their size, or so
        large that their sums are not finite, or an option is not as above.

    Examples
    --------
    >>> from locmethods.hopfield import hebbian_weights, run_network
    >>> found = run_network([[1, 1, 1, -1]], hebbian_weights([[1, 1, 1, 1]]))
    >>> found.states, found.settled
    (array([[1., 1., 1., 1.]]), array([ True]))
    """
    states, weights = _checked(states, weights)
    check_option("update", update, UPDATE)
    check_count("max_steps", max_steps, 1)
    nothing = SAFETY * np.finfo(weights.dtype).eps * np.abs(weights).sum(1)
    step = stepper(Matrix(weights, nothing), update, shuffle, random_state)
    return iterate(states, step, max_steps=max_steps, energy=lambda part: _energy(part, weights))


def _checked(states, weights):
    states, weights = as_states("states", states), to_numpy(as_array("weights", weights))
    if weights.shape != 2 * states.shape[1:]:
        raise ValueError(f"weights must have shape ({states.shape[1]}, {states.shape[1]}), a row and a column for each "
                         f"bit of the states, got shape {tuple(weights.shape)}")
    dtype = np.result_type(states, weights)
    weights = weights.astype(dtype, copy=False)
    with np.errstate(over="ignore"):
        largest = np.abs(weights).sum(1).max()
    if not np.isfinite(largest):
        raise ValueError("weights must have rows whose sums of sizes are finite, got entries of up to "
                         f"{np.abs(weights).max():.3g}: divide them by a constant")
    return states.astype(dtype, copy=False), weights


class Matrix:
    """Weights as they are; a bit's field is Σ_j w_ij s_j.

    Attributes
    ----------
    weights : ndarray of shape (n_bits, n_bits)
    nothing : ndarray of shape (n_bits,) or None
        A field that is no larger is zero, up to what rounding has left of it. None: no field is zero.
    """

    def __init__(self, weights, nothing):
        self.weights, self.nothing = weights, nothing

    def fields(self, states):
        """Return the fields of all bits, of shape (n_states, n_bits)."""
        return states @ self.weights.T

    def in_order(self, order):
        """Return the same weights of bits that stand in another order."""
        return Matrix(self.weights[np.ix_(order, order)], _taken(self.nothing, order))

    def blocks(self, bits):
        """Yield slices of bits, their fields at the `bits` as they then are, and the weights among them."""
        for block in slices(len(bits), BITS):
            yield block, self.weights[block] @ bits, self.weights[block, block]


class Factored:
    """Weights FᵀF − diag(own) of a few patterns F: a bit's field is Σ_μ f_μi (f_μ·s) − own_i s_i.

    Attributes
    ----------
    factor : ndarray of shape (n_patterns, n_bits)
    own : ndarray of shape (n_bits,)
        What a bit has no part in.
    nothing : ndarray of shape (n_bits,) or None
        As in `Matrix`.
    """

    def __init__(self, factor, own, nothing):
        self.factor, self.own, self.nothing = factor, own, nothing

    def fields(self, states):
        """As in `Matrix`."""
        found = (states @ self.factor.T) @ self.factor
        found -= self.own * states
        return found

    def in_order(self, order):
        """As in `Matrix`."""
        return Factored(self.factor[:, order], self.own[order], _taken(self.nothing, order))

    def blocks(self, bits):
        """As in `Matrix`, by the overlaps f_μ·s, which are brought up to date after each block."""
        overlaps = self.factor @ bits
        for block in slices(len(bits), BITS):
            part, before = self.factor[:, block], bits[block].copy()
            yield block, part.T @ overlaps - self.own[block, None] * before, part.T @ part
            overlaps += part @ (bits[block] - before)


def _taken(nothing, order):
    return None if nothing is None else nothing[order]


def stepper(weights, update, shuffle=False, random_state=None):
    """Return the function that updates every bit of each state once, given a `Matrix` or a `Factored`."""
    if update == "synchronous":
        return lambda states: _by_parts(states, lambda part: signs(weights.fields(part), part, weights.nothing), FEW)
    if not shuffle:
        return lambda states: _by_parts(states, lambda part: _sweep(part, weights))
    random = check_random_state(random_state)

    def step(states):
        order = random.permutation(states.shape[1])
        shuffled = weights.in_order(order)
        return _by_parts(states[:, order], lambda part: _sweep(part, shuffled))[:, np.argsort(order)]

    return step


def _by_parts(states, update, size=STATES):
    if len(states) <= size:
        return update(states)
    found = np.empty_like(states)
    for part in slices(len(states), size):
        found[part] = update(states[part])
    return found


def signs(field, states, nothing):
    """Return the signs of fields, and the states' own where a field is no larger than `nothing`.

    With None in place of `nothing` no field is zero.
    """
    found = _plus_and_minus(field > 0, field.dtype)
    if nothing is not None:
        still = np.abs(field) <= nothing
        if still.any():
            found[still] = states[still]
    return found


def _sweep(states, weights):
    """Return states whose bits have been updated one after another.

    The fields of a block of bits come from one product of matrices, for all states at once; what a flip does to the
    later bits of its block is added afterwards.
    """
    bits = states.T.copy()  # (n_bits, n_states)
    nothing = np.zeros(len(bits), bits.dtype) if weights.nothing is None else weights.nothing
    for block, fields, inside in weights.blocks(bits):
        for row, (field, small) in enumerate(zip(fields, nothing[block], strict=True)):
            bit = bits[block.start + row]
            flip = field * bit < -small
            if flip.any():
                change = np.where(flip, -2 * bit, 0)
                bit += change
                fields[row + 1:] += inside[row + 1:, row, None] * change
    return np.ascontiguousarray(bits.T)


class HopfieldNetwork(BaseEstimator):
    """A memory of patterns of −1 and +1 that restores damaged ones, bit by bit [hopfield1982]_.

    Parameters
    ----------
    storage : {"hebb", "pseudo-inverse"}, default="hebb"
        Hebb's rule takes patterns that are nearly uncorrelated, up to 0.138 n_bits of them [amit1985]_; the
        pseudo-inverse takes correlated ones, as pictures are, up to n_bits of them [personnaz1985]_, and the nearer
        that number, the less damage it repairs.
    update : {"asynchronous", "synchronous"}, default="asynchronous"
        Bit after bit, which always settles, or all at once, which is faster and may alternate between two states.
    shuffle : bool, default=False
        Whether each asynchronous sweep takes the bits in a new random order.
    self_coupling : bool, default=False
        Whether a bit's field includes the bit itself.
    binarize : float or None, default=0.0
        Entries above are +1, the others −1, which serves bits that come as 0 and 1 too; grey values want a threshold
        between dark and light, for they are all above zero. None takes −1 and +1 only.
    max_steps : int, default=100
        Sweeps, or synchronous updates, after which a state is left where it is, with a ConvergenceWarning.
    random_state : int, RandomState instance or None, default=None
        Of the orders.

    Attributes
    ----------
    weights_ : ndarray of shape (n_features, n_features)
    patterns_ : ndarray of shape (n_patterns, n_features)
    stable_ : boolean ndarray of shape (n_patterns,)
        Whether a pattern stays as it is: what was stored and not remembered is False.
    n_features_in_ : int

    Notes
    -----
    How many steps were taken, and what the energy did, is in the record of `trace`: recalling leaves the memory as it
    is.

    Examples
    --------
    >>> from locmethods.hopfield import HopfieldNetwork
    >>> memory = HopfieldNetwork().fit([[1, 1, 1, -1, -1, -1]])
    >>> memory.recall([[1, 1, 1, -1, -1, 1]])
    array([[ 1.,  1.,  1., -1., -1., -1.]])
    """

    def __init__(
        self,
        storage: str = "hebb",
        *,
        update: str = "asynchronous",
        shuffle: bool = False,
        self_coupling: bool = False,
        binarize: float | None = 0.0,
        max_steps: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.storage = storage
        self.update = update
        self.shuffle = shuffle
        self.self_coupling = self_coupling
        self.binarize = binarize
        self.max_steps = max_steps
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Store patterns.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If X holds NaN, or with ``binarize=None`` anything but −1 and +1, or a parameter is not as above.
        """
        X = validate_data(self, X, dtype=FLOATS)
        check_network(self, storage=(self.storage, STORAGE))
        _check_self_coupling(self.self_coupling)
        self.patterns_ = binarized(X, self.binarize)
        if self.storage == "hebb":
            self._factor, self.weights_ = self.patterns_, hebbian_weights(self.patterns_, self_coupling=True)
        else:
            self._factor = _basis(self.patterns_)
            self.weights_ = self._factor.T @ self._factor
        _without_diagonal(self.weights_, self.self_coupling)
        step = self._stepper("synchronous")
        self.stable_ = (step(self.patterns_.astype(self._number_type, copy=False)) == self.patterns_).all(1)
        return self

    @property
    def _few(self):
        """Whether two products with the factor are cheaper than one with the weights."""
        return 2 * len(self._factor) < self._factor.shape[1]

    @property
    def _number_type(self):
        """The floating type in which states are updated.

        Hebb's rule is taken n_features times, in whole numbers, whose sums are exact: a field is a sum of n_patterns
        overlaps of at most n_bits, and of a share of the bit itself.
        """
        rank, n_bits = self._factor.shape
        if self.storage != "hebb":
            return self._factor.dtype
        return np.dtype(np.float32 if rank * (n_bits + 1) < EXACT else np.float64)

    def _stepper(self, update):
        """Return the function that updates states once.

        Under Hebb's rule half a bit's own state is added to its field: no more than a field of zero, which is to leave
        the bit alone, takes its sign from that.
        """
        hebb, dtype, n_bits = self.storage == "hebb", self._number_type, self._factor.shape[1]
        # The entries of a projector are rounded by a share of its norm, which is one.
        nothing = None if hebb else np.full(n_bits, SAFETY * np.finfo(dtype).eps * n_bits, dtype)
        half = 0.5 if hebb else 0.0
        if self._few:
            factor = self._factor.astype(dtype, copy=False)
            own = np.zeros(n_bits, dtype) if self.self_coupling else (factor**2).sum(0)
            weights = Factored(factor, own - dtype.type(half), nothing)
        else:
            whole = np.rint(n_bits * self.weights_) if hebb else self.weights_
            weights = Matrix((whole + half * np.eye(n_bits)).astype(dtype, copy=False), nothing)
        return stepper(weights, update, self.shuffle, self.random_state)

    def _route(self, X, alone):
        """Return how rows of X become states, how states are updated once, and how they become numbers again.

        States that go `alone`, all bits at once, are kept in words where that pays.
        """
        dtype = self._number_type
        if not (alone and self.storage == "hebb" and self._few and len(X) * self._factor.size >= MANY):
            return lambda part: binarized(part, self.binarize, dtype), self._stepper(self.update), lambda states: states
        own = (0 if self.self_coupling else len(self._factor)) - 0.5
        rule = Packed(self._factor.astype(dtype, copy=False), own)
        return (lambda part: pack(above(part, self.binarize)), rule.step,
                lambda states: unpack(states, self._factor.shape[1]))

    def recall(self, X: ArrayLike) -> np.ndarray:
        """Return the states where rows of `X` settle, of −1 and +1, of shape (n_states, n_features).

        Parameters
        ----------
        X : array-like of shape (n_states, n_features)
        """
        return self._run(X).states

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return `recall` of `X`."""
        return self._run(X).states

    def trace(self, X: ArrayLike) -> np.ndarray:
        """Return the `Recall` of rows of `X`: where they settle, after how many steps, at which energies."""
        return self._run(X, energy=True)

    def energy(self, X: ArrayLike) -> np.ndarray:
        """Return −½ sᵀWs for each row of `X`, of shape (n_states,)."""
        X = self._checked(X)
        return _energy(binarized(X, self.binarize), self.weights_).astype(X.dtype, copy=False)

    def _run(self, X, energy=False):
        X = self._checked(X)
        # Sweeps in one order are taken by all states together, and energies are recorded step by step for all.
        alone = self.update == "synchronous" and not energy
        enter, step, leave = self._route(X, alone)
        levels = (lambda states: _energy(states.astype(X.dtype, copy=False), self.weights_)) if energy else None
        states, records = np.empty_like(X), {}

        def work(first, last):
            part = slice(first, last)
            found = follow(enter(X[part]), step, max_steps=self.max_steps, energy=levels)
            states[part], records[first] = leave(found.states), found

        in_threads(work, len(X), FEW if alone else len(X), products=True)
        records = [records[first] for first in sorted(records)]
        found = Recall(states, records[0].energy, *(np.concatenate([getattr(record, name) for record in records])
                                                    for name in ("n_iter", "settled", "alternating")))
        warn_of_moving(found, self.max_steps, stacklevel=4)
        return found

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS)
