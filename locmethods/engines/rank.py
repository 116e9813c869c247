"""The k nearest keys of each query, from a neighbour library on the CPU."""

from __future__ import annotations


def nearest_indices(query, keys, k, hollow):
    """Return the indices of the `k` nearest keys, of shape (*batch, n_queries, k).

    Parameters
    ----------
    query : Tensor of shape (*batch, n_queries, d)
    keys : Tensor of shape (*batch, n_keys, d)
    k : int
    hollow : bool
        Leave key i out for query i.
    """
    import torch

    batch = torch.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    if 0 in (*batch, query.shape[-2]):
        return torch.zeros((*batch, query.shape[-2], k), dtype=torch.long, device=keys.device)
    if batch:
        wide = query.expand(*batch, *query.shape[-2:]).reshape(-1, *query.shape[-2:])
        deep = keys.expand(*batch, *keys.shape[-2:]).reshape(-1, *keys.shape[-2:])
        found = [nearest_indices(q, x, k, hollow) for q, x in zip(wide, deep, strict=True)]
        return torch.stack(found).reshape(*batch, query.shape[-2], k)

    from sklearn.neighbors import NearestNeighbors

    q, x = query.detach().cpu().numpy(), keys.detach().cpu().numpy()
    search = NearestNeighbors(n_neighbors=k).fit(x)
    # Without queries scikit-learn leaves each point out of its own neighbours.
    found = search.kneighbors(None if hollow else q, return_distance=False)
    return torch.as_tensor(found, device=keys.device, dtype=torch.long)
