"""Multi-head attention whose heads are local means with a kernel of one's choice, as a module of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from locmethods.arrays.checks import check_count, check_localization, check_option, is_number
from locmethods.arrays.door import check_kernel
from locmethods.arrays.empty import EMPTY
from locmethods.kernels import Exponential, Kernel
from locmethods.kernels.names import names_by_place, warn_of_place
from locmethods.transformer.averages import head_means, head_weights, lower_triangle, no_means


class MultiHeadLocalMean(nn.Module):
    """Heads that are local means, Σ_h m_h W_h: ``nn.MultiheadAttention`` with a kernel of one's choice [vaswani2017]_.

    Head h projects queries, keys and values, and averages: m_h(q) = Σⱼ K(W_q q, W_k kⱼ) W_v vⱼ / Σⱼ K(W_q q, W_k kⱼ).
    With the default kernel, exp(q·k/√d), that is softmax attention, and the outputs are those of
    ``nn.MultiheadAttention`` with the same parameters. Their names and shapes are torch's, so a ``state_dict`` of the
    one loads into the other. Whoever has no key is treated the same in every mode: see `empty`.

    Parameters
    ----------
    embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first, device, dtype
        As in ``nn.MultiheadAttention``.
    kernel : Kernel or list of Kernel, optional
        Compares projected queries and keys, of ``embed_dim // num_heads`` features; a list has one for each head. The
        exponential with temperature √(embed_dim / num_heads) by default. Its parameters that are ``nn.Parameter``, and
        feature maps that are ``nn.Module``, belong to this module.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a query gets that no key is in reach of, as in `locmethods.local_mean`. A query to which masks leave no key
        at all has no nearest one: under "nearest" its weights are zero, and so is its mean. (torch gives NaN or zero,
        by route.)

    Raises
    ------
    ValueError
        If a size is no positive integer, `num_heads` does not divide `embed_dim`, `dropout` is outside [0, 1], a kernel
        can be negative, a list has not one kernel for each head, or a tensor of a kernel that requires gradients is no
        ``nn.Parameter``.
    TypeError
        If `kernel` is no kernel.

    Notes
    -----
    The exponential kernel and the Gaussian go through torch's fused attention; others go through
    `locmethods.local_mean`, in float64 (a feature map gets its points so) and without a matrix of all pairs, save where
    weights are asked for or dropped.

    Examples
    --------
    >>> import torch
    >>> from locmethods.kernels import Cauchy
    >>> from locmethods.transformer import MultiHeadLocalMean
    >>> tokens = torch.ones(1, 5, 8)
    >>> mean, weights = MultiHeadLocalMean(8, 2, batch_first=True, kernel=Cauchy(1.0))(tokens, tokens, tokens)
    >>> mean.shape, weights[0, 0].detach()
    (torch.Size([1, 5, 8]), tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000]))
    """

    # Within an nn.TransformerEncoderLayer torch asks for it, and would compute softmax attention by itself if it were
    # true, whatever the kernel is.
    _qkv_same_embed_dim = False

    in_proj_bias: nn.Parameter | None
    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        kernel: Kernel | Sequence[Kernel] | None = None,
        empty: str = "nearest",
    ) -> None:
        super().__init__()
        kdim, vdim = (embed_dim if size is None else size for size in (kdim, vdim))
        for name, size in (("embed_dim", embed_dim), ("num_heads", num_heads), ("kdim", kdim), ("vdim", vdim)):
            check_count(name, size, 1)
        if embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, got {num_heads} heads and {embed_dim} features")
        if not (is_number(dropout) and 0 <= dropout <= 1):
            raise ValueError(f"dropout must be a number in [0, 1], got {dropout!r}")
        check_option("empty", empty, EMPTY)
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim, self.dropout, self.batch_first = kdim, vdim, dropout, batch_first
        self.add_zero_attn, self.empty = add_zero_attn, empty
        self.kernel = Exponential(math.sqrt(self.head_dim)) if kernel is None else kernel
        self._take_parameters(self._kernels())
        self.register_load_state_dict_pre_hook(_take_names_by_place)
        self._make_parameters(bias, add_bias_kv, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def _kernels(self):
        """Return the kernels with their names: one of all heads, or one a head."""
        if not isinstance(self.kernel, list | tuple):
            return {"": self.kernel}
        if len(self.kernel) != self.num_heads:
            raise ValueError(f"kernel must be a kernel, or a list with one for each of {self.num_heads} heads, got a "
                             f"list of {len(self.kernel)}")
        return {f"{number}_": one for number, one in enumerate(self.kernel)}

    def _take_parameters(self, kernels):
        """Check the kernels, and register what they learn."""
        self.kernel_parameters, self.kernel_maps = nn.ParameterDict(), nn.ModuleDict()
        for place, kernel in kernels.items():
            check_kernel(kernel)
            check_localization(kernel)
            for name, value in kernel.get_params().items():
                if isinstance(value, nn.Parameter):
                    self.kernel_parameters[place + name] = value
                elif isinstance(value, nn.Module):
                    self.kernel_maps[place + name] = value
                elif isinstance(value, torch.Tensor) and value.requires_grad:
                    raise ValueError(f"{name} of {type(kernel).__name__} requires gradients, so it must be an "
                                     "nn.Parameter to belong to this module, got a plain tensor")

    def _make_parameters(self, bias, add_bias_kv, kind):
        size = self.embed_dim
        packed = self.kdim == self.vdim == size
        shapes = {"in_proj_weight": (3 * size, size) if packed else None,
                  "q_proj_weight": None if packed else (size, size),
                  "k_proj_weight": None if packed else (size, self.kdim),
                  "v_proj_weight": None if packed else (size, self.vdim),
                  "in_proj_bias": (3 * size,) if bias else None,
                  "bias_k": (1, 1, size) if add_bias_kv else None,
                  "bias_v": (1, 1, size) if add_bias_kv else None}
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else nn.Parameter(torch.empty(shape, **kind)))
        self.out_proj = nn.Linear(size, size, bias=bias, **kind)

    def reset_parameters(self) -> None:
        """Draw the weights as ``nn.MultiheadAttention`` does: in the same order, with the same distributions."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                nn.init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            nn.init.zeros_(self.in_proj_bias)
            nn.init.zeros_(self.out_proj.bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                nn.init.xavier_normal_(extra)

    def extra_repr(self) -> str:
        """Return the sizes and the kernel, for printing."""
        return f"{self.embed_dim}, {self.num_heads}, kernel={self.kernel!r}"

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the mixed heads, and the weights or None; shapes and masks as in ``nn.MultiheadAttention``.

        Parameters
        ----------
        query : Tensor of shape (n_queries, batch, embed_dim)
            (batch, n_queries, embed_dim) if `batch_first`; (n_queries, embed_dim) without a batch.
        key : Tensor of shape (n_keys, batch, kdim)
        value : Tensor of shape (n_keys, batch, vdim)
        key_padding_mask : Tensor of shape (batch, n_keys), optional
            torch's convention: True means that a key is left out. A floating one is added to the scores.
        need_weights : bool, default=True
            False holds no matrix of all pairs.
        attn_mask : Tensor of shape (n_queries, n_keys) or (batch · num_heads, n_queries, n_keys), optional
            True means that a pair is left out; a floating one is added to log K, so it multiplies the kernel.
        average_attn_weights : bool, default=True
            Whether the weights that are returned are the mean over heads.
        is_causal : bool, default=False
            Whether query i may attend to keys 0 … i only, of which `attn_mask` may leave out more. (torch takes it for
            a hint that `attn_mask` is causal, and by some routes ignores the one or the other.)

        Returns
        -------
        output : Tensor of the shape of `query`
        weights : Tensor of shape (batch, n_queries, n_keys), or None
            (batch, num_heads, n_queries, n_keys) if not averaged; without the batch if there is none.

        Raises
        ------
        ValueError
            If shapes do not fit.
        TypeError
            If an input is no tensor, or a mask is neither boolean nor floating: whole numbers mean one thing to some
            libraries and its contrary to others.
        """
        if not all(isinstance(one, torch.Tensor) for one in (query, key, value)):
            raise TypeError("query, key and value must be tensors, got "
                            f"{', '.join(type(one).__name__ for one in (query, key, value))}")
        batched, batch_first = query.ndim == 3, self.batch_first or query.ndim == 2
        self._check_points(query, key, value, batch_first)
        if not batched:
            query, key, value = _each(lambda tokens: tokens.unsqueeze(0), query, key, value)
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        query, keys, values = (self._in_heads(part, batch_first) for part in self._projected(query, key, value))
        mask, causal = self._mask(query, keys, key_padding_mask, attn_mask, is_causal)
        keys, values, mask, causal = self._with_extra_keys(keys, values, mask, causal, query.shape[-2])
        dropout = self.dropout if self.training else 0.0
        weights: torch.Tensor | None = None
        if keys.shape[-2] == 0:
            means = no_means(query, values, self.empty)
            weights = query.new_zeros(*query.shape[:-1], 0) if need_weights else None
        elif need_weights:
            weights = self._by_kernel(head_weights, (query, keys), mask, causal=causal)
            weights = functional.dropout(weights, dropout) if dropout else weights
            means = weights @ values
        else:
            means = self._by_kernel(head_means, (query, keys, values), mask, causal=causal, dropout=dropout)
        means = means.permute(0, 2, 1, 3) if batch_first else means.permute(2, 0, 1, 3)
        output = self.out_proj(means.flatten(-2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            output, weights = output.squeeze(0), None if weights is None else weights.squeeze(0)
        return output, weights

    def _check_points(self, query, key, value, batch_first):
        shapes = f"got shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}"
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise ValueError(f"query, key and value must all have 3 dimensions, or 2 without a batch, {shapes}")
        if (query.shape[-1], key.shape[-1], value.shape[-1]) != (self.embed_dim, self.kdim, self.vdim):
            raise ValueError(f"query, key and value must have {self.embed_dim}, {self.kdim} and {self.vdim} features, "
                             f"{shapes}")
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"key and value must have the same length and batch, {shapes}")
        place = 0 if batch_first else 1
        if query.ndim == 3 and query.shape[place] != key.shape[place]:
            raise ValueError(f"query and key must have the same batch, {shapes}")

    def _projected(self, query, key, value):
        """Return projected queries, keys and values, with as few products as the inputs allow."""
        weight, bias, size = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if weight is not None and query is key and key is value:
            return functional.linear(query, weight, bias).chunk(3, -1)
        biases = (None, None, None) if bias is None else bias.chunk(3)
        if weight is None:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        elif key is value:
            both = functional.linear(key, weight[size:], None if bias is None else bias[size:])
            return functional.linear(query, weight[:size], biases[0]), *both.chunk(2, -1)
        else:
            weights = weight.chunk(3)
        return tuple(functional.linear(*parts) for parts in zip((query, key, value), weights, biases, strict=True))

    def _in_heads(self, points, batch_first):
        """Return points of shape (batch, n, embed_dim) or (n, batch, embed_dim) as (batch, num_heads, n, head_dim)."""
        heads = points.unflatten(-1, (self.num_heads, self.head_dim))
        return heads.permute(0, 2, 1, 3) if batch_first else heads.permute(1, 2, 0, 3)

    def _mask(self, query, keys, padding, pairs, is_causal):
        """Return one mask that broadcasts to (batch, num_heads, n_queries, n_keys), and whether it is causal alone."""
        batch, n_queries, n_keys = query.shape[0], query.shape[-2], keys.shape[-2]
        _check_mask("key_padding_mask", padding)
        _check_mask("attn_mask", pairs)
        if padding is not None and padding.shape != (batch, n_keys):
            raise ValueError(f"key_padding_mask must have shape {(batch, n_keys)}, got {tuple(padding.shape)}")
        allowed = (n_queries, n_keys), (batch * self.num_heads, n_queries, n_keys)
        if pairs is not None and tuple(pairs.shape) not in allowed:
            raise ValueError(f"attn_mask must have shape {allowed[0]} or {allowed[1]}, got {tuple(pairs.shape)}")
        if is_causal and pairs is not None and _is_causal(pairs):
            pairs = None
        if is_causal and pairs is None and padding is None:
            return None, True
        if pairs is not None and pairs.ndim == 3:
            pairs = pairs.unflatten(0, (batch, self.num_heads))
        padding = None if padding is None else padding[:, None, None, :]
        mask = _joined(_may_attend(padding), _may_attend(pairs), query.dtype)
        if is_causal:
            mask = _joined(mask, lower_triangle((n_queries, n_keys), query.device), query.dtype)
        return mask, False

    def _with_extra_keys(self, keys, values, mask, causal, n_queries):
        """Return keys, values and mask with the learned key and the zero, to which everybody may attend."""
        extra = []
        if self.bias_k is not None:
            extra.append(tuple(one.to(keys.dtype).view(1, self.num_heads, 1, self.head_dim)
                               for one in (self.bias_k, self.bias_v)))
        if self.add_zero_attn:
            extra.append((keys.new_zeros(1, self.num_heads, 1, self.head_dim),) * 2)
        if not extra:
            return keys, values, mask, causal
        batch = keys.shape[0]
        if causal:
            mask = torch.ones(n_queries, keys.shape[-2], dtype=torch.bool, device=keys.device).tril()
        keys, values = (torch.cat([part, *(one[place].expand(batch, -1, -1, -1) for one in extra)], -2)
                        for place, part in enumerate((keys, values)))
        if mask is not None:
            mask = functional.pad(mask, (0, len(extra)), value=0.0 if mask.is_floating_point() else True)
        return keys, values, mask, False

    def _by_kernel(self, compute, points, mask, **options):
        """Return what `compute` gives for all heads, each by its kernel."""
        if isinstance(self.kernel, Kernel):
            return compute(*points, kernel=self.kernel, mask=mask, empty=self.empty, **options)
        found = []
        for head, kernel in enumerate(self.kernel):
            one = slice(head, head + 1)
            own = mask if mask is None or mask.ndim == 2 or mask.shape[1] == 1 else mask[:, one]
            found.append(compute(*(part[:, one] for part in points), kernel=kernel, mask=own, empty=self.empty,
                                 **options))
        return torch.cat(found, 1)


def _take_names_by_place(module, state_dict, prefix, *_):
    """Rename what a state from before 0.2 holds of combined kernels, whose parameters were called by their place."""
    now = {place + old: place + new for place, kernel in module._kernels().items()
           for old, new in names_by_place(kernel).items() if old != new}
    for key in list(state_dict):
        kind, _, rest = key.removeprefix(prefix).partition(".")
        name, dot, tail = rest.partition(".")
        if key.startswith(prefix) and kind in ("kernel_parameters", "kernel_maps") and name in now:
            warn_of_place(name, now[name])
            state_dict[f"{prefix}{kind}.{now[name]}{dot}{tail}"] = state_dict.pop(key)


def _each(change, query, key, value):
    """Return the three changed; what was one tensor stays one, so that it is projected once."""
    new_query = change(query)
    new_key = new_query if key is query else change(key)
    return new_query, new_key, new_key if value is key else change(value)


def _check_mask(name, mask):
    """Raise TypeError unless a mask is a boolean or a floating tensor, or None."""
    if mask is None or (isinstance(mask, torch.Tensor) and (mask.dtype == torch.bool or mask.is_floating_point())):
        return
    kind = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
    raise TypeError(f"{name} must be a boolean tensor (True: left out) or a floating one (added to the scores), got "
                    f"{kind}")


def _is_causal(mask):
    """Return whether torch's mask leaves out the future, and says nothing else; not asked while torch compiles."""
    if torch.compiler.is_compiling() or mask.requires_grad:
        return False
    left_out = mask == -math.inf if mask.is_floating_point() else mask
    says_more = mask.is_floating_point() and bool(mask.masked_fill(left_out, 0.0).any())
    future = ~lower_triangle(mask.shape[-2:], mask.device)
    return not says_more and torch.equal(left_out, future.expand_as(left_out))


def _may_attend(mask):
    """Return torch's mask (True: left out) as one that says who may attend; a floating one as it is."""
    return mask if mask is None or mask.is_floating_point() else ~mask


def _joined(mask, other, dtype):
    """Return what two masks say together: pairs that both allow, or scores to which both add, in the queries' type."""
    if mask is None or other is None:
        mask = mask if other is None else other
        return mask.to(dtype) if mask is not None and mask.is_floating_point() else mask
    if not (mask.is_floating_point() or other.is_floating_point()):
        return mask & other
    return _added(mask, dtype) + _added(other, dtype)


def _added(mask, dtype):
    """Return a mask as what is added to scores."""
    if mask.is_floating_point():
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -math.inf)
