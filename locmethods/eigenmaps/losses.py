"""Five losses of pairs behind one interface: ``loss(first, second, weight=None)`` of a network's raw outputs.

Row i of `first` and of `second`, both of shape (n_pairs, k), are the outputs at the two sides of pair i. What a loss
needs are second moments over pairs, R = E[zz′ᵀ] between the sides and G = E[zzᵀ] within them. With weights they are
exact for a population of pairs, without they are those of a sample. A loss also knows how the outputs that minimise it
become functions: ``loss.coefficients(moments)`` is the matrix that they are multiplied by.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from torch import Tensor, nn

from locmethods.arrays.checks import check_not_negative, check_share
from locmethods.eigenmaps.pairs import Moments

MARGIN = 2.0  # the automatic penalty, as a multiple of the least that keeps outputs apart
MEMORY = 0.9  # share of the running moments that a step keeps
FLAT = 1e-12  # variance below which an output whose largest entry is about one counts as constant


class EigenmapLoss(nn.Module):
    """Neural Eigenmaps: −Σⱼ R_jj + α Σ_{i<j} R_ij², the earlier outputs held fixed in the penalty [deng2022]_.

    Outputs are scaled to mean square one over both sides first. Since an output is not moved to please later ones, the
    j-th becomes the j-th eigenfunction if α is large enough: see `least_alpha`. The first one is the constant function.

    Parameters
    ----------
    alpha : float or "auto", default="auto"
        α. "auto" takes at each step twice the least penalty that the moments seen lately ask for,

            α = 2 max_{i<j} (R_ii − (1 − G_ij²) R_jj)/R_ii²,

        of which 1 − G_ij² = 0 says that two outputs are one, so that 1/R_ii is needed to part them, and
        1 − G_ij² = 1 is the rule of collapse. An R_ii below √(k/n_pairs) does not count: over a batch each of the k
        penalties is too large by about α/n_pairs, so that what parts outputs there would cost more than they gain.
    ordered : bool, default=True
        Whether earlier outputs are held fixed. Otherwise the penalty moves both, and only the span is learned.

    Attributes
    ----------
    last_alpha : float
        α of the last call; NaN before it.

    Examples
    --------
    >>> import torch
    >>> from locmethods.eigenmaps import EigenmapLoss
    >>> first = torch.tensor([[1.0, 1.0], [1.0, -1.0]])  # a constant, and a function that has the same two signs on
    >>> float(EigenmapLoss(alpha=1.0)(first, first))  # both sides: R is the identity
    -2.0
    >>> round(float(EigenmapLoss(alpha=1.0)(first[:, [0, 0]], first[:, [0, 0]])), 6)  # R has ones everywhere
    -1.0
    """

    centred = False

    def __init__(self, alpha: float | str = "auto", *, ordered: bool = True) -> None:
        super().__init__()
        if alpha != "auto":
            check_not_negative("alpha", alpha)
        self.alpha, self.ordered = alpha, ordered
        self.last_alpha = math.nan
        self.running = None

    def forward(self, first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
        first, second, weight = unit(*checked(first, second, weight))
        fixed = (first.detach(), second.detach()) if self.ordered else (first, second)
        one, other = moment(fixed[0], second, weight), moment(fixed[1], first, weight)
        self.last_alpha = self._automatic(first, second, weight) if self.alpha == "auto" else float(self.alpha)
        penalty = (one.triu(1).square() + other.triu(1).square()).sum() / 2
        return self.last_alpha * penalty - moment(first, second, weight).diagonal().sum()

    def _automatic(self, first, second, weight):
        with torch.no_grad():
            now = torch.stack([moment(first, second, weight), within(first, second, weight)])
            check_as_before(self.running, now)
            self.running = now if self.running is None else MEMORY * self.running + (1 - MEMORY) * now
            mu, alike = self.running[0].diagonal(), self.running[1].square().clamp(max=1.0)
            need = (mu[:, None] - (1 - alike) * mu) / mu[:, None].square()
            told = mu[:, None] > math.sqrt(len(mu) / len(first))
            need = torch.where(told, need, torch.zeros_like(need)).triu(1)
            return MARGIN * float(need.max().clamp(min=0.0))

    def coefficients(self, moments: Moments) -> NDArray:
        """Return the diagonal matrix that scales outputs to mean square one."""
        return np.diag(scales(moments.square))


class NeuralEFLoss(nn.Module):
    """NeuralEF: −Σⱼ R_jj + Σ_{i<j} R_ij²/R_ii, earlier outputs and their R_ii held fixed [deng2022b]_.

    The penalty of each output is 1/μᵢ, exactly what the rule of collapse asks for where nothing is known of the
    eigenvalues after it. It needs eigenvalues that are positive: an R_ii below 1/n_pairs counts as that.

    Examples
    --------
    >>> import torch
    >>> from locmethods.eigenmaps import NeuralEFLoss
    >>> first = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    >>> float(NeuralEFLoss()(first, first))  # two functions apart, of eigenvalue one each
    -2.0
    """

    centred = False

    def forward(self, first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
        first, second, weight = unit(*checked(first, second, weight))
        cross = moment(first, second, weight).diagonal()
        mu = cross.detach().clamp(min=1 / len(first))[:, None]
        one, other = moment(first.detach(), second, weight), moment(second.detach(), first, weight)
        return ((one.triu(1).square() + other.triu(1).square()) / (2 * mu)).sum() - cross.sum()

    def coefficients(self, moments: Moments) -> NDArray:
        """Return the diagonal matrix that scales outputs to mean square one."""
        return np.diag(scales(moments.square))


class SpINLoss(nn.Module):
    """Spectral inference networks: −tr(G⁻¹R), each output following the gradient of its own Λ_jj alone [pfau2019]_.

    With G = LLᵀ and Λ = L⁻¹RL⁻ᵀ, the entry Λ_jj depends on the first j outputs, and its gradient in output j is
    2 Σᵢ (L⁻ᵀ)_ij/L_jj · Kzᵢ − 2 Σᵢ (L⁻ᵀ triu(Λ diag(L)⁻¹))_ij zᵢ. The two matrices of coefficients come from moving
    averages of G and R, so that they hardly depend on the batch whose functions they weigh; the paper averages G and
    the Jacobian of its batch, to the same end.

    Parameters
    ----------
    decay : float, default=0.99
        Share of the averages that a step keeps, in (0, 1).
    jitter : float, default=1e-3
        Added to the diagonal of G as a share of its mean, before it is factored.

    Examples
    --------
    >>> import torch
    >>> from locmethods.eigenmaps import SpINLoss
    >>> first = torch.tensor([[1.0, 3.0], [1.0, -3.0]])  # their scale does not matter
    >>> round(float(SpINLoss(jitter=0.0)(first, first)), 6)
    -2.0
    """

    centred = False

    def __init__(self, *, decay: float = 0.99, jitter: float = 1e-3) -> None:
        super().__init__()
        check_share("decay", decay)
        check_not_negative("jitter", jitter)
        self.decay, self.jitter = decay, jitter
        self.running, self.steps = None, 0

    def forward(self, first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
        first, second, weight = checked(first, second, weight)
        if not bool(within(first, second, weight).isfinite().all()):  # nothing to factor, nor to remember
            return (first.sum() + second.sum()) * math.nan
        with torch.no_grad():
            lower, ritz = self._factors(first, second, weight)
            inverse = torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False)
            for_cross = inverse.T / lower.diagonal()
            for_square = -inverse.T @ (ritz / lower.diagonal()).triu()
        sides = (first, second), (second, first)
        cross = sum(moment(one.detach(), other, weight) for one, other in sides)
        square = sum(moment(one.detach(), one, weight) for one, _ in sides)
        gain = (for_cross * cross).sum() + (for_square * square).sum()
        return -gain + (gain - ritz.trace()).detach()  # the gradient of the one, the value of the other

    def _factors(self, first, second, weight):
        cross = moment(first, second, weight)
        now = torch.stack([within(first, second, weight), (cross + cross.T) / 2])
        check_as_before(self.running, now)
        self.steps += 1
        keep = min(self.decay, 1 - 1 / self.steps)  # a plain mean at first
        self.running = now if self.running is None else keep * self.running + (1 - keep) * now
        square, cross = self.running
        size = square.diagonal().mean().clamp(min=FLAT)
        lower = torch.linalg.cholesky(square + self.jitter * size * torch.eye(len(square), dtype=square.dtype))
        half = torch.linalg.solve_triangular(lower, cross, upper=False)
        return lower, torch.linalg.solve_triangular(lower, half.T, upper=False)

    def coefficients(self, moments: Moments) -> NDArray:
        """Return L⁻ᵀ, which makes the outputs orthonormal one after another."""
        size = max(np.diag(moments.square).mean(), FLAT)
        lower = cholesky(moments.square + 1e-10 * size * np.eye(len(moments.square)), lower=True)
        return solve_triangular(lower, np.eye(len(lower)), lower=True).T


class BarlowTwinsLoss(nn.Module):
    """Barlow Twins: Σⱼ (1 − C_jj)² + λ Σ_{i≠j} C_ij² of the correlations C between the two sides [zbontar2021]_.

    Each side's outputs are centred and scaled to variance one, so that the constant function is no answer. Outputs have
    no order.

    Parameters
    ----------
    redundancy : float, default=0.005
        λ, at least 0.

    Examples
    --------
    >>> import torch
    >>> from locmethods.eigenmaps import BarlowTwinsLoss
    >>> first = torch.tensor([[1.0], [-1.0], [5.0], [-5.0]])
    >>> float(BarlowTwinsLoss()(first, -first))  # C = −1
    4.0
    """

    centred = True

    def __init__(self, redundancy: float = 0.005) -> None:
        super().__init__()
        check_not_negative("redundancy", redundancy)
        self.redundancy = redundancy

    def forward(self, first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
        first, second, weight = checked(first, second, weight)
        first, second = standard(first, weight), standard(second, weight)
        square = moment(first, second, weight)
        apart = square - torch.diag(square.diagonal())
        return (1 - square.diagonal()).square().sum() + self.redundancy * apart.square().sum()

    def coefficients(self, moments: Moments) -> NDArray:
        """Return the diagonal matrix that scales centred outputs to variance one."""
        return np.diag(scales(moments.square - np.outer(moments.mean, moments.mean), beside=moments.square))


class SpectralContrastiveLoss(nn.Module):
    """Spectral contrastive: −2 E[zᵀz′] + E[(zᵀz̃)²], pairs against strangers [haochen2021]_.

    It is ‖zzᵀ − κ‖² up to a constant, so outputs that minimise it are √μⱼ ψⱼ, turned by any rotation, if those μⱼ ≥ 0:
    they span the first eigenfunctions, unordered. Strangers z̃ are the other pairs' second sides, or with weights all
    of them.

    Examples
    --------
    >>> import torch
    >>> from locmethods.eigenmaps import SpectralContrastiveLoss
    >>> first = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> float(SpectralContrastiveLoss()(first, first))  # strangers are at right angles: −2 (1 + 4)/2
    -5.0
    """

    centred = False

    def forward(self, first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
        sampled = weight is None
        first, second, weight = checked(first, second, weight)
        own = (first * second).sum(1)
        strangers = (moment(first, first, weight) * moment(second, second, weight)).sum()
        if sampled:
            n = len(first)
            if n < 2:
                raise ValueError(f"there must be at least two pairs, so that there are strangers, got {n}")
            strangers = (strangers * n - (own.square() / n).sum()) / (n - 1)  # no pair is a stranger of its own
        return strangers - 2 * (weight * own).sum()

    def coefficients(self, moments: Moments) -> NDArray:
        """Return the identity: the outputs' lengths are √μ, and say how much each function counts."""
        return np.eye(len(moments.square))


