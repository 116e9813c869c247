"""Multi-head local means and their stack, against torch's own modules with the same weights and against slow loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from locmethods.kernels import Cauchy, Epanechnikov, Exponential, Gaussian
from locmethods.transformer import HierarchicalLocalModel, MultiHeadLocalMean

# float64, so that only a wrong formula could differ by more than this.
EXACT = {"rtol": 0, "atol": 1e-12}


def pair(seed=0, dtype=torch.float64, **options):
    """Return torch's module and ours with the same weights, of two heads of three features."""
    torch.manual_seed(seed)
    theirs = nn.MultiheadAttention(6, 2, dtype=dtype, **options)
    for name, parameter in theirs.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)  # zeros would hide a bias in the wrong place
    ours = MultiHeadLocalMean(6, 2, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def tokens(*shape, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, 6, generator=generator, dtype=dtype, requires_grad=True)


MASKS = {
    "none": {},
    "padding": {"key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2])},
    "pairs": {"attn_mask": torch.rand(4, 5, generator=torch.Generator().manual_seed(3)) < 0.3},
    "heads": {"attn_mask": torch.rand(4, 4, 5, generator=torch.Generator().manual_seed(4)) < 0.3},
    "floating": {"attn_mask": torch.randn(4, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)},
    "both": {"attn_mask": torch.ones(4, 5, dtype=torch.bool).triu(2),
             "key_padding_mask": torch.tensor([[False] * 5, [False] * 4 + [True]])},
}


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
                                     {"add_bias_kv": True, "add_zero_attn": True}], ids=str)
def test_outputs_weights_and_gradients_are_torchs(options, mask, need_weights):
    theirs, ours = pair(batch_first=True, **options)
    query, key, value = tokens(2, 4), tokens(2, 5, seed=2), tokens(2, 5, seed=3)
    found = []
    for module in (theirs, ours):
        output, weights = module(query, key, value, need_weights=need_weights, **MASKS[mask])
        grads = torch.autograd.grad(output.square().sum(), [query, key, value, *module.parameters()])
        found.append([output, *grads] + ([weights] if need_weights else []))
        assert need_weights or weights is None
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(right, left, **EXACT)


def test_a_token_that_masks_leave_no_key_gets_nothing():
    _, ours = pair(batch_first=True)
    x, padding = tokens(2, 5), torch.tensor([[False] * 5, [True] * 5])
    for need_weights in (False, True):
        output, _ = ours(x, x, x, key_padding_mask=padding, need_weights=need_weights)
        torch.testing.assert_close(output[1], ours.out_proj.bias.expand(5, 6), **EXACT)
        (gradient,) = torch.autograd.grad(output.sum(), x)
        assert bool(gradient.isfinite().all()) and not bool(gradient[1].any())


@pytest.mark.parametrize("kernel", [Gaussian(0.7), Cauchy(0.7), Epanechnikov(2.0), Exponential(0.5)], ids=str)
@pytest.mark.parametrize("mask", MASKS)
def test_any_kernel_against_loops(kernel, mask):
    _, ours = pair(batch_first=True)
    ours.kernel = kernel
    query, key, value = (part.detach() for part in (tokens(2, 4), tokens(2, 5, seed=2), tokens(2, 5, seed=3)))
    output, weights = ours(query, key, value, average_attn_weights=False, **MASKS[mask])
    without, _ = ours(query, key, value, need_weights=False, **MASKS[mask])
    expected, expected_weights = by_loops(ours, query, key, value, kernel, **MASKS[mask])
    np.testing.assert_allclose(weights.detach(), expected_weights, **EXACT)
    np.testing.assert_allclose(output.detach(), expected, **EXACT)
    np.testing.assert_allclose(without.detach(), expected, **EXACT)


def weight_of(kernel, q, k):
    square = ((q - k) ** 2).sum()
    if isinstance(kernel, Gaussian):
        return math.exp(-square / (2 * kernel.bandwidth**2))
    if isinstance(kernel, Cauchy):
        return 1 / (1 + square / kernel.bandwidth**2)
    if isinstance(kernel, Epanechnikov):
        return max(0.0, 1 - square / kernel.radius**2)
    return math.exp(float(q @ k) / kernel.temperature)


