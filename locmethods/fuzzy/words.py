"""Rules as sentences that a person reads."""

from __future__ import annotations

from locmethods.fuzzy.premises import ANY

NAMES = {
    1: ("any",),
    2: ("low", "high"),
    3: ("low", "medium", "high"),
    4: ("very low", "low", "high", "very high"),
    5: ("very low", "low", "medium", "high", "very high"),
    7: ("very low", "low", "rather low", "medium", "rather high", "high", "very high"),
}


def names_of(n_sets):
    """Return a name for each of so many sets in ascending order."""
    return NAMES.get(n_sets) or tuple(f"level {number} of {n_sets}" for number in range(1, n_sets + 1))


def premise_in_words(rule, features, names):
    """Return a rule's premise, "x0 is low and x1 is high".

    Parameters
    ----------
    rule : sequence of int
        The number of the set in each feature, or −1.
    features : sequence of str
    names : sequence of sequences of str
        Of each feature's sets.
    """
    asked = [f"{feature} is {named[number]}" for feature, named, number in zip(features, names, rule, strict=True)
             if number != ANY]
    return " and ".join(asked) or "anything"


def consequent_in_words(target, coefficients, features, digits=3):
    """Return what a rule answers, "y = 2 + 0.5 x0 − 1 x1".

    Parameters
    ----------
    target : str
    coefficients : sequence of float
        The level and, of order one, a slope for each feature.
    features : sequence of str
    digits : int, default=3
        Significant ones.
    """
    level, *slopes = coefficients
    terms = [f" {'−' if slope < 0 else '+'} {number_in_words(abs(slope), digits)} {feature}"
             for slope, feature in zip(slopes, features, strict=False)]
    return f"{target} = {number_in_words(level, digits)}{''.join(terms)}"


def number_in_words(value, digits):
    """Return a number with so many significant digits, and a minus sign that is one."""
    return f"{float(f'{value:.{digits}g}'):g}".replace("-", "−")  # 120, where two digits alone would give 1.2e+02
