"""The best denoiser there is for given clean data: a local mean of them, whose kernel is the noise."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_number, check_option, check_positive
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.denoising.noise import NOISES, as_level, kernel_of, log_factor
from locmethods.kernels import Gaussian
from locmethods.means import prepare
from locmethods.numerics.units import exponent_of, in_unit, largest_of

PRIORS = ("empirical", "kernel_density", "gaussian")
FAR = 32  # squares of numbers of at most this exponent, and of what is 2⁻³⁰ of them, are normal in single precision


class EmpiricalDenoiser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """The posterior mean E(z | x) of a clean point, given a noisy one: what a denoising autoencoder is trained for.

    No function of x has a smaller mean squared error under the prior. Over the training points themselves it is a
    local mean, D(x) = Σ g(x | zᵢ) zᵢ / Σ g(x | zᵢ), with the noise's density g for a kernel [vincent2011]_.

    Parameters
    ----------
    sigma : float, default=1.0
        σ, the standard deviation of the noise in each feature, in the units of the data. Of Poisson noise σ² is the
        variance at intensity one: x/σ² is a count with mean z/σ².
    prior : {"empirical", "kernel_density", "gaussian"}, default="empirical"
        What is known of clean points: that they are training points; that they are drawn from a kernel density
        estimate of them, Gaussian of bandwidth h; or the training points' mean and covariance, for Wiener's filter.
    bandwidth : float, default=1.0
        h, in the units of the data; of the prior "kernel_density" alone.
    noise : {"gaussian", "laplace", "uniform", "poisson"}, default="gaussian"
        Independent in each feature, with mean zero; see `sigma`. Other noise than Gaussian goes with the prior
        "empirical".
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a point gives that no training point can have become, by uniform noise, or as counts where intensities
        are zero; see `locmethods.local_mean`.

    Attributes
    ----------
    keys_ : ndarray of shape (n_samples, n_features)
        The training points.
    mean_ : ndarray of shape (n_features,)
        Their mean; of the prior "gaussian".
    variances_ : ndarray of shape (n_components,)
        Their variances along `components_`, falling; of the prior "gaussian". Zero or infinite where they are no
        normal numbers, as of data of 1e-200 or 1e200, whose posterior means are right nevertheless.
    components_ : ndarray of shape (n_components, n_features)
        Their principal axes, min(n_samples, n_features) of them; of the prior "gaussian".
    n_features_in_ : int

    Examples
    --------
    >>> from locmethods.denoising import EmpiricalDenoiser
    >>> denoiser = EmpiricalDenoiser(sigma=1.0).fit([[-1.0], [1.0]])
    >>> denoiser.denoise([[0.5]]).round(3)  # tanh(x/σ²)
    array([[0.462]])
    """

    def __init__(
        self,
        sigma: float = 1.0,
        *,
        prior: str = "empirical",
        bandwidth: float = 1.0,
        noise: str = "gaussian",
        empty: str = "nearest",
    ) -> None:
        self.sigma = sigma
        self.prior = prior
        self.bandwidth = bandwidth
        self.noise = noise
        self.empty = empty

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Keep the clean data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Clean points; intensities of at least zero for Poisson noise.
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, or a parameter is not as above.
        """
        check_positive("sigma", self.sigma)
        check_positive("bandwidth", self.bandwidth)
        for name, options in (("prior", PRIORS), ("noise", NOISES), ("empty", EMPTY)):
            check_option(name, getattr(self, name), options)
        if self.noise != "gaussian" and self.prior != "empirical":
            raise ValueError(f"noise={self.noise!r} goes with prior='empirical' alone, got prior={self.prior!r}")
        X = self._intensities(validate_data(self, X, dtype=FLOATS))
        self.keys_ = X
        exponent = int(exponent_of(X))
        self._exponent = exponent if abs(exponent) > FAR else 0
        if self.prior == "gaussian":
            self.mean_ = X.mean(0)
            _, length, self.components_ = np.linalg.svd(X - self.mean_, full_matrices=False)
            # Squares of 1e200 and of 1e-200 are no doubles: what follows divides by deviations, never by variances.
            self._deviations = length / math.sqrt(len(X))
            with np.errstate(over="ignore"):
                self.variances_ = self._deviations**2
        elif self.noise == "gaussian":
            self._prepared = self._prepare(Gaussian(1.0))
        return self

    def denoise(self, X: ArrayLike, sigma: float | None = None) -> np.ndarray:
        """Return the posterior mean of each row, of shape (n_queries, n_features).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Noisy points.
        sigma : float, optional
            The level of their noise; the estimator's own by default.

        Raises
        ------
        ValueError, TypeError
            If the data are not as in `fit`, or `sigma` is not positive and finite.
        """
        X, sigma = self._entered(X, sigma)
        if self.prior == "gaussian":
            share = (self._deviations / self._total(sigma))**2
            return self.mean_ + ((X - self.mean_) @ self.components_.T * share) @ self.components_
        mean = self._mean(X, sigma, self.empty)
        if self.prior == "empirical":
            return mean
        # Each part of the density is a Gaussian: towards its centre, by σ² against h².
        stays = self._stays(sigma)
        return stays * X + (1 - stays) * mean

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the posterior means at the estimator's own `sigma`; see `denoise`."""
        return self.denoise(X)

    def __call__(self, X: ArrayLike, sigma: float | None) -> np.ndarray:
        """Return ``denoise(X, sigma)``: a denoiser as the samplers take it."""
        return self.denoise(X, sigma)

    def score_function(self, X: ArrayLike, sigma: float | None = None) -> np.ndarray:
        r"""Return ∇ log p(x), the gradient of the noisy data's log-density, by Tweedie's formula (D(x) − x)/σ².

        Parameters
        ----------
        X, sigma
            As in `denoise`.

        Returns
        -------
        ndarray of shape (n_queries, n_features)
            In one over the units of the data.

        Raises
        ------
        ValueError, TypeError
            As in `denoise`, and if the noise is not Gaussian: then the formula does not hold [efron2011]_.
        """
        self._check_gaussian("score_function")
        X, sigma = self._entered(X, sigma)
        if self.prior == "gaussian":
            along, outside = self._split(X)
            total = self._total(sigma)
            return (-outside / sigma / sigma - (along / total / total) @ self.components_).astype(X.dtype)
        width = self._width(sigma)
        return (self._mean(X, sigma, "nearest") - X) / width / width

    def log_density(self, X: ArrayLike, sigma: float | None = None) -> np.ndarray:
        """Return log p(x) of each row under the prior and the noise; of Poisson noise the probability of the counts.

        Parameters
        ----------
        X, sigma
            As in `denoise`.

        Returns
        -------
        ndarray of shape (n_queries,)
            −inf where uniform noise cannot lead.
        """
        X, sigma = self._entered(X, sigma)
        if self.prior == "gaussian":
            along, outside = self._split(X)
            total, rest = self._total(sigma), X.shape[1] - len(self._deviations)
            square = ((along / total)**2).sum(1) + ((outside / sigma)**2).sum(1)
            determinant = 2 * np.log(total).sum() + 2 * rest * math.log(sigma)
            return (-0.5 * (square + determinant + X.shape[1] * math.log(2 * math.pi))).astype(X.dtype)
        weight = self._keys(sigma).sum(X).log_normaliser
        return weight - math.log(len(self.keys_)) + log_factor(self.noise, self._width(sigma), X)

    def posterior_covariance(self, X: ArrayLike, sigma: float | None = None) -> np.ndarray:
        """Return the covariance of the clean point given the noisy one: what is left to know.

        Parameters
        ----------
        X, sigma
            As in `denoise`.

        Returns
        -------
        ndarray of shape (n_queries, n_features, n_features)
            In squared units of the data; its trace is the expected squared error at x.

        Raises
        ------
        ValueError, TypeError
            As in `denoise`, and if squares of the training points are no normal numbers.
        """
        X, sigma = self._entered(X, sigma)
        kind = np.finfo(self.keys_.dtype)
        least, most = math.sqrt(kind.tiny), math.sqrt(kind.max) / 4
        size = max(largest_of(self.keys_), self._bandwidth if self.prior == "kernel_density" else 0.0)
        if size and not least <= size <= most:
            raise ValueError(f"posterior_covariance squares the data's units, so the largest number in the training "
                             f"points must be from {least:.2g} to {most:.2g}, got {size:.2g}")
        return self._spread(X, sigma, 1.0)

    def jacobian(self, X: ArrayLike, sigma: float | None = None) -> np.ndarray:
        """Return ∂D/∂x, which for Gaussian noise is the posterior covariance over σ².

        Parameters
        ----------
        X, sigma
            As in `denoise`.

        Returns
        -------
        ndarray of shape (n_queries, n_features, n_features)
            Symmetric, without a unit.

        Raises
        ------
        ValueError, TypeError
            As in `denoise`, and if the noise is not Gaussian.
        """
        self._check_gaussian("jacobian")
        X, sigma = self._entered(X, sigma)
        return self._spread(X, sigma, sigma)

    def _check_gaussian(self, method):
        if self.noise != "gaussian":
            raise ValueError(f"{method} rests on Tweedie's formula, which holds for Gaussian noise alone, got "
                             f"noise={self.noise!r}")

    def _level(self, sigma):
        sigma = self.sigma if sigma is None else sigma
        if self.noise == "poisson":
            return as_level("sigma", sigma, " under Poisson noise, which its square counts")
        check_positive("sigma", sigma)
        return as_number("sigma", sigma)

    @property
    def _bandwidth(self):
        return as_number("bandwidth", self.bandwidth)

    def _width(self, sigma):
        """Return the width of the kernel: of σ, and of h beside it if each training point stands for a Gaussian."""
        return math.hypot(sigma, self._bandwidth) if self.prior == "kernel_density" else sigma

    def _stays(self, sigma):
        """Return the share of itself that a point keeps where each training point stands for a Gaussian."""
        return (self._bandwidth / self._width(sigma))**2

    def _total(self, sigma):
        """Return the standard deviations of noisy points along the training points' components."""
        return np.hypot(self._deviations, sigma)

    def _mean(self, X, sigma, empty):
        return np.ldexp(self._keys(sigma).mean(X, empty=empty), self._exponent)

    def _spread(self, X, sigma, unit):
        """Return the posterior covariance in squares of a unit, a number."""
        if self.prior == "gaussian":
            left = self.components_.T * (self._deviations * (sigma / self._total(sigma)) / unit)
            matrix = left @ left.T
            return np.broadcast_to(matrix, (len(X), *matrix.shape)).copy()
        local = self._keys(sigma).moments(X, empty=self.empty).covariance
        for _ in range(2):
            local = np.ldexp(local, self._exponent) / unit
        if self.prior == "empirical":
            return local
        stays = self._stays(sigma)
        return (1 - stays)**2 * local + stays * (sigma / unit)**2 * np.eye(X.shape[1], dtype=X.dtype)

    def _split(self, X):
        """Return what points have along the training points' components, and what lies where these have no variance."""
        gap = X.astype(np.float64) - self.mean_
        along = gap @ self.components_.T
        return along, gap - along @ self.components_

    def _entered(self, X, sigma):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self._intensities(X), self._level(sigma)

    def _intensities(self, X):
        if self.noise == "poisson" and (X < 0).any():
            raise ValueError(f"Negative values in data: under Poisson noise X must be intensities or counts of at "
                             f"least 0, got {(X < 0).sum()} below")
        return X

    def _keys(self, sigma):
        """Return the training points, prepared for a level of noise."""
        if self.noise == "gaussian":
            return self._prepared.under(Gaussian(self._width(sigma)))
        return self._prepare(kernel_of(self.noise, sigma, zeros=bool((self.keys_ == 0).any())))

    def _prepare(self, kernel):
        """Return the training points, prepared for a kernel; as values they are counted in units of 2ᵉ."""
        values = in_unit(self.keys_, self._exponent) if self._exponent else self.keys_
        return prepare(self.keys_, values, kernel=kernel)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.positive_only = self.noise == "poisson"
        return tags
