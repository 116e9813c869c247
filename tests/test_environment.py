"""pyproject.toml, requirements.lock, environment.yml and what is installed agree; the linter has nothing to say."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires, version
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


PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s+]+)( ; .+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+")
LOCKS = {name: (ROOT / name).read_text() for name in ("requirements.lock", "torch.lock", "bench.lock")}


def module(name):
    """Return a module of .ci, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def pins(*names):
    """Return {package: version} of locks, all by default, for any Python and system; fail on what is not a pin."""
    found = {}
    for name in names or LOCKS:
        for block in module("lock").blocks(LOCKS[name]).values():
            pin = PIN.fullmatch(block)
            assert pin, f"{name} must hold pins with hashes, got {block!r}: run make lock"
            assert canonicalize_name(pin[1]) not in found, f"{pin[1]} is pinned twice: run make lock"
            found[canonicalize_name(pin[1])] = Version(pin[2])
    return found


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_the_lock_pins_each_direct_dependency_within_its_range(requirement):
    pin = pins().get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} is in no lock: run make lock"
    assert requirement.specifier.contains(pin, prereleases=True), f"{requirement} excludes its pin {pin}: run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_pins_with_hashes_and_nothing_else(name):
    assert "".join(module("lock").blocks(LOCKS[name]).values()) == LOCKS[name] and pins(name)


def test_a_reader_installs_no_package_that_only_the_benchmarks_need():
    readers = pins("requirements.lock", "torch.lock")
    assert not {"pykeops", "keopscore", "faiss-cpu", "pydiffmap", "opencv-python-headless"} & set(readers)
    assert "torch" not in pins("requirements.lock")


def test_what_a_package_of_a_lock_needs_is_in_a_lock():
    """The locks are installed without looking at what their packages ask for: they must be whole by themselves."""
    locked, lacking = pins(), {}
    for name in pins("requirements.lock"):
        try:
            asked = requires(name) or []
        except PackageNotFoundError:
            continue  # of another system
        for one in map(Requirement, asked):
            if (one.marker is None or one.marker.evaluate({"extra": ""})) and canonicalize_name(one.name) not in locked:
                lacking[one.name] = name
    assert not lacking, "run make lock"


def test_the_constraints_are_in_the_lock():
    locked = pins()
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            one = Requirement(line)
            assert locked[canonicalize_name(one.name)] in one.specifier, f"constraints.txt has {line}: run make lock"


def test_what_is_installed_is_the_lock(environment):
    different = {}
    for name, pin in environment.pins(LOCKS["requirements.lock"] + LOCKS["torch.lock"]).items():
        if name.startswith(environment.OF_TORCH) and Version(version("torch")).local:
            continue  # of the default build, and this is another
        found = Version(version(name))
        if found.public != str(Version(pin)):  # +cpu and +cu130 are builds of one version
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
    assert packages == {"pip": ["-r requirements.lock", "-r torch.lock"]}


def test_the_runner_expects_the_pinned_jupyter_book():
    from locmethods.companion.build.book import JUPYTER_BOOK

    assert pins()["jupyter-book"] == Version(JUPYTER_BOOK)


@pytest.fixture(scope="module")
def environment():
    return module("environment")


def test_another_build_than_the_locks_default_is_told(environment, monkeypatch):
    monkeypatch.setattr(environment, "version", {"numpy": "2.4.6", "torch": "2.13.0+cpu"}.__getitem__)
    assert environment.sentence(environment.differences("numpy==2.4.6\n")) == (
        "environment: every package is the lock's default")
    assert environment.sentence(environment.differences("numpy==2.4.6\ntorch==2.13.0\n")) == (
        "environment: torch is 2.13.0+cpu where the lock's default is 2.13.0. What only the default would show is not "
        "tested here.")


def test_the_libraries_of_the_default_torch_are_missed_beside_it_alone(environment, monkeypatch):
    lock = "torch==2.13.0 \\\n    --hash=sha256:00\nnvidia-nccl-cu13==2.29.7 \\\n    --hash=sha256:00\n"
    have = {"torch": "2.13.0"}

    def version(name):
        if name not in have:
            raise PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(environment, "version", version)
    assert environment.differences(lock) == {"nvidia-nccl-cu13": ("2.29.7", "nothing")}
    have["torch"] = "2.13.0+cpu"
    assert environment.differences(lock) == {"torch": ("2.13.0", "2.13.0+cpu")}


