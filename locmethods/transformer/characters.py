"""A character-level language model: a Transformer from scratch, whose heads average by any kernel.

Characters become vectors, levels of local means and feed-forward layers follow, and a last linear map gives the logits
of the next character. Where a token may look, and how its weight depends on the lag, is a kernel of positions of each
head's own that is learned: the kernel of a head is K(q, k) · exp(b(t − s)) for s ≤ t and zero otherwise.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted
from torch import nn

from locmethods.arrays.checks import check_count, check_option, check_positive
from locmethods.kernels import Kernel
from locmethods.transformer import checkpoints
from locmethods.transformer.stack import HierarchicalLocalModel
from locmethods.transformer.texts import as_codes, check_text, known_characters
from locmethods.transformer.training import token_losses, train

POSITIONS = ("learned", "decay", "none")
TAIL = 10  # the last tenth of the losses is what a training has come to


class CharacterNetwork(nn.Module):
    """The network of a `CharacterModel`: numbers of characters to logits of the next ones.

    Parameters
    ----------
    n_characters, context, n_features, n_heads, n_layers, n_hidden, positions, kernel
        As in `CharacterModel`.
    levels : nn.Module, optional
        In the place of the `HierarchicalLocalModel`; called as ``levels(vectors, mask=mask)``, as torch's
        ``nn.TransformerEncoder`` with ``batch_first=True`` can be.

    Notes
    -----
    The last map begins at zero, so that every character is equally likely before training, and the loss is the
    logarithm of their number. Head h begins with the kernel of positions exp(−4⁻ʰ(t − s)), h = 0, 1, …, which is an
    exponential of the lag as in [press2022]_.

    Examples
    --------
    >>> import torch
    >>> from locmethods.transformer import CharacterNetwork
    >>> network = CharacterNetwork(2, context=4, n_features=4, n_heads=2, n_layers=1, n_hidden=4)
    >>> network(torch.tensor([[0, 1, 1]])).softmax(-1).detach()
    tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000],
             [0.5000, 0.5000]]])
    """

    def __init__(
        self,
        n_characters: int,
        context: int,
        n_features: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        n_hidden: int = 256,
        positions: str = "learned",
        kernel: Kernel | Sequence[Kernel] | None = None,
        levels: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_option("positions", positions, POSITIONS)
        check_count("n_characters", n_characters, 1)
        check_count("context", context, 1)
        self.context = context
        self.embedding = nn.Embedding(n_characters, n_features)
        self.levels = levels if levels is not None else HierarchicalLocalModel(
            n_features, n_heads, n_layers, n_hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True,
            final_norm=True, kernel=kernel)
        self.head = nn.Linear(n_features, n_characters)
        nn.init.normal_(self.embedding.weight, std=0.5)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        slopes = torch.zeros(n_heads) if positions == "none" else 4.0 ** -torch.arange(n_heads)
        self.lags = nn.Parameter(-slopes[:, None] * torch.arange(context), requires_grad=positions == "learned")

    def position_mask(self, n: int) -> torch.Tensor:
        """Return the logarithm of each head's kernel of positions, of shape (n_heads, n, n); −inf for the future."""
        lag = torch.arange(n)[:, None] - torch.arange(n)
        return self.lags[:, lag.clamp(min=0)].masked_fill(lag < 0, -math.inf)

    def forward(self, characters: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (batch, n, n_characters) for numbers of shape (batch, n), n at most `context`.

        Raises
        ------
        ValueError
            If they are of another shape.
        """
        if characters.ndim != 2 or characters.shape[1] > self.context:
            raise ValueError(f"characters must have shape (batch, n) with n at most context = {self.context}, got "
                             f"{tuple(characters.shape)}")
        batch, n = characters.shape
        mask = self.position_mask(n)
        mask = mask.expand(batch, *mask.shape).flatten(0, 1)
        return self.head(self.levels(self.embedding(characters), mask=mask))


class CharacterModel(BaseEstimator):
    """Predicts the next character of a text by a Transformer, trained from scratch, with a kernel of one's choice.

    Parameters
    ----------
    kernel : Kernel or list of Kernel, optional
        Of the heads, as in `MultiHeadLocalMean`: it compares vectors of ``n_features // n_heads`` entries. The
        exponential of attention by default.
    context : int, default=96
        How many characters a prediction looks back at, at most.
    n_features, n_heads, n_layers, n_hidden : int, default=64, 4, 2, 256
        Size of the vectors, heads of a level, levels, and units of a feed-forward layer.
    positions : {"learned", "decay", "none"}, default="learned"
        The kernel of positions that multiplies each head's: a function of the lag that is learned, exp(−4⁻ʰ(t − s)) in
        head h = 0, 1, …, with which the learned one begins, or none.
    steps, batch_size, learning_rate, weight_decay
        As in `locmethods.transformer.train`.
    characters : str, optional
        All characters that may come; those of the fitted text by default.
    random_state : int, default=0
        Of the first weights and of the windows.
    verbose : int, default=0
        Every so many steps the loss is printed.

    Attributes
    ----------
    characters_ : str
    network_ : CharacterNetwork
        In evaluation mode.
    losses_ : ndarray of shape ``(n_iter_,)``
        The mean loss of each step's windows, in nats.
    n_iter_ : int
        Steps that were taken: `steps`, unless a loss was not finite.
    n_parameters_ : int
        Numbers that were learned.

    Notes
    -----
    Training is the same, bit for bit, in every run with the same number of threads. It goes through all its steps: when
    to stop is the schedule's matter, and whether that was enough is seen in `losses_`.

    Examples
    --------
    >>> from locmethods.transformer import CharacterModel
    >>> model = CharacterModel(context=4, n_features=8, n_heads=2, n_layers=1, n_hidden=8, steps=40).fit("ab" * 20)
    >>> model.characters_, model.losses("abab").shape, model.sample(4, "a", temperature=0.01)
    ('ab', (3,), 'baba')
    """

    def __init__(
        self,
        kernel: Kernel | Sequence[Kernel] | None = None,
        *,
        context: int = 96,
        n_features: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        n_hidden: int = 256,
        positions: str = "learned",
        steps: int = 1000,
        batch_size: int = 4,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        characters: str | None = None,
        random_state: int = 0,
        verbose: int = 0,
    ) -> None:
        self.kernel = kernel
        self.context = context
        self.n_features = n_features
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.n_hidden = n_hidden
        self.positions = positions
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.characters = characters
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, text: str, *, network: nn.Module | None = None) -> Self:
        """Train on a text.

        Parameters
        ----------
        text : str
            Longer than `context`.
        network : nn.Module, optional
            In the place of a new `CharacterNetwork`; it is trained where it stands.

        Raises
        ------
        ValueError, TypeError
            If a parameter is not as above, the text is too short or has a character that is not in `characters`.

        Warns
        -----
        ConvergenceWarning
            If a loss was not finite, or the last tenth of the losses is no better than the frequencies of single
            characters would be.
        """
        check_text("text", text)
        self._check()
        self.characters_ = known_characters(self.characters, text)
        tokens = torch.from_numpy(as_codes("text", text, self.characters_))
        if len(tokens) <= self.context:
            raise ValueError(f"text must be longer than context = {self.context}, got {len(tokens)} characters")
        self.network_ = self.new_network() if network is None else network
        self.losses_ = train(self.network_, tokens, context=self.context, steps=self.steps, batch_size=self.batch_size,
                             learning_rate=self.learning_rate, weight_decay=self.weight_decay, seed=self.random_state,
                             verbose=self.verbose)
        self.n_iter_ = len(self.losses_)
        self.n_parameters_ = sum(one.numel() for one in self.network_.parameters() if one.requires_grad)
        self._warn(tokens)
        return self

    def new_network(self) -> CharacterNetwork:
        """Return a network that has learned nothing yet, once `characters_` are known."""
        check_is_fitted(self, "characters_")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            return CharacterNetwork(len(self.characters_), self.context, self.n_features, self.n_heads, self.n_layers,
                                    self.n_hidden, self.positions, self.kernel).eval()

    def _check(self):
        for name in ("context", "n_features", "n_heads", "n_layers", "n_hidden", "steps", "batch_size"):
            check_count(name, getattr(self, name), 1)
        check_count("random_state", self.random_state, 0)
        check_option("positions", self.positions, POSITIONS)

    def _warn(self, tokens):
        last = self.losses_[-max(1, len(self.losses_) // TAIL):].mean()
        shares = np.bincount(tokens.numpy()) / len(tokens)
        entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
        if math.isfinite(last) and not last < entropy:
            warnings.warn(f"after {self.n_iter_} steps the loss is {last:.3g} nats, and the frequencies of single "
                          f"characters have {entropy:.3g}: take more steps or another learning_rate",
                          ConvergenceWarning, stacklevel=3)

    def losses(self, text: str) -> np.ndarray:
        """Return −log p of every character after the first, given those before it, in nats.

        Each is predicted from all characters before it, or from the last ones: at least half of `context`.

        Parameters
        ----------
        text : str
            At least two characters.

        Returns
        -------
        ndarray of shape (n − 1,)

        Raises
        ------
        ValueError, TypeError
            If it is no such text, or has an unknown character.
        """
        tokens = self._tokens("text", text)
        return token_losses(self.network_, tokens, self.context)

    def score(self, text: str) -> float:
        """Return the mean of log p of every character after the first, in nats: minus the mean loss."""
        return -float(self.losses(text).mean())

    def logits(self, text: str) -> np.ndarray:
        """Return what the network says after each character of a text that is no longer than `context`.

        Returns
        -------
        ndarray of shape (n, n_characters)
            The distribution of the next character is their softmax.
        """
        window = self._window(text)
        with torch.no_grad():
            return self.network_(window).squeeze(0).numpy()

    def attention(self, text: str) -> np.ndarray:
        """Return each head's weights on a text that is no longer than `context`.

        Returns
        -------
        ndarray of shape (n_layers, n_heads, n, n)
            Row t holds the weights of the local mean of token t; the rows sum to one.

        Raises
        ------
        ValueError, TypeError
            As `losses`, or if the text is longer.
        """
        window, seen = self._window(text), []
        heads = [level.self_attn for level in self.network_.levels.layers]  # type: ignore[union-attr]
        hooks = [one.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for one in heads]
        with torch.no_grad():
            try:
                self.network_(window)
            finally:
                for hook in hooks:
                    hook.remove()
            mask = self.network_.position_mask(window.shape[1])  # type: ignore[operator]
            found = [one(tokens, tokens, tokens, attn_mask=mask, average_attn_weights=False)[1]
                     for one, tokens in zip(heads, seen, strict=True)]
        return torch.cat(found).numpy()

    def sample(self, n_characters: int, prompt: str, *, temperature: float = 1.0, seed: int = 0) -> str:
        """Return a continuation of a text, character by character.

        A character is drawn from the softmax of logits / temperature, from the last `context` characters.

        Parameters
        ----------
        n_characters : int
        prompt : str
            At least one character; not returned.
        temperature : float, default=1.0
            Small, the likeliest character is taken.
        seed : int, default=0

        Returns
        -------
        str
            The same for the same model and seed.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as above.
        """
        check_count("n_characters", n_characters, 0)
        check_positive("temperature", temperature)
        check_count("seed", seed, 0)
        codes = self._tokens("prompt", prompt, least=1).tolist()
        begun, draws = len(codes), np.random.default_rng(seed).random(n_characters)
        with torch.no_grad():
            for draw in draws:
                logits = self.network_(torch.tensor([codes[-self.context:]]))[0, -1].double() / temperature
                cumulative = logits.softmax(-1).cumsum(-1)
                codes.append(min(int(torch.searchsorted(cumulative, draw)), len(self.characters_) - 1))
        return "".join(self.characters_[code] for code in codes[begun:])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as safetensors, whole or not at all, with a version and a checksum.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        TypeError
            If the kernel is none of the package's, or has other parameters than numbers.
        """
        check_is_fitted(self)
        tensors = {**self.network_.state_dict(), "losses": torch.from_numpy(self.losses_)}
        settings = {name: value for name, value in self.get_params(deep=False).items() if name != "kernel"}
        checkpoints.write(path, tensors, {"kernel": checkpoints.as_words(self.kernel), "settings": settings,
                                          "fitted characters": self.characters_})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model that `save` wrote.

        Raises
        ------
        ValueError
            If the file is none of `save`'s, of another version, or damaged.
        FileNotFoundError
            If there is none.
        """
        tensors, described = checkpoints.read(path)
        model = cls(checkpoints.as_kernel(described["kernel"]), **described["settings"])
        model.characters_ = described["fitted characters"]
        model.losses_ = tensors.pop("losses").numpy()
        model.network_ = model.new_network()
        model.network_.load_state_dict(tensors)
        model.n_iter_ = len(model.losses_)
        model.n_parameters_ = sum(one.numel() for one in model.network_.parameters() if one.requires_grad)
        return model

    def _tokens(self, name, text, least=2):
        check_is_fitted(self)
        check_text(name, text, least)
        return torch.from_numpy(as_codes(name, text, self.characters_))

    def _window(self, text):
        tokens = self._tokens("text", text, least=1)
        if len(tokens) > self.context:
            raise ValueError(f"text must be no longer than context = {self.context}, got {len(tokens)} characters")
        return tokens[None]
