"""Say in a line where the environment under test differs from what requirements.lock gives by default."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def differences(lock):
    """Return {package: (pinned, installed)} where a version, or the build of one, is not the lock's."""
    found = {}
    for line in lock.splitlines():
        name, pinned = line.split("==")
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed != pinned:
            found[name] = pinned, installed
    return found


def sentence(found):
    """Return what is printed."""
    if not found:
        return "environment: every package is the lock's default"
    said = [f"{name} is {here} where the lock's default is {pinned}" for name, (pinned, here) in found.items()]
    return f"environment: {'; '.join(said)}. What only the default would show is not tested here."


if __name__ == "__main__":
    lock = (Path(__file__).resolve().parent.parent / "requirements.lock").read_text()
    print(f"{'=' * 20}\n{sentence(differences(lock))}\n{'=' * 20}", flush=True)
