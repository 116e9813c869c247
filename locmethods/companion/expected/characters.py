"""A small Transformer in NumPy, written from its formulas, and the same as a recurrence; neither knows torch."""

import numpy as np
from scipy.special import erf


def rescaled(x, weight, bias):
    """Return the layer norm of each row."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * weight + bias


def gelu(x):
    """Return x Φ(x)."""
    return x * (1 + erf(x / np.sqrt(2))) / 2


def network_logits(state, codes, weigh, *, n_heads, causal=True, seen=None):
    """Return the logits of a character network, whose weights are given by torch's names.

    Parameters
    ----------
    state : dict of str to ndarray
    codes : integer ndarray of shape (n,)
    weigh : callable
        ``weigh(q, k)`` is the matrix of a kernel for queries and keys of one head.
    n_heads : int
    causal : bool
        Whether token t sees tokens up to t only.
    seen : list, optional
        The normalised weights of each level's heads are appended.
    """
    n = len(codes)
    lag = np.arange(n)[:, None] - np.arange(n)
    place = np.exp(state["lags"][:, np.abs(lag)]) * (lag >= 0 if causal else 1)

    def mixed(level, tokens):
        heads = []
        for head, (q, k, v) in enumerate(projected(state, level, tokens, n_heads)):
            weights = weigh(q, k) * place[head]
            weights = weights / weights.sum(1, keepdims=True)
            heads.append(weights @ v)
            if seen is not None:
                seen.append(weights)
        return np.concatenate(heads, 1)

    return through_levels(state, state["embedding.weight"][codes], mixed)


def recurrent_logits(state, codes, features, *, n_heads, decay=None):
    """Return the same under φ(q)·φ(k), character after character, from states of one size.

    S_t = r S_{t−1} + φ(k_t) v_tᵀ and z_t = r z_{t−1} + φ(k_t), and the mean is φ(q)ᵀS / φ(q)ᵀz; r is what head h keeps
    from one position to the next.

    Parameters
    ----------
    state, codes, n_heads
        As in `network_logits`.
    features : callable
        φ.
    decay : array-like of shape (n_heads,), optional
        r of each head; that from lag 0 to lag 1 in `state` by default.
    """
    decay = np.exp(state["lags"][:, 1] - state["lags"][:, 0]) if decay is None else decay
    memory, rows = {}, []

    def mixed(level, tokens):
        heads = []
        for head, (q, k, v) in enumerate(projected(state, level, tokens, n_heads)):
            sums, total = memory.get((level, head), (0.0, 0.0))
            sums, total = decay[head] * sums + np.outer(features(k[0]), v[0]), decay[head] * total + features(k[0])
            memory[level, head] = sums, total
            heads.append(features(q[0]) @ sums / (features(q[0]) @ total))
        return np.concatenate(heads)[None]

    for code in codes:
        rows.append(through_levels(state, state["embedding.weight"][[code]], mixed)[0])
    return np.array(rows)


def through_levels(state, x, mixed):
    """Return the logits of tokens, given what the heads of a level make of them."""
    level = 0
    while f"levels.layers.{level}.norm1.weight" in state:
        part = {name.removeprefix(f"levels.layers.{level}."): value for name, value in state.items()}
        x = x + mixed(level, x) @ part["self_attn.out_proj.weight"].T + part["self_attn.out_proj.bias"]
        inner = rescaled(x, part["norm2.weight"], part["norm2.bias"])
        hidden = gelu(inner @ part["linear1.weight"].T + part["linear1.bias"])
        x = x + hidden @ part["linear2.weight"].T + part["linear2.bias"]
        level += 1
    x = rescaled(x, state["levels.norm.weight"], state["levels.norm.bias"])
    return x @ state["head.weight"].T + state["head.bias"]


def projected(state, level, tokens, n_heads):
    """Yield queries, keys and values of each head of a level."""
    part = {name.removeprefix(f"levels.layers.{level}."): value for name, value in state.items()}
    x = rescaled(tokens, part["norm1.weight"], part["norm1.bias"])
    both = x @ part["self_attn.in_proj_weight"].T + part["self_attn.in_proj_bias"]
    return zip(*(np.split(side, n_heads, 1) for side in np.split(both, 3, 1)), strict=True)


def arrays_of(network):
    """Return the weights of a network of torch as arrays of doubles."""
    return {name: value.detach().numpy().astype(float) for name, value in network.state_dict().items()}


def squared_distances(q, k):
    """Return ‖q − k‖² for all pairs."""
    return ((q[:, None] - k) ** 2).sum(-1)


def positive(x):
    """Return x + 1 above zero and exp(x) below."""
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def kernels_by_hand(features):
    """Return {name: function of queries and keys}: the kernels of the page, written out, for heads of so many features.

    Parameters
    ----------
    features : int
    """
    width = np.sqrt(features)
    return {"exponential": lambda q, k: np.exp(q @ k.T / width),
            "Gaussian": lambda q, k: np.exp(-squared_distances(q, k) / (2 * width)),
            "Cauchy": lambda q, k: 1 / (1 + squared_distances(q, k) / width),
            "Epanechnikov": lambda q, k: np.maximum(1 - squared_distances(q, k) / (9 * features), 0),
            "positive linear": lambda q, k: positive(q) @ positive(k).T}


def log_shares(logits):
    """Return log softmax of each row."""
    top = logits.max(1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))


def counted(text, context, following, order, size):
    """Return p_k(c | x) of a smoothed table, by counting in the text itself: shorter contexts first."""
    share = 1 / size
    for length in range(min(order, len(context)) + 1):
        end = context[len(context) - length:]
        seen = [text[i] for i in range(length, len(text)) if text[i - length:i] == end]
        different = len(set(seen))
        if seen:
            share = (seen.count(following) + different * share) / (len(seen) + different)
    return share
