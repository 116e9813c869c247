"""Every public name says its types, as its docstring does, and a type checker has nothing to say of the package."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.companion.build import lists
from locmethods.kernels import Gaussian

ROOT = Path(__file__).resolve().parent.parent


# Every function of these is a page's to call.
ROOMS = ("locmethods.companion.datasets", "locmethods.companion.pictures")


def public():
    """Return {dotted name: function} of what modules name in ``__all__``, with the methods that classes add."""
    found = {}
    modules = [module.name for module in pkgutil.walk_packages(lm.__path__, "locmethods.")
               if not module.name.startswith("locmethods.companion.")]
    for home in map(importlib.import_module, [*modules, *ROOMS]):
        for name in getattr(home, "__all__", vars(home) if home.__name__ in ROOMS else ()):
            one = getattr(home, name)
            if getattr(one, "__module__", "locmethods").partition(".")[0] != "locmethods":
                continue
            if inspect.isclass(one):
                for member, value in vars(one).items():
                    if not member.startswith("_") or member in ("__init__", "__call__"):
                        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
                        found[f"{one.__module__}.{one.__qualname__}.{member}"] = value
            else:
                found[f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', '')}"] = one
    return {name: inspect.unwrap(one) for name, one in found.items() if inspect.isfunction(inspect.unwrap(one))}


PUBLIC = public()


def test_the_names_are_found():
    wanted = {"locmethods.means.averages.local_mean", "locmethods.models.regression.LocalMeanRegressor.fit",
              "locmethods.kernels.base.Kernel.__call__", "locmethods.means.sums.LocalSum.numerator",
              "locmethods.transformer.pretrained.SentenceModel.load", "locmethods.companion.build.figures.figure"}
    assert wanted <= set(PUBLIC) and len(PUBLIC) > 380


@pytest.mark.parametrize("name", PUBLIC)
def test_every_parameter_and_the_answer_have_a_type(name):
    signature = inspect.signature(PUBLIC[name])
    bare = [one.name for one in signature.parameters.values()
            if one.annotation is one.empty and one.name not in ("self", "cls")]
    assert not bare, f"{name} does not say what {', '.join(bare)} must be"
    assert signature.return_annotation is not signature.empty, f"{name} does not say what it returns"


def rows(name):
    """Return [(names, what the docstring says that they are)]; a class's parameters stand in its own docstring."""
    home, _, last = name.rpartition(".")
    owner = PUBLIC[name]
    if last == "__init__":
        module, _, kind = home.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", inspect.getdoc(owner) or "", re.S | re.M)
    found = re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.*)$", section[1] if section else "", re.M)
    return [([one.lstrip("*") for one in names.split(", ")], words) for names, words in found]


def documented(name):
    """Return {parameter: what the docstring says that it is}."""
    return {one: words for names, words in rows(name) for one in names}


def defaults(name):
    """Return {parameter: the default that the docstring writes}, one for all names of a row or one for each."""
    found = {}
    for names, words in rows(name):
        written = re.search(r"default=(.*)$", words)
        if written:
            value = ast.literal_eval(written[1])
            each = value if len(names) > 1 and isinstance(value, tuple) else [value] * len(names)
            found |= dict(zip(names, each, strict=True))
    return found


def test_docstrings_are_read_whole():
    assert sum(len(documented(name)) for name in PUBLIC) > 1000 and sum(len(defaults(name)) for name in PUBLIC) > 400
    assert len(documented("locmethods.denoising.exact.EmpiricalDenoiser.__init__")) == 5


# Words with which a docstring may begin, and one of which the annotation then holds.
WORDS = {"int": ("int",), "float": ("float",), "bool": ("bool",), "str": ("str",), "array-like": ("ArrayLike",),
         "Kernel": ("Kernel",), "callable": ("Callable",), "sequence": ("Sequence", "tuple"),
         "Tensor": ("Tensor", "ArrayLike"), "float or scalar Tensor": ("Scalar",)}
ANYTHING = ("Any", "object")


@pytest.mark.parametrize("name", PUBLIC)
def test_the_type_is_what_the_docstring_says(name):
    parameters, words = inspect.signature(PUBLIC[name]).parameters, documented(name)
    for one in set(parameters) & set(words):
        said, annotation = words[one], str(parameters[one].annotation)
        if annotation in ANYTHING:
            continue
        for begin in sorted(WORDS, key=len, reverse=True):
            if re.match(rf"{begin}(?![\w-])", said) and "float or array-like" not in said:
                wanted = WORDS[begin]
                assert any(word in annotation for word in wanted), (
                    f"{name}: {one} is {said!r}, and annotated {annotation!r}")
                break
        if parameters[one].default is None:
            assert "None" in annotation, f"{name}: {one} may be None, and is annotated {annotation!r}"