LOSSES = {"eigenmaps": EigenmapLoss, "neuralef": NeuralEFLoss, "spin": SpINLoss, "barlow": BarlowTwinsLoss,
          "contrastive": SpectralContrastiveLoss}


def checked(first, second, weight):
    """Return outputs, and weights that sum to one, once shapes have been checked."""
    for name, value in (("first", first), ("second", second)):
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise TypeError(f"{name} must be a tensor of floating numbers, got "
                            f"{value.dtype if isinstance(value, Tensor) else type(value).__name__}")
    if first.dtype != second.dtype:
        raise TypeError(f"first and second must be of one type, got {first.dtype} and {second.dtype}")
    if first.ndim != 2 or first.shape != second.shape or not first.numel():
        raise ValueError("first and second must be outputs at the two sides of pairs, of one shape (n_pairs, k), got "
                         f"{tuple(first.shape)} and {tuple(second.shape)}")
    if weight is None:
        return first, second, first.new_full((len(first),), 1 / len(first))
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight must be a tensor or None, got {type(weight).__name__}")
    if weight.shape != (len(first),) or not bool((weight >= 0).all()) or not 0 < float(weight.sum()) < math.inf:
        raise ValueError(f"weight must be one finite number a pair, none negative and not all zero, for {len(first)} "
                         f"pairs; got shape {tuple(weight.shape)}")
    return first, second, (weight / weight.sum()).to(first.dtype)


