"""pyproject.toml, requirements.lock, environment.yml and what is installed agree; the linter has nothing to say."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(text) for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
          for text in texts]


def pins():
    """Return {package: version} of the lock, and fail on a line that is not a pin."""
    found = {}
    for number, line in enumerate((ROOT / "requirements.lock").read_text().splitlines(), start=1):
        pin = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s+]+)", line)
        assert pin, f"requirements.lock, line {number}, must read name==version, got {line!r}: run make lock"
        found[canonicalize_name(pin[1])] = Version(pin[2])
    return found


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_the_lock_pins_each_direct_dependency_within_its_range(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} is not in requirements.lock: run make lock"
    assert requirement.specifier.contains(pin, prereleases=True), f"{requirement} excludes its pin {pin}: run make lock"


def test_the_constraints_are_in_the_lock():
    locked = pins()
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            one = Requirement(line)
            assert locked[canonicalize_name(one.name)] in one.specifier, f"constraints.txt has {line}: run make lock"


def test_what_is_installed_is_the_lock():
    different = {}
    for name, pin in pins().items():
        found = Version(version(name))
        if Version(found.public) != pin:  # +cpu and +cu130 are builds of one version
            different[name] = f"{found} installed, {pin} pinned"
    assert not different, "run make clean, then make test"


def test_this_python_is_one_that_the_project_takes():
    assert ".".join(map(str, sys.version_info[:3])) in SpecifierSet(PROJECT["requires-python"])


def test_environment_yml_says_the_same_as_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    python, pip, packages = environment["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    assert packages == {"pip": ["-r requirements.lock", "-e ."]}


def test_the_runner_expects_the_pinned_jupyter_book():
    from locmethods.companion.build.book import JUPYTER_BOOK

    assert pins()["jupyter-book"] == Version(JUPYTER_BOOK)


@pytest.fixture(scope="module")
def environment():
    spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_another_build_than_the_locks_default_is_told(environment, monkeypatch):
    monkeypatch.setattr(environment, "version", {"numpy": "2.4.6", "torch": "2.13.0+cpu"}.__getitem__)
    assert environment.sentence(environment.differences("numpy==2.4.6\n")) == (
        "environment: every package is the lock's default")
    assert environment.sentence(environment.differences("numpy==2.4.6\ntorch==2.13.0\n")) == (
        "environment: torch is 2.13.0+cpu where the lock's default is 2.13.0. What only the default would show is not "
        "tested here.")


def test_ci_says_which_environment_it_tests_before_it_tests():
    words = (ROOT / ".ci" / "run").read_text()
    assert words.index(".ci/environment.py") < words.index("make book") < words.index("make test-all")


def test_the_linter_has_nothing_to_say():
    """The package, the tests, the benchmarks, and the chapters' cells as they are frozen."""
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
