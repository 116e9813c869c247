"""The dense CRF: on a photograph ours alone, whose pairs no matrix holds, and scikit-learn's on a small one."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.row import Row

POSITION, APPEARANCE, WEIGHTS = 3.0, (60.0, 10.0), (3.0, 10.0)


def photograph(side):
    """Return a function that gives colours and energies of side × side pixels, one row a pixel, in float32.

    The two labels are bright and dark, seen through noise as wide as their difference.
    """
    def data():
        from sklearn.datasets import load_sample_image

        colours = load_sample_image("china.jpg")[50:50 + side, 100:100 + side].reshape(-1, 3).astype(np.float32)
        bright = colours.mean(1) > np.median(colours.mean(1))
        rng = np.random.default_rng(0)
        seen = rng.normal(size=len(colours)) + np.where(bright, 0.5, -0.5)
        return colours, np.stack([seen / 2, -seen / 2], -1).astype(np.float32)
    return data


def _square(data):
    """Return the largest square picture that the first rows of colours and energies make."""
    side = math.isqrt(len(data[0]))
    return tuple(part[:side * side].reshape(side, side, -1) for part in data)


def ours(steps):
    """Return our marginals after some undamped steps."""
    def infer(data):
        import warnings

        from locmethods.relaxation import DenseCRF

        model = DenseCRF(position=POSITION, appearance=APPEARANCE, weights=WEIGHTS, damping=0.0, tol=0.0,
                         max_iter=steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not settled
            return model.fit(*_square(data)).marginals_
    return infer


def matrices(steps):
    """Return the same by the matrices of scikit-learn's rbf_kernel."""
    def infer(data):
        from scipy.special import softmax
        from sklearn.metrics.pairwise import rbf_kernel

        picture, unary = _square(data)
        colours, unary = picture.reshape(-1, 3), unary.reshape(-1, unary.shape[-1])
        places = np.argwhere(np.ones(picture.shape[:2])).astype(np.float32)
        points = places / POSITION, np.column_stack([places / APPEARANCE[0], colours / APPEARANCE[1]])
        points = [part.astype(np.float32) for part in points]
        pairs = [rbf_kernel(part, gamma=0.5) for part in points]
        shares = [part.sum(1, keepdims=True) ** -0.5 for part in pairs]
        marginals = softmax(-unary, axis=1)
        for _ in range(steps):
            support = sum(weight * share * (part @ (share * marginals) - share * marginals)
                          for weight, share, part in zip(WEIGHTS, shares, pairs, strict=True))
            marginals = softmax(-unary - (support.sum(1, keepdims=True) - support), axis=1)
        return marginals.reshape(*picture.shape[:2], -1)
    return infer


def near(left, right):
    """Return True if marginals agree to 1e-3: sums in float32 are within 1e-5 of themselves, energies about ten."""
    return left.shape == right.shape and float(np.abs(left - right).max()) <= 1e-3


ROWS = {
    "crf-photograph": Row("Dense CRF, one step of 317 × 317 pixels and two labels, all pairs, float32",
                          photograph(317), {"locmethods": ours(1)}, near, repeats=1),
    "crf-small": Row("Dense CRF, ten steps of 64 × 64 pixels and two labels, all pairs, float32", photograph(64),
                     {"locmethods": ours(10),
                      "scikit-learn's rbf_kernel, the matrices once": matrices(10)}, near),
}
