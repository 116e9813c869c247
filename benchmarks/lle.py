"""Locally linear embedding of a swiss roll, each method beside scikit-learn's."""

from __future__ import annotations

from benchmarks.row import Row

NEIGHBOURS = 12


def _roll(n):
    def data():
        from sklearn.datasets import make_swiss_roll

        return make_swiss_roll(n, random_state=0)[0]
    return data


def _ours(method):
    def embed(x):
        import locmethods

        return locmethods.LocallyLinearEmbedding(n_neighbors=NEIGHBOURS, method=method, random_state=0,
                                                 n_jobs=2).fit_transform(x)
    return embed


def _theirs(method):
    def embed(x):
        from sklearn.manifold import LocallyLinearEmbedding

        return LocallyLinearEmbedding(n_neighbors=NEIGHBOURS, method=method, random_state=0,
                                      n_jobs=2).fit_transform(x)
    return embed


def _same_subspace(left, right):
    """Return whether two embeddings span the same plane: ours are orthogonal to the constants, theirs nearly so."""
    from scipy.linalg import subspace_angles

    return subspace_angles(left, right - right.mean(axis=0)).max() < 1e-4  # a hundred times the tolerance of both


def _row(method):
    return Row(f'Locally linear embedding, method="{method}", 5,000 points of the swiss roll, {NEIGHBOURS} neighbours',
               _roll(5000), {"locmethods": _ours(method), "scikit-learn": _theirs(method)}, _same_subspace,
               repeats=3 if method == "standard" else 1)  # theirs take a quarter of a minute each


ROWS = {
    **{f"lle-{method}": _row(method) for method in ("standard", "modified", "hessian", "ltsa")},
    "lle-many": Row('Locally linear embedding, method="standard", 100,000 points of the swiss roll, '
                    f"{NEIGHBOURS} neighbours", _roll(100_000), {"locmethods": _ours("standard")}, _same_subspace,
                    repeats=1),
}