def test_a_pin_of_another_system_is_none_here(environment):
    lock = f"one==1.0 ; sys_platform == '{sys.platform}' \\\n    --hash=sha256:00\ntwo==2.0 ; sys_platform == 'none'\n"
    assert environment.pins(lock) == {"one": "1.0"}


@pytest.mark.parametrize(("version", "arguments"), [
    ("2.13.0", ["--require-hashes", "-r", "torch.lock"]), ("2.13.0+cpu", ["torch==2.13.0+cpu"])])
def test_torch_is_checked_by_hash_unless_pip_prefers_another_build(version, arguments):
    report = {"install": [{"metadata": {"name": "torch", "version": version}}]}
    assert module("torch_build").arguments("torch.lock", report) == arguments
    assert module("torch_build").pin(LOCKS["torch.lock"]) == f"torch=={pins()['torch']}"


def test_what_only_the_default_torch_needs_stands_beside_it():
    with_marker = {"cuda": "cuda==1 ; sys_platform == 'linux' \\\n    --hash=x\n", "sympy": "sympy==1\n",
                   "torch": "torch==2\n", "numpy": "numpy==2\n", "colorama": "colorama==1 ; os_name == 'nt'\n"}
    found = module("lock").divided({**with_marker, "pykeops": "pykeops==2\n"}, with_marker,
                                   {name: with_marker[name] for name in ("numpy", "colorama")})
    assert {name: sorted(pins) for name, pins in found.items()} == {
        "requirements.lock": ["colorama", "numpy", "sympy"], "torch.lock": ["cuda", "torch"], "bench.lock": ["pykeops"]}
    assert module("lock").blocks("".join(with_marker.values())) == with_marker


def test_make_installs_nothing_without_a_hash_but_this_project_and_torchs_builds():
    """And no package that a lock's package asks for beside the lock."""
    lines = re.findall(r"(?:\$\(PIP\)|-m pip) install --quiet (.*)", (ROOT / "Makefile").read_text())
    assert lines == ["--require-hashes --no-deps -r bench.lock", "--require-hashes --no-deps -r requirements.lock",
                     "--no-deps --no-build-isolation -e .", "uv"]


@pytest.mark.slow
def test_what_pip_install_brings_holds_each_module_and_says_what_it_is(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):  # what a build leaves behind stays out of the clone
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "locmethods", tmp_path / "locmethods", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                    "wheels", "."], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as held:
        names = set(held.namelist())
        (metadata,) = (held.read(name).decode() for name in names if name.endswith("METADATA"))
    sources = {path.relative_to(ROOT).as_posix() for kind in ("*.py", "*.pyi", "py.typed")
               for path in (ROOT / "locmethods").rglob(kind)}
    assert {name for name in names if ".dist-info/" not in name} == sources
    for line in ("Classifier: Typing :: Typed", "Provides-Extra: lab", "Project-URL: Paper, ", "License-File: LICENSE"):
        assert f"\n{line}" in metadata


def test_the_classifiers_name_the_pythons_that_the_project_takes():
    named = {found[1] for one in PROJECT["classifiers"] if (found := re.fullmatch(r".* :: Python :: (3\.\d+)", one))}
    assert named == {f"3.{minor}" for minor in range(30) if f"3.{minor}.5" in SpecifierSet(PROJECT["requires-python"])}


def test_the_readme_names_every_extra():
    section = re.search(r"## Install\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert not [extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in section]


def test_ci_says_which_environment_it_tests_before_it_tests():
    words = (ROOT / ".ci" / "run").read_text()
    assert words.index(".ci/environment.py") < words.index("make book") < words.index("make test-all")


def test_the_linter_has_nothing_to_say():
    """The package, the tests, the benchmarks, and the chapters' cells as they are frozen."""
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
