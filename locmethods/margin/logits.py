"""The logits of a softmax over prototypes, and the three ways to put a margin into them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.checks import as_array, as_number, check_not_negative, check_option, check_positive
from locmethods.arrays.namespace import detached, is_tensor, namespace, to_numpy, to_tensor
from locmethods.kernels import root

KINDS = ("cosine", "angle", "root")


def margin_logits(cosines: ArrayLike, labels: ArrayLike | None = None, *, margin: float = 0.35, scale: float = 30.0,
                  kind: str = "cosine") -> NDArray:
    r"""Return what a softmax over prototypes takes the exponential of, with a margin at each sample's own class.

    With the cosine c of a sample and a prototype, θ = arccos c and d = √(1 − c), the logit of another class is

    - ``kind="cosine"`` and ``"angle"``: s c,
    - ``kind="root"``: −s d,

    and that of the own class is

    - ``"cosine"``: s (c − m), additive margin or CosFace [wang2018b]_ [wang2018c]_,
    - ``"angle"``: s cos(θ + m), ArcFace [deng2019]_. Past θ = π − m, where cos(θ + m) would rise again, it is
      s (c − m sin m), which falls on but begins with a jump,
    - ``"root"``: −s (d + m), the margin of a metric [su2021b]_.

    Parameters
    ----------
    cosines : array-like or Tensor of shape (n_samples, n_classes)
        From −1 to 1; what rounding has put beyond counts as ±1.
    labels : array-like or Tensor of shape (n_samples,), optional
        Integers, the column of each sample's own class. Without them there is no margin.
    margin : float, default=0.35
        m, not negative; an angle in radians for ``"angle"``, at most π.
    scale : float, default=30.0
        s, positive.
    kind : {"cosine", "angle", "root"}, default="cosine"

    Returns
    -------
    ndarray or Tensor of shape (n_samples, n_classes)
        Differentiable in the cosines. At ±1 arccos and the root have no derivative, and zero is taken for it.

    Raises
    ------
    ValueError
        If a shape, a label, the margin, the scale or the kind is not of that form, or a cosine lies beyond ±1 by more
        than rounding puts it there.
    TypeError
        If the labels are no integers.

    Examples
    --------
    >>> from locmethods.margin import margin_logits
    >>> margin_logits([[1.0, 0.5]], [0], margin=0.25, scale=4.0).tolist()
    [[3.0, 2.0]]
    >>> margin_logits([[1.0, 0.75]], [0], margin=0.25, scale=4.0, kind="root").tolist()
    [[-1.0, -2.0]]
    """
    check_option("kind", kind, KINDS)
    margin, scale = as_margin_and_scale(margin, scale, kind)
    cosines = as_array("cosines", cosines)
    if cosines.ndim != 2:
        raise ValueError(f"cosines must have shape (n_samples, n_classes), got {tuple(cosines.shape)}")
    check_cosines(cosines)
    if labels is not None:
        labels = as_labels(labels, cosines)
    return with_margin(cosines, labels, margin, scale, kind)


def as_margin_and_scale(margin, scale, kind):
    """Return a margin, finite and at least 0, as an angle at most π, and a positive finite scale, as floats."""
    check_not_negative("margin", margin)
    if kind == "angle" and margin > math.pi:
        raise ValueError(f"margin must be an angle in radians, at most π, got {margin!r}")
    check_positive("scale", scale)
    return as_number("margin", margin), as_number("scale", scale)


def check_cosines(cosines):
    """Raise unless numbers are from −1 to 1, give or take what rounding leaves of a product of unit vectors."""
    if not math.prod(cosines.shape):
        return
    xp, plain = namespace(cosines), detached(cosines)
    ends = float(xp.min(plain)), float(xp.max(plain))
    # A product of unit vectors errs by about √d ε, which is below √ε for up to 1/ε features.
    if max(-ends[0], ends[1]) > 1 + math.sqrt(xp.finfo(cosines.dtype).eps):
        raise ValueError(f"cosines must be from -1 to 1, got values from {ends[0]:g} to {ends[1]:g}")


def as_labels(labels, matrix):
    """Return labels of the rows of a matrix as integers of its own kind, each the number of a column.

    Raises
    ------
    TypeError
        If they are no integers.
    ValueError
        If they are not one a row, or one is out of range.
    """
    n, k = matrix.shape
    if not is_tensor(labels):
        labels = np.asarray(labels)
        whole = labels.dtype.kind in "iu"
    else:
        whole = not (labels.is_floating_point() or labels.is_complex() or str(labels.dtype) == "torch.bool")
    if not whole:
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    if tuple(labels.shape) != (n,):
        raise ValueError(f"labels must have shape ({n},), one a sample, got {tuple(labels.shape)}")
    labels = labels.long() if is_tensor(labels) else labels  # torch has no least of unsigned integers
    if n and not (0 <= int(labels.min()) and int(labels.max()) < k):
        raise ValueError(f"labels must be from 0 to {k - 1}, got values from {int(labels.min())} to "
                         f"{int(labels.max())}")
    if not is_tensor(matrix):
        return to_numpy(labels)
    return (labels if is_tensor(labels) else to_tensor(labels.astype(np.int64))).to(matrix.device)


def with_margin(cosines, labels, margin, scale, kind):
    """Return the logits of `margin_logits`, of checked input."""
    plain = of_other(cosines, scale, kind)
    if labels is None or margin == 0:
        return plain
    if is_tensor(cosines):
        own = of_own(cosines.gather(1, labels[:, None]), margin, scale, kind)
        return plain.scatter(1, labels[:, None], own)
    own = of_own(np.take_along_axis(cosines, labels[:, None], 1), margin, scale, kind)
    np.put_along_axis(plain, labels[:, None], own, 1)
    return plain


def of_other(cosines, scale, kind):
    """Return logits without a margin."""
    return -scale * distance(cosines) if kind == "root" else scale * cosines


def of_own(cosine, margin, scale, kind):
    """Return the logits of the own class."""
    if kind == "cosine":
        return scale * (cosine - margin)
    if kind == "root":
        return -scale * (distance(cosine) + margin)
    xp = namespace(cosine)
    # sin² as a product of two factors, neither of which cancels; it is at least 0 beyond ±1 too.
    sine = root(xp.where(abs(cosine) < 1, (1 - cosine) * (1 + cosine), 0.0))
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    # θ ≤ π − m in terms of the cosine, which falls from 0 to π.
    before = cosine >= -math.cos(margin)
    return scale * xp.where(before, turned, cosine - margin * math.sin(margin))


def distance(cosines):
    """Return √(1 − c), for unit vectors their distance over √2; it errs by √ε near zero."""
    xp = namespace(cosines)
    return root(xp.where(cosines < 1, 1 - cosines, 0.0))
