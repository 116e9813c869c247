"""Reconstruction weights and embeddings by the textbook: one neighbourhood at a time, dense matrices."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls


def nearest(points, k):
    """Return the k nearest others of each point, of shape (n, k)."""
    square = ((points[:, None] - points) ** 2).sum(-1)
    np.fill_diagonal(square, np.inf)
    return np.argsort(square, axis=1, kind="stable")[:, :k]


def rebuilding(points, near, ridge=1e-3):
    """Return the weights (G + R)⁻¹ 1, rows that sum to one; of a vanishing ridge those with the least Σ w²."""
    rows = []
    for x, index in zip(points, near, strict=True):
        gap = points[index] - x
        if ridge:
            gram = gap @ gap.T
            weights = np.linalg.solve(gram + ridge * np.trace(gram) * np.eye(len(index)), np.ones(len(index)))
        else:
            weights = np.linalg.pinv(np.vstack([gap.T, np.ones(len(index))]))[:, -1]
        rows.append(weights / weights.sum())
    return np.array(rows)


def rebuilding_without_negatives(points, near, ridge=1e-3):
    """Return the same with w ≥ 0, by Lawson and Hanson: the minimum of ‖Cᵀ v‖² + R ‖v‖² + (1 − Σ v)² is a multiple."""
    rows = []
    for x, index in zip(points, near, strict=True):
        gap = points[index] - x
        total = (gap**2).sum()
        system = np.vstack([gap.T / np.sqrt(total), np.sqrt(ridge) * np.eye(len(index)), np.ones(len(index))])
        weights = nnls(system, np.r_[np.zeros(len(system) - 1), 1.0])[0]
        rows.append(weights / weights.sum())
    return np.array(rows)


def as_matrix(weights, near, n):
    """Return weights of shape (n, k) at the places of their neighbours, dense."""
    matrix = np.zeros((n, n))
    np.put_along_axis(matrix, near, weights, axis=1)
    return matrix


def cost_of(weights, near):
    """Return (I − W)ᵀ(I − W), dense."""
    rest = np.eye(len(weights)) - as_matrix(weights, near, len(weights))
    return rest.T @ rest


def bottom(cost, d):
    """Return the d smallest eigenvalues beside the constant's, and the projection onto their eigenvectors."""
    n = len(cost)
    value, vector = np.linalg.eigh(cost + 2 * np.linalg.norm(cost) / n)  # the constants are lifted to the top
    return value[:d], vector[:, :d] @ vector[:, :d].T


def projection(columns):
    """Return the projection onto the span of centred columns."""
    axes = np.linalg.qr(columns - columns.mean(axis=0))[0]
    return axes @ axes.T


def local_line(x, keys, weights):
    """Return the weights of local linear regression at x from its normal equations: e₁ᵀ (Xᵀ K X)⁻¹ Xᵀ K."""
    design = np.column_stack([np.ones(len(keys)), keys - x])
    return np.linalg.solve(design.T * weights @ design, design.T * weights)[0]


def waves_on_a_circle(n, m, ridge):
    """Return what I − W multiplies cos θ and cos 2θ by, on n even places with m neighbours a side.

    By symmetry the weights at ± l are equal, and the ridged Gram matrix on them is R + 2 c cᵀ with c = 1 − cos lδ.
    """
    angle = 2 * np.pi * np.arange(1, m + 1) / n
    c = 1 - np.cos(angle)
    size = ridge * 4 * c.sum()  # ridge times the trace: a chord has the square 2c
    weights = 1 - c * 2 * c.sum() / (size + 2 * c @ c)
    weights /= 2 * weights.sum()
    return np.array([1 - 2 * weights @ np.cos(frequency * angle) for frequency in (1, 2)])
