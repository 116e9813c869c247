"""Stacked local means as modules of torch: keys, values and widths are learned by gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import nn

from locmethods.arrays.checks import check_count, check_positive
from locmethods.kernels import Exponential
from locmethods.means import local_mean

__all__ = ["LocalMeanLayer", "LocalMeanStack"]

NEAR = 3  # a key's width at first is the median distance from so many nearest others


class LocalMeanLayer(nn.Module):
    """A local mean over keys that are learned: x ↦ Px + Σ_j K(x, c_j) u_j / Σ_j K(x, c_j), K Gaussian.

    Parameters
    ----------
    n_inputs, n_outputs : int
    n_keys : int, default=64
    bandwidth : float, default=1.0
        h at first; its logarithm is learned.
    residual : bool, default=False
        Whether there is a residual path Px: the identity if `n_outputs` is `n_inputs`, else a matrix that is learned.

    Raises
    ------
    ValueError, TypeError
        If a count is none, or `bandwidth` is not positive.

    Examples
    --------
    >>> import torch
    >>> from locmethods.hierarchy import LocalMeanLayer
    >>> layer = LocalMeanLayer(3, 2, n_keys=4)
    >>> layer(torch.zeros(5, 3)).shape, layer.keys.shape, layer.values.shape
    (torch.Size([5, 2]), torch.Size([4, 3]), torch.Size([4, 2]))
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        n_keys: int = 64,
        bandwidth: float = 1.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        for name, count in (("n_inputs", n_inputs), ("n_outputs", n_outputs), ("n_keys", n_keys)):
            check_count(name, count, 1)
        check_positive("bandwidth", bandwidth)
        if not isinstance(residual, bool):
            raise TypeError(f"residual must be True or False, got {residual!r}")
        self.keys = nn.Parameter(torch.randn(n_keys, n_inputs))
        self.values = nn.Parameter(torch.randn(n_keys, n_outputs) / math.sqrt(n_outputs))
        self.log_bandwidth = nn.Parameter(torch.tensor(math.log(bandwidth)))
        self.path = None
        if residual:
            self.path = nn.Identity() if n_inputs == n_outputs else nn.Linear(n_inputs, n_outputs, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's outputs, of shape (..., n_outputs).

        Parameters
        ----------
        x : Tensor of shape (..., n_inputs)

        Raises
        ------
        ValueError, TypeError
            As `locmethods.local_mean`.
        """
        self._check_inputs("x", x)
        rows = x.reshape(-1, x.shape[-1])
        query, keys = self._softmax_gate(rows)
        mean = local_mean(query, keys, self.values, kernel=Exponential())
        mean = mean.reshape(*x.shape[:-1], self.values.shape[1])
        return mean if self.path is None else mean + self.path(x)

    def _check_inputs(self, name, x):
        """Raise unless it is a tensor with the layer's inputs last: another number of them might be broadcast."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
        if x.ndim == 0 or x.shape[-1] != self.keys.shape[1]:
            raise ValueError(f"{name} must have {self.keys.shape[1]} inputs along its last axis, got shape "
                             f"{tuple(x.shape)}")

    def _softmax_gate(self, rows):
        """Return queries and keys whose inner products are the Gaussian's exponents, up to a number for each query.

        −‖x − c‖²/2h² is x·c/h² − ‖c‖²/2h² but for what is the same for all keys, and a product of matrices is several
        times faster than squared distances and their gradients. About the keys' middle little is lost by rounding.
        """
        middle, width = self.keys.mean(0).detach(), self.log_bandwidth.exp()
        query, keys = (rows - middle) / width, (self.keys - middle) / width
        below = -0.5 * keys.square().sum(1, keepdim=True)
        return torch.cat([query, torch.ones_like(query[:, :1])], 1), torch.cat([keys, below], 1)

    @torch.no_grad()
    def start_at(self, inputs: torch.Tensor, generator: torch.Generator | None = None) -> None:
        """Put the keys on inputs, and choose the width after their distances.

        Values become a random linear map of the keys, so that the layer is a smooth version of that map at first.

        Parameters
        ----------
        inputs : Tensor of shape (n_samples, n_inputs)
            At least one, better more than there are keys; keys are drawn without replacement where there are enough.
        generator : torch.Generator, optional

        Raises
        ------
        ValueError, TypeError
            If `inputs` is no tensor of that shape, or empty.
        """
        self._check_inputs("inputs", inputs)
        if inputs.ndim != 2 or not len(inputs):
            raise ValueError("inputs must have shape (n_samples, n_inputs), not empty, got shape "
                             f"{tuple(inputs.shape)}")
        n_keys, n_inputs = self.keys.shape
        order = torch.randperm(len(inputs), generator=generator)
        self.keys.copy_(inputs[order[torch.arange(n_keys) % len(inputs)]])
        distance = torch.cdist(self.keys, self.keys).sort(dim=1).values[:, 1:NEAR + 1]
        width = distance[distance > 0].median() if (distance > 0).any() else torch.tensor(1.0)
        self.log_bandwidth.copy_(width.log())
        mix = torch.randn(n_inputs, self.values.shape[1], generator=generator, dtype=self.keys.dtype)
        self.values.copy_((self.keys - self.keys.mean(0)) @ mix / math.sqrt(n_inputs))


class LocalMeanStack(nn.Sequential):
    """Layers of local means, each of which compares what the layer below has answered.

    Parameters
    ----------
    sizes : sequence of int
        Features of the input, of what each layer answers, and of the output: two numbers make one layer.
    n_keys : int, default=64
        Of each layer.
    bandwidth : float, default=1.0
        Of each layer at first.
    residual : bool, default=False
        Whether each layer but the last has a residual path; see `LocalMeanLayer`.

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two sizes, or one is no count.

    Examples
    --------
    >>> import torch
    >>> from locmethods.hierarchy import LocalMeanStack
    >>> LocalMeanStack([64, 8, 10])(torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        n_keys: int = 64,
        bandwidth: float = 1.0,
        residual: bool = False,
    ) -> None:
        if not isinstance(sizes, Sequence) or len(sizes) < 2:
            raise ValueError(f"sizes must be a sequence of at least two numbers of features, got {sizes!r}")
        layers = [LocalMeanLayer(n_inputs, n_outputs, n_keys=n_keys, bandwidth=bandwidth,
                                 residual=residual if number < len(sizes) - 2 else False)
                  for number, (n_inputs, n_outputs) in enumerate(pairwise(sizes))]
        super().__init__(*layers)

    @torch.no_grad()
    def start_at(self, inputs: torch.Tensor, generator: torch.Generator | None = None) -> Self:
        """Put each layer's keys on what the layers below make of the inputs; see `LocalMeanLayer.start_at`.

        Parameters
        ----------
        inputs : Tensor of shape (n_samples, n_features)
        generator : torch.Generator, optional

        Returns
        -------
        LocalMeanStack
            Itself.
        """
        for layer in self:
            layer.start_at(inputs, generator)  # type: ignore[operator]  # each is a LocalMeanLayer
            inputs = layer(inputs)
        return self
