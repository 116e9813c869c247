"""Compiled code: what is summed for every pair of a query and a key."""
