"""How many dimensions keep distances, and what their error does to a Gaussian kernel.

Under a Gaussian matrix with k rows the quotient of a squared distance after and before is χ²/k with k degrees of
freedom, whatever the two points are. All that is said here follows from its tails.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincc

from locmethods.arrays.checks import as_array, as_number, check_count, check_option, check_share, is_number

__all__ = ["dimension", "failure_probability", "kernel_error"]

LARGE = 10**5  # degrees of freedom from which the lower tail is a quadrature
NODES, ROOM = np.polynomial.legendre.leggauss(64), 40.0  # and how far it goes: to e⁻⁴⁰ of where it begins


def _excess(u):
    """Return u − log(1 + u) for u > −1, to its last digits where it is small as well."""
    # Σ (−u)ᵐ/m from m = 2 on; what is left out is below u⁹/5 of the first.
    series = sum((-1) ** m * u**m / m for m in range(10, 1, -1))
    return np.where(np.abs(u) < 0.01, series, u - np.log1p(u))


# r(ε) in P(|χ²/k − 1| > ε) ≤ 2 exp(−k r(ε)); the last is the best that holds for every k, by Chernoff's bound, and
# log(1 + ε) ≤ ε − ε²/4 and ≤ ε − ε²/2 + ε³/3 give the others.
RATES = {
    "su": lambda eps: eps**2 / 8,
    "dasgupta": lambda eps: eps**2 / 4 - eps**3 / 6,
    "chernoff": lambda eps: float(_excess(eps)) / 2,
}
PROMISES = ("all", "pairs")


def failure_probability(n_components: int, eps: float, n: int = 2) -> float:
    """Return the probability that a Gaussian projection breaks its promise, or a bound on it.

    For two points it is exact: P(|χ²/k − 1| > ε), χ² with k = `n_components` degrees of freedom. For more it is the
    union bound: that number times n(n − 1)/2, at most one.

    Parameters
    ----------
    n_components : int
        k, the rows of the matrix, whose entries have variance 1/k.
    eps : float
        ε in (0, 1): the share by which a squared distance may be off.
    n : int, default=2
        Points, all of whose pairs shall keep their squared distances.

    Raises
    ------
    ValueError
        If `n_components` or `n` is no count, or `eps` is not in (0, 1).

    Examples
    --------
    >>> from locmethods.projection import failure_probability
    >>> round(failure_probability(2, 0.5), 3)  # 1 − exp(−1/2) + exp(−3/2): χ² with two degrees is exponential
    0.617
    >>> failure_probability(2, 0.5, n=100)
    1.0
    """
    check_count("n_components", n_components, least=1)
    check_share("eps", eps)
    check_count("n", n, least=2)
    k, pairs = as_number("n_components", n_components), as_number("n", math.comb(int(n), 2))
    return min(1.0, pairs * _tails(k, float(eps)))


def _tails(k, eps):
    """Return P(χ² < k(1 − ε)) + P(χ² > k(1 + ε)), each by itself, so that a tiny one keeps its digits."""
    return float(_lower_tail(k, eps) + gammaincc(k / 2, k * (1 + eps) / 2))


def _lower_tail(k, eps):
    """Return P(χ² < k(1 − ε)).

    From some 10⁶ degrees of freedom on SciPy's series for it ends before it has converged. For many of them it is a
    quadrature: with a = k/2, by Stirling's formula,

    P(χ² < k(1 − ε)) = √(a/2π)/(1 + 1/12a) ∫ exp(−a(−u − log(1 − u))) du/(1 − u), u from ε to 1.
    """
    a = k / 2
    if k < LARGE:
        return gammainc(a, a * (1 - eps))
    end = min(1.0, math.sqrt(eps**2 + 2 * ROOM / a))  # the exponent is at least a u²/2
    u = (eps + end) / 2 + (end - eps) / 2 * NODES[0]
    heights = np.exp(-a * _excess(-u)) / (1 - u)
    return math.sqrt(a / (2 * math.pi)) / (1 + 1 / (12 * a)) * (end - eps) / 2 * float(NODES[1] @ heights)


def dimension(n: int, eps: float, promise: str = "all", method: str = "exact", *,
              failure: float | None = None) -> int:
    """Return how many dimensions keep squared distances of n points to a share of ε, whatever the points are.

    Parameters
    ----------
    n : int
        How many points.
    eps : float
        ε in (0, 1): squared distances are kept between 1 − ε and 1 + ε times what they were.
    promise : {"all", "pairs"}, default="all"
        "all": all n(n − 1)/2 pairs at once, except with the probability `failure`. "pairs": each pair for itself,
        so that the share of pairs that are not kept is expected to be at most `failure`.
    method : {"exact", "chernoff", "dasgupta", "su"}, default="exact"
        "exact" takes the smallest k for which the sum of the pairs' probabilities, each a χ² tail, is at most
        `failure`. The others take a bound 2 exp(−k r) on each of them, with r = (ε − log(1 + ε))/2 ("chernoff"),
        ε²/4 − ε³/6 ("dasgupta" [dasgupta2003]_) or ε²/8 ("su" [su2021]_), and n² in place of n(n − 1), as their
        authors do: k = log(n²/failure)/r.
    failure : float, optional
        In (0, 1]; 1/n by default. For all pairs, 1 asks only for a probability above zero: that there is such a
        projection at all.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If `n` is no count of two or more, `eps` is not in (0, 1), `failure` not in (0, 1], an option is unknown, or
        `eps` is so small that the answer is no whole number that a float can hold (below 10⁻⁷ or so).

    Notes
    -----
    Constants in use, for all pairs: 24 log(n)/ε² is "su" and 16 log(n)/ε² the same with failure=1; with ρ = ε²/2 −
    ε³/3, 4 log(n)/ρ is "dasgupta" with failure=1, which scikit-learn's ``johnson_lindenstrauss_min_dim`` rounds down,
    and 6 log(n)/ρ is "dasgupta", which holds for matrices of signs too [achlioptas2003]_. The exact answer is about
    the Gaussian matrix, and is the best that the union bound can give: no set of points is looked at.

    Examples
    --------
    >>> from locmethods.projection import dimension
    >>> dimension(1000, 0.5, method="su", failure=1.0)  # 64 log 1000 = 442.1
    443
    >>> dimension(1000, 0.5, promise="pairs", failure=0.5) < dimension(1000, 0.5)
    True
    """
    check_count("n", n, least=2)
    check_share("eps", eps)
    check_option("promise", promise, PROMISES)
    check_option("method", method, ("exact", *reversed(RATES)))
    if failure is None:
        failure = 1 / as_number("n", n)
    if not (is_number(failure) and 0 < failure <= 1):
        raise ValueError(f"failure must be a probability in (0, 1], got {failure!r}")
    n, eps, failure = int(n), float(eps), float(failure)
    if method != "exact":
        logarithm = math.log(n**2 if promise == "all" else 2) - math.log(failure)
        rate = RATES[method](eps)
        if not logarithm < 2**53 * rate:
            raise ValueError(f"eps must be so large that fewer than 2**53 dimensions are asked for, got {eps!r}")
        return max(1, math.ceil(logarithm / rate))
    pairs = as_number("n", math.comb(n, 2)) if promise == "all" else 1
    # Both tails together fall with k, so that halving finds where they pass the bound; Chernoff's k is beyond it.
    low, high = 0, dimension(n, eps, promise, "chernoff", failure=failure)
    while high - low > 1:
        middle = (low + high) // 2
        if pairs * _tails(middle, eps) <= failure:
            high = middle
        else:
            low = middle
    return high


def kernel_error(eps: ArrayLike) -> float | NDArray:
    """Return how far exp(−r²/2h²) can move if r² is off by a share of at most ε: ε(1 − ε)^((1 − ε)/ε).

    With t = r²/2h² the most that it can move is max e^(−(1 − ε)t) − e^(−t), which is reached at t = −log(1 − ε)/ε;
    a distance that grows moves it less. So the bandwidth does not matter. It is ε/e for small ε.

    Parameters
    ----------
    eps : array-like
        Shares ε in [0, 1), of any shape.

    Returns
    -------
    float, or ndarray of the shape of `eps`

    Raises
    ------
    ValueError, TypeError
        If one of them is not in [0, 1).

    Examples
    --------
    >>> from locmethods.projection import kernel_error
    >>> kernel_error(0.5)
    0.25
    """
    eps = np.asarray(as_array("eps", eps), dtype=np.float64)
    if ((eps < 0) | (eps >= 1)).any():
        raise ValueError(f"eps must be in [0, 1), got values from {eps.min():g} to {eps.max():g}")
    safe = np.where(eps > 0, eps, 0.5)
    found = eps * np.exp((1 - safe) / safe * np.log1p(-safe))
    return float(found) if found.ndim == 0 else found
