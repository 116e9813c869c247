"""Claims as the first edition's pages call them, until each of those pages is written in the form of the second."""

from locmethods.companion.first_edition.check import CONTROLS, ClaimError, claim

__all__ = ["CONTROLS", "ClaimError", "claim"]
