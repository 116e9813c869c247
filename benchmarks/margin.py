"""Margins: a loss with its gradient, and the average precision of a retrieval."""

from __future__ import annotations

import math

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

CLASSES, FEATURES, SCALE = 5000, 128, 64.0
MARGINS = {"cosine": 0.35, "angle": 0.5}


def batch():
    """Return 512 features, labels and 5,000 prototypes."""
    rng = np.random.default_rng(0)
    # The prototypes stand in a tuple, so that the warm-up, which takes the first of all rows, takes them whole.
    return rng.normal(size=(512, FEATURES)), rng.integers(0, CLASSES, 512), (rng.normal(size=(CLASSES, FEATURES)),)


def gradients(loss, prototypes, data):
    """Return the loss and its gradients in features and prototypes, as one array."""
    import torch

    features, labels = torch.tensor(data[0], dtype=torch.float32, requires_grad=True), torch.tensor(data[1])
    value = loss(features, labels)
    value.backward()
    parts = value.detach()[None], features.grad.flatten(), prototypes.grad.flatten()
    return torch.cat(parts).numpy()


def ours(kind):
    def run(data):
        import torch

        from locmethods.margin import MarginSoftmax

        loss = MarginSoftmax(FEATURES, CLASSES, margin=MARGINS[kind], scale=SCALE, kind=kind)
        loss.weight.data = torch.tensor(data[2][0], dtype=torch.float32)
        return gradients(loss, loss.weight, data)
    return run


def theirs(kind):
    def run(data):
        import torch
        from pytorch_metric_learning import losses

        if kind == "cosine":
            loss = losses.CosFaceLoss(CLASSES, FEATURES, margin=MARGINS[kind], scale=SCALE)
        else:  # in degrees
            loss = losses.ArcFaceLoss(CLASSES, FEATURES, margin=math.degrees(MARGINS[kind]), scale=SCALE)
        loss.W.data = torch.tensor(data[2][0], dtype=torch.float32).T.contiguous()
        value = gradients(loss, loss.W, data)
        head = 1 + data[0].size
        return np.concatenate([value[:head], value[head:].reshape(FEATURES, CLASSES).T.ravel()])
    return run


def cloud():
    """Return 3,000 points of 64 features and their classes, of 100."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 100, 3000)
    return rng.normal(size=(100, 64))[labels] + 2 * rng.normal(size=(3000, 64)), labels


def precision(data):
    from locmethods.margin import average_precision

    return average_precision(*data).mean()[None]


def precision_of_scikit_learn(data):
    """Return the same mean by a matrix of all cosines, with everybody's own the least."""
    from sklearn.metrics import label_ranking_average_precision_score
    from sklearn.metrics.pairwise import cosine_similarity

    points, labels = data
    score, relevant = cosine_similarity(points), labels[:, None] == labels
    np.fill_diagonal(score, -2)
    np.fill_diagonal(relevant, False)
    return np.array([label_ranking_average_precision_score(relevant, score)])


def _loss(kind, peer):
    return Row(f"Loss and gradients of a margin softmax ({kind}), 512 samples, 5,000 classes in 128-D, float32", batch,
               {"locmethods": ours(kind), f"pytorch-metric-learning's {peer}": theirs(kind)}, sums.within(1e-5))


ROWS = {
    "margin-cosine": _loss("cosine", "CosFaceLoss"),
    "margin-angle": _loss("angle", "ArcFaceLoss"),
    "average-precision": Row("Mean average precision of 3,000 samples of 100 classes in 64-D, float64", cloud,
                             {"locmethods": precision,
                              "scikit-learn's label_ranking_average_precision_score": precision_of_scikit_learn},
                             sums.within(1e-12)),
}
