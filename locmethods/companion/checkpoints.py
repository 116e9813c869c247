"""Models that take minutes to train, kept by content: what a page asks for twice is trained once.

A model is known by all that decides what it becomes: its parameters, the text, torch's version, and the code of the
modules that matter, without their docstrings and comments. Each is trained by one thread, so that it becomes the same
whatever the number of cores, as many side by side as there are cores.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locmethods.transformer import CharacterModel

ROOT = Path(__file__).resolve().parents[2]
# A test holds this list to what the model imports. (Asking the imports here would make the page depend on the build.)
MATTERS = ("locmethods/kernels", "locmethods/transformer/averages.py", "locmethods/transformer/bias.py",
           "locmethods/transformer/characters.py", "locmethods/transformer/checkpoints.py",
           "locmethods/transformer/features.py", "locmethods/transformer/feedforward.py",
           "locmethods/transformer/multihead.py",
           "locmethods/transformer/positive.py", "locmethods/transformer/short.py", "locmethods/transformer/stack.py",
           "locmethods/transformer/texts.py", "locmethods/transformer/training.py",
           "locmethods/companion/checkpoints.py")


def trained(models: Mapping[Any, CharacterModel], text: str, *, by_torch: bool = False) -> dict[Any, CharacterModel]:
    """Return fitted copies of models: those that were kept, the others trained now and kept.

    Parameters
    ----------
    models : dict of CharacterModel
    text : str
        What they are fitted to.
    by_torch : bool, default=False
        Whether ``nn.TransformerEncoder`` is trained, from the same first weights; then it gives its weights to the
        model, whose kernel must be the exponential.

    Returns
    -------
    dict of CharacterModel
        With the same keys. In a folder that is no clone of the book nothing is kept.
    """
    from joblib import Parallel, cpu_count, delayed, parallel_config

    place, sources = folder(), sources_that_matter()
    files = {key: place and place / f"{name_of(model, text, by_torch, sources)}.safetensors"
             for key, model in models.items()}
    found = {key: kept(file) for key, file in files.items()}
    missing = [key for key, model in found.items() if model is None]
    jobs = max(1, min(cpu_count(), len(missing)))
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1 if jobs > 1 else None):
        new = Parallel()(delayed(train_one)(models[key], text, by_torch, files[key]) for key in missing)
    found.update(zip(missing, new, strict=True))
    return {key: found[key] for key in models}


def folder():
    """Return the folder of what is kept, or None where the package does not lie in a clone of the book."""
    return ROOT / "_build" / "checkpoints" if (ROOT / "_toc.yml").exists() else None


def name_of(model, text, by_torch, sources):
    """Return a hash of everything that decides what a model becomes."""
    import torch

    from locmethods.transformer.checkpoints import as_words

    settings = model.get_params(deep=False) | {"kernel": as_words(model.kernel), "verbose": 0}
    words = json.dumps([settings, by_torch, torch.__version__.split("+")[0]], sort_keys=True)
    return hashlib.sha256(f"{words}\0{text}\0{sources}".encode()).hexdigest()[:32]


def files_that_matter():
    """Return the files of the modules that decide what training comes to."""
    places = [ROOT / place for place in MATTERS]
    return [file for place in places for file in (sorted(place.glob("*.py")) if place.is_dir() else [place])]


@cache
def sources_that_matter():
    """Return the code of the modules that decide what training comes to, docstrings and comments left out."""
    return "\0".join(code_of(file.read_text()) for file in files_that_matter())


def code_of(source):
    """Return source as it is understood: without comments, docstrings and line breaks of its own."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(
                getattr(body[0].value, "value", None), str):
            body[0].value.value = ""
    return ast.unparse(tree)


def kept(file):
    """Return the model in a file, None if there is none or it is damaged: then it is trained again."""
    from locmethods.transformer import CharacterModel

    if file is None or not file.exists():
        return None
    try:
        return CharacterModel.load(file)
    except ValueError:
        return None


def train_one(model, text, by_torch, file):
    """Fit a copy of a model by one thread, and keep it."""
    import torch
    from sklearn.base import clone

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = clone(model)
        if by_torch:
            taught = clone(model).fit(text, network=torchs_network(model, text))
            model.__dict__.update(taught.__dict__)
            model.network_ = model.new_network()
            model.network_.load_state_dict(taught.network_.state_dict())
        else:
            model.fit(text)
    finally:
        torch.set_num_threads(threads)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        model.save(file)
    return model


def torchs_network(model, text):
    """Return a network whose levels are torch's own encoder, with the first weights that the model would have."""
    from torch import nn

    from locmethods.transformer import CharacterNetwork
    from locmethods.transformer.texts import known_characters

    model.characters_ = known_characters(model.characters, text)
    layer = nn.TransformerEncoderLayer(model.n_features, model.n_heads, model.n_hidden, dropout=0.0, activation="gelu",
                                       batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, model.n_layers, norm=nn.LayerNorm(model.n_features),
                                    enable_nested_tensor=False)
    network = CharacterNetwork(len(model.characters_), model.context, model.n_features, model.n_heads,
                               levels=encoder, positions=model.positions)
    network.load_state_dict(model.new_network().state_dict())
    return network
