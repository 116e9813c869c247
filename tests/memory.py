"""How much memory some code takes, above what its process holds once everything is imported and was called once."""

import subprocess
import sys

# Not ru_maxrss: it begins with what the parent, a test worker, had in memory.
READ = r"""
import re
def peak():
    return int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) / 1024
"""


def above_imports(first, then):
    """Return the MiB that `then` takes at its peak in a fresh process, above the peak that `first` left.

    Parameters
    ----------
    first : str
        Code that imports, and makes a small call: what a build of torch takes is no affair of ours.
    then : str
        Code that does the work.
    """
    code = f"{READ}\n{first}\nbefore = peak()\n{then}\nprint('MiB', peak() - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split("MiB")[1])
