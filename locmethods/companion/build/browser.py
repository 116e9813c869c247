"""A headless Chromium that prints pages and typesets mathematics, asked through a pipe: no driver, no port."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager

from locmethods.companion.build.pages import BookError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def browser():
    """Give a `Browser` without a network, and end it.

    Raises
    ------
    BookError
        If there is no Chromium.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise BookError(f"PDF and EPUB are made by Chromium: install it; none of {', '.join(NAMES)} is on the path")
    asked, ask = os.pipe()
    heard, answer = os.pipe()
    # The browser's helpers may still write into its profile when it has ended itself.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The browser reads from its file 3 and writes to its file 4: ours must not be these.
        asked, answer = (_raised(file) for file in (asked, answer))
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{asked} 4>&{answer}', "bash", program, "--headless", "--no-sandbox",
             "--disable-gpu", "--allow-file-access-from-files", f"--user-data-dir={profile}",
             "--remote-debugging-pipe"],
            pass_fds=(asked, answer), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(asked)
        os.close(answer)
        with open(ask, "wb", buffering=0) as commands, open(heard, "rb") as answers:
            try:
                yield Browser(commands, answers)
            finally:
                process.terminate()
                process.wait()


def _raised(file):
    """Return the same file under a number of at least ten."""
    raised = fcntl.fcntl(file, fcntl.F_DUPFD, 10)
    os.close(file)
    return raised


class Browser:
    """One tab, and what is asked of it: each message is JSON that ends with a zero byte."""

    def __init__(self, commands, answers):
        self._commands, self._answers, self._rest, self._number = commands, answers, b"", 0
        self._session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Network.enable")
        self.ask("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])

    def ask(self, method, **parameters):
        """Return the answer to a command of the browser's protocol.

        Raises
        ------
        BookError
            If the browser refuses or has ended.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            self._commands.write(json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise BookError("the browser has ended before it was asked") from None
        said = self._until(lambda said: said.get("id") == self._number)
        if "error" in said:
            raise BookError(f"the browser does not take {method}: {said['error'].get('message')}")
        return said["result"]

    def _until(self, fits):
        """Return the next message that fits; the others are news that nobody waits for."""
        while True:
            while b"\0" not in self._rest:
                piece = os.read(self._answers.fileno(), 1 << 20)
                if not piece:
                    raise BookError("the browser has ended before it answered")
                self._rest += piece
            message, _, self._rest = self._rest.partition(b"\0")
            if fits(said := json.loads(message)):
                return said

    def open(self, address):
        """Open a page, and wait until it is loaded and its mathematics is set."""
        said = self.ask("Page.navigate", url=address)
        if "errorText" in said:
            raise BookError(f"the browser does not open {address}: {said['errorText']}")
        self.evaluate("new Promise((done) => document.readyState === 'complete' ? done() "
                      ": addEventListener('load', done))")
        self.evaluate("window.MathJax?.startup?.promise")

    def evaluate(self, script):
        """Return what a script gives, waiting for a promise."""
        said = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            details = said["exceptionDetails"]
            raise BookError(f"a script failed: {details.get('exception', {}).get('description', details['text'])}")
        return said["result"].get("value")

    def pdf(self):
        """Return the page as it prints, A4, with its headings as bookmarks."""
        # inches; margins are the style's
        said = self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True,
                        printBackground=True, generateDocumentOutline=True, generateTaggedPDF=True)
        return base64.b64decode(said["data"])
