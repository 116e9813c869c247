"""The modern network as a module of torch: projections that are learned, heads and masks."""

from __future__ import annotations

import math

import torch
from torch import nn

from locmethods.arrays.checks import check_count, check_positive
from locmethods.kernels import Exponential
from locmethods.means import local_mean


class HopfieldLayer(nn.Module):
    """States retrieve from stored patterns, head by head, with learned projections [ramsauer2021]_.

    In each head a state q = W_q r moves `steps` times to the softmax local mean of the projected patterns k = W_k y,
    and the last step averages the projected values v = W_v z in their place. One step is the attention of a Transformer
    [vaswani2017]_: ``scaled_dot_product_attention`` of the projections, when β = 1/√d.

    Parameters
    ----------
    n_features : int
        Of the states, and of what comes out.
    n_heads : int, default=1
    stored_features, value_features : int, optional
        Of the stored patterns (`n_features` by default) and of the values (those of the stored patterns).
    head_features : int, optional
        d of each head; ``n_features // n_heads`` by default.
    beta : float, optional
        β of every head, 1/√d by default.
    learn_beta : bool, default=False
        Whether each head has a β of its own that is learned, beginning with `beta`.
    steps : int, default=1
    bias : bool, default=True
        Of the projections.

    Raises
    ------
    ValueError
        If a count is none, β is not positive, or `n_heads` does not divide `n_features` and `head_features` is not
        given.

    Examples
    --------
    >>> import torch
    >>> from locmethods.hopfield import HopfieldLayer
    >>> layer = HopfieldLayer(8, n_heads=2, stored_features=6)
    >>> layer(torch.zeros(5, 8), torch.ones(10, 6)).shape
    torch.Size([5, 8])
    """

    def __init__(
        self,
        n_features: int,
        n_heads: int = 1,
        *,
        stored_features: int | None = None,
        value_features: int | None = None,
        head_features: int | None = None,
        beta: float | None = None,
        learn_beta: bool = False,
        steps: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        stored_features = n_features if stored_features is None else stored_features
        value_features = stored_features if value_features is None else value_features
        for name, count in (("n_features", n_features), ("n_heads", n_heads), ("stored_features", stored_features),
                            ("value_features", value_features), ("steps", steps)):
            check_count(name, count, 1)
        if head_features is None:
            if n_features % n_heads:
                raise ValueError(f"n_heads must divide n_features, or head_features be given, got {n_heads} heads and "
                                 f"{n_features} features")
            head_features = n_features // n_heads
        check_count("head_features", head_features, 1)
        beta = 1 / math.sqrt(head_features) if beta is None else beta
        check_positive("beta", beta)
        self.n_heads, self.steps = n_heads, steps
        width = n_heads * head_features
        self.of_states = nn.Linear(n_features, width, bias=bias)
        self.of_patterns = nn.Linear(stored_features, width, bias=bias)
        self.of_values = nn.Linear(value_features, width, bias=bias)
        self.out = nn.Linear(width, n_features, bias=bias)
        # Its logarithm is learned, so that it stays positive.
        self.log_beta = nn.Parameter(torch.full((n_heads, 1, 1), math.log(beta)), requires_grad=learn_beta)

    def forward(
        self,
        states: torch.Tensor,
        stored: torch.Tensor,
        values: torch.Tensor | None = None,
        *,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return what the states retrieve, of shape (..., n_states, n_features).

        Parameters
        ----------
        states : Tensor of shape (..., n_states, n_features)
        stored : Tensor of shape (..., n_stored, stored_features)
        values : Tensor of shape (..., n_stored, value_features), optional
            The stored patterns by default.
        mask : boolean Tensor that broadcasts to (..., n_heads, n_states, n_stored), optional
            True where a state may retrieve. A state that may retrieve nothing gets zeros, before the last projection.

        Raises
        ------
        ValueError, TypeError
            As `locmethods.local_mean`.
        """
        values = stored if values is None else values
        heads = self.in_heads(self.of_states(states))
        patterns, contents = self.in_heads(self.of_patterns(stored)), self.in_heads(self.of_values(values))
        scale = self.log_beta.exp()
        kernel = Exponential()
        if mask is not None:
            kernel = kernel.where(mask)
        for _ in range(self.steps - 1):
            heads = local_mean(scale * heads, patterns, kernel=kernel, empty="nan").nan_to_num()
        found = local_mean(scale * heads, patterns, contents, kernel=kernel, empty="nan").nan_to_num()
        return self.out(found.transpose(-3, -2).flatten(-2))

    def in_heads(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of shape (..., n, n_heads · d) as (..., n_heads, n, d)."""
        return features.unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)
