"""Install torch: the default build by the hashes of torch.lock, or the build that pip's own configuration prefers.

Where pip is told of an index of another build, the CPU's say, that build is newer to it than the default one; its files
are none that the lock knows. So its version is held to the lock's, its hash is not, and a line says so.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "torch.lock"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]


def arguments(lock, report):
    """Return pip's arguments, given the lock and pip's report on what it would install for its version of torch."""
    version = report["install"][0]["metadata"]["version"]
    if "+" in version:
        return [f"torch=={version}"]
    return ["--require-hashes", "-r", str(lock)]


def pin(lock):
    """Return the requirement of torch in the text of a lock."""
    return next(line.split()[0] for line in lock.splitlines() if line.startswith("torch=="))


if __name__ == "__main__":
    asked = subprocess.run([*PIP, "--dry-run", "--ignore-installed", "--report", "-", pin(LOCK.read_text())],
                           check=True, capture_output=True, text=True)
    chosen = arguments(LOCK, json.loads(asked.stdout))
    if "-r" not in chosen:
        print(f"torch: {chosen[0]}, as pip is configured here; torch.lock has the hashes of the default build alone")
    subprocess.run([*PIP, *chosen], check=True)
