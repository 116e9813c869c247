"""How what a cell gives now is compared with what is frozen: text exactly, numbers with a tolerance.

What a reader reads is compared: standard output, and the plain text of what is displayed (for a figure, its name,
caption and alternative text). Pictures, HTML and standard error differ from machine to machine and are left out.
"""

from __future__ import annotations

import math
import re

# A page prints at most ten digits of a float. Another order of summation, other threads or another BLAS move a
# result by a few thousand roundings (1e-13); a condition number of 1e6 on top of that stays below 1e-6.
RTOL = 1e-6
# Not inside a word, so that a claim's id (B5) or a checksum is text; and 1.5e-3 is one number.
NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]*\w)")


def difference(frozen, now):
    """Return in a line how two texts differ, or "" if they agree: text exactly, integers exactly, floats to RTOL."""
    if NUMBER.sub("#", frozen) != NUMBER.sub("#", now):
        return "the text differs"
    for old, new in zip(NUMBER.findall(frozen), NUMBER.findall(now), strict=True):
        if old == new:
            continue
        if not re.search(r"[.eE]", old) or not re.search(r"[.eE]", new):
            return f"the integer {old} has become {new}"
        if not math.isclose(_value(old), _value(new), rel_tol=RTOL):
            return f"the number {old} has become {new}, further than {RTOL:g} relative"
    return ""


def _value(number):
    return float(number.replace("−", "-"))


def readable(outputs):
    """Return {"stdout": text, "text/plain 1": text, …}: the outputs that are compared."""
    found = {}
    for output in outputs:
        if output.get("output_type") == "stream" and output.get("name") == "stdout":
            found["stdout"] = found.get("stdout", "") + _joined(output["text"])
        elif "text/plain" in output.get("data", {}):
            found[f"text/plain {len(found) + ('stdout' not in found)}"] = _joined(output["data"]["text/plain"])
    return found


def _joined(text):
    return text if isinstance(text, str) else "".join(text)


def differences(frozen, now):
    """Return in words how the outputs of a cell differ, a text for each kind of output that does."""
    now, frozen, said = readable(now), readable(frozen), []
    for kind in [*frozen, *(kind for kind in now if kind not in frozen)]:
        if kind not in now or kind not in frozen:
            said.append(f"{kind}: only {'frozen' if kind in frozen else 'now'}:\n{frozen.get(kind, now.get(kind))}")
        elif words := difference(frozen[kind], now[kind]):
            said.append(f"{kind}: {words}\n--- frozen\n{frozen[kind]}\n--- now\n{now[kind]}")
    return said
