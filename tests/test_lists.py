"""The lists that are made: the chapters' map, the README's table, the API page."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import locmethods
from locmethods.companion.build import lists, pages
from locmethods.companion.build.records import write_whole

ROOT = Path(__file__).resolve().parent.parent
PAGE = """---
file_format: mystnb
chapter:
  question: What is one?
  surprise: It is not two
---
# The first

```{code-cell} ipython3
1
```
"""


@pytest.fixture
def root(tmp_path):
    """Return a book of one chapter, whose stem has claims in the ledger."""
    write_whole(tmp_path / "_toc.yml", "root: book/intro\nchapters: [{file: book/means}]\n")
    write_whole(tmp_path / "book" / "intro.md", "# intro\n")
    write_whole(tmp_path / "book" / "means.md", PAGE)
    write_whole(tmp_path / "README.md", f"before\n{lists.BEGIN}old\n{lists.END}after\n")
    return tmp_path


def test_the_map_and_the_table_say_what_the_page_says(root):
    assert lists.chapter_map(root).splitlines()[2:] == ["| {doc}`means` | What is one? | It is not two |"]
    lists.write_readme(root)
    assert (root / "README.md").read_text() == (
        f"before\n{lists.BEGIN}| chapter | question | checks |\n|---|---|---|\n"
        f"| The first | What is one? | A1–A5, A15 |\n{lists.END}after\n")
    assert lists.readme(root) == (root / "README.md").read_text()


@pytest.mark.parametrize("old, new, words", [
    ("  surprise: It is not two\n", "",
     "book/means.md must say in its front matter, under chapter:, its question and its surprise"),
    ("chapter:\n  question: What is one?\n  surprise: It is not two\n", "",
     "book/means.md must say in its front matter, under chapter:, its question and its surprise"),
    ("What is one?", "' '",
     "book/means.md must say in its front matter, under chapter:, its question and its surprise"),
    ("What is one?", "one: two: three", "the front matter of book/means.md, line 3, is not YAML: "
                                        "mapping values are not allowed here"),
    ("# The first", "The first", "book/means.md must have a heading, # and its title"),
])
def test_a_page_that_says_too_little_is_named(root, old, new, words):
    page = root / "book" / "means.md"
    page.write_text(page.read_text().replace(old, new))
    with pytest.raises(pages.BookError, match=f"^{re.escape(words)}$"):
        lists.chapters(root)


def test_a_readme_without_its_marks_is_named(root):
    (root / "README.md").write_text("no table")
    with pytest.raises(pages.BookError, match=f"^README.md must have the lines {re.escape(lists.BEGIN.strip())} and "):
        lists.readme(root)


@pytest.mark.parametrize("names, text", [
    ([], ""), (["A6"], "A6"), (["A6", "A7", "A8", "A10"], "A6–A8, A10"), (["A2", "B3", "B4"], "A2, B3–B4"),
])
def test_ids_in_a_row_are_a_range(names, text):
    assert lists.ranges(names) == text


# The API page

STEMS = [page.stem for page in pages.pages(ROOT)]


def test_every_public_name_stands_once_where_it_lives():
    documented = re.findall(r"auto(?:class|function):: (\S+)", lists.api(locmethods, STEMS))
    assert len(documented) == len(set(documented))
    modules = [one for name in locmethods.__all__ if inspect.ismodule(one := getattr(locmethods, name))]
    public = [getattr(locmethods, name) for name in locmethods.__all__]
    public += [getattr(module, name) for module in modules for name in module.__all__]
    wanted = {f"{one.__module__}.{one.__qualname__}" for one in public if callable(one)}
    assert len(wanted) > 40 and wanted <= set(documented)


def test_sections_follow_the_book():
    text = lists.api(locmethods, STEMS)
    sections = re.findall(r"^## `locmethods\.(\w+)`$", text, re.MULTILINE)
    assert [name for name in sections if name in STEMS] == [stem for stem in STEMS if stem in sections]


class Base:
    def fit(self):
        """Words."""


class Child(Base):
    """A class."""

    def fit(self):
        """What the base has, too."""

    def predict(self):
        """Words."""

    def silent(self):
        pass

    def set_fit_request(self):
        """What scikit-learn adds."""

    def _hidden(self):
        """Words."""

    def __call__(self):
        """Words."""

    @property
    def gradient(self):
        """Words."""


def test_a_class_shows_what_it_adds_to_its_bases():
    assert lists.members(Child) == ["predict", "__call__", "gradient"]


def test_a_name_that_moves_is_found_where_it_lives():
    def helper():
        """Words."""

    helper.__module__, helper.__qualname__ = "locmethods.means", "helper"
    package = SimpleNamespace(__name__="locmethods", __all__=["__version__", "helper", "kernels"], __version__="1",
                              helper=helper, kernels=locmethods.kernels)
    text = lists.api(package, ["kernels"])
    assert text.index("## `locmethods.kernels`") < text.index("## `locmethods.means`")
    assert ".. autofunction:: locmethods.means.helper" in text and "__version__" not in text