def check_as_before(running, now):
    """Raise unless there are as many outputs as in the moments that a loss has seen."""
    if running is not None and running.shape != now.shape:
        raise ValueError(f"outputs must be as many as before, {running.shape[-1]}, since the loss remembers their "
                         f"moments, got {now.shape[-1]}: make a new loss")


def moment(one, other, weight):
    """Return Σ w z z′ᵀ, of shape (k, k)."""
    return one.T @ (weight[:, None] * other)


def within(first, second, weight):
    """Return G over both sides."""
    return (moment(first, first, weight) + moment(second, second, weight)) / 2


def near_one(*sides):
    """Return outputs with the largest of each column from a half to one, scaled by powers of two.

    That rounds nothing, so that losses that do not feel the size of outputs answer the same, and their squares are
    numbers.
    """
    size = torch.stack([side.detach().abs().amax(0) for side in sides]).amax(0)
    power = torch.frexp(size).mantissa / size  # as a factor, since the gradient of torch's ldexp is zero
    power = torch.where(size.isfinite() & (size >= torch.finfo(size.dtype).tiny), power, torch.ones_like(power))
    return [side * power for side in sides]


def unit(first, second, weight):
    """Scale outputs to mean square one over both sides; the gradient flows through the scale."""
    first, second = near_one(first, second)
    square = (weight[:, None] * (first.square() + second.square())).sum(0) / 2
    scale = square.clamp(min=FLAT).rsqrt()
    return first * scale, second * scale, weight


def standard(outputs, weight):
    """Centre outputs and scale them to variance one."""
    outputs, = near_one(outputs)
    centred = outputs - (weight[:, None] * outputs).sum(0)
    return centred * (weight[:, None] * centred.square()).sum(0).clamp(min=FLAT).rsqrt()


def scales(square, beside=None):
    """Return 1/√ of a diagonal, and zero where it is rounding beside that of another matrix."""
    size, least = np.diag(square), FLAT * np.diag(square if beside is None else beside)
    return np.divide(1.0, np.sqrt(np.abs(size)), out=np.zeros(len(size)), where=size > least)
