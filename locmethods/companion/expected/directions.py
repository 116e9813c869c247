"""Directions, the distances that belong to them, and logits with a margin, written out."""

from __future__ import annotations

import numpy as np


def unit(vectors):
    """Return vectors at length one."""
    return vectors / np.sqrt((vectors**2).sum(-1, keepdims=True))


def root_distance(left, right):
    """Return √(1 − cos) of vectors that belong together, as the distance of unit vectors over √2."""
    return np.sqrt(((unit(left) - unit(right)) ** 2).sum(-1) / 2)


def logits_by_angle(features, labels, prototypes, margin, scale, kind):
    """Return the logits of a margin softmax from angles: s cos θ, and at a sample's own class what the kind says."""
    angle = np.arccos(np.clip(unit(features) @ unit(prototypes).T, -1, 1))
    own = np.arange(len(prototypes)) == np.asarray(labels)[:, None]
    if kind == "cosine":
        return scale * (np.cos(angle) - margin * own)
    if kind == "root":
        return -scale * (np.sqrt(2) * np.sin(angle / 2) + margin * own)
    return scale * np.where(own & (angle > np.pi - margin), np.cos(angle) - margin * np.sin(margin),
                            np.cos(angle + margin * own))


def slack_of_all(points, labels, prototypes):
    """Return, by asking every pair that can be compared, by how much each sample meets the condition of a margin.

    The least of d(z₁, c₂) − d(z₁, c₁) − d(z₃, c₁) − d(z₂, c₂) over z₃ of the own class and z₂ of the others.
    """
    found = []
    for i, (point, label) in enumerate(zip(points, labels, strict=True)):
        mates = [root_distance(points[j], prototypes[label]) for j in np.flatnonzero(labels == label) if j != i]
        others = [root_distance(point, prototypes[labels[j]]) - root_distance(points[j], prototypes[labels[j]])
                  for j in np.flatnonzero(labels != label)]
        found.append(min(others) - root_distance(point, prototypes[label]) - max(mates, default=0.0))
    return np.array(found)


def precisions(points, labels):
    """Return the average precision of each sample's ranking of all others by the cosine, one at a time."""
    found = []
    for i, point in enumerate(points):
        others = np.delete(np.arange(len(points)), i)
        order = others[np.argsort(-(unit(points[others]) @ unit(point)), kind="stable")]
        ranks = 1 + np.flatnonzero(labels[order] == labels[i])
        found.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return np.array(found)