def by_loops(module, query, key, value, kernel, key_padding_mask=None, attn_mask=None):
    """Return outputs and weights of two heads of three features, pair by pair."""
    w, b = (part.detach().numpy() for part in (module.in_proj_weight, module.in_proj_bias))
    out = np.zeros((2, 4, 6))
    weights = np.zeros((2, 2, 4, 5))
    for n in range(2):
        q, k, v = (part[n].numpy() @ w[6 * i:6 * i + 6].T + b[6 * i:6 * i + 6]
                   for i, part in enumerate((query, key, value)))
        for h in range(2):
            own = slice(3 * h, 3 * h + 3)
            for i in range(4):
                factors = np.ones(5)
                if attn_mask is not None:
                    pairs = (attn_mask if attn_mask.ndim == 2 else attn_mask[2 * n + h])[i].numpy()
                    factors = ~pairs if pairs.dtype == bool else np.exp(pairs)
                if key_padding_mask is not None:
                    factors = factors * ~key_padding_mask[n].numpy()
                row = np.array([weight_of(kernel, q[i, own], k[j, own]) for j in range(5)]) * factors
                if row.sum() == 0 and factors.any():  # the nearest of those that are allowed
                    gap = np.where(factors > 0, ((q[i, own] - k[:, own]) ** 2).sum(-1), np.inf)
                    row = (gap == gap.min()).astype(float)
                weights[n, h, i] = row / row.sum() if row.sum() else row
                out[n, i, own] = weights[n, h, i] @ v[:, own]
    return out @ module.out_proj.weight.detach().numpy().T + module.out_proj.bias.detach().numpy(), weights


@pytest.mark.parametrize("mask", ["none", "padding", "pairs", "causal"])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_an_encoder_of_torch_and_its_weights(activation, norm_first, mask):
    theirs = shaken(nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 10, 0.1, activation, batch_first=True, norm_first=norm_first,
                                   dtype=torch.float64),
        3, norm=nn.LayerNorm(6, dtype=torch.float64), enable_nested_tensor=False)).eval()
    ours = HierarchicalLocalModel(6, 2, 3, 10, 0.1, activation, batch_first=True, norm_first=norm_first,
                                  final_norm=True, dtype=torch.float64).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    masks = {"none": {}, "padding": {"src_key_padding_mask": MASKS["padding"]["key_padding_mask"]},
             "pairs": {"mask": torch.eye(5, dtype=torch.bool)},
             "causal": {"mask": nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64),
                        "is_causal": True}}[mask]
    src = tokens(2, 5)
    agree(theirs, ours, [src], masks)
    agree(theirs, HierarchicalLocalModel.from_torch(theirs), [src], masks)
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_decoder_of_torch_and_its_weights(activation, norm_first):
    theirs = shaken(nn.TransformerDecoder(
        nn.TransformerDecoderLayer(6, 2, 10, 0.1, activation, norm_first=norm_first, dtype=torch.float64),
        2, norm=nn.LayerNorm(6, dtype=torch.float64))).eval()
    ours = HierarchicalLocalModel(6, 2, 2, 10, 0.1, activation, norm_first=norm_first, decoder=True, final_norm=True,
                                  dtype=torch.float64).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    masks = {"tgt_mask": torch.ones(4, 4, dtype=torch.bool).triu(1),
             "memory_key_padding_mask": MASKS["padding"]["key_padding_mask"]}
    agree(theirs, ours, [tokens(4, 2), tokens(5, 2, seed=2)], masks)
    agree(theirs, HierarchicalLocalModel.from_torch(theirs), [tokens(4, 2), tokens(5, 2, seed=2)], masks)


def shaken(module):
    """Return a module whose layers differ, with biases and norms that are no zeros and ones."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def agree(theirs, ours, inputs, masks):
    """Compare outputs and gradients of two modules."""
    found = []
    for module in (theirs, ours):
        output = module(*inputs, **masks)
        found.append([output, *torch.autograd.grad(output.square().sum(), [*inputs, *module.parameters()])])
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(right, left, rtol=1e-11, atol=1e-11)  # float64 through three levels
