"""The width of a kernel: rules of thumb, scores that fit nothing again, and the search for the best."""

from locmethods.width.rules import rule_of_thumb
from locmethods.width.scores import cross_validation
from locmethods.width.search import Selection, select_bandwidth

__all__ = ["Selection", "cross_validation", "rule_of_thumb", "select_bandwidth"]
