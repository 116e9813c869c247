"""What code can reach by its imports: every kind of import, lazy names one by one, nothing that is not used."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from locmethods.companion import claims
from locmethods.companion.build import pages, stale
from locmethods.companion.build.imports import Modules

ROOT = Path(__file__).resolve().parent.parent
LAZY = '''
"""A package whose names are loaded when they are used."""
from importlib import import_module
__version__ = "1"
_HOME = {"mean": "means", "Map": "models.maps"}
_ROOMS = ("means", "lazy")
__all__ = [*_HOME, *_ROOMS]
def __getattr__(name):
    return getattr(import_module(f"locmethods.{_HOME[name]}"), name)
'''
PACKAGE = {
    "__init__": LAZY, "means": "import numpy\nfrom locmethods.engines import sums\n", "lazy": "", "alone": "",
    "models/__init__": "", "models/maps": "from .tools import tool\nfrom .. import means as m\n", "models/tools": "",
    "engines/__init__": "", "engines/sums": "def total():\n    import locmethods.engines.near\n", "engines/near": "",
    "ring": "from locmethods import ring_back\n", "ring_back": "def back():\n    from locmethods import ring\n",
}
MEANS = {"means", "engines", "engines.sums", "engines.near"}
MAPS = {"models", "models.maps", "models.tools", *MEANS}


@pytest.fixture
def root(tmp_path):
    """Return a folder with a small package of the same name as ours."""
    for name, source in PACKAGE.items():
        place = tmp_path / "locmethods" / f"{name}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(source)
    return tmp_path


def reached(root, code):
    """Return what some code reaches, without the package's own name."""
    return {name.removeprefix("locmethods").removeprefix(".") for name in Modules(root).reached(ast.parse(code))} - {""}


EVERYTHING = {name.replace("/", ".").removesuffix(".__init__") for name in PACKAGE} - {"__init__"}


@pytest.mark.parametrize("code, found", [
    ("import numpy as np", set()),
    ("import locmethods", set()),
    ("import locmethods.alone", {"alone"}),
    ("import locmethods.models.tools as t", {"models", "models.tools"}),
    ("from locmethods import alone", {"alone"}),
    ("from locmethods.means import mean", MEANS),
    ("from locmethods.means import *", MEANS),
    ("from locmethods.engines import sums", {"engines", "engines.sums", "engines.near"}),
    ("def f():\n    from locmethods import alone", {"alone"}),
    ("if True:\n    try:\n        import locmethods.alone\n    except ImportError:\n        pass", {"alone"}),
    ("import locmethods.models.maps", MAPS),
    ("import locmethods.ring", {"ring", "ring_back"}),
    ("from importlib import import_module\nimport_module('locmethods.alone')", {"alone"}),
    ("import importlib\nimportlib.import_module('locmethods.' + name)", EVERYTHING),
    ("__import__(name)", EVERYTHING),
])
def test_every_import_counts(root, code, found):
    assert reached(root, code) == found


@pytest.mark.parametrize("code, found", [
    ("import locmethods as lm\nlm.mean([1])", MEANS),
    ("import locmethods as lm\nlm.Map().fit", MAPS),
    ("import locmethods\nlocmethods.mean", MEANS),
    ("import locmethods as lm\nlm.lazy.anything", {"lazy"}),
    ("import locmethods as lm\nlm.models.tools.tool", {"models", "models.tools"}),
    ("import locmethods as lm\nlm.__version__", set()),
    ("from locmethods import mean", MEANS),
    ("from locmethods import mean, Map as M", MAPS),
    ("from locmethods import models\nmodels.maps.Map", MAPS),
    ("from locmethods import __version__", set()),
    ("import locmethods as lm\nlm.unheard_of", EVERYTHING),
    ("import locmethods as lm\ngetattr(lm, name)", EVERYTHING),
    ("import locmethods as lm\nmodule = lm", EVERYTHING),
    ("from locmethods import *", EVERYTHING),
    ("import locmethods as lm\nlm = 3", set()),
])
def test_a_lazy_name_counts_its_home_alone(root, code, found):
    assert reached(root, code) == found


def test_a_new_name_in_a_table_changes_nothing_for_others(root):
    before = Modules(root).source("locmethods")
    assert "_HOME" not in before.split("def ")[0].replace("*_HOME", "") and "__version__" in before
    place = root / "locmethods" / "__init__.py"
    place.write_text(LAZY.replace('"Map": "models.maps"', '"Map": "models.maps", "alone": "alone"'))
    assert Modules(root).source("locmethods") == before
    place.write_text(LAZY.replace('"mean": "means"', '"mean": "lazy"'))
    assert Modules(root).source("locmethods") == before and reached(root, "from locmethods import mean") == {"lazy"}
    place.write_text(LAZY.replace('__version__ = "1"', '__version__ = "2"'))
    assert Modules(root).source("locmethods") != before
    assert Modules(root).source("locmethods.ring") == PACKAGE["ring"]


def test_what_is_not_python_is_named_with_its_line(root):
    (root / "locmethods" / "lazy.py").write_text("x = 1\ndef f(:\n")
    assert reached(root, "import locmethods.alone") == {"alone"}
    with pytest.raises(pages.BookError, match="^" + re.escape(
            "locmethods/lazy.py, line 2, is not Python: invalid syntax") + "$"):
        reached(root, "import locmethods.lazy")


# The book itself


@pytest.fixture(scope="module")
def chapters():
    """Return {chapter: the modules it reaches}."""
    modules = Modules(ROOT)
    return {page.stem: modules.reached(stale.code_of(page, pages.code_cells(pages.read(page))))
            for page in pages.chapters(ROOT)}


@pytest.mark.slow
def test_what_one_page_draws_reruns_that_page_alone(chapters):
    folder = ROOT / "locmethods" / "companion" / "drawings"
    for stem in chapters:
        if (folder / f"{stem}.py").exists():
            drawing = f"locmethods.companion.drawings.{stem}"
            assert [page for page, found in chapters.items() if drawing in found] == [stem]


def test_what_one_page_checks_reruns_that_page_alone(chapters):
    for stem in claims.stems():
        assert [page for page, found in chapters.items() if f"locmethods.companion.claims.{stem}" in found] == [stem]


@pytest.mark.parametrize("stem", ["lazy", "meanshift", "kernel_methods"])
def test_a_subject_reruns_its_page_and_not_the_book(chapters, stem):
    found = [page for page, modules in chapters.items() if f"locmethods.{stem}" in modules]
    assert stem in found and not {"kernels", "means", "trick"} & set(found)


def test_what_builds_the_site_reruns_nothing(chapters):
    for stem, found in chapters.items():
        assert not {f"locmethods.companion.{name}" for name in ("__main__", "build.site", "build.run", "build.book",
                                                                "build.stale", "build.imports")} & found
        assert ("locmethods.companion.checking.check" in found) == (stem in claims.stems())


def test_a_small_call_loads_neither_numpys_tests_nor_compiled_code():
    code = ("import sys, locmethods as lm; from locmethods.kernels import Gaussian; "
            "lm.local_mean([[0.0]], [[1.0]], [1.0], kernel=Gaussian()); "
            "print(*sorted({'numpy.f2py', 'numpy.testing', 'numba', 'torch'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
