"""Hopfield networks: many states of many bits, and a million patterns in one memory."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

STATES, BITS, PATTERNS = 10_000, 1_000, 100
MILLION, ASKED, BETA = 1_000_000, 1_000, 10.0


def bits():
    """Return patterns of −1 and +1, and states that have a tenth of their bits wrong."""
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], size=(PATTERNS, BITS))
    start = x[rng.integers(PATTERNS, size=STATES)]
    return x, np.where(rng.random(start.shape) < 0.1, -start, start)


def one_update(update):
    """Return our sweep over all bits of all states, or the update of all bits at once; fitting is part of it."""
    def run(data):
        import warnings

        from locmethods.hopfield import HopfieldNetwork

        patterns, states = data
        memory = HopfieldNetwork(update=update, max_steps=1).fit(patterns)
        with warnings.catch_warnings(action="ignore"):  # one update is not enough, and is what is timed
            return memory.recall(states)
    return run


def hebb(patterns):
    weights = patterns.T @ patterns
    np.fill_diagonal(weights, 0)
    return weights


def sweep_by_loops(data):
    """Return a sweep in NumPy, state after state and bit after bit, the fields brought up to date at each flip."""
    patterns, states = data
    weights, answer = hebb(patterns), states.copy()
    for state in answer:
        fields = weights @ state
        for i in range(BITS):
            if fields[i] * state[i] < 0:
                state[i] = -state[i]
                fields += (2 * state[i]) * weights[i]
    return answer


def update_by_a_loop(data):
    """Return the signs of the fields in NumPy, state after state."""
    patterns, states = data
    weights, answer = hebb(patterns), np.empty_like(states)
    for i, state in enumerate(states):
        fields = weights @ state
        answer[i] = np.where(fields == 0, state, np.sign(fields))
    return answer


def update_by_one_product(data):
    """Return the signs of the fields in NumPy, by one product for all states."""
    patterns, states = data
    fields = states @ hebb(patterns)
    return np.where(fields == 0, states, np.sign(fields))


def million():
    """Return a million patterns on the sphere in 16 dimensions, and a thousand states near some of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MILLION, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, x[:ASKED] + 0.1 * rng.normal(size=(ASKED, 16)).astype(np.float32)


def retrieval(data):
    """Return three steps of our memory, which is prepared once."""
    import warnings

    from locmethods.hopfield import ModernHopfield

    patterns, states = data
    with warnings.catch_warnings(action="ignore"):  # three steps are what is timed
        return ModernHopfield(beta=BETA, max_steps=3, tol=0.0).fit(patterns).recall(states)


def retrieval_dense(data):
    """Return three steps by softmax in NumPy, fifty states at once."""
    from scipy.special import softmax

    patterns, states = data
    for _ in range(3):
        states = np.concatenate([softmax(BETA * states[i:i + 50] @ patterns.T, axis=1) @ patterns
                                 for i in range(0, len(states), 50)])
    return states


def retrieval_by_attention(data):
    """Return three steps by torch's attention."""
    import torch

    patterns, states = (torch.from_numpy(part)[None, None] for part in data)
    with torch.no_grad():
        for _ in range(3):
            states = torch.nn.functional.scaled_dot_product_attention(states, patterns, patterns, scale=BETA)
    return states[0, 0].numpy()


def close(ours, theirs):
    """Return True if answers in float32 agree to five digits of the largest."""
    return bool(np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max())


ROWS = {
    "hopfield-asynchronous": Row("Hopfield network, one asynchronous sweep, 10,000 states of 1,000 bits", bits,
                                 {"locmethods": one_update("asynchronous"),
                                  "NumPy, a loop over states": sweep_by_loops},
                                 np.array_equal, repeats=1),
    "hopfield-synchronous": Row("Hopfield network, one synchronous update, 10,000 states of 1,000 bits", bits,
                                {"locmethods": one_update("synchronous"),
                                 "NumPy, a loop over states": update_by_a_loop,
                                 "NumPy, one product": update_by_one_product}, np.array_equal),
    "hopfield-million": Row("Modern Hopfield network, three steps of 1,000 states, a million patterns in 16-D, float32",
                            million,
                            {"locmethods": retrieval, "NumPy's softmax, dense": retrieval_dense,
                             "torch's attention": retrieval_by_attention}, close, repeats=1),
}
