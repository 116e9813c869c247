"""Dense associative memories: an energy that grows faster than the square of the overlaps stores more patterns.

E(s) = −Σ_μ F(x_μ·s) with F(m) = mᵖ [krotov2016]_ or exp(βm) [demircigil2017]_ for bits; for real states
E(ξ) = −log Σ_μ max(0, 1 − β‖x_μ − ξ‖²/2), whose steps are means over the patterns in a window [hoover2025]_.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_not_negative, check_positive
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.arrays.namespace import slices
from locmethods.hopfield.classical import binarized, check_network, signs
from locmethods.hopfield.iteration import iterate
from locmethods.kernels import Epanechnikov, Flat
from locmethods.means import prepare
from locmethods.numerics.units import exponent_of

INTERACTION = ("polynomial", "exponential", "epanechnikov")
BLOCK = 1 << 20  # overlaps that are held at once
SAFETY = 8  # fields below so many roundings of their sum are zero
DIGITS = 53  # whole numbers of so many binary digits are exact in float64
WHOLE_DEGREE = 50  # of larger powers of overlaps none is exact


def gains(overlaps, degree, beta):
    """Return what the overlaps say to a bit: (gain, own, noise) with the field ½ΔE = Σ_μ gain_μ x_μi + s_i Σ_μ own_μ.

    The energies with s_i = −1 and +1 differ by Σ_μ [F(m + 1) − F(m − 1)] at the overlap m of the other bits with x_μi
    each, and m is the whole overlap less s_i x_μi. So a = F(m) − F(m − 2) counts where pattern and bit agree and
    b = F(m + 2) − F(m) where they do not: the gain is (a + b)/2 and own (a − b)/2. All three up to a positive factor a
    state; noise, of shape (n_states, 1), is what rounding may leave of a field that is zero.

    Parameters
    ----------
    overlaps : ndarray of shape (n_states, n_patterns)
        x_μ·s.
    degree : int or None
        p of F(m) = mᵖ; None for F(m) = exp(βm).
    beta : float
    """
    if degree is None:  # over sinh(2β): a = eᵐ(1 − e^(−2β)) and b = eᵐ(e^(2β) − 1) have (a − b)/(a + b) = −tanh β
        with np.errstate(over="ignore"):  # −∞, whose weight is zero
            weight = np.exp(beta * (overlaps - overlaps.max(1, keepdims=True)))
        own = -math.tanh(beta) * weight
        return weight, own, SAFETY * np.finfo(weight.dtype).eps * (weight - own).sum(1, keepdims=True)
    less, same, more, noise = _powers(overlaps.astype(np.float64, copy=False), degree)
    return (more - less) / 2, same - (more + less) / 2, noise


def _powers(overlaps, degree):
    """Return (m − 2)ᵖ, mᵖ and (m + 2)ᵖ over a unit of each state's own, and what rounding may leave of their sums.

    Over a power of two they are exact as long as they have few enough digits, and so are their sums; the differences
    of larger ones lose what the powers have in common.
    """
    largest = np.abs(overlaps).max(1, keepdims=True) + 2
    digits = exponent_of(largest, axis=1, keepdims=True)
    unit = np.ldexp(1.0, digits) if degree <= WHOLE_DEGREE else largest  # over which the largest power does not vanish
    powers = [whole_power((overlaps + shift) / unit, degree) for shift in (-2, 0, 2)]
    exact = float(degree) * digits + math.log2(8 * overlaps.shape[1]) <= DIGITS
    if exact.all():
        return *powers, np.zeros(largest.shape)
    size = sum(np.abs(power).sum(1, keepdims=True) for power in powers)
    return *powers, np.where(exact, 0.0, (degree + SAFETY) * np.finfo(np.float64).eps * size)


def whole_power(base, degree):
    """Return an array to a power of at least one by squaring, ten times as fast as NumPy's general power."""
    power, square = None, base
    while degree:
        if degree % 2:
            power = square if power is None else power * square
        degree //= 2
        if degree:
            square = square * square
    return power


