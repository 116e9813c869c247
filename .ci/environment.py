"""Say in a line where the environment under test differs from what the locks give by default."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

OF_TORCH = ("cuda-", "nvidia-", "triton")


def pins(lock):
    """Return {package: version} of the pins of a lock that hold for this Python and system."""
    lines = [Requirement(line.removesuffix("\\")) for line in lock.splitlines() if line[:1].isalnum()]
    return {one.name: str(one.specifier).removeprefix("==") for one in lines
            if one.marker is None or one.marker.evaluate()}


def differences(lock):
    """Return {package: (pinned, installed)} where a version, or the build of one, is not the lock's.

    What the default build of torch asks for is no difference where another build is installed.
    """
    found = {}
    for name, pinned in pins(lock).items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed != pinned:
            found[name] = pinned, installed
    if "torch" in found:
        found = {name: pair for name, pair in found.items() if not name.startswith(OF_TORCH)}
    return found


def sentence(found):
    """Return what is printed."""
    if not found:
        return "environment: every package is the lock's default"
    said = [f"{name} is {here} where the lock's default is {pinned}" for name, (pinned, here) in found.items()]
    return f"environment: {'; '.join(said)}. What only the default would show is not tested here."


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    lock = "".join((root / name).read_text() for name in ("requirements.lock", "torch.lock"))
    print(f"{'=' * 20}\n{sentence(differences(lock))}\n{'=' * 20}", flush=True)
