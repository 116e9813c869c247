"""The stack: levels of multi-head local means and feed-forward layers, with residuals and norms, for torch."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional

from locmethods.arrays.checks import check_count, check_option
from locmethods.kernels import Kernel
from locmethods.transformer.multihead import MultiHeadLocalMean

ACTIVATIONS = {"relu": functional.relu, "gelu": functional.gelu}


class LocalModelLayer(nn.Module):
    """One level: tokens average each other, those of a decoder also the memory, then each passes a feed-forward layer.

    x ← x + m(x), x ← x + W₂ a(W₁ x + b₁) + b₂, with a layer norm after each sum or before each part
    [vaswani2017]_. The parts have the names of ``nn.TransformerEncoderLayer`` and ``nn.TransformerDecoderLayer``.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As in `HierarchicalLocalModel`.
    decoder, kernel, device, dtype
        As in `HierarchicalLocalModel`.
    """

    def __init__(self, d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                 bias, decoder, kernel, device, dtype):
        super().__init__()
        kind = {"device": device, "dtype": dtype}

        def heads():
            return MultiHeadLocalMean(d_model, nhead, dropout, bias, batch_first=batch_first,
                                      kernel=copy.deepcopy(kernel), **kind)

        def norm():
            return nn.LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)

        self.self_attn = heads()
        self.multihead_attn = heads() if decoder else None
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias=bias, **kind)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias=bias, **kind)
        self.norm1, self.norm2, self.norm3 = norm(), norm(), norm() if decoder else None
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)
        self.dropout3 = nn.Dropout(dropout) if decoder else None
        self.activation, self.norm_first = activation, norm_first

    def forward(self, tokens, memory, own, of_memory):
        """Return the tokens after this level.

        Parameters
        ----------
        tokens, memory : Tensor
            `memory` of a decoder's layer only; None otherwise.
        own, of_memory : dict
            Masks for `MultiHeadLocalMean`, of the tokens' averages and of those of the memory.
        """
        tokens = self._level(tokens, self.norm1, lambda x: self.dropout1(_means(self.self_attn, x, x, own)))
        if self.multihead_attn is None:
            return self._level(tokens, self.norm2, lambda x: self.dropout2(self.feed_forward(x)))
        tokens = self._level(tokens, self.norm2, lambda x: self.dropout2(
            _means(self.multihead_attn, x, memory, of_memory)))
        return self._level(tokens, self.norm3, lambda x: self.dropout3(self.feed_forward(x)))

    def _level(self, tokens, norm, part):
        return tokens + part(norm(tokens)) if self.norm_first else norm(tokens + part(tokens))

    def feed_forward(self, tokens):
        """Return W₂ a(W₁ x + b₁) + b₂, each token by itself: a sum of learned values over learned keys."""
        return self.linear2(self.dropout(self.activation(self.linear1(tokens))))


def _settings(layer):
    """Return what decides what a layer of torch computes and is not among its weights."""
    activation = layer.activation
    if not inspect.isroutine(activation):  # an object, of which each layer has a copy
        activation = type(activation).__name__, repr(activation) if isinstance(activation, nn.Module) else ""
    return {"class": type(layer).__name__, "nhead": layer.self_attn.num_heads, "dropout": layer.dropout.p,
            "activation": activation, "norm_first": layer.norm_first, "batch_first": layer.self_attn.batch_first,
            "layer_norm_eps": sorted({norm.eps for norm in layer.children() if isinstance(norm, nn.LayerNorm)})}


def _means(heads, tokens, memory, masks):
    return heads(tokens, memory, memory, need_weights=False, **masks)[0]


class HierarchicalLocalModel(nn.Module):
    """A Transformer's encoder or decoder: a stack of local means and feed-forward layers, with any kernel.

    Loads the ``state_dict`` of an ``nn.TransformerEncoder`` or ``nn.TransformerDecoder`` of the same sizes, and then
    gives what they give [vaswani2017]_. (In evaluation torch's encoder may put zeros where a token is padding; here
    these are tokens like others, to which nobody attends.)

    Parameters
    ----------
    d_model, nhead : int
        Features of a token, and heads.
    num_layers : int
    dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As in ``nn.TransformerEncoderLayer``; `activation` is "relu", "gelu" or a callable.
    decoder : bool, default=False
        Whether each level averages a memory, too.
    final_norm : bool, default=False
        Whether a layer norm follows the last level, as in ``nn.TransformerEncoder(…, norm=nn.LayerNorm(d_model))``.
    kernel : Kernel or list of Kernel, optional
        As in `MultiHeadLocalMean`; each level has a copy of its own, with parameters of its own.
    device, dtype
        Of the parameters.

    Raises
    ------
    ValueError, TypeError
        As `MultiHeadLocalMean`; if a count is none, or an activation unknown.

    Examples
    --------
    >>> import torch
    >>> from locmethods.transformer import HierarchicalLocalModel
    >>> stack = HierarchicalLocalModel(8, 2, 3, 16, batch_first=True)
    >>> stack(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[torch.Tensor], torch.Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        decoder: bool = False,
        final_norm: bool = False,
        kernel: Kernel | Sequence[Kernel] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_count("num_layers", num_layers, 1)
        check_count("dim_feedforward", dim_feedforward, 1)
        if not callable(activation):
            check_option("activation", activation, tuple(ACTIVATIONS))
            activation = ACTIVATIONS[activation]
        self.decoder = decoder
        self.layers = nn.ModuleList(
            LocalModelLayer(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
                            norm_first, bias, decoder, kernel, device, dtype) for _ in range(num_layers))
        self.norm: nn.Module | None = None
        if final_norm:
            self.norm = nn.LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

    @classmethod
    def from_torch(
        cls,
        module: nn.TransformerEncoder | nn.TransformerDecoder,
        kernel: Kernel | Sequence[Kernel] | None = None,
    ) -> Self:
        """Return the same stack as torch's, with a copy of its weights, in the same mode.

        Parameters
        ----------
        module : nn.TransformerEncoder or nn.TransformerDecoder
        kernel : Kernel or list of Kernel, optional
            In the place of the exponential one.

        Raises
        ------
        TypeError
            If `module` is neither.
        RuntimeError
            If its layers are not all alike: of one class, with one number of heads, activation, order of norms and ε.
        """
        if not isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
            raise TypeError("module must be an nn.TransformerEncoder or an nn.TransformerDecoder, got "
                            f"{type(module).__name__}")
        layer = module.layers[0]
        for number, other in enumerate(module.layers):
            for name, value in _settings(other).items():
                if value != _settings(layer)[name]:
                    raise RuntimeError(f"layers of a stack must be alike, got layer {number} whose {name} is {value}, "
                                       f"and layer 0 whose {name} is {_settings(layer)[name]}")
        heads, weight = layer.self_attn, layer.linear1.weight
        stack = cls(heads.embed_dim, heads.num_heads, len(module.layers), layer.linear1.out_features, layer.dropout.p,
                    layer.activation, layer.norm1.eps, heads.batch_first, layer.norm_first,
                    layer.linear1.bias is not None, decoder=isinstance(module, nn.TransformerDecoder),
                    kernel=kernel, device=weight.device, dtype=weight.dtype)
        stack.norm = copy.deepcopy(module.norm)  # it may be of another kind than ours
        missing, unexpected = stack.load_state_dict(module.state_dict(), strict=False)
        missing = [name for name in missing if ".kernel_" not in name]
        if missing or unexpected:
            raise RuntimeError(f"layers of a stack must be alike, got no {missing} and unknown {unexpected}")
        return stack.train(module.training)

    def forward(self, *tokens: torch.Tensor, **masks: Any) -> torch.Tensor:
        """Return `encode` of what is given, or `decode` of a decoder."""
        through = self.decode if self.decoder else self.encode
        return through(*tokens, **masks)  # type: ignore[arg-type]

    def encode(
        self,
        src: torch.Tensor,
        mask: torch.Tensor | None = None,
        src_key_padding_mask: torch.Tensor | None = None,
        is_causal: bool = False,
    ) -> torch.Tensor:
        """Return the tokens after all levels; arguments as of ``nn.TransformerEncoder``.

        Parameters
        ----------
        src : Tensor of shape (n, batch, d_model)
            (batch, n, d_model) if `batch_first`, (n, d_model) without a batch.
        mask, src_key_padding_mask, is_causal
            `attn_mask`, `key_padding_mask` and `is_causal` of `MultiHeadLocalMean`.

        Raises
        ------
        TypeError
            If this is a decoder.
        """
        if self.decoder:
            raise TypeError("a decoder averages a memory, so it has no encode: call decode(tgt, memory)")
        own = {"attn_mask": mask, "key_padding_mask": src_key_padding_mask, "is_causal": is_causal}
        return self._through_levels(src, None, own, None)

    def decode(
        self,
        tgt: torch.Tensor,
        memory: torch.Tensor,
        tgt_mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
        tgt_key_padding_mask: torch.Tensor | None = None,
        memory_key_padding_mask: torch.Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> torch.Tensor:
        """Return the tokens after all levels, each of which averages the memory too; as ``nn.TransformerDecoder``.

        Parameters
        ----------
        tgt, memory : Tensor
            Of the shapes of `encode`; they may differ in length.
        tgt_mask, tgt_key_padding_mask, tgt_is_causal
            Of the averages of the tokens.
        memory_mask, memory_key_padding_mask, memory_is_causal
            Of the averages of the memory.

        Raises
        ------
        TypeError
            If this is no decoder.
        """
        if not self.decoder:
            raise TypeError("an encoder averages no memory, so it has no decode: make it with decoder=True")
        own = {"attn_mask": tgt_mask, "key_padding_mask": tgt_key_padding_mask, "is_causal": tgt_is_causal}
        of_memory = {"attn_mask": memory_mask, "key_padding_mask": memory_key_padding_mask,
                     "is_causal": memory_is_causal}
        return self._through_levels(tgt, memory, own, of_memory)

    def _through_levels(self, tokens, memory, own, of_memory):
        for layer in self.layers:
            tokens = layer(tokens, memory, own, of_memory)
        return tokens if self.norm is None else self.norm(tokens)
