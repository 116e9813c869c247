"""Widths: the search for one, and windows that have one for each target."""

from __future__ import annotations

import numpy as np


def wave(n):
    """Return a function that gives places on a line and a noisy wave, of shape (n, 1) and (n,)."""
    def data():
        rng = np.random.default_rng(0)
        x = rng.uniform(size=(n, 1))
        return x, np.sin(6 * x[:, 0]) + 0.3 * rng.normal(size=n)
    return data


def search(data):
    """Return our bandwidth."""
    import locmethods
    from locmethods.kernels import Gaussian

    return np.array([locmethods.select_bandwidth(*data, kernel=Gaussian()).best])


def search_of_statsmodels(data):
    """Return the bandwidth of statsmodels, found to 1e-4 in units of the data, half a percent."""
    from statsmodels.nonparametric.kernel_regression import KernelReg

    points, values = data
    return KernelReg(values, points, "c", reg_type="lc", bw="cv_ls").bw


def lowess(share):
    """Return our local lines, in windows that hold a share of the points."""
    def fit(data):
        import locmethods
        from locmethods.kernels import Balloon, Tricube

        kernel = Balloon(Tricube(), int(share * len(data[0])))
        return locmethods.local_polynomial(data[0], *data, kernel=kernel, degree=1).value
    return fit


def lowess_of_statsmodels(share):
    """Return Cleveland's, without his iterations against outliers."""
    def fit(data):
        from statsmodels.nonparametric.smoothers_lowess import lowess

        return lowess(data[1], data[0][:, 0], frac=share, it=0, return_sorted=False)
    return fit
