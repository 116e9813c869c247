"""The choice of a bandwidth by leave-one-out or generalised cross-validation; nothing is fitted again."""

from locmethods.width.search import Selection, cross_validation, select_bandwidth

__all__ = ["Selection", "cross_validation", "select_bandwidth"]
