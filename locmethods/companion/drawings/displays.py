"""The package's displays as several pages draw them: from the numbers of a figure's table alone."""

from __future__ import annotations

from locmethods.display import LeaveOneOutDisplay
from locmethods.kernels import Gaussian
from locmethods.width import Selection


def leave_one_out(axes, chosen, widths, errors):
    """Draw and return the display of what leave-one-out has found for some widths, from the numbers alone."""
    return LeaveOneOutDisplay(Selection(chosen, errors, Gaussian(chosen), widths, ())).plot(axes)
