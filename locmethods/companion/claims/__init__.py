"""A claim, how it is checked, and the ledger that says which chapter checks it."""

from locmethods.companion.claims.check import CONTROLS, ClaimError, claim

__all__ = ["CONTROLS", "ClaimError", "claim"]
