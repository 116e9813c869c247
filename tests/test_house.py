"""The house: imports point down, a subject imports no engine, and what begins with an underscore stays at home."""

import ast
from pathlib import Path

import pytest

import locmethods

ROOT = Path(locmethods.__file__).parent
# From the bottom up; what is not named is a subject, and subjects may import each other.
FLOORS = [("arrays", "numerics"), ("kernels",), ("engines",), ("means",), ("trick",), ("models",), ("subjects",),
          ("companion",)]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def room_of(parts):
    """Return the room of a module by the parts of its name below the package."""
    return parts[0] if parts[0] in FLOOR else "subjects"


def imports(path):
    """Return (module, name) of everything a file imports from the package, wherever the import stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports by dots"
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return [(module.split(".")[1:], name) for module, name in found if module.split(".")[0] == "locmethods"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_down_and_private_names_stay_at_home(path):
    own = path.relative_to(ROOT).with_suffix("").parts
    here = room_of(own)
    for module, name in imports(path):
        parts = [*module, name] if not module else module
        there = room_of(parts)
        assert FLOOR[there] <= FLOOR[here], f"{here} imports {'.'.join(module)} from a floor above it"
        assert not (here == "subjects" and there == "engines"), f"the subject {own[0]} imports an engine"
        private = [part for part in (*module, name) if part.startswith("_") and not part.startswith("__")]
        assert not private or tuple(module[:-1]) == own[:-1], f"{private} is private to another folder"


def test_compiled_code_is_reached_by_the_engines_and_by_the_models_that_have_their_own():
    for path in FILES:
        own = path.relative_to(ROOT).parts
        for module, _ in imports(path):
            if module[:2] == ["engines", "native"]:
                assert own[0] in ("engines", "models"), f"{'/'.join(own)} reaches into compiled code"


def test_each_hard_folder_has_a_page_for_newcomers():
    for folder in ("engines", "engines/native"):
        text = (ROOT / folder / "README.md").read_text()
        named = [path.stem for path in (ROOT / folder).glob("*.py") if path.stem != "__init__"]
        missing = [name for name in named if f"`{name}`" not in text]
        assert not missing, f"{folder}/README.md does not say what {missing} are"
        assert len(text.splitlines()) < 80, f"{folder}/README.md is more than a page"
