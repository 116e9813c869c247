"""Pin what pyproject.toml asks for, with the hashes of all files of each release: `make lock` runs this.

Three files, each whole: ``requirements.lock`` is what a reader and the tests need; ``torch.lock`` is torch, of which
there are other builds than the default one, and what only the default build asks for; ``bench.lock`` is what the
benchmarks need beside them. Pins hold for every Python and system that the project takes, by markers. What is pinned
already stays, unless all is to be pinned anew.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "_build" / "lock"
BENCH = "bench"
# Debian 12's Python, the oldest that is taken: newer patch releases accept pins that it cannot install.
OLDEST = "3.11.2"


def blocks(text):
    """Return {name: its lines} of a lock: a pin with its marker, and its hashes."""
    found = {}
    for block in re.findall(r"^\S.*\n(?:[ ]+.*\n)*", text, re.M):
        found[re.match(r"[A-Za-z0-9._-]+", block)[0]] = block
    return found


def divided(everything, reader, torchless):
    """Return the three locks, given what all extras need, all but the benchmarks', and these if there were no torch.

    What torch asks for without a marker every build of it needs, so it stands in the first lock.
    """
    extra = {name for name, block in reader.items()
             if name == "torch" or (name not in torchless and ";" in block.split("\n")[0])}
    return {"requirements.lock": {name: block for name, block in reader.items() if name not in extra},
            "torch.lock": {name: block for name, block in reader.items() if name in extra},
            "bench.lock": {name: block for name, block in everything.items() if name not in reader}}


def resolved(place, extras, pinned, *more):
    """Return the blocks of what some extras need; `pinned` is kept where it can be."""
    place.write_text(pinned)
    words = [word for extra in extras for word in ("--extra", extra)]
    subprocess.run([WORK / "bin" / "uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST,
                    "--generate-hashes", "--no-header", "--no-annotate", "--constraint", "constraints.txt", *words,
                    *more, "pyproject.toml", "--output-file", place], cwd=ROOT, check=True)
    return blocks(place.read_text())


def main(anew):
    """Write the locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = sorted(project["optional-dependencies"])
    files = [ROOT / name for name in ("requirements.lock", "torch.lock", "bench.lock")]
    pinned = "" if anew else "".join(file.read_text() for file in files if file.exists())
    never = WORK / "no-torch.txt"
    never.write_text('torch ; python_version < "3"\n')
    reader = [extra for extra in extras if extra != BENCH]
    everything = resolved(WORK / "everything.txt", extras, pinned)
    pinned = "".join(everything.values())
    found = divided(everything, resolved(WORK / "reader.txt", reader, pinned),
                    resolved(WORK / "torchless.txt", reader, pinned, "--override", never))
    for name, pins in found.items():
        (ROOT / name).write_text("".join(pins.values()))


if __name__ == "__main__":
    main("--anew" in sys.argv)
