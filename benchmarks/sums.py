"""Local means at size: the data, ours, everybody else's, and what the arithmetic alone would take."""

from __future__ import annotations

import time

import numpy as np


def cloud(n, d, dtype=np.float32):
    """Return a function that gives places in the unit cube and values, of shape (n, d) and (n,)."""
    def data():
        rng = np.random.default_rng(0)
        return rng.uniform(size=(n, d)).astype(dtype), (rng.normal(size=n) + 2).astype(dtype)
    return data


def ours(kernel, tolerance=0.0):
    """Return the local mean with a kernel of the package, by name and parameters."""
    def mean(data):
        import locmethods
        from locmethods import kernels

        name, *parameters = kernel
        return locmethods.local_mean(data[0], *data, kernel=getattr(kernels, name)(*parameters), tolerance=tolerance)
    return mean


def dense(kernel):
    """Return scikit-learn's route: the whole matrix of weights, and its product with the values."""
    def mean(data):
        from sklearn.metrics import pairwise

        name, *parameters = kernel
        points, values = data
        if name == "Gaussian":
            weight = pairwise.rbf_kernel(points, gamma=1 / (2 * parameters[0] ** 2))
        elif name == "Polynomial":
            weight = pairwise.polynomial_kernel(points, degree=parameters[0], gamma=1.0, coef0=parameters[1])
        else:
            weight = pairwise.euclidean_distances(points) / parameters[0]
            if name == "Laplace":
                weight = np.exp(-weight)
            elif name == "Cauchy":
                weight = 1 / (1 + weight**2)
            elif name == "Epanechnikov":
                weight = np.maximum(1 - weight**2, 0)
        return weight @ values / weight.sum(1)
    return mean


def attention(bandwidth, fused):
    """Return torch's attention: one more coordinate makes a Gaussian of it.

    It is computed in one pass where values have as many coordinates as keys (here: zeros after the first), and
    through the matrix of all weights otherwise.
    """
    def mean(data):
        import torch

        points, values = (torch.from_numpy(part) for part in data)
        points, values = (points - points.mean(0)) / bandwidth, values[:, None]
        queries = torch.cat([points, torch.ones_like(values)], 1)
        keys = torch.cat([points, -0.5 * points.square().sum(1, keepdim=True)], 1)
        if fused:
            width = max(16, keys.shape[1])  # with fewer its answer is off by more than 1e-5
            queries, keys, values = (torch.nn.functional.pad(part, (0, width - part.shape[1]))
                                     for part in (queries, keys, values))
        attend = torch.nn.functional.scaled_dot_product_attention
        return attend(queries[None, None], keys[None, None], values[None, None], scale=1.0)[0, 0, :, 0].numpy()
    return mean


def keops(bandwidth):
    """Return KeOps' reduction, compiled for the formula."""
    def mean(data):
        import torch

        points, values = (torch.from_numpy(part) for part in data)
        return _mean_by_keops(points, points, values, bandwidth).numpy()
    return mean


def _mean_by_keops(query, keys, values, bandwidth):
    import torch
    from pykeops.torch import LazyTensor

    query, keys = query / bandwidth, keys / bandwidth
    square = ((LazyTensor(query[:, None]) - LazyTensor(keys[None])) ** 2).sum(-1)
    sums = (-square / 2).exp() @ torch.stack([values, torch.ones_like(values)], 1)
    return sums[:, 0] / sums[:, 1]


def radius_graph(bandwidth, reach):
    """Return scikit-learn's neighbours within `reach` bandwidths, weighted, a few thousand queries at once."""
    def mean(data):
        from sklearn.neighbors import NearestNeighbors

        points, values = data
        search = NearestNeighbors(radius=reach * bandwidth, algorithm="kd_tree", n_jobs=2).fit(points)
        found = []
        for start in range(0, len(points), 5000):
            graph = search.radius_neighbors_graph(points[start:start + 5000], mode="distance")
            graph.data = np.exp(-graph.data**2 / (2 * bandwidth**2))
            found.append(graph @ values / np.asarray(graph.sum(1)).ravel())
        return np.concatenate(found)
    return mean


def gradient(bandwidth):
    """Return the gradient of Σ m(q)² in queries, keys, values and the bandwidth, one after the other."""
    def mean(query, keys, values, h):
        import locmethods
        from locmethods.kernels import Gaussian

        return locmethods.local_mean(query, keys, values, kernel=Gaussian(h))
    return _slopes(mean, bandwidth)


def gradient_of_keops(bandwidth):
    """Return the same gradient through KeOps' reduction."""
    return _slopes(_mean_by_keops, bandwidth)


def _slopes(mean, bandwidth):
    """Return a function of the data that gives the gradient of Σ m(q)², with respect to all that the mean takes."""
    def slopes(data):
        import torch

        leaves = [torch.from_numpy(part).double().requires_grad_() for part in (data[0], *data)]
        leaves.append(torch.tensor(bandwidth, dtype=torch.float64, requires_grad=True))
        mean(*leaves).square().sum().backward()
        return np.concatenate([leaf.grad.flatten().numpy() for leaf in leaves])
    return slopes


def polynomial(kernel, degree):
    """Return the local polynomial fit at every point."""
    def fit(data):
        import locmethods
        from locmethods import kernels

        name, *parameters = kernel
        return locmethods.local_polynomial(data[0], *data, kernel=getattr(kernels, name)(*parameters),
                                           degree=degree).value
    return fit


def leave_one_out(bandwidths):
    """Return the leave-one-out scores of some bandwidths of a Gaussian."""
    def scores(data):
        import locmethods
        from locmethods.kernels import Gaussian

        return locmethods.select_bandwidth(*data, kernel=Gaussian(), bandwidths=bandwidths).scores
    return scores


def leave_one_out_of_statsmodels(bandwidths):
    """Return what statsmodels' search for a bandwidth asks for each."""
    def scores(data):
        from statsmodels.nonparametric.kernel_regression import KernelReg

        points, values = data
        model = KernelReg(values, points, "c" * points.shape[1], reg_type="lc", bw=[1.0] * points.shape[1])
        widths = (np.full(points.shape[1], bandwidth) for bandwidth in bandwidths)
        return np.array([float(model.cv_loo(width, model._est_loc_constant)[0]) for width in widths])
    return scores


def limit(n, d):
    """Return a function that measures the larger of what n² exponentials and n² products of length d take torch.

    In float32, on tiles that stay in cache, written over and over: no sum over all pairs that forms its scores by a
    product and its weights by torch's exponential can be faster.
    """
    def seconds():
        import torch

        tile = torch.rand(512, 1024).neg_()
        left, right, out = torch.rand(512, d), torch.rand(d, 1024), torch.empty(512, 1024)
        return max(_best(lambda: torch.exp(tile, out=out)), _best(lambda: torch.mm(left, right, out=out))) * (
            n * n / tile.numel())
    return seconds


def _best(work, repeats=200):
    """Return the fewest seconds that some work takes."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def within(tolerance):
    """Return the comparison of two answers to a share of the largest value."""
    def same(left, right):
        return float(np.abs(left - right).max()) <= tolerance * float(np.abs(left).max())
    return same
