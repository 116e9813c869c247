"""A network whose outputs become eigenfunctions of averaging: the estimator, and its training."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from locmethods.arrays.checks import check_count, check_option, check_positive, check_tol
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.eigenmaps.losses import LOSSES
from locmethods.eigenmaps.pairs import GraphPairs, KernelPairs, Moments, ViewPairs, as_pairs
from locmethods.eigenmaps.ritz import RayleighRitz
from locmethods.numerics.settling import say_unsettled

AT_ONCE = 1 << 15  # pairs that are drawn together: a kernel's rows then serve many of them
SHORTEST = 30.0  # axes of less than a thirtieth of the longest's variance are not made as long as the others
ROWS = 1 << 14  # rows that a fitted network sees at once


class NeuralEigenmaps(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learn eigenfunctions of averaging over pairs by a network [deng2022]_.

    If x and x′ are a pair with the joint density K(x, x′), the local mean E[f(x′)|x] has eigenfunctions ψ₁ = 1, ψ₂, …,
    those of Laplacian eigenmaps. A network with `n_components` outputs is trained on pairs, and `transform` gives
    ψ₁(x), …, ψ_k(x), each of mean square one over the pairs' points, for any x.

    Parameters
    ----------
    n_components : int, default=8
        Outputs. The first is the constant function, unless the loss centres.
    pairs : Kernel, array, sparse array or callable, optional
        Where pairs come from. A kernel: two of the sample's rows, in proportion to their weight. An array of shape
        (n_samples, n_samples): the ends of a graph's edges. A callable ``view(X, rng)``: a row seen twice; see
        `ViewPairs`. ``Gaussian(bandwidth=1.0)`` by default.
    loss : {"eigenmaps", "neuralef", "spin", "barlow", "contrastive"} or Module, default="eigenmaps"
        `EigenmapLoss`, `NeuralEFLoss`, `SpINLoss`, `BarlowTwinsLoss` or `SpectralContrastiveLoss`, of which the first
        three order their outputs.
    alpha : float or "auto", default="auto"
        The penalty of "eigenmaps"; other losses take none. `least_alpha` says what is enough, if the eigenvalues are
        known; much more than that hurts, since the penalty of a batch is biased.
    hidden : sequence of int, default=(64, 64)
        Units of the network's layers, each rectified; none for linear outputs.
    whiten : bool, default=True
        Whether a fixed linear map comes first that centres the sample and scales its principal axes to like lengths,
        1/√(λ + λ₁/30) for an axis of variance λ and the longest of variance λ₁. Neither the units of the features nor
        their correlation then slow training down.
    network : Module, optional
        Used in the place of all that; it maps (n, n_features) to (n, n_components). It is copied.
    steps, batch_size : int, default=1000, 256
        Steps of Adam, and pairs of each.
    learning_rate : float, default=2e-3
        At first; it falls along half a cosine to zero.
    tol : float, default=0.02
        Training has settled if the loss fell, from the third quarter of the steps to the last, by no more than `tol` of
        its size and twice the standard error of that difference.
    random_state : int, RandomState or None, default=None
        Of the pairs and the first weights.

    Attributes
    ----------
    network_ : Module
        In evaluation mode, of the floating type of the fitted sample.
    loss_ : Module
    coefficients_ : ndarray of shape (n_components, n_components)
    mean_ : ndarray of shape (n_components,)
        What `transform` subtracts from the network's outputs, before it multiplies by `coefficients_`.
    eigenvalues_ : ndarray of shape (n_components,)
        E[ψⱼ(x) ψⱼ(x′)]/E[ψⱼ²], of each output as it stands.
    losses_ : ndarray of shape ``(n_iter_,)``
    n_iter_ : int
        Steps that were taken: `steps`, unless the loss was not finite.
    n_features_in_ : int

    Notes
    -----
    Training is the same, bit for bit, in every run on one machine; it takes one thread, which is fastest for small
    networks. Fit a float32 sample where speed matters more than digits.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.eigenmaps import NeuralEigenmaps
    >>> from locmethods.kernels import Flat
    >>> x = np.array([[0.0], [1.0], [2.0], [4.0], [5.0], [6.0]])  # two groups, of which only 2 and 4 see each other
    >>> model = NeuralEigenmaps(2, pairs=Flat(2.0), steps=300, batch_size=64, random_state=0).fit(x)
    >>> first, second = model.transform(x).T
    >>> bool(np.ptp(first) < 0.2), np.sign(second * second[0]).astype(int)
    (True, array([ 1,  1,  1, -1, -1, -1]))
    """

    def __init__(self, n_components: int = 8, *, pairs: object = None, loss: str | nn.Module = "eigenmaps",
                 alpha: float | str = "auto", hidden: tuple = (64, 64), whiten: bool = True,
                 network: nn.Module | None = None, steps: int = 1000, batch_size: int = 256,
                 learning_rate: float = 2e-3, tol: float = 0.02,
                 random_state: int | np.random.RandomState | None = None) -> None:
        self.n_components = n_components
        self.pairs = pairs
        self.loss = loss
        self.alpha = alpha
        self.hidden = hidden
        self.whiten = whiten
        self.network = network
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> NeuralEigenmaps:
        """Train the network on pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of a graph, what is known of its nodes; ``np.eye(n_nodes)`` if that is their names only.
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the sample holds NaN, a parameter is not as above, or the pairs are those of no symmetric weights.

        Warns
        -----
        ConvergenceWarning
            If the loss was still falling, or was not finite, when training ended.
        """
        self._check()
        X = validate_data(self, X, dtype=FLOATS)
        source = as_pairs(self.pairs, X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.loss_ = self._new_loss()
        self.network_ = self._new_network(X, seed).to(torch.float32 if X.dtype == np.float32 else torch.float64)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            self.losses_ = train(self.network_, self.loss_, source, steps=self.steps, batch_size=self.batch_size,
                                 learning_rate=self.learning_rate, seed=seed)
            moments = source.moments(self._outputs)
        finally:
            torch.set_num_threads(threads)
        self.n_iter_ = len(self.losses_)
        self.mean_ = moments.mean if self.loss_.centred else np.zeros(self.n_components)
        self._moments = about(moments, self.mean_)
        self.coefficients_ = self.loss_.coefficients(moments)
        norms = np.einsum("ij,ik,kj->j", self.coefficients_, self._moments.square, self.coefficients_)
        cross = np.einsum("ij,ik,kj->j", self.coefficients_, self._moments.cross, self.coefficients_)
        self.eigenvalues_ = np.divide(cross, norms, out=np.zeros_like(cross), where=norms > 0)
        self._n_features_out = self.n_components
        self._say_whether_settled()
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the functions at the rows of `X`, of shape (n_samples, n_components)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return ((self._outputs(X) - self.mean_) @ self.coefficients_).astype(X.dtype)

    def rayleigh_ritz(self, n_components: int | None = None) -> RayleighRitz:
        """Return what turns the answers of `transform` into the best eigenfunctions of their span, in order.

        Parameters
        ----------
        n_components : int, optional
            How many; all by default.

        Returns
        -------
        RayleighRitz
            Fitted to the moments of the training pairs.
        """
        check_is_fitted(self)
        turn = self.coefficients_
        return RayleighRitz(n_components).fit_moments(turn.T @ self._moments.cross @ turn,
                                                      turn.T @ self._moments.square @ turn)

    def _check(self):
        for name in ("n_components", "steps", "batch_size"):
            check_count(name, getattr(self, name), 2 if name == "batch_size" else 1)
        check_positive("learning_rate", self.learning_rate)
        check_tol(self.tol)
        if not isinstance(self.whiten, bool | np.bool_):
            raise TypeError(f"whiten must be True or False, got {self.whiten!r}")
        if not isinstance(self.hidden, tuple | list | np.ndarray):
            raise TypeError(f"hidden must be a sequence of integers, got {self.hidden!r}")
        for units in self.hidden:
            check_count("hidden", units, 1)
        for name, kind in (("loss", nn.Module), ("network", nn.Module)):
            value = getattr(self, name)
            if not (isinstance(value, kind | str) if name == "loss" else value is None or isinstance(value, kind)):
                raise TypeError(f"{name} must be a Module{' or a name' if name == 'loss' else ' or None'}, got "
                                f"{value!r}")
        if isinstance(self.loss, nn.Module) and not (hasattr(self.loss, "centred")
                                                     and hasattr(self.loss, "coefficients")):
            raise TypeError("loss must have an attribute centred and a method coefficients(moments), as EigenmapLoss "
                            f"has, got {type(self.loss).__name__}")
        if self.network is not None and not any(one.requires_grad for one in self.network.parameters()):
            raise ValueError("the network must have parameters that can be trained, got none")
        if isinstance(self.loss, str):
            check_option("loss", self.loss, tuple(LOSSES))

    def _new_loss(self):
        if isinstance(self.loss, nn.Module):
            return copy.deepcopy(self.loss)
        return LOSSES[self.loss](self.alpha) if self.loss == "eigenmaps" else LOSSES[self.loss]()

    def _new_network(self, X, seed):
        if self.network is not None:
            return copy.deepcopy(self.network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = [self.n_features_in_, *self.hidden, self.n_components]
            layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
            first = [whitening(X)] if self.whiten else []
        return nn.Sequential(*first, *layers[:-1])

    def _outputs(self, X):
        """Return the network's own outputs in float64."""
        with torch.no_grad():
            dtype = next(self.network_.parameters()).dtype
            points = torch.tensor(X, dtype=dtype)  # a copy, since X may be read-only
            parts = [self.network_(rows) for rows in points.split(ROWS)]
        found = torch.cat(parts).double().numpy()
        if found.shape != (len(X), self.n_components):
            raise ValueError(f"the network must give n_components = {self.n_components} outputs a row, got shape "
                             f"{found.shape} for {len(X)} rows")
        if not np.isfinite(found).all():
            raise ValueError("the network's outputs must be finite: take a smaller learning_rate in fit, or points "
                             "whose size is that of the sample")
        return found

    def _say_whether_settled(self):
        if self.tol == math.inf and np.isfinite(self.losses_[-1]):
            return
        losses, quarter = self.losses_, max(1, self.n_iter_ // 4)
        if not np.isfinite(losses[-1]):
            say_unsettled(f"the loss of step {self.n_iter_ - 1} was {losses[-1]}, and training ended there: take a "
                          "smaller learning_rate, or scale the sample")
            return
        before, last = losses[-2 * quarter:-quarter], losses[-quarter:]
        if not len(before):  # a single step settles nothing
            before = losses + 2 * (1 + self.tol) * (1 + abs(losses))
        fall = before.mean() - last.mean()
        noise = math.sqrt((before.var() + last.var()) / quarter)
        if fall > self.tol * abs(last.mean()) + 2 * noise:
            say_unsettled(f"the loss was still falling after {self.n_iter_} steps, by {fall:.2g} to {last.mean():.3g} "
                          "in the last quarter of them: take more steps, or a larger learning_rate")


def whitening(X: NDArray) -> nn.Linear:
    """Return the fixed map x → (x − x̄)ᵀ uⱼ/√(λⱼ + λ₁/30) for the principal axes u of a sample."""
    mean = X.mean(axis=0, dtype=np.float64)
    variance, axes = np.linalg.eigh(np.cov(X.T.astype(np.float64), bias=True).reshape(X.shape[1], X.shape[1]))
    scale = 1 / np.sqrt(np.maximum(variance, 0) + (variance[-1] / SHORTEST if variance[-1] > 0 else 1.0))
    layer = nn.Linear(X.shape[1], X.shape[1], dtype=torch.float64).requires_grad_(False)
    layer.weight.copy_(torch.from_numpy((axes * scale).T.copy()))
    layer.bias.copy_(torch.from_numpy(-(axes * scale).T @ mean))
    return layer


def train(network: nn.Module, loss: nn.Module, source: KernelPairs | GraphPairs | ViewPairs, *, steps: int,
          batch_size: int, learning_rate: float, seed: int) -> NDArray:
    """Train a network, where it stands, on pairs of a source by Adam; return the losses, of shape (n_steps,)."""
    learned = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    dtype = next(network.parameters()).dtype
    losses = np.empty(steps)
    network.train()
    batches = batches_of(source, steps, batch_size, np.random.default_rng(seed))
    for step, (first, second) in enumerate(batches):
        both = network(torch.as_tensor(np.concatenate([first, second]), dtype=dtype))
        value = loss(both[:batch_size], both[batch_size:])
        losses[step] = float(value.detach())
        if not math.isfinite(losses[step]):
            losses = losses[:step + 1]
            break
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    return losses


def batches_of(source, steps, batch_size, rng) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield pairs for so many steps, drawn many at once."""
    together = max(1, AT_ONCE // batch_size)
    for start in range(0, steps, together):
        count = min(together, steps - start)
        first, second = source.draw(count * batch_size, rng)
        for number in range(count):
            part = slice(number * batch_size, (number + 1) * batch_size)
            yield first[part], second[part]


def about(moments: Moments, mean: NDArray) -> Moments:
    """Return the moments of z − mean, for a mean that is E[z] or zero."""
    outer = np.outer(mean, mean)
    return Moments(moments.mean - mean, moments.square - outer, moments.cross - outer)
