"""How much of a picture is left at each step, what a step back does, and how many bits the steps take."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.checks import as_array, check_count, check_option
from locmethods.arrays.namespace import to_numpy

KINDS = ("linear", "cosine")
TRAINED = 1000  # steps of the linear schedule as it was published; fewer are taken out of these


def signal_levels(n_steps: int, kind: str = "linear") -> NDArray:
    r"""Return ᾱ₁ > … > ᾱ_T: after t steps of noise a picture z has become √ᾱ z + √(1 − ᾱ) ε.

    Parameters
    ----------
    n_steps : int
        T, at least 2; of the linear schedule at most 1000.
    kind : {"linear", "cosine"}, default="linear"
        "linear": T evenly spaced ones of the thousand products of 1 − β, where β grows evenly from 10⁻⁴ to 0.02
        [ho2020]_. "cosine": cos²(π/2 · (t/T + s)/(1 + s)) over its value at zero, s = 0.008, where no step keeps less
        than a thousandth [nichol2021]_.

    Returns
    -------
    ndarray of shape (n_steps,)

    Raises
    ------
    ValueError
        If the number of steps or the kind is not as above.

    Examples
    --------
    >>> from locmethods.ddcm import signal_levels
    >>> signal_levels(2).round(5)  # the first and the last of the thousand
    array([9.999e-01, 4.000e-05])
    >>> signal_levels(4, "cosine").round(2)
    array([0.85, 0.49, 0.14, 0.  ])
    """
    check_count("n_steps", n_steps, 2)
    check_option("kind", kind, KINDS)
    n_steps = int(n_steps)  # of which one of NumPy's short ones would wrap
    if kind == "linear":
        if n_steps > TRAINED:
            raise ValueError(f"n_steps must be at most {TRAINED} for the linear schedule, got {n_steps}")
        every = np.cumprod(1 - np.linspace(1e-4, 0.02, TRAINED))
        return every[np.linspace(0, TRAINED - 1, n_steps).round().astype(int)]
    time, offset = np.arange(n_steps + 1) / n_steps, 0.008
    level = np.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
    return np.cumprod(np.maximum(level[1:] / level[:-1], 1e-3))


def payload_bits(n_steps: int, n_codes: int, n_atoms: int = 1, coefficient_bits: int = 3) -> int:
    """Return the bits that a picture takes: (T − 1)(M ⌈log₂ K⌉ + (M − 1) C), since the last step takes no noise.

    Parameters
    ----------
    n_steps : int
        T, at least 2.
    n_codes : int
        K, the vectors of a codebook. Where it is no power of two, part of the last bit is lost.
    n_atoms : int, default=1
        M, how many of them make the noise of a step.
    coefficient_bits : int, default=3
        C, of the share of each further one.

    Raises
    ------
    ValueError
        If a number is too small, or no integer.

    Examples
    --------
    >>> from locmethods.ddcm import payload_bits
    >>> payload_bits(51, 256)  # 50 indices of one byte
    400
    >>> payload_bits(51, 256, n_atoms=2, coefficient_bits=3)
    950
    """
    check_count("n_steps", n_steps, 2)
    check_count("n_codes", n_codes, 1)
    check_count("n_atoms", n_atoms, 1)
    check_count("coefficient_bits", coefficient_bits, 1)
    # As Python's integers: NumPy's have no bit_length, and a product of short ones wraps.
    n_steps, n_codes, n_atoms, coefficient_bits = map(int, (n_steps, n_codes, n_atoms, coefficient_bits))
    return (n_steps - 1) * (n_atoms * index_bits(n_codes) + (n_atoms - 1) * coefficient_bits)


def index_bits(n_codes):
    """Return ⌈log₂ K⌉."""
    return (n_codes - 1).bit_length()


class Step(NamedTuple):
    """What a step back from x_t does: x_{t−1} = keep · x_t + pull · D(x_t) + spread · noise.

    Attributes
    ----------
    signal : float
        √ᾱ_t.
    sigma : float
        The level of the noise on x_t/√ᾱ_t, in the units of the pictures: √(1/ᾱ_t − 1).
    keep, pull, spread : float
    """

    signal: float
    sigma: float
    keep: float
    pull: float
    spread: float


def steps_of(levels):
    """Return the `Step` of each t from 1 on, by Bayes' rule for x_{t−1} given x_t and the clean picture."""
    found = []
    for now, before in zip(levels.tolist(), [1.0, *levels.tolist()], strict=False):
        part, rest = now / before, 1 - now
        found.append(Step(math.sqrt(now), math.sqrt(rest / now), math.sqrt(part) * (1 - before) / rest,
                          math.sqrt(before) * (1 - part) / rest, math.sqrt((1 - before) * (1 - part) / rest)))
    return found


def as_levels(schedule: str | ArrayLike, n_steps: int) -> NDArray:
    """Return the levels of a schedule that is named, or given as falling numbers in (0, 1)."""
    if isinstance(schedule, str):
        check_option("schedule", schedule, KINDS)
        return signal_levels(n_steps, schedule)
    check_count("n_steps", n_steps, 2)
    levels = to_numpy(as_array("schedule", schedule)).astype(np.float64)
    if levels.shape != (n_steps,) or (np.diff(levels) >= 0).any() or not 0 < levels[-1] < levels[0] < 1:
        raise ValueError(f"schedule must be {' or '.join(map(repr, KINDS))}, or n_steps={n_steps} falling numbers in "
                         f"(0, 1), got an array of shape {levels.shape}"
                         f"{f' from {levels.flat[0]:g} to {levels.flat[-1]:g}' if levels.size else ''}")
    return levels
