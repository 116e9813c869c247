"""States that are updated until they change no more, and the record of how that went."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning


class Recall(NamedTuple):
    """Where states ended, and how they came there.

    Attributes
    ----------
    states : ndarray of shape (n_states, n_features)
    energy : ndarray of shape (n_steps + 1, n_states)
        Of each state at the start and after each step; a state that has settled, or is seen to alternate, keeps its
        last.
    n_iter : integer ndarray of shape (n_states,)
        Steps (of an asynchronous network: sweeps over all bits) that changed the state.
    settled : boolean ndarray of shape (n_states,)
        Whether a further step changes nothing, or no more than the tolerance.
    alternating : boolean ndarray of shape (n_states,)
        Whether it goes back and forth between two states for ever.

    Examples
    --------
    >>> from locmethods.hopfield import HopfieldNetwork
    >>> found = HopfieldNetwork().fit([[1, 1, 1, 1, 1]]).trace([[1, 1, 1, 1, -1]])
    >>> found.states, found.energy.round(6).ravel(), found.n_iter
    (array([[1., 1., 1., 1., 1.]]), array([-0.4, -2. ]), array([1]))
    """

    states: np.ndarray
    energy: np.ndarray
    n_iter: np.ndarray
    settled: np.ndarray
    alternating: np.ndarray


def iterate(states, step, *, stacklevel=4, **options):
    """Follow states as `follow` does, and warn if one does not settle."""
    found = follow(states, step, **options)
    warn_of_moving(found, options["max_steps"], stacklevel)
    return found


def follow(states, step, *, max_steps, energy=None, tol=0.0):
    """Update states until each changes no more.

    Parameters
    ----------
    states : ndarray of shape (n_states, n_features)
        They are not written on.
    step : callable
        ``step(states)`` returns the updated states, row by row, in an array of its own.
    max_steps : int
    energy : callable, optional
        ``energy(states)`` of shape (n_states,); without it none is recorded.
    tol : float, default=0.0
        A state has settled when no entry of it moves by more.

    Returns
    -------
    Recall
    """
    n_iter, alternating = np.zeros(len(states), int), np.zeros(len(states), bool)
    energies = [] if energy is None else [energy(states)]
    active, before = np.arange(len(states)), None
    for number in range(1, max_steps + 1):
        here = states if len(active) == len(states) else states[active]
        there = step(here)
        moved = _moved(here, there, tol)
        back = np.zeros(len(active), bool) if before is None else moved & ~_moved(before, there, 0.0)
        going = moved & ~back
        before = None if number == max_steps else here[going]
        if here is states:
            states = there
        else:
            states[active] = there
        n_iter[active[moved]] = number
        alternating[active[back]] = True
        if energy is not None and moved.any():
            energies.append(energies[-1].copy())
            energies[-1][active[moved]] = energy(there[moved])
        active = active[going]
        if not len(active):
            break
    settled = ~alternating
    settled[active] = False
    return Recall(states, np.array(energies), n_iter, settled, alternating)


def _moved(here, there, tol):
    """Return which rows differ in some entry by more than a tolerance."""
    if tol == 0:
        return (here != there).any(axis=1)
    return np.abs(there - here).max(axis=1) > tol


def warn_of_moving(found, max_steps, stacklevel):
    """Warn if states of a `Recall` alternate, or had to be left while they were changing."""
    n_states, alternating = len(found.states), int(found.alternating.sum())
    moving = int((~found.settled & ~found.alternating).sum())
    if alternating:
        warnings.warn(f"{alternating} of {n_states} states alternate between two states for ever: asynchronous updates "
                      "of symmetric weights settle", ConvergenceWarning, stacklevel=stacklevel)
    if moving:
        warnings.warn(f"{moving} of {n_states} states were still changing after max_steps={max_steps}: raise it",
                      ConvergenceWarning, stacklevel=stacklevel)
