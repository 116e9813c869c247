"""Every public name shows what it is for: an Examples section, whose lines do what they say on any machine."""

import doctest
import inspect
import re
from importlib import import_module
from types import ModuleType

import pytest

import locmethods

ROOMS = [f"locmethods.{room}" for room in locmethods._ROOMS]
# What readers find as lm.name may live in a folder that is no room, as the models do.
PUBLIC = {
    f"{module.__name__.removeprefix('locmethods')}.{name}".lstrip("."): getattr(module, name)
    for module in [*map(import_module, ROOMS), locmethods]
    for name in module.__all__
}
# Each object once, by the first of its names.
NAMES = {name: one for one, name in {one: name for name, one in reversed(PUBLIC.items()) if callable(one)}.items()}


def failures(one, name):
    """Return what is wrong with an object's examples, in words; nothing if they do what they say.

    Only its own docstring counts. Examples of methods need not be, but are run too. All begin without a single name,
    as a reader does.
    """
    words = inspect.cleandoc(one.__doc__ or "")
    if "\nExamples\n--------\n" not in words:
        return f"{name} has no Examples section"
    if not any(example.want for example in doctest.DocTestParser().get_examples(words)):
        return f"the examples of {name} show no result"
    said, runner = [], doctest.DocTestRunner()
    for found in doctest.DocTestFinder().find(one, name, module=False, globs={}):
        runner.run(found, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_examples_that_do_what_they_say(name):
    said = failures(NAMES[name], name)
    assert not said, said


def links_to_nowhere(words):
    """Return the words of a docstring that end in an underscore, which reStructuredText takes for links.

    Code in backticks, citations, examples and the names of attributes at the head of a line are not among them.
    """
    words = inspect.cleandoc(words)
    for other in (r"``.*?``", r"`[^`]*`", r"\[\w+\]_", r"(?m)^ *>>>.*$", r"(?m)^[\w, ]+( : |$)"):
        words = re.sub(other, " ", words, flags=re.DOTALL if "`" in other else 0)
    return re.findall(r"\b[A-Za-z]\w*_(?=[\s'\")\]}>/:.,;!?-]|$)", words)


@pytest.mark.parametrize("name", NAMES)
def test_no_word_of_a_docstring_is_a_link_to_nowhere(name):
    assert links_to_nowhere(NAMES[name].__doc__ or "") == []


def test_a_link_to_nowhere_is_found():
    words = "curve_ : ndarray of shape (n_iter_,)\n    As [adams1900]_ and ``tol_`` say."
    assert links_to_nowhere(words) == ["n_iter_"]


def test_every_room_has_names_and_all_that_is_neither_module_nor_text_is_asked():
    for room in ROOMS:
        assert any(one.__module__.startswith(room) for one in NAMES.values()), f"{room} has no public name"
    others = {name: one for name, one in PUBLIC.items() if not callable(one)}
    assert all(isinstance(one, ModuleType | str) for one in others.values()), others


HALF = '''"""Return half of x.

Examples
--------
>>> from fractions import Fraction
>>> Fraction(1, 2) * 3
{result}
"""'''


def documented(words):
    """Return a function with this docstring."""
    def half(x):
        return x / 2

    half.__doc__ = words.strip('"')
    return half


def test_a_right_example_is_taken():
    assert failures(documented(HALF.format(result="Fraction(3, 2)")), "half") == ""


@pytest.mark.parametrize(("words", "complaint"), [
    (HALF.format(result="Fraction(5, 2)"), "Got:\n    Fraction(3, 2)"),
    (HALF.format(result="Fraction(3,  2)"), "Got:\n    Fraction(3, 2)"),
    (HALF.format(result="Fraction(3...)"), "Got:\n    Fraction(3, 2)"),
    ('"""Return half of x."""', "half has no Examples section"),
    ('"""Return half of x.\n\nExamples\n--------\n>>> x = 1\n"""', "the examples of half show no result"),
    ('"""Return half of x.\n\nExamples\n--------\n>>> half(1)\n0.5\n"""', "NameError: name 'half' is not defined"),
    ('"""Return half of x.\n\nExamples\n--------\n>>> import warnings\n>>> warnings.warn("odd", stacklevel=1)\n'
     '>>> 1\n1\n"""', "UserWarning: odd"),
], ids=["another number", "another space", "an ellipsis", "no section", "no result", "no import", "a warning"])
def test_a_wrong_example_is_noticed(words, complaint):
    assert complaint in failures(documented(words), "half")


def test_a_base_class_does_not_count_and_a_method_does():
    class Base:
        """What it is for.

        Examples
        --------
        >>> 1
        1
        """

        def method(self):
            """Return two.

            >>> 2
            2
            """

    class Worse(Base):
        """What it is for.

        Examples
        --------
        >>> 1
        1
        """

        def method(self):
            """Return three.

            >>> 2
            3
            """

    class Heir(Base):
        pass

    assert failures(Base, "Base") == ""
    assert "Expected:\n    3" in failures(Worse, "Worse")
    assert failures(Heir, "Heir") == "Heir has no Examples section"
