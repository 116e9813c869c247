"""What comes in, checked; what leaves, in the caller's own kind."""
