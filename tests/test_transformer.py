"""Multi-head local means and their stack, against torch's own modules with the same weights and against slow loops."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from locmethods.kernels import Cauchy, Epanechnikov, Exponential, Gaussian, Linear
from locmethods.transformer import FeatureKernel, HierarchicalLocalModel, MultiHeadLocalMean, Rectified
from locmethods.transformer.averages import head_means

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


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"kdim": 4, "vdim": 7}, {"kdim": 4, "bias": False}],
                         ids=str)
@pytest.mark.parametrize("need_weights", [False, True])
def test_layouts_of_torch(options, need_weights):
    theirs, ours = pair(**options)
    generator = torch.Generator().manual_seed(0)

    def points(features, length):
        shape = (2, length, features) if options.get("batch_first") else (length, 2, features)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    given = points(6, 4), points(options.get("kdim", 6), 5), points(options.get("vdim", 6), 5)
    batch = 0 if options.get("batch_first") else 1
    for inputs in (given, [part.select(batch, 0) for part in given]):  # with a batch, and without one
        for average in (True, False):
            found = [module(*inputs, need_weights=need_weights, average_attn_weights=average)
                     for module in (theirs, ours)]
            torch.testing.assert_close(found[1][0], found[0][0], **EXACT)
            assert (found[1][1] is None) == (found[0][1] is None)
            if need_weights:
                torch.testing.assert_close(found[1][1], found[0][1], **EXACT)


def test_self_attention_and_shared_keys_go_by_fewer_products():
    theirs, ours = pair(batch_first=True)
    x, y = tokens(2, 5), tokens(2, 4, seed=2)
    for inputs in ((x, x, x), (x, y, y), (x, y, y.clone())):
        torch.testing.assert_close(ours(*inputs)[0], theirs(*inputs)[0], **EXACT)


@pytest.mark.parametrize("need_weights", [False, True])
def test_causal_without_a_mask_of_all_pairs(need_weights):
    theirs, ours = pair(batch_first=True)
    x, mask = tokens(2, 5), torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = theirs(x, x, x, attn_mask=mask, need_weights=need_weights)[0]
    for options in ({}, {"attn_mask": mask}, {"key_padding_mask": torch.zeros(2, 5, dtype=torch.bool)}):
        found = ours(x, x, x, is_causal=True, need_weights=need_weights, **options)[0]
        torch.testing.assert_close(found, expected, **EXACT)
    theirs, ours = pair(batch_first=True, add_bias_kv=True)  # the learned key is everybody's
    torch.testing.assert_close(ours(x, x, x, is_causal=True)[0], theirs(x, x, x, attn_mask=mask)[0], **EXACT)


def test_single_precision_agrees_to_a_millionth():
    theirs, ours = pair(dtype=torch.float32, batch_first=True)
    x = tokens(2, 50, dtype=torch.float32)
    found = []
    for module in (theirs, ours):
        output = module(x, x, x, need_weights=False)[0]
        found.append([output, *torch.autograd.grad(output.square().mean(), [x, *module.parameters()])])
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(right, left, rtol=0, atol=1e-6)


def test_the_same_seed_draws_the_same_weights_as_torch():
    for options in ({}, {"kdim": 3, "add_bias_kv": True}):
        torch.manual_seed(0)
        theirs = nn.MultiheadAttention(6, 2, **options).state_dict()
        torch.manual_seed(0)
        ours = MultiHeadLocalMean(6, 2, **options).state_dict()
        assert {**theirs}.keys() == ours.keys()
        for name, tensor in theirs.items():
            if name != "out_proj.weight":  # torch draws it before the others, and so do we
                torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0)], ids=str)
@pytest.mark.parametrize("empty", ["nan", "mean", "raise"])
def test_who_has_no_key_gets_what_empty_says(kernel, empty):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=kernel, empty=empty)
    x, mask = tokens(2, 3).detach(), torch.zeros(3, 3, dtype=torch.bool)
    mask[1] = True
    for need_weights in (False, True):
        if empty == "raise":
            with pytest.raises(ValueError, match=r"^query 1 has no key in reach of the kernel"):
                module(x, x, x, attn_mask=mask, need_weights=need_weights)
            continue
        output = module(x, x, x, attn_mask=mask, need_weights=need_weights)[0]
        assert bool(output[:, [0, 2]].isfinite().all())
        if empty == "nan":
            assert bool(output[:, 1].isnan().all())
        else:
            values = x.mean(1) @ module.in_proj_weight[12:].T
            torch.testing.assert_close(output[:, 1], module.out_proj(values), **EXACT)


def test_each_head_has_its_kernel():
    _, ours = pair(batch_first=True)
    x = tokens(2, 5)
    means = {}
    for kernel in (Gaussian(0.5), Cauchy(2.0)):
        ours.kernel = kernel
        means[kernel] = ours(x, x, x, average_attn_weights=False)[1]
    for masks in ({}, {"attn_mask": MASKS["heads"]["attn_mask"][:, :, :4]}):
        ours.kernel = list(means)
        weights = ours(x[:, :4], x[:, :4], x[:, :4], average_attn_weights=False, **masks)[1]
        for head, kernel in enumerate(means):
            ours.kernel = kernel
            alone = ours(x[:, :4], x[:, :4], x[:, :4], average_attn_weights=False, **masks)[1]
            torch.testing.assert_close(weights[:, head], alone[:, head], **EXACT)
    ours.kernel, ours.empty = list(means), "nan"
    nobody = torch.ones(5, 5, dtype=torch.bool).tril()  # the last query has no key
    for need_weights in (False, True):
        found = ours(x, x, x, attn_mask=nobody, need_weights=need_weights)[0]
        assert bool(found[:, -1].isnan().all()) and bool(found[:, :-1].isfinite().all())


def test_what_a_kernel_learns_belongs_to_the_module():
    width, turn = nn.Parameter(torch.tensor(1.5)), nn.Linear(3, 3, dtype=torch.float64)
    module = MultiHeadLocalMean(6, 2, kernel=[Cauchy(width), Gaussian(1.0).on(turn)], batch_first=True)
    names = dict(module.named_parameters())
    assert names["kernel_parameters.0_bandwidth"] is width and names["kernel_maps.1_features.weight"] is turn.weight
    x = tokens(1, 5, dtype=torch.float32)
    module(x, x, x, need_weights=False)[0].square().sum().backward()
    assert bool(width.grad != 0) and bool(turn.weight.grad.any())
    other = copy.deepcopy(module)
    other.load_state_dict({name: 2 * value for name, value in module.state_dict().items()})
    assert other.kernel[0].bandwidth.item() == 3.0 and width.item() == 1.5
    learned = HierarchicalLocalModel(6, 2, 2, 8, kernel=Exponential(nn.Parameter(torch.tensor(2.0))))
    widths = {id(layer.self_attn.kernel.temperature) for layer in learned.layers}
    assert len(widths) == 2  # a kernel of its own for each level


@pytest.mark.parametrize("kernel", [Exponential, Gaussian])
def test_a_width_that_learns_has_the_gradient_of_a_difference(kernel):
    width = nn.Parameter(torch.tensor(1.3, dtype=torch.float64))
    module = MultiHeadLocalMean(6, 2, kernel=kernel(width), batch_first=True, dtype=torch.float64)
    x, step = tokens(1, 5), 1e-5
    (slope,) = torch.autograd.grad(module(x, x, x, need_weights=False)[0].square().sum(), width)
    ends = []
    for other in (1.3 - step, 1.3 + step):
        module.kernel = kernel(other)
        ends.append(module(x, x, x)[0].square().sum().item())
    assert float(slope) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-7)  # step², and rounding over step


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0), FeatureKernel(torch.exp)], ids=str)
def test_dropout_drops_weights_in_training_alone(kernel):
    torch.manual_seed(0)
    module = MultiHeadLocalMean(6, 2, 0.5, batch_first=True, dtype=torch.float64, kernel=kernel)
    x = tokens(1, 4).detach()
    still = module.eval()(x, x, x, need_weights=False)[0].detach()
    torch.testing.assert_close(still, module(x, x, x)[0], **EXACT)
    module.train()
    many = x.expand(2000, -1, -1)
    draws = module(many, many, many, need_weights=False)[0].detach()
    assert float(draws.std(0).min()) > 0.01
    error = (draws.mean(0) - still).abs() / (draws.std(0) / math.sqrt(2000))
    assert float(error.max()) < 5  # standard errors
    weights = module(x, x, x, average_attn_weights=False)[1]
    assert bool((weights == 0).any())


@pytest.mark.parametrize("kernel", [None, Gaussian(0.5)], ids=str)
def test_in_a_layer_of_torch_it_is_asked_and_not_passed_by(kernel):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, dtype=torch.float64).eval()
    stack = HierarchicalLocalModel.from_torch(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), kernel)
    layer.self_attn = stack.eval().layers[0].self_attn
    with torch.no_grad():  # where torch's own layer would take its fast path
        x = tokens(2, 5)
        torch.testing.assert_close(layer(x), stack(x), **EXACT)


def test_boolean_and_floating_masks_together():
    theirs, ours = pair(batch_first=True)
    x, pairs = tokens(2, 5), torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padding = MASKS["padding"]["key_padding_mask"]
    added = torch.zeros(2, 5, dtype=torch.float64).masked_fill(padding, -math.inf)
    expected = theirs(x, x, x, key_padding_mask=added, attn_mask=pairs)[0]
    for mask in (padding, added):
        torch.testing.assert_close(ours(x, x, x, key_padding_mask=mask, attn_mask=pairs)[0], expected, **EXACT)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = ours.float()(x.float(), x.float(), x.float(), key_padding_mask=padding, attn_mask=pairs,
                            need_weights=False)[0]
    torch.testing.assert_close(half.double(), expected, rtol=0, atol=0.1)  # eight bits


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0)], ids=str)
@pytest.mark.parametrize("need_weights", [False, True])
def test_masks_of_any_type_go_with_half_precision(kernel, need_weights):
    module = MultiHeadLocalMean(6, 2, batch_first=True, kernel=kernel)
    x, pairs = tokens(2, 5, dtype=torch.float32).detach(), torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    padding = MASKS["padding"]["key_padding_mask"]
    expected = module(x, x, x, key_padding_mask=padding, attn_mask=pairs)[0]
    half, short = module.bfloat16(), x.bfloat16()
    for masks in ({"key_padding_mask": padding, "attn_mask": pairs},
                  {"key_padding_mask": padding, "attn_mask": pairs.double()}):
        output = half(short, short, short, need_weights=need_weights, **masks)[0]
        assert output.dtype == torch.bfloat16
        torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.1)  # eight bits


def test_long_sequences_go_head_by_head_and_give_the_same():
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=Cauchy(1.0))
    x, rows = tokens(2, 400), torch.zeros(400, 400, dtype=torch.bool)
    alone = module(x, x, x, need_weights=False)[0]
    torch.testing.assert_close(alone, module(x, x, x, attn_mask=rows, need_weights=False)[0], **EXACT)
    (slope,) = torch.autograd.grad(alone.square().sum(), x)
    (dense,) = torch.autograd.grad(module(x, x, x, attn_mask=rows)[0].square().sum(), x)
    torch.testing.assert_close(slope, dense, rtol=0, atol=1e-10)  # sums of 400 terms, some larger than one


@pytest.mark.parametrize("causal", [False, True])
def test_linear_attention_in_a_head(causal):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=FeatureKernel(torch.exp))
    x, padding = tokens(2, 5), MASKS["padding"]["key_padding_mask"]
    for masks in ({}, {"key_padding_mask": padding}):
        fast = module(x, x, x, is_causal=causal, need_weights=False, **masks)[0]
        torch.testing.assert_close(fast, module(x, x, x, is_causal=causal, **masks)[0], **EXACT)


def test_linear_attention_in_a_head_over_a_memory_asks_no_pairs(monkeypatch):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=FeatureKernel(torch.exp))
    x, memory = tokens(2, 5), tokens(2, 7, seed=2)
    padding = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    masked = {}, {"key_padding_mask": padding}, {"key_padding_mask": padding | torch.tensor([[False], [True]])}
    dense = [module(x, memory, memory, **masks)[0] for masks in masked]
    causal = module(x, x, x, is_causal=True)[0]
    monkeypatch.setattr("locmethods.transformer.averages._local", lambda *_: pytest.fail("pairs were asked for"))
    for right, masks in zip(dense, masked, strict=True):
        torch.testing.assert_close(module(x, memory, memory, need_weights=False, **masks)[0], right, **EXACT)
    torch.testing.assert_close(module(x, x, x, is_causal=True, need_weights=False)[0], causal, **EXACT)


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0), FeatureKernel(torch.exp)], ids=str)
@pytest.mark.parametrize("need_weights", [False, True])
def test_who_has_no_key_is_named_if_it_is_one_head_of_one_sequence(kernel, need_weights):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=kernel, empty="raise")
    x, left_out = tokens(2, 5), torch.zeros(4, 5, 5, dtype=torch.bool)
    left_out[1, 3] = True
    with pytest.raises(ValueError, match=r"^query 3 has no key in reach of the kernel"):
        module(x, x, x, attn_mask=left_out, need_weights=need_weights)
    left_out[1, 3, 4] = False
    assert bool(module(x, x, x, attn_mask=left_out, need_weights=need_weights)[0].isfinite().all())


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0)], ids=str)
def test_autocast_computes_in_half_precision_and_returns_it(kernel):
    module = MultiHeadLocalMean(6, 2, batch_first=True, kernel=kernel)
    x = tokens(2, 5, dtype=torch.float32)
    expected = module(x, x, x, need_weights=False)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = module(x, x, x, need_weights=False)[0]
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.03)  # eight bits
    output.float().sum().backward()


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch's own, as it compiles
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # its compiler looks, where a graph breaks
@pytest.mark.parametrize(("kernel", "backend"), [
    pytest.param(None, "aot_eager", marks=pytest.mark.slow),
    pytest.param(Gaussian(1.0), "aot_eager", marks=pytest.mark.slow),
    pytest.param(Cauchy(1.0), "aot_eager", marks=pytest.mark.slow),
    pytest.param(None, "inductor", marks=pytest.mark.slow)], ids=str)
def test_compiled_modules_give_the_same(kernel, backend):
    torch._dynamo.reset()
    stack = HierarchicalLocalModel(6, 2, 2, 8, 0.0, batch_first=True, kernel=kernel)
    x, padding = tokens(2, 5, dtype=torch.float32), MASKS["padding"]["key_padding_mask"]
    compiled = torch.compile(stack, fullgraph=kernel is None, backend=backend)
    for masks in ({}, {"src_key_padding_mask": padding}, {"is_causal": True}):
        found = [module(x, **masks) for module in (stack, compiled)]
        torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)
        slopes = [torch.autograd.grad(part.square().sum(), x)[0] for part in found]
        torch.testing.assert_close(slopes[1], slopes[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: MultiHeadLocalMean(6, 4), ValueError, "num_heads must divide embed_dim, got 4 heads and 6 features"),
    (lambda: MultiHeadLocalMean(6, 0), ValueError, "num_heads must be an integer of at least 1, got 0"),
    (lambda: MultiHeadLocalMean(6, 2, 1.5), ValueError, "dropout must be a number in [0, 1], got 1.5"),
    (lambda: MultiHeadLocalMean(6, 2, kernel="exp"), TypeError,
     "kernel must be a kernel from locmethods.kernels, got str"),
    (lambda: MultiHeadLocalMean(6, 2, kernel=[Gaussian()]), ValueError,
     "kernel must be a kernel, or a list with one for each of 2 heads, got a list of 1"),
    (lambda: MultiHeadLocalMean(6, 2, kernel=Linear()), ValueError,
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
    (lambda: MultiHeadLocalMean(6, 2, kernel=Cauchy(torch.tensor(1.0, requires_grad=True))), ValueError,
     "bandwidth of Cauchy requires gradients, so it must be an nn.Parameter to belong to this module, got a plain "
     "tensor"),
    (lambda: MultiHeadLocalMean(6, 2, empty="zero"), ValueError,
     "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    (lambda: MultiHeadLocalMean(6, 2)(*[torch.ones(2, 3, 5)] * 3), ValueError,
     "query, key and value must have 6, 6 and 6 features, got shapes (2, 3, 5), (2, 3, 5) and (2, 3, 5)"),
    (lambda: MultiHeadLocalMean(6, 2)(torch.ones(3, 6), torch.ones(2, 3, 6), torch.ones(2, 3, 6)), ValueError,
     "query, key and value must all have 3 dimensions, or 2 without a batch, got shapes (3, 6), (2, 3, 6) and "
     "(2, 3, 6)"),
    (lambda: MultiHeadLocalMean(6, 2)(torch.ones(2, 3, 6), torch.ones(2, 3, 6), torch.ones(4, 3, 6)), ValueError,
     "key and value must have the same length and batch, got shapes (2, 3, 6), (2, 3, 6) and (4, 3, 6)"),
    (lambda: MultiHeadLocalMean(6, 2)(torch.ones(2, 3, 6), *[torch.ones(2, 4, 6)] * 2), ValueError,
     "query and key must have the same batch, got shapes (2, 3, 6), (2, 4, 6) and (2, 4, 6)"),
    (lambda: MultiHeadLocalMean(6, 2)(*[torch.ones(2, 3, 6)] * 3, key_padding_mask=torch.ones(2, 3).bool()),
     ValueError, "key_padding_mask must have shape (3, 2), got (2, 3)"),
    (lambda: MultiHeadLocalMean(6, 2)(*[torch.ones(2, 3, 6)] * 3, attn_mask=torch.ones(3, 3).bool()),
     ValueError, "attn_mask must have shape (2, 2) or (6, 2, 2), got (3, 3)"),
    (lambda: HierarchicalLocalModel(6, 2, 0), ValueError, "num_layers must be an integer of at least 1, got 0"),
    (lambda: HierarchicalLocalModel(6, 2, 1, activation="tanh"), ValueError,
     "activation must be one of 'relu', 'gelu', got 'tanh'"),
    (lambda: HierarchicalLocalModel.from_torch(nn.Linear(2, 2)), TypeError,
     "module must be an nn.TransformerEncoder or an nn.TransformerDecoder, got Linear"),
])
def test_what_must_hold(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_a_mask_beside_is_causal_holds_too():
    """Whatever else is asked for: torch takes the one for a hint about the other, and by route forgets one of them."""
    for kernel in (None, Gaussian(1.0), Cauchy(1.0), FeatureKernel(torch.exp)):
        module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=kernel)
        x, future = tokens(2, 5), torch.ones(5, 5, dtype=torch.bool).triu(1)
        two_before = future | torch.ones(5, 5, dtype=torch.bool).tril(-3)
        slopes = -0.5 * torch.arange(5.0, dtype=torch.float64).expand(5, 5)
        nobody = torch.zeros(2, 5, dtype=torch.bool)
        for given, meant in ((torch.ones(5, 5, dtype=torch.bool).tril(-3), two_before), (two_before, two_before),
                             (slopes, slopes.masked_fill(future, -math.inf)),
                             (torch.zeros(5, 5).masked_fill(future, -math.inf), future)):
            right = module(x, x, x, attn_mask=meant)[0]
            for options in ({}, {"need_weights": False}, {"key_padding_mask": nobody}):
                found = module(x, x, x, attn_mask=given, is_causal=True, **options)[0]
                torch.testing.assert_close(found, right, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_that_meet_no_key_give_what_the_weights_give(dtype):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=dtype, kernel=FeatureKernel(torch.relu))
    x = 2 * tokens(2, 5, dtype=dtype)
    with torch.no_grad():
        module.in_proj_weight[:3] *= -1  # of the first head, which then meets fewer keys
    met = torch.relu(module._projected(x, x, x)[0].detach()).unflatten(-1, (2, 3)).any(-1)
    assert not bool(met.all())  # somebody has no feature at all
    within = 1e-12 if dtype == torch.float64 else 1e-6
    for masks in ({}, {"is_causal": True}, {"key_padding_mask": MASKS["padding"]["key_padding_mask"]}):
        output, weights = module(x, x, x, **masks)
        assert bool(output.isfinite().all()) and bool(((weights.sum(-1) - 1).abs() < 1e-6).all())
        torch.testing.assert_close(module(x, x, x, need_weights=False, **masks)[0], output, rtol=0, atol=within)
    short = module(x[:, :3], x, x, is_causal=True)[0]  # fewer queries than keys
    torch.testing.assert_close(module(x[:, :3], x, x, is_causal=True, need_weights=False)[0], short, rtol=0,
                               atol=within)


def test_single_precision_has_the_same_nearest_key_under_an_inner_product():
    """Where max(0, q·k) is zero for all keys, the one of the greatest product is the nearest."""
    module = MultiHeadLocalMean(6, 2, batch_first=True, kernel=Rectified())
    x = tokens(2, 9, dtype=torch.float32).detach()
    with torch.no_grad():  # all queries look away from all keys
        module.in_proj_weight[:6], module.in_proj_weight[6:12] = 0.0, 0.01 * module.in_proj_weight[6:12]
        module.in_proj_bias[:6], module.in_proj_bias[6:12] = 1.0, -1.0
    weights = module(x, x, x, average_attn_weights=False)[1]
    keys = module._in_heads(module._projected(x, x, x)[1], True)
    nearest = nn.functional.one_hot(keys.sum(-1).argmax(-1), 9).float()
    torch.testing.assert_close(weights, nearest[:, :, None].expand(2, 2, 9, 9), rtol=0, atol=0)


@pytest.mark.parametrize("kernel", [None, Gaussian(1.0), Cauchy(1.0), Epanechnikov(1.0), FeatureKernel(torch.exp)],
                         ids=str)
@pytest.mark.parametrize("need_weights", [False, True])
def test_nothing_to_look_at_and_nobody_who_looks(kernel, need_weights):
    for dtype in (torch.float32, torch.float64):
        module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=dtype, kernel=kernel)
        x = tokens(2, 5, dtype=dtype)
        output, weights = module(x, x[:, :0], x[:, :0], need_weights=need_weights)
        torch.testing.assert_close(output, module.out_proj.bias.expand(2, 5, 6), rtol=0, atol=0)
        assert weights is None or weights.shape == (2, 5, 0)
        assert module(x[:0], x[:0], x[:0], need_weights=need_weights)[0].shape == (0, 5, 6)
        assert module(x[:, :0], x, x, need_weights=need_weights)[0].shape == (2, 0, 6)
        module.empty = "nan"
        assert bool(module(x, x[:, :0], x[:, :0], need_weights=need_weights)[0].isnan().all())
        module.empty = "raise"
        with pytest.raises(ValueError, match=r"^query 0 has no key in reach of the kernel"):
            module(x, x[:, :0], x[:, :0], need_weights=need_weights)


def layer_of_torch(nhead=2, **options):
    return nn.TransformerEncoderLayer(6, nhead, 8, **{"dropout": 0.0, "batch_first": True, "dtype": torch.float64}
                                      | options)


@pytest.mark.parametrize(("options", "words"), [
    ({"nhead": 3}, "layer 1 whose nhead is 3, and layer 0 whose nhead is 2"),
    ({"dropout": 0.5}, "layer 1 whose dropout is 0.5, and layer 0 whose dropout is 0.0"),
    ({"norm_first": True}, "layer 1 whose norm_first is True, and layer 0 whose norm_first is False"),
    ({"batch_first": False}, "layer 1 whose batch_first is False, and layer 0 whose batch_first is True"),
    ({"layer_norm_eps": 0.1}, "layer 1 whose layer_norm_eps is [0.1], and layer 0 whose layer_norm_eps is [1e-05]"),
    ({"activation": nn.Tanh()}, "layer 1 whose activation is ('Tanh', 'Tanh()'), and layer 0 whose activation is <"),
])
def test_a_stack_whose_layers_differ_is_refused(options, words):
    """Their weights fit, and would be computed with as those of the first layer."""
    encoder = nn.TransformerEncoder(layer_of_torch(), 2, enable_nested_tensor=False)
    encoder.layers[1] = layer_of_torch(**options)
    with pytest.raises(RuntimeError) as caught:
        HierarchicalLocalModel.from_torch(encoder)
    assert str(caught.value).startswith(f"layers of a stack must be alike, got {words}")


def test_a_stack_of_torch_lacks_what_a_kernel_learns_and_nothing_else():
    encoder = nn.TransformerEncoder(layer_of_torch(), 2, enable_nested_tensor=False)
    width = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    stack = HierarchicalLocalModel.from_torch(encoder, Cauchy(width))
    assert {name for name, _ in stack.named_parameters()} - {name for name, _ in encoder.named_parameters()} == {
        f"layers.{level}.self_attn.kernel_parameters.bandwidth" for level in (0, 1)}
    encoder.layers[1] = layer_of_torch(bias=False)
    with pytest.raises(RuntimeError, match=r"^layers of a stack must be alike, got no \['layers\.1\.self_attn\."):
        HierarchicalLocalModel.from_torch(encoder)


@pytest.mark.parametrize("norm", [nn.RMSNorm(6, dtype=torch.float64), nn.Identity(),
                                  nn.LayerNorm(6, 0.3, bias=False, dtype=torch.float64),
                                  nn.LayerNorm(6, dtype=torch.float64)], ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_whatever_norm_follows_the_last_level_is_taken(bias, norm):
    encoder = shaken(nn.TransformerEncoder(layer_of_torch(bias=bias, activation=nn.Tanh()), 2, norm=norm,
                                           enable_nested_tensor=False)).eval()
    x = tokens(2, 5)
    torch.testing.assert_close(HierarchicalLocalModel.from_torch(encoder)(x), encoder(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda x: MultiHeadLocalMean(6, 2)(x.tolist(), x, x), TypeError,
     "query, key and value must be tensors, got list, Tensor, Tensor"),
    (lambda x: MultiHeadLocalMean(6, 2)(x, x, x, key_padding_mask=torch.ones(3, 2, dtype=torch.int64)), TypeError,
     "key_padding_mask must be a boolean tensor (True: left out) or a floating one (added to the scores), got "
     "torch.int64"),
    (lambda x: MultiHeadLocalMean(6, 2)(x, x, x, attn_mask=np.zeros((2, 2), bool)), TypeError,
     "attn_mask must be a boolean tensor (True: left out) or a floating one (added to the scores), got ndarray"),
    (lambda x: MultiHeadLocalMean(6, 2, kernel=Cauchy(1.0))(x, x, x, attn_mask=torch.tensor(
        [[0.0, math.nan], [math.inf, 0.0]])), ValueError,
     "a floating mask must hold numbers or −inf, got 2 NaN or +inf of shape (2, 2)"),
    (lambda x: MultiHeadLocalMean(6, 2, dropout=None), ValueError, "dropout must be a number in [0, 1], got None"),
    (lambda x: HierarchicalLocalModel(6, 2, 1).decode(x, x), TypeError,
     "an encoder averages no memory, so it has no decode: make it with decoder=True"),
    (lambda x: HierarchicalLocalModel(6, 2, 1, decoder=True).encode(x), TypeError,
     "a decoder averages a memory, so it has no encode: call decode(tgt, memory)"),
])
def test_what_was_taken_for_something_else(call, error, message):
    with pytest.raises(error) as caught:
        call(torch.ones(2, 3, 6))
    assert str(caught.value) == message


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_token_that_masks_leave_no_key_gets_nothing_under_any_kernel(dtype):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=dtype, kernel=Cauchy(1.0))
    x, padding = tokens(2, 5, dtype=dtype), torch.tensor([[False] * 5, [True] * 5])
    for need_weights in (False, True):
        output = module(x, x, x, key_padding_mask=padding, need_weights=need_weights)[0]
        torch.testing.assert_close(output[1], module.out_proj.bias.expand(5, 6), rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "shift", "within"), [(torch.float32, 1000.0, 2e-3), (torch.bfloat16, 0.0, 0.03)])
def test_a_gaussian_keeps_its_digits_far_from_the_origin_and_in_half_precision(dtype, shift, within):
    """Squares of a thousand have steps of a sixteenth in float32, and squared norms few digits in bfloat16."""
    query, keys, values = (part.to(dtype) for part in 0.5 * torch.randn(
        3, 1, 2, 40, 8, generator=torch.Generator().manual_seed(0)))
    query, keys = query + shift, keys + shift
    double = [part.double() for part in (query, keys, values)]
    gap = (double[0][..., :, None, :] - double[1][..., None, :, :]).square().sum(-1)
    right = (-gap / (2 * 0.3**2)).softmax(-1) @ double[2]
    found = head_means(query, keys, values, kernel=Gaussian(0.3))
    assert found.dtype == dtype
    assert float((found.double() - right).abs().max()) < within * float(right.abs().max())


@pytest.mark.parametrize("causal", [False, True])
def test_a_learned_bias_that_begins_at_zero_gets_its_slope(causal):
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64, kernel=Cauchy(1.0))
    x, bias = tokens(2, 5).detach(), torch.zeros(5, 5, dtype=torch.float64)
    if causal:  # nothing but causal, and yet it learns
        bias = bias.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -math.inf)
    bias.requires_grad_()

    def size(bias):
        return module(x, x, x, attn_mask=bias, need_weights=False, is_causal=causal)[0].square().sum()

    (slope,) = torch.autograd.grad(size(bias), bias)
    step = torch.zeros(5, 5, dtype=torch.float64)
    step[3, 1] = 1e-5
    ends = [size(bias.detach() + one).item() for one in (step, -step)]
    # The square of a step, and rounding over a step.
    assert float(slope[3, 1]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
