"""Eigenfunctions of averaging by a dense solver, and what losses of them come to, written out."""

import numpy as np
from sklearn.metrics import average_precision_score


def dense_eigenmaps(x, width):
    """Return a Gaussian's joint weights, their degrees, and eigenvalues and eigenfunctions of D⁻¹K, descending."""
    joint = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / (2 * width**2))
    joint /= joint.sum()
    degrees = joint.sum(1)
    mu, u = np.linalg.eigh(joint / np.sqrt(np.outer(degrees, degrees)))
    return joint, degrees, mu[::-1], (u / np.sqrt(degrees)[:, None])[:, ::-1]


def best_assignment(mu, alpha, k):
    """Return for each output the eigenfunction that is worth most to it, by a loop over all of them."""
    taken = []
    for _ in range(k):
        worth = [mu[a] - alpha * sum(mu[a] ** 2 for b in taken if b == a) for a in range(len(mu))]
        taken.append(max(range(len(mu)), key=lambda a: worth[a]))
    return np.array(taken)


def pair_loss(loss, joint):
    """Return a function that gives a loss over all pairs of points, and its gradient, from functions' values there."""
    import torch

    first, second = map(torch.as_tensor, np.nonzero(np.ones_like(joint)))
    weight = torch.as_tensor(joint.ravel())

    def value_and_slope(values):
        values = torch.tensor(np.ascontiguousarray(values), requires_grad=True)
        value = loss(values[first], values[second], weight)
        return float(value.detach()), torch.autograd.grad(value, values)[0].numpy()
    return value_and_slope


def descend(value_and_slope, shape, seed, steps=300, rate=0.1):
    """Return where Adam comes to from random values, its rate falling along half a cosine."""
    values = np.random.default_rng(seed).normal(size=shape)
    mean, square = np.zeros(shape), np.zeros(shape)
    for step in range(1, steps + 1):
        slope = value_and_slope(values)[1]
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        length = rate * (1 + np.cos(np.pi * step / steps)) / 2
        values = values - length * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return values


def by_hand(values, joint):
    """Return NeuralEF's gradient: of Kψⱼ less its parts along earlier Kψᵢ, led back through the scaling."""
    degrees = joint.sum(1)[:, None]
    norm = np.sqrt((degrees * values**2).sum(0))
    psi = values / norm
    averaged = joint @ psi
    cross = psi.T @ averaged
    field = averaged.copy()
    for j in range(values.shape[1]):
        for i in range(j):
            field[:, j] -= cross[i, j] / cross[i, i] * averaged[:, i]
    return -2 * (field - degrees * psi * (psi * field).sum(0)) / norm


def unit_functions(x, weights, shares):
    """Return a network of two layers behind a whitening one, its outputs scaled to mean square one over the shares."""
    first, first_bias, second, second_bias = weights[2:]
    variance, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    white = (x - x.mean(0)) @ axes / np.sqrt(variance + variance[-1] / 30)
    raw = np.maximum(white @ first.T + first_bias, 0) @ second.T + second_bias
    return raw / np.sqrt(shares @ raw**2)


def precision(codes, labels, asked, theirs):
    """Return the mean average precision of ranking by cosine, by scikit-learn."""
    cosine = asked @ codes.T / np.linalg.norm(codes, axis=1)
    return np.mean([average_precision_score(labels == label, row) for label, row in zip(theirs, cosine, strict=True)])
