"""Leading eigenpairs of an averaging matrix, and clusters from them: ours beside dense and sparse eigensolvers."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

PAIRS = 20
TOL = 1e-8


def _cloud(n, d=3):
    def data():
        return np.random.default_rng(0).normal(size=(n, d))
    return data


def _cube(n):
    """Return a function that gives points of which none stands alone.

    Outliers under a compact kernel have the eigenvalue one each, and of so many copies ARPACK misses some.
    """
    def data():
        return np.random.default_rng(0).random((n, 3))
    return data


def _ours(kernel, tol=TOL):
    """Return our eigenvalues; a kernel by its name and parameter."""
    def decompose(x):
        import locmethods
        from locmethods import kernels

        name, value = kernel
        return locmethods.Spectrum.of(x, getattr(kernels, name)(value), PAIRS, tol=tol).eigenvalues
    return decompose


def _dense(bandwidth):
    """Return the eigenvalues of the matrix S, whole in memory, by ARPACK."""
    def decompose(x):
        from scipy.sparse.linalg import eigsh
        from sklearn.metrics.pairwise import rbf_kernel

        matrix = rbf_kernel(x, gamma=0.5 / bandwidth**2)
        root = np.sqrt(matrix.sum(axis=1))
        matrix /= root[:, None]
        matrix /= root
        return eigsh(matrix, k=PAIRS, which="LA", tol=TOL, v0=np.ones(len(x)))[0][::-1]
    return decompose


def _embedding_of_scikit_learn(bandwidth):
    """Return the eigenvalues that belong to scikit-learn's embedding: Rayleigh quotients, its own are not given."""
    def decompose(x):
        from sklearn.manifold import spectral_embedding
        from sklearn.metrics.pairwise import rbf_kernel

        matrix = rbf_kernel(x, gamma=0.5 / bandwidth**2)
        functions = spectral_embedding(matrix, n_components=PAIRS, drop_first=False, random_state=0, eigen_tol=TOL)
        degrees = matrix.sum(axis=1)
        np.fill_diagonal(matrix, 0.0)  # as it does
        degrees -= 1
        return (functions * (matrix @ functions)).sum(0) / (degrees @ functions**2)
    return decompose


def _hollow(bandwidth):
    """Return our eigenvalues of the matrix that scikit-learn's embedding decomposes."""
    def decompose(x):
        import locmethods
        from locmethods.kernels import Gaussian

        return locmethods.Spectrum.of(x, Gaussian(bandwidth).hollow(), PAIRS, tol=TOL).eigenvalues
    return decompose


def _functions(kernel, alpha=0.0):
    """Return our eigenvalues, and below them their functions at length one; a kernel by its name and parameter."""
    def decompose(x):
        import locmethods
        from locmethods import kernels

        name, value = kernel
        found = locmethods.Spectrum.of(x, getattr(kernels, name)(value), PAIRS, alpha=alpha, tol=TOL)
        return np.vstack([found.eigenvalues, found.right / np.linalg.norm(found.right, axis=0)])
    return decompose


def _functions_of_pydiffmap(bandwidth):
    """Return pydiffmap's, with every point a neighbour: K = exp(−r²/4ε), and its eigenvalues are (λ − 1)/ε."""
    def decompose(x):
        from pydiffmap.diffusion_map import DiffusionMap

        epsilon = bandwidth**2 / 2
        model = DiffusionMap.from_sklearn(alpha=1.0, k=len(x), epsilon=epsilon, n_evecs=PAIRS - 1).fit(x)
        values = np.append(1.0, 1 + epsilon * model.evals)
        return np.vstack([values, np.column_stack([np.full(len(x), len(x) ** -0.5), model.evecs])])
    return decompose


def _same_functions(left, right):
    """Return whether eigenvalues agree, and functions of unit length up to their signs.

    A function is off by its residual, of 1e-8, over the gap to the next eigenvalue.
    """
    gaps = np.diff(np.sort(left[0])).min()
    signs = np.sign((left[1:] * right[1:]).sum(0))
    return _same(left[0], right[0]) and np.abs(left[1:] - signs * right[1:]).max() < TOL / gaps


