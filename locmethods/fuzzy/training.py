"""Hybrid training, as of ANFIS: consequents by least squares, fuzzy sets along the gradient of what is left."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from locmethods.fuzzy.consequents import answers_of, firing_blocks, global_consequents
from locmethods.fuzzy.partitions import level_and_unit
from locmethods.fuzzy.sets import BellSet, GaussianSet
from locmethods.numerics.units import exponent_of

FACTOR = np.log(20.0)  # of a width, or the slope of a bell: no more, so that a set remains one of a few points at least
LEAST_SLOPE = np.log(0.5)  # of a bell: below, it has a cusp, and no gradient, at its center
ROUNDING = 2.0**-49  # of targets below one: a few units in their last place
GRADIENT = 1e-10  # of the loss as a share of the variance: as good as none
N_PARAMETERS = {kind: len(fields(kind)) for kind in (GaussianSet, BellSet)}


class Training(NamedTuple):
    """Fuzzy sets after training, and how it went.

    Attributes
    ----------
    sets : list of tuples of FuzzySet
    losses : ndarray of shape (n_iter + 1,)
        Mean squared error on the sample, outputs summed, and the penalty's share, before the first step and after each.
    n_iter : int
    why : {"tol", "max_iter", "no better step"}
        Why it stopped; "no better step" is where rounding hides the way down.
    """

    sets: list
    losses: np.ndarray
    n_iter: int
    why: str


def train(X, y, sets, rules, *, order, alpha, max_iter, tol, empty, weight=None):
    """Move the centers and widths of Gaussian or bell sets so that the least-squares error falls [jang1993]_.

    The error is a function of the sets alone, for the consequents are the best ones for them; so its gradient is what
    the error's is with the consequents held [golub1973]_. Steps are those of L-BFGS; they take centers in units of the
    features' standard deviations, so that no unit of the data matters.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
    sets : sequence of sequences of GaussianSet or of BellSet
    rules : integer array of shape (n_rules, n_features)
    order, alpha
        As in `global_consequents`.
    max_iter : int
    tol : float
        A step that lessens the error by less than this share of the targets' variance is the last.
    empty : str
    weight : ndarray of shape (n_samples,), optional
        What each sample's square counts.

    Returns
    -------
    Training
    """
    kind, sizes = type(sets[0][0]), [len(feature) for feature in sets]
    exponent = exponent_of(y)
    y = np.ldexp(y, -exponent)
    counts = np.ones((len(X), 1)) if weight is None else weight[:, None]
    # Of a constant target nothing but rounding is left over, and is all of the error.
    unit = np.sum(counts * np.maximum((y - level_and_unit(y, weight)[0]) ** 2, ROUNDING**2))
    start = _packed(sets)
    units = np.concatenate([np.repeat([spread, 1.0], [size, size * (N_PARAMETERS[kind] - 1)])
                            for spread, size in zip(level_and_unit(X, weight)[1], sizes, strict=True)])

    def objective(free):
        now = _unpacked(free * units, kind, sizes)
        fit = global_consequents(X, y, now, rules, order=order, alpha=alpha, empty=empty, weight=weight)
        return fit.loss / unit, gradient(X, y, now, rules, fit.consequents, empty, weight) * units / unit

    losses = [objective(start / units)[0]]
    bounds = np.array(_bounds(start, X, kind, sizes)) / units[:, None]
    found = minimize(objective, start / units, jac=True, method="L-BFGS-B", bounds=bounds,
                     callback=lambda intermediate_result: losses.append(intermediate_result.fun),
                     options={"maxiter": max_iter, "ftol": tol, "gtol": GRADIENT})
    n_samples = len(X) if weight is None else weight.sum()
    why = ("tol", "max_iter", "no better step")[found.status]
    with np.errstate(over="ignore"):  # the square of a target beyond 10¹⁵⁰ is no float
        losses = np.ldexp(np.array(losses) * unit / n_samples, 2 * exponent)
    return Training(_unpacked(found.x * units, kind, sizes), losses, int(found.nit), why)


def gradient(X, y, sets, rules, consequents, empty, weight=None):
    """Return the derivative of Σ w (y − ŷ)² in each set's center, log width and, of bells, log slope.

    ∂ŷ/∂log wᵣ = φᵣ (fᵣ − ŷ), where wᵣ is the product of the degrees, so that each degree enters by its logarithm.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
    sets : sequence of sequences of GaussianSet or of BellSet
    rules : integer array of shape (n_rules, n_features)
    consequents : ndarray of shape (n_rules, 1 or 1 + n_features, n_outputs)
    empty : str
    weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    ndarray of shape (n_parameters,)
        Feature by feature, parameter by parameter, set by set.
    """
    total = [np.zeros((len(feature[0].parameters), len(feature))) for feature in sets]
    derivatives = DERIVATIVES[type(sets[0][0])]
    for rows, firing in firing_blocks(X, sets, rules, empty):
        answers = answers_of(X[rows], consequents)  # (b, n_rules, n_outputs)
        fit = np.einsum("br,bro->bo", firing, answers)
        slope = -2 * firing * np.einsum("bo,bro->br", y[rows] - fit, answers - fit[:, None])  # in log wᵣ
        if weight is not None:
            slope *= weight[rows, None]
        for j, feature in enumerate(sets):
            asks = rules[:, j, None] == np.arange(len(feature))  # (n_rules, n_sets)
            columns = np.array([one.parameters for one in feature]).T
            for number, each in enumerate(derivatives(X[rows, j, None], *columns)):
                total[j][number] += np.sum((slope @ asks) * each, axis=0)
    return np.concatenate([part.ravel() for part in total])


def of_gaussian(x, center, width):
    """Return the derivatives of −u²/2, u = (x − c)/w, in the center and in log w."""
    u = (x - center) / width
    return u / width, u**2


def of_bell(x, center, width, slope):
    """Return the derivatives of −log(1 + u²ᵇ), u = |x − c|/w, in the center, in log w and in log b."""
    u = (x - center) / width
    with np.errstate(divide="ignore", over="ignore"):
        log = np.log(abs(u))
        share = 1 / (1 + np.exp(-2 * slope * log))  # u²ᵇ/(1 + u²ᵇ)
    apart = u != 0
    in_center = np.where(apart, share / np.where(apart, u, 1.0), 0.0) * 2 * slope / width
    in_slope = np.where(apart, -2 * slope * share * np.where(apart, log, 0.0), 0.0)
    return in_center, 2 * slope * share, in_slope


DERIVATIVES = {GaussianSet: of_gaussian, BellSet: of_bell}


def _packed(sets):
    """Return the sets' parameters in one row, all but the centers by their logarithms."""
    tables = [np.array([one.parameters for one in feature]).T for feature in sets]
    return np.concatenate([np.concatenate([table[0], np.log(table[1:]).ravel()]) for table in tables])


def _unpacked(theta, kind, sizes):
    """Return the sets of a shape from their parameters in one row."""
    found, at = [], 0
    for size in sizes:
        table = theta[at:at + size * N_PARAMETERS[kind]].reshape(-1, size)
        found.append(tuple(kind(center, *np.exp(rest)) for center, *rest in table.T.tolist()))
        at += table.size
    return found


def _bounds(start, X, kind, sizes):
    """Return the ends of each parameter: centers stay within the data's range, and a half of it on either side."""
    ends, at = [], 0
    for j, size in enumerate(sizes):
        low, high = X[:, j].min(), X[:, j].max()
        room = (high - low) / 2
        centers, rest = start[at:at + size], start[at + size:at + size * N_PARAMETERS[kind]]
        ends += [(min(low - room, center), max(high + room, center)) for center in centers]
        least = np.where(np.arange(len(rest)) < size, -np.inf, LEAST_SLOPE)  # widths first, then slopes
        ends += [(max(value - FACTOR, bound), value + FACTOR) for value, bound in zip(rest, least, strict=True)]
        at += size * N_PARAMETERS[kind]
    return ends
