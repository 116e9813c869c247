"""The softmax over prototypes as a module of torch: a loss with a margin, and a local mean of labels without."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from locmethods.arrays.checks import as_array, check_count, check_option
from locmethods.arrays.namespace import to_tensor
from locmethods.kernels import Exponential, Laplace
from locmethods.margin.logits import KINDS, as_labels, as_margin_and_scale, with_margin
from locmethods.means import local_mean


class MarginSoftmax(nn.Module):
    r"""A softmax over prototypes, one direction for each class, whose loss has a margin.

    With ẑ and ĉ a feature and a prototype at length one, a sample of class y has the loss

    .. math:: -\log \frac{e^{\ell_y}}{e^{\ell_y} + \sum_{j \ne y} e^{\ell_j}},

    where the logits ℓ are those of `margin_logits`: CosFace or the additive margin [wang2018b]_ [wang2018c]_ for
    ``kind="cosine"``, ArcFace [deng2019]_ for ``"angle"``, the margin of the metric √(1 − cos) for ``"root"``
    [su2021b]_. With a margin of zero the first two are the normalised softmax [wang2017]_. Losses and gradients are
    those of pytorch-metric-learning's ``CosFaceLoss`` and ``ArcFaceLoss`` (whose margin is in degrees).

    Parameters
    ----------
    n_features, n_classes : int
        At least 1, and at least 2.
    margin : float or callable, default=0.35
        m, or a schedule such as `Ramp`: ``margin(step)`` is the margin after that many calls of `advance`.
    scale : float or callable, default=30.0
        s, or a schedule.
    kind : {"cosine", "angle", "root"}, default="cosine"

    Attributes
    ----------
    weight : nn.Parameter of shape (n_classes, n_features)
        The prototypes; only their directions matter.
    n_steps : Tensor of shape ()
        How often `advance` was called; a buffer, so that a checkpoint goes on where it was.

    Raises
    ------
    ValueError, TypeError
        If a count is too small, the kind is unknown, or a margin or a scale is not of the form that `margin_logits`
        asks for.

    Examples
    --------
    >>> import torch
    >>> from locmethods.margin import MarginSoftmax
    >>> loss = MarginSoftmax(2, 2, margin=0.25, scale=4.0)
    >>> _ = loss.weight.data.copy_(torch.eye(2))
    >>> features = torch.tensor([[3.0, 0.0]])
    >>> loss.logits(features, torch.tensor([0])).tolist()  # the own class has the cosine 1 − 0.25
    [[3.0, 0.0]]
    >>> round(loss(features, torch.tensor([0])).item(), 4)  # log(1 + exp(−3))
    0.0486
    """

    n_steps: Tensor

    def __init__(self, n_features: int, n_classes: int, *, margin: float | Callable = 0.35,
                 scale: float | Callable = 30.0, kind: str = "cosine") -> None:
        super().__init__()
        check_count("n_features", n_features, 1)
        check_count("n_classes", n_classes, 2)
        check_option("kind", kind, KINDS)
        self.margin, self.scale, self.kind = margin, scale, kind
        self.register_buffer("n_steps", torch.tensor(0))
        self.now()
        self.weight = nn.Parameter(torch.randn(n_classes, n_features))  # every direction is as likely

    def now(self) -> tuple[float, float]:
        """Return the margin and the scale at this step."""
        margin, scale = (part(int(self.n_steps)) if callable(part) else part for part in (self.margin, self.scale))
        return as_margin_and_scale(margin, scale, self.kind)

    def advance(self) -> None:
        """Go on to the next step of the schedules: call it after the optimiser's."""
        self.n_steps += 1

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosines of features and prototypes, of shape (n_samples, n_classes).

        A feature of length zero has no direction, and its cosines are 0. Half precision is widened to float32, under
        autocast too: a logit is scale times larger than what it is made of.

        Raises
        ------
        ValueError, TypeError
            If the features are not finite or not of shape (n_samples, n_features).
        """
        queries, keys = self.directions(features)
        with torch.autocast(queries.device.type, enabled=False):
            return queries @ keys.T

    def directions(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and prototypes at length one, in a type that is float32 at least."""
        features = as_array("features", features)
        n_features = self.weight.shape[1]
        if not isinstance(features, Tensor):
            features = to_tensor(features).to(self.weight.device)
        if features.ndim != 2 or features.shape[1] != n_features:
            raise ValueError(f"features must have shape (n_samples, {n_features}), got {tuple(features.shape)}")
        with torch.autocast(features.device.type, enabled=False):
            dtype = torch.promote_types(torch.promote_types(features.dtype, self.weight.dtype), torch.float32)
            return direction(features.to(dtype)), direction(self.weight.to(dtype))

    def logits(self, features: Tensor, labels: ArrayLike | None = None) -> Tensor:
        """Return the logits, with the margin at the own class if there are labels, of shape (n_samples, n_classes).

        Raises
        ------
        ValueError, TypeError
            As `forward`.
        """
        cosines = self.cosines(features)
        return self.of_cosines(cosines, None if labels is None else as_labels(labels, cosines))

    def of_cosines(self, cosines: Tensor, labels: Tensor | None) -> Tensor:
        """Return the logits of cosines, for labels that were looked at."""
        margin, scale = self.now()
        return with_margin(cosines, labels, margin, scale, self.kind)

    def forward(self, features: Tensor, labels: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Tensor:
        """Return the mean loss of samples, a tensor of shape ().

        Parameters
        ----------
        features : Tensor of shape (n_samples, n_features)
        labels : Tensor of shape (n_samples,)
            Integers from 0 to ``n_classes − 1``.
        sample_weight : Tensor of shape (n_samples,), optional
            Not negative, not zero everywhere.

        Raises
        ------
        ValueError, TypeError
            If a shape or a label does not fit, or something is not finite.
        """
        cosines = self.cosines(features)
        labels = as_labels(labels, cosines)
        logits = self.of_cosines(cosines, labels)
        if not len(labels):
            raise ValueError("features must have a sample at least, got none")
        if sample_weight is None:
            return functional.cross_entropy(logits, labels)
        weight = to_tensor(as_array("sample_weight", sample_weight)).to(logits.device, logits.dtype)
        if weight.shape != labels.shape:
            raise ValueError(f"sample_weight must have shape ({len(labels)},), one number a sample, got "
                             f"{tuple(weight.shape)}")
        if bool((weight < 0).any()) or not bool(weight.any()):
            raise ValueError("sample_weight must have no negative number and not be zero everywhere, got values from "
                             f"{float(weight.min()):g} to {float(weight.max()):g}")
        return (weight * functional.cross_entropy(logits, labels, reduction="none")).sum() / weight.sum()

    def predict_proba(self, features: Tensor) -> Tensor:
        r"""Return the probability of each class, without a margin: a local mean of one-hot labels.

        The keys are the prototypes at length one, the values the rows of the identity, the kernel
        :math:`e^{s\,\hat z\cdot\hat c}`, or :math:`e^{-s \lVert\hat z - \hat c\rVert/\sqrt 2}` for ``kind="root"``.

        Raises
        ------
        ValueError, TypeError
            As `cosines`.
        """
        _, scale = self.now()
        queries, keys = self.directions(features)
        kernel = Laplace(math.sqrt(2) / scale) if self.kind == "root" else Exponential(temperature=1 / scale)
        one_hot = torch.eye(len(keys), dtype=keys.dtype, device=keys.device)
        return local_mean(queries, keys, one_hot, kernel=kernel)

    def predict(self, features: Tensor) -> Tensor:
        """Return the class whose prototype is nearest, of shape (n_samples,)."""
        return self.cosines(features).argmax(1)

    def extra_repr(self) -> str:
        """Return what a printed network shows of it."""
        n_classes, n_features = self.weight.shape
        return f"{n_features}, {n_classes}, margin={self.margin}, scale={self.scale}, kind={self.kind!r}"


def direction(vectors):
    """Return vectors at length one, and zero where there is no length; its gradient is finite there too."""
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if len(vectors) and all(1e-15 < float(end) < 1e15 for end in length.detach().aminmax()):
        return vectors / length
    # Where a square could overflow or vanish: a scale that the graph does not see, since directions don't depend on it.
    largest = vectors.detach().abs().amax(1, keepdim=True)
    scaled = vectors / torch.where(largest > 0, largest, 1.0)
    square = scaled.square().sum(1, keepdim=True)
    return scaled * torch.where(square > 0, square, 1.0).rsqrt()