@pytest.mark.parametrize("name", PUBLIC)
def test_the_default_is_what_the_docstring_says(name):
    parameters = inspect.signature(PUBLIC[name]).parameters
    said = {one: value for one, value in defaults(name).items() if one in parameters}
    assert {one: parameters[one].default for one in said} == said


def mypy(*what):
    """Return what mypy prints, and its exit status; it keeps what it knows of torch and NumPy between runs."""
    done = subprocess.run([sys.executable, "-m", "mypy", *map(str, what)], cwd=ROOT, capture_output=True, text=True)
    return done.stdout + done.stderr, done.returncode


@pytest.mark.slow
def test_a_type_checker_has_nothing_to_say_of_the_package():
    said, status = mypy()
    assert status == 0, said


# What a caller writes, and in comments what mypy must find wrong in it.
CALLER = '''
import numpy as np
import torch

import locmethods as lm
from locmethods.kernels import Gaussian, Kernel, NearestNeighbors

x = np.linspace(0, 1, 9)[:, None]
kernel: Kernel = 2.0 * Gaussian(bandwidth=0.3) * NearestNeighbors(3) + Gaussian(torch.tensor(1.0))
mean: np.ndarray = lm.local_mean([[0.5]], x, x[:, 0], kernel=kernel.hollow())
points = torch.zeros(3, 1)
tensor: torch.Tensor = lm.local_mean(points, points, kernel=Gaussian())
shape: tuple[int, ...] = lm.local_mean(points, points, kernel=Gaussian()).shape
model: lm.LocalMeanRegressor = lm.LocalMeanRegressor(kernel).fit(x, [0.0] * 9, sample_weight=np.ones(9))
q: float = lm.prepare(x, x, kernel=kernel).quantile(x, 0.5).mean()
best = lm.select_bandwidth(x, x[:, 0], kernel=kernel, bounds={"bandwidth": (0.1, 1.0)}, degree=1)
kernel.on([0]).on(np.tanh).on(slice(0, 1)).where(np.ones((9, 9), bool))

lm.local_mean(x, x, x, kernel="gaussian")  # [arg-type]
lm.local_mean(x, x, x)  # [call-arg]
lm.local_mean(x, x, x, kernel=kernel, empty=0)  # [arg-type]
Gaussian("wide")  # [arg-type]
lm.LocalMeanRegressor(kernel, bandwidth=1.0)  # [call-arg]
lm.local_means(x, x, x, kernel=kernel)  # [attr-defined]
lm.local_mean(x, x, kernel=kernel).shape.append(3)  # [attr-defined]
lm.prepare(x, x, kernel=kernel).median(x)  # [attr-defined]
kernel.on("first column")  # [arg-type]
lm.select_bandwidth(x, x, kernel=kernel, degree="linear")  # [arg-type]
'''


@pytest.mark.slow
def test_a_callers_mistakes_are_found_and_nothing_else(tmp_path):
    file = tmp_path / "caller.py"
    file.write_text(CALLER)
    said, _ = mypy(file)
    found = {(int(line), code) for line, code in re.findall(r"caller\.py:(\d+): error: .* (\[[a-z-]+\])$", said, re.M)}
    wanted = {(number, line.partition("  # ")[2]) for number, line in enumerate(CALLER.splitlines(), start=1)
              if "  # [" in line}
    assert found == wanted, said


def test_the_package_says_that_it_has_types_and_where_the_names_of_its_door_live():
    assert (Path(lm.__file__).parent / "py.typed").exists()
    stub = (Path(lm.__file__).parent / "__init__.pyi").read_text()
    assert stub == lists.door_types(lm), "run make readme and commit locmethods/__init__.pyi"
    assert set(re.findall(r" as (\w+)$|^(__version__):", stub, re.M)) == {
        ("", name) if name == "__version__" else (name, "") for name in lm.__all__}


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor, da.from_array], ids=["NumPy", "torch", "Dask"])
def test_an_answer_has_what_the_type_of_answers_promises(make):
    from locmethods.arrays.types import Array

    points = make(np.arange(6.0).reshape(6, 1))
    answer = lm.local_mean(points, points, kernel=Gaussian())
    assert all(hasattr(answer, name) for name in Array.__annotations__)
    assert type(answer) is type(points) and answer.ndim == len(answer.shape) == 2
