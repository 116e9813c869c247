"""Attention and Transformers with the exponential kernel beside torch's own, and another kernel on long sequences."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.row import Row

FEATURES, HEADS, LEVELS, STEPS = 256, 8, 2, 5


def sequences(batch, length, features=FEATURES):
    """Return a function that gives tokens of shape (batch, length, features), in float32."""
    def data():
        return np.random.default_rng(0).normal(size=(batch, length, features)).astype(np.float32)
    return data


def padded(data):
    """Return which tokens are padding: the longest sequence has none, the shortest half of it."""
    import torch

    batch, length = data.shape[:2]
    return torch.arange(length) >= torch.linspace(length / 2, length, batch).ceil()[:, None]


def heads(ours, training):
    """Return several passes of multi-head attention, in training with gradients."""
    def run(data):
        module = _attention(ours).train(training)
        return passes(module, data, lambda x: module(x, x, x, need_weights=False)[0])
    return run


@cache
def _attention(ours):
    """Return the module; the warm-up makes it, since what is measured are passes."""
    import torch

    from locmethods.transformer import MultiHeadLocalMean

    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
    module = MultiHeadLocalMean(FEATURES, HEADS, batch_first=True) if ours else theirs
    module.load_state_dict(theirs.state_dict())
    return module


def stack(ours, training, padding=False):
    """Return several passes of an encoder, in training with gradients."""
    def run(data):
        import warnings

        module = _encoder(ours).train(training)
        mask = padded(data) if padding else None
        with warnings.catch_warnings(action="ignore"):  # torch says that its nested tensors are a prototype
            answer = passes(module, data, lambda x: module(x, src_key_padding_mask=mask))
        return answer if mask is None else answer * ~mask.numpy()[..., None]
    return run


@cache
def _encoder(ours):
    """Return the module; the warm-up makes it, as above."""
    import torch

    from locmethods.transformer import HierarchicalLocalModel

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(FEATURES, HEADS, 4 * FEATURES, dropout=0.0, batch_first=True)
    theirs = torch.nn.TransformerEncoder(layer, LEVELS)
    return HierarchicalLocalModel.from_torch(theirs) if ours else theirs


def passes(module, data, forward):
    """Return what the last of several passes gives: tokens, and in training their gradient."""
    import torch

    for _ in range(STEPS):
        x = torch.from_numpy(data).requires_grad_(module.training)
        with torch.set_grad_enabled(module.training):
            tokens = forward(x)
        if module.training:
            module.zero_grad()
            tokens.square().mean().backward()
    return np.concatenate([part.detach().numpy() for part in ((tokens, x.grad) if module.training else (tokens,))])


def long_sequence(dense):
    """Return two heads of a Cauchy kernel over a long sequence, without the matrix of all pairs or with it."""
    def run(data):
        import torch

        from locmethods.kernels import Cauchy
        from locmethods.transformer import MultiHeadLocalMean

        torch.manual_seed(0)
        module = MultiHeadLocalMean(data.shape[-1], 2, batch_first=True, kernel=Cauchy(1.0))
        tokens = torch.from_numpy(data)
        with torch.no_grad():
            if not dense:
                return module(tokens, tokens, tokens, need_weights=False)[0].numpy()
            projected = torch.nn.functional.linear(tokens, module.in_proj_weight, module.in_proj_bias)
            query, keys, values = projected.unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
            weights = 1 / (1 + torch.cdist(query, keys).square())
            means = weights @ values / weights.sum(-1, keepdim=True)
            return module.out_proj(means.transpose(1, 2).flatten(-2)).numpy()
    return run


def close(ours, theirs):
    """Return True if answers in float32, through a few layers, agree to five digits of the largest."""
    return bool(np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max())


def _against_torch(title, data, run, *options):
    return Row(title, data, {"locmethods": run(True, *options), "torch": run(False, *options)}, close, repeats=5)


SIZE = f"{FEATURES} features, {HEADS} heads, float32"
ROWS = {
    "transformer-heads-training": _against_torch(
        f"Attention, 8 sequences of 256 tokens, {SIZE}, {STEPS} steps forward and backward", sequences(8, 256), heads,
        True),
    "transformer-heads": _against_torch(
        f"Attention, 8 sequences of 256 tokens, {SIZE}, {STEPS} passes in evaluation", sequences(8, 256), heads, False),
    "transformer-stack-training": _against_torch(
        f"A Transformer of {LEVELS} levels, 8 sequences of 128 tokens, {SIZE}, {STEPS} steps forward and backward",
        sequences(8, 128), stack, True),
    "transformer-stack": _against_torch(
        f"A Transformer of {LEVELS} levels, 8 sequences of 128 tokens, {SIZE}, {STEPS} passes in evaluation",
        sequences(8, 128), stack, False),
    "transformer-stack-padded": _against_torch(
        f"A Transformer of {LEVELS} levels, 8 sequences of 64 to 128 tokens, padded, {SIZE}, {STEPS} passes in "
        "evaluation", sequences(8, 128), stack, False, True),
    "transformer-cauchy": Row(
        "Two heads of a Cauchy kernel, 8,192 tokens, 16 features a head, float32, in evaluation",
        sequences(1, 8192, 32), {"locmethods": long_sequence(False), "torch, all pairs at once": long_sequence(True)},
        close),
}
