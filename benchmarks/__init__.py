"""Peers side by side: each row is one task, ours and every peer's measured in turn under the same conditions."""
