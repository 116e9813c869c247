"""Losses of one number, and their localized minimisers found by search: the slow route that checks the statistics.

Nothing here uses a kernel, an engine or a torch tensor. The weights come in as a matrix, the minimiser goes out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["BREGMAN", "Bregman", "best_label", "best_of", "cross_entropy", "divergence", "gaussian_nll",
           "least_squares", "minimiser", "pinball", "smallest", "softmax"]


class Bregman(NamedTuple):
    """A convex function φ, which makes the divergence B(y, θ) = φ(y) − φ(θ) − φ′(θ)(y − θ) [banerjee2005]_.

    Attributes
    ----------
    phi, slope : callable
        φ and φ′.
    """

    phi: Any
    slope: Any


# On positive numbers all five are strictly convex.
BREGMAN = {
    "squared": Bregman(np.square, lambda y: 2 * y),
    "Kullback–Leibler": Bregman(lambda y: y * np.log(y) - y, np.log),
    "Itakura–Saito": Bregman(lambda y: -np.log(y), lambda y: -1 / y),
    "exponential": Bregman(np.exp, np.exp),
    "cubic": Bregman(lambda y: y**3, lambda y: 3 * y**2),
}


def divergence(name, y, theta):
    """Return the Bregman divergence B(y, θ), zero only at y = θ.

    Parameters
    ----------
    name : {"squared", "Kullback–Leibler", "Itakura–Saito", "exponential", "cubic"}
    y, theta : array-like
        Positive numbers, of shapes that broadcast.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If the divergence is unknown.
    """
    if name not in BREGMAN:
        raise ValueError(f"name must be one of {', '.join(map(repr, BREGMAN))}, got {name!r}")
    phi, slope = BREGMAN[name]
    return phi(y) - phi(theta) - slope(theta) * (y - theta)


def pinball(y, theta, q=0.5):
    """Return the pinball loss, q(y − θ) above θ and (1 − q)(θ − y) below [koenker1978]_; half of |y − θ| at q = ½."""
    return np.where(y >= theta, q * (y - theta), (q - 1) * (y - theta))


def gaussian_nll(y, mean, variance):
    """Return the negative log-likelihood of a Gaussian, ½ log(2πs²) + (y − m)²/2s²; `variance` is positive."""
    return 0.5 * np.log(2 * np.pi * variance) + (y - mean) ** 2 / (2 * variance)


def cross_entropy(codes, logits):
    """Return −log of the share that softmax(logits) gives to each observed class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_values,)
    logits : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_values,)
    """
    top = logits.max()
    return top + np.log(np.exp(logits - top).sum()) - logits[codes]


def least_squares(values, weights):
    """Return the minimiser of Σ w(y − θ)² and the minimum over Σ w, by a QR solve on √w for each row.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
    weights : ndarray of shape (n_queries, n_values)

    Returns
    -------
    (ndarray of shape (n_queries,), ndarray of shape (n_queries,))
    """
    place, least = [], []
    for root in np.sqrt(weights):
        q, r = np.linalg.qr(root[:, None])
        theta = (q.T @ (root * values) / r[0])[0]
        place.append(theta)
        least.append(((root * (values - theta)) ** 2).sum() / (root**2).sum())
    return np.array(place), np.array(least)


def minimiser(loss, values, weights):
    """Return argmin over θ of Σᵢ wᵢ loss(vᵢ, θ) for each row of weights, by golden section and parabolas.

    Parameters
    ----------
    loss : callable
        ``loss(values, theta)`` of shape (n_values,); its weighted sum must have one minimum.
    values : ndarray of shape (n_values,)
    weights : ndarray of shape (n_queries, n_values)

    Returns
    -------
    ndarray of shape (n_queries,)
        Right to about √ε of the values' extent: nearer the minimum the sum does not change its digits.
    """
    from scipy.optimize import minimize_scalar

    bounds = float(values.min()), float(values.max())
    return np.array([minimize_scalar(lambda theta, w=w: w @ loss(values, theta) / w.sum(), bounds=bounds,
                                     method="bounded", options={"xatol": 1e-11 * bounds[1], "maxiter": 500}).x
                     for w in weights])


def smallest(loss, start, weights):
    """Return argmin over a vector θ of Σᵢ wᵢ lossᵢ(θ) for each row of weights, by BFGS on difference quotients.

    Parameters
    ----------
    loss : callable
        ``loss(theta)`` of shape (n_values,).
    start : ndarray of shape (n_parameters,)
    weights : ndarray of shape (n_queries, n_values)

    Returns
    -------
    ndarray of shape (n_queries, n_parameters)
        Right to about 1e-6 where the curvature is near one.
    """
    from scipy.optimize import minimize

    return np.array([minimize(lambda theta, w=w: w @ loss(theta) / w.sum(), start, jac="3-point",
                              options={"gtol": 1e-9}).x for w in weights])


def best_of(loss, values, weights, candidates=None):
    """Return the candidate with the least Σᵢ wᵢ loss(vᵢ, θ) for each row of weights, by trying every one.

    Parameters
    ----------
    loss : callable
        ``loss(values, theta)`` of shape (n_values,).
    values : ndarray of shape (n_values,)
    weights : ndarray of shape (n_queries, n_values)
    candidates : ndarray, optional
        The sorted values by default: a localized pinball loss is linear between them.

    Returns
    -------
    ndarray of shape (n_queries,)
        The first of those that share the least.
    """
    candidates = np.unique(values) if candidates is None else candidates
    table = np.stack([loss(values, theta) for theta in candidates])  # (n_candidates, n_values)
    return candidates[(weights @ table.T).argmin(1)]


def best_label(labels, weights):
    """Return the label with the least weighted 0–1 loss for each row of weights, by trying every one."""
    return best_of(lambda y, theta: (y != theta).astype(float), labels, weights)


def softmax(logits):
    """Return exp(logits) divided by its row sums, of shape (n_queries, n_classes)."""
    share = np.exp(logits - logits.max(1, keepdims=True))
    return share / share.sum(1, keepdims=True)
