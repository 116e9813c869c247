"""Fitted models as files: safetensors with a description, a version and a checksum; whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from locmethods import kernels
from locmethods.arrays.checks import is_number
from locmethods.numerics.files import write_whole
from locmethods.transformer.features import FeatureKernel
from locmethods.transformer.positive import positive_features

VERSION = "1"
NAME = "locmethods.transformer"
KERNELS = {name: getattr(kernels, name) for name in kernels.__all__} | {"FeatureKernel": FeatureKernel}
FEATURES = {"positive_features": positive_features}


def write(path, tensors, description):
    """Write tensors and a description that JSON can hold.

    Parameters
    ----------
    path : path-like
    tensors : dict of str to Tensor
    description : dict
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    words = json.dumps(description, sort_keys=True, default=lambda number: number.item())  # NumPy's own numbers
    content = save(tensors, {"name": NAME, "version": VERSION, "description": words, "sha256": digest(tensors, words)})
    write_whole(path, [content])


def read(path):
    """Return (tensors, description) that `write` has written.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none of ours, of another version, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {Path(path).name}")
    try:
        with safe_open(path, framework="pt") as file:
            noted = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{Path(path).name} is damaged: {error}") from None
    if noted.get("name") != NAME or noted.get("version") != VERSION:
        raise ValueError(f"{Path(path).name} must be a file of {NAME} of version {VERSION}, got "
                         f"{noted.get('name')} of version {noted.get('version')}")
    if noted.get("sha256") != digest(tensors, noted["description"]):
        raise ValueError(f"{Path(path).name} is damaged: its content is not what its checksum says")
    return tensors, json.loads(noted["description"])


def digest(tensors, words):
    """Return the checksum of tensors and a description."""
    found = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def as_words(kernel):
    """Return a kernel of the package as what JSON can hold; None and lists of kernels too.

    Raises
    ------
    TypeError
        If it is another kernel, or a parameter is neither a number nor a feature map that has a name here.
    """
    if kernel is None:
        return None
    if isinstance(kernel, list | tuple):
        return [as_words(one) for one in kernel]
    name, parameters = type(kernel).__name__, {}
    for key, value in kernel.get_params(deep=False).items():
        parameters[key] = next((word for word, features in FEATURES.items() if value is features), value)
    named = all(is_number(value) or value in FEATURES for value in parameters.values())
    if KERNELS.get(name) is not type(kernel) or not named:
        raise TypeError("a file can hold a kernel of locmethods whose parameters are numbers or positive_features, got "
                        f"{kernel!r}")
    return {"name": name, "parameters": parameters}


def as_kernel(words):
    """Return the kernel that `as_words` has put into words."""
    if words is None:
        return None
    if isinstance(words, list):
        return [as_kernel(one) for one in words]
    return KERNELS[words["name"]](**{key: FEATURES.get(value, value) for key, value in words["parameters"].items()})
