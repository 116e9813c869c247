"""Two kernels as a user would write them, in a file of their own: the formula and nothing else."""

from locmethods.kernels import Radial, root


class Matern32(Radial):
    """K = (1 + √3 r/h) exp(−√3 r/h)."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        r = root(3 * u2)
        return xp.log1p(r) - r


class Wendland(Radial):
    """K = (1 − r/R)⁴ (1 + 4 r/R) within the radius R, zero outside."""

    def __init__(self, radius=1.0):
        super().__init__(radius=radius)

    def log_profile(self, u2, xp):
        inside = u2 < 1
        r = root(xp.where(inside, u2, 0 * u2))
        return xp.where(inside, 4 * xp.log1p(-r) + xp.log1p(4 * r), u2 * 0 - float("inf"))