class DenseAssociativeMemory(BaseEstimator):
    """A memory whose energy is steep in the overlaps, so that it holds many patterns [krotov2016]_ [demircigil2017]_.

    Parameters
    ----------
    interaction : {"polynomial", "exponential", "epanechnikov"}, default="polynomial"
        F of the energy −Σ_μ F(x_μ·s) of bits; "epanechnikov" is a memory of real patterns, with the energy
        −log Σ_μ max(0, 1 − β‖x_μ − ξ‖²/2) [hoover2025]_.
    degree : int, default=3
        Of the polynomial, at least 2; 2 is the classical network with Hebb's rule.
    beta : float, default=1.0
        β of the exponential exp(β x_μ·s), or of the window, whose radius is √(2/β). The polynomial has none.
    update : {"asynchronous", "synchronous"}, default="asynchronous"
        Bit after bit, which always settles, or all at once. An Epanechnikov memory moves its states whole.
    shuffle : bool, default=False
        Whether each asynchronous sweep takes the bits in a new random order.
    binarize : float or None, default=0.0
        Of bits, entries above are +1 and the others −1; grey values want a threshold between dark and light. None takes
        −1 and +1 only.
    tol : float, default=1e-9
        Real states have settled when no entry moves by more than `tol` times the window's radius.
    max_steps : int, default=100
        Sweeps or steps after which a state is left where it is, with a ConvergenceWarning.
    random_state : int, RandomState instance or None, default=None
        Of the orders.

    Attributes
    ----------
    patterns_ : ndarray of shape (n_patterns, n_features)
    stable_ : boolean ndarray of shape (n_patterns,)
        Whether a pattern stays as it is: what was stored and not remembered is False.
    n_features_in_ : int

    Notes
    -----
    Under the exponential a bit becomes the sign of m_i − tanh(β) s_i, with m the softmax local mean of the patterns at
    the state and the temperature 1/β. With an Epanechnikov window a state with no pattern in reach stays where it is,
    at infinite energy.

    Examples
    --------
    >>> from locmethods.hopfield import DenseAssociativeMemory
    >>> memory = DenseAssociativeMemory(degree=3).fit([[1, 1, 1, 1, 1], [1, 1, 1, -1, -1]])
    >>> memory.recall([[-1, 1, 1, 1, 1]]), memory.stable_
    (array([[1., 1., 1., 1., 1.]]), array([ True,  True]))
    """

    def __init__(
        self,
        interaction: str = "polynomial",
        *,
        degree: int = 3,
        beta: float = 1.0,
        update: str = "asynchronous",
        shuffle: bool = False,
        binarize: float | None = 0.0,
        tol: float = 1e-9,
        max_steps: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.interaction = interaction
        self.degree = degree
        self.beta = beta
        self.update = update
        self.shuffle = shuffle
        self.binarize = binarize
        self.tol = tol
        self.max_steps = max_steps
        self.random_state = random_state

    @property
    def _real(self):
        return self.interaction == "epanechnikov"

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Store patterns.

        Parameters
        ----------
        X : array-like of shape (n_patterns, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If X holds NaN, or of bits with ``binarize=None`` anything but −1 and +1, or a parameter is not as above.
        """
        X = validate_data(self, X, dtype=FLOATS)
        check_network(self, interaction=(self.interaction, INTERACTION))
        check_count("degree", self.degree, 2)
        check_positive("beta", self.beta)
        check_not_negative("tol", self.tol)
        self._radius = math.sqrt(2 / float(self.beta))
        if self._real:
            self.patterns_ = X
            self._window = prepare(X, kernel=Flat(self._radius))
            self._hills = prepare(X, kernel=Epanechnikov(self._radius))
            moved = np.abs(self._climb(X) - X).max(1)
            self.stable_ = moved <= self.tol * self._radius
        else:
            self.patterns_ = binarized(X, self.binarize)
            self.stable_ = (self._all_at_once(self.patterns_) == self.patterns_).all(1)
        return self

    def recall(self, X: ArrayLike) -> np.ndarray:
        """Return the states where rows of `X` settle, of shape (n_states, n_features).

        Parameters
        ----------
        X : array-like of shape (n_states, n_features)
        """
        return self._iterate(self._states(X)).states

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return `recall` of `X`."""
        return self._iterate(self._states(X)).states

    def trace(self, X: ArrayLike) -> np.ndarray:
        """Return the `Recall` of rows of `X`: where they settle, after how many steps, at which energies."""
        return self._iterate(self._states(X), energy=self._energy)

    def energy(self, X: ArrayLike) -> np.ndarray:
        """Return the energy of each row of `X`, of shape (n_states,).

        −n_features Σ_μ (x_μ·s/n_features)ᵖ of a polynomial memory, −(1/β) log Σ_μ exp(β x_μ·s) of an exponential one,
        a monotone function of its −Σ F, and −log Σ_μ max(0, 1 − β‖x_μ − ξ‖²/2) of an Epanechnikov memory, infinite
        with no pattern in reach.
        """
        return self._energy(self._states(X))

    def _iterate(self, states, **options):
        if self._real:
            step, tol = self._climb, self.tol * self._radius
        elif self.update == "synchronous":
            step, tol = self._all_at_once, 0.0
        else:
            step, tol = self._one_by_one(), 0.0
        return iterate(states, step, max_steps=self.max_steps, tol=tol, stacklevel=5, **options)

    def _climb(self, states):
        """Return the mean of the patterns in each state's window, the state itself where there are none."""
        mean = self._window.mean(states, empty="nan")
        return np.where(np.isnan(mean), states, mean).astype(states.dtype, copy=False)

    def _parts(self, states):
        """Yield slices of the states, and their overlaps with the patterns."""
        for part in slices(len(states), max(1, BLOCK // len(self.patterns_))):
            yield part, states[part] @ self.patterns_.T

    def _gains(self, overlaps):
        degree = self.degree if self.interaction == "polynomial" else None
        return gains(overlaps, degree, float(self.beta))

    def _all_at_once(self, states):
        there = np.empty_like(states)
        for part, overlaps in self._parts(states):
            gain, own, noise = self._gains(overlaps)
            here = states[part]
            there[part] = signs(gain @ self.patterns_ + own.sum(1, keepdims=True) * here, here, noise)
        return there

    def _one_by_one(self):
        """Return the function that updates the bits of each state one after another."""
        random = check_random_state(self.random_state)

        def sweep(states):
            order = random.permutation(states.shape[1]) if self.shuffle else range(states.shape[1])
            there = states.copy()
            for part, overlaps in self._parts(states):
                here = there[part]
                gain, own, noise = self._gains(overlaps)
                small, level = noise[:, 0], own.sum(1)
                for i in order:
                    bit, pattern = here[:, i], self.patterns_[:, i]
                    flip = np.flatnonzero((gain @ pattern + level * bit) * bit < -small)
                    if len(flip):
                        overlaps[flip] -= 2 * bit[flip, None] * pattern
                        bit[flip] *= -1  # a view of `there`
                        gain[flip], again, noise = self._gains(overlaps[flip])
                        level[flip], small[flip] = again.sum(1), noise[:, 0]
            return there

        return sweep

    def _energy(self, states):
        if self._real:
            sums = self._hills.sum(states)
            with np.errstate(divide="ignore"):  # nothing in reach: infinite
                energy = -(np.log(sums.total) + sums.log_scale)
            return np.where(np.isneginf(sums.log_scale), math.inf, energy).astype(states.dtype, copy=False)
        levels = np.concatenate([self._level(overlaps) for _, overlaps in self._parts(states)])
        return levels.astype(states.dtype, copy=False)

    def _level(self, overlaps):
        if self.interaction == "polynomial":
            return -self.n_features_in_ * whole_power(overlaps / self.n_features_in_, self.degree).sum(1)
        beta, top = float(self.beta), overlaps.max(1)
        with np.errstate(over="ignore"):
            return -(top + np.log(np.exp(beta * (overlaps - top[:, None])).sum(1)) / beta)

    def _states(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return X if self._real else binarized(X, self.binarize)
