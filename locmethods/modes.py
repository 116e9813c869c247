"""Where a weighted sum of kernels between values is largest."""

from __future__ import annotations

import math

from locmethods.kernels import Gaussian

# The ascent stops when a step is below this share of the values' spread.
STEP = 1e-10
STEPS = 1000
# How many places are climbed from, each the best of those where the kernel about the others is below this share:
# distinct peaks, and where supports end also the narrow pieces between their ends.
PEAKS, PIECES = (8, 0.5), (24, 0.99)


def dense_mode(weight, value, kernel):
    """Return the maximiser of Σᵢ wᵢ K(v, vᵢ) for each row of weights.

    The best values are climbed from, and the highest place that is reached is the answer. With a Gaussian a step is
    a local mean, which never goes down [cheng1995]_. Other kernels are climbed along their gradient, with steps that
    are taken only upwards; the place is then known to about √ε of the values' spread. On a line, kernels of compact
    support are climbed from the ends of their supports too, since a peak may lie where no value is.
    The search is thorough, not certified: with very many peaks of nearly one height it may return the second best.

    Parameters
    ----------
    weight : Tensor of shape (b, n)
        Rows sum to one; rows with NaN give NaN.
    value : Tensor of shape (n, o)
    kernel : Kernel
        Radial, between values.

    Returns
    -------
    Tensor of shape (b, o)
    """
    import torch

    start_at = _candidates(value, kernel)  # (c, o)
    every = slice(0, len(start_at))
    among = kernel.bind(start_at, value).log(every, slice(0, len(value))).detach().exp()  # (c, n)
    close = kernel.bind(start_at, start_at).log(every, every).detach().exp()
    close = close / close.diagonal().unsqueeze(-1)
    missing = weight.isnan().any(-1, keepdim=True)
    weight = torch.where(missing, 1 / len(value), weight)
    height = weight.detach() @ among.T  # (b, c)
    climb = _by_local_means if type(kernel) is Gaussian else _by_gradient
    best, level = value.new_zeros(len(weight), value.shape[-1]), value.new_full((len(weight),), -math.inf)
    for starts, share in (PEAKS, PIECES) if len(start_at) > len(value) else (PEAKS,):
        left = height
        for _ in range(min(starts, len(start_at)) if len(weight) else 0):
            top, start = left.max(-1)
            if bool((top.log() < level - math.log(2)).all()):
                break  # no peak worth climbing is left
            place = climb(weight, value, kernel, start_at[start])
            reached = _log_density(weight, value, kernel, place).detach()
            higher = reached > level
            best, level = torch.where(higher.unsqueeze(-1), place, best), torch.maximum(level, reached)
            left = torch.where(close[start] > share, 0.0, left)
    return torch.where(missing, math.nan, best)


def _candidates(value, kernel):
    """Return the places to start from: the values, and on a line the ends of the supports about them."""
    import torch

    if math.isinf(kernel.reach) or value.shape[-1] > 1:
        return value
    edge = kernel.reach * (1 - 1e-12)
    return torch.cat([value, value - edge, value + edge])


def _log_density(weight, value, kernel, place):
    """Return log Σᵢ wᵢ K(v, vᵢ) at the places v, of shape (b,)."""
    score = weight.log() + kernel.bind(place, value).log(slice(0, len(place)), slice(0, len(value)))
    return score.logsumexp(-1)


def _spread(value):
    return float((value.detach().amax(0) - value.detach().amin(0)).max()) or 1.0


def _by_local_means(weight, value, kernel, place):
    """Climb by v ← Σ w K vᵢ / Σ w K."""
    import torch

    log_weight = weight.log()
    for _ in range(STEPS):
        score = log_weight + kernel.bind(place, value).log(slice(0, len(place)), slice(0, len(value)))
        ahead = torch.softmax(score, -1) @ value
        moved = float((ahead - place).detach().abs().max())
        place = ahead
        if moved <= STEP * _spread(value):
            break
    return place


def _by_gradient(weight, value, kernel, place):
    """Climb along the gradient; each row doubles its step after a success and quarters it after a failure."""
    import torch

    weight, value, spread = weight.detach(), value.detach(), _spread(value)
    place, step = place.detach(), None
    for _ in range(STEPS):
        with torch.enable_grad():
            here = place.clone().requires_grad_()
            level = _log_density(weight, value, kernel, here)
            slope, = torch.autograd.grad(level.sum(), here)
        length = slope.norm(dim=-1, keepdim=True)
        if step is None:
            step = torch.where(length > 0, 0.1 * spread / length, 0.0)
        ahead = place + step * slope
        up = (_log_density(weight, value, kernel, ahead) > level.detach()).unsqueeze(-1)
        moved = float((step * length).max())
        place, step = torch.where(up, ahead, place), torch.where(up, 2 * step, step / 4)
        if moved <= STEP * spread:
            break
    return place
