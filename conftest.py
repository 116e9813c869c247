"""The frozen notebooks under nbval: compared with the book's own tolerance, and remembered when they agree."""

import os
from collections import Counter
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent
REMEDY = "If the change is meant, run make freeze and commit book/notebooks."


def compare_outputs(cell, now, frozen, skip_compare=None):
    """Take the place of nbval's comparison of one cell, which knows no tolerance."""
    from locmethods.companion.build.compare import differences

    said = differences(frozen, now)
    cell.comparison_traceback = [*said, REMEDY] if said else []
    return not said


def pytest_configure(config):
    """Start the notebooks' kernels in the chapters' own environment, except that they leave no records."""
    if not getattr(config.option, "nbval", False):
        return
    from locmethods.companion.build import notebooks, records

    os.environ.update(notebooks.environment(ROOT, ROOT / "page.md"))
    for name in (records.FOLDER, records.CHAPTER):
        os.environ.pop(name, None)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Remember(ROOT), "remember")


def pytest_itemcollected(item):
    """Compare a notebook's cells as above."""
    if type(item).__name__ == "IPyNbCell":
        item.compare_outputs = partial(compare_outputs, item)


class Remember:
    """Notes which frozen notebooks agreed, cell by cell to the end, with the chapters as they stood at the start."""

    def __init__(self, root):
        self.root, self.passed, self.failed, self.chapters = root, Counter(), set(), {}

    def pytest_sessionstart(self):
        from locmethods.companion.build import pages, stale
        from locmethods.companion.build.imports import Modules

        modules = Modules(self.root)
        self.chapters = {page.stem: (page, stale.as_checked(self.root, page, modules))
                         for page in pages.chapters(self.root)}

    def pytest_runtest_logreport(self, report):
        file = Path(report.nodeid.split("::")[0])
        if file.suffix == ".ipynb":
            if report.failed:
                self.failed.add(file.stem)
            elif report.when == "call" and report.passed:
                self.passed[file.stem] += 1

    def pytest_sessionfinish(self):
        import nbformat

        from locmethods.companion.build import pages, records, stale

        for stem in set(self.passed) - self.failed:
            page, as_it_was = self.chapters[stem]
            cells = pages.code_cells(nbformat.read(stale.frozen(page), as_version=4))
            if self.passed[stem] == len(cells):
                records.write_whole(stale.checked(self.root, page), as_it_was)