def _are_their_averages(data, weight_of):
    """Return a function that says whether functions are λ times what they are, asked at 32 points, by sums in NumPy.

    A residual of 1e-8 is that of the symmetric twin; in a cube the degrees, and with them the lengths, differ by
    factors below ten.
    """
    def check(_, found):
        from scipy.spatial.distance import cdist

        x, eigenvalues, functions = data(), found[0], found[1:]
        some = slice(None, None, len(x) // 32)
        weight = weight_of(cdist(x[some], x, "sqeuclidean"))
        averaged = weight @ functions / weight.sum(1, keepdims=True)
        return np.abs(averaged - eigenvalues * functions[some]).max() < 10 * TOL
    return check


def _sparse(radius):
    """Return the eigenvalues of S in the compact kernel's sparse form, by a radius graph and ARPACK."""
    def decompose(x):
        from scipy import sparse
        from scipy.sparse.linalg import eigsh
        from sklearn.neighbors import radius_neighbors_graph

        graph = sparse.csr_array(radius_neighbors_graph(x, radius, mode="distance", include_self=True, n_jobs=2))
        graph.data = np.maximum(1 - (graph.data / radius) ** 2, 0.0)
        scale = sparse.diags_array(graph.sum(axis=1) ** -0.5)
        return eigsh(scale @ graph @ scale, k=PAIRS, which="LA", tol=TOL, v0=np.ones(len(x)))[0][::-1]
    return decompose


def _same(left, right):
    """Return whether eigenvalues agree: a residual of 1e-8 is a few 1e-16 in an eigenvalue that stands alone."""
    return np.abs(left - right).max() < TOL


def _moons(n):
    def data():
        from sklearn.datasets import make_moons

        return make_moons(n, noise=0.05, random_state=0)[0]
    return data


def _clusters(x):
    import locmethods
    from locmethods.kernels import Gaussian

    return locmethods.SpectralClustering(2, Gaussian(0.1).hollow(), random_state=0).fit(x).labels_


def _clusters_of_scikit_learn(x):
    from sklearn.cluster import SpectralClustering

    return SpectralClustering(2, gamma=50.0, random_state=0).fit(x).labels_


def _same_clusters(left, right):
    from sklearn.metrics import adjusted_rand_score

    return adjusted_rand_score(left, right) == 1.0


ROWS = {
    "spectrum-dense": Row("Twenty eigenpairs of a Gaussian averaging matrix, 5,000 points in 3-D, bandwidth 0.5",
                          _cloud(5000), {"locmethods": _ours(("Gaussian", 0.5)), "SciPy's eigsh, dense": _dense(0.5)},
                          _same),
    "spectrum-embedding": Row("Twenty eigenpairs without each point's own weight, 5,000 points in 3-D, bandwidth 0.5",
                              _cloud(5000), {"locmethods": _hollow(0.5),
                                             "scikit-learn's spectral_embedding": _embedding_of_scikit_learn(0.5)},
                              _same, repeats=1),
    "spectrum-pydiffmap": Row("Twenty eigenpairs with the density divided out, 3,000 points in 3-D, bandwidth 0.5",
                              _cloud(3000), {"locmethods": _functions(("Gaussian", 0.5), alpha=1.0),
                                             "pydiffmap": _functions_of_pydiffmap(0.5)}, _same_functions, repeats=1),
    "spectrum-sparse": Row("Twenty eigenpairs of Epanechnikov's averaging matrix, 20,000 points in a cube, radius 0.2",
                           _cube(20_000), {"locmethods": _ours(("Epanechnikov", 0.2)),
                                           "SciPy's eigsh, radius graph": _sparse(0.2)}, _same, repeats=1),
    "spectrum-50000-compact": Row("Twenty eigenpairs of Epanechnikov's averaging matrix, 50,000 points in a "
                                  "cube, radius 0.2", _cube(50_000),
                                  {"locmethods": _functions(("Epanechnikov", 0.2))},
                                  _are_their_averages(_cube(50_000), lambda r2: np.maximum(1 - r2 / 0.2**2, 0.0)),
                                  repeats=1),
    "spectrum-50000": Row("Twenty eigenpairs of a Gaussian averaging matrix, 50,000 points in a cube, bandwidth 0.2",
                          _cube(50_000), {"locmethods": _functions(("Gaussian", 0.2))},
                          _are_their_averages(_cube(50_000), lambda r2: np.exp(-r2 / (2 * 0.2**2))), repeats=1),
    "spectral-clustering": Row("Spectral clustering of two moons, 5,000 points, bandwidth 0.1", _moons(5000),
                               {"locmethods": _clusters, "scikit-learn": _clusters_of_scikit_learn}, _same_clusters,
                               repeats=1),
}
