"""How much memory a measurement took."""

import resource


def peak():
    """Return the greatest memory this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
