"""Where a weighted sum of kernels between values is largest."""

from __future__ import annotations

import math

# The ascent stops when a step is below this share of the values' spread.
STEP = 1e-10
STEPS = 1000


def dense_mode(weight, value, kernel):
    """Return the maximiser of Σᵢ wᵢ K(v, vᵢ) for each row of weights.

    Parameters
    ----------
    weight : Tensor of shape (b, n)
        Rows sum to one.
    value : Tensor of shape (n, o)
    kernel : Kernel
        Radial, between values.

    Returns
    -------
    Tensor of shape (b, o)
    """
    import torch

    every = slice(0, len(value))
    among = kernel.bind(value, value).log(every, every).exp()  # (n, n)
    place = value[(weight @ among.T).argmax(-1)]  # (b, o)
    missing = weight.isnan().any(-1, keepdim=True)
    spread = float((value.amax(0) - value.amin(0)).max()) or 1.0
    log_weight = weight.log()
    for _ in range(STEPS):
        score = log_weight + kernel.bind(place, value).log(slice(0, len(place)), every)
        ahead = torch.softmax(score, -1) @ value
        ahead = torch.where(ahead.isnan(), place, ahead)
        moved = float((ahead - place).abs().max()) if len(place) else 0.0
        place = ahead
        if moved <= STEP * spread:
            break
    return torch.where(missing, math.nan, place)
