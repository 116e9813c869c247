"""Sums in a process that was forked, and sums that somebody interrupts."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

# More than one thread, or there is no pool of threads that a fork could lose.
THREADS = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "2")}


FORKED = """
    import multiprocessing
    import os
    import warnings

    import numpy as np

    import locmethods as lm
    from locmethods.kernels import *

    rng = np.random.default_rng(0)
    X = rng.normal(size=({n}, {d}))

    def task(shift):
        answer = lm.{function}(X, X + shift, X[:, 0], kernel={kernel})
        return float(np.sum(answer if isinstance(answer, np.ndarray) else answer[0]))

    if __name__ == "__main__":
        before = [task(shift) for shift in range(4)]
        # Python itself warns that forking with threads is dangerous.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A hung child is to be killed, not joined.
        pool = multiprocessing.get_context("fork").Pool(4)
        try:
            found = pool.map_async(task, range(4)).get(timeout={seconds})
            print("as before" if np.allclose(found, before, rtol=1e-12) else f"{{found}} instead of {{before}}")
        except multiprocessing.TimeoutError:
            print("no answer")
        pool.terminate()
"""
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(("kernel", "n", "d", "function"), [
    pytest.param("Gaussian(0.3)", 5_000, 2, "local_mean", id="loops of differences"),
    pytest.param("Gaussian(0.3)", 2_000, 2, "local_mean", id="all pairs"),
    pytest.param("Gaussian(3.0)", 3_000, 20, "local_mean", id="products of matrices"),
    pytest.param("Gaussian(0.3) + Laplace(0.3)", 2_500, 2, "local_mean", id="sum of kernels"),
])
@pytest.mark.one_in(4)
def test_a_process_forked_after_a_large_sum_answers(kernel, n, d, function, tmp_path):
    """Each of the four takes a tenth of a second: five are enough on a machine that has other things to do."""
    script = tmp_path / "forked.py"
    script.write_text(textwrap.dedent(FORKED.format(kernel=kernel, d=d, function=function, n=n, seconds=5)))
    found = subprocess.run([sys.executable, script], env=THREADS, capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "as before", found.stdout + found.stderr


INTERRUPTED = """
    import signal

    import numpy as np

    import locmethods as lm
    from locmethods.kernels import *

    X = np.random.default_rng(0).normal(size=(300_000, {d}))
    call = lambda X: lm.{function}(X, X, X[:, 0], kernel={kernel})
    call(X[:3_000])  # what is compiled is compiled now
    # Whoever starts the tests in the background of a shell has interrupts ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("ready", flush=True)
    try:
        call(X)
        print("ended", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals here")
@pytest.mark.parametrize(("kernel", "d", "function"), [
    pytest.param("Gaussian(1.0)", 2, "local_mean", id="loops of differences"),
    pytest.param("Gaussian(1.0) + Laplace(1.0)", 2, "local_mean", id="sum of kernels"),
])
def test_an_interrupt_is_answered_within_a_second(kernel, d, function, tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(textwrap.dedent(INTERRUPTED.format(kernel=kernel, d=d, function=function)))
    process = subprocess.Popen([sys.executable, script], env=THREADS, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        time.sleep(0.8)  # the sum, of some ten seconds, is under way
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        said = process.stdout.readline().strip()
        waited = time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert said == "interrupted"
    assert waited < 1.0
